//! What is sent to Close, field by field.

use callflume_core::effect::{Field, Object, Value as FieldValue};
use callflume_core::vendor::{Method, Vendor, Verb};
use callflume_crm::close::{Close, has_field};
use serde_json::{Value, json};

use crate::support::{at, body, sent, settings, text, with_fields};

const RECORDING: &str = "https://r.example/1.mp3";

fn created(object: Object, fields: &[(Field, FieldValue)]) -> (String, Value) {
    let (method, path, body) = sent(&with_fields(Verb::Create, object, fields));
    assert_eq!(method, Method::Post);
    (path, body)
}

fn changed(object: Object, fields: &[(Field, FieldValue)]) -> (String, Value) {
    let (method, path, body) = sent(&with_fields(Verb::UpdateById, object, fields));
    assert_eq!(method, Method::Put);
    (path, body)
}

#[test]
fn a_person_is_a_new_lead_with_a_contact_in_one_request() {
    let fields = [
        (Field::FirstName, text("Ada")),
        (Field::LastName, text("Roe")),
        (Field::Phone, text("+12025550101")),
        (Field::Email, text("p1@example.org")),
        (Field::OptedOut, FieldValue::Flag(true)),
        (Field::Custom("lead_score".into()), text("9")),
        (Field::Custom("cf_own".into()), text("x")),
        (Field::Custom("title".into()), text("CTO")),
    ];
    let expect = json!({"name": "Ada Roe", "contacts": [{
        "name": "Ada Roe",
        "title": "CTO",
        "phones": [{"phone": "+12025550101", "type": "office"}],
        "emails": [{"email": "p1@example.org", "type": "office"}],
        "custom.cf_key": "k-1",
        "custom.cf_out": "true",
        "custom.cf_score": "9",
        "custom.cf_own": "x",
    }]});
    for verb in [Verb::UpsertByKey, Verb::Create] {
        let (method, path, body) = sent(&with_fields(verb, Object::Contact, &fields));
        assert_eq!(
            (method, path.as_str(), &body),
            (Method::Post, "/api/v1/lead/", &expect)
        );
    }
}

#[test]
fn a_lead_without_a_name_is_called_as_people_would_find_it() {
    for (fields, expect) in [
        (vec![(Field::FirstName, text("Ada"))], "Ada"),
        (
            vec![
                (Field::Phone, text("+12025550101")),
                (Field::Email, text("p1@example.org")),
            ],
            "+12025550101",
        ),
        (
            vec![(Field::Email, text("p1@example.org"))],
            "p1@example.org",
        ),
        (vec![], "Unknown caller"),
    ] {
        assert_eq!(created(Object::Contact, &fields).1["name"], expect);
    }
}

#[test]
fn an_update_of_a_contact_never_replaces_a_list_or_half_a_name() {
    for (fields, stamp, expect) in [
        (
            vec![
                (Field::Phone, text("+12025550199")),
                (Field::Email, text("new@example.org")),
            ],
            false,
            json!({}),
        ),
        (vec![(Field::FirstName, text("Ada"))], false, json!({})),
        (
            vec![(Field::LastName, text("Roe"))],
            true,
            json!({"custom.cf_key": "k-1"}),
        ),
        (
            vec![
                (Field::FirstName, text("Ada")),
                (Field::LastName, text("Roe")),
                (Field::OptedOut, FieldValue::Flag(true)),
            ],
            false,
            json!({"name": "Ada Roe", "custom.cf_out": "true"}),
        ),
        (
            vec![
                (Field::Custom("phones".into()), text("x")),
                (Field::Custom("emails".into()), text("x")),
                (Field::Custom("lead_id".into()), text("lead_9")),
                (Field::Custom("cf_key".into()), text("forged")),
            ],
            false,
            json!({}),
        ),
    ] {
        let mut operation = with_fields(Verb::UpdateById, Object::Contact, &fields);
        operation.items[0].stamp = stamp;
        let (method, path, body) = sent(&operation);
        assert_eq!(
            (method, path.as_str(), body),
            (Method::Put, "/api/v1/contact/cont_1/", expect)
        );
    }
}

#[test]
fn a_call_is_logged_in_closes_units_with_lead_and_contact() {
    let (path, body) = created(
        Object::Call,
        &[
            (Field::At, at(1_793_331_017_250)),
            (Field::Title, text("Intro call")),
            (Field::Text, text("They want a quote.")),
            (Field::Direction, text("inbound")),
            (Field::Duration, FieldValue::DurationMs(65_500)),
            (Field::Disposition, text("no_answer")),
            (Field::From, text("+12025550101")),
            (Field::To, text("+12025550144")),
            (Field::RecordingUrl, text(RECORDING)),
            (Field::Sentiment, text("positive")),
            (Field::CallId, text("C1")),
            (Field::Owner, text("user_4")),
        ],
    );
    assert_eq!(path, "/api/v1/activity/call/");
    assert_eq!(
        body,
        json!({
            "lead_id": "lead_1",
            "contact_id": "cont_1",
            "user_id": "user_4",
            "activity_at": "2026-10-30T03:30:17.250Z",
            "direction": "inbound",
            "duration": 66,
            "status": "no-answer",
            "phone": "+12025550101",
            "recording_url": RECORDING,
            "note": "Intro call\n\nThey want a quote.\n\nSentiment: positive\n\n[callflume k-1]",
        })
    );
}

#[test]
fn the_number_of_a_call_is_the_other_sides() {
    let (from, to) = (
        (Field::From, text("+12025550101")),
        (Field::To, text("+12025550144")),
    );
    for (direction, fields, expect) in [
        (
            Some("inbound"),
            vec![from.clone(), to.clone()],
            json!("+12025550101"),
        ),
        (
            Some("outbound"),
            vec![from.clone(), to.clone()],
            json!("+12025550144"),
        ),
        (None, vec![from, to.clone()], json!("+12025550101")),
        (Some("inbound"), vec![to], Value::Null),
    ] {
        let mut fields = fields;
        fields.extend(direction.map(|direction| (Field::Direction, text(direction))));
        assert_eq!(
            created(Object::Call, &fields).1["phone"],
            expect,
            "{direction:?}"
        );
    }
}

#[test]
fn an_update_of_a_call_sets_only_what_it_can_set_whole() {
    let both = [(Field::Title, text("t")), (Field::Text, text("sum"))];
    for (fields, expect) in [
        (
            vec![(Field::RecordingUrl, text(RECORDING))],
            json!({"recording_url": RECORDING}),
        ),
        // Close takes nothing but https: it would refuse the whole call.
        (
            vec![(Field::RecordingUrl, text("http://r.example/1"))],
            json!({}),
        ),
        (vec![(Field::Title, text("t"))], json!({})),
        (
            both.to_vec(),
            json!({"note": "t\n\nsum\n\n[callflume k-1]"}),
        ),
        (
            vec![
                (Field::Disposition, text("abandoned")),
                (Field::Direction, text("inbound")),
            ],
            json!({"status": "cancel"}),
        ),
        (
            vec![(Field::Disposition, text("outcome_5"))],
            json!({"outcome_id": "outcome_5"}),
        ),
        (
            vec![(Field::Custom("cf_topic".into()), text("x"))],
            json!({"custom.cf_topic": "x"}),
        ),
    ] {
        let (path, body) = changed(Object::Call, &fields);
        assert_eq!(
            (path.as_str(), body),
            ("/api/v1/activity/call/acti_1/", expect)
        );
    }
}

#[test]
fn a_later_sentiment_stands_with_the_contact_or_in_the_accounts_own_field_of_calls() {
    let sentiment = [(Field::Sentiment, text("negative"))];
    assert_eq!(
        changed(Object::Call, &sentiment),
        (
            "/api/v1/contact/cont_1/".to_owned(),
            json!({"custom.cf_mood": "negative"})
        )
    );
    let own = settings()
        .with_custom_fields([("call_sentiment".to_owned(), "cf_callmood".to_owned())].into())
        .unwrap();
    let request = Close::new(own).request(&with_fields(Verb::UpdateById, Object::Call, &sentiment));
    assert_eq!(request.path, "/api/v1/activity/call/acti_1/");
    assert_eq!(body(&request), json!({"custom.cf_callmood": "negative"}));
}

#[test]
fn outcomes_of_the_account_are_added_to_the_status() {
    let own = callflume_crm::Settings::new(
        callflume_crm::ApiVersion::V3,
        [("voicemail".to_owned(), "outcome_7".to_owned())].into(),
    )
    .unwrap();
    let operation = with_fields(
        Verb::Create,
        Object::Call,
        &[(Field::Disposition, text("voicemail"))],
    );
    let body = body(&Close::new(own).request(&operation));
    assert_eq!(
        (&body["status"], &body["outcome_id"]),
        (&json!("completed"), &json!("outcome_7"))
    );
}

#[test]
fn notes_and_tasks_end_with_their_marker() {
    assert_eq!(
        created(
            Object::Note,
            &[
                (Field::Text, text("n")),
                (Field::At, at(0)),
                (Field::Title, text("T"))
            ]
        ),
        (
            "/api/v1/activity/note/".to_owned(),
            json!({"lead_id": "lead_1", "contact_id": "cont_1", "title": "T", "note": "n\n\n[callflume k-1]", "activity_at": "1970-01-01T00:00:00Z"})
        )
    );
    let fields = [
        (Field::Title, text("Call back")),
        (Field::Text, text("about the quote")),
        (Field::At, at(1_793_331_017_000)),
        (Field::Priority, text("high")),
        (Field::Owner, text("user_4")),
    ];
    assert_eq!(
        created(Object::Task, &fields),
        (
            "/api/v1/task/".to_owned(),
            json!({"_type": "lead", "lead_id": "lead_1", "contact_id": "cont_1", "assigned_to": "user_4",
                "text": "Call back\n\nabout the quote\n\n[callflume k-1]", "date": "2026-10-30T03:30:17Z",
                "is_complete": false, "priority": "high"})
        )
    );
    let low = created(Object::Task, &[(Field::Priority, text("low"))]).1;
    assert_eq!(low.get("priority"), None);
    assert_eq!(
        changed(Object::Task, &[(Field::Owner, text("user_5"))]),
        (
            "/api/v1/task/task_1/".to_owned(),
            json!({"assigned_to": "user_5"})
        )
    );
    assert_eq!(
        changed(Object::Note, &[(Field::Title, text("T"))]),
        (
            "/api/v1/activity/note/acti_1/".to_owned(),
            json!({"title": "T"})
        )
    );
}

#[test]
fn a_deal_is_an_opportunity_in_cents() {
    let fields = [
        (Field::Title, text("Quote")),
        (Field::Stage, text("stat_7")),
        (Field::Pipeline, text("pipe_1")),
        (Field::Amount, text("2400.50")),
        (Field::Owner, text("user_4")),
    ];
    assert_eq!(
        created(Object::Deal, &fields),
        (
            "/api/v1/opportunity/".to_owned(),
            json!({"lead_id": "lead_1", "contact_id": "cont_1", "note": "Quote", "status_id": "stat_7", "value": 240_050,
                "value_period": "one_time", "user_id": "user_4", "custom.cf_deal": "k-1"})
        )
    );
    assert_eq!(
        changed(Object::Deal, &fields),
        (
            "/api/v1/opportunity/oppo_1/".to_owned(),
            json!({"status_id": "stat_7", "value": 240_050, "user_id": "user_4"})
        )
    );
    assert_eq!(
        created(Object::Deal, &[(Field::Pipeline, text("pipe_1"))]).1["pipeline_id"],
        "pipe_1"
    );
    let sure = [(Field::Custom("confidence".into()), text("90"))];
    assert_eq!(changed(Object::Deal, &sure).1, json!({"confidence": 90}));
    let odd = with_fields(
        Verb::Create,
        Object::Deal,
        &[(Field::Amount, text("1,200"))],
    );
    assert!(sent(&odd).1.starts_with("/api/v1/me/"));
}

#[test]
fn over_long_texts_are_cut_between_characters_and_keep_their_marker() {
    let long = "𝄞é".repeat(80_000);
    for object in [Object::Call, Object::Note, Object::Task] {
        let (_, body) = created(object, &[(Field::Text, text(&long))]);
        let note = body[if object == Object::Task {
            "text"
        } else {
            "note"
        }]
        .as_str()
        .unwrap();
        assert_eq!(note.chars().count(), 60_000, "{object}");
        assert!(note.ends_with(" […]\n\n[callflume k-1]"), "{object}");
    }
}

#[test]
fn a_mapping_may_name_what_close_has_a_place_for() {
    for (object, field, expect) in [
        (Object::Contact, Field::Email, true),
        (Object::Contact, Field::Text, false),
        (Object::Call, Field::CallId, false),
        (Object::Call, Field::Sentiment, true),
        (Object::Task, Field::Priority, true),
        (Object::Deal, Field::Amount, true),
        (Object::Deal, Field::Text, false),
        (Object::Note, Field::Custom("cf_1".into()), false),
        (Object::Deal, Field::Custom("cf_1".into()), true),
        (Object::Contact, Field::Custom("phones".into()), false),
    ] {
        assert_eq!(
            has_field(object, &field),
            expect,
            "{object} {}",
            field.name()
        );
    }
}
