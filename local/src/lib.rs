#![doc = include_str!("../README.md")]

mod auth;
mod budget;
mod ca;
mod cassandra;
mod clock;
mod control_plane;
mod controls;
mod credential_store;
mod credentials;
mod error;
pub mod fault;
mod fault_port;
mod gateway;
mod history;
pub mod journal;
mod local;
mod lock;
mod metering;
mod names;
mod partitioner;
pub mod program;
mod protocol;
mod random;
mod ready;
mod recovery;
mod runtime;
mod saturated;
mod schema;
mod statement;
#[cfg(test)]
mod tests;
mod throttle;
mod topology;
mod truststore;
mod upstream;
mod wire;

pub use cassandra::CassandraRuntime;
pub use credentials::Credentials;
pub use error::{Error, ErrorKind};
pub use fault::{Fault, Faults};
pub use journal::Journal;
pub use keyspaces_cql::CapacityMode;
pub use local::{Builder, Local};
pub use metering::{Metering, Operation, OperationMetrics};
pub use ready::Ready;
pub use schema::Ddl;
pub use throttle::{Exceeded, Throttling};
pub use topology::Partitioner;

#[doc = include_str!("../DIFFERENCES.md")]
pub mod differences {}
