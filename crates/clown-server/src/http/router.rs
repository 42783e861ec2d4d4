use super::{Body, Refusal, blocking, body::BodyLimits, empty_response, events};
use crate::access::Access;
use crate::activity::Activity;
use crate::settings::Limits;
use crate::stream::Streams;
use clown_core::store::Store;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_REQUEST_METHOD, ALLOW, VARY,
};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use std::sync::Arc;

/// Everything that a request can reach.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) store: Arc<Store>,
    pub(crate) streams: Arc<Streams>,
    pub(crate) access: Access,
    pub(crate) activity: Arc<Activity>,
    pub(crate) limits: Arc<Limits>,
}

impl Api {
    /// Answers a request, whatever it is.
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let _hold = self.activity.hold();
        let asked = asked_method(&request);
        let admitted = match self.access.admit(&asked, request.uri(), request.headers()) {
            Ok(admitted) => admitted,
            Err(refusal) => return refusal.into_response(),
        };
        let mut response = self
            .route(request)
            .await
            .unwrap_or_else(Refusal::into_response);
        let headers = response.headers_mut();
        headers.append(VARY, HeaderValue::from_static("Origin"));
        if let Some(Ok(page)) = admitted.page.map(HeaderValue::try_from) {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, page);
        }
        response
    }

    async fn route(&self, request: Request<Incoming>) -> Result<Response<Body>, Refusal> {
        // Allocated, as the request is handed on.
        let path = request.uri().path().to_owned();
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let method = match *request.method() {
            // hyper sends the headers of an answer to HEAD and not its body.
            Method::HEAD => Method::GET,
            ref other => other.clone(),
        };
        match (&method, segments.as_slice()) {
            (&Method::GET, ["healthz"]) => Ok(super::json_bytes(
                StatusCode::OK,
                br#"{"status":"ok"}"#.to_vec(),
            )),
            (&Method::GET, ["ws"]) => self.streams.open(request).await,
            (&Method::GET, ["api", "v1", "events"]) => {
                let parameters = events::Parameters::parse(request.uri().query())?;
                let store = Arc::clone(&self.store);
                Ok(blocking(move || events::page(&store, &parameters)).await??)
            }
            (_, segments) => without_route(&request, segments),
        }
    }

    pub(super) fn body_limits(&self) -> BodyLimits {
        BodyLimits {
            bytes: self.limits.body_bytes,
            timeout: self.limits.request_timeout,
        }
    }
}

/// The methods of each path; none for a path that there is not.
fn methods(segments: &[&str]) -> &'static [Method] {
    const READ: &[Method] = &[Method::GET, Method::HEAD];
    match segments {
        ["healthz" | "ws"] | ["api", "v1", "events"] => READ,
        _ => &[],
    }
}

/// The answer where no route takes this method: 404, 405, or what a browser asks before a request.
fn without_route(
    request: &Request<Incoming>,
    segments: &[&str],
) -> Result<Response<Body>, Refusal> {
    let methods = methods(segments);
    let path: String = request.uri().path().chars().take(200).collect();
    if methods.is_empty() {
        let detail = format!("there is nothing at {path:?}; docs/http-api.md lists what there is");
        return Err(Refusal::new(StatusCode::NOT_FOUND, "not_found", detail));
    }
    let names: Vec<&str> = methods.iter().map(Method::as_str).collect();
    let list = names.join(", ");
    let allow = HeaderValue::try_from(&list).unwrap_or(HeaderValue::from_static("GET"));
    if request.method() == Method::OPTIONS {
        let mut response = empty_response(StatusCode::NO_CONTENT);
        let headers = response.headers_mut();
        headers.insert(ALLOW, allow.clone());
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, allow);
        headers.insert(
            ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static("Content-Type, Authorization"),
        );
        return Ok(response);
    }
    let detail = format!("{path:?} takes {list}, not {}", request.method());
    Err(
        Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
            .with_header(ALLOW, allow),
    )
}

/// The method that is in question: a browser's OPTIONS asks for another.
fn asked_method(request: &Request<Incoming>) -> Method {
    let asked = request.headers().get(ACCESS_CONTROL_REQUEST_METHOD);
    match (request.method(), asked) {
        (&Method::OPTIONS, Some(asked)) => {
            Method::from_bytes(asked.as_bytes()).unwrap_or(Method::POST)
        }
        (&Method::OPTIONS, None) => Method::GET,
        (method, _) => method.clone(),
    }
}
