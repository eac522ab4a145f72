//! Whom a call was with: phone, e-mail or the publisher's own key, and what follows for our key.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A reference to a person, as the publisher knows them. At least one of `phone`, `email` and `key` is given.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ContactRef {
    /// Phone number in E.164 (`+` and 7 to 15 digits); spaces, dots, dashes and brackets are tolerated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// E-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The publisher's own stable key of the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Full name, for a person who must be created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl fmt::Debug for ContactRef {
    /// Says which fields are there, never what is in them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContactRef")
            .field("phone", &self.phone.is_some())
            .field("email", &self.email.is_some())
            .field("key", &self.key.is_some())
            .field("name", &self.name.is_some())
            .finish()
    }
}

/// A phone number in E.164.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Phone(String);

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phone(..)")
    }
}

impl Phone {
    /// Reads a number with a leading `+`, tolerating spaces, dots, dashes, slashes and brackets.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.trim().strip_prefix('+')?;
        let mut e164 = String::from("+");
        for c in rest.chars() {
            match c {
                '0'..='9' => e164.push(c),
                ' ' | '.' | '-' | '/' | '(' | ')' | '\u{a0}' => {}
                _ => return None,
            }
        }
        let leading_zero = e164.as_bytes().get(1) == Some(&b'0');
        ((8..=16).contains(&e164.len()) && !leading_zero).then_some(Self(e164))
    }

    /// The number as `+` and digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads a number as a person types it into a CRM: with `+`, or nationally, completed with the country calling
    /// code `country` (digits). An extension is cut; a trunk prefix in brackets (`+44 (0)7700 …`) is left out, but for
    /// Italy, whose numbers keep their zero. A national number loses its trunk prefix `0`; in country 1 it has ten digits,
    /// a leading `1` allowed. `None` when no country is given or the digits can't be a number.
    pub fn typed(text: &str, country: Option<&str>) -> Option<Self> {
        let text = without_extension(text);
        if text.starts_with('+') {
            let italian = text.starts_with("+39");
            return Self::parse(&if italian {
                text.to_owned()
            } else {
                text.replacen("(0)", "", 1)
            });
        }
        let country = country?;
        if text.chars().any(char::is_alphabetic) {
            return None;
        }
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        if let Some(international) = digits.strip_prefix("00") {
            return Self::parse(&format!("+{international}"));
        }
        if country == "1" {
            let national = if digits.len() == 11 {
                digits.strip_prefix('1')?
            } else {
                &digits
            };
            return (national.len() == 10)
                .then(|| Self::parse(&format!("+1{national}")))
                .flatten();
        }
        let national = digits.strip_prefix('0').unwrap_or(&digits);
        (national.len() >= 6)
            .then(|| Self::parse(&format!("+{country}{national}")))
            .flatten()
    }

    /// Whether a number typed by a person can be this one: written with `+` it must be the same number, else its
    /// digits, without leading zeros, must be a suffix of ours that is long enough to be a national number (7 digits
    /// or more).
    pub fn matches_typed(&self, typed: &str) -> bool {
        if let Some(full) = Self::typed(typed, None) {
            return full == *self;
        }
        tail(typed).is_some_and(|tail| self.0.ends_with(&tail))
    }

    /// The digits of a number typed without country by which it is [matched](Self::matches_typed), as the end of ours; `None`
    /// when it is nobody's number (`n/a`).
    pub fn typed_tail(typed: &str) -> Option<String> {
        tail(typed)
    }
}

/// The digits of a number typed without country, none leading that are no part of the number; `None` when there are too few
/// to tell anybody by.
fn tail(typed: &str) -> Option<String> {
    let digits: String = without_extension(typed)
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    let digits = digits
        .strip_prefix("00")
        .unwrap_or(&digits)
        .trim_start_matches('0');
    (digits.len() >= 7).then(|| digits.to_owned())
}

/// The part before an extension (`x9`, `ext. 44`, `#7`, `;3`), trimmed.
fn without_extension(text: &str) -> &str {
    let end = text
        .find(['x', 'X', 'e', 'E', '#', ';'])
        .unwrap_or(text.len());
    text.get(..end).unwrap_or(text).trim()
}

/// Which way of naming a person an alias is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum AliasKind {
    Key,
    Phone,
    Email,
}

impl ContactRef {
    /// The phone number in E.164, if one is given and valid.
    pub fn phone(&self) -> Option<Phone> {
        self.phone.as_deref().and_then(Phone::parse)
    }

    /// The e-mail address, trimmed and in lower case, if one is given.
    pub fn email(&self) -> Option<String> {
        self.email
            .as_deref()
            .map(|email| email.trim().to_lowercase())
            .filter(|email| !email.is_empty())
    }

    /// The key under which Callflume knows this person in the CRM (the value of our own unique property): the
    /// publisher's key, else one made of the phone number, else one made of the e-mail address. 34 characters at
    /// most for a derived one; derived keys are digests, so they say nothing about the person.
    pub fn own_key(&self) -> Option<String> {
        self.aliases().into_iter().next()
    }

    /// Whether our own key is made of one that the publisher named, not of the phone number or e-mail address.
    pub fn is_named_key(own_key: &str) -> bool {
        own_key.starts_with(NAMED)
    }

    /// Every alias under which this person may be cached, our own key first. Each is safe as a token of a KV key.
    pub fn aliases(&self) -> Vec<String> {
        let mut aliases = Vec::with_capacity(3);
        if let Some(key) = self.key.as_deref().filter(|key| !key.is_empty()) {
            aliases.push(alias(AliasKind::Key, key));
        }
        if let Some(phone) = self.phone() {
            aliases.push(alias(AliasKind::Phone, phone.as_str()));
        }
        if let Some(email) = self.email() {
            aliases.push(alias(AliasKind::Email, &email));
        }
        aliases
    }

    /// The alias of a phone number.
    pub fn phone_alias(phone: &Phone) -> String {
        alias(AliasKind::Phone, phone.as_str())
    }

    /// The alias of an e-mail address.
    pub fn email_alias(email: &str) -> String {
        alias(AliasKind::Email, &email.trim().to_lowercase())
    }
}

/// First and last name in a full name: the last word is the last name, one word alone a first name. None in a blank one.
pub fn name_parts(full: &str) -> Option<(&str, Option<&str>)> {
    let name = full.trim();
    let parts = name.rsplit_once(' ');
    let parts = parts.map_or((name, None), |(first, last)| (first.trim(), Some(last)));
    (!name.is_empty()).then_some(parts)
}

/// First letter of an alias that is made of the publisher's key.
const NAMED: char = 'k';

fn alias(kind: AliasKind, value: &str) -> String {
    let prefix = match kind {
        AliasKind::Key => NAMED,
        AliasKind::Phone => 'p',
        AliasKind::Email => 'e',
    };
    format!(
        "{prefix}-{}",
        super::id::hex_prefix(&Sha256::digest(value.as_bytes()), 16)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_of_a_name_is_the_last_name() {
        for (full, expect) in [
            (" Mira  Holm ", Some(("Mira", Some("Holm")))),
            ("Ana María Roe", Some(("Ana María", Some("Roe")))),
            ("Mira", Some(("Mira", None))),
            ("  ", None),
            ("", None),
        ] {
            assert_eq!(name_parts(full), expect, "{full:?}");
        }
    }

    #[test]
    fn numbers_are_read_as_e164_or_not_at_all() {
        for (typed, expect) in [
            ("+12025550143", Some("+12025550143")),
            ("+1 (202) 555-0143", Some("+12025550143")),
            (" +44 7700 900123", Some("+447700900123")),
            ("2025550143", None),
            ("+1", None),
            ("+0123456789", None),
            ("+1202555x143", None),
            ("+1234567890123456", None),
        ] {
            assert_eq!(
                Phone::parse(typed).as_ref().map(Phone::as_str),
                expect,
                "{typed}"
            );
        }
    }

    #[test]
    fn a_number_typed_by_a_person_is_recognised_and_a_strangers_is_not() {
        let phone = Phone::parse("+12025550143").unwrap();
        for same in [
            "(202) 555-0143",
            "202.555.0143",
            "+1 202 555 0143",
            "0012025550143",
            "1-202-555-0143",
            "0202 555 0143",
        ] {
            assert!(phone.matches_typed(same), "{same}");
        }
        for other in ["(202) 555-0144", "0143", "+442025550143", "", "5550144"] {
            assert!(!phone.matches_typed(other), "{other}");
        }
        for (typed, tail) in [
            ("555-0143", Some("5550143")),
            ("07700 900123", Some("7700900123")),
            ("", None),
            ("n/a", None),
            ("x204", None),
            ("ask at 12 Main", None),
            ("000 0000 000", None),
        ] {
            assert_eq!(Phone::typed_tail(typed).as_deref(), tail, "{typed}");
        }
    }

    #[test]
    fn typed_numbers_are_completed_with_the_accounts_country() {
        for (typed, country, expect) in [
            ("(202) 555-0143", Some("1"), Some("+12025550143")),
            ("1-202-555-0143", Some("1"), Some("+12025550143")),
            ("07700 900123", Some("44"), Some("+447700900123")),
            ("+44 7700 900123", None, Some("+447700900123")),
            ("0044 7700 900123", Some("1"), Some("+447700900123")),
            ("+44 (0)7700 900123", None, Some("+447700900123")),
            ("+39 (0)6 1234567", None, Some("+39061234567")),
            ("(202) 555-0143 ext. 7", Some("1"), Some("+12025550143")),
            ("+1 202 555 0143 x9", None, Some("+12025550143")),
            ("555-0143", Some("1"), None),
            ("(202) 555-0143", None, None),
            ("202-CALL-NOW", Some("1"), None),
        ] {
            assert_eq!(
                Phone::typed(typed, country).as_ref().map(Phone::as_str),
                expect,
                "{typed}"
            );
        }
    }

    #[test]
    fn the_own_key_prefers_the_publishers_key_then_phone_then_email() {
        let mut contact = ContactRef {
            email: Some("Ada@Example.com ".into()),
            ..ContactRef::default()
        };
        let by_email = contact.own_key().unwrap();
        assert_eq!(by_email, ContactRef::email_alias("ada@example.com"));
        contact.phone = Some("+1 202 555 0143".into());
        assert!(contact.own_key().unwrap().starts_with("p-"));
        contact.key = Some("crm-7".into());
        assert!(contact.own_key().unwrap().starts_with("k-"));
        assert_eq!(contact.aliases().len(), 3);
        assert_eq!(ContactRef::default().own_key(), None);
    }

    #[test]
    fn debug_output_holds_no_personal_data() {
        let contact = ContactRef {
            phone: Some("+12025550143".into()),
            name: Some("Ada".into()),
            ..ContactRef::default()
        };
        let shown = format!("{contact:?} {:?}", contact.phone());
        assert!(!shown.contains("555") && !shown.contains("Ada"), "{shown}");
    }
}
