//! Links to recordings that expire while they wait.

use callflume_core::effect::Object;
use callflume_core::event::{ContactRef, Event};
use callflume_core::lane::Lane;
use callflume_core::vendor::{AccountSignal, ItemOutcome, Verb};
use serde_json::json;

use crate::crm::{phone, whole};
use crate::events::{call_ended, event, event_of, sentiment};
use crate::world::{Fate, START_MS, World};

const LINK: &str = "https://rec.example/1";

fn recording(call: &str, expires_in_ms: i64) -> Event {
    let body = json!({"url": LINK, "expires_at": START_MS + expires_in_ms});
    event("recording_ready", call, &phone(1), 5_000, body)
}

fn expired(world: &World) -> u64 {
    world.dispatcher.as_ref().unwrap().counters().expired
}

#[test]
fn a_link_is_written_while_it_leads_somewhere_and_left_out_afterwards() {
    for (expires_in_ms, written) in [(600_000, true), (0, false)] {
        let mut world = World::usual();
        world.publish(Lane::Op, &call_ended("c1", &phone(1)));
        world.publish(Lane::En, &recording("c1", expires_in_ms));
        world.run_until_settled();
        let call = world.crm.all(Object::Call)[0];
        assert_eq!(call.fields.contains_key("recording_url"), written);
        assert_eq!(expired(&world), u64::from(!written));
        assert_eq!(world.dead, []);
    }
}

#[test]
fn a_call_is_written_without_its_expired_link() {
    let mut world = World::usual();
    let body = json!({
        "disposition": "connected",
        "recording_url": LINK,
        "recording_expires_at": START_MS - 1,
    });
    world.publish(Lane::Op, &event("call_ended", "c1", &phone(1), 0, body));
    world.run_until_settled();
    let call = world.crm.all(Object::Call)[0];
    assert!(!call.fields.contains_key("recording_url"));
    assert!(call.fields.contains_key("disposition"));
    assert_eq!(expired(&world), 0, "the effect was written");
}

#[test]
fn a_link_that_expires_while_the_account_is_paused_is_not_sent_afterwards() {
    let mut world = World::usual();
    world.publish(Lane::Op, &call_ended("c1", &phone(1)));
    world.run_until_settled();
    world.fates = Box::new(|now_ms, operation| {
        if now_ms < 60_000 {
            Fate::Answered(whole(
                operation,
                AccountSignal::Busy { wait_ms: 70_000 },
                ItemOutcome::NotExecuted,
            ))
        } else {
            Fate::Served
        }
    });
    world.publish(Lane::En, &recording("c1", 30_000));
    world.publish(Lane::En, &sentiment("c1", &phone(1)));
    world.run_until_settled();
    let call = world.crm.all(Object::Call)[0];
    assert!(!call.fields.contains_key("recording_url"));
    assert!(call.fields.contains_key("sentiment"), "its neighbour is");
    assert_eq!(expired(&world), 1);
}

#[test]
fn a_link_that_expires_before_its_turn_comes_is_not_sent() {
    let mut world = World::usual();
    world.publish(Lane::Op, &call_ended("c1", &phone(1)));
    world.run_until_settled();
    // Enrichment waits a second for its batch.
    let soon_ms = i64::try_from(world.now_ms).unwrap() + 500;
    world.publish(Lane::En, &recording("c1", soon_ms));
    world.run_until_settled();
    let call = world.crm.all(Object::Call)[0];
    assert!(!call.fields.contains_key("recording_url"));
    assert_eq!(expired(&world), 1);
}

#[test]
fn a_link_that_expires_while_its_contact_is_looked_for_holds_up_nobody_else_of_this_contact() {
    let mut world = World::class_b();
    let who = ContactRef {
        phone: Some(phone(1)),
        email: Some("ada@example.com".to_owned()),
        ..ContactRef::default()
    };
    world.fates = Box::new(|_, operation| match operation.verb {
        Verb::ReadByEmail => Fate::Slow(900),
        _ => Fate::Served,
    });
    let link = json!({"url": "https://example.com/r", "expires_at": START_MS + 500});
    world.publish(
        Lane::En,
        &event_of("recording_ready", "c1", who.clone(), 0, link),
    );
    world.run_for(600);
    let ended = json!({"disposition": "connected"});
    world.publish(Lane::Op, &event_of("call_ended", "c1", who, 0, ended));
    world.run_until(60_000, World::is_settled);
    assert_eq!(world.crm.all(Object::Call).len(), 1);
    assert_eq!(world.dead, []);
}

#[test]
fn a_creation_for_a_link_that_has_expired_is_known_to_the_successor() {
    let mut world = World::class_b();
    // Its contact isn't there; the creation waits for others to share its request when the link expires.
    world.publish(Lane::En, &recording("c1", 500));
    world.run_for(600);
    world.publish(Lane::En, &sentiment("c1", &phone(1)));
    world.run_for(100);
    world.publish(Lane::Op, &call_ended("c1", &phone(1)));
    let created = |world: &World| {
        let mut executed = world.crm.executed.iter();
        executed.any(|(_, operation)| operation.verb == Verb::UpsertByKey)
    };
    world.run_until(60_000, created);
    assert_eq!(expired(&world), 1);
    world.crash(true);
    world.run_for(6_000);
    world.take_over();
    world.run_until_settled();
    assert_eq!(world.crm.people.len(), 1);
    assert_eq!(world.crm.all(Object::Call).len(), 1);
}
