//! A day of inbound calls after a warm-up: at least 95 % of look-ups are answered without asking the CRM.

use std::collections::BTreeSet;
use std::time::Duration;

use callflume_client::{ContactSettings, Contacts, Lookup, Person};
use callflume_core::account::AccountId;
use callflume_core::lane::Lane;
use callflume_sim::hubspot::ObjectKind;
use callflume_testkit::wait_for;
use callflume_worker::services;
use serde_json::json;

use crate::harness::{DEADLINE, Running};

/// Whom the CRM knows.
const CONTACTS: u32 = 500;
/// Calls of the day.
const CALLS: usize = 300;
/// Every fifth caller is nobody the CRM knows.
const STRANGER_EVERY: usize = 5;
/// As many callers in an hour; what an hour's calls write is there before the next hour.
const CALLS_PER_HOUR: usize = 30;
/// As many strangers call at all; each of them calls again after the others.
const STRANGERS: usize = 40;

async fn answer(contacts: &Contacts, account: &AccountId, phone: &str) -> Lookup {
    let person = Person::phone(phone).unwrap();
    contacts.lookup(account, &person).await.unwrap()
}

/// Has all contacts read, and waits until whoever wasn't found is known to be absent.
async fn warm(running: &Running, contacts: &Contacts) {
    let (broker, account) = (&running.stage.broker, &running.stage.account);
    let wait = Duration::from_secs(2);
    wait_for("an owner that warms", DEADLINE, async || {
        services::warm(broker, account, wait).await.unwrap()
    })
    .await
    .unwrap();
    wait_for("the warm-up's end", DEADLINE, async || {
        let workers = services::status(broker, wait).await.unwrap();
        let mut accounts = workers.iter().flat_map(|worker| &worker.accounts);
        accounts
            .any(|it| it.warmed == u64::from(CONTACTS) && !it.warming)
            .then_some(())
    })
    .await
    .unwrap();
    // Each by a number of its own: one that was looked up would be absent whatever the warm-up says.
    let mut numbers = 0..;
    wait_for("what the warm-up says", DEADLINE, async || {
        let number = numbers.next().unwrap_or_default();
        let phone = format!("+198955{number:05}");
        let found = answer(contacts, account, &phone).await;
        matches!(found, Lookup::Absent { .. }).then_some(())
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_warm_up_hardly_a_caller_of_the_day_is_looked_up_in_the_crm() {
    let running = Running::start(CONTACTS).await;
    let account = running.stage.account.clone();
    let known: Vec<String> = running
        .stage
        .contacts
        .iter()
        .map(|contact| contact.phone.clone().unwrap())
        .collect();
    let strangers: Vec<String> = (0..STRANGERS).map(|n| format!("+1989556{n:04}")).collect();
    assert!(strangers.iter().all(|stranger| !known.contains(stranger)));

    let contacts = Contacts::connect(ContactSettings::at([running.stage.server.url()]))
        .await
        .unwrap();
    warm(&running, &contacts).await;

    let before = contacts.counts();
    let mut answered = [0_usize; 3];
    let mut called: BTreeSet<&str> = BTreeSet::new();
    for call in 0..CALLS {
        let phone = if call % STRANGER_EVERY == 0 {
            &strangers[call / STRANGER_EVERY % STRANGERS]
        } else {
            &known[call % known.len()]
        };
        let is_known = call % STRANGER_EVERY != 0 || called.contains(phone.as_str());
        match answer(&contacts, &account, phone).await {
            Lookup::Known(contact) => {
                answered[0] += 1;
                assert!(is_known, "call {call}");
                let model = running.stage.model();
                let mut people = model.records(ObjectKind::Contacts);
                assert!(people.any(|person| person.id.to_string() == contact.crm_id));
            }
            Lookup::Absent { .. } => {
                answered[1] += 1;
                assert!(!is_known, "call {call}");
            }
            Lookup::Unknown => answered[2] += 1,
        }
        called.insert(phone);
        let body = json!({"disposition": "connected", "direction": "inbound", "duration_ms": 61_000, "summary": "Asked for a date."});
        let id = format!("call-{call}");
        running
            .publish(Lane::Op, "call_ended", &id, phone, body)
            .await;
        if (call + 1) % CALLS_PER_HOUR == 0 {
            running
                .until("the hour's calls", |running| {
                    running.count(ObjectKind::Calls) == call + 1
                })
                .await;
            // What was written before the acknowledgement is everywhere once the watch has it.
            for phone in &called {
                let person = Person::phone(phone).unwrap();
                wait_for("what the hour's calls wrote", DEADLINE, async || {
                    let found = contacts.lookup(&account, &person).await.unwrap();
                    matches!(found, Lookup::Known(_)).then_some(())
                })
                .await
                .unwrap();
            }
        }
    }

    // A few in the CRM have a British number, typed without country into an American account: who calls from one isn't known
    // before somebody has looked. All others are, the strangers as such.
    let [known, absent, unknown] = answered;
    assert_eq!((known + absent + unknown, absent), (CALLS, STRANGERS));
    assert!(unknown * 100 <= CALLS * 5, "{answered:?}");
    let after = contacts.counts();
    assert_eq!(after.wanted - before.wanted, unknown as u64);
    assert_eq!(
        running.count(ObjectKind::Contacts),
        CONTACTS as usize + STRANGERS
    );
    running.stop().await;
}
