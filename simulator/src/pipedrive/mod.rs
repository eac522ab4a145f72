//! A fake Pipedrive: a pure model of one company, driven by requests and an instant.
//!
//! Decides what a Pipedrive company would answer and hold: persons and what hangs on them, a search that lags, the limits
//! to the letter with the price of every endpoint, the lock-out of who ignores refusals, and scripted faults. Never reads a
//! clock, never does IO, never uses chance of its own: the same requests at the same instants give the same bytes.
//!
//! Invariants: a request that meets a full window changes nothing and is counted; an applied write stands in the audit
//! exactly once, in order, whatever the requester was told; nothing is unique, so what is sent twice is there twice; time
//! doesn't run backwards (an older instant is taken as the newest seen).

mod audit;
mod config;
mod controls;
mod faults;
mod limits;
mod note;
mod oauth;
pub(crate) mod prepared;
mod reading;
mod reads;
mod records;
mod replies;
mod route;
mod schema;
mod search;
pub(crate) mod seed;
mod view;
mod writes;

use std::collections::BTreeMap;

use serde_json::{Value, json};

pub use audit::{Counters, RequestAudit, Write, WriteKind};
pub use config::{
    CustomField, FieldOwner, PhoneSearch, PipedriveConfig, Pipeline, SetupError, Token, User,
};
pub use faults::{Fault, FaultKind};
pub use limits::{Policy, Pool};
pub use oauth::OauthClient;
pub use records::{Kind, Record, RecordId};
pub use schema::{LINE_MAX, NOTE_MAX};
pub use seed::SeededContact;

use crate::fakes::{Method, Reply, Request, ServiceTime};
use audit::Audit;
use faults::FaultScript;
use limits::Limits;
use records::Store;
use replies::{Refusal, push_header, success};
use route::Route;
use schema::Schema;
use search::SearchIndex;
use writes::Hand;

/// One fake company.
#[derive(Debug)]
pub struct Pipedrive {
    company_id: u64,
    domain: String,
    api_domain: Option<String>,
    currency: String,
    users: Vec<User>,
    /// Credentials, and from when on each is refused.
    tokens: BTreeMap<String, (Token, i64)>,
    clients: Vec<OauthClient>,
    refreshes: u64,
    pipelines: Vec<Pipeline>,
    created_status: u16,
    limits: Limits,
    schema: Schema,
    store: Store,
    index: SearchIndex,
    faults: FaultScript,
    audit: Audit,
    numbers_used: u32,
    now_ms: i64,
    service: ServiceTime,
}

impl Pipedrive {
    /// A company as configured, without records.
    pub fn new(config: PipedriveConfig) -> Result<Self, SetupError> {
        let mut company = Self {
            limits: Limits::new(&config)?,
            schema: Schema::new(&config.custom_fields),
            index: SearchIndex::new(config.search_lag_ms, config.phone_search),
            company_id: config.company_id,
            domain: config.domain,
            api_domain: config.api_domain,
            currency: config.currency,
            users: config.users,
            tokens: BTreeMap::new(),
            clients: config.oauth_clients,
            refreshes: 0,
            pipelines: config.pipelines,
            created_status: config.created_status,
            store: Store::default(),
            faults: FaultScript::default(),
            audit: Audit::default(),
            numbers_used: 0,
            now_ms: i64::MIN,
            service: ServiceTime::new(config.service_ms, config.service_jitter_ms, config.seed),
        };
        for token in config.tokens {
            company.add_token(token)?;
        }
        Ok(company)
    }

    /// Answers a request that arrives at `now_ms` (epoch milliseconds). The front waits [`Self::service_time_ms`] plus the
    /// reply's own delay before it delivers, or drops the connection when the reply says so.
    pub fn handle(&mut self, now_ms: i64, request: &Request) -> Reply {
        self.now_ms = self.now_ms.max(now_ms);
        let now_ms = self.now_ms;
        let request_no = self.audit.requests.len() as u64 + 1;
        let route = Route::of(request);
        let mut audit = RequestAudit {
            request_no,
            at_ms: now_ms,
            user_id: None,
            method: request.method,
            path: request.path.clone(),
            pool: route.map_or(Pool::Burst, Route::pool),
            tokens: 0,
            throttled: None,
            executed: false,
            faulted: false,
            status: 0,
        };
        let mut reply = self.answered(request, route, &mut audit);
        push_header(&mut reply, "Date", records::http_date(now_ms));
        push_header(
            &mut reply,
            "x-correlation-id",
            format!(
                "0c0ffee0-0000-4000-8000-{:012x}",
                request_no & 0xffff_ffff_ffff
            ),
        );
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
        route: Option<Route>,
        audit: &mut RequestAudit,
    ) -> Reply {
        let now_ms = audit.at_ms;
        if oauth::is_meant(request) {
            audit.pool = Pool::Free;
            let reply = self.refreshed(now_ms, request);
            audit.executed = reply.status == 200;
            return reply;
        }
        let Some(token) = self.authenticated(now_ms, request) else {
            self.audit.counters.unauthorized += 1;
            return replies::unauthorized();
        };
        audit.user_id = Some(token.user_id);
        let pool = audit.pool;
        // An unknown path is looked at, too; what that costs isn't published. Chosen: what the cheapest endpoint costs.
        let cost = route.map_or(1, Route::tokens);
        let counters = &mut self.audit.counters;
        if let Err(policy) = self.limits.admit(now_ms, &token, pool, cost, counters) {
            audit.throttled = Some(policy);
            let mut reply = replies::throttled(policy);
            self.add_limit_headers(now_ms, &token, pool, Some(policy), &mut reply);
            return reply;
        }
        audit.tokens = cost;
        let fault = self.faults.strike(now_ms, request);
        audit.faulted = fault.is_some();
        let mut reply = match &fault {
            Some(FaultKind::Throttled(policy)) => {
                let counters = &mut self.audit.counters;
                self.limits.give_back(&token, pool, cost, counters);
                audit.tokens = 0;
                let mut reply = replies::throttled(*policy);
                self.add_limit_headers(now_ms, &token, pool, Some(*policy), &mut reply);
                reply
            }
            Some(FaultKind::StatusWithoutExecuting(status)) => replies::failed(*status),
            Some(kind) if !kind.executes() => replies::failed(500),
            _ => {
                let hand = Hand {
                    now_ms,
                    request_no: audit.request_no,
                    token: &token,
                };
                let answer = self.executed(hand, request, route);
                audit.executed = answer.is_ok();
                let mut reply = answer.unwrap_or_else(|refusal| refusal.reply());
                self.add_limit_headers(now_ms, &token, pool, None, &mut reply);
                reply
            }
        };
        if let Some(kind) = fault {
            faults::spoil(&kind, &mut reply);
        }
        reply
    }

    /// Whose credential a request carries: a header of its own for API tokens, a bearer for OAuth.
    fn authenticated(&self, now_ms: i64, request: &Request) -> Option<Token> {
        let api = request
            .header("x-api-token")
            .or_else(|| reads::parameter(request, "api_token"));
        let (value, oauth) = match (api, request.bearer()) {
            (Some(value), _) => (value, false),
            (None, Some(value)) => (value, true),
            (None, None) => return None,
        };
        let (token, until_ms) = self.tokens.get(value)?;
        let good = now_ms < *until_ms;
        (good && token.oauth == oauth).then(|| token.clone())
    }

    fn executed(
        &mut self,
        hand: Hand<'_>,
        request: &Request,
        route: Option<Route>,
    ) -> Result<Reply, Refusal> {
        let retired = || Refusal::new(410, "This endpoint has been removed");
        let route = route.ok_or_else(|| Refusal::new(404, "Unknown method"))?;
        if route == Route::Retired {
            return Err(retired());
        }
        let body = match request.method {
            Method::Post | Method::Patch | Method::Put => serde_json::from_slice(&request.body)
                .map_err(|_| Refusal::new(400, "Bad request: the body is not JSON"))?,
            _ => Value::Null,
        };
        match route {
            Route::List(kind) => self.list(hand.token, kind, request),
            Route::Create(kind) => self.create(hand, kind, &body),
            Route::Read(kind, id) => self.read(kind, id),
            Route::Update(kind, id) => self.update(hand, kind, id, &body),
            Route::Delete(kind, id) => self.delete(hand, kind, id),
            Route::SearchPersons => self.index.search(hand.now_ms, request),
            Route::Fields(on) => Ok(self.field_list(on)),
            Route::CreateField(on) => self.create_field(hand.token, on, &body),
            Route::Pipelines => Ok(self.pipeline_list()),
            Route::Stages => self.stage_list(request),
            Route::Users => Ok(self.user_list(None)),
            Route::Me => Ok(self.user_list(Some(hand.token.user_id))),
            Route::ActivityTypes => Ok(success(
                200,
                &json!([
                    {"id": 1, "name": "Call", "key_string": "call", "active_flag": true},
                    {"id": 2, "name": "Task", "key_string": "task", "active_flag": true},
                ]),
                None,
            )),
            Route::Retired => Err(retired()),
        }
    }

    fn create_field(
        &mut self,
        token: &Token,
        on: FieldOwner,
        body: &Value,
    ) -> Result<Reply, Refusal> {
        let admin = self
            .users
            .iter()
            .any(|user| user.id == token.user_id && user.admin);
        if !admin {
            return Err(Refusal::new(403, "Admin access is required"));
        }
        let field = self.schema.create(on, body)?;
        let shown = json!({"field_name": field.name, "field_code": field.code, "field_type": field.kind,
            "options": null, "is_custom_field": true, "is_optional_response_field": false});
        Ok(success(self.created_status, &shown, None))
    }

    fn add_limit_headers(
        &mut self,
        now_ms: i64,
        token: &Token,
        pool: Pool,
        throttled: Option<Policy>,
        reply: &mut Reply,
    ) {
        for (name, value) in self.limits.headers(now_ms, token, pool, throttled) {
            push_header(reply, name, value);
        }
    }
}
