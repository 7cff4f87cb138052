//! A root's life once it is made: it may follow another, be followed, and end. Pure.
//!
//! A change of roots goes old → old and new → new: each trust bundle is a superset or a
//! subset of the one before, so that clusters at neighbouring stages understand each other.

use serde::{Deserialize, Serialize};

use super::Companion;
use crate::x509::{Digest, Time};

/// Where the root stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootCourse {
    /// A change of roots that is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollover: Option<Rollover>,
    /// Whether it signs nothing any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retired: bool,
    /// How its key was destroyed, in the operator's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destroyed: Option<String>,
}

/// A change from one root to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rollover {
    /// Which of the two is this home's.
    pub own: Side,
    /// The other root, and those trusted beside it, in the order of its trust bundle.
    pub others: Vec<Companion>,
    /// Until when both are to be trusted, at the latest.
    pub until: Time,
    /// Whether the old root's key is in other hands.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub compromised: bool,
    /// What trust bundles hold.
    pub stage: Stage,
    /// Whether the operator said that every cluster has it.
    pub reached: bool,
    /// The SHA-256 of each stage's trust bundle, once it left: it never changes.
    pub emitted: Vec<Emitted>,
}

/// One of the two roots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// The one that goes.
    Old,
    /// The one that comes.
    New,
}

/// What trust bundles hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The old root.
    Old,
    /// The old root, then the new one.
    Both,
    /// The new root.
    New,
}

/// A stage's trust bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Emitted {
    /// Which.
    pub stage: Stage,
    /// SHA-256 of root-cert.pem.
    pub sha256: Digest,
}

impl Stage {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Old => "old",
            Self::Both => "both",
            Self::New => "new",
        }
    }

    /// The stages on either side.
    fn is_next_to(self, other: Self) -> bool {
        matches!((self, other), (Self::Old | Self::New, Self::Both) | (Self::Both, Self::Old | Self::New))
    }
}

impl RootCourse {
    /// The roots that trust bundles hold (DER), in order; `own` are this home's root and
    /// those of its other devices.
    pub fn trusted(&self, own: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        let Some(rollover) = &self.rollover else { return own };
        let others = rollover.others.iter().map(|other| other.certificate.0.clone()).collect();
        let (old, new) = if rollover.own == Side::Old { (own, others) } else { (others, own) };
        match rollover.stage {
            Stage::Old => old,
            Stage::Both => [old, new].concat(),
            Stage::New => new,
        }
    }

    /// Why this root may sign no certificate, if it may not.
    pub fn forbids_signing(&self) -> Option<&'static str> {
        if self.retired {
            return Some("the root is retired");
        }
        let rollover = self.rollover.as_ref()?;
        match (rollover.own, rollover.stage) {
            (Side::New, Stage::Old) => {
                Some("no cluster trusts the new root yet: its rollover is at stage old")
            }
            (Side::New, Stage::Both) if !rollover.reached => Some(
                "not every cluster is known to trust the new root yet: `anchorite root rollover reached` records it",
            ),
            _ => None,
        }
    }

    /// Whether this may come after that, step by step; if not, what it does wrong.
    pub fn may_follow(&self, before: &Self) -> Result<(), &'static str> {
        match (before.retired, self.retired) {
            (true, false) => return Err("brings a retired root back"),
            (false, true) if self.destroyed.is_some() => {
                return Err("retires a root and destroys its key in one step");
            }
            _ => {}
        }
        if self.destroyed != before.destroyed && (before.destroyed.is_some() || !before.retired) {
            return Err("destroys the key of a root that is not retired, or again");
        }
        match (&before.rollover, &self.rollover) {
            (before, after) if before == after => Ok(()),
            _ if before.retired || self.retired => Err("changes the rollover of a retired root"),
            (None, Some(begun)) => begun.begins(),
            (Some(before), Some(after)) => after.follows(before),
            (Some(ended), None) => match (ended.stage, ended.reached) {
                (Stage::New, true) | (Stage::Old, _) => Ok(()),
                _ => Err(
                    "can end at stage new, once it has reached every cluster, or back at stage old, and nowhere else",
                ),
            },
            (None, None) => Ok(()),
        }
    }
}

impl Rollover {
    fn begins(&self) -> Result<(), &'static str> {
        let fresh = self.stage == Stage::Old && self.reached && self.emitted.is_empty();
        if fresh && !self.others.is_empty() { Ok(()) } else { Err("begins a rollover in its middle") }
    }

    fn follows(&self, before: &Self) -> Result<(), &'static str> {
        if (self.own, &self.others, self.until) != (before.own, &before.others, before.until) {
            return Err("has other roots or another end than it began with");
        }
        if before.compromised && !self.compromised {
            return Err("takes a recorded compromise back");
        }
        if !self.emitted.starts_with(&before.emitted) || self.emitted.len() > before.emitted.len() + 1 {
            return Err("changes a trust bundle that has left");
        }
        if self.stage == before.stage {
            let same = self.emitted == before.emitted && (self.reached || !before.reached);
            return if same { Ok(()) } else { Err("changes a stage that has begun") };
        }
        if !self.stage.is_next_to(before.stage) {
            return Err(
                "would leave stage both out: clusters at stage old and clusters at stage new refuse each other",
            );
        }
        if self.stage > before.stage && !before.reached {
            return Err(
                "would go on before its stage is known to have reached every cluster: `root rollover reached` records that",
            );
        }
        if self.reached {
            return Err("enters a stage and has it reach every cluster in one step");
        }
        if self.own == Side::Old && self.stage == Stage::New {
            return Err(
                "goes on to trust bundles without this home's root, which are the new root's to release",
            );
        }
        let of_stage = self.emitted.iter().filter(|emitted| emitted.stage == self.stage).count();
        if of_stage == 1 { Ok(()) } else { Err("has not one trust bundle for its stage") }
    }

    /// The trust bundle of a stage that has left before.
    pub fn emitted(&self, stage: Stage) -> Option<Digest> {
        self.emitted.iter().find(|emitted| emitted.stage == stage).map(|emitted| emitted.sha256)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Bytes;

    fn rollover(own: Side, stage: Stage, reached: bool, emitted: &[(Stage, u8)]) -> RootCourse {
        let emitted = emitted.iter().map(|(stage, n)| Emitted { stage: *stage, sha256: Digest([*n; 32]) });
        let rollover = Rollover {
            own,
            others: vec![Companion { certificate: Bytes(vec![1]), warned: vec![] }],
            until: Time::from_unix(1_900_000_000),
            compromised: false,
            stage,
            reached,
            emitted: emitted.collect(),
        };
        RootCourse { rollover: Some(rollover), ..RootCourse::default() }
    }

    #[test]
    fn a_rollover_goes_step_by_step_and_back() {
        use Side::{New, Old};
        use Stage::{Both, New as NewStage, Old as OldStage};
        let none = RootCourse::default();
        let begun = rollover(New, OldStage, true, &[]);
        let both = rollover(New, Both, false, &[(Both, 1)]);
        let both_reached = rollover(New, Both, true, &[(Both, 1)]);
        let new = rollover(New, NewStage, false, &[(Both, 1), (NewStage, 2)]);
        let new_reached = rollover(New, NewStage, true, &[(Both, 1), (NewStage, 2)]);
        let back = rollover(New, Both, false, &[(Both, 1), (NewStage, 2)]);
        let back_old = rollover(New, OldStage, false, &[(Both, 1), (OldStage, 3)]);
        for (before, after) in [
            (&none, &begun),
            (&begun, &both),
            (&both, &both_reached),
            (&both_reached, &new),
            (&new, &new_reached),
            (&new_reached, &none),
            (&new, &back),
            (&new_reached, &back),
            (&both, &back_old),
            (&begun, &none),
            (&back_old, &none),
        ] {
            assert_eq!(after.may_follow(before), Ok(()), "{before:?} → {after:?}");
        }
        for (before, after) in [
            (&none, &both),
            (&begun, &new),
            (&both, &new),
            (&both, &none),
            (&both_reached, &none),
            (&new, &none),
            (&both_reached, &both),
            (&both, &rollover(New, Both, true, &[(Both, 9)])),
            (&both, &rollover(Old, Both, true, &[(Both, 1)])),
            (&both_reached, &rollover(New, NewStage, true, &[(Both, 1), (NewStage, 2)])),
            (&both_reached, &rollover(New, NewStage, false, &[(Both, 1)])),
            (
                &rollover(Old, Both, true, &[(Both, 1)]),
                &rollover(Old, NewStage, false, &[(Both, 1), (NewStage, 2)]),
            ),
        ] {
            assert!(after.may_follow(before).is_err(), "{before:?} → {after:?}");
        }
    }

    #[test]
    fn a_new_root_signs_once_it_is_trusted_and_a_retired_one_never() {
        use Side::{New, Old};
        let may = |course: &RootCourse| course.forbids_signing().is_none();
        assert!(may(&RootCourse::default()));
        assert!(!may(&rollover(New, Stage::Old, true, &[])));
        assert!(!may(&rollover(New, Stage::Both, false, &[])));
        assert!(may(&rollover(New, Stage::Both, true, &[])));
        assert!(may(&rollover(New, Stage::New, false, &[])));
        assert!(may(&rollover(Old, Stage::Both, false, &[])));
        assert!(!may(&RootCourse { retired: true, ..RootCourse::default() }));
    }

    #[test]
    fn a_root_retires_once_and_its_key_is_destroyed_after() {
        let none = RootCourse::default();
        let retired = RootCourse { retired: true, ..none.clone() };
        let destroyed = RootCourse { destroyed: Some("shredded".into()), ..retired.clone() };
        assert_eq!(retired.may_follow(&none), Ok(()));
        assert_eq!(destroyed.may_follow(&retired), Ok(()));
        let begun = RootCourse { retired: true, ..rollover(Side::Old, Stage::Old, true, &[]) };
        let wrong = [(&none, &destroyed), (&retired, &none), (&destroyed, &retired), (&retired, &begun)];
        for (before, after) in wrong {
            assert!(after.may_follow(before).is_err());
        }
    }
}
