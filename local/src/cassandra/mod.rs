//! The Cassandra behind: found or started, and ended with its owner.

pub(crate) mod client;
