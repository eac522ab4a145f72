//! Contact roles of open opportunities, page by page.

use callflume_core::effect::Object;
use callflume_core::vendor::{OpenDeals, Vendor as _, Verb};
use serde_json::{Value, json};

use crate::schema::violations;
use crate::shown::{response, shown_account};
use crate::support::{id, operation, query, salesforce, shown_items};

fn role(n: u64, contact: u64, made: &str) -> Value {
    json!({"attributes": {"type": "OpportunityContactRole"}, "Id": id(n), "ContactId": id(contact), "OpportunityId": id(900 + n),
        "Opportunity": {"attributes": {"type": "Opportunity"}, "CreatedDate": made}})
}

#[test]
fn open_deals_are_listed_by_their_contact_roles() {
    assert_eq!(salesforce().open_deals(), OpenDeals::Listed);
    let mut list = operation(Verb::List, Object::Deal, 0);
    let select = "SELECT Id,ContactId,OpportunityId,Opportunity.CreatedDate FROM OpportunityContactRole \
                  WHERE Opportunity.IsClosed = false";
    for (after, expect) in [
        (None, format!("{select} ORDER BY Id LIMIT 2000")),
        (
            Some(id(7)),
            format!("{select} AND Id > '{}' ORDER BY Id LIMIT 2000", id(7)),
        ),
        (
            Some("' OR Id != '".into()),
            format!("{select} ORDER BY Id LIMIT 2000"),
        ),
    ] {
        list.after = after;
        let request = salesforce().request(&list);
        assert_eq!(query(&request), expect);
        assert_eq!(violations(&request), Vec::<String>::new());
    }
    let body = json!({"totalSize": 2, "done": true, "records": [
        role(1, 71, "2026-10-30T03:30:17.250+0000"), role(2, 72, "later")]});
    let answered = salesforce().interpret(&list, &response(200, &body));
    let expect = format!(
        "deals; {} of {} @1793331017250; {} of {}",
        id(901),
        id(71),
        id(902),
        id(72)
    );
    assert_eq!(shown_items(&answered), [expect]);
    assert_eq!(answered.next_page, None);
}

#[test]
fn a_listing_of_deals_goes_on_after_its_last_role_until_a_page_is_short() {
    let list = operation(Verb::List, Object::Deal, 0);
    for (count, done, expect) in [
        (2_000, true, Some(id(2_000))),
        (800, false, Some(id(800))),
        (1_999, true, None),
        (0, true, None),
    ] {
        let records: Vec<Value> = (1..=count).map(|n| role(n, 1, "")).collect();
        let body = json!({"totalSize": count, "done": done, "records": records});
        let answered = salesforce().interpret(&list, &response(200, &body));
        assert_eq!(answered.next_page, expect);
    }
}

#[test]
fn every_answer_to_a_listing_of_deals_means_something() {
    let list = operation(Verb::List, Object::Deal, 0);
    let error = |code: &str| json!([{"errorCode": code, "message": "no"}]);
    for (status, body, account, item) in [
        (200, json!({"done": true, "records": []}), "fine", "deals"),
        (
            200,
            json!({"done": true, "records": [{"Id": id(1)}]}),
            "failing",
            "not executed",
        ),
        (200, json!({"records": []}), "failing", "not executed"),
        (200, json!([]), "failing", "not executed"),
        (
            401,
            error("INVALID_SESSION_ID"),
            "credential refused",
            "not executed",
        ),
        (
            403,
            error("REQUEST_LIMIT_EXCEEDED"),
            "busy 60000",
            "not executed",
        ),
        (
            403,
            error("INSUFFICIENT_ACCESS"),
            "scope missing",
            "not executed",
        ),
        // A user who may not see opportunities is told that there is no such thing.
        (400, error("INVALID_TYPE"), "scope missing", "not executed"),
        (
            400,
            error("INVALID_FIELD"),
            "fine",
            "refused CF2101 HTTP 400",
        ),
        (500, error("UNKNOWN_EXCEPTION"), "failing", "not executed"),
    ] {
        let answered = salesforce().interpret(&list, &response(status, &body));
        let seen = (shown_account(&answered.account), shown_items(&answered));
        assert_eq!(
            seen,
            (account.to_owned(), vec![item.to_owned()]),
            "{status} {body}"
        );
    }
}
