//! Reading which deals are open, as part of reading all contacts.
//!
//! A CRM that lists its open deals is asked for them once its contacts are stored, page by page. One that tells deals of
//! given contacts is asked after every so many contacts, before their next page: which deals they are linked to, then which of
//! those are open. What came is stored before anything more is asked for.
//!
//! Invariants: nothing here costs the contacts their reading. A CRM that refuses its deals, or keeps failing to give them, is
//! asked no more until the next reading; that is told once, and what is known of deals stays. Bounded: the contacts of one
//! request, and of each [`LINKS_MAX`] deals, those with the highest ids, for ids rise.

use std::collections::{BTreeMap, BTreeSet};

use super::answer::RETRY_EN_MS;
use super::state::{JobId, Purpose, Recorded};
use super::{ContactWrite, Dispatcher, Output};
use crate::codes;
use crate::effect::Object;
use crate::lane::Lane;
use crate::lookup::{self, UnreadNumbers};
use crate::record::ContactRecord;
use crate::seed::backoff_ms;
use crate::time::{Now, WallTime};
use crate::vendor::{
    AccountSignal, FoundDeal, Interpretation, Item, ItemOutcome, OpenDeals, Operation, Verb,
};

/// Deals of one contact that are looked at.
const LINKS_MAX: usize = 20;
/// So often the CRM may fail to give one page.
const ATTEMPTS_MAX: u32 = 20;

/// How far the reading of open deals has got.
#[derive(Debug, Default)]
pub(super) struct WarmingDeals {
    /// Stored contacts whose deals are still to be read.
    block: Vec<String>,
    /// Those that were asked about, with the deals they are linked to.
    links: BTreeMap<String, BTreeSet<DealId>>,
    /// Deals of theirs that are still to be asked for.
    unread: Vec<String>,
    /// Those that are open, with when they were made.
    open: BTreeMap<String, Option<WallTime>>,
    /// Where the contacts go on.
    resume: Option<String>,
    /// The CRM does not give its deals.
    refused: bool,
    /// That was told.
    told: bool,
}

/// An id by its place among rising ones.
type DealId = (usize, String);

impl WarmingDeals {
    /// For the next reading: only what was told is remembered.
    pub(super) fn again(self) -> Self {
        Self {
            told: self.told,
            ..Self::default()
        }
    }

    /// Contacts that are being stored, where they will be asked for.
    pub(super) fn remember(&mut self, how: OpenDeals, writes: &[ContactWrite]) {
        if let OpenDeals::OfContacts { .. } = how
            && !self.refused
        {
            let ids = writes.iter().map(|write| write.record.crm_id.clone());
            self.block.extend(ids);
        }
    }

    /// What a reading that began at `since` says of the contacts asked about.
    fn found(&mut self, since: WallTime) -> Vec<ContactWrite> {
        let open = std::mem::take(&mut self.open);
        let contacts = std::mem::take(&mut self.links).into_iter();
        contacts
            .map(|(contact, deals)| {
                let deals = deals.into_iter().filter_map(|(length, id)| {
                    let created = *open.get(&id)?;
                    Some((created, length, id))
                });
                let latest = deals.max().map(|(created, _, id)| (id, created));
                write(contact, latest, since)
            })
            .collect()
    }
}

fn write(
    contact: String,
    deal: Option<(String, Option<WallTime>)>,
    since: WallTime,
) -> ContactWrite {
    ContactWrite {
        record: ContactRecord::deal_read(contact, deal, since),
        aliases: Vec::new(),
        only_if_absent: true,
    }
}

fn of_contact(contact: &str) -> Item {
    Item {
        contact: Some(contact.to_owned()),
        ..Item::default()
    }
}

fn of_deal(deal: String) -> Item {
    Item {
        crm_id: Some(deal),
        ..Item::default()
    }
}

/// Whether an operation reads open deals.
pub(super) fn reads_deals(operation: &Operation) -> bool {
    operation.verb == Verb::List && operation.object == Object::Deal
}

impl Dispatcher {
    /// Asks for the deals of the contacts stored so far, when they are as many as one request takes, or the last. Answers
    /// whether it does: the contacts go on from `next` afterwards.
    pub(super) fn deals_of_block(&mut self, now: Now, next: Option<&str>) -> bool {
        let OpenDeals::OfContacts { contacts, .. } = self.vendor.open_deals() else {
            return false;
        };
        let deals = &mut self.warming.deals;
        let due = deals.block.len() >= contacts || next.is_none();
        if !due || deals.block.is_empty() || deals.refused {
            return false;
        }
        let rest = deals.block.split_off(contacts.min(deals.block.len()));
        let asked = std::mem::replace(&mut deals.block, rest);
        deals.resume = next.map(ToOwned::to_owned);
        let items = asked.iter().map(|contact| of_contact(contact)).collect();
        deals.links = asked
            .into_iter()
            .map(|contact| (contact, BTreeSet::new()))
            .collect();
        self.ask_deals(now, items, None);
        true
    }

    /// All contacts are stored: on to the open deals where those are listed, or the end.
    pub(super) fn deals_after_contacts(&mut self, now: Now) {
        match self.vendor.open_deals() {
            OpenDeals::Listed => {
                self.counters.warming = 1;
                self.ask_deals(now, Vec::new(), None);
            }
            OpenDeals::OfContacts { .. } => self.deals_were_given(),
            OpenDeals::Untold => {}
        }
    }

    fn ask_deals(&mut self, now: Now, items: Vec<Item>, after: Option<String>) {
        self.enqueue(
            now,
            Lane::En,
            Verb::List,
            Object::Deal,
            Item::default(),
            "",
            Purpose::Deals { items, after },
            None,
        );
    }

    /// What an answer about deals says, without what it says against the account: that a permission lacks for deals is no
    /// trouble of anything else.
    pub(super) fn of_deals_only(operation: &Operation, meaning: &mut Interpretation) {
        if reads_deals(operation) && meaning.account == AccountSignal::ScopeMissing {
            meaning.account = AccountSignal::Fine;
            meaning.items = vec![ItemOutcome::Refused {
                code: codes::CRM_SCOPE,
                reason: "the credential lacks a permission".to_owned(),
            }];
        }
    }

    /// Deals came, or something else did.
    pub(super) fn deals_page(
        &mut self,
        now: Now,
        id: JobId,
        meaning: Interpretation,
        again_ms: u64,
    ) {
        let failed = meaning.account == AccountSignal::Failing;
        match meaning.items.into_iter().next() {
            Some(ItemOutcome::Deals(found)) => {
                let Some(job) = self.finish_job(id) else {
                    return;
                };
                let Purpose::Deals { items, after } = job.purpose else {
                    return;
                };
                // A mark that leads back to itself would be read for ever.
                let next = meaning
                    .next_page
                    .filter(|mark| after.as_ref() != Some(mark));
                match items.first() {
                    None => self.listed(now, found, next),
                    Some(item) if item.contact.is_some() => self.linked(now, items, found, next),
                    Some(_) => self.opened(now, found),
                }
            }
            Some(ItemOutcome::NotExecuted) if !failed => self.delay(now, id, again_ms),
            Some(ItemOutcome::NotExecuted | ItemOutcome::Unknown) | None => {
                let attempts = self.jobs.get_mut(&id).map_or(0, |job| {
                    job.attempts += 1;
                    job.attempts
                });
                if attempts >= ATTEMPTS_MAX {
                    self.no_deals(now, id);
                } else {
                    let (base, cap) = RETRY_EN_MS;
                    let wait_ms = backoff_ms(&mut self.seed, attempts, base, cap);
                    self.delay(now, id, wait_ms.max(again_ms));
                }
            }
            Some(_) => self.no_deals(now, id),
        }
    }

    /// A page of open deals: of each contact the one made last.
    fn listed(&mut self, now: Now, found: Vec<FoundDeal>, next: Option<String>) {
        let mut latest: BTreeMap<String, (Option<WallTime>, DealId)> = BTreeMap::new();
        for deal in found.into_iter().filter(|deal| deal.open) {
            let Some(contact) = deal.contact else {
                continue;
            };
            let this = (deal.created, (deal.crm_id.len(), deal.crm_id));
            let held = latest.entry(contact).or_insert_with(|| this.clone());
            if *held < this {
                *held = this;
            }
        }
        let since = self.warming.since;
        let writes = latest
            .into_iter()
            .map(|(contact, (created, (_, deal)))| write(contact, Some((deal, created)), since))
            .collect();
        self.store_deals(now, writes, next);
    }

    /// Which deals contacts are linked to: on to which of them are open.
    fn linked(&mut self, now: Now, items: Vec<Item>, found: Vec<FoundDeal>, next: Option<String>) {
        let deals = &mut self.warming.deals;
        for deal in found {
            let contact = deal.contact.as_ref();
            if let Some(links) = contact.and_then(|contact| deals.links.get_mut(contact)) {
                links.insert((deal.crm_id.len(), deal.crm_id));
                if links.len() > LINKS_MAX {
                    links.pop_first();
                }
            }
        }
        if next.is_some() {
            self.ask_deals(now, items, next);
            return;
        }
        let linked: BTreeSet<&DealId> = deals.links.values().flatten().collect();
        deals.unread = linked.into_iter().map(|(_, id)| id.clone()).collect();
        self.next_deals(now);
    }

    /// Which deals are open: on to the next ones, or all is known.
    fn opened(&mut self, now: Now, found: Vec<FoundDeal>) {
        let open = found.into_iter().filter(|deal| deal.open);
        let open = open.map(|deal| (deal.crm_id, deal.created));
        self.warming.deals.open.extend(open);
        self.next_deals(now);
    }

    fn next_deals(&mut self, now: Now) {
        let OpenDeals::OfContacts { deals: most, .. } = self.vendor.open_deals() else {
            return;
        };
        let unread = &mut self.warming.deals.unread;
        if unread.is_empty() {
            let writes = self.warming.deals.found(self.warming.since);
            self.store_deals(now, writes, None);
            return;
        }
        let asked = unread.split_off(unread.len().saturating_sub(most));
        let items = asked.into_iter().map(of_deal).collect();
        self.ask_deals(now, items, None);
    }

    fn store_deals(&mut self, now: Now, writes: Vec<ContactWrite>, next: Option<String>) {
        if writes.is_empty() {
            self.deals_stored(now, next);
        } else {
            let what = Recorded::Deals { next };
            self.store(Vec::new(), writes, what, BTreeSet::new());
        }
    }

    /// What is known of deals is stored: on to their next page, or the contacts' next, or the end.
    pub(super) fn deals_stored(&mut self, now: Now, next: Option<String>) {
        if let OpenDeals::OfContacts { .. } = self.vendor.open_deals() {
            let resume = self.warming.deals.resume.take();
            self.page_stored(now, resume);
        } else if next.is_some() {
            self.ask_deals(now, Vec::new(), next);
        } else {
            self.counters.warming = 0;
            self.outputs.push_back(Output::Warmed {
                as_of: self.warming.since,
                kinds: vec![lookup::DEALS],
                unread: UnreadNumbers::default(),
            });
            self.deals_were_given();
        }
    }

    /// The CRM doesn't give its deals: that is told, and the contacts go on.
    fn no_deals(&mut self, now: Now, id: JobId) {
        self.finish_job(id);
        let deals = &mut self.warming.deals;
        let resume = deals.resume.take();
        *deals = WarmingDeals {
            refused: true,
            told: true,
            ..WarmingDeals::default()
        };
        self.alert(
            codes::CRM_DEALS,
            "the CRM doesn't give its open deals; contacts are read all the same, and what is known of deals stays",
        );
        if let OpenDeals::OfContacts { .. } = self.vendor.open_deals() {
            self.page_stored(now, resume);
        } else {
            self.counters.warming = 0;
        }
    }

    fn deals_were_given(&mut self) {
        let deals = &mut self.warming.deals;
        if !deals.refused && std::mem::take(&mut deals.told) {
            self.outputs.push_back(Output::AlertOver {
                code: codes::CRM_DEALS,
            });
        }
    }
}
