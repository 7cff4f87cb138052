//! Detached signatures made by OpenSSL, and both forgeries that a careless
//! verifier would believe.

use std::path::Path;

use anchorite::verify::{SignedAttributes, verify_detached};

use crate::support::run;

const CONTENT: &[u8] = b"b5bb9d8014a0f9b1d61e21e796d78dcc  MANIFEST.toml\n";

const EXTENSIONS: &str = "
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[ca]
basicConstraints = critical,CA:TRUE,pathlen:0
keyUsage = critical,keyCertSign,cRLSign,digitalSignature
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid:always
[journal]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,1.3.6.1.5.5.7.3.36
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid:always
";

/// A root, its journal, an intermediate `east`, and a leaf of east's with the
/// journal's profile and name, all by OpenSSL.
struct Scene(tempfile::TempDir);

impl Scene {
    fn new() -> Self {
        let scene = Self(tempfile::tempdir().unwrap());
        std::fs::write(scene.dir().join("extensions"), EXTENSIONS).unwrap();
        std::fs::write(scene.dir().join("SHA256SUMS"), CONTENT).unwrap();
        scene.certificate("root", "root", "Example Root", "root", 3650);
        scene.certificate("journal", "journal", "Example Root journal", "root", 3649);
        scene.certificate("east", "ca", "east", "root", 3649);
        scene.certificate("forged", "journal", "Example Root journal", "east", 3648);
        scene
    }

    fn dir(&self) -> &Path {
        self.0.path()
    }

    fn openssl(&self, arguments: &str) {
        run(self.dir(), "openssl", &arguments.split(' ').collect::<Vec<_>>());
    }

    fn certificate(&self, name: &str, section: &str, cn: &str, issuer: &str, days: u32) {
        self.openssl(&format!("ecparam -name prime256v1 -genkey -noout -out {name}.key"));
        let subject = format!("/O=Example/CN={cn}");
        let request = format!("{name}.csr");
        let key = format!("{name}.key");
        run(self.dir(), "openssl", &["req", "-new", "-key", &key, "-subj", &subject, "-out", &request]);
        let signer = match name == issuer {
            true => format!("-key {key}"),
            false => format!("-CA {issuer}.pem -CAkey {issuer}.key -CAcreateserial"),
        };
        let sign = if name == issuer { signer.replace("-key", "-signkey") } else { signer };
        self.openssl(&format!(
            "x509 -req -in {request} {sign} -days {days} -sha256 -extfile extensions -extensions {section} -out {name}.pem"
        ));
        self.openssl(&format!("x509 -in {name}.pem -outform DER -out {name}.der"));
    }

    /// `openssl cms -sign` with these options; the signature's DER.
    fn sign(&self, options: &str) -> Vec<u8> {
        self.openssl(&format!("cms -sign -binary -in SHA256SUMS -outform DER -out made.p7s {options}"));
        self.read("made.p7s")
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.dir().join(name)).unwrap()
    }

    fn verify(&self, p7s: &[u8], signer: &str) -> anchorite::Result<SignedAttributes> {
        verify_detached(p7s, CONTENT, &self.read(&format!("{signer}.der")), &self.read("root.der"))
    }

    #[track_caller]
    fn refused(&self, id: &str, p7s: &[u8], signer: &str) {
        let error = self.verify(p7s, signer).unwrap_err();
        assert_eq!((error.id, error.kind.exit_code()), (id, 4), "{error}");
    }
}

const JOURNAL: &str = "-signer journal.pem -inkey journal.key -md sha256";

#[test]
fn openssls_signatures_by_the_journals_key_are_accepted() {
    let scene = Scene::new();
    let signed = scene.verify(&scene.sign(&format!("{JOURNAL} -nocerts")), "journal").unwrap();
    assert!(signed.signing_time.is_some(), "OpenSSL states when it signed");
    assert!(signed.content_identifier.is_none(), "and nothing of a plan");
    // By key identifier, and with certificates that are passed over.
    for options in ["-nocerts -keyid", "-certfile east.pem", "-nocerts -nosmimecap"] {
        scene.verify(&scene.sign(&format!("{JOURNAL} {options}")), "journal").unwrap();
    }
}

#[test]
fn altered_content_and_every_altered_byte() {
    let scene = Scene::new();
    let p7s = scene.sign(&format!("{JOURNAL} -nocerts"));
    let (journal, root) = (scene.read("journal.der"), scene.read("root.der"));
    let error = verify_detached(&p7s, b"something else", &journal, &root).unwrap_err();
    assert_eq!(error.id, "verify.cms.digest");
    for n in 0..p7s.len() {
        let mut bent = p7s.clone();
        bent[n] ^= 0x02;
        assert!(verify_detached(&bent, CONTENT, &journal, &root).is_err(), "byte {n}");
        assert!(verify_detached(&p7s[..n], CONTENT, &journal, &root).is_err(), "cut at {n}");
    }
    scene.refused("verify.cms.parse", &[&p7s[..], &[0]].concat(), "journal");
}

#[test]
fn a_forgery_by_an_intermediates_own_key() {
    let scene = Scene::new();
    let p7s = scene.sign("-signer east.pem -inkey east.key -md sha256");
    scene.refused("verify.cms.signer", &p7s, "journal");
    // Even where the intermediate lies on the stick in the journal's place.
    scene.refused("verify.journal-certificate", &p7s, "east");
}

#[test]
fn a_forgery_by_a_leaf_of_an_intermediate() {
    let scene = Scene::new();
    let p7s = scene.sign("-signer forged.pem -inkey forged.key -md sha256 -certfile east.pem");
    scene.refused("verify.cms.signer", &p7s, "journal");
    scene.refused("verify.path.name-chaining", &p7s, "forged");
}

/// The line that the design gives to people without anchorite.
fn openssl_verifies(scene: &Scene, options: &str) -> bool {
    let line = format!(
        "cms -verify -inform DER -in made.p7s -content SHA256SUMS -binary -purpose any -CAfile root.pem -out /dev/null {options}"
    );
    let arguments: Vec<&str> = line.split(' ').collect();
    std::process::Command::new("openssl")
        .args(arguments)
        .current_dir(scene.dir())
        .output()
        .unwrap()
        .status
        .success()
}

#[test]
fn openssl_alone_can_check_and_is_fooled_only_without_nointern() {
    let scene = Scene::new();
    let pinned = "-nointern -certfile journal.pem";
    scene.sign(&format!("{JOURNAL} -nocerts"));
    assert!(openssl_verifies(&scene, pinned));
    for forger in
        ["-signer east.pem -inkey east.key", "-signer forged.pem -inkey forged.key -certfile east.pem"]
    {
        scene.sign(&format!("{forger} -md sha256"));
        assert!(openssl_verifies(&scene, ""), "the forgery works on whoever trusts what it brings along");
        assert!(!openssl_verifies(&scene, pinned));
    }
}

#[test]
fn shapes_that_are_not_ours() {
    let scene = Scene::new();
    scene.sign(&format!("{JOURNAL} -nocerts"));
    scene.openssl("cms -resign -in made.p7s -inform DER -outform DER -out two.p7s -signer east.pem -inkey east.key -md sha256 -nocerts");
    scene.refused("verify.cms.parse", &scene.read("two.p7s"), "journal");
    for options in ["-noattr", "-nodetach", "-stream -nodetach"] {
        scene.refused("verify.cms.parse", &scene.sign(&format!("{JOURNAL} -nocerts {options}")), "journal");
    }
    let sha384 = JOURNAL.replace("sha256", "sha384");
    scene.refused("verify.cms.parse", &scene.sign(&format!("{sha384} -nocerts")), "journal");
    scene.refused("verify.cms.parse", b"", "journal");
    scene.refused("verify.path.key-id", &scene.sign(&format!("{JOURNAL} -nocerts")), "root");
}
