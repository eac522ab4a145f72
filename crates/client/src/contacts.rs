//! Looking up who calls, before the phone is answered.
//!
//! What is found comes from this process's memory or from the contact bucket, never from a CRM: somebody who isn't known
//! yet is [`Lookup::Unknown`] at once, and the account's worker is told to look them up. The rules of what memory may say
//! are `callflume_jetstream::lookup`.

use std::sync::Arc;
use std::time::Duration;

use callflume_core::account::AccountId;
use callflume_core::codes::{self, Code};
use callflume_core::lookup::{KnownContact, Person};
use callflume_core::time::WallTime;
use callflume_jetstream::connect::{self, connect};
use callflume_jetstream::lookup::{Finding, LookupCounts, LookupSettings, Reader};

use crate::error::ConnectError;

/// What the connection's name says it is for.
const ROLE: &str = "lookup";

/// Settings of [`Contacts`].
#[derive(Debug, Clone, Default)]
pub struct ContactSettings {
    /// How to reach the broker.
    pub broker: connect::Settings,
    /// How look-ups read, and how much they keep in memory.
    pub lookup: LookupSettings,
}

impl ContactSettings {
    /// Defaults for these addresses.
    pub fn at<U: Into<String>>(urls: impl IntoIterator<Item = U>) -> Self {
        Self {
            broker: connect::Settings {
                urls: urls.into_iter().map(Into::into).collect(),
                ..connect::Settings::default()
            },
            lookup: LookupSettings::default(),
        }
    }
}

/// What is known of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// The CRM has this contact.
    Known(Arc<KnownContact>),
    /// The CRM didn't have it when it was looked up.
    Absent {
        /// That was then.
        as_of: WallTime,
    },
    /// Not known yet; it is being looked up, which takes some seconds. Go on without.
    Unknown,
}

/// Why nothing can be said of a person.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LookupError {
    /// The broker did not answer in time, or can't be reached.
    #[error(
        "CF1201: the contacts could not be read within {within_ms} ms; go on as for an unknown caller, and check the broker if it lasts"
    )]
    NoAnswer {
        /// The time that a look-up may take, milliseconds.
        within_ms: u64,
    },
    /// Anything else that the broker says.
    #[error("{code}: {0}", code = .0.code())]
    Broker(#[source] callflume_jetstream::Error),
}

impl LookupError {
    /// The stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::NoAnswer { .. } => codes::PUBLISH_NO_BROKER,
            Self::Broker(error) => error.code(),
        }
    }
}

/// Looks contacts up. Cheap to clone; one for each process is enough.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use callflume_client::{ContactSettings, Contacts, Lookup, Person};
/// use callflume_core::account::AccountId;
///
/// let contacts = Contacts::connect(ContactSettings::at(["nats://127.0.0.1:4222"])).await?;
/// let account: AccountId = "acme".parse()?;
/// let caller = Person::phone("+12025550143").ok_or("no number")?;
/// match contacts.lookup(&account, &caller).await? {
///     Lookup::Known(contact) => println!("{}", contact.crm_id),
///     Lookup::Absent { .. } | Lookup::Unknown => println!("a new voice"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Contacts {
    reader: Reader,
    within: Duration,
}

impl Contacts {
    /// Connects and begins to watch. Fails within seconds when no server can be reached, or when it isn't provisioned;
    /// afterwards a lost connection is re-established for ever.
    pub async fn connect(settings: ContactSettings) -> Result<Self, ConnectError> {
        let broker = connect(&settings.broker, ROLE).await?;
        let within = settings.lookup.read_within;
        let reader = Reader::start(&broker, settings.lookup).await?;
        Ok(Self { reader, within })
    }

    /// What is known of a person, at once: microseconds from memory, one read of the bucket else, and
    /// [`LookupSettings::read_within`] at most.
    pub async fn lookup(
        &self,
        account: &AccountId,
        person: &Person,
    ) -> Result<Lookup, LookupError> {
        match self.reader.find(account, person).await {
            Ok(Finding::Known(contact)) => Ok(Lookup::Known(contact)),
            Ok(Finding::Absent(as_of)) => Ok(Lookup::Absent { as_of }),
            Ok(Finding::Missing) => {
                self.reader.want(account, person).await;
                Ok(Lookup::Unknown)
            }
            Err(callflume_jetstream::Error::Unknown { .. }) => Err(LookupError::NoAnswer {
                within_ms: u64::try_from(self.within.as_millis()).unwrap_or(u64::MAX),
            }),
            Err(error) => Err(LookupError::Broker(error)),
        }
    }

    /// Whether memory answers at the moment: the watch of the bucket stands. Without it each look-up reads the bucket.
    pub fn is_fresh(&self) -> bool {
        self.reader.is_fresh()
    }

    /// Persons in memory.
    pub fn in_memory(&self) -> usize {
        self.reader.in_memory()
    }

    /// What look-ups have been answered from so far.
    pub fn counts(&self) -> LookupCounts {
        self.reader.counts()
    }
}
