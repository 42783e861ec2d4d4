//! The token: when it is sent, and to whom.

use crate::fake::{Fake, Request, event};
use clown_client::{
    Client, ClientError, DaemonAddress, Discovery, EventStream, Since, StreamItem, StreamOptions,
};
use futures_util::SinkExt as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use tokio_tungstenite::tungstenite::Message;

async fn refuse(request: Request) {
    request
        .problem(401, "unauthorized", "The token is needed.")
        .await;
}

fn write_token(dir: &Path, text: &str) {
    let path = dir.join("token");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// The daemon is there for as long as the lock is.
#[must_use]
fn announce(dir: &Path, address: &DaemonAddress) -> fs::File {
    let text = format!(
        r#"{{"pid":1,"address":"{address}","version":"0.1.0","started_at":"2026-01-08T10:30:00Z"}}"#
    );
    fs::write(dir.join("daemon.json"), text).unwrap();
    let lock = fs::File::create(dir.join("clownd.lock")).unwrap();
    lock.lock().unwrap();
    lock
}

#[tokio::test]
async fn it_is_sent_when_asked_for_and_not_before() {
    let fake = Fake::start().await;
    let dir = tempfile::tempdir().unwrap();
    write_token(dir.path(), "c2VjcmV0\n");
    let _lock = announce(dir.path(), &fake.address());
    let given = "c2VjcmV0".parse().unwrap();
    for discovery in [
        Discovery::in_state_dir(dir.path()),
        Discovery::at(fake.address()).with_token_in(dir.path()),
        Discovery::at(fake.address()).with_token(given),
    ] {
        let client = Client::new(discovery);
        let serve = async {
            let request = fake.request().await;
            assert_eq!(request.header("authorization"), None);
            refuse(request).await;
            let request = fake.request().await;
            let sent = request.header("authorization");
            assert_eq!(sent.as_deref(), Some("Bearer c2VjcmV0"));
            assert_eq!(request.method, "DELETE");
            request.json("").await;
        };
        let (outcome, ()) = tokio::join!(client.delete_profile("work", false), serve);
        outcome.unwrap();
    }
}

#[tokio::test]
async fn the_stream_sends_it_too() {
    let fake = Fake::start().await;
    let discovery = Discovery::at(fake.address()).with_token("c2VjcmV0".parse().unwrap());
    let options = StreamOptions {
        since: Some(Since::Seq(4)),
        ..StreamOptions::default()
    };
    let mut stream = EventStream::new(discovery, options);
    let serve = async {
        refuse(fake.request().await).await;
        let (request, mut socket) = fake.socket().await;
        let sent = request.header("authorization");
        assert_eq!(sent.as_deref(), Some("Bearer c2VjcmV0"));
        assert_eq!(request.target, "/ws?since=4");
        socket.send(Message::text(event(5))).await.unwrap();
        socket
    };
    let read = async {
        assert!(matches!(
            stream.next().await,
            Ok(StreamItem::Connected { .. })
        ));
        assert!(matches!(stream.next().await, Ok(StreamItem::Event(_))));
    };
    let (_socket, ()) = tokio::join!(serve, read);
}

#[tokio::test]
async fn a_wrong_token_and_none_end_in_the_daemons_own_words() {
    let fake = Fake::start().await;
    let dir = tempfile::tempdir().unwrap();
    let none = Client::new(Discovery::at(fake.address()).with_token_in(dir.path()));
    let (outcome, ()) = tokio::join!(none.daemon(), async {
        refuse(fake.request().await).await;
    });
    assert_eq!(outcome.unwrap_err().code(), Some("unauthorized"));

    let wrong = Discovery::at(fake.address()).with_token("wrong".parse().unwrap());
    let mut stream = EventStream::new(wrong, StreamOptions::default());
    let serve = async {
        refuse(fake.request().await).await;
        refuse(fake.request().await).await;
    };
    let (outcome, ()) = tokio::join!(stream.next(), serve);
    assert_eq!(outcome.unwrap_err().to_string(), "The token is needed.");
}

#[tokio::test]
async fn a_token_that_others_can_read_is_not_used() {
    let fake = Fake::start().await;
    let dir = tempfile::tempdir().unwrap();
    write_token(dir.path(), "c2VjcmV0");
    let path = dir.path().join("token");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let client = Client::new(Discovery::at(fake.address()).with_token_in(dir.path()));
    let (outcome, ()) = tokio::join!(client.daemon(), async {
        refuse(fake.request().await).await;
    });
    let error = outcome.unwrap_err();
    assert!(matches!(error, ClientError::Token(_)), "{error:?}");
    assert!(error.to_string().contains("chmod 600"), "{error}");
}

/// A listener that never accepts belongs to nobody: it gets a request only where a person gave both
/// the address and a token, and a key not even then.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn only_a_token_given_by_hand_goes_to_a_stranger() {
    use clown_api::{CreateProfile, KeyInput};
    use std::time::Duration;

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address: DaemonAddress = listener.local_addr().unwrap().to_string().parse().unwrap();
    let dir = tempfile::tempdir().unwrap();
    write_token(dir.path(), "c2VjcmV0");
    let _lock = announce(dir.path(), &address);
    let token = || "c2VjcmV0".parse().unwrap();
    let limit = Duration::from_secs(4);
    let not_own = |outcome: Result<(), ClientError>| {
        assert!(
            matches!(outcome, Err(ClientError::NotOwn { .. })),
            "{outcome:?}"
        );
    };
    for discovery in [
        Discovery::in_state_dir(dir.path()),
        Discovery::in_state_dir(dir.path()).with_token(token()),
        Discovery::at(address.clone()).with_token_in(dir.path()),
    ] {
        not_own(Client::new(discovery).health().await);
    }
    let by_hand = Client::new(Discovery::at(address).with_token(token())).with_time_limit(limit);
    let mut request = CreateProfile::new("work", "claude");
    request.key = Some(KeyInput::Value("key".into()));
    not_own(by_hand.create_profile(&request).await.map(drop));
    let outcome = by_hand.health().await;
    assert!(
        matches!(outcome, Err(ClientError::Timeout { .. })),
        "{outcome:?}"
    );
}
