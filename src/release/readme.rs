//! README.txt: checking and loading a release with what every machine has.

use std::collections::BTreeMap;

use super::consumer::Form;
use super::{Consumer, Laid, ReleaseInput};
use crate::x509::Digest;

/// How many clusters of a consumer are named.
const NAMED: usize = 20;

/// Shows the fingerprint of the one root, or of each.
const OF_ONE: &str = "openssl x509 -in root-cert.pem -noout -fingerprint -sha256";
const OF_EACH: &str = "awk '/BEGIN/ { show = \"openssl x509 -noout -subject -fingerprint -sha256\" } { print | show } /END/ { close(show) }' root-cert.pem";

/// The arc 2.16.840.1.101.3.4.3: of all that is signed here, ML-DSA alone lies beneath it.
const NIST_SIGNATURES: [u8; 8] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03];

/// Whether a certificate's key or signature is of ML-DSA.
pub fn is_post_quantum(der: &[u8]) -> bool {
    der.windows(NIST_SIGNATURES.len()).any(|w| w == NIST_SIGNATURES)
}

/// The text, with the fingerprints to compare; the clusters are in their names' order.
pub fn text(input: &ReleaseInput, clusters: &[Laid]) -> String {
    let origin = input.origin;
    let warning = if origin.rehearsal { "REHEARSAL: nothing in here may be relied on.\n\n" } else { "" };
    let several = origin.trusted.len() > 1;
    let show = if several { OF_EACH } else { OF_ONE };
    let compare = if several { "all these" } else { "both" };
    let others: String = origin.companions().map(|der| format!("  root     {}\n", Digest::of(der))).collect();
    let post_quantum = is_post_quantum(&origin.root) || clusters.iter().any(|cluster| cluster.post_quantum);
    let openssl = if post_quantum { "OpenSSL 3.5 or newer (which knows ML-DSA)" } else { "OpenSSL" };
    let (beside, each) = if several {
        (
            "  root-cert.pem    the roots to trust, in an order that stays: load it byte for byte\n",
            ", once for each root",
        )
    } else {
        ("", "")
    };
    let (crl_files, crl_steps) = crls(input);
    let stage = input.stage.map(stage).unwrap_or_default();
    let again = input.repeats.map(again).unwrap_or_default();
    let load = load(clusters);
    let (name, root, journal) =
        (&origin.name, Digest::of(&origin.root), Digest::of(input.journal_certificate));
    format!(
        "{warning}{name}\n\
\n\
{again}\
What it holds\n\
  <cluster>/       one cluster's intermediate, its chain, the root, a receipt, and what its consumer takes\n\
{beside}\
{crl_files}\
  journal/         the journal up to this session\n\
  MANIFEST.toml    what was released, for which cluster\n\
  SHA256SUMS       digests of all files, signed in SHA256SUMS.p7s\n\
\n\
Check it, with coreutils and {openssl} alone, in this folder\n\
\n\
  sha256sum -c SHA256SUMS\n\
  {show}\n\
  openssl x509 -in journal-cert.pem -noout -fingerprint -sha256\n\
  openssl cms -verify -inform DER -in SHA256SUMS.p7s -content SHA256SUMS -binary -purpose any -nointern -certfile journal-cert.pem -CAfile root-cert.pem\n\
  openssl verify -x509_strict -CAfile root-cert.pem <cluster>/ca-cert.pem\n\
\n\
{stage}\
{crl_steps}\
Compare {compare} fingerprints with those noted at the root ceremony. Never believe\n\
them because they stand here:\n\
\n\
  root     {root}\n\
{others}\
  journal  {journal}\n\
\n\
Or with anchorite, which checks more:\n\
\n\
  anchorite verify . --root-sha256 <the root's fingerprint, as noted>{each}\n\
{load}"
    )
}

/// How each consumer that is in it loads its files.
fn load(clusters: &[Laid]) -> String {
    let mut all: BTreeMap<Consumer, Vec<&Laid>> = BTreeMap::new();
    for cluster in clusters {
        all.entry(cluster.entry.consumer).or_default().push(cluster);
    }
    let mut out = String::new();
    for (consumer, members) in all {
        let terms = consumer.terms();
        let names: Vec<&str> = members.iter().take(NAMED).map(|member| member.entry.name.as_str()).collect();
        let more = match members.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        out.push_str(&format!("\nLoad it: {consumer} ({}{more})\n\n", names.join(", ")));
        match &terms.assembled {
            Ok(_) => {
                out.push_str("  # where the key lies:\n  anchorite assemble --bundle <cluster> --key <key file> --out <folder> --root-sha256 <as noted>\n");
                out.push_str(&indented(
                    terms.load_lines("<folder>", |word| word.replace("{out}", "<folder>")),
                ));
                if terms.files.iter().any(|(_, form)| matches!(form, Form::Patch(_))) {
                    out.push_str("  # or, in a Secret that holds this certificate's key already:\n");
                }
                out.push_str(&indented(terms.direct_lines("<cluster>", None)));
            }
            Err(who) => {
                out.push_str(&format!("  # {who}\n"));
                for member in members {
                    out.push_str(&indented(terms.direct_lines(&member.entry.name, member.object.as_ref())));
                }
            }
        }
    }
    out
}

fn indented(lines: Vec<String>) -> String {
    lines.iter().map(|line| format!("  {line}\n")).collect()
}

/// What there is of CRLs, and in which order it is loaded.
fn crls(input: &ReleaseInput) -> (String, String) {
    let cross = match input.cross {
        Some(_) => {
            "  cross-cert.pem   another root's key and name, signed by this one: for chains, never among the roots\n"
        }
        None => "",
    };
    if input.crls.root.is_none() {
        return (cross.into(), String::new());
    }
    if input.crls.lacking.count > 0 {
        let files = format!("{cross}  root-crl.pem     the root's CRL; alone it cuts every cluster off\n");
        let steps = format!(
            "No CRL set for the fleet: the own CRLs of {} intermediates are missing. Do not load root-crl.pem alone:\n\
Envoy wants a CRL of every CA in a peer's chain and refuses who has none.\n\n",
            input.crls.lacking.count
        );
        return (files, steps);
    }
    let files = format!(
        "{cross}  root-crl.pem     the root's CRL; alone it cuts every cluster off\n\
  ca-crl.pem       the fleet's set: the root's CRL and one of every intermediate\n"
    );
    let steps = "If your clusters check CRLs, keep to this order\n\
\n\
  1. Load ca-crl.pem in every cluster, the new ones' CRLs are in it: `anchorite assemble … --crl=<this folder>`.\n\
  2. Only then load a new intermediate. A cluster that lacks its CRL refuses everybody under it.\n\
  3. After a revocation drain pooled connections: they live on until they are closed.\n\
\n";
    (files, steps.into())
}

/// What is to be known of certificates that were released before.
fn again(plan: Digest) -> String {
    format!(
        "The clusters' certificates in it were released before, for plan\n\
{plan}. A cluster that has a newer one keeps that.\n\
\n"
    )
}

/// What a rollover's stage asks of whoever loads it.
fn stage(stage: &str) -> String {
    format!(
        "A change of roots is under way, at stage {stage}. Load this root-cert.pem in every cluster, byte for byte, and\n\
tell the operator of the CA once all have it; only then the next stage is released:\n\
\n\
  anchorite assemble --bundle <the cluster's folder, as loaded now> --trust <this folder> --key <key file> --out <folder> --root-sha256 <each root, as noted>\n\
\n"
    )
}
