//! What a reader of contacts keeps in memory: a bounded map, and the reads that are under way.
//!
//! Decides what is dropped (what was not used lately) and whether a value that was read may be kept: only when nothing
//! was heard of its key since its read began. No IO here.

use std::collections::HashMap;
use std::sync::Arc;

use callflume_core::lookup::{KnownContact, UnreadNumbers};
use callflume_core::time::WallTime;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::error::Error;

/// A map of at most `max` entries in two generations: what was not used while half of them were is dropped.
#[derive(Debug)]
pub(crate) struct Bounded<V> {
    half: usize,
    young: HashMap<String, V>,
    old: HashMap<String, V>,
}

impl<V> Bounded<V> {
    /// At most `max` entries, 2 at least.
    pub(crate) fn new(max: usize) -> Self {
        Self {
            half: (max / 2).max(1),
            young: HashMap::new(),
            old: HashMap::new(),
        }
    }

    /// The entry, which counts as used.
    pub(crate) fn get(&mut self, key: &str) -> Option<&V> {
        if !self.young.contains_key(key) {
            let (key, value) = self.old.remove_entry(key)?;
            self.insert(key, value);
        }
        // A full generation has become the old one.
        self.young.get(key).or_else(|| self.old.get(key))
    }

    pub(crate) fn insert(&mut self, key: String, value: V) {
        self.old.remove(&key);
        self.young.insert(key, value);
        if self.young.len() >= self.half {
            self.old = std::mem::take(&mut self.young);
        }
    }

    pub(crate) fn remove(&mut self, key: &str) {
        self.young.remove(key);
        self.old.remove(key);
    }

    pub(crate) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

/// What the bucket says under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// The CRM has this contact.
    Known(Arc<KnownContact>),
    /// The CRM didn't have it at this instant.
    Absent(WallTime),
    /// All contacts were read then: whoever isn't there is absent, but for those who may have one of these numbers.
    AllRead(WallTime, Arc<UnreadNumbers>),
    /// Nothing: it was never looked up, or that is too long ago.
    Missing,
}

/// A read that is under way, for whoever wants the same.
pub(super) type Outcome = watch::Receiver<Option<Result<Said, Error>>>;

#[derive(Debug)]
struct Kept {
    said: Said,
    /// Not after that, whatever the watch says: an expiry of the bucket is not heard.
    until: Option<Instant>,
}

/// What to do about a look-up.
pub(super) enum Way {
    /// Memory knows.
    Known(Said),
    /// Somebody reads it already.
    Join(Outcome),
    /// Read it, as this read.
    Read(u64),
}

/// The memory and the reads under way.
#[derive(Debug)]
pub(super) struct Memory {
    kept: Bounded<Kept>,
    reads: HashMap<String, (u64, Outcome)>,
    next: u64,
}

impl Memory {
    pub(super) fn new(max: usize) -> Self {
        Self {
            kept: Bounded::new(max),
            reads: HashMap::new(),
            next: 0,
        }
    }

    pub(super) fn recall(&mut self, key: &str) -> Option<Said> {
        let kept = self.kept.get(key)?;
        if kept.until.is_some_and(|until| until <= Instant::now()) {
            self.kept.remove(key);
            return None;
        }
        Some(kept.said.clone())
    }

    /// How to look a key up while the watch stands. `outcome` is where a read that begins now tells what it found.
    pub(super) fn way(&mut self, key: &str, outcome: impl FnOnce() -> Outcome) -> Way {
        if let Some(said) = self.recall(key) {
            return Way::Known(said);
        }
        if let Some((_, outcome)) = self.reads.get(key) {
            return Way::Join(outcome.clone());
        }
        self.next += 1;
        self.reads.insert(key.to_owned(), (self.next, outcome()));
        Way::Read(self.next)
    }

    /// A read has ended. What it found is kept, unless something was heard of the key meanwhile.
    pub(super) fn ended(&mut self, key: &str, read: u64, found: Option<(Said, Option<Instant>)>) {
        if self.reads.get(key).is_none_or(|(id, _)| *id != read) {
            return;
        }
        self.reads.remove(key);
        if let Some((said, until)) = found {
            self.kept.insert(key.to_owned(), Kept { said, until });
        }
    }

    /// A key has a new value: neither what is kept nor what is being read is good any more.
    pub(super) fn forget(&mut self, key: &str) {
        self.kept.remove(key);
        self.reads.remove(key);
    }

    /// Anything may have a new value.
    pub(super) fn forget_all(&mut self) {
        self.kept.clear();
        self.reads.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bounded_map_drops_what_was_not_used_and_never_holds_more() {
        let mut map = Bounded::new(8);
        for number in 0..1_000 {
            map.insert(number.to_string(), number);
            assert!(map.len() <= 8, "{}", map.len());
            // Used all the time, it stays.
            assert_eq!(map.get("0").copied(), Some(0));
        }
        assert_eq!(map.get("1"), None);
        assert_eq!(map.get("999").copied(), Some(999));
        map.remove("0");
        assert_eq!(map.get("0"), None);
        map.clear();
        assert_eq!(map.len(), 0);
    }

    fn outcome() -> Outcome {
        watch::channel(None).1
    }

    #[test]
    fn a_key_is_read_once_at_a_time_and_kept_unless_it_changed_meanwhile() {
        let mut memory = Memory::new(10);
        let absent = Said::Absent(WallTime(1));
        let Way::Read(first) = memory.way("a", outcome) else {
            panic!()
        };
        assert!(matches!(memory.way("a", outcome), Way::Join(_)));
        memory.forget("a");
        // Who comes after the change must not join a read that began before it.
        let Way::Read(second) = memory.way("a", outcome) else {
            panic!()
        };
        memory.ended("a", first, Some((Said::Missing, None)));
        assert!(matches!(memory.way("a", outcome), Way::Join(_)));
        memory.ended("a", second, Some((absent.clone(), None)));
        assert!(matches!(memory.way("a", outcome), Way::Known(known) if known == absent));
        memory.forget_all();
        assert!(matches!(memory.way("a", outcome), Way::Read(_)));
        assert_eq!(memory.len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_expire_unheard_is_not_kept_for_ever() {
        let mut memory = Memory::new(10);
        let Way::Read(read) = memory.way("a", outcome) else {
            panic!()
        };
        let until = Instant::now() + std::time::Duration::from_secs(60);
        memory.ended("a", read, Some((Said::Absent(WallTime(1)), Some(until))));
        tokio::time::advance(std::time::Duration::from_secs(59)).await;
        assert!(memory.recall("a").is_some());
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        assert!(memory.recall("a").is_none());
    }
}
