//! OAuth tokens in their bucket: written by whoever read the record, opened by whoever has the key.

mod common;

use callflume_core::record::bucket;
use callflume_core::time::BrokerTime;
use callflume_jetstream::SwapError;
use callflume_jetstream::kv::{Bucket, Expected};
use callflume_jetstream::tokens::{Access, Chain, Kept, Origin, TokenKeys, Tokens};
use secrecy::SecretString;

use common::{account, site};

const KEYS: [&str; 2] = [
    "a2V5IG9uZSBrZXkgb25lIGtleSBvbmUga2V5IG9uZSE=",
    "a2V5IHR3byBrZXkgdHdvIGtleSB0d28ga2V5IHR3byE=",
];

fn keys(current: usize, previous: Option<usize>) -> TokenKeys {
    let text = |index: usize| SecretString::from(KEYS[index]);
    TokenKeys::parse(&text(current), previous.map(text).as_ref()).unwrap()
}

fn chain(access: &str) -> Chain {
    Chain {
        origin: Origin::of_refresh_token(&account("acme"), &"refresh-1".into()),
        refresh_token: Some("refresh-1".into()),
        access: Some(Access {
            token: access.into(),
            since: BrokerTime(1),
            life_s: None,
        }),
        base_url: None,
        scope: None,
        begun: None,
    }
}

#[tokio::test]
async fn a_record_is_replaced_only_by_who_knows_it_and_only_the_last_is_kept() {
    let site = site().await;
    let acme = account("acme");
    let tokens = Tokens::open(&site.broker, keys(0, None)).await.unwrap();
    assert!(matches!(tokens.read(&acme).await.unwrap(), Kept::Nothing));
    let first = tokens
        .write(&acme, &chain("access-1"), Expected::Absent)
        .await
        .unwrap();
    let second = tokens
        .write(&acme, &chain("access-2"), Expected::Revision(first))
        .await
        .unwrap();
    for expected in [Expected::Absent, Expected::Revision(first)] {
        let lost = tokens.write(&acme, &chain("access-3"), expected).await;
        assert!(matches!(lost, Err(SwapError::Lost { .. })), "{lost:?}");
    }
    let Kept::Chain(stored) = tokens.read(&acme).await.unwrap() else {
        panic!("it is there");
    };
    assert!(stored.chain.is_same(&chain("access-2")) && stored.revision == second);
    assert!(!stored.with_previous_key);
    assert!(matches!(
        tokens.read(&account("other")).await.unwrap(),
        Kept::Nothing
    ));
    let stream = site
        .broker
        .context()
        .get_stream("KV_callflume-tokens")
        .await
        .unwrap();
    assert_eq!(stream.get_info().await.unwrap().state.messages, 1);
    // As it lies there nothing of it can be read.
    let bucket = Bucket::open(&site.broker, bucket::TOKENS).await.unwrap();
    let raw = bucket.read("token.acme").await.unwrap().unwrap().value;
    let raw = std::str::from_utf8(&raw).unwrap();
    assert!(
        !raw.contains("access-") && !raw.contains("refresh-"),
        "{raw}"
    );
    // Moved to another account it opens nothing.
    bucket.put("token.other", raw.to_owned()).await.unwrap();
    let moved = tokens.read(&account("other")).await.unwrap();
    assert!(matches!(moved, Kept::Locked(_)), "{moved:?}");
}

#[tokio::test]
async fn a_key_is_exchanged_without_losing_what_it_locked() {
    let site = site().await;
    let acme = account("acme");
    let open = async |keys| Tokens::open(&site.broker, keys).await.unwrap();
    open(keys(0, None))
        .await
        .write(&acme, &chain("access-1"), Expected::Absent)
        .await
        .unwrap();
    let Kept::Locked(locked) = open(keys(1, None)).await.read(&acme).await.unwrap() else {
        panic!("another key opens nothing");
    };
    assert_eq!(locked.code().as_str(), "CF3111");
    let said = locked.to_string();
    assert!(
        said.contains(keys(0, None).id()) && said.contains("CALLFLUME_TOKEN_KEY_PREVIOUS"),
        "{said}"
    );
    let both = open(keys(1, Some(0))).await;
    let Kept::Chain(stored) = both.read(&acme).await.unwrap() else {
        panic!("the key before opens it");
    };
    assert!(stored.with_previous_key && stored.chain.is_same(&chain("access-1")));
    both.write(&acme, &stored.chain, Expected::Revision(stored.revision))
        .await
        .unwrap();
    let alone = open(keys(1, None)).await.read(&acme).await.unwrap();
    assert!(matches!(alone, Kept::Chain(stored) if !stored.with_previous_key));
}
