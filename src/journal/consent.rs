//! Who ran a session and how they agreed.

use super::Event;
use crate::x509::Digest;

/// Who runs it and how they agreed: for the record.
#[derive(Debug, Clone)]
pub struct Consent {
    /// The command.
    pub verb: &'static str,
    /// The operating system's name of the operator.
    pub operator: String,
    /// `operator`, or `--yes`.
    pub confirmed: &'static str,
    /// Whether the operator declared that the clock ran ahead before.
    pub correct_clock: bool,
    /// Whether the operator accepted that lines which the token knows of are lost.
    pub accept_loss: bool,
    /// The plan that was shown, where it is consent to one: no other can be performed.
    pub plan: Option<Digest>,
}

impl Consent {
    /// As it goes on record.
    pub fn event(&self) -> Event {
        Event::Session {
            verb: self.verb.into(),
            operator: self.operator.clone(),
            confirmed: self.confirmed.into(),
        }
    }
}
