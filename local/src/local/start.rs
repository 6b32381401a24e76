//! Starting a service: certificate, Cassandra, gateway, control plane.

use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Builder;
use crate::auth::Authority;
use crate::ca::Ca;
use crate::cassandra::owned::{OwnedProcess, ProcessSpec};
use crate::cassandra::{self, Cassandra};
use crate::control_plane::{self, ControlPlane, ControlPlaneState};
use crate::controls::Controls;
use crate::error::{Error, ErrorKind};
use crate::fault_port::FaultPort;
use crate::gateway::{self, Gateway, Instance, Script};
use crate::ready::Ready;
use crate::throttle::Throttling;
use crate::topology::Sockets;
use crate::{random, schema, truststore};

/// The parts of a running service.
pub(super) struct Started {
    pub(super) ready: Ready,
    pub(super) controls: Controls,
    pub(super) fault_port: Option<FaultPort>,
    pub(super) control_plane: ControlPlane,
    pub(super) gateway: Gateway,
    pub(super) cassandra: Cassandra,
    pub(super) ca_directory: Option<OwnedProcess>,
}

/// Starts everything that a service consists of, in the order of dependence.
pub(super) async fn start(builder: Builder) -> Result<Started, Error> {
    let (names, host) = (builder.names(), builder.host());
    let script = builder.schema.as_deref().map(Script::read).transpose()?;
    let ca = Arc::new(Ca::generate(&names)?);
    check_port(builder.bind, builder.port).await?;
    let control_plane = control_plane::ControlPlaneSettings {
        address: builder.bind.unwrap_or(Ipv4Addr::LOCALHOST),
        port: builder.http_port,
        is_plain: builder.plain_http,
        limits: builder.http_limits,
    };
    control_plane.check_port().await.map_err(|error| no_control_plane(control_plane, error))?;
    let (ca_path, ca_directory) = write_ca(&ca, builder.ca_directory.as_deref())?;
    if let Some(file) = &builder.truststore {
        truststore::write(&builder.environment, &ca_path, file).await?;
    }
    let cassandra = Cassandra::start(&cassandra::CassandraSettings {
        address: builder.cassandra,
        runtime: builder.runtime,
        partitioner: builder.partitioner,
        environment: builder.environment,
        progress: builder.progress,
    })
    .await?;

    let sockets = Sockets::bind(builder.bind, builder.port, builder.peers).await;
    let sockets = sockets.map_err(|error| cannot_listen(builder.bind, builder.port, error))?;
    let (port, peers) = (sockets.port, sockets.peers.len());
    let clock = Arc::clone(&builder.clock);
    let authority = Authority::new(builder.credentials.clone(), builder.region.clone(), builder.clock)
        .with_principal_without_permissions(builder.without_permissions.clone());
    let throttling = Throttling::new(Arc::clone(&clock), !builder.throttling, builder.full_buckets);
    let settings = gateway::GatewaySettings {
        sockets,
        region: builder.region.clone(),
        partitioner: builder.partitioner,
        instance: match builder.instance {
            _ if !cassandra.is_external() => Instance::OwnCassandra,
            None => Instance::Temporary,
            Some(name) => Instance::Named(name),
        },
        schema: schema::SchemaSettings {
            delays: builder.ddl_delays,
            region: builder.region.clone(),
            inaccessible_keys: builder.inaccessible_keys,
            history_bytes: builder.history_bytes,
        },
        clock,
        faults: builder.faults.clone(),
        throttling: throttling.clone(),
        cassandra_exit: cassandra.exit(),
        max_connections: builder.max_connections,
        script,
    };
    let authority = Arc::new(authority);
    let gateway = match Gateway::start(settings, Arc::clone(&ca), Arc::clone(&authority), cassandra.address()).await {
        Ok(gateway) => gateway,
        Err(error) => return Err(cassandra.explain(error).await),
    };
    let controls = Controls {
        faults: builder.faults,
        throttling,
        metering: gateway.metering(),
        authority,
        ca,
        listeners: Arc::clone(gateway.listeners()),
    };
    let fault_port = match builder.fault_port {
        None => None,
        Some(port) => Some(FaultPort::start(port, controls.clone()).await.map_err(|error| {
            let problem = format!("port {port} of 127.0.0.1, the fault port, cannot be listened at: {error}");
            Error::new(ErrorKind::Listen, problem).with_source(error)
        })?),
    };
    let state = ControlPlaneState::new(
        Arc::clone(&controls.listeners),
        Arc::clone(&controls.authority),
        builder.region.clone(),
    );
    let started = ControlPlane::start(control_plane, Arc::clone(&controls.ca), state).await;
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
    let cassandra_exit = cassandra.exit();
    tokio::spawn(
        async move { tracing::error!(target: "keyspaces_local::cassandra", "{}", cassandra_exit.report().await) },
    );
    Ok(Started { ready, controls, fault_port, control_plane, gateway, cassandra, ca_directory })
}

/// Fails at once if the port is taken, before Cassandra is started. Clients are accepted only at the end.
async fn check_port(address: Option<Ipv4Addr>, port: u16) -> Result<(), Error> {
    if port == 0 {
        return Ok(());
    }
    Sockets::bind(address, port, 0).await.map(drop).map_err(|error| cannot_listen(address, port, error))
}

fn no_control_plane(settings: control_plane::ControlPlaneSettings, error: io::Error) -> Error {
    let control_plane::ControlPlaneSettings { address, port, .. } = settings;
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

/// Writes `ca.pem` into the directory, or into a new directory, which is removed at the end.
fn write_ca(ca: &Ca, directory: Option<&Path>) -> Result<(PathBuf, Option<OwnedProcess>), Error> {
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

fn write_ca_anywhere(ca: &Ca) -> io::Result<(PathBuf, OwnedProcess)> {
    let directory = tempfile::Builder::new().prefix("keyspaces-local-ca-").tempdir()?;
    let path = write_ca_into(ca, directory.path())?;
    let owned = OwnedProcess::start(&directory.path().canonicalize()?, &ProcessSpec::default(), |_| {})?;
    let _ = directory.keep();
    Ok((path, owned))
}
