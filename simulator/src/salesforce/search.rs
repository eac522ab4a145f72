//! `parameterizedSearch` over contacts: an index that lags behind the records.
//!
//! What a search finds is every contact as it was `lag_ms` ago; what it shows of those still there is how they are now. How
//! the vendor takes texts apart isn't documented; chosen: phones by their digits, everything else by parts of words.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Salesforce;
use super::ids::RecordId;
use super::query::shown;
use super::records::{ObjectKind, Record};
use super::replies::{Answer, Failure};
use super::route::Call;
use super::writes::Hand;

/// The most records that a search shows.
const FOUND_MAX: usize = 2_000;

/// A contact as the index knows it, lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    name: String,
    email: String,
    /// Digits of each number.
    phones: Vec<String>,
}

/// The index: every state of every contact since the lag last passed over it.
#[derive(Debug)]
pub(super) struct SearchIndex {
    lag_ms: i64,
    /// States with the instants they began; none for a deleted contact.
    states: BTreeMap<RecordId, Vec<(i64, Option<Entry>)>>,
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

impl SearchIndex {
    pub(super) const fn new(lag_ms: i64) -> Self {
        Self {
            lag_ms,
            states: BTreeMap::new(),
        }
    }

    pub(super) const fn set_lag_ms(&mut self, lag_ms: i64) {
        self.lag_ms = lag_ms;
    }

    /// Takes in a record as it is from now on.
    pub(super) fn note(&mut self, now_ms: i64, record: &Record) {
        if record.object != ObjectKind::Contact {
            return;
        }
        let entry = (!record.deleted).then(|| Entry {
            name: record
                .value("Name")
                .as_str()
                .unwrap_or_default()
                .to_lowercase(),
            email: record.text("Email").unwrap_or_default().to_lowercase(),
            phones: ["Phone", "MobilePhone", "HomePhone", "OtherPhone"]
                .into_iter()
                .filter_map(|name| record.text(name).map(digits))
                .collect(),
        });
        self.push(now_ms, &record.id, entry);
    }

    /// Takes out a record that was never there.
    pub(super) fn forget(&mut self, now_ms: i64, id: &str) {
        if self.states.contains_key(id) {
            self.push(now_ms, id, None);
        }
    }

    fn push(&mut self, now_ms: i64, id: &str, entry: Option<Entry>) {
        let seen_ms = now_ms.saturating_sub(self.lag_ms);
        let states = self.states.entry(id.to_owned()).or_default();
        // Only the last state that the index shows already is of use.
        let of_use = states.iter().rposition(|(from, _)| *from <= seen_ms);
        states.drain(..of_use.unwrap_or(0));
        states.push((now_ms, entry));
    }

    fn found(&self, now_ms: i64, place: &str, term: &str) -> impl Iterator<Item = &RecordId> {
        let seen_ms = now_ms.saturating_sub(self.lag_ms);
        let (term, number) = (term.to_lowercase(), digits(term));
        let place = place.to_ascii_uppercase();
        self.states
            .iter()
            .filter(move |(_, states)| {
                let state = states.iter().rev().find(|(from, _)| *from <= seen_ms);
                let Some((_, Some(entry))) = state else {
                    return false;
                };
                let within = |field: &str| place == "ALL" || place == field;
                let phone = |held: &String| number.len() > 1 && held.contains(&number);
                within("NAME") && entry.name.contains(&term)
                    || within("EMAIL") && entry.email.contains(&term)
                    || within("PHONE") && entry.phones.iter().any(phone)
            })
            .map(|(id, _)| id)
    }
}

impl Salesforce {
    /// `GET /parameterizedSearch?q=…&sobject=Contact&Contact.fields=Id,Phone&Contact.limit=…&in=PHONE`.
    pub(super) fn search(&self, hand: &Hand, call: &Call<'_>) -> Result<Answer, Failure> {
        let invalid = |said: &str| Failure::request(400, "INVALID_SEARCH", said);
        let term = call.parameter("q").unwrap_or_default().trim();
        if term.chars().count() < 2 {
            return Err(invalid("search term must be longer than one character"));
        }
        let place = call.parameter("in").unwrap_or("ALL");
        if !["ALL", "NAME", "EMAIL", "PHONE", "SIDEBAR"]
            .iter()
            .any(|known| known.eq_ignore_ascii_case(place))
        {
            return Err(invalid(
                "in must be one of ALL, NAME, EMAIL, PHONE, SIDEBAR",
            ));
        }
        if call.parameter("sobject") != Some("Contact") {
            return Err(invalid(
                "sobject must be Contact: nothing else is searched here",
            ));
        }
        let mut fields = Vec::new();
        for name in call.parameter("Contact.fields").unwrap_or("Id").split(',') {
            let field = self.schema.field(ObjectKind::Contact, name.trim());
            let field = field.ok_or_else(|| {
                let said = format!("No such column '{name}' on entity 'Contact'.");
                Failure::request(400, "INVALID_FIELD", said)
            })?;
            fields.push(field.name.clone());
        }
        let limit = match call.parameter("Contact.limit") {
            None => FOUND_MAX,
            Some(text) => text
                .parse()
                .ok()
                .filter(|limit| (1..=FOUND_MAX).contains(limit))
                .ok_or_else(|| invalid("Contact.limit must be between 1 and 2000"))?,
        };
        let records: Vec<Value> = self
            .index
            .found(hand.now_ms, place, term)
            .filter_map(|id| self.store.living(ObjectKind::Contact, id))
            .take(limit)
            .map(|record| shown(hand.version, record, &fields))
            .collect();
        Ok(Answer::json(200, json!({"searchRecords": records})))
    }
}
