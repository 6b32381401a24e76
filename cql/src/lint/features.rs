//! Finds uses of TTL and client-side timestamps on a table that the same text creates without them.

use std::sync::Arc;

use super::Linter;
use crate::keyspace::Replication;
use crate::statement::{AlterTable, AlterTableChange, CreateKeyspace, Using, UsingKind};
use crate::table::TableOptions;
use crate::{ColumnKind, QualifiedName, Refusal, Rule, Statement, TableDefinition, rules};

/// The features that are turned on for a table.
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

/// Records the features that a statement turns on, and reports the use of a feature that is off.
pub(super) fn track_features(linter: &mut Linter, statement: &Statement) {
    match statement {
        Statement::CreateKeyspace(create) => record_keyspace(linter, create),
        // An added Region turns on client-side timestamps in all tables of the keyspace
        // (DG:keyspaces-multi-region-add-replica).
        Statement::AlterKeyspace(alter) => {
            linter.tables.retain(|(keyspace, _), _| keyspace.as_ref() != Some(&alter.keyspace.text));
        }
        Statement::AlterTable(alter) => record_alter(linter, alter),
        Statement::DropTable(drop) => {
            let name = full_name(linter, &drop.table);
            linter.known.remove(name.0.as_deref(), &name.1);
            linter.tables.remove(&name);
        }
        Statement::Insert(insert) => check_use(linter, &insert.table, insert.using.as_ref()),
        Statement::Update(update) => check_use(linter, &update.table, update.using.as_ref()),
        Statement::Delete(delete) => check_use(linter, &delete.table, delete.using.as_ref()),
        Statement::Batch(batch) => {
            for modification in &batch.statements {
                check_use(linter, modification.table(), modification.using());
                check_use(linter, modification.table(), batch.using.as_ref());
            }
        }
        _ => {}
    }
}

pub(super) fn record_table(linter: &mut Linter, name: &QualifiedName, table: &TableDefinition) {
    let name = full_name(linter, name);
    linter.known.insert(name.0.as_deref(), &name.1, Arc::new(table.into()));
    let timestamps = name.0.as_ref().is_some_and(|keyspace| linter.in_several_regions.contains(keyspace));
    linter.tables.insert(name, Features { ttl: false, timestamps }.with(&table.options));
}

fn record_keyspace(linter: &mut Linter, create: &CreateKeyspace) {
    let definition = create.definition().map(|keyspace| keyspace.replication);
    if let Ok(Replication::MultiRegion(_)) = definition {
        linter.in_several_regions.insert(create.keyspace.text.clone());
    }
}

fn record_alter(linter: &mut Linter, alter: &AlterTable) {
    let name = full_name(linter, &alter.table);
    match &alter.change {
        AlterTableChange::Add(columns) => linter.known.change(name.0.as_deref(), &name.1, |table| {
            for column in columns {
                let kind = if column.is_static.is_some() { ColumnKind::Static } else { ColumnKind::Regular };
                table.insert(column.name.text.clone(), kind, column.column_type.clone());
            }
        }),
        AlterTableChange::With(options) => {
            let options = TableOptions::examine(options, &mut |_| {});
            linter.known.change(name.0.as_deref(), &name.1, |table| table.apply(&options));
            if let Some(features) = linter.tables.get_mut(&name) {
                *features = features.with(&options);
            }
        }
        _ => {}
    }
}

fn check_use(linter: &mut Linter, table: &QualifiedName, using: Option<&Using>) {
    let Some(features) = linter.tables.get(&full_name(linter, table)).copied() else { return };
    for parameter in using.into_iter().flat_map(|using| &using.parameters) {
        let off: Option<&'static Rule> = match parameter.kind {
            UsingKind::Ttl => (!features.ttl).then_some(&rules::TTL_OFF),
            UsingKind::Timestamp => (!features.timestamps).then_some(&rules::TIMESTAMPS_OFF),
        };
        if let Some(rule) = off {
            linter.refusal(&Refusal { rule, span: parameter.span });
        }
    }
}

fn full_name(linter: &Linter, table: &QualifiedName) -> (Option<String>, String) {
    let keyspace = table.keyspace.as_ref().map(|keyspace| keyspace.text.clone());
    (keyspace.or_else(|| linter.keyspace.clone()), table.name.text.clone())
}
