//! Look-ups of contacts for voice services: what is asked, what is answered, on which subjects. The same text for
//! everyone: `docs/contract.md`.
//!
//! An answer never waits for a CRM: what isn't known is [`LookupReply::Unknown`] at once, and the account's owner is told
//! to look it up ([`wanted`]). Bodies are JSON. What isn't known is ignored. Error texts never repeat a value.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::account::AccountId;
use crate::card::Card;
use crate::codes::{self, Code};
use crate::event::{ContactRef, Phone};
use crate::time::WallTime;

/// Where every worker answers look-ups; the body names the account.
pub const LOOKUP: &str = "svc.contacts.v1.lookup";
/// The same with the account as last token, for users whose permissions are one account's.
pub const LOOKUP_ACCOUNTS: &str = "svc.contacts.v1.lookup.*";
/// Longest body of a look-up, bytes.
pub const BODY_BYTES_MAX: usize = 4 << 10;
/// How long "not in the CRM" is believed, seconds: whoever is entered there by a person is found after that at the latest.
pub const ABSENT_S: u64 = 900;

/// How long a reading of all contacts (`cache warm`) is believed, seconds: until then whoever it did not find is absent as of
/// its beginning.
pub const WARMED_S: u64 = 24 * 3_600;

/// Numbers in the CRM that can't be read as a whole, for want of a country: whoever has one of them was not found by it when all
/// contacts were read, and so isn't absent for that.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnreadNumbers(BTreeSet<String>);

impl std::fmt::Debug for UnreadNumbers {
    /// How many, never which.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "UnreadNumbers({})", self.0.len())
    }
}

impl UnreadNumbers {
    /// Most that are remembered: some 15 KB. An account with more wants a `default_country`, or has phones nobody can look up.
    pub const MAX: usize = 1_000;

    /// Takes a number in, as it was typed; `false` when there are too many. What is nobody's number (`n/a`) is left out: no
    /// look-up finds it either.
    pub fn take(&mut self, typed: &str) -> bool {
        if let Some(tail) = Phone::typed_tail(typed)
            && self.0.len() <= Self::MAX
        {
            self.0.insert(tail);
        }
        self.0.len() <= Self::MAX
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them may be this number.
    pub fn may_be(&self, phone: &Phone) -> bool {
        let digits = phone.as_str();
        let ends = (1..digits.len()).filter_map(|from| digits.get(from..));
        ends.take_while(|_| !self.is_empty())
            .any(|end| self.0.contains(end))
    }
}

/// Where the owner of an account hears what to look up. The body is a [`LookupAsk`]; there is no answer.
pub fn wanted(account: &AccountId) -> String {
    format!("svc.contacts.v1.wanted.{account}")
}

/// [`Person::kind`] of those named by phone.
pub const PHONE: &str = "phone";
/// [`Person::kind`] of those named by e-mail.
pub const EMAIL: &str = "email";
/// Beside [`PHONE`] and [`EMAIL`], of a listing of all open deals.
pub const DEALS: &str = "deals";

/// Whom to look up.
#[derive(Clone, PartialEq, Eq)]
pub enum Person {
    /// By phone number.
    Phone(Phone),
    /// By e-mail address, in lower case.
    Email(String),
}

impl std::fmt::Debug for Person {
    /// Says what by, never the value.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Phone(_) => "Phone(..)",
            Self::Email(_) => "Email(..)",
        })
    }
}

impl Person {
    /// By a number in E.164 (spaces, dots, dashes, slashes and brackets are tolerated); `None` when it is none.
    pub fn phone(text: &str) -> Option<Self> {
        Phone::parse(text).map(Self::Phone)
    }

    /// By an e-mail address; `None` when it is empty or can't be one.
    pub fn email(text: &str) -> Option<Self> {
        let email = text.trim().to_lowercase();
        let fits = email.contains('@')
            && email.len() <= 254
            && !email.contains(|c: char| c.is_whitespace() || c.is_control());
        fits.then_some(Self::Email(email))
    }

    /// What the person is named by.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Phone(_) => PHONE,
            Self::Email(_) => EMAIL,
        }
    }

    /// The alias under which the cache knows this person.
    pub fn alias(&self) -> String {
        match self {
            Self::Phone(phone) => ContactRef::phone_alias(phone),
            Self::Email(email) => ContactRef::email_alias(email),
        }
    }
}

/// A look-up: one of `phone` and `email`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookupAsk {
    /// The account, where the subject doesn't name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// Phone number in E.164.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// E-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

impl std::fmt::Debug for LookupAsk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LookupAsk")
            .field("account", &self.account)
            .field("phone", &self.phone.is_some())
            .field("email", &self.email.is_some())
            .finish()
    }
}

impl LookupAsk {
    /// The ask for this person.
    pub fn of(account: Option<AccountId>, person: &Person) -> Self {
        let mut ask = Self {
            account,
            ..Self::default()
        };
        match person {
            Person::Phone(phone) => ask.phone = Some(phone.as_str().to_owned()),
            Person::Email(email) => ask.email = Some(email.clone()),
        }
        ask
    }

    /// Reads an ask; `account` is the one that the subject names, if it does.
    pub fn read(
        body: &[u8],
        account: Option<AccountId>,
    ) -> Result<(AccountId, Person), LookupRefusal> {
        if body.len() > BODY_BYTES_MAX {
            return Err(LookupRefusal::ask(format!(
                "the body has {} bytes; up to {BODY_BYTES_MAX} are read",
                body.len()
            )));
        }
        let ask: Self = serde_json::from_slice(body).map_err(|error| {
            // Positions only: the library quotes values of a wrong type.
            LookupRefusal::ask(format!(
                "no JSON object with texts `account`, `phone` or `email`, at line {}, column {}",
                error.line(),
                error.column()
            ))
        })?;
        let account = account
            .or(ask.account)
            .ok_or_else(|| LookupRefusal::ask("`account` is missing"))?;
        let person = match (ask.phone, ask.email) {
            (Some(phone), None) => Person::phone(&phone).ok_or(
                "`phone` is no number in E.164: write `+`, country code and number, such as +12025550143",
            ),
            (None, Some(email)) => Person::email(&email).ok_or("`email` is no e-mail address"),
            (None, None) => Err("`phone` or `email` is missing"),
            (Some(_), Some(_)) => Err("give one of `phone` and `email`: two may be two persons"),
        };
        match person {
            Ok(person) => Ok((account, person)),
            Err(text) => Err(LookupRefusal::ask(text)),
        }
    }
}

/// The answer to a look-up, at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LookupReply {
    /// The CRM has this contact.
    Known(KnownContact),
    /// The CRM didn't have it when it was looked up.
    Absent(AbsentContact),
    /// Not known yet; it is being looked up. Ask again in a few seconds.
    Unknown(Empty),
    /// The ask can't be used, or nothing can be known at the moment.
    Refused(LookupRefusal),
}

/// `{}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Empty {}

/// A contact in the CRM.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownContact {
    /// Id in the CRM.
    pub crm_id: String,
    /// What is known of the person.
    #[serde(flatten)]
    pub card: Card,
    /// CRM id of the open deal, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deal: Option<String>,
}

/// A person the CRM doesn't have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AbsentContact {
    /// As of this instant.
    pub as_of: WallTime,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookupRefusal {
    /// The code.
    pub code: Code,
    /// What is wrong, and what to do.
    pub text: String,
}

impl LookupRefusal {
    fn ask(text: impl Into<String>) -> Self {
        Self {
            code: codes::LOOKUP_ASK,
            text: text.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_are_read_or_refused_naming_what_is_wrong_and_no_value() {
        let acme: AccountId = "acme".parse().unwrap();
        let good = br#"{"account":"acme","phone":"+1 (202) 555-0143","later":1}"#;
        let (account, person) = LookupAsk::read(good, None).unwrap();
        assert_eq!(account, acme);
        assert_eq!(person, Person::phone("+12025550143").unwrap());
        let by_email = br#"{"email":" Ada@Example.com"}"#;
        let (account, person) = LookupAsk::read(by_email, Some(acme.clone())).unwrap();
        assert_eq!(account, acme);
        assert_eq!(person, Person::email("ada@example.com").unwrap());
        let long = format!("{:width$}", "{", width = BODY_BYTES_MAX + 1);
        for (body, expect) in [
            ("phone=1", "no JSON object"),
            (
                r#"{"account":"acme","phone":12025550143}"#,
                "no JSON object",
            ),
            (
                r#"{"account":"no account!","phone":"+12025550143"}"#,
                "no JSON object",
            ),
            (r#"{"phone":"+12025550143"}"#, "`account` is missing"),
            (r#"{"account":"acme"}"#, "`phone` or `email` is missing"),
            (
                r#"{"account":"acme","phone":"2025550143"}"#,
                "`phone` is no number",
            ),
            (
                r#"{"account":"acme","email":"2025550143"}"#,
                "`email` is no",
            ),
            (
                r#"{"account":"acme","email":"a@b.c","phone":"+12025550143"}"#,
                "give one of",
            ),
            (&long, "the body has 4097 bytes"),
        ] {
            let refusal = LookupAsk::read(body.as_bytes(), None).unwrap_err();
            assert_eq!(refusal.code, codes::LOOKUP_ASK);
            assert!(refusal.text.contains(expect), "{body}: {}", refusal.text);
            assert!(!refusal.text.contains("2025550143") || refusal.text.contains("such as"));
        }
    }

    #[test]
    fn replies_look_as_the_contract_says() {
        let known = LookupReply::Known(KnownContact {
            crm_id: "901".into(),
            card: Card {
                first_name: Some("Mira".into()),
                phone: Some("+12025550143".into()),
                owner: Some("77".into()),
                ..Card::default()
            },
            deal: None,
        });
        let refused = LookupReply::Refused(LookupRefusal::ask("x"));
        for (reply, json) in [
            (
                known,
                r#"{"known":{"crm_id":"901","first_name":"Mira","phone":"+12025550143","owner":"77"}}"#,
            ),
            (
                LookupReply::Absent(AbsentContact {
                    as_of: WallTime(1_791_372_298_750),
                }),
                r#"{"absent":{"as_of":1791372298750}}"#,
            ),
            (LookupReply::Unknown(Empty {}), r#"{"unknown":{}}"#),
            (refused, r#"{"refused":{"code":"CF1302","text":"x"}}"#),
        ] {
            assert_eq!(serde_json::to_string(&reply).unwrap(), json);
            assert_eq!(serde_json::from_str::<LookupReply>(json).unwrap(), reply);
            assert!(!format!("{reply:?}").contains("Mira"));
        }
    }

    #[test]
    fn whoever_may_have_a_number_that_was_not_read_is_told_apart() {
        let mut unread = UnreadNumbers::default();
        for typed in ["555-0143", "07700 900123", "n/a", "x9", ""] {
            assert!(unread.take(typed));
        }
        for (phone, may_be) in [
            ("+12025550143", true),
            ("+13035550143", true),
            ("+447700900123", true),
            ("+12025550144", false),
            ("+4477009001230", false),
        ] {
            let phone = Phone::parse(phone).unwrap();
            assert_eq!(unread.may_be(&phone), may_be, "{phone:?}");
        }
        assert_eq!(format!("{unread:?}"), "UnreadNumbers(2)");
        let json = serde_json::to_string(&unread).unwrap();
        assert_eq!(json, r#"["5550143","7700900123"]"#);
        let many = (0..=UnreadNumbers::MAX).all(|number| unread.take(&format!("9{number:06}")));
        assert!(!many);
    }

    #[test]
    fn an_ask_that_is_written_is_read_as_it_was() {
        let acme: AccountId = "acme".parse().unwrap();
        for person in [
            Person::phone("+12025550143").unwrap(),
            Person::email("a@b.c").unwrap(),
        ] {
            let body = serde_json::to_vec(&LookupAsk::of(None, &person)).unwrap();
            assert_eq!(
                LookupAsk::read(&body, Some(acme.clone())).unwrap(),
                (acme.clone(), person)
            );
        }
        assert_eq!(wanted(&acme), "svc.contacts.v1.wanted.acme");
    }
}
