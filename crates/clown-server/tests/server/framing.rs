//! Where one request ends and the next begins, and what happens to those that leave it open.

use super::client::{Client, Frame};
use super::support::TestServer;
use std::net::SocketAddr;

/// Sends `bytes` and gives the status; `None` when the connection ends without one.
fn status(address: SocketAddr, bytes: &str) -> (Client, u16) {
    let mut client = Client::raw(address);
    client.send_raw(bytes.as_bytes());
    let status = client.answer().status;
    (client, status)
}

const POST: &str =
    "POST /api/v1/profiles HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";

#[test]
fn requests_that_can_be_read_in_two_ways_are_refused() {
    let server = TestServer::start();
    let check = |headers: &str, body: &str, expected: u16| {
        let (mut client, status) = status(server.address, &format!("{POST}{headers}\r\n{body}"));
        assert_eq!(status, expected, "{headers:?}");
        assert_eq!(client.frame(), Frame::End, "nothing follows it");
    };
    for length in [
        "-1",
        "+2",
        "0x2",
        "2, 2",
        "",
        "99999999999999999999",
        "2\r\nContent-Length: 3",
    ] {
        check(&format!("Content-Length: {length}\r\n"), "{}", 400);
    }
    for coding in ["identity", "gzip", "chunked, gzip", "xchunked"] {
        check(&format!("Transfer-Encoding: {coding}\r\n"), "", 400);
    }
    for headers in [
        "Host: localhost\r\nContent-Length: 2\r\n",
        "Content-Length : 2\r\n",
        "X-Folded: a\r\n b\r\n",
        "X-Control: \u{7}\r\n",
        "X[]: a\r\n",
        "No colon\r\n",
    ] {
        // The first one is answered by the daemon, which can go on; the others by hyper.
        let close = if headers.starts_with("Host") {
            "Connection: close\r\n"
        } else {
            ""
        };
        check(&format!("{headers}{close}"), "{}", 400);
    }
    for body in [
        "zz\r\n{}\r\n0\r\n\r\n",
        "2\r\n{}0\r\n\r\n",
        "fffffffffffffffff\r\n",
    ] {
        check("Transfer-Encoding: chunked\r\n", body, 400);
    }
    check(
        "Connection: close\r\nTransfer-Encoding: gzip, chunked\r\n",
        "0\r\n\r\n",
        501,
    );
}

#[test]
fn request_lines_that_are_none_are_refused() {
    let server = TestServer::start();
    for line in [
        "GET /healthz",
        "GET /healthz ",
        "GET /healthz HTTP/9.9",
        "GET /healthz HTTP/1.2",
        "GET /healthz http/1.1",
        "GET  /healthz HTTP/1.1",
        "GET\t/healthz\tHTTP/1.1",
        "GET /heal thz HTTP/1.1",
        "G<T /healthz HTTP/1.1",
        "Extra lineGET /healthz HTTP/1.1",
        "\u{16}\u{3}\u{1}",
    ] {
        let text = format!("{line}\r\nHost: localhost\r\n\r\n");
        let (mut client, status) = status(server.address, &text);
        assert_eq!(status, 400, "{line:?}");
        assert_eq!(client.frame(), Frame::End, "nothing follows it");
    }
}

#[test]
fn a_body_may_come_in_chunks_and_the_next_request_follows_it() {
    let server = TestServer::start();
    let chunked = format!(
        "{POST}Transfer-Encoding: chunked\r\n\r\n3;note=x\r\n{{\"a\r\n4\r\n\":1}}\r\n0\r\nX-Trailer: 1\r\n\r\n"
    );
    let get = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut client = Client::raw(server.address);
    client.send_raw(format!("{chunked}{get}").as_bytes());
    // The document is whole: what is refused is its member.
    assert_eq!(client.answer().code(), "invalid_body");
    assert_eq!(client.answer().status, 200);
}

#[test]
fn length_and_chunks_together_end_the_connection() {
    let server = TestServer::start();
    for headers in [
        "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 2\r\n",
    ] {
        let text = format!(
            "{POST}{headers}\r\n2\r\n{{}}\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
        );
        let (mut client, status) = status(server.address, &text);
        assert_eq!(status, 422, "{headers:?}");
        assert_eq!(client.frame(), Frame::End, "nothing follows it");
    }
}

#[test]
fn a_client_that_waits_for_100_is_told_to_go_on() {
    let server = TestServer::start();
    let mut client = Client::raw(server.address);
    client.send_raw(format!("{POST}Content-Length: 2\r\nExpect: 100-continue\r\n\r\n").as_bytes());
    assert!(client.head().starts_with("HTTP/1.1 100 "));
    client.send_raw(b"{}");
    assert_eq!(client.answer().status, 422);
}
