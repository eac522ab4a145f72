//! Properties of each object: which exist, what values they take, which are unique.
//!
//! Invariants: a property exists only if it is standard or was created (a typo is refused, never stored); a value is a
//! string and is stored in one canonical form (instants as ISO, e-mail addresses in lower case); whether a property is
//! unique is settled when it is made. Value checks beyond e-mail and existence are chosen, not documented.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::config::{CustomProperty, SetupError};
use super::groups::{Groups, first_group};
use super::records::{ObjectKind, Values};
use super::replies::{BadValue, Refusal, iso};
use super::standard::standard_properties;

/// Longest text of one property, characters.
pub const MAX_TEXT_CHARS: usize = 65_536;
/// Unique properties one object may have.
pub const MAX_UNIQUE_PROPERTIES: usize = 10;

/// What a property takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ValueKind {
    Text,
    Number,
    DateTime,
    Email,
    Choice(Vec<String>),
    Owner,
    Pipeline,
    Stage,
    ReadOnly,
}

#[derive(Debug, Clone)]
pub(super) struct Property {
    pub(super) name: Arc<str>,
    label: String,
    kind: ValueKind,
    pub(super) unique: bool,
    own: bool,
    field_type: String,
    group: String,
}

impl Property {
    fn standard(name: &str, kind: ValueKind, object: ObjectKind) -> Self {
        Self {
            name: name.into(),
            label: name.to_owned(),
            unique: kind == ValueKind::Email,
            kind,
            own: false,
            field_type: "text".to_owned(),
            group: first_group(object),
        }
    }

    fn type_name(&self) -> &'static str {
        match self.kind {
            ValueKind::Number => "number",
            ValueKind::DateTime => "datetime",
            ValueKind::Choice(_) | ValueKind::Owner | ValueKind::Pipeline | ValueKind::Stage => {
                "enumeration"
            }
            _ => "string",
        }
    }

    fn body(&self) -> Value {
        let options: Vec<Value> = match &self.kind {
            ValueKind::Choice(choices) => choices
                .iter()
                .map(|choice| json!({"label": choice, "value": choice, "hidden": false}))
                .collect(),
            _ => Vec::new(),
        };
        json!({
            "name": &*self.name,
            "label": self.label,
            "type": self.type_name(),
            "fieldType": self.field_type,
            "groupName": self.group,
            "description": "",
            "options": options,
            "hasUniqueValue": self.unique,
            "hubspotDefined": !self.own,
            "calculated": false,
            "hidden": false,
            "archived": false,
            "modificationMetadata": {
                "archivable": self.own,
                "readOnlyDefinition": !self.own,
                "readOnlyValue": self.kind == ValueKind::ReadOnly,
            },
        })
    }
}

/// Values that only the account knows: its owners and pipelines.
pub(super) trait Reference {
    fn owner_exists(&self, id: &str) -> bool;
    fn pipeline_exists(&self, id: &str) -> bool;
    fn stage_exists(&self, pipeline: &str, id: &str) -> bool;
}

/// The properties of every object, and the groups they are in.
#[derive(Debug)]
pub(super) struct Schema {
    objects: [BTreeMap<Arc<str>, Property>; ObjectKind::COUNT],
    groups: [Groups; ObjectKind::COUNT],
}

impl Schema {
    pub(super) fn new(own: &[CustomProperty]) -> Result<Self, SetupError> {
        let mut schema = Self {
            objects: ObjectKind::ALL.map(|object| {
                standard_properties(object)
                    .into_iter()
                    .map(|(name, kind)| {
                        let property = Property::standard(name, kind, object);
                        (property.name.clone(), property)
                    })
                    .collect()
            }),
            groups: ObjectKind::ALL.map(Groups::of),
        };
        for wanted in own {
            let properties = &mut schema.objects[wanted.object.index()];
            let property = Property {
                unique: wanted.unique,
                own: true,
                ..Property::standard(&wanted.name, ValueKind::Text, wanted.object)
            };
            if properties.insert(property.name.clone(), property).is_some() {
                return Err(SetupError::PropertyExists(wanted.name.clone()));
            }
        }
        Ok(schema)
    }

    pub(super) fn property(&self, object: ObjectKind, name: &str) -> Option<&Property> {
        self.objects[object.index()].get(name)
    }

    /// Body of `GET /crm/v3/properties/{object}`.
    pub(super) fn list(&self, object: ObjectKind) -> Value {
        let results: Vec<Value> = self.objects[object.index()]
            .values()
            .map(Property::body)
            .collect();
        json!({"results": results})
    }

    pub(super) fn body(&self, object: ObjectKind, name: &str) -> Result<Value, Refusal> {
        self.property(object, name)
            .map(Property::body)
            .ok_or_else(Refusal::not_found)
    }

    /// The groups of an object's properties.
    pub(super) fn groups(&self, object: ObjectKind) -> &Groups {
        &self.groups[object.index()]
    }

    /// The same, to make one.
    pub(super) fn groups_mut(&mut self, object: ObjectKind) -> &mut Groups {
        &mut self.groups[object.index()]
    }

    /// Creates a property from the body of a request; returns the reply's body.
    pub(super) fn create(&mut self, object: ObjectKind, body: &Value) -> Result<Value, Refusal> {
        let text = |field| required_text(body, field);
        let (name, label, type_name) = (text("name")?, text("label")?, text("type")?);
        let (field_type, group) = (text("fieldType")?, text("groupName")?);
        well_named("Property", name)?;
        if self.property(object, name).is_some() {
            return Err(Refusal::new(
                409,
                "OBJECT_ALREADY_EXISTS",
                format!("A property named '{name}' already exists."),
            ));
        }
        if !self.groups(object).holds(group) {
            return Err(Refusal::invalid(format!(
                "Property group \"{group}\" does not exist"
            )));
        }
        let kind = match type_name {
            "string" | "phone_number" | "json" => ValueKind::Text,
            "number" => ValueKind::Number,
            "datetime" | "date" => ValueKind::DateTime,
            "bool" => ValueKind::Choice(vec!["true".to_owned(), "false".to_owned()]),
            "enumeration" => ValueKind::Choice(option_values(body)),
            other => {
                return Err(Refusal::invalid(format!(
                    "Property type \"{other}\" is invalid"
                )));
            }
        };
        let unique = body.get("hasUniqueValue").and_then(Value::as_bool) == Some(true);
        let properties = &mut self.objects[object.index()];
        let own_unique = properties.values().filter(|it| it.own && it.unique).count();
        if unique && own_unique >= MAX_UNIQUE_PROPERTIES {
            return Err(Refusal::invalid(format!(
                "An object can have at most {MAX_UNIQUE_PROPERTIES} properties with unique values"
            )));
        }
        let property = Property {
            name: name.into(),
            label: label.to_owned(),
            kind,
            unique,
            own: true,
            field_type: field_type.to_owned(),
            group: group.to_owned(),
        };
        let reply = property.body();
        properties.insert(property.name.clone(), property);
        Ok(reply)
    }

    /// Checks the `properties` of one write and brings each value into its stored form. `pipeline` is the record's present one.
    pub(super) fn checked(
        &self,
        object: ObjectKind,
        properties: &Map<String, Value>,
        pipeline: Option<&str>,
        reference: &dyn Reference,
        portal_id: u64,
    ) -> Result<Values, Refusal> {
        let mut bad = Vec::new();
        let mut stored = Vec::with_capacity(properties.len());
        let new_pipeline = properties.get("pipeline").and_then(Value::as_str);
        for (name, value) in properties {
            let Some(value) = value.as_str() else {
                return Err(Refusal::invalid(format!(
                    "Invalid input JSON: the value of property \"{name}\" is not a string"
                )));
            };
            let Some(property) = self.property(object, name) else {
                bad.push(BadValue::unknown_property(name, portal_id));
                continue;
            };
            let pipeline = new_pipeline.or(pipeline).unwrap_or("default");
            match property.stored(value, pipeline, reference) {
                Ok(value) => stored.push((property.name.clone(), value)),
                Err(problem) => bad.push(problem),
            }
        }
        if bad.is_empty() {
            Ok(stored)
        } else {
            Err(BadValue::refusal(&bad))
        }
    }
}

impl Property {
    fn stored(
        &self,
        value: &str,
        pipeline: &str,
        reference: &dyn Reference,
    ) -> Result<Arc<str>, BadValue> {
        let refuse = |error, message| Err(BadValue::new(&self.name, error, message));
        if self.kind == ValueKind::ReadOnly {
            let message = format!(
                "\"{}\" is a read only property; its value cannot be set.",
                self.name
            );
            return refuse("READ_ONLY_VALUE", message);
        }
        if value.chars().count() > MAX_TEXT_CHARS {
            let message = format!(
                "\"{}\" is longer than {MAX_TEXT_CHARS} characters",
                self.name
            );
            return refuse("PROPERTY_VALUE_TOO_LONG", message);
        }
        // An empty string clears the value, whatever the kind.
        if value.is_empty() {
            return Ok("".into());
        }
        let not_an_option = |what: &str| {
            refuse(
                "INVALID_OPTION",
                format!(
                    "{value} was not one of the allowed {what} of \"{}\"",
                    self.name
                ),
            )
        };
        match &self.kind {
            ValueKind::Text | ValueKind::ReadOnly => Ok(value.into()),
            ValueKind::Number => match value.trim().parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(value.into()),
                _ => refuse("INVALID_NUMBER", format!("{value} was not a valid number.")),
            },
            ValueKind::DateTime => instant(value).map_or_else(
                || refuse("INVALID_DATE", format!("{value} was not a valid instant.")),
                |at_ms| Ok(iso(at_ms).into()),
            ),
            ValueKind::Email if valid_email(value) => Ok(value.trim().to_lowercase().into()),
            ValueKind::Email => {
                refuse("INVALID_EMAIL", format!("Email address {value} is invalid"))
            }
            ValueKind::Choice(choices) if choices.iter().any(|it| it == value) => Ok(value.into()),
            ValueKind::Choice(_) => not_an_option("options"),
            ValueKind::Owner if reference.owner_exists(value) => Ok(value.into()),
            ValueKind::Owner => refuse(
                "INVALID_OWNER_ID",
                format!("{value} is not the id of an owner."),
            ),
            ValueKind::Pipeline if reference.pipeline_exists(value) => Ok(value.into()),
            ValueKind::Pipeline => not_an_option("pipelines"),
            ValueKind::Stage if reference.stage_exists(pipeline, value) => Ok(value.into()),
            ValueKind::Stage => not_an_option("stages"),
        }
    }
}

/// A text that a body must hold.
pub(super) fn required_text<'a>(body: &'a Value, field: &str) -> Result<&'a str, Refusal> {
    body.get(field)
        .and_then(Value::as_str)
        .filter(|value| !value.is_empty())
        .ok_or_else(|| {
            Refusal::invalid(format!(
                "Invalid input JSON: required field \"{field}\" was not set"
            ))
        })
}

/// Refuses what can't be a name in the schema; `what` is to be named.
pub(super) fn well_named(what: &str, name: &str) -> Result<(), Refusal> {
    let well = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .chars()
            .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_');
    if well {
        return Ok(());
    }
    Err(Refusal::invalid(format!(
        "{what} name \"{name}\" is invalid: it must start with a letter and hold only lowercase letters, numbers and \
         underscores"
    )))
}

/// Epoch milliseconds of an ISO instant or of epoch milliseconds in text.
pub(super) fn instant(value: &str) -> Option<i64> {
    let at_ms = match value.parse::<i64>() {
        Ok(at_ms) => at_ms,
        Err(_) => value.parse::<Timestamp>().ok()?.as_millisecond(),
    };
    Timestamp::from_millisecond(at_ms).ok().map(|_| at_ms)
}

fn valid_email(value: &str) -> bool {
    let Some((local, domain)) = value.trim().split_once('@') else {
        return false;
    };
    let Some((name, top)) = domain.rsplit_once('.') else {
        return false;
    };
    let plain = |text: &str| {
        !text.is_empty() && !text.contains(|it: char| it.is_whitespace() || it == '@' || it == ',')
    };
    plain(local) && plain(name) && top.chars().count() >= 2 && top.chars().all(char::is_alphabetic)
}

fn option_values(body: &Value) -> Vec<String> {
    body.get("options")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|option| option.get("value").and_then(Value::as_str))
        .map(str::to_owned)
        .collect()
}
