//! A fleet of every kind of consumer, signed in one session, each bundle laid out as its
//! cluster has it: `bundle` the folder in the release, `out` what `assemble` made of it,
//! `status` what the object came to that asked, `key` and `csr` the cluster's own.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use anchorite::release::Consumer;
use data_encoding::BASE64;
use serde_json::Value;

use super::judges;
use crate::appliance::Appliance;
use crate::bundles::kubectl::program;
use crate::mesh::Authority;
use crate::support::run;

pub struct Fleet(Appliance);

pub struct Cluster(PathBuf);

impl Fleet {
    /// A cluster for each of these profiles, which is also its name.
    pub fn new(profiles: &[&str]) -> Self {
        let fleet = Self(Appliance::with_root("p256"));
        fleet.register(profiles);
        for profile in profiles {
            fleet.request(profile);
        }
        fleet.0.sign(&[]).code(0);
        fleet.others();
        profiles.iter().for_each(|profile| fleet.lay_out(profile));
        fleet
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path(name)
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn cluster(&self, profile: &str) -> Cluster {
        Cluster(self.path(&format!("clusters/{profile}")))
    }

    fn register(&self, profiles: &[&str]) {
        let entry = |profile: &&str| format!("[clusters.{profile}]\npolicy = \"{profile}\"\n");
        self.0.write("home/clusters.toml", profiles.iter().map(entry).collect::<String>());
        let pin = self.path("pin");
        self.0.run(&["policy", "pin", "--yes", "--pin-file", pin.to_str().unwrap()]).code(0);
    }

    /// A request on the stick; in an object, where the consumer answers one.
    fn request(&self, profile: &str) {
        self.0.request_for(profile, profile);
        let csr = self.path(&format!("in/{profile}.csr"));
        let folder = self.path(&format!("clusters/{profile}"));
        fs::create_dir_all(&folder).unwrap();
        fs::copy(&csr, folder.join("csr")).unwrap();
        let Some(object) = object(profile, &fs::read(&csr).unwrap()) else { return };
        fs::write(folder.join("object.yaml"), &object).unwrap();
        fs::rename(csr, folder.join("csr")).unwrap();
        fs::write(self.path(&format!("in/{profile}.yaml")), &object).unwrap();
    }

    fn lay_out(&self, profile: &str) {
        let cluster = self.cluster(profile);
        let key = self.path(&format!("keys/{profile}.key"));
        symlink(self.0.release().join(profile), cluster.path("bundle")).unwrap();
        symlink(self.path("other"), cluster.path("other")).unwrap();
        symlink(&key, cluster.path("key")).unwrap();
        if cluster.path("object.yaml").exists() {
            return cluster.answered();
        }
        let consumer = Consumer::ALL.iter().find(|c| c.terms().name == profile);
        if consumer.is_some_and(|c| c.terms().assembled.is_err()) {
            return;
        }
        let [bundle, key, out] =
            [cluster.path("bundle"), key, cluster.path("out")].map(|path| path.to_str().unwrap().to_string());
        let args = ["assemble", "--bundle", &bundle, "--key", &key, "--out", &out, "--root-sha256"];
        self.0.run(&[&args[..], &[&self.0.root_sha256]].concat()).code(0);
    }

    /// What is not as it should be: another root and another key, a root with a key that is not
    /// for everybody, a CA that may have none below it, a certificate that says nothing.
    fn others(&self) {
        let other = self.path("other");
        fs::create_dir(&other).unwrap();
        let openssl = |words: &str| drop(run(&other, "openssl", &words.split(' ').collect::<Vec<_>>()));
        for (curve, key, certificate) in [("P-256", "key", "root.pem"), ("P-384", "p384.key", "p384.pem")] {
            openssl(&format!(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:{curve} -nodes -keyout {key} -out {certificate} -subj /CN=Other"
            ));
        }
        openssl("req -new -key key -subj /CN=bare -out bare.csr");
        openssl("x509 -req -in bare.csr -signkey key -out bare.pem");
        fs::copy(self.0.release().join("istio/ca-cert.pem"), other.join("low.pem")).unwrap();
        fs::copy(self.path("keys/istio.key"), other.join("low.key")).unwrap();
    }
}

impl Cluster {
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Accepted, or what the loader says.
    pub fn load(&self, loader: &str, files: &[&str]) -> judges::Verdict {
        let args: Vec<&str> = [loader].into_iter().chain(files.iter().copied()).collect();
        let said = run(&self.0, judges::go().to_str().unwrap(), &args).stdout;
        let said = String::from_utf8(said).unwrap();
        if said == "accepted\n" { Ok(()) } else { Err(said) }
    }

    /// The intermediate with its key, as it signs.
    pub fn authority(&self) -> Authority {
        let read = |name| self.read(name);
        Authority::existing(&read("bundle/ca-cert.pem"), &read("key"), &read("bundle/cert-chain.pem"))
    }

    /// The object with its patch applied, as kubectl applies it.
    fn answered(&self) {
        let args = "patch --local -f object.yaml --type=json --patch-file bundle/status-patch.json -o json";
        let patched = run(&self.0, program().to_str().unwrap(), &args.split(' ').collect::<Vec<_>>()).stdout;
        let object: Value = serde_json::from_slice(&patched).unwrap();
        fs::create_dir(self.path("status")).unwrap();
        for (field, name) in [("certificate", "certificate.pem"), ("ca", "ca.pem")] {
            if let Some(value) = object["status"][field].as_str() {
                fs::write(self.path("status").join(name), BASE64.decode(value.as_bytes()).unwrap()).unwrap();
            }
        }
        let conditions = object["status"]["conditions"].as_array().unwrap();
        assert!(conditions.iter().any(|c| c["type"] == "Approved"), "what was approved stays approved");
    }
}

/// As `kubectl get -o yaml` prints it, approved.
fn object(profile: &str, csr: &[u8]) -> Option<String> {
    let request = BASE64.encode(csr);
    let approved = "status:\n  conditions:\n  - lastTransitionTime: \"2026-11-22T10:00:00Z\"\n    message: reviewed\n    \
        reason: Approved\n    status: \"True\"\n    type: Approved\n";
    let head = match profile {
        "cert-manager-request" => "apiVersion: cert-manager.io/v1\nkind: CertificateRequest\nmetadata:\n  name: mesh-ca-1\n  namespace: istio-system\n\
             spec:\n  isCA: true\n  issuerRef:\n    kind: Issuer\n    name: anchorite\n  usages:\n  - cert sign\n  - crl sign\n".to_string(),
        "kubernetes-csr" => format!(
            "apiVersion: certificates.k8s.io/v1\nkind: CertificateSigningRequest\nmetadata:\n  name: {profile}\n\
             spec:\n  signerName: example.org/anchorite\n  usages:\n  - cert sign\n  - crl sign\n"
        ),
        _ => return None,
    };
    Some(format!("{head}  request: {request}\n{approved}"))
}
