//! Cross-certificates: for chains alone, within the overlap, never after a compromise.

use std::path::Path;

use anchorite::release::pem;

use super::{Change, Reported as _, answered, bundle, fingerprint, read};
use crate::appliance::copy;
use crate::support::run;

const CROSS: [&str; 3] = ["root", "rollover", "cross"];

fn openssl(dir: &Path, words: &str) -> String {
    String::from_utf8(run(dir, "openssl", &words.split(' ').collect::<Vec<_>>()).stdout).unwrap()
}

/// A chain leaf → intermediate → root, or by the cross-certificate on to the other root.
#[test]
fn openssl_goes_from_a_leaf_by_the_cross_certificate_to_the_old_root() {
    let change = Change::trusted();
    let a = &change.0;
    let release = change.released("home", &CROSS);
    assert_eq!(bundle(&release), change.both());
    assert!(read(&release.join("README.txt")).contains("cross-cert.pem   another root's key and name"));
    change.verify(&release, &["home", "new"]).code(0);
    let signed = change.sign("new", "east");
    for (name, from) in [
        ("cross.pem", release.join("cross-cert.pem")),
        ("ca.pem", signed.join("east/ca-cert.pem")),
        ("old-root.pem", a.path("home/root.pem")),
        ("new-root.pem", a.path("new/root.pem")),
    ] {
        copy(&from, &a.path(name));
    }
    let dir = a.dir.path();
    openssl(dir, "req -new -newkey rsa:2048 -nodes -keyout leaf.key -subj /CN=leaf -out leaf.csr");
    openssl(dir, "x509 -req -in leaf.csr -days 1 -CA ca.pem -CAkey keys/east.key -out leaf.pem");
    let verify = "verify -x509_strict -CAfile old-root.pem -untrusted";
    openssl(dir, &format!("{verify} cross.pem -untrusted ca.pem leaf.pem"));
    openssl(dir, "verify -CAfile new-root.pem -untrusted ca.pem leaf.pem");
    // Without it the old root knows nothing of the new one's.
    let mut without = a.command("openssl");
    without.current_dir(dir).args(verify.split(' ')).args(["ca.pem", "leaf.pem"]);
    assert!(!without.output().unwrap().status.success());

    // Within the overlap and both roots.
    let end = |file: &str| openssl(dir, &format!("x509 -noout -enddate -dateopt iso_8601 -in {file}"));
    let end = |file: &str| end(file).trim().replace("notAfter=", "").replace(' ', "T");
    let until = change.show("home")["rollover"]["until"].as_str().unwrap().to_string();
    assert_eq!(end("cross.pem"), until);
    assert!(until < end("old-root.pem") && until < end("new-root.pem"));
    let fields = openssl(dir, "x509 -noout -text -in cross.pem");
    assert!(fields.contains("CA:TRUE") && fields.contains("CRL Sign"), "{fields}");
    change.audits_ok();
}

#[test]
fn the_new_root_vouches_for_the_old_one_in_a_planned_change_alone() {
    let change = Change::trusted();
    let release = change.released("new", &CROSS);
    change.verify(&release, &["home", "new"]).code(0);
    let shown = run(&release, "openssl", &["x509", "-noout", "-subject", "-issuer", "-in", "cross-cert.pem"]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("subject=O = Example, CN = Example Root G1"), "{shown}");
    // A plan of before the compromise was known is not performed after it.
    change.step("new", &["compromised"]).code(0);
    change.step("new", &["compromised"]).fails(1, "rollover.step");
    change.refuses("new", &CROSS, "rollover.compromised");
    // The old one may still vouch for the new: who trusts the old root is lost already.
    change.step("home", &["compromised"]).code(0);
    change.released("home", &CROSS);
    change.audits_ok();

    // A compromise that is known from the beginning.
    let change = Change::on_one_token();
    let old = change.0.path("home/root.pem");
    let begin = ["begin", "--old", old.to_str().unwrap(), "--overlap", "7d", "--compromised"];
    change.step("new", &begin).code(0);
    change.stage("new", "both");
    change.refuses("new", &CROSS, "rollover.compromised");
    assert_eq!(change.show("new")["rollover"]["compromised"], true);
}

/// Among the roots it would be trusted for more than its issuer meant.
#[test]
fn a_cross_certificate_among_the_roots_is_refused() {
    let change = Change::trusted();
    let cross = read(&change.released("home", &CROSS).join("cross-cert.pem"));
    let release = change.sign("new", "east");
    let touched = change.0.path("touched");
    for bundle in [change.both() + &cross, change.pem("new") + &cross, cross + &change.pem("new")] {
        copy(&release, &touched);
        for file in ["root-cert.pem", "east/root-cert.pem"] {
            std::fs::write(touched.join(file), &bundle).unwrap();
        }
        let mut noted = vec!["home".to_string(), "new".to_string()];
        let roots = pem::certificates("bundle", bundle.as_bytes()).unwrap();
        for (n, der) in roots.iter().enumerate() {
            std::fs::create_dir_all(change.0.path(&format!("r{n}"))).unwrap();
            change.0.write(&format!("r{n}/root.pem"), anchorite::x509::pem::certificate(der));
            noted.push(format!("r{n}"));
        }
        // Even with its fingerprint given as a root's.
        let noted: Vec<&str> = noted.iter().map(String::as_str).collect();
        for place in [touched.clone(), touched.join("east")] {
            let ran = change.verify(&place, &noted);
            assert!(ran.stdout.contains("which is no root: its issuer is another"), "{}", ran.stdout);
            ran.fails_in_report("release.chain");
        }
        std::fs::remove_dir_all(&touched).unwrap();
    }
}

#[test]
fn a_cross_certificate_is_revoked_like_any_other() {
    let change = Change::trusted();
    let cross = change.released("home", &CROSS).join("cross-cert.pem");
    let revoke = [
        "revoke",
        "--certificate",
        cross.to_str().unwrap(),
        "--reason",
        "superseded",
        "--asked-by",
        "the fleet",
    ];
    let release = change.released("home", &revoke);
    let serial = run(&release, "openssl", &["x509", "-noout", "-serial", "-in", cross.to_str().unwrap()]);
    let serial = String::from_utf8(serial.stdout).unwrap().trim().replace("serial=", "");
    let crl = run(&release, "openssl", &["crl", "-noout", "-text", "-in", "root-crl.pem"]);
    assert!(String::from_utf8(crl.stdout).unwrap().contains(&serial));
    // Each has a serial number of its own; another may be signed.
    let again = change.released("home", &CROSS).join("cross-cert.pem");
    assert!(fingerprint(&again) != fingerprint(&cross));
    answered(&change.0, "home", &[&revoke[..], &["--dry-run"]].concat()).fails(1, "revoke.twice");
    change.audits_ok();
}

#[test]
fn a_compromise_revokes_what_the_new_root_vouched_for() {
    let change = Change::trusted();
    let cross = change.released("new", &CROSS).join("cross-cert.pem");
    let cross = cross.to_str().unwrap();
    let ran = change.step("new", &["compromised"]).code(0);
    assert!(
        ran.stderr.contains("REVOKE") && ran.stdout.contains("its cross-certificate is revoked"),
        "{}",
        ran.stdout
    );
    let release = change.released("new", &["crl"]);
    let set = std::fs::read_to_string(release.join("root-crl.pem")).unwrap();
    std::fs::write(change.0.path("set.pem"), set).unwrap();
    let root = change.0.path("new/root.pem");
    let args = ["verify", "-crl_check", "-CAfile", root.to_str().unwrap(), "-CRLfile", "set.pem", cross];
    let judged =
        std::process::Command::new("openssl").args(args).current_dir(change.0.dir.path()).output().unwrap();
    assert!(String::from_utf8_lossy(&judged.stderr).contains("certificate revoked"), "{judged:?}");
    change.audits_ok();
}
