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
//! By default tests run against the [local Keyspaces](keyspaces_local::Local::shared) that all tests of a binary share. The
//! environment can name another target for the same tests:
//!
//! | Variable | Target |
//! |---|---|
//! | `KEYSPACES_TEST_CASSANDRA=host:port` | this plain Cassandra, without TLS and without signatures |
//! | `KEYSPACES_TEST_REGION=us-east-1` | Amazon Keyspaces in this Region, with the default credentials of a [session builder](SessionBuilder). The tests create keyspaces and tables there, which cost money |
//! | with it, `KEYSPACES_TEST_ENDPOINT=host:port` | another endpoint of that Region, whose certificate has the name of the Region's endpoint |
//! | with it, `KEYSPACES_TEST_CA=file` | further trusted roots, as PEM, such as those of a local Keyspaces in another process |
//!
//! Do not confuse the first with `KEYSPACES_LOCAL_CASSANDRA=host:port`, which names the backing Cassandra of the local
//! Keyspaces, so that several test binaries can share one.

mod empty;
mod target;

use keyspaces::schema::KeyspaceDefinition;
use keyspaces::{Endpoint, Session, SessionBuilder};
use keyspaces_local::Local;
use uuid::Uuid;

pub use self::empty::empty_tables;
use self::target::Target;

/// An error of the library, of starting a local Keyspaces, or of the variables that name the target.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

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
/// another target.
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
/// The local Keyspaces fails to start, or the variables that name the target contradict each other.
pub async fn local() -> Result<Option<&'static Local>, Error> {
    match Target::from_environment()? {
        Target::Local => Ok(Some(Local::shared().await?)),
        Target::Cassandra(_) | Target::Amazon { .. } => Ok(None),
    }
}

/// Whether the tests run against Keyspaces, local or Amazon's, and not against a plain Cassandra: for a test that uses what
/// only one of them has.
///
/// ```
/// let ttl = "WITH CUSTOM_PROPERTIES = {'ttl': {'status': 'enabled'}}";
/// let options = if keyspaces_testing::is_keyspaces()? { ttl } else { "" };
/// # let _ = options;
/// # Ok::<_, keyspaces_testing::Error>(())
/// ```
///
/// # Errors
///
/// The variables that name the target contradict each other.
pub fn is_keyspaces() -> Result<bool, Error> {
    Ok(!matches!(Target::from_environment()?, Target::Cassandra(_)))
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
/// The local Keyspaces fails to start, or a variable that names the target has no valid value.
pub async fn builder() -> Result<SessionBuilder, Error> {
    Target::from_environment()?.builder().await
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
/// The keyspace exists until the local Keyspaces ends; a plain Cassandra and Amazon Keyspaces keep it. Keyspaces allows 256
/// keyspaces for an account and Region (DG:quotas), and the local Keyspaces allows as many.
///
/// # Errors
///
/// As [`create_keyspace`](keyspaces::schema::Schema::create_keyspace).
pub async fn new_keyspace(session: &Session) -> Result<Session, keyspaces::Error> {
    let name = format!("test_{}", Uuid::new_v4().simple());
    session.schema().create_keyspace(&KeyspaceDefinition::new(&*name)).await?;
    Ok(session.in_keyspace(name))
}
