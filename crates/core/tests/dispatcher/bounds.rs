//! Memory stays bounded; the backlog stays in the broker.

use callflume_core::dispatcher::{Bounds, Output};
use callflume_core::lane::Lane;
use callflume_core::vendor::{AccountSignal, ItemOutcome};
use serde_json::json;

use crate::crm::{phone, whole, windows};
use crate::events::{call_ended, enriched, note};
use crate::world::{Fate, World};

#[test]
fn never_more_events_in_memory_than_allowed_whatever_the_backlog() {
    let mut world = World::usual();
    world.setup.bounds = Bounds {
        events_max: 64,
        bytes_max: 1 << 20,
    };
    world.crash(true);
    world.take_over();
    for n in 0..1_500 {
        world.publish(Lane::Op, &call_ended(&format!("c{n}"), &phone(n % 50)));
        world.publish(
            Lane::En,
            &enriched(&format!("c{n}"), &phone(n % 50), 0, json!({"a": n})),
        );
    }
    world.run_until_settled();
    assert!(
        world.most_resident.iter().all(|most| *most <= 64),
        "{:?}",
        world.most_resident
    );
    assert!(
        world.most_resident.iter().all(|most| *most > 32),
        "{:?}",
        world.most_resident
    );
}

#[test]
fn big_events_are_bounded_by_their_bytes() {
    let mut world = World::usual();
    world.setup.bounds = Bounds {
        events_max: 600,
        bytes_max: 100_000,
    };
    world.crash(true);
    world.take_over();
    let text = "x".repeat(10_000);
    for n in 0..100 {
        world.publish(Lane::En, &note(&format!("c{n}"), &phone(n), &text));
    }
    world.run_until_settled();
    assert!(world.most_resident[1] <= 11, "{:?}", world.most_resident);
}

#[test]
fn a_long_pause_stops_pulling() {
    let mut world = World::new("", windows(190, 5, 1_000_000));
    world.fates = Box::new(|_, operation| {
        Fate::Answered(whole(
            operation,
            AccountSignal::DayExhausted,
            ItemOutcome::NotExecuted,
        ))
    });
    world.publish(Lane::Op, &call_ended("c0", &phone(0)));
    world.run_for(30_000);
    for n in 1..50 {
        world.publish(Lane::Op, &call_ended(&format!("c{n}"), &phone(n)));
    }
    world.run_for(60_000);
    assert_eq!(world.dispatcher.as_ref().unwrap().resident(), [1, 0]);
}

#[test]
fn a_dispatcher_with_nothing_to_do_asks_for_nothing() {
    let mut world = World::usual();
    world.publish(Lane::Op, &call_ended("c0", &phone(0)));
    world.run_until_settled();
    world.run_for(30_000);
    let before = (world.outputs, world.journal_writes);
    world.run_for(600_000);
    // A pull per lane every five seconds, and at most one last journal record.
    let pulls = 2 * 600_000 / 5_000 + 2;
    assert!(
        world.outputs - before.0 <= pulls + 1,
        "{}",
        world.outputs - before.0
    );
    assert!(world.journal_writes - before.1 <= 1);
    let waiting = world.dispatcher.as_ref().unwrap().wake();
    assert!(waiting.is_none_or(|at| at > world.now().tick));
}

#[test]
fn debug_output_of_what_goes_out_holds_no_personal_data() {
    let mut world = World::usual();
    world.dispatcher.as_mut().unwrap();
    let number = phone(1);
    world.publish(Lane::Op, &call_ended("c0", &number));
    world.run_until_settled();
    let shown = format!("{:?} {:?}", world.dispatcher, world.dead);
    assert!(!shown.contains("555"), "{shown}");
    let output = Output::Ack {
        lane: Lane::Op,
        seq: 1,
    };
    assert!(format!("{output:?}").contains("Ack"));
}
