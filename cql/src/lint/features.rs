//! TTL and client-side timestamps, used on a table that the same text makes without them.

use std::sync::Arc;

use super::Linter;
use crate::keyspace::Replication;
use crate::statement::{AlterTable, AlterTableChange, CreateKeyspace, Using, UsingKind};
use crate::table::TableOptions;
use crate::{ColumnKind, QualifiedName, Refusal, Rule, Statement, TableDefinition, rules};

/// What is on in a table.
#[derive(Clone, Copy)]
pub(super) struct Features {
    ttl: bool,
    timestamps: bool,
}

impl Features {
    fn with(self, options: &TableOptions) -> Self {
        Self {
            ttl: self.ttl || options.has_ttl(),
            timestamps: self.timestamps || options.client_side_timestamps.is_some(),
        }
    }
}

impl Linter {
    /// Takes down what a statement turns on, and tells where one uses what is off.
    pub(super) fn features(&mut self, statement: &Statement) {
        match statement {
            Statement::CreateKeyspace(create) => self.keyspace_in_several_regions(create),
            // With a Region more, timestamps are on in all of its tables (DG:keyspaces-multi-region-add-replica).
            Statement::AlterKeyspace(alter) => {
                self.tables.retain(|(keyspace, _), _| keyspace.as_ref() != Some(&alter.keyspace.text));
            }
            Statement::AlterTable(alter) => self.altered(alter),
            Statement::DropTable(drop) => {
                let name = self.full_name(&drop.table);
                self.known.remove(name.0.as_deref(), &name.1);
                self.tables.remove(&name);
            }
            Statement::Insert(insert) => self.used(&insert.table, insert.using.as_ref()),
            Statement::Update(update) => self.used(&update.table, update.using.as_ref()),
            Statement::Delete(delete) => self.used(&delete.table, delete.using.as_ref()),
            Statement::Batch(batch) => {
                for modification in &batch.statements {
                    self.used(modification.table(), modification.using());
                    self.used(modification.table(), batch.using.as_ref());
                }
            }
            _ => {}
        }
    }

    pub(super) fn table_made(&mut self, name: &QualifiedName, table: &TableDefinition) {
        let name = self.full_name(name);
        self.known.insert(name.0.as_deref(), &name.1, Arc::new(table.into()));
        let timestamps = name.0.as_ref().is_some_and(|keyspace| self.in_several_regions.contains(keyspace));
        self.tables.insert(name, Features { ttl: false, timestamps }.with(&table.options));
    }

    fn keyspace_in_several_regions(&mut self, create: &CreateKeyspace) {
        let definition = create.definition().map(|keyspace| keyspace.replication);
        if let Ok(Replication::MultiRegion(_)) = definition {
            self.in_several_regions.insert(create.keyspace.text.clone());
        }
    }

    fn altered(&mut self, alter: &AlterTable) {
        let name = self.full_name(&alter.table);
        match &alter.change {
            AlterTableChange::Add(columns) => self.known.change(name.0.as_deref(), &name.1, |table| {
                for column in columns {
                    let kind = if column.is_static.is_some() { ColumnKind::Static } else { ColumnKind::Regular };
                    table.insert(column.name.text.clone(), kind, column.column_type.clone());
                }
            }),
            AlterTableChange::With(options) => {
                let options = TableOptions::examine(options, &mut |_| {});
                self.known.change(name.0.as_deref(), &name.1, |table| table.apply(&options));
                if let Some(there) = self.tables.get_mut(&name) {
                    *there = there.with(&options);
                }
            }
            _ => {}
        }
    }

    fn used(&mut self, table: &QualifiedName, using: Option<&Using>) {
        let Some(there) = self.tables.get(&self.full_name(table)).copied() else { return };
        for parameter in using.into_iter().flat_map(|using| &using.parameters) {
            let off: Option<&'static Rule> = match parameter.kind {
                UsingKind::Ttl => (!there.ttl).then_some(&rules::TTL_OFF),
                UsingKind::Timestamp => (!there.timestamps).then_some(&rules::TIMESTAMPS_OFF),
            };
            if let Some(rule) = off {
                self.refusal(&Refusal { rule, span: parameter.span });
            }
        }
    }

    fn full_name(&self, table: &QualifiedName) -> (Option<String>, String) {
        let keyspace = table.keyspace.as_ref().map(|keyspace| keyspace.text.clone());
        (keyspace.or_else(|| self.keyspace.clone()), table.name.text.clone())
    }
}
