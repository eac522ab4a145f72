//! Open deals of every fake, read the way the product reads them: what it made itself, what people made, what is over.

use std::collections::BTreeMap;
use std::sync::Arc;

use callflume_core::effect::{Field, Fields, Object, Value};
use callflume_core::vendor::{
    AccountSignal, FoundDeal, Item, ItemOutcome, OpenDeals, Operation, Vendor, Verb,
};
use callflume_sim::fakes::{self, FakeCrm};
use callflume_sim::scenario::Scenario;

/// 15 June 2026, 12:00 UTC.
const START_MS: i64 = 1_781_524_800_000;
/// From one request to the next: slower than any of the limits.
const STEP_MS: i64 = 250;

/// A CRM and who speaks to it.
struct Line {
    crm: Box<dyn FakeCrm>,
    vendor: Arc<dyn Vendor>,
    now_ms: i64,
    trace: u64,
    /// Requests that read deals.
    asked: usize,
}

impl Line {
    fn to(vendor: &str) -> Self {
        let text = format!(
            "name = \"deals\"\nseed = 5\nduration_s = 10\n[calls]\nconcurrent = 1\n[crm]\ncontacts = 3\n[[accounts.crm]]\nvendor = \"{vendor}\"\n"
        );
        let scenario = Scenario::parse(&text, "deals.toml").unwrap().of_account(0);
        let prepared = fakes::prepared(&scenario, "http://crm.invalid", START_MS).unwrap();
        Self {
            crm: prepared.crm,
            vendor: callflume_worker::vendor_of(&prepared.config).unwrap(),
            now_ms: START_MS,
            trace: 0,
            asked: 0,
        }
    }

    fn ask(&mut self, operation: &Operation) -> (ItemOutcome, Option<String>) {
        self.now_ms += STEP_MS;
        let request = self.vendor.request(operation);
        let answer = self.crm.arrive(self.now_ms, &request).answer;
        let mut meaning = self.vendor.interpret(operation, &answer);
        assert_eq!(meaning.account, AccountSignal::Fine, "{answer:?}");
        (meaning.items.remove(0), meaning.next_page)
    }

    fn done(&mut self, verb: Verb, object: Object, item: Item) -> String {
        self.trace += 1;
        let item = Item {
            trace: self.trace,
            ..item
        };
        let operation = Operation {
            verb,
            object,
            items: vec![item],
            after: None,
        };
        match self.ask(&operation) {
            (ItemOutcome::Done { crm_id }, _) => crm_id,
            other => panic!("{verb:?} {object}: {other:?}"),
        }
    }

    fn person(&mut self, number: u64) -> String {
        let phone = Value::Text(format!("+120255502{number:02}"));
        let item = Item {
            key: format!("p-{number}"),
            fields: Fields::from([(Field::Phone, phone), (Field::LastName, text("Roe"))]),
            ..Item::default()
        };
        self.done(Verb::UpsertByKey, Object::Contact, item)
    }

    fn deal(&mut self, contact: &str, key: &str, stage: &str) -> String {
        let item = Item {
            key: key.to_owned(),
            contact: Some(contact.to_owned()),
            fields: Fields::from([(Field::Stage, text(stage)), (Field::Title, text(key))]),
            ..Item::default()
        };
        self.done(Verb::Create, Object::Deal, item)
    }

    fn move_to(&mut self, deal: &str, key: &str, stage: &str) {
        let item = Item {
            key: key.to_owned(),
            crm_id: Some(deal.to_owned()),
            fields: Fields::from([(Field::Stage, text(stage))]),
            ..Item::default()
        };
        self.done(Verb::UpdateById, Object::Deal, item);
    }

    fn read(&mut self, items: &[Item]) -> Vec<FoundDeal> {
        let mut all = Vec::new();
        let mut after = None;
        loop {
            self.asked += 1;
            let operation = Operation {
                verb: Verb::List,
                object: Object::Deal,
                items: items.to_vec(),
                after,
            };
            let (ItemOutcome::Deals(found), next) = self.ask(&operation) else {
                panic!("no deals");
            };
            all.extend(found);
            after = next;
            if after.is_none() {
                return all;
            }
        }
    }

    /// Open deals by contact, with when each was made.
    fn open(&mut self, contacts: &[&str]) -> BTreeMap<String, Vec<String>> {
        let found = match self.vendor.open_deals() {
            OpenDeals::Untold => panic!("{} tells nothing", self.vendor.name()),
            OpenDeals::Listed => self.read(&[]),
            OpenDeals::OfContacts { .. } => {
                let of = |id: &&str| Item {
                    contact: Some((*id).to_owned()),
                    ..Item::default()
                };
                let asked: Vec<Item> = contacts.iter().map(of).collect();
                let links = self.read(&asked);
                let ids: Vec<Item> = links
                    .iter()
                    .map(|link| Item {
                        crm_id: Some(link.crm_id.clone()),
                        ..Item::default()
                    })
                    .collect();
                let deals = if ids.is_empty() {
                    Vec::new()
                } else {
                    self.read(&ids)
                };
                let mut deals: BTreeMap<String, FoundDeal> = deals
                    .into_iter()
                    .map(|deal| (deal.crm_id.clone(), deal))
                    .collect();
                links
                    .into_iter()
                    .filter_map(|link| {
                        let deal = deals.remove(&link.crm_id)?;
                        Some(FoundDeal {
                            contact: link.contact,
                            ..deal
                        })
                    })
                    .collect()
            }
        };
        let mut open: BTreeMap<String, Vec<(i64, String)>> = BTreeMap::new();
        for deal in found.into_iter().filter(|deal| deal.open) {
            let made = deal.created.expect("every CRM says when it was made").0;
            assert!(made >= START_MS - 1_000 && made <= self.now_ms, "{made}");
            let contact = deal.contact.unwrap();
            open.entry(contact).or_default().push((made, deal.crm_id));
        }
        let by_age = |mut deals: Vec<(i64, String)>| {
            deals.sort();
            deals.into_iter().map(|(_, id)| id).collect()
        };
        open.into_iter()
            .map(|(contact, deals)| (contact, by_age(deals)))
            .collect()
    }
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

#[test]
fn what_is_open_is_found_with_its_contact_and_what_is_over_is_not() {
    for (vendor, first, second, over) in [
        (
            "hubspot",
            "appointmentscheduled",
            "qualifiedtobuy",
            "closedwon",
        ),
        ("salesforce", "Prospecting", "Qualification", "Closed Won"),
        ("pipedrive", "1", "2", "won"),
        ("close", "stat_20", "stat_21", "stat_22"),
    ] {
        let mut line = Line::to(vendor);
        let people: Vec<String> = (0..3).map(|number| line.person(number)).collect();
        let contacts: Vec<&str> = people.iter().map(String::as_str).collect();
        assert_eq!(line.open(&contacts), BTreeMap::new(), "{vendor}");
        let old = line.deal(&people[0], "d-old", first);
        line.now_ms += 5_000;
        let new = line.deal(&people[0], "d-new", second);
        let won = line.deal(&people[1], "d-won", first);
        let open = line.open(&contacts);
        let expect = BTreeMap::from([
            (people[0].clone(), vec![old.clone(), new.clone()]),
            (people[1].clone(), vec![won.clone()]),
        ]);
        assert_eq!(open, expect, "{vendor}");
        line.move_to(&won, "d-won", over);
        line.move_to(&new, "d-new", over);
        let open = line.open(&contacts);
        assert_eq!(
            open,
            BTreeMap::from([(people[0].clone(), vec![old])]),
            "{vendor}"
        );
        // And back: whoever reopened it.
        line.move_to(
            &won,
            "d-won",
            if vendor == "pipedrive" {
                "open"
            } else {
                second
            },
        );
        assert_eq!(line.open(&contacts)[&people[1]], [won], "{vendor}");
    }
}

#[test]
fn many_deals_take_as_few_requests_as_the_crm_allows() {
    for (vendor, stage, deals, requests) in [
        // Associations once, then the deals by hundreds.
        ("hubspot", "appointmentscheduled", 101, 2),
        ("pipedrive", "1", 501, 2),
        ("close", "stat_20", 101, 2),
        ("salesforce", "Prospecting", 150, 1),
    ] {
        let mut line = Line::to(vendor);
        let person = line.person(0);
        let made: Vec<String> = (0..deals)
            .map(|n| line.deal(&person, &format!("d-{n}"), stage))
            .collect();
        if vendor == "hubspot" {
            // One request holds a hundred.
            let ids: Vec<Item> = made
                .iter()
                .take(100)
                .map(|id| Item {
                    crm_id: Some(id.clone()),
                    ..Item::default()
                })
                .collect();
            let contact = Item {
                contact: Some(person.clone()),
                ..Item::default()
            };
            assert_eq!(line.read(&[contact]).len(), deals);
            assert_eq!(line.read(&ids).len(), 100);
        } else {
            let open = line.open(&[&person]);
            assert_eq!(open[&person], made, "{vendor}");
        }
        assert_eq!(line.asked, requests, "{vendor}");
    }
}
