//! The four fakes with what a test must know of each: where contacts are made and listed, and how to break it.

use std::sync::{Arc, Mutex};

use callflume_sim::close::{self, Close, CloseConfig};
use callflume_sim::fakes::HttpModel;
use callflume_sim::hubspot::{self, HubSpot, HubSpotConfig};
use callflume_sim::pipedrive::{self, Pipedrive, PipedriveConfig};
use callflume_sim::salesforce::{self, Salesforce, SalesforceConfig};

/// 15 June 2026, 12:00 UTC.
pub(crate) const NOON_MS: i64 = 1_781_524_800_000;

/// What goes wrong with the next request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Not carried out: a gateway's page.
    Page502,
    /// Not carried out.
    Status(u16),
    /// Carried out, half an answer.
    Truncate,
    /// Carried out, no answer.
    Drop,
    /// Carried out, an answer so many milliseconds later.
    Slow(u64),
}

/// A fake that a test can break and look into.
pub(crate) trait Breakable: HttpModel {
    fn strike(&mut self, trouble: Trouble);
    fn instants(&self) -> Vec<i64>;
}

macro_rules! breakable {
    ($fake:ty, $vendor:ident) => {
        impl Breakable for $fake {
            fn strike(&mut self, trouble: Trouble) {
                use $vendor::FaultKind as Kind;
                let kind = match trouble {
                    Trouble::Page502 => Kind::StatusWithoutExecuting(502),
                    Trouble::Status(status) => Kind::StatusWithoutExecuting(status),
                    Trouble::Truncate => Kind::ExecuteThenTruncate,
                    Trouble::Drop => Kind::ExecuteThenDrop,
                    Trouble::Slow(delay_ms) => Kind::ExecuteSlowly(delay_ms),
                };
                self.add_fault($vendor::Fault {
                    kind,
                    method: None,
                    path_contains: String::new(),
                    from_ms: None,
                    until_ms: None,
                    skip: 0,
                    times: 1,
                });
            }

            fn instants(&self) -> Vec<i64> {
                self.requests().iter().map(|it| it.at_ms).collect()
            }
        }
    };
}

breakable!(HubSpot, hubspot);
breakable!(Salesforce, salesforce);
breakable!(Close, close);
breakable!(Pipedrive, pipedrive);

/// A fake with three contacts, answering at once, and how to talk to it.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) model: Arc<Mutex<Box<dyn Breakable>>>,
    pub(crate) header: (&'static str, String),
    /// Where a contact is made, from what, and the status of it.
    pub(crate) create: &'static str,
    pub(crate) body: &'static str,
    pub(crate) created: u16,
    /// The CRM's name of what was made.
    pub(crate) kind: &'static str,
    /// A query for one contact, and where it stands in the answer.
    pub(crate) list: &'static str,
    pub(crate) found: &'static str,
    /// A header with the state of a limit.
    pub(crate) limit_header: &'static str,
}

impl Case {
    pub(crate) fn strike(&self, trouble: Trouble) {
        self.model.lock().unwrap().strike(trouble);
    }
}

pub(crate) fn cases() -> [Case; 4] {
    let bearer = ("authorization", "Bearer sim-token".to_owned());
    [
        Case {
            name: "hubspot",
            model: shared(hubspot()),
            header: bearer.clone(),
            create: "/crm/v3/objects/contacts",
            body: r#"{"properties":{"firstname":"Ada"}}"#,
            created: 201,
            kind: "contacts",
            list: "/crm/v3/objects/contacts?limit=1&properties=firstname%2Clastname",
            found: "/results",
            limit_header: "x-hubspot-ratelimit-remaining",
        },
        Case {
            name: "salesforce",
            model: shared(salesforce()),
            header: bearer,
            create: "/services/data/v66.0/sobjects/Contact",
            body: r#"{"LastName":"Lind"}"#,
            created: 201,
            kind: "Contact",
            list: "/services/data/v66.0/query?q=SELECT+Id,Name%20FROM+Contact+LIMIT+1",
            found: "/records",
            limit_header: "sforce-limit-info",
        },
        Case {
            name: "close",
            model: shared(close()),
            // `sim-key:` in Base64.
            header: ("authorization", "Basic c2ltLWtleTo=".to_owned()),
            create: "/api/v1/lead/",
            body: r#"{"name":"Lind & Co","contacts":[{"name":"Ada Lind"}]}"#,
            created: 200,
            kind: "lead",
            list: "/api/v1/contact/?_limit=1&_fields=id%2Cname",
            found: "/data",
            limit_header: "ratelimit",
        },
        Case {
            name: "pipedrive",
            model: shared(pipedrive()),
            header: ("x-api-token", "sim-token".to_owned()),
            create: "/api/v2/persons",
            body: r#"{"name":"Ada Lind"}"#,
            created: 200,
            kind: "person",
            list: "/api/v2/persons?limit=1",
            found: "/data",
            limit_header: "x-ratelimit-remaining",
        },
    ]
}

fn shared(fake: impl Breakable) -> Arc<Mutex<Box<dyn Breakable>>> {
    Arc::new(Mutex::new(Box::new(fake)))
}

fn hubspot() -> HubSpot {
    let mut crm = HubSpot::new(HubSpotConfig {
        service_ms: 0,
        service_jitter_ms: 0,
        ..HubSpotConfig::default()
    })
    .unwrap();
    crm.seed_contacts(3, 1).unwrap();
    crm
}

fn salesforce() -> Salesforce {
    let mut crm = Salesforce::new(SalesforceConfig {
        service_ms: 0,
        service_jitter_ms: 0,
        ..SalesforceConfig::default()
    })
    .unwrap();
    crm.seed_contacts(3, 1).unwrap();
    crm
}

fn close() -> Close {
    let mut crm = Close::new(CloseConfig {
        service_ms: 0,
        service_jitter_ms: 0,
        ..CloseConfig::default()
    })
    .unwrap();
    crm.seed_contacts(3, 1).unwrap();
    crm
}

fn pipedrive() -> Pipedrive {
    let mut crm = Pipedrive::new(PipedriveConfig {
        service_ms: 0,
        service_jitter_ms: 0,
        // No test here is about the lock-out of who ignores refusals.
        lock_out_after: u32::MAX,
        ..PipedriveConfig::default()
    })
    .unwrap();
    crm.seed_contacts(3, 1).unwrap();
    crm
}
