//! Every request, whatever it is made of, is one that Close's OpenAPI describes.

use callflume_core::effect::{DISPOSITIONS, Field, Fields, Object, Value};
use callflume_core::time::WallTime;
use callflume_core::vendor::{Operation, Vendor, Verb};
use callflume_crm::close::setup;
use proptest::prelude::*;

use crate::recorded::VERBS;
use crate::schema::faults;
use crate::support::{close, operation};

fn text() -> impl Strategy<Value = Value> {
    "\\PC{0,20}".prop_map(Value::Text)
}

fn one_of(all: &'static [&'static str]) -> impl Strategy<Value = Value> {
    prop::sample::select(all).prop_map(|text| Value::Text(text.to_owned()))
}

/// Any fields, of whichever object: what has no place is left out.
fn arbitrary_fields() -> impl Strategy<Value = Fields> {
    let plain = prop_oneof![
        Just(Field::FirstName),
        Just(Field::LastName),
        Just(Field::Phone),
        Just(Field::Email),
        Just(Field::Title),
        Just(Field::Text),
        Just(Field::From),
        Just(Field::To),
        Just(Field::CallId),
        Just(Field::Pipeline),
        Just(Field::Stage),
        Just(Field::Owner),
        "cf_[A-Za-z0-9]{1,8}".prop_map(Field::Custom),
    ];
    let field = prop_oneof![
        3 => (plain, text()),
        1 => any::<bool>().prop_map(|flag| (Field::OptedOut, Value::Flag(flag))),
        1 => any::<i64>().prop_map(|ms| (Field::At, Value::At(WallTime(ms)))),
        1 => any::<u64>().prop_map(|ms| (Field::Duration, Value::DurationMs(ms))),
        1 => one_of(DISPOSITIONS).prop_map(|name| (Field::Disposition, name)),
        1 => one_of(&["inbound", "outbound"]).prop_map(|said| (Field::Direction, said)),
        1 => one_of(&["positive", "neutral", "negative"]).prop_map(|said| (Field::Sentiment, said)),
        1 => one_of(&["high", "medium", "low"]).prop_map(|said| (Field::Priority, said)),
        1 => one_of(&["https://r.example/1.mp3", "http://r.example/1", ""]).prop_map(|url| (Field::RecordingUrl, url)),
        1 => "[0-9]{1,12}(\\.[0-9]{0,4})?".prop_map(|amount| (Field::Amount, Value::Text(amount))),
    ];
    prop::collection::vec(field, 0..10).prop_map(|all| all.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_operation_is_a_request_of_the_openapi(
        verb in (0..VERBS.len()).prop_map(|index| VERBS[index].1),
        object in prop::sample::select(Object::ALL.to_vec()),
        count in 1_u64..4,
        fields in arbitrary_fields(),
        stamp in any::<bool>(),
        after in prop::option::of("search|[0-9]{1,4}"),
    ) {
        let mut operation: Operation = operation(verb, object, count);
        operation.after = after;
        for item in &mut operation.items {
            item.fields = fields.clone();
            item.stamp = stamp;
        }
        let request = close().request(&operation);
        prop_assert_eq!(faults(&request), Vec::<String>::new());
        // Nothing is ever changed without an id.
        if request.method == callflume_core::vendor::Method::Put {
            let id = request.path.trim_end_matches('/').rsplit('/').next().unwrap();
            prop_assert!(id.contains('_'), "{}", request.path);
        }
    }
}

#[test]
fn the_requests_of_check_and_prepare_are_too() {
    let empty = crate::support::response(200, &serde_json::json!({"data": [], "has_more": false}));
    let bare = callflume_crm::Settings::default();
    let mut requests = vec![setup::credential_request()];
    for object in [Object::Contact, Object::Deal] {
        requests.push(setup::fields_request(object, 0));
        requests.push(setup::fields_request(object, 100));
        let findings = setup::fields(&bare, object, std::slice::from_ref(&empty));
        requests.extend(findings.into_iter().filter_map(|finding| finding.repair));
    }
    assert_eq!(requests.len(), 9);
    for request in &requests {
        assert_eq!(faults(request), Vec::<String>::new());
    }
}

#[test]
fn the_fullest_search_is_one_request() {
    for verb in [Verb::ReadByKey, Verb::ReadByEmail, Verb::SearchByPhone] {
        let most = close().batch_max(verb, Object::Contact) as u64;
        let request = close().request(&operation(verb, Object::Contact, most));
        assert_eq!(faults(&request), Vec::<String>::new());
        let length = request.body.unwrap().len();
        assert!((2_000..20_000).contains(&length), "{verb:?}: {length}");
    }
}
