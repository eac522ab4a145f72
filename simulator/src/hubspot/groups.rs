//! Property groups: what an object's properties are filed under.
//!
//! Every object starts with one group, in which its standard properties are. A group is made once and never changed; a
//! property is only made in a group that exists. The vendor gives no text for a name that is taken or malformed, nor the
//! names of the first groups of calls, notes and tasks: these are chosen.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::properties::{required_text, well_named};
use super::records::ObjectKind;
use super::replies::Refusal;

/// Where the vendor puts a group that says nothing about its place: after the others.
const AT_THE_END: i64 = -1;

#[derive(Debug)]
struct Group {
    name: Arc<str>,
    label: String,
    display_order: i64,
}

impl Group {
    fn body(&self) -> Value {
        json!({
            "name": &*self.name,
            "label": self.label,
            "displayOrder": self.display_order,
            "archived": false,
        })
    }
}

/// Name of the group an object starts with.
pub(super) fn first_group(object: ObjectKind) -> String {
    format!("{}information", object.singular())
}

/// The groups of one object.
#[derive(Debug)]
pub(super) struct Groups(BTreeMap<Arc<str>, Group>);

impl Groups {
    /// Those an object starts with.
    pub(super) fn of(object: ObjectKind) -> Self {
        let mut groups = Self(BTreeMap::new());
        groups.insert(Group {
            name: first_group(object).into(),
            label: format!("{} information", object.singular()),
            display_order: 0,
        });
        groups
    }

    pub(super) fn holds(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Body of `GET /crm/v3/properties/{object}/groups`.
    pub(super) fn list(&self) -> Value {
        let results: Vec<Value> = self.0.values().map(Group::body).collect();
        json!({"results": results})
    }

    /// Makes a group from the body of a request; returns the reply's body.
    pub(super) fn create(&mut self, body: &Value) -> Result<Value, Refusal> {
        let (name, label) = (required_text(body, "name")?, required_text(body, "label")?);
        well_named("Property group", name)?;
        if self.holds(name) {
            return Err(Refusal::new(
                409,
                "OBJECT_ALREADY_EXISTS",
                format!("A property group named '{name}' already exists."),
            ));
        }
        let display_order = match body.get("displayOrder") {
            None | Some(Value::Null) => AT_THE_END,
            Some(place) => place.as_i64().ok_or_else(|| {
                Refusal::invalid("Invalid input JSON: displayOrder is not a whole number")
            })?,
        };
        Ok(self.insert(Group {
            name: name.into(),
            label: label.to_owned(),
            display_order,
        }))
    }

    fn insert(&mut self, group: Group) -> Value {
        let body = group.body();
        self.0.insert(group.name.clone(), group);
        body
    }
}
