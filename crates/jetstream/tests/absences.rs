//! What look-ups say of whom and what is not in the CRM: absent persons, those whom a reading of all contacts didn't find,
//! deals that are open no more.

mod common;

use callflume_core::account::AccountId;
use callflume_core::card::News;
use callflume_core::lookup::{self, Person, UnreadNumbers};
use callflume_core::record::ContactRecord;
use callflume_core::time::WallTime;
use callflume_jetstream::contacts::Contacts;
use callflume_jetstream::kv::Bucket;
use callflume_jetstream::lookup::{Finding, Reader};
use callflume_testkit::wait_for;

use common::readers::{elsewhere, name, patient, person, reader, write};
use common::{DEADLINE, account, site};

#[tokio::test]
async fn that_somebody_is_absent_never_hides_a_contact_and_expires() {
    let site = site().await;
    let acme = account("acme");
    let contacts = Contacts::open(&site.broker).await.unwrap();
    let alias = person().alias();
    for at in [1, 2] {
        contacts
            .write_absent(&acme, &alias, WallTime(at))
            .await
            .unwrap();
    }
    assert_eq!(contacts.by_alias(&acme, &alias).await.unwrap(), None);
    let bucket = Bucket::open(&site.broker, "callflume-contacts")
        .await
        .unwrap();
    let stored = site
        .broker
        .context()
        .get_stream("KV_callflume-contacts")
        .await
        .unwrap()
        .get_last_raw_message_by_subject(&format!("$KV.callflume-contacts.a.acme.{alias}"))
        .await
        .unwrap();
    assert_eq!(
        stored
            .headers
            .get("Nats-TTL")
            .map(async_nats::HeaderValue::as_str),
        Some("900")
    );
    write(&contacts, &acme, "Mira", 3).await;
    contacts
        .write_absent(&acme, &alias, WallTime(4))
        .await
        .unwrap();
    let found = contacts.by_alias(&acme, &alias).await.unwrap().unwrap();
    assert_eq!(found.crm_id, "901");
    assert!(
        bucket
            .read(&format!("a.acme.{alias}"))
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn after_a_warm_up_whoever_is_not_there_is_absent_until_somebody_writes_them() {
    let site = site().await;
    let acme = account("acme");
    let reader = reader(&site.broker, patient()).await;
    let contacts = Contacts::open(&site.broker)
        .await
        .unwrap()
        .telling(reader.clone());
    let stranger = Person::email("ada@example.com").unwrap();
    for person in [person(), stranger.clone()] {
        let found = reader.find(&acme, &person).await.unwrap();
        assert_eq!(found, Finding::Missing);
    }
    contacts
        .write_warmed(&acme, lookup::PHONE, WallTime(7), &UnreadNumbers::default())
        .await
        .unwrap();
    let found = reader.find(&acme, &person()).await.unwrap();
    assert_eq!(found, Finding::Absent(WallTime(7)));
    // Whoever may have a number that could not be read is looked up as before.
    let mut unread = UnreadNumbers::default();
    assert!(unread.take("555-0143"));
    contacts
        .write_warmed(&acme, lookup::PHONE, WallTime(8), &unread)
        .await
        .unwrap();
    for (phone, expect) in [
        ("+12025550143", Finding::Missing),
        ("+12025550144", Finding::Absent(WallTime(8))),
    ] {
        let found = reader.find(&acme, &Person::phone(phone).unwrap()).await;
        assert_eq!(found.unwrap(), expect, "{phone}");
    }
    contacts
        .write_warmed(&acme, lookup::PHONE, WallTime(7), &UnreadNumbers::default())
        .await
        .unwrap();
    // That was said of phones only, and of this account.
    for (account, person) in [(&acme, &stranger), (&account("other"), &person())] {
        let found = reader.find(account, person).await.unwrap();
        assert_eq!(found, Finding::Missing);
    }
    write(&contacts, &acme, "Mira", 1).await;
    assert_eq!(name(&reader, &acme).await.as_deref(), Some("Mira"));
}

/// What a reading of the CRM's deals that began at `since` says of the contact.
async fn deal_read(contacts: &Contacts, acme: &AccountId, deal: &str, since: i64) {
    let deal = Some((deal.to_owned(), Some(WallTime(1))));
    let news = ContactRecord::deal_read("901".to_owned(), deal, WallTime(since));
    contacts.write(acme, &news, &[], News::Read).await.unwrap();
}

async fn deal(reader: &Reader, acme: &AccountId) -> Option<String> {
    match reader.find(acme, &person()).await.unwrap() {
        Finding::Known(contact) => contact.deal.clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_deal_is_told_until_all_open_deals_were_listed_without_it() {
    let site = site().await;
    let acme = account("acme");
    let here = reader(&site.broker, patient()).await;
    let (_proxy, _broker, there) = elsewhere(&site).await;
    let contacts = Contacts::open(&site.broker)
        .await
        .unwrap()
        .telling(here.clone());
    write(&contacts, &acme, "Mira", 1).await;
    let until = async |expect: Option<&str>| {
        assert_eq!(
            deal(&here, &acme).await.as_deref(),
            expect,
            "in this process, at once"
        );
        wait_for("the other process to hear of it", DEADLINE, async || {
            (deal(&there, &acme).await.as_deref() == expect).then_some(())
        })
        .await
        .unwrap();
    };
    until(None).await;
    deal_read(&contacts, &acme, "31", 10).await;
    until(Some("31")).await;
    // This very listing is complete; that says nothing against it.
    let listed = async |at| {
        let none = UnreadNumbers::default();
        let complete = contacts.write_warmed(&acme, lookup::DEALS, WallTime(at), &none);
        complete.await.unwrap();
    };
    listed(10).await;
    until(Some("31")).await;
    listed(20).await;
    until(None).await;
    assert_eq!(
        contacts.deals_read(&acme).await.unwrap(),
        Some(WallTime(20))
    );
    // The next one finds it again: nothing else of the contact has changed.
    deal_read(&contacts, &acme, "31", 30).await;
    listed(30).await;
    until(Some("31")).await;
    assert_eq!(name(&there, &acme).await.as_deref(), Some("Mira"));
    // Another account's listing is another account's.
    contacts
        .write_warmed(
            &account("other"),
            lookup::DEALS,
            WallTime(99),
            &UnreadNumbers::default(),
        )
        .await
        .unwrap();
    until(Some("31")).await;
}
