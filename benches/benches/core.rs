//! Encoding, quota grants, dispatcher steps. The baselines: serialising the same event without validation, and a
//! plain counter.

use std::hint::black_box;

use callflume_benches::{account, event};
use callflume_core::config::{AccountConfig, SecretRef};
use callflume_core::dispatcher::{Bounds, Delivery, Dispatcher, Input, Output, Setup};
use callflume_core::event::{ContentType, Event, decode, encode};
use callflume_core::lane::Lane;
use callflume_core::quota::{Grant, Limiter as _, Quota, Settings, Settlement};
use callflume_core::record::{ContactRecord, SCHEMA};
use callflume_core::time::{BrokerTime, Now, Tick, WallTime};
use callflume_core::vendor::{Answer, Charge, HttpRequest};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

fn now(ms: u64) -> Now {
    let epoch = 1_760_000_000_000 + ms.cast_signed();
    Now {
        tick: Tick(ms),
        broker: BrokerTime(epoch),
        wall: WallTime(epoch),
    }
}

fn codec(criterion: &mut Criterion) {
    let event = event(7);
    let mut group = criterion.benchmark_group("codec");
    for (name, content_type) in [
        ("messagepack", ContentType::MessagePack),
        ("json", ContentType::Json),
    ] {
        let Ok(bytes) = encode(&event, content_type) else {
            continue;
        };
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(format!("encode/{name}"), |bencher| {
            bencher.iter(|| encode(black_box(&event), content_type));
        });
        group.bench_function(format!("decode/{name}"), |bencher| {
            bencher.iter(|| decode(black_box(&bytes), content_type, Some(event.id.as_str())));
        });
    }
    if let Ok(bytes) = serde_json::to_vec(&event) {
        group.bench_function("decode/json bare serde, nothing checked", |bencher| {
            bencher.iter(|| serde_json::from_slice::<Event>(black_box(&bytes)));
        });
    }
    group.finish();
}

/// What an ordinary request counts in: the ten seconds and the day.
const CHARGES: &[Charge] = &[Charge { window: 0, cost: 1 }, Charge { window: 2, cost: 1 }];

fn quota(criterion: &mut Criterion) {
    let windows = callflume_crm::limit_profile("hubspot", "private_professional")
        .unwrap_or_default()
        .to_vec();
    let settings = Settings {
        windows,
        reserve: 3,
        floor_op_percent: 20,
        request_timeout_ms: 3_000,
        time_zone: "America/New_York".to_owned(),
        share_percent: 100,
    };
    let mut group = criterion.benchmark_group("quota");
    group.bench_function("grant and settle, window half full", |bencher| {
        let mut quota = Quota::new(settings.clone(), now(0), None);
        let mut ms = 0;
        bencher.iter(|| {
            ms += 110;
            let at = now(ms);
            loop {
                match quota.ask(at, Lane::Op, CHARGES) {
                    Grant::Granted(permit) => {
                        quota.settle(at, permit, Settlement::Answered);
                        break;
                    }
                    Grant::Unwritten => {
                        black_box(quota.journal_due(at, Some(CHARGES)));
                        quota.journaled(at, true);
                    }
                    Grant::Wait { .. } => break,
                }
            }
        });
    });
    group.finish();
}

/// Answers a batch request the way the CRM does when all is well.
fn answer(http: &HttpRequest, next_id: &mut u64) -> Answer {
    let body: serde_json::Value = http
        .body
        .as_deref()
        .and_then(|body| serde_json::from_slice(body).ok())
        .unwrap_or_default();
    let results: Vec<serde_json::Value> = body["inputs"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|input| {
            *next_id += 1;
            serde_json::json!({"id": next_id.to_string(), "properties": {}, "objectWriteTraceId": input["objectWriteTraceId"]})
        })
        .collect();
    let body = serde_json::json!({"status": "COMPLETE", "results": results})
        .to_string()
        .into_bytes();
    Answer::Response {
        status: 201,
        headers: Vec::new(),
        body,
    }
}

fn dispatcher(criterion: &mut Criterion) {
    const EVENTS: u64 = 500;
    let deliveries: Vec<Delivery> = (0..EVENTS)
        .filter_map(|number| {
            let event = event(number);
            Some(Delivery {
                lane: Lane::En,
                seq: number + 1,
                consumer_seq: number + 1,
                pending: EVENTS - number - 1,
                kind: event.kind.clone(),
                msg_id: Some(event.id.as_str().to_owned()),
                content_type: ContentType::MessagePack,
                payload: encode(&event, ContentType::MessagePack).ok()?,
            })
        })
        .collect();
    let settings = callflume_crm::Settings::default();
    let Ok(vendor) = callflume_crm::vendor("hubspot", &settings) else {
        return;
    };
    let mut config = AccountConfig::new(
        "hubspot",
        SecretRef::Env("UNUSED".to_owned()),
        "private_professional",
    );
    config.batch_wait_ms = 0;
    let setup = Setup {
        account: account(),
        config,
        vendor,
        windows: callflume_crm::limit_profile("hubspot", "private_professional")
            .unwrap_or_default()
            .to_vec(),
        bounds: Bounds::default(),
        seed: 1,
        floors: [0; 2],
        journal: None,
        reference: None,
        bulk: None,
    };
    let mut group = criterion.benchmark_group("dispatcher");
    group.throughput(Throughput::Elements(EVENTS));
    group.bench_function("500 notes from delivery to acknowledgement", |bencher| {
        bencher.iter_batched(
            || {
                Dispatcher::new(setup.clone(), now(0))
                    .ok()
                    .zip(Some(deliveries.clone()))
            },
            |ready| {
                let Some((mut dispatcher, deliveries)) = ready else {
                    return 0;
                };
                let mut ms = 0;
                let (mut acked, mut next_id) = (0, 0);
                for delivery in deliveries {
                    dispatcher.handle(now(ms), Input::Delivered(delivery));
                }
                while acked < EVENTS && ms < 600_000 {
                    let Some(output) = dispatcher.poll() else {
                        ms += 10;
                        dispatcher.handle(now(ms), Input::Wake);
                        continue;
                    };
                    let input = match output {
                        Output::Load {
                            lane, seq, effects, ..
                        } => {
                            let contact = Some(ContactRecord {
                                schema: SCHEMA,
                                crm_id: seq.to_string(),
                                own_key: Some("k".into()),
                                ..ContactRecord::default()
                            });
                            Input::Loaded {
                                lane,
                                seq,
                                ledger: vec![None; effects.len()],
                                contact,
                            }
                        }
                        Output::Send { request, http, .. } => Input::Answered {
                            request,
                            answer: answer(&http, &mut next_id),
                        },
                        Output::Record { id, .. } => Input::Recorded { id, stored: true },
                        Output::WriteJournal(_) => Input::Journaled { stored: true },
                        Output::Ack { .. } => {
                            acked += 1;
                            continue;
                        }
                        _ => continue,
                    };
                    dispatcher.handle(now(ms), input);
                }
                acked
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group!(benches, codec, quota, dispatcher);
criterion_main!(benches);
