//! Finding a server: what is taken, and what is said when nothing can be.

use callflume_testkit::{Error, OLDEST_SERVER, Refusal, Search, ServerBinary};

#[tokio::test]
async fn finds_a_server_new_enough() {
    let found = ServerBinary::locate().await.unwrap();
    assert!(found.version() >= OLDEST_SERVER);
    assert!(found.path().is_file());
}

#[tokio::test]
async fn takes_the_one_on_the_path() {
    let server = ServerBinary::locate().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("nats-server");
    std::os::unix::fs::symlink(server.path(), &link).unwrap();
    let empty = folder.path().join("empty");
    let folders = std::env::join_paths([empty.as_path(), folder.path()]).unwrap();
    let found = Search::default().path(folders).run().await.unwrap();
    assert_eq!(found.path(), link);
}

#[tokio::test]
async fn a_named_file_that_is_no_server_is_an_error_even_when_others_exist() {
    let folder = tempfile::tempdir().unwrap();
    let text_file = folder.path().join("notes.txt");
    std::fs::write(&text_file, "not a program").unwrap();
    let missing = folder.path().join("nowhere");
    let table = [
        (missing, "there is no such file"),
        (text_file, "it cannot be run"),
        ("/bin/sh".into(), "it is not a nats-server"),
    ];
    for (path, expected) in table {
        let error = Search::from_environment()
            .named(&path)
            .run()
            .await
            .unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, Error::NamedServer { .. }), "{text}");
        for part in [
            "CALLFLUME_NATS_SERVER",
            &path.display().to_string(),
            expected,
            "remedy",
        ] {
            assert!(text.contains(part), "{part:?} is not in: {text}");
        }
    }
}

#[tokio::test]
async fn a_program_without_a_version_is_not_a_server() {
    let refusal = ServerBinary::at("/bin/sh").await.unwrap_err();
    assert!(matches!(refusal, Refusal::NotAServer { .. }), "{refusal}");
}

#[tokio::test]
async fn when_nothing_works_each_place_and_the_remedy_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let impostor = folder.path().join("nats-server");
    std::os::unix::fs::symlink("/bin/sh", &impostor).unwrap();
    // A Python that is not there: nothing is fetched.
    let error = Search::default()
        .path(folder.path())
        .cache_dir(folder.path().join("cache"))
        .python("no-such-python")
        .run()
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::NoServer { .. }), "{text}");
    let parts = [
        "CALLFLUME_NATS_SERVER: not set",
        &format!("PATH, {}: it is not a nats-server", impostor.display()),
        "nats/install-server.sh: it failed",
        "no no-such-python found",
        "remedy",
    ];
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

#[tokio::test]
async fn an_installed_server_is_taken_without_fetching_again() {
    let server = ServerBinary::locate().await.unwrap();
    if server.version().to_string() != "2.15.1" {
        // Only the pinned version counts as installed; a developer's own may be another.
        return;
    }
    let cache = tempfile::tempdir().unwrap();
    let folder = cache.path().join("nats-server-2.15.1");
    std::fs::create_dir(&folder).unwrap();
    std::os::unix::fs::symlink(server.path(), folder.join("nats-server")).unwrap();
    let found = Search::default()
        .path("")
        .cache_dir(cache.path())
        .python("no-such-python")
        .run()
        .await
        .unwrap();
    assert_eq!(found.path(), folder.join("nats-server"));
}
