//! Writes a plan into a vendor's fake as a faultless worker would: one request per effect, in the order published.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use callflume_core::effect::{Effect, Fields, Object, Write};
use callflume_core::event::EventId;
use callflume_core::plan::{contact_base_fields, default_effects};
use callflume_core::vendor::{Answer, Interpretation, Item, ItemOutcome, Operation, Vendor, Verb};
use callflume_sim::fakes::{self, FakeCrm};
use callflume_sim::oracle::{Judgement, PublishOutcome, Published, judge};
use callflume_sim::phone::national_number;
use callflume_sim::scenario::Scenario;
use callflume_sim::traffic::{Plan, PlannedEvent};

/// 15 June 2026, 12:00 UTC.
pub(crate) const START_MS: i64 = 1_781_524_800_000;
/// From one request to the next: slower than any of the limits.
const STEP_MS: i64 = 110;

const SCENARIO: &str = "
name = \"vendors\"
seed = 5
duration_s = 60
[calls]
concurrent = 30
compress = 8.0
unknown_share = 0.3
redial_share = 0.4
[calls.mix]
identified_share = 0.9
opt_out_share = 0.2
analytics_share = 0.8
deal_share = 0.6
[crm]
contacts = 50
[backlog]
enrichment = 30
[[accounts.crm]]
vendor = ";

/// A day that a test can use up: Salesforce has no other limit that requests could meet.
const SMALL_DAY: &str = "daily_limit = 1500\n";

/// A run under way: the plan, the CRM, and what the publisher was told.
pub(crate) struct Run {
    pub(crate) plan: Plan,
    pub(crate) crm: Box<dyn FakeCrm>,
    pub(crate) dead: BTreeSet<EventId>,
    published: Vec<Published>,
    vendor: Arc<dyn Vendor>,
    /// CRM ids of persons by national number, of other records by our key.
    ids: BTreeMap<String, String>,
    trace: u64,
    now_ms: i64,
}

impl Run {
    /// A run in which everything was published and nothing written yet; the contacts that are there have been read.
    pub(crate) fn new(vendor: &str) -> Self {
        let day = if vendor == "salesforce" {
            SMALL_DAY
        } else {
            ""
        };
        let text = format!("{SCENARIO}\"{vendor}\"\n{day}");
        let scenario = Scenario::parse(&text, "vendors.toml")
            .unwrap()
            .of_account(0);
        let prepared = fakes::prepared(&scenario, "http://crm.invalid", START_MS).unwrap();
        let account = "acme".parse().unwrap();
        let plan = Plan::generate(&scenario, &account, START_MS, &prepared.known).unwrap();
        let published = plan
            .all()
            .map(|event| Published {
                index: event.index,
                outcome: PublishOutcome::Stored { at_ms: event.at_ms },
            })
            .collect();
        let mut run = Self {
            plan,
            crm: prepared.crm,
            dead: BTreeSet::new(),
            published,
            vendor: callflume_worker::vendor_of(&prepared.config).unwrap(),
            ids: BTreeMap::new(),
            trace: 0,
            now_ms: START_MS - 600_000,
        };
        run.warm();
        run
    }

    /// A run in which every event but these was written.
    pub(crate) fn written_without(vendor: &str, skip: &[usize]) -> Self {
        let mut run = Self::new(vendor);
        let indexes: Vec<usize> = (0..run.plan.len())
            .filter(|at| !skip.contains(at))
            .collect();
        run.write(&indexes);
        run
    }

    /// A run in which everything was written.
    pub(crate) fn written(vendor: &str) -> Self {
        Self::written_without(vendor, &[])
    }

    fn warm(&mut self) {
        let mut after = None;
        loop {
            let list = Operation {
                verb: Verb::List,
                object: Object::Contact,
                items: Vec::new(),
                after,
            };
            let answer = self.answer(&list);
            let mut meaning = self.vendor.interpret(&list, &answer);
            let ItemOutcome::Matches(page) = meaning.items.remove(0) else {
                panic!("{:?}", meaning.account);
            };
            for found in page {
                for number in found
                    .phones
                    .iter()
                    .filter_map(|typed| national_number(typed))
                {
                    self.ids.insert(number, found.crm_id.clone());
                }
            }
            match meaning.next_page {
                Some(next) => after = Some(next),
                None => break,
            }
        }
    }

    /// Writes these events, in this order.
    pub(crate) fn write(&mut self, indexes: &[usize]) {
        for index in indexes {
            let event = self.plan.get(*index).unwrap().clone();
            self.now_ms = self.now_ms.max(START_MS + event.at_ms.max(0));
            for effect in default_effects(&event.event).unwrap() {
                self.carry_out(&event, effect);
            }
        }
    }

    fn carry_out(&mut self, event: &PlannedEvent, effect: Effect) {
        let contact = self.contact(event);
        let item = Item {
            key: effect.key.clone(),
            fields: effect.fields,
            contact: Some(contact.clone()),
            crm_id: self.ids.get(&effect.key).cloned(),
            ..Item::default()
        };
        let (verb, item) = match effect.write {
            Write::Contact if item.fields.is_empty() => return,
            Write::Contact => {
                let crm_id = Some(contact);
                (Verb::UpdateById, Item { crm_id, ..item })
            }
            Write::Update | Write::Upsert if item.crm_id.is_some() => (Verb::UpdateById, item),
            // The record of its call was left out.
            Write::Update => return,
            Write::Create | Write::Upsert => (Verb::Create, item),
        };
        let id = self.done(verb, effect.object, item);
        if effect.object != Object::Contact {
            self.ids.insert(effect.key, id);
        }
    }

    /// The person an event is about, made if they aren't there.
    pub(crate) fn contact(&mut self, event: &PlannedEvent) -> String {
        let contact = &event.event.contact;
        let number = national_number(contact.phone.as_deref().unwrap()).unwrap();
        if let Some(id) = self.ids.get(&number) {
            return id.clone();
        }
        let item = Item {
            key: contact.own_key().unwrap(),
            fields: contact_base_fields(&event.event),
            ..Item::default()
        };
        let id = self.done(Verb::UpsertByKey, Object::Contact, item);
        self.ids.insert(number, id.clone());
        id
    }

    /// The id of the record that the last effect of an event made.
    pub(crate) fn record_of(&self, event: &PlannedEvent) -> String {
        let effect = default_effects(&event.event).unwrap().pop().unwrap();
        self.ids[&effect.key].clone()
    }

    /// Does something that must succeed; answers the record's id.
    #[track_caller]
    pub(crate) fn done(&mut self, verb: Verb, object: Object, item: Item) -> String {
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
        let answer = self.answer(&operation);
        match self.vendor.interpret(&operation, &answer).items.remove(0) {
            ItemOutcome::Done { crm_id } => crm_id,
            other => panic!("{verb:?} {object}: {other:?}, {answer:?}"),
        }
    }

    /// Makes a record that no event asked for.
    #[track_caller]
    pub(crate) fn make(&mut self, object: Object, contact: &str, fields: Fields) -> String {
        let item = Item {
            key: format!("x-{}", self.trace),
            fields,
            contact: Some(contact.to_owned()),
            ..Item::default()
        };
        self.done(Verb::Create, object, item)
    }

    /// Changes a record as nobody should.
    #[track_caller]
    pub(crate) fn set(&mut self, object: Object, id: &str, key: &str, fields: Fields) {
        let item = Item {
            key: key.to_owned(),
            crm_id: Some(id.to_owned()),
            fields,
            ..Item::default()
        };
        self.done(Verb::UpdateById, object, item);
    }

    fn answer(&mut self, operation: &Operation) -> Answer {
        self.now_ms += STEP_MS;
        self.ask_now(operation)
    }

    /// What the answer to an operation means.
    pub(crate) fn asked(&mut self, operation: &Operation) -> Interpretation {
        let answer = self.answer(operation);
        self.vendor.interpret(operation, &answer)
    }

    /// Lets time pass.
    pub(crate) fn wait(&mut self, ms: i64) {
        self.now_ms += ms;
    }

    /// Asks for something at the instant of the last request.
    pub(crate) fn ask_now(&mut self, operation: &Operation) -> Answer {
        let request = self.vendor.request(operation);
        self.crm.arrive(self.now_ms, &request).answer
    }

    /// What the last effect of an event sets.
    pub(crate) fn fields_of(event: &PlannedEvent) -> Fields {
        default_effects(&event.event).unwrap().pop().unwrap().fields
    }

    /// Our key of the record of the last effect of an event.
    pub(crate) fn key_of(event: &PlannedEvent) -> String {
        default_effects(&event.event).unwrap().pop().unwrap().key
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
