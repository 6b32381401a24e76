//! What the services of the control plane work on.

use std::sync::Arc;

use crate::auth::Authority;
use crate::gateway::{Doors, Shared};

/// The state behind the control plane, which is the gateway's: there is no other.
#[derive(Clone)]
pub(crate) struct Plane {
    doors: Arc<Doors>,
    authority: Arc<Authority>,
    region: String,
}

impl Plane {
    pub(crate) fn new(doors: Arc<Doors>, authority: Arc<Authority>, region: String) -> Self {
        Self { doors, authority, region }
    }

    /// What CQL works on too, at this moment: a restart of the gateway replaces it. A request takes it once.
    pub(crate) fn gateway(&self) -> Arc<Shared> {
        self.doors.shared()
    }

    /// Who may log in.
    pub(crate) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The Region that the service stands for.
    pub(crate) fn region(&self) -> &str {
        &self.region
    }
}

impl std::fmt::Debug for Plane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plane").field("region", &self.region).finish_non_exhaustive()
    }
}
