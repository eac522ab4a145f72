//! Whose turn it is: events of one call go one after another, in the order they were handed over.
//!
//! A call's turn is held by a [`Turn`] and passes to the next in line when that is dropped, however it is dropped: a
//! publish that is cancelled never blocks the ones behind it. Nothing is held while waiting; the map has an entry
//! only for calls with an event in flight, so it is bounded by the publisher's bound.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Enough that publishes on several threads rarely meet at one lock.
const SHARDS: usize = 16;

type Line = VecDeque<oneshot::Sender<Turn>>;

#[derive(Debug)]
pub(crate) struct Turns {
    hasher: RandomState,
    /// Calls by the hash of their id. Two calls of one hash would only wait for each other.
    shards: [Mutex<HashMap<u64, Line>>; SHARDS],
}

/// The right to have an event of a call in flight.
#[derive(Debug)]
pub(crate) struct Turn {
    turns: Arc<Turns>,
    call: u64,
    /// False when it came back from one that had left the line: then there is nothing to pass on.
    held: bool,
}

impl Turn {
    fn new(turns: &Arc<Turns>, call: u64) -> Self {
        Self {
            turns: Arc::clone(turns),
            call,
            held: true,
        }
    }
}

impl Turns {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            hasher: RandomState::new(),
            shards: std::array::from_fn(|_| Mutex::default()),
        })
    }

    /// Takes a place in the call's line (at the first poll) and waits for its turn.
    pub(crate) async fn wait(self: &Arc<Self>, call_id: &str) -> Turn {
        let call = self.hasher.hash_one(call_id);
        let wait = {
            let mut shard = self.shard(call);
            match shard.get_mut(&call) {
                None => {
                    shard.insert(call, Line::new());
                    None
                }
                Some(line) => {
                    let (sender, receiver) = oneshot::channel();
                    line.push_back(sender);
                    Some(receiver)
                }
            }
        };
        if let Some(receiver) = wait
            && let Ok(turn) = receiver.await
        {
            return turn;
        }
        // Nobody was before us. (A line is only dropped when empty, so no sender goes without handing over a turn.)
        Turn::new(self, call)
    }

    fn shard(&self, call: u64) -> MutexGuard<'_, HashMap<u64, Line>> {
        // The lock guards single map operations: after a panic elsewhere the map is still whole.
        self.shards[call as usize % SHARDS]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.held {
            return;
        }
        loop {
            let next = {
                let mut shard = self.turns.shard(self.call);
                let next = shard.get_mut(&self.call).and_then(Line::pop_front);
                if next.is_none() {
                    shard.remove(&self.call);
                }
                next
            };
            let Some(next) = next else { return };
            let turn = Self::new(&self.turns, self.call);
            // Outside the lock: what is not wanted any more comes back, and the one behind it is next.
            match next.send(turn) {
                Ok(()) => return,
                Err(mut unwanted) => unwanted.held = false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    fn is_empty(turns: &Turns) -> bool {
        turns
            .shards
            .iter()
            .all(|shard| shard.lock().unwrap().is_empty())
    }

    #[test]
    fn turns_of_a_call_come_in_order_and_other_calls_do_not_wait() {
        let turns = Turns::new();
        let (mut first, mut second, mut third) = (
            pin!(turns.wait("a")),
            pin!(turns.wait("a")),
            pin!(turns.wait("a")),
        );
        let Poll::Ready(turn) = poll(first.as_mut()) else {
            panic!("nobody is before the first")
        };
        assert!(poll(second.as_mut()).is_pending());
        assert!(poll(third.as_mut()).is_pending());
        assert!(poll(pin!(turns.wait("b"))).is_ready());
        drop(turn);
        assert!(poll(third.as_mut()).is_pending());
        let Poll::Ready(turn) = poll(second.as_mut()) else {
            panic!("the second follows the first")
        };
        drop(turn);
        drop(poll(third.as_mut()));
        assert!(is_empty(&turns));
    }

    #[test]
    fn one_that_leaves_the_line_does_not_hold_up_the_rest() {
        let turns = Turns::new();
        let mut first = pin!(turns.wait("a"));
        let Poll::Ready(turn) = poll(first.as_mut()) else {
            panic!("nobody is before the first")
        };
        // One leaves before its turn comes, one after it came and before it noticed.
        let mut before = Box::pin(turns.wait("a"));
        let mut after = Box::pin(turns.wait("a"));
        let mut last = pin!(turns.wait("a"));
        assert!(poll(before.as_mut()).is_pending());
        assert!(poll(after.as_mut()).is_pending());
        assert!(poll(last.as_mut()).is_pending());
        drop(before);
        drop(turn);
        drop(after);
        drop(poll(last.as_mut()));
        assert!(is_empty(&turns));
    }

    #[test]
    fn a_long_line_of_leavers_does_not_overflow_the_stack() {
        let turns = Turns::new();
        let mut first = Box::pin(turns.wait("a"));
        let Poll::Ready(turn) = poll(first.as_mut()) else {
            panic!("nobody is before the first")
        };
        let mut line: Vec<_> = (0..100_000).map(|_| Box::pin(turns.wait("a"))).collect();
        for waiting in &mut line {
            assert!(poll(waiting.as_mut()).is_pending());
        }
        drop(line);
        drop(turn);
        assert!(is_empty(&turns));
    }
}
