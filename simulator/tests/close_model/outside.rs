//! What Callflume makes of an organisation that people work in too: who was there before, what was merged or deleted
//! behind its back, what troubles the account, and how it is prepared.

use callflume_core::effect::Object;
use callflume_core::event::Phone;
use callflume_core::vendor::{Item, ItemOutcome, Operation, Verb};
use callflume_crm::Settings;
use callflume_crm::close::setup;
use callflume_sim::close::{Close, CloseConfig, Fault, FaultKind, ObjectKind};
use callflume_sim::fakes::Method;

use crate::carry::{ask, bo, carried, done, item, one, operation, records};
use crate::{NOON_MS, config, organisation};

#[test]
fn people_who_were_there_before_are_found_however_their_numbers_were_typed() {
    for country in [Some("1".to_owned()), None] {
        let mut crm = Close::new(CloseConfig {
            country: country.clone(),
            key_limit: 1_000,
            group_limits: [].into(),
            ..config()
        })
        .unwrap();
        let seeded = crm.seed_contacts(100, 3).unwrap();
        for batch in seeded.chunks(10) {
            let items = batch
                .iter()
                .map(|contact| Item {
                    phone: Phone::parse(&contact.e164),
                    ..item("x", &[])
                })
                .collect();
            let wanted = Operation {
                verb: Verb::SearchByPhone,
                object: Object::Contact,
                items,
                after: None,
            };
            let meaning = ask(&mut crm, NOON_MS, &wanted);
            for (contact, outcome) in batch.iter().zip(meaning.items) {
                let ItemOutcome::Matches(found) = outcome else {
                    panic!("{outcome:?}")
                };
                let ids: Vec<String> = found.into_iter().map(|found| found.crm_id).collect();
                let expect = format!("{}/{}", contact.id.lead, contact.id.contact);
                // Only of a number abroad in words that Close doesn't understand can the spelling not be guessed.
                let hidden = country.is_none()
                    && contact.e164.starts_with("+44")
                    && contact.typed_phone.starts_with(['0', '+'])
                    && contact.typed_phone != contact.e164;
                if !hidden {
                    assert_eq!(ids, [expect], "{} {country:?}", contact.typed_phone);
                }
            }
        }
        let with_email: Vec<_> = seeded
            .iter()
            .filter(|contact| contact.email.is_some())
            .take(20)
            .collect();
        let items = with_email
            .iter()
            .map(|contact| Item {
                email: contact.email.clone(),
                ..item("x", &[])
            })
            .collect();
        let meaning = ask(
            &mut crm,
            NOON_MS,
            &Operation {
                verb: Verb::ReadByEmail,
                object: Object::Contact,
                items,
                after: None,
            },
        );
        assert!(
            meaning
                .items
                .iter()
                .all(|outcome| matches!(outcome, ItemOutcome::Matches(found) if found.len() == 1))
        );
    }
}

#[test]
fn all_contacts_are_listed_once() {
    let mut crm = organisation();
    let seeded = crm.seed_contacts(250, 3).unwrap();
    let mut list = Operation {
        verb: Verb::List,
        object: Object::Contact,
        items: Vec::new(),
        after: None,
    };
    let (mut seen, mut pages) = (Vec::new(), 0);
    loop {
        let mut meaning = ask(&mut crm, NOON_MS, &list);
        let ItemOutcome::Matches(found) = meaning.items.remove(0) else {
            panic!("a page")
        };
        seen.extend(found.into_iter().map(|found| found.crm_id));
        pages += 1;
        list.after = meaning.next_page;
        if list.after.is_none() {
            break;
        }
    }
    seen.sort();
    let mut expect: Vec<String> = seeded
        .iter()
        .map(|contact| format!("{}/{}", contact.id.lead, contact.id.contact))
        .collect();
    expect.sort();
    assert_eq!((seen, pages), (expect, 3));
}

#[test]
fn leads_that_were_merged_or_deleted_behind_our_back_are_found_out() {
    let mut crm = organisation();
    let person = done(one(
        &mut crm,
        NOON_MS,
        Verb::UpsertByKey,
        Object::Contact,
        &bo(),
    ));
    let other = done(one(
        &mut crm,
        NOON_MS,
        Verb::UpsertByKey,
        Object::Contact,
        &Item {
            key: "p-2".into(),
            ..bo()
        },
    ));
    let (lead, contact) = person.split_once('/').unwrap();
    let (other_lead, other_contact) = other.split_once('/').unwrap();
    let (_, note) = records(&person).remove(1);
    done(one(&mut crm, NOON_MS, Verb::Create, Object::Note, &note));
    assert!(crm.merge_leads(NOON_MS, lead, other_lead));
    // What is made on the lead that is gone is told so, and the contact tells where it is now.
    let second = Item {
        key: "r-9".into(),
        ..note.clone()
    };
    assert_eq!(
        one(&mut crm, NOON_MS, Verb::Create, Object::Note, &second),
        ItemOutcome::Gone
    );
    let stamp = Item {
        crm_id: Some(person.clone()),
        stamp: true,
        ..bo()
    };
    let moved = done(one(
        &mut crm,
        NOON_MS,
        Verb::UpdateById,
        Object::Contact,
        &stamp,
    ));
    assert_eq!(moved, format!("{other_lead}/{contact}"));
    let second = Item {
        contact: Some(moved),
        ..second
    };
    done(one(&mut crm, NOON_MS, Verb::Create, Object::Note, &second));
    assert!(crm.delete_record(NOON_MS, ObjectKind::Contact, other_contact));
    let update = Item {
        crm_id: Some(other),
        ..bo()
    };
    assert_eq!(
        one(
            &mut crm,
            NOON_MS,
            Verb::UpdateById,
            Object::Contact,
            &update
        ),
        ItemOutcome::Gone
    );
}

#[test]
fn throttled_and_troubled_answers_are_read_as_such() {
    use callflume_core::vendor::AccountSignal as Signal;
    let mut crm = Close::new(CloseConfig {
        key_limit: 1,
        ..config()
    })
    .unwrap();
    let upsert = operation(Verb::UpsertByKey, Object::Contact, bo());
    ask(&mut crm, NOON_MS, &upsert);
    let throttled = ask(&mut crm, NOON_MS + 100, &upsert);
    assert_eq!(
        throttled.account,
        Signal::Throttled {
            window: "lead_create",
            wait_ms: Some(1_000)
        }
    );
    assert_eq!(throttled.items, [ItemOutcome::NotExecuted]);
    crm.add_fault(Fault::next(FaultKind::PaymentRequired, Method::Post, ""));
    assert_eq!(
        ask(&mut crm, NOON_MS + 2_000, &upsert).account,
        Signal::ScopeMissing
    );
    assert!(crm.remove_custom_field("cf_key"));
    let unprepared = ask(
        &mut crm,
        NOON_MS + 4_000,
        &operation(
            Verb::UpdateById,
            Object::Contact,
            Item {
                crm_id: Some("lead_0000000001/cont_0000000002".into()),
                stamp: true,
                ..bo()
            },
        ),
    );
    assert_eq!(
        (unprepared.account, &unprepared.items[..]),
        (Signal::ScopeMissing, &[ItemOutcome::NotExecuted][..])
    );
    crm.revoke("sim-key");
    assert_eq!(
        ask(&mut crm, NOON_MS + 6_000, &upsert).account,
        Signal::CredentialRefused
    );
}

#[test]
fn an_organisation_is_prepared_and_then_found_to_be() {
    let mut crm = Close::new(CloseConfig::default()).unwrap();
    assert_eq!(
        setup::credential(&carried(&mut crm, NOON_MS, &setup::credential_request())).state,
        callflume_crm::setup::State::Ok
    );
    let mut ids = std::collections::BTreeMap::new();
    let bare = Settings::default();
    for object in [Object::Contact, Object::Deal] {
        let page = carried(&mut crm, NOON_MS, &setup::fields_request(object, 0));
        for finding in setup::fields(&bare, object, &[page]) {
            let answer = carried(&mut crm, NOON_MS, finding.repair.as_ref().unwrap());
            let made = setup::repaired(&finding, &answer);
            // `… custom_fields.<name> = "<id>" …`
            let (_, line) = made.remedy.split_once("custom_fields.").unwrap();
            let (name, rest) = line.split_once(" = \"").unwrap();
            let (id, _) = rest.split_once('"').unwrap();
            ids.insert(name.to_owned(), id.to_owned());
        }
    }
    assert_eq!(ids.len(), 4);
    let settings = Settings::default().with_custom_fields(ids).unwrap();
    for object in [Object::Contact, Object::Deal] {
        let page = carried(&mut crm, NOON_MS, &setup::fields_request(object, 0));
        let findings = setup::fields(&settings, object, &[page]);
        assert!(
            findings
                .iter()
                .all(|finding| finding.state == callflume_crm::setup::State::Ok),
            "{findings:?}"
        );
    }
}
