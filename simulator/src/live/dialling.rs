//! The outbound dialler of a run in real time: what it hears on `advice.v1.<account>`, and what it then does.
//!
//! What it heard last stands. A word that it doesn't know it takes for `slow`, and so a silence of [`SILENCE`], as the
//! contract for publishers asks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use callflume_core::account::AccountId;
use callflume_core::quota::{Advice, AdviceMessage};
use futures_util::StreamExt as _;
use tokio::task::JoinHandle;

use crate::traffic::{Dialler, Plan};

/// After so long without a message nobody owns the account (docs/contract.md).
const SILENCE: Duration = Duration::from_secs(90);

/// A dialler that listens. It stops listening when the last copy is dropped.
#[derive(Debug, Clone)]
pub(super) struct Dialling {
    dialler: Arc<Mutex<Dialler>>,
    listening: Arc<Option<Listening>>,
}

#[derive(Debug)]
struct Listening(JoinHandle<()>);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Dialling {
    /// A dialler that places every call.
    pub(super) fn deaf(plan: &Plan) -> Self {
        Self {
            dialler: Arc::new(Mutex::new(Dialler::new(plan))),
            listening: Arc::new(None),
        }
    }

    /// A dialler that obeys what is said about the plan's account.
    pub(super) async fn listening(
        plan: &Plan,
        client: &async_nats::Client,
    ) -> Result<Self, async_nats::SubscribeError> {
        let mut heard = client
            .subscribe(AdviceMessage::subject(&plan.account))
            .await?;
        let mut dialling = Self::deaf(plan);
        let dialler = dialling.dialler.clone();
        let account = plan.account.clone();
        let listening = tokio::spawn(async move {
            loop {
                let advised = match tokio::time::timeout(SILENCE, heard.next()).await {
                    Ok(Some(message)) => advice(&account, &message.payload),
                    Ok(None) => return,
                    Err(_) => Some(Advice::Slow),
                };
                if let Some(advised) = advised {
                    lock(&dialler).hear(advised);
                }
            }
        });
        dialling.listening = Arc::new(Some(Listening(listening)));
        Ok(dialling)
    }

    /// The dialler.
    pub(super) fn dialler(&self) -> MutexGuard<'_, Dialler> {
        lock(&self.dialler)
    }
}

fn lock(dialler: &Mutex<Dialler>) -> MutexGuard<'_, Dialler> {
    dialler.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a message advises; nothing when it is about another account.
fn advice(account: &AccountId, payload: &[u8]) -> Option<Advice> {
    match serde_json::from_slice::<AdviceMessage>(payload) {
        Ok(message) => (message.account == *account).then_some(message.advice),
        Err(error) => {
            tracing::warn!(%account, %error, "advice that can't be read is taken for `slow`");
            Some(Advice::Slow)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use callflume_testkit::Server;

    use super::*;
    use crate::scenario::Scenario;

    #[test]
    fn advice_is_read_as_the_contract_says() {
        let account: AccountId = "acme".parse().unwrap();
        let said = |account: &str, word: &str| {
            format!(
                r#"{{"schema":1,"account":"{account}","advice":"{word}","since":1,"reason":"r","further":true}}"#
            )
        };
        for (payload, expected) in [
            (said("acme", "ok"), Some(Advice::Ok)),
            (said("acme", "slow"), Some(Advice::Slow)),
            (said("acme", "stop"), Some(Advice::Stop)),
            (said("acme", "tomorrow"), Some(Advice::Slow)),
            ("no JSON".to_owned(), Some(Advice::Slow)),
            (said("other", "stop"), None),
        ] {
            assert_eq!(advice(&account, payload.as_bytes()), expected, "{payload}");
        }
    }

    fn plan() -> Plan {
        let text = "name = \"x\"\nseed = 1\nduration_s = 60\n[calls]\nconcurrent = 20\noutbound_share = 1.0\nunknown_share = 1.0\n";
        let scenario = Scenario::parse(text, "x.toml").unwrap();
        Plan::generate(&scenario, &"acme".parse().unwrap(), 0, &[]).unwrap()
    }

    #[tokio::test]
    async fn what_is_published_about_its_account_is_obeyed_while_it_listens() {
        let server = Server::start().await.unwrap();
        let client = async_nats::connect(server.url()).await.unwrap();
        let plan = plan();
        let place = plan
            .calls
            .iter()
            .position(|call| call.start_ms >= 0)
            .unwrap();
        // On a copy: a call is decided on only once.
        let places = |dialling: &Dialling| dialling.dialler().clone().takes_place(place);
        let dialling = Dialling::listening(&plan, &client).await.unwrap();
        assert!(places(&dialling), "silence");
        for (word, placed) in [("stop", false), ("ok", true), ("stop", false)] {
            let body = format!(
                r#"{{"schema":1,"account":"acme","advice":"{word}","since":1,"reason":"r"}}"#
            );
            client.publish("advice.v1.acme", body.into()).await.unwrap();
            let deadline = Instant::now() + Duration::from_secs(30);
            while places(&dialling) != placed {
                assert!(Instant::now() < deadline, "`{word}` was not heard");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        assert!(places(&Dialling::deaf(&plan)));
    }
}
