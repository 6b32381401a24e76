//! Answers, decoded by a client.

use bytes::Bytes;

use super::opcode;
use crate::protocol::Reader;

/// A frame that was received.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ReceivedFrame {
    pub(crate) version: u8,
    pub(crate) flags: u8,
    pub(crate) stream: i16,
    pub(crate) opcode: u8,
    pub(crate) body: Bytes,
}

/// The answer to a statement.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum ClientAnswer {
    Void,
    Rows(ResultSet),
    Keyspace(String),
    Prepared(Bytes),
    /// The kind of change, the kind of object, its keyspace and its name.
    Changed(Vec<String>),
    /// The code, the text, and the fields after them.
    Refused(i32, String, Bytes),
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct ResultSet {
    /// The keyspace and the table of the first column.
    pub(crate) table: (String, String),
    pub(crate) columns: Vec<String>,
    pub(crate) paging_state: Option<Bytes>,
    pub(crate) values: Vec<Vec<Option<Bytes>>>,
}

impl ClientAnswer {
    pub(crate) fn read(received: &ReceivedFrame) -> Self {
        let mut reader = Reader::new(&received.body);
        if received.opcode == opcode::ERROR {
            let (code, text) = (reader.int().unwrap(), reader.string().unwrap().to_owned());
            return Self::Refused(code, text, received.body.slice_ref(reader.rest()));
        }
        assert_eq!(received.opcode, opcode::RESULT);
        match reader.int().unwrap() {
            1 => Self::Void,
            2 => Self::Rows(rows(&mut reader, &received.body)),
            3 => Self::Keyspace(reader.string().unwrap().to_owned()),
            4 => Self::Prepared(received.body.slice_ref(reader.short_bytes().unwrap())),
            5 => Self::Changed(std::iter::from_fn(|| reader.string().ok().map(str::to_owned)).collect()),
            other => panic!("a result of kind {other}"),
        }
    }

    /// Whether a conditional write was applied.
    pub(crate) fn applied(self) -> Option<bool> {
        let Self::Rows(rows) = self else { return None };
        let column = rows.columns.iter().position(|name| name == "[applied]")?;
        Some(rows.values[0][column].as_deref() == Some(&[1]))
    }

    /// The refusal, if there is one.
    pub(crate) fn refused_or_none(&self) -> Option<String> {
        match self {
            Self::Refused(_, text, _) => Some(text.clone()),
            _ => None,
        }
    }

    /// Code and text.
    pub(crate) fn refused(self) -> (i32, String) {
        match self {
            Self::Refused(code, text, _) => (code, text),
            other => panic!("{other:?}"),
        }
    }
}

impl ResultSet {
    pub(crate) fn text(&self, row: usize, column: &str) -> &str {
        let column = self.columns.iter().position(|name| name == column).unwrap();
        std::str::from_utf8(self.values[row][column].as_deref().unwrap_or_default()).unwrap()
    }

    pub(crate) fn int(&self, row: usize, column: &str) -> i32 {
        let column = self.columns.iter().position(|name| name == column).unwrap();
        i32::from_be_bytes(self.values[row][column].as_deref().unwrap().try_into().unwrap())
    }

    pub(crate) fn ints(&self, column: &str) -> Vec<i32> {
        (0..self.values.len()).map(|row| self.int(row, column)).collect()
    }

    /// The size of the rows in the protocol, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.values.iter().flatten().map(|value| 4 + value.as_ref().map_or(0, Bytes::len)).sum()
    }

    pub(crate) fn texts(&self, column: &str) -> Vec<&str> {
        (0..self.values.len()).map(|row| self.text(row, column)).collect()
    }
}

fn rows(reader: &mut Reader<'_>, body: &Bytes) -> ResultSet {
    let (flags, count) = (reader.int().unwrap(), reader.int().unwrap());
    let mut rows = ResultSet::default();
    if flags & 0x02 != 0 {
        rows.paging_state = reader.bytes().unwrap().map(|state| body.slice_ref(state));
    }
    let table = |reader: &mut Reader<'_>| (reader.string().unwrap().to_owned(), reader.string().unwrap().to_owned());
    if flags & 0x04 == 0 {
        if flags & 0x01 != 0 {
            rows.table = table(reader);
        }
        for _ in 0..count {
            if flags & 0x01 == 0 {
                rows.table = table(reader);
            }
            rows.columns.push(reader.string().unwrap().to_owned());
            skip_type(reader);
        }
    }
    for _ in 0..reader.int().unwrap() {
        let values = (0..count).map(|_| reader.bytes().unwrap().map(|value| body.slice_ref(value)));
        rows.values.push(values.collect());
    }
    rows
}

fn skip_type(reader: &mut Reader<'_>) {
    match reader.short().unwrap() {
        0x00 => drop(reader.string()),
        0x20 | 0x22 => skip_type(reader),
        0x21 => {
            skip_type(reader);
            skip_type(reader);
        }
        0x30 => {
            reader.string().unwrap();
            reader.string().unwrap();
            for _ in 0..reader.short().unwrap() {
                reader.string().unwrap();
                skip_type(reader);
            }
        }
        0x31 => (0..reader.short().unwrap()).for_each(|_| skip_type(reader)),
        _ => {}
    }
}
