//! Keyspaces, tables and types: defined, waited for because Keyspaces carries a definition out after it has answered,
//! described, and tables brought back as they were.

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

pub(crate) use self::change::{DEFAULT_DEADLINE_OF_A_RESTORE, MOST_UNDER_WAY};
pub use self::change::{Progress, SchemaChange};
pub use self::describe::{Replica, TableDescription};
pub use self::plan::{Plan, Planning};
pub use self::restore::Restore;
pub use self::status::TableStatus;

// A definition as a value, whose options are values too: all that `keyspaces-cql` declares.
pub use keyspaces_cql::statement::{CqlType, NativeType, Order};
pub use keyspaces_cql::table_options::*;
pub use keyspaces_cql::{
    Column, ColumnKind, Definitions, DefinitionsError, Impossible, KeyspaceChange, KeyspaceDefinition, Left, Mark,
    MarkKind, Name, NewColumn, NewColumns, Replication, Step, TableBuilder, TableChange, TableDefinition, TableError,
    TypeDefinition,
};

/// What a session defines and describes; from [`Session::schema`].
#[derive(Clone, Copy, Debug)]
pub struct Schema<'a> {
    session: &'a Session,
}

pub(crate) fn define<'s>(session: &'s Session, cql: &str) -> SchemaChange<'s> {
    SchemaChange::new(session, Definition::of_text(cql, session).map(|definition| vec![vec![definition]]))
}

impl<'a> Schema<'a> {
    pub(crate) fn new(session: &'a Session) -> Self {
        Self { session }
    }

    /// Creates a keyspace. One that is there is refused.
    pub fn create_keyspace(&self, keyspace: &KeyspaceDefinition) -> SchemaChange<'a> {
        self.one(Statement::CreateKeyspace(keyspace.create()))
    }

    /// Creates a keyspace unless there is one of this name, whatever its options.
    pub fn create_keyspace_if_not_exists(&self, keyspace: &KeyspaceDefinition) -> SchemaChange<'a> {
        let mut create = keyspace.create();
        create.if_not_exists = Some(create.span);
        self.one(Statement::CreateKeyspace(create))
    }

    /// Creates a table. One that is there is refused.
    pub fn create_table(&self, table: &TableDefinition) -> SchemaChange<'a> {
        self.one(Statement::CreateTable(table.create()))
    }

    /// Creates a table unless there is one of this name, whatever its columns; one that is being created is waited for.
    pub fn create_table_if_not_exists(&self, table: &TableDefinition) -> SchemaChange<'a> {
        self.create_tables_if_not_exist([table])
    }

    /// As [`create_table_if_not_exists`](Self::create_table_if_not_exists), for many tables at once: up to 50 are under way
    /// together (`DG:quotas`), and all that are in one keyspace are waited for with one query.
    pub fn create_tables_if_not_exist<'t>(
        &self,
        tables: impl IntoIterator<Item = &'t TableDefinition>,
    ) -> SchemaChange<'a> {
        let creates = tables.into_iter().map(|table| {
            let mut create = table.create();
            create.if_not_exists = Some(create.span);
            Definition::of(&Statement::CreateTable(create), self.session)
        });
        let creates = creates.collect::<Result<Vec<_>, _>>().map(in_stages);
        SchemaChange::new(self.session, creates)
    }

    /// Creates a type. One that is there is refused.
    pub fn create_type(&self, user_type: &TypeDefinition) -> SchemaChange<'a> {
        self.one(Statement::CreateType(user_type.create()))
    }

    /// Creates a type unless there is one of this name, whatever its fields.
    pub fn create_type_if_not_exists(&self, user_type: &TypeDefinition) -> SchemaChange<'a> {
        let mut create = user_type.create();
        create.if_not_exists = Some(create.span);
        self.one(Statement::CreateType(create))
    }

    /// Changes a table, one change after the other, each awaited: Keyspaces takes one at a time (`DG:cql.ddl.table`).
    ///
    /// The table is looked up first, and nothing is sent if one of the changes cannot be: a column that is there, another
    /// view of a CDC stream that is on, a schema of more than 350 KB (`DG:quotas`). If one fails all the same, because somebody
    /// else changed the table meanwhile for instance, those before it stay, and the error says how many they are. Each is
    /// carried out when the table is ACTIVE and shows it.
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
            Definition::of(&Statement::AlterTable(change.of(&name)), self.session).map(|definition| vec![definition])
        };
        SchemaChange::new(self.session, changes.iter().map(alter).collect())
    }

    /// Changes a keyspace: adds a Region, or changes its tags. Which Regions it is in now is looked up, since the service
    /// wants all of them named.
    ///
    /// Dropping the future ends the read.
    ///
    /// # Errors
    ///
    /// [`Refused`](ErrorKind::Refused) if there is no such keyspace; else as of reading a system table.
    pub async fn alter_keyspace(&self, keyspace: &str, change: &KeyspaceChange) -> Result<SchemaChange<'a>, Error> {
        let there = self.describe_untagged_keyspace(keyspace).await?;
        let there = there.ok_or_else(|| not_there("changing", format!("keyspace {keyspace}")))?;
        // On Keyspaces the data center has the Region's name (DG:using_java_driver).
        Ok(self.one(Statement::AlterKeyspace(there.alter(change, self.session.data_center()))))
    }

    /// Drops a keyspace with all that is in it. There is no way back but that of tables with point-in-time recovery.
    pub fn drop_keyspace(&self, keyspace: &str) -> SchemaChange<'a> {
        self.one(drop_keyspace(keyspace, false))
    }

    /// Drops a keyspace with all that is in it, if there is one.
    pub fn drop_keyspace_if_exists(&self, keyspace: &str) -> SchemaChange<'a> {
        self.one(drop_keyspace(keyspace, true))
    }

    /// Drops a table.
    pub fn drop_table(&self, keyspace: &str, table: &str) -> SchemaChange<'a> {
        self.one(drop_table(keyspace, table, false))
    }

    /// Drops a table if there is one; one that is being dropped is waited for.
    pub fn drop_table_if_exists(&self, keyspace: &str, table: &str) -> SchemaChange<'a> {
        self.one(drop_table(keyspace, table, true))
    }

    /// Drops a type, which no table and no other type may use.
    pub fn drop_type(&self, keyspace: &str, name: &str) -> SchemaChange<'a> {
        self.one(drop_type(keyspace, name, false))
    }

    /// Drops a type, which no table and no other type may use, if there is one.
    pub fn drop_type_if_exists(&self, keyspace: &str, name: &str) -> SchemaChange<'a> {
        self.one(drop_type(keyspace, name, true))
    }

    /// Drops a table and creates it again as it is now, empty: what AWS does for the TRUNCATE that Keyspaces lacks
    /// (`DG:cassandra-apis`; toolkit-truncate.py). Until it is done the table cannot be used; its recovery, metrics and CDC
    /// stream begin anew.
    ///
    /// # Errors
    ///
    /// [`Refused`](ErrorKind::Refused) if there is no such table; else as of reading a system table.
    pub async fn drop_and_create_again(&self, keyspace: &str, table: &str) -> Result<SchemaChange<'a>, Error> {
        let there = self.describe_table(keyspace, table).await?;
        let there = there.ok_or_else(|| not_there("emptying", format!("table {keyspace}.{table}")))?;
        let stages = [drop_table(keyspace, table, false), Statement::CreateTable(there.definition.create())];
        let stages = stages.iter().map(|statement| Ok(vec![Definition::of(statement, self.session)?]));
        Ok(SchemaChange::new(self.session, stages.collect()))
    }

    /// Waits until all these tables, as keyspace and name, are ACTIVE: those that were being created or changed when the
    /// program was started again, for instance. One query for each keyspace, however many tables.
    pub fn wait_for_tables<'t>(&self, tables: impl IntoIterator<Item = (&'t str, &'t str)>) -> SchemaChange<'a> {
        let awaited = tables.into_iter().map(|(keyspace, table)| Definition::of_table(keyspace, table)).collect();
        SchemaChange::new(self.session, Ok(vec![awaited]))
    }

    fn one(&self, statement: Statement) -> SchemaChange<'a> {
        let definition = Definition::of(&statement, self.session);
        SchemaChange::new(self.session, definition.map(|definition| vec![vec![definition]]))
    }

    /// Brings back a table as it was at a moment of the last 35 days, as a new table, if point-in-time recovery was on at that
    /// moment and has been since (`DG:PointInTimeRecovery_HowItWorks`). The table itself is not touched; one that was dropped
    /// can be brought back too.
    ///
    /// Columns, rows and TTL are those of the moment. Capacity mode, auto scaling, encryption and point-in-time recovery are
    /// those that the table has now, or had when it was dropped, unless [told otherwise](Restore::with). Tags and a CDC stream
    /// do not come with it.
    ///
    /// It takes the service up to 20 minutes for an empty table, and hours for a large one; so the change waits for up to
    /// 3 hours unless [told otherwise](SchemaChange::within), and tells meanwhile that the table is
    /// [`Restoring`](TableStatus::Restoring). A program that was started again goes on waiting with
    /// [`wait_for_tables`](Self::wait_for_tables). Four restores may be under way at once (`DG:quotas`).
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
    /// [the earliest](TableDescription::earliest_restorable) or in the future, the new table is there already, its
    /// keyspace is not, or the session is one to a plain Cassandra, which has nothing to restore from.
    pub fn restore_table(&self, keyspace: &str, table: &str) -> Restore<'a> {
        restore::restore_table(self, keyspace, table)
    }

    /// A table as it is now, if there is one: its definition, state, auto scaling, tags and replicas.
    ///
    /// Reads `system_schema`, `system_schema_mcs` and `system_multiregion_info`, a handful of small queries, and passes
    /// over what the service shows there and this version does not know.
    ///
    /// Dropping the future ends the read.
    ///
    /// # Errors
    ///
    /// [`Server`](ErrorKind::Server) if what the system tables say makes no table; else as of reading any table.
    pub async fn describe_table(&self, keyspace: &str, table: &str) -> Result<Option<TableDescription>, Error> {
        describe::describe_table(self, keyspace, table).await
    }

    /// A keyspace as it is now, if there is one: its Regions and tags.
    ///
    /// Dropping the future ends the read.
    ///
    /// # Errors
    ///
    /// As of reading any table.
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

    /// The user-defined types of a keyspace, in the order of their names; none if there is no such keyspace. Dropping
    /// the future ends the read.
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
    /// As [`Select::rows`](crate::Select::rows); [`Server`](crate::ErrorKind::Server) if the type of a field cannot be read.
    pub async fn types(&self, keyspace: &str) -> Result<Vec<TypeDefinition>, Error> {
        describe::types(self, keyspace).await
    }

    /// Plans what would bring the keyspaces, types and tables that are there to those that are wanted. Nothing is sent but
    /// reads of system tables, until [`Plan::apply`].
    ///
    /// What is wanted is a value, or a text of CREATE statements read by [`Definitions::parse`]. Columns, keys and fields
    /// are to be as they are said; an option or tags that a definition does not say are left as they are, and so is what is
    /// there and not among the definitions: a plan lists it and never drops it. What Keyspaces cannot do (drop a column,
    /// change a key or a column's type, take a Region away …) is in the plan too, which then cannot be applied.
    ///
    /// Tables that are being created or changed are waited for first, up to 5 minutes, so that a program that was interrupted
    /// plans again and goes on.
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
    /// println!("{plan}"); // each statement, and what cannot be undone, costs money or takes long about it
    /// plan.apply().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Refused`](ErrorKind::Refused) if a thing is defined twice, or if a table of
    /// them is being deleted, or on a plain Cassandra if an option is Keyspaces' own; else as of reading a system table.
    pub fn plan(&self, wanted: Definitions) -> Planning<'a> {
        plan::plan(self, wanted)
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

/// Nothing where none is said.
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

fn not_there(doing: &str, what: String) -> Error {
    Error::new(ErrorKind::Refused, format!("{doing} the {what}"), "it is not there")
}

impl From<TableError> for Error {
    fn from(error: TableError) -> Self {
        Self::new(ErrorKind::Refused, "defining a table", error.to_string())
    }
}
