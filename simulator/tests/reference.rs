//! Owners, pipelines and stages of every fake, read the way the product reads them, and used to write.

use callflume_core::effect::{Field, Fields, Object, Value};
use callflume_core::reference::{Page, PageOutcome, ReferenceRecord};
use callflume_core::vendor::{AccountSignal, Answer, HttpRequest, Vendor};
use callflume_crm::Settings;
use callflume_sim::close::{ApiKey, Close, CloseConfig};
use callflume_sim::fakes::{Method, Request};
use callflume_sim::hubspot::{HubSpot, HubSpotConfig, Owner};
use callflume_sim::pipedrive::{Pipedrive, PipedriveConfig};
use callflume_sim::salesforce::{Salesforce, SalesforceConfig, User};
use callflume_sim::virtual_time::Crm;

/// 15 June 2026, 12:00 UTC.
const START_MS: i64 = 1_781_524_800_000;
const EAST: &str = "sales.east@example.com";
const WEST: &str = "sales.west@example.com";

fn vendor(name: &str) -> std::sync::Arc<dyn Vendor> {
    callflume_crm::vendor(name, &Settings::default()).unwrap()
}

/// Where requests arrive.
trait Door {
    fn knock(&mut self, now_ms: i64, request: &HttpRequest) -> Answer;
}

impl<T: Crm> Door for T {
    fn knock(&mut self, now_ms: i64, request: &HttpRequest) -> Answer {
        self.arrive(now_ms, request).answer
    }
}

/// An org, asked with a token of its first user.
struct Org(Salesforce);

impl Door for Org {
    fn knock(&mut self, now_ms: i64, request: &HttpRequest) -> Answer {
        let request = Request::new(Method::Get, &request.path).with_bearer("sim-token");
        let reply = self.0.handle(now_ms, &request);
        Answer::Response {
            status: reply.status,
            headers: reply.headers,
            body: reply.body,
        }
    }
}

/// Reads to the end; gives what was read, and the requests it took.
fn read(name: &str, crm: &mut dyn Door) -> (ReferenceRecord, Vec<String>) {
    let vendor = vendor(name);
    let references = vendor.references().unwrap();
    let mut record = ReferenceRecord::default();
    let mut next = Some(references.first());
    let mut asked = Vec::new();
    let mut now_ms = START_MS;
    while let Some(page) = next.take() {
        let request: HttpRequest = references.request(&page);
        asked.push(request.path.split('?').next().unwrap().to_owned());
        assert!(asked.len() < 50, "{name} never ends: {asked:?}");
        let answer = crm.knock(now_ms, &request);
        now_ms += 1_000;
        let reading = references.interpret(&page, &answer);
        assert_eq!(
            reading.account,
            AccountSignal::Fine,
            "{name} {}",
            request.path
        );
        match reading.outcome {
            PageOutcome::Read { piece, next: then } => {
                record.add(piece);
                next = then;
            }
            other => panic!("{name} {}: {other:?}", request.path),
        }
    }
    (record, asked)
}

fn organisation() -> CloseConfig {
    CloseConfig {
        keys: vec![ApiKey::key("sim-token")],
        ..CloseConfig::default()
    }
}

fn resolved(name: &str, record: &ReferenceRecord, fields: &[(Field, &str)]) -> Vec<String> {
    let mut fields: Fields = fields
        .iter()
        .map(|(field, text)| (field.clone(), Value::Text((*text).to_owned())))
        .collect();
    let vendor = vendor(name);
    let whole = record.resolve(Object::Deal, &mut fields, vendor.references().unwrap());
    assert!(whole.is_whole(), "{name}: {whole:?}");
    fields
        .into_values()
        .map(|value| match value {
            Value::Text(text) => text,
            other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn what_each_crm_tells_is_what_it_takes() {
    use Field::{Owner, Pipeline, Stage};
    for (name, mut crm, requests, said, ids) in [
        (
            "hubspot",
            Box::new(HubSpot::new(HubSpotConfig::default()).unwrap()) as Box<dyn Crm>,
            3,
            ["Sales Pipeline", "Contract Sent"],
            ["default", "contractsent", "7701"],
        ),
        (
            "close",
            Box::new(Close::new(organisation()).unwrap()),
            2,
            ["SALES", "offer sent"],
            ["pipe_1", "stat_21", "user_72"],
        ),
        (
            "pipedrive",
            Box::new(Pipedrive::new(PipedriveConfig::default()).unwrap()),
            3,
            ["Pipeline", "Contact made"],
            ["1", "2", "32"],
        ),
    ] {
        let (record, asked) = read(name, &mut crm);
        assert_eq!(asked.len(), requests, "{name}: {asked:?}");
        let fields = [(Owner, WEST), (Pipeline, said[0]), (Stage, said[1])];
        assert_eq!(resolved(name, &record, &fields), ids, "{name}");
        assert!(record.owners.iter().any(|owner| owner.email == EAST));
    }
}

#[test]
fn salesforce_has_stages_without_pipelines_and_inactive_users_are_left_out() {
    let mut config = SalesforceConfig::default();
    config.users.push(User {
        active: false,
        ..User::new("Left", "left@example.com", false)
    });
    let mut crm = Org(Salesforce::new(config).unwrap());
    let (record, asked) = read("salesforce", &mut crm);
    assert_eq!(asked.len(), 2, "{asked:?}");
    let emails: Vec<&str> = record.owners.iter().map(|it| it.email.as_str()).collect();
    assert_eq!(emails, [EAST, WEST]);
    let fields = [(Field::Owner, WEST), (Field::Stage, "closed won")];
    let ids = resolved("salesforce", &record, &fields);
    assert_eq!(ids[0], "Closed Won");
    assert_eq!(ids[1], record.owners[1].id);
    assert_eq!(ids[1].len(), 18);
}

#[test]
fn long_listings_are_read_page_by_page() {
    let owners = 250;
    let config = HubSpotConfig {
        owners: (0..owners)
            .map(|n| Owner::new(&n.to_string(), &format!("owner-{n}@example.com"), "A", "B"))
            .collect(),
        ..HubSpotConfig::default()
    };
    let mut crm = HubSpot::new(config).unwrap();
    let (record, asked) = read("hubspot", &mut crm);
    assert_eq!((record.owners.len(), asked.len()), (owners, 5));

    let users: Vec<String> = (0..owners).map(|n| format!("user_{n}")).collect();
    let config = CloseConfig {
        users,
        ..organisation()
    };
    let mut crm = Close::new(config).unwrap();
    let (record, asked) = read("close", &mut crm);
    assert_eq!((record.owners.len(), asked.len()), (owners, 4));

    let mut config = SalesforceConfig::default();
    let others = (0..2_500).map(|n| User::new("A", &format!("user-{n}@example.com"), false));
    config.users.extend(others);
    let mut crm = Org(Salesforce::new(config).unwrap());
    let (record, asked) = read("salesforce", &mut crm);
    assert_eq!((record.owners.len(), asked.len()), (2_502, 3));
}

#[test]
fn a_token_without_the_owners_scope_gets_the_rest() {
    let mut config = HubSpotConfig::default();
    for app in &mut config.apps {
        app.scopes.remove("crm.objects.owners.read");
    }
    let mut crm = HubSpot::new(config).unwrap();
    let vendor = vendor("hubspot");
    let references = vendor.references().unwrap();
    let first = references.first();
    let answer = crm.knock(START_MS, &references.request(&first));
    let reading = references.interpret(&first, &answer);
    assert_eq!(reading.account, AccountSignal::Fine);
    let PageOutcome::Refused { next: Some(next) } = reading.outcome else {
        panic!("{:?}", reading.outcome);
    };
    assert_eq!(next, Page::first("pipelines"));
}
