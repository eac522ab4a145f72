//! The requests and replies of the fakes: plain values, no HTTP library.
//!
//! Decides nothing about any CRM. Both fronts (in process and over a socket) speak these types, so a model is the same
//! under virtual time and under real HTTP.

use callflume_core::vendor::{self, Answer, HttpRequest};
use serde_json::Value;

/// Method of a request. `Other` is answered like an unknown path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
    Other,
}

impl Method {
    /// Reads a method name; the wire is case-sensitive.
    pub fn parse(name: &str) -> Self {
        match name {
            "GET" => Self::Get,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "PATCH" => Self::Patch,
            "DELETE" => Self::Delete,
            _ => Self::Other,
        }
    }

    /// The name on the wire; `OTHER` for what the model doesn't know.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Other => "OTHER",
        }
    }
}

/// One request as it arrives at the CRM's door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub method: Method,
    /// Path as on the wire (percent-encoded), without the query.
    pub path: String,
    /// Query parameters, decoded, in the order given.
    pub query: Vec<(String, String)>,
    /// Headers; names compare without regard to case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    /// A request to `target` (path and query as on the wire), without headers and body.
    pub fn new(method: Method, target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let query = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (percent_decoded(name, true), percent_decoded(value, true))
            })
            .collect();
        Self {
            method,
            path: path.to_owned(),
            query,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// Adds `Authorization: Bearer <token>`.
    pub fn with_bearer(self, token: &str) -> Self {
        self.with_header("authorization", &format!("Bearer {token}"))
    }

    /// Adds a header.
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets a JSON body.
    pub fn with_json(mut self, body: &Value) -> Self {
        self.body = body.to_string().into_bytes();
        self.with_header("content-type", "application/json")
    }

    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        first(&self.headers, name)
    }

    /// The token of the `Authorization` header.
    pub fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        scheme
            .eq_ignore_ascii_case("bearer")
            .then_some(token.trim())
    }

    /// The first query parameter of that name.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// All values of a list parameter: repeated or separated by commas.
    pub(crate) fn list_parameter(&self, name: &str) -> Option<Vec<String>> {
        let mut found = false;
        let mut values = Vec::new();
        for (_, value) in self.query.iter().filter(|(key, _)| key == name) {
            found = true;
            values.extend(
                value
                    .split(',')
                    .map(str::trim)
                    .filter(|part| !part.is_empty())
                    .map(str::to_owned),
            );
        }
        found.then_some(values)
    }

    /// Decoded path segments; an empty last one (trailing slash) is left out.
    pub(crate) fn segments(&self) -> Vec<String> {
        self.path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(|segment| percent_decoded(segment, false))
            .collect()
    }
}

/// What the front must do with a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deliver {
    /// Send it after the service time.
    Normal,
    /// Never send it: the connection is lost. Whether the request was executed is in the audit.
    Drop,
}

/// One reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub deliver: Deliver,
    /// Milliseconds on top of the service time (a scripted slow answer).
    pub extra_delay_ms: u64,
}

impl Reply {
    /// A reply with a JSON body.
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            headers: vec![(
                "Content-Type".to_owned(),
                "application/json;charset=utf-8".to_owned(),
            )],
            body: body.to_string().into_bytes(),
            deliver: Deliver::Normal,
            extra_delay_ms: 0,
        }
    }

    /// A reply without body.
    pub(crate) fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            deliver: Deliver::Normal,
            extra_delay_ms: 0,
        }
    }

    pub(crate) fn push_header(&mut self, name: &str, value: impl ToString) {
        self.headers.push((name.to_owned(), value.to_string()));
    }

    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        first(&self.headers, name)
    }

    /// The body as JSON, `None` when it isn't.
    pub fn body_json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// As it arrives, but for the credential, which each CRM wants in its own way.
impl From<&HttpRequest> for Request {
    fn from(http: &HttpRequest) -> Self {
        let method = match http.method {
            vendor::Method::Get => Method::Get,
            vendor::Method::Post => Method::Post,
            vendor::Method::Patch => Method::Patch,
            vendor::Method::Put => Method::Put,
        };
        let mut request = Self::new(method, &http.path);
        if let Some(body) = &http.body {
            request.body.clone_from(body);
            request = request.with_header("content-type", http.content.media_type());
        }
        request
    }
}

/// As whoever asked gets it.
impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        if reply.deliver == Deliver::Drop {
            return Self::Lost;
        }
        let headers = reply.headers.into_iter();
        Self::Response {
            status: reply.status,
            headers: headers
                .map(|(name, value)| (name.to_lowercase(), value))
                .collect(),
            body: reply.body,
        }
    }
}

fn first<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}

/// Decodes `%XX` (and `+` as a space inside a query); a broken escape stays as written.
fn percent_decoded(text: &str, plus_is_space: bool) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escaped = (byte == b'%')
            .then(|| Some((hex(*bytes.get(at + 1)?)?, hex(*bytes.get(at + 2)?)?)))
            .flatten();
        if let Some((high, low)) = escaped {
            decoded.push(high * 16 + low);
            at += 3;
        } else {
            let space = plus_is_space && byte == b'+';
            decoded.push(if space { b' ' } else { byte });
            at += 1;
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_split_and_decoded() {
        let request = Request::new(
            Method::Get,
            "/crm/v3/objects/contacts/a%2Bb%40example.com?idProperty=email&properties=a,b&properties=c&q=x+y%zz",
        );
        assert_eq!(request.segments()[4], "a+b@example.com");
        assert_eq!(request.parameter("idProperty"), Some("email"));
        assert_eq!(
            request.list_parameter("properties").unwrap(),
            ["a", "b", "c"]
        );
        assert_eq!(request.parameter("q"), Some("x y%zz"));
        assert_eq!(request.list_parameter("associations"), None);
    }

    #[test]
    fn headers_compare_without_case() {
        let request = Request::new(Method::Post, "/x").with_header("AUTHORIZATION", "bearer  t1");
        assert_eq!(request.bearer(), Some("t1"));
    }
}
