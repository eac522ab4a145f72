//! The open deal of a caller: read before the day, written with each effect, told to whoever looks up.

use std::time::Duration;

use callflume_core::lane::Lane;
use callflume_core::lookup::{LOOKUP, LookupReply};
use callflume_sim::fakes::{Method, Request};
use callflume_sim::hubspot::ObjectKind;
use callflume_sim::live::stage::{TOKEN, epoch_ms};
use callflume_testkit::wait_for;
use callflume_worker::services;
use serde_json::{Value, json};

use crate::harness::{DEADLINE, Running};

/// The deal that a look-up by phone tells; the outer none while the person isn't known.
async fn told(running: &Running, phone: &str) -> Option<Option<String>> {
    let subject = format!("{LOOKUP}.{}", running.stage.account);
    let ask = json!({"phone": phone}).to_string();
    let client = running.stage.broker.client();
    // Nobody answers before the service has begun.
    let reply = client.request(subject, ask.into()).await.ok()?;
    match serde_json::from_slice(&reply.payload).unwrap() {
        LookupReply::Known(contact) => Some(contact.deal),
        _ => None,
    }
}

async fn until(running: &Running, phone: &str, expect: Option<&str>) {
    wait_for("the look-up to tell the deal", DEADLINE, async || {
        let deal = told(running, phone).await?;
        (deal.as_deref() == expect).then_some(())
    })
    .await
    .unwrap();
}

/// A deal that a salesperson made.
fn planted(running: &Running, contact: &str, stage: &str) -> String {
    let types = json!([{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 3}]);
    let body = json!({"properties": {"dealname": "By hand", "dealstage": stage},
        "associations": [{"to": {"id": contact}, "types": types}]});
    let request = Request::new(Method::Post, "/crm/v3/objects/deals")
        .with_bearer(TOKEN)
        .with_json(&body);
    let reply = running.stage.model().handle(epoch_ms(), &request);
    let made: Value = reply.body_json().unwrap();
    made["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_is_greeted_with_the_deal_that_is_open() {
    let running = Running::start(3).await;
    let people: Vec<(String, String)> = running
        .stage
        .model()
        .records(ObjectKind::Contacts)
        .filter_map(|it| {
            let phone = it
                .property("phone")
                .or_else(|| it.property("mobilephone"))?;
            Some((it.id.to_string(), phone.to_owned()))
        })
        .collect();
    let country = running.stage.config.default_country.clone();
    let number = |typed: &str| {
        let phone = callflume_core::event::Phone::typed(typed, country.as_deref());
        phone.unwrap().as_str().to_owned()
    };
    let (with, without) = (&people[0], &people[1]);
    planted(&running, &with.0, "qualifiedtobuy");
    let open = planted(&running, &with.0, "appointmentscheduled");
    planted(&running, &without.0, "closedlost");
    wait_for("an owner to warm the cache", DEADLINE, async || {
        let asked = services::warm(
            &running.stage.broker,
            &running.stage.account,
            Duration::from_secs(1),
        );
        asked.await.ok().flatten()
    })
    .await
    .unwrap();
    until(&running, &number(&with.1), Some(&open)).await;
    until(&running, &number(&without.1), None).await;

    // Calls go on: a new caller gets a deal, and buys.
    let caller = "+12025550143";
    let moved = |stage: &str| json!({"stage": stage, "title": "By phone"});
    let publish = async |call: &str, stage: &str| {
        running
            .publish(Lane::Op, "deal_stage_changed", call, caller, moved(stage))
            .await;
    };
    publish("call-1", "appointmentscheduled").await;
    running
        .until("the caller's deal", |r| r.count(ObjectKind::Deals) == 4)
        .await;
    let made = running
        .stage
        .model()
        .records(ObjectKind::Deals)
        .find(|deal| deal.property("dealname") == Some("By phone"))
        .map(|deal| deal.id.to_string());
    until(&running, caller, made.as_deref()).await;
    publish("call-2", "closedwon").await;
    until(&running, caller, None).await;
    running.stop().await;
}
