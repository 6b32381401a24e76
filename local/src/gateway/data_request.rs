//! A client's request that carries DML statements, and its form for Cassandra.

use bytes::Bytes;

use crate::protocol::request::{self, Batch, BatchKind, Batched, Execute, Parameters, Query};
use crate::protocol::{Consistency, Frame, Opcode, Values};

/// A QUERY, EXECUTE or BATCH of DML statements.
#[derive(Clone, Copy, Debug)]
pub(super) enum DataRequest<'a> {
    /// One statement.
    Single(SingleRequest<'a>),
    /// A BATCH with the texts for Cassandra; an empty one for a statement that Cassandra has prepared.
    Batch(&'a Batch, &'a [String]),
}

/// A request with one statement, which can be sent again for another page.
#[derive(Clone, Copy, Debug)]
pub(super) enum SingleRequest<'a> {
    /// A QUERY with the text for Cassandra.
    Query(&'a Query, &'a str),
    Execute(&'a Execute),
}

impl<'a> DataRequest<'a> {
    pub(super) fn consistency(&self) -> Consistency {
        match self {
            Self::Single(single) => single.parameters().consistency,
            Self::Batch(batch, _) => batch.consistency,
        }
    }

    pub(super) fn serial_consistency(&self) -> Option<Consistency> {
        match self {
            Self::Single(single) => single.parameters().serial_consistency,
            Self::Batch(batch, _) => batch.serial_consistency,
        }
    }

    pub(super) fn timestamp(&self) -> Option<i64> {
        match self {
            Self::Single(single) => single.parameters().timestamp,
            Self::Batch(batch, _) => batch.timestamp,
        }
    }

    /// The values of each statement.
    pub(super) fn values(self) -> Vec<Values<'a>> {
        match self {
            Self::Single(single) => vec![single.parameters().values()],
            Self::Batch(batch, _) => batch.statements.iter().map(Batched::values).collect(),
        }
    }

    pub(super) fn is_logged_batch(&self) -> bool {
        matches!(self, Self::Batch(batch, _) if batch.kind == BatchKind::Logged)
    }

    /// The body of the request for Cassandra, with this timestamp.
    pub(super) fn body(&self, timestamp: Option<i64>) -> Bytes {
        match self {
            Self::Single(single) => single.body(timestamp),
            Self::Batch(batch, texts) => batch.write(texts, timestamp),
        }
    }
}

impl<'a> SingleRequest<'a> {
    pub(super) fn parameters(self) -> &'a Parameters {
        match self {
            Self::Query(query, _) => &query.parameters,
            Self::Execute(execute) => &execute.parameters,
        }
    }

    /// The body of the request for Cassandra, with this timestamp.
    pub(super) fn body(self, timestamp: Option<i64>) -> Bytes {
        match self {
            Self::Query(query, text) => query.write(text, timestamp),
            Self::Execute(execute) => execute.write(timestamp),
        }
    }

    /// The request for `rows` rows after a paging state of Cassandra's.
    pub(super) fn page(self, stream: i16, rows: usize, state: Option<Bytes>) -> Frame {
        let parameters = self.parameters().for_page(rows, state);
        match self {
            Self::Query(_, text) => Frame::new(stream, Opcode::Query, request::query(text, &parameters)),
            Self::Execute(execute) => Frame::new(stream, Opcode::Execute, execute.write_with(&parameters, None)),
        }
    }
}
