//! The addresses that clients connect to: each can be closed and opened again while the gateway runs.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use super::link::Order;
use super::{Shared, connection};
use crate::journal::LOG;
use crate::topology::Topology;
use crate::upstream::Failed;

/// The doors of a gateway.
#[derive(Debug)]
pub(crate) struct Doors {
    shared: RwLock<Arc<Shared>>,
    /// One change at a time. A door that is closed has nobody in it.
    doors: Mutex<BTreeMap<SocketAddr, JoinSet<()>>>,
    /// Brings rows back.
    restoring: Mutex<JoinSet<()>>,
}

/// Why a door cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stuck {
    /// The gateway has no such address.
    #[error("{0} is no address of this local Keyspaces")]
    Unknown(SocketAddr),
    /// Somebody else listens there by now, or the system does not let us.
    #[error("{0} cannot be listened at")]
    Listen(SocketAddr, #[source] io::Error),
    /// Cassandra was not there for it.
    #[error("the Cassandra behind cannot be used")]
    Cassandra(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Doors {
    pub(super) fn open(sockets: Vec<TcpListener>, shared: Arc<Shared>) -> io::Result<Self> {
        let mut doors = BTreeMap::new();
        for socket in sockets {
            doors.insert(socket.local_addr()?, attended(socket, &shared));
        }
        let restoring = Mutex::new(restoring(&shared));
        Ok(Self { shared: RwLock::new(shared), doors: Mutex::new(doors), restoring })
    }

    /// What all connections share, until a restart replaces it.
    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Closes a door and ends the connections through it; who comes is refused.
    pub(crate) async fn close(&self, address: SocketAddr) -> Result<(), Stuck> {
        let mut doors = self.doors.lock().await;
        doors.get_mut(&address).ok_or(Stuck::Unknown(address))?.shutdown().await;
        Ok(())
    }

    /// Opens a door that was closed.
    pub(crate) async fn reopen(&self, address: SocketAddr) -> Result<(), Stuck> {
        let mut doors = self.doors.lock().await;
        let door = doors.get_mut(&address).ok_or(Stuck::Unknown(address))?;
        if door.is_empty() {
            *door = attended(listener(address).await?, &self.shared());
        }
        Ok(())
    }

    /// Ends all connections; new ones are let in at once.
    pub(crate) async fn close_connections(&self) -> Result<(), Stuck> {
        let mut doors = self.doors.lock().await;
        let open = shut(&mut doors).await;
        self.open_all(&mut doors, &open).await
    }

    /// Ends everything that is not in Cassandra, and begins again after a while.
    pub(crate) async fn restart(&self, down: Duration) -> Result<(), Stuck> {
        let mut doors = self.doors.lock().await;
        let open = shut(&mut doors).await;
        // What brings rows back may not be at work twice.
        self.shared().schema.stop_restoring();
        while self.restoring.lock().await.join_next().await.is_some() {}
        tokio::time::sleep(down).await;
        let again = self.shared().begun_again().await.map_err(|unusable| Stuck::Cassandra(unusable.into()))?;
        *self.shared.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(again);
        *self.restoring.lock().await = restoring(&self.shared());
        self.open_all(&mut doors, &open).await
    }

    /// Shows these peers in `system.peers`, whether anybody listens there or not.
    pub(crate) async fn show_peers(&self, peers: &[Ipv4Addr]) -> Result<(), Failed> {
        let shared = self.shared();
        let topology = Topology::new(&shared.region, shared.partitioner, peers);
        shared.schema.show_topology(&topology).await
    }

    /// Closes all doors for good.
    pub(super) async fn close_all(&self) {
        shut(&mut *self.doors.lock().await).await;
        self.restoring.lock().await.shutdown().await;
    }

    /// Does what faults want done, until it is dropped.
    pub(super) async fn obey(self: Arc<Self>, mut orders: mpsc::UnboundedReceiver<Order>) {
        while let Some(order) = orders.recv().await {
            let done = match order {
                Order::CloseAll => self.close_connections().await,
                Order::Restart(down) => self.restart(down).await,
            };
            if let Err(stuck) = done {
                tracing::error!(error = &stuck as &dyn std::error::Error, "the gateway is not what it was");
            }
        }
    }

    async fn open_all(&self, doors: &mut BTreeMap<SocketAddr, JoinSet<()>>, open: &[SocketAddr]) -> Result<(), Stuck> {
        let shared = self.shared();
        for address in open {
            doors.insert(*address, attended(listener(*address).await?, &shared));
        }
        Ok(())
    }
}

/// Closes all doors and says which were open.
async fn shut(doors: &mut BTreeMap<SocketAddr, JoinSet<()>>) -> Vec<SocketAddr> {
    let mut open = Vec::new();
    for (address, door) in doors {
        if !door.is_empty() {
            open.push(*address);
            door.shutdown().await;
        }
    }
    open
}

/// Waits for whoever took the port in between; a client that connects to a closed port of this machine can do that for a
/// moment.
async fn listener(address: SocketAddr) -> Result<TcpListener, Stuck> {
    const ATTEMPTS: usize = 100;
    const PAUSE: Duration = Duration::from_millis(20);
    let mut attempt = 1;
    loop {
        match TcpListener::bind(address).await {
            Err(taken) if taken.kind() == io::ErrorKind::AddrInUse && attempt < ATTEMPTS => {
                attempt += 1;
                tokio::time::sleep(PAUSE).await;
            }
            bound => return bound.map_err(|error| Stuck::Listen(address, error)),
        }
    }
}

fn restoring(shared: &Arc<Shared>) -> JoinSet<()> {
    let mut restoring = JoinSet::new();
    let shared = Arc::clone(shared);
    restoring.spawn(async move { shared.schema.bring_rows_back().await });
    restoring
}

fn attended(socket: TcpListener, shared: &Arc<Shared>) -> JoinSet<()> {
    let mut door = JoinSet::new();
    door.spawn(listen(socket, Arc::clone(shared)));
    door
}

/// Accepts connections until it is dropped, and then they end too.
async fn listen(socket: TcpListener, shared: Arc<Shared>) {
    /// After what cannot be helped at once, as when there are no more file descriptors.
    const PAUSE: Duration = Duration::from_millis(50);
    let mut connections = JoinSet::new();
    loop {
        match socket.accept().await {
            Ok((stream, client)) => match Arc::clone(&shared.connections).try_acquire_owned() {
                Ok(place) => {
                    let shared = Arc::clone(&shared);
                    connections.spawn(async move {
                        connection::serve(shared, stream, client).await;
                        drop(place);
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
