//! Leaving a root that never was in a token: only the new root's home knows of it.

use super::{Change, Reported as _, answered, bundle, read};
use crate::appliance::Appliance;

const ISTIOD: &str =
    "basicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign\nsubjectKeyIdentifier = hash";

type Make = fn(&Appliance);

/// Old roots as they are out there, each as `old.pem`.
#[rustfmt::skip]
const ROOTS: &[(&str, Make)] = &[
    ("istiod's own self-signed root", |a| {
        a.tool("openssl", &["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "old.key"]);
        a.old_root("old", "O = cluster.local", ISTIOD, &[]);
    }),
    ("a root of version 1", version_1),
    ("two roots of a company", |a| {
        version_1(a);
        std::fs::rename(a.path("old.pem"), a.path("first.pem")).unwrap();
        a.tool("openssl", &["ecparam", "-name", "secp521r1", "-genkey", "-noout", "-out", "second.key"]);
        a.old_root("second", "O = Company\nCN = Second", ISTIOD, &["-sha512"]);
        a.write("old.pem", read(&a.path("first.pem")) + &read(&a.path("second.pem")));
    }),
];

fn version_1(a: &Appliance) {
    a.tool(
        "openssl",
        &["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "v1.key"],
    );
    a.tool("openssl", &["req", "-new", "-key", "v1.key", "-subj", "/O=Company/CN=Root", "-out", "v1.csr"]);
    a.tool(
        "openssl",
        &["x509", "-req", "-in", "v1.csr", "-signkey", "v1.key", "-days", "900", "-out", "old.pem"],
    );
    let shown = a.command("openssl").args(["x509", "-noout", "-text", "-in"]).arg(a.path("old.pem")).output();
    assert!(String::from_utf8(shown.unwrap().stdout).unwrap().contains("Version: 1"));
}

#[test]
fn a_foreign_root_is_left_by_the_same_stages() {
    for (which, make) in ROOTS {
        let change = Change::on_one_token();
        make(&change.0);
        let (old, new) = (read(&change.0.path("old.pem")), change.pem("new"));
        let roots: Vec<&str> = old.split_inclusive("-----END CERTIFICATE-----\n").collect();
        for (n, root) in roots.iter().enumerate() {
            std::fs::create_dir_all(change.0.path(&format!("old-{n}"))).unwrap();
            change.0.write(&format!("old-{n}/root.pem"), root);
        }
        let noted: Vec<&str> = ["new", "old-0", "old-1"][..=roots.len()].to_vec();
        let begun = change.begin("new", "--old", "old.pem").code(0);
        assert_eq!(
            begun.stderr.matches("\n   the old one ").count(),
            roots.len(),
            "{which}: {}",
            begun.stderr
        );
        let (ran, _) = change.try_sign("new", "east");
        ran.fails(1, "issuer.course");

        let both = change.stage("new", "both");
        assert_eq!(bundle(&both), format!("{old}{new}"), "{which}");
        change.verify(&both, &noted).code(0);
        change.verify(&both, &noted[..noted.len() - 1]).fails_in_report("release.companion");
        change.step("new", &["reached"]).code(0);
        let (ran, signed) = change.try_sign("new", "east");
        assert_eq!(ran.stderr.matches("beside this root").count(), roots.len(), "{which}: {}", ran.stderr);
        let signed = signed.unwrap();
        assert_eq!(bundle(&signed), format!("{old}{new}"), "{which}");
        change.verify(&signed.join("east"), &noted).code(0);
        // The way back is what the clusters had; there again, and on.
        change.step("new", &["stage", "old"]).code(0);
        change.step("new", &["reached"]).code(0);
        assert_eq!(bundle(&change.stage("new", "both")), format!("{old}{new}"));
        change.step("new", &["reached"]).code(0);
        assert_eq!(bundle(&change.stage("new", "new")), new, "{which}");
        change.step("new", &["reached"]).code(0);
        change.step("new", &["end"]).code(0);
        let after = change.sign("new", "east");
        change.verify(&after, &["new"]).code(0);
        change.verify(&signed, &noted).code(0);
        assert_eq!(change.audit("new").code(0).json()["state"], "ok");
    }
}

/// A root that cannot be vouched for is left without a cross-certificate.
#[test]
fn a_foreign_root_is_cross_certified_where_it_can_be() {
    for ((which, make), unfit) in ROOTS.iter().zip([false, true, true]) {
        let change = Change::on_one_token();
        make(&change.0);
        change.begin("new", "--old", "old.pem").code(0);
        let (ran, release) = change.try_release("new", &["root", "rollover", "cross"]);
        if unfit {
            ran.fails(1, "rollover.cross-unfit");
            assert_eq!(release, None, "{which}");
        } else {
            // Nor is there a trust bundle of this root's yet that could carry it.
            ran.fails(1, "rollover.not-yet");
            change.stage("new", "both");
            let cross = change.released("new", &["root", "rollover", "cross"]).join("cross-cert.pem");
            let (old, new) = (change.0.path("old.pem"), change.0.path("new/root.pem"));
            let [old, new, cross] = [old, new, cross].map(|path| path.display().to_string());
            change.0.tool("openssl", &["verify", "-x509_strict", "-CAfile", &new, &cross]);
            let key = |file: &str| {
                let out =
                    change.0.command("openssl").args(["x509", "-noout", "-pubkey", "-in", file]).output();
                out.unwrap().stdout
            };
            assert!(key(&old) == key(&cross));
        }
        assert_eq!(change.audit("new").code(0).json()["state"], "ok");
    }
}

/// A foreign root has no home that could retire it; a rehearsal's rehearses this, too.
#[test]
fn a_home_shows_where_it_stands() {
    let change = Change::on_one_token();
    ROOTS[0].1(&change.0);
    let home = change.0.path("new");
    let show = || {
        let args = ["root", "rollover", "show", "--home", home.to_str().unwrap()];
        change.0.run(&args).code(0).stdout
    };
    assert_eq!(show(), "no rollover is under way\n");
    change.begin("new", "--old", "old.pem").code(0);
    let stages =
        [("stage old", "stage both --to"), ("stage both", "reached"), ("stage both", "sign every cluster")];
    for (n, (stage, next)) in stages.into_iter().enumerate() {
        let shown = show();
        assert!(shown.contains(stage) && shown.contains(next), "{shown}");
        assert!(shown.contains("O=cluster.local"), "{shown}");
        match n {
            0 => drop(change.stage("new", "both")),
            _ => drop(answered(&change.0, "new", &["root", "rollover", "reached"])),
        }
    }
}
