//! The search for persons: an index that lags behind the records.
//!
//! What a search sees is every person as it was `lag_ms` ago. How the vendor compares is documented for case and for exact
//! matches only; everything else compares parts.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::config::PhoneSearch;
use super::reads::{cursor, limit, parameter, place};
use super::records::{Record, RecordId};
use super::replies::{Refusal, success};
use crate::fakes::{Reply, Request};

/// A person as the index knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    name: String,
    phones: Vec<String>,
    emails: Vec<String>,
    custom: Vec<String>,
}

/// The index: every state of every person since the lag last passed over it.
#[derive(Debug)]
pub(super) struct SearchIndex {
    lag_ms: i64,
    phones: PhoneSearch,
    /// States with the instants they began; none for a deleted person.
    states: BTreeMap<RecordId, Vec<(i64, Option<Entry>)>>,
}

impl SearchIndex {
    pub(super) const fn new(lag_ms: i64, phones: PhoneSearch) -> Self {
        Self {
            lag_ms,
            phones,
            states: BTreeMap::new(),
        }
    }

    pub(super) const fn set_lag_ms(&mut self, lag_ms: i64) {
        self.lag_ms = lag_ms;
    }

    /// Takes in a person as it is from now on.
    pub(super) fn note(&mut self, now_ms: i64, id: RecordId, record: Option<&Record>) {
        let strings = |values: Vec<&str>| values.into_iter().map(str::to_owned).collect();
        let entry = record.map(|record| Entry {
            name: record.field("name").as_str().unwrap_or_default().to_owned(),
            phones: strings(record.entries("phones")),
            emails: strings(record.entries("emails")),
            custom: record
                .custom
                .values()
                .filter_map(|value| value.as_str().map(str::to_owned))
                .collect(),
        });
        let seen_ms = now_ms.saturating_sub(self.lag_ms);
        let states = self.states.entry(id).or_default();
        // Only the last state that the index shows already is of use.
        let shown = states.iter().rposition(|(from, _)| *from <= seen_ms);
        states.drain(..shown.unwrap_or(0));
        states.push((now_ms, entry));
    }

    pub(super) fn search(&self, now_ms: i64, request: &Request) -> Result<Reply, Refusal> {
        let exact = match parameter(request, "exact_match") {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(Refusal::invalid("exact_match")),
        };
        let term = parameter(request, "term")
            .unwrap_or_default()
            .to_lowercase();
        if term.chars().count() < if exact { 1 } else { 2 } {
            return Err(Refusal::invalid("term"));
        }
        let all = ["name", "phone", "email", "custom_fields", "notes"];
        let fields: Vec<&str> = parameter(request, "fields")
            .map_or_else(|| all.to_vec(), |fields| fields.split(',').collect());
        if fields.iter().any(|field| !all.contains(field)) {
            return Err(Refusal::invalid("fields"));
        }
        let limit = limit(request)?;
        let after = place(request)?.map_or(0, |(_, id)| id);
        let seen_ms = now_ms.saturating_sub(self.lag_ms);
        let mut found = self
            .states
            .range(after.saturating_add(1)..)
            .filter_map(|(id, states)| {
                let (_, entry) = states.iter().rev().find(|(from, _)| *from <= seen_ms)?;
                Some((*id, entry.as_ref()?))
            })
            .filter(|(_, entry)| {
                fields
                    .iter()
                    .any(|field| self.hits(entry, field, &term, exact))
            });
        let page: Vec<(RecordId, &Entry)> = found.by_ref().take(limit).collect();
        let next = page
            .last()
            .filter(|_| found.next().is_some())
            .map(|(id, _)| cursor(0, *id));
        let items: Vec<Value> = page
            .iter()
            .map(|(id, entry)| {
                json!({"result_score": 0.5, "item": {"id": id, "type": "person", "name": entry.name,
                    "phones": entry.phones, "emails": entry.emails, "custom_fields": entry.custom, "notes": []}})
            })
            .collect();
        Ok(success(
            200,
            &json!({"items": items}),
            Some(json!({"next_cursor": next})),
        ))
    }

    fn hits(&self, entry: &Entry, field: &str, term: &str, exact: bool) -> bool {
        let values: Vec<&str> = match field {
            "name" => vec![entry.name.as_str()],
            "phone" => entry.phones.iter().map(String::as_str).collect(),
            "email" => entry.emails.iter().map(String::as_str).collect(),
            "custom_fields" => entry.custom.iter().map(String::as_str).collect(),
            _ => Vec::new(),
        };
        let digits = |text: &str| -> String { text.chars().filter(char::is_ascii_digit).collect() };
        values.into_iter().any(|value| {
            let (value, term) = if field == "phone" && self.phones == PhoneSearch::Digits {
                (digits(value), digits(term))
            } else {
                (value.to_lowercase(), term.to_owned())
            };
            if exact {
                value == term
            } else {
                !term.is_empty() && value.contains(&term)
            }
        })
    }
}
