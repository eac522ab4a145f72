//! A job that was left at work, and what its successor makes of it where records have owners by name and cards.

use callflume_core::effect::Field;
use callflume_core::event::Event;
use callflume_core::lane::Lane;
use callflume_core::record::BulkRecord;
use serde_json::json;

use crate::bulk::{by_key, writes};
use crate::bulk_crm::ROWS_MAX;
use crate::crm::{FakeVendor, windows};
use crate::directory::Contents;
use crate::events::event_of;
use crate::world::World;

const MAPPING: &str = "[[mapping.contact_enriched]]\nobject = \"contact\"\n\
                       fields = { owner = \"{{ event.body.owner }}\" }";

/// A CRM that writes by jobs, and that people call owners of by name.
fn world() -> World {
    let mut vendor = FakeVendor::with_bulk();
    vendor.named = true;
    let mut world = World::of(vendor, MAPPING, windows(190, 5, 1_000_000));
    world.directory = Contents::usual();
    world
}

fn given_to(n: usize, owner: &str, at_ms: i64) -> Event {
    let body = json!({"owner": owner});
    event_of("contact_enriched", &format!("{n}"), by_key(n), at_ms, body)
}

/// Owners as the CRM and the contacts' cards have them.
fn owners(world: &World) -> Vec<(String, Option<String>)> {
    let people = world.crm.people.iter();
    people
        .map(|(id, person)| {
            let owner = format!("{:?}", person.fields.get(Field::Owner.name().as_str()));
            (owner, world.contacts[id].card.owner.clone())
        })
        .collect()
}

#[test]
fn names_in_rows_of_a_predecessor_are_ids_in_cards_and_in_what_is_written_again() {
    for fails_after in [None, Some(17)] {
        let mut world = world();
        for n in 0..ROWS_MAX {
            world.publish(Lane::En, &given_to(n, "ida@example.com", 0));
        }
        world.crm.bulk_trouble.fails_after = fails_after;
        world.run_until(120_000, |world| world.bulk.is_some());
        world.run_for(100);
        world.crash(true);
        // The successor has to ask who that is, and hears of the rows meanwhile.
        world.reference = None;
        world.take_over();
        world.run_until_settled();
        world.run_for(1_000);
        let owners = owners(&world);
        assert_eq!(owners.len(), ROWS_MAX, "{fails_after:?}");
        for (held, card) in owners {
            assert!(held.contains("71"), "{fails_after:?}: {held}");
            assert_eq!(card.as_deref(), Some("71"), "{fails_after:?}");
        }
        assert!(writes(&world.crm).values().all(|count| *count == 1));
        assert_eq!((world.dead.len(), &world.bulk), (0, &None));
        assert_eq!(world.directory.asked.len(), 4);
    }
}

#[test]
fn of_updates_merged_by_a_predecessor_the_newer_value_stands_on_the_card() {
    let mut world = world();
    for n in 0..ROWS_MAX {
        world.publish(Lane::En, &given_to(n, "70", 0));
    }
    world.run_until_settled();
    world.run_for(1_000);
    for n in 0..ROWS_MAX {
        // What comes behind the first waits for it, and shares the next row.
        for (owner, at_ms) in [("70", 500), ("72", 2_000), ("71", 1_000)] {
            world.publish(Lane::En, &given_to(n, owner, at_ms));
        }
    }
    world.run_until(600_000, |world| {
        let merged = |job: &BulkRecord| job.rows.iter().all(|row| row.effects.len() == 2);
        world.bulk.as_ref().is_some_and(merged)
    });
    world.run_for(100);
    world.crash(true);
    world.take_over();
    world.run_until_settled();
    world.run_for(1_000);
    for (held, card) in owners(&world) {
        assert!(held.contains("72"), "{held}");
        assert_eq!(card.as_deref(), Some("72"));
    }
    assert_eq!(world.dead, []);
}
