//! Types that a program defines for values, stored and read.

mod derived;
#[cfg(feature = "serde-1")]
mod serde;
mod timeuuid;
