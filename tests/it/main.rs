//! One binary, a module per capability, one local Keyspaces for the whole run.

mod connect;
mod consistency;
mod local;
mod topology;
