//! Identifies the row that a statement of a batch writes, from its text and values.

use std::sync::Arc;

use keyspaces_cql::Statement;
use keyspaces_cql::statement::{Term, TermKind};

use super::{PrimaryKey, primary_key};
use crate::Session;
use crate::statement::info::StatementInfo;
use crate::statement::modification::ModifiedColumns;
use crate::statement::serialized::SerializedView;

/// The row that a statement writes.
#[derive(Debug)]
pub(super) struct ModifiedRow {
    table: String,
    /// The values of the partition key and (in `clustering`) of the clustering columns; `None` if they are not known.
    partition: Option<Vec<KeyValue>>,
    clustering: Option<Vec<KeyValue>>,
    deletes_rows: bool,
    sets_regular_columns: bool,
    pub(super) sets_static_columns: bool,
}

/// Statements with equal identities write the same row.
pub(super) type RowIdentity = (String, Vec<KeyValue>, Option<Vec<KeyValue>>);

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) enum KeyValue {
    Bound(Vec<u8>),
    Literal(String),
}

impl ModifiedRow {
    /// Identifies the row. `None` if the text cannot be parsed or the table's key is not known; then the server checks.
    pub(super) async fn identify(session: &Session, info: &StatementInfo, values: SerializedView<'_>) -> Option<Self> {
        let tree = info.tree()?;
        let table = tree.tables().into_iter().next()?.clone();
        let key = primary_key(session, &table.keyspace.as_ref()?.text, &table.name.text).await?;
        Self::from_tree(tree, values, &key)
    }

    pub(super) fn from_tree(tree: &Statement, values: SerializedView<'_>, key: &Arc<PrimaryKey>) -> Option<Self> {
        let modified = ModifiedColumns::find(tree)?;
        let key_values = |columns: &[String]| {
            let fixed = |column: &String| modified.fixed_columns.iter().find(|(name, _)| name == column);
            columns.iter().map(|column| fixed(column).and_then(|(_, term)| value(tree, values, term))).collect()
        };
        let is_key = |column: &&str| key.partition.iter().chain(&key.clustering).any(|name| name == column);
        let is_static = |column: &&str| key.statics.iter().any(|name| name == column);
        Some(Self {
            table: tree.tables().first()?.to_string(),
            partition: key_values(&key.partition),
            clustering: key_values(&key.clustering),
            deletes_rows: modified.deletes_rows,
            sets_regular_columns: modified.set_columns.iter().any(|column| !is_key(column) && !is_static(column)),
            sets_static_columns: modified.set_columns.iter().any(is_static),
        })
    }

    /// Whether the statement deletes more than one row, because its text leaves out clustering columns.
    pub(super) fn is_range(&self) -> bool {
        self.deletes_rows && self.clustering.is_none()
    }

    pub(super) fn identity(self) -> Option<RowIdentity> {
        // Without clustering columns, the statement writes only static columns, or its row is not known.
        let static_only = self.sets_static_columns && !self.sets_regular_columns;
        match (self.partition, self.clustering) {
            (Some(partition), None) if static_only => Some((self.table, partition, None)),
            (Some(partition), Some(clustering)) => Some((self.table, partition, Some(clustering))),
            _ => None,
        }
    }
}

fn value(tree: &Statement, values: SerializedView<'_>, term: &Term) -> Option<KeyValue> {
    match &term.kind {
        TermKind::Marker(marker) => {
            let markers = tree.bind_markers();
            let index = markers.iter().position(|other| other.span == marker.span)?;
            (markers.len() == values.count()).then(|| values.value(index))?.map(|bytes| KeyValue::Bound(bytes.to_vec()))
        }
        TermKind::Constant(constant) => Some(KeyValue::Literal(constant.text.clone())),
        _ => None,
    }
}
