//! The builder of a session.

use std::fmt;
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::time::Instant;

use super::defaults::{CONNECTIONS_PER_HOST, LONGEST_TIMEOUT};
use super::diagnose::diagnose;
use super::set_up::{refused, set_up};
use super::settings::Settings;
use super::{PoolAdvice, ReadyWhen, Report, Session};
use crate::auth::CredentialSource;
use crate::pace::TableLimit;
use crate::retry::Backoff;
use crate::tls::Trust;
use crate::{Endpoint, Error, ReadConsistency, WhenFull};

/// Builds a [`Session`]. With nothing set: the region and the credentials of the environment.
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
    /// The region to connect to, at its standard endpoint; with an [`endpoint`](Self::endpoint) set as well, the region
    /// to sign for, which must not contradict the endpoint's name.
    ///
    /// Default: `AWS_REGION`, then `AWS_DEFAULT_REGION`; with feature `aws-config`, then the profile's or the
    /// instance's.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// Where to connect, if not at a region's standard endpoint: FIPS, dual-stack, a VPC endpoint, a local Keyspaces, a
    /// plain Cassandra.
    ///
    /// Default: the standard endpoint of the region.
    pub fn endpoint(mut self, endpoint: Endpoint) -> Self {
        self.endpoint = Some(endpoint);
        self
    }

    /// Who signs: any provider of the AWS SDK or of your own. It is asked once for all connections, again before the
    /// credentials expire, and is given 5 s each time.
    ///
    /// Default: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`; with feature `aws-config` the
    /// SDK's default chain.
    pub fn credentials(mut self, provider: impl ProvideCredentials + 'static) -> Self {
        self.credentials = Some(CredentialSource::given(SharedCredentialsProvider::new(provider)));
        self
    }

    /// Signs with an access key as it stands; a session token belongs to keys that are temporary.
    ///
    /// Default: as [`credentials`](Self::credentials).
    pub fn static_credentials(mut self, access_key: &str, secret_key: &str, session_token: Option<&str>) -> Self {
        self.credentials = Some(CredentialSource::fixed(access_key, secret_key, session_token));
        self
    }

    /// Signs with `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, for temporary keys, `AWS_SESSION_TOKEN`, read anew
    /// whenever credentials are asked for, and with nothing else.
    ///
    /// Default: as [`credentials`](Self::credentials).
    pub fn environment_credentials(mut self) -> Self {
        self.credentials = Some(CredentialSource::environment());
        self
    }

    /// Authenticates with a user name and password in place of a signature: the service-specific credentials of an IAM
    /// user (`DG:programmatic.credentials.ssc`), or those of a plain Cassandra.
    ///
    /// Default: none.
    pub fn password(mut self, user: impl Into<String>, secret: impl Into<String>) -> Self {
        self.password = Some((user.into(), secret.into()));
        self
    }

    /// Trusts the certificates in this PEM as roots, beside the five that Keyspaces chains to. For a local Keyspaces,
    /// or a proxy with an authority of its own.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if there is no certificate in it, or a damaged one.
    pub fn trust_pem(mut self, pem: impl AsRef<[u8]>) -> Result<Self, Error> {
        Trust::new([pem.as_ref()])?;
        self.trusted.push(pem.as_ref().to_vec());
        Ok(self)
    }

    /// The keyspace of tables and types that a text names without one, in statements and definitions. Nothing is sent for
    /// it, and it need not exist yet: the library completes the names in the text. A name with a keyspace keeps its own.
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
    /// The name is the keyspace's own, without the quotes that CQL needs for some. `USE` is refused: it would hold for one
    /// connection of many. [`Session::in_keyspace`] gives another keyspace to one statement.
    ///
    /// Default: none.
    pub fn keyspace(mut self, keyspace: impl AsRef<str>) -> Self {
        self.settings.keyspace = Some(keyspace.as_ref().into());
        self
    }

    /// How many connections to open to each address that the service shows.
    ///
    /// Default: 3.
    pub fn connections_per_host(mut self, connections: NonZeroUsize) -> Self {
        self.settings.connections_per_host = connections;
        self
    }

    /// Takes the number of [`connections_per_host`](Self::connections_per_host) from the advice, and has
    /// [`diagnose`](Self::diagnose) compare it with what is found.
    ///
    /// Default: none.
    pub fn pool_advice(mut self, advice: PoolAdvice) -> Self {
        self.settings.connections_per_host =
            NonZeroUsize::new(advice.connections_per_host()).unwrap_or(CONNECTIONS_PER_HOST);
        self.pool_advice = Some(advice);
        self
    }

    /// How long all of [`connect`](Self::connect) may take, whatever the server does.
    ///
    /// Default: 10 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.settings.connect_timeout = timeout.min(LONGEST_TIMEOUT);
        self
    }

    /// Whether [`connect`](Self::connect) waits for every peer or for the first.
    ///
    /// Amazon Keyspaces shows nine peers at a public endpoint, and each takes three connections, with TLS and a signature
    /// each. A program that runs for a second, or has to answer its first request soon, need not wait for all of them:
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
    /// The session then connects with the others in the background. Until it has, [`Session::health`] lists them as not
    /// connected, and all requests go over the connections to the first: 2,700 a second on each. If that peer cannot be
    /// connected with, `connect` waits for every peer after all.
    ///
    /// Every peer is the default because a service that starts under load would put all of it on one peer, and because a
    /// peer that cannot be reached is then known when `connect` returns.
    ///
    /// Default: EveryPeer.
    pub fn ready_when(mut self, ready_when: ReadyWhen) -> Self {
        self.settings.ready_when = ready_when;
        self
    }

    /// How long a call may take, all attempts and the waiting between them together.
    ///
    /// Default: 10 s.
    pub fn call_timeout(mut self, timeout: Duration) -> Self {
        self.settings.call_timeout = timeout.min(LONGEST_TIMEOUT);
        self
    }

    /// How long one attempt of a call waits for its answer.
    ///
    /// Default: 2 s.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.settings.attempt_timeout = timeout.min(LONGEST_TIMEOUT);
        self
    }

    /// How long to wait before a statement is sent again: any time up to a bound (full jitter), which is `first` before the
    /// first repeat, doubles with each, and grows to `longest` at most.
    ///
    /// Sent again is only what does no harm: what was surely not sent, reads, and writes that may be sent twice.
    ///
    /// Default: up to 10ms, doubling to 1s.
    pub fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.settings.backoff = Backoff { first, longest: longest.max(first).min(LONGEST_TIMEOUT) };
        self
    }

    /// How many repeats the session may make, in percent of its requests of the last 10 s; 10 in any case. When they are
    /// spent, a call that fails is not sent again. Not counted is what was surely not sent, and what was throttled: that
    /// waits for its turn among all attempts at its table, which are held to what the table takes.
    ///
    /// Default: 20 %.
    pub fn retry_budget(mut self, percent: u8) -> Self {
        self.settings.retry_percent = percent;
        self
    }

    /// Whether the [span](crate::observe) of a call has the text of its statement (`db.query.text`), with the values that are
    /// literals in it. Values that are bound are in no span. A batch has no text.
    ///
    /// Default: no, since such values may be secrets.
    pub fn trace_query_text(mut self, is_traced: bool) -> Self {
        self.settings.traces_query_text = is_traced;
        self
    }

    /// Who is told of every attempt of every call and of every warning of the server: see
    /// [`Observer`](crate::observe::Observer).
    ///
    /// Default: none.
    pub fn observer(mut self, observer: impl crate::observe::Observer) -> Self {
        self.settings.observers = crate::observe::Observers::new(observer);
        self
    }

    /// What a call does when as much is in flight as the connections bear: 512 on each (`DG:using_java_driver`).
    ///
    /// Default: Wait.
    pub fn when_full(mut self, when_full: WhenFull) -> Self {
        self.settings.when_full = when_full;
        self
    }

    /// Holds this session's use of a table, `keyspace.table` as in CQL, to a limit, so that it leaves capacity to others. A
    /// call waits for its turn if that comes before its deadline. Else it fails at once with
    /// [`ErrorKind::Throttled`](crate::ErrorKind::Throttled), unsent, and [`Error::retry_after`] says how long it would have waited.
    ///
    /// What is counted is an estimate: of a write, the bytes of its values (of a batch, all of them for each of its tables);
    /// of a read, one unit, and when its page has arrived, what it turns out to be at LOCAL_QUORUM.
    ///
    /// Default: none. What a table that is throttled takes is found without it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if it is not the name of a table with its keyspace.
    pub fn table_limit(mut self, table: &str, limit: TableLimit) -> Result<Self, Error> {
        let named = keyspaces_cql::parse(&format!("SELECT a FROM {table}"));
        let named = named.ok().and_then(|statement| {
            let table = *statement.tables().first()?;
            table.keyspace.is_some().then(|| table.to_string())
        });
        let Some(named) = named else {
            return Err(refused(format!("{table:?} is no table's name with its keyspace"), "Write keyspace.table"));
        };
        self.settings.table_limits.insert(named, limit);
        Ok(self)
    }

    /// The consistency of reads that say nothing else. Writes have none to choose.
    ///
    /// Default: LOCAL_QUORUM.
    pub fn read_consistency(mut self, consistency: ReadConsistency) -> Self {
        self.settings.read_consistency = consistency;
        self
    }

    /// How many rows to ask for at a time. The service cuts a page at 1 MB whatever was asked.
    ///
    /// Default: 1000 rows.
    pub fn page_size(mut self, rows: NonZeroU32) -> Self {
        self.settings.page_size = rows;
        self
    }

    /// How often to read which peers there are, since the service is not known to push changes, and the ids of the tables of
    /// prepared statements ([`Session::prepare`] says what for; one request for each keyspace). Peers are also read as soon
    /// as a control connection was lost.
    ///
    /// Default: 60 s.
    pub fn topology_interval(mut self, interval: Duration) -> Self {
        self.settings.topology_interval = interval.min(LONGEST_TIMEOUT);
        self
    }

    /// What this program is called towards the server, in STARTUP.
    ///
    /// Default: none.
    pub fn application_name(mut self, name: impl Into<String>) -> Self {
        self.settings.application_name = Some(name.into());
        self
    }

    /// Connects: resolves the endpoint, connects by TCP and TLS, verifies the certificate, authenticates, reads which
    /// peers there are, and connects with each of them ([`ready_when`](Self::ready_when) says how many it waits for).
    ///
    /// Where all is well no connection is opened that the session does not keep. What takes longer than 250 ms is probed
    /// by connections beside it. One deadline ([`connect_timeout`](Self::connect_timeout)) holds for all of it. What happens when something is
    /// not as it should be:
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
    /// Dropping the future closes what was opened. A name that is being looked up is the exception: the system's
    /// resolver ends by itself.
    ///
    /// # Errors
    ///
    /// The kind is the stage: [`Resolve`](crate::ErrorKind::Resolve), [`Connect`](crate::ErrorKind::Connect),
    /// [`Tls`](crate::ErrorKind::Tls), [`Credentials`](crate::ErrorKind::Credentials), [`Authentication`](crate::ErrorKind::Authentication)
    /// or [`Topology`](crate::ErrorKind::Topology); [`Configuration`](crate::ErrorKind::Configuration) for what cannot be, found
    /// before anything is sent. The text says where, after how long, what the other side said, and what to do.
    pub async fn connect(self) -> Result<Session, Error> {
        self.connecting().await
    }

    /// Boxed, so that the code of connecting is compiled once, here, and not into each program as well.
    fn connecting(self) -> BoxFuture<'static, Result<Session, Error>> {
        async move {
            let started = Instant::now();
            let (handshake, settings) = set_up(&self).await?;
            Session::open(handshake, settings, started).await
        }
        .boxed()
    }

    /// Connects step by step and reports what each step found, with what to do beside each thing that is not right.
    ///
    /// For when connecting fails, and for a look at what works: addresses, TCP, TLS and its certificate,
    /// authentication, the server, its peers and which of them answer, when the credentials expire, whether the pool is
    /// large enough, and whether a session comes about. Takes at most three times the
    /// [`connect_timeout`](Self::connect_timeout).
    ///
    /// It may be dropped at any time.
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
