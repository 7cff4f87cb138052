//! The fleet's calendar: what it says of a real home, and files that foreign parsers read.

use std::process::Command;

use serde_json::Value;

use crate::appliance::{Appliance, Ran, ran};

/// Two registered clusters, signed for; east's certificate is renewed or revoked by the tests.
fn fleet() -> Appliance {
    let a = Appliance::with_root("p256");
    let register = "[clusters.east]\npolicy = \"istio\"\n\n[clusters.west]\npolicy = \"istio\"\n";
    a.write("home/clusters.toml", register);
    a.run(&["policy", "pin", "--yes", "--pin-file", a.path("pin").to_str().unwrap()]).code(0);
    a.request("east");
    a.request("west");
    a.sign(&[]).code(0);
    a
}

fn status(a: &Appliance, more: &[&str]) -> Ran {
    a.run(&[&["status"], more].concat())
}

/// A day so long after the journal's last entry.
fn later(a: &Appliance, days: i64) -> String {
    let recorded = status(a, &["--json"]).json()["recorded"].as_str().unwrap().to_string();
    let date =
        Command::new("date").args(["-u", "-d", &format!("{recorded} + {days} days"), "+%FT%TZ"]).output();
    String::from_utf8(date.unwrap().stdout).unwrap().trim().to_string()
}

fn of<'a>(report: &'a Value, cluster: &str) -> &'a Value {
    let all = report["intermediates"].as_array().unwrap();
    all.iter().find(|it| it["cluster"] == cluster).unwrap_or_else(|| panic!("{cluster} in {report}"))
}

#[test]
fn the_fleets_calendar_says_what_comes_first() {
    let a = fleet();
    let report = status(&a, &["--json"]).code(0).json();
    assert_eq!((report["in_order"].as_bool(), report["crl"]["number"].as_u64()), (Some(true), Some(1)));
    let east = of(&report, "east");
    assert!([59, 60].map(Some).contains(&east["days_left"].as_i64()) && east["policy"] == "istio", "{east}");
    assert_eq!(
        report["next"]["at"].as_str(),
        [east, of(&report, "west")].iter().map(|it| it["renew_by"].as_str().unwrap()).min()
    );
    let serial = east["serial"].as_str().unwrap();
    let text = status(&a, &[]).code(0).stdout;
    for wanted in [
        "next ceremony by ",
        "renew the intermediate of ",
        serial,
        "L=east",
        "root's CRL    1 of ",
        "fleet's set   ",
    ] {
        assert!(text.contains(wanted), "no '{wanted}' in\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "colours in a pipe");
    // Half of sixty days is over: thirty are what the way takes.
    let due = status(&a, &["--at", &later(&a, 31), "--json"]).code(1).json();
    let matters = due["matters"].as_array().unwrap();
    assert!(matters.len() == 2 && matters[0].as_str().unwrap().starts_with("overdue since "), "{due}");
    // Nothing is alive any more, and the register says who should have something.
    let over = status(&a, &["--at", &later(&a, 61), "--json"]).code(1).json();
    assert_eq!(
        (over["intermediates"].as_array().unwrap().len(), over["without"].as_array().unwrap().len()),
        (0, 2)
    );
    status(&a, &["--at", "2020-01-01T00:00:00Z"]).fails(2, "status.past");
}

#[test]
fn what_falls_due_later_can_be_left_out() {
    let a = fleet();
    let text = status(&a, &["--within", "10d"]).code(0).stdout;
    assert!(
        !text.contains("\nrenew by ") && text.contains("\n2 more, of which nothing falls due by "),
        "{text}"
    );
    let text = status(&a, &["--within", "40d"]).code(0).stdout;
    assert!(
        text.contains("\nrenew by ") && text.contains("L=west") && !text.contains(" more, of which"),
        "{text}"
    );
}

#[test]
fn a_revocation_is_shown_until_a_crl_lists_it_and_after() {
    let a = fleet();
    let serial = of(&status(&a, &["--json"]).json(), "east")["serial"].as_str().unwrap().to_string();
    let pin = a.path("pin");
    let answered = ["--yes", "--pin-file", pin.to_str().unwrap()];
    a.run(&[&["revoke", &serial, "--reason", "keyCompromise"], &answered[..]].concat()).code(0);
    let report = status(&a, &["--json"]).code(1).json();
    assert_eq!(of(&report, "east")["revoked"]["listed"].as_bool(), Some(false), "{report}");
    assert_eq!(
        (&report["unlisted"][0], report["without"][0]["cluster"].as_str()),
        (&Value::from(serial.clone()), Some("east"))
    );
    assert!(status(&a, &["--within", "1d"]).code(1).stdout.contains("keyCompromise, on no CRL yet"));
    a.run(&[&["crl", "--to", a.path("out").to_str().unwrap()], &answered[..]].concat()).code(0);
    let report = status(&a, &["--json"]).code(1).json();
    assert_eq!(of(&report, "east")["revoked"]["listed"].as_bool(), Some(true), "{report}");
    assert_eq!(
        (report["unlisted"].as_array().unwrap().len(), report["crl"]["entries"].as_u64()),
        (0, Some(1))
    );
}

#[test]
fn a_retired_root_wants_nothing_more() {
    let a = fleet();
    let (out, pin) = (a.path("out"), a.path("pin"));
    let answered = ["--to", out.to_str().unwrap(), "--yes", "--pin-file", pin.to_str().unwrap()];
    a.run(&[&["root", "retire"], &answered[..]].concat()).code(0);
    let text = status(&a, &[]).code(0).stdout;
    assert!(text.contains(", retired\n") && !text.contains("next ceremony"), "{text}");
    let report = status(&a, &["--at", &later(&a, 61), "--json"]).code(0).json();
    assert_eq!((report["retired"].as_bool(), report["next"].is_null()), (Some(true), true), "{report}");
}

/// Reads both files with others' parsers and prints what they found.
const JUDGES: &str = r#"
import json, sys, icalendar
from prometheus_client.parser import text_string_to_metric_families
calendar = icalendar.Calendar.from_ical(open(sys.argv[1], 'rb').read())
assert not calendar.errors, calendar.errors
events = {}
for event in calendar.walk('VEVENT'):
    assert not event.errors, event.errors
    start = event.decoded('DTSTART')
    assert start.utcoffset().total_seconds() == 0 and event.decoded('DTSTAMP').utcoffset().total_seconds() == 0
    assert str(event['UID']) not in events
    alarms = [part for part in event.subcomponents if part.name == 'VALARM']
    events[str(event['UID'])] = [int(start.timestamp()), str(event['SUMMARY']), str(event['DESCRIPTION']), len(alarms)]
samples = {}
for family in text_string_to_metric_families(open(sys.argv[2]).read()):
    assert family.type == 'gauge' and family.documentation and family.samples
    for sample in family.samples:
        labels = ','.join(f'{k}={v}' for k, v in sorted(sample.labels.items()))
        assert (sample.name, labels) not in samples
        samples[f'{sample.name} {labels}'.strip()] = sample.value
print(json.dumps({'events': events, 'samples': samples}))
"#;

#[test]
fn foreign_parsers_read_both_files() {
    let a = fleet();
    let (ical, metrics) = (a.path("fleet.ics"), a.path("fleet.prom"));
    let files = ["--ical", ical.to_str().unwrap(), "--prometheus", metrics.to_str().unwrap()];
    let report = status(&a, &[&files[..], &["--json"]].concat()).code(0).json();
    let judge = || {
        ran(Command::new("/usr/bin/python3").args(["-c", JUDGES]).arg(&ical).arg(&metrics).output().unwrap())
    };
    let read = judge().code(0).json();
    let (events, samples) = (read["events"].as_object().unwrap(), read["samples"].as_object().unwrap());
    assert_eq!(events.len(), 2 * 2 + 2 + 2, "two each of two clusters, the root and its CRL: {read}");
    for cluster in ["east", "west"] {
        let it = of(&report, cluster);
        let serial = it["serial"].as_str().unwrap();
        let event = &events[&format!("renew-{serial}@{}.anchorite", report["home"].as_str().unwrap())];
        let labels = format!("cluster={cluster},serial={serial}");
        let renew_by = &samples[&format!("anchorite_certificate_renew_by_seconds {labels}")];
        assert_eq!((event[0].as_f64(), event[3].as_u64()), (renew_by.as_f64(), Some(1)), "{read}");
        assert_eq!(event[1], format!("renew the intermediate of {cluster}"));
        assert!(event[2].as_str().unwrap().contains(it["subject"].as_str().unwrap()), "{event} {it}");
        assert!(samples.contains_key(&format!("anchorite_certificate_not_after_seconds {labels}")), "{read}");
    }
    for name in ["root_not_after_seconds", "next_action_seconds", "open_matters", "crl_renew_by_seconds"] {
        assert!(samples.contains_key(&format!("anchorite_{name}")), "{name} in {read}");
    }
    // What the README's alerts watch is there.
    let readme = std::fs::read_to_string("README.md").unwrap();
    let alerts = readme.split("```yaml\n- alert: ").nth(1).unwrap().split("```").next().unwrap();
    let watched = alerts.split(|c: char| !c.is_ascii_lowercase() && c != '_');
    for name in watched.filter(|word| word.starts_with("anchorite_")) {
        assert!(samples.keys().any(|sample| sample.split(' ').next() == Some(name)), "{name} in {read}");
    }
    // From another moment the files say the same, and ours are replaced whole.
    let before = (std::fs::read(&ical).unwrap(), std::fs::read(&metrics).unwrap());
    status(&a, &[&files[..], &["--at", &later(&a, 31)]].concat()).code(1);
    assert_eq!(before, (std::fs::read(&ical).unwrap(), std::fs::read(&metrics).unwrap()));
}

#[test]
fn a_file_that_is_not_ours_stays() {
    let a = fleet();
    let file = a.path("notes.ics");
    let path = file.to_str().unwrap();
    std::fs::write(&file, "BEGIN:VCALENDAR\r\nsomebody's own").unwrap();
    status(&a, &["--ical", path]).fails(2, "status.exists");
    status(&a, &["--prometheus", path]).fails(2, "status.exists");
    status(&a, &["--ical", "/"]).fails(2, "status.file");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "BEGIN:VCALENDAR\r\nsomebody's own");
    let other = a.path("fleet.prom");
    status(&a, &["--prometheus", other.to_str().unwrap(), "--ical", path]).fails(2, "status.exists");
    assert!(!other.exists(), "both or none");
    let inside = a.path("home/policies/fleet.prom");
    status(&a, &["--prometheus", inside.to_str().unwrap()]).fails(2, "output.home");
    status(&a, &["--prometheus", a.path("nowhere/fleet.prom").to_str().unwrap()]).fails(2, "file.unwritable");
}
