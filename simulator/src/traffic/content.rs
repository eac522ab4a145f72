//! The content of each kind of event, and what each must leave in the CRM.
//!
//! Invariant: every value that is written carries a mark of its own, or stands alone on its record.

use callflume_core::effect::{Field, Object, Value};
use callflume_core::event::Body;
use callflume_core::lane::Lane;
use callflume_core::time::WallTime;
use rand::Rng;
use serde_json::json;

use super::events::{Teller, Told};
use super::expect::Expectation;
use super::plan::{Direction, PlannedCall};
use super::{OUTCOME, SEGMENT, TOPIC};

/// Our own number: one that Ofcom sets aside for drama, none of the callers'.
const OWN_NUMBER: &str = "+442079460000";

impl Teller<'_> {
    pub(super) fn identified(&mut self, at_ms: i64) -> Told {
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
    pub(super) fn property(
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

    pub(super) fn task(&mut self, at_ms: i64) -> Told {
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

    pub(super) fn transfer(&mut self, at_ms: i64) -> Told {
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
    pub(super) fn deal(&mut self, call: &PlannedCall, told: &mut Vec<Told>) {
        let mark = self.marks.next();
        let title = format!("Offer ({mark})");
        let amount = format!("{}.00", self.texts.random_range(50..5_000));
        let mut stages = vec![(self.stages.first, self.within(call, 0.3, 0.6))];
        if self.draw.random_bool(1.0 / 3.0) {
            stages.push((self.stages.second, self.within(call, 0.65, 0.98)));
        }
        for (stage, at_ms) in stages {
            told.push(Told {
                at_ms,
                kind: "deal_stage_changed",
                lane: Lane::Op,
                body: Body::from([
                    ("deal_key".to_owned(), json!(mark)),
                    ("title".to_owned(), json!(title)),
                    ("pipeline".to_owned(), json!(self.stages.pipeline)),
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

    pub(super) fn ended(&mut self, call: &PlannedCall, transferred: bool) -> Told {
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

    pub(super) fn enriched(&mut self, at_ms: i64, call: &PlannedCall) -> Told {
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

pub(super) fn started(call: &PlannedCall) -> Told {
    Told {
        at_ms: call.start_ms,
        kind: "call_started",
        lane: Lane::Op,
        body: Body::from([("direction".to_owned(), json!(call.direction.as_str()))]),
        expect: vec![Expectation::Person],
    }
}

/// An event that completes the record of its call.
pub(super) fn of_record(
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
