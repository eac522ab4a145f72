//! A fake HubSpot: a pure model of one account, driven by requests and an instant.
//!
//! Decides what a HubSpot account would answer and hold: objects, unique values, batches with partial failure, a search
//! index that lags, the limits to the letter, and scripted faults. Never reads a clock, never does IO, never uses chance of
//! its own: the same requests at the same instants give the same bytes.
//!
//! Invariants: a request that meets a full window changes nothing and is counted; an applied write stands in the audit
//! exactly once, in order, whatever the requester was told; time doesn't run backwards (an older instant is taken as the
//! newest seen).

mod account;
mod associations;
mod audit;
mod batch;
mod config;
mod controls;
mod dispositions;
mod faults;
mod filters;
mod groups;
mod limits;
mod oauth;
pub mod prepared;
mod properties;
mod reads;
mod records;
mod replies;
mod route;
mod search;
pub(crate) mod seed;
mod standard;
mod view;
mod writes;

use std::collections::BTreeMap;

use jiff::{Timestamp, tz::TimeZone};
use serde_json::Value;

pub use associations::default_type as default_association_type;
pub use audit::{Counters, PropertyWrite, RequestAudit, Write, WriteKind};
pub use batch::MAX_BATCH_INPUTS;
pub use config::{
    ALL_SCOPES, App, CustomProperty, HubSpotConfig, Owner, Pipeline, SetupError, Stage,
    UniqueConflict,
};
pub use faults::{Fault, FaultKind};
pub use limits::{Policy, Pool};
pub use oauth::OauthClient;
pub use properties::{MAX_TEXT_CHARS, MAX_UNIQUE_PROPERTIES};
pub use records::{Association, ObjectKind, Record, RecordId};
pub use seed::SeededContact;

use crate::fakes::{Method, Reply, Request, ServiceTime};
use account::Account;
use audit::Audit;
use batch::BatchWrite;
use faults::FaultScript;
use limits::Limits;
use properties::Schema;
use records::Store;
use replies::Refusal;
use route::Route;
use search::SearchIndex;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TokenState {
    Valid,
    Revoked,
    ExpiresAt(i64),
}

/// One fake account.
#[derive(Debug)]
pub struct HubSpot {
    account: Account,
    apps: BTreeMap<String, (App, TokenState)>,
    clients: Vec<OauthClient>,
    refreshes: u64,
    limits: Limits,
    schema: Schema,
    store: Store,
    index: SearchIndex,
    faults: FaultScript,
    audit: Audit,
    unique_conflict: UniqueConflict,
    batch_results_in_order: bool,
    numbers_used: u32,
    zone: TimeZone,
    now_ms: i64,
    service: ServiceTime,
}

impl HubSpot {
    /// An account as configured, without records.
    pub fn new(config: HubSpotConfig) -> Result<Self, SetupError> {
        let mut limits = Limits::new(&config)?;
        let mut apps = BTreeMap::new();
        for app in config.apps {
            limits.add_app(&app)?;
            let id = app.app_id;
            if apps
                .insert(app.token.clone(), (app, TokenState::Valid))
                .is_some()
            {
                return Err(SetupError::SharedToken(id));
            }
        }
        for client in &config.oauth_clients {
            limits.add_app(&client.app)?;
        }
        let zone = TimeZone::get(&config.time_zone)
            .map_err(|_| SetupError::UnknownTimeZone(config.time_zone.clone()))?;
        Ok(Self {
            account: Account {
                portal_id: config.portal_id,
                time_zone: config.time_zone,
                owners: config.owners,
                pipelines: config.deal_pipelines,
            },
            apps,
            clients: config.oauth_clients,
            refreshes: 0,
            limits,
            schema: Schema::new(&config.properties)?,
            store: Store::new(),
            index: SearchIndex::new(config.search_lag_ms),
            faults: FaultScript::default(),
            audit: Audit::default(),
            unique_conflict: config.unique_conflict,
            batch_results_in_order: config.batch_results_in_order,
            numbers_used: 0,
            zone,
            now_ms: i64::MIN,
            service: ServiceTime::new(config.service_ms, config.service_jitter_ms, config.seed),
        })
    }

    /// Answers a request that arrives at `now_ms` (epoch milliseconds). The front waits [`Self::service_time_ms`] plus the
    /// reply's own delay before it delivers, or drops the connection when the reply says so.
    pub fn handle(&mut self, now_ms: i64, request: &Request) -> Reply {
        self.now_ms = self.now_ms.max(now_ms);
        let now_ms = self.now_ms;
        let request_no = self.audit.requests.len() as u64 + 1;
        let correlation = replies::correlation_id(request_no);
        let route = Route::of(request);
        let pool = route.as_ref().map_or(Pool::Interval, Route::pool);
        let body: Option<Value> = serde_json::from_slice(&request.body).ok();
        let inputs = body
            .as_ref()
            .and_then(|body| body.get("inputs")?.as_array())
            .map_or(1, |inputs| inputs.len() as u32);
        let mut audit = RequestAudit {
            request_no,
            at_ms: now_ms,
            app_id: None,
            method: request.method,
            path: request.path.clone(),
            pool,
            inputs,
            throttled: None,
            executed: false,
            faulted: false,
            status: 0,
        };
        let mut reply = self.answered(request, route, body, &correlation, &mut audit);
        reply.push_header("X-HubSpot-Correlation-Id", &correlation);
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
        body: Option<Value>,
        correlation: &str,
        audit: &mut RequestAudit,
    ) -> Reply {
        let now_ms = audit.at_ms;
        if oauth::is_meant(request) {
            audit.pool = Pool::Free;
            let reply = self.refreshed(now_ms, request);
            audit.executed = reply.status == 200;
            return reply;
        }
        if audit.pool == Pool::Free {
            let answer = self.token_information(now_ms, route.as_ref(), body.as_ref());
            audit.executed = answer.is_ok();
            return answer.unwrap_or_else(|refusal| refusal.reply(correlation));
        }
        let app = match self.authenticated(now_ms, request.bearer()) {
            Ok(app) => app,
            Err(refusal) => {
                self.audit.counters.unauthorized += 1;
                return refusal.reply(correlation);
            }
        };
        audit.app_id = Some(app.app_id);
        let pool = audit.pool;
        if let Err(policy) = self
            .limits
            .admit(now_ms, &app, pool, &mut self.audit.counters)
        {
            audit.throttled = Some(policy);
            let mut reply = replies::throttled(policy, correlation);
            self.add_limit_headers(now_ms, &app, pool, Some(policy), &mut reply);
            return reply;
        }
        let fault = self.faults.strike(now_ms, request);
        audit.faulted = fault.is_some();
        let mut reply = match &fault {
            Some(kind) if !kind.executes() => self.broken(kind, &app, pool, correlation),
            _ => {
                let answer = self.executed(&app, request, route, body, audit);
                audit.executed = answer.is_ok();
                let mut reply = answer.unwrap_or_else(|refusal| refusal.reply(correlation));
                self.add_limit_headers(now_ms, &app, pool, None, &mut reply);
                reply
            }
        };
        if let Some(kind) = fault {
            faults::spoil(&kind, correlation, &mut reply);
        }
        reply
    }

    fn authenticated(&self, now_ms: i64, token: Option<&str>) -> Result<App, Refusal> {
        let (app, state) = token
            .and_then(|token| self.apps.get(token))
            .ok_or_else(replies::unauthenticated)?;
        match *state {
            TokenState::Revoked => Err(replies::unauthenticated()),
            TokenState::ExpiresAt(at_ms) if now_ms >= at_ms => {
                Err(replies::token_expired(at_ms, now_ms))
            }
            _ => Ok(app.clone()),
        }
    }

    fn executed(
        &mut self,
        app: &App,
        request: &Request,
        route: Option<Route>,
        body: Option<Value>,
        audit: &RequestAudit,
    ) -> Result<Reply, Refusal> {
        let (now_ms, no) = (audit.at_ms, audit.request_no);
        let route = route.ok_or_else(Refusal::not_found)?;
        for group in route.scopes() {
            if !group.iter().any(|scope| app.scopes.contains(scope)) {
                return Err(replies::missing_scopes(&group));
            }
        }
        let sends_body = matches!(request.method, Method::Post | Method::Patch);
        let body = match body {
            Some(body) => body,
            None if sends_body => {
                return Err(Refusal::invalid("Invalid JSON input: the body is not JSON"));
            }
            None => Value::Null,
        };
        let ok = |body: Value| Ok(Reply::json(200, &body));
        match route {
            Route::Create(object) => self.create(now_ms, no, object, &body),
            Route::List(object) => self.list(object, request),
            Route::Read(object, id) => self.read(object, &id, request),
            Route::Update(object, id) => self.update(now_ms, no, object, &id, request, &body),
            Route::Archive(object, id) => {
                // Archiving what is gone is answered like the first time.
                if let Ok(id) = id.parse() {
                    self.archive_record(now_ms, no, object, id);
                }
                Ok(Reply::empty(204))
            }
            Route::BatchCreate(object) => {
                self.batch_write(now_ms, no, object, BatchWrite::Create, &body)
            }
            Route::BatchUpdate(object) => {
                self.batch_write(now_ms, no, object, BatchWrite::Update, &body)
            }
            Route::BatchUpsert(object) => {
                self.batch_write(now_ms, no, object, BatchWrite::Upsert, &body)
            }
            Route::BatchRead(object) => self.batch_read(now_ms, object, &body),
            Route::BatchArchive(object) => self.batch_archive(now_ms, no, object, &body),
            Route::Search(object) => {
                self.index.advance(now_ms, &self.audit.writes);
                ok(self.index.search(object, &body, &self.schema)?)
            }
            Route::Associate {
                from,
                id,
                to,
                to_id,
            } => self.associate(now_ms, no, (from, &id), (to, &to_id)),
            Route::ListAssociations { from, id, to } => {
                let id = self.resolve(from, &id, None)?;
                let record = self.store.living(from, id).ok_or_else(Refusal::not_found)?;
                let limit = account::positive(request, "limit", 500)?.min(500);
                let after = account::positive(request, "after", 0)? as RecordId;
                ok(associations::page(record, to, after, limit))
            }
            Route::ReadAssociations { from, to } => {
                associations::batch_read(&self.store, now_ms, from, to, &body)
            }
            Route::Owners => ok(self.account.owners(request)?),
            Route::Owner(id) => ok(self.account.owner(&id)?),
            Route::Dispositions => ok(dispositions::all()),
            Route::DealPipelines => ok(self.account.pipelines()),
            Route::Properties(object) => ok(self.schema.list(object)),
            Route::Property(object, name) => ok(self.schema.body(object, &name)?),
            Route::CreateProperty(object) => {
                Ok(Reply::json(201, &self.schema.create(object, &body)?))
            }
            Route::PropertyGroups(object) => ok(self.schema.groups(object).list()),
            Route::CreatePropertyGroup(object) => Ok(Reply::json(
                201,
                &self.schema.groups_mut(object).create(&body)?,
            )),
            Route::AccountDetails => ok(self.account.details(self.utc_offset(now_ms))),
            Route::DailyUsage => ok(Account::daily_usage(now_ms, self.limits.day(now_ms))),
            Route::PrivateAppToken | Route::OauthToken(_) => Err(Refusal::not_found()),
        }
    }

    fn token_information(
        &self,
        now_ms: i64,
        route: Option<&Route>,
        body: Option<&Value>,
    ) -> Result<Reply, Refusal> {
        let token = match route {
            Some(Route::OauthToken(token)) => Some(token.as_str()),
            _ => body.and_then(|body| body.get("tokenKey")?.as_str()),
        };
        let app = self.authenticated(now_ms, token)?;
        let information = match route {
            Some(Route::OauthToken(token)) => {
                let expires_in_s = match self.apps.get(token) {
                    Some((_, TokenState::ExpiresAt(at_ms))) => (at_ms - now_ms) / 1_000,
                    _ => 1_800,
                };
                self.account.oauth_token(&app, expires_in_s)
            }
            _ => self.account.private_app_token(&app),
        };
        Ok(Reply::json(200, &information))
    }

    /// Ordinary replies carry both sets, searches none; a refusal for the day carries the daily pair only. A scripted
    /// refusal, too, means that nothing is left of what is said to be full.
    fn add_limit_headers(
        &mut self,
        now_ms: i64,
        app: &App,
        pool: Pool,
        throttled: Option<Policy>,
        reply: &mut Reply,
    ) {
        if pool != Pool::Interval {
            return;
        }
        let day_is_full = throttled == Some(Policy::Daily);
        let mut headers = self.limits.daily_headers(now_ms, app, day_is_full);
        if !day_is_full {
            let full = throttled == Some(Policy::TenSecondlyRolling);
            headers.extend(self.limits.interval_headers(now_ms, app, full));
        }
        for (name, value) in headers {
            reply.push_header(name, value);
        }
    }

    fn utc_offset(&self, now_ms: i64) -> String {
        Timestamp::from_millisecond(now_ms).map_or_else(
            |_| "+00:00".to_owned(),
            |now| now.to_zoned(self.zone.clone()).strftime("%:z").to_string(),
        )
    }
}
