//! A strict local Amazon Keyspaces over a real Apache Cassandra.
#![allow(dead_code, reason = "what puts the parts together follows")]

mod address;
mod auth;
mod ca;
mod cassandra;
mod credentials;
mod error;
mod partitioner;
mod random;
mod ready;
mod runtime;

pub use credentials::Credentials;
pub use error::{Error, ErrorKind};
pub use partitioner::Partitioner;
pub use ready::Ready;
