//! The delays after which definitions take effect.

use std::time::Duration;

use super::Change;
use crate::names::ObjectKind;
use crate::saturated::saturated;

/// A kind of definition with a delay of its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Ddl {
    /// CREATE KEYSPACE
    CreateKeyspace,
    /// ALTER KEYSPACE, adding a Region among them
    AlterKeyspace,
    /// DROP KEYSPACE
    DropKeyspace,
    /// CREATE TABLE
    CreateTable,
    /// ALTER TABLE
    AlterTable,
    /// DROP TABLE
    DropTable,
    /// RESTORE TABLE, from when it was sent; restoring the rows may take longer.
    RestoreTable,
    /// CREATE TYPE
    CreateType,
    /// DROP TYPE
    DropType,
}

/// The delay of each kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delays([Duration; 9]);

impl Delays {
    /// The same delay for all.
    pub(crate) const fn all(delay: Duration) -> Self {
        Self([delay; 9])
    }

    pub(crate) const fn set(&mut self, ddl: Ddl, delay: Duration) {
        self.0[ddl as usize] = delay;
    }

    /// In milliseconds.
    pub(super) fn get(&self, kind: ObjectKind, change: Change) -> u64 {
        let ddl = match (kind, change) {
            (ObjectKind::Keyspace, Change::Create) => Ddl::CreateKeyspace,
            (ObjectKind::Keyspace, Change::Alter) => Ddl::AlterKeyspace,
            (ObjectKind::Keyspace, Change::Drop) => Ddl::DropKeyspace,
            (ObjectKind::Table, Change::Create) => Ddl::CreateTable,
            (ObjectKind::Table, Change::Alter) => Ddl::AlterTable,
            (ObjectKind::Table, Change::Drop) => Ddl::DropTable,
            // Only tables are restored.
            (_, Change::Restore) => Ddl::RestoreTable,
            // There is no ALTER TYPE.
            (ObjectKind::Type, Change::Create | Change::Alter) => Ddl::CreateType,
            (ObjectKind::Type, Change::Drop) => Ddl::DropType,
        };
        saturated::<u64>(self.0[ddl as usize].as_millis()).min(u64::MAX / 2)
    }
}

impl Ddl {
    const ALL: [(&'static str, Self); 9] = [
        ("create-keyspace", Self::CreateKeyspace),
        ("alter-keyspace", Self::AlterKeyspace),
        ("drop-keyspace", Self::DropKeyspace),
        ("create-table", Self::CreateTable),
        ("alter-table", Self::AlterTable),
        ("drop-table", Self::DropTable),
        ("restore-table", Self::RestoreTable),
        ("create-type", Self::CreateType),
        ("drop-type", Self::DropType),
    ];

    /// The names that [`from_name`](Self::from_name) accepts.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::ALL.into_iter().map(|(name, _)| name)
    }

    /// `create-table` and so on.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, ddl)| ddl)
    }
}
