//! The builder of a session.

use std::fmt;
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::time::Instant;

use super::configure::{configuration_error, configure};
use super::defaults::{CONNECTIONS_PER_HOST, MAX_TIMEOUT};
use super::diagnose::diagnose;
use super::settings::Settings;
use super::{Diagnosis, PoolAdvice, ReadyWhen, Session};
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
pub struct SessionBuilder {
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

impl SessionBuilder {
    /// Sets the region to connect to, at its standard endpoint. If an [`endpoint`](Self::endpoint) is also set, this is
    /// only the region to sign for, and it must be the region of the endpoint's name.
    ///
    /// Default: the environment variable `AWS_REGION`, then `AWS_DEFAULT_REGION`; with feature `aws-config`, then the
    /// region of the AWS profile or the instance. If none of them is set, [`connect`](Self::connect) fails with
    /// [`Configuration`](crate::ErrorKind::Configuration).
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// Sets the endpoint to connect to, if it is not the standard endpoint of a region: FIPS, dual-stack, a VPC
    /// endpoint, a local Keyspaces, or a plain Cassandra.
    ///
    /// Default: the standard endpoint of the region.
    pub fn endpoint(mut self, endpoint: Endpoint) -> Self {
        self.endpoint = Some(endpoint);
        self
    }

    /// Sets the credentials provider: any provider of the AWS SDK, or your own. The session requests credentials once
    /// for all connections, and again 5 min before they expire, or every 5 min if they have no expiry. A request to the
    /// provider may take 5 s.
    ///
    /// Default: the environment variables `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`; with
    /// feature `aws-config`, the default chain of the AWS SDK instead. It is an error to set both credentials and a
    /// [`password`](Self::password).
    pub fn credentials(mut self, provider: impl ProvideCredentials + 'static) -> Self {
        self.credentials = Some(CredentialSource::from_provider(SharedCredentialsProvider::new(provider)));
        self
    }

    /// Signs with a fixed access key and secret key. Temporary credentials need their session token, too.
    ///
    /// Default: as [`credentials`](Self::credentials).
    pub fn static_credentials(mut self, access_key: &str, secret_key: &str, session_token: Option<&str>) -> Self {
        self.credentials = Some(CredentialSource::static_keys(access_key, secret_key, session_token));
        self
    }

    /// Signs with `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, for temporary credentials, `AWS_SESSION_TOKEN`, and
    /// uses no other source. The variables are read again every 5 min.
    ///
    /// Default: as [`credentials`](Self::credentials).
    pub fn environment_credentials(mut self) -> Self {
        self.credentials = Some(CredentialSource::environment());
        self
    }

    /// Authenticates with a user name and password instead of a signature. For Amazon Keyspaces they are the
    /// service-specific credentials of an IAM user (`DG:programmatic.credentials.ssc`); a plain Cassandra has its own
    /// users.
    ///
    /// TLS protects the password on the way to Amazon Keyspaces. A plain Cassandra receives it unencrypted, because the
    /// connection has no TLS.
    ///
    /// Default: none.
    pub fn password(mut self, user: impl Into<String>, secret: impl Into<String>) -> Self {
        self.password = Some((user.into(), secret.into()));
        self
    }

    /// Trusts the certificates in this PEM as roots, in addition to the five roots of Amazon Keyspaces. It is meant for
    /// a local Keyspaces, or a proxy with its own certificate authority. The names in certificates are still verified.
    /// Several calls add their certificates.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if the PEM contains no certificate, or a damaged
    /// one.
    pub fn trust_pem(mut self, pem: impl AsRef<[u8]>) -> Result<Self, Error> {
        Trust::new([pem.as_ref()])?;
        self.trusted.push(pem.as_ref().to_vec());
        Ok(self)
    }

    /// Sets the keyspace for tables and types that a text names without one, in statements and definitions. The library
    /// adds the keyspace to the names in the text. Nothing is sent, so the keyspace does not have to exist yet. A name
    /// that has a keyspace keeps it.
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
    /// Write the name without quotes, even if it needs quotes in CQL. `USE` is refused, because it would apply to only
    /// one of many connections. [`Session::in_keyspace`] sets another keyspace for one statement.
    ///
    /// Default: none.
    pub fn keyspace(mut self, keyspace: impl AsRef<str>) -> Self {
        self.settings.keyspace = Some(keyspace.as_ref().into());
        self
    }

    /// Sets how many connections to open to each peer that the service lists. A public endpoint lists nine peers
    /// (`DG:connections`). [`PoolAdvice`] computes the number for an application.
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

    /// Sets how long [`connect`](Self::connect) may take in all, regardless of what the server does. Like every timeout
    /// here, it must be longer than zero, and is at most a year.
    ///
    /// Default: 10 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.settings.connect_timeout = timeout.min(MAX_TIMEOUT);
        self
    }

    /// Sets whether [`connect`](Self::connect) waits for every peer or for the first.
    ///
    /// Amazon Keyspaces lists nine peers at a public endpoint, and the session opens three connections to each, each
    /// with TLS and a signature. A program that runs only for a second, or that has to answer its first request soon,
    /// does not have to wait for all of them:
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
    /// The session then connects to the other peers in the background. Until then, [`Session::health`] lists them as
    /// not connected, and all requests use the connections to the first peer, with 2,700 requests per second on each.
    /// If that peer cannot be connected, `connect` waits for every peer.
    ///
    /// Every peer is the default, because a service that starts under load would otherwise send all of its requests to
    /// one peer, and because `connect` then knows the unreachable peers when it returns.
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

    /// Sets the wait before a retry: a random time up to a bound (full jitter). The bound is `initial` before the first
    /// retry, doubles with each retry, and is at most `max`. A statement is retried only if that is safe: it was
    /// certainly not sent, it is a read, or it is an idempotent write.
    ///
    /// Default: up to 10ms, doubling to 1s.
    pub fn backoff(mut self, initial: Duration, max: Duration) -> Self {
        self.settings.backoff = Backoff { first: initial, max: max.max(initial).min(MAX_TIMEOUT) };
        self
    }

    /// Sets how many retries the session may make, in percent of its requests of the last 10 s; at least 10 are
    /// allowed. When the budget is used up, a failed call is not retried. Two kinds of retries do not count: those
    /// after an attempt that was certainly not sent, and those after a throttled attempt, which wait for a turn under
    /// the table's rate limit.
    ///
    /// Default: 20 %.
    pub fn retry_budget(mut self, percent: u8) -> Self {
        self.settings.retry_percent = percent;
        self
    }

    /// Sets whether the [span](crate::observe) of a call contains the text of its statement (`db.query.text`),
    /// including values written as literals. Spans never contain bound values. A batch has no text.
    ///
    /// Default: no, because literals may be secrets.
    pub fn trace_query_text(mut self, is_traced: bool) -> Self {
        self.settings.traces_query_text = is_traced;
        self
    }

    /// Sets the observer, which is notified of every attempt of every call and of every warning of the server; see
    /// [`Observer`](crate::observe::Observer).
    ///
    /// Default: none.
    pub fn observer(mut self, observer: impl crate::observe::Observer) -> Self {
        self.settings.observers = crate::observe::Observers::new(observer);
        self
    }

    /// Sets what a call does when the connections have no capacity left. Each connection has at most 512 requests in
    /// flight (`DG:using_java_driver`).
    ///
    /// Default: Wait.
    pub fn when_full(mut self, when_full: WhenFull) -> Self {
        self.settings.when_full = when_full;
        self
    }

    /// Limits the capacity of a table that this session uses, to leave capacity for other programs. `table` is
    /// `keyspace.table`, with quotes as in CQL. A call waits for its turn if the turn comes before its deadline.
    /// Otherwise, it fails at once with [`ErrorKind::Throttled`](crate::ErrorKind::Throttled), nothing is sent, and
    /// [`Error::retry_after`] returns how long it would have waited.
    ///
    /// The units counted are an estimate: for a write, from the bytes of its values (for a batch, all of them for each
    /// of its tables); for a read, one unit, and when the page arrives, what the page costs at LOCAL_QUORUM.
    ///
    /// Default: none. The session measures the rate of a throttled table without a limit, too.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if `table` is not the name of a table with its
    /// keyspace.
    pub fn table_limit(mut self, table: &str, limit: TableLimit) -> Result<Self, Error> {
        let table_name = keyspaces_cql::parse(&format!("SELECT a FROM {table}"));
        let table_name = table_name.ok().and_then(|statement| {
            let table = *statement.tables().first()?;
            table.keyspace.is_some().then(|| table.to_string())
        });
        let Some(table_name) = table_name else {
            return Err(configuration_error(
                format!("{table:?} is not the name of a table with its keyspace"),
                "Write keyspace.table",
            ));
        };
        self.settings.table_limits.insert(table_name, limit);
        Ok(self)
    }

    /// Sets the consistency of reads that do not set it themselves. Writes are always sent at LOCAL_QUORUM, the only
    /// consistency that the service accepts for them (`DG:consistency`).
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

    /// Sets how often the session reads the list of peers. The service is not known to send events for its changes. At
    /// the same interval the session reads the ids of the tables of prepared statements, with one request for each
    /// keyspace ([`Session::prepare`] says why). The list of peers is also read when the control connection is lost.
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

    /// Connects: resolves the endpoint, connects with TCP and TLS, verifies the certificate, authenticates, reads the
    /// list of peers, and connects to each peer ([`ready_when`](Self::ready_when) says how many it waits for).
    ///
    /// If there is no problem, the session keeps every connection that it opens. If a step takes longer than 250 ms,
    /// additional connections probe the addresses. One deadline ([`connect_timeout`](Self::connect_timeout)) applies to
    /// all steps together. This table lists the result of each problem:
    ///
    /// | problem | result |
    /// |---|---|
    /// | the endpoint's name cannot be resolved temporarily | new attempts until the deadline |
    /// | the endpoint's name has no address; its addresses refuse TCP, do not speak TLS or CQL, or have a certificate that is not accepted; the credentials are missing or refused | an error at once |
    /// | one of the endpoint's addresses is silent or refuses, another works | the working address is used |
    /// | the endpoint is silent at TCP, TLS, OPTIONS, STARTUP, AUTH_RESPONSE, REGISTER or the read of the system tables, or closes the connection there | new attempts until the deadline, then an error that names the stage |
    /// | a peer is silent at TCP, TLS or OPTIONS | it is left out after 1 s; the driver tries it again in the background |
    /// | a peer is silent at STARTUP or AUTH_RESPONSE | it is left out after 1.5 s; the driver tries it again in the background |
    /// | a peer has a certificate for another name | it is left out |
    /// | an address in the system tables refuses TCP | the address of the peer with the same host id is used, or else one of the endpoint's addresses |
    /// | all peers are silent at TCP, but the endpoint works | the endpoint's addresses are used in their place |
    /// | the server does not require authentication, although credentials are set | an error; a plain Cassandra is accepted |
    /// | `system.peers` is empty | a session with the endpoint only, and a warning; see [`diagnose`](Self::diagnose) |
    ///
    /// Dropping the future closes every connection that it has opened. Only a name lookup in progress continues, until
    /// the system's resolver completes.
    ///
    /// # Errors
    ///
    /// The kind names the stage that failed: [`Resolve`](crate::ErrorKind::Resolve),
    /// [`Connect`](crate::ErrorKind::Connect), [`Tls`](crate::ErrorKind::Tls),
    /// [`Credentials`](crate::ErrorKind::Credentials), [`Authentication`](crate::ErrorKind::Authentication) or
    /// [`Topology`](crate::ErrorKind::Topology); [`Configuration`](crate::ErrorKind::Configuration) for invalid
    /// settings, found before anything is sent. The text says where connecting failed and after how long, quotes the
    /// message of the server, and says what to do.
    pub async fn connect(self) -> Result<Session, Error> {
        self.connecting().await
    }

    /// Boxed, so that the code that connects is compiled once, in this crate, and not in each program.
    fn connecting(self) -> BoxFuture<'static, Result<Session, Error>> {
        async move {
            let started = Instant::now();
            let (handshake, settings) = configure(&self).await?;
            Session::open(handshake, settings, started).await
        }
        .boxed()
    }

    /// Connects step by step and reports the result of each step, with a remedy for each problem.
    ///
    /// Use it when connecting fails, or to check a working setup. The diagnosis covers addresses, TCP, TLS and its
    /// certificate, authentication, the server, its peers and which of them answer, when the credentials expire,
    /// whether the pool is large enough, and whether a session can be opened. It takes at most three times the
    /// [`connect_timeout`](Self::connect_timeout).
    ///
    /// The future may be dropped at any time.
    pub async fn diagnose(self) -> Diagnosis {
        diagnose(&self).await
    }
}

impl fmt::Debug for SessionBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionBuilder")
            .field("region", &self.region)
            .field("endpoint", &self.endpoint)
            .field("credentials", &self.credentials)
            .field("user", &self.password.as_ref().map(|(user, _)| user))
            .field("trusted", &self.trusted.len())
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
