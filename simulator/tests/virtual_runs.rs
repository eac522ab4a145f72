//! Whole scenarios under virtual time: the same code as in the worker, judged by the same oracle.

use callflume_sim::report::Verdict;
use callflume_sim::scenario::Scenario;
use callflume_sim::virtual_run::{VirtualResult, run};

const BASE: &str = r#"
name = "virtual"
description = "200 concurrent calls, a backlog, one caller in five unknown."
seed = 1
duration_s = 60
drain_s_max = 120
warm = true
[calls]
concurrent = 200
[crm]
contacts = 1000
[backlog]
enrichment = 1000
"#;

fn scenario(changes: &str, seed: u64) -> Scenario {
    let mut table: toml::Table = BASE.parse().unwrap();
    for (name, value) in changes.parse::<toml::Table>().unwrap() {
        match (table.get_mut(&name), value) {
            (Some(toml::Value::Table(old)), toml::Value::Table(new)) => old.extend(new),
            (_, value) => {
                table.insert(name, value);
            }
        }
    }
    let mut scenario = Scenario::parse(&toml::to_string(&table).unwrap(), "virtual.toml").unwrap();
    scenario.seed = seed;
    scenario
}

fn judged(name: &str, changes: &str, seed: u64) -> VirtualResult {
    let scenario = scenario(changes, seed);
    let result = run(&scenario, None).unwrap();
    let summary = result.summary(&scenario, String::new());
    assert_eq!(
        summary.verdict,
        Verdict::Pass,
        "{name}, seed {seed}:\n{}",
        summary.render_text(false)
    );
    assert!(
        result.drained,
        "{name}, seed {seed}: not everything was settled in time"
    );
    result
}

#[test]
fn every_effect_is_applied_once_in_order_below_the_limit_whatever_happens() {
    for (name, changes) in [
        ("steady", "[slo]\nop_age_p99_ms = 2000.0"),
        (
            "killed three times, published twice",
            "publish_twice = true\n[workers]\nkill_at_s = [10, 25, 40]\n[slo]\ntakeover_ms = 8000.0",
        ),
        (
            "calls compressed 20 times",
            "drain_s_max = 600\n[calls]\ncompress = 20.0",
        ),
        (
            "answers lost after the CRM acted",
            "drain_s_max = 300\n[[crm.faults]]\nkind = \"execute_then_drop\"\npath_contains = \"/batch/\"\nskip = 3\ntimes = 6\n",
        ),
        (
            "the CRM fails for ten seconds",
            "drain_s_max = 300\n[[crm.faults]]\nkind = \"status\"\nstatus = 503\npath_contains = \"/crm/\"\nfrom_s = 20.0\nuntil_s = 30.0\n",
        ),
    ] {
        for seed in [1, 2] {
            judged(name, changes, seed);
        }
    }
}

#[test]
fn a_run_of_a_seed_repeats_byte_for_byte_and_another_seed_differs() {
    let changes = "duration_s = 30\n[calls]\nconcurrent = 60\n[workers]\nkill_at_s = [10]";
    let traced = |seed| {
        let mut trace = Vec::new();
        let result = run(&scenario(changes, seed), Some(&mut trace)).unwrap();
        (trace, result.trace)
    };
    let (first, second, other) = (traced(7), traced(7), traced(8));
    assert!(first.0.len() > 10_000);
    assert!(first == second, "the traces of one seed differ");
    assert!(first.1 != other.1);
}
