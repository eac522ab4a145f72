//! Readings of all contacts and of the deals that are open.

use callflume_core::codes;
use callflume_core::deal::READING_LAG_MS;
use callflume_core::dispatcher::Input;
use callflume_core::effect::Object;
use callflume_core::lane::Lane;
use callflume_core::lookup::{DEALS, EMAIL, PHONE};
use callflume_core::vendor::{AccountSignal, ItemOutcome, OpenDeals, Operation, Verb};
use serde_json::json;

use crate::crm::{phone, whole};
use crate::events::{call_ended, event};
use crate::world::{Fate, World};

const OF_CONTACTS: OpenDeals = OpenDeals::OfContacts {
    contacts: 150,
    deals: 3,
};

fn telling(how: OpenDeals, people: usize) -> World {
    let world = World::usual();
    world.vendor.tells_deals(how);
    let mut world = world;
    for n in 0..people {
        world.crm.add_person(Some(&phone(n)), None);
    }
    world
}

fn warming(world: &World) -> u64 {
    world.dispatcher.as_ref().unwrap().counters().warming
}

fn warm(world: &mut World) {
    world.handle(Input::Warm);
    world.run_until(600_000, |world| warming(world) == 0);
}

/// The open deal that a look-up would show.
fn shown(world: &World, contact: &str) -> Option<String> {
    let readings = world.warmed.iter();
    let all_read = readings
        .filter(|(_, kinds, _)| kinds.contains(&DEALS))
        .map(|(as_of, ..)| *as_of)
        .next_back();
    let record = world.contacts.get(contact)?;
    record.open_deal(all_read).map(str::to_owned)
}

fn asked(world: &World) -> Vec<&Operation> {
    let executed = world.crm.executed.iter().map(|(_, operation)| operation);
    executed
        .filter(|it| it.verb == Verb::List && it.object == Object::Deal)
        .collect()
}

/// The CRM's answer to everything about deals.
fn refusing(world: &mut World, account: AccountSignal, outcome: ItemOutcome) {
    world.fates = Box::new(move |_, operation| {
        if operation.object == Object::Deal {
            Fate::Answered(whole(operation, account.clone(), outcome.clone()))
        } else {
            Fate::Served
        }
    });
}

#[test]
fn the_open_deal_made_last_is_shown_whichever_way_the_crm_tells() {
    for how in [OpenDeals::Listed, OF_CONTACTS] {
        let mut world = telling(how, 320);
        let with = |world: &mut World, contact: &str, deals: &[(&str, i64)]| {
            let made = deals
                .iter()
                .map(|(stage, at)| world.crm.add_deal(contact, stage, *at));
            made.collect::<Vec<_>>()
        };
        let one = with(&mut world, "1", &[("s1", 5)]);
        let several = with(
            &mut world,
            "2",
            &[("s1", 7), ("s2", 9), ("won", 11), ("s1", 8), ("s1", 6)],
        );
        let over = with(&mut world, "3", &[("lost", 5)]);
        let last = with(&mut world, "320", &[("s2", 1)]);
        assert_eq!((over.len(), warming(&world)), (1, 0));
        warm(&mut world);
        assert_eq!(world.contacts.len(), 320, "{how:?}");
        for (contact, expect) in [
            ("1", Some(&one[0])),
            ("2", Some(&several[1])),
            ("3", None),
            ("4", None),
            ("320", Some(&last[0])),
        ] {
            assert_eq!(shown(&world, contact).as_ref(), expect, "{how:?} {contact}");
        }
        assert_eq!(world.alerts, []);
        // The next day: closed, gone to somebody else, and a new one.
        world.run_for(86_400_000);
        world.crm.move_deal(&one[0], "won");
        world.crm.move_deal(&several[1], "lost");
        let new = with(&mut world, "4", &[("s1", 20)]);
        warm(&mut world);
        for (contact, expect) in [
            ("1", None),
            ("2", Some(&several[3])),
            ("4", Some(&new[0])),
            ("320", Some(&last[0])),
        ] {
            assert_eq!(shown(&world, contact).as_ref(), expect, "{how:?} {contact}");
        }
    }
}

#[test]
fn a_listing_is_read_after_the_contacts_page_by_page() {
    let mut world = telling(OpenDeals::Listed, 250);
    for n in 1..=5 {
        world.crm.add_deal(&n.to_string(), "s1", n);
    }
    let began = world.now().wall;
    warm(&mut world);
    let order: Vec<(Object, Option<&str>)> = world
        .crm
        .executed
        .iter()
        .map(|(_, it)| (it.object, it.after.as_deref()))
        .collect();
    use Object::{Contact, Deal};
    assert_eq!(
        order,
        [
            (Contact, None),
            (Contact, Some("100")),
            (Contact, Some("200")),
            (Deal, None),
            (Deal, Some("2")),
            (Deal, Some("4")),
        ]
    );
    let told = world.warmed.iter().map(|(as_of, kinds, _)| (*as_of, kinds));
    assert_eq!(
        told.collect::<Vec<_>>(),
        [(began, &vec![EMAIL, PHONE]), (began, &vec![DEALS])]
    );
}

#[test]
fn deals_of_contacts_are_asked_for_block_by_block_within_the_crms_bounds() {
    let mut world = telling(OF_CONTACTS, 320);
    for n in 1..=8 {
        world.crm.add_deal(&n.to_string(), "s1", n);
    }
    for n in 0..5 {
        world.crm.add_deal("300", "s1", 100 + n);
    }
    warm(&mut world);
    let sizes: Vec<(usize, bool, Option<&str>)> = asked(&world)
        .into_iter()
        .map(|it| {
            (
                it.items.len(),
                it.items[0].contact.is_some(),
                it.after.as_deref(),
            )
        })
        .collect();
    assert!(
        sizes
            .iter()
            .all(|(items, of_contacts, _)| *items <= if *of_contacts { 150 } else { 3 })
    );
    let blocks: usize = sizes
        .iter()
        .filter(|(_, of_contacts, after)| *of_contacts && after.is_none())
        .map(|(items, ..)| items)
        .sum();
    assert_eq!(blocks, 320, "everybody once: {sizes:?}");
    let read: usize = sizes
        .iter()
        .filter(|(_, of_contacts, _)| !of_contacts)
        .map(|(items, ..)| items)
        .sum();
    assert_eq!(read, 13, "{sizes:?}");
    // One contact has more deals than an answer holds: the rest by its mark.
    assert!(
        sizes
            .iter()
            .any(|(_, of_contacts, after)| *of_contacts && *after == Some("4"))
    );
    // The first block is asked for before the third page.
    let objects: Vec<Object> = world.crm.executed.iter().map(|(_, it)| it.object).collect();
    assert_eq!(
        objects[..3],
        [Object::Contact, Object::Contact, Object::Deal]
    );
    assert_eq!(
        world.warmed.len(),
        1,
        "each contact was told of, so nothing is to be said of all"
    );
}

#[test]
fn of_a_contact_with_very_many_deals_those_with_the_highest_ids_are_looked_at() {
    let mut world = telling(OF_CONTACTS, 1);
    let deals: Vec<String> = (0..30).map(|n| world.crm.add_deal("1", "s1", n)).collect();
    warm(&mut world);
    assert_eq!(shown(&world, "1"), deals.last().cloned());
    let read = asked(&world)
        .into_iter()
        .filter(|it| it.items[0].crm_id.is_some());
    assert_eq!(read.map(|it| it.items.len()).sum::<usize>(), 20);
}

#[test]
fn a_crm_that_does_not_give_its_deals_spoils_nothing_and_is_told_of_once() {
    for how in [OpenDeals::Listed, OF_CONTACTS] {
        for outcome in [
            ItemOutcome::NotExecuted,
            ItemOutcome::Refused {
                code: codes::CRM_REFUSED,
                reason: "no".into(),
            },
            ItemOutcome::Split,
        ] {
            let mut world = telling(how, 320);
            world.crm.add_deal("1", "s1", 1);
            warm(&mut world);
            let before = shown(&world, "1");
            assert!(before.is_some());
            world.crm.executed.clear();
            let signal = match outcome {
                ItemOutcome::NotExecuted => AccountSignal::ScopeMissing,
                _ => AccountSignal::Fine,
            };
            refusing(&mut world, signal, outcome.clone());
            let started_ms = world.now_ms;
            warm(&mut world);
            assert!(
                world.now_ms - started_ms < 10_000,
                "the account isn't paused: {outcome:?}"
            );
            assert_eq!(world.alerts, [codes::CRM_DEALS], "{outcome:?}");
            let (_, last, _) = world.warmed.last().unwrap();
            assert_eq!(last, &[EMAIL, PHONE], "the contacts are warmed");
            assert_eq!(shown(&world, "1"), before, "what is known stays");
            // Other work goes on.
            world.publish(Lane::Op, &call_ended("c1", &phone(5)));
            world.run_until(10_000, World::is_settled);
            // Given again, that is told too.
            world.fates = Box::new(|_, _| Fate::Served);
            assert_eq!(world.over, []);
            warm(&mut world);
            assert_eq!(world.over, [codes::CRM_DEALS]);
            assert_eq!(world.alerts.len(), 1);
        }
    }
}

#[test]
fn what_fails_for_a_while_is_read_and_what_fails_for_ever_is_given_up() {
    for how in [OpenDeals::Listed, OF_CONTACTS] {
        let mut world = telling(how, 120);
        let deal = world.crm.add_deal("1", "s1", 1);
        let until_ms = world.now_ms + 20_000;
        world.fates = Box::new(move |now_ms, operation| {
            if operation.object == Object::Deal && now_ms < until_ms {
                Fate::LostBefore
            } else {
                Fate::Served
            }
        });
        warm(&mut world);
        assert_eq!(shown(&world, "1"), Some(deal));
        assert_eq!(world.alerts, []);
        world.fates = Box::new(|_, operation| {
            if operation.object == Object::Deal {
                Fate::NotSent
            } else {
                Fate::Served
            }
        });
        world.handle(Input::Warm);
        world.run_until(3_600_000, |world| warming(world) == 0);
        assert_eq!(world.alerts, [codes::CRM_DEALS]);
        assert!(shown(&world, "1").is_some());
    }
}

#[test]
fn a_reading_that_is_killed_begins_anew_and_shows_nothing_wrong_meanwhile() {
    for how in [OpenDeals::Listed, OF_CONTACTS] {
        let mut world = telling(how, 320);
        let kept = world.crm.add_deal("1", "s1", 1);
        let closed = world.crm.add_deal("2", "s1", 2);
        let late = world.crm.add_deal("319", "s1", 3);
        warm(&mut world);
        world.run_for(86_400_000);
        world.crm.move_deal(&closed, "won");
        let before = asked(&world).len();
        world.handle(Input::Warm);
        world.run_until(600_000, |world| asked(world).len() > before);
        world.crash(true);
        world.take_over();
        assert_eq!(shown(&world, "1"), Some(kept.clone()), "{how:?}");
        assert_eq!(shown(&world, "319"), Some(late.clone()), "{how:?}");
        warm(&mut world);
        assert_eq!(shown(&world, "1"), Some(kept), "{how:?}");
        assert_eq!(shown(&world, "2"), None, "{how:?}");
        assert_eq!(shown(&world, "319"), Some(late), "{how:?}");
    }
}

#[test]
fn a_slow_bucket_holds_the_reading_back() {
    for how in [OpenDeals::Listed, OF_CONTACTS] {
        let mut world = telling(how, 20);
        for n in 1..=7 {
            world.crm.add_deal(&n.to_string(), "s1", n);
        }
        world.slow_stores_ms = 2_000;
        let started_ms = world.now_ms;
        warm(&mut world);
        // A page of contacts; of deals four, or one block.
        let stores = if how == OpenDeals::Listed { 5 } else { 2 };
        let took_ms = world.now_ms - started_ms;
        assert!(took_ms >= stores * 2_000, "{how:?}: {took_ms}");
    }
}

#[test]
fn a_page_read_before_an_effect_and_stored_after_it_does_not_hide_what_the_effect_wrote() {
    for how in [OpenDeals::Listed, OF_CONTACTS] {
        for stage in ["s1", "s3"] {
            let mut world = World::naming("");
            world.vendor.tells_deals(how);
            world.directory.record.pipelines[0].closed = vec!["s3".into()];
            let contact = world.crm.add_person(Some(&phone(1)), None);
            let other = world.crm.add_deal(&contact, "s1", 1);
            let moved = |stage: &str, at| {
                let body = json!({"stage": stage, "deal_key": "mine"});
                event("deal_stage_changed", &format!("c{at}"), &phone(1), at, body)
            };
            world.publish(Lane::Op, &moved("First talk", 10));
            world.run_until_settled();
            let mine = shown(&world, &contact).unwrap();
            assert_ne!(mine, other);
            world.run_for(2 * READING_LAG_MS as u64);
            // The page leaves the CRM; then the effect is done; then the page is stored.
            world.handle(Input::Warm);
            world.slow_stores_ms = 5_000;
            world.publish(Lane::Op, &moved(stage, 20));
            world.run_until(60_000, |world| warming(world) == 0 && world.is_settled());
            let expect = if stage == "s1" { Some(mine) } else { None };
            assert_eq!(shown(&world, &contact), expect, "{how:?} {stage}");
        }
    }
}
