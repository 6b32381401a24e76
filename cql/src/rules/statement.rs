//! Rules on whole statements, and on system keyspaces.

use super::rules;

rules! {
    STATEMENT_RULES;

    TRUNCATE {
        id: "truncate",
        refuses: "TRUNCATE",
        server_message: None,
        code: None,
        advice: "Drop the table, wait until it is gone from system_schema_mcs.tables, and create it again.",
        source: "DG:cassandra-apis",
        since: None,
    }
    INDEX {
        id: "index",
        refuses: "secondary indexes",
        server_message: None,
        code: None,
        advice: "Write the rows to a second table as well, with the column that you look up as its key.",
        source: "DG:cassandra-apis",
        since: None,
    }
    ALTER_TYPE {
        id: "alter-type",
        refuses: "ALTER TYPE",
        server_message: None,
        code: None,
        advice: "Create a new type, and a column of it.",
        source: "DG:cassandra-apis",
        since: None,
    }
    TRIGGER {
        id: "trigger",
        refuses: "triggers",
        server_message: None,
        code: None,
        advice: "Read the changes of the table from its CDC stream.",
        source: "DG:cassandra-apis",
        since: None,
    }
    USER_DEFINED_FUNCTION {
        id: "user-defined-function",
        refuses: "user-defined functions",
        server_message: None,
        code: None,
        advice: "Compute in the application.",
        source: "DG:cassandra-apis",
        since: None,
    }
    USER_DEFINED_AGGREGATE {
        id: "user-defined-aggregate",
        refuses: "user-defined aggregates",
        server_message: None,
        code: None,
        advice: "Read the rows and aggregate them in the application.",
        source: "DG:cassandra-apis",
        since: None,
    }
    MATERIALIZED_VIEW {
        id: "materialized-view",
        refuses: "materialized views",
        server_message: None,
        code: None,
        advice: "Write the rows to a second table as well, with the column that you look up as its key.",
        source: "DG:cassandra-apis",
        since: None,
    }
    ACCESS_CONTROL {
        id: "access-control",
        refuses: "Cassandra's roles, users and permissions",
        server_message: None,
        code: None,
        advice: "Use IAM: identities, and policies on keyspaces and tables.",
        source: "DG:functional-differences",
        since: None,
    }
    SYSTEM_KEYSPACE {
        id: "system-keyspace",
        refuses: "changes in the system keyspaces, except for the partitioner in system.local",
        server_message: None,
        code: None,
        advice: "Keep your tables in a keyspace of your own.",
        source: "DG:working-with-keyspaces",
        since: None,
    }
    DEFINITION_PREPARED {
        id: "definition-prepared",
        refuses: "CREATE, ALTER, DROP and RESTORE as prepared statements",
        server_message: None,
        code: None,
        advice: "Send the statement unprepared.",
        source: "DG:functional-differences",
        since: None,
    }
}
