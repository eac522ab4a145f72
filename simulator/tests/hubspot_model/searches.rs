//! Searches: lag, phones as people type them, filters and their bounds; seeded contacts.

use callflume_sim::hubspot::{HubSpot, HubSpotConfig, ObjectKind, SetupError, WriteKind};
use callflume_sim::phone::national_number;
use serde_json::{Value, json};

use crate::{CONTACTS, NOON_MS, account, body, config, created, get, patch, post};

fn found(crm: &mut HubSpot, at_ms: i64, filters: &Value) -> Vec<String> {
    let request =
        json!({"filterGroups": [{"filters": filters}], "properties": ["phone"], "limit": 200});
    let answer = body(
        &post(crm, at_ms, &format!("{CONTACTS}/search"), &request),
        200,
    );
    let ids: Vec<String> = answer["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(answer["total"], ids.len());
    ids
}

fn by_phone(crm: &mut HubSpot, at_ms: i64, national: &str) -> Vec<String> {
    let filter = json!([{"propertyName": "hs_searchable_calculated_phone_number", "operator": "EQ", "value": national}]);
    found(crm, at_ms, &filter)
}

#[test]
fn a_write_shows_in_searches_after_the_lag_and_in_reads_at_once() {
    let mut crm = account();
    let id = created(
        &mut crm,
        NOON_MS,
        CONTACTS,
        json!({"email": "a@example.com", "phone": "(212) 555-0100"}),
    );
    body(
        &get(
            &mut crm,
            NOON_MS,
            &format!("{CONTACTS}/a@example.com?idProperty=email"),
        ),
        200,
    );
    assert!(by_phone(&mut crm, NOON_MS + 4_999, "2125550100").is_empty());
    assert_eq!(
        by_phone(&mut crm, NOON_MS + 5_000, "2125550100"),
        std::slice::from_ref(&id)
    );

    let update = json!({"properties": {"phone": "+44 7700 900001"}});
    body(
        &patch(
            &mut crm,
            NOON_MS + 6_000,
            &format!("{CONTACTS}/{id}"),
            &update,
        ),
        200,
    );
    assert_eq!(
        by_phone(&mut crm, NOON_MS + 10_999, "2125550100"),
        std::slice::from_ref(&id)
    );
    assert!(by_phone(&mut crm, NOON_MS + 11_000, "2125550100").is_empty());
    assert_eq!(
        by_phone(&mut crm, NOON_MS + 12_000, "7700900001"),
        std::slice::from_ref(&id)
    );

    crm.archive(NOON_MS + 13_000, ObjectKind::Contacts, id.parse().unwrap());
    assert!(by_phone(&mut crm, NOON_MS + 18_000, "7700900001").is_empty());
}

#[test]
fn phones_are_found_by_area_code_and_local_number_however_typed() {
    let mut crm = account();
    let seeded = crm.seed_contacts(400, 11).unwrap();
    assert!(seeded.iter().any(|contact| contact.e164.starts_with("+44")));
    for (place, contact) in seeded.iter().enumerate() {
        let at_ms = NOON_MS + 250 * place as i64;
        let national = national_number(&contact.e164).unwrap();
        assert_eq!(
            by_phone(&mut crm, at_ms, &national),
            [contact.id.to_string()],
            "{}",
            contact.typed_phone
        );
    }
    // The country code is no part of the searchable number.
    let with_code = seeded[1].e164.trim_start_matches('+').to_owned();
    assert!(by_phone(&mut crm, NOON_MS + 200_000, &with_code).is_empty());
    assert!(by_phone(&mut crm, NOON_MS + 201_000, &seeded[1].e164).is_empty());
}

#[test]
fn many_phones_are_looked_up_in_one_search() {
    let mut crm = account();
    let seeded = crm.seed_contacts(40, 5).unwrap();
    let wanted: Vec<&_> = seeded.iter().step_by(4).collect();
    let numbers: Vec<String> = wanted
        .iter()
        .map(|it| national_number(&it.e164).unwrap())
        .collect();
    let filter = json!([{"propertyName": "hs_searchable_calculated_phone_number", "operator": "IN", "values": numbers}]);
    let ids: Vec<String> = wanted.iter().map(|it| it.id.to_string()).collect();
    assert_eq!(found(&mut crm, NOON_MS, &filter), ids);
}

#[test]
fn seeding_depends_on_the_seed_only_and_never_gives_a_number_twice() {
    let seeded = |seed| account().seed_contacts(300, seed).unwrap();
    assert_eq!(seeded(1), seeded(1));
    assert_ne!(seeded(1), seeded(2));
    let mut crm = account();
    let mut numbers: Vec<String> = crm
        .seed_contacts(300, 1)
        .unwrap()
        .into_iter()
        .map(|it| it.e164)
        .collect();
    let more = crm.seed_contacts(300, 1).unwrap();
    numbers.extend(more.iter().map(|it| it.e164.clone()));
    numbers.sort();
    numbers.dedup();
    assert_eq!(numbers.len(), 600);
    assert!(
        crm.writes()
            .iter()
            .all(|write| write.kind == WriteKind::Seeded && write.request_no == 0)
    );
    let with_email = more.iter().filter(|it| it.email.is_some()).count();
    assert!((120..240).contains(&with_email), "{with_email}");
    assert!(matches!(
        crm.seed_contacts(u32::MAX, 1),
        Err(SetupError::NoMoreNumbers { .. })
    ));
}

#[test]
fn filters_are_joined_by_and_groups_by_or() {
    let mut crm = HubSpot::new(HubSpotConfig {
        search_lag_ms: 0,
        ..config()
    })
    .unwrap();
    let ids: Vec<String> = [
        json!({"firstname": "Anna", "voice_mood": "calm", "email": "x1@example.com"}),
        json!({"firstname": "anna", "voice_mood": "cross"}),
        json!({"firstname": "Bert", "voice_mood": "calm"}),
        json!({"firstname": "Carl"}),
    ]
    .into_iter()
    .enumerate()
    .map(|(place, properties)| {
        created(
            &mut crm,
            NOON_MS + place as i64 * 1_000,
            CONTACTS,
            properties,
        )
    })
    .collect();
    let filter = |name: &str, operator: &str, value: &str| json!({"propertyName": name, "operator": operator, "value": value});
    let cases: Vec<(Value, Vec<usize>)> = vec![
        (json!([filter("firstname", "EQ", "ANNA")]), vec![0, 1]),
        (
            json!([
                filter("firstname", "EQ", "anna"),
                filter("voice_mood", "EQ", "calm")
            ]),
            vec![0],
        ),
        (json!([filter("email", "EQ", "X1@example.com")]), vec![0]),
        (
            json!([{"propertyName": "firstname", "operator": "IN", "values": ["bert", "carl"]}]),
            vec![2, 3],
        ),
        (
            json!([{"propertyName": "voice_mood", "operator": "HAS_PROPERTY"}]),
            vec![0, 1, 2],
        ),
        (
            json!([{"propertyName": "voice_mood", "operator": "NOT_HAS_PROPERTY"}]),
            vec![3],
        ),
        (json!([filter("voice_mood", "NEQ", "calm")]), vec![1]),
        (
            json!([filter(
                "lastmodifieddate",
                "GTE",
                &(NOON_MS + 2_000).to_string()
            )]),
            vec![2, 3],
        ),
        (
            json!([filter("lastmodifieddate", "LT", "2026-06-15T12:00:01Z")]),
            vec![0],
        ),
    ];
    for (place, (filters, expected)) in cases.into_iter().enumerate() {
        let at_ms = NOON_MS + 10_000 + place as i64 * 1_000;
        let expected: Vec<&String> = expected.into_iter().map(|it| &ids[it]).collect();
        assert_eq!(
            found(&mut crm, at_ms, &filters).iter().collect::<Vec<_>>(),
            expected,
            "{filters}"
        );
    }
    let or = json!({
        "filterGroups": [{"filters": [filter("firstname", "EQ", "carl")]}, {"filters": [filter("voice_mood", "EQ", "cross")]}],
        "sorts": [{"propertyName": "firstname", "direction": "DESCENDING"}],
        "limit": 1,
    });
    let page = body(
        &post(
            &mut crm,
            NOON_MS + 30_000,
            &format!("{CONTACTS}/search"),
            &or,
        ),
        200,
    );
    assert_eq!(page["total"], 2);
    assert_eq!(page["results"][0]["id"], ids[3].as_str());
    assert_eq!(page["paging"]["next"]["after"], "1");
}

#[test]
fn searches_beyond_their_bounds_are_refused() {
    let filter = json!({"propertyName": "firstname", "operator": "EQ", "value": "x"});
    let group = |count: usize| json!({"filters": vec![filter.clone(); count]});
    for (case, request, status) in [
        (
            "five groups",
            json!({"filterGroups": vec![group(1); 5]}),
            200,
        ),
        (
            "six groups",
            json!({"filterGroups": vec![group(1); 6]}),
            400,
        ),
        ("six filters", json!({"filterGroups": [group(6)]}), 200),
        ("seven filters", json!({"filterGroups": [group(7)]}), 400),
        (
            "19 filters",
            json!({"filterGroups": [group(6), group(6), group(6), group(1)]}),
            400,
        ),
        ("limit 200", json!({"limit": 200}), 200),
        ("limit 201", json!({"limit": 201}), 400),
        ("beyond 10,000", json!({"limit": 100, "after": "9950"}), 400),
        (
            "unknown property",
            json!({"filterGroups": [{"filters": [{"propertyName": "nope", "operator": "EQ", "value": "x"}]}]}),
            400,
        ),
        (
            "unknown operator",
            json!({"filterGroups": [{"filters": [{"propertyName": "firstname", "operator": "LIKE", "value": "x"}]}]}),
            400,
        ),
        (
            "IN without values",
            json!({"filterGroups": [{"filters": [{"propertyName": "firstname", "operator": "IN", "value": "x"}]}]}),
            400,
        ),
        ("two sorts", json!({"sorts": ["firstname", "email"]}), 400),
    ] {
        let mut crm = account();
        assert_eq!(
            post(&mut crm, NOON_MS, &format!("{CONTACTS}/search"), &request).status,
            status,
            "{case}"
        );
    }
}
