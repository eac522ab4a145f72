//! Fake CRMs for the command line: the simulator's models behind HTTP, answering at once.

use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use callflume_sim::fakes::{FakeServer, HttpModel, ServerOptions};
use callflume_sim::hubspot::{HubSpot, HubSpotConfig};

/// A fake CRM and its address.
pub(crate) struct Crm<M = HubSpot> {
    pub(crate) model: Arc<Mutex<M>>,
    server: FakeServer,
}

impl Crm {
    pub(crate) async fn start() -> Self {
        let config = HubSpotConfig {
            search_lag_ms: 0,
            service_ms: 0,
            service_jitter_ms: 0,
            ..HubSpotConfig::default()
        };
        Self::with(HubSpot::new(config).unwrap()).await
    }
}

impl<M: HttpModel> Crm<M> {
    pub(crate) async fn with(model: M) -> Self {
        let model = Arc::new(Mutex::new(model));
        let server = FakeServer::start(model.clone(), ServerOptions::default(), now_ms)
            .await
            .unwrap();
        Self { model, server }
    }

    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    /// Requests that reached the fake.
    pub(crate) fn requests(&self) -> u64 {
        self.model.lock().unwrap().tally().requests
    }
}

/// Epoch milliseconds.
pub(crate) fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_millis()).unwrap()
}
