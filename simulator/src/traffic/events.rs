//! Which events a call has, and when.
//!
//! Invariants: within a call times rise strictly, `call_started` first, `call_ended` before all enrichment; a mark is given
//! once.

use callflume_core::account::AccountId;
use callflume_core::effect::{Field, Value};
use callflume_core::event::{Body, ContactRef, Draft};
use callflume_core::lane::Lane;
use callflume_core::time::WallTime;
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use super::expect::{Expectation, mark};
use super::plan::{PlannedCall, PlannedEvent};
use super::{Concern, SCORE, content, stream};
use crate::fakes::{DealStages, deal_stages};
use crate::scenario::{Mix, Scenario};

/// Gives out marks.
#[derive(Debug)]
pub(super) struct Marks {
    seed: u64,
    next: usize,
}

impl Marks {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, next: 0 }
    }

    pub(super) fn next(&mut self) -> String {
        self.next += 1;
        mark(self.seed, self.next)
    }
}

/// An event before it has its id.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) at_ms: i64,
    pub(super) kind: &'static str,
    pub(super) lane: Lane,
    pub(super) body: Body,
    pub(super) expect: Vec<Expectation>,
}

/// The planned event; its index is set when all are in order.
pub(super) fn planned(
    told: Told,
    account: &AccountId,
    start_ms: i64,
    call_id: String,
    contact: &ContactRef,
    call_index: Option<usize>,
) -> PlannedEvent {
    let draft = Draft {
        call_id,
        kind: told.kind.to_owned(),
        at: WallTime(start_ms + told.at_ms),
        revision: None,
        contact: contact.clone(),
        body: told.body,
    };
    PlannedEvent {
        index: 0,
        at_ms: told.at_ms,
        lane: told.lane,
        call_index,
        event: draft.into_event(account),
        expect: told.expect,
    }
}

/// The events of all calls that happen within the run.
pub(super) fn of_calls(
    scenario: &Scenario,
    account: &AccountId,
    start_ms: i64,
    duration_ms: i64,
    calls: &[PlannedCall],
    marks: &mut Marks,
) -> Vec<PlannedEvent> {
    let mut teller = Teller {
        mix: &scenario.calls.mix,
        stages: deal_stages(&scenario.crm.vendor),
        compress: scenario.calls.compress,
        start_ms,
        marks,
        draw: stream(scenario.seed, Concern::Mix),
        texts: stream(scenario.seed, Concern::Texts),
    };
    let mut events = Vec::with_capacity(calls.len() * 6);
    for (call_index, call) in calls.iter().enumerate() {
        let mut told = teller.tell(call);
        told.sort_by_key(|event| event.at_ms);
        let mut last_ms = i64::MIN;
        for mut event in told {
            event.at_ms = event.at_ms.max(last_ms + 1);
            last_ms = event.at_ms;
            if (0..=duration_ms).contains(&event.at_ms) {
                let call_id = call.call_id.clone();
                events.push(planned(
                    event,
                    account,
                    start_ms,
                    call_id,
                    &call.contact,
                    Some(call_index),
                ));
            }
        }
    }
    events
}

/// Tells calls.
pub(super) struct Teller<'a> {
    pub(super) mix: &'a Mix,
    pub(super) stages: DealStages,
    compress: f64,
    /// Start of the run, epoch milliseconds.
    pub(super) start_ms: i64,
    pub(super) marks: &'a mut Marks,
    pub(super) draw: ChaCha8Rng,
    pub(super) texts: ChaCha8Rng,
}

impl Teller<'_> {
    fn tell(&mut self, call: &PlannedCall) -> Vec<Told> {
        let mut told = vec![content::started(call)];
        let transferred = !call.hang_up && self.draw.random_bool(self.mix.transfer_share);
        if !call.hang_up {
            self.during(call, transferred, &mut told);
        }
        told.push(self.ended(call, transferred));
        if !call.hang_up {
            self.afterwards(call, &mut told);
        }
        told
    }

    /// An instant within the call, at this part of its length.
    pub(super) fn within(&mut self, call: &PlannedCall, from: f64, to: f64) -> i64 {
        let length = (call.end_ms - call.start_ms) as f64;
        let at_ms = call.start_ms + (length * self.draw.random_range(from..to)) as i64;
        at_ms.clamp(call.start_ms, (call.end_ms - 1).max(call.start_ms))
    }

    /// An instant after the call, a time of `from_s` to `to_s` later (shorter when calls are compressed).
    pub(super) fn after(&mut self, call: &PlannedCall, from_s: f64, to_s: f64) -> i64 {
        let delay_ms = self.draw.random_range(from_s..to_s) * 1_000.0 / self.compress;
        call.end_ms + (delay_ms as i64).max(1)
    }

    pub(super) fn wants(&mut self, share: f64) -> bool {
        self.draw.random_bool(share)
    }

    pub(super) fn pick(&mut self, words: &[&'static str]) -> &'static str {
        words.choose(&mut self.texts).copied().unwrap_or("other")
    }

    fn during(&mut self, call: &PlannedCall, transferred: bool, told: &mut Vec<Told>) {
        if self.wants(self.mix.identified_share) {
            let at_ms = self.within(call, 0.02, 0.2);
            told.push(self.identified(at_ms));
        }
        if self.wants(self.mix.task_share) {
            let at_ms = self.within(call, 0.4, 0.98);
            told.push(self.task(at_ms));
        }
        if self.wants(self.mix.deal_share) {
            self.deal(call, told);
        }
        if self.wants(self.mix.opt_out_share) {
            told.push(Told {
                at_ms: self.within(call, 0.5, 0.98),
                kind: "opted_out",
                lane: Lane::Op,
                body: Body::new(),
                expect: vec![Expectation::PersonFields(vec![(
                    Field::OptedOut,
                    Value::Flag(true),
                )])],
            });
        }
        if transferred {
            let at_ms = self.within(call, 0.8, 0.98);
            told.push(self.transfer(at_ms));
        }
    }

    fn afterwards(&mut self, call: &PlannedCall, told: &mut Vec<Told>) {
        if self.wants(self.mix.recording_share) {
            let at_ms = self.after(call, 1.0, 5.0);
            let url = format!("https://recordings.example.com/{}.mp3", call.call_id);
            let fields = vec![(Field::RecordingUrl, Value::Text(url.clone()))];
            told.push(content::of_record(
                at_ms,
                "recording_ready",
                call,
                ("url", &url),
                fields,
            ));
        }
        if self.wants(self.mix.sentiment_share) {
            let at_ms = self.after(call, 1.0, 10.0);
            let sentiment = self.pick(&["positive", "neutral", "negative"]);
            let fields = vec![(Field::Sentiment, Value::Text(sentiment.to_owned()))];
            told.push(content::of_record(
                at_ms,
                "sentiment_tagged",
                call,
                ("sentiment", sentiment),
                fields,
            ));
        }
        if self.wants(self.mix.note_share) {
            let at_ms = self.after(call, 2.0, 10.0);
            let mark = self.marks.next();
            told.push(content::note(
                at_ms,
                &mark,
                "The caller was content with the answer.",
            ));
        }
        if self.wants(self.mix.transcript_share) {
            let at_ms = self.after(call, 3.0, 15.0);
            let mark = self.marks.next();
            let turns = self.texts.random_range(8..60);
            let text = "Caller: And what happens then?\nAssistant: Then we send a message.\n"
                .repeat(turns);
            told.push(Told {
                kind: "transcript_ready",
                ..content::note(at_ms, &mark, text.trim_end())
            });
        }
        if self.wants(self.mix.enriched_share) {
            let at_ms = self.after(call, 5.0, 20.0);
            told.push(self.enriched(at_ms, call));
        }
        if self.wants(self.mix.analytics_share) {
            let at_ms = self.after(call, 10.0, 30.0);
            let mark = self.marks.next();
            let (body, fields) = self.property(SCORE, &mark, &["low", "medium", "high"]);
            told.push(Told {
                at_ms,
                kind: "analytics_rolled_up",
                lane: Lane::En,
                body,
                expect: vec![Expectation::PersonFields(fields)],
            });
        }
    }
}
