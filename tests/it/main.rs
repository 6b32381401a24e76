//! One binary, a module per capability, one local Keyspaces for the whole run.
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
