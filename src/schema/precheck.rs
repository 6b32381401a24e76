//! Compares a change with the current tables: before it is sent, to refuse what the service would refuse, and after a
//! refusal, to explain it.

use std::collections::HashMap;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use keyspaces_cql::statement::{AlterTable, RestoreTable};
use keyspaces_cql::{
    PointInTimeRecovery, QualifiedName, Statement, TableChange, TableDefinition, TableError, TableProblem,
};

use super::change::Definition;
use super::{TableDescription, TableStatus};
use crate::statement::{rule_error, rule_problem_and_advice};
use crate::{Error, ErrorKind, Session};

/// How far this machine's clock may be behind the service's. AWS's APIs refuse signatures of clocks that differ more;
/// whether Keyspaces does the same is unverified.
const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(5);

/// Refuses changes that the service would refuse because of the current tables. A plain Cassandra has other rules, so
/// nothing is checked on it.
pub(super) async fn check(session: &Session, definitions: impl Iterator<Item = &Definition>) -> Result<(), Error> {
    // The tables after the earlier changes; `None` for a table whose definition is not known.
    let mut tables: HashMap<String, Option<TableDefinition>> = HashMap::new();
    for statement in definitions.filter_map(Definition::statement).filter(|_| !session.is_plain_cassandra()) {
        match statement {
            Statement::AlterTable(alter) => {
                let name = alter.table.to_string();
                if !tables.contains_key(&name) {
                    tables.insert(name.clone(), current_definition(session, alter).await?);
                }
                if let Some(Some(table)) = tables.get_mut(&name) {
                    *table = altered(table, alter).map_err(|error| refused(alter, &error))?;
                }
            }
            Statement::RestoreTable(restore) => check_restore(session, restore).await?,
            _ => tables.extend(statement.tables().into_iter().map(|table| (table.to_string(), None))),
        }
    }
    Ok(())
}

async fn check_restore(session: &Session, restore: &RestoreTable) -> Result<(), Error> {
    let (source, target) = (&restore.source, &restore.table);
    let refused = |problem: String| Error::new(ErrorKind::Refused, format!("RESTORE TABLE {target}"), problem);
    // The service checks a statement that cannot be read here.
    let point = restore.definition().ok().and_then(|restore| restore.point);
    let moment = point.and_then(|point| DateTime::<Utc>::from_timestamp_millis(point.unix_millis()));
    if let Some(moment) = moment.filter(|moment| *moment > Utc::now() + CLOCK_SKEW) {
        return Err(refused(format!("{} is in the future by this machine's clock", time_text(moment)))
            .with_advice("Choose a time in the past, in UTC"));
    }
    if let Some(source) = describe_untagged(session, source).await? {
        let name = &source.definition.table;
        if source.definition.options.point_in_time_recovery == Some(PointInTimeRecovery::Disabled) {
            return Err(refused(format!(
                "point-in-time recovery of {name} is off, so the service has kept nothing to restore"
            ))
            .with_advice("Turn it on for the future: TableChange::Set(PointInTimeRecovery::Enabled.into())"));
        }
        if let (Some(moment), Some(earliest)) = (moment, source.earliest_restorable)
            && moment < earliest
        {
            let problem = format!(
                "{name} can be restored to {} at the earliest, not to {}",
                time_text(earliest),
                time_text(moment)
            );
            return Err(refused(problem)
                .with_advice("Choose a later time: the history begins when recovery was turned on, or 35 days ago"));
        }
    }
    if describe_untagged(session, target).await?.is_some() {
        return Err(refused(format!("the table {target} exists already"))
            .with_advice("Restore under another name, or drop that table first"));
    }
    if let Some(keyspace) = &target.keyspace
        && session.schema().describe_untagged_keyspace(&keyspace.text).await?.is_none()
    {
        return Err(refused(format!("the keyspace {keyspace} does not exist")).with_advice("Create it first"));
    }
    Ok(())
}

/// Adds advice to a refusal: how the table has changed since the check.
pub(super) async fn explain(session: &Session, statement: &Statement, error: Error) -> Error {
    if !error.is_refused() || session.is_plain_cassandra() {
        return error;
    }
    let alter = match statement {
        Statement::AlterTable(alter) => alter,
        Statement::RestoreTable(RestoreTable { source, .. }) => {
            return match describe_untagged(session, source).await {
                Ok(None) => error.with_advice(format!(
                    "The table {source} does not exist. A dropped table can be restored for 35 days if its recovery was on, to the \
                     time at which it was dropped, so call restore_table() without at() (DG:restoredeleted)"
                )),
                _ => error,
            };
        }
        _ => return error,
    };
    let Ok(Some(current)) = describe(session, &alter.table).await else { return error };
    match (current.status, altered(&current.definition, alter)) {
        (Some(status @ (TableStatus::Creating | TableStatus::Restoring | TableStatus::Updating)), _) => error
            .with_advice(format!(
                "Another program is changing the table, which is {status}: wait until it is ACTIVE, and describe it again"
            )),
        (_, Err(TableError { problem, .. })) => error.with_advice(format!(
            "Another program has changed the table meanwhile: {}. Describe it again",
            problem_text(&problem)
        )),
        _ => error,
    }
}

/// The current definition of a table; `None` if the table does not exist, or if this version could not create such a
/// table. Then only the service can check a change of it.
async fn current_definition(session: &Session, alter: &AlterTable) -> Result<Option<TableDefinition>, Error> {
    let described = describe(session, &alter.table).await?;
    Ok(described.map(|table| table.definition).filter(|definition| definition.create().definition().is_ok()))
}

async fn describe(session: &Session, table: &QualifiedName) -> Result<Option<TableDescription>, Error> {
    let Some(keyspace) = &table.keyspace else { return Ok(None) };
    session.schema().describe_table(&keyspace.text, &table.name.text).await
}

/// Describes a table without its tags, which no check needs.
async fn describe_untagged(session: &Session, table: &QualifiedName) -> Result<Option<TableDescription>, Error> {
    let Some(keyspace) = &table.keyspace else { return Ok(None) };
    session.schema().describe_untagged(&keyspace.text, &table.name.text).await
}

fn time_text(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn altered(table: &TableDefinition, alter: &AlterTable) -> Result<TableDefinition, TableError> {
    let changes = TableChange::read(alter).unwrap_or_default();
    let altered = changes.iter().try_fold(table.clone(), |table, change| table.changed(change));
    // The service checks a change that this version does not know.
    match altered {
        Err(TableError { problem: TableProblem::Unknown(_), .. }) => Ok(table.clone()),
        altered => altered,
    }
}

fn refused(alter: &AlterTable, error: &TableError) -> Error {
    const MAX_STATEMENT_CHARS: usize = 200;
    let text = alter.to_string();
    let attempted = if text.len() > MAX_STATEMENT_CHARS { format!("ALTER TABLE {}", alter.table) } else { text };
    match &error.problem {
        TableProblem::Refused(rule) => rule_error(attempted, rule),
        problem => Error::new(ErrorKind::Refused, attempted, problem.to_string()),
    }
}

fn problem_text(problem: &TableProblem) -> String {
    match problem {
        TableProblem::Refused(rule) => rule_problem_and_advice(rule).0,
        problem => problem.to_string(),
    }
}
