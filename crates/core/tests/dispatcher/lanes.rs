//! Two lanes share an account: who goes when, who rides along, who waits.

use std::collections::BTreeSet;

use callflume_core::dispatcher::Counters;
use callflume_core::effect::{Object, Value};
use callflume_core::lane::Lane;
use callflume_core::vendor::{Operation, Verb};
use serde_json::json;

use crate::crm::{phone, windows};
use crate::events::{call_ended, enriched, event};
use crate::world::{Fate, World};

fn counters(world: &World) -> Counters {
    world.dispatcher.as_ref().unwrap().counters()
}

fn of(world: &World, verb: Verb) -> Vec<&(u64, Operation)> {
    let all = world.crm.executed.iter();
    all.filter(|(_, operation)| operation.verb == verb)
        .collect()
}

#[test]
fn enrichment_waits_for_its_batch_and_a_full_batch_waits_no_longer() {
    let mut world = World::usual();
    for n in 0..150 {
        world.publish(
            Lane::En,
            &enriched(&format!("c{n}"), &phone(n), 0, json!({"a": n})),
        );
    }
    world.run_until(60_000, |world| !of(world, Verb::ReadByKey).is_empty());
    assert!(
        world.now_ms < 100,
        "a full batch leaves at once: {}",
        world.now_ms
    );
    assert_eq!(of(&world, Verb::ReadByKey)[0].1.items.len(), 100);
    world.run_until(60_000, |world| of(world, Verb::ReadByKey).len() == 2);
    assert!((1_000..1_200).contains(&world.now_ms), "{}", world.now_ms);
    world.run_until_settled();
}

#[test]
fn operational_effects_go_at_once_while_enrichment_is_backlogged() {
    let mut world = World::usual();
    for n in 0..2_000 {
        world.publish(
            Lane::En,
            &enriched(&format!("e{n}"), &phone(n), 0, json!({"a": n})),
        );
    }
    world.run_for(20_000);
    assert!(!world.is_settled());
    for n in 0..20 {
        let published = world.now_ms;
        let seq = world.publish(
            Lane::Op,
            &event(
                "task_created",
                &format!("c{n}"),
                &phone(5_000 + n),
                0,
                json!({"title": "Call back"}),
            ),
        );
        world.run_until(5_000, |world| world.acked[0].contains(&seq));
        // Three requests, one of which is a search, whose window enrichment uses too.
        let took = world.now_ms - published;
        assert!(took < 500, "{took} ms");
        world.run_for(700);
    }
    world.run_until_settled();
    assert_eq!(world.dead, []);
}

#[test]
fn an_operational_effect_does_not_wait_for_the_batch_of_the_enrichment_before_it() {
    // The look-up of its contact, a write of its contact's record, the look-up of the same person by another name.
    for known in [false, true] {
        let mut world = World::new("batch_wait_ms = 60000", windows(190, 5, 1_000_000));
        if known {
            world.publish(
                Lane::Op,
                &event("call_started", "c0", &phone(1), 0, json!({})),
            );
            world.run_until_settled();
        }
        world.publish(Lane::En, &enriched("c1", &phone(1), 0, json!({"a": 1})));
        world.run_for(500);
        let published = world.now_ms;
        let seq = world.publish(
            Lane::Op,
            &event("opted_out", "c1", &phone(1), 10, json!({})),
        );
        world.run_until(60_000, |world| world.acked[0].contains(&seq));
        let took = world.now_ms - published;
        assert!(took < 300, "known {known}: {took} ms");
    }
}

#[test]
fn enrichment_gets_its_share_when_operational_work_overloads_the_account() {
    let mut world = World::new("", windows(20, 50, 1_000_000));
    // Tasks of one person, one after the other: each needs a request of its own.
    for n in 0..50 {
        world.crm.add_known(&phone(n));
    }
    for n in 0..400 {
        let task = event(
            "task_created",
            &format!("c{n}"),
            &phone(0),
            0,
            json!({"title": "t"}),
        );
        world.publish(Lane::Op, &task);
    }
    world.run_for(1_000);
    for n in 1..50 {
        world.publish(
            Lane::En,
            &enriched(&format!("e{n}"), &phone(n), 0, json!({"a": n})),
        );
    }
    world.run_for(20_000);
    let acked = world.acked.each_ref().map(BTreeSet::len);
    assert!(acked[0] > 20 && acked[0] < 100, "overloaded: {acked:?}");
    assert_eq!(acked[1], 49, "enrichment moves");
    world.run_until_settled();
}

#[test]
fn operational_effects_that_wait_for_a_permit_share_the_next_request_and_take_enrichment_along() {
    let mut world = World::new("reserve_permits = 0", windows(4, 50, 1_000_000));
    for n in 0..4 {
        world.publish(
            Lane::Op,
            &event("call_started", &format!("s{n}"), &phone(0), 0, json!({})),
        );
        world.run_for(200);
    }
    // Known contacts, so that nothing but their update is needed.
    for n in 0..30 {
        world.crm.add_person(Some(&phone(100 + n)), None);
    }
    for n in 0..30 {
        world.publish(
            Lane::Op,
            &event("opted_out", &format!("o{n}"), &phone(100 + n), 0, json!({})),
        );
    }
    for n in 0..5 {
        world.publish(
            Lane::En,
            &enriched(&format!("e{n}"), &phone(200 + n), 0, json!({"a": n})),
        );
    }
    world.run_until_settled();
    let look_ups = of(&world, Verb::ReadByKey);
    let biggest = look_ups.iter().map(|(_, op)| op.items.len()).max().unwrap();
    assert!(biggest >= 30, "{biggest}");
    assert!(
        world
            .crm
            .executed
            .iter()
            .filter(|(_, op)| op.verb != Verb::SearchByPhone)
            .count()
            < 12,
        "{:?}",
        world
            .crm
            .executed
            .iter()
            .map(|(at, op)| (*at, op.verb, op.items.len()))
            .collect::<Vec<_>>()
    );
}

#[test]
fn each_lane_keeps_to_its_own_cap_of_requests_in_flight() {
    let mut world = World::new(
        "in_flight_op_max = 2\nbatch_wait_ms = 0",
        windows(190, 50, 1_000_000),
    );
    for n in 0..50 {
        world.publish(Lane::Op, &call_ended(&format!("c{n}"), &phone(n)));
        world.run_for(1);
    }
    world.run_until_settled();
    let mut at_once = 0;
    let starts: Vec<u64> = world.crm.executed.iter().map(|(at, _)| *at).collect();
    for at in &starts {
        // A request occupies its place for 40 ms.
        at_once = at_once.max(
            starts
                .iter()
                .filter(|other| **other > at.saturating_sub(40) && **other <= *at)
                .count(),
        );
    }
    assert_eq!(at_once, 2);
}

#[test]
fn warming_reads_every_page_into_the_bucket_and_what_it_knew_stays() {
    let mut world = World::usual();
    for n in 0..950 {
        world.crm.add_person(Some(&phone(n)), None);
    }
    world.publish(
        Lane::Op,
        &event(
            "caller_identified",
            "c1",
            &phone(7),
            500,
            json!({"first_name": "new"}),
        ),
    );
    world.run_until_settled();
    let before = world.contacts.values().next().unwrap().clone();
    assert!(before.field_at.contains_key("first_name"));
    world.crash(false);
    world.take_over();
    world.handle(callflume_core::dispatcher::Input::Warm);
    world.run_until(60_000, |world| {
        let counters = world.dispatcher.as_ref().unwrap().counters();
        counters.warmed > 0 && counters.warming == 0
    });
    assert!(
        world.now_ms < 6_000,
        "pages don't wait for batches: {}",
        world.now_ms
    );
    assert_eq!(world.contacts.len(), 950);
    assert_eq!(world.contacts[&before.crm_id].field_at, before.field_at);
    let requests = world.crm.executed.len();
    world.publish(Lane::Op, &call_ended("c2", &phone(900)));
    world.run_until_settled();
    assert_eq!(world.crm.executed.len() - requests, 1, "no look-up needed");
    assert_eq!(world.crm.people.len(), 950);
    let older = event(
        "caller_identified",
        "c1",
        &phone(7),
        400,
        json!({"first_name": "old"}),
    );
    world.publish(Lane::Op, &older);
    world.run_until_settled();
    let person = &world.crm.people[&before.crm_id];
    assert_eq!(
        person.fields.get("first_name"),
        Some(&Value::Text("new".into()))
    );
}

#[test]
fn what_is_ready_together_shares_a_request_where_the_crm_takes_several_operations() {
    let mut world = World::bundling();
    for n in 0..3 {
        world.crm.add_known(&phone(n));
        world.publish(
            Lane::Op,
            &event(
                "caller_identified",
                &format!("c{n}"),
                &phone(n),
                0,
                json!({"first_name": "Ada"}),
            ),
        );
    }
    world.run_until_settled();
    let begun_ms = world.now_ms;
    let (before, requests) = (world.crm.executed.len(), counters(&world).requests);
    // Of one event both effects, and another contact's task a little later.
    world.publish(
        Lane::Op,
        &event(
            "call_ended",
            "c0",
            &phone(0),
            10,
            json!({"disposition": "connected", "properties": {"score": "7"}}),
        ),
    );
    world.run_for(200);
    world.publish(
        Lane::Op,
        &event(
            "task_created",
            "c1",
            &phone(1),
            10,
            json!({"title": "Call back"}),
        ),
    );
    world.publish(
        Lane::En,
        &enriched("c2", &phone(2), 10, json!({"score": "1"})),
    );
    world.run_until_settled();
    let executed: Vec<_> = world.crm.executed[before..]
        .iter()
        .map(|(_, operation)| (operation.verb, operation.object, operation.items.len()))
        .collect();
    assert_eq!(executed.len(), 3, "{executed:?}");
    assert!(
        executed.contains(&(Verb::UpdateById, Object::Contact, 2)),
        "{executed:?}"
    );
    assert_eq!(counters(&world).requests, requests + 1);
    assert!((300..400).contains(&(world.crm.executed[before].0 - begun_ms)));
}

#[test]
fn what_is_refused_together_goes_each_for_itself() {
    let mut world = World::bundling();
    world.crm.add_known(&phone(0));
    world.fates = Box::new(|_, _| Fate::NotTogether);
    let body = json!({"disposition": "connected", "properties": {"score": "7"}});
    world.publish(Lane::Op, &event("call_ended", "c0", &phone(0), 10, body));
    world.publish(
        Lane::Op,
        &event(
            "task_created",
            "c0",
            &phone(0),
            20,
            json!({"title": "Call back"}),
        ),
    );
    world.run_until_settled();
    assert_eq!(world.crm.all(Object::Call).len(), 1);
    assert_eq!(world.crm.all(Object::Task).len(), 1);
    assert_eq!(world.dead, []);
    assert!(counters(&world).requests <= 6, "{:?}", counters(&world));
}
