//! Reserved words, which are names only in double quotes.

use crate::statement::NativeType;

/// Whether a word has to be quoted to be a name.
pub(crate) fn is_reserved(word: &str) -> bool {
    RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(word))
}

/// Whether a word has to be quoted to name a user-defined type: the native types, and the words that Cassandra reserves for
/// future types (`reservedTypeNames` in its Parser.g).
pub(crate) fn is_reserved_for_types(word: &str) -> bool {
    let future_types = ["bitstring", "byte", "complex", "enum", "interval", "macaddr"];
    NativeType::from_name(&word.to_ascii_lowercase()).is_some()
        || future_types.iter().any(|name| name.eq_ignore_ascii_case(word))
}

/// Whether Cassandra 3.11 and Keyspaces reserve the word, but later versions of Cassandra and ScyllaDB do not.
pub(crate) fn is_reserved_only_in_keyspaces(word: &str) -> bool {
    ["default", "mbean", "mbeans", "replace", "unset"].iter().any(|name| name.eq_ignore_ascii_case(word))
}

/// The keywords of Cassandra 3.11 that its grammar does not list as unreserved. AWS's own grammar
/// (`gh:aws/amazon-keyspaces-cql-to-cfn-converter`, CfnCompatibleCql.g) agrees. Later versions of Cassandra accept
/// `default`, `mbean`, `mbeans`, `replace` and `unset` as names. `true` and `false` are constants.
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
