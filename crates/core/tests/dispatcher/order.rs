//! Order per contact, merging, and older values that must not win.

use callflume_core::effect::{Object, Value};
use callflume_core::lane::Lane;
use callflume_core::record::EffectState;
use callflume_core::vendor::{AccountSignal, ItemOutcome, Verb};
use serde_json::json;

use crate::crm::{phone, whole};
use crate::events::{call_ended, enriched, event, note};
use crate::world::{Fate, World};

fn property<'a>(world: &'a World, name: &str) -> Option<&'a Value> {
    world.crm.people.values().next()?.fields.get(name)
}

#[test]
fn events_of_a_contact_are_written_in_stream_order_within_a_lane() {
    let mut world = World::usual();
    for n in 0..60 {
        world.publish(
            Lane::En,
            &note(&format!("c{n}"), &phone(n % 3), &n.to_string()),
        );
        world.publish(Lane::Op, &call_ended(&format!("c{n}"), &phone(n % 3)));
    }
    // Unknown outcomes at random places must not change it.
    let mut count = 0;
    world.fates = Box::new(move |_, _| {
        count += 1;
        match count % 5 {
            2 => Fate::LostBefore,
            4 => Fate::LostAfter,
            _ => Fate::Served,
        }
    });
    world.run_until_settled();
    let mut last: std::collections::BTreeMap<String, i64> = std::collections::BTreeMap::new();
    for (_, operation) in &world.crm.executed {
        if operation.verb != Verb::Create || operation.object != Object::Note {
            continue;
        }
        for item in &operation.items {
            let Some(Value::Text(text)) =
                item.fields.values().find(|v| matches!(v, Value::Text(_)))
            else {
                panic!("a note has a text");
            };
            let n: i64 = text.parse().unwrap();
            let contact = item.contact.clone().unwrap();
            let before = last.entry(contact).or_insert(-1);
            assert!(*before <= n, "{n} after {before}");
            *before = n;
        }
    }
    assert_eq!(world.crm.all(Object::Note).len(), 60);
    assert_eq!(world.crm.all(Object::Call).len(), 60);
    assert_eq!(world.crm.people.len(), 3);
    assert_eq!(world.dead, []);
}

#[test]
fn a_contact_that_must_wait_does_not_hold_back_others() {
    let mut world = World::usual();
    world.crm.add_person(Some(&phone(1)), None);
    world.fates = Box::new(|now_ms, operation| {
        let first_call = operation.verb == Verb::Create
            && operation.items.iter().any(|item| {
                item.fields
                    .values()
                    .any(|v| *v == Value::Text("stuck".into()))
            });
        if first_call && now_ms < 20_000 {
            Fate::LostBefore
        } else {
            Fate::Served
        }
    });
    world.publish(Lane::Op, &call_ended("stuck", &phone(1)));
    world.publish(Lane::Op, &call_ended("c1", &phone(1)));
    world.run_for(50);
    for n in 2..30 {
        world.publish(Lane::Op, &call_ended(&format!("c{n}"), &phone(n)));
    }
    world.run_until(15_000, |world| world.acked[0].len() >= 28);
    assert!(!world.acked[0].contains(&1) && !world.acked[0].contains(&2));
    world.run_until_settled();
    assert_eq!(world.crm.all(Object::Call).len(), 30);
}

#[test]
fn an_older_value_never_overwrites_a_newer_one_across_lanes() {
    // (when the operational event happened, when the enrichment did, how long between their publications)
    for (op_at, en_at, apart_ms, expect) in [
        (100, 50, 0, "op"),
        (100, 50, 5_000, "op"),
        (50, 100, 0, "en"),
        (50, 100, 5_000, "en"),
    ] {
        for known in [false, true] {
            let mut world = World::usual();
            if known {
                world.publish(
                    Lane::Op,
                    &event("call_started", "c0", &phone(1), 0, json!({})),
                );
                world.run_until_settled();
            }
            let identified = event(
                "caller_identified",
                "c1",
                &phone(1),
                op_at,
                json!({"first_name": "op"}),
            );
            let enrichment = event(
                "contact_enriched",
                "c1",
                &phone(1),
                en_at,
                json!({"first_name": "en"}),
            );
            world.publish(Lane::Op, &identified);
            world.run_for(apart_ms);
            world.publish(Lane::En, &enrichment);
            world.run_until_settled();
            assert_eq!(
                property(&world, "first_name"),
                Some(&Value::Text(expect.into())),
                "op at {op_at}, en at {en_at}, {apart_ms} ms apart, known {known}"
            );
        }
    }
}

#[test]
fn an_older_value_that_waited_for_a_newer_write_of_the_same_contact_does_not_win() {
    let mut world = World::usual();
    world.publish(
        Lane::Op,
        &event("call_started", "c0", &phone(1), 0, json!({})),
    );
    world.run_until_settled();
    world.fates = Box::new(|_, operation| {
        if operation.verb == Verb::UpdateById {
            Fate::Slow(2_000)
        } else {
            Fate::Served
        }
    });
    world.publish(
        Lane::Op,
        &event(
            "caller_identified",
            "c1",
            &phone(1),
            100,
            json!({"first_name": "new"}),
        ),
    );
    world.run_for(20);
    world.publish(
        Lane::En,
        &event(
            "contact_enriched",
            "c1",
            &phone(1),
            50,
            json!({"first_name": "old"}),
        ),
    );
    world.run_until_settled();
    assert_eq!(
        property(&world, "first_name"),
        Some(&Value::Text("new".into()))
    );
    let states: Vec<EffectState> = world.ledger.values().map(|record| record.state).collect();
    assert!(states.contains(&EffectState::Superseded), "{states:?}");
}

#[test]
fn a_successor_knows_which_value_is_newer() {
    let mut world = World::usual();
    world.publish(
        Lane::Op,
        &event(
            "caller_identified",
            "c1",
            &phone(1),
            100,
            json!({"first_name": "new"}),
        ),
    );
    world.run_until_settled();
    world.run_for(2_000);
    world.crash(false);
    world.take_over();
    world.publish(
        Lane::En,
        &event(
            "contact_enriched",
            "c1",
            &phone(1),
            50,
            json!({"first_name": "old", "last_name": "x"}),
        ),
    );
    world.run_until_settled();
    assert_eq!(
        property(&world, "first_name"),
        Some(&Value::Text("new".into()))
    );
    assert_eq!(
        property(&world, "last_name"),
        Some(&Value::Text("x".into()))
    );
}

#[test]
fn pending_updates_of_one_contact_share_one_write() {
    let mut world = World::usual();
    world.publish(
        Lane::Op,
        &event("call_started", "c0", &phone(1), 0, json!({})),
    );
    world.run_until_settled();
    let before = world.crm.executed.len();
    for n in 0..20 {
        world.publish(
            Lane::En,
            &enriched(
                &format!("c{n}"),
                &phone(1),
                n,
                json!({"last": n, format!("p{n}"): n}),
            ),
        );
    }
    world.run_until_settled();
    // The first leaves for its batch while the others are still loading.
    assert!(
        world.crm.executed.len() - before <= 2,
        "{}",
        world.crm.executed.len() - before
    );
    assert_eq!(property(&world, "x.last"), Some(&Value::Text("19".into())));
    assert_eq!(property(&world, "x.p0"), Some(&Value::Text("0".into())));
    let counters = world.dispatcher.as_ref().unwrap().counters();
    assert!(counters.merged >= 18, "{counters:?}");
}

#[test]
fn merged_values_go_by_when_they_happened() {
    let mut world = World::usual();
    world.publish(
        Lane::Op,
        &event("call_started", "c0", &phone(1), 0, json!({})),
    );
    world.run_until_settled();
    for (n, at) in [(1, 10), (2, 30), (3, 20)] {
        world.publish(
            Lane::En,
            &enriched(&format!("c{n}"), &phone(1), at, json!({"last": n})),
        );
    }
    world.run_until_settled();
    assert_eq!(property(&world, "x.last"), Some(&Value::Text("2".into())));
}

#[test]
fn a_throttled_answer_is_never_an_attempt() {
    let mut world = World::new("attempts_max = 1", crate::crm::windows(190, 5, 1_000_000));
    let mut left = 30;
    world.fates = Box::new(move |_, operation| {
        if left > 0 {
            left -= 1;
            let throttled = AccountSignal::Throttled {
                window: "ten_secondly",
                wait_ms: Some(700),
            };
            Fate::Answered(whole(operation, throttled, ItemOutcome::NotExecuted))
        } else {
            Fate::Served
        }
    });
    for n in 0..5 {
        world.publish(Lane::Op, &call_ended(&format!("c{n}"), &phone(n)));
    }
    world.run_until_settled();
    assert_eq!(world.dead, []);
    assert_eq!(world.crm.all(Object::Call).len(), 5);
    assert!(world.dispatcher.as_ref().unwrap().counters().throttled >= 30);
}
