//! Which objects and fields there are, and what an org's customer adds to them.
//!
//! Field names compare without regard to case, as the vendor's do. A field that may not be seen is answered like one that
//! isn't there.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::config::SetupError;
use super::custom::{CustomField, FieldOwner};
use super::records::ObjectKind;
use super::standard::{CLOSED, COMMON, REQUIRED, STANDARD, Writing};

/// Type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    Id,
    Text,
    /// Can't be compared in a query.
    LongText,
    Email,
    Phone,
    Url,
    Number,
    Whole,
    Flag,
    /// `YYYY-MM-DD`.
    Date,
    /// A date and a time.
    Instant,
    /// One of a closed list.
    OneOf(&'static [&'static str]),
    /// One of the org's stages.
    Stage,
    /// The id of a record of one of these objects.
    Reference(&'static [ObjectKind]),
}

impl Type {
    /// The vendor's word in a description of an object.
    const fn word(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Text => "string",
            Self::LongText => "textarea",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Url => "url",
            Self::Number => "double",
            Self::Whole => "int",
            Self::Flag => "boolean",
            Self::Date => "date",
            Self::Instant => "datetime",
            Self::OneOf(_) | Self::Stage => "picklist",
            Self::Reference(_) => "reference",
        }
    }

    /// Whether values are texts that queries compare without regard to case.
    pub(super) const fn is_text(self) -> bool {
        matches!(
            self,
            Self::Text
                | Self::LongText
                | Self::Email
                | Self::Phone
                | Self::Url
                | Self::OneOf(_)
                | Self::Stage
        )
    }

    /// The type of this word in the Tooling API's metadata.
    pub(super) fn of_metadata(word: &str) -> Option<Self> {
        Some(match word {
            "Text" => Self::Text,
            "LongTextArea" | "TextArea" => Self::LongText,
            "Email" => Self::Email,
            "Phone" => Self::Phone,
            "Url" => Self::Url,
            "Number" => Self::Number,
            "Checkbox" => Self::Flag,
            "Date" => Self::Date,
            "DateTime" => Self::Instant,
            _ => return None,
        })
    }

    pub(super) const fn longest(self) -> usize {
        match self {
            Self::Text | Self::Url => 255,
            Self::LongText => 131_072,
            Self::Email => 80,
            Self::Phone => 40,
            _ => 0,
        }
    }
}

/// A field as the model works with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) label: String,
    pub(super) kind: Type,
    pub(super) max: usize,
    pub(super) writing: Writing,
    pub(super) required: bool,
    pub(super) external_id: bool,
    pub(super) unique: bool,
    pub(super) case_sensitive: bool,
    pub(super) visible: bool,
    pub(super) custom: bool,
}

impl Field {
    fn plain(name: &str, label: &str, kind: Type) -> Self {
        Self {
            name: name.to_owned(),
            label: label.to_owned(),
            kind,
            max: 0,
            writing: Writing::Never,
            required: false,
            external_id: false,
            unique: false,
            case_sensitive: false,
            visible: true,
            custom: false,
        }
    }

    pub(super) fn custom(field: &CustomField) -> Self {
        Self {
            max: field.length,
            writing: if field.writable {
                Writing::Always
            } else {
                Writing::Never
            },
            external_id: field.external_id,
            unique: field.unique,
            case_sensitive: field.case_sensitive,
            visible: field.visible,
            custom: true,
            ..Self::plain(&field.name, &field.label, field.kind)
        }
    }

    /// A value as it is compared.
    pub(super) fn folded(&self, text: &str) -> String {
        if self.case_sensitive || !self.kind.is_text() {
            text.to_owned()
        } else {
            text.to_lowercase()
        }
    }

    /// Whether records are found by it without looking at all of them.
    pub(super) const fn is_indexed(&self) -> bool {
        self.external_id
            || self.unique
            || matches!(self.kind, Type::Email | Type::Phone | Type::Reference(_))
    }

    fn described(&self, stages: &[&str]) -> Value {
        let (references, choices) = match self.kind {
            Type::Reference(to) => (to.iter().map(|kind| kind.name()).collect(), Vec::new()),
            Type::OneOf(choices) => (Vec::new(), choices.to_vec()),
            Type::Stage => (Vec::new(), stages.to_vec()),
            _ => (Vec::new(), Vec::new()),
        };
        let choices: Vec<Value> = choices
            .into_iter()
            .map(|choice| json!({"active": true, "defaultValue": false, "label": choice, "value": choice}))
            .collect();
        json!({
            "name": self.name, "label": self.label, "type": self.kind.word(), "length": self.max,
            "createable": self.writing != Writing::Never, "updateable": self.writing == Writing::Always,
            "nillable": !self.required && self.kind != Type::Flag, "custom": self.custom,
            "externalId": self.external_id, "unique": self.unique, "caseSensitive": self.case_sensitive,
            "idLookup": self.external_id || self.kind == Type::Id,
            "filterable": self.kind != Type::LongText, "sortable": self.kind != Type::LongText,
            "defaultedOnCreate": self.kind == Type::Flag, "referenceTo": references, "picklistValues": choices,
        })
    }
}

/// Everything there is.
#[derive(Debug)]
pub(super) struct Schema {
    /// By object and lower-case name.
    pub(super) fields: BTreeMap<(ObjectKind, String), Field>,
    /// How many were made through the Tooling API.
    pub(super) made: u64,
}

impl Schema {
    pub(super) fn new(
        custom: &[CustomField],
        task_subtype_is_fixed: bool,
    ) -> Result<Self, SetupError> {
        let mut schema = Self {
            fields: BTreeMap::new(),
            made: 0,
        };
        for kind in ObjectKind::ALL {
            for (name, label, of) in COMMON {
                schema.put(kind, Field::plain(name, label, *of));
            }
        }
        for (object, rows) in STANDARD {
            for (name, label, kind, max) in *rows {
                let closed = CLOSED.iter().find(|(on, it, _)| on == object && it == name);
                let writing = match closed {
                    Some((_, _, writing)) => *writing,
                    None if !object.is_written() => Writing::Never,
                    None if task_subtype_is_fixed && *name == "TaskSubtype" => Writing::OnCreation,
                    None => Writing::Always,
                };
                let field = Field {
                    max: *max,
                    writing,
                    required: REQUIRED.contains(&(*object, name)),
                    ..Field::plain(name, label, *kind)
                };
                schema.put(*object, field);
            }
        }
        for field in custom {
            schema
                .add(field)
                .map_err(|failure| SetupError::BadField(field.name.clone(), failure.message))?;
        }
        Ok(schema)
    }

    pub(super) fn put(&mut self, object: ObjectKind, field: Field) {
        self.fields
            .insert((object, field.name.to_lowercase()), field);
    }

    /// A field that may be seen.
    pub(super) fn field(&self, object: ObjectKind, name: &str) -> Option<&Field> {
        self.fields
            .get(&(object, name.to_lowercase()))
            .filter(|field| field.visible)
    }

    /// All fields of an object that may be seen, by name.
    pub(super) fn fields(&self, object: ObjectKind) -> impl Iterator<Item = &Field> {
        self.all(object).filter(|field| field.visible)
    }

    /// All fields of an object, also those that may not be seen.
    pub(super) fn all(&self, object: ObjectKind) -> impl Iterator<Item = &Field> {
        self.fields
            .range((object, String::new())..)
            .take_while(move |((of, _), _)| *of == object)
            .map(|(_, field)| field)
    }

    /// Changes a custom field as an administrator would. `false` when there is none.
    pub(super) fn change(
        &mut self,
        on: FieldOwner,
        name: &str,
        change: impl FnOnce(&mut Field),
    ) -> bool {
        let key = (on.object(), name.to_lowercase());
        let field = self.fields.get_mut(&key).filter(|field| field.custom);
        field.map(change).is_some()
    }

    /// Removes a custom field and returns it.
    pub(super) fn remove(&mut self, on: FieldOwner, name: &str) -> Option<Field> {
        let key = (on.object(), name.to_lowercase());
        let custom = self.fields.get(&key).is_some_and(|field| field.custom);
        custom.then(|| self.fields.remove(&key)).flatten()
    }

    pub(super) fn described(&self, object: ObjectKind, stages: &[&str]) -> Value {
        let fields: Vec<Value> = self
            .fields(object)
            .map(|field| field.described(stages))
            .collect();
        let writes = object.is_written();
        json!({
            "name": object.name(), "label": object.name(), "keyPrefix": object.prefix(), "custom": false,
            "createable": writes, "updateable": writes, "deletable": writes, "queryable": true,
            "searchable": object == ObjectKind::Contact, "fields": fields,
        })
    }
}
