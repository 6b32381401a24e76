//! The Cassandra behind: found or started, and ended with its owner.

#[cfg_attr(not(test), expect(dead_code, reason = "what starts and asks Cassandra follows"))]
pub(crate) mod client;
