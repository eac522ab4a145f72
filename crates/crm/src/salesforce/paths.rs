//! Paths of Salesforce's REST interface, and the record ids that it uses.
//!
//! The version appears in one place, so moving an account to another release is one setting.

use callflume_core::effect::Object;

pub(crate) use crate::pipedrive::paths::percent_encoded;
use crate::settings::{ApiVersion, Settings};

/// Release used unless the account's `api_version` says otherwise: Spring '26.
const DEFAULT_VERSION: u16 = 66;

/// Base of all paths.
pub(crate) fn base(settings: &Settings) -> String {
    let number = match settings.api() {
        ApiVersion::Numbered(number) => *number,
        ApiVersion::V3 | ApiVersion::Dated(_) => DEFAULT_VERSION,
    };
    format!("/services/data/v{number}.0")
}

/// Salesforce's kind of record for an object. Calls, notes and tasks are all its tasks.
pub const fn sobject(object: Object) -> &'static str {
    match object {
        Object::Contact => "Contact",
        Object::Call | Object::Note | Object::Task => "Task",
        Object::Deal => "Opportunity",
    }
}

/// Whether a text is a record id: 15 letters and digits, or 18 of which the last three are a check.
pub(crate) fn is_id(text: &str) -> bool {
    matches!(text.len(), 15 | 18) && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_setting_moves_every_path() {
        for (api, expect) in [
            ("v3", "/services/data/v66.0"),
            ("2026-09", "/services/data/v66.0"),
            ("v68.0", "/services/data/v68.0"),
        ] {
            let settings = Settings::new(api.parse().unwrap(), [].into()).unwrap();
            assert_eq!(base(&settings), expect);
        }
    }

    #[test]
    fn ids_have_15_or_18_letters_and_digits() {
        for (text, expect) in [
            ("0035g00000AbCdE", true),
            ("0035g00000AbCdEAAV", true),
            ("0035g00000AbCdEAA", false),
            ("0035g00000AbCd'", false),
            ("", false),
        ] {
            assert_eq!(is_id(text), expect, "{text}");
        }
    }
}
