//! The real translation against the model: what is asked is held, and the company can be prepared.

use std::collections::BTreeMap;

use callflume_core::effect::{Field, Object, Value as FieldValue};
use callflume_core::time::WallTime;
use callflume_core::vendor::{Answer, Vendor, Verb};
use callflume_crm::Settings;
use callflume_crm::pipedrive::Pipedrive as Translation;
use callflume_crm::pipedrive::setup;
use callflume_crm::setup::State;
use callflume_sim::pipedrive::{Kind, PipedriveConfig};
use serde_json::json;

use crate::line::{Line, of, on, text, write};
use crate::{DEAL_KEY, NOON_MS, OPTED_OUT, PERSON_KEY, config};

const AT: FieldValue = FieldValue::At(WallTime(NOON_MS));

#[test]
fn a_hundred_calls_of_the_load_tests_mix_with_a_warm_cache_cost_28_5_tokens_each() {
    let mut line = Line::new(PipedriveConfig {
        daily_tokens: 30_000,
        ..config()
    });
    let person = line.person();
    let warm = line.crm.counters().tokens;
    let score = Field::Custom(OPTED_OUT.to_owned());
    let mut call = String::new();
    for number in 0..100 {
        let key = format!("c-{number}");
        call = line.done(&on(write(Verb::Create, Object::Call, &key, &[]), &person));
    }
    // The shares of the load tests: transfers and tasks, deals, notes and transcripts, what comes after the call.
    for (times, operation) in [
        (
            28,
            on(write(Verb::Create, Object::Task, "r-1", &[]), &person),
        ),
        (
            15,
            on(write(Verb::Create, Object::Deal, "d-1", &[]), &person),
        ),
        (
            110,
            on(write(Verb::Create, Object::Note, "r-2", &[]), &person),
        ),
        (
            50,
            of(
                write(
                    Verb::UpdateById,
                    Object::Call,
                    "c",
                    &[(Field::Sentiment, text("neutral"))],
                ),
                &call,
            ),
        ),
        (
            40,
            of(
                write(
                    Verb::UpdateById,
                    Object::Call,
                    "c",
                    &[(Field::RecordingUrl, text("https://rec.example/1"))],
                ),
                &call,
            ),
        ),
        (
            117,
            of(
                write(
                    Verb::UpdateById,
                    Object::Contact,
                    "p",
                    &[(score, text("9"))],
                ),
                &person,
            ),
        ),
    ] {
        for _ in 0..times {
            line.done(&operation);
        }
    }
    assert_eq!(line.crm.counters().tokens - warm, 2_850);
}

#[test]
fn a_whole_call_with_all_that_follows_is_held_as_it_was_said() {
    let mut line = Line::new(config());
    let person = line.done(&write(
        Verb::UpsertByKey,
        Object::Contact,
        "p-1",
        &[
            (Field::FirstName, text("Mira")),
            (Field::LastName, text("Holm")),
            (Field::Phone, text("+12025550101")),
            (Field::Email, text("mira@example.com")),
        ],
    ));
    let call = line.done(&on(
        write(
            Verb::Create,
            Object::Call,
            "c-1",
            &[
                (Field::Title, text("About an offer")),
                (Field::Text, text("Wants <b>two</b>.")),
                (Field::Disposition, text("connected")),
                (Field::Duration, FieldValue::DurationMs(185_000)),
                (Field::At, AT),
            ],
        ),
        &person,
    ));
    let task = line.done(&on(
        write(
            Verb::Create,
            Object::Task,
            "r-1",
            &[(Field::Title, text("Call back")), (Field::At, AT)],
        ),
        &person,
    ));
    let note = line.done(&on(
        write(
            Verb::Create,
            Object::Note,
            "r-2",
            &[(Field::Text, text("a transcript")), (Field::At, AT)],
        ),
        &person,
    ));
    let deal = line.done(&on(
        write(
            Verb::Create,
            Object::Deal,
            "d-1",
            &[(Field::Stage, text("2")), (Field::Amount, text("1200.50"))],
        ),
        &person,
    ));
    for (operation, id) in [
        (
            write(
                Verb::UpdateById,
                Object::Call,
                "c-1",
                &[(Field::Sentiment, text("positive"))],
            ),
            &call,
        ),
        (
            write(
                Verb::UpdateById,
                Object::Call,
                "c-1",
                &[(Field::RecordingUrl, text("https://rec.example/1"))],
            ),
            &call,
        ),
        (
            write(
                Verb::UpdateById,
                Object::Task,
                "r-1",
                &[(Field::Owner, text("32"))],
            ),
            &task,
        ),
        (
            write(
                Verb::UpdateById,
                Object::Note,
                "r-2",
                &[(Field::Text, text("corrected"))],
            ),
            &note,
        ),
        (
            write(
                Verb::UpdateById,
                Object::Deal,
                "d-1",
                &[(Field::Stage, text("won"))],
            ),
            &deal,
        ),
        (
            write(
                Verb::UpdateById,
                Object::Contact,
                "p-1",
                &[(Field::OptedOut, FieldValue::Flag(true))],
            ),
            &person,
        ),
    ] {
        assert_eq!(&line.done(&of(operation, id)), id);
    }
    for (kind, id, name, expect) in [
        (Kind::Person, &person, "name", json!("Mira Holm")),
        (Kind::Person, &person, PERSON_KEY, json!("p-1")),
        (Kind::Person, &person, OPTED_OUT, json!("true")),
        (Kind::Activity, &call, "subject", json!("About an offer")),
        (Kind::Activity, &call, "done", json!(true)),
        (Kind::Activity, &call, "duration", json!("00:03")),
        (Kind::Activity, &call, "due_date", json!("2026-06-15")),
        (Kind::Activity, &call, "due_time", json!("12:00")),
        (
            Kind::Activity,
            &call,
            "note",
            json!(
                "<p>Wants &lt;b&gt;two&lt;/b&gt;.</p><p>Outcome: connected<br>Length: 185 s</p><p>[callflume c-1]</p>"
            ),
        ),
        (
            Kind::Activity,
            &call,
            "location",
            json!({"value": "Sentiment: positive"}),
        ),
        (
            Kind::Activity,
            &call,
            "public_description",
            json!("Recording: https://rec.example/1"),
        ),
        (Kind::Activity, &task, "done", json!(false)),
        (Kind::Activity, &task, "owner_id", json!(32)),
        (
            Kind::Note,
            &note,
            "content",
            json!("<p>corrected</p><p>[callflume r-2]</p>"),
        ),
        (
            Kind::Note,
            &note,
            "person_id",
            json!(person.parse::<u64>().unwrap()),
        ),
        (Kind::Deal, &deal, "status", json!("won")),
        (Kind::Deal, &deal, "stage_id", json!(2)),
        (Kind::Deal, &deal, "value", json!(1200.5)),
        (Kind::Deal, &deal, DEAL_KEY, json!("d-1")),
    ] {
        assert_eq!(line.shown(kind, id, name), expect, "{kind:?} {name}");
    }
    for (kind, id) in [
        (Kind::Activity, &call),
        (Kind::Activity, &task),
        (Kind::Deal, &deal),
    ] {
        let record = line.crm.record(kind, id.parse().unwrap()).unwrap();
        assert_eq!(
            record.person().map(|id| id.to_string()).as_ref(),
            Some(&person)
        );
    }
}

#[test]
fn headers_are_observed_as_the_model_counts() {
    let mut line = Line::new(config());
    let operation = write(Verb::UpsertByKey, Object::Contact, "p-1", &[]);
    let request = line.vendor.request(&operation);
    let Answer::Response { headers, .. } = line.answer(&request) else {
        panic!("no answer");
    };
    let seen = line
        .vendor
        .observe(operation.verb, operation.object, &headers);
    let told: Vec<(Option<u32>, Option<u32>)> = seen
        .iter()
        .map(|seen| (seen.limit, seen.remaining))
        .collect();
    assert_eq!(told, [(Some(40), Some(39)), (Some(600_000), Some(599_995))]);
}

#[test]
fn a_prepared_company_passes_its_check() {
    let mut line = Line::new(PipedriveConfig {
        custom_fields: Vec::new(),
        ..config()
    });
    let me = line.answer(&setup::account_request());
    let account = setup::account(&me).unwrap();
    assert_eq!(account.user_id, "31");
    assert_eq!(setup::may_prepare(&account).state, State::Ok);
    let mut keys = BTreeMap::new();
    for object in setup::OBJECTS {
        let request = setup::fields_request(object).unwrap();
        let listed = line.answer(&request);
        for finding in setup::fields(&Settings::default(), object, &listed) {
            assert_eq!(finding.state, State::Missing, "{}", finding.what);
            let made = line.answer(finding.repair.as_ref().unwrap());
            let key = setup::made_key(&made).unwrap();
            assert!(setup::repaired(&finding, &made).remedy.contains(&key));
        }
        let listed = line.answer(&request);
        keys.extend(setup::keys(object, &listed));
    }
    assert_eq!(keys.len(), 3);
    let settings = Settings::default().with_custom_fields(keys).unwrap();
    for object in setup::OBJECTS {
        let listed = line.answer(&setup::fields_request(object).unwrap());
        for finding in setup::fields(&settings, object, &listed) {
            assert_eq!(finding.state, State::Ok, "{}", finding.what);
        }
    }
    line.vendor = Translation::new(settings);
    let person = line.done(&write(Verb::UpsertByKey, Object::Contact, "p-1", &[]));
    assert_eq!(
        line.done(&write(Verb::Probe, Object::Contact, "p-1", &[])),
        person
    );
}

#[test]
fn long_texts_are_taken_cut_and_marked() {
    let mut line = Line::new(config());
    let person = line.person();
    let long = "so & so ".repeat(30_000);
    for object in [Object::Call, Object::Task, Object::Note, Object::Deal] {
        let fields = [(Field::Text, text(&long)), (Field::Title, text(&long))];
        line.done(&on(write(Verb::Create, object, "x-1", &fields), &person));
    }
    let note = line.crm.records(Kind::Note).last().unwrap();
    let content = note.field("content").as_str().unwrap();
    assert!(content.ends_with(" […]</p><p>[callflume x-1]</p>"));
}
