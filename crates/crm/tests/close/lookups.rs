//! Look-ups of several people: who was found for whom.

use callflume_core::effect::Object;
use callflume_core::vendor::{AccountSignal, ItemOutcome, Method, Operation, Vendor, Verb};
use serde_json::{Value, json};

use crate::schema::faults;
use crate::support::{close, meaning, operation, sent, shown_items};

const LOOK_UPS: [Verb; 3] = [Verb::ReadByKey, Verb::ReadByEmail, Verb::SearchByPhone];

fn conditions(operation: &Operation) -> Vec<(String, String)> {
    let (method, path, body) = sent(operation);
    assert_eq!(
        (method, path.as_str()),
        (Method::Post, "/api/v1/data/search/")
    );
    assert_eq!(
        body["query"]["queries"][0],
        json!({"type": "object_type", "object_type": "contact"})
    );
    assert_eq!(
        body["_fields"]["contact"],
        json!(["id", "lead_id", "name", "emails", "phones", "custom.cf_key"])
    );
    let said = |value: &Value| value.as_str().unwrap().to_owned();
    body["query"]["queries"][1]["queries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|query| match query.get("related_query") {
            Some(related) => (
                said(&related["condition"]["mode"]),
                said(&related["condition"]["value"]),
            ),
            None => (
                said(&query["field"]["custom_field_id"]),
                said(&query["condition"]["value"]),
            ),
        })
        .collect()
}

fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter()
        .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
        .collect()
}

#[test]
fn several_people_share_a_search() {
    assert_eq!(
        conditions(&operation(Verb::ReadByKey, Object::Contact, 2)),
        pairs(&[("cf_key", "k-1"), ("cf_key", "k-2")])
    );
    let mut by_email = operation(Verb::ReadByEmail, Object::Contact, 2);
    by_email.items[0].email = Some(" Bo@Example.ORG ".into());
    assert_eq!(
        conditions(&by_email),
        pairs(&[
            ("exact_value", "bo@example.org"),
            ("exact_value", "p2@example.org")
        ])
    );
    assert_eq!(
        conditions(&operation(Verb::SearchByPhone, Object::Contact, 1)),
        pairs(&[
            ("exact_value", "+12025550101"),
            ("full_words", "12025550101"),
            ("full_words", "2025550101"),
            ("full_words", "202 555 0101"),
        ])
    );
}

#[test]
fn a_person_is_told_by_any_number_or_address_as_people_type_them_and_strangers_are_not() {
    let contact = |id: u64, phones: &[&str], emails: &[&str]| {
        let phones: Vec<Value> = phones
            .iter()
            .map(|phone| json!({"phone": phone, "type": "office"}))
            .collect();
        let emails: Vec<Value> = emails
            .iter()
            .map(|email| json!({"email": email, "type": "office"}))
            .collect();
        json!({"__object_type": "contact", "id": format!("cont_{id}"), "lead_id": "lead_5", "phones": phones, "emails": emails})
    };
    let page = json!({"cursor": null, "data": [
        contact(1, &["+442071234567", "(202) 555-0101 ext. 7"], &["other@example.org", "P2@Example.org"]),
        contact(2, &["+12025550102"], &["p1@example.org"]),
        contact(3, &["+442025550101", "0101"], &["xp1@example.org"]),
        contact(4, &[], &[]),
    ]});
    for (verb, expect) in [
        (
            Verb::SearchByPhone,
            ["matches lead_5/cont_1", "matches lead_5/cont_2", "matches"],
        ),
        (
            Verb::ReadByEmail,
            ["matches lead_5/cont_2", "matches lead_5/cont_1", "matches"],
        ),
    ] {
        let answered = meaning(&operation(verb, Object::Contact, 3), 200, &page);
        assert_eq!(shown_items(&answered), expect, "{verb:?}");
    }
}

#[test]
fn what_was_found_is_read_with_all_that_tells_who_it_is() {
    let page = json!({"cursor": null, "data": [{"id": "cont_1", "lead_id": "lead_1", "custom.cf_key": "k-1",
        "phones": [{"phone": "202 555 0101"}, {"phone": "+12025550199"}], "emails": [{"email": "P1@example.org"}]}]});
    let answered = meaning(
        &operation(Verb::ReadByEmail, Object::Contact, 1),
        200,
        &page,
    );
    let ItemOutcome::Matches(found) = &answered.items[0] else {
        panic!("{answered:?}");
    };
    assert_eq!(found[0].crm_id, "lead_1/cont_1");
    assert_eq!(found[0].own_key.as_deref(), Some("k-1"));
    assert_eq!(found[0].phones, ["202 555 0101", "+12025550199"]);
    assert_eq!(found[0].email.as_deref(), Some("P1@example.org"));
}

#[test]
fn all_contacts_are_listed_page_by_page_as_far_as_close_skips() {
    let mut list = operation(Verb::List, Object::Contact, 0);
    let fields = "_fields=id,lead_id,name,emails,phones,custom.cf_key";
    assert_eq!(
        sent(&list).1,
        format!("/api/v1/contact/?_limit=100&{fields}")
    );
    let page = |more: bool| json!({"data": [{"id": "cont_1", "lead_id": "lead_1"}, {"id": "cont_2", "lead_id": "lead_1"}], "has_more": more});
    assert_eq!(
        meaning(&list, 200, &page(true)).next_page.as_deref(),
        Some("2")
    );
    list.after = Some("200".into());
    assert_eq!(
        sent(&list).1,
        format!("/api/v1/contact/?_limit=100&_skip=200&{fields}")
    );
    let answered = meaning(&list, 200, &page(true));
    assert_eq!(
        shown_items(&answered),
        ["matches lead_1/cont_1 lead_1/cont_2"]
    );
    assert_eq!(answered.next_page.as_deref(), Some("202"));
    assert_eq!(meaning(&list, 200, &page(false)).next_page, None);
    let too_far = meaning(&list, 400, &json!({"error": "too far"}));
    assert_eq!(
        (shown_items(&too_far), too_far.next_page),
        (vec!["matches".to_owned()], None)
    );
}

#[test]
fn a_page_of_strangers_has_the_next_one_asked_for_and_only_the_last_says_that_nobody_is_there() {
    let contact = |n: u64, phone: &str, email: &str, key: &str| {
        json!({"id": format!("cont_{n}"), "lead_id": "lead_5", "phones": [{"phone": phone}],
            "emails": [{"email": email}], "custom.cf_key": key})
    };
    let stranger = contact(1, "+442025550101", "b@example.org", "k-9");
    let person = contact(2, "202 555 0101", "P1@example.org", "k-1");
    let mut without_lead = stranger.clone();
    without_lead["lead_id"] = Value::Null;
    for verb in LOOK_UPS {
        for after in [None, Some("n1")] {
            for (people, cursor, expect, next) in [
                (&[&stranger][..], json!("n2"), "not executed", Some("n2")),
                (&[&without_lead], json!("n2"), "not executed", Some("n2")),
                (&[&stranger], json!(null), "matches", None),
                (
                    &[&stranger, &person],
                    json!("n2"),
                    "matches lead_5/cont_2",
                    None,
                ),
                (&[&person], json!(null), "matches lead_5/cont_2", None),
                // One without anybody is the last, whatever it says.
                (&[], json!("n2"), "matches", None),
                (&[], json!(null), "matches", None),
            ] {
                let mut asked = operation(verb, Object::Contact, 1);
                asked.after = after.map(ToOwned::to_owned);
                let page = json!({"data": people, "cursor": cursor});
                let answered = meaning(&asked, 200, &page);
                let case = format!("{verb:?} {after:?} {} {cursor}", people.len());
                assert_eq!(shown_items(&answered), [expect], "{case}");
                assert_eq!(answered.next_page.as_deref(), next, "{case}");
                assert_eq!(answered.account, AccountSignal::Fine, "{case}");
            }
        }
        // A mark that can't be sent back is no page that could be read.
        let page = json!({"data": [stranger], "cursor": 7});
        let answered = meaning(&operation(verb, Object::Contact, 1), 200, &page);
        assert_eq!(answered.account, AccountSignal::Failing);
        assert_eq!(shown_items(&answered), ["not executed"]);
        // Several go apart before anybody goes on.
        let page = json!({"data": [person], "cursor": "n2"});
        let answered = meaning(&operation(verb, Object::Contact, 2), 200, &page);
        assert_eq!(shown_items(&answered), ["matches lead_5/cont_2", "split"]);
        assert_eq!(answered.next_page, None);
    }
}

#[test]
fn the_next_page_is_the_same_search_with_its_cursor() {
    for verb in LOOK_UPS {
        let mut asked = operation(verb, Object::Contact, 1);
        let (_, _, mut expect) = sent(&asked);
        assert_eq!(expect.get("cursor"), None);
        expect["cursor"] = "a+b=".into();
        asked.after = Some("a+b=".into());
        assert_eq!(sent(&asked).2, expect, "{verb:?}");
        assert_eq!(faults(&close().request(&asked)), Vec::<String>::new());
    }
}

#[test]
fn a_cursor_that_is_good_no_more_leaves_the_look_up_unknown_and_never_refused() {
    for verb in LOOK_UPS {
        for (status, first, further) in [
            (400, "refused", "unknown"),
            (404, "not executed", "unknown"),
            (410, "not executed", "unknown"),
            (422, "refused", "unknown"),
            // What isn't about the cursor is what it always is.
            (401, "not executed", "not executed"),
            (429, "not executed", "not executed"),
            (500, "not executed", "not executed"),
        ] {
            for (after, expect) in [(None, first), (Some("n2"), further)] {
                let mut asked = operation(verb, Object::Contact, 1);
                asked.after = after.map(ToOwned::to_owned);
                let answered = meaning(&asked, status, &json!({"error": "No such cursor."}));
                let outcome = &shown_items(&answered)[0];
                assert!(
                    outcome.starts_with(expect),
                    "{verb:?} {status} {after:?}: {outcome}"
                );
                assert_eq!(answered.next_page, None);
            }
        }
    }
}
