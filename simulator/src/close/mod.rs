//! A fake Close: a pure model of one organisation, driven by requests and an instant.
//!
//! Decides what Close would answer and hold: leads with contacts and what hangs on them, nothing unique anywhere, lists
//! that a change replaces whole, a search that lags behind listings and event log, limits per endpoint group, key and
//! organisation, and scripted faults. Never reads a clock, never does IO, never uses chance of its own: the same requests
//! at the same instants give the same bytes.
//!
//! Invariants: a request that meets a full window changes nothing and is counted; a request is checked whole before any of
//! it is applied; an applied write stands in the audit exactly once, in order, whatever the requester was told; time
//! doesn't run backwards (an older instant is taken as the newest seen).

mod access;
mod audit;
mod config;
mod controls;
mod directory;
mod events;
mod faults;
mod fields;
mod limits;
mod lists;
pub(crate) mod prepared;
mod reading;
mod records;
mod replies;
mod route;
mod search;
pub(crate) mod seed;
mod view;
mod views;
mod writes;

use serde_json::{Map, Value};

pub use audit::{Counters, RequestAudit, Write, WriteKind};
pub use config::{ApiKey, CloseConfig, CustomField, OauthClient, SetupError};
pub use faults::{Fault, FaultKind};
pub use limits::Scope;
pub use records::{ObjectKind, Record};
pub use seed::{OnLead, SeededContact};

use crate::fakes::{Method, Reply, Request, ServiceTime};
pub(crate) use access::basic_credential;
use access::{Access, Asker};
use audit::Audit;
use events::EventLog;
use faults::FaultScript;
use fields::Schema;
use limits::Limits;
use records::Store;
use replies::Refusal;
use route::{Operation, Route};
use search::SearchIndex;

/// One fake organisation.
#[derive(Debug)]
pub struct Close {
    config: CloseConfig,
    access: Access,
    limits: Limits,
    schema: Schema,
    store: Store,
    index: SearchIndex,
    events: EventLog,
    faults: FaultScript,
    audit: Audit,
    numbers_used: u32,
    now_ms: i64,
    service: ServiceTime,
}

impl Close {
    /// An organisation as configured, without records.
    pub fn new(config: CloseConfig) -> Result<Self, SetupError> {
        let mut access = Access::default();
        for key in &config.keys {
            access.add(key, i64::MAX)?;
        }
        Ok(Self {
            access,
            limits: Limits::new(&config)?,
            schema: Schema::new(config.custom_fields.clone(), config.country.clone())?,
            store: Store::default(),
            index: SearchIndex::default(),
            events: EventLog::default(),
            faults: FaultScript::default(),
            audit: Audit::default(),
            numbers_used: 0,
            now_ms: i64::MIN,
            service: ServiceTime::new(config.service_ms, config.service_jitter_ms, config.seed),
            config,
        })
    }

    /// Answers a request that arrives at `now_ms` (epoch milliseconds). The front waits [`Self::service_time_ms`] plus the
    /// reply's own delay before it delivers, or drops the connection when the reply says so.
    pub fn handle(&mut self, now_ms: i64, request: &Request) -> Reply {
        self.now_ms = self.now_ms.max(now_ms);
        let route = Route::of(request);
        let mut audit = RequestAudit {
            request_no: self.audit.requests.len() as u64 + 1,
            at_ms: self.now_ms,
            key: None,
            method: request.method,
            path: request.path.clone(),
            group: route.as_ref().map_or("", |route| route.group),
            throttled: None,
            executed: false,
            faulted: false,
            status: 0,
        };
        let reply = self.answered(request, route, &mut audit);
        audit.status = reply.status;
        let counters = &mut self.audit.counters;
        counters.requests += 1;
        *counters.statuses.entry(reply.status).or_insert(0) += 1;
        self.audit.requests.push(audit);
        reply
    }

    fn answered(
        &mut self,
        request: &Request,
        route: Result<Route, bool>,
        audit: &mut RequestAudit,
    ) -> Reply {
        let now_ms = audit.at_ms;
        if let Ok(Route {
            operation: Operation::Token,
            ..
        }) = route
        {
            let answer = self.refresh(now_ms, request);
            audit.executed = answer.is_ok();
            return answer.unwrap_or_else(|refusal| refusal.reply());
        }
        let asker = match self.access.asker(now_ms, request) {
            Ok(asker) => asker,
            Err(refusal) => {
                self.audit.counters.unauthorized += 1;
                return refusal.reply();
            }
        };
        audit.key = Some(asker.key);
        let route = match route {
            Ok(route) => route,
            Err(known) if known => return Refusal::Plain(405, "Not under this method.").reply(),
            Err(_) => return Refusal::not_found().reply(),
        };
        let group = route.group;
        if let Err(scope) = self
            .limits
            .admit(now_ms, asker.key, group, &mut self.audit.counters)
        {
            audit.throttled = Some(scope);
            return self.throttled(asker.key, group, scope);
        }
        let fault = self.faults.strike(now_ms, request);
        audit.faulted = fault.is_some();
        let mut reply = match &fault {
            Some(FaultKind::Throttled) => {
                self.limits.give_back(asker.key, group);
                self.throttled(asker.key, group, Scope::Organization)
            }
            Some(kind) if !kind.executes() => faults::broken(kind),
            _ => {
                let answer = self.executed(request, route, asker, audit);
                audit.executed = answer.is_ok();
                let mut reply = answer.unwrap_or_else(|refusal| refusal.reply());
                replies::add_limit_header(self.limits.state(now_ms, asker.key, group), &mut reply);
                reply
            }
        };
        if let Some(kind) = fault {
            faults::spoil(&kind, &mut reply);
        }
        reply
    }

    fn throttled(&mut self, key: usize, group: &'static str, scope: Scope) -> Reply {
        let state = self.limits.state(self.now_ms, key, group);
        let state = limits::State {
            remaining: 0,
            ..state
        };
        let mut reply = replies::throttled(state, scope, group, self.config.old_throttle_body);
        replies::add_limit_header(state, &mut reply);
        reply
    }

    fn executed(
        &mut self,
        request: &Request,
        route: Route,
        asker: Asker,
        audit: &RequestAudit,
    ) -> Result<Reply, Refusal> {
        let (now_ms, no) = (audit.at_ms, audit.request_no);
        let body = body_of(request)?;
        let ok = |body: Value| Ok(Reply::json(200, &body));
        match route.operation {
            Operation::Create(kind) => ok(self.create(now_ms, no, kind, &body)?),
            Operation::List(kind) => ok(self.list(kind, request)?),
            Operation::Read(kind, id) => ok(self.read(kind, &id, request)?),
            Operation::Update(kind, id) => ok(self.update(now_ms, no, kind, &id, &body)?),
            Operation::UpdateTasks => ok(self.update_tasks(now_ms, no, request, &body)?),
            Operation::Delete(kind, id) => ok(self.delete(now_ms, no, kind, &id)?),
            Operation::MergeLeads => {
                let said = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
                let (source, destination) = (said("source"), said("destination"));
                ok(self.merge(now_ms, no, source, destination)?)
            }
            Operation::Search => ok(self.search(now_ms, &body.into())?),
            Operation::Events => ok(self.list_events(now_ms, request)?),
            Operation::CustomFields(kind) => ok(lists::page(self.schema.custom_fields(kind))),
            Operation::CreateCustomField(kind) => {
                if !asker.manages_fields {
                    return Err(Refusal::Plain(403, "This user can't manage custom fields."));
                }
                ok(self.schema.create(kind, &body.into())?)
            }
            Operation::Me
            | Operation::Users
            | Operation::Pipelines
            | Operation::Statuses(_)
            | Operation::Outcomes => ok(self.directory(&route.operation, request)?),
            Operation::Token => Err(Refusal::not_found()),
        }
    }
}

/// The body of a write: 415 when it doesn't say that it is JSON, 400 when it isn't.
fn body_of(request: &Request) -> Result<Map<String, Value>, Refusal> {
    if !matches!(request.method, Method::Post | Method::Put) {
        return Ok(Map::new());
    }
    let json = request
        .header("content-type")
        .is_some_and(|kind| kind.to_ascii_lowercase().starts_with("application/json"));
    if !json {
        return Err(Refusal::Plain(415, "The body must be application/json."));
    }
    match serde_json::from_slice(&request.body) {
        Ok(Value::Object(body)) => Ok(body),
        _ => Err(Refusal::Plain(400, "The body isn't a JSON object.")),
    }
}
