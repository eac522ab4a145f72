//! Pipedrive's error envelope: which kind of refusal, and a reason that repeats no value.
//!
//! `{"success": false, "error": …, "error_info": …, "code"?, "errorCode"?}`. Its texts quote what was sent, personal data
//! included, so of them only codes and names of fields that we send leave this module.

use serde_json::{Map, Value};

use super::fields::{CONTACT_KEY, DEAL_KEY, OPTED_OUT};
use crate::refusal::bare_reason;
use crate::settings::Settings;

/// Names of fields that may stand in a reason.
const FIELD_NAMES: &[&str] = &[
    "content",
    "currency",
    "custom_fields",
    "deal_id",
    "due_date",
    "due_time",
    "duration",
    "emails",
    "expected_close_date",
    "lead_id",
    "location",
    "lost_reason",
    "org_id",
    "owner_id",
    "participants",
    "person_id",
    "phones",
    "pipeline_id",
    "priority",
    "probability",
    "project_id",
    "public_description",
    "stage_id",
    "status",
    "subject",
    "term",
    "title",
    "value",
    "visible_to",
];

/// A refusal in Pipedrive's own words.
#[derive(Clone, Copy)]
pub(crate) struct Refusal<'a>(&'a Map<String, Value>);

impl<'a> Refusal<'a> {
    /// A refused request's body; none if it isn't Pipedrive's (a page of something in between).
    pub(crate) fn of_body(value: &'a Value) -> Option<Self> {
        let object = value.as_object()?;
        let refused = object.get("success").and_then(Value::as_bool) == Some(false);
        refused.then_some(Self(object))
    }

    fn field(self, name: &str) -> &'a str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// The status that the envelope itself names, where the HTTP status says nothing.
    pub(crate) fn own_status(self) -> Option<u16> {
        let code = self.0.get("errorCode").and_then(Value::as_u64)?;
        (400..600).contains(&code).then_some(code as u16)
    }

    fn texts(self) -> String {
        format!("{} {}", self.field("error"), self.field("error_info"))
    }

    /// Whether it is about the day's budget.
    pub(crate) fn about_the_day(self) -> bool {
        self.field("error").to_ascii_lowercase().contains("daily")
    }

    /// Whether it names one of our own custom fields: those are made by `account prepare`, and what goes into them is
    /// always a short text, so the account is to blame and not the record.
    pub(crate) fn unprepared(self, settings: &Settings) -> bool {
        let texts = self.texts();
        [CONTACT_KEY, OPTED_OUT, DEAL_KEY]
            .iter()
            .filter_map(|name| settings.custom_field(name))
            .any(|key| texts.contains(key))
    }

    /// Whether it says that the person a record is to be on isn't there.
    pub(crate) fn person_missing(self) -> bool {
        let error = self.field("error").to_ascii_lowercase();
        error.contains("person")
            && ["not found", "does not exist", "doesn't exist", "is deleted"]
                .iter()
                .any(|words| error.contains(words))
    }

    /// Status, Pipedrive's code and the fields it names, such as `HTTP 400 owner_id`.
    pub(crate) fn reason(self, status: u16) -> String {
        let texts = self.texts();
        let words: Vec<&str> = texts
            .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .collect();
        let mut reason = bare_reason(status);
        let code = Some(self.field("code")).filter(|code| is_code(code));
        let named = FIELD_NAMES.iter().filter(|name| words.contains(name));
        for word in code.into_iter().chain(named.copied()) {
            reason.push(' ');
            reason.push_str(word);
        }
        reason
    }
}

/// Whether a word looks like one of Pipedrive's codes: `feature_capping_deals_limit`, `ERR_SCHEMA_VALIDATION_FAILED`.
fn is_code(word: &str) -> bool {
    let one_case = !word.bytes().any(|b| b.is_ascii_uppercase())
        || !word.bytes().any(|b| b.is_ascii_lowercase());
    (3..=64).contains(&word.len())
        && one_case
        && word.contains('_')
        && word.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_reason_holds_codes_and_names_of_fields_only() {
        for (body, expect) in [
            (
                json!({"success": false, "error": "Validation failed: owner_id: 7 Ada Roe +12025550143"}),
                "HTTP 400 owner_id",
            ),
            (
                json!({"success": false, "error": "Limit", "code": "feature_capping_deals_limit"}),
                "HTTP 400 feature_capping_deals_limit",
            ),
            (
                json!({"success": false, "error": "stage_id and value", "code": "Ada_Roe"}),
                "HTTP 400 stage_id value",
            ),
            (
                json!({"success": false, "code": "ada.roe@example.org"}),
                "HTTP 400",
            ),
            (json!({"success": false, "error": 5}), "HTTP 400"),
        ] {
            assert_eq!(Refusal::of_body(&body).unwrap().reason(400), expect);
        }
        assert!(Refusal::of_body(&json!({"success": true})).is_none());
        assert!(Refusal::of_body(&json!([])).is_none());
        assert!(FIELD_NAMES.is_sorted());
    }

    #[test]
    fn only_our_own_fields_make_an_account_unprepared() {
        let keys = [(CONTACT_KEY, "a1b2"), ("contact_score", "c3d4")]
            .map(|(name, key)| (name.to_owned(), key.to_owned()));
        let settings = Settings::default().with_custom_fields(keys.into()).unwrap();
        for (error, expect) in [
            ("custom_fields.a1b2 unknown", true),
            ("custom_fields.c3d4", false),
        ] {
            let body = json!({"success": false, "error": error});
            let refusal = Refusal::of_body(&body).unwrap();
            assert_eq!(refusal.unprepared(&settings), expect, "{error}");
        }
    }
}
