//! Fields that an org's customer adds, by hand or through the Tooling API.

use serde_json::Value;

use super::records::ObjectKind;
use super::replies::Failure;
use super::schema::{Field, Schema, Type};

/// Objects with custom fields of their own. Tasks have the activity's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FieldOwner {
    Contact,
    Activity,
    Opportunity,
}

impl FieldOwner {
    pub(super) const fn object(self) -> ObjectKind {
        match self {
            Self::Contact => ObjectKind::Contact,
            Self::Activity => ObjectKind::Task,
            Self::Opportunity => ObjectKind::Opportunity,
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "Contact" => Self::Contact,
            "Activity" => Self::Activity,
            "Opportunity" => Self::Opportunity,
            _ => return None,
        })
    }
}

/// A custom field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomField {
    pub on: FieldOwner,
    /// With its `__c`.
    pub name: String,
    pub label: String,
    pub kind: Type,
    /// Longest text, characters; of no meaning for other types.
    pub length: usize,
    pub external_id: bool,
    pub unique: bool,
    /// Whether unique values are told apart by case.
    pub case_sensitive: bool,
    /// Whether the integration may see it.
    pub visible: bool,
    /// Whether the integration may write it.
    pub writable: bool,
}

impl CustomField {
    /// A field of the type given that may be seen and written.
    pub fn new(on: FieldOwner, name: &str, kind: Type) -> Self {
        Self {
            on,
            name: name.to_owned(),
            label: name.trim_end_matches("__c").replace('_', " "),
            kind,
            length: kind.longest(),
            external_id: false,
            unique: false,
            case_sensitive: false,
            visible: true,
            writable: true,
        }
    }

    /// A text of up to 255 characters that is an external id and unique.
    pub fn key(on: FieldOwner, name: &str) -> Self {
        Self {
            external_id: true,
            unique: true,
            ..Self::new(on, name, Type::Text)
        }
    }
}

impl Schema {
    /// Adds a custom field.
    pub(super) fn add(&mut self, field: &CustomField) -> Result<(), Failure> {
        let stem = field.name.strip_suffix("__c").unwrap_or_default();
        let sound = stem.starts_with(|first: char| first.is_ascii_alphabetic())
            && stem
                .chars()
                .all(|one| one.is_ascii_alphanumeric() || one == '_')
            && !stem.contains("__");
        if !sound {
            return Err(Failure::record(
                "INVALID_FIELD_FULLNAME",
                "The name must begin with a letter, hold letters, digits and single underscores, and end in __c",
                &["FullName"],
            ));
        }
        let (max, needs) = (field.length, field.kind.longest());
        if needs > 0 && !(1..=needs).contains(&max) {
            let said = format!("The length must be between 1 and {needs}");
            return Err(Failure::record(
                "FIELD_INTEGRITY_EXCEPTION",
                said,
                &["Metadata"],
            ));
        }
        let keyable = matches!(field.kind, Type::Text | Type::Email | Type::Number);
        if (field.external_id || field.unique) && !keyable {
            let said = "Fields of this type can be neither unique nor external ids";
            return Err(Failure::record(
                "FIELD_INTEGRITY_EXCEPTION",
                said,
                &["Metadata"],
            ));
        }
        let object = field.on.object();
        if self
            .fields
            .contains_key(&(object, field.name.to_lowercase()))
        {
            let said = format!(
                "There is already a field named {stem} on {}.",
                object.name()
            );
            return Err(Failure::record(
                "DUPLICATE_DEVELOPER_NAME",
                said,
                &["DeveloperName"],
            ));
        }
        self.put(object, Field::custom(field));
        Ok(())
    }

    /// Makes a custom field as the Tooling API is asked to; its number among those made so.
    pub(super) fn create(&mut self, body: &Value, visible: bool) -> Result<u64, Failure> {
        let full = body["FullName"].as_str().unwrap_or_default();
        let (owner, name) = full.split_once('.').unwrap_or_default();
        let Some(on) = FieldOwner::named(owner) else {
            let said = format!("Custom fields can't be made on {owner:?}");
            return Err(Failure::record(
                "INVALID_FIELD_FULLNAME",
                said,
                &["FullName"],
            ));
        };
        let about = &body["Metadata"];
        let word = about["type"].as_str().unwrap_or_default();
        let Some(kind) = Type::of_metadata(word) else {
            let said = format!("{word:?} is no type of a custom field");
            return Err(Failure::record(
                "FIELD_INTEGRITY_EXCEPTION",
                said,
                &["Metadata"],
            ));
        };
        if about["label"].as_str().is_none_or(str::is_empty) {
            return Err(Failure::record(
                "REQUIRED_FIELD_MISSING",
                "Required fields are missing: [MasterLabel]",
                &["MasterLabel"],
            ));
        }
        let lines = word != "LongTextArea" || about["visibleLines"].is_u64();
        let number = word != "Number" || about["precision"].is_u64() && about["scale"].is_u64();
        let length = about["length"].as_u64();
        if !lines
            || !number
            || word != "TextArea" && length.is_none() && matches!(kind, Type::Text | Type::LongText)
        {
            let said =
                "The metadata lacks a length, visibleLines, precision or scale that its type needs";
            return Err(Failure::record(
                "FIELD_INTEGRITY_EXCEPTION",
                said,
                &["Metadata"],
            ));
        }
        let said = |name: &str| about[name].as_bool().unwrap_or(false);
        self.add(&CustomField {
            label: about["label"].as_str().unwrap_or_default().to_owned(),
            length: length.map_or(kind.longest(), |length| length as usize),
            external_id: said("externalId"),
            unique: said("unique"),
            case_sensitive: said("caseSensitive"),
            visible,
            ..CustomField::new(on, name, kind)
        })?;
        self.made += 1;
        Ok(self.made)
    }
}
