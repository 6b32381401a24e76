//! The listeners that clients connect to: each can be closed and opened again while the gateway runs.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use super::connection_handle::GatewayCommand;
use super::{Shared, connection};
use crate::journal::LOG;
use crate::lock::RwLock;
use crate::topology::Topology;
use crate::upstream::InternalRequestError;

/// The listeners of a gateway, by their addresses.
#[derive(Debug)]
pub(crate) struct Listeners {
    shared: RwLock<Arc<Shared>>,
    /// The task that accepts connections at each address; an empty set at a closed address. The lock is held over
    /// awaits so that one change is made at a time.
    tasks: Mutex<BTreeMap<SocketAddr, JoinSet<()>>>,
    /// The task that restores tables.
    restoring: Mutex<JoinSet<()>>,
}

/// Why a listener could not be opened or closed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenerError {
    /// The gateway has no listener at this address.
    #[error("{0} is not an address of this local Keyspaces")]
    Unknown(SocketAddr),
    /// Another program listens at the address, or the system does not allow it.
    #[error("{0} cannot be listened at")]
    Listen(SocketAddr, #[source] io::Error),
    /// The schema could not be read from Cassandra again.
    #[error("Cassandra cannot be used")]
    Cassandra(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Listeners {
    pub(super) fn open(sockets: Vec<TcpListener>, shared: Arc<Shared>) -> io::Result<Self> {
        let mut tasks = BTreeMap::new();
        for socket in sockets {
            tasks.insert(socket.local_addr()?, spawn_accepting(socket, &shared));
        }
        let restoring = Mutex::new(spawn_restoring(&shared));
        Ok(Self { shared: RwLock::new(shared), tasks: Mutex::new(tasks), restoring })
    }

    /// What all connections share, until a restart replaces it.
    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared.read())
    }

    /// Closes a listener and its connections; new connections are refused.
    pub(crate) async fn close(&self, address: SocketAddr) -> Result<(), ListenerError> {
        let mut tasks = self.tasks.lock().await;
        tasks.get_mut(&address).ok_or(ListenerError::Unknown(address))?.shutdown().await;
        Ok(())
    }

    /// Opens a listener that was closed.
    pub(crate) async fn reopen(&self, address: SocketAddr) -> Result<(), ListenerError> {
        let mut tasks = self.tasks.lock().await;
        let task = tasks.get_mut(&address).ok_or(ListenerError::Unknown(address))?;
        if task.is_empty() {
            *task = spawn_accepting(bind(address).await?, &self.shared());
        }
        Ok(())
    }

    /// Closes all connections; new ones are accepted at once.
    pub(crate) async fn close_connections(&self) -> Result<(), ListenerError> {
        let mut tasks = self.tasks.lock().await;
        let open = close(&mut tasks).await;
        self.open_all(&mut tasks, &open).await
    }

    /// Closes all connections, drops all state that is not in Cassandra, and accepts connections again after `down`.
    pub(crate) async fn restart(&self, down: Duration) -> Result<(), ListenerError> {
        let mut tasks = self.tasks.lock().await;
        let open = close(&mut tasks).await;
        // Two tasks that restore the same table would both write its rows.
        self.shared().schema.stop_restoring();
        while self.restoring.lock().await.join_next().await.is_some() {}
        tokio::time::sleep(down).await;
        let reopened = self.shared().reopened().await.map_err(|unusable| ListenerError::Cassandra(unusable.into()))?;
        *self.shared.write() = Arc::new(reopened);
        *self.restoring.lock().await = spawn_restoring(&self.shared());
        self.open_all(&mut tasks, &open).await
    }

    /// Shows these peers in `system.peers`, whether there are listeners at their addresses or not.
    pub(crate) async fn show_peers(&self, peers: &[Ipv4Addr]) -> Result<(), InternalRequestError> {
        let shared = self.shared();
        let topology = Topology::new(&shared.region, shared.partitioner, peers);
        shared.schema.show_topology(&topology).await
    }

    /// Closes all listeners permanently.
    pub(super) async fn close_all(&self) {
        close(&mut *self.tasks.lock().await).await;
        self.restoring.lock().await.shutdown().await;
    }

    /// Executes the commands of faults, until it is dropped.
    pub(super) async fn run_commands(self: Arc<Self>, mut commands: mpsc::UnboundedReceiver<GatewayCommand>) {
        while let Some(command) = commands.recv().await {
            let result = match command {
                GatewayCommand::CloseAll => self.close_connections().await,
                GatewayCommand::Restart(down) => self.restart(down).await,
            };
            if let Err(error) = result {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "the listeners could not be opened again after a fault");
            }
        }
    }

    async fn open_all(
        &self,
        tasks: &mut BTreeMap<SocketAddr, JoinSet<()>>,
        open: &[SocketAddr],
    ) -> Result<(), ListenerError> {
        let shared = self.shared();
        for address in open {
            tasks.insert(*address, spawn_accepting(bind(*address).await?, &shared));
        }
        Ok(())
    }
}

/// Closes all listeners, and returns the addresses of those that were open.
async fn close(tasks: &mut BTreeMap<SocketAddr, JoinSet<()>>) -> Vec<SocketAddr> {
    let mut open = Vec::new();
    for (address, task) in tasks {
        if !task.is_empty() {
            open.push(*address);
            task.shutdown().await;
        }
    }
    open
}

/// Tries again while the port is taken: a client that connects from this machine to the closed port can hold it for a
/// moment.
async fn bind(address: SocketAddr) -> Result<TcpListener, ListenerError> {
    const ATTEMPTS: usize = 100;
    const PAUSE: Duration = Duration::from_millis(20);
    let mut attempt = 1;
    loop {
        match TcpListener::bind(address).await {
            Err(taken) if taken.kind() == io::ErrorKind::AddrInUse && attempt < ATTEMPTS => {
                attempt += 1;
                tokio::time::sleep(PAUSE).await;
            }
            bound => return bound.map_err(|error| ListenerError::Listen(address, error)),
        }
    }
}

fn spawn_restoring(shared: &Arc<Shared>) -> JoinSet<()> {
    let mut restoring = JoinSet::new();
    let shared = Arc::clone(shared);
    restoring.spawn(async move { shared.schema.restore_rows().await });
    restoring
}

fn spawn_accepting(socket: TcpListener, shared: &Arc<Shared>) -> JoinSet<()> {
    let mut task = JoinSet::new();
    task.spawn(accept(socket, Arc::clone(shared)));
    task
}

/// Accepts connections until it is dropped, which closes them.
async fn accept(socket: TcpListener, shared: Arc<Shared>) {
    /// Errors of `accept` persist for a while: there may be no file descriptors left.
    const PAUSE: Duration = Duration::from_millis(50);
    let mut connections = JoinSet::new();
    loop {
        match socket.accept().await {
            Ok((stream, client)) => match Arc::clone(&shared.connections).try_acquire_owned() {
                Ok(permit) => {
                    let shared = Arc::clone(&shared);
                    connections.spawn(async move {
                        connection::serve(shared, stream, client).await;
                        drop(permit);
                    });
                }
                Err(_) => {
                    let reason = format!("{} connections are open, which is the limit", shared.max_connections);
                    tracing::warn!(target: LOG, %client, reason, "connection closed");
                }
            },
            Err(error) => {
                tracing::warn!(target: LOG, %error, "no connection accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}
