//! What a world needs of a CRM: a request that arrives, an answer after a while.
//!
//! The credential is shown as each CRM wants it; it is always [`TOKEN`].

use callflume_core::vendor::{Answer, HttpRequest};

use crate::close::Close;
use crate::fakes::{Reply, Request};
use crate::hubspot::HubSpot;
use crate::pipedrive::Pipedrive;
use crate::salesforce::Salesforce;
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

impl<T: Crm + ?Sized> Crm for Box<T> {
    fn arrive(&mut self, now_ms: i64, request: &HttpRequest) -> Answered {
        (**self).arrive(now_ms, request)
    }
}

impl Crm for HubSpot {
    fn arrive(&mut self, now_ms: i64, request: &HttpRequest) -> Answered {
        let reply = self.handle(now_ms, &Request::from(request).with_bearer(TOKEN));
        answered(reply, self.service_time_ms())
    }
}

impl Crm for Salesforce {
    fn arrive(&mut self, now_ms: i64, request: &HttpRequest) -> Answered {
        let reply = self.handle(now_ms, &Request::from(request).with_bearer(TOKEN));
        answered(reply, self.service_time_ms())
    }
}

impl Crm for Close {
    fn arrive(&mut self, now_ms: i64, request: &HttpRequest) -> Answered {
        let shown = crate::close::basic_credential(TOKEN);
        let request = Request::from(request).with_header("authorization", &shown);
        let reply = self.handle(now_ms, &request);
        answered(reply, self.service_time_ms())
    }
}

impl Crm for Pipedrive {
    fn arrive(&mut self, now_ms: i64, request: &HttpRequest) -> Answered {
        let request = Request::from(request).with_header("x-api-token", TOKEN);
        let reply = self.handle(now_ms, &request);
        answered(reply, self.service_time_ms())
    }
}

fn answered(reply: Reply, service_ms: u64) -> Answered {
    Answered {
        status: reply.status,
        after_ms: service_ms + reply.extra_delay_ms,
        answer: reply.into(),
    }
}
