//! A change of roots, planned and on the worst night, as the runbooks say.

use std::path::PathBuf;

use super::Fleet;
use crate::appliance::{module, ran};
use crate::rollover::{fingerprint, read};

const CLUSTERS: [&str; 2] = ["east", "west"];

/// A fleet that is to get another root.
struct Roots(Fleet);

impl Roots {
    fn new() -> Self {
        let fleet = Fleet::new();
        for folder in ["out-old", "out-new", "istio"] {
            std::fs::create_dir(fleet.0.path(folder)).unwrap();
        }
        Self(fleet)
    }

    /// The releases of a stick, in the order in which they were made.
    fn releases(&self, stick: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.0.0.path(stick)).unwrap();
        let mut all: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        all.sort();
        all
    }

    fn noted(&self, home: &str) -> String {
        let root = self.0.0.path(home).join("root.pem");
        if root.exists() { fingerprint(&root) } else { String::new() }
    }

    /// Runs a block; what is for each cluster, in each. `both` and `moved` are their
    /// releases' places.
    fn run(&self, block: &str, (both, moved): ((&str, usize), usize)) {
        let release = |stick: &str, n: usize| {
            self.releases(stick).get(n).map(|p| p.display().to_string()).unwrap_or_default()
        };
        let (new, module) = (self.releases("out-new").len(), module());
        let [old_root, new_root] = ["home", "new-ca"].map(|home| self.noted(home));
        let old_root = match self.0.0.path("old-root.pem") {
            foreign if foreign.exists() => fingerprint(&foreign),
            _ => old_root,
        };
        let (both, moved) = (release(both.0, both.1), release("out-new", moved));
        let last = release("out-new", new.saturating_sub(1));
        let environment = [
            ("OLD_ROOT", old_root.as_str()),
            ("NEW_ROOT", &new_root),
            ("NEW_TOKEN", "pkcs11:token=ceremony"),
            ("MODULE", &module),
            ("BOTH", &both),
            ("OTHER", &release("out-new", 0)),
            ("MOVED", &moved),
            ("LAST", &last),
        ];
        let clusters = if block.contains("/srv/east") || block.contains("--context east") {
            &CLUSTERS[..]
        } else {
            &["east"]
        };
        for cluster in clusters {
            self.0.run(&block.replace("east", cluster), &environment).code(0);
        }
    }

    /// A workload's certificate beneath what a folder holds, and its key.
    fn workload(&self, name: &str, ca: &str, key: &str) {
        let dir = self.0.0.dir.path();
        let config = "[req]\ndistinguished_name = dn\n[dn]\n[leaf]\nbasicConstraints = critical, CA:FALSE\n\
                      subjectAltName = URI:spiffe://cluster.local/ns/shop/sa/web\n";
        self.0.0.write("leaf.conf", config);
        let words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 1 -subj /CN=web -extensions leaf \
                     -config leaf.conf -keyout leaf.key";
        let mut openssl = self.0.0.command("openssl");
        openssl.current_dir(dir).args(words.split_whitespace());
        openssl.args(["-CA", ca, "-CAkey", key, "-out", name]);
        ran(openssl.output().unwrap()).code(0);
    }

    /// Whether OpenSSL takes it, given what a cluster has loaded.
    fn takes(&self, loaded: &str, leaf: &str, ca: &str) -> bool {
        let mut openssl = self.0.0.command("openssl");
        openssl.current_dir(self.0.0.dir.path()).args(["verify", "-x509_strict", "-CAfile"]);
        let crl = format!("{loaded}/ca-crl.pem");
        openssl.arg(format!("{loaded}/root-cert.pem")).args(["-untrusted", ca]);
        if self.0.0.path(&crl).exists() {
            openssl.args(["-crl_check_all", "-CRLfile", &crl]);
        }
        openssl.arg(leaf).output().unwrap().status.success()
    }

    fn loaded(&self, cluster: &str) -> String {
        read(&self.0.0.path(cluster).join("loaded.pem"))
    }
}

#[test]
fn the_root_is_changed_as_the_runbook_says() {
    let roots = Roots::new();
    let blocks = Fleet::blocks("ceremony/rotate-root.md");
    assert_eq!(blocks.len(), 19);
    roots.workload("before.pem", "east/release/east/ca-cert.pem", "east/key");
    for (n, block) in blocks[..16].iter().enumerate() {
        roots.run(block, (("out-old", 0), 1));
        match n {
            5 => assert_eq!(roots.loaded("west").matches("BEGIN").count(), 2),
            // Everybody takes the old and the new, whoever has moved.
            10 => {
                roots.workload("after.pem", "west/moved/ca-cert.pem", "west/new.key");
                for (leaf, ca) in
                    [("before.pem", "east/release/east/ca-cert.pem"), ("after.pem", "west/moved/ca-cert.pem")]
                {
                    assert!(
                        roots.takes("east/moved", leaf, ca) && roots.takes("east/crls", leaf, ca),
                        "{leaf}"
                    );
                }
                assert!(
                    !roots.takes("east/both", "after.pem", "west/moved/ca-cert.pem"),
                    "its CRL is not there"
                );
            }
            _ => {}
        }
    }
    let new = read(&roots.0.0.path("new-ca/root.pem"));
    for cluster in CLUSTERS {
        assert_eq!(roots.loaded(cluster), new);
        assert!(!roots.0.0.path(cluster).join("key").exists());
    }
    assert!(roots.takes("east/last", "after.pem", "west/moved/ca-cert.pem"));
    assert!(!roots.takes("east/last", "before.pem", "east/release/east/ca-cert.pem"));
    let report = roots.0.0.run(&["root", "rollover", "show", "--json"]).code(0).json();
    assert!(report["course"]["destroyed"].as_str().unwrap().contains("seen by A. and B."), "{report}");
}

/// Istio's own root is left by the same stages, in the new home alone.
#[test]
fn istios_own_root_is_left_as_the_runbook_says() {
    let roots = Roots::new();
    let a = &roots.0.0;
    let dn = "[req]\ndistinguished_name = dn\n[dn]\n[root]\nbasicConstraints = critical, CA:TRUE\n\
              keyUsage = critical, keyCertSign\nsubjectKeyIdentifier = hash\n";
    a.write("istio.conf", dn);
    let words = "req -x509 -newkey rsa:2048 -noenc -days 3650 -subj /O=cluster.local -extensions root -config istio.conf \
                 -keyout istio/ca-key.pem -out istio/ca-cert.pem";
    crate::support::run(a.dir.path(), "openssl", &words.split_whitespace().collect::<Vec<_>>());
    let blocks = Fleet::blocks("ceremony/rotate-root.md");
    let both = (("out-new", 0), 1);
    roots.workload("before.pem", "istio/ca-cert.pem", "istio/ca-key.pem");
    roots.run(&blocks[0], both);
    for block in &blocks[16..] {
        roots.run(block, both);
    }
    for cluster in CLUSTERS {
        assert_eq!(roots.loaded(cluster).matches("BEGIN").count(), 2);
    }
    roots.run(&blocks[5], both);
    roots.run("anchorite root rollover reached --home /srv/new-ca", both);
    for block in &blocks[7..9] {
        roots.run(block, both);
    }
    // No CRLs until stage new: that root never made any.
    roots.run(&blocks[10].replace(" --crl=\"$BOTH\" --crl=\"$MOVED\"", ""), both);
    roots.workload("after.pem", "west/moved/ca-cert.pem", "west/new.key");
    assert!(roots.takes("east/moved", "before.pem", "istio/ca-cert.pem"));
    assert!(roots.takes("east/moved", "after.pem", "west/moved/ca-cert.pem"));
    for block in &blocks[11..14] {
        roots.run(block, both);
    }
    assert!(roots.takes("east/last", "after.pem", "west/moved/ca-cert.pem"));
    assert!(!roots.takes("east/last", "before.pem", "istio/ca-cert.pem"));
}

#[test]
fn a_stolen_root_is_out_of_every_cluster_after_the_drill() {
    let roots = Roots::new();
    let a = &roots.0.0;
    let blocks = Fleet::blocks("ceremony/compromised-root.md");
    assert_eq!(blocks.len(), 6);
    // The new root is there, in a home of its own; what the thief signs passes.
    roots.run(&Fleet::blocks("ceremony/rotate-root.md")[0], (("out-new", 0), 1));
    std::fs::copy(a.path("home/root.pem"), a.path("old-root.pem")).unwrap();
    roots.workload("thief.pem", "east/release/east/ca-cert.pem", "east/key");
    let thief = "east/release/east/ca-cert.pem";
    for (n, block) in blocks.iter().enumerate() {
        roots.run(block, (("out-new", 0), 1));
        match n {
            1 => assert!(roots.takes("west/both", "thief.pem", thief)),
            // In the middle nobody is cut off.
            3 => {
                roots.workload("own.pem", "west/moved/ca-cert.pem", "west/new.key");
                for loaded in ["east/both", "west/moved"] {
                    assert!(roots.takes(loaded, "own.pem", "west/moved/ca-cert.pem"), "{loaded}");
                    assert!(roots.takes(loaded, "thief.pem", thief), "{loaded}");
                }
            }
            4 => {
                for loaded in ["east/last", "west/last"] {
                    assert!(roots.takes(loaded, "own.pem", "west/moved/ca-cert.pem"), "{loaded}");
                    assert!(!roots.takes(loaded, "thief.pem", thief), "{loaded}");
                }
                let cross = "anchorite root rollover cross --home /srv/new-ca --to /media/out-new";
                let refused = roots.0.run(cross, &[]);
                refused.fails(1, "rollover.compromised");
            }
            _ => {}
        }
    }
    let new = read(&a.path("new-ca/root.pem"));
    assert!(CLUSTERS.iter().all(|cluster| roots.loaded(cluster) == new));
    let home = a.path("new-ca");
    let audit = ["audit", "verify", "--json", "--home", home.to_str().unwrap()];
    assert_eq!(a.run(&audit).code(0).json()["state"], "ok");
}
