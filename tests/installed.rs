//! What a cluster has loaded: each defect made from what `assemble` wrote, in every dress in
//! which it is found: files, a pod's mount, the Secret in YAML and in JSON.

mod dress;
mod foreign;
mod given;
mod inside;
mod istio;
mod others;
mod signs;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use crate::appliance::{Appliance, Ran};

pub type Files = BTreeMap<String, Vec<u8>>;

/// `east` and `west` beneath one root, each with what `assemble --crl` wrote for it.
pub struct Fleet {
    pub a: Appliance,
    pub east: Files,
    pub west: Files,
}

fn words(path: &Path) -> String {
    path.display().to_string()
}

pub fn read(folder: &Path) -> Files {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let name = |entry: &std::fs::DirEntry| entry.file_name().into_string().unwrap();
    entries.map(|entry| (name(&entry), std::fs::read(entry.path()).unwrap())).collect()
}

pub static FLEET: LazyLock<Fleet> = LazyLock::new(|| {
    let a = Appliance::with_root("p256");
    a.request("east");
    a.request("west");
    a.sign(&["--policy", "istio"]).code(0);
    let assembled = |cluster: &str| {
        let (bundle, out) = (a.release().join(cluster), a.path(&format!("{cluster}-cacerts")));
        let key = a.path(&format!("keys/{cluster}.key"));
        let (bundle, out, key) = (words(&bundle), words(&out), words(&key));
        let root = ["--root-sha256", &a.root_sha256, "--crl"];
        a.run(&[&["assemble", "--bundle", &bundle, "--key", &key, "--out", &out], &root[..]].concat())
            .code(0);
        read(Path::new(&out))
    };
    let (mut east, mut west) = (assembled("east"), assembled("west"));
    // The Secret is made anew from the files, with whatever defect they have.
    east.remove("cacerts.yaml").unwrap();
    west.remove("cacerts.yaml").unwrap();
    Fleet { a, east, west }
});

/// The fleet's, as noted.
pub fn root() -> [String; 1] {
    [FLEET.a.root_sha256.clone()]
}

/// `verify --installed`, with JSON for its result.
pub fn verify(paths: &[PathBuf], roots: &[String], more: &[&str]) -> Ran {
    let paths: Vec<String> = paths.iter().map(|path| words(path)).collect();
    let mut args = vec!["verify", "--json", "--installed"];
    args.extend(paths.iter().map(String::as_str));
    roots.iter().for_each(|root| args.extend(["--root-sha256", root]));
    args.extend(more);
    FLEET.a.run(&args)
}

/// The IDs of all that was found.
pub fn ids(ran: &Ran) -> BTreeSet<String> {
    let report = ran.json();
    let found = report["findings"].as_array().unwrap().iter();
    found
        .map(|fault| {
            for field in ["cluster", "id", "severity", "found", "next"] {
                assert!(!fault[field].as_str().unwrap().is_empty(), "no {field}: {fault}");
            }
            fault["id"].as_str().unwrap().to_string()
        })
        .collect()
}

/// Demands these findings and no others, and the exit code that follows.
#[track_caller]
pub fn finds(what: &str, ran: &Ran, code: i32, wanted: &[&str]) {
    let state = match code {
        0 => "ok",
        1 => "open",
        _ => "broken",
    };
    let wanted: BTreeSet<String> = wanted.iter().map(ToString::to_string).collect();
    let found = (ran.code, ran.json()["state"].as_str().unwrap().to_string(), ids(ran));
    assert!(
        found == (code, state.into(), wanted.clone()),
        "{what}: {found:?}, not {wanted:?}\n{}",
        ran.json()["findings"]
    );
}

#[test]
fn each_defect_of_cacerts_is_named() {
    istio::each_defect();
}
