//! Revocations and CRLs in plans that wait, side by side.

use super::{REASON, scene};
use crate::appliance::{Appliance, Ran};

fn plan(a: &Appliance, name: &str, more: &[&str]) {
    let (from, out) = (a.place("in"), a.place(name));
    a.run(&[&["plan", "--from", &from, "--out", &out, "--policy", "istio"], more].concat()).code(0);
}

fn perform(a: &Appliance, name: &str) -> Ran {
    a.verb(&["perform", &a.place(name), "--to", &a.place("out")])
}

/// A stick with this cluster's request alone.
pub fn only(a: &Appliance, cluster: &str) {
    std::fs::remove_dir_all(a.path("in")).unwrap();
    std::fs::create_dir(a.path("in")).unwrap();
    a.request(cluster);
}

#[test]
fn of_two_plans_the_seconds_crl_is_left_out() {
    let a = Appliance::with_root("p256");
    for name in ["east", "west"] {
        only(&a, name);
        plan(&a, &format!("{name}.json"), &[]);
    }
    perform(&a, "east.json").code(0);
    let told = perform(&a, "west.json").code(0);
    assert!(told.stderr.contains("the one in this plan is left out"), "{}", told.stderr);
    assert_eq!(a.listed_number(), 1);
    assert_eq!((a.judged("east"), a.judged("west")), (Ok(()), Ok(())));
    a.all_is_well();
}

#[test]
fn of_two_plans_that_revoke_the_second_is_made_anew() {
    let a = scene();
    let (east, west) = (a.serial("east"), a.serial("west"));
    only(&a, "north");
    plan(&a, "one.json", &["--revoke", &format!("{east}=superseded")]);
    only(&a, "south");
    plan(&a, "two.json", &["--revoke", &format!("{west}=superseded")]);
    perform(&a, "one.json").code(0);
    assert_eq!(a.listed_serials(), [east]);
    let journal = a.journal();
    perform(&a, "two.json").fails(1, "plan.differs");
    assert_eq!(a.journal(), journal, "nothing of it is on record");
    plan(&a, "three.json", &["--revoke", &format!("{west}=superseded")]);
    perform(&a, "three.json").code(0);
    assert_eq!((a.listed_serials().len(), a.listed_number()), (2, 3));
    assert!(a.judged("west").unwrap_err().contains("certificate revoked"));
    a.all_is_well();
}

#[test]
fn what_was_revoked_meanwhile_is_not_revoked_again() {
    let a = scene();
    let east = a.serial("east");
    only(&a, "north");
    plan(&a, "plan.json", &["--revoke", &format!("{east}=superseded")]);
    a.verb(&[&["revoke", &east], &REASON[..]].concat()).code(0);
    let journal = a.journal();
    perform(&a, "plan.json").fails(1, "revoke.twice");
    assert_eq!(a.journal(), journal, "nothing of it is on record");
    a.crl().code(0);
    assert!(a.listed().contains("Key Compromise"));
    a.all_is_well();
}

/// A revocation on record alone is on the CRL that the next session signs, whatever it is for.
#[test]
fn the_next_session_lists_what_waits() {
    let a = scene();
    let east = a.serial("east");
    a.revoke(&east);
    only(&a, "north");
    let signed = a.sign(&["--policy", "istio"]).code(0);
    assert!(signed.stdout.contains("root-crl.pem: CRL 2, 1 revoked"), "{}", signed.stdout);
    assert_eq!(a.listed_serials(), [east]);
    // Nothing waits: the last one goes along.
    only(&a, "south");
    a.sign(&["--policy", "istio"]).code(0);
    assert_eq!(a.listed_number(), 2);
    a.all_is_well();
}
