//! Queries: what is found, page by page.
//!
//! A page holds up to 2,000 records, fewer when the request says so. The rest waits under a locator; ten locators of the org
//! are kept, an older one is gone. What a locator finds was decided when the query was asked; deleted since then is left out.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::Salesforce;
use super::ids::RecordId;
use super::records::Record;
use super::replies::{Answer, Failure};
use super::route::Call;
use super::soql::{Operand, Order, Query, Selected, operand, parse};
use super::writes::Hand;

/// The most records of one page.
pub const PAGE_MAX: usize = 2_000;
/// The fewest a request can ask for.
const PAGE_MIN: usize = 200;
/// Locators that are kept.
const LOCATORS_MAX: usize = 10;

/// What is left of a query.
#[derive(Debug, Clone)]
pub(super) struct Locator {
    id: String,
    ids: Vec<RecordId>,
    fields: Vec<String>,
    of_parents: BTreeSet<String>,
    page: usize,
}

impl Salesforce {
    pub(super) fn query(&mut self, hand: &Hand, call: &Call<'_>) -> Result<Answer, Failure> {
        let Some(text) = call.parameter("q") else {
            return Err(Failure::request(
                400,
                "MALFORMED_QUERY",
                "SOQL statements cannot be empty or null",
            ));
        };
        let query = parse(&self.schema, text)?;
        let ids = self.found(&query);
        let of_parents = query.of_parents;
        let fields = match query.selected {
            Selected::Count => {
                let body = json!({"totalSize": ids.len(), "done": true, "records": []});
                return Ok(Answer::json(200, body));
            }
            Selected::Fields(fields) => fields,
        };
        let page = page_size(call.header("sforce-query-options"))?;
        let locator = Locator {
            id: String::new(),
            ids,
            fields,
            of_parents,
            page,
        };
        Ok(self.page(hand, locator, 0))
    }

    /// The page that a locator names.
    pub(super) fn more(&mut self, hand: &Hand, name: &str) -> Result<Answer, Failure> {
        let invalid = || Failure::request(400, "INVALID_QUERY_LOCATOR", "invalid query locator");
        let (id, from) = name.split_once('-').ok_or_else(invalid)?;
        let from: usize = from.parse().map_err(|_| invalid())?;
        let locator = self.locators.iter().find(|locator| locator.id == id);
        let locator = locator
            .filter(|it| from < it.ids.len())
            .ok_or_else(invalid)?;
        Ok(self.page(hand, locator.clone(), from))
    }

    fn page(&mut self, hand: &Hand, mut locator: Locator, from: usize) -> Answer {
        let total = locator.ids.len();
        let until = (from + locator.page).min(total);
        let records: Vec<Value> = locator
            .ids
            .iter()
            .take(until)
            .skip(from)
            .filter_map(|id| self.store.any(id).filter(|record| !record.deleted))
            .map(|record| {
                let record = self.with_parents(record, &locator.of_parents);
                shown(hand.version, &record, &locator.fields)
            })
            .collect();
        let mut body = json!({"totalSize": total, "done": until == total, "records": records});
        if until < total {
            if locator.id.is_empty() {
                self.locators_made += 1;
                locator.id = format!("01g5g{:010}AAA", self.locators_made);
                let excess = (self.locators.len() + 1).saturating_sub(LOCATORS_MAX);
                self.locators.drain(..excess);
                self.locators.push(locator.clone());
            }
            let url = format!(
                "/services/data/v{}.0/query/{}-{until}",
                hand.version, locator.id
            );
            body["nextRecordsUrl"] = url.into();
        }
        Answer::json(200, body)
    }

    /// Ids of all living records that a query finds, in its order; of equal ones, the older first.
    fn found(&self, query: &Query) -> Vec<RecordId> {
        let fits = |record: &Record| {
            !record.deleted && query.condition.as_ref().is_none_or(|it| it.holds(record))
        };
        let whole = |record| self.with_parents(record, &query.of_parents);
        let known = query
            .condition
            .as_ref()
            .and_then(|condition| condition.candidates(&self.store, query.object));
        let mut found: Vec<Cow<'_, Record>> = if let Some(ids) = known {
            let named = ids
                .iter()
                .filter_map(|id| self.store.living(query.object, id));
            named.map(whole).filter(|record| fits(record)).collect()
        } else {
            let all = self.store.all(query.object).map(whole);
            all.filter(|record| fits(record)).collect()
        };
        found.sort_by(|a, b| ordered(&query.order, a, b));
        found
            .into_iter()
            .skip(query.offset)
            .take(query.limit.unwrap_or(usize::MAX))
            .map(|record| record.id.clone())
            .collect()
    }
}

impl Salesforce {
    /// A record with these fields of the records it refers to, null where it refers to none that is there.
    fn with_parents<'a>(
        &self,
        record: &'a Record,
        of_parents: &BTreeSet<String>,
    ) -> Cow<'a, Record> {
        let mut whole = Cow::Borrowed(record);
        for name in of_parents {
            let Some((relation, field)) = name.split_once('.') else {
                continue;
            };
            let parent = record
                .text(&format!("{relation}Id"))
                .and_then(|id| self.store.any(id))
                .filter(|parent| !parent.deleted);
            if let Some(parent) = parent {
                let value = parent.value(field);
                whole.to_mut().fields.insert(name.clone(), value);
            }
        }
        whole
    }
}

fn ordered(order: &[Order], a: &Record, b: &Record) -> Ordering {
    for level in order {
        let value = |record: &Record| operand(&level.field, &record.value(&level.field.name));
        let (a, b) = (value(a), value(b));
        let nulls = (a == Operand::Null).cmp(&(b == Operand::Null));
        let place = match (nulls, level.nulls_last) {
            (Ordering::Equal, _) if level.descending => b.place(&a),
            (Ordering::Equal, _) => a.place(&b),
            (nulls, true) => nulls,
            (nulls, false) => nulls.reverse(),
        };
        if place != Ordering::Equal {
            return place;
        }
    }
    a.id.cmp(&b.id)
}

/// A record as answers show it, with these fields.
pub(super) fn shown(version: u32, record: &Record, fields: &[String]) -> Value {
    let (kind, id) = (record.object.name(), &record.id);
    let url = format!("/services/data/v{version}.0/sobjects/{kind}/{id}");
    let mut shown = Map::new();
    shown.insert("attributes".to_owned(), json!({"type": kind, "url": url}));
    for name in fields {
        let Some((relation, field)) = name.split_once('.') else {
            shown.insert(name.clone(), record.value(name));
            continue;
        };
        let parent = shown.entry(relation).or_insert_with(|| json!({}));
        parent[field] = record.value(name);
    }
    shown.into()
}

/// `batchSize=200` of `Sforce-Query-Options`.
fn page_size(options: Option<&str>) -> Result<usize, Failure> {
    let Some(size) = options.and_then(|options| options.trim().strip_prefix("batchSize=")) else {
        return Ok(PAGE_MAX);
    };
    size.parse()
        .ok()
        .filter(|size| (PAGE_MIN..=PAGE_MAX).contains(size))
        .ok_or_else(|| {
            Failure::request(
                400,
                "INVALID_QUERY_OPTIONS",
                "batchSize must be between 200 and 2000",
            )
        })
}
