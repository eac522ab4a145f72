//! The card of a contact: what a voice service needs to greet whoever calls. And how news of a contact meets what is
//! stored of it already.
//!
//! Decides whose value stands: one that Callflume wrote (it has a [`ContactRecord::field_at`]) stays until an effect as
//! new or newer writes another; any other follows what the CRM was last read to say. So a page of the CRM that was read
//! before an effect and is stored after it never hides what the effect wrote. Which deal is open has rules of its own:
//! module `deal`.
//!
//! A card is personal data: it is kept in the contact bucket and never shown by `Debug`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::effect::{Field, Fields, Value};
use crate::record::ContactRecord;
use crate::vendor::Found;

/// A longer value is left out of a card, bytes: nobody is greeted with it, and cards are kept in memory.
pub const CARD_TEXT_BYTES_MAX: usize = 256;

/// What is known of a person beyond ids.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Card {
    /// First name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    /// Last name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    /// E-mail address, as in the CRM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Phone number, as in the CRM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// Owner's id in the CRM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

impl fmt::Debug for Card {
    /// Says which fields are there, never what is in them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut set = f.debug_set();
        for (field, value) in self.each() {
            if value.is_some() {
                set.entry(&field.name());
            }
        }
        set.finish()
    }
}

impl Card {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.each().iter().all(|(_, value)| value.is_none())
    }

    /// Takes the values that an effect has written.
    pub fn take_written(&mut self, fields: &Fields) {
        for (field, place) in self.each_mut() {
            if let Some(Value::Text(text)) = fields.get(&field) {
                *place = fitting(text);
            }
        }
    }

    fn each(&self) -> [(Field, &Option<String>); 5] {
        [
            (Field::FirstName, &self.first_name),
            (Field::LastName, &self.last_name),
            (Field::Email, &self.email),
            (Field::Phone, &self.phone),
            (Field::Owner, &self.owner),
        ]
    }

    fn each_mut(&mut self) -> [(Field, &mut Option<String>); 5] {
        [
            (Field::FirstName, &mut self.first_name),
            (Field::LastName, &mut self.last_name),
            (Field::Email, &mut self.email),
            (Field::Phone, &mut self.phone),
            (Field::Owner, &mut self.owner),
        ]
    }
}

impl From<&Found> for Card {
    fn from(found: &Found) -> Self {
        let text = |value: &Option<String>| value.as_deref().and_then(fitting);
        Self {
            first_name: text(&found.first_name),
            last_name: text(&found.last_name),
            email: text(&found.email),
            phone: found.phones.first().and_then(|phone| fitting(phone)),
            owner: text(&found.owner),
        }
    }
}

fn fitting(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty() && text.len() <= CARD_TEXT_BYTES_MAX).then(|| text.to_owned())
}

/// Where news of a contact comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// An effect wrote it to the CRM.
    Written,
    /// It was read from the CRM.
    Read,
}

impl ContactRecord {
    /// This news, together with what is stored of the same contact.
    #[must_use]
    pub fn onto(&self, stored: &Self, news: News) -> Self {
        let mut all = stored.clone();
        all.schema = self.schema;
        match news {
            News::Written => {
                all.own_key = self.own_key.clone().or(all.own_key);
            }
            News::Read => {
                all.own_key = all.own_key.or_else(|| self.own_key.clone());
            }
        }
        all.take_deal(self, news);
        for ((field, place), (_, new)) in all.card.each_mut().into_iter().zip(self.card.each()) {
            let name = field.name();
            let held_at = stored.field_at.get(&name);
            let ours = match news {
                News::Read => held_at.is_none(),
                News::Written => self
                    .field_at
                    .get(&name)
                    .is_some_and(|at| held_at.is_none_or(|held| held <= at)),
            };
            if (ours || place.is_none()) && new.is_some() {
                place.clone_from(new);
            }
        }
        let of_fields = self.field_at.iter();
        for (field, at) in of_fields.filter(|(field, _)| !Self::is_deal_time(field)) {
            let held = all.field_at.entry(field.clone()).or_insert(*at);
            *held = (*held).max(*at);
        }
        all.called(&self.aliases);
        all
    }

    /// Adds names under which it is found.
    pub fn called(&mut self, aliases: &[String]) {
        for alias in aliases {
            if !self.aliases.contains(alias) {
                self.aliases.push(alias.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::WallTime;

    fn record(name: Option<&str>, at: Option<i64>) -> ContactRecord {
        let mut record = ContactRecord {
            crm_id: "7".into(),
            ..ContactRecord::default()
        };
        record.card.first_name = name.map(ToOwned::to_owned);
        if let Some(at) = at {
            record.field_at.insert("first_name".into(), WallTime(at));
        }
        record
    }

    #[test]
    fn what_an_effect_wrote_stands_against_what_was_read_and_what_is_older() {
        for (stored, news, from, expect) in [
            // Nobody wrote it: the CRM's word.
            ((Some("A"), None), (Some("B"), None), News::Read, Some("B")),
            ((Some("A"), None), (None, None), News::Read, Some("A")),
            ((None, None), (Some("B"), None), News::Read, Some("B")),
            // We wrote it.
            (
                (Some("A"), Some(5)),
                (Some("B"), None),
                News::Read,
                Some("A"),
            ),
            ((None, Some(5)), (Some("B"), None), News::Read, Some("B")),
            (
                (Some("A"), Some(5)),
                (Some("B"), Some(5)),
                News::Written,
                Some("B"),
            ),
            (
                (Some("A"), Some(5)),
                (Some("B"), Some(4)),
                News::Written,
                Some("A"),
            ),
            (
                (Some("A"), None),
                (Some("B"), Some(4)),
                News::Written,
                Some("B"),
            ),
            // An effect that wrote something else, on top of what memory was told before.
            (
                (Some("A"), None),
                (Some("B"), None),
                News::Written,
                Some("A"),
            ),
            (
                (Some("A"), Some(5)),
                (None, Some(6)),
                News::Written,
                Some("A"),
            ),
        ] {
            let all = record(news.0, news.1).onto(&record(stored.0, stored.1), from);
            assert_eq!(
                all.card.first_name.as_deref(),
                expect,
                "{stored:?} {news:?} {from:?}"
            );
        }
    }

    #[test]
    fn times_never_fall_and_names_are_never_lost() {
        let mut stored = record(None, Some(9));
        stored.called(&["a".into(), "b".into()]);
        let mut news = record(None, Some(4));
        news.called(&["b".into(), "c".into()]);
        let all = news.onto(&stored, News::Written);
        assert_eq!(all.field_at["first_name"], WallTime(9));
        assert_eq!(all.aliases, ["a", "b", "c"]);
    }

    #[test]
    fn a_card_takes_what_was_written_leaves_out_what_is_too_long_and_shows_nothing() {
        let mut card = Card::default();
        assert!(card.is_empty());
        card.take_written(&Fields::from([
            (Field::FirstName, Value::Text(" Mira ".into())),
            (Field::LastName, Value::Text("x".repeat(257))),
            (Field::Title, Value::Text("no field of a card".into())),
        ]));
        assert_eq!(card.first_name.as_deref(), Some("Mira"));
        assert_eq!(card.last_name, None);
        assert!(!card.is_empty());
        assert_eq!(format!("{card:?}"), r#"{"first_name"}"#);
    }
}
