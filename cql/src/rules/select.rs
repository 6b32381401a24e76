//! Rules on reads.

use super::{INVALID, rules};

/// The maximum number of subqueries of the INs of one SELECT (`DG:quotas`; AWS raises it on request).
pub const MAX_IN_SUBQUERIES: usize = 100;

rules! {
    SELECT_RULES;

    COUNT_ROWS {
        id: "count-rows",
        refuses: "COUNT(*)",
        server_message: Some("countRows is not yet supported."),
        code: Some(INVALID),
        advice: "Count while reading page by page, or keep a counter.",
        source: "gh:thatdot/quine#47",
        since: None,
    }
    AGGREGATE {
        id: "aggregate",
        refuses: "the aggregates COUNT, MIN, MAX, SUM and AVG",
        server_message: None,
        code: None,
        advice: "Read the rows and aggregate them in the application.",
        source: "DG:cassandra-apis",
        since: None,
    }
    GROUP_BY {
        id: "group-by",
        refuses: "GROUP BY",
        server_message: None,
        code: None,
        advice: "Read the rows and group them in the application.",
        source: "gh:aws-samples/amazon-aggregation-query-proxy (README); not in the grammar of DG:cql.dml.select",
        since: None,
    }
    DISTINCT {
        id: "distinct",
        refuses: "SELECT DISTINCT",
        server_message: None,
        code: None,
        advice: "For static columns, name the partition and add LIMIT 1; for partition keys, keep them in a table of their own, or read all rows and drop repetitions.",
        source: "gh:thatdot/quine (CassandraPersistor.scala); not in the grammar of DG:cql.dml.select",
        since: None,
    }
    PER_PARTITION_LIMIT {
        id: "per-partition-limit",
        refuses: "PER PARTITION LIMIT",
        server_message: Some("PER PARTITION LIMIT is not supported"),
        code: Some(INVALID),
        advice: "Read each partition with a LIMIT of its own.",
        source: "gh:JanusGraph/janusgraph#3879 (2023-07, answer to a PREPARE)",
        since: None,
    }
    TAGS_WHERE {
        id: "tags-where",
        refuses: "a SELECT from system_schema_mcs.tags without = on resource_id, on keyspace_name and resource_name, or on \
                  keyspace_name and resource_type",
        server_message: None,
        code: None,
        advice: "Compare one of these with = in the WHERE.",
        source: "DG:Tagging.Operations.view.keyspace; DG:Tagging.Operations.view.table",
        since: None,
    }
    SYSTEM_TABLE_WHERE {
        id: "system-table-where",
        refuses: "a SELECT from the system tables of auto scaling and of tables in several Regions without = on keyspace_name \
                  and table_name",
        server_message: None,
        code: None,
        advice: "Compare both with = in the WHERE.",
        source: "DG:working-with-keyspaces",
        since: None,
    }
    IN_SUBQUERY_LIMIT {
        id: "in-subqueries",
        refuses: "a SELECT whose INs multiply to more than 100 subqueries",
        server_message: None,
        code: None,
        advice: "Send one SELECT for each key, several at a time.",
        source: "DG:quotas",
        since: Some("2023-04-25"),
    }
    IN_WITH_TOKEN {
        id: "in-with-token",
        refuses: "IN and TOKEN in one SELECT",
        server_message: None,
        code: None,
        advice: "Send one SELECT for each key, or read ranges of tokens and filter the rows in the application.",
        source: "DG:functional-differences",
        since: Some("2023-04-25"),
    }
    COLLECTION_INEQUALITY {
        id: "collection-inequality",
        refuses: "an inequality on a whole collection, user-defined type or tuple",
        server_message: None,
        code: None,
        advice: "Compare in the application, or store the compared value in a separate column.",
        source: "DG:functional-differences; inferred for tuples",
        since: Some("2023-11-15"),
    }
    CELL_METADATA {
        id: "cell-metadata",
        refuses: "TTL and WRITETIME of a collection or user-defined type that is not frozen, or of a part of one",
        server_message: None,
        code: None,
        advice: "Freeze the column, or keep the time in a column of its own.",
        source: "DG:cql.dml.select",
        since: None,
    }
}
