//! Reading a request's body.

use super::Refusal;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, TRANSFER_ENCODING};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use std::time::Duration;

/// How much of a body is read, and for how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct BodyLimits {
    pub(super) bytes: usize,
    pub(super) timeout: Duration,
}

/// The JSON document of a request.
pub(super) async fn json<T: DeserializeOwned>(
    request: Request<Incoming>,
    limits: BodyLimits,
) -> Result<T, Refusal> {
    require_json(request.headers())?;
    let bytes = read(request, limits).await?;
    parse(&bytes)
}

/// The same, where no body at all means the default.
pub(super) async fn json_or_default<T: DeserializeOwned + Default>(
    request: Request<Incoming>,
    limits: BodyLimits,
) -> Result<T, Refusal> {
    let typed = request.headers().contains_key(CONTENT_TYPE);
    if typed {
        require_json(request.headers())?;
    }
    let bytes = read(request, limits).await?;
    if bytes.is_empty() {
        return Ok(T::default());
    }
    if !typed {
        return Err(unsupported("a body without Content-Type"));
    }
    parse(&bytes)
}

async fn read(request: Request<Incoming>, limits: BodyLimits) -> Result<Bytes, Refusal> {
    require_known_coding(request.headers())?;
    let too_large = || {
        let detail = format!("the body is larger than {} bytes", limits.bytes);
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
    };
    // Refused by its announced length, so that a client need not send it first.
    if request.body().size_hint().lower() > limits.bytes as u64 {
        return Err(too_large());
    }
    let body = Limited::new(request.into_body(), limits.bytes).collect();
    match tokio::time::timeout(limits.timeout, body).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "malformed_body",
            "the body ended before its announced end",
        )),
        Err(_) => {
            let detail = format!(
                "the body did not arrive within {} seconds",
                limits.timeout.as_secs()
            );
            Err(Refusal::new(
                StatusCode::REQUEST_TIMEOUT,
                "body_timeout",
                detail,
            ))
        }
    }
}

/// hyper takes the chunks apart and leaves the other codings to us, who know none.
fn require_known_coding(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(Refusal::new(
            StatusCode::NOT_IMPLEMENTED,
            "unsupported_transfer_encoding",
            "send the body as it is, or with Transfer-Encoding: chunked alone",
        )),
    }
}

/// JSON must be said to be JSON: a web page cannot send that type to another place unasked.
fn require_json(headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return Err(unsupported("a body without Content-Type"));
    };
    let text = value.to_str().unwrap_or_default();
    let kind = text.split(';').next().unwrap_or_default().trim();
    let accepted = ["application/json", "application/merge-patch+json"];
    if accepted
        .iter()
        .any(|known| kind.eq_ignore_ascii_case(known))
    {
        Ok(())
    } else {
        Err(unsupported(&format!("{kind:?}")))
    }
}

fn unsupported(what: &str) -> Refusal {
    Refusal::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
        format!("{what} is not understood: send JSON with Content-Type: application/json"),
    )
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(bytes).map_err(|error| match error.classify() {
        Category::Data => Refusal::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid_body",
            format!("the body does not fit: {error}"),
        ),
        Category::Io | Category::Syntax | Category::Eof => Refusal::new(
            StatusCode::BAD_REQUEST,
            "malformed_body",
            format!("the body is not JSON: {error}"),
        ),
    })
}
