//! A running pipeline for tests: broker, fake HubSpot, one worker in this process, one publisher.

use std::time::Duration;

use callflume_core::event::{Body, ContactRef, Draft};
use callflume_core::lane::Lane;
use callflume_core::time::WallTime;
use callflume_sim::hubspot::ObjectKind;
use callflume_sim::live::stage::{Stage, StageSettings, TOKEN, epoch_ms};
use callflume_testkit::wait_for;
use tokio::sync::watch;

pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) struct Running {
    pub(crate) stage: Stage,
    pub(crate) publisher: callflume_client::Publisher,
    stop: watch::Sender<bool>,
    worker: tokio::task::JoinHandle<Result<(), callflume_worker::Error>>,
    token: tempfile::NamedTempFile,
}

impl Running {
    pub(crate) async fn start(contacts: u32) -> Self {
        let mut stage = Stage::raise(StageSettings {
            contacts,
            ..StageSettings::default()
        })
        .await
        .unwrap();
        let token = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(token.path(), TOKEN).unwrap();
        stage.config.token = Some(callflume_core::config::SecretRef::File(
            token.path().display().to_string(),
        ));
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

    pub(crate) async fn publish(
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

    pub(crate) fn count(&self, object: ObjectKind) -> usize {
        self.stage.model().records(object).count()
    }

    pub(crate) async fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        wait_for(what, DEADLINE, async || condition(self).then_some(()))
            .await
            .unwrap();
    }

    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        self.worker.await.unwrap().unwrap();
        drop(self.token);
    }
}
