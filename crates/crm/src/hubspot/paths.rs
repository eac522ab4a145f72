//! Paths of HubSpot's API in both families, and percent-encoding.
//!
//! The version appears in one place per family, so moving an account to another version is one setting.

use callflume_core::effect::Object;

use crate::settings::ApiVersion;

/// HubSpot's plural name of an object.
pub(crate) const fn plural(object: Object) -> &'static str {
    match object {
        Object::Contact => "contacts",
        Object::Call => "calls",
        Object::Note => "notes",
        Object::Task => "tasks",
        Object::Deal => "deals",
    }
}

/// Where records of an object live.
pub(crate) fn objects(api: &ApiVersion, object: Object) -> String {
    let plural = plural(object);
    match api {
        ApiVersion::V3 | ApiVersion::Numbered(_) => format!("/crm/v3/objects/{plural}"),
        ApiVersion::Dated(date) => format!("/crm/objects/{date}/{plural}"),
    }
}

/// Where links from one object to another are read. The dated family has them under a name of their own.
pub(crate) fn associations(api: &ApiVersion, from: Object, to: Object) -> String {
    let (from, to) = (plural(from), plural(to));
    match api {
        ApiVersion::V3 | ApiVersion::Numbered(_) => format!("/crm/v4/associations/{from}/{to}"),
        ApiVersion::Dated(date) => format!("/crm/associations/{date}/{from}/{to}"),
    }
}

/// Where an object's properties are defined.
pub(crate) fn properties(api: &ApiVersion, object: Object) -> String {
    let plural = plural(object);
    match api {
        ApiVersion::V3 | ApiVersion::Numbered(_) => format!("/crm/v3/properties/{plural}"),
        ApiVersion::Dated(date) => format!("/crm/properties/{date}/{plural}"),
    }
}

/// Where owners are listed, in either family: no newer path of it is documented where we looked.
pub(crate) const OWNERS: &str = "/crm/v3/owners/";

/// Where an object's pipelines are listed.
pub(crate) fn pipelines(api: &ApiVersion, object: Object) -> String {
    let plural = plural(object);
    match api {
        ApiVersion::V3 | ApiVersion::Numbered(_) => format!("/crm/v3/pipelines/{plural}"),
        ApiVersion::Dated(date) => format!("/crm/pipelines/{date}/{plural}"),
    }
}

/// Where the account describes itself.
pub(crate) fn account_details(api: &ApiVersion) -> String {
    match api {
        ApiVersion::V3 | ApiVersion::Numbered(_) => "/account-info/v3/details".to_owned(),
        ApiVersion::Dated(date) => format!("/account-info/{date}/details"),
    }
}

/// Text as one path segment or query value: everything but unreserved characters (RFC 3986) percent-encoded.
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
    fn one_setting_moves_every_path() {
        let dated = ApiVersion::Dated("2026-09".into());
        for (path, expect) in [
            (
                objects(&ApiVersion::V3, Object::Call),
                "/crm/v3/objects/calls",
            ),
            (
                objects(&dated, Object::Contact),
                "/crm/objects/2026-09/contacts",
            ),
            (
                properties(&ApiVersion::V3, Object::Deal),
                "/crm/v3/properties/deals",
            ),
            (
                properties(&dated, Object::Task),
                "/crm/properties/2026-09/tasks",
            ),
            (
                pipelines(&dated, Object::Deal),
                "/crm/pipelines/2026-09/deals",
            ),
            (
                associations(&ApiVersion::V3, Object::Contact, Object::Deal),
                "/crm/v4/associations/contacts/deals",
            ),
            (
                associations(&dated, Object::Contact, Object::Deal),
                "/crm/associations/2026-09/contacts/deals",
            ),
            (account_details(&ApiVersion::V3), "/account-info/v3/details"),
            (account_details(&dated), "/account-info/2026-09/details"),
        ] {
            assert_eq!(path, expect);
        }
    }

    #[test]
    fn reserved_and_foreign_characters_are_encoded() {
        for (text, expect) in [
            ("ada@example.com", "ada%40example.com"),
            ("a+b/c?d#e", "a%2Bb%2Fc%3Fd%23e"),
            ("zoë", "zo%C3%AB"),
            ("", ""),
        ] {
            assert_eq!(percent_encoded(text), expect);
        }
    }
}
