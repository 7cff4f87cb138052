//! CA homes that are missing, busy or edited; policies that are wrong or not in force.

use super::stick::namespace;
use super::{refused, refused_without_trace};
use crate::appliance::{Appliance, Ran, module, ran};

const SIGN: [&str; 2] = ["--policy", "istio"];

fn ready() -> Appliance {
    let a = Appliance::with_root("p256");
    a.request("east");
    a
}

fn pin(a: &Appliance) -> Ran {
    a.run(&["policy", "pin", "--yes", "--pin-file", &a.arg("pin")])
}

#[test]
fn a_home_is_never_made_over_anything() {
    let a = Appliance::with_home();
    let module = module();
    let init = |dir: &str| {
        a.run(&["init", dir, "--token", "pkcs11:token=ceremony", "--module", &module, "--unattended"])
    };
    refused_without_trace(
        &a,
        || init(&a.arg("home")),
        (2, "home.not-empty", &["/home: exists and is not empty"]),
    );
    refused_without_trace(
        &a,
        || init(&a.arg("pin")),
        (2, "home.unreadable", &["/pin: cannot be read (Not a directory"]),
    );
    refused_without_trace(
        &a,
        || init(&a.arg("no/where")),
        (2, "file.unwritable", &["/no/where: No such file"]),
    );
    // An empty folder, such as a fresh mount point, will do.
    std::fs::create_dir(a.path("fresh")).unwrap();
    init(&a.arg("fresh")).code(0);
    a.run(&["audit", "verify", "--home", &a.arg("fresh")]).code(0);
}

/// A copy that leaves empty folders out is still the home.
#[test]
fn an_empty_folder_that_got_lost_is_made_again() {
    let a = Appliance::with_root("p256");
    for folder in ["quarantine", "plans", "crl"] {
        std::fs::remove_dir(a.path("home").join(folder)).unwrap();
    }
    a.request("east");
    a.sign(&["--policy", "istio"]).code(0);
    assert_eq!(a.audit(&[]).code(0).json()["state"], "ok");
}

#[test]
fn without_a_home_every_verb_says_so() {
    let a = Appliance::bare();
    let (from, to) = (a.arg("in"), a.arg("out"));
    let verbs: [&[&str]; 8] = [
        &["root", "create", "--subject", "CN=x", "--key", "p256", "--ttl", "1y"],
        &["inspect", &from],
        &["sign", "--from", &from, "--to", &to],
        &["plan", "--from", &from, "--out", &a.arg("plan.json")],
        &["perform", "plan.json", "--to", &to],
        &["audit", "verify"],
        &["policy", "check"],
        &["token", "list"],
    ];
    for verb in verbs {
        let wanted = (2, "home.missing", &["/home: is not a CA home", "ANCHORITE_HOME"][..]);
        refused_without_trace(&a, || a.run(verb), wanted);
    }
}

#[test]
fn before_the_root_there_is_nothing_to_sign_with() {
    let a = Appliance::with_home();
    a.request("east");
    let (from, to, plan) = (a.arg("in"), a.arg("out"), a.arg("plan.json"));
    let verbs: [&[&str]; 3] = [
        &["inspect", &from],
        &["sign", "--from", &from, "--to", &to, "--yes"],
        &["plan", "--from", &from, "--out", &plan],
    ];
    for verb in verbs {
        refused_without_trace(
            &a,
            || a.run(verb),
            (2, "home.no-root", &["/home: has no root yet", "root create"]),
        );
    }
}

#[test]
fn one_process_at_a_time() {
    let a = ready();
    // Holds the lock as another session would, for as long as its command runs.
    let locked = |args: &[&str]| {
        let mut command = a.command("flock");
        command.arg(a.path("home/lock")).arg(env!("CARGO_BIN_EXE_anchorite")).args(args);
        crate::appliance::ran(command.output().unwrap())
    };
    let (from, to, pin) = (a.arg("in"), a.arg("out"), a.arg("pin"));
    let sign = ["sign", "--from", &from, "--to", &to, "--yes", "--policy", "istio", "--pin-file", &pin];
    let verbs: [&[&str]; 3] = [&sign, &["audit", "verify"], &["inspect", &from]];
    for verb in verbs {
        refused_without_trace(&a, || locked(verb), (2, "home.locked", &["/home/lock: held by"]));
    }
    a.sign(&SIGN).code(0);
}

/// A copy for an auditor: burnt on a disc, or mounted read-only.
#[test]
fn a_home_that_nobody_can_write_to_is_audited_and_signs_nothing() {
    let a = ready();
    let script = r#"mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" || exit 99; shift; exec "$@""#;
    let read_only = |args: &[&str]| {
        let unshare = namespace(&a);
        let mut command = a.command(unshare[0]);
        command.args(&unshare[1..]).args(["sh", "-c", script, "sh", &a.arg("home")]);
        ran(command.arg(env!("CARGO_BIN_EXE_anchorite")).args(args).output().unwrap())
    };
    assert_eq!(read_only(&["audit", "verify", "--json"]).code(0).json()["state"], "ok");
    read_only(&["audit", "show"]).code(0);
    read_only(&["inspect", "--policy", "istio", &a.arg("in")]).code(0);
    read_only(&["plan", "--policy", "istio", "--from", &a.arg("in"), "--out", &a.arg("plan.json")]).code(0);
    let (from, to, pin) = (a.arg("in"), a.arg("out"), a.arg("pin"));
    let sign = ["sign", "--policy", "istio", "--yes", "--from", &from, "--to", &to, "--pin-file", &pin];
    refused_without_trace(&a, || read_only(&sign), (4, "journal.write", &["Read-only file system"]));
}

/// The home of a colleague, who lets others read it.
#[test]
fn a_home_that_may_only_be_read_is_audited_and_signs_nothing() {
    let a = ready();
    let place = a.dir.path().to_str().unwrap();
    let script = r#"chmod -R a+rX "$1" && chmod -R a-w "$1/home""#;
    assert!(a.command("sh").args(["-c", script, "sh", place]).status().unwrap().success());
    let other = |args: &[&str]| {
        let anchorite = env!("CARGO_BIN_EXE_anchorite");
        // Nothing is forbidden to root: somebody else then.
        let root = rustix::process::geteuid().is_root();
        let mut command = a.command(if root { "setpriv" } else { anchorite });
        if root {
            command.args([
                "--reuid=65534",
                "--regid=65534",
                "--clear-groups",
                "sh",
                "-c",
                r#"exec "$@""#,
                "sh",
            ]);
            command.arg(anchorite);
        }
        ran(command.args(args).output().unwrap())
    };
    assert_eq!(other(&["audit", "verify", "--json"]).code(0).json()["state"], "ok");
    other(&["inspect", "--policy", "istio", &a.arg("in")]).code(0);
    let (from, to) = (a.arg("in"), a.arg("out"));
    let refused = other(&[
        "sign",
        "--policy",
        "istio",
        "--from",
        &from,
        "--to",
        &to,
        "--yes",
        "--pin-file",
        &a.arg("pin"),
    ]);
    assert!(refused.code == 2 || refused.code == 4, "{} {}", refused.code, refused.stderr);
    assert!(refused.stderr.contains("Permission denied"), "{}", refused.stderr);
    assert!(a.command("chmod").args(["-R", "u+w", place]).status().unwrap().success());
}

/// Empty folders are not in it.
#[test]
fn an_export_made_right_after_the_root_is_a_home_to_audit() {
    let a = Appliance::with_root("p256");
    a.run(&["audit", "export", "--to", &a.arg("out")]).code(0);
    let export = std::fs::read_dir(a.path("out")).unwrap().next().unwrap().unwrap().path();
    let report = a.run(&["audit", "verify", "--json", "--home", export.to_str().unwrap()]).code(0).json();
    assert_eq!(report["state"], "ok");
}

#[test]
fn a_wrong_document_is_shown_by_file_line_and_column() {
    let a = ready();
    let cases: [(&str, &str, &str, &str, &[&str]); 11] = [
        (
            "policies/istio.toml",
            "path-length = 0",
            "path-lenght = 0",
            "policy.unknown-key",
            &["policies/istio.toml:18:1: path-lenght", "did you mean 'path-length'?"],
        ),
        (
            "policies/istio.toml",
            "default = \"60d\"",
            "default = \"301d\"",
            "policy.default-above-maximum",
            &["policies/istio.toml:23:11", "validity.default", "301d", "300d"],
        ),
        (
            "policies/istio.toml",
            "maximum = \"300d\"",
            "maximum = 300d",
            "policy.parse",
            &["policies/istio.toml:27:", "not TOML"],
        ),
        (
            "policies/istio.toml",
            "\"60d\"",
            "\"sixty days\"",
            "policy.value",
            &["policies/istio.toml:23:11: validity.default", "sixty days"],
        ),
        (
            "policies/istio.toml",
            "[\"p256\", \"p384\", \"rsa\"]",
            "[\"p521\"]",
            "policy.value",
            &["policies/istio.toml:", "key.algorithms", "p521"],
        ),
        (
            "policies/istio.toml",
            "consumer = \"istio\"",
            "consumer = \"isti\"",
            "policy.value",
            &["release.consumer", "isti", "did you mean 'istio'?"],
        ),
        (
            "anchorite.toml",
            "[token]",
            "[tokne]",
            "config.unknown-key",
            &["anchorite.toml:", "tokne", "did you mean 'token'?"],
        ),
        (
            "anchorite.toml",
            "unattended = true",
            "unattended = false",
            "config.ceremony",
            &["anchorite.toml: [ceremony]", "unattended = false"],
        ),
        (
            "clusters.toml",
            "",
            "[clusters.east]\npolicy = \"isti\"\n",
            "register.unknown-policy",
            &["clusters.toml:2:", "clusters.east.policy", "isti", "did you mean 'istio'?"],
        ),
        (
            "clusters.toml",
            "",
            "[clusters.East_1]\npolicy = \"istio\"\n",
            "register.cluster-id",
            &["clusters.toml:1:", "East_1", "DNS label"],
        ),
        (
            "clusters.toml",
            "",
            "[clusters.east]\npolicy = \"istio\"\nowner = \"me\"\n",
            "register.unknown-key",
            &["clusters.toml:3:1: clusters.east.owner"],
        ),
    ];
    for (file, from, to, id, words) in cases {
        let path = format!("home/{file}");
        let before = std::fs::read_to_string(a.path(&path)).unwrap();
        a.edit(&path, from, to);
        let (inbox, edited) = (a.arg("in"), a.arg(&path));
        refused_without_trace(&a, || a.sign(&SIGN), (2, id, words));
        refused_without_trace(&a, || a.run(&["inspect", &inbox]), (2, id, words));
        refused_without_trace(&a, || pin(&a), (2, id, words));
        refused_without_trace(&a, || a.run(&["policy", "check"]), (2, id, words));
        if file.starts_with("policies") {
            refused(a.run(&["policy", "check", &edited]), (2, id, &[]));
        }
        a.audit(&[]).code(4);
        a.write(&path, before);
    }
    a.sign(&SIGN).code(0);
}

#[test]
fn an_edit_is_not_in_force_until_it_is_pinned() {
    let a = ready();
    let path = "home/policies/istio.toml";
    let before = std::fs::read_to_string(a.path(path)).unwrap();
    refused_without_trace(
        &a,
        || {
            let ran = pin(&a);
            assert!(ran.stderr.contains("nothing to pin"), "{}", ran.stderr);
            assert_eq!(ran.code, 0);
            a.run(&["inspect", &a.arg("none")])
        },
        (2, "media.missing", &[]),
    );

    a.edit(path, "default = \"60d\"", "default = \"30d\"");
    let edited = (
        4,
        "home.edited",
        &["policies/istio.toml was edited: its SHA-256 is", "pinned is", "policy pin"][..],
    );
    refused_without_trace(&a, || a.sign(&SIGN), edited);
    refused_without_trace(&a, || a.run(&["inspect", &a.arg("in")]), edited);
    refused_without_trace(&a, || a.run(&["audit", "show"]), edited);
    let waiting = a.run(&["policy", "check", "--json"]).code(1).json();
    assert!(waiting["edits"][0].as_str().unwrap().starts_with("policies/istio.toml was edited"));
    let audit = a.audit(&[]).code(4).json();
    assert_eq!((&audit["state"], &audit["errors"][0]["id"]), (&"broken".into(), &"home.edited".into()));

    pin(&a).code(0);
    a.run(&["policy", "check"]).code(0);
    assert_eq!(a.audit(&[]).code(0).json()["state"], "ok");
    assert!(a.sign(&SIGN).code(0).stderr.contains("(30 days)"));
    // The way back is an edit as well.
    a.write(path, before);
    refused_without_trace(&a, || a.run(&["inspect", &a.arg("in")]), edited);
    pin(&a).code(0);
    // And so is a policy more or less.
    a.write("home/policies/extra.toml", std::fs::read(a.path(path)).unwrap());
    refused(a.run(&["inspect", &a.arg("in")]), (4, "home.edited", &["policies/extra.toml is new"]));
    std::fs::remove_file(a.path("home/policies/extra.toml")).unwrap();
    std::fs::remove_file(a.path("home/policies/issuing-ca.toml")).unwrap();
    refused(a.run(&["inspect", &a.arg("in")]), (4, "home.edited", &["policies/issuing-ca.toml is gone"]));
}

#[test]
fn a_cluster_needs_a_policy_that_exists() {
    let a = ready();
    let ran = refused_without_trace(&a, || a.sign(&[]), (1, "plan.refusals", &["1 of 1 requests"]));
    assert!(
        ran.stderr.contains("[register.unknown-cluster]")
            && ran.stderr.contains("clusters.toml, or --policy")
    );
    let none = ["--policy", "isti"];
    let ran = refused_without_trace(
        &a,
        || a.sign(&none),
        (2, "policy.no-such", &["--policy isti", "did you mean 'istio'?"]),
    );
    assert!(!ran.stderr.contains("REFUSED"), "a mistyped name is no request's fault");
    let inspect = ["inspect", &a.arg("in"), "--policy", "isti"];
    refused_without_trace(&a, || a.run(&inspect), (2, "policy.no-such", &["isti"]));
    let all = ["--partial", "--policy", "issuing-ca"];
    a.edit("home/clusters.toml", "", "[clusters.east]\npolicy = \"istio\"\n");
    pin(&a).code(0);
    let ran = refused_without_trace(&a, || a.sign(&all), (1, "plan.nothing", &["every request is refused"]));
    assert!(ran.stderr.contains("[register.policy]"), "{}", ran.stderr);
    a.sign(&[]).code(0);
}

/// The kernel ends whoever does not say otherwise (SIGXFSZ), in the middle of anything.
#[test]
fn a_limit_on_the_size_of_files_is_told_like_a_full_disk() {
    let a = Appliance::with_root("p256");
    a.request("east");
    let limited = ["-c", "ulimit -f 1; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_anchorite")];
    let sign = crate::faults::sign(&a);
    let ran = crate::appliance::ran(a.command("sh").args(limited).args(&sign).output().unwrap());
    refused(ran, (4, "journal.write", &["/journal.jsonl", "File too large"]));
    assert_eq!(std::fs::read_dir(a.path("out")).unwrap().count(), 0);
    a.sign(&["--policy", "istio"]).code(0);
    assert_eq!(a.audit(&[]).code(0).json()["state"], "ok");
}
