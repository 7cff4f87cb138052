//! A root from elsewhere goes on here: what is signed beneath it names it byte for
//! byte; and a root lives on by a renewal.

use std::path::{Path, PathBuf};

use anchorite::release::pem;
use anchorite::x509::Issuer;
use serde_json::Value;

use crate::appliance::{Appliance, PIN, Ran, copy, module};
use crate::faults::{self, kill_everywhere, settled, sound};

/// An OpenSSL configuration that says of a root what `extensions` says.
fn config(dn: &str, extensions: &str) -> String {
    format!(
        "[req]\ndistinguished_name = dn\nx509_extensions = root\nprompt = no\nstring_mask = default\n\
         [dn]\n{dn}\n[root]\n{extensions}\n"
    )
}

/// As OpenSSL's own `openssl.cnf` and Easy-RSA make them, more or less.
pub const COMMON: &str = "subjectKeyIdentifier = hash\nauthorityKeyIdentifier = keyid:always,issuer:always\n\
                      basicConstraints = critical, CA:TRUE\nkeyUsage = cRLSign, keyCertSign";

impl Appliance {
    pub fn tool(&self, program: &str, args: &[&str]) {
        let out = self.command(program).current_dir(self.dir.path()).args(args).output().unwrap();
        assert!(out.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    }

    /// A key by OpenSSL, imported into the token as `label`.
    pub fn old_key(&self, name: &str, algorithm: &[&str], label: &str, id: &str) {
        let key = format!("{name}.key");
        let genpkey = [&["genpkey", "-out", &key, "-algorithm"], algorithm].concat();
        self.tool("openssl", &genpkey);
        let import = ["--import", &key, "--token", "ceremony", "--label", label, "--id", id, "--pin", PIN];
        self.tool("softhsm2-util", &import);
    }

    /// Its certificate, self-signed, as `NAME.pem`.
    pub fn old_root(&self, name: &str, dn: &str, extensions: &str, more: &[&str]) {
        self.old_root_by(name, name, dn, extensions, more);
    }

    /// A certificate `NAME.pem` by another's key.
    pub fn old_root_by(&self, key: &str, name: &str, dn: &str, extensions: &str, more: &[&str]) {
        self.write("root.cnf", config(dn, extensions));
        let (key, pem) = (format!("{key}.key"), format!("{name}.pem"));
        let new =
            ["req", "-x509", "-new", "-config", "root.cnf", "-key", &key, "-out", &pem, "-days", "3000"];
        self.tool("openssl", &[&new[..], more].concat());
    }

    pub fn adopt(&self, name: &str, key: &str, more: &[&str]) -> Ran {
        let (certificate, pin) = (self.path(&format!("{name}.pem")), self.path("pin"));
        let args = ["root", "adopt", "--yes", "--certificate", certificate.to_str().unwrap()];
        let key = ["--key", key, "--pin-file", pin.to_str().unwrap()];
        self.run(&[&args[..], &key, more].concat())
    }

    fn renew(&self, ttl: &str) -> Ran {
        let pin = self.path("pin");
        self.run(&["root", "renew", "--ttl", ttl, "--yes", "--json", "--pin-file", pin.to_str().unwrap()])
    }

    /// A root by OpenSSL: `old.pem`, its key in the token as `old root`.
    pub fn make_old_root(&self) {
        self.old_key("old", &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "old root", "0707");
        self.old_root("old", "O = Example\nCN = Old Root", COMMON, &[]);
    }

    fn verify(&self, release: &Path, root: &str) -> Ran {
        self.run(&["verify", release.to_str().unwrap(), "--root-sha256", root])
    }

    fn signs(&self, cluster: &str) -> PathBuf {
        self.request(cluster);
        self.sign(&["--policy", "istio"]).code(0);
        std::fs::remove_file(self.path(&format!("in/{cluster}.csr"))).unwrap();
        self.release()
    }
}

fn sha256(ran: &Ran) -> String {
    ran.json()["sha256"].as_str().unwrap().to_string()
}

fn der(path: &Path) -> Vec<u8> {
    pem::single("certificate", &std::fs::read(path).unwrap()).unwrap()
}

fn holds(outer: &[u8], inner: &[u8]) -> bool {
    outer.windows(inner.len()).any(|window| window == inner)
}

fn events(a: &Appliance, kind: &str) -> Vec<Value> {
    let all = a.journal();
    let entries = all.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    entries.filter(|entry| entry["event"] == kind).collect()
}

#[test]
fn a_root_of_each_kind_goes_on_here() {
    const ODD: &str = "subjectKeyIdentifier = 01:02:03:04:05:06:07:08\nbasicConstraints = critical, CA:TRUE, pathlen:1\n\
                       keyUsage = critical, keyCertSign, digitalSignature\ncertificatePolicies = 1.2.3.4";
    let warned = |more: &[&str]| -> Vec<String> {
        let imported = ["token.key.never-extractable", "token.key.always-sensitive", "token.key.local"];
        more.iter().chain(&imported).chain(&["token.key.sign-recover"]).map(ToString::to_string).collect()
    };
    for (algorithm, dn, extensions, more, warnings) in [
        (
            &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"][..],
            "C = CH\nO = Zürich\nCN = Wurzel",
            COMMON,
            &[][..],
            warned(&["adopt.key-usage-critical"]),
        ),
        (
            &["EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
            "O = Example",
            ODD,
            &["-sha256"],
            warned(&["adopt.crl-sign"]),
        ),
        (
            &["RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
            "CN = Old Root",
            COMMON,
            &["-sha512", "-set_serial", "1"],
            warned(&["adopt.key", "adopt.key-usage-critical"]),
        ),
        (
            &["ED25519"],
            "CN = Old Root",
            COMMON,
            &["-days", "90"],
            warned(&["adopt.validity-left", "adopt.key-usage-critical"]),
        ),
    ] {
        let a = Appliance::with_home();
        a.old_key("old", algorithm, "old root", "0707");
        a.old_root("old", dn, extensions, more);
        let root_sha256 =
            sha256(&a.adopt("old", "pkcs11:object=old%20root;type=private", &["--json"]).code(0));
        let root = Issuer::from_der(&der(&a.path("old.pem"))).unwrap();
        assert_eq!(root.fingerprint().to_string(), root_sha256);
        assert_eq!(der(&a.path("home/root.pem")), root.der, "byte for byte");

        let adopted = events(&a, "root-adopted");
        let found: Vec<&str> =
            adopted[0]["warned"].as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect();
        let others: Vec<&str> =
            found.iter().copied().filter(|w| !warnings.contains(&w.to_string())).collect();
        assert!(others.iter().all(|w| w.starts_with("token.key.")), "{dn}: {others:?}");
        assert!(warnings.iter().all(|w| found.contains(&w.as_str())), "{dn}: {found:?}");
        assert_eq!((adopted.len(), &adopted[0]["accepted"]), (1, &serde_json::json!([])));

        let release = a.signs("east");
        a.verify(&release, &root_sha256).code(0);
        let intermediate = der(&release.join("east/ca-cert.pem"));
        assert!(
            holds(&intermediate, root.subject.as_der()),
            "{dn}: the issuer is the subject, byte for byte"
        );
        let aki =
            [&[0x30, root.key_id.len() as u8 + 2, 0x80, root.key_id.len() as u8], &root.key_id[..]].concat();
        assert!(holds(&intermediate, &aki), "{dn}: AKI is the root's own SKI");
        assert_eq!(der(&release.join("root-cert.pem")), root.der);
        for certificate in ["east/ca-cert.pem", "journal-cert.pem"] {
            let certificate = release.join(certificate);
            a.tool(
                "openssl",
                &["verify", "-x509_strict", "-CAfile", "home/root.pem", certificate.to_str().unwrap()],
            );
        }
        assert_eq!(a.audit(&["--root-sha256", &root_sha256]).code(0).json()["state"], "ok");
        assert!(a.path(&format!("home/issued/{}.pem", root.serial)).exists());

        // One home, one root.
        a.adopt("old", "pkcs11:object=old%20root", &[]).fails(2, "root.exists");
        a.create_root("p256", &["--label", "another"]).fails(2, "root.exists");
    }
}

#[test]
fn a_path_length_of_the_root_bounds_what_is_signed() {
    let a = Appliance::with_home();
    a.old_key("old", &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "old root", "0707");
    let one = COMMON.replace("CA:TRUE", "CA:TRUE, pathlen:1");
    a.old_root("old", "CN = Old Root", &one, &[]);
    a.adopt("old", "pkcs11:id=%07%07", &[]).code(0);
    a.request_for("west", "issuing-ca");
    a.sign(&["--policy", "issuing-ca"]).fails(1, "plan.refusals");
    std::fs::remove_file(a.path("in/west.csr")).unwrap();
    a.request("east");
    a.sign(&["--policy", "istio"]).code(0);
}

/// PKCS#11's own way to the key in the token, for what openssl cannot import as it is.
#[test]
fn a_weak_key_is_taken_only_knowingly_and_on_record() {
    let a = Appliance::with_home();
    a.tool(
        "openssl",
        &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "old.key"],
    );
    a.tool(
        "openssl",
        &["pkcs8", "-topk8", "-nocrypt", "-in", "old.key", "-outform", "DER", "-out", "old.der"],
    );
    a.tool("openssl", &["pkey", "-in", "old.key", "-pubout", "-outform", "DER", "-out", "old.pub"]);
    a.old_root("old", "CN = Old Root", COMMON, &[]);
    for (kind, file) in [("privkey", "old.der"), ("pubkey", "old.pub")] {
        let token = ["--module", &module(), "--token-label", "ceremony", "--login", "--pin", PIN];
        let object =
            ["--write-object", file, "--type", kind, "--label", "weak", "--id", "09", "--usage-sign"];
        let weak: &[&str] = if kind == "privkey" { &["--extractable"] } else { &[] };
        a.tool("pkcs11-tool", &[&token[..], &object, weak].concat());
    }
    let check = |more: &[&str]| {
        let (module, pin) = (module(), a.path("pin"));
        let args = ["token", "check", "pkcs11:token=ceremony;object=weak", "--json", "--module", &module];
        a.run(&[&args[..], &["--pin-file", pin.to_str().unwrap()], more].concat())
    };
    let judged = check(&[]).code(1).json();
    assert_eq!(judged["verdict"], "refused");
    let refused = a.adopt("old", "pkcs11:object=weak", &[]).fails(1, "adopt.weak-key");
    assert!(refused.stderr.contains("CKA_EXTRACTABLE") && refused.stderr.contains("--accept-weak-key"));
    assert_eq!(events(&a, "session").len(), 0, "nothing is on record");
    a.adopt("old", "pkcs11:object=weak", &["--accept-weak-key"]).code(0);
    let accepted = events(&a, "root-adopted")[0]["accepted"].to_string();
    assert!(accepted.contains("token.key.extractable"), "{accepted}");
    a.signs("east");
    a.audit(&[]).code(0);
}

#[test]
fn token_check_judges_the_homes_keys() {
    let a = Appliance::with_root("p256");
    let check = |more: &[&str]| {
        let pin = a.path("pin");
        a.run(&[&["token", "check", "--json", "--pin-file", pin.to_str().unwrap()], more].concat())
    };
    let judged = check(&["--strict"]).code(0).json();
    assert_eq!((&judged["verdict"], judged["judged"].as_array().unwrap().len()), (&"ok".into(), 3));
    // A key that was imported warns; --strict takes no warning.
    a.old_key("old", &["RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "old", "0707");
    let old = "pkcs11:token=ceremony;object=old";
    assert_eq!(check(&[old]).code(0).json()["verdict"], "warn");
    assert_eq!(check(&[old, "--strict"]).code(1).json()["verdict"], "refused");
    check(&["pkcs11:token=ceremony;object=none"]).fails(3, "token.no-such-key");
    check(&["pkcs11:token=other"]).fails(3, "token.absent");
    // A wrong PIN leaves its mark, which is seen before the next login wipes it away.
    a.write("wrong", "13579-wrong\n");
    a.run(&["token", "check", "--pin-file", a.path("wrong").to_str().unwrap()])
        .fails(3, "token.pin-incorrect");
    let told = check(&["--strict"]).code(1);
    assert!(told.stdout.contains("token.pin.tries") && told.stdout.contains("a wrong PIN was entered"));
    check(&["--strict"]).code(0);
}

/// The public object beside a private key can lie; the first signature cannot.
#[test]
fn a_private_key_that_is_not_the_certificates_is_found_by_its_first_signature() {
    let a = Appliance::with_home();
    a.old_key("other", &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "old root", "0707");
    a.tool(
        "openssl",
        &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "old.key"],
    );
    a.tool("openssl", &["pkey", "-in", "old.key", "-pubout", "-outform", "DER", "-out", "old.pub"]);
    a.old_root("old", "CN = Old Root", COMMON, &[]);
    let token = ["--module", &module(), "--token-label", "ceremony", "--login", "--pin", PIN];
    a.tool("pkcs11-tool", &[&token[..], &["--delete-object", "--type", "pubkey", "--id", "0707"]].concat());
    let write = ["--write-object", "old.pub", "--type", "pubkey", "--label", "old root", "--id", "0707"];
    a.tool("pkcs11-tool", &[&token[..], &write].concat());
    let ran = a.adopt("old", "pkcs11:object=old%20root", &[]).fails(4, "token.wrong-signature");
    assert!(ran.stderr.contains("begin anew in another home"), "{}", ran.stderr);
    assert_eq!((events(&a, "rejected").len(), events(&a, "signed").len()), (1, 0));
    assert_eq!(a.audit(&[]).code(1).json()["state"], "open");
    a.request("east");
    a.sign(&["--policy", "istio"]).fails(2, "home.no-root");
}

#[test]
fn a_renewed_root_carries_everything_on() {
    let mut a = Appliance::with_root("p256");
    let first = a.root_sha256.clone();
    let old_release = a.signs("east");
    copy(&a.path("home/root.pem"), &a.path("first.pem"));

    a.renew("10y").fails(2, "renew.ttl");
    a.renew("21y").code(0);
    a.root_sha256 = sha256(&a.renew("30y").code(0));
    let (before, after) = (der(&a.path("first.pem")), der(&a.path("home/root.pem")));
    let (before, after) = (Issuer::from_der(&before).unwrap(), Issuer::from_der(&after).unwrap());
    assert_eq!(after.fingerprint().to_string(), a.root_sha256);
    assert_eq!(
        (&before.subject, &before.public_key, &before.key_id),
        (&after.subject, &after.public_key, &after.key_id)
    );
    assert!(before.serial != after.serial && before.not_after < after.not_after);

    // What was signed beneath the first stands beneath the last, and the journal's
    // certificate lives as long as the root.
    for certificate in [old_release.join("east/ca-cert.pem"), old_release.join("journal-cert.pem")] {
        a.tool(
            "openssl",
            &["verify", "-x509_strict", "-CAfile", "home/root.pem", certificate.to_str().unwrap()],
        );
    }
    let ends = |file: &str| {
        let out = a
            .command("openssl")
            .args(["x509", "-noout", "-enddate", "-in"])
            .arg(a.path(file))
            .output()
            .unwrap();
        String::from_utf8(out.stdout).unwrap()
    };
    assert_eq!(ends("home/journal-cert.pem"), ends("home/root.pem"));
    a.verify(&old_release, &first).code(0);
    let release = a.signs("west");
    a.verify(&release, &a.root_sha256).code(0);
    a.verify(&release, &first).code(4);
    assert_eq!(
        std::fs::read(release.join("root-cert.pem")).unwrap(),
        std::fs::read(a.path("home/root.pem")).unwrap()
    );
    assert_eq!(
        std::fs::read(release.join("west/root-cert.pem")).unwrap(),
        std::fs::read(a.path("home/root.pem")).unwrap()
    );

    // Any fingerprint that was ever noted tells that the journal is this CA's.
    for root in [&first, &a.root_sha256] {
        let report = a.audit(&["--root-sha256", root]).code(0).json();
        assert_eq!((&report["state"], report["roots"].as_array().unwrap().len()), (&"ok".into(), 3));
        let text = a.run(&["audit", "verify", "--root-sha256", root]).code(0).stdout;
        assert!(text.lines().any(|l| l.contains(root.as_str()) && l.contains("the one noted")), "{text}");
    }
    let report = a.audit(&["--root-sha256", &"ab".repeat(32)]).code(4).json();
    assert_eq!(report["errors"][0]["id"], "audit.root");

    // An export brings all of it back.
    std::fs::create_dir(a.path("export")).unwrap();
    a.run(&["audit", "export", "--to", a.path("export").to_str().unwrap()]).code(0);
    let export = std::fs::read_dir(a.path("export")).unwrap().next().unwrap().unwrap().path().join("journal");
    std::fs::rename(a.path("home"), a.path("lost")).unwrap();
    let (home, module) = (a.path("home"), module());
    let token = ["--token", "pkcs11:token=ceremony", "--module", &module, "--unattended"];
    a.run(&[&["init", home.to_str().unwrap()], &token[..]].concat()).code(0);
    a.run(&["audit", "restore", "--from", export.to_str().unwrap(), "--root-sha256", &first]).code(0);
    let again = |name: &str| std::fs::read(a.path(name)).unwrap();
    assert_eq!(again("home/root.pem"), again("lost/root.pem"));
    assert_eq!(again("home/journal-cert.pem"), again("lost/journal-cert.pem"));
    let release = a.signs("north");
    a.verify(&release, &a.root_sha256).code(0);
}

#[test]
fn a_root_from_elsewhere_is_renewed_with_what_it_lacked() {
    let a = Appliance::with_home();
    a.old_key("old", &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "old root", "0707");
    let odd = "subjectKeyIdentifier = 01:02:03\nbasicConstraints = critical, CA:TRUE, pathlen:2\nkeyUsage = keyCertSign";
    a.old_root("old", "O = Zürich\nCN = Wurzel", odd, &[]);
    a.adopt("old", "pkcs11:object=old%20root", &[]).code(0);
    let old_release = a.signs("east");
    let root = sha256(&a.renew("20y").code(0));
    let before = Issuer::from_der(&der(&a.path("old.pem"))).unwrap();
    let after = Issuer::from_der(&der(&a.path("home/root.pem"))).unwrap();
    assert_eq!(before.subject.as_der(), after.subject.as_der());
    assert_eq!((&after.key_id, after.path_len, after.crl_sign), (&vec![1, 2, 3], Some(2), true));
    assert!(!before.crl_sign);
    let release = a.signs("west");
    a.verify(&release, &root).code(0);
    for old in ["east/ca-cert.pem", "journal-cert.pem"] {
        let old = old_release.join(old);
        a.tool("openssl", &["verify", "-x509_strict", "-CAfile", "home/root.pem", old.to_str().unwrap()]);
    }
    assert_eq!(a.audit(&["--root-sha256", &root]).code(0).json()["state"], "ok");
}

#[test]
fn a_root_is_not_renewed_under_certificates_that_wait_for_their_release() {
    let a = Appliance::with_root("p256");
    a.request("east");
    // The first directory made on the stick is a probe; the second is the release's own.
    let args = faults::sign(&a);
    faults::run_with(&a, "mkdirat", "error=EIO", 2, &args).code(2);
    let ran = a.renew("30y").fails(1, "renew.unreleased");
    assert!(ran.stderr.contains("anchorite perform plans/"), "{}", ran.stderr);
    let plan = faults::plan_to_take_up(&sound(&a, "waiting")).unwrap();
    faults::run(&a, &faults::perform(&a, &plan, "out")).code(0);
    a.renew("30y").code(0);
}

fn adopt_args(a: &Appliance) -> Vec<String> {
    let args = ["root", "adopt", "--yes", "--key", "pkcs11:object=old%20root", "--accept-weak-key"];
    let places = [("--certificate", "old.pem"), ("--pin-file", "pin")];
    let places = places.iter().flat_map(|(o, p)| [o.to_string(), a.path(p).to_str().unwrap().into()]);
    args.iter().map(ToString::to_string).chain(places).collect()
}

/// To a later end than [`renew_args`], for a run that may have to renew once more.
fn renew_again(a: &Appliance) -> Vec<String> {
    renew_args(a).into_iter().map(|word| if word == "30y" { "31y".into() } else { word }).collect()
}

fn renew_args(a: &Appliance) -> Vec<String> {
    let pin = a.path("pin").to_str().unwrap().to_string();
    ["root", "renew", "--yes", "--ttl", "30y", "--pin-file", &pin].map(Into::into).to_vec()
}

#[test]
fn root_adopt_survives_a_crash_at_every_step() {
    let of = faults::watched();
    of.make_old_root();
    let kills = kill_everywhere(&of, adopt_args, |context, a| {
        sound(a, context);
        let again = faults::run(a, &adopt_args(a));
        if again.code != 0 {
            again.fails(2, "root.exists");
            faults::run(a, &faults::pin(a)).code(0);
        }
        settled(a, context);
        faults::accounted_for(a, context);
        assert_eq!(faults::token_calls(a).1, 1, "{context}: key pairs generated");
        assert_eq!(events(a, "root-adopted").len(), 1, "{context}");
        assert_eq!(der(&a.path("home/root.pem")), der(&a.path("old.pem")), "{context}");
    });
    assert!(kills > 20, "only {kills} steps");
}

#[test]
fn root_renew_survives_a_crash_at_every_step() {
    let of = faults::watched();
    faults::run(&of, &faults::root_create(&of)).code(0);
    let kills = kill_everywhere(&of, renew_args, |context, a| {
        sound(a, context);
        if context.len() % 2 == 0 {
            // Another session in between neither minds nor spoils it.
            faults::run(a, &faults::pin(a)).code(0);
            settled(a, context);
        }
        faults::run(a, &renew_again(a)).code(0);
        settled(a, context);
        faults::accounted_for(a, context);
        let end = |name: &str| {
            let der = der(&a.path(name));
            anchorite::verify::describe_certificate(&der).unwrap().not_after
        };
        assert_eq!(end("home/root.pem"), end("home/journal-cert.pem"), "{context}");
        let roots = sound(a, context)["roots"].as_array().unwrap().len();
        assert!((2..=3).contains(&roots), "{context}: {roots} roots");
    });
    assert!(kills > 15, "only {kills} steps");
}
