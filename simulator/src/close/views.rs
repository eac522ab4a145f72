//! Records as answers show them: their fields, and what Close computes of them.

use serde_json::{Value, json};

use super::Close;
use super::records::{ObjectKind, Record};
use super::replies::iso;

impl Close {
    /// A record as an answer shows it.
    pub(super) fn view_of(&self, id: &str) -> Value {
        self.store
            .any(id)
            .map_or(Value::Null, |record| self.view(record))
    }

    /// What an answer shows of a record, beyond its fields.
    pub(super) fn view(&self, record: &Record) -> Value {
        let mut shown = record.fields.clone();
        let mut put = |name: &str, value: Value| {
            shown.insert(name.to_owned(), value);
        };
        put("id", record.id.clone().into());
        put(
            "organization_id",
            self.config.organization_id.clone().into(),
        );
        put("date_created", iso(record.created_ms).into());
        put("date_updated", iso(record.updated_ms).into());
        match record.kind {
            ObjectKind::Lead => {
                let contacts = self.store.on_lead(&record.id, ObjectKind::Contact);
                let ids: Vec<&str> = contacts.iter().map(|it| it.id.as_str()).collect();
                put("contact_ids", json!(ids));
                let contacts: Vec<Value> = contacts.iter().map(|it| self.view(it)).collect();
                put("contacts", contacts.into());
                put(
                    "display_name",
                    record.text("name").unwrap_or("Untitled").into(),
                );
            }
            ObjectKind::Contact => {
                put(
                    "display_name",
                    record.text("name").unwrap_or("Untitled").into(),
                );
                for list in ["phones", "emails"] {
                    if !record.fields.contains_key(list) {
                        put(list, json!([]));
                    }
                }
            }
            ObjectKind::Call => {
                put("_type", "Call".into());
                let disposition = match record.text("status") {
                    Some("completed") => "answered",
                    Some("no-answer" | "timeout") => "no-answer",
                    Some("busy") => "busy",
                    Some("cancel") => "abandoned",
                    _ => "error",
                };
                put("disposition", disposition.into());
            }
            ObjectKind::Note => put("_type", "Note".into()),
            ObjectKind::Opportunity => {
                let status = record.text("status_id").unwrap_or_default();
                put("status_type", self.status_type(status).into());
            }
            ObjectKind::Task => {}
        }
        Value::Object(shown)
    }
}
