//! `callflume-sim fake`, run as people and scripts run it.

use std::process::Stdio;
use std::sync::Once;
use std::time::Duration;

use reqwest::{Client, Method, Response};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

const DEADLINE: Duration = Duration::from_secs(30);
const VENDORS: [&str; 4] = ["hubspot", "salesforce", "close", "pipedrive"];

fn client() -> Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        let installed = rustls::crypto::ring::default_provider().install_default();
        installed.expect("no other is installed");
    });
    Client::builder().timeout(DEADLINE).build().unwrap()
}

fn command(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_callflume-sim"));
    command
        .arg("fake")
        .args(arguments.split_whitespace())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// A fake that runs.
struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    said: Value,
}

impl Running {
    async fn start(arguments: &str) -> Self {
        let mut child = command(&format!("{arguments} --json")).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = tokio::time::timeout(DEADLINE, lines.next_line())
            .await
            .expect("it says where it listens")
            .unwrap();
        let Some(first) = first else {
            let mut errors = String::new();
            let mut stderr = child.stderr.take().unwrap();
            stderr.read_to_string(&mut errors).await.unwrap();
            panic!("it ended: {errors}");
        };
        Self {
            said: serde_json::from_str(&first).unwrap(),
            child,
            lines,
        }
    }

    fn text(&self, pointer: &str) -> String {
        let value = self.said.pointer(pointer).and_then(Value::as_str);
        value
            .unwrap_or_else(|| panic!("{pointer} in {}", self.said))
            .to_owned()
    }

    /// What it suggests to try, with the header it names and this credential in it.
    async fn tried(&self, credential: &str) -> Response {
        let name = self.text("/header/name");
        client()
            .get(self.text("/try"))
            .header(name, credential)
            .send()
            .await
            .unwrap()
    }

    /// Ends it as Ctrl-C does; exit code and what it sums up.
    async fn ended(mut self, signal: &str) -> (Option<i32>, Value) {
        let pid = self.child.id().expect("it runs").to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().await;
        assert!(sent.unwrap().success());
        let last = tokio::time::timeout(DEADLINE, self.lines.next_line())
            .await
            .expect("it sums up")
            .unwrap()
            .expect("a line");
        let status = tokio::time::timeout(DEADLINE, self.child.wait()).await;
        let status = status.expect("it ends").unwrap();
        (status.code(), serde_json::from_str(&last).unwrap())
    }
}

async fn json(response: Response) -> Value {
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

#[tokio::test]
async fn what_it_suggests_works_limits_stand_and_ctrl_c_sums_up() {
    for (vendor, found, limit) in [
        ("hubspot", "/results", ("x-hubspot-ratelimit-max", "190")),
        ("salesforce", "/records", ("sforce-limit-info", "/200000")),
        ("close", "/data", ("ratelimit", "limit=20")),
        ("pipedrive", "/data", ("x-ratelimit-limit", "40")),
    ] {
        let fake = Running::start(&format!("{vendor} --contacts 3 --token t0ken")).await;
        assert_eq!(fake.text("/event"), "listening");
        assert_eq!(fake.text("/vendor"), vendor);
        assert!(!fake.text("/url").ends_with(":0"), "the port is told");
        assert!(fake.text("/first_number").starts_with('+'));
        assert!(!fake.said["limits"].as_array().unwrap().is_empty());

        let listed = fake.tried(&fake.text("/header/value")).await;
        assert_eq!(listed.status(), 200, "{vendor}");
        let header = listed.headers().get(limit.0);
        let header = header.unwrap_or_else(|| panic!("{vendor}: {:?}", listed.headers()));
        assert!(
            header.to_str().unwrap().contains(limit.1),
            "{vendor}: {header:?}"
        );
        let body = json(listed).await;
        let contacts = body.pointer(found).and_then(Value::as_array).unwrap();
        assert_eq!(contacts.len(), 3, "{vendor}: {body}");
        assert_eq!(fake.tried("Bearer nobody").await.status(), 401, "{vendor}");

        let (code, summed) = fake.ended("-INT").await;
        assert_eq!(code, Some(0), "{vendor}");
        assert_eq!(summed["event"], "ended");
        assert_eq!(summed["requests"], 2, "{vendor}: {summed}");
        assert_eq!(summed["unauthorized"], 1);
        assert_eq!(summed["throttled"], 0);
        assert_eq!(summed["statuses"], serde_json::json!({"200": 1, "401": 1}));
        assert_eq!(
            summed["records"],
            serde_json::json!({}),
            "seeds are no writes"
        );
    }
}

#[tokio::test]
async fn a_refreshed_access_token_is_accepted_and_points_back_here() {
    for (vendor, path, points_back) in [
        ("hubspot", "/crm/v3/objects/contacts", None),
        (
            "salesforce",
            "/services/data/v66.0/limits",
            Some("instance_url"),
        ),
        ("close", "/api/v1/me/", None),
        ("pipedrive", "/api/v1/users/me", Some("api_domain")),
    ] {
        let fake = Running::start(&format!("{vendor} --contacts 0")).await;
        let (id, secret) = (
            fake.text("/oauth/client_id"),
            fake.text("/oauth/client_secret"),
        );
        let mut form = format!(
            "grant_type=refresh_token&refresh_token={}",
            fake.text("/oauth/refresh_token")
        );
        let mut request = client()
            .post(fake.text("/oauth/url"))
            .header("content-type", "application/x-www-form-urlencoded");
        if fake.said["oauth"]["basic_client"] == true {
            request = request.basic_auth(&id, Some(&secret));
        } else {
            form = format!("{form}&client_id={id}&client_secret={secret}");
        }
        let granted = request.body(form).send().await.unwrap();
        assert_eq!(granted.status(), 200, "{vendor}");
        let granted = json(granted).await;
        let url = fake.text("/url");
        if let Some(field) = points_back {
            assert_eq!(granted[field], url.as_str(), "{vendor}");
        }
        let token = granted["access_token"].as_str().unwrap();
        let asked = client().get(format!("{url}{path}")).bearer_auth(token);
        assert_eq!(asked.send().await.unwrap().status(), 200, "{vendor}");
        let (code, summed) = fake.ended("-TERM").await;
        assert_eq!(
            (code, &summed["requests"]),
            (Some(0), &2.into()),
            "{vendor}"
        );
    }
}

#[tokio::test]
async fn faults_hit_what_they_name_and_writes_are_summed_up_by_kind() {
    for (vendor, path, body, created, kind) in [
        (
            "hubspot",
            "/crm/v3/objects/contacts",
            r#"{"properties":{}}"#,
            201,
            "contacts",
        ),
        (
            "salesforce",
            "/services/data/v66.0/sobjects/Contact",
            r#"{"LastName":"Lind"}"#,
            201,
            "Contact",
        ),
        ("close", "/api/v1/lead/", r#"{"name":"Lind"}"#, 200, "lead"),
        (
            "pipedrive",
            "/api/v2/persons",
            r#"{"name":"Lind"}"#,
            200,
            "person",
        ),
    ] {
        let fake = Running::start(&format!(
            "{vendor} --contacts 0 --fault status,status=503,method=post,times=1 \
             --fault throttled,method=get,skip=1,times=1 --no-limits"
        ))
        .await;
        assert_eq!(fake.said["limits"], serde_json::json!([]));
        assert_eq!(fake.said["profile"], Value::Null);
        let (url, value) = (fake.text("/url"), fake.text("/header/value"));
        let mut statuses = Vec::new();
        for (method, path) in [(Method::POST, path), (Method::POST, path)] {
            let request = client()
                .request(method, format!("{url}{path}"))
                .header(fake.text("/header/name"), &value)
                .header("content-type", "application/json")
                .body(body);
            statuses.push(request.send().await.unwrap().status().as_u16());
        }
        for _ in 0..3 {
            statuses.push(fake.tried(&value).await.status().as_u16());
        }
        // Salesforce refuses with another status when the day is used up.
        let throttled = if vendor == "salesforce" { 403 } else { 429 };
        assert_eq!(statuses, [503, created, 200, throttled, 200], "{vendor}");
        let (_, summed) = fake.ended("-INT").await;
        assert_eq!(summed["faulted"], 2, "{vendor}: {summed}");
        let written = serde_json::json!({kind: {"made": 1, "changed": 0}});
        assert_eq!(summed["records"], written, "{vendor}");
    }
}

/// Sixty searches at once, where HubSpot lets five through in any second.
#[tokio::test]
async fn limits_are_on_unless_they_are_taken_away() {
    for (more, refused) in [("", true), (" --no-limits", false)] {
        let fake = Running::start(&format!("hubspot{more} --contacts 1")).await;
        let name = fake.text("/header/name");
        let (url, value) = (fake.text("/url"), fake.text("/header/value"));
        let client = client();
        let asking = (0..60).map(|_| {
            client
                .post(format!("{url}/crm/v3/objects/contacts/search"))
                .header(&name, &value)
                .header("content-type", "application/json")
                .body(r#"{"limit":1}"#)
                .send()
        });
        let answers = futures_util::future::join_all(asking).await;
        let throttled = answers
            .into_iter()
            .filter(|answer| answer.as_ref().unwrap().status() == 429)
            .count();
        assert_eq!(throttled > 0, refused, "{throttled} throttled{more}");
        let (_, summed) = fake.ended("-INT").await;
        assert_eq!(summed["throttled"], throttled);
    }
}

#[tokio::test]
async fn people_read_where_it_is_how_to_try_it_and_what_came_of_it() {
    let mut child = command("close --contacts 5 --seed 7 --fault throttled,times=1")
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said = String::new();
    while !said.contains("Ctrl-C ends it") {
        let line = tokio::time::timeout(DEADLINE, lines.next_line()).await;
        said.push_str(&line.unwrap().unwrap().expect("it goes on"));
        said.push('\n');
    }
    for expected in [
        "fake close at http://127.0.0.1:",
        "sim-token",
        "strict_search",
        "search: 5 requests in any second",
        "5, the first calls from +",
        "curl -s -H 'authorization: Basic ",
        "crm = \"close\"",
        "base_url = \"http://127.0.0.1:",
    ] {
        assert!(said.contains(expected), "`{expected}` in {said}");
    }
    let pid = child.id().unwrap().to_string();
    let sent = Command::new("kill").args(["-INT", &pid]).status().await;
    assert!(sent.unwrap().success());
    let mut summed = String::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        summed.push_str(&line);
        summed.push('\n');
    }
    assert!(summed.contains("0 requests\n"), "{summed}");
    assert!(summed.contains("no record was written"), "{summed}");
}

#[tokio::test]
async fn wrong_arguments_are_refused_with_what_would_be_right() {
    for (arguments, suggestion) in [
        ("hubspoot", "hubspot"),
        ("", "<VENDOR>"),
        ("close --profile growth_api_token", "strict_search"),
        ("pipedrive --profile none", "growth_api_token"),
        ("hubspot --fault trottled", "`throttled`"),
        ("hubspot --fault status", "add `status`, such as 503"),
        ("close --fault locked,times=1", "use another kind of fault"),
        ("hubspot --contacts 1000000", "numbers are left"),
        ("hubspot --port 70000", "65535"),
        ("hubspot --token ü", "ASCII"),
        (
            "hubspot --no-limits --profile public_oauth",
            "cannot be used with",
        ),
    ] {
        let ran = command(arguments).output().await.unwrap();
        let errors = String::from_utf8(ran.stderr).unwrap();
        assert_eq!(ran.status.code(), Some(2), "{arguments}: {errors}");
        assert!(errors.contains(suggestion), "{arguments}: {errors}");
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_with_a_way_out() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let ran = command(&format!("hubspot --port {port}")).output().await;
    let ran = ran.unwrap();
    let errors = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(3), "{errors}");
    assert!(errors.contains(&port.to_string()), "{errors}");
    assert!(errors.contains("--port 0"), "{errors}");
}

#[tokio::test]
async fn help_teaches() {
    let ran = command("--help").output().await.unwrap();
    let help = String::from_utf8(ran.stdout).unwrap();
    // Where its lines break is the terminal's business.
    let help: Vec<&str> = help.split_whitespace().collect();
    let help = help.join(" ");
    for vendor in VENDORS {
        assert!(help.contains(vendor), "{vendor} in {help}");
    }
    for expected in [
        "Examples:",
        "Exit codes:",
        "execute_then_drop",
        "status=503",
        "account prepare",
    ] {
        assert!(help.contains(expected), "`{expected}` in {help}");
    }
}
