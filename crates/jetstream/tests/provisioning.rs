//! Provisioning: idempotent, and never half done when something can't be changed.

mod common;

use async_nats::jetstream::stream::{Config, StorageType};
use callflume_core::codes;
use callflume_jetstream::Error;
use callflume_jetstream::kv::Bucket;
use callflume_jetstream::provision::{self, Action, ProvisionSettings};

use common::{bare, site, small};

#[tokio::test]
async fn a_second_run_finds_no_difference() {
    let site = bare().await;
    let planned = provision::plan(&site.broker, &small()).await.unwrap();
    assert!(planned.iter().all(|d| d.action == Action::Create));
    assert_eq!(planned.len(), 11);
    let done = provision::apply(&site.broker, &small()).await.unwrap();
    assert_eq!(done, planned);
    assert_eq!(
        provision::plan(&site.broker, &small()).await.unwrap(),
        vec![]
    );
    assert_eq!(
        provision::apply(&site.broker, &small()).await.unwrap(),
        vec![]
    );
    provision::check(&site.broker).await.unwrap();
}

#[tokio::test]
async fn what_is_missing_is_named_with_its_remedy() {
    let site = bare().await;
    let error = provision::check(&site.broker).await.unwrap_err();
    assert_eq!(error.code(), codes::BROKER_NOT_PROVISIONED);
    let text = error.to_string();
    assert!(
        text.contains("VOICE_OP") && text.contains("callflume-ledger"),
        "{text}"
    );
    assert!(text.contains("callflume provision"), "{text}");

    let error = Bucket::open(&site.broker, "callflume-ledger")
        .await
        .unwrap_err();
    assert_eq!(error.code(), codes::BROKER_NOT_PROVISIONED);
}

#[tokio::test]
async fn a_changed_setting_is_put_back() {
    let site = site().await;
    let context = site.broker.context();
    let mut config = context
        .get_stream("VOICE_EN")
        .await
        .unwrap()
        .cached_info()
        .config
        .clone();
    config.max_age = std::time::Duration::from_secs(3600);
    config.description = Some("ours".to_owned());
    context.update_stream(&config).await.unwrap();

    let done = provision::apply(&site.broker, &small()).await.unwrap();
    assert_eq!(done.len(), 1, "{done:?}");
    assert_eq!(done[0].field, "max_age");
    assert_eq!(done[0].action, Action::Update);
    // What we know nothing about stays.
    let config = context
        .get_stream("VOICE_EN")
        .await
        .unwrap()
        .cached_info()
        .config
        .clone();
    assert_eq!(config.description.as_deref(), Some("ours"));
}

#[tokio::test]
async fn what_cannot_be_changed_is_refused_and_nothing_else_is_done() {
    let site = bare().await;
    site.broker
        .context()
        .create_stream(Config {
            name: "DEAD".to_owned(),
            subjects: vec!["dead.v1.>".to_owned()],
            storage: StorageType::Memory,
            ..Config::default()
        })
        .await
        .unwrap();
    let error = provision::apply(&site.broker, &small()).await.unwrap_err();
    assert_eq!(error.code(), codes::BROKER_NOT_CHANGEABLE);
    let text = error.to_string();
    assert!(
        text.contains("DEAD") && text.contains("storage") && !text.contains("max_bytes"),
        "{text}"
    );
    let Err(Error::NotProvisioned { missing }) = provision::check(&site.broker).await else {
        panic!("something was created");
    };
    assert_eq!(missing.len(), 10);
}

#[tokio::test]
async fn replicas_without_a_cluster_are_refused_before_anything_is_made() {
    let site = bare().await;
    let settings = ProvisionSettings {
        replicas: 3,
        ..small()
    };
    let error = provision::apply(&site.broker, &settings).await.unwrap_err();
    assert_eq!(error.code(), codes::BROKER_NOT_CHANGEABLE);
    assert!(error.to_string().contains("num_replicas"), "{error}");
}
