//! The values in a statement, whether they stand in its text or were bound to its markers.

use keyspaces_cql::statement::{Constant, ConstantKind, Term, TermKind};
use keyspaces_cql::{Name, Span, Statement};

use super::request::Parameters;
use super::values::Values;
use crate::history::Binding;

/// A statement's bind markers, and what was bound to them.
#[derive(Debug)]
pub(super) struct Bound<'a> {
    markers: Vec<(Span, Option<&'a Name>)>,
    values: &'a Values<'a>,
}

impl<'a> Bound<'a> {
    pub(super) fn new(statement: &'a Statement, values: &'a Values<'a>) -> Self {
        let markers = statement.bind_markers().into_iter();
        Self { markers: markers.map(|marker| (marker.span, marker.name.as_ref())).collect(), values }
    }

    /// Which markers there are in a part of the text.
    pub(super) fn markers_in(&self, span: Span) -> impl Iterator<Item = usize> {
        let within = move |marker: Span| marker.start >= span.start && marker.end <= span.end;
        self.markers.iter().enumerate().filter(move |(_, (marker, _))| within(*marker)).map(|(index, _)| index)
    }

    /// What a request of the gateway's own brings for these markers.
    pub(super) fn parameters(&self, markers: impl Iterator<Item = usize>) -> Parameters {
        self.values.parameters(&markers.collect::<Vec<_>>())
    }

    /// The values of these markers, in this order.
    pub(super) fn binding(&self, markers: impl Iterator<Item = usize>) -> Binding {
        self.values.binding(&markers.collect::<Vec<_>>())
    }

    /// What was bound to a term, if it is a marker. `column` is what Cassandra calls a marker without a name.
    pub(super) fn bytes(&self, term: &Term, column: &str) -> Option<&'a [u8]> {
        let (index, name) = self.marker(term, column)?;
        self.values.of(index, name)
    }

    /// Whether null was bound to a term.
    pub(super) fn is_null(&self, term: &Term, column: &str) -> bool {
        self.marker(term, column).is_some_and(|(index, name)| self.values.is_null(index, name))
    }

    /// Which marker a term is, and under which name a value for it may come.
    pub(super) fn marker<'n>(&self, term: &Term, column: &'n str) -> Option<(usize, &'n str)>
    where
        'a: 'n,
    {
        let (index, (_, name)) = self.markers.iter().enumerate().find(|(_, (span, _))| *span == term.span)?;
        Some((index, name.map_or(column, |name| &name.text)))
    }

    /// How many bytes a value has, as far as text and bound values tell; 0 where they do not.
    pub(super) fn size(&self, term: &Term, column: &str) -> usize {
        let sum = |terms: &[Term]| terms.iter().map(|term| self.size(term, column)).sum();
        match &term.kind {
            TermKind::Marker(_) => self.bytes(term, column).map_or(0, <[u8]>::len),
            TermKind::Constant(constant) => size_of(constant),
            TermKind::List(terms) | TermKind::Set(terms) | TermKind::Tuple(terms) => sum(terms),
            TermKind::Map(pairs) => {
                pairs.iter().map(|(key, value)| self.size(key, column) + self.size(value, column)).sum()
            }
            TermKind::UserType(fields) => fields.iter().map(|(_, value)| self.size(value, column)).sum(),
            TermKind::TypeHint(hint) => self.size(&hint.term, column),
            _ => 0,
        }
    }

    /// The number that an `int` is.
    pub(super) fn int(&self, term: &Term, column: &str) -> Option<i32> {
        match &term.kind {
            TermKind::Constant(constant) => constant.text.parse().ok(),
            _ => self.bytes(term, column)?.try_into().ok().map(i32::from_be_bytes),
        }
    }

    /// The number that a `bigint` is.
    pub(super) fn long(&self, term: &Term, column: &str) -> Option<i64> {
        match &term.kind {
            TermKind::Constant(constant) => constant.text.parse().ok(),
            _ => self.bytes(term, column)?.try_into().ok().map(i64::from_be_bytes),
        }
    }

    /// A value of a column of this type as it would be bound, as far as that can be told.
    pub(super) fn encoded(&self, term: &Term, column: &str, cql_type: &str) -> Option<Vec<u8>> {
        match &term.kind {
            TermKind::Marker(_) => self.bytes(term, column).map(<[u8]>::to_vec),
            TermKind::Constant(constant) => encoded(constant, cql_type),
            TermKind::TypeHint(hint) => self.encoded(&hint.term, column, cql_type),
            _ => None,
        }
    }
}

fn size_of(constant: &Constant) -> usize {
    match constant.kind {
        ConstantKind::String => constant.text.len(),
        ConstantKind::Blob => constant.text.len().saturating_sub(2) / 2,
        ConstantKind::Uuid => 16,
        ConstantKind::Boolean => 1,
        ConstantKind::Integer | ConstantKind::Float | ConstantKind::Duration => constant.text.len().min(8),
    }
}

/// A literal as it would be bound.
pub(super) fn encoded(constant: &Constant, cql_type: &str) -> Option<Vec<u8>> {
    let text = constant.text.as_str();
    Some(match (constant.kind, cql_type) {
        (ConstantKind::String, "text" | "ascii" | "varchar") => text.as_bytes().to_vec(),
        (ConstantKind::Integer, "tinyint") => text.parse::<i8>().ok()?.to_be_bytes().to_vec(),
        (ConstantKind::Integer, "smallint") => text.parse::<i16>().ok()?.to_be_bytes().to_vec(),
        (ConstantKind::Integer, "int") => text.parse::<i32>().ok()?.to_be_bytes().to_vec(),
        (ConstantKind::Integer, "bigint" | "timestamp") => text.parse::<i64>().ok()?.to_be_bytes().to_vec(),
        (ConstantKind::Boolean, "boolean") => vec![u8::from(text.eq_ignore_ascii_case("true"))],
        (ConstantKind::Uuid, "uuid" | "timeuuid") => hex::decode(text.replace('-', "")).ok()?,
        (ConstantKind::Blob, "blob") => hex::decode(text.get(2..)?).ok()?,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use bytes::{BufMut, BytesMut};
    use keyspaces_cql::statement::InsertContent;

    use super::super::notation::Notation;
    use super::*;

    /// Sizes and encodings of the values of an INSERT, all columns of this type.
    fn values(text: &str, cql_type: &str, bound: &[&[u8]]) -> Vec<(usize, Option<Vec<u8>>)> {
        let statement = keyspaces_cql::parse(text).unwrap();
        let mut body = BytesMut::new();
        body.put_u16(bound.len() as u16);
        bound.iter().for_each(|value| body.bytes(Some(value)));
        let values = Values::read(&body, false);
        let bound = Bound::new(&statement, &values);
        let Statement::Insert(insert) = &statement else { panic!() };
        let InsertContent::Values { columns, values } = &insert.content else { panic!() };
        let all = columns.iter().zip(values);
        all.map(|(column, term)| (bound.size(term, &column.text), bound.encoded(term, &column.text, cql_type)))
            .collect()
    }

    #[test]
    fn a_literal_is_what_would_have_been_bound() {
        for (literal, cql_type, bytes) in [
            ("'ä'''", "text", "ä'".as_bytes().to_vec()),
            ("-2", "int", vec![0xff, 0xff, 0xff, 0xfe]),
            ("1", "bigint", vec![0, 0, 0, 0, 0, 0, 0, 1]),
            ("TRUE", "boolean", vec![1]),
            ("0xCAFE", "blob", vec![0xca, 0xfe]),
            ("00000000-0000-0001-0000-000000000002", "uuid", vec![0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2]),
        ] {
            let text = format!("INSERT INTO t (a, b) VALUES ({literal}, ?)");
            let [(_, of_literal), (_, of_marker)] = &values(&text, cql_type, &[&bytes])[..] else { panic!() };
            assert_eq!((of_literal, of_marker), (&Some(bytes.clone()), &Some(bytes)), "{literal}");
        }
        assert_eq!(values("INSERT INTO t (a) VALUES ('2026-01-01')", "date", &[])[0].1, None);
    }

    #[test]
    fn sizes_are_those_of_the_values() {
        let text = "INSERT INTO t (a, b, c, d, e) VALUES ('ää', 0xcafe, [?, 'x'], {'a': ?}, now())";
        let sizes: Vec<_> = values(text, "text", &[b"12345", b"1"]).into_iter().map(|(size, _)| size).collect();
        assert_eq!(sizes, [4, 2, 6, 2, 0]);
    }
}
