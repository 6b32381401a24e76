//! Values of CQL types that have none in the standard library, values of any type, and types that keep a value in a column of
//! another type.
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
//! | `duration`, which only Cassandra has | [`CqlDuration`] | |
//! | `inet` | `std::net::IpAddr` | |
//! | `counter` | [`Counter`] | |
//! | `list<T>`, `set<T>` | `Vec<T>`, `HashSet<T>`, `BTreeSet<T>` | |
//! | `map<K, V>` | `HashMap<K, V>`, `BTreeMap<K, V>` | |
//! | `tuple<A, B>` | `(A, B)` | |
//! | user-defined types | a struct with [`user_type`](macro@crate::user_type) | |
//!
//! A newtype over one of them is a value with [`Value`](macro@crate::Value). What may be null is an `Option`; what is not to be
//! written at all is [`Unset`], or [`MaybeUnset`].

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
