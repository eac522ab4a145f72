//! A fake HubSpot for the command line: the simulator's model behind HTTP, answering at once.

use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use callflume_sim::hubspot::{HubSpot, HubSpotConfig, HubSpotServer, ServerOptions};

/// A fake CRM and its address.
pub(crate) struct Crm {
    pub(crate) model: Arc<Mutex<HubSpot>>,
    server: HubSpotServer,
}

impl Crm {
    pub(crate) async fn start() -> Self {
        let config = HubSpotConfig {
            search_lag_ms: 0,
            service_ms: 0,
            service_jitter_ms: 0,
            ..HubSpotConfig::default()
        };
        let model = Arc::new(Mutex::new(HubSpot::new(config).unwrap()));
        let server = HubSpotServer::start(model.clone(), ServerOptions::default(), now_ms)
            .await
            .unwrap();
        Self { model, server }
    }

    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    /// Requests that reached the fake.
    pub(crate) fn requests(&self) -> usize {
        self.model.lock().unwrap().requests().len()
    }
}

/// Epoch milliseconds.
pub(crate) fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_millis()).unwrap()
}
