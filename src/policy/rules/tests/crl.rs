//! The rules for the CRL that comes with a request.

use super::{Case, ask_for, nothing};
use crate::finding::Outcome;
use crate::intake::attach;
use crate::intake::crl::sample;
use crate::lint::crl::fixtures::RawCrl;
use crate::policy::sample::{World, p256};
use crate::x509::{CrlSpec, Name, Reason, Revocation, Serial, SignatureAlgorithm, Time};

pub(super) const CASES: &[Case] = &[
    ("crl.pre-signed", crl, nothing, Outcome::Warning),
    ("crl.pre-signed", crl, |w| w.set("crl.pre-signed", "\"require\""), Outcome::Refused),
    (
        "crl.signature",
        crl,
        |w| w.with_crl(|c| c.signature = SignatureAlgorithm::EcdsaSha384),
        Outcome::Refused,
    ),
    (
        "crl.signature",
        crl,
        |w| {
            crl(w);
            w.request().key = p256(1);
        },
        Outcome::Refused,
    ),
    (
        "crl.issuer",
        crl,
        |w| w.with_crl(|c| c.issuer = Name::parse("O=Istio,CN=x").unwrap()),
        Outcome::Refused,
    ),
    ("crl.authority-key-id", crl, |w| w.with_crl(|c| c.key_id = vec![1; 20]), Outcome::Refused),
    (
        "crl.authority-key-id",
        // The identifier that is granted, whichever it is.
        |w| {
            w.with_crl(|c| c.key_id = sample::public_key().key_id_sha1());
            w.claims().subject_key_id = Some(sample::public_key().key_id_sha1());
        },
        |w| {
            crl(w);
            w.claims().subject_key_id = Some(sample::public_key().key_id_sha1());
        },
        Outcome::Refused,
    ),
    ("crl.version", crl, |w| attach_bent(w, |c| c.version.clear()), Outcome::Refused),
    ("crl.extensions", crl, |w| attach_bent(w, |c| c.extensions[1].1 = Some(true)), Outcome::Refused),
    ("crl.entries", crl, |w| attach_bent(w, |c| c.entries = Some(Vec::new())), Outcome::Refused),
    ("crl.number", crl, |w| w.with_crl(|c| c.number = u64::MAX), Outcome::Refused),
    ("crl.this-update", crl, |w| w.with_crl(|c| c.this_update = c.next_update), Outcome::Refused),
    (
        "crl.next-update",
        |w| w.with_crl(|c| c.next_update = Time::parse("2027-01-21T10:00:00Z").unwrap()),
        |w| w.with_crl(|c| c.next_update = Time::parse("2027-01-21T09:59:59Z").unwrap()),
        Outcome::Refused,
    ),
    (
        "crl.next-update",
        |w| {
            w.with_crl(|c| c.next_update = Time::parse("2027-01-21T09:59:59Z").unwrap());
            ask_for(w, "59d");
        },
        |w| {
            crl(w);
            w.set("validity.maximum", "\"2y\"");
            ask_for(w, "2y");
        },
        Outcome::Refused,
    ),
];

pub(super) fn crl(world: &mut World) {
    world.with_crl(|_| {});
}

/// A CRL that no builder here makes.
fn attach_bent(world: &mut World, bend: fn(&mut RawCrl)) {
    let entries = vec![Revocation {
        serial: Serial::from_bytes(&[1]).unwrap(),
        date: world.now,
        reason: Reason::Unspecified,
        invalidity_date: None,
    }];
    crl(world);
    let spec = CrlSpec { entries, ..sample::spec(&world.request().subject.clone(), world.now) };
    let mut raw = RawCrl::of(spec.to_tbs().unwrap().as_der());
    raw.entries = None;
    bend(&mut raw);
    world.request().crl = None;
    attach(world.request(), "east.crl", &raw.sign(sample::key())).unwrap();
}
