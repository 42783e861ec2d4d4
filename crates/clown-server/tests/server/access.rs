//! Who is let in, and in which order others are refused.

use super::client::{Answer, Client, KEY, get, request};
use super::support::TestServer;
use clown_server::{ServerSettings, Token};

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

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn with_token(settings: &mut ServerSettings) {
    settings.token = Some(Token::new(TOKEN).unwrap());
}

#[test]
#[cfg(target_os = "linux")]
fn the_daemons_own_user_needs_no_token_unless_somebody_passes_the_request_on() {
    let server = TestServer::with(with_token);
    let host = format!("Host: {}", server.address);
    let paths = ["/api/v1/state", "/api/v1/events", "/ws", "/nothing", "/"];
    for path in paths {
        let line = format!("GET {path}");
        assert_ne!(ask(&server, &line, &[&host]).status, 401, "{path}");
        for passed_on in [
            "X-Forwarded-For: 192.0.2.7",
            "X-Forwarded-Proto: https",
            "Forwarded: for=192.0.2.7",
            "Via: 1.1 proxy",
        ] {
            let answer = ask(&server, &line, &[&host, passed_on]);
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (401, "token_missing"),
                "{path} {passed_on}"
            );
            assert_eq!(
                answer.header("www-authenticate"),
                Some("Bearer realm=\"clown\"")
            );
            let right = format!("Authorization: Bearer {TOKEN}");
            let answer = ask(&server, &line, &[&host, passed_on, &right]);
            assert_ne!(answer.status, 401, "{path} {passed_on}");
        }
        let answer = ask(&server, &line, &[&host, "Authorization: Bearer wrong"]);
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (401, "token_wrong")
        );
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.contains("invalid_token"), "{challenge}");
    }
    let answer = ask(&server, "GET /healthz", &[&host, "Via: 1.1 proxy"]);
    assert_eq!(answer.status, 200);
}

#[test]
fn a_browser_shows_the_token_as_a_subprotocol_and_gets_the_first_one_back() {
    let server = TestServer::with(with_token);
    let open = |protocols: &str| {
        let mut client = Client::raw(server.address);
        let headers = format!("Via: 1.1 proxy\r\nSec-WebSocket-Protocol: {protocols}\r\n");
        client.send_raw(super::client::handshake(server.address, "/ws", &headers).as_bytes());
        let head = client.head();
        assert!(!head.contains(TOKEN), "{head}");
        head.to_ascii_lowercase()
    };
    let head = open(&format!("clown.bearer, {TOKEN}"));
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    assert!(
        head.contains("\r\nsec-websocket-protocol: clown.bearer\r\n"),
        "{head}"
    );
    for wrong in [
        "clown.bearer",
        TOKEN,
        "clown.bearer, wrong",
        &format!("{TOKEN}, clown.bearer"),
    ] {
        let head = open(wrong);
        assert!(head.starts_with("http/1.1 401 "), "{wrong}: {head}");
    }
}

#[test]
fn the_first_reason_to_refuse_is_told() {
    let server = TestServer::with(|settings| {
        with_token(settings);
        settings.limits.connections = 1;
    });
    let _full = Client::open(server.address, "/ws");
    let host = format!("Host: {}", server.address);
    let bearer = format!("Authorization: Bearer {TOKEN}");
    let check = |headers: &[&str], status: u16| {
        let mut lines = headers.to_vec();
        let key = format!("Sec-WebSocket-Key: {KEY}");
        lines.extend([
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            &key,
        ]);
        let answer = ask(&server, "GET /ws", &lines);
        assert_eq!(answer.status, status, "{headers:?}");
        answer
    };
    let (foreign, page, proxy) = ("Host: evil.example", "Origin: null", "Via: 1.1 proxy");
    check(&[&host, &host, page, proxy], 400);
    check(&[foreign, page, proxy], 421);
    check(&[&host, page, proxy], 403);
    check(&[&host, proxy], 401);
    let answer = check(&[&host, proxy, &bearer], 503);
    assert_eq!(answer.header("retry-after"), Some("5"));
}

#[test]
fn a_page_of_another_place_may_ask_first_and_is_let_in_by_the_token() {
    let server = TestServer::with(|settings| {
        with_token(settings);
        settings.origins = vec!["https://app.example".to_owned()];
    });
    let host = format!("Host: {}", server.address);
    let page = "Origin: https://app.example";
    let proxy = "Via: 1.1 proxy";
    let asks = "Access-Control-Request-Method: POST";
    let answer = ask(
        &server,
        "OPTIONS /api/v1/profiles",
        &[&host, page, proxy, asks],
    );
    assert_eq!(answer.status, 204);
    let allowed = answer.header("access-control-allow-headers").unwrap();
    assert!(allowed.contains("Authorization"), "{allowed}");
    let answer = ask(&server, "GET /api/v1/state", &[&host, page, proxy]);
    assert_eq!(answer.status, 401);
    // So that the page can tell its user what is missing.
    assert_eq!(
        answer.header("access-control-allow-origin"),
        Some("https://app.example")
    );
}

/// The address that this machine has in a network. Nothing is sent to find it.
fn outside_address() -> Option<std::net::IpAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    let found = socket
        .connect("192.0.2.1:9")
        .and_then(|()| socket.local_addr());
    let address = found.ok().map(|address| address.ip());
    let address = address.filter(|ip| !ip.is_loopback() && !ip.is_unspecified());
    if address.is_none() {
        eprintln!("NOT RUN: this machine has no address in a network");
    }
    address
}

#[test]
#[cfg(target_os = "linux")]
fn others_that_say_nothing_do_not_keep_the_daemons_user_out() {
    let Some(address) = outside_address() else {
        return;
    };
    let server = TestServer::with(|settings| {
        settings.listen = "0.0.0.0:0".parse().unwrap();
        settings.limits.requests = 4;
        settings.limits.request_timeout = 3 * super::support::PATIENCE;
    });
    let outside = std::net::SocketAddr::new(address, server.address.port());
    let _silent: Vec<Client> = (0..20).map(|_| Client::raw(outside)).collect();
    let inside = std::net::SocketAddr::new([127, 0, 0, 1].into(), server.address.port());
    assert_eq!(get(inside, "/api/v1/state").status, 200);
}

#[test]
fn off_loopback_the_token_is_always_needed() {
    let Some(address) = outside_address() else {
        return;
    };
    let server = TestServer::with(|settings| {
        with_token(settings);
        settings.listen = "0.0.0.0:0".parse().unwrap();
        settings.hosts = vec![address.to_string()];
    });
    let outside = std::net::SocketAddr::new(address, server.address.port());
    let inside = std::net::SocketAddr::new([127, 0, 0, 1].into(), server.address.port());
    let state = |to: std::net::SocketAddr, more: &str| {
        let text = format!("GET /api/v1/state HTTP/1.1\r\nHost: {to}\r\n{more}\r\n");
        request(to, &text).status
    };
    assert_eq!(state(outside, ""), 401);
    assert_eq!(
        state(outside, &format!("Authorization: Bearer {TOKEN}\r\n")),
        200
    );
    assert_eq!(get(outside, "/healthz").status, 200);
    #[cfg(target_os = "linux")]
    assert_eq!(state(inside, ""), 200);
    let foreign = "GET /healthz HTTP/1.1\r\nHost: other.example\r\n\r\n";
    assert_eq!(request(outside, foreign).status, 421);
}
