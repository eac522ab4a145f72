//! Several workers and accounts under virtual time: leases, claims, moves and kills as in production, judged by the
//! oracle account by account.

use callflume_sim::scenario::Scenario;
use callflume_sim::virtual_run::{VirtualResult, run};

/// A lease, and what it takes to notice its end.
const UNOWNED_MS_MAX: u64 = 5_000 + 1_000;

fn scenario(text: &str, seed: u64) -> Scenario {
    let head = "name = \"fleet\"\nseed = 1\nwarm = true\n";
    let mut scenario = Scenario::parse(&format!("{head}{text}"), "fleet.toml").unwrap();
    scenario.seed = seed;
    scenario
}

/// Nothing lost, doubled, reordered or over the limit in any account; no account with two owners.
fn kept(text: &str, seed: u64) -> VirtualResult {
    let result = run(&scenario(text, seed), None).unwrap();
    assert!(result.drained, "seed {seed}: not settled in time");
    for account in &result.accounts {
        let effects = account.judgement.effects;
        let told: Vec<String> = account
            .judgement
            .details
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            (
                effects.lost,
                effects.doubled,
                effects.persons_doubled,
                effects.reordered,
                account.judgement.over_limit,
                account.overlaps,
            ),
            (0, 0, 0, 0, 0, 0),
            "seed {seed}, {}: {}",
            account.account,
            told.join("\n")
        );
    }
    result
}

/// Calls come twenty times as fast as in life, so that operational effects alone ask for all that the CRM allows.
const OVERLOAD: &str = r"
duration_s = 100
drain_s_max = 600
[calls]
concurrent = 150
compress = 20.0
[crm]
contacts = 400
share_percent = 100
[backlog]
enrichment = 500
[workers]
";

#[test]
fn owners_killed_every_twenty_seconds_lose_and_double_nothing() {
    for seed in [1, 2] {
        let text = format!("{OVERLOAD}count = 2\nkill_at_s = [20, 40, 60, 80]\n");
        let result = kept(&text, seed);
        assert_eq!(result.kills, 4);
        // The warm-up's worker, four kills, and newcomers that take over what is to be theirs.
        assert!(result.moves() >= 5, "{} moves", result.moves());
        let unowned_ms = result.unowned_ms_max().unwrap();
        assert!(unowned_ms <= UNOWNED_MS_MAX, "{unowned_ms} ms");
    }
}

/// Four workers whose clocks are off, with an owner that goes every fifteen seconds.
fn moving(clock_error_ms: u64, how: &str) -> String {
    format!(
        "{OVERLOAD}count = 4\nclock_error_ms = {clock_error_ms}\n{how} = [15, 30, 45, 60, 75, 90]\n"
    )
}

#[test]
fn moves_between_workers_whose_clocks_differ_exceed_no_limit() {
    for (seed, how) in [(1, "stop_at_s"), (2, "kill_at_s")] {
        let result = kept(&moving(125, how), seed);
        assert!(result.moves() >= 7, "{} moves", result.moves());
    }
}

#[test]
fn clocks_that_differ_by_more_than_is_promised_are_found_out() {
    let over_limit: u64 = [1, 2, 3]
        .into_iter()
        .map(|seed| {
            let result = run(&scenario(&moving(6_000, "stop_at_s"), seed), None).unwrap();
            result.judgement.over_limit
        })
        .sum();
    assert!(over_limit > 0, "no test here would see a wrong clock");
}

#[test]
fn workers_that_come_and_go_under_load_leave_no_account_alone() {
    let result = kept(
        r"
duration_s = 90
drain_s_max = 300
[calls]
concurrent = 3
[crm]
contacts = 20
[backlog]
enrichment = 40
[accounts]
count = 40
[workers]
count = 1
scale = [{ at_s = 20, count = 4 }, { at_s = 60, count = 1 }]
",
        1,
    );
    assert_eq!(result.accounts.len(), 40);
    // The warm-up's worker hands over forty, the newcomers get about three quarters and give them back.
    assert!(
        (80..=160).contains(&result.moves()),
        "{} moves",
        result.moves()
    );
    let unowned_ms = result.unowned_ms_max().unwrap();
    assert!(unowned_ms <= UNOWNED_MS_MAX, "{unowned_ms} ms");
}

#[test]
fn fleets_of_a_seed_repeat_byte_for_byte() {
    let text = r"
duration_s = 20
drain_s_max = 120
publish_twice = true
[calls]
concurrent = 5
[crm]
contacts = 20
[backlog]
enrichment = 20
[accounts]
count = 4
[workers]
count = 3
clock_error_ms = 125
kill_at_s = [4]
stop_at_s = [9]
scale = [{ at_s = 12, count = 2 }, { at_s = 15, count = 4 }]
";
    let mut digests = std::collections::BTreeSet::new();
    for seed in 1..=10 {
        let traced = || {
            let mut trace = Vec::new();
            let result = run(&scenario(text, seed), Some(&mut trace)).unwrap();
            (trace, result.trace.1)
        };
        let (first, second) = (traced(), traced());
        assert!(first.0.len() > 10_000);
        assert!(first == second, "the traces of seed {seed} differ");
        digests.insert(first.1);
    }
    assert_eq!(digests.len(), 10, "every seed has a run of its own");
}

#[test]
fn real_time_refuses_what_it_has_no_means_for() {
    let base = "duration_s = 20\n[calls]\nconcurrent = 5\n";
    assert!(scenario(base, 1).check_real_time().is_ok());
    for (field, more) in [
        ("accounts.count", "[accounts]\ncount = 2"),
        (
            "workers.scale",
            "[workers]\nscale = [{ at_s = 3, count = 2 }]",
        ),
        ("workers.stop_at_s", "[workers]\nstop_at_s = [3]"),
        ("workers.clock_error_ms", "[workers]\nclock_error_ms = 5"),
    ] {
        let refused = scenario(&format!("{base}{more}"), 1)
            .check_real_time()
            .unwrap_err();
        let text = refused.to_string();
        assert!(text.contains(field) && text.contains("--virtual"), "{text}");
    }
}

#[test]
fn changes_of_the_fleet_are_checked() {
    let base = "name = \"fleet\"\nseed = 1\nduration_s = 20\n[calls]\nconcurrent = 5\n";
    for (more, field) in [
        ("[accounts]\ncount = 0", "accounts.count"),
        ("[accounts]\ncount = 1001", "accounts.count"),
        (
            "[workers]\nscale = [{ at_s = 20, count = 2 }]",
            "workers.scale[0].at_s",
        ),
        (
            "[workers]\nscale = [{ at_s = 5, count = 2 }, { at_s = 5, count = 3 }]",
            "workers.scale[1].at_s",
        ),
        (
            "[workers]\nscale = [{ at_s = 5, count = 0 }]",
            "workers.scale[0].count",
        ),
        ("[workers]\nstop_at_s = [0]", "workers.stop_at_s[0]"),
        (
            "[workers]\nclock_error_ms = 60001",
            "workers.clock_error_ms",
        ),
    ] {
        let error = Scenario::parse(&format!("{base}{more}"), "x.toml").unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&format!("`{field}`")), "{text}");
    }
}
