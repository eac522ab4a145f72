//! Consents that are revoked, apps that are refused, addresses that don't answer.

use callflume_core::codes;
use serde_json::json;

use super::world::{World, token};

#[tokio::test]
async fn a_revoked_consent_pauses_and_is_not_asked_for_again_until_somebody_acted() {
    let world = World::of("hubspot").await;
    let tokens = world.owner();
    assert_eq!(token(&tokens).await, "access-1");
    world.address().good.clear();
    world.pass(3_300);
    // The token still lives: it is used, and the trouble told.
    assert_eq!(token(&tokens).await, "access-1");
    tokens.rest().await;
    assert_eq!(tokens.standing().unwrap().code, codes::CRM_GRANT);
    assert_eq!(token(&tokens).await, "access-1");
    world.pass(3_600);
    for _ in 0..5 {
        assert_eq!(token(&tokens).await, codes::CRM_GRANT.as_str());
        world.pass(600);
    }
    assert_eq!(world.asked(), 2);
    // Resumed with the same: one more question.
    tokens.resume();
    assert_eq!(token(&tokens).await, codes::CRM_GRANT.as_str());
    assert_eq!(world.asked(), 3);
    // The customer connects again.
    world.address().good.insert("refresh-new".to_owned());
    world.write("refresh", "refresh-new");
    tokens.resume();
    assert_eq!(token(&tokens).await, "access-4");
    assert_eq!(tokens.standing(), None);
}

#[tokio::test]
async fn a_new_refresh_token_is_found_without_an_order_too() {
    let world = World::of("pipedrive").await;
    world.address().good.clear();
    let tokens = world.owner();
    assert_eq!(token(&tokens).await, codes::CRM_GRANT.as_str());
    world.address().good.insert("refresh-new".to_owned());
    world.write("refresh", "refresh-new");
    world.pass(60);
    assert_eq!(token(&tokens).await, "access-2");
}

#[tokio::test]
async fn the_stored_refresh_token_follows_the_configured_one_until_that_changes() {
    let world = World::of("close").await;
    world.address().exchanges = true;
    for n in 1..=3 {
        assert_eq!(token(&world.owner()).await, format!("access-{n}"));
        world.pass(3_600);
    }
    assert!(world.address().asked[2].contains("refresh_token=refresh-after-2&"));
    world.address().good.insert("refresh-new".to_owned());
    world.write("refresh", "refresh-new");
    assert_eq!(token(&world.owner()).await, "access-4");
    assert!(world.address().asked[3].contains("refresh_token=refresh-new&"));
    world.pass(3_600);
    assert_eq!(token(&world.owner()).await, "access-5");
    assert!(world.address().asked[4].contains("refresh_token=refresh-after-4&"));
}

#[tokio::test]
async fn what_stands_in_the_way_is_told_and_goes_by_itself() {
    let world = World::of("hubspot").await;
    let tokens = world.owner();
    for (status, body, code) in [
        (
            401,
            json!({"error": "invalid_client"}),
            codes::CRM_GRANT.as_str(),
        ),
        (503, json!({}), "-"),
        (200, json!({"access_token": ""}), "-"),
        (429, json!({}), "-"),
    ] {
        world.address().refuse = Some((status, body));
        assert_eq!(token(&tokens).await, code, "{status}");
        let standing = tokens.standing().unwrap().code;
        let expect = if code == "-" {
            codes::CRM_GRANT_LATE
        } else {
            codes::CRM_GRANT
        };
        assert_eq!(standing, expect, "{status}");
        // Not asked again at once.
        let asked = world.asked();
        assert_eq!(token(&tokens).await, code, "{status}");
        assert_eq!(world.asked(), asked, "{status}");
        world.pass(100);
    }
    world.address().refuse = None;
    assert!(token(&tokens).await.starts_with("access-"));
    assert_eq!(tokens.standing(), None);
}

#[tokio::test]
async fn a_secret_that_is_not_there_is_named() {
    let world = World::of("hubspot").await;
    std::fs::remove_file(world.file("secret")).unwrap();
    let tokens = world.owner();
    assert_eq!(token(&tokens).await, codes::CONFIG_SECRET.as_str());
    assert!(tokens.standing().unwrap().text.contains("secret"));
    assert_eq!(world.asked(), 0);
    world.write("secret", "app-secret");
    world.pass(60);
    assert_eq!(token(&tokens).await, "access-1");
}

#[tokio::test]
async fn another_configuration_is_taken_up_at_once() {
    let world = World::of("hubspot").await;
    let tokens = world.owner();
    assert_eq!(token(&tokens).await, "access-1");
    // One that changes nothing about tokens costs nothing.
    let mut config = world.config.clone();
    config.share_percent = 50;
    tokens.configure(&config);
    assert_eq!(
        (token(&tokens).await.as_str(), world.asked()),
        ("access-1", 1)
    );
    world.address().good.insert("refresh-other".to_owned());
    world.write("other", "refresh-other");
    let mut text = serde_json::to_value(&config).unwrap();
    text["oauth"]["refresh_token"] = json!({"file": world.file("other")});
    tokens.configure(&serde_json::from_value(text).unwrap());
    assert_eq!(token(&tokens).await, "access-2");
    assert!(world.address().asked[1].contains("refresh_token=refresh-other&"));
}
