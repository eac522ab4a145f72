//! Answers for the tests of every CRM, and how what they mean is written in tables and fixtures.

use callflume_core::vendor::{AccountSignal, Answer, ItemOutcome};
use serde_json::Value;

pub(crate) fn response(status: u16, body: &Value) -> Answer {
    Answer::Response {
        status,
        headers: Vec::new(),
        body: body.to_string().into_bytes(),
    }
}

pub(crate) fn shown_account(signal: &AccountSignal) -> String {
    match signal {
        AccountSignal::Fine => "fine".into(),
        AccountSignal::Throttled { window, wait_ms } => format!(
            "throttled {} {}",
            if window.is_empty() { "-" } else { window },
            wait_ms.map_or_else(|| "-".into(), |ms| ms.to_string())
        ),
        AccountSignal::DayExhausted => "day exhausted".into(),
        AccountSignal::CredentialRefused => "credential refused".into(),
        AccountSignal::ScopeMissing => "scope missing".into(),
        AccountSignal::Failing => "failing".into(),
        AccountSignal::Busy { wait_ms } => format!("busy {wait_ms}"),
    }
}

pub(crate) fn shown(outcome: &ItemOutcome) -> String {
    match outcome {
        ItemOutcome::Done { crm_id } => format!("done {crm_id}"),
        ItemOutcome::Matches(found) => std::iter::once("matches")
            .chain(found.iter().map(|found| found.crm_id.as_str()))
            .collect::<Vec<_>>()
            .join(" "),
        ItemOutcome::Deals(found) => std::iter::once("deals".to_owned())
            .chain(found.iter().map(|deal| {
                let contact = deal.contact.as_deref().unwrap_or("-");
                let open = if deal.open { "" } else { " closed" };
                let made = deal
                    .created
                    .map_or_else(String::new, |at| format!(" @{}", at.0));
                format!("{} of {contact}{open}{made}", deal.crm_id)
            }))
            .collect::<Vec<_>>()
            .join("; "),
        ItemOutcome::NotExecuted => "not executed".into(),
        ItemOutcome::Unknown => "unknown".into(),
        ItemOutcome::Conflict { existing } => {
            format!("conflict {}", existing.as_deref().unwrap_or("-"))
        }
        ItemOutcome::Gone => "gone".into(),
        ItemOutcome::Refused { code, reason } => format!("refused {code} {reason}"),
        ItemOutcome::Split => "split".into(),
    }
}
