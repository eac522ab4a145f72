//! What a world needs of a CRM: a request that arrives, an answer after a while.

use callflume_core::vendor::{Answer, HttpRequest, Method};

use crate::hubspot::{Deliver, HubSpot, Request};
use crate::scenario::TOKEN;

/// What becomes of a request at the CRM's door.
#[derive(Debug)]
pub struct Answered {
    /// Status, for the trace.
    pub status: u16,
    /// The answer; [`Answer::Lost`] when none is ever sent.
    pub answer: Answer,
    /// How long after the arrival it leaves, milliseconds.
    pub after_ms: u64,
}

/// A CRM in-process: the same requests at the same instants give the same answers.
pub trait Crm {
    /// Takes a request that arrives at `now_ms`, epoch milliseconds.
    fn arrive(&mut self, now_ms: i64, request: &HttpRequest) -> Answered;
}

impl Crm for HubSpot {
    fn arrive(&mut self, now_ms: i64, request: &HttpRequest) -> Answered {
        let reply = self.handle(now_ms, &model_request(request));
        let after_ms = self.service_time_ms() + reply.extra_delay_ms;
        let status = reply.status;
        let answer = if reply.deliver == Deliver::Drop {
            Answer::Lost
        } else {
            Answer::Response {
                status,
                headers: reply
                    .headers
                    .into_iter()
                    .map(|(name, value)| (name.to_lowercase(), value))
                    .collect(),
                body: reply.body,
            }
        };
        Answered {
            status,
            answer,
            after_ms,
        }
    }
}

fn model_request(http: &HttpRequest) -> Request {
    let method = match http.method {
        Method::Get => crate::hubspot::Method::Get,
        Method::Post => crate::hubspot::Method::Post,
        Method::Patch => crate::hubspot::Method::Patch,
        Method::Put => crate::hubspot::Method::Put,
    };
    let mut request = Request::new(method, &http.path).with_bearer(TOKEN);
    if let Some(body) = &http.body {
        request
            .headers
            .push(("content-type".to_owned(), "application/json".to_owned()));
        request.body.clone_from(body);
    }
    request
}
