//! Determines the outcome of a statement that an interrupted program may have sent.

use std::fmt;

use keyspaces_cql::statement::{AlterKeyspaceChange, AlterTable, CreateTable};
use keyspaces_cql::{
    Definitions, Effect, Idempotence, NotIdempotent, QualifiedName, Replication, Statement, TableChange,
    TableDefinition, TypeDefinition,
};

use super::migration::MigrationStep;
use crate::schema::{DEFAULT_RESTORE_DEADLINE, Schema, TableStatus, keyspace_of};
use crate::{Error, Session};

/// What is known about the outcome of a statement.
#[derive(Debug, PartialEq)]
pub(super) enum StepOutcome {
    /// The statement was carried out, or another with the same effect.
    Applied,
    /// The statement was not carried out, or may safely be sent again, as this text.
    Send(String),
    /// The outcome is unknown, for this reason.
    Unknown(String),
}

impl StepOutcome {
    /// Determines the outcome: of a definition by the current schema, of a write by whether it is safe to send it
    /// again.
    pub(super) async fn determine(step: &MigrationStep, session: &Session) -> Result<Self, Error> {
        let schema = session.schema();
        match &step.tree {
            Statement::CreateKeyspace(it) => {
                let Some(current) = schema.describe_untagged_keyspace(&it.keyspace.text).await? else {
                    let mut again = it.clone();
                    again.if_not_exists = Some(it.span);
                    return Ok(Self::resend(&Statement::CreateKeyspace(again)));
                };
                // The replication of a plain Cassandra may differ.
                let matches = it.if_not_exists.is_some()
                    || session.is_plain_cassandra()
                    || it.definition().is_ok_and(|made| made.replication == current.replication);
                Ok(if matches { Self::Applied } else { Self::conflict("keyspace", &it.keyspace) })
            }
            Statement::AlterKeyspace(it) => {
                let Some(current) = schema.describe_keyspace(&it.keyspace.text).await? else {
                    return Ok(Self::send_unchanged(step));
                };
                let tags = |term| keyspaces_cql::read_tags(term).unwrap_or_default();
                let is_applied = match &it.change {
                    AlterKeyspaceChange::With(options) => {
                        let replication = options.iter().find(|option| option.name.text == "replication");
                        let new_replication = replication.and_then(|option| Replication::read(&option.value).ok());
                        new_replication.is_some_and(|new_replication| new_replication == current.replication)
                    }
                    AlterKeyspaceChange::AddTags(term) => {
                        tags(term).iter().all(|(key, value)| current.tags.get(key) == Some(value))
                    }
                    AlterKeyspaceChange::DropTags(term) => tags(term).keys().all(|key| !current.tags.contains_key(key)),
                };
                Ok(if is_applied { Self::Applied } else { Self::send_unchanged(step) })
            }
            Statement::DropKeyspace(it) => {
                let current = schema.describe_untagged_keyspace(&it.keyspace.text).await?;
                let mut again = it.clone();
                again.if_exists = Some(it.span);
                Ok(if current.is_none() { Self::Applied } else { Self::resend(&Statement::DropKeyspace(again)) })
            }
            Statement::CreateTable(it) => Self::for_create_table(step, it, session).await,
            Statement::AlterTable(it) => Self::for_alter_table(step, it, session).await,
            Statement::DropTable(it) => {
                let current = schema.describe_untagged(keyspace_of(&it.table), &it.table.name.text).await?;
                let mut again = it.clone();
                again.if_exists = Some(it.span);
                Ok(if current.is_none() { Self::Applied } else { Self::resend(&Statement::DropTable(again)) })
            }
            // A restored table does not show what it was restored from.
            Statement::RestoreTable(it) => {
                let current = settled_description(schema, &it.table).await?;
                Ok(if current.is_some() { Self::Applied } else { Self::send_unchanged(step) })
            }
            Statement::CreateType(it) => {
                // A type that exists may still be in creation; sending the statement again waits for it.
                let mut again = it.clone();
                again.if_not_exists = Some(it.span);
                let matches = match user_type(schema, &it.name).await? {
                    Some(current) if it.if_not_exists.is_none() => {
                        let (current, made) = (Definitions::new().user_type(current), it.definition());
                        current.difference(&Definitions::new().user_type(made), "").impossible.is_empty()
                    }
                    _ => true,
                };
                let again = || Self::resend(&Statement::CreateType(again));
                Ok(if matches { again() } else { Self::conflict("type", &it.name) })
            }
            Statement::DropType(it) => {
                let mut again = it.clone();
                again.if_exists = Some(it.span);
                let current = user_type(schema, &it.name).await?;
                Ok(if current.is_none() { Self::Applied } else { Self::resend(&Statement::DropType(again)) })
            }
            _ => Ok(Self::for_write(step)),
        }
    }

    fn for_write(step: &MigrationStep) -> Self {
        let idempotence = match (&step.tree, step.tree.effect()) {
            // A second execution finds the row that the first has written.
            (Statement::Insert(insert), Effect::ConditionalWrite) => {
                let mut unconditional = insert.clone();
                unconditional.if_not_exists = None;
                Statement::Insert(unconditional).idempotence()
            }
            _ => step.tree.idempotence(),
        };
        match idempotence {
            Idempotence::Idempotent => Self::send_unchanged(step),
            Idempotence::NotIdempotent(NotIdempotent::Condition, _) => {
                Self::Unknown("its condition may no longer hold because it was applied".to_owned())
            }
            Idempotence::NotIdempotent(why, _) => Self::Unknown(format!("it is not idempotent: {why}")),
        }
    }

    async fn for_create_table(step: &MigrationStep, create: &CreateTable, session: &Session) -> Result<Self, Error> {
        let schema = session.schema();
        let Some(current) = settled_description(schema, &create.table).await? else {
            let mut again = create.clone();
            again.if_not_exists = Some(create.span);
            return Ok(Self::resend(&Statement::CreateTable(again)));
        };
        if create.if_not_exists.is_some() {
            return Ok(Self::Applied);
        }
        let Ok(made) = create.definition() else { return Ok(Self::send_unchanged(step)) };
        let difference = current.difference(&as_stored(made, session));
        let matches = difference.changes.is_empty() && difference.impossible.is_empty();
        Ok(if matches { Self::Applied } else { Self::conflict("table", &create.table) })
    }

    async fn for_alter_table(step: &MigrationStep, alter: &AlterTable, session: &Session) -> Result<Self, Error> {
        let Some(current) = settled_description(session.schema(), &alter.table).await? else {
            return Ok(Self::send_unchanged(step));
        };
        let Ok(changes) = TableChange::read(alter) else { return Ok(Self::send_unchanged(step)) };
        for change in &changes {
            let after = match change {
                TableChange::AddColumns(columns) => {
                    let mut after = current.clone();
                    after
                        .columns
                        .retain(|column| columns.as_slice().iter().all(|new| new.name.text != column.name.text));
                    after.changed(change)
                }
                _ => current.changed(change),
            };
            let Ok(after) = after else { return Ok(Self::send_unchanged(step)) };
            let difference = current.difference(&as_stored(after, session));
            if !difference.impossible.is_empty() {
                return Ok(Self::conflict("table", &alter.table));
            }
            if !difference.changes.is_empty() {
                return Ok(Self::send_unchanged(step));
            }
        }
        Ok(Self::Applied)
    }

    fn send_unchanged(step: &MigrationStep) -> Self {
        Self::Send(step.text.clone())
    }

    fn resend(statement: &Statement) -> Self {
        Self::Send(statement.to_string())
    }

    fn conflict(kind: &str, name: &impl fmt::Display) -> Self {
        Self::Unknown(format!("the {kind} {name} exists, but differs from its definition"))
    }
}

/// The table as it is stored: on a plain Cassandra, without the options that only Keyspaces has.
fn as_stored(table: TableDefinition, session: &Session) -> TableDefinition {
    if !session.is_plain_cassandra() {
        return table;
    }
    let portable = Definitions::new().table(table.clone()).portable();
    portable.tables.into_iter().next().unwrap_or(table)
}

/// Waits until no change of the table is in progress, and returns its definition.
async fn settled_description(schema: Schema<'_>, name: &QualifiedName) -> Result<Option<TableDefinition>, Error> {
    let Some((definition, status)) = description(schema, name).await? else { return Ok(None) };
    match status {
        None | Some(TableStatus::Active) => Ok(Some(definition)),
        Some(status) => {
            let settled = schema.wait_for_tables([(keyspace_of(name), name.name.text.as_str())]);
            let is_restored = status == TableStatus::Restoring;
            if is_restored { settled.with_deadline(DEFAULT_RESTORE_DEADLINE) } else { settled }.await?;
            Ok(description(schema, name).await?.map(|(definition, _)| definition))
        }
    }
}

async fn description(
    schema: Schema<'_>,
    name: &QualifiedName,
) -> Result<Option<(TableDefinition, Option<TableStatus>)>, Error> {
    let current = schema.describe_table(keyspace_of(name), &name.name.text).await?;
    Ok(current.map(|current| (current.definition, current.status)))
}

async fn user_type(schema: Schema<'_>, name: &QualifiedName) -> Result<Option<TypeDefinition>, Error> {
    let types = schema.types(keyspace_of(name)).await?;
    Ok(types.into_iter().find(|current| current.name.name.text == name.name.text))
}
