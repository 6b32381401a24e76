//! Compares two definitions of a table.

use super::{ImpossibleChange, Unchanged};
use crate::statement::{CqlType, SortOrder};
use crate::table::{Column, NewColumn, NewColumns, TableChange, TableDefinition, TableProperty, compare};
use crate::{QualifiedName, rules};

/// The difference between two definitions of a table; from [`TableDefinition::difference`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TableDifference {
    /// The changes to make, in this order: those that can be undone come first.
    pub changes: Vec<TableChange>,
    /// Changes that Keyspaces cannot make.
    pub impossible: Vec<ImpossibleChange>,
    /// Options that the desired definition does not set; they stay.
    pub unchanged: Vec<Unchanged>,
}

pub(crate) fn between(table: &TableDefinition, to: &TableDefinition) -> TableDifference {
    let mut comparison = Comparison {
        table: &table.table,
        reversible: Vec::new(),
        irreversible: Vec::new(),
        impossible: Vec::new(),
        unchanged: Vec::new(),
    };
    comparison.columns(table, to);
    compare(&mut comparison, &table.options, &to.options);
    let Comparison { reversible, irreversible, impossible, unchanged, .. } = comparison;
    let changes = reversible.into_iter().chain(irreversible).collect();
    TableDifference { changes, impossible, unchanged }
}

/// A comparison of two definitions of a table, with the differences found so far.
pub(crate) struct Comparison<'t> {
    pub(crate) table: &'t QualifiedName,
    /// Changes that can be undone.
    pub(crate) reversible: Vec<TableChange>,
    /// Changes that cannot be undone, or that depend on others.
    pub(crate) irreversible: Vec<TableChange>,
    impossible: Vec<ImpossibleChange>,
    pub(crate) unchanged: Vec<Unchanged>,
}

impl Comparison<'_> {
    pub(crate) fn impossible(&mut self, change: String, advice: &'static str, source: &'static str) {
        let subject = format!("the table {}", self.table);
        self.impossible.push(ImpossibleChange { subject, change, advice, source });
    }

    fn columns(&mut self, current: &TableDefinition, to: &TableDefinition) {
        if key(current) != key(to) {
            let change = format!("changing its key from {} to {}", key(current), key(to));
            self.impossible(change, "Create another table, and copy the rows to it.", "DG:cql.ddl.table");
        }
        let mut added = Vec::new();
        for column in &to.columns {
            match find(current, column) {
                Some(is) if !is_same_type(&is.column_type, &column.column_type) => {
                    let (name, from, to) = (&column.name, &is.column_type, &column.column_type);
                    let change = format!("changing the type of its column {name} from {from} to {to}");
                    self.impossible(change, rules::ALTER_COLUMN_TYPE.advice, rules::ALTER_COLUMN_TYPE.source);
                }
                Some(is) if is.kind != column.kind && !is.kind.is_key() && !column.kind.is_key() => {
                    let word = if is.kind == crate::ColumnKind::Static { "regular" } else { "static" };
                    let change = format!("changing its column {} to {word}", column.name);
                    self.impossible(change, rules::ALTER_COLUMN_TYPE.advice, rules::ALTER_COLUMN_TYPE.source);
                }
                // Reported with the key.
                None if column.kind.is_key() => {}
                None if column.kind == crate::ColumnKind::Static => {
                    let change = format!("adding its static column {}", column.name);
                    let advice = "Create another table with it, and copy the rows to it.";
                    self.impossible(change, advice, "not in the grammar of DG:cql.ddl.table");
                }
                None => added.push(NewColumn {
                    name: column.name.clone(),
                    column_type: column.column_type.clone(),
                    is_static: false,
                }),
                Some(_) => {}
            }
        }
        for column in current.columns.iter().filter(|column| !column.kind.is_key() && find(to, column).is_none()) {
            let change = format!("dropping its column {}", column.name);
            self.impossible(change, rules::DROP_COLUMN.advice, rules::DROP_COLUMN.source);
        }
        self.irreversible.extend(NewColumns::new(added).map(TableChange::AddColumns));
    }
}

fn find<'t>(table: &'t TableDefinition, column: &Column) -> Option<&'t Column> {
    table.columns.iter().find(|current| current.name.text == column.name.text)
}

/// `((device, day), at DESC)`
fn key(table: &TableDefinition) -> String {
    let partition = table.partition_key.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let clustering = table.clustering_columns.iter().map(|by| match by.order {
        SortOrder::Ascending => format!(", {}", by.column),
        SortOrder::Descending => format!(", {} DESC", by.column),
    });
    format!("(({partition}){})", clustering.collect::<String>())
}

impl TableDifference {
    /// Moves changes of TTL to the impossible changes, for a table in a keyspace of several Regions.
    pub(super) fn in_several_regions(mut self, table: &QualifiedName) -> Self {
        let is_ttl = |change: &TableChange| {
            matches!(change, TableChange::Set(TableProperty::Ttl(_) | TableProperty::DefaultTimeToLive(_)))
        };
        let (ttl, others): (Vec<_>, Vec<_>) = self.changes.into_iter().partition(is_ttl);
        self.changes = others;
        self.impossible.extend(ttl.into_iter().map(|change| ImpossibleChange {
            subject: format!("the table {table}"),
            change: match change {
                TableChange::Set(TableProperty::DefaultTimeToLive(seconds)) => {
                    format!("setting its default_time_to_live to {seconds} in a keyspace of several Regions")
                }
                _ => "turning TTL on in a keyspace of several Regions".to_owned(),
            },
            advice: "Create another table with it, and copy the rows to it.",
            source: "DG:multiRegion-replication_usage-notes",
        }));
        self
    }
}

/// Whether both name the same type, with or without its keyspace.
pub(super) fn is_same_type(one: &CqlType, other: &CqlType) -> bool {
    one.canonical().without_keyspaces() == other.canonical().without_keyspaces()
}
