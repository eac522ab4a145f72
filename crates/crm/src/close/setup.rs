//! What a Close organisation needs before Callflume can work with it: checked, and made on request.
//!
//! Pure steps: the shell sends the requests made here and [`Finding::repair`], and hands the answers back. A dry run
//! sends the checks only. Nothing that exists is ever changed or removed. Close names custom fields by ids of its own,
//! so a field that is there is usable only once the account's configuration names its id; the remedy says which line.

use callflume_core::effect::Object;
use callflume_core::vendor::{Answer, HttpRequest};
use serde_json::{Value, json};

use super::build::{PAGE, get, me, post};
use super::fields::{DEAL_KEY_FIELD, KEY_FIELD, OPTED_OUT_FIELD, SENTIMENT_FIELD};
use super::ids::is_custom_field;
use super::refusal::Refusal;
use crate::settings::Settings;
use crate::setup::{Finding, PREPARE, Reader, Said};

const READER: Reader = Reader {
    name: "Close",
    address: "Close's",
    said: |status, body| Said {
        reason: Refusal::of_body(body).map(|refusal| refusal.reason(status)),
        remedy: match status {
            401 => Some(
                "the credential is refused: store a valid API key, or set `oauth = true` for an OAuth token",
            ),
            402 => Some(
                "the organisation's plan doesn't include this, or a payment is due: see its billing page in Close",
            ),
            403 => Some(
                "give the credential's user the right to manage custom fields and to edit leads in Close",
            ),
            404 => Some("check that the account's base address is Close's"),
            _ => None,
        },
    },
};

/// A custom field that must exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldSpec {
    /// On which object: contacts or opportunities.
    pub object: Object,
    /// What Callflume keeps there: its name in the account's `custom_fields`.
    pub keeps: &'static str,
    /// What people see in Close.
    pub name: &'static str,
}

/// Every custom field that must exist, all of type `text`, in the order to make them.
pub const REQUIRED_FIELDS: [FieldSpec; 4] = [
    FieldSpec {
        object: Object::Contact,
        keeps: KEY_FIELD,
        name: "Callflume key",
    },
    FieldSpec {
        object: Object::Contact,
        keeps: OPTED_OUT_FIELD,
        name: "Callflume opted out",
    },
    FieldSpec {
        object: Object::Contact,
        keeps: SENTIMENT_FIELD,
        name: "Callflume sentiment",
    },
    FieldSpec {
        object: Object::Deal,
        keeps: DEAL_KEY_FIELD,
        name: "Callflume key",
    },
];

/// Asks whom the credential belongs to.
pub fn credential_request() -> HttpRequest {
    me()
}

/// Whether the credential is good.
pub fn credential(answer: &Answer) -> Finding {
    let what = "credential".to_owned();
    match READER.document(&what, answer) {
        Ok(document) if document.get("id").and_then(Value::as_str).is_some() => Finding::ok(what),
        Ok(_) => READER.unreadable(&what),
        Err(finding) => *finding,
    }
}

/// Asks for the custom fields of an object, after the first `skip` of them.
pub fn fields_request(object: Object, skip: usize) -> HttpRequest {
    let skip = if skip == 0 {
        String::new()
    } else {
        format!("&_skip={skip}")
    };
    get(format!("{}?_limit={PAGE}{skip}", path(object)))
}

/// How many custom fields this page and those before it held, if there are more.
pub fn more_fields(skipped: usize, answer: &Answer) -> Option<usize> {
    let document = READER.document("custom fields", answer).ok()?;
    let records = document.get("data")?.as_array()?.len();
    let more = document.get("has_more").and_then(Value::as_bool) == Some(true);
    (more && records > 0).then_some(skipped + records)
}

/// Compares an object's custom fields, page by page, with those required of it.
pub fn fields(settings: &Settings, object: Object, pages: &[Answer]) -> Vec<Finding> {
    let what = format!("custom fields of {}", plural(object));
    let mut existing = Vec::new();
    for page in pages {
        match READER.list(&what, page, "data") {
            Ok(records) => existing.extend(records),
            Err(finding) => return vec![*finding],
        }
    }
    REQUIRED_FIELDS
        .iter()
        .filter(|spec| spec.object == object)
        .map(|spec| field(settings, spec, &existing))
        .collect()
}

fn field(settings: &Settings, spec: &FieldSpec, existing: &[Value]) -> Finding {
    let what = format!("custom field {} of {}", spec.keeps, plural(spec.object));
    let said = |record: &Value, name: &str| {
        record
            .get(name)
            .and_then(Value::as_str)
            .map(ToOwned::to_owned)
    };
    let Some(id) = settings.custom_field(spec.keeps) else {
        let by_name = existing
            .iter()
            .find(|record| said(record, "name").as_deref() == Some(spec.name));
        return match by_name.and_then(|record| said(record, "id")) {
            Some(id) => Finding::wrong(
                what,
                "the configuration doesn't name its id",
                line(spec, &id),
            ),
            None => Finding::to_make(
                what,
                post(
                    path(spec.object),
                    json!({"name": spec.name, "type": "text"}),
                ),
            ),
        };
    };
    let found = existing
        .iter()
        .find(|record| is_custom_field(id) && said(record, "id").as_deref() == Some(id));
    match found {
        None => Finding::wrong(
            what,
            format!("Close has no custom field `{id}` there"),
            format!(
                "remove `{}` from the account's `custom_fields`, run `callflume provision`, then {PREPARE}",
                spec.keeps
            ),
        ),
        Some(record) if said(record, "type").as_deref() != Some("text") => Finding::wrong(
            what,
            "its type is not `text`",
            "set its type to text in Close, or name another field",
        ),
        Some(record)
            if record
                .get("accepts_multiple_values")
                .and_then(Value::as_bool)
                == Some(true) =>
        {
            Finding::wrong(
                what,
                "it takes several values",
                "let it take one value in Close, or name another field",
            )
        }
        Some(_) => Finding::ok(what),
    }
}

/// How a field stands after its [`Finding::repair`] was sent: made, it waits for the configuration to name it.
pub fn repaired(missing: &Finding, answer: &Answer) -> Finding {
    let what = missing.what.clone();
    let Some(spec) = REQUIRED_FIELDS
        .iter()
        .find(|spec| what.starts_with(&format!("custom field {} ", spec.keeps)))
    else {
        return READER.trouble(&what, answer);
    };
    match READER.document(&what, answer) {
        Ok(document) => match document.get("id").and_then(Value::as_str) {
            Some(id) => Finding::wrong(
                what,
                "made; the configuration doesn't name its id yet",
                line(spec, id),
            ),
            None => READER.unreadable(&what),
        },
        Err(finding) => *finding,
    }
}

/// The line of the configuration that names a field.
fn line(spec: &FieldSpec, id: &str) -> String {
    let id: String = id.chars().take(100).collect();
    format!(
        "set custom_fields.{} = \"{id}\" for the account, then run `callflume provision`",
        spec.keeps
    )
}

const fn path(object: Object) -> &'static str {
    match object {
        Object::Deal => "/custom_field/opportunity/",
        _ => "/custom_field/contact/",
    }
}

const fn plural(object: Object) -> &'static str {
    match object {
        Object::Deal => "opportunities",
        _ => "contacts",
    }
}
