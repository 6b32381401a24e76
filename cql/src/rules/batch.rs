//! Rules on batches.

use super::{INVALID, rules};

/// The maximum number of statements of an unlogged batch (`DG:quotas`).
pub const MAX_UNLOGGED_STATEMENTS: usize = 30;

/// The maximum number of statements of a logged batch (`DG:quotas`). If the batch writes static columns, which the text
/// alone does not show, it is [`MAX_LOGGED_STATEMENTS_WITH_STATIC`](super::MAX_LOGGED_STATEMENTS_WITH_STATIC).
pub const MAX_LOGGED_STATEMENTS: usize = 100;

rules! {
    BATCH_RULES;

    UNLOGGED_BATCH_TOO_LONG {
        id: "unlogged-batch-too-long",
        refuses: "an unlogged batch of more than 30 statements",
        server_message: Some("Batches with more than 30 statements are not supported."),
        code: Some(INVALID),
        advice: "Send several batches, or single statements concurrently: a batch is no faster.",
        source: "gh:cfpb/hmda-platform#5001; DG:quotas",
        since: None,
    }
    LOGGED_BATCH_TOO_LONG {
        id: "logged-batch-too-long",
        refuses: "a logged batch of more than 100 statements",
        server_message: None,
        code: None,
        advice: "Send several batches.",
        source: "DG:quotas",
        since: Some("2025-11-11"),
    }
    COUNTER_BATCH {
        id: "counter-batch",
        refuses: "BEGIN COUNTER BATCH",
        server_message: Some("Only UNLOGGED Batches are supported at this time."),
        code: None,
        advice: "Send the counter updates as single statements, concurrently, or in an unlogged batch.",
        source: "DG:bulk-upload-troubleshooting",
        since: None,
    }
    COUNTER_IN_LOGGED_BATCH {
        id: "counter-in-logged-batch",
        refuses: "counters in a logged batch",
        server_message: None,
        code: None,
        advice: "Send the counter updates outside the batch.",
        source: "DG:batchStatements",
        since: Some("2025-11-11"),
    }
    OPERATOR_IN_LOGGED_BATCH {
        id: "operator-in-logged-batch",
        refuses: "operators other than = in a WHERE of a logged batch, including range deletes",
        server_message: None,
        code: None,
        advice: "Name each row by its whole primary key, or send the statement outside the batch.",
        source: "DG:batchStatements",
        since: Some("2025-11-11"),
    }
    SAME_ROW_IN_LOGGED_BATCH {
        id: "same-row-in-logged-batch",
        refuses: "two statements on one row in a logged batch",
        server_message: None,
        code: None,
        advice: "Combine them into one statement.",
        source: "DG:batchStatements",
        since: Some("2025-11-11"),
    }
}
