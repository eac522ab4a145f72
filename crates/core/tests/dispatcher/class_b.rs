//! CRMs in which nothing is unique: what is created twice is there twice, unless somebody looks.

use callflume_core::dispatcher::Counters;
use callflume_core::effect::Object;
use callflume_core::event::ContactRef;
use callflume_core::lane::Lane;
use callflume_core::record::EffectState;
use callflume_core::vendor::Verb;
use serde_json::json;

use crate::crm::phone;
use crate::events::{call_ended, enriched, event, event_of, note, sentiment};
use crate::world::{Fate, START_MS, World};

/// What was asked of the CRM, in order, since the world began.
fn verbs(world: &World) -> Vec<(Verb, Object)> {
    let executed = world.crm.executed.iter();
    executed
        .map(|(_, operation)| (operation.verb, operation.object))
        .collect()
}

fn count(world: &World, verb: Verb) -> usize {
    verbs(world)
        .iter()
        .filter(|(other, _)| *other == verb)
        .count()
}

/// The answer to the `nth` operation of this verb gets lost.
fn lose_answer(world: &mut World, verb: Verb, nth: usize) {
    let mut seen = 0;
    world.fates = Box::new(move |_, operation| {
        seen += usize::from(operation.verb == verb);
        if operation.verb == verb && seen == nth {
            Fate::LostAfter
        } else {
            Fate::Served
        }
    });
}

fn counters(world: &World) -> Counters {
    world.dispatcher.as_ref().unwrap().counters()
}

#[test]
fn what_is_new_is_created_without_a_look_and_changed_by_its_id() {
    let mut world = World::class_b();
    world.publish(Lane::Op, &call_ended("c1", &phone(1)));
    world.run_for(2_000);
    world.publish(Lane::En, &sentiment("c1", &phone(1)));
    world.publish(Lane::En, &note("c1", &phone(1), "hello"));
    world.publish(Lane::Op, &call_ended("c1", &phone(1)));
    world.run_until_settled();
    assert_eq!(
        verbs(&world),
        [
            (Verb::SearchByPhone, Object::Contact),
            (Verb::UpsertByKey, Object::Contact),
            (Verb::Create, Object::Call),
            (Verb::UpdateById, Object::Call),
            (Verb::Create, Object::Note),
        ]
    );
}

#[test]
fn a_creation_leaves_only_after_the_ledger_knows_of_it() {
    let mut world = World::class_b();
    world.publish(Lane::Op, &call_ended("c1", &phone(1)));
    world.publish(Lane::En, &note("c1", &phone(1), "hello"));
    let mut checked = 0;
    while !world.is_settled() {
        world.step(60_000);
        let creations =
            world.crm.executed.iter().filter(|(_, operation)| {
                matches!(operation.verb, Verb::Create | Verb::UpsertByKey)
            });
        for (_, operation) in creations {
            let key = &operation.items[0].key;
            let record = &world.ledger[key];
            let contact = operation.object == Object::Contact;
            assert_eq!(record.own_key.as_ref(), contact.then_some(key));
            checked += usize::from(record.state == EffectState::Sent);
        }
    }
    assert!(checked > 0);
}

#[test]
fn a_creation_whose_intent_can_not_be_stored_waits_and_gives_its_permit_back() {
    let mut world = World::class_b();
    world.crm.add_known(&phone(1));
    world.publish(Lane::Op, &enriched("c0", &phone(1), 0, json!({"x": 1})));
    world.run_until_settled();
    world.run_for(1_000);
    let before = world.crm.executed.len();
    world.refuse_stores = 3;
    world.publish(Lane::Op, &call_ended("c1", &phone(1)));
    world.run_for(600);
    assert_eq!(world.crm.executed.len(), before, "nothing left");
    world.run_until_settled();
    assert_eq!(count(&world, Verb::Create), 1);
    assert_eq!(count(&world, Verb::Probe), 0);
    assert_eq!(counters(&world).requests as usize, world.crm.executed.len());
    let now = world.now();
    let usage = world.dispatcher.as_mut().unwrap().usage(now);
    let (_, used, _) = usage.iter().find(|(name, ..)| *name == "daily").unwrap();
    assert_eq!(*used as usize, world.crm.executed.len());
}

#[test]
fn an_intent_stored_too_late_does_not_leave_on_an_old_permit() {
    let mut world = World::class_b();
    world.crm.add_known(&phone(1));
    world.publish(Lane::Op, &enriched("c0", &phone(1), 0, json!({"x": 1})));
    world.run_until_settled();
    world.slow_stores_ms = 1_100;
    world.publish(Lane::Op, &call_ended("c1", &phone(1)));
    world.run_for(10_000);
    assert_eq!(count(&world, Verb::Create), 0);
    world.slow_stores_ms = 900;
    world.run_until_settled();
    assert_eq!(count(&world, Verb::Create), 1);
    assert_eq!(count(&world, Verb::Probe), 0);
}

#[test]
fn after_a_lost_answer_the_record_is_looked_for_and_found() {
    for (verb, object, pages) in [
        (Verb::Create, Object::Call, 0),
        (Verb::UpsertByKey, Object::Contact, 0),
        (Verb::Create, Object::Call, 3),
    ] {
        let mut world = World::class_b();
        world.crm.probe_pages = pages;
        lose_answer(&mut world, verb, 1);
        world.publish(Lane::Op, &call_ended("c1", &phone(1)));
        world.run_until_settled();
        assert_eq!(world.crm.doubled, []);
        assert_eq!(world.crm.people.len(), 1);
        assert_eq!(world.crm.all(Object::Call).len(), 1);
        assert_eq!(count(&world, Verb::Probe), 1 + pages, "{verb:?}");
        let at = |wanted: Verb| {
            let mut executed = world.crm.executed.iter();
            let found = executed.find(|(_, op)| op.verb == wanted && op.object == object);
            found.unwrap().0
        };
        let timeout_ms = world.setup.config.request_timeout_ms;
        assert!(
            at(Verb::Probe) >= at(verb) + timeout_ms - 40 + 1_000,
            "the probe comes when nothing can arrive any more"
        );
    }
}

#[test]
fn what_was_lost_on_the_way_is_created_after_a_look() {
    for verb in [Verb::Create, Verb::UpsertByKey] {
        let mut world = World::class_b();
        let mut lost = false;
        world.fates = Box::new(move |_, operation| {
            if operation.verb == verb && !lost {
                lost = true;
                return Fate::LostBefore;
            }
            Fate::Served
        });
        world.publish(Lane::Op, &call_ended("c1", &phone(1)));
        world.run_until_settled();
        assert_eq!(count(&world, Verb::Probe), 1);
        assert_eq!(world.crm.all(Object::Call).len(), 1);
        assert_eq!(world.crm.people.len(), 1);
    }
}

/// Runs until the CRM has executed an operation of this verb, then kills the owner before it hears of it.
fn crash_after(world: &mut World, verb: Verb) {
    world.run_until(60_000, |world| {
        let mut executed = world.crm.executed.iter();
        executed.any(|(_, operation)| operation.verb == verb)
    });
    world.crash(true);
    world.run_for(6_000);
    world.take_over();
}

#[test]
fn a_successor_looks_for_what_its_predecessor_began() {
    for verb in [Verb::Create, Verb::UpsertByKey] {
        let mut world = World::class_b();
        world.publish(Lane::Op, &call_ended("c1", &phone(1)));
        crash_after(&mut world, verb);
        let taken_over_ms = world.now_ms;
        world.run_until_settled();
        assert_eq!(world.crm.people.len(), 1, "{verb:?}");
        assert_eq!(world.crm.doubled, []);
        let mut probes = world
            .crm
            .executed
            .iter()
            .filter(|(_, op)| op.verb == Verb::Probe);
        let (at_ms, _) = probes.next().unwrap();
        let quiet_ms = world.setup.config.request_timeout_ms + 1_000;
        assert!(
            *at_ms >= taken_over_ms + quiet_ms,
            "{at_ms} {taken_over_ms}"
        );
        assert!(probes.next().is_none(), "once is enough");
    }
}

#[test]
fn a_successor_finds_the_person_under_another_name() {
    // The person was created by key and phone; the next event has only the phone, which searches don't find yet.
    let mut world = World::class_b();
    let both = ContactRef {
        key: Some("customer-7".to_owned()),
        phone: Some(phone(1)),
        ..ContactRef::default()
    };
    let body = json!({"disposition": "connected"});
    world.publish(Lane::Op, &event_of("call_ended", "c1", both, 0, body));
    let other = call_ended("c2", &phone(1));
    world.run_until(60_000, |world| world.crm.people.len() == 1);
    world.crash(true);
    // The first event is not the one that is worked first.
    let first = world.streams[0].remove(0);
    world.publish(Lane::Op, &other);
    world.publish_raw(Lane::Op, first);
    world.take_over();
    world.run_until_settled();
    assert_eq!(world.crm.people.len(), 1);
    assert_eq!(world.crm.all(Object::Call).len(), 2);
}

#[test]
fn a_successor_updates_by_the_id_its_predecessor_learnt() {
    let mut world = World::class_b();
    world.publish(Lane::Op, &call_ended("c1", &phone(1)));
    world.run_until_settled();
    world.run_for(1_000);
    world.crash(false);
    world.take_over();
    world.publish(Lane::En, &sentiment("c1", &phone(1)));
    world.publish(
        Lane::Op,
        &event(
            "call_ended",
            "c1",
            &phone(1),
            10,
            json!({"disposition": "voicemail"}),
        ),
    );
    world.run_until_settled();
    assert_eq!(count(&world, Verb::Probe), 0);
    assert_eq!(count(&world, Verb::UpdateById), 2);
    assert_eq!(world.crm.all(Object::Call).len(), 1);
}

#[test]
fn what_the_ledger_may_have_forgotten_is_looked_for_before_it_is_created() {
    let deal = |stage: &str| {
        event(
            "deal_stage_changed",
            "c1",
            &phone(1),
            0,
            json!({"stage": stage}),
        )
    };
    let old_call = event(
        "call_ended",
        "c2",
        &phone(1),
        0,
        json!({"disposition": "connected", "started_at": START_MS - 13 * 3_600_000}),
    );
    let old_note = event(
        "note_added",
        "c3",
        &phone(1),
        -13 * 3_600_000,
        json!({"text": "t"}),
    );
    for (name, event, object) in [
        ("deal", deal("won"), Object::Deal),
        ("call", old_call, Object::Call),
        ("note", old_note, Object::Note),
    ] {
        let mut world = World::class_b();
        world.publish(Lane::Op, &event);
        world.run_until_settled();
        assert_eq!(count(&world, Verb::Probe), 1, "{name}");
        assert_eq!(count(&world, Verb::Create), 1, "{name}");
        // The ledger forgets; the CRM doesn't.
        world.crash(false);
        world.ledger.clear();
        world.take_over();
        world.publish(Lane::Op, &event);
        world.run_until_settled();
        assert_eq!(world.crm.doubled, [], "{name}");
        assert_eq!(world.crm.all(object).len(), 1, "{name}");
    }
}

#[test]
fn an_update_of_a_record_that_never_comes_looks_twice_and_is_given_up() {
    let mut world = World::class_b();
    world.crm.add_known(&phone(1));
    world.publish(Lane::En, &sentiment("c1", &phone(1)));
    world.run_until_settled();
    assert_eq!(count(&world, Verb::Probe), 2);
    assert_eq!(world.dead.len(), 1);
}

#[test]
fn an_update_that_came_first_is_written_as_soon_as_its_record_is_there() {
    let mut world = World::class_b();
    world.publish(Lane::En, &sentiment("c1", &phone(1)));
    world.run_for(5_000);
    world.publish(Lane::Op, &call_ended("c1", &phone(1)));
    world.run_for(5_000);
    assert!(world.is_settled());
    let calls = world.crm.all(Object::Call);
    assert!(calls[0].fields.contains_key("sentiment"));
    assert_eq!(world.crm.doubled, []);
}

#[test]
fn a_record_deleted_in_the_crm_is_created_anew_by_a_correction() {
    let mut world = World::class_b();
    world.publish(Lane::Op, &call_ended("c1", &phone(1)));
    world.run_until_settled();
    world.crm.records.clear();
    world.publish(
        Lane::Op,
        &event(
            "call_ended",
            "c1",
            &phone(1),
            10,
            json!({"disposition": "voicemail"}),
        ),
    );
    world.run_until_settled();
    assert_eq!(world.crm.all(Object::Call).len(), 1);
    assert_eq!(world.crm.doubled, []);
    assert_eq!(world.dead, []);
}
