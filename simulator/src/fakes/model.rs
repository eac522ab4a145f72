//! What every fake is to whoever stands in front of it: requests go in, replies come out, sums can be read.
//!
//! Decides nothing about a CRM: what stands here hands on to the fake's own, so that one front serves them all.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::{Reply, Request};
use crate::close::{self, Close};
use crate::hubspot::{self, HubSpot};
use crate::pipedrive::{self, Pipedrive};
use crate::salesforce::{self, Salesforce};
use crate::scenario::FaultSpec;

/// A fake that can be put behind HTTP.
pub trait HttpModel: Send + 'static {
    /// Answers a request that arrives at `now_ms`, epoch milliseconds.
    fn reply(&mut self, now_ms: i64, request: &Request) -> Reply;

    /// Draws how long the CRM takes over a request, milliseconds.
    fn service_ms(&mut self) -> u64;

    /// How many requests have come.
    fn requests_seen(&self) -> u64;

    /// What has come and what became of it.
    fn tally(&self) -> Tally;

    /// Scripts a fault, its times counted from `start_ms`, epoch milliseconds. It must be one that the fake can have
    /// ([`super::can_fail`]).
    fn script(&mut self, fault: &FaultSpec, start_ms: i64);
}

impl<T: HttpModel + ?Sized> HttpModel for Box<T> {
    fn reply(&mut self, now_ms: i64, request: &Request) -> Reply {
        (**self).reply(now_ms, request)
    }

    fn service_ms(&mut self) -> u64 {
        (**self).service_ms()
    }

    fn requests_seen(&self) -> u64 {
        (**self).requests_seen()
    }

    fn tally(&self) -> Tally {
        (**self).tally()
    }

    fn script(&mut self, fault: &FaultSpec, start_ms: i64) {
        (**self).script(fault, start_ms);
    }
}

/// How long a CRM takes over a request: uniform around a mean.
#[derive(Debug)]
pub(crate) struct ServiceTime {
    span_ms: RangeInclusive<u64>,
    draw: ChaCha8Rng,
}

impl ServiceTime {
    pub(crate) fn new(mean_ms: u64, jitter_ms: u64, seed: u64) -> Self {
        Self {
            span_ms: mean_ms.saturating_sub(jitter_ms)..=mean_ms.saturating_add(jitter_ms),
            draw: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// The next one, milliseconds.
    pub(crate) fn draw_ms(&mut self) -> u64 {
        self.draw.random_range(self.span_ms.clone())
    }
}

/// What has come to a fake's door and what became of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Requests in all.
    pub requests: u64,
    /// Those that met a full limit.
    pub throttled: u64,
    /// Those whose credential was refused.
    pub unauthorized: u64,
    /// Those that a scripted fault hit.
    pub faulted: u64,
    /// Replies by status, also those that were never delivered.
    pub statuses: BTreeMap<u16, u64>,
    /// Records that requests wrote, by the CRM's name of the kind.
    pub records: BTreeMap<String, Written>,
}

/// Writes to the records of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Written {
    /// Records made.
    pub made: u64,
    /// Changes of records, links and removals among them.
    pub changed: u64,
}

impl Tally {
    /// Counts a write that a request did; what was done from outside has no request.
    fn wrote(&mut self, kind: &str, request_no: u64, made: bool) {
        if request_no == 0 {
            return;
        }
        let written = self.records.entry(kind.to_owned()).or_default();
        if made {
            written.made += 1;
        } else {
            written.changed += 1;
        }
    }
}

/// The four fakes count the same things under the same names; what their writes are called is their own.
macro_rules! modelled {
    ($fake:ty, $fault:path, $write:ident => ($kind:expr, $made:expr)) => {
        impl HttpModel for $fake {
            fn reply(&mut self, now_ms: i64, request: &Request) -> Reply {
                self.handle(now_ms, request)
            }

            fn service_ms(&mut self) -> u64 {
                self.service_time_ms()
            }

            fn requests_seen(&self) -> u64 {
                self.counters().requests
            }

            fn script(&mut self, fault: &FaultSpec, start_ms: i64) {
                self.add_fault($fault(fault, start_ms));
            }

            fn tally(&self) -> Tally {
                let counters = self.counters();
                let faulted = self.requests().iter().filter(|it| it.faulted).count();
                let mut tally = Tally {
                    requests: counters.requests,
                    throttled: counters.over_limit,
                    unauthorized: counters.unauthorized,
                    faulted: faulted as u64,
                    statuses: counters.statuses.clone(),
                    records: BTreeMap::new(),
                };
                for $write in self.writes() {
                    tally.wrote($kind, $write.request_no, $made);
                }
                tally
            }
        }
    };
}

modelled!(HubSpot, hubspot::prepared::fault,
    write => (write.object.as_str(), write.kind == hubspot::WriteKind::Create));
modelled!(Close, close::prepared::fault,
    write => (write.object.event_name(), write.kind == close::WriteKind::Create));
modelled!(Pipedrive, pipedrive::prepared::fault,
    write => (pipedrive_kind(write.kind), write.what == pipedrive::WriteKind::Create));
modelled!(Salesforce, salesforce::prepared::fault,
    write => (write.object.name(), write.kind == salesforce::WriteKind::Create));

fn pipedrive_kind(kind: pipedrive::Kind) -> &'static str {
    match kind {
        pipedrive::Kind::Person => "person",
        pipedrive::Kind::Activity => "activity",
        pipedrive::Kind::Deal => "deal",
        pipedrive::Kind::Note => "note",
        pipedrive::Kind::CallLog => "call log",
    }
}
