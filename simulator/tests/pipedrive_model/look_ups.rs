//! Who is who: people's own spellings, our key, pages of all, persons merged or deleted behind our back.

use callflume_core::effect::{Field, Object, Value as FieldValue};
use callflume_core::vendor::{ItemOutcome, Operation, Verb};
use callflume_sim::fakes::fictional_e164;
use callflume_sim::pipedrive::Kind;

use crate::config;
use crate::line::{Line, by_email, by_phone, of, on, text, write};

#[test]
fn everybody_is_found_by_the_number_and_the_address_they_were_typed_with() {
    let mut line = Line::new(config());
    let seeded = line.crm.seed_contacts(400, 11).unwrap();
    for contact in &seeded {
        let id = contact.id.to_string();
        let found = line.found(&by_phone(&contact.e164));
        assert_eq!(found, [id.as_str()], "{}", contact.typed_phone);
        if let Some(email) = &contact.email {
            assert_eq!(line.found(&by_email(&email.to_uppercase())), [id.as_str()]);
        }
    }
    let stranger = fictional_e164(400).unwrap();
    assert_eq!(line.found(&by_phone(&stranger)), Vec::<String>::new());
    assert_eq!(
        line.found(&by_email("nobody@example.com")),
        Vec::<String>::new()
    );
}

#[test]
fn a_stamped_person_is_found_by_our_key_once_the_search_has_it() {
    let mut line = Line::new(config());
    let seeded = line.crm.seed_contacts(3, 5).unwrap();
    let id = seeded[1].id.to_string();
    let mut stamp = of(write(Verb::UpdateById, Object::Contact, "p-9", &[]), &id);
    stamp.items[0].stamp = true;
    assert_eq!(line.done(&stamp), id);
    let read = write(Verb::ReadByKey, Object::Contact, "p-9", &[]);
    assert_eq!(line.found(&read), Vec::<String>::new(), "the index lags");
    line.now_ms += 5_000;
    assert_eq!(line.found(&read), [id.as_str()]);
    // What people typed is as it was.
    let phones = line.shown(Kind::Person, &id, "phones");
    assert_eq!(phones[0]["value"], seeded[1].typed_phone);
}

#[test]
fn an_update_leaves_numbers_that_people_typed() {
    let mut line = Line::new(config());
    let contact = line.crm.seed_contacts(1, 5).unwrap().remove(0);
    let id = contact.id.to_string();
    let before = line.crm.record(Kind::Person, contact.id).unwrap().clone();
    let fields = [
        (Field::Phone, text("+12025550199")),
        (Field::Email, text("new@example.com")),
        (Field::FirstName, text("Half")),
    ];
    let update = of(
        write(Verb::UpdateById, Object::Contact, "p-9", &fields),
        &id,
    );
    assert_eq!(line.done(&update), id);
    assert_eq!(line.crm.record(Kind::Person, contact.id), Some(&before));
    assert_eq!(line.crm.requests().last().unwrap().tokens, 1);
}

#[test]
fn all_persons_are_listed_page_by_page_with_our_keys() {
    let mut line = Line::new(config());
    line.crm.seed_contacts(1_200, 2).unwrap();
    let ours = line.person();
    let mut operation = Operation {
        verb: Verb::List,
        object: Object::Contact,
        items: Vec::new(),
        after: None,
    };
    let mut seen = Vec::new();
    for _ in 0..3 {
        let meaning = line.exchange(&operation);
        let ItemOutcome::Matches(found) = &meaning.items[0] else {
            panic!("{meaning:?}");
        };
        seen.extend(found.clone());
        operation.after = meaning.next_page;
    }
    assert_eq!(operation.after, None);
    assert_eq!(seen.len(), 1_201);
    assert!(seen.iter().take(1_200).all(|found| found.phones.len() == 1));
    let last = seen.last().unwrap();
    assert_eq!(
        (last.crm_id.as_str(), last.own_key.as_deref()),
        (ours.as_str(), Some("p-0"))
    );
    assert_eq!(line.crm.counters().tokens, 5 + 3 * 10);
}

#[test]
fn who_was_merged_or_deleted_behind_our_back_is_gone_and_found_anew() {
    let mut line = Line::new(config());
    let fields = [(Field::Phone, text("+12025550101"))];
    let merged = line.done(&write(Verb::UpsertByKey, Object::Contact, "p-1", &fields));
    let kept = line.done(&write(Verb::UpsertByKey, Object::Contact, "p-2", &[]));
    let deleted = line.done(&write(Verb::UpsertByKey, Object::Contact, "p-3", &[]));
    let number = |id: &String| -> u64 { id.parse().unwrap() };
    assert!(
        line.crm
            .merge_persons(line.now_ms, number(&merged), number(&kept))
    );
    assert!(line.crm.remove(line.now_ms, Kind::Person, number(&deleted)));
    for id in [&merged, &deleted] {
        let fields = [(Field::OptedOut, FieldValue::Flag(true))];
        let update = of(write(Verb::UpdateById, Object::Contact, "p-1", &fields), id);
        let nothing = of(write(Verb::UpdateById, Object::Contact, "p-1", &[]), id);
        for operation in [
            update,
            nothing,
            on(write(Verb::Create, Object::Call, "c-1", &[]), id),
            on(write(Verb::Create, Object::Note, "r-1", &[]), id),
            on(write(Verb::Create, Object::Deal, "d-1", &[]), id),
        ] {
            assert_eq!(line.outcome(&operation), ItemOutcome::Gone, "{operation:?}");
        }
    }
    line.now_ms += 5_000;
    assert_eq!(line.found(&by_phone("+12025550101")), [kept.as_str()]);
}
