//! What the tables as they are tell of a change before it is sent, and of one that was refused.

use std::collections::HashMap;

use keyspaces_cql::statement::AlterTable;
use keyspaces_cql::{Statement, TableChange, TableDefinition, TableError, TableProblem};

use super::TableStatus;
use super::change::Definition;
use crate::{Error, ErrorKind, Session};

/// Refuses what the service would refuse because of what is there. A plain Cassandra has rules of its own.
pub(super) async fn check(session: &Session, definitions: impl Iterator<Item = &Definition>) -> Result<(), Error> {
    // As they will be by then; nothing where that is not known.
    let mut tables: HashMap<String, Option<TableDefinition>> = HashMap::new();
    for statement in definitions.filter_map(Definition::statement).filter(|_| !session.is_plain_cassandra()) {
        match statement {
            Statement::AlterTable(alter) => {
                let name = alter.table.to_string();
                if !tables.contains_key(&name) {
                    tables.insert(name.clone(), look_up(session, alter).await?);
                }
                if let Some(Some(table)) = tables.get_mut(&name) {
                    *table = altered(table, alter).map_err(|error| refused(alter, &error))?;
                }
            }
            _ => tables.extend(statement.tables().into_iter().map(|table| (table.to_string(), None))),
        }
    }
    Ok(())
}

/// The same error, with what has happened to the table meanwhile.
pub(super) async fn explain(session: &Session, statement: &Statement, error: Error) -> Error {
    let Statement::AlterTable(alter) = statement else { return error };
    if error.kind() != ErrorKind::Refused || session.is_plain_cassandra() {
        return error;
    }
    let Some(keyspace) = &alter.table.keyspace else { return error };
    let now = session.schema().describe_table(&keyspace.text, &alter.table.name.text).await;
    let Ok(Some(now)) = now else { return error };
    match (now.status, altered(&now.definition, alter)) {
        (Some(status @ (TableStatus::Creating | TableStatus::Restoring | TableStatus::Updating)), _) => error
            .with_advice(format!(
                "Somebody else is at the table, which is {status}: wait until it is ACTIVE, and describe it again"
            )),
        (_, Err(TableError { problem, .. })) => error.with_advice(format!(
            "Somebody else has changed the table meanwhile: {}. Describe it again",
            words(&problem)
        )),
        _ => error,
    }
}

/// Nothing if it is not there, or is none that this version would make: the service knows better then.
async fn look_up(session: &Session, alter: &AlterTable) -> Result<Option<TableDefinition>, Error> {
    let Some(keyspace) = &alter.table.keyspace else { return Ok(None) };
    let there = session.schema().describe_table(&keyspace.text, &alter.table.name.text).await?;
    Ok(there.map(|there| there.definition).filter(|there| there.create().definition().is_ok()))
}

fn altered(table: &TableDefinition, alter: &AlterTable) -> Result<TableDefinition, TableError> {
    let changes = TableChange::read(alter).unwrap_or_default();
    let altered = changes.iter().try_fold(table.clone(), |table, change| table.changed(change));
    // The service has the last word on what is not known.
    match altered {
        Err(TableError { problem: TableProblem::Unknown(_), .. }) => Ok(table.clone()),
        altered => altered,
    }
}

fn refused(alter: &AlterTable, error: &TableError) -> Error {
    const MOST_SHOWN: usize = 200;
    let text = alter.to_string();
    let attempted = if text.len() > MOST_SHOWN { format!("ALTER TABLE {}", alter.table) } else { text };
    let refused = Error::new(ErrorKind::Refused, attempted, words(&error.problem));
    match &error.problem {
        TableProblem::Refused(rule) => refused.with_advice(rule.advice),
        _ => refused,
    }
}

fn words(problem: &TableProblem) -> String {
    match problem {
        TableProblem::Refused(rule) => format!("Keyspaces refuses {}", rule.refuses),
        problem => problem.to_string(),
    }
}
