//! When tokens are renewed, how often, and what is asked.

use std::time::{Duration, Instant};

use callflume_core::dispatcher::Input;
use callflume_core::vendor::{Answer, Content, HttpRequest, Method};
use callflume_testkit::wait_for;
use secrecy::ExposeSecret as _;
use tokio::sync::watch;
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, ResponseTemplate};

use super::super::Obtained;
use super::world::{DEADLINE, World, token};
use crate::credential::Credential;
use crate::http::Sender;

#[tokio::test]
async fn a_token_is_renewed_before_its_end_and_serves_meanwhile() {
    let world = World::of("hubspot").await;
    let tokens = world.owner();
    assert_eq!(token(&tokens).await, "access-1");
    world.pass(3_299);
    assert_eq!(token(&tokens).await, "access-1");
    tokens.rest().await;
    assert_eq!(world.asked(), 1);
    // Five minutes before its end: requests go on with it while it is renewed.
    world.pass(1);
    assert_eq!(token(&tokens).await, "access-1");
    tokens.rest().await;
    assert_eq!(
        (token(&tokens).await.as_str(), world.asked()),
        ("access-2", 2)
    );
    // Without a request too.
    world.pass(3_300);
    tokens.tend();
    tokens.rest().await;
    assert_eq!(world.asked(), 3);
    // After its end nobody gets it.
    world.pass(3_600);
    assert_eq!(token(&tokens).await, "access-4");
    for form in &world.address().asked {
        assert_eq!(
            form,
            "grant_type=refresh_token&refresh_token=refresh-0&client_id=app-id&client_secret=app-secret"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn however_many_want_a_token_one_renewal_is_under_way() {
    let world = World::of("close").await;
    world.address().exchanges = true;
    let tokens = world.owner();
    for round in 1..=5 {
        let mut wanting = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let tokens = tokens.clone();
            wanting.spawn(async move { token(&tokens).await });
        }
        while let Some(got) = wanting.join_next().await {
            assert_eq!(got.unwrap(), format!("access-{round}"));
        }
        assert_eq!(world.asked(), round);
        world.pass(3_600);
    }
}

#[tokio::test]
async fn a_successor_goes_on_with_what_is_stored() {
    let world = World::of("pipedrive").await;
    world.address().base_url = Some(("api_domain", "https://acme.pipedrive.example".to_owned()));
    assert_eq!(token(&world.owner()).await, "access-1");
    world.pass(1_000);
    let successor = world.owner();
    let Obtained::Token(got) = successor.obtain(Instant::now() + DEADLINE).await else {
        panic!("no token");
    };
    assert_eq!(got.token.expose_secret(), "access-1");
    assert_eq!(
        got.base_url.as_deref(),
        Some("https://acme.pipedrive.example")
    );
    assert_eq!(world.asked(), 1);
    // It knows how old the token is.
    world.pass(2_300);
    successor.tend();
    successor.rest().await;
    assert_eq!(token(&successor).await, "access-2");
    let sent = world.crm.received_requests().await.unwrap();
    assert_eq!(
        sent[0].headers["authorization"].to_str().unwrap(),
        "Basic YXBwLWlkOmFwcC1zZWNyZXQ="
    );
    assert_eq!(
        world.address().asked[0],
        "grant_type=refresh_token&refresh_token=refresh-0"
    );
}

#[tokio::test]
async fn an_app_that_is_its_own_user_needs_no_refresh_token() {
    let mut world = World::of("salesforce").await;
    let mut config = serde_json::to_value(&world.config).unwrap();
    config["oauth"]
        .as_object_mut()
        .unwrap()
        .remove("refresh_token");
    world.config = serde_json::from_value(config).unwrap();
    {
        let mut address = world.address();
        address.life_s = None;
        address.base_url = Some((
            "instance_url",
            "https://acme.my.salesforce.example".to_owned(),
        ));
    }
    let tokens = world.owner();
    assert_eq!(token(&tokens).await, "access-1");
    // Its end isn't told: only a refusal renews it.
    world.pass(1_000_000);
    assert_eq!(token(&tokens).await, "access-1");
    let Obtained::Token(got) = tokens.obtain(Instant::now() + DEADLINE).await else {
        panic!("no token");
    };
    assert!(tokens.refused(&got));
    assert_eq!(token(&tokens).await, "access-2");
    assert_eq!(
        world.address().asked[1],
        "grant_type=client_credentials&client_id=app-id&client_secret=app-secret"
    );
}

#[tokio::test]
async fn a_refused_request_goes_again_with_a_permit_of_its_own_and_a_new_token() {
    let mut world = World::of("hubspot").await;
    world.config.base_url = Some(world.crm.uri());
    for (token, status) in [("access-1", 401), ("access-2", 200), ("access-3", 401)] {
        Mock::given(method("GET"))
            .and(path("/thing"))
            .and(header("authorization", format!("Bearer {token}").as_str()))
            .respond_with(ResponseTemplate::new(status))
            .mount(&world.crm)
            .await;
    }
    let keys = Some(World::keys(super::world::KEY, None));
    let credential = Credential::new(world.parts(keys), &world.config).unwrap();
    let sender = Sender::new(&world.config).unwrap();
    let (_, lease_until) = watch::channel(Instant::now() + Duration::from_secs(3_600));
    let http = HttpRequest {
        method: Method::Get,
        path: "/thing".to_owned(),
        body: None,
        content: Content::Json,
    };
    let send = async || {
        credential
            .send(&sender, 1, &http, DEADLINE, &lease_until)
            .await
    };
    let is_status = |input: &Input, expect: u16| matches!(input, Input::Answered { answer: Answer::Response { status, .. }, .. } if *status == expect);
    let first = send().await;
    assert!(
        matches!(
            first,
            Input::Unauthorized {
                left: true,
                trouble: None,
                ..
            }
        ),
        "{first:?}"
    );
    assert!(is_status(&send().await, 200));
    assert_eq!(world.asked(), 2);
    // A CRM that refuses the next one at once again: its refusal is passed on, and no storm of renewals follows.
    world.pass(3_300);
    credential.tend();
    credential.rest().await;
    assert!(matches!(
        send().await,
        Input::Unauthorized {
            left: true,
            trouble: None,
            ..
        }
    ));
    credential.rest().await;
    assert_eq!(world.asked(), 4);
    Mock::given(method("GET"))
        .and(path("/thing"))
        .respond_with(ResponseTemplate::new(401))
        .mount(&world.crm)
        .await;
    for _ in 0..3 {
        assert!(is_status(&send().await, 401));
    }
    assert_eq!(world.asked(), 4);
    let sent = world.crm.received_requests().await.unwrap();
    let things = sent.iter().filter(|sent| sent.url.path() == "/thing");
    assert_eq!(things.count(), 6, "one exchange per permit");
}

#[tokio::test]
async fn nobody_waits_longer_than_the_permit_and_nothing_leaves_without_a_token() {
    let mut world = World::of("hubspot").await;
    world.config.base_url = Some(world.crm.uri());
    world.address().silent = true;
    let keys = Some(World::keys(super::world::KEY, None));
    let credential = Credential::new(world.parts(keys), &world.config).unwrap();
    let sender = Sender::new(&world.config).unwrap();
    let (_, lease_until) = watch::channel(Instant::now() + Duration::from_secs(3_600));
    let http = HttpRequest {
        method: Method::Get,
        path: "/thing".to_owned(),
        body: None,
        content: Content::Json,
    };
    let timeout = Duration::from_millis(600);
    let told = credential
        .send(&sender, 1, &http, timeout, &lease_until)
        .await;
    assert!(
        matches!(
            told,
            Input::Answered {
                answer: Answer::NotSent,
                ..
            }
        ),
        "{told:?}"
    );
    wait_for("the token address to be asked", DEADLINE, async || {
        (world.asked() == 1).then_some(())
    })
    .await
    .unwrap();
    let sent = world.crm.received_requests().await.unwrap();
    assert!(sent.iter().all(|sent| sent.url.path() == "/token"));
}
