//! What the crate does against a local Keyspaces, or a plain Cassandra: one local for the whole run.

mod server;
mod statements;
