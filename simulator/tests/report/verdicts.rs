//! From what was measured to verdict and exit code.

use callflume_sim::report::{
    BlockRatio, EXIT_ENVIRONMENT, EXIT_MISSED, EXIT_PASS, EXIT_UNFIT, EXIT_USAGE, STALLS_PCT_MAX,
    Summary, Verdict, exit_code,
};

use crate::{Case, histogram};

fn missed(summary: &Summary) -> Vec<&str> {
    summary
        .slo
        .iter()
        .filter(|row| !row.pass)
        .map(|row| row.name.as_ref())
        .collect()
}

#[test]
fn one_thing_changed_in_a_good_run_gives_this_verdict() {
    type Change = fn(&mut Case);
    let cases: [(&str, Change, Verdict, &[&str]); 15] = [
        ("nothing", |_| {}, Verdict::Pass, &[]),
        (
            "lost",
            |it| it.judgement.effects.lost = 1,
            Verdict::Fail,
            &["lost"],
        ),
        (
            "doubled",
            |it| it.judgement.effects.doubled = 1,
            Verdict::Fail,
            &["doubled"],
        ),
        (
            "persons doubled",
            |it| it.judgement.effects.persons_doubled = 1,
            Verdict::Fail,
            &["persons_doubled"],
        ),
        (
            "reordered",
            |it| it.judgement.effects.reordered = 1,
            Verdict::Fail,
            &["reordered"],
        ),
        (
            "over limit",
            |it| it.judgement.over_limit = 1,
            Verdict::Fail,
            &["over_limit"],
        ),
        (
            "throttled",
            |it| it.judgement.throttled = 1,
            Verdict::Fail,
            &["throttled"],
        ),
        (
            "dead",
            |it| it.judgement.effects.dead = 1,
            Verdict::Fail,
            &["dead"],
        ),
        (
            "dead, allowed",
            |it| {
                it.judgement.effects.dead = 1;
                it.scenario.slo.dead_max = Some(1);
            },
            Verdict::Pass,
            &[],
        ),
        (
            "not acknowledged",
            |it| it.judgement.events_acked -= 1,
            Verdict::Fail,
            &["unacked"],
        ),
        (
            "slow publish on a fit machine",
            |it| it.publish_us = Some(histogram([200, 1_400])),
            Verdict::Fail,
            &["publish_p99_ms"],
        ),
        (
            "slower than a bare publish in most blocks, on a machine that can judge the latency itself",
            |it| {
                let block = BlockRatio { p50: 1.3, p99: 1.4 };
                it.baseline.as_mut().unwrap().blocks = vec![block; 3];
            },
            Verdict::Pass,
            &[],
        ),
        (
            "old operational effects",
            |it| it.judgement.ages.op = histogram([2_500]),
            Verdict::Fail,
            &["op_age_p99_ms"],
        ),
        (
            "late takeover",
            |it| it.workers.as_mut().unwrap().takeover_ms_max = Some(9_000.0),
            Verdict::Fail,
            &["takeover_ms"],
        ),
        (
            "large worker",
            |it| it.workers.as_mut().unwrap().rss_mb_max = Some(65.0),
            Verdict::Fail,
            &["worker_rss_mb"],
        ),
    ];
    for (what, change, verdict, names) in cases {
        let mut case = Case::good();
        change(&mut case);
        let summary = case.summary();
        assert_eq!(
            (summary.verdict, missed(&summary)),
            (verdict, names.to_vec()),
            "{what}"
        );
    }
}

#[test]
fn an_unfit_machine_never_passes_latency_and_never_excuses_anything_else() {
    let summary = Case::unfit().summary();
    assert!(!summary.fitness.fit);
    assert_eq!(
        (summary.verdict, missed(&summary)),
        (Verdict::Unfit, vec!["publish_p99_ms"])
    );

    // Stalls alone make it unfit, even when every objective holds.
    let mut stalled = Case::good();
    stalled.baseline.as_mut().unwrap().stalls_pct = STALLS_PCT_MAX + 0.1;
    let summary = stalled.summary();
    assert_eq!(
        (summary.verdict, missed(&summary)),
        (Verdict::Unfit, vec![])
    );

    // What doesn't depend on the machine's speed is judged all the same.
    assert_eq!(Case::unfit().with_loss().summary().verdict, Verdict::Fail);
    let mut slower = Case::unfit();
    let block = BlockRatio { p50: 2.0, p99: 2.0 };
    slower.baseline.as_mut().unwrap().blocks = vec![block];
    assert_eq!(slower.summary().verdict, Verdict::Fail);

    // Without objectives of latency there is nothing the machine could spoil.
    let mut correctness_only = Case::unfit();
    correctness_only.scenario.slo = callflume_sim::scenario::Slo::default();
    assert_eq!(correctness_only.summary().verdict, Verdict::Pass);
}

#[test]
fn what_was_to_be_measured_and_wasnt_fails() {
    let mut case = Case::unfit();
    case.workers = None;
    let summary = case.summary();
    assert_eq!(summary.verdict, Verdict::Fail);
    assert!(missed(&summary).contains(&"takeover_ms"));
    let mut unmeasured = Case::good();
    unmeasured.baseline = None;
    let summary = unmeasured.summary();
    assert!(!summary.fitness.fit);
    assert_eq!(missed(&summary), ["publish_ratio_max"]);
}

#[test]
fn virtual_time_is_judged_by_what_it_can_measure() {
    let summary = Case::virtual_time().summary();
    assert_eq!(summary.verdict, Verdict::Pass);
    let names: Vec<&str> = summary.slo.iter().map(|row| row.name.as_ref()).collect();
    assert_eq!(
        names,
        [
            "lost",
            "doubled",
            "persons_doubled",
            "reordered",
            "over_limit",
            "throttled",
            "dead",
            "unacked",
            "op_age_p99_ms"
        ]
    );
    assert_eq!(
        Case::virtual_time().with_loss().summary().verdict,
        Verdict::Fail
    );
}

#[test]
fn exit_codes() {
    assert_eq!(
        [
            EXIT_PASS,
            EXIT_USAGE,
            EXIT_ENVIRONMENT,
            EXIT_UNFIT,
            EXIT_MISSED
        ],
        [0, 2, 3, 98, 99]
    );
    for (verdict, require_fit, code) in [
        (Verdict::Pass, false, 0),
        (Verdict::Pass, true, 0),
        (Verdict::Unfit, false, 0),
        (Verdict::Unfit, true, 98),
        (Verdict::Fail, false, 99),
        (Verdict::Fail, true, 99),
    ] {
        assert_eq!(
            exit_code(verdict, require_fit),
            code,
            "{verdict:?} {require_fit}"
        );
    }
}
