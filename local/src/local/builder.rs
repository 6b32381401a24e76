//! The settings of a local Keyspaces.

use std::collections::BTreeSet;
use std::fmt;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::Local;
use crate::cassandra::environment::Environment;
use crate::cassandra::{CassandraRuntime, Progress};
use crate::clock::Clock;
use crate::control_plane::Limits;
use crate::credentials::Credentials;
use crate::error::{Error, ErrorKind};
use crate::fault::{Fault, Faults};
use crate::schema::{Ddl, Delays};
use crate::topology::Partitioner;

/// The settings of a local Keyspaces. All have defaults that suit tests.
#[derive(Clone)]
#[must_use = "a builder does nothing itself: call `start`"]
pub struct Builder {
    pub(crate) region: String,
    pub(crate) peers: u8,
    pub(crate) port: u16,
    pub(crate) credentials: Credentials,
    pub(crate) without_permissions: Credentials,
    pub(crate) ddl_delays: Delays,
    pub(crate) inaccessible_keys: BTreeSet<String>,
    pub(crate) partitioner: Partitioner,
    pub(crate) cassandra: Option<String>,
    pub(crate) instance: Option<String>,
    pub(crate) ca_directory: Option<PathBuf>,
    pub(crate) more_names: Vec<String>,
    pub(crate) clock: Clock,
    pub(crate) progress: Progress,
    pub(crate) faults: Faults,
    pub(crate) throttling: bool,
    pub(crate) full_buckets: bool,
    pub(crate) fault_port: Option<u16>,
    pub(crate) http_port: u16,
    pub(crate) plain_http: bool,
    pub(crate) http_limits: Limits,
    pub(crate) history_bytes: u64,
    pub(crate) bind: Option<Ipv4Addr>,
    pub(crate) max_connections: usize,
    pub(crate) schema: Option<PathBuf>,
    pub(crate) runtime: Option<CassandraRuntime>,
    pub(crate) truststore: Option<PathBuf>,
    pub(crate) environment: Environment,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            region: "us-east-1".to_owned(),
            peers: MAX_PEERS,
            port: 0,
            credentials: Credentials::random(),
            without_permissions: Credentials::random_for("nobody"),
            ddl_delays: Delays::all(Duration::from_millis(500)),
            inaccessible_keys: BTreeSet::new(),
            partitioner: Partitioner::default(),
            cassandra: None,
            instance: None,
            ca_directory: None,
            more_names: Vec::new(),
            clock: Arc::new(SystemTime::now),
            progress: Arc::new(|line: &str| tracing::info!("{line}")),
            faults: Faults::default(),
            throttling: true,
            full_buckets: false,
            fault_port: None,
            http_port: 0,
            plain_http: false,
            http_limits: Limits::default(),
            history_bytes: 256 << 20,
            bind: None,
            max_connections: MAX_CONNECTIONS,
            schema: None,
            runtime: None,
            truststore: None,
            environment: Environment::from_environment(),
        }
    }

    /// The emulated Region: in signatures, in the name in the certificate, as data center and rack. Default
    /// `us-east-1`.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = region.into();
        self
    }

    /// The number of peers in `system.peers`, 0 to 9, each with its own address from 127.0.0.1 on. A public endpoint of
    /// the service has 9, the default, and an interface endpoint without permission to describe itself 0
    /// (`DG:connections`, `DG:vpc-endpoints`). If 127.0.0.1 is the only loopback address, as on macOS
    /// by default, there is at most one peer.
    pub fn peers(mut self, peers: u8) -> Self {
        self.peers = peers;
        self
    }

    /// The port to listen on with TLS, at every address. Default 0: any free port. The service's port is 9142.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The credentials of clients. Default: random ones for each start, without a session token.
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = credentials;
        self
    }

    /// The credentials of a second principal, whose authenticated requests are refused with `User arn:… has no
    /// permissions.`. Default: random ones for each start.
    pub fn without_permissions(mut self, credentials: Credentials) -> Self {
        self.without_permissions = credentials;
        self
    }

    /// The time from the answer to a definition until it takes effect. Default 500 ms. In the service
    /// this takes seconds to minutes.
    pub fn ddl_delay(mut self, delay: Duration) -> Self {
        self.ddl_delays = Delays::all(delay);
        self
    }

    /// The same for one kind of definition. Call it after [`ddl_delay`](Self::ddl_delay), which sets all kinds.
    pub fn ddl_delay_of(mut self, ddl: Ddl, delay: Duration) -> Self {
        self.ddl_delays.set(ddl, delay);
        self
    }

    /// The ARN of a KMS key that the service has no access to: a table that is encrypted with it becomes
    /// `INACCESSIBLE_ENCRYPTION_CREDENTIALS`. Default: none, all keys are accessible.
    pub fn inaccessible_key(mut self, arn: impl Into<String>) -> Self {
        self.inaccessible_keys.insert(arn.into());
        self
    }

    /// The partitioner, which determines `token()`. Default [`Partitioner::Murmur3`]. An external Cassandra must have
    /// it already, or the start fails.
    pub fn partitioner(mut self, partitioner: Partitioner) -> Self {
        self.partitioner = partitioner;
        self
    }

    /// `host:port` of a running Cassandra to use, without password and TLS. Default: the
    /// environment variable `KEYSPACES_LOCAL_CASSANDRA`; without it, a Cassandra is started.
    pub fn cassandra(mut self, address: impl Into<String>) -> Self {
        self.cassandra = Some(address.into());
        self
    }

    /// A name of 1 to 100 bytes, under which the data in an external Cassandra is kept: an instance with
    /// the same name over the same Cassandra finds it again. Only one instance of a name may run at a time: two would
    /// not see each other's definitions, and nothing prevents it. Default: none, and the data is dropped when the
    /// instance ends; if its process is killed, the next instance that starts at least 20 minutes later drops it.
    pub fn instance(mut self, instance: impl Into<String>) -> Self {
        self.instance = Some(instance.into());
        self
    }

    /// The directory for the authority's certificate, `ca.pem`. It is created if it does not exist, and the file
    /// is replaced at each start. Default: a temporary directory, removed at the end.
    pub fn ca_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.ca_directory = Some(directory.into());
        self
    }

    /// Adds a DNS name to the server's certificate, which has `localhost` and `cassandra.<region>.amazonaws.com`.
    pub fn certificate_name(mut self, name: impl Into<String>) -> Self {
        self.more_names.push(name.into());
        self
    }

    /// The clock: for signatures, which may differ by 15 minutes (5 minutes on the control plane), for the delays of
    /// definitions, and in the journal. Default: the system's time.
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Receives the progress of the start as lines of text; the first start may download for a minute. Default:
    /// `tracing`, at the level info.
    pub fn progress(mut self, progress: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.progress = Arc::new(progress);
        self
    }

    /// Adds a fault that is active from the start, as [`Faults::inject`] does later.
    pub fn fault(self, fault: Fault) -> Self {
        self.faults.inject(fault);
        self
    }

    /// Whether requests beyond the capacity of a table, a partition or a connection are throttled. Default: true.
    /// See [`Throttling`](crate::Throttling).
    pub fn throttling(mut self, on: bool) -> Self {
        self.throttling = on;
        self
    }

    /// Whether a table starts with the maximum of unused capacity, that of 300 seconds. Default: false, with that of
    /// one second.
    pub fn full_buckets(mut self, full: bool) -> Self {
        self.full_buckets = full;
        self
    }

    /// The maximum bytes of the history of a table with point-in-time recovery, in addition to one or two copies of its
    /// rows. When half of it was written since all rows were last read, they are read again, and the entries before the
    /// last read are removed: the earliest restorable moment moves forward. Default 256 MiB.
    pub fn history_bytes(mut self, bytes: u64) -> Self {
        self.history_bytes = bytes;
        self
    }

    /// The fault port on 127.0.0.1; 0 takes any free port. It needs no credentials. The README describes its
    /// commands. Default: none.
    pub fn fault_port(mut self, port: u16) -> Self {
        self.fault_port = Some(port);
        self
    }

    /// The port of the control plane: the Amazon Keyspaces API, IAM's service-specific credentials, Application Auto
    /// Scaling and CloudWatch, for the AWS CLI and SDKs. Default 0: any free port. [`Local::control_plane`] returns the
    /// URL.
    pub fn http_port(mut self, port: u16) -> Self {
        self.http_port = port;
        self
    }

    /// Whether the control plane is served without TLS, for clients that cannot be configured with a certificate
    /// authority. Default: with TLS, under the same certificate as CQL.
    pub fn plain_http(mut self, plain: bool) -> Self {
        self.plain_http = plain;
        self
    }

    /// The only address to listen on, instead of `127.0.0.1` and those of the other peers: in a container its own, or
    /// `0.0.0.0` for all. `system.peers` then shows at most one peer, this address, or `127.0.0.1` for `0.0.0.0`. A
    /// client that reaches the address can connect, with the credentials.
    pub fn bind(mut self, address: Ipv4Addr) -> Self {
        self.bind = Some(address);
        self
    }

    /// The maximum number of connected clients; further connections are closed with a line in the log. Default 450:
    /// each takes two of the 1,024 files that a process may commonly have open.
    pub fn max_connections(mut self, number: usize) -> Self {
        self.max_connections = number;
        self
    }

    /// A file with `CREATE`, `ALTER` and `DROP` statements and `USE` that is executed before clients are accepted,
    /// without the delay of [`ddl_delay`](Self::ddl_delay): everything in it is ACTIVE then. `IF NOT EXISTS` is needed
    /// only with an [`instance`](Self::instance). Default: none.
    pub fn schema(mut self, file: impl Into<PathBuf>) -> Self {
        self.schema = Some(file.into());
        self
    }

    /// The runtime of a started Cassandra. Default: Docker if an engine answers, otherwise a JDK.
    pub fn cassandra_runtime(mut self, runtime: CassandraRuntime) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// The file for the authority's certificate as a PKCS 12 keystore for Java, with the password `changeit`. The file
    /// is replaced at each start, and written by the `keytool` of `JAVA_HOME` or the `PATH`. Default: none.
    pub fn truststore(mut self, file: impl Into<PathBuf>) -> Self {
        self.truststore = Some(file.into());
        self
    }

    /// Starts the service. Clients can connect once this returns.
    ///
    /// # Errors
    ///
    /// An invalid setting; no Cassandra could be found or started (the error lists the attempts and what to install); a
    /// Cassandra with another partitioner; a port that is in use.
    pub async fn start(mut self) -> Result<Local, Error> {
        self.region.make_ascii_lowercase();
        self.check()?;
        Local::start(self).await
    }

    /// The names in the server's certificate; the second is that of the service.
    pub(crate) fn names(&self) -> Vec<String> {
        let suffix = if self.region.starts_with("cn-") { ".cn" } else { "" };
        let service = format!("cassandra.{}.amazonaws.com{suffix}", self.region);
        ["localhost".to_owned(), service].into_iter().chain(self.more_names.iter().cloned()).collect()
    }

    /// The name or address that clients connect to.
    pub(crate) fn host(&self) -> String {
        match self.bind {
            Some(address) if !address.is_unspecified() && address != Ipv4Addr::LOCALHOST => {
                self.more_names.first().cloned().unwrap_or_else(|| address.to_string())
            }
            _ => "localhost".to_owned(),
        }
    }

    fn check(&self) -> Result<(), Error> {
        let Self { region, instance, peers, .. } = self;
        let fail = |problem: String| Err(Error::new(ErrorKind::Setting, problem));
        let is_letter_or_digit = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let is_region_valid = region.len() <= 32
            && region.starts_with(|first: char| first.is_ascii_lowercase())
            && region.bytes().all(|byte| is_letter_or_digit(byte) || byte == b'-');
        if !is_region_valid {
            return fail(format!("{region:?} is not a region: use letters, digits and hyphens, as in us-east-1"));
        }
        if *peers > MAX_PEERS {
            return fail(format!("{peers} peers are not possible: the number is 0 to {MAX_PEERS}"));
        }
        if instance.as_ref().is_some_and(|name| name.is_empty() || name.len() > 100) {
            return fail("the name of an instance has 1 to 100 bytes".to_owned());
        }
        for (whose, credentials) in
            [("the credentials", &self.credentials), ("the credentials without permissions", &self.without_permissions)]
        {
            if let Some(problem) = credentials.problem() {
                return fail(format!("{whose} cannot be used: {problem}"));
            }
        }
        if self.credentials.access_key == self.without_permissions.access_key
            || self.credentials.user == self.without_permissions.user
        {
            return fail("the two principals must differ in access key and user".to_owned());
        }
        Ok(())
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("region", &self.region)
            .field("peers", &self.peers)
            .field("port", &self.port)
            .field("credentials", &self.credentials)
            .field("without_permissions", &self.without_permissions)
            .field("ddl_delays", &self.ddl_delays)
            .field("partitioner", &self.partitioner)
            .field("cassandra", &self.cassandra)
            .field("instance", &self.instance)
            .field("ca_directory", &self.ca_directory)
            .field("more_names", &self.more_names)
            .field("bind", &self.bind)
            .field("schema", &self.schema)
            .field("runtime", &self.runtime)
            .finish_non_exhaustive()
    }
}

const MAX_PEERS: u8 = 9;
const MAX_CONNECTIONS: usize = 450;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_invalid_setting_is_refused_before_anything_starts() {
        let twice = Credentials::random();
        let unnamed = Credentials { user: String::new(), ..Credentials::random() };
        for (builder, expected) in [
            (
                Local::builder().region("us east"),
                "\"us east\" is not a region: use letters, digits and hyphens, as in us-east-1",
            ),
            (Local::builder().region(""), "\"\" is not a region: use letters, digits and hyphens, as in us-east-1"),
            (Local::builder().peers(10), "10 peers are not possible: the number is 0 to 9"),
            (Local::builder().instance(""), "the name of an instance has 1 to 100 bytes"),
            (Local::builder().credentials(unnamed), "the credentials cannot be used: the user is empty"),
            (
                Local::builder().credentials(twice.clone()).without_permissions(twice),
                "the two principals must differ in access key and user",
            ),
            (
                Local::builder().certificate_name("127.0.0.1"),
                "\"127.0.0.1\" cannot be in a certificate: it is not a DNS name",
            ),
        ] {
            let error = builder.start().await.unwrap_err();
            assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Setting, expected));
        }
    }

    #[test]
    fn certificate_names_follow_the_region() {
        let names = Local::builder().region("eu-west-1").certificate_name("db.test").names();
        assert_eq!(names, ["localhost", "cassandra.eu-west-1.amazonaws.com", "db.test"]);
        assert_eq!(Local::builder().region("cn-north-1").names()[1], "cassandra.cn-north-1.amazonaws.com.cn");
    }

    #[test]
    fn host_is_derived_from_bind_address_or_certificate_name() {
        let at = |address: &str| Local::builder().bind(address.parse().unwrap());
        assert_eq!(Local::builder().host(), "localhost");
        assert_eq!(at("0.0.0.0").host(), "localhost");
        assert_eq!(at("172.17.0.2").host(), "172.17.0.2");
        assert_eq!(at("172.17.0.2").certificate_name("keyspaces").host(), "keyspaces");
    }

    #[test]
    fn debug_shows_no_secrets() {
        let builder = Local::builder();
        let debug = format!("{builder:?}");
        assert!(!debug.contains(&builder.credentials.secret_key) && !debug.contains(&builder.credentials.password));
    }
}
