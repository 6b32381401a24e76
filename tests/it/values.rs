//! Value types of a program's own, on the wire.

mod own;
#[cfg(feature = "serde-1")]
mod serde;
mod timeuuid;
