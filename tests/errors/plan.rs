//! Plans that were altered, spent, too old, or made elsewhere.

use serde_json::Value;

use super::{refused, refused_without_trace};
use crate::appliance::{Appliance, Ran};

/// A home, a plan for one granted and one refused request, and a twin of the home.
fn planned() -> Appliance {
    let a = Appliance::with_root("p256");
    a.request("east");
    a.openssl(&[
        "req",
        "-new",
        "-newkey",
        "rsa:1024",
        "-nodes",
        "-keyout",
        "k",
        "-subj",
        "/O=Istio/L=west/CN=w",
        "-out",
        "in/west.csr",
    ]);
    plan(&a, "plan.json");
    a
}

fn plan(a: &Appliance, name: &str) {
    let (from, out) = (a.arg("in"), a.arg(name));
    a.run(&["plan", "--from", &from, "--out", &out, "--policy", "istio", "--partial"]).code(0);
}

fn perform(a: &Appliance, plan: &str) -> Ran {
    let (plan, to, pin) = (a.arg(plan), a.arg("out"), a.arg("pin"));
    a.run(&["perform", &plan, "--to", &to, "--yes", "--pin-file", &pin])
}

/// One character of a value near its end changed for another of the same kind.
fn other(text: &str) -> String {
    let place = text.len() - 8;
    let now = text.as_bytes()[place];
    let then = if now == b'4' { "5" } else { "4" };
    format!("{}{then}{}", &text[..place], &text[place + 1..])
}

#[test]
fn an_altered_plan_is_never_signed() {
    let a = planned();
    let text = std::fs::read_to_string(a.path("plan.json")).unwrap();
    let read: Value = serde_json::from_str(&text).unwrap();
    let item = &read["items"][0];
    let value = |v: &Value| v.as_str().unwrap().to_string();
    let swap = |v: &Value, to: &str| text.replacen(&format!("\"{}\"", value(v)), &format!("\"{to}\""), 1);
    let (created, serial) = (value(&read["created"]), value(&item["serial"]));
    let cases: [(&str, String, (i32, &str)); 16] = [
        ("serial", swap(&item["serial"], &other(&serial)), (1, "plan.differs")),
        ("tbs", swap(&item["tbs"], &other(&value(&item["tbs"]))), (1, "plan.differs")),
        ("request", swap(&item["request"], &other(&value(&item["request"]))), (1, "plan.differs")),
        ("cluster", text.replacen("\"cluster\": \"east\"", "\"cluster\": \"west\"", 1), (1, "plan.differs")),
        (
            "policy",
            text.replacen("\"policy\": \"istio\"", "\"policy\": \"issuing-ca\"", 1),
            (1, "plan.differs"),
        ),
        (
            "its policy",
            text.replace("      \"policy\": \"istio\"", "      \"policy\": \"issuing-ca\""),
            (1, "plan.differs"),
        ),
        ("no policy", text.replacen("\"policy\": \"istio\"", "\"policy\": null", 1), (1, "plan.differs")),
        ("created", swap(&read["created"], &created.replace('T', " ")), (2, "plan.unreadable")),
        ("a date before", swap(&read["created"], "2026-01-01T00:00:00Z"), (1, "plan.stale")),
        ("a date ahead", swap(&read["created"], "2126-01-01T00:00:00Z"), (1, "plan.stale")),
        ("root", swap(&read["root"], &other(&value(&read["root"]))), (1, "plan.home")),
        ("home", swap(&read["home"], &other(&value(&read["home"]))), (1, "plan.home")),
        ("head", swap(&read["head"]["hash"], &other(&value(&read["head"]["hash"]))), (4, "journal.unlike")),
        ("mark", text.replacen("\"mark\": \"\"", "\"mark\": \"REHEARSAL\"", 1), (1, "plan.home")),
        ("dry run", text.replacen("\"dry_run\": false", "\"dry_run\": true", 1), (1, "plan.stale")),
        ("a name that steers", swap(&item["file"], "a\\u001b[2Jb"), (4, "plan.unescaped")),
    ];
    for (what, altered, (code, id)) in cases {
        assert_ne!(altered, text, "{what}");
        a.write("altered.json", &altered);
        eprintln!("{what}");
        refused_without_trace(&a, || perform(&a, "altered.json"), (code, id, &[]));
    }
    // What no longer reads as a plan of ours, byte for byte, is none.
    for (altered, word) in [
        (String::new(), "not a plan file"),
        ("[]".into(), "not a plan file"),
        (text.replacen("\"format\": \"", "\"format\": \"x", 1), "format 'x"),
        (text.replacen("\"mark\"", "\"extra\": 1, \"mark\"", 1), "not a plan file"),
        (text.replacen(": ", ":  ", 1), "changed after it was written"),
        (text.trim_end().into(), "changed after it was written"),
        (text.replacen(&serial, &serial.to_uppercase(), 1), "changed after it was written"),
        (format!("{text}{text}"), "not a plan file"),
    ] {
        a.write("altered.json", altered);
        refused_without_trace(
            &a,
            || perform(&a, "altered.json"),
            (2, "plan.unreadable", &["altered.json: ", word]),
        );
    }
    // The plan itself is as good as before.
    perform(&a, "plan.json").code(0);
}

/// Two plans of one home are both good: only the digest tells which one was reviewed.
#[test]
fn only_the_plan_whose_digest_was_noted_is_performed() {
    let a = planned();
    let digest = |file: &str| {
        let out = std::process::Command::new("sha256sum").arg(a.path(file)).output().unwrap();
        String::from_utf8(out.stdout).unwrap()[..64].to_string()
    };
    let noted = digest("plan.json");
    std::fs::rename(a.path("plan.json"), a.path("reviewed.json")).unwrap();
    plan(&a, "plan.json");
    let perform = |file: &str| {
        let (plan, to, pin) = (a.arg(file), a.arg("out"), a.arg("pin"));
        let args = ["perform", &plan, "--to", &to, "--yes", "--pin-file", &pin, "--plan-sha256", &noted];
        a.run(&args)
    };
    refused_without_trace(&a, || perform("plan.json"), (4, "plan.other", &[&noted, &digest("plan.json")]));
    perform("reviewed.json").code(0);
}

/// What was refused is not in the plan as bytes, so that an altered list cannot be
/// decided again: it makes another plan, with another digest to compare.
#[test]
fn an_altered_list_of_refusals_is_another_plan() {
    let a = planned();
    let text = std::fs::read_to_string(a.path("plan.json")).unwrap();
    let review = |ran: &Ran| ran.stderr.lines().find(|l| l.starts_with("plan ")).map(String::from);
    let from = text.find("\"refused\": [").unwrap();
    a.write("altered.json", format!("{}\"refused\": []\n}}\n", &text[..from]));
    let pin = a.arg("wrong");
    a.write("wrong", "not-the-pin");
    let show = |name: &str| {
        a.run(&["perform", &a.arg(name), "--to", &a.arg("out"), "--yes", "--pin-file", &pin])
            .fails(3, "token.pin-incorrect")
    };
    let (ours, altered) = (show("plan.json"), show("altered.json"));
    assert_ne!(review(&ours), review(&altered));
    assert!(ours.stderr.contains("REFUSED west.csr") && !altered.stderr.contains("REFUSED"));
}

#[test]
fn a_plan_is_performed_once_and_only_where_it_was_made() {
    let a = planned();
    plan(&a, "second.json");
    let out = a.arg("plan.json");
    let over = ["plan", "--from", &a.arg("in"), "--out", &out, "--policy", "istio", "--partial"];
    refused_without_trace(&a, || a.run(&over), (2, "file.exists", &["/plan.json: File exists"]));
    perform(&a, "plan.json").code(0);
    refused_without_trace(
        &a,
        || perform(&a, "plan.json"),
        (1, "plan.spent", &["performed and released before"]),
    );
    // The other plan answers the same request with other serials: its key is certified by now.
    let ran = refused_without_trace(
        &a,
        || perform(&a, "second.json"),
        (1, "plan.differs", &["east.csr", "refused today"]),
    );
    assert!(ran.stderr.contains("[renewal.same-key]"), "{}", ran.stderr);

    let b = Appliance::with_root("p256");
    std::fs::copy(a.path("plan.json"), b.path("plan.json")).unwrap();
    refused_without_trace(&b, || perform(&b, "plan.json"), (1, "plan.home", &["another CA home"]));
    refused(perform(&b, "none.json"), (2, "file.missing", &["/none.json: No such file"]));
}

#[test]
fn a_plan_from_a_newer_record_shows_that_this_one_is_old() {
    let a = planned();
    a.sign(&["--policy", "istio", "--partial"]).code(0);
    a.request("north");
    std::fs::remove_file(a.path("in/east.csr")).unwrap();
    a.keep();
    let secret = a.arg("pin");
    a.edit("home/clusters.toml", "", "# edited\n");
    a.run(&["policy", "pin", "--yes", "--pin-file", &secret]).code(0);
    plan(&a, "newer.json");
    a.put_back();
    let wanted = (4, "journal.behind", &["the plan knows", "cut short or replaced by an older copy"][..]);
    refused_without_trace(&a, || perform(&a, "newer.json"), wanted);
}

#[test]
fn todays_policy_stops_yesterdays_plan() {
    let a = planned();
    a.edit("home/policies/istio.toml", "default = \"60d\"", "default = \"50d\"");
    a.run(&["policy", "pin", "--yes", "--pin-file", &a.arg("pin")]).code(0);
    refused_without_trace(&a, || perform(&a, "plan.json"), (1, "plan.differs", &["east.csr", "other bytes"]));
    a.edit("home/policies/istio.toml", "\"p256\", ", "");
    a.run(&["policy", "pin", "--yes", "--pin-file", &a.arg("pin")]).code(0);
    let ran = refused_without_trace(&a, || perform(&a, "plan.json"), (1, "plan.differs", &["refused today"]));
    assert!(ran.stderr.contains("[key.algorithm]"), "{}", ran.stderr);
}
