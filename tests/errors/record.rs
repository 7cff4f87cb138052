//! A journal, a home or a release that somebody touched: exit 4, whatever it was.

use std::path::Path;
use std::process::Command;

use super::refused;
use crate::appliance::{Appliance, Ran, copy};

const JOURNAL: &str = "home/journal/journal.jsonl";

/// A home with one release.
fn released() -> Appliance {
    let a = Appliance::with_root("p256");
    a.request("east");
    a.sign(&["--policy", "istio"]).code(0);
    a
}

/// The audit finds this, and nothing can be signed on that record.
#[track_caller]
fn broken(a: &Appliance, more: &[&str], id: &str) -> String {
    let ran = a.audit(more).code(4);
    let report = ran.json();
    assert_eq!(report["state"], "broken", "{report}");
    let errors = report["errors"].as_array().unwrap();
    let error = errors.iter().find(|e| e["id"] == id).unwrap_or_else(|| panic!("wanted {id} in {report}"));
    let text = a.run(&[&["audit", "verify"], more].concat()).code(4).stdout;
    assert!(
        text.contains("BROKEN") && text.contains(&format!("[{id}]")) && text.contains("stop the ceremony"),
        "{text}"
    );
    error["message"].as_str().unwrap().to_string()
}

#[test]
fn the_audit_knows_its_root_and_its_head() {
    let a = released();
    let other = "00".repeat(32);
    assert!(broken(&a, &["--root-sha256", &other], "audit.root").contains(&a.root_sha256));
    assert!(broken(&a, &["--expect-head", &other], "journal.behind").contains("nowhere in this journal"));
    let b = Appliance::with_root("p256");
    broken(&a, &["--root", &b.arg("home/root.pem")], "audit.root");
    for hex in ["", "00", "zz", &"0".repeat(63), &"0".repeat(65)] {
        refused(
            a.run(&["audit", "verify", "--root-sha256", hex]),
            (2, "command-line.usage", &["--root-sha256", "64 hexadecimal digits"]),
        );
    }
    // In any case, with colons or without.
    let colons: Vec<String> = a
        .root_sha256
        .to_uppercase()
        .as_bytes()
        .chunks(2)
        .map(|c| String::from_utf8_lossy(c).into())
        .collect();
    a.audit(&["--root-sha256", &colons.join(":")]).code(0);
    let (journal, root) = (a.arg("in"), a.arg("home/root.pem"));
    refused(a.run(&["audit", "verify", "--journal", &journal]), (2, "command-line.usage", &["--root"]));
    refused(
        a.run(&["audit", "verify", "--journal", &journal, "--root", &root]),
        (2, "file.missing", &["journal.jsonl"]),
    );
    refused(
        a.run(&["audit", "verify", "--journal", &journal, "--root", &a.arg("pin")]),
        (2, "audit.root-file", &["/pin", "CERTIFICATE"]),
    );
}

#[test]
fn every_touch_on_the_journal_is_noticed() {
    let a = released();
    let whole = a.journal();
    let lines: Vec<&str> = whole.lines().collect();
    let joined = |lines: &[&str]| lines.iter().map(|l| format!("{l}\n")).collect::<String>();
    let swapped = {
        let mut lines = lines.clone();
        lines.swap(3, 4);
        joined(&lines)
    };
    let without = |n: usize| joined(&[&lines[..n], &lines[n + 1..]].concat());
    let cases: [(&str, String, &str); 9] = [
        ("a byte of an early line", whole.replacen("anchorite root", "anchorite boot", 1), "journal.chain"),
        (
            "the time of the last line",
            joined(&lines).replacen(
                lines[lines.len() - 1],
                &lines[lines.len() - 1].replacen("Z\"", "0Z\"", 1),
                1,
            ),
            "journal.line",
        ),
        ("two lines swapped", swapped, "journal.sequence"),
        ("a line less", without(5), "journal.sequence"),
        ("the last line less", joined(&lines[..lines.len() - 1]), "journal.behind"),
        ("half of it", joined(&lines[..lines.len() / 2]), "journal.behind"),
        ("nothing in it", String::new(), "journal.empty"),
        ("a line twice", joined(&[&lines[..], &lines[lines.len() - 1..]].concat()), "journal.sequence"),
        ("noise behind it", format!("{whole}noise\n"), "journal.line"),
    ];
    for (what, text, id) in cases {
        a.write(JOURNAL, text);
        eprintln!("{what}");
        broken(&a, &[], id);
        refused(a.sign(&["--policy", "istio"]), (4, id, &[]));
    }
    std::fs::remove_file(a.path(JOURNAL)).unwrap();
    assert!(broken(&a, &[], "journal.missing").contains("journal.jsonl: No such file"));
    refused(a.sign(&["--policy", "istio"]), (4, "journal.missing", &["audit restore"]));
    // Back from the release, which lacks only what came after it was made.
    a.write(JOURNAL, &whole);
    assert_eq!(a.audit(&[]).code(0).json()["state"], "ok");
}

#[test]
fn every_touch_on_the_home_is_noticed() {
    let a = released();
    let serial =
        std::fs::read_dir(a.path("home/issued")).unwrap().map(|e| e.unwrap().file_name()).next().unwrap();
    let issued = format!("home/issued/{}", serial.to_str().unwrap());
    let kept = std::fs::read(a.path(&issued)).unwrap();
    a.write(&issued, [&kept[..], b"\n"].concat());
    assert!(broken(&a, &[], "home.issued").contains("was edited"));
    std::fs::remove_file(a.path(&issued)).unwrap();
    assert!(broken(&a, &[], "home.issued").contains("is missing"));
    a.write(&issued, kept);
    a.write("home/issued/ff.pem", "");
    assert!(broken(&a, &[], "home.issued").contains("issued/ff.pem: is not on record"));
    std::fs::remove_file(a.path("home/issued/ff.pem")).unwrap();

    let head = std::fs::read_to_string(a.path("home/state/head")).unwrap();
    for (text, id) in [
        (None, "journal.head-missing"),
        (Some(String::new()), "journal.head-unreadable"),
        (Some(head.replacen("\"count\":", "\"count\":9", 1)), "journal.behind"),
        (Some(format!("{{\"count\":3,\"hash\":\"{}\"}}\n", "0".repeat(64))), "journal.unlike"),
    ] {
        match text {
            None => std::fs::remove_file(a.path("home/state/head")).unwrap(),
            Some(text) => a.write("home/state/head", text),
        }
        broken(&a, &[], id);
        refused(a.sign(&["--policy", "istio"]), (4, id, &["state/head"]));
    }
    a.write("home/state/head", head);
    for file in ["root.pem", "journal-cert.pem"] {
        let (path, other) = (format!("home/{file}"), Appliance::with_root("p256"));
        let kept = std::fs::read(a.path(&path)).unwrap();
        a.write(&path, std::fs::read(other.path(&path)).unwrap());
        refused(
            a.sign(&["--policy", "istio"]),
            (4, "home.certificate", &[file, "not the certificate on record"]),
        );
        broken(&a, &[], "home.certificate");
        std::fs::remove_file(a.path(&path)).unwrap();
        refused(a.sign(&["--policy", "istio"]), (4, "home.certificate", &[file, "audit restore"]));
        broken(&a, &[], "home.certificate");
        a.write(&path, kept);
    }
    a.audit(&[]).code(0);
}

fn verify(a: &Appliance, bundle: &Path) -> Ran {
    a.run(&["verify", bundle.to_str().unwrap(), "--root-sha256", &a.root_sha256, "--json"])
}

#[test]
fn every_touch_on_a_release_is_noticed() {
    let a = released();
    let release = a.release();
    let mut files = Vec::new();
    for folder in ["", "east", "journal"] {
        for entry in std::fs::read_dir(release.join(folder)).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_file() {
                files.push(entry.path().strip_prefix(&release).unwrap().to_path_buf());
            }
        }
    }
    assert!(files.len() >= 11, "{files:?}");
    let touched = a.path("touched").join(release.file_name().unwrap());
    let fresh = || {
        let _ = std::fs::remove_dir_all(a.path("touched"));
        std::fs::create_dir(a.path("touched")).unwrap();
        copy(&release, &touched);
    };
    for file in &files {
        fresh();
        let bytes = std::fs::read(release.join(file)).unwrap();
        let mut altered = bytes.clone();
        let middle = altered.len() / 2;
        altered[middle] ^= 1;
        for bytes in [Some(altered), Some(bytes[..bytes.len() - 1].to_vec()), Some(Vec::new()), None] {
            match bytes {
                Some(bytes) => std::fs::write(touched.join(file), bytes).unwrap(),
                None => std::fs::remove_file(touched.join(file)).unwrap(),
            }
            let ran = verify(&a, &touched).code(4).json();
            assert_eq!(ran["ok"], false, "{}", file.display());
        }
    }
    fresh();
    std::fs::write(touched.join("east/more.pem"), "").unwrap();
    verify(&a, &touched).code(4);
    fresh();
    std::os::unix::fs::symlink("/etc/passwd", touched.join("east/link")).unwrap();
    verify(&a, &touched).fails(4, "media.symlink");

    let other = "0".repeat(64);
    for bundle in [release.clone(), release.join("east")] {
        let wrong =
            a.run(&["verify", bundle.to_str().unwrap(), "--root-sha256", &other, "--json"]).code(4).json();
        assert_eq!(wrong["errors"][0]["id"], "release.root", "{wrong}");
        verify(&a, &bundle).code(0);
    }
    refused(
        a.run(&["verify", &a.arg("none"), "--root-sha256", &other]),
        (2, "folder.missing", &["/none: is not a folder"]),
    );
    a.run(&["verify", &a.arg("in"), "--root-sha256", &other]).code(4);
}

/// Whoever holds one cluster's certificate and key can sign sums that look like ours.
#[test]
fn a_release_forged_with_a_clusters_own_key_is_refused() {
    let a = released();
    let release = a.release();
    let forged = a.path("forged");
    copy(&release, &forged);
    let sums = |dir: &Path| {
        let script = "find . -type f ! -name 'SHA256SUMS*' | sed 's|^./||' | LC_ALL=C sort | xargs sha256sum > SHA256SUMS";
        assert!(Command::new("sh").args(["-c", script]).current_dir(dir).status().unwrap().success());
    };
    std::fs::write(forged.join("README.txt"), "other words\n").unwrap();
    sums(&forged);
    let (certificate, key) = (a.arg("forged/east/ca-cert.pem"), a.arg("keys/east.key"));
    let sign = |signer: &str, key: &str| {
        a.openssl(&[
            "cms",
            "-sign",
            "-binary",
            "-in",
            "forged/SHA256SUMS",
            "-signer",
            signer,
            "-inkey",
            key,
            "-outform",
            "DER",
            "-md",
            "sha256",
            "-out",
            "forged/SHA256SUMS.p7s",
        ]);
    };
    // Noticed, and named: the signature's own fault, whatever else is wrong beside it.
    let refused = |id: &str| {
        let report = verify(&a, &forged).code(4).json();
        let errors = report["errors"].as_array().unwrap();
        assert!(errors.iter().any(|e| e["id"] == id), "wanted {id} in {report}");
    };
    sign(&certificate, &key);
    refused("verify.cms.signer");
    let shown = a.run(&["verify", forged.to_str().unwrap(), "--root-sha256", &a.root_sha256]).code(4).stdout;
    assert!(
        shown.contains("  FAIL ") && shown.contains(" of issuer O=Example, CN=Example Root G1"),
        "{shown}"
    );
    assert!(!shown.contains("policy istio"), "nothing is told of what is not verified: {shown}");
    assert!(shown.contains("do not load it") && !shown.contains("ceremony"), "{shown}");
    // With the intermediate in the journal certificate's place, too.
    std::fs::copy(&certificate, forged.join("journal-cert.pem")).unwrap();
    sums(&forged);
    sign(&certificate, &key);
    refused("verify.journal-certificate");
    // With a leaf below the intermediate that says what a journal's certificate says.
    a.openssl(&[
        "req",
        "-new",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-keyout",
        "leaf.key",
        "-subj",
        "/O=Example/CN=Example Root G1 journal",
        "-out",
        "leaf.csr",
    ]);
    a.write("leaf.cnf", "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=critical,1.3.6.1.5.5.7.3.36\n");
    a.openssl(&[
        "x509",
        "-req",
        "-in",
        "leaf.csr",
        "-CA",
        &certificate,
        "-CAkey",
        &key,
        "-extfile",
        "leaf.cnf",
        "-days",
        "30",
        "-out",
        "leaf.pem",
    ]);
    std::fs::copy(a.path("leaf.pem"), forged.join("journal-cert.pem")).unwrap();
    sums(&forged);
    sign("leaf.pem", "leaf.key");
    refused("verify.path.name-chaining");
    verify(&a, &release).code(0);
}

#[test]
fn a_restore_never_goes_back_and_never_takes_a_broken_copy() {
    let a = released();
    let early = a.release().join("journal");
    let head: serde_json::Value =
        serde_json::from_slice(&std::fs::read(a.path("home/state/head")).unwrap()).unwrap();
    let restore = |from: &Path, more: &[&str]| {
        let from = from.to_str().unwrap();
        a.run(&[&["audit", "restore", "--from", from, "--root-sha256", &a.root_sha256], more].concat())
    };
    let before = a.journal();
    refused(restore(&early, &[]), (4, "journal.behind", &["the copy", "state/head knows"]));
    refused(restore(&a.path("in"), &[]), (2, "file.missing", &["journal.jsonl"]));
    let other = "0".repeat(64);
    let foreign = a.run(&["audit", "restore", "--from", early.to_str().unwrap(), "--root-sha256", &other]);
    refused(foreign, (4, "restore.broken", &["does not pass the audit"]));
    let hash = head["hash"].as_str().unwrap();
    refused(restore(&early, &["--expect-head", hash]), (4, "restore.broken", &[]));
    std::fs::remove_file(a.path("home/state/head")).unwrap();
    refused(restore(&early, &[]), (4, "restore.head", &["--expect-head"]));
    assert_eq!(a.journal(), before);
}
