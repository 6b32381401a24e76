//! The values of a statement, in its text or bound to its markers.

use keyspaces_cql::statement::{Term, TermKind};
use keyspaces_cql::{Name, Span, Statement};

use crate::protocol::request::Parameters;
use crate::protocol::{Binding, Values};

/// The bind markers of a statement, and the values bound to them.
#[derive(Debug)]
pub(crate) struct BoundMarkers<'a> {
    markers: Vec<(Span, Option<&'a Name>)>,
    values: &'a Values<'a>,
}

impl<'a> BoundMarkers<'a> {
    pub(crate) fn new(statement: &'a Statement, values: &'a Values<'a>) -> Self {
        let markers = statement.bind_markers().into_iter();
        Self { markers: markers.map(|marker| (marker.span, marker.name.as_ref())).collect(), values }
    }

    /// The markers in a part of the text.
    pub(crate) fn markers_in(&self, span: Span) -> impl Iterator<Item = usize> {
        let within = move |marker: Span| marker.start >= span.start && marker.end <= span.end;
        self.markers.iter().enumerate().filter(move |(_, (marker, _))| within(*marker)).map(|(index, _)| index)
    }

    /// The parameters of an internal request with these markers.
    pub(crate) fn parameters(&self, markers: impl Iterator<Item = usize>) -> Parameters {
        Parameters::internal(self.binding(markers))
    }

    /// The values of these markers, in this order.
    pub(crate) fn binding(&self, markers: impl Iterator<Item = usize>) -> Binding {
        self.values.binding(&markers.collect::<Vec<_>>())
    }

    /// The value bound to a term, if it is a marker. `column` is Cassandra's name of an anonymous marker.
    pub(crate) fn bytes(&self, term: &Term, column: &str) -> Option<&'a [u8]> {
        let (index, name) = self.marker(term, column)?;
        self.values.get(index, name)
    }

    /// Whether null was bound to a term.
    pub(crate) fn is_null(&self, term: &Term, column: &str) -> bool {
        self.marker(term, column).is_some_and(|(index, name)| self.values.is_null(index, name))
    }

    /// Whether a term is a marker without a value, or with the value "not set".
    pub(crate) fn is_unset(&self, term: &Term, column: &str) -> bool {
        let marker = self.marker(term, column);
        marker.is_some_and(|(index, name)| self.values.get(index, name).is_none() && !self.values.is_null(index, name))
    }

    /// Whether there is a value for each marker. There may be more values by name.
    pub(crate) fn is_complete(&self) -> bool {
        self.values.is_named() || self.values.len() == self.markers.len()
    }

    /// The index of the marker that a term is, and the name under which its value may come.
    pub(crate) fn marker<'n>(&self, term: &Term, column: &'n str) -> Option<(usize, &'n str)>
    where
        'a: 'n,
    {
        let (index, (_, name)) = self.markers.iter().enumerate().find(|(_, (span, _))| *span == term.span)?;
        Some((index, name.map_or(column, |name| &name.text)))
    }

    /// The value of an `int`.
    pub(crate) fn int(&self, term: &Term, column: &str) -> Option<i32> {
        match &term.kind {
            TermKind::Constant(constant) => constant.text.parse().ok(),
            _ => self.bytes(term, column)?.try_into().ok().map(i32::from_be_bytes),
        }
    }

    /// The value of a `bigint`.
    pub(crate) fn long(&self, term: &Term, column: &str) -> Option<i64> {
        match &term.kind {
            TermKind::Constant(constant) => constant.text.parse().ok(),
            _ => self.bytes(term, column)?.try_into().ok().map(i64::from_be_bytes),
        }
    }
}
