//! A folder whose consumer's files are anything else than what its certificates make of them
//! is refused, whatever its consumer itself would have taken.

use std::collections::BTreeMap;

use anchorite::cluster::{AssembleOptions, Joined, PrivateKey, assemble};
use anchorite::error::{Kind, Result};
use anchorite::release::{self, Consumer, Object};
use anchorite::x509::{Digest, Seconds, pem};
use data_encoding::BASE64;

use serde_json::{Value, json};

use super::kubectl::Kubectl;
use crate::pki::{Lenient, Pki, cluster_folder, now};
use crate::support::run;

const NAME: &str = "anchorite-2026-11-22-0001";

type Folder = BTreeMap<String, Vec<u8>>;

fn pki() -> Pki {
    let pki = Pki::new("Example Root G1");
    pki.issue("east", "intermediate", "root", "/O=Istio/L=east/CN=east-1");
    pki
}

fn folder(pki: &Pki, consumer: Consumer, object: Option<&Object>) -> Folder {
    cluster_folder(&pki.release_for(NAME, "east", consumer, object, &[]), "east")
}

fn ids(folder: &Folder, noted: &[Digest]) -> Vec<&'static str> {
    let report = release::check_cluster(folder, noted, false, now(), &Lenient);
    assert!(report.errors.iter().all(|e| e.kind == Kind::Integrity));
    report.errors.iter().map(|e| e.id).collect()
}

fn joined(pki: &Pki, consumer: Consumer, key: &str, noted: &[Digest]) -> Result<Joined> {
    let key = PrivateKey::from_pem(&std::fs::read(pki.path().join(key)).unwrap()).unwrap();
    // Later than it was signed, in however short a time that was.
    let at = now() + Seconds(1);
    let options = AssembleOptions { noted, allow_rehearsal: false, at, crls: &[], trust: None, secret: None };
    assemble(&folder(pki, consumer, None), &key, &options, &Lenient)
}

fn request(namespace: &str) -> Object {
    let kind = "CertificateRequest".into();
    let request = Some(asked("it"));
    Object { kind, namespace: Some(namespace.into()), name: "mesh-ca-1".into(), request, ready: None }
}

/// `spec.request` of somebody's.
fn asked(whose: &str) -> String {
    BASE64.encode(whose.as_bytes())
}

#[test]
fn each_byte_of_each_consumers_files_counts() {
    let pki = pki();
    let noted = [pki.root_sha256()];
    for consumer in Consumer::ALL {
        let good = folder(&pki, consumer, None);
        assert_eq!(ids(&good, &noted), [""; 0], "{consumer}");
        let common = ["ca-cert.pem", "cert-chain.pem", "root-cert.pem", "receipt.toml"];
        let own: Vec<_> = good.keys().filter(|name| !common.contains(&name.as_str())).collect();
        assert_eq!(own.len(), consumer.terms().files.len());
        for name in own {
            for at in (0..good[name].len()).step_by(29) {
                let mut folder = good.clone();
                folder.get_mut(name).unwrap()[at] ^= 1;
                assert_eq!(ids(&folder, &noted), ["release.consumer"], "{consumer}: byte {at} of {name}");
            }
            let mut folder = good.clone();
            folder.remove(name);
            assert_eq!(ids(&folder, &noted), ["release.missing"], "{consumer} without {name}");
        }
        // What another consumer is given does not belong here.
        for (strange, bytes) in [("tls.crt", &b"x"[..]), ("istio-generated", b""), ("ca-key.pem", b"x")] {
            let mut folder = good.clone();
            folder.insert(strange.into(), bytes.to_vec());
            assert_eq!(ids(&folder, &noted), ["release.extra"], "{consumer} with {strange}");
        }
    }
}

/// What kills a mesh or leaves an island, in the form that its consumer takes.
#[test]
fn what_consumers_take_and_suffer_from_is_refused() {
    let (pki, other) = (pki(), Pki::new("Example Root G2"));
    let noted = [pki.root_sha256(), other.root_sha256()];
    let base64 = |names: &[&str], of: &Pki| -> String {
        let all: String = names.iter().map(|name| pem::certificate(&of.der(name))).collect();
        BASE64.encode(all.as_bytes())
    };
    let (own, with_root) = (base64(&["east"], &pki), base64(&["east", "root"], &pki));
    let no_newline = {
        let text = pem::certificate(&pki.der("east"));
        BASE64.encode(text.trim_end().as_bytes())
    };
    let root_of = |which: &Pki| BASE64.encode(pem::certificate(&which.der("root")).as_bytes());
    let cases: [(&str, Consumer, &str, String, String); 8] = [
        (
            "the root among the chain",
            Consumer::CertManagerRequest,
            "status-patch.json",
            own.clone(),
            with_root.clone(),
        ),
        ("the root among the chain", Consumer::KubernetesCsr, "status-patch.json", own.clone(), with_root),
        (
            "another condition",
            Consumer::CertManagerRequest,
            "status-patch.json",
            "/status/conditions/-".into(),
            "/status/conditions".into(),
        ),
        ("no newline at the end", Consumer::IstioTls, "secret-patch.yaml", own.clone(), no_newline),
        ("another root", Consumer::Istio, "secret-patch.yaml", root_of(&pki), root_of(&other)),
        ("the intermediate as ca.crt", Consumer::CertManagerIssuer, "secret-patch.yaml", root_of(&pki), own),
        (
            "both forms in one Secret",
            Consumer::Istio,
            "secret-patch.yaml",
            "data:\n".into(),
            "data:\n  tls.crt: eA==\n".into(),
        ),
        (
            "a key that istiod takes for its own",
            Consumer::Istio,
            "secret-patch.yaml",
            "data:\n".into(),
            "data:\n  istio-generated: \"\"\n".into(),
        ),
    ];
    for (defect, consumer, file, from, to) in cases {
        let mut folder = folder(&pki, consumer, None);
        let text = String::from_utf8(folder[file].clone()).unwrap();
        assert!(text.contains(&from), "{defect}: {text}");
        folder.insert(file.into(), text.replacen(&from, &to, 1).into_bytes());
        assert_eq!(ids(&folder, &noted), ["release.consumer"], "{defect}");
    }
}

/// cert-manager hands down the first certificate of ca.crt: in a change of roots, its own.
#[test]
fn its_own_root_comes_first_where_the_first_alone_is_read() {
    let (pki, other) = (pki(), Pki::new("Example Root G2"));
    let (own, second) = (pem::certificate(&pki.der("root")), pem::certificate(&other.der("root")));
    let both = BASE64.encode((own + &second).as_bytes());
    for (consumer, file) in [
        (Consumer::CertManagerIssuer, "secret-patch.yaml"),
        (Consumer::CertManagerRequest, "status-patch.json"),
    ] {
        let files = pki.release_for(NAME, "east", consumer, None, &[other.der("root")]);
        let text = String::from_utf8(files[&format!("east/{file}")].clone()).unwrap();
        assert!(text.contains(&both), "{consumer}: {text}");
    }
}

#[test]
fn a_patch_answers_the_object_that_its_request_came_in_and_no_other() {
    let (pki, kubectl) = (pki(), Kubectl::new());
    let noted = [pki.root_sha256()];
    let object = request("shop");
    let files = pki.release_for(NAME, "east", Consumer::CertManagerRequest, Some(&object), &[]);
    let readme = String::from_utf8(files["README.txt"].clone()).unwrap();
    let line = "kubectl patch certificaterequest mesh-ca-1 -n shop --subresource=status --type=json --patch-file east/status-patch.json\n";
    assert!(readme.contains(line), "{readme}");
    let good = cluster_folder(&files, "east");
    assert_eq!(ids(&good, &noted), [""; 0]);
    let patch = pki.path().join("status-patch.json");
    std::fs::write(&patch, &good["status-patch.json"]).unwrap();
    let answer = |name: &str, namespace: &str| {
        kubectl.answer("cert-manager.io/v1", "CertificateRequest", name, Some(namespace), true, &patch)
    };
    answer("mesh-ca-1", "shop").unwrap();
    for (name, namespace) in [("mesh-ca-2", "shop"), ("mesh-ca-1", "bank")] {
        assert!(answer(name, namespace).unwrap_err().contains("test failed"));
    }
    // One of the same name that was made anew asks with another request.
    let other = json!({
        "apiVersion": "cert-manager.io/v1", "kind": "CertificateRequest",
        "metadata": {"name": "mesh-ca-1", "namespace": "shop"}, "spec": {"request": asked("another")},
        "status": {"conditions": [{"type": "Approved", "status": "True"}]},
    });
    assert!(kubectl.answer_to(&other, &patch).unwrap_err().contains("test failed"));
    // Neither the receipt nor the patch can be turned to another object alone.
    let mut folder = good.clone();
    let receipt = String::from_utf8(folder["receipt.toml"].clone()).unwrap().replace("\"shop\"", "\"bank\"");
    folder.insert("receipt.toml".into(), receipt.clone().into_bytes());
    assert_eq!(ids(&folder, &noted), ["release.consumer"]);
    let steering = receipt.replace("\"bank\"", "\"$(reboot)\"");
    folder.insert("receipt.toml".into(), steering.into_bytes());
    assert_eq!(ids(&folder, &noted), ["release.object"]);
    for (whose, id) in [(asked("another"), "release.consumer"), ("no base64".into(), "release.object")] {
        let receipt = String::from_utf8(good["receipt.toml"].clone()).unwrap().replace(&asked("it"), &whose);
        folder.insert("receipt.toml".into(), receipt.into_bytes());
        assert_eq!(ids(&folder, &noted), [id]);
    }
}

/// cert-manager writes Ready=False beside Approved: the answer takes its place, and that of no
/// other condition.
#[test]
fn a_patch_takes_the_place_of_the_ready_condition_that_was_there() {
    let (pki, kubectl) = (pki(), Kubectl::new());
    let pending = json!({"type": "Ready", "status": "False", "reason": "Pending"});
    let approved = json!({"type": "Approved", "status": "True", "reason": "cert-manager.io"});
    let patch = pki.path().join("status-patch.json");
    for (conditions, ready, types) in [
        (vec![&approved, &pending], Some(1), ["Approved", "Ready"]),
        (vec![&pending, &approved], Some(0), ["Ready", "Approved"]),
        (vec![&approved], None, ["Approved", "Ready"]),
    ] {
        let object = Object { ready, ..request("shop") };
        let files = pki.release_for(NAME, "east", Consumer::CertManagerRequest, Some(&object), &[]);
        let good = cluster_folder(&files, "east");
        assert_eq!(ids(&good, &[pki.root_sha256()]), [""; 0]);
        std::fs::write(&patch, &good["status-patch.json"]).unwrap();
        let waiting = |conditions: &[&Value]| {
            json!({
                "apiVersion": "cert-manager.io/v1", "kind": "CertificateRequest",
                "metadata": {"name": "mesh-ca-1", "namespace": "shop"}, "spec": {"request": asked("it")},
                "status": {"conditions": conditions},
            })
        };
        let answered = kubectl.answer_to(&waiting(&conditions), &patch).unwrap();
        let conditions = answered["status"]["conditions"].as_array().unwrap();
        let found: Vec<_> = conditions.iter().map(|c| c["type"].as_str().unwrap()).collect();
        assert_eq!(found, types);
        assert!(conditions.iter().all(|condition| condition["status"] == "True"), "{answered}");
        // Where it stands elsewhere by now, none is overwritten.
        if let Some(at) = ready {
            let others = if at == 1 { [&pending, &approved] } else { [&approved, &pending] };
            assert!(kubectl.answer_to(&waiting(&others), &patch).unwrap_err().contains("test failed"));
        }
    }
}

/// An unencrypted key alone, in a form that istiod reads: no `EC PARAMETERS` before it.
#[test]
fn a_key_is_written_in_the_form_that_its_consumer_reads() {
    let pki = pki();
    let noted = [pki.root_sha256()];
    pki.openssl("ecparam -name prime256v1 -genkey -out dressed.key", &[]);
    pki.openssl(
        "req -new -config openssl.cnf -key dressed.key -out east.csr -subj",
        &["/O=Istio/L=east/CN=east-2"],
    );
    pki.sign("east", "intermediate", "root");
    assert!(std::fs::read_to_string(pki.path().join("dressed.key")).unwrap().contains("EC PARAMETERS"));
    for consumer in Consumer::ALL.into_iter().filter(|consumer| consumer.terms().assembled.is_ok()) {
        let made = joined(&pki, consumer, "dressed.key", &noted).unwrap();
        let key = consumer.terms().assembled.as_ref().unwrap().key;
        let key = made.files.iter().find(|file| file.name == key).unwrap();
        let text = str::from_utf8(&key.bytes).unwrap();
        assert!(key.secret && text.starts_with("-----BEGIN EC PRIVATE KEY-----\n"), "{consumer}: {text}");
        // 60 days less the seconds since.
        let warns = matches!(consumer, Consumer::Linkerd | Consumer::GlooMesh);
        assert_eq!(made.warning.is_some(), warns, "{consumer}");
        assert!(made.warning.is_none_or(|warning| warning.starts_with("59 days are left")));
    }
}

#[test]
fn linkerd_takes_one_kind_of_key() {
    let pki = pki();
    let noted = [pki.root_sha256()];
    pki.openssl("ecparam -name secp384r1 -genkey -noout -out east.key", &[]);
    pki.openssl(
        "req -new -config openssl.cnf -key east.key -out east.csr -subj",
        &["/O=Istio/L=east/CN=east-2"],
    );
    pki.sign("east", "intermediate", "root");
    assert!(joined(&pki, Consumer::Istio, "east.key", &noted).is_ok());
    let error = joined(&pki, Consumer::Linkerd, "east.key", &noted).unwrap_err();
    assert_eq!((error.kind, error.id), (Kind::Refused, "assemble.key-kind"), "{error}");
    run(pki.path(), "openssl", &["verify", "-CAfile", "root.pem", "east.pem"]);
}
