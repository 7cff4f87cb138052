//! What is promised about the command line: help, examples, exit codes, JSON.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

mod scene;

use serde_json::Value;

use self::scene::Scene;
use crate::appliance::{Appliance, PIN, Ran, module, ran};

/// The verbs in an order in which their examples can be run one after the other.
#[rustfmt::skip]
const ORDER: [&str; 36] = [
    "init", "root create", "policy check", "policy pin",
    "request", "inspect", "policy export", "precheck", "sign", "assemble", "verify", "plan", "perform",
    "status", "revoke", "crl",
    "audit verify", "audit show", "audit export", "audit restore",
    "token list", "token check", "token attest",
    "root rollover begin", "root rollover show", "root rollover stage", "root rollover reached",
    "root rollover cross", "root rollover compromised", "root rollover end", "root retire",
    "root adopt", "root renew", "root companion",
    "completions", "manual",
];

fn anchorite(args: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_anchorite"));
    ran(command.args(args).env_remove("ANCHORITE_HOME").stdin(Stdio::null()).output().unwrap())
}

fn help(verb: &str) -> String {
    let mut args: Vec<&str> = verb.split_whitespace().collect();
    args.push("--help");
    anchorite(&args).code(0).stdout
}

/// Every verb by its words, and whether it only groups others.
fn verbs() -> BTreeMap<String, bool> {
    let mut found = BTreeMap::new();
    let mut ahead = vec![String::new()];
    while let Some(verb) = ahead.pop() {
        let help = help(&verb);
        let commands = help.split("\nCommands:\n").nth(1).and_then(|rest| rest.split("\n\n").next());
        // What is indented further goes on from the line before.
        let lines = commands.unwrap_or_default().lines().filter(|line| !line.starts_with("   "));
        for line in lines {
            let name = line.split_whitespace().next().unwrap();
            if name != "help" {
                ahead.push(format!("{verb} {name}").trim().to_string());
            }
        }
        if !verb.is_empty() {
            found.insert(verb, commands.is_some());
        }
    }
    assert!(found.len() > 20, "{found:?}");
    found
}

/// The examples of a help text, each one command line.
fn examples(help: &str) -> Vec<String> {
    let Some((_, block)) = help.split_once("\nexample:\n") else { return Vec::new() };
    let block = block.split("\n\n").next().unwrap().trim_end().replace("\\\n", " ");
    for line in block.lines() {
        assert!(line.starts_with("  anchorite "), "not an example, or broken by wrapping: {line}");
    }
    block.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn every_verb_explains_itself_with_an_example_that_is_tried() {
    let mut tried: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let verbs = verbs();
    for (verb, _) in verbs.iter().filter(|(_, groups)| !**groups) {
        let known = ORDER.iter().find(|known| *known == verb);
        let known = known.unwrap_or_else(|| panic!("`{verb}`: the examples of this verb are not tried"));
        tried.insert(known, examples(&help(verb)));
    }
    assert_eq!(tried.len(), ORDER.len(), "a verb in ORDER is gone");
    for (verb, lines) in &tried {
        assert!(!lines.is_empty(), "`{verb} --help` has no example");
        assert!(lines.iter().all(|line| line.starts_with(&format!("anchorite {verb} "))), "{lines:?}");
    }
    for (verb, _) in verbs.iter().filter(|(_, groups)| **groups) {
        let lines = examples(&help(verb));
        let one_of_theirs = |line: &String| tried.values().flatten().any(|other| other == line);
        assert!(!lines.is_empty() && lines.iter().all(one_of_theirs), "`{verb}`: {lines:?}");
    }
    for json in [false, true] {
        let scene = Scene::new();
        for verb in ORDER {
            scene.prepare(verb);
            for line in &tried[verb] {
                scene.run(verb, line, json);
            }
        }
    }
}

#[test]
fn version_and_completions() {
    let version = anchorite(&["--version"]).code(0).stdout;
    assert_eq!(version, format!("anchorite {}\n", env!("CARGO_PKG_VERSION")));
    for (shell, mark) in
        [("bash", "complete "), ("zsh", "#compdef anchorite"), ("fish", "complete -c anchorite")]
    {
        let script = anchorite(&["completions", shell]).code(0).stdout;
        assert!(script.contains(mark) && script.contains("root-sha256"), "{shell}");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), script).unwrap();
        match Command::new(shell).arg("-n").arg(file.path()).output() {
            Ok(out) => assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr)),
            // Only bash is everywhere.
            Err(_) => assert_ne!(shell, "bash"),
        }
    }
}

#[test]
fn every_verb_has_a_man_page_without_a_fault() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("man1");
    anchorite(&["manual", folder.to_str().unwrap()]).code(0);
    let mut pages: Vec<String> =
        verbs().keys().map(|v| format!("anchorite-{}.1", v.replace(' ', "-"))).collect();
    pages.push("anchorite.1".into());
    for page in pages {
        let text = std::fs::read_to_string(folder.join(&page)).unwrap_or_else(|e| panic!("{page}: {e}"));
        assert!(text.contains(".TH ") && text.contains(".SH NAME"), "{page}");
        if page != "anchorite.1" {
            assert!(text.contains("example:"), "{page} has no example");
        }
        // Groff comes with most systems, not with all.
        if let Ok(out) = Command::new("groff").args(["-man", "-ww", "-z"]).arg(folder.join(&page)).output() {
            assert!(out.stderr.is_empty(), "{page}: {}", String::from_utf8_lossy(&out.stderr));
        }
    }
}

#[test]
fn usage_errors_exit_with_2_and_touch_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).display().to_string();
    let (home, nowhere) = (at("home"), at("nowhere"));
    let zeros = "0".repeat(64);
    let cases: &[&[&str]] = &[
        &[],
        &["conjure"],
        &["root"],
        &["audit"],
        &["sign", "--from", "a"],
        &["sign", "--from", "a", "--to", "b", "--force"],
        &["inspect"],
        &["init", &home],
        &["init", &home, "--token", "token=ceremony"],
        &["init", &home, "--token", "pkcs11:token=x", "--pin", "1234"],
        &["root", "create", "--subject", "CN=x", "--key", "rsa2048", "--ttl", "20y"],
        &["root", "create", "--subject", "CN=x", "--key", "p256", "--ttl", "20"],
        &["root", "create", "--subject", "CN=x", "--key", "p256", "--ttl", "0y"],
        &["root", "create", "--subject", "CN=x", "--key", "p256", "--ttl", "20y", "--path-len", "-1"],
        &[
            "root",
            "create",
            "--pin-file",
            "a",
            "--pin-fd",
            "3",
            "--subject",
            "CN=x",
            "--key",
            "p256",
            "--ttl",
            "1y",
        ],
        &["verify", &nowhere, "--root-sha256", "abc"],
        &["verify", &nowhere, "--root-sha256", &zeros],
        &["verify", &nowhere],
        &["audit", "verify", "--journal", &nowhere],
        &["audit", "verify", "--expect-head", "0x00"],
        &["audit", "show", "--last", "all", "--home", &nowhere],
        &["audit", "verify", "--home", &nowhere],
        &["inspect", "--home", &nowhere, &nowhere],
        &["completions", "tcsh"],
        &[
            "request",
            "--cluster",
            "a",
            "--profile",
            "p",
            "--key",
            &nowhere,
            "--to",
            &nowhere,
            "--algorithm",
            "dsa",
        ],
    ];
    for args in cases {
        let ran = anchorite(args);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{args:?}: {}", ran.stderr);
        assert!(!ran.stderr.is_empty(), "{args:?} says nothing");
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "something was left behind");
}

#[test]
fn an_error_in_json_is_one_document_on_stderr() {
    let ran = anchorite(&["audit", "verify", "--home", "/nonexistent", "--json"]).code(2);
    let error: Value = serde_json::from_str(&ran.stderr).unwrap();
    assert_eq!((&error["error"]["id"], &error["error"]["exit"]), (&"home.missing".into(), &2.into()));
    assert!(error["error"]["next"].as_str().unwrap().contains("ANCHORITE_HOME"));
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

#[test]
fn inspect_tells_machines_everything_and_people_what_matters() {
    let a = Appliance::with_root("p256");
    let (key, stick) = (a.path("east.key"), a.path("in"));
    let stick = stick.to_str().unwrap();
    let mut request = vec!["request", "--cluster", "east", "--profile", "istio", "--json"];
    request.extend(["--key", key.to_str().unwrap(), "--to", stick]);
    let made = a.run(&request).code(0).json();
    a.write("in/notes.txt", "nothing of interest");

    let inspect = |more: &[&str]| a.run(&[&["inspect", "--policy", "istio", stick], more].concat());
    let report = inspect(&["--json"]).code(0).json();
    assert_eq!(keys(&report), ["media", "requests"]);
    let request = &report["requests"][0];
    assert_eq!(keys(request), ["cluster", "digest", "file", "findings", "policy", "verdict"]);
    assert_eq!(request["file"], "east.csr");
    assert_eq!(request["digest"], made["digest"]);
    assert_eq!(request["cluster"], "east");
    assert_eq!(request["policy"], "istio");
    assert_eq!(request["verdict"], "grant");
    let findings = request["findings"].as_array().unwrap();
    assert!(findings.iter().all(|f| f["rule"].is_string() && f["message"].is_string()));
    assert_eq!(keys(&report["media"][0]), ["file", "message", "rule"]);
    assert_eq!(report["media"][0]["file"], "notes.txt");
    assert_eq!(report["media"][0]["rule"], "media.not-a-request");

    let passed = findings.iter().filter(|f| f["outcome"] == "pass").count();
    assert!(passed > 20 && passed < findings.len(), "{passed} of {}", findings.len());
    let (some, all) = (inspect(&[]).code(0).stdout, inspect(&["--all"]).code(0).stdout);
    for finding in findings {
        let rule = finding["rule"].as_str().unwrap();
        assert!(all.contains(&format!("[{rule}")), "{rule} is not among all: {all}");
    }
    let in_order = format!("{passed} rules in order");
    assert!(some.contains(&in_order) && all.contains(&in_order), "{some}");
    let listed = |text: &str| text.lines().filter(|line| line.starts_with("  ok ")).count();
    assert_eq!((listed(&some), listed(&all)), (1, passed + 1));
    let open = findings.iter().find(|f| f["outcome"] == "narrowed" || f["outcome"] == "granted");
    let open = open.expect("a wish in the request")["rule"].as_str().unwrap();
    assert!(some.contains(&format!("[{open}")), "{some}");
}

#[test]
fn inspect_exits_1_if_anything_is_refused() {
    let a = Appliance::with_root("p256");
    a.request("east");
    let stick = a.path("in");
    let inspect = || a.run(&["inspect", stick.to_str().unwrap(), "--json"]).code(1).json();
    let report = inspect();
    assert_eq!(report["requests"][0]["verdict"], "refuse", "an unknown cluster, and no policy named");
    assert_eq!(report["requests"][0]["policy"], Value::Null);

    let a = Appliance::with_root("p256");
    a.request("east");
    std::fs::copy(a.path("keys/east.key"), a.path("in/east.key")).unwrap();
    let report =
        a.run(&["inspect", "--policy", "istio", a.path("in").to_str().unwrap(), "--json"]).code(1).json();
    let media = report["media"].as_array().unwrap();
    assert!(media.iter().any(|m| m["rule"] == "media.private-key" && m["file"] == "east.key"), "{report}");
}

#[test]
fn audit_verify_has_three_states() {
    let a = Appliance::with_root("p256");
    let shape = "attested companions entries errors head open roots signatures state";
    let ok = a.audit(&[]).code(0).json();
    assert_eq!(keys(&ok).join(" "), shape);
    assert_eq!(ok["state"], "ok");
    assert!(ok["entries"].as_u64().unwrap() > 5 && ok["signatures"].as_u64().unwrap() >= 2);
    assert_eq!((ok["open"].as_array().unwrap().len(), ok["errors"].as_array().unwrap().len()), (0, 0));

    // HEX in any case, with or without colons.
    let head = ok["head"].as_str().unwrap().to_string();
    let colons = |hex: &str| {
        hex.as_bytes().chunks(2).map(|b| String::from_utf8_lossy(b)).collect::<Vec<_>>().join(":")
    };
    for root in [a.root_sha256.clone(), a.root_sha256.to_uppercase(), colons(&a.root_sha256.to_uppercase())] {
        a.audit(&["--root-sha256", &root, "--expect-head", &colons(&head).to_uppercase()]).code(0);
    }
    let other = a.root_sha256.chars().rev().collect::<String>();
    let broken = a.audit(&["--root-sha256", &other]).code(4).json();
    assert_eq!((broken["state"].as_str(), keys(&broken).join(" ").as_str()), (Some("broken"), shape));
    assert!(broken["errors"][0]["id"].is_string() && broken["errors"][0]["message"].is_string());

    // A last line that a crash cut short.
    let journal = a.journal() + "{\"seq\":";
    a.write("home/journal/journal.jsonl", journal);
    let open = a.audit(&[]).code(1).json();
    assert_eq!((open["state"].as_str(), keys(&open).join(" ").as_str()), (Some("open"), shape));
    assert_eq!(open["open"].as_array().unwrap().len(), 1, "{open}");
}

#[test]
fn the_home_comes_from_the_flag_or_the_environment() {
    let a = Appliance::with_home();
    let home = a.path("home");
    let check = |environment: &str, more: &[&str]| {
        let mut command = a.command(env!("CARGO_BIN_EXE_anchorite"));
        command.env("ANCHORITE_HOME", environment).args(["policy", "check"]).args(more);
        ran(command.output().unwrap()).code
    };
    assert_eq!(check(home.to_str().unwrap(), &[]), 0);
    assert_eq!(check("/nonexistent", &[]), 2);
    assert_eq!(check("/nonexistent", &["--home", home.to_str().unwrap()]), 0);
    assert!(!help("sign").contains("ANCHORITE_HOME=/"), "help shows the name, not the value");
}

#[test]
fn a_pin_comes_from_a_file_or_a_descriptor_and_goes_nowhere() {
    let a = Appliance::with_home();
    let pin = a.path("the-pin");
    let pin = pin.to_str().unwrap();
    let login = || a.run(&["token", "list", "--login", "--pin-file", pin]);
    for ending in ["", "\n", "\r\n"] {
        a.write("the-pin", format!("{PIN}{ending}"));
        login().code(0);
    }
    for wrong in [format!("{PIN}\n\n"), format!(" {PIN}\n"), String::new(), "\n".into()] {
        a.write("the-pin", &wrong);
        let ran = login().code(3);
        assert!(!ran.stderr.contains(PIN) && !ran.stdout.contains(PIN), "{}", ran.stderr);
    }
    a.write("the-pin", format!("{PIN}\n"));
    let by_descriptor = |number: &str| {
        let line = format!("exec \"$0\" token list --login --pin-fd {number} 5<'{pin}'");
        ran(a.command("sh").args(["-c", &line, env!("CARGO_BIN_EXE_anchorite")]).output().unwrap())
    };
    by_descriptor("5").code(0);
    by_descriptor("77").fails(2, "pin.descriptor");
}

#[test]
fn yes_is_for_homes_made_for_it() {
    let a = Appliance::bare();
    let home = a.path("home");
    let init = ["init", home.to_str().unwrap(), "--token", "pkcs11:token=ceremony", "--module", &module()];
    a.run(&[&init[..], &["--yes"]].concat()).fails(1, "consent.yes");
    assert!(!home.exists());
    a.run(&init).code(0);
    a.run(&["root", "create", "--subject", "CN=Root", "--key", "p256", "--ttl", "20y", "--yes"])
        .fails(1, "consent.yes");
    a.run(&["policy", "check", "--yes"]).fails(1, "consent.yes");
}
