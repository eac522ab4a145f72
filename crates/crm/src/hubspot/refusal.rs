//! HubSpot's error envelope: which kind of refusal, and a reason that repeats no value.
//!
//! Every field of the envelope is optional and messages quote what was sent, personal data included. So only tokens
//! that look like HubSpot's own words leave this module: categories and codes in upper case, property names in lower
//! case. A record's id is taken from a message, never the text around it.

use std::collections::BTreeSet;

use crate::refusal::bare_reason;
use callflume_core::codes;
use callflume_core::vendor::ItemOutcome;
use serde_json::{Map, Value};

/// An error of HubSpot's, of a whole request or of one item of a batch.
#[derive(Clone, Copy)]
pub(crate) struct Refusal<'a>(&'a Map<String, Value>);

/// What kind of error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A property or a uniqueness that `account prepare` makes isn't there.
    Unprepared,
    /// The credential lacks a scope.
    Scope,
    /// Not executed for want of quota.
    Throttled,
    /// A record with this key or address is there already.
    Conflict,
    /// The record isn't there.
    NotFound,
    /// HubSpot failed inside, or didn't say what went wrong.
    Internal,
    /// The data is refused.
    Invalid,
}

impl<'a> Refusal<'a> {
    /// An entry of a batch's `errors`.
    pub(crate) fn of_item(value: &'a Value) -> Option<Self> {
        value.as_object().map(Self)
    }

    /// The body of a refused request; none if it isn't HubSpot's (a page of something in between).
    pub(crate) fn of_body(value: &'a Value) -> Option<Self> {
        let object = value.as_object()?;
        let hubspots = object.contains_key("category")
            || object.contains_key("correlationId")
            || object.get("status").and_then(Value::as_str) == Some("error");
        hubspots.then_some(Self(object))
    }

    /// Its category, empty if it has none.
    pub(crate) fn category(self) -> &'a str {
        self.0
            .get("category")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    fn message(self) -> &'a str {
        self.0
            .get("message")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// The message up to the list it may carry: in the list HubSpot quotes what was sent, which must decide nothing.
    fn headline(self) -> &'a str {
        self.message().split('[').next().unwrap_or_default()
    }

    /// The entries of a context value of this name, as text.
    pub(crate) fn context(self, name: &str) -> Vec<String> {
        self.0
            .get("context")
            .and_then(|context| context.get(name))
            .map(texts)
            .unwrap_or_default()
    }

    fn details(self) -> impl Iterator<Item = &'a Map<String, Value>> {
        self.0
            .get("errors")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_object)
    }

    /// Every text in which HubSpot may name a record that is there already.
    fn passages(self) -> Vec<String> {
        let mut passages = vec![self.message().to_owned()];
        for object in std::iter::once(self.0).chain(self.details()) {
            if let Some(message) = object.get("message").and_then(Value::as_str) {
                passages.push(message.to_owned());
            }
            if let Some(context) = object.get("context").and_then(Value::as_object) {
                passages.extend(context.values().flat_map(texts));
            }
        }
        passages
    }

    /// The id of the record that is there already, if HubSpot names it.
    fn existing(self) -> Option<String> {
        self.passages().iter().find_map(|text| {
            digits_after(text, "Existing ID:").or_else(|| digits_before(text, ALREADY_HAS))
        })
    }

    /// Codes and property names: of `errors`, and of the list that a validation message carries as JSON.
    fn words(self) -> (BTreeSet<String>, BTreeSet<String>) {
        let (mut codes, mut names) = (BTreeSet::new(), BTreeSet::new());
        let embedded = embedded_list(self.message());
        let entries = embedded
            .iter()
            .filter_map(Value::as_object)
            .chain(self.details());
        for entry in entries.chain(std::iter::once(self.0)) {
            for name in ["code", "error", "subCategory", "errorType"] {
                let word = entry.get(name).and_then(Value::as_str).and_then(|text| {
                    // Sub-categories are prefixed: `crm.validations.NOT_UNIQUE`.
                    text.rsplit('.').next()
                });
                codes.extend(word.filter(|word| is_code(word)).map(ToOwned::to_owned));
            }
            for name in ["name", "in"] {
                let word = entry.get(name).and_then(Value::as_str);
                names.extend(word.filter(|word| is_name(word)).map(ToOwned::to_owned));
            }
            if let Some(named) = entry.get("context").and_then(|c| c.get("propertyName")) {
                names.extend(texts(named).into_iter().filter(|word| is_name(word)));
            }
        }
        (codes, names)
    }

    /// What kind of error this is. `status` is the answer's, 0 for an item of a batch that went through.
    pub(crate) fn kind(self, status: u16) -> Kind {
        let category = self.category();
        if self.unprepared() {
            return Kind::Unprepared;
        }
        match category {
            "MISSING_SCOPES" => return Kind::Scope,
            "RATE_LIMITS" | "RATE_LIMIT" => return Kind::Throttled,
            "CONFLICT" | "OBJECT_ALREADY_EXISTS" => return Kind::Conflict,
            "OBJECT_NOT_FOUND" | "NOT_FOUND" => return Kind::NotFound,
            _ => {}
        }
        let taken = self.headline().contains("already exists")
            || self
                .passages()
                .iter()
                .any(|text| text.contains(ALREADY_HAS));
        match status {
            _ if taken => Kind::Conflict,
            409 => Kind::Conflict,
            404 => Kind::NotFound,
            0 if matches!(
                category,
                "" | "INTERNAL_ERROR" | "SERVICE_UNAVAILABLE" | "TIMEOUT" | "UNKNOWN"
            ) =>
            {
                Kind::Internal
            }
            _ => Kind::Invalid,
        }
    }

    /// Whether one of our own properties is missing or not unique: trouble of the whole account, not of a record.
    fn unprepared(self) -> bool {
        let (codes, names) = self.words();
        let headline = self.headline();
        let missing = codes.contains("PROPERTY_DOESNT_EXIST")
            || self.category() == "PROPERTY_DOESNT_EXIST"
            || headline.contains("does not exist");
        let ours = names.iter().any(|name| name.starts_with(OURS)) || headline.contains(OURS);
        (missing && ours) || headline.contains("by non-unique")
    }

    /// What a single item's error means for it.
    pub(crate) fn outcome(self, status: u16) -> ItemOutcome {
        match self.kind(status) {
            Kind::Unprepared | Kind::Scope | Kind::Throttled => ItemOutcome::NotExecuted,
            Kind::Conflict => ItemOutcome::Conflict {
                existing: self.existing(),
            },
            Kind::NotFound => ItemOutcome::Gone,
            Kind::Internal => ItemOutcome::Unknown,
            Kind::Invalid => ItemOutcome::Refused {
                code: codes::CRM_REFUSED,
                reason: self.reason(status),
            },
        }
    }

    /// Category, codes and property names, such as `VALIDATION_ERROR INVALID_EMAIL email`.
    pub(crate) fn reason(self, status: u16) -> String {
        /// So many codes and as many names say enough.
        const MOST: usize = 5;
        let (codes, names) = self.words();
        let category = Some(self.category()).filter(|category| is_code(category));
        let words: Vec<&str> = category
            .into_iter()
            .chain(codes.iter().map(String::as_str).take(MOST))
            .chain(names.iter().map(String::as_str).take(MOST))
            .collect();
        if words.is_empty() {
            bare_reason(status)
        } else {
            words.join(" ")
        }
    }
}

/// HubSpot's words when a unique property's value is taken.
const ALREADY_HAS: &str = " already has that value";
/// Prefix of the properties that we make.
const OURS: &str = "callflume_";

/// A string, a number, or an array of them, as texts.
pub(crate) fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(entries) => entries.iter().filter_map(text).collect(),
        other => text(other).into_iter().collect(),
    }
}

/// A string or a whole number as text: HubSpot writes ids both ways.
pub(crate) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => number.as_u64().map(|number| number.to_string()),
        _ => None,
    }
}

fn embedded_list(message: &str) -> Vec<Value> {
    let Some(list) = message.find('[').and_then(|start| message.get(start..)) else {
        return Vec::new();
    };
    match serde_json::Deserializer::from_str(list)
        .into_iter::<Value>()
        .next()
    {
        Some(Ok(Value::Array(entries))) => entries,
        _ => Vec::new(),
    }
}

fn digits_after(text: &str, mark: &str) -> Option<String> {
    let (_, rest) = text.split_once(mark)?;
    let digits: String = rest
        .trim_start()
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    (!digits.is_empty()).then_some(digits)
}

fn digits_before(text: &str, mark: &str) -> Option<String> {
    let (before, _) = text.split_once(mark)?;
    let start = before.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    before
        .get(start..)
        .filter(|digits| !digits.is_empty())
        .map(ToOwned::to_owned)
}

fn is_code(word: &str) -> bool {
    (2..=80).contains(&word.len())
        && word.starts_with(|c: char| c.is_ascii_uppercase())
        && word
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

fn is_name(word: &str) -> bool {
    (1..=100).contains(&word.len())
        && word.starts_with(|c: char| c.is_ascii_lowercase())
        && word
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_reason_names_category_codes_and_properties_and_no_value() {
        for (body, expect) in [
            (
                json!({"category": "VALIDATION_ERROR", "message":
                    "Property values were not valid: [{\"isValid\":false,\"message\":\"Email address bo@@x is invalid\",\
                     \"error\":\"INVALID_EMAIL\",\"name\":\"email\"}]"}),
                "VALIDATION_ERROR INVALID_EMAIL email",
            ),
            (
                json!({"category": "VALIDATION_ERROR", "errors": [
                    {"code": "MISSING_REQUIRED_PROPERTY", "message": "x", "context": {"propertyName": ["dealname"]}},
                    {"subCategory": "crm.validations.OUT_OF_RANGE", "in": "amount"}]}),
                "VALIDATION_ERROR MISSING_REQUIRED_PROPERTY OUT_OF_RANGE amount dealname",
            ),
            (
                json!({"message": "Bo Roe, +1 202 555 0143 [broken"}),
                "HTTP 400",
            ),
            (
                json!({"category": "Bo Roe", "errors": [{"code": "Bo Roe", "in": "+12025550143"}]}),
                "HTTP 400",
            ),
        ] {
            assert_eq!(
                Refusal::of_item(&body).unwrap().reason(400),
                expect,
                "{body}"
            );
        }
    }

    #[test]
    fn the_existing_records_id_is_found_wherever_hubspot_puts_it() {
        for (body, expect) in [
            (
                json!({"category": "CONFLICT", "message": "Contact already exists. Existing ID: 7301"}),
                Some("7301"),
            ),
            (
                json!({"category": "CONFLICT", "message": "Contact already exists. Existing ID:7301."}),
                Some("7301"),
            ),
            (
                json!({"category": "CONFLICT", "context": {"detail": ["Existing ID: 12"]}}),
                Some("12"),
            ),
            (
                json!({"category": "CONFLICT", "errors": [{"message": "Existing ID: 13"}]}),
                Some("13"),
            ),
            (
                json!({"category": "VALIDATION_ERROR", "message":
                    "Cannot set {propertyName=callflume_key, value=p-1} on 55. 56 already has that value."}),
                Some("56"),
            ),
            (json!({"category": "CONFLICT", "message": "Conflict"}), None),
        ] {
            assert_eq!(
                Refusal::of_item(&body).unwrap().outcome(0),
                ItemOutcome::Conflict {
                    existing: expect.map(Into::into)
                },
                "{body}"
            );
        }
    }

    #[test]
    fn missing_properties_of_ours_are_the_accounts_trouble_others_the_records() {
        for (body, expect) in [
            (
                json!({"category": "VALIDATION_ERROR", "message": "Property \"callflume_key\" does not exist"}),
                Kind::Unprepared,
            ),
            (
                json!({"category": "VALIDATION_ERROR", "message": "Unable to perform upsert by non-unique 0-1 property"}),
                Kind::Unprepared,
            ),
            (
                json!({"category": "VALIDATION_ERROR", "message": "Property \"lead_score\" does not exist"}),
                Kind::Invalid,
            ),
            (
                json!({"category": "VALIDATION_ERROR", "message": "[{\"error\":\"PROPERTY_DOESNT_EXIST\",\"name\":\"callflume_sentiment\"}]"}),
                Kind::Unprepared,
            ),
            (
                json!({"category": "VALIDATION_ERROR", "message": "[{\"error\":\"INVALID_LONG\",\"name\":\"callflume_sentiment\"}]"}),
                Kind::Invalid,
            ),
        ] {
            assert_eq!(Refusal::of_item(&body).unwrap().kind(400), expect, "{body}");
        }
    }
}
