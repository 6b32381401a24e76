//! The table of applied files, and the comparison of its rows with the given files.

use chrono::{DateTime, Utc};
use keyspaces_cql::Name;

use super::lock::{FileProgress, LockState, execute_again};
use super::migration::{Migration, Migrations};
use super::progress::time_text;
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
pub(super) struct AppliedFile {
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
pub(super) async fn create(session: &Session, keyspace: &str, skip_keyspaces_options: bool) -> Result<(), Error> {
    let schema = session.schema();
    if schema.describe_untagged_keyspace(keyspace).await?.is_none() {
        schema.create_keyspace_if_not_exists(&KeyspaceDefinition::new(keyspace)).await?;
    }
    let table = schema.create_table_if_not_exists(&definition(keyspace)?);
    if skip_keyspaces_options { table.without_keyspaces_options_on_cassandra() } else { table }.await
}

/// Reads the applied files, ordered by number.
pub(super) async fn applied(session: &Session, keyspace: &str) -> Result<Vec<AppliedFile>, Error> {
    let all = format!("SELECT version, file, checksum, applied_at FROM {}", table(keyspace));
    let all: Select<(), HistoryRow> = session.prepare(&all).await?;
    // The session's read consistency could miss another program's writes.
    let mut rows = all.with_consistency(ReadConsistency::LocalQuorum).rows(());
    let mut applied = Vec::new();
    while let Some(row) = rows.try_next().await? {
        if let (Ok(version @ 1..), Some(file), Some(checksum), Some(at)) =
            (u64::try_from(row.version), row.file, row.checksum, row.applied_at)
        {
            applied.push(AppliedFile { version, file, checksum, at });
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
    applied: &[AppliedFile],
    state: &LockState,
) -> Result<Vec<&'m Migration>, Error> {
    let refused = |problem: String, advice: &'static str| {
        Err(Error::new(ErrorKind::Refused, "migrating", problem).with_advice(advice))
    };
    for applied_file in applied {
        let Some(file) = migrations.find(applied_file.version) else {
            let problem =
                format!("{}, which was applied at {}, is missing", applied_file.file, time_text(applied_file.at));
            return refused(problem, "Restore the file as it was");
        };
        if file.checksum() != applied_file.checksum {
            let (name, before, now) = (file.file(), &applied_file.checksum, file.checksum());
            let problem = format!("{name} has changed since it was applied: its checksum was {before} and is {now}");
            return refused(problem, "Restore the file as it was, and make the change in a new file");
        }
    }
    let is_applied =
        |migration: &&Migration| applied.iter().any(|applied_file| applied_file.version == migration.version());
    let pending: Vec<_> = migrations.iter().filter(|migration| !is_applied(migration)).collect();
    if let (Some(first), Some(last)) = (pending.first(), applied.last())
        && first.version() < last.version
    {
        let problem = format!("{} has a lower number than {}, which was applied before", first.file(), last.file);
        return refused(problem, "Rename it with a higher number than all applied files");
    }
    let in_progress = state
        .file_in_progress()
        .filter(|version| state.progress_of(*version) != FileProgress::default())
        .filter(|version| applied.iter().all(|applied_file| applied_file.version != *version));
    if let Some(version) = in_progress {
        let Some(file) = pending.first().filter(|first| first.version() == version) else {
            let problem = format!("file {version} is partly applied, and is not the first of the remaining files");
            return refused(problem, "Restore the file as it was");
        };
        let FileProgress { done, sent } = state.progress_of(version);
        let begun = done + usize::from(sent);
        if file.steps().len() < begun || file.checksum_of_first(begun) != state.checksum {
            let problem =
                format!("{} is partly applied, and its first {begun} statements have changed since", file.file());
            return refused(problem, "Restore these statements; only the ones after them may change");
        }
    }
    Ok(pending)
}
