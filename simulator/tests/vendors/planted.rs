//! Planted defects: each is found, and nothing else is.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use callflume_core::effect::{Field, Fields, Object, Value};
use callflume_core::vendor::{Item, Operation, Verb};
use callflume_sim::fakes::VENDORS;
use callflume_sim::oracle::{Defect, EffectCounts, Judgement};
use callflume_sim::traffic::PlannedEvent;

use crate::writer::Run;

static CLEAN: Mutex<BTreeMap<String, EffectCounts>> = Mutex::new(BTreeMap::new());

/// What a faithful run comes to.
fn clean(vendor: &str) -> EffectCounts {
    let mut known = CLEAN.lock().unwrap_or_else(PoisonError::into_inner);
    *known
        .entry(vendor.to_owned())
        .or_insert_with(|| Run::written(vendor).judge().effects)
}

/// One finding of this kind, about the counts given, compared with a faithful run.
#[track_caller]
fn only(vendor: &str, judgement: &Judgement, defect: Defect, change: impl Fn(&mut EffectCounts)) {
    let mut expect = clean(vendor);
    change(&mut expect);
    assert_eq!(
        judgement.effects, expect,
        "{vendor}: {:?}",
        judgement.details
    );
    assert_eq!(judgement.findings, 1, "{vendor}: {:?}", judgement.details);
    assert_eq!(judgement.details[0].defect, defect, "{vendor}");
}

fn lost(counts: &mut EffectCounts) {
    counts.applied -= 1;
    counts.lost += 1;
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

#[test]
fn a_faithful_run_is_clean_and_every_effect_is_accounted_for() {
    for vendor in VENDORS {
        let run = Run::written(vendor);
        let judgement = run.judge();
        let effects = judgement.effects;
        assert_eq!(judgement.findings, 0, "{vendor}: {:?}", judgement.details);
        let planned: usize = run.plan.all().map(|event| event.expect.len()).sum();
        assert_eq!(effects.expected, planned as u64, "{vendor}");
        assert_eq!(
            effects.applied + effects.merged + effects.superseded,
            effects.expected,
            "{vendor}"
        );
        assert!(effects.merged + effects.superseded <= effects.expected / 20);
    }
}

#[test]
fn an_event_of_any_kind_that_was_not_written_is_lost() {
    for vendor in VENDORS {
        let run = Run::new(vendor);
        let last_of_its_kind = |event: &PlannedEvent| {
            run.plan.all().all(|other| {
                other.event.contact.phone != event.event.contact.phone
                    || other.event.kind != event.event.kind
                    || other.index == event.index
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
            "opted_out",
        ] {
            let event = run.event(kind, last_of_its_kind);
            let judgement = Run::written_without(vendor, &[event.index]).judge();
            only(vendor, &judgement, Defect::Lost, lost);
            assert_eq!(
                judgement.details[0].event,
                Some(event.event.id),
                "{vendor} {kind}"
            );
        }
    }
}

#[test]
fn a_dead_letter_is_dead_and_not_lost() {
    for vendor in VENDORS {
        let task = Run::new(vendor).event("task_created", |_| true);
        let mut run = Run::written_without(vendor, &[task.index]);
        run.dead.insert(task.event.id.clone());
        only(vendor, &run.judge(), Defect::Dead, |counts| {
            counts.applied -= 1;
            counts.dead += 1;
        });
    }
}

#[test]
fn a_second_record_of_any_kind_is_doubled() {
    for vendor in VENDORS {
        for kind in [
            "note_added",
            "task_created",
            "call_ended",
            "deal_stage_changed",
        ] {
            let mut run = Run::written(vendor);
            let event = run.event(kind, |_| true);
            let object = match kind {
                "note_added" => Object::Note,
                "task_created" => Object::Task,
                "call_ended" => Object::Call,
                _ => Object::Deal,
            };
            let contact = run.contact(&event);
            run.make(object, &contact, Run::fields_of(&event));
            only(vendor, &run.judge(), Defect::Doubled, |counts| {
                counts.doubled += 1;
            });
        }
    }
}

#[test]
fn a_second_contact_with_the_number_is_a_doubled_person_however_it_is_typed() {
    for vendor in VENDORS {
        let mut run = Run::written(vendor);
        let known = run.plan.calls.iter().find_map(|call| {
            let number = call.contact.phone.as_deref().filter(|_| call.known)?;
            let (area, rest) = number.strip_prefix("+1")?.split_at_checked(3)?;
            let (office, line) = rest.split_at_checked(3)?;
            Some(format!("({area}) {office}-{line}"))
        });
        let item = Item {
            key: "k-another".to_owned(),
            fields: Fields::from([(Field::Phone, text(&known.unwrap()))]),
            ..Item::default()
        };
        run.done(Verb::UpsertByKey, Object::Contact, item);
        let judgement = run.judge();
        only(vendor, &judgement, Defect::PersonDoubled, |counts| {
            counts.persons_doubled += 1;
        });
        assert!(judgement.details[0].text.contains("there before the run"));
    }
}

#[test]
fn an_older_value_over_a_newer_one_is_reordered() {
    for vendor in VENDORS {
        let mut run = Run::written(vendor);
        let (older, newer) = run.last_two("analytics_rolled_up");
        let contact = run.contact(&older);
        run.set(Object::Contact, &contact, "", Run::fields_of(&older));
        let judgement = run.judge();
        only(vendor, &judgement, Defect::Reordered, |counts| {
            counts.reordered += 1;
        });
        assert!(judgement.details[0].text.contains("and stays so"));

        run.set(Object::Contact, &contact, "", Run::fields_of(&newer));
        let judgement = run.judge();
        only(vendor, &judgement, Defect::Reordered, |counts| {
            counts.reordered += 1;
        });
        assert!(judgement.details[0].text.contains("set right again"));
    }
}

#[test]
fn a_deal_that_goes_back_is_reordered() {
    for vendor in VENDORS {
        let mut run = Run::written(vendor);
        let stages = |event: &PlannedEvent| {
            run.plan
                .all()
                .filter(|other| {
                    other.event.kind == event.event.kind
                        && other.event.body["deal_key"] == event.event.body["deal_key"]
                })
                .count()
        };
        // The first one of two.
        let first = run.event("deal_stage_changed", |event| stages(event) == 2);
        let deal = run.record_of(&first);
        let mut back = Run::fields_of(&first);
        back.retain(|field, _| *field == Field::Stage);
        run.set(Object::Deal, &deal, "", back);
        only(vendor, &run.judge(), Defect::Reordered, |counts| {
            counts.reordered += 1;
        });
    }
}

#[test]
fn a_value_that_no_event_has_over_the_newest_is_a_loss() {
    for vendor in VENDORS {
        let mut run = Run::written(vendor);
        let (_, newest) = run.last_two("analytics_rolled_up");
        let contact = run.contact(&newest);
        let score = Field::Custom("voice_score".to_owned());
        let fields = Fields::from([(score, text("who knows"))]);
        run.set(Object::Contact, &contact, "", fields);
        let judgement = run.judge();
        only(vendor, &judgement, Defect::Lost, lost);
        assert_eq!(judgement.details[0].event, Some(newest.event.id));
    }
}

#[test]
fn a_record_with_a_wrong_value_is_lost() {
    for vendor in VENDORS {
        for (kind, object) in [
            ("task_created", Object::Task),
            ("note_added", Object::Note),
            ("call_ended", Object::Call),
        ] {
            let mut run = Run::written(vendor);
            let event = run.event(kind, |_| true);
            let record = run.record_of(&event);
            let mut fields = Run::fields_of(&event);
            let said = match &fields[&Field::Text] {
                Value::Text(said) => format!("{said} And more."),
                other => panic!("{other:?}"),
            };
            // With everything else: a text is replaced as a whole, and some of the rest stands in it.
            fields.insert(Field::Text, text(&said));
            run.set(object, &record, &Run::key_of(&event), fields);
            only(vendor, &run.judge(), Defect::Lost, lost);
        }
    }
}

#[test]
fn a_record_on_somebody_else_is_lost() {
    for vendor in VENDORS {
        let plan = Run::new(vendor).plan;
        // The last one of all, so that none comes after it in the promised order.
        let notes = |event: &&PlannedEvent| event.event.body.contains_key("text");
        let note = plan.events.iter().rfind(notes).unwrap().clone();
        let mut run = Run::written_without(vendor, &[note.index]);
        let other = run.event("call_ended", |event| {
            event.event.contact.phone != note.event.contact.phone
        });
        let other = run.contact(&other);
        run.make(Object::Note, &other, Run::fields_of(&note));
        let judgement = run.judge();
        only(vendor, &judgement, Defect::Lost, lost);
        assert!(judgement.details[0].text.contains("linked to no contact"));
    }
}

#[test]
fn requests_into_a_full_window_are_over_the_limit() {
    for vendor in VENDORS {
        let mut run = Run::written(vendor);
        let list = Operation {
            verb: Verb::List,
            object: Object::Contact,
            items: Vec::new(),
            after: None,
        };
        // More at one instant than any of the plans allows.
        let many = if vendor == "salesforce" { 1_600 } else { 200 };
        for _ in 0..many {
            run.ask_now(&list);
        }
        let judgement = run.judge();
        assert!(judgement.over_limit > 0, "{vendor}");
        assert_eq!(judgement.throttled, judgement.over_limit, "{vendor}");
        assert_eq!(judgement.findings, judgement.over_limit, "{vendor}");
        assert!(
            judgement
                .details
                .iter()
                .all(|it| it.defect == Defect::OverLimit)
        );
        assert_eq!(judgement.effects, clean(vendor));
    }
}

#[test]
fn findings_hold_no_value_of_an_event() {
    for vendor in VENDORS {
        let run = Run::new(vendor);
        let all: Vec<usize> = (0..run.plan.len()).collect();
        let judgement = Run::written_without(vendor, &all).judge();
        assert!(judgement.findings > 0);
        for finding in &judgement.details {
            let text = finding.to_string();
            for event in run.plan.all() {
                assert!(!text.contains(event.event.contact.phone.as_ref().unwrap()));
            }
            assert!(!text.contains("sim-"), "{text}");
        }
    }
}
