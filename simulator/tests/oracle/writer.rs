//! Writes a plan into the fake CRM as a faultless worker would: one request per effect, at once, in the order published.

use std::collections::{BTreeMap, BTreeSet};

use callflume_core::effect::{Fields, Object, Write};
use callflume_core::event::{ContactRef, EventId};
use callflume_core::plan::{contact_base_fields, default_effects};
use callflume_core::vendor::{Item, Operation, Vendor, Verb};
use callflume_sim::fakes::{Method, Reply, Request};
use callflume_sim::hubspot::{CustomProperty, HubSpot, ObjectKind, RecordId, SeededContact};
use callflume_sim::oracle::{Judgement, PublishOutcome, Published, judge};
use callflume_sim::scenario::{Scenario, TOKEN};
use callflume_sim::traffic::{Plan, PlannedEvent};
use serde_json::{Value, json};

/// 15 June 2026, 12:00 UTC.
pub(crate) const START_MS: i64 = 1_781_524_800_000;
/// From the planned instant to the write.
pub(crate) const WRITE_AFTER_MS: i64 = 50;

const SCENARIO: &str = "
name = \"oracle\"
seed = 5
duration_s = 60
[calls]
concurrent = 40
compress = 8.0
unknown_share = 0.3
redial_share = 0.4
[calls.mix]
identified_share = 0.9
opt_out_share = 0.2
analytics_share = 0.8
[crm]
contacts = 60
[backlog]
enrichment = 60
";

/// A run under way: the plan, the CRM, and what the publisher was told.
pub(crate) struct Run {
    pub(crate) plan: Plan,
    pub(crate) crm: HubSpot,
    pub(crate) seeded: Vec<SeededContact>,
    pub(crate) published: Vec<Published>,
    pub(crate) dead: BTreeSet<EventId>,
    contacts: BTreeMap<String, RecordId>,
    trace: u64,
    now_ms: i64,
}

impl Run {
    /// A run in which everything was published and nothing written yet.
    pub(crate) fn new() -> Self {
        let scenario = Scenario::parse(SCENARIO, "oracle.toml").unwrap();
        let mut config = scenario.hubspot_config();
        config.apps[0].interval_limit = 1_000_000;
        for object in ObjectKind::ALL {
            config
                .properties
                .push(CustomProperty::unique(object, "callflume_key"));
        }
        config.properties.push(CustomProperty::text(
            ObjectKind::Contacts,
            "callflume_opted_out",
        ));
        config.properties.push(CustomProperty::text(
            ObjectKind::Calls,
            "callflume_sentiment",
        ));
        let mut crm = HubSpot::new(config).unwrap();
        let seeded = crm
            .seed_contacts(scenario.crm.contacts, scenario.seed)
            .unwrap();
        let account = "acme".parse().unwrap();
        let known: Vec<ContactRef> = seeded.iter().map(SeededContact::named).collect();
        let plan = Plan::generate(&scenario, &account, START_MS, &known).unwrap();
        let published = plan
            .all()
            .map(|event| Published {
                index: event.index,
                outcome: PublishOutcome::Stored { at_ms: event.at_ms },
            })
            .collect();
        Self {
            contacts: seeded
                .iter()
                .map(|contact| (contact.e164.clone(), contact.id))
                .collect(),
            plan,
            crm,
            seeded,
            published,
            dead: BTreeSet::new(),
            trace: 0,
            now_ms: START_MS,
        }
    }

    /// A run in which every event but these was written.
    pub(crate) fn written_without(skip: &[usize]) -> Self {
        let mut run = Self::new();
        let indexes: Vec<usize> = (0..run.plan.len())
            .filter(|at| !skip.contains(at))
            .collect();
        run.write(&indexes);
        run
    }

    /// A run in which everything was written.
    pub(crate) fn written() -> Self {
        Self::written_without(&[])
    }

    /// Writes these events, in this order.
    pub(crate) fn write(&mut self, indexes: &[usize]) {
        for index in indexes {
            let event = self.plan.get(*index).unwrap().clone();
            self.now_ms = self
                .now_ms
                .max(START_MS + event.at_ms.max(0) + WRITE_AFTER_MS);
            self.write_event(&event);
        }
    }

    fn write_event(&mut self, planned: &PlannedEvent) {
        let event = &planned.event;
        for effect in default_effects(event).unwrap() {
            let contact = self.contact(&event.contact, &contact_base_fields(event));
            let item = Item {
                key: effect.key.clone(),
                fields: effect.fields.clone(),
                ..Item::default()
            };
            match effect.write {
                Write::Contact if effect.fields.is_empty() => {}
                Write::Contact => {
                    let item = Item {
                        crm_id: Some(contact.to_string()),
                        ..item
                    };
                    self.send(Verb::UpdateById, Object::Contact, item);
                }
                Write::Create => {
                    let item = Item {
                        contact: Some(contact.to_string()),
                        ..item
                    };
                    self.send(Verb::Create, effect.object, item);
                }
                Write::Upsert => {
                    let kind = match effect.object {
                        Object::Call => ObjectKind::Calls,
                        _ => ObjectKind::Deals,
                    };
                    let there = self
                        .crm
                        .holder(kind, "callflume_key", &effect.key)
                        .is_some();
                    let item = Item {
                        contact: Some(contact.to_string()),
                        ..item
                    };
                    let verb = if there {
                        Verb::UpdateByKey
                    } else {
                        Verb::Create
                    };
                    self.send(verb, effect.object, item);
                }
                Write::Update => {
                    self.send(Verb::UpdateByKey, effect.object, item);
                }
            }
        }
    }

    /// The contact with this number, made if it isn't there.
    fn contact(&mut self, contact: &ContactRef, base: &Fields) -> RecordId {
        let number = contact.phone.clone().unwrap();
        if let Some(id) = self.contacts.get(&number) {
            return *id;
        }
        let key = contact.own_key().unwrap();
        let item = Item {
            key: key.clone(),
            fields: base.clone(),
            ..Item::default()
        };
        self.send(Verb::UpsertByKey, Object::Contact, item);
        let id = self
            .crm
            .holder(ObjectKind::Contacts, "callflume_key", &key)
            .unwrap()
            .id;
        self.contacts.insert(number, id);
        id
    }

    fn send(&mut self, verb: Verb, object: Object, item: Item) {
        self.trace += 1;
        let operation = Operation {
            verb,
            object,
            items: vec![Item {
                trace: self.trace,
                ..item
            }],
            after: None,
        };
        let request = callflume_crm::hubspot::HubSpot::default().request(&operation);
        let body: Value = serde_json::from_slice(&request.body.unwrap()).unwrap();
        let reply = self.request(Method::Post, &request.path, &body);
        assert!(
            (200..=201).contains(&reply.status),
            "{} {}",
            reply.status,
            String::from_utf8_lossy(&reply.body)
        );
    }

    /// Sends anything, one millisecond later.
    pub(crate) fn request(&mut self, method: Method, target: &str, body: &Value) -> Reply {
        self.now_ms += 1;
        let request = Request::new(method, target)
            .with_bearer(TOKEN)
            .with_json(body);
        self.crm.handle(self.now_ms, &request)
    }

    /// Sets properties of a record, as nobody should.
    pub(crate) fn set(&mut self, object: ObjectKind, id: RecordId, properties: &Value) {
        let target = format!("/crm/v3/objects/{}/{id}", object.as_str());
        let reply = self.request(Method::Patch, &target, &json!({ "properties": properties }));
        assert_eq!(reply.status, 200);
    }

    /// The contact an event is about.
    pub(crate) fn contact_of(&self, event: &PlannedEvent) -> RecordId {
        self.contacts[event.event.contact.phone.as_ref().unwrap()]
    }

    /// The first event of this kind that satisfies a condition.
    #[track_caller]
    pub(crate) fn event(
        &self,
        kind: &str,
        condition: impl Fn(&PlannedEvent) -> bool,
    ) -> PlannedEvent {
        self.plan
            .all()
            .find(|event| event.event.kind == kind && condition(event))
            .expect("the plan has such an event")
            .clone()
    }

    /// The last but one and the last event of this kind about some contact.
    #[track_caller]
    pub(crate) fn last_two(&self, kind: &str) -> (PlannedEvent, PlannedEvent) {
        let mut by_contact: BTreeMap<&str, Vec<&PlannedEvent>> = BTreeMap::new();
        for event in self.plan.all().filter(|event| event.event.kind == kind) {
            let phone = event.event.contact.phone.as_deref().unwrap();
            by_contact.entry(phone).or_default().push(event);
        }
        let two = by_contact
            .values()
            .find_map(|events| events.last_chunk::<2>());
        let [older, newest] = two.expect("the plan has two such events");
        assert!(older.event.at < newest.event.at);
        ((*older).clone(), (*newest).clone())
    }

    pub(crate) fn judge(&self) -> Judgement {
        judge(&self.plan, &self.published, &self.crm, &self.dead)
    }
}
