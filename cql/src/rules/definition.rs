//! Rules on definitions of keyspaces, tables and types.

use super::rules;

/// The maximum characters of the name of a keyspace, a table or a type (`API:CreateTable`, `DG:quotas`).
pub const MAX_NAME_CHARACTERS: usize = 48;

/// The maximum characters of the name of a field (`DG:quotas`).
pub const MAX_FIELD_NAME_CHARACTERS: usize = 128;

/// The maximum nesting of frozen collections (`DG:quotas`; 5 in the China Regions).
pub const MAX_FROZEN_LEVELS: usize = 8;

/// The maximum number of tags in one statement (`API:TagResource`).
pub const MAX_STATEMENT_TAGS: usize = 60;

/// The maximum characters of the key of a tag (`API:TagResource`).
pub const MAX_TAG_KEY_CHARACTERS: usize = 128;

/// The maximum characters of the value of a tag (`API:TagResource`).
pub const MAX_TAG_VALUE_CHARACTERS: usize = 256;

/// The maximum number of tags of a keyspace, a table or a stream (`DG:TaggingRestrictions`).
pub const MAX_RESOURCE_TAGS: usize = 50;

/// The maximum bytes of the schema of a table (`DG:quotas`, where it is 350 KB; it is assumed that the length of the CREATE
/// TABLE counts, and that a KB is 1,024 bytes).
pub const MAX_SCHEMA_BYTES: usize = 350 * 1024;

/// The maximum number of user-defined types that the columns of a table may name (`DG:quotas`; it is assumed that types
/// inside those do not count).
pub const MAX_TABLE_TYPES: usize = 50;

/// The maximum number of other user-defined types that the fields of a user-defined type may name (`DG:quotas`).
pub const MAX_CHILD_TYPES: usize = 10;

/// The maximum bytes of the schema of a user-defined type (`DG:quotas`, where it is 25 KB; counted like
/// [`MAX_SCHEMA_BYTES`]).
pub const MAX_TYPE_SCHEMA_BYTES: usize = 25 * 1024;

rules! {
    DEFINITION_RULES;

    KEYSPACE_NAME {
        id: "keyspace-name",
        refuses: "names of keyspaces that are not 1 to 48 letters, digits and underscores, or that begin with an underscore",
        server_message: None,
        code: None,
        advice: "Choose another name.",
        source: "API:CreateKeyspace",
        since: None,
    }
    TABLE_NAME {
        id: "table-name",
        refuses: "names of tables that are not 1 to 48 letters, digits and underscores, or that begin with an underscore",
        server_message: None,
        code: None,
        advice: "Choose another name.",
        source: "API:CreateTable",
        since: None,
    }
    TYPE_NAME {
        id: "type-name",
        refuses: "names of types of more than 48 characters",
        server_message: None,
        code: None,
        advice: "Choose a shorter name.",
        source: "DG:quotas",
        since: Some("2024-10-30"),
    }
    FIELD_NAME {
        id: "field-name",
        refuses: "names of fields of more than 128 characters",
        server_message: None,
        code: None,
        advice: "Choose a shorter name.",
        source: "DG:quotas",
        since: Some("2024-10-30"),
    }
    FROZEN_TOO_DEEP {
        id: "frozen-too-deep",
        refuses: "more than 8 frozen collections inside each other",
        server_message: None,
        code: None,
        advice: "Use a user-defined type, or text that the application reads.",
        source: "DG:quotas",
        since: Some("2023-11-15"),
    }
    TYPE_NOT_FROZEN {
        id: "type-not-frozen",
        refuses: "a user-defined type that is not frozen inside another one",
        server_message: None,
        code: None,
        advice: "Write frozen<…> around the inner type.",
        source: "DG:cql.ddl.type",
        since: Some("2024-10-30"),
    }
    COUNTER_AND_OTHERS {
        id: "counter-and-others",
        refuses: "a table with counters that has other columns outside its primary key",
        server_message: None,
        code: None,
        advice: "Put the counters into a table of their own.",
        source: "DG:cql.elements",
        since: Some("2020-04-07"),
    }
    COUNTER_IN_KEY {
        id: "counter-in-key",
        refuses: "a counter in a primary key",
        server_message: None,
        code: None,
        advice: "Use bigint.",
        source: "DG:cql.elements",
        since: Some("2020-04-07"),
    }
    COUNTER_IN_COLLECTION {
        id: "counter-in-collection",
        refuses: "a counter in a list, a set or a map",
        server_message: Some("Counters are not allowed inside collections"),
        code: None,
        advice: "Use bigint, or a table with a row for each counter.",
        source: "gh:badmintoncryer/cdk-preflight (its rule of counters in collections)",
        since: Some("2020-04-07"),
    }
    COUNTER_IN_TUPLE {
        id: "counter-in-tuple",
        refuses: "a counter in a tuple",
        server_message: None,
        code: None,
        advice: "Use bigint, or a table with a row for each counter.",
        source: "gh:apache/cassandra (CQL3Type.java); inferred from the message of Keyspaces for collections",
        since: Some("2020-04-07"),
    }
    COUNTER_IN_TYPE {
        id: "counter-in-type",
        refuses: "a counter in a user-defined type",
        server_message: Some("A user type cannot contain counters"),
        code: None,
        advice: "Use bigint.",
        source: "gh:badmintoncryer/cdk-preflight (its rule of counters in types)",
        since: Some("2024-10-30"),
    }
    DURABLE_WRITES {
        id: "durable-writes",
        refuses: "durable_writes other than true",
        server_message: None,
        code: None,
        advice: "Leave it out: all writes are durable.",
        source: "DG:cql.ddl.keyspace",
        since: None,
    }
    NO_REPLICATION {
        id: "no-replication",
        refuses: "CREATE KEYSPACE without replication",
        server_message: None,
        code: None,
        advice: "Add WITH replication = {'class': 'SingleRegionStrategy'}.",
        source: "DG:cql.ddl.keyspace",
        since: None,
    }
    TOO_FEW_REGIONS {
        id: "too-few-regions",
        refuses: "NetworkTopologyStrategy with fewer than two Regions",
        server_message: None,
        code: None,
        advice: "Use {'class': 'SingleRegionStrategy'} for one Region.",
        source: "DG:cql.ddl.keyspace",
        since: Some("2023-06-05"),
    }
    REPLICATION_FACTOR {
        id: "replication-factor",
        refuses: "a replication factor other than 3",
        server_message: None,
        code: None,
        advice: "Write '3' for each Region.",
        source: "DG:cql.ddl.keyspace",
        since: Some("2023-06-05"),
    }
    DROP_COLUMN {
        id: "drop-column",
        refuses: "ALTER TABLE … DROP",
        server_message: None,
        code: None,
        advice: "Leave the column, and write nothing to it.",
        source: "not in the grammar of DG:cql.ddl.table",
        since: None,
    }
    RENAME_COLUMN {
        id: "rename-column",
        refuses: "ALTER TABLE … RENAME",
        server_message: None,
        code: None,
        advice: "Give the column its name in the application, or copy the rows to a new table.",
        source: "not in the grammar of DG:cql.ddl.table",
        since: None,
    }
    ALTER_COLUMN_TYPE {
        id: "alter-column-type",
        refuses: "ALTER TABLE … ALTER",
        server_message: None,
        code: None,
        advice: "Add a column of the new type.",
        source: "not in the grammar of DG:cql.ddl.table",
        since: None,
    }
    SEVERAL_CUSTOM_PROPERTIES {
        id: "several-custom-properties",
        refuses: "ALTER TABLE with more than one custom property",
        server_message: None,
        code: None,
        advice: "Change one, wait until the table is ACTIVE again, and change the next.",
        source: "DG:cql.ddl.table",
        since: None,
    }
    TAGS {
        id: "tags",
        refuses: "more than 60 tags in one statement, tag keys of more than 128 characters, and tag values of more than 256",
        server_message: None,
        code: None,
        advice: "Use fewer or shorter tags.",
        source: "API:TagResource",
        since: None,
    }
    TOO_MANY_TAGS {
        id: "tags-of-resource",
        refuses: "more than 50 tags of one keyspace, table or stream",
        server_message: None,
        code: None,
        advice: "Use fewer tags.",
        source: "DG:TaggingRestrictions",
        since: None,
    }
    TAG_EMPTY {
        id: "tag-empty",
        refuses: "a tag whose key or value is empty",
        server_message: None,
        code: None,
        advice: "Give the tag a value.",
        source: "DG:TaggingRestrictions",
        since: None,
    }
    TAG_CHARACTERS {
        id: "tag-characters",
        refuses: "characters in tags other than letters, digits, white space and + - = . _ : /",
        server_message: None,
        code: None,
        advice: "Leave the other characters out.",
        source: "DG:TaggingRestrictions",
        since: None,
    }
    TAG_PREFIX {
        id: "tag-prefix",
        refuses: "a tag whose key begins with aws:",
        server_message: None,
        code: None,
        advice: "Choose another key: AWS alone assigns this prefix.",
        source: "DG:TaggingRestrictions",
        since: None,
    }
    CAPACITY_UNITS {
        id: "capacity-units",
        refuses: "fewer than 1 capacity unit",
        server_message: None,
        code: None,
        advice: "Provision at least 1 unit of reads and 1 of writes, or use PAY_PER_REQUEST.",
        source: "API:CapacitySpecification",
        since: None,
    }
    AUTO_SCALING {
        id: "auto-scaling",
        refuses: "auto scaling with a target outside 20 to 90 percent, or with more minimum than maximum units",
        server_message: None,
        code: None,
        advice: "Choose a target_value from 20 to 90, and minimum_units no more than maximum_units.",
        source: "DG:autoscaling",
        since: Some("2024-01-23"),
    }
    TIMESTAMPS_DISABLED {
        id: "timestamps-disabled",
        refuses: "turning client-side timestamps off",
        server_message: None,
        code: None,
        advice: "Leave them on, or create another table without them.",
        source: "DG:client-side-timestamps",
        since: Some("2023-03-14"),
    }
    TTL_DISABLED {
        id: "ttl-disabled",
        refuses: "turning TTL off",
        server_message: None,
        code: None,
        advice: "Leave it on: default_time_to_live = 0 stops rows from expiring by default.",
        source: "DG:TTL-how-to-create-table",
        since: Some("2021-10-18"),
    }
    KMS_KEY {
        id: "kms-key",
        refuses: "a customer managed key that is not named by its ARN",
        server_message: None,
        code: None,
        advice: "Give 'kms_key_identifier' the ARN of a key in AWS KMS.",
        source: "DG:cql.ddl.table",
        since: Some("2021-06-01"),
    }
    PROVISIONED_WITHOUT_UNITS {
        id: "provisioned-without-units",
        refuses: "provisioned capacity without read and write units",
        server_message: Some("'PROVISIONED' throughput mode requires 'read_capacity_units' and 'write_capacity_units' to be set using \
                    'capacity_mode' option"),
        code: None,
        advice: "Give 'read_capacity_units' and 'write_capacity_units', each at least 1.",
        source: "gh:crossplane-contrib/provider-upjet-aws#1303",
        since: None,
    }
    DUPLICATE_REGION {
        id: "region-twice",
        refuses: "a Region that is named twice",
        server_message: None,
        code: None,
        advice: "Name each Region once.",
        source: "DG:cql.ddl.keyspace",
        since: Some("2023-06-05"),
    }
    RESTORE_TIMESTAMP {
        id: "restore-timestamp",
        refuses: "a restore_timestamp that is not a time in ISO 8601",
        server_message: None,
        code: None,
        advice: "Write it to the second or the millisecond, with its zone: '2020-06-30T04:05:00+0000' or '2020-06-30T19:19:21.175Z'.",
        source: "DG:cql.ddl.table; DG:restoretabletopointintime",
        since: Some("2020-07-09"),
    }
    RESTORE_TIMESTAMP_ZONE {
        id: "restore-timestamp-zone",
        refuses: "a restore_timestamp without a zone",
        server_message: None,
        code: None,
        advice: "Add the zone: Z for UTC, or an offset such as +0000.",
        source: "DG:cql.ddl.table; DG:restoretabletopointintime, where all times have a zone",
        since: Some("2020-07-09"),
    }
    RESTORE_OPTION {
        id: "restore-option",
        refuses: "TTL, client-side timestamps, CDC and warm throughput as options of RESTORE TABLE",
        server_message: None,
        code: None,
        advice: "Leave them out: TTL and client-side timestamps come with the table, and the others can be set by ALTER TABLE once it is ACTIVE.",
        source: "not in the grammar of DG:cql.ddl.table",
        since: Some("2020-07-09"),
    }
    SCHEMA_TOO_LARGE {
        id: "schema-too-large",
        refuses: "a table whose schema has more than 350 KB",
        server_message: None,
        code: None,
        advice: "Use fewer columns, or shorter names.",
        source: "DG:quotas",
        since: None,
    }
    TOO_MANY_TYPES {
        id: "too-many-types",
        refuses: "a table with more than 50 user-defined types",
        server_message: None,
        code: None,
        advice: "Put several fields into one type, or columns into another table.",
        source: "DG:quotas",
        since: Some("2024-10-30"),
    }
    TOO_MANY_CHILD_TYPES {
        id: "too-many-child-types",
        refuses: "a user-defined type with more than 10 others in it",
        server_message: None,
        code: None,
        advice: "Put several fields into one type.",
        source: "DG:quotas",
        since: Some("2024-10-30"),
    }
    TYPE_SCHEMA_TOO_LARGE {
        id: "type-schema-too-large",
        refuses: "a user-defined type whose schema has more than 25 KB",
        server_message: None,
        code: None,
        advice: "Use fewer fields, or shorter names.",
        source: "DG:quotas",
        since: Some("2024-10-30"),
    }
}
