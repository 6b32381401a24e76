//! The status of a table, a type or a replica.

use std::fmt;

/// The status of a table, a type or a replica (`API:GetTable`).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum TableStatus {
    /// It is being created.
    Creating,
    /// It is being restored from another table.
    Restoring,
    /// It is being changed. Meanwhile it can be used as it was before.
    Updating,
    /// It is being deleted.
    Deleting,
    /// The service has no access to its encryption key. It is archived after seven days (`DG:encryption.customermanaged`).
    InaccessibleEncryptionCredentials,
    /// It can be used.
    Active,
    /// A status that this version does not know, as the service writes it.
    Other(String),
}

impl TableStatus {
    /// Parses a status of the service, whose case differs between system tables
    /// (DG:keyspaces-multi-region-replica-status).
    pub(super) fn parse(word: &str) -> Self {
        match word.to_ascii_uppercase().as_str() {
            "CREATING" => Self::Creating,
            "RESTORING" => Self::Restoring,
            "UPDATING" => Self::Updating,
            "DELETING" => Self::Deleting,
            "INACCESSIBLE_ENCRYPTION_CREDENTIALS" => Self::InaccessibleEncryptionCredentials,
            "ACTIVE" => Self::Active,
            _ => Self::Other(word.to_owned()),
        }
    }
}

impl fmt::Display for TableStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Creating => "CREATING",
            Self::Restoring => "RESTORING",
            Self::Updating => "UPDATING",
            Self::Deleting => "DELETING",
            Self::InaccessibleEncryptionCredentials => "INACCESSIBLE_ENCRYPTION_CREDENTIALS",
            Self::Active => "ACTIVE",
            Self::Other(word) => word,
        })
    }
}
