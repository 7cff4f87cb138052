//! Linkerd, ConfigMaps, and what is no installation at all.

use serde_json::json;

use super::dress::{config_map, folder, list, secret, write, yaml};
use super::{FLEET, Files, finds, root, verify};
use crate::pki::Pki;

fn issuer() -> Files {
    let file = |name: &str| FLEET.east[name].clone();
    Files::from([("tls.crt".into(), file("ca-cert.pem")), ("tls.key".into(), file("ca-key.pem"))])
}

#[test]
fn linkerds_two_objects_belong_together() {
    let dir = tempfile::tempdir().unwrap();
    let mut files = issuer();
    let issuer = secret("linkerd-identity-issuer", "kubernetes.io/tls", &files);
    let roots = |bytes: &[u8]| {
        config_map("linkerd-identity-trust-roots", &Files::from([("ca-bundle.crt".into(), bytes.to_vec())]))
    };
    let good = roots(&FLEET.east["root-cert.pem"]);
    let path = write(&dir.path().join("list.json"), list(&[issuer.clone(), good.clone()]));
    finds("both", &verify(&[path], &root(), &[]), 0, &[]);
    let path = write(&dir.path().join("two.yaml"), format!("{}---\n{}", yaml(&issuer), yaml(&good)));
    let ran = verify(&[path], &root(), &[]);
    finds("both in YAML", &ran, 0, &[]);
    assert_eq!(ran.json()["clusters"][0]["objects"][0]["form"], "linkerd");
    let path = write(&dir.path().join("issuer.yaml"), yaml(&issuer));
    finds("no bundle", &verify(&[path], &root(), &[]), 0, &["installed.no-bundle"]);
    let island = roots(&FLEET.east["ca-cert.pem"]);
    let path = write(&dir.path().join("island.json"), list(&[issuer, island]));
    finds("an island", &verify(&[path], &root(), &[]), 4, &["installed.not-a-root", "installed.chain-root"]);
    // cert-manager adds a ca.crt, which proxies do not read.
    files.insert("ca.crt".into(), FLEET.east["root-cert.pem"].clone());
    let with = secret("linkerd-identity-issuer", "kubernetes.io/tls", &files);
    let path = write(&dir.path().join("with.json"), list(&[with.clone(), good]));
    finds("with ca.crt", &verify(&[path], &root(), &[]), 0, &[]);
    let path = write(&dir.path().join("with-island.json"), list(&[with, roots(&FLEET.west["ca-cert.pem"])]));
    let island = ["installed.not-a-root", "installed.chain-root"];
    finds("an island all the same", &verify(&[path], &root(), &[]), 4, &island);
    // Linkerd warns below 60 days, which is all that this one has.
    let at = (crate::pki::now() + anchorite::x509::Seconds::parse("41d").unwrap()).to_string();
    let path = dir.path().join("list.json");
    let ran = verify(&[path], &root(), &["--at", &at, "--within", "1d"]);
    finds("Linkerd's own bound", &ran, 1, &["installed.expires"]);
}

/// SPIRE and step-ca read files by names of their own.
#[test]
fn other_consumers_files_are_known() {
    let dir = tempfile::tempdir().unwrap();
    for (form, [chain, key, roots]) in [
        ("spire", ["upstream.pem", "upstream.key", "bundle.pem"]),
        ("step-ca", ["intermediate_ca.crt", "intermediate_ca_key", "root_ca.crt"]),
    ] {
        let files = |of: [&str; 3]| -> Files {
            let bytes = of.map(|name| FLEET.east[name].clone());
            [chain, key, roots].map(String::from).into_iter().zip(bytes).collect()
        };
        let path = folder(&dir.path().join(form), &files(["ca-cert.pem", "ca-key.pem", "root-cert.pem"]));
        let ran = verify(&[path], &root(), &[]);
        // The fleet's certificates are Istio's, with no room for SPIRE's own CAs.
        let room: &[&str] = if form == "spire" { &["installed.path-length"] } else { &[] };
        finds(form, &ran, if room.is_empty() { 0 } else { 4 }, room);
        assert_eq!(ran.json()["clusters"][0]["objects"][0]["form"], form);
        let bad = files(["ca-cert.pem", "ca-key.pem", "ca-cert.pem"]);
        let path = folder(&dir.path().join(format!("{form}-island")), &bad);
        let island = [room, &["installed.not-a-root", "installed.chain-root"]].concat();
        finds(form, &verify(&[path], &root(), &[]), 4, &island);
    }
}

/// A server's Secret lies beside a CA's; under the CA's own name it is a mistake.
#[test]
fn servers_secrets_are_passed_over() {
    let pki = Pki::new("Company Root");
    pki.issue("server", "journal", "root", "/O=Example/CN=server");
    let read = |name: &str| std::fs::read(pki.path().join(name)).unwrap();
    let files = Files::from([
        ("tls.crt".into(), read("server.pem")),
        ("tls.key".into(), read("server.key")),
        ("ca.crt".into(), read("root.pem")),
    ]);
    let dir = tempfile::tempdir().unwrap();
    let of = |name: &str| secret(name, "kubernetes.io/tls", &files);
    let cacerts = secret("cacerts", "Opaque", &FLEET.east);
    let path = write(&dir.path().join("all.json"), list(&[of("gateway"), cacerts]));
    finds("beside", &verify(&[path], &root(), &[]), 0, &[]);
    let path = write(&dir.path().join("alone.json"), list(&[of("gateway")]));
    verify(&[path], &root(), &[]).fails(2, "installed.nothing");
    let path = write(&dir.path().join("cacerts.json"), list(&[of("cacerts")]));
    let noted = [pki.root_sha256().to_string()];
    let wanted = ["installed.key-purpose", "installed.not-a-ca"];
    finds("as cacerts", &verify(&[path], &noted, &[]), 4, &wanted);
}

/// cert-manager reads the first root of ca.crt alone, Istio all of them.
#[test]
fn the_own_root_comes_first_where_the_first_is_read_alone() {
    let other = Pki::new("Other Root");
    let mut files = issuer();
    let roots = [std::fs::read(other.path().join("root.pem")).unwrap(), FLEET.east["root-cert.pem"].clone()];
    files.insert("ca.crt".into(), roots.concat());
    let dir = tempfile::tempdir().unwrap();
    let noted = [FLEET.a.root_sha256.clone(), other.root_sha256().to_string()];
    for (name, code, wanted) in [("cacerts", 0, &[][..]), ("mesh-ca", 4, &["installed.root-first"])] {
        let path = write(&dir.path().join(name), yaml(&secret(name, "kubernetes.io/tls", &files)));
        finds(name, &verify(&[path], &noted, &[]), code, wanted);
    }
}

#[test]
fn linkerd_takes_p256_alone() {
    let pki = Pki::new("Company Root");
    pki.openssl("ecparam -name secp384r1 -genkey -noout -out east.key", &[]);
    pki.openssl("req -new -config openssl.cnf -key east.key -out east.csr -subj", &["/O=Example/CN=east"]);
    pki.sign("east", "intermediate", "root");
    let read = |name: &str| std::fs::read(pki.path().join(name)).unwrap();
    let files = Files::from([
        ("tls.crt".into(), read("east.pem")),
        ("tls.key".into(), read("east.key")),
        ("ca.crt".into(), read("root.pem")),
    ]);
    let dir = tempfile::tempdir().unwrap();
    let noted = [pki.root_sha256().to_string()];
    for (name, code, wanted) in [
        ("linkerd-identity-issuer", 4, &["installed.linkerd-key", "installed.no-bundle"][..]),
        ("mesh-issuer", 0, &[]),
    ] {
        let path = write(&dir.path().join(name), yaml(&secret(name, "kubernetes.io/tls", &files)));
        finds(name, &verify(&[path], &noted, &[]), code, wanted);
    }
}

/// The bundle that istiod hands to every namespace.
#[test]
fn a_trust_bundle_alone_is_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| FLEET.east[name].clone();
    let bundle =
        |bytes: Vec<u8>| config_map("istio-ca-root-cert", &Files::from([("root-cert.pem".into(), bytes)]));
    let path = write(&dir.path().join("good.yaml"), yaml(&bundle(file("root-cert.pem"))));
    finds("good", &verify(&[path], &root(), &[]), 0, &[]);
    let path = write(&dir.path().join("bad.yaml"), yaml(&bundle(file("ca-cert.pem"))));
    finds("bad", &verify(&[path], &root(), &[]), 4, &["installed.not-a-root"]);
}

#[test]
fn a_secret_that_cannot_be_read_is_named_and_never_shown() {
    let dir = tempfile::tempdir().unwrap();
    let whole = secret("cacerts", "Opaque", &FLEET.east);
    let key = whole["data"]["ca-key.pem"].as_str().unwrap().to_string();
    let mut bad = whole.clone();
    bad["data"]["ca-key.pem"] = json!(format!("*{key}"));
    let path = write(&dir.path().join("base64.json"), bad.to_string());
    let base64 = verify(&[path], &root(), &[]);
    finds("base64", &base64, 4, &["installed.base64"]);
    let text = yaml(&whole);
    let twice = format!("{text}data:\n  ca-key.pem: {key}\n");
    let path = write(&dir.path().join("twice.yaml"), twice);
    let twice = verify(&[path], &root(), &[]).fails(2, "document.duplicate-key");
    let broken = text.replace("  ca-key.pem: ", "  ca-key.pem: [");
    let path = write(&dir.path().join("broken.yaml"), broken);
    let broken = verify(&[path], &root(), &[]).code(2);
    let mut other = FLEET.east.clone();
    other.insert("ca-key.pem".into(), FLEET.west["ca-key.pem"].clone());
    let west = secret("cacerts", "Opaque", &other);
    let path = write(&dir.path().join("other.yaml"), yaml(&west));
    let mismatch = verify(&[path], &root(), &[]);
    finds("mismatch", &mismatch, 4, &["installed.key-mismatch"]);
    let plain = String::from_utf8(FLEET.west["ca-key.pem"].clone()).unwrap();
    let line = plain.lines().nth(1).unwrap();
    for ran in [&base64, &twice, &broken, &mismatch] {
        for secret in [&key[40..80], line, west["data"]["ca-key.pem"].as_str().unwrap()] {
            assert!(
                !ran.stdout.contains(secret) && !ran.stderr.contains(secret),
                "{}{}",
                ran.stdout,
                ran.stderr
            );
        }
    }
}

#[test]
fn what_is_no_installation_is_not_taken_for_one() {
    let dir = tempfile::tempdir().unwrap();
    let empty = folder(&dir.path().join("empty"), &Files::new());
    verify(&[empty], &root(), &[]).fails(2, "installed.nothing");
    let other = Files::from([("password".into(), b"x".to_vec())]);
    let path = write(&dir.path().join("other.yaml"), yaml(&secret("database", "Opaque", &other)));
    verify(&[path], &root(), &[]).fails(2, "installed.nothing");
    let path = write(&dir.path().join("pod.json"), json!({"apiVersion": "v1", "kind": "Pod"}).to_string());
    verify(&[path], &root(), &[]).fails(2, "installed.nothing");
    verify(&[dir.path().join("nowhere")], &root(), &[]).fails(2, "file.missing");
    // Among others it is found.
    let database = secret("database", "Opaque", &other);
    let path =
        write(&dir.path().join("all.json"), list(&[database, secret("cacerts", "Opaque", &FLEET.east)]));
    finds("among others", &verify(&[path], &root(), &[]), 0, &[]);
}

#[test]
fn people_see_what_machines_see() {
    let dir = tempfile::tempdir().unwrap();
    let mut files = FLEET.east.clone();
    files.insert("cert-chain.pem".into(), files["root-cert.pem"].clone());
    let path = folder(&dir.path().join("east"), &files).display().to_string();
    let words = ["verify", "--installed", &path, "--root-sha256", &FLEET.a.root_sha256];
    let ran = FLEET.a.run(&words).code(4);
    for told in [
        "cert-chain.pem: found",
        ", want",
        "[installed.chain-incomplete]",
        "next: load what",
        "BROKEN 1 cluster",
    ] {
        assert!(ran.stdout.contains(told), "no '{told}' in {}", ran.stdout);
    }
    crate::errors::printable(&ran);
    // One or the other.
    FLEET
        .a
        .run(&["verify", &path, "--installed", &path, "--root-sha256", &FLEET.a.root_sha256])
        .fails(2, "command-line.usage");
    FLEET.a.run(&["verify", "--root-sha256", &FLEET.a.root_sha256]).fails(2, "command-line.usage");
}

/// One fleet of every consumer: what `assemble` makes, and what lies in the release.
#[test]
fn what_is_made_for_each_consumer_is_in_order() {
    let everyone = crate::bundles::Fleet::released("p256").0;
    let root = [everyone.root_sha256.clone()];
    for (name, _, made) in crate::bundles::ALL {
        let bundle = everyone.release().join(name);
        let given = verify(std::slice::from_ref(&bundle), &root, &[]);
        finds(name, &given, 0, &["installed.no-key"]);
        if made.is_empty() {
            continue;
        }
        let (key, out) = (everyone.path(&format!("keys/{name}.key")), everyone.path(&format!("made-{name}")));
        let [bundle, key, words] = [&bundle, &key, &out].map(|path| path.display().to_string());
        let args =
            ["assemble", "--bundle", &bundle, "--key", &key, "--out", &words, "--root-sha256", &root[0]];
        everyone.run(&args).code(0);
        let ran = verify(&[out], &root, &[]);
        finds(name, &ran, 0, &[]);
        let objects = ran.json()["clusters"][0]["objects"].as_array().unwrap().clone();
        assert!(objects.iter().any(|object| object["key"] == true), "{name}: {objects:?}");
    }
}
