//! The Cassandra behind the gateway: a given one, or one that is started here and ends with its owner.

mod docker;
mod fate;
mod jars;
mod java;
pub(crate) mod owned;
pub(crate) mod surroundings;
#[cfg(test)]
mod tests;
mod yaml;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fmt, io};

pub(crate) use fate::Fate;
use fate::{cause, why};
use java::Java;
use owned::{CassandraProcess, OwnedProcess};
use surroundings::Environment;
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

/// The choice of the Cassandra to run over.
#[derive(Clone)]
pub(crate) struct CassandraSettings {
    /// `host:port` of a running Cassandra; takes precedence over the environment.
    pub(crate) given: Option<String>,
    /// The only runtime to start Cassandra with; `None` tries all.
    pub(crate) runtime: Option<CassandraRuntime>,
    pub(crate) partitioner: Partitioner,
    pub(crate) surroundings: Environment,
    pub(crate) progress: Progress,
}

/// A Cassandra that answers. Dropping it ends the process, if it was started here.
#[derive(Debug)]
pub(crate) struct Cassandra {
    address: SocketAddr,
    process: Option<OwnedProcess>,
}

impl Cassandra {
    /// Finds or starts a Cassandra that answers and has the wanted partitioner.
    pub(crate) async fn start(settings: &CassandraSettings) -> Result<Self, Error> {
        // A caller that names a runtime wants a new Cassandra, not the one in the environment.
        let of_environment = settings.surroundings.given.as_ref().filter(|_| settings.runtime.is_none());
        if let Some(given) = settings.given.as_ref().or(of_environment) {
            return Self::given(given, settings.partitioner).await;
        }
        let mut tried = vec![format!("an address: {GIVEN} is not set")];
        for runtime in [CassandraRuntime::Docker, CassandraRuntime::Jdk] {
            let name = runtime.name();
            if settings.runtime.is_some_and(|wanted| wanted != runtime) {
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
        let tried: String = tried.iter().map(|way| format!("\n  - {way}")).collect();
        Err(Error::new(
            ErrorKind::Cassandra,
            format!(
                "there is no Cassandra to run over. Tried:{tried}\nInstall a JDK (17 or 11) and Maven (on Debian: apt \
                 install openjdk-17-jdk-headless maven), or Docker, or set {GIVEN}=host:port to a Cassandra that asks \
                 for no password"
            ),
        ))
    }

    /// The address for clients.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether this Cassandra was given, and keeps running.
    pub(crate) fn is_given(&self) -> bool {
        self.process.is_none()
    }

    /// The fate of this Cassandra.
    pub(crate) fn fate(&self) -> Fate {
        Fate::of(self.process.as_ref().map(OwnedProcess::seen))
    }

    /// Adds to a failure of the preparation how Cassandra ended, if it ended meanwhile.
    pub(crate) async fn explained(&self, error: Error) -> Error {
        let fate = self.fate();
        if error.kind() != ErrorKind::Gateway || fate.told().await.is_none() {
            return error;
        }
        Error::new(ErrorKind::Cassandra, fate.story().await)
    }

    async fn given(given: &str, wanted: Partitioner) -> Result<Self, Error> {
        let problem = |problem: String| {
            Error::new(ErrorKind::Cassandra, format!("the Cassandra given at {given} cannot be used: {problem}"))
        };
        let addresses = tokio::net::lookup_host(given).await;
        let addresses = addresses.map_err(|error| problem(format!("no host:port that resolves ({error})")))?;
        let mut last = problem("its name has no address".to_owned());
        for address in addresses {
            let there = match ask_partitioner(address, PATIENCE_FOR_AN_ANSWER).await {
                Ok(there) => there,
                Err(error) => {
                    last = problem(error);
                    continue;
                }
            };
            if there != wanted.class_in_cassandra() {
                return Err(problem(format!(
                    "its partitioner is {there}, and {} was asked for, which needs {}",
                    wanted.class(),
                    wanted.class_in_cassandra()
                )));
            }
            return Ok(Self { address, process: None });
        }
        Err(last)
    }

    async fn with_docker(settings: &CassandraSettings) -> Result<Self, String> {
        let docker = settings.surroundings.program("docker").ok_or("there is no `docker` on the PATH")?;
        docker::ask(&docker).await?;
        (settings.progress)(&format!(
            "starting Apache Cassandra {VERSION} in a container (the first time its image is pulled)"
        ));
        started(settings, |directory, [port, _]| docker::job(docker.clone(), directory, settings.partitioner, port))
            .await
    }

    async fn with_java(settings: &CassandraSettings) -> Result<Self, String> {
        let CassandraSettings { surroundings, partitioner, progress, .. } = settings;
        let program = surroundings.java().ok_or("there is no `java` in JAVA_HOME or on the PATH")?;
        let java = Java::ask(program).await?;
        let jars = jars::jars(surroundings, progress).await?;
        let jamm = jars::jamm(&jars)?;
        progress(&format!("starting Apache Cassandra {VERSION} on Java {}", java.version));
        let job = |directory: &Path, [native_transport_port, storage_port]: [u16; 2]| {
            let partitioner = *partitioner;
            let rpc_address = "127.0.0.1";
            let yaml = Yaml { partitioner, directory, rpc_address, native_transport_port, storage_port };
            java.job(&jars, &jamm, &yaml)
        };
        started(settings, job).await.map_err(|reason| reason + &java.doubt())
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

    /// `docker` or `jdk`
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
        f.debug_struct("Settings")
            .field("given", &self.given)
            .field("runtime", &self.runtime)
            .field("partitioner", &self.partitioner)
            .field("surroundings", &self.surroundings)
            .finish_non_exhaustive()
    }
}

const GIVEN: &str = "KEYSPACES_LOCAL_CASSANDRA";
const PATIENCE_FOR_AN_ANSWER: Duration = Duration::from_secs(10);
const PATIENCE_FOR_A_START: Duration = Duration::from_secs(180);
/// The maximum number of starts: another process may take a free port in the seconds before Cassandra opens it.
const TRIES: usize = 3;

/// Starts the process that `job` makes for a directory and two ports, and waits until it answers.
async fn started(
    settings: &CassandraSettings,
    job: impl Fn(&Path, [u16; 2]) -> io::Result<CassandraProcess>,
) -> Result<Cassandra, String> {
    let mut reason = String::new();
    for _ in 0..TRIES {
        let ports = free_ports().map_err(|error| format!("no port of 127.0.0.1 is free: {error}"))?;
        let (directory, process) = run(&job, ports).map_err(|error| format!("it could not be started: {error}"))?;
        tracing::debug!(directory = %directory.display(), port = ports[0], "Cassandra is starting");
        match ready(&process, ports[0], settings).await {
            Ok(address) => return Ok(Cassandra { address, process: Some(process) }),
            Err(failed) => reason = failed,
        }
        if !port_was_taken(&process) {
            break;
        }
    }
    Err(reason)
}

fn run(
    job: impl Fn(&Path, [u16; 2]) -> io::Result<CassandraProcess>,
    ports: [u16; 2],
) -> io::Result<(PathBuf, OwnedProcess)> {
    let directory = tempfile::Builder::new().prefix("keyspaces-local-").tempdir()?;
    // Cassandra needs the real path of its files.
    let path = directory.path().canonicalize()?;
    let job = job(&path, ports)?;
    let process =
        OwnedProcess::start(&path, &job, |line| tracing::debug!(target: "keyspaces_local::cassandra", "{line}"))?;
    // From here on, the shell of the process removes the directory.
    let _ = directory.keep();
    Ok((path, process))
}

async fn ready(process: &OwnedProcess, port: u16, settings: &CassandraSettings) -> Result<SocketAddr, String> {
    let begun = Instant::now();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let answers = async {
        loop {
            if let Ok(partitioner) = ask_partitioner(address, Duration::from_secs(1)).await {
                return partitioner;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let partitioner = tokio::select! {
        partitioner = answers => partitioner,
        status = process.seen().exited() => {
            let lines = process.seen().last_lines();
            let cause = cause(&lines, process.seen().is_disk_full().await);
            return Err(format!("Cassandra ended with {status} before it answered{cause}:{}", why(&lines)));
        }
        () = tokio::time::sleep(PATIENCE_FOR_A_START) => {
            let lines = why(&process.seen().last_lines());
            return Err(format!("Cassandra did not answer within {PATIENCE_FOR_A_START:?}:{lines}"));
        }
    };
    if partitioner != settings.partitioner.class_in_cassandra() {
        return Err(format!("what answers at {address} runs on {partitioner}: it is another Cassandra"));
    }
    (settings.progress)(&format!("Apache Cassandra {VERSION} answers after {:.1} s", begun.elapsed().as_secs_f32()));
    Ok(address)
}

async fn ask_partitioner(address: SocketAddr, patience: Duration) -> Result<String, String> {
    let cassandra = InternalConnection::new(address);
    let rows = cassandra.select("SELECT JSON partitioner FROM system.local WHERE key = 'local'", &[]);
    let rows = tokio::time::timeout(patience, rows).await.map_err(|_| format!("no answer within {patience:?}"))?;
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

fn port_was_taken(process: &OwnedProcess) -> bool {
    let taken = ["Address already in use", "is in use by another process", "port is already allocated"];
    process.seen().last_lines().iter().any(|line| taken.iter().any(|text| line.contains(text)))
}
