//! Processes that are not Callflume and send on the same credential: what they do between ask and settlement.

use std::collections::BTreeMap;

use callflume_core::dispatcher::{AskId, Input};
use callflume_core::foreign::{Granted, PermitAsk, PermitReply, PermitSettle};
use callflume_core::lane::Lane;
use callflume_core::quota::Settlement;

use crate::world::{Due, World};

/// How long after the time that it gave for an answer an asker takes it for lost, milliseconds.
const MISSED_MS: u64 = 1_000;
/// Over the broker, milliseconds.
pub(crate) const BROKER_MS: u64 = 1;

/// What happens to a foreign process.
pub(crate) enum Act {
    Ask(AskId),
    /// No answer has come, and none will.
    Missed(AskId),
    Told(AskId, PermitReply),
    /// A request with this price reaches the CRM.
    Arrive(PermitAsk),
    Settle(PermitSettle),
}

/// Decides what becomes of a permit: ask, instant of the ask and now, what is granted; answers what happens when.
type Plan = Box<dyn FnMut(&PermitAsk, u64, u64, &Granted) -> Vec<(u64, Act)>>;

/// All of them.
pub(crate) struct Others {
    /// With the instant of each.
    pub(crate) asks: BTreeMap<AskId, (u64, PermitAsk)>,
    /// In order, with the instant at which it was heard.
    pub(crate) answers: Vec<(u64, AskId, PermitReply)>,
    pub(crate) plan: Plan,
    /// Whether whoever is told to wait, or nothing at all, asks again.
    pub(crate) insist: bool,
}

impl Default for Others {
    /// They ask, and do nothing with what they get.
    fn default() -> Self {
        Self {
            asks: BTreeMap::new(),
            answers: Vec::new(),
            plan: Box::new(|_, _, _, _| Vec::new()),
            insist: false,
        }
    }
}

/// An ask for one request in these windows.
pub(crate) fn wish(lane: Lane, windows: &[&str], answer_within_ms: u64) -> PermitAsk {
    PermitAsk {
        lane,
        windows: windows.iter().map(|name| ((*name).to_owned(), 1)).collect(),
        answer_within_ms,
    }
}

pub(crate) fn settlement(permit: &str, outcome: Settlement) -> PermitSettle {
    PermitSettle {
        permit: permit.to_owned(),
        outcome,
        throttled: None,
        headers: BTreeMap::new(),
    }
}

/// A process that sends at once and is answered after so many milliseconds.
pub(crate) fn prompt(trip_ms: u64) -> Plan {
    Box::new(move |ask, _, _, granted| {
        vec![
            (trip_ms / 2, Act::Arrive(ask.clone())),
            (
                trip_ms + BROKER_MS,
                Act::Settle(settlement(&granted.permit, Settlement::Answered)),
            ),
        ]
    })
}

impl World {
    /// Asks after so many milliseconds.
    pub(crate) fn ask_in(&mut self, in_ms: u64, ask: PermitAsk) -> AskId {
        self.next += 1;
        let id = self.next;
        self.others.asks.insert(id, (self.now_ms + in_ms, ask));
        self.at(in_ms + BROKER_MS, Due::Foreign(Act::Ask(id)));
        id
    }

    pub(crate) fn permit_answered(&mut self, ask: AskId, reply: PermitReply) {
        self.at(BROKER_MS, Due::Foreign(Act::Told(ask, reply)));
    }

    pub(crate) fn act(&mut self, act: Act) {
        match act {
            Act::Ask(ask) => {
                let (_, wish) = self.others.asks[&ask].clone();
                if self.others.insist {
                    let in_ms = wish.answer_within_ms + MISSED_MS;
                    self.at(in_ms, Due::Foreign(Act::Missed(ask)));
                }
                self.handle(Input::PermitAsked { ask, wish });
            }
            Act::Missed(ask) => {
                let mut answers = self.others.answers.iter();
                if answers.all(|(_, other, _)| *other != ask) {
                    let (_, wish) = self.others.asks[&ask].clone();
                    self.ask_in(0, wish);
                }
            }
            Act::Told(ask, reply) => self.told(ask, reply),
            Act::Arrive(ask) => {
                let place = |name: &String| self.windows.iter().position(|spec| spec.name == name);
                let windows: Vec<usize> = ask.windows.keys().filter_map(place).collect();
                self.count(windows.into_iter());
            }
            Act::Settle(settle) => self.handle(Input::PermitSettled(settle)),
        }
    }

    fn told(&mut self, ask: AskId, reply: PermitReply) {
        let (asked_ms, wish) = self.others.asks[&ask].clone();
        match &reply {
            PermitReply::Granted(granted) => {
                for (in_ms, act) in (self.others.plan)(&wish, asked_ms, self.now_ms, granted) {
                    self.at(in_ms, Due::Foreign(act));
                }
            }
            PermitReply::Wait(wait) if self.others.insist => {
                self.ask_in(wait.wait_ms, wish);
            }
            PermitReply::Wait(_) | PermitReply::Refused(_) => {}
        }
        self.others.answers.push((self.now_ms, ask, reply));
    }

    /// The answer to an ask, which must have come.
    pub(crate) fn answer_to(&self, ask: AskId) -> &PermitReply {
        let mut answers = self.others.answers.iter();
        &answers.find(|(_, other, _)| *other == ask).unwrap().2
    }

    /// The permit that was granted to an ask.
    pub(crate) fn permit_of(&self, ask: AskId) -> Granted {
        match self.answer_to(ask) {
            PermitReply::Granted(granted) => granted.clone(),
            other => panic!("{other:?}"),
        }
    }

    /// What was granted, with the instants at which it was heard.
    pub(crate) fn lent(&self) -> Vec<u64> {
        let answers = self.others.answers.iter();
        answers
            .filter(|(_, _, reply)| matches!(reply, PermitReply::Granted(_)))
            .map(|(at, _, _)| *at)
            .collect()
    }
}
