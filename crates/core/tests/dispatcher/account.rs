//! Trouble of the account as a whole: throttled, exhausted, refused, failing.

use callflume_core::codes;
use callflume_core::dispatcher::Input;
use callflume_core::effect::Object;
use callflume_core::lane::Lane;
use callflume_core::lookup::Person;
use callflume_core::quota::Advice;
use callflume_core::vendor::{AccountSignal, ItemOutcome};

use crate::crm::{phone, whole, windows};
use crate::events::call_ended;
use crate::world::{Fate, World};

/// Milliseconds from the world's start (noon, UTC) to midnight in New York (UTC−5).
const TO_NEW_YORK_MIDNIGHT_MS: u64 = 17 * 3_600_000;

fn refusing(world: &mut World, until_ms: u64, signal: AccountSignal) {
    world.fates = Box::new(move |now_ms, operation| {
        if now_ms < until_ms {
            Fate::Answered(whole(operation, signal.clone(), ItemOutcome::NotExecuted))
        } else {
            Fate::Served
        }
    });
    for n in 0..10 {
        world.publish(Lane::Op, &call_ended(&format!("c{n}"), &phone(n)));
    }
}

fn requests(world: &World) -> u64 {
    world.dispatcher.as_ref().unwrap().counters().requests
}

#[test]
fn an_exhausted_day_pauses_until_the_zones_midnight() {
    let mut world = World::new(
        "time_zone = \"America/New_York\"",
        windows(190, 5, 1_000_000),
    );
    refusing(
        &mut world,
        TO_NEW_YORK_MIDNIGHT_MS,
        AccountSignal::DayExhausted,
    );
    // A second request leaves before the first is answered.
    world.run_for(10);
    world.publish(Lane::Op, &call_ended("c10", &phone(10)));
    world.run_for(60_000);
    assert!(requests(&world) > 1);
    let tried = requests(&world);
    assert_eq!(world.alerts, [codes::CRM_DAY_EXHAUSTED]);
    assert_eq!(world.advised, [Advice::Stop]);
    world.run_for(TO_NEW_YORK_MIDNIGHT_MS - 60_011);
    assert_eq!(requests(&world), tried);
    world.run_until(30_000, World::is_settled);
    assert_eq!(world.advised, [Advice::Stop, Advice::Ok]);
    assert_eq!(
        (world.dead.len(), world.crm.all(Object::Call).len()),
        (0, 11)
    );
}

#[test]
fn a_crm_whose_clock_is_behind_at_midnight_costs_minutes_not_a_day() {
    let mut world = World::new(
        "time_zone = \"America/New_York\"",
        windows(190, 5, 1_000_000),
    );
    refusing(
        &mut world,
        TO_NEW_YORK_MIDNIGHT_MS + 90_000,
        AccountSignal::DayExhausted,
    );
    world.run_until(TO_NEW_YORK_MIDNIGHT_MS + 300_000, World::is_settled);
}

#[test]
fn our_own_days_limit_pauses_until_midnight_too() {
    let mut world = World::new("", windows(190, 50, 20));
    for n in 0..30 {
        world.publish(Lane::Op, &call_ended(&format!("c{n}"), &phone(n)));
        world.run_for(300);
    }
    world.run_for(60_000);
    assert_eq!(world.crm.executed.len(), 20);
    world.run_until(12 * 3_600_000 + 60_000, |world| {
        world.crm.executed.len() > 20
    });
    assert!(world.now_ms >= 12 * 3_600_000);
}

#[test]
fn a_refused_credential_pauses_alerts_once_a_pause_and_later_continues() {
    for (signal, code) in [
        (AccountSignal::CredentialRefused, codes::CRM_CREDENTIAL),
        (AccountSignal::ScopeMissing, codes::CRM_SCOPE),
    ] {
        let mut world = World::usual();
        refusing(&mut world, 600_000, signal);
        world.run_for(590_000);
        assert!(world.alerts.iter().all(|alert| *alert == code));
        assert!(
            (2..10).contains(&world.alerts.len()),
            "{}",
            world.alerts.len()
        );
        assert!(requests(&world) < 30, "{}", requests(&world));
        world.run_until(600_000, World::is_settled);
        assert_eq!(
            (world.dead.len(), world.crm.all(Object::Call).len()),
            (0, 10)
        );
    }
}

#[test]
fn a_request_whose_credential_is_being_renewed_goes_again_without_pause_attempt_or_alert() {
    let mut world = World::new("attempts_max = 2", windows(10, 5, 1_000_000));
    let mut refusals = 0;
    // More refusals than attempts; each has left, so the oracle at the door counts it.
    world.fates = Box::new(move |_, _| {
        refusals += 1;
        if refusals <= 15 {
            Fate::Unauthorized(true, None)
        } else {
            Fate::Served
        }
    });
    for n in 0..10 {
        world.publish(Lane::Op, &call_ended(&format!("c{n}"), &phone(n)));
    }
    world.run_until_settled();
    assert_eq!(world.alerts, []);
    assert_eq!(
        (world.dead.len(), world.crm.all(Object::Call).len()),
        (0, 10)
    );
    // Ten in ten seconds at most: those that were refused stand in the window too.
    assert!(world.now_ms >= 10_000, "{}", world.now_ms);
}

#[test]
fn trouble_with_the_credential_pauses_before_anything_leaves() {
    let mut world = World::usual();
    world.fates = Box::new(|now_ms, _| {
        if now_ms < 60_000 {
            Fate::Unauthorized(false, Some(codes::CRM_GRANT))
        } else {
            Fate::Served
        }
    });
    for n in 0..10 {
        world.publish(Lane::Op, &call_ended(&format!("c{n}"), &phone(n)));
    }
    world.run_for(60_000);
    assert!(world.alerts.iter().all(|alert| *alert == codes::CRM_GRANT));
    assert!((2..6).contains(&world.alerts.len()), "{:?}", world.alerts);
    assert_eq!(world.crm.executed.len(), 0);
    assert!(requests(&world) < 30, "{}", requests(&world));
    world.handle(Input::Resume);
    world.run_until(5_000, World::is_settled);
    assert_eq!(
        (world.dead.len(), world.crm.all(Object::Call).len()),
        (0, 10)
    );
}

#[test]
fn a_warm_up_outlives_a_renewal_of_the_credential() {
    let mut world = World::usual();
    let mut first = true;
    world.fates = Box::new(move |_, _| {
        if std::mem::take(&mut first) {
            Fate::Unauthorized(true, None)
        } else {
            Fate::Served
        }
    });
    world.handle(Input::Warm);
    world.run_for(60_000);
    let counters = world.dispatcher.as_ref().unwrap().counters();
    assert_eq!(counters.warming, 0);
    assert!(counters.requests >= 2, "{counters:?}");
}

#[test]
fn an_operator_ends_a_pause() {
    let mut world = World::usual();
    refusing(&mut world, 10_000, AccountSignal::CredentialRefused);
    world.run_for(40_000 - 1);
    let before = world.now_ms;
    world.handle(Input::Resume);
    world.run_until(5_000, World::is_settled);
    assert!(world.now_ms - before < 5_000);
}

#[test]
fn a_pause_is_known_to_the_successor() {
    let mut world = World::usual();
    refusing(&mut world, 3_600_000, AccountSignal::DayExhausted);
    world.run_for(10_000);
    let tried = world.crm.executed.len();
    assert!(world.journal.as_ref().unwrap().paused_until.is_some());
    world.crash(false);
    world.take_over();
    world.run_for(3_500_000);
    assert_eq!(world.crm.executed.len(), tried);
    assert_eq!(requests(&world), 0);
}

#[test]
fn a_crm_that_refuses_connections_is_asked_less_and_less_and_nothing_is_lost() {
    let mut world = World::usual();
    world.fates = Box::new(|now_ms, _| {
        if now_ms < 300_000 {
            Fate::NotSent
        } else {
            Fate::Served
        }
    });
    for n in 0..10 {
        world.publish(Lane::Op, &call_ended(&format!("c{n}"), &phone(n)));
    }
    world.run_for(299_000);
    assert!(requests(&world) < 120, "{}", requests(&world));
    world.run_until(60_000, World::is_settled);
    assert_eq!(world.crm.all(Object::Call).len(), 10);
}

#[test]
fn a_busy_crm_is_given_the_time_it_asks_for() {
    let mut world = World::usual();
    refusing(&mut world, 2_000, AccountSignal::Busy { wait_ms: 2_500 });
    world.run_for(2_400);
    assert!(requests(&world) <= 2, "{}", requests(&world));
    world.run_until(20_000, World::is_settled);
}

#[test]
fn a_crm_that_shuts_the_account_out_for_minutes_is_told_once_and_waited_for() {
    let mut world = World::usual();
    refusing(&mut world, 2_000, AccountSignal::Busy { wait_ms: 600_000 });
    world.run_for(500_000);
    assert!(requests(&world) <= 3, "{}", requests(&world));
    assert_eq!(world.alerts, [codes::CRM_LOCKED_OUT]);
    world.run_until(200_000, World::is_settled);
    assert_eq!(world.dead, []);
}

#[test]
fn the_hint_of_a_throttling_crm_is_kept_and_a_shorter_one_after_it_does_not_cut_it() {
    let mut world = World::usual();
    let mut asked = 0;
    world.fates = Box::new(move |_, operation| {
        asked += 1;
        if asked > 2 {
            return Fate::Served;
        }
        let throttled = AccountSignal::Throttled {
            window: "ten_secondly",
            wait_ms: Some(if asked == 1 { 9_000 } else { 1_000 }),
        };
        Fate::Answered(whole(operation, throttled, ItemOutcome::NotExecuted))
    });
    world.publish(Lane::Op, &call_ended("c1", &phone(1)));
    world.run_for(15);
    world.publish(Lane::Op, &call_ended("c2", &phone(2)));
    world.run_for(8_900);
    assert_eq!(requests(&world), 2);
    world.run_until(5_000, World::is_settled);
}

#[test]
fn a_pause_that_begins_or_is_taken_over_with_nothing_in_memory_ends_all_the_same() {
    for taken_over in [false, true] {
        let mut world = World::usual();
        let mut busy = 1;
        world.fates = Box::new(move |_, operation| {
            if busy == 0 {
                return Fate::Served;
            }
            busy -= 1;
            let shut_out = AccountSignal::Busy { wait_ms: 60_000 };
            Fate::Answered(whole(
                operation,
                shut_out,
                ItemOutcome::Refused {
                    code: codes::CRM_REFUSED,
                    reason: "later".to_owned(),
                },
            ))
        });
        world.handle(Input::Wanted(Person::phone(&phone(1)).unwrap()));
        world.run_for(10_000);
        assert_eq!(world.alerts, [codes::CRM_LOCKED_OUT]);
        if taken_over {
            world.crash(true);
            world.take_over();
        }
        world.run_for(80_000);
        world.publish(Lane::Op, &call_ended("c1", &phone(1)));
        world.run_until(10_000, World::is_settled);
    }
}
