//! Permits for processes that are not Callflume and work on the same credential.
//!
//! Decides which ask is granted, when, and when a permit that nobody settles is over. Never grants what the limiter
//! would not grant an own request: a permit is a permit, written before it is spent, whoever sends the request.
//!
//! Invariants:
//! * **A foreign request is over as soon as an own one would be.** It ends within the account's time-out, counted from
//!   before its grant ([`crate::foreign`]); at the end of that a permit that was not settled counts as unanswered. So what
//!   a successor reckons for an unsettled block holds for foreign requests too, and none of them is ever waited for: at
//!   a handover what is open stays in the journal as an unsettled block.
//! * **Own work is not starved.** In each lane own requests and foreign ones take turns while both wait. Foreign
//!   operational requests are operational for half of each window and its day (and an eighth more at once); what is
//!   above that takes enrichment's turns, at enrichment's pace, and leaves its reserve standing. Of slots, foreign
//!   permits hold half. As many are open per lane as own requests may be in flight.
//! * Bounded: [`ASKS_MAX`] asks wait, each for as long as it says. Beyond, an asker is told to come back.
//! * A permit's name can't be guessed from others, and means nothing to another owner: what is settled too late, or with
//!   the wrong owner, is ignored; the journal covers it.

use std::collections::VecDeque;

use super::desk::{Open, Waiting};
use super::send::Tried;
use super::{AskId, Dispatcher, Output};
use crate::effect::Object;
use crate::foreign::{Granted, PermitAsk, PermitReply, PermitSettle, Throttled, Wait};
use crate::lane::Lane;
use crate::quota::{Grant, PermitId, Settlement};
use crate::time::Now;
use crate::vendor::{AccountSignal, Charge, Span, Verb};

/// Asks that wait at most, both lanes together.
const ASKS_MAX: usize = 64;
/// What an asker waits that finds too many others, or an owner that is leaving, or whose permit depends on an answer
/// that is under way; and the least of any wait. Milliseconds.
const BUSY_MS: u64 = 500;
const LEAVING_MS: u64 = 1_000;
const UNSETTLED_MS: u64 = 100;
const WAIT_MIN_MS: u64 = 10;

impl Dispatcher {
    /// A foreign process asks for a permit.
    pub(super) fn permit_asked(&mut self, now: Now, ask: AskId, wish: &PermitAsk) {
        let charges = match self.desk.price(wish) {
            Ok(charges) => charges,
            Err(refusal) => {
                self.reply(ask, PermitReply::Refused(refusal));
                return;
            }
        };
        if self.stopping {
            self.tell_to_wait(ask, LEAVING_MS, "takeover");
            return;
        }
        let waiting: usize = self.desk.waiting.iter().map(VecDeque::len).sum();
        if waiting >= ASKS_MAX {
            self.tell_to_wait(ask, BUSY_MS, "asks");
            return;
        }
        if wish.lane == Lane::Op {
            self.limiter.wished(now, &charges);
        }
        self.desk.waiting[wish.lane as usize].push_back(Waiting {
            ask,
            charges,
            asked_at: now.tick,
            answer_by: now.tick.plus_ms(wish.answer_within_ms),
            binds: (None, "journal"),
        });
    }

    /// Grants the ask that has waited longest in this lane's turn and may have a permit. One that waits for a window holds
    /// back only those of the same price.
    pub(super) fn try_foreign(&mut self, now: Now, lane: Lane) -> Tried {
        let queues: &[Lane] = match lane {
            Lane::Op => &[Lane::Op],
            // What was operational too often, first.
            Lane::En => &Lane::ALL,
        };
        for queue in queues {
            let cap = match queue {
                Lane::Op => self.config.in_flight_op_max,
                Lane::En => self.config.in_flight_en_max,
            };
            let open = self.desk.open.values();
            if open.filter(|open| open.lane == *queue).count() >= cap {
                self.desk.bind(*queue, |_| true, None, "permits");
                continue;
            }
            let mut looked: Vec<Vec<Charge>> = Vec::new();
            let mut place = 0;
            while let Some(waiting) = self.desk.waiting[*queue as usize].get(place) {
                place += 1;
                if looked.contains(&waiting.charges) {
                    continue;
                }
                let charges = waiting.charges.clone();
                looked.push(charges.clone());
                let alike = |other: &[Charge]| other == charges;
                if self.desk.crowds(&charges) {
                    self.desk.bind(*queue, alike, None, "permits");
                    continue;
                }
                if *queue == Lane::Op {
                    let from = self.desk.urgent_from(&charges);
                    let urgent = from <= now.tick;
                    if !urgent {
                        self.wake_at(from);
                    }
                    if urgent != (lane == Lane::Op) {
                        continue;
                    }
                }
                match self.limiter.ask(now, lane, &charges) {
                    Grant::Granted(permit) => {
                        self.grant_foreign(now, lane, *queue, place - 1, permit);
                        return Tried::Sent;
                    }
                    Grant::Unwritten => {
                        self.write_block(now, &charges);
                        return Tried::Unwritten;
                    }
                    Grant::Wait { until, window } => {
                        if let Some(until) = until {
                            self.wake_at(until.max(now.tick.plus_ms(1)));
                        }
                        self.desk.bind(*queue, alike, until, window);
                    }
                }
            }
        }
        Tried::Nothing
    }

    fn grant_foreign(&mut self, now: Now, lane: Lane, queue: Lane, place: usize, permit: PermitId) {
        let Some(waiting) = self.desk.waiting[queue as usize].remove(place) else {
            return;
        };
        if lane == Lane::Op {
            self.desk.took_urgently(now.tick, &waiting.charges);
        }
        self.counters.lent += 1;
        let name = self.desk.name();
        let timeout_ms = self.config.request_timeout_ms;
        self.desk.open.insert(
            name.clone(),
            Open {
                permit,
                lane: queue,
                charges: waiting.charges,
                ends_at: now.tick.plus_ms(timeout_ms),
            },
        );
        let waited_ms = now.tick.since_ms(waiting.asked_at);
        let granted = Granted::new(name, waited_ms, timeout_ms);
        self.reply(waiting.ask, PermitReply::Granted(granted));
    }

    /// A foreign process says what came of a permit.
    pub(super) fn permit_settled(&mut self, now: Now, settle: PermitSettle) {
        let Some(open) = self.desk.open.remove(&settle.permit) else {
            return;
        };
        if settle.outcome == Settlement::Answered {
            let headers: Vec<(String, String)> = settle.headers.into_iter().collect();
            if let Some((verb, object)) = self.like(&open.charges) {
                let observed = self.vendor.observe(verb, object, &headers);
                if !observed.is_empty() {
                    self.limiter.observe(now, open.permit, &observed);
                }
            }
            if let Some(throttled) = settle.throttled {
                let signal = self.signal(throttled);
                // Nothing of ours waits for the answer.
                self.account_signal(now, open.permit, &signal);
            }
        }
        self.limiter.settle(now, open.permit, settle.outcome);
    }

    /// An operation of ours that counts in the same windows: headers are read as its own. None for a price that no
    /// operation of ours has; such headers are not understood.
    fn like(&self, charges: &[Charge]) -> Option<(Verb, Object)> {
        let same = |verb: Verb, object: Object| {
            let ours = self.vendor.windows(verb, object);
            ours.len() == charges.len()
                && ours
                    .iter()
                    .all(|one| charges.iter().any(|other| other.window == one.window))
        };
        Verb::ALL
            .into_iter()
            .flat_map(|verb| Object::ALL.map(|object| (verb, object)))
            .find(|(verb, object)| same(*verb, *object))
    }

    fn signal(&self, throttled: Throttled) -> AccountSignal {
        let spec = throttled.window.and_then(|name| {
            let windows = self.desk.windows.iter();
            windows.into_iter().find(|spec| spec.name == name)
        });
        match spec {
            Some(spec) if spec.span == Span::Day => AccountSignal::DayExhausted,
            spec => AccountSignal::Throttled {
                window: spec.map_or("", |spec| spec.name),
                wait_ms: throttled.wait_ms,
            },
        }
    }

    /// Permits that nobody has settled in time may have been used.
    pub(super) fn expire_foreign(&mut self, now: Now) {
        let over: Vec<String> = self
            .desk
            .open
            .iter()
            .filter(|(_, open)| open.ends_at <= now.tick)
            .map(|(name, _)| name.clone())
            .collect();
        for name in over {
            if let Some(open) = self.desk.open.remove(&name) {
                self.limiter
                    .settle(now, open.permit, Settlement::Unanswered);
            }
        }
        if let Some(ends_at) = self.desk.open.values().map(|open| open.ends_at).min() {
            self.wake_at(ends_at);
        }
    }

    /// Answers whoever can't be served in time: at once when that is known, else when the time is over.
    pub(super) fn answer_waiting(&mut self, now: Now) {
        if self.desk.is_idle() {
            return;
        }
        for lane in Lane::ALL {
            let mut queue = std::mem::take(&mut self.desk.waiting[lane as usize]);
            queue.retain(|waiting| {
                let (until, window) = waiting.binds;
                let in_vain = until.is_some_and(|until| until > waiting.answer_by);
                if self.stopping {
                    self.tell_to_wait(waiting.ask, LEAVING_MS, "takeover");
                } else if in_vain || waiting.answer_by <= now.tick {
                    let wait_ms = until.map_or(UNSETTLED_MS, |until| until.since_ms(now.tick));
                    self.tell_to_wait(waiting.ask, wait_ms, window);
                } else {
                    self.wake_at(waiting.answer_by);
                    return true;
                }
                false
            });
            self.desk.waiting[lane as usize] = queue;
        }
    }

    fn tell_to_wait(&mut self, ask: AskId, wait_ms: u64, window: &str) {
        let wait = Wait {
            wait_ms: wait_ms.max(WAIT_MIN_MS),
            window: window.to_owned(),
        };
        self.reply(ask, PermitReply::Wait(wait));
    }

    fn reply(&mut self, ask: AskId, reply: PermitReply) {
        self.outputs
            .push_back(Output::PermitAnswered { ask, reply });
    }
}
