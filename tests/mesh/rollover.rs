//! From one root to another, with what the homes of both release and what `assemble` makes
//! of it: clusters at all stages that may stand side by side, and not one refused connection.

use std::path::{Path, PathBuf};

use super::{Authority, Identity, Mesh, Trust};
use crate::appliance::ran;
use crate::rollover::{Change, fingerprint, read};

const NAMES: [&str; 3] = ["east", "west", "north"];
/// What a cluster has loaded, in the order of the runbook.
const LOADED: usize = 6;

/// What each cluster loads, one after the other: its old intermediate; both roots; the new
/// root's CRLs, too; the new intermediate; the new root alone; the old root's CRLs no more.
struct Loads([[(Identity, Trust); LOADED]; 3]);

impl Loads {
    fn new() -> Self {
        let change = Change::on_one_token();
        let before = intermediates(&change, "home");
        change.begin("new", "--old", "home/root.pem").code(0);
        change.begin("home", "--new", "new/root.pem").code(0);
        let both = ["home", "new"].map(|home| change.stage(home, "both"));
        for home in ["home", "new"] {
            change.step(home, &["reached"]).code(0);
        }
        let after = intermediates(&change, "new");
        let last = change.stage("new", "new");
        let crl = |release: &PathBuf| format!("--crl={}", release.display());
        let (old_set, new_set, first_sets) = (crl(&before[2]), crl(&after[2]), both.each_ref().map(crl));
        let trust = |release: &Path| ["--trust".to_string(), release.display().to_string()];
        // Whichever home's release it is.
        let [first, second] = both.map(|release| trust(&release));
        let sets = [old_set.clone(), new_set.clone()];
        Self([0, 1, 2].map(|n| {
            let old = |more: &[String]| assemble(&change, &before[n], NAMES[n], "home", more);
            let new = |more: &[String]| assemble(&change, &after[n], NAMES[n], "new", more);
            [
                old(std::slice::from_ref(&old_set)),
                old(&[&first[..], &first_sets].concat()),
                old(&[&second[..], &sets].concat()),
                new(&sets),
                new(&[&trust(&last)[..], &sets].concat()),
                new(&[&trust(&last)[..], &sets[1..]].concat()),
            ]
        }))
    }

    fn mesh(&self, loaded: usize) -> (Mesh, [usize; 3]) {
        let [east, west, north] = [0, 1, 2].map(|n| &self.0[n][loaded]);
        let members = [("east", &east.0, &east.1), ("west", &west.0, &west.1), ("north", &north.0, &north.1)];
        (Mesh::new(&members), [loaded; 3])
    }

    /// A cluster loads something else.
    fn load(&self, mesh: &mut Mesh, stand: &mut [usize; 3], cluster: usize, loaded: usize) {
        let [before, after] = [stand[cluster], loaded].map(|loaded| &self.0[cluster][loaded]);
        // Beside an identity that only goes with it, trust comes first.
        if before.1 != after.1 {
            mesh.trust(NAMES[cluster], &after.1);
        }
        if before.0 != after.0 {
            mesh.identity(NAMES[cluster], &after.0);
        }
        stand[cluster] = loaded;
    }
}

/// An intermediate for each, its key kept beside it; the last release has all their CRLs.
fn intermediates(change: &Change, home: &str) -> [PathBuf; 3] {
    NAMES.map(|name| {
        let release = change.sign(home, name);
        std::fs::rename(change.0.path(&format!("keys/{name}.key")), key(change, name, home)).unwrap();
        release
    })
}

fn key(change: &Change, cluster: &str, home: &str) -> PathBuf {
    change.0.path(&format!("keys/{cluster}-{home}.key"))
}

/// What `assemble` makes of a cluster's folder, and a workload beneath it.
fn assemble(
    change: &Change,
    release: &Path,
    cluster: &str,
    home: &str,
    more: &[String],
) -> (Identity, Trust) {
    let (out, key) = (change.0.path("cacerts"), key(change, cluster, home));
    let _ = std::fs::remove_dir_all(&out);
    let mut command = change.0.command(env!("CARGO_BIN_EXE_anchorite"));
    command.arg("assemble").arg("--bundle").arg(release.join(cluster)).arg("--key").arg(&key);
    for home in ["home", "new"] {
        command.args(["--root-sha256", &fingerprint(&change.0.path(home).join("root.pem"))]);
    }
    ran(command.arg("--out").arg(&out).args(more).output().unwrap()).code(0);
    let file = |name: &str| read(&out.join(name));
    let authority = Authority::existing(&file("ca-cert.pem"), &read(&key), &file("cert-chain.pem"));
    (authority.workload(cluster), Trust { bundle: file("root-cert.pem"), crl: file("ca-crl.pem") })
}

/// All ways in which three clusters can stand between two steps, one move at a time; some
/// of the moves go back.
const WAYS: [[usize; 3]; 8] =
    [[0, 0, 0], [0, 0, 1], [0, 1, 1], [0, 1, 0], [1, 1, 0], [1, 0, 0], [1, 0, 1], [1, 1, 1]];

#[test]
fn clusters_at_neighbouring_stages_understand_each_other() {
    let loads = Loads::new();
    let (mut mesh, mut stand) = loads.mesh(0);
    mesh.all_connect();
    for step in 0..LOADED - 1 {
        for way in &WAYS[1..] {
            let moved = (0..3).find(|n| stand[*n] != step + way[*n]).unwrap();
            loads.load(&mut mesh, &mut stand, moved, step + way[moved]);
            assert_eq!(stand, way.map(|ahead| step + ahead));
            mesh.all_connect();
        }
    }

    // Now the old root is gone for good.
    loads.load(&mut mesh, &mut stand, 0, 3);
    mesh.identity("east", &loads.0[0][2].0);
    mesh.all_connect_but(&[("east", "west"), ("east", "north")], "refuses east");
}

/// Each stage is needed: whoever leaves one out is refused.
#[test]
fn a_cluster_that_hurries_ahead_is_refused() {
    let loads = Loads::new();
    let easts = [("east", "west"), ("east", "north")];
    for (all, ahead, words) in [
        // The new intermediate before everybody trusts its root.
        (0, 3, "refuses east"),
        // And before everybody has its CRL.
        (1, 3, "unable to get certificate CRL"),
        // The new root alone while others show the old one.
        (2, 4, "east refuses"),
        // From the old root to the new in one step.
        (0, 4, "refuses"),
    ] {
        let (mut mesh, mut stand) = loads.mesh(all);
        mesh.all_connect();
        loads.load(&mut mesh, &mut stand, 0, ahead);
        mesh.all_connect_but(&easts, words);
        // The way back.
        loads.load(&mut mesh, &mut stand, 0, all);
        mesh.all_connect();
    }
}
