//! One binary with a module for each capability and one local Keyspaces for all tests.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[cfg(feature = "bulk")]
mod bulk;
mod chaos;
mod connect;
mod consistency;
mod dropping;
mod events;
mod frozen;
mod local;
mod migrate;
mod plan;
mod probes;
mod recovery;
mod schema;
mod server;
mod statements;
mod streams;
mod topology;
mod users;
mod values;
