//! Look-ups of many people at once: nobody is mixed up, and nobody who is there is taken for absent.

use callflume_core::event::Phone;
use callflume_core::vendor::{AccountSignal, Answer, ItemOutcome, Operation, Verb};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

use crate::shown::{response, shown, shown_account};
use crate::support::{hubspot, operation};

/// A CRM in a few lines: who has which addresses, the primary one first; and how it answers.
struct Crm {
    /// Record id → addresses.
    people: BTreeMap<u64, Vec<String>>,
    /// Whether it says which addresses it did not find.
    names_missing: bool,
    /// Whether the records come in another order than they were asked for.
    reversed: bool,
}

impl Crm {
    fn holder(&self, address: &str) -> Option<u64> {
        self.people
            .iter()
            .find(|(_, addresses)| addresses.iter().any(|it| it == address))
            .map(|(id, _)| *id)
    }

    /// The answer to a batch read by address: each record once, under its primary address.
    fn read(&self, body: &[u8]) -> Answer {
        let body: Value = serde_json::from_slice(body).unwrap();
        let asked: Vec<&str> = body["inputs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|input| input["id"].as_str().unwrap())
            .collect();
        let (mut shown, mut results, mut missing) = (BTreeSet::new(), Vec::new(), Vec::new());
        for address in asked {
            match self.holder(address) {
                Some(id) if shown.insert(id) => {
                    let primary = &self.people[&id][0];
                    results.push(json!({"id": id, "properties": {"email": primary}}));
                }
                Some(_) => {}
                None => missing.push(address),
            }
        }
        if self.reversed {
            results.reverse();
        }
        let mut document = json!({"status": "COMPLETE", "results": results});
        let partial = self.names_missing && !missing.is_empty();
        if partial {
            document["errors"] =
                json!([{"category": "OBJECT_NOT_FOUND", "context": {"ids": missing}}]);
        }
        Answer::Response {
            status: if partial { 207 } else { 200 },
            headers: Vec::new(),
            body: document.to_string().into_bytes(),
        }
    }
}

/// Sends an operation, and in halves what is to be split, as the dispatcher does: ids by trace, and the requests.
fn looked_up(crm: &Crm, whole: &Operation) -> (BTreeMap<u64, Vec<String>>, usize) {
    let (mut known, mut requests) = (BTreeMap::new(), 0);
    let mut waiting = vec![whole.clone()];
    while let Some(operation) = waiting.pop() {
        requests += 1;
        let answer = crm.read(&hubspot().request(&operation).body.unwrap());
        let meaning = hubspot().interpret(&operation, &answer);
        let mut split = Vec::new();
        for (item, outcome) in operation.items.iter().zip(meaning.items) {
            match outcome {
                ItemOutcome::Matches(found) => {
                    let ids = found.into_iter().map(|found| found.crm_id).collect();
                    assert!(known.insert(item.trace, ids).is_none());
                }
                ItemOutcome::Split => split.push(item.clone()),
                other => panic!("{other:?}"),
            }
        }
        assert!(split.len() < 2 || operation.items.len() > 1);
        for half in split.chunks(split.len().div_ceil(2).max(1)) {
            waiting.push(Operation {
                items: half.to_vec(),
                ..operation.clone()
            });
        }
    }
    (known, requests)
}

#[test]
fn a_hundred_addresses_of_which_half_are_known_take_one_request() {
    let crm = Crm {
        people: (1..=50)
            .map(|number| (number, vec![format!("p{number}@example.org")]))
            .collect(),
        names_missing: true,
        reversed: true,
    };
    let (known, requests) = looked_up(&crm, &operation(Verb::ReadByEmail, 100));
    assert_eq!((known.len(), requests), (100, 1));
    assert_eq!(known[&50], ["50"]);
    assert!(known[&51].is_empty());
}

#[test]
fn items_without_an_address_or_a_number_are_refused_and_their_neighbours_are_not() {
    for (verb, lack) in [
        (
            Verb::ReadByEmail,
            "not sent: the item has no e-mail address",
        ),
        (
            Verb::SearchByPhone,
            "not sent: the item has no phone number",
        ),
    ] {
        let mut operation = operation(verb, 2);
        operation.items[0].email = Some("  ".into());
        operation.items[0].phone = None;
        let body = json!({"total": 1, "results": [{"id": "5", "properties": {
            "email": "other@example.org", "phone": "202 555 0102"}}]});
        let answer = Answer::Response {
            status: 200,
            headers: Vec::new(),
            body: body.to_string().into_bytes(),
        };
        let meaning = hubspot().interpret(&operation, &answer);
        assert!(
            matches!(&meaning.items[0], ItemOutcome::Refused { reason, .. } if reason == lack),
            "{meaning:?}"
        );
        // The only address that was asked for: the record is its, whatever its primary address.
        assert!(
            matches!(&meaning.items[1], ItemOutcome::Matches(found) if found[0].crm_id == "5"),
            "{meaning:?}"
        );
    }
}

#[test]
fn a_page_of_strangers_has_the_next_one_asked_for_and_only_the_last_says_that_nobody_is_there() {
    let stranger = json!({"id": "71", "properties": {"phone": "+442025550101"}});
    let person = json!({"id": "72", "properties": {"mobilephone": "(202) 555-0101"}});
    for (after, people, total, mark, expect, next) in [
        (
            None,
            &[&stranger][..],
            201,
            Some("200"),
            "not executed",
            Some("200"),
        ),
        (
            Some("200"),
            &[&stranger],
            401,
            Some("400"),
            "not executed",
            Some("400"),
        ),
        (None, &[&stranger], 1, None, "matches", None),
        (Some("200"), &[&stranger], 201, None, "matches", None),
        (
            None,
            &[&stranger, &person],
            201,
            Some("200"),
            "matches 72",
            None,
        ),
        (Some("200"), &[&person], 201, None, "matches 72", None),
        // More than these, but no way on: nobody is absent.
        (None, &[&stranger], 2, None, "unknown", None),
        (Some("200"), &[&stranger], 202, None, "unknown", None),
        // One without anybody is the last, whatever it says.
        (None, &[], 0, None, "matches", None),
        (Some("200"), &[], 900, Some("400"), "matches", None),
    ] {
        let mut asked = operation(Verb::SearchByPhone, 1);
        asked.after = after.map(ToOwned::to_owned);
        let mut body = json!({"total": total, "results": people});
        if let Some(mark) = mark {
            body["paging"] = json!({"next": {"after": mark}});
        }
        let meaning = hubspot().interpret(&asked, &response(200, &body));
        let case = format!("{after:?} {} of {total}, {mark:?}", people.len());
        assert_eq!(shown(&meaning.items[0]), expect, "{case}");
        assert_eq!(meaning.next_page.as_deref(), next, "{case}");
        assert_eq!(meaning.account, AccountSignal::Fine, "{case}");
    }
    // Several go apart before anybody goes on.
    let body = json!({"total": 300, "results": [person], "paging": {"next": {"after": "200"}}});
    let meaning = hubspot().interpret(&operation(Verb::SearchByPhone, 2), &response(200, &body));
    let items: Vec<String> = meaning.items.iter().map(shown).collect();
    assert_eq!(items, ["matches 72", "split"]);
    assert_eq!(meaning.next_page, None);
}

#[test]
fn the_next_page_is_the_same_search_with_its_mark() {
    let sent = |operation: &Operation| -> Value {
        serde_json::from_slice(&hubspot().request(operation).body.unwrap()).unwrap()
    };
    let mut asked = operation(Verb::SearchByPhone, 1);
    let mut expect = sent(&asked);
    assert_eq!(expect.get("after"), None);
    asked.after = Some("200".into());
    expect["after"] = "200".into();
    assert_eq!(sent(&asked), expect);
}

#[test]
fn a_mark_that_is_good_no_more_leaves_the_search_unknown_and_never_refused() {
    let body = json!({"status": "error", "message": "x", "category": "VALIDATION_ERROR"});
    for (status, after, account, expect) in [
        (400, None, "fine", "refused"),
        (400, Some("200"), "fine", "unknown"),
        (422, Some("200"), "fine", "unknown"),
        // What isn't about the mark is what it always is.
        (403, Some("200"), "scope missing", "not executed"),
        (500, Some("200"), "failing", "not executed"),
    ] {
        let mut asked = operation(Verb::SearchByPhone, 1);
        asked.after = after.map(ToOwned::to_owned);
        let meaning = hubspot().interpret(&asked, &response(status, &body));
        let outcome = shown(&meaning.items[0]);
        assert!(outcome.starts_with(expect), "{status} {after:?}: {outcome}");
        assert_eq!(shown_account(&meaning.account), account);
        assert_eq!(meaning.next_page, None);
    }
}

proptest! {
    #[test]
    fn everyone_is_found_under_every_address_and_only_strangers_are_absent(
        // Which of twenty addresses belong together: equal numbers are one person, 9 is nobody.
        owners in prop::collection::vec(0_u64..10, 20),
        asked in prop::collection::vec(1_usize..=20, 1..30),
        names_missing: bool,
        reversed: bool,
    ) {
        let mut crm = Crm { people: BTreeMap::new(), names_missing, reversed };
        for (number, owner) in (1..).zip(&owners) {
            if *owner < 9 {
                crm.people.entry(*owner).or_default().push(format!("p{number}@example.org"));
            }
        }
        let mut operation = operation(Verb::ReadByEmail, asked.len() as u64);
        for (item, number) in operation.items.iter_mut().zip(&asked) {
            item.email = Some(format!("P{number}@example.org"));
        }
        let (known, _) = looked_up(&crm, &operation);
        for item in &operation.items {
            let address = item.email.as_ref().unwrap().to_lowercase();
            let holder = crm.holder(&address).map(|id| id.to_string());
            // A person who was asked for alone, or under the primary address: the record and no other.
            prop_assert_eq!(known[&item.trace].first(), holder.as_ref());
            prop_assert!(known[&item.trace].len() <= 1);
        }
    }

    #[test]
    fn a_search_gives_each_contact_to_those_who_have_its_number(
        stored in prop::collection::vec((0_u64..60, 0_usize..4), 0..40),
        more: bool,
    ) {
        let operation = operation(Verb::SearchByPhone, 50);
        let results: Vec<Value> = (1..).zip(&stored).map(|(id, (number, spelling))| {
            let digits = format!("2025550{:03}", 100 + number);
            let (area, local) = digits.split_at(3);
            let typed = match spelling {
                0 => format!("+1{digits}"),
                1 => format!("({area}) {local} ext. 7"),
                2 => format!("001 {area} {local}"),
                _ => format!("+44{digits}"),
            };
            let property = if id % 2 == 0 { "phone" } else { "mobilephone" };
            json!({"id": id, "properties": {property: typed}})
        }).collect();
        let total = results.len() + usize::from(more);
        let body = json!({"total": total, "results": results});
        let answer = Answer::Response {
            status: 200, headers: Vec::new(), body: body.to_string().into_bytes(),
        };
        let meaning = hubspot().interpret(&operation, &answer);
        for (item, outcome) in operation.items.iter().zip(&meaning.items) {
            let expect: Vec<String> = (1..).zip(&stored)
                .filter(|(_, (number, spelling))| {
                    let phone = Phone::parse(&format!("+12025550{:03}", 100 + number));
                    *spelling < 3 && phone == item.phone
                })
                .map(|(id, _): (u64, _)| id.to_string())
                .collect();
            match outcome {
                ItemOutcome::Split => prop_assert!(more && expect.is_empty()),
                ItemOutcome::Matches(found) => {
                    prop_assert!(!more || !expect.is_empty());
                    let ids: Vec<String> = found.iter().map(|found| found.crm_id.clone()).collect();
                    prop_assert_eq!(ids, expect);
                }
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }
}
