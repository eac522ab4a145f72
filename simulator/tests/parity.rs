//! The model of the broker behaves like the broker: one script on both gives the same lines.

use callflume_sim::parity::{ModelBroker, RealBroker, script};
use callflume_testkit::Server;

/// Fewer, and somebody has taken behaviours out.
const BEHAVIOURS_MIN: usize = 30;

#[tokio::test]
async fn the_model_does_what_the_broker_does() {
    let model = script::run(&mut ModelBroker::default()).await.unwrap();
    assert!(
        model.behaviours >= BEHAVIOURS_MIN,
        "{} behaviours",
        model.behaviours
    );
    let server = Server::start().await.unwrap();
    let mut real = RealBroker::connect(server.url()).await.unwrap();
    let real = script::run(&mut real).await.unwrap();
    let mut behaviour = "";
    let mut differing = Vec::new();
    for (real, model) in real.lines.iter().zip(&model.lines) {
        if real.starts_with('#') {
            behaviour = real;
        }
        if real != model {
            differing.push(format!("{behaviour}\n  broker: {real}\n  model:  {model}"));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
    assert_eq!(real.lines.len(), model.lines.len());
}
