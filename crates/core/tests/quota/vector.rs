//! Windows of every kind side by side: slots, tokens, 24 hours rolling; and what headers and refusals do to them.

use callflume_core::lane::Lane;
use callflume_core::quota::{Grant, Limiter, PermitId, Quota, Settings, Settlement};
use callflume_core::record::JournalRecord;
use callflume_core::time::{BrokerTime, Now, Tick, WallTime};
use callflume_core::vendor::{Charge, Observation, WindowSpec};

use crate::sim::NOON_MS;

const DAY_MS: u64 = 86_400_000;
const FIRST: &[Charge] = &[Charge::one(0)];
const BOTH: &[Charge] = &[Charge::one(0), Charge::one(1)];
const DEAR: &[Charge] = &[
    Charge::one(0),
    Charge {
        window: 1,
        cost: 20,
    },
];
const CHEAP: &[Charge] = &[Charge::one(0), Charge { window: 1, cost: 5 }];

fn at(ms: u64) -> Now {
    Now {
        tick: Tick(ms),
        broker: BrokerTime(NOON_MS + ms as i64),
        wall: WallTime(NOON_MS + ms as i64),
    }
}

fn quota(windows: Vec<WindowSpec>, record: Option<&JournalRecord>, now: Now) -> Quota {
    let settings = Settings {
        windows,
        share_percent: 100,
        reserve: 2,
        floor_op_percent: 10,
        request_timeout_ms: 3_000,
        time_zone: "UTC".to_owned(),
    };
    Quota::new(settings, now, record)
}

/// Asks, with the journal written at once; the record goes into `stored`.
fn ask_storing(
    quota: &mut Quota,
    now: Now,
    charges: &'static [Charge],
    stored: &mut Option<JournalRecord>,
) -> Grant {
    let grant = quota.ask(now, Lane::Op, charges);
    if grant != Grant::Unwritten {
        return grant;
    }
    if let Some(record) = quota.journal_due(now, Some(charges)) {
        *stored = Some(record);
        quota.journaled(now, true);
    }
    quota.ask(now, Lane::Op, charges)
}

fn ask(quota: &mut Quota, now: Now, charges: &'static [Charge]) -> Grant {
    ask_storing(quota, now, charges, &mut None)
}

fn granted(quota: &mut Quota, now: Now, charges: &'static [Charge]) -> PermitId {
    match ask(quota, now, charges) {
        Grant::Granted(permit) => permit,
        other => panic!("{other:?}"),
    }
}

#[test]
fn slots_are_free_again_once_their_requests_have_ended_and_a_late_one_keeps_its_slot() {
    let windows = vec![
        WindowSpec::rolling("window", 1_000, 10_000),
        WindowSpec::slots("slots", 2),
    ];
    let mut quota = quota(windows, None, at(0));
    for round in 0..20 {
        let now = at(round);
        let first = granted(&mut quota, now, BOTH);
        let second = granted(&mut quota, now, BOTH);
        assert_eq!(
            ask(&mut quota, now, BOTH),
            Grant::Wait {
                until: None,
                window: "slots"
            }
        );
        // What doesn't need a slot goes.
        let third = granted(&mut quota, now, FIRST);
        for permit in [first, second, third] {
            quota.settle(now, permit, Settlement::Answered);
        }
    }
    let late = granted(&mut quota, at(100), BOTH);
    let other = granted(&mut quota, at(100), BOTH);
    quota.settle(at(100), late, Settlement::Unanswered);
    quota.settle(at(100), other, Settlement::Unanswered);
    let Grant::Wait {
        until: Some(until),
        window: "slots",
    } = ask(&mut quota, at(100), BOTH)
    else {
        panic!("it may still be at work there");
    };
    assert!(until >= Tick(1_100), "{until:?}");
    granted(&mut quota, at(until.0), BOTH);
}

#[test]
fn tokens_are_spent_by_their_price_and_all_windows_grant_or_none_does() {
    let windows = vec![
        WindowSpec::rolling("burst", 3, 2_000),
        WindowSpec::day("tokens", 50).in_tokens(),
    ];
    let mut quota = quota(windows, None, at(0));
    let mut open = Vec::new();
    for charges in [DEAR, DEAR, CHEAP] {
        open.push(granted(&mut quota, at(0), charges));
    }
    assert_eq!(quota.usage(at(0)), [("burst", 3, 3), ("tokens", 45, 50)]);
    for permit in open {
        quota.settle(at(40), permit, Settlement::Answered);
    }
    // Five are left, which is too little for a search; the burst window is not touched by the refusal.
    let now = at(3_000);
    let midnight = Tick(12 * 3_600_000);
    assert_eq!(
        ask(&mut quota, now, DEAR),
        Grant::Wait {
            until: Some(midnight),
            window: "tokens"
        }
    );
    assert_eq!(quota.usage(now)[0], ("burst", 0, 3));
    let permit = granted(&mut quota, now, CHEAP);
    quota.settle(now, permit, Settlement::NotSent);
    assert_eq!(quota.usage(now)[1], ("tokens", 45, 50));
    granted(&mut quota, at(midnight.0), DEAR);
}

#[test]
fn twenty_four_hours_hold_over_days_and_owners_in_a_journal_that_stays_small() {
    let limit = 700;
    let windows = || vec![WindowSpec::rolling("daily_api", limit, DAY_MS)];
    let mut stored: Option<JournalRecord> = None;
    let mut engine = quota(windows(), None, at(0));
    let mut sent: Vec<u64> = Vec::new();
    let mut now_ms = 0;
    let mut longest = 0;
    while now_ms < 3 * DAY_MS {
        now_ms += 61_000;
        let now = at(now_ms);
        if now_ms / 1_000 % 5_003 < 61 {
            // A new owner knows what the stored journal says.
            engine = quota(windows(), stored.as_ref(), now);
        }
        if let Grant::Granted(permit) = ask_storing(&mut engine, now, FIRST, &mut stored) {
            sent.push(now_ms);
            let answered = at(now_ms + 40);
            engine.settle(answered, permit, Settlement::Answered);
            // The shell asks when it is told to.
            while let Some(wake) = engine.journal_wake() {
                let then = at(wake.0.max(now_ms));
                if let Some(record) = engine.journal_due(then, None) {
                    engine.journaled(then, true);
                    stored = Some(record);
                }
            }
        }
        longest = longest.max(stored.as_ref().map_or(0, |record| record.blocks.len()));
    }
    for (first, next) in sent.iter().zip(sent.iter().skip(limit as usize)) {
        assert!(next - first >= DAY_MS, "{first} {next}");
    }
    // All but what a successor counts a step (five minutes) too long.
    assert!(sent.len() >= 2_000, "{}", sent.len());
    assert!(longest <= 300, "{longest} blocks in the journal");
}

fn told(limit: u32, remaining: u32) -> [Observation; 1] {
    [Observation {
        window: 0,
        limit: Some(limit),
        remaining: Some(remaining),
        resets_in_ms: None,
    }]
}

#[test]
fn a_lower_limit_in_a_header_counts_at_once_and_a_higher_one_never_beyond_ours() {
    let mut quota = quota(
        vec![WindowSpec::rolling("window", 100, 10_000)],
        None,
        at(0),
    );
    for (limit, allowed) in [(50, 50), (190, 100), (20, 20)] {
        let permit = granted(&mut quota, at(0), FIRST);
        let used = quota.in_flight() as u32;
        quota.observe(at(40), permit, &told(limit, limit - used));
        assert_eq!(quota.usage(at(40))[0].2, allowed, "{limit}");
    }
}

#[test]
fn what_a_day_has_seen_of_others_counts_and_midnight_forgets_it() {
    let mut quota = quota(vec![WindowSpec::day("daily", 100)], None, at(0));
    let permit = granted(&mut quota, at(0), FIRST);
    quota.observe(at(40), permit, &told(100, 3));
    quota.settle(at(40), permit, Settlement::Answered);
    assert_eq!(quota.usage(at(40))[0], ("daily", 97, 100));
    let midnight = 12 * 3_600_000;
    assert_eq!(quota.usage(at(midnight))[0], ("daily", 0, 100));
    // The CRM's clock is a little behind: what it says is of the day before.
    let permit = granted(&mut quota, at(midnight + 1_000), FIRST);
    quota.observe(at(midnight + 1_040), permit, &told(100, 2));
    assert_eq!(quota.usage(at(midnight + 1_040))[0], ("daily", 1, 100));
}

#[test]
fn after_a_refusal_nothing_leaves_before_the_crms_own_hint_and_then_one_goes_ahead() {
    let mut quota = quota(
        vec![WindowSpec::rolling("window", 100, 10_000)],
        None,
        at(0),
    );
    let permit = granted(&mut quota, at(0), FIRST);
    quota.throttled(at(40), permit, "window", Some(2_500));
    quota.settle(at(40), permit, Settlement::Answered);
    assert_eq!(
        ask(&mut quota, at(50), FIRST),
        Grant::Wait {
            until: Some(Tick(10_040)),
            window: "window"
        },
        "the one level that is left is taken until the span is over"
    );
    let then = at(10_041);
    let probe = granted(&mut quota, then, FIRST);
    let waits = Grant::Wait {
        until: None,
        window: "window",
    };
    assert_eq!(ask(&mut quota, then, FIRST), waits);
    quota.settle(then, probe, Settlement::NotSent);
    let probe = granted(&mut quota, then, FIRST);
    assert_eq!(ask(&mut quota, then, FIRST), waits);
    quota.settle(at(10_080), probe, Settlement::Answered);
    granted(&mut quota, at(10_081), FIRST);
}

#[test]
fn resuming_ends_the_pause_of_a_window_too() {
    let mut quota = quota(vec![WindowSpec::rolling("window", 100, 1_000)], None, at(0));
    let permit = granted(&mut quota, at(0), FIRST);
    quota.throttled(at(40), permit, "window", Some(600_000));
    quota.settle(at(40), permit, Settlement::Answered);
    assert!(matches!(
        ask(&mut quota, at(2_000), FIRST),
        Grant::Wait { .. }
    ));
    quota.resume();
    granted(&mut quota, at(2_000), FIRST);
}

#[test]
fn while_a_write_that_failed_rests_nobody_is_woken_for_the_end_of_a_block() {
    let mut quota = quota(
        vec![WindowSpec::rolling("requests", 100, 10_000)],
        None,
        at(0),
    );
    let granted = ask_storing(&mut quota, at(0), FIRST, &mut None);
    assert!(matches!(granted, Grant::Granted(_)));
    // A pause is written a second later, which fails just before the block's two seconds are over.
    quota.pause(at(890).tick);
    assert_eq!(quota.journal_due(at(890), None), None);
    assert_eq!(quota.journal_wake(), Some(at(1_890).tick));
    assert!(quota.journal_due(at(1_890), None).is_some());
    quota.journaled(at(1_892), false);
    let again_ms = 1_892 + 250;
    for now_ms in [1_892, 2_000, 2_050] {
        assert_eq!(quota.journal_due(at(now_ms), None), None);
        assert_eq!(quota.journal_wake(), Some(at(again_ms).tick), "{now_ms}");
    }
}
