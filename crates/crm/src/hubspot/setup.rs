//! What a HubSpot account needs before Callflume can work with it: checked, and made on request.
//!
//! Pure steps: the shell sends [`Finding::repair`] and the requests made here, and hands the answers back. A dry run
//! sends the checks only. Nothing that exists is ever changed or removed; what is wrong is reported with a remedy.
//! The credential appears in one request ([`token_request`], [`oauth_token_request`]) and in no finding.

use callflume_core::effect::Object;
use callflume_core::vendor::{Answer, HttpRequest};
use serde_json::{Value, json};

use super::build::{get, post};
use super::paths::{account_details, percent_encoded, plural, properties};
use super::properties::{KEY_PROPERTY, OPTED_OUT_PROPERTY, SENTIMENT_PROPERTY};
use super::refusal::{Refusal, texts};
use crate::refusal::bare_reason;
use crate::settings::Settings;
use crate::setup::{self, Finding, PREPARE, Reader, Said};

const READER: Reader = Reader {
    name: "HubSpot",
    address: "HubSpot's",
    said: |status, body| {
        let bare = bare_reason(status);
        let said = Refusal::of_body(body).map(|refusal| refusal.reason(status));
        Said {
            reason: said
                .filter(|said| *said != bare)
                .map(|said| format!("{bare}: {said}")),
            remedy: match status {
                403 => Some("add the missing scope to the app in HubSpot's settings"),
                404 => Some("check the account's `api_version`"),
                _ => None,
            },
        }
    },
};

/// The group that our properties are in.
pub const GROUP: &str = "callflume";

/// Scopes that the running service needs. Calls, notes and tasks come with those of contacts.
pub const SCOPES: &[&str] = &[
    "crm.objects.contacts.read",
    "crm.objects.contacts.write",
    "crm.objects.deals.read",
    "crm.objects.deals.write",
    "crm.objects.owners.read",
];

/// Further scopes that making properties needs; they may be withdrawn afterwards.
pub const PREPARE_SCOPES: &[&str] = &["crm.schemas.contacts.write", "crm.schemas.deals.write"];

/// A property that must exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PropertySpec {
    /// On which object.
    pub object: Object,
    /// Its name.
    pub name: &'static str,
    /// What people see.
    pub label: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// Whether no two records may have the same value. Can't be changed once the property exists.
    pub unique: bool,
}

/// Every property that must exist, in the order to make them.
pub fn required_properties() -> Vec<PropertySpec> {
    let key = Object::ALL.map(|object| PropertySpec {
        object,
        name: KEY_PROPERTY,
        label: "Callflume key",
        description: "Identifies the record to Callflume. Written by Callflume; do not edit.",
        unique: true,
    });
    let mut all = key.to_vec();
    all.push(PropertySpec {
        object: Object::Contact,
        name: OPTED_OUT_PROPERTY,
        label: "Opted out of calls",
        description: "`true` once the person asked not to be called again. Written by Callflume.",
        unique: false,
    });
    all.push(PropertySpec {
        object: Object::Call,
        name: SENTIMENT_PROPERTY,
        label: "Call sentiment",
        description: "`positive`, `neutral` or `negative`. Written by Callflume.",
        unique: false,
    });
    all
}

/// What an account says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountDetails {
    /// IANA name of its time zone: its day's quota ends at midnight there.
    pub time_zone: String,
    /// HubSpot's id of the account, if given.
    pub hub_id: Option<String>,
}

/// Asks for the account's details.
pub fn account_request(settings: &Settings) -> HttpRequest {
    get(account_details(settings.api()))
}

/// Reads the account's details.
pub fn account(answer: &Answer) -> Result<AccountDetails, Box<Finding>> {
    let what = "account details".to_owned();
    let document = READER.document(&what, answer)?;
    let time_zone = document
        .get("timeZone")
        .and_then(Value::as_str)
        .filter(|zone| !zone.is_empty());
    match time_zone {
        Some(zone) => Ok(AccountDetails {
            time_zone: zone.to_owned(),
            hub_id: document.get("portalId").and_then(super::refusal::text),
        }),
        None => Err(Box::new(Finding::wrong(
            what,
            "HubSpot named no time zone",
            "set the account's time zone in Callflume's configuration",
        ))),
    }
}

/// Asks which scopes a private app's token or service key has. HubSpot wants the token in the body, too.
pub fn token_request(token: &str) -> HttpRequest {
    post(
        "/oauth/v2/private-apps/get/access-token-info".to_owned(),
        &json!({"tokenKey": token}),
    )
}

/// The same for an OAuth access token. HubSpot wants the token in the path: this request is not to be shown to anybody.
pub fn oauth_token_request(token: &str) -> HttpRequest {
    get(format!(
        "/oauth/v1/access-tokens/{}",
        percent_encoded(token)
    ))
}

/// Compares the scopes that HubSpot names with those needed; with `prepare` also those for making properties.
pub fn scopes(answer: &Answer, prepare: bool) -> Vec<Finding> {
    let what = "scopes of the credential".to_owned();
    let granted = match READER.document(&what, answer) {
        Ok(document) => match document.get("scopes") {
            Some(scopes @ Value::Array(_)) => texts(scopes),
            _ => {
                return vec![Finding::wrong(
                    what,
                    "HubSpot named no scopes",
                    "compare the app's scopes in HubSpot's settings with the documentation",
                )];
            }
        },
        Err(finding) => return vec![*finding],
    };
    let further = if prepare { PREPARE_SCOPES } else { &[] };
    setup::scopes(
        SCOPES.iter().chain(further),
        |scope| granted.iter().any(|has| has == scope),
        |scope| format!("add the scope {scope} to the app in HubSpot's settings"),
    )
}

/// Asks for the property groups of an object.
pub fn groups_request(settings: &Settings, object: Object) -> HttpRequest {
    get(format!("{}/groups", properties(settings.api(), object)))
}

/// Whether our group is among them. It must be there before a property can be made in it.
pub fn group(settings: &Settings, object: Object, answer: &Answer) -> Finding {
    let what = format!("property group {}.{GROUP}", plural(object));
    let groups = match READER.list(&what, answer, "results") {
        Ok(groups) => groups,
        Err(finding) => return *finding,
    };
    if groups.iter().any(|group| named(group, GROUP)) {
        return Finding::ok(what);
    }
    Finding::to_make(
        what,
        post(
            format!("{}/groups", properties(settings.api(), object)),
            &json!({"name": GROUP, "label": "Callflume", "displayOrder": -1}),
        ),
    )
}

/// Asks for the properties of an object.
pub fn properties_request(settings: &Settings, object: Object) -> HttpRequest {
    get(properties(settings.api(), object))
}

/// Compares an object's properties with those required of it.
pub fn object_properties(settings: &Settings, object: Object, answer: &Answer) -> Vec<Finding> {
    let existing = match READER.list(
        &format!("properties of {}", plural(object)),
        answer,
        "results",
    ) {
        Ok(existing) => existing,
        Err(finding) => return vec![*finding],
    };
    required_properties()
        .into_iter()
        .filter(|spec| spec.object == object)
        .map(|spec| property(settings, spec, &existing))
        .collect()
}

fn property(settings: &Settings, spec: PropertySpec, existing: &[Value]) -> Finding {
    let what = format!("property {}.{}", plural(spec.object), spec.name);
    let Some(found) = existing.iter().find(|entry| named(entry, spec.name)) else {
        return Finding::to_make(what, create_property(settings, spec));
    };
    let kind = found
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if kind != "string" {
        return Finding::wrong(
            what,
            "its type is not `string`",
            format!("rename or delete that property in HubSpot, then {PREPARE}"),
        );
    }
    let unique = found.get("hasUniqueValue").and_then(Value::as_bool);
    if spec.unique && unique != Some(true) {
        return Finding::wrong(
            what,
            "its values are not unique",
            format!("HubSpot can't make it unique afterwards: delete it there, then {PREPARE}"),
        );
    }
    Finding::ok(what)
}

fn create_property(settings: &Settings, spec: PropertySpec) -> HttpRequest {
    post(
        properties(settings.api(), spec.object),
        &json!({
            "name": spec.name,
            "label": spec.label,
            "description": spec.description,
            "groupName": GROUP,
            "type": "string",
            "fieldType": "text",
            "hasUniqueValue": spec.unique,
        }),
    )
}

/// How a thing stands after its [`Finding::repair`] was sent. One that is there by now is as it must be; a further
/// check tells whether it is the right one.
pub fn repaired(missing: &Finding, answer: &Answer) -> Finding {
    let what = &missing.what;
    match answer {
        Answer::Response {
            status: 200 | 201 | 409,
            ..
        } => Finding::ok(what.clone()),
        _ => READER.trouble(what, answer),
    }
}

fn named(entry: &Value, name: &str) -> bool {
    entry.get("name").and_then(Value::as_str) == Some(name)
        && entry.get("archived").and_then(Value::as_bool) != Some(true)
}
