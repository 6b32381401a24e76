//! The values of a request for the bind markers of its statement.

use bytes::{BufMut, Bytes, BytesMut};

use super::{Malformed, Reader, Writer};
use crate::saturated::saturated;

/// Values in the order of the request, by name or by position.
#[derive(Clone, Debug, Default)]
pub(crate) struct Values<'a> {
    named: bool,
    /// The values as the client sent them, preceded by their number.
    body: &'a [u8],
    all: Vec<ReceivedValue<'a>>,
}

#[derive(Clone, Copy, Debug)]
struct ReceivedValue<'a> {
    name: &'a str,
    /// `None` for null, and for "not set" as well.
    bytes: Option<&'a [u8]>,
    /// The value after its length.
    raw: &'a [u8],
}

impl<'a> Values<'a> {
    /// Reads values that are preceded by their number. Values of a request were validated when the request was read.
    pub(crate) fn read(body: &'a [u8], named: bool) -> Self {
        let read = || -> Result<Vec<ReceivedValue<'a>>, Malformed> {
            let mut reader = Reader::new(body);
            if body.is_empty() {
                return Ok(Vec::new());
            }
            (0..reader.short()?)
                .map(|_| {
                    let name = if named { reader.string()? } else { "" };
                    let start = reader.rest();
                    let bytes = reader.bytes()?;
                    Ok(ReceivedValue { name, bytes, raw: reader.since(start) })
                })
                .collect()
        };
        Self { named, body, all: read().unwrap_or_default() }
    }

    pub(crate) fn is_named(&self) -> bool {
        self.named
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// The value of a bind marker, by its position or by its name.
    pub(crate) fn get(&self, marker: usize, name: &str) -> Option<&'a [u8]> {
        self.value(marker, name)?.bytes
    }

    /// Whether the value of the marker is null; "not set" is not null.
    pub(crate) fn is_null(&self, marker: usize, name: &str) -> bool {
        self.value(marker, name).is_some_and(|value| value.raw == (-1_i32).to_be_bytes())
    }

    /// Whether the client leaves the marker unset.
    pub(crate) fn is_unset(&self, marker: usize, name: &str) -> bool {
        self.value(marker, name).is_some_and(|value| value.raw == (-2_i32).to_be_bytes())
    }

    fn value(&self, marker: usize, name: &str) -> Option<&ReceivedValue<'a>> {
        match self.named {
            true => self.all.iter().find(|value| value.name == name),
            false => self.all.get(marker),
        }
    }

    /// The values of some markers, by their positions. Named values are all kept, since Cassandra picks the ones that
    /// it needs.
    pub(crate) fn binding(&self, markers: &[usize]) -> Binding {
        let values = match (self.named, markers) {
            (true, _) => Bytes::copy_from_slice(self.body),
            (false, []) => Bytes::new(),
            (false, markers) => self.select(markers),
        };
        Binding { values, named: self.named }
    }

    fn select(&self, markers: &[usize]) -> Bytes {
        let values: Vec<_> = markers.iter().filter_map(|marker| self.all.get(*marker)).collect();
        let mut out = BytesMut::new();
        out.put_u16(saturated::<u16>(values.len()));
        values.iter().for_each(|value| out.put_slice(value.raw));
        out.freeze()
    }
}

/// Values for the bind markers of a statement.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Binding {
    /// The values, preceded by their number; empty if there are none.
    pub(crate) values: Bytes,
    pub(crate) named: bool,
}

impl Binding {
    /// One value for each marker, in order.
    pub(crate) fn positional<'a>(values: impl IntoIterator<Item = Option<&'a [u8]>>) -> Self {
        let mut out = BytesMut::new();
        let mut count = 0;
        out.put_u16(0);
        for value in values {
            out.bytes(value);
            count += 1;
        }
        out[..2].copy_from_slice(&u16::to_be_bytes(count));
        Self { values: if count == 0 { Bytes::new() } else { out.freeze() }, named: false }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Writer;
    use super::*;

    #[test]
    fn a_value_is_found_by_its_position_or_its_name() {
        let (mut placed, mut named) = (BytesMut::new(), BytesMut::new());
        placed.put_u16(3);
        named.put_u16(3);
        for (name, value) in [("a", Some(&b"1"[..])), ("b", None), ("c", Some(b"333"))] {
            placed.bytes(value);
            named.string(name);
            named.bytes(value);
        }
        let values = Values::read(&placed, false);
        assert_eq!((values.get(0, "c"), values.get(1, ""), values.get(3, "a")), (Some(&b"1"[..]), None, None));
        assert_eq!([0, 1, 2, 3].map(|marker| values.is_null(marker, "b")), [false, true, false, false]);
        let unset = [0, 1, 0xff, 0xff, 0xff, 0xfe];
        assert!(!Values::read(&unset, false).is_null(0, ""));
        let some = values.select(&[2, 1]);
        assert_eq!(some[..], [0, 2, 0, 0, 0, 3, b'3', b'3', b'3', 0xff, 0xff, 0xff, 0xff]);
        let values = Values::read(&named, true);
        assert_eq!((values.get(0, "c"), values.get(0, "b")), (Some(&b"333"[..]), None));
    }
}
