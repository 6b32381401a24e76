//! What the crate does against a local Keyspaces, or a plain Cassandra: one local for the whole run.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test says what it expects")]

mod server;
mod statements;
mod streams;
