//! What is to be seen in the system tables when a definition has been carried out.

use std::collections::HashMap;

use keyspaces_cql::{QualifiedName, Statement};

use super::TableStatus;
use crate::{Error, Select, Session};

/// A keyspace, table or type that is being waited for.
#[derive(Clone, Debug)]
pub(super) struct Awaited {
    kind: Kind,
    keyspace: String,
    name: String,
    /// Whether it is to be there, or to be gone.
    there: bool,
    seen: Option<TableStatus>,
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Kind {
    Keyspace,
    Table,
    Type,
}

/// How far what is awaited is.
pub(super) enum Look {
    Done,
    NotYet(Option<TableStatus>),
    /// It will not become what was asked for.
    Failed(&'static str, Option<TableStatus>),
}

/// What one look at the system tables has shown: statuses by kind, keyspace and name.
#[derive(Default)]
pub(super) struct Seen(HashMap<(Kind, String, String), TableStatus>);

impl Awaited {
    pub(super) fn of(statement: &Statement) -> Option<Self> {
        let new = |kind, keyspace: &str, name: &str, there| Self {
            kind,
            keyspace: keyspace.to_owned(),
            name: name.to_owned(),
            there,
            seen: None,
        };
        let keyspace = |name: &str, there| Some(new(Kind::Keyspace, name, "", there));
        let within =
            |kind, name: &QualifiedName, there| Some(new(kind, &name.keyspace.as_ref()?.text, &name.name.text, there));
        match statement {
            Statement::CreateKeyspace(it) => keyspace(&it.keyspace.text, true),
            Statement::AlterKeyspace(it) => keyspace(&it.keyspace.text, true),
            Statement::DropKeyspace(it) => keyspace(&it.keyspace.text, false),
            Statement::CreateTable(it) => within(Kind::Table, &it.table, true),
            Statement::AlterTable(it) => within(Kind::Table, &it.table, true),
            Statement::RestoreTable(it) => within(Kind::Table, &it.table, true),
            Statement::DropTable(it) => within(Kind::Table, &it.table, false),
            Statement::CreateType(it) => within(Kind::Type, &it.name, true),
            Statement::DropType(it) => within(Kind::Type, &it.name, false),
            _ => None,
        }
    }

    pub(super) fn table(keyspace: &str, table: &str) -> Self {
        let (keyspace, name) = (keyspace.to_owned(), table.to_owned());
        Self { kind: Kind::Table, keyspace, name, there: true, seen: None }
    }

    /// How far it is, by what was seen now and before.
    pub(super) fn look(&mut self, seen: &Seen) -> Look {
        let key = (self.kind, self.keyspace.clone(), self.name.clone());
        let now = seen.0.get(&key).cloned();
        let before = std::mem::replace(&mut self.seen, now.clone());
        match (self.there, now) {
            (false, None) => Look::Done,
            (true, Some(TableStatus::Active)) => Look::Done,
            (true, Some(TableStatus::InaccessibleEncryptionCredentials)) => {
                Look::Failed("the service may not use its key", Some(TableStatus::InaccessibleEncryptionCredentials))
            }
            (true, None) if before.is_some() => Look::Failed("it was being made, and is gone", None),
            (true, Some(TableStatus::Deleting)) => Look::Failed("it is being deleted", Some(TableStatus::Deleting)),
            (false, Some(TableStatus::Active)) if before == Some(TableStatus::Deleting) => {
                Look::Failed("it was being deleted, and is there again", Some(TableStatus::Active))
            }
            (_, now) => Look::NotYet(now),
        }
    }
}

impl Seen {
    /// Asks once for all that is awaited of a kind in a keyspace, however many that is.
    pub(super) async fn ask(session: &Session, awaited: impl Iterator<Item = &Awaited>) -> Result<Self, Error> {
        let mut questions: Vec<(Kind, &str)> = awaited.map(|of| (of.kind, of.keyspace.as_str())).collect();
        questions.sort_unstable_by_key(|(kind, keyspace)| (*kind as u8, *keyspace));
        questions.dedup();
        let mut seen = Self::default();
        for (kind, keyspace) in questions {
            match kind {
                // A keyspace in one Region has no status: it is ready when it has a row (DG:keyspaces-create).
                Kind::Keyspace => {
                    const THERE: &str = "SELECT keyspace_name FROM system_schema_mcs.keyspaces WHERE keyspace_name = ?";
                    const REGIONS: &str =
                        "SELECT status FROM system_multiregion_info.keyspaces WHERE keyspace_name = ?";
                    let there: Select<(&str,), (String,)> = session.prepare(THERE).await?;
                    if there.one((keyspace,)).await?.is_none() {
                        continue;
                    }
                    let regions: Select<(&str,), (Option<String>,)> = session.prepare(REGIONS).await?;
                    let statuses: Vec<_> = regions.rows((keyspace,)).try_collect().await?;
                    let statuses = statuses.into_iter().filter_map(|(status,)| Some(TableStatus::of(&status?)));
                    let first = statuses.filter(|status| *status != TableStatus::Active).min();
                    seen.0.insert((kind, keyspace.to_owned(), String::new()), first.unwrap_or(TableStatus::Active));
                }
                Kind::Table | Kind::Type => {
                    const TABLES: &str =
                        "SELECT table_name, status FROM system_schema_mcs.tables WHERE keyspace_name = ?";
                    const TYPES: &str = "SELECT type_name, status FROM system_schema_mcs.types WHERE keyspace_name = ?";
                    let text = if kind == Kind::Table { TABLES } else { TYPES };
                    let all: Select<(&str,), (String, Option<String>)> = session.prepare(text).await?;
                    let mut rows = all.rows((keyspace,));
                    while let Some((name, status)) = rows.try_next().await? {
                        let status = TableStatus::of(&status.unwrap_or_default());
                        seen.0.insert((kind, keyspace.to_owned(), name), status);
                    }
                }
            }
        }
        Ok(seen)
    }
}
