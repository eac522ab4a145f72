//! Open deals, page by page.

use callflume_core::effect::Object;
use callflume_core::vendor::{OpenDeals, Verb};
use serde_json::{Value, json};

use crate::schema::{tokens, violations};
use crate::shown::{response, shown, shown_account};
use crate::{operation, pipedrive, with_fields};

#[test]
fn open_deals_are_listed_page_by_page_with_their_persons() {
    assert_eq!(pipedrive().open_deals(), OpenDeals::Listed);
    let mut list = operation(Verb::List, Object::Deal, 0);
    let first = "/api/v2/deals?status=open&sort_by=id&sort_direction=asc&limit=500";
    for (after, path) in [
        (None, format!("{first}&custom_fields=cccc")),
        (
            Some("a+b="),
            format!("{first}&custom_fields=cccc&cursor=a%2Bb%3D"),
        ),
    ] {
        list.after = after.map(str::to_owned);
        let request = pipedrive().request(&list);
        assert_eq!(request.path, path);
        assert_eq!(violations(&request), Vec::<String>::new());
        let charged = pipedrive().windows(Verb::List, Object::Deal)[1].cost;
        assert_eq!((charged, tokens(&request)), (10, 10));
    }
    // An account that isn't prepared lists them all the same.
    let unprepared = callflume_crm::pipedrive::Pipedrive::new(with_fields(&[]));
    list.after = None;
    let request = callflume_core::vendor::Vendor::request(&unprepared, &list);
    assert_eq!(request.path, first);

    let deal = |id: u64, person: Value, status: &str| json!({"id": id, "person_id": person, "status": status, "add_time": "2026-10-30T03:30:17Z", "is_deleted": false});
    let body = json!({"success": true, "additional_data": {"next_cursor": "eyJ"}, "data": [
        deal(301, json!(101), "open"), deal(302, Value::Null, "open"), deal(303, json!(101), "won"),
        {"id": 304, "person_id": 102, "status": "open", "is_deleted": true}]});
    let answered = pipedrive().interpret(&list, &response(200, &body));
    assert_eq!(
        shown(&answered.items[0]),
        "deals; 301 of 101 @1793331017000; 302 of - @1793331017000; 303 of 101 closed @1793331017000"
    );
    assert_eq!(answered.next_page.as_deref(), Some("eyJ"));
}

#[test]
fn every_answer_to_a_listing_of_deals_means_something() {
    let list = operation(Verb::List, Object::Deal, 0);
    let error = |code: u16| json!({"success": false, "error": "no", "errorCode": code});
    for (status, body, account, item) in [
        (
            200,
            json!({"success": true, "data": [], "additional_data": {"next_cursor": null}}),
            "fine",
            "deals",
        ),
        (
            200,
            json!({"success": true, "data": null}),
            "failing",
            "not executed",
        ),
        (
            200,
            json!({"success": true, "data": [{"title": "no id"}]}),
            "failing",
            "not executed",
        ),
        (200, json!({"data": []}), "failing", "not executed"),
        (401, error(401), "credential refused", "not executed"),
        (402, error(402), "scope missing", "not executed"),
        (403, error(403), "scope missing", "not executed"),
        (429, error(429), "throttled burst -", "not executed"),
        (400, error(400), "fine", "refused CF2101 HTTP 400"),
        (404, error(404), "failing", "not executed"),
        (500, error(500), "failing", "not executed"),
    ] {
        let answered = pipedrive().interpret(&list, &response(status, &body));
        let seen = (shown_account(&answered.account), shown(&answered.items[0]));
        assert_eq!(
            seen,
            (account.to_owned(), item.to_owned()),
            "{status} {body}"
        );
        assert_eq!((answered.items.len(), answered.next_page), (1, None));
    }
}
