//! The native protocol, version 4: frames, requests, values, rows and errors. Nothing here does I/O.

mod codec;
mod consistency;
mod error;
pub(crate) mod error_code;
mod frame;
pub(crate) mod metadata;
mod refusal;
pub(crate) mod request;
mod request_kind;
mod rows;
mod values;

pub(crate) use codec::{Malformed, Reader, Writer};
pub use consistency::Consistency;
pub(crate) use error::{error_of, error_text, is_outcome_unknown};
pub(crate) use frame::{
    Frame, FrameFault, FrameReadError, HEADER_LENGTH, Header, MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES, Opcode, RESPONSE,
    Sender,
};
pub(crate) use refusal::{Refusal, not_emulated, refused_by};
pub use request_kind::RequestKind;
pub(crate) use rows::{Rows, RowsMetadata, read_values};
pub(crate) use values::{Binding, Values};
