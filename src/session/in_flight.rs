//! The calls in flight on a session.

use std::fmt;
use std::sync::Arc;

use scylla::client::session::Session as DriverSession;

use super::Session;
use super::connect::Connected;

/// A call in flight. [`Session::close`] waits until it is dropped. A call has access to the driver's session only
/// through it.
pub(crate) struct InFlight {
    connected: Arc<Connected>,
    session: Session,
}

impl InFlight {
    /// Creates the guard of a call that has entered the session's gate.
    pub(super) fn new(connected: Arc<Connected>, session: Session) -> Self {
        Self { connected, session }
    }

    pub(crate) fn driver(&self) -> &DriverSession {
        &self.connected.driver
    }

    pub(crate) fn shared_driver(&self) -> Arc<DriverSession> {
        Arc::clone(&self.connected.driver)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        // The limiter holds the peers, and a peer's connections are closed when its last holder drops it.
        if self.session.inner.gate.leave() {
            self.session.inner.peer_limiter.clear();
        }
    }
}

impl fmt::Debug for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InFlight").field("session", &self.session).finish_non_exhaustive()
    }
}
