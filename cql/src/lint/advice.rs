//! AWS's advice on data models and queries, and on the parts of a Cassandra schema that Keyspaces treats differently.

/// Advice against a statement that Keyspaces accepts.
#[derive(Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Advice {
    /// The stable name of the advice.
    pub id: &'static str,
    /// The problem; `{}` stands for the subject, a column for instance.
    pub reason: &'static str,
    /// The alternative, in whole sentences.
    pub alternative: &'static str,
    /// The source of the advice.
    pub source: &'static str,
}

/// All advice.
pub fn all() -> impl Iterator<Item = &'static Advice> {
    ALL.iter().copied()
}

macro_rules! advice {
    ($($name:ident { id: $id:literal, reason: $reason:literal, alternative: $alternative:literal, source: $source:literal, })*) => {
        $(
            #[doc = concat!("`", $id, "`: ", $reason, ".")]
            pub static $name: Advice =
                Advice { id: $id, reason: $reason, alternative: $alternative, source: $source };
        )*

        static ALL: &[&Advice] = &[$(&$name),*];
    };
}

advice! {
    HOT_PARTITION {
        id: "hot-partition",
        reason: "the partition key {} has few values at a time, so concurrent writes go to few partitions, each of which takes 1,000 WCU and 3,000 RCU a second",
        alternative: "Add a column with many values to the partition key, or a shard number that is computed from the row.",
        source: "DG:bp-partition-key-design; DG:bp-partition-key-sharding",
    }
    UNBOUNDED_PARTITION {
        id: "unbounded-partition",
        reason: "partitions grow without limit with new values of {}: the partition key has no time, and rows do not expire",
        alternative: "Add the day or the month to the partition key, or set default_time_to_live.",
        source: "DG:data-modeling",
    }
    COLLECTION_SIZE {
        id: "collection-size",
        reason: "the collection {} has no size limit, but its row, or the static columns of its partition, cannot exceed 1 MB",
        alternative: "Give each element a row of its own by a clustering column, or keep the number of elements small.",
        source: "DG:quotas",
    }
    BLOB_SIZE {
        id: "blob-size",
        reason: "a value of {} counts towards its row, or the static columns of its partition, which cannot exceed 1 MB",
        alternative: "Keep large objects in Amazon S3 and their keys here, or split them over several rows.",
        source: "DG:quotas",
    }
    ALLOW_FILTERING {
        id: "allow-filtering",
        reason: "ALLOW FILTERING reads, and is billed for, all rows that it searches, not only those that it returns",
        alternative: "Write the rows to a second table as well, with the column that you look up as its key.",
        source: "DG:capacity-examples",
    }
    FULL_SCAN {
        id: "full-scan",
        reason: "a SELECT without WHERE reads, and is billed for, the whole table",
        alternative: "Name a partition. To read all rows, read token ranges one after another.",
        source: "DG:capacity-examples",
    }
    SELECT_STAR {
        id: "select-star",
        reason: "SELECT * also returns columns that are added later, and columns cannot be dropped",
        alternative: "Name the columns that the program reads.",
        source: "DG:cql.ddl.table, whose grammar has no ALTER TABLE … DROP",
    }
    IN_SELECT {
        id: "in-select",
        reason: "each value of IN becomes a separate query, one after another on the same connection, and counts towards its 3,000 queries a second",
        alternative: "Send one SELECT for each key, several at a time.",
        source: "DG:in.select; DG:functional-differences",
    }
    SIMPLE_STRATEGY {
        id: "simple-strategy",
        reason: "the guide does not name {}, so it is not known whether it is accepted; there are always three copies",
        alternative: "Write {'class': 'SingleRegionStrategy'}.",
        source: "DG:cql.ddl.keyspace",
    }
    IGNORED_OPTION {
        id: "ignored-option",
        reason: "Amazon Keyspaces accepts and ignores {}",
        alternative: "Remove it: the service manages how rows are stored.",
        source: "DG:functional-differences",
    }
}
