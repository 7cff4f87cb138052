//! The journal has every step; what was not sealed is in force nowhere, and what a crash
//! cut off goes on.

use anchorite::x509::Digest;
use serde_json::Value;

use super::Change;
use crate::appliance::Appliance;
use crate::faults::{self, Args, kill_at_each, settled, some_steps, sound, spy_module};

/// Adds a line to the new home's journal, as whoever can write to the disk can.
fn forge(change: &Change, event: &str, edit: impl Fn(&mut Value)) {
    let file = change.0.path("new/journal/journal.jsonl");
    let journal = super::read(&file);
    let line = journal.lines().rfind(|line| line.contains(event)).unwrap();
    let mut entry: Value = serde_json::from_str(line).unwrap();
    let last = journal.lines().last().unwrap();
    let before: Value = serde_json::from_str(last).unwrap();
    entry["seq"] = journal.lines().count().into();
    entry["time"] = before["time"].clone();
    entry["prev"] = Digest::of(last.as_bytes()).to_string().into();
    edit(&mut entry);
    let order = ["seq", "time", "prev", "event", "plan", "course"];
    let mut fields: Vec<String> = Vec::new();
    for key in order {
        if let Some(value) = entry.get(key) {
            fields.push(format!("\"{key}\":{}", ordered(line, value)));
        }
    }
    std::fs::write(file, format!("{journal}{{{}}}\n", fields.join(","))).unwrap();
}

/// In the order in which the line has its keys: another is no line of a journal.
fn ordered(line: &str, value: &Value) -> String {
    if let Value::Array(items) = value {
        let items: Vec<String> = items.iter().map(|item| ordered(line, item)).collect();
        return format!("[{}]", items.join(","));
    }
    let Value::Object(map) = value else { return value.to_string() };
    let place = |key: &str| line.find(&format!("\"{key}\":")).unwrap_or(usize::MAX);
    let mut keys: Vec<&String> = map.keys().collect();
    keys.sort_by_key(|key| place(key));
    let fields: Vec<String> =
        keys.into_iter().map(|key| format!("\"{key}\":{}", ordered(line, &map[key]))).collect();
    format!("{{{}}}", fields.join(","))
}

#[test]
fn a_step_that_somebody_wrote_into_the_journal_is_not_in_force() {
    let change = Change::begun();
    change.stage("new", "both");
    let strange = Digest([7; 32]).to_string();
    // "Reached", under a plan of the forger's own making: a step that could follow.
    forge(&change, "\"event\":\"root-course\"", |entry| {
        entry["plan"] = strange.as_str().into();
        entry["course"]["rollover"]["reached"] = true.into();
    });
    let report = change.audit("new").code(1).json();
    assert_eq!(report["state"], "open", "{report}");
    assert!(report["open"].to_string().contains("the root's course was changed and not sealed"), "{report}");
    assert_eq!(change.show("new")["rollover"]["reached"], false);
    let (ran, release) = change.try_sign("new", "east");
    ran.fails(1, "issuer.course");
    assert_eq!(release, None);
    change.refuses_stage("new", "new", "before its stage is known");
    // The next session puts back on record what was sealed, and says so.
    change.step("new", &["reached"]).code(0);
    let journal = super::read(&change.0.path("new/journal/journal.jsonl"));
    let steps: Vec<Value> = journal
        .lines()
        .filter(|line| line.contains("\"event\":\"root-course\""))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (last, taken_back) = (&steps[steps.len() - 1], &steps[steps.len() - 2]);
    assert_eq!(taken_back["course"]["rollover"]["reached"], false);
    assert!(taken_back.get("plan").is_none() && last["course"]["rollover"]["reached"] == true);
    assert_eq!(change.audit("new").code(0).json()["state"], "ok");
    change.sign("new", "east");
}

type Edit = fn(&mut Value);

#[test]
fn a_step_that_cannot_follow_breaks_the_journal() {
    let edits: [(Edit, &str); 4] = [
        (|course| course["rollover"]["stage"] = "new".into(), "before its stage is known"),
        (
            |course| course["rollover"]["emitted"][0]["sha256"] = Digest([9; 32]).to_string().into(),
            "changes a trust bundle that has left",
        ),
        (|course| course["rollover"]["own"] = "old".into(), "other roots or another end"),
        (|course| drop(course.as_object_mut().unwrap().remove("rollover")), "can end at stage new"),
    ];
    for (edit, why) in edits {
        let change = Change::begun();
        change.stage("new", "both");
        forge(&change, "\"event\":\"root-course\"", |entry| {
            entry["plan"] = Digest([7; 32]).to_string().into();
            edit(&mut entry["course"]);
        });
        let report = change.audit("new").code(4).json();
        assert!(report["state"] == "broken" && report["errors"].to_string().contains(why), "{report}");
        change.step("new", &["reached"]).code(4);
    }
}

/// Two homes whose token is watched.
fn watched() -> Appliance {
    let a = faults::watched();
    faults::run(&a, &faults::root_create(&a)).code(0);
    let (home, spy) = (a.path("new"), spy_module());
    let token = ["--token", "pkcs11:token=ceremony", "--module", &spy, "--unattended"];
    faults::run(&a, &[&["init", home.to_str().unwrap()], &token[..]].concat()).code(0);
    let mut create =
        faults::words(&a, "root create --key p256 --ttl 20y --yes --label other", &["--pin-file", "pin"]);
    create.extend(["--home".into(), home.to_str().unwrap().into()]);
    create.extend(["--subject".into(), "O=Example,CN=Example Root G2".into()]);
    faults::run(&a, &create).code(0);
    a
}

fn step(a: &Appliance, words: &str, places: &[&str]) -> Vec<String> {
    let mut args = faults::words(a, words, &["--pin-file", "pin"]);
    args.push("--yes".into());
    args.extend(faults::words(a, "x", places).into_iter().skip(1));
    args
}

const STEPS: [(&str, Args); 6] = [
    ("begin", |a| step(a, "root rollover begin --overlap 90d", &["--new", "new/root.pem"])),
    ("stage both", |a| step(a, "root rollover stage both", &["--to", "out"])),
    ("reached", |a| step(a, "root rollover reached", &[])),
    ("cross", |a| step(a, "root rollover cross", &["--to", "out"])),
    ("stage old", |a| step(a, "root rollover stage old", &["--to", "out"])),
    ("retire", |a| step(a, "root retire", &["--to", "out"])),
];

/// Killed at some of the calls that leave a mark, each step is taken up: the same command
/// again, or the plan that is on record; and the journal is never broken.
#[test]
fn a_step_that_a_crash_cut_off_is_taken_up() {
    let of = watched();
    for (name, args) in STEPS {
        let calls = some_steps(&of, &["home", "out"], 24, args);
        assert!(!calls.is_empty(), "{name}: no steps");
        kill_at_each(&of, &calls, args, |context, a| {
            let context = format!("{name}, {context}");
            taken_up(a, args, &context);
        });
        // Done once for what follows.
        faults::run(&of, &args(&of)).code(0);
        for release in std::fs::read_dir(of.path("out")).unwrap() {
            std::fs::remove_dir_all(release.unwrap().path()).unwrap();
        }
    }
}

fn taken_up(a: &Appliance, args: Args, context: &str) {
    let report = sound(a, context);
    let plan = faults::plan_to_take_up(&report);
    if context.starts_with("stage") && plan.is_some() {
        // What is not out is followed by nothing.
        let next = faults::run(a, &step(a, "root rollover reached", &[]));
        assert!(
            next.code == 1 && next.stderr.contains("[rollover.unreleased]"),
            "{context}: {}",
            next.stderr
        );
    }
    let again = match &plan {
        Some(plan) => faults::run(a, &faults::perform(a, plan, "out")),
        None => faults::run(a, &args(a)),
    };
    match again.code {
        0 => {}
        // It was on record, and sealed.
        1 => assert!(
            ["[rollover.step]", "[retire.twice]", "[plan.spent]"].iter().any(|id| again.stderr.contains(id)),
            "{context}: {}",
            again.stderr
        ),
        other => panic!("{context}: {other} {}", again.stderr),
    }
    if again.code == 1 {
        faults::run(a, &faults::pin(a)).code(0);
    }
    settled(a, context);
}
