//! Changes of a table, which only the table as it is can tell.

use super::rules;

rules! {
    OF_CHANGES;

    CDC_VIEW {
        id: "cdc-view",
        refuses: "another view type for a CDC stream that is on",
        text: None,
        code: None,
        advice: "Turn the stream off, wait, and turn it on with the other view type.",
        source: "DG:cdc_how-it-works",
        since: Some("2025-07-02"),
    }
    COLUMN_EXISTS {
        id: "column-exists",
        refuses: "adding a column that the table has",
        text: None,
        code: None,
        advice: "Leave it out, or choose another name.",
        source: "DG:cql.ddl.table",
        since: None,
    }
}
