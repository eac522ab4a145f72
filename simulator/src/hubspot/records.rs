//! Records: what the CRM holds, the index of unique values, and planning one write before anything is changed.
//!
//! Invariants: a write is planned (checked against everything that can refuse it) and only then applied, so a batch can be
//! refused whole with nothing done; a unique value belongs to at most one living record, also within one batch; ids are
//! given once and never again. An id given to a refused create is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::audit::{PropertyWrite, Write, WriteKind};
use super::replies::iso;
use crate::phone::national_number;

/// Id of a record; no two records share one, whatever their kind.
pub type RecordId = u64;

/// The objects of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    Contacts,
    Calls,
    Notes,
    Tasks,
    Deals,
}

impl ObjectKind {
    pub const ALL: [Self; 5] = [
        Self::Contacts,
        Self::Calls,
        Self::Notes,
        Self::Tasks,
        Self::Deals,
    ];
    pub(super) const COUNT: usize = Self::ALL.len();

    /// The name in paths.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Contacts => "contacts",
            Self::Calls => "calls",
            Self::Notes => "notes",
            Self::Tasks => "tasks",
            Self::Deals => "deals",
        }
    }

    /// Reads a path segment: plural, singular or object type id.
    pub fn parse(segment: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|object| {
            segment == object.as_str()
                || segment == object.singular()
                || segment == object.type_id()
        })
    }

    pub fn singular(self) -> &'static str {
        match self {
            Self::Contacts => "contact",
            Self::Calls => "call",
            Self::Notes => "note",
            Self::Tasks => "task",
            Self::Deals => "deal",
        }
    }

    /// The vendor's object type id.
    pub fn type_id(self) -> &'static str {
        match self {
            Self::Contacts => "0-1",
            Self::Calls => "0-48",
            Self::Notes => "0-46",
            Self::Tasks => "0-27",
            Self::Deals => "0-3",
        }
    }

    pub(super) fn index(self) -> usize {
        self as usize
    }

    pub(super) fn created_property(self) -> &'static str {
        match self {
            Self::Contacts | Self::Deals => "createdate",
            _ => "hs_createdate",
        }
    }

    pub(super) fn modified_property(self) -> &'static str {
        match self {
            Self::Contacts => "lastmodifieddate",
            _ => "hs_lastmodifieddate",
        }
    }

    /// What a read shows when nothing is asked for.
    pub(super) fn default_properties(self) -> Vec<&'static str> {
        let mut names = vec![
            "hs_object_id",
            self.created_property(),
            self.modified_property(),
        ];
        names.extend_from_slice(match self {
            Self::Contacts => &["email", "firstname", "lastname"],
            Self::Deals => &["amount", "closedate", "dealname", "dealstage", "pipeline"],
            _ => &[],
        });
        names
    }

    /// What a create must give.
    pub(super) fn required(self) -> &'static [&'static str] {
        match self {
            Self::Contacts | Self::Deals => &[],
            Self::Calls | Self::Notes | Self::Tasks => &["hs_timestamp"],
        }
    }

    /// The scope family: activities are gated by the contacts scope.
    pub(super) fn scope_name(self) -> &'static str {
        if self == Self::Deals {
            "deals"
        } else {
            "contacts"
        }
    }
}

/// A link, seen from one end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Association {
    pub to: ObjectKind,
    pub id: RecordId,
    pub type_id: u32,
}

/// One record as it stands.
#[derive(Debug, Clone)]
pub struct Record {
    pub id: RecordId,
    pub object: ObjectKind,
    pub created_ms: i64,
    pub updated_ms: i64,
    pub archived: bool,
    pub properties: BTreeMap<Arc<str>, Arc<str>>,
    pub associations: BTreeSet<Association>,
    /// Places of its writes in the audit.
    pub(super) writes: Vec<usize>,
}

impl Record {
    /// Value of a property, `None` when not set.
    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties.get(name).map(|value| &**value)
    }
}

/// Property values in their stored form.
pub(super) type Values = Vec<(Arc<str>, Arc<str>)>;

/// A write that nothing refuses any more.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    pub(super) object: ObjectKind,
    pub(super) id: RecordId,
    pub(super) creates: bool,
    pub(super) properties: Values,
    pub(super) associations: Vec<Association>,
}

/// Unique values taken by the earlier inputs of the same batch.
pub(super) type Claims = BTreeMap<(Arc<str>, String), RecordId>;

#[derive(Debug, Default)]
struct Table {
    records: BTreeMap<RecordId, Record>,
    /// Property → value → holder.
    unique: BTreeMap<Arc<str>, BTreeMap<String, RecordId>>,
}

/// All records.
#[derive(Debug)]
pub(super) struct Store {
    tables: [Table; ObjectKind::COUNT],
    next_id: RecordId,
}

impl Store {
    pub(super) fn new() -> Self {
        Self {
            tables: ObjectKind::ALL.map(|_| Table::default()),
            next_id: 1_001,
        }
    }

    pub(super) fn new_id(&mut self) -> RecordId {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    /// Any record, archived ones included.
    pub(super) fn any(&self, object: ObjectKind, id: RecordId) -> Option<&Record> {
        self.tables[object.index()].records.get(&id)
    }

    /// A record that isn't archived.
    pub(super) fn living(&self, object: ObjectKind, id: RecordId) -> Option<&Record> {
        self.any(object, id).filter(|record| !record.archived)
    }

    pub(super) fn all(&self, object: ObjectKind) -> impl Iterator<Item = &Record> {
        self.tables[object.index()].records.values()
    }

    /// Living records with ids above `after`, in id order.
    pub(super) fn after(
        &self,
        object: ObjectKind,
        after: RecordId,
    ) -> impl Iterator<Item = &Record> {
        self.tables[object.index()]
            .records
            .range(after.saturating_add(1)..)
            .map(|(_, record)| record)
            .filter(|record| !record.archived)
    }

    /// Who holds a unique value.
    pub(super) fn holder(
        &self,
        object: ObjectKind,
        property: &str,
        value: &str,
    ) -> Option<RecordId> {
        self.tables[object.index()]
            .unique
            .get(property)?
            .get(&unique_key(property, value))
            .copied()
    }

    /// Applies a planned write. `unique` says which of its properties are unique.
    pub(super) fn apply(
        &mut self,
        at_ms: i64,
        request_no: u64,
        kind: WriteKind,
        planned: Planned,
        unique: impl Fn(&str) -> bool,
        write_no: usize,
    ) -> Write {
        let Planned {
            object,
            id,
            creates,
            properties,
            associations,
        } = planned;
        let table = &mut self.tables[object.index()];
        let record = table.records.entry(id).or_insert_with(|| Record {
            id,
            object,
            created_ms: at_ms,
            updated_ms: at_ms,
            archived: false,
            properties: BTreeMap::new(),
            associations: BTreeSet::new(),
            writes: Vec::new(),
        });
        if creates {
            record
                .properties
                .insert("hs_object_id".into(), id.to_string().into());
            record
                .properties
                .insert(object.created_property().into(), iso(at_ms).into());
        }
        let mut written = Vec::with_capacity(properties.len());
        for (name, value) in properties {
            let before = if value.is_empty() {
                record.properties.remove(&name)
            } else {
                record.properties.insert(name.clone(), value.clone())
            };
            let changed = before.as_deref().unwrap_or("") != &*value;
            if changed && unique(&name) {
                let holders = table.unique.entry(name.clone()).or_default();
                if let Some(before) = before {
                    holders.remove(&unique_key(&name, &before));
                }
                if !value.is_empty() {
                    holders.insert(unique_key(&name, &value), id);
                }
            }
            if let Some(calculated) = calculated_from(object, &name) {
                match national_number(&value) {
                    Some(number) => record.properties.insert(calculated.into(), number.into()),
                    None => record.properties.remove(calculated),
                };
            }
            written.push(PropertyWrite {
                name,
                value,
                changed,
            });
        }
        record.updated_ms = at_ms;
        record
            .properties
            .insert(object.modified_property().into(), iso(at_ms).into());
        record.writes.push(write_no);
        for &link in &associations {
            self.link(object, id, link);
        }
        Write {
            at_ms,
            request_no,
            object,
            id,
            kind,
            properties: written,
            associations,
        }
    }

    /// Notes a write that touched the record otherwise.
    pub(super) fn note_write(&mut self, object: ObjectKind, id: RecordId, write_no: usize) {
        if let Some(record) = self.tables[object.index()].records.get_mut(&id) {
            record.writes.push(write_no);
        }
    }

    /// Links two records at both ends. `true` when the link is new.
    pub(super) fn link(&mut self, from: ObjectKind, id: RecordId, link: Association) -> bool {
        let back = super::associations::default_type(link.to, from).map(|type_id| Association {
            to: from,
            id,
            type_id,
        });
        let new = self.tables[from.index()]
            .records
            .get_mut(&id)
            .is_some_and(|record| record.associations.insert(link));
        if let (Some(other), Some(back)) =
            (self.tables[link.to.index()].records.get_mut(&link.id), back)
        {
            other.associations.insert(back);
        }
        new
    }

    /// Archives a record and frees its unique values. `false` when there is none.
    pub(super) fn archive(
        &mut self,
        at_ms: i64,
        object: ObjectKind,
        id: RecordId,
        write_no: usize,
    ) -> bool {
        let table = &mut self.tables[object.index()];
        let Some(record) = table.records.get_mut(&id).filter(|record| !record.archived) else {
            return false;
        };
        record.archived = true;
        record.updated_ms = at_ms;
        record.writes.push(write_no);
        for holders in table.unique.values_mut() {
            holders.retain(|_, holder| *holder != id);
        }
        true
    }
}

/// Form in which a unique value is compared: e-mail addresses without regard to case, others to the letter.
pub(super) fn unique_key(property: &str, value: &str) -> String {
    let value = value.trim();
    if property == "email" {
        value.to_lowercase()
    } else {
        value.to_owned()
    }
}

/// The searchable number computed from a phone property.
pub(super) fn calculated_from(object: ObjectKind, property: &str) -> Option<&'static str> {
    match (object, property) {
        (ObjectKind::Contacts, "phone") => Some("hs_searchable_calculated_phone_number"),
        (ObjectKind::Contacts, "mobilephone") => Some("hs_searchable_calculated_mobile_number"),
        _ => None,
    }
}
