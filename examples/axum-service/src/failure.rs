//! Converts errors to responses, with the HTTP status that the library has for each kind.

use std::time::Duration;

use axum::Json;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use keyspaces::{Error, ErrorCategory};
use serde_json::json;

use crate::links::Link;

/// A failed request.
#[derive(Debug)]
pub enum Failure {
    /// The link does not exist.
    NotFound,
    /// The name belongs to another link.
    Taken(Option<Box<Link>>),
    /// An error of the library.
    Keyspaces(Box<Error>),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Keyspaces(Box::new(error))
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let error = match self {
            Self::NotFound => return (StatusCode::NOT_FOUND, Json(json!({"error": "not found"}))).into_response(),
            Self::Taken(link) => {
                return (StatusCode::CONFLICT, Json(json!({"error": "the name is taken", "link": link})))
                    .into_response();
            }
            Self::Keyspaces(error) => error,
        };
        log(&error);
        let kind = error.kind();
        let status = StatusCode::from_u16(kind.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // Only errors in the caller's own data are shown in detail.
        let text = match kind.category() {
            ErrorCategory::Caller => error.to_string(),
            _ => kind.to_string(),
        };
        let mut response = (status, Json(json!({ "error": text }))).into_response();
        let wait = error.retry_after().or_else(|| kind.is_retryable().then_some(Duration::from_secs(1)));
        if let Some(wait) = wait {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        }
        response
    }
}

pub(crate) fn log(error: &Error) {
    match error.kind().category() {
        ErrorCategory::Caller => tracing::debug!(%error, "a request is wrong"),
        ErrorCategory::Unavailable => tracing::warn!(%error, "a request cannot be served now"),
        ErrorCategory::Program | ErrorCategory::Unknown => tracing::error!(%error, "a request failed"),
    }
}
