use crate::access::SUBPROTOCOL;
use crate::http::{Refusal, bodiless};
use http::header::{ALLOW, CONNECTION, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Body as _;
use hyper::body::Incoming;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;

/// The 101 answer to a WebSocket handshake, or what is wrong with it.
pub(super) fn accept(request: &Request<Incoming>) -> Result<Response<crate::http::Body>, Refusal> {
    if !request.body().is_end_stream() {
        return Err(malformed("a WebSocket handshake has no body"));
    }
    let mut response = create_response_with_body(request, bodiless).map_err(refusal)?;
    // A browser that has offered a protocol takes no answer that names none.
    let offered = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    if offered
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .any(|name| name.trim() == SUBPROTOCOL)
    {
        response.headers_mut().insert(
            SEC_WEBSOCKET_PROTOCOL,
            HeaderValue::from_static(SUBPROTOCOL),
        );
    }
    Ok(response)
}

fn refusal(error: Error) -> Refusal {
    match error {
        Error::Protocol(ProtocolError::WrongHttpMethod) => Refusal::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "the event stream is opened by GET",
        )
        .with_header(ALLOW, HeaderValue::from_static("GET")),
        Error::Protocol(
            ProtocolError::MissingConnectionUpgradeHeader
            | ProtocolError::MissingUpgradeWebSocketHeader,
        ) => upgrade_required(
            "this is a WebSocket: connect with a WebSocket client, or read GET /api/v1/events",
        ),
        Error::Protocol(ProtocolError::MissingSecWebSocketVersionHeader) => {
            upgrade_required("the handshake needs Sec-WebSocket-Version: 13")
        }
        Error::Protocol(ProtocolError::WrongHttpVersion) => {
            malformed("a WebSocket handshake needs HTTP/1.1")
        }
        Error::Protocol(ProtocolError::MissingSecWebSocketKey) => {
            malformed("the handshake lacks Sec-WebSocket-Key")
        }
        Error::Protocol(ProtocolError::InvalidSecWebSocketKey) => {
            malformed("Sec-WebSocket-Key is not 16 bytes in base64")
        }
        _ => malformed("the WebSocket handshake is malformed"),
    }
}

fn malformed(detail: &str) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "malformed_handshake", detail)
}

fn upgrade_required(detail: &str) -> Refusal {
    Refusal::new(StatusCode::UPGRADE_REQUIRED, "upgrade_required", detail)
        .with_header(UPGRADE, HeaderValue::from_static("websocket"))
        .with_header(CONNECTION, HeaderValue::from_static("Upgrade"))
        .with_header(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"))
}
