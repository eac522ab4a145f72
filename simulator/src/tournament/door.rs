//! The CRM: what arrives at its door, what it admits, what it holds.
//!
//! Exact: the rolling window is a log of arrivals; a request exactly one span old has left it. A refused request takes
//! no place. Records are kept by our own key where the sender gives it (`unique`), as a CRM with a unique property
//! does; without it every creation makes a record.

use std::collections::VecDeque;

use callflume_core::seed::Seed;

use super::SECOND_US;
use super::scenarios::{LIMIT, SERVICE_US, SPAN_S};

/// How an account's CRM takes requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Temper {
    Even,
    /// Its day is used up, by somebody else.
    DayExhausted,
    /// It refuses every request as one too many.
    RejectsAll,
}

/// What a door is like.
#[derive(Debug, Clone)]
pub(super) struct DoorConfig {
    /// Requests per [`SPAN_S`].
    pub(super) limit: u32,
    /// From this second on, another limit; by time.
    pub(super) changes: &'static [(u64, u32)],
    /// Requests a day, and how many of them are spent at the beginning.
    pub(super) day_limit: u32,
    pub(super) day_used: u32,
    /// Whether answers tell what is left.
    pub(super) headers: bool,
    /// What another application spends, percent of the limit, evenly but for some jitter.
    pub(super) foreign_percent: u32,
    /// Requests that are carried out without an answer, per thousand.
    pub(super) answers_lost_permille: u64,
    pub(super) temper: Temper,
}

impl DoorConfig {
    /// A CRM that never surprises.
    pub(super) const EVEN: Self = Self {
        limit: LIMIT,
        changes: &[],
        day_limit: 1_000_000,
        day_used: 0,
        headers: false,
        foreign_percent: 0,
        answers_lost_permille: 0,
        temper: Temper::Even,
    };
}

/// What became of one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Created,
    /// Its key was there already.
    Conflict,
    Refused,
}

/// What a request is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    /// Carried out, item by item.
    Items(Vec<Fate>),
    /// A batch refused as a whole, because of an item that isn't named.
    RefusedWhole,
    /// One too many for the rolling window.
    Throttled,
    /// One too many for the day.
    DayExhausted,
}

/// A reply with when and whether it goes out.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) reply: Reply,
    pub(super) service_us: u64,
    /// Carried out, but nobody is told.
    pub(super) lost: bool,
    /// Limit and what is left, of window and day.
    pub(super) left: [(u32, u32); 2],
}

/// One effect as the CRM has it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Held {
    pub(super) records: u32,
    /// When it was there first.
    pub(super) done_us: Option<u64>,
    /// Sent again, by key, after it was there.
    pub(super) repeated: u32,
}

/// The CRM.
#[derive(Debug)]
pub(super) struct Door {
    config: DoorConfig,
    rng: Seed,
    /// Instants of the admitted requests in the window, and whether they are ours.
    log: VecDeque<(u64, bool)>,
    /// How many of them are ours.
    ours: u32,
    day_used: u32,
    day_ends_us: u64,
    foreign_at_us: Option<u64>,
    /// Requests of ours that met a window full of our own.
    pub(super) over_limit: u64,
    pub(super) requests: u64,
    /// When requests of ours were refused for the window.
    pub(super) rejections_us: Vec<u64>,
    pub(super) day_rejections: u64,
    pub(super) admitted_us: Vec<u64>,
    pub(super) foreign_us: Vec<u64>,
    pub(super) held: Vec<Held>,
    invalid: Vec<bool>,
}

impl Door {
    /// A CRM that will hold these effects; `true` for those it refuses.
    pub(super) fn new(config: DoorConfig, invalid: Vec<bool>, day_ends_us: u64, seed: u64) -> Self {
        let foreign_at_us = (config.foreign_percent > 0).then_some(0);
        Self {
            day_used: config.day_used,
            config,
            rng: Seed::new(seed),
            log: VecDeque::new(),
            ours: 0,
            day_ends_us,
            foreign_at_us,
            over_limit: 0,
            requests: 0,
            rejections_us: Vec::new(),
            day_rejections: 0,
            admitted_us: Vec::new(),
            foreign_us: Vec::new(),
            held: vec![Held::default(); invalid.len()],
            invalid,
        }
    }

    fn limit_at(&self, at_us: u64) -> u32 {
        self.config
            .changes
            .iter()
            .rev()
            .find(|(from_s, _)| from_s * SECOND_US <= at_us)
            .map_or(self.config.limit, |(_, limit)| *limit)
    }

    fn free(&mut self, at_us: u64) -> bool {
        while self
            .log
            .front()
            .is_some_and(|(admitted, _)| admitted + SPAN_S * SECOND_US <= at_us)
        {
            if let Some((_, true)) = self.log.pop_front() {
                self.ours -= 1;
            }
        }
        (self.log.len() as u32) < self.limit_at(at_us)
    }

    /// Lets in what the other application has sent up to now; what finds no place is its own trouble.
    fn foreign(&mut self, now_us: u64) {
        let per_span = u64::from(self.config.limit * self.config.foreign_percent / 100).max(1);
        let gap_us = SPAN_S * SECOND_US / per_span;
        while let Some(at_us) = self.foreign_at_us.filter(|at_us| *at_us <= now_us) {
            if self.free(at_us) {
                self.log.push_back((at_us, false));
                self.foreign_us.push(at_us);
                self.day_used += 1;
            }
            // Between 80 and 120 % of the gap: a steady application, not a metronome.
            self.foreign_at_us = Some(at_us + gap_us * 4 / 5 + self.rng.below(gap_us * 2 / 5));
        }
    }

    fn refusal(&mut self, now_us: u64) -> Option<Reply> {
        while now_us >= self.day_ends_us {
            self.day_used = 0;
            self.day_ends_us += 86_400 * SECOND_US;
        }
        match self.config.temper {
            Temper::DayExhausted => return Some(Reply::DayExhausted),
            Temper::RejectsAll => return Some(Reply::Throttled),
            Temper::Even => {}
        }
        if self.day_used >= self.config.day_limit {
            return Some(Reply::DayExhausted);
        }
        (!self.free(now_us)).then_some(Reply::Throttled)
    }

    /// A request of ours arrives, with these effects; `unique` when it names our own keys.
    pub(super) fn handle(&mut self, now_us: u64, items: &[usize], unique: bool) -> Answered {
        self.foreign(now_us);
        self.requests += 1;
        let service_us = SERVICE_US.0 + self.rng.below(SERVICE_US.1 - SERVICE_US.0 + 1);
        if let Some(reply) = self.refusal(now_us) {
            if reply == Reply::Throttled {
                self.rejections_us.push(now_us);
                self.over_limit += u64::from(self.ours >= self.config.limit);
            } else {
                self.day_rejections += 1;
            }
            return Answered {
                left: self.left(now_us),
                reply,
                // Refusing is quick: no work is done.
                service_us: SERVICE_US.0 / 10,
                lost: false,
            };
        }
        self.log.push_back((now_us, true));
        self.ours += 1;
        self.admitted_us.push(now_us);
        self.day_used += 1;
        let lost = self.rng.below(1_000) < self.config.answers_lost_permille;
        let faulty = items
            .iter()
            .any(|item| self.invalid.get(*item).copied().unwrap_or(true));
        // Half of the batches with a bad item are refused as a whole, the others item by item: CRMs do either.
        let reply = if faulty && items.len() > 1 && self.rng.below(2) == 0 {
            Reply::RefusedWhole
        } else {
            let done_us = now_us + service_us;
            Reply::Items(
                items
                    .iter()
                    .map(|item| self.create(*item, done_us, unique))
                    .collect(),
            )
        };
        Answered {
            left: self.left(now_us),
            reply,
            service_us,
            lost,
        }
    }

    fn create(&mut self, item: usize, done_us: u64, unique: bool) -> Fate {
        let Some(held) = self
            .held
            .get_mut(item)
            .filter(|_| self.invalid.get(item) == Some(&false))
        else {
            return Fate::Refused;
        };
        if held.records > 0 && unique {
            held.repeated += 1;
            return Fate::Conflict;
        }
        held.records += 1;
        held.done_us.get_or_insert(done_us);
        Fate::Created
    }

    fn left(&self, now_us: u64) -> [(u32, u32); 2] {
        let limit = self.limit_at(now_us);
        [
            (limit, limit.saturating_sub(self.log.len() as u32)),
            (
                self.config.day_limit,
                self.config.day_limit.saturating_sub(self.day_used),
            ),
        ]
    }

    /// Whether answers tell what is left.
    pub(super) const fn tells(&self) -> bool {
        self.config.headers
    }

    /// Whether it refuses this effect.
    pub(super) fn refuses(&self, item: usize) -> bool {
        self.invalid.get(item).copied().unwrap_or(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn door(config: DoorConfig) -> Door {
        Door::new(config, vec![false; 1_000], u64::MAX, 1)
    }

    #[test]
    fn a_window_holds_its_limit_and_frees_a_place_exactly_one_span_later() {
        let mut door = door(DoorConfig::EVEN);
        for item in 0..190 {
            assert!(matches!(
                door.handle(item as u64, &[item], true).reply,
                Reply::Items(_)
            ));
        }
        let span_us = SPAN_S * SECOND_US;
        for (at_us, admitted) in [
            (span_us - 1, false),
            (span_us, true),
            (span_us, false),
            (span_us + 1, true),
        ] {
            let reply = door.handle(at_us, &[500], true).reply;
            assert_eq!(matches!(reply, Reply::Items(_)), admitted, "{at_us}");
        }
        assert_eq!((door.rejections_us.len(), door.requests), (2, 194));
        assert_eq!(door.over_limit, 2);
    }

    #[test]
    fn a_key_makes_one_record_and_its_absence_makes_two() {
        for (unique, records) in [(true, 1), (false, 2)] {
            let mut door = door(DoorConfig::EVEN);
            door.handle(0, &[7], unique);
            door.handle(1, &[7], unique);
            assert_eq!(door.held[7].records, records);
        }
    }

    #[test]
    fn what_others_spend_and_a_changed_limit_are_what_is_left() {
        let mut shared = door(DoorConfig {
            foreign_percent: 40,
            ..DoorConfig::EVEN
        });
        let left = shared.handle(30 * SECOND_US, &[1], true).left;
        assert!((112..=114).contains(&left[0].1), "{left:?}");
        let mut changed = door(DoorConfig {
            changes: &[(1, 95), (2, 190)],
            ..DoorConfig::EVEN
        });
        for (at_us, limit) in [(0, 190), (SECOND_US, 95), (2 * SECOND_US, 190)] {
            assert_eq!(changed.handle(at_us, &[1], true).left[0].0, limit);
        }
        assert_eq!(shared.over_limit, 0, "a window full of others is not ours");
    }
}
