//! Readers of contacts, the contact they are asked for, and who writes it.

use callflume_core::account::AccountId;
use callflume_core::card::News;
use callflume_core::lookup::Person;
use callflume_core::record::{ContactRecord, SCHEMA};
use callflume_core::time::WallTime;
use callflume_jetstream::Broker;
use callflume_jetstream::connect::{Settings, connect};
use callflume_jetstream::contacts::Contacts;
use callflume_jetstream::lookup::{Finding, LookupSettings, Reader};
use callflume_testkit::{FaultyProxy, wait_for};

use super::{DEADLINE, Site, settings};

pub const PHONE: &str = "+12025550143";

pub fn patient() -> LookupSettings {
    LookupSettings {
        // Machines stall; what is tested is what is answered, not how fast.
        read_within: DEADLINE,
        ..LookupSettings::default()
    }
}

pub async fn reader(broker: &Broker, settings: LookupSettings) -> Reader {
    let reader = Reader::start(broker, settings).await.unwrap();
    until_fresh(&reader).await;
    reader
}

pub async fn until_fresh(reader: &Reader) {
    wait_for("the watch to stand", DEADLINE, async || {
        reader.is_fresh().then_some(())
    })
    .await
    .unwrap();
}

/// Another process: a connection and a reader of its own, through a proxy.
pub async fn elsewhere(site: &Site) -> (FaultyProxy, Broker, Reader) {
    let proxy = FaultyProxy::start(site.server.client_address())
        .await
        .unwrap();
    let through = Settings {
        urls: vec![format!("nats://{}", proxy.address())],
        ..settings(&site.server)
    };
    let broker = connect(&through, "voice").await.unwrap();
    let reader = reader(&broker, patient()).await;
    (proxy, broker, reader)
}

pub fn person() -> Person {
    Person::phone(PHONE).unwrap()
}

/// News of contact `crm_id`: an effect of this time wrote this first name.
pub fn named(crm_id: &str, name: &str, at: i64) -> ContactRecord {
    let mut record = ContactRecord {
        schema: SCHEMA,
        crm_id: crm_id.to_owned(),
        ..ContactRecord::default()
    };
    record.card.first_name = Some(name.to_owned());
    record.field_at.insert("first_name".into(), WallTime(at));
    record
}

pub async fn write(contacts: &Contacts, acme: &AccountId, name: &str, at: i64) {
    contacts
        .write(
            acme,
            &named("901", name, at),
            &[person().alias()],
            News::Written,
        )
        .await
        .unwrap();
}

pub async fn name(reader: &Reader, acme: &AccountId) -> Option<String> {
    match reader.find(acme, &person()).await.unwrap() {
        Finding::Known(contact) => contact.card.first_name.clone(),
        other => panic!("{other:?}"),
    }
}
