//! Filters of a search: reading them off the request, and whether a record fulfils one.
//!
//! Values compare without regard to case; bounds compare as instants or numbers when both sides are. A filter on a property
//! that doesn't exist is refused, never taken for "no match".

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::properties::{Schema, instant};
use super::records::ObjectKind;
use super::replies::Refusal;

/// Filter groups, filters per group and filters in all: from the vendor's search guide.
const MAX_GROUPS: usize = 5;
const MAX_FILTERS_PER_GROUP: usize = 6;
const MAX_FILTERS: usize = 18;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Eq,
    Neq,
    In,
    NotIn,
    Has,
    HasNot,
    Lt,
    Lte,
    Gt,
    Gte,
    Between,
}

/// One condition of a search.
#[derive(Debug)]
pub(super) struct Filter {
    pub(super) property: String,
    operator: Operator,
    /// Lower case; the single value, the list, or the two bounds.
    pub(super) values: Vec<String>,
}

impl Filter {
    /// Whether the records that fulfil it can be looked up by its values.
    pub(super) fn lists_values(&self) -> bool {
        matches!(self.operator, Operator::Eq | Operator::In)
    }

    pub(super) fn holds(&self, properties: &BTreeMap<Arc<str>, Arc<str>>) -> bool {
        let value = properties.get(self.property.as_str());
        let Some(value) = value.map(|value| value.to_lowercase()) else {
            return matches!(self.operator, Operator::HasNot);
        };
        let against = |place: usize| self.values.get(place).map(|it| ordered(&value, it));
        match self.operator {
            Operator::Has => true,
            Operator::HasNot => false,
            Operator::Eq | Operator::In => self.values.contains(&value),
            Operator::Neq | Operator::NotIn => !self.values.contains(&value),
            Operator::Lt => against(0).is_some_and(std::cmp::Ordering::is_lt),
            Operator::Lte => against(0).is_some_and(std::cmp::Ordering::is_le),
            Operator::Gt => against(0).is_some_and(std::cmp::Ordering::is_gt),
            Operator::Gte => against(0).is_some_and(std::cmp::Ordering::is_ge),
            Operator::Between => {
                against(0).is_some_and(std::cmp::Ordering::is_ge)
                    && against(1).is_some_and(std::cmp::Ordering::is_le)
            }
        }
    }
}

/// Order of two values: as instants or numbers when both are, else as text.
pub(super) fn ordered(one: &str, other: &str) -> std::cmp::Ordering {
    let numbers = |text: &str| {
        text.parse::<f64>()
            .ok()
            .or_else(|| instant(&text.to_uppercase()).map(|at_ms| at_ms as f64))
    };
    match (numbers(one), numbers(other)) {
        (Some(one), Some(other)) => one.total_cmp(&other),
        _ => one.cmp(other),
    }
}

/// Reads the groups of a search; none means all records.
pub(super) fn filter_groups(
    kind: ObjectKind,
    body: &Value,
    schema: &Schema,
) -> Result<Vec<Vec<Filter>>, Refusal> {
    let groups = match body.get("filterGroups") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(groups)) => groups,
        Some(_) => {
            return Err(Refusal::invalid(
                "Invalid input JSON: filterGroups is not a list",
            ));
        }
    };
    let mut parsed = Vec::with_capacity(groups.len());
    for group in groups {
        let filters = group
            .get("filters")
            .and_then(Value::as_array)
            .ok_or_else(|| Refusal::invalid("Invalid input JSON: a filter group has no filters"))?;
        if filters.len() > MAX_FILTERS_PER_GROUP {
            return Err(Refusal::invalid(format!(
                "A filter group can hold at most {MAX_FILTERS_PER_GROUP} filters"
            )));
        }
        let filters: Result<Vec<Filter>, Refusal> =
            filters.iter().map(|it| filter(kind, it, schema)).collect();
        parsed.push(filters?);
    }
    if parsed.len() > MAX_GROUPS || parsed.iter().map(Vec::len).sum::<usize>() > MAX_FILTERS {
        return Err(Refusal::invalid(format!(
            "A search can hold at most {MAX_GROUPS} filter groups and {MAX_FILTERS} filters"
        )));
    }
    Ok(parsed)
}

fn filter(kind: ObjectKind, filter: &Value, schema: &Schema) -> Result<Filter, Refusal> {
    let property = filter
        .get("propertyName")
        .and_then(Value::as_str)
        .ok_or_else(|| {
            Refusal::invalid("Invalid input JSON: propertyName of a filter was not set")
        })?;
    if schema.property(kind, property).is_none() {
        return Err(Refusal::invalid(format!(
            "There was a problem with the request: property \"{property}\" does not exist"
        )));
    }
    let name = filter
        .get("operator")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let text = |field: &str| {
        filter
            .get(field)
            .and_then(Value::as_str)
            .map(str::to_lowercase)
            .ok_or_else(|| Refusal::invalid(format!("Operator {name} needs the text \"{field}\"")))
    };
    let list = || {
        filter
            .get("values")
            .and_then(Value::as_array)
            .and_then(|values| {
                values
                    .iter()
                    .map(|value| value.as_str().map(str::to_lowercase))
                    .collect::<Option<Vec<_>>>()
            })
            .filter(|values| !values.is_empty())
            .ok_or_else(|| Refusal::invalid(format!("Operator {name} needs the list \"values\"")))
    };
    let (operator, values) = match name {
        "EQ" => (Operator::Eq, vec![text("value")?]),
        "NEQ" => (Operator::Neq, vec![text("value")?]),
        "IN" => (Operator::In, list()?),
        "NOT_IN" => (Operator::NotIn, list()?),
        "HAS_PROPERTY" => (Operator::Has, Vec::new()),
        "NOT_HAS_PROPERTY" => (Operator::HasNot, Vec::new()),
        "LT" => (Operator::Lt, vec![text("value")?]),
        "LTE" => (Operator::Lte, vec![text("value")?]),
        "GT" => (Operator::Gt, vec![text("value")?]),
        "GTE" => (Operator::Gte, vec![text("value")?]),
        "BETWEEN" => (Operator::Between, vec![text("value")?, text("highValue")?]),
        other => {
            return Err(Refusal::invalid(format!(
                "Invalid input JSON: operator \"{other}\" is not known"
            )));
        }
    };
    Ok(Filter {
        property: property.to_owned(),
        operator,
        values,
    })
}
