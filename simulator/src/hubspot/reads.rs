//! Reads of one record, the list, and how a record is named and shown.
//!
//! Reads see every write at once; only searches lag. A record can be named by its id or by a unique property, never by
//! another one, and an archived record has no name any more.

use serde_json::{Value, json};

use super::HubSpot;
use super::account::positive;
use super::associations;
use super::records::{ObjectKind, RecordId};
use super::replies::{Refusal, object as object_body};
use super::search::shown_properties;
use crate::fakes::{Reply, Request};

impl HubSpot {
    /// The record an id or a unique value names.
    pub(super) fn resolve(
        &self,
        object: ObjectKind,
        id: &str,
        id_property: Option<&str>,
    ) -> Result<RecordId, Refusal> {
        let found = match id_property {
            None | Some("hs_object_id") => id
                .parse()
                .ok()
                .and_then(|id| self.store.living(object, id))
                .map(|record| record.id),
            Some(property) => {
                self.require_unique(object, property)?;
                self.store.holder(object, property, id)
            }
        };
        found.ok_or_else(Refusal::not_found)
    }

    /// Refuses a property records can't be named by.
    pub(super) fn require_unique(&self, object: ObjectKind, property: &str) -> Result<(), Refusal> {
        if self
            .schema
            .property(object, property)
            .is_some_and(|it| it.unique)
        {
            return Ok(());
        }
        Err(Refusal::invalid(format!(
            "Unable to perform update/upsert by non-unique {} property",
            object.type_id()
        )))
    }

    /// A record as a read shows it.
    pub(super) fn shown(
        &self,
        object: ObjectKind,
        id: RecordId,
        asked: Option<&[String]>,
    ) -> Option<Value> {
        let record = self.store.living(object, id)?;
        let mut properties = shown_properties(object, &record.properties, asked, &self.schema);
        if let Some(closed) = properties.get_mut("hs_is_closed") {
            // Worked out from the stage; searches here don't know it.
            *closed = record.property("dealstage").map(|stage| {
                self.account
                    .closes(record.property("pipeline"), stage)
                    .to_string()
            });
        }
        Some(object_body(
            id,
            properties,
            record.created_ms,
            record.updated_ms,
            record.archived,
        ))
    }

    pub(super) fn read(
        &self,
        object: ObjectKind,
        id: &str,
        request: &Request,
    ) -> Result<Reply, Refusal> {
        let id = self.resolve(object, id, request.parameter("idProperty"))?;
        let asked = request.list_parameter("properties");
        let mut body = self
            .shown(object, id, asked.as_deref())
            .ok_or_else(Refusal::not_found)?;
        if let (Some(links), Some(record)) = (
            request.list_parameter("associations"),
            self.store.living(object, id),
        ) {
            let links = associations::of_read(record, &links);
            if links.as_object().is_some_and(|links| !links.is_empty()) {
                body["associations"] = links;
            }
        }
        Ok(Reply::json(200, &body))
    }

    /// One page of records in id order; `after` is the last id of the page before.
    pub(super) fn list(&self, object: ObjectKind, request: &Request) -> Result<Reply, Refusal> {
        let limit = positive(request, "limit", 10)?;
        if limit > 100 {
            return Err(Refusal::invalid("limit must be between 1 and 100"));
        }
        let after = positive(request, "after", 0)? as RecordId;
        let asked = request.list_parameter("properties");
        let ids: Vec<RecordId> = self
            .store
            .after(object, after)
            .take(limit + 1)
            .map(|record| record.id)
            .collect();
        let results: Vec<Value> = ids
            .iter()
            .take(limit)
            .filter_map(|&id| self.shown(object, id, asked.as_deref()))
            .collect();
        let mut body = json!({"results": results});
        if ids.len() > limit
            && let Some(last) = ids.get(limit - 1)
        {
            body["paging"] = json!({"next": {"after": last.to_string()}});
        }
        Ok(Reply::json(200, &body))
    }
}
