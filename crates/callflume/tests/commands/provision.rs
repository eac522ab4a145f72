//! Provisioning: idempotent, shown before, refused as a whole.

use serde_json::json;

use crate::program::{account, with_broker};

const SMALL: &str = "[broker]\nmax_bytes = 1073741824\n";

#[tokio::test]
async fn a_second_run_finds_nothing_to_change() {
    let (_server, program) = with_broker().await;
    let crm = account("http://127.0.0.1:9");
    program.write("callflume.toml", format!("{SMALL}{crm}"));
    program
        .run("provision --dry-run")
        .await
        .expect(0)
        .says("VOICE_OP: create")
        .says("account acme: added")
        .says("nothing was changed");
    program.run("status").await.expect(3);
    program
        .run("provision")
        .await
        .expect(0)
        .says("VOICE_EN: create")
        .says("account acme: added");
    let again = program.run("provision").await.expect(0);
    assert_eq!(again.stdout, "nothing to change\n");
    let again = program.run("provision --json").await.expect(0).document();
    assert_eq!(
        again,
        json!({
            "applied": true,
            "assets": [],
            "accounts": {"added": [], "changed": [], "unchanged": ["acme"], "removed": [], "kept": []},
        })
    );
}

#[tokio::test]
async fn accounts_follow_the_file_and_go_only_when_asked() {
    let (_server, program) = with_broker().await;
    let acme = account("http://127.0.0.1:9");
    let other = acme.replace("acme", "other");
    program.write("callflume.toml", format!("{SMALL}{acme}{other}"));
    program.run("provision").await.expect(0);

    program.write(
        "callflume.toml",
        format!("{SMALL}{acme}share_percent = 50\n"),
    );
    program
        .run("provision --dry-run --prune")
        .await
        .expect(0)
        .says("account other: removed")
        .says("account acme: changed");
    program
        .run("provision")
        .await
        .expect(0)
        .says("account acme: changed")
        .says("account other: not in the file, kept");
    program
        .run("provision --prune")
        .await
        .expect(0)
        .says("account other: removed");
    let status = program.run("status --json").await.expect(0).document();
    assert_eq!(status["accounts"].as_array().unwrap().len(), 1);
    assert_eq!(status["accounts"][0]["account"], "acme");

    std::fs::remove_file(program.folder.path().join("callflume.toml")).unwrap();
    program
        .run("provision --prune")
        .await
        .expect(2)
        .says("would remove every account");
}

#[tokio::test]
async fn what_cannot_be_changed_is_refused_as_a_whole() {
    let (_server, program) = with_broker().await;
    program.write("callflume.toml", format!("{SMALL}replicas = 3\n"));
    program
        .run("provision --dry-run")
        .await
        .expect(4)
        .says("refused: this server is in no cluster");
    program
        .run("provision")
        .await
        .expect(4)
        .says("error CF4104:")
        .says("this server is in no cluster");
    program.run("status").await.expect(3).says("CF4103");
}

#[tokio::test]
async fn limits_beyond_the_disk_are_named_with_the_setting() {
    let (_server, program) = with_broker().await;
    program.write("callflume.toml", "[broker]\nmax_bytes = 1099511627776\n");
    program
        .run("provision")
        .await
        .expect(4)
        .says("error CF4105:")
        .says("remedy: raise `max_file`");
}
