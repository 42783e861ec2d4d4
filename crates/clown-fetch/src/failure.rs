//! What the libraries' errors mean.

use clown_connect::{ProxyError, UnknownHost};
use clown_core::fetch::{FetchFailure, TlsProblem};
use hyper_util::client::legacy;
use rustls::CertificateError;
use std::error::Error;
use std::io;

/// Why no answer began.
pub(crate) fn of(error: &legacy::Error) -> FetchFailure {
    if let Some(error) = find::<ProxyError>(error) {
        return FetchFailure::Proxy {
            proxy: error.proxy.clone(),
            reason: error.reason.clone(),
        };
    }
    if let Some(error) = find::<UnknownHost>(error) {
        return FetchFailure::UnknownHost {
            reason: error.to_string(),
        };
    }
    if let Some(error) = find::<rustls::Error>(error) {
        return FetchFailure::Tls(tls(error));
    }
    if let Some(error) = find::<hyper::Error>(error) {
        if error.is_parse() {
            return FetchFailure::NotHttp {
                reason: error.to_string(),
            };
        }
        if error.is_incomplete_message() {
            return FetchFailure::CutShort { received: 0 };
        }
    }
    let reason = innermost(error);
    match find::<io::Error>(error).map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => FetchFailure::Refused,
        // In the middle of a handshake, or of an answer.
        Some(io::ErrorKind::UnexpectedEof) if error.is_connect() => {
            FetchFailure::Tls(TlsProblem::Other {
                reason: "it ended the connection during the handshake".to_owned(),
            })
        }
        Some(
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof,
        ) if !error.is_connect() => FetchFailure::CutShort { received: 0 },
        _ => FetchFailure::Unreachable { reason },
    }
}

/// Why an answer did not end well.
pub(crate) fn of_body(error: &hyper::Error, received: u64) -> FetchFailure {
    if error.is_parse() {
        return FetchFailure::NotHttp {
            reason: error.to_string(),
        };
    }
    match find::<rustls::Error>(error) {
        Some(error) => FetchFailure::Tls(tls(error)),
        None => FetchFailure::CutShort { received },
    }
}

fn tls(error: &rustls::Error) -> TlsProblem {
    let rustls::Error::InvalidCertificate(certificate) = error else {
        return match error {
            // What a server that speaks plain HTTP sends.
            rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType) => {
                TlsProblem::NotTls
            }
            other => TlsProblem::Other {
                reason: other.to_string(),
            },
        };
    };
    match certificate {
        CertificateError::UnknownIssuer => TlsProblem::UnknownAuthority,
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsProblem::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            TlsProblem::NotYetValid
        }
        CertificateError::NotValidForNameContext { presented, .. } => TlsProblem::WrongName {
            names: names(presented),
        },
        CertificateError::NotValidForName => TlsProblem::WrongName {
            names: "another".to_owned(),
        },
        other => TlsProblem::Other {
            reason: other.to_string(),
        },
    }
}

/// The library gives them as `DnsName("a.example")`.
fn names(presented: &[String]) -> String {
    let bare = presented.iter().map(|name| match name.split('"').nth(1) {
        Some(bare) => bare,
        None => name,
    });
    bare.collect::<Vec<_>>().join(", ")
}

/// The first error of this kind in the chain of causes. What an `io::Error` wraps is in the chain
/// too, which `source` skips.
fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    if let Some(found) = error.downcast_ref() {
        return Some(found);
    }
    let wrapped = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref)
        .map(|inner| inner as &(dyn Error + 'static));
    wrapped.or_else(|| error.source()).and_then(find)
}

fn innermost(error: &dyn Error) -> String {
    let mut reason = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        reason = error.to_string();
        cause = error.source();
    }
    reason
}
