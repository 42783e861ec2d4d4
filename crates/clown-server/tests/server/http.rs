//! What holds for every route: errors, methods, bodies, time limits.

use super::client::{Answer, Client, get, request};
use super::support::{TestServer, created, deleted, eventually};
use serde_json::json;
use std::time::Duration;

fn post(server: &TestServer, path: &str, headers: &str, body: &str) -> Answer {
    let (address, length) = (server.address, body.len());
    let text = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    );
    request(address, &text)
}

#[test]
fn every_error_is_a_problem_document() {
    let server = TestServer::start();
    let long = format!("{{\"reason\":\"{}\"}}", "x".repeat(2 << 20));
    let json_type = "Content-Type: application/json\r\n";
    let shutdown = "/api/v1/daemon/shutdown";
    let check = |answer: Answer, status: u16, code: &str| {
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (status, code),
            "{}",
            answer.body
        );
        let problem = answer.json();
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], "about:blank");
        assert!(
            problem["title"].is_string() && problem["detail"].is_string(),
            "{problem}"
        );
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json")
        );
    };
    check(get(server.address, "/nothing"), 404, "not_found");
    check(get(server.address, "/api/v1"), 404, "not_found");
    check(get(server.address, "/api/v1/state/"), 404, "not_found");
    check(
        get(server.address, "/api/v1/state?x=1"),
        400,
        "unknown_parameter",
    );
    check(
        get(server.address, "/api/v1/profiles/none"),
        404,
        "profile_not_found",
    );
    check(
        get(server.address, "/api/v1/profiles/.."),
        422,
        "invalid_alias",
    );
    check(
        get(server.address, "/api/v1/agents/none"),
        404,
        "agent_not_found",
    );
    check(
        get(server.address, "/api/v1/providers/none"),
        404,
        "provider_not_found",
    );
    check(get(server.address, shutdown), 405, "method_not_allowed");
    check(
        post(&server, shutdown, "", "{}"),
        415,
        "unsupported_media_type",
    );
    check(
        post(&server, shutdown, "Content-Type: text/plain\r\n", "{}"),
        415,
        "unsupported_media_type",
    );
    check(
        post(&server, shutdown, json_type, "{"),
        400,
        "malformed_body",
    );
    check(
        post(&server, shutdown, json_type, "\u{0}"),
        400,
        "malformed_body",
    );
    check(
        post(&server, shutdown, json_type, r#"{"raeson":"update"}"#),
        422,
        "invalid_body",
    );
    check(
        post(&server, shutdown, json_type, r#"{"reason":7}"#),
        422,
        "invalid_body",
    );
    check(
        post(&server, shutdown, json_type, r#"{"reason":"boredom"}"#),
        422,
        "invalid_body",
    );
    check(
        post(
            &server,
            "/api/v1/runs/none/exited",
            json_type,
            r#"{"exit_code":0}"#,
        ),
        404,
        "run_not_found",
    );
    let answer = get(server.address, shutdown);
    assert_eq!(answer.header("allow"), Some("POST"));
    // Only announced, not sent: the answer comes before the body.
    let length = long.len();
    let host = server.address;
    let head = format!(
        "POST {shutdown} HTTP/1.1\r\nHost: {host}\r\n{json_type}Content-Length: {length}\r\n\r\n"
    );
    check(request(server.address, &head), 413, "body_too_large");
    let chunked = format!(
        "POST {shutdown} HTTP/1.1\r\nHost: {host}\r\n{json_type}Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{long}\r\n0\r\n\r\n"
    );
    check(request(server.address, &chunked), 413, "body_too_large");
}

#[test]
fn unknown_members_are_named() {
    let server = TestServer::start();
    let body =
        json!({"alias": "work", "agent_id": "claude", "modle": "x", "colour": 1}).to_string();
    let answer = post(
        &server,
        "/api/v1/profiles",
        "Content-Type: application/json\r\n",
        &body,
    );
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (422, "unknown_members")
    );
    assert!(
        answer.body.contains("modle") && answer.body.contains("colour"),
        "{}",
        answer.body
    );
}

#[test]
fn head_answers_as_get_without_a_body() {
    let server = TestServer::start();
    let mut client = Client::raw(server.address);
    let host = server.address;
    client.send_raw(format!("HEAD /healthz HTTP/1.1\r\nHost: {host}\r\n\r\nGET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes());
    let head = client.head();
    assert!(
        head.starts_with("HTTP/1.1 200 ") && head.contains("content-length: 15"),
        "{head}"
    );
    assert_eq!(client.answer().body, r#"{"status":"ok"}"#);
}

#[test]
fn whoever_dawdles_is_let_go() {
    let server =
        TestServer::with(|settings| settings.limits.request_timeout = Duration::from_millis(200));
    let host = server.address;
    let mut silent = Client::raw(host);
    let mut slow_head = Client::raw(host);
    slow_head.send_raw(b"GET /healthz HTTP/1.1\r\nHost: ");
    let mut slow_body = Client::raw(host);
    slow_body.send_raw(
        format!("POST /api/v1/daemon/shutdown HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{{").as_bytes(),
    );
    let answer = slow_body.answer();
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (408, "body_timeout")
    );
    silent.read_to_end();
    slow_head.read_to_end();
    assert_eq!(get(host, "/healthz").status, 200);
}

#[test]
fn a_broken_request_harms_nobody() {
    let server = TestServer::start();
    for bytes in [
        &b"\x00\x01\x02\r\n\r\n"[..],
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET\r\n\r\n",
        b"\r\n\r\n\r\n\r\n",
        &[b'x'; 100_000],
    ] {
        let mut client = Client::raw(server.address);
        // The server may have closed before all of it is sent.
        let _ = std::io::Write::write_all(&mut client.stream, bytes);
        client.stream.shutdown(std::net::Shutdown::Write).ok();
        client.read_to_end();
    }
    assert_eq!(get(server.address, "/healthz").status, 200);
}

#[test]
fn history_goes_page_by_page() {
    let server = TestServer::start();
    let first = server.publish(vec![created("work")]);
    for number in 0..250 {
        server.publish(vec![deleted(format!("p{number}")), created("home")]);
    }
    let all = server.journal();
    let page = |query: &str| {
        let answer = get(server.address, &format!("/api/v1/events{query}"));
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    };
    let mut seen = Vec::new();
    let mut next = 0;
    loop {
        let page = page(&format!("?since={next}&limit=200"));
        next = page["next"].as_u64().unwrap();
        let items = page["items"].as_array().unwrap();
        if items.is_empty() {
            break;
        }
        seen.extend(items.iter().map(serde_json::Value::to_string));
    }
    assert_eq!(seen, all);
    assert_eq!(next, server.store.head().0);

    assert_eq!(page("")["items"].as_array().unwrap().len(), 100);
    let filtered = page("?events=ProfileCreated&profile=work");
    assert_eq!(filtered["items"].as_array().unwrap().len(), 1);
    assert_eq!(filtered["next"], server.store.head().0);
    assert_eq!(
        page(&format!("?until={first}"))["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(page("?since=now")["items"], json!([]));
    assert_eq!(page("?since=10m&until=now&limit=1")["next"], first.0);
    assert_eq!(
        get(server.address, "/api/v1/events?limit=0").code(),
        "invalid_parameter"
    );
    assert_eq!(
        get(server.address, "/api/v1/events?limit=10001").code(),
        "invalid_parameter"
    );
    assert_eq!(
        get(server.address, "/api/v1/events?events=X").code(),
        "invalid_filter"
    );
}

#[test]
fn requests_and_keepalive_clients_keep_a_daemon_from_being_idle() {
    let server = TestServer::start();
    let before = server.observer.idle_since().unwrap();
    let listening = Client::open(server.address, "/ws");
    eventually("the handshake is over", || {
        server
            .observer
            .idle_since()
            .is_some_and(|since| since > before)
    });
    let keepalive = Client::open(server.address, "/ws?keepalive=true");
    assert_eq!(server.observer.idle_since(), None);
    drop(keepalive);
    eventually("it is idle again", || {
        server.observer.idle_since().is_some()
    });
    drop(listening);
}

#[test]
fn a_wish_to_stop_is_passed_on_after_the_answer() {
    let server = TestServer::start();
    let wished = || {
        let wish = server.observer.shutdown_requested();
        server.block_on(async {
            tokio::time::timeout(Duration::from_millis(50), wish)
                .await
                .ok()
        })
    };
    assert_eq!(wished(), None);
    let answer = post(
        &server,
        "/api/v1/daemon/shutdown",
        "Content-Type: application/json\r\n",
        r#"{"reason":"update"}"#,
    );
    assert_eq!(answer.status, 202);
    assert_eq!(wished(), Some(clown_events::ShutdownReason::Update));
    assert_eq!(post(&server, "/api/v1/daemon/shutdown", "", "").status, 202);
    assert_eq!(wished(), Some(clown_events::ShutdownReason::Requested));
}
