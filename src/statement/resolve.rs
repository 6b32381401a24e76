//! Determines whether a conditional write of unknown outcome was applied, by comparing the current row with the values of
//! the write.

use std::borrow::Borrow;

use keyspaces_cql::statement::{AssignmentOperation, Condition, InsertContent, Subject, Target, Term, TermKind};
use keyspaces_cql::{Name, Span, Statement};
use scylla::deserialize::row::ColumnIterator;
use scylla::frame::response::result::{ColumnSpec, ColumnType, NativeType};
use scylla::response::PagingState as DriverState;
use scylla::response::query_result::QueryRowsResult;
use scylla::serialize::row::SerializeRow;

use super::batch::{PrimaryKey, primary_key};
use super::modification::ModifiedColumns;
use super::named_columns::{NamedColumns, cells};
use super::serialized::{SerializedValue, SerializedView};
use super::{Conditional, Outcome, Select, mismatch, prepare_with};
use crate::options::CallOptions;
use crate::row::{OwnedRow, Row};
use crate::stream::into_rows;
use crate::{Error, ErrorKind, ReadConsistency, execute};

pub(crate) async fn resolve<V: SerializeRow, R: OwnedRow>(
    conditional: &Conditional<V, R>,
    values: impl Borrow<V>,
) -> Result<Outcome<Option<R>>, Error> {
    let mut bytes = Vec::new();
    let count = conditional.untyped.append_values(values.borrow(), &mut bytes)?;
    let call = &conditional.untyped.call;
    let refused = |problem: &'static str| {
        Error::new(ErrorKind::Refused, format!("resolving {}", call.info.attempted), problem)
            .with_advice("Bind an id of the write's own to a column, and name the whole primary key")
    };
    let tree = call.info.tree().ok_or_else(|| refused("the text cannot be parsed"))?;
    let table = call.info.table().ok_or_else(|| refused("the text does not name exactly one table"))?;
    let key = primary_key(&call.session, table.0, table.1).await;
    let key = key.ok_or_else(|| refused("the primary key of the table cannot be read"))?;
    let query = OutcomeQuery::new(tree, &key, count).map_err(refused)?;

    let options = CallOptions {
        consistency: Some(ReadConsistency::LocalQuorum),
        ttl: None,
        timestamp: None,
        ..call.options.clone()
    };
    let read: Select<SerializedView<'static>, Row> = prepare_with(&call.session, &query.text, options).await?;
    let written = SerializedView::new(&bytes, count);
    let mut key = Vec::new();
    query.key.iter().filter_map(|index| written.iter().nth(*index)).for_each(|value| value.append_to(&mut key));
    let mut request = read.untyped.bind(&SerializedView::new(&key, query.key.len()))?;
    let (page, _) = execute::read_page(&read.untyped.call, &mut request, &DriverState::start()).await?;
    let page = into_rows(&read.untyped.call, page)?;
    query.outcome(&page, written).map_err(|problem| problem.into_error(&call.info.attempted))
}

/// The read that determines the outcome of a write.
#[derive(Debug, Eq, PartialEq)]
struct OutcomeQuery<'t> {
    text: String,
    /// The bind markers of the write whose values this read binds, in order.
    key: Vec<usize>,
    /// The columns to compare, and the bind markers that they are set to.
    written: Vec<(&'t str, usize)>,
    /// The number of leading columns that belong to the returned row; `None` if all do.
    returned: Option<usize>,
}

impl<'t> OutcomeQuery<'t> {
    /// Creates the read; `count` is the number of bound values.
    fn new(tree: &'t Statement, key: &PrimaryKey, count: usize) -> Result<Self, &'static str> {
        let markers: Vec<Span> = tree.bind_markers().iter().map(|marker| marker.span).collect();
        if markers.len() != count {
            return Err("its bind markers cannot be matched with its values");
        }
        let modified =
            ModifiedColumns::find(tree).filter(|modified| !modified.deletes_rows).ok_or("it sets no columns")?;
        let assigned = assigned_columns(tree);
        let is_key = |name: &str| key.partition.iter().chain(&key.clustering).any(|column| column == name);
        let written: Vec<(&str, usize)> = assigned
            .iter()
            .filter(|(name, _)| !is_key(&name.text))
            .filter_map(|(name, term)| Some((name.text.as_str(), marker_index(&markers, term)?)))
            .collect();
        if written.is_empty() {
            return Err(
                "it binds no value to a column outside the primary key, so its row cannot be distinguished from \
                        another write's",
            );
        }

        let is_static = |name: &&str| key.statics.iter().any(|column| column == name);
        let sets_only_statics = modified.set_columns.iter().filter(|name| !is_key(name)).all(is_static);
        let clustering = if sets_only_statics { &[][..] } else { &key.clustering[..] };
        let (conditions, bound) = key_conditions(key.partition.iter().chain(clustering), &modified, &markers)?;
        let (columns, returned) = selected_columns(tree, &assigned);
        let table = tree.tables().first().copied().ok_or("it names no table")?;
        let mut text = format!("SELECT {columns} FROM {table} WHERE {conditions}");
        if sets_only_statics && !key.clustering.is_empty() {
            text.push_str(" LIMIT 1");
        }
        Ok(Self { text, key: bound, written, returned })
    }

    /// Compares the row that was read with the values of the write.
    fn outcome<R: OwnedRow>(
        &self,
        page: &QueryRowsResult,
        written: SerializedView<'_>,
    ) -> Result<Outcome<Option<R>>, Unresolved> {
        let columns = page.column_specs();
        let columns = columns.as_slice();
        let mut rows = page.rows::<ColumnIterator<'_, '_>>().map_err(|_| Unresolved::NothingCompared)?;
        let Some(row) = rows.next() else { return Ok(Outcome::NotApplied(None)) };
        let row = row.and_then(cells).map_err(Unresolved::Row)?;
        let stored = |index: usize| row.get(index).copied().flatten().map(|cell| cell.as_slice());
        let mut values_compared = 0;
        for (name, marker) in &self.written {
            let Some(index) = columns.iter().position(|column| column.name() == *name && has_one_encoding(column))
            else {
                continue;
            };
            let is_equal = match written.iter().nth(*marker) {
                Some(SerializedValue::Bytes(bytes)) => {
                    values_compared += 1;
                    stored(index) == Some(bytes)
                }
                Some(SerializedValue::Null) => stored(index).is_none(),
                Some(SerializedValue::Unset) | None => true,
            };
            if !is_equal {
                let returned = columns.get(..self.returned.unwrap_or(columns.len())).unwrap_or(columns);
                if returned.is_empty() {
                    return Ok(Outcome::NotApplied(None));
                }
                let named = NamedColumns::select::<R>(returned, None).map_err(Unresolved::Columns)?;
                return named.read(&row).map(|row| Outcome::NotApplied(Some(row))).map_err(Unresolved::Row);
            }
        }
        if values_compared == 0 { Err(Unresolved::NothingCompared) } else { Ok(Outcome::Applied) }
    }
}

enum Unresolved {
    Columns(scylla::deserialize::TypeCheckError),
    Row(scylla::deserialize::DeserializationError),
    NothingCompared,
}

impl Unresolved {
    fn into_error(self, attempted: &str) -> Error {
        let error = |kind, problem: String| Error::new(kind, format!("resolving {attempted}"), problem);
        match self {
            Self::Columns(source) => error(
                ErrorKind::Type,
                format!("the existing row cannot be read: {}", mismatch::explain_columns(&source)),
            )
            .with_source(source),
            Self::Row(source) => error(
                ErrorKind::Type,
                format!("the existing row cannot be read: {}", mismatch::explain_row(&source)),
            )
            .with_source(source),
            Self::NothingCompared => error(
                ErrorKind::Refused,
                "it sets no column of a native type to a value, so its row cannot be distinguished from another write's".to_owned(),
            )
            .with_advice("Bind an id of the write's own to a column"),
        }
    }
}

/// The index of a term's bind marker.
fn marker_index(markers: &[Span], term: &Term) -> Option<usize> {
    match term.kind {
        TermKind::Marker(_) => markers.iter().position(|span| *span == term.span),
        _ => None,
    }
}

/// The conditions that select the row by these key columns, and the write's bind markers whose values they bind.
fn key_conditions<'k>(
    key: impl Iterator<Item = &'k String>,
    modified: &ModifiedColumns<'_>,
    markers: &[Span],
) -> Result<(String, Vec<usize>), &'static str> {
    let (mut conditions, mut bound) = (Vec::new(), Vec::new());
    for column in key {
        let fixed = modified.fixed_columns.iter().find(|(name, _)| name == column);
        let (_, term) = fixed.ok_or("it does not name the whole primary key")?;
        let column = Name::new(column.as_str());
        match (marker_index(markers, term), &term.kind) {
            (Some(index), _) => {
                bound.push(index);
                conditions.push(format!("{column} = ?"));
            }
            (None, TermKind::Constant(_)) => conditions.push(format!("{column} = {term}")),
            (None, _) => return Err("a part of its primary key is computed by the service"),
        }
    }
    Ok((conditions.join(" AND "), bound))
}

/// The columns to read, and the number of leading columns that belong to the returned row; `None` if all do. After an
/// INSERT the server returns the whole row, otherwise the columns of the condition.
fn selected_columns(tree: &Statement, assigned: &[(&Name, &Term)]) -> (String, Option<usize>) {
    if matches!(tree, Statement::Insert(_)) {
        return ("*".to_owned(), None);
    }
    let mut columns = condition_columns(tree);
    let returned = columns.len();
    for (name, _) in assigned {
        if columns.iter().all(|column| column.text != name.text) {
            columns.push(name);
        }
    }
    let columns: Vec<String> = columns.iter().map(ToString::to_string).collect();
    (columns.join(", "), Some(returned))
}

/// The columns that a write sets, each with its term.
fn assigned_columns(tree: &Statement) -> Vec<(&Name, &Term)> {
    match tree {
        Statement::Insert(insert) => match &insert.content {
            InsertContent::Values { columns, values } => columns.iter().zip(values).collect(),
            InsertContent::Json { .. } => Vec::new(),
        },
        Statement::Update(update) => {
            let assignments = update.assignments.iter().filter_map(|assignment| match &assignment.target {
                Target::Column(name) if assignment.operation == AssignmentOperation::Set => {
                    Some((name, &assignment.value))
                }
                _ => None,
            });
            assignments.collect()
        }
        _ => Vec::new(),
    }
}

/// The columns that the condition compares, which are the columns of the returned row.
fn condition_columns(tree: &Statement) -> Vec<&Name> {
    let mut columns: Vec<&Name> = Vec::new();
    if let Statement::Update(update) = tree
        && let Some(Condition::Holds(relations)) = &update.condition
    {
        for relation in relations {
            if let Subject::Single(target) = &relation.subject
                && columns.iter().all(|column| column.text != target.column().text)
            {
                columns.push(target.column());
            }
        }
    }
    columns
}

/// Whether equal values of this type always have equal bytes.
fn has_one_encoding(column: &ColumnSpec<'_>) -> bool {
    match column.typ() {
        ColumnType::Native(native) => {
            !matches!(native, NativeType::Varint | NativeType::Decimal | NativeType::Duration)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type QueryParts = (String, Vec<usize>, Vec<(String, usize)>, Option<usize>);

    fn question(text: &str) -> Result<QueryParts, &'static str> {
        let tree = keyspaces_cql::parse(text).expect("it is CQL");
        let key = PrimaryKey {
            partition: vec!["a".to_owned()],
            clustering: vec!["Day".to_owned()],
            statics: vec!["s".to_owned()],
        };
        let query = OutcomeQuery::new(&tree, &key, tree.bind_markers().len())?;
        let written = query.written.iter().map(|(name, marker)| ((*name).to_owned(), *marker)).collect();
        Ok((query.text, query.key, written, query.returned))
    }

    #[test]
    fn resolving_query_reads_set_and_condition_columns_by_primary_key() {
        let is = |text: &str, key: &[usize], written: &[(&str, usize)], returned| {
            let written = written.iter().map(|(name, marker)| ((*name).to_owned(), *marker)).collect();
            Ok((text.to_owned(), key.to_vec(), written, returned))
        };
        assert_eq!(
            question("INSERT INTO ks.t (id, a, \"Day\", n) VALUES (?, ?, 7, 1) IF NOT EXISTS"),
            is("SELECT * FROM ks.t WHERE a = ? AND \"Day\" = 7", &[1], &[("id", 0)], None)
        );
        assert_eq!(
            question("UPDATE ks.t SET v = ?, id = ?, l = l + ? WHERE a = ? AND \"Day\" = ? IF v = ? AND w > 1"),
            is("SELECT v, w, id FROM ks.t WHERE a = ? AND \"Day\" = ?", &[3, 4], &[("v", 0), ("id", 1)], Some(2))
        );
        assert_eq!(
            question("UPDATE ks.t SET s = ? WHERE a = ? IF s = null"),
            is("SELECT s FROM ks.t WHERE a = ? LIMIT 1", &[1], &[("s", 0)], Some(1))
        );
        for (text, problem) in [
            ("DELETE FROM ks.t WHERE a = ? AND \"Day\" = ? IF EXISTS", "it sets no columns"),
            (
                "INSERT INTO ks.t (a, \"Day\", n) VALUES (?, ?, 1) IF NOT EXISTS",
                "it binds no value to a column outside the primary key, so its row cannot be distinguished from another write's",
            ),
            ("UPDATE ks.t SET v = ? WHERE a = ? IF v = 1", "it does not name the whole primary key"),
            (
                "INSERT INTO ks.t (a, \"Day\", v) VALUES (uuid(), 7, ?) IF NOT EXISTS",
                "a part of its primary key is computed by the service",
            ),
        ] {
            assert_eq!(question(text), Err(problem), "{text}");
        }
    }
}
