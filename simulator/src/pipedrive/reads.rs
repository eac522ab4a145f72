//! Reads and listings: filters, order, pages of both versions. What was written a moment ago is there.
//!
//! A cursor of the newer version names the last record shown, so that records made meanwhile move nothing; a page of the
//! older one starts at a number.

use serde_json::{Value, json};

use super::Pipedrive;
use super::config::{FieldOwner, Token};
use super::records::{Kind, Record, RecordId};
use super::replies::{Refusal, success};
use crate::fakes::{Reply, Request};

/// Most records on a page, and how many without a wish.
const PAGE_MAX: usize = 500;
const PAGE: usize = 100;

/// The first query parameter of this name.
pub(super) fn parameter<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request
        .query
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}

fn whole(request: &Request, name: &str) -> Result<Option<u64>, Refusal> {
    parameter(request, name)
        .map(|text| text.parse().map_err(|_| Refusal::invalid(name)))
        .transpose()
}

/// How many records a page shall have.
pub(super) fn limit(request: &Request) -> Result<usize, Refusal> {
    let limit = whole(request, "limit")?.map_or(PAGE, |limit| limit as usize);
    if (1..=PAGE_MAX).contains(&limit) {
        Ok(limit)
    } else {
        Err(Refusal::invalid("limit"))
    }
}

/// A place in an order, as an opaque text and back.
pub(super) fn cursor(key: i64, id: RecordId) -> String {
    format!("{key:x}z{id:x}")
}

/// The place that a cursor names.
pub(super) fn place(request: &Request) -> Result<Option<(i64, RecordId)>, Refusal> {
    parameter(request, "cursor")
        .map(|text| {
            let (key, id) = text.split_once('z')?;
            Some((
                i64::from_str_radix(key, 16).ok()?,
                RecordId::from_str_radix(id, 16).ok()?,
            ))
        })
        .map(|place| place.ok_or_else(|| Refusal::invalid("cursor")))
        .transpose()
}

/// What records are ordered by.
#[derive(Debug, Clone, Copy)]
enum Key {
    Id,
    Added,
    Updated,
}

impl Key {
    const fn of(self, record: &Record) -> i64 {
        match self {
            Self::Id => record.id as i64,
            Self::Added => record.added_ms,
            Self::Updated => record.updated_ms,
        }
    }
}

impl Pipedrive {
    pub(super) fn read(&self, kind: Kind, id: RecordId) -> Result<Reply, Refusal> {
        if self.store.living(kind, id).is_none() {
            return Err(Refusal::not_found(kind.word()));
        }
        Ok(success(200, &self.shown(kind, id), None))
    }

    pub(super) fn list(
        &self,
        token: &Token,
        kind: Kind,
        request: &Request,
    ) -> Result<Reply, Refusal> {
        if kind.is_v1() {
            return self.list_v1(token, kind, request);
        }
        let (key, descending) = order(request)?;
        let limit = limit(request)?;
        let after = place(request)?;
        let codes = self.asked_codes(kind, request)?;
        let mut all: Vec<(i64, &Record)> = Vec::new();
        for record in self.store.all(kind) {
            if !record.deleted && matches(record, request)? {
                all.push((key.of(record), record));
            }
        }
        all.sort_by_key(|(key, record)| (*key, record.id));
        if descending {
            all.reverse();
        }
        let beyond = |key: i64, id: RecordId| {
            after.is_none_or(|after| {
                if descending {
                    (key, id) < after
                } else {
                    (key, id) > after
                }
            })
        };
        let mut rest = all
            .into_iter()
            .filter(|(key, record)| beyond(*key, record.id));
        let page: Vec<(i64, &Record)> = rest.by_ref().take(limit).collect();
        let next = page
            .last()
            .filter(|_| rest.next().is_some())
            .map(|(key, record)| cursor(*key, record.id));
        let data: Vec<Value> = page
            .iter()
            .map(|(_, record)| record.shown(&codes))
            .collect();
        Ok(success(
            200,
            &json!(data),
            Some(json!({"next_cursor": next})),
        ))
    }

    /// Custom fields that are asked for; all without a wish.
    fn asked_codes<'a>(
        &'a self,
        kind: Kind,
        request: &'a Request,
    ) -> Result<Vec<&'a str>, Refusal> {
        let all = self.schema.codes(kind);
        let Some(asked) = parameter(request, "custom_fields") else {
            return Ok(all);
        };
        let asked: Vec<&str> = asked.split(',').collect();
        if asked.len() > 15 || asked.iter().any(|code| !all.contains(code)) {
            return Err(Refusal::invalid("custom_fields"));
        }
        Ok(asked)
    }

    fn list_v1(&self, token: &Token, kind: Kind, request: &Request) -> Result<Reply, Refusal> {
        let start = whole(request, "start")?.unwrap_or(0) as usize;
        let limit = limit(request)?;
        let mut all: Vec<&Record> = Vec::new();
        for record in self.store.all(kind) {
            // Call logs are their user's only.
            let theirs = kind != Kind::CallLog || record.field("user_id") == token.user_id;
            if !record.deleted && theirs && matches(record, request)? {
                all.push(record);
            }
        }
        let (name, descending) = match parameter(request, "sort") {
            None => ("id", false),
            Some(sort) => {
                let (name, direction) = sort.split_once(' ').unwrap_or((sort, "ASC"));
                (name, direction.eq_ignore_ascii_case("desc"))
            }
        };
        let key = match name {
            "id" => Key::Id,
            "add_time" => Key::Added,
            "update_time" => Key::Updated,
            _ => return Err(Refusal::invalid("sort")),
        };
        all.sort_by_key(|record| (key.of(record), record.id));
        if descending {
            all.reverse();
        }
        let more = all.len() > start.saturating_add(limit);
        let data: Vec<Value> = all
            .iter()
            .skip(start)
            .take(limit)
            .map(|record| record.shown(&[]))
            .collect();
        let mut pagination =
            json!({"start": start, "limit": limit, "more_items_in_collection": more});
        if more {
            pagination["next_start"] = (start + limit).into();
        }
        // The older version says null where nothing is.
        let data = if data.is_empty() {
            Value::Null
        } else {
            json!(data)
        };
        Ok(success(200, &data, Some(json!({"pagination": pagination}))))
    }

    pub(super) fn field_list(&self, on: FieldOwner) -> Reply {
        let standard: &[(&str, &str, &str)] = match on {
            FieldOwner::Person => &[
                ("Name", "name", "varchar"),
                ("Phone", "phones", "phone"),
                ("Email", "emails", "varchar"),
            ],
            FieldOwner::Deal => &[
                ("Title", "title", "varchar"),
                ("Value", "value", "monetary"),
                ("Stage", "stage_id", "stage"),
            ],
        };
        let shown = |name: &str, code: &str, kind: &str, custom: bool| {
            json!({"field_name": name, "field_code": code, "field_type": kind, "options": null,
                "is_custom_field": custom, "is_optional_response_field": false})
        };
        let data: Vec<Value> = standard
            .iter()
            .map(|(name, code, kind)| shown(name, code, kind, false))
            .chain(
                self.schema
                    .fields(on)
                    .map(|field| shown(&field.name, &field.code, &field.kind, true)),
            )
            .collect();
        success(200, &json!(data), Some(json!({"next_cursor": null})))
    }

    pub(super) fn stage_list(&self, request: &Request) -> Result<Reply, Refusal> {
        let of = whole(request, "pipeline_id")?;
        let mut data = Vec::new();
        for pipeline in &self.pipelines {
            if of.is_some_and(|id| id != pipeline.id) {
                continue;
            }
            for (order, (id, name)) in (1..).zip(&pipeline.stages) {
                data.push(
                    json!({"id": id, "order_nr": order, "name": name, "pipeline_id": pipeline.id,
                    "is_deleted": false}),
                );
            }
        }
        Ok(success(
            200,
            &json!(data),
            Some(json!({"next_cursor": null})),
        ))
    }

    pub(super) fn pipeline_list(&self) -> Reply {
        let data: Vec<Value> = (1..)
            .zip(&self.pipelines)
            .map(|(order, pipeline)| {
                json!({"id": pipeline.id, "name": pipeline.name, "order_nr": order, "is_deleted": false})
            })
            .collect();
        success(200, &json!(data), Some(json!({"next_cursor": null})))
    }

    pub(super) fn user_list(&self, me: Option<u64>) -> Reply {
        let shown = |user: &super::config::User| {
            json!({"id": user.id, "name": user.name, "email": user.email, "active_flag": true,
                "is_you": me == Some(user.id), "default_currency": self.currency, "timezone_name": "Etc/UTC",
                "access": [{"app": "global", "admin": user.admin}]})
        };
        let Some(id) = me else {
            let data: Vec<Value> = self.users.iter().map(shown).collect();
            return success(200, &json!(data), None);
        };
        let mut data = self
            .users
            .iter()
            .find(|user| user.id == id)
            .map_or(Value::Null, shown);
        if let Some(data) = data.as_object_mut() {
            data.insert("company_id".into(), self.company_id.into());
            data.insert("company_domain".into(), self.domain.clone().into());
        }
        success(200, &data, None)
    }
}

fn order(request: &Request) -> Result<(Key, bool), Refusal> {
    let key = match parameter(request, "sort_by") {
        None | Some("id") => Key::Id,
        Some("add_time") => Key::Added,
        Some("update_time") => Key::Updated,
        Some(_) => return Err(Refusal::invalid("sort_by")),
    };
    match parameter(request, "sort_direction") {
        None | Some("asc") => Ok((key, false)),
        Some("desc") => Ok((key, true)),
        Some(_) => Err(Refusal::invalid("sort_direction")),
    }
}

/// Whether a record passes the filters of a request.
fn matches(record: &Record, request: &Request) -> Result<bool, Refusal> {
    if let Some(person) = whole(request, "person_id")?
        && record.person() != Some(person)
    {
        return Ok(false);
    }
    for name in [
        "deal_id",
        "org_id",
        "owner_id",
        "user_id",
        "stage_id",
        "pipeline_id",
    ] {
        if let Some(id) = whole(request, name)?
            && record.field(name) != id
        {
            return Ok(false);
        }
    }
    if let Some(done) = parameter(request, "done") {
        let done: bool = done.parse().map_err(|_| Refusal::invalid("done"))?;
        if record.field("done") != done {
            return Ok(false);
        }
    }
    if let Some(status) = parameter(request, "status")
        && record.field("status") != status
    {
        return Ok(false);
    }
    if let Some(ids) = parameter(request, "ids") {
        let ids: Result<Vec<u64>, _> = ids.split(',').map(str::parse).collect();
        let ids = ids.map_err(|_| Refusal::invalid("ids"))?;
        if ids.len() > 100 {
            return Err(Refusal::invalid("ids"));
        }
        if !ids.contains(&record.id) {
            return Ok(false);
        }
    }
    for (name, wanted) in [("updated_since", true), ("updated_until", false)] {
        if let Some(text) = parameter(request, name) {
            let at: jiff::Timestamp = text.parse().map_err(|_| Refusal::invalid(name))?;
            if (record.updated_ms >= at.as_millisecond()) != wanted {
                return Ok(false);
            }
        }
    }
    Ok(true)
}
