//! The main job, end to end, on SoftHSM.

use std::collections::BTreeSet;
use std::process::Command;

use anchorite::journal::{Entry, Event, Purpose};
use anchorite::x509::Digest;

use crate::appliance::Appliance;
use crate::faults;
use crate::support;

#[test]
fn a_fleet_is_signed_and_every_judge_agrees() {
    for kind in ["p256", "p384", "rsa3072", "ed25519"] {
        let a = Appliance::with_root(kind);
        for cluster in ["east", "west"] {
            a.request(cluster);
        }
        let signed = a.sign(&["--policy", "istio", "--json"]).code(0).json();
        assert_eq!(signed["released"].as_array().unwrap().len(), 2, "{signed}");
        let release = a.release();

        // Ours, on the release and on one cluster's folder.
        for bundle in [release.clone(), release.join("east")] {
            let checked = a
                .run(&["verify", bundle.to_str().unwrap(), "--root-sha256", &a.root_sha256, "--json"])
                .code(0);
            assert_eq!(checked.json()["ok"], true);
        }
        // Stock tools alone.
        support::run(&release, "sha256sum", &["--quiet", "-c", "SHA256SUMS"]);
        support::run(
            &release,
            "openssl",
            &[
                "cms",
                "-verify",
                "-inform",
                "DER",
                "-in",
                "SHA256SUMS.p7s",
                "-content",
                "SHA256SUMS",
                "-binary",
                "-purpose",
                "any",
                "-nointern",
                "-certfile",
                "journal-cert.pem",
                "-CAfile",
                "root-cert.pem",
                "-out",
                "/dev/null",
            ],
        );
        // The signature names its plan, so that it is good for no other.
        let parsed =
            support::run(&release, "openssl", &["asn1parse", "-inform", "DER", "-in", "SHA256SUMS.p7s"]);
        let plan = signed["plan"].as_str().unwrap().to_uppercase();
        let parsed = String::from_utf8(parsed.stdout).unwrap();
        assert!(parsed.contains("id-smime-aa-contentIdentifier") && parsed.contains(&plan), "{parsed}");
        let mut roots = BTreeSet::new();
        for cluster in ["east", "west"] {
            let path = format!("{cluster}/ca-cert.pem");
            support::run(&release, "openssl", &["verify", "-x509_strict", "-CAfile", "root-cert.pem", &path]);
            roots.insert(std::fs::read(release.join(cluster).join("root-cert.pem")).unwrap());
        }
        roots.insert(std::fs::read(release.join("root-cert.pem")).unwrap());
        assert_eq!(roots.len(), 1, "root-cert.pem must be the same bytes everywhere");

        let audit = a.audit(&["--root-sha256", &a.root_sha256]).code(0).json();
        assert_eq!(audit["state"], "ok", "{audit}");
        // The copy in the release says the same, with nothing else at hand.
        let (journal, root) = (release.join("journal"), release.join("root-cert.pem"));
        a.audit(&[
            "--journal",
            journal.to_str().unwrap(),
            "--root",
            root.to_str().unwrap(),
            "--root-sha256",
            &a.root_sha256,
        ])
        .code(0);
    }
}

/// What only a receipt says, anybody can write into it who holds the folder.
#[test]
fn what_only_a_receipt_says_is_no_fact() {
    let a = Appliance::with_root("p256");
    a.request("east");
    a.sign(&["--policy", "istio"]).code(0);
    let release = a.release();
    let verify = |bundle: &std::path::Path| {
        let args = ["verify", bundle.to_str().unwrap(), "--root-sha256", &a.root_sha256];
        (a.run(&args).code(0).stdout, a.run(&[&args[..], &["--json"]].concat()).code(0).json())
    };
    let name = release.file_name().unwrap().to_str().unwrap();
    let (text, json) = verify(&release);
    assert!(text.contains(&format!("release {name} of ")) && text.contains("policy istio"), "{text}");
    assert!(!text.contains("unsigned") && !text.contains("note:"), "{text}");
    assert_eq!((&json["release"], &json["clusters"][0]["policy"]), (&name.into(), &"istio".into()));

    let east = release.join("east");
    let receipt = std::fs::read_to_string(east.join("receipt.toml")).unwrap();
    let forged = receipt.replace("policy = \"istio\"", "policy = \"forged\"");
    assert_ne!(forged, receipt);
    std::fs::write(east.join("receipt.toml"), forged).unwrap();
    let (text, json) = verify(&east);
    let (facts, said) = text.split_once("the receipt says, unsigned:").unwrap();
    assert!(facts.contains("O=Istio, L=east") && !facts.contains("forged"), "{text}");
    assert!(said.contains("policy forged") && said.contains(name), "{text}");
    assert_eq!(json["receipt_unsigned"][0]["policy"], "forged");
    assert!(!json["certificates"].to_string().contains("forged") && json["release"].is_null(), "{json}");

    std::fs::write(east.join("receipt.toml"), receipt).unwrap();
    let renamed = release.with_file_name("anchorite-2099-01-01-0001");
    std::fs::rename(&release, &renamed).unwrap();
    let (text, _) = verify(&renamed);
    assert!(text.contains("note: its folder is called anchorite-2099-01-01-0001"), "{text}");
}

#[test]
fn the_clusters_side_joins_bundle_and_key() {
    let a = Appliance::with_root("p256");
    a.request("east");
    a.sign(&["--policy", "istio"]).code(0);
    let (bundle, out) = (a.release().join("east"), a.path("cacerts"));
    let key = a.path("keys/east.key");
    a.run(&[
        "assemble",
        "--bundle",
        bundle.to_str().unwrap(),
        "--key",
        key.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
        "--root-sha256",
        &a.root_sha256,
    ])
    .code(0);
    // What istiod does first: the pair must be one.
    let public =
        |args: &[&str]| Command::new("openssl").args(args).current_dir(&out).output().unwrap().stdout;
    assert_eq!(
        public(&["x509", "-in", "ca-cert.pem", "-noout", "-pubkey"]),
        public(&["pkey", "-in", "ca-key.pem", "-pubout"])
    );
    assert!(std::fs::read_to_string(out.join("cacerts.yaml")).unwrap().contains("name: \"cacerts\""));

    a.request("west");
    let other = a.path("keys/west.key");
    let second = a.path("second");
    a.run(&[
        "assemble",
        "--bundle",
        bundle.to_str().unwrap(),
        "--key",
        other.to_str().unwrap(),
        "--out",
        second.to_str().unwrap(),
        "--root-sha256",
        &a.root_sha256,
    ])
    .fails(1, "assemble.key-mismatch");
    assert!(!second.exists(), "nothing is left half done");
}

#[test]
fn a_refused_request_refuses_the_run_unless_partial() {
    let a = Appliance::with_root("p256");
    a.request("east");
    support::run(
        a.dir.path(),
        "openssl",
        &[
            "req",
            "-new",
            "-newkey",
            "rsa:1024",
            "-nodes",
            "-keyout",
            "north.key",
            "-subj",
            "/O=Istio/L=north/CN=north",
            "-out",
            "in/north.csr",
        ],
    );
    let before = a.journal();
    a.sign(&["--policy", "istio"]).fails(1, "plan.refusals");
    assert_eq!(a.journal(), before, "a refused run leaves no trace");
    assert_eq!(std::fs::read_dir(a.path("out")).unwrap().count(), 0);
    let signed = a.sign(&["--policy", "istio", "--partial", "--json"]).code(0).json();
    assert_eq!(signed["released"][0]["cluster"], "east");
    assert_eq!(signed["refused"][0], "north.csr");
    assert!(a.journal().contains("key.rsa-size"), "what was refused, and why, is on record");
}

#[test]
fn a_dry_run_touches_neither_token_nor_record() {
    let a = Appliance::with_root("p256");
    a.request("east");
    let before = a.journal();
    std::fs::rename(a.path("hsm"), a.path("hsm-unplugged")).unwrap();
    let ran = a.sign(&["--policy", "istio", "--dry-run"]).code(0);
    assert!(ran.stdout.contains("SIGN for cluster east"), "{}", ran.stdout);
    assert_eq!(a.journal(), before);
}

#[test]
fn plan_and_perform_are_sign_in_two_steps_and_a_plan_is_spent_once() {
    let a = Appliance::with_root("p256");
    a.request("east");
    let (plan, from, to, pin) = (a.path("plan.json"), a.path("in"), a.path("out"), a.path("pin"));
    let plan = plan.to_str().unwrap();
    a.run(&["plan", "--from", from.to_str().unwrap(), "--out", plan, "--policy", "istio"]).code(0);
    let perform = || {
        a.run(&["perform", plan, "--to", to.to_str().unwrap(), "--yes", "--pin-file", pin.to_str().unwrap()])
    };
    perform().code(0);
    perform().fails(1, "plan.spent");
    // Another key for the same name in the same words is another plan; the spent one cannot be edited into it.
    let edited = std::fs::read_to_string(plan).unwrap().replace("\"dry_run\": false", "\"dry_run\":  false");
    std::fs::write(plan, edited).unwrap();
    perform().fails(2, "plan.unreadable");
}

#[test]
fn a_release_of_long_ago_is_judged_as_of_its_day() {
    let a = Appliance::with_root("p256");
    a.request("east");
    a.sign(&["--policy", "istio"]).code(0);
    let release = a.release();
    let verify =
        |at: &str| a.run(&["verify", release.to_str().unwrap(), "--root-sha256", &a.root_sha256, "--at", at]);
    let journal = a.journal();
    let day = journal.lines().last().unwrap().split("\"time\":\"").nth(1).unwrap().split('"').next().unwrap();
    verify(day).code(0);
    verify("2045-01-01T00:00:00Z").code(4);
    verify("2001-01-01T00:00:00Z").code(4);
    verify("yesterday").code(2);
}

#[test]
fn a_kept_plan_that_was_edited_is_noticed() {
    let a = Appliance::with_root("p256");
    a.request("east");
    a.sign(&["--policy", "istio"]).code(0);
    a.audit(&[]).code(0);
    let plan = std::fs::read_dir(a.path("home/plans")).unwrap().next().unwrap().unwrap().path();
    let edited = std::fs::read_to_string(&plan).unwrap().replace("east", "west");
    std::fs::write(&plan, edited).unwrap();
    let audit = a.audit(&[]).code(4).json();
    assert_eq!(audit["errors"][0]["id"], "home.plan", "{audit}");
}

/// A line as somebody with the disk and without the token would add it: canonical,
/// with the right hash, under a signature that was made for something else.
#[test]
fn a_forged_signature_after_the_last_seal_stops_every_verb() {
    let a = Appliance::with_root("p256");
    a.request("east");
    a.sign(&["--policy", "istio"]).code(0);
    let journal = a.journal();
    let lines: Vec<serde_json::Value> = journal.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    // Another release of the same plan's kind: the last seal's two lines, once more.
    let mut forged = journal.clone();
    let seal: Vec<&str> = journal.lines().rev().take(2).collect();
    let hash = |line: &str| anchorite::x509::Digest::of(line.as_bytes()).to_string();
    let count = lines.len() as u64;
    let head = hash(journal.lines().last().unwrap());
    let time = lines.last().unwrap()["time"].as_str().unwrap();
    let parsed = anchorite::x509::Time::parse(time).unwrap();
    let message =
        anchorite::journal::seal_message(count, anchorite::x509::Digest::parse(&head).unwrap(), parsed, None);
    let old: serde_json::Value = serde_json::from_str(seal[1]).unwrap();
    let encoded = serde_json::to_string(&anchorite::journal::Bytes(message)).unwrap();
    let intent = seal[1]
        .replace(&format!("\"seq\":{}", old["seq"]), &format!("\"seq\":{count}"))
        .replace(old["prev"].as_str().unwrap(), &head)
        .replace(&old["message"].to_string(), &encoded);
    let last: serde_json::Value = serde_json::from_str(seal[0]).unwrap();
    let signed = seal[0]
        .replace(&format!("\"seq\":{}", last["seq"]), &format!("\"seq\":{}", count + 1))
        .replace(last["prev"].as_str().unwrap(), &hash(&intent))
        .replace(&format!("\"intent\":{}", last["intent"]), &format!("\"intent\":{count}"));
    forged.push_str(&format!("{intent}\n{signed}\n"));
    a.write("home/journal/journal.jsonl", &forged);
    a.audit(&[]).code(4);
    a.request("west");
    a.sign(&["--policy", "istio"]).fails(4, "journal.seal");
    let stick = a.path("in");
    a.run(&["inspect", stick.to_str().unwrap()]).fails(4, "journal.seal");
    a.run(&["policy", "pin", "--yes"]).fails(4, "journal.seal");
    assert_eq!(a.journal(), forged, "nothing was written onto it");
}

/// No signature is needed to say so, and the next seal would make it good.
#[test]
fn a_forged_release_after_the_last_seal_stops_every_verb() {
    let a = Appliance::with_root("p256");
    a.request("east");
    a.sign(&["--policy", "istio"]).code(0);
    a.request("west");
    let mut forged = a.journal();
    let plan = Digest::of(b"nobody's plan");
    added(&mut forged, Event::Plan { digest: plan, grants: 0, refused: vec![] });
    added(&mut forged, released(plan, Digest::of(b"nobody's sums")));
    stops_every_verb(&a, &forged, ("audit.release", "journal.sequence"));
}

/// The journal's key signed it, but for another plan.
#[test]
fn an_earlier_releases_signature_is_for_no_other_plan() {
    let a = Appliance::with_root("p256");
    a.request("east");
    a.sign(&["--policy", "istio"]).code(0);
    a.request("west");
    let text = a.journal();
    let lines: Vec<Entry> =
        (1..).zip(text.lines()).map(|(n, line)| Entry::from_line(n, line.as_bytes()).unwrap()).collect();
    let last = |wanted: fn(&Event) -> bool| lines.iter().rev().find(|line| wanted(&line.event)).unwrap();
    let asked = last(|event| matches!(event, Event::Intent { purpose: Purpose::Release, .. }));
    let answer =
        lines.iter().find(|line| matches!(&line.event, Event::Signed { intent, .. } if *intent == asked.seq));
    let Event::Signed { signature, .. } = &answer.unwrap().event else { unreachable!() };
    let Event::Released { sums, .. } = last(|event| matches!(event, Event::Released { .. })).event else {
        unreachable!()
    };

    let mut forged = text.clone();
    let other = Digest::of(b"another plan");
    let mut intent = asked.event.clone();
    if let Event::Intent { plan, .. } = &mut intent {
        *plan = Some(other);
    }
    added(&mut forged, Event::Plan { digest: other, grants: 0, refused: vec![] });
    let seq = added(&mut forged, intent);
    added(&mut forged, Event::Signed { intent: seq, signature: signature.clone() });
    stops_every_verb(&a, &forged, ("audit.release", "audit.release"));
    added(&mut forged, released(other, sums));
    stops_every_verb(&a, &forged, ("audit.release", "journal.sequence"));
}

/// A crash takes along what only its session knew: nobody can add how it might have ended.
#[test]
fn what_a_crash_left_open_is_neither_given_back_nor_released_by_a_line() {
    let of = faults::watched_with_requests();
    let calls = faults::some_steps(&of, &["home", "out"], 1, faults::sign);
    let last_line = |a: &Appliance| -> Entry {
        let text = a.journal();
        Entry::from_line(1, text.lines().last().unwrap().as_bytes()).unwrap()
    };
    let (mut given_back, mut out) = (0, 0);
    for call in &calls {
        let wanted = match call.path.ends_with(".jsonl") {
            true => given_back == 0,
            false => out == 0 && call.path.contains(".partial"),
        };
        if !wanted {
            continue;
        }
        let a = faults::copy(&of);
        faults::killed_at(&a, call, &faults::sign(&a));
        let text = a.journal();
        if !text.ends_with('\n') {
            continue;
        }
        let mut forged = text.clone();
        match last_line(&a).event {
            Event::Intent { purpose: Purpose::Intermediate, .. } => {
                let intents = vec![last_line(&a).seq];
                let numbers = vec![Digest::of(b"guessed")];
                added(&mut forged, Event::Withdrawn { intents, numbers });
                given_back += 1;
            }
            Event::Signed { signature, .. } if text.contains("\"release\"") => {
                let plan = faults::plan_to_take_up(&a.audit(&[]).code(1).json()).unwrap();
                let plan = Digest::parse(&plan).unwrap();
                let asked = text.lines().rev().nth(1).unwrap();
                let mut intent = Entry::from_line(1, asked.as_bytes()).unwrap().event;
                let Event::Intent { message, commitment, .. } = &mut intent else { panic!() };
                let sums = anchorite::verify::signed_attributes(&message.0).unwrap().message_digest;
                *commitment = Some(anchorite::journal::commitment(&Digest::of(b"guessed")));
                // With a commitment of one's own it is no longer what was signed.
                let mut rewritten = text[..text.find(asked).unwrap()].to_string();
                let seq = added(&mut rewritten, intent);
                added(&mut rewritten, Event::Signed { intent: seq, signature });
                added(&mut rewritten, released(plan, sums));
                stops_every_verb(&a, &rewritten, ("audit.release", "audit.release"));
                added(&mut forged, released(plan, sums));
                out += 1;
            }
            _ => continue,
        }
        stops_every_verb(&a, &forged, ("journal.sequence", "journal.sequence"));
        a.write("home/journal/journal.jsonl", &text);
        let plan = faults::plan_to_take_up(&a.audit(&[]).code(1).json());
        a.empty_out();
        match plan {
            Some(plan) => drop(faults::take_up(&a, &plan)),
            None => drop(faults::run(&a, &faults::sign(&a)).code(0)),
        }
        faults::settled(&a, "taken up");
        faults::accounted_for(&a, "taken up");
    }
    assert_eq!((given_back, out), (1, 1));
}

/// What the next seal would make good, only for the audit to break on it ever after.
#[test]
fn nothing_is_sealed_onto_what_the_audit_refuses() {
    let a = Appliance::with_root("p256");
    a.request("east");
    let mut forged = a.journal();
    let attested = serde_json::json!({"event": "key-attested", "role": "root", "certificates": ["MAA=", "MAA="], "facts": {
        "voucher": "Yubico PIV Root CA Serial 263751", "serial": 1, "firmware": "5.7.4", "pin_policy": "always",
        "touch_policy": "always", "form_factor": "keychain"}});
    added(&mut forged, serde_json::from_value(attested).unwrap());
    a.write("home/journal/journal.jsonl", &forged);
    let audit = a.audit(&[]).code(4).json();
    let id = audit["errors"][0]["id"].as_str().unwrap();
    a.sign(&["--policy", "istio"]).fails(4, id);
    a.run(&["policy", "pin", "--yes"]).fails(4, id);
    a.run(&["inspect", a.path("in").to_str().unwrap()]).fails(4, id);
    assert_eq!(a.journal(), forged, "nothing was written onto it");
}

fn released(plan: Digest, sums: Digest) -> Event {
    Event::Released { plan, folder: "anchorite-2026-01-01-0001".into(), sums, number: Digest::of(b"guessed") }
}

/// Puts a line at a journal's end, as somebody without the token can. Gives its number.
fn added(journal: &mut String, event: Event) -> u64 {
    let line = journal.lines().last().unwrap().as_bytes();
    let (last, prev) = (Entry::from_line(1, line).unwrap(), Digest::of(line));
    let entry = Entry { seq: last.seq + 1, time: last.time, prev, event };
    journal.push_str(&(entry.to_line().unwrap() + "\n"));
    last.seq + 1
}

/// `found` is what the audit names first, `id` what every other verb does.
fn stops_every_verb(a: &Appliance, forged: &str, (found, id): (&str, &str)) {
    a.write("home/journal/journal.jsonl", forged);
    let audit = a.audit(&[]).code(4).json();
    assert_eq!(audit["errors"][0]["id"], found, "{audit}");
    a.sign(&["--policy", "istio"]).fails(4, id);
    a.run(&["policy", "pin", "--yes"]).fails(4, id);
    assert_eq!(a.journal(), forged, "nothing was written onto it");
}

#[test]
fn a_receipt_can_neither_steer_a_terminal_nor_name_another_cluster() {
    let a = Appliance::with_root("p256");
    a.request("east");
    a.sign(&["--policy", "istio"]).code(0);
    let receipt = a.release().join("east/receipt.toml");
    let text = std::fs::read_to_string(&receipt).unwrap();
    let folder = a.release().join("east");
    let verify = || a.run(&["verify", folder.to_str().unwrap(), "--root-sha256", &a.root_sha256]);
    std::fs::write(
        &receipt,
        text.replace("policy = \"istio\"", "policy = \"a\\u001b[2J\\u202eb\\nverified\""),
    )
    .unwrap();
    let ran = verify();
    assert!(
        !ran.stdout.contains(['\u{1b}', '\u{202e}']) && !ran.stdout.contains("\nverified\""),
        "{}",
        ran.stdout
    );
    std::fs::write(&receipt, text.replace("cluster = \"east\"", "cluster = \"west\"")).unwrap();
    assert!(verify().code(4).stdout.contains("cluster is 'west'"));
    std::fs::write(&receipt, vec![b'#'; 9 << 20]).unwrap();
    verify().fails(4, "folder.too-large");
}

#[test]
fn a_subject_that_no_verifier_would_take_is_refused_by_name_and_blocks_nobody_else() {
    let a = Appliance::with_root("p256");
    a.request("east");
    // A common name as BMPString: read, but not written by RFC 5280 §4.1.2.4.
    support::run(
        a.dir.path(),
        "python3",
        &[
            "-c",
            "import subprocess as s\nopen('c.cnf','w').write('[req]\\nprompt=no\\nstring_mask=MASK:0x800\\ndistinguished_name=d\\n[d]\\nO=Istio\\nL=west\\nCN=west\\n')\ns.run(['openssl','req','-new','-newkey','ec','-pkeyopt','ec_paramgen_curve:P-256','-nodes','-keyout','w.key','-config','c.cnf','-out','in/west.csr'],check=True,stderr=s.DEVNULL)",
        ],
    );
    let stick = a.path("in");
    let seen = a.run(&["inspect", "--policy", "istio", "--json", stick.to_str().unwrap()]).code(1).json();
    let west = seen["requests"].as_array().unwrap().iter().find(|r| r["file"] == "west.csr").unwrap();
    assert_eq!(west["verdict"], "refuse", "{west}");
    a.sign(&["--policy", "istio", "--partial"]).code(0);
}
