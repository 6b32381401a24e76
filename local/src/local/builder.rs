//! The settings of a local Keyspaces.

use std::collections::BTreeSet;
use std::fmt;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::Local;
use crate::cassandra::surroundings::Environment;
use crate::cassandra::{CassandraRuntime, Progress};
use crate::clock::Clock;
use crate::control_plane::Limits;
use crate::credentials::Credentials;
use crate::error::{Error, ErrorKind};
use crate::fault::{Fault, Faults};
use crate::schema::{Ddl, Delays};
use crate::topology::Partitioner;

/// The settings of a local Keyspaces. Every one has a default that suits tests.
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
    pub(crate) surroundings: Environment,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            region: "us-east-1".to_owned(),
            peers: MOST_PEERS,
            port: 0,
            credentials: Credentials::random(),
            without_permissions: Credentials::random_of("nobody"),
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
            surroundings: Environment::from_environment(),
        }
    }

    /// The region that it stands for: in signatures, in its certificate's name, as data center and rack. Default
    /// `us-east-1`.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = region.into();
        self
    }

    /// How many peers `system.peers` shows, 0 to 9, each an address of its own from 127.0.0.1 on. A public endpoint of
    /// the service has 9, the default, and an interface endpoint without permission to describe itself 0
    /// (`DG:connections`, `DG:vpc-endpoints`). Where the system has no other loopback address than 127.0.0.1, as macOS
    /// out of the box, there is at most one.
    pub fn peers(mut self, peers: u8) -> Self {
        self.peers = peers;
        self
    }

    /// The port that it listens at with TLS, at every address. Default 0: any that is free. The service's is 9142.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// With what clients log in. Default: new random ones, without a session token, for each start.
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = credentials;
        self
    }

    /// With what clients log in as a second principal, who is refused with `User arn:… has no permissions.` once he has
    /// proved who he is. Default: new random ones for each start.
    pub fn without_permissions(mut self, credentials: Credentials) -> Self {
        self.without_permissions = credentials;
        self
    }

    /// How long what was created, changed or dropped takes to be so after it was answered. Default 500 ms. In the service
    /// it takes seconds to minutes.
    pub fn ddl_delay(mut self, delay: Duration) -> Self {
        self.ddl_delays = Delays::all(delay);
        self
    }

    /// The same for one kind of definition; after [`ddl_delay`](Self::ddl_delay), which sets all.
    pub fn ddl_delay_of(mut self, ddl: Ddl, delay: Duration) -> Self {
        self.ddl_delays.set(ddl, delay);
        self
    }

    /// The ARN of a key that the service may not use: a table that is encrypted with it becomes
    /// `INACCESSIBLE_ENCRYPTION_CREDENTIALS`. Default: none, any key may be used.
    pub fn inaccessible_key(mut self, arn: impl Into<String>) -> Self {
        self.inaccessible_keys.insert(arn.into());
        self
    }

    /// What `token()` gives. Default [`Partitioner::Murmur3`]. A Cassandra that is given must have it already, or the
    /// start fails.
    pub fn partitioner(mut self, partitioner: Partitioner) -> Self {
        self.partitioner = partitioner;
        self
    }

    /// `host:port` of a running Cassandra to run over, which asks for no password and speaks no TLS. Default: the
    /// environment's `KEYSPACES_LOCAL_CASSANDRA`; without that, one of its own.
    pub fn cassandra(mut self, address: impl Into<String>) -> Self {
        self.cassandra = Some(address.into());
        self
    }

    /// A name, of 1 to 100 bytes, for what it puts into a Cassandra that is given: all of it is there again when one of
    /// the same name starts over the same Cassandra. Only one of a name may run at a time: two would not see what the
    /// other defines, and nothing stops them. Default: none, and what it puts there is dropped when it ends; if its
    /// process is killed, by one that starts 20 minutes later or more.
    pub fn instance(mut self, instance: impl Into<String>) -> Self {
        self.instance = Some(instance.into());
        self
    }

    /// Where to write the authority's certificate, as `ca.pem`; the directory is made if it is not there, and the file
    /// replaced at each start. Default: a directory of its own, removed at the end.
    pub fn ca_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.ca_directory = Some(directory.into());
        self
    }

    /// Adds a DNS name to the server's certificate, which has `localhost` and `cassandra.<region>.amazonaws.com`.
    pub fn certificate_name(mut self, name: impl Into<String>) -> Self {
        self.more_names.push(name.into());
        self
    }

    /// What time it is: for signatures, which may be 15 minutes off, for when a definition is ready, and in the journal.
    /// Default: the system's time.
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Is told in lines for a person how far the start is; the first may download for a minute. Default: `tracing`, at
    /// the level info.
    pub fn progress(mut self, progress: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.progress = Arc::new(progress);
        self
    }

    /// Adds a fault that is in place from the start, as [`Faults::inject`] does later.
    pub fn fault(self, fault: Fault) -> Self {
        self.faults.inject(fault);
        self
    }

    /// Whether what goes over the capacity of a table, a partition or a connection is throttled. Default: it is.
    /// [`Throttling`](crate::Throttling) says how.
    pub fn throttling(mut self, on: bool) -> Self {
        self.throttling = on;
        self
    }

    /// Whether a table begins with all the unused capacity that it can save up, 300 seconds' worth. Default: with that of
    /// one second.
    pub fn full_buckets(mut self, full: bool) -> Self {
        self.full_buckets = full;
        self
    }

    /// How many bytes the history of a table with point-in-time recovery may have, beside what a copy or two of its rows
    /// take. When half of it has come since all rows were last read, they are read again, and what was before the last time
    /// is forgotten: the earliest moment to which the table can be restored moves on. Default 256 MiB.
    pub fn history_bytes(mut self, bytes: u64) -> Self {
        self.history_bytes = bytes;
        self
    }

    /// A port of 127.0.0.1, 0 for any that is free, at which whoever can connect can make things go wrong: the program's
    /// fault port, which the README describes. Default: none.
    pub fn fault_port(mut self, port: u16) -> Self {
        self.fault_port = Some(port);
        self
    }

    /// The port of the control plane: the Amazon Keyspaces API, IAM's service-specific credentials, and Application Auto
    /// Scaling, for the AWS CLI and SDKs. Default 0: any that is free. [`Local::control_plane`] gives the URL.
    pub fn http_port(mut self, port: u16) -> Self {
        self.http_port = port;
        self
    }

    /// Whether the control plane is served without TLS, for clients that cannot be given a certificate authority. Default:
    /// with TLS, under the same certificate as CQL.
    pub fn plain_http(mut self, plain: bool) -> Self {
        self.plain_http = plain;
        self
    }

    /// The one address to listen at, in the place of `127.0.0.1` and those of the other peers: in a container its own, or
    /// `0.0.0.0` for all. `system.peers` then shows at most one peer, this address, or `127.0.0.1` for `0.0.0.0`. Whoever
    /// reaches the address can connect, and needs the credentials as anybody does.
    pub fn bind(mut self, address: Ipv4Addr) -> Self {
        self.bind = Some(address);
        self
    }

    /// How many clients may be connected at once; the connection of one more is closed, and the log says why. Default 450:
    /// each takes two of the 1,024 files that a process may commonly have open.
    pub fn max_connections(mut self, number: usize) -> Self {
        self.max_connections = number;
        self
    }

    /// A file with `CREATE`, `ALTER` and `DROP` statements and `USE` that are carried out before clients are let in,
    /// whatever [`ddl_delay`](Self::ddl_delay) says: all that it defines is ACTIVE then. `IF NOT EXISTS` is needed only with
    /// an [`instance`](Self::instance). Default: none.
    pub fn schema(mut self, file: impl Into<PathBuf>) -> Self {
        self.schema = Some(file.into());
        self
    }

    /// What runs the Cassandra that is started. Default: Docker where an engine answers, else a JDK.
    pub fn cassandra_runtime(mut self, runtime: CassandraRuntime) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// Where to write the authority's certificate as a PKCS 12 keystore for Java, whose password is `changeit`; the file is
    /// replaced at each start. It is written by the `keytool` of `JAVA_HOME` or the `PATH`. Default: none.
    pub fn truststore(mut self, file: impl Into<PathBuf>) -> Self {
        self.truststore = Some(file.into());
        self
    }

    /// Starts it; it is there when a client can connect.
    ///
    /// # Errors
    ///
    /// A setting that cannot be, no Cassandra to be had (the error lists what was tried and what to install), a
    /// Cassandra that is not the one asked for, a port that is taken.
    pub async fn start(mut self) -> Result<Local, Error> {
        self.region.make_ascii_lowercase();
        self.check()?;
        Local::start(self).await
    }

    /// The names that the server's certificate carries; the second is the service's own.
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
        let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let region_is_good = region.len() <= 32
            && region.starts_with(|first: char| first.is_ascii_lowercase())
            && region.bytes().all(|byte| word(byte) || byte == b'-');
        if !region_is_good {
            return fail(format!("{region:?} is no region: letters, digits and hyphens, as in us-east-1"));
        }
        if *peers > MOST_PEERS {
            return fail(format!("{peers} peers cannot be had: it is 0 to {MOST_PEERS}"));
        }
        if instance.as_ref().is_some_and(|name| name.is_empty() || name.len() > 100) {
            return fail("the name of an instance has 1 to 100 bytes".to_owned());
        }
        for (whose, credentials) in
            [("the credentials", &self.credentials), ("the credentials without permissions", &self.without_permissions)]
        {
            if let Some(flaw) = credentials.flaw() {
                return fail(format!("{whose} cannot be used: {flaw}"));
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

const MOST_PEERS: u8 = 9;
const MAX_CONNECTIONS: usize = 450;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_setting_that_cannot_be_is_refused_before_anything_starts() {
        let twice = Credentials::random();
        let unnamed = Credentials { user: String::new(), ..Credentials::random() };
        for (builder, said) in [
            (
                Local::builder().region("us east"),
                "\"us east\" is no region: letters, digits and hyphens, as in us-east-1",
            ),
            (Local::builder().region(""), "\"\" is no region: letters, digits and hyphens, as in us-east-1"),
            (Local::builder().peers(10), "10 peers cannot be had: it is 0 to 9"),
            (Local::builder().instance(""), "the name of an instance has 1 to 100 bytes"),
            (Local::builder().credentials(unnamed), "the credentials cannot be used: the user is empty"),
            (
                Local::builder().credentials(twice.clone()).without_permissions(twice),
                "the two principals must differ in access key and user",
            ),
            (
                Local::builder().certificate_name("127.0.0.1"),
                "\"127.0.0.1\" cannot stand in a certificate: it is no DNS name",
            ),
        ] {
            let error = builder.start().await.unwrap_err();
            assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Setting, said));
        }
    }

    #[test]
    fn the_certificates_names_follow_the_region() {
        let names = Local::builder().region("eu-west-1").certificate_name("db.test").names();
        assert_eq!(names, ["localhost", "cassandra.eu-west-1.amazonaws.com", "db.test"]);
        assert_eq!(Local::builder().region("cn-north-1").names()[1], "cassandra.cn-north-1.amazonaws.com.cn");
    }

    #[test]
    fn clients_connect_to_where_it_listens() {
        let at = |address: &str| Local::builder().bind(address.parse().unwrap());
        assert_eq!(Local::builder().host(), "localhost");
        assert_eq!(at("0.0.0.0").host(), "localhost");
        assert_eq!(at("172.17.0.2").host(), "172.17.0.2");
        assert_eq!(at("172.17.0.2").certificate_name("keyspaces").host(), "keyspaces");
    }

    #[test]
    fn debug_shows_nothing_secret() {
        let builder = Local::builder();
        let shown = format!("{builder:?}");
        assert!(!shown.contains(&builder.credentials.secret_key) && !shown.contains(&builder.credentials.password));
    }
}
