//! The CRM halves its limit for a minute without saying so, or cuts it by another measure.

use crate::gate::{Outcome, PLAY, Play, run};

const S: u64 = 1_000_000;
const FROM: u64 = 120 * S;
const UNTIL: u64 = 180 * S;

fn halved(play: Play) {
    let seed = play.seed;
    let outcome = run(Play {
        limits: vec![(0, 190), (FROM, 95), (UNTIL, 190)],
        ..play
    });
    let first = outcome.refused.first().copied().unwrap_or(u64::MAX);
    let at_change = outcome
        .refused
        .iter()
        .filter(|at| **at < first + 2 * S)
        .count();
    let later: Vec<u64> = outcome
        .refused
        .iter()
        .copied()
        .filter(|at| *at >= first + 2 * S)
        .collect();
    let beside = |at: u64| !(FROM..FROM + 12 * S).contains(&at);
    let p99 = outcome.op_percentile_us(99, beside);
    let max = outcome.op_percentile_us(100, |_| true);
    let lowered = outcome.taken_between(FROM + 15 * S, UNTIL);
    let full = outcome.taken_between(UNTIL + 25 * S, UNTIL + 55 * S);
    if std::env::var_os("FIGURES").is_some() {
        eprintln!(
            "{seed}: {at_change} + {later:?}, op p99 {p99} max {max}, lowered {lowered} of 427, full {full} of 570, end {}",
            outcome.end_us / S
        );
    }
    assert!(
        first >= FROM,
        "seed {seed}: refused before the change, {first}"
    );
    assert!(at_change <= 3, "seed {seed}: {:?}", outcome.refused);
    assert!(
        Outcome::most_within(&later, 10 * S) <= 1,
        "seed {seed}: {:?}",
        outcome.refused
    );
    assert!(
        outcome.refused.iter().all(|at| *at < UNTIL + S),
        "seed {seed}: {:?}",
        outcome.refused
    );
    assert!(p99 <= S, "seed {seed}: {p99} us");
    assert!(max <= 12 * S, "seed {seed}: {max} us");
    assert!(lowered >= 400, "seed {seed}: {lowered} of 427");
    assert!(full >= 555, "seed {seed}: {full} of 570");
}

#[test]
fn a_halved_limit_is_learnt_at_once_and_its_return_within_25_seconds() {
    for seed in 0..40 {
        halved(Play { seed, ..PLAY });
    }
}

#[test]
fn also_when_refused_requests_count() {
    for seed in 100..120 {
        halved(Play {
            seed,
            refusals_count: true,
            ..PLAY
        });
    }
}

#[test]
fn also_when_headers_tell() {
    for seed in 200..220 {
        halved(Play {
            seed,
            headers: true,
            ..PLAY
        });
    }
}

#[test]
fn a_cut_of_any_size_is_found_with_few_refusals_and_nothing_waits_long() {
    for (seed, limit) in [(300, 150), (301, 114), (302, 57), (303, 30), (304, 10)] {
        let outcome = run(Play {
            seed,
            limits: vec![(0, 190), (FROM, limit), (UNTIL, 190)],
            ..PLAY
        });
        // In the minute: those at the change, a few while it is searched, then one per ten seconds.
        assert!(
            outcome.refused.len() <= 12,
            "{limit}: {:?}",
            outcome.refused
        );
        let used = outcome.taken_between(FROM + 30 * S, UNTIL);
        assert!(
            used >= limit as usize * 3 * 80 / 100,
            "{limit}: {used} in 30 s"
        );
        let full = outcome.taken_between(UNTIL + 30 * S, UNTIL + 60 * S);
        assert!(full >= 540, "{limit}: {full} of 570");
    }
}
