#![doc = include_str!("../README.md")]

mod auth;
mod classify;
mod consistency;
mod endpoint;
mod error;
mod execute;
mod handshake;
mod region;
mod schema;
mod session;
mod statement;
mod stream;
mod tls;

#[cfg(test)]
mod stub;

pub use consistency::ReadConsistency;
pub use endpoint::Endpoint;
pub use error::{Error, ErrorKind};
pub use schema::Define;
pub use session::{Builder, Finding, Peer, PoolAdvice, Report, Session};
pub use statement::{Select, Statement, Write};
pub use stream::{OwnedRow, Rows};

// The driver's derives, used with `#[scylla(crate = keyspaces)]`: a program then names no driver of its own.
pub use scylla::{DeserializeRow, DeserializeValue, SerializeRow, SerializeValue};

#[doc(hidden)]
pub mod _macro_internal {
    pub use scylla::_macro_internal::*;
}
