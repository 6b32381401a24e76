//! The bodies of QUERY, PREPARE, EXECUTE and BATCH: parsed, and rewritten with the gateway's changes.

use bytes::{BufMut, Bytes, BytesMut};

use super::{Binding, Consistency, Frame, Malformed, Opcode, Reader, Values, Writer};
use crate::saturated::saturated;

mod flag {
    pub(crate) const VALUES: u8 = 0x01;
    pub(crate) const SKIP_METADATA: u8 = 0x02;
    pub(crate) const PAGE_SIZE: u8 = 0x04;
    pub(crate) const PAGING_STATE: u8 = 0x08;
    pub(crate) const SERIAL_CONSISTENCY: u8 = 0x10;
    pub(crate) const TIMESTAMP: u8 = 0x20;
    pub(crate) const NAMES: u8 = 0x40;
}

/// Why a body cannot be read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum MalformedRequest {
    #[error(transparent)]
    Body(#[from] Malformed),
    #[error("Unknown code {0} for a consistency level")]
    Consistency(u16),
    #[error("Invalid query kind in BATCH messages. Must be 0 or 1 but got {0}")]
    StatementKind(u8),
    #[error("Unknown batch type {0}")]
    BatchKind(u8),
}

/// A client's request that concerns statements.
#[derive(Debug)]
pub(crate) enum Request {
    Query(Query),
    Prepare(String),
    Execute(Execute),
    Batch(Batch),
}

/// A QUERY.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    pub(crate) text: String,
    pub(crate) parameters: Parameters,
}

/// An EXECUTE.
#[derive(Clone, Debug)]
pub(crate) struct Execute {
    pub(crate) id: Bytes,
    pub(crate) parameters: Parameters,
}

/// The parameters of QUERY and EXECUTE, beside the statement.
#[derive(Clone, Debug)]
pub(crate) struct Parameters {
    pub(crate) consistency: Consistency,
    pub(crate) page_size: Option<i32>,
    pub(crate) serial_consistency: Option<Consistency>,
    pub(crate) timestamp: Option<i64>,
    skip_metadata: bool,
    named: bool,
    /// The values as the client sent them, preceded by their number.
    values: Option<Bytes>,
    paging_state: Option<Bytes>,
}

/// A BATCH.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) kind: BatchKind,
    pub(crate) statements: Vec<Batched>,
    pub(crate) consistency: Consistency,
    pub(crate) serial_consistency: Option<Consistency>,
    pub(crate) timestamp: Option<i64>,
}

/// The kind of a [`Batch`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum BatchKind {
    Logged,
    Unlogged,
    Counter,
}

/// One statement of a batch.
#[derive(Clone, Debug)]
pub(crate) struct Batched {
    pub(crate) statement: TextOrId,
    /// The values as the client sent them, preceded by their number.
    values: Bytes,
}

/// A statement of a batch: its text or its prepared id.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum TextOrId {
    Text(String),
    Id(Bytes),
}

/// The text of a PREPARE.
pub(crate) fn prepare(body: &Bytes) -> Result<String, MalformedRequest> {
    Ok(Reader::new(body).long_string()?.to_owned())
}

/// A PREPARE of this text.
pub(crate) fn write_prepare(stream: i16, text: &str) -> Frame {
    let mut body = BytesMut::with_capacity(text.len() + 4);
    body.long_string(text);
    Frame::new(stream, Opcode::Prepare, body.freeze())
}

/// The body of a QUERY without a timestamp.
pub(crate) fn query(text: &str, parameters: &Parameters) -> Bytes {
    query_at(text, parameters, None)
}

pub(crate) fn query_at(text: &str, parameters: &Parameters, timestamp: Option<i64>) -> Bytes {
    let mut body = BytesMut::with_capacity(text.len() + parameters.length());
    body.long_string(text);
    parameters.write(&mut body, timestamp);
    body.freeze()
}

impl Request {
    /// Reads the body of a frame that concerns statements; `None` for any other frame.
    pub(crate) fn read(frame: &Frame) -> Option<Result<Self, MalformedRequest>> {
        let body = &frame.body;
        Some(match frame.opcode {
            Opcode::Query => Query::read(body).map(Self::Query),
            Opcode::Prepare => prepare(body).map(Self::Prepare),
            Opcode::Execute => Execute::read(body).map(Self::Execute),
            Opcode::Batch => Batch::read(body).map(Self::Batch),
            _ => return None,
        })
    }
}

impl Query {
    pub(crate) fn read(body: &Bytes) -> Result<Self, MalformedRequest> {
        let mut reader = Reader::new(body);
        let text = reader.long_string()?.to_owned();
        Ok(Self { text, parameters: Parameters::read(body, &mut reader)? })
    }

    /// Writes the body with another text and this timestamp.
    pub(crate) fn write(&self, text: &str, timestamp: Option<i64>) -> Bytes {
        query_at(text, &self.parameters, timestamp)
    }
}

impl Execute {
    pub(crate) fn read(body: &Bytes) -> Result<Self, MalformedRequest> {
        let mut reader = Reader::new(body);
        let id = body.slice_ref(reader.short_bytes()?);
        Ok(Self { id, parameters: Parameters::read(body, &mut reader)? })
    }

    /// Writes the body with this timestamp.
    pub(crate) fn write(&self, timestamp: Option<i64>) -> Bytes {
        self.write_with(&self.parameters, timestamp)
    }

    /// Writes the body with other parameters.
    pub(crate) fn write_with(&self, parameters: &Parameters, timestamp: Option<i64>) -> Bytes {
        let mut body = BytesMut::with_capacity(self.id.len() + parameters.length());
        body.short_bytes(&self.id);
        parameters.write(&mut body, timestamp);
        body.freeze()
    }
}

impl Parameters {
    /// Parameters for a request of the gateway's own.
    pub(crate) fn internal(Binding { values, named }: Binding) -> Self {
        Self {
            consistency: Consistency::LocalQuorum,
            page_size: None,
            serial_consistency: None,
            timestamp: None,
            skip_metadata: false,
            named,
            values: (!values.is_empty()).then_some(values),
            paging_state: None,
        }
    }

    /// The same parameters, for one page.
    pub(crate) fn for_page(&self, rows: usize, paging_state: Option<Bytes>) -> Self {
        Self { page_size: Some(saturated::<i32>(rows)), paging_state, ..self.clone() }
    }

    pub(crate) fn values(&self) -> Values<'_> {
        Values::read(self.values.as_deref().unwrap_or_default(), self.named)
    }

    pub(crate) fn paging_state(&self) -> Option<&Bytes> {
        self.paging_state.as_ref()
    }

    pub(crate) fn skips_metadata(&self) -> bool {
        self.skip_metadata
    }

    fn read<'a>(body: &Bytes, reader: &mut Reader<'a>) -> Result<Self, MalformedRequest> {
        let consistency = consistency(reader)?;
        let flags = reader.byte()?;
        let has = |flag: u8| flags & flag != 0;
        let named = has(flag::NAMES);
        let values = has(flag::VALUES).then(|| values(body, reader, named)).transpose()?;
        let page_size = has(flag::PAGE_SIZE).then(|| reader.int()).transpose()?;
        let paging_state = has(flag::PAGING_STATE).then(|| reader.bytes()).transpose()?.flatten();
        let paging_state = paging_state.map(|state| body.slice_ref(state));
        Ok(Self {
            consistency,
            page_size,
            serial_consistency: has(flag::SERIAL_CONSISTENCY).then(|| self::consistency(reader)).transpose()?,
            timestamp: has(flag::TIMESTAMP).then(|| reader.long()).transpose()?,
            skip_metadata: has(flag::SKIP_METADATA),
            named,
            values,
            paging_state,
        })
    }

    /// Writes the parameters with this timestamp instead of their own.
    fn write(&self, out: &mut BytesMut, timestamp: Option<i64>) {
        let bit = |set: bool, flag: u8| if set { flag } else { 0 };
        out.put_u16(self.consistency.code());
        out.put_u8(
            bit(self.values.is_some(), flag::VALUES)
                | bit(self.skip_metadata, flag::SKIP_METADATA)
                | bit(self.page_size.is_some(), flag::PAGE_SIZE)
                | bit(self.paging_state.is_some(), flag::PAGING_STATE)
                | bit(self.serial_consistency.is_some(), flag::SERIAL_CONSISTENCY)
                | bit(timestamp.is_some(), flag::TIMESTAMP)
                | bit(self.named && self.values.is_some(), flag::NAMES),
        );
        if let Some(values) = &self.values {
            out.put_slice(values);
        }
        if let Some(page_size) = self.page_size {
            out.put_i32(page_size);
        }
        if let Some(state) = &self.paging_state {
            out.bytes(Some(state));
        }
        if let Some(serial) = self.serial_consistency {
            out.put_u16(serial.code());
        }
        if let Some(timestamp) = timestamp {
            out.put_i64(timestamp);
        }
    }

    fn length(&self) -> usize {
        32 + self.values.as_ref().map_or(0, Bytes::len) + self.paging_state.as_ref().map_or(0, Bytes::len)
    }
}

impl Batched {
    pub(crate) fn values(&self) -> Values<'_> {
        Values::read(&self.values, false)
    }
}

impl Batch {
    pub(crate) fn read(body: &Bytes) -> Result<Self, MalformedRequest> {
        let mut reader = Reader::new(body);
        let kind = match reader.byte()? {
            0 => BatchKind::Logged,
            1 => BatchKind::Unlogged,
            2 => BatchKind::Counter,
            other => return Err(MalformedRequest::BatchKind(other)),
        };
        let mut statements = Vec::new();
        for _ in 0..reader.short()? {
            let statement = match reader.byte()? {
                0 => TextOrId::Text(reader.long_string()?.to_owned()),
                1 => TextOrId::Id(body.slice_ref(reader.short_bytes()?)),
                other => return Err(MalformedRequest::StatementKind(other)),
            };
            statements.push(Batched { statement, values: values(body, &mut reader, false)? });
        }
        let consistency = consistency(&mut reader)?;
        let flags = reader.byte()?;
        let has = |flag: u8| flags & flag != 0;
        Ok(Self {
            kind,
            statements,
            consistency,
            serial_consistency: has(flag::SERIAL_CONSISTENCY).then(|| self::consistency(&mut reader)).transpose()?,
            timestamp: has(flag::TIMESTAMP).then(|| reader.long()).transpose()?,
        })
    }

    /// Writes the body with other texts and this timestamp. `texts` has an entry for each statement; the entries of
    /// prepared statements are ignored.
    pub(crate) fn write(&self, texts: &[String], timestamp: Option<i64>) -> Bytes {
        let mut body = BytesMut::new();
        body.put_u8(match self.kind {
            BatchKind::Logged => 0,
            BatchKind::Unlogged => 1,
            BatchKind::Counter => 2,
        });
        body.put_u16(saturated::<u16>(self.statements.len()));
        for (batched, text) in self.statements.iter().zip(texts) {
            match &batched.statement {
                TextOrId::Text(_) => {
                    body.put_u8(0);
                    body.long_string(text);
                }
                TextOrId::Id(id) => {
                    body.put_u8(1);
                    body.short_bytes(id);
                }
            }
            body.put_slice(&batched.values);
        }
        body.put_u16(self.consistency.code());
        let bit = |set: bool, flag: u8| if set { flag } else { 0 };
        let serial = bit(self.serial_consistency.is_some(), flag::SERIAL_CONSISTENCY);
        body.put_u8(serial | bit(timestamp.is_some(), flag::TIMESTAMP));
        if let Some(serial) = self.serial_consistency {
            body.put_u16(serial.code());
        }
        if let Some(timestamp) = timestamp {
            body.put_i64(timestamp);
        }
        body.freeze()
    }
}

fn consistency(reader: &mut Reader<'_>) -> Result<Consistency, MalformedRequest> {
    let code = reader.short()?;
    Consistency::from_code(code).ok_or(MalformedRequest::Consistency(code))
}

/// Reads values preceded by their number, and with their names if they are named.
fn values(body: &Bytes, reader: &mut Reader<'_>, named: bool) -> Result<Bytes, MalformedRequest> {
    let start = reader.rest();
    for _ in 0..reader.short()? {
        if named {
            reader.string()?;
        }
        reader.bytes()?;
    }
    Ok(body.slice_ref(reader.since(start)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all_parameters() -> BytesMut {
        let mut body = BytesMut::new();
        body.put_u16(6);
        body.put_u8(0x01 | 0x02 | 0x04 | 0x08 | 0x10 | 0x20 | 0x40);
        body.put_u16(2);
        body.string("a");
        body.bytes(Some(&[1]));
        body.string("b");
        body.bytes(None);
        body.put_i32(100);
        body.bytes(Some(b"state"));
        body.put_u16(9);
        body.put_i64(1_700_000_000_000_000);
        body
    }

    #[test]
    fn rewritten_query_keeps_its_parameters_and_sets_the_timestamp() {
        let mut body = BytesMut::new();
        body.long_string("SELECT * FROM t");
        body.put_slice(&all_parameters());
        let query = Query::read(&body.freeze()).unwrap();
        assert_eq!(query.parameters.timestamp, Some(1_700_000_000_000_000));
        let again = Query::read(&query.write("SELECT * FROM ks.t", Some(5))).unwrap();
        assert_eq!(again.parameters.timestamp, Some(5));
        let again = Query::read(&query.write("SELECT * FROM ks.t", None)).unwrap();
        assert_eq!(again.text, "SELECT * FROM ks.t");
        let Parameters { consistency, page_size, serial_consistency, timestamp, .. } = again.parameters;
        assert_eq!(consistency, Consistency::LocalQuorum);
        assert_eq!((page_size, serial_consistency, timestamp), (Some(100), Some(Consistency::LocalSerial), None));
        assert_eq!(again.parameters.values, query.parameters.values);
        assert_eq!(again.parameters.paging_state.as_deref(), Some(&b"state"[..]));
        assert!(again.parameters.skip_metadata && again.parameters.named);
    }

    #[test]
    fn minimal_execute_body_round_trips() {
        let mut body = BytesMut::new();
        body.short_bytes(&[7; 16]);
        body.put_u16(1);
        body.put_u8(0);
        let body = body.freeze();
        assert_eq!(Execute::read(&body).unwrap().write(None), body);
    }

    #[test]
    fn rewritten_batch_replaces_statement_texts_and_keeps_ids_and_values() {
        let mut body = BytesMut::new();
        body.put_u8(1);
        body.put_u16(2);
        body.put_u8(0);
        body.long_string("INSERT a");
        body.put_u16(1);
        body.bytes(Some(b"v"));
        body.put_u8(1);
        body.short_bytes(&[3; 16]);
        body.put_u16(0);
        body.put_u16(6);
        body.put_u8(0x10 | 0x20);
        body.put_u16(8);
        body.put_i64(5);
        let batch = Batch::read(&body.freeze()).unwrap();
        assert_eq!((batch.kind, batch.timestamp), (BatchKind::Unlogged, Some(5)));
        let texts = ["INSERT ks.a".to_owned(), String::new()];
        assert_eq!(Batch::read(&batch.write(&texts, Some(7))).unwrap().timestamp, Some(7));
        let again = Batch::read(&batch.write(&texts, None)).unwrap();
        assert_eq!(again.statements[0].statement, TextOrId::Text("INSERT ks.a".into()));
        assert_eq!(again.statements[1].statement, TextOrId::Id(vec![3; 16].into()));
        assert_eq!((again.serial_consistency, again.timestamp), (Some(Consistency::Serial), None));
        assert_eq!(again.statements[0].values, batch.statements[0].values);
    }

    #[test]
    fn an_unknown_consistency_level_is_refused_with_cassandras_text() {
        let mut body = BytesMut::new();
        body.long_string("SELECT");
        body.put_u16(77);
        body.put_u8(0);
        let unread = Query::read(&body.freeze()).unwrap_err();
        assert_eq!(unread.to_string(), "Unknown code 77 for a consistency level");
    }

    proptest! {
        #[test]
        fn any_body_is_parsed_or_refused(body: Vec<u8>) {
            let body = Bytes::from(body);
            let _ = Query::read(&body).map(|query| query.write("x", query.parameters.timestamp));
            let _ = Execute::read(&body).map(|execute| execute.write(execute.parameters.timestamp));
            let _ = Batch::read(&body)
                .map(|batch| batch.write(&vec![String::new(); batch.statements.len()], batch.timestamp));
            let _ = prepare(&body);
        }
    }
}
