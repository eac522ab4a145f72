//! Publishing: receipts for what is stored, names for what is not, and neighbours that go on.

use serde_json::{Value, json};

use crate::program::provisioned;

fn event(call: &str) -> Value {
    json!({
        "call_id": call,
        "kind": "call_ended",
        "at": 1_791_372_298_750_i64,
        "contact": {"phone": "+12025550143", "name": "Mira Okafor"},
        "body": {"disposition": "connected"},
    })
}

fn lines(documents: &[String]) -> Vec<u8> {
    documents.join("\n").into_bytes()
}

#[tokio::test]
async fn bad_lines_are_named_and_their_neighbours_go_on() {
    let (_server, program) = provisioned().await;
    let with = |field: &str, value: Value| {
        let mut changed = event("call-x");
        changed[field] = value;
        changed.to_string()
    };
    let mut headless = event("call-x");
    headless.as_object_mut().unwrap().remove("contact");
    // Each bad line with its code, and the field its text names.
    let bad = [
        ("nonsense 5550143".to_owned(), "CF1101", "JSON"),
        ("{\"call_id\":".to_owned(), "CF1101", "JSON"),
        ("[1]".to_owned(), "CF1101", "map"),
        (headless.to_string(), "CF1102", "`contact`"),
        (with("at", "yesterday".into()), "CF1103", "`at`"),
        (with("lane", "up".into()), "CF1103", "`lane`"),
        (with("v", 9.into()), "CF1105", "`v`"),
        (
            with("body", json!({"text": "x".repeat(1 << 20)})),
            "CF1203",
            "bytes",
        ),
        (
            with("body", json!({"text": "x".repeat(5 << 20)})),
            "CF1203",
            "longer",
        ),
    ];
    let mut input = vec![event("call-0").to_string(), String::new()];
    for (number, (line, ..)) in bad.iter().enumerate() {
        input.push(line.clone());
        input.push(event(&format!("call-{}", number + 1)).to_string());
    }
    let ran = program
        .run_with("publish --account acme --json -", &lines(&input))
        .await
        .expect(4);
    let receipts = ran.documents();
    let stored: Vec<_> = receipts
        .iter()
        .filter(|r| r["outcome"] == "stored")
        .collect();
    assert_eq!(stored.len(), bad.len() + 1, "{receipts:?}");
    for (index, receipt) in stored.iter().enumerate() {
        assert_eq!(receipt["sequence"], index + 1, "order of input");
        assert_eq!(receipt["stream"], "VOICE_OP");
        assert_eq!(receipt["line"], if index == 0 { 1 } else { 2 * index + 2 });
    }
    let refused: Vec<_> = receipts
        .iter()
        .filter(|r| r["outcome"] == "refused")
        .collect();
    assert_eq!(refused.len(), bad.len());
    for (index, (receipt, (_, code, names))) in refused.iter().zip(&bad).enumerate() {
        assert_eq!(receipt["line"], 2 * index + 3);
        assert_eq!(receipt["error"]["code"], *code, "{receipt}");
        let text = receipt["error"]["text"].as_str().unwrap();
        assert!(text.contains(names), "{text}");
        for personal in ["5550143", "Mira", "yesterday", "xxx"] {
            assert!(!text.contains(personal), "{text}");
        }
    }

    // For people the same, errors apart from receipts.
    let ran = program
        .run_with("publish --account acme -", &lines(&input))
        .await
        .expect(4)
        .says("line 3: error CF1101:")
        .says("10 stored before, 9 refused");
    assert_eq!(ran.stdout.matches("duplicate").count(), 10, "{ran:?}");
}

#[tokio::test]
async fn ids_are_computed_or_kept_and_repetitions_recognised() {
    let (_server, program) = provisioned().await;
    // The vector "no revision" of the publishers' contract.
    let vector = json!({
        "call_id": "call-7001",
        "kind": "call_ended",
        "at": 1_791_372_298_750_i64,
        "contact": {"phone": "+441632960961"},
        "body": {"disposition": "connected", "direction": "inbound", "duration_ms": 298_500},
    });
    program.write("event.json", format!("{vector:#}"));
    let ran = program
        .run("publish --account acme --twice --json event.json")
        .await
        .expect(0);
    let receipts = ran.documents();
    let of = |field: &str| {
        receipts
            .iter()
            .map(|r| r[field].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(of("outcome"), ["stored", "duplicate"]);
    assert_eq!(of("sequence"), [1, 1]);
    assert_eq!(of("id"), ["95633765b3d813dbe04ca1238adfde89"; 2]);

    let mut own = vector.clone();
    own["id"] = "own-id".into();
    own["lane"] = "en".into();
    let ran = program
        .run_with(
            "publish --account acme --lane op --json -",
            own.to_string().as_bytes(),
        )
        .await
        .expect(0);
    let receipt = ran.document();
    assert_eq!(receipt["id"], "own-id");
    assert_eq!(
        receipt["stream"], "VOICE_EN",
        "the line's lane counts before --lane"
    );

    own.as_object_mut().unwrap().remove("lane");
    own["id"] = "other-id".into();
    let ran = program
        .run_with(
            "publish --account acme --lane en --json -",
            own.to_string().as_bytes(),
        )
        .await
        .expect(0);
    assert_eq!(ran.document()["lane"], "en");
}

#[tokio::test]
async fn vapi_reports_become_events() {
    let (_server, program) = provisioned().await;
    let report = json!({"message": {
        "type": "end-of-call-report",
        "timestamp": 1_791_373_000_123_i64,
        "call": {"id": "9d1f-7", "type": "inboundPhoneCall"},
        "customer": {"number": "+441632960961"},
        "endedReason": "customer-ended-call",
        "artifact": {"transcript": "AI: Hello.\nUser: Hello."},
    }});
    let update = json!({"message": {"type": "status-update", "status": "ringing"}});
    let broken = json!({"message": {"type": "end-of-call-report", "call": {"id": "9d1f-8"}}});
    let input = lines(&[report.to_string(), update.to_string(), broken.to_string()]);
    let ran = program
        .run_with("publish --account acme --format vapi --json -", &input)
        .await
        .expect(4);
    let of = |field: &str| {
        ran.documents()
            .iter()
            .map(|r| r[field].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(of("outcome"), ["stored", "stored", "ignored", "refused"]);
    assert_eq!(of("line"), [1, 1, 2, 3]);
    assert_eq!(
        of("kind"),
        [
            json!("call_ended"),
            json!("transcript_ready"),
            Value::Null,
            Value::Null
        ]
    );
    assert_eq!(of("stream")[..2], ["VOICE_OP", "VOICE_EN"]);
}
