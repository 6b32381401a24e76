//! The table of applied files, and the check that it fits the given files.

use chrono::{DateTime, Utc};
use keyspaces_cql::Name;

use super::lock::{FileProgress, LockState, execute_again};
use super::migration::{Migration, Migrations};
use super::progress::at;
use crate::saturated::saturated;
use crate::schema::{KeyspaceDefinition, NativeType, TableDefinition};
use crate::{Conditional, DeserializeRow, Error, ErrorKind, Outcome, ReadConsistency, Select, Session};

/// The name of the table.
pub(super) const TABLE: &str = "schema_migrations";

/// The name of the table in CQL.
pub(super) fn table(keyspace: &str) -> String {
    format!("{}.{TABLE}", Name::new(keyspace))
}

/// The definition of the table. Row 0 is the lock; see [`LockState`].
pub(super) fn definition(keyspace: &str) -> Result<TableDefinition, Error> {
    let table = TableDefinition::builder(keyspace, TABLE)
        .partition_key("version", NativeType::Bigint)
        .column("file", NativeType::Text)
        .column("checksum", NativeType::Text)
        .column("statements", NativeType::Int)
        .column("applied_at", NativeType::Timestamp)
        .column("applied_by", NativeType::Text)
        .column("holder", NativeType::Uuid)
        .column("held_by", NativeType::Text)
        .column("expires_at", NativeType::Timestamp)
        .column("under_way", NativeType::Bigint)
        .column("statement", NativeType::Int)
        .column("sent", NativeType::Boolean);
    Ok(table.build()?)
}

/// An applied file.
#[derive(Clone, Debug)]
pub(super) struct Applied {
    pub(super) version: u64,
    pub(super) file: String,
    pub(super) checksum: String,
    pub(super) at: DateTime<Utc>,
}

#[derive(DeserializeRow)]
#[scylla(crate = crate)]
struct HistoryRow {
    version: i64,
    file: Option<String>,
    checksum: Option<String>,
    applied_at: Option<DateTime<Utc>>,
}

/// Creates the keyspace, in the Region of the session, and the table, if they do not exist.
pub(super) async fn create(session: &Session, keyspace: &str, leave_out: bool) -> Result<(), Error> {
    let schema = session.schema();
    if schema.describe_untagged_keyspace(keyspace).await?.is_none() {
        schema.create_keyspace_if_not_exists(&KeyspaceDefinition::new(keyspace)).await?;
    }
    let table = schema.create_table_if_not_exists(&definition(keyspace)?);
    if leave_out { table.without_keyspaces_options_on_cassandra() } else { table }.await
}

/// Reads the applied files, ordered by number.
pub(super) async fn applied(session: &Session, keyspace: &str) -> Result<Vec<Applied>, Error> {
    let all = format!("SELECT version, file, checksum, applied_at FROM {}", table(keyspace));
    let all: Select<(), HistoryRow> = session.prepare(&all).await?;
    // Not the session's read consistency, because another program's writes must be seen.
    let mut rows = all.with_consistency(ReadConsistency::LocalQuorum).rows(());
    let mut applied = Vec::new();
    while let Some(row) = rows.try_next().await? {
        if let (Ok(version @ 1..), Some(file), Some(checksum), Some(at)) =
            (u64::try_from(row.version), row.file, row.checksum, row.applied_at)
        {
            applied.push(Applied { version, file, checksum, at });
        }
    }
    applied.sort_by_key(|applied| applied.version);
    Ok(applied)
}

/// Records that a file was applied, if it is not recorded yet.
pub(super) async fn record(
    session: &Session,
    keyspace: &str,
    migration: &Migration,
    at: DateTime<Utc>,
    by: &str,
) -> Result<(), Error> {
    type Record = (i64, &'static str, &'static str, i32, DateTime<Utc>, &'static str);
    let text = format!(
        "INSERT INTO {} (version, file, checksum, statements, applied_at, applied_by) VALUES (?, ?, ?, ?, ?, ?) \
         IF NOT EXISTS",
        table(keyspace)
    );
    let record: Conditional<Record> = session.prepare(&text).await?;
    let version = saturated::<i64>(migration.version());
    let statements = saturated::<i32>(migration.steps().len());
    let row = (version, migration.file(), migration.checksum(), statements, at, by);
    match execute_again(session, &record, || row).await? {
        Outcome::Applied | Outcome::NotApplied(_) => Ok(()),
        Outcome::Unknown(why) => Err(why),
    }
}

/// Returns the files not applied yet, after checking that the applied files have not changed.
pub(super) fn pending<'m>(
    migrations: &'m Migrations,
    applied: &[Applied],
    state: &LockState,
) -> Result<Vec<&'m Migration>, Error> {
    let refused = |problem: String, advice: &'static str| {
        Err(Error::new(ErrorKind::Refused, "migrating", problem).with_advice(advice))
    };
    for was in applied {
        let Some(is) = migrations.find(was.version) else {
            let problem = format!("{}, which was applied at {}, is not among the files", was.file, at(was.at));
            return refused(problem, "Put it back as it was");
        };
        if is.checksum() != was.checksum {
            let (file, was, is) = (is.file(), &was.checksum, is.checksum());
            let problem = format!("{file} has changed since it was applied: its checksum was {was} and is {is}");
            return refused(problem, "Put it back as it was, and make the change in a new file");
        }
    }
    let is_applied = |migration: &&Migration| applied.iter().any(|was| was.version == migration.version());
    let pending: Vec<_> = migrations.iter().filter(|migration| !is_applied(migration)).collect();
    if let (Some(first), Some(last)) = (pending.first(), applied.last())
        && first.version() < last.version
    {
        let problem = format!("{} has a lower number than {}, which was applied before", first.file(), last.file);
        return refused(problem, "Give it a number after all that were applied");
    }
    let under_way = state
        .under_way()
        .filter(|version| state.place_in(*version) != FileProgress::default())
        .filter(|version| applied.iter().all(|was| was.version != *version));
    if let Some(version) = under_way {
        let Some(is) = pending.first().filter(|first| first.version() == version) else {
            let problem = format!("file {version} is half applied, and is not the first of the files that are left");
            return refused(problem, "Put it back as it was");
        };
        let FileProgress { done, sent } = state.place_in(version);
        let begun = done + usize::from(sent);
        if is.steps().len() < begun || is.checksum_of_first(begun) != state.checksum {
            let problem = format!("{} is half applied, and its first {begun} statements have changed since", is.file());
            return refused(problem, "Put them back as they were; what comes after them may be changed");
        }
    }
    Ok(pending)
}
