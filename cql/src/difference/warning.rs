//! The costs and risks of statements.

use std::fmt;

use crate::table::{TableChange, TableDefinition, TableOptions};
use crate::{KeyspaceChange, KeyspaceDefinition, Replication};

/// A cost or a risk of a statement of a [`Difference`](super::Difference), for the person who approves it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Warning {
    /// The kind of the warning.
    pub kind: WarningKind,
    /// The reason, in words that fit after the kind and a colon, without a full stop.
    pub why: &'static str,
    /// The source.
    pub source: &'static str,
}

/// The kind of a [`Warning`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum WarningKind {
    /// The previous state cannot be restored.
    CannotBeUndone,
    /// The change raises costs.
    CostsMoney,
    /// The change takes hours rather than a minute.
    TakesLong,
}

impl fmt::Display for WarningKind {
    /// `cannot be undone`, `costs money`, `takes long`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CannotBeUndone => "cannot be undone",
            Self::CostsMoney => "costs money",
            Self::TakesLong => "takes long",
        })
    }
}

impl fmt::Display for Warning {
    /// `costs money: the data for restores is stored in addition to the table (DG:PointInTimeRecovery)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.kind, self.why, self.source)
    }
}

pub(crate) fn keyspace_warnings(keyspace: &KeyspaceDefinition) -> Vec<&'static Warning> {
    match keyspace.replication {
        Replication::SingleRegion => Vec::new(),
        Replication::MultiRegion(_) => vec![&EVERY_REGION],
    }
}

pub(crate) fn keyspace_change_warnings(change: &KeyspaceChange) -> Vec<&'static Warning> {
    match change {
        KeyspaceChange::AddRegion(_) => vec![&REGION_STAYS, &EVERY_REGION, &REGION_IS_COPIED],
        KeyspaceChange::AddTags(_) | KeyspaceChange::DropTags(_) => Vec::new(),
    }
}

pub(crate) fn table_warnings(table: &TableDefinition) -> Vec<&'static Warning> {
    let mut warnings: Vec<&Warning> = Vec::new();
    for property in table.options.properties() {
        for warning in property.warnings(&TableOptions::default()) {
            if warning.kind != WarningKind::CannotBeUndone && !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
    }
    warnings
}

pub(crate) fn table_change_warnings(change: &TableChange, current: &TableDefinition) -> Vec<&'static Warning> {
    match change {
        TableChange::AddColumns(_) => vec![&COLUMN_STAYS],
        TableChange::AddTags(_)
        | TableChange::DropTags(_)
        | TableChange::AddStreamTags(_)
        | TableChange::DropStreamTags(_) => Vec::new(),
        TableChange::Set(property) => property.warnings(&current.options),
    }
}

macro_rules! warnings {
    ($($name:ident $kind:ident $why:literal, $source:literal;)*) => {
        $(pub(crate) static $name: Warning = Warning { kind: WarningKind::$kind, why: $why, source: $source };)*
    };
}

warnings! {
    COLUMN_STAYS CannotBeUndone "a column cannot be dropped", "DG:cql.ddl.table";
    TTL_STAYS CannotBeUndone "TTL cannot be turned off again", "DG:TTL-how-to-create-table";
    TIMESTAMPS_STAY CannotBeUndone "client-side timestamps cannot be turned off again", "DG:client-side-timestamps";
    WARM_STAYS CannotBeUndone "warm throughput can only be raised", "DG:warm-throughput";
    RECOVERY_LOST CannotBeUndone "the table can no longer be restored to earlier points in time", "DG:PointInTimeRecovery";
    STREAM_LOST CannotBeUndone
        "the stream ends; a later stream is a new one with a new ARN", "DG:cdc_how-it-works";
    REGION_STAYS CannotBeUndone
        "a Region cannot be removed, and client-side timestamps stay on in all tables",
        "DG:keyspaces-multi-region-add-replica";
    PROVISIONED CostsMoney "provisioned units are billed, used or not", "DG:ReadWriteCapacityMode";
    SCALING_COSTS CostsMoney
        "units are provisioned up to the maximum, and CloudWatch alarms are created", "DG:autoscaling";
    WARM_COSTS CostsMoney "raising it is billed once", "DG:warm-throughput";
    RECOVERY_COSTS CostsMoney "the data for restores is stored in addition to the table", "DG:PointInTimeRecovery";
    KEY_COSTS CostsMoney "AWS KMS charges for its keys and their use", "DG:EncryptionAtRest";
    EXPIRY_COSTS CostsMoney "each KB of an expiring row takes a unit", "DG:TTL";
    CDC_COSTS CostsMoney "a stream is billed in addition to the table", "the service's price list";
    EVERY_REGION CostsMoney
        "storage and writes are billed in each Region", "DG:multiRegion-replication_how-it-works";
    REGION_IS_COPIED TakesLong
        "all rows are copied, and meanwhile the keyspace and its tables accept no other change",
        "DG:keyspaces-multi-region-add-replica";
}
