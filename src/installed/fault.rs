//! What can be wrong: each rule by its ID, with what is wanted and what to do.

use serde::Serialize;

use super::Against;
use crate::error::Error;
use crate::x509::{Seconds, Time};

/// How much it matters; the last one most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It works; somebody should know.
    Note,
    /// It works as yet, or is not for real use: somebody has to act.
    Open,
    /// It does not work, or will not with the next reload or peer.
    Broken,
}

/// Something that is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Its stable ID.
    pub id: &'static str,
    /// What its breach is.
    pub severity: Severity,
    /// What it wants.
    pub wanted: &'static str,
    /// What to do where that is not so.
    pub next: &'static str,
}

/// A breach of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The cluster.
    pub cluster: String,
    /// The object in it; empty where it is about several clusters.
    pub object: String,
    /// The file or the Secret's key.
    pub key: String,
    /// The rule.
    pub id: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// What was found, fit for a terminal.
    pub found: String,
    /// What is wanted.
    pub wanted: String,
    /// What to do.
    pub next: String,
}

/// The faults of one object.
pub(super) struct Faults<'a> {
    cluster: &'a str,
    object: &'a str,
    pub against: &'a Against<'a>,
    /// What ends within this is told, or sooner where the consumer warns sooner.
    pub within: Seconds,
    pub all: Vec<Fault>,
}

impl<'a> Faults<'a> {
    pub fn new(cluster: &'a str, object: &'a str, against: &'a Against<'a>) -> Self {
        Self { cluster, object, against, within: against.within, all: Vec::new() }
    }

    /// Puts a breach on the list, each once.
    pub fn put(&mut self, rule: &Rule, key: &str, found: impl Into<String>) {
        let fault = breach(rule, self.cluster, self.object, key, found.into());
        if !self.all.contains(&fault) {
            self.all.push(fault);
        }
    }

    /// What could not be read, and whether a consumer would miss it.
    pub fn unread(&mut self, error: &Error, missed: bool) {
        if missed {
            self.error("", error.clone(), &error.next);
        } else {
            self.put(&PASSED_OVER, "", error.message.clone());
        }
    }

    /// What another check says in its own words.
    pub fn error(&mut self, key: &str, error: Error, next: &str) {
        self.all.push(Fault {
            cluster: self.cluster.into(),
            object: self.object.into(),
            key: key.into(),
            id: error.id,
            severity: Severity::Broken,
            found: error.message,
            wanted: String::new(),
            next: next.into(),
        });
    }

    /// What has ended, has not begun, or ends soon. No life is so short that it is always due:
    /// a third of it is left then.
    pub fn validity(&mut self, key: &str, what: &str, (from, until): (Time, Time), rules: [&Rule; 3]) {
        let [begins, ended, ends] = rules;
        let at = self.against.at;
        let soon = Seconds(self.within.0.min((until - from).0 / 3));
        if at < from {
            self.put(begins, key, format!("{what}, which begins at {from}"));
        } else if at > until {
            self.put(ended, key, format!("{what}, which ended at {until}"));
        } else if until - at < soon {
            self.put(ends, key, format!("{what}, which ends at {until}"));
        }
    }
}

pub(super) fn breach(rule: &Rule, cluster: &str, object: &str, key: &str, found: String) -> Fault {
    Fault {
        cluster: cluster.into(),
        object: object.into(),
        key: key.into(),
        id: rule.id,
        severity: rule.severity,
        found,
        wanted: rule.wanted.into(),
        next: rule.next.into(),
    }
}

pub(super) const ANEW: &str = "load what `anchorite assemble` makes of the release, and nothing by hand";
const ASK: &str = "do not go on with it: ask who holds the root";
const RENEW: &str = "request the next one: ceremony/rotate-intermediate.md";

const fn rule(id: &'static str, severity: Severity, wanted: &'static str, next: &'static str) -> Rule {
    Rule { id, severity, wanted, next }
}
use Severity::{Broken, Note, Open};

#[rustfmt::skip]
pub(super) const MISSING: Rule = rule("installed.missing", Broken, "all that the consumer reads", ANEW);
#[rustfmt::skip]
pub(super) const NO_KEY: Rule = rule("installed.no-key", Note, "the private key, to be compared", "look into the Secret, or into the folder as the pod has it");
#[rustfmt::skip]
pub(super) const NO_BUNDLE: Rule = rule("installed.no-bundle", Note, "the trust bundle beside it, to be compared", "give the ConfigMap linkerd-identity-trust-roots in the same file or folder");
#[rustfmt::skip]
pub(super) const ELSEWHERE: Rule = rule("installed.place", Broken, "the place where its consumer looks: nothing reads it here", "load it with the namespace and name that `anchorite assemble` writes");
#[rustfmt::skip]
pub(super) const NOT_LOOKED_FOR: Rule = rule("installed.place", Open, "the place where its consumer looks", "see which Secret istiod has in use; load this one there, or remove it");
#[rustfmt::skip]
pub(super) const KEY_ENCRYPTED: Rule = rule("installed.key-encrypted", Note, "a key that can be compared with the certificate", "see that step-ca has its password: it reads an encrypted key");
#[rustfmt::skip]
pub(super) const PASSED_OVER: Rule = rule("installed.passed-over", Note, "a file that can be read, should a CA's consumer load it", "take it out of the folder, or give the file by itself to see what is wrong with it");
#[rustfmt::skip]
pub(super) const BASE64: Rule = rule("installed.base64", Broken, "base64 of a file", ANEW);
#[rustfmt::skip]
pub(super) const PEM: Rule = rule("installed.pem", Broken, "whole CERTIFICATE blocks and nothing else that is one", ANEW);
#[rustfmt::skip]
pub(super) const NEWLINE: Rule = rule("installed.newline", Broken, "a newline at the end: consumers put files behind one another", ANEW);
#[rustfmt::skip]
pub(super) const PRIVATE_KEY: Rule = rule("installed.private-key", Broken, "certificates, which everybody may read", "treat that key as disclosed: a new key, a new request, and the old certificate revoked");
#[rustfmt::skip]
pub(super) const GENERATED: Rule = rule("installed.istio-generated", Broken, "no such key: with it istiod takes the Secret for one of its own making", "remove that key from the Secret");
#[rustfmt::skip]
pub(super) const TLS_WINS: Rule = rule("installed.tls-wins", Broken, "either tls.crt or the names of cacerts: where both are, istiod reads tls.crt alone", "remove what is not meant from the Secret");
#[rustfmt::skip]
pub(super) const CRL_UNUSED: Rule = rule("installed.crl-unused", Open, "the names of cacerts, where CRLs are to be checked: from kubernetes.io/tls istiod reads none", "load the bundle of the profile istio with `assemble --crl`");
#[rustfmt::skip]
pub(super) const CA_CERT: Rule = rule("installed.ca-cert", Broken, "the intermediate alone", ANEW);
#[rustfmt::skip]
pub(super) const CHAIN_ORDER: Rule = rule("installed.chain-order", Broken, "the intermediate first, each followed by its issuer, none twice", ANEW);
#[rustfmt::skip]
pub(super) const CHAIN_INCOMPLETE: Rule = rule("installed.chain-incomplete", Broken, "the intermediate and all above it: peers get the chain from here", ANEW);
#[rustfmt::skip]
pub(super) const CHAIN_ROOT: Rule = rule("installed.chain-root", Broken, "a chain that ends at a root of the trust bundle", ANEW);
#[rustfmt::skip]
pub(super) const NOT_A_ROOT: Rule = rule("installed.not-a-root", Broken, "roots alone: with an intermediate in it the cluster trusts less than its peers, an island", ANEW);
#[rustfmt::skip]
pub(super) const NOT_A_CA: Rule = rule("installed.not-a-ca", Broken, "certificates of CAs alone", "request one with `anchorite request`, or load what came of it");
#[rustfmt::skip]
pub(super) const KEY_USAGE: Rule = rule("installed.key-usage", Broken, "a keyUsage with keyCertSign: without it Go and OpenSSL refuse all that this CA signs", "have the certificate signed anew: `anchorite sign` grants it always");
#[rustfmt::skip]
pub(super) const NO_KEY_USAGE: Rule = rule("installed.key-usage", Open, "a keyUsage with keyCertSign: strict verifiers refuse a CA that has none (RFC 5280 section 4.2.1.3)", "have the certificate signed anew: `anchorite sign` grants it always");
#[rustfmt::skip]
pub(super) const PATH_LENGTH: Rule = rule("installed.path-length", Broken, "room for the CAs that this consumer makes beneath it", "have it signed anew under a policy of this consumer's profile");
#[rustfmt::skip]
pub(super) const OWN_ROOT: Rule = rule("installed.root-key", Broken, "an intermediate: with the root's own key in a cluster, whoever takes over the cluster is the root", "request an intermediate with `anchorite request`, then change the root: ceremony/rotate-root.md");
#[rustfmt::skip]
pub(super) const KEY_KIND: Rule = rule("installed.key-kind", Broken, "a key of P-256, P-384 or RSA: ztunnel and others that verify with ring refuse P-521", "a new key and a request with --algorithm p256");
#[rustfmt::skip]
pub(super) const RARE_KEY: Rule = rule("installed.key-kind", Note, "a key that every peer verifies: P-256, P-384 or RSA", "try it with every kind of peer first");
#[rustfmt::skip]
pub(super) const ROOT_FIRST: Rule = rule("installed.root-first", Broken, "the root of its own chain first", ANEW);
#[rustfmt::skip]
pub(super) const ROOT_V1: Rule = rule("installed.v1-root", Broken, "a root of version 3: one of version 1 cannot say that it is a CA, and no path length holds beneath it", "begin a change of roots: ceremony/rotate-root.md");
#[rustfmt::skip]
pub(super) const ROOT: Rule = rule("installed.root", Broken, "a root whose SHA-256 was noted and given", ASK);
#[rustfmt::skip]
pub(super) const MULTI_ROOT: Rule = rule("installed.multi-root", Broken, "the bytes of the release's root-cert.pem: Istio takes any others for another bundle, or for several roots", ANEW);
#[rustfmt::skip]
pub(super) const TLS_PURPOSE: Rule = rule("installed.key-purpose", Broken, "no extKeyUsage, or both serverAuth and clientAuth: mTLS needs both sides", "have the policy changed, and the certificate signed anew");
#[rustfmt::skip]
pub(super) const URI: Rule = rule("installed.uri-constraints", Note, "no name constraints on URIs: ztunnel refuses every SPIFFE name beneath, Envoy does not", "constrain DNS names instead, where ztunnel is in use");
#[rustfmt::skip]
pub(super) const ROOT_KIND: Rule = rule("installed.linkerd-root", Broken, "a root of P-256, or of RSA with 2048 or 4096 bits, and a signature of it with SHA-256: `linkerd check` takes no other", "a root of such a key for Linkerd: ceremony/rotate-root.md");
#[rustfmt::skip]
pub(super) const LINKERD_KEY: Rule = rule("installed.linkerd-key", Broken, "a P-256 key, which is all that Linkerd takes", "a new key and a request with --algorithm p256");
#[rustfmt::skip]
pub(super) const KEY_MISMATCH: Rule = rule("installed.key-mismatch", Broken, "the key of the certificate", "load key and certificate of the same request: `anchorite assemble` compares them");
#[rustfmt::skip]
pub(super) const KEY_PARAMETERS: Rule = rule("installed.key-parameters", Broken, "the key's block first: Istio reads the first one alone", "openssl pkey -in ca-key.pem -out NEW");
#[rustfmt::skip]
pub(super) const NOT_YET: Rule = rule("installed.not-yet-valid", Broken, "a certificate that is valid", "see to the host's clock, or load the certificate that is in use");
#[rustfmt::skip]
pub(super) const EXPIRED: Rule = rule("installed.expired", Broken, "a certificate that is valid", RENEW);
#[rustfmt::skip]
pub(super) const EXPIRES: Rule = rule("installed.expires", Open, "a certificate that lasts until the next one is loaded", RENEW);
#[rustfmt::skip]
pub(super) const CRL: Rule = rule("installed.crl", Broken, "whole X509 CRL blocks", ANEW);
#[rustfmt::skip]
pub(super) const CRL_LACKING: Rule = rule("installed.crl-lacking", Broken, "a CRL of every CA in the chain: Envoy refuses everybody where one is missing", "load the fleet's set of a release made after this certificate: `assemble --crl`");
#[rustfmt::skip]
pub(super) const CRL_ROOT: Rule = rule("installed.crl-root", Open, "a CRL of every root in the trust bundle: peers beneath the one that has none are refused", "load the set of a release that holds both roots: ceremony/rotate-root.md");
#[rustfmt::skip]
pub(super) const CRL_NOT_YET: Rule = rule("installed.crl-not-yet-valid", Broken, "a CRL that is in force", "see to the host's clock");
#[rustfmt::skip]
pub(super) const CRL_EXPIRED: Rule = rule("installed.crl-expired", Broken, "a CRL that is in force: Envoy refuses everybody where one has run out", "load the set of a newer release: `anchorite crl` makes one");
#[rustfmt::skip]
pub(super) const CRL_EXPIRES: Rule = rule("installed.crl-expires", Open, "a CRL that lasts until the next one is loaded", "load the set of a newer release: `anchorite crl` makes one");
#[rustfmt::skip]
pub(super) const REVOKED: Rule = rule("installed.revoked", Broken, "a certificate that is not revoked", "ceremony/compromised-intermediate.md");
#[rustfmt::skip]
pub(super) const REHEARSAL: Rule = rule("installed.rehearsal", Open, "certificates that were not made in a rehearsal", "never use it; --rehearsal looks at it all the same");
#[rustfmt::skip]
pub(super) const ISLAND: Rule = rule("installed.island", Broken, "each other's roots in both trust bundles", "load the stage of the rollover that holds both roots: ceremony/rotate-root.md");
#[rustfmt::skip]
pub(super) const ROOTS_DIFFER: Rule = rule("installed.roots-differ", Open, "the same bytes in every cluster, but in the middle of a rollover", "load the same release's root-cert.pem everywhere");
#[rustfmt::skip]
pub(super) const CRL_PEER: Rule = rule("installed.crl-peer", Broken, "a CRL of every CA in each peer's chain: Envoy refuses a peer of which one is missing", "load the fleet's newest set everywhere before a new intermediate is used");
#[rustfmt::skip]
pub(super) const SAME_KEY: Rule = rule("installed.same-key", Broken, "a key of its own in each cluster", "a new key for each: whoever takes over one cluster has taken over the other");
#[rustfmt::skip]
pub(super) const SAME_SUBJECT: Rule = rule("installed.same-subject", Broken, "a subject of its own for each key: CRLs tell issuers apart by it", "request anew, with a CN of its own");
