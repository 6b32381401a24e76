//! The texts of the statements that rows are bound to.

use super::table::{Column, DescribedTable, Role};

/// The text of a statement, and the column index of each of its bind markers.
pub(super) struct StatementText {
    pub(super) text: String,
    pub(super) order: Vec<usize>,
}

impl StatementText {
    /// The columns in the order of the bind markers.
    pub(super) fn in_order(&self, columns: Vec<Column>) -> Vec<Column> {
        self.order.iter().filter_map(|index| columns.get(*index).cloned()).collect()
    }
}

/// The statement that deletes the row of a key.
pub(super) fn delete(table: &DescribedTable, columns: &[Column]) -> StatementText {
    let key = columns.iter().map(|column| format!("{} = ?", column.quoted())).collect::<Vec<_>>();
    let text = format!("DELETE FROM {} WHERE {}", table.name, key.join(" AND "));
    StatementText { text, order: (0..columns.len()).collect() }
}

/// The columns that match a predicate, with their indexes.
fn columns_with(columns: &[Column], is_one: impl Fn(&Column) -> bool) -> (Vec<usize>, Vec<&Column>) {
    columns.iter().enumerate().filter(|(_, column)| is_one(column)).unzip()
}

/// The statement that loads a row, or adds its values to counters.
pub(super) fn insert(table: &DescribedTable, columns: &[Column]) -> StatementText {
    if !table.has_counters() {
        return insert_columns(table, columns, Column::is_stored);
    }
    let (mut order, counters) = columns_with(columns, |column| !column.is_key());
    let (key_order, key) = columns_with(columns, Column::is_key);
    order.extend(key_order);
    let adds = counters.iter().map(|column| format!("{0} = {0} + ?", column.quoted())).collect::<Vec<_>>();
    let key = key.iter().map(|column| format!("{} = ?", column.quoted())).collect::<Vec<_>>();
    StatementText { text: format!("UPDATE {} SET {} WHERE {}", table.name, adds.join(", "), key.join(" AND ")), order }
}

/// The statement for rows that have only static columns, and the index of the clustering column that is null in them;
/// `None` if these columns have no static ones.
pub(super) fn insert_statics(table: &DescribedTable, columns: &[Column]) -> Option<(StatementText, usize)> {
    let clustering = columns.iter().position(|column| column.role == Role::Clustering)?;
    let has_statics = columns.iter().any(|column| column.role == Role::Static) && !table.has_counters();
    let is_of_partition = |column: &Column| matches!(column.role, Role::PartitionKey | Role::Static);
    has_statics.then(|| (insert_columns(table, columns, is_of_partition), clustering))
}

fn insert_columns(table: &DescribedTable, columns: &[Column], is_one: impl Fn(&Column) -> bool) -> StatementText {
    let (mut order, stored) = columns_with(columns, is_one);
    let (using_order, using) = columns_with(columns, |column| !column.is_stored());
    order.extend(using_order);
    let names = stored.iter().map(|column| column.quoted()).collect::<Vec<_>>().join(", ");
    let markers = vec!["?"; stored.len()].join(", ");
    let mut text = format!("INSERT INTO {} ({names}) VALUES ({markers})", table.name);
    for (index, column) in using.iter().enumerate() {
        text.push_str(if index == 0 { " USING " } else { " AND " });
        text.push_str(if column.role == Role::TimeToLive { "TTL ?" } else { "TIMESTAMP ?" });
    }
    StatementText { text, order }
}
