//! One binary, a module per capability, one local Keyspaces for the whole run.
#![expect(clippy::expect_used, reason = "helpers of tests")]

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod connect;
mod consistency;
mod events;
mod local;
mod server;
mod statements;
mod streams;
mod topology;
mod users;
