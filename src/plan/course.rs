//! Steps in a root's life: a rollover's stages, cross-certificates, the end.

use const_oid::db::rfc5280;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, KeyUsages};

use super::{Cross, Plan};
use crate::error::{Error, Result};
use crate::journal::{Bytes, Companion, Emitted, Rollover, RootCourse, Side, Stage};
use crate::lint::{CertificateKind, Linted, lint};
use crate::x509::certificate::{authority_key_id, extension, subject_key_id};
use crate::x509::{CertificateSpec, Digest, Issuer, Seconds, Serial, Tbs, Time, pem};

/// For clocks that lag.
const BACKDATE: Seconds = Seconds(300);
/// Where neither root bounds what stands beneath it: the cross-certificate has to.
const PATH_LENGTH: u8 = 8;

/// A step.
#[derive(Debug)]
pub enum Step {
    /// A rollover begins.
    Begin {
        /// Which of the two roots is this home's.
        own: Side,
        /// The other, and those trusted beside it.
        others: Vec<Companion>,
        /// Until when both are to be trusted.
        until: Time,
        /// Whether the old root's key is in other hands.
        compromised: bool,
    },
    /// Trust bundles change.
    Stage(Stage),
    /// Every cluster has the stage's trust bundle.
    Reached,
    /// The old root's key is in other hands.
    Compromised,
    /// The rollover is over.
    End,
    /// The root signs nothing any more.
    Retire,
    /// Its key is destroyed.
    Destroyed(String),
}

impl Step {
    /// Where the root stands after it. `own` are this home's root and those of its other
    /// devices (DER), in the order of trust bundles.
    pub fn take(self, before: &RootCourse, own: &[Vec<u8>]) -> Result<RootCourse> {
        let mut after = before.clone();
        if before.retired && !matches!(self, Step::Retire | Step::Destroyed(_)) {
            return Err(retired());
        }
        match (self, &mut after.rollover) {
            (Step::Begin { .. }, Some(_)) => return Err(wrong("is under way already")),
            (Step::Begin { own, others, until, compromised }, none) => {
                let (stage, reached, emitted) = (Stage::Old, true, Vec::new());
                *none = Some(Rollover { own, others, until, compromised, stage, reached, emitted });
            }
            (Step::Retire, _) if before.retired => {
                return Err(Error::refused("retire.twice", "the root is retired already")
                    .next("`--destroyed TEXT` records how its key was destroyed"));
            }
            (Step::Retire, _) => after.retired = true,
            (Step::Destroyed(_), _) if !before.retired => {
                return Err(Error::refused(
                    "retire.first",
                    "the root is not retired: its last CRL is still to be signed",
                )
                .next("`anchorite root retire --to DIR` signs it; only then is the key destroyed"));
            }
            (Step::Destroyed(how), _) => after.destroyed = Some(how),
            (_, None) => {
                return Err(
                    wrong("has not begun").next("`anchorite root rollover begin` names the other root")
                );
            }
            (Step::Stage(stage), Some(rollover)) if rollover.stage == stage => {
                return Err(wrong(&format!("is at stage {} already: nothing changes", stage.name())).next(
                    "`anchorite root rollover show` says what may follow; `anchorite crl --to DIR` releases the stage's trust bundle once more",
                ));
            }
            (Step::Stage(stage), Some(rollover)) => {
                rollover.stage = stage;
                rollover.reached = false;
                let bundle = bundle_digest(&after.trusted(own.to_vec()));
                if let Some(rollover) = &mut after.rollover {
                    match rollover.emitted(stage) {
                        None => rollover.emitted.push(Emitted { stage, sha256: bundle }),
                        Some(left) if left == bundle => {}
                        Some(left) => return Err(changed(stage, left, bundle)),
                    }
                }
            }
            (Step::Reached, Some(rollover)) => rollover.reached = true,
            (Step::Compromised, Some(rollover)) => rollover.compromised = true,
            (Step::End, rollover) => *rollover = None,
        }
        if after == *before {
            return Err(wrong("has that on record already: nothing changes"));
        }
        after.may_follow(before).map_err(wrong)?;
        Ok(after)
    }
}

fn wrong(what: &str) -> Error {
    Error::refused("rollover.step", format!("the rollover {what}"))
        .next("`anchorite root rollover show` says where it stands, and what may follow")
}

/// SHA-256 of a trust bundle's file.
pub fn bundle_digest(trusted: &[Vec<u8>]) -> Digest {
    let text: String = trusted.iter().map(|der| pem::certificate(der)).collect();
    Digest::of(text.as_bytes())
}

/// Each stage's bytes are fixed once they left.
pub fn check_bundle(course: &RootCourse, trusted: &[Vec<u8>]) -> Result<()> {
    let Some(rollover) = &course.rollover else { return Ok(()) };
    let now = bundle_digest(trusted);
    match rollover.emitted(rollover.stage) {
        Some(left) if left != now => Err(changed(rollover.stage, left, now)),
        _ => Ok(()),
    }
}

/// While a rollover is under way, the bundles of its stages, here and in the other root's
/// home, are made of the roots that it began with.
pub fn check_roots_stay(course: &RootCourse, what: &str) -> Result<()> {
    if course.retired {
        return Err(retired());
    }
    let Some(rollover) = &course.rollover else { return Ok(()) };
    let stage = rollover.stage.name();
    Err(Error::refused(
        "rollover.bundle-changed",
        format!("{what} would change root-cert.pem in the middle of a rollover, at stage {stage}: its stages' bytes are fixed"),
    )
    .next("do it before the rollover begins or once it has ended; `anchorite root rollover show` says where it stands"))
}

fn retired() -> Error {
    Error::refused("rollover.retired", "the root is retired: nothing of it changes any more")
        .next("a rollover goes on in the new root's home")
}

fn changed(stage: Stage, left: Digest, now: Digest) -> Error {
    Error::refused(
        "rollover.bundle-changed",
        format!("root-cert.pem of stage {} left with SHA-256 {left}, it would now be {now}", stage.name()),
    )
    .next(
        "a root or a companion was renewed or added since: end the rollover first, or take that change back",
    )
}

impl Plan {
    /// Puts a step into a plan.
    pub fn with_course(mut self, course: RootCourse) -> Result<Self> {
        self.course = Some(course);
        self.check("plan")?;
        Ok(self)
    }

    /// Puts the cross-certificate of a rollover into a plan.
    pub fn with_cross(mut self, issuer: &Issuer, course: &RootCourse, serial: Serial) -> Result<Self> {
        let tbs = draft_cross(issuer, course, serial.clone(), self.created)?;
        self.cross = Some(Cross { serial, tbs: Bytes(tbs.get().as_der().to_vec()) });
        Ok(self)
    }
}

/// Makes sure again that today's record gives the same cross-certificate, byte for byte.
pub fn prepare_cross(issuer: &Issuer, course: &RootCourse, plan: &Plan) -> Result<Option<Linted<Tbs>>> {
    let Some(planned) = &plan.cross else { return Ok(None) };
    let again = draft_cross(issuer, course, planned.serial.clone(), plan.created)?;
    if again.get().as_der() != planned.tbs.0 {
        return Err(Error::refused(
            "plan.differs",
            "cross-certificate: today's record gives other bytes than the plan holds",
        )
        .next("make the plan anew and have it reviewed again; bytes are never changed in a plan"));
    }
    Ok(Some(again))
}

/// The other root's key and name, under this root, until the overlap ends.
fn draft_cross(issuer: &Issuer, course: &RootCourse, serial: Serial, now: Time) -> Result<Linted<Tbs>> {
    if course.retired {
        return Err(retired());
    }
    let Some(rollover) = &course.rollover else {
        return Err(wrong("has not begun").next("`anchorite root rollover begin` names the other root"));
    };
    if rollover.compromised && rollover.own == Side::New {
        return Err(Error::refused(
            "rollover.compromised",
            "the old root's compromise is on record: the new root never vouches for it",
        )
        .next("whoever holds the old key would be trusted under the new root; go on without a cross-certificate"));
    }
    let other = rollover.others.first().map(|other| other.certificate.0.as_slice()).unwrap_or_default();
    let other = Issuer::from_der(other).map_err(|e| {
        Error::refused(
            "rollover.cross-unfit",
            format!("the other root cannot be cross-certified: {}", e.message),
        )
        .next("go on without a cross-certificate: the stages' trust bundles do not need it")
    })?;
    let spec = CertificateSpec {
        serial,
        signature: issuer.signature,
        issuer: issuer.subject.clone(),
        not_before: now.earlier(BACKDATE).max(issuer.not_before).max(other.not_before),
        not_after: rollover.until.min(issuer.not_after).min(other.not_after),
        subject: other.subject.clone(),
        public_key: other.public_key.clone(),
        extensions: extensions(issuer, &other)?,
    };
    Ok(lint(spec.to_tbs()?, CertificateKind::Intermediate, Some(issuer))?)
}

fn extensions(issuer: &Issuer, other: &Issuer) -> Result<Vec<Extension>> {
    let beneath = issuer.path_len.map_or(PATH_LENGTH, |own| own.saturating_sub(1));
    let path_len_constraint = Some(other.path_len.unwrap_or(PATH_LENGTH).min(beneath));
    let constraints = BasicConstraints { ca: true, path_len_constraint };
    let usage = KeyUsage(KeyUsages::KeyCertSign | KeyUsages::CRLSign);
    Ok(vec![
        extension(rfc5280::ID_CE_BASIC_CONSTRAINTS, true, &constraints)?,
        extension(rfc5280::ID_CE_KEY_USAGE, true, &usage)?,
        subject_key_id(&other.key_id)?,
        authority_key_id(&issuer.key_id)?,
    ])
}
