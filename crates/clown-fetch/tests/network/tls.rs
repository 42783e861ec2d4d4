//! TLS with an authority of our own.

use crate::server::{Server, answer, read_request};
use crate::{failure, get};
use clown_core::fetch::{Fetch as _, FetchFailure, FetchRequest, TlsProblem};
use clown_fetch::{Fetcher, FetcherSettings};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::Write as _;
use std::sync::Arc;

/// An authority that nobody knows but the test.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A server that shows a certificate for `name`.
    fn serve(&self, name: &str, change: impl Fn(&mut CertificateParams)) -> Server {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        change(&mut params);
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let config = Arc::new(config);
        Server::start(move |stream| {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream);
            while let Some(request) = read_request(&mut stream) {
                if request.path == "/cut" {
                    // The connection ends without TLS's own end.
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nhalf");
                    return;
                }
                answer(&mut stream, "safe");
            }
        })
    }
}

fn url(server: &Server, path: &str) -> String {
    format!("https://localhost:{}{path}", server.port())
}

fn trusting(authority: &Authority) -> (tempfile::TempDir, Fetcher) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("authority.pem");
    std::fs::write(&path, authority.0.pem()).unwrap();
    let settings = FetcherSettings {
        authorities: vec![path],
        ..FetcherSettings::default()
    };
    (folder, Fetcher::new(settings))
}

#[test]
fn an_authority_of_our_own_is_trusted_once_it_is_named() {
    let authority = Authority::new();
    let server = authority.serve("localhost", |_| {});
    let (_folder, fetcher) = trusting(&authority);
    let answer = fetcher.fetch(&FetchRequest::get(url(&server, "/")));
    assert_eq!(answer.unwrap().body, b"safe");

    let problem = failure(&url(&server, "/"));
    assert_eq!(problem, FetchFailure::Tls(TlsProblem::UnknownAuthority));
    let (_folder, of_another) = trusting(&Authority::new());
    let answer = of_another.fetch(&FetchRequest::get(url(&server, "/")));
    assert!(answer.is_err());
}

#[test]
fn what_is_wrong_with_a_certificate_is_told() {
    let authority = Authority::new();
    let (_folder, fetcher) = trusting(&authority);
    let check = |name: &str, change: &dyn Fn(&mut CertificateParams), expected: TlsProblem| {
        let server = authority.serve(name, change);
        let answer = fetcher.fetch(&FetchRequest::get(url(&server, "/")));
        assert_eq!(answer.unwrap_err().failure, FetchFailure::Tls(expected));
    };
    check(
        "other.example",
        &|_| {},
        TlsProblem::WrongName {
            names: "other.example".to_owned(),
        },
    );
    check(
        "localhost",
        &|params| params.not_after = date_time_ymd(2001, 1, 1),
        TlsProblem::Expired,
    );
    check(
        "localhost",
        &|params| params.not_before = date_time_ymd(4000, 1, 1),
        TlsProblem::NotYetValid,
    );
}

#[test]
fn a_server_without_tls_is_told() {
    let server = Server::start(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        // What is in a handshake is nothing that a test has to understand.
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let problem = failure(&url(&server, "/"));
    assert_eq!(problem, FetchFailure::Tls(TlsProblem::NotTls));
}

#[test]
fn a_body_without_length_that_is_cut_is_an_error() {
    let authority = Authority::new();
    let server = authority.serve("localhost", |_| {});
    let (_folder, fetcher) = trusting(&authority);
    let answer = fetcher.fetch(&FetchRequest::get(url(&server, "/cut")));
    assert_eq!(
        answer.unwrap_err().failure,
        FetchFailure::CutShort { received: 4 }
    );
}

#[test]
fn an_authority_that_cannot_be_read_is_told_before_anything_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    for path in [empty, folder.path().join("missing.pem")] {
        let settings = FetcherSettings {
            authorities: vec![path.clone()],
            ..FetcherSettings::default()
        };
        let answer = Fetcher::new(settings).fetch(&FetchRequest::get("https://127.0.0.1:1/"));
        let error = answer.unwrap_err().to_string();
        assert!(error.contains(path.to_str().unwrap()), "{error}");
    }
    assert!(get("http://127.0.0.1:1/").is_err());
}
