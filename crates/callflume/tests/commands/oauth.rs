//! An account that renews its access token: checked, at work, revoked, and resumed with one command.

use std::sync::{Arc, Mutex};

use callflume_sim::hubspot::ObjectKind;
use callflume_testkit::wait_for;
use serde_json::json;
use wiremock::matchers::{body_string_contains, method, path};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::crm::Crm;
use crate::program::{DEADLINE, Program, Ran, finish, provisioned, signal};

const KEY: &str = "a2V5IG9uZSBrZXkgb25lIGtleSBvbmUga2V5IG9uZSE=";

/// The token address: grants what the fake CRM takes, to who shows the refresh token that is good.
struct Address {
    good: Arc<Mutex<&'static str>>,
}

impl Respond for Address {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let form = String::from_utf8_lossy(&request.body);
        if form.contains(&format!("refresh_token={}&", self.good.lock().unwrap())) {
            ResponseTemplate::new(200).set_body_json(json!({
                "access_token": "sim-token", "refresh_token": *self.good.lock().unwrap(), "expires_in": 1_800,
            }))
        } else {
            ResponseTemplate::new(400).set_body_json(json!({
                "status": "BAD_REFRESH_TOKEN", "message": "missing or invalid refresh token",
            }))
        }
    }
}

async fn address() -> (MockServer, Arc<Mutex<&'static str>>) {
    let server = MockServer::start().await;
    let good = Arc::new(Mutex::new("refresh-1"));
    Mock::given(method("POST"))
        .and(path("/token"))
        .and(body_string_contains("client_secret=app-secret"))
        .respond_with(Address { good: good.clone() })
        .mount(&server)
        .await;
    (server, good)
}

fn write(program: &Program, crm: &Crm, token_url: &str) {
    for (file, text) in [
        ("id", "app-id"),
        ("secret", "app-secret"),
        ("refresh", "refresh-1\n"),
    ] {
        program.write(file, text);
    }
    let text = format!(
        "[accounts.acme]\ncrm = \"hubspot\"\nprofile = \"private_professional\"\nbase_url = \"{}\"\n\
         time_zone = \"America/New_York\"\n[accounts.acme.oauth]\nclient_id = {{ file = \"id\" }}\n\
         client_secret = {{ file = \"secret\" }}\nrefresh_token = {{ file = \"refresh\" }}\n\
         token_url = \"{token_url}/token\"\n",
        crm.url()
    );
    program.write("callflume.toml", text);
}

async fn run_with_key(program: &Program, key: &str, arguments: &str) -> Ran {
    let child = program
        .command(arguments.split_whitespace())
        .env("CALLFLUME_TOKEN_KEY", key)
        .spawn()
        .unwrap();
    finish(child, b"").await
}

#[tokio::test]
async fn a_revoked_consent_pauses_the_account_and_one_command_resumes_it() {
    let crm = Crm::start().await;
    let (tokens, good) = address().await;
    let (_server, program) = provisioned().await;
    write(&program, &crm, &tokens.uri());
    program.run("provision").await.expect(0);
    // Without a worker, and without the key, the check asks for a token of its own.
    program
        .run("account prepare acme --apply")
        .await
        .expect(0)
        .says("✓ scope crm.objects.contacts.write");

    *good.lock().unwrap() = "refresh-2";
    program
        .run("account check acme")
        .await
        .expect(1)
        .says("error CF2211:")
        .says("bad_refresh_token")
        .says("account resume");
    let worker = program
        .command(["worker", "-v"])
        .env("CALLFLUME_TOKEN_KEY", KEY)
        .spawn()
        .unwrap();
    let event = json!({
        "call_id": "call-1", "kind": "call_ended", "at": 1_791_372_298_750_i64,
        "contact": {"phone": "+12025550143"}, "body": {"disposition": "connected"},
    });
    program
        .run_with("publish --account acme -", event.to_string().as_bytes())
        .await
        .expect(0);
    let account = async || {
        let status = program.run("status --json").await.expect(0).document();
        status["accounts"][0].clone()
    };
    let alert = wait_for("the alert", DEADLINE, async || {
        let told = account().await["reported"]["alert"].clone();
        told.as_str().map(str::to_owned)
    })
    .await
    .unwrap();
    assert!(
        alert.contains("CF2211") && alert.contains("account resume"),
        "{alert}"
    );
    let before = tokens.received_requests().await.unwrap().len();
    assert_eq!(account().await["reported"]["settled"], 0);

    program.write("refresh", "refresh-2\n");
    program
        .run("account resume acme")
        .await
        .expect(0)
        .says("goes on with acme");
    wait_for("the call in the CRM, and no alert", DEADLINE, async || {
        let now = account().await;
        let calls = crm.model.lock().unwrap().records(ObjectKind::Calls).count();
        let over = now["reported"]["alert"].is_null();
        (calls == 1 && over && now["reported"]["settled"] == 1).then_some(())
    })
    .await
    .unwrap();

    // What the worker has stored is good for the check: nobody is asked again.
    let asked = tokens.received_requests().await.unwrap().len();
    assert!(asked > before);
    run_with_key(&program, KEY, "account check acme")
        .await
        .expect(0);
    assert_eq!(tokens.received_requests().await.unwrap().len(), asked);

    signal(&worker, "TERM").await;
    let ended = finish(worker, b"").await.expect(0);
    for secret in ["app-secret", "refresh-1", "refresh-2", "sim-token", KEY] {
        assert!(!ended.stderr.contains(secret), "{secret}: {ended:?}");
    }
}

#[tokio::test]
async fn a_worker_without_the_key_says_so_and_sends_nothing() {
    let crm = Crm::start().await;
    let (tokens, _good) = address().await;
    let (_server, program) = provisioned().await;
    write(&program, &crm, &tokens.uri());
    program.run("provision").await.expect(0);
    let worker = program.command(["worker"]).spawn().unwrap();
    wait_for("the alert", DEADLINE, async || {
        let status = program.run("status --json").await.expect(0).document();
        let alert = status["accounts"][0]["reported"]["alert"].clone();
        alert
            .as_str()
            .is_some_and(|alert| alert.contains("CF3111"))
            .then_some(())
    })
    .await
    .unwrap();
    assert!(tokens.received_requests().await.unwrap().is_empty());
    signal(&worker, "TERM").await;
    finish(worker, b"")
        .await
        .expect(0)
        .says("CALLFLUME_TOKEN_KEY");
    // A key that is none ends at once.
    for command in ["worker", "account check acme"] {
        let ran = run_with_key(&program, "not-a-key-at-all", command).await;
        let ran = ran.expect(3).says("error CF3111:").says("openssl rand");
        assert!(!ran.stderr.contains("not-a-key-at-all"), "{ran:?}");
    }
}
