//! What happens to the whole service on purpose, as opposed to single requests.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::Local;
use crate::controls::Controls;
use crate::credentials::Credentials;
use crate::error::{Error, ErrorKind};

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
        self.doing(|controls| async move { controls.close_connections().await }).await
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
        self.doing(move |controls| async move { controls.restart(down).await }).await
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
        self.doing(move |controls| async move { controls.take_away(peer).await }).await
    }

    /// Brings back a peer that was taken away.
    ///
    /// # Errors
    ///
    /// There is no such peer ([`ErrorKind::Setting`]), or somebody else listens at its address by now
    /// ([`ErrorKind::Listen`]).
    pub async fn bring_back(&self, peer: SocketAddr) -> Result<(), Error> {
        self.doing(move |controls| async move { controls.bring_back(peer).await }).await
    }

    /// Changes what `system.peers` shows to these addresses, whether anybody listens there or not, and the other row of
    /// `system.local` with it.
    ///
    /// # Errors
    ///
    /// Cassandra did not take it ([`ErrorKind::Gateway`]).
    pub async fn show_peers(&self, peers: impl IntoIterator<Item = Ipv4Addr>) -> Result<(), Error> {
        let peers: Vec<_> = peers.into_iter().collect();
        self.doing(|controls| async move { controls.show_peers(&peers).await }).await
    }

    /// Lets the credentials expire: whoever logs in with them is refused from now on. Connections stay; what the service
    /// does with them is not documented. [`close_connections`](Self::close_connections) closes them.
    pub fn expire_credentials(&self) {
        self.controls.authority.expire();
    }

    /// Accepts these from now on, and not those from before: new ones, or the first ones ([`credentials`](
    /// Self::credentials) goes on giving these) come back.
    ///
    /// # Errors
    ///
    /// They cannot be used ([`ErrorKind::Setting`]).
    pub fn accept_credentials(&self, credentials: Credentials) -> Result<(), Error> {
        self.controls.accept_credentials(credentials)
    }

    /// Shows a new certificate of the same authority to who connects from now on.
    ///
    /// # Errors
    ///
    /// It could not be made ([`ErrorKind::Certificate`]).
    pub fn renew_certificate(&self) -> Result<(), Error> {
        self.controls.ca.renew()
    }

    /// Shows the certificate of a new authority to who connects from now on, and gives the authority's own as PEM.
    /// [`ca_pem`](Self::ca_pem) and its file go on giving the first one.
    ///
    /// # Errors
    ///
    /// It could not be made ([`ErrorKind::Certificate`]).
    pub fn replace_authority(&self) -> Result<String, Error> {
        self.controls.ca.replace_authority()
    }

    /// On the service's own threads: what is given up half-way here is still done.
    async fn doing<W: Future<Output = Result<(), Error>> + Send + 'static>(
        &self,
        work: impl FnOnce(Controls) -> W,
    ) -> Result<(), Error> {
        let work = self.runtime.handle().spawn(work(self.controls.clone()));
        work.await.unwrap_or_else(|error| {
            Err(Error::new(ErrorKind::Gateway, "the service's own work did not end well").with_source(error))
        })
    }
}
