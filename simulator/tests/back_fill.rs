//! A back-fill of twenty thousand people into Salesforce: by jobs, in a few dozen requests, each person once, whoever is
//! killed meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use callflume_core::account::AccountId;
use callflume_core::config::{AccountConfig, SecretRef};
use callflume_core::event::{ContactRef, Draft};
use callflume_core::lane::Lane;
use callflume_core::time::WallTime;
use callflume_crm::salesforce::KEY_FIELD;
use callflume_sim::salesforce::{
    CustomField, FieldOwner, JobState, ObjectKind, Salesforce, SalesforceConfig,
};
use callflume_sim::scenario::Scenario;
use callflume_sim::traffic::{Plan, PlannedEvent};
use callflume_sim::virtual_time::{AccountSetup, Trace, VirtualRun, run};
use serde_json::json;

const START_MS: i64 = 1_772_460_000_000;
const PEOPLE: usize = 20_000;
/// Every fiftieth has an address that is none.
const BAD_EVERY: usize = 50;
const CALLS_MAX: u64 = 40;

fn account() -> AccountId {
    "acme".parse().unwrap()
}

fn is_bad(n: usize) -> bool {
    n % BAD_EVERY == 7
}

fn event(n: usize) -> PlannedEvent {
    let email = if is_bad(n) {
        format!("nobody at {n}")
    } else {
        format!("p{n}@example.com")
    };
    let body = json!({"first_name": "Ada", "last_name": format!("Person {n}"), "email": email});
    let draft = Draft {
        call_id: format!("import-{n}"),
        kind: "contact_enriched".to_owned(),
        at: WallTime(START_MS - 60_000),
        revision: None,
        contact: ContactRef {
            key: Some(format!("customer-{n}")),
            ..ContactRef::default()
        },
        body: body.as_object().unwrap().clone().into_iter().collect(),
    };
    PlannedEvent {
        index: n,
        at_ms: -60_000,
        lane: Lane::En,
        call_index: None,
        event: draft.into_event(&account()),
        expect: Vec::new(),
    }
}

fn org() -> Salesforce {
    let config = SalesforceConfig {
        custom_fields: vec![
            CustomField::key(FieldOwner::Contact, KEY_FIELD),
            CustomField::key(FieldOwner::Activity, KEY_FIELD),
        ],
        ..SalesforceConfig::default()
    };
    Salesforce::new(config).unwrap()
}

struct Outcome {
    run: VirtualRun<Salesforce>,
    trace: String,
}

fn back_fill(people: usize, workers: &str) -> Outcome {
    let text = format!(
        "name = \"back-fill\"\nseed = 11\nduration_s = 120\ndrain_s_max = 3600\n[calls]\nconcurrent = 1\n[workers]\n{workers}\n"
    );
    let scenario = Scenario::parse(&text, "back-fill.toml").unwrap();
    let mut config = AccountConfig::new(
        "salesforce",
        SecretRef::Env("UNUSED".to_owned()),
        "enterprise_10_seats",
    );
    config.base_url = Some("https://acme.example.com".to_owned());
    let setup = callflume_worker::setup(&account(), &config, [0; 2], None, 11).unwrap();
    let plan = Plan {
        account: account(),
        seed: 11,
        start_ms: START_MS,
        duration_ms: 1_000,
        calls: Vec::new(),
        events: Vec::new(),
        backlog: (0..people).map(event).collect(),
    };
    let mut trace = Vec::new();
    let run = {
        let mut notes = Trace::new(Some(&mut trace));
        let account = AccountSetup {
            setup,
            plan,
            crm: org(),
        };
        let run = run(&scenario, vec![account], &mut notes);
        notes.finish().unwrap();
        run
    };
    Outcome {
        run,
        trace: String::from_utf8(trace).unwrap(),
    }
}

/// Everybody is there once, written once; who can't be is a dead letter with what Salesforce says.
fn judge(name: &str, outcome: &Outcome, calls_max: u64) {
    let [account] = outcome.run.accounts.as_slice() else {
        panic!("one account");
    };
    assert!(outcome.run.drained, "{name}: not settled in time");
    let org = &account.crm;
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    for record in org.records(ObjectKind::Contact) {
        *names
            .entry(record.fields["LastName"].as_str().unwrap())
            .or_insert(0) += 1;
        assert_eq!(
            org.history(record.id.as_str()).count(),
            1,
            "{name}: {} was written again",
            record.id
        );
    }
    assert!(
        names.values().all(|count| *count == 1),
        "{name}: a person twice"
    );
    let people = account.plan.backlog.len();
    let bad: BTreeSet<usize> = (0..people).filter(|n| is_bad(*n)).collect();
    assert_eq!(names.len(), people - bad.len(), "{name}");
    assert!(
        bad.iter()
            .all(|n| !names.contains_key(format!("Person {n}").as_str()))
    );
    let dead: BTreeSet<&str> = account.dead.iter().map(String::as_str).collect();
    assert_eq!(
        dead.len(),
        account.dead.len(),
        "{name}: a dead letter twice"
    );
    let refused: BTreeSet<&str> = bad
        .iter()
        .map(|n| account.plan.backlog[*n].event.id.as_str())
        .collect();
    assert_eq!(dead, refused, "{name}");
    let letters = outcome
        .trace
        .lines()
        .filter(|line| line.contains(" dead en "));
    for letter in letters {
        assert!(
            letter.ends_with("CF2101 INVALID_EMAIL_ADDRESS Email"),
            "{name}: {letter}"
        );
    }
    let calls = org.counters().calls;
    assert!(calls <= calls_max, "{name}: {calls} calls");
}

#[test]
fn twenty_thousand_people_take_forty_calls_at_most() {
    let outcome = back_fill(PEOPLE, "");
    judge("whole", &outcome, CALLS_MAX);
    let states: Vec<JobState> = outcome.run.accounts[0]
        .crm
        .job_states()
        .map(|(_, state)| state)
        .collect();
    assert_eq!(states, [JobState::JobComplete; 4]);
}

#[test]
fn an_owner_killed_or_stopped_in_the_middle_leaves_a_job_that_its_successor_goes_on_with() {
    for (how, at_s) in [
        ("kill_at_s", "[13]"),
        ("kill_at_s", "[12, 40, 70]"),
        ("stop_at_s", "[20]"),
    ] {
        let name = format!("{how} = {at_s}");
        let outcome = back_fill(PEOPLE, &format!("count = 2\n{name}"));
        judge(&name, &outcome, CALLS_MAX);
    }
}
