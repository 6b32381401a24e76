//! SELECT from the system tables that require certain columns in the WHERE.

use super::Judge;
use crate::rules::{self, Rule};
use crate::statement::Select;

/// A system table, its sets of columns, and the rule that requires a SELECT to compare all columns of one set with `=`.
struct Lookup {
    keyspace: &'static str,
    table: &'static str,
    by: &'static [&'static [&'static str]],
    rule: &'static Rule,
}

const BOTH_NAMES: &[&[&str]] = &[&["keyspace_name", "table_name"]];

static LOOKUPS: &[Lookup] = &[
    Lookup {
        keyspace: "system_schema_mcs",
        table: "tags",
        by: &[&["resource_id"], &["keyspace_name", "resource_name"], &["keyspace_name", "resource_type"]],
        rule: &rules::TAGS_WHERE,
    },
    Lookup { keyspace: "system_schema_mcs", table: "autoscaling", by: BOTH_NAMES, rule: &rules::SYSTEM_TABLE_WHERE },
    Lookup { keyspace: "system_multiregion_info", table: "tables", by: BOTH_NAMES, rule: &rules::SYSTEM_TABLE_WHERE },
    Lookup {
        keyspace: "system_multiregion_info",
        table: "autoscaling",
        by: BOTH_NAMES,
        rule: &rules::SYSTEM_TABLE_WHERE,
    },
];

pub(super) fn check_system_select(judge: &mut Judge<'_>, select: &Select) {
    let keyspace = select.table.keyspace.as_ref().map(|name| name.text.as_str()).or(judge.context.keyspace);
    let Some(lookup) =
        LOOKUPS.iter().find(|lookup| Some(lookup.keyspace) == keyspace && lookup.table == select.table.name.text)
    else {
        return;
    };
    let compared = |column: &str| {
        let mut equalities = select.relations.iter().filter_map(|relation| relation.equality());
        equalities.any(|(name, _)| name.text == column)
    };
    if !lookup.by.iter().any(|columns| columns.iter().all(|column| compared(column))) {
        judge.refuse(lookup.rule, select.table.span());
    }
}
