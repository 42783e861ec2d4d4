//! The one table from what services say to what a client is told.

use super::Refusal;
use clown_core::store::StoreError;
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        let detail = error.to_string();
        match error {
            StoreError::Full(_) => unavailable("disk_full", detail),
            StoreError::Unwritable(_) => unavailable("database_unwritable", detail),
            StoreError::Closed => unavailable("stopping", detail),
            StoreError::Corrupt(_) => internal("database_damaged", &error),
            _ => internal("internal_error", &error),
        }
    }
}

fn unavailable(code: &'static str, detail: String) -> Refusal {
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, code, detail)
        .with_header(RETRY_AFTER, HeaderValue::from_static("5"))
}

/// The log gets the cause, the client only the sentence.
fn internal(code: &'static str, error: &(dyn std::error::Error + 'static)) -> Refusal {
    tracing::error!(error, "a request failed");
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, code, error.to_string())
}
