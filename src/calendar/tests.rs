use proptest::prelude::*;

use super::*;
use crate::journal::sample::Script;

fn day(n: u64) -> Time {
    Time::from_unix(1_800_000_000 + n * Seconds::DAY.0)
}

fn span(days: u64) -> Seconds {
    Seconds(days * Seconds::DAY.0)
}

fn serial(n: u8) -> Serial {
    Serial::from_bytes(&[n]).unwrap()
}

/// A certificate of 60 days from day 0 on, with a CRL that outlasts it.
fn issued(cluster: &str, n: u8) -> Issued {
    let name = crate::x509::Name::parse(&format!("O=Istio,L={cluster},CN=ca {n}")).unwrap();
    Issued {
        serial: serial(n),
        subject: name,
        key: crate::x509::Digest::of(&[n]),
        cluster: Some(cluster.into()),
        not_before: day(0),
        not_after: day(60),
        status: Status::Released,
        crl: Some(OwnCrl { digest: crate::x509::Digest::of(&[n]), number: 1, next_update: day(150) }),
        revoked: None,
    }
}

fn revoked(issued: Issued) -> Issued {
    let entry = crate::x509::Revocation {
        serial: issued.serial.clone(),
        date: day(1),
        reason: Reason::KeyCompromise,
        invalidity_date: None,
    };
    Issued { revoked: Some(entry), ..issued }
}

fn of(alive: &[Issued], unlisted: &[Serial], at: Time) -> Calendar {
    let config = CrlConfig::default();
    let registered = BTreeMap::from([("east".to_string(), "istio".to_string())]);
    let view = View { at, config: &config, registered, open: vec![] };
    let intermediates = intermediates(alive, unlisted, &view);
    let crl = CrlRecord {
        number: 3,
        digest: crate::x509::Digest::of(b"crl"),
        this_update: day(0),
        next_update: day(425),
        entries: 1,
    };
    let crl = Some(root_crl(&crl, at, &config));
    Calendar {
        at,
        home: "00ff".into(),
        rehearsal: false,
        entries: 42,
        recorded: day(0),
        without: vec![],
        root: Own {
            subject: "CN=Root".into(),
            serial: serial(99),
            not_after: day(7300),
            days_left: days(at, day(7300)),
            renew_by: renew_root_by(day(0), day(7300), span(60), &config),
        },
        journal: None,
        retired: false,
        rollover: None,
        unlisted: unlisted.to_vec(),
        set: fleet_set(crl.as_ref(), &intermediates),
        intermediates,
        crl,
        open: vec![],
    }
}

#[test]
fn a_renewal_leaves_time_for_the_way_and_for_what_hangs_beneath() {
    let by = |life, way| days(day(0), renew_by(day(0), day(life), span(way)));
    assert_eq!(by(90, 10), 60, "two thirds");
    assert_eq!(by(60, 25), 35, "the way takes longer than the last third");
    assert_eq!(by(60, 30), 30);
    assert_eq!(by(40, 30), 20, "the way takes more than half of it");
    assert_eq!(by(20, 30), 10, "the way takes longer than it lives");
}

#[test]
fn a_root_is_followed_while_a_whole_intermediate_still_fits() {
    let by =
        |life, longest| days(day(0), renew_root_by(day(0), day(life), span(longest), &CrlConfig::default()));
    assert_eq!(by(7300, 365), 7300 - 365 - 365 - 30);
    assert_eq!(by(400, 365), 200);
}

proptest! {
    #[test]
    fn a_renewal_lies_in_the_second_half_of_a_life(from: u32, life in 0u64..1 << 40, way: u32) {
        let (start, way) = (Time::from_unix(from.into()), Seconds(way.into()));
        let end = start + Seconds(life);
        let by = renew_by(start, end, way);
        prop_assert!(by >= start + Seconds((end - start).0 / 2) && by <= end);
        let early = by + way <= end || by == start + Seconds((end - start).0 / 2);
        prop_assert!(early, "the way is cut short");
    }

    #[test]
    fn days_are_whole_and_over_at_once(from: u32, to: u32) {
        let (a, b) = (Time::from_unix(from.into()), Time::from_unix(to.into()));
        prop_assert_eq!(days(a, b) < 0, b < a);
        prop_assert_eq!(days(a, b), (i64::from(to) - i64::from(from)).div_euclid(86_400));
    }
}

#[test]
fn of_a_clusters_certificates_the_one_that_lasts_longest_is_renewed() {
    let newer = Issued { not_before: day(20), not_after: day(80), ..issued("east", 2) };
    let calendar = of(&[issued("east", 1), newer.clone(), issued("west", 3)], &[], day(25));
    let [west, new, old] = &calendar.intermediates[..] else { panic!("{calendar:?}") };
    assert_eq!((west.cluster.as_str(), west.renew_by, west.policy.as_deref()), ("west", Some(day(30)), None));
    assert_eq!((old.renew_by, old.replaced_by.clone()), (None, Some(serial(2))));
    assert_eq!((new.renew_by, new.replaced_by.clone()), (Some(day(50)), None));
    assert_eq!(new.policy.as_deref(), Some("istio"));
    assert!(calendar.matters().is_empty(), "{:?}", calendar.matters());
    // Once the newer one is revoked the older one is in use again.
    let calendar = of(&[issued("east", 1), revoked(newer)], &[], day(25));
    let [old, new] = &calendar.intermediates[..] else { panic!("{calendar:?}") };
    assert_eq!((old.renew_by, new.renew_by), (Some(day(30)), None));
    assert_eq!(new.replaced_by, Some(serial(1)));
}

#[test]
fn what_comes_first_is_named_with_its_reason() {
    let calendar = of(&[issued("east", 1)], &[], day(1));
    let next = calendar.next().unwrap();
    assert_eq!((next.at, next.key.as_str()), (day(30), "renew-01"));
    assert!(next.what.contains("east") && next.why.contains(&day(60).to_string()), "{next:?}");
    let ids: Vec<String> = calendar.dates().into_iter().map(|date| date.key).collect();
    assert_eq!(ids, ["renew-01", "ends-01", "renew-root-crl", "root-crl-ends", "renew-root", "root-ends"]);
    assert_eq!(of(&[], &[], day(1)).next().unwrap().at, day(395), "the root's CRL, less the way");
}

#[test]
fn what_is_late_is_a_matter_and_what_is_in_time_is_none() {
    let all = [issued("east", 1)];
    assert!(of(&all, &[], day(30)).matters().is_empty());
    let late = of(&all, &[], day(31)).matters();
    assert!(late.len() == 1 && late[0].contains("renew the intermediate of east"), "{late:?}");
    let later = of(&[], &[], day(426)).matters();
    assert!(later.len() == 2 && later[1].contains("the root's CRL runs out"), "{later:?}");
}

#[test]
fn a_crl_that_ends_before_its_certificate_has_a_date_and_one_that_nobody_needs_has_none() {
    let short = |issued: Issued| {
        let crl = issued.crl.map(|crl| OwnCrl { next_update: day(45), ..crl });
        Issued { crl, ..issued }
    };
    let ids = |calendar: &Calendar| -> Vec<String> {
        calendar
            .dates()
            .into_iter()
            .map(|date| date.key)
            .filter(|id| id.contains("crl-0") || id.contains("ends-0"))
            .collect()
    };
    let calendar = of(&[short(issued("east", 1))], &[], day(1));
    assert_eq!(ids(&calendar), ["renew-crl-01", "crl-ends-01", "ends-01"]);
    assert_eq!(calendar.next().unwrap().at, day(15), "45 days less the way");
    assert_eq!(calendar.set.next_update, Some(day(45)));
    let calendar = of(&[revoked(short(issued("east", 1)))], &[], day(1));
    assert!(ids(&calendar).is_empty());
    assert_eq!(calendar.set.next_update, Some(day(425)));
}

#[test]
fn a_revocation_is_a_matter_until_it_is_listed_and_can_be_seen() {
    let east = revoked(issued("east", 1));
    let unlisted = of(std::slice::from_ref(&east), &[serial(1)], day(1));
    assert!(unlisted.matters()[0].contains("on no CRL yet"), "{:?}", unlisted.matters());
    assert!(of(std::slice::from_ref(&east), &[], day(1)).matters().is_empty());
    let west = Issued { crl: None, ..issued("west", 2) };
    let blind = of(&[east, west.clone()], &[], day(1));
    assert_eq!((blind.set.complete, blind.set.lacking.len()), (false, 1));
    assert!(blind.matters()[0].contains("no whole set"), "{:?}", blind.matters());
    // Nothing is revoked: who checks no CRLs misses nothing.
    assert!(of(&[west], &[], day(1)).matters().is_empty());
}

#[test]
fn the_record_says_who_is_registered_and_has_nothing_in_force() {
    let mut script = Script::with_root();
    let root = Issuer::from_der(&script.root).unwrap();
    let of = |script: &Script, at: Time| {
        let config = CrlConfig::default();
        let registered = ["east", "never"].map(|id| (id.to_string(), "istio".to_string())).into();
        let view = View { at, config: &config, registered, open: vec![] };
        Calendar::of(&script.ledger, &root, view).unwrap()
    };
    script.session("first", &["east"]);
    let calendar = of(&script, script.now);
    assert_eq!((calendar.intermediates.len(), calendar.without.len()), (1, 0));
    let (home, lines) = (script.ledger.home(), script.ledger.count());
    assert_eq!((calendar.home.as_str(), calendar.entries, calendar.recorded), (home, lines, script.now));
    assert!(calendar.journal.is_none(), "it ends with the root");
    let over = of(&script, calendar.intermediates[0].not_after + Seconds(1));
    assert_eq!((over.intermediates.len(), over.without.len()), (0, 1));
    assert!(over.matters().iter().any(|matter| matter.starts_with("east: ")), "{:?}", over.matters());
}

#[test]
fn a_root_on_its_way_out_has_one_date_and_a_retired_one_none() {
    let mut calendar = of(&[issued("east", 1)], &[], day(1));
    calendar.rollover = Some(Change { stage: Stage::Both, reached: false, until: day(20) });
    let next = calendar.next().unwrap();
    assert_eq!((next.at, next.key.as_str()), (day(20), "rollover"));
    assert!(
        next.why.contains("stage both")
            && prometheus(&calendar).contains("\nanchorite_rollover_until_seconds ")
    );
    calendar.retired = true;
    assert_eq!(calendar.next(), None);
    assert!(calendar.dates().iter().any(|date| date.key == "root-crl-ends"), "its last CRL still ends");
    let metrics = prometheus(&calendar);
    assert!(
        !metrics.contains("root_renew_by_seconds") && !metrics.contains("next_action_seconds"),
        "{metrics}"
    );
    // As everything beneath it ends nobody has to do anything.
    calendar.at = day(9000);
    assert!(calendar.matters().is_empty(), "{:?}", calendar.matters());
}

#[test]
fn the_files_say_the_same_from_every_moment_and_every_line_keeps_its_form() {
    let mut calendar = of(&[issued("east", 1)], &[], day(1));
    calendar.intermediates[0].subject = "O=A\\, B; \u{e9}\u{e9}, CN=\"x\"\n".repeat(4);
    calendar.rehearsal = true;
    let other = Calendar { at: day(20), ..calendar.clone() };
    let text = ical(&calendar);
    assert_eq!((text.clone(), prometheus(&calendar)), (ical(&other), prometheus(&other)));
    assert!(text.starts_with(ICAL_START) && prometheus(&calendar).starts_with(PROMETHEUS_START));
    let lines: Vec<&str> = text.strip_suffix("\r\n").unwrap().split("\r\n").collect();
    assert!(lines.iter().all(|line| line.len() <= 75 && !line.contains(['\r', '\n'])), "{text}");
    let unfolded = text.replace("\r\n ", "");
    assert!(unfolded.contains("O=A\\\\\\, B\\; \u{e9}\u{e9}\\, CN=\"x\"\\n"), "{unfolded}");
    assert!(
        unfolded.contains("\r\nUID:renew-01@00ff.anchorite\r\nDTSTAMP:20270115T080000Z\r\nSEQUENCE:42\r\n"),
        "{unfolded}"
    );
    assert!(
        unfolded.contains(
            "\r\nDTSTART:20270214T080000Z\r\nSUMMARY:REHEARSAL: renew the intermediate of east\r\n"
        ),
        "{unfolded}"
    );
    let metrics = prometheus(&calendar);
    assert!(
        metrics.contains(
            "\nanchorite_certificate_not_after_seconds{cluster=\"east\",serial=\"01\"} 1805184000\n"
        ),
        "{metrics}"
    );
    assert!(!metrics.contains("certificate_revoked_seconds"), "a name without a sample says nothing");
}
