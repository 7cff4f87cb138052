//! What the fuzzers run, on stable and without them: good input gets all the way, what was
//! found once stays mended, and input that is cut or bent makes nothing fall over.

mod targets;

use std::collections::BTreeMap;
use std::path::Path;

use anchorite::audit::{Expectation, State, audit};
use anchorite::plan::{Plan, decide, prepare};
use anchorite::policy::{Context, Keep};
use anchorite::release::{Verifier, check};

use targets::{TARGETS, Target, files, make_world, seeds, world};

/// Else the fuzzers would only ever see how things are refused.
#[test]
fn good_input_gets_all_the_way() {
    in_order(world::JOURNAL, world::RELEASE);

    let root = world::root();
    let plan = Plan::from_bytes("plan.json", world::PLAN).unwrap();
    let context = Context {
        policies: world::policies(),
        forced: Some("istio"),
        issuer: root,
        history: world::ledger(),
        now: plan.created,
    };
    assert_eq!(
        prepare(&context, world::ledger(), &plan, &plan.items.iter().collect::<Vec<_>>(), world::now())
            .unwrap()
            .len(),
        2
    );

    let requests: Vec<_> =
        seeds().iter().filter(|s| s.0 == "csr").flat_map(|(_, _, der)| targets::request(der)).collect();
    let granted =
        decide(&context, &requests, Keep::All).unwrap().iter().filter(|d| d.grant.is_some()).count();
    assert_eq!((granted, requests.len()), (2, 2));
}

/// The program that makes the world anew is built for the fuzzers alone; it must not rot.
#[test]
fn the_world_can_be_made_anew() {
    let made = tempfile::tempdir().unwrap();
    make_world(made.path());
    let file = |name: &str| std::fs::read(made.path().join(name)).unwrap();
    in_order(&file("journal.jsonl"), &file("release.files"));
    assert_eq!(Plan::from_bytes("plan.json", &file("plan.json")).unwrap().items.len(), 2);
}

fn in_order(journal: &[u8], release: &[u8]) {
    let root = world::root();
    let expect = Expectation { root: Some(&root.der), ..Expectation::default() };
    let report = audit(journal, &expect).0;
    assert_eq!((report.state, report.entries), (State::Ok, 25), "{report:?}");

    let files = files::unpack(release).into_iter();
    let files: BTreeMap<_, _> =
        files.map(|(name, bytes)| (String::from_utf8(name.to_vec()).unwrap(), bytes.to_vec())).collect();
    let report = check(&files, &[root.fingerprint()], false, world::now(), &Verifier);
    assert!(report.errors.is_empty() && report.clusters.len() == 2, "{report:?}");
}

#[test]
fn what_the_fuzzers_found_stays_mended() {
    let mut tried = 0;
    for entry in std::fs::read_dir(folder("regressions")).unwrap() {
        let target = entry.unwrap().path();
        let run = by_name(target.file_name().unwrap().to_str().unwrap());
        for input in std::fs::read_dir(&target).unwrap() {
            let input = input.unwrap().path();
            println!("{}", input.display());
            run(&std::fs::read(input).unwrap());
            tried += 1;
        }
    }
    assert!(tried > 0, "no input was tried");
}

#[test]
fn good_input_cut_short_or_bent_makes_nothing_fall_over() {
    for (target, name, bytes) in seeds() {
        let run = by_name(target);
        println!("{target}/{name}");
        run(&bytes);
        let places = (0..bytes.len()).step_by(bytes.len().div_ceil(16));
        for (n, at) in places.enumerate() {
            let mut bent = bytes.clone();
            match n % 2 {
                0 => bent.truncate(at),
                _ => bent[at] ^= 1 << (n / 2),
            }
            run(&bent);
        }
    }
}

/// The table, the fuzzers' own package and the programs that libFuzzer starts agree.
#[test]
fn every_target_can_be_fuzzed() {
    let manifest = std::fs::read_to_string(folder("Cargo.toml")).unwrap();
    let mut programs: Vec<_> =
        std::fs::read_dir(folder("fuzz_targets")).unwrap().map(|e| e.unwrap().path()).collect();
    programs.sort();
    let names: Vec<_> = programs.iter().map(|path| path.file_stem().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, TARGETS.map(|(name, _)| name));
    for (name, program) in names.iter().zip(&programs) {
        assert!(std::fs::read_to_string(program).unwrap().contains(&format!("anchorite_fuzz::{name}(data)")));
        assert!(
            manifest.contains(&format!("name = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"")),
            "{name}"
        );
    }
}

fn by_name(target: &str) -> Target {
    TARGETS.iter().find(|(name, _)| *name == target).unwrap_or_else(|| panic!("no target {target}")).1
}

fn folder(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz").join(name)
}
