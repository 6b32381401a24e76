//! The values in a statement, whether they stand in its text or were bound to its markers.

use keyspaces_cql::statement::{Term, TermKind};
use keyspaces_cql::{Name, Span, Statement};

use crate::protocol::request::Parameters;
use crate::protocol::{Binding, Values};

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

    /// Whether a term is a marker for which no value came, or one that is "not set".
    pub(super) fn is_unset(&self, term: &Term, column: &str) -> bool {
        let marker = self.marker(term, column);
        marker.is_some_and(|(index, name)| self.values.of(index, name).is_none() && !self.values.is_null(index, name))
    }

    /// Whether as many values came as there are markers. Values by name may be more.
    pub(super) fn is_complete(&self) -> bool {
        self.values.is_named() || self.values.len() == self.markers.len()
    }

    /// Which marker a term is, and under which name a value for it may come.
    pub(super) fn marker<'n>(&self, term: &Term, column: &'n str) -> Option<(usize, &'n str)>
    where
        'a: 'n,
    {
        let (index, (_, name)) = self.markers.iter().enumerate().find(|(_, (span, _))| *span == term.span)?;
        Some((index, name.map_or(column, |name| &name.text)))
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
}
