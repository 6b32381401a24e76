//! What happens to the whole service on purpose, as opposed to single requests.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::Local;
use crate::auth::Authority;
use crate::ca::Ca;
use crate::credentials::Credentials;
use crate::error::{Error, ErrorKind};
use crate::fault::Faults;
use crate::gateway::{Doors, Stuck};
use crate::metering::Metering;
use crate::throttle::Throttling;

/// All of a running service that can be changed.
#[derive(Clone, Debug)]
pub(crate) struct Levers {
    pub(crate) faults: Faults,
    pub(crate) throttling: Throttling,
    pub(crate) metering: Metering,
    pub(crate) authority: Arc<Authority>,
    pub(crate) ca: Arc<Ca>,
    pub(crate) doors: Arc<Doors>,
}

/// What happens to the whole service on purpose. For what happens to single requests there is [`faults`](Self::faults).
///
/// What these methods say is so when they return.
impl Local {
    /// Closes all connections to all peers. New ones are let in at once.
    ///
    /// # Errors
    ///
    /// As [`restart`](Self::restart).
    pub async fn close_connections(&self) -> Result<(), Error> {
        self.doing(|levers| async move { levers.close_connections().await }).await
    }

    /// Ends the gateway with all connections, and begins again after `down` at the same addresses, with the same
    /// certificate and credentials, over the same Cassandra. Statements that were prepared are not known any more, and
    /// are answered with UNPREPARED; definitions that were under way go on. The journal and the faults stay.
    ///
    /// # Errors
    ///
    /// Somebody else listens at one of the addresses by now ([`ErrorKind::Listen`]), or Cassandra is not to be used
    /// ([`ErrorKind::Gateway`]). The service is then not there.
    pub async fn restart(&self, down: Duration) -> Result<(), Error> {
        self.doing(move |levers| async move { levers.restart(down).await }).await
    }

    /// The peers that there are, with the contact point, whether they are there at this time or not.
    pub fn peers(&self) -> Vec<SocketAddr> {
        let count = u8::try_from(self.ready.peers.max(1)).unwrap_or(1);
        (1..=count).map(|last| SocketAddr::from(([127, 0, 0, last], self.port()))).collect()
    }

    /// Takes a peer away: its connections are closed, and new ones refused. `system.peers` goes on showing it.
    ///
    /// # Errors
    ///
    /// There is no such peer ([`ErrorKind::Setting`]).
    pub async fn take_away(&self, peer: SocketAddr) -> Result<(), Error> {
        self.doing(move |levers| async move { levers.take_away(peer).await }).await
    }

    /// Brings back a peer that was taken away.
    ///
    /// # Errors
    ///
    /// There is no such peer ([`ErrorKind::Setting`]), or somebody else listens at its address by now
    /// ([`ErrorKind::Listen`]).
    pub async fn bring_back(&self, peer: SocketAddr) -> Result<(), Error> {
        self.doing(move |levers| async move { levers.bring_back(peer).await }).await
    }

    /// Changes what `system.peers` shows to these addresses, whether anybody listens there or not, and the other row of
    /// `system.local` with it.
    ///
    /// # Errors
    ///
    /// Cassandra did not take it ([`ErrorKind::Gateway`]).
    pub async fn show_peers(&self, peers: impl IntoIterator<Item = Ipv4Addr>) -> Result<(), Error> {
        let peers: Vec<_> = peers.into_iter().collect();
        self.doing(|levers| async move { levers.show_peers(&peers).await }).await
    }

    /// Lets the credentials expire: whoever logs in with them is refused from now on. Connections stay; what the service
    /// does with them is not documented. [`close_connections`](Self::close_connections) closes them.
    pub fn expire_credentials(&self) {
        self.levers.authority.expire();
    }

    /// Accepts these from now on, and not those from before: new ones, or the first ones ([`credentials`](
    /// Self::credentials) goes on giving these) come back.
    ///
    /// # Errors
    ///
    /// They cannot be used ([`ErrorKind::Setting`]).
    pub fn accept_credentials(&self, credentials: Credentials) -> Result<(), Error> {
        self.levers.accept_credentials(credentials)
    }

    /// Shows a new certificate of the same authority to who connects from now on.
    ///
    /// # Errors
    ///
    /// It could not be made ([`ErrorKind::Certificate`]).
    pub fn renew_certificate(&self) -> Result<(), Error> {
        self.levers.ca.renew()
    }

    /// Shows the certificate of a new authority to who connects from now on, and gives the authority's own as PEM.
    /// [`ca_pem`](Self::ca_pem) and its file go on giving the first one.
    ///
    /// # Errors
    ///
    /// It could not be made ([`ErrorKind::Certificate`]).
    pub fn replace_authority(&self) -> Result<String, Error> {
        self.levers.ca.replace_authority()
    }

    /// On the service's own threads: what is given up half-way here is still done.
    async fn doing<W: Future<Output = Result<(), Error>> + Send + 'static>(
        &self,
        work: impl FnOnce(Levers) -> W,
    ) -> Result<(), Error> {
        let work = self.runtime.handle().spawn(work(self.levers.clone()));
        work.await.unwrap_or_else(|error| {
            Err(Error::new(ErrorKind::Gateway, "the service's own work did not end well").with_source(error))
        })
    }
}

impl Levers {
    pub(crate) async fn close_connections(&self) -> Result<(), Error> {
        self.doors.close_connections().await.map_err(stuck)
    }

    pub(crate) async fn restart(&self, down: Duration) -> Result<(), Error> {
        self.doors.restart(down).await.map_err(stuck)
    }

    pub(crate) async fn take_away(&self, peer: SocketAddr) -> Result<(), Error> {
        self.doors.close(peer).await.map_err(stuck)
    }

    pub(crate) async fn bring_back(&self, peer: SocketAddr) -> Result<(), Error> {
        self.doors.reopen(peer).await.map_err(stuck)
    }

    pub(crate) async fn show_peers(&self, peers: &[Ipv4Addr]) -> Result<(), Error> {
        let shown = self.doors.show_peers(peers).await;
        shown.map_err(|failed| Error::new(ErrorKind::Gateway, "system.peers could not be changed").with_source(failed))
    }

    pub(crate) fn accept_credentials(&self, credentials: Credentials) -> Result<(), Error> {
        if let Some(flaw) = credentials.flaw() {
            return Err(Error::new(ErrorKind::Setting, format!("the credentials cannot be used: {flaw}")));
        }
        self.authority.accept(credentials);
        Ok(())
    }
}

fn stuck(stuck: Stuck) -> Error {
    let problem = stuck.to_string();
    match stuck {
        Stuck::Unknown(_) => Error::new(ErrorKind::Setting, problem),
        Stuck::Listen(_, error) => Error::new(ErrorKind::Listen, problem).with_source(error),
        Stuck::Cassandra(unusable) => Error::new(ErrorKind::Gateway, problem).with_source(unusable),
    }
}
