//! Every fake behind real HTTP: what comes through, what is held back, what is cut.

mod fakes;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Once};
use std::time::Duration;

use callflume_sim::fakes::{FakeServer, ServerOptions};
use reqwest::{Client, Response};
use serde_json::Value;

use fakes::{Case, NOON_MS, Trouble, cases};

const DEADLINE: Duration = Duration::from_secs(30);

fn client() -> Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        let installed = rustls::crypto::ring::default_provider().install_default();
        installed.expect("no other is installed");
    });
    Client::builder().timeout(DEADLINE).build().unwrap()
}

async fn served(case: &Case) -> FakeServer {
    served_with(case, ServerOptions::default()).await
}

async fn served_with(case: &Case, options: ServerOptions) -> FakeServer {
    FakeServer::start(case.model.clone(), options, || NOON_MS)
        .await
        .unwrap()
}

async fn ask(case: &Case, url: &str) -> Response {
    let (name, value) = &case.header;
    client().get(url).header(*name, value).send().await.unwrap()
}

async fn create(case: &Case, url: &str) -> reqwest::Result<Response> {
    let (name, value) = &case.header;
    let request = client().post(format!("{url}{}", case.create));
    request
        .header(*name, value)
        .header("content-type", "application/json")
        .body(case.body)
        .send()
        .await
}

fn content_type(response: &Response) -> String {
    let value = response.headers().get("content-type").unwrap();
    value.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_request_reaches_the_model_with_its_instant_and_comes_back_whole() {
    for case in cases() {
        let now_ms = Arc::new(AtomicI64::new(NOON_MS));
        let clock = now_ms.clone();
        let server = FakeServer::start(case.model.clone(), ServerOptions::default(), move || {
            clock.load(Ordering::SeqCst)
        })
        .await
        .unwrap();
        assert_eq!(server.url(), format!("http://{}", server.address()));

        let made = create(&case, &server.url()).await.unwrap();
        assert_eq!(made.status(), case.created, "{}", case.name);
        assert!(content_type(&made).starts_with("application/json"));
        let body: Value = serde_json::from_slice(&made.bytes().await.unwrap()).unwrap();
        assert!(body.is_object(), "{}: {body}", case.name);

        now_ms.store(NOON_MS + 1_234, Ordering::SeqCst);
        let listed = ask(&case, &format!("{}{}", server.url(), case.list)).await;
        assert_eq!(listed.status(), 200, "{}", case.name);
        let headers: Vec<&str> = listed
            .headers()
            .keys()
            .map(reqwest::header::HeaderName::as_str)
            .collect();
        assert!(headers.contains(&case.limit_header), "{headers:?}");
        let body: Value = serde_json::from_slice(&listed.bytes().await.unwrap()).unwrap();
        let found = body.pointer(case.found).and_then(Value::as_array).unwrap();
        assert_eq!(
            found.len(),
            1,
            "{}: the query came along: {body}",
            case.name
        );

        let model = case.model.lock().unwrap();
        assert_eq!(
            model.instants(),
            [NOON_MS, NOON_MS + 1_234],
            "{}",
            case.name
        );
        let tally = model.tally();
        assert_eq!(
            (tally.requests, tally.throttled, tally.unauthorized),
            (2, 0, 0)
        );
        assert!(tally.records[case.kind].made >= 1, "{tally:?}");
    }
}

#[tokio::test]
async fn a_wrong_credential_is_refused_and_counted() {
    for mut case in cases() {
        let server = served(&case).await;
        case.header.1 = "Bearer nobody".to_owned();
        let refused = ask(&case, &format!("{}{}", server.url(), case.list)).await;
        assert_eq!(refused.status(), 401, "{}", case.name);
        let tally = case.model.lock().unwrap().tally();
        assert_eq!(tally.unauthorized, 1, "{}", case.name);
        assert_eq!(tally.records.len(), 0, "{}", case.name);
    }
}

#[tokio::test]
async fn statuses_and_bodies_of_faults_are_passed_on() {
    for case in cases() {
        let server = served(&case).await;
        case.strike(Trouble::Page502);
        let page = ask(&case, &format!("{}{}", server.url(), case.list)).await;
        assert_eq!(page.status(), 502, "{}", case.name);
        assert!(
            content_type(&page).starts_with("text/html"),
            "{}",
            case.name
        );

        case.strike(Trouble::Status(500));
        let failed = ask(&case, &format!("{}{}", server.url(), case.list)).await;
        assert_eq!(failed.status(), 500, "{}", case.name);
        assert!(
            content_type(&failed).starts_with("application/json"),
            "{}",
            case.name
        );
        assert_eq!(case.model.lock().unwrap().tally().faulted, 2);
    }
}

/// The answer stops in the middle; the write is there.
#[tokio::test]
async fn a_cut_answer_is_no_json_though_the_request_was_carried_out() {
    for case in cases() {
        let server = served(&case).await;
        case.strike(Trouble::Truncate);
        let cut = create(&case, &server.url()).await.unwrap();
        assert_eq!(cut.status(), case.created, "{}", case.name);
        let body = cut.bytes().await.unwrap();
        assert!(!body.is_empty(), "{}", case.name);
        assert!(
            serde_json::from_slice::<Value>(&body).is_err(),
            "{}",
            case.name
        );
        assert_eq!(
            case.model.lock().unwrap().tally().records[case.kind].made,
            1
        );
    }
}

/// The answer is held back, the write is there.
#[tokio::test]
async fn an_answer_that_is_dropped_or_very_late_is_held_back_though_the_request_was_carried_out() {
    const HOUR_MS: u64 = 3_600_000;
    for trouble in [Trouble::Drop, Trouble::Slow(HOUR_MS)] {
        for case in cases() {
            let options = ServerOptions {
                drop_delay: Duration::from_millis(HOUR_MS),
                ..ServerOptions::default()
            };
            let server = served_with(&case, options).await;
            case.strike(trouble);
            let url = server.url();
            let asking = {
                let case = case.clone();
                tokio::spawn(async move { create(&case, &url).await.map(|it| it.status()) })
            };
            let applied = async {
                while case.model.lock().unwrap().tally().records.is_empty() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            tokio::time::timeout(DEADLINE, applied)
                .await
                .expect("the write is applied");
            assert!(!asking.is_finished(), "{}", case.name);
            asking.abort();
        }
    }
}

/// wiremock's copies of old requests are thrown away while requests keep coming; none of them may miss the model.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_is_lost_while_old_ones_are_forgotten() {
    for case in cases() {
        let options = ServerOptions {
            // Every second request or so.
            forget_after_bytes: 2_000,
            ..ServerOptions::default()
        };
        let server = served_with(&case, options).await;
        let mut asking = Vec::new();
        for _ in 0..8 {
            let (case, url) = (case.clone(), server.url());
            asking.push(tokio::spawn(async move {
                let client = client();
                let mut statuses = BTreeSet::new();
                for _ in 0..50 {
                    let (name, value) = &case.header;
                    let request = client.post(format!("{url}{}", case.create));
                    let request = request
                        .header(*name, value)
                        .header("content-type", "application/json")
                        .body(case.body);
                    statuses.insert(request.send().await.unwrap().status().as_u16());
                }
                statuses
            }));
        }
        for task in asking {
            // Over the limit or not, every answer is the model's.
            let statuses = task.await.unwrap();
            let known = [case.created, 429];
            assert!(
                statuses.iter().all(|it| known.contains(it)),
                "{}: {statuses:?}",
                case.name
            );
        }
        let tally = case.model.lock().unwrap().tally();
        assert_eq!(tally.requests, 400, "{}", case.name);
        let made = tally.records[case.kind].made;
        assert_eq!(made + tally.throttled, 400, "{}: {tally:?}", case.name);
    }
}

#[tokio::test]
async fn a_fixed_address_is_used_and_a_taken_one_is_an_error() {
    for case in cases() {
        let first = served(&case).await;
        let options = ServerOptions {
            listen: Some(first.address()),
            ..ServerOptions::default()
        };
        let taken = FakeServer::start(case.model.clone(), options, || NOON_MS).await;
        assert_eq!(taken.unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
    }
}
