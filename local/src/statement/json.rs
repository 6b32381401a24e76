//! The rows of INSERT JSON.

use std::collections::BTreeMap;

use keyspaces_cql::UserTypes;
use keyspaces_cql::statement::{CqlType, CqlTypeKind, NativeType};
use keyspaces_cql::value::{Value, scalar};
use serde_json::value::RawValue;

/// The values of a row by the names of its columns; `None` if the text is not a JSON object.
pub(crate) fn row(json: &[u8]) -> Option<BTreeMap<String, Box<RawValue>>> {
    let values: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(json).ok()?;
    Some(values.into_iter().map(|(name, value)| (identifier(name), value)).collect())
}

/// The value that Cassandra makes of JSON in a column of this type.
pub(crate) fn serialize(json: &RawValue, cql_type: &CqlTypeKind, user_types: &UserTypes) -> Value {
    value(json.get(), cql_type, user_types).unwrap_or_else(|| Value::of_type(cql_type))
}

/// `None` if the JSON is not a value of the type.
fn value(json: &str, cql_type: &CqlTypeKind, user_types: &UserTypes) -> Option<Value> {
    if json == "null" {
        return Some(Value::null());
    }
    let element = |json: &RawValue, cql_type: &CqlType| serialize(json, &cql_type.kind, user_types);
    let array = || serde_json::from_str::<Vec<&RawValue>>(json).ok();
    Some(match cql_type {
        CqlTypeKind::Native(native) => native_value(json, *native)?,
        CqlTypeKind::Frozen(inner) => return value(json, &inner.kind, user_types),
        CqlTypeKind::List(cql_type) => Value::list(array()?.into_iter().map(|json| element(json, cql_type)).collect()),
        CqlTypeKind::Set(cql_type) => Value::set(array()?.into_iter().map(|json| element(json, cql_type)).collect()),
        CqlTypeKind::Tuple(parts) => {
            let parts: Vec<_> =
                array()?.into_iter().zip(parts).map(|(json, cql_type)| element(json, cql_type)).collect();
            Value::tuple(&parts)
        }
        CqlTypeKind::Map(key_type, value_type) => {
            let pairs: BTreeMap<String, &RawValue> = serde_json::from_str(json).ok()?;
            let pair =
                |(key, json): (String, &RawValue)| (map_key(&key, key_type, user_types), element(json, value_type));
            Value::map(pairs.into_iter().map(pair).collect())
        }
        CqlTypeKind::UserDefined(name) => {
            let members: BTreeMap<String, &RawValue> = serde_json::from_str(json).ok()?;
            let members: BTreeMap<_, _> = members.into_iter().map(|(name, json)| (identifier(name), json)).collect();
            let field = |(name, cql_type): &(String, CqlType)| {
                members.get(name).map_or_else(Value::null, |json| element(json, cql_type))
            };
            Value::tuple(&user_types.fields(name)?.iter().map(field).collect::<Vec<_>>())
        }
        CqlTypeKind::Vector(..) | CqlTypeKind::Custom(_) => return None,
    })
}

/// The value of a native type. JSON may write any of them as a string.
fn native_value(json: &str, cql_type: NativeType) -> Option<Value> {
    let text = if json.starts_with('"') { serde_json::from_str(json).ok()? } else { json.to_owned() };
    Some(scalar(cql_type, &text))
}

/// The key of a map. JSON has only strings as keys, so a key that is not a text is JSON inside a string.
fn map_key(key: &str, cql_type: &CqlType, user_types: &UserTypes) -> Value {
    match &cql_type.kind {
        CqlTypeKind::Native(native) => scalar(*native, key),
        kind => value(key, kind, user_types).unwrap_or_else(|| Value::of_type(kind)),
    }
}

/// A name as CQL has it: in lower case unless it is in quotes.
fn identifier(name: String) -> String {
    match name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
        Some(exact) => exact.to_owned(),
        None => name.to_lowercase(),
    }
}
