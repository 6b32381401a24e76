//! Rules on writes.

use super::rules;

/// The maximum TTL in seconds: 20 years (`DG:TTL-how-to-create-table`).
pub const MAX_TTL_SECONDS: u64 = 630_720_000;

/// The maximum number of regular columns that an INSERT or UPDATE may set (`DG:quotas`).
pub const MAX_COLUMNS: usize = 225;

/// The maximum number of regular columns that an INSERT or UPDATE with a TTL may set (`DG:quotas`).
pub const MAX_COLUMNS_WITH_TTL: usize = 166;

rules! {
    WRITE_RULES;

    IN_WRITE {
        id: "in-write",
        refuses: "IN in an UPDATE or a DELETE",
        server_message: None,
        code: None,
        advice: "Send one statement for each key.",
        source: "DG:functional-differences",
        since: None,
    }
    TTL_TOO_LONG {
        id: "ttl-too-long",
        refuses: "a TTL of more than 630720000 seconds (20 years)",
        server_message: None,
        code: None,
        advice: "Use a shorter TTL, or none.",
        source: "DG:cql.dml.insert",
        since: Some("2021-10-18"),
    }
    TTL_ON_COUNTER {
        id: "ttl-on-counter",
        refuses: "a TTL on a counter",
        server_message: None,
        code: None,
        advice: "Leave out USING TTL, and delete the counter when it is not needed any more.",
        source: "DG:calculating-row-size",
        since: None,
    }
    TTL_ON_DELETE {
        id: "ttl-on-delete",
        refuses: "USING TTL in a DELETE",
        server_message: None,
        code: None,
        advice: "Leave out USING TTL.",
        source: "DG:cql.dml.delete",
        since: None,
    }
    TOO_MANY_COLUMNS {
        id: "too-many-columns",
        refuses: "an INSERT or UPDATE of more than 225 regular columns",
        server_message: None,
        code: None,
        advice: "Write the row with several statements.",
        source: "DG:quotas",
        since: None,
    }
    TOO_MANY_COLUMNS_WITH_TTL {
        id: "too-many-columns-with-ttl",
        refuses: "an INSERT or UPDATE of more than 166 regular columns with a TTL",
        server_message: None,
        code: None,
        advice: "Write the row with several statements.",
        source: "DG:quotas",
        since: None,
    }
}
