//! The search index: what a search sees, which is what was written some time ago.
//!
//! Invariants: a write shows in searches `search_lag_ms` after it and not before, in the order of the writes; an archived
//! record never shows; reads by id or unique property never go through here. Values compare without regard to case, as the
//! vendor's guide says of text; the searchable phone numbers match digits exactly.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use super::audit::{Write, WriteKind};
use super::filters::{Filter, filter_groups, ordered};
use super::properties::Schema;
use super::records::{ObjectKind, RecordId, calculated_from};
use super::replies::{Refusal, iso, object};
use crate::phone::national_number;

/// Largest page, results of one query in all, and the page when none is asked for: from the vendor's search guide.
const MAX_LIMIT: u64 = 200;
const MAX_RESULTS: u64 = 10_000;
const DEFAULT_LIMIT: u64 = 10;

#[derive(Debug)]
struct Entry {
    properties: BTreeMap<Arc<str>, Arc<str>>,
    created_ms: i64,
    updated_ms: i64,
}

#[derive(Debug, Default)]
struct Table {
    entries: BTreeMap<RecordId, Entry>,
    /// Property → value in lower case → records; made when a search first asks for the property.
    by_value: BTreeMap<Arc<str>, BTreeMap<String, BTreeSet<RecordId>>>,
}

impl Table {
    fn set(&mut self, id: RecordId, name: &Arc<str>, value: &str) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let before = if value.is_empty() {
            entry.properties.remove(name)
        } else {
            entry.properties.insert(name.clone(), value.into())
        };
        if let Some(values) = self.by_value.get_mut(name) {
            if let Some(before) = before {
                forget(values, &before, id);
            }
            if !value.is_empty() {
                values.entry(value.to_lowercase()).or_default().insert(id);
            }
        }
    }

    fn remove(&mut self, id: RecordId) {
        if let Some(entry) = self.entries.remove(&id) {
            for (name, value) in entry.properties {
                if let Some(values) = self.by_value.get_mut(&name) {
                    forget(values, &value, id);
                }
            }
        }
    }

    fn holding(&mut self, name: &str, value: &str) -> BTreeSet<RecordId> {
        if !self.by_value.contains_key(name) {
            let mut values: BTreeMap<String, BTreeSet<RecordId>> = BTreeMap::new();
            for (&id, entry) in &self.entries {
                if let Some(value) = entry.properties.get(name) {
                    values.entry(value.to_lowercase()).or_default().insert(id);
                }
            }
            self.by_value.insert(name.into(), values);
        }
        self.by_value
            .get(name)
            .and_then(|values| values.get(value))
            .cloned()
            .unwrap_or_default()
    }
}

fn forget(values: &mut BTreeMap<String, BTreeSet<RecordId>>, value: &str, id: RecordId) {
    let key = value.to_lowercase();
    if let Some(holders) = values.get_mut(&key) {
        holders.remove(&id);
        if holders.is_empty() {
            values.remove(&key);
        }
    }
}

/// The index of all objects.
#[derive(Debug)]
pub(super) struct SearchIndex {
    lag_ms: i64,
    /// Writes of the audit already seen.
    seen: usize,
    tables: [Table; ObjectKind::COUNT],
}

impl SearchIndex {
    pub(super) fn new(lag_ms: i64) -> Self {
        Self {
            lag_ms: lag_ms.max(0),
            seen: 0,
            tables: ObjectKind::ALL.map(|_| Table::default()),
        }
    }

    /// Takes in the writes that are old enough.
    pub(super) fn advance(&mut self, now_ms: i64, writes: &[Write]) {
        while let Some(write) = writes
            .get(self.seen)
            .filter(|write| write.at_ms + self.lag_ms <= now_ms)
        {
            self.take_in(write);
            self.seen += 1;
        }
    }

    fn take_in(&mut self, write: &Write) {
        let table = &mut self.tables[write.object.index()];
        if write.kind == WriteKind::Archive {
            table.remove(write.id);
            return;
        }
        if matches!(write.kind, WriteKind::Create | WriteKind::Seeded) {
            let entry = Entry {
                properties: BTreeMap::new(),
                created_ms: write.at_ms,
                updated_ms: write.at_ms,
            };
            table.entries.insert(write.id, entry);
            table.set(write.id, &"hs_object_id".into(), &write.id.to_string());
            let created = write.object.created_property().into();
            table.set(write.id, &created, &iso(write.at_ms));
        }
        for property in &write.properties {
            table.set(write.id, &property.name, &property.value);
            if let Some(calculated) = calculated_from(write.object, &property.name) {
                let number = national_number(&property.value).unwrap_or_default();
                table.set(write.id, &calculated.into(), &number);
            }
        }
        if write.kind != WriteKind::Associate {
            let modified = write.object.modified_property().into();
            table.set(write.id, &modified, &iso(write.at_ms));
            if let Some(entry) = table.entries.get_mut(&write.id) {
                entry.updated_ms = write.at_ms;
            }
        }
    }

    /// Answers a search; the caller has advanced the index.
    pub(super) fn search(
        &mut self,
        kind: ObjectKind,
        body: &Value,
        schema: &Schema,
    ) -> Result<Value, Refusal> {
        let groups = filter_groups(kind, body, schema)?;
        let limit = match body.get("limit") {
            None => DEFAULT_LIMIT,
            Some(limit) => limit
                .as_u64()
                .filter(|limit| (1..=MAX_LIMIT).contains(limit))
                .ok_or_else(|| {
                    Refusal::invalid(format!("limit must be between 1 and {MAX_LIMIT}"))
                })?,
        };
        let after = match body.get("after") {
            None | Some(Value::Null) => 0,
            Some(after) => after
                .as_u64()
                .or_else(|| after.as_str().and_then(|text| text.parse().ok()))
                .ok_or_else(|| Refusal::invalid("after must be the value of the last page"))?,
        };
        if after + limit > MAX_RESULTS {
            return Err(Refusal::invalid(format!(
                "A query shows at most {MAX_RESULTS} results: narrow its filters"
            )));
        }
        if body
            .get("query")
            .and_then(Value::as_str)
            .is_some_and(|text| !text.is_empty())
        {
            return Err(Refusal::invalid(
                "query is not served by this model: use filterGroups",
            ));
        }
        let table = &mut self.tables[kind.index()];
        let mut found: Vec<RecordId> = matching(table, &groups).into_iter().collect();
        sort(&mut found, table, body)?;
        let asked = asked_properties(body);
        let page: Vec<Value> = found
            .iter()
            .skip(after as usize)
            .take(limit as usize)
            .filter_map(|id| {
                Some(shown(
                    kind,
                    *id,
                    table.entries.get(id)?,
                    asked.as_deref(),
                    schema,
                ))
            })
            .collect();
        let mut reply = json!({"total": found.len(), "results": page});
        if after + limit < found.len() as u64 {
            reply["paging"] = json!({"next": {"after": (after + limit).to_string()}});
        }
        Ok(reply)
    }
}

/// Records that fulfil every filter of a group; one group is enough. Without groups: all.
fn matching(table: &mut Table, groups: &[Vec<Filter>]) -> BTreeSet<RecordId> {
    if groups.is_empty() {
        return table.entries.keys().copied().collect();
    }
    let mut found = BTreeSet::new();
    for group in groups {
        let driver = group.iter().find(|filter| filter.lists_values());
        let candidates: BTreeSet<RecordId> = match driver {
            Some(filter) => filter
                .values
                .iter()
                .flat_map(|value| table.holding(&filter.property, value))
                .collect(),
            None => table.entries.keys().copied().collect(),
        };
        found.extend(candidates.into_iter().filter(|id| {
            table
                .entries
                .get(id)
                .is_some_and(|entry| group.iter().all(|filter| filter.holds(&entry.properties)))
        }));
    }
    found
}

/// Sorts by the one property asked for; else the order of creation.
fn sort(found: &mut [RecordId], table: &Table, body: &Value) -> Result<(), Refusal> {
    let sorts = match body.get("sorts").and_then(Value::as_array) {
        None => return Ok(()),
        Some(sorts) if sorts.len() > 1 => {
            return Err(Refusal::invalid(
                "A search can be sorted by one property only",
            ));
        }
        Some(sorts) => sorts,
    };
    let Some(sort) = sorts.first() else {
        return Ok(());
    };
    let (name, descending) = match sort.as_str() {
        Some(text) => (text.trim_start_matches('-'), text.starts_with('-')),
        None => (
            sort.get("propertyName")
                .and_then(Value::as_str)
                .unwrap_or_default(),
            sort.get("direction").and_then(Value::as_str) == Some("DESCENDING"),
        ),
    };
    let value = |id: &RecordId| {
        table
            .entries
            .get(id)
            .and_then(|entry| entry.properties.get(name))
            .map_or_else(String::new, |value| value.to_lowercase())
    };
    found.sort_by(|one, other| {
        let order = ordered(&value(one), &value(other));
        if descending { order.reverse() } else { order }
    });
    Ok(())
}

fn asked_properties(body: &Value) -> Option<Vec<String>> {
    body.get("properties")
        .and_then(Value::as_array)
        .map(|names| {
            names
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect()
        })
}

fn shown(
    kind: ObjectKind,
    id: RecordId,
    entry: &Entry,
    asked: Option<&[String]>,
    schema: &Schema,
) -> Value {
    let properties = shown_properties(kind, &entry.properties, asked, schema);
    object(id, properties, entry.created_ms, entry.updated_ms, false)
}

/// The properties a read shows: the asked ones that exist (null when not set) besides the record's own three, or the
/// object's defaults.
pub(super) fn shown_properties(
    kind: ObjectKind,
    properties: &BTreeMap<Arc<str>, Arc<str>>,
    asked: Option<&[String]>,
    schema: &Schema,
) -> BTreeMap<String, Option<String>> {
    let mut names: Vec<&str> = match asked.filter(|asked| !asked.is_empty()) {
        Some(asked) => asked.iter().map(String::as_str).collect(),
        None => kind.default_properties(),
    };
    names.extend([
        "hs_object_id",
        kind.created_property(),
        kind.modified_property(),
    ]);
    names
        .into_iter()
        .filter(|name| schema.property(kind, name).is_some())
        .map(|name| {
            let value = properties.get(name).map(ToString::to_string);
            (name.to_owned(), value)
        })
        .collect()
}
