//! Several signatures at a time: each lane is a session of the token's, on a thread
//! of its own. What leaves a lane was verified under the key's public key.

use std::panic::resume_unwind;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ScopedJoinHandle};

use crate::error::{Error, Kind, Result};
use crate::journal::{Bytes, Event, Permit};
use crate::token::{Key, Signer};
use crate::verify::verify_signature;

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
    let queue = Mutex::new(permits.into_iter());
    let halt = AtomicBool::new(false);
    let next = || match queue.lock() {
        Ok(mut queue) if !halt.load(Ordering::Relaxed) => queue.next(),
        _ => None,
    };
    let work = |lane: &mut Box<dyn Signer + '_>| {
        let (mut events, mut given_back, mut result) = (Vec::new(), None, Ok(()));
        while result.is_ok() {
            if stop() {
                result = Err(Error::interrupted());
                break;
            }
            let Some(permit) = next() else { break };
            if let Err(error) = lane.ready(key, &permit) {
                (given_back, result) = (Some(permit), Err(error));
                break;
            }
            let signed = sign_one(lane.as_mut(), key, permit);
            given_back = signed.as_ref().err().and_then(|_| lane.given_back());
            result = signed.and_then(|(event, verdict)| {
                events.push(event);
                verdict
            });
        }
        if result.is_err() {
            halt.store(true, Ordering::Relaxed);
        }
        (events, given_back, result)
    };
    let (done, other): (Vec<_>, T) = match lanes {
        [one] if few => {
            let other = meanwhile();
            (vec![work(one)], other)
        }
        lanes => thread::scope(|scope| {
            let running: Vec<_> = lanes.iter_mut().map(|lane| scope.spawn(|| work(lane))).collect();
            let other = meanwhile();
            // A lane that fell over is not one that had nothing to do.
            let ended =
                |lane: ScopedJoinHandle<'_, _>| lane.join().unwrap_or_else(|fall| resume_unwind(fall));
            (running.into_iter().map(ended).collect(), other)
        }),
    };
    let mut signed = Signed { events: Vec::new(), unused: Vec::new(), result: Ok(()) };
    for (events, given_back, result) in done {
        signed.events.extend(events);
        signed.unused.extend(given_back);
        signed.result = graver(signed.result, result);
    }
    signed.events.sort_by_key(intent_of);
    signed.unused.extend(queue.into_inner().into_iter().flatten());
    (signed, other)
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
    let intent = permit.intent();
    let (algorithm, message) = (permit.algorithm(), permit.message().to_vec());
    let signature = signer.sign(key, permit)?;
    if verify_signature(&key.public_key, algorithm, &message, &signature).is_ok() {
        return Ok((Event::Signed { intent, signature: Bytes(signature) }, Ok(())));
    }
    let reason = "does not verify under the key's public key".to_string();
    let wrong = Error::integrity(
        "token.wrong-signature",
        "returned a signature that does not verify; it is on record as rejected",
    )
    .next("stop the ceremony: the token is broken, or it is not the token it claims to be");
    Ok((Event::Rejected { intent, signature: Bytes(signature), reason }, Err(wrong)))
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
