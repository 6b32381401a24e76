//! A running local Keyspaces.

mod builder;
#[cfg(test)]
mod tests;
mod trouble;

use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::task::JoinHandle;

use crate::auth::Authority;
use crate::ca::Ca;
use crate::cassandra::owned::{Job, Owned};
use crate::cassandra::{self, Cassandra};
use crate::control_plane::{self, ControlPlane, Plane};
use crate::controls::Controls;
use crate::credentials::Credentials;
use crate::error::{Error, ErrorKind};
use crate::fault::Faults;
use crate::fault_port::FaultPort;
use crate::gateway::{self, Gateway, Instance, Script};
use crate::journal::Journal;
use crate::metering::Metering;
use crate::ready::Ready;
use crate::runtime::OwnRuntime;
use crate::throttle::Throttling;
use crate::topology::Listeners;
use crate::{random, schema, truststore};
pub use builder::Builder;

/// A running local Keyspaces. When it is dropped, or its process ends in whatever way, everything that it started is
/// gone. Several run side by side.
///
/// It has threads of its own: a client may block its thread, and a test's runtime may end.
#[derive(Debug)]
pub struct Local {
    ready: Ready,
    journal: Journal,
    controls: Controls,
    // In the order of their ends.
    _fault_port: Option<FaultPort>,
    control_plane: Option<ControlPlane>,
    gateway: Option<Gateway>,
    runtime: OwnRuntime,
    cassandra: Cassandra,
    _ca_directory: Option<Owned>,
}

impl Local {
    /// The settings to start with.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// The one that all of this process shares: started, with the default settings, by who comes first. It ends with
    /// the process.
    ///
    /// # Errors
    ///
    /// As [`Builder::start`]; who comes next then tries again.
    pub async fn shared() -> Result<&'static Self, Error> {
        static SHARED: OnceCell<Local> = OnceCell::const_new();
        SHARED.get_or_try_init(|| Self::builder().start()).await
    }

    pub(crate) async fn start(builder: Builder) -> Result<Self, Error> {
        let runtime = OwnRuntime::new()?;
        let parts = Work(runtime.handle().spawn(parts(builder))).join().await?;
        let Started { ready, controls, fault_port, control_plane, gateway, cassandra, ca_directory } = parts;
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

    /// Where to connect: `localhost`.
    pub fn host(&self) -> &str {
        &self.ready.host
    }

    /// At which port, with TLS.
    pub fn port(&self) -> u16 {
        self.ready.port
    }

    /// The URL of the control plane, which the AWS CLI takes as `--endpoint-url`, and SDKs as the endpoint's URL: HTTPS under
    /// the authority of [`ca_path`](Self::ca_path), unless [`Builder::plain_http`] says otherwise. The services there are
    /// `keyspaces`, `iam` as far as its service-specific credentials, `application-autoscaling` as far as it describes, and
    /// `monitoring`, which is CloudWatch, for what was counted.
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

    /// With what to log in.
    pub fn credentials(&self) -> &Credentials {
        &self.ready.credentials
    }

    /// With what to log in as a principal who is told that he has no permissions.
    pub fn credentials_without_permissions(&self) -> &Credentials {
        &self.ready.without_permissions
    }

    /// What was received.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// What goes wrong with requests on purpose.
    pub fn faults(&self) -> &Faults {
        &self.controls.faults
    }

    /// What is throttled.
    pub fn throttling(&self) -> &Throttling {
        &self.controls.throttling
    }

    /// What was consumed, and what was throttled.
    pub fn metering(&self) -> &Metering {
        &self.controls.metering
    }

    /// All that a client needs to know, as the program prints it.
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Ends it, as dropping it does, and says what of it is left in a Cassandra that was given and could not be reached.
    ///
    /// # Errors
    ///
    /// Its keyspaces could not be dropped from there.
    pub async fn close(mut self) -> Result<(), Error> {
        if let Some(control_plane) = self.control_plane.take() {
            let closing = async {
                control_plane.close().await;
                Ok(())
            };
            // It ends in any case, at last with the runtime.
            let _ = Work(self.runtime.handle().spawn(closing)).join().await;
        }
        let closed = match self.gateway_to_close() {
            Some(gateway) => Work(self.runtime.handle().spawn(gateway.close())).join().await,
            None => Ok(()),
        };
        // To kill a process and to remove its files takes some milliseconds.
        let _ = tokio::task::spawn_blocking(move || drop(self)).await;
        closed
    }

    /// Waits until the Cassandra behind has ended although nobody ended it, and says why. With one that was given it
    /// waits for ever.
    pub async fn ended(&self) -> Error {
        Error::new(ErrorKind::Cassandra, self.cassandra.fate().story().await)
    }

    /// Where the Cassandra behind listens, without TLS and without password: for tests that ask it what is really stored,
    /// or that want a plain Cassandra. Its keyspaces have other names there than here.
    pub fn cassandra_address(&self) -> std::net::SocketAddr {
        self.cassandra.address()
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
    pub(crate) fn doors(&self) -> &gateway::Doors {
        &self.controls.doors
    }

    /// The gateway, if it has something in a Cassandra that stays.
    fn gateway_to_close(&mut self) -> Option<Gateway> {
        self.gateway.take_if(|_| self.cassandra.is_given())
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        let Some(gateway) = self.gateway_to_close() else { return };
        if let Err(error) = self.runtime.finish(PATIENCE_AT_THE_END, gateway.close()) {
            tracing::warn!("{error}");
        }
    }
}

struct Started {
    ready: Ready,
    controls: Controls,
    fault_port: Option<FaultPort>,
    control_plane: ControlPlane,
    gateway: Gateway,
    cassandra: Cassandra,
    ca_directory: Option<Owned>,
}

const PATIENCE_AT_THE_END: Duration = Duration::from_secs(10);

/// Work on the service's own threads, given up when nobody waits for it any more.
struct Work<T>(JoinHandle<Result<T, Error>>);

impl<T> Work<T> {
    async fn join(mut self) -> Result<T, Error> {
        let joined = (&mut self.0).await;
        joined.unwrap_or_else(|error| {
            Err(Error::new(ErrorKind::Gateway, "the service's own work did not end well").with_source(error))
        })
    }
}

impl<T> Drop for Work<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn parts(builder: Builder) -> Result<Started, Error> {
    let (names, host) = (builder.names(), builder.host());
    let script = builder.schema.as_deref().map(Script::read).transpose()?;
    let ca = Arc::new(Ca::generate(&names)?);
    check_port(builder.bind, builder.port).await?;
    let control_plane = control_plane::Settings {
        address: builder.bind.unwrap_or(Ipv4Addr::LOCALHOST),
        port: builder.http_port,
        is_plain: builder.plain_http,
        limits: builder.http_limits,
    };
    control_plane.check_port().await.map_err(|error| no_control_plane(control_plane, error))?;
    let (ca_path, ca_directory) = write_ca(&ca, builder.ca_directory.as_deref())?;
    if let Some(file) = &builder.truststore {
        truststore::write(&builder.surroundings, &ca_path, file).await?;
    }
    let cassandra = Cassandra::start(&cassandra::Settings {
        given: builder.cassandra,
        runtime: builder.runtime,
        partitioner: builder.partitioner,
        surroundings: builder.surroundings,
        progress: builder.progress,
    })
    .await?;

    let listeners = Listeners::bind(builder.bind, builder.port, builder.peers).await;
    let listeners = listeners.map_err(|error| cannot_listen(builder.bind, builder.port, error))?;
    let (port, peers) = (listeners.port, listeners.peers.len());
    let clock = Arc::clone(&builder.clock);
    let authority = Authority::new(builder.credentials.clone(), builder.region.clone(), builder.clock)
        .with_principal_without_permissions(builder.without_permissions.clone());
    let throttling = Throttling::new(Arc::clone(&clock), !builder.throttling, builder.full_buckets);
    let settings = gateway::Settings {
        listeners,
        region: builder.region.clone(),
        partitioner: builder.partitioner,
        instance: match builder.instance {
            _ if !cassandra.is_given() => Instance::Alone,
            None => Instance::Passing,
            Some(name) => Instance::Kept(name),
        },
        schema: schema::Settings {
            delays: builder.ddl_delays,
            region: builder.region.clone(),
            inaccessible_keys: builder.inaccessible_keys,
            history_bytes: builder.history_bytes,
        },
        clock,
        faults: builder.faults.clone(),
        throttling: throttling.clone(),
        fate: cassandra.fate(),
        max_connections: builder.max_connections,
        script,
    };
    let authority = Arc::new(authority);
    let gateway = match Gateway::start(settings, Arc::clone(&ca), Arc::clone(&authority), cassandra.address()).await {
        Ok(gateway) => gateway,
        Err(error) => return Err(cassandra.explained(error).await),
    };
    let controls = Controls {
        faults: builder.faults,
        throttling,
        metering: gateway.metering(),
        authority,
        ca,
        doors: Arc::clone(gateway.doors()),
    };
    let fault_port = match builder.fault_port {
        None => None,
        Some(port) => Some(FaultPort::start(port, controls.clone()).await.map_err(|error| {
            let problem = format!("port {port} of 127.0.0.1, the fault port, cannot be listened at: {error}");
            Error::new(ErrorKind::Listen, problem).with_source(error)
        })?),
    };
    let plane = Plane::new(Arc::clone(&controls.doors), Arc::clone(&controls.authority), builder.region.clone());
    let started = ControlPlane::start(control_plane, Arc::clone(&controls.ca), plane).await;
    let control_plane = started.map_err(|error| no_control_plane(control_plane, error))?;
    let scheme = if builder.plain_http { "http" } else { "https" };
    let ready = Ready {
        control_plane: format!("{scheme}://{host}:{}", control_plane.port()),
        host,
        port,
        names,
        ca: ca_path,
        region: builder.region,
        peers,
        fault_port: fault_port.as_ref().map(|fault_port| fault_port.port),
        cassandra: cassandra.address(),
        truststore: builder.truststore,
        credentials: builder.credentials,
        without_permissions: builder.without_permissions,
    };
    let fate = cassandra.fate();
    tokio::spawn(async move { tracing::error!(target: "keyspaces_local::cassandra", "{}", fate.story().await) });
    Ok(Started { ready, controls, fault_port, control_plane, gateway, cassandra, ca_directory })
}

/// Refuses at once a port that somebody has, before anything else is started. Clients are let in only at the end.
async fn check_port(address: Option<Ipv4Addr>, port: u16) -> Result<(), Error> {
    if port == 0 {
        return Ok(());
    }
    Listeners::bind(address, port, 0).await.map(drop).map_err(|error| cannot_listen(address, port, error))
}

fn no_control_plane(settings: control_plane::Settings, error: io::Error) -> Error {
    let control_plane::Settings { address, port, .. } = settings;
    let problem = format!(
        "port {port} of {address}, the port of the control plane, cannot be listened at: {error}. Choose another, or 0 for any \
         that is free"
    );
    Error::new(ErrorKind::Listen, problem).with_source(error)
}

fn cannot_listen(address: Option<Ipv4Addr>, port: u16, error: io::Error) -> Error {
    let place = address.map_or_else(|| "127.0.0.1 and its neighbours".to_owned(), |address| address.to_string());
    let problem =
        format!("port {port} of {place} cannot be listened at: {error}. Choose another, or 0 for any that is free");
    Error::new(ErrorKind::Listen, problem).with_source(error)
}

/// Writes `ca.pem` into the directory, or into one of its own, which is owned.
fn write_ca(ca: &Ca, directory: Option<&Path>) -> Result<(PathBuf, Option<Owned>), Error> {
    let written = match directory {
        Some(directory) => write_ca_into(ca, directory).map(|path| (path, None)),
        None => write_ca_anywhere(ca).map(|(path, owned)| (path, Some(owned))),
    };
    written.map_err(|error| {
        let place = directory.map_or_else(|| "a temporary directory".into(), Path::to_string_lossy);
        let problem = format!("the authority's certificate cannot be written to {place}: {error}");
        Error::new(ErrorKind::Certificate, problem).with_source(error)
    })
}

fn write_ca_into(ca: &Ca, directory: &Path) -> io::Result<PathBuf> {
    fs::create_dir_all(directory)?;
    let directory = directory.canonicalize()?;
    if directory.to_str().is_none() {
        return Err(io::Error::other("its name is not UTF-8"));
    }
    let (new, path) = (directory.join(format!("ca.pem.{}", random::hex_32())), directory.join("ca.pem"));
    fs::write(&new, ca.pem())?;
    fs::rename(&new, &path)?;
    Ok(path)
}

fn write_ca_anywhere(ca: &Ca) -> io::Result<(PathBuf, Owned)> {
    let directory = tempfile::Builder::new().prefix("keyspaces-local-ca-").tempdir()?;
    let path = write_ca_into(ca, directory.path())?;
    let owned = Owned::start(&directory.path().canonicalize()?, &Job::default(), |_| {})?;
    let _ = directory.keep();
    Ok((path, owned))
}
