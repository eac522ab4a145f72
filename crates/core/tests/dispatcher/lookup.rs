//! Voice services ask for persons the cache doesn't know: each is looked up once, by the account's rules, and what was
//! found is stored.

use callflume_core::codes;
use callflume_core::dispatcher::Input;
use callflume_core::effect::Value;
use callflume_core::event::{ContactRef, Phone};
use callflume_core::lane::Lane;
use callflume_core::lookup::{EMAIL, PHONE, Person, UnreadNumbers};
use callflume_core::time::WallTime;
use callflume_core::vendor::{AccountSignal, ItemOutcome, Verb};
use serde_json::json;

use crate::crm::{phone, whole, windows};
use crate::events::{call_ended, enriched, event};
use crate::world::{Fate, World};

fn by_phone(n: usize) -> Person {
    Person::phone(&phone(n)).unwrap()
}

fn alias(n: usize) -> String {
    ContactRef::phone_alias(&Phone::parse(&phone(n)).unwrap())
}

fn want(world: &mut World, person: &Person) {
    world.handle(Input::Wanted(person.clone()));
}

fn requests(world: &World) -> u64 {
    world.dispatcher.as_ref().unwrap().counters().requests
}

#[test]
fn who_is_in_the_crm_is_stored_and_who_is_not_is_stored_as_absent() {
    let mut world = World::usual();
    let known = world.crm.add_person(Some("(202) 555-0001"), None);
    let mailed = world.crm.add_person(None, Some("ada@example.com"));
    let by_mail = Person::email("Ada@Example.com").unwrap();
    for person in [by_phone(1), by_phone(2), by_mail.clone()] {
        want(&mut world, &person);
    }
    world.run_for(10_000);
    assert_eq!(requests(&world), 3);
    assert_eq!(world.aliases.get(&alias(1)), Some(&known));
    assert_eq!(world.aliases.get(&by_mail.alias()), Some(&mailed));
    assert_eq!(world.absent, [alias(2)]);
    assert_eq!(
        world.contacts[&known].card.phone.as_deref(),
        Some("(202) 555-0001")
    );
    assert_eq!(
        world.contacts[&mailed].card.email.as_deref(),
        Some("ada@example.com")
    );
    // Nothing was written to the CRM.
    assert_eq!(world.crm.people.len(), 2);
    assert!(world.crm.people[&known].own_key.is_none());
}

#[test]
fn somebody_is_looked_up_once_however_often_they_are_wanted() {
    let mut world = World::usual();
    for _ in 0..50 {
        want(&mut world, &by_phone(1));
        world.run_for(10);
    }
    world.run_for(10_000);
    assert_eq!(requests(&world), 1);
    assert_eq!(world.absent, [alias(1)]);
    // Later it may be another answer.
    world.crm.add_person(Some(&phone(1)), None);
    want(&mut world, &by_phone(1));
    world.run_for(10_000);
    assert_eq!(requests(&world), 2);
    assert!(world.aliases.contains_key(&alias(1)));
    // What memory knows costs nothing, and is stored again: the bucket must have lost it.
    world.aliases.clear();
    want(&mut world, &by_phone(1));
    world.run_for(10_000);
    assert_eq!(requests(&world), 2);
    assert!(world.aliases.contains_key(&alias(1)));
}

#[test]
fn it_is_not_over_until_it_is_stored() {
    for stores in ["refused", "silent"] {
        let mut world = World::usual();
        match stores {
            "refused" => world.refuse_stores = 3,
            _ => world.silent_stores = 3,
        }
        for _ in 0..30 {
            want(&mut world, &by_phone(1));
            world.run_for(100);
        }
        world.run_for(10_000);
        assert_eq!(requests(&world), 1, "{stores}");
        assert!(world.absent.contains(&alias(1)), "{stores}");
    }
}

#[test]
fn at_most_so_many_are_under_way_and_the_others_are_asked_for_again() {
    let mut world = World::usual();
    for n in 0..1_000 {
        want(&mut world, &by_phone(n));
    }
    world.run_for(3_600_000);
    assert_eq!(world.absent.len(), 256);
    for n in 0..1_000 {
        want(&mut world, &by_phone(n));
    }
    world.run_for(3_600_000);
    assert!(world.absent.len() > 256);
}

#[test]
fn look_ups_stay_within_the_limits_and_operational_effects_go_first() {
    // One search in a second.
    let mut world = World::new("", windows(190, 1, 1_000_000));
    for n in 0..200 {
        want(&mut world, &by_phone(n));
    }
    world.run_for(5_000);
    world.crm.add_person(Some(&phone(900)), None);
    world.publish(Lane::Op, &call_ended("c1", &phone(900)));
    let before = world.now_ms;
    world.run_until_settled();
    assert!(world.now_ms - before < 5_000, "{}", world.now_ms - before);
    for window in world.arrivals.values() {
        let most = window.iter().map(|at| {
            let within = |other: &&u64| **other >= *at && **other < at + 1_000;
            window.iter().filter(within).count()
        });
        assert!(most.max() <= Some(190));
    }
    assert!(world.absent.len() < 15, "{}", world.absent.len());
    world.run_for(400_000);
    assert_eq!(world.absent.len(), 200);
}

#[test]
fn what_comes_to_no_answer_is_no_answer_and_may_be_asked_again() {
    for fate in ["refused", "lost"] {
        let mut world = World::new("attempts_max = 2", windows(190, 5, 1_000_000));
        world.crm.add_person(Some(&phone(1)), None);
        world.fates = Box::new(move |_, operation| match (operation.verb, fate) {
            (Verb::SearchByPhone, "refused") => Fate::Answered(whole(
                operation,
                AccountSignal::Fine,
                ItemOutcome::Refused {
                    code: codes::CRM_REFUSED,
                    reason: "no".into(),
                },
            )),
            (Verb::SearchByPhone, _) => Fate::LostBefore,
            _ => Fate::Served,
        });
        want(&mut world, &by_phone(1));
        world.run_for(7_200_000);
        assert!(
            world.absent.is_empty() && world.aliases.is_empty(),
            "{fate}"
        );
        assert!(world.dead.is_empty(), "{fate}");
        world.fates = Box::new(|_, _| Fate::Served);
        want(&mut world, &by_phone(1));
        world.run_for(600_000);
        assert!(world.aliases.contains_key(&alias(1)), "{fate}");
    }
}

#[test]
fn a_search_that_lags_behind_never_hides_whom_an_effect_created_meanwhile() {
    let mut world = World::usual();
    // The first search is answered late, as of before: nobody there.
    let mut searches = 0;
    world.fates = Box::new(move |_, operation| {
        searches += u32::from(operation.verb == Verb::SearchByPhone);
        match (operation.verb, searches) {
            (Verb::SearchByPhone, 1) => Fate::Slow(2_500),
            _ => Fate::Served,
        }
    });
    want(&mut world, &by_phone(1));
    world.run_for(1_500);
    world.publish(Lane::Op, &call_ended("c1", &phone(1)));
    world.run_until_settled();
    assert!(world.aliases.contains_key(&alias(1)));
    world.run_for(10_000);
    assert!(world.absent.is_empty(), "{:?}", world.absent);
}

#[test]
fn what_effects_write_is_on_the_card_before_they_are_acknowledged() {
    let mut world = World::usual();
    for (n, name) in ["Mira", "Mirabel"].into_iter().enumerate() {
        let at = 1_000 * n as i64;
        let call = format!("c{n}");
        let body = json!({"first_name": name});
        world.publish(
            Lane::Op,
            &event("caller_identified", &call, &phone(1), at, body),
        );
        world.run_until_settled();
        let id = &world.aliases[&alias(1)];
        assert_eq!(world.contacts[id].card.first_name.as_deref(), Some(name));
    }
    let id = world.aliases[&alias(1)].clone();
    // An older event changes nothing.
    world.publish(
        Lane::En,
        &event(
            "contact_enriched",
            "c9",
            &phone(1),
            500,
            json!({"first_name": "M"}),
        ),
    );
    world.run_until_settled();
    let record = &world.contacts[&id];
    assert_eq!(record.card.first_name.as_deref(), Some("Mirabel"));
    assert!(record.field_at["first_name"] > WallTime(0));
    // Nor does a page of the CRM.
    world.handle(Input::Warm);
    world.run_for(60_000);
    assert_eq!(
        world.contacts[&id].card.first_name.as_deref(),
        Some("Mirabel")
    );
}

#[test]
fn a_successor_looks_up_what_its_predecessor_did_not_finish_when_it_is_asked() {
    let mut world = World::usual();
    want(&mut world, &by_phone(1));
    world.crash(true);
    world.take_over();
    world.run_for(10_000);
    assert!(world.absent.is_empty());
    want(&mut world, &by_phone(1));
    world.run_for(10_000);
    assert_eq!(world.absent, [alias(1)]);
    // Whoever stops begins nothing, and ends all the same.
    world.handle(Input::Stop);
    want(&mut world, &by_phone(2));
    world.run_for(10_000);
    assert!(world.stopped);
    assert_eq!(world.absent, [alias(1)]);
}

#[test]
fn a_reading_of_all_contacts_says_for_whom_it_is_complete() {
    let us = "default_country = \"1\"";
    // What is typed in the CRM, the account's country, and a number that it may be without being read as that.
    for (typed, country, may_be) in [
        ("+1 202 555 0001", "", None),
        ("(202) 555-0001", "", Some("+12025550001")),
        ("(202) 555-0001", us, None),
        ("07700 900123", us, Some("+447700900123")),
        // Nobody is ever found by this.
        ("call me", "", None),
    ] {
        let mut world = World::new(country, windows(190, 5, 1_000_000));
        world.crm.add_person(Some(typed), None);
        world.crm.add_person(None, Some("ada@example.com"));
        world.run_for(5_000);
        let began = world.now().wall;
        world.handle(Input::Warm);
        assert!(world.warmed.is_empty());
        world.run_for(60_000);
        let [(since, kinds, unread)] = world.warmed.as_slice() else {
            panic!("{typed} {country}: {:?}", world.warmed);
        };
        assert_eq!(
            (*since, kinds.as_slice()),
            (began, [EMAIL, PHONE].as_slice())
        );
        assert_eq!(unread.is_empty(), may_be.is_none(), "{typed} {country}");
        if let Some(number) = may_be {
            assert!(unread.may_be(&Phone::parse(number).unwrap()), "{typed}");
        }
    }
}

#[test]
fn a_reading_with_more_unread_numbers_than_can_be_told_says_nothing_of_phones() {
    let mut world = World::usual();
    for number in 0..=UnreadNumbers::MAX {
        let typed = format!("(202) {:03}-{:04}", number / 100, number);
        world.crm.add_person(Some(&typed), None);
    }
    world.handle(Input::Warm);
    world.run_for(600_000);
    let kinds: Vec<_> = world.warmed.iter().map(|(_, kinds, _)| kinds).collect();
    assert_eq!(kinds, [&vec![EMAIL]]);
}

#[test]
fn a_reading_that_fails_says_nothing() {
    let mut world = World::usual();
    world.crm.add_person(Some(&phone(1)), None);
    world.fates = Box::new(|_, operation| {
        Fate::Answered(whole(
            operation,
            AccountSignal::Fine,
            ItemOutcome::Refused {
                code: codes::CRM_REFUSED,
                reason: "no".into(),
            },
        ))
    });
    world.handle(Input::Warm);
    world.run_for(60_000);
    assert!(world.warmed.is_empty());
}

#[test]
fn a_look_up_does_not_hide_from_a_successor_when_a_field_was_written() {
    let mut world = World::usual();
    let value =
        |call: &str, at_ms, value: &str| enriched(call, &phone(1), at_ms, json!({"score": value}));
    world.publish(Lane::En, &value("c1", 2_000, "new"));
    world.run_until_settled();
    // The floor is stored by then.
    world.run_for(2_000);
    world.crash(false);
    world.take_over();
    // Asked for by somebody who hasn't heard of the contact yet.
    world.handle(Input::Wanted(Person::phone(&phone(1)).unwrap()));
    world.run_for(5_000);
    world.publish(Lane::En, &value("c2", 1_000, "old"));
    world.run_until_settled();
    let person = world.crm.people.values().next().unwrap();
    assert_eq!(person.fields["x.score"], Value::Text("new".into()));
}
