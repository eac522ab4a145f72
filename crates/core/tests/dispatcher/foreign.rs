//! Permits for processes that are not Callflume.

use callflume_core::codes;
use callflume_core::foreign::{PermitReply, Throttled};
use callflume_core::lane::Lane;
use callflume_core::quota::{LATE_ARRIVAL_MS, Settlement};
use callflume_core::seed::Seed;
use callflume_core::vendor::{Verb, WindowSpec};
use proptest::prelude::*;

use crate::cases::cases;
use crate::crm::{phone, windows};
use crate::events::{call_ended, note};
use crate::others::{Act, prompt, settlement, wish};
use crate::world::World;

const ONE: &[&str] = &["ten_secondly", "daily"];
const TIMEOUT_MS: u64 = 3_000;

/// What of a window is used, by its name.
fn used(world: &mut World, name: &str) -> u32 {
    let now = world.now();
    let usage = world.dispatcher.as_mut().unwrap().usage(now);
    usage.iter().find(|(window, ..)| *window == name).unwrap().1
}

#[test]
fn a_permit_is_written_before_it_is_told_and_its_times_count_from_the_ask() {
    let mut world = World::usual();
    world.fail_journals = 1;
    let ask = world.ask_in(0, wish(Lane::Op, ONE, 1_000));
    world.run_for(50);
    assert!(world.others.answers.is_empty(), "nothing is written yet");
    world.run_for(1_000);
    let granted = world.permit_of(ask);
    let (told_ms, ..) = world.others.answers[0];
    assert!(world.journal.is_some() && told_ms > 250);
    // Heard by the owner after a millisecond; granted a millisecond before it was told.
    let waited_ms = told_ms - 2;
    assert_eq!(
        (granted.send_within_ms, granted.end_within_ms),
        (waited_ms + 1_000, waited_ms + TIMEOUT_MS)
    );
    assert_eq!(granted.permit.len(), 32);
    assert_eq!(used(&mut world, "ten_secondly"), 1);
    assert_eq!(world.dispatcher.as_ref().unwrap().counters().lent, 1);
}

#[test]
fn asks_that_cannot_be_used_are_refused_naming_what_there_is() {
    let mut tokens = windows(190, 5, 1_000);
    tokens.push(WindowSpec::rolling("tokens", 400, 2_000).in_tokens());
    let mut world = World::new("", tokens);
    for (price, expect) in [
        (&[][..], "`windows` is empty"),
        (
            &[("hourly", 1)],
            "this account has ten_secondly, search, daily, tokens",
        ),
        (
            &[("search", 2)],
            "`windows.search` is 2; one request costs 1 to 1 there",
        ),
        (&[("daily", 0)], "`windows.daily` is 0"),
        (&[("tokens", 401)], "one request costs 1 to 400 there"),
        (&[("tokens", 400), ("daily", 1)], ""),
    ] {
        let mut ask = wish(Lane::En, &[], 1_000);
        ask.windows = price
            .iter()
            .map(|(name, cost)| ((*name).to_owned(), *cost))
            .collect();
        let ask = world.ask_in(0, ask);
        world.run_for(100);
        match world.answer_to(ask) {
            PermitReply::Refused(refusal) => {
                assert_eq!(refusal.code, codes::PERMIT_ASK);
                assert!(
                    !expect.is_empty() && refusal.text.contains(expect),
                    "{}",
                    refusal.text
                );
            }
            other => assert!(
                expect.is_empty() && matches!(other, PermitReply::Granted(_)),
                "{other:?}"
            ),
        }
    }
}

#[test]
fn what_is_settled_frees_its_window_as_an_own_request_would() {
    for (outcome, frees_after_ms) in [
        (Some(Settlement::NotSent), Some(0)),
        (Some(Settlement::Answered), Some(10_000)),
        (Some(Settlement::Unanswered), Some(10_000 + LATE_ARRIVAL_MS)),
        (None, None),
    ] {
        let mut world = World::usual();
        let ask = world.ask_in(0, wish(Lane::Op, ONE, 1_000));
        world.run_for(100);
        let granted = world.permit_of(ask);
        let granted_ms = granted.end_within_ms - TIMEOUT_MS + 1;
        if let Some(outcome) = outcome {
            world.act(Act::Settle(settlement(&granted.permit, outcome)));
            world.act(Act::Settle(settlement(
                &granted.permit,
                Settlement::NotSent,
            )));
        }
        let frees_ms = match frees_after_ms {
            Some(after_ms) => world.now_ms + after_ms,
            // Nobody said anything: it may have been used until its end.
            None => granted_ms + TIMEOUT_MS + LATE_ARRIVAL_MS + 10_000,
        };
        if frees_ms > world.now_ms {
            world.run_for(frees_ms - world.now_ms - 1);
            assert_eq!(used(&mut world, "ten_secondly"), 1, "{outcome:?}");
            // Whole milliseconds are rounded up.
            world.run_for(2);
        }
        assert_eq!(used(&mut world, "ten_secondly"), 0, "{outcome:?}");
    }
}

#[test]
fn a_successor_counts_what_it_does_not_know_and_ignores_what_is_said_of_it() {
    let mut world = World::usual();
    let ask = world.ask_in(0, wish(Lane::Op, ONE, 1_000));
    world.run_for(100);
    let granted = world.permit_of(ask);
    world.crash(false);
    world.take_over();
    let counted = used(&mut world, "ten_secondly");
    assert!(counted >= 1);
    world.act(Act::Settle(settlement(
        &granted.permit,
        Settlement::NotSent,
    )));
    assert_eq!(used(&mut world, "ten_secondly"), counted);
    let ask = world.ask_in(0, wish(Lane::Op, ONE, 1_000));
    world.run_for(100);
    assert_ne!(world.permit_of(ask).permit, granted.permit);
}

#[test]
fn an_ask_that_dies_with_its_owner_or_meets_none_is_answered_by_nobody_and_served_when_asked_again()
{
    for insist in [false, true] {
        let mut world = World::new("", windows(3, 3, 1_000_000));
        world.others.insist = insist;
        world.others.plan = prompt(40);
        // The first three take the window; two more wait when the owner dies, and one asks when there is none.
        for in_ms in [0, 0, 0, 50, 50, 150] {
            world.ask_in(in_ms, wish(Lane::Op, ONE, 1_000));
        }
        world.run_for(100);
        let before = world.lent().len();
        world.crash(false);
        world.run_for(500);
        world.take_over();
        world.run_for(120_000);
        let lent = world.lent().len();
        assert_eq!(lent, if insist { 6 } else { before });
        assert!(before < 4, "{before}");
    }
}

#[test]
fn an_owner_that_stops_waits_for_nobody_and_leaves_open_permits_in_the_journal() {
    let mut world = World::new("", windows(4, 5, 1_000));
    for _ in 0..6 {
        world.ask_in(0, wish(Lane::Op, ONE, 10_000));
    }
    world.run_for(100);
    // Half of the window and an eighth more, one at least; the others wait for enrichment's turn.
    let lent = world.lent().len();
    assert!((1..=4).contains(&lent), "{lent}");
    let before_ms = world.now_ms;
    world.handle(callflume_core::dispatcher::Input::Stop);
    let late = world.ask_in(0, wish(Lane::Op, ONE, 1_000));
    world.run_until(1_000, |world| world.stopped);
    assert!(world.now_ms - before_ms < 50);
    world.run_for(10);
    let leaving =
        |reply: &PermitReply| matches!(reply, PermitReply::Wait(wait) if wait.window == "takeover");
    assert!(leaving(world.answer_to(late)));
    let told = world
        .others
        .answers
        .iter()
        .filter(|(.., reply)| leaving(reply));
    assert_eq!(told.count(), 6 - lent + 1);
    let journal = world.journal.clone().unwrap();
    let open = journal
        .blocks
        .iter()
        .filter(|block| block.settled_at.is_none());
    assert_eq!(
        open.map(|block| block.counts[0] as usize).sum::<usize>(),
        lent
    );
}

#[test]
fn what_a_foreign_request_is_refused_for_holds_for_everyone() {
    let refused = |window: &str, wait_ms| {
        let mut world = World::usual();
        let ask = world.ask_in(0, wish(Lane::Op, ONE, 1_000));
        world.run_for(100);
        let mut settle = settlement(&world.permit_of(ask).permit, Settlement::Answered);
        settle.throttled = Some(Throttled {
            window: Some(window.to_owned()),
            wait_ms,
        });
        world.act(Act::Settle(settle));
        world.publish(Lane::Op, &call_ended("c1", &phone(1)));
        world
    };
    let mut world = refused("ten_secondly", Some(4_000));
    world.run_for(3_900);
    assert!(
        world
            .crm
            .executed
            .iter()
            .all(|(_, done)| done.verb == Verb::SearchByPhone)
    );
    world.run_until(60_000, World::is_settled);
    let mut world = refused("daily", None);
    world.run_for(60_000);
    assert_eq!(world.alerts, [codes::CRM_DAY_EXHAUSTED]);
    assert!(!world.is_settled());
}

/// Asks at even distances; each sends at once.
fn flood(world: &mut World, lane: Lane, per_s: u64, for_s: u64) {
    world.others.plan = prompt(40);
    for n in 0..per_s * for_s {
        world.ask_in(n * 1_000 / per_s, wish(lane, ONE, 10_000));
    }
}

#[test]
fn a_flood_of_urgent_asks_takes_half_and_never_makes_a_call_wait_for_long() {
    let mut world = World::usual();
    flood(&mut world, Lane::Op, 60, 120);
    for n in 0..600 {
        world.publish(Lane::En, &note(&format!("n{n}"), &phone(n), "x"));
    }
    let mut longest_ms = 0;
    for n in 0..60 {
        let from_ms = world.now_ms;
        world.publish(Lane::Op, &call_ended(&format!("c{n}"), &phone(1_000 + n)));
        world.run_until(10_000, |world| world.acked[0].len() == n + 1);
        longest_ms = longest_ms.max(world.now_ms - from_ms);
        world.run_for(2_000 - (world.now_ms - from_ms));
    }
    // A look-up and two writes, each waiting for a few others at most.
    assert!(longest_ms <= 1_500, "{longest_ms}");
    let lent = world.lent().len();
    assert!((1_000..=1_900).contains(&lent), "{lent} in 120 s");
    let busy =
        |reply: &PermitReply| matches!(reply, PermitReply::Wait(wait) if wait.window == "asks");
    assert!(world.others.answers.iter().any(|(.., reply)| busy(reply)));
}

#[test]
fn own_enrichment_and_asked_enrichment_share_their_pace() {
    let mut world = World::new("batch_wait_ms = 0", windows(190, 5, 1_000_000));
    flood(&mut world, Lane::En, 40, 60);
    let requests = |world: &World| world.dispatcher.as_ref().unwrap().counters().requests;
    for n in 0..6_000 {
        // Four contacts, one note of each at a time: more requests than there are permits.
        world.publish(Lane::En, &note(&format!("n{n}"), &phone(n % 4), "x"));
    }
    world.run_for(10_000);
    let (own, lent) = (requests(&world), world.lent().len() as u64);
    world.run_for(40_000);
    let (own, lent) = (requests(&world) - own, world.lent().len() as u64 - lent);
    assert!(
        own * 5 >= lent * 4 && lent * 5 >= own * 4,
        "{own} own, {lent} lent"
    );
    assert!(
        (700..=760).contains(&(own + lent)),
        "{own} own, {lent} lent"
    );
}

#[test]
fn foreign_permits_hold_half_of_the_slots() {
    let mut slots = windows(190, 5, 1_000_000);
    slots.push(WindowSpec::slots("slots", 6));
    let mut world = World::new("", slots);
    for _ in 0..5 {
        world.ask_in(0, wish(Lane::Op, &["slots", "daily"], 500));
    }
    world.run_for(1_000);
    assert_eq!(world.lent().len(), 3);
    let held =
        |reply: &PermitReply| matches!(reply, PermitReply::Wait(wait) if wait.window == "permits");
    let waiting = world
        .others
        .answers
        .iter()
        .filter(|(.., reply)| held(reply));
    assert_eq!(waiting.count(), 2);
}

/// Foreign processes that use their permits to the limit of what they may, and don't always say so.
pub(crate) fn unruly(
    seed: u64,
) -> impl FnMut(
    &callflume_core::foreign::PermitAsk,
    u64,
    u64,
    &callflume_core::foreign::Granted,
) -> Vec<(u64, Act)> {
    let mut rng = Seed::new(seed);
    move |ask, asked_ms, now_ms, granted| {
        let settle = |outcome| Act::Settle(settlement(&granted.permit, outcome));
        let end_ms = asked_ms + granted.end_within_ms;
        let left_ms = (asked_ms + granted.send_within_ms).saturating_sub(now_ms);
        if asked_ms + granted.send_within_ms < now_ms {
            return vec![(0, settle(Settlement::NotSent))];
        }
        let trip_ms = rng.below(left_ms + 1);
        match rng.below(6) {
            0 => vec![(0, settle(Settlement::NotSent))],
            // As late as a request can arrive, and never a word.
            1 => vec![(
                end_ms.saturating_sub(now_ms) + LATE_ARRIVAL_MS,
                Act::Arrive(ask.clone()),
            )],
            2 => vec![
                (trip_ms, Act::Arrive(ask.clone())),
                (
                    end_ms.saturating_sub(now_ms),
                    settle(Settlement::Unanswered),
                ),
            ],
            _ => vec![
                (trip_ms, Act::Arrive(ask.clone())),
                (trip_ms + 1 + rng.below(200), settle(Settlement::Answered)),
            ],
        }
    }
}

proptest! {
    #![proptest_config(cases(60))]

    /// The oracle at the CRM's door (`World::count`) panics at the first request too many.
    #[test]
    fn no_window_holds_more_than_its_limit_whoever_sends_and_whoever_owns(
        asks in proptest::collection::vec((0..400_u64, any::<bool>(), any::<bool>(), 100..5_000_u64), 20..150),
        takeovers in proptest::collection::vec((100..9_000_u64, 0..3_000_u64, -125..=125_i64), 0..4),
        limit in 3..25_u32,
        seed in any::<u64>(),
    ) {
        let mut world = World::new("batch_wait_ms = 0", windows(limit, 3, 1_000_000));
        world.others.plan = Box::new(unruly(seed));
        world.others.insist = true;
        let mut at_ms = 0;
        for (gap_ms, op, search, within_ms) in &asks {
            at_ms += gap_ms;
            let lane = if *op { Lane::Op } else { Lane::En };
            let price = if *search { &["search", "daily"][..] } else { ONE };
            world.ask_in(at_ms, wish(lane, price, *within_ms));
        }
        for n in 0..40 {
            world.publish(Lane::En, &note(&format!("n{n}"), &phone(n % 8), "x"));
            world.publish(Lane::Op, &call_ended(&format!("c{n}"), &phone(20 + n % 4)));
        }
        for (after_ms, gap_ms, error_ms) in takeovers {
            world.run_for(after_ms);
            world.crash(false);
            world.run_for(gap_ms);
            world.clock_error_ms = (error_ms, error_ms);
            world.take_over();
        }
        world.run_until_settled();
        prop_assert_eq!(&world.dead, &[]);
        // An owner that dies takes all asks with it; whoever insists is served by the next.
        world.run_until(3_600_000, |world| world.lent().len() == asks.len());
        world.run_for(60_000);
        prop_assert_eq!(world.lent().len(), asks.len());
    }
}
