//! `root create`: what cannot be a root is refused before a key exists, and before anything is on record.

use super::{refused, refused_without_trace};
use crate::appliance::{Appliance, Ran};

fn create(a: &Appliance, subject: &str, key: &str, ttl: &str, more: &[&str]) -> Ran {
    let pin = a.arg("pin");
    let mut args = vec!["root", "create", "--subject", subject, "--key", key, "--ttl", ttl];
    args.extend(["--yes", "--pin-file", &pin]);
    args.extend(more);
    a.run(&args)
}

#[test]
fn what_cannot_be_a_root_is_refused_before_its_key_is_made() {
    let a = Appliance::with_home();
    let long = format!("CN={}", "x".repeat(65));
    for (subject, id, words) in [
        ("", "name.parse", &["subject ''"][..]),
        ("CN=", "name.parse", &["CN"]),
        ("Example Root", "name.parse", &["Example Root", "CN="]),
        ("CN=a,CN", "name.parse", &["CN"]),
        ("XY=a,CN=b", "name.parse", &["XY"]),
        ("CN=a\u{1b}[31mb", "name.parse", &["\\u{1b}"]),
        ("CN=a\u{202e}b", "root.unfit", &["\\u{202e}"]),
        ("CN=a\nb", "name.parse", &["\\u{a}"]),
        (&long, "root.unfit", &["lint.subject.length", "65 characters"]),
        ("C=Germany,CN=x", "name.parse", &["C must be two letters"]),
    ] {
        refused_without_trace(&a, || create(&a, subject, "p256", "20y", &[]), (2, id, words));
    }
    for key in ["p521", "rsa2048", "rsa8192", "secp256k1", "P256", ""] {
        let wanted = (
            2,
            "command-line.usage",
            &["--key", "p256, p384, rsa3072, rsa4096, ed25519, ml-dsa-65, ml-dsa-87"][..],
        );
        refused_without_trace(&a, || create(&a, "CN=x", key, "20y", &[]), wanted);
    }
    for ttl in ["", "y", "20", "0y", "1.5y", "20Y", "99999999999999999999y"] {
        let wanted = (2, "command-line.usage", &["--ttl", "e.g. 20y"][..]);
        refused_without_trace(&a, || create(&a, "CN=x", "p256", ttl, &[]), wanted);
    }
    let wanted = (2, "root.ttl", &["--ttl 9999y", "the year 9999"][..]);
    refused_without_trace(&a, || create(&a, "CN=x", "p256", "9999y", &[]), wanted);
    let wanted = (2, "command-line.usage", &["--path-len"][..]);
    refused_without_trace(&a, || create(&a, "CN=x", "p256", "20y", &["--path-len", "300"]), wanted);
    let wanted = (2, "root.path-len", &["--path-len 0", "at least 1"][..]);
    refused_without_trace(&a, || create(&a, "CN=x", "p256", "20y", &["--path-len", "0"]), wanted);
    for label in ["", "a\u{1b}b", "a\nb", &"x".repeat(300)] {
        let wanted = (2, "root.label", &["--label"][..]);
        refused_without_trace(&a, || create(&a, "CN=x", "p256", "20y", &["--label", label]), wanted);
    }
    // The home is as good as new.
    create(&a, "CN=x", "p256", "20y", &["--label", "Wurzel & Söhne; \"G1\" 100%"]).code(0);
    assert_eq!(a.audit(&[]).code(0).json()["state"], "ok");
}

#[test]
fn one_home_has_one_root_and_existing_keys_are_never_touched() {
    let mut a = Appliance::with_root("p256");
    let again = || create(&a, "CN=Second", "p256", "20y", &["--label", "second"]);
    refused_without_trace(&a, again, (2, "root.exists", &["/home: has its root already"]));

    // A second home with the same token: its root needs labels of its own.
    std::fs::rename(a.path("home"), a.path("first")).unwrap();
    let module = crate::appliance::module();
    let home = a.arg("home");
    a.run(&["init", &home, "--token", "pkcs11:token=ceremony", "--module", &module, "--unattended"]).code(0);
    let taken = (2, "root.label-in-use", &["holds a key labelled 'anchorite root' already", "--label"][..]);
    refused_without_trace(&a, || create(&a, "CN=Second", "p384", "20y", &[]), taken);
    let taken = (2, "root.label-in-use", &["'anchorite root journal'"][..]);
    let unlucky = || create(&a, "CN=Second", "p384", "20y", &["--label", "anchorite root journal"]);
    refused_without_trace(&a, unlucky, taken);
    let made = a.create_root("p384", &["--label", "second"]).code(0).json();
    a.root_sha256 = made["sha256"].as_str().unwrap().to_string();
    a.audit(&["--root-sha256", &a.root_sha256]).code(0);
    // Both roots go on working.
    for home in ["first", "home"] {
        a.run(&["audit", "verify", "--home", &a.arg(home)]).code(0);
    }
    refused(a.run(&["root"]), (2, "command-line.usage", &["create"]));
}
