//! The search: fields, exactness, shortest terms, lag.

use callflume_sim::pipedrive::{Kind, PhoneSearch, Pipedrive, PipedriveConfig};
use serde_json::json;

use crate::{NOON_MS, PERSON_KEY, PERSONS, body, company, config, created, get, patch};

fn found(crm: &mut Pipedrive, at_ms: i64, query: &str) -> Vec<u64> {
    let reply = get(crm, at_ms, &format!("{PERSONS}/search?{query}"));
    body(&reply, 200)["data"]["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|hit| hit["item"]["id"].as_u64().unwrap())
        .collect()
}

fn mira(crm: &mut Pipedrive) -> u64 {
    created(
        crm,
        NOON_MS,
        PERSONS,
        json!({"name": "Mira Holm", "phones": [{"value": "(202) 555-0101", "primary": true}],
            "emails": [{"value": "Mira@Example.com", "primary": true}], "custom_fields": {PERSON_KEY: "k-17"}}),
    )
}

#[test]
fn exact_matches_compare_the_whole_and_others_a_part_without_regard_to_case() {
    let mut crm = company();
    let id = mira(&mut crm);
    let later = NOON_MS + 5_000;
    for (turn, (query, hit)) in (0..).zip([
        ("term=mira@example.com&fields=email&exact_match=true", true),
        ("term=mira@example&fields=email&exact_match=true", false),
        ("term=mira@example&fields=email", true),
        ("term=k-17&fields=custom_fields&exact_match=true", true),
        ("term=k-1&fields=custom_fields&exact_match=true", false),
        ("term=0101&fields=phone", true),
        ("term=2025550101&fields=phone", false),
        ("term=0101&fields=email", false),
        ("term=HOLM", true),
        ("term=k-17&fields=email,custom_fields", true),
    ]) {
        let expect: Vec<u64> = if hit { vec![id] } else { Vec::new() };
        assert_eq!(
            found(&mut crm, later + turn * 2_000, query),
            expect,
            "{query}"
        );
    }
    for (turn, query) in (0..).zip([
        "term=m",
        "term=&exact_match=true",
        "fields=email",
        "term=mira&fields=colour",
        "term=mira&exact_match=yes",
        "term=mira&limit=501",
    ]) {
        let target = format!("{PERSONS}/search?{query}");
        let reply = get(&mut crm, later + 60_000 + turn * 2_000, &target);
        assert_eq!(reply.status, 400, "{query}");
    }
}

#[test]
fn a_company_may_compare_the_digits_of_numbers_only() {
    let mut crm = Pipedrive::new(PipedriveConfig {
        phone_search: PhoneSearch::Digits,
        ..config()
    })
    .unwrap();
    let id = mira(&mut crm);
    assert_eq!(
        found(&mut crm, NOON_MS + 5_000, "term=2025550101&fields=phone"),
        [id]
    );
}

#[test]
fn the_search_lags_behind_and_the_listing_does_not() {
    let mut crm = company();
    let id = mira(&mut crm);
    let query = "term=mira&fields=name";
    assert_eq!(found(&mut crm, NOON_MS + 4_999, query), Vec::<u64>::new());
    let listed = get(&mut crm, NOON_MS + 4_999, PERSONS);
    assert_eq!(body(&listed, 200)["data"][0]["id"], id);
    assert_eq!(found(&mut crm, NOON_MS + 5_000, query), [id]);
    let renamed = json!({"name": "Odile Holm"});
    patch(
        &mut crm,
        NOON_MS + 10_000,
        &format!("{PERSONS}/{id}"),
        &renamed,
    );
    assert_eq!(
        found(&mut crm, NOON_MS + 14_999, query),
        [id],
        "still the old name"
    );
    assert_eq!(found(&mut crm, NOON_MS + 15_000, query), Vec::<u64>::new());
    crm.remove(NOON_MS + 20_000, Kind::Person, id);
    assert_eq!(found(&mut crm, NOON_MS + 24_999, "term=odile"), [id]);
    assert_eq!(
        found(&mut crm, NOON_MS + 25_000, "term=odile"),
        Vec::<u64>::new()
    );
    crm.set_search_lag_ms(0);
    let fields = json!({"name": "Nils Novak"});
    let nils = created(&mut crm, NOON_MS + 30_000, PERSONS, fields);
    assert_eq!(found(&mut crm, NOON_MS + 30_000, "term=novak"), [nils]);
}

#[test]
fn a_long_answer_comes_in_pages() {
    let mut crm = company();
    let seeded = crm.seed_contacts(250, 7).unwrap();
    let mut cursor = String::new();
    let mut seen = Vec::new();
    for (turn, full) in [(0, true), (1, true), (2, false)] {
        let query = format!("term=example.com&fields=email&limit=60{cursor}");
        let reply = get(
            &mut crm,
            NOON_MS + turn,
            &format!("{PERSONS}/search?{query}"),
        );
        let page = body(&reply, 200);
        for hit in page["data"]["items"].as_array().unwrap() {
            seen.push(hit["item"]["id"].as_u64().unwrap());
        }
        let next = page["additional_data"]["next_cursor"].as_str();
        assert_eq!(next.is_some(), full, "page {turn}");
        cursor = format!("&cursor={}", next.unwrap_or_default());
    }
    let expect: Vec<u64> = seeded
        .iter()
        .filter(|contact| contact.email.is_some())
        .map(|contact| contact.id)
        .collect();
    assert_eq!(seen, expect);
    assert!((120..=180).contains(&seen.len()));
}
