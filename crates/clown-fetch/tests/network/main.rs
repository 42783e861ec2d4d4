//! The fetcher against servers on loopback that do everything wrong.
#![expect(
    clippy::unwrap_used,
    reason = "what a test needs is there, or the test fails"
)]

mod server;
mod tls;

use clown_core::fetch::{
    Fetch as _, FetchError, FetchFailure, FetchRequest, FetchResponse, Method, Redirects,
};
use clown_fetch::{Fetcher, FetcherSettings, ProxySettings};
use server::{Server, answer, read_request};
use std::io::Write as _;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

fn fetcher() -> Fetcher {
    Fetcher::new(FetcherSettings::default())
}

fn get(url: &str) -> Result<FetchResponse, FetchError> {
    fetcher().fetch(&FetchRequest::get(url))
}

fn failure(url: &str) -> FetchFailure {
    get(url).unwrap_err().failure
}

#[test]
fn an_answer_is_given_whole_whatever_its_status() {
    let server = Server::start(|mut stream| {
        while let Some(request) = read_request(&mut stream) {
            let body = format!("{}|{}", request.head, request.body);
            let status = match request.path.as_str() {
                "/missing" => "404 Not Found",
                _ => "200 OK",
            };
            write!(
                stream,
                "HTTP/1.1 {status}\r\nX-One: 1\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
            .unwrap();
        }
    });
    let found = get(&server.url("/found?q=1")).unwrap();
    assert_eq!(found.status, 200);
    assert_eq!(found.header("x-one"), Some("1"));
    let text = String::from_utf8(found.body).unwrap();
    assert!(text.starts_with("GET /found?q=1 HTTP/1.1\r\n"), "{text}");
    assert!(text.contains("user-agent: clown/"), "{text}");
    assert!(!text.contains("accept-encoding"), "{text}");

    assert_eq!(get(&server.url("/missing")).unwrap().status, 404);

    let post = FetchRequest {
        method: Method::Post,
        body: Some(b"hello".to_vec()),
        ..FetchRequest::get(server.url("/")).header("x-api-key", "sk-1")
    };
    let posted = String::from_utf8(fetcher().fetch(&post).unwrap().body).unwrap();
    assert!(posted.starts_with("POST / HTTP/1.1\r\n"), "{posted}");
    assert!(posted.contains("x-api-key: sk-1"), "{posted}");
    assert!(posted.ends_with("|hello"), "{posted}");
}

#[test]
fn connections_are_used_again() {
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    let server = Server::start(move |mut stream| {
        counted.fetch_add(1, Ordering::Relaxed);
        while read_request(&mut stream).is_some() {
            answer(&mut stream, "ok");
        }
    });
    let fetcher = fetcher();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let request = FetchRequest::get(server.url("/small"));
                    assert_eq!(fetcher.fetch(&request).unwrap().body, b"ok");
                }
            });
        }
    });
    // Four at a time need four, and a few more where one was not back yet.
    let opened = connections.load(Ordering::Relaxed);
    assert!(opened <= 12, "{opened} connections for 200 requests");
}

#[test]
fn a_slow_answer_is_ended_by_the_clock() {
    let check = |head: &'static str| {
        let server = Server::start(move |mut stream| {
            read_request(&mut stream);
            stream.write_all(head.as_bytes()).unwrap();
            // Until the other side has had enough.
            while read_request(&mut stream).is_some() {}
        });
        let after = Duration::from_millis(200);
        let request = FetchRequest {
            timeout: after,
            ..FetchRequest::get(server.url("/"))
        };
        let begun = Instant::now();
        let error = fetcher().fetch(&request).unwrap_err();
        assert_eq!(error.failure, FetchFailure::TimedOut { after }, "{head:?}");
        assert!(begun.elapsed() >= after);
        assert!(begun.elapsed() < Duration::from_secs(10));
    };
    check("");
    check("HTTP/1.1 200 OK\r\nContent-Le");
    check("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
}

#[test]
fn an_answer_that_is_cut_is_an_error() {
    let check = |sent: &'static str, received: u64| {
        let server = Server::start(move |mut stream| {
            read_request(&mut stream);
            stream.write_all(sent.as_bytes()).unwrap();
        });
        let expected = FetchFailure::CutShort { received };
        assert_eq!(failure(&server.url("/")), expected, "{sent:?}");
    };
    check("", 0);
    check("HTTP/1.1 200 OK\r\nConte", 0);
    check("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", 4);
    check(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        4,
    );
}

#[test]
fn a_body_that_is_too_long_ends_the_exchange() {
    let endless = Server::start(|mut stream| {
        read_request(&mut stream);
        let mut head = &b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"[..];
        while stream.write_all(head).is_ok() {
            head = b"10\r\n0123456789abcdef\r\n";
        }
    });
    let limit = |limit, url| FetchRequest {
        max_bytes: limit,
        ..FetchRequest::get(url)
    };
    let error = fetcher()
        .fetch(&limit(1_000, endless.url("/")))
        .unwrap_err();
    assert_eq!(error.failure, FetchFailure::TooLarge { limit: 1_000 });

    let told = Server::start(|mut stream| {
        read_request(&mut stream);
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n").unwrap();
        // Nothing of the body is waited for.
        while read_request(&mut stream).is_some() {}
    });
    let error = fetcher().fetch(&limit(10, told.url("/"))).unwrap_err();
    assert_eq!(error.failure, FetchFailure::TooLarge { limit: 10 });

    let exact = Server::start(|mut stream| {
        read_request(&mut stream);
        answer(&mut stream, "0123456789");
    });
    let body = fetcher().fetch(&limit(10, exact.url("/"))).unwrap().body;
    assert_eq!(body, b"0123456789");
}

#[test]
fn redirects_stay_on_the_host_or_are_refused() {
    let redirect = |location: String| {
        Server::start(move |mut stream| {
            while let Some(request) = read_request(&mut stream) {
                if request.path == "/there" {
                    answer(&mut stream, &request.head);
                    continue;
                }
                write!(
                    stream,
                    "HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
                )
                .unwrap();
            }
        })
    };
    let ask = |server: &Server, redirects| {
        let request = FetchRequest {
            redirects,
            ..FetchRequest::get(server.url("/from")).header("x-api-key", "sk-1")
        };
        fetcher().fetch(&request)
    };
    let same = redirect("/there".to_owned());
    let arrived = ask(&same, Redirects::SameHost).unwrap();
    assert!(String::from_utf8(arrived.body).unwrap().contains("sk-1"));
    assert_eq!(
        ask(&same, Redirects::Refuse).unwrap_err().failure,
        FetchFailure::RedirectRefused {
            to: "/there".to_owned()
        }
    );

    let reached = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&reached);
    let other = Server::start(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    let away = redirect(other.url("/there?token=secret"));
    let error = ask(&away, Redirects::SameHost).unwrap_err();
    assert_eq!(
        error.failure,
        FetchFailure::RedirectRefused {
            to: other.url("/there")
        }
    );
    assert_eq!(reached.load(Ordering::Relaxed), 0);

    let around = redirect("/from".to_owned());
    let error = ask(&around, Redirects::SameHost).unwrap_err();
    assert_eq!(error.failure, FetchFailure::RedirectLoop { times: 6 });
}

#[test]
fn nobody_there_is_told_apart() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    assert_eq!(
        failure(&format!("http://127.0.0.1:{port}/")),
        FetchFailure::Refused
    );
    let unknown = failure("http://nobody.invalid/");
    assert!(
        matches!(unknown, FetchFailure::UnknownHost { .. }),
        "{unknown:?}"
    );
    let not_http = Server::start(|mut stream| {
        read_request(&mut stream);
        stream.write_all(b"220 mail.example ESMTP\r\n").unwrap();
    });
    let failure = failure(&not_http.url("/"));
    assert!(
        matches!(failure, FetchFailure::NotHttp { .. }),
        "{failure:?}"
    );
}

#[test]
fn a_header_that_is_none_is_told_by_its_name() {
    let request = FetchRequest::get("http://127.0.0.1:1/").header("x-api-key", "sk\n1");
    let error = fetcher().fetch(&request).unwrap_err();
    assert_eq!(
        error.failure,
        FetchFailure::BadHeader {
            name: "x-api-key".to_owned()
        }
    );
}

#[test]
fn it_can_be_asked_and_dropped_from_within_another_runtime() {
    let server = Server::start(|mut stream| {
        read_request(&mut stream);
        answer(&mut stream, "ok");
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        assert_eq!(get(&server.url("/")).unwrap().body, b"ok");
    });
}

#[test]
fn a_proxy_is_asked_for_others_and_never_for_this_machine() {
    let proxy = Server::start(|mut stream| {
        while let Some(request) = read_request(&mut stream) {
            answer(&mut stream, &request.head);
        }
    });
    let settings = |url: String| FetcherSettings {
        proxies: ProxySettings {
            all: Some(url),
            none: Some("direct.invalid".to_owned()),
            ..ProxySettings::default()
        },
        ..FetcherSettings::default()
    };
    let with_password = proxy.url("").replace("http://", "http://me:secret@");
    let fetcher = Fetcher::new(settings(with_password));
    let ask = |url: &str| fetcher.fetch(&FetchRequest::get(url));
    let head = String::from_utf8(ask("http://far.invalid/x").unwrap().body).unwrap();
    assert!(
        head.starts_with("GET http://far.invalid/x HTTP/1.1"),
        "{head}"
    );
    assert!(
        head.contains("proxy-authorization: Basic bWU6c2VjcmV0"),
        "{head}"
    );

    let failure = ask("http://direct.invalid/").unwrap_err().failure;
    assert!(
        matches!(failure, FetchFailure::UnknownHost { .. }),
        "{failure:?}"
    );
    let local = Server::start(|mut stream| {
        read_request(&mut stream);
        answer(&mut stream, "local");
    });
    assert_eq!(ask(&local.url("/")).unwrap().body, b"local");

    let shown = format!("{fetcher:?}");
    assert!(!shown.contains("secret"), "{shown}");

    let socks = Fetcher::new(settings("socks5://me:secret@127.0.0.1:1".to_owned()));
    let error = socks
        .fetch(&FetchRequest::get("http://far.invalid/"))
        .unwrap_err();
    assert!(
        error.to_string().contains("no other kind is supported"),
        "{error}"
    );
    assert!(!error.to_string().contains("secret"), "{error}");
}
