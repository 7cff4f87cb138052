//! What every token has to keep.

use super::Row;
use super::rig::Rig;
use crate::appliance::Ran;
use crate::support::run;

pub fn kept(row: &Row) {
    for kind in row.kinds {
        let mut rig = (row.rig)(row, kind);
        is_listed(&rig);
        has_a_home(row, &rig);
        if kind.starts_with("ml-dsa") {
            wants_ml_dsa(&rig);
        }
        refuses_what_is_wrong(row, &rig, kind);
        if !row.accept.is_empty() {
            is_refused_for_its_attributes(row, &mut rig, kind);
        }
        rig.appliance.root_sha256 = makes_a_root(row, &rig, kind);
        is_fit(row, &rig);
        signs(row, &rig, &["east", "west"]);
        keeps_the_head(row, &rig);
        // A second session.
        signs(row, &rig, &["north"]);
        if *kind == row.kinds[0] {
            waits_for_the_pin_anew(row, &rig);
        }
    }
}

/// With a home and a root.
pub fn ready(row: &Row, rig: &mut Rig, kind: &str) {
    has_a_home(row, rig);
    if kind.starts_with("ml-dsa") {
        wants_ml_dsa(rig);
    }
    rig.appliance.root_sha256 = makes_a_root(row, rig, kind);
}

fn is_listed(rig: &Rig) {
    let of = rig.module();
    let which: Vec<&str> = match of.is_empty() {
        true => vec!["--piv"],
        false => of.iter().map(String::as_str).collect(),
    };
    let listed = rig.anchorite(&[&["token", "list", "--json"], &which[..]].concat()).code(0).json();
    assert!(!listed["tokens"].as_array().unwrap().is_empty(), "{listed}");
}

pub fn has_a_home(row: &Row, rig: &Rig) {
    let (home, of) = (rig.arg("home"), rig.module());
    let of: Vec<&str> = of.iter().map(String::as_str).collect();
    let init = ["init", &home, "--token", &rig.uri, "--unattended"];
    rig.anchorite(&[&init[..], &of].concat()).code(0);
    assert_eq!(rig.anchorite(&["token", "list"]).code(0).stderr, "", "{}", row.through);
}

/// Not before it is told to.
pub fn wants_ml_dsa(rig: &Rig) {
    let home = rig.appliance.path("home");
    crate::post_quantum::allow_roots(&home);
    crate::post_quantum::allow_keys(&home);
    rig.verb(&["policy", "pin"]).code(0);
}

/// Another token's label, and another PIN, of which the token is asked once.
fn refuses_what_is_wrong(row: &Row, rig: &Rig, kind: &str) {
    let of = rig.module();
    let of: Vec<&str> = of.iter().map(String::as_str).collect();
    let other = if of.is_empty() { "piv:9c?serial=1" } else { "pkcs11:token=another" };
    rig.anchorite(&[&["token", "check", other, "--pin-file", &rig.arg("pin")], &of[..]].concat())
        .fails(3, "token.absent");
    rig.appliance.write("wrong", "87654321\n");
    let wrong = rig.arg("wrong");
    let before = rig.appliance.journal();
    let root = root_args(row, rig, kind);
    let root: Vec<&str> = root.iter().map(String::as_str).collect();
    rig.anchorite(&[&root[..], &["--yes", "--pin-file", &wrong]].concat()).fails(3, "token.pin-incorrect");
    assert_eq!(rig.appliance.journal(), before, "{}", row.through);
}

/// `root create`, or `adopt` of what is there.
fn root_args(row: &Row, rig: &Rig, kind: &str) -> Vec<String> {
    let words: Vec<&str> = match &rig.there {
        None => {
            let mut words =
                vec!["root", "create", "--subject", "O=Example,CN=Example Root G1", "--ttl", "20y"];
            words.extend(["--key", kind]);
            if row.through.starts_with("`piv:`") {
                words.extend(["--touch-policy", "never"]);
            }
            words
        }
        Some(there) => vec![
            "root",
            "adopt",
            "--certificate",
            &there.certificate,
            "--key",
            &there.root_key,
            "--journal-key",
            &there.journal_key,
        ],
    };
    words.into_iter().chain(["--json"]).map(String::from).collect()
}

/// Unless the configuration says otherwise, which is then shown.
fn is_refused_for_its_attributes(row: &Row, rig: &mut Rig, kind: &str) {
    crate::appliance::copy(&rig.appliance.path("home"), &rig.appliance.path("fresh"));
    let root = root_args(row, rig, kind);
    let root: Vec<&str> = root.iter().map(String::as_str).collect();
    let refused = rig.verb(&root).code(3).stderr;
    assert!(
        row.accept.iter().all(|rule| refused.contains(rule)) || !refused.contains("key-unfit"),
        "{refused}"
    );
    assert!(!rig.appliance.path("home/root.pem").exists());
    // What it made stays in the token, for a token keeps what it has: another one, or label.
    *rig = (row.rig)(row, kind);
    has_a_home(row, rig);
    let path = rig.appliance.path("home/anchorite.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let accept = format!("[token]\naccept = {:?}\n", row.accept);
    std::fs::write(&path, text.replacen("[token]\n", &accept, 1)).unwrap();
    rig.verb(&["policy", "pin"]).code(0);
}

/// With a home, whatever comes of the root.
pub fn adopts(row: &Row, rig: &Rig) -> Ran {
    has_a_home(row, rig);
    let root = root_args(row, rig, "");
    rig.verb(&root.iter().map(String::as_str).collect::<Vec<_>>())
}

fn makes_a_root(row: &Row, rig: &Rig, kind: &str) -> String {
    let root = root_args(row, rig, kind);
    let root: Vec<&str> = root.iter().map(String::as_str).collect();
    assert_eq!(root[1], if row.makes_keys { "create" } else { "adopt" });
    let ran = rig.verb(&root).code(0);
    for rule in row.accept {
        assert!(ran.stderr.contains(&format!("ACCEPTED keys that do not fulfil {rule}")), "{}", ran.stderr);
    }
    ran.json()["sha256"].as_str().unwrap().into()
}

fn is_fit(row: &Row, rig: &Rig) {
    let told = rig.verb_without_consent(&["token", "check", "--json"]);
    assert_eq!(told["judged"].as_array().unwrap().len(), 3, "token, root, journal: {told}");
    let root = &told["judged"][1]["attributes"];
    if row.pin_each_time && rig.module.is_some() {
        assert_eq!(root["always_authenticate"], true, "{root}");
    }
    for (judged, word) in [(&told["judged"][1], "root"), (&told["judged"][2], "journal")] {
        let findings = judged["findings"].as_array().unwrap();
        assert!(findings.iter().all(|f| f["outcome"] != "refused"), "{}, {word}: {findings:?}", row.through);
    }
}

/// Requests become a release that everybody can check.
pub fn signs(row: &Row, rig: &Rig, clusters: &[&str]) {
    std::fs::remove_dir_all(rig.appliance.path("in")).unwrap();
    std::fs::create_dir(rig.appliance.path("in")).unwrap();
    clusters.iter().for_each(|cluster| rig.appliance.request(cluster));
    let made = rig.card.as_ref().map(|card| card.made("SIGN"));
    // The first session signs the root's CRL along.
    let crls = || std::fs::read_dir(rig.appliance.path("home/crl")).unwrap().count();
    let before_crls = crls();
    let (from, to) = (rig.arg("in"), rig.arg("out"));
    rig.verb(&["sign", "--from", &from, "--to", &to, "--policy", "istio"]).code(0);
    // Those of the clusters come with their requests.
    let root_crls = crls() - before_crls - clusters.len();
    if let (Some(card), Some(before)) = (&rig.card, made) {
        assert_eq!(card.made("SIGN") - before, clusters.len() + 3 + root_crls, "each once: {}", row.through);
    }
    let release = rig.appliance.release();
    let sha256 = &rig.appliance.root_sha256;
    rig.anchorite(&["verify", release.to_str().unwrap(), "--root-sha256", sha256]).code(0);
    for cluster in clusters {
        let (root, certificate) = (rig.arg("home/root.pem"), release.join(cluster).join("ca-cert.pem"));
        // OpenSSL of Debian 12 knows no ML-DSA: another judge takes its place.
        if let Some(signed) = crate::post_quantum::foreign::judge(root.as_ref(), &certificate) {
            assert!(signed, "{certificate:?}");
            continue;
        }
        let verify = ["verify", "-x509_strict", "-CAfile", &root, certificate.to_str().unwrap()];
        run(&release, "openssl", &verify);
    }
    let audit = rig.appliance.audit(&[]).code(0).json();
    assert_eq!(audit["state"], "ok", "{audit}");
}

/// With it, the token notices an older copy of the home; without, only the sheet does.
fn keeps_the_head(row: &Row, rig: &Rig) {
    let path = |name: &str| rig.appliance.path(name);
    crate::appliance::copy(&path("home"), &path("older"));
    signs(row, rig, &["south"]);
    std::fs::rename(path("home"), path("newer")).unwrap();
    std::fs::rename(path("older"), path("home")).unwrap();
    std::fs::create_dir_all(path("elsewhere")).unwrap();
    let (from, to) = (rig.arg("in"), rig.arg("elsewhere"));
    let signed = rig.verb(&["sign", "--from", &from, "--to", &to, "--policy", "istio"]);
    match row.keeps_head {
        true => drop(signed.fails(4, "journal.behind")),
        false => drop(signed.code(0)),
    }
    std::fs::remove_dir_all(path("older")).unwrap_or_default();
    std::fs::rename(path("home"), path("older")).unwrap();
    std::fs::rename(path("newer"), path("home")).unwrap();
}

/// With `retype-pin` no signature of the root's key comes without the PIN being typed for
/// it, whatever the token knows from the login before.
fn waits_for_the_pin_anew(row: &Row, rig: &Rig) {
    let path = rig.appliance.path("home/anchorite.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("[token]\n", "[token]\nretype-pin = true\n", 1)).unwrap();
    rig.verb(&["policy", "pin"]).code(0);
    rig.appliance.request("central");
    std::fs::remove_file(rig.appliance.path("in/north.csr")).unwrap();
    rig.appliance.empty_out();
    let (from, to) = (rig.arg("in"), rig.arg("out"));
    let sign = ["sign", "--from", &from, "--to", &to, "--policy", "istio", "--yes"];
    let asks = "PIN of ";
    let right = std::fs::read_to_string(rig.appliance.path("pin")).unwrap();
    let right = format!("{}\n", right.trim_end());
    let (signed, withdrawn) = (rig.events("signed"), rig.events("withdrawn"));
    // Asked for again, or the end where the token tells nothing of tries left.
    let wrong = [(asks, right.as_str()), (asks, "87654321\n"), ("wrong PIN; ", "\u{3}")];
    let stopped = rig.at_terminal(&wrong, &sign).ran();
    assert!([3, 130].contains(&stopped.code), "{}: {}", row.through, stopped.stderr);
    assert_eq!((rig.events("signed"), rig.events("withdrawn")), (signed, withdrawn + 1), "{}", row.through);
    let twice = [(asks, right.as_str()), ("signature 1 of 1 by the root's key: ", ""), (asks, &right)];
    rig.at_terminal(&twice, &sign).ran().code(0);
    assert!(rig.appliance.release().join("central/ca-cert.pem").exists());
    assert_eq!(rig.appliance.audit(&[]).code(0).json()["state"], "ok");
}

impl Rig {
    /// How many events of a kind are on record.
    fn events(&self, kind: &str) -> usize {
        self.appliance.journal().matches(&format!("\"event\":\"{kind}\"")).count()
    }

    fn verb_without_consent(&self, args: &[&str]) -> serde_json::Value {
        let pin = self.arg("pin");
        self.anchorite(&[args, &["--pin-file", &pin]].concat()).code(0).json()
    }
}
