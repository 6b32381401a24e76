//! STARTUP and OPTIONS, which come before authentication.

use bytes::{BufMut, BytesMut};

use super::answer::Answer;
use crate::journal::Outcome;
use crate::protocol::{Frame, Opcode, Writer};
use crate::topology::CQL_VERSION;

/// The answer to OPTIONS.
pub(super) fn supported(stream: i16) -> Answer {
    let mut body = BytesMut::new();
    body.put_u16(2);
    body.string("CQL_VERSION");
    body.put_u16(1);
    body.string(CQL_VERSION);
    body.string("COMPRESSION");
    body.put_u16(0);
    (Frame::new(stream, Opcode::Supported, body.freeze()), Outcome::Answered)
}

/// The error in the options of a STARTUP, if there is one, with Cassandra's text: the service's text is not known.
pub(super) fn problem(options: &[(&str, &str)]) -> Option<String> {
    let get = |name: &str| options.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| *value);
    match (get("CQL_VERSION"), get("COMPRESSION")) {
        (None, _) => Some("Missing value CQL_VERSION in STARTUP message".to_owned()),
        (_, Some(algorithm)) if !algorithm.is_empty() => Some(format!("Unknown compression algorithm: {algorithm}")),
        (Some(version), _) if !is_cql_3_or_later(version) => Some(format!(
            "CQL version {version} is not supported by the binary protocol (supported version are >= 3.0.0)"
        )),
        _ => None,
    }
}

/// Cassandra accepts every version from 2.99 on.
fn is_cql_3_or_later(version: &str) -> bool {
    version.split('.').next().and_then(|major| major.parse::<u32>().ok()).is_some_and(|major| major >= 3)
}
