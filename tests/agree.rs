//! One table of chains and CRLs, put to all who have to judge them: OpenSSL, a real Envoy, Go as
//! istiod asks it, and rustls-webpki as ztunnel asks it. Each row says what each of them says, and
//! where they do not agree, why; what anchorite makes is a row where they do.

pub mod judges;

use judges::Verdict;

use crate::mesh::{Authority, Crl, DAY, Identity, Mesh, Trust};

struct Case {
    what: &'static str,
    identity: Identity,
    trust: Trust,
    /// OpenSSL, Envoy, Go, ztunnel: accepted, or a word of the refusal.
    says: [&'static str; 4],
    /// Why they differ, where they do.
    why: &'static str,
}

const OK: &str = "accepted";
const REVOKED: [&str; 4] = ["certificate revoked", "certificate revoked", "revoked", "CertRevoked"];
const UNKNOWN: [&str; 4] =
    ["unable to get certificate CRL", "unable to get certificate CRL", "missing CRL", OK];
const PERMISSIVE: &str =
    "ztunnel lets pass who has no CRL; OpenSSL and Envoy want one from each issuer, as istiod does";
const EXPIRED: [&str; 4] = ["CRL has expired", "CRL has expired", OK, OK];
const TIMELESS: &str = "istiod does not look at a CRL's times, ztunnel ignores them";
const FIRST_SENT: &str = "OpenSSL and Envoy follow the first issuer that the peer sent and do not come back";
const FIRST: &str = "ztunnel takes the first CRL with the issuer's name";

/// A fleet's authorities, and what they sign.
struct Fleet {
    root: Authority,
    east: Authority,
    west: Authority,
    subject: Identity,
    crls: [String; 3],
}

impl Fleet {
    fn new() -> Self {
        let root = Authority::root("Example Root G1");
        let [east, west] = ["east", "west"].map(|name| root.intermediate(name));
        let crls = [&root, &east, &west].map(|ca| ca.crl(&Crl::default()));
        Self { subject: east.workload("subject"), root, east, west, crls }
    }

    /// A workload of east's and these CRLs.
    fn case(&self, what: &'static str, crls: &[&str], says: [&'static str; 4], why: &'static str) -> Case {
        Case {
            what,
            identity: self.subject.clone(),
            trust: Trust::new(&self.root.certificate, crls),
            says,
            why,
        }
    }

    /// The same in the root's place of the set.
    fn with(&self, what: &'static str, root: &str, says: [&'static str; 4], why: &'static str) -> Case {
        self.case(what, &[root, &self.crls[1], &self.crls[2]], says, why)
    }
}

fn cases() -> Vec<Case> {
    let fleet = Fleet::new();
    [sets(&fleet), times(&fleet), forms(&fleet), names(&fleet), roots(&fleet)].into_iter().flatten().collect()
}

/// Who has a CRL, and who is on one.
fn sets(fleet: &Fleet) -> Vec<Case> {
    let Fleet { root, east, west, subject, crls: [r, e, w] } = fleet;
    let revoked = |serial: String| Crl::revoking(&[&serial]);
    vec![
        fleet.case("the whole set", &[r, e, w], [OK; 4], ""),
        fleet.case("in another order", &[w, e, r], [OK; 4], ""),
        fleet.with("its intermediate is revoked", &root.crl(&revoked(east.serial())), REVOKED, ""),
        fleet.with("another's intermediate is revoked", &root.crl(&revoked(west.serial())), [OK; 4], ""),
        fleet.case("it is itself revoked", &[r, &east.crl(&revoked(subject.serial())), w], REVOKED, ""),
        fleet.case("the root's CRL alone", &[r], UNKNOWN, PERMISSIVE),
        fleet.case("no CRL from the root", &[e, w], UNKNOWN, PERMISSIVE),
        fleet.case("no CRL from another's intermediate", &[r, e], [OK; 4], ""),
    ]
}

fn times(fleet: &Fleet) -> Vec<Case> {
    let Fleet { root, east, west, crls: [r, e, w], .. } = fleet;
    let expired = Crl { from: -30 * DAY, until: -DAY, ..Crl::default() };
    let tomorrow = Crl { from: DAY, ..Crl::default() };
    let early = ["CRL is not yet valid", "CRL is not yet valid", OK, OK];
    let newer = Crl { from: -60, ..Crl::revoking(&[&east.serial()]) };
    let newer = root.crl(&newer);
    let ignored = ["certificate revoked", "certificate revoked", "revoked", OK];
    vec![
        fleet.with("the root's has expired", &root.crl(&expired), EXPIRED, TIMELESS),
        fleet.case("its intermediate's has expired", &[r, &east.crl(&expired), w], EXPIRED, TIMELESS),
        fleet.case("another's has expired", &[r, e, &west.crl(&expired)], [OK; 4], ""),
        fleet.with("the root's is of tomorrow", &root.crl(&tomorrow), early, TIMELESS),
        fleet.case("the root's new one before its last", &[&newer, r, e, w], REVOKED, ""),
        fleet.case("the root's last one before its new", &[r, &newer, e, w], ignored, FIRST),
    ]
}

fn forms(fleet: &Fleet) -> Vec<Case> {
    let Fleet { root, east, crls: [r, e, w], .. } = fleet;
    let unnamed = Crl { extensions: "", ..Crl::default() };
    let foreign = Crl {
        extensions: "authorityKeyIdentifier = DER:301680140102030405060708090a0b0c0d0e0f1011121314",
        ..Crl::default()
    };
    let scoped = Crl {
        extensions: "authorityKeyIdentifier = keyid:always\nissuingDistributionPoint = critical, @idp\n[idp]\nfullname = URI:http://crl.example/root.crl",
        ..Crl::default()
    };
    let version_1 = root.crl(&Crl { number: 0, ..unnamed.clone() });
    let lost = [UNKNOWN[0], UNKNOWN[1], OK, OK];
    let by_key = "istiod and ztunnel do not look at the authority key identifier";
    let scope = ["different CRL scope", "different CRL scope", OK, OK];
    let mute = root.intermediate_of("no-crl-sign", "mute");
    let unfit = ["key usage does not include CRL signing", "key usage does not include CRL signing"];
    let of_mute = |case: Case| Case { identity: mute.workload("subject"), ..case };
    vec![
        fleet.with("no key identifier", &root.crl(&unnamed), [OK; 4], ""),
        fleet.with("the root's with another key's identifier", &root.crl(&foreign), lost, by_key),
        fleet.case("its intermediate's with another's", &[r, &east.crl(&foreign), w], lost, by_key),
        fleet.with(
            "version 1",
            &version_1,
            [OK, OK, "unsupported crl version", "BadDer"],
            "OpenSSL and Envoy still take CRLs of version 1",
        ),
        fleet.with(
            "for a distribution point that no certificate names",
            &root.crl(&scoped),
            scope,
            "Go does not look at it, and webpki only where the certificate names one",
        ),
        of_mute(fleet.case("an intermediate without cRLSign", &[r, e, w], UNKNOWN, PERMISSIVE)),
        of_mute(fleet.case(
            "and its CRL",
            &[r, e, w, &mute.crl(&Crl::default())],
            [unfit[0], unfit[1], "missing CRL", "IssuerNotCrlSigner"],
            "",
        )),
    ]
}

/// One name, two keys.
fn names(fleet: &Fleet) -> Vec<Case> {
    let Fleet { east, crls: [r, e, w], .. } = fleet;
    let unnamed = Crl { extensions: "", ..Crl::default() };
    let twin = Authority::root("Example Root G1");
    let rekeyed = fleet.root.intermediate("east");
    let crl = rekeyed.crl(&Crl::default());
    let bare = [east.crl(&unnamed), rekeyed.crl(&unnamed)];
    let wrong = "InvalidCrlSignatureForPublicKey";
    let of_rekeyed = |case: Case| Case { identity: rekeyed.workload("subject"), ..case };
    let missing = [UNKNOWN[0], UNKNOWN[1], UNKNOWN[2], wrong];
    let forged = ["CRL signature failure", "CRL signature failure", "missing CRL", wrong];
    let unclear = [forged[0], forged[1], OK, wrong];
    vec![
        fleet.with("the root's CRL from another key of its name", &twin.crl(&Crl::default()), missing, ""),
        fleet.with("and without a key identifier", &twin.crl(&unnamed), forged, ""),
        fleet.case(
            "another key under the intermediate's name, old first: old",
            &[r, e, &crl, w],
            [OK; 4],
            "",
        ),
        of_rekeyed(fleet.case("old first: new", &[r, e, &crl, w], [OK, OK, OK, wrong], FIRST)),
        of_rekeyed(fleet.case(
            "old first, without key identifiers: new",
            &[r, &bare[0], &bare[1], w],
            unclear,
            "nothing but the name leads OpenSSL, Envoy and ztunnel to a CRL; istiod tries all",
        )),
    ]
}

/// Another island, and a root reached through a cross-certificate.
fn roots(fleet: &Fleet) -> Vec<Case> {
    let Fleet { root, crls: [r, e, w], .. } = fleet;
    let new = Authority::root("Example Root G2");
    let east_2 = new.intermediate("east-2");
    let [n, e2] = [&new, &east_2].map(|ca| ca.crl(&Crl::default()));
    let strange = "signed certificate in certificate chain";
    let cross = root.cross(&new);
    let leaf = east_2.workload("subject");
    let sending = |case: Case, above: &[&str]| {
        let own = leaf.chain.strip_suffix(&east_2.chain).unwrap();
        let chain = [&[own, &east_2.certificate], above].concat().concat();
        Case { identity: Identity { chain, ..leaf.clone() }, ..case }
    };
    let crossed = |case: Case| sending(case, &[&cross]);
    let cross_serial = Identity { chain: cross.clone(), key: String::new() }.serial();
    let cross_revoked = root.crl(&Crl::revoking(&[&cross_serial]));
    let self_signed = [strange, strange, OK, OK];
    vec![
        sending(
            fleet.case(
                "another island",
                &[r, e, w, &n, &e2],
                [strange, strange, "unknown authority", "UnknownIssuer"],
                "",
            ),
            &[&new.certificate],
        ),
        crossed(fleet.case("a new root, certified by the old", &[r, e, w, &n, &e2], [OK; 4], "")),
        sending(fleet.case("and then itself", &[r, e, w, &n, &e2], [OK; 4], ""), &[&cross, &new.certificate]),
        sending(
            fleet.case("itself, then certified", &[r, e, w, &n, &e2], self_signed, FIRST_SENT),
            &[&new.certificate, &cross],
        ),
        crossed(fleet.case("without the new root's CRL", &[r, e, w, &e2], UNKNOWN, PERMISSIVE)),
        crossed(fleet.case("its cross-certificate revoked", &[&cross_revoked, e, w, &n, &e2], REVOKED, "")),
    ]
}

#[test]
fn all_judges_say_what_the_table_says() {
    let dir = tempfile::tempdir().unwrap();
    let cases = cases();
    let folders: Vec<String> = (0..cases.len()).map(|n| n.to_string()).collect();
    for (case, folder) in cases.iter().zip(&folders) {
        judges::lay_out(&dir.path().join(folder), &case.identity, &case.trust);
    }
    let go = judges::go(dir.path(), &folders);
    // The judge is of a root of its own, which the judged trusts: only one side is in question.
    let judge = Authority::root("Judge").workload("judge");
    let open = Trust::new(&judge.chain, &[]);
    let mut mesh = Mesh::new(&[("judge", &judge, &cases[0].trust), ("subject", &cases[0].identity, &open)]);
    let mut faults = Vec::new();
    for ((case, folder), go) in cases.iter().zip(&folders).zip(go) {
        let verdicts = [
            judges::openssl(&dir.path().join(folder)),
            judges::envoy(&mut mesh, &case.identity, &case.trust),
            go,
            judges::ztunnel(&case.identity, &case.trust),
        ];
        faults.extend(disagreements(case, &verdicts));
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

fn disagreements(case: &Case, verdicts: &[Verdict; 4]) -> Vec<String> {
    let judges = ["OpenSSL", "Envoy", "Go", "ztunnel"];
    let mut faults = Vec::new();
    for ((judge, verdict), says) in judges.iter().zip(verdicts).zip(case.says) {
        let as_said = match verdict {
            Ok(()) => says == OK,
            Err(reason) => says != OK && reason.to_lowercase().contains(&says.to_lowercase()),
        };
        if !as_said {
            faults.push(format!("{}: {judge} should say `{says}`, says {verdict:?}", case.what));
        }
    }
    let agree = verdicts.iter().all(|v| v.is_ok() == verdicts[0].is_ok());
    if agree != case.why.is_empty() {
        faults.push(format!("{}: a reason stands where they differ, and only there", case.what));
    }
    faults
}
