//! Decodes bodies to inputs, in the same way for JSON and CBOR: first to a tree, then to the input's type.

use std::fmt;

use ciborium::Value;
use serde::de::DeserializeOwned;

use super::super::error::ApiError;

/// How deep lists and structures may be nested. The deepest input of the services has 6 levels.
const MAX_DEPTH: usize = 32;

pub(super) fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    if body.is_empty() {
        return tree(Value::Map(Vec::new()));
    }
    // serde_json has its own depth limit, 128.
    tree(serde_json::from_slice(body).map_err(|error| unreadable("JSON", error))?)
}

pub(super) fn cbor<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    if body.is_empty() {
        return tree(Value::Map(Vec::new()));
    }
    let mut rest = body;
    let value: Value = ciborium::de::from_reader_with_recursion_limit(&mut rest, MAX_DEPTH)
        .map_err(|error| unreadable("CBOR", error))?;
    if !rest.is_empty() {
        return Err(unreadable("CBOR", format!("{} bytes follow the structure", rest.len())));
    }
    tree(value)
}

/// The members of a form are texts, as in IAM's Query protocol; lists and structures in it are not read.
pub(super) fn form<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let members = form_urlencoded::parse(body);
    tree(Value::Map(members.map(|(name, text)| (Value::Text(name.into()), Value::Text(text.into()))).collect()))
}

/// Deserializes a tree, which has to be a structure: serde's types would also accept a list of their members, where
/// JSON has a structure.
fn tree<T: DeserializeOwned>(value: Value) -> Result<T, ApiError> {
    if !value.is_map() {
        return Err(ApiError::serialization("the body is not a structure"));
    }
    without_tags(value).deserialized().map_err(|error| {
        let ciborium::value::Error::Custom(problem) = error;
        ApiError::serialization(format_args!("a member of the body has a wrong type: {problem}"))
    })
}

/// Removes tags, so that a timestamp in CBOR becomes the number that JSON has. No input has other tagged values.
fn without_tags(value: Value) -> Value {
    match value {
        Value::Tag(_, value) => without_tags(*value),
        Value::Array(values) => Value::Array(values.into_iter().map(without_tags).collect()),
        Value::Map(members) => {
            Value::Map(members.into_iter().map(|(name, value)| (without_tags(name), without_tags(value))).collect())
        }
        value => value,
    }
}

fn unreadable(format: &str, error: impl fmt::Display) -> ApiError {
    ApiError::serialization(format_args!("the body cannot be read as {format}: {error}"))
}
