//! The builder of a session.

use std::fmt;
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::time::Instant;

use super::defaults::{CONNECTIONS_PER_HOST, MAX_TIMEOUT};
use super::diagnose::diagnose;
use super::set_up::{refused, set_up};
use super::settings::Settings;
use super::{PoolAdvice, ReadyWhen, Report, Session};
use crate::auth::CredentialSource;
use crate::rate_limiter::TableLimit;
use crate::retry::Backoff;
use crate::tls::Trust;
use crate::{Endpoint, Error, ReadConsistency, WhenFull};

/// Builds a [`Session`]. By default it uses the region and the credentials of the environment.
///
/// ```no_run
/// # async fn example() -> Result<(), keyspaces::Error> {
/// use keyspaces::Session;
///
/// let session = Session::builder().region("us-east-1").connect().await?;
/// # Ok(())
/// # }
/// ```
///
/// The defaults in one table:
///
#[doc = include_str!("defaults.md")]
#[derive(Clone, Default)]
#[must_use = "a builder does nothing until `connect` or `diagnose` is called and awaited"]
pub struct Builder {
    pub(super) region: Option<String>,
    pub(super) endpoint: Option<Endpoint>,
    pub(super) credentials: Option<CredentialSource>,
    pub(super) password: Option<(String, String)>,
    pub(super) trusted: Vec<Vec<u8>>,
    pub(super) pool_advice: Option<PoolAdvice>,
    pub(super) settings: Settings,
    #[cfg(test)]
    pub(super) resolver: crate::handshake::Resolver,
}

impl Builder {
    /// Sets the region to connect to, at its standard endpoint. If an [`endpoint`](Self::endpoint) is set as well, this is
    /// the region to sign for, which must not contradict the endpoint's name.
    ///
    /// Default: `AWS_REGION`, then `AWS_DEFAULT_REGION`; with feature `aws-config`, then the profile's or the
    /// instance's.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// Sets the endpoint to connect to, if it is not a region's standard endpoint: FIPS, dual-stack, a VPC endpoint, a
    /// local Keyspaces, or a plain Cassandra.
    ///
    /// Default: the standard endpoint of the region.
    pub fn endpoint(mut self, endpoint: Endpoint) -> Self {
        self.endpoint = Some(endpoint);
        self
    }

    /// Sets the credentials provider: any provider of the AWS SDK, or your own. It is asked once for all connections, and
    /// again before the credentials expire; each request may take 5 s.
    ///
    /// Default: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`; with feature `aws-config` the
    /// SDK's default chain.
    pub fn credentials(mut self, provider: impl ProvideCredentials + 'static) -> Self {
        self.credentials = Some(CredentialSource::given(SharedCredentialsProvider::new(provider)));
        self
    }

    /// Signs with the given access key; temporary keys need a session token as well.
    ///
    /// Default: as [`credentials`](Self::credentials).
    pub fn static_credentials(mut self, access_key: &str, secret_key: &str, session_token: Option<&str>) -> Self {
        self.credentials = Some(CredentialSource::fixed(access_key, secret_key, session_token));
        self
    }

    /// Signs with `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, for temporary keys, `AWS_SESSION_TOKEN`, read again
    /// whenever credentials are needed, and with no other source.
    ///
    /// Default: as [`credentials`](Self::credentials).
    pub fn environment_credentials(mut self) -> Self {
        self.credentials = Some(CredentialSource::environment());
        self
    }

    /// Authenticates with a user name and password instead of a signature: the service-specific credentials of an IAM user
    /// (`DG:programmatic.credentials.ssc`), or those of a plain Cassandra.
    ///
    /// Default: none.
    pub fn password(mut self, user: impl Into<String>, secret: impl Into<String>) -> Self {
        self.password = Some((user.into(), secret.into()));
        self
    }

    /// Trusts the certificates in this PEM as roots, in addition to the five roots of Keyspaces. It is meant for a local
    /// Keyspaces, or a proxy with its own certificate authority.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if the PEM contains no certificate, or a damaged one.
    pub fn trust_pem(mut self, pem: impl AsRef<[u8]>) -> Result<Self, Error> {
        Trust::new([pem.as_ref()])?;
        self.trusted.push(pem.as_ref().to_vec());
        Ok(self)
    }

    /// Sets the keyspace for tables and types that a text names without one, in statements and definitions. The library
    /// completes the names in the text, so nothing is sent, and the keyspace need not exist yet. A name with a keyspace
    /// keeps it.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), keyspaces::Error> {
    /// use keyspaces::{Session, Write};
    ///
    /// let stage = std::env::var("STAGE").unwrap_or("test".to_owned());
    /// let session = Session::builder().keyspace(format!("shop_{stage}")).connect().await?;
    /// let store: Write<(&str, &str)> = session.prepare("INSERT INTO names (id, name) VALUES (?, ?)").await?;
    /// # drop(store);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Give the name without the quotes that CQL needs for some names. `USE` is refused, because it would apply to only one
    /// of many connections. [`Session::in_keyspace`] sets another keyspace for one statement.
    ///
    /// Default: none.
    pub fn keyspace(mut self, keyspace: impl AsRef<str>) -> Self {
        self.settings.keyspace = Some(keyspace.as_ref().into());
        self
    }

    /// Sets how many connections to open to each address that the service lists.
    ///
    /// Default: 3.
    pub fn connections_per_host(mut self, connections: NonZeroUsize) -> Self {
        self.settings.connections_per_host = connections;
        self
    }

    /// Sets [`connections_per_host`](Self::connections_per_host) to the advised number, and makes
    /// [`diagnose`](Self::diagnose) compare the advice with the peers that it finds.
    ///
    /// Default: none.
    pub fn pool_advice(mut self, advice: PoolAdvice) -> Self {
        self.settings.connections_per_host =
            NonZeroUsize::new(advice.connections_per_host()).unwrap_or(CONNECTIONS_PER_HOST);
        self.pool_advice = Some(advice);
        self
    }

    /// Sets how long [`connect`](Self::connect) may take in all, whatever the server does.
    ///
    /// Default: 10 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.settings.connect_timeout = timeout.min(MAX_TIMEOUT);
        self
    }

    /// Sets whether [`connect`](Self::connect) waits for every peer or for the first.
    ///
    /// Amazon Keyspaces lists nine peers at a public endpoint, and the session opens three connections to each, each with
    /// TLS and a signature. A program that runs for a second, or has to answer its first request soon, need not wait for
    /// all of them:
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), keyspaces::Error> {
    /// use keyspaces::{ReadyWhen, Session};
    ///
    /// let session = Session::builder().region("us-east-1").ready_when(ReadyWhen::OnePeer).connect().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The session then connects to the other peers in the background. Until then, [`Session::health`] lists them as not
    /// connected, and all requests use the connections to the first peer: 2,700 a second on each. If that peer cannot be
    /// connected, `connect` waits for every peer after all.
    ///
    /// Every peer is the default because a service that starts under load would otherwise send all of it to one peer, and
    /// because unreachable peers are then known when `connect` returns.
    ///
    /// Default: EveryPeer.
    pub fn ready_when(mut self, ready_when: ReadyWhen) -> Self {
        self.settings.ready_when = ready_when;
        self
    }

    /// Sets how long a call may take, including all attempts and the waits between them.
    ///
    /// Default: 10 s.
    pub fn call_timeout(mut self, timeout: Duration) -> Self {
        self.settings.call_timeout = timeout.min(MAX_TIMEOUT);
        self
    }

    /// Sets how long one attempt of a call waits for its answer.
    ///
    /// Default: 2 s.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.settings.attempt_timeout = timeout.min(MAX_TIMEOUT);
        self
    }

    /// Sets the wait before a statement is sent again: a random time up to a bound (full jitter). The bound is `first`
    /// before the first retry, doubles with each retry, and is at most `max`.
    ///
    /// A statement is sent again only if that does no harm: it was certainly not sent, or it is a read, or it is a write
    /// that may be sent twice.
    ///
    /// Default: up to 10ms, doubling to 1s.
    pub fn backoff(mut self, first: Duration, max: Duration) -> Self {
        self.settings.backoff = Backoff { first, max: max.max(first).min(MAX_TIMEOUT) };
        self
    }

    /// Sets how many retries the session may make, in percent of its requests of the last 10 s, and at least 10. Once the
    /// budget is used up, a call that fails is not retried. Retries of attempts that were certainly not sent do not count;
    /// nor do retries of throttled attempts, which wait for a turn under the table's rate limit.
    ///
    /// Default: 20 %.
    pub fn retry_budget(mut self, percent: u8) -> Self {
        self.settings.retry_percent = percent;
        self
    }

    /// Sets whether the [span](crate::observe) of a call contains the text of its statement (`db.query.text`), including
    /// values written as literals. Bound values are in no span. A batch has no text.
    ///
    /// Default: no, because literals may be secrets.
    pub fn trace_query_text(mut self, is_traced: bool) -> Self {
        self.settings.traces_query_text = is_traced;
        self
    }

    /// Sets the observer, which is notified of every attempt of every call and every warning of the server: see
    /// [`Observer`](crate::observe::Observer).
    ///
    /// Default: none.
    pub fn observer(mut self, observer: impl crate::observe::Observer) -> Self {
        self.settings.observers = crate::observe::Observers::new(observer);
        self
    }

    /// Sets what a call does when the connections have no capacity left: each takes 512 requests in flight
    /// (`DG:using_java_driver`).
    ///
    /// Default: Wait.
    pub fn when_full(mut self, when_full: WhenFull) -> Self {
        self.settings.when_full = when_full;
        self
    }

    /// Limits how much capacity of a table (`keyspace.table` as in CQL) this session uses, so that it leaves capacity to
    /// others. A call waits for its turn if the turn comes before its deadline. Otherwise it fails at once with
    /// [`ErrorKind::Throttled`](crate::ErrorKind::Throttled), unsent, and [`Error::retry_after`] says how long it would
    /// have waited.
    ///
    /// The units counted are an estimate: for a write, from the bytes of its values (for a batch, all of them for each of
    /// its tables); for a read, one unit, corrected when the page arrives to what the page costs at LOCAL_QUORUM.
    ///
    /// Default: none. The session finds the rate of a throttled table without it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if `table` is not the name of a table with its
    /// keyspace.
    pub fn table_limit(mut self, table: &str, limit: TableLimit) -> Result<Self, Error> {
        let named = keyspaces_cql::parse(&format!("SELECT a FROM {table}"));
        let named = named.ok().and_then(|statement| {
            let table = *statement.tables().first()?;
            table.keyspace.is_some().then(|| table.to_string())
        });
        let Some(named) = named else {
            return Err(refused(
                format!("{table:?} is not the name of a table with its keyspace"),
                "Write keyspace.table",
            ));
        };
        self.settings.table_limits.insert(named, limit);
        Ok(self)
    }

    /// Sets the consistency of reads that do not set their own. The consistency of writes is fixed.
    ///
    /// Default: LOCAL_QUORUM.
    pub fn read_consistency(mut self, consistency: ReadConsistency) -> Self {
        self.settings.read_consistency = consistency;
        self
    }

    /// Sets how many rows to request per page. The service limits a page to 1 MB regardless.
    ///
    /// Default: 1000 rows.
    pub fn page_size(mut self, rows: NonZeroU32) -> Self {
        self.settings.page_size = rows;
        self
    }

    /// Sets how often to read the list of peers, because the service is not known to push changes, and the ids of the
    /// tables of prepared statements ([`Session::prepare`] says why; one request for each keyspace). The list of peers is
    /// also read as soon as a control connection is lost.
    ///
    /// Default: 60 s.
    pub fn topology_interval(mut self, interval: Duration) -> Self {
        self.settings.topology_interval = interval.min(MAX_TIMEOUT);
        self
    }

    /// Sets the application name that STARTUP reports to the server.
    ///
    /// Default: none.
    pub fn application_name(mut self, name: impl Into<String>) -> Self {
        self.settings.application_name = Some(name.into());
        self
    }

    /// Connects: resolves the endpoint, connects by TCP and TLS, verifies the certificate, authenticates, reads the list of
    /// peers, and connects to each of them ([`ready_when`](Self::ready_when) says how many it waits for).
    ///
    /// If all is well, every connection opened is kept by the session. A step that takes longer than 250 ms is probed by
    /// additional connections. One deadline ([`connect_timeout`](Self::connect_timeout)) applies to the whole. This table
    /// says what happens when something is wrong:
    ///
    /// | what | then |
    /// |---|---|
    /// | the endpoint's name cannot be looked up for the moment | new tries until the deadline |
    /// | the endpoint's name has no address, its addresses refuse TCP, do not speak TLS or CQL, show a certificate that is not to be trusted; the credentials are missing or refused | an error at once |
    /// | one of the endpoint's addresses is silent or refuses, another is well | the one that is well is taken |
    /// | the endpoint is silent at TCP, TLS, OPTIONS, STARTUP, AUTH_RESPONSE, REGISTER or the reading of the system tables, or closes the connection there | new tries until the deadline, then an error that names the stage |
    /// | a peer is silent at TCP, TLS or OPTIONS | it is left out after 1 s; the driver tries it again in the background |
    /// | a peer is silent at STARTUP or AUTH_RESPONSE | it is left out after 1.5 s; the driver tries it again in the background |
    /// | a peer shows a certificate for another name | it is left out |
    /// | an address that the system tables name refuses TCP | the address of the peer with the same host id is taken, else one of the endpoint's |
    /// | all peers are silent at TCP, and the endpoint is well | the endpoint's addresses are taken for them |
    /// | the server does not ask for credentials although there are some | an error; a plain Cassandra is accepted |
    /// | `system.peers` is empty | a session with the endpoint alone, and a warning: see [`diagnose`](Self::diagnose) |
    ///
    /// Dropping the future closes every opened connection. Only a name lookup in progress continues, until the system's
    /// resolver ends by itself.
    ///
    /// # Errors
    ///
    /// The kind names the stage that failed: [`Resolve`](crate::ErrorKind::Resolve),
    /// [`Connect`](crate::ErrorKind::Connect), [`Tls`](crate::ErrorKind::Tls),
    /// [`Credentials`](crate::ErrorKind::Credentials), [`Authentication`](crate::ErrorKind::Authentication) or
    /// [`Topology`](crate::ErrorKind::Topology); [`Configuration`](crate::ErrorKind::Configuration) for invalid settings,
    /// found before anything is sent. The text says where connecting failed, after how long, what the other side said, and
    /// what to do.
    pub async fn connect(self) -> Result<Session, Error> {
        self.connecting().await
    }

    /// Boxed, so that the code of connecting is compiled once in this crate, and not into each program.
    fn connecting(self) -> BoxFuture<'static, Result<Session, Error>> {
        async move {
            let started = Instant::now();
            let (handshake, settings) = set_up(&self).await?;
            Session::open(handshake, settings, started).await
        }
        .boxed()
    }

    /// Connects step by step and reports what each step found, with a remedy for each problem.
    ///
    /// Use it when connecting fails, or to check a working setup. The report covers addresses, TCP, TLS and its
    /// certificate, authentication, the server, its peers and which of them answer, when the credentials expire, whether
    /// the pool is large enough, and whether a session can be opened. It takes at most three times the
    /// [`connect_timeout`](Self::connect_timeout).
    ///
    /// The future may be dropped at any time.
    pub async fn diagnose(self) -> Report {
        diagnose(&self).await
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("region", &self.region)
            .field("endpoint", &self.endpoint)
            .field("credentials", &self.credentials)
            .field("user", &self.password.as_ref().map(|(user, _)| user))
            .field("trusted", &self.trusted.len())
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
