//! Who is let in, and in which order others are refused.

use super::client::{Answer, Client, KEY, get, request};
use super::support::TestServer;

fn ask(server: &TestServer, first_line: &str, headers: &[&str]) -> Answer {
    let text = format!("{first_line} HTTP/1.1\r\n{}\r\n\r\n", headers.join("\r\n"));
    request(server.address, &text)
}

#[test]
fn a_foreign_host_is_refused_everywhere() {
    let server = TestServer::start();
    for path in ["/ws", "/healthz", "/api/v1/state", "/nothing"] {
        let check = |headers: &[&str], status: u16, code: &str| {
            let answer = ask(&server, &format!("GET {path}"), headers);
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (status, code),
                "{path} {headers:?}"
            );
            assert_eq!(
                answer.header("content-type"),
                Some("application/problem+json")
            );
        };
        check(&["Host: evil.example"], 421, "foreign_host");
        check(&["X-Nothing: 1"], 400, "malformed_host");
        check(
            &["Host: localhost", "Host: localhost"],
            400,
            "malformed_host",
        );
        check(&["Host: evil.example", "Origin: null"], 421, "foreign_host");
        check(&["Host: localhost", "Origin: null"], 403, "foreign_origin");
        check(
            &["Host: localhost", "Origin: http://evil.example"],
            403,
            "foreign_origin",
        );
    }
    assert_eq!(
        ask(
            &server,
            "GET http://evil.example/healthz",
            &["Host: localhost"]
        )
        .status,
        421
    );
    assert_eq!(
        ask(
            &server,
            "GET http://localhost/healthz",
            &["Host: localhost"]
        )
        .status,
        200
    );
}

#[test]
fn pages_that_a_person_develops_may_read_and_not_write() {
    let server = TestServer::start();
    let host = format!("Host: {}", server.address);
    let own = format!("Origin: http://{}", server.address);
    let developed = "Origin: http://localhost:5173";
    let empty = ["Content-Length: 0"];
    let read = |origin: &str| ask(&server, "GET /healthz", &[&host, origin]);
    let write = |origin: &str| {
        ask(
            &server,
            "POST /api/v1/agents/detect",
            &[&host, origin, empty[0]],
        )
    };
    assert_eq!((read(&own).status, write(&own).status), (200, 200));
    let answer = read(developed);
    assert_eq!(answer.status, 200);
    // Without this the page's own browser would keep the answer from it.
    assert_eq!(
        answer.header("access-control-allow-origin"),
        Some("http://localhost:5173")
    );
    assert_eq!(answer.header("vary"), Some("Origin"));
    assert_eq!(write(developed).code(), "foreign_origin");
    let ask_first = |method: &str| {
        let asked = format!("Access-Control-Request-Method: {method}");
        ask(
            &server,
            "OPTIONS /api/v1/profiles",
            &[&host, developed, &asked],
        )
        .status
    };
    assert_eq!((ask_first("GET"), ask_first("POST")), (204, 403));
}

#[test]
fn a_page_may_open_the_stream_where_it_may_read() {
    let server = TestServer::start();
    let open = |origin: &str| {
        let mut client = Client::raw(server.address);
        let text =
            super::client::handshake(server.address, "/ws", &format!("Origin: {origin}\r\n"));
        client.send_raw(text.as_bytes());
        let mut status = [0; 12];
        std::io::Read::read_exact(&mut client.stream, &mut status).unwrap();
        String::from_utf8(status[9..].to_vec()).unwrap()
    };
    assert_eq!(open("http://localhost:3000"), "101");
    assert_eq!(open(&format!("http://{}", server.address)), "101");
    assert_eq!(open("https://localhost:3000"), "403");
    assert_eq!(open("null"), "403");
}

#[test]
fn malformed_handshakes() {
    let server = TestServer::start();
    let host = format!("Host: {}", server.address);
    let key = format!("Sec-WebSocket-Key: {KEY}");
    let good = [
        host.as_str(),
        "Connection: keep-alive, Upgrade",
        "Upgrade: WebSocket",
        "Sec-WebSocket-Version: 13",
        key.as_str(),
    ];
    let check = |line: &str, change: &dyn Fn(&mut Vec<&str>), status: u16, code: &str| {
        let mut headers = good.to_vec();
        change(&mut headers);
        let answer = ask(&server, line, &headers);
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (status, code),
            "{line} {headers:?}"
        );
        answer
    };
    let line = "GET /ws";
    check(
        line,
        &|headers| headers.retain(|header| *header != good[1]),
        426,
        "upgrade_required",
    );
    let answer = check(
        line,
        &|headers| headers.retain(|header| *header != good[2]),
        426,
        "upgrade_required",
    );
    assert_eq!(answer.header("upgrade"), Some("websocket"));
    let answer = check(
        line,
        &|headers| headers[3] = "Sec-WebSocket-Version: 8",
        426,
        "upgrade_required",
    );
    assert_eq!(answer.header("sec-websocket-version"), Some("13"));
    check(
        line,
        &|headers| headers.retain(|header| *header != good[4]),
        400,
        "malformed_handshake",
    );
    check(
        line,
        &|headers| headers[4] = "Sec-WebSocket-Key: short",
        400,
        "malformed_handshake",
    );
    check(
        line,
        &|headers| headers.push("Content-Length: 3"),
        400,
        "malformed_handshake",
    );
    let answer = check("POST /ws", &|_| {}, 405, "method_not_allowed");
    assert_eq!(answer.header("allow"), Some("GET"));
    assert_eq!(get(server.address, "/ws").status, 426);
}

#[test]
fn parameters_of_the_stream_are_checked() {
    let server = TestServer::start();
    let check = |query: &str, code: &str, part: &str| {
        let mut client = Client::raw(server.address);
        client.send_raw(
            super::client::handshake(server.address, &format!("/ws?{query}"), "").as_bytes(),
        );
        let answer = client.answer();
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, code),
            "{query}"
        );
        assert!(answer.body.contains(part), "{query}: {}", answer.body);
    };
    check("sinse=1", "unknown_parameter", "sinse");
    check("since=yesterday", "invalid_parameter", "yesterday");
    check("since=1&since=2", "invalid_parameter", "twice");
    check(
        "since=9007199254740992",
        "invalid_parameter",
        "9007199254740991",
    );
    check("events=ProfilCreated", "invalid_filter", "ProfileCreated");
    check("events=Porxy*", "invalid_filter", "Proxy*");
    check("profile=a/b", "invalid_filter", "a/b");
    check("keepalive=yes", "invalid_parameter", "yes");
    check("since=%zz", "invalid_parameter", "percent");
}

#[test]
fn only_loopback_is_listened_on() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = TestServer::start();
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let settings = clown_server::ServerSettings::new(address.parse().unwrap());
        let refused = runtime.block_on(clown_server::Server::bind(settings, server.core.clone()));
        let error = refused.unwrap_err().to_string();
        assert!(error.contains("127.0.0.1"), "{error}");
    }
}
