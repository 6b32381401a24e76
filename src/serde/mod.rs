//! The driver's values, rows and cursors for serde (feature `serde-1`).
//!
//! The value types of CQL come from the driver and are no types of serde. A field of such a type says how it is written and
//! read; for an `Option` there is `option` in each module:
//!
//! ```
//! use keyspaces::value::{CqlDate, CqlDecimal, CqlDuration, CqlTime, CqlTimestamp, CqlTimeuuid, CqlVarint, Counter};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Debug, Deserialize, PartialEq, Serialize)]
//! struct Order {
//!     #[serde(with = "keyspaces::serde::timeuuid")]
//!     id: CqlTimeuuid,
//!     #[serde(with = "keyspaces::serde::decimal")]
//!     price: CqlDecimal,
//!     #[serde(with = "keyspaces::serde::decimal::option")]
//!     discount: Option<CqlDecimal>,
//!     #[serde(with = "keyspaces::serde::varint")]
//!     number: CqlVarint,
//!     #[serde(with = "keyspaces::serde::date")]
//!     due: CqlDate,
//!     #[serde(with = "keyspaces::serde::time")]
//!     until: CqlTime,
//!     #[serde(with = "keyspaces::serde::timestamp")]
//!     placed: CqlTimestamp,
//!     #[serde(with = "keyspaces::serde::duration")]
//!     warranty: CqlDuration,
//!     #[serde(with = "keyspaces::serde::counter")]
//!     views: Counter,
//! }
//!
//! let json = r#"{
//!     "id": "c232ab00-9414-11ec-b3c8-9f6bdeced846",
//!     "price": "19.90",
//!     "discount": null,
//!     "number": "123456789012345678901234567890",
//!     "due": "2026-12-24",
//!     "until": "18:30:00.000000000",
//!     "placed": "2026-11-26T13:30:54.123Z",
//!     "warranty": "2y",
//!     "views": 7
//! }"#;
//! let order: Order = serde_json::from_str(json).unwrap();
//! assert_eq!(order.price, CqlDecimal::from_signed_be_bytes_slice_and_exponent(&1990_i16.to_be_bytes(), 2));
//! let written = serde_json::to_value(&order).unwrap();
//! assert_eq!(written, serde_json::from_str::<serde_json::Value>(json).unwrap());
//! ```
//!
//! Numbers that may be larger than a number of JSON is to most programs are texts, and keep their digits and their scale.
//!
//! [`Row`](crate::Row) implements `Serialize`: an object of its columns, with `null` for null. Integers, booleans and finite
//! floating-point numbers are those of JSON; blobs are `0x` and hexadecimal digits; lists, sets, vectors and tuples are arrays;
//! maps and values of user-defined types are objects, in which a key that is no text is the text of it; all else is a text as in
//! the modules here. No digit is lost.
//!
//! [`PagingState`](crate::PagingState) implements `Serialize` and `Deserialize`: the text that is its `Display`.
//!
//! ```
//! # fn answer(rows: Vec<keyspaces::Row>, next: Option<keyspaces::PagingState>) -> serde_json::Result<String> {
//! #[derive(serde::Serialize)]
//! struct Answer {
//!     rows: Vec<keyspaces::Row>,
//!     next: Option<keyspaces::PagingState>,
//! }
//!
//! serde_json::to_string(&Answer { rows, next })
//! # }
//! # assert_eq!(answer(Vec::new(), None).unwrap(), r#"{"rows":[],"next":null}"#);
//! ```

mod cursor;
mod row;
mod scalar;

/// A module for `#[serde(with = …)]` for each type.
macro_rules! modules {
    ($($(#[$doc:meta])* $module:ident: $value:ident;)+) => {$(
        $(#[$doc])*
        /// The [module above](super) has an example.
        pub mod $module {
            use scylla::value::$value;
            use serde::{Deserializer, Serializer};

            use super::scalar::SerdeValue;

            /// Writes a value.
            ///
            /// # Errors
            ///
            /// Those of the serializer.
            pub fn serialize<S: Serializer>(value: &$value, serializer: S) -> Result<S::Ok, S::Error> {
                value.write(serializer)
            }

            /// Reads a value.
            ///
            /// # Errors
            ///
            /// What is there is none, or those of the deserializer.
            pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<$value, D::Error> {
                SerdeValue::read(deserializer)
            }

            /// An `Option` of the same: `None` is the format's own null.
            pub mod option {
                use super::super::scalar::{read_option, write_option};
                use super::{$value, Deserializer, Serializer};

                /// Writes a value, or none.
                ///
                /// # Errors
                ///
                /// Those of the serializer.
                #[allow(clippy::ref_option, reason = "serde calls it so")]
                pub fn serialize<S: Serializer>(value: &Option<$value>, serializer: S) -> Result<S::Ok, S::Error> {
                    write_option(value.as_ref(), serializer)
                }

                /// Reads a value, or none.
                ///
                /// # Errors
                ///
                /// What is there is none, or those of the deserializer.
                pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<$value>, D::Error> {
                    read_option(deserializer)
                }
            }
        }
    )+};
}

modules! {
    /// A `counter` as an integer.
    counter: Counter;
    /// A `date` as `2026-11-26`.
    date: CqlDate;
    /// A `decimal` as a text with all its digits: `19.90`.
    decimal: CqlDecimal;
    /// A `duration` as CQL writes it: `1y2mo3d4ns`.
    duration: CqlDuration;
    /// A `time` as `18:30:00.000000000`.
    time: CqlTime;
    /// A `timestamp` as RFC 3339 has it, to the millisecond: `2026-11-26T13:30:54.123Z`.
    timestamp: CqlTimestamp;
    /// A `timeuuid` as UUIDs are written.
    timeuuid: CqlTimeuuid;
    /// A `varint` as a text with all its digits.
    varint: CqlVarint;
}
