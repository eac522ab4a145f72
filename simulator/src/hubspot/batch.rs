//! Batches: up to 100 inputs in one request.
//!
//! Invariants: with a unique `objectWriteTraceId` on each input every input stands for itself and the answer is a 207 when
//! one failed; without, one bad input refuses the whole batch and nothing is applied. All inputs are planned before the
//! first is applied. One batch is one request for the limits.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::HubSpot;
use super::records::{Claims, ObjectKind, Planned, RecordId, unique_key};
use super::replies::{Refusal, batch, missing_ids};
use crate::fakes::Reply;

/// Inputs of one batch at most.
pub const MAX_BATCH_INPUTS: usize = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BatchWrite {
    Create,
    Update,
    Upsert,
}

/// A batch of writes on its way.
struct Inputs<'a> {
    list: &'a [Value],
    /// Trace ids, when each input has one of its own.
    traces: Option<Vec<&'a str>>,
}

impl<'a> Inputs<'a> {
    fn of(body: &'a Value) -> Result<Self, Refusal> {
        let list = body
            .get("inputs")
            .and_then(Value::as_array)
            .ok_or_else(|| Refusal::invalid("Invalid input JSON: inputs were not set"))?;
        if list.is_empty() {
            return Err(Refusal::invalid("The batch holds no inputs"));
        }
        if list.len() > MAX_BATCH_INPUTS {
            return Err(Refusal::invalid(format!(
                "The batch holds {} inputs: at most {MAX_BATCH_INPUTS} are allowed",
                list.len()
            )));
        }
        let traces: Option<Vec<&str>> = list
            .iter()
            .map(|input| input.get("objectWriteTraceId").and_then(Value::as_str))
            .collect();
        let traces =
            traces.filter(|traces| traces.iter().collect::<BTreeSet<_>>().len() == traces.len());
        Ok(Self { list, traces })
    }
}

fn text<'a>(input: &'a Value, field: &str) -> Option<&'a str> {
    input.get(field).and_then(Value::as_str)
}

fn id_of(input: &Value) -> Result<&str, Refusal> {
    text(input, "id")
        .ok_or_else(|| Refusal::invalid("Invalid input JSON: id of an input was not set"))
}

fn duplicates(ids: impl IntoIterator<Item = String>) -> Result<(), Refusal> {
    let mut seen = BTreeSet::new();
    for id in ids {
        if let Some(id) = seen.replace(id) {
            return Err(Refusal::invalid(format!(
                "Duplicate IDs found in batch input: [{id}]. IDs must be unique"
            )));
        }
    }
    Ok(())
}

impl HubSpot {
    pub(super) fn batch_write(
        &mut self,
        at_ms: i64,
        request_no: u64,
        object: ObjectKind,
        operation: BatchWrite,
        body: &Value,
    ) -> Result<Reply, Refusal> {
        let inputs = Inputs::of(body)?;
        match operation {
            BatchWrite::Create => {}
            BatchWrite::Update => check_update_ids(&inputs)?,
            BatchWrite::Upsert => self.check_upsert_keys(object, &inputs)?,
        }
        let mut claims = Claims::new();
        let mut plans: Vec<Result<Planned, Refusal>> = Vec::with_capacity(inputs.list.len());
        for input in inputs.list {
            let plan = match operation {
                BatchWrite::Create => self.plan_create(object, input, None, &mut claims),
                BatchWrite::Update => self.plan_batch_update(object, input, &mut claims),
                BatchWrite::Upsert => self.plan_upsert(object, input, &mut claims),
            };
            match plan {
                Err(refusal) if inputs.traces.is_none() => return Err(refusal),
                plan => plans.push(plan),
            }
        }
        duplicates(plans.iter().flatten().map(|plan| plan.id.to_string()))?;

        let (mut results, mut errors) = (Vec::new(), Vec::new());
        for (place, plan) in plans.into_iter().enumerate() {
            let trace = inputs
                .list
                .get(place)
                .and_then(|it| text(it, "objectWriteTraceId"));
            match plan {
                Ok(planned) => {
                    let new = planned.creates;
                    let mut result = self.commit_and_show(at_ms, request_no, planned);
                    if let Some(trace) = trace {
                        result["objectWriteTraceId"] = json!(trace);
                    }
                    if operation == BatchWrite::Upsert {
                        result["new"] = json!(new);
                    }
                    results.push(result);
                }
                Err(refusal) => errors.push(refusal.item(trace.unwrap_or_default())),
            }
        }
        if !self.batch_results_in_order && results.len() > 1 {
            results.rotate_left(1);
        }
        let status = if operation == BatchWrite::Create {
            201
        } else {
            200
        };
        Ok(batch(status, results, errors, at_ms))
    }

    fn check_upsert_keys(&self, object: ObjectKind, inputs: &Inputs<'_>) -> Result<(), Refusal> {
        let mut keys: Vec<(&str, &str)> = Vec::with_capacity(inputs.list.len());
        for input in inputs.list {
            let property = text(input, "idProperty")
                .ok_or_else(|| Refusal::invalid("idProperty of an input was not set"))?;
            self.require_unique(object, property)?;
            keys.push((property, id_of(input)?));
        }
        if keys
            .iter()
            .any(|(property, _)| Some(property) != keys.first().map(|(it, _)| it))
        {
            return Err(Refusal::invalid(
                "All inputs of a batch must use the same idProperty",
            ));
        }
        duplicates(keys.iter().map(|(property, id)| unique_key(property, id)))
    }

    fn plan_batch_update(
        &self,
        object: ObjectKind,
        input: &Value,
        claims: &mut Claims,
    ) -> Result<Planned, Refusal> {
        let id = id_of(input)?;
        let record = self
            .resolve(object, id, text(input, "idProperty"))
            .map_err(|refusal| {
                if refusal.status == 404 {
                    missing_ids(object.singular(), vec![id.to_owned()])
                } else {
                    refusal
                }
            })?;
        self.plan_update(object, record, input, claims)
    }

    fn plan_upsert(
        &mut self,
        object: ObjectKind,
        input: &Value,
        claims: &mut Claims,
    ) -> Result<Planned, Refusal> {
        let key = text(input, "idProperty").unwrap_or_default();
        let id = id_of(input)?;
        match self.store.holder(object, key, id) {
            Some(record) => self.plan_update(object, record, input, claims),
            None => self.plan_create(object, input, Some((key, id)), claims),
        }
    }

    pub(super) fn batch_read(
        &self,
        at_ms: i64,
        object: ObjectKind,
        body: &Value,
    ) -> Result<Reply, Refusal> {
        let inputs = Inputs::of(body)?;
        let key = text(body, "idProperty");
        let asked: Option<Vec<String>> =
            body.get("properties")
                .and_then(Value::as_array)
                .map(|names| {
                    names
                        .iter()
                        .filter_map(Value::as_str)
                        .map(str::to_owned)
                        .collect()
                });
        let (mut results, mut missing) = (Vec::new(), Vec::new());
        let mut shown: BTreeSet<RecordId> = BTreeSet::new();
        for input in inputs.list {
            let id = id_of(input)?;
            match self.resolve(object, id, key) {
                Ok(record) if shown.insert(record) => {
                    results.extend(self.shown(object, record, asked.as_deref()));
                }
                Ok(_) => {}
                Err(refusal) if refusal.status == 404 => missing.push(id.to_owned()),
                Err(refusal) => return Err(refusal),
            }
        }
        let mut errors = Vec::new();
        if !missing.is_empty() {
            let refusal = missing_ids(object.singular(), missing);
            errors.push(json!({
                "status": "error",
                "category": refusal.category,
                "message": refusal.message,
                "context": refusal.context,
                "links": {},
                "errors": [],
            }));
        }
        if !self.batch_results_in_order && results.len() > 1 {
            results.rotate_left(1);
        }
        Ok(batch(200, results, errors, at_ms))
    }

    pub(super) fn batch_archive(
        &mut self,
        at_ms: i64,
        request_no: u64,
        object: ObjectKind,
        body: &Value,
    ) -> Result<Reply, Refusal> {
        for input in Inputs::of(body)?.list {
            // An unknown id is passed over in silence, as a second archive of one record is.
            if let Ok(id) = id_of(input)?.parse() {
                self.archive_record(at_ms, request_no, object, id);
            }
        }
        Ok(Reply::empty(204))
    }
}

fn check_update_ids(inputs: &Inputs<'_>) -> Result<(), Refusal> {
    let mut ids = Vec::with_capacity(inputs.list.len());
    for input in inputs.list {
        let key = text(input, "idProperty").unwrap_or_default();
        ids.push(unique_key(key, id_of(input)?));
    }
    duplicates(ids)
}
