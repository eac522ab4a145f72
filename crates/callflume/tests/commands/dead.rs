//! Dead letters: what is said about them freely, the event only on request.

use callflume_core::lane::Lane;
use callflume_core::time::WallTime;
use callflume_jetstream::dead::{DeadLetter, DeadLetters};
use serde_json::json;

use crate::program::{connect, provisioned};

fn letter(number: u64, account: &str, lane: Lane, code: &str, json: bool) -> DeadLetter {
    let body = json!({"contact": {"phone": "+12025550143"}, "number": number}).to_string();
    DeadLetter {
        lane,
        account: account.parse().unwrap(),
        code: code.to_owned(),
        cause: format!("cause {number}"),
        attempts: 3,
        event_id: Some(format!("event-{number}")),
        effect: Some("call".to_owned()),
        subject: format!("voice.v1.{}.{account}.call_ended", lane.token()),
        stream_seq: number,
        content_type: json.then(|| "application/json".to_owned()),
        traceparent: None,
        payload: if json {
            body.into()
        } else {
            b"\xc1 garbage"[..].into()
        },
        at: WallTime(1_791_372_298_750),
    }
}

#[tokio::test]
async fn letters_are_listed_filtered_and_shown() {
    let (server, program) = provisioned().await;
    program
        .run("dead list")
        .await
        .expect(0)
        .says("no dead letters");
    assert_eq!(program.run("dead list --json").await.expect(0).stdout, "");

    let letters = DeadLetters::new(&connect(&server).await);
    for (number, account, lane, code, json) in [
        (1, "acme", Lane::Op, "CF2101", true),
        (2, "acme", Lane::En, "CF1101", false),
        (3, "other", Lane::Op, "CF2101", true),
    ] {
        letters
            .publish(&letter(number, account, lane, code, json))
            .await
            .unwrap();
    }
    for (arguments, expected) in [
        ("", &[3, 2, 1][..]),
        ("--account acme", &[2, 1]),
        ("--lane op", &[3, 1]),
        ("--code cf2101 --account acme", &[1]),
        ("--limit 1", &[3]),
        ("--from 2", &[2, 3]),
        ("--account nobody", &[]),
    ] {
        let ran = program
            .run(&format!("dead list --json {arguments}"))
            .await
            .expect(0);
        let found: Vec<u64> = ran
            .documents()
            .iter()
            .map(|d| d["seq"].as_u64().unwrap())
            .collect();
        assert_eq!(found, expected, "{arguments}");
    }
    let ran = program
        .run("dead list")
        .await
        .expect(0)
        .says("2026-10-07T11:24:58.75Z")
        .says("cause 2");
    assert_eq!(ran.stdout.lines().count(), 4, "{ran:?}");

    let ran = program
        .run("dead show 1")
        .await
        .expect(0)
        .says("CF2101, the CRM refused the data for good")
        .says("event-1");
    assert!(!ran.stdout.contains("5550143"), "{ran:?}");
    program
        .run("dead show 1 --body")
        .await
        .expect(0)
        .says("+12025550143");
    let shown = program
        .run("dead show 1 --body --json")
        .await
        .expect(0)
        .document();
    assert_eq!(shown["body"]["number"], 1);
    assert_eq!(shown["kind"], "call_ended");
    let shown = program
        .run("dead show 2 --body --json")
        .await
        .expect(0)
        .document();
    assert_eq!(shown["body"]["hex"], "c12067617262616765");
    let raw = program.run("dead show 1 --raw").await.expect(0);
    assert_eq!(
        raw.stdout,
        r#"{"contact":{"phone":"+12025550143"},"number":1}"#
    );
    program
        .run("dead show 99")
        .await
        .expect(1)
        .says("there is no dead letter 99");

    let status = program.run("status --json").await.expect(0).document();
    assert_eq!(
        status["dead"],
        json!([
            {"account": "acme", "lane": "en", "code": "CF1101", "count": 1},
            {"account": "acme", "lane": "op", "code": "CF2101", "count": 1},
            {"account": "other", "lane": "op", "code": "CF2101", "count": 1},
        ])
    );
}
