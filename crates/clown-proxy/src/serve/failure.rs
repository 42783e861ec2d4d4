//! Why nothing can be passed back.

use super::Body;
use super::answer;
use crate::config::Format;
use crate::failure;
use crate::spool::Fault;
use http::header::RETRY_AFTER;
use http::{HeaderValue, Response, StatusCode};

/// What the agent is told in the place of an answer.
#[derive(Debug)]
pub(super) struct Failure {
    pub status: StatusCode,
    pub fault: Fault,
    pub message: String,
    /// What a provider has said, where that was translated.
    said: Option<Box<failure::Failure>>,
    retry_after: Option<HeaderValue>,
}

impl Failure {
    pub fn new(status: StatusCode, fault: Fault, message: String) -> Self {
        Self {
            status,
            fault,
            message,
            said: None,
            retry_after: None,
        }
    }

    /// The request cannot be translated.
    pub fn of_request(said: failure::Failure) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            fault: Fault::BadRequest,
            message: said.message.clone(),
            said: Some(Box::new(said)),
            retry_after: None,
        }
    }

    /// A provider of another format has refused, or failed.
    pub fn of_provider(said: failure::Failure, retry_after: Option<HeaderValue>) -> Self {
        let status = said
            .status
            .and_then(|status| StatusCode::from_u16(status).ok());
        Self {
            status: status.unwrap_or(StatusCode::BAD_GATEWAY),
            fault: Fault::UpstreamError,
            message: said.message.clone(),
            said: Some(Box::new(said)),
            retry_after,
        }
    }

    /// As the agent's format has it.
    pub fn answer(&self, format: Format) -> Response<Body> {
        let mut response = match (&self.said, format.translatable()) {
            (Some(said), Some(caller)) => {
                let status = StatusCode::from_u16(said.status(caller));
                answer::json(status.unwrap_or(self.status), said.body(caller).into())
            }
            _ => answer::error(format, self.status, &self.message),
        };
        if let Some(value) = &self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, value.clone());
        }
        response
    }
}
