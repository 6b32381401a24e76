//! What state a table is in.

use std::fmt;

/// What state a table, a type or a replica is in (`API:GetTable`).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum TableStatus {
    /// It is being made.
    Creating,
    /// It is being brought back from a moment of another table.
    Restoring,
    /// It is being changed; meanwhile it can be used as it was.
    Updating,
    /// It is being dropped.
    Deleting,
    /// The service may not use the key that it is encrypted with; it is archived after seven days (`DG:encryption.customermanaged`).
    InaccessibleEncryptionCredentials,
    /// It can be used.
    Active,
    /// In the service's word for something that this version does not know.
    Other(String),
}

impl TableStatus {
    /// Reads the service's word, whose case differs between system tables
    /// (DG:keyspaces-multi-region-replica-status).
    pub(super) fn of(word: &str) -> Self {
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
