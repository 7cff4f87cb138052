//! Several signatures at a time: each lane is a session of the token's, on a thread
//! of its own. What goes on record as signed was verified under the key's public key.

use std::panic::resume_unwind;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread::{self, ScopedJoinHandle};
use std::vec;

use crate::error::{Error, Kind, Result};
use crate::journal::{Bytes, Event, Permit};
use crate::token::{Key, Signer};
use crate::verify::verify_signature;
use crate::x509::SignatureAlgorithm;

/// Fewer signatures in one lane are made by the thread that is there.
const WORTH_A_THREAD: usize = 16;

/// What came of a group of permits.
pub(super) struct Signed {
    /// What goes on record, in the order of the intents: signatures, and rejected ones.
    pub events: Vec<Event>,
    /// What was certainly not signed.
    pub unused: Vec<Permit>,
    /// What ended it early.
    pub result: Result<()>,
}

/// Signs a group, in as many lanes as there are, and does something else meanwhile.
/// The first failure, or the operator's wish to stop, ends it: what other lanes have
/// in hand is finished.
pub(super) fn sign<T>(
    lanes: &mut [Box<dyn Signer + '_>],
    key: &Key,
    permits: Vec<Permit>,
    stop: &(dyn Fn() -> bool + Sync),
    meanwhile: impl FnOnce() -> T,
) -> (Signed, T) {
    let few = permits.len() < WORTH_A_THREAD;
    let group = Group { key, stop, permits: Mutex::new(permits.into_iter()), halted: AtomicBool::new(false) };
    match lanes {
        [one] if few => {
            let other = meanwhile();
            let mut signed = Signed::nothing();
            group.sign(one.as_mut(), |made| signed.add(&group, made));
            (group.rest(signed), other)
        }
        lanes => thread::scope(|scope| {
            // The token is not kept waiting while what it made is verified: one signature may
            // wait for that, and each lane may have one in hand, when a wrong one ends it.
            let (made, to_verify) = sync_channel(1);
            let group = &group;
            let running = lanes.iter_mut().map(|lane| {
                let made = made.clone();
                // The verifier goes only when it fell over, and then so does all of this.
                scope.spawn(move || group.sign(lane.as_mut(), |it| drop(made.send(it))))
            });
            let running: Vec<_> = running.collect();
            drop(made);
            let verifying = scope.spawn(move || {
                to_verify.into_iter().fold(Signed::nothing(), |mut signed, made| {
                    signed.add(group, made);
                    signed
                })
            });
            let other = meanwhile();
            running.into_iter().for_each(ended);
            (group.rest(ended(verifying)), other)
        }),
    }
}

/// What a thread came to; one that fell over is not one that had nothing to do.
fn ended<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|fall| resume_unwind(fall))
}

/// What several lanes sign.
struct Group<'a> {
    key: &'a Key,
    stop: &'a (dyn Fn() -> bool + Sync),
    permits: Mutex<vec::IntoIter<Permit>>,
    halted: AtomicBool,
}

/// What a lane gives to be looked at.
enum Made {
    /// By the token, not verified yet.
    Signature(Unverified),
    /// Nothing: this ended it, and this was certainly not signed.
    Failure(Error, Option<Permit>),
}

impl Group<'_> {
    /// One lane's work: signs what is left, until nothing is or something ends it.
    fn sign(&self, lane: &mut (dyn Signer + '_), mut give: impl FnMut(Made)) {
        loop {
            // After the last one, too.
            let made = match ((self.stop)(), self.next()) {
                (true, permit) => Made::Failure(Error::interrupted(), permit),
                (false, None) => break,
                (false, Some(permit)) => self.sign_one(lane, permit),
            };
            let over = matches!(made, Made::Failure(..));
            if over {
                self.halt();
            }
            give(made);
            if over {
                break;
            }
        }
    }

    fn sign_one(&self, lane: &mut (dyn Signer + '_), permit: Permit) -> Made {
        if let Err(error) = lane.ready(self.key, &permit) {
            return Made::Failure(error, Some(permit));
        }
        match Unverified::make(lane, self.key, permit) {
            Ok(signature) => Made::Signature(signature),
            Err(error) => Made::Failure(error, lane.given_back()),
        }
    }

    fn next(&self) -> Option<Permit> {
        match self.permits.lock() {
            Ok(mut permits) if !self.halted.load(Ordering::Relaxed) => permits.next(),
            _ => None,
        }
    }

    fn halt(&self) {
        self.halted.store(true, Ordering::Relaxed);
    }

    /// With what no lane took.
    fn rest(&self, mut signed: Signed) -> Signed {
        signed.events.sort_by_key(intent_of);
        if let Ok(mut permits) = self.permits.lock() {
            signed.unused.extend(permits.by_ref());
        }
        signed
    }
}

impl Signed {
    fn nothing() -> Self {
        Self { events: Vec::new(), unused: Vec::new(), result: Ok(()) }
    }

    /// What a lane gave, verified. A wrong signature ends it.
    fn add(&mut self, group: &Group<'_>, made: Made) {
        let result = match made {
            Made::Failure(error, given_back) => {
                self.unused.extend(given_back);
                Err(error)
            }
            Made::Signature(signature) => {
                let (event, verdict) = signature.verify(group.key);
                self.events.push(event);
                verdict
            }
        };
        if result.is_err() {
            group.halt();
        }
        self.result = graver(std::mem::replace(&mut self.result, Ok(())), result);
    }
}

/// Of two failures the one that the operator must hear of: that a signature was wrong
/// weighs more than an interrupt, or than a token that is gone.
fn graver(one: Result<()>, other: Result<()>) -> Result<()> {
    match (&one, &other) {
        (Err(first), Err(second)) if first.kind != Kind::Integrity && second.kind == Kind::Integrity => other,
        _ => one.and(other),
    }
}

/// One signature against one permit, verified before it may go on record as one: else
/// the event says that it was rejected, and the verdict is an error.
pub(super) fn sign_one(
    signer: &mut (impl Signer + ?Sized),
    key: &Key,
    permit: Permit,
) -> Result<(Event, Result<()>)> {
    Ok(Unverified::make(signer, key, permit)?.verify(key))
}

/// What the token made, and of what.
struct Unverified {
    intent: u64,
    algorithm: SignatureAlgorithm,
    message: Vec<u8>,
    signature: Vec<u8>,
}

impl Unverified {
    fn make(signer: &mut (impl Signer + ?Sized), key: &Key, permit: Permit) -> Result<Self> {
        let (intent, algorithm) = (permit.intent(), permit.algorithm());
        let message = permit.message().to_vec();
        let signature = signer.sign(key, permit)?;
        Ok(Self { intent, algorithm, message, signature })
    }

    fn verify(self, key: &Key) -> (Event, Result<()>) {
        let Self { intent, algorithm, message, signature } = self;
        if verify_signature(&key.public_key, algorithm, &message, &signature).is_ok() {
            return (Event::Signed { intent, signature: Bytes(signature) }, Ok(()));
        }
        let reason = "does not verify under the key's public key".to_string();
        let wrong = Error::integrity(
            "token.wrong-signature",
            "returned a signature that does not verify; it is on record as rejected",
        )
        .next("stop the ceremony: the token is broken, or it is not the token it claims to be");
        (Event::Rejected { intent, signature: Bytes(signature), reason }, Err(wrong))
    }
}

fn intent_of(event: &Event) -> Option<u64> {
    match event {
        Event::Signed { intent, .. } | Event::Rejected { intent, .. } => Some(*intent),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_signature_is_told_of_whatever_else_ended_it() {
        let wrong = || Err(Error::integrity("token.wrong-signature", "wrong"));
        let gone = || Err(Error::token("token.removed", "gone"));
        for (one, other) in [(wrong(), gone()), (gone(), wrong()), (Err(Error::interrupted()), wrong())] {
            assert_eq!(graver(one, other).unwrap_err().id, "token.wrong-signature");
        }
        assert_eq!(graver(gone(), Err(Error::interrupted())).unwrap_err().id, "token.removed");
        assert_eq!(graver(Ok(()), gone()).unwrap_err().id, "token.removed");
        assert_eq!(graver(Ok(()), Ok(())), Ok(()));
    }
}
