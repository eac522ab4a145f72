//! What Callflume sends to Close and what it reads from the answers, against the model: done is done, and what a lost
//! answer left is found exactly once.

use callflume_core::effect::{Field, Object, Value as FieldValue};
use callflume_core::vendor::{Item, ItemOutcome, Verb};
use callflume_sim::close::{Close, CloseConfig, Fault, FaultKind, ObjectKind};
use callflume_sim::fakes::Method;
use serde_json::json;

use crate::carry::{bo, done, item, kind, one, only, records, text};
use crate::{NOON_MS, config, organisation};

#[test]
fn everything_that_is_written_is_held() {
    let mut crm = organisation();
    let person = done(one(
        &mut crm,
        NOON_MS,
        Verb::UpsertByKey,
        Object::Contact,
        &bo(),
    ));
    let (lead, contact) = person.split_once('/').unwrap();
    for (object, item) in records(&person) {
        done(one(&mut crm, NOON_MS, Verb::Create, object, &item));
        let record = only(&crm, kind(object));
        assert_eq!(
            (record.text("lead_id"), record.text("contact_id")),
            (Some(lead), Some(contact)),
            "{object}"
        );
    }
    let held = |kind: ObjectKind, name: &str| only(&crm, kind).fields[name].clone();
    for (kind, name, expect) in [
        (ObjectKind::Lead, "name", json!("Bo Roe")),
        (ObjectKind::Contact, "custom.cf_key", json!("p-1")),
        (ObjectKind::Call, "duration", json!(65)),
        (
            ObjectKind::Call,
            "activity_at",
            json!("2026-06-15T12:00:00.000000+00:00"),
        ),
        (ObjectKind::Call, "phone", json!("+12025550143")),
        (ObjectKind::Call, "status", json!("completed")),
        (
            ObjectKind::Call,
            "recording_url",
            json!("https://r.example/1.mp3"),
        ),
        (
            ObjectKind::Call,
            "note",
            json!("Intro\n\nThey want a quote.\n\n[callflume c-1]"),
        ),
        (ObjectKind::Note, "note", json!("n\n\n[callflume r-1]")),
        (
            ObjectKind::Task,
            "text",
            json!("Call back\n\n[callflume r-2]"),
        ),
        (ObjectKind::Task, "assigned_to", json!("user_72")),
        (ObjectKind::Opportunity, "status_id", json!("stat_21")),
        (ObjectKind::Opportunity, "value", json!(240_050)),
        (ObjectKind::Opportunity, "custom.cf_deal", json!("d-1")),
    ] {
        assert_eq!(held(kind, name), expect, "{kind:?} {name}");
    }
    // One request per record, the person in one too.
    assert_eq!(crm.counters().requests, 5);
}

#[test]
fn what_is_changed_by_id_is_held_and_what_people_typed_stays() {
    let mut crm = organisation();
    let person = done(one(
        &mut crm,
        NOON_MS,
        Verb::UpsertByKey,
        Object::Contact,
        &bo(),
    ));
    let update = |crm: &mut Close, object: Object, crm_id: &str, fields: &[(Field, FieldValue)]| {
        let mut item = item("x", fields);
        item.crm_id = Some(crm_id.to_owned());
        done(one(crm, NOON_MS, Verb::UpdateById, object, &item))
    };
    let fields = [
        (Field::OptedOut, FieldValue::Flag(true)),
        (Field::Phone, text("+12025550199")),
        (Field::FirstName, text("Robert")),
    ];
    assert_eq!(update(&mut crm, Object::Contact, &person, &fields), person);
    let contact = only(&crm, ObjectKind::Contact);
    assert_eq!(contact.text("custom.cf_out"), Some("true"));
    assert_eq!(
        (contact.text("name"), &contact.fields["phones"][0]["phone"]),
        (Some("Bo Roe"), &json!("+12025550143"))
    );

    let records: Vec<(Object, String)> = records(&person)
        .into_iter()
        .map(|(object, item)| {
            (
                object,
                done(one(&mut crm, NOON_MS, Verb::Create, object, &item)),
            )
        })
        .collect();
    let (call, deal, task) = (&records[0].1, &records[3].1, &records[2].1);
    update(
        &mut crm,
        Object::Call,
        call,
        &[(Field::RecordingUrl, text("https://r.example/2.mp3"))],
    );
    update(
        &mut crm,
        Object::Call,
        call,
        &[(Field::Sentiment, text("positive"))],
    );
    update(
        &mut crm,
        Object::Deal,
        deal,
        &[(Field::Stage, text("stat_22"))],
    );
    update(
        &mut crm,
        Object::Task,
        task,
        &[(Field::Owner, text("user_71"))],
    );
    let held = |kind: ObjectKind, name: &str| only(&crm, kind).text(name).unwrap().to_owned();
    assert_eq!(
        held(ObjectKind::Call, "recording_url"),
        "https://r.example/2.mp3"
    );
    assert!(held(ObjectKind::Call, "note").ends_with("[callflume c-1]"));
    assert_eq!(held(ObjectKind::Contact, "custom.cf_mood"), "positive");
    assert_eq!(held(ObjectKind::Opportunity, "status_id"), "stat_22");
    assert_eq!(held(ObjectKind::Task, "assigned_to"), "user_71");
}

#[test]
fn a_lost_answer_is_probed_and_the_record_is_there_exactly_once() {
    for fault in [
        FaultKind::ExecuteThenDrop,
        FaultKind::ExecuteThenStatus(502),
        FaultKind::ExecuteThenTruncate,
        FaultKind::ExecuteThenHtml,
        FaultKind::DropWithoutExecuting,
        FaultKind::StatusWithoutExecuting(503),
    ] {
        let mut crm = organisation();
        let made = |crm: &mut Close, verb: Verb, object: Object, item: &Item| -> String {
            crm.add_fault(Fault::next(fault.clone(), Method::Post, ""));
            assert_eq!(
                one(crm, NOON_MS, verb, object, item),
                ItemOutcome::Unknown,
                "{fault:?} {object}"
            );
            // Right away: neither listing nor event log lags.
            match one(crm, NOON_MS, Verb::Probe, object, item) {
                ItemOutcome::Done { crm_id } => {
                    assert!(fault.executes(), "{fault:?} {object}");
                    crm_id
                }
                ItemOutcome::Gone => {
                    assert!(!fault.executes(), "{fault:?} {object}");
                    done(one(crm, NOON_MS, verb, object, item))
                }
                other => panic!("{fault:?} {object}: {other:?}"),
            }
        };
        let person = made(&mut crm, Verb::UpsertByKey, Object::Contact, &bo());
        let records = records(&person);
        let ids: Vec<String> = records
            .iter()
            .map(|(object, item)| made(&mut crm, Verb::Create, *object, item))
            .collect();
        only(&crm, ObjectKind::Lead);
        let contact = only(&crm, ObjectKind::Contact);
        assert_eq!(
            person,
            format!("{}/{}", contact.text("lead_id").unwrap(), contact.id)
        );
        for ((object, item), crm_id) in records.iter().zip(&ids) {
            let record = only(&crm, kind(*object));
            assert!(crm_id.ends_with(&record.id), "{crm_id}");
            // Another key on the same lead is surely not there.
            let stranger = Item {
                key: "c-9".into(),
                ..item.clone()
            };
            assert_eq!(
                one(&mut crm, NOON_MS, Verb::Probe, *object, &stranger),
                ItemOutcome::Gone
            );
        }
    }
}

#[test]
fn a_probe_goes_through_every_page_and_beyond_the_event_log_by_search() {
    let mut crm = Close::new(CloseConfig {
        key_limit: 1_000,
        ..config()
    })
    .unwrap();
    let person = done(one(
        &mut crm,
        NOON_MS,
        Verb::UpsertByKey,
        Object::Contact,
        &bo(),
    ));
    let (_, note) = records(&person).remove(1);
    done(one(&mut crm, NOON_MS, Verb::Create, Object::Note, &note));
    for number in 0..250_i64 {
        let other = Item {
            key: format!("r-x{number}"),
            ..note.clone()
        };
        done(one(
            &mut crm,
            NOON_MS + 1 + number,
            Verb::Create,
            Object::Note,
            &other,
        ));
    }
    let before = crm.counters().requests;
    done(one(
        &mut crm,
        NOON_MS + 1_000,
        Verb::Probe,
        Object::Note,
        &note,
    ));
    assert_eq!(
        crm.counters().requests - before,
        3,
        "the oldest of 251 is on the third page"
    );

    for number in 0..60_i64 {
        let other = Item {
            key: format!("p-x{number}"),
            ..bo()
        };
        done(one(
            &mut crm,
            NOON_MS + 2_000,
            Verb::UpsertByKey,
            Object::Contact,
            &other,
        ));
    }
    let later = NOON_MS + 10_000;
    assert_eq!(
        done(one(&mut crm, later, Verb::Probe, Object::Contact, &bo())),
        person
    );
    let absent = Item {
        key: "p-none".into(),
        ..bo()
    };
    assert_eq!(
        one(&mut crm, later, Verb::Probe, Object::Contact, &absent),
        ItemOutcome::Gone
    );
}
