//! What a storm's events must have come to in the end, whatever happened on the way.

use std::collections::{BTreeMap, BTreeSet};

use callflume_core::effect::{Object, Value, call_key, deal_key, effect_key, event_record_key};
use callflume_core::event::{ContactRef, Event};
use callflume_core::lane::Lane;
use callflume_core::record::EffectState;
use callflume_core::seed::Seed;
use serde_json::{Value as Json, json};

use crate::crm::{POISON, Person, phone};
use crate::events::event_of;
use crate::world::World;

/// What was published, and what it must come to.
#[derive(Debug, Default)]
pub(crate) struct Promised {
    /// By call: whose, its last disposition, whether a sentiment was told.
    calls: BTreeMap<String, (usize, String, bool)>,
    /// By key: whose, its text.
    notes: BTreeMap<String, (ContactRef, String)>,
    /// By person and field: the largest value.
    values: BTreeMap<(String, String), (ContactRef, String)>,
    /// By deal: its last stage.
    deals: BTreeMap<String, &'static str>,
    tasks: BTreeSet<String>,
    /// Ids of events that may, and of those that must become dead letters.
    may_die: BTreeSet<String>,
    must_die: BTreeSet<String>,
    /// Effects of the others: keys in the ledger.
    effects: BTreeSet<String>,
    clock_ms: i64,
}

/// How a person is named: always by the phone number, so that nobody is two; some by more.
pub(crate) fn named(who: usize) -> ContactRef {
    ContactRef {
        phone: Some(phone(who)),
        email: (who % 4 == 3).then(|| format!("p{who}@example.com")),
        key: (who % 4 == 2).then(|| format!("customer-{who}")),
        name: None,
    }
}

/// People who are in the CRM before anything happens.
pub(crate) fn settle_in(world: &mut World, people: usize) {
    for who in 0..people {
        match who % 4 {
            1 => world.crm.add_person(Some(&last_ten(&phone(who))), None),
            3 => world
                .crm
                .add_person(None, Some(&format!("p{who}@example.com"))),
            _ => continue,
        };
    }
}

/// Publishes an event about something that happens now, or up to a few seconds ago.
fn publish(
    world: &mut World,
    lane: Lane,
    (kind, call, who): (&str, &str, ContactRef),
    at_ms: i64,
    body: Json,
) -> Event {
    let event = event_of(kind, call, who, at_ms, body);
    world.publish(lane, &event);
    event
}

/// Whom the bucket takes somebody for.
fn person<'a>(world: &'a World, named: &ContactRef) -> (&'a str, &'a Person) {
    let alias = named.own_key().unwrap();
    let id = world
        .aliases
        .get(&alias)
        .expect("the bucket knows everybody");
    let person = world.crm.people.get(id).expect("who is known is there");
    let is_them = match &named.phone {
        Some(phone) if named.email.is_none() => person
            .phones
            .iter()
            .any(|it| last_ten(it) == last_ten(phone)),
        Some(_) => person.email == named.email,
        None => person.own_key == Some(alias),
    };
    assert!(is_them, "the bucket's {id} is somebody else");
    (id, person)
}

impl Promised {
    fn now(&mut self) -> i64 {
        self.clock_ms += 10;
        self.clock_ms
    }

    fn ends(&mut self, event: &Event, effect: &str) {
        self.effects.insert(effect_key(&event.id, effect));
    }

    /// One of the calls so far, and whose it was.
    pub(crate) fn a_call(&self, rng: &mut Seed) -> Option<(String, usize)> {
        let place = rng.below(self.calls.len().max(1) as u64) as usize;
        let (call, (who, ..)) = self.calls.iter().nth(place)?;
        Some((call.clone(), *who))
    }

    /// A call ended, or what was said of it is corrected.
    pub(crate) fn call(&mut self, world: &mut World, call: &str, who: usize, disposition: &str) {
        let at = self.now();
        let body = json!({"disposition": disposition});
        let event = publish(world, Lane::Op, ("call_ended", call, named(who)), at, body);
        self.ends(&event, "call");
        let known = self.calls.entry(call.to_owned());
        let known = known.or_insert_with(|| (who, String::new(), false));
        disposition.clone_into(&mut known.1);
    }

    /// The call's record may be there, or come later.
    pub(crate) fn sentiment(&mut self, world: &mut World, call: &str, who: usize) {
        let at = self.now();
        let body = json!({"sentiment": "positive"});
        let event = publish(
            world,
            Lane::En,
            ("sentiment_tagged", call, named(who)),
            at,
            body,
        );
        self.ends(&event, "call");
        let known = self.calls.entry(call.to_owned());
        let known = known.or_insert_with(|| (who, String::new(), false));
        known.2 = true;
    }

    /// A link to a recording that leads nowhere before long.
    pub(crate) fn recording(&mut self, world: &mut World, call: &str, who: usize, good_ms: u64) {
        let at = self.now();
        let expires = world.now().wall.plus_ms(good_ms).0;
        let body = json!({"url": "https://example.com/r", "expires_at": expires});
        let event = publish(
            world,
            Lane::En,
            ("recording_ready", call, named(who)),
            at,
            body,
        );
        self.ends(&event, "call");
    }

    /// Of a person named as usual, or by the phone number alone.
    pub(crate) fn note(&mut self, world: &mut World, who: usize, shortly: bool, poison: bool) {
        let at = self.now();
        let mut named = named(who);
        if shortly && named.email.is_none() {
            named.key = None;
        }
        let text = if poison {
            POISON.to_owned()
        } else {
            format!("note {at}")
        };
        let body = json!({"text": text.clone()});
        let event = publish(
            world,
            Lane::En,
            ("note_added", &format!("n{at}"), named.clone()),
            at,
            body,
        );
        if poison {
            self.must_die.insert(event.id.as_str().to_owned());
        } else {
            self.ends(&event, "note");
            let key = event_record_key(&event.id, "note");
            self.notes.insert(key, (named, text));
        }
    }

    /// A value of the person's, as of `ago_ms` before now.
    pub(crate) fn value(
        &mut self,
        world: &mut World,
        lane: Lane,
        who: usize,
        property: &str,
        ago_ms: i64,
        poison: bool,
    ) {
        self.value_of(world, lane, named(who), property, ago_ms, poison);
    }

    /// The same of somebody who is known by key alone.
    pub(crate) fn value_of(
        &mut self,
        world: &mut World,
        lane: Lane,
        named: ContactRef,
        property: &str,
        ago_ms: i64,
        poison: bool,
    ) {
        // No two happen at the same instant.
        let now = self.now();
        let at = now - ago_ms / 10 * 10 + 1_000_000;
        let at = at + (now / 10) % 7;
        let value = format!("at {at:09} {now}");
        let text = if poison {
            POISON.to_owned()
        } else {
            value.clone()
        };
        let kind = match lane {
            Lane::Op => "caller_identified",
            Lane::En => "contact_enriched",
        };
        let body = json!({"properties": {property: text}});
        let key = (named.own_key().unwrap(), format!("x.{property}"));
        let call = format!("v{now}");
        let event = publish(world, lane, (kind, &call, named.clone()), at, body);
        if poison {
            self.may_die.insert(event.id.as_str().to_owned());
            return;
        }
        self.ends(&event, "contact");
        let held = self.values.entry(key).or_insert((named, String::new()));
        held.1 = value.max(held.1.clone());
    }

    pub(crate) fn deal(&mut self, world: &mut World, who: usize, stage: &'static str) {
        let at = self.now();
        let body = json!({"stage": stage});
        let call = format!("d{at}");
        let of = ("deal_stage_changed", call.as_str(), named(who));
        let event = publish(world, Lane::Op, of, at, body);
        self.ends(&event, "deal");
        let key = deal_key(&named(who).own_key().unwrap());
        self.deals.insert(key, stage);
    }

    pub(crate) fn task(&mut self, world: &mut World, who: usize, owner: &str) {
        let at = self.now();
        let body = json!({"title": "Call back", "owner": owner});
        let call = format!("t{at}");
        let of = ("task_created", call.as_str(), named(who));
        let event = publish(world, Lane::Op, of, at, body);
        self.ends(&event, "task");
        self.tasks.insert(event_record_key(&event.id, "task"));
    }

    /// Something that nobody can read.
    pub(crate) fn unknown(&mut self, world: &mut World, lane: Lane, who: usize) {
        let at = self.now();
        let call = format!("u{at}");
        let of = ("nobody_knows", call.as_str(), named(who));
        let event = publish(world, lane, of, at, json!({}));
        self.must_die.insert(event.id.as_str().to_owned());
    }

    /// All of it is kept.
    pub(crate) fn check(&self, world: &World) {
        let dead: BTreeSet<String> = world
            .dead
            .iter()
            .filter_map(|letter| letter.event_id.clone())
            .collect();
        for letter in &world.dead {
            let id = letter.event_id.as_ref().unwrap();
            assert!(
                self.may_die.contains(id) || self.must_die.contains(id),
                "a dead letter for no reason: {letter:?}"
            );
        }
        assert!(self.must_die.is_subset(&dead), "a dead letter is missing");
        for key in &self.effects {
            let record = world.ledger.get(key);
            assert!(
                record.is_some_and(|it| !matches!(it.state, EffectState::Sent | EffectState::Dead)),
                "no end of {key}: {record:?}"
            );
        }
        self.check_people(world);
        self.check_records(world);
    }

    fn check_people(&self, world: &World) {
        assert_eq!(world.crm.doubled, []);
        let mut seen: BTreeMap<String, &str> = BTreeMap::new();
        for (id, person) in &world.crm.people {
            let numbers = person.phones.iter().map(|phone| last_ten(phone));
            let keys = person.own_key.clone().into_iter();
            for name in numbers.chain(person.email.clone()).chain(keys) {
                if let Some(other) = seen.insert(name.clone(), id)
                    && other != id
                {
                    panic!(
                        "one person is two, {other} and {id}: {:#?}",
                        world.crm.people
                    );
                }
            }
        }
        for ((_, field), (named, value)) in &self.values {
            let (id, person) = person(world, named);
            let held = person.fields.get(field);
            assert_eq!(held, Some(&Value::Text(value.clone())), "{field} of {id}");
            let record = &world.contacts[id];
            assert!(record.field_at.contains_key(field), "{field} of {id}");
        }
    }

    fn check_records(&self, world: &World) {
        let text = |object, key: &str, field: &str| {
            let entry = world.crm.records.get(&(object, key.to_owned()))?;
            match entry.fields.get(field)? {
                Value::Text(text) => Some(text.as_str()),
                _ => None,
            }
        };
        for (call, (who, disposition, felt)) in &self.calls {
            let key = call_key(call);
            let said = text(Object::Call, &key, "disposition");
            assert_eq!(said, Some(disposition.as_str()), "{call}");
            let felt = felt.then_some("positive");
            assert_eq!(text(Object::Call, &key, "sentiment"), felt, "{call}");
            let entry = &world.crm.records[&(Object::Call, key)];
            let (id, _) = person(world, &named(*who));
            assert_eq!(entry.contact.as_deref(), Some(id), "{call}");
        }
        for (key, (named, note)) in &self.notes {
            assert_eq!(text(Object::Note, key, "text"), Some(note.as_str()));
            let entry = &world.crm.records[&(Object::Note, key.clone())];
            let (id, _) = person(world, named);
            assert_eq!(entry.contact.as_deref(), Some(id), "{note}");
            assert_eq!(entry.writes, 1, "{note}");
        }
        let notes = world.crm.all(Object::Note).len();
        assert_eq!(notes, self.notes.len(), "a note from nowhere");
        for (key, stage) in &self.deals {
            let said = text(Object::Deal, key, "stage");
            let id = (*stage == "Offer sent").then_some("s2");
            assert!(said == Some(stage) || said == id, "{said:?}, not {stage}");
        }
        for key in &self.tasks {
            assert!(text(Object::Task, key, "title").is_some());
        }
        assert_eq!(world.crm.all(Object::Task).len(), self.tasks.len());
    }
}

fn last_ten(phone: &str) -> String {
    phone.split_at(phone.len().saturating_sub(10)).1.to_owned()
}
