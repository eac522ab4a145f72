//! From a published event to its acknowledgement.

use callflume_core::codes;
use callflume_core::dispatcher::Input;
use callflume_core::effect::{Object, Value, effect_key};
use callflume_core::event::ContactRef;
use callflume_core::lane::Lane;
use callflume_core::record::EffectState;
use callflume_core::vendor::Verb;
use serde_json::json;

use crate::crm::phone;
use crate::events::{call_ended, enriched, event, event_of, note, sentiment};
use crate::world::{Message, World};

fn of(world: &World, verb: Verb) -> usize {
    let all = world.crm.executed.iter();
    all.filter(|(_, operation)| operation.verb == verb).count()
}

#[test]
fn an_event_of_an_unknown_caller_makes_one_contact_and_one_call_then_is_acknowledged() {
    let mut world = World::usual();
    let event = call_ended("c1", &phone(1));
    world.publish(Lane::Op, &event);
    world.run_until_settled();
    assert_eq!(world.crm.people.len(), 1);
    let calls = world.crm.all(Object::Call);
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].contact.as_ref(), world.crm.people.keys().next());
    assert_eq!(
        calls[0].fields.get("disposition"),
        Some(&Value::Text("connected".into()))
    );
    let record = &world.ledger[&effect_key(&event.id, "call")];
    assert_eq!(record.state, EffectState::Done);
    world.run_for(5_000);
    assert_eq!(world.floors, [2, 0]);
    assert_eq!(world.contacts.len(), 1);
}

#[test]
fn a_callers_second_event_needs_one_request_only() {
    let mut world = World::usual();
    world.publish(Lane::Op, &call_ended("c1", &phone(1)));
    world.run_until_settled();
    let before = world.crm.executed.len();
    world.publish(Lane::Op, &call_ended("c2", &phone(1)));
    world.run_until_settled();
    assert_eq!(world.crm.executed.len() - before, 1);
    assert_eq!(world.crm.people.len(), 1);
}

#[test]
fn an_operational_event_is_written_within_a_few_round_trips() {
    let mut world = World::usual();
    let person = world.crm.add_person(Some("(202) 555-0001"), None);
    world.publish(Lane::Op, &call_ended("c1", &phone(1)));
    world.run_until_settled();
    // Journal, load, look-up by key, search, create, record, ack.
    assert!(world.now_ms < 160, "{} ms", world.now_ms);
    assert_eq!(world.crm.all(Object::Call)[0].contact, Some(person.clone()));
    world.run_for(3_000);
    let stamped = &world.crm.people[&person];
    assert!(stamped.own_key.is_some(), "the key is put on it in passing");
    assert_eq!(world.crm.people.len(), 1);
}

#[test]
fn acknowledged_only_after_the_ledger_has_it_however_often_storing_fails() {
    for (refuse, silent) in [(2, 0), (0, 2), (1, 1)] {
        let mut world = World::usual();
        world.refuse_stores = refuse;
        world.silent_stores = silent;
        let event = event("call_started", "c1", &phone(1), 0, json!({}));
        world.publish(Lane::Op, &event);
        world.run_until(10_000, |world| {
            world.refuse_stores + world.silent_stores == 0
        });
        assert!(world.acked[0].is_empty());
        world.run_until_settled();
        assert!(world.ledger.contains_key(&effect_key(&event.id, "contact")));
        assert_eq!(world.crm.people.len(), 1);
    }
}

#[test]
fn a_ledger_that_cannot_be_read_is_asked_again() {
    let mut world = World::usual();
    world.fail_loads = 3;
    world.publish(Lane::Op, &call_ended("c1", &phone(1)));
    world.run_until_settled();
    assert_eq!((world.loads, world.crm.all(Object::Call).len()), (4, 1));
}

#[test]
fn a_journal_that_cannot_be_written_is_tried_again_with_a_pause_and_nothing_is_sent_before() {
    let mut world = World::usual();
    world.fail_journals = 4;
    world.publish(Lane::Op, &call_ended("c1", &phone(1)));
    world.run_until(60_000, |world| world.fail_journals == 0);
    assert!(world.crm.executed.is_empty());
    assert!(world.now_ms >= 3 * 250, "{} ms", world.now_ms);
    world.run_until_settled();
    assert!(world.journal_writes < 10);
}

#[test]
fn a_bad_event_becomes_a_dead_letter_and_its_neighbours_go_through() {
    let mut world = World::usual();
    let good = |call: &str| call_ended(call, &phone(1));
    world.publish(Lane::Op, &good("c1"));
    for (payload, kind) in [
        (&b"\x00garbage"[..], "call_ended"),
        (&br#"{"v":1,"id":"x","call_id":"c","kind":"nobody_knows","at":1,"contact":{"key":"k"}}"#[..], "nobody_knows"),
        (&br#"{"v":1,"id":"x","call_id":"c","kind":"call_ended","at":1,"contact":{"key":"k"}}"#[..], "call_ended"),
        (&br#"{"v":1,"id":"x","call_id":"c","kind":"call_started","at":1,"contact":{"key":"k"}}"#[..], "other"),
    ] {
        world.publish_raw(
            Lane::Op,
            Message {
                kind: kind.into(),
                id: "x".into(),
                payload: payload.to_vec(),
            },
        );
    }
    world.publish(Lane::Op, &good("c2"));
    world.run_until_settled();
    assert_eq!(world.crm.all(Object::Call).len(), 2);
    let mut codes: Vec<_> = world.dead.iter().map(|letter| letter.code).collect();
    codes.sort_unstable();
    assert_eq!(
        codes,
        [
            codes::EVENT_UNREADABLE,
            codes::EVENT_FIELD_MISSING,
            codes::EVENT_FIELD_INVALID,
            codes::EVENT_KIND_UNMAPPED,
        ]
    );
    assert!(world.dead.iter().all(|letter| letter.effect.is_none()));
    assert!(
        world
            .dead
            .iter()
            .all(|letter| letter.event_id.as_deref() == Some("x"))
    );
}

#[test]
fn two_copies_of_an_event_are_written_once() {
    // Together in memory, and long after each other.
    for apart_ms in [0, 60_000] {
        let mut world = World::usual();
        let copies = [call_ended("c1", &phone(1)), note("c1", &phone(1), "hello")];
        world.publish(Lane::Op, &copies[0]);
        world.publish(Lane::En, &copies[1]);
        world.run_for(apart_ms);
        world.publish(Lane::Op, &copies[0]);
        world.publish(Lane::En, &copies[1]);
        world.run_until_settled();
        let calls = world.crm.all(Object::Call);
        assert_eq!((calls.len(), calls[0].writes), (1, 1));
        assert_eq!(world.crm.all(Object::Note).len(), 1);
        assert_eq!(world.crm.people.len(), 1);
    }
}

#[test]
fn a_corrected_call_updates_its_record() {
    for apart_ms in [0, 60_000] {
        let mut world = World::usual();
        world.publish(Lane::Op, &call_ended("c1", &phone(1)));
        world.run_for(apart_ms);
        let correction = event(
            "call_ended",
            "c1",
            &phone(1),
            0,
            json!({"disposition": "voicemail", "duration_ms": 5_000}),
        );
        world.publish(Lane::Op, &correction);
        world.run_until_settled();
        let calls = world.crm.all(Object::Call);
        assert_eq!(calls.len(), 1);
        assert_eq!(
            calls[0].fields.get("disposition"),
            Some(&Value::Text("voicemail".into()))
        );
    }
}

#[test]
fn an_update_of_a_call_waits_for_its_record_and_then_goes() {
    // The record comes within the first wait, after several, and in memory together with the update.
    for apart_ms in [0, 300, 20_000] {
        let mut world = World::usual();
        world.publish(Lane::En, &sentiment("c1", &phone(1)));
        world.run_for(apart_ms);
        let published = world.now_ms;
        world.publish(Lane::Op, &call_ended("c1", &phone(1)));
        world.run_until_settled();
        assert!(
            world.now_ms - published < 5_000,
            "goes soon after its record: {} ms",
            world.now_ms - published
        );
        let calls = world.crm.all(Object::Call);
        assert_eq!(calls.len(), 1);
        assert!(calls[0].fields.contains_key("sentiment"));
        assert_eq!(world.dead, []);
    }
}

#[test]
fn an_update_of_a_call_that_never_appears_is_given_up_after_the_configured_wait() {
    let mut world = World::new(
        "call_record_wait_ms = 30000",
        crate::crm::windows(190, 5, 1_000_000),
    );
    world.publish(Lane::En, &sentiment("c1", &phone(1)));
    world.publish(Lane::En, &enriched("c2", &phone(2), 0, json!({"a": 1})));
    world.run_until(10_000, |world| world.acked[1].contains(&2));
    world.run_until_settled();
    assert!((30_000..40_000).contains(&world.now_ms), "{}", world.now_ms);
    assert_eq!(world.dead.len(), 1);
    assert_eq!(world.dead[0].code, codes::CRM_RECORD_GONE);
    let asked = of(&world, Verb::UpdateByKey);
    assert!(asked <= 7, "asked less and less often: {asked}");
}

#[test]
fn what_is_stopped_finishes_what_is_under_way_and_starts_nothing() {
    let mut world = World::usual();
    for n in 0..40 {
        world.publish(Lane::Op, &call_ended(&format!("c{n}"), &phone(n)));
    }
    world.run_until(1_000, |world| world.crm.executed.len() >= 2);
    world.handle(Input::Stop);
    let sent = world.dispatcher.as_ref().unwrap().counters().requests;
    world.run_until(10_000, |world| world.stopped);
    assert_eq!(world.dispatcher.as_ref().unwrap().counters().requests, sent);
    world.run_for(100);
    let journal = world.journal.clone().unwrap();
    assert!(
        journal
            .blocks
            .iter()
            .all(|block| block.settled_at.is_some()),
        "permits taken in advance are given back: {journal:?}"
    );
    world.crash(false);
    world.take_over();
    world.run_until_settled();
    assert_eq!(world.crm.all(Object::Call).len(), 40);
    assert_eq!(world.crm.people.len(), 40);
}

#[test]
fn an_update_of_a_call_whose_record_is_on_its_way_waits_without_asking_for_it() {
    let mut world = World::usual();
    world.publish(Lane::Op, &call_ended("c1", &phone(1)));
    world.run_for(20);
    world.publish(Lane::En, &sentiment("c1", &phone(1)));
    world.run_until_settled();
    assert_eq!(of(&world, Verb::UpdateByKey), 1);
}

#[test]
fn an_update_goes_soon_after_its_record_also_when_the_two_events_name_the_person_differently() {
    let mut world = World::usual();
    world.publish(Lane::En, &sentiment("c1", &phone(1)));
    // Between two looks that are far apart.
    world.run_for(13_000);
    let published = world.now_ms;
    let who = ContactRef {
        email: Some("ada@example.com".into()),
        ..ContactRef::default()
    };
    let body = json!({"disposition": "connected"});
    world.publish(Lane::Op, &event_of("call_ended", "c1", who, 0, body));
    world.run_until_settled();
    assert!(
        world.now_ms - published < 5_000,
        "{} ms",
        world.now_ms - published
    );
}

#[test]
fn a_stopped_owner_gives_back_the_permits_it_took_in_advance() {
    let mut world = World::usual();
    world.publish(Lane::Op, &call_ended("c1", &phone(1)));
    world.run_until_settled();
    world.handle(Input::Stop);
    world.run_until(10_000, |world| world.stopped);
    let journal = world.journal.clone().unwrap();
    assert!(!journal.blocks.is_empty());
    assert!(
        journal
            .blocks
            .iter()
            .all(|block| block.settled_at.is_some()),
        "{journal:?}"
    );
    let counted: u32 = journal.days.values().sum();
    assert_eq!(counted as usize, world.crm.executed.len());
}

#[test]
fn an_owner_stops_although_its_journal_can_not_be_written() {
    let mut world = World::usual();
    world.publish(Lane::Op, &call_ended("c1", &phone(1)));
    world.run_until_settled();
    world.fail_journals = u32::MAX;
    world.handle(Input::Stop);
    world.run_until(10_000, |world| world.stopped);
}
