//! The cluster's side: keys, requests and bundles that do not fit.

use super::refused;
use crate::appliance::{Appliance, Ran};

fn names(a: &Appliance, folder: &str) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(a.path(folder)) else { return Vec::new() };
    let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn request(a: &Appliance, cluster: &str, key: &str, more: &[&str]) -> Ran {
    let (key, stick) = (a.arg(key), a.arg("in"));
    a.run(
        &[&["request", "--cluster", cluster, "--profile", "istio", "--key", &key, "--to", &stick], more]
            .concat(),
    )
}

#[test]
fn a_request_that_cannot_be_made_leaves_neither_key_nor_file() {
    let a = Appliance::bare();
    std::fs::create_dir(a.path("keys")).unwrap();
    std::fs::create_dir(a.path("in/deep")).unwrap();
    let long = "x".repeat(64);
    for cluster in ["", "East", "east_1", "east-", "../east", "a.b", "east\u{1b}[31m", &long] {
        let wanted = (2, "release.cluster", &["cluster id", "DNS label"][..]);
        refused(request(&a, cluster, "keys/new.key", &[]), wanted);
    }
    for cluster in ["con", "journal", "lpt1"] {
        let wanted = (1, "cluster.reserved", &[cluster, "neither the release nor FAT keeps"][..]);
        refused(request(&a, cluster, "keys/new.key", &[]), wanted);
    }
    let organisation = ["--organisation", " x "];
    refused(
        request(&a, "east", "keys/new.key", &organisation),
        (2, "request.organisation", &["organisation ' x '"]),
    );
    for key in ["in/east.key", "in/deep/east.key", "out/../in/east.key"] {
        refused(request(&a, "east", key, &[]), (1, "request.key-on-stick", &["east.key: lies on the stick"]));
    }
    refused(
        request(&a, "east", "none/east.key", &[]),
        (2, "file.unwritable", &["/none/east.key: No such file"]),
    );
    refused(
        request(&a, "east", "keys/new.key", &["--algorithm", "p521"]),
        (2, "command-line.usage", &["--algorithm", "p256, p384"]),
    );
    let nowhere = a.arg("nowhere");
    let key = a.arg("keys/new.key");
    let away = ["request", "--cluster", "east", "--profile", "istio", "--key", &key, "--to", &nowhere];
    refused(a.run(&away), (2, "output.missing", &["/nowhere: is not a directory"]));
    assert_eq!((names(&a, "keys"), names(&a, "in")), (vec![], vec!["deep".to_string()]));
    a.write("in/east.crl", "another's");
    refused(request(&a, "east", "keys/new.key", &[]), (2, "request.exists", &["/in/east.crl: exists"]));
    assert_eq!((names(&a, "keys").len(), names(&a, "in").len()), (0, 2));
    std::fs::remove_file(a.path("in/east.crl")).unwrap();

    request(&a, "east", "keys/east.key", &[]).code(0);
    let key = std::fs::read(a.path("keys/east.key")).unwrap();
    refused(request(&a, "east", "keys/east.key", &[]), (2, "request.exists", &["/in/east.csr: exists"]));
    refused(request(&a, "east", "keys/other.key", &[]), (2, "request.exists", &["/in/east.csr: exists"]));
    assert_eq!(
        (names(&a, "keys"), std::fs::read(a.path("keys/east.key")).unwrap()),
        (vec!["east.key".into()], key)
    );
}

#[test]
fn a_key_file_that_holds_no_usable_key_is_named() {
    let a = Appliance::bare();
    a.openssl(&["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "good.pem"]);
    a.openssl(&["pkcs8", "-topk8", "-in", "good.pem", "-passout", "pass:x", "-out", "encrypted"]);
    a.openssl(&["pkey", "-in", "good.pem", "-outform", "DER", "-out", "der"]);
    a.openssl(&["ecparam", "-name", "secp256k1", "-genkey", "-noout", "-out", "curve"]);
    let good = std::fs::read_to_string(a.path("good.pem")).unwrap();
    a.write("empty", "");
    a.write("two", good.repeat(2));
    a.write("cut", &good[..good.len() - 60]);
    a.write("huge", "x".repeat(70_000));
    for (key, id) in [
        ("empty", "key.none"),
        ("der", "key.none"),
        ("two", "key.several"),
        ("encrypted", "key.encrypted"),
        ("curve", "key.unreadable"),
        ("cut", "key.none"),
        ("huge", "file.too-large"),
        ("in", "file.not-regular"),
    ] {
        let before = std::fs::read(a.path(key)).ok();
        refused(request(&a, "east", key, &[]), (2, id, &[&format!("/{key}: ")]));
        assert_eq!(std::fs::read(a.path(key)).ok(), before, "a key is never written over");
    }
    assert_eq!(names(&a, "in"), Vec::<String>::new());
}

#[test]
fn a_bundle_that_does_not_fit_makes_no_secret() {
    let a = Appliance::with_root("p256");
    a.request("east");
    a.request("west");
    a.sign(&["--policy", "istio"]).code(0);
    let release = a.release();
    let (east, out) = (release.join("east"), a.arg("secret"));
    let (key, other) = (a.arg("keys/east.key"), a.arg("keys/west.key"));
    let assemble = |bundle: &str, key: &str, more: &[&str]| {
        let root = if more.is_empty() { &["--root-sha256", &a.root_sha256][..] } else { more };
        a.run(&[&["assemble", "--bundle", bundle, "--key", key, "--out", &out], root].concat())
    };
    let bundle = east.to_str().unwrap();
    let wrong_root = "0".repeat(64);
    refused(assemble(bundle, &other, &[]), (1, "assemble.key-mismatch", &["ca-cert.pem", "key id"]));
    refused(
        assemble(bundle, &key, &["--root-sha256", &wrong_root]),
        (4, "release.root", &["root-cert.pem", &a.root_sha256]),
    );
    refused(assemble(bundle, &a.arg("none"), &[]), (2, "file.missing", &["/none: No such file"]));
    refused(assemble(&a.arg("none"), &key, &[]), (2, "folder.missing", &["/none: is not a folder"]));
    refused(assemble(release.to_str().unwrap(), &key, &[]), (4, "release.missing", &["ca-cert.pem"]));
    refused(assemble(&a.arg("out"), &key, &[]), (4, "release.missing", &["ca-cert.pem"]));
    crate::appliance::copy(&east, &a.path("touched"));
    std::fs::copy(release.join("west/ca-cert.pem"), a.path("touched/ca-cert.pem")).unwrap();
    let touched = a.arg("touched");
    assemble(&touched, &other, &[]).code(4);
    assert!(!a.path("secret").exists(), "nothing is left half done");
    // What is there already is never written over.
    assemble(bundle, &key, &[]).code(0);
    let made = names(&a, "secret");
    refused(assemble(bundle, &key, &[]), (2, "assemble.exists", &["/secret: exists"]));
    assert_eq!(names(&a, "secret"), made);
}

#[test]
fn the_secret_is_not_made_on_the_stick() {
    let a = Appliance::with_root("p256");
    a.request("east");
    a.sign(&["--policy", "istio"]).code(0);
    let (release, key) = (a.release(), a.arg("keys/east.key"));
    let east = release.join("east");
    let assemble = |bundle: &std::path::Path, out: &str| {
        let bundle = bundle.to_str().unwrap();
        ["assemble", "--bundle", bundle, "--key", &key, "--out", out, "--root-sha256", &a.root_sha256]
            .map(String::from)
    };
    for out in [east.join("cacerts"), release.join("cacerts"), release.join("east/../cacerts")] {
        let ran = a.run(&assemble(&east, out.to_str().unwrap()).each_ref().map(String::as_str));
        refused(ran, (1, "assemble.key-on-stick", &["cacerts: lies on the stick"]));
        assert!(!out.exists());
    }
    // Beside the release at a stick's top: a stick is what is mounted there.
    std::fs::create_dir(a.path("stick")).unwrap();
    let script = r#"mount -t tmpfs tmpfs "$1" && cp -r "$2" "$1/release" && shift 2 && exec "$@""#;
    let root = rustix::process::getuid().is_root();
    let unshare: &[&str] = if root { &["unshare", "-m"] } else { &["sudo", "-En", "unshare", "-m"] };
    let mut command = a.command(unshare[0]);
    command.args(&unshare[1..]).args(["sh", "-c", script, "sh", &a.arg("stick"), release.to_str().unwrap()]);
    command.arg(env!("CARGO_BIN_EXE_anchorite"));
    command.args(assemble(&a.path("stick/release/east"), &a.arg("stick/cacerts")));
    let ran = crate::appliance::ran(command.output().unwrap());
    refused(ran, (1, "assemble.key-on-stick", &["stick/cacerts: lies on the stick"]));
    a.run(&assemble(&east, &a.arg("out/cacerts")).each_ref().map(String::as_str)).code(0);
}

#[test]
fn a_rehearsals_release_is_for_rehearsals() {
    let a = Appliance::bare();
    let home = a.arg("home");
    let module = crate::appliance::module();
    let init = [
        "init",
        &home,
        "--token",
        "pkcs11:token=ceremony",
        "--module",
        &module,
        "--unattended",
        "--rehearsal",
    ];
    a.run(&init).code(0);
    let root = a.create_root("p256", &[]).code(0).json();
    let sha256 = root["sha256"].as_str().unwrap();
    a.request("east");
    a.sign(&["--policy", "istio"]).code(0);
    let release = a.release();
    let (east, key, out) = (release.join("east"), a.arg("keys/east.key"), a.arg("secret"));
    for bundle in [&release, &east] {
        let verify = ["verify", bundle.to_str().unwrap(), "--root-sha256", sha256];
        let ran = a.run(&verify).code(1);
        assert!(
            ran.stdout.contains("[release.rehearsal]") && ran.stdout.contains("REHEARSAL"),
            "{}",
            ran.stdout
        );
        a.run(&[&verify[..], &["--rehearsal"]].concat()).code(0);
    }
    let east = east.to_str().unwrap();
    let assemble = ["assemble", "--bundle", east, "--key", &key, "--out", &out, "--root-sha256", sha256];
    refused(a.run(&assemble), (1, "release.rehearsal", &["made in a rehearsal", "--rehearsal"]));
    assert!(!a.path("secret").exists());
    a.run(&[&assemble[..], &["--rehearsal"]].concat()).code(0);
}

/// A home may have changed a shipped policy: what it says as shipped is a note, and what its
/// consumer could never load is refused.
#[test]
fn what_the_policy_would_refuse_is_said_where_the_request_is_made() {
    let a = Appliance::bare();
    let request = |profile: &str, cluster: &str, more: &[&str]| {
        let (key, stick) = (a.arg(&format!("{cluster}.key")), a.arg("in"));
        let of = ["request", "--cluster", cluster, "--profile", profile, "--key", &key, "--to", &stick];
        a.run(&[&of[..], more].concat())
    };
    let near = request("isto", "a", &[]).code(0).stderr;
    assert!(near.contains("--profile isto: no policy of this name is shipped"), "{near}");
    assert!(near.contains("did you mean 'istio'?"), "{near}");
    let far = request("our-own-mesh", "b", &[]).code(0).stderr;
    assert!(far.contains("no policy of this name") && !far.contains("did you mean"), "{far}");
    let other = request("istio", "c", &["--organisation", "Example"]).code(0).stderr;
    assert!(other.contains("--organisation: --profile istio wants O=Istio"), "{other}");
    let kind = request("istio", "d", &["--algorithm", "ed25519"]).code(0).stderr;
    assert!(kind.contains("--profile istio takes no ed25519"), "{kind}");
    assert_eq!(request("istio", "e", &["--organisation", "Istio"]).code(0).stderr, "");
    let wanted = (2, "request.key-algorithm", &["linkerd takes", "alone"][..]);
    refused(request("linkerd", "f", &["--algorithm", "p384"]), wanted);
    assert!(!a.path("f.key").exists() && !a.path("in/f.csr").exists());
    assert_eq!(request("linkerd", "f", &[]).code(0).stderr, "");
}

/// Of a cluster's folder alone nothing that the receipt says is signed, and where the release is
/// at hand it is named. A folder without a file is nobody's.
#[test]
fn a_clusters_folder_alone_says_what_is_not_signed() {
    let a = Appliance::with_root("p256");
    a.request("east");
    a.sign(&["--policy", "istio"]).code(0);
    let (release, alone) = (a.release(), a.path("alone"));
    crate::appliance::copy(&release.join("east"), &alone);
    let verify = |folder: &std::path::Path, more: &[&str]| {
        let of = ["verify", folder.to_str().unwrap(), "--root-sha256", &a.root_sha256];
        a.run(&[&of[..], more].concat())
    };
    let note = format!("it lies in its release: anchorite verify {}", release.display());
    let text = verify(&release.join("east"), &[]).code(0).stdout;
    assert!(text.contains(&note), "{text}");
    let text = verify(&alone, &[]).code(0).stdout;
    assert!(text.contains("says, unsigned: cluster east, policy istio, consumer istio,"), "{text}");
    assert!(!text.contains("it lies in its release"), "{text}");
    let json = verify(&alone, &["--json"]).code(0).json();
    assert_eq!(json["receipt_unsigned"][0]["consumer"], "istio");
    assert!(json["receipt_unsigned"][0]["object"].is_null() && json["whole_release"].is_null());
    let json = verify(&release.join("east"), &["--json"]).code(0).json();
    assert_eq!(json["whole_release"], release.to_str().unwrap());

    for (folder, empty) in [(&alone, "empty"), (&release, "west"), (&release, "east/empty")] {
        std::fs::create_dir(folder.join(empty)).unwrap();
        let ran = verify(folder, &[]).code(4);
        assert!(ran.stdout.contains("[release.extra]") && ran.stdout.contains(empty), "{}", ran.stdout);
        std::fs::remove_dir(folder.join(empty)).unwrap();
        verify(folder, &[]).code(0);
    }
    // The folder to be made stands in one that is there; what is printed can be copied.
    let (bundle, key) = (release.join("east"), a.arg("keys/east.key"));
    let assemble = |out: &str| {
        let mut command = a.command(env!("CARGO_BIN_EXE_anchorite"));
        command.current_dir(a.dir.path()).arg("assemble").arg("--bundle").arg(&bundle).args(["--key", &key]);
        command.arg(format!("--out={out}")).args(["--root-sha256", &a.root_sha256]);
        crate::appliance::ran(command.output().unwrap())
    };
    refused(assemble("none/new"), (2, "folder.missing", &["none: is not a folder"]));
    for (out, line) in [
        ("-dash", "kubectl apply -f ./-dash/cacerts.yaml\n"),
        ("two words", "kubectl apply -f 'two words/cacerts.yaml'\n"),
        ("two\nlines", "kubectl apply -f $'two\\x0alines/cacerts.yaml'\n"),
    ] {
        let ran = assemble(out).code(0);
        assert!(ran.stdout.contains(line), "{}", ran.stdout);
    }
}
