//! The fake HubSpot behind real HTTP.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use callflume_sim::hubspot::{
    Fault, FaultKind, HubSpot, HubSpotConfig, HubSpotServer, ObjectKind, ServerOptions,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const NOON_MS: i64 = 1_781_524_800_000;
const DEADLINE: Duration = Duration::from_secs(30);

fn model(config: HubSpotConfig) -> Arc<Mutex<HubSpot>> {
    Arc::new(Mutex::new(HubSpot::new(config).unwrap()))
}

fn quick() -> HubSpotConfig {
    HubSpotConfig {
        service_ms: 0,
        service_jitter_ms: 0,
        ..HubSpotConfig::default()
    }
}

/// One request on a connection of its own; head and body of the answer.
async fn exchange(server: &HubSpotServer, line: &str, body: &str) -> (String, String) {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let request = format!(
        "{line} HTTP/1.1\r\nhost: crm\r\nauthorization: Bearer sim-token\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(DEADLINE, stream.read_to_string(&mut answer))
        .await
        .expect("an answer in time")
        .unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_lowercase(), body.to_owned())
}

#[tokio::test]
async fn a_request_reaches_the_model_with_its_instant_and_comes_back_whole() {
    let model = model(quick());
    let now_ms = Arc::new(AtomicI64::new(NOON_MS));
    let clock = now_ms.clone();
    let server = HubSpotServer::start(model.clone(), ServerOptions::default(), move || {
        clock.load(Ordering::SeqCst)
    })
    .await
    .unwrap();
    assert_eq!(server.url(), format!("http://{}", server.address()));

    let body = r#"{"properties":{"email":"a+b@example.com"}}"#;
    let (head, body) = exchange(&server, "POST /crm/v3/objects/contacts", body).await;
    assert!(head.starts_with("http/1.1 201"), "{head}");
    assert!(
        head.contains("content-type: application/json;charset=utf-8"),
        "{head}"
    );
    assert!(
        head.contains("x-hubspot-ratelimit-remaining: 189"),
        "{head}"
    );
    assert!(body.contains(r#""email":"a+b@example.com""#), "{body}");

    now_ms.store(NOON_MS + 1_234, Ordering::SeqCst);
    let line = "GET /crm/v3/objects/contacts/a%2Bb%40example.com?idProperty=email&properties=email";
    let (head, _) = exchange(&server, line, "").await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    let model = model.lock().unwrap();
    let instants: Vec<i64> = model.requests().iter().map(|it| it.at_ms).collect();
    assert_eq!(instants, [NOON_MS, NOON_MS + 1_234]);
}

#[tokio::test]
async fn statuses_and_bodies_of_faults_are_passed_on() {
    let model = model(quick());
    let server = HubSpotServer::start(model.clone(), ServerOptions::default(), || NOON_MS)
        .await
        .unwrap();
    for (fault, line, content_type) in [
        (
            FaultKind::Html502,
            "http/1.1 502",
            "content-type: text/html",
        ),
        (
            FaultKind::Locked423,
            "http/1.1 423",
            "content-type: application/json",
        ),
        (
            FaultKind::Migrating477 { retry_after_s: 60 },
            "http/1.1 477",
            "retry-after: 60",
        ),
    ] {
        model.lock().unwrap().add_fault(Fault::next(fault, ""));
        let (head, _) = exchange(&server, "GET /crm/v3/owners/", "").await;
        assert!(head.starts_with(line), "{head}");
        assert!(head.contains(content_type), "{head}");
    }
}

/// The answer is held back, the write is there.
#[tokio::test]
async fn a_dropped_answer_never_comes_though_the_request_was_carried_out() {
    let model = model(quick());
    let options = ServerOptions {
        drop_delay: Duration::from_secs(3_600),
        ..ServerOptions::default()
    };
    let server = HubSpotServer::start(model.clone(), options, || NOON_MS)
        .await
        .unwrap();
    model
        .lock()
        .unwrap()
        .add_fault(Fault::next(FaultKind::ExecuteThenDrop, ""));
    let asking = tokio::spawn(async move {
        exchange(
            &server,
            "POST /crm/v3/objects/contacts",
            r#"{"properties":{}}"#,
        )
        .await
    });
    let applied = async {
        while model
            .lock()
            .unwrap()
            .records(ObjectKind::Contacts)
            .next()
            .is_none()
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(DEADLINE, applied)
        .await
        .expect("the write is applied");
    assert!(!asking.is_finished());
    asking.abort();
}

/// wiremock's copies of old requests are thrown away while requests keep coming; none of them may miss the model.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_is_lost_while_old_ones_are_forgotten() {
    let mut config = quick();
    config.apps[0].interval_limit = 100_000;
    let model = model(config);
    let options = ServerOptions {
        // Every second request or so.
        forget_after_bytes: 2_000,
        ..ServerOptions::default()
    };
    let server = Arc::new(
        HubSpotServer::start(model.clone(), options, || NOON_MS)
            .await
            .unwrap(),
    );
    let mut asking = Vec::new();
    for _ in 0..8 {
        let server = server.clone();
        asking.push(tokio::spawn(async move {
            for _ in 0..100 {
                let (head, _) = exchange(
                    &server,
                    "POST /crm/v3/objects/contacts",
                    r#"{"properties":{}}"#,
                )
                .await;
                assert!(head.starts_with("http/1.1 201"), "{head}");
            }
        }));
    }
    for task in asking {
        task.await.unwrap();
    }
    assert_eq!(
        model.lock().unwrap().records(ObjectKind::Contacts).count(),
        800
    );
}

#[tokio::test]
async fn a_fixed_address_is_used_and_a_taken_one_is_an_error() {
    let first = HubSpotServer::start(model(quick()), ServerOptions::default(), || NOON_MS)
        .await
        .unwrap();
    let options = ServerOptions {
        listen: Some(first.address()),
        ..ServerOptions::default()
    };
    let taken = HubSpotServer::start(model(quick()), options, || NOON_MS).await;
    assert_eq!(taken.unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
}
