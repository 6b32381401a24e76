//! Statements whose values are sent as literals or bound.

use bytes::{BufMut, Bytes, BytesMut};
use proptest::prelude::*;

use super::super::client::LOCAL_QUORUM;
use super::value::CqlValue;
use crate::protocol::Writer;

/// The placeholder for the table in a [`CqlText`], whose name differs between the gateway and Cassandra.
pub(super) const TABLE: &str = "\u{1}";

/// A statement as pieces of CQL with values between them.
#[derive(Clone, Debug, Default)]
pub(super) struct CqlText(Vec<CqlPiece>);

#[derive(Clone, Debug)]
enum CqlPiece {
    Cql(String),
    Value(CqlValue),
}

/// How values are sent.
#[derive(Clone, Copy, Debug)]
pub(super) enum BindingStyle {
    /// As literals; unset values have no literal and are bound by position.
    Literals,
    /// Values whose bit is set are bound by position, the others are literals.
    Positional(u32),
    /// Bound by name; equal values have the same name. Drivers bind the values of prepared statements by position.
    Named { by_position: bool },
}

/// How a request is sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct SendOptions {
    pub(super) binding_style: BindingStyle,
    pub(super) prepared: bool,
    pub(super) skip_metadata: bool,
    pub(super) timestamp: bool,
    pub(super) serial: bool,
    pub(super) tracing: bool,
    pub(super) payload: bool,
}

pub(super) fn send_options() -> impl Strategy<Value = SendOptions> {
    let binding_style = prop_oneof![
        Just(BindingStyle::Literals),
        Just(BindingStyle::Positional(u32::MAX)),
        any::<u32>().prop_map(BindingStyle::Positional),
        any::<bool>().prop_map(|by_position| BindingStyle::Named { by_position }),
    ];
    let rarely = || prop::bool::weighted(0.1);
    (binding_style, any::<bool>(), rarely(), rarely(), rarely(), rarely(), rarely()).prop_map(
        |(binding_style, prepared, skip_metadata, timestamp, serial, tracing, payload)| SendOptions {
            binding_style,
            prepared,
            skip_metadata,
            timestamp,
            serial,
            tracing,
            payload,
        },
    )
}

impl CqlText {
    pub(super) fn new(cql: impl Into<String>) -> Self {
        Self(vec![CqlPiece::Cql(cql.into())])
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn cql(mut self, cql: impl Into<String>) -> Self {
        self.0.push(CqlPiece::Cql(cql.into()));
        self
    }

    pub(super) fn value(mut self, value: CqlValue) -> Self {
        self.0.push(CqlPiece::Value(value));
        self
    }

    pub(super) fn then(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Joins texts with a separator.
    pub(super) fn joined(texts: impl IntoIterator<Item = Self>, between: &str) -> Self {
        texts.into_iter().reduce(|all, next| all.cql(between).then(next)).unwrap_or_default()
    }

    /// The text with all values as literals, except unset ones.
    pub(super) fn literal(&self, table: &str) -> String {
        self.written(table, BindingStyle::Literals).0
    }

    /// The text with bind markers, and their values, preceded by their number.
    pub(super) fn written(&self, table: &str, binding_style: BindingStyle) -> (String, Bytes) {
        let (mut text, mut values, mut bound) = (String::new(), BytesMut::new(), 0_u16);
        let mut before: Vec<&CqlValue> = Vec::new();
        for piece in &self.0 {
            let value = match piece {
                CqlPiece::Cql(cql) => {
                    text.push_str(&cql.replace(TABLE, table));
                    continue;
                }
                CqlPiece::Value(value) => value,
            };
            let first = before.iter().position(|earlier| *earlier == value);
            let number = before.len();
            before.push(value);
            match binding_style {
                BindingStyle::Positional(mask) if mask >> (number % 32) & 1 == 1 => text.push('?'),
                BindingStyle::Literals | BindingStyle::Positional(_) if *value == CqlValue::Unset => text.push('?'),
                BindingStyle::Literals | BindingStyle::Positional(_) => {
                    text.push_str(&value.literal());
                    continue;
                }
                BindingStyle::Named { by_position } => {
                    let name = format!("v{}", first.unwrap_or(number));
                    text.push_str(&format!(":{name}"));
                    match (by_position, first) {
                        (true, _) => {}
                        (false, None) => values.string(&name),
                        (false, Some(_)) => continue,
                    }
                }
            }
            value.write(&mut values);
            bound += 1;
        }
        let mut out = BytesMut::with_capacity(values.len() + 2);
        if bound > 0 {
            out.put_u16(bound);
            out.put_slice(&values);
        }
        (text, out.freeze())
    }
}

impl SendOptions {
    /// The part of a QUERY or EXECUTE after the text or the id.
    pub(super) fn parameters(&self, values: &[u8], page: Option<i32>, state: Option<&[u8]>, now: i64) -> BytesMut {
        let bit = |set: bool, flag: u8| if set { flag } else { 0 };
        let mut out = BytesMut::new();
        out.put_u16(LOCAL_QUORUM);
        out.put_u8(
            bit(!values.is_empty(), 0x01)
                | bit(self.skip_metadata, 0x02)
                | bit(page.is_some(), 0x04)
                | bit(state.is_some(), 0x08)
                | bit(self.serial, 0x10)
                | bit(self.timestamp, 0x20)
                | bit(
                    !values.is_empty() && matches!(self.binding_style, BindingStyle::Named { by_position: false }),
                    0x40,
                ),
        );
        out.put_slice(values);
        if let Some(page) = page {
            out.put_i32(page);
        }
        if let Some(state) = state {
            out.bytes(Some(state));
        }
        if self.serial {
            out.put_u16(9);
        }
        if self.timestamp {
            out.put_i64(now);
        }
        out
    }

    /// The flags of the frame, and the bytes that they add before its body.
    pub(super) fn extras(&self) -> (u8, BytesMut) {
        let mut before = BytesMut::new();
        if self.payload {
            before.put_u16(1);
            before.string("key");
            before.bytes(Some(b"value"));
        }
        (if self.tracing { 0x02 } else { 0 } | if self.payload { 0x04 } else { 0 }, before)
    }
}
