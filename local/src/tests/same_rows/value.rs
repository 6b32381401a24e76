//! Values of CQL's types, as literals and as bound values.

use bytes::{BufMut, BytesMut};
use proptest::prelude::*;

use crate::protocol::Writer;

/// A type of a column.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Type {
    Int,
    Bigint,
    Text,
    Blob,
    Boolean,
    Double,
    Uuid,
    Timestamp,
    Date,
    List(Box<Self>),
    Set(Box<Self>),
    Map(Box<Self>, Box<Self>),
    Tuple(Vec<Self>),
    /// `y`, with the fields `a int` and `b text`.
    UserDefined,
    Frozen(Box<Self>),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum CqlValue {
    Null,
    /// Only for bound values: the column keeps its value.
    Unset,
    Int(i32),
    Bigint(i64),
    Text(String),
    Blob(Vec<u8>),
    Boolean(bool),
    Double(f64),
    Uuid(u128),
    Timestamp(i64),
    /// Days since 1970.
    Date(u16),
    List(Vec<Self>),
    Set(Vec<Self>),
    Map(Vec<(Self, Self)>),
    Tuple(Vec<Self>),
    UserDefined(i32, String),
    /// The list for `IN ?`.
    In(Vec<Self>),
}

impl Type {
    pub(super) fn cql(&self) -> String {
        match self {
            Self::Int => "int".into(),
            Self::Bigint => "bigint".into(),
            Self::Text => "text".into(),
            Self::Blob => "blob".into(),
            Self::Boolean => "boolean".into(),
            Self::Double => "double".into(),
            Self::Uuid => "uuid".into(),
            Self::Timestamp => "timestamp".into(),
            Self::Date => "date".into(),
            Self::List(element) => format!("list<{}>", element.cql()),
            Self::Set(element) => format!("set<{}>", element.cql()),
            Self::Map(key, value) => format!("map<{}, {}>", key.cql(), value.cql()),
            Self::Tuple(elements) => {
                format!("frozen<tuple<{}>>", elements.iter().map(Self::cql).collect::<Vec<_>>().join(", "))
            }
            Self::UserDefined => "y".into(),
            Self::Frozen(inner) => format!("frozen<{}>", inner.cql()),
        }
    }

    /// The type of a key column, with few distinct values, so that reads often find rows.
    pub(super) fn key() -> BoxedStrategy<Self> {
        let most = prop::sample::select(vec![Self::Int, Self::Int, Self::Text, Self::Text, Self::Bigint, Self::Blob]);
        let rare = prop::sample::select(vec![Self::Boolean, Self::Uuid, Self::Timestamp, Self::Date, Self::Double]);
        prop_oneof![3 => most, 1 => rare].boxed()
    }

    /// The type of any other column.
    pub(super) fn any() -> BoxedStrategy<Self> {
        let simple = || prop_oneof![3 => Just(Self::Int), 2 => Just(Self::Text), 3 => Self::key()];
        let collection = prop_oneof![
            simple().prop_map(|element| Self::List(element.into())),
            simple().prop_map(|element| Self::Set(element.into())),
            (simple(), simple()).prop_map(|(key, value)| Self::Map(key.into(), value.into())),
            Just(Self::UserDefined),
        ];
        let frozen = collection.clone().prop_map(|of| Self::Frozen(of.into()));
        let tuple = prop::collection::vec(simple(), 1..4).prop_map(Self::Tuple);
        prop_oneof![5 => simple(), 3 => collection, 1 => frozen, 1 => tuple].boxed()
    }

    pub(super) fn is_simple(&self) -> bool {
        !matches!(
            self,
            Self::List(_) | Self::Set(_) | Self::Map(..) | Self::Tuple(_) | Self::UserDefined | Self::Frozen(_)
        )
    }

    /// Random values of this type, from a larger range if `wide`.
    pub(super) fn value(&self, wide: bool) -> BoxedStrategy<CqlValue> {
        let most: usize = if wide { 12 } else { 2 };
        let number = 0..most;
        match self {
            Self::Int => (-1..most as i32).prop_map(CqlValue::Int).boxed(),
            Self::Bigint => number.prop_map(|n| CqlValue::Bigint(n as i64 * 1_000_000_007 - 5)).boxed(),
            Self::Text => number.prop_map(|n| CqlValue::Text(format!("{}'ä{n}", "b".repeat(n % 4)))).boxed(),
            Self::Blob => number.prop_map(|n| CqlValue::Blob(vec![0xff - n as u8; n % 3 + 1])).boxed(),
            Self::Boolean => any::<bool>().prop_map(CqlValue::Boolean).boxed(),
            Self::Double => number.prop_map(|n| CqlValue::Double(n as f64 / 4.0 - 1.0)).boxed(),
            Self::Uuid => number.prop_map(|n| CqlValue::Uuid(0x40 << 72 | n as u128)).boxed(),
            Self::Timestamp => number.prop_map(|n| CqlValue::Timestamp(1_700_000_000_000 + n as i64)).boxed(),
            Self::Date => number.prop_map(|n| CqlValue::Date(20_000 + n as u16)).boxed(),
            Self::List(element) => prop::collection::vec(element.value(true), 0..4).prop_map(CqlValue::List).boxed(),
            Self::Set(element) => {
                prop::collection::vec(element.value(true), 0..4).prop_map(|of| CqlValue::Set(distinct(of))).boxed()
            }
            Self::Map(key, value) => prop::collection::vec((key.value(true), value.value(true)), 0..4)
                .prop_map(|pairs| {
                    let keys = distinct(pairs.iter().map(|(key, _)| key.clone()).collect());
                    let first = |key: &CqlValue| pairs.iter().find(|(of, _)| of == key).map(|(_, value)| value.clone());
                    let pairs = keys.into_iter().filter_map(|key| first(&key).map(|value| (key, value))).collect();
                    CqlValue::Map(pairs)
                })
                .boxed(),
            Self::Tuple(elements) => {
                elements.iter().map(|of| of.value(true)).collect::<Vec<_>>().prop_map(CqlValue::Tuple).boxed()
            }
            Self::UserDefined => (0..9, 0..3_usize).prop_map(|(a, b)| CqlValue::UserDefined(a, "b".repeat(b))).boxed(),
            Self::Frozen(inner) => inner.value(wide),
        }
    }
}

fn distinct(values: Vec<CqlValue>) -> Vec<CqlValue> {
    let mut distinct: Vec<CqlValue> = Vec::new();
    for value in values {
        if !distinct.contains(&value) {
            distinct.push(value);
        }
    }
    distinct
}

impl CqlValue {
    pub(super) fn literal(&self) -> String {
        let all = |values: &[Self]| values.iter().map(Self::literal).collect::<Vec<_>>().join(", ");
        match self {
            Self::Null | Self::Unset => "null".into(),
            Self::Int(value) => value.to_string(),
            Self::Bigint(value) | Self::Timestamp(value) => value.to_string(),
            Self::Text(value) => format!("'{}'", value.replace('\'', "''")),
            Self::Blob(value) => format!("0x{}", hex::encode(value)),
            Self::Boolean(value) => value.to_string(),
            Self::Double(value) => format!("{value:?}"),
            Self::Uuid(value) => uuid::Uuid::from_u128(*value).to_string(),
            Self::Date(days) => {
                let day = chrono::DateTime::from_timestamp(i64::from(*days) * 86_400, 0).unwrap();
                day.format("'%Y-%m-%d'").to_string()
            }
            Self::List(values) => format!("[{}]", all(values)),
            Self::Set(values) => format!("{{{}}}", all(values)),
            Self::Map(pairs) => {
                let pairs = pairs.iter().map(|(key, value)| format!("{}: {}", key.literal(), value.literal()));
                format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
            }
            Self::Tuple(values) | Self::In(values) => format!("({})", all(values)),
            Self::UserDefined(a, b) => format!("{{a: {a}, b: '{b}'}}"),
        }
    }

    /// The value in the protocol, preceded by its length.
    pub(super) fn write(&self, out: &mut BytesMut) {
        match self {
            Self::Null => out.put_i32(-1),
            Self::Unset => out.put_i32(-2),
            other => out.bytes(Some(&other.bytes())),
        }
    }

    fn bytes(&self) -> BytesMut {
        let mut out = BytesMut::new();
        let all = |out: &mut BytesMut, values: &[Self]| values.iter().for_each(|value| value.write(out));
        match self {
            Self::Null | Self::Unset => {}
            Self::Int(value) => out.put_i32(*value),
            Self::Bigint(value) | Self::Timestamp(value) => out.put_i64(*value),
            Self::Text(value) => out.put_slice(value.as_bytes()),
            Self::Blob(value) => out.put_slice(value),
            Self::Boolean(value) => out.put_u8((*value).into()),
            Self::Double(value) => out.put_f64(*value),
            Self::Uuid(value) => out.put_u128(*value),
            Self::Date(days) => out.put_u32((1 << 31) + u32::from(*days)),
            Self::List(values) | Self::Set(values) | Self::In(values) => {
                out.put_i32(values.len() as i32);
                all(&mut out, values);
            }
            Self::Map(pairs) => {
                out.put_i32(pairs.len() as i32);
                for (key, value) in pairs {
                    key.write(&mut out);
                    value.write(&mut out);
                }
            }
            Self::Tuple(values) => all(&mut out, values),
            Self::UserDefined(a, b) => {
                out.bytes(Some(&a.to_be_bytes()));
                out.bytes(Some(b.as_bytes()));
            }
        }
        out
    }

    /// The value in JSON.
    pub(super) fn json(&self) -> serde_json::Value {
        let key = |value: &Self| match value.json() {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        match self {
            Self::Null | Self::Unset => serde_json::Value::Null,
            Self::Int(value) => (*value).into(),
            Self::Bigint(value) | Self::Timestamp(value) => (*value).into(),
            Self::Text(value) => value.as_str().into(),
            Self::Boolean(value) => (*value).into(),
            Self::Double(value) => (*value).into(),
            Self::Blob(_) | Self::Uuid(_) => self.literal().into(),
            Self::Date(_) => self.literal().trim_matches('\'').into(),
            Self::List(values) | Self::Set(values) | Self::Tuple(values) | Self::In(values) => {
                values.iter().map(Self::json).collect::<Vec<_>>().into()
            }
            Self::Map(pairs) => {
                serde_json::Value::Object(pairs.iter().map(|(of, value)| (key(of), value.json())).collect())
            }
            Self::UserDefined(a, b) => serde_json::json!({"a": a, "b": b}),
        }
    }
}
