//! Two devices, two roots: each knows the other from the start, both are in every trust
//! bundle, and nobody else gets in.

mod sheet;

use std::path::{Path, PathBuf};
use std::process::Command;

use anchorite::release::pem;
use anchorite::x509::Digest;
use serde_json::Value;

pub use self::sheet::Sheet;
use crate::adopt::COMMON;
use crate::appliance::{Appliance, PIN, Ran, copy, module, ran};
use crate::support::run;

/// A home `home` with the first root, and a home `second` with the second, in a token of its own.
struct Two(Appliance);

impl Two {
    fn apart() -> Self {
        let mut a = Appliance::with_root("p256");
        a.init_token("second");
        let (home, module) = (a.path("second"), module());
        let token = ["--token", "pkcs11:token=second", "--module", &module, "--unattended"];
        a.run(&[&["init", home.to_str().unwrap()], &token[..]].concat()).code(0);
        a.root_sha256 = fingerprint(&a.path("home/root.pem"));
        Self(a)
    }

    fn second_root(&self, name: &str, more: &[&str]) -> Ran {
        let ttl = ["--key", "p384", "--ttl", "20y", "--json", "--subject"];
        self.answered("second", &[&["root", "create"], &ttl[..], &[name], more].concat())
    }

    fn second_device(&self, file: &str) -> Ran {
        let file = self.0.path(file);
        self.second_root("O=Example,CN=Example Root B", &["--second-device", file.to_str().unwrap()])
    }

    fn companion(&self, home: &str, certificate: &str) -> Ran {
        let certificate = self.0.path(certificate);
        self.answered(home, &["root", "companion", "--certificate", certificate.to_str().unwrap()])
    }

    /// Both homes know both roots.
    fn together() -> Self {
        let this = Self::apart();
        this.second_device("home/root.pem").code(0);
        this.companion("home", "second/root.pem").code(0);
        this
    }

    fn answered(&self, home: &str, args: &[&str]) -> Ran {
        let (home, pin) = (self.0.path(home), self.0.path("pin"));
        let rest = ["--yes", "--pin-file", pin.to_str().unwrap(), "--home", home.to_str().unwrap()];
        self.0.run(&[args, &rest].concat())
    }

    /// A release of one cluster from one of the homes.
    fn release(&self, home: &str, cluster: &str) -> PathBuf {
        let out = format!("out-{home}-{cluster}");
        std::fs::create_dir(self.0.path(&out)).unwrap();
        self.0.request(cluster);
        let (from, to) = (self.0.path("in"), self.0.path(&out));
        let args = ["sign", "--policy", "istio", "--from", from.to_str().unwrap(), "--to"];
        self.answered(home, &[&args[..], &[to.to_str().unwrap()]].concat()).code(0);
        std::fs::remove_file(self.0.path(&format!("in/{cluster}.csr"))).unwrap();
        let release = std::fs::read_dir(to).unwrap().next().unwrap().unwrap();
        release.path()
    }

    fn roots(&self) -> [String; 2] {
        ["home", "second"].map(|home| fingerprint(&self.0.path(&format!("{home}/root.pem"))))
    }

    fn verify(&self, bundle: &Path, roots: &[&str]) -> Ran {
        let noted = roots.iter().flat_map(|root| ["--root-sha256", root]);
        self.0
            .run(&["verify", bundle.to_str().unwrap(), "--json"].into_iter().chain(noted).collect::<Vec<_>>())
    }

    fn audit(&self, home: &str) -> Ran {
        let home = self.0.path(home);
        self.0.run(&["audit", "verify", "--json", "--home", home.to_str().unwrap()])
    }
}

fn fingerprint(file: &Path) -> String {
    Digest::of(&pem::single("root", &std::fs::read(file).unwrap()).unwrap()).to_string()
}

fn ids(ran: &Ran) -> Vec<String> {
    let errors = ran.json()["errors"].as_array().unwrap().clone();
    errors.iter().map(|e| e["id"].as_str().unwrap().to_string()).collect()
}

fn passes(program: &str, args: &[&str], folder: &Path) -> bool {
    Command::new(program).args(args).current_dir(folder).output().unwrap().status.success()
}

#[test]
fn releases_of_both_devices_trust_both_roots_the_own_one_first() {
    let two = Two::together();
    let [first, second] = two.roots();
    let pem = |home: &str| std::fs::read(two.0.path(&format!("{home}/root.pem"))).unwrap();
    let (a, b) = (pem("home"), pem("second"));
    for (home, cluster, bundle, own, other) in [
        ("home", "east", [&a[..], &b].concat(), &first, &second),
        ("second", "west", [&b[..], &a].concat(), &second, &first),
    ] {
        let release = two.release(home, cluster);
        let folder = release.join(cluster);
        for file in [release.join("root-cert.pem"), folder.join("root-cert.pem")] {
            assert_eq!(std::fs::read(&file).unwrap(), bundle, "{}", file.display());
        }
        // Chains end at the own root, and only the own root stands in them.
        let chain = std::fs::read(folder.join("cert-chain.pem")).unwrap();
        assert_eq!(pem::certificates("chain", &chain).unwrap().len(), 2);
        for (trusted, certificate_is_good) in [(own, true), (other, false)] {
            let file = if *trusted == first { "home/root.pem" } else { "second/root.pem" };
            let file = two.0.path(file);
            let openssl = ["verify", "-x509_strict", "-CAfile", file.to_str().unwrap(), "ca-cert.pem"];
            assert_eq!(passes("openssl", &openssl, &folder), certificate_is_good, "OpenSSL, {home}");
            let gnutls = ["--verify", "--infile", "ca-cert.pem", "--load-ca-certificate"];
            let gnutls = [&gnutls[..], &[file.to_str().unwrap()]].concat();
            assert_eq!(passes("certtool", &gnutls, &folder), certificate_is_good, "GnuTLS, {home}");
        }
        run(&folder, "openssl", &["verify", "-x509_strict", "-CAfile", "root-cert.pem", "ca-cert.pem"]);
        run(
            &folder,
            "certtool",
            &["--verify", "--infile", "ca-cert.pem", "--load-ca-certificate", "root-cert.pem"],
        );

        // The documents say which, and each root must have been noted.
        for document in [release.join("MANIFEST.toml"), folder.join("receipt.toml")] {
            let text = std::fs::read_to_string(document).unwrap();
            assert!(text.contains(&format!("companions_sha256 = [\"{other}\"]")), "{text}");
        }
        for bundle in [&release, &folder] {
            let good = two.verify(bundle, &[&first, &second]).code(0);
            assert_eq!(ids(&good), [""; 0]);
            let told = good.json();
            let told = (told["root_sha256"].as_str(), told["companions_sha256"][0].as_str());
            assert_eq!(told, (Some(own.as_str()), Some(other.as_str())));
            for noted in [&[own.as_str()][..], &[own, &"0".repeat(64)]] {
                let ran = two.verify(bundle, noted).code(4);
                assert!(ids(&ran).iter().all(|id| id == "release.companion"), "{}", ran.stdout);
                assert!(ran.stdout.contains(other.as_str()));
            }
            assert!(ids(&two.verify(bundle, &[other]).code(4)).contains(&"release.root".to_string()));
        }

        // What README.txt says, with coreutils and OpenSSL alone.
        let readme = std::fs::read_to_string(release.join("README.txt")).unwrap();
        let show = readme.lines().find(|line| line.contains("awk ")).unwrap();
        let shown =
            ran(Command::new("sh").args(["-c", show]).current_dir(&release).output().unwrap()).code(0);
        let shown = shown.stdout.replace(':', "").to_lowercase();
        let (one, two_) = (shown.find(own.as_str()).unwrap(), shown.find(other.as_str()).unwrap());
        assert!(one < two_ && readme.contains(own.as_str()) && readme.contains(other.as_str()), "{readme}");
        let cms = readme.lines().find(|line| line.contains("openssl cms")).unwrap().trim();
        assert!(passes("sh", &["-c", cms], &release), "{cms}");
        let journal = release.join("journal");
        let root = release.join("root-cert.pem");
        let (journal, root) = (journal.to_str().unwrap(), root.to_str().unwrap());
        two.0.run(&["audit", "verify", "--journal", journal, "--root", root, "--root-sha256", own]).code(0);
    }
    for (home, other) in [("home", &second), ("second", &first)] {
        let report = two.audit(home).code(0).json();
        assert_eq!((&report["state"], &report["companions"][0]), (&"ok".into(), &other.as_str().into()));
    }
}

#[test]
fn assemble_takes_the_bundle_with_every_root_noted() {
    let two = Two::together();
    let [first, second] = two.roots();
    let bundle = two.release("home", "east").join("east");
    let assemble = |out: &str, noted: &[&str]| {
        let (key, out) = (two.0.path("keys/east.key"), two.0.path(out));
        let (key, out) = (key.to_str().unwrap(), out.to_str().unwrap());
        let args = ["assemble", "--bundle", bundle.to_str().unwrap(), "--key", key, "--out", out];
        two.0.run(&[&args[..], noted].concat())
    };
    assemble("a", &["--root-sha256", &first, "--root-sha256", &second]).code(0);
    assemble("b", &[]).fails(2, "command-line.usage");
    assemble("c", &["--root-sha256", &first]).fails(4, "release.companion");
    assemble("d", &["--root-sha256", &second]).fails(4, "release.root");
    let secret = |out: &str| std::fs::read(two.0.path(&format!("{out}/root-cert.pem"))).unwrap();
    let both = std::fs::read(bundle.join("root-cert.pem")).unwrap();
    assert!(secret("a") == both && !two.0.path("b").exists() && !two.0.path("c").exists());
}

#[test]
fn a_bundle_with_another_root_more_or_less_is_refused() {
    let two = Two::together();
    let [first, second] = two.roots();
    let release = two.release("home", "east");
    two.0.make_old_root();
    let pem = |file: &str| std::fs::read_to_string(two.0.path(file)).unwrap();
    let (a, b, strange) = (pem("home/root.pem"), pem("second/root.pem"), pem("old.pem"));
    let third = fingerprint(&two.0.path("old.pem"));
    for (case, bundle) in [
        ("one less", a.clone()),
        ("one more", format!("{a}{b}{strange}")),
        ("another", format!("{a}{strange}")),
        ("another order", format!("{b}{a}")),
        ("twice", format!("{a}{b}{b}")),
        (
            "the intermediate",
            format!("{a}{b}{}", std::fs::read_to_string(release.join("east/ca-cert.pem")).unwrap()),
        ),
    ] {
        let touched = two.0.path("touched");
        copy(&release, &touched);
        std::fs::write(touched.join("root-cert.pem"), &bundle).unwrap();
        std::fs::write(touched.join("east/root-cert.pem"), &bundle).unwrap();
        // Whoever edits the bundle edits the sums and what is said of it as well, but cannot sign.
        let noted = [first.as_str(), &second, &third];
        for place in [touched.clone(), touched.join("east")] {
            let ran = two.verify(&place, &noted).code(4);
            let found = ids(&ran);
            let own = ["release.receipt", "release.pem", "release.chain", "release.manifest"];
            assert!(found.iter().any(|id| own.contains(&id.as_str())), "{case}: {found:?}");
        }
        if case == "one more" {
            assert!(two.verify(&touched, &noted).stdout.contains("has other roots on record"), "{case}");
            let unknown = two.verify(&touched.join("east"), &[&first, &second]).code(4);
            assert!(ids(&unknown).contains(&"release.companion".into()) && unknown.stdout.contains(&third));
        }
        std::fs::remove_dir_all(touched).unwrap();
    }
}

#[test]
fn what_cannot_be_a_companion_is_refused() {
    let two = Two::apart();
    let a = &two.0;
    let journal = |home: &str| std::fs::read(a.path(&format!("{home}/journal/journal.jsonl"))).unwrap();
    let before = (journal("home"), journal("second"));
    // The same name, whatever its case and blanks; and this token's own key.
    let file = a.path("home/root.pem");
    for name in ["O=Example,CN=Example Root G1", "O=EXAMPLE,CN=example  root G1"] {
        two.second_root(name, &["--second-device", file.to_str().unwrap()]).fails(1, "companion.same-name");
    }
    two.companion("home", "home/root.pem").fails(1, "companion.same-key");
    // Not fit, and no certificate at all.
    a.make_old_root();
    for (name, extensions) in [
        (
            "no-ski",
            COMMON.replace(
                "subjectKeyIdentifier = hash\nauthorityKeyIdentifier = keyid:always,issuer:always\n",
                "subjectKeyIdentifier = none\nauthorityKeyIdentifier = none\n",
            ),
        ),
        ("no-ca", COMMON.replace("CA:TRUE", "CA:FALSE")),
        ("no-sign", COMMON.replace("keyCertSign", "digitalSignature")),
    ] {
        a.old_root_by("old", name, "CN = Old Root", &extensions, &[]);
        two.second_device(&format!("{name}.pem")).fails(1, "companion.unfit");
        two.companion("home", &format!("{name}.pem")).fails(1, "companion.unfit");
    }
    a.old_root_by("old", "rehearsal", "CN = Old Root REHEARSAL", COMMON, &[]);
    two.second_device("rehearsal.pem").fails(2, "companion.rehearsal");
    a.write("two.pem", [std::fs::read(&file).unwrap(), std::fs::read(a.path("old.pem")).unwrap()].concat());
    for file in ["two.pem", "pin"] {
        two.second_device(file).fails(2, "companion.certificate-file");
        two.companion("home", file).fails(2, "companion.certificate-file");
    }
    // Its key lies in the very token: `old` was imported into the first one.
    two.companion("home", "old.pem").fails(1, "companion.same-token");
    assert!((journal("home"), journal("second")) == before, "something is on record");
    two.companion("second", "home/root.pem").fails(2, "home.no-root");
    two.second_device("home/root.pem").code(0);
    two.companion("home", "second/root.pem").code(0);
    two.companion("home", "second/root.pem").fails(1, "companion.known");
}

#[test]
fn one_device_cannot_hold_both_roots() {
    let two = Two::apart();
    let home = two.0.path("third");
    let token = ["--token", "pkcs11:token=ceremony", "--module", &module(), "--unattended"];
    two.0.run(&[&["init", home.to_str().unwrap()], &token[..]].concat()).code(0);
    let first = two.0.path("home/root.pem");
    let args = ["root", "create", "--subject", "CN=B", "--key", "p256", "--ttl", "20y", "--label", "b"];
    let args = [&args[..], &["--second-device", first.to_str().unwrap()]].concat();
    two.answered("third", &args).fails(1, "companion.same-token");
}

/// Whoever can write to the disk can add a line, but not seal it.
#[test]
fn a_root_that_somebody_wrote_into_the_journal_is_never_trusted() {
    let two = Two::apart();
    let a = &two.0;
    // Before the lines that it is to pose among: the audit judges it as of their time.
    a.make_old_root();
    two.second_device("home/root.pem").code(0);
    two.companion("home", "second/root.pem").code(0);
    let journal = a.journal();
    let event = journal.lines().find(|line| line.contains("\"event\":\"companions\"")).unwrap();
    let mut event: Value = serde_json::from_str(event).unwrap();
    let last = journal.lines().last().unwrap();
    let before: Value = serde_json::from_str(last).unwrap();
    event["seq"] = journal.lines().count().into();
    event["time"] = before["time"].clone();
    event["prev"] = Digest::of(last.as_bytes()).to_string().into();
    let der = pem::single("old", &std::fs::read(a.path("old.pem")).unwrap()).unwrap();
    let mut strange = event["roots"][0].clone();
    let encoded = a.command("openssl").args(["base64", "-A", "-in"]).arg(der_file(a, &der)).output().unwrap();
    strange["certificate"] = String::from_utf8(encoded.stdout).unwrap().into();
    event["roots"].as_array_mut().unwrap().push(strange);
    let order = ["seq", "time", "prev", "event", "roots"];
    let fields: Vec<String> = order.iter().map(|key| format!("\"{key}\":{}", event[key])).collect();
    a.write("home/journal/journal.jsonl", format!("{journal}{{{}}}\n", fields.join(",")));

    let report = two.audit("home").code(1).json();
    assert_eq!(report["companions"].as_array().unwrap().len(), 1, "{report}");
    assert!(report["open"].to_string().contains("other roots were put on record and not sealed"), "{report}");
    let release = two.release("home", "east");
    let [first, second] = two.roots();
    two.verify(&release, &[&first, &second]).code(0);
    let report = two.audit("home").code(0).json();
    assert_eq!((&report["state"], &report["companions"]), (&"ok".into(), &serde_json::json!([second])));
}

fn der_file(a: &Appliance, der: &[u8]) -> PathBuf {
    a.write("old.der", der);
    a.path("old.der")
}

#[test]
fn a_companion_on_record_cannot_be_exchanged() {
    let two = Two::together();
    let a = &two.0;
    let journal = a.journal();
    let line = journal.lines().find(|line| line.contains("\"event\":\"companions\"")).unwrap();
    let at = line.find("\"certificate\":\"").unwrap() + 200;
    let mut edited = line.to_string();
    let other = if &line[at..=at] == "A" { "B" } else { "A" };
    edited.replace_range(at..=at, other);
    a.write("home/journal/journal.jsonl", journal.replace(line, &edited));
    assert_eq!(two.audit("home").code(4).json()["state"], "broken");
    a.request("east");
    let refused = a.sign(&["--policy", "istio"]);
    assert_eq!(refused.code, 4, "{}", refused.stderr);
}

#[test]
fn a_renewed_companion_takes_the_place_of_the_old_one() {
    let two = Two::together();
    let [first, old] = two.roots();
    copy(&two.0.path("second/root.pem"), &two.0.path("old-second.pem"));
    two.answered("second", &["root", "renew", "--ttl", "30y"]).code(0);
    let [_, new] = two.roots();
    two.companion("home", "second/root.pem").code(0);
    two.companion("home", "old-second.pem").fails(1, "companion.known");
    let release = two.release("home", "east");
    two.verify(&release, &[&first, &new]).code(0);
    two.verify(&release, &[&first, &old]).code(4);
    assert_eq!(two.audit("home").code(0).json()["companions"], serde_json::json!([new]));
    // Its own companion lives through the renewal.
    let release = two.release("second", "west");
    two.verify(&release, &[&first, &new]).code(0);
}

#[test]
fn an_export_brings_the_companion_back() {
    let two = Two::together();
    let [first, second] = two.roots();
    std::fs::create_dir(two.0.path("archive")).unwrap();
    two.0.run(&["audit", "export", "--to", two.0.path("archive").to_str().unwrap()]).code(0);
    std::fs::remove_dir_all(two.0.path("home")).unwrap();
    let token = ["--token", "pkcs11:token=ceremony", "--module", &module(), "--unattended"];
    two.0.run(&[&["init", two.0.path("home").to_str().unwrap()], &token[..]].concat()).code(0);
    let export = std::fs::read_dir(two.0.path("archive")).unwrap().next().unwrap().unwrap().path();
    let journal = export.join("journal");
    two.0.run(&["audit", "restore", "--from", journal.to_str().unwrap(), "--root-sha256", &first]).code(0);
    let release = two.release("home", "east");
    two.verify(&release, &[&first, &second]).code(0);
    two.audit("home").code(0);
}

#[test]
fn no_certificate_takes_a_companions_name() {
    let two = Two::together();
    let a = &two.0;
    a.tool("openssl", &["genpkey", "-algorithm", "ED25519", "-out", "x.key"]);
    let name = "/O=Example/CN=example  root B";
    a.tool("openssl", &["req", "-new", "-key", "x.key", "-subj", name, "-out", "in/x.csr"]);
    let ran = a.sign(&["--policy", "istio"]).code(1);
    assert!(ran.stderr.contains("subject.issuer"), "{}", ran.stderr);
}

#[test]
fn a_root_half_made_keeps_the_companion_it_was_begun_with() {
    let two = Two::apart();
    let a = &two.0;
    two.second_device("home/root.pem").code(0);
    // As a crash left it that came before the key was asked for.
    let journal = std::fs::read_to_string(a.path("second/journal/journal.jsonl")).unwrap();
    let before = journal.lines().take_while(|line| !line.contains("\"event\":\"key-intent\""));
    let kept: Vec<&str> = before.collect();
    assert!(kept.last().unwrap().contains("\"event\":\"companions\""));
    a.write("second/journal/journal.jsonl", kept.join("\n") + "\n");
    let first = serde_json::json!({"count": 1, "hash": Digest::of(kept[0].as_bytes())});
    a.write("second/state/head", format!("{first}\n"));
    for made in ["root.pem", "journal-cert.pem"] {
        std::fs::remove_file(a.path(&format!("second/{made}"))).unwrap();
    }
    std::fs::remove_dir_all(a.path("second/issued")).unwrap();
    std::fs::create_dir(a.path("second/issued")).unwrap();
    reinitialise(a, "second");

    two.second_root("O=Example,CN=Example Root B", &[]).fails(2, "root.resume");
    a.make_old_root();
    two.second_device("old.pem").fails(2, "root.resume");
    two.second_device("home/root.pem").code(0);
    assert_eq!(two.audit("second").code(0).json()["companions"], serde_json::json!([a.root_sha256]));
}

/// The token as it was before the root was made.
fn reinitialise(a: &Appliance, label: &str) {
    a.tool("softhsm2-util", &["--delete-token", "--token", label]);
    a.tool(
        "softhsm2-util",
        &["--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "13572468"],
    );
}
