//! What a Pipedrive company needs before Callflume can work with it: checked, and made on request.
//!
//! Pure steps: the shell sends the requests made here and hands the answers back. A dry run sends the checks only. Nothing
//! that exists is ever changed or removed. A custom field's key is chosen by Pipedrive (40 hexadecimal digits), so making a
//! field is half of the work: its key must then stand in the account's `custom_fields`, which [`keys`] and [`made_key`]
//! give. The credential appears in no request and no finding.

use std::collections::BTreeMap;

use callflume_core::effect::Object;
use callflume_core::vendor::{Answer, HttpRequest, Method};
use serde_json::{Map, Value};

use super::build::{PAGE, get, send};
use super::fields::{CONTACT_KEY, DEAL_KEY, OPTED_OUT};
use super::found::text;
use super::paths::{V2, me};
use super::refusal::Refusal;
use crate::settings::Settings;
use crate::setup::{self, Finding, PREPARE, Reader, Said};

const READER: Reader = Reader {
    name: "Pipedrive",
    address: "Pipedrive's",
    said: |status, body| {
        let refusal = Refusal::of_body(body);
        Said {
            reason: refusal.map(|said| said.reason(status)),
            remedy: match (status, refusal) {
                (402, _) => {
                    Some("the company's subscription isn't active: see its billing in Pipedrive")
                }
                (403, None) => Some(
                    "Pipedrive has locked this credential out for sending too much: stop everything that uses it for ten minutes",
                ),
                (403, Some(_)) => {
                    Some("the credential's user or app lacks a permission, or the plan a feature")
                }
                (404, _) => Some("check the account's base address"),
                _ => None,
            },
        }
    },
};

/// Scopes that an OAuth app needs. An API token has its user's permissions.
pub const SCOPES: &[&str] = &["base", "contacts:full", "deals:full", "activities:full"];
/// A further scope that making custom fields needs; it may be withdrawn afterwards.
pub const PREPARE_SCOPES: &[&str] = &["admin"];

/// Types of a field that hold our texts and can be searched.
const TEXT_TYPES: [&str; 3] = ["varchar", "text", "varchar_auto"];

/// A custom field that must exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldSpec {
    /// On which object: contact or deal.
    pub object: Object,
    /// Our name of it, as in the account's `custom_fields`.
    pub name: &'static str,
    /// What people see.
    pub label: &'static str,
}

/// Every custom field that must exist. Calls, tasks and notes have none: their marker is in their text.
pub const REQUIRED_FIELDS: &[FieldSpec] = &[
    FieldSpec {
        object: Object::Contact,
        name: CONTACT_KEY,
        label: "Callflume key",
    },
    FieldSpec {
        object: Object::Contact,
        name: OPTED_OUT,
        label: "Opted out of calls",
    },
    FieldSpec {
        object: Object::Deal,
        name: DEAL_KEY,
        label: "Callflume key",
    },
];

/// Objects with custom fields of ours.
pub const OBJECTS: [Object; 2] = [Object::Contact, Object::Deal];

/// What a company says about itself and the credential's user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountDetails {
    /// Pipedrive's id of the company.
    pub company_id: Option<String>,
    /// The company's part of its address, `<domain>.pipedrive.com`.
    pub domain: Option<String>,
    /// Id of the credential's user: owner of what names none.
    pub user_id: String,
    /// IANA name of the user's time zone. The day's tokens end at midnight of the server's zone, which isn't published.
    pub time_zone: Option<String>,
    /// Currency of deals that name none.
    pub currency: Option<String>,
    /// Whether the user may make custom fields, if Pipedrive says.
    pub administrator: Option<bool>,
}

/// Asks who the credential belongs to.
pub fn account_request() -> HttpRequest {
    get(me())
}

/// Reads who the credential belongs to.
pub fn account(answer: &Answer) -> Result<AccountDetails, Box<Finding>> {
    let what = "credential";
    let document = document(what, answer)?;
    let user = document.get("data").and_then(Value::as_object);
    let user_id = user.and_then(|user| user.get("id").and_then(text));
    let (Some(user), Some(user_id)) = (user, user_id) else {
        return Err(Box::new(READER.unreadable(what)));
    };
    let said = |name: &str| {
        user.get(name)
            .and_then(text)
            .filter(|value| !value.is_empty())
    };
    let administrator = user.get("access").and_then(Value::as_array).map(|access| {
        access.iter().any(|access| {
            let app = access.get("app").and_then(Value::as_str);
            matches!(app, Some("global" | "sales" | "account_settings"))
                && access.get("admin").and_then(Value::as_bool) == Some(true)
        })
    });
    Ok(AccountDetails {
        company_id: said("company_id"),
        domain: said("company_domain"),
        user_id,
        time_zone: said("timezone_name"),
        currency: said("default_currency"),
        administrator,
    })
}

/// Whether the credential's user may make custom fields; asked before preparing.
pub fn may_prepare(account: &AccountDetails) -> Finding {
    let what = "permission to make custom fields".to_owned();
    if account.administrator == Some(false) {
        return Finding::wrong(
            what,
            "the credential's user is no administrator",
            "prepare with an administrator's API token once; the running service doesn't need it",
        );
    }
    Finding::ok(what)
}

/// Compares the scopes that a token reply names (`scope`, separated by commas or blanks) with those needed; with `prepare`
/// also those for making fields.
pub fn scopes(granted: &str, prepare: bool) -> Vec<Finding> {
    let granted: Vec<&str> = granted.split([',', ' ']).collect();
    let further = if prepare { PREPARE_SCOPES } else { &[] };
    setup::scopes(
        SCOPES.iter().chain(further),
        |scope| granted.contains(&scope),
        |scope| {
            format!(
                "add the scope {scope} to the app in Pipedrive's developer hub and let the company install it anew"
            )
        },
    )
}

/// Where an object's fields are defined; none for one without custom fields.
fn fields_path(object: Object) -> Option<String> {
    match object {
        Object::Contact => Some(format!("{V2}/personFields")),
        Object::Deal => Some(format!("{V2}/dealFields")),
        Object::Call | Object::Note | Object::Task => None,
    }
}

/// Asks for the fields of an object; none for one without custom fields.
pub fn fields_request(object: Object) -> Option<HttpRequest> {
    Some(get(format!("{}?limit={PAGE}", fields_path(object)?)))
}

/// Compares an object's fields with those required of it.
pub fn fields(settings: &Settings, object: Object, answer: &Answer) -> Vec<Finding> {
    let existing = match listing(object, answer) {
        Ok(existing) => existing,
        Err(finding) => return vec![*finding],
    };
    REQUIRED_FIELDS
        .iter()
        .filter(|spec| spec.object == object)
        .map(|spec| field(settings, *spec, &existing))
        .collect()
}

/// The keys of those required fields of an object that exist under their label, by our names: what `custom_fields` of the
/// account should hold. Empty when the answer is none.
pub fn keys(object: Object, answer: &Answer) -> BTreeMap<String, String> {
    let existing = listing(object, answer).unwrap_or_default();
    REQUIRED_FIELDS
        .iter()
        .filter(|spec| spec.object == object)
        .filter_map(|spec| {
            let found = existing.iter().find(|entry| labelled(entry, *spec))?;
            Some((spec.name.to_owned(), code(found)?))
        })
        .collect()
}

fn field(settings: &Settings, spec: FieldSpec, existing: &[Value]) -> Finding {
    let what = what(spec);
    let configured = settings.custom_field(spec.name);
    let found = match configured {
        Some(key) => existing
            .iter()
            .find(|entry| code(entry).as_deref() == Some(key)),
        None => existing.iter().find(|entry| labelled(entry, spec)),
    };
    let Some(found) = found else {
        return if configured.is_some() {
            Finding::wrong(
                what,
                "there is no field with the key that the configuration gives",
                format!(
                    "remove `custom_fields.{}` from the account, then {PREPARE}",
                    spec.name
                ),
            )
        } else {
            missing(spec)
        };
    };
    let kind = found.get("field_type").and_then(Value::as_str);
    if !kind.is_some_and(|kind| TEXT_TYPES.contains(&kind)) {
        return Finding::wrong(
            what,
            "its type holds no text",
            format!("rename or delete that field in Pipedrive, then {PREPARE}"),
        );
    }
    match (configured, code(found)) {
        (Some(_), _) => Finding::ok(what),
        (None, Some(key)) => unconfigured(spec, &key),
        (None, None) => READER.unreadable(&what),
    }
}

fn missing(spec: FieldSpec) -> Finding {
    let body: Map<String, Value> = [("field_name", spec.label), ("field_type", "varchar")]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    Finding {
        repair: fields_path(spec.object).map(|path| send(Method::Post, path, body)),
        ..Finding::missing(what(spec), PREPARE)
    }
}

/// How a thing stands after its [`Finding::repair`] was sent: made, but not in the configuration yet.
pub fn repaired(missing: &Finding, answer: &Answer) -> Finding {
    let spec = REQUIRED_FIELDS
        .iter()
        .find(|spec| what(**spec) == missing.what);
    match (spec, made_key(answer)) {
        (Some(spec), Some(key)) => unconfigured(*spec, &key),
        _ => READER.trouble(&missing.what, answer),
    }
}

/// The key of the field that an answer says was made.
pub fn made_key(answer: &Answer) -> Option<String> {
    let Answer::Response {
        status: 200 | 201,
        body,
        ..
    } = answer
    else {
        return None;
    };
    let document = serde_json::from_slice::<Value>(body).ok()?;
    code(document.get("data")?)
}

fn what(spec: FieldSpec) -> String {
    format!("custom field {}", spec.name)
}

fn unconfigured(spec: FieldSpec, key: &str) -> Finding {
    Finding::wrong(
        what(spec),
        "it is there, but the configuration doesn't give its key",
        format!(
            "add `custom_fields.{} = \"{key}\"` to the account",
            spec.name
        ),
    )
}

fn labelled(entry: &Value, spec: FieldSpec) -> bool {
    entry.get("field_name").and_then(Value::as_str) == Some(spec.label)
        && entry.get("is_custom_field").and_then(Value::as_bool) != Some(false)
}

fn code(entry: &Value) -> Option<String> {
    entry
        .get("field_code")
        .and_then(text)
        .filter(|code| !code.is_empty())
}

/// The fields of an object. A company with more than a page of fields is told so rather than half read.
fn listing(object: Object, answer: &Answer) -> Result<Vec<Value>, Box<Finding>> {
    let what = format!("custom fields of {object}s");
    let document = document(&what, answer)?;
    let more = document
        .get("additional_data")
        .and_then(|data| data.get("next_cursor"))
        .and_then(text)
        .is_some();
    match document.get("data") {
        Some(Value::Array(_)) if more => Err(Box::new(Finding::wrong(
            what,
            format!("there are more than {PAGE}"),
            "give the keys of our fields in the account's `custom_fields` by hand",
        ))),
        Some(Value::Array(entries)) => Ok(entries.clone()),
        _ => Err(Box::new(READER.unreadable(&what))),
    }
}

/// The body of a success; Pipedrive refuses with status 200, too.
fn document(what: &str, answer: &Answer) -> Result<Value, Box<Finding>> {
    let document = READER.document(what, answer)?;
    if Refusal::of_body(&document).is_some() {
        return Err(Box::new(READER.trouble(what, answer)));
    }
    Ok(document)
}
