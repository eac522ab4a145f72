//! Paths of Pipedrive's two API versions, and percent-encoding.
//!
//! Persons, activities and deals are in v2, notes and users in v1 only.

use callflume_core::effect::Object;

/// Base of v2's paths.
pub(crate) const V2: &str = "/api/v2";
/// Base of v1's paths.
pub(crate) const V1: &str = "/api/v1";

/// Where records of an object live.
pub(crate) fn records(object: Object) -> String {
    match object {
        Object::Contact => format!("{V2}/persons"),
        Object::Call | Object::Task => format!("{V2}/activities"),
        Object::Note => format!("{V1}/notes"),
        Object::Deal => format!("{V2}/deals"),
    }
}

/// Who the credential belongs to.
pub(crate) fn me() -> String {
    format!("{V1}/users/me")
}

/// Text as a query value: everything but unreserved characters (RFC 3986) percent-encoded.
pub(crate) fn percent_encoded(text: &str) -> String {
    use std::fmt::Write;
    let mut encoded = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("writing to a String can't fail");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_and_foreign_characters_are_encoded() {
        for (text, expect) in [
            ("ada@example.com", "ada%40example.com"),
            ("a+b&c=d #e", "a%2Bb%26c%3Dd%20%23e"),
            ("zoë", "zo%C3%AB"),
        ] {
            assert_eq!(percent_encoded(text), expect);
        }
    }

    #[test]
    fn only_notes_are_in_the_older_version() {
        for object in Object::ALL {
            let older = records(object).starts_with(V1);
            assert_eq!(older, object == Object::Note, "{object}");
        }
    }
}
