//! What is done over a session, each in a room of its own.

use scylla::serialize::row::SerializeRow;

use super::Session;
use crate::Error;
#[cfg(feature = "bulk")]
use crate::bulk::Bulk;
use crate::migrate::{Migrate, Migrations};
use crate::row::OwnedRow;
use crate::schema::{self, Schema, SchemaChange};
use crate::statement::{self, Query, Statement, Statements};
use crate::stream::Rows;

impl Session {
    /// Prepares one statement, to be executed many times; the type asked for says what it may do.
    ///
    /// ```no_run
    /// # async fn run(session: keyspaces::Session) -> Result<(), keyspaces::Error> {
    /// use keyspaces::{Select, Write};
    ///
    /// let store: Write<(&str, &str)> =
    ///     session.prepare("INSERT INTO shop.names (id, name) VALUES (?, ?)").await?;
    /// let name: Select<(&str,), (String,)> =
    ///     session.prepare("SELECT name FROM shop.names WHERE id = ?").await?;
    /// store.execute(&("7", "Ada")).await?;
    /// assert_eq!(name.one(&("7",)).await?, Some(("Ada".to_owned(),)));
    /// # Ok(()) }
    /// ```
    ///
    /// A text is prepared once for a session, however many ask for it, and kept (the last 1,000 texts asked for). It is
    /// repeated like a read until the session's call timeout has passed.
    ///
    /// Dropped before it is done, it leaves nothing behind: the text is prepared all the same, for whoever asks next.
    ///
    /// # Tables that change under a running program
    ///
    /// A column that another program adds disturbs nothing: see [`Select`](crate::Select). A table that another program drops and creates
    /// again with other types is noticed as follows. Before a row type or values are said not to fit, the text is prepared
    /// anew, once; so a statement that is prepared after the change has the new types. One that was prepared before it fails
    /// with [`Type`](crate::ErrorKind::Type) as soon as the session has read the ids of its tables again, every 60 s
    /// ([`Builder::topology_interval`](crate::Builder::topology_interval)). Until then it is sent with values of the old
    /// types, and the server stores them if their bytes are a value of the new type as well: version 4 of the protocol does
    /// not let a client notice. What this session itself defines is noticed at once by what it prepares afterwards.
    ///
    /// # Errors
    ///
    /// [`Refused`](crate::ErrorKind::Refused), before anything is sent: the text is no CQL (the error says
    /// where, and what is expected there), does something else than the type says, names a table without its keyspace in a
    /// session that has [none](crate::Builder::keyspace), or is refused by Keyspaces, whose reason and advice are in the error. After
    /// asking the server: its own refusal (no such table, for one). [`Type`](crate::ErrorKind::Type): the rows of a
    /// `Select` are not of its row type, or a tuple of values has another number of values than the statement has bind
    /// markers, or one that never fits; values of other types are checked when they are bound. [`Timeout`](crate::ErrorKind::Timeout): not prepared within the session's call
    /// timeout.
    pub async fn prepare<S: Statement>(&self, text: &str) -> Result<S, Error> {
        statement::prepare(self, text).await
    }

    /// Prepares several statements at once, as [`prepare`](Self::prepare) does each: in the time of one, not of all. More than
    /// 16 are prepared by several of these.
    ///
    /// ```no_run
    /// # async fn run(session: keyspaces::Session) -> Result<(), keyspaces::Error> {
    /// use keyspaces::{Select, Write};
    ///
    /// let (store, name): (Write<(&str, &str)>, Select<(&str,), (String,)>) = session
    ///     .prepare_all([
    ///         "INSERT INTO shop.names (id, name) VALUES (?, ?)",
    ///         "SELECT name FROM shop.names WHERE id = ?",
    ///     ])
    ///     .await?;
    /// store.execute(("7", "Ada")).await?;
    /// assert_eq!(name.one(("7",)).await?, Some(("Ada".to_owned(),)));
    /// # Ok(()) }
    /// ```
    ///
    /// It may be dropped: what is being prepared is kept when it is done.
    ///
    /// # Errors
    ///
    /// That of [`prepare`](Self::prepare) for the first text that has one.
    pub async fn prepare_all<S: Statements<N>, const N: usize>(&self, texts: [&str; N]) -> Result<S, Error> {
        S::prepare(self, texts).await
    }

    /// A statement for one use, with `()` for no values: options can be set on it before it is executed or read.
    ///
    /// Without values the text is sent as it is; with values it is prepared first, because only the server knows the types
    /// that they must have, and kept as by [`prepare`](Self::prepare). A statement that is executed often is better
    /// prepared.
    #[must_use = "nothing is sent until it is executed or its rows are read"]
    pub fn query<'q, V: SerializeRow>(&'q self, text: &'q str, values: V) -> Query<'q, V> {
        Query::new(self, text, values)
    }

    /// Executes a write once: an INSERT, UPDATE or DELETE without a condition, with `()` for no values. The same as
    /// [`query`](Self::query) and [`Query::execute`].
    ///
    /// ```no_run
    /// # async fn run(session: keyspaces::Session) -> Result<(), keyspaces::Error> {
    /// session.execute("DELETE FROM shop.names WHERE id = ?", ("7",)).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// Dropped before it is done, it may have been sent: it is carried out or not, and no other attempt follows.
    ///
    /// # Errors
    ///
    /// As [`Query::execute`].
    pub async fn execute(&self, text: &str, values: impl SerializeRow) -> Result<(), Error> {
        self.query(text, values).execute().await
    }

    /// The rows of a read that is made once, as rows of type `R` ([`Row`](crate::Row) if their columns are not known), with
    /// `()` for no values. The same as [`query`](Self::query) and [`Query::rows`].
    ///
    /// ```no_run
    /// # async fn run(session: keyspaces::Session) -> Result<(), keyspaces::Error> {
    /// let id = String::from("7");
    /// let mut names = session.rows::<(String,)>("SELECT name FROM shop.names WHERE id = ?", (id.as_str(),));
    /// while let Some((name,)) = names.try_next().await? {
    ///     println!("{name}");
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Query::rows`].
    pub fn rows<'v, R: OwnedRow>(&self, text: &str, values: impl SerializeRow + Send + 'v) -> Rows<'v, R> {
        self.query(text, values).rows()
    }

    /// Keyspaces, tables and types as values: created, changed, dropped, waited for, described.
    ///
    /// Each change is made when it is awaited, and until then nothing is sent. It is done when the service says so in
    /// `system_schema_mcs`, since Keyspaces answers a definition before it has carried it out, and what is used too early
    /// fails with `unconfigured table`. On a plain Cassandra it waits for schema agreement instead, `SingleRegionStrategy`
    /// is sent as `NetworkTopologyStrategy` with one replica, and what only Keyspaces has is refused unless
    /// [told to be left out](SchemaChange::without_keyspaces_options_on_cassandra); so the same program defines its tables
    /// in a container.
    ///
    /// ```no_run
    /// # async fn run(session: keyspaces::Session) -> Result<(), keyspaces::Error> {
    /// use keyspaces::schema::{
    ///     CapacityMode, KeyspaceDefinition, NativeType, Order, PointInTimeRecovery, TableDefinition,
    /// };
    ///
    /// let schema = session.schema();
    /// schema.create_keyspace_if_not_exists(&KeyspaceDefinition::new("plant")).await?;
    /// let readings = TableDefinition::builder("plant", "readings")
    ///     .partition_key("sensor", NativeType::Uuid)
    ///     .clustering_column("at", NativeType::Timestamp, Order::Descending)
    ///     .column("celsius", NativeType::Double)
    ///     .with(CapacityMode::Provisioned { read: 1_000, write: 500 })
    ///     .with(PointInTimeRecovery::Enabled)
    ///     .build()?;
    /// schema.create_table_if_not_exists(&readings).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Every change: [`Refused`](crate::ErrorKind::Refused) if Keyspaces refuses it (reason and advice are in the error), the
    /// server does, or it comes to nothing in the end; [`Timeout`](crate::ErrorKind::Timeout) if it is not done within its deadline
    /// ([`within`](SchemaChange::within), 5 minutes by default, 3 hours for a restore): the service goes on with it. Of several definitions, the
    /// error says how many had been carried out, and how many more had been sent and go on in the service.
    pub fn schema(&self) -> Schema<'_> {
        Schema::new(self)
    }

    /// Creates, alters or drops what a text of CQL says, and waits until that is so. As with [`schema`](Self::schema),
    /// for those who have their definitions as text.
    ///
    /// ```no_run
    /// # async fn run(session: keyspaces::Session) -> Result<(), keyspaces::Error> {
    /// session
    ///     .define("CREATE KEYSPACE IF NOT EXISTS shop WITH REPLICATION = {'class': 'SingleRegionStrategy'}")
    ///     .within(std::time::Duration::from_secs(60))
    ///     .await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`schema`](Self::schema); and [`Refused`](crate::ErrorKind::Refused) if the text is no definition. Defining again with
    /// `IF NOT EXISTS` goes on waiting for what is still being made.
    pub fn define(&self, cql: &str) -> SchemaChange<'_> {
        schema::define(self, cql)
    }

    /// Applies those files of `migrations` that are not applied yet, in their order, and gives their names. The table that
    /// says which are is in `keyspace`, which is created in the Region of the session if it is not there. Names without a
    /// keyspace in the files are those of `keyspace`; the session's own default keyspace has no part in it.
    ///
    /// See the module [`migrate`](crate::migrate) for what holds when several programs migrate, or one is interrupted.
    ///
    /// # Errors
    ///
    /// [`Refused`](crate::ErrorKind::Refused) if what was applied is not among the files, has changed since, or has a higher number
    /// than what is left: nothing is sent then; also if Keyspaces refuses a statement, which is told with its file and number,
    /// and what came before it stays. [`Timeout`](crate::ErrorKind::Timeout) if another program holds the lock for longer than this
    /// one [waits](Migrate::wait), the lease was lost, or a definition takes longer than [`within`](Migrate::within).
    /// [`Unknown`](crate::ErrorKind::Unknown) if it is not known whether a write was applied that may not be sent twice.
    pub fn migrate<'a>(&'a self, keyspace: &'a str, migrations: &Migrations) -> Migrate<'a> {
        Migrate::new(self, keyspace, migrations)
    }

    #[cfg(feature = "bulk")]
    /// What can be done with whole tables.
    pub fn bulk(&self) -> Bulk<'_> {
        Bulk::new(self)
    }
}
