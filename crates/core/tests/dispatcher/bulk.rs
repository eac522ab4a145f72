//! Back-fills by jobs: enough records are written by one, each once, whatever gets lost, refused or killed.

use std::collections::BTreeMap;

use callflume_core::codes;
use callflume_core::effect::{Object, Value};
use callflume_core::event::{ContactRef, Event};
use callflume_core::lane::Lane;
use callflume_core::vendor::{ItemOutcome, Operation, Verb};
use serde_json::json;

use crate::bulk_crm::{FakeState, NO_ROW, ROWS_MAX, ROWS_MIN};
use crate::crm::{Crm, OwnAsk, POISON, phone};
use crate::events::{enriched, event_of, note};
use crate::world::{Fate, World};

pub(crate) fn by_key(n: usize) -> ContactRef {
    ContactRef {
        key: Some(format!("customer-{n}")),
        ..ContactRef::default()
    }
}

pub(crate) fn key_of(n: usize) -> String {
    by_key(n).own_key().unwrap()
}

pub(crate) fn row(n: usize, at_ms: i64, text: &str) -> Event {
    let body = json!({"properties": {"note": text}});
    event_of("contact_enriched", &format!("c{n}"), by_key(n), at_ms, body)
}

pub(crate) fn back_fill(world: &mut World, numbers: impl Iterator<Item = usize>) {
    for n in numbers {
        world.publish(Lane::En, &row(n, 0, "t"));
    }
}

/// How often each person was written, by jobs and by requests.
pub(crate) fn writes(crm: &Crm) -> BTreeMap<String, usize> {
    let mut writes = BTreeMap::new();
    let mut count = |key: &str| *writes.entry(key.to_owned()).or_insert(0) += 1;
    for job in &crm.bulk_jobs {
        let items = job.operation.iter().flat_map(|it| &it.items);
        for (item, outcome) in items.zip(&job.outcomes) {
            if matches!(outcome, ItemOutcome::Done { .. }) {
                count(&item.key);
            }
        }
    }
    for (_, operation) in &crm.executed {
        if matches!(operation.verb, Verb::UpsertByKey | Verb::UpdateById) {
            operation.items.iter().for_each(|item| count(&item.key));
        }
    }
    writes
}

pub(crate) fn held(crm: &Crm) -> BTreeMap<String, String> {
    let people = crm.people.values();
    people
        .map(|person| {
            (
                person.own_key.clone().unwrap(),
                format!("{:?}", person.fields),
            )
        })
        .collect()
}

pub(crate) fn jobs(world: &World) -> Vec<(FakeState, usize)> {
    let rows = |operation: &Option<Operation>| operation.as_ref().map_or(0, |it| it.items.len());
    let jobs = world.crm.bulk_jobs.iter();
    jobs.map(|job| (job.state, rows(&job.operation))).collect()
}

#[test]
fn a_back_fill_is_written_by_jobs_each_record_once() {
    let mut world = World::with_bulk();
    back_fill(&mut world, 0..2 * ROWS_MAX + ROWS_MIN);
    world.run_until_settled();
    world.run_for(1_000);
    assert_eq!(
        jobs(&world),
        [ROWS_MAX, ROWS_MAX, ROWS_MIN].map(|rows| (FakeState::Complete, rows))
    );
    assert_eq!(world.crm.executed, [], "no ordinary request");
    let writes = writes(&world.crm);
    assert_eq!(writes.len(), 2 * ROWS_MAX + ROWS_MIN);
    assert!(writes.values().all(|count| *count == 1));
    assert_eq!(world.dead, []);
    assert_eq!(world.bulk, None);
    assert_eq!(world.bulk_saves, 6);
    assert_eq!(world.aliases.len(), writes.len(), "the contacts are known");
    let requests = world.dispatcher.as_ref().unwrap().counters().requests;
    // Made, table, closed, looked at once, the written: the others can only be empty.
    assert_eq!(requests, 3 * 5);
}

#[test]
fn what_is_not_worth_a_job_goes_as_usual() {
    let mut world = World::with_bulk();
    back_fill(&mut world, 0..ROWS_MIN - 1);
    world.run_for(3_000);
    assert!(world.is_settled());
    assert_eq!(jobs(&world), []);
    assert_eq!(writes(&world.crm).len(), ROWS_MIN - 1);
}

#[test]
fn a_person_named_by_key_alone_is_not_looked_for_and_any_other_is() {
    let mut world = World::with_bulk();
    world.publish(Lane::En, &row(1, 0, "t"));
    world.publish(
        Lane::En,
        &enriched("c2", &phone(2), 0, json!({"note": "t"})),
    );
    world.run_until_settled();
    let searched = |key: &str| {
        let mut executed = world.crm.executed.iter();
        executed.any(|(_, it)| it.verb == Verb::ReadByKey && it.items.iter().any(|i| i.key == key))
    };
    assert!(!searched(&key_of(1)));
    assert_eq!(world.crm.people.len(), 2);
    assert!(
        world
            .crm
            .executed
            .iter()
            .any(|(_, it)| it.verb == Verb::SearchByPhone)
    );
}

#[test]
fn known_people_are_updated_by_their_ids_and_who_is_gone_comes_back() {
    let mut world = World::with_bulk();
    back_fill(&mut world, 0..ROWS_MAX);
    world.run_until_settled();
    let gone = world.crm.people.pop_first().unwrap().1;
    for n in 0..ROWS_MAX {
        world.publish(Lane::En, &row(n, 1_000, "newer"));
    }
    world.run_until_settled();
    let updates = world.crm.bulk_jobs[1].operation.as_ref().unwrap();
    assert_eq!(
        (updates.verb, updates.items.len()),
        (Verb::UpdateById, ROWS_MAX)
    );
    assert_eq!(world.crm.people.len(), ROWS_MAX);
    let newer = format!("{:?}", Value::Text("newer".into()));
    assert!(
        held(&world.crm)
            .values()
            .all(|fields| fields.contains(&newer))
    );
    assert!(held(&world.crm).contains_key(&gone.own_key.unwrap()));
    assert_eq!(world.dead, []);
}

#[test]
fn records_that_hang_on_people_ride_too() {
    let mut world = World::with_bulk();
    world.crm.add_known(&phone(1));
    for n in 0..ROWS_MAX {
        world.crm.add_known(&phone(n));
        world.publish(Lane::En, &enriched("c", &phone(n), 0, json!({"x": n})));
    }
    world.run_until_settled();
    for n in 0..ROWS_MAX {
        world.publish(Lane::En, &note(&format!("n{n}"), &phone(n), "t"));
    }
    world.run_until_settled();
    let last = world.crm.bulk_jobs.last().unwrap().operation.as_ref();
    assert_eq!(last.unwrap().object, Object::Note);
    assert_eq!(world.crm.all(Object::Note).len(), ROWS_MAX);
    assert!(
        world
            .crm
            .all(Object::Note)
            .iter()
            .all(|note| note.contact.is_some())
    );
    assert_eq!(world.dead, []);
}

#[test]
fn refused_rows_are_dead_letters_with_the_crms_word_and_the_rest_is_written() {
    let mut world = World::with_bulk();
    for n in 0..ROWS_MAX {
        world.publish(Lane::En, &row(n, 0, if n % 10 == 3 { POISON } else { "t" }));
    }
    world.run_until_settled();
    assert_eq!(world.dead.len(), ROWS_MAX / 10);
    for letter in &world.dead {
        assert_eq!(
            (letter.code, letter.cause.as_str()),
            (codes::CRM_REFUSED, "INVALID_VALUE")
        );
        assert_eq!(letter.attempts, 1);
    }
    assert_eq!(writes(&world.crm).len(), ROWS_MAX - ROWS_MAX / 10);
    assert_eq!(world.crm.executed, []);
}

#[test]
fn merged_updates_that_are_refused_together_are_written_apart() {
    let mut world = World::with_bulk();
    back_fill(&mut world, 0..ROWS_MAX);
    world.run_until_settled();
    for n in 0..ROWS_MAX {
        world.publish(Lane::En, &row(n, 1_000, "newer"));
    }
    world.publish(
        Lane::En,
        &enriched_by_key(0, 2_000, json!({"note": POISON})),
    );
    world.publish(
        Lane::En,
        &enriched_by_key(0, 3_000, json!({"other": "kept"})),
    );
    world.run_until_settled();
    assert_eq!(world.dead.len(), 1);
    let fields = &held(&world.crm)[&key_of(0)];
    assert!(
        fields.contains("newer") && fields.contains("kept"),
        "{fields}"
    );
}

pub(crate) fn enriched_by_key(n: usize, at_ms: i64, properties: serde_json::Value) -> Event {
    let body = json!({"properties": properties});
    event_of("contact_enriched", "more", by_key(n), at_ms, body)
}

#[test]
fn what_makes_no_row_goes_as_usual() {
    let mut world = World::with_bulk();
    for n in 0..ROWS_MAX {
        world.publish(Lane::En, &row(n, 0, if n < 3 { NO_ROW } else { "t" }));
    }
    world.run_until_settled();
    assert_eq!(jobs(&world), [(FakeState::Complete, ROWS_MAX - 3)]);
    assert!(writes(&world.crm).values().all(|count| *count == 1));
    assert_eq!(world.crm.people.len(), ROWS_MAX);
}

#[test]
fn an_operational_effect_takes_its_record_out_of_a_job_that_has_not_left() {
    let mut world = World::with_bulk();
    back_fill(&mut world, 0..ROWS_MAX);
    // Nothing is heard of the job for a while.
    let mut lost = 0;
    world.bulk_fates = Box::new(move |ask| match ask {
        OwnAsk::Create(..) if lost < 5 => {
            lost += 1;
            Fate::LostBefore
        }
        _ => Fate::Served,
    });
    world.run_until(60_000, |world| {
        world.dispatcher.as_ref().unwrap().counters().requests == 1
    });
    let body = json!({"properties": {"note": "urgent"}});
    let urgent = event_of("caller_identified", "c0", by_key(0), 5_000, body);
    world.publish(Lane::Op, &urgent);
    world.run_for(2_000);
    assert_eq!(world.acked[Lane::Op as usize].len(), 1);
    assert!(held(&world.crm)[&key_of(0)].contains("urgent"));
    assert_eq!(jobs(&world), []);
    world.run_until_settled();
    assert_eq!(jobs(&world), [(FakeState::Complete, ROWS_MAX - 1)]);
    let fields = &held(&world.crm)[&key_of(0)];
    assert!(fields.contains("urgent"), "no older value over it");
}

#[test]
fn an_operational_effect_waits_for_its_record_when_the_job_is_at_work() {
    for crash in [false, true] {
        let mut world = World::with_bulk();
        back_fill(&mut world, 0..ROWS_MAX);
        world.run_until(60_000, |world| world.bulk.is_some());
        world.run_for(100);
        if crash {
            world.crash(true);
            world.take_over();
        }
        let body = json!({"properties": {"note": "urgent"}});
        world.publish(
            Lane::Op,
            &event_of("caller_identified", "c0", by_key(0), 5_000, body.clone()),
        );
        world.publish(
            Lane::Op,
            &event_of("caller_identified", "x", by_key(9_999), 5_000, body),
        );
        world.run_for(500);
        assert!(
            held(&world.crm).contains_key(&key_of(9_999)),
            "another person's goes at once"
        );
        world.run_until_settled();
        world.run_for(1_000);
        assert!(
            held(&world.crm)[&key_of(0)].contains("urgent"),
            "{crash}: no older value over it"
        );
        assert_eq!(world.crm.people.len(), ROWS_MAX + 1);
        assert_eq!(world.bulk, None);
    }
}

#[test]
fn a_back_fill_larger_than_memory_goes_job_by_job() {
    let mut world = World::with_bulk();
    world.setup.bounds.events_max = 30;
    world.crash(true);
    world.take_over();
    back_fill(&mut world, 0..10 * ROWS_MAX);
    world.run_until(3 * 3_600_000, World::is_settled);
    let most = world.most_resident[Lane::En as usize];
    assert_eq!(most, ROWS_MAX + ROWS_MAX / 5, "as many as a job needs");
    assert_eq!(jobs(&world).len(), 10);
    assert!(writes(&world.crm).values().all(|count| *count == 1));
    assert_eq!(world.crm.executed, []);
}
