//! The value types of a program, stored and read.

mod derived;
#[cfg(feature = "serde-1")]
mod serde;
mod timeuuid;
