//! Whatever is asked, a request is one that Salesforce's interface describes, within its sizes.

use callflume_core::effect::{Field, Fields, Object, Value as FieldValue};
use callflume_core::event::Phone;
use callflume_core::time::WallTime;
use callflume_core::vendor::{Method, Operation, Vendor, Verb};
use callflume_crm::has_field;
use callflume_crm::salesforce::{KEY_FIELD, place};
use proptest::prelude::*;
use serde_json::Value;

use crate::recorded::VERBS;
use crate::schema::violations;
use crate::support::{
    AT, WRITES, item, operation, query, record, salesforce, sent, shown_request, text, writing,
};

#[test]
fn the_fullest_requests_stay_within_what_salesforce_takes() {
    let vendor = salesforce();
    for object in Object::ALL {
        for (name, verb) in VERBS {
            let most = vendor.batch_max(verb, object);
            let mut full = operation(verb, object, 0);
            for number in 1..=most as u64 {
                let mut item = item(1);
                item.trace = number;
                item.key = format!("{number:064}");
                item.email = Some(format!("{number:08}{}@example.org", "+x".repeat(27)));
                item.phone = Phone::parse(&format!("+4930{number:011}"));
                item.fields = Fields::from([(Field::Stage, text("Prospecting"))]);
                full.items.push(item);
            }
            let request = vendor.request(&full);
            assert_eq!(
                violations(&request),
                Vec::<String>::new(),
                "{name} {object}"
            );
            if verb == Verb::ReadByEmail && object == Object::Contact {
                assert_eq!(query(&request).matches("@example.org").count(), most);
            }
        }
    }
}

#[test]
fn over_long_texts_are_cut() {
    let long = "é<".repeat(60_000);
    for (object, name, most) in [
        (Object::Call, "Description", 32_000),
        (Object::Call, "Subject", 255),
        (Object::Note, "Description", 32_000),
        (Object::Task, "Subject", 255),
        (Object::Deal, "Name", 120),
        (Object::Contact, "LastName", 80),
    ] {
        let fields = Fields::from([
            (Field::Text, text(&long)),
            (Field::Title, text(&long)),
            (Field::LastName, text(&long)),
            (Field::Stage, text("Prospecting")),
        ]);
        let written = record(&writing(Verb::Create, object, fields));
        let shown = written[name].as_str().unwrap();
        assert_eq!(shown.chars().count(), most, "{object} {name}");
        assert!(shown.ends_with(" […]"), "{object} {name}");
    }
}

#[test]
fn every_field_of_the_table_has_its_place_and_no_other() {
    use Object::{Call, Contact, Deal, Note, Task};
    for (field, objects) in [
        (Field::FirstName, &[Contact][..]),
        (Field::LastName, &[Contact]),
        (Field::Phone, &[Contact]),
        (Field::Email, &[Contact]),
        (Field::OptedOut, &[Contact]),
        (Field::At, &[Call, Note, Task, Deal]),
        (Field::Title, &[Call, Task, Deal]),
        (Field::Text, &[Call, Note, Task]),
        (Field::Direction, &[Call]),
        (Field::Duration, &[Call]),
        (Field::Disposition, &[Call]),
        (Field::From, &[Call]),
        (Field::To, &[Call]),
        (Field::RecordingUrl, &[Call]),
        (Field::Sentiment, &[Call]),
        (Field::CallId, &[Call]),
        (Field::Priority, &[Task]),
        (Field::Pipeline, &[Deal]),
        (Field::Stage, &[Deal]),
        (Field::Amount, &[Deal]),
        (Field::Owner, &[Contact, Call, Note, Task, Deal]),
        (
            Field::Custom("lead_score".into()),
            &[Contact, Call, Note, Task, Deal],
        ),
    ] {
        for object in Object::ALL {
            let expect = objects.contains(&object);
            let name = field.name();
            assert_eq!(place(object, &field).is_some(), expect, "{object} {name}");
            assert_eq!(has_field("salesforce", object, &field), expect);
            // What has a place is written, what has none is not.
            let value = match field {
                Field::At => AT,
                Field::Duration => FieldValue::DurationMs(60_000),
                Field::OptedOut => FieldValue::Flag(true),
                Field::Owner | Field::Pipeline => text("0055g0000000031"),
                Field::Amount => text("7"),
                _ => text("worth"),
            };
            let stage = Fields::from([(Field::Stage, text("Prospecting"))]);
            let mut fields = stage.clone();
            fields.insert(field.clone(), value);
            let with = sent(&writing(Verb::Create, object, fields));
            let without = sent(&writing(Verb::Create, object, stage));
            assert_eq!(with != without, expect, "{object} {name}");
        }
    }
}

fn arbitrary_fields() -> impl Strategy<Value = Fields> {
    let plain = prop::sample::select(
        "first_name last_name phone email opted_out at title text direction duration disposition from to recording_url \
         sentiment call_id priority pipeline stage amount owner x.lead_score x.WhatId x.done x.callflume_key__c x.id"
            .split_whitespace()
            .map(|name| Field::parse(name).unwrap())
            .collect::<Vec<Field>>(),
    );
    let value = prop_oneof![
        "\\PC{0,40}|[0-9]{1,6}|[0-9]{1,4}\\.[0-9]{2}|true|won|0055g00000000[0-9]{2}"
            .prop_map(FieldValue::Text),
        any::<i64>().prop_map(|at| FieldValue::At(WallTime(at))),
        any::<u64>().prop_map(FieldValue::DurationMs),
        any::<bool>().prop_map(FieldValue::Flag),
    ];
    prop::collection::btree_map(plain, value, 0..12)
}

/// Whether a text fits a pattern of SOQL's `LIKE` that is digits with `%` around each: they occur in it in this order.
fn is_like(pattern: &str, text: &str) -> bool {
    let mut rest = text.chars();
    pattern
        .chars()
        .filter(|c| *c != '%')
        .all(|digit| rest.any(|c| c == digit))
}

proptest! {
    #[test]
    fn whatever_the_fields_the_request_is_one_that_the_api_describes(
        verb in prop::sample::select(VERBS.map(|(_, verb)| verb).to_vec()),
        object in prop::sample::select(Object::ALL.to_vec()),
        fields in arbitrary_fields(),
        email in "\\PC{0,90}",
        stamp in any::<bool>(),
    ) {
        let mut operation = operation(verb, object, 3);
        for item in &mut operation.items {
            item.stamp = stamp;
        }
        if let Some(item) = operation.items.first_mut() {
            item.fields = fields;
            item.email = Some(email);
        }
        let request = salesforce().request(&operation);
        prop_assert_eq!(violations(&request), Vec::<String>::new());
        // Nothing that a mapping says can be our key, or choose another record.
        if WRITES.contains(&verb) {
            let (_, _, body) = shown_request(&request);
            let records = body["records"].as_array().cloned().unwrap_or_default();
            for record in records {
                let key = record.get(KEY_FIELD).map(|key| key.as_str().unwrap().to_owned());
                prop_assert!(key.is_none_or(|key| ["k-1", "k-2", "k-3"].contains(&key.as_str())));
            }
        }
        prop_assert_eq!(salesforce().request(&operation), request);
    }

    #[test]
    fn every_spelling_that_is_taken_for_a_number_is_looked_for(
        number in "\\+[1-9][0-9]{7,14}",
        spelled in prop::collection::vec("[ ./()-]{0,2}", 16),
        start in 0_usize..8,
        extension in "|x9| ext. 44",
    ) {
        let phone = Phone::parse(&number).unwrap();
        let digits = number.trim_start_matches('+');
        let from = start.min(digits.len() - 7);
        let mut typed = String::new();
        for (digit, between) in digits.chars().skip(from).zip(&spelled) {
            typed.push(digit);
            typed.push_str(between);
        }
        typed.push_str(&extension);
        let mut operation = operation(Verb::SearchByPhone, Object::Contact, 1);
        operation.items[0].phone = Some(phone.clone());
        let soql = query(&salesforce().request(&operation));
        let pattern = soql.split('\'').nth(1).unwrap();
        prop_assert!(!phone.matches_typed(&typed) || is_like(pattern, &typed), "{} {}", typed, pattern);
    }
}

#[test]
fn an_operation_without_items_asks_for_the_limits() {
    for (_, verb) in VERBS {
        if verb == Verb::List {
            continue;
        }
        let nothing = Operation {
            items: Vec::new(),
            ..operation(verb, Object::Contact, 0)
        };
        assert_eq!(
            sent(&nothing),
            (
                Method::Get,
                "/services/data/v66.0/limits".to_owned(),
                Value::Null
            )
        );
    }
}
