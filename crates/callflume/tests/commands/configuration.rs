//! A faulty configuration file: found to the column, before anything is tried.

use crate::program::{Program, nobody};

const ACCOUNT: &str = "[accounts.acme]\ncrm = \"hubspot\"\nprofile = \"private_professional\"\ntoken = { env = \"T\" }\n";

#[tokio::test]
async fn faults_are_shown_where_they_are() {
    let program = Program::at(&nobody());
    let with = |line: &str| format!("{ACCOUNT}{line}\n");
    // The file, the place, the code, and what the text says.
    let table = [
        ("[broker\n".to_owned(), "1:8", "CF3101", "unclosed"),
        ("a = = 1\n".to_owned(), "1:5", "CF3101", ""),
        (with("share_percent = 0"), "5:17", "CF3102", "use 1 to 100"),
        (
            with("sharepercent = 5"),
            "5:1",
            "CF3102",
            "unknown field `sharepercent`",
        ),
        (
            with("share_percent = \"x\""),
            "5:17",
            "CF3102",
            "invalid type",
        ),
        (with("time_zone = \"Mars/Base\""), "5:13", "CF3102", "IANA"),
        (with("request_timeout_ms = 5000"), "5:22", "CF3102", "lease"),
        (
            with("api_version = \"v9\""),
            "5:15",
            "CF3102",
            "no API version",
        ),
        (
            with("limits = { search = 1, hourly = 2 }"),
            "5:33",
            "CF3102",
            "no such window",
        ),
        (with("profile = \"x\""), "5:1", "CF3101", "duplicate key"),
        (
            with(
                "[[accounts.acme.mapping.lead_scored]]\nobject = \"contact\"\nfields = { colour = \"1\" }",
            ),
            "7:21",
            "CF3102",
            "no such field",
        ),
        (
            with(
                "[[accounts.acme.mapping.lead_scored]]\nobject = \"contact\"\nfields = { \"x.score\" = \"{{\" }",
            ),
            "7:24",
            "CF3102",
            "not a template",
        ),
        (
            "[accounts.Acme]\n".to_owned(),
            "1:1",
            "CF3102",
            "missing field `crm`",
        ),
        (
            ACCOUNT.replace("acme", "\"A B\""),
            "1:11",
            "CF3102",
            "no account id",
        ),
        (
            ACCOUNT.replace("hubspot", "hubspoot"),
            "2:7",
            "CF3102",
            "hubspoot",
        ),
        (
            with(
                "[accounts.acme.oauth]\nclient_id = { env = \"I\" }\nclient_secret = { env = \"S\" }\nrefresh_token = { env = \"R\" }",
            ),
            "4:1",
            "CF3102",
            "remove one of them",
        ),
        (
            ACCOUNT.replace("token = { env = \"T\" }\n", ""),
            "1:11",
            "CF3102",
            "`token`: missing",
        ),
        (
            ACCOUNT.replace("token = { env = \"T\" }\n", "")
                + "[accounts.acme.oauth]\nclient_id = { env = \"I\" }\nclient_secret = { env = \"S\" }\n",
            "4:16",
            "CF3102",
            "renews with a refresh token",
        ),
        (
            "[broker]\nreplicas = 2\n".to_owned(),
            "2:12",
            "CF3102",
            "3 or 5",
        ),
        (
            "[broker]\nmax_bytes = 5\n".to_owned(),
            "2:13",
            "CF3102",
            "too small",
        ),
        (
            "[broker]\ntls_cert_file = \"c\"\n".to_owned(),
            "2:17",
            "CF3102",
            "tls_key_file",
        ),
        (
            "[broker.credentials]\nuser = \"u\"\n".to_owned(),
            "2:8",
            "CF3102",
            "password",
        ),
        (
            "[broker.credentials]\ncreds_file = \"c\"\ntoken = { env = \"T\" }\n".to_owned(),
            "1:9",
            "CF3102",
            "give one of",
        ),
        (
            "[worker]\nlease_s = 1\n".to_owned(),
            "2:11",
            "CF3102",
            "2 to 60",
        ),
        (
            "[worker]\nhistory_hours = 10000\n".to_owned(),
            "2:17",
            "CF3102",
            "8760",
        ),
    ];
    for (text, place, code, says) in table {
        program.write("callflume.toml", &text);
        let ran = program.run("provision").await.expect(2);
        let head = format!("error {code}: callflume.toml:{place}: ");
        assert!(
            ran.stderr.starts_with(&head),
            "{head} for {text}\n{}",
            ran.stderr
        );
        assert!(ran.stderr.contains(says), "{says}: {}", ran.stderr);
        let (line, _) = place.split_once(':').unwrap();
        assert!(
            ran.stderr.contains(&format!("\n{line} | ")),
            "{}",
            ran.stderr
        );
        assert!(
            ran.stderr.contains('^') && ran.stderr.contains("remedy: "),
            "{}",
            ran.stderr
        );
    }
}

#[tokio::test]
async fn a_secret_in_the_file_is_refused_and_not_repeated() {
    let program = Program::at(&nobody());
    for text in [
        ACCOUNT.replace("{ env = \"T\" }", "\"pat-hush\""),
        ACCOUNT.replace("{ env = \"T\" }", "{ value = \"pat-hush\" }"),
        ACCOUNT.replace("{ env = \"T\" }", "\"pat-hush"),
        ACCOUNT.replace("token = { env = \"T\" }", "oauth = \"pat-hush\""),
        ACCOUNT.replace(
            "token = { env = \"T\" }",
            "oauth = { client_id = \"pat-hush\" }",
        ),
        ACCOUNT.replace("token = { env = \"T\" }\n", "")
            + "[accounts.acme.oauth]\nclient_id = { env = \"I\" }\nclient_secret = \"pat-hush\"\n",
        ACCOUNT.replace("token = { env = \"T\" }\n", "")
            + "[accounts.acme.oauth]\nrefresh_token = { value = \"pat-hush\" }\n",
        "[broker.credentials]\npassword = \"pat-hush\"\nuser = \"u\"\n".to_owned(),
        "[broker]\nurls = \"nats://u:pat-hush@h\"\n".to_owned(),
    ] {
        program.write("callflume.toml", &text);
        let ran = program.run("provision").await.expect(2);
        assert!(!ran.stderr.contains("hush"), "{}", ran.stderr);
        assert!(ran.stderr.contains("callflume.toml:"), "{}", ran.stderr);
    }
}

#[tokio::test]
async fn the_named_file_counts_and_must_be_there() {
    let program = Program::at(&nobody());
    program.write("callflume.toml", "broken");
    program.write("good.toml", "");
    program.run("--config good.toml status").await.expect(3);
    program
        .run("--config other.toml status")
        .await
        .expect(2)
        .says("error CF3101: other.toml:");
    let child = program
        .command(["status"])
        .env("CALLFLUME_CONFIG", "good.toml")
        .spawn()
        .unwrap();
    crate::program::finish(child, b"").await.expect(3);
}

const OPERATIONS: &str = include_str!("../../../../docs/operations.md");

#[tokio::test]
async fn the_documented_example_is_accepted() {
    let program = Program::at(&nobody());
    let example = OPERATIONS
        .split("```toml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .expect("an example");
    for file in ["/etc/callflume/ca.pem", "/run/secrets/callflume-worker"] {
        assert!(example.contains(file));
    }
    let here = example
        .replace("/etc/callflume/", "")
        .replace("/run/secrets/", "");
    program.write("callflume.toml", here);
    program.write("ca.pem", "");
    program.write("callflume-worker", "word");
    // As far as the connection.
    program
        .run("provision --dry-run")
        .await
        .expect(3)
        .says("CF4101");
}

#[tokio::test]
async fn every_field_is_documented() {
    let program = Program::at(&nobody());
    for section in [
        "broker",
        "broker.credentials",
        "worker",
        "accounts.acme",
        "accounts.acme.oauth",
    ] {
        program.write(
            "callflume.toml",
            format!("[{section}]\nno_such_field = 1\n"),
        );
        let ran = program.run("provision").await.expect(2);
        let (_, expected) = ran
            .stderr
            .split_once("expected one of ")
            .expect("the fields");
        let (list, _) = expected.split_once('\n').unwrap();
        for field in list.split(", ") {
            assert!(
                OPERATIONS.contains(field),
                "{section}: {field} is not in docs/operations.md"
            );
        }
    }
}
