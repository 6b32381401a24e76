//! The kinds of requests.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The kind of a request.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the protocol's own names")]
#[non_exhaustive]
pub enum RequestKind {
    Options,
    Startup,
    AuthResponse,
    Register,
    Query,
    Prepare,
    Execute,
    Batch,
}

impl fmt::Display for RequestKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Options => "OPTIONS",
            Self::Startup => "STARTUP",
            Self::AuthResponse => "AUTH_RESPONSE",
            Self::Register => "REGISTER",
            Self::Query => "QUERY",
            Self::Prepare => "PREPARE",
            Self::Execute => "EXECUTE",
            Self::Batch => "BATCH",
        })
    }
}
