//! The policies away from the home: the same rules and the same words, days before.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::appliance::{Appliance, Ran, copy};
use crate::pki::now;

/// The rules that only the ceremony's own record decides, as the export says itself.
const BY_RECORD: [&str; 9] = [
    "subject.issuer",
    "key.issuer",
    "key.one-subject",
    "renewal.same-key",
    "renewal.same-subject",
    "renewal.spacing",
    "issuer.consumer",
    "issuer.course",
    "serial.unique",
];

fn words(path: &Path) -> String {
    path.display().to_string()
}

fn export(a: &Appliance, to: &str) -> PathBuf {
    std::fs::create_dir_all(a.path(to)).unwrap();
    let made = a.run(&["policy", "export", "--to", &words(&a.path(to)), "--json"]).code(0).json();
    PathBuf::from(made["export"].as_str().unwrap())
}

/// Where there is no home.
fn precheck(a: &Appliance, export: &Path, more: &[&str]) -> Ran {
    let (home, stick) = (words(&a.path("no-home")), words(&a.path("in")));
    let policies = words(export);
    a.run(&[&["precheck", "--home", &home, "--policies", &policies, &stick], more].concat())
}

/// Both within one second: what they say holds the time.
fn both(a: &Appliance, export: &Path, more: &[&str]) -> (Value, Value) {
    loop {
        let at = now();
        let stick = words(&a.path("in"));
        let inspected = a.run(&[&["inspect", &stick, "--json"], more].concat());
        if now() != at {
            continue;
        }
        let at = at.to_string();
        let checked = precheck(a, export, &[&["--at", &at, "--json"], more].concat());
        assert_eq!(inspected.code, checked.code, "{}{}", inspected.stderr, checked.stderr);
        return (inspected.json(), checked.json());
    }
}

fn register(a: &Appliance, text: &str) {
    a.write("home/clusters.toml", text);
    a.run(&["policy", "pin", "--yes", "--pin-file", &words(&a.path("pin"))]).code(0);
}

/// A root; `east` has its certificate, and asks again with the same key; `west` asks for the
/// first time; `north` is not registered.
fn fleet() -> Appliance {
    let a = Appliance::with_root("p256");
    register(&a, "[clusters.east]\npolicy = \"istio\"\n\n[clusters.west]\npolicy = \"istio\"\n");
    a.request("east");
    a.sign(&[]).code(0);
    a.request("west");
    a.request("north");
    a
}

#[test]
fn the_findings_are_those_of_inspect() {
    let a = fleet();
    let export = export(&a, "audit");
    for more in [&[][..], &["--policy", "istio"], &["--policy", "issuing-ca"]] {
        let (inspected, mut checked) = both(&a, &export, more);
        let away = checked.as_object_mut().unwrap().remove("precheck").unwrap();
        assert_eq!(inspected, checked, "{more:?}");
        let named: Vec<&str> = away["ceremony"].as_array().unwrap().iter().flat_map(Value::as_str).collect();
        assert_eq!(named, BY_RECORD);
        let wanted = if more.is_empty() { "refuse" } else { "grant" };
        let verdict = |cluster: &str| {
            let requests = checked["requests"].as_array().unwrap().iter();
            requests.clone().find(|r| r["cluster"] == cluster).unwrap()["verdict"].clone()
        };
        assert_eq!((verdict("east"), verdict("north")), ("refuse".into(), wanted.into()), "{more:?}");
    }
    // For people, too, but for what is said of the export.
    let stick = words(&a.path("in"));
    let inspected = a.run(&["inspect", &stick, "--all"]).code(1).stdout;
    let checked = precheck(&a, &export, &["--all"]).code(1).stdout;
    let (checked, origin) = checked.split_once("judged away from the home").unwrap();
    assert_eq!(inspected.lines().count(), checked.lines().count());
    for told in ["as of", "journal", "root", "export", "renewal.same-key", "serial.unique"] {
        assert!(origin.contains(told), "no '{told}' in {origin}");
    }
}

/// What was signed after the export is not in it, and no other rule depends on that.
#[test]
fn an_older_export_differs_in_the_rules_that_it_names() {
    let a = fleet();
    let export = export(&a, "audit");
    std::fs::remove_file(a.path("in/north.csr")).unwrap();
    std::fs::remove_file(a.path("in/north.crl")).unwrap();
    std::fs::remove_file(a.path("in/east.csr")).unwrap();
    std::fs::remove_file(a.path("in/east.crl")).unwrap();
    precheck(&a, &export, &[]).code(0);
    a.sign(&[]).code(0);
    let inspected = a.run(&["inspect", &words(&a.path("in")), "--json"]).code(1).json();
    let checked = precheck(&a, &export, &["--json"]).code(0).json();
    let findings = |report: &Value| report["requests"][0]["findings"].as_array().unwrap().clone();
    let both: Vec<_> = findings(&inspected).into_iter().zip(findings(&checked)).collect();
    let differing: Vec<_> = both.iter().filter(|(a, b)| a["outcome"] != b["outcome"]).collect();
    assert!(differing.iter().any(|(a, _)| a["rule"] == "renewal.same-key"), "{differing:?}");
    for (a, b) in &differing {
        assert_eq!(a["rule"], b["rule"]);
        assert!(BY_RECORD.contains(&a["rule"].as_str().unwrap()), "{a} {b}");
    }
}

#[test]
fn the_same_state_is_the_same_export_and_tells_nothing_of_the_token() {
    let a = fleet();
    let (first, second) = (export(&a, "audit"), export(&a, "other"));
    let diff = a.command("diff").arg("-r").args([&first, &second]).output().unwrap();
    assert!(diff.status.success(), "{}", String::from_utf8_lossy(&diff.stdout));
    for entry in ["export.json", "clusters.toml", "root.pem", "policies/istio.toml"] {
        let text = std::fs::read_to_string(first.join(entry)).unwrap();
        assert!(!text.contains("pkcs11:") && !text.contains("softhsm"), "{entry}");
    }
    assert!(!first.join("anchorite.toml").exists());
    a.run(&["policy", "export", "--to", &words(&a.path("audit"))]).fails(2, "file.exists");
}

#[test]
fn an_edit_is_not_exported_before_it_is_in_force() {
    let a = fleet();
    std::fs::create_dir(a.path("audit")).unwrap();
    let policy = std::fs::read_to_string(a.path("home/policies/istio.toml")).unwrap();
    a.write("home/policies/istio.toml", policy + "# an edit\n");
    a.run(&["policy", "export", "--to", &words(&a.path("audit"))]).fails(4, "home.edited");
    assert_eq!(std::fs::read_dir(a.path("audit")).unwrap().count(), 0);
}

#[test]
fn a_changed_file_of_an_export_is_named() {
    let a = fleet();
    let good = export(&a, "audit");
    let changed = |name: &str, change: &dyn Fn(&Path)| {
        let other = a.path("changed");
        copy(&good, &other);
        change(&other.join(name));
        let ran = precheck(&a, &other, &[]);
        std::fs::remove_dir_all(&other).unwrap();
        ran
    };
    let append = |path: &Path| {
        let text = std::fs::read_to_string(path).unwrap();
        std::fs::write(path, text + "# more\n").unwrap();
    };
    let remove = |path: &Path| std::fs::remove_file(path).unwrap();
    for name in ["policies/istio.toml", "clusters.toml", "root.pem"] {
        for change in [&append as &dyn Fn(&Path), &remove] {
            let ran = changed(name, change).fails(4, "export.changed");
            assert!(ran.stderr.contains(name), "{}", ran.stderr);
        }
    }
    let add = |path: &Path| copy(&good.join("policies/istio.toml"), path);
    changed("policies/own.toml", &add).fails(4, "export.changed");
    let note = |path: &Path| std::fs::write(path, "ours").unwrap();
    changed("README", &note).code(1);
    changed("export.json", &remove).fails(2, "export.missing");
    changed("export.json", &append).fails(4, "export.unreadable");
    let newer = |path: &Path| {
        let text = std::fs::read_to_string(path).unwrap();
        std::fs::write(path, text.replacen("\"version\": 1", "\"version\": 2", 1)).unwrap();
    };
    changed("export.json", &newer).fails(4, "export.unreadable");
    precheck(&a, &a.path("nowhere"), &[]).fails(2, "folder.missing");
}

#[test]
fn the_day_of_the_ceremony_is_the_day_that_is_judged() {
    let a = fleet();
    let export = export(&a, "audit");
    precheck(&a, &export, &["--at", "2020-01-01T00:00:00Z"]).fails(2, "precheck.at");
    let west = |ran: &Ran| {
        let report = ran.json();
        let all = report["requests"].as_array().unwrap().clone();
        let one = all.into_iter().find(|r| r["cluster"] == "west").unwrap();
        let refusing = one["findings"].as_array().unwrap().iter().filter(|f| f["outcome"] == "refused");
        let rules: Vec<_> = refusing.map(|f| f["rule"].as_str().unwrap().to_string()).collect();
        (one["verdict"].as_str().unwrap().to_string(), rules)
    };
    assert_eq!(west(&precheck(&a, &export, &["--json"])).0, "grant");
    // A day before the root ends; by then the cluster's own CRL has run out, too.
    let at = (now() + anchorite::x509::Seconds::parse("7299d").unwrap()).to_string();
    let (verdict, rules) = west(&precheck(&a, &export, &["--json", "--at", &at]));
    assert_eq!(verdict, "refuse");
    assert!(rules.contains(&"validity.minimum".into()), "{rules:?}");
    assert!(rules.contains(&"crl.next-update".into()), "{rules:?}");
}

#[test]
fn a_private_key_among_the_requests_ends_it() {
    let a = fleet();
    let export = export(&a, "audit");
    std::fs::copy(a.path("keys/west.key"), a.path("in/west.pem")).unwrap();
    let ran = precheck(&a, &export, &[]).fails(1, "media.private-key");
    assert!(ran.stderr.contains("in/west.pem") || ran.stderr.contains("west.pem"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("destroy the stick"), "{}", ran.stderr);
}

#[test]
fn what_cannot_be_asked_is_told() {
    let a = fleet();
    let export = export(&a, "audit");
    precheck(&a, &export, &["--policy", "istoi"]).fails(2, "policy.no-such");
    std::fs::remove_dir_all(a.path("in")).unwrap();
    std::fs::create_dir(a.path("in")).unwrap();
    precheck(&a, &export, &[]).fails(2, "media.empty");
    // A CRL for a certificate that is signed already: the home knows whether it fits.
    a.request("south");
    std::fs::remove_file(a.path("in/south.csr")).unwrap();
    a.request("west2");
    let report = precheck(&a, &export, &["--policy", "istio", "--json"]).code(0).json();
    assert_eq!(report["media"][0]["rule"], "precheck.crl-alone", "{report}");
}

/// A retired root signs nothing: nobody need travel.
#[test]
fn a_root_that_signs_nothing_is_told() {
    let a = fleet();
    let (out, pin) = (words(&a.path("out")), words(&a.path("pin")));
    a.run(&["root", "retire", "--to", &out, "--yes", "--pin-file", &pin]).code(0);
    let report = precheck(&a, &export(&a, "audit"), &["--json", "--policy", "istio"]).code(1).json();
    for request in report["requests"].as_array().unwrap() {
        let mut refusing = request["findings"].as_array().unwrap().iter();
        assert!(refusing.any(|f| f["rule"] == "issuer.course" && f["outcome"] == "refused"), "{request}");
    }
}
