//! Nothing unusual: a backlog and operational requests at random, the limit as published.

use crate::gate::{PLAY, Play, run};

#[test]
fn nothing_is_refused_urgent_work_does_not_wait_and_the_backlog_drains_at_nearly_the_limit() {
    for seed in 0..25 {
        let outcome = run(Play { seed, ..PLAY });
        assert!(outcome.refused.is_empty(), "seed {seed}");
        let count = outcome.taken.len() as f64;
        let ratio = outcome.end_us as f64 / 1e6 / ((count - 190.0) / 19.0);
        let p99 = outcome.op_percentile_us(99, |_| true);
        if std::env::var_os("FIGURES").is_some() {
            let max = outcome.op_percentile_us(100, |_| true);
            eprintln!("{seed}: op p99 {p99} max {max} us, drain {ratio:.4}");
        }
        assert!(p99 <= 60_000, "seed {seed}: {p99} us");
        assert!(ratio <= 1.04, "seed {seed}: {ratio}");
    }
}
