//! Answers to requests: the frame for the client, and the outcome for the journal.

use bytes::{BufMut, Bytes, BytesMut};

use crate::fault::{TIMED_OUT, error_body};
use crate::journal::Outcome;
use crate::protocol::{Frame, Opcode, Refusal, Writer, error_code, error_of};
use crate::throttle::{Direction, Exceeded};
use crate::upstream::InternalRequestError;

/// The frame for the client, and the outcome for the journal.
pub(super) type Answer = (Frame, Outcome);

pub(super) fn refused(stream: i16, Refusal { code, text }: Refusal) -> Answer {
    (Frame::error(stream, code, &text), Outcome::Refused { code, text: text.into() })
}

/// The answer to a throttled request. The service gives no other information (DG:troubleshooting.serverless).
pub(super) fn throttled(stream: i16, direction: Direction, exceeded: Exceeded) -> Answer {
    let code = match direction {
        Direction::Read => error_code::READ_TIMEOUT,
        Direction::Write => error_code::WRITE_TIMEOUT,
    };
    let frame = Frame::new(stream, Opcode::Error, error_body(code, TIMED_OUT));
    (frame, Outcome::Throttled { code, exceeded })
}

/// UNPREPARED, which asks the client to prepare the statement again.
pub(super) fn unprepared(stream: i16, id: &Bytes) -> Answer {
    let text = format!(
        "Prepared query with ID {} not found (either the query was not prepared on this host (maybe the host has been restarted?) or you have prepared too many queries and it has been evicted from the internal cache)",
        hex::encode(id)
    );
    let mut body = BytesMut::new();
    body.put_i32(error_code::UNPREPARED);
    body.string(&text);
    body.short_bytes(id);
    let outcome = Outcome::Refused { code: error_code::UNPREPARED, text: text.into() };
    (Frame::new(stream, Opcode::Error, body.freeze()), outcome)
}

/// The answer to `USE`.
pub(super) fn set_keyspace(stream: i16, keyspace: &str) -> Answer {
    const SET_KEYSPACE: i32 = 3;
    let mut body = BytesMut::new();
    body.put_i32(SET_KEYSPACE);
    body.string(keyspace);
    (Frame::new(stream, Opcode::Result, body.freeze()), Outcome::Answered)
}

/// A result of kind VOID.
pub(super) fn void(stream: i16) -> Answer {
    const VOID: i32 = 1;
    (Frame::new(stream, Opcode::Result, Bytes::copy_from_slice(&VOID.to_be_bytes())), Outcome::Answered)
}

/// Cassandra's answer with its outcome.
pub(super) fn from_cassandra(answer: Frame) -> Answer {
    let outcome = match error_of(&answer) {
        Some((code, text)) => Outcome::Failed { code, text: text.into() },
        None => Outcome::Forwarded,
    };
    (answer, outcome)
}

/// The refusal of a request for which an internal request to Cassandra failed.
pub(super) fn cassandra_failed(failed: InternalRequestError) -> Refusal {
    Refusal { code: error_code::SERVER_ERROR, text: format!("keyspaces-local: {failed}") }
}

/// The refusal of a request whose answer from Cassandra breaks the protocol.
pub(super) fn malformed_answer(malformed: impl std::fmt::Display) -> Refusal {
    Refusal {
        code: error_code::SERVER_ERROR,
        text: format!("keyspaces-local: Cassandra's answer cannot be read: {malformed}"),
    }
}
