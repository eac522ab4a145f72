//! `dev`: a playground in which a voice platform's report becomes one contact and one call.

use callflume_testkit::wait_for;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};

use crate::program::{DEADLINE, Program, nobody, signal};

const REPORT: &str = include_str!("../../../../examples/vapi-report.json");

/// What the fake CRM answers to a GET.
async fn crm(base: &str, path: &str) -> Option<Value> {
    let address = base.strip_prefix("http://")?;
    let mut stream = tokio::net::TcpStream::connect(address).await.ok()?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer sim-token\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    let answer = String::from_utf8(answer).ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    // One chunk or none: the bodies of this test are small.
    let start = body.find('{')?;
    let end = body.rfind('}')?;
    serde_json::from_str(body.get(start..=end)?).ok()
}

async fn records(base: &str, object: &str, property: &str) -> Vec<String> {
    let path = format!("/crm/v3/objects/{object}?limit=100&properties={property}");
    let page = crm(base, &path).await.unwrap_or_default();
    let results = page["results"].as_array().cloned().unwrap_or_default();
    results
        .iter()
        .map(|record| {
            record["properties"][property]
                .as_str()
                .unwrap_or("")
                .to_owned()
        })
        .collect()
}

#[tokio::test]
async fn a_report_makes_one_contact_and_one_call_again_changes_nothing_and_a_correction_updates() {
    let program = Program::at(&nobody());
    let mut command = program.command(["dev", "--json", "--contacts", "0"]);
    if let Some(server) = std::env::var_os("CALLFLUME_NATS_SERVER") {
        command.env("CALLFLUME_NATS_SERVER", server);
    }
    let mut dev = command.spawn().unwrap();
    let mut lines = BufReader::new(dev.stdout.take().unwrap()).lines();
    let line = tokio::time::timeout(10 * DEADLINE, lines.next_line())
        .await
        .expect("it says where things are")
        .unwrap()
        .expect("before it ends");
    let facts: Value = serde_json::from_str(&line).unwrap();
    let base = facts["crm"].as_str().unwrap().to_owned();
    let publisher = Program::at(facts["broker"].as_str().unwrap());
    publisher.write("report.json", REPORT);
    let publish = "publish --account demo --format vapi report.json";
    publisher.run(publish).await.expect(0);
    let summary = "hs_call_body";
    let until = async |what: &str, text: &str| {
        wait_for(what, DEADLINE, async || {
            let calls = records(&base, "calls", summary).await;
            (calls.len() == 1 && calls[0].contains(text)).then_some(())
        })
        .await
        .unwrap();
    };
    until("the call", "Tuesday").await;
    wait_for("the transcript's note", DEADLINE, async || {
        (records(&base, "notes", "hs_note_body").await.len() == 1).then_some(())
    })
    .await
    .unwrap();

    let again = publisher.run(&format!("{publish} --json")).await.expect(0);
    assert!(
        again
            .documents()
            .iter()
            .all(|receipt| receipt["outcome"] == "duplicate"),
        "{again:?}"
    );

    publisher.write(
        "report.json",
        REPORT.replace("Tuesday at ten", "Friday at nine"),
    );
    publisher.run(publish).await.expect(0);
    until("the corrected call", "Friday at nine").await;
    assert_eq!(records(&base, "contacts", "phone").await, ["+12025550143"]);

    signal(&dev, "TERM").await;
    let ended = tokio::time::timeout(2 * DEADLINE, dev.wait())
        .await
        .expect("it ends");
    assert_eq!(ended.unwrap().code(), Some(0));
}
