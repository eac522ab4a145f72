//! The outbound dialler: what it places on which advice, and what that is worth when a day's quota is too small.

use std::collections::BTreeSet;
use std::path::Path;

use callflume_core::quota::Advice;
use callflume_sim::hubspot::{HubSpot, SeededContact};
use callflume_sim::oracle::{PublishOutcome, Published};
use callflume_sim::scenario::Scenario;
use callflume_sim::traffic::{Dialler, Direction, Plan};
use callflume_sim::virtual_run::{VirtualResult, run};

/// Longest age of an operational effect while the quota lasts, milliseconds: service, lookups and searches in turn.
const AT_ONCE_MS: u64 = 10_000;

fn day_limit(dialler: bool, daily_limit: u32) -> Scenario {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../loadtests/day-limit.toml");
    let mut scenario = Scenario::read(&file).unwrap_or_else(|error| panic!("{error}"));
    scenario.calls.dialler = dialler;
    scenario.crm.daily_limit = Some(daily_limit);
    // Enrichment waits for midnight whatever the dialler does; without it, a run ends when its calls do.
    let mix = &mut scenario.calls.mix;
    for share in [
        &mut mix.note_share,
        &mut mix.transcript_share,
        &mut mix.sentiment_share,
        &mut mix.recording_share,
        &mut mix.enriched_share,
        &mut mix.analytics_share,
    ] {
        *share = 0.0;
    }
    scenario.crm.contacts = 500;
    scenario
}

fn traced(scenario: &Scenario) -> (VirtualResult, String) {
    let mut trace = Vec::new();
    let result = run(scenario, Some(&mut trace)).unwrap();
    (result, String::from_utf8(trace).unwrap())
}

fn advised(trace: &str, advice: Advice) -> bool {
    trace.contains(&format!("Advised {{ advice: {advice:?},"))
}

fn calls(plan: &Plan, direction: Direction) -> usize {
    let calls = plan.calls.iter();
    calls.filter(|call| call.direction == direction).count()
}

#[test]
fn a_day_too_small_runs_out_without_an_obedient_dialler_and_lasts_for_callers_with_one() {
    let (without, trace) = traced(&day_limit(false, 2_000));
    assert!(advised(&trace, Advice::Slow) && advised(&trace, Advice::Stop));
    assert_eq!(without.not_dialled(), 0);
    // What was left over had to wait for midnight.
    assert!(without.judgement.ages.op.max() > 3_600_000);

    let (with, trace) = traced(&day_limit(true, 2_000));
    assert!(advised(&trace, Advice::Slow));
    assert!(with.not_dialled() > 0);
    let [inbound, outbound] =
        [Direction::Inbound, Direction::Outbound].map(|direction| calls(&with.plan, direction));
    assert_eq!(inbound, calls(&without.plan, Direction::Inbound));
    assert_eq!(
        outbound as u64 + with.not_dialled(),
        calls(&without.plan, Direction::Outbound) as u64
    );
    let worst_ms = with.judgement.ages.op.max();
    assert!(worst_ms <= AT_ONCE_MS, "{worst_ms}");

    for result in [&without, &with] {
        let judgement = &result.judgement;
        assert!(result.drained);
        assert_eq!(judgement.throttled, 0, "no refusal for the day");
        assert_eq!(judgement.events_unacked(), 0);
        assert_eq!(judgement.findings, 0, "{:?}", judgement.details);
    }
}

#[test]
fn a_run_with_a_dialler_is_repeated_byte_for_byte_and_reports_what_was_not_dialled() {
    let scenario = day_limit(true, 4_000);
    let (first, trace) = traced(&scenario);
    let (second, again) = traced(&scenario);
    assert!(first.not_dialled() > 0);
    assert!(trace == again, "two runs of a seed differ");
    let summaries = [&first, &second].map(|run| run.summary(&scenario, String::new()));
    assert_eq!(summaries[0], summaries[1]);
    assert_eq!(summaries[0].calls.not_dialled, Some(first.not_dialled()));

    let deaf = day_limit(false, 4_000);
    let summary = traced(&deaf).0.summary(&deaf, String::new());
    assert_eq!(summary.calls.not_dialled, None);
    assert_ne!(summary.plan_digest, summaries[0].plan_digest);
}

fn plan() -> Plan {
    let scenario = Scenario::parse(
        "name = \"x\"\nseed = 4\nduration_s = 120\n[calls]\nconcurrent = 60\noutbound_share = 0.5\n[crm]\ncontacts = 200\n[backlog]\nenrichment = 20\n",
        "x.toml",
    )
    .unwrap_or_else(|error| panic!("{error}"));
    let contacts = HubSpot::new(scenario.hubspot_config())
        .unwrap()
        .seed_contacts(scenario.crm.contacts, scenario.seed)
        .unwrap();
    let known: Vec<_> = contacts.iter().map(SeededContact::named).collect();
    Plan::generate(&scenario, &"acme".parse().unwrap(), 0, &known).unwrap()
}

#[test]
fn each_advice_places_its_share_of_the_outbound_calls_that_begin_under_it() {
    let plan = plan();
    let begins = |place: usize| {
        plan.calls[place].direction == Direction::Outbound && plan.calls[place].start_ms >= 0
    };
    let outbound: Vec<usize> = (0..plan.calls.len())
        .filter(|place| begins(*place))
        .collect();
    assert!(outbound.len() > 10);
    let every_second: BTreeSet<usize> = outbound.iter().skip(1).step_by(2).copied().collect();
    for (advice, expected) in [
        (None, BTreeSet::new()),
        (Some(Advice::Ok), BTreeSet::new()),
        (Some(Advice::Slow), every_second),
        (Some(Advice::Stop), outbound.iter().copied().collect()),
    ] {
        let mut dialler = Dialler::new(&plan);
        if let Some(advice) = advice {
            dialler.hear(advice);
        }
        for place in 0..plan.calls.len() {
            dialler.takes_place(place);
        }
        assert_eq!(dialler.not_dialled(), expected, "{advice:?}");
        // Nobody on the line is cut off by what is heard later, and nobody called afterwards.
        let placed: Vec<bool> = (0..plan.calls.len())
            .map(|place| dialler.takes_place(place))
            .collect();
        for later in [Advice::Stop, Advice::Ok] {
            dialler.hear(later);
            for (place, placed) in placed.iter().enumerate() {
                assert_eq!(dialler.takes_place(place), *placed, "{advice:?} {later:?}");
            }
        }
    }
}

#[test]
fn a_plan_carried_out_is_the_plan_without_what_was_not_dialled() {
    let plan = plan();
    let mut dialler = Dialler::new(&plan);
    dialler.hear(Advice::Stop);
    let mut published = Vec::new();
    for event in plan.all() {
        if event
            .call_index
            .is_none_or(|call| dialler.takes_place(call))
        {
            published.push(Published {
                index: event.index,
                outcome: PublishOutcome::Stored { at_ms: event.at_ms },
            });
        }
    }
    let gone = dialler.not_dialled();
    let events_before = plan.len();
    let (carried_out, told) = dialler.carried_out(plan.clone(), published.clone());
    assert!(!gone.is_empty() && carried_out.len() < events_before);
    assert_eq!(carried_out.calls.len() + gone.len(), plan.calls.len());
    assert_eq!(told.len(), carried_out.len());
    for ((place, event), (told, before)) in carried_out
        .all()
        .enumerate()
        .zip(told.iter().zip(&published))
    {
        assert_eq!((event.index, told.index), (place, place));
        let original = plan.get(before.index).unwrap();
        assert_eq!(event.event, original.event);
        let call_id =
            |plan: &Plan, call: Option<usize>| call.map(|call| plan.calls[call].call_id.clone());
        assert_eq!(
            call_id(&carried_out, event.call_index),
            call_id(&plan, original.call_index)
        );
    }
}
