//! The query language and its pages.

use callflume_sim::fakes::Method;
use callflume_sim::salesforce::{PAGE_MAX, Salesforce};
use serde_json::{Value, json};

use crate::{
    CONTACTS, DEALS, KEY, NOON_MS, TASKS, ask, body, code, contact, created, found, get, org, post,
};

/// Four contacts, of whom the last is deleted.
fn people() -> (Salesforce, Vec<String>) {
    let mut crm = org();
    let ids: Vec<String> = [
        json!({"LastName": "Acker", "FirstName": "Ada", "Email": "Ada@Example.com", "Phone": "(212) 555-0100", "Score__c": 3, KEY: "k1", "Exact__c": "X"}),
        json!({"LastName": "O'Brien", "FirstName": "100%_x", "MobilePhone": "+12125550101", "Score__c": 10.5, "DoNotCall": true, KEY: "k\\2"}),
        json!({"LastName": "acker", "Seen__c": "2026-06-01T08:00:00Z", "Birthdate": "1990-05-01"}),
        json!({"LastName": "Gone", "Email": "gone@example.com"}),
    ].into_iter().enumerate().map(|(at, fields)| created(&mut crm, NOON_MS + at as i64 * 1_000, CONTACTS, fields)).collect();
    assert!(crm.delete_record(NOON_MS + 4_000, &ids[3]));
    (crm, ids)
}

/// The places of the contacts that a condition finds.
#[track_caller]
fn places(crm: &mut Salesforce, ids: &[String], rest: &str) -> Vec<usize> {
    found(
        crm,
        NOON_MS + 5_000,
        &format!("SELECT Id FROM Contact {rest}"),
    )
    .iter()
    .map(|record| {
        ids.iter()
            .position(|id| record["Id"] == id.as_str())
            .unwrap()
    })
    .collect()
}

#[test]
fn conditions_find_what_fits_them() {
    let (mut crm, ids) = people();
    let short = ids[0].get(..15).unwrap();
    for (rest, expect) in [
        ("", vec![0, 1, 2]),
        ("WHERE LastName = 'ACKER'", vec![0, 2]),
        ("where lastname != 'Acker'", vec![1]),
        ("WHERE Email = 'ada@example.COM'", vec![0]),
        ("WHERE Email = null", vec![1, 2]),
        ("WHERE Email = ''", vec![1, 2]),
        ("WHERE Email != NULL", vec![0]),
        ("WHERE Email <> 'x@example.com'", vec![0, 1, 2]),
        (r"WHERE LastName = 'O\'Brien'", vec![1]),
        (r"WHERE Voice_Key__c IN ('K1', 'k\\2', 'k3')", vec![0, 1]),
        ("WHERE Voice_Key__c NOT IN ('k1')", vec![1, 2]),
        ("WHERE Email IN ('ada@example.com', null)", vec![0, 1, 2]),
        ("WHERE Exact__c = 'x'", vec![]),
        ("WHERE Exact__c = 'X'", vec![0]),
        (
            "WHERE Phone IN ('2125550100', '(212) 555-0100') OR MobilePhone IN ('+12125550101')",
            vec![0, 1],
        ),
        ("WHERE Phone = '+12125550100'", vec![]),
        ("WHERE FirstName LIKE 'a%'", vec![0]),
        (r"WHERE FirstName LIKE '100\%\_x'", vec![1]),
        (r"WHERE FirstName LIKE '100\_%'", vec![]),
        ("WHERE LastName LIKE '_cker'", vec![0, 2]),
        ("WHERE NOT LastName LIKE '_cker'", vec![1]),
        ("WHERE Name = 'Ada Acker'", vec![0]),
        ("WHERE DoNotCall = true", vec![1]),
        ("WHERE DoNotCall != TRUE AND Score__c < 4", vec![0]),
        ("WHERE Score__c >= 3 AND Score__c <= 10.5", vec![0, 1]),
        ("WHERE Score__c > 3 OR Score__c = null", vec![1, 2]),
        ("WHERE Score__c < 100", vec![0, 1]),
        ("WHERE Seen__c = 2026-06-01T10:00:00+02:00", vec![2]),
        ("WHERE Seen__c > 2026-06-01T08:00:00.001Z", vec![]),
        ("WHERE Birthdate < 1990-05-02", vec![2]),
        ("WHERE CreatedDate >= 2026-06-15T12:00:01Z", vec![1, 2]),
        ("WHERE LastName > 'b'", vec![1]),
        (
            "WHERE (LastName = 'acker' AND Email != null) OR (NOT (Score__c = null) AND DoNotCall = true)",
            vec![0, 1],
        ),
        (
            "ORDER BY LastName DESC, FirstName ASC NULLS LAST",
            vec![1, 0, 2],
        ),
        ("ORDER BY Email", vec![1, 2, 0]),
        ("ORDER BY Email NULLS LAST, Id DESC LIMIT 2", vec![0, 2]),
        ("WHERE LastName = 'acker' LIMIT 1", vec![0]),
        ("ORDER BY Id DESC LIMIT 1 OFFSET 1", vec![1]),
        ("LIMIT 0", vec![]),
    ] {
        assert_eq!(places(&mut crm, &ids, rest), expect, "{rest}");
    }
    for (rest, expect) in [
        (
            format!("WHERE Id > '{}' ORDER BY Id LIMIT 2000", ids[0]),
            vec![1, 2],
        ),
        (format!("WHERE Id = '{short}'"), vec![0]),
        (format!("WHERE Id IN ('{}','{}')", ids[2], ids[3]), vec![2]),
        (format!("WHERE Id != '{}'", ids[1]), vec![0, 2]),
    ] {
        assert_eq!(places(&mut crm, &ids, &rest), expect, "{rest}");
    }
}

#[test]
fn records_show_what_was_selected_and_a_count_shows_none() {
    let (mut crm, ids) = people();
    let answer = body(
        &ask(
            &mut crm,
            NOON_MS,
            "SELECT id, PHONE, MobilePhone, Score__c FROM contact WHERE Voice_Key__c='k1'",
        ),
        200,
    );
    let url = format!("/services/data/v66.0/sobjects/Contact/{}", ids[0]);
    assert_eq!(
        answer,
        json!({"totalSize": 1, "done": true, "records": [{"attributes": {"type": "Contact", "url": url},
        "Id": ids[0], "Phone": "(212) 555-0100", "MobilePhone": null, "Score__c": 3}]})
    );
    let count = body(&ask(&mut crm, NOON_MS, "SELECT COUNT() FROM Contact"), 200);
    assert_eq!(count, json!({"totalSize": 3, "done": true, "records": []}));
}

#[test]
fn other_objects_are_asked_the_same_way() {
    let mut crm = org();
    let who = contact(&mut crm, NOON_MS, "A");
    let task = created(
        &mut crm,
        NOON_MS,
        TASKS,
        json!({"WhoId": who, "Status": "Completed"}),
    );
    let deal = json!({"Name": "D", "StageName": "Proposal", "CloseDate": "2026-12-31", "Amount": 7, "ContactId": who});
    let deal = created(&mut crm, NOON_MS, DEALS, deal);
    for (query, expect) in [
        (
            format!("SELECT Id FROM Task WHERE WhoId = '{who}' AND IsClosed = true"),
            task.as_str(),
        ),
        (
            "SELECT Id FROM Opportunity WHERE CloseDate > 2026-01-01 AND Amount = 7".to_owned(),
            &deal,
        ),
        (
            format!("SELECT OpportunityId FROM OpportunityContactRole WHERE ContactId = '{who}'"),
            &deal,
        ),
    ] {
        let records = found(&mut crm, NOON_MS, &query);
        assert_eq!(records.len(), 1, "{query}");
        assert!(
            records[0]["Id"] == expect || records[0]["OpportunityId"] == expect,
            "{query}"
        );
    }
    let stages = found(
        &mut crm,
        NOON_MS,
        "SELECT ApiName,MasterLabel,IsActive,IsClosed,IsWon,DefaultProbability,SortOrder FROM OpportunityStage WHERE IsActive = true ORDER BY SortOrder",
    );
    let names: Vec<&str> = stages
        .iter()
        .map(|it| it["ApiName"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "Prospecting",
            "Qualification",
            "Proposal",
            "Closed Won",
            "Closed Lost"
        ]
    );
    let users = found(
        &mut crm,
        NOON_MS,
        "SELECT Id,Email,Name FROM User WHERE Email='sales.west@example.com' AND IsActive=true",
    );
    assert_eq!(users[0]["Name"], "Joss Marek");
}

#[test]
fn what_is_not_understood_is_refused() {
    let mut crm = org();
    for (query, expect) in [
        ("", "MALFORMED_QUERY"),
        ("SELECT FROM Contact", "MALFORMED_QUERY"),
        ("SELECT Id", "MALFORMED_QUERY"),
        ("SELECT Id, FROM Contact", "MALFORMED_QUERY"),
        ("SELECT Id, id FROM Contact", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE", "MALFORMED_QUERY"),
        (
            "SELECT Id FROM Contact WHERE LastName 'A'",
            "MALFORMED_QUERY",
        ),
        (
            "SELECT Id FROM Contact WHERE LastName = 'A",
            "MALFORMED_QUERY",
        ),
        (
            "SELECT Id FROM Contact WHERE LastName = 'O'Brien'",
            "MALFORMED_QUERY",
        ),
        (
            "SELECT Id FROM Contact WHERE LastName = A",
            "MALFORMED_QUERY",
        ),
        (
            "SELECT Id FROM Contact WHERE LastName = 'A' AND DoNotCall = true OR DoNotCall = false",
            "MALFORMED_QUERY",
        ),
        (
            "SELECT Id FROM Contact WHERE (LastName = 'A'",
            "MALFORMED_QUERY",
        ),
        (
            "SELECT Id FROM Contact WHERE LastName IN ()",
            "MALFORMED_QUERY",
        ),
        (
            "SELECT Id FROM Contact WHERE LastName IN 'A'",
            "MALFORMED_QUERY",
        ),
        ("SELECT Id FROM Contact LIMIT many", "MALFORMED_QUERY"),
        (
            "SELECT Id FROM Contact LIMIT 1 WHERE Id = null",
            "MALFORMED_QUERY",
        ),
        ("SELECT Id FROM Contact; DROP", "MALFORMED_QUERY"),
        ("SELECT COUNT(Id) FROM Contact", "MALFORMED_QUERY"),
        (
            "SELECT Id FROM Contact WHERE CreatedDate = TODAY",
            "MALFORMED_QUERY",
        ),
        ("SELECT Id FROM Nothing", "INVALID_TYPE"),
        ("SELECT Nothing__c FROM Contact", "INVALID_FIELD"),
        ("SELECT Account.Name FROM Contact", "INVALID_FIELD"),
        (
            "SELECT Id FROM Contact WHERE Nothing__c = 'A'",
            "INVALID_FIELD",
        ),
        (
            "SELECT Id FROM Contact ORDER BY Nothing__c",
            "INVALID_FIELD",
        ),
        (
            "SELECT Id FROM Task WHERE Description = 'A'",
            "INVALID_FIELD",
        ),
        (
            "SELECT Id FROM Task WHERE Recording__c LIKE 'A%'",
            "INVALID_FIELD",
        ),
        ("SELECT Id FROM Task ORDER BY Description", "INVALID_FIELD"),
        ("SELECT Id FROM Contact WHERE LastName = 7", "INVALID_FIELD"),
        (
            "SELECT Id FROM Contact WHERE DoNotCall = 'true'",
            "INVALID_FIELD",
        ),
        (
            "SELECT Id FROM Contact WHERE Score__c = '7'",
            "INVALID_FIELD",
        ),
        (
            "SELECT Id FROM Contact WHERE Birthdate = '2026-01-01'",
            "INVALID_FIELD",
        ),
        (
            "SELECT Id FROM Contact WHERE CreatedDate = 2026-01-01",
            "INVALID_FIELD",
        ),
        (
            "SELECT Id FROM Contact WHERE Id = 'x'",
            "INVALID_QUERY_FILTER_OPERATOR",
        ),
        (
            "SELECT Id FROM Contact WHERE Id LIKE '003%'",
            "INVALID_QUERY_FILTER_OPERATOR",
        ),
        (
            "SELECT Id FROM Contact OFFSET 2001",
            "NUMBER_OUTSIDE_VALID_RANGE",
        ),
    ] {
        assert_eq!(code(&ask(&mut crm, NOON_MS, query), 400), expect, "{query}");
    }
    let deep = format!("SELECT Id FROM Contact WHERE {}", "(".repeat(5_000));
    assert_eq!(
        code(&ask(&mut crm, NOON_MS, &deep.replace('(', "NOT ")), 414),
        "URI_TOO_LONG"
    );
    let deep = format!("SELECT Id FROM Contact WHERE {}", "(".repeat(4_000));
    assert_eq!(code(&ask(&mut crm, NOON_MS, &deep), 400), "MALFORMED_QUERY");
    let none = get(&mut crm, NOON_MS, "/query");
    assert_eq!(code(&none, 400), "MALFORMED_QUERY");
}

fn many(crm: &mut Salesforce, count: usize) {
    for start in (0..count).step_by(200) {
        let records: Vec<Value> = (start..count.min(start + 200))
            .map(|at| json!({"attributes": {"type": "Contact"}, "LastName": format!("N{at:05}")}))
            .collect();
        assert_eq!(
            post(
                crm,
                NOON_MS,
                "/composite/sobjects",
                &json!({"records": records})
            )
            .status,
            200
        );
    }
}

#[test]
fn what_does_not_fit_one_page_waits_under_a_locator() {
    let mut crm = org();
    many(&mut crm, PAGE_MAX + 100);
    let first = body(&ask(&mut crm, NOON_MS, "SELECT LastName FROM Contact"), 200);
    assert_eq!(
        (&first["totalSize"], &first["done"]),
        (&2_100.into(), &false.into())
    );
    assert_eq!(first["records"].as_array().unwrap().len(), PAGE_MAX);
    let next = first["nextRecordsUrl"].as_str().unwrap();
    let next = next
        .strip_prefix("/services/data/v66.0")
        .unwrap()
        .to_owned();
    // A record that came later is none of this query's.
    contact(&mut crm, NOON_MS, "Late");
    let rest = body(&get(&mut crm, NOON_MS, &next), 200);
    assert_eq!(rest["done"], true);
    assert_eq!(rest["nextRecordsUrl"], Value::Null);
    let names: Vec<&str> = rest["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["LastName"].as_str().unwrap())
        .collect();
    assert_eq!(
        (names.len(), names[0], names[99]),
        (100, "N02000", "N02099")
    );
    assert_eq!(
        code(&get(&mut crm, NOON_MS, "/query/01gnothing-2000"), 400),
        "INVALID_QUERY_LOCATOR"
    );
    for _ in 0..10 {
        assert_eq!(ask(&mut crm, NOON_MS, "SELECT Id FROM Contact").status, 200);
    }
    assert_eq!(
        code(&get(&mut crm, NOON_MS, &next), 400),
        "INVALID_QUERY_LOCATOR",
        "ten are kept"
    );
}

#[test]
fn a_request_can_ask_for_smaller_pages() {
    let mut crm = org();
    many(&mut crm, 450);
    let page = |crm: &mut Salesforce, options: &str| {
        let request = crate::request(Method::Get, "/query?q=SELECT+Id+FROM+Contact", &Value::Null);
        crm.handle(
            NOON_MS,
            &request.with_header("Sforce-Query-Options", options),
        )
    };
    let mut answer = body(&page(&mut crm, "batchSize=200"), 200);
    let mut sizes = Vec::new();
    loop {
        sizes.push(answer["records"].as_array().unwrap().len());
        let Some(next) = answer["nextRecordsUrl"].as_str() else {
            break;
        };
        let next = next
            .strip_prefix("/services/data/v66.0")
            .unwrap()
            .to_owned();
        answer = body(&get(&mut crm, NOON_MS, &next), 200);
    }
    assert_eq!(sizes, [200, 200, 50]);
    assert_eq!(
        code(&page(&mut crm, "batchSize=10"), 400),
        "INVALID_QUERY_OPTIONS"
    );
}

#[test]
fn a_query_may_name_fields_of_the_record_that_a_field_refers_to() {
    let mut crm = org();
    let contact = created(&mut crm, NOON_MS, CONTACTS, json!({"LastName": "Roe"}));
    let deal = |crm: &mut Salesforce, name: &str, stage: &str| {
        let fields = json!({"Name": name, "StageName": stage, "CloseDate": "2026-12-31", "ContactId": contact});
        created(crm, NOON_MS + 1_500, DEALS, fields)
    };
    let open = deal(&mut crm, "a", "Prospecting");
    let won = deal(&mut crm, "b", "Closed Won");
    let gone = deal(&mut crm, "c", "Prospecting");
    assert!(crm.delete_record(NOON_MS + 3_000, &gone));
    let select = "SELECT Id,ContactId,OpportunityId,Opportunity.CreatedDate,opportunity.stagename FROM OpportunityContactRole";
    let roles =
        |crm: &mut Salesforce, rest: &str| found(crm, NOON_MS + 5_000, &format!("{select} {rest}"));
    let shown = roles(
        &mut crm,
        "WHERE Opportunity.IsClosed = false ORDER BY Id LIMIT 2000",
    );
    assert_eq!(shown.len(), 1);
    assert_eq!(
        (&shown[0]["OpportunityId"], &shown[0]["ContactId"]),
        (&json!(open), &json!(contact))
    );
    assert_eq!(shown[0]["Opportunity"]["StageName"], "Prospecting");
    assert_eq!(
        shown[0]["Opportunity"]["CreatedDate"],
        "2026-06-15T12:00:01.500+0000"
    );
    for (rest, expect) in [
        ("WHERE Opportunity.IsClosed = true", vec![&won]),
        (
            "WHERE Opportunity.Name IN ('a','b') ORDER BY Opportunity.Name DESC",
            vec![&won, &open],
        ),
        (&format!("WHERE Opportunity.Id = '{won}'"), vec![&won]),
        (
            "WHERE Opportunity.Name LIKE 'A%' AND ContactId != null",
            vec![&open],
        ),
    ] {
        let found = roles(&mut crm, rest);
        let found: Vec<&str> = found
            .iter()
            .map(|it| it["OpportunityId"].as_str().unwrap())
            .collect();
        assert_eq!(found, expect, "{rest}");
    }
    for (query, expect) in [
        (
            "SELECT Opportunity.Nothing FROM OpportunityContactRole",
            "INVALID_FIELD",
        ),
        (
            "SELECT Opportunity.Owner.Name FROM OpportunityContactRole",
            "INVALID_FIELD",
        ),
        (
            "SELECT Id FROM OpportunityContactRole WHERE Deal.IsClosed = false",
            "INVALID_FIELD",
        ),
    ] {
        assert_eq!(code(&ask(&mut crm, NOON_MS, query), 400), expect, "{query}");
    }
}
