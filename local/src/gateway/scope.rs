//! Names in a statement, resolved in the keyspace of its connection.

use keyspaces_cql::{QualifiedName, Statement};

use crate::names::{Names, ObjectKind, SchemaObject};
use crate::protocol::{Refusal, error_code};

/// The keyspace for names without one, and the translation to Cassandra's names.
#[derive(Clone, Copy, Debug)]
pub(super) struct NameScope<'a> {
    pub(super) keyspace: Option<&'a str>,
    pub(super) names: &'a Names,
    pub(super) data_center: &'a str,
    /// Whether the statement came in a PREPARE.
    pub(super) prepared: bool,
}

impl NameScope<'_> {
    /// The tables that a statement names.
    pub(super) fn tables(self, statement: &Statement) -> Vec<SchemaObject> {
        statement.tables().iter().filter_map(|name| self.resolve(name, ObjectKind::Table)).collect()
    }

    /// The table to which a name refers.
    pub(super) fn table(self, name: &QualifiedName) -> Result<SchemaObject, Refusal> {
        self.resolve(name, ObjectKind::Table).ok_or_else(|| Refusal {
            code: error_code::INVALID,
            text: "No keyspace has been specified. USE a keyspace, or explicitly specify keyspace.tablename".into(),
        })
    }

    /// The object that a CREATE … IF NOT EXISTS creates.
    pub(super) fn created_if_missing(self, statement: &Statement) -> Option<SchemaObject> {
        match statement {
            Statement::CreateKeyspace(create) => {
                create.if_not_exists.map(|_| SchemaObject::keyspace(create.keyspace.text.clone()))
            }
            Statement::CreateTable(create) => {
                create.if_not_exists?;
                self.resolve(&create.table, ObjectKind::Table)
            }
            Statement::CreateType(create) => {
                create.if_not_exists?;
                self.resolve(&create.name, ObjectKind::Type)
            }
            _ => None,
        }
    }

    /// The table that a definition names.
    pub(super) fn defined_table(self, statement: &Statement) -> Option<SchemaObject> {
        let name = match statement {
            Statement::CreateTable(create) => &create.table,
            Statement::AlterTable(alter) => &alter.table,
            Statement::DropTable(drop) => &drop.table,
            Statement::RestoreTable(restore) => &restore.table,
            _ => return None,
        };
        self.resolve(name, ObjectKind::Table)
    }

    fn resolve(self, name: &QualifiedName, kind: ObjectKind) -> Option<SchemaObject> {
        let keyspace = name.keyspace.as_ref().map(|keyspace| keyspace.text.as_str()).or(self.keyspace)?;
        Some(SchemaObject { keyspace: keyspace.to_owned(), kind, name: name.name.text.clone() })
    }
}
