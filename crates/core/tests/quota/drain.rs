//! Working off a backlog: nearly as fast as the limit allows, with urgent work beside it that does not notice.

use callflume_core::lane::Lane;

use crate::sim::{Fate, NOON_MS, Sim, Wish, settings};

fn request(lane: Lane, gap_us: u64) -> Wish {
    Wish {
        gap_us,
        lane,
        search: false,
        trip_us: 20_000,
        back_us: 20_000,
        fate: Fate::Answered,
    }
}

/// `backlog` enrichment requests at once, operational ones at random beside it for `seconds`.
fn drain(backlog: usize, seconds: u64) -> Sim {
    let mut wishes = vec![request(Lane::En, 0); backlog];
    let mut state = 42_u64;
    let mut at_us = 0;
    while at_us < seconds * 1_000_000 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let gap_us = 1_000 + (state >> 33) % 2_000_000;
        at_us += gap_us;
        wishes.push(request(Lane::Op, gap_us));
    }
    let mut settings = settings((190, 4, 1_000_000), 10_000);
    settings.reserve = 3;
    let mut sim = Sim::new(settings, NOON_MS, 2_000);
    sim.wishes(&wishes);
    sim.run(7_200_000_000);
    assert!(sim.all_granted());
    sim
}

#[test]
fn a_backlog_drains_within_five_percent_of_the_optimum_and_urgent_work_waits_for_the_journal_at_most()
 {
    let mut sim = drain(10_000, 500);
    sim.check_door().unwrap();
    let requests = sim.grants.len() as f64;
    let took_s = sim.grants.iter().map(|(_, _, at)| *at).max().unwrap() as f64 / 1e6;
    // 190 at once, then 19 a second: no schedule is faster.
    let optimum_s = (requests - 190.0) / 19.0;
    assert!(
        took_s <= 1.05 * optimum_s,
        "{took_s} s, optimum {optimum_s} s"
    );
    let mut waits: Vec<u64> = sim
        .grants
        .iter()
        .filter(|(lane, ..)| *lane == Lane::Op)
        .map(|(_, wait, _)| *wait)
        .collect();
    waits.sort_unstable();
    let p99_us = waits[waits.len() * 99 / 100];
    assert!(p99_us <= 5_000, "{p99_us} us of {} waits", waits.len());
}

#[test]
fn a_small_backlog_drains_at_the_windows_rate_from_the_start() {
    let sim = drain(2_000, 1);
    let took_s = sim.grants.iter().map(|(_, _, at)| *at).max().unwrap() as f64 / 1e6;
    // Ten full windows and a bit: 100 s for whoever spends each at its beginning and leaves urgent work nothing.
    // Spread evenly it is 2,000 / 19.
    assert!(took_s <= 1.05 * 2_000.0 / 19.0, "{took_s} s");
}

#[test]
fn overloaded_by_urgent_work_every_tenth_grant_is_enrichments() {
    let mut wishes = vec![request(Lane::En, 0); 500];
    wishes.extend(vec![request(Lane::Op, 1_000); 2_000]);
    let mut sim = Sim::new(settings((19, 4, 1_000_000), 1_000), NOON_MS, 1_000);
    sim.wishes(&wishes);
    sim.run(60_000_000);
    let share = sim
        .grants
        .iter()
        .filter(|(lane, ..)| *lane == Lane::En)
        .count() as f64
        / sim.grants.len() as f64;
    assert!((0.05..0.2).contains(&share), "{share}");
}
