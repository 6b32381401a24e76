//! A running local Keyspaces.

mod builder;
mod start;
#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::task::{JoinError, JoinHandle};

#[cfg(test)]
use crate::auth::Authority;
use crate::cassandra::Cassandra;
use crate::cassandra::owned::OwnedProcess;
use crate::control_plane::ControlPlane;
use crate::controls::Controls;
use crate::credentials::Credentials;
use crate::error::{Error, ErrorKind};
use crate::fault::Faults;
use crate::fault_port::FaultPort;
use crate::gateway::Gateway;
use crate::journal::Journal;
use crate::metering::Metering;
use crate::ready::Ready;
use crate::runtime::OwnRuntime;
use crate::throttle::Throttling;
pub use builder::Builder;

/// A running local Keyspaces. Everything that it started ends when it is dropped, and when its process ends, even if
/// the process is killed. Several can run side by side.
///
/// It has its own threads, so that a client may block its thread, and the runtime of a test may end.
#[derive(Debug)]
pub struct Local {
    ready: Ready,
    journal: Journal,
    controls: Controls,
    // In the order in which they are dropped.
    _fault_port: Option<FaultPort>,
    control_plane: Option<ControlPlane>,
    gateway: Option<Gateway>,
    runtime: OwnRuntime,
    cassandra: Cassandra,
    _ca_directory: Option<OwnedProcess>,
}

impl Local {
    /// A builder with the default settings.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// The instance that the whole process shares, which the first caller starts with the default settings. It ends
    /// with the process.
    ///
    /// # Errors
    ///
    /// As [`Builder::start`]; the next caller then tries again.
    pub async fn shared() -> Result<&'static Self, Error> {
        Self::shared_with(Self::builder()).await
    }

    /// As [`shared`](Self::shared), with these settings. Only the settings of the first caller count, so
    /// all tests of a binary should pass the same ones.
    ///
    /// ```no_run
    /// # async fn test() -> Result<(), keyspaces_local::Error> {
    /// use std::time::Duration;
    ///
    /// use keyspaces_local::Local;
    ///
    /// // Tables are ACTIVE at once.
    /// let local = Local::shared_with(Local::builder().ddl_delay(Duration::ZERO)).await?;
    /// # let _ = local;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Builder::start`]; the next caller then tries again.
    pub async fn shared_with(builder: Builder) -> Result<&'static Self, Error> {
        static SHARED: OnceCell<Local> = OnceCell::const_new();
        SHARED.get_or_try_init(|| builder.start()).await
    }

    pub(crate) async fn start(builder: Builder) -> Result<Self, Error> {
        let runtime = OwnRuntime::new()?;
        let parts = ServiceTask(runtime.handle().spawn(start::start(builder))).join().await?;
        let start::Started { ready, controls, fault_port, control_plane, gateway, cassandra, ca_directory } = parts;
        let journal = gateway.journal();
        Ok(Self {
            ready,
            journal,
            controls,
            _fault_port: fault_port,
            control_plane: Some(control_plane),
            gateway: Some(gateway),
            runtime,
            cassandra,
            _ca_directory: ca_directory,
        })
    }

    /// The host to connect to: `localhost`.
    pub fn host(&self) -> &str {
        &self.ready.host
    }

    /// The port to connect to, with TLS.
    pub fn port(&self) -> u16 {
        self.ready.port
    }

    /// The URL of the control plane, which the AWS CLI takes as `--endpoint-url`, and SDKs as the endpoint's URL: HTTPS
    /// under the authority of [`ca_path`](Self::ca_path), unless [`Builder::plain_http`] says otherwise. The services
    /// are `keyspaces`; `iam`, only its service-specific credentials; `application-autoscaling`, only its read
    /// operations; and `monitoring`, which is CloudWatch, for the gateway's counts.
    pub fn control_plane(&self) -> &str {
        &self.ready.control_plane
    }

    /// The service's name in the certificate, `cassandra.<region>.amazonaws.com`. `localhost` is in it too.
    pub fn server_name(&self) -> &str {
        self.ready.names.get(1).map_or(&self.ready.host, String::as_str)
    }

    /// The certificate of the authority to trust, as PEM.
    pub fn ca_pem(&self) -> &str {
        self.controls.ca.pem()
    }

    /// The file with that certificate.
    pub fn ca_path(&self) -> &Path {
        &self.ready.ca
    }

    /// The region that signatures are for.
    pub fn region(&self) -> &str {
        &self.ready.region
    }

    /// The credentials of clients.
    pub fn credentials(&self) -> &Credentials {
        &self.ready.credentials
    }

    /// The credentials of a principal whose requests are refused for lack of permissions.
    pub fn credentials_without_permissions(&self) -> &Credentials {
        &self.ready.without_permissions
    }

    /// The journal of received requests.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The faults that are injected into requests.
    pub fn faults(&self) -> &Faults {
        &self.controls.faults
    }

    /// The throttling of tables, partitions and connections.
    pub fn throttling(&self) -> &Throttling {
        &self.controls.throttling
    }

    /// The consumed capacity, and the throttled requests.
    pub fn metering(&self) -> &Metering {
        &self.controls.metering
    }

    /// All connection parameters, as the program prints them.
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Stops the service like dropping it, and reports whether its keyspaces were dropped from an external Cassandra.
    ///
    /// # Errors
    ///
    /// The keyspaces of the service could not be dropped.
    pub async fn close(mut self) -> Result<(), Error> {
        if let Some(control_plane) = self.control_plane.take() {
            let closing = async {
                control_plane.close().await;
                Ok(())
            };
            // The control plane ends with the runtime at the latest.
            let _ = ServiceTask(self.runtime.handle().spawn(closing)).join().await;
        }
        let closed = match self.gateway_to_close() {
            Some(gateway) => ServiceTask(self.runtime.handle().spawn(gateway.close())).join().await,
            None => Ok(()),
        };
        // Killing a process and removing its files blocks for some milliseconds.
        let _ = tokio::task::spawn_blocking(move || drop(self)).await;
        closed
    }

    /// Waits until the backing Cassandra has ended by itself, and returns the reason. Waits forever for an external
    /// Cassandra.
    pub async fn ended(&self) -> Error {
        Error::new(ErrorKind::Cassandra, self.cassandra.exit().report().await)
    }

    /// The address of the backing Cassandra, without TLS and password, for tests that check what is stored,
    /// or that need a plain Cassandra. Keyspaces have other names there.
    pub fn cassandra_address(&self) -> SocketAddr {
        self.cassandra.address()
    }

    /// Closes all connections to all peers. New ones are accepted at once.
    ///
    /// # Errors
    ///
    /// As [`restart`](Self::restart).
    pub async fn close_connections(&self) -> Result<(), Error> {
        self.run(|controls| async move { controls.close_connections().await }).await
    }

    /// Stops the gateway with all connections, and starts it again after `down` at the same addresses, with the same
    /// certificate, credentials and Cassandra. Prepared statements are lost and answered with UNPREPARED; definitions
    /// in progress continue. The journal and the faults stay.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Listen`]: another program listens at one of the addresses by now. [`ErrorKind::Gateway`]: the schema could
    /// not be read from Cassandra. The service is not available then.
    pub async fn restart(&self, down: Duration) -> Result<(), Error> {
        self.run(move |controls| async move { controls.restart(down).await }).await
    }

    /// The addresses of all peers, including the stopped ones. The first is the contact point.
    pub fn peers(&self) -> Vec<SocketAddr> {
        let count = u8::try_from(self.ready.peers.max(1)).unwrap_or(1);
        (1..=count).map(|last| SocketAddr::from(([127, 0, 0, last], self.port()))).collect()
    }

    /// Stops a peer: its connections are closed, and new ones refused. `system.peers` still shows it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Setting`]: there is no such peer.
    pub async fn stop_peer(&self, peer: SocketAddr) -> Result<(), Error> {
        self.run(move |controls| async move { controls.stop_peer(peer).await }).await
    }

    /// Starts a peer again that was [stopped](Self::stop_peer).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Setting`]: there is no such peer. [`ErrorKind::Listen`]: another program listens at its address by now.
    pub async fn start_peer(&self, peer: SocketAddr) -> Result<(), Error> {
        self.run(move |controls| async move { controls.start_peer(peer).await }).await
    }

    /// Makes `system.peers` show these addresses, whether the service listens there or not, and changes `system.local`
    /// accordingly.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Gateway`]: the tables could not be written in Cassandra.
    pub async fn show_peers(&self, peers: impl IntoIterator<Item = Ipv4Addr>) -> Result<(), Error> {
        let peers: Vec<_> = peers.into_iter().collect();
        self.run(|controls| async move { controls.show_peers(&peers).await }).await
    }

    /// Makes the credentials expire: logins with them are refused from now on. Connections stay open; what the service
    /// does with them is not documented. [`close_connections`](Self::close_connections) closes them.
    pub fn expire_credentials(&self) {
        self.controls.authority.expire();
    }

    /// Accepts these credentials from now on, in place of the previous ones. [`credentials`](Self::credentials) still
    /// returns the first ones.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Setting`]: the credentials are not usable, for example because the user is empty.
    pub fn accept_credentials(&self, credentials: Credentials) -> Result<(), Error> {
        self.controls.accept_credentials(credentials)
    }

    /// Uses a new certificate of the same authority for new connections.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Certificate`]: the certificate could not be made.
    pub fn renew_certificate(&self) -> Result<(), Error> {
        self.controls.ca.renew()
    }

    /// Uses the certificate of a new authority for new connections, and returns the authority's own certificate as PEM.
    /// [`ca_pem`](Self::ca_pem) and its file still contain the certificate of the first authority.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Certificate`]: the certificates could not be made.
    pub fn replace_authority(&self) -> Result<String, Error> {
        self.controls.ca.replace_authority()
    }

    /// Runs an operation on the service's own threads, to its end even if the caller stops waiting.
    async fn run<W: Future<Output = Result<(), Error>> + Send + 'static>(
        &self,
        control: impl FnOnce(Controls) -> W,
    ) -> Result<(), Error> {
        let running = self.runtime.handle().spawn(control(self.controls.clone()));
        running.await.unwrap_or_else(|error| Err(task_failed(error)))
    }

    #[cfg(test)]
    pub(crate) fn authority(&self) -> &Authority {
        &self.controls.authority
    }

    #[cfg(test)]
    pub(crate) fn controls(&self) -> &Controls {
        &self.controls
    }

    #[cfg(test)]
    pub(crate) fn listeners(&self) -> &crate::gateway::Listeners {
        &self.controls.listeners
    }

    /// The gateway, if its Cassandra is external, so that its keyspaces may have to be dropped.
    fn gateway_to_close(&mut self) -> Option<Gateway> {
        self.gateway.take_if(|_| self.cassandra.is_external())
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        let Some(gateway) = self.gateway_to_close() else { return };
        if let Err(error) = self.runtime.block_on(SHUTDOWN_TIMEOUT, gateway.close()) {
            tracing::warn!("{error}");
        }
    }
}

const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);

/// A task on the service's own threads, which is aborted when its caller stops waiting.
struct ServiceTask<T>(JoinHandle<Result<T, Error>>);

impl<T> ServiceTask<T> {
    async fn join(mut self) -> Result<T, Error> {
        let joined = (&mut self.0).await;
        joined.unwrap_or_else(|error| Err(task_failed(error)))
    }
}

impl<T> Drop for ServiceTask<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A task is canceled when the service's threads end before it.
fn task_failed(error: JoinError) -> Error {
    let end = if error.is_panic() { "panicked" } else { "was canceled" };
    Error::new(ErrorKind::Gateway, format!("a task of the service {end}")).with_source(error)
}
