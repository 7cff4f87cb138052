//! The cluster's own CRL, beside its request.

use anchorite::intake::{Arrival, read};
use anchorite::x509::{CrlSpec, Reason, Revocation, Seconds, Serial, SignatureAlgorithm, pem};
use rcgen::{KeyPair, SigningKey as _};

use super::Scene::Root;
use super::{Row, Run, here, inspect};
use crate::appliance::Appliance;
use crate::pki::now;

/// What `request` signed for `east`, changed, and signed with a key.
fn list(a: &Appliance, key: &KeyPair, change: fn(&mut CrlSpec)) -> Vec<u8> {
    let csr = std::fs::read(a.path("in/east.csr")).unwrap();
    let Some(Arrival::Request(request)) = read("", &csr).into_iter().next() else { panic!("no request") };
    let mut spec = CrlSpec {
        signature: SignatureAlgorithm::EcdsaSha256,
        issuer: request.subject.clone(),
        key_id: request.key_id(),
        this_update: now().earlier(Seconds(300)),
        next_update: now() + Seconds(390 * 86_400),
        number: 1,
        entries: Vec::new(),
    };
    change(&mut spec);
    let tbs = spec.to_tbs().unwrap();
    tbs.assemble(&key.sign(tbs.as_der()).unwrap()).unwrap()
}

fn easts_key(a: &Appliance) -> KeyPair {
    KeyPair::from_pem(&std::fs::read_to_string(a.path("keys/east.key")).unwrap()).unwrap()
}

/// `inspect` with a CRL that is signed by the cluster, but changed.
fn with(a: &Appliance, change: fn(&mut CrlSpec)) -> Run {
    a.write("in/east.crl", list(a, &easts_key(a), change));
    inspect(a)
}

/// `request --crl-for FILE`.
fn crl_for(a: &Appliance, file: &str, key: &str, to: &str) -> Run {
    let (file, key, to) = (a.arg(file), a.arg(key), a.arg(to));
    let args = ["request", "--crl-for", &file, "--cluster", "east", "--profile", "istio", "--key", &key];
    Run::of(&args).and(&["--to", &to])
}

pub fn rows() -> Vec<Row> {
    vec![
        here(
            "a CRL of another key",
            Root,
            |a| {
                let other = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
                a.write("in/east.crl", list(a, &other, |_| {}));
                inspect(a)
            },
            1,
            "crl.signature",
            "does not verify under this key",
        )
        .also(&[
            "crl.issuer",
            "crl.authority-key-id",
            "crl.version",
            "crl.extensions",
            "crl.entries",
            "crl.number",
            "crl.this-update",
            "crl.next-update",
            "crl.der",
        ])
        .told(
            "the cluster's own CRL is not empty, whole, signed by the request's key, and good for longer than the certificate",
            "on the cluster's side: `anchorite request --crl-for` its CSR; put the new one in its place",
        ),
        here(
            "a CRL of another name",
            Root,
            |a| with(a, |crl| crl.issuer = anchorite::x509::Name::parse("CN=west").unwrap()),
            1,
            "crl.issuer",
            "found CN=west",
        ),
        here(
            "a CRL with another key identifier",
            Root,
            |a| with(a, |crl| crl.key_id = vec![7; 20]),
            1,
            "crl.authority-key-id",
            "found 0707",
        ),
        here(
            "a CRL with an entry",
            Root,
            |a| {
                with(a, |crl| {
                    let (serial, date) = (Serial::from_bytes(&[9]).unwrap(), crl.this_update);
                    let reason = Reason::Superseded;
                    crl.entries = vec![Revocation { serial, date, reason, invalidity_date: None }];
                })
            },
            1,
            "crl.entries",
            "found 1 entries",
        ),
        here("a CRL with a huge number", Root, |a| with(a, |crl| crl.number = u64::MAX), 1, "crl.number", "2^63"),
        here(
            "a CRL from the future",
            Root,
            |a| with(a, |crl| crl.this_update = crl.this_update + Seconds(86_400)),
            1,
            "crl.this-update",
            "at the latest",
        ),
        here(
            "a CRL that has run out",
            Root,
            |a| {
                with(a, |crl| {
                    crl.this_update = crl.this_update.earlier(Seconds(7_200));
                    crl.next_update = crl.this_update + Seconds(3_600);
                })
            },
            1,
            "crl.next-update",
            "outlasts the certificate",
        ),
        here(
            "a CRL that runs out before the certificate",
            Root,
            |a| with(a, |crl| crl.next_update = crl.this_update + Seconds(60 * 86_400)),
            1,
            "crl.next-update",
            "--crl-for",
        ),
        here(
            "a byte behind a CRL",
            Root,
            |a| {
                a.write("in/east.crl", [list(a, &easts_key(a), |_| {}), vec![0]].concat());
                inspect(a)
            },
            1,
            "crl.der",
            "no CRL in strict DER",
        ),
        here(
            "two CRLs for one request",
            Root,
            |a| {
                a.write("in/newer.crl", pem::encode("X509 CRL", &list(a, &easts_key(a), |_| {})));
                inspect(a)
            },
            1,
            "crl.several",
            "east.crl and newer.crl",
        )
        .told("two CRLs came for one request", "leave the right one of them on the stick"),
        here(
            "no CRL",
            Root,
            |a| {
                std::fs::remove_file(a.path("in/east.crl")).unwrap();
                inspect(a)
            },
            0,
            "crl.pre-signed",
            "no CRL of the cluster's own comes with the request",
        )
        .told(
            "the cluster's own CRL did not come: while this certificate lives, no complete set of CRLs can be put out",
            "on the cluster's side: `anchorite request --crl-for` its CSR; it may follow later",
        ),
        here(
            "no CRL where the policy demands one",
            Root,
            |a| {
                a.edit("home/policies/istio.toml", "pre-signed = \"warn\"", "pre-signed = \"require\"");
                a.run(&["policy", "pin", "--yes", "--pin-file", &a.arg("pin")]).code(0);
                std::fs::remove_file(a.path("in/east.crl")).unwrap();
                inspect(a)
            },
            1,
            "crl.pre-signed",
            "policies/istio.toml:",
        ),
        here(
            "the CRL of a request that is not there",
            Root,
            |a| {
                a.request("west");
                std::fs::remove_file(a.path("in/west.csr")).unwrap();
                inspect(a)
            },
            0,
            "media.crl-alone",
            "L=west",
        )
        .told("a CRL came without its request, and was left alone", "put the request beside it"),
        here(
            "nothing but a CRL",
            Root,
            |a| {
                std::fs::remove_file(a.path("in/east.csr")).unwrap();
                inspect(a)
            },
            2,
            "media.empty",
            "only the CRL of O=Istio, L=east",
        ),
    ]
}

/// On the cluster's side.
pub fn clusters_rows() -> Vec<Row> {
    vec![
        here(
            "a CRL for neither request nor certificate",
            Root,
            |a| crl_for(a, "in/east.crl", "keys/east.key", "out"),
            2,
            "request.crl-for",
            "neither a request nor a CA's certificate",
        ),
        here(
            "a CRL for another's certificate",
            Root,
            |a| crl_for(a, "home/root.pem", "keys/east.key", "out"),
            1,
            "request.key-mismatch",
            "holds the key",
        )
        .also(&["request.crl-for"])
        .told("a CRL is made for a CSR or a CA certificate, by its own key", "give both of the same cluster"),
        here(
            "a CRL over a CRL",
            Root,
            |a| crl_for(a, "in/east.csr", "keys/east.key", "in"),
            2,
            "request.exists",
            "east.crl",
        ),
        here(
            "a CRL by a key that is not there",
            Root,
            |a| crl_for(a, "in/east.csr", "keys/none.key", "out"),
            2,
            "file.missing",
            "none.key",
        ),
        here(
            "a CRL by a key of a kind that no root takes",
            Root,
            |a| {
                let curve = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"];
                a.openssl(&[&["genpkey", "-out", "p521.key"], &curve[..]].concat());
                a.openssl(&[
                    "req",
                    "-new",
                    "-key",
                    "p521.key",
                    "-subj",
                    "/O=Istio/L=east/CN=x",
                    "-out",
                    "p521.csr",
                ]);
                crl_for(a, "p521.csr", "p521.key", "out")
            },
            2,
            "request.key-algorithm",
            "p521",
        ),
    ]
}
