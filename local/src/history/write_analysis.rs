//! The rows that a statement writes, as relations by which they can be read back.

use std::collections::BTreeMap;
use std::sync::Arc;

use keyspaces_cql::statement::{CqlTypeKind, InsertContent, NativeType, Relation, Target, Term, TermKind, Using};
use keyspaces_cql::{Span, Statement as Tree};
use serde_json::value::RawValue;

use super::entry::WhereClause;
use super::read_back::WrittenRows;
use crate::names::{SchemaObject, quoted};
use crate::statement::{BoundMarkers, ModificationRef, StatementText, json_row, modifications};
use crate::upstream::{Column, Layout, is_among};

/// A recorded table to which a statement writes.
#[derive(Clone, Debug)]
pub(crate) struct RecordedTable {
    pub(crate) table: SchemaObject,
    pub(crate) layout: Arc<Layout>,
    /// Whether its values may expire.
    pub(crate) has_ttl: bool,
    pub(crate) default_ttl: Option<u32>,
}

/// The rows that a statement may change. `tables` has the table of each modification, in the same order; `None` for a
/// table that is not recorded.
pub(crate) fn written_rows(
    tree: &Tree,
    text: &StatementText,
    bound: &BoundMarkers<'_>,
    tables: &[Option<RecordedTable>],
) -> Vec<WrittenRows> {
    let each = modifications(tree).into_iter().zip(tables);
    each.filter_map(|(modification, table)| {
        let analysis = WriteAnalysis { text, bound, table: table.as_ref()? };
        Some(analysis.written_rows(modification))
    })
    .collect()
}

/// The rows that change, whether that is at most one, and the partition whose static columns change.
type ChangedRows = (Option<WhereClause>, bool, Option<WhereClause>);

#[derive(Clone, Copy)]
struct WriteAnalysis<'a> {
    text: &'a StatementText,
    bound: &'a BoundMarkers<'a>,
    table: &'a RecordedTable,
}

impl WriteAnalysis<'_> {
    fn written_rows(self, modification: ModificationRef<'_>) -> WrittenRows {
        let changed = self.changed_rows(modification);
        let is_unknown = changed.is_none();
        let (rows, is_single_row, statics) = changed.unwrap_or_default();
        let insert_ttl = matches!(modification, ModificationRef::Insert(_)).then(|| self.ttl(modification.using()));
        let RecordedTable { table, layout, has_ttl, .. } = self.table.clone();
        WrittenRows { table, layout, ttl: has_ttl, is_unknown, rows, is_single_row, statics, insert_ttl }
    }

    /// The rows that a modification may change; `None` if they are not known.
    fn changed_rows(self, modification: ModificationRef<'_>) -> Option<ChangedRows> {
        let layout = &self.table.layout;
        match modification {
            ModificationRef::Insert(insert) => match &insert.content {
                InsertContent::Values { columns, values } => {
                    let named_values: Vec<_> = columns.iter().map(|column| column.text.as_str()).zip(values).collect();
                    let named = |name: &str| named_values.iter().any(|(column, _)| *column == name);
                    let equal = |name: &str| {
                        let (_, term) = named_values.iter().find(|(column, _)| *column == name)?;
                        let value = self.text.part(term.span);
                        Some((format!("{} = {}", quoted(name), self.constant(name, &value)?), Some(term.span)))
                    };
                    // Without clustering columns it writes static columns alone.
                    let is_row =
                        layout.clustering.is_empty() || layout.clustering.iter().any(|column| named(&column.name));
                    let statics = layout.statics.iter().any(|column| named(&column.name));
                    self.insert(is_row, statics, equal)
                }
                InsertContent::Json { json, .. } => {
                    let values = self.json(json)?;
                    let equal = |name: &str| {
                        let value = self.constant(name, values.get(name)?.get())?.replace('\'', "''");
                        Some((format!("{} = fromjson('{value}')", quoted(name)), None))
                    };
                    let is_row = layout.clustering.is_empty()
                        || layout.clustering.iter().any(|column| values.contains_key(&column.name));
                    self.insert(is_row, !layout.statics.is_empty(), equal)
                }
            },
            ModificationRef::Update(update) => {
                let columns = update
                    .assignments
                    .iter()
                    .map(|assignment| assignment.target.column().text.as_str())
                    .collect::<Vec<_>>();
                self.matched(&update.relations, &columns)
            }
            ModificationRef::Delete(delete) => {
                let columns =
                    delete.targets.iter().map(Target::column).map(|column| column.text.as_str()).collect::<Vec<_>>();
                self.matched(&delete.relations, &columns)
            }
        }
    }

    /// The text, if it has the same meaning when it is read again. Cassandra reads `'now'` as the current time, also in
    /// JSON, where any character may be escaped.
    fn constant<'t>(self, column: &str, text: &'t str) -> Option<&'t str> {
        use NativeType::{Ascii, Text, Varchar};
        let has_text = |column: &Column| matches!(column.kind, CqlTypeKind::Native(Ascii | Text | Varchar));
        let is_text = self.table.layout.key().any(|key| key.name == column && has_text(key));
        let may_be_now = || {
            let text = text.to_ascii_lowercase();
            ["'now'", "\"now\"", "$$now$$", "\\"].iter().any(|now| text.contains(now))
        };
        (is_text || !may_be_now()).then_some(text)
    }

    /// The rows of an INSERT. `equal` has a relation for each column, and where its value is in the text.
    fn insert(
        self,
        is_row: bool,
        statics: bool,
        equal: impl Fn(&str) -> Option<(String, Option<Span>)>,
    ) -> Option<ChangedRows> {
        let layout = &self.table.layout;
        let all = |columns: Vec<&str>| {
            let parts = columns.into_iter().map(&equal).collect::<Option<Vec<_>>>()?;
            Some(self.where_clause(parts))
        };
        let partition = || layout.partition_key.iter().map(|column| column.name.as_str());
        let rows = if is_row { Some(all(layout.key().map(|column| column.name.as_str()).collect())?) } else { None };
        let statics = if statics { Some(all(partition().collect())?) } else { None };
        Some((rows, true, statics))
    }

    /// The rows of an UPDATE or a DELETE of these columns, or of whole rows if `columns` is empty.
    fn matched(self, relations: &[Relation], columns: &[&str]) -> Option<ChangedRows> {
        let layout = &self.table.layout;
        for relation in relations {
            for column in relation.columns() {
                self.constant(&column.text, &self.text.part(relation.span))?;
            }
        }
        let part = |relation: &Relation| (self.text.part(relation.span).into_owned(), Some(relation.span));
        let is_static = |column: &&str| is_among(&layout.statics, column);
        let names =
            |relation: &Relation| relation.columns().all(|column| is_among(&layout.partition_key, &column.text));
        let whole_partition = columns.is_empty() && relations.iter().all(names);
        let statics = (columns.iter().any(is_static) || whole_partition) && !layout.statics.is_empty();
        let rows = columns.is_empty() || !columns.iter().all(is_static);
        // A deleted row is treated as a range: a row that is found in it was written by another client, and has no
        // older marker.
        let is_single_row = !columns.is_empty()
            && layout.key().all(|column| {
                relations.iter().filter_map(Relation::equality).any(|(named, _)| named.text == column.name)
            });
        Some((
            rows.then(|| self.where_clause(relations.iter().map(part).collect())),
            is_single_row,
            statics.then(|| self.where_clause(relations.iter().filter(|relation| names(relation)).map(part).collect())),
        ))
    }

    /// A WHERE with these relations and the values of their bind markers.
    fn where_clause(self, parts: Vec<(String, Option<Span>)>) -> WhereClause {
        let markers = parts.iter().filter_map(|(_, span)| *span).flat_map(|span| self.bound.markers_in(span));
        let values = self.bound.binding(markers);
        let text = parts.into_iter().map(|(part, _)| part).collect::<Vec<_>>().join(" AND ");
        WhereClause { text, values }
    }

    /// The time to live of the written values, in seconds.
    fn ttl(self, using: Option<&Using>) -> Option<u32> {
        let ttl = using.and_then(Using::ttl);
        // In Cassandra null is 0, and a value that is not set is the table's default.
        if ttl.is_some_and(|ttl| self.bound.is_null(ttl, "[ttl]")) {
            return None;
        }
        let seconds = ttl.and_then(|ttl| self.bound.int(ttl, "[ttl]"));
        let seconds = seconds.map_or(self.table.default_ttl, |seconds| u32::try_from(seconds).ok());
        seconds.filter(|seconds| *seconds > 0)
    }

    /// The values of an INSERT JSON, by the names of their columns.
    fn json(self, json: &Term) -> Option<BTreeMap<String, Box<RawValue>>> {
        let text = match &json.kind {
            TermKind::Constant(constant) => Some(constant.text.as_bytes()),
            _ => self.bound.bytes(json, "[json]"),
        };
        json_row(text?)
    }
}
