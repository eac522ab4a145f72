//! Workers that end, and brokers that don't answer, between the CRM's answer and our record of it.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use callflume_core::codes;
use callflume_testkit::wait_for;

use super::super::Obtained;
use super::world::{DEADLINE, World, token};

/// A worker asks for a token, and ends before the answer reaches it: the CRM has granted it all the same.
async fn killed_while_asking(world: &World) {
    world.address().silent = true;
    let (before, victim) = (world.asked(), world.owner());
    let renewal = tokio::spawn(victim.renewal().unwrap());
    wait_for("the CRM's answer", DEADLINE, async || {
        (world.asked() > before).then_some(())
    })
    .await
    .unwrap();
    renewal.abort();
    assert!(renewal.await.unwrap_err().is_cancelled());
    world.address().silent = false;
}

#[tokio::test]
async fn killed_before_the_answer_is_stored_nothing_is_lost_where_refresh_tokens_stay() {
    for vendor in ["hubspot", "pipedrive"] {
        let world = World::of(vendor).await;
        killed_while_asking(&world).await;
        assert_eq!(token(&world.owner()).await, "access-2", "{vendor}");
        world.pass(3_600);
        killed_while_asking(&world).await;
        assert_eq!(token(&world.owner()).await, "access-4", "{vendor}");
    }
}

#[tokio::test]
async fn killed_before_the_answer_is_stored_a_crm_that_does_not_exchange_after_all_loses_nothing() {
    for vendor in ["close", "salesforce"] {
        let world = World::of(vendor).await;
        killed_while_asking(&world).await;
        let successor = world.owner();
        assert_eq!(token(&successor).await, "access-2", "{vendor}");
        // The doubt is over: a later refusal is an ordinary one.
        world.address().good.clear();
        world.pass(3_600);
        assert_eq!(
            token(&successor).await,
            codes::CRM_GRANT.as_str(),
            "{vendor}"
        );
    }
}

#[tokio::test]
async fn killed_before_the_answer_is_stored_an_exchanged_refresh_token_is_missed_and_named() {
    let world = World::of("close").await;
    world.address().exchanges = true;
    assert_eq!(token(&world.owner()).await, "access-1");
    world.pass(3_600);
    killed_while_asking(&world).await;
    let successor = world.owner();
    assert_eq!(token(&successor).await, codes::CRM_GRANT_LOST.as_str());
    let standing = successor.standing().unwrap();
    assert!(
        standing.text.contains("account resume") && standing.text.contains("invalid_grant"),
        "{}",
        standing.text
    );
    // Only a new consent helps; it is taken in place of the chain that was lost.
    world.address().good.insert("refresh-new".to_owned());
    world.write("refresh", "refresh-new\n");
    successor.resume();
    assert_eq!(token(&successor).await, "access-4");
    assert_eq!(successor.standing(), None);
    world.pass(3_600);
    // And goes on from there.
    assert_eq!(token(&world.owner()).await, "access-5");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_token_is_not_used_before_the_broker_has_confirmed_it() {
    let world = World::of("close").await;
    world.address().exchanges = true;
    let tokens = world.owner();
    assert_eq!(token(&tokens).await, "access-1");
    world.pass(3_600);
    let (open, gate) = mpsc::channel();
    world.address().gate = Some(gate);
    let renewal = tokio::spawn(tokens.renewal().unwrap());
    wait_for("the question", DEADLINE, async || {
        (world.asked() == 2).then_some(())
    })
    .await
    .unwrap();
    // The CRM answers, the broker doesn't.
    world.server.pause().await.unwrap();
    open.send(()).unwrap();
    let briefly = Instant::now() + Duration::from_millis(300);
    assert!(matches!(tokens.obtain(briefly).await, Obtained::NotYet));
    world.server.resume().await.unwrap();
    renewal.await.unwrap();
    assert_eq!(token(&tokens).await, "access-2");
    let successor = world.owner();
    assert_eq!(token(&successor).await, "access-2");
    // The exchanged one is what is asked with next.
    world.pass(3_600);
    assert_eq!(token(&successor).await, "access-3");
    assert!(world.address().asked[2].contains("refresh_token=refresh-after-2&"));
}

#[tokio::test]
async fn of_two_answers_the_later_one_stays_and_the_other_worker_uses_it() {
    let world = World::of("hubspot").await;
    let (old, new) = (world.owner(), world.owner());
    assert_eq!(token(&old).await, "access-1");
    assert_eq!(token(&new).await, "access-1");
    world.pass(3_400);
    new.tend();
    new.rest().await;
    assert_eq!(token(&new).await, "access-2");
    // The one that is not the owner any more, with an answer as of later.
    world.pass(1);
    old.tend();
    old.rest().await;
    assert_eq!(token(&old).await, "access-3");
    assert_eq!(token(&world.owner()).await, "access-3");
    // The other finds another record than it knows, and its own answer the later one.
    world.pass(3_600);
    assert_eq!(token(&new).await, "access-4");
    assert_eq!(token(&world.owner()).await, "access-4");
}
