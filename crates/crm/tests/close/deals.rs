//! Open opportunities, page by page.

use callflume_core::effect::Object;
use callflume_core::vendor::{AccountSignal, OpenDeals, Vendor as _, Verb};
use serde_json::{Value, json};

use crate::schema::faults;
use crate::support::{close, meaning, operation, sent, shown_account, shown_items};

#[test]
fn open_deals_are_listed_page_by_page_with_their_contacts() {
    assert_eq!(close().open_deals(), OpenDeals::Listed);
    let mut list = operation(Verb::List, Object::Deal, 0);
    let fields = "_fields=id,contact_id,lead_id,date_created";
    assert_eq!(
        sent(&list).1,
        format!("/api/v1/opportunity/?status_type=active&_limit=100&{fields}")
    );
    list.after = Some("100".into());
    assert_eq!(
        sent(&list).1,
        format!("/api/v1/opportunity/?status_type=active&_limit=100&_skip=100&{fields}")
    );
    assert_eq!(faults(&close().request(&list)), Vec::<String>::new());
    let page = |more: bool| {
        json!({"has_more": more, "data": [
            {"id": "oppo_1", "lead_id": "lead_1", "contact_id": "cont_1", "date_created": "2026-10-30T03:30:17.250000+00:00"},
            {"id": "oppo_2", "lead_id": "lead_2", "contact_id": null, "date_created": "2026-10-30T03:30:17.250000+00:00"},
            {"id": "oppo_3", "lead_id": "lead_3", "contact_id": "cont_3"}]})
    };
    let answered = meaning(&list, 200, &page(true));
    assert_eq!(
        shown_items(&answered),
        [
            "deals; oppo_1 of lead_1/cont_1 @1793331017250; oppo_2 of - @1793331017250; oppo_3 of lead_3/cont_3"
        ]
    );
    assert_eq!(answered.next_page.as_deref(), Some("103"));
    assert_eq!(meaning(&list, 200, &page(false)).next_page, None);
}

#[test]
fn every_answer_to_a_listing_of_deals_means_something() {
    let further = |after: Option<&str>| {
        let mut list = operation(Verb::List, Object::Deal, 0);
        list.after = after.map(str::to_owned);
        list
    };
    let error = json!({"error": "no", "field-errors": {}, "errors": []});
    for (after, status, body, account, item) in [
        (
            None,
            200,
            json!({"has_more": false, "data": []}),
            "fine",
            "deals",
        ),
        (
            None,
            200,
            json!({"has_more": false, "data": [{"id": "cont_1"}]}),
            "failing",
            "not executed",
        ),
        (None, 200, json!({"data": []}), "failing", "not executed"),
        (None, 200, Value::Null, "failing", "not executed"),
        (
            None,
            401,
            error.clone(),
            "credential refused",
            "not executed",
        ),
        (None, 402, error.clone(), "scope missing", "not executed"),
        (None, 403, error.clone(), "scope missing", "not executed"),
        (
            None,
            429,
            error.clone(),
            "throttled opportunity_list -",
            "not executed",
        ),
        (None, 500, error.clone(), "failing", "not executed"),
        (None, 404, error.clone(), "failing", "not executed"),
        // Of contacts this is the end of what Close gives; of deals it isn't all of them.
        (
            Some("10000"),
            400,
            error.clone(),
            "fine",
            "refused CF2101 HTTP 400",
        ),
    ] {
        let answered = meaning(&further(after), status, &body);
        let seen = (shown_account(&answered.account), shown_items(&answered));
        assert_eq!(
            seen,
            (account.to_owned(), vec![item.to_owned()]),
            "{status} {body}"
        );
        assert!(answered.next_page.is_none() || answered.account == AccountSignal::Fine);
    }
}
