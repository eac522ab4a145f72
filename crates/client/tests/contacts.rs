//! Looking up callers, as a voice service does, against a real broker whose worker is played by the test.

use std::time::Duration;

use callflume_client::{ConnectError, ContactSettings, Contacts, Lookup, LookupSettings, Person};
use callflume_core::account::AccountId;
use callflume_core::card::News;
use callflume_core::codes;
use callflume_core::lookup::{self, LookupAsk, UnreadNumbers, wanted};
use callflume_core::record::{ContactRecord, SCHEMA};
use callflume_core::time::WallTime;
use callflume_jetstream::provision::{self, ProvisionSettings};
use callflume_jetstream::{Broker, connect, contacts};
use callflume_testkit::{Server, wait_for};
use futures_util::StreamExt as _;

const DEADLINE: Duration = Duration::from_secs(30);

async fn site() -> (Server, Broker) {
    let server = Server::start().await.unwrap();
    let settings = connect::Settings {
        urls: vec![server.url().to_owned()],
        ..connect::Settings::default()
    };
    let broker = connect::connect(&settings, "owner").await.unwrap();
    (server, broker)
}

async fn voice(server: &Server) -> Result<Contacts, ConnectError> {
    let mut settings = ContactSettings::at([server.url()]);
    settings.lookup = LookupSettings {
        read_within: DEADLINE,
        ..LookupSettings::default()
    };
    Contacts::connect(settings).await
}

#[tokio::test]
async fn an_unknown_caller_is_unknown_at_once_and_known_once_the_owner_has_looked_them_up() {
    let (server, broker) = site().await;
    provision::apply(&broker, &ProvisionSettings::within(1 << 30))
        .await
        .unwrap();
    let acme: AccountId = "acme".parse().unwrap();
    let mut heard = broker.client().subscribe(wanted(&acme)).await.unwrap();
    broker.client().flush().await.unwrap();
    let voice = voice(&server).await.unwrap();
    let bucket = contacts::Contacts::open(&broker).await.unwrap();
    let caller = Person::phone("+1 202 555 0143").unwrap();
    let nobody = Person::email("nobody@example.com").unwrap();
    for person in [&caller, &nobody] {
        // Nobody has looked anything up, and nobody is waited for.
        let found = voice.lookup(&acme, person).await.unwrap();
        assert_eq!(found, Lookup::Unknown);
        let told = heard.next().await.unwrap();
        let (_, told) = LookupAsk::read(&told.payload, Some(acme.clone())).unwrap();
        assert_eq!(told, *person);
    }
    let mut record = ContactRecord {
        schema: SCHEMA,
        crm_id: "901".to_owned(),
        ..ContactRecord::default()
    };
    record.card.first_name = Some("Mira".to_owned());
    bucket
        .write(&acme, &record, &[caller.alias()], News::Read)
        .await
        .unwrap();
    bucket
        .write_absent(&acme, &nobody.alias(), WallTime(5))
        .await
        .unwrap();
    let contact = wait_for("the caller", DEADLINE, async || {
        match voice.lookup(&acme, &caller).await.unwrap() {
            Lookup::Known(contact) => Some(contact),
            other => {
                assert_eq!(other, Lookup::Unknown);
                None
            }
        }
    })
    .await
    .unwrap();
    assert_eq!(
        (contact.crm_id.as_str(), contact.card.first_name.as_deref()),
        ("901", Some("Mira"))
    );
    wait_for("the one nobody has", DEADLINE, async || {
        let found = voice.lookup(&acme, &nobody).await.unwrap();
        (found == Lookup::Absent { as_of: WallTime(5) }).then_some(())
    })
    .await
    .unwrap();
    assert!(voice.counts().wanted >= 2);
}

#[tokio::test]
async fn a_day_of_known_callers_asks_nobody() {
    let (server, broker) = site().await;
    provision::apply(&broker, &ProvisionSettings::within(1 << 30))
        .await
        .unwrap();
    let acme: AccountId = "acme".parse().unwrap();
    let bucket = contacts::Contacts::open(&broker).await.unwrap();
    let caller = |n: usize| Person::phone(&format!("+1202555{n:04}")).unwrap();
    // Warmed: 240 of 300 callers are in the CRM.
    for n in 0..240 {
        let record = ContactRecord {
            schema: SCHEMA,
            crm_id: n.to_string(),
            ..ContactRecord::default()
        };
        bucket
            .write(&acme, &record, &[caller(n).alias()], News::Read)
            .await
            .unwrap();
    }
    bucket
        .write_warmed(&acme, lookup::PHONE, WallTime(6), &UnreadNumbers::default())
        .await
        .unwrap();
    let voice = voice(&server).await.unwrap();
    let mut known = 0;
    for n in 0..300 {
        match voice.lookup(&acme, &caller(n)).await.unwrap() {
            Lookup::Known(contact) => {
                assert_eq!(contact.crm_id, n.to_string());
                known += 1;
            }
            other => assert_eq!(other, Lookup::Absent { as_of: WallTime(6) }),
        }
    }
    // Neither those who are known nor those who are not cost a CRM request.
    assert_eq!((known, voice.counts().wanted), (240, 0));
}

#[tokio::test]
async fn a_broker_that_is_not_there_or_not_provisioned_is_said_with_its_code() {
    let (server, _broker) = site().await;
    let error = voice(&server).await.unwrap_err();
    assert_eq!(error.code(), codes::BROKER_NOT_PROVISIONED, "{error}");
    let nowhere = ContactSettings::at(["nats://127.0.0.1:9"]);
    let error = Contacts::connect(nowhere).await.unwrap_err();
    assert_eq!(error.code(), codes::PUBLISH_NO_BROKER, "{error}");
}
