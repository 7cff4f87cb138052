//! What each target begins with: good input, made with the world's keys.

use anchorite::exported;
use anchorite::journal::Head;
use anchorite::policy::{DEFAULT_REGISTER, Limits, SHIPPED};
use anchorite::x509::{CrlSpec, Digest, Name, Reason, Revocation, Seconds, Serial, SignatureAlgorithm, pem};

use data_encoding::BASE64;

use super::policy::ask;
use super::world::{self, SUBJECT_KEY, root};
use super::{files, index};

/// Target, name and bytes of each.
pub fn seeds() -> Vec<(&'static str, String, Vec<u8>)> {
    let mut seeds = vec![
        ("release", "world".into(), world::RELEASE.to_vec()),
        ("journal", "world".into(), world::JOURNAL.to_vec()),
        ("journal", "sealed".into(), world::sealed().to_vec()),
        ("history", "world".into(), world::JOURNAL.to_vec()),
        ("journal", "head".into(), Head { count: 3, hash: Digest::of(b"x") }.to_json()),
        ("plan", "world".into(), world::PLAN.to_vec()),
        ("certificate", "root".into(), root().der.clone()),
        ("certificate", "journal".into(), world::journal_certificate().to_vec()),
    ];
    let all = files::unpack(world::RELEASE);
    let east = all.iter().filter_map(|(name, bytes)| Some((name.strip_prefix(b"east/")?, *bytes)));
    seeds.push(("release", "east".into(), files::pack(east)));
    for (name, bytes) in all {
        let name = String::from_utf8_lossy(name).replace('/', "-");
        match name.as_str() {
            "SHA256SUMS.p7s" => seeds.push(("cms", name, bytes.to_vec())),
            _ if name.ends_with(".pem") => seeds.push(("pem", name, bytes.to_vec())),
            _ => {}
        }
    }
    for (part, n) in index::genuine().iter().zip(1..) {
        seeds.push(("index", format!("part-{n}"), part.packed()));
        seeds.push(("index", format!("alone-{n}"), part.bytes.clone()));
        seeds.push(("release", format!("part-{n}"), with_part(part)));
    }
    let named = |name: &str| name.replace('/', "-");
    seeds.extend(SHIPPED.iter().map(|(name, text)| ("policy", named(name), text.as_bytes().to_vec())));
    seeds.extend(requests());
    seeds.extend(away());
    seeds.extend(crls());
    seeds.extend(
        ARGUMENTS.iter().zip(1..).map(|(text, n)| ("arguments", format!("{n}"), text.as_bytes().to_vec())),
    );
    seeds
}

/// What lies elsewhere: the policies' export, and what a cluster loaded.
fn away() -> Vec<(&'static str, String, Vec<u8>)> {
    let documents = SHIPPED.iter().map(|(name, text)| ((*name).to_string(), text.as_bytes().to_vec()));
    let register = ("clusters.toml".to_string(), DEFAULT_REGISTER.as_bytes().to_vec());
    let documents = documents.chain([register]).collect();
    let (limits, policies) = (Limits::default(), world::policies());
    let export = exported::write(world::ledger(), root(), &limits, policies.register(), documents).unwrap();
    let export = export.iter().map(|(name, bytes)| (name.as_bytes(), bytes.as_slice()));
    let all = files::unpack(world::RELEASE);
    let east: Vec<_> =
        all.iter().filter_map(|(name, bytes)| Some((name.strip_prefix(b"east/")?, *bytes))).collect();
    let mut secret = String::from("apiVersion: v1\nkind: Secret\nmetadata:\n  name: cacerts\ndata:\n");
    for (name, bytes) in &east {
        let (name, value) = (String::from_utf8_lossy(name), BASE64.encode(bytes));
        secret.push_str(&format!("  {name}: {value}\n"));
    }
    vec![
        ("exported", "world".into(), files::pack(export)),
        ("installed", "east".into(), files::pack(east)),
        ("installed", "secret".into(), secret.into_bytes()),
    ]
}

/// The world's release as that of a long journal: with a part of it and the index.
fn with_part(part: &index::Part) -> Vec<u8> {
    let whole = files::unpack(world::RELEASE).into_iter();
    let others = whole.filter(|(name, _)| *name != b"journal/journal.jsonl");
    let journal = [(&b"journal/index.json"[..], &part.bytes[..]), (b"journal/journal.jsonl", &part.lines)];
    files::pack(others.chain(journal))
}

fn requests() -> Vec<(&'static str, String, Vec<u8>)> {
    let plain = ask("O=Istio,L=east,CN=root", 3, false);
    let full = ask("O=Istio,L=west,CN=root", 4, true);
    let text = pem::encode("CERTIFICATE REQUEST", &plain);
    let stick: [(&[u8], &[u8]); 8] = [
        (b"a.csr", &plain),
        (b"deep/er/b.pem", text.as_bytes()),
        (b"full.der", &full),
        (b"link.csr@", b"a.csr"),
        (b"fifo|", b""),
        (b"sparse%", b""),
        (b"twin&", b""),
        (b"note\x1b[31m\xff\n.txt", b"hello"),
    ];
    vec![
        ("stick", "world".into(), files::pack(stick)),
        ("object", "certificate-request".into(), certificate_request(&text)),
        ("object", "signing-request".into(), signing_request(&text)),
        ("object", "vault".into(), serde_json::json!({"data": {"csr": text}}).to_string().into_bytes()),
        ("object", "key".into(), SSH_KEY.into()),
        ("pem", "plain".into(), text.into_bytes()),
        ("csr", "plain".into(), plain),
        ("csr", "full".into(), full),
    ]
}

const SSH_KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOEA7LckEIOt49UIO8g3Y/u/vrax0R16mlMlOCo+Sxbt a@b";

fn certificate_request(pem: &str) -> Vec<u8> {
    let request = BASE64.encode(pem.as_bytes());
    format!(
        "apiVersion: v1\nitems:\n- apiVersion: cert-manager.io/v1\n  kind: CertificateRequest\n  metadata:\n    \
         name: mesh-ca-1\n    namespace: istio-system\n  spec:\n    duration: 1440h0m0s\n    isCA: true\n    \
         issuerRef:\n      group: cert-manager.io\n      kind: ClusterIssuer\n      name: anchorite\n    \
         request: {request}\n    usages:\n    - cert sign\n  status:\n    conditions:\n    - status: \"True\"\n      \
         type: Approved\nkind: List\n"
    )
    .into_bytes()
}

fn signing_request(pem: &str) -> Vec<u8> {
    serde_json::json!({
        "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": "east"},
        "spec": {
            "request": BASE64.encode(pem.as_bytes()), "signerName": "example.org/anchorite",
            "expirationSeconds": 5_184_000, "usages": ["cert sign", "digital signature"],
        },
    })
    .to_string()
    .into_bytes()
}

/// A cluster's own, empty, and the root's, with an entry of each form.
fn crls() -> Vec<(&'static str, String, Vec<u8>)> {
    let key = SUBJECT_KEY.public();
    let entry = |n: u8, reason, invalidity_date| Revocation {
        serial: Serial::from_bytes(&[n]).unwrap(),
        date: world::now(),
        reason,
        invalidity_date,
    };
    let spec = CrlSpec {
        signature: SignatureAlgorithm::EcdsaSha256,
        issuer: Name::parse("O=Istio,L=east,CN=root").unwrap(),
        key_id: key.key_id(),
        this_update: world::now().earlier(Seconds(300)),
        next_update: world::now() + Seconds(390 * 86_400),
        number: 7,
        entries: Vec::new(),
    };
    let by_cluster = spec.to_tbs().unwrap();
    let signature = SUBJECT_KEY.sign(by_cluster.as_der());
    let by_cluster = by_cluster.assemble(&signature).unwrap();
    let entries = vec![
        entry(1, Reason::Unspecified, None),
        entry(2, Reason::KeyCompromise, None),
        entry(3, Reason::Superseded, Some(world::now())),
        entry(4, Reason::Unspecified, Some(world::now())),
    ];
    let (issuer, key_id) = (root().subject.clone(), root().key_id.clone());
    let by_root = CrlSpec { signature: SignatureAlgorithm::Ed25519, issuer, key_id, entries, ..spec };
    let by_root = by_root.to_tbs().unwrap();
    // Not signed by the root: the fuzzer is to find its way past that, too.
    let by_root = by_root.assemble(&[7; 64]).unwrap();
    let text = pem::encode("X509 CRL", &by_cluster).into_bytes();
    vec![
        ("pem", "crl".into(), text.clone()),
        ("crl", "text".into(), text),
        ("crl", "cluster".into(), by_cluster),
        ("crl", "root".into(), by_root),
    ]
}

const ARGUMENTS: [&str; 7] = [
    "pkcs11:token=Root%20CA;object=g1;type=private;id=%00%ff?module-path=/usr/lib/x.so",
    "O=Example\\, Inc.,L=east,CN=Example Root G1",
    "2030-01-01T00:00:00Z",
    "1440h",
    "00:0a:ff",
    "rsa3072",
    "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
];
