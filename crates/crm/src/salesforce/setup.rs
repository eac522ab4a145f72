//! What a Salesforce org needs before Callflume can work with it: checked, and made on request.
//!
//! Pure steps: the shell sends the requests made here and [`Finding::repair`], and hands the answers back. A dry run sends
//! the checks only. Nothing that exists is ever changed or removed. Fields can't be made through the data interface; the
//! Tooling API of the same address makes them, if the credential's user may customise the org. A new field is hidden from
//! everybody until a permission set shows it, and Salesforce describes to a user only what that user sees, so a field that
//! was made still wants a hand: the remedy says which. The credential appears in no request and no finding.

use callflume_core::effect::Object;
use callflume_core::vendor::{Answer, HttpRequest, Method};
use serde_json::{Map, Value, json};

use super::build::{KEY_MAX, get, limits, send};
use super::fields::{CALL_RECORDING, CALL_SENTIMENT, key_field, recording_field, sentiment_field};
use super::paths::{base, sobject};
use super::refusal::Refusal;
use super::required::OWN_FIELDS;
pub use super::required::{FieldSpec, Holds, OBJECTS, REQUIRED_FIELDS};
use super::texts::LINE_MAX;
use crate::settings::Settings;
use crate::setup::{Finding, PREPARE, Reader, Said};

const READER: Reader = Reader {
    name: "Salesforce",
    address: "the org's own, `https://<domain>.my.salesforce.com`",
    said: |status, body| {
        let refusal = Refusal::of_body(body);
        let limited = refusal.is_some_and(|it| it.has_code("REQUEST_LIMIT_EXCEEDED"));
        Said {
            reason: refusal.map(|it| it.reason(status)),
            remedy: match status {
                401 => None,
                _ if limited => Some("the org's requests are used up: wait and try again"),
                403 => Some(
                    "give the credential's user API access to this object, and to \"Customize Application\" for preparing, in Salesforce's setup",
                ),
                404 => Some("check the account's base address and `api_version`"),
                _ => None,
            },
        }
    },
};

/// Shows a field to the credential's user.
const SHOW: &str = "give the credential's user read and edit access to it in Salesforce's setup (a permission set with the field's permissions), then check again";
/// Longest text of a long text field, characters.
const LONG_TEXT: u32 = 32_768;

/// OAuth scopes of which the credential needs one.
pub const SCOPES: &[&str] = &["api", "full"];

/// How many requests an org has in any 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrgLimits {
    /// All of them: what `daily_api` of the account's limits should be.
    pub daily_api: u32,
    /// What is left at the moment; may lag behind.
    pub remaining: u32,
}

/// Asks for the org's limits. Any valid credential may.
pub fn limits_request(settings: &Settings) -> HttpRequest {
    limits(settings)
}

/// Reads the org's limits.
pub fn org_limits(answer: &Answer) -> Result<OrgLimits, Box<Finding>> {
    let what = "credential and limits".to_owned();
    let document = READER.document(&what, answer)?;
    let figure = |name: &str| {
        let figure = document.get("DailyApiRequests")?.get(name)?.as_i64()?;
        // A soft limit may be exceeded.
        u32::try_from(figure.max(0)).ok()
    };
    match (figure("Max"), figure("Remaining")) {
        (Some(daily_api), Some(remaining)) => Ok(OrgLimits {
            daily_api,
            remaining,
        }),
        _ => Err(Box::new(READER.unreadable(&what))),
    }
}

/// Whether the scopes that a token reply names (`scope`, separated by blanks) contain one that suffices.
pub fn scopes(granted: &str) -> Finding {
    let what = "scope api".to_owned();
    if granted.split(' ').any(|scope| SCOPES.contains(&scope)) {
        return Finding::ok(what);
    }
    Finding::missing(
        what,
        "add the scope \"Manage user data via APIs (api)\" to the connected app in Salesforce's setup, and connect anew",
    )
}

/// Asks what fields a kind of record has, as the credential's user sees them.
pub fn describe_request(settings: &Settings, object: Object) -> HttpRequest {
    get(format!(
        "{}/sobjects/{}/describe",
        base(settings),
        sobject(object)
    ))
}

/// Compares the fields of a kind of record, one of [`OBJECTS`], with those required of it.
pub fn fields(settings: &Settings, object: Object, answer: &Answer) -> Vec<Finding> {
    let what = format!("fields of {}", sobject(object));
    let existing = match READER.list(&what, answer, "fields") {
        Ok(existing) => existing,
        Err(finding) => return vec![*finding],
    };
    REQUIRED_FIELDS
        .iter()
        .filter(|spec| spec.object == object)
        .map(|spec| field(settings, *spec, &existing))
        .chain(
            OWN_FIELDS
                .iter()
                .filter(|(on, _)| *on == object)
                .map(|(_, names)| own_fields(object, names, &existing)),
        )
        .collect()
}

fn field(settings: &Settings, spec: FieldSpec, existing: &[Value]) -> Finding {
    let what = what(settings, spec);
    let name = name(settings, spec);
    let Some(found) = existing.iter().find(|field| named(field, name)) else {
        return missing(settings, spec);
    };
    let is = |property: &str| found.get(property).and_then(Value::as_bool) == Some(true);
    let kind = found
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let replace = format!(
        "rename or delete that field in Salesforce, or name another as `custom_fields.{}`, then {PREPARE}",
        spec.keeps
    );
    let wrong = |reason: &str, remedy: String| Finding::wrong(what.clone(), reason, remedy);
    match spec.holds {
        Holds::Key if kind != "string" => wrong("its type is not text", replace),
        Holds::Line | Holds::Text if !matches!(kind, "string" | "textarea" | "url") => {
            wrong("its type is not text", replace)
        }
        Holds::Key if !(is("externalId") && is("unique")) => wrong(
            "it is no external id with unique values",
            "tick \"External ID\" and \"Unique\" of that field in Salesforce's setup; without them Callflume would double records".to_owned(),
        ),
        _ if !(is("createable") && is("updateable")) => {
            wrong("the credential's user may not write it", SHOW.to_owned())
        }
        _ => Finding::ok(what),
    }
}

fn own_fields(object: Object, names: &[&str], existing: &[Value]) -> Finding {
    let what = format!("Salesforce's own fields of {}", sobject(object));
    let writable = |name: &&&str| {
        existing.iter().any(|field| {
            named(field, name)
                && field.get("createable").and_then(Value::as_bool) == Some(true)
                && field.get("updateable").and_then(Value::as_bool) == Some(true)
        })
    };
    let locked: Vec<&str> = names
        .iter()
        .filter(|name| !writable(name))
        .copied()
        .collect();
    if locked.is_empty() {
        return Finding::ok(what);
    }
    Finding::wrong(
        what,
        format!(
            "the credential's user may not see or write {}",
            locked.join(", ")
        ),
        "give the credential's user edit access to these fields in Salesforce's setup, then check again",
    )
}

fn named(field: &Value, name: &str) -> bool {
    field
        .get("name")
        .and_then(Value::as_str)
        .is_some_and(|it| it.eq_ignore_ascii_case(name))
}

fn name(settings: &Settings, spec: FieldSpec) -> &str {
    match spec.keeps {
        CALL_SENTIMENT => sentiment_field(settings),
        CALL_RECORDING => recording_field(settings),
        _ => key_field(settings, spec.object),
    }
}

fn what(settings: &Settings, spec: FieldSpec) -> String {
    format!("field {}", full_name(settings, spec))
}

/// Fields of tasks are made on what tasks and events have in common.
fn full_name(settings: &Settings, spec: FieldSpec) -> String {
    let on = match spec.object {
        Object::Call | Object::Note | Object::Task => "Activity",
        Object::Contact | Object::Deal => sobject(spec.object),
    };
    format!("{on}.{}", name(settings, spec))
}

fn missing(settings: &Settings, spec: FieldSpec) -> Finding {
    let mut metadata = Map::new();
    let mut put = |name: &str, value: Value| metadata.insert(name.to_owned(), value);
    put("label", spec.label.into());
    put("description", "Written by Callflume; do not edit.".into());
    match spec.holds {
        Holds::Key => {
            put("type", "Text".into());
            put("length", KEY_MAX.into());
            put("externalId", true.into());
            put("unique", true.into());
            put("caseSensitive", false.into());
        }
        Holds::Line => {
            put("type", "Text".into());
            put("length", LINE_MAX.into());
        }
        Holds::Text => {
            put("type", "LongTextArea".into());
            put("length", LONG_TEXT.into());
            put("visibleLines", 3.into());
        }
    }
    let body = json!({"FullName": full_name(settings, spec), "Metadata": metadata});
    Finding::to_make(
        what(settings, spec),
        send(
            Method::Post,
            format!("{}/tooling/sobjects/CustomField", base(settings)),
            body.to_string().into_bytes(),
        ),
    )
}

/// How a field stands after its [`Finding::repair`] was sent: made, or there before, it waits to be shown to the
/// credential's user; a further check tells whether it is the right one.
pub fn repaired(missing: &Finding, answer: &Answer) -> Finding {
    let what = &missing.what;
    let hidden = |reason: &str| Finding::wrong(what.clone(), reason, SHOW);
    let Answer::Response { status, body, .. } = answer else {
        return READER.trouble(what, answer);
    };
    let body = serde_json::from_slice::<Value>(body).unwrap_or_default();
    let made =
        matches!(status, 200 | 201) && body.get("success").and_then(Value::as_bool) == Some(true);
    let refusal = Refusal::of_body(&body);
    let there = *status == 400 && refusal.is_some_and(|it| it.has_code("DUPLICATE_DEVELOPER_NAME"));
    if made {
        hidden("made; the credential's user may not see it yet")
    } else if there {
        hidden("it is there, but the credential's user may not see it")
    } else if matches!(status, 200 | 201) {
        READER.unreadable(what)
    } else {
        READER.trouble(what, answer)
    }
}
