//! What the name of a type tells of the values that it binds, before there is any value: how many they are, and which of them
//! never fit.
//!
//! The driver's traits check a value when it is bound. A tuple of the usual types says as much by its name, so a mistake shows
//! when the statement is prepared. A type whose name says nothing, such as a struct, is checked when it is bound.

use std::any::type_name;
use std::net::IpAddr;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use scylla::frame::response::result::{ColumnSpec, ColumnType, NativeType};
use scylla::value::{Counter, CqlDate, CqlDecimal, CqlDuration, CqlTime, CqlTimestamp, CqlTimeuuid, CqlVarint};
use uuid::Uuid;

use super::mismatch::{advice_on_bound_type, bound_count, bound_type};

/// Why no value of a type can be bound, and what to do about it.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct NeverFits {
    pub(super) problem: String,
    pub(super) advice: Option<&'static str>,
}

/// Why no value of type `V` fits these bind markers, of which those at `optional` may be left out by the values; `None` if one
/// may fit.
pub(super) fn mismatch<V>(markers: &[ColumnSpec<'_>], optional: &[usize]) -> Option<NeverFits> {
    let values = parts_of_tuple(type_name::<V>())?;
    let (most, least) = (markers.len(), markers.len() - optional.len());
    if !(least..=most).contains(&values.len()) {
        return Some(NeverFits { problem: bound_count(type_name::<V>(), values.len(), most), advice: None });
    }
    let bound: Vec<_> = match values.len() {
        all if all == most => markers.iter().collect(),
        some if some == least => {
            let is_given = |(index, _): &(usize, _)| !optional.contains(index);
            markers.iter().enumerate().filter(is_given).map(|(_, marker)| marker).collect()
        }
        _ => return None,
    };
    let wrong = bound.into_iter().zip(values).find(|(marker, value)| never_fits(value, marker.typ()));
    wrong.map(|(marker, value)| NeverFits {
        problem: bound_type(marker.name(), marker.typ(), value),
        advice: advice_on_bound_type(marker.typ(), value),
    })
}

/// `i32` and `&str` of `(i32, &str)`.
fn parts_of_tuple(name: &str) -> Option<Vec<&str>> {
    let inside = name.strip_prefix('(')?.strip_suffix(')')?;
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
    // A tuple of one ends in a comma.
    parts.retain(|part| !part.is_empty());
    Some(parts)
}

/// Whether a type is known, and known not to fit.
fn never_fits(value: &str, column: &ColumnType<'_>) -> bool {
    let known = fitting(bare(value));
    match column {
        ColumnType::Native(native) => known.is_some_and(|fits| !fits.contains(native)),
        _ => known.is_some(),
    }
}

/// Without what changes nothing about the CQL type: references and `Option`.
fn bare(name: &str) -> &str {
    let option = type_name::<Option<()>>().strip_suffix("()>").unwrap_or_default();
    let mut name = name.trim_start_matches('&');
    while let Some(inside) = name.strip_prefix(option).and_then(|rest| rest.strip_suffix('>')) {
        name = inside.trim_start_matches('&');
    }
    name
}

/// The CQL types that the driver takes values of a type for; `None` if that is not known.
fn fitting(name: &str) -> Option<&'static [NativeType]> {
    KNOWN.iter().find(|(known, _)| known() == name).map(|(_, fits)| *fits)
}

type Known = (fn() -> &'static str, &'static [NativeType]);

static KNOWN: &[Known] = &[
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

    /// Binds a value to each native type, and compares with what its type's name tells.
    fn compare<T>(value: T)
    where
        (T,): SerializeRow,
    {
        assert!(fitting(bare(type_name::<T>())).is_some(), "{} is not known", type_name::<T>());
        let row = (value,);
        for native in NATIVE {
            let markers = [column(ColumnType::Native(native.clone()))];
            let context = RowSerializationContext::from_specs(&markers);
            let binds = row.serialize(&context, &mut RowWriter::new(&mut Vec::new()));
            let told = mismatch::<(T,)>(&markers, &[]);
            assert_eq!(binds.is_ok(), told.is_none(), "{} for {native:?}", type_name::<T>());
        }
    }

    #[test]
    fn the_name_of_a_type_tells_what_binding_a_value_of_it_does() {
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
    }

    #[test]
    fn what_never_fits_is_told_as_it_would_be_when_it_is_bound() {
        let markers = [NativeType::Int, NativeType::Text].map(|native| column(ColumnType::Native(native)));
        let problem = |never_fits: Option<NeverFits>| never_fits.map(|it| it.problem);
        assert_eq!(mismatch::<(i32, Option<&str>)>(&markers, &[]), None);
        assert_eq!(
            problem(mismatch::<(i32, Option<f64>)>(&markers, &[])).as_deref(),
            Some("the bind marker for c is text, Option<f64> cannot be bound to it")
        );
        assert_eq!(
            problem(mismatch::<(i32,)>(&markers, &[])).as_deref(),
            Some("(i32,) has 1 values, the statement has 2 bind markers")
        );
        assert_eq!(
            problem(mismatch::<()>(&markers, &[])).as_deref(),
            Some("() has 0 values, the statement has 2 bind markers")
        );
        // Of these nothing is known before there is a value.
        struct Own;
        assert_eq!(mismatch::<(Own, Vec<(i32, String)>)>(&markers, &[]), None);
        assert_eq!(mismatch::<Own>(&markers, &[]), None);
        assert_eq!(mismatch::<Vec<i32>>(&markers, &[]), None);
    }

    #[test]
    fn markers_that_an_option_may_bind_can_be_left_out() {
        let markers =
            [NativeType::Int, NativeType::Int, NativeType::Text].map(|native| column(ColumnType::Native(native)));
        assert_eq!(mismatch::<(i32, &str)>(&markers, &[0]), None);
        assert_eq!(mismatch::<(i32, i32, &str)>(&markers, &[0]), None);
        assert!(mismatch::<(&str, &str)>(&markers, &[0]).is_some());
        assert!(mismatch::<(&str,)>(&markers, &[0]).is_some());
    }
}
