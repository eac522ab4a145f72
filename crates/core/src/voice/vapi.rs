//! Vapi's end-of-call report, read as events.
//!
//! One report gives `call_ended` (operational) and, where the report has them, `transcript_ready` and
//! `recording_ready` (enrichment). The drafts carry no revision: their ids follow from what is in them, so a report
//! that is delivered twice gives the same ids, and a corrected one gives new ids for exactly what was corrected.
//!
//! Left out on purpose: costs (no CRM field stands for them), `analysis.structuredData` and
//! `analysis.successEvaluation` (their meaning is the assistant's own; publish `contact_enriched` or
//! `deal_stage_changed` from them where they mean something), metrics, logs and the message list. Other message
//! types give no events, and a reason.

use jiff::Timestamp;
use serde_json::Value;

use crate::codes::{self, Code};
use crate::event::{Body, CALL_ID_BYTES_MAX, ContactRef, Draft, Phone};
use crate::lane::Lane;
use crate::time::WallTime;

/// Longest title made of a summary, in characters.
const TITLE_CHARS_MAX: usize = 80;

/// What a message gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapped {
    /// The events with their lanes, the operational one first. Empty when the message says nothing about a call's end.
    pub events: Vec<(Lane, Draft)>,
    /// Why there are no events; `None` when there are.
    pub ignored: Option<String>,
}

/// Why a message can't be read. Names the field, never its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {text}")]
pub struct VapiError {
    /// `CF1101`, `CF1102` or `CF1103`.
    pub code: Code,
    /// The field at fault as a path from the top of the message, empty when the whole is at fault.
    pub field: &'static str,
    /// What is wrong and what to do.
    pub text: String,
}

impl VapiError {
    fn unreadable(text: impl Into<String>) -> Self {
        Self {
            code: codes::EVENT_UNREADABLE,
            field: "",
            text: text.into(),
        }
    }

    fn missing(field: &'static str, remedy: &str) -> Self {
        Self {
            code: codes::EVENT_FIELD_MISSING,
            field,
            text: format!("`{field}` is missing: {remedy}"),
        }
    }

    fn invalid(field: &'static str, rule: &str) -> Self {
        Self {
            code: codes::EVENT_FIELD_INVALID,
            field,
            text: format!("`{field}` can't be used: {rule}"),
        }
    }
}

/// How a call ended, by the beginning of Vapi's `endedReason`. The first line that fits counts, so a longer
/// beginning stands before a shorter one. What fits none is `error`: of the several hundred reasons that Vapi knows
/// and keeps adding to, nearly all are faults of a provider.
pub const DISPOSITIONS: &[(&str, &str)] = &[
    // Hung up while a transfer was under way: nobody spoke with the person they asked for.
    ("customer-ended-call-before-warm-transfer", "abandoned"),
    ("customer-ended-call-during-transfer", "abandoned"),
    ("customer-ended-call", "connected"),
    ("customer-did-not-answer", "no_answer"),
    ("customer-busy", "busy"),
    ("customer-did-not-give-microphone-permission", "failed"),
    ("assistant-forwarded-call", "transferred"),
    ("assistant-ended-call", "connected"),
    ("assistant-said-", "connected"),
    ("voicemail", "voicemail"),
    ("silence-timed-out", "connected"),
    ("exceeded-max-duration", "connected"),
    ("manually-canceled", "abandoned"),
    ("call-deleted", "abandoned"),
    ("call.ringing.hook-executed-transfer", "transferred"),
    ("call.ringing.hook-executed-say", "connected"),
    ("call.ringing.sip-inbound-caller-hungup", "abandoned"),
    // The transfer failed, the conversation before it did take place.
    ("call.forwarding.", "connected"),
    ("call.in-progress.error", "error"),
    ("call.in-progress.", "connected"),
    ("twilio-", "failed"),
    ("vonage-rejected", "declined"),
    ("vonage-completed", "connected"),
    ("vonage-disconnected", "connected"),
    ("vonage-", "failed"),
    ("phone-call-provider-bypass", "failed"),
];

/// The disposition of an `endedReason`; see [`DISPOSITIONS`].
pub fn disposition(ended_reason: &str) -> &'static str {
    DISPOSITIONS
        .iter()
        .find(|(prefix, _)| ended_reason.starts_with(prefix))
        .map_or("error", |(_, disposition)| disposition)
}

/// Reads the body of a request that Vapi makes to a server URL.
pub fn read(bytes: &[u8]) -> Result<Mapped, VapiError> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| {
        VapiError::unreadable(format!(
            "not JSON (line {}, column {})",
            error.line(),
            error.column()
        ))
    })?;
    let message = Message(
        value
            .get("message")
            .filter(|m| m.is_object())
            .ok_or_else(|| VapiError::missing("message", "Vapi wraps everything it sends in it"))?,
    );
    let kind = message.required("message.type", "every Vapi message has one")?;
    if kind == "end-of-call-report" {
        return Ok(Mapped {
            events: message.report()?,
            ignored: None,
        });
    }
    let known = kind.len() <= 40 && kind.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    let named = if known { kind } else { "of another type" };
    Ok(Mapped {
        events: Vec::new(),
        ignored: Some(format!(
            "a message `{named}` says nothing that the end-of-call-report does not say; only that is read"
        )),
    })
}

/// The value under `message`. Paths are written from the top (`message.call.id`), as errors name them.
struct Message<'a>(&'a Value);

impl<'a> Message<'a> {
    fn at(&self, path: &str) -> Option<&'a Value> {
        path.split('.')
            .skip(1)
            .try_fold(self.0, |value, name| value.get(name))
            .filter(|value| !value.is_null())
    }

    /// A text that says something; anything else is an error that names the field.
    fn text(&self, path: &'static str) -> Result<Option<&'a str>, VapiError> {
        match self.at(path) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.trim()).filter(|text| !text.is_empty())),
            Some(_) => Err(VapiError::invalid(path, "it must be a text")),
        }
    }

    fn required(&self, path: &'static str, remedy: &str) -> Result<&'a str, VapiError> {
        self.text(path)?
            .ok_or_else(|| VapiError::missing(path, remedy))
    }

    /// The first of these texts that is there.
    fn first(&self, paths: &[&'static str]) -> Result<Option<&'a str>, VapiError> {
        for path in paths {
            if let Some(text) = self.text(path)? {
                return Ok(Some(text));
            }
        }
        Ok(None)
    }

    fn instant(&self, path: &'static str) -> Result<Option<WallTime>, VapiError> {
        let Some(text) = self.text(path)? else {
            return Ok(None);
        };
        let instant: Timestamp = text
            .parse()
            .map_err(|_| VapiError::invalid(path, "it must be an ISO 8601 instant with a zone"))?;
        positive(instant.as_millisecond(), path).map(Some)
    }

    fn first_instant(&self, paths: [&'static str; 2]) -> Result<Option<WallTime>, VapiError> {
        for path in paths {
            if let Some(instant) = self.instant(path)? {
                return Ok(Some(instant));
            }
        }
        Ok(None)
    }

    fn report(&self) -> Result<Vec<(Lane, Draft)>, VapiError> {
        let call_id = self.required(
            "message.call.id",
            "without it events of one call can't be told to belong together",
        )?;
        if call_id.len() > CALL_ID_BYTES_MAX || call_id.chars().any(char::is_control) {
            return Err(VapiError::invalid(
                "message.call.id",
                "1 to 128 bytes without control characters",
            ));
        }
        let contact = self.contact()?;
        let ended_at = self.first_instant(["message.endedAt", "message.call.endedAt"])?;
        let at = match ended_at {
            Some(at) => at,
            None => self.sent_at()?,
        };
        let draft = |kind: &str, body: Body| Draft {
            call_id: call_id.to_owned(),
            kind: kind.to_owned(),
            at,
            revision: None,
            contact: contact.clone(),
            body,
        };

        let mut events = vec![(Lane::Op, draft("call_ended", self.call(ended_at)?))];
        if let Some(text) = self.first(&["message.artifact.transcript", "message.transcript"])? {
            let body = Body::from([("text".to_owned(), text.into())]);
            events.push((Lane::En, draft("transcript_ready", body)));
        }
        if let Some(body) = self.recording()? {
            events.push((Lane::En, draft("recording_ready", body)));
        }
        Ok(events)
    }

    /// When Vapi made the message: stands in for an end time that is not there.
    fn sent_at(&self) -> Result<WallTime, VapiError> {
        const PATH: &str = "message.timestamp";
        let value = self.at(PATH).ok_or_else(|| {
            VapiError::missing(
                "message.endedAt",
                "an event needs its time; `message.timestamp` is missing too",
            )
        })?;
        let ms = value
            .as_i64()
            .or_else(|| value.as_f64().map(|ms| ms as i64))
            .ok_or_else(|| VapiError::invalid(PATH, "it must be epoch milliseconds"))?;
        positive(ms, PATH)
    }

    fn contact(&self) -> Result<ContactRef, VapiError> {
        const NUMBER: &str = "message.customer.number";
        let number = self.first(&[NUMBER, "message.call.customer.number"])?;
        let email = self.first(&["message.customer.email", "message.call.customer.email"])?;
        let name = self.first(&["message.customer.name", "message.call.customer.name"])?;
        let phone = number.and_then(Phone::parse);
        if phone.is_none() && email.is_none() {
            return Err(match number {
                None => VapiError::missing(
                    NUMBER,
                    "a call without a customer's number or e-mail address (a web call, a withheld number) belongs to no contact; publish it yourself with `contact.key`",
                ),
                Some(_) => VapiError::invalid(
                    NUMBER,
                    "E.164: `+`, country code, number, 7 to 15 digits (and no e-mail address is given)",
                ),
            });
        }
        Ok(ContactRef {
            phone: phone.map(|phone| phone.as_str().to_owned()),
            email: email.map(str::to_owned),
            key: None,
            name: name.map(str::to_owned),
        })
    }

    fn call(&self, ended_at: Option<WallTime>) -> Result<Body, VapiError> {
        let mut body = Body::new();
        let mut set = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                body.insert(name.to_owned(), value);
            }
        };
        let reason = self
            .first(&["message.endedReason", "message.call.endedReason"])?
            .ok_or_else(|| {
                VapiError::missing(
                    "message.endedReason",
                    "without it nobody knows how the call ended",
                )
            })?;
        set("disposition", Some(disposition(reason).into()));

        let theirs = self.first(&["message.customer.number", "message.call.customer.number"])?;
        let ours = self.first(&[
            "message.phoneNumber.number",
            "message.call.phoneNumber.number",
        ])?;
        let direction = match self.text("message.call.type")? {
            Some("inboundPhoneCall") => Some(("inbound", theirs, ours)),
            Some("outboundPhoneCall") => Some(("outbound", ours, theirs)),
            _ => None,
        };
        if let Some((direction, from, to)) = direction {
            set("direction", Some(direction.into()));
            set("from", from.map(number));
            set("to", to.map(number));
        }

        // A call that never connected has no start.
        let started_at = self.first_instant(["message.startedAt", "message.call.startedAt"])?;
        set("started_at", started_at.map(|at| at.0.into()));
        let duration_ms = started_at
            .zip(ended_at)
            .filter(|(started, ended)| started <= ended)
            .map(|(started, ended)| ended.since_ms(started));
        set("duration_ms", duration_ms.map(Value::from));

        let summary = self.first(&["message.analysis.summary", "message.summary"])?;
        let title = summary.map(title).filter(|title| !title.is_empty());
        set("title", title.map(Value::from));
        set("summary", summary.map(Value::from));
        Ok(body)
    }

    /// A lasting address if there is one, else a signed one with its end.
    fn recording(&self) -> Result<Option<Body>, VapiError> {
        let lasting = self.first(&[
            "message.artifact.recordingUrl",
            "message.recordingUrl",
            "message.artifact.recording.mono.combinedUrl",
            "message.artifact.recording.stereoUrl",
            "message.artifact.stereoRecordingUrl",
        ])?;
        if let Some(url) = lasting {
            return Ok(Some(Body::from([("url".to_owned(), url.into())])));
        }
        let signed = self.first(&[
            "message.artifact.presignedMonoUrl",
            "message.artifact.presignedStereoUrl",
        ])?;
        let Some(url) = signed else { return Ok(None) };
        let mut body = Body::from([("url".to_owned(), url.into())]);
        if let Some(end) = self.instant("message.artifact.presignedUrlsExpiresAt")? {
            body.insert("expires_at".to_owned(), end.0.into());
        }
        Ok(Some(body))
    }
}

fn positive(ms: i64, path: &'static str) -> Result<WallTime, VapiError> {
    if ms < 0 {
        return Err(VapiError::invalid(path, "it must not lie before 1970"));
    }
    Ok(WallTime(ms))
}

/// A number in E.164 where it is one; a short code or an extension as it is.
fn number(text: &str) -> Value {
    Phone::parse(text).map_or_else(|| text.into(), |phone| phone.as_str().into())
}

/// The first sentence of a summary; a long one is cut at the end of a word.
fn title(summary: &str) -> String {
    let line = summary.lines().next().unwrap_or_default();
    let sentence =
        line.split_inclusive(['.', '!', '?'])
            .try_fold(String::new(), |mut sentence, part| {
                // A full stop within a number or an abbreviation ends nothing: a sentence ends before a space.
                let starts_a_sentence = !sentence.is_empty() && part.starts_with(' ');
                if starts_a_sentence {
                    return Err(sentence);
                }
                sentence.push_str(part);
                Ok(sentence)
            });
    let (Ok(sentence) | Err(sentence)) = sentence;
    let sentence = sentence.trim_end_matches('.');
    if sentence.chars().count() <= TITLE_CHARS_MAX {
        return sentence.to_owned();
    }
    let cut: String = sentence.chars().take(TITLE_CHARS_MAX - 1).collect();
    let whole_words = cut
        .rsplit_once(' ')
        .map_or(cut.as_str(), |(words, _)| words);
    format!("{whole_words}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_the_first_sentence_cut_at_a_word() {
        let long = "word ".repeat(40);
        for (summary, expect) in [
            ("Wants a quote.", "Wants a quote"),
            ("Wants a quote. Call back.", "Wants a quote"),
            ("Agreed on 2.5 hours! Good.", "Agreed on 2.5 hours!"),
            ("First line\nsecond line", "First line"),
            ("...", ""),
        ] {
            assert_eq!(title(summary), expect, "{summary}");
        }
        let cut = title(&long);
        assert!(cut.ends_with("word…") && cut.chars().count() <= TITLE_CHARS_MAX);
        assert!(title(&"ü".repeat(200)).chars().count() <= TITLE_CHARS_MAX);
    }
}
