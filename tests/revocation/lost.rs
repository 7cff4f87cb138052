//! A copy older than what was signed, where nobody has a newer one: the files that are left
//! prove what the lines that are lost said.

use std::sync::LazyLock;

use super::plans::only;
use super::{REASON, scene};
use crate::appliance::{Appliance, Ran};
use crate::faults::{Failure, copy, fail_everywhere, kill_everywhere, run};
use crate::restore::fresh_home;

/// Exported with two clusters; then a third was signed, one of the first revoked, and the
/// other brought a newer CRL.
fn gone_on() -> Appliance {
    static GONE_ON: LazyLock<Appliance> = LazyLock::new(go_on);
    copy(&GONE_ON)
}

fn go_on() -> Appliance {
    let a = scene();
    a.run(&["audit", "export", "--to", &a.place("")]).code(0);
    std::fs::copy(a.path("in/west.csr"), a.path("west.csr")).unwrap();
    only(&a, "north");
    a.sign(&["--policy", "istio"]).code(0);
    a.revoke(&a.serial("east"));
    std::fs::create_dir(a.path("stick")).unwrap();
    let (csr, key, stick) = (a.place("west.csr"), a.place("keys/west.key"), a.place("stick"));
    // Their numbers are seconds.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let of = ["--cluster", "west", "--profile", "istio", "--crl-ttl", "3y"];
    a.run(&[&["request", "--crl-for", &csr, "--key", &key, "--to", &stick], &of[..]].concat()).code(0);
    a.verb(&["crl", "--from", &stick, "--to", &a.place("out")]).code(0);
    a.all_is_well();
    a
}

fn export(a: &Appliance) -> String {
    let folders = std::fs::read_dir(a.path("")).unwrap().map(|entry| entry.unwrap().path());
    let mut exports: Vec<_> =
        folders.filter(|it| it.to_str().unwrap().contains("anchorite-export-")).collect();
    exports.sort();
    exports.pop().unwrap().join("journal").to_str().unwrap().into()
}

fn restore(a: &Appliance, more: &[&str]) -> Ran {
    let args = ["audit", "restore", "--from", &export(a), "--root-sha256", &a.root_sha256];
    a.run(&[&args[..], more].concat())
}

fn fails_with(a: &Appliance) -> String {
    a.audit(&[]).code(4).json()["errors"].to_string()
}

#[test]
fn what_was_signed_on_lines_that_are_lost_is_on_record_again() {
    let a = gone_on();
    let (lost, number) = (a.journal(), a.listed_number());
    let [east, west, north] = ["east", "west", "north"].map(|cluster| a.serial(cluster));
    let plans: Vec<_> =
        std::fs::read_dir(a.path("home/plans")).unwrap().map(|it| it.unwrap().file_name()).collect();
    restore(&a, &[]).fails(4, "journal.behind");
    assert_eq!(a.journal(), lost);

    let told = restore(&a, &["--accept-loss"]).code(0).stdout;
    for wanted in [
        format!("certificate {north}\n"),
        format!("the root's CRL {number}\n"),
        format!("its cluster's CRL for {west}\n"),
        "decided again".into(),
    ] {
        assert!(told.contains(&wanted), "wanted {wanted} in {told}");
    }
    assert!(!told.contains(&east), "{told}");
    assert_eq!(a.audit(&[]).code(1).json()["errors"].to_string(), "[]");

    // Their serial numbers are used up: no plan of that time signs anything a second time.
    let journal = a.journal();
    let lost = plans.iter().map(|plan| plan.to_str().unwrap());
    let lost: Vec<_> = lost.filter(|plan| !journal.contains(plan.trim_end_matches(".json"))).collect();
    assert!(lost.len() >= 2, "{lost:?}");
    for plan in lost {
        let ran = a.verb(&["perform", &format!("plans/{plan}"), "--to", &a.place("out"), "--accept-loss"]);
        let refused = ["[plan.serial-used]", "[journal.behind]"].iter().any(|id| ran.stderr.contains(id));
        assert!(ran.code != 0 && refused, "{} {}", ran.stdout, ran.stderr);
    }
    // The next CRL goes on from the lost one; the fleet's set is whole, with west's newer CRL.
    a.empty_out();
    a.verb(&["crl", "--to", &a.place("out"), "--accept-loss"]).code(0);
    assert_eq!((a.listed_number(), a.listed_serials()), (number + 1, vec![east.clone()]));
    let set = std::fs::read_to_string(a.released("ca-crl.pem")).unwrap();
    for crl in [a.path("stick/west.crl"), a.path("in/north.crl")] {
        assert!(set.contains(&std::fs::read_to_string(crl).unwrap()));
    }
    a.all_is_well();
    let status = a.run(&["status", "--json"]).json();
    let of_north =
        status["intermediates"].as_array().unwrap().iter().find(|it| it["serial"] == north).cloned();
    assert_eq!(of_north.unwrap()["cluster"], "(recovered)");

    // Its key is known wherever requests are judged.
    let export = a.run(&["policy", "export", "--to", &a.place(""), "--json"]).code(0).json();
    let (policies, stick) = (export["export"].as_str().unwrap(), a.place("in"));
    let of = [&stick, "--policy", "istio", "--json"];
    let checked = a.run(&[&["precheck", "--policies", policies], &of[..]].concat());
    let inspected = a.run(&[&["inspect"], &of[..]].concat()).code(1);
    for told in [checked.code(1), inspected] {
        assert!(told.stdout.contains("renewal.same-key"), "{}", told.stdout);
    }

    // It is revoked like any other, and what is revoked stays so.
    let again = a.verb(&[&["revoke", &east], &REASON[..]].concat());
    again.fails(1, "revoke.twice");
    a.revoke(&north);
    a.crl().code(0);
    let mut both = [east, north];
    let mut listed = a.listed_serials();
    both.sort();
    listed.sort();
    assert_eq!((a.listed_number(), &listed[..]), (number + 2, &both[..]));
    a.all_is_well();
}

/// The disk is gone; what went out is still there.
#[test]
fn what_went_out_proves_it_as_well_in_a_fresh_home() {
    let a = gone_on();
    let [east, north] = ["east", "north"].map(|cluster| a.serial(cluster));
    let number = a.listed_number();
    let released = |name: &str| std::fs::read(a.released(name)).unwrap();
    let of_north = a.releases().into_iter().find(|release| release.join("north").exists()).unwrap();
    let of_west = std::fs::read(a.path(&format!("home/issued/{}.pem", a.serial("west")))).unwrap();
    let files = [
        // The copy knows this one.
        ("home/issued/what-west-has.pem", of_west),
        ("home/issued/what-north-has.pem", std::fs::read(of_north.join("north/ca-cert.pem")).unwrap()),
        ("home/crl/what-everybody-has.pem", released("root-crl.pem")),
    ];
    fresh_home(&a);
    restore(&copy(&a), &[]).code(0);
    files.iter().for_each(|(name, bytes)| a.write(name, bytes));
    restore(&a, &[]).fails(4, "journal.behind");
    restore(&a, &["--accept-loss"]).code(0);
    for (name, _) in &files {
        assert!(!a.path(name).exists(), "{name}");
    }
    a.empty_out();
    let told = a.verb(&["crl", "--to", &a.place("out"), "--accept-loss"]).code(0).stdout;
    assert!(told.contains("no CRL set") && told.contains(&north), "{told}");
    assert_eq!((a.listed_number(), a.listed_serials()), (number + 1, vec![east]));
    assert_eq!(a.audit(&[]).code(0).json()["state"], "ok");
    // Its own CRL comes in as any other does.
    std::fs::remove_file(a.path("in/north.csr")).unwrap();
    let told = a.verb(&["crl", "--from", &a.place("in"), "--to", &a.place("out")]).code(0).stdout;
    assert!(told.contains("the fleet's set, of the root and"), "{told}");
    a.all_is_well();
}

/// As a restore left it that looked for nothing, or before the file was found.
#[test]
fn what_turns_up_later_goes_on_record_by_a_restore_of_the_homes_own_export() {
    let a = gone_on();
    let [north, crl] = ["issued", "crl"].map(|it| a.place(&format!("home/{it}/{}.pem", a.serial("north"))));
    std::fs::rename(&north, a.path("found.pem")).unwrap();
    std::fs::remove_file(crl).unwrap();
    restore(&a, &["--accept-loss"]).code(0);
    a.empty_out();
    a.verb(&["crl", "--to", &a.place("out"), "--accept-loss"]).code(0);
    a.all_is_well();
    std::fs::rename(a.path("found.pem"), &north).unwrap();
    assert!(fails_with(&a).contains("is not on record"));
    a.run(&["audit", "export", "--to", &a.place("")]).code(0);
    restore(&a, &["--accept-loss"]).code(0);
    a.verb(&["crl", "--to", &a.place("out")]).code(0);
    assert_eq!(a.audit(&[]).code(0).json()["state"], "ok");
}

/// A renewal is decided anew; what stands beneath the lost one is on record all the same.
#[test]
fn what_the_lost_lines_decided_is_decided_again() {
    let a = scene();
    a.run(&["audit", "export", "--to", &a.place("")]).code(0);
    let renew = |ttl: &str| a.verb(&["root", "renew", "--ttl", ttl]).code(0);
    renew("30y");
    only(&a, "north");
    a.sign(&["--policy", "istio"]).code(0);
    let told = restore(&a, &["--accept-loss", "--json"]).code(0).json();
    assert_eq!(told["recovered"]["certificates"].as_array().unwrap().len(), 3, "{told}");
    assert_eq!(a.audit(&[]).code(1).json()["errors"].to_string(), "[]");
    a.verb(&["root", "renew", "--ttl", "31y", "--accept-loss"]).code(0);
    only(&a, "south");
    a.empty_out();
    a.sign(&["--policy", "istio"]).code(0);
    assert_eq!(a.audit(&[]).code(0).json()["state"], "ok");
    let status = a.run(&["status", "--json"]).json();
    let clusters: Vec<_> =
        status["intermediates"].as_array().unwrap().iter().map(|it| &it["cluster"]).collect();
    assert!(clusters.len() == 4 && clusters.contains(&&"(recovered)".into()), "{status}");
}

/// What the root did not sign is nobody's loss: it stays where it is and the audit names it.
#[test]
fn what_proves_nothing_is_not_recovered() {
    let a = gone_on();
    let north = a.serial("north");
    let mut forged = std::fs::read(a.path(&format!("home/issued/{north}.pem"))).unwrap();
    let body = forged.windows(5).position(|it| it == b"MIIBK").unwrap_or(100);
    let at = body + 200;
    forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
    a.write(&format!("home/issued/{north}.pem"), &forged);
    let crl = format!("home/crl/root-{}.pem", a.listed_number());
    let mut edited = std::fs::read(a.path(&crl)).unwrap();
    let at = edited.len() - 40;
    edited[at] = if edited[at] == b'A' { b'B' } else { b'A' };
    a.write(&crl, &edited);
    let told = restore(&a, &["--accept-loss", "--json"]).code(0).json();
    assert_eq!(
        (&told["recovered"]["certificates"], &told["recovered"]["crls"]),
        (&serde_json::json!([]), &serde_json::json!([]))
    );
    let faults = fails_with(&a);
    assert!(faults.contains(&format!("issued/{north}.pem: is not on record")), "{faults}");
    assert!(faults.contains(crl.strip_prefix("home/").unwrap()), "{faults}");
}

/// With the files under names of their own, too.
fn restored(a: &Appliance) -> Vec<String> {
    let from = export(a);
    let words = ["audit", "restore", "--accept-loss", "--from", &from, "--root-sha256", &a.root_sha256];
    words.map(String::from).to_vec()
}

#[test]
fn a_restore_that_broke_off_is_run_again() {
    let of = gone_on();
    let north = of.serial("north");
    let filed = of.path(&format!("home/issued/{north}.pem"));
    std::fs::rename(&filed, of.path("home/issued/of-north.pem")).unwrap();
    let again = |context: &str, a: &Appliance| {
        run(a, &restored(a)).code(0);
        let report = a.audit(&[]).code(1).json();
        assert_eq!(report["errors"].to_string(), "[]", "{context}");
        assert!(a.journal().contains("\"event\":\"recovered\""), "{context}");
        assert!(a.path(&format!("home/issued/{north}.pem")).exists(), "{context}");
        let crl = std::fs::read(a.path("stick/west.crl")).unwrap();
        assert_eq!(
            std::fs::read(a.path(&format!("home/crl/{}.pem", a.serial("west")))).unwrap(),
            crl,
            "{context}"
        );
    };
    kill_everywhere(&of, restored, again);
    fail_everywhere(&of, 4, restored, |Failure { context, .. }, a| again(context, a));
}
