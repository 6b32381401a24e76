use scylla::value::CqlValue;
use serde::ser::{Error as _, SerializeMap};
use serde::{Serialize, Serializer};

use super::scalar::SerdeValue;
use crate::Row;

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let columns = self.columns();
        let mut map = serializer.serialize_map(Some(columns.len()))?;
        for (name, value) in columns {
            map.serialize_entry(name, &value.map(AnyJson))?;
        }
        map.end()
    }
}

/// A value of any CQL type as JSON.
struct AnyJson<'v>(&'v CqlValue);

impl Serialize for AnyJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            CqlValue::Ascii(text) | CqlValue::Text(text) => serializer.serialize_str(text),
            CqlValue::Boolean(is) => serializer.serialize_bool(*is),
            CqlValue::TinyInt(number) => serializer.serialize_i8(*number),
            CqlValue::SmallInt(number) => serializer.serialize_i16(*number),
            CqlValue::Int(number) => serializer.serialize_i32(*number),
            CqlValue::BigInt(number) => serializer.serialize_i64(*number),
            CqlValue::Counter(number) => number.write(serializer),
            // JSON has no such numbers, and serde_json would write null.
            CqlValue::Float(number) if !number.is_finite() => {
                serializer.serialize_str(non_finite_name((*number).into()))
            }
            CqlValue::Double(number) if !number.is_finite() => serializer.serialize_str(non_finite_name(*number)),
            CqlValue::Float(number) => serializer.serialize_f32(*number),
            CqlValue::Double(number) => serializer.serialize_f64(*number),
            CqlValue::Decimal(number) => number.write(serializer),
            CqlValue::Varint(number) => number.write(serializer),
            CqlValue::Date(date) => date.write(serializer),
            CqlValue::Time(time) => time.write(serializer),
            CqlValue::Timestamp(timestamp) => timestamp.write(serializer),
            CqlValue::Duration(duration) => duration.write(serializer),
            CqlValue::Timeuuid(id) => id.write(serializer),
            CqlValue::Uuid(id) => serializer.collect_str(id),
            CqlValue::Inet(address) => serializer.collect_str(address),
            CqlValue::Blob(bytes) => serializer.serialize_str(&format!("0x{}", hex::encode(bytes))),
            CqlValue::Empty => serializer.serialize_str(""),
            CqlValue::List(values) | CqlValue::Set(values) | CqlValue::Vector(values) => {
                serializer.collect_seq(values.iter().map(AnyJson))
            }
            CqlValue::Tuple(values) => serializer.collect_seq(values.iter().map(|value| value.as_ref().map(AnyJson))),
            CqlValue::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(&key_string(key).map_err(S::Error::custom)?, &AnyJson(value))?;
                }
                map.end()
            }
            CqlValue::UserDefinedType { fields, .. } => {
                serializer.collect_map(fields.iter().map(|(name, value)| (name, value.as_ref().map(AnyJson))))
            }
            _ => Err(S::Error::custom("the value has an unknown type")),
        }
    }
}

/// Returns the key of a map as a string: the content of a JSON string, or the JSON of any other value.
fn key_string(key: &CqlValue) -> Result<String, serde_json::Error> {
    let json = serde_json::to_string(&AnyJson(key))?;
    if json.starts_with('"') { serde_json::from_str(&json) } else { Ok(json) }
}

fn non_finite_name(number: f64) -> &'static str {
    if number.is_nan() {
        "NaN"
    } else if number > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}
