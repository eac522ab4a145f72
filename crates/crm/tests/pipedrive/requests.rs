//! What is sent to Pipedrive, what it costs there, and that its API takes it.

use callflume_core::effect::{Field, Fields, Object, Value as FieldValue};
use callflume_core::event::Phone;
use callflume_core::time::WallTime;
use callflume_core::vendor::{HttpRequest, Method, Operation, Unit, Vendor, Verb};
use callflume_crm::limit_profile;
use callflume_crm::pipedrive::{Pipedrive, place};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::schema::{described, tokens, violations};
use super::{operation, pipedrive, with_fields, writing};
use crate::recorded::VERBS;

fn text(value: &str) -> FieldValue {
    FieldValue::Text(value.into())
}

fn shown(request: &HttpRequest) -> (Method, String, Value) {
    let body = request
        .body
        .as_ref()
        .map_or(Value::Null, |body| serde_json::from_slice(body).unwrap());
    (request.method, request.path.clone(), body)
}

fn sent(operation: &Operation) -> (Method, String, Value) {
    shown(&pipedrive().request(operation))
}

/// 2026-10-30, 03:30:17 UTC.
const AT: FieldValue = FieldValue::At(WallTime(1_793_331_017_000));

fn whole_call() -> Fields {
    Fields::from([
        (Field::Title, text("Call about an offer")),
        (Field::Text, text("Wants an offer <soon>.")),
        (Field::Direction, text("inbound")),
        (Field::Disposition, text("no_answer")),
        (Field::Duration, FieldValue::DurationMs(185_400)),
        (Field::From, text("+12025550101")),
        (Field::To, text("+12025550190")),
        (Field::CallId, text("C1")),
        (Field::At, AT),
        (Field::Owner, text("31")),
        (Field::RecordingUrl, text("https://rec.example/1?a=b&c")),
        (Field::Sentiment, text("positive")),
    ])
}

#[test]
fn a_whole_call_is_one_activity() {
    assert_eq!(
        sent(&writing(Verb::Create, Object::Call, whole_call())),
        (
            Method::Post,
            "/api/v2/activities".into(),
            json!({
                "subject": "Call about an offer", "type": "call", "done": true,
                "participants": [{"person_id": 9101, "primary": true}],
                "due_date": "2026-10-30", "due_time": "03:30", "duration": "00:03", "owner_id": 31,
                "public_description": "Recording: https://rec.example/1?a=b&c",
                "location": {"value": "Sentiment: positive"},
                "note": "<p>Wants an offer &lt;soon&gt;.</p><p>Direction: inbound<br>Outcome: no answer<br>\
                    Length: 185 s<br>From: +12025550101<br>To: +12025550190<br>Call: C1</p><p>[callflume k-1]</p>",
            })
        )
    );
}

#[test]
fn what_comes_after_the_call_leaves_its_note_alone() {
    for (fields, expect) in [
        (
            vec![(Field::RecordingUrl, text("https://rec.example/1"))],
            json!({"public_description": "Recording: https://rec.example/1"}),
        ),
        (
            vec![(Field::Sentiment, text("negative"))],
            json!({"location": {"value": "Sentiment: negative"}}),
        ),
        (
            vec![
                (Field::Duration, FieldValue::DurationMs(1)),
                (Field::From, text("+12025550101")),
            ],
            json!({"duration": "00:01"}),
        ),
        (
            vec![(Field::Text, text("New"))],
            json!({"note": "<p>New</p><p>[callflume k-1]</p>"}),
        ),
        (
            vec![(Field::Disposition, text("busy"))],
            json!({"note": "<p>Outcome: busy</p><p>[callflume k-1]</p>"}),
        ),
    ] {
        assert_eq!(
            sent(&writing(
                Verb::UpdateById,
                Object::Call,
                fields.into_iter().collect()
            )),
            (Method::Patch, "/api/v2/activities/9001".into(), expect)
        );
    }
}

#[test]
fn a_new_person_has_numbers_and_our_key() {
    let fields = Fields::from([
        (Field::FirstName, text("Mira")),
        (Field::LastName, text("Holm")),
        (Field::Phone, text("+12025550101")),
        (Field::Email, text("p1@example.org")),
        (Field::OptedOut, FieldValue::Flag(true)),
        (Field::Custom("lead_score".into()), text("9")),
        (Field::Custom("org_id".into()), text("77")),
        (Field::Custom("aaaa".into()), text("forged")),
    ]);
    assert_eq!(
        sent(&writing(Verb::UpsertByKey, Object::Contact, fields)),
        (
            Method::Post,
            "/api/v2/persons".into(),
            json!({
                "name": "Mira Holm", "org_id": 77,
                "phones": [{"value": "+12025550101", "primary": true, "label": "work"}],
                "emails": [{"value": "p1@example.org", "primary": true, "label": "work"}],
                "custom_fields": {"aaaa": "k-1", "bbbb": "true", "lead_score": "9"},
            })
        )
    );
    for (fields, name) in [
        (vec![(Field::LastName, text("Holm"))], "Holm"),
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
        let operation = writing(Verb::Create, Object::Contact, fields.into_iter().collect());
        assert_eq!(sent(&operation).2["name"], name);
    }
}

#[test]
fn an_update_never_replaces_what_people_typed() {
    let fields = Fields::from([
        (Field::FirstName, text("Mira")),
        (Field::Phone, text("+12025550101")),
        (Field::Email, text("p1@example.org")),
    ]);
    let operation = writing(Verb::UpdateById, Object::Contact, fields);
    // Nothing is left to write: whether the person is there is read instead.
    assert_eq!(
        sent(&operation),
        (Method::Get, "/api/v2/persons/9001".into(), Value::Null)
    );
    let additive = with_fields(&[("contact_key", "aaaa"), ("contact_phone", "pppp")]);
    assert_eq!(
        shown(&Pipedrive::new(additive).request(&operation)),
        (
            Method::Patch,
            "/api/v2/persons/9001".into(),
            json!({"custom_fields": {"pppp": "+12025550101"}})
        )
    );
    let names = Fields::from([
        (Field::FirstName, text("Mira")),
        (Field::LastName, text("Holm")),
    ]);
    let mut operation = writing(Verb::UpdateById, Object::Contact, names);
    operation.items[0].stamp = true;
    assert_eq!(
        sent(&operation).2,
        json!({"name": "Mira Holm", "custom_fields": {"aaaa": "k-1"}})
    );
}

#[test]
fn a_mapped_custom_field_goes_under_its_key_where_there_are_custom_fields() {
    let keys = [
        ("contact_key", "aaaa"),
        ("deal_key", "cccc"),
        ("contact_lead_score", "eeee"),
        ("call_lead_score", "ffff"),
    ];
    let vendor = Pipedrive::new(with_fields(&keys));
    let fields = Fields::from([(Field::Custom("lead_score".into()), text("9"))]);
    for (object, expect) in [
        (Object::Contact, json!({"custom_fields": {"eeee": "9"}})),
        (Object::Deal, json!({"custom_fields": {"lead_score": "9"}})),
        (Object::Call, Value::Null),
    ] {
        let operation = writing(Verb::UpdateById, object, fields.clone());
        assert_eq!(shown(&vendor.request(&operation)).2, expect, "{object}");
    }
    // Our key is nobody else's to write, whichever way it is named.
    for (object, name) in [
        (Object::Contact, "aaaa"),
        (Object::Contact, "key"),
        (Object::Deal, "cccc"),
        (Object::Deal, "key"),
    ] {
        let fields = Fields::from([(Field::Custom(name.into()), text("forged"))]);
        let operation = writing(Verb::UpdateById, object, fields);
        assert_eq!(shown(&vendor.request(&operation)).2, Value::Null, "{name}");
    }
}

#[test]
fn notes_tasks_and_deals_in_pipedrives_terms() {
    let task = Fields::from([
        (Field::Title, text("Call back")),
        (Field::Text, text("a & b")),
        (Field::Priority, text("high")),
        (Field::At, AT),
        (Field::Custom("deal_id".into()), text("441")),
    ]);
    let note = Fields::from([(Field::Text, text("one\ntwo")), (Field::At, AT)]);
    let deal = Fields::from([
        (Field::Title, text("Offer")),
        (Field::Pipeline, text("2")),
        (Field::Stage, text("7")),
        (Field::Amount, text("1250.50")),
        (Field::Owner, text("31")),
        (Field::Custom("currency".into()), text("EUR")),
    ]);
    let won = Fields::from([(Field::Stage, text("won")), (Field::Amount, text("12"))]);
    for (verb, object, fields, method, path, body) in [
        (
            Verb::Create,
            Object::Task,
            task,
            Method::Post,
            "/api/v2/activities",
            json!({"subject": "Call back", "type": "task", "done": false, "due_date": "2026-10-30", "due_time": "03:30",
                "deal_id": 441, "participants": [{"person_id": 9101, "primary": true}],
                "note": "<p>a &amp; b</p><p>Priority: high</p><p>[callflume k-1]</p>"}),
        ),
        (
            Verb::Create,
            Object::Note,
            note.clone(),
            Method::Post,
            "/api/v1/notes",
            json!({"person_id": 9101, "content": "<p>one<br>two</p><p>[callflume k-1] 2026-10-30 03:30:17 UTC</p>"}),
        ),
        (
            Verb::UpdateById,
            Object::Note,
            note,
            Method::Put,
            "/api/v1/notes/9001",
            json!({"content": "<p>one<br>two</p><p>[callflume k-1] 2026-10-30 03:30:17 UTC</p>"}),
        ),
        (
            Verb::Create,
            Object::Deal,
            deal,
            Method::Post,
            "/api/v2/deals",
            json!({"title": "Offer", "person_id": 9101, "pipeline_id": 2, "stage_id": 7, "value": 1250.5,
                "owner_id": 31, "currency": "EUR", "custom_fields": {"cccc": "k-1"}}),
        ),
        (
            Verb::UpdateById,
            Object::Deal,
            won,
            Method::Patch,
            "/api/v2/deals/9001",
            json!({"status": "won", "value": 12}),
        ),
    ] {
        assert_eq!(
            sent(&writing(verb, object, fields)),
            (method, path.to_owned(), body)
        );
    }
    assert_eq!(
        sent(&operation(Verb::Create, Object::Deal, 1)).2["title"],
        "Deal from a call"
    );
}

#[test]
fn look_ups_probes_and_listings() {
    let mut page = operation(Verb::List, Object::Contact, 0);
    page.after = Some("a+b=".into());
    let mut mixed = operation(Verb::ReadByEmail, Object::Contact, 1);
    mixed.items[0].email = Some(" Mira+Holm@Example.ORG ".into());
    let mut abroad = operation(Verb::SearchByPhone, Object::Contact, 1);
    abroad.items[0].phone = Phone::parse("+44 7700 900123");
    let mut nowhere = operation(Verb::Probe, Object::Call, 1);
    nowhere.items[0].contact = None;
    for (operation, path) in [
        (
            operation(Verb::ReadByKey, Object::Contact, 1),
            "/api/v2/persons/search?term=k-1&fields=custom_fields&exact_match=true&limit=500",
        ),
        (
            mixed,
            "/api/v2/persons/search?term=mira%2Bholm%40example.org&fields=email&exact_match=true&limit=500",
        ),
        (
            abroad,
            "/api/v2/persons/search?term=0123&fields=phone&exact_match=false&limit=500",
        ),
        (
            operation(Verb::Probe, Object::Contact, 1),
            "/api/v2/persons?sort_by=add_time&sort_direction=desc&limit=500&custom_fields=aaaa",
        ),
        (
            operation(Verb::Probe, Object::Call, 1),
            "/api/v2/activities?person_id=9101&sort_by=add_time&sort_direction=desc&limit=500",
        ),
        (
            nowhere,
            "/api/v2/activities?sort_by=add_time&sort_direction=desc&limit=500",
        ),
        (
            operation(Verb::Probe, Object::Deal, 1),
            "/api/v2/deals?person_id=9101&sort_by=add_time&sort_direction=desc&limit=500&custom_fields=cccc",
        ),
        (
            operation(Verb::Probe, Object::Note, 1),
            "/api/v1/notes?person_id=9101&sort=add_time%20DESC&start=0&limit=500",
        ),
        (
            page,
            "/api/v2/persons?sort_by=id&sort_direction=asc&limit=500&custom_fields=aaaa&cursor=a%2Bb%3D",
        ),
    ] {
        assert_eq!(
            sent(&operation),
            (Method::Get, path.to_owned(), Value::Null)
        );
    }
}

#[test]
fn over_long_texts_are_cut_and_keep_their_marker() {
    for object in [Object::Call, Object::Task, Object::Note, Object::Deal] {
        let long = "é<".repeat(60_000);
        let fields = Fields::from([(Field::Text, text(&long)), (Field::Title, text(&long))]);
        let (_, _, body) = sent(&writing(Verb::Create, object, fields));
        for name in ["subject", "title"] {
            if let Some(title) = body[name].as_str() {
                assert_eq!(title.chars().count(), 255, "{object}");
                assert!(title.ends_with(" […]"));
            }
        }
        for name in ["note", "content"] {
            if let Some(html) = body[name].as_str() {
                assert!(html.len() <= 65_000, "{object} {}", html.len());
                assert!(html.ends_with(" […]</p><p>[callflume k-1]</p>"), "{object}");
            }
        }
    }
}

#[test]
fn every_operation_costs_the_tokens_that_its_endpoint_is_described_with() {
    let windows = limit_profile("pipedrive", "lite_api_token").unwrap();
    for object in Object::ALL {
        for (name, verb) in VERBS {
            let fields = match object {
                Object::Contact => Fields::from([(Field::OptedOut, FieldValue::Flag(true))]),
                Object::Deal => Fields::from([(Field::Stage, text("4"))]),
                _ => Fields::from([(Field::Text, text("x"))]),
            };
            let request = pipedrive().request(&writing(verb, object, fields));
            let charges = pipedrive().windows(verb, object);
            let charged: Vec<u32> = charges
                .iter()
                .filter(|charge| windows[charge.window].unit == Unit::Token)
                .map(|charge| charge.cost)
                .collect();
            assert_eq!(charged, [tokens(&request)], "{name} {object}");
            let searches = charges
                .iter()
                .any(|charge| windows[charge.window].name == "search");
            assert_eq!(
                searches,
                described(&request).path.ends_with("/search"),
                "{name} {object}"
            );
        }
    }
    // An update that has nothing to write is a read, and cheaper than what was set aside.
    let read = pipedrive().request(&operation(Verb::UpdateById, Object::Contact, 1));
    assert_eq!(tokens(&read), 1);
}

#[test]
fn a_call_of_the_load_tests_mix_costs_less_than_30_tokens() {
    let cost = |verb, object: Object, fields: &[(Field, FieldValue)]| {
        let fields: Fields = fields.iter().cloned().collect();
        tokens(&pipedrive().request(&writing(verb, object, fields)))
    };
    let create = |object| cost(Verb::Create, object, &[]);
    let after = |field, value| cost(Verb::UpdateById, Object::Call, &[(field, text(value))]);
    let person = cost(
        Verb::UpdateById,
        Object::Contact,
        &[(Field::Custom("lead_score".into()), text("1"))],
    );
    // Per thousand calls.
    let total = 1_000 * create(Object::Call)
        + 280 * create(Object::Task)
        + 150 * create(Object::Deal)
        + 1_100 * create(Object::Note)
        + 500 * after(Field::Sentiment, "neutral")
        + 400 * after(Field::RecordingUrl, "https://rec.example/1")
        + 1_170 * person;
    assert_eq!(total, 28_500);
    let naive = 20 + 5 + 5 + 10 + 10;
    assert!(total < 30 * 1_000 && naive == 50);
}

#[test]
fn every_field_of_the_table_has_its_place_and_no_other() {
    use Object::{Call, Contact, Deal, Note, Task};
    for (field, objects) in [
        (Field::FirstName, &[Contact][..]),
        (Field::Phone, &[Contact]),
        (Field::OptedOut, &[Contact]),
        (Field::At, &[Call, Note, Task]),
        (Field::Title, &[Call, Task, Deal]),
        (Field::Text, &[Call, Note, Task]),
        (Field::Direction, &[Call]),
        (Field::Duration, &[Call]),
        (Field::Disposition, &[Call]),
        (Field::To, &[Call]),
        (Field::RecordingUrl, &[Call]),
        (Field::Sentiment, &[Call]),
        (Field::CallId, &[Call]),
        (Field::Priority, &[Task]),
        (Field::Pipeline, &[Deal]),
        (Field::Stage, &[Deal]),
        (Field::Amount, &[Deal]),
        (Field::Owner, &[Contact, Call, Task, Deal]),
        (Field::Custom("lead_score".into()), &[Contact, Deal]),
        (
            Field::Custom("deal_id".into()),
            &[Call, Note, Task, Contact, Deal],
        ),
    ] {
        for object in Object::ALL {
            let expect = objects.contains(&object);
            assert_eq!(
                place(object, &field).is_some(),
                expect,
                "{object} {}",
                field.name()
            );
            // What has a place is written, what has none is not.
            let value = match field {
                Field::At => AT,
                Field::Duration => FieldValue::DurationMs(60_000),
                Field::OptedOut => FieldValue::Flag(true),
                Field::Owner | Field::Stage | Field::Pipeline | Field::Amount => text("7"),
                Field::Custom(_) => text("7"),
                _ => text("worth"),
            };
            let with = sent(&writing(
                Verb::Create,
                object,
                Fields::from([(field.clone(), value)]),
            ));
            let without = sent(&writing(Verb::Create, object, Fields::new()));
            assert_eq!(with != without, expect, "{object} {}", field.name());
        }
    }
}

fn arbitrary_fields() -> impl Strategy<Value = Fields> {
    let plain = prop::sample::select(
        "first_name last_name phone email opted_out at title text direction duration disposition from to recording_url \
         sentiment call_id priority pipeline stage amount owner x.lead_score x.org_id x.deal_id x.done x.type x.status"
            .split_whitespace()
            .map(|name| Field::parse(name).unwrap())
            .collect::<Vec<Field>>(),
    );
    let value = prop_oneof![
        "\\PC{0,40}|[0-9]{1,6}|[0-9]{1,4}\\.[0-9]{2}|true|won".prop_map(FieldValue::Text),
        any::<i64>().prop_map(|at| FieldValue::At(WallTime(at))),
        any::<u64>().prop_map(FieldValue::DurationMs),
        any::<bool>().prop_map(FieldValue::Flag),
    ];
    prop::collection::btree_map(plain, value, 0..12)
}

proptest! {
    #[test]
    fn whatever_the_fields_the_request_is_one_that_the_api_describes(
        verb in prop::sample::select(VERBS.map(|(_, verb)| verb).to_vec()),
        object in prop::sample::select(Object::ALL.to_vec()),
        fields in arbitrary_fields(),
        stamp in any::<bool>(),
    ) {
        let mut operation = writing(verb, object, fields);
        for item in &mut operation.items {
            item.stamp = stamp;
        }
        let request = pipedrive().request(&operation);
        prop_assert_eq!(violations(&request), Vec::<String>::new());
        if verb == Verb::UpdateById && object == Object::Contact {
            let (_, _, body) = shown(&request);
            prop_assert!(body.get("phones").is_none() && body.get("emails").is_none());
            prop_assert!(body.get("marketing_status").is_none());
        }
        prop_assert_eq!(pipedrive().request(&operation), request);
    }
}
