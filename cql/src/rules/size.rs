//! Rules on sizes, which depend on bound values and the table.

use super::rules;

/// The maximum bytes of a row, including all metadata (`DG:quotas`, where it is 1 MB; assumed to mean 2^20).
pub const MAX_ROW_BYTES: usize = 1 << 20;

/// The maximum bytes of all values of a partition key (`DG:quotas`).
pub const MAX_PARTITION_KEY_BYTES: usize = 2_048;

/// The maximum bytes of all values of the clustering columns (`DG:quotas`).
pub const MAX_CLUSTERING_BYTES: usize = 850;

/// The maximum number of rows that one DELETE may delete (`DG:functional-differences`).
pub const MAX_RANGE_DELETE_ROWS: usize = 1_000;

/// The maximum bytes of a logged batch (`DG:quotas`, where it is 4 MB; assumed to mean 2^22).
pub const MAX_LOGGED_BATCH_BYTES: usize = 1 << 22;

/// The maximum number of statements of a logged batch that writes static columns (`DG:quotas`).
pub const MAX_LOGGED_STATEMENTS_WITH_STATIC: usize = 50;

/// The maximum digits of a `varint` or a `decimal` (`DG:calculating-row-size`, `DG:cql.elements`). It is assumed that trailing
/// zeros count for a `varint` and not for a `decimal`.
pub const MAX_DIGITS: usize = 38;

rules! {
    SIZE_RULES;

    ROW_TOO_LARGE {
        id: "row-too-large",
        refuses: "a row of more than 1 MB",
        server_message: Some("The row has exceeded the maximum allowed size"),
        code: None,
        advice: "Split the value over several rows, or keep it in Amazon S3.",
        source: "gh:capillariesio/capillaries (pkg/proc/table_inserter.go); DG:quotas",
        since: None,
    }
    PARTITION_KEY_TOO_LARGE {
        id: "partition-key-too-large",
        refuses: "a partition key of more than 2048 bytes",
        server_message: None,
        code: None,
        advice: "Use a shorter key, a hash for instance.",
        source: "DG:quotas",
        since: None,
    }
    CLUSTERING_TOO_LARGE {
        id: "clustering-too-large",
        refuses: "clustering columns of more than 850 bytes together",
        server_message: None,
        code: None,
        advice: "Use shorter values, and keep the long ones outside the primary key.",
        source: "DG:quotas",
        since: None,
    }
    TOO_MANY_DIGITS {
        id: "too-many-digits",
        refuses: "a varint or a decimal of more than 38 digits",
        server_message: None,
        code: None,
        advice: "Round it, or keep it as text.",
        source: "DG:cql.elements; DG:calculating-row-size",
        since: None,
    }
    RANGE_DELETE_TOO_LARGE {
        id: "range-delete-too-large",
        refuses: "a DELETE of more than 1000 rows",
        server_message: Some("Range delete requests are limited by the amount of items that can be deleted in a single range."),
        code: None,
        advice: "Delete in slices of at most 1000 rows.",
        source: "DG:troubleshooting.cql; DG:functional-differences",
        since: None,
    }
    LOGGED_BATCH_TOO_LARGE {
        id: "logged-batch-too-large",
        refuses: "a logged batch of more than 4 MB",
        server_message: None,
        code: None,
        advice: "Send several batches.",
        source: "DG:quotas",
        since: Some("2025-11-11"),
    }
    LOGGED_BATCH_TOO_LONG_WITH_STATIC {
        id: "logged-batch-too-long-with-static",
        refuses: "a logged batch of more than 50 statements that writes static columns",
        server_message: None,
        code: None,
        advice: "Send several batches.",
        source: "DG:quotas",
        since: Some("2025-11-11"),
    }
}
