//! Column metadata of results, in which Cassandra's names are replaced by the names that the client knows.

use std::borrow::Cow;

use bytes::{BufMut, Bytes, BytesMut};

use super::{Frame, Malformed, Opcode, Reader, Writer, error_code};

pub(crate) mod flag {
    pub(crate) const ONE_TABLE: i32 = 0x01;
    pub(crate) const MORE_PAGES: i32 = 0x02;
    pub(crate) const NO_METADATA: i32 = 0x04;
}

pub(crate) mod kind {
    pub(crate) const ROWS: i32 = 2;
    pub(crate) const SET_KEYSPACE: i32 = 3;
    pub(crate) const PREPARED: i32 = 4;
    pub(crate) const SCHEMA_CHANGE: i32 = 5;
}

/// Maps Cassandra's names to the names that a client knows.
pub(crate) trait ClientNames {
    fn keyspace<'a>(&self, keyspace: &'a str) -> Cow<'a, str>;

    /// The keyspace and the table name that the client knows.
    fn table<'a>(&self, keyspace: &'a str, table: &'a str) -> (Cow<'a, str>, Cow<'a, str>);

    /// Replaces the names in a text.
    fn text(&self, text: &str) -> String;
}

/// The deepest nesting of types; Cassandra's own limit is far below.
const MAX_TYPE_DEPTH: usize = 64;

/// Replaces the names in a response by the client's.
pub(crate) fn with_client_names(response: Frame, names: &dyn ClientNames) -> Result<Frame, Malformed> {
    let body = match response.opcode {
        Opcode::Result => result(&response.body, names)?,
        Opcode::Error => Some(error(&response.body, names)?),
        _ => None,
    };
    Ok(match body {
        Some(body) => response.with_body(body),
        None => response,
    })
}

/// The id of a RESULT of kind Prepared.
pub(crate) fn prepared_id(response: &Frame) -> Option<Bytes> {
    let mut reader = Reader::new(&response.body);
    (response.opcode == Opcode::Result && reader.int().ok()? == kind::PREPARED).then_some(())?;
    Some(response.body.slice_ref(reader.short_bytes().ok()?))
}

/// Whether the response is to a definition that changed something.
pub(crate) fn is_schema_change(response: &Frame) -> bool {
    response.opcode == Opcode::Result && Reader::new(&response.body).int() == Ok(kind::SCHEMA_CHANGE)
}

/// Whether a write was applied: only a conditional write is answered with rows, whose first value says whether its
/// condition held.
pub(crate) fn is_applied(response: &Frame) -> bool {
    let read = || -> Result<bool, Malformed> {
        let mut reader = Reader::new(&response.body);
        if reader.int()? != kind::ROWS {
            return Ok(true);
        }
        skip(&mut reader)?;
        reader.int()?;
        Ok(reader.bytes()? != Some(&[0]))
    };
    read().unwrap_or(true)
}

/// Skips the metadata of rows, and returns the number of columns.
pub(crate) fn skip(reader: &mut Reader<'_>) -> Result<usize, Malformed> {
    let mut copy = MetadataCopy { reader: *reader, out: None, names: None };
    let columns = copy.rows_metadata()?;
    *reader = copy.reader;
    Ok(columns)
}

/// Skips the id and the metadata of the bind markers in a RESULT of kind Prepared, up to the metadata of the rows.
pub(crate) fn skip_to_rows_of_prepared(reader: &mut Reader<'_>) -> Result<(), Malformed> {
    let mut copy = MetadataCopy { reader: *reader, out: None, names: None };
    copy.short_bytes()?;
    copy.prepared_metadata()?;
    *reader = copy.reader;
    Ok(())
}

/// `None` if the result has no names to replace.
fn result(body: &Bytes, names: &dyn ClientNames) -> Result<Option<Bytes>, Malformed> {
    let mut copy =
        MetadataCopy { reader: Reader::new(body), out: Some(BytesMut::with_capacity(body.len())), names: Some(names) };
    match copy.int()? {
        kind::ROWS => {
            copy.rows_metadata()?;
        }
        kind::SET_KEYSPACE => copy.keyspace()?,
        kind::PREPARED => {
            copy.short_bytes()?;
            copy.prepared_metadata()?;
            copy.rows_metadata()?;
        }
        kind::SCHEMA_CHANGE => {
            copy.string()?;
            copy.string()?;
            copy.keyspace()?;
        }
        _ => return Ok(None),
    }
    Ok(copy.rest())
}

fn error(body: &Bytes, names: &dyn ClientNames) -> Result<Bytes, Malformed> {
    let mut reader = Reader::new(body);
    let code = reader.int()?;
    let mut out = BytesMut::with_capacity(body.len());
    out.put_i32(code);
    out.string(&names.text(reader.string()?));
    if code == error_code::ALREADY_EXISTS {
        out.string(&names.keyspace(reader.string()?));
    }
    out.put_slice(reader.rest());
    Ok(out.freeze())
}

/// Copies the metadata while reading it, and replaces names; without `out` and `names` it only reads.
struct MetadataCopy<'a> {
    reader: Reader<'a>,
    out: Option<BytesMut>,
    names: Option<&'a dyn ClientNames>,
}

impl MetadataCopy<'_> {
    fn int(&mut self) -> Result<i32, Malformed> {
        let int = self.reader.int()?;
        if let Some(out) = &mut self.out {
            out.put_i32(int);
        }
        Ok(int)
    }

    fn short(&mut self) -> Result<u16, Malformed> {
        let short = self.reader.short()?;
        if let Some(out) = &mut self.out {
            out.put_u16(short);
        }
        Ok(short)
    }

    fn short_bytes(&mut self) -> Result<(), Malformed> {
        let bytes = self.reader.short_bytes()?;
        if let Some(out) = &mut self.out {
            out.short_bytes(bytes);
        }
        Ok(())
    }

    fn bytes(&mut self) -> Result<(), Malformed> {
        let bytes = self.reader.bytes()?;
        if let Some(out) = &mut self.out {
            out.bytes(bytes);
        }
        Ok(())
    }

    fn string(&mut self) -> Result<(), Malformed> {
        self.short_bytes()
    }

    fn keyspace(&mut self) -> Result<(), Malformed> {
        let keyspace = self.reader.string()?;
        if let (Some(out), Some(names)) = (&mut self.out, self.names) {
            out.string(&names.keyspace(keyspace));
        }
        Ok(())
    }

    fn table(&mut self) -> Result<(), Malformed> {
        let (keyspace, table) = (self.reader.string()?, self.reader.string()?);
        if let (Some(out), Some(names)) = (&mut self.out, self.names) {
            let (keyspace, table) = names.table(keyspace, table);
            out.string(&keyspace);
            out.string(&table);
        }
        Ok(())
    }

    fn rows_metadata(&mut self) -> Result<usize, Malformed> {
        let flags = self.int()?;
        let columns = self.count()?;
        if flags & flag::MORE_PAGES != 0 {
            self.bytes()?;
        }
        if flags & flag::NO_METADATA == 0 {
            self.columns(flags, columns)?;
        }
        Ok(columns)
    }

    fn prepared_metadata(&mut self) -> Result<(), Malformed> {
        let flags = self.int()?;
        let columns = self.count()?;
        for _ in 0..self.count()? {
            self.short()?;
        }
        self.columns(flags, columns)
    }

    fn columns(&mut self, flags: i32, columns: usize) -> Result<(), Malformed> {
        if flags & flag::ONE_TABLE != 0 {
            self.table()?;
        }
        for _ in 0..columns {
            if flags & flag::ONE_TABLE == 0 {
                self.table()?;
            }
            self.string()?;
            self.column_type(0)?;
        }
        Ok(())
    }

    fn column_type(&mut self, depth: usize) -> Result<(), Malformed> {
        if depth > MAX_TYPE_DEPTH {
            return Err(Malformed);
        }
        match self.short()? {
            0x0000 => self.string(),
            0x0020 | 0x0022 => self.column_type(depth + 1),
            0x0021 => {
                self.column_type(depth + 1)?;
                self.column_type(depth + 1)
            }
            0x0030 => {
                self.keyspace()?;
                self.string()?;
                for _ in 0..self.short()? {
                    self.string()?;
                    self.column_type(depth + 1)?;
                }
                Ok(())
            }
            0x0031 => (0..self.short()?).try_for_each(|_| self.column_type(depth + 1)),
            _ => Ok(()),
        }
    }

    fn count(&mut self) -> Result<usize, Malformed> {
        usize::try_from(self.int()?).map_err(|_| Malformed)
    }

    /// The copied bytes, followed by the unread ones.
    fn rest(self) -> Option<Bytes> {
        let mut out = self.out?;
        out.put_slice(self.reader.rest());
        Some(out.freeze())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Cassandra's keyspaces begin with `kl_`; the one of the system tables is `kl`.
    struct Prefixed;

    impl ClientNames for Prefixed {
        fn keyspace<'a>(&self, keyspace: &'a str) -> Cow<'a, str> {
            keyspace.strip_prefix("kl_").unwrap_or(keyspace).into()
        }

        fn table<'a>(&self, keyspace: &'a str, table: &'a str) -> (Cow<'a, str>, Cow<'a, str>) {
            match table.split_once("__") {
                Some((system_keyspace, name)) if keyspace == "kl" => (system_keyspace.into(), name.into()),
                _ => (self.keyspace(keyspace), table.into()),
            }
        }

        fn text(&self, text: &str) -> String {
            text.replace("kl_", "")
        }
    }

    const UPSTREAM: &str = "kl_app";

    fn client_body(opcode: Opcode, body: BytesMut) -> Bytes {
        with_client_names(Frame::new(0, opcode, body.freeze()), &Prefixed).unwrap().body
    }

    #[test]
    fn row_metadata_has_client_names_for_tables_and_types() {
        let body = |keyspace: &str| {
            let mut body = BytesMut::new();
            body.put_i32(kind::ROWS);
            body.put_i32(flag::ONE_TABLE | flag::MORE_PAGES);
            body.put_i32(2);
            body.bytes(Some(b"state"));
            body.string(keyspace);
            body.string("t");
            body.string("address");
            body.put_u16(0x22);
            body.put_u16(0x30);
            body.string(keyspace);
            body.string("address");
            body.put_u16(1);
            body.string("street");
            body.put_u16(0x0D);
            body.string("m");
            body.put_u16(0x21);
            body.put_u16(0x0D);
            body.put_u16(0x31);
            body.put_u16(1);
            body.put_u16(0x09);
            body.put_slice(b"the rows");
            body
        };
        assert_eq!(client_body(Opcode::Result, body(UPSTREAM)), body("app"));
        let body = body("app");
        let mut reader = Reader::new(&body[4..]);
        assert_eq!(skip(&mut reader), Ok(2));
        assert_eq!(reader.rest(), b"the rows");
    }

    #[test]
    fn each_column_of_prepared_batch_metadata_has_its_own_table() {
        let body = |keyspace: &str, system: (&str, &str)| {
            let mut body = BytesMut::new();
            body.put_i32(kind::PREPARED);
            body.short_bytes(&[1; 16]);
            body.put_i32(0);
            body.put_i32(2);
            body.put_i32(1);
            body.put_u16(0);
            for (keyspace, table) in [(keyspace, "t"), system] {
                body.string(keyspace);
                body.string(table);
                body.string("a");
                body.put_u16(0x09);
            }
            body.put_i32(flag::NO_METADATA);
            body.put_i32(0);
            body
        };
        let sent = body(UPSTREAM, ("kl", "system__local"));
        assert_eq!(prepared_id(&Frame::new(0, Opcode::Result, sent.clone().freeze())).unwrap(), vec![1; 16]);
        assert_eq!(client_body(Opcode::Result, sent), body("app", ("system", "local")));
    }

    #[test]
    fn schema_changes_and_errors_use_client_keyspace_names() {
        let change = |keyspace: &str| {
            let mut body = BytesMut::new();
            body.put_i32(kind::SCHEMA_CHANGE);
            ["CREATED", "TABLE", keyspace, "t"].iter().for_each(|text| body.string(text));
            body
        };
        assert_eq!(client_body(Opcode::Result, change(UPSTREAM)), change("app"));
        let exists = |keyspace: &str| {
            let mut body = BytesMut::new();
            body.put_i32(error_code::ALREADY_EXISTS);
            body.string(&format!("Table '{keyspace}.t' already exists"));
            body.string(keyspace);
            body.string("t");
            body
        };
        assert_eq!(client_body(Opcode::Error, exists(UPSTREAM)), exists("app"));
    }

    proptest! {
        #[test]
        fn arbitrary_response_body_is_renamed_or_refused(start in 0..7i32, body: Vec<u8>) {
            let mut whole = start.to_be_bytes().to_vec();
            whole.extend(body);
            for opcode in [Opcode::Result, Opcode::Error] {
                let _ = with_client_names(Frame::new(0, opcode, whole.clone().into()), &Prefixed);
            }
        }
    }
}
