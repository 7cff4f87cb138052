//! Other roots that are trusted beside this CA's own, and never mistaken for it.

use super::{Companion, Ledger, Purpose};
use crate::journal::{KeyRole, RootCourse};
use crate::x509::certificate::Facts;
use crate::x509::{Digest, Issuer, Name, PublicKey};

type Verdict = Result<(), String>;

impl Ledger {
    /// Those that are trusted: as the last seal had them. What was added after it counts
    /// for nothing, as with documents: anyone who can write the file can add a line.
    pub fn companions(&self) -> &[Companion] {
        self.seal.as_ref().map_or(&self.companions, |seal| &seal.companions)
    }

    /// Whether others were put on record after the last seal.
    pub fn companions_unsealed(&self) -> bool {
        self.companions() != self.companions
    }

    /// Where the root stands: as the last seal had it, like its companions.
    pub fn course(&self) -> &RootCourse {
        self.seal.as_ref().map_or(&self.course, |seal| &seal.course)
    }

    /// The plan that changed it, while its release is not out.
    pub fn course_unreleased(&self) -> Option<Digest> {
        self.course_unreleased
    }

    /// The same as the last line had it.
    pub fn course_now(&self) -> &RootCourse {
        &self.course
    }

    /// Whether the root's course was changed after the last seal.
    pub fn course_unsealed(&self) -> bool {
        *self.course() != self.course
    }

    /// Step by step with a plan; without one it goes back to what was sealed.
    pub(super) fn root_course(&mut self, plan: Option<&Digest>, course: &RootCourse) -> Verdict {
        let Some(plan) = plan else {
            if course != self.course() {
                return Err("changes the root's course without a plan".into());
            }
            self.course = course.clone();
            self.course_unreleased = None;
            self.forget_recorded();
            return Ok(());
        };
        // It may stand behind the revocations of the same plan.
        if self.recording.take() != Some(*plan) {
            self.belongs_to(plan)?;
        }
        course.may_follow(&self.course)?;
        self.course = course.clone();
        self.course_unreleased = Some(*plan).filter(|plan| self.plans.contains_key(plan));
        Ok(())
    }

    /// What a plan does that takes no signature: it is being performed, or this is all it does.
    pub(super) fn belongs_to(&mut self, plan: &Digest) -> Verdict {
        if self.plans.contains_key(plan) {
            return Ok(());
        }
        if self.plan(plan).map_err(|e| e.message)?.is_some() {
            return Err(format!("plan {plan} was performed before"));
        }
        // Nothing is released for it.
        self.recent.finished.insert(*plan);
        self.recorded_unsealed.push(*plan);
        Ok(())
    }

    /// What plans did that nobody sealed is taken back: they may be performed.
    pub(super) fn forget_recorded(&mut self) {
        for plan in std::mem::take(&mut self.recorded_unsealed) {
            self.recent.finished.remove(&plan);
        }
    }

    /// Those of the last line, and those that are trusted.
    pub fn known_companions(&self) -> impl Iterator<Item = &Companion> {
        self.companions.iter().chain(self.companions())
    }

    /// With the decision on the root, before its key is asked for, or under a seal:
    /// in between, a line could slip in that nobody was shown.
    pub(super) fn companions_recorded(&mut self, roots: &[Companion]) -> Verdict {
        let decided = self.root_decision.is_some() && self.root_key.is_none();
        if self.seal.is_none() && !decided {
            return Err("puts other roots on record while there is none here".into());
        }
        let before = std::mem::take(&mut self.companions);
        let own = self.root_name();
        let verdict = roots.iter().try_for_each(|companion| {
            let root = Issuer::from_der(&companion.certificate.0).map_err(|e| e.message)?;
            let key = self.key(KeyRole::Root).and_then(|key| key.public_key.as_ref());
            if own.as_ref().is_some_and(|own| same_name(own, &root.subject))
                || key.is_some_and(|key| same_key(key, &root.public_key))
            {
                return Err(format!("puts this CA's own root on record as another: {}", root.subject));
            }
            self.apart_from_companions(Some(&root.subject), Some(&root.public_key))?;
            self.companions.push(companion.clone());
            Ok(())
        });
        if verdict.is_err() {
            self.companions = before;
        }
        verdict
    }

    /// Nobody else has a companion's name or key.
    pub(super) fn apart_from_companions(&self, name: Option<&Name>, key: Option<&PublicKey>) -> Verdict {
        for companion in &self.companions {
            let root = Issuer::from_der(&companion.certificate.0).map_err(|e| e.message)?;
            if name.is_some_and(|name| same_name(name, &root.subject))
                || key.is_some_and(|key| same_key(key, &root.public_key))
            {
                return Err(format!("has the name or the key of another root on record, {}", root.subject));
            }
        }
        Ok(())
    }

    fn root_name(&self) -> Option<Name> {
        let decided = || self.root_decision.as_ref().and_then(|decision| decision.subject().ok());
        let made = self.own_certificate(Purpose::RootCertificate);
        made.and_then(|own| Facts::from_tbs(&own.message).ok()).map(|facts| facts.subject).or_else(decided)
    }
}

/// As path validation compares names (RFC 5280 §7.1), so that no verifier takes one for the other.
fn same_name(a: &Name, b: &Name) -> bool {
    a.canonical() == b.canonical()
}

/// The key bits decide: another SubjectPublicKeyInfo around them is still the same key.
fn same_key(a: &PublicKey, b: &PublicKey) -> bool {
    a.key_bits() == b.key_bits()
}
