//! The number types of the model, which each protocol encodes in its own way.

use std::fmt;

use crate::saturated::saturated;
use ciborium::tag::Required;
use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// A moment with milliseconds: a number of seconds since 1970 in JSON, the same with tag 1 in CBOR.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Timestamp {
    millis: i64,
}

/// A `double` of the model, which JSON and CBOR may write without a fraction.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub(crate) struct Number(pub(crate) f64);

impl Timestamp {
    /// Milliseconds since 1970, as the schema and the history count them.
    pub(crate) fn from_millis(millis: u64) -> Self {
        Self { millis: saturated::<i64>(millis) }
    }

    /// Negative for a moment before 1970.
    pub(crate) fn millis(self) -> i64 {
        self.millis
    }

    #[expect(clippy::cast_precision_loss, reason = "a moment of the next 280,000 years has no more than 53 bits")]
    fn seconds(self) -> f64 {
        self.millis as f64 / 1000.0
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            self.seconds().serialize(serializer)
        } else {
            Required::<f64, 1>(self.seconds()).serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Number(seconds) = Number::deserialize(deserializer)?;
        let millis = (seconds * 1000.0).round();
        /// Greater than the last date that chrono can represent, 262142-12-31.
        const MAX_MILLIS: f64 = 8.22e15;
        if !(-MAX_MILLIS..MAX_MILLIS).contains(&millis) {
            return Err(serde::de::Error::custom(format_args!("{seconds:?} is not a time in seconds since 1970")));
        }
        #[expect(clippy::cast_possible_truncation, reason = "checked above")]
        Ok(Self { millis: millis as i64 })
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyNumber;

        impl Visitor<'_> for AnyNumber {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }

            fn visit_f64<E>(self, value: f64) -> Result<Number, E> {
                Ok(Number(value))
            }

            #[expect(clippy::cast_precision_loss, reason = "the model has a double here")]
            fn visit_i64<E>(self, value: i64) -> Result<Number, E> {
                Ok(Number(value as f64))
            }

            #[expect(clippy::cast_precision_loss, reason = "the model has a double here")]
            fn visit_u64<E>(self, value: u64) -> Result<Number, E> {
                Ok(Number(value as f64))
            }
        }

        deserializer.deserialize_any(AnyNumber)
    }
}
