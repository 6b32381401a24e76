//! The parts of a running service that tests and the fault port can change.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::auth::Authority;
use crate::ca::Ca;
use crate::credentials::Credentials;
use crate::error::{Error, ErrorKind};
use crate::fault::Faults;
use crate::gateway::{ListenerError, Listeners};
use crate::metering::Metering;
use crate::throttle::Throttling;

/// The changeable parts of a running service.
#[derive(Clone, Debug)]
pub(crate) struct Controls {
    pub(crate) faults: Faults,
    pub(crate) throttling: Throttling,
    pub(crate) metering: Metering,
    pub(crate) authority: Arc<Authority>,
    pub(crate) ca: Arc<Ca>,
    pub(crate) listeners: Arc<Listeners>,
}

impl Controls {
    pub(crate) async fn close_connections(&self) -> Result<(), Error> {
        self.listeners.close_connections().await.map_err(failed)
    }

    pub(crate) async fn restart(&self, down: Duration) -> Result<(), Error> {
        self.listeners.restart(down).await.map_err(failed)
    }

    pub(crate) async fn stop_peer(&self, peer: SocketAddr) -> Result<(), Error> {
        self.listeners.close(peer).await.map_err(failed)
    }

    pub(crate) async fn start_peer(&self, peer: SocketAddr) -> Result<(), Error> {
        self.listeners.reopen(peer).await.map_err(failed)
    }

    pub(crate) async fn show_peers(&self, peers: &[Ipv4Addr]) -> Result<(), Error> {
        let result = self.listeners.show_peers(peers).await;
        result.map_err(|failed| Error::new(ErrorKind::Gateway, "system.peers could not be changed").with_source(failed))
    }

    pub(crate) fn accept_credentials(&self, credentials: Credentials) -> Result<(), Error> {
        if let Some(problem) = credentials.problem() {
            return Err(Error::new(ErrorKind::Setting, format!("the credentials cannot be used: {problem}")));
        }
        self.authority.accept(credentials);
        Ok(())
    }
}

fn failed(error: ListenerError) -> Error {
    let problem = error.to_string();
    match error {
        ListenerError::Unknown(_) => Error::new(ErrorKind::Setting, problem),
        ListenerError::Listen(_, error) => Error::new(ErrorKind::Listen, problem).with_source(error),
        ListenerError::Cassandra(unusable) => Error::new(ErrorKind::Gateway, problem).with_source(unusable),
    }
}
