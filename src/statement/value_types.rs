//! Derives from the name of a Rust type how many values it binds and which of them never fit, without a value.
//!
//! The driver's traits check a value only when it is bound. The name of a tuple of common types shows both, so a
//! mistake is found when the statement is prepared. A type whose name does not show its values, such as a struct, is
//! checked when a value is bound.

use std::any::type_name;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use keyspaces_cql::Statement;
use scylla::frame::response::result::{CollectionType, ColumnSpec, ColumnType, NativeType};
use scylla::value::{Counter, CqlDate, CqlDecimal, CqlDuration, CqlTime, CqlTimestamp, CqlTimeuuid, CqlVarint};
use uuid::Uuid;

use super::mismatch::{A_KEY, A_VALUE, AN_ELEMENT, advice_on_bound_type, bound_count, bound_type};
use crate::value::AsText;

/// The reason why no value of a type can be bound, and the advice.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct TypeMismatch {
    pub(super) problem: String,
    pub(super) advice: Option<String>,
}

/// Returns why no value of the type `name` fits these bind markers of `statement`, or `None` if a value may fit. The
/// values may leave out the markers whose indexes are in `optional`.
pub(super) fn mismatch(
    name: &str,
    markers: &[ColumnSpec<'_>],
    optional: &[usize],
    statement: Option<&Statement>,
) -> Option<TypeMismatch> {
    let values = parts_of_tuple(name)?;
    let (max, min) = (markers.len(), markers.len() - optional.len());
    if !(min..=max).contains(&values.len()) {
        return Some(TypeMismatch { problem: bound_count(name, values.len(), max), advice: None });
    }
    let bound: Vec<_> = match values.len() {
        all if all == max => markers.iter().collect(),
        some if some == min => {
            let is_given = |(index, _): &(usize, _)| !optional.contains(index);
            markers.iter().enumerate().filter(is_given).map(|(_, marker)| marker).collect()
        }
        _ => return None,
    };
    bound.into_iter().zip(values).find_map(|(marker, value)| {
        let MismatchedPart { part, column, value } = MismatchedPart::find(value, marker.typ())?;
        let place = format!("{part}the bind marker for {}", marker.name());
        let advice = advice_on_bound_type(marker.name(), column, value, statement);
        Some(TypeMismatch { problem: bound_type(&place, column, value), advice })
    })
}

/// Splits the name of a tuple: `(i32, &str)` has the parts `i32` and `&str`.
fn parts_of_tuple(name: &str) -> Option<Vec<&str>> {
    parts(name.strip_prefix('(')?.strip_suffix(')')?)
}

/// Splits at commas, except for those inside brackets.
fn parts(inside: &str) -> Option<Vec<&str>> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_usize, 0);
    for (place, sign) in inside.char_indices() {
        match sign {
            '(' | '<' | '[' | '{' => depth += 1,
            ')' | '>' | ']' | '}' => depth = depth.checked_sub(1)?,
            ',' if depth == 0 => {
                parts.push(inside[start..place].trim());
                start = place + 1;
            }
            _ => {}
        }
    }
    parts.push(inside[start..].trim());
    // The name of a tuple with one element ends in a comma.
    parts.retain(|part| !part.is_empty());
    Some(parts)
}

/// A Rust type, or a part of it, that never fits the column or the same part of the column.
struct MismatchedPart<'c, 'n> {
    /// `an element of `, or nothing.
    part: String,
    column: &'c ColumnType<'c>,
    value: &'n str,
}

impl<'c, 'n> MismatchedPart<'c, 'n> {
    fn find(value: &'n str, column: &'c ColumnType<'c>) -> Option<Self> {
        let whole = || Some(Self { part: String::new(), column, value });
        let name = unwrapped(value);
        if let Some(fits) = accepted_types(name) {
            return if matches!(column, ColumnType::Native(native) if fits.contains(native)) { None } else { whole() };
        }
        match (Collection::parse(name)?, column) {
            (
                Collection::Elements(element),
                ColumnType::Collection {
                    typ: CollectionType::List(element_type) | CollectionType::Set(element_type),
                    ..
                }
                | ColumnType::Vector { typ: element_type, .. },
            ) => Self::find(element, element_type).map(|part| part.inside(AN_ELEMENT)),
            (
                Collection::Entries(key, value),
                ColumnType::Collection { typ: CollectionType::Map(key_type, value_type), .. },
            ) => Self::find(key, key_type)
                .map(|part| part.inside(A_KEY))
                .or_else(|| Self::find(value, value_type).map(|part| part.inside(A_VALUE))),
            _ => whole(),
        }
    }

    fn inside(mut self, part: &str) -> Self {
        self.part.push_str(part);
        self.part.push_str(" of ");
        self
    }
}

/// A collection type of the standard library.
enum Collection<'n> {
    Elements(&'n str),
    Entries(&'n str, &'n str),
}

impl<'n> Collection<'n> {
    fn parse(name: &'n str) -> Option<Self> {
        let inside = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if let Some(element) = inside {
            // A type with a length is an array, which fits only a blob; it is checked when a value is bound.
            return (!element.contains(';')).then_some(Self::Elements(element));
        }
        let arguments = |generic: &str| parameters(name, generic).and_then(parts);
        let elements = arguments(type_name::<Vec<()>>())
            .or_else(|| arguments(type_name::<HashSet<()>>()))
            .or_else(|| arguments(type_name::<BTreeSet<()>>()));
        if let Some([element]) = elements.as_deref() {
            return Some(Self::Elements(element));
        }
        let entries = arguments(type_name::<HashMap<(), ()>>()).or_else(|| arguments(type_name::<BTreeMap<(), ()>>()));
        match entries.as_deref() {
            Some([key, value]) => Some(Self::Entries(key, value)),
            _ => None,
        }
    }
}

/// The parameters of a generic type: `i32` for `Vec<i32>`. `generic` is the full name of the type with any parameters.
fn parameters<'n>(name: &'n str, generic: &str) -> Option<&'n str> {
    let (path, _) = generic.split_once('<')?;
    name.strip_prefix(path)?.strip_prefix('<')?.strip_suffix('>')
}

/// Removes references and `Option`, which do not change the CQL type.
fn unwrapped(name: &str) -> &str {
    let mut name = name.trim_start_matches('&');
    while let Some(inside) = parameters(name, type_name::<Option<()>>()) {
        name = inside.trim_start_matches('&');
    }
    name
}

/// The CQL types that the driver accepts for a Rust type; `None` if they are not known.
fn accepted_types(name: &str) -> Option<&'static [NativeType]> {
    let is_text = parameters(name, type_name::<AsText<()>>()).is_some();
    #[cfg(feature = "serde-1")]
    let is_text = is_text || parameters(name, type_name::<crate::value::Json<()>>()).is_some();
    if is_text {
        return Some(&[NativeType::Ascii, NativeType::Text]);
    }
    ACCEPTED_TYPES.iter().find(|(known, _)| known() == name).map(|(_, fits)| *fits)
}

type AcceptedTypes = (fn() -> &'static str, &'static [NativeType]);

static ACCEPTED_TYPES: &[AcceptedTypes] = &[
    (type_name::<bool>, &[NativeType::Boolean]),
    (type_name::<i8>, &[NativeType::TinyInt]),
    (type_name::<i16>, &[NativeType::SmallInt]),
    (type_name::<i32>, &[NativeType::Int]),
    (type_name::<i64>, &[NativeType::BigInt]),
    (type_name::<f32>, &[NativeType::Float]),
    (type_name::<f64>, &[NativeType::Double]),
    (type_name::<str>, &[NativeType::Ascii, NativeType::Text]),
    (type_name::<String>, &[NativeType::Ascii, NativeType::Text]),
    (type_name::<[u8]>, &[NativeType::Blob]),
    (type_name::<Vec<u8>>, &[NativeType::Blob]),
    (type_name::<IpAddr>, &[NativeType::Inet]),
    (type_name::<Uuid>, &[NativeType::Uuid]),
    (type_name::<CqlTimeuuid>, &[NativeType::Timeuuid]),
    (type_name::<Counter>, &[NativeType::Counter]),
    (type_name::<DateTime<Utc>>, &[NativeType::Timestamp]),
    (type_name::<CqlTimestamp>, &[NativeType::Timestamp]),
    (type_name::<NaiveDate>, &[NativeType::Date]),
    (type_name::<CqlDate>, &[NativeType::Date]),
    (type_name::<NaiveTime>, &[NativeType::Time]),
    (type_name::<CqlTime>, &[NativeType::Time]),
    (type_name::<CqlDuration>, &[NativeType::Duration]),
    (type_name::<CqlVarint>, &[NativeType::Varint]),
    (type_name::<CqlDecimal>, &[NativeType::Decimal]),
];

#[cfg(test)]
mod tests {
    use scylla::frame::response::result::TableSpec;
    use scylla::serialize::row::{RowSerializationContext, SerializeRow};
    use scylla::serialize::writers::RowWriter;

    use super::super::mismatch::explain_values;
    use super::*;

    const NATIVE: [NativeType; 20] = [
        NativeType::Ascii,
        NativeType::Boolean,
        NativeType::Blob,
        NativeType::Counter,
        NativeType::Date,
        NativeType::Decimal,
        NativeType::Double,
        NativeType::Duration,
        NativeType::Float,
        NativeType::Int,
        NativeType::BigInt,
        NativeType::Text,
        NativeType::Timestamp,
        NativeType::Inet,
        NativeType::SmallInt,
        NativeType::TinyInt,
        NativeType::Time,
        NativeType::Timeuuid,
        NativeType::Uuid,
        NativeType::Varint,
    ];

    fn column(typ: ColumnType<'static>) -> ColumnSpec<'static> {
        ColumnSpec::borrowed("c", typ, TableSpec::borrowed("shop", "names"))
    }

    /// Binds a value to each native type, and compares the result with what the type's name predicts.
    fn compare<T>(value: T)
    where
        (T,): SerializeRow,
    {
        let name = unwrapped(type_name::<T>());
        assert!(accepted_types(name).is_some() || Collection::parse(name).is_some(), "{name} is not known");
        let row = (value,);
        let natives = NATIVE.map(ColumnType::Native);
        let collections = natives.clone().into_iter().flat_map(|element| {
            let map = |key: &ColumnType<'static>, value: &ColumnType<'static>| {
                CollectionType::Map(Box::new(key.clone()), Box::new(value.clone()))
            };
            let text = ColumnType::Native(NativeType::Text);
            let list = CollectionType::List(Box::new(element.clone()));
            let lists = CollectionType::List(Box::new(ColumnType::Collection { frozen: true, typ: list.clone() }));
            let set = CollectionType::Set(Box::new(element.clone()));
            [list, lists, set, map(&element, &text), map(&text, &element)]
                .map(|typ| ColumnType::Collection { frozen: false, typ })
        });
        for element in natives.iter().cloned().chain(collections) {
            let markers = [column(element.clone())];
            let context = RowSerializationContext::from_specs(&markers);
            let binds = row.serialize(&context, &mut RowWriter::new(&mut Vec::new()));
            let predicted = mismatch(type_name::<(T,)>(), &markers, &[], None).map(|never_fits| never_fits.problem);
            let bound = binds.err().map(|error| explain_values(&error).into_owned());
            assert_eq!(predicted, bound, "{} for {element:?}", type_name::<T>());
        }
    }

    #[test]
    fn type_name_predicts_the_result_of_binding_a_value() {
        compare(true);
        compare(1_i8);
        compare(1_i16);
        compare(1_i32);
        compare(1_i64);
        compare(1_f32);
        compare(1_f64);
        compare("a");
        compare("a".to_owned());
        compare(Some("a"));
        compare(&Some(7_i32));
        compare([1_u8].as_slice());
        compare(vec![1_u8]);
        compare(IpAddr::from([127, 0, 0, 1]));
        compare(Uuid::nil());
        compare(CqlTimeuuid::from(Uuid::nil()));
        compare(Counter(1));
        compare(DateTime::<Utc>::UNIX_EPOCH);
        compare(CqlTimestamp(0));
        compare(NaiveDate::default());
        compare(CqlDate(0));
        compare(NaiveTime::default());
        compare(CqlTime(0));
        compare(CqlDuration { months: 0, days: 0, nanoseconds: 0 });
        compare(CqlVarint::from_signed_bytes_be(vec![1]));
        compare(CqlDecimal::from_signed_be_bytes_and_exponent(vec![1], 0));
        compare(AsText(7));
        #[cfg(feature = "serde-1")]
        compare(crate::value::Json(7));
        compare(vec![Uuid::nil()]);
        compare(Some(vec![Some(1_i32)]));
        compare(vec![vec![1_u8]]);
        compare(vec![vec!["a"]]);
        compare(["a"].as_slice());
        compare(HashSet::from([1_i64]));
        compare(BTreeSet::from([1_i64]));
        compare(HashMap::from([(1_i64, "a")]));
        compare(BTreeMap::from([("a", 2.5_f64)]));
    }

    #[test]
    fn early_type_mismatch_has_the_text_of_the_binding_error() {
        let markers = [NativeType::Int, NativeType::Text].map(|native| column(ColumnType::Native(native)));
        let problem = |mismatch: Option<TypeMismatch>| mismatch.map(|mismatch| mismatch.problem);
        assert_eq!(mismatch(type_name::<(i32, Option<&str>)>(), &markers, &[], None), None);
        assert_eq!(
            problem(mismatch(type_name::<(i32, Option<f64>)>(), &markers, &[], None)).as_deref(),
            Some("the bind marker for c is text, Option<f64> cannot be bound to it")
        );
        assert_eq!(
            problem(mismatch(type_name::<(i32,)>(), &markers, &[], None)).as_deref(),
            Some("(i32,) has 1 value, the statement has 2 bind markers")
        );
        assert_eq!(
            problem(mismatch(type_name::<()>(), &markers, &[], None)).as_deref(),
            Some("() has 0 values, the statement has 2 bind markers")
        );
        // The names of these types do not show their values; they are checked when a value is bound.
        struct Own;
        assert_eq!(mismatch(type_name::<(Own, [Own; 2])>(), &markers, &[], None), None);
        assert_eq!(mismatch(type_name::<Own>(), &markers, &[], None), None);
        assert_eq!(mismatch(type_name::<Vec<i32>>(), &markers, &[], None), None);
    }

    #[test]
    fn values_for_option_bind_markers_may_be_omitted() {
        let markers =
            [NativeType::Int, NativeType::Int, NativeType::Text].map(|native| column(ColumnType::Native(native)));
        assert_eq!(mismatch(type_name::<(i32, &str)>(), &markers, &[0], None), None);
        assert_eq!(mismatch(type_name::<(i32, i32, &str)>(), &markers, &[0], None), None);
        assert!(mismatch(type_name::<(&str, &str)>(), &markers, &[0], None).is_some());
        assert!(mismatch(type_name::<(&str,)>(), &markers, &[0], None).is_some());
    }
}
