//! What a cluster takes from releases: the CRL sets of both roots, a stage's trust bundle.

use std::path::{Path, PathBuf};

use super::{Change, Reported as _, answered, bundle, read};
use crate::appliance::{Ran, copy};

/// `east` has an intermediate of the old root and one of the new; each root's newest
/// release has the set.
struct Fleet {
    change: Change,
    /// East's under the old root.
    before: PathBuf,
    /// East's under the new root.
    after: PathBuf,
    old_crl: PathBuf,
    new_crl: PathBuf,
}

impl Fleet {
    fn new() -> Self {
        Self::of(Change::trusted())
    }

    /// The new root's CRLs hold for ten days.
    fn with_short_crls() -> Self {
        let change = Change::trusted();
        let config = change.0.path("new/anchorite.toml");
        let text = read(&config);
        let short =
            text.replace("\"425d\"", "\"10d\"").replace("\"365d\"", "\"5d\"").replace("\"30d\"", "\"1d\"");
        std::fs::write(&config, short).unwrap();
        answered(&change.0, "new", &["policy", "pin"]).code(0);
        Self::of(change)
    }

    fn of(change: Change) -> Self {
        let before = change.sign("home", "east");
        let key = change.0.path("keys/east.key");
        std::fs::rename(&key, change.0.path("keys/east-old.key")).unwrap();
        let old_crl = change.released("home", &["crl"]);
        let after = change.sign("new", "east");
        let new_crl = change.released("new", &["crl"]);
        Self { change, before, after, old_crl, new_crl }
    }

    /// `assemble` of east's folder, with what is given beside it.
    fn assemble(&self, release: &Path, more: &[String]) -> Ran {
        self.assemble_at(&[], release, more)
    }

    fn assemble_at(&self, through: &[&str], release: &Path, more: &[String]) -> Ran {
        let a = &self.change.0;
        let key = if *release == self.before { "keys/east-old.key" } else { "keys/east.key" };
        let (bundle, key, out) = (release.join("east"), a.path(key), a.path("cacerts"));
        let _ = std::fs::remove_dir_all(&out);
        let mut words = through.to_vec();
        words.push(env!("CARGO_BIN_EXE_anchorite"));
        let mut command = a.command(words[0]);
        command.args(&words[1..]).arg("assemble").arg("--bundle").arg(bundle).arg("--key").arg(key);
        command.arg("--out").arg(&out);
        for home in ["home", "new"] {
            command.args(["--root-sha256", &super::fingerprint(&a.path(home).join("root.pem"))]);
        }
        let ran = crate::appliance::ran(command.args(more).output().unwrap());
        assert_eq!(ran.code == 0, out.exists(), "{}", ran.stderr);
        ran
    }

    fn made(&self, file: &str) -> String {
        read(&self.change.0.path("cacerts").join(file))
    }
}

fn crl(release: &Path) -> String {
    format!("--crl={}", release.display())
}

fn trust(release: &Path) -> [String; 2] {
    ["--trust".into(), release.display().to_string()]
}

#[test]
fn a_cluster_loads_the_sets_of_both_roots_and_a_stages_bundle() {
    let fleet = Fleet::new();
    let [old, new] = [&fleet.old_crl, &fleet.new_crl].map(|release| read(&release.join("ca-crl.pem")));
    let sets = [crl(&fleet.old_crl), crl(&fleet.new_crl)];
    // Of the release that the bundle lies in, which was signed with its set, and the other root's.
    fleet.assemble(&fleet.after, &["--crl".into(), crl(&fleet.old_crl)]).code(0);
    assert_eq!(fleet.made("ca-crl.pem"), read(&fleet.after.join("ca-crl.pem")) + &old);
    for release in [&fleet.before, &fleet.after] {
        fleet.assemble(release, &sets).code(0);
        assert_eq!(fleet.made("ca-crl.pem"), format!("{old}{new}"));
        assert!(fleet.made("cacerts.yaml").contains("ca-crl.pem"));
        assert_eq!(fleet.made("root-cert.pem"), fleet.change.both());
    }
    // The same set twice is no contradiction.
    fleet.assemble(&fleet.after, &[&sets[..], &sets].concat()).code(0);

    // The last stage, loaded beside the certificate that the cluster has.
    let last = fleet.change.stage("new", "new");
    fleet.assemble(&fleet.after, &[&trust(&last)[..], &sets[1..]].concat()).code(0);
    assert_eq!(fleet.made("ca-crl.pem"), new);
    fleet.assemble(&fleet.after, &[&trust(&last)[..], &sets].concat()).code(0);
    assert_eq!(fleet.made("root-cert.pem"), bundle(&last));
    assert_eq!(fleet.made("cert-chain.pem"), read(&fleet.after.join("east/cert-chain.pem")));
    // For a cluster that was left behind it is an island's.
    fleet.assemble(&fleet.before, &trust(&last)).fails(1, "assemble.trust-island");
}

#[test]
fn a_set_that_would_cut_the_cluster_off_is_refused() {
    let fleet = Fleet::new();
    let (change, after) = (&fleet.change, &fleet.after);
    // Of the other root alone, of the own one alone, and one of before this certificate.
    fleet.assemble(after, &[crl(&fleet.old_crl)]).fails(1, "assemble.crl-lacking");
    fleet.assemble(after, &["--crl".into()]).fails(1, "assemble.crl-of-one-root");
    change.sign("new", "west");
    let earlier = change.released("new", &["crl"]);
    let later = change.sign("new", "east");
    fleet.assemble(&later, &[crl(&earlier)]).fails(1, "assemble.crl-lacking");
    // Two of one root: verifiers take the older, or the newer, or refuse.
    let newer = change.released("new", &["crl"]);
    fleet.assemble(&later, &[crl(&earlier), crl(&newer)]).fails(1, "assemble.crl-twice");
    fleet.assemble(&later, &[crl(&newer), crl(&fleet.old_crl)]).code(0);

    // A cluster's own is missing: there is a root's CRL and no set.
    let stick = change.0.path("in");
    std::fs::remove_dir_all(&stick).unwrap();
    std::fs::create_dir(&stick).unwrap();
    change.0.request("north");
    std::fs::remove_file(change.0.path("in/north.crl")).unwrap();
    change.released("new", &["sign", "--policy", "istio", "--from", stick.to_str().unwrap()]);
    let lacking = change.released("new", &["crl"]);
    let ran = fleet.assemble(&later, &[crl(&lacking)]).fails_with(1, "assemble.no-crl-set");
    assert!(ran.contains("north"), "{ran}");
    // The newest whole set is as good as it was.
    fleet.assemble(&later, &[crl(&newer), crl(&fleet.old_crl)]).code(0);
    // Beside a trust bundle that knows of a newer CRL no older one goes in.
    let last = change.stage("new", "new");
    let newest = read(&last.join("root-crl.pem"));
    assert_ne!(newest, read(&newer.join("root-crl.pem")));
    let older = [&trust(&last)[..], &[crl(&newer)]].concat();
    fleet.assemble(&later, &older).fails(1, "assemble.crl-older");
}

#[test]
fn a_set_that_has_run_out_is_refused() {
    let fleet = Fleet::with_short_crls();
    let sets = [crl(&fleet.new_crl), crl(&fleet.old_crl)];
    let day = |n: &str| fleet.assemble_at(&["faketime", "-f", n], &fleet.after, &sets);
    day("+9d").code(0);
    let ran = day("+11d").fails_with(1, "assemble.crl-expired");
    assert!(ran.contains("ran out at"), "{ran}");
    fleet.assemble_at(&["faketime", "-f", "+11d"], &fleet.after, &[]).code(0);
}

#[test]
fn what_is_no_whole_release_gives_neither_set_nor_bundle() {
    let fleet = Fleet::new();
    let (change, after) = (&fleet.change, &fleet.after);
    let last = change.stage("new", "new");
    let touched = change.0.path("touched");
    for (file, from) in [("ca-crl.pem", &fleet.new_crl), ("root-cert.pem", &last)] {
        for tamper in [
            |text: String| text.replacen("MI", "MJ", 1),
            |text: String| format!("{text}\n"),
            |text: String| text.clone() + &text,
        ] {
            let _ = std::fs::remove_dir_all(&touched);
            copy(from, &touched);
            std::fs::write(touched.join(file), tamper(read(&touched.join(file)))).unwrap();
            fleet.assemble(after, &[crl(&touched)]).code(4);
            fleet.assemble(after, &trust(&touched)).code(4);
        }
    }
    std::fs::remove_file(touched.join("SHA256SUMS.p7s")).unwrap();
    fleet.assemble(after, &[crl(&touched)]).fails(4, "release.missing");
    // A cluster's folder, the home and a stick are no releases.
    for folder in [after.join("east"), change.0.path("in"), change.0.path("new/issued")] {
        fleet.assemble(after, &[crl(&folder)]).fails(2, "assemble.release");
        fleet.assemble(after, &trust(&folder)).fails(2, "assemble.release");
    }
    // Nor has anybody noted the root of another CA.
    let other = crate::appliance::Appliance::with_root("p256");
    other.request("east");
    other.sign(&["--policy", "istio"]).code(0);
    fleet.assemble(after, &[crl(&other.release())]).code(4);
    fleet.assemble(after, &trust(&other.release())).code(4);
    // A bundle taken out of its release lies in none.
    let alone = change.0.path("alone");
    std::fs::create_dir(&alone).unwrap();
    copy(&after.join("east"), &alone.join("east"));
    fleet.assemble(&alone, &["--crl".into()]).fails(2, "assemble.release");
    fleet.assemble(&alone, &[crl(&fleet.new_crl), crl(&fleet.old_crl)]).code(0);
}

/// `linkerd check` takes no root of P-384: said before the rollover begins, at each stage
/// that brings it, and to the cluster itself.
#[test]
fn a_cluster_whose_consumer_does_not_take_the_root_that_comes_is_named() {
    let change = Change::on_one_token();
    let a = &change.0;
    let register = "[clusters.mesh]\npolicy = \"linkerd\"\n\n[clusters.east]\npolicy = \"istio\"\n";
    a.write("home/clusters.toml", register);
    answered(a, "home", &["policy", "pin"]).code(0);
    a.request_for("mesh", "linkerd");
    let stick = a.path("in");
    let before = change.released("home", &["sign", "--from", stick.to_str().unwrap()]);
    let warning = "!! [issuer.consumer] registered clusters whose consumer does not take a root of this rollover: mesh (linkerd);";
    let begun = change.begin("home", "--new", "new/root.pem").code(0);
    assert!(begun.stderr.contains(warning), "{}", begun.stderr);
    let (staged, both) = change.try_release("home", &["root", "rollover", "stage", "both"]);
    assert!(staged.code(0).stderr.contains(warning));
    let ran = change.step("home", &["reached"]).code(0);
    assert!(!ran.stderr.contains("issuer.consumer"), "{}", ran.stderr);
    let (back, old) = change.try_release("home", &["root", "rollover", "stage", "old"]);
    assert!(!back.code(0).stderr.contains("issuer.consumer"));
    let assemble = |trust: &Path, out: &str| {
        let mut command = a.command(env!("CARGO_BIN_EXE_anchorite"));
        command
            .arg("assemble")
            .arg("--bundle")
            .arg(before.join("mesh"))
            .arg("--key")
            .arg(a.path("keys/mesh.key"));
        command.arg("--out").arg(a.path(out)).arg("--trust").arg(trust);
        for home in ["home", "new"] {
            command.args(["--root-sha256", &super::fingerprint(&a.path(home).join("root.pem"))]);
        }
        crate::appliance::ran(command.output().unwrap())
    };
    let ran = assemble(&both.unwrap(), "never").fails(1, "assemble.trust-kind");
    assert!(
        ran.stderr.contains("Example Root G2, whose key is") && ran.stderr.contains("linkerd takes roots of"),
        "{}",
        ran.stderr
    );
    assert!(!a.path("never").exists());
    assemble(&old.unwrap(), "made").code(0);
}

/// Before the root signed one there is no CRL to load.
#[test]
fn a_release_without_a_crl_gives_none() {
    let fleet = Fleet::new();
    let change = Change::begun();
    let cross = change.released("home", &["root", "rollover", "cross"]);
    assert!(!cross.join("root-crl.pem").exists());
    // (Of another CA as well, but that is not what is amiss first where its root is noted.)
    let noted = super::fingerprint(&change.0.path("new/root.pem"));
    let old = super::fingerprint(&change.0.path("home/root.pem"));
    let more = [crl(&cross), "--root-sha256".into(), noted, "--root-sha256".into(), old];
    fleet.assemble(&fleet.after, &more).fails(1, "assemble.no-crl");
}
