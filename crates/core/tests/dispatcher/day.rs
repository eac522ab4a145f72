//! A day's limit that is too small for everything.

use callflume_core::codes;
use callflume_core::lane::Lane;
use callflume_core::quota::Advice;

use crate::crm::{phone, windows};
use crate::events::{call_ended, note};
use crate::world::World;

const MINUTE_MS: u64 = 60_000;
const NOON_TO_MIDNIGHT_MINUTES: usize = 12 * 60;

fn requests(world: &World) -> u64 {
    world.dispatcher.as_ref().unwrap().counters().requests
}

/// Noon to midnight: notes every minute, a call every half hour; `each` after each minute.
fn afternoon(world: &mut World, mut each: impl FnMut(&mut World, usize)) {
    for minute in 0..NOON_TO_MIDNIGHT_MINUTES {
        world.publish(
            Lane::En,
            &note(&format!("n{minute}"), &phone(1_000 + minute), "x"),
        );
        if minute % 30 == 0 {
            let seq = world.publish(Lane::Op, &call_ended(&format!("c{minute}"), &phone(minute)));
            world.run_for(2_000);
            assert!(
                world.acked[0].contains(&seq),
                "minute {minute}: the call waits"
            );
            world.run_for(MINUTE_MS - 2_000);
        } else {
            world.run_for(MINUTE_MS);
        }
        each(world, minute);
    }
}

#[test]
fn calls_never_wait_for_a_day_that_notes_would_use_up_and_notes_go_on_at_midnight() {
    let mut world = World::new("", windows(190, 5, 400));
    afternoon(&mut world, |_, _| {});
    let before = requests(&world);
    assert!((360..=400).contains(&before), "{before}");
    assert!(!world.is_settled());
    let level = |code: &codes::Code| *code == codes::CRM_DAY_FILLING;
    assert!(world.alerts.iter().all(level));
    assert!((2..=3).contains(&world.alerts.len()), "{:?}", world.alerts);
    world.run_until(5_000, |world| requests(world) > before);
    assert_eq!(world.over, [codes::CRM_DAY_FILLING]);
    let noted = world.acked[1].len();
    world.run_for(60 * MINUTE_MS);
    assert!(world.acked[1].len() > noted + 50, "the backlog moves");
    assert!(world.dead.is_empty());
}

#[test]
fn a_successor_holds_back_as_much_as_the_owner_before() {
    let mut world = World::new("", windows(190, 5, 400));
    afternoon(&mut world, |world, minute| {
        if minute % 120 == 119 {
            let known = world
                .journal
                .as_ref()
                .and_then(|journal| journal.autopilot.clone());
            assert!(known.is_some_and(|known| known.op.iter().sum::<u32>() > 0));
            world.crash(false);
            world.take_over();
        }
    });
    assert!(world.dead.is_empty());
}

#[test]
fn a_dialler_is_told_to_slow_down_to_stop_and_to_go_on() {
    let mut world = World::new("", windows(190, 5, 400));
    let mut call = 0;
    while world.advised.last() != Some(&Advice::Stop) {
        world.publish(Lane::Op, &call_ended(&format!("c{call}"), &phone(call)));
        world.run_for(30_000);
        call += 1;
        assert!(call < 400, "{:?}", world.advised);
    }
    assert_eq!(world.advised, [Advice::Slow, Advice::Stop]);
    // The floor is there for callers.
    let left = 400 - requests(&world);
    assert!((10..100).contains(&left), "{left}");
    world.run_until_settled();
    world.run_until(12 * 60 * MINUTE_MS, |world| {
        world.advised.last() == Some(&Advice::Ok)
    });
    assert!(world.advised.len() <= 5, "{:?}", world.advised);
}

#[test]
fn without_a_floor_and_without_calls_notes_may_use_nearly_all() {
    let mut world = World::new("daily_floor_op_percent = 0", windows(190, 5, 60));
    for n in 0..100 {
        world.publish(Lane::En, &note(&format!("n{n}"), &phone(n), "x"));
        world.run_for(7 * MINUTE_MS);
    }
    let used = requests(&world);
    assert!((50..=60).contains(&used), "{used}");
}
