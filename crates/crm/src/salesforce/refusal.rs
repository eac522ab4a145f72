//! Salesforce's errors: which kind each is, and a reason that repeats no value.
//!
//! A refused request, a refused part of a composite one and a refused record all carry a list of errors, each with a code,
//! a message and perhaps names of fields. Messages quote what was sent, so only the code decides. Three exceptions, each of
//! a message that Salesforce fills with its own words: which limit is used up is told by how the message begins; which
//! field holds a taken value, and which record has it, by its fixed wording; which field doesn't exist, by the field's name.
//! A reason holds codes and names of fields, nothing else.
//!
//! Which code is of which kind is in `kinds`.

use std::collections::BTreeSet;

use callflume_core::effect::Object;
use serde_json::{Map, Value};

use super::fields::FIELD_NAMES;
use super::kinds::Kind;
use super::paths::is_id;
use crate::refusal::bare_reason;
use crate::settings::Settings;

/// The errors of a request, a part or a record; at least one.
#[derive(Clone, Copy)]
pub(crate) struct Refusal<'a>(&'a [Value]);

impl<'a> Refusal<'a> {
    /// The body of a refused request or part; none if it isn't Salesforce's (a page of something in between).
    pub(crate) fn of_body(body: &'a Value) -> Option<Self> {
        Self::of_list(body, "errorCode")
    }

    /// The `errors` of a record in a collection's answer.
    pub(crate) fn of_record(result: &'a Value) -> Option<Self> {
        Self::of_list(result.get("errors")?, "statusCode")
    }

    fn of_list(list: &'a Value, code: &str) -> Option<Self> {
        let list = list.as_array()?;
        let coded = |error: &Value| error.get(code).is_some_and(Value::is_string);
        (!list.is_empty() && list.iter().all(coded)).then_some(Self(list))
    }

    fn errors(self) -> impl Iterator<Item = Entry<'a>> {
        self.0.iter().filter_map(Value::as_object).map(Entry)
    }

    /// The weightiest kind among the errors.
    pub(crate) fn kind(self, settings: &Settings, object: Object) -> Kind {
        self.errors()
            .map(|error| error.kind(settings, object))
            .max()
            .unwrap_or(Kind::Invalid)
    }

    /// Whether one of the errors has this code.
    pub(crate) fn has_code(self, code: &str) -> bool {
        self.errors().any(|error| error.code() == code)
    }

    /// Whether the errors name fields, and none of them is one of these.
    pub(crate) fn only_about_others(self, names: &[&str]) -> bool {
        let named: Vec<&str> = self.errors().flat_map(Entry::fields).collect();
        !named.is_empty()
            && !named
                .iter()
                .any(|it| names.iter().any(|name| name.eq_ignore_ascii_case(it)))
    }

    /// The record that is there already, if Salesforce says which.
    pub(crate) fn existing(self) -> Option<String> {
        self.errors()
            .find_map(|error| error.matched().or_else(|| error.holder()))
    }

    /// Codes and names of fields, such as `REQUIRED_FIELD_MISSING LastName`.
    pub(crate) fn reason(self, status: u16) -> String {
        /// So many codes and as many names say enough.
        const MOST: usize = 5;
        let codes: BTreeSet<&str> = self
            .errors()
            .map(Entry::code)
            .filter(|code| is_code(code))
            .collect();
        let names: BTreeSet<&str> = self
            .errors()
            .flat_map(Entry::fields)
            .filter(|name| is_field(name))
            .collect();
        let words: Vec<&str> = codes
            .into_iter()
            .take(MOST)
            .chain(names.into_iter().take(MOST))
            .collect();
        if words.is_empty() {
            bare_reason(status)
        } else {
            words.join(" ")
        }
    }
}

/// One error.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a>(&'a Map<String, Value>);

impl<'a> Entry<'a> {
    pub(super) fn text(self, name: &str) -> &'a str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// In answers of requests it is called otherwise than in those of records.
    pub(super) fn code(self) -> &'a str {
        match self.text("errorCode") {
            "" => self.text("statusCode"),
            code => code,
        }
    }

    pub(super) fn fields(self) -> impl Iterator<Item = &'a str> {
        self.0
            .get("fields")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
    }

    /// Of a taken value: the field that holds it, if the message names one.
    pub(super) fn holding_field(self) -> Option<&'a str> {
        let (_, rest) = self.text("message").split_once("duplicate value found: ")?;
        let name = rest.split_whitespace().next()?;
        let named =
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        named.then_some(name)
    }

    /// Of a taken value: the record that has it.
    fn holder(self) -> Option<String> {
        if self.code() != "DUPLICATE_VALUE" {
            return None;
        }
        let (_, rest) = self.text("message").split_once("record with id: ")?;
        let id = rest
            .split(|c: char| !c.is_ascii_alphanumeric())
            .next()
            .unwrap_or_default();
        is_id(id).then(|| id.to_owned())
    }

    /// Of a duplicate rule: the first record that it found. The first spelling is Salesforce's own slip.
    fn matched(self) -> Option<String> {
        let result = self
            .0
            .get("duplicateResut")
            .or_else(|| self.0.get("duplicateResult"))?;
        let results = result.get("matchResults")?.as_array()?;
        results
            .iter()
            .filter_map(|result| result.get("matchRecords")?.as_array())
            .flatten()
            .filter_map(|found| found.get("record")?.get("Id")?.as_str())
            .find(|id| is_id(id))
            .map(ToOwned::to_owned)
    }
}

fn is_code(word: &str) -> bool {
    (2..=80).contains(&word.len())
        && word.contains('_')
        && word
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

/// Whether a word is a field's name: one of Salesforce's that we know, or a custom one.
fn is_field(word: &str) -> bool {
    let custom = word.len() <= 100
        && word.ends_with("__c")
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    custom || FIELD_NAMES.binary_search(&word).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_record_that_is_there_is_found_in_either_wording() {
        let matched = json!({"matchResults": [{"matchRecords": []},
            {"matchRecords": [{"record": {"Id": "0035g00000AbCdEAAV"}}]}]});
        for (error, expect) in [
            (
                json!({"errorCode": "DUPLICATES_DETECTED", "duplicateResut": matched}),
                Some("0035g00000AbCdEAAV"),
            ),
            (
                json!({"errorCode": "DUPLICATES_DETECTED", "duplicateResult": matched}),
                Some("0035g00000AbCdEAAV"),
            ),
            (
                json!({"errorCode": "DUPLICATE_VALUE", "message":
                    "duplicate value found: Callflume_Key__c duplicates value on record with id: 0035g00000AbCdE"}),
                Some("0035g00000AbCdE"),
            ),
            (
                json!({"errorCode": "DUPLICATE_VALUE", "message": "record with id: <unknown>"}),
                None,
            ),
            (
                json!({"errorCode": "STRING_TOO_LONG", "message": "record with id: 0035g00000AbCdE"}),
                None,
            ),
        ] {
            let body = json!([error]);
            let existing = Refusal::of_body(&body).unwrap().existing();
            assert_eq!(existing.as_deref(), expect, "{body}");
        }
    }

    #[test]
    fn a_reason_holds_codes_and_names_of_fields_only() {
        for (body, expect) in [
            (
                json!([{"errorCode": "REQUIRED_FIELD_MISSING", "message": "Ada Roe", "fields": ["LastName"]}]),
                "REQUIRED_FIELD_MISSING LastName",
            ),
            (
                json!([{"errorCode": "STRING_TOO_LONG", "fields": ["Lead_Score__c", "Ada"]},
                    {"errorCode": "INVALID_EMAIL_ADDRESS", "fields": ["Email"]}]),
                "INVALID_EMAIL_ADDRESS STRING_TOO_LONG Email Lead_Score__c",
            ),
            (
                json!([{"errorCode": "Ada Roe", "fields": ["+12025550143"]}]),
                "HTTP 400",
            ),
        ] {
            assert_eq!(Refusal::of_body(&body).unwrap().reason(400), expect);
        }
        for body in [json!([]), json!({}), json!([{"message": "x"}]), json!([7])] {
            assert!(Refusal::of_body(&body).is_none(), "{body}");
        }
    }
}
