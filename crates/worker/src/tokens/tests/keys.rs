//! The key that encrypts stored tokens: missing, wrong, exchanged; and nothing that is secret is ever shown.

use std::io::Write;
use std::sync::{Arc, Mutex};

use callflume_core::codes;
use callflume_core::record::bucket;
use callflume_jetstream::kv::Bucket;

use super::world::{KEY, OTHER_KEY, World, token};
use crate::credential::Credential;
use crate::tokens::{NoToken, access_token};

#[tokio::test]
async fn without_a_key_nothing_is_asked_and_the_reason_is_told() {
    let world = World::of("hubspot").await;
    let tokens = world.owner_with(None);
    assert_eq!(token(&tokens).await, codes::TOKEN_KEY.as_str());
    let standing = tokens.standing().unwrap();
    assert!(
        standing.text.contains("CALLFLUME_TOKEN_KEY"),
        "{}",
        standing.text
    );
    assert_eq!(world.asked(), 0);
}

#[tokio::test]
async fn a_wrong_key_is_told_from_a_former_one_which_opens_until_the_record_is_written_anew() {
    let world = World::of("salesforce").await;
    world.address().life_s = None;
    assert_eq!(token(&world.owner()).await, "access-1");
    let wrong = world.owner_with(Some(World::keys(OTHER_KEY, None)));
    assert_eq!(token(&wrong).await, codes::TOKEN_KEY.as_str());
    let text = wrong.standing().unwrap().text;
    assert!(text.contains("CALLFLUME_TOKEN_KEY_PREVIOUS"), "{text}");
    assert_eq!(
        world.asked(),
        1,
        "the stored refresh token may be another by now"
    );
    let exchanged = world.owner_with(Some(World::keys(OTHER_KEY, Some(KEY))));
    assert_eq!(token(&exchanged).await, "access-1");
    exchanged.tend();
    exchanged.rest().await;
    // Written under the new key: the former one isn't needed any more.
    let later = world.owner_with(Some(World::keys(OTHER_KEY, None)));
    assert_eq!(token(&later).await, "access-1");
    assert_eq!(world.asked(), 1);
    // A lost key costs a new consent, no more.
    world.address().good.insert("refresh-new".to_owned());
    world.write("refresh", "refresh-new");
    assert_eq!(token(&world.owner()).await, "access-2");
}

/// What is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_secret_is_shown_stored_or_logged() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let logging = tracing::subscriber::set_default(subscriber);
    let world = World::of("close").await;
    world.address().exchanges = true;
    let tokens = world.owner();
    let mut shown: Vec<String> = Vec::new();
    for _ in 0..3 {
        token(&tokens).await;
        shown.push(format!(
            "{tokens:?}{:?}{:?}",
            world.config,
            tokens.0.state()
        ));
        world.pass(3_600);
    }
    let keys = World::keys(KEY, Some(OTHER_KEY));
    let credential = Credential::new(world.parts(Some(keys.clone())), &world.config).unwrap();
    shown.push(format!("{keys:?}{credential:?}"));
    for (status, body) in [
        (
            400,
            serde_json::json!({"error": "refresh-after-3 is bad", "message": "app-secret"}),
        ),
        (200, serde_json::json!({"access_token": "access-9\n"})),
        (500, serde_json::json!("access-9")),
    ] {
        world.address().refuse = Some((status, body));
        token(&tokens).await;
        shown.push(format!("{:?}", tokens.standing()));
        let alone = access_token(None, &World::account(), &world.config).await;
        shown.push(format!("{alone:?}"));
        world.pass(100);
    }
    drop(logging);
    shown.push(String::from_utf8(log.0.lock().unwrap().clone()).unwrap());
    let bucket = Bucket::open(&world.broker, bucket::TOKENS).await.unwrap();
    let stored = bucket.read("token.acme").await.unwrap().unwrap().value;
    shown.push(String::from_utf8(stored.to_vec()).unwrap());
    let shown = shown.concat();
    assert!(shown.contains("was not renewed"), "it did log");
    for secret in [
        "app-secret",
        "app-id",
        "refresh-0",
        "refresh-after",
        "access-",
        KEY,
        OTHER_KEY,
    ] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[tokio::test]
async fn a_process_without_the_account_uses_what_is_stored_and_uses_up_no_consent() {
    let account = World::account();
    let keys = World::keys(KEY, None);
    for (vendor, alone) in [("hubspot", true), ("pipedrive", true), ("close", false)] {
        let world = World::of(vendor).await;
        world.address().exchanges = !alone;
        let now = || (world.parts(None).clock)();
        // Before any worker, and before any broker.
        for stored in [None, Some((&world.broker, &keys, now()))] {
            let got = access_token(stored, &account, &world.config).await;
            assert_eq!(got.is_ok(), alone, "{vendor} {got:?}");
            if let Err(error) = got {
                assert!(
                    matches!(error, NoToken::OwnerOnly | NoToken::Locked(_)),
                    "{error:?}"
                );
            }
        }
        token(&world.owner()).await;
        let asked = world.asked();
        let stored = Some((&world.broker, &keys, now()));
        assert!(access_token(stored, &account, &world.config).await.is_ok());
        assert_eq!(world.asked(), asked, "{vendor}");
        world.pass(3_600);
        let stored = Some((&world.broker, &keys, now()));
        let late = access_token(stored, &account, &world.config).await;
        assert_eq!(late.is_ok(), alone, "{vendor} {late:?}");
    }
}
