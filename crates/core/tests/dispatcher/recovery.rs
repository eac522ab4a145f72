//! Crashes, lost answers, lost deliveries: nothing lost, nothing doubled.

use callflume_core::dispatcher::Input;
use callflume_core::effect::Object;
use callflume_core::lane::Lane;
use serde_json::json;

use crate::crm::{Crm, Person, phone};
use crate::events::{call_ended, enriched, event, note, sentiment};
use crate::world::{Fate, World};

/// A CRM that makes a record once, one that doesn't, one that takes several operations in a request.
const STARTS: [fn() -> World; 3] = [World::usual, World::class_b, World::bundling];

/// A short script that touches everything: a new caller, a known one, a call with its enrichment, a bad event.
fn script(world: &mut World) {
    world.crm.add_person(Some(&phone(2)), None);
    world.publish(Lane::Op, &call_ended("c1", &phone(1)));
    world.publish(
        Lane::Op,
        &event(
            "caller_identified",
            "c2",
            &phone(2),
            0,
            json!({"first_name": "Ada"}),
        ),
    );
    world.publish(Lane::En, &sentiment("c1", &phone(1)));
    world.publish(Lane::En, &note("c1", &phone(1), "hello"));
    world.publish(
        Lane::En,
        &enriched("c2", &phone(2), 10, json!({"score": 1})),
    );
    world.publish(
        Lane::En,
        &enriched("c2", &phone(2), 20, json!({"score": 2})),
    );
    world.publish(
        Lane::Op,
        &event("nobody_knows", "c3", &phone(3), 0, json!({})),
    );
}

/// What the CRM holds, without ids and counts of writes.
fn held(crm: &Crm) -> Vec<String> {
    let people = crm.people.values().map(|person| {
        let Person {
            own_key,
            phones,
            email,
            fields,
            ..
        } = person;
        format!("{own_key:?} {phones:?} {email:?} {fields:?}")
    });
    let records = crm
        .records
        .iter()
        .map(|(key, entry)| format!("{key:?} {:?}", entry.fields));
    people.chain(records).collect()
}

fn crash_points(start: fn() -> World, lossy: bool, fate: fn(u64) -> Fate) {
    let mut whole = start();
    script(&mut whole);
    whole.run_until_settled();
    whole.run_for(5_000);
    let expected = held(&whole.crm);
    let outputs = whole.outputs;
    assert!(outputs > 30, "{outputs}");
    for crash_at in 0..outputs {
        for network_too in [false, true] {
            let mut world = start();
            let mut count = 0;
            world.fates = Box::new(move |_, _| {
                count += 1;
                if lossy { fate(count) } else { Fate::Served }
            });
            script(&mut world);
            let until_ms = world.now_ms + 60_000;
            while world.outputs < crash_at && world.step(until_ms) {}
            world.crash(network_too);
            // The lease runs out meanwhile.
            world.run_for(6_000);
            world.take_over();
            world.run_until_settled();
            world.run_for(5_000);
            assert_eq!(
                held(&world.crm),
                expected,
                "crash at {crash_at}, network {network_too}"
            );
            assert!(
                (1..=2).contains(&world.dead.len()),
                "crash at {crash_at}: a dead letter stored just before may be stored again, with the same event: {:?}",
                world.dead
            );
            assert_eq!(world.crm.doubled, [], "crash at {crash_at}");
            assert_eq!(ends(&world), ends(&whole), "crash at {crash_at}");
        }
    }
}

/// Effects that have ended; what else is in the ledger is the origins of records.
fn ends(world: &World) -> usize {
    let keys = world.ledger.keys();
    keys.filter(|key| !key.contains('-')).count()
}

#[test]
fn a_crash_at_any_point_loses_and_doubles_nothing() {
    for start in STARTS {
        crash_points(start, false, |_| Fate::Served);
    }
}

#[test]
fn a_crash_at_any_point_amid_lost_requests_and_answers_loses_and_doubles_nothing() {
    for start in STARTS {
        crash_points(start, true, |count| match count % 4 {
            1 => Fate::LostAfter,
            3 => Fate::LostBefore,
            _ => Fate::Served,
        });
    }
}

#[test]
fn an_answer_lost_after_the_crm_had_written_doubles_nothing() {
    for (nth, start) in (1..12).flat_map(|nth| STARTS.map(|start| (nth, start))) {
        let mut world = start();
        let mut count = 0;
        world.fates = Box::new(move |_, _| {
            count += 1;
            if count == nth {
                Fate::LostAfter
            } else {
                Fate::Served
            }
        });
        script(&mut world);
        world.run_until_settled();
        assert_eq!(world.crm.people.len(), 2, "answer {nth} lost");
        assert_eq!(world.crm.doubled, [], "answer {nth} lost");
        assert_eq!(world.crm.all(Object::Call).len(), 1);
        assert_eq!(world.crm.all(Object::Note).len(), 1);
        assert_eq!(world.dead.len(), 1);
    }
}

#[test]
fn a_lost_delivery_is_noticed_and_comes_again_from_the_floor() {
    for lost in 1..=6 {
        let mut world = World::usual();
        world.lose_deliveries.insert((Lane::Op, lost));
        for n in 0..5 {
            world.publish(Lane::Op, &call_ended(&format!("c{n}"), &phone(n as usize)));
        }
        world.run_for(1_000);
        // Nobody can notice that the last one is missing before another comes.
        world.publish(Lane::Op, &call_ended("c5", &phone(5)));
        world.run_for(1_000);
        world.publish(Lane::Op, &call_ended("c6", &phone(6)));
        world.run_until_settled();
        let calls = world.crm.all(Object::Call);
        assert_eq!(calls.len(), 7, "delivery {lost} lost");
        assert!(calls.iter().all(|call| call.writes == 1));
        assert!(world.now_ms < 60_000);
    }
}

#[test]
fn the_floor_does_not_pass_a_lost_delivery_even_if_the_owner_dies_before_it_is_noticed() {
    let mut world = World::usual();
    world.lose_deliveries.insert((Lane::Op, 1));
    world.publish(Lane::Op, &call_ended("c0", &phone(0)));
    world.run_for(3_000);
    world.crash(true);
    world.take_over();
    world.run_until_settled();
    assert_eq!(world.crm.all(Object::Call).len(), 1);
}

#[test]
fn after_a_reconnect_everything_unsettled_comes_again_and_nothing_twice() {
    let mut world = World::usual();
    for n in 0..300 {
        world.publish(Lane::Op, &call_ended(&format!("c{n}"), &phone(n % 40)));
        world.publish(Lane::En, &note(&format!("c{n}"), &phone(n % 40), "t"));
    }
    for _ in 0..20 {
        world.run_for(37);
        world.handle(Input::Reconnected);
    }
    world.run_until_settled();
    assert_eq!(world.crm.all(Object::Call).len(), 300);
    assert!(
        world
            .crm
            .all(Object::Call)
            .iter()
            .all(|call| call.writes == 1)
    );
    assert_eq!(world.crm.all(Object::Note).len(), 300);
    assert!(world.most_resident.iter().all(|most| *most <= 600));
}

#[test]
fn a_message_the_broker_delivers_again_by_itself_is_not_written_again() {
    let mut world = World::usual();
    world.publish(Lane::Op, &call_ended("c0", &phone(0)));
    world.run_for(30);
    world.redeliver(Lane::Op, 1);
    world.run_until_settled();
    world.acked[0].clear();
    world.redeliver(Lane::Op, 1);
    world.run_until_settled();
    assert_eq!(world.crm.all(Object::Call)[0].writes, 1);
}

/// A stream of traffic with every kind of fault, from a seed.
fn storm(start: fn() -> World, seed: u64) {
    let mut state = seed;
    let mut random = move |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut world = start();
    let mut fate = seed.wrapping_add(99);
    world.fates = Box::new(move |_, _| {
        fate = fate.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        match (fate >> 33) % 12 {
            0 => Fate::LostAfter,
            1 => Fate::LostBefore,
            2 => Fate::NotSent,
            3 => Fate::Slow((fate >> 40) % 900),
            _ => Fate::Served,
        }
    });
    let mut calls = 0;
    for round in 0..120 {
        let who = phone(random(12) as usize);
        let call = format!("c{round}");
        world.publish(Lane::En, &sentiment(&call, &who));
        world.publish(Lane::Op, &call_ended(&call, &who));
        world.publish(
            Lane::En,
            &enriched(&call, &who, round, json!({"round": round})),
        );
        calls += 1;
        match random(15) {
            0 => {
                world.crash(random(2) == 0);
                world.run_for(random(8_000));
                world.take_over();
            }
            1 => world.handle(Input::Reconnected),
            2 => world.refuse_stores = 2,
            3 => world.silent_stores = 2,
            4 => world.fail_loads = 2,
            5 => world.fail_journals = 2,
            6 => {
                let next = world.streams[0].len() as u64 + 1;
                world.lose_deliveries.insert((Lane::Op, next));
            }
            _ => {}
        }
        world.run_for(random(400));
        // The floor never passes an unsettled event.
        for lane in Lane::ALL {
            let floor = world.floors[lane as usize];
            let acked = &world.acked[lane as usize];
            assert!(
                (1..floor).all(|seq| acked.contains(&seq)),
                "seed {seed}, {lane} floor {floor}"
            );
        }
    }
    world.fates = Box::new(|_, _| Fate::Served);
    world.run_until_settled();
    assert_eq!(world.crm.all(Object::Call).len(), calls, "seed {seed}");
    assert!(
        world
            .crm
            .all(Object::Call)
            .iter()
            .all(|call| call.fields.contains_key("sentiment"))
    );
    assert!(
        world.crm.people.len() <= 12,
        "seed {seed}: {} people",
        world.crm.people.len()
    );
    assert_eq!(world.dead, [], "seed {seed}");
    assert_eq!(world.crm.doubled, [], "seed {seed}");
}

#[test]
fn a_storm_of_faults_loses_and_doubles_nothing_and_the_floor_never_passes_an_unsettled_event() {
    for start in STARTS {
        (0..40).for_each(|seed| storm(start, seed));
    }
}
