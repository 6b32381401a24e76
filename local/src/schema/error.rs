//! Why a Cassandra cannot be used.

use crate::upstream::InternalRequestError;

/// Why a Cassandra cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SchemaError {
    /// It refused a statement, or could not be reached.
    #[error(transparent)]
    Failed(#[from] InternalRequestError),
    /// It has another partitioner than the one that is reported to clients.
    #[error("the partitioner of Cassandra is {found}, and the configured partitioner needs {required}")]
    Partitioner { found: String, required: &'static str },
    /// The stored entry of an object cannot be read.
    #[error(
        "the state of this instance in Cassandra cannot be read: {field} of {row}; start the version that wrote it, or \
         another instance"
    )]
    State { field: &'static str, row: String },
}
