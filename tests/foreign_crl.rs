//! CRLs between OpenSSL and us: it judges ours, and what it makes itself is read here.

use std::path::Path;
use std::process::Command;

use anchorite::lint::lint_crl;
use anchorite::verify::{read_crl, verify_crl};
use anchorite::x509::{CrlSpec, Issuer, Reason, Revocation, Tbs, Time};

use crate::pki::Pki;
use crate::support::run;

/// A root with two intermediates, by OpenSSL.
struct Scene {
    pki: Pki,
    root: Issuer,
}

impl Scene {
    fn new() -> Self {
        let pki = Pki::new("Example Root");
        for name in ["east", "west"] {
            pki.issue(name, "intermediate", "root", &format!("/O=Example/CN={name}"));
        }
        let root = Issuer::from_der(&pki.der("root")).unwrap();
        Self { pki, root }
    }

    fn dir(&self) -> &Path {
        self.pki.path()
    }

    fn revocation(&self, name: &str, reason: Reason) -> Revocation {
        let serial = Issuer::from_der(&self.pki.der(name)).unwrap().serial;
        let now = now();
        Revocation { serial, date: now, reason, invalidity_date: Some(Time::from_unix(now.unix() - 9)) }
    }

    /// A CRL of the root's, signed by OpenSSL with its key, verified and laid down as PEM.
    fn signed(&self, entries: Vec<Revocation>) {
        let now = now();
        let spec = CrlSpec {
            signature: self.root.signature,
            issuer: self.root.subject.clone(),
            key_id: self.root.key_id.clone(),
            this_update: Time::from_unix(now.unix() - 300),
            next_update: Time::from_unix(now.unix() + 86_400),
            number: 1,
            entries: entries.clone(),
        };
        let tbs: Tbs = lint_crl(spec.to_tbs().unwrap(), &self.root).unwrap().into_inner();
        std::fs::write(self.dir().join("tbs"), tbs.as_der()).unwrap();
        let signature = self.pki.openssl("dgst -sha256 -sign root.key tbs", &[]);
        let der = tbs.assemble(&signature).unwrap();
        assert_eq!(verify_crl(&tbs, &der, &self.root, &entries).unwrap().get().entries, entries);
        std::fs::write(self.dir().join("crl.der"), der).unwrap();
        self.pki.openssl("crl -inform DER -in crl.der -out crl.pem", &[]);
    }

    /// What OpenSSL says of an intermediate with `crl.pem` at hand.
    fn judged(&self, name: &str) -> (bool, String) {
        let arguments =
            ["verify", "-x509_strict", "-crl_check", "-CAfile", "root.pem", "-CRLfile", "crl.pem"];
        let output = Command::new("openssl")
            .args(arguments)
            .arg(format!("{name}.pem"))
            .current_dir(self.dir())
            .output()
            .unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

fn now() -> Time {
    Time::from_unix(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs())
}

#[test]
fn openssl_agrees_with_ours() {
    let scene = Scene::new();
    scene.signed(Vec::new());
    for name in ["east", "west"] {
        assert!(scene.judged(name).0, "{}", scene.judged(name).1);
    }
    scene.signed(vec![scene.revocation("east", Reason::KeyCompromise)]);
    let (passes, why) = scene.judged("east");
    assert!(!passes && why.contains("certificate revoked"), "{why}");
    assert!(scene.judged("west").0);
    let verified = run(scene.dir(), "openssl", &["crl", "-in", "crl.pem", "-CAfile", "root.pem", "-text"]);
    assert!(String::from_utf8_lossy(&verified.stderr).contains("verify OK"));
    let text = String::from_utf8_lossy(&verified.stdout).into_owned();
    for wanted in ["Version 2", "Key Compromise", "Invalidity Date", "X509v3 CRL Number"] {
        assert!(text.contains(wanted), "{wanted} in {text}");
    }
}

const CONFIG: &str = "
[ca]
default_ca = root
[root]
database = index.txt
crlnumber = number
default_md = sha256
default_crl_days = 30
crl_extensions = extensions
certificate = root.pem
private_key = root.key
[extensions]
authorityKeyIdentifier = keyid:always
";

#[test]
fn openssls_own_is_read() {
    let scene = Scene::new();
    for (name, text) in [("ca.cnf", CONFIG), ("index.txt", ""), ("number", "0a\n")] {
        std::fs::write(scene.dir().join(name), text).unwrap();
    }
    let make = |name: &str| {
        scene.pki.openssl(&format!("ca -config ca.cnf -gencrl -out {name}.pem"), &[]);
        let der = scene.pki.openssl(&format!("crl -in {name}.pem -outform DER"), &[]);
        read_crl(&der, &scene.root)
    };
    let empty = make("empty").unwrap();
    assert_eq!((empty.number, empty.entries.len()), (10, 0));
    scene.pki.openssl("ca -config ca.cnf -revoke west.pem -crl_reason superseded", &[]);
    let one = make("one").unwrap();
    let wanted = scene.revocation("west", Reason::Superseded);
    assert_eq!((one.number, one.entries[0].reason), (11, wanted.reason));
    assert_eq!(one.entries[0].serial, wanted.serial);
    // Without extensions nobody can tell one key from the next, nor the later list.
    let bare = CONFIG.replace("crl_extensions", "#").replace("crlnumber", "#");
    std::fs::write(scene.dir().join("ca.cnf"), bare).unwrap();
    let error = make("bare").unwrap_err();
    assert!(error.id == "verify.crl.lint" && error.message.contains("lint.crl.extension.known"), "{error}");
}
