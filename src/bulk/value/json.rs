//! Values as JSON, in the form of `SELECT JSON` and `INSERT JSON`.

use std::borrow::Cow;
use std::fmt;

use keyspaces_cql::statement::NativeType;
use serde::Deserializer;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Problem, ScalarForm, ValueType, append_cell, append_count, append_nullable, excerpt};
use crate::counted::Counted;

/// The names and values of an object, in order.
pub(in crate::bulk) type JsonObject<'t> = Vec<(Cow<'t, str>, &'t RawValue)>;

/// Parses a text as JSON whose parts are parsed later.
pub(in crate::bulk) fn raw(text: &str) -> Result<&RawValue, Problem> {
    serde_json::from_str(text).map_err(|error| format!("{} is not JSON: {error}", excerpt(text)))
}

/// Parses an object. Numbers keep their digits.
pub(in crate::bulk) fn parse_object(text: &str) -> Result<JsonObject<'_>, Problem> {
    struct Entries;

    impl<'de> Visitor<'de> for Entries {
        type Value = JsonObject<'de>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a JSON object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut entries = Vec::with_capacity(16);
            while let Some(entry) = map.next_entry::<CowText<'de>, &'de RawValue>()? {
                entries.push((entry.0.0, entry.1));
            }
            Ok(entries)
        }
    }

    let mut reader = serde_json::Deserializer::from_str(text);
    let entries = reader.deserialize_map(Entries);
    entries.and_then(|entries| reader.end().map(|()| entries)).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => format!("{} is not a JSON object", excerpt(text)),
        _ => format!("{} is not JSON: {error}", excerpt(text)),
    })
}

/// A string that is borrowed unless it has escapes.
#[derive(serde::Deserialize)]
struct CowText<'t>(#[serde(borrow)] Cow<'t, str>);

/// Appends the value of `raw`.
pub(in crate::bulk) fn append_from_json(
    value_type: &ValueType,
    raw: &RawValue,
    form: &ScalarForm,
    out: &mut Vec<u8>,
) -> Result<(), Problem> {
    match value_type {
        ValueType::Native(native) => scalar(*native, raw, form, out),
        ValueType::List(element) | ValueType::Set(element) => {
            let elements = elements(raw)?;
            append_count(elements.len(), out)?;
            elements.into_iter().try_for_each(|part| append_element(element, part, form, out))
        }
        ValueType::Map(key, value) => {
            let entries = parse_object(raw.get())?;
            append_count(entries.len(), out)?;
            for (name, part) in entries {
                append_cell(out, |out| append_key(key, &name, form, out))?;
                append_element(value, part, form, out)?;
            }
            Ok(())
        }
        ValueType::Tuple(types) => {
            let parts = elements(raw)?;
            if parts.len() != types.len() {
                return Err(format!("has {}, its type has {}", Counted(parts.len(), "part"), types.len()));
            }
            types.iter().zip(parts).try_for_each(|(value_type, part)| append_part(value_type, Some(part), form, out))
        }
        ValueType::UserDefined(fields) => {
            let entries = parse_object(raw.get())?;
            let is_field = |name: &str| fields.iter().any(|(field, _)| field == json_name(name));
            if let Some((name, _)) = entries.iter().find(|(name, _)| !is_field(name)) {
                return Err(format!("the type has no field {}", excerpt(name)));
            }
            fields.iter().try_for_each(|(field, value_type)| {
                let entry = entries.iter().find(|(name, _)| json_name(name) == field);
                append_part(value_type, entry.map(|(_, part)| *part), form, out)
            })
        }
    }
}

fn append_element(value_type: &ValueType, raw: &RawValue, form: &ScalarForm, out: &mut Vec<u8>) -> Result<(), Problem> {
    if is_null(raw) {
        return Err("a null is inside a collection".to_owned());
    }
    append_cell(out, |out| append_from_json(value_type, raw, form, out))
}

/// Appends a nested value, which may be null.
fn append_part(
    value_type: &ValueType,
    raw: Option<&RawValue>,
    form: &ScalarForm,
    out: &mut Vec<u8>,
) -> Result<(), Problem> {
    append_nullable(raw.filter(|raw| !is_null(raw)), out, |raw, out| append_from_json(value_type, raw, form, out))
}

/// Appends the key of a map, which is a string in JSON: a scalar as its text, another value as JSON inside the string.
fn append_key(value_type: &ValueType, name: &str, form: &ScalarForm, out: &mut Vec<u8>) -> Result<(), Problem> {
    match value_type {
        ValueType::Native(native) => form.append(*native, name, out),
        _ => append_from_json(value_type, raw(name)?, form, out),
    }
}

/// Appends the JSON of a value.
pub(in crate::bulk) fn write_json(
    value_type: &ValueType,
    bytes: &[u8],
    form: &ScalarForm,
    out: &mut String,
) -> Result<(), Problem> {
    let (open, close) = match value_type {
        ValueType::Native(native) => return write_scalar(*native, bytes, form, out),
        ValueType::List(_) | ValueType::Set(_) | ValueType::Tuple(_) => ('[', ']'),
        ValueType::Map(..) | ValueType::UserDefined(_) => ('{', '}'),
    };
    out.push(open);
    for (index, part) in value_type.parts(bytes)?.iter().enumerate() {
        let is_value = matches!(value_type, ValueType::Map(..)) && index % 2 == 1;
        let is_key = matches!(value_type, ValueType::Map(..)) && !is_value;
        if index > 0 {
            out.push_str(if is_value { ": " } else { ", " });
        }
        if let Some(name) = part.name {
            append_json_name(name, out);
            out.push_str(": ");
        }
        match part.value {
            None => out.push_str("null"),
            Some(value) if is_key => write_key(part.value_type, value, form, out)?,
            Some(value) => write_json(part.value_type, value, form, out)?,
        }
    }
    out.push(close);
    Ok(())
}

fn write_key(value_type: &ValueType, bytes: &[u8], form: &ScalarForm, out: &mut String) -> Result<(), Problem> {
    let mut text = String::new();
    match value_type {
        ValueType::Native(native) => form.write(*native, bytes, &mut text)?,
        _ => write_json(value_type, bytes, form, &mut text)?,
    }
    append_json_string(&text, out);
    Ok(())
}

fn scalar(native: NativeType, raw: &RawValue, form: &ScalarForm, out: &mut Vec<u8>) -> Result<(), Problem> {
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'"') => {
            let CowText(text) = serde_json::from_str(text).map_err(|error| error.to_string())?;
            form.append(native, &text, out)
        }
        // INSERT JSON reads a number as milliseconds.
        Some(b'-' | b'0'..=b'9') if native == NativeType::Timestamp && form.timestamps.is_iso() => {
            let millis = text.parse::<i64>().map_err(|_| format!("{} is not a whole number", excerpt(text)))?;
            out.extend_from_slice(&millis.to_be_bytes());
            Ok(())
        }
        Some(b'-' | b'0'..=b'9') if is_number(native) || native == NativeType::Timestamp => {
            form.append(native, text, out)
        }
        Some(b't' | b'f') if native == NativeType::Boolean => form.append(native, text, out),
        _ => Err(format!("{} is not a valid {}", excerpt(text), native.name())),
    }
}

fn write_scalar(native: NativeType, bytes: &[u8], form: &ScalarForm, out: &mut String) -> Result<(), Problem> {
    let from = out.len();
    form.write(native, bytes, out)?;
    let text = &out[from..];
    let is_unquoted =
        is_number(native) && text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) && text != "-Infinity";
    if is_unquoted || native == NativeType::Boolean && !text.is_empty() {
        if form.capital_booleans && native == NativeType::Boolean {
            let lower = out.split_off(from).to_ascii_lowercase();
            out.push_str(&lower);
        }
        return Ok(());
    }
    let text = out.split_off(from);
    append_json_string(&text, out);
    Ok(())
}

fn is_number(native: NativeType) -> bool {
    use NativeType::{Bigint, Counter, Decimal, Double, Float, Int, Smallint, Tinyint, Varint};
    matches!(native, Bigint | Counter | Decimal | Double | Float | Int | Smallint | Tinyint | Varint)
}

fn elements(raw: &RawValue) -> Result<Vec<&RawValue>, Problem> {
    serde_json::from_str(raw.get()).map_err(|_| format!("{} is not a JSON array", excerpt(raw.get())))
}

pub(in crate::bulk) fn is_null(raw: &RawValue) -> bool {
    raw.get() == "null"
}

/// The name of a column or field in a member's name: in the JSON of CQL, a name with capital letters is in double
/// quotes.
pub(in crate::bulk) fn json_name(name: &str) -> &str {
    name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name)
}

/// Appends a member's name in the form for CQL.
pub(in crate::bulk) fn append_json_name(name: &str, out: &mut String) {
    if name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') {
        append_json_string(name, out);
    } else {
        append_json_string(&format!("\"{name}\""), out);
    }
}

pub(in crate::bulk) fn append_json_string(text: &str, out: &mut String) {
    use fmt::Write;
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(letter));
            }
            _ => out.push(letter),
        }
    }
    out.push('"');
}
