//! What is written: one effect per event, about contacts that are known.
//!
//! Enrichment (notes) stands there at the beginning; operational effects (tasks) come as a Poisson stream, given their
//! number: instants drawn evenly over the time.

use std::collections::HashMap;

use callflume_core::account::AccountId;
use callflume_core::effect::event_record_key;
use callflume_core::event::{ContactRef, ContentType, Draft, encode};
use callflume_core::lane::Lane;
use callflume_core::seed::Seed;
use callflume_core::time::WallTime;

use super::scenarios::{OP_PERCENT, Scenario};
use super::{MS_US, SECOND_US};

/// Persons an account's events are about.
const PERSONS: usize = 2_000;

/// One effect and the event that asks for it.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) lane: Lane,
    /// When it is published.
    pub(super) at_us: u64,
    pub(super) kind: &'static str,
    pub(super) msg_id: String,
    pub(super) payload: Vec<u8>,
    /// Whether the CRM refuses it.
    pub(super) invalid: bool,
}

/// The work of one account.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) account: AccountId,
    /// Operational effects by time, then enrichment.
    pub(super) planned: Vec<Planned>,
    /// Our key of the record to its place in `planned`.
    pub(super) by_key: HashMap<String, usize>,
    /// Event id to its place.
    pub(super) by_event: HashMap<String, usize>,
}

/// Work can't be made.
#[derive(Debug, thiserror::Error)]
#[error("the tournament's event {0} can't be encoded")]
pub struct BadWork(usize);

impl Work {
    /// The work of the account of this number.
    pub(super) fn new(
        scenario: &Scenario,
        account: usize,
        start_ms: i64,
        seed: u64,
    ) -> Result<Self, BadWork> {
        let mut rng = Seed::new(seed ^ (account as u64 + 1).wrapping_mul(0x9e37_79b9));
        let ops = scenario.writes * OP_PERCENT / 100;
        let over_us = scenario.op_over_s.map_or(
            (scenario.optimum_s() * SECOND_US as f64) as u64,
            |seconds| seconds * SECOND_US,
        );
        let mut instants: Vec<u64> = (0..ops).map(|_| rng.below(over_us)).collect();
        instants.sort_unstable();
        let id: AccountId = format!("t{account}")
            .parse()
            .map_err(|_| BadWork(account))?;
        let mut work = Self {
            account: id,
            planned: Vec::with_capacity(scenario.writes),
            by_key: HashMap::with_capacity(scenario.writes),
            by_event: HashMap::with_capacity(scenario.writes),
        };
        for number in 0..scenario.writes {
            let (lane, at_us) = match instants.get(number) {
                Some(at_us) => (Lane::Op, *at_us),
                None => (Lane::En, 0),
            };
            let invalid = rng.below(100) < scenario.invalid_percent;
            work.add(number, lane, at_us, start_ms, invalid)?;
        }
        Ok(work)
    }

    fn add(
        &mut self,
        number: usize,
        lane: Lane,
        at_us: u64,
        start_ms: i64,
        invalid: bool,
    ) -> Result<(), BadWork> {
        let (kind, effect, field) = match lane {
            Lane::Op => ("task_created", "task", "title"),
            Lane::En => ("note_added", "note", "text"),
        };
        let event = Draft {
            call_id: format!("call-{number}"),
            kind: kind.to_owned(),
            at: WallTime(start_ms + (at_us / MS_US) as i64),
            revision: None,
            contact: ContactRef {
                key: Some(format!("person-{}", number % PERSONS)),
                ..ContactRef::default()
            },
            body: [(field.to_owned(), "Call back about the offer".into())].into(),
        }
        .into_event(&self.account);
        let payload = encode(&event, ContentType::MessagePack).map_err(|_| BadWork(number))?;
        let msg_id = event.id.as_str().to_owned();
        self.by_key
            .insert(event_record_key(&event.id, effect), number);
        self.by_event.insert(msg_id.clone(), number);
        self.planned.push(Planned {
            lane,
            at_us,
            kind,
            msg_id,
            payload,
            invalid,
        });
        Ok(())
    }

    /// Per effect, whether the CRM refuses it.
    pub(super) fn invalid(&self) -> Vec<bool> {
        self.planned.iter().map(|planned| planned.invalid).collect()
    }
}
