//! The events of each call, and what each must leave in the CRM.
//!
//! Invariants: within a call times rise strictly, `call_started` first, `call_ended` before all enrichment; every value
//! that is written carries a mark of its own (or stands alone on its record), so that the oracle can tell whose it is.

use callflume_core::account::AccountId;
use callflume_core::effect::{Field, Object, Value};
use callflume_core::event::{Body, ContactRef, Draft};
use callflume_core::lane::Lane;
use callflume_core::time::WallTime;
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use super::expect::{Expectation, mark};
use super::plan::{Direction, PlannedCall, PlannedEvent};
use super::{Concern, OUTCOME, SCORE, SEGMENT, TOPIC, stream};
use crate::scenario::{Mix, Scenario};

/// Our own number: one that Ofcom sets aside for drama, none of the callers'.
const OWN_NUMBER: &str = "+442079460000";

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
struct Teller<'a> {
    mix: &'a Mix,
    compress: f64,
    start_ms: i64,
    marks: &'a mut Marks,
    draw: ChaCha8Rng,
    texts: ChaCha8Rng,
}

impl Teller<'_> {
    fn tell(&mut self, call: &PlannedCall) -> Vec<Told> {
        let mut told = vec![started(call)];
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
    fn within(&mut self, call: &PlannedCall, from: f64, to: f64) -> i64 {
        let length = (call.end_ms - call.start_ms) as f64;
        let at_ms = call.start_ms + (length * self.draw.random_range(from..to)) as i64;
        at_ms.clamp(call.start_ms, (call.end_ms - 1).max(call.start_ms))
    }

    /// An instant after the call, a time of `from_s` to `to_s` later (shorter when calls are compressed).
    fn after(&mut self, call: &PlannedCall, from_s: f64, to_s: f64) -> i64 {
        let delay_ms = self.draw.random_range(from_s..to_s) * 1_000.0 / self.compress;
        call.end_ms + (delay_ms as i64).max(1)
    }

    fn wants(&mut self, share: f64) -> bool {
        self.draw.random_bool(share)
    }

    fn pick(&mut self, words: &[&'static str]) -> &'static str {
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

    fn identified(&mut self, at_ms: i64) -> Told {
        let mark = self.marks.next();
        let (body, fields) = if self.draw.random_bool(0.6) {
            let first = format!("{} {mark}", self.pick(&["Asta", "Boris", "Cleo", "Derya"]));
            let last = format!("{} {mark}", self.pick(&["Amara", "Bloch", "Cerny", "Dahl"]));
            (
                Body::from([
                    ("first_name".to_owned(), json!(first)),
                    ("last_name".to_owned(), json!(last)),
                ]),
                vec![
                    (Field::FirstName, Value::Text(first)),
                    (Field::LastName, Value::Text(last)),
                ],
            )
        } else {
            self.property(
                TOPIC,
                &mark,
                &["billing", "delivery", "returns", "opening hours"],
            )
        };
        Told {
            at_ms,
            kind: "caller_identified",
            lane: Lane::Op,
            body,
            expect: vec![Expectation::PersonFields(fields)],
        }
    }

    /// One of the customer's own properties, as the body of an event and as what is expected.
    fn property(
        &mut self,
        name: &str,
        mark: &str,
        words: &[&'static str],
    ) -> (Body, Vec<(Field, Value)>) {
        let value = format!("{} {mark}", self.pick(words));
        (
            Body::from([("properties".to_owned(), json!({ name: value }))]),
            vec![(Field::Custom(name.to_owned()), Value::Text(value))],
        )
    }

    fn task(&mut self, at_ms: i64) -> Told {
        let mark = self.marks.next();
        let title = format!(
            "{} ({mark})",
            self.pick(&["Call back", "Send the offer", "Check the order"])
        );
        let text = "Promised in the call.";
        let priority = self.pick(&["high", "medium", "low"]);
        let due_at = self.start_ms + at_ms + 3_600_000;
        Told {
            at_ms,
            kind: "task_created",
            lane: Lane::Op,
            body: Body::from([
                ("title".to_owned(), json!(title)),
                ("text".to_owned(), json!(text)),
                ("priority".to_owned(), json!(priority)),
                ("due_at".to_owned(), json!(due_at)),
            ]),
            expect: vec![Expectation::Record {
                object: Object::Task,
                mark,
                fields: vec![
                    (Field::Title, Value::Text(title)),
                    (Field::Text, Value::Text(text.to_owned())),
                    (Field::Priority, Value::Text(priority.to_owned())),
                    (Field::At, Value::At(WallTime(due_at))),
                ],
            }],
        }
    }

    fn transfer(&mut self, at_ms: i64) -> Told {
        let mark = self.marks.next();
        let title = format!("Take the call ({mark})");
        let reason = "The caller asked for a person.";
        Told {
            at_ms,
            kind: "call_transferred",
            lane: Lane::Op,
            body: Body::from([
                ("to".to_owned(), json!("service desk")),
                ("reason".to_owned(), json!(reason)),
                ("task_title".to_owned(), json!(title)),
            ]),
            expect: vec![Expectation::Record {
                object: Object::Task,
                mark,
                fields: vec![
                    (Field::Title, Value::Text(title)),
                    (Field::Text, Value::Text(reason.to_owned())),
                    (Field::Priority, Value::Text("high".to_owned())),
                ],
            }],
        }
    }

    /// A deal of this call; a third of them move on within the call.
    fn deal(&mut self, call: &PlannedCall, told: &mut Vec<Told>) {
        let mark = self.marks.next();
        let title = format!("Offer ({mark})");
        let amount = format!("{}.00", self.texts.random_range(50..5_000));
        let mut stages = vec![("appointmentscheduled", self.within(call, 0.3, 0.6))];
        if self.draw.random_bool(1.0 / 3.0) {
            stages.push(("qualifiedtobuy", self.within(call, 0.65, 0.98)));
        }
        for (stage, at_ms) in stages {
            told.push(Told {
                at_ms,
                kind: "deal_stage_changed",
                lane: Lane::Op,
                body: Body::from([
                    ("deal_key".to_owned(), json!(mark)),
                    ("title".to_owned(), json!(title)),
                    ("pipeline".to_owned(), json!("default")),
                    ("stage".to_owned(), json!(stage)),
                    ("amount".to_owned(), json!(amount)),
                ]),
                expect: vec![Expectation::Record {
                    object: Object::Deal,
                    mark: mark.clone(),
                    fields: vec![
                        (Field::Title, Value::Text(title.clone())),
                        (Field::Stage, Value::Text(stage.to_owned())),
                        (Field::Amount, Value::Text(amount.clone())),
                    ],
                }],
            });
        }
    }

    fn ended(&mut self, call: &PlannedCall, transferred: bool) -> Told {
        let disposition = if call.hang_up {
            "abandoned"
        } else if transferred {
            "transferred"
        } else if call.direction == Direction::Outbound && self.draw.random_bool(0.2) {
            "voicemail"
        } else {
            "connected"
        };
        let person = call.contact.phone.clone().unwrap_or_default();
        let (from, to) = match call.direction {
            Direction::Inbound => (person, OWN_NUMBER.to_owned()),
            Direction::Outbound => (OWN_NUMBER.to_owned(), person),
        };
        let summary = format!("Handled by the assistant ({}).", call.call_id);
        let duration_ms = (call.end_ms - call.start_ms) as u64;
        let started_at = self.start_ms + call.start_ms;
        let direction = call.direction.as_str();
        let mut body = Body::from([
            ("disposition".to_owned(), json!(disposition)),
            ("direction".to_owned(), json!(direction)),
            ("duration_ms".to_owned(), json!(duration_ms)),
            ("started_at".to_owned(), json!(started_at)),
            ("from".to_owned(), json!(from)),
            ("to".to_owned(), json!(to)),
            ("summary".to_owned(), json!(summary)),
        ]);
        let mut expect = vec![Expectation::Record {
            object: Object::Call,
            mark: call.call_id.clone(),
            fields: vec![
                (Field::CallId, Value::Text(call.call_id.clone())),
                (Field::Disposition, Value::Text(disposition.to_owned())),
                (Field::Direction, Value::Text(direction.to_owned())),
                (Field::Duration, Value::DurationMs(duration_ms)),
                (Field::At, Value::At(WallTime(started_at))),
                (Field::From, Value::Text(from)),
                (Field::To, Value::Text(to)),
                (Field::Text, Value::Text(summary)),
            ],
        }];
        if !call.hang_up && self.wants(self.mix.outcome_property_share) {
            let mark = self.marks.next();
            let (property, fields) = self.property(OUTCOME, &mark, &["resolved", "open", "booked"]);
            body.extend(property);
            expect.push(Expectation::PersonFields(fields));
        }
        Told {
            at_ms: call.end_ms,
            kind: "call_ended",
            lane: Lane::Op,
            body,
            expect,
        }
    }

    fn afterwards(&mut self, call: &PlannedCall, told: &mut Vec<Told>) {
        if self.wants(self.mix.recording_share) {
            let at_ms = self.after(call, 1.0, 5.0);
            let url = format!("https://recordings.example.com/{}.mp3", call.call_id);
            let fields = vec![(Field::RecordingUrl, Value::Text(url.clone()))];
            told.push(of_record(
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
            told.push(of_record(
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
            told.push(note(
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
                ..note(at_ms, &mark, text.trim_end())
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

    fn enriched(&mut self, at_ms: i64, call: &PlannedCall) -> Told {
        let mark = self.marks.next();
        let (mut body, mut fields) = if self.draw.random_bool(0.4) {
            self.property(TOPIC, &mark, &["billing", "delivery", "returns"])
        } else {
            self.property(
                SEGMENT,
                &mark,
                &["private", "small business", "key account"],
            )
        };
        if !call.known && self.draw.random_bool(0.3) {
            // Written as people write it; a CRM keeps it in lower case.
            let email = format!("Person.{mark}@Example.net");
            body.insert("email".to_owned(), json!(email));
            fields.push((Field::Email, Value::Text(email)));
        }
        Told {
            at_ms,
            kind: "contact_enriched",
            lane: Lane::En,
            body,
            expect: vec![Expectation::PersonFields(fields)],
        }
    }
}

fn started(call: &PlannedCall) -> Told {
    Told {
        at_ms: call.start_ms,
        kind: "call_started",
        lane: Lane::Op,
        body: Body::from([("direction".to_owned(), json!(call.direction.as_str()))]),
        expect: vec![Expectation::Person],
    }
}

/// An event that completes the record of its call.
fn of_record(
    at_ms: i64,
    kind: &'static str,
    call: &PlannedCall,
    (name, value): (&str, &str),
    fields: Vec<(Field, Value)>,
) -> Told {
    Told {
        at_ms,
        kind,
        lane: Lane::En,
        body: Body::from([(name.to_owned(), json!(value))]),
        expect: vec![Expectation::RecordFields {
            object: Object::Call,
            mark: call.call_id.clone(),
            fields,
        }],
    }
}

/// A note with a mark.
pub(super) fn note(at_ms: i64, mark: &str, text: &str) -> Told {
    let text = format!("{mark}: {text}");
    Told {
        at_ms,
        kind: "note_added",
        lane: Lane::En,
        body: Body::from([("text".to_owned(), json!(text))]),
        expect: vec![Expectation::Record {
            object: Object::Note,
            mark: mark.to_owned(),
            fields: vec![(Field::Text, Value::Text(text))],
        }],
    }
}
