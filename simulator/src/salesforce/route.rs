//! Which request asks for what.
//!
//! A call is a request to the data API, or a part of a composite one: both are carried out by the same code.

use serde_json::Value;

use super::Salesforce;
use super::records::ObjectKind;
use super::replies::{Answer, Failure};
use super::writes::Hand;
use crate::fakes::{Method, Request};

/// Versions of the API that are served.
pub(super) const VERSIONS: std::ops::RangeInclusive<u32> = 31..=68;

/// What comes with a call.
#[derive(Debug, Clone, Copy)]
pub(super) enum Payload<'a> {
    /// A body, and what its header says that it is.
    Bytes(&'a [u8], Option<&'a str>),
    /// A part of a body.
    Json(&'a Value),
}

/// A request to the data API or a part of one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) method: Method,
    /// Decoded, after the version.
    pub(super) path: &'a [&'a str],
    pub(super) query: &'a [(String, String)],
    pub(super) headers: &'a [(String, String)],
    pub(super) payload: Payload<'a>,
}

impl Call<'_> {
    /// The first query parameter of that name.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let mut all = self.query.iter();
        all.find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The first header of that name.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.iter();
        all.find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The body, which must be JSON.
    pub(super) fn json(&self) -> Result<Value, Failure> {
        match self.payload {
            Payload::Json(body) => Ok(body.clone()),
            Payload::Bytes(body, kind) => {
                if !is(kind, "application/json") {
                    return Err(unsupported(kind));
                }
                serde_json::from_slice(body)
                    .map_err(|_| Failure::unreadable("The body is no JSON text"))
            }
        }
    }

    /// The body, which must be a CSV file.
    pub(super) fn csv(&self) -> Result<&str, Failure> {
        let Payload::Bytes(body, kind) = self.payload else {
            return Err(unsupported(None));
        };
        if !is(kind, "text/csv") {
            return Err(unsupported(kind));
        }
        str::from_utf8(body)
            .map_err(|_| Failure::request(400, "CLIENTINPUTERROR", "The file must be in UTF-8"))
    }
}

fn is(kind: Option<&str>, wanted: &str) -> bool {
    let kind = kind.unwrap_or_default();
    let plain = kind.split(';').next().unwrap_or_default().trim();
    plain.eq_ignore_ascii_case(wanted)
}

fn unsupported(kind: Option<&str>) -> Failure {
    let said = format!("Content type {} not supported.", kind.unwrap_or("none"));
    Failure::request(415, "UNSUPPORTED_MEDIA_TYPE", said)
}

/// Version and the rest of a path of the data API.
pub(super) fn data_path(segments: &[String]) -> Option<(u32, Vec<&str>)> {
    let [services, data, version, rest @ ..] = segments else {
        return None;
    };
    let number = version
        .strip_prefix('v')
        .and_then(|number| number.strip_suffix(".0"));
    let version: u32 = number?.parse().ok()?;
    let known = services == "services" && data == "data" && VERSIONS.contains(&version);
    known.then(|| (version, rest.iter().map(String::as_str).collect()))
}

/// Whether a request asks which versions there are: the one resource that counts nowhere and needs no session.
pub(super) fn asks_versions(request: &Request) -> bool {
    request.method == Method::Get && request.path.trim_end_matches('/') == "/services/data"
}

/// What a request's path and query weigh on the wire, bytes, taken as encoded strictly.
pub(super) fn target_bytes(request: &Request) -> usize {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~ ".contains(&byte);
    let encoded = |text: &str| -> usize {
        let bytes = text.bytes();
        bytes.map(|byte| if plain(byte) { 1 } else { 3 }).sum()
    };
    let query: usize = request
        .query
        .iter()
        .map(|(name, value)| encoded(name) + encoded(value) + 2)
        .sum();
    request.path.len() + query
}

impl Salesforce {
    /// Carries out a call.
    pub(super) fn perform(&mut self, hand: &Hand, call: &Call<'_>) -> Result<Answer, Failure> {
        use Method::{Delete, Get, Patch, Post, Put};
        match (call.method, call.path) {
            (Get, ["limits"]) => Ok(self.limit_list(hand)),
            (Get, ["query"]) => self.query(hand, call),
            (Get, ["query", locator]) => self.more(hand, locator),
            (Get, ["parameterizedSearch"]) => self.search(hand, call),
            (Get, ["sobjects", object, "describe"]) => Ok(self.describe(object_named(object)?)),
            (Post, ["sobjects", object]) => self.create(hand, object_named(object)?, call),
            (Get, ["sobjects", object, id]) => self.read(hand, object_named(object)?, id, call),
            (Patch, ["sobjects", object, id]) => self.update(hand, object_named(object)?, id, call),
            (Delete, ["sobjects", object, id]) => self.remove(hand, object_named(object)?, id),
            (Get, ["sobjects", object, field, value]) => {
                self.read_by_key(hand, object_named(object)?, field, value, call)
            }
            (Patch, ["sobjects", object, field, value]) => {
                self.upsert_by_key(hand, object_named(object)?, field, value, call)
            }
            (Post, ["composite", "sobjects"]) => self.create_many(hand, call),
            (Patch, ["composite", "sobjects"]) => self.update_many(hand, call),
            (Delete, ["composite", "sobjects"]) => self.delete_many(hand, call),
            (Post, ["composite", "sobjects", object]) => {
                self.read_many(hand, object_named(object)?, call)
            }
            (Patch, ["composite", "sobjects", object, field]) => {
                self.upsert_many(hand, object_named(object)?, field, call)
            }
            (Post, ["composite"]) => self.composite(hand, call),
            (Post, ["composite", "batch"]) => self.batch(hand, call),
            (Post, ["tooling", "sobjects", "CustomField"]) => self.create_field(hand, call),
            (Post, ["jobs", "ingest"]) => self.create_job(hand, call),
            (Get, ["jobs", "ingest", id]) => self.read_job(id),
            (Patch, ["jobs", "ingest", id]) => self.close_job(hand, id, call),
            (Delete, ["jobs", "ingest", id]) => self.delete_job(id),
            (Put, ["jobs", "ingest", id, "batches"]) => self.upload(hand, id, call),
            (Get, ["jobs", "ingest", id, results]) => self.results(id, results),
            (method, path) => Err(unknown(method, path)),
        }
    }
}

/// What a path is answered with that isn't served under this method.
fn unknown(method: Method, path: &[&str]) -> Failure {
    let allowed = match path {
        ["limits" | "query" | "parameterizedSearch"] | ["query", _] => "GET",
        ["sobjects", _, "describe"] | ["jobs", "ingest", _, _] => "GET",
        ["sobjects", _, _] => "GET,PATCH,DELETE",
        ["sobjects", _, _, _] => "GET,PATCH",
        ["sobjects", _] | ["composite"] | ["composite", "batch"] | ["jobs", "ingest"] => "POST",
        ["composite", "sobjects"] => "POST,PATCH,DELETE",
        ["composite", "sobjects", _] => "POST",
        ["composite", "sobjects", _, _] => "PATCH",
        ["jobs", "ingest", _] => "GET,PATCH,DELETE",
        ["tooling", "sobjects", "CustomField"] => "POST",
        _ => return Failure::not_found(),
    };
    let said = format!(
        "HTTP Method '{}' not allowed. Allowed are {allowed}",
        method.as_str()
    );
    Failure::request(405, "METHOD_NOT_ALLOWED", said)
}

pub(super) fn object_named(name: &str) -> Result<ObjectKind, Failure> {
    ObjectKind::named(name).ok_or_else(Failure::not_found)
}
