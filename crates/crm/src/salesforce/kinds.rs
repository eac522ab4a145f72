//! Kinds of Salesforce's errors, by their codes.
//!
//! | code | kind |
//! | --- | --- |
//! | `INVALID_SESSION_ID`, `INVALID_AUTH_HEADER` | session |
//! | `REQUEST_LIMIT_EXCEEDED`, "TotalRequests …" | day |
//! | `REQUEST_LIMIT_EXCEEDED`, "Concurrent…" | concurrent |
//! | `REQUEST_LIMIT_EXCEEDED`, anything else | limit |
//! | `UNABLE_TO_LOCK_ROW` | locked |
//! | `API_DISABLED_FOR_ORG`, `API_CURRENTLY_DISABLED`, `INVALID_TYPE`, `UNSUPPORTED_API_VERSION`, `STORAGE_LIMIT_EXCEEDED` | account |
//! | `INVALID_FIELD`, `INVALID_FIELD_FOR_INSERT_UPDATE` naming a field that `account prepare` makes | account |
//! | `DUPLICATES_DETECTED` | duplicate |
//! | `DUPLICATE_VALUE` of our key, or of a field that isn't named | taken |
//! | `DUPLICATE_EXTERNAL_ID` | several |
//! | `NOT_FOUND`, `ENTITY_IS_DELETED`, `INVALID_CROSS_REFERENCE_KEY`, `MALFORMED_ID` | absent |
//! | `INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY` | hidden |
//! | `PROCESSING_HALTED`, `ALL_OR_NONE_OPERATION_ROLLED_BACK` | halted |
//! | `UNKNOWN_EXCEPTION`, `SERVER_UNAVAILABLE`, `QUERY_TIMEOUT` | internal |
//! | anything else, `DUPLICATE_VALUE` of another field too | invalid |

use callflume_core::effect::Object;

use super::fields::{is_ours, key_field};
use super::refusal::Entry;
use crate::settings::Settings;

/// What kind of error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// The data is refused.
    Invalid,
    /// Several records carry the key.
    Several,
    /// Undone because of a neighbour.
    Halted,
    /// A record that is referred to can't be seen, or isn't there.
    Hidden,
    /// A record isn't there.
    Absent,
    /// A duplicate rule found the person.
    Duplicate,
    /// Our key is on another record.
    Taken,
    /// Salesforce failed inside.
    Internal,
    /// Another write holds the record.
    Locked,
    /// Too many long requests at the same time.
    Concurrent,
    /// A limit that has no name here.
    Limit,
    /// The org must be put right: access, storage, our own fields.
    Account,
    /// The requests of 24 hours are used up.
    Day,
    /// The access token isn't good any more.
    Session,
}

/// Kinds that a code alone tells, sorted by code.
const CODES: &[(&str, Kind)] = &[
    ("ALL_OR_NONE_OPERATION_ROLLED_BACK", Kind::Halted),
    ("API_CURRENTLY_DISABLED", Kind::Account),
    ("API_DISABLED_FOR_ORG", Kind::Account),
    ("DUPLICATES_DETECTED", Kind::Duplicate),
    ("DUPLICATE_EXTERNAL_ID", Kind::Several),
    ("ENTITY_IS_DELETED", Kind::Absent),
    (
        "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY",
        Kind::Hidden,
    ),
    ("INVALID_AUTH_HEADER", Kind::Session),
    ("INVALID_CROSS_REFERENCE_KEY", Kind::Absent),
    ("INVALID_SESSION_ID", Kind::Session),
    ("INVALID_TYPE", Kind::Account),
    ("MALFORMED_ID", Kind::Absent),
    ("NOT_FOUND", Kind::Absent),
    ("PROCESSING_HALTED", Kind::Halted),
    ("QUERY_TIMEOUT", Kind::Internal),
    ("SERVER_UNAVAILABLE", Kind::Internal),
    ("STORAGE_LIMIT_EXCEEDED", Kind::Account),
    ("UNABLE_TO_LOCK_ROW", Kind::Locked),
    ("UNKNOWN_EXCEPTION", Kind::Internal),
    ("UNSUPPORTED_API_VERSION", Kind::Account),
];

impl Entry<'_> {
    pub(super) fn kind(self, settings: &Settings, object: Object) -> Kind {
        let code = self.code();
        match code {
            "REQUEST_LIMIT_EXCEEDED" => {
                let message = self.text("message").trim_start();
                return if message.starts_with("TotalRequests") {
                    Kind::Day
                } else if message.starts_with("Concurrent") {
                    Kind::Concurrent
                } else {
                    Kind::Limit
                };
            }
            "DUPLICATE_VALUE" => {
                let key = key_field(settings, object);
                let named = self.holding_field().or_else(|| self.fields().next());
                return match named {
                    Some(name) if !name.eq_ignore_ascii_case(key) => Kind::Invalid,
                    _ => Kind::Taken,
                };
            }
            "INVALID_FIELD" | "INVALID_FIELD_FOR_INSERT_UPDATE" => {
                let words = self
                    .text("message")
                    .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
                let ours = self
                    .fields()
                    .chain(words)
                    .any(|name| is_ours(settings, name));
                return if ours { Kind::Account } else { Kind::Invalid };
            }
            _ => {}
        }
        CODES
            .binary_search_by_key(&code, |(known, _)| known)
            .ok()
            .and_then(|place| CODES.get(place))
            .map_or(Kind::Invalid, |(_, kind)| *kind)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::refusal::Refusal;
    use super::*;

    fn kind_of(object: Object, body: &Value) -> Kind {
        Refusal::of_body(body)
            .unwrap()
            .kind(&Settings::default(), object)
    }

    #[test]
    fn every_code_of_the_table_has_its_kind() {
        assert!(CODES.is_sorted_by_key(|(code, _)| *code));
        for (code, message, expect) in [
            ("INVALID_SESSION_ID", "", Kind::Session),
            ("INVALID_AUTH_HEADER", "", Kind::Session),
            (
                "REQUEST_LIMIT_EXCEEDED",
                "TotalRequests Limit exceeded.",
                Kind::Day,
            ),
            (
                "REQUEST_LIMIT_EXCEEDED",
                "ConcurrentRequests (Concurrent API Requests) Limit exceeded.",
                Kind::Concurrent,
            ),
            (
                "REQUEST_LIMIT_EXCEEDED",
                "ConcurrentPerOrgLongTxn Limit exceeded",
                Kind::Concurrent,
            ),
            (
                "REQUEST_LIMIT_EXCEEDED",
                "Something of TotalRequests",
                Kind::Limit,
            ),
            ("UNABLE_TO_LOCK_ROW", "", Kind::Locked),
            ("API_DISABLED_FOR_ORG", "", Kind::Account),
            ("API_CURRENTLY_DISABLED", "", Kind::Account),
            ("INVALID_TYPE", "", Kind::Account),
            ("UNSUPPORTED_API_VERSION", "", Kind::Account),
            ("STORAGE_LIMIT_EXCEEDED", "", Kind::Account),
            (
                "INVALID_FIELD",
                "No such column 'Callflume_Key__c' on sobject of type Contact",
                Kind::Account,
            ),
            (
                "INVALID_FIELD_FOR_INSERT_UPDATE",
                "Unable to create/update fields: Callflume_Sentiment__c.",
                Kind::Account,
            ),
            (
                "INVALID_FIELD",
                "No such column 'Lead_Score__c' on sobject of type Contact",
                Kind::Invalid,
            ),
            ("DUPLICATES_DETECTED", "", Kind::Duplicate),
            ("DUPLICATE_EXTERNAL_ID", "", Kind::Several),
            (
                "DUPLICATE_VALUE",
                "duplicate value found: Callflume_Key__c duplicates value on record with id: 003",
                Kind::Taken,
            ),
            (
                "DUPLICATE_VALUE",
                "duplicate value found: <unknown> duplicates value on record with id: <unknown>",
                Kind::Taken,
            ),
            (
                "DUPLICATE_VALUE",
                "duplicate value found: Badge__c duplicates value on record with id: 003",
                Kind::Invalid,
            ),
            ("NOT_FOUND", "", Kind::Absent),
            ("ENTITY_IS_DELETED", "", Kind::Absent),
            ("INVALID_CROSS_REFERENCE_KEY", "", Kind::Absent),
            ("MALFORMED_ID", "", Kind::Absent),
            (
                "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY",
                "",
                Kind::Hidden,
            ),
            ("PROCESSING_HALTED", "", Kind::Halted),
            ("ALL_OR_NONE_OPERATION_ROLLED_BACK", "", Kind::Halted),
            ("UNKNOWN_EXCEPTION", "", Kind::Internal),
            ("SERVER_UNAVAILABLE", "", Kind::Internal),
            ("QUERY_TIMEOUT", "", Kind::Internal),
            ("STRING_TOO_LONG", "", Kind::Invalid),
            ("", "", Kind::Invalid),
        ] {
            let body = json!([{"errorCode": code, "message": message}]);
            assert_eq!(kind_of(Object::Contact, &body), expect, "{code} {message}");
        }
    }

    #[test]
    fn of_several_errors_the_weightiest_counts() {
        let body = json!([
            {"errorCode": "STRING_TOO_LONG", "message": ""},
            {"errorCode": "UNABLE_TO_LOCK_ROW", "message": ""},
        ]);
        assert_eq!(kind_of(Object::Call, &body), Kind::Locked);
    }
}
