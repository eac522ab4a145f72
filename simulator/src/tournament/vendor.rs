//! The translation between the dispatcher and the door: as little of a CRM as there can be.
//!
//! A request names its records by our keys, one a line. An answer says what became of each in the same order.

use callflume_core::codes;
use callflume_core::effect::Object;
use callflume_core::vendor::{
    AccountSignal, Answer, Charge, Content, HttpRequest, Interpretation, ItemOutcome, Method,
    Observation, Operation, Vendor, Verb, WindowSpec,
};

use super::door::{Answered, Fate, Reply};
use super::scenarios::{LIMIT, SPAN_S};

/// Names of the windows.
pub(super) const WINDOW: &str = "ten_secondly";
pub(super) const DAILY: &str = "daily";
/// Every request counts in both.
const CHARGES: [Charge; 2] = [Charge::one(0), Charge::one(1)];
const HEADERS: [(&str, &str); 2] = [
    ("x-limit-window", "x-remaining-window"),
    ("x-limit-day", "x-remaining-day"),
];

/// The limits as published.
pub(super) fn windows(day_limit: u32) -> Vec<WindowSpec> {
    vec![
        WindowSpec::rolling(WINDOW, LIMIT, SPAN_S * 1_000),
        WindowSpec::day(DAILY, day_limit),
    ]
}

/// The CRM as the dispatcher sees it.
#[derive(Debug)]
pub(super) struct GateVendor {
    pub(super) batch_max: usize,
}

impl Vendor for GateVendor {
    fn name(&self) -> &'static str {
        "gate"
    }

    fn batch_max(&self, verb: Verb, _object: Object) -> usize {
        if verb == Verb::Create {
            self.batch_max
        } else {
            1
        }
    }

    fn windows(&self, _verb: Verb, _object: Object) -> &'static [Charge] {
        &CHARGES
    }

    fn observe(
        &self,
        _verb: Verb,
        _object: Object,
        headers: &[(String, String)],
    ) -> Vec<Observation> {
        let number = |name: &str| {
            headers
                .iter()
                .find(|(other, _)| other == name)
                .and_then(|(_, value)| value.parse().ok())
        };
        HEADERS
            .iter()
            .enumerate()
            .filter_map(|(window, (limit, remaining))| {
                let (limit, remaining) = (number(limit), number(remaining));
                (limit.is_some() || remaining.is_some()).then_some(Observation {
                    window,
                    limit,
                    remaining,
                    resets_in_ms: None,
                })
            })
            .collect()
    }

    fn request(&self, operation: &Operation) -> HttpRequest {
        let keys: Vec<&str> = operation
            .items
            .iter()
            .map(|item| item.key.as_str())
            .collect();
        HttpRequest {
            method: Method::Post,
            path: format!("/{}", operation.object),
            body: Some(keys.join("\n").into_bytes()),
            content: Content::Json,
        }
    }

    fn interpret(&self, operation: &Operation, answer: &Answer) -> Interpretation {
        let all = |outcome: ItemOutcome| vec![outcome; operation.items.len()];
        let (account, items) = match answer {
            Answer::NotSent => (AccountSignal::Fine, all(ItemOutcome::NotExecuted)),
            Answer::Lost => (AccountSignal::Fine, all(ItemOutcome::Unknown)),
            Answer::Response { status, body, .. } => match status {
                200 if operation.verb == Verb::Create => (
                    AccountSignal::Fine,
                    operation
                        .items
                        .iter()
                        .zip(body)
                        .map(|(item, fate)| outcome(&item.key, *fate))
                        .collect(),
                ),
                400 => (AccountSignal::Fine, all(ItemOutcome::Split)),
                429 if body == DAILY.as_bytes() => {
                    (AccountSignal::DayExhausted, all(ItemOutcome::NotExecuted))
                }
                429 => (
                    AccountSignal::Throttled {
                        window: WINDOW,
                        wait_ms: None,
                    },
                    all(ItemOutcome::NotExecuted),
                ),
                _ => (AccountSignal::Failing, all(ItemOutcome::Unknown)),
            },
        };
        Interpretation {
            account,
            items,
            next_page: None,
        }
    }
}

const CREATED: u8 = b'c';
const CONFLICT: u8 = b'k';
const REFUSED: u8 = b'r';

fn outcome(key: &str, fate: u8) -> ItemOutcome {
    match fate {
        CREATED => ItemOutcome::Done {
            crm_id: key.to_owned(),
        },
        CONFLICT => ItemOutcome::Conflict {
            existing: Some(key.to_owned()),
        },
        REFUSED => ItemOutcome::Refused {
            code: codes::CRM_REFUSED,
            reason: "invalid value".to_owned(),
        },
        _ => ItemOutcome::Unknown,
    }
}

/// The door's answer on the wire; `tells` for headers.
pub(super) fn answer(answered: &Answered, tells: bool) -> Answer {
    let (status, body) = match &answered.reply {
        Reply::Items(fates) => (
            200,
            fates
                .iter()
                .map(|fate| match fate {
                    Fate::Created => CREATED,
                    Fate::Conflict => CONFLICT,
                    Fate::Refused => REFUSED,
                })
                .collect(),
        ),
        Reply::RefusedWhole => (400, Vec::new()),
        Reply::Throttled => (429, WINDOW.into()),
        Reply::DayExhausted => (429, DAILY.into()),
    };
    let headers = if tells {
        HEADERS
            .iter()
            .zip(answered.left)
            .flat_map(|((limit, remaining), (all, left))| {
                [
                    ((*limit).to_owned(), all.to_string()),
                    ((*remaining).to_owned(), left.to_string()),
                ]
            })
            .collect()
    } else {
        Vec::new()
    };
    Answer::Response {
        status,
        headers,
        body,
    }
}
