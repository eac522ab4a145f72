//! What effects that write deals say of their contacts.

use callflume_core::effect::Object;
use callflume_core::event::Event;
use callflume_core::lane::Lane;
use callflume_core::record::{ContactRecord, EffectState};
use callflume_core::vendor::Verb;
use serde_json::json;

use crate::crm::{phone, windows};
use crate::events::{call_ended, event};
use crate::world::World;

fn moved(stage: &str, deal: &str, at_ms: i64) -> Event {
    let body = json!({"stage": stage, "deal_key": deal});
    event(
        "deal_stage_changed",
        &format!("c{at_ms}"),
        &phone(1),
        at_ms,
        body,
    )
}

fn publish(world: &mut World, event: &Event) {
    world.publish(Lane::Op, event);
    world.run_until_settled();
}

fn only(world: &World) -> &ContactRecord {
    assert_eq!(world.contacts.len(), 1);
    world.contacts.values().next().unwrap()
}

/// The id of the deal that the contact has, as the CRM gave it.
fn open(world: &World) -> Option<&str> {
    only(world).deal.as_deref()
}

/// Ids of all deals that were made.
fn made(world: &World) -> Vec<String> {
    let keys = world.crm.records.keys();
    let deals = keys.filter(|(object, _)| *object == Object::Deal);
    deals.map(|(_, key)| format!("id-{key}")).collect()
}

#[test]
fn a_deal_that_is_made_is_its_contacts_and_one_that_is_over_is_nobodys() {
    for mut world in [World::naming(""), World::class_b()] {
        let named = world.vendor.named;
        publish(&mut world, &moved("s1", "a", 10));
        let [deal] = made(&world).try_into().unwrap();
        assert_eq!(open(&world), Some(deal.as_str()));
        publish(&mut world, &moved("s2", "a", 20));
        assert_eq!(open(&world), Some(deal.as_str()));
        if named {
            // By its label: what it was read to be.
            publish(&mut world, &moved("signed", "a", 30));
            assert_eq!(open(&world), Some(deal.as_str()), "nothing is read for it");
            publish(&mut world, &moved("Offer sent", "a", 40));
            publish(&mut world, &moved("Signed", "a", 50));
            assert_eq!(open(&world), None);
        }
    }
}

#[test]
fn the_end_of_another_deal_changes_nothing() {
    let mut world = World::naming("");
    publish(&mut world, &moved("First talk", "a", 10));
    publish(&mut world, &moved("First talk", "b", 20));
    let later = open(&world).unwrap().to_owned();
    publish(&mut world, &moved("s3", "a", 30));
    assert_eq!(open(&world), Some(later.as_str()));
    publish(&mut world, &moved("s3", "b", 40));
    assert_eq!(open(&world), None);
}

#[test]
fn an_older_event_does_not_bring_a_deal_back() {
    let mut world = World::naming("");
    publish(&mut world, &moved("First talk", "a", 10));
    publish(&mut world, &moved("s3", "a", 30));
    publish(&mut world, &moved("s2", "a", 20));
    assert_eq!(open(&world), None);
    // Nor after a takeover, out of the bucket.
    world.crash(true);
    world.take_over();
    publish(&mut world, &moved("s2", "a", 25));
    assert_eq!(open(&world), None);
    publish(&mut world, &moved("s1", "a", 35));
    assert!(open(&world).is_some());
}

#[test]
fn the_deal_is_stored_with_the_effects_end_and_before_the_ack() {
    let mut world = World::usual();
    publish(&mut world, &call_ended("c0", &phone(1)));
    world.silent_stores = 1;
    world.publish(Lane::Op, &moved("s1", "a", 10));
    world.run_until(60_000, |world| open(world).is_some());
    // The same step: the ledger has the end already, and nothing was acknowledged on the way.
    let ended = world
        .ledger
        .values()
        .filter(|it| it.state == EffectState::Done);
    assert_eq!(ended.count(), 2);
    assert_eq!(world.acked[0].len(), 1);
    world.run_until_settled();
    let writes = world.crm.executed.iter();
    let writes = writes.filter(|(_, it)| it.object == Object::Deal);
    assert_eq!(writes.count(), 1);
}

#[test]
fn a_change_of_something_else_says_nothing_of_the_stage() {
    let lines = "[[mapping.deal_sized]]\nobject = \"deal\"\nwrite = \"update\"\nfields = { amount = \"{{ event.body.amount }}\" }";
    let mut world = World::new(lines, windows(190, 5, 1_000_000));
    let stage = |stage: &str, at| {
        event(
            "deal_stage_changed",
            "c1",
            &phone(1),
            at,
            json!({"stage": stage}),
        )
    };
    publish(&mut world, &stage("s1", 10));
    let before = only(&world).clone();
    let sized = event("deal_sized", "c2", &phone(1), 20, json!({"amount": "7"}));
    publish(&mut world, &sized);
    assert_eq!(only(&world), &before);
    let updates = world.crm.executed.iter();
    let updates = updates.filter(|(_, it)| it.verb == Verb::UpdateByKey);
    assert_eq!(updates.count(), 1, "it was written all the same");
}
