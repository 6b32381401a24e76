//! Keyspaces and tables.

use super::features::record_table;
use super::{Linter, advice};
use crate::allowed::is_ignored;
use crate::statement::{
    AlterTable, AlterTableChange, ColumnDefinition, ConstantKind, CqlType, CqlTypeKind, CreateTable, NativeType,
    TermKind, WithOption, option,
};
use crate::table::TableProblem;
use crate::{ColumnKind, Span};

/// The id of the problem, and the remedy if the problem does not state it. `None` for problems that the judgement reports.
pub(crate) fn problem(problem: &TableProblem) -> Option<(&'static str, Option<&'static str>)> {
    Some(match problem {
        TableProblem::NoPrimaryKey => (
            "no-primary-key",
            Some("Add PRIMARY KEY ((…), …): the columns to look up by, then the columns to sort by."),
        ),
        TableProblem::SeveralPrimaryKeys => ("several-primary-keys", Some("Keep one.")),
        TableProblem::DuplicateColumn(_) => ("column-twice", Some("Give one of them another name.")),
        TableProblem::MissingKeyColumn(_) => ("key-column-missing", Some("Add the column, or correct its name.")),
        TableProblem::DuplicateKeyColumn(_) => ("key-column-twice", Some("Name it once.")),
        TableProblem::StaticKeyColumn(_) => ("static-key-column", Some("Leave out STATIC.")),
        TableProblem::StaticWithoutClustering(_) => {
            ("static-without-clustering", Some("Leave out STATIC: each partition has one row."))
        }
        TableProblem::ClusteringOrder => ("clustering-order", None),
        TableProblem::KeyNotFrozen(_) | TableProblem::KeyTypeNotNative { .. } => ("key-not-frozen", None),
        TableProblem::NotFrozenInside(_) => ("not-frozen-inside", None),
        TableProblem::Refused(_) | TableProblem::Unknown(_) => return None,
    })
}

pub(super) fn replication(linter: &mut Linter, options: &[WithOption]) {
    let Some(option) = option(options, "replication") else { return };
    let TermKind::Map(entries) = &option.value.kind else { return };
    for (_, value) in entries {
        if let TermKind::Constant(constant) = &value.kind
            && constant.kind == ConstantKind::String
            && OTHER_STRATEGIES.iter().any(|strategy| constant.text.ends_with(strategy))
        {
            linter.advise(&advice::SIMPLE_STRATEGY, option.value.span, &constant.text);
        }
    }
}

/// Checks a CREATE TABLE. Missing parts are reported only if `is_complete`: the whole statement could be parsed.
pub(super) fn create_table(linter: &mut Linter, create: &CreateTable, is_complete: bool) {
    let mut problems = Vec::new();
    let table = crate::table::create::examine(create, &mut |error| problems.push(error));
    for error in &problems {
        let depends_on_missing_parts = matches!(
            error.problem,
            TableProblem::NoPrimaryKey
                | TableProblem::MissingKeyColumn(_)
                | TableProblem::StaticWithoutClustering(_)
                | TableProblem::ClusteringOrder
        );
        if is_complete || !depends_on_missing_parts {
            linter.table_problem(error.span, &error.problem);
        }
    }
    if is_complete {
        record_table(linter, &create.table, &table);
    }
    ignored_options(linter, &create.options, is_ignored);
    let expires =
        option(&create.options, "default_time_to_live").is_some() && table.options.default_time_to_live != Some(0);
    let kinds = table.columns.iter().map(|column| column.kind);
    let columns: Vec<_> = create.columns.iter().zip(kinds).collect();
    for (column, kind) in &columns {
        check_size(linter, column, *kind);
    }
    let columns_of_kind = |kind: ColumnKind| {
        let columns = columns.iter().filter(move |(_, other)| *other == kind);
        columns.map(|(column, _)| *column).collect::<Vec<_>>()
    };
    let key_span = create.primary_keys.first().map(|key| key.span);
    let (partition_key, clustering) =
        (columns_of_kind(ColumnKind::PartitionKey), columns_of_kind(ColumnKind::Clustering));
    if partition_key.len() == table.partition_key.len() {
        check_partition_key(linter, &partition_key, &clustering, expires, key_span);
    }
}

pub(super) fn alter_table(linter: &mut Linter, alter: &AlterTable) {
    match &alter.change {
        AlterTableChange::Add(columns) | AlterTableChange::AddWithoutParentheses(columns) => {
            for column in columns {
                check_size(
                    linter,
                    column,
                    if column.is_static.is_some() { ColumnKind::Static } else { ColumnKind::Regular },
                );
            }
        }
        AlterTableChange::With(options) => ignored_options(linter, options, is_ignored),
        _ => {}
    }
}

fn check_partition_key(
    linter: &mut Linter,
    key: &[&ColumnDefinition],
    clustering: &[&ColumnDefinition],
    expires: bool,
    span: Option<Span>,
) {
    let (Some(first), Some(last)) = (key.first(), key.last()) else { return };
    let names: Vec<_> = key.iter().map(|column| column.name.to_string()).collect();
    let span = span.unwrap_or_else(|| first.span.to(last.span));
    let shared = !clustering.is_empty();
    if key.iter().all(|column| has_few_values(column, shared)) {
        linter.advise(&advice::HOT_PARTITION, span, &names.join(", "));
    }
    if let Some(time) = clustering.iter().find(|column| is_time(&column.column_type))
        && !expires
        && !key.iter().any(|column| is_time(&column.column_type) || ends_with_word(column, TIMES))
    {
        linter.advise(&advice::UNBOUNDED_PARTITION, span, &time.name.to_string());
    }
}

/// Reports columns that can make a row too large. The columns of a key have limits of their own.
fn check_size(linter: &mut Linter, column: &ColumnDefinition, kind: ColumnKind) {
    if kind.is_key() {
        return;
    }
    if is_collection(&column.column_type) {
        linter.advise(&advice::COLLECTION_SIZE, column.span, &column.name.to_string());
    } else if column.column_type.kind == CqlTypeKind::Native(NativeType::Blob) {
        linter.advise(&advice::BLOB_SIZE, column.span, &column.name.to_string());
    }
}

/// Reports all ignored options as one finding, because Cassandra prints a dozen of them for each table.
pub(super) fn ignored_options(linter: &mut Linter, options: &[WithOption], is_ignored: fn(&WithOption) -> bool) {
    let ignored: Vec<_> = options.iter().filter(|option| is_ignored(option)).collect();
    if let (Some(first), Some(last)) = (ignored.first(), ignored.last()) {
        let names: Vec<_> = ignored.iter().map(|option| option.name.text.as_str()).collect();
        linter.advise(&advice::IGNORED_OPTION, first.span.to(last.span), &names.join(", "));
    }
}

/// Whether a column has few distinct values, by its type or by the last word of its name: a type does not show whether a
/// column is a country or a customer. If rows do not share partitions (`shared`), a table by country has one row for each
/// country, which is fine.
fn has_few_values(column: &ColumnDefinition, shared: bool) -> bool {
    let CqlTypeKind::Native(native) = column.column_type.kind else { return false };
    match native {
        NativeType::Boolean | NativeType::Date | NativeType::Tinyint => true,
        NativeType::Timestamp | NativeType::Timeuuid | NativeType::Uuid => false,
        _ => ends_with_word(column, TIMES) || (shared && ends_with_word(column, CATEGORIES)),
    }
}

fn is_time(cql_type: &CqlType) -> bool {
    let times = [NativeType::Date, NativeType::Timestamp, NativeType::Timeuuid];
    matches!(cql_type.kind, CqlTypeKind::Native(native) if times.contains(&native))
}

fn is_collection(cql_type: &CqlType) -> bool {
    match &cql_type.kind {
        CqlTypeKind::Frozen(inner) => is_collection(inner),
        kind => matches!(kind, CqlTypeKind::List(_) | CqlTypeKind::Set(_) | CqlTypeKind::Map(..)),
    }
}

fn ends_with_word(column: &ColumnDefinition, words: &[&str]) -> bool {
    let name = column.name.text.to_ascii_lowercase();
    words.contains(&name.rsplit('_').next().unwrap_or(&name))
}

/// Names of columns in which most new rows have the same value, the current one.
const TIMES: &[&str] = &["date", "day", "hour", "month", "quarter", "week", "year"];

/// Names of columns with few distinct values.
const CATEGORIES: &[&str] = &[
    "category", "country", "currency", "gender", "kind", "language", "level", "priority", "severity", "state",
    "status", "type",
];

/// Replication strategies of Cassandra, and the strategy of Keyspaces' first year.
const OTHER_STRATEGIES: &[&str] = &["SimpleStrategy", "LocalStrategy", "EverywhereStrategy", "DefaultReplication"];
