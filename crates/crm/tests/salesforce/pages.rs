//! Searches by phone that don't end with their first page.

use callflume_core::effect::Object;
use callflume_core::vendor::{AccountSignal, Vendor, Verb};
use serde_json::{Value, json};

use crate::schema::violations;
use crate::support::{id, operation, query, response, salesforce, shown_items};

/// A page of `count` contacts with this number, with ids from 1 on, the last with `last`'s number.
fn page(count: u64, last: &str, done: bool) -> Value {
    let records: Vec<Value> = (1..=count)
        .map(|n| {
            let phone = if n == count { last } else { "+442025550101" };
            json!({"Id": id(n), "Phone": phone})
        })
        .collect();
    json!({"totalSize": count, "done": done, "records": records})
}

#[test]
fn a_page_of_strangers_has_the_next_one_asked_for_and_only_the_last_says_that_nobody_is_there() {
    const STRANGER: &str = "+442025550101";
    const OWN: &str = "(202) 555-0101";
    for after in [None, Some(id(9_999))] {
        for (count, last, done, expect, next) in [
            (2_000, STRANGER, true, "not executed", Some(id(2_000))),
            (800, STRANGER, false, "not executed", Some(id(800))),
            (1_999, STRANGER, true, "matches", None),
            (2_000, OWN, true, "matches 0035g0000002000", None),
            (3, OWN, true, "matches 0035g0000000003", None),
            // One without anybody is the last, whatever it says.
            (0, STRANGER, false, "matches", None),
            (0, STRANGER, true, "matches", None),
        ] {
            let mut asked = operation(Verb::SearchByPhone, Object::Contact, 1);
            asked.after.clone_from(&after);
            let answer = response(200, &page(count, last, done));
            let meaning = salesforce().interpret(&asked, &answer);
            let case = format!("{after:?} {count} {last} {done}");
            assert_eq!(shown_items(&meaning), [expect], "{case}");
            assert_eq!(meaning.next_page, next, "{case}");
            assert_eq!(meaning.account, AccountSignal::Fine, "{case}");
        }
    }
}

#[test]
fn several_who_share_a_page_of_strangers_go_apart_before_anybody_goes_on() {
    let asked = operation(Verb::SearchByPhone, Object::Contact, 2);
    let body = page(2_000, "(202) 555-0102", true);
    let meaning = salesforce().interpret(&asked, &response(200, &body));
    assert_eq!(shown_items(&meaning), ["split", "matches 0035g0000002000"]);
    assert_eq!(meaning.next_page, None);
}

#[test]
fn what_was_found_by_key_or_address_alone_needs_no_further_page() {
    for verb in [Verb::ReadByKey, Verb::ReadByEmail] {
        let asked = operation(verb, Object::Contact, 1);
        let body = page(2_000, "+442025550101", false);
        let meaning = salesforce().interpret(&asked, &response(200, &body));
        assert!(shown_items(&meaning)[0].starts_with("matches 0035g0000000001"));
        assert_eq!(meaning.next_page, None);
    }
}

#[test]
fn the_next_page_begins_after_the_last_id() {
    let mut asked = operation(Verb::SearchByPhone, Object::Contact, 1);
    let likes = "Phone LIKE '%5%5%5%0%1%0%1%' OR MobilePhone LIKE '%5%5%5%0%1%0%1%'";
    for (after, expect) in [
        (None, format!(" WHERE {likes} ORDER BY Id LIMIT 2000")),
        (
            Some(id(7)),
            format!(
                " WHERE ({likes}) AND Id > '{}' ORDER BY Id LIMIT 2000",
                id(7)
            ),
        ),
        // What is no id comes into no query.
        (
            Some("' OR Id > '".to_owned()),
            format!(" WHERE {likes} ORDER BY Id LIMIT 2000"),
        ),
    ] {
        asked.after.clone_from(&after);
        let request = salesforce().request(&asked);
        assert_eq!(violations(&request), Vec::<String>::new());
        let soql = query(&request);
        assert!(soql.ends_with(&expect), "{soql}");
    }
}
