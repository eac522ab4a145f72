//! A small CRM in memory: contacts found by key, e-mail or phone, records unique by our key.
//!
//! In class B nothing is unique: what is created twice is there twice, records are updated by id only, and searches
//! find a person only a while after it was created; a probe sees everything.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use callflume_core::bulk::{Bulk, BulkAnswer};
use callflume_core::codes;
use callflume_core::effect::{Fields, Object, Value};
use callflume_core::event::{ContactRef, Phone};
use callflume_core::reference::References;
use callflume_core::vendor::{
    AccountSignal, Answer, Charge, Content, Found, HttpRequest, Interpretation, Item, ItemOutcome,
    Method, OpenDeals, Operation, Repeat, Vendor, Verb, WindowSpec,
};

use crate::directory::Directory;

/// A text with this in it is refused by the CRM.
pub(crate) const POISON: &str = "poison";
/// In class B: how long a new person is not found by searches, milliseconds.
pub(crate) const SEARCH_LAG_MS: u64 = 20_000;
/// Contacts on a page.
const PAGE: usize = 100;

/// The account's windows: requests, searches, day.
pub(crate) fn windows(ten_secondly: u32, search: u32, daily: u32) -> Vec<WindowSpec> {
    vec![
        WindowSpec::rolling("ten_secondly", ten_secondly, 10_000),
        WindowSpec::rolling("search", search, 1_000),
        WindowSpec::day("daily", daily),
    ]
}

/// Operations and answers pass through it by number: what a real vendor would spell out in HTTP.
#[derive(Default)]
pub(crate) struct FakeVendor {
    class_b: bool,
    /// Operations that share a request; 0 for none.
    bundles: usize,
    /// Owners and stages have names.
    pub(crate) named: bool,
    /// Whether it writes by jobs, and of how many rows at most.
    bulk: bool,
    pub(crate) rows_max: usize,
    pub(crate) asks: Mutex<Vec<OwnAsk>>,
    pub(crate) said: Mutex<Vec<(AccountSignal, BulkAnswer)>>,
    deals: Mutex<Option<OpenDeals>>,
    operations: Mutex<Vec<Operation>>,
    meanings: Mutex<Vec<Interpretation>>,
}

impl FakeVendor {
    pub(crate) fn class_b() -> Self {
        Self {
            class_b: true,
            ..Self::default()
        }
    }

    pub(crate) fn bundling() -> Self {
        Self {
            bundles: 5,
            ..Self::default()
        }
    }

    /// Any of these at once.
    pub(crate) fn of(class_b: bool, bundles: usize, named: bool, rows_max: usize) -> Self {
        Self {
            class_b,
            bundles,
            named,
            bulk: rows_max > 0,
            rows_max,
            ..Self::default()
        }
    }

    pub(crate) fn naming() -> Self {
        Self {
            named: true,
            ..Self::default()
        }
    }

    pub(crate) fn with_bulk() -> Self {
        Self {
            bulk: true,
            rows_max: crate::bulk_crm::ROWS_MAX,
            ..Self::default()
        }
    }

    /// From now on it tells which deals are open.
    pub(crate) fn tells_deals(&self, how: OpenDeals) {
        *lock(&self.deals) = Some(how);
    }

    /// What a request carries.
    pub(crate) fn operations(&self, http: &HttpRequest) -> Vec<Operation> {
        let all = lock(&self.operations);
        let places = http.path.trim_start_matches('/').split(',');
        places
            .map(|place| all[place.parse::<usize>().unwrap()].clone())
            .collect()
    }

    /// An answer that means this, for each operation.
    pub(crate) fn answer(&self, answered: Vec<Interpretation>) -> Answer {
        let mut meanings = lock(&self.meanings);
        let places: Vec<String> = answered
            .into_iter()
            .map(|meaning| {
                meanings.push(meaning);
                (meanings.len() - 1).to_string()
            })
            .collect();
        response(&places.join(","))
    }
}

pub(crate) fn response(body: &str) -> Answer {
    Answer::Response {
        status: 200,
        headers: Vec::new(),
        body: body.as_bytes().to_vec(),
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Vendor for FakeVendor {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn batch_max(&self, verb: Verb, _object: Object) -> usize {
        match verb {
            Verb::ReadByEmail | Verb::SearchByPhone | Verb::List => 1,
            _ => 100,
        }
    }

    fn windows(&self, verb: Verb, _object: Object) -> &'static [Charge] {
        const SEARCHES: &[Charge] = &[Charge::one(1), Charge::one(2)];
        const OTHERS: &[Charge] = &[Charge::one(0), Charge::one(2)];
        if verb == Verb::SearchByPhone {
            SEARCHES
        } else {
            OTHERS
        }
    }

    fn repeat(&self, verb: Verb, _object: Object) -> Repeat {
        match verb {
            Verb::UpsertByKey | Verb::Create if self.class_b => Repeat::AfterProbe,
            _ => Repeat::Blindly,
        }
    }

    fn updates_by_key(&self, _object: Object) -> bool {
        !self.class_b
    }

    fn references(&self) -> Option<&dyn References> {
        self.named.then_some(&Directory)
    }

    fn upserts_plainly(&self, _object: Object, _fields: &Fields) -> bool {
        self.bulk
    }

    fn bulk(&self) -> Option<&dyn Bulk> {
        self.bulk.then_some(self as &dyn Bulk)
    }

    fn open_deals(&self) -> OpenDeals {
        lock(&self.deals).unwrap_or(OpenDeals::Untold)
    }

    fn request(&self, operation: &Operation) -> HttpRequest {
        let mut operations = lock(&self.operations);
        operations.push(operation.clone());
        HttpRequest {
            method: Method::Post,
            path: format!("/{}", operations.len() - 1),
            body: None,
            content: Content::Json,
        }
    }

    fn room(&self, operations: &[Operation], verb: Verb, object: Object) -> usize {
        if operations.len() < self.bundles.max(1) {
            self.batch_max(verb, object)
        } else {
            0
        }
    }

    fn bundle(&self, operations: &[Operation]) -> HttpRequest {
        let paths: Vec<String> = operations
            .iter()
            .map(|operation| {
                Vendor::request(self, operation)
                    .path
                    .trim_matches('/')
                    .to_owned()
            })
            .collect();
        HttpRequest {
            method: Method::Post,
            path: format!("/{}", paths.join(",")),
            body: None,
            content: Content::Json,
        }
    }

    fn unbundle(&self, operations: &[Operation], answer: &Answer) -> Option<Vec<Answer>> {
        match answer {
            Answer::Response { body, .. } if body == b"refused" => None,
            Answer::Response { body, .. } => {
                let places = std::str::from_utf8(body).unwrap();
                Some(places.split(',').map(response).collect())
            }
            other => Some(vec![other.clone(); operations.len()]),
        }
    }

    fn interpret(&self, operation: &Operation, answer: &Answer) -> Interpretation {
        match answer {
            Answer::Response { body, .. } => {
                let place: usize = std::str::from_utf8(body).unwrap().parse().unwrap();
                lock(&self.meanings)[place].clone()
            }
            Answer::NotSent => whole(operation, AccountSignal::Failing, ItemOutcome::NotExecuted),
            Answer::Lost => whole(operation, AccountSignal::Failing, ItemOutcome::Unknown),
        }
    }
}

pub(crate) use crate::bulk_crm::{BulkTrouble, FakeJob, OwnAsk};

/// The same outcome for every item.
pub(crate) fn whole(
    operation: &Operation,
    account: AccountSignal,
    outcome: ItemOutcome,
) -> Interpretation {
    Interpretation {
        account,
        items: vec![outcome; operation.items.len().max(1)],
        next_page: None,
    }
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Person {
    pub(crate) own_key: Option<String>,
    pub(crate) phones: Vec<String>,
    pub(crate) email: Option<String>,
    pub(crate) fields: BTreeMap<String, Value>,
    /// In class B: when searches begin to find it.
    pub(crate) found_from_ms: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) contact: Option<String>,
    pub(crate) fields: BTreeMap<String, Value>,
    /// Writes that changed it.
    pub(crate) writes: u32,
}

/// What the CRM holds, and how it misbehaves.
#[derive(Debug, Default)]
pub(crate) struct Crm {
    pub(crate) people: BTreeMap<String, Person>,
    pub(crate) records: BTreeMap<(Object, String), Entry>,
    /// Whether a refused item makes the whole batch be refused.
    pub(crate) refuses_whole_batches: bool,
    /// Whether nothing is unique.
    pub(crate) class_b: bool,
    /// Records that were created though they were there.
    pub(crate) doubled: Vec<(Object, String)>,
    /// Values of persons' fields that a smaller one replaced, with it.
    pub(crate) fell: Vec<(Value, Value)>,
    /// Probes that answer "not here yet, go on" so often before they answer.
    pub(crate) probe_pages: usize,
    /// Pages of strangers that a look-up of this verb reads before the page that tells.
    pub(crate) stranger_pages: BTreeMap<Verb, usize>,
    pub(crate) now_ms: u64,
    /// Bulk jobs, by number; and how they misbehave.
    pub(crate) bulk_jobs: Vec<FakeJob>,
    pub(crate) bulk_trouble: BulkTrouble,
    /// Operations executed, with the instant they arrived.
    pub(crate) executed: Vec<(u64, Operation)>,
    next_id: u64,
}

impl Crm {
    pub(crate) fn add_person(&mut self, phone: Option<&str>, email: Option<&str>) -> String {
        self.next_id += 1;
        let id = self.next_id.to_string();
        let person = Person {
            phones: phone.into_iter().map(str::to_owned).collect(),
            email: email.map(str::to_owned),
            ..Person::default()
        };
        self.people.insert(id.clone(), person);
        id
    }

    /// A person who carries our key already.
    pub(crate) fn add_known(&mut self, phone: &str) -> String {
        let id = self.add_person(Some(phone), None);
        let number = Phone::parse(phone).unwrap();
        self.people.get_mut(&id).unwrap().own_key = Some(ContactRef::phone_alias(&number));
        id
    }

    /// Records of one kind.
    pub(crate) fn all(&self, object: Object) -> Vec<&Entry> {
        self.records
            .iter()
            .filter(|((kind, _), _)| *kind == object)
            .map(|(_, entry)| entry)
            .collect()
    }

    pub(crate) fn execute(&mut self, at: u64, operation: &Operation) -> Interpretation {
        self.executed.push((at, operation.clone()));
        self.now_ms = at;
        if operation.verb == Verb::List && operation.object == Object::Deal {
            return self.list_deals(operation);
        }
        if operation.verb == Verb::List {
            return self.list(operation.after.as_deref());
        }
        if let Some(page) = self.strangers(operation) {
            return page;
        }
        if self.refuses_whole_batches
            && operation.items.len() > 1
            && operation.items.iter().any(poisoned)
        {
            return whole(operation, AccountSignal::Fine, ItemOutcome::Split);
        }
        Interpretation {
            account: AccountSignal::Fine,
            items: operation
                .items
                .iter()
                .map(|item| self.item(operation, item))
                .collect(),
            next_page: None,
        }
    }

    /// A page that can't say yet. A mark is good for the query that it came from.
    fn strangers(&self, operation: &Operation) -> Option<Interpretation> {
        let pages = match operation.verb {
            Verb::Probe => self.probe_pages,
            verb => *self.stranger_pages.get(&verb)?,
        };
        let not_yet = whole(operation, AccountSignal::Fine, ItemOutcome::NotExecuted);
        let [item] = operation.items.as_slice() else {
            assert_eq!(operation.after, None, "a mark for several");
            return (pages > 0).then(|| whole(operation, AccountSignal::Fine, ItemOutcome::Split));
        };
        let page: usize = operation.after.as_deref().map_or(0, |mark| {
            let (page, key) = mark.split_once('@').unwrap();
            assert_eq!(key, item.key, "a mark of another query");
            page.parse().unwrap()
        });
        (page < pages).then(|| Interpretation {
            next_page: Some(format!("{}@{}", page + 1, item.key)),
            ..not_yet
        })
    }

    fn list(&self, after: Option<&str>) -> Interpretation {
        let from: usize = after.map_or(0, |mark| mark.parse().unwrap());
        let found = self
            .people
            .iter()
            .skip(from)
            .take(PAGE)
            .map(|(id, person)| found(id, person))
            .collect();
        Interpretation {
            account: AccountSignal::Fine,
            items: vec![ItemOutcome::Matches(found)],
            next_page: (from + PAGE < self.people.len()).then(|| (from + PAGE).to_string()),
        }
    }

    fn search(&self, fits: impl Fn(&Person) -> bool) -> ItemOutcome {
        let now_ms = self.now_ms;
        let hits = self
            .people
            .iter()
            .filter(|(_, person)| person.found_from_ms <= now_ms && fits(person));
        ItemOutcome::Matches(hits.map(|(id, person)| found(id, person)).collect())
    }

    pub(crate) fn item(&mut self, operation: &Operation, item: &Item) -> ItemOutcome {
        if poisoned(item) {
            return ItemOutcome::Refused {
                code: codes::CRM_REFUSED,
                reason: "INVALID_VALUE".into(),
            };
        }
        let record = (operation.object, item.key.clone());
        match operation.verb {
            Verb::ReadByKey => self.search(|person| person.own_key.as_ref() == Some(&item.key)),
            Verb::ReadByEmail => self.search(|person| person.email == item.email),
            Verb::SearchByPhone => self.search(|person| {
                let wanted = item.phone.as_ref().unwrap();
                person
                    .phones
                    .iter()
                    .any(|typed| wanted.matches_typed(typed))
            }),
            Verb::UpsertByKey => self.upsert(item),
            Verb::UpdateById if operation.object != Object::Contact => {
                let key = item.crm_id.as_deref().and_then(|id| id.strip_prefix("id-"));
                let record = (operation.object, key.unwrap_or_default().to_owned());
                self.update(&record, item)
            }
            Verb::UpdateById => {
                let Some(person) = item.crm_id.as_ref().and_then(|id| self.people.get_mut(id))
                else {
                    return ItemOutcome::Gone;
                };
                if item.stamp {
                    person.own_key = Some(item.key.clone());
                }
                self.fell.extend(falls(person, &item.fields));
                set(person, &item.fields);
                done(item.crm_id.as_deref().unwrap_or_default())
            }
            Verb::UpdateByKey => {
                assert!(!self.class_b, "there are no keys");
                self.update(&record, item)
            }
            Verb::Create => {
                if self.records.contains_key(&record) {
                    if !self.class_b {
                        return ItemOutcome::Conflict { existing: None };
                    }
                    self.doubled.push(record.clone());
                }
                if let Some(contact) = &item.contact
                    && !self.people.contains_key(contact)
                {
                    return ItemOutcome::Gone;
                }
                let entry = Entry {
                    contact: item.contact.clone(),
                    fields: named(&item.fields),
                    writes: 1,
                };
                self.records.insert(record, entry);
                done(&format!("id-{}", item.key))
            }
            Verb::List => ItemOutcome::Gone,
            Verb::Probe => self.probe(&record, item),
        }
    }

    fn update(&mut self, record: &(Object, String), item: &Item) -> ItemOutcome {
        match self.records.get_mut(record) {
            Some(entry) => {
                entry.fields.extend(named(&item.fields));
                entry.writes += 1;
                done(&format!("id-{}", record.1))
            }
            None => ItemOutcome::Gone,
        }
    }

    /// Looks for a contact by our key, for another record among those of its contact.
    fn probe(&self, record: &(Object, String), item: &Item) -> ItemOutcome {
        if record.0 == Object::Contact {
            let mut people = self.people.iter();
            return people
                .find(|(_, person)| person.own_key.as_ref() == Some(&item.key))
                .map_or(ItemOutcome::Gone, |(id, _)| done(id));
        }
        assert!(item.contact.is_some(), "a probe needs a place to look");
        match self.records.get(record) {
            Some(entry) if entry.contact == item.contact => done(&format!("id-{}", record.1)),
            _ => ItemOutcome::Gone,
        }
    }

    fn upsert(&mut self, item: &Item) -> ItemOutcome {
        let known = self
            .people
            .iter()
            .find(|(_, person)| !self.class_b && person.own_key.as_ref() == Some(&item.key))
            .map(|(id, _)| id.clone());
        let id = known.unwrap_or_else(|| self.add_person(None, None));
        let lag_ms = if self.class_b { SEARCH_LAG_MS } else { 0 };
        let found_from_ms = self.now_ms + lag_ms;
        let person = self.people.get_mut(&id).unwrap();
        person.found_from_ms = found_from_ms;
        person.own_key = Some(item.key.clone());
        self.fell.extend(falls(person, &item.fields));
        set(person, &item.fields);
        done(&id)
    }
}

fn done(crm_id: &str) -> ItemOutcome {
    ItemOutcome::Done {
        crm_id: crm_id.to_owned(),
    }
}

fn poisoned(item: &Item) -> bool {
    item.fields
        .values()
        .any(|value| matches!(value, Value::Text(text) if text.contains(POISON)))
}

fn named(fields: &Fields) -> BTreeMap<String, Value> {
    fields
        .iter()
        .map(|(field, value)| (field.name(), value.clone()))
        .collect()
}

fn falls(person: &Person, fields: &Fields) -> Vec<(Value, Value)> {
    let pairs = fields.iter().filter_map(|(field, value)| {
        let held = person.fields.get(&field.name())?;
        let texts = (held, value);
        matches!(texts, (Value::Text(held), Value::Text(text)) if text < held)
            .then(|| (held.clone(), value.clone()))
    });
    pairs.collect()
}

fn set(person: &mut Person, fields: &Fields) {
    person.fields.extend(named(fields));
    if let Some(Value::Text(phone)) = person.fields.get("phone") {
        let phone = phone.clone();
        if !person.phones.contains(&phone) {
            person.phones.push(phone);
        }
    }
    if let Some(Value::Text(email)) = person.fields.get("email") {
        person.email = Some(email.clone());
    }
}

fn found(id: &str, person: &Person) -> Found {
    Found {
        crm_id: id.to_owned(),
        own_key: person.own_key.clone(),
        phones: person.phones.clone(),
        email: person.email.clone(),
        ..Found::default()
    }
}

/// A number nobody has.
pub(crate) fn phone(n: usize) -> String {
    let number = format!("+1202555{n:04}");
    assert!(Phone::parse(&number).is_some());
    number
}

pub(crate) type SharedVendor = Arc<FakeVendor>;
