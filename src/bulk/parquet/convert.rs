//! Converts values of Parquet to values of CQL without loss, or refuses them.

use keyspaces_cql::statement::NativeType;
use keyspaces_cql::value::write_scalar;

use super::node::Value;
use super::scalar::{Scalar, ScalarKind, Unit};
use crate::bulk::TimestampForm;
use crate::bulk::value::json::append_from_json;
use crate::bulk::value::{NULL, Problem, ScalarForm, ValueType, append_cell, append_count, excerpt, json_raw};

/// The nanoseconds of a day.
const DAY_NANOS: i64 = 86_400_000_000_000;

/// Whether values of this kind can be values of the type. Text is parsed, so it can be any type.
pub(super) fn is_taken(kind: ScalarKind, native: NativeType) -> bool {
    use NativeType as N;
    use ScalarKind as K;
    match kind {
        K::Text => true,
        K::Bytes => {
            matches!(native, N::Ascii | N::Text | N::Varchar | N::Blob | N::Uuid | N::Timeuuid)
        }
        K::Uuid => matches!(native, N::Uuid | N::Timeuuid | N::Blob),
        K::Boolean => native == N::Boolean,
        K::Integer { .. } => {
            is_integer(native) || matches!(native, N::Varint | N::Decimal | N::Float | N::Double | N::Timestamp)
        }
        K::Decimal { .. } => is_integer(native) || matches!(native, N::Varint | N::Decimal),
        K::Float | K::Double => matches!(native, N::Float | N::Double),
        K::Date => native == N::Date,
        K::Time(_) => native == N::Time,
        K::Timestamp { .. } | K::Int96 => native == N::Timestamp,
    }
}

fn is_integer(native: NativeType) -> bool {
    use NativeType::{Bigint, Counter, Int, Smallint, Tinyint};
    matches!(native, Bigint | Counter | Int | Smallint | Tinyint)
}

/// Appends the CQL value of a Parquet value that is not null.
pub(super) fn append(
    value: &Value<'_>,
    value_type: &ValueType,
    form: &ScalarForm,
    out: &mut Vec<u8>,
) -> Result<(), Problem> {
    match (value_type, value) {
        (ValueType::Native(native), Value::Scalar(scalar)) => append_scalar(scalar, *native, form, out),
        (_, Value::Scalar(Scalar::Text(text))) => append_from_json(value_type, json_raw(utf_8(text)?)?, form, out),
        (ValueType::List(element) | ValueType::Set(element), Value::List(values)) => {
            append_count(values.len(), out)?;
            values.iter().try_for_each(|value| append_element(value, element, form, out))
        }
        (ValueType::Map(of_key, of_value), Value::Map(pairs)) => {
            append_count(pairs.len(), out)?;
            pairs.iter().try_for_each(|(key, value)| {
                append_element(key, of_key, form, out)?;
                append_element(value, of_value, form, out)
            })
        }
        (ValueType::Tuple(types), Value::Struct(fields)) => types
            .iter()
            .zip(fields)
            .try_for_each(|(value_type, (_, value))| append_part(Some(value), value_type, form, out)),
        (ValueType::UserDefined(types), Value::Struct(fields)) => types.iter().try_for_each(|(name, value_type)| {
            let field = fields.iter().find(|(field, _)| field == name).map(|(_, value)| value);
            append_part(field, value_type, form, out)
        }),
        // `OpenFile::bind` has compared the file's schema with the types.
        _ => Err("is of another type".to_owned()),
    }
}

fn append_element(
    value: &Value<'_>,
    value_type: &ValueType,
    form: &ScalarForm,
    out: &mut Vec<u8>,
) -> Result<(), Problem> {
    match value {
        Value::Null => Err("a null is inside a collection".to_owned()),
        value => append_cell(out, |out| append(value, value_type, form, out)),
    }
}

/// Appends a nested value, which may be null.
fn append_part(
    value: Option<&Value<'_>>,
    value_type: &ValueType,
    form: &ScalarForm,
    out: &mut Vec<u8>,
) -> Result<(), Problem> {
    match value {
        None | Some(Value::Null) => {
            out.extend_from_slice(&NULL);
            Ok(())
        }
        Some(value) => append_cell(out, |out| append(value, value_type, form, out)),
    }
}

fn utf_8(text: &[u8]) -> Result<&str, Problem> {
    std::str::from_utf8(text).map_err(|_| "is not valid UTF-8".to_owned())
}

fn append_scalar(scalar: &Scalar<'_>, native: NativeType, form: &ScalarForm, out: &mut Vec<u8>) -> Result<(), Problem> {
    use NativeType as N;
    match (scalar, native) {
        (Scalar::Text(text), _) => form.append(native, utf_8(text)?, out),
        (Scalar::Bytes(text), N::Ascii | N::Text | N::Varchar) => form.append(native, utf_8(text)?, out),
        (Scalar::Bytes(bytes) | Scalar::Uuid(bytes), N::Blob) => {
            out.extend_from_slice(bytes);
            Ok(())
        }
        (Scalar::Bytes(bytes) | Scalar::Uuid(bytes), N::Uuid | N::Timeuuid) => append_uuid(bytes, native, out),
        (Scalar::Boolean(is), N::Boolean) => {
            out.push(u8::from(*is));
            Ok(())
        }
        (Scalar::Integer(number), N::Timestamp) => form.append(native, &number.to_string(), out),
        (Scalar::Integer(number), _) => append_integer(*number, native, form, out),
        (Scalar::Decimal { unscaled, scale }, N::Decimal) => {
            out.extend_from_slice(&scale.to_be_bytes());
            out.extend_from_slice(shortest(unscaled));
            Ok(())
        }
        (Scalar::Decimal { unscaled, scale: 0 }, N::Varint) => {
            out.extend_from_slice(shortest(unscaled));
            Ok(())
        }
        (Scalar::Decimal { unscaled, scale: 0 }, _) if is_integer(native) => {
            let shortest = shortest(unscaled);
            let sign = if shortest[0] >= 0x80 { 0xff } else { 0 };
            let mut bytes = [sign; 16];
            let from =
                bytes.len().checked_sub(shortest.len()).ok_or_else(|| format!("is not a valid {}", native.name()))?;
            bytes[from..].copy_from_slice(shortest);
            append_integer(i128::from_be_bytes(bytes), native, form, out)
        }
        (Scalar::Decimal { .. }, _) => {
            Err(format!("has digits after the decimal point, and is not a valid {}", native.name()))
        }
        (Scalar::Float(number), N::Float) => append_bytes(&number.to_be_bytes(), out),
        (Scalar::Float(number), N::Double) => append_bytes(&f64::from(*number).to_be_bytes(), out),
        (Scalar::Double(number), N::Double) => append_bytes(&number.to_be_bytes(), out),
        (Scalar::Double(number), N::Float) => append_float(*number, out),
        // A CQL date is unsigned, with 1970-01-01 in the middle of the range.
        (Scalar::Date(days), N::Date) => append_bytes(&(days.cast_unsigned() ^ 1 << 31).to_be_bytes(), out),
        (Scalar::Time(count, unit), N::Time) => {
            let nanos_each = 1_000_000_000 / unit.per_second();
            let nanos =
                i64::try_from(i128::from(*count) * nanos_each).ok().filter(|nanos| (0..DAY_NANOS).contains(nanos));
            append_bytes(&nanos.ok_or_else(|| format!("{count} is not a time of day"))?.to_be_bytes(), out)
        }
        (Scalar::Timestamp { since_1970, unit, utc }, N::Timestamp) => {
            if !utc && form.timestamps == TimestampForm::Iso {
                return Err("has no time zone: read timestamps as UTC if they are".to_owned());
            }
            append_bytes(&millis(*since_1970, *unit)?.to_be_bytes(), out)
        }
        _ => Err(format!("is not a valid {}", native.name())),
    }
}

fn append_bytes(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Problem> {
    out.extend_from_slice(bytes);
    Ok(())
}

fn append_integer(number: i128, native: NativeType, form: &ScalarForm, out: &mut Vec<u8>) -> Result<(), Problem> {
    let text = number.to_string();
    let rounded = || format!("{text} cannot be a {} without rounding", native.name());
    match native {
        NativeType::Float => {
            let float = text.parse::<f32>().ok().filter(|float| format!("{float:.0}") == text).ok_or_else(rounded)?;
            append_bytes(&float.to_be_bytes(), out)
        }
        NativeType::Double => {
            let double =
                text.parse::<f64>().ok().filter(|double| format!("{double:.0}") == text).ok_or_else(rounded)?;
            append_bytes(&double.to_be_bytes(), out)
        }
        _ => form.append(native, &text, out),
    }
}

fn append_float(number: f64, out: &mut Vec<u8>) -> Result<(), Problem> {
    let text = number.to_string();
    let float: f32 = text.parse().map_err(|_| format!("{text} is not a valid float"))?;
    if number.is_nan() || f64::from(float).to_bits() == number.to_bits() {
        return append_bytes(&float.to_be_bytes(), out);
    }
    Err(format!("{text} has more digits than a float"))
}

fn append_uuid(bytes: &[u8], native: NativeType, out: &mut Vec<u8>) -> Result<(), Problem> {
    let version = bytes.get(6).map(|byte| byte >> 4);
    if bytes.len() != 16 || native == NativeType::Timeuuid && version != Some(1) {
        return Err(format!("{} is not a valid {}", excerpt(&hex(bytes)), native.name()));
    }
    append_bytes(bytes, out)
}

/// The timestamp in milliseconds; an error if it is more precise.
fn millis(since_1970: i128, unit: Unit) -> Result<i64, Problem> {
    let each = unit.per_second() / 1_000;
    if since_1970 % each != 0 {
        return Err(format!(
            "{} has more digits than the milliseconds of a timestamp",
            excerpt(&timestamp_text(since_1970, unit, true))
        ));
    }
    i64::try_from(since_1970 / each).map_err(|_| format!("{since_1970} is not a timestamp"))
}

/// A number in two's complement of minimal length.
fn shortest(number: &[u8]) -> &[u8] {
    let mut rest = number;
    while let [first, second, ..] = rest
        && (*first == 0 && *second < 0x80 || *first == 0xff && *second >= 0x80)
    {
        rest = &rest[1..];
    }
    if rest.is_empty() { &[0] } else { rest }
}

fn hex(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

/// The text of a timestamp, with all its digits.
fn timestamp_text(since_1970: i128, unit: Unit, utc: bool) -> String {
    let per_second = unit.per_second();
    let (seconds, fraction) = (since_1970.div_euclid(per_second), since_1970.rem_euclid(per_second));
    let second = i64::try_from(seconds).ok().and_then(|seconds| chrono::DateTime::from_timestamp(seconds, 0));
    let Some(second) = second else { return since_1970.to_string() };
    let digits = unit.digits();
    let zone = if utc { "Z" } else { "" };
    format!("{}.{fraction:0digits$}{zone}", second.format("%Y-%m-%d %H:%M:%S"))
}

/// Appends the JSON of a value as it is in the file, for a row that has to be corrected.
pub(super) fn write_raw_json(value: &Value<'_>, out: &mut String) {
    use crate::bulk::value::append_json_string as quoted;
    let list = |values: &mut dyn Iterator<Item = (Option<&str>, &Value<'_>)>, open, close, out: &mut String| {
        out.push(open);
        for (index, (name, value)) in values.enumerate() {
            if index > 0 {
                out.push_str(", ");
            }
            if let Some(name) = name {
                quoted(name, out);
                out.push_str(": ");
            }
            write_raw_json(value, out);
        }
        out.push(close);
    };
    match value {
        Value::Null => out.push_str("null"),
        Value::Scalar(Scalar::Boolean(is)) => out.push_str(if *is { "true" } else { "false" }),
        Value::Scalar(Scalar::Integer(number)) => out.push_str(&number.to_string()),
        Value::Scalar(Scalar::Float(number)) if number.is_finite() => out.push_str(&number.to_string()),
        Value::Scalar(Scalar::Double(number)) if number.is_finite() => out.push_str(&number.to_string()),
        Value::Scalar(scalar) => quoted(&raw_text(scalar), out),
        Value::List(values) => list(&mut values.iter().map(|value| (None, value)), '[', ']', out),
        Value::Struct(fields) => {
            list(&mut fields.iter().map(|(name, value)| (Some(*name), value)), '{', '}', out);
        }
        Value::Map(pairs) => {
            let keys: Vec<String> = pairs.iter().map(|(key, _)| raw_key(key)).collect();
            let values = keys.iter().zip(pairs).map(|(key, (_, value))| (Some(key.as_str()), value));
            list(&mut { values }, '{', '}', out);
        }
    }
}

/// A key as a JSON string.
fn raw_key(key: &Value<'_>) -> String {
    match key {
        Value::Scalar(scalar) => raw_text(scalar),
        key => {
            let mut text = String::new();
            write_raw_json(key, &mut text);
            text
        }
    }
}

fn raw_text(scalar: &Scalar<'_>) -> String {
    let of_cql = |value_type: NativeType, bytes: &[u8]| {
        let mut text = String::new();
        if write_scalar(value_type, bytes, &mut text) { text } else { hex(bytes) }
    };
    match scalar {
        Scalar::Boolean(is) => is.to_string(),
        Scalar::Integer(number) => number.to_string(),
        Scalar::Float(number) => number.to_string(),
        Scalar::Double(number) => number.to_string(),
        Scalar::Text(text) => std::str::from_utf8(text).map_or_else(|_| hex(text), str::to_owned),
        Scalar::Bytes(bytes) => hex(bytes),
        Scalar::Uuid(bytes) => of_cql(NativeType::Uuid, bytes),
        Scalar::Decimal { unscaled, scale } => {
            of_cql(NativeType::Decimal, &[&scale.to_be_bytes()[..], shortest(unscaled)].concat())
        }
        Scalar::Date(days) => of_cql(NativeType::Date, &(days.cast_unsigned() ^ 1 << 31).to_be_bytes()),
        Scalar::Time(count, _) => count.to_string(),
        Scalar::Timestamp { since_1970, unit, utc } => timestamp_text(*since_1970, *unit, *utc),
    }
}
