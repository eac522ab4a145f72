//! What a record has without being told, and what follows from what it was told.

use serde_json::{Map, Value};

use super::Salesforce;
use super::records::{ObjectKind, Record};
use super::replies::instant;
use super::schema::Type;
use super::standard::Writing;
use super::writes::Hand;

impl Salesforce {
    /// What a new record has without being told.
    pub(super) fn add_defaults(
        &self,
        hand: &Hand,
        object: ObjectKind,
        fields: &mut Map<String, Value>,
    ) {
        for field in self.schema.all(object) {
            let written = field.writing != Writing::Never || field.custom;
            if field.kind == Type::Flag && written {
                fields.entry(field.name.as_str()).or_insert(false.into());
            }
        }
        let defaults: &[(&str, &str)] = match object {
            ObjectKind::Task => &[
                ("Status", "Not Started"),
                ("Priority", "Normal"),
                ("TaskSubtype", "Task"),
            ],
            _ => &[],
        };
        for (name, value) in defaults {
            if fields.get(*name).is_none_or(Value::is_null) {
                fields.insert((*name).to_owned(), (*value).into());
            }
        }
        let owned = self.schema.field(object, "OwnerId").is_some();
        if owned && fields.get("OwnerId").is_none_or(Value::is_null) {
            fields.insert("OwnerId".to_owned(), hand.user.as_str().into());
        }
        self.compute(hand.now_ms, object, None, fields);
    }

    /// What a change brings along.
    pub(super) fn follow(
        &self,
        hand: &Hand,
        object: ObjectKind,
        id: &str,
        fields: &mut Map<String, Value>,
    ) {
        self.compute(hand.now_ms, object, self.store.any(id), fields);
    }

    fn compute(
        &self,
        now_ms: i64,
        object: ObjectKind,
        before: Option<&Record>,
        fields: &mut Map<String, Value>,
    ) {
        match object {
            ObjectKind::Task => {
                let Some(status) = fields.get("Status").and_then(Value::as_str) else {
                    return;
                };
                let closed = status == "Completed";
                let was = before.is_some_and(|record| record.value("IsClosed") == true);
                fields.insert("IsClosed".to_owned(), closed.into());
                if closed != was {
                    let at = closed.then(|| instant(now_ms));
                    fields.insert("CompletedDateTime".to_owned(), at.into());
                }
            }
            ObjectKind::Opportunity => {
                let named = fields.get("StageName").and_then(Value::as_str);
                let Some(stage) = self
                    .config
                    .stages
                    .iter()
                    .find(|it| Some(it.name.as_str()) == named)
                else {
                    return;
                };
                let (closed, won, probability) = (stage.closed, stage.won, stage.probability);
                fields.insert("IsClosed".to_owned(), closed.into());
                fields.insert("IsWon".to_owned(), won.into());
                fields.entry("Probability").or_insert(probability.into());
            }
            _ => {}
        }
    }
}
