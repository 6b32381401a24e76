//! Types for CQL values: for CQL types without a Rust type of their own, for values of any type, and for values that
//! are stored in a column of another type.
//!
//! # Which Rust type fits which CQL type
//!
//! | CQL | Rust | with a feature |
//! |---|---|---|
//! | `ascii`, `text` | `&str`, `String`, [`AsText`], an enum with [`Value`](macro@crate::Value) | [`Json`] (`serde-1`), `secrecy::SecretString` (`secrecy-10`) |
//! | `tinyint`, `smallint`, `int`, `bigint` | `i8`, `i16`, `i32`, `i64`, an enum with [`Value`](macro@crate::Value) | |
//! | `float`, `double`, `boolean` | `f32`, `f64`, `bool` | |
//! | `varint` | [`CqlVarint`] | `num_bigint::BigInt` (`num-bigint-04`) |
//! | `decimal` | [`CqlDecimal`] | `bigdecimal::BigDecimal` (`bigdecimal-04`) |
//! | `blob` | `&[u8]`, `Vec<u8>` | |
//! | `uuid` | `uuid::Uuid` | |
//! | `timeuuid` | [`CqlTimeuuid`]; see [`timeuuid`] | |
//! | `date`, `time`, `timestamp` | `chrono::NaiveDate`, `NaiveTime`, `DateTime<Utc>`; [`CqlDate`], [`CqlTime`], [`CqlTimestamp`] | `time::Date`, `Time`, `OffsetDateTime` (`time-03`) |
//! | `duration`, which Keyspaces does not have | [`CqlDuration`] | |
//! | `inet` | `std::net::IpAddr` | |
//! | `counter` | [`Counter`] | |
//! | `list<T>`, `set<T>` | `Vec<T>`, `HashSet<T>`, `BTreeSet<T>` | |
//! | `map<K, V>` | `HashMap<K, V>`, `BTreeMap<K, V>` | |
//! | `tuple<A, B>` | `(A, B)` | |
//! | user-defined types | a struct with [`user_type`](macro@crate::user_type) | |
//!
//! A newtype of one of them becomes a value with the derive [`Value`](macro@crate::Value). Use `Option` for a value
//! that may be null. Bind [`Unset`], or [`MaybeUnset`], to leave a column unchanged.

mod as_text;
pub(crate) mod derived;
#[cfg(feature = "serde-1")]
mod json;
pub mod timeuuid;

pub use scylla::value::{
    Counter, CqlDate, CqlDecimal, CqlDuration, CqlTime, CqlTimestamp, CqlTimeuuid, CqlValue, CqlVarint, Emptiable,
    MaybeEmpty, MaybeUnset, Unset,
};

pub use self::as_text::AsText;
use self::derived::{bind_as, check_as, read_as};
#[cfg(feature = "serde-1")]
pub use self::json::Json;
pub use crate::statement::NamedValues;
