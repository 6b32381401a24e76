//! One binary, a module per capability, one local Keyspaces for the whole run.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test says what it expects")]

mod connect;
mod consistency;
mod local;
mod server;
mod statements;
mod streams;
mod topology;
