//! The rows, which are also the JSON of the responses.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

/// A row of `links`.
#[keyspaces::row]
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Link {
    /// The short name.
    pub slug: String,
    /// The id of the request that created it.
    #[serde(skip)]
    pub id: Uuid,
    /// The URL to which it redirects.
    pub target: String,
    /// The owner.
    pub owner: Uuid,
    /// The tags. CQL has no empty sets, so a missing set is read as empty.
    pub tags: BTreeSet<String>,
    /// The time of creation, to the millisecond.
    pub created_at: DateTime<Utc>,
}

/// A row of `links_by_owner`.
#[keyspaces::row]
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LinkOfOwner {
    #[serde(skip)]
    pub(crate) owner: Uuid,
    /// The time of creation, to the millisecond.
    pub created_at: DateTime<Utc>,
    /// The short name.
    pub slug: String,
    /// The URL to which it redirects.
    pub target: String,
}
