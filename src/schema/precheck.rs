//! What the tables as they are tell of a change before it is sent, and of one that was refused.

use std::collections::HashMap;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use keyspaces_cql::statement::{AlterTable, RestoreTable};
use keyspaces_cql::{
    PointInTimeRecovery, QualifiedName, Statement, TableChange, TableDefinition, TableError, TableProblem,
};

use super::change::Definition;
use super::{TableDescription, TableStatus};
use crate::statement::{by_rule, by_rule_in_words};
use crate::{Error, ErrorKind, Session};

/// How far this machine's clock may be behind the service's. AWS's APIs take no signature of a clock that is further off;
/// that Keyspaces does not either is unverified.
const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(5);

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
            Statement::RestoreTable(restore) => check_restore(session, restore).await?,
            _ => tables.extend(statement.tables().into_iter().map(|table| (table.to_string(), None))),
        }
    }
    Ok(())
}

async fn check_restore(session: &Session, restore: &RestoreTable) -> Result<(), Error> {
    let (source, target) = (&restore.source, &restore.table);
    let refused = |problem: String| Error::new(ErrorKind::Refused, format!("RESTORE TABLE {target}"), problem);
    // What cannot be read of it, the service is to judge.
    let point = restore.definition().ok().and_then(|restore| restore.point);
    let moment = point.and_then(|point| DateTime::<Utc>::from_timestamp_millis(point.unix_millis()));
    if let Some(moment) = moment.filter(|moment| *moment > Utc::now() + CLOCK_SKEW) {
        return Err(refused(format!("{} is in the future, by this machine's clock", text(moment)))
            .with_advice("Give a moment that has been, in UTC"));
    }
    if let Some(source) = describe_untagged(session, source).await? {
        let name = &source.definition.table;
        if source.definition.options.point_in_time_recovery == Some(PointInTimeRecovery::Disabled) {
            return Err(refused(format!("point-in-time recovery of {name} is off, so nothing of it was kept"))
                .with_advice("Turn it on, for the next time: TableChange::Set(PointInTimeRecovery::Enabled.into())"));
        }
        if let (Some(moment), Some(earliest)) = (moment, source.earliest_restorable)
            && moment < earliest
        {
            let problem = format!("{name} can be restored from {} on, not to {}", text(earliest), text(moment));
            return Err(refused(problem)
                .with_advice("Give a later moment: what is kept begins when recovery was turned on, or 35 days ago"));
        }
    }
    if describe_untagged(session, target).await?.is_some() {
        return Err(refused(format!("the table {target} is there already"))
            .with_advice("Restore it by another name, or drop that table first"));
    }
    if let Some(keyspace) = &target.keyspace
        && session.schema().describe_untagged_keyspace(&keyspace.text).await?.is_none()
    {
        return Err(refused(format!("there is no keyspace {keyspace}")).with_advice("Create it first"));
    }
    Ok(())
}

/// The same error, with what has happened to the table meanwhile.
pub(super) async fn explain(session: &Session, statement: &Statement, error: Error) -> Error {
    if !error.is_refused() || session.is_plain_cassandra() {
        return error;
    }
    let alter = match statement {
        Statement::AlterTable(alter) => alter,
        Statement::RestoreTable(RestoreTable { source, .. }) => {
            return match describe_untagged(session, source).await {
                Ok(None) => error.with_advice(format!(
                    "There is no table {source}. One that was dropped can be restored for 35 days, if its recovery was on: to \
                     when it was dropped, so without a moment (DG:restoredeleted)"
                )),
                _ => error,
            };
        }
        _ => return error,
    };
    let Ok(Some(now)) = describe(session, &alter.table).await else { return error };
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
    let there = describe(session, &alter.table).await?;
    Ok(there.map(|there| there.definition).filter(|there| there.create().definition().is_ok()))
}

async fn describe(session: &Session, table: &QualifiedName) -> Result<Option<TableDescription>, Error> {
    let Some(keyspace) = &table.keyspace else { return Ok(None) };
    session.schema().describe_table(&keyspace.text, &table.name.text).await
}

/// Where nothing is asked of its tags.
async fn describe_untagged(session: &Session, table: &QualifiedName) -> Result<Option<TableDescription>, Error> {
    let Some(keyspace) = &table.keyspace else { return Ok(None) };
    session.schema().describe_untagged(&keyspace.text, &table.name.text).await
}

fn text(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Millis, true)
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
    match &error.problem {
        TableProblem::Refused(rule) => by_rule(attempted, rule),
        problem => Error::new(ErrorKind::Refused, attempted, problem.to_string()),
    }
}

fn words(problem: &TableProblem) -> String {
    match problem {
        TableProblem::Refused(rule) => by_rule_in_words(rule).0,
        problem => problem.to_string(),
    }
}
