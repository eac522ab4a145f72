//! Look-ups of contacts: from memory while a watch stands, else from the bucket; never an old value for a fresh one.

mod common;

use std::time::Duration;

use callflume_core::card::{Card, News};
use callflume_core::lookup::{LookupAsk, Person, wanted};
use callflume_core::time::WallTime;
use callflume_jetstream::connect::{Credentials, Settings, connect};
use callflume_jetstream::contacts::Contacts;
use callflume_jetstream::lookup::{Finding, LookupSettings, Reader};
use callflume_jetstream::{Error, provision};
use callflume_testkit::{Mode, Server, wait_for};
use futures_util::StreamExt as _;
use futures_util::future::join_all;

use common::readers::{elsewhere, name, named, patient, person, reader, until_fresh, write};
use common::{DEADLINE, account, settings, site, small};

#[tokio::test]
async fn known_absent_and_missing_are_told_apart_and_then_come_from_memory() {
    let site = site().await;
    let acme = account("acme");
    let reader = reader(&site.broker, patient()).await;
    let contacts = Contacts::open(&site.broker).await.unwrap();
    write(&contacts, &acme, "Mira", 1).await;
    let nobody = Person::email("nobody@example.com").unwrap();
    contacts
        .write_absent(&acme, &nobody.alias(), WallTime(77))
        .await
        .unwrap();
    let stranger = Person::phone("+12025550199").unwrap();
    let all = [
        (person(), "Known"),
        (nobody.clone(), "Absent(WallTime(77))"),
        (stranger, "Missing"),
    ];
    // What was written a moment ago is still being told; after that, memory keeps what is read.
    wait_for("all of it in memory", DEADLINE, async || {
        for (person, expect) in &all {
            let found = reader.find(&acme, person).await.unwrap();
            assert!(format!("{found:?}").starts_with(expect), "{found:?}");
        }
        // And that the account was never warmed.
        (reader.in_memory() == 4).then_some(())
    })
    .await
    .unwrap();
    let before = reader.counts();
    for (person, expect) in &all {
        let found = reader.find(&acme, person).await.unwrap();
        assert!(format!("{found:?}").starts_with(expect), "{found:?}");
    }
    let after = reader.counts();
    // The one that is missing was looked for among the warmed too.
    assert_eq!(
        (after.reads, after.memory),
        (before.reads, before.memory + 4)
    );
    // Another account's contacts are others.
    let other = reader.find(&account("other"), &person()).await.unwrap();
    assert_eq!(other, Finding::Missing);
    // What a contact's card holds is nobody's business but the caller's.
    let shown = format!("{:?}", reader.find(&acme, &person()).await.unwrap());
    assert!(!shown.contains("Mira"), "{shown}");
}

#[tokio::test]
async fn who_wrote_sees_it_at_once_and_others_once_their_watch_has_it() {
    let site = site().await;
    let acme = account("acme");
    let own = reader(&site.broker, patient()).await;
    let contacts = Contacts::open(&site.broker)
        .await
        .unwrap()
        .telling(own.clone());
    let (_proxy, _broker, other) = elsewhere(&site).await;
    for round in 1..=50 {
        let value = format!("name {round}");
        write(&contacts, &acme, &value, round).await;
        assert_eq!(name(&own, &acme).await.as_ref(), Some(&value));
        wait_for("the other's watch", DEADLINE, async || {
            (name(&other, &acme).await.as_ref() == Some(&value)).then_some(())
        })
        .await
        .unwrap();
    }
    assert!(other.counts().memory > 0 || other.counts().reads > 0);
}

#[tokio::test]
async fn readers_never_go_back_to_an_older_value_while_it_changes() {
    let site = site().await;
    let acme = account("acme");
    let contacts = Contacts::open(&site.broker).await.unwrap();
    write(&contacts, &acme, "0", 0).await;
    let other = reader(&site.broker, patient()).await;
    let writing = async {
        for round in 1..=200 {
            write(&contacts, &acme, &round.to_string(), round).await;
        }
    };
    let looking = async {
        let mut last = 0;
        while last < 200 {
            let seen: i64 = name(&other, &acme).await.unwrap().parse().unwrap();
            assert!(seen >= last, "{seen} after {last}");
            last = seen;
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, async { tokio::join!(writing, looking) })
        .await
        .unwrap();
}

#[tokio::test]
async fn a_cut_connection_or_a_silent_one_makes_look_ups_read_through() {
    let site = site().await;
    let acme = account("acme");
    let contacts = Contacts::open(&site.broker).await.unwrap();
    write(&contacts, &acme, "old", 1).await;
    let (proxy, broker, other) = elsewhere(&site).await;
    for (round, mode) in [(2, None), (4, Some(Mode::Swallow))] {
        until_fresh(&other).await;
        wait_for("it in memory", DEADLINE, async || {
            name(&other, &acme).await;
            (other.in_memory() == 1).then_some(())
        })
        .await
        .unwrap();
        let connects = broker.link().borrow().connects;
        match mode {
            None => proxy.cut().await.unwrap(),
            Some(mode) => proxy.set(mode).await.unwrap(),
        }
        // Changed behind its back.
        write(&contacts, &acme, &format!("new {round}"), round).await;
        if mode.is_some() {
            wait_for("the silence to be noticed", DEADLINE, async || {
                (!other.is_fresh()).then_some(())
            })
            .await
            .unwrap();
            assert_eq!(other.in_memory(), 0);
            proxy.set(Mode::Pass).await.unwrap();
            proxy.cut().await.unwrap();
        }
        wait_for("the next connection", DEADLINE, async || {
            let link = *broker.link().borrow();
            (link.connects > connects && link.connected).then_some(())
        })
        .await
        .unwrap();
        // The very first answer is the new one, whether a watch stands again or not.
        let seen = wait_for("an answer", DEADLINE, async || {
            other.find(&acme, &person()).await.ok()
        })
        .await
        .unwrap();
        let Finding::Known(contact) = seen else {
            panic!("{seen:?}")
        };
        let expect = format!("new {round}");
        assert_eq!(contact.card.first_name.as_ref(), Some(&expect));
    }
}

#[tokio::test]
async fn without_a_broker_there_is_an_error_in_time_and_no_old_value() {
    let site = site().await;
    let acme = account("acme");
    let contacts = Contacts::open(&site.broker).await.unwrap();
    write(&contacts, &acme, "old", 1).await;
    let (proxy, _broker, _) = elsewhere(&site).await;
    let through = Settings {
        urls: vec![format!("nats://{}", proxy.address())],
        ..settings(&site.server)
    };
    let broker = connect(&through, "voice").await.unwrap();
    let hasty = LookupSettings {
        read_within: Duration::from_millis(50),
        ..LookupSettings::default()
    };
    let other = reader(&broker, hasty).await;
    proxy.set(Mode::Swallow).await.unwrap();
    wait_for("the silence to be noticed", DEADLINE, async || {
        (!other.is_fresh()).then_some(())
    })
    .await
    .unwrap();
    let answer = other.find(&acme, &person()).await;
    assert!(matches!(answer, Err(Error::Unknown { .. })), "{answer:?}");
}

#[tokio::test]
async fn memory_is_bounded() {
    let site = site().await;
    let acme = account("acme");
    let small = LookupSettings {
        memory_max: 20,
        ..patient()
    };
    let reader = reader(&site.broker, small).await;
    for number in 0..200 {
        let stranger = Person::phone(&format!("+1202555{number:04}")).unwrap();
        let found = reader.find(&acme, &stranger).await.unwrap();
        assert_eq!(found, Finding::Missing);
        assert!(reader.in_memory() <= 20);
    }
    assert!(reader.in_memory() >= 10);
}

#[tokio::test]
async fn many_who_miss_the_same_person_cost_one_read_and_one_word_to_the_owner() {
    let site = site().await;
    let acme = account("acme");
    let reader = reader(&site.broker, patient()).await;
    let owner = connect(&settings(&site.server), "owner").await.unwrap();
    let mut heard = owner.client().subscribe(wanted(&acme)).await.unwrap();
    owner.client().flush().await.unwrap();
    let all = join_all((0..100).map(|_| async {
        let found = reader.find(&acme, &person()).await.unwrap();
        assert_eq!(found, Finding::Missing);
        reader.want(&acme, &person()).await;
    }));
    all.await;
    let counts = reader.counts();
    // The second read: whether all contacts were read lately.
    assert_eq!((counts.reads, counts.wanted, counts.missing), (2, 1, 100));
    let message = heard.next().await.unwrap();
    let (_, told) = LookupAsk::read(&message.payload, Some(acme.clone())).unwrap();
    assert_eq!(told, person());
    // The last word of this connection: nothing came between.
    site.broker
        .client()
        .publish(wanted(&acme), "last".into())
        .await
        .unwrap();
    assert_eq!(heard.next().await.unwrap().payload, "last");
}

#[tokio::test]
async fn a_read_whose_asker_goes_away_does_not_hold_up_the_others() {
    let site = site().await;
    let acme = account("acme");
    let reader = reader(&site.broker, patient()).await;
    site.server.pause().await.unwrap();
    let (r, a) = (reader.clone(), acme.clone());
    let first = tokio::spawn(async move { r.find(&a, &person()).await });
    wait_for("its read", DEADLINE, async || {
        (reader.counts().reads == 1).then_some(())
    })
    .await
    .unwrap();
    let (r, a) = (reader.clone(), acme.clone());
    let second = tokio::spawn(async move { r.find(&a, &person()).await });
    wait_for("the second to join or read", DEADLINE, async || {
        let counts = reader.counts();
        (counts.shared == 1 || counts.reads == 2).then_some(())
    })
    .await
    .unwrap();
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    site.server.resume().await.unwrap();
    let found = tokio::time::timeout(DEADLINE, second).await.unwrap();
    assert_eq!(found.unwrap().unwrap(), Finding::Missing);
}

#[tokio::test]
async fn only_the_accounts_that_are_watched_are_kept() {
    let site = site().await;
    let (acme, other) = (account("acme"), account("other"));
    let contacts = Contacts::open(&site.broker).await.unwrap();
    write(&contacts, &acme, "a", 1).await;
    write(&contacts, &other, "b", 1).await;
    let two = vec![acme.clone(), account("third")];
    for accounts in [vec![acme.clone()], two] {
        let settings = LookupSettings {
            accounts,
            ..patient()
        };
        let reader = reader(&site.broker, settings).await;
        assert_eq!(name(&reader, &acme).await.as_deref(), Some("a"));
        assert_eq!(name(&reader, &other).await.as_deref(), Some("b"));
        assert_eq!(reader.in_memory(), 1);
        write(&contacts, &acme, "a", 2).await;
        contacts
            .forget_alias(&acme, &person().alias())
            .await
            .unwrap();
        wait_for("the deletion", DEADLINE, async || {
            let found = reader.find(&acme, &person()).await.unwrap();
            (found == Finding::Missing).then_some(())
        })
        .await
        .unwrap();
        let read = named("901", "a", 3);
        contacts
            .write(&acme, &read, &[person().alias()], News::Read)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn news_reaches_every_alias_whoever_writes_and_in_whatever_order() {
    let site = site().await;
    let acme = account("acme");
    let first = Contacts::open(&site.broker).await.unwrap();
    // A successor, which has seen nothing of what the first one wrote.
    let second = Contacts::open(&site.broker).await.unwrap();
    let email = Person::email("mira@example.com").unwrap();
    let reader = reader(&site.broker, patient()).await;
    let by_mail = [email.alias()];
    let by_phone = [person().alias()];
    first
        .write(&acme, &named("901", "Mira", 1), &by_mail, News::Written)
        .await
        .unwrap();
    second
        .write(&acme, &named("901", "Mirabel", 2), &by_phone, News::Written)
        .await
        .unwrap();
    // Late, and of an older event: it changes nothing.
    first
        .write(&acme, &named("901", "M.", 1), &by_mail, News::Written)
        .await
        .unwrap();
    // A page of the CRM that was read before all that.
    let mut page = named("901", "Miranda", 0);
    page.field_at.clear();
    page.card.last_name = Some("Okafor".to_owned());
    second
        .write(&acme, &page, &by_phone, News::Read)
        .await
        .unwrap();
    let expect = Card {
        first_name: Some("Mirabel".to_owned()),
        last_name: Some("Okafor".to_owned()),
        ..Card::default()
    };
    for person in [person(), email.clone()] {
        wait_for("the card under each alias", DEADLINE, async || match reader
            .find(&acme, &person)
            .await
            .unwrap()
        {
            Finding::Known(contact) => (contact.card == expect).then_some(()),
            _ => None,
        })
        .await
        .unwrap();
    }
    // An alias that went to somebody else stays there.
    first
        .write(&acme, &named("902", "Ben", 3), &by_mail, News::Written)
        .await
        .unwrap();
    second
        .write(&acme, &named("901", "Mia", 4), &by_phone, News::Written)
        .await
        .unwrap();
    assert_eq!(
        first.id_of(&acme, &email.alias()).await.unwrap().as_deref(),
        Some("902")
    );
    let stored = first.by_id(&acme, "901").await.unwrap().unwrap();
    assert_eq!(stored.card.first_name.as_deref(), Some("Mia"));
    assert_eq!(stored.field_at["first_name"], WallTime(4));
}

/// As `nats/roles.conf` says for a service of one account.
const ONE_ACCOUNT: &str = r#"
authorization { users: [
  { user: admin, password: word }
  { user: voice, password: word, permissions: {
      publish: { allow: [
        "svc.contacts.v1.*.acme", "$JS.API.STREAM.INFO.KV_callflume-contacts"
        "$JS.API.DIRECT.GET.KV_callflume-contacts.$KV.callflume-contacts.a.acme.*"
        "$JS.API.CONSUMER.CREATE.KV_callflume-contacts.*.$KV.callflume-contacts.a.acme.*"
      ] }
      subscribe: { allow: [ "_INBOX.>" ] }
  } }
] }
"#;

#[tokio::test]
async fn a_service_of_one_account_needs_the_rights_of_one_account() {
    let server = Server::builder()
        .extra_configuration(ONE_ACCOUNT)
        .start()
        .await
        .unwrap();
    let as_user = |user: &str| Settings {
        credentials: Credentials::UserPassword {
            user: user.to_owned(),
            password: "word".into(),
        },
        ..settings(&server)
    };
    let admin = connect(&as_user("admin"), "admin").await.unwrap();
    provision::apply(&admin, &small()).await.unwrap();
    let (acme, other) = (account("acme"), account("other"));
    let contacts = Contacts::open(&admin).await.unwrap();
    write(&contacts, &acme, "a", 1).await;
    write(&contacts, &other, "b", 1).await;
    let voice = connect(&as_user("voice"), "voice").await.unwrap();
    let settings = LookupSettings {
        accounts: vec![acme.clone()],
        ..patient()
    };
    let reader = reader(&voice, settings).await;
    assert_eq!(name(&reader, &acme).await.as_deref(), Some("a"));
    assert_eq!(reader.in_memory(), 1);
    let hasty = LookupSettings {
        read_within: Duration::from_millis(200),
        accounts: vec![acme],
        ..LookupSettings::default()
    };
    let hasty = Reader::start(&voice, hasty).await.unwrap();
    let refused = hasty.find(&other, &person()).await;
    assert!(matches!(refused, Err(Error::Unknown { .. })), "{refused:?}");
}
