//! A journal too long to be read whole each time: the index stands for it, releases
//! carry its last part, and the audit reads it all.

use anchorite::cluster::{PrivateKey, make_key, make_request};
use anchorite::journal::{Entry, Event, READ_WHOLE};
use anchorite::x509::{Digest, KeyAlgorithm};
use secrecy::ExposeSecret as _;
use serde_json::Value;

use crate::appliance::Appliance;
use crate::faults;

/// A home on whose record a fleet was signed twice: the index was made, and built upon.
fn long() -> Appliance {
    let a = Appliance::with_root("p256");
    for round in ["a", "b"] {
        std::fs::remove_dir_all(a.path("in")).unwrap();
        std::fs::create_dir(a.path("in")).unwrap();
        for n in 0..110 {
            let pem = make_key(KeyAlgorithm::P256).unwrap();
            let key = PrivateKey::from_pem(pem.expose_secret().as_bytes()).unwrap();
            let cluster = format!("{round}{n}");
            a.write(&format!("in/{cluster}.csr"), make_request(&key, &cluster, Some("Istio")).unwrap());
        }
        a.sign(&["--policy", "istio"]).code(0);
    }
    assert!(a.journal().len() as u64 > READ_WHOLE);
    assert!(a.path("home/state/index.json").exists());
    std::fs::remove_dir_all(a.path("in")).unwrap();
    std::fs::create_dir(a.path("in")).unwrap();
    a
}

#[test]
fn a_long_journal_is_signed_on_released_and_audited() {
    let a = long();
    // A cluster of long ago asks with the key of long ago: the index knows it.
    a.request("new");
    a.sign(&["--policy", "istio"]).code(0);
    let again = a.path("in/new.csr");
    let refused = a.run(&["inspect", "--policy", "istio", "--json", again.to_str().unwrap()]).code(1).json();
    let rules: Vec<&str> = refused["requests"][0]["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|f| f["outcome"] == "refused")
        .filter_map(|f| f["rule"].as_str())
        .collect();
    assert!(rules.contains(&"renewal.same-key"), "{rules:?}");

    let audit = a.audit(&["--root-sha256", &a.root_sha256]).code(0).json();
    assert_eq!(
        (&audit["state"], a.journal().lines().count() as u64),
        (&Value::from("ok"), audit["entries"].as_u64().unwrap())
    );

    // The release carries the lines since the session before, and verifies by itself.
    let release = a.release();
    let part = std::fs::read_to_string(release.join("journal/journal.jsonl")).unwrap();
    assert!(part.len() < a.journal().len() / 4 && a.journal().contains(&part));
    let verify = |path: &std::path::Path| {
        a.run(&["verify", path.to_str().unwrap(), "--root-sha256", &a.root_sha256, "--json"])
    };
    verify(&release).code(0);
    let journal = release.join("journal");
    let root = a.path("home/root.pem");
    let audit = ["audit", "verify", "--json", "--journal", journal.to_str().unwrap(), "--root"];
    let own = a.run(&[&audit[..], &[root.to_str().unwrap()]].concat()).code(0).json();
    assert_eq!(own["state"], "ok");
    // Its index is covered like everything else.
    let index = std::fs::read_to_string(journal.join("index.json")).unwrap();
    std::fs::write(journal.join("index.json"), index.replacen("\"entries\":", "\"entries\":1", 1)).unwrap();
    assert!(verify(&release).code(4).stdout.contains("journal/index.json"));
    a.run(&[&audit[..], &[root.to_str().unwrap()]].concat()).code(4);
    // A part brings no journal back.
    let from = ["audit", "restore", "--from", journal.to_str().unwrap(), "--root-sha256", &a.root_sha256];
    a.run(&from).fails(1, "restore.part");
}

/// A crash leaves lines that are not sealed: they are audited from the index on.
#[test]
fn what_a_crash_left_behind_the_last_seal_is_audited_before_it_is_sealed() {
    let a = long();
    a.request("new");
    let sealed = a.journal();
    let killed = faults::run_with(&a, "fdatasync", "signal=SIGKILL", 3, &faults::sign(&a));
    assert_eq!(killed.code, -1, "{}", killed.stderr);
    assert_ne!(a.journal(), sealed);
    let plan_of_it = faults::plan_to_take_up(&a.audit(&[]).code(1).json()).unwrap();
    let crashed = a.journal();
    let last = crashed.lines().last().unwrap().as_bytes();
    let (Entry { seq, time, .. }, prev) = (Entry::from_line(1, last).unwrap(), Digest::of(last));
    let released = Event::Released {
        plan: Digest::of(b"plan"),
        folder: "anchorite-2026-01-01-0001".into(),
        sums: Digest::of(b"sums"),
        number: Digest::of(b"guessed"),
    };
    let plan = Event::Plan { digest: Digest::of(b"plan"), grants: 0, refused: vec![] };
    let plan = Entry { seq: seq + 1, time, prev, event: plan }.to_line().unwrap();
    let prev = Digest::of(plan.as_bytes());
    let released = Entry { seq: seq + 2, time, prev, event: released }.to_line().unwrap();
    a.write("home/journal/journal.jsonl", format!("{crashed}{plan}\n{released}\n"));
    a.sign(&["--policy", "istio"]).fails(4, "journal.sequence");
    a.write("home/journal/journal.jsonl", &crashed);
    a.empty_out();
    faults::take_up(&a, &plan_of_it);
    faults::settled(&a, "taken up");
}

#[test]
fn what_lies_beneath_the_index_shows_in_the_audit() {
    let a = long();
    a.request("new");
    let journal = a.journal();
    // A line of long ago is not read by every verb; the audit, which every ceremony runs, reads it.
    let altered = journal.replacen("\"cluster\":\"a7\"", "\"cluster\":\"a8\"", 1);
    assert_ne!(altered, journal);
    a.write("home/journal/journal.jsonl", &altered);
    a.run(&["inspect", "--policy", "istio", a.path("in").to_str().unwrap()]).code(0);
    assert_eq!(a.audit(&[]).code(4).json()["errors"][0]["id"], "journal.chain");
    a.write("home/journal/journal.jsonl", &journal);

    // A bucket of the index is compared where it is read, and by the audit.
    let buckets: Vec<_> =
        std::fs::read_dir(a.path("home/state/index")).unwrap().map(|e| e.unwrap().path()).collect();
    let kept: Vec<Vec<u8>> = buckets.iter().map(|path| std::fs::read(path).unwrap()).collect();
    buckets.iter().for_each(|path| std::fs::write(path, "").unwrap());
    a.sign(&["--policy", "istio"]).fails(4, "journal.index");
    assert_eq!(a.audit(&[]).code(4).json()["errors"][0]["id"], "journal.index");
    buckets.iter().zip(&kept).for_each(|(path, bytes)| std::fs::write(path, bytes).unwrap());
    // Of one alone a session may not come to know; the audit does.
    for (path, bytes) in buckets.iter().zip(&kept) {
        std::fs::remove_file(path).unwrap();
        assert_eq!(a.audit(&[]).code(4).json()["errors"][0]["id"], "journal.index", "{}", path.display());
        std::fs::write(path, bytes).unwrap();
    }
    assert_eq!(a.audit(&[]).code(0).json()["state"], "ok");

    // Something else than a file or a folder would otherwise be found when all was signed.
    let (index, kept) = (a.path("home/state/index.json"), a.path("kept"));
    for (place, id) in [("home/state/index.json", "file.not-regular"), ("home/state/index", "home.folder")] {
        let (place, before) = (a.path(place), a.journal());
        std::fs::rename(&place, &kept).unwrap();
        match place.ends_with("index") {
            true => std::fs::write(&place, "").unwrap(),
            false => std::fs::create_dir(&place).unwrap(),
        }
        let stopped = a.sign(&["--policy", "istio"]);
        assert!(stopped.stderr.contains(id), "{}", stopped.stderr);
        assert_eq!(a.journal(), before);
        std::fs::remove_dir(&place).or_else(|_| std::fs::remove_file(&place)).unwrap();
        std::fs::rename(&kept, &place).unwrap();
    }

    // Without an index the journal is read whole, and the next session makes one.
    std::fs::remove_file(&index).unwrap();
    a.sign(&["--policy", "istio"]).code(0);
    assert!(a.path("home/state/index.json").exists());
    assert_eq!(a.audit(&[]).code(0).json()["state"], "ok");
}
