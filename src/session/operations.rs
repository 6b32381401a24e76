//! The operations of a session; each is implemented in its own module.

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
    /// Prepares one statement, to be executed many times. The return type determines the kind of the statement.
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
    /// A session prepares each text once, even if several callers request it, and caches the 1,000 most recently used
    /// texts. Preparing is retried like a read, until the session's call timeout has passed.
    ///
    /// The future may be dropped at any time; the text is still prepared, for the next caller that requests it.
    ///
    /// # Tables that change under a running program
    ///
    /// If another program adds a column, statements continue to work: see [`Select`](crate::Select). If another program
    /// drops a table and creates it again with other types, the session notices as follows. Before it reports that a
    /// row type or values do not fit, it prepares the text again, once. So a statement that is prepared after the
    /// change has the new types. A statement prepared before the change fails with [`Type`](crate::ErrorKind::Type) as
    /// soon as the session has read the ids of its tables again, every 60 s
    /// ([`SessionBuilder::topology_interval`](crate::SessionBuilder::topology_interval)). Until then, it is sent with
    /// values of the old types, and the server stores them if their bytes are also valid for the new type: with version
    /// 4 of the protocol, a client cannot notice this. After a definition by this session, every statement that it
    /// prepares has the new types at once.
    ///
    /// # Errors
    ///
    /// [`Refused`](crate::ErrorKind::Refused), before anything is sent: the text is not CQL (the error contains the
    /// position and what is expected there), is another kind of statement than the return type, names a table without
    /// its keyspace in a session without a [default keyspace](crate::SessionBuilder::keyspace), or is not supported by
    /// Keyspaces; the error has the reason and advice. After sending: the server's error if the server refuses the
    /// text, for instance because the table does not exist. [`Type`](crate::ErrorKind::Type): the rows of a `Select` do
    /// not fit its row type, or a tuple of values has another length than the statement has bind markers, or contains a
    /// type that never fits; values of other types are checked when they are bound.
    /// [`Timeout`](crate::ErrorKind::Timeout): the text was not prepared within the session's call timeout.
    pub async fn prepare<S: Statement>(&self, text: &str) -> Result<S, Error> {
        statement::prepare(self, text).await
    }

    /// Prepares several statements concurrently, each like [`prepare`](Self::prepare), in about the time of one. A call
    /// prepares at most 16 statements.
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
    /// The future may be dropped at any time: the texts are still prepared and cached.
    ///
    /// # Errors
    ///
    /// The error of [`prepare`](Self::prepare) for the first text that fails.
    pub async fn prepare_all<S: Statements<N>, const N: usize>(&self, texts: [&str; N]) -> Result<S, Error> {
        S::prepare(self, texts).await
    }

    /// Creates a statement for one use; pass `()` for no values. Options can be set on it before it is executed or its
    /// rows are read.
    ///
    /// Without values the text is sent unprepared. With values it is prepared first, because only the server knows the
    /// types of the values, and cached as by [`prepare`](Self::prepare). Prepare a statement that is executed often.
    #[must_use = "nothing is sent until it is executed or its rows are read"]
    pub fn query<'q, V: SerializeRow>(&'q self, text: &'q str, values: V) -> Query<'q, V> {
        Query::new(self, text, values)
    }

    /// Executes a write once: an INSERT, UPDATE or DELETE without a condition; pass `()` for no values. This is short
    /// for [`query`](Self::query) and [`Query::execute`].
    ///
    /// ```no_run
    /// # async fn run(session: keyspaces::Session) -> Result<(), keyspaces::Error> {
    /// session.execute("DELETE FROM shop.names WHERE id = ?", ("7",)).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// If the future is dropped before it completes, the write may have been sent and executed; no other attempt
    /// follows.
    ///
    /// # Errors
    ///
    /// The errors of [`Query::execute`].
    pub async fn execute(&self, text: &str, values: impl SerializeRow) -> Result<(), Error> {
        self.query(text, values).execute().await
    }

    /// Executes a read once and returns its rows as type `R` ([`Row`](crate::Row) if the columns are not known); pass
    /// `()` for no values. This is short for [`query`](Self::query) and [`Query::rows`].
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
    /// The errors of [`Query::rows`].
    pub fn rows<'v, R: OwnedRow>(&self, text: &str, values: impl SerializeRow + Send + 'v) -> Rows<'v, R> {
        self.query(text, values).rows()
    }

    /// Returns the operations on the schema: they create, change, drop, await and describe keyspaces, tables and types,
    /// which are passed as values.
    ///
    /// A change is sent when it is awaited, not before. It completes when `system_schema_mcs` shows it as done, because
    /// Keyspaces answers a definition before it carries it out, and a request to a table that is not ready fails with
    /// `unconfigured table`. On a plain Cassandra, a change waits for schema agreement instead, `SingleRegionStrategy`
    /// is sent as `NetworkTopologyStrategy` with one replica, and options that only Keyspaces has are refused unless
    /// [the change leaves them out](SchemaChange::without_keyspaces_options_on_cassandra); so the same program can
    /// define its tables in a Cassandra container.
    ///
    /// ```no_run
    /// # async fn run(session: keyspaces::Session) -> Result<(), keyspaces::Error> {
    /// use keyspaces::schema::{
    ///     CapacityMode, KeyspaceDefinition, NativeType, SortOrder, PointInTimeRecovery, TableDefinition,
    /// };
    ///
    /// let schema = session.schema();
    /// schema.create_keyspace_if_not_exists(&KeyspaceDefinition::new("plant")).await?;
    /// let readings = TableDefinition::builder("plant", "readings")
    ///     .partition_key("sensor", NativeType::Uuid)
    ///     .clustering_column("at", NativeType::Timestamp, SortOrder::Descending)
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
    /// For every change: [`Refused`](crate::ErrorKind::Refused) if Keyspaces does not support it (the error has the
    /// reason and advice), if the server refuses it, or if the service fails to carry it out;
    /// [`Timeout`](crate::ErrorKind::Timeout) if it has not completed within its deadline
    /// ([`with_deadline`](SchemaChange::with_deadline), 5 minutes by default, 3 hours for a restore): the service
    /// continues with it. For several definitions, the error says how many were carried out, and how many more were
    /// sent and continue in the service.
    pub fn schema(&self) -> Schema<'_> {
        Schema::new(self)
    }

    /// Executes a CQL definition (CREATE, ALTER or DROP) and waits until it is carried out, like
    /// [`schema`](Self::schema), for programs that have their definitions as text.
    ///
    /// ```no_run
    /// # async fn run(session: keyspaces::Session) -> Result<(), keyspaces::Error> {
    /// session
    ///     .define("CREATE KEYSPACE IF NOT EXISTS shop WITH REPLICATION = {'class': 'SingleRegionStrategy'}")
    ///     .with_deadline(std::time::Duration::from_secs(60))
    ///     .await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// The errors of [`schema`](Self::schema), and [`Refused`](crate::ErrorKind::Refused) if the text is not a
    /// definition. To continue waiting for a definition, repeat it with `IF NOT EXISTS`.
    pub fn define(&self, cql: &str) -> SchemaChange<'_> {
        schema::define(self, cql)
    }

    /// Applies the files of `migrations` that are not applied yet, in order, and returns their names. The table of
    /// applied files is in `keyspace`, which is created in the session's Region if it does not exist. Names without a
    /// keyspace in the files refer to `keyspace`; the session's own default keyspace is not used.
    ///
    /// The module [`migrate`](crate::migrate) describes what happens if several programs migrate at once, or if one is
    /// interrupted.
    ///
    /// # Errors
    ///
    /// [`Refused`](crate::ErrorKind::Refused) if an applied file is missing, has changed since, or has a higher number
    /// than a file not applied yet; then no statement of the files is sent. Also if Keyspaces refuses a statement: the
    /// error names its file and number, and the statements before it stay applied.
    /// [`Timeout`](crate::ErrorKind::Timeout) if another program holds the lock for longer than the [lock
    /// timeout](Migrate::lock_timeout), if the lease was lost, or if a definition takes longer than
    /// [`with_deadline`](Migrate::with_deadline). [`Unknown`](crate::ErrorKind::Unknown) if it is not known whether a
    /// write that may not be sent twice was applied.
    pub fn migrate<'a>(&'a self, keyspace: &'a str, migrations: &Migrations) -> Migrate<'a> {
        Migrate::new(self, keyspace, migrations)
    }

    #[cfg(feature = "bulk")]
    /// Returns the operations on whole tables: load, export and copy.
    pub fn bulk(&self) -> Bulk<'_> {
        Bulk::new(self)
    }
}
