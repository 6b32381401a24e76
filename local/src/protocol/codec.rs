//! The notations of the native protocol: `[string]`, `[bytes]`, `[string map]` and the others.

use crate::saturated::saturated;
use bytes::{BufMut, BytesMut};

/// A body that is too short, or that has an impossible length.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the body of the frame ends too early or announces an impossible length")]
pub(crate) struct Malformed;

/// Reads a body from its beginning. Never allocates more than the size of the body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(body: &'a [u8]) -> Self {
        Self { rest: body }
    }

    /// The bytes that are not read yet.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The bytes that were read since `start`, which was [`rest`](Self::rest) at an earlier point.
    pub(crate) fn since(&self, start: &'a [u8]) -> &'a [u8] {
        &start[..start.len() - self.rest.len()]
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Malformed)?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn short(&mut self) -> Result<u16, Malformed> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(crate) fn int(&mut self) -> Result<i32, Malformed> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    pub(crate) fn long(&mut self) -> Result<i64, Malformed> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    /// An `[int]` that is a count, and therefore not negative.
    pub(crate) fn count(&mut self) -> Result<usize, Malformed> {
        usize::try_from(self.int()?).map_err(|_| Malformed)
    }

    pub(crate) fn string(&mut self) -> Result<&'a str, Malformed> {
        let length = self.short()?;
        std::str::from_utf8(self.take(length.into())?).map_err(|_| Malformed)
    }

    pub(crate) fn long_string(&mut self) -> Result<&'a str, Malformed> {
        let length = self.count()?;
        std::str::from_utf8(self.take(length)?).map_err(|_| Malformed)
    }

    pub(crate) fn short_bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.short()?;
        self.take(length.into())
    }

    /// `None` for null, and for "not set" as well.
    pub(crate) fn bytes(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        match usize::try_from(self.int()?) {
            Ok(length) => self.take(length).map(Some),
            Err(_) => Ok(None),
        }
    }

    pub(crate) fn string_list(&mut self) -> Result<Vec<&'a str>, Malformed> {
        (0..self.short()?).map(|_| self.string()).collect()
    }

    pub(crate) fn string_map(&mut self) -> Result<Vec<(&'a str, &'a str)>, Malformed> {
        (0..self.short()?).map(|_| Ok((self.string()?, self.string()?))).collect()
    }

    pub(crate) fn skip_bytes_map(&mut self) -> Result<(), Malformed> {
        for _ in 0..self.short()? {
            self.string()?;
            self.bytes()?;
        }
        Ok(())
    }
}

/// Writes the notations. A text that is too long for its length field is cut at a character boundary.
pub(crate) trait Writer {
    fn string(&mut self, text: &str);
    fn long_string(&mut self, text: &str);
    fn short_bytes(&mut self, bytes: &[u8]);
    fn bytes(&mut self, bytes: Option<&[u8]>);
}

impl Writer for BytesMut {
    fn string(&mut self, text: &str) {
        let text = &text[..text.floor_char_boundary(usize::from(u16::MAX))];
        self.short_bytes(text.as_bytes());
    }

    fn long_string(&mut self, text: &str) {
        self.bytes(Some(text.as_bytes()));
    }

    fn short_bytes(&mut self, bytes: &[u8]) {
        let length = saturated::<u16>(bytes.len());
        self.put_u16(length);
        self.put_slice(&bytes[..usize::from(length)]);
    }

    fn bytes(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            None => self.put_i32(-1),
            Some(bytes) => {
                let length = saturated::<i32>(bytes.len());
                self.put_i32(length);
                self.put_slice(&bytes[..usize::try_from(length).unwrap_or(0)]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn written_values_round_trip() {
        let mut out = BytesMut::new();
        out.string("käse");
        out.long_string("SELECT");
        out.short_bytes(&[1, 2]);
        out.bytes(None);
        out.bytes(Some(&[7]));
        let mut reader = Reader::new(&out);
        assert_eq!(reader.string(), Ok("käse"));
        assert_eq!(reader.long_string(), Ok("SELECT"));
        assert_eq!(reader.short_bytes(), Ok(&[1, 2][..]));
        assert_eq!(reader.bytes(), Ok(None));
        assert_eq!(reader.bytes(), Ok(Some(&[7][..])));
        assert_eq!(reader.byte(), Err(Malformed));
    }

    #[test]
    fn overlong_string_is_truncated_at_a_character_boundary() {
        let mut out = BytesMut::new();
        out.string(&"ä".repeat(40_000));
        assert_eq!(Reader::new(&out).string().unwrap().len(), 65_534);
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_or_refused(body: Vec<u8>) {
            let _ = Reader::new(&body).string();
            let _ = Reader::new(&body).long_string();
            let _ = Reader::new(&body).bytes();
            let _ = Reader::new(&body).string_list();
            let _ = Reader::new(&body).string_map();
            let _ = Reader::new(&body).skip_bytes_map();
        }
    }
}
