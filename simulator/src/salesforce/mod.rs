//! A fake Salesforce: a pure model of one org, driven by requests and an instant.
//!
//! Decides what an org would answer and hold: contacts, activities and opportunities found by id, by external id and by
//! queries, collections and composites whose items fare each for itself, jobs that run as time goes by, the limits to the
//! letter, and scripted faults. Never reads a clock, never does IO, never uses chance of its own: the same requests at the
//! same instants give the same bytes.
//!
//! Invariants: a request that meets a full limit changes nothing and is counted; a record is checked whole before any of it
//! is applied; what is rolled back leaves nothing; an applied write stands in the audit exactly once, in order, whatever the
//! requester was told; a unique field holds a value once among what isn't deleted; time doesn't run backwards (an older
//! instant is taken as the newest seen).

mod access;
mod audit;
mod bulk;
mod checks;
mod collections;
mod comments;
mod composite;
mod config;
mod controls;
mod custom;
mod defaults;
mod duplicates;
mod faults;
mod ids;
mod limits;
mod oauth;
pub(crate) mod prepared;
mod query;
mod records;
mod replies;
mod route;
mod schema;
mod search;
pub(crate) mod seed;
mod sobjects;
mod soql;
mod standard;
mod values;
mod view;
mod writes;

use std::collections::VecDeque;
use std::ops::Range;

use serde_json::{Map, json};

pub use audit::{Counters, RequestAudit, Write, WriteKind};
pub use bulk::{FILE_MAX_BYTES, JOB_KEPT_MS, JobState};
pub use collections::{COLLECTION_MAX, COLLECTION_READ_MAX};
pub use composite::COMPOSITE_MAX;
pub use config::{DuplicateRule, SalesforceConfig, Session, SetupError, Stage, User};
pub use custom::{CustomField, FieldOwner};
pub use faults::{Fault, FaultKind};
pub use ids::RecordId;
pub use limits::{DAY_MS, DayState, LONG_AFTER_MS, Policy};
pub use oauth::{ConnectedApp, GRANTS_MAX};
pub use query::PAGE_MAX;
pub use records::{ObjectKind, Record};
pub use schema::Type;
pub use seed::SeededContact;
pub use standard::DESCRIPTION_MAX;

use crate::fakes::{Reply, Request, SEEDED_AT_MS, ServiceTime};
use access::Access;
use audit::Audit;
use faults::{FaultScript, RowFault};
use limits::Limits;
use query::Locator;
use records::{Savepoint, Store};
use replies::{Answer, Failure};
use route::{Call, Payload};
use schema::Schema;
use search::SearchIndex;
use writes::Hand;

/// The longest path and query, bytes.
pub const TARGET_MAX_BYTES: usize = 16_384;

/// One fake org.
#[derive(Debug)]
pub struct Salesforce {
    config: SalesforceConfig,
    /// Ids of the configured users, in their order.
    users: Vec<RecordId>,
    access: Access,
    apps: Vec<ConnectedApp>,
    granted: u64,
    tokens_made: u64,
    limits: Limits,
    schema: Schema,
    store: Store,
    index: SearchIndex,
    locators: Vec<Locator>,
    locators_made: u64,
    jobs: Vec<bulk::Job>,
    jobs_made: u64,
    job_failures: VecDeque<usize>,
    faults: FaultScript,
    /// Which records of the request at hand a fault hits, and how many have been seen.
    row_fault: Option<(RowFault, Range<usize>)>,
    rows_seen: usize,
    audit: Audit,
    numbers_used: u32,
    now_ms: i64,
    service: ServiceTime,
}

impl Salesforce {
    /// An org as configured, without records but its users and stages.
    pub fn new(config: SalesforceConfig) -> Result<Self, SetupError> {
        let mut org = Self {
            users: Vec::new(),
            access: Access::default(),
            apps: config.apps.clone(),
            granted: 0,
            tokens_made: 0,
            limits: Limits::new(&config)?,
            schema: Schema::new(&config.custom_fields, config.task_subtype_is_fixed)?,
            store: Store::default(),
            index: SearchIndex::new(config.search_lag_ms),
            locators: Vec::new(),
            locators_made: 0,
            jobs: Vec::new(),
            jobs_made: 0,
            job_failures: VecDeque::new(),
            faults: FaultScript::default(),
            row_fault: None,
            rows_seen: 0,
            audit: Audit::default(),
            numbers_used: 0,
            now_ms: i64::MIN,
            service: ServiceTime::new(config.service_ms, config.service_jitter_ms, config.seed),
            config,
        };
        org.furnish();
        for session in org.config.sessions.clone() {
            org.add_session(&session)?;
        }
        let users = org.users.len();
        match org.apps.iter().find(|app| app.user >= users) {
            Some(app) => Err(SetupError::UnknownUser(app.user, users)),
            None => Ok(org),
        }
    }

    /// Makes the records that no audit shows: users and stages.
    fn furnish(&mut self) {
        let users = self.config.users.clone();
        let users = users.iter().map(|user| {
            json!({"Name": user.name, "Email": user.email, "Username": user.email,
                "IsActive": user.active, "UserType": "Standard"})
        });
        let stages = self.config.stages.clone();
        let stages = (1..).zip(&stages).map(|(place, stage)| {
            json!({"ApiName": stage.name, "MasterLabel": stage.name, "IsActive": stage.active, "IsWon": stage.won,
                "IsClosed": stage.closed, "DefaultProbability": stage.probability, "SortOrder": place})
        });
        let users = users.map(|user| (ObjectKind::User, user));
        for (object, fields) in
            users.chain(stages.map(|stage| (ObjectKind::OpportunityStage, stage)))
        {
            let id = self.store.next_id(object);
            if object == ObjectKind::User {
                self.users.push(id.clone());
            }
            let record = Record {
                object,
                id,
                fields: fields.as_object().cloned().unwrap_or_else(Map::new),
                created_ms: SEEDED_AT_MS,
                updated_ms: SEEDED_AT_MS,
                created_by: self.users.first().cloned().unwrap_or_default(),
                deleted: false,
                merged_into: None,
                writes: Vec::new(),
            };
            self.store.put(&self.schema, record);
        }
        self.store.commit();
    }

    /// Answers a request that arrives at `now_ms` (epoch milliseconds). The front waits [`Self::service_time_ms`] plus the
    /// reply's own delay before it delivers, or drops the connection when the reply says so.
    pub fn handle(&mut self, now_ms: i64, request: &Request) -> Reply {
        self.advance(now_ms);
        let mut audit = RequestAudit {
            request_no: self.audit.requests.len() as u64 + 1,
            at_ms: self.now_ms,
            user: None,
            method: request.method,
            path: request.path.clone(),
            parts: Vec::new(),
            calls: 0,
            throttled: None,
            executed: false,
            faulted: false,
            status: 0,
        };
        let reply = self.answered(request, &mut audit);
        audit.status = reply.status;
        let counters = &mut self.audit.counters;
        counters.requests += 1;
        *counters.statuses.entry(reply.status).or_insert(0) += 1;
        self.audit.requests.push(audit);
        reply
    }

    fn answered(&mut self, request: &Request, audit: &mut RequestAudit) -> Reply {
        let now_ms = audit.at_ms;
        if oauth::is_meant(request) {
            let reply = self.token(now_ms, request);
            audit.executed = reply.status == 200;
            return reply;
        }
        if route::asks_versions(request) {
            audit.executed = true;
            return Self::version_list().reply();
        }
        let Some(user) = self.access.user(now_ms, request) else {
            self.audit.counters.unauthorized += 1;
            return Answer::of(Err(faults::session_invalid())).reply();
        };
        audit.user = self.users.get(user).cloned();
        let segments = request.segments();
        let path = route::data_path(&segments);
        if let Some((_, path)) = &path {
            audit.parts = composite::methods(path, &request.body);
        }
        let calls = path
            .as_ref()
            .map_or(1, |(_, path)| composite::calls(path, &request.body));
        if let Err(policy) = self.limits.admit(now_ms, calls, &mut self.audit.counters) {
            audit.throttled = Some(policy);
            return self.refused(now_ms, policy);
        }
        audit.calls = calls;
        let fault = self.faults.strike(now_ms, request);
        audit.faulted = fault.is_some();
        let mut reply = match &fault {
            Some(FaultKind::Throttled(policy)) => {
                self.limits.give_back(calls, &mut self.audit.counters);
                audit.calls = 0;
                audit.throttled = Some(*policy);
                self.refused(now_ms, *policy)
            }
            Some(kind) if !kind.executes() => faults::broken(kind),
            _ => {
                self.rows_seen = 0;
                self.row_fault = fault.as_ref().and_then(FaultKind::rows);
                let begun = self.savepoint();
                let result = self.called(request, path, user, audit);
                audit.executed = result.is_ok();
                if result.is_err() {
                    self.roll_back(now_ms, begun);
                }
                self.row_fault = None;
                self.store.commit();
                let mut reply = Answer::of(result).reply();
                self.add_usage(now_ms, &mut reply);
                reply
            }
        };
        if let Some(kind) = fault {
            if let FaultKind::ExecuteSlowly(delay_ms) = kind {
                self.limits.lasts(now_ms, delay_ms);
            }
            faults::spoil(&kind, &mut reply);
        }
        reply
    }

    fn called(
        &mut self,
        request: &Request,
        path: Option<(u32, Vec<&str>)>,
        user: usize,
        audit: &RequestAudit,
    ) -> Result<Answer, Failure> {
        if route::target_bytes(request) > TARGET_MAX_BYTES {
            return Err(Failure::request(414, "URI_TOO_LONG", "The URI is too long"));
        }
        let (version, path) = path.ok_or_else(Failure::not_found)?;
        let call = Call {
            method: request.method,
            path: &path,
            query: &request.query,
            headers: &request.headers,
            payload: Payload::Bytes(&request.body, request.header("content-type")),
        };
        let hand = Hand {
            now_ms: audit.at_ms,
            request_no: audit.request_no,
            user: self.users.get(user).cloned().unwrap_or_default(),
            admin: self.config.users.get(user).is_some_and(|it| it.admin),
            version,
            allow_duplicates: composite::saves_duplicates(&call),
        };
        self.perform(&hand, &call)
    }

    fn refused(&mut self, now_ms: i64, policy: Policy) -> Reply {
        let mut reply = Answer::of(Err(replies::throttled(policy))).reply();
        self.add_usage(now_ms, &mut reply);
        reply
    }

    /// `Sforce-Limit-Info`: what the day holds, of how much.
    fn add_usage(&mut self, now_ms: i64, reply: &mut Reply) {
        let day = self.limits.day(now_ms);
        let bursts = if self.config.burst_header {
            "; api-bursts=1/750"
        } else {
            ""
        };
        let usage = format!("api-usage={}/{}{bursts}", day.used, day.limit);
        reply.push_header("Sforce-Limit-Info", usage);
    }

    fn savepoint(&self) -> (Savepoint, usize) {
        (self.store.savepoint(), self.audit.writes.len())
    }

    /// Takes back every write since a savepoint, as if it had never been.
    fn roll_back(&mut self, now_ms: i64, (store, writes): (Savepoint, usize)) {
        self.audit.writes.truncate(writes);
        for id in self.store.roll_back(&self.schema, store) {
            match self.store.any(&id) {
                Some(record) => self.index.note(now_ms, record),
                None => self.index.forget(now_ms, &id),
            }
        }
    }
}
