//! Sessions, keyspaces and empty tables for the tests of programs that use the crate `keyspaces`, each in one line.
//!
//! ```no_run
//! # mod test {
//! #[tokio::test]
//! async fn a_name_is_stored() -> Result<(), keyspaces_testing::Error> {
//!     let session = keyspaces_testing::session().await?; // in a keyspace of its own
//!     session.define("CREATE TABLE names (id int PRIMARY KEY, name text)").await?;
//!     session.execute("INSERT INTO names (id, name) VALUES (?, ?)", (7, "Ada")).await?;
//!     let name: Option<(String,)> = session.query("SELECT name FROM names WHERE id = ?", (7,)).one().await?;
//!     assert_eq!(name, Some(("Ada".to_owned(),)));
//!     Ok(())
//! }
//! # }
//! ```
//!
//! By default tests run against the [local Keyspaces](keyspaces_local::Local::shared) that all tests of a binary share. With
//! `KEYSPACES_TEST_CASSANDRA=host:port` in the environment the same tests run against that Cassandra, without TLS and
//! without signatures. Do not confuse it with `KEYSPACES_LOCAL_CASSANDRA=host:port`, which names the backing Cassandra of the
//! local Keyspaces, so that several test binaries can share one.

mod empty;

use keyspaces::schema::KeyspaceDefinition;
use keyspaces::{Endpoint, Session, SessionBuilder};
use keyspaces_local::Local;
use uuid::Uuid;

pub use self::empty::empty_tables;

/// An error of the library, or of starting a local Keyspaces.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// The variable with the `host:port` of the plain Cassandra to run tests against.
const CASSANDRA: &str = "KEYSPACES_TEST_CASSANDRA";

/// Configures a session builder for a local Keyspaces.
pub trait LocalBuilder: Sized {
    /// Sets the address of the local Keyspaces, the name in its certificate, its certificate authority and its credentials.
    ///
    /// ```no_run
    /// # async fn test() -> Result<(), keyspaces_testing::Error> {
    /// use keyspaces::Session;
    /// use keyspaces_local::Local;
    /// use keyspaces_testing::LocalBuilder;
    ///
    /// let local = Local::builder().start().await?;
    /// let session = Session::builder().local(&local)?.connect().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Configuration`](keyspaces::ErrorKind::Configuration) if the local Keyspaces has an invalid host name or certificate
    /// authority.
    fn local(self, local: &Local) -> Result<Self, keyspaces::Error>;
}

impl LocalBuilder for SessionBuilder {
    fn local(self, local: &Local) -> Result<Self, keyspaces::Error> {
        let own = local.credentials();
        Ok(self
            .endpoint(Endpoint::explicit(local.host(), local.port(), local.server_name())?)
            .trust_pem(local.ca_pem())?
            .static_credentials(&own.access_key, &own.secret_key, own.session_token.as_deref()))
    }
}

/// The local Keyspaces that the tests of this binary share, for its journal and its faults; `None` if the tests run against
/// a plain Cassandra.
///
/// ```no_run
/// # async fn test() -> Result<(), keyspaces_testing::Error> {
/// if let Some(local) = keyspaces_testing::local().await? {
///     assert!(local.journal().containing("ALLOW FILTERING").is_empty());
/// }
/// # Ok(()) }
/// ```
///
/// To start it with other settings, call [`Local::shared_with`] first.
///
/// # Errors
///
/// The local Keyspaces fails to start.
pub async fn local() -> Result<Option<&'static Local>, Error> {
    if std::env::var_os(CASSANDRA).is_some() {
        return Ok(None);
    }
    Ok(Some(Local::shared().await?))
}

/// A builder that is ready for `connect()`, for a session with further settings.
///
/// ```no_run
/// # async fn test() -> Result<(), keyspaces_testing::Error> {
/// use std::time::Duration;
///
/// let session = keyspaces_testing::builder().await?.call_timeout(Duration::from_secs(1)).connect().await?;
/// # drop(session);
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// The local Keyspaces fails to start, or `KEYSPACES_TEST_CASSANDRA` is not an address.
pub async fn builder() -> Result<SessionBuilder, Error> {
    Ok(match local().await? {
        Some(local) => Session::builder().local(local)?,
        None => Session::builder().endpoint(Endpoint::cassandra(std::env::var(CASSANDRA)?)?),
    })
}

/// A new session in a [new keyspace](new_keyspace). Each test has its own tables, so tests can run in parallel.
///
/// ```no_run
/// # async fn test() -> Result<(), keyspaces_testing::Error> {
/// let session = keyspaces_testing::session().await?;
/// session.define("CREATE TABLE names (id int PRIMARY KEY, name text)").await?;
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// As [`builder`]; and the errors of connecting and of creating the keyspace.
pub async fn session() -> Result<Session, Error> {
    Ok(new_keyspace(&builder().await?.connect().await?).await?)
}

/// Creates a keyspace, waits until it is active, and returns the session with it as the default keyspace.
///
/// ```no_run
/// # async fn test(session: keyspaces::Session) -> Result<(), keyspaces::Error> {
/// let other = keyspaces_testing::new_keyspace(&session).await?;
/// assert_ne!(other.keyspace(), session.keyspace());
/// # Ok(()) }
/// ```
///
/// The keyspace exists until the local Keyspaces ends; a plain Cassandra keeps it. Like the service, the local Keyspaces allows
/// 256 keyspaces (DG:quotas).
///
/// # Errors
///
/// As [`create_keyspace`](keyspaces::schema::Schema::create_keyspace).
pub async fn new_keyspace(session: &Session) -> Result<Session, keyspaces::Error> {
    let name = format!("test_{}", Uuid::new_v4().simple());
    session.schema().create_keyspace(&KeyspaceDefinition::new(&*name)).await?;
    Ok(session.in_keyspace(name))
}
