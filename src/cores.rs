//! Work that is handed to all cores and comes back in the order in which it was handed
//! over, so that what is told of it is the same on one core and on many.

use std::collections::VecDeque;
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use rayon::Scope;
use rayon::prelude::*;

/// How much may be under way or wait to be taken back: bounds the memory, and is more
/// than there are cores.
const UNDER_WAY: usize = 32;

/// Where work is handed over; all of it is done when `within` comes back.
#[derive(Clone, Copy)]
pub struct Cores<'s, 'w>(&'s Scope<'w>);

/// Runs `within`, which hands work over while it does what has to be done in order.
pub fn beside<'w, R>(within: impl FnOnce(Cores<'_, 'w>) -> R) -> R {
    rayon::in_place_scope(|scope| within(Cores(scope)))
}

/// What is done on another core, and what is done here meanwhile.
pub fn both<A: Send, B>(there: impl FnOnce() -> A + Send, here: impl FnOnce() -> B) -> (A, B) {
    thread::scope(|scope| {
        let other = scope.spawn(there);
        let done = here();
        (other.join().unwrap_or_else(|fall| resume_unwind(fall)), done)
    })
}

/// Fewer are done here, one after the other: the order that the crash tests follow call by call.
const MANY: usize = 256;

/// Does something with each, many of them on all cores. Of what fails the first in their order
/// is told; what comes after it may have been done or not.
pub fn each<T: Sync, E: Send>(
    all: &[T],
    work: impl Fn(&T) -> std::result::Result<(), E> + Sync,
) -> std::result::Result<(), E> {
    if all.len() < MANY {
        return all.iter().try_for_each(work);
    }
    all.par_iter().find_map_first(|one| work(one).err()).map_or(Ok(()), Err)
}

/// The same where it gives something, in their order.
pub fn map<T: Sync, R: Send>(all: &[T], work: impl Fn(&T) -> R + Send + Sync) -> Vec<R> {
    if all.len() < MANY { all.iter().map(work).collect() } else { all.par_iter().map(work).collect() }
}

/// Results that are taken back in order.
pub struct InOrder<'s, 'w, T> {
    cores: Cores<'s, 'w>,
    results: VecDeque<Receiver<T>>,
}

impl<'s, 'w, T: Send + 'w> InOrder<'s, 'w, T> {
    /// Nothing is under way yet.
    pub fn new(cores: Cores<'s, 'w>) -> Self {
        Self { cores, results: VecDeque::new() }
    }

    /// Hands work over.
    pub fn put(&mut self, work: impl FnOnce() -> T + Send + 'w) {
        let (done, result) = sync_channel(1);
        // Nobody waits for it where what came before it ended everything.
        let work = move || drop(done.send(work()));
        if rayon::current_thread_index().is_some() {
            // One of the cores itself: it must not wait for another to have time.
            work();
        } else {
            self.cores.0.spawn(|_| work());
        }
        self.results.push_back(result);
    }

    /// Whether something should be taken back before more is put in.
    pub fn is_full(&self) -> bool {
        self.results.len() >= UNDER_WAY
    }

    /// Takes back what was handed over first, and waits for it; `None` where nothing is left.
    pub fn take(&mut self) -> Option<T> {
        // A sender that is gone panicked, and so will the scope.
        self.results.pop_front()?.recv().ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// The sum of what comes back, with its order checked.
    fn sum(count: u64) -> u64 {
        beside(|cores| {
            let mut results = InOrder::new(cores);
            let (mut next, mut sum) = (0, 0);
            let mut taken = |number: u64| {
                assert_eq!(number, next);
                next += 1;
                sum += number;
            };
            for number in 0..count {
                results.put(move || number);
                if results.is_full() {
                    results.take().into_iter().for_each(&mut taken);
                }
            }
            std::iter::from_fn(|| results.take()).for_each(taken);
            sum
        })
    }

    #[test]
    fn of_what_fails_the_first_is_told() {
        for count in [0, 1, MANY - 1, MANY, 1_000] {
            let done = AtomicUsize::new(0);
            let all: Vec<usize> = (0..count).collect();
            let work = |_: &usize| {
                done.fetch_add(1, Ordering::Relaxed);
                Ok::<_, usize>(())
            };
            assert_eq!(map(&all, |number| number + 1), (1..=count).collect::<Vec<_>>());
            assert_eq!((each(&all, work), done.load(Ordering::Relaxed)), (Ok(()), count));
            let fails = |number: &usize| if *number % 10 == 7 { Err(*number) } else { Ok(()) };
            assert_eq!(each(&all, fails), if count > 7 { Err(7) } else { Ok(()) });
        }
    }

    #[test]
    fn what_was_handed_over_comes_back_in_order() {
        for count in [0, 1, UNDER_WAY as u64, 1_000] {
            assert_eq!(sum(count), (0..count).sum::<u64>());
        }
        // On each of the cores at once, where none may wait for another.
        let everywhere = rayon::broadcast(|_| sum(100));
        assert!(everywhere.iter().all(|found| *found == 4_950));
    }
}
