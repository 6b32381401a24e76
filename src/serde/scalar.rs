//! Single values as strings. Both directions go through the bytes of the value in the protocol, which `keyspaces-cql`
//! prints and parses.

use std::borrow::Cow;

use keyspaces_cql::statement::NativeType;
use keyspaces_cql::value::{append_scalar, write_scalar};
use scylla::deserialize::FrameSlice;
use scylla::deserialize::value::DeserializeValue;
use scylla::frame::response::result::{ColumnType, NativeType as DriverType};
use scylla::serialize::value::SerializeValue;
use scylla::serialize::writers::CellWriter;
use scylla::value::{Counter, CqlDate, CqlDecimal, CqlDuration, CqlTime, CqlTimestamp, CqlTimeuuid, CqlVarint};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A value of the driver that one of the modules writes and reads.
pub(super) trait SerdeValue: Sized {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
}

/// A value that is written as a string.
pub(super) trait TextValue: SerializeValue + for<'f, 'm> DeserializeValue<'f, 'm> {
    const NATIVE: NativeType;
    const DRIVER: DriverType;
}

impl<V: TextValue> SerdeValue for V {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match to_text(self) {
            Some(text) => serializer.serialize_str(&text),
            None => {
                Err(S::Error::custom(format!("the value is not a valid {} and cannot be written", V::NATIVE.name())))
            }
        }
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = BorrowedText::deserialize(deserializer)?.0;
        from_text(&text).ok_or_else(|| D::Error::custom(format!("{text:?} is not a valid {}", V::NATIVE.name())))
    }
}

impl SerdeValue for Counter {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0)
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <i64 as Deserialize>::deserialize(deserializer).map(Self)
    }
}

/// Returns the value as a string; `None` if it is not valid, such as a `CqlTime` of more than a day.
fn to_text<V: TextValue>(value: &V) -> Option<String> {
    let mut cell = Vec::new();
    value.serialize(&ColumnType::Native(V::DRIVER), CellWriter::new(&mut cell)).ok()?;
    // A cell starts with its length.
    let (_, bytes) = cell.split_first_chunk::<4>()?;
    let mut text = String::new();
    if !write_scalar(V::NATIVE, bytes, &mut text) || text.is_empty() {
        return None;
    }
    if V::NATIVE == NativeType::Timestamp && text.ends_with("+0000") {
        text.truncate(text.len() - "+0000".len());
        text.push('Z');
        text = text.replacen(' ', "T", 1);
    }
    Some(text)
}

fn from_text<V: TextValue>(text: &str) -> Option<V> {
    let mut bytes = Vec::new();
    if text.is_empty() || !append_scalar(V::NATIVE, text, &mut bytes) {
        return None;
    }
    V::deserialize(&ColumnType::Native(V::DRIVER), Some(FrameSlice::new_borrowed(&bytes))).ok()
}

macro_rules! text_values {
    ($($value:ident is $native:ident,)+) => {$(
        impl TextValue for $value {
            const NATIVE: NativeType = NativeType::$native;
            const DRIVER: DriverType = DriverType::$native;
        }
    )+};
}

text_values! {
    CqlDate is Date,
    CqlDecimal is Decimal,
    CqlDuration is Duration,
    CqlTime is Time,
    CqlTimestamp is Timestamp,
    CqlTimeuuid is Timeuuid,
    CqlVarint is Varint,
}

/// A string that is borrowed from the input if the format allows it.
#[derive(Debug)]
pub(super) struct BorrowedText<'de>(pub(super) Cow<'de, str>);

impl<'de> Deserialize<'de> for BorrowedText<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = BorrowedText<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(BorrowedText(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(BorrowedText(Cow::Owned(text.to_owned())))
            }

            fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
                Ok(BorrowedText(Cow::Owned(text)))
            }
        }

        deserializer.deserialize_str(Visitor)
    }
}

pub(super) fn write_option<V: SerdeValue, S: Serializer>(value: Option<&V>, serializer: S) -> Result<S::Ok, S::Error> {
    struct Inner<'v, V>(&'v V);

    impl<V: SerdeValue> Serialize for Inner<'_, V> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            self.0.write(serializer)
        }
    }

    match value {
        Some(value) => serializer.serialize_some(&Inner(value)),
        None => serializer.serialize_none(),
    }
}

pub(super) fn read_option<'de, V: SerdeValue, D: Deserializer<'de>>(deserializer: D) -> Result<Option<V>, D::Error> {
    struct Inner<V>(V);

    impl<'de, V: SerdeValue> Deserialize<'de> for Inner<V> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            V::read(deserializer).map(Self)
        }
    }

    Ok(Option::<Inner<V>>::deserialize(deserializer)?.map(|inner| inner.0))
}
