//! What users of the CRM do without our requests, and contacts that were there before.

use callflume_core::event::Phone;
use callflume_sim::fakes::SEEDED_AT_MS;
use callflume_sim::salesforce::{ObjectKind, SetupError, WriteKind};
use serde_json::{Map, Value, json};

use crate::{CONTACTS, DEALS, KEY, NOON_MS, TASKS, body, code, created, found, get, org, patch};

#[test]
fn a_merged_contact_is_deleted_and_what_hung_on_it_moves() {
    let mut crm = org();
    let kept = created(
        &mut crm,
        NOON_MS,
        CONTACTS,
        json!({"LastName": "A", "Email": "a@example.com"}),
    );
    let gone = created(
        &mut crm,
        NOON_MS,
        CONTACTS,
        json!({"LastName": "B", "Phone": "1", KEY: "k1"}),
    );
    let task = created(&mut crm, NOON_MS, TASKS, json!({"WhoId": gone}));
    let deal =
        json!({"Name": "D", "StageName": "Proposal", "CloseDate": "2026-12-31", "ContactId": gone});
    let deal = created(&mut crm, NOON_MS, DEALS, deal);
    assert!(crm.merge_contacts(NOON_MS + 1, &gone, &kept));
    let record = crm.record(&kept).unwrap();
    assert_eq!(
        (record.value("LastName"), record.value("Phone")),
        ("A".into(), "1".into())
    );
    assert_eq!(crm.record(&task).unwrap().value("WhoId"), kept.as_str());
    assert_eq!(crm.record(&deal).unwrap().value("ContactId"), kept.as_str());
    let role = crm
        .records(ObjectKind::OpportunityContactRole)
        .next()
        .unwrap();
    assert_eq!(role.value("ContactId"), kept.as_str());
    let merged = crm.record(&gone).unwrap();
    assert!(merged.deleted);
    assert_eq!(merged.merged_into.as_deref(), Some(kept.as_str()));
    assert_eq!(crm.history(&gone).last().unwrap().kind, WriteKind::Merge);
    let change = json!({"FirstName": "C"});
    assert_eq!(
        code(
            &patch(
                &mut crm,
                NOON_MS + 1,
                &format!("{CONTACTS}/{gone}"),
                &change
            ),
            404
        ),
        "ENTITY_IS_DELETED"
    );
    let by_key = body(
        &patch(
            &mut crm,
            NOON_MS + 1,
            &format!("{CONTACTS}/{KEY}/k1"),
            &change,
        ),
        200,
    );
    assert_eq!(by_key["id"], kept.as_str(), "the key came along");
    assert!(!crm.merge_contacts(NOON_MS + 2, &gone, &kept));
    assert!(!crm.merge_contacts(NOON_MS + 2, &kept, &kept));
}

#[test]
fn a_merged_contacts_key_is_lost_when_the_other_has_one() {
    let mut crm = org();
    let kept = created(
        &mut crm,
        NOON_MS,
        CONTACTS,
        json!({"LastName": "A", KEY: "k2"}),
    );
    let gone = created(
        &mut crm,
        NOON_MS,
        CONTACTS,
        json!({"LastName": "B", KEY: "k1"}),
    );
    assert!(crm.merge_contacts(NOON_MS, &gone, &kept));
    assert_eq!(crm.record(&kept).unwrap().value(KEY), "k2");
    assert_eq!(
        code(
            &get(&mut crm, NOON_MS, &format!("{CONTACTS}/{KEY}/k1")),
            404
        ),
        "NOT_FOUND"
    );
}

#[test]
fn an_edit_and_a_deletion_from_outside_are_seen_at_once() {
    let mut crm = org();
    let id = created(&mut crm, NOON_MS, CONTACTS, json!({"LastName": "A"}));
    let edit: Map<String, Value> = Map::from_iter([("LastName".to_owned(), "B".into())]);
    assert!(crm.edit_record(NOON_MS + 1, &id, edit.clone()));
    assert_eq!(
        found(
            &mut crm,
            NOON_MS + 1,
            "SELECT Id FROM Contact WHERE LastName = 'B'"
        )
        .len(),
        1
    );
    assert_eq!(crm.writes().last().unwrap().request_no, 0);
    assert!(crm.delete_record(NOON_MS + 2, &id));
    assert!(!crm.delete_record(NOON_MS + 2, &id));
    assert!(!crm.edit_record(NOON_MS + 2, &id, edit));
    assert!(found(&mut crm, NOON_MS + 2, "SELECT Id FROM Contact").is_empty());
}

#[test]
fn seeded_contacts_are_typed_by_people_and_found_by_what_they_have() {
    let mut crm = org();
    let seeded = crm.seed_contacts(300, 7).unwrap();
    assert_eq!(seeded.len(), 300);
    let with_mail = seeded.iter().filter(|it| it.email.is_some()).count();
    assert!((120..240).contains(&with_mail), "{with_mail}");
    for person in seeded.iter().take(60) {
        let record = crm.record(&person.id).unwrap();
        assert_eq!(record.created_ms, SEEDED_AT_MS);
        assert_eq!(record.value(KEY), Value::Null);
        let phone = Phone::parse(&person.e164).unwrap();
        assert!(
            phone.matches_typed(&person.typed_phone),
            "{}",
            person.typed_phone
        );
        let typed = &person.typed_phone;
        let query =
            format!("SELECT Id FROM Contact WHERE Phone = '{typed}' OR MobilePhone = '{typed}'");
        assert_eq!(
            found(&mut crm, NOON_MS, &query)[0]["Id"],
            person.id.as_str()
        );
    }
    assert!(
        crm.writes()
            .iter()
            .all(|it| it.kind == WriteKind::Seeded && it.request_no == 0)
    );
    let more = crm.seed_contacts(10, 7).unwrap();
    assert!(
        more.iter()
            .all(|it| seeded.iter().all(|held| held.e164 != it.e164))
    );
    assert!(matches!(
        crm.seed_contacts(u32::MAX, 7),
        Err(SetupError::NoMoreNumbers { .. })
    ));
}
