//! Reading all contacts of the CRM into the contact bucket, page by page, as enrichment. Their open deals: `warm_deals`.
//!
//! The next page is asked for once the last one is stored, so that a slow bucket holds the reading back instead of
//! filling memory. Pages go to the bucket only: what it already knows of a contact (when which field was written) is
//! more than a page says, and must not be hidden by it.

use super::contacts::read_record;
use super::state::{JobId, Purpose, Recorded};
use super::warm_deals::WarmingDeals;
use super::{ContactWrite, Dispatcher, Output};
use crate::codes;
use crate::effect::Object;
use crate::event::{ContactRef, Phone};
use crate::lane::Lane;
use crate::lookup::{self, UnreadNumbers};
use crate::time::{Now, WallTime};
use crate::vendor::{Found, Item, ItemOutcome, Verb};

/// What a reading will be able to say of those it did not find.
#[derive(Debug, Default)]
pub(super) struct Warming {
    pub(super) since: WallTime,
    /// Phone numbers that could not be read: whoever has one is there, but not found by it.
    unread: UnreadNumbers,
    /// There were more of them than can be told.
    too_many: bool,
    pub(super) deals: WarmingDeals,
}

impl Dispatcher {
    /// Starts reading, unless it is under way.
    pub(super) fn warm(&mut self, now: Now) {
        if self.counters.warming == 0 {
            self.counters.warming = 1;
            self.warming = Warming {
                since: now.wall,
                deals: std::mem::take(&mut self.warming.deals).again(),
                ..Warming::default()
            };
            self.next_page(now, None);
        }
    }

    pub(super) fn next_page(&mut self, now: Now, after: Option<String>) {
        self.enqueue(
            now,
            Lane::En,
            Verb::List,
            Object::Contact,
            Item::default(),
            "",
            Purpose::Page { after },
            None,
        );
    }

    /// A page came, or something else did.
    pub(super) fn page(
        &mut self,
        now: Now,
        id: JobId,
        outcome: &ItemOutcome,
        next: Option<String>,
        again_ms: u64,
    ) {
        match outcome {
            ItemOutcome::Matches(found) => {
                self.finish_job(id);
                self.counters.warmed += found.len() as u64;
                let country = self.config.default_country.clone();
                for typed in found.iter().flat_map(|found| &found.phones) {
                    if Phone::typed(typed, country.as_deref()).is_none() {
                        self.warming.too_many |= !self.warming.unread.take(typed);
                    }
                }
                let writes: Vec<ContactWrite> = found
                    .iter()
                    .filter_map(|found| page_entry(found, country.as_deref()))
                    .collect();
                self.warming
                    .deals
                    .remember(self.vendor.open_deals(), &writes);
                if writes.is_empty() {
                    self.page_stored(now, next);
                } else {
                    self.store(
                        Vec::new(),
                        writes,
                        Recorded::Page { next },
                        std::collections::BTreeSet::new(),
                    );
                }
            }
            ItemOutcome::NotExecuted => self.delay(now, id, again_ms),
            ItemOutcome::Unknown => self.delay_unknown(now, id, 0),
            _ => {
                self.finish_job(id);
                self.counters.warming = 0;
                self.alert(
                    codes::CRM_MALFORMED,
                    "the CRM refused to list its contacts; the cache stays as it is",
                );
            }
        }
    }

    /// A page is stored: on to the deals of its contacts, the next page, or the end.
    pub(super) fn page_stored(&mut self, now: Now, next: Option<String>) {
        if self.deals_of_block(now, next.as_deref()) {
            return;
        }
        if let Some(after) = next {
            self.next_page(now, Some(after));
            return;
        }
        self.counters.warming = 0;
        let unread = std::mem::take(&mut self.warming.unread);
        let kinds = if self.warming.too_many {
            vec![lookup::EMAIL]
        } else {
            vec![lookup::EMAIL, lookup::PHONE]
        };
        self.outputs.push_back(Output::Warmed {
            as_of: self.warming.since,
            kinds,
            unread,
        });
        self.deals_after_contacts(now);
    }
}

/// A contact of a page as bucket entry; `None` when nothing on it can be an alias.
fn page_entry(found: &Found, country: Option<&str>) -> Option<ContactWrite> {
    let mut aliases: Vec<String> = found
        .phones
        .iter()
        .filter_map(|typed| Phone::typed(typed, country))
        .map(|phone| ContactRef::phone_alias(&phone))
        .collect();
    if let Some(email) = found
        .email
        .as_deref()
        .filter(|email| !email.trim().is_empty())
    {
        aliases.push(ContactRef::email_alias(email));
    }
    if let Some(key) = &found.own_key {
        aliases.push(key.clone());
    }
    aliases.sort_unstable();
    aliases.dedup();
    if aliases.is_empty() {
        return None;
    }
    Some(ContactWrite {
        record: read_record(found),
        aliases,
        only_if_absent: true,
    })
}
