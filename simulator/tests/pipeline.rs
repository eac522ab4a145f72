//! The whole path in real time: publish → broker → worker → fake HubSpot → ledger → acknowledgement.

use std::time::Duration;

use callflume_core::event::{Body, ContactRef, Draft};
use callflume_core::lane::Lane;
use callflume_core::time::WallTime;
use callflume_sim::hubspot::ObjectKind;
use callflume_sim::live::stage::{Stage, StageSettings, TOKEN, epoch_ms};
use callflume_testkit::wait_for;
use tokio::sync::watch;

const DEADLINE: Duration = Duration::from_secs(60);

struct Running {
    stage: Stage,
    publisher: callflume_client::Publisher,
    stop: watch::Sender<bool>,
    worker: tokio::task::JoinHandle<Result<(), callflume_worker::Error>>,
    token: tempfile::NamedTempFile,
}

impl Running {
    async fn start(contacts: u32) -> Self {
        let mut stage = Stage::raise(StageSettings {
            contacts,
            ..StageSettings::default()
        })
        .await
        .unwrap();
        let token = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(token.path(), TOKEN).unwrap();
        stage.config.token =
            callflume_core::config::SecretRef::File(token.path().display().to_string());
        let accounts =
            std::collections::BTreeMap::from([(stage.account.clone(), stage.config.clone())]);
        callflume_worker::apply_configs(&stage.broker, &accounts, true)
            .await
            .unwrap();
        let publisher =
            callflume_client::Publisher::connect(callflume_client::Settings::at([stage
                .server
                .url()]))
            .await
            .unwrap();
        let (stop, stopped) = watch::channel(false);
        let worker = tokio::spawn(callflume_worker::run(
            callflume_worker::Settings::new(stage.broker_settings()),
            stopped,
        ));
        Self {
            stage,
            publisher,
            stop,
            worker,
            token,
        }
    }

    async fn publish(
        &self,
        lane: Lane,
        kind: &str,
        call_id: &str,
        phone: &str,
        body: serde_json::Value,
    ) -> callflume_client::Receipt {
        let event = Draft {
            call_id: call_id.to_owned(),
            kind: kind.to_owned(),
            at: WallTime(epoch_ms()),
            revision: None,
            contact: ContactRef {
                phone: Some(phone.to_owned()),
                name: Some("Ada Example".to_owned()),
                ..ContactRef::default()
            },
            body: body
                .as_object()
                .unwrap()
                .clone()
                .into_iter()
                .collect::<Body>(),
        }
        .into_event(&self.stage.account);
        self.publisher
            .publish(&self.stage.account, lane, &event)
            .await
            .unwrap()
    }

    fn count(&self, object: ObjectKind) -> usize {
        self.stage.model().records(object).count()
    }

    async fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        wait_for(what, DEADLINE, async || condition(self).then_some(()))
            .await
            .unwrap();
    }

    async fn stop(self) {
        self.stop.send_replace(true);
        self.worker.await.unwrap().unwrap();
        drop(self.token);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_an_unknown_caller_makes_one_contact_and_one_call_and_nothing_twice() {
    let running = Running::start(0).await;
    let body = serde_json::json!({"disposition": "connected", "direction": "inbound", "duration_ms": 185_000, "summary": "Moved to Tuesday."});
    running
        .publish(
            Lane::Op,
            "call_started",
            "call-1",
            "+12025550143",
            serde_json::json!({}),
        )
        .await;
    running
        .publish(
            Lane::Op,
            "call_ended",
            "call-1",
            "+12025550143",
            body.clone(),
        )
        .await;
    running
        .publish(
            Lane::En,
            "note_added",
            "call-1",
            "+12025550143",
            serde_json::json!({"text": "Prefers mornings."}),
        )
        .await;
    running
        .publish(
            Lane::En,
            "sentiment_tagged",
            "call-1",
            "+12025550143",
            serde_json::json!({"sentiment": "positive"}),
        )
        .await;
    running
        .until("contact, call and note", |r| {
            r.count(ObjectKind::Notes) == 1 && r.count(ObjectKind::Calls) == 1
        })
        .await;
    running
        .until("the call's sentiment", |r| {
            r.stage
                .model()
                .records(ObjectKind::Calls)
                .next()
                .is_some_and(|call| call.property("callflume_sentiment") == Some("positive"))
        })
        .await;
    assert_eq!(running.count(ObjectKind::Contacts), 1);
    let corrected = serde_json::json!({"disposition": "connected", "direction": "inbound", "duration_ms": 185_000, "summary": "Moved to Wednesday."});
    running
        .publish(Lane::Op, "call_ended", "call-1", "+12025550143", corrected)
        .await;
    running
        .until("the corrected summary", |r| {
            r.stage
                .model()
                .records(ObjectKind::Calls)
                .next()
                .is_some_and(|call| call.property("hs_call_body") == Some("Moved to Wednesday."))
        })
        .await;
    assert_eq!(
        (
            running.count(ObjectKind::Contacts),
            running.count(ObjectKind::Calls),
            running.count(ObjectKind::Notes)
        ),
        (1, 1, 1)
    );
    assert!(running.stage.model().counters().throttled.is_empty());
    running.stop().await;
}
