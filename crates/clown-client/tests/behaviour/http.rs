//! The HTTP client against a daemon whose answers are written here.

use crate::fake::{self, Fake};
use clown_api::{CreateProfile, ExitedRun, KeyInput, PrepareRun, Shutdown, StartedRun};
use clown_client::{Client, ClientError, Discovery, EventQuery, Since};
use serde_json::json;
use std::time::Duration;

const PROFILE: &str = r#"{"alias":"work","agent_id":"claude","provider_id":"self","env":{},"args":[],"created_at":"2026-01-08T10:30:00Z","updated_at":"2026-01-08T10:30:00Z"}"#;
const PROVIDER: &str =
    r#"{"id":"self","name":"The agent's own","endpoints":[],"models":[],"key_required":false}"#;
const AGENT: &str = r#"{"id":"claude","name":"Claude Code","installed":false,"profiles":[]}"#;
const PREPARED: &str =
    r#"{"run_id":"r1","program":"/bin/true","args":[],"env":{"A":null},"working_dir":"/"}"#;

/// Calls once, answers once, and compares what was sent.
macro_rules! check {
    ($client:ident => $call:expr, $method:literal, $target:literal, $body:expr, $answer:expr) => {{
        let fake = Fake::start().await;
        let $client = Client::new(fake.discovery());
        let serve = async {
            let request = fake.request().await;
            assert_eq!(
                (request.method.as_str(), request.target.as_str()),
                ($method, $target)
            );
            assert_eq!(request.body, $body);
            assert_eq!(request.header("host"), Some(fake.address().to_string()));
            let has_body = !request.body.is_empty();
            let content_type = request.header("content-type");
            assert_eq!(
                content_type.as_deref(),
                has_body.then_some("application/json")
            );
            request.json(&$answer).await;
        };
        let (answer, ()) = tokio::join!(async { $call.await }, serve);
        answer.unwrap()
    }};
}

#[tokio::test]
async fn each_route_is_asked_as_documented() {
    check!(c => c.health(), "GET", "/healthz", "", "");
    let state = check!(
        c => c.state(),
        "GET",
        "/api/v1/state",
        "",
        fake::state(7)
    );
    assert_eq!(state.seq, 7);
    let daemon = check!(
        c => c.daemon(),
        "GET",
        "/api/v1/daemon",
        "",
        fake::daemon()
    );
    assert_eq!(daemon.pid, 1);
    check!(
        c => c.shutdown(&Shutdown { reason: Some("update".into()) }),
        "POST",
        "/api/v1/daemon/shutdown",
        r#"{"reason":"update"}"#,
        ""
    );
    let page = check!(
        c => async {
            let query = EventQuery {
                since: Some(Since::Seq(3)),
                limit: Some(2),
                events: vec!["Proxy*".into(), "ProfileDeleted".into()],
                profiles: vec!["a".into()],
                ..EventQuery::default()
            };
            c.events(&query).await
        },
        "GET",
        "/api/v1/events?since=3&limit=2&events=Proxy*,ProfileDeleted&profile=a",
        "",
        format!(r#"{{"items":[{}],"next":9}}"#, fake::event(9))
    );
    let first = page.items[0].as_ref().unwrap();
    assert_eq!((first.envelope.seq, page.next), (Some(9), 9));
    assert_eq!(first.text, fake::event(9));

    let list = |item: &str| format!(r#"{{"items":[{item}]}}"#);
    let profiles = check!(
        c => c.profiles(),
        "GET",
        "/api/v1/profiles",
        "",
        list(PROFILE)
    );
    assert_eq!(profiles[0].alias, "work");
    check!(
        c => c.profile("work"),
        "GET",
        "/api/v1/profiles/work",
        "",
        PROFILE
    );
    check!(
        c => c.profile("../daemon"),
        "GET",
        "/api/v1/profiles/..%2Fdaemon",
        "",
        PROFILE
    );
    check!(
        c => async {
            let mut request = CreateProfile::new("work", "claude");
            request.key = Some(KeyInput::Value("k".into()));
            c.create_profile(&request).await
        },
        "POST",
        "/api/v1/profiles",
        r#"{"alias":"work","agent_id":"claude","key":{"value":"k"}}"#,
        PROFILE
    );
    check!(
        c => c.update_profile("work", &json!({"model": null})),
        "PATCH",
        "/api/v1/profiles/work",
        r#"{"model":null}"#,
        PROFILE
    );
    check!(
        c => c.delete_profile("work", true),
        "DELETE",
        "/api/v1/profiles/work?purge=true",
        "",
        ""
    );
    let prepared = check!(
        c => async {
            let request = PrepareRun {
                args: vec!["-p".into()],
                cwd: "/".into(),
                path: "/bin".into(),
                cli_pid: 5,
            };
            c.prepare_run("work", &request).await
        },
        "POST",
        "/api/v1/profiles/work/runs",
        r#"{"args":["-p"],"cwd":"/","path":"/bin","cli_pid":5}"#,
        PREPARED
    );
    assert_eq!(prepared.env["A"], None);
    check!(
        c => c.run_started("r1", StartedRun { pid: 4 }),
        "POST",
        "/api/v1/runs/r1/started",
        r#"{"pid":4}"#,
        ""
    );
    check!(
        c => c.run_exited("r1", ExitedRun { exit_code: 130 }),
        "POST",
        "/api/v1/runs/r1/exited",
        r#"{"exit_code":130}"#,
        ""
    );
    check!(
        c => c.runs(),
        "GET",
        "/api/v1/runs",
        "",
        list("")
    );
    check!(
        c => c.agents(),
        "GET",
        "/api/v1/agents",
        "",
        list(AGENT)
    );
    check!(
        c => c.agent("claude"),
        "GET",
        "/api/v1/agents/claude",
        "",
        AGENT
    );
    check!(
        c => c.detect_agents(),
        "POST",
        "/api/v1/agents/detect",
        "",
        list(AGENT)
    );
    check!(
        c => c.providers(),
        "GET",
        "/api/v1/providers",
        "",
        list(PROVIDER)
    );
    check!(
        c => c.provider("self"),
        "GET",
        "/api/v1/providers/self",
        "",
        PROVIDER
    );
}

#[tokio::test]
async fn a_refusal_carries_the_daemons_words() {
    let fake = Fake::start().await;
    let client = Client::new(fake.discovery());
    let serve = async {
        let request = fake.request().await;
        request
            .problem(409, "profile_running", "Profile work runs.")
            .await;
    };
    let (answer, ()) = tokio::join!(client.delete_profile("work", false), serve);
    let error = answer.unwrap_err();
    assert_eq!(error.code(), Some("profile_running"));
    assert_eq!(error.to_string(), "Profile work runs.");
}

#[tokio::test]
async fn what_is_not_a_daemons_answer_is_told_as_such() {
    async fn check(answer: &'static [u8], expected: &str) {
        let fake = Fake::start().await;
        let client = Client::new(fake.discovery());
        let serve = async { fake.request().await.raw(answer).await };
        let (outcome, ()) = tokio::join!(client.daemon(), serve);
        let error = outcome.unwrap_err();
        let shown = format!("{error:?}");
        assert!(
            shown.starts_with(expected),
            "{shown} for {:?}",
            String::from_utf8_lossy(answer)
        );
    }
    check(
        b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno",
        "Unexpected",
    )
    .await;
    check(
        b"HTTP/1.1 500 X\r\ncontent-type: application/problem+json\r\ncontent-length: 1\r\n\r\n{",
        "Unexpected",
    )
    .await;
    check(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", "Decode").await;
    check(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}", "Broken").await;
    check(b"SSH-2.0-OpenSSH_9.9\r\n", "Broken").await;
    check(b"", "Broken").await;
}

#[tokio::test]
async fn nobody_there_is_told_apart() {
    let fake = Fake::start().await;
    let address = fake.address();
    drop(fake);
    let error = Client::new(Discovery::at(address.clone()))
        .health()
        .await
        .unwrap_err();
    assert!(
        matches!(error, ClientError::NotReachable { .. }),
        "{error:?}"
    );
    assert!(error.is_not_reachable());
    assert_eq!(error.to_string(), format!("no daemon answers at {address}"));
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_not_waited_for() {
    let fake = Fake::start().await;
    let client = Client::new(fake.discovery()).with_time_limit(Duration::from_millis(200));
    let (outcome, request) = tokio::join!(client.daemon(), fake.request());
    assert!(
        matches!(outcome, Err(ClientError::Timeout { .. })),
        "{outcome:?}"
    );
    drop(request);
}

/// Until somebody has accepted the connection nobody can be said to own its other end, and so
/// nothing may be on the wire.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn nothing_is_sent_to_a_peer_that_is_not_known() {
    use std::io::Read as _;

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string().parse().unwrap();
    let client = Client::new(Discovery::at(address));
    let mut request = CreateProfile::new("work", "claude");
    request.key = Some(KeyInput::Value("secret".into()));
    let outcome = client.create_profile(&request).await;
    assert!(
        matches!(outcome, Err(ClientError::NotOwn { .. })),
        "{outcome:?}"
    );

    let (mut stream, _) = listener.accept().unwrap();
    let mut received = Vec::new();
    stream.read_to_end(&mut received).unwrap();
    assert!(
        received.is_empty(),
        "{:?}",
        String::from_utf8_lossy(&received)
    );
}

/// A daemon that ends with connections in its queue is away at once, not after the time in which
/// somebody might still have taken them.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_listener_that_goes_without_a_word_is_not_reachable() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string().parse().unwrap();
    let client = Client::new(Discovery::at(address));
    let (outcome, ()) = tokio::join!(biased; client.health(), async { drop(listener) });
    let error = outcome.unwrap_err();
    assert!(error.is_not_reachable(), "{error:?}");
}

#[tokio::test]
async fn an_event_that_cannot_be_read_does_not_hide_the_others() {
    let later = fake::event(8).replace(r#""alias":"a""#, r#""alias":"a","later":1"#);
    let bad = fake::event(9).replace(r#""alias":"a""#, r#""alias":7"#);
    let body = format!(r#"{{"items":[{later}, {bad}],"next":9}}"#);
    let page = check!(
        c => async { c.events(&EventQuery::default()).await },
        "GET",
        "/api/v1/events",
        "",
        body
    );
    assert_eq!(page.items[0].as_ref().unwrap().text, later);
    let unreadable = page.items[1].as_ref().unwrap_err();
    assert_eq!(unreadable.text, bad);
    assert!(unreadable.error.contains("alias"), "{unreadable:?}");
}
