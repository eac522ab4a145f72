//! Searches by phone that find a page and more of strangers before the person who is asked for.

use callflume_core::effect::{Field, Fields, Object, Value};
use callflume_core::event::Phone;
use callflume_core::vendor::{Item, ItemOutcome, Operation, Verb};

use crate::writer::Run;

/// Longer than any index lags, milliseconds.
const LAG_MS: i64 = 600_000;

/// Somebody with this number, made now; their id.
fn made(run: &mut Run, key: &str, phone: &str) -> String {
    let item = Item {
        key: key.to_owned(),
        fields: Fields::from([
            (Field::LastName, Value::Text("Roe".into())),
            (Field::Phone, Value::Text(phone.into())),
        ]),
        ..Item::default()
    };
    run.done(Verb::UpsertByKey, Object::Contact, item)
}

#[test]
fn the_person_behind_pages_of_strangers_is_found_page_by_page() {
    for (vendor, strangers, alike) in [
        // Page sizes and one more; numbers that the search can't tell apart.
        ("hubspot", 201, "+442025550101"),
        ("close", 101, "44 202 555 0101"),
        ("pipedrive", 501, "+442025550101"),
    ] {
        let mut run = Run::new(vendor);
        for n in 0..strangers {
            made(&mut run, &format!("p-{n}"), alike);
        }
        let person = made(&mut run, "p-own", "+12025550101");
        run.wait(LAG_MS);
        let mut search = Operation {
            verb: Verb::SearchByPhone,
            object: Object::Contact,
            items: vec![Item {
                trace: 1,
                key: "p-own".to_owned(),
                phone: Phone::parse("+12025550101"),
                ..Item::default()
            }],
            after: None,
        };
        let mut pages = 1;
        loop {
            let meaning = run.asked(&search);
            if meaning.next_page.is_none() {
                let ItemOutcome::Matches(found) = &meaning.items[0] else {
                    panic!("{vendor}: {meaning:?}");
                };
                let ids: Vec<&str> = found.iter().map(|found| found.crm_id.as_str()).collect();
                assert_eq!(ids, [person.as_str()], "{vendor}");
                break;
            }
            assert_eq!(meaning.items, [ItemOutcome::NotExecuted], "{vendor}");
            search.after = meaning.next_page;
            pages += 1;
        }
        assert_eq!(pages, 2, "{vendor}");
    }
}
