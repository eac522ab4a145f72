//! Another application spends two fifths of the account's limit; only the headers show it.

use crate::gate::{PLAY, Play, run};

const S: u64 = 1_000_000;

/// Refused of ours, ours in all, taken of ours while there is a backlog, and what the other left us then.
fn shared(play: &Play) -> [f64; 4] {
    let outcome = run(Play {
        bulk: 6_000,
        op: (1.9, 450),
        headers: true,
        ..play.clone()
    });
    let (from, to) = (20 * S, 420 * S);
    let others = outcome
        .others
        .iter()
        .filter(|at| (from..to).contains(*at))
        .count();
    let most = 19.0 * 400.0;
    let left = (most - others as f64).min(most * f64::from(play.share_percent) / 100.0);
    let refused = outcome.refused.len() as f64;
    [
        refused,
        outcome.taken.len() as f64 + refused,
        outcome.taken_between(from, to) as f64,
        left,
    ]
}

/// Shares of what was refused and used, over many seeds; none is far off.
fn over_seeds(seeds: std::ops::Range<u64>, play: &Play) {
    let mut sum = [0.0; 4];
    for seed in seeds {
        let one = shared(&Play {
            seed,
            ..play.clone()
        });
        assert!(one[0] <= 0.002 * one[1], "seed {seed}: {one:?}");
        assert!(one[2] >= 0.945 * one[3], "seed {seed}: {one:?}");
        for (sum, one) in sum.iter_mut().zip(one) {
            *sum += one;
        }
    }
    let [refused, sent, taken, left] = sum;
    if std::env::var_os("FIGURES").is_some() {
        eprintln!(
            "refused {} %, used {} %",
            refused * 100.0 / sent,
            taken * 100.0 / left
        );
    }
    assert!(refused <= 0.001 * sent, "{refused} of {sent} refused");
    assert!(taken >= 0.95 * left, "{taken} of {left} used");
}

#[test]
fn what_another_leaves_is_used_and_hardly_anything_refused_when_it_comes_at_random() {
    let play = Play {
        others: (7.6, 1),
        ..PLAY
    };
    over_seeds(0..30, &play);
}

#[test]
fn and_when_it_comes_evenly() {
    let play = Play {
        others: (7.6, 1),
        others_even: true,
        ..PLAY
    };
    over_seeds(100..120, &play);
}

#[test]
fn what_the_share_leaves_to_others_costs_us_nothing() {
    let play = Play {
        others: (3.0, 1),
        share_percent: 80,
        ..PLAY
    };
    over_seeds(200..220, &play);
}
