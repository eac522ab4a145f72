//! Look-ups whose first page is one of strangers: they go on until somebody is found or the last page was read.

use callflume_core::codes;
use callflume_core::dispatcher::{Input, PAGES_MAX};
use callflume_core::effect::Object;
use callflume_core::event::{ContactRef, Phone};
use callflume_core::lane::Lane;
use callflume_core::lookup::Person;
use callflume_core::vendor::{AccountSignal, ItemOutcome, Verb};
use serde_json::json;

use crate::crm::{phone, whole, windows};
use crate::events::{call_ended, event_of};
use crate::world::{Fate, World};

/// The pages that look-ups of this verb asked for, in order: none for a first one.
fn pages(world: &World, verb: Verb) -> Vec<Option<usize>> {
    let executed = world.crm.executed.iter();
    executed
        .filter(|(_, operation)| operation.verb == verb)
        .map(|(_, operation)| {
            let mark = operation.after.as_deref()?;
            mark.split_once('@')?.0.parse().ok()
        })
        .collect()
}

/// The first page and so many after it.
fn first_and(more: usize) -> Vec<Option<usize>> {
    std::iter::once(None).chain((1..=more).map(Some)).collect()
}

fn want(world: &mut World, person: &Person) {
    world.handle(Input::Wanted(person.clone()));
}

fn sent(world: &World) -> u64 {
    world.dispatcher.as_ref().unwrap().counters().requests
}

#[test]
fn the_person_on_a_later_page_is_found_and_nobody_is_made() {
    for verb in [Verb::ReadByKey, Verb::ReadByEmail, Verb::SearchByPhone] {
        for strangers in [1, 3, PAGES_MAX as usize - 1] {
            for class_b in [false, true] {
                let mut world = if class_b {
                    World::class_b()
                } else {
                    World::usual()
                };
                let id = world.crm.add_person(None, None);
                let who = ContactRef {
                    key: Some("p7".into()),
                    phone: Some(phone(1)),
                    email: Some("ada@example.com".into()),
                    name: None,
                };
                let person = world.crm.people.get_mut(&id).unwrap();
                match verb {
                    Verb::ReadByKey => person.own_key = who.own_key(),
                    Verb::ReadByEmail => person.email = who.email(),
                    _ => person.phones = vec!["(202) 555-0001".into()],
                }
                world.crm.stranger_pages.insert(verb, strangers);
                let body = json!({"disposition": "connected"});
                world.publish(Lane::Op, &event_of("call_ended", "c1", who, 0, body));
                world.run_until_settled();
                let case = format!("{verb:?}, {strangers} pages, class B: {class_b}");
                assert_eq!(pages(&world, verb), first_and(strangers), "{case}");
                assert_eq!(world.crm.people.len(), 1, "{case}");
                let calls = world.crm.all(Object::Call);
                assert_eq!(calls[0].contact.as_ref(), Some(&id), "{case}");
                assert_eq!(world.dead, [], "{case}");
                // Each page has a permit of its own.
                assert_eq!(sent(&world), world.crm.executed.len() as u64, "{case}");
            }
        }
    }
}

#[test]
fn whoever_is_on_no_page_is_made_once() {
    for class_b in [false, true] {
        let mut world = if class_b {
            World::class_b()
        } else {
            World::usual()
        };
        world.crm.stranger_pages.insert(Verb::SearchByPhone, 4);
        world.publish(Lane::Op, &call_ended("c1", &phone(1)));
        world.publish(Lane::Op, &call_ended("c2", &phone(1)));
        world.run_until_settled();
        assert_eq!(pages(&world, Verb::SearchByPhone), first_and(4));
        assert_eq!(world.crm.people.len(), 1);
        assert_eq!(world.dead, []);
    }
}

#[test]
fn pages_without_end_are_an_unknown_outcome_and_make_nobody() {
    let limits = windows(190, 5, 1_000_000);
    let mut world = World::new("attempts_max = 2", limits);
    world.crm.stranger_pages.insert(Verb::SearchByPhone, 1_000);
    world.publish(Lane::Op, &call_ended("c1", &phone(1)));
    world.run_until_settled();
    let attempt = first_and(PAGES_MAX as usize - 1);
    let read = pages(&world, Verb::SearchByPhone);
    assert_eq!(read, [attempt.clone(), attempt].concat());
    assert!(world.crm.people.is_empty());
    assert_eq!(world.dead.len(), 1);
    assert_eq!(world.dead[0].code, codes::CRM_GAVE_UP);
    // Within the limit of searches all the time.
    let searches = &world.arrivals[&1];
    for at in searches {
        let second = *at..*at + 1_000;
        let within = searches.iter().filter(|other| second.contains(other));
        assert!(within.count() <= 5);
    }
}

#[test]
fn a_page_that_is_not_answered_is_asked_for_again() {
    let both = |second: Option<usize>, after| {
        let again = [None, Some(1), second];
        [&again[..], after].concat()
    };
    for (name, expect) in [
        // An answer that tells that nothing was done: the same page.
        ("not executed", both(Some(1), &[Some(2)])),
        ("throttled", both(Some(1), &[Some(2)])),
        ("credential", both(Some(1), &[Some(2)])),
        // The mark may be good no more: from the beginning.
        ("lost", both(None, &[Some(1), Some(2)])),
        ("refused mark", both(None, &[Some(1), Some(2)])),
    ] {
        let mut world = World::usual();
        let id = world.crm.add_person(Some(&phone(1)), None);
        world.crm.stranger_pages.insert(Verb::SearchByPhone, 2);
        let mut befell = false;
        let mut asked = Vec::new();
        let (tell, told) = std::sync::mpsc::channel();
        world.fates = Box::new(move |_, operation| {
            if operation.verb != Verb::SearchByPhone {
                return Fate::Served;
            }
            let mark = operation.after.as_deref();
            let page = mark.map(|mark| mark.split_once('@').unwrap().0.parse::<usize>().unwrap());
            asked.push(page);
            tell.send(page).unwrap();
            if befell || page != Some(1) {
                return Fate::Served;
            }
            befell = true;
            let answered = |signal, outcome| Fate::Answered(whole(operation, signal, outcome));
            let throttled = AccountSignal::Throttled {
                window: "search",
                wait_ms: Some(1_000),
            };
            match name {
                "not executed" => answered(AccountSignal::Failing, ItemOutcome::NotExecuted),
                "throttled" => answered(throttled, ItemOutcome::NotExecuted),
                "credential" => Fate::Unauthorized(true, None),
                "lost" => Fate::LostAfter,
                _ => answered(AccountSignal::Fine, ItemOutcome::Unknown),
            }
        });
        world.publish(Lane::Op, &call_ended("c1", &phone(1)));
        world.run_until_settled();
        let asked: Vec<Option<usize>> = told.try_iter().collect();
        assert_eq!(asked, expect, "{name}");
        assert_eq!(world.crm.people.len(), 1, "{name}");
        let calls = world.crm.all(Object::Call);
        assert_eq!(calls[0].contact.as_ref(), Some(&id), "{name}");
        assert_eq!(world.dead, [], "{name}");
    }
}

#[test]
fn a_successor_begins_with_the_first_page() {
    for after_page in 0..3 {
        for network_too in [false, true] {
            let mut world = World::class_b();
            let id = world.crm.add_person(Some("(202) 555-0001"), None);
            world.crm.stranger_pages.insert(Verb::SearchByPhone, 2);
            world.publish(Lane::Op, &call_ended("c1", &phone(1)));
            world.run_until(60_000, |world| {
                pages(world, Verb::SearchByPhone).len() > after_page
            });
            world.crash(network_too);
            world.run_for(6_000);
            let before = pages(&world, Verb::SearchByPhone).len();
            world.take_over();
            world.run_until_settled();
            let read = pages(&world, Verb::SearchByPhone);
            assert_eq!(read[before..], first_and(2), "{after_page}");
            assert_eq!(world.crm.people.len(), 1);
            let calls = world.crm.all(Object::Call);
            assert_eq!(calls.len(), 1);
            assert_eq!(calls[0].contact.as_ref(), Some(&id));
        }
    }
}

#[test]
fn those_who_go_on_do_not_share_a_request_for_each_mark_is_one_querys() {
    let mut world = World::usual();
    world.crm.stranger_pages.insert(Verb::ReadByKey, 2);
    for n in 0..5 {
        world.publish(Lane::En, &call_ended(&format!("c{n}"), &phone(n)));
    }
    world.run_until_settled();
    let marked =
        world.crm.executed.iter().filter(|(_, operation)| {
            operation.verb == Verb::ReadByKey && operation.after.is_some()
        });
    let items: Vec<usize> = marked.map(|(_, operation)| operation.items.len()).collect();
    assert_eq!(items, [1; 10]);
    assert_eq!(world.crm.people.len(), 5);
    assert_eq!(world.dead, []);
}

#[test]
fn a_voice_services_look_up_goes_on_too() {
    let by_phone = Person::phone(&phone(1)).unwrap();
    let by_email = Person::email("ada@example.com").unwrap();
    for (person, verb) in [
        (by_phone, Verb::SearchByPhone),
        (by_email, Verb::ReadByEmail),
    ] {
        for (there, strangers) in [(true, 3), (false, 3), (true, 1_000)] {
            let limits = windows(190, 5, 1_000_000);
            let mut world = World::new("attempts_max = 2", limits);
            world.crm.stranger_pages.insert(verb, strangers);
            if there {
                let number = Phone::parse(&phone(1)).unwrap();
                world
                    .crm
                    .add_person(Some(number.as_str()), Some("ada@example.com"));
            }
            want(&mut world, &person);
            world.run_for(3_600_000);
            let case = format!("{verb:?}, there: {there}, {strangers} pages");
            let found = there && strangers == 3;
            assert_eq!(world.aliases.contains_key(&person.alias()), found, "{case}");
            let absent: &[String] = if there { &[] } else { &[person.alias()] };
            assert_eq!(world.absent, absent, "{case}");
            let read = match strangers {
                3 => first_and(3),
                _ => first_and(PAGES_MAX as usize - 1).repeat(2),
            };
            assert_eq!(pages(&world, verb), read, "{case}");
        }
    }
}
