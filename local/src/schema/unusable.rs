//! Why a Cassandra cannot be used.

use crate::upstream::InternalRequestError;

/// Why a Cassandra cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CassandraUnusable {
    /// It refused a statement, or could not be reached.
    #[error(transparent)]
    Failed(#[from] InternalRequestError),
    /// It has another partitioner than the one that clients are told.
    #[error("Cassandra runs with {found}, and the partitioner that was set needs {wanted}")]
    Partitioner { found: String, wanted: &'static str },
    /// The stored entry of an object cannot be read.
    #[error(
        "what Cassandra keeps of this instance cannot be read: {what} of {row}; start the version that wrote it, or \
         another instance"
    )]
    State { what: &'static str, row: String },
}
