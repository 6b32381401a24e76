//! A client for Amazon Keyspaces.

#[allow(dead_code, unused_imports, reason = "the session, which uses it, is still to come")]
mod auth;
#[allow(dead_code, reason = "the session, which uses it, is still to come")]
mod consistency;
mod endpoint;
mod error;
mod region;
mod session;

pub use consistency::ReadConsistency;
pub use endpoint::Endpoint;
pub use error::{Error, ErrorKind};
pub use session::PoolAdvice;
