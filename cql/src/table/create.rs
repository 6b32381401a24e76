//! The table that a CREATE TABLE makes, and the errors that prevent it.

use std::collections::HashSet;
use std::iter;

use super::{Column, ColumnKind, TableDefinition, TableError, TableOptions, TableProblem, Ttl, or_first_error};
use crate::statement::{
    ClusteringOrder, ColumnDefinition, CqlType, CqlTypeKind, CreateTable, NativeType, PrimaryKey, SortOrder,
};
use crate::{Name, Span, rules};

pub(crate) fn definition(create: &CreateTable) -> Result<TableDefinition, TableError> {
    or_first_error(|report| examine(create, report))
}

/// Builds the table as far as the statement defines it, and passes every error in the statement to `report`.
pub(crate) fn examine(create: &CreateTable, report: &mut dyn FnMut(TableError)) -> TableDefinition {
    let key = read_key(create, report);
    let has_key = key.is_some();
    let PrimaryKey { partition_key, clustering_columns, .. } = key.unwrap_or_default();
    let in_partition_key: HashSet<_> = partition_key.iter().map(|name| name.text.as_str()).collect();
    let in_clustering: HashSet<_> = clustering_columns.iter().map(|name| name.text.as_str()).collect();
    if !create.table.name.is_valid() {
        report(TableError::refused(create.table.name.span, &rules::TABLE_NAME));
    }
    let mut names = HashSet::new();
    let mut columns = Vec::with_capacity(create.columns.len());
    for column in &create.columns {
        let name = column.name.to_string();
        if !names.insert(column.name.text.as_str()) {
            report(error(column.name.span, TableProblem::DuplicateColumn(name.clone())));
        }
        let kind = match column.is_static {
            _ if in_partition_key.contains(column.name.text.as_str()) => ColumnKind::PartitionKey,
            _ if in_clustering.contains(column.name.text.as_str()) => ColumnKind::Clustering,
            Some(_) => ColumnKind::Static,
            None => ColumnKind::Regular,
        };
        match column.is_static {
            Some(span) if kind != ColumnKind::Static => report(error(span, TableProblem::StaticKeyColumn(name))),
            Some(span) if has_key && clustering_columns.is_empty() => {
                report(error(span, TableProblem::StaticWithoutClustering(name)));
            }
            _ => {}
        }
        if let Err(error) = check_type(column, kind) {
            report(error);
        }
        columns.push(Column { name: column.name.canonical(), column_type: column.column_type.canonical(), kind });
    }
    let mut in_key = HashSet::new();
    for name in partition_key.iter().chain(&clustering_columns) {
        if !names.contains(name.text.as_str()) {
            report(error(name.span, TableProblem::MissingKeyColumn(name.to_string())));
        }
        if !in_key.insert(name.text.as_str()) {
            report(error(name.span, TableProblem::DuplicateKeyColumn(name.to_string())));
        }
    }
    check_counters(create, &columns, report);
    let mut options = TableOptions::examine(&create.options, &mut |error| report(error.into()));
    if let Some(1..) = options.default_time_to_live {
        options.ttl = Some(Ttl::Enabled);
    }
    let table = TableDefinition {
        clustering_columns: read_clustering(create, has_key, &clustering_columns, report),
        table: create.table.canonical(),
        columns,
        partition_key: partition_key.iter().map(Name::canonical).collect(),
        options,
    };
    if let Err(error) = table.check() {
        report(error);
    }
    table
}

/// Counters cannot share a table with other columns outside the key.
fn check_counters(create: &CreateTable, columns: &[Column], report: &mut dyn FnMut(TableError)) {
    let counter = CqlTypeKind::Native(NativeType::Counter);
    let outside_key = create.columns.iter().zip(columns).filter(|(_, column)| !column.kind.is_key());
    let (counters, others): (Vec<_>, Vec<_>) = outside_key.partition(|(_, column)| column.column_type.kind == counter);
    if let (Some((other, _)), false) = (others.first(), counters.is_empty()) {
        report(TableError::refused(other.span, &rules::COUNTER_AND_OTHERS));
    }
}

/// Reads `PRIMARY KEY (…)`, or the one column that has `PRIMARY KEY` after its type.
fn read_key(create: &CreateTable, report: &mut dyn FnMut(TableError)) -> Option<PrimaryKey> {
    let of_columns = create.columns.iter().filter_map(|column| {
        let span = column.primary_key?;
        Some(PrimaryKey { partition_key: vec![column.name.clone()], clustering_columns: Vec::new(), span })
    });
    let mut keys = of_columns.chain(create.primary_keys.iter().cloned());
    let key = keys.next();
    if key.is_none() {
        report(error(create.table.span(), TableProblem::NoPrimaryKey));
    }
    keys.for_each(|further| report(error(further.span, TableProblem::SeveralPrimaryKeys)));
    key
}

fn read_clustering(
    create: &CreateTable,
    has_key: bool,
    columns: &[Name],
    report: &mut dyn FnMut(TableError),
) -> Vec<ClusteringOrder> {
    let named = create.clustering_order.iter();
    if named.len() <= columns.len() && named.zip(columns).all(|(by, column)| by.column.text == column.text) {
        // Clustering columns after the last one in CLUSTERING ORDER BY are ascending.
        let orders = create.clustering_order.iter().map(|by| by.order).chain(iter::repeat(SortOrder::Ascending));
        return columns.iter().zip(orders).map(|(column, order)| ordered(column, order)).collect();
    }
    if let Some(span) = create.clustering_order.iter().map(|order| order.span).reduce(Span::to)
        && has_key
    {
        report(error(span, TableProblem::ClusteringOrder));
    }
    columns.iter().map(|column| ordered(column, SortOrder::Ascending)).collect()
}

/// Checks the type of a column: a key holds no multi-part type that is not frozen, a collection inside another collection
/// is frozen, and frozen types are not nested too deep.
fn check_type(column: &ColumnDefinition, kind: ColumnKind) -> Result<(), TableError> {
    let key = kind.is_key();
    let span = column.column_type.span;
    if column.column_type.frozen_levels() > rules::MAX_FROZEN_LEVELS {
        return Err(TableError::refused(span, &rules::FROZEN_TOO_DEEP));
    }
    if let Some(rule) = column.column_type.counter_inside() {
        return Err(TableError::refused(span, rule));
    }
    match &column.column_type.kind {
        CqlTypeKind::Native(NativeType::Counter) if key => {
            Err(TableError::refused(column.span, &rules::COUNTER_IN_KEY))
        }
        CqlTypeKind::UserDefined(named) if key => {
            let similar = NativeType::similar_to(&named.name.text);
            let (column, named) = (column.name.to_string(), named.to_string());
            Err(error(span, TableProblem::KeyTypeNotNative { column, named, similar }))
        }
        CqlTypeKind::List(_) | CqlTypeKind::Set(_) | CqlTypeKind::Map(..) if key => {
            Err(error(span, TableProblem::KeyNotFrozen(column.name.to_string())))
        }
        CqlTypeKind::List(part) | CqlTypeKind::Set(part) if is_multi_cell(part) => {
            Err(error(span, TableProblem::NotFrozenInside(column.name.to_string())))
        }
        CqlTypeKind::Map(key, value) if is_multi_cell(key) || is_multi_cell(value) => {
            Err(error(span, TableProblem::NotFrozenInside(column.name.to_string())))
        }
        _ => Ok(()),
    }
}

fn is_multi_cell(cql_type: &CqlType) -> bool {
    matches!(
        cql_type.kind,
        CqlTypeKind::List(_) | CqlTypeKind::Set(_) | CqlTypeKind::Map(..) | CqlTypeKind::UserDefined(_)
    )
}

fn ordered(column: &Name, order: SortOrder) -> ClusteringOrder {
    ClusteringOrder { column: column.canonical(), order, span: Span::default() }
}

fn error(span: Span, problem: TableProblem) -> TableError {
    TableError { span, problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Statement, parse};

    fn definition(text: &str) -> Result<TableDefinition, String> {
        let Ok(Statement::CreateTable(create)) = parse(text) else { panic!("{text} is not a CREATE TABLE") };
        create.definition().map_err(|error| format!("{error} ({})", &text[error.span.range()]))
    }

    #[test]
    fn table_definition_has_its_primary_key_and_clustering_order() {
        let table = definition(
            "CREATE TABLE ks.events (device_id text, event_date date, event_time timestamp, owner text STATIC, payload text, \
             PRIMARY KEY ((device_id, event_date), event_time)) WITH CLUSTERING ORDER BY (event_time DESC)",
        )
        .unwrap();
        let names: Vec<_> = table.partition_key.iter().map(|name| name.text.as_str()).collect();
        assert_eq!(names, ["device_id", "event_date"]);
        assert_eq!(table.clustering_columns.len(), 1);
        assert_eq!(table.clustering_columns[0].column.text, "event_time");
        assert_eq!(table.clustering_columns[0].order, SortOrder::Descending);
        let kinds: Vec<_> = table.columns.iter().map(|column| column.kind).collect();
        use ColumnKind::{Clustering, PartitionKey, Regular, Static};
        assert_eq!(kinds, [PartitionKey, PartitionKey, Clustering, Static, Regular]);
    }

    #[test]
    fn primary_key_may_be_declared_inline() {
        let table = definition("CREATE TABLE t (id uuid PRIMARY KEY, name text)").unwrap();
        assert_eq!(table.partition_key[0].text, "id");
        assert!(table.clustering_columns.is_empty());
    }

    #[test]
    fn invalid_create_table_is_refused_with_the_reason() {
        for (text, expected) in [
            (
                "CREATE TABLE ks.t (a itn PRIMARY KEY)",
                "a is in the PRIMARY KEY, and CQL has no type itn (did you mean int?); a user-defined type in a key is written frozen<itn> \
                 (itn)",
            ),
            (
                "CREATE TABLE ks.t (a ks.address PRIMARY KEY)",
                "a is in the PRIMARY KEY, and CQL has no type ks.address; a user-defined type in a key is written \
                 frozen<ks.address> (ks.address)",
            ),
            ("CREATE TABLE ks.t (a int)", "the table has no PRIMARY KEY (ks.t)"),
            (
                "CREATE TABLE t (a int PRIMARY KEY, PRIMARY KEY (a))",
                "the table has more than one PRIMARY KEY (PRIMARY KEY (a))",
            ),
            ("CREATE TABLE t (a int PRIMARY KEY, A text)", "two columns have the name a (A)"),
            (
                "CREATE TABLE t (a int, PRIMARY KEY (a, b))",
                "PRIMARY KEY names b, which is not a column of the table (b)",
            ),
            ("CREATE TABLE t (a int, PRIMARY KEY (a, a))", "PRIMARY KEY names a twice (a)"),
            ("CREATE TABLE t (a int STATIC PRIMARY KEY)", "a is in the PRIMARY KEY and cannot be STATIC (STATIC)"),
            (
                "CREATE TABLE t (a int PRIMARY KEY, b int STATIC)",
                "b cannot be STATIC: the table has no clustering columns (STATIC)",
            ),
            (
                "CREATE TABLE t (a int, b int, c int, PRIMARY KEY (a, b, c)) WITH CLUSTERING ORDER BY (c DESC, b ASC)",
                "CLUSTERING ORDER BY names clustering columns from the first on, in the order of the PRIMARY KEY (c DESC, b ASC)",
            ),
        ] {
            assert_eq!(definition(text), Err(expected.to_owned()));
        }
    }
}
