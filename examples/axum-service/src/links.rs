//! Rows, which are also what is sent as JSON.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

/// A row of `links`.
#[keyspaces::row]
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Link {
    /// Its short name.
    pub slug: String,
    /// The id of the try that created it.
    #[serde(skip)]
    pub id: Uuid,
    /// Where it leads.
    pub target: String,
    /// Whose it is.
    pub owner: Uuid,
    /// Empty where there are none: CQL has no empty sets, and an absent one is read as empty.
    pub tags: BTreeSet<String>,
    /// To the millisecond.
    pub created_at: DateTime<Utc>,
}

/// A row of `links_by_owner`.
#[keyspaces::row]
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LinkOfOwner {
    #[serde(skip)]
    pub(crate) owner: Uuid,
    /// To the millisecond.
    pub created_at: DateTime<Utc>,
    /// Its short name.
    pub slug: String,
    /// Where it leads.
    pub target: String,
}
