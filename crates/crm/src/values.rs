//! Neutral values and items, as every CRM here reads them.

use callflume_core::effect::Value;
use callflume_core::event::name_parts;
use callflume_core::vendor::Item;

/// A value as plain text: instants in epoch milliseconds, lengths in milliseconds.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::At(at) => at.0.to_string(),
        Value::DurationMs(ms) => ms.to_string(),
        Value::Flag(flag) => flag.to_string(),
    }
}

/// An item's e-mail address as it is looked for: in lower case, without blanks around it.
pub(crate) fn address(item: &Item) -> Option<String> {
    item.email
        .as_deref()
        .map(|email| email.trim().to_lowercase())
        .filter(|email| !email.is_empty())
}

/// First and last name in a full name, for a CRM that keeps one text.
pub(crate) fn names_in(full: Option<&str>) -> (Option<String>, Option<String>) {
    let (first, last) = full.and_then(name_parts).unzip();
    (
        first.map(ToOwned::to_owned),
        last.flatten().map(ToOwned::to_owned),
    )
}
