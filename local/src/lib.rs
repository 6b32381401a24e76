#![doc = include_str!("../README.md")]

mod auth;
mod builder;
mod ca;
mod cassandra;
mod credentials;
mod error;
pub mod fault;
mod gateway;
pub mod journal;
mod local;
mod partitioner;
mod random;
mod ready;
mod runtime;
mod schema;
mod topology;

pub use builder::Builder;
pub use credentials::Credentials;
pub use error::{Error, ErrorKind};
pub use fault::{Fault, Faults};
pub use journal::Journal;
pub use local::Local;
pub use ready::Ready;
pub use topology::Partitioner;

#[doc = include_str!("../DIFFERENCES.md")]
pub mod differences {}
