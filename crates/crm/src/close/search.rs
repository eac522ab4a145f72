//! Look-ups of people: bodies of `POST /data/search/`.
//!
//! Several people share a search; who was found for whom is told by comparing exactly afterwards, for word modes return
//! near matches. Close keeps a number that it understands in E.164, and one that it doesn't as it was typed, so a number
//! is asked for in the spellings that either would match: one of another country that Close didn't understand is found only if
//! it stands there in one word.

use callflume_core::event::Phone;
use callflume_core::vendor::{Item, Operation, Verb};
use serde_json::{Value, json};

use super::build::is_look_up;
use super::fields::{KEY_FIELD, custom};
use crate::settings::Settings;
use crate::values::address;

/// Most contacts on a page of a search: more than are asked for, for one number may have several.
pub(crate) const SEARCH_RESULTS: usize = 100;
/// In a contact's fields, everything that tells who it is, but for our key.
pub(crate) const CONTACT_FIELDS: [&str; 5] = ["id", "lead_id", "name", "emails", "phones"];

/// The search for these items. `operation` is a look-up, or a probe for our key.
pub(crate) fn body(settings: &Settings, operation: &Operation, items: &[&Item]) -> Value {
    let conditions: Vec<Value> = items
        .iter()
        .flat_map(|item| match operation.verb {
            Verb::ReadByEmail => address(item)
                .map(|address| related("contact_email", "email", "exact_value", &address))
                .into_iter()
                .collect(),
            Verb::SearchByPhone => item.phone.as_ref().map(by_phone).unwrap_or_default(),
            _ => by_key(settings, &item.key).into_iter().collect(),
        })
        .collect();
    let mut fields: Vec<String> = CONTACT_FIELDS.map(ToOwned::to_owned).to_vec();
    fields.extend(custom(settings, KEY_FIELD));
    let mut body = json!({
        "query": {"type": "and", "queries": [
            {"type": "object_type", "object_type": "contact"},
            {"type": "or", "queries": conditions},
        ]},
        "_fields": {"contact": fields},
        "_limit": SEARCH_RESULTS,
    });
    // The mark of a probe is no cursor.
    if let (true, Some(cursor)) = (is_look_up(operation.verb), &operation.after) {
        body["cursor"] = cursor.as_str().into();
    }
    body
}

fn by_key(settings: &Settings, key: &str) -> Option<Value> {
    let name = custom(settings, KEY_FIELD)?;
    let id = name.strip_prefix("custom.")?;
    Some(json!({
        "type": "field_condition",
        "field": {"type": "custom_field", "custom_field_id": id},
        "condition": {"type": "text", "mode": "exact_value", "value": key},
    }))
}

fn by_phone(phone: &Phone) -> Vec<Value> {
    let e164 = phone.as_str();
    let mut conditions = vec![related("contact_phone", "phone", "exact_value", e164)];
    for spelling in spellings(phone) {
        conditions.push(related("contact_phone", "phone", "full_words", &spelling));
    }
    conditions
}

/// How a number may stand in words that Close didn't understand as one: its digits in one, without `+`, and in North
/// America the national number in one word and in its three customary ones.
fn spellings(phone: &Phone) -> Vec<String> {
    let digits = phone.as_str().trim_start_matches('+');
    let mut spellings = vec![digits.to_owned()];
    if let Some(national) = digits.strip_prefix('1').filter(|rest| rest.len() == 10) {
        let words = [national.get(..3), national.get(3..6), national.get(6..)];
        spellings.push(national.to_owned());
        spellings.push(words.map(Option::unwrap_or_default).join(" "));
    }
    spellings
}

fn related(object: &str, field: &str, mode: &str, value: &str) -> Value {
    json!({
        "type": "has_related",
        "this_object_type": "contact",
        "related_object_type": object,
        "related_query": {
            "type": "field_condition",
            "field": {"type": "regular_field", "object_type": object, "field_name": field},
            "condition": {"type": "text", "mode": mode, "value": value},
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_asked_for_as_it_may_be_written() {
        for (e164, expect) in [
            (
                "+12025550143",
                &["12025550143", "2025550143", "202 555 0143"][..],
            ),
            ("+447700900123", &["447700900123"]),
        ] {
            assert_eq!(spellings(&Phone::parse(e164).unwrap()), expect);
        }
    }
}
