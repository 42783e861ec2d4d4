//! One instance between an agent and a provider, both of them bare sockets.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod routing;
mod upstream;

use clown_proxy::config::{Auth, Configuration, Format, Limits, Network, Secret};
use clown_proxy::serve::{Service, listen};
use clown_proxy::spool::Spool;
use clown_routes::Rules;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use upstream::{Agent, PATIENCE, Upstream};

/// A service on a port of its own, before `base`.
struct Proxy {
    runtime: Runtime,
    port: u16,
    folder: tempfile::TempDir,
    service: Service,
    stop: watch::Sender<bool>,
    serving: Option<JoinHandle<bool>>,
}

fn configuration(base: &str, limits: Limits) -> Configuration {
    let base = format!("http://{base}");
    Configuration {
        profile: "work".to_owned(),
        agent: "claude".to_owned(),
        provider: "somebody".to_owned(),
        local_key: Secret::new("local-key"),
        upstream: clown_proxy::config::Upstream {
            bases: BTreeMap::from([
                (Format::AnthropicMessages, base.clone()),
                (Format::OpenaiChat, format!("{base}/v1")),
                (Format::OpenaiResponses, format!("{base}/v1")),
            ]),
            key: Some(Secret::new("real-key")),
            more_keys: Vec::new(),
            auth: Auth::Own,
        },
        others: BTreeMap::new(),
        rules: Rules::default(),
        small_model: None,
        over_budget: false,
        network: Network::default(),
        limits,
    }
}

impl Proxy {
    fn before(base: &str) -> Self {
        Self::with(base, Limits::default())
    }

    fn with(base: &str, limits: Limits) -> Self {
        Self::of(configuration(base, limits))
    }

    fn of(configuration: Configuration) -> Self {
        let runtime = Runtime::new().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path()).unwrap();
        let service = Service::new(configuration, spool).unwrap();
        let listener = runtime.block_on(listen(0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (stop, stopped) = watch::channel(false);
        let served = service.clone();
        let serving = runtime.spawn(async move { served.serve(listener, stopped).await });
        Self {
            runtime,
            port,
            folder,
            service,
            stop,
            serving: Some(serving),
        }
    }

    /// The records, once there are so many.
    fn records(&self, count: usize) -> Vec<Value> {
        records(self.folder.path(), count)
    }
}

fn records(folder: &Path, count: usize) -> Vec<Value> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let text = std::fs::read_to_string(folder.join("spool.jsonl")).unwrap();
        let lines: Vec<Value> = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        if lines.len() >= count {
            return lines;
        }
        assert!(Instant::now() < deadline, "{count} records: {text}");
        std::thread::yield_now();
    }
}

fn whole(body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nrequest-id: r1\r\nkeep-alive: timeout=5\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n";

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

const START: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_01AAAAAAAAAAAAAAAAAA\",\"model\":\"m-2\",\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}\n\n";
const STOP: &str = "event: message_delta\ndata: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":5}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

const MESSAGES: &str = "POST /v1/messages?beta=true";
const BODY: &str = "{\"model\": \"m-1\",  \"stream\":true, \"odd\" : \"\u{e9}\\u00e9\"}";

#[test]
fn bytes_pass_as_they_are_but_for_the_key() {
    let upstream = Upstream::start();
    let proxy = Proxy::before(&upstream.address);
    let answer = "{\"id\":\"msg_01AAAAAAAAAAAAAAAAAA\" , \"model\":\"m-2\",\"usage\":{\"input_tokens\":9,\"output_tokens\":5}}";
    let mut agent = Agent::ask_with(
        proxy.port,
        MESSAGES,
        "x-api-key: local-key\r\nanthropic-version: 2023-06-01\r\nx-claude-code-session-id: s1\r\nconnection: x-hop\r\nx-hop: 1\r\n",
        BODY,
    );
    let request = upstream.answer(&whole(answer));
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert_eq!(body, BODY);
    assert!(
        head.starts_with("POST /v1/messages?beta=true HTTP/1.1"),
        "{head}"
    );
    for there in ["x-api-key: real-key", "anthropic-version: 2023-06-01"] {
        assert!(head.contains(there), "{head}");
    }
    for gone in ["local-key", "x-hop", &proxy.port.to_string()] {
        assert!(!head.contains(gone), "{gone} in {head}");
    }
    let (text, is_whole) = agent.rest();
    assert!(is_whole);
    assert!(text.ends_with(answer), "{text}");
    assert!(text.contains("request-id: r1"), "{text}");
    assert!(!text.contains("timeout=5"), "{text}");
    let record = &proxy.records(1)[0];
    for (name, value) in [
        ("model", "m-1"),
        ("model_used", "m-2"),
        ("message_id", "msg_01AAAAAAAAAAAAAAAAAA"),
        ("session", "s1"),
        ("format", "anthropic-messages"),
        ("path", "/v1/messages"),
        ("agent", "claude"),
    ] {
        assert_eq!(record[name], value, "{record}");
    }
    assert_eq!(record["tokens"]["output"], 5);
    assert_eq!(record["status"], 200);
    assert!(record.get("error").is_none(), "{record}");
    let spool = std::fs::read_to_string(proxy.folder.path().join("spool.jsonl")).unwrap();
    for secret in ["local-key", "real-key", "odd"] {
        assert!(!spool.contains(secret), "{spool}");
    }
}

#[test]
fn a_stream_passes_piece_by_piece_as_it_comes() {
    let upstream = Upstream::start();
    let proxy = Proxy::before(&upstream.address);
    let mut agent = Agent::ask(proxy.port, MESSAGES, BODY);
    let (_, mut stream) = upstream.next();
    stream.write_all(STREAM.as_bytes()).unwrap();
    agent.until("\r\n\r\n");
    let (first, second) = START.split_at(70);
    stream.write_all(chunk(first).as_bytes()).unwrap();
    // Half an event goes out while nothing else has come.
    agent.until(&first[first.len() - 10..]);
    stream.write_all(chunk(second).as_bytes()).unwrap();
    agent.until("output_tokens\":1");
    let end = format!("{}0\r\n\r\n", chunk(STOP));
    stream.write_all(end.as_bytes()).unwrap();
    let (text, is_whole) = agent.rest();
    assert!(is_whole && text.contains("message_stop"), "{text}");
    assert!(!text.contains("error"), "{text}");
    let record = &proxy.records(1)[0];
    assert_eq!(record["streamed"], true);
    assert_eq!(record["tokens"]["input"], 9);
    assert_eq!(record["tokens"]["output"], 5);
    assert!(record["first_byte_ms"].is_number(), "{record}");
}

#[test]
fn a_stream_that_is_cut_ends_in_an_error_event() {
    let upstream = Upstream::start();
    let proxy = Proxy::before(&upstream.address);
    let check =
        |line: &str, sent: &str, ends_well: bool, parts: &[&str], fault: &str, at: usize| {
            let mut agent = Agent::ask(proxy.port, line, BODY);
            let (_, mut stream) = upstream.next();
            let end = if ends_well { "0\r\n\r\n" } else { "" };
            let text = format!("{STREAM}{}{end}", chunk(sent));
            stream.write_all(text.as_bytes()).unwrap();
            drop(stream);
            let (text, is_whole) = agent.rest();
            assert!(is_whole, "{text}");
            for part in parts {
                assert!(text.contains(part), "{part} in {text}");
            }
            let record = &proxy.records(at)[at - 1];
            assert_eq!(record["error"], fault, "{record}");
        };
    let anthropic = ["event: error\ndata: {\"type\":\"error\"", "api_error"];
    check(MESSAGES, START, false, &anthropic, "upstream_cut", 1);
    // Ended as HTTP has it, and not as its format has it.
    check(MESSAGES, START, true, &anthropic, "upstream_cut", 2);
    let chat = "data: {\"choices\":[{\"finish_reason\":null}]}\n\n";
    let line = "POST /v1/chat/completions";
    check(
        line,
        chat,
        false,
        &["data: {\"error\":{"],
        "upstream_cut",
        3,
    );
    let created = "data: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\"}}\n\n";
    let parts = ["event: error\ndata: {\"type\":\"error\",\"code\""];
    let line = "POST /v1/responses";
    check(line, created, false, &parts, "upstream_cut", 4);
    let failed = "data: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n";
    check(
        MESSAGES,
        failed,
        true,
        &["overloaded_error"],
        "upstream_error",
        5,
    );
    assert_eq!(proxy.records(1)[0]["tokens"]["input"], 9);
}

#[test]
fn a_document_that_is_cut_is_never_whole() {
    let upstream = Upstream::start();
    let proxy = Proxy::before(&upstream.address);
    let mut agent = Agent::ask(proxy.port, MESSAGES, BODY);
    let (_, mut stream) = upstream.next();
    let cut =
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{\"id\":";
    stream.write_all(cut.as_bytes()).unwrap();
    drop(stream);
    let (text, is_whole) = agent.rest();
    assert!(!is_whole, "{text}");
    assert_eq!(proxy.records(1)[0]["error"], "upstream_cut");
}

#[test]
fn an_agent_that_leaves_cancels_the_upstream_and_counts() {
    let upstream = Upstream::start();
    let proxy = Proxy::before(&upstream.address);
    let mut agent = Agent::ask(proxy.port, MESSAGES, BODY);
    let (_, mut stream) = upstream.next();
    let text = format!("{STREAM}{}", chunk(START));
    stream.write_all(text.as_bytes()).unwrap();
    agent.until("output_tokens\":1");
    drop(agent);
    // The upstream's connection is closed, while nothing more is sent on it.
    let mut buffer = [0; 16];
    assert_eq!(stream.read(&mut buffer).unwrap_or(0), 0);
    let record = &proxy.records(1)[0];
    assert_eq!(record["error"], "client_left");
    assert_eq!(record["tokens"]["input"], 9);

    // Before anything was answered.
    let agent = Agent::ask(proxy.port, MESSAGES, BODY);
    let (_, mut stream) = upstream.next();
    drop(agent);
    assert_eq!(stream.read(&mut buffer).unwrap_or(0), 0);
    let record = &proxy.records(2)[1];
    assert_eq!(record["error"], "client_left");
    assert!(record.get("status").is_none(), "{record}");
}

#[test]
fn what_cannot_be_passed_on_is_told_in_the_agents_shape() {
    let limits = Limits {
        head: Duration::from_millis(200),
        body_bytes: 1_000,
        ..Limits::default()
    };
    let upstream = Upstream::start();
    let proxy = Proxy::with(&upstream.address, limits);
    let check = |agent: &mut Agent, status: &str, part: &str| {
        let (text, _) = agent.rest();
        assert!(text.starts_with(&format!("HTTP/1.1 {status}")), "{text}");
        assert!(text.contains(part), "{text}");
    };
    let anthropic = "{\"type\":\"error\",\"error\":{\"type\":";
    let wrong = |line: &str, headers: &str, status: &str, part: &str| {
        check(
            &mut Agent::ask_with(proxy.port, line, headers, BODY),
            status,
            part,
        );
    };
    wrong(MESSAGES, "", "401", anthropic);
    wrong(MESSAGES, "x-api-key: real-key\r\n", "401", anthropic);
    wrong("POST /v1/chat/completions", "", "401", "invalid_api_key");
    wrong("GET /v1/nothing", "", "401", "invalid_api_key");
    let key = "authorization: Bearer local-key\r\n";
    wrong("GET /v1/nothing", key, "404", "/v1/nothing");
    wrong("GET /v1/chat/completions", key, "405", "GET");
    wrong(
        "POST /v1beta/models/m:generateContent",
        key,
        "404",
        "gemini",
    );
    let long = "x".repeat(2_000);
    check(
        &mut Agent::ask(proxy.port, MESSAGES, &long),
        "413",
        anthropic,
    );
    // It takes the request and says nothing.
    let mut agent = Agent::ask(proxy.port, MESSAGES, BODY);
    let held = upstream.next();
    check(&mut agent, "504", "timeout_error");
    drop(held);
    // It breaks off before it says anything.
    let mut agent = Agent::ask(proxy.port, MESSAGES, BODY);
    drop(upstream.next());
    check(&mut agent, "502", anthropic);
    // Nobody is there.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nowhere = Proxy::before(&gone.local_addr().unwrap().to_string());
    drop(gone);
    let mut agent = Agent::ask(nowhere.port, MESSAGES, BODY);
    check(&mut agent, "502", "cannot be reached");
    let faults: Vec<Value> = proxy
        .records(4)
        .iter()
        .map(|record| record["error"].clone())
        .collect();
    let expected = [
        "not_served",
        "too_large",
        "upstream_timeout",
        "upstream_unreachable",
    ];
    assert_eq!(faults, expected);
}

#[test]
fn one_connection_takes_many_requests_and_the_version_may_stand_twice() {
    let upstream = Upstream::start();
    let proxy = Proxy::before(&upstream.address);
    let mut agent = Agent::ask(proxy.port, "GET /v1/v1/models", "");
    for round in 0..3 {
        let request = upstream.answer(&whole("{\"data\":[]}"));
        assert!(request.starts_with("GET /v1/models "), "{request}");
        let (text, is_whole) = agent.rest();
        assert!(is_whole, "{round}: {text}");
        let again = "GET /v1/models HTTP/1.1\r\nhost: x\r\nx-api-key: local-key\r\n\r\n";
        agent.0.write_all(again.as_bytes()).unwrap();
    }
}

#[test]
fn a_connection_that_was_kept_open_and_is_closed_costs_no_request() {
    let upstream = Upstream::start();
    let proxy = Proxy::before(&upstream.address);
    let mut agent = Agent::ask(proxy.port, MESSAGES, BODY);
    let (_, mut kept) = upstream.next();
    kept.write_all(whole("{}").as_bytes()).unwrap();
    assert!(agent.rest().1);
    // It comes by the same connection, which closes just then.
    let mut agent = Agent::ask(proxy.port, MESSAGES, BODY);
    let mut buffer = [0; 16];
    assert!(kept.read(&mut buffer).unwrap() > 0);
    drop(kept);
    let request = upstream.answer(&whole("{}"));
    assert!(request.ends_with(BODY), "{request}");
    let (text, is_whole) = agent.rest();
    assert!(is_whole && text.starts_with("HTTP/1.1 200"), "{text}");
    assert_eq!(proxy.records(2).len(), 2);
}

#[test]
fn errors_of_the_upstream_pass_with_their_headers() {
    let upstream = Upstream::start();
    let proxy = Proxy::before(&upstream.address);
    let mut agent = Agent::ask(proxy.port, MESSAGES, BODY);
    let body = "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}";
    upstream.answer(&format!(
        "HTTP/1.1 529 Overloaded\r\nretry-after: 7\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    ));
    let (text, _) = agent.rest();
    assert!(text.starts_with("HTTP/1.1 529"), "{text}");
    assert!(text.contains("retry-after: 7"), "{text}");
    assert!(text.ends_with(body), "{text}");
    let record = &proxy.records(1)[0];
    assert_eq!(record["status"], 529);
    assert_eq!(record["error"], "upstream_error");
}

#[test]
fn another_configuration_holds_from_the_next_request_on() {
    let (first, second) = (Upstream::start(), Upstream::start());
    let proxy = Proxy::before(&first.address);
    let mut open = Agent::ask(proxy.port, MESSAGES, BODY);
    let (_, mut stream) = first.next();
    let text = format!("{STREAM}{}", chunk(START));
    stream.write_all(text.as_bytes()).unwrap();
    open.until("output_tokens\":1");
    let mut other = configuration(&second.address, Limits::default());
    other.local_key = Secret::new("other-key");
    proxy.service.apply(other).unwrap();
    let mut old_key = Agent::ask(proxy.port, MESSAGES, BODY);
    assert!(old_key.rest().0.starts_with("HTTP/1.1 401"));
    let key = "x-api-key: other-key\r\n";
    let mut next = Agent::ask_with(proxy.port, MESSAGES, key, BODY);
    second.answer(&whole("{}"));
    assert!(next.rest().1);
    let end = format!("{}0\r\n\r\n", chunk(STOP));
    stream.write_all(end.as_bytes()).unwrap();
    let (text, is_whole) = open.rest();
    assert!(is_whole && text.contains("message_stop"), "{text}");
}

#[test]
fn a_stop_lets_open_streams_end_for_a_while() {
    let limits = Limits {
        drain: PATIENCE,
        ..Limits::default()
    };
    let upstream = Upstream::start();
    let mut proxy = Proxy::with(&upstream.address, limits);
    let mut agent = Agent::ask(proxy.port, MESSAGES, BODY);
    let (_, mut stream) = upstream.next();
    let text = format!("{STREAM}{}", chunk(START));
    stream.write_all(text.as_bytes()).unwrap();
    agent.until("output_tokens\":1");
    proxy.stop.send_replace(true);
    let deadline = Instant::now() + PATIENCE;
    while std::net::TcpStream::connect(("127.0.0.1", proxy.port)).is_ok() {
        assert!(Instant::now() < deadline, "it takes new connections");
    }
    let end = format!("{}0\r\n\r\n", chunk(STOP));
    stream.write_all(end.as_bytes()).unwrap();
    let (text, _) = agent.rest();
    assert!(text.contains("message_stop"), "{text}");
    let serving = proxy.serving.take().unwrap();
    assert!(proxy.runtime.block_on(serving).unwrap());
    assert!(proxy.records(1)[0].get("error").is_none());
}

#[test]
fn a_stop_cuts_what_takes_longer_and_counts_it() {
    let limits = Limits {
        drain: Duration::from_millis(100),
        ..Limits::default()
    };
    let upstream = Upstream::start();
    let mut proxy = Proxy::with(&upstream.address, limits);
    let mut agent = Agent::ask(proxy.port, MESSAGES, BODY);
    let (_, mut stream) = upstream.next();
    let text = format!("{STREAM}{}", chunk(START));
    stream.write_all(text.as_bytes()).unwrap();
    agent.until("output_tokens\":1");
    proxy.stop.send_replace(true);
    let serving = proxy.serving.take().unwrap();
    assert!(!proxy.runtime.block_on(serving).unwrap());
    let (text, is_whole) = agent.rest();
    assert!(!is_whole, "{text}");
    assert_eq!(proxy.records(1)[0]["tokens"]["input"], 9);
}

#[test]
fn health_needs_no_key_and_says_who_answers() {
    let proxy = Proxy::before("127.0.0.1:9");
    let pid = std::process::id();
    assert!(clown_proxy::control::client::is_healthy(proxy.port, pid));
    assert!(!clown_proxy::control::client::is_healthy(
        proxy.port,
        pid + 1
    ));
}
