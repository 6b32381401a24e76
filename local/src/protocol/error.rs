//! Reads ERROR frames.

use super::{Frame, Opcode, Reader, error_code};

/// The code and the text of an ERROR frame.
pub(crate) fn error_of(frame: &Frame) -> Option<(i32, &str)> {
    let mut reader = Reader::new(&frame.body);
    (frame.opcode == Opcode::Error).then_some(())?;
    Some((reader.int().ok()?, reader.string().ok()?))
}

/// The text of an ERROR frame.
pub(crate) fn error_text(frame: &Frame) -> Option<String> {
    let mut reader = Reader::new(&frame.body);
    (frame.opcode == Opcode::Error).then_some(())?;
    reader.int().ok()?;
    reader.string().ok().map(str::to_owned)
}

/// Whether it is unknown if the request was executed: the answer is an ERROR whose code is not one of those that refuse
/// a statement before execution (native_protocol_v4.spec §9).
pub(crate) fn is_outcome_unknown(frame: &Frame) -> bool {
    frame.opcode == Opcode::Error && Reader::new(&frame.body).int().map_or(true, |code| code < error_code::SYNTAX_ERROR)
}
