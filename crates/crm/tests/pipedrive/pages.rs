//! Searches that don't end with their first page.

use callflume_core::effect::Object;
use callflume_core::vendor::{AccountSignal, Verb};
use serde_json::{Value, json};

use super::schema::violations;
use super::{operation, pipedrive};
use crate::shown::{response, shown};

const LOOK_UPS: [Verb; 3] = [Verb::ReadByKey, Verb::ReadByEmail, Verb::SearchByPhone];

fn page(people: &[Value], cursor: impl Into<Value>) -> Value {
    let items: Vec<Value> = people
        .iter()
        .map(|person| json!({"result_score": 0.4, "item": person}))
        .collect();
    json!({"success": true, "data": {"items": items}, "additional_data": {"next_cursor": cursor.into()}})
}

#[test]
fn a_page_of_strangers_has_the_next_one_asked_for_and_only_the_last_says_that_nobody_is_there() {
    let stranger = json!({"id": 71, "name": "Bo Roe", "phones": ["+442025550101"], "emails": ["b@example.org"],
        "custom_fields": ["k-2"]});
    let person = json!({"id": 72, "name": "Ada Roe", "phones": ["(202) 555-0101"], "emails": ["P1@example.org"],
        "custom_fields": ["k-1"]});
    for verb in LOOK_UPS {
        for after in [None, Some("n1")] {
            for (people, cursor, expect, next) in [
                (&[&stranger][..], json!("n2"), "not executed", Some("n2")),
                (&[&stranger], json!(null), "matches", None),
                (&[&stranger], json!(""), "matches", None),
                (&[&stranger, &person], json!("n2"), "matches 72", None),
                (&[&person], json!(null), "matches 72", None),
                // One without anybody is the last, whatever it says.
                (&[], json!("n2"), "matches", None),
                (&[], json!(null), "matches", None),
            ] {
                let mut asked = operation(verb, Object::Contact, 1);
                asked.after = after.map(ToOwned::to_owned);
                let people: Vec<Value> = people.iter().map(|it| (*it).clone()).collect();
                let answer = response(200, &page(&people, cursor.clone()));
                let meaning = pipedrive().interpret(&asked, &answer);
                let case = format!("{verb:?} {after:?} {} {cursor}", people.len());
                assert_eq!(shown(&meaning.items[0]), expect, "{case}");
                assert_eq!(meaning.next_page.as_deref(), next, "{case}");
                assert_eq!(meaning.account, AccountSignal::Fine, "{case}");
            }
        }
    }
}

#[test]
fn the_next_page_is_the_same_search_with_its_cursor() {
    for verb in LOOK_UPS {
        let mut asked = operation(verb, Object::Contact, 1);
        let first = pipedrive().request(&asked);
        asked.after = Some("a+b=".into());
        let next = pipedrive().request(&asked);
        assert_eq!(next.path, format!("{}&cursor=a%2Bb%3D", first.path));
        assert_eq!((next.method, &next.body), (first.method, &first.body));
        assert_eq!(violations(&next), Vec::<String>::new());
    }
}

#[test]
fn a_cursor_that_is_good_no_more_leaves_the_look_up_unknown_and_never_refused() {
    let body = json!({"success": false, "error": "Invalid cursor", "error_info": "x"});
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
                let meaning = pipedrive().interpret(&asked, &response(status, &body));
                let outcome = shown(&meaning.items[0]);
                assert!(
                    outcome.starts_with(expect),
                    "{verb:?} {status} {after:?}: {outcome}"
                );
                assert_eq!(meaning.next_page, None);
            }
        }
    }
}
