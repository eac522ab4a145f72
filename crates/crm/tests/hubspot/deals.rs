//! Which deals of contacts are open: what HubSpot is asked, and what its answers mean.

use callflume_core::effect::Object;
use callflume_core::vendor::{Interpretation, Item, OpenDeals, Operation, Verb};
use callflume_crm::Settings;
use serde_json::{Value, json};

use crate::schema::faults;
use crate::shown::{response, shown, shown_account};
use crate::support::{hubspot, operation};

fn asking(items: Vec<Item>, after: Option<&str>) -> Operation {
    Operation {
        object: Object::Deal,
        items,
        after: after.map(str::to_owned),
        ..operation(Verb::List, 0)
    }
}

pub(crate) fn of_contacts(contacts: &[&str]) -> Operation {
    let item = |id: &&str| Item {
        contact: Some((*id).to_owned()),
        ..Item::default()
    };
    asking(contacts.iter().map(item).collect(), None)
}

fn of_deals(deals: &[&str]) -> Operation {
    let item = |id: &&str| Item {
        crm_id: Some((*id).to_owned()),
        ..Item::default()
    };
    asking(deals.iter().map(item).collect(), None)
}

fn body(operation: &Operation) -> Value {
    serde_json::from_slice(&hubspot().request(operation).body.unwrap()).unwrap()
}

fn meaning(operation: &Operation, status: u16, body: &Value) -> Interpretation {
    hubspot().interpret(operation, &response(status, body))
}

#[test]
fn contacts_are_asked_for_in_thousands_and_deals_in_hundreds_in_both_families() {
    let bounds = OpenDeals::OfContacts {
        contacts: 1_000,
        deals: 100,
    };
    assert_eq!(hubspot().open_deals(), bounds);
    let dated = Settings::new("2026-09".parse().unwrap(), [].into()).unwrap();
    let dated = callflume_crm::vendor("hubspot", &dated).unwrap();
    for (operation, v3, later) in [
        (
            of_contacts(&["101", "102"]),
            "/crm/v4/associations/contacts/deals/batch/read",
            "/crm/associations/2026-09/contacts/deals/batch/read",
        ),
        (
            of_deals(&["9001"]),
            "/crm/v3/objects/deals/batch/read",
            "/crm/objects/2026-09/deals/batch/read",
        ),
    ] {
        assert_eq!(hubspot().request(&operation).path, v3);
        assert_eq!(dated.request(&operation).path, later);
        for vendor in [hubspot(), dated.clone()] {
            assert_eq!(faults(&vendor.request(&operation)), [""; 0]);
        }
        assert_eq!(
            hubspot().request(&operation).body,
            dated.request(&operation).body
        );
    }
    assert_eq!(
        body(&of_contacts(&["101", "102"])),
        json!({"inputs": [{"id": "101"}, {"id": "102"}]})
    );
    assert_eq!(
        body(&of_deals(&["9001", "9002"])),
        json!({"properties": ["hs_is_closed", "dealstage", "createdate"], "propertiesWithHistory": [], "inputs": [{"id": "9001"}, {"id": "9002"}]})
    );
}

#[test]
fn links_are_read_and_those_that_go_on_are_asked_for_from_their_marks() {
    let operation = of_contacts(&["101", "102", "103", "104"]);
    let link = |id: &str| json!({"toObjectId": id, "associationTypes": [{"category": "HUBSPOT_DEFINED", "typeId": 4, "label": null}]});
    let none = |id: &str| {
        json!({"status": "error", "category": "OBJECT_NOT_FOUND", "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
            "message": "none", "context": {"fromObjectId": [id], "fromObjectType": ["contact"], "toObjectType": ["deal"]}})
    };
    let answered = json!({"status": "COMPLETE", "results": [
        {"from": {"id": "101"}, "to": [link("9001"), {"toObjectId": 9002, "associationTypes": []}],
            "paging": {"next": {"after": "OTAwMg==", "link": "https://…"}}},
        {"from": {"id": "103"}, "to": [link("9003")], "paging": {"next": {"after": "9,3"}}}],
        "numErrors": 2, "errors": [none("102"), none("104")]});
    let seen = meaning(&operation, 207, &answered);
    assert_eq!(shown_account(&seen.account), "fine");
    assert_eq!(
        shown(&seen.items[0]),
        "deals; 9001 of 101; 9002 of 101; 9003 of 103"
    );
    let further = Operation {
        after: seen.next_page,
        ..operation
    };
    assert_eq!(
        body(&further),
        json!({"inputs": [{"id": "101", "after": "OTAwMg=="}, {"id": "103", "after": "9,3"}]})
    );
    let last = json!({"results": [{"from": {"id": "101"}, "to": [link("9004")]}]});
    assert_eq!(meaning(&further, 200, &last).next_page, None);
}

#[test]
fn a_deal_is_open_unless_hubspot_or_its_stage_says_it_is_closed() {
    let deal = |id: &str, properties: Value| json!({"id": id, "properties": properties, "createdAt": "2026-10-30T03:30:17Z"});
    let made = "2026-10-30T03:30:17.250Z";
    let answered = json!({"status": "COMPLETE", "results": [
        deal("1", json!({"hs_is_closed": "false", "dealstage": "closedwon", "createdate": made})),
        deal("2", json!({"hs_is_closed": "true", "dealstage": "8001", "createdate": made})),
        deal("3", json!({"hs_is_closed": null, "dealstage": "closedlost"})),
        deal("4", json!({"hs_is_closed": "", "dealstage": "appointmentscheduled"}))],
        "numErrors": 1, "errors": [{"status": "error", "category": "OBJECT_NOT_FOUND", "message": "gone", "context": {"ids": ["5"]}}]});
    let seen = meaning(&of_deals(&["1", "2", "3", "4", "5"]), 207, &answered);
    assert_eq!(
        shown(&seen.items[0]),
        "deals; 1 of - @1793331017250; 2 of - closed @1793331017250; 3 of - closed @1793331017000; 4 of - @1793331017000"
    );
    assert_eq!(seen.next_page, None);
}

#[test]
fn every_answer_about_deals_means_something() {
    let error = |category: &str| json!({"status": "error", "category": category, "message": "no", "correlationId": "x"});
    let within = |category: &str| json!({"results": [], "numErrors": 1, "errors": [{"status": "error", "category": category, "message": "no", "context": {}}]});
    for operation in [of_contacts(&["101", "102"]), of_deals(&["9001", "9002"])] {
        for (status, body, account, item) in [
            (200, json!({"results": []}), "fine", "deals"),
            (
                200,
                json!({"results": [{"id": 5}]}),
                "failing",
                "not executed",
            ),
            (200, json!({}), "failing", "not executed"),
            (207, within("OBJECT_NOT_FOUND"), "fine", "deals"),
            (207, within("INTERNAL_ERROR"), "failing", "not executed"),
            (207, within("RATE_LIMITS"), "throttled - -", "not executed"),
            (
                207,
                within("MISSING_SCOPES"),
                "scope missing",
                "not executed",
            ),
            (400, error("VALIDATION_ERROR"), "fine", "split"),
            (
                401,
                error("INVALID_AUTHENTICATION"),
                "credential refused",
                "not executed",
            ),
            (
                403,
                error("MISSING_SCOPES"),
                "scope missing",
                "not executed",
            ),
            (404, error("OBJECT_NOT_FOUND"), "failing", "not executed"),
            (
                429,
                json!({"policyName": "DAILY"}),
                "day exhausted",
                "not executed",
            ),
            (500, error("INTERNAL_ERROR"), "failing", "not executed"),
        ] {
            let seen = meaning(&operation, status, &body);
            let shown = (shown_account(&seen.account), shown(&seen.items[0]));
            assert_eq!(
                shown,
                (account.to_owned(), item.to_owned()),
                "{status} {body}"
            );
            assert_eq!((seen.items.len(), seen.next_page), (1, None));
        }
    }
}
