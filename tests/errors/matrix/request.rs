//! Requests that are refused. Each defect by itself is tried in tests/defects.

use super::Scene::{Home, Released, Root};
use super::Seen::Id;
use super::{Row, Run, by, here, inspect};
use crate::appliance::Appliance;

const DEFECTS: &str = "defects.rs::every_defect_is_named_and_nothing_is_signed_for_it";

/// A finding of `inspect`, tried among the defects.
const fn defect(came: &'static str, id: &'static str) -> Row {
    by(DEFECTS, came, 1, Id(id))
}

/// `sign` without `--policy`.
fn unforced(a: &Appliance) -> Run {
    let (from, to, pin) = (a.arg("in"), a.arg("out"), a.arg("pin"));
    Run::of(&["sign", "--from", &from, "--to", &to, "--yes", "--pin-file", &pin])
}

/// OpenSSL's request for this subject with the key of `NAME.key`.
fn made(a: &Appliance, key: &str, subject: &str, file: &str) {
    if !a.path(key).exists() {
        a.openssl(&["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key]);
    }
    a.openssl(&["req", "-new", "-utf8", "-key", key, "-subj", subject, "-out", file]);
}

pub fn rows() -> Vec<Row> {
    vec![
        here("a request that is refused", Root, unforced, 1, "plan.refusals", "1 of 1 requests are refused")
            .told(
                "some requests are refused, each with the rule's name; nothing was signed",
                "have them corrected, or give `--partial`",
            ),
        here(
            "nothing but refused requests",
            Root,
            |a| unforced(a).and(&["--partial"]),
            1,
            "plan.nothing",
            "every request is refused",
        )
        .told(
            "every request is refused, or nothing of the plan may be released again",
            "the message has the reason of each: have them corrected; what is revoked or over needs a new request",
        ),
        here(
            "a cluster that is not registered",
            Root,
            unforced,
            1,
            "register.unknown-cluster",
            "clusters.toml",
        )
        .told(
            "nobody said which policy this cluster has",
            "register it and `policy pin`, or give `--policy`",
        ),
        here(
            "a policy that the register does not give it",
            Root,
            |a| {
                a.edit("home/clusters.toml", "", "[clusters.east]\npolicy = \"issuing-ca\"\n");
                a.run(&["policy", "pin", "--yes", "--pin-file", &a.arg("pin")]).code(0);
                inspect(a)
            },
            1,
            "register.policy",
            "may only agree",
        ),
        defect("a signature that does not verify", "possession.signature").also(&["possession.algorithm"]).told(
            "the request was changed, made without the private key, or signed by a weak algorithm (SHA-1)",
            "have its sender make it again; compare the digest's words with them",
        ),
        defect("a signature by a weak or unfit algorithm", "possession.algorithm"),
        defect("no strict DER", "csr.der").also(&["csr.pem", "csr.encoding", "csr.size", "csr.count"]).told(
            "the request is damaged, BER, of another version, in UTF-16, or too large",
            "copy it again as a file; if that is not it, make it again with another tool",
        ),
        defect("a certificate where a request belongs", "csr.kind"),
        defect("no request at all", "media.not-a-request"),
        defect("wishes that contradict each other or cannot be read", "csr.extension")
            .also(&["csr.extension-request", "csr.extension-twice", "csr.attribute", "extension.critical"])
            .told(
                "it asks for an extension twice, in a form that cannot be read, or as critical and unknown",
                "have it made again without",
            ),
        defect("a challenge password", "csr.challenge-password"),
        defect("a key that cannot be read", "key.encoding")
            .also(&["key.unsupported", "key.algorithm", "key.curve", "key.ec-point", "key.rsa-modulus"])
            .told(
                "the key is of another kind than the policy takes, or no sound one of it (`key.` and what is wrong)",
                "a new key, P-256, made by another tool",
            ),
        defect("a weak RSA key", "key.rsa-modulus"),
        defect("a subject without a cluster", "cluster.id").also(&["cluster.reserved", "subject.fixed"]).told(
            "the subject has not exactly one `L`, a DNS label, or is not as the policy wants it (`subject.` and what is wrong)",
            "`anchorite request` writes it rightly",
        ),
        defect("a subject that is not the policy's", "subject.fixed"),
        defect("the root's name", "subject.issuer").also(&["subject.rehearsal"]),
        here(
            "the same request in two files",
            Root,
            |a| {
                std::fs::copy(a.path("in/east.csr"), a.path("in/zoo.csr")).unwrap();
                inspect(a)
            },
            1,
            "batch.duplicate",
            "east.csr",
        )
        .also(&["batch.cluster-twice"])
        .told("a request came twice, or two of one cluster, of which none is signed", "leave one of them on the stick"),
        here(
            "two requests of one cluster",
            Root,
            |a| {
                made(a, "other.key", "/O=Istio/L=east/CN=other", "in/zoo.csr");
                inspect(a)
            },
            1,
            "batch.cluster-twice",
            "east.csr",
        ),
        here(
            "one key for two clusters",
            Root,
            |a| {
                made(a, "keys/east.key", "/O=Istio/L=zoo/CN=zoo", "in/zoo.csr");
                inspect(a)
            },
            1,
            "key.one-subject",
            "east.csr",
        ),
        here(
            "a key that is certified already",
            Released,
            |a| {
                made(a, "keys/east.key", &subject(a), "in/east.csr");
                inspect(a)
            },
            1,
            "renewal.same-key",
            "a new key",
        )
        .also(&["renewal.same-subject"])
        .told(
            "this key, or this subject with another key, is certified already",
            "a new key and a new CN (a date, a number); or allow it in the policy's `[renewal]`",
        ),
        here(
            "a subject that is certified already",
            Released,
            |a| {
                made(a, "new.key", &subject(a), "in/east.csr");
                inspect(a)
            },
            1,
            "renewal.same-subject",
            "another key",
        ),
        by(
            "bundles/refused.rs::a_root_that_linkerd_would_not_take_is_refused_before_the_ceremony",
            "a root that the policy's consumer does not take",
            1,
            Id("issuer.consumer"),
        )
        .also(&["issuer.signature"])
        .told(
            "the policy's consumer would not take a chain of this root's",
            "a root of another kind (P-256, RSA of 4096 bits): `anchorite root rollover` where there is a fleet already",
        ),
        here(
            "more CAs than the root may have beneath it",
            Home,
            |a| {
                a.create_root("p256", &["--path-len", "1"]).code(0);
                Run::of(&["inspect", "--policy", "issuing-ca", &a.arg("in")])
            },
            1,
            "path-length.issuer",
            "less than the root's 1",
        ),
        here(
            "a root that ran out",
            Root,
            |a| inspect(a).through(&["faketime", "21 years"]),
            1,
            "validity.expired",
            "an end after",
        ),
        here(
            "a policy that does not exist",
            Root,
            |a| Run::of(&["inspect", "--policy", "isti", &a.arg("in")]),
            2,
            "policy.no-such",
            "did you mean 'istio'?",
        ),
    ]
}

/// The subject of east's certificate, as OpenSSL's command line takes it.
fn subject(a: &Appliance) -> String {
    let certificate = a.release().join("east/ca-cert.pem");
    let show = ["x509", "-noout", "-subject", "-nameopt", "compat", "-in", certificate.to_str().unwrap()];
    let shown = crate::support::run(a.dir.path(), "openssl", &show).stdout;
    String::from_utf8(shown).unwrap().trim().strip_prefix("subject=").unwrap().trim().to_string()
}
