//! What the appliance releases, loaded as it is: its root-cert.pem and ca-crl.pem in real
//! Envoys, whose workloads' certificates the clusters' own keys have signed.

use std::fs;

use super::{Authority, Identity, Mesh, Trust};
use crate::appliance::Appliance;

const NAMES: [&str; 3] = ["east", "west", "north"];

/// Clusters whose intermediates an appliance has signed.
struct Fleet(Appliance);

impl Fleet {
    fn new() -> Self {
        let fleet = Self(Appliance::with_root("p256"));
        NAMES.iter().for_each(|name| fleet.request(name, "first"));
        fleet.0.sign(&["--policy", "istio"]).code(0);
        fleet
    }

    /// A cluster's request with a new key, and its CRL beside it.
    fn request(&self, cluster: &str, key: &str) {
        fs::create_dir_all(self.0.path("keys")).unwrap();
        let (key, to) = (self.key(cluster, key), self.0.path("in"));
        let args = ["request", "--cluster", cluster, "--profile", "istio", "--organisation", "Istio"];
        self.0.run(&[&args[..], &["--key", &key, "--to", to.to_str().unwrap()]].concat()).code(0);
    }

    fn key(&self, cluster: &str, key: &str) -> String {
        self.0.path(&format!("keys/{cluster}-{key}.key")).to_str().unwrap().into()
    }

    /// A workload in this cluster, beneath the intermediate of the newest release for it.
    fn workload(&self, cluster: &str, key: &str) -> Identity {
        self.authority(cluster, key).workload(cluster)
    }

    fn authority(&self, cluster: &str, key: &str) -> Authority {
        let folder = self.0.release().join(cluster);
        let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
        let key = fs::read_to_string(self.key(cluster, key)).unwrap();
        Authority::existing(&read("ca-cert.pem"), &key, &read("cert-chain.pem"))
    }

    /// What the newest release gives to everybody.
    fn trust(&self) -> Trust {
        let read = |name: &str| fs::read_to_string(self.0.release().join(name)).unwrap();
        Trust { bundle: read("root-cert.pem"), crl: read("ca-crl.pem") }
    }

    fn mesh(&self) -> Mesh {
        let trust = self.trust();
        let [east, west, north] = NAMES.map(|name| self.workload(name, "first"));
        let mesh = Mesh::new(&[("east", &east, &trust), ("west", &west, &trust), ("north", &north, &trust)]);
        mesh.all_connect();
        mesh
    }

    /// A verb that signs, to a stick of its own.
    fn ceremony(&self, args: &[&str]) {
        self.0.empty_out();
        let (to, pin) = (self.0.path("out"), self.0.path("pin"));
        let common = ["--to", to.to_str().unwrap(), "--yes", "--pin-file", pin.to_str().unwrap()];
        self.0.run(&[args, &common].concat()).code(0);
    }

    /// Signs what is on the stick for a cluster's new key, and more in the same plan.
    fn sign_anew(&self, cluster: &str, more: &[&str]) {
        fs::remove_dir_all(self.0.path("in")).unwrap();
        fs::create_dir(self.0.path("in")).unwrap();
        self.request(cluster, "second");
        let from = self.0.path("in");
        let args = ["sign", "--policy", "istio", "--from", from.to_str().unwrap()];
        self.ceremony(&[&args[..], more].concat());
    }
}

const WEST_IS_OUT: [(&str, &str); 2] = [("east", "west"), ("north", "west")];

/// Two sessions: the stolen intermediate is revoked at once, the new one comes later.
#[test]
fn a_revoked_cluster_is_refused_and_comes_back_with_the_next_set() {
    let fleet = Fleet::new();
    let (mut mesh, stolen) = (fleet.mesh(), fleet.authority("west", "first").serial());
    let pin = fleet.0.path("pin");
    let revoke = ["revoke", &stolen, "--reason", "keyCompromise", "--yes", "--pin-file"];
    fleet.0.run(&[&revoke[..], &[pin.to_str().unwrap()]].concat()).code(0);
    fleet.ceremony(&["crl"]);
    let west_is_out = fleet.trust();
    mesh.trust("east", &west_is_out);
    mesh.all_connect_but(&[("east", "west")], "certificate revoked");
    mesh.trust("north", &west_is_out);
    mesh.all_connect_but(&WEST_IS_OUT, "certificate revoked");

    fleet.sign_anew("west", &[]);
    // The order that the runbook warns of: the new one in use, its CRL not there yet.
    mesh.identity("west", &fleet.workload("west", "second"));
    mesh.all_connect_but(&WEST_IS_OUT, "unable to get certificate CRL");
    let west_is_back = fleet.trust();
    mesh.trust("north", &west_is_back);
    mesh.all_connect_but(&[("east", "west")], "unable to get certificate CRL");
    mesh.trust("east", &west_is_back);
    mesh.trust("west", &west_is_back);
    mesh.all_connect();
}

/// One plan revokes the old and signs the new: the set first, then what it vouches for.
#[test]
fn one_plan_replaces_an_intermediate() {
    let fleet = Fleet::new();
    let (mut mesh, old) = (fleet.mesh(), fleet.authority("west", "first").serial());
    fleet.sign_anew("west", &["--revoke", &format!("{old}=superseded")]);
    let (set, new) = (fleet.trust(), fleet.workload("west", "second"));
    mesh.trust("west", &set);
    mesh.all_connect();
    mesh.trust("east", &set);
    mesh.trust("north", &set);
    mesh.all_connect_but(&WEST_IS_OUT, "certificate revoked");
    mesh.identity("west", &new);
    mesh.all_connect();
}

/// Nobody is in a hurry: the new one first, the old one's revocation last, and no connection
/// is refused in between.
#[test]
fn a_planned_change_refuses_no_connection() {
    let fleet = Fleet::new();
    let (mut mesh, old) = (fleet.mesh(), fleet.authority("west", "first").serial());
    let before = fleet.workload("west", "first");
    let everywhere = |mesh: &mut Mesh| {
        for name in NAMES {
            mesh.trust(name, &fleet.trust());
            mesh.all_connect();
        }
    };
    fleet.sign_anew("west", &[]);
    everywhere(&mut mesh);
    mesh.identity("west", &fleet.workload("west", "second"));
    mesh.all_connect();
    fleet.ceremony(&["revoke", &old, "--reason", "superseded"]);
    everywhere(&mut mesh);
    mesh.identity("west", &before);
    mesh.all_connect_but(&WEST_IS_OUT, "certificate revoked");
}
