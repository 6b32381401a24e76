//! Defines and describes keyspaces, tables and types, and restores tables. A definition is awaited, because Keyspaces
//! answers it before carrying it out.

mod awaited;
mod change;
mod describe;
mod plan;
mod precheck;
mod restore;
mod status;

use keyspaces_cql::statement::{DropKeyspace, DropTable, DropType};
use keyspaces_cql::{QualifiedName, Statement};

use self::change::{Definition, in_stages};
use crate::{Error, ErrorKind, Session};

pub use self::change::{ChangeProgress, SchemaChange};
pub(crate) use self::change::{DEFAULT_RESTORE_DEADLINE, MAX_CONCURRENT_DEFINITIONS};
pub use self::describe::{Replica, TableDescription};
pub use self::plan::{Plan, Planning};
pub use self::restore::Restore;
pub use self::status::TableStatus;

// Re-exports the definitions and options of `keyspaces-cql`.
pub use keyspaces_cql::statement::{CqlType, NativeType, SortOrder};
pub use keyspaces_cql::table_options::*;
pub use keyspaces_cql::{
    Column, ColumnKind, Definitions, DefinitionsError, ImpossibleChange, KeyspaceChange, KeyspaceDefinition, Name,
    NewColumn, NewColumns, Replication, Step, TableBuilder, TableChange, TableDefinition, TableError, TypeDefinition,
    Unchanged, Warning, WarningKind,
};

/// The schema operations of a session, from [`Session::schema`].
#[derive(Clone, Copy, Debug)]
pub struct Schema<'a> {
    session: &'a Session,
}

pub(crate) fn define<'s>(session: &'s Session, cql: &str) -> SchemaChange<'s> {
    SchemaChange::new(session, Definition::from_text(cql, session).map(|definition| vec![vec![definition]]))
}

impl<'a> Schema<'a> {
    pub(crate) fn new(session: &'a Session) -> Self {
        Self { session }
    }

    /// Creates a keyspace. Fails if it exists.
    pub fn create_keyspace(&self, keyspace: &KeyspaceDefinition) -> SchemaChange<'a> {
        self.one(Statement::CreateKeyspace(keyspace.create()))
    }

    /// Creates a keyspace unless one of this name exists, whatever its options.
    pub fn create_keyspace_if_not_exists(&self, keyspace: &KeyspaceDefinition) -> SchemaChange<'a> {
        let mut create = keyspace.create();
        create.if_not_exists = Some(create.span);
        self.one(Statement::CreateKeyspace(create))
    }

    /// Creates a table. Fails if it exists.
    pub fn create_table(&self, table: &TableDefinition) -> SchemaChange<'a> {
        self.one(Statement::CreateTable(table.create()))
    }

    /// Creates a table unless one of this name exists, whatever its columns. Waits for a table that is being created.
    pub fn create_table_if_not_exists(&self, table: &TableDefinition) -> SchemaChange<'a> {
        self.create_tables_if_not_exist([table])
    }

    /// Like [`create_table_if_not_exists`](Self::create_table_if_not_exists), for many tables at once: up to 50 are in
    /// progress together (`DG:quotas`), and one query reads the status of all tables of a keyspace.
    pub fn create_tables_if_not_exist<'t>(
        &self,
        tables: impl IntoIterator<Item = &'t TableDefinition>,
    ) -> SchemaChange<'a> {
        let creates = tables.into_iter().map(|table| {
            let mut create = table.create();
            create.if_not_exists = Some(create.span);
            Definition::new(&Statement::CreateTable(create), self.session)
        });
        let creates = creates.collect::<Result<Vec<_>, _>>().map(in_stages);
        SchemaChange::new(self.session, creates)
    }

    /// Creates a type. Fails if it exists.
    pub fn create_type(&self, user_type: &TypeDefinition) -> SchemaChange<'a> {
        self.one(Statement::CreateType(user_type.create()))
    }

    /// Creates a type unless one of this name exists, whatever its fields.
    pub fn create_type_if_not_exists(&self, user_type: &TypeDefinition) -> SchemaChange<'a> {
        let mut create = user_type.create();
        create.if_not_exists = Some(create.span);
        self.one(Statement::CreateType(create))
    }

    /// Sends the changes of a table one after the other and awaits each, because Keyspaces accepts one change of a
    /// table at a time (`DG:cql.ddl.table`).
    ///
    /// The table is read first, and nothing is sent if one of the changes is impossible: a column that exists already,
    /// another view type for an enabled CDC stream, a schema of more than 350 KB (`DG:quotas`). If a change still
    /// fails, for instance because another program changed the table meanwhile, the earlier changes remain, and the
    /// error states how many they are. A change counts as carried out when the table is ACTIVE and shows it.
    ///
    /// ```no_run
    /// # async fn run(session: keyspaces::Session) -> Result<(), keyspaces::Error> {
    /// use keyspaces::schema::{CapacityMode, NativeType, TableChange};
    ///
    /// let changes = [
    ///     TableChange::add_column("humidity", NativeType::Double),
    ///     TableChange::Set(CapacityMode::OnDemand.into()),
    /// ];
    /// session.schema().alter_table("plant", "readings", &changes).await?;
    /// # Ok(()) }
    /// ```
    pub fn alter_table(&self, keyspace: &str, table: &str, changes: &[TableChange]) -> SchemaChange<'a> {
        let name = QualifiedName::new(keyspace, table);
        let alter = |change: &TableChange| {
            Definition::new(&Statement::AlterTable(change.alter(&name)), self.session)
                .map(|definition| vec![definition])
        };
        SchemaChange::new(self.session, changes.iter().map(alter).collect())
    }

    /// Changes a keyspace: adds a Region, or changes its tags. Its current Regions are read first, because the service
    /// requires all of them to be named.
    ///
    /// Dropping the future ends the read.
    ///
    /// # Errors
    ///
    /// [`Refused`](ErrorKind::Refused) if the keyspace does not exist; otherwise the errors of reading a system table.
    pub async fn alter_keyspace(&self, keyspace: &str, change: &KeyspaceChange) -> Result<SchemaChange<'a>, Error> {
        let current = self.describe_untagged_keyspace(keyspace).await?;
        let current = current.ok_or_else(|| missing("changing", format!("keyspace {keyspace}")))?;
        // On Keyspaces the data center has the Region's name (DG:using_java_driver).
        Ok(self.one(Statement::AlterKeyspace(current.alter(change, self.session.data_center()))))
    }

    /// Drops a keyspace with everything in it. Only tables with point-in-time recovery can be restored.
    pub fn drop_keyspace(&self, keyspace: &str) -> SchemaChange<'a> {
        self.one(drop_keyspace(keyspace, false))
    }

    /// Drops a keyspace with everything in it, if it exists.
    pub fn drop_keyspace_if_exists(&self, keyspace: &str) -> SchemaChange<'a> {
        self.one(drop_keyspace(keyspace, true))
    }

    /// Drops a table.
    pub fn drop_table(&self, keyspace: &str, table: &str) -> SchemaChange<'a> {
        self.one(drop_table(keyspace, table, false))
    }

    /// Drops a table if it exists. Waits for a table that is being dropped.
    pub fn drop_table_if_exists(&self, keyspace: &str, table: &str) -> SchemaChange<'a> {
        self.one(drop_table(keyspace, table, true))
    }

    /// Drops a type. It must not be used by a table or another type.
    pub fn drop_type(&self, keyspace: &str, name: &str) -> SchemaChange<'a> {
        self.one(drop_type(keyspace, name, false))
    }

    /// Drops a type if it exists. It must not be used by a table or another type.
    pub fn drop_type_if_exists(&self, keyspace: &str, name: &str) -> SchemaChange<'a> {
        self.one(drop_type(keyspace, name, true))
    }

    /// Drops a table and creates it again, empty, with the same definition. AWS does the same in place of TRUNCATE,
    /// which Keyspaces lacks (`DG:cassandra-apis`; toolkit-truncate.py). The table cannot be used until the change
    /// completes. The new table has a new recovery history, new metrics and a new CDC stream.
    ///
    /// Dropping the future ends the read; nothing has been sent then.
    ///
    /// # Errors
    ///
    /// [`Refused`](ErrorKind::Refused) if the table does not exist; otherwise the errors of reading a system table.
    pub async fn drop_and_recreate_table(&self, keyspace: &str, table: &str) -> Result<SchemaChange<'a>, Error> {
        let current = self.describe_table(keyspace, table).await?;
        let current = current.ok_or_else(|| missing("recreating", format!("table {keyspace}.{table}")))?;
        let stages = [drop_table(keyspace, table, false), Statement::CreateTable(current.definition.create())];
        let stages = stages.iter().map(|statement| Ok(vec![Definition::new(statement, self.session)?]));
        Ok(SchemaChange::new(self.session, stages.collect()))
    }

    /// Waits until all these tables, given as keyspace and name, are ACTIVE, for instance tables that were being created or
    /// changed when the program restarted. It sends one query for each keyspace, however many tables there are.
    pub fn wait_for_tables<'t>(&self, tables: impl IntoIterator<Item = (&'t str, &'t str)>) -> SchemaChange<'a> {
        let awaited = tables.into_iter().map(|(keyspace, table)| Definition::wait_for_table(keyspace, table)).collect();
        SchemaChange::new(self.session, Ok(vec![awaited]))
    }

    fn one(&self, statement: Statement) -> SchemaChange<'a> {
        let definition = Definition::new(&statement, self.session);
        SchemaChange::new(self.session, definition.map(|definition| vec![vec![definition]]))
    }

    /// Restores the state of a table at a time in the last 35 days into a new table. Point-in-time recovery must have
    /// been on at that time and since then (`DG:PointInTimeRecovery_HowItWorks`). The original table is not changed; a
    /// dropped table can be restored too.
    ///
    /// The new table has the columns, rows and TTL of that time. Capacity mode, auto scaling, encryption and
    /// point-in-time recovery are the current ones of the original table, or the last ones if it was dropped, unless
    /// [set](Restore::with). Tags and a CDC stream are not restored.
    ///
    /// A restore takes up to 20 minutes for an empty table, and hours for a large one. Therefore the change waits up to
    /// 3 hours unless [another deadline is set](SchemaChange::with_deadline), and meanwhile reports the status
    /// [`Restoring`](TableStatus::Restoring). A restarted program can continue to wait with
    /// [`wait_for_tables`](Self::wait_for_tables). Four restores may be in progress at once (`DG:quotas`).
    ///
    /// ```no_run
    /// # async fn run(session: keyspaces::Session) -> Result<(), Box<dyn std::error::Error>> {
    /// use chrono::{DateTime, Utc};
    /// use keyspaces::schema::CapacityMode;
    ///
    /// let schema = session.schema();
    /// let before: DateTime<Utc> = "2026-06-30T04:05:00Z".parse()?;
    /// schema.restore_table("shop", "users").at(before).with(CapacityMode::OnDemand).into("shop", "users_restored").await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// The change has the errors of every [change](crate::Session::schema). Nothing is sent, and the kind is
    /// [`Refused`](crate::ErrorKind::Refused), if recovery is off, the moment is before
    /// [the earliest](TableDescription::earliest_restorable) or in the future, the new table exists already, its
    /// keyspace does not exist, or the session is connected to a plain Cassandra, which has nothing to restore from.
    pub fn restore_table(&self, keyspace: &str, table: &str) -> Restore<'a> {
        restore::restore_table(self, keyspace, table)
    }

    /// Returns the current state of a table, if it exists: its definition, status, auto scaling, tags and replicas.
    ///
    /// Reads `system_schema`, `system_schema_mcs` and `system_multiregion_info`, with a few small queries, and ignores
    /// values that this version does not know.
    ///
    /// Dropping the future ends the read.
    ///
    /// # Errors
    ///
    /// [`Server`](ErrorKind::Server) if the rows of the system tables do not describe a table; otherwise the errors of
    /// reading any table.
    pub async fn describe_table(&self, keyspace: &str, table: &str) -> Result<Option<TableDescription>, Error> {
        describe::describe_table(self, keyspace, table).await
    }

    /// Returns the current state of a keyspace, if it exists: its Regions and tags.
    ///
    /// Dropping the future ends the read.
    ///
    /// # Errors
    ///
    /// The errors of reading any table.
    pub async fn describe_keyspace(&self, keyspace: &str) -> Result<Option<KeyspaceDefinition>, Error> {
        describe::describe_keyspace(self, keyspace).await
    }

    pub(crate) async fn describe_untagged(
        &self,
        keyspace: &str,
        table: &str,
    ) -> Result<Option<TableDescription>, Error> {
        describe::describe_untagged(self, keyspace, table).await
    }

    pub(crate) async fn describe_untagged_keyspace(&self, keyspace: &str) -> Result<Option<KeyspaceDefinition>, Error> {
        describe::describe_untagged_keyspace(self, keyspace).await
    }

    /// Returns the user-defined types of a keyspace, ordered by name; none if the keyspace does not exist. Dropping the
    /// future ends the read.
    ///
    /// ```no_run
    /// # async fn run(session: keyspaces::Session) -> Result<(), keyspaces::Error> {
    /// for user_type in session.schema().types("shop").await? {
    ///     println!("{user_type}");
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// The errors of [`Select::rows`](crate::Select::rows); [`Server`](crate::ErrorKind::Server) if the type of a field cannot
    /// be read.
    pub async fn types(&self, keyspace: &str) -> Result<Vec<TypeDefinition>, Error> {
        describe::types(self, keyspace).await
    }

    /// Plans the changes from the current keyspaces, types and tables to the desired ones. Only reads of system tables are
    /// sent before [`Plan::apply`].
    ///
    /// `desired` is built in code, or parsed from CREATE statements by [`Definitions::parse`]. Columns, keys and fields
    /// are compared with those of the definitions. Options and tags that a definition does not mention stay as they
    /// are. Objects that exist and are not among the definitions stay too: the plan lists them and never drops them.
    /// Changes that Keyspaces cannot make (drop a column, change a key or a column's type, remove a Region …) are
    /// listed in the plan, which then cannot be applied.
    ///
    /// Planning first waits for tables that are being created or changed, up to 5 minutes, so that an interrupted program
    /// can plan again and continue.
    ///
    /// ```no_run
    /// # async fn run(session: keyspaces::Session) -> Result<(), keyspaces::Error> {
    /// use keyspaces::schema::Definitions;
    ///
    /// let wanted = Definitions::parse(
    ///     "CREATE KEYSPACE shop WITH replication = {'class': 'SingleRegionStrategy'};
    ///      CREATE TABLE shop.names (id text PRIMARY KEY, name text, note text)
    ///          WITH custom_properties = {'point_in_time_recovery': {'status': 'enabled'}};",
    /// )?;
    /// let plan = session.schema().plan(wanted).await?;
    /// println!("{plan}"); // each statement, with a note if it cannot be undone, costs money or takes long
    /// plan.apply().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Refused`](ErrorKind::Refused) if an object is defined twice, if one of the tables is being deleted, or on a plain
    /// Cassandra if only Keyspaces has an option; otherwise the errors of reading a system table.
    pub fn plan(&self, desired: Definitions) -> Planning<'a> {
        plan::plan(self, desired)
    }
}

fn drop_keyspace(keyspace: &str, if_exists: bool) -> Statement {
    let keyspace = Name::new(keyspace);
    Statement::DropKeyspace(DropKeyspace {
        span: keyspace.span,
        if_exists: if_exists.then_some(keyspace.span),
        keyspace,
    })
}

/// The keyspace of a name; empty if the name has none.
pub(crate) fn keyspace_of(name: &QualifiedName) -> &str {
    name.keyspace.as_ref().map(|keyspace| keyspace.text.as_str()).unwrap_or_default()
}

fn drop_table(keyspace: &str, table: &str, if_exists: bool) -> Statement {
    let table = QualifiedName::new(keyspace, table);
    Statement::DropTable(DropTable { span: table.span(), if_exists: if_exists.then_some(table.span()), table })
}

fn drop_type(keyspace: &str, name: &str, if_exists: bool) -> Statement {
    let name = QualifiedName::new(keyspace, name);
    Statement::DropType(DropType { span: name.span(), if_exists: if_exists.then_some(name.span()), name })
}

fn missing(action: &str, object: String) -> Error {
    Error::new(ErrorKind::Refused, format!("{action} the {object}"), "it does not exist")
}

impl From<TableError> for Error {
    fn from(error: TableError) -> Self {
        Self::new(ErrorKind::Refused, "defining a table", error.to_string())
    }
}
