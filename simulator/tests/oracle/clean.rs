//! Runs without a defect.

use callflume_core::lane::Lane;
use callflume_sim::oracle::{PublishOutcome, Published};
use callflume_sim::traffic::PlannedEvent;

use crate::writer::{Run, WRITE_AFTER_MS};

#[test]
fn a_faithful_run_is_clean_and_every_effect_is_accounted_for() {
    let run = Run::written();
    let judgement = run.judge();
    let effects = judgement.effects;
    assert_eq!(judgement.findings, 0, "{:?}", judgement.details);
    assert_eq!(judgement.events_acked, run.plan.len() as u64);
    let planned: usize = run.plan.all().map(|event| event.expect.len()).sum();
    assert_eq!(effects.expected, planned as u64);
    assert_eq!(
        effects.applied + effects.merged + effects.superseded,
        effects.expected
    );
    // Somebody who opts out twice within a second: the second changes nothing.
    assert!(effects.merged + effects.superseded <= effects.expected / 20);
    assert_eq!(judgement.over_limit + judgement.throttled, 0);
    assert!(judgement.writes_per_request() > 0.5);
}

#[test]
fn ages_run_from_the_planned_instant_to_the_write_and_leave_the_backlog_out() {
    let run = Run::written();
    let judgement = run.judge();
    // A request a millisecond after the one before, so a burst of them comes a little later.
    for ages in [&judgement.ages.op, &judgement.ages.en] {
        assert!(ages.min() >= WRITE_AFTER_MS as u64);
        assert!(ages.max() < WRITE_AFTER_MS as u64 + 150, "{}", ages.max());
    }
    let not_backlog: usize = run.plan.events.iter().map(|event| event.expect.len()).sum();
    let recorded = judgement.ages.op.len() + judgement.ages.en.len();
    assert!(recorded <= not_backlog as u64 && recorded > not_backlog as u64 / 2);
    assert!(
        judgement
            .backlog_done_ms
            .is_some_and(|done| done >= WRITE_AFTER_MS)
    );
}

#[test]
fn what_a_newer_value_of_the_lane_took_the_place_of_is_merged() {
    let (older, _) = Run::new().last_two("analytics_rolled_up");
    let clean = Run::written().judge().effects;
    let judgement = Run::written_without(&[older.index]).judge();
    assert_eq!(judgement.findings, 0, "{:?}", judgement.details);
    assert_eq!(judgement.effects.merged, clean.merged + 1);
    assert_eq!(judgement.effects.applied, clean.applied - 1);
}

#[test]
fn what_a_newer_value_of_the_other_lane_took_the_place_of_is_superseded() {
    let plan = Run::new().plan;
    let topic = |event: &&PlannedEvent, lane| {
        event.lane == lane
            && event.expect.len() == 1
            && event.event.body.len() == 1
            && event
                .event
                .body
                .get("properties")
                .is_some_and(|it| it.get("voice_topic").is_some())
    };
    // The newest topic of somebody is from a call, and an enrichment before it has another one.
    let older = plan
        .all()
        .filter(|event| topic(event, Lane::En))
        .find(|en| {
            let later: Vec<&PlannedEvent> = plan
                .all()
                .filter(|event| {
                    event.index > en.index && event.event.contact.phone == en.event.contact.phone
                })
                .filter(|event| topic(event, Lane::Op) || topic(event, Lane::En))
                .collect();
            !later.is_empty() && later.iter().all(|event| event.lane == Lane::Op)
        });
    let older = older.expect("the plan has such an enrichment").index;
    let clean = Run::written().judge().effects;
    let judgement = Run::written_without(&[older]).judge();
    assert_eq!(judgement.findings, 0, "{:?}", judgement.details);
    assert_eq!(judgement.effects.superseded, clean.superseded + 1);
    assert_eq!(judgement.effects.applied, clean.applied - 1);
}

#[test]
fn only_acknowledged_events_are_expected_and_unknown_ones_explain_what_is_there() {
    let mut run = Run::written();
    let note = run.event("note_added", |_| true);
    for outcome in [PublishOutcome::Unknown, PublishOutcome::Failed] {
        run.published[note.index].outcome = outcome;
        let judgement = run.judge();
        assert_eq!(judgement.findings, 0);
        assert_eq!(judgement.events_unacked(), 1);
    }
    // Not written either: still nothing lost.
    let mut run = Run::written_without(&[note.index]);
    run.published[note.index].outcome = PublishOutcome::Unknown;
    assert_eq!(run.judge().findings, 0);
    // Told only that it is a duplicate: acknowledged.
    run.published[note.index].outcome = PublishOutcome::Duplicate;
    assert_eq!(run.judge().effects.lost, 1);
}

#[test]
fn an_event_published_twice_is_one_event() {
    let mut run = Run::written();
    let once = run.judge();
    let again: Vec<Published> = run
        .published
        .iter()
        .map(|told| Published {
            index: told.index,
            outcome: PublishOutcome::Duplicate,
        })
        .collect();
    run.published.extend(again);
    assert_eq!(run.judge(), once);
}

#[test]
fn an_update_of_a_record_that_was_never_handed_over_is_owed_by_nobody() {
    let plan = Run::new().plan;
    let sentiment = plan
        .events
        .iter()
        .find(|event| event.event.kind == "sentiment_tagged")
        .unwrap();
    let of_call: Vec<usize> = plan
        .events
        .iter()
        .filter(|event| {
            event.event.call_id == sentiment.event.call_id
                && ["call_ended", "sentiment_tagged", "recording_ready"]
                    .contains(&event.event.kind.as_str())
        })
        .map(|event| event.index)
        .collect();
    let ended = *of_call.first().unwrap();
    let mut run = Run::written_without(&of_call);
    run.published[ended].outcome = PublishOutcome::Failed;
    assert_eq!(run.judge().findings, 0, "{:?}", run.judge().details);
}
