//! The changes that one ALTER TABLE can make.

use super::{Column, ColumnKind, TableDefinition, TableError, TableProperty, Tags};
use crate::statement::{AlterTable, AlterTableChange, ColumnDefinition, CqlType};
use crate::table::properties::{self, PropertyError, TableOptions};
use crate::{Name, QualifiedName, Span, Warning, rules};

/// The change of one ALTER TABLE. Keyspaces accepts one property in each statement (`DG:cql.ddl.table`), and cannot drop a
/// column or change a key.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TableChange {
    /// Adds columns outside the primary key.
    AddColumns(NewColumns),
    /// Sets an option.
    Set(TableProperty),
    /// Adds tags, or changes the values of existing tags.
    AddTags(Tags),
    /// Drops tags.
    DropTags(Tags),
    /// Adds tags to the table's CDC stream, or changes the values of existing tags.
    AddStreamTags(Tags),
    /// Drops tags of the table's CDC stream.
    DropStreamTags(Tags),
}

/// The columns to add; at least one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NewColumns(Vec<NewColumn>);

/// A column to add.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NewColumn {
    /// The name of the column.
    pub name: Name,
    /// The type of the column.
    pub column_type: CqlType,
    /// Whether the column has one value for the whole partition.
    pub is_static: bool,
}

impl TableChange {
    /// A change that adds this column.
    #[must_use]
    pub fn add_column(name: impl Into<String>, column_type: impl Into<CqlType>) -> Self {
        Self::AddColumns(NewColumns(vec![NewColumn {
            name: Name::new(name),
            column_type: column_type.into().canonical(),
            is_static: false,
        }]))
    }

    /// The ALTER TABLE that makes this change to `table`.
    #[must_use]
    pub fn alter(&self, table: &QualifiedName) -> AlterTable {
        let change = match self {
            Self::AddColumns(columns) => {
                AlterTableChange::Add(columns.as_slice().iter().map(NewColumn::definition).collect())
            }
            Self::Set(property) => AlterTableChange::With(property.with_options()),
            Self::AddTags(tags) => AlterTableChange::AddTags(properties::tags_term(tags)),
            Self::DropTags(tags) => AlterTableChange::DropTags(properties::tags_term(tags)),
            Self::AddStreamTags(tags) => AlterTableChange::AddStreamTags(properties::tags_term(tags)),
            Self::DropStreamTags(tags) => AlterTableChange::DropStreamTags(properties::tags_term(tags)),
        };
        AlterTable { span: Span::default(), if_exists: None, table: table.clone(), change }
    }

    /// The changes of a statement, one by one.
    ///
    /// # Errors
    ///
    /// A rule refuses the statement, or it is not known whether Keyspaces accepts a part of it.
    pub fn read(alter: &AlterTable) -> Result<Vec<Self>, PropertyError> {
        let refused = |rule| Err(PropertyError::refused(alter.span, rule));
        match &alter.change {
            AlterTableChange::Add(columns) | AlterTableChange::AddWithoutParentheses(columns) => {
                let columns = NewColumns::new(columns.iter().map(NewColumn::from_definition));
                let none = || PropertyError::unknown(alter.span, "an ALTER TABLE … ADD without columns".to_owned());
                Ok(vec![Self::AddColumns(columns.ok_or_else(none)?)])
            }
            AlterTableChange::Drop(_) => refused(&rules::DROP_COLUMN),
            AlterTableChange::Rename(_) => refused(&rules::RENAME_COLUMN),
            AlterTableChange::ColumnType(..) => refused(&rules::ALTER_COLUMN_TYPE),
            AlterTableChange::DropCompactStorage(span) => {
                Err(PropertyError::unknown(*span, "COMPACT STORAGE".to_owned()))
            }
            AlterTableChange::AddTags(tags) => Ok(vec![Self::AddTags(properties::read_tags(tags)?)]),
            AlterTableChange::DropTags(tags) => Ok(vec![Self::DropTags(properties::read_dropped_tags(tags)?)]),
            AlterTableChange::AddStreamTags(tags) => Ok(vec![Self::AddStreamTags(properties::read_tags(tags)?)]),
            AlterTableChange::DropStreamTags(tags) => {
                Ok(vec![Self::DropStreamTags(properties::read_dropped_tags(tags)?)])
            }
            AlterTableChange::With(options) => {
                Ok(TableOptions::read(options)?.properties().into_iter().map(Self::Set).collect())
            }
        }
    }

    /// The costs and risks of this change for a table.
    #[must_use]
    pub fn warnings(&self, current: &TableDefinition) -> Vec<&'static Warning> {
        crate::difference::warning::table_change_warnings(self, current)
    }
}

pub(crate) fn changed(table: &TableDefinition, change: &TableChange) -> Result<TableDefinition, TableError> {
    let mut table = table.clone();
    match change {
        TableChange::AddColumns(columns) => {
            for column in columns.as_slice() {
                if table.columns.iter().any(|existing| existing.name.text == column.name.text) {
                    return Err(TableError::refused(column.name.span, &rules::COLUMN_EXISTS));
                }
                let kind = if column.is_static { ColumnKind::Static } else { ColumnKind::Regular };
                let (name, column_type) = (column.name.canonical(), column.column_type.canonical());
                table.columns.push(Column { name, column_type, kind });
            }
        }
        TableChange::Set(property) => table.options = table.options.changed(property.clone())?,
        TableChange::AddTags(tags) => {
            table.options.tags.get_or_insert_default().extend(tags.clone());
        }
        TableChange::DropTags(dropped) => {
            let current = table.options.tags.get_or_insert_default();
            current.retain(|key, _| !dropped.contains_key(key));
        }
        TableChange::AddStreamTags(tags) => table.options.change_stream_tags(|own| own.extend(tags.clone())),
        TableChange::DropStreamTags(tags) => {
            table.options.change_stream_tags(|own| own.retain(|key, _| !tags.contains_key(key)));
        }
    }
    table.create().definition()
}

impl NewColumns {
    /// The columns as a non-empty list; `None` if `columns` is empty.
    #[must_use]
    pub fn new(columns: impl IntoIterator<Item = NewColumn>) -> Option<Self> {
        let columns: Vec<_> = columns.into_iter().collect();
        (!columns.is_empty()).then_some(Self(columns))
    }

    /// The columns, in the order in which they are added.
    #[must_use]
    pub fn as_slice(&self) -> &[NewColumn] {
        &self.0
    }
}

impl From<NewColumn> for NewColumns {
    fn from(column: NewColumn) -> Self {
        Self(vec![column])
    }
}

impl NewColumn {
    fn from_definition(column: &ColumnDefinition) -> Self {
        Self {
            name: column.name.clone(),
            column_type: column.column_type.canonical(),
            is_static: column.is_static.is_some(),
        }
    }

    fn definition(&self) -> ColumnDefinition {
        ColumnDefinition {
            name: self.name.clone(),
            column_type: self.column_type.clone(),
            is_static: self.is_static.then(Span::default),
            primary_key: None,
            span: Span::default(),
        }
    }
}
