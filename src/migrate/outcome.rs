//! Determines the outcome of a statement that an interrupted program may have sent.

use std::fmt;

use keyspaces_cql::statement::{AlterKeyspaceChange, AlterTable, CreateTable};
use keyspaces_cql::{
    Definitions, Effect, Idempotence, NotIdempotent, QualifiedName, Replication, Statement, TableChange,
    TableDefinition, TypeDefinition,
};

use super::migration::MigrationStep;
use crate::schema::{DEFAULT_DEADLINE_OF_A_RESTORE, Schema, TableStatus, keyspace_of};
use crate::{Error, Session};

/// What is known about the outcome.
#[derive(Debug, PartialEq)]
pub(super) enum Known {
    /// The statement was carried out, or another with the same effect.
    Applied,
    /// The statement was not carried out, or may safely be sent again, as this text.
    Send(String),
    /// Nothing is known, for this reason.
    Nothing(String),
}

impl Known {
    /// Determines the outcome: for a definition from the current schema, for a write from what a second execution would do.
    pub(super) async fn of(step: &MigrationStep, session: &Session) -> Result<Self, Error> {
        let schema = session.schema();
        match &step.tree {
            Statement::CreateKeyspace(it) => {
                let Some(there) = schema.describe_untagged_keyspace(&it.keyspace.text).await? else {
                    let mut again = it.clone();
                    again.if_not_exists = Some(it.span);
                    return Ok(Self::again(&Statement::CreateKeyspace(again)));
                };
                // How a plain Cassandra replicates is its own business.
                let is_it = it.if_not_exists.is_some()
                    || session.is_plain_cassandra()
                    || it.definition().is_ok_and(|made| made.replication == there.replication);
                Ok(if is_it { Self::Applied } else { Self::another("keyspace", &it.keyspace) })
            }
            Statement::AlterKeyspace(it) => {
                let Some(there) = schema.describe_keyspace(&it.keyspace.text).await? else {
                    return Ok(Self::as_is(step));
                };
                let tags = |term| keyspaces_cql::read_tags(term).unwrap_or_default();
                let is_applied = match &it.change {
                    AlterKeyspaceChange::With(options) => {
                        let replication = options.iter().find(|option| option.name.text == "replication");
                        let wanted = replication.and_then(|option| Replication::read(&option.value).ok());
                        wanted.is_some_and(|wanted| wanted == there.replication)
                    }
                    AlterKeyspaceChange::AddTags(term) => {
                        tags(term).iter().all(|(key, value)| there.tags.get(key) == Some(value))
                    }
                    AlterKeyspaceChange::DropTags(term) => tags(term).keys().all(|key| !there.tags.contains_key(key)),
                };
                Ok(if is_applied { Self::Applied } else { Self::as_is(step) })
            }
            Statement::DropKeyspace(it) => {
                let there = schema.describe_untagged_keyspace(&it.keyspace.text).await?;
                let mut again = it.clone();
                again.if_exists = Some(it.span);
                Ok(if there.is_none() { Self::Applied } else { Self::again(&Statement::DropKeyspace(again)) })
            }
            Statement::CreateTable(it) => Self::of_create_table(step, it, session).await,
            Statement::AlterTable(it) => Self::of_alter_table(step, it, session).await,
            Statement::DropTable(it) => {
                let there = schema.describe_untagged(keyspace_of(&it.table), &it.table.name.text).await?;
                let mut again = it.clone();
                again.if_exists = Some(it.span);
                Ok(if there.is_none() { Self::Applied } else { Self::again(&Statement::DropTable(again)) })
            }
            // A restored table does not show what it was restored from.
            Statement::RestoreTable(it) => {
                let there = settled_description(schema, &it.table).await?;
                Ok(if there.is_some() { Self::Applied } else { Self::as_is(step) })
            }
            Statement::CreateType(it) => {
                // A type that exists may still be in creation; sending the statement again waits for it.
                let mut again = it.clone();
                again.if_not_exists = Some(it.span);
                let is_it = match user_type(schema, &it.name).await? {
                    Some(there) if it.if_not_exists.is_none() => {
                        let (there, made) = (Definitions::new().user_type(there), it.definition());
                        there.difference(&Definitions::new().user_type(made), "").impossible.is_empty()
                    }
                    _ => true,
                };
                let again = || Self::again(&Statement::CreateType(again));
                Ok(if is_it { again() } else { Self::another("type", &it.name) })
            }
            Statement::DropType(it) => {
                let mut again = it.clone();
                again.if_exists = Some(it.span);
                let there = user_type(schema, &it.name).await?;
                Ok(if there.is_none() { Self::Applied } else { Self::again(&Statement::DropType(again)) })
            }
            _ => Ok(Self::of_write(step)),
        }
    }

    fn of_write(step: &MigrationStep) -> Self {
        let idempotence = match (&step.tree, step.tree.effect()) {
            // The second time it finds what the first has written.
            (Statement::Insert(insert), Effect::ConditionalWrite) => {
                let mut unconditional = insert.clone();
                unconditional.if_not_exists = None;
                Statement::Insert(unconditional).idempotence()
            }
            _ => step.tree.idempotence(),
        };
        match idempotence {
            Idempotence::Idempotent => Self::as_is(step),
            Idempotence::NotIdempotent(NotIdempotent::Condition, _) => {
                Self::Nothing("it has a condition, which may no longer hold because of it".to_owned())
            }
            Idempotence::NotIdempotent(why, _) => Self::Nothing(format!("it is not idempotent: {why}")),
        }
    }

    async fn of_create_table(step: &MigrationStep, create: &CreateTable, session: &Session) -> Result<Self, Error> {
        let schema = session.schema();
        let Some(there) = settled_description(schema, &create.table).await? else {
            let mut again = create.clone();
            again.if_not_exists = Some(create.span);
            return Ok(Self::again(&Statement::CreateTable(again)));
        };
        if create.if_not_exists.is_some() {
            return Ok(Self::Applied);
        }
        let Ok(made) = create.definition() else { return Ok(Self::as_is(step)) };
        let difference = there.difference(&in_place(made, session));
        let is_it = difference.changes.is_empty() && difference.impossible.is_empty();
        Ok(if is_it { Self::Applied } else { Self::another("table", &create.table) })
    }

    async fn of_alter_table(step: &MigrationStep, alter: &AlterTable, session: &Session) -> Result<Self, Error> {
        let Some(there) = settled_description(session.schema(), &alter.table).await? else {
            return Ok(Self::as_is(step));
        };
        let Ok(changes) = TableChange::read(alter) else { return Ok(Self::as_is(step)) };
        for change in &changes {
            let after = match change {
                TableChange::AddColumns(columns) => {
                    let mut after = there.clone();
                    after
                        .columns
                        .retain(|column| columns.as_slice().iter().all(|new| new.name.text != column.name.text));
                    after.changed(change)
                }
                _ => there.changed(change),
            };
            let Ok(after) = after else { return Ok(Self::as_is(step)) };
            let difference = there.difference(&in_place(after, session));
            if !difference.impossible.is_empty() {
                return Ok(Self::another("table", &alter.table));
            }
            if !difference.changes.is_empty() {
                return Ok(Self::as_is(step));
            }
        }
        Ok(Self::Applied)
    }

    fn as_is(step: &MigrationStep) -> Self {
        Self::Send(step.text.clone())
    }

    fn again(statement: &Statement) -> Self {
        Self::Send(statement.to_string())
    }

    fn another(kind: &str, name: &impl fmt::Display) -> Self {
        Self::Nothing(format!("the {kind} {name} is there, and is not what it would have made"))
    }
}

/// The table as a plain Cassandra stores it.
fn in_place(table: TableDefinition, session: &Session) -> TableDefinition {
    if !session.is_plain_cassandra() {
        return table;
    }
    let part = Definitions::new().table(table.clone()).portable();
    part.tables.into_iter().next().unwrap_or(table)
}

/// Waits until no change of the table is in progress, and returns its definition.
async fn settled_description(schema: Schema<'_>, name: &QualifiedName) -> Result<Option<TableDefinition>, Error> {
    let Some((definition, status)) = description(schema, name).await? else { return Ok(None) };
    match status {
        None | Some(TableStatus::Active) => Ok(Some(definition)),
        Some(status) => {
            let settled = schema.wait_for_tables([(keyspace_of(name), name.name.text.as_str())]);
            let is_restored = status == TableStatus::Restoring;
            if is_restored { settled.with_deadline(DEFAULT_DEADLINE_OF_A_RESTORE) } else { settled }.await?;
            Ok(description(schema, name).await?.map(|(definition, _)| definition))
        }
    }
}

async fn description(
    schema: Schema<'_>,
    name: &QualifiedName,
) -> Result<Option<(TableDefinition, Option<TableStatus>)>, Error> {
    let there = schema.describe_table(keyspace_of(name), &name.name.text).await?;
    Ok(there.map(|there| (there.definition, there.status)))
}

async fn user_type(schema: Schema<'_>, name: &QualifiedName) -> Result<Option<TypeDefinition>, Error> {
    let types = schema.types(keyspace_of(name)).await?;
    Ok(types.into_iter().find(|there| there.name.name.text == name.name.text))
}
