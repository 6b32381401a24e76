//! Rows of Cassandra's responses: split up, and joined again as one page.

use bytes::{BufMut, Bytes, BytesMut};

use super::metadata::{self, flag, kind};
use super::{Malformed, Reader, Writer};
use crate::saturated::saturated;

/// A RESULT of kind Rows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Rows {
    pub(crate) head: RowsMetadata,
    /// Cassandra's paging state, if there may be more rows.
    pub(crate) state: Option<Bytes>,
    pub(crate) count: usize,
    /// The rows, one after the other.
    pub(crate) content: Bytes,
}

/// The metadata of the columns, which is the same on every page.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct RowsMetadata {
    flags: i32,
    columns: usize,
    /// Table, names and types, as Cassandra sent them.
    specification: Bytes,
}

impl Rows {
    /// Reads the body of a RESULT, if it is rows.
    pub(crate) fn read(body: &Bytes) -> Result<Option<Self>, Malformed> {
        let mut reader = Reader::new(body);
        if reader.int()? != kind::ROWS {
            return Ok(None);
        }
        let (head, state) = RowsMetadata::read(body, &mut reader)?;
        let count = reader.count()?;
        if head.columns == 0 && count > 0 {
            return Err(Malformed);
        }
        let rows = Self { head, state, count, content: body.slice_ref(reader.rest()) };
        // Checks that every row is present.
        let mut rest = Reader::new(&rows.content);
        (0..count).try_for_each(|_| rows.row(&mut rest).map(drop))?;
        Ok(Some(rows))
    }

    /// The size of the largest row in bytes.
    pub(crate) fn largest_row(&self) -> usize {
        self.iter().map(<[u8]>::len).max().unwrap_or(0)
    }

    /// The encoded rows.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut reader = Reader::new(&self.content);
        (0..self.count).map_while(move |_| self.row(&mut reader).ok())
    }

    fn row<'a>(&self, reader: &mut Reader<'a>) -> Result<&'a [u8], Malformed> {
        read_values(reader, self.head.columns)
    }
}

impl RowsMetadata {
    fn read(body: &Bytes, reader: &mut Reader<'_>) -> Result<(Self, Option<Bytes>), Malformed> {
        let mut whole = *reader;
        let flags = reader.int()?;
        let columns = reader.count()?;
        let state = if flags & flag::MORE_PAGES == 0 { None } else { reader.bytes()? };
        metadata::skip(&mut whole)?;
        let specification = &reader.rest()[..reader.rest().len() - whole.rest().len()];
        let head = Self { flags: flags & !flag::MORE_PAGES, columns, specification: body.slice_ref(specification) };
        let state = state.map(|state| body.slice_ref(state));
        reader.take(head.specification.len())?;
        Ok((head, state))
    }

    /// The rows' metadata in a RESULT of kind Prepared.
    pub(crate) fn from_prepared(body: &Bytes) -> Result<Option<Self>, Malformed> {
        let mut reader = Reader::new(body);
        if reader.int()? != kind::PREPARED {
            return Ok(None);
        }
        metadata::skip_to_rows_of_prepared(&mut reader)?;
        Ok(Some(Self::read(body, &mut reader)?.0))
    }

    /// A copy that does not keep the frame's memory alive.
    pub(crate) fn owned(&self) -> Self {
        Self { specification: Bytes::copy_from_slice(&self.specification), ..self.clone() }
    }

    /// The metadata without column specifications, for a client that knows the columns already.
    pub(crate) fn without_columns(self) -> Self {
        Self { flags: flag::NO_METADATA, specification: Bytes::new(), ..self }
    }

    /// The body of a RESULT with `count` rows, up to the first row.
    pub(crate) fn body(&self, count: usize, state: Option<&[u8]>) -> BytesMut {
        let mut body = BytesMut::with_capacity(self.specification.len() + state.map_or(0, <[u8]>::len) + 24);
        body.put_i32(kind::ROWS);
        body.put_i32(self.flags | if state.is_some() { flag::MORE_PAGES } else { 0 });
        body.put_i32(saturated::<i32>(self.columns));
        if let Some(state) = state {
            body.bytes(Some(state));
        }
        body.put_slice(&self.specification);
        body.put_i32(saturated::<i32>(count));
        body
    }
}

/// Reads the next values, and returns their encoded bytes.
pub(crate) fn read_values<'a>(reader: &mut Reader<'a>, values: usize) -> Result<&'a [u8], Malformed> {
    let start = reader.rest();
    (0..values).try_for_each(|_| reader.bytes().map(drop))?;
    Ok(reader.since(start))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn body(state: Option<&[u8]>) -> Bytes {
        let mut body = BytesMut::new();
        body.put_i32(kind::ROWS);
        body.put_i32(0x01 | if state.is_some() { flag::MORE_PAGES } else { 0 });
        body.put_i32(2);
        if let Some(state) = state {
            body.bytes(Some(state));
        }
        ["ks", "t", "a"].iter().for_each(|text| body.string(text));
        body.put_u16(9);
        body.string("b");
        body.put_u16(13);
        body.put_i32(2);
        for (a, b) in [(1, Some(&b"x"[..])), (2, None)] {
            body.bytes(Some(&[a]));
            body.bytes(b);
        }
        body.freeze()
    }

    #[test]
    fn split_values_are_joined_unchanged() {
        let rows = Rows::read(&body(Some(b"cassandra's"))).unwrap().unwrap();
        assert_eq!((rows.count, rows.largest_row(), rows.state.as_deref()), (2, 10, Some(&b"cassandra's"[..])));
        assert_eq!(rows.iter().map(<[u8]>::len).collect::<Vec<_>>(), [10, 9]);
        for state in [None, Some(&b"other"[..])] {
            let mut again = rows.head.body(rows.count, state);
            again.put_slice(&rows.content);
            assert_eq!(again, body(state));
        }
        let bare = Rows::read(&rows.head.without_columns().body(0, None).freeze()).unwrap().unwrap();
        assert_eq!((bare.head.columns, bare.count), (2, 0));
    }

    proptest! {
        #[test]
        fn any_body_is_parsed_or_refused(start in 1..5_i32, rest: Vec<u8>) {
            let mut body = start.to_be_bytes().to_vec();
            body.extend(rest);
            let body = Bytes::from(body);
            let _ = Rows::read(&body).map(|rows| rows.map(|rows| rows.largest_row()));
            let _ = RowsMetadata::from_prepared(&body);
        }

        #[test]
        fn a_truncated_body_is_refused(cut in 4..60_usize) {
            let body = body(None);
            let cut = body.slice(..cut.min(body.len() - 1));
            prop_assert_eq!(Rows::read(&cut), Err(Malformed));
        }
    }
}
