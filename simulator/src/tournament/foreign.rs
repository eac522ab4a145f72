//! A process that is not Callflume and works on the same credential: it asks the owner for permits, sends to the same
//! door, and says what came of it.
//!
//! It keeps to the contract and is no better than that: some of its requests arrive as late as they may, and of some it
//! never says a word. What it sends counts at the door like the owner's own.

use std::collections::BTreeMap;

use callflume_core::dispatcher::{AskId, Input};
use callflume_core::foreign::{Granted, PermitAsk, PermitReply, PermitSettle, Throttled};
use callflume_core::lane::Lane;
use callflume_core::quota::Settlement;

use super::door::Reply;
use super::shell::trip_us;
use super::vendor::{DAILY, WINDOW};
use super::world::{Happening, World};
use super::{MS_US, SECOND_US};

/// The owner may hold an ask for so long, milliseconds.
const ANSWER_WITHIN_MS: u64 = 2_000;
/// An ask without an answer is given up then, microseconds.
const GIVE_UP_US: u64 = 2 * ANSWER_WITHIN_MS * MS_US;
/// With nobody to ask, it asks again then, microseconds.
const NOBODY_US: u64 = 250 * MS_US;
/// Of a hundred requests so many arrive as late as they may, and of so many it never says what came of them.
const LATE_PERCENT: u64 = 3;
const SILENT_PERCENT: u64 = 3;

/// What happens next.
#[derive(Debug)]
pub(super) enum Step {
    /// There is something to send.
    Wish,
    /// An ask reaches the owner.
    Ask(AskId),
    /// Its answer is heard.
    Told(AskId, PermitReply),
    /// No answer was.
    GivesUp(AskId),
    /// A request reaches the CRM.
    Arrive(Granted),
    /// What came of a permit reaches the owner.
    Settle(PermitSettle),
}

/// The process.
#[derive(Debug, Default)]
pub(super) struct Process {
    /// Lane and instant of the asks that wait, microseconds.
    asks: BTreeMap<AskId, (Lane, u64)>,
    next: AskId,
    /// Requests it wanted to send, and that were sent.
    pub(super) wished: u64,
    pub(super) sent: u64,
}

impl World<'_> {
    pub(super) fn begin_foreign(&mut self) {
        if self.scenario.foreign_per_s > 0 {
            for account in 0..self.accounts.len() {
                self.foreign_at(SECOND_US, account, Step::Wish);
            }
        }
    }

    fn foreign_at(&mut self, at_us: u64, account: usize, step: Step) {
        self.at(at_us, Happening::Foreign { account, step });
    }

    /// The owner has answered.
    pub(super) fn permit_answered(&mut self, account: usize, ask: AskId, reply: PermitReply) {
        let at_us = self.now_us + self.broker_us();
        self.foreign_at(at_us, account, Step::Told(ask, reply));
    }

    fn settle(&mut self, at_us: u64, account: usize, settle: PermitSettle) {
        let at_us = at_us + self.broker_us();
        self.foreign_at(at_us, account, Step::Settle(settle));
    }

    pub(super) fn foreign(&mut self, account: usize, step: Step) {
        match step {
            Step::Wish => {
                self.accounts[account].foreign.wished += 1;
                let lane = Lane::ALL[self.rng.below(2) as usize];
                self.ask(account, lane, self.now_us);
                let gap_us = SECOND_US / self.scenario.foreign_per_s;
                let at_us = self.now_us + gap_us / 2 + self.rng.below(gap_us);
                self.foreign_at(at_us, account, Step::Wish);
            }
            Step::Ask(ask) => {
                let this = &self.accounts[account];
                let Some((lane, _)) = this.foreign.asks.get(&ask).copied() else {
                    return;
                };
                if this.run.is_none() {
                    self.ask_again(account, ask, NOBODY_US);
                    return;
                }
                let wish = PermitAsk {
                    lane,
                    windows: [WINDOW, DAILY].map(|name| (name.to_owned(), 1)).into(),
                    answer_within_ms: ANSWER_WITHIN_MS,
                };
                self.tell(account, Input::PermitAsked { ask, wish });
            }
            Step::Told(ask, reply) => self.told(account, ask, reply),
            Step::GivesUp(ask) => self.ask_again(account, ask, 0),
            Step::Arrive(granted) => self.arrive_foreign(account, granted),
            Step::Settle(settle) => self.tell(account, Input::PermitSettled(settle)),
        }
    }

    /// Every ask has a name and times of its own.
    fn ask(&mut self, account: usize, lane: Lane, asked_us: u64) {
        let foreign = &mut self.accounts[account].foreign;
        foreign.next += 1;
        let ask = foreign.next;
        foreign.asks.insert(ask, (lane, asked_us));
        let arrives_us = asked_us + self.broker_us();
        self.foreign_at(arrives_us, account, Step::Ask(ask));
        self.foreign_at(asked_us + GIVE_UP_US, account, Step::GivesUp(ask));
    }

    fn ask_again(&mut self, account: usize, ask: AskId, wait_us: u64) {
        let asks = &mut self.accounts[account].foreign.asks;
        if let Some((lane, _)) = asks.remove(&ask) {
            self.ask(account, lane, self.now_us + wait_us);
        }
    }

    fn told(&mut self, account: usize, ask: AskId, reply: PermitReply) {
        match reply {
            PermitReply::Granted(granted) => {
                let asked = self.accounts[account].foreign.asks.remove(&ask);
                let in_time = asked.filter(|(_, asked_us)| {
                    self.now_us <= asked_us + granted.send_within_ms * MS_US
                });
                let Some((_, asked_us)) = in_time else {
                    let settle = PermitSettle {
                        permit: granted.permit,
                        outcome: Settlement::NotSent,
                        throttled: None,
                        headers: BTreeMap::new(),
                    };
                    self.settle(self.now_us, account, settle);
                    return;
                };
                self.accounts[account].foreign.sent += 1;
                let at_us = if self.rng.below(100) < LATE_PERCENT {
                    asked_us + granted.end_within_ms * MS_US
                } else {
                    self.now_us + trip_us(&mut self.rng)
                };
                self.foreign_at(at_us, account, Step::Arrive(granted));
            }
            PermitReply::Wait(wait) => self.ask_again(account, ask, wait.wait_ms * MS_US),
            // What can't be used is not asked for again; it is missing among what was sent.
            PermitReply::Refused(_) => {
                self.accounts[account].foreign.asks.remove(&ask);
            }
        }
    }

    fn arrive_foreign(&mut self, account: usize, granted: Granted) {
        let answered = self.accounts[account].door.handle(self.now_us, &[], true);
        if self.rng.below(100) < SILENT_PERCENT {
            return;
        }
        let throttled = match answered.reply {
            Reply::Throttled => Some(WINDOW),
            Reply::DayExhausted => Some(DAILY),
            Reply::Items(_) | Reply::RefusedWhole => None,
        };
        let settle = PermitSettle {
            permit: granted.permit,
            outcome: Settlement::Answered,
            throttled: throttled.map(|window| Throttled {
                window: Some(window.to_owned()),
                wait_ms: None,
            }),
            headers: BTreeMap::new(),
        };
        let back_us = self.now_us + answered.service_us + trip_us(&mut self.rng);
        self.settle(back_us, account, settle);
    }
}
