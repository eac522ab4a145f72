//! A job's results as outcomes: one per item, whatever comes.
//!
//! | row | outcome |
//! | --- | --- |
//! | among the successful, with an id | done |
//! | among the failed | by its error, as in `settled` |
//! | among the unprocessed | not executed |
//! | in several places, in none, or of an item whose name another one shares | unknown |
//! | none: the item was never sent | refused, CF2101 |
//!
//! An error is `<CODE>:<message>:<fields> --`.

use std::collections::BTreeMap;

use callflume_core::codes;
use callflume_core::vendor::{Item, ItemOutcome, Operation, Verb};
use csv::StringRecord;
use serde_json::{Value, json};

use super::sheet::{NoTable, rows};
use super::{ID, name, names};
use crate::salesforce::build::{lack, sent};
use crate::salesforce::fields::key_field;
use crate::salesforce::interpret::outcome_of_errors;
use crate::salesforce::paths::is_id;
use crate::settings::Settings;

/// Columns that Salesforce adds.
const RESULT_ID: &str = "sf__Id";
const RESULT_ERROR: &str = "sf__Error";

/// What became of an operation's items, from all three tables of its job that is over.
pub fn outcomes(
    settings: &Settings,
    operation: &Operation,
    successful: &[u8],
    failed: &[u8],
    unprocessed: &[u8],
) -> Result<Vec<ItemOutcome>, NoTable> {
    let told = told(
        settings,
        operation,
        &sent(settings, operation),
        [successful, failed, unprocessed],
    )?;
    let outcome = |item: &Item| {
        if let Some(lack) = lack(settings, operation, item) {
            return ItemOutcome::Refused {
                code: codes::CRM_REFUSED,
                reason: format!("not sent: {lack}"),
            };
        }
        told(item)
    };
    Ok(operation.items.iter().map(outcome).collect())
}

/// What the tables say of an item among those that were `sent`, of which only key, id and contact are looked at: whoever
/// goes on with another's job knows no more.
pub fn told<'a>(
    settings: &'a Settings,
    operation: &'a Operation,
    sent: &[&Item],
    [successful, failed, unprocessed]: [&[u8]; 3],
) -> Result<impl Fn(&Item) -> ItemOutcome + use<'a>, NoTable> {
    let column = if operation.verb == Verb::UpdateById {
        ID
    } else {
        key_field(settings, operation.object)
    };
    let mut found: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    let mut take = |table: &[u8], added: Option<&str>, row: fn(String) -> Row| {
        for (name, cell) in named(table, column, added)? {
            found.entry(name).or_default().push(row(cell));
        }
        Ok::<(), NoTable>(())
    };
    take(successful, Some(RESULT_ID), Row::Done)?;
    take(failed, Some(RESULT_ERROR), Row::Failed)?;
    take(unprocessed, None, |_| Row::Unprocessed)?;
    let names = names(operation, sent);
    Ok(move |item: &Item| {
        let name = name(operation, item);
        if !names.contains(name) {
            return ItemOutcome::Unknown;
        }
        match found.get(name).map(Vec::as_slice) {
            Some([Row::Done(id)]) if is_id(id) => ItemOutcome::Done { crm_id: id.clone() },
            Some([Row::Failed(error)]) => {
                outcome_of_errors(settings, operation, item, &errors(error))
            }
            Some([Row::Unprocessed]) => ItemOutcome::NotExecuted,
            _ => ItemOutcome::Unknown,
        }
    })
}

/// A row that was found.
enum Row {
    /// With the record's id.
    Done(String),
    /// With the error.
    Failed(String),
    Unprocessed,
}

/// Of every row what its column with names holds, and what the added one does. An empty table has no rows.
fn named(
    table: &[u8],
    column: &str,
    added: Option<&str>,
) -> Result<Vec<(String, String)>, NoTable> {
    let rows = rows(table)?;
    let Some((header, rows)) = rows.split_first() else {
        return Ok(Vec::new());
    };
    let place = |wanted: &str| {
        header
            .iter()
            .position(|name| name.eq_ignore_ascii_case(wanted))
    };
    let must = |wanted: &str| place(wanted).ok_or_else(|| NoTable::Column(wanted.to_owned()));
    let names = must(column)?;
    let added = added.map(must).transpose()?;
    let cell = |row: &StringRecord, at| row.get(at).unwrap_or_default().to_owned();
    Ok(rows
        .iter()
        .map(|row| {
            let added = added.map(|at| cell(row, at)).unwrap_or_default();
            (cell(row, names), added)
        })
        .collect())
}

/// An error's text as an answer's body would have it.
fn errors(text: &str) -> Value {
    let (code, rest) = text.split_once(':').unwrap_or((text, ""));
    let rest = rest.trim_end().strip_suffix("--").unwrap_or(rest);
    let (message, fields) = rest.rsplit_once(':').unwrap_or((rest, ""));
    let fields: Vec<&str> = fields
        .split([' ', ',', ';'])
        .filter(|name| !name.is_empty())
        .collect();
    json!([{"errorCode": code.trim(), "message": message, "fields": fields}])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_errors_text_has_code_message_and_fields() {
        for (text, expect) in [
            (
                "REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --",
                json!([{"errorCode": "REQUIRED_FIELD_MISSING", "message": "Required fields are missing: [LastName]",
                    "fields": ["LastName"]}]),
            ),
            (
                "DUPLICATE_VALUE:duplicate value found: Callflume_Key__c duplicates value on record with id: 003:--",
                json!([{"errorCode": "DUPLICATE_VALUE",
                    "message": "duplicate value found: Callflume_Key__c duplicates value on record with id: 003", "fields": []}]),
            ),
            (
                "UNKNOWN_EXCEPTION",
                json!([{"errorCode": "UNKNOWN_EXCEPTION", "message": "", "fields": []}]),
            ),
        ] {
            assert_eq!(errors(text), expect, "{text}");
        }
    }
}
