//! A client for Amazon Keyspaces.

mod auth;
mod consistency;
mod endpoint;
mod error;
mod handshake;
mod region;
mod session;
mod tls;

#[cfg(test)]
mod stub;

pub use consistency::ReadConsistency;
pub use endpoint::Endpoint;
pub use error::{Error, ErrorKind};
pub use session::{Builder, Peer, PoolAdvice, Session};
