//! `GET /healthz`. What it says of a full disk is tested with a real one, in `tests/`.

use super::client::{Answer, get, request};
use super::support::TestServer;
use clown_core::store::StoreError;
use serde_json::json;

/// When a commit was last tried for the sake of looking.
fn last_try(server: &TestServer) -> Option<i64> {
    let read = server.store.read(|connection| {
        let mut statement =
            connection.prepare("SELECT value FROM meta WHERE key = 'last_check'")?;
        let mut rows = statement.query([])?;
        let row = rows.next()?;
        Ok::<_, StoreError>(row.map(|row| row.get(0)).transpose()?)
    });
    read.unwrap()
}

#[test]
fn a_commit_is_tried_but_not_at_every_question() {
    let server = TestServer::start();
    assert_eq!(last_try(&server), None);
    let healthy = |answer: Answer| {
        assert_eq!(
            (answer.status, answer.json()),
            (200, json!({"status": "ok"}))
        );
    };
    let began = std::time::Instant::now();
    healthy(get(server.address, "/healthz"));
    let first = last_try(&server);
    assert!(first.is_some());
    for _ in 0..20 {
        healthy(get(server.address, "/healthz"));
    }
    // A machine that takes longer than the pause proves nothing.
    if began.elapsed() < std::time::Duration::from_secs(5) {
        assert_eq!(last_try(&server), first);
    }
    let text = format!(
        "GET /healthz HTTP/1.1\r\nHost: {}\r\nVia: 1.1 x\r\n\r\n",
        server.address
    );
    healthy(request(server.address, &text));
}
