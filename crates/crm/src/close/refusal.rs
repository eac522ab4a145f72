//! Close's error bodies: which fields are to blame, and a reason that repeats no value.
//!
//! The texts quote what was sent, personal data included, and decide nothing but whether a field was merely missing. So
//! only names of fields that Callflume itself sends leave this module.

use std::collections::BTreeMap;

use callflume_core::vendor::ItemOutcome;
use serde_json::{Map, Value};

use super::fields::{DEAL_KEY_FIELD, KEY_FIELD, OPTED_OUT_FIELD, SENTIMENT_FIELD, custom};
use super::ids::is_custom_field;
use crate::refusal::{bare_reason, refused};
use crate::settings::Settings;

/// Names of fields and parameters that are sent, beside custom fields.
const SENT: &[&str] = &[
    "name",
    "contacts",
    "phones",
    "emails",
    "lead_id",
    "contact_id",
    "user_id",
    "assigned_to",
    "date",
    "text",
    "note",
    "title",
    "activity_at",
    "duration",
    "direction",
    "status",
    "outcome_id",
    "recording_url",
    "phone",
    "priority",
    "is_complete",
    "_type",
    "status_id",
    "pipeline_id",
    "value",
    "value_period",
    "confidence",
    "query",
    "_limit",
    "_skip",
    "_fields",
    "type",
];

/// An error of Close's.
#[derive(Clone, Copy)]
pub(crate) struct Refusal<'a>(&'a Map<String, Value>);

impl<'a> Refusal<'a> {
    /// The body of a refused request; none if it isn't Close's (a page of something in between).
    pub(crate) fn of_body(value: &'a Value) -> Option<Self> {
        let object = value.as_object()?;
        ["error", "errors", "field-errors"]
            .iter()
            .any(|name| object.contains_key(*name))
            .then_some(Self(object))
    }

    /// The fields to blame, with what Close says of each.
    fn fields(self) -> BTreeMap<&'a str, &'a Value> {
        self.0
            .get("field-errors")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(name, said)| (name.as_str(), said))
            .collect()
    }

    /// Whether one of the fields that `account prepare` makes is to blame: trouble of the whole account.
    pub(crate) fn unprepared(self, settings: &Settings) -> bool {
        [KEY_FIELD, OPTED_OUT_FIELD, SENTIMENT_FIELD, DEAL_KEY_FIELD]
            .iter()
            .filter_map(|name| custom(settings, name))
            .any(|name| self.fields().contains_key(name.as_str()))
    }

    /// Whether it is only that the lead or contact to hang the record on isn't there.
    pub(crate) fn without_person(self) -> bool {
        let fields = self.fields();
        !fields.is_empty()
            && fields.iter().all(|(name, said)| {
                matches!(*name, "lead_id" | "contact_id")
                    && !said.to_string().to_ascii_lowercase().contains("required")
            })
    }

    /// Status and fields, such as `HTTP 400 emails phones`.
    pub(crate) fn reason(self, status: u16) -> String {
        let known = |name: &&str| {
            SENT.contains(name) || name.strip_prefix("custom.").is_some_and(is_custom_field)
        };
        std::iter::once(bare_reason(status))
            .chain(
                self.fields()
                    .into_keys()
                    .filter(known)
                    .take(8)
                    .map(ToOwned::to_owned),
            )
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Refused for good.
    pub(crate) fn outcome(self, status: u16) -> ItemOutcome {
        refused(self.reason(status))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_reason_names_fields_and_no_value() {
        for (body, expect) in [
            (
                json!({"errors": ["Bo Roe"], "field-errors": {"emails": {"0": "bo@@x is no address"}, "phones": "x"}}),
                "HTTP 400 emails phones",
            ),
            (
                json!({"field-errors": {"custom.cf_9Ab": "x", "bo roe": "x", "bo": "y", "+12025550143": "x"}}),
                "HTTP 400 custom.cf_9Ab",
            ),
            (json!({"errors": ["Bo Roe is taken"]}), "HTTP 400"),
            (json!({"error": {"message": "Bo"}}), "HTTP 400"),
        ] {
            assert_eq!(Refusal::of_body(&body).unwrap().reason(400), expect);
        }
        for body in [json!({}), json!([]), json!("error"), json!({"data": []})] {
            assert!(Refusal::of_body(&body).is_none());
        }
    }

    #[test]
    fn a_person_who_is_gone_is_told_from_a_field_that_was_forgotten() {
        for (fields, expect) in [
            (json!({"lead_id": "Object does not exist."}), true),
            (
                json!({"lead_id": ["no such lead"], "contact_id": "x"}),
                true,
            ),
            (json!({"lead_id": "This field is required."}), false),
            (json!({"lead_id": "x", "text": "x"}), false),
            (json!({}), false),
        ] {
            let body = json!({"field-errors": fields});
            let refusal = Refusal::of_body(&body).unwrap();
            assert_eq!(refusal.without_person(), expect, "{body}");
        }
    }
}
