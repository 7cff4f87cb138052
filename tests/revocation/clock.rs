//! A clock that ran ahead and was set right: no revocation is lost, no CRL lies in the future.

use super::scene;

#[test]
fn a_clock_that_ran_ahead_lets_no_revocation_go() {
    let a = scene();
    let east = a.serial("east");
    a.revoke(&east);
    a.crl().code(0);
    // By that clock the certificate has ended: it stands on one more CRL, and is gone from the next.
    for (ahead, entries) in [("70 days", "1 revoked"), ("71 days", "0 revoked")] {
        let told = a.verb_in(ahead, &["crl", "--to", &a.place("out")]).code(0).stdout;
        assert!(told.contains(entries), "{ahead}: {told}");
    }
    // Release names have dates: what was made under the wrong clock would count as the newest.
    std::fs::remove_dir_all(a.path("out")).unwrap();
    std::fs::create_dir(a.path("out")).unwrap();
    a.crl().fails(1, "clock.behind");
    let told = a.verb(&["crl", "--correct-clock", "--to", &a.place("out")]).code(0);
    assert!(told.stderr.contains("ahead of this clock"), "{}", told.stderr);
    assert_eq!((a.listed_serials(), a.listed_number()), (vec![east.clone()], 5));
    a.all_is_well();
    // OpenSSL, by the right clock, takes it: it is valid now, and says what it says.
    let text = a.listed();
    let year = crate::pki::now().to_string()[..4].to_string();
    let dated = text.lines().find(|line| line.contains("Last Update")).unwrap();
    assert!(dated.contains(&year), "{dated}");
    // And the one after it.
    let told = a.crl().code(0);
    assert!(!told.stderr.contains("ahead of this clock"), "{}", told.stderr);
    assert_eq!((a.listed_serials(), a.listed_number()), (vec![east], 6));
}
