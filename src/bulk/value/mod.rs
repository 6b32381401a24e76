//! Converts between text and the protocol's values, without converting a number to another type.

pub(super) mod json;
mod literal;
mod scalar;

use self::json::{append_from_json, write_json};
use self::literal::{append_from_literal, write_literal};
use keyspaces_cql::TypeDefinition;
use keyspaces_cql::statement::{CqlType, CqlTypeKind, NativeType};

pub(super) use self::json::{append_json_name, is_null, json_name, parse_object};
#[cfg(feature = "parquet")]
pub(super) use self::json::{append_json_string, raw as json_raw};
pub(super) use self::scalar::ScalarForm;
pub use self::scalar::{BlobForm, TimestampForm};

/// The problem of a value, in words that fit after the name of a column.
pub(super) type Problem = String;

/// The form of collections, tuples and user-defined types in a field of a line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Nested {
    Json,
    Literal,
}

/// A type with the fields of its user-defined types, without `frozen`, which does not change the encoding.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum ValueType {
    Native(NativeType),
    List(Box<Self>),
    Set(Box<Self>),
    Map(Box<Self>, Box<Self>),
    Tuple(Vec<Self>),
    UserDefined(Vec<(String, Self)>),
}

impl ValueType {
    /// The type of a column, with the user-defined types of its keyspace.
    pub(super) fn resolve(cql_type: &CqlType, types: &[TypeDefinition]) -> Result<Self, Problem> {
        let resolve = |cql_type: &CqlType| Self::resolve(cql_type, types);
        Ok(match &cql_type.kind {
            CqlTypeKind::Native(native) => Self::Native(*native),
            CqlTypeKind::List(element) => Self::List(Box::new(resolve(element)?)),
            CqlTypeKind::Set(element) => Self::Set(Box::new(resolve(element)?)),
            CqlTypeKind::Map(key, value) => Self::Map(Box::new(resolve(key)?), Box::new(resolve(value)?)),
            CqlTypeKind::Tuple(parts) => Self::Tuple(parts.iter().map(resolve).collect::<Result<_, _>>()?),
            CqlTypeKind::Frozen(inner) => resolve(inner)?,
            CqlTypeKind::UserDefined(name) => {
                let found = types.iter().find(|known| known.name.name.text == name.name.text);
                let Some(found) = found else { return Err(format!("the type {name} is not in the keyspace")) };
                let field =
                    |(name, cql_type): &(keyspaces_cql::Name, CqlType)| Ok((name.text.clone(), resolve(cql_type)?));
                Self::UserDefined(found.fields.iter().map(field).collect::<Result<_, Problem>>()?)
            }
            CqlTypeKind::Vector(..) | CqlTypeKind::Custom(_) => {
                return Err(format!("values of the type {cql_type} cannot be read or written"));
            }
        })
    }

    /// Appends the value of a field.
    pub(super) fn append_from_text(
        &self,
        text: &str,
        form: &ScalarForm,
        nested: Nested,
        out: &mut Vec<u8>,
    ) -> Result<(), Problem> {
        match (self, nested) {
            (Self::Native(native), _) => form.append(*native, text, out),
            (_, Nested::Json) => append_from_json(self, json::raw(text)?, form, out),
            (_, Nested::Literal) => append_from_literal(self, text, form, out),
        }
    }

    /// Appends the text of a value, for a field.
    pub(super) fn write_text(
        &self,
        bytes: &[u8],
        form: &ScalarForm,
        nested: Nested,
        out: &mut String,
    ) -> Result<(), Problem> {
        match (self, nested) {
            (Self::Native(native), _) => form.write(*native, bytes, out),
            (_, Nested::Json) => write_json(self, bytes, form, out),
            (_, Nested::Literal) => write_literal(self, bytes, form, out),
        }
    }

    /// The parts of a serialised value, each with its type and, in a user-defined type, its name. A null part is `None`.
    pub(super) fn parts<'v>(&'v self, bytes: &'v [u8]) -> Result<Vec<Part<'v>>, Problem> {
        let mut rest = bytes;
        let mut parts = Vec::new();
        let mut push = |rest: &mut &'v [u8], value_type: &'v Self, name: Option<&'v str>| {
            parts.push(Part { value_type, name, value: taken(rest).ok_or("is cut short")? });
            Ok::<(), Problem>(())
        };
        match self {
            Self::Native(_) => {}
            Self::List(element) | Self::Set(element) => {
                for _ in 0..count(&mut rest)? {
                    push(&mut rest, element, None)?;
                }
            }
            Self::Map(key, value) => {
                for _ in 0..count(&mut rest)? {
                    push(&mut rest, key, None)?;
                    push(&mut rest, value, None)?;
                }
            }
            // A value that was written before fields were added to its type lacks them.
            Self::Tuple(types) => {
                for value_type in types {
                    if rest.is_empty() {
                        parts.push(Part { value_type, name: None, value: None });
                    } else {
                        parts.push(Part { value_type, name: None, value: taken(&mut rest).ok_or("is cut short")? });
                    }
                }
            }
            Self::UserDefined(fields) => {
                for (name, value_type) in fields {
                    let value = if rest.is_empty() { None } else { taken(&mut rest).ok_or("is cut short")? };
                    parts.push(Part { value_type, name: Some(name), value });
                }
            }
        }
        if rest.is_empty() { Ok(parts) } else { Err("has more bytes than its type".to_owned()) }
    }
}

/// A part of a serialised collection, tuple or user-defined type.
pub(super) struct Part<'v> {
    pub(super) value_type: &'v ValueType,
    name: Option<&'v str>,
    pub(super) value: Option<&'v [u8]>,
}

fn count(rest: &mut &[u8]) -> Result<usize, Problem> {
    let (count, after) = rest.split_first_chunk::<4>().ok_or("is cut short")?;
    *rest = after;
    usize::try_from(i32::from_be_bytes(*count)).map_err(|_| "has a negative number of elements".to_owned())
}

/// The next value, which follows its length; `Some(None)` is a null.
#[expect(clippy::option_option, reason = "no value, and a value that is null, are two things")]
fn taken<'a>(rest: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else {
        *rest = after;
        return Some(None);
    };
    let (value, after) = after.split_at_checked(length)?;
    *rest = after;
    Some(Some(value))
}

/// Calls `append`, and puts the length before the bytes that it appends.
pub(super) fn append_cell(
    out: &mut Vec<u8>,
    append: impl FnOnce(&mut Vec<u8>) -> Result<(), Problem>,
) -> Result<(), Problem> {
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    append(out)?;
    let length = i32::try_from(out.len() - at - 4).map_err(|_| "is longer than the protocol allows".to_owned())?;
    if let Some(place) = out.get_mut(at..at + 4) {
        place.copy_from_slice(&length.to_be_bytes());
    }
    Ok(())
}

/// Appends a nested value, which may be null, by `append`.
fn append_nullable<T>(
    value: Option<T>,
    out: &mut Vec<u8>,
    append: impl FnOnce(T, &mut Vec<u8>) -> Result<(), Problem>,
) -> Result<(), Problem> {
    match value {
        Some(value) => append_cell(out, |out| append(value, out)),
        None => {
            out.extend_from_slice(&NULL);
            Ok(())
        }
    }
}

pub(super) const NULL: [u8; 4] = (-1_i32).to_be_bytes();
pub(super) const UNSET: [u8; 4] = (-2_i32).to_be_bytes();

pub(super) fn append_count(count: usize, out: &mut Vec<u8>) -> Result<(), Problem> {
    let count = i32::try_from(count).map_err(|_| "has too many elements".to_owned())?;
    out.extend_from_slice(&count.to_be_bytes());
    Ok(())
}

/// The beginning of a text, for an error.
pub(super) fn excerpt(text: &str) -> String {
    const MAX_SHOWN_CHARS: usize = 60;
    match text.char_indices().nth(MAX_SHOWN_CHARS) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A type, and serialised values of it, among them nulls inside tuples and user-defined types.
    pub(crate) fn typed_value() -> impl Strategy<Value = (ValueType, Vec<u8>)> {
        value_type().prop_flat_map(|value_type| {
            let values = value_of(&value_type);
            (Just(value_type), values)
        })
    }

    fn value_type() -> impl Strategy<Value = ValueType> {
        use NativeType::*;
        let natives = [
            Ascii, Bigint, Blob, Boolean, Date, Decimal, Double, Duration, Float, Inet, Int, Smallint, Text, Time,
            Timestamp, Timeuuid, Tinyint, Uuid, Varchar, Varint,
        ];
        let native = proptest::sample::select(natives.to_vec()).prop_map(ValueType::Native);
        native.prop_recursive(3, 12, 3, |inner| {
            let boxed = |value_type: ValueType| Box::new(value_type);
            prop_oneof![
                inner.clone().prop_map(move |value_type| ValueType::List(boxed(value_type))),
                inner.clone().prop_map(move |value_type| ValueType::Set(boxed(value_type))),
                (inner.clone(), inner.clone())
                    .prop_map(move |(key, value_type)| ValueType::Map(boxed(key), boxed(value_type))),
                proptest::collection::vec(inner.clone(), 1..3).prop_map(ValueType::Tuple),
                proptest::collection::vec(inner, 1..3).prop_map(|value_type| {
                    let names = ["street", "Zip \"code\""].map(str::to_owned);
                    ValueType::UserDefined(names.into_iter().zip(value_type).collect())
                }),
            ]
        })
    }

    fn cell(value: Option<Vec<u8>>) -> Vec<u8> {
        let Some(value) = value else { return NULL.to_vec() };
        [&i32::try_from(value.len()).unwrap().to_be_bytes()[..], &value].concat()
    }

    pub(crate) fn value_of(value_type: &ValueType) -> BoxedStrategy<Vec<u8>> {
        let cells = |value_type: &ValueType| value_of(value_type).prop_map(|value| cell(Some(value)));
        let optional = |value_type: &ValueType| proptest::option::of(value_of(value_type)).prop_map(cell).boxed();
        let counted =
            |cells: Vec<Vec<u8>>| [&i32::try_from(cells.len()).unwrap().to_be_bytes()[..], &cells.concat()].concat();
        let all = |parts: Vec<BoxedStrategy<Vec<u8>>>| parts.prop_map(|cells| cells.concat()).boxed();
        match value_type {
            ValueType::Native(native) => native_value(*native),
            ValueType::List(value_type) | ValueType::Set(value_type) => {
                proptest::collection::vec(cells(value_type), 0..3).prop_map(counted).boxed()
            }
            ValueType::Map(key, value) => {
                let pair = (cells(key), cells(value)).prop_map(|(key, value)| [key, value].concat());
                proptest::collection::vec(pair, 0..3).prop_map(counted).boxed()
            }
            ValueType::Tuple(types) => all(types.iter().map(optional).collect()),
            ValueType::UserDefined(fields) => all(fields.iter().map(|(_, value_type)| optional(value_type)).collect()),
        }
    }

    fn native_value(native: NativeType) -> BoxedStrategy<Vec<u8>> {
        use NativeType::*;
        let bytes = |length| proptest::collection::vec(any::<u8>(), length).boxed();
        match native {
            Ascii => "[ -~]{0,12}".prop_map(String::into_bytes).boxed(),
            Text | Varchar => {
                prop_oneof!["\\PC{0,12}", "[\"\\\\,;\n\r\t'\\x00{}\\[\\]: ]{0,8}"].prop_map(String::into_bytes).boxed()
            }
            Blob => proptest::collection::vec(any::<u8>(), 0..20).boxed(),
            Boolean => any::<bool>().prop_map(|is| vec![u8::from(is)]).boxed(),
            Tinyint => bytes(1),
            Smallint => bytes(2),
            Int | Date => bytes(4),
            Bigint | Counter | Timestamp => bytes(8),
            Float => any::<f32>()
                .prop_filter("a NaN has one text", |n| !n.is_nan())
                .prop_map(|n| n.to_be_bytes().to_vec())
                .boxed(),
            Double => any::<f64>()
                .prop_filter("a NaN has one text", |n| !n.is_nan())
                .prop_map(|n| n.to_be_bytes().to_vec())
                .boxed(),
            Varint => any::<i128>().prop_map(|n| from_text(Varint, &n.to_string())).boxed(),
            Decimal => (any::<i128>(), any::<i16>()).prop_map(|(n, e)| from_text(Decimal, &format!("{n}E{e}"))).boxed(),
            Uuid => bytes(16),
            Timeuuid => bytes(16)
                .prop_map(|mut bytes| {
                    bytes[6] = 0x10 | bytes[6] & 0x0f;
                    bytes
                })
                .boxed(),
            Inet => prop_oneof![bytes(4), bytes(16)].boxed(),
            Time => (0..86_400_000_000_000_i64).prop_map(|nanos| nanos.to_be_bytes().to_vec()).boxed(),
            Duration => (0..1_000_000, 0..1_000_000, any::<u32>(), any::<bool>())
                .prop_map(|(months, days, nanos, negative)| {
                    let sign = if negative { "-" } else { "" };
                    from_text(Duration, &format!("{sign}{months}mo{days}d{nanos}ns"))
                })
                .boxed(),
        }
    }

    fn from_text(native: NativeType, text: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        assert!(keyspaces_cql::value::append_scalar(native, text, &mut bytes), "{native:?} {text}");
        bytes
    }

    proptest! {
        #[test]
        fn value_of_any_type_round_trips_through_every_text_form((value_type, bytes) in typed_value()) {
            for form in [ScalarForm::dsbulk(), ScalarForm::cqlsh(), ScalarForm::json()] {
                for nested in [Nested::Json, Nested::Literal] {
                    let mut text = String::new();
                    value_type.write_text(&bytes, &form, nested, &mut text).unwrap();
                    let mut again = Vec::new();
                    let read = value_type.append_from_text(&text, &form, nested, &mut again);
                    prop_assert_eq!(read, Ok(()), "{:?} {}", nested, text);
                    prop_assert_eq!(&again, &bytes, "{:?} {}", nested, text);
                }
            }
        }
    }

    #[test]
    fn value_that_does_not_match_its_type_is_refused_with_the_reason() {
        let parsed = |value_type: &str| ValueType::resolve(&value_type.parse().unwrap(), &[]).unwrap();
        for (value_type, value, problem) in [
            ("int", "3000000000", "\"3000000000\" is not a valid int"),
            ("tinyint", "1.0", "\"1.0\" is not a valid tinyint"),
            ("uuid", "7", "\"7\" is not a valid uuid"),
            ("double", "1e999", "\"1e999\" is not a valid double"),
            ("ascii", "ä", "\"ä\" is not a valid ascii"),
            ("list<int>", "[1, \"x\"]", "\"x\" is not a valid int"),
            ("list<int>", "[1, null]", "a null is inside a collection"),
            ("list<int>", "[1, ", "\"[1, \" is not JSON: EOF while parsing a value at line 1 column 4"),
            ("map<text, int>", "[1]", "\"[1]\" is not a JSON object"),
            ("tuple<int, int>", "[1, 2, 3]", "has 3 parts, its type has 2"),
            ("date", "20260102", "\"20260102\" is not a date; write 2026-01-31"),
            ("time", "130000", "\"130000\" is not a time; write 13:00:00"),
            (
                "timestamp",
                "1767225600000",
                "\"1767225600000\" is a number: say with the form of timestamps whether it counts seconds, milliseconds or \
                 microseconds",
            ),
            (
                "timestamp",
                "2026-01-31 13:00",
                "\"2026-01-31 13:00\" has no time zone: write one, or read timestamps as UTC",
            ),
            (
                "timestamp",
                "2026-01-31T13:00:00.123456Z",
                "\"2026-01-31T13:00:00.123456Z\" has more digits than the milliseconds of a timestamp",
            ),
            ("blob", "0xcafe", "\"0xcafe\" is not base64"),
        ] {
            let read = parsed(value_type).append_from_text(value, &ScalarForm::dsbulk(), Nested::Json, &mut Vec::new());
            assert_eq!(read, Err(problem.to_owned()), "{value_type} {value}");
        }
        for (value_type, value, problem) in [
            ("list<int>", "[1, 'x']", "\"x\" is not a valid int"),
            ("set<text>", "{'a', null}", "a null is inside a collection"),
            (
                "set<text>",
                "{'a'",
                "\"{'a'\" is not a CQL literal: line 1, column 5: expected ',' or '}', found the end of the text",
            ),
            ("map<text, int>", "[1]", "\"[1]\" is not a literal of a map"),
            ("list<int>", "[now()]", "\"[now()]\" is not a CQL literal"),
        ] {
            let read =
                parsed(value_type).append_from_text(value, &ScalarForm::cqlsh(), Nested::Literal, &mut Vec::new());
            assert_eq!(read, Err(problem.to_owned()), "{value_type} {value}");
        }
    }
}
