//! Keyspaces, tables and types; USE.

use std::fmt::{self, Display, Formatter};

use super::{Joined, commas, if_some};
use crate::name::TypeName;
use crate::statement::{
    AlterKeyspace, AlterKeyspaceChange, AlterTable, AlterTableChange, ClusteringOrder, ColumnDefinition,
    CreateKeyspace, CreateTable, CreateType, DropKeyspace, DropTable, DropType, FieldDefinition, PrimaryKey,
    RestoreTable, Use, WithOption,
};

impl Display for CreateKeyspace {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "CREATE KEYSPACE {}{}", if_some(&self.if_not_exists, "IF NOT EXISTS "), self.keyspace)?;
        with(f, &self.options)
    }
}

impl Display for AlterKeyspace {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "ALTER KEYSPACE {}{}", if_some(&self.if_exists, "IF EXISTS "), self.keyspace)?;
        match &self.change {
            AlterKeyspaceChange::With(options) => with(f, options),
            AlterKeyspaceChange::AddTags(tags) => write!(f, " ADD TAGS {tags}"),
            AlterKeyspaceChange::DropTags(tags) => write!(f, " DROP TAGS {tags}"),
        }
    }
}

impl Display for DropKeyspace {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "DROP KEYSPACE {}{}", if_some(&self.if_exists, "IF EXISTS "), self.keyspace)
    }
}

fn with(f: &mut Formatter<'_>, options: &[WithOption]) -> fmt::Result {
    if options.is_empty() { Ok(()) } else { write!(f, " WITH {}", Joined(options, " AND ")) }
}

impl Display for WithOption {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.name, self.value)
    }
}

impl Display for CreateTable {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "CREATE TABLE {}{} (", if_some(&self.if_not_exists, "IF NOT EXISTS "), self.table)?;
        let comma = if self.columns.is_empty() || self.primary_keys.is_empty() { "" } else { ", " };
        write!(f, "{}{comma}{})", commas(&self.columns), commas(&self.primary_keys))?;
        let mut word = " WITH ";
        if !self.clustering_order.is_empty() {
            write!(f, "{word}CLUSTERING ORDER BY ({})", commas(&self.clustering_order))?;
            word = " AND ";
        }
        if self.compact_storage.is_some() {
            write!(f, "{word}COMPACT STORAGE")?;
            word = " AND ";
        }
        for option in &self.options {
            write!(f, "{word}{option}")?;
            word = " AND ";
        }
        Ok(())
    }
}

impl Display for ColumnDefinition {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (is_static, primary_key) =
            (if_some(&self.is_static, " STATIC"), if_some(&self.primary_key, " PRIMARY KEY"));
        write!(f, "{} {}{is_static}{primary_key}", self.name, self.column_type)
    }
}

impl Display for PrimaryKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "PRIMARY KEY (({})", commas(&self.partition_key))?;
        self.clustering_columns.iter().try_for_each(|column| write!(f, ", {column}"))?;
        f.write_str(")")
    }
}

impl Display for ClusteringOrder {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.column, self.order)
    }
}

impl Display for AlterTable {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "ALTER TABLE {}{}", if_some(&self.if_exists, "IF EXISTS "), self.table)?;
        match &self.change {
            AlterTableChange::Add(columns) => write!(f, " ADD ({})", commas(columns)),
            AlterTableChange::AddWithoutParentheses(columns) => write!(f, " ADD {}", commas(columns)),
            AlterTableChange::Drop(columns) => write!(f, " DROP ({})", commas(columns)),
            AlterTableChange::Rename(names) => {
                f.write_str(" RENAME ")?;
                names.iter().enumerate().try_for_each(|(place, (from, to))| {
                    let and = if place > 0 { " AND " } else { "" };
                    write!(f, "{and}{from} TO {to}")
                })
            }
            AlterTableChange::ColumnType(column, to) => write!(f, " ALTER {column} TYPE {to}"),
            AlterTableChange::DropCompactStorage(_) => f.write_str(" DROP COMPACT STORAGE"),
            AlterTableChange::AddTags(tags) => write!(f, " ADD TAGS {tags}"),
            AlterTableChange::DropTags(tags) => write!(f, " DROP TAGS {tags}"),
            AlterTableChange::AddStreamTags(tags) => write!(f, " ADD TAGS_FOR_CDC {tags}"),
            AlterTableChange::DropStreamTags(tags) => write!(f, " DROP TAGS_FOR_CDC {tags}"),
            AlterTableChange::With(options) => with(f, options),
        }
    }
}

impl Display for DropTable {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "DROP TABLE {}{}", if_some(&self.if_exists, "IF EXISTS "), self.table)
    }
}

impl Display for RestoreTable {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "RESTORE TABLE {} FROM TABLE {}", self.table, self.source)?;
        with(f, &self.options)
    }
}

impl Display for CreateType {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let if_not_exists = if_some(&self.if_not_exists, "IF NOT EXISTS ");
        write!(f, "CREATE TYPE {if_not_exists}{} ({})", TypeName(&self.name), commas(&self.fields))
    }
}

impl Display for FieldDefinition {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.field_type)
    }
}

impl Display for DropType {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "DROP TYPE {}{}", if_some(&self.if_exists, "IF EXISTS "), TypeName(&self.name))
    }
}

impl Display for Use {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "USE {}", self.keyspace)
    }
}
