//! Words that are names only in double quotes.

use crate::statement::NativeType;

/// Whether a word is no name unless it is quoted.
pub(crate) fn is_reserved(word: &str) -> bool {
    RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(word))
}

/// Whether a word is no name of a user-defined type unless it is quoted: those of native types, and those that Cassandra
/// keeps for types to come (`reservedTypeNames` in its Parser.g).
pub(crate) fn is_reserved_for_types(word: &str) -> bool {
    let kept = ["bitstring", "byte", "complex", "enum", "interval", "macaddr"];
    NativeType::named(&word.to_ascii_lowercase()).is_some() || kept.iter().any(|kept| kept.eq_ignore_ascii_case(word))
}

/// Whether a word is reserved in Cassandra 3.11 and Keyspaces, and not in a later Cassandra or in ScyllaDB.
pub(crate) fn is_reserved_no_more(word: &str) -> bool {
    ["default", "mbean", "mbeans", "replace", "unset"].iter().any(|free| free.eq_ignore_ascii_case(word))
}

/// The keywords of Cassandra 3.11 that its grammar does not list among the unreserved ones, in which AWS's own grammar
/// (`gh:aws/amazon-keyspaces-cql-to-cfn-converter`, CfnCompatibleCql.g) agrees with it. Later versions of Cassandra take
/// `default`, `mbean`, `mbeans`, `replace` and `unset` as names. The last two are constants.
const RESERVED: &[&str] = &[
    "add",
    "allow",
    "alter",
    "and",
    "apply",
    "asc",
    "authorize",
    "batch",
    "begin",
    "by",
    "columnfamily",
    "create",
    "default",
    "delete",
    "desc",
    "describe",
    "drop",
    "entries",
    "execute",
    "from",
    "full",
    "grant",
    "if",
    "in",
    "index",
    "infinity",
    "insert",
    "into",
    "is",
    "keyspace",
    "limit",
    "materialized",
    "mbean",
    "mbeans",
    "modify",
    "nan",
    "norecursive",
    "not",
    "null",
    "of",
    "on",
    "or",
    "order",
    "primary",
    "rename",
    "replace",
    "revoke",
    "schema",
    "select",
    "set",
    "table",
    "to",
    "token",
    "truncate",
    "unlogged",
    "unset",
    "update",
    "use",
    "using",
    "view",
    "where",
    "with",
    "true",
    "false",
];
