//! Reference data of all CRMs: what is asked, what answers mean, what a name looks like.

mod table;

use std::sync::Arc;

use callflume_core::effect::{Field, Object};
use callflume_core::reference::{
    DISPOSITIONS, Naming, OWNERS, PIPELINES, Page, PageOutcome, PageReading, ReferenceRecord,
    STAGES,
};
use callflume_core::vendor::{AccountSignal, Answer, Method, Vendor};
use callflume_crm::{Settings, VENDORS, limit_profile, limit_profile_ids, vendor};
use serde_json::{Value, json};

use crate::table::table;

fn crm(name: &str) -> Arc<dyn Vendor> {
    vendor(name, &Settings::default()).unwrap()
}

pub(crate) fn page(what: &'static str, mark: &str) -> Page {
    Page {
        what,
        mark: (!mark.is_empty()).then(|| mark.to_owned()),
    }
}

fn response(status: u16, body: &Value) -> Answer {
    Answer::Response {
        status,
        headers: Vec::new(),
        body: body.to_string().into_bytes(),
    }
}

fn read(name: &str, page: &Page, answer: &Answer) -> PageReading {
    crm(name).references().unwrap().interpret(page, answer)
}

/// Owners as `id address active`, pipelines as `id label: stage label, …`, `over` where deals end, dispositions as `id label`.
fn shown(record: &ReferenceRecord) -> Vec<String> {
    let mut lines: Vec<String> = record
        .owners
        .iter()
        .map(|it| format!("{} {} {}", it.id, it.email, it.active))
        .collect();
    for pipeline in &record.pipelines {
        let stages: Vec<String> = pipeline
            .stages
            .iter()
            .map(|it| {
                let over = pipeline.closed.contains(&it.id);
                format!("{} {}{}", it.id, it.label, if over { " over" } else { "" })
            })
            .collect();
        lines.push(format!(
            "{} {}: {}",
            pipeline.id,
            pipeline.label,
            stages.join(", ")
        ));
    }
    let dispositions = record.dispositions.iter();
    lines.extend(dispositions.map(|it| format!("{} {}", it.id, it.label)));
    lines
}

#[test]
fn each_listing_is_asked_for_and_read_page_by_page() {
    for row in table() {
        let crm = crm(row.vendor);
        let references = crm.references().unwrap();
        let request = references.request(&row.page);
        assert_eq!(
            (request.method, request.path.as_str(), &request.body),
            (Method::Get, row.path, &None)
        );
        let reading = references.interpret(&row.page, &response(200, &row.body));
        assert_eq!(reading.account, AccountSignal::Fine, "{}", row.path);
        let PageOutcome::Read { piece, next } = reading.outcome else {
            panic!("{}: {:?}", row.path, reading.outcome);
        };
        assert_eq!(shown(&piece), row.shown, "{}", row.path);
        assert_eq!(next, row.next, "{}", row.path);
    }
    for name in VENDORS {
        let first = crm(name).references().unwrap().first();
        let row = table().into_iter().find(|row| row.vendor == *name).unwrap();
        assert_eq!(first, row.page, "{name}");
    }
}

#[test]
fn hubspots_newer_family_moves_what_is_documented_there() {
    let dated = Settings::new("2026-09".parse().unwrap(), [].into()).unwrap();
    let crm = vendor("hubspot", &dated).unwrap();
    let paths: Vec<String> = [OWNERS, PIPELINES]
        .into_iter()
        .map(|what| crm.references().unwrap().request(&page(what, "")).path)
        .collect();
    assert_eq!(
        paths,
        ["/crm/v3/owners/?limit=100", "/crm/pipelines/2026-09/deals"]
    );
}

#[test]
fn every_page_is_charged_in_windows_that_every_profile_has() {
    for row in table() {
        let crm = crm(row.vendor);
        let charges = crm.references().unwrap().charges(&row.page);
        assert!(!charges.is_empty());
        for id in limit_profile_ids(row.vendor) {
            let windows = limit_profile(row.vendor, id).unwrap();
            assert!(charges.iter().all(|charge| charge.window < windows.len()));
        }
        let tokens: Option<u32> = match (row.vendor, row.page.what) {
            ("pipedrive", OWNERS) => Some(20),
            ("pipedrive", _) => Some(5),
            _ => None,
        };
        if let Some(tokens) = tokens {
            assert!(
                charges.iter().any(|charge| charge.cost == tokens),
                "{}",
                row.path
            );
        }
    }
}

#[test]
fn a_refused_listing_costs_the_account_nothing_and_the_next_one_is_read() {
    let refusals = [
        (
            "hubspot",
            403,
            json!({"status": "error", "category": "MISSING_SCOPES", "message": "no", "errors": []}),
        ),
        (
            "hubspot",
            404,
            json!({"status": "error", "category": "OBJECT_NOT_FOUND", "message": "no"}),
        ),
        (
            "salesforce",
            403,
            json!([{"errorCode": "INSUFFICIENT_ACCESS", "message": "no"}]),
        ),
        (
            "salesforce",
            400,
            json!([{"errorCode": "INVALID_FIELD", "message": "no"}]),
        ),
        ("close", 403, json!({"error": "no"})),
        ("close", 404, json!({"error": "no"})),
        (
            "pipedrive",
            403,
            json!({"success": false, "error": "no", "errorCode": 403}),
        ),
        ("pipedrive", 404, json!({"success": false, "error": "no"})),
    ];
    for (name, status, body) in refusals {
        let rows = table();
        let firsts = rows
            .iter()
            .filter(|row| row.vendor == name && row.page.mark.is_none());
        let pages: Vec<Page> = firsts.map(|row| row.page.clone()).collect();
        for (place, page) in pages.iter().enumerate() {
            let reading = read(name, page, &response(status, &body));
            assert_eq!(reading.account, AccountSignal::Fine, "{name} {status}");
            let next = pages.get(place + 1).cloned();
            let expect = if page.what == DISPOSITIONS {
                PageOutcome::Read {
                    piece: ReferenceRecord::default(),
                    next,
                }
            } else {
                PageOutcome::Refused { next }
            };
            assert_eq!(reading.outcome, expect, "{name} {status}");
        }
    }
}

#[test]
fn trouble_of_the_account_is_the_accounts() {
    for name in VENDORS {
        let first = crm(name).references().unwrap().first();
        for (answer, expect) in [
            (response(401, &json!({})), AccountSignal::CredentialRefused),
            (response(500, &json!({})), AccountSignal::Failing),
            (Answer::NotSent, AccountSignal::Failing),
            (Answer::Lost, AccountSignal::Failing),
        ] {
            let reading = read(name, &first, &answer);
            assert_eq!(
                reading.outcome,
                PageOutcome::NotExecuted,
                "{name} {answer:?}"
            );
            assert_eq!(reading.account, expect, "{name} {answer:?}");
        }
        let reading = read(name, &first, &response(429, &json!({})));
        assert_eq!(reading.outcome, PageOutcome::NotExecuted, "{name}");
        assert_ne!(reading.account, AccountSignal::Fine, "{name}");
    }
}

#[test]
fn every_answer_means_something_and_reading_ends() {
    let bodies = [
        "",
        "nonsense",
        "null",
        "[]",
        "{}",
        "7",
        "[null]",
        r#"{"results": 1}"#,
        r#"{"data": null}"#,
        r#"{"results": [null, 7, {"id": {}}, {"id": ""}]}"#,
        r#"{"records": [{"Id": []}]}"#,
        r#"{"success": true, "data": [[], {"id": null}]}"#,
        r#"{"success": false}"#,
    ];
    for row in table() {
        for status in (100..600).step_by(1) {
            for body in bodies {
                let answer = Answer::Response {
                    status,
                    headers: Vec::new(),
                    body: body.as_bytes().to_vec(),
                };
                let reading = read(row.vendor, &row.page, &answer);
                let next = match reading.outcome {
                    PageOutcome::Read { piece, next } => {
                        assert!(piece.owners.is_empty() && piece.dispositions.is_empty());
                        next
                    }
                    PageOutcome::Refused { next } => next,
                    PageOutcome::NotExecuted => {
                        let alone = reading.account == AccountSignal::Fine;
                        assert!(!alone, "{} {status} {body}: again, and why?", row.path);
                        continue;
                    }
                };
                // What isn't a full page never leads to another one of the same listing.
                assert_ne!(next.map(|next| next.what), Some(row.page.what));
            }
        }
    }
}

#[test]
fn a_mark_that_leads_to_itself_ends_the_listing() {
    let body = json!({"results": [], "paging": {"next": {"after": "7"}}});
    let reading = read("hubspot", &page(OWNERS, "7"), &response(200, &body));
    let PageOutcome::Read { next, .. } = reading.outcome else {
        panic!("{:?}", reading.outcome);
    };
    assert_eq!(next, Some(page(PIPELINES, "")));
    let body = json!({"records": [], "nextRecordsUrl": "https://elsewhere.example/query/../x?y"});
    let reading = read("salesforce", &page(OWNERS, ""), &response(200, &body));
    let PageOutcome::Read { next, .. } = reading.outcome else {
        panic!("{:?}", reading.outcome);
    };
    assert_eq!(next, Some(page(STAGES, "")), "no locator");
}

#[test]
fn a_stage_in_which_deals_are_over_is_known_by_the_crms_own_words() {
    for (name, stage, expect) in [
        ("hubspot", "closedwon", Some(true)),
        ("hubspot", "closedlost", Some(true)),
        ("hubspot", "appointmentscheduled", None),
        ("salesforce", "Closed Won", Some(true)),
        ("salesforce", "Closed Lost", Some(true)),
        ("salesforce", "Prospecting", None),
        ("close", "stat_22", None),
        ("pipedrive", "won", Some(true)),
        ("pipedrive", "lost", Some(true)),
        ("pipedrive", "open", Some(false)),
        ("pipedrive", "3", None),
    ] {
        let crm = crm(name);
        assert_eq!(
            crm.references().unwrap().is_over(stage),
            expect,
            "{name} {stage}"
        );
    }
}

#[test]
fn names_are_told_from_ids() {
    use Field::{Owner, Pipeline, Stage};
    use Naming::{Id, Name, Unsure};
    for (name, field, text, expect) in [
        ("hubspot", Stage, "appointmentscheduled", Unsure),
        ("hubspot", Stage, "8001", Unsure),
        ("hubspot", Stage, "3f2a-77", Unsure),
        ("hubspot", Stage, "Offer sent", Name),
        ("hubspot", Stage, "Offer", Name),
        ("hubspot", Pipeline, "default", Unsure),
        ("hubspot", Pipeline, "New business", Name),
        ("salesforce", Stage, "Closed Won", Unsure),
        ("salesforce", Pipeline, "0125g000000AAAA", Id),
        ("close", Stage, "stat_20", Id),
        ("close", Stage, "Talking", Name),
        ("close", Pipeline, "pipe_1", Id),
        ("close", Pipeline, "stat_20", Name),
        ("pipedrive", Stage, "3", Id),
        ("pipedrive", Stage, "won", Id),
        ("pipedrive", Stage, "lost", Id),
        ("pipedrive", Stage, "open", Id),
        ("pipedrive", Stage, "Won", Name),
        ("pipedrive", Stage, "Demo", Name),
        ("pipedrive", Pipeline, "1", Id),
    ] {
        let found = crm(name)
            .references()
            .unwrap()
            .naming(Object::Deal, &field, text);
        assert_eq!(found, expect, "{name} {text}");
    }
    for name in VENDORS {
        let crm = crm(name);
        let references = crm.references().unwrap();
        for (text, expect) in [("ida@example.com", Name), ("71", Id), ("user_71", Id)] {
            assert_eq!(references.naming(Object::Task, &Owner, text), expect);
        }
        assert_eq!(references.naming(Object::Note, &Field::Text, "a@b"), Id);
    }
}
