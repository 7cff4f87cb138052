//! The stages, one after the other and back.

use serde_json::json;

use super::{Change, answered, bundle};

#[test]
fn from_the_old_root_to_the_new_with_two_homes_on_one_token() {
    the_whole_change(&Change::on_one_token());
}

#[test]
fn from_the_old_root_to_the_new_with_a_token_each() {
    the_whole_change(&Change::on_two_tokens());
}

fn the_whole_change(change: &Change) {
    let [old, new, both] = [change.pem("home"), change.pem("new"), change.both()];
    let before = change.sign("home", "east");
    assert_eq!(bundle(&before), old);
    change.begin("new", "--old", "home/root.pem").code(0);
    change.begin("home", "--new", "new/root.pem").code(0);

    // Stage old: the new root signs for nobody, the old one as ever.
    not_yet(change);
    assert_eq!(bundle(&change.sign("home", "west")), old);
    for home in ["home", "new"] {
        assert_eq!(change.show(home)["rollover"]["stage"], "old");
        change.refuses_stage(home, "new", "leave stage both out");
        change.refuses_stage(home, "old", "nothing changes");
    }

    // Stage both: the same bytes from either home, and the old root signs on.
    let released = ["home", "new"].map(|home| change.stage(home, "both"));
    for release in &released {
        assert_eq!(bundle(release), both);
        change.verify(release, &["home", "new"]).code(0);
        let ran = change.verify(release, &["new"]).code(4);
        assert!(ran.stdout.contains("release.companion") || ran.stdout.contains("release.root"));
    }
    not_yet(change);
    let (ran, signed) = change.try_sign("home", "west");
    let signed = signed.unwrap();
    assert!(ran.stderr.contains("trusts   O=Example, CN=Example Root G2 beside this root"), "{}", ran.stderr);
    assert_eq!(bundle(&signed), both);
    change.verify(&signed, &["home", "new"]).code(0);
    change.verify(&signed.join("west"), &["home", "new"]).code(0);
    for home in ["home", "new"] {
        change.refuses_stage(home, "both", "nothing changes");
        change.refuses_stage(home, "new", "");
        change.step(home, &["end"]).fails(1, "rollover.step");
        change.step(home, &["reached"]).code(0);
        change.step(home, &["reached"]).fails(1, "rollover.step");
        change.step(home, &["end"]).fails(1, "rollover.step");
    }
    let moved = change.sign("new", "east");
    assert_eq!((bundle(&moved), bundle(&change.sign("home", "west"))), (both.clone(), both.clone()));
    change.verify(&moved.join("east"), &["home", "new"]).code(0);

    // Stage new is the new root's to release; the way back gives the same bytes again.
    change.refuses_stage("home", "new", "the new root's");
    assert_eq!(bundle(&change.stage("new", "new")), new);
    assert_eq!(bundle(&change.sign("new", "east")), new);
    change.step("new", &["end"]).fails(1, "rollover.step");
    assert_eq!(bundle(&change.stage("new", "both")), both);
    change.refuses_stage("new", "new", "reached");
    change.step("new", &["reached"]).code(0);
    let last = change.stage("new", "new");
    assert_eq!(bundle(&last), new);
    change.verify(&last, &["new"]).code(0);
    change.step("new", &["reached"]).code(0);
    change.step("new", &["end"]).code(0);
    assert_eq!(change.show("new"), json!({}));
    assert_eq!(bundle(&change.sign("new", "west")), new);
    change.step("new", &["reached"]).fails(1, "rollover.step");

    // The old root ends; what it released is good for ever.
    change.released("home", &["root", "retire"]);
    change.audits_ok();
    change.verify(&before, &["home"]).code(0);
    change.verify(&released[0], &["home", "new"]).code(0);
}

/// No verb has the new root sign.
fn not_yet(change: &Change) {
    let (ran, release) = change.try_sign("new", "early");
    ran.fails(1, "issuer.course");
    assert_eq!(release, None);
    let (stick, plan) = (change.0.path("in"), change.0.path("early.json"));
    let out = change.0.path("out");
    let (stick, out) = (stick.to_str().unwrap(), out.to_str().unwrap());
    for args in [
        &["inspect", "--policy", "istio", stick][..],
        &["sign", "--dry-run", "--policy", "istio", "--from", stick, "--to", out],
        &["plan", "--policy", "istio", "--from", stick, "--out", plan.to_str().unwrap()],
    ] {
        let home = change.0.path("new");
        let ran = change.0.run(&[args, &["--home", home.to_str().unwrap()]].concat()).code(1);
        assert!(format!("{}{}", ran.stdout, ran.stderr).contains("issuer.course"), "{}", ran.stderr);
    }
}

/// A plan that was made when the root could sign is refused where it cannot any more.
#[test]
fn a_plan_of_before_is_judged_by_where_the_rollover_stands() {
    let change = Change::trusted();
    let (ran, _) = change.try_sign("new", "east");
    ran.code(0);
    std::fs::remove_dir_all(change.0.path("in")).unwrap();
    std::fs::create_dir(change.0.path("in")).unwrap();
    change.0.request("late");
    let [stick, plan, home] = ["in", "late.json", "new"].map(|p| change.0.path(p).display().to_string());
    let wanted = ["plan", "--policy", "istio", "--from", &stick, "--out", &plan, "--home", &home];
    change.0.run(&wanted).code(0);
    change.step("new", &["stage", "old"]).code(0);
    change.refuses("new", &["perform", &plan], "issuer.course");
}

/// Wherever clusters stand, the way back is to a bundle that they understand.
#[test]
fn each_stage_has_a_way_back() {
    let change = Change::begun();
    let [old, both] = [change.pem("home"), change.both()];
    for home in ["home", "new"] {
        change.stage(home, "both");
    }
    // From both to old: the old root's home releases what was there before, the new
    // root's has nothing to release but knows of it.
    assert_eq!(bundle(&change.stage("home", "old")), old);
    let back = change.step("new", &["stage", "old"]).code(0);
    assert!(back.stdout.contains("stage old"), "{}", back.stdout);
    let (ran, _) = change.try_sign("new", "east");
    ran.fails(1, "issuer.course");
    assert_eq!(bundle(&change.sign("home", "east")), old);
    // Forward again: only once it is known that every cluster is back.
    for home in ["home", "new"] {
        change.refuses_stage(home, "both", "reached");
        change.step(home, &["reached"]).code(0);
        assert_eq!(bundle(&change.stage(home, "both")), both);
    }
    // Given up.
    assert_eq!(bundle(&change.stage("home", "old")), old);
    change.step("new", &["stage", "old"]).code(0);
    for home in ["home", "new"] {
        change.step(home, &["end"]).code(0);
        assert_eq!(change.show(home), json!({}));
    }
    // After which the new root is one like any other.
    assert_eq!(bundle(&change.sign("new", "island")), change.pem("new"));
    assert_eq!(bundle(&change.sign("home", "east")), old);
    change.audits_ok();
}

/// A stage's bytes are fixed: neither a renewal nor another device's root changes them.
#[test]
fn no_root_is_renewed_or_added_in_the_middle() {
    let change = Change::begun();
    change.stage("home", "both");
    let renew = answered(&change.0, "home", &["root", "renew", "--ttl", "30y"]);
    renew.fails(1, "rollover.bundle-changed");
    let third = change.0.path("third.pem");
    change.0.make_old_root();
    std::fs::copy(change.0.path("old.pem"), &third).unwrap();
    let companion = ["root", "companion", "--certificate", third.to_str().unwrap()];
    answered(&change.0, "new", &companion).fails(1, "rollover.bundle-changed");
    assert_eq!(bundle(&change.sign("home", "east")), change.both());
    change.audits_ok();
}
