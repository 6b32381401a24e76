//! Converts inputs and outputs between JSON and CBOR.

use ciborium::Value as Cbor;
use serde_json::{Map, Number, Value};

/// The tag of a number of seconds since 1970.
const SECONDS: u64 = 1;

/// The CBOR form, as the AWS SDK for Rust writes it: timestamps have a tag.
pub(super) fn written(input: &Value) -> Vec<u8> {
    let mut body = Vec::new();
    ciborium::into_writer(&tagged(input, ""), &mut body).unwrap();
    body
}

fn tagged(value: &Value, name: &str) -> Cbor {
    match value {
        Value::Object(members) => {
            Cbor::Map(members.iter().map(|(name, value)| (Cbor::Text(name.clone()), tagged(value, name))).collect())
        }
        Value::Array(values) => Cbor::Array(values.iter().map(|value| tagged(value, "")).collect()),
        Value::Number(_) if name.ends_with("Timestamp") => {
            Cbor::Tag(SECONDS, Box::new(Cbor::serialized(value).unwrap()))
        }
        value => Cbor::serialized(value).unwrap(),
    }
}

/// The JSON form. Timestamps must have their tag, and other values must have none.
pub(super) fn read(output: &[u8]) -> Value {
    untagged(ciborium::from_reader(output).unwrap(), "")
}

fn untagged(value: Cbor, name: &str) -> Value {
    assert_eq!(matches!(value, Cbor::Tag(SECONDS, _)), name.ends_with("Timestamp"), "{name}: {value:?}");
    match value {
        Cbor::Tag(SECONDS, value) => untagged(*value, ""),
        Cbor::Map(members) => {
            let member = |(name, value): (Cbor, Cbor)| {
                let name = name.into_text().unwrap();
                let value = untagged(value, &name);
                (name, value)
            };
            Value::Object(members.into_iter().map(member).collect::<Map<_, _>>())
        }
        Cbor::Array(values) => values.into_iter().map(|value| untagged(value, "")).collect(),
        Cbor::Text(text) => text.into(),
        Cbor::Bool(is_so) => is_so.into(),
        Cbor::Float(number) => Number::from_f64(number).unwrap().into(),
        Cbor::Integer(number) => i64::try_from(number).unwrap().into(),
        other => panic!("{name}: {other:?}"),
    }
}
