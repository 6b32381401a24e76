//! The backing Cassandra: an external one, or one that is started here and ends with its owner.

mod docker;
pub(crate) mod environment;
mod exit;
mod jars;
mod java;
pub(crate) mod owned;
#[cfg(test)]
mod tests;
mod yaml;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fmt, io};

use environment::Environment;
pub(crate) use exit::CassandraExit;
use exit::{exit_cause, log_excerpt};
use java::Java;
use owned::{OwnedProcess, ProcessSpec};
use yaml::Yaml;

use crate::error::{Error, ErrorKind};
use crate::random;
use crate::topology::Partitioner;
use crate::upstream::InternalConnection;

/// Receives the progress of a start, in lines for a person.
pub(crate) type Progress = Arc<dyn Fn(&str) + Send + Sync>;

/// The version of Cassandra that is started.
pub(crate) const VERSION: &str = "5.0.6";

/// The runtime of a Cassandra that is started.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum CassandraRuntime {
    /// A container of the official image.
    Docker,
    /// A JDK of this machine, with jars that Maven downloads.
    Jdk,
}

/// The settings of the Cassandra to connect to or to start.
#[derive(Clone)]
pub(crate) struct CassandraSettings {
    /// `host:port` of a running Cassandra; takes precedence over the environment.
    pub(crate) address: Option<String>,
    /// The only runtime to start Cassandra with; `None` tries all.
    pub(crate) runtime: Option<CassandraRuntime>,
    pub(crate) partitioner: Partitioner,
    pub(crate) environment: Environment,
    pub(crate) progress: Progress,
}

/// A Cassandra that answers. Dropping it ends the process, if it was started here.
#[derive(Debug)]
pub(crate) struct Cassandra {
    address: SocketAddr,
    process: Option<OwnedProcess>,
}

impl Cassandra {
    /// Connects to or starts a Cassandra with the required partitioner.
    pub(crate) async fn start(settings: &CassandraSettings) -> Result<Self, Error> {
        // A caller that names a runtime wants a new Cassandra, not the one in the environment.
        let from_environment = settings.environment.cassandra.as_ref().filter(|_| settings.runtime.is_none());
        if let Some(address) = settings.address.as_ref().or(from_environment) {
            return Self::connect(address, settings.partitioner).await;
        }
        let mut tried = vec![format!("an address: {CASSANDRA_VARIABLE} is not set")];
        for runtime in [CassandraRuntime::Docker, CassandraRuntime::Jdk] {
            let name = runtime.name();
            if settings.runtime.is_some_and(|only| only != runtime) {
                tried.push(format!("{name}: not asked for"));
                continue;
            }
            let started = match runtime {
                CassandraRuntime::Docker => Self::with_docker(settings).await,
                CassandraRuntime::Jdk => Self::with_java(settings).await,
            };
            match started {
                Ok(cassandra) => return Ok(cassandra),
                Err(reason) => tried.push(format!("{name}: {reason}")),
            }
        }
        let tried: String = tried.iter().map(|attempt| format!("\n  - {attempt}")).collect();
        Err(Error::new(
            ErrorKind::Cassandra,
            format!(
                "no Cassandra could be found or started. Tried:{tried}\nInstall a JDK (17 or 11) and Maven (on Debian: apt \
                 install openjdk-17-jdk-headless maven), or Docker, or set {CASSANDRA_VARIABLE}=host:port to a Cassandra that needs \
                 no password"
            ),
        ))
    }

    /// The address for clients.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether this Cassandra is external: it was not started here, and keeps running.
    pub(crate) fn is_external(&self) -> bool {
        self.process.is_none()
    }

    /// The exit of this Cassandra.
    pub(crate) fn exit(&self) -> CassandraExit {
        CassandraExit::new(self.process.as_ref().map(OwnedProcess::output))
    }

    /// Replaces an error of the gateway's start with how Cassandra ended, if it ended meanwhile.
    pub(crate) async fn explain(&self, error: Error) -> Error {
        let exit = self.exit();
        if error.kind() != ErrorKind::Gateway || exit.summary().await.is_none() {
            return error;
        }
        Error::new(ErrorKind::Cassandra, exit.report().await)
    }

    async fn connect(host_and_port: &str, required: Partitioner) -> Result<Self, Error> {
        let problem = |problem: String| {
            Error::new(ErrorKind::Cassandra, format!("the Cassandra at {host_and_port} cannot be used: {problem}"))
        };
        let addresses = tokio::net::lookup_host(host_and_port).await;
        let addresses = addresses.map_err(|error| problem(format!("the host and port do not resolve ({error})")))?;
        let mut last = problem("its name has no address".to_owned());
        for address in addresses {
            let partitioner = match read_partitioner(address, ANSWER_TIMEOUT).await {
                Ok(partitioner) => partitioner,
                Err(error) => {
                    last = problem(error);
                    continue;
                }
            };
            if partitioner != required.class_in_cassandra() {
                return Err(problem(format!(
                    "its partitioner is {partitioner}, and the configured {} needs {}",
                    required.class(),
                    required.class_in_cassandra()
                )));
            }
            return Ok(Self { address, process: None });
        }
        Err(last)
    }

    async fn with_docker(settings: &CassandraSettings) -> Result<Self, String> {
        let docker = settings.environment.program("docker").ok_or("there is no `docker` on the PATH")?;
        docker::probe(&docker).await?;
        (settings.progress)(&format!(
            "starting Apache Cassandra {VERSION} in a container (the first time its image is pulled)"
        ));
        start_process(settings, |directory, [port, _]| {
            docker::process_spec(docker.clone(), directory, settings.partitioner, port)
        })
        .await
    }

    async fn with_java(settings: &CassandraSettings) -> Result<Self, String> {
        let CassandraSettings { environment, partitioner, progress, .. } = settings;
        let program = environment.java().ok_or("there is no `java` in JAVA_HOME or on the PATH")?;
        let java = Java::probe(program).await?;
        let jars = jars::jars(environment, progress).await?;
        let jamm = jars::jamm(&jars)?;
        progress(&format!("starting Apache Cassandra {VERSION} on Java {}", java.version));
        let spec = |directory: &Path, [native_transport_port, storage_port]: [u16; 2]| {
            let partitioner = *partitioner;
            let rpc_address = "127.0.0.1";
            let yaml = Yaml { partitioner, directory, rpc_address, native_transport_port, storage_port };
            java.process_spec(&jars, &jamm, &yaml)
        };
        start_process(settings, spec).await.map_err(|reason| reason + &java.version_hint())
    }
}

impl CassandraRuntime {
    fn name(self) -> &'static str {
        match self {
            Self::Docker => "Docker",
            Self::Jdk => "a JDK and Maven",
        }
    }
}

impl FromStr for CassandraRuntime {
    type Err = String;

    /// Parses `docker` or `jdk`.
    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "docker" => Ok(Self::Docker),
            "jdk" => Ok(Self::Jdk),
            other => Err(format!("{other} is neither docker nor jdk")),
        }
    }
}

impl fmt::Debug for CassandraSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CassandraSettings")
            .field("address", &self.address)
            .field("runtime", &self.runtime)
            .field("partitioner", &self.partitioner)
            .field("environment", &self.environment)
            .finish_non_exhaustive()
    }
}

const CASSANDRA_VARIABLE: &str = "KEYSPACES_LOCAL_CASSANDRA";
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
const START_TIMEOUT: Duration = Duration::from_secs(180);
/// The maximum number of attempts: another process may take a free port before Cassandra opens it.
const MAX_STARTS: usize = 3;

/// Starts the process that `spec` describes for a directory and two ports, and waits until it answers.
async fn start_process(
    settings: &CassandraSettings,
    spec: impl Fn(&Path, [u16; 2]) -> io::Result<ProcessSpec>,
) -> Result<Cassandra, String> {
    let mut reason = String::new();
    for _ in 0..MAX_STARTS {
        let ports = free_ports().map_err(|error| format!("no port of 127.0.0.1 is free: {error}"))?;
        let (directory, process) = spawn(&spec, ports).map_err(|error| format!("it could not be started: {error}"))?;
        tracing::debug!(directory = %directory.display(), port = ports[0], "Cassandra is starting");
        match wait_until_ready(&process, ports[0], settings).await {
            Ok(address) => return Ok(Cassandra { address, process: Some(process) }),
            Err(failed) => reason = failed,
        }
        if !is_port_taken(&process) {
            break;
        }
    }
    Err(reason)
}

fn spawn(
    spec: impl Fn(&Path, [u16; 2]) -> io::Result<ProcessSpec>,
    ports: [u16; 2],
) -> io::Result<(PathBuf, OwnedProcess)> {
    let directory = tempfile::Builder::new().prefix("keyspaces-local-").tempdir()?;
    // Cassandra needs the real path of its files.
    let path = directory.path().canonicalize()?;
    let process_spec = spec(&path, ports)?;
    let process = OwnedProcess::start(
        &path,
        &process_spec,
        |line| tracing::debug!(target: "keyspaces_local::cassandra", "{line}"),
    )?;
    // From here on, the shell of the process removes the directory.
    let _ = directory.keep();
    Ok((path, process))
}

async fn wait_until_ready(
    process: &OwnedProcess,
    port: u16,
    settings: &CassandraSettings,
) -> Result<SocketAddr, String> {
    let begun = Instant::now();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let answers = async {
        loop {
            if let Ok(partitioner) = read_partitioner(address, Duration::from_secs(1)).await {
                return partitioner;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let partitioner = tokio::select! {
        partitioner = answers => partitioner,
        status = process.output().exited() => {
            let lines = process.output().last_lines();
            let cause = exit_cause(&lines, process.output().is_disk_full().await);
            return Err(format!("Cassandra ended with {status} before it answered{cause}:{}", log_excerpt(&lines)));
        }
        () = tokio::time::sleep(START_TIMEOUT) => {
            let lines = log_excerpt(&process.output().last_lines());
            return Err(format!("Cassandra did not answer within {START_TIMEOUT:?}:{lines}"));
        }
    };
    if partitioner != settings.partitioner.class_in_cassandra() {
        return Err(format!("another Cassandra answers at {address}: its partitioner is {partitioner}"));
    }
    (settings.progress)(&format!("Apache Cassandra {VERSION} answers after {:.1} s", begun.elapsed().as_secs_f32()));
    Ok(address)
}

async fn read_partitioner(address: SocketAddr, timeout: Duration) -> Result<String, String> {
    let cassandra = InternalConnection::new(address);
    let rows = cassandra.select("SELECT JSON partitioner FROM system.local WHERE key = 'local'", &[]);
    let rows = tokio::time::timeout(timeout, rows).await.map_err(|_| format!("no answer within {timeout:?}"))?;
    let rows = rows.map_err(|failed| failed.to_string())?;
    let partitioner = rows.first().and_then(|row| row["partitioner"].as_str());
    partitioner.map(str::to_owned).ok_or_else(|| "its system.local names no partitioner".to_owned())
}

/// Finds free ports below the range for outgoing connections, so that no such connection takes them.
fn free_ports() -> io::Result<[u16; 2]> {
    let free = || {
        let mut listener = Err(io::Error::from(io::ErrorKind::AddrInUse));
        for _ in 0..100 {
            listener = TcpListener::bind((Ipv4Addr::LOCALHOST, random::number(10_000..32_000)));
            if listener.is_ok() {
                break;
            }
        }
        listener
    };
    let (one, two) = (free()?, free()?);
    Ok([one.local_addr()?.port(), two.local_addr()?.port()])
}

fn is_port_taken(process: &OwnedProcess) -> bool {
    let taken = ["Address already in use", "is in use by another process", "port is already allocated"];
    process.output().last_lines().iter().any(|line| taken.iter().any(|text| line.contains(text)))
}
