//! One binary, a module per capability, one local Keyspaces for the whole run.
#![expect(clippy::expect_used, reason = "helpers of tests")]

mod connect;
mod consistency;
mod local;
mod topology;
