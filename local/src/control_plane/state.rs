//! The state that the services of the control plane work on.

use std::sync::Arc;

use super::monitoring::AlarmStore;
use crate::auth::Authority;
use crate::gateway::{Listeners, Shared};

/// The state behind the control plane: the gateway's, and alarms.
#[derive(Clone)]
pub(crate) struct ControlPlaneState {
    listeners: Arc<Listeners>,
    authority: Arc<Authority>,
    region: String,
    alarms: Arc<AlarmStore>,
}

impl ControlPlaneState {
    pub(crate) fn new(listeners: Arc<Listeners>, authority: Arc<Authority>, region: String) -> Self {
        Self { listeners, authority, region, alarms: Arc::default() }
    }

    /// The state of the gateway. A restart of the gateway replaces it, so a request takes it once.
    pub(crate) fn gateway(&self) -> Arc<Shared> {
        self.listeners.shared()
    }

    /// The principals that may log in.
    pub(crate) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The alarms on the gateway's counts.
    pub(crate) fn alarms(&self) -> &AlarmStore {
        &self.alarms
    }

    /// The emulated Region.
    pub(crate) fn region(&self) -> &str {
        &self.region
    }
}

impl std::fmt::Debug for ControlPlaneState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ControlPlaneState").field("region", &self.region).finish_non_exhaustive()
    }
}
