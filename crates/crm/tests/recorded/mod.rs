//! Answers of CRMs as `fixtures.json` of each holds them, with the rows that say what they mean.
#![allow(dead_code, reason = "the tests of each CRM use some of it")]

use std::collections::BTreeMap;

use callflume_core::vendor::{Answer, Verb};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Every verb, by the name that the fixtures use.
pub(crate) const VERBS: [(&str, Verb); 9] = [
    ("read_by_key", Verb::ReadByKey),
    ("read_by_email", Verb::ReadByEmail),
    ("search_by_phone", Verb::SearchByPhone),
    ("upsert_by_key", Verb::UpsertByKey),
    ("update_by_id", Verb::UpdateById),
    ("update_by_key", Verb::UpdateByKey),
    ("create", Verb::Create),
    ("list", Verb::List),
    ("probe", Verb::Probe),
];

pub(crate) fn verb(name: &str) -> Verb {
    VERBS
        .iter()
        .find(|(known, _)| *known == name)
        .map_or_else(|| panic!("no verb {name}"), |(_, verb)| *verb)
}

#[derive(Deserialize)]
struct File<Case> {
    fixtures: Vec<Fixture<Case>>,
}

/// An answer with its rows.
#[derive(Deserialize)]
pub(crate) struct Fixture<Case> {
    pub(crate) name: String,
    pub(crate) status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: Value,
    body_text: Option<String>,
    #[serde(default)]
    pub(crate) token_expired: bool,
    pub(crate) cases: Vec<Case>,
}

/// What a CRM's file holds.
pub(crate) fn fixtures<Case: DeserializeOwned>(text: &str) -> Vec<Fixture<Case>> {
    serde_json::from_str::<File<Case>>(text).unwrap().fixtures
}

pub(crate) fn answer<Case>(fixture: &Fixture<Case>) -> Answer {
    let body = fixture
        .body_text
        .clone()
        .unwrap_or_else(|| fixture.body.to_string());
    Answer::Response {
        status: fixture.status,
        headers: fixture.headers.clone().into_iter().collect(),
        body: body.into_bytes(),
    }
}
