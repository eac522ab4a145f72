//! The stable error codes. Each has a section in `docs/errors.md`; a test compares the two lists.
//!
//! The first digit says whose move it is: 1 the publisher's, 2 the CRM's (or the CRM account's owner's), 3 the
//! configuration's, 4 the broker's, 5 the machine's.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A stable error code such as `CF1102`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Code(&'static str);

impl Code {
    /// The code as text.
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// What the code means, in a few words.
    pub fn title(self) -> &'static str {
        ALL.iter()
            .find(|(code, _)| *code == self)
            .map_or("", |(_, title)| title)
    }

    /// The code with this text, if there is one.
    pub fn find(text: &str) -> Option<Self> {
        ALL.iter()
            .map(|(code, _)| *code)
            .find(|code| code.0 == text)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::find(&text).ok_or_else(|| {
            serde::de::Error::custom(format!("`{text}` is no error code of this version"))
        })
    }
}

macro_rules! codes {
    ($($name:ident = $text:literal, $title:literal;)*) => {
        $(#[doc = $title] pub const $name: Code = Code($text);)*
        /// Every code with its title, in order.
        pub const ALL: &[(Code, &str)] = &[$(($name, $title)),*];
    };
}

codes! {
    EVENT_UNREADABLE = "CF1101", "the body is neither MessagePack nor JSON of an event";
    EVENT_FIELD_MISSING = "CF1102", "a required field of the event is missing";
    EVENT_FIELD_INVALID = "CF1103", "a field of the event has a value that can't be used";
    EVENT_ID_MISMATCH = "CF1104", "the event id in the body and the Nats-Msg-Id header differ";
    EVENT_VERSION = "CF1105", "the event has a version this Callflume doesn't read";
    EVENT_KIND_UNMAPPED = "CF1106", "the event's kind is unknown and no mapping is configured for it";
    EVENT_TEMPLATE = "CF1107", "a template of the mapping could not be rendered for this event";
    PUBLISH_NO_BROKER = "CF1201", "the broker can't be reached";
    PUBLISH_NO_STREAM = "CF1202", "no stream takes this subject";
    PUBLISH_TOO_LARGE = "CF1203", "the event is larger than the stream takes";
    PUBLISH_NOT_ALLOWED = "CF1204", "this connection may not publish on this subject";
    PUBLISH_UNKNOWN = "CF1205", "the broker did not answer: it is unknown whether the event is stored";
    PUBLISH_STREAM_FULL = "CF1206", "the stream is full";
    PUBLISH_WRONG_STREAM = "CF1207", "another stream than expected took the subject";
    PUBLISH_BUSY = "CF1208", "too many events are waiting for the broker's answer";
    PERMIT_ASK = "CF1301", "an ask for a permit can't be used";
    LOOKUP_ASK = "CF1302", "a look-up of a contact can't be used";
    CRM_REFUSED = "CF2101", "the CRM refused the data for good";
    CRM_RECORD_GONE = "CF2102", "the record to update doesn't exist in the CRM";
    CRM_CONFLICT = "CF2103", "the CRM reports a conflict that could not be resolved";
    CRM_GAVE_UP = "CF2104", "the CRM kept failing; attempts are used up";
    CRM_MALFORMED = "CF2105", "the CRM's answer could not be understood";
    CRM_REFERENCE = "CF2106", "the CRM's owners, pipelines or stages could not be read";
    CRM_OWNER_UNKNOWN = "CF2107", "no active owner in the CRM has the e-mail address that an event names";
    CRM_DEALS = "CF2108", "the CRM's open deals could not be read";
    CRM_CREDENTIAL = "CF2201", "the CRM refused the credential";
    CRM_SCOPE = "CF2202", "the credential lacks a permission in the CRM";
    CRM_DAY_EXHAUSTED = "CF2203", "the CRM's daily quota is used up";
    CRM_DAY_FILLING = "CF2204", "the day's quota is filling up";
    CRM_LOCKED_OUT = "CF2205", "the CRM has shut the account out for a while";
    CRM_NO_BULK = "CF2206", "the CRM takes no bulk job at the moment";
    CRM_GRANT = "CF2211", "the CRM no longer renews the OAuth access token";
    CRM_GRANT_LOST = "CF2212", "a new OAuth refresh token was lost";
    CRM_GRANT_LATE = "CF2213", "the OAuth access token ended before it could be renewed";
    CONFIG_SYNTAX = "CF3101", "the configuration file can't be read";
    CONFIG_VALUE = "CF3102", "a value in the configuration can't be used";
    CONFIG_SECRET = "CF3103", "a secret the configuration refers to is not there";
    CONFIG_STORED = "CF3104", "a record in the configuration bucket can't be used; the last good one stays";
    TOKEN_KEY = "CF3111", "the key that encrypts stored tokens is missing or wrong";
    ACCOUNT_UNKNOWN = "CF3201", "events arrive for an account that is not configured";
    BROKER_UNREACHABLE = "CF4101", "the broker can't be reached";
    BROKER_TOO_OLD = "CF4102", "the broker is older than 2.14";
    BROKER_NOT_PROVISIONED = "CF4103", "streams or buckets are missing on the broker";
    BROKER_NOT_CHANGEABLE = "CF4104", "a setting of a stream or bucket can't be changed in place";
    BROKER_REFUSED = "CF4105", "the broker refused a request";
    SERVER_BINARY = "CF5101", "no usable nats-server was found";
    SERVER_START = "CF5102", "nats-server did not start";
    WORKER_ABSENT = "CF5201", "no worker owns this account at the moment";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_findable() {
        for (index, (code, title)) in ALL.iter().enumerate() {
            assert_eq!(Code::find(code.as_str()), Some(*code));
            assert_eq!(code.title(), *title);
            assert!(
                ALL.iter().skip(index + 1).all(|(other, _)| other != code),
                "{code} twice"
            );
        }
        assert_eq!(Code::find("CF9999"), None);
    }
}
