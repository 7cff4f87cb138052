//! Requests in other tools' documents, and their senders' signatures.

use super::Scene::{Released, Root};
use super::{Row, Run, here, inspect};
use crate::appliance::Appliance;
use crate::objects::made::{base64, in_cert_manager, in_kubernetes, kubectl_list, sign, ssh_key};

fn csr(a: &Appliance) -> String {
    std::fs::read_to_string(a.path("in/east.csr")).unwrap()
}

/// The request of `east` lies in this object on the stick.
fn object(a: &Appliance, change: impl FnOnce(String) -> String) -> Run {
    let yaml = change(in_cert_manager(&csr(a), "east"));
    std::fs::remove_file(a.path("in/east.csr")).unwrap();
    a.write("in/east.yaml", yaml);
    inspect(a)
}

fn replaced(a: &Appliance, from: &str, to: &str) -> Run {
    object(a, |yaml| {
        assert!(yaml.contains(from), "{yaml}");
        yaml.replacen(from, to, 1)
    })
}

fn registered(a: &Appliance, more: &str) {
    a.write("home/clusters.toml", format!("[clusters.east]\npolicy = \"istio\"\n{more}\n"));
    a.run(&["policy", "pin", "--yes", "--pin-file", &a.arg("pin")]).code(0);
}

/// Only the sender of this name is registered; this one signs.
fn sent(a: &Appliance, registered_sender: &str, by: &str) -> Run {
    for name in ["ops", "stranger"] {
        ssh_key(a, name, &["-t", "ed25519"]);
    }
    let key = std::fs::read_to_string(a.path(&format!("{registered_sender}.pub"))).unwrap();
    registered(a, &format!("sender = [\"{}\"]", key.trim()));
    if !by.is_empty() {
        sign(a, by, "in/east.csr");
    }
    inspect(a)
}

/// Two objects in one list, with these keys and subjects.
fn two(a: &Appliance, keys: [&str; 2], subjects: [&str; 2]) -> Run {
    a.openssl(&["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "o.key"]);
    let made = |key: &str, subject: &str| {
        a.openssl(&["req", "-new", "-key", key, "-subj", subject, "-out", "made.csr"]);
        std::fs::read_to_string(a.path("made.csr")).unwrap()
    };
    let (first, second) = (made(keys[0], subjects[0]), made(keys[1], subjects[1]));
    a.write(
        "in/east.yaml",
        kubectl_list(&[&in_cert_manager(&first, "east"), &in_kubernetes(&second, "other")]),
    );
    for left in ["in/east.csr", "in/east.crl"] {
        std::fs::remove_file(a.path(left)).unwrap();
    }
    inspect(a)
}

pub fn rows() -> Vec<Row> {
    vec![
        here(
            "a key twice in one mapping",
            Root,
            |a| replaced(a, "  isCA: true\n", "  isCA: true\n  isCA: false\n"),
            1,
            "document.duplicate-key",
            "document 1, line 45: the key 'isCA' for the second time",
        )
        .also(&["document.syntax", "document.bounds", "document.encoding"])
        .told(
            "the YAML or JSON cannot be read whole and in one way: a key twice, an alias, too deep, too much, PEM beside it, no UTF-8",
            "export it again with `kubectl get KIND NAME -o yaml`, and leave it as it is",
        ),
        here(
            "an alias bomb",
            Root,
            |a| {
                let bomb = |of: &str| format!("[{}]", vec![format!("*{of}"); 9].join(","));
                let bombs = format!("a: &a [x]\nb: &b {}\nc: &c {}\n", bomb("a"), bomb("b"));
                object(a, |yaml| format!("{yaml}{bombs}"))
            },
            1,
            "document.bounds",
            "an alias ('*')",
        ),
        here("YAML that is cut", Root, |a| object(a, |yaml| format!("{yaml}x: [1,")), 1, "document.syntax", "line"),
        here(
            "PEM and an object in one file",
            Root,
            |a| {
                let pem = csr(a);
                object(a, |yaml| format!("{pem}---\n{yaml}"))
            },
            1,
            "document.syntax",
            "PEM blocks and objects in one file",
        ),
        here(
            "an object that begins as JSON and is none",
            Root,
            |a| object(a, |_| "{kind: CertificateRequest, apiVersion: cert-manager.io/v1}".into()),
            1,
            "document.syntax",
            "document 1, line 1",
        ),
        here(
            "more keys than a mapping of an object has",
            Root,
            |a| object(a, |yaml| (0..2000).fold(yaml, |yaml, n| format!("{yaml}k{n}: a\n"))),
            1,
            "document.bounds",
            "more keys in one mapping",
        ),
        here(
            "YAML in Latin-1",
            Root,
            |a| {
                let run = object(a, |yaml| yaml);
                let mut bytes = std::fs::read(a.path("in/east.yaml")).unwrap();
                bytes.extend(b"# caf\xe9\n");
                a.write("in/east.yaml", bytes);
                run
            },
            1,
            "document.encoding",
            "no UTF-8",
        ),
        here(
            "an object of another kind",
            Root,
            |a| replaced(a, "kind: CertificateRequest", "kind: Certificate"),
            1,
            "object.kind",
            "found Certificate, want a CertificateRequest",
        )
        .also(&["object.api-version"])
        .told(
            "an object that is no `CertificateRequest` or `CertificateSigningRequest`, or one of another version",
            "only cert-manager.io/v1 and certificates.k8s.io/v1 are read; leave other objects in the cluster",
        ),
        here(
            "an unknown apiVersion",
            Root,
            |a| replaced(a, "apiVersion: cert-manager.io/v1\nkind", "apiVersion: cert-manager.io/v1alpha2\nkind"),
            1,
            "object.api-version",
            "found cert-manager.io/v1alpha2, want cert-manager.io/v1",
        ),
        here(
            "a field of another type",
            Root,
            |a| replaced(a, "isCA: true", "isCA: yes"),
            1,
            "object.field",
            "spec.isCA: found \"yes\", want true or false",
        )
        .told(
            "a field of the object is missing, misspelt or of another type; its place, and what was wanted, stand there",
            "correct it where the object was made, and export it again",
        ),
        here(
            "a duration that Go does not know",
            Root,
            |a| replaced(a, "1440h0m0s", "60d"),
            1,
            "object.field",
            "spec.duration: found \"60d\"",
        ),
        here(
            "an unknown usage in the second of two documents",
            Root,
            |a| {
                let other = in_kubernetes(&csr(a), "other").replace("cert sign", "certsign");
                object(a, |yaml| kubectl_list(&[&yaml, &other]))
            },
            1,
            "object.field",
            "east.yaml#2",
        ),
        here(
            "base64 of the wrong thing",
            Root,
            |a| {
                let (pem, other) = (base64(&csr(a)), base64("hello"));
                replaced(a, &pem, &other)
            },
            1,
            "object.request",
            "spec.request: found neither PEM nor DER",
        )
        .told(
            "the field that is to hold the request holds something else",
            "one certification request: in Kubernetes' objects the base64 of its PEM, once",
        ),
        here(
            "a certificate where a CSR belongs",
            Root,
            |a| {
                let pem = base64(&std::fs::read_to_string(a.path("home/root.pem")).unwrap());
                let csr = base64(&csr(a));
                replaced(a, &csr, &pem)
            },
            1,
            "csr.kind",
            "spec.request: a certificate, where",
        ),
        here(
            "isCA: false",
            Root,
            |a| replaced(a, "isCA: true", "isCA: false"),
            1,
            "object.is-ca",
            "set `isCA: true` in the Certificate",
        )
        .told(
            "the object asks for a workload's certificate: `isCA` is false, or was left out",
            "set `isCA: true` in the Certificate; for a workload's certificate ask an issuer below",
        ),
        here(
            "a duration beyond the maximum",
            Root,
            |a| replaced(a, "1440h0m0s", "7201h"),
            1,
            "validity.maximum",
            "want at most 300d (7200h)",
        )
        .told(
            "it asks for more time than the policy grants",
            "shorten `duration` or `expirationSeconds`, or raise `maximum` and `policy pin`",
        ),
        here(
            "usages that cannot be met",
            Root,
            |a| {
                let policy = std::fs::read_to_string(a.path("home/policies/istio.toml")).unwrap();
                a.write("home/policies/istio.toml", policy.replace("usages = \"narrow\"", "usages = \"refuse\""));
                a.run(&["policy", "pin", "--yes", "--pin-file", &a.arg("pin")]).code(0);
                replaced(a, "  - crl sign\n", "  - code signing\n")
            },
            1,
            "claim.usages",
            "spec.usages: cert sign, code signing",
        )
        .told(
            "it lists usages that the policy does not grant, and the policy refuses what it cannot meet",
            "list `cert sign` and `crl sign`; or set `usages = \"narrow\"` in the policy's `[claims]`",
        ),
        here(
            "an object that says something else than its request",
            Root,
            |a| {
                let leaf = ["req", "-new", "-key", "keys/east.key", "-subj", "/O=Istio/L=east/CN=x"];
                let more = ["-addext", "basicConstraints=critical,CA:false", "-out", "in/east.csr"];
                a.openssl(&[&leaf[..], &more[..]].concat());
                object(a, |yaml| yaml)
            },
            1,
            "object.contradiction",
            "spec.isCA: true, and the request's basicConstraints say false",
        )
        .told(
            "the request asks for something else than the object around it, which is what was approved",
            "have both made anew by one tool",
        ),
        here(
            "an object that was denied",
            Root,
            |a| replaced(a, "type: Approved\n  - last", "type: Denied\n  - last"),
            1,
            "object.approval",
            "denied or failed",
        )
        .told(
            "it was denied, has failed, is being deleted, or was answered in its cluster already",
            "have it asked for anew",
        ),
        here(
            "an object whose request has failed by its condition Ready",
            Root,
            |a| replaced(a, "reason: Pending", "reason: Failed"),
            1,
            "object.approval",
            "its condition Ready",
        ),
        here(
            "an object from another namespace",
            Root,
            |a| {
                registered(a, "namespace = \"other\"");
                object(a, |yaml| yaml)
            },
            1,
            "register.namespace",
            "found istio-system, want other",
        )
        .also(&["register.name", "register.issuer", "register.signer-name"])
        .told(
            "the register binds this cluster to another object, or to one at all",
            "ask who made it; if that is right, correct `clusters.toml` and `policy pin`",
        ),
        here(
            "two objects in a list with one subject and two keys",
            Root,
            |a| two(a, ["keys/east.key", "o.key"], ["/O=Istio/L=east/CN=x", "/O=Istio/L=east/CN=x"]),
            1,
            "renewal.same-subject",
            "east.yaml#2",
        ),
        here(
            "two clusters' objects in a list with one key",
            Root,
            |a| two(a, ["o.key", "o.key"], ["/O=Istio/L=east/CN=x", "/O=Istio/L=west/CN=x"]),
            1,
            "key.one-subject",
            "east.yaml#2",
        ),
        here(
            "a cluster that asks twice in a list",
            Root,
            |a| two(a, ["keys/east.key", "o.key"], ["/O=Istio/L=east/CN=x", "/O=Istio/L=east/CN=y"]),
            1,
            "batch.cluster-twice",
            "east.yaml#2",
        ),
        here(
            "a cluster that asks again with the same key",
            Released,
            |a| {
                let certificate = a.release().join("east/ca-cert.pem");
                let made = ["x509", "-x509toreq", "-signkey", "keys/east.key", "-out", "in/east.csr", "-in"];
                a.openssl(&[&made[..], &[certificate.to_str().unwrap()]].concat());
                object(a, |yaml| yaml)
            },
            1,
            "renewal.same-key",
            "a new key",
        ),
        here("a stranger's signature", Root, |a| sent(a, "ops", "stranger"), 1, "register.sender", "ssh-ed25519 SHA256:")
            .told(
                "the request is signed by nobody, or not by a sender whom the register names for this cluster",
                "ask by another way who sent it; `ssh-keygen -Y sign -n anchorite-request -f KEY FILE`",
            ),
        here("no signature at all", Root, |a| sent(a, "ops", ""), 1, "register.sender", "no signature"),
        here(
            "a file that was changed after it was signed",
            Root,
            |a| {
                let run = sent(a, "ops", "ops");
                a.write("in/east.csr", format!("{}\n", csr(a)));
                run
            },
            1,
            "sender.signature",
            "it does not fit the file",
        )
        .told(
            "what lies beside the request as its signature is none, is not alone in its file, was made over another file, or for another purpose",
            "have the sender sign the very file that lies on the stick",
        ),
        here(
            "nonsense in the place of a signature",
            Root,
            |a| {
                a.write("in/east.csr.sig", "nonsense");
                inspect(a)
            },
            1,
            "sender.signature",
            "not one SSH signature",
        ),
        here(
            "a signature for another purpose",
            Root,
            |a| {
                let run = sent(a, "ops", "");
                let args = ["-q", "-Y", "sign", "-n", "file", "-f", "ops", "in/east.csr"];
                crate::support::run(a.dir.path(), "ssh-keygen", &args);
                run
            },
            1,
            "sender.signature",
            "made for 'file'",
        ),
        here(
            "CFSSL's request and key in one file",
            Root,
            |a| {
                let key = std::fs::read_to_string(a.path("keys/east.key")).unwrap();
                a.write("in/east.json", serde_json::json!({"csr": csr(a), "key": key}).to_string());
                inspect(a)
            },
            1,
            "media.private-key",
            "jq -r .csr",
        ),
    ]
}
