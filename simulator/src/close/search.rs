//! `POST /data/search/`: an index that lags, and the part of its query language that look-ups use.
//!
//! Knows `and`, `or`, `object_type`, `has_related` from contacts to their phones and e-mails, and `field_condition` on
//! regular and custom text fields in the modes `exact_value`, `full_words` and `phrase`, without regard to case; `negate`
//! on each. Anything else is refused, never taken for "no match". Results stand in the order of creation and are paged by
//! a cursor.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Map, Value, json};

use super::Close;
use super::records::{ObjectKind, Record};
use super::replies::Refusal;

/// Most results of a page. Chosen.
const PAGE_MAX: usize = 200;
/// Results of a page unless asked for otherwise. Chosen.
const PAGE: usize = 50;

type Ids = BTreeSet<String>;

/// What is searched: records as they were some time ago.
#[derive(Debug, Default)]
pub(super) struct SearchIndex {
    /// Writes that aren't visible yet, oldest first.
    waiting: VecDeque<(i64, Record)>,
    records: BTreeMap<String, Record>,
    /// Ids by kind, field and a word of a value.
    words: BTreeMap<(ObjectKind, String, String), Ids>,
}

impl SearchIndex {
    /// Takes a write in.
    pub(super) fn note(&mut self, visible_ms: i64, record: Record) {
        // What was there before is visible at once, also when it is added late.
        let before_all = self
            .waiting
            .front()
            .is_some_and(|(first_ms, _)| visible_ms < *first_ms);
        if before_all {
            self.waiting.push_front((visible_ms, record));
        } else {
            self.waiting.push_back((visible_ms, record));
        }
    }

    /// Makes visible what is old enough.
    pub(super) fn advance(&mut self, now_ms: i64) {
        while self
            .waiting
            .front()
            .is_some_and(|(visible_ms, _)| *visible_ms <= now_ms)
        {
            let Some((_, record)) = self.waiting.pop_front() else {
                return;
            };
            if let Some(old) = self.records.remove(&record.id) {
                for key in word_keys(&old) {
                    if let Some(ids) = self.words.get_mut(&key) {
                        ids.remove(&old.id);
                    }
                }
            }
            if !record.deleted {
                for key in word_keys(&record) {
                    self.words.entry(key).or_default().insert(record.id.clone());
                }
                self.records.insert(record.id.clone(), record);
            }
        }
    }

    fn all(&self, kind: ObjectKind) -> Ids {
        self.records
            .values()
            .filter(|record| record.kind == kind)
            .map(|record| record.id.clone())
            .collect()
    }

    /// Records of a kind that fulfil a query; none where it says nothing but the kind.
    fn matching(&self, kind: ObjectKind, query: &Value) -> Result<Option<Ids>, Refusal> {
        let found = match text(query, "type")? {
            "object_type" => {
                if object_kind(text(query, "object_type")?)? != kind {
                    return Err(malformed("one type of object at a time"));
                }
                None
            }
            "and" => {
                let mut found: Option<Ids> = None;
                for query in queries(query)? {
                    found = match (found, self.matching(kind, query)?) {
                        (Some(one), Some(other)) => Some(&one & &other),
                        (one, other) => one.or(other),
                    };
                }
                found
            }
            "or" => {
                let mut found = Ids::new();
                let mut all = false;
                for query in queries(query)? {
                    match self.matching(kind, query)? {
                        Some(ids) => found.extend(ids),
                        None => all = true,
                    }
                }
                (!all).then_some(found)
            }
            "has_related" => {
                let related = text(query, "related_object_type")?;
                let list = match related {
                    "contact_phone" => "phones",
                    "contact_email" => "emails",
                    _ => return Err(malformed("no such related object")),
                };
                if text(query, "this_object_type")? != "contact" || kind != ObjectKind::Contact {
                    return Err(malformed("only contacts have these"));
                }
                let inner = query.get("related_query").unwrap_or(&Value::Null);
                Some(self.field(kind, inner, Some((related, list)))?)
            }
            "field_condition" => Some(self.field(kind, query, None)?),
            _ => return Err(malformed("no such type of query")),
        };
        if query.get("negate").and_then(Value::as_bool) != Some(true) {
            return Ok(found);
        }
        let all = self.all(kind);
        Ok(Some(found.map_or_else(Ids::new, |found| &all - &found)))
    }

    fn field(
        &self,
        kind: ObjectKind,
        query: &Value,
        related: Option<(&str, &str)>,
    ) -> Result<Ids, Refusal> {
        if text(query, "type")? != "field_condition" {
            return Err(malformed("a field_condition is needed"));
        }
        let field = query.get("field").unwrap_or(&Value::Null);
        let name = match (text(field, "type")?, related) {
            ("custom_field", None) => format!("custom.{}", text(field, "custom_field_id")?),
            ("regular_field", Some((object, list))) => {
                let name = text(field, "field_name")?;
                if text(field, "object_type")? != object || list.strip_suffix('s') != Some(name) {
                    return Err(malformed("no such field of a related object"));
                }
                list.to_owned()
            }
            ("regular_field", None) => text(field, "field_name")?.to_owned(),
            _ => return Err(malformed("no such type of field")),
        };
        let condition = query.get("condition").unwrap_or(&Value::Null);
        if text(condition, "type")? != "text" {
            return Err(malformed("no such type of condition"));
        }
        let (mode, value) = (text(condition, "mode")?, text(condition, "value")?);
        let wanted = value.to_lowercase();
        let fulfils: fn(&str, &str) -> bool = match mode {
            "exact_value" => |held, wanted| held == wanted,
            "full_words" => |held, wanted| {
                let held = words(held);
                words(wanted).iter().all(|word| held.contains(word))
            },
            "phrase" => |held, wanted| {
                let (held, wanted) = (words(held), words(wanted));
                !wanted.is_empty() && held.windows(wanted.len()).any(|part| part == wanted)
            },
            _ => return Err(malformed("no such mode")),
        };
        let mut found: Option<Ids> = None;
        for word in words(&wanted) {
            let ids = self
                .words
                .get(&(kind, name.clone(), word))
                .cloned()
                .unwrap_or_default();
            found = Some(found.map_or_else(|| ids.clone(), |found| &found & &ids));
        }
        let mut found = found.unwrap_or_default();
        found.retain(|id| {
            self.records.get(id).is_some_and(|record| {
                held(record, &name)
                    .iter()
                    .any(|held| fulfils(&held.to_lowercase(), &wanted))
            })
        });
        Ok(found)
    }
}

fn malformed(said: &str) -> Refusal {
    Refusal::field("query", format!("This query can't be understood: {said}."))
}

fn text<'a>(value: &'a Value, name: &str) -> Result<&'a str, Refusal> {
    value
        .get(name)
        .and_then(Value::as_str)
        .ok_or_else(|| malformed(&format!("{name} is needed")))
}

fn queries(query: &Value) -> Result<&Vec<Value>, Refusal> {
    query
        .get("queries")
        .and_then(Value::as_array)
        .ok_or_else(|| malformed("queries are needed"))
}

fn object_kind(name: &str) -> Result<ObjectKind, Refusal> {
    match name {
        "contact" => Ok(ObjectKind::Contact),
        "lead" => Ok(ObjectKind::Lead),
        _ => Err(malformed("no such type of object")),
    }
}

/// The words of a text: its letters and digits.
fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// The texts of a field: of a list, those of its entries.
fn held<'a>(record: &'a Record, name: &str) -> Vec<&'a str> {
    match record.fields.get(name) {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(entries)) => {
            let inner = name.trim_end_matches('s');
            entries
                .iter()
                .filter_map(|entry| entry.get(inner)?.as_str())
                .collect()
        }
        _ => Vec::new(),
    }
}

fn word_keys(record: &Record) -> Vec<(ObjectKind, String, String)> {
    record
        .fields
        .keys()
        .flat_map(|name| {
            held(record, name)
                .into_iter()
                .flat_map(words)
                .map(|word| (record.kind, name.clone(), word))
        })
        .collect()
}

impl Close {
    /// Answers a search.
    pub(super) fn search(&mut self, now_ms: i64, body: &Value) -> Result<Value, Refusal> {
        self.index.advance(now_ms);
        let query = body
            .get("query")
            .ok_or_else(|| Refusal::field("query", "This field is required."))?;
        let kind = queries(query)?
            .iter()
            .find_map(|query| query.get("object_type")?.as_str())
            .ok_or_else(|| malformed("an object_type is needed"))?;
        let kind = object_kind(kind)?;
        let limit = match body.get("_limit") {
            None => PAGE,
            Some(limit) => limit
                .as_u64()
                .filter(|limit| (1..=PAGE_MAX as u64).contains(limit))
                .ok_or_else(|| Refusal::field("_limit", "1 to 200 can be asked for."))?
                as usize,
        };
        let skip = match body.get("cursor") {
            None | Some(Value::Null) => 0,
            Some(cursor) => cursor
                .as_str()
                .and_then(|cursor| cursor.strip_prefix("after-")?.parse().ok())
                .ok_or_else(|| Refusal::field("cursor", "No cursor of this search."))?,
        };
        let name = if kind == ObjectKind::Lead {
            "lead"
        } else {
            "contact"
        };
        let wanted: Option<Vec<&str>> = body
            .get("_fields")
            .and_then(|fields| fields.get(name)?.as_array())
            .map(|fields| fields.iter().filter_map(Value::as_str).collect());
        let ids = self
            .index
            .matching(kind, query)?
            .unwrap_or_else(|| self.index.all(kind));
        let more = ids.len() > skip + limit;
        let data: Vec<Value> = ids
            .iter()
            .skip(skip)
            .take(limit)
            .filter_map(|id| self.index.records.get(id))
            .map(|record| {
                let mut shown = chosen(self.view(record), wanted.as_deref());
                shown["__object_type"] = name.into();
                shown
            })
            .collect();
        let cursor = more.then(|| format!("after-{}", skip + limit));
        Ok(json!({"data": data, "cursor": cursor}))
    }
}

/// The fields that were asked for; all of them if none were. `custom` stands for all custom ones.
pub(super) fn chosen(shown: Value, wanted: Option<&[&str]>) -> Value {
    let (Some(wanted), Value::Object(fields)) = (wanted, &shown) else {
        return shown;
    };
    let is_wanted = |name: &str| {
        wanted.contains(&name) || (wanted.contains(&"custom") && name.starts_with("custom."))
    };
    let fields: Map<String, Value> = fields
        .iter()
        .filter(|(name, _)| is_wanted(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    Value::Object(fields)
}
