//! Serde implementations for CQL values, rows and cursors (feature `serde-1`).
//!
//! The types of CQL values come from the driver and do not implement the traits of serde. For a field of such a type,
//! name one of these modules in the attribute `with`, or its submodule `option` for an `Option`:
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
//! A `varint` or `decimal` is a string, because many programs read a number in JSON as a floating-point number. The
//! string keeps all digits and the scale.
//!
//! [`Row`](crate::Row) implements `Serialize`, as an object of its columns; a null is `null`. Integers, booleans and
//! finite floating-point numbers are numbers and booleans of JSON. Blobs are strings of `0x` and hexadecimal digits.
//! Lists, sets, vectors and tuples are arrays. Maps and values of user-defined types are objects; a map key whose JSON
//! is not a string becomes a string that contains this JSON. All other values are strings in the format of these
//! modules. No digit is lost.
//!
//! [`PagingState`](crate::PagingState) implements `Serialize` and `Deserialize`, as the string that its `Display`
//! prints.
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

/// Defines a module for `#[serde(with = …)]` for each type.
macro_rules! modules {
    ($($(#[$doc:meta])* $module:ident: $value:ident;)+) => {$(
        $(#[$doc])*
        /// [The module `serde`](super) has an example.
        pub mod $module {
            use scylla::value::$value;
            use serde::{Deserializer, Serializer};

            use super::scalar::SerdeValue;

            /// Writes a value.
            ///
            /// # Errors
            ///
            /// The errors of the serializer.
            pub fn serialize<S: Serializer>(value: &$value, serializer: S) -> Result<S::Ok, S::Error> {
                value.write(serializer)
            }

            /// Reads a value.
            ///
            /// # Errors
            ///
            /// An error if the input is not a valid value; otherwise the errors of the deserializer.
            pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<$value, D::Error> {
                SerdeValue::read(deserializer)
            }

            /// The same for an `Option`. `None` is the null of the format.
            pub mod option {
                use super::super::scalar::{read_option, write_option};
                use super::{$value, Deserializer, Serializer};

                /// Writes a value, or null for `None`.
                ///
                /// # Errors
                ///
                /// The errors of the serializer.
                #[allow(clippy::ref_option, reason = "serde calls it with this type")]
                pub fn serialize<S: Serializer>(value: &Option<$value>, serializer: S) -> Result<S::Ok, S::Error> {
                    write_option(value.as_ref(), serializer)
                }

                /// Reads a value, or `None` for null.
                ///
                /// # Errors
                ///
                /// An error if the input is not a valid value; otherwise the errors of the deserializer.
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
    /// A `decimal` as a string with all its digits: `19.90`.
    decimal: CqlDecimal;
    /// A `duration` in the format of CQL: `1y2mo3d4ns`.
    duration: CqlDuration;
    /// A `time` as `18:30:00.000000000`.
    time: CqlTime;
    /// A `timestamp` in the format of RFC 3339, to the millisecond: `2026-11-26T13:30:54.123Z`.
    timestamp: CqlTimestamp;
    /// A `timeuuid` in the format of UUIDs.
    timeuuid: CqlTimeuuid;
    /// A `varint` as a string with all its digits.
    varint: CqlVarint;
}
