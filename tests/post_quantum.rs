//! ML-DSA (FIPS 204, RFC 9881) as far as it goes without a token that has it: behind the
//! switch for roots, and behind the policies' lists for intermediates. Roots in a token
//! that has it are in `conformance`.

pub mod foreign;

use anchorite::x509::pem;
use foreign::{Foreign, ML_DSA_65, ML_DSA_87};

use crate::appliance::{Appliance, Ran};
use crate::conformance;
use crate::defects::csr::{self, Csr};
use crate::support::run;

/// Puts an edit of the home's documents in force.
pub fn edit(home: &std::path::Path, file: &str, from: &str, to: &str) {
    let path = home.join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file} has no {from:?}");
    std::fs::write(path, text.replace(from, to)).unwrap();
}

/// Roots of ML-DSA are wanted.
pub fn allow_roots(home: &std::path::Path) {
    edit(home, "anchorite.toml", "post-quantum = false", "post-quantum = true");
}

/// The policy takes ML-DSA for keys and from the root.
pub fn allow_keys(home: &std::path::Path) {
    let both = "\"ml-dsa-65\", \"ml-dsa-87\"]";
    edit(home, "policies/istio.toml", "\"p384\", \"rsa\"]", &format!("\"p384\", \"rsa\", {both}"));
    edit(home, "policies/istio.toml", "\"ed25519\"]", &format!("\"ed25519\", {both}"));
}

impl Appliance {
    fn pinned(&self) {
        let pin = self.path("pin");
        self.run(&["policy", "pin", "--yes", "--pin-file", pin.to_str().unwrap()]).code(0);
    }

    fn companion(&self, file: &str) -> Ran {
        let (file, pin) = (self.path(file), self.path("pin"));
        let args = ["root", "companion", "--certificate", file.to_str().unwrap()];
        self.run(&[&args[..], &["--yes", "--pin-file", pin.to_str().unwrap()]].concat())
    }

    /// A request from a key that `request` makes.
    pub fn request_with(&self, cluster: &str, kind: &str) {
        std::fs::create_dir_all(self.path("keys")).unwrap();
        let (key, stick) = (self.path(&format!("keys/{cluster}.key")), self.path("in"));
        let (key, stick) = (key.to_str().unwrap(), stick.to_str().unwrap());
        let of = ["request", "--cluster", cluster, "--profile", "istio", "--organisation", "Istio"];
        self.run(&[&of[..], &["--key", key, "--to", stick, "--algorithm", kind]].concat()).code(0);
    }

    /// A request that another implementation made and signed.
    pub fn foreign_request(&self, cluster: &str, key: Foreign) {
        let (spki, algorithm) = (key.spki(), csr::algorithm(key.oid, &[]));
        let der = Csr::good(cluster).keyed(csr::Key::MlDsa(key), spki, algorithm);
        self.write(&format!("in/{cluster}.csr"), csr::pem("CERTIFICATE REQUEST", &der));
    }
}

#[test]
fn a_root_needs_the_switch_and_a_token_that_has_ml_dsa() {
    let a = Appliance::with_home();
    let before = a.journal();
    for kind in ["ml-dsa-65", "ml-dsa-87"] {
        let ran = a.create_root(kind, &[]).fails(1, "root.post-quantum");
        assert!(ran.stderr.contains("post-quantum = true under [root]"), "{}", ran.stderr);
    }
    let ran = a.create_root("ml-dsa-44", &[]).fails(2, "command-line.usage");
    assert!(ran.stderr.contains("category 2"), "{}", ran.stderr);
    assert_eq!(a.journal(), before);
    allow_roots(&a.path("home"));
    a.pinned();
    let before = a.journal();
    let ran = a.create_root("ml-dsa-65", &[]).fails(3, "token.mechanism");
    assert!(ran.stderr.contains("it has no CKM_ML_DSA_KEY_PAIR_GEN"), "{}", ran.stderr);
    assert_eq!(a.journal(), before);
}

#[test]
fn no_yubikey_has_ml_dsa() {
    let rig = conformance::yubikey();
    let home = rig.arg("home");
    rig.anchorite(&["init", &home, "--token", &rig.uri, "--unattended"]).code(0);
    allow_roots(home.as_ref());
    rig.verb(&["policy", "pin"]).code(0);
    let create = ["root", "create", "--subject", "CN=Root", "--key", "ml-dsa-65", "--ttl", "20y"];
    let ran = rig.verb(&create).fails(3, "token.mechanism");
    assert!(ran.stderr.contains("no YubiKey has ml-dsa-65 keys"), "{}", ran.stderr);
}

#[test]
fn an_intermediate_under_a_classic_root_where_its_policy_names_it() {
    let a = Appliance::with_root("p256");
    a.request_with("east", "ml-dsa-65");
    a.request_with("south", "ml-dsa-87");
    a.foreign_request("west", Foreign::new(ML_DSA_87));
    a.foreign_request("north", Foreign::new(ML_DSA_65));
    let refused = a.sign(&["--policy", "istio"]).fails(1, "plan.refusals");
    assert!(refused.stderr.contains("key.algorithm"), "{}", refused.stderr);
    allow_keys(&a.path("home"));
    a.pinned();
    a.sign(&["--policy", "istio"]).code(0);

    let release = a.release();
    a.run(&["verify", release.to_str().unwrap(), "--root-sha256", &a.root_sha256]).code(0);
    assert_eq!(a.audit(&[]).code(0).json()["state"], "ok");
    // OpenSSL of Debian 12 cannot read such a key, GnuTLS passes it over.
    for cluster in ["east", "west", "south", "north"] {
        let certificate = format!("{cluster}/ca-cert.pem");
        let verify = ["--verify", "--load-ca-certificate", "root-cert.pem", "--infile", &certificate];
        let verified = run(&release, "certtool", &verify).stdout;
        assert!(String::from_utf8_lossy(&verified).contains("The certificate is trusted"));
    }
    assert!(std::fs::read_to_string(release.join("README.txt")).unwrap().contains("OpenSSL 3.5 or newer"));
    // The cluster's side reads its key again.
    for cluster in ["east", "south"] {
        let (bundle, key) = (release.join(cluster), a.path(&format!("keys/{cluster}.key")));
        let out = a.path(&format!("{cluster}-cacerts"));
        let of = ["assemble", "--root-sha256", &a.root_sha256, "--out", out.to_str().unwrap()];
        let of = [&of[..], &["--key", key.to_str().unwrap()]].concat();
        a.run(&[&of[..], &["--bundle", bundle.to_str().unwrap()]].concat()).code(0);
        let other = release.join("north");
        let of: Vec<&str> = of.iter().map(|w| if w.ends_with("cacerts") { "elsewhere" } else { w }).collect();
        a.run(&[&of[..], &["--bundle", other.to_str().unwrap()]].concat()).fails(1, "assemble.key-mismatch");
    }
}

#[test]
fn another_devices_root_or_one_to_take_over_needs_the_switch_too() {
    let mut a = Appliance::with_root("p256");
    let der = Foreign::new(ML_DSA_87).root("Example Root PQ");
    a.write("pq.pem", pem::certificate(&der));
    let before = a.journal();
    a.companion("pq.pem").fails(1, "root.post-quantum");
    assert_eq!(a.journal(), before);
    allow_roots(&a.path("home"));
    a.pinned();
    a.companion("pq.pem").code(0);
    a.request("east");
    a.sign(&["--policy", "istio"]).code(0);
    let (release, own) = (a.release(), std::mem::take(&mut a.root_sha256));
    let both = anchorite::x509::Digest::of(&der).to_string();
    let verify = ["verify", release.to_str().unwrap(), "--root-sha256", &own];
    let ran = a.run(&verify).code(4);
    assert!(ran.stdout.contains("[release.companion]"), "{}", ran.stdout);
    a.run(&[&verify[..], &["--root-sha256", &both]].concat()).code(0);
    // Who cannot load one root is not in the way of the other.
    run(&release, "openssl", &["verify", "-x509_strict", "-CAfile", "root-cert.pem", "east/ca-cert.pem"]);
    assert!(!std::fs::read_to_string(release.join("README.txt")).unwrap().contains("3.5 or newer"));

    let fresh = Appliance::with_home();
    fresh.write("pq.pem", pem::certificate(&der));
    fresh.adopt("pq", "pkcs11:object=root", &[]).fails(1, "root.post-quantum");
}
