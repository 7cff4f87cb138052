//! How it is given: whose files they are, under which names, on standard input, with others
//! that cannot be read.

use std::io::Write as _;
use std::process::Stdio;

use super::dress::{config_map, folder, list, secret, write, yaml};
use super::foreign::{cacerts, pki};
use super::{FLEET, Files, finds, root, verify};
use crate::appliance::{Ran, ran};

fn tls(files: &Files) -> Files {
    let names = [("tls.crt", "ca-cert.pem"), ("tls.key", "ca-key.pem"), ("ca.crt", "root-cert.pem")];
    names.iter().map(|(to, from)| (to.to_string(), files[*from].clone())).collect()
}

fn form(ran: &Ran) -> (String, usize) {
    let report = ran.json();
    let object = &report["clusters"][0]["objects"][0];
    (object["form"].as_str().unwrap().into(), object["or"].as_array().unwrap().len())
}

/// Several read the same names: what lies beside them tells, or whoever gives them.
#[test]
fn whose_files_they_are_is_told_or_asked() {
    let dir = tempfile::tempdir().unwrap();
    let files = tls(&FLEET.east);
    let alone = folder(&dir.path().join("alone"), &files);
    let ran = verify(std::slice::from_ref(&alone), &root(), &[]);
    finds("alone", &ran, 0, &[]);
    assert_eq!(form(&ran), ("istio-tls".into(), 2));
    let people = ["verify", "--installed", alone.to_str().unwrap(), "--root-sha256", &root()[0]];
    let told = FLEET.a.run(&people).code(0).stdout;
    assert!(
        told.contains("of the same names: cert-manager-issuer, linkerd; --consumer says which"),
        "{told}"
    );
    for name in ["cert-manager-issuer", "istio-tls"] {
        let ran = verify(std::slice::from_ref(&alone), &root(), &["--consumer", name]);
        finds(name, &ran, 0, &[]);
        assert_eq!(form(&ran), (name.into(), 0));
    }
    let linkerd = folder(&dir.path().join("linkerd"), &files);
    write(&linkerd.join("ca-bundle.crt"), &FLEET.east["root-cert.pem"]);
    let ran = verify(&[linkerd], &root(), &[]);
    finds("beside a bundle", &ran, 0, &[]);
    assert_eq!(form(&ran), ("linkerd".into(), 0));
    for unknown in ["vault", "nobody"] {
        verify(std::slice::from_ref(&alone), &root(), &["--consumer", unknown])
            .fails(2, "command-line.usage");
    }
}

/// Nothing in the files' names says that they are Linkerd's.
#[test]
fn loose_files_of_linkerds_beneath_another_root_are_named() {
    let pki = pki("Company Root");
    pki.openssl("ecparam -name secp384r1 -genkey -noout -out root.key", &[]);
    pki.openssl(
        "req -new -x509 -config openssl.cnf -extensions root -days 7300 -key root.key -out root.pem -subj",
        &["/O=Example/CN=Company Root"],
    );
    pki.issue("east", "intermediate", "root", "/O=Linkerd/CN=east");
    let dir = tempfile::tempdir().unwrap();
    let path = folder(&dir.path().join("loose"), &tls(&cacerts(&pki, &["east", "root"])));
    let noted = [pki.root_sha256().to_string()];
    finds("as Istio's", &verify(std::slice::from_ref(&path), &noted, &[]), 0, &[]);
    let ran = verify(&[path], &noted, &["--consumer", "linkerd"]);
    finds("as Linkerd's", &ran, 4, &["installed.linkerd-root", "installed.no-bundle"]);
    assert!(ran.stdout.contains("a key of the kind p384"), "{}", ran.stdout);
}

/// Nothing reads it there.
#[test]
fn what_its_consumer_does_not_look_for_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (cacerts, issuer) = (&FLEET.east, tls(&FLEET.east));
    let roots = Files::from([("ca-bundle.crt".into(), FLEET.east["root-cert.pem"].clone())]);
    let linkerd = secret("linkerd-identity-issuer", "kubernetes.io/tls", &issuer);
    let bundle = config_map("linkerd-identity-trust-roots", &roots);
    let moved = |mut object: serde_json::Value| {
        object["metadata"]["namespace"] = "elsewhere".into();
        object
    };
    let empty = config_map("linkerd-identity-trust-roots", &Files::new());
    for (what, objects, code, wanted) in [
        ("cacerts", vec![secret("cacerts", "Opaque", cacerts)], 0, &[][..]),
        ("cacerts elsewhere", vec![moved(secret("cacerts", "Opaque", cacerts))], 1, &["installed.place"]),
        ("another name", vec![secret("cacerts-new", "Opaque", cacerts)], 1, &["installed.place"]),
        ("Linkerd's", vec![linkerd.clone(), bundle.clone()], 0, &[]),
        ("its issuer elsewhere", vec![moved(linkerd.clone()), bundle.clone()], 4, &["installed.place"]),
        ("its roots elsewhere", vec![linkerd.clone(), moved(bundle)], 4, &["installed.place"]),
        ("its roots empty", vec![linkerd, empty], 4, &["installed.missing", "installed.no-bundle"]),
    ] {
        let path = write(&dir.path().join("list.json"), list(&objects));
        finds(what, &verify(&[path], &root(), &[]), code, wanted);
    }
}

/// step-ca asks for the key's password, nobody else does.
#[test]
fn an_encrypted_key_is_step_cas_own_affair() {
    let dir = tempfile::tempdir().unwrap();
    let key = String::from_utf8(FLEET.east["ca-key.pem"].clone()).unwrap();
    let key = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY").into_bytes();
    for (name, [chain, own, roots], code, wanted) in [
        (
            "step-ca",
            ["intermediate_ca.crt", "intermediate_ca_key", "root_ca.crt"],
            0,
            "installed.key-encrypted",
        ),
        ("tls", ["tls.crt", "tls.key", "ca.crt"], 4, "key.encrypted"),
    ] {
        let files = Files::from([
            (chain.into(), FLEET.east["ca-cert.pem"].clone()),
            (own.into(), key.clone()),
            (roots.into(), FLEET.east["root-cert.pem"].clone()),
        ]);
        let path = folder(&dir.path().join(name), &files);
        finds(name, &verify(&[path], &root(), &[]), code, &[wanted]);
    }
}

#[test]
fn what_cannot_be_read_does_not_silence_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let east = folder(&dir.path().join("east"), &FLEET.east);
    let other = write(&dir.path().join("other.yaml"), "kind: Pod\n");
    let gone = dir.path().join("gone");
    for (what, path, id) in [("gone", &gone, "file.missing"), ("other", &other, "installed.nothing")] {
        let ran = verify(&[path.clone(), east.clone()], &root(), &[]);
        finds(what, &ran, 4, &[id]);
        assert_eq!(ran.json()["findings"][0]["cluster"], path.to_str().unwrap());
        assert_eq!(form(&verify(&[east.clone(), path.clone()], &root(), &[])), ("istio".into(), 2));
        verify(std::slice::from_ref(path), &root(), &[]).fails(2, id);
    }
    let words = ["verify", "--installed", gone.to_str().unwrap(), east.to_str().unwrap()];
    let told = FLEET.a.run(&[&words[..], &["--root-sha256", &root()[0]]].concat()).code(4).stdout;
    assert!(told.contains("[file.missing]") && told.contains("its files (istio"), "{told}");
    // Beside a CA's files lies much else.
    write(&east.join("notes.yaml"), "a: [");
    write(&east.join("large.bin"), vec![0; (1 << 20) + 1]);
    finds("notes", &verify(std::slice::from_ref(&east), &root(), &[]), 0, &["installed.passed-over"]);
    write(&east.join("cacerts.yaml"), "a: [");
    let wanted = ["installed.passed-over", "document.syntax"];
    finds("its own Secret", &verify(&[east], &root(), &[]), 4, &wanted);
}

#[test]
fn a_secret_comes_on_standard_input() {
    let given = |text: &str, paths: &[&str]| {
        let mut command = FLEET.a.command(env!("CARGO_BIN_EXE_anchorite"));
        command.args(["verify", "--json", "--root-sha256", &root()[0], "--installed"]).args(paths);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Where it is not read, nobody listens.
        let _ = child.stdin.take().unwrap().write_all(text.as_bytes());
        ran(child.wait_with_output().unwrap())
    };
    let text = yaml(&secret("cacerts", "Opaque", &FLEET.east));
    finds("a Secret", &given(&text, &["-"]), 0, &[]);
    given("", &["-"]).fails(2, "installed.nothing");
    given(&text, &["-", "-"]).fails(2, "command-line.usage");
    let dir = tempfile::tempdir().unwrap();
    let west = folder(&dir.path().join("west"), &FLEET.west);
    finds("beside a folder", &given(&text, &["-", west.to_str().unwrap()]), 0, &[]);
}

/// As `kubectl get secrets -A` prints them.
#[test]
fn all_secrets_of_a_large_cluster_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let other = Files::from([("password".into(), vec![b'x'; 500])]);
    let all = |count: usize| {
        let mut objects = vec![secret("database", "Opaque", &other); count];
        objects.push(secret("cacerts", "Opaque", &FLEET.east));
        write(&dir.path().join("all.json"), list(&objects))
    };
    finds("5000", &verify(&[all(5000)], &root(), &[]), 0, &[]);
    verify(&[all(10_000)], &root(), &[]).fails(2, "document.bounds");
}

/// The release is looked for where what was loaded lies.
#[test]
fn a_folder_that_is_no_release_is_told_from_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = folder(&dir.path().join("east"), &FLEET.east);
    let ran = FLEET.a.run(&["verify", path.to_str().unwrap(), "--root-sha256", &root()[0]]);
    assert_eq!(ran.code, 4, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("anchorite verify --installed"), "{}", ran.stdout);
}
