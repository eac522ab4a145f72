//! The open deal of a contact: how news of it meets what is stored.
//!
//! Decides which of two things that are known stands. An effect speaks of one deal, at its event's time; a reading of the
//! CRM speaks of all deals, as of its beginning.
//!
//! | stored | news | stands |
//! | --- | --- | --- |
//! | anything | says nothing of deals | what is stored |
//! | from an effect | an effect of an older event | what is stored |
//! | anything else | an effect: this deal is open | that deal |
//! | another deal | an effect: this deal is over | what is stored |
//! | this deal, or none | an effect: this deal is over | none |
//! | from an effect | a reading that began before it, or within [`READING_LAG_MS`] after it | what is stored |
//! | from a reading | a reading that began earlier | what is stored |
//! | from a reading | the same reading | of two open deals the one made later; one rather than none |
//! | anything else | a reading | what was read: an open deal, or none |
//!
//! A CRM that lists its open deals says nothing of contacts without: when such a listing is complete, what was known before
//! its beginning is over ([`open`]).

use serde::{Deserialize, Serialize};

use crate::card::News;
use crate::record::ContactRecord;
use crate::time::WallTime;

/// A reading sees what was written this long before it began, milliseconds: CRMs' listings lag, workers' clocks differ.
pub const READING_LAG_MS: i64 = 60_000;

/// Among [`ContactRecord::field_at`]: event time of the newest effect that said which deal is open. No field has this name.
const AT: &str = "deal";

/// How it is known which deal of a contact is open.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DealFacts {
    /// Readings of the CRM that began earlier say nothing against it; none while nothing is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stands: Option<WallTime>,
    /// When the deal was made in the CRM, of one that was read there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<WallTime>,
    /// The deal that an effect has said is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<String>,
}

impl DealFacts {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The deal that is shown, when all open deals of the CRM were last listed at `all_read`: one that was known before and not
/// found again is over.
pub fn open(
    deal: Option<&str>,
    stands: Option<WallTime>,
    all_read: Option<WallTime>,
) -> Option<&str> {
    let found = match (stands, all_read) {
        (Some(stands), Some(all_read)) => stands >= all_read,
        _ => true,
    };
    deal.filter(|_| found)
}

impl ContactRecord {
    /// What a reading that began at `since` says of a contact: its open deal and when that was made, or that it has none.
    pub fn deal_read(
        crm_id: String,
        deal: Option<(String, Option<WallTime>)>,
        since: WallTime,
    ) -> Self {
        let (deal, created) = deal.unzip();
        Self {
            schema: crate::record::SCHEMA,
            crm_id,
            deal,
            deal_facts: DealFacts {
                stands: Some(since),
                created: created.flatten(),
                closed: None,
            },
            ..Self::default()
        }
    }

    /// The same contact, with what an effect says that the CRM did at `done_at`: this deal is open, or over.
    #[must_use]
    pub fn deal_written(
        mut self,
        deal: &str,
        over: bool,
        event_at: WallTime,
        done_at: WallTime,
    ) -> Self {
        let deal = deal.to_owned();
        let (open, closed) = if over {
            (None, Some(deal))
        } else {
            (Some(deal), None)
        };
        self.deal = open;
        self.deal_facts = DealFacts {
            stands: Some(WallTime(done_at.0.saturating_add(READING_LAG_MS))),
            created: None,
            closed,
        };
        self.field_at.insert(AT.to_owned(), event_at);
        self
    }

    /// The deal that is shown; see [`open`].
    pub fn open_deal(&self, all_read: Option<WallTime>) -> Option<&str> {
        open(self.deal.as_deref(), self.deal_facts.stands, all_read)
    }

    /// Takes over what news says of the deal, if it does.
    pub(crate) fn take_deal(&mut self, news: &Self, from: News) {
        let Some(told) = news.deal_facts.stands else {
            return;
        };
        let news_at = news.field_at.get(AT).copied();
        let taken = match from {
            News::Read => self.gives_way_to_reading(news, told),
            News::Written => news_at.is_some_and(|at| self.gives_way_to_effect(news, at, told)),
        };
        if !taken {
            return;
        }
        self.deal.clone_from(&news.deal);
        let stands = self
            .deal_facts
            .stands
            .map_or(told, |stands| stands.max(told));
        self.deal_facts = DealFacts {
            stands: Some(stands),
            ..news.deal_facts.clone()
        };
        if let Some(at) = news_at {
            let held = self.field_at.entry(AT.to_owned()).or_insert(at);
            *held = (*held).max(at);
        }
    }

    /// Whether an event time is of a field of the card, which the card's rules are about.
    pub(crate) fn is_deal_time(name: &str) -> bool {
        name == AT
    }

    fn gives_way_to_reading(&self, news: &Self, told: WallTime) -> bool {
        if self.deal.is_none() && news.deal.is_none() {
            // Nothing new; written again it would cost a write for each contact without a deal.
            return self.deal_facts.stands.is_none();
        }
        let rank = |it: &Self| {
            let id = it.deal.clone();
            (it.deal_facts.created, id.as_ref().map(String::len), id)
        };
        self.deal_facts.stands.is_none_or(|stands| {
            told > stands
                || told == stands
                    && news.deal.is_some()
                    && (self.deal.is_none() || rank(news) > rank(self))
        })
    }

    fn gives_way_to_effect(&self, news: &Self, at: WallTime, told: WallTime) -> bool {
        let newer = match self.field_at.get(AT) {
            None => true,
            // Two with the same time are told apart by when they were written: what memory was told before is older.
            Some(held) if *held == at => self.deal_facts.stands.is_none_or(|it| it <= told),
            Some(held) => *held < at,
        };
        let closed = news.deal_facts.closed.as_ref();
        let is_another = news.deal.is_none()
            && closed.is_some()
            && self.deal.is_some()
            && self.deal.as_ref() != closed;
        newer && !is_another
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Milliseconds after which a reading sees a write.
    const LAG: i64 = READING_LAG_MS;

    fn contact() -> ContactRecord {
        ContactRecord {
            crm_id: "7".into(),
            ..ContactRecord::default()
        }
    }

    /// News of an effect: deal, whether it is over, event time, when it was done.
    fn wrote(deal: &str, over: bool, at: i64, done: i64) -> (ContactRecord, News) {
        let news = contact().deal_written(deal, over, WallTime(at), WallTime(done));
        (news, News::Written)
    }

    /// News of a reading: the open deal and when it was made, when it began.
    fn read(deal: Option<(&str, i64)>, since: i64) -> (ContactRecord, News) {
        let deal = deal.map(|(id, created)| (id.to_owned(), Some(WallTime(created))));
        let news = ContactRecord::deal_read("7".into(), deal, WallTime(since));
        (news, News::Read)
    }

    /// What is told one after the other, and the deal that is open then.
    type Row<'a> = (&'a [(ContactRecord, News)], Option<&'a str>);

    fn all(news: &[(ContactRecord, News)]) -> ContactRecord {
        news.iter()
            .fold(contact(), |stored, (news, from)| news.onto(&stored, *from))
    }

    #[test]
    fn which_of_two_things_that_are_known_stands() {
        let table: [Row<'_>; 17] = [
            (&[wrote("a", false, 5, 10)], Some("a")),
            (&[wrote("a", true, 5, 10)], None),
            // Effects, by the time of their events.
            (
                &[wrote("a", false, 5, 10), wrote("b", false, 6, 11)],
                Some("b"),
            ),
            (
                &[wrote("a", false, 5, 10), wrote("b", false, 4, 11)],
                Some("a"),
            ),
            (
                &[wrote("a", false, 5, 10), wrote("b", false, 5, 11)],
                Some("b"),
            ),
            (&[wrote("a", false, 5, 10), wrote("a", true, 6, 11)], None),
            (
                &[wrote("a", false, 5, 10), wrote("a", true, 4, 11)],
                Some("a"),
            ),
            (
                &[wrote("a", false, 5, 10), wrote("b", true, 6, 11)],
                Some("a"),
            ),
            // What was closed isn't opened by what happened before.
            (&[wrote("a", true, 6, 10), wrote("a", false, 5, 11)], None),
            // Readings, by their beginning.
            (&[read(Some(("a", 1)), 100)], Some("a")),
            (
                &[read(Some(("a", 1)), 100), read(Some(("b", 0)), 200)],
                Some("b"),
            ),
            (&[read(Some(("a", 1)), 100), read(None, 200)], None),
            (&[read(Some(("a", 1)), 100), read(None, 99)], Some("a")),
            // Of one reading the deal made last, whichever page it is on.
            (
                &[
                    read(Some(("a", 1)), 100),
                    read(Some(("b", 3)), 100),
                    read(Some(("c", 2)), 100),
                ],
                Some("b"),
            ),
            (&[read(Some(("a", 1)), 100), read(None, 100)], Some("a")),
            // A deal that an effect closes is over, also one that was read.
            (&[read(Some(("a", 1)), 100), wrote("a", true, 5, 200)], None),
            (
                &[read(Some(("a", 1)), 100), wrote("b", true, 5, 200)],
                Some("a"),
            ),
        ];
        for (news, expect) in table {
            assert_eq!(all(news).deal.as_deref(), expect, "{news:?}");
        }
    }

    #[test]
    fn a_reading_counts_against_an_effect_once_it_must_have_seen_it() {
        for (since, open, closed) in [
            (9, Some("a"), None),
            (10 + LAG - 1, Some("a"), None),
            (10 + LAG + 1, Some("b"), Some("b")),
        ] {
            let reading = || read(Some(("b", 1)), since);
            let after_open = all(&[wrote("a", false, 5, 10), reading()]);
            assert_eq!(after_open.deal.as_deref(), open, "{since}");
            let after_close = all(&[wrote("a", true, 5, 10), reading()]);
            assert_eq!(after_close.deal.as_deref(), closed, "{since}");
            let none = all(&[wrote("a", false, 5, 10), read(None, since)]);
            assert_eq!(none.deal.is_some(), since <= 10 + LAG, "{since}");
        }
    }

    #[test]
    fn what_memory_was_told_before_a_reading_does_not_come_back_with_the_next_effect() {
        let told = all(&[wrote("a", false, 5, 10)]);
        let stored = all(&[(told.clone(), News::Written), read(None, 11 + LAG)]);
        assert_eq!(stored.deal, None);
        // An effect that wrote something else carries along what its owner remembers.
        for from in [News::Written, News::Read] {
            assert_eq!(told.onto(&stored, from).deal, None);
        }
        assert_eq!(contact().onto(&told, News::Written).deal, told.deal);
    }

    #[test]
    fn a_complete_listing_ends_what_it_did_not_find_again() {
        let at = |ms| Some(WallTime(ms));
        for (deal, stands, all_read, expect) in [
            (Some("a"), at(5), None, Some("a")),
            (Some("a"), at(5), at(5), Some("a")),
            (Some("a"), at(5), at(4), Some("a")),
            (Some("a"), at(5), at(6), None),
            (Some("a"), None, at(6), Some("a")),
            (None, at(5), None, None),
        ] {
            assert_eq!(open(deal, stands, all_read), expect);
        }
    }

    #[test]
    fn records_without_deals_look_as_they_did() {
        let json = serde_json::to_value(contact()).unwrap();
        assert!(json.get("deal_facts").is_none() && json.get("deal").is_none());
        let back: ContactRecord = serde_json::from_value(json).unwrap();
        assert_eq!(back, contact());
    }

    fn any_news() -> impl Strategy<Value = (ContactRecord, News)> {
        let deal = prop_oneof![Just("a"), Just("b"), Just("c")];
        let effect = (deal.clone(), any::<bool>(), 0_i64..20, 0_i64..20);
        let effect = effect.prop_map(|(deal, over, at, done)| wrote(deal, over, at, done * LAG));
        let found = proptest::option::of((deal, 0_i64..5));
        let reading = (found, 0_i64..20).prop_map(|(deal, since)| read(deal, since * LAG));
        prop_oneof![effect, reading]
    }

    proptest! {
        #[test]
        fn news_told_twice_changes_nothing_and_times_never_fall(
            news in proptest::collection::vec(any_news(), 1..12),
        ) {
            let mut stored = contact();
            for (news, from) in &news {
                let next = news.onto(&stored, *from);
                prop_assert_eq!(&news.onto(&next, *from), &next);
                prop_assert!(next.field_at.get(AT) >= stored.field_at.get(AT));
                prop_assert!(next.deal_facts.stands >= stored.deal_facts.stands);
                stored = next;
            }
        }

        #[test]
        fn of_effects_that_open_deals_the_newest_event_stands_in_whatever_order(
            mut opened in proptest::collection::btree_map(0_i64..50, "[a-e]", 1..8),
            order in any::<prop::sample::Index>(),
        ) {
            let newest = opened.last_entry().unwrap().get().clone();
            let mut news: Vec<_> = opened
                .iter()
                .map(|(at, deal)| wrote(deal, false, *at, 100))
                .collect();
            let turn = order.index(news.len());
            news.rotate_left(turn);
            prop_assert_eq!(all(&news).deal, Some(newest));
        }

        #[test]
        fn pages_of_one_reading_may_come_in_any_order(
            pages in proptest::collection::btree_set(("[a-e]", 0_i64..5), 1..8),
            order in any::<prop::sample::Index>(),
        ) {
            let told = |pages: &[(String, i64)]| {
                let news: Vec<_> = pages
                    .iter()
                    .map(|(deal, created)| read(Some((deal, *created)), 100))
                    .collect();
                all(&news)
            };
            let mut pages: Vec<_> = pages.into_iter().collect();
            let one = told(&pages);
            let turn = order.index(pages.len());
            pages.rotate_left(turn);
            prop_assert_eq!(told(&pages), one);
        }
    }
}
