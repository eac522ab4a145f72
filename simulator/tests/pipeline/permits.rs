//! Processes that are not Callflume ask the owner for permits on the same credential.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use callflume_core::account::AccountId;
use callflume_core::codes;
use callflume_core::foreign::{Granted, PermitAsk, PermitReply, PermitSettle, Subject};
use callflume_core::lane::Lane;
use callflume_core::quota::Settlement;
use callflume_core::vendor::{Answer, Content, HttpRequest, Method};
use callflume_sim::hubspot::ObjectKind;
use callflume_testkit::wait_for;
use callflume_worker::{Sender, resolve_secret, services};
use serde_json::json;

use crate::harness::{DEADLINE, Running};

/// What our share of the CRM's five searches a second comes to.
const SEARCHES: u32 = 4;
/// One that finds nobody.
const SEARCH: &str = r#"{"filterGroups":[{"filters":[{"propertyName":"email","operator":"EQ","value":"nobody@example.com"}]}],"limit":1}"#;
/// Requests of each process.
const EACH: usize = 8;

/// Somebody else on the account's credential.
struct Process {
    client: async_nats::Client,
    account: AccountId,
    sender: Sender,
    token: callflume_core::config::SecretRef,
}

impl Process {
    async fn start(running: &Running) -> Self {
        let options = async_nats::ConnectOptions::new().request_timeout(Some(DEADLINE));
        Self {
            client: options.connect(running.stage.server.url()).await.unwrap(),
            account: running.stage.account.clone(),
            sender: Sender::new(&running.stage.config).unwrap(),
            token: running.stage.config.token.clone().unwrap(),
        }
    }

    async fn reply_to(&self, body: Vec<u8>) -> PermitReply {
        let subject = Subject::Ask.of(&self.account);
        let reply = self.client.request(subject, body.into()).await.unwrap();
        serde_json::from_slice(&reply.payload).unwrap()
    }

    /// Asks until there is a permit; with the instant of the ask.
    async fn permit(&self, lane: Lane) -> (Instant, Granted) {
        let ask = PermitAsk {
            lane,
            windows: [("search".to_owned(), 1), ("daily".to_owned(), 1)].into(),
            answer_within_ms: 5_000,
        };
        loop {
            let asked = Instant::now();
            match self.reply_to(serde_json::to_vec(&ask).unwrap()).await {
                PermitReply::Granted(granted) => return (asked, granted),
                PermitReply::Wait(wait) => {
                    tokio::time::sleep(Duration::from_millis(wait.wait_ms)).await;
                }
                PermitReply::Refused(refusal) => panic!("{refusal:?}"),
            }
        }
    }

    /// One search, within its permit's times.
    async fn search(&self, (asked, granted): (Instant, Granted)) -> PermitSettle {
        let mut settle = PermitSettle {
            permit: granted.permit,
            outcome: Settlement::NotSent,
            throttled: None,
            headers: BTreeMap::new(),
        };
        let ends = asked + Duration::from_millis(granted.end_within_ms);
        if asked.elapsed() > Duration::from_millis(granted.send_within_ms) {
            return settle;
        }
        let request = HttpRequest {
            method: Method::Post,
            path: "/crm/v3/objects/contacts/search".to_owned(),
            body: Some(SEARCH.as_bytes().to_vec()),
            content: Content::Json,
        };
        let token = resolve_secret(&self.token).unwrap();
        let timeout = ends.saturating_duration_since(Instant::now());
        let lease = Instant::now() + DEADLINE;
        let answer = self.sender.send(&request, &token, timeout, lease).await;
        settle.outcome = match answer {
            Answer::Response {
                status, headers, ..
            } => {
                assert_eq!(status, 200);
                settle.headers = headers.into_iter().collect();
                Settlement::Answered
            }
            Answer::Lost => Settlement::Unanswered,
            Answer::NotSent => Settlement::NotSent,
        };
        settle
    }

    async fn settle(&self, settle: &PermitSettle) {
        let body = serde_json::to_vec(settle).unwrap();
        let subject = Subject::Settle.of(&self.account);
        self.client.publish(subject, body.into()).await.unwrap();
        self.client.flush().await.unwrap();
    }

    /// Sends what it has to send; of its first permit it never says a word.
    async fn work(&self, lane: Lane) {
        for n in 0..EACH {
            let permit = self.permit(lane).await;
            let settle = self.search(permit).await;
            if n > 0 {
                self.settle(&settle).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_and_the_worker_share_a_credential_and_never_exceed_its_limit() {
    let running = Running::start(0).await;
    let callers: Vec<String> = (0..10).map(|n| format!("+120255501{n:02}")).collect();
    running
        .publish(Lane::Op, "call_started", "call-0", &callers[0], json!({}))
        .await;
    // The account has an owner.
    running
        .until("the first contact", |r| r.count(ObjectKind::Contacts) == 1)
        .await;
    let (first, second) = (
        Process::start(&running).await,
        Process::start(&running).await,
    );
    let calls = async {
        for (n, caller) in callers.iter().enumerate().skip(1) {
            let call = format!("call-{n}");
            running
                .publish(Lane::Op, "call_started", &call, caller, json!({}))
                .await;
        }
        running
            .until("everyone's contact", |r| {
                r.count(ObjectKind::Contacts) == callers.len()
            })
            .await;
    };
    tokio::join!(calls, first.work(Lane::Op), second.work(Lane::En));

    let counters = running.stage.model().counters().clone();
    assert_eq!(counters.over_limit, 0, "{counters:?}");
    assert!(counters.max_in_search_interval <= SEARCHES, "{counters:?}");
    // What nobody settled comes back.
    wait_for("free searches", DEADLINE, async || {
        let all = services::status(&running.stage.broker, Duration::from_secs(2))
            .await
            .unwrap();
        let account = all.first()?.accounts.first()?;
        let (_, used, allowed) = account.windows.iter().find(|(name, ..)| name == "search")?;
        assert!(*used <= SEARCHES);
        (account.lent >= 2 * EACH as u64 && (*used, *allowed) == (0, SEARCHES)).then_some(())
    })
    .await
    .unwrap();
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ask_that_cannot_be_used_is_told_why_and_without_an_owner_nobody_answers() {
    let running = Running::start(0).await;
    let mut process = Process::start(&running).await;
    let refused = wait_for("an owner", DEADLINE, async || {
        let subject = Subject::Ask.of(&process.account);
        let body = r#"{"lane":"op","windows":{"hourly":1}}"#;
        let reply = process.client.request(subject, body.into()).await.ok()?;
        serde_json::from_slice::<PermitReply>(&reply.payload).ok()
    })
    .await
    .unwrap();
    let PermitReply::Refused(refusal) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(refusal.code, codes::PERMIT_ASK);
    assert!(
        refusal.text.contains("ten_secondly, search, daily"),
        "{refusal:?}"
    );
    let unreadable = process.reply_to(b"{".to_vec()).await;
    assert!(
        matches!(unreadable, PermitReply::Refused(_)),
        "{unreadable:?}"
    );
    // A settlement that can't be read, or is of no permit, changes nothing.
    let settle = Subject::Settle.of(&process.account);
    for body in ["{", r#"{"permit":"none","outcome":"not_sent"}"#] {
        process
            .client
            .publish(settle.clone(), body.into())
            .await
            .unwrap();
    }
    process.permit(Lane::Op).await;

    process.account = "nobody".parse().unwrap();
    let nobody = process
        .client
        .request(Subject::Ask.of(&process.account), "{}".into());
    let error = nobody.await.unwrap_err();
    assert_eq!(error.kind(), async_nats::RequestErrorKind::NoResponders);
    running.stop().await;
}
