use crate::fake::{Clown, Fake, send, started};
use std::fs;

#[tokio::test]
async fn a_token_is_taken_from_the_environment_and_from_a_file() {
    let fake = Fake::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, "from-file\n").unwrap();
    let file = file.to_str().unwrap();
    let watch = ["watch", "--since", "5", "--json", "--count", "1"];
    let with_file = [&watch[..], &["--token-file", file]].concat();
    let environment = [("CLOWN_TOKEN", "from-env")];
    for (args, environment, expected) in [
        (&watch[..], &environment[..], "Bearer from-env"),
        (&with_file, &[][..], "Bearer from-file"),
        (&with_file, &environment[..], "Bearer from-file"),
    ] {
        let mut clown = Clown::spawn(&fake.address(), args, environment);
        fake.answer("/healthz", "").await;
        fake.request()
            .await
            .problem(401, "unauthorized", "The token is needed.")
            .await;
        let (authorization, mut socket) = fake.socket_with_token().await;
        assert_eq!(authorization.as_deref(), Some(expected));
        send(&mut socket, &started(6)).await;
        assert_eq!(clown.line().await, started(6));
        assert_eq!(clown.quiet_end().await, Some(0));
    }
}

#[tokio::test]
async fn without_one_it_is_said_how_to_give_it() {
    let fake = Fake::start().await;
    let mut clown = Clown::start(&fake, &["profiles", "list"]).await;
    fake.request()
        .await
        .problem(401, "unauthorized", "The token is needed.")
        .await;
    assert_eq!(clown.note().await, "clown: The token is needed.");
    let hint = clown.note().await;
    assert!(
        hint.contains("--token-file") && hint.contains("CLOWN_TOKEN"),
        "{hint}"
    );
    assert_eq!(clown.quiet_end().await, Some(1));
}

#[tokio::test]
async fn one_that_is_none_is_a_usage_error_that_does_not_show_it() {
    let environment = [("CLOWN_TOKEN", "two words")];
    let mut clown = Clown::spawn("127.0.0.1:1", &["daemon", "status"], &environment);
    let note = clown.note().await;
    assert!(
        note.contains("CLOWN_TOKEN") && !note.contains("words"),
        "{note}"
    );
    assert_eq!(clown.quiet_end().await, Some(2));
}
