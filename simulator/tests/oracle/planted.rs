//! Planted defects: each is found, and nothing else is.

use std::sync::OnceLock;

use callflume_sim::fakes::Method;
use callflume_sim::hubspot::{Fault, FaultKind, ObjectKind, Policy};
use callflume_sim::oracle::{DETAILS_MAX, Defect, EffectCounts, Judgement, PublishOutcome};
use callflume_sim::scenario::TOKEN;
use callflume_sim::traffic::PlannedEvent;
use serde_json::{Value, json};

use crate::writer::Run;

static CLEAN: OnceLock<EffectCounts> = OnceLock::new();

/// One finding of this kind, about the counts given, compared with a faithful run.
#[track_caller]
fn only(judgement: &Judgement, defect: Defect, change: impl Fn(&mut EffectCounts)) {
    let mut expect = *CLEAN.get_or_init(|| Run::written().judge().effects);
    change(&mut expect);
    assert_eq!(judgement.effects, expect, "{:?}", judgement.details);
    assert_eq!(judgement.findings, 1, "{:?}", judgement.details);
    assert_eq!(judgement.details[0].defect, defect);
}

fn lost(counts: &mut EffectCounts) {
    counts.applied -= 1;
    counts.lost += 1;
}

/// The body's `properties`, as they are written.
fn properties(event: &PlannedEvent) -> Value {
    event.event.body["properties"].clone()
}

#[test]
fn an_event_of_any_kind_that_was_not_written_is_lost() {
    let run = Run::new();
    let last_of_its_fields = |event: &PlannedEvent| {
        // Nothing later about this person that could take its place.
        run.plan.all().all(|other| {
            other.event.contact.phone != event.event.contact.phone
                || other.event.kind != event.event.kind
                || other.index <= event.index
        })
    };
    for kind in [
        "note_added",
        "transcript_ready",
        "task_created",
        "call_transferred",
        "sentiment_tagged",
        "recording_ready",
        "analytics_rolled_up",
    ] {
        let event = run.event(kind, last_of_its_fields);
        let judgement = Run::written_without(&[event.index]).judge();
        only(&judgement, Defect::Lost, lost);
        assert_eq!(judgement.details[0].event, Some(event.event.id), "{kind}");
    }
    // Opting out twice comes to the same: only somebody's single opt-out can be lost.
    let event = run.event("opted_out", |event| {
        let of_person = |other: &&PlannedEvent| {
            other.event.kind == "opted_out"
                && other.event.contact.phone == event.event.contact.phone
        };
        run.plan.all().filter(of_person).count() == 1
    });
    only(
        &Run::written_without(&[event.index]).judge(),
        Defect::Lost,
        lost,
    );
}

#[test]
fn a_call_record_that_is_gone_is_lost() {
    let mut run = Run::written();
    let ended = run.event("call_ended", |event| {
        // A hang-up has nothing that completes its record.
        event.event.body["disposition"] == "abandoned"
    });
    let record = record_with(
        &run,
        ObjectKind::Calls,
        "hs_call_external_id",
        &ended.event.call_id,
    );
    let at_ms = run.plan.start_ms + 10_000_000;
    assert!(run.crm.archive(at_ms, ObjectKind::Calls, record));
    only(&run.judge(), Defect::Lost, lost);
}

#[test]
fn a_dead_letter_is_dead_and_not_lost() {
    let task = Run::new().event("task_created", |_| true);
    let mut run = Run::written_without(&[task.index]);
    run.dead.insert(task.event.id.clone());
    only(&run.judge(), Defect::Dead, |counts| {
        counts.applied -= 1;
        counts.dead += 1;
    });
}

#[test]
fn a_person_who_is_not_there_is_lost() {
    let mut run = Run::new();
    // Somebody new whose only event is the beginning of a call.
    let started = run.event("call_started", |event| {
        let phone = &event.event.contact.phone;
        event.event.contact.name.is_none()
            && run
                .plan
                .all()
                .filter(|other| other.event.contact.phone == *phone)
                .count()
                == 1
    });
    let others: Vec<usize> = (0..run.plan.len())
        .filter(|at| *at != started.index)
        .collect();
    run.write(&others);
    only(&run.judge(), Defect::Lost, lost);
}

#[test]
fn a_second_record_of_any_kind_is_doubled() {
    for (object, marked) in [
        (ObjectKind::Notes, "hs_note_body"),
        (ObjectKind::Tasks, "hs_task_subject"),
        (ObjectKind::Calls, "hs_call_external_id"),
        (ObjectKind::Deals, "dealname"),
    ] {
        let mut run = Run::written();
        let original = run.crm.records(object).next().unwrap();
        let mut copy = json!({ marked: original.property(marked) });
        if object != ObjectKind::Deals {
            copy["hs_timestamp"] = json!(original.property("hs_timestamp"));
        }
        let target = format!("/crm/v3/objects/{}", object.as_str());
        let reply = run.request(Method::Post, &target, &json!({ "properties": copy }));
        assert_eq!(reply.status, 201);
        only(&run.judge(), Defect::Doubled, |counts| {
            counts.doubled += 1;
        });
    }
}

#[test]
fn a_second_contact_with_the_number_is_a_doubled_person_however_it_is_typed() {
    let typed = |e164: &str| {
        let (area, rest) = e164.strip_prefix("+1")?.split_at_checked(3)?;
        let (office, line) = rest.split_at_checked(3)?;
        Some(format!("({area}) {office}-{line}"))
    };
    let mut run = Run::written();
    let known = run
        .seeded
        .iter()
        .find_map(|contact| typed(&contact.e164))
        .unwrap();
    let body = json!({ "properties": { "phone": known } });
    let reply = run.request(Method::Post, "/crm/v3/objects/contacts", &body);
    assert_eq!(reply.status, 201);
    let judgement = run.judge();
    only(&judgement, Defect::PersonDoubled, |counts| {
        counts.persons_doubled += 1;
    });
    assert!(judgement.details[0].text.contains("there before the run"));
}

#[test]
fn an_older_value_over_a_newer_one_is_reordered() {
    let mut run = Run::written();
    let (older, _) = run.last_two("analytics_rolled_up");
    let contact = run.contact_of(&older);
    run.set(ObjectKind::Contacts, contact, &properties(&older));
    let judgement = run.judge();
    only(&judgement, Defect::Reordered, |counts| {
        counts.reordered += 1;
    });
    assert!(judgement.details[0].text.contains("and stays so"));

    // Set right again: it happened all the same.
    let (_, newer) = run.last_two("analytics_rolled_up");
    run.set(ObjectKind::Contacts, contact, &properties(&newer));
    let judgement = run.judge();
    only(&judgement, Defect::Reordered, |counts| {
        counts.reordered += 1;
    });
    assert!(judgement.details[0].text.contains("set right again"));
}

#[test]
fn the_same_value_written_again_is_not_reordered() {
    let mut run = Run::written();
    let (_, newer) = run.last_two("analytics_rolled_up");
    let contact = run.contact_of(&newer);
    run.set(ObjectKind::Contacts, contact, &properties(&newer));
    assert_eq!(run.judge().findings, 0);
}

#[test]
fn a_deal_that_goes_back_is_reordered() {
    let mut run = Run::written();
    let second = run.event("deal_stage_changed", |event| {
        event.event.body["stage"] == "qualifiedtobuy"
    });
    let title = second.event.body["title"].as_str().unwrap().to_owned();
    let deal = record_with(&run, ObjectKind::Deals, "dealname", &title);
    run.set(
        ObjectKind::Deals,
        deal,
        &json!({ "dealstage": "appointmentscheduled" }),
    );
    only(&run.judge(), Defect::Reordered, |counts| {
        counts.reordered += 1;
    });
}

#[test]
fn a_value_that_no_event_has_over_the_newest_is_a_loss() {
    let mut run = Run::written();
    let (_, newest) = run.last_two("analytics_rolled_up");
    let contact = run.contact_of(&newest);
    run.set(
        ObjectKind::Contacts,
        contact,
        &json!({ "voice_score": "who knows" }),
    );
    let judgement = run.judge();
    only(&judgement, Defect::Lost, lost);
    assert_eq!(judgement.details[0].event, Some(newest.event.id));
}

#[test]
fn a_record_with_a_wrong_value_or_without_its_person_is_lost() {
    let mut run = Run::written();
    let task = run.event("task_created", |_| true);
    let title = task.event.body["title"].as_str().unwrap().to_owned();
    let record = record_with(&run, ObjectKind::Tasks, "hs_task_subject", &title);
    run.set(
        ObjectKind::Tasks,
        record,
        &json!({ "hs_task_body": "something else" }),
    );
    only(&run.judge(), Defect::Lost, lost);

    // The last one of all, so that none comes after it in the promised order.
    let last = run
        .plan
        .all()
        .filter(|event| event.event.body.contains_key("text"))
        .last();
    let note = last.unwrap().clone();
    let mut run = Run::written_without(&[note.index]);
    let body = json!({ "properties": {
        "hs_note_body": note.event.body["text"],
        "hs_timestamp": note.event.at.0.to_string(),
    }});
    let reply = run.request(Method::Post, "/crm/v3/objects/notes", &body);
    assert_eq!(reply.status, 201);
    let judgement = run.judge();
    only(&judgement, Defect::Lost, lost);
    assert!(judgement.details[0].text.contains("linked to no contact"));
}

#[test]
fn records_made_in_another_order_than_promised_are_reordered() {
    let mut run = Run::new();
    // A note and the transcript after it, nothing else about this person between the two.
    let (first, second) = run
        .plan
        .events
        .iter()
        .filter(|event| event.event.kind == "note_added")
        .find_map(|note| {
            let next = run.plan.events.iter().find(|event| {
                event.index > note.index && event.event.contact.phone == note.event.contact.phone
            })?;
            (next.event.kind == "transcript_ready").then(|| (note.clone(), next.clone()))
        })
        .expect("the plan has such events");
    let mut order: Vec<usize> = (0..run.plan.len()).collect();
    order.swap(first.index, second.index);
    run.write(&order);
    let judgement = run.judge();
    only(&judgement, Defect::Reordered, |counts| {
        counts.reordered += 1;
    });
    assert_eq!(judgement.details[0].event, Some(second.event.id));

    // Not promised when the first was acknowledged only after the second had been published.
    let late = PublishOutcome::Stored {
        at_ms: second.at_ms + 1,
    };
    run.published[first.index].outcome = late;
    assert_eq!(run.judge().findings, 0);
}

#[test]
fn a_request_into_a_full_window_is_over_the_limit_and_a_scripted_429_is_not() {
    let mut run = Run::written();
    assert!(run.crm.set_interval_limit(TOKEN, 1));
    for _ in 0..2 {
        run.request(Method::Get, "/crm/v3/owners", &Value::Null);
    }
    let judgement = run.judge();
    assert!(judgement.over_limit >= 1);
    assert_eq!(judgement.throttled, judgement.over_limit);
    assert_eq!(judgement.findings, judgement.over_limit);
    assert!(
        judgement
            .details
            .iter()
            .all(|it| it.defect == Defect::OverLimit)
    );
    assert_eq!(judgement.effects, Run::written().judge().effects);

    let mut run = Run::written();
    let policy = Policy::TenSecondlyRolling;
    run.crm
        .add_fault(Fault::next(FaultKind::Throttled(policy), ""));
    run.request(Method::Get, "/crm/v3/owners", &Value::Null);
    let judgement = run.judge();
    assert_eq!((judgement.throttled, judgement.over_limit), (1, 0));
    assert_eq!(judgement.findings, 0);
}

#[test]
fn findings_hold_no_value_of_an_event() {
    let run = Run::new();
    let all: Vec<usize> = (0..run.plan.len()).collect();
    let judgement = Run::written_without(&all).judge();
    assert_eq!(judgement.details.len(), DETAILS_MAX);
    assert!(judgement.findings > judgement.details.len() as u64);
    for finding in &judgement.details {
        let text = finding.to_string();
        for event in run.plan.all() {
            assert!(
                !text.contains(event.event.contact.phone.as_ref().unwrap()),
                "{text}"
            );
        }
        assert!(!text.contains("sim-"), "{text}");
    }
}

/// The record whose property has this value.
#[track_caller]
fn record_with(run: &Run, object: ObjectKind, name: &str, value: &str) -> u64 {
    run.crm
        .records(object)
        .find(|record| record.property(name) == Some(value))
        .expect("there is such a record")
        .id
}
