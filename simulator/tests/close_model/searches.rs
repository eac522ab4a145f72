//! Searches: what they find, when, and what they refuse.

use callflume_sim::close::Close;
use serde_json::{Value, json};

use crate::{NOON_MS, body, organisation, person, post, put};

fn related(object: &str, field: &str, mode: &str, value: &str) -> Value {
    json!({"type": "has_related", "this_object_type": "contact", "related_object_type": object, "related_query": {
        "type": "field_condition", "field": {"type": "regular_field", "object_type": object, "field_name": field},
        "condition": {"type": "text", "mode": mode, "value": value}}})
}

fn by_key(value: &str) -> Value {
    json!({"type": "field_condition", "field": {"type": "custom_field", "custom_field_id": "cf_key"},
        "condition": {"type": "text", "mode": "exact_value", "value": value}})
}

fn search(queries: Value) -> Value {
    json!({"query": {"type": "and", "queries": [{"type": "object_type", "object_type": "contact"}, queries]}})
}

fn found(crm: &mut Close, at_ms: i64, query: Value) -> Vec<String> {
    let page = body(&post(crm, at_ms, "/data/search/", &search(query)), 200);
    let data = page["data"].as_array().unwrap();
    data.iter()
        .map(|contact| contact["id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_write_is_found_only_once_the_index_has_it() {
    let mut crm = organisation();
    let (_, contact) = person(
        &mut crm,
        NOON_MS,
        &json!({"name": "x", "custom.cf_key": "k-1"}),
    );
    assert!(found(&mut crm, NOON_MS + 2_999, by_key("k-1")).is_empty());
    assert_eq!(
        found(&mut crm, NOON_MS + 3_000, by_key("k-1")),
        [contact.as_str()]
    );
    put(
        &mut crm,
        NOON_MS + 4_000,
        &format!("/contact/{contact}/"),
        &json!({"custom.cf_key": "k-2"}),
    );
    assert_eq!(
        found(&mut crm, NOON_MS + 6_000, by_key("k-1")),
        [contact.as_str()],
        "still the old value"
    );
    assert!(found(&mut crm, NOON_MS + 7_000, by_key("k-1")).is_empty());
    assert_eq!(
        found(&mut crm, NOON_MS + 7_000, by_key("K-2")),
        [contact.as_str()],
        "without regard to case"
    );
}

#[test]
fn modes_compare_whole_values_words_and_phrases() {
    let mut crm = organisation();
    let (_, bo) = person(
        &mut crm,
        NOON_MS,
        &json!({"name": "Bo Roe", "emails": [{"email": "Bo.Roe@example.org", "type": "office"}],
        "phones": [{"phone": "+12025550143", "type": "office"}, {"phone": "(303) 555-0144 ext. 7", "type": "office"}]}),
    );
    let at_ms = NOON_MS + 5_000;
    for (object, field, mode, value, expect) in [
        (
            "contact_phone",
            "phone",
            "exact_value",
            "+12025550143",
            true,
        ),
        (
            "contact_phone",
            "phone",
            "exact_value",
            "12025550143",
            false,
        ),
        ("contact_phone", "phone", "full_words", "12025550143", true),
        ("contact_phone", "phone", "full_words", "0144 303", true),
        ("contact_phone", "phone", "phrase", "0144 303", false),
        ("contact_phone", "phone", "phrase", "303 555", true),
        (
            "contact_phone",
            "phone",
            "full_words",
            "12025550143 0144",
            false,
        ),
        (
            "contact_email",
            "email",
            "exact_value",
            "bo.roe@example.org",
            true,
        ),
        (
            "contact_email",
            "email",
            "exact_value",
            "roe@example.org",
            false,
        ),
    ] {
        let ids = found(&mut crm, at_ms, related(object, field, mode, value));
        assert_eq!(ids == [bo.as_str()], expect, "{mode} {value}");
        crm.set_limit("POST /data/search/", 1_000);
    }
    let mut negated = related(
        "contact_email",
        "email",
        "exact_value",
        "bo.roe@example.org",
    );
    negated["negate"] = json!(true);
    assert!(found(&mut crm, at_ms, negated).is_empty());
}

#[test]
fn results_are_paged_by_a_cursor_with_the_fields_asked_for() {
    let mut crm = organisation();
    for _ in 0..5 {
        person(
            &mut crm,
            NOON_MS,
            &json!({"name": "x", "custom.cf_key": "k-1"}),
        );
    }
    let mut query = search(by_key("k-1"));
    query["_limit"] = json!(2);
    query["_fields"] = json!({"contact": ["id", "lead_id"]});
    let (mut seen, mut pages) = (0, 0);
    loop {
        let page = body(
            &post(&mut crm, NOON_MS + 5_000, "/data/search/", &query),
            200,
        );
        let data = page["data"].as_array().unwrap();
        assert!(
            data.iter()
                .all(|contact| contact.as_object().unwrap().len() == 3
                    && contact["__object_type"] == "contact")
        );
        (seen, pages) = (seen + data.len(), pages + 1);
        if page["cursor"].is_null() {
            break;
        }
        query["cursor"] = page["cursor"].clone();
    }
    assert_eq!((seen, pages), (5, 3));
}

#[test]
fn what_isnt_understood_is_refused_and_never_no_match() {
    let mut crm = organisation();
    crm.set_limit("POST /data/search/", 1_000);
    for query in [
        json!({}),
        json!({"query": {"type": "and"}}),
        json!({"query": {"type": "and", "queries": []}}),
        search(json!({"type": "fuzzy"})),
        search(related("contact_fax", "fax", "exact_value", "x")),
        search(related("contact_phone", "phone", "sounds_like", "x")),
        search(
            json!({"type": "field_condition", "field": {"type": "custom_field"}, "condition": {}}),
        ),
        json!({"query": search(by_key("k"))["query"], "_limit": 201}),
        json!({"query": search(by_key("k"))["query"], "cursor": "mine"}),
    ] {
        let refused = body(&post(&mut crm, NOON_MS, "/data/search/", &query), 400);
        assert!(refused["field-errors"].is_object(), "{query}");
    }
}

#[test]
fn seeded_people_are_searchable_at_once_in_every_spelling() {
    let mut crm = organisation();
    let seeded = crm.seed_contacts(200, 7).unwrap();
    assert_eq!(seeded.len(), 200);
    crm.set_limit("POST /data/search/", 10_000);
    let mut in_words = 0;
    for contact in &seeded {
        let exact = found(
            &mut crm,
            NOON_MS,
            related("contact_phone", "phone", "exact_value", &contact.e164),
        );
        if exact.is_empty() {
            in_words += 1;
            assert!(
                contact.typed_phone.contains("ext"),
                "{}",
                contact.typed_phone
            );
        } else {
            assert_eq!(exact, [contact.id.contact.as_str()]);
        }
    }
    assert!((5..80).contains(&in_words), "{in_words}");
    assert!(
        seeded
            .windows(2)
            .any(|pair| pair[0].id.lead == pair[1].id.lead),
        "colleagues"
    );
}
