//! Rules on changes and uses of a table, which depend on its current definition.

use super::rules;

rules! {
    CHANGE_RULES;

    CDC_VIEW {
        id: "cdc-view",
        refuses: "another view type for a CDC stream that is on",
        server_message: None,
        code: None,
        advice: "Turn the stream off, wait, and turn it on with the other view type.",
        source: "DG:cdc_how-it-works",
        since: Some("2025-07-02"),
    }
    COLUMN_EXISTS {
        id: "column-exists",
        refuses: "adding a column that the table has",
        server_message: None,
        code: None,
        advice: "Leave it out, or choose another name.",
        source: "DG:cql.ddl.table",
        since: None,
    }
    TTL_OFF {
        id: "ttl-off",
        refuses: "a TTL on a table on which TTL is off",
        server_message: Some("TTL is not yet supported."),
        code: None,
        advice: "Turn it on: custom_properties = {'ttl': {'status': 'enabled'}}; it cannot be turned off again.",
        source: "DG:troubleshooting.cql; DG:TTL-how-to-create-table",
        since: Some("2021-10-18"),
    }
    TIMESTAMPS_OFF {
        id: "timestamps-off",
        refuses: "USING TIMESTAMP on a table on which client-side timestamps are off",
        server_message: None,
        code: None,
        advice: "Turn them on: custom_properties = {'client_side_timestamps': {'status': 'enabled'}}; they cannot be turned off again.",
        source: "DG:client-side-timestamps",
        since: Some("2023-03-14"),
    }
    IN_OUTSIDE_KEY {
        id: "in-outside-key",
        refuses: "IN on a column outside the primary key",
        server_message: None,
        code: None,
        advice: "Send one SELECT for each value.",
        source: "gh:apache/cassandra (CASSANDRA-14344, of Cassandra 4.1; Keyspaces says that it is 3.11.2)",
        since: None,
    }
    ORDER_BY_SKIPS {
        id: "order-by-skips",
        refuses: "ORDER BY that leaves out a clustering column before one that it names",
        server_message: None,
        code: None,
        advice: "Name all clustering columns from the first on, in the order of the primary key.",
        source: "DG:cql.dml.select; gh:apache/cassandra (CASSANDRA-10271, of Cassandra 4.0)",
        since: None,
    }
}
