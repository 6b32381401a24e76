//! The facts about tables that the judgement of a statement needs.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::statement::{CqlType, CqlTypeKind};
use crate::{ColumnKind, QualifiedName, TableDefinition, TableOptions};

/// The columns of a table, the user-defined types of its keyspace, and whether its rows expire by default.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct KnownTable {
    columns: HashMap<String, KnownColumn>,
    /// The clustering columns, in the order of the primary key.
    clustering: Vec<String>,
    user_types: UserTypes,
    expires: bool,
}

/// A column of a [`KnownTable`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KnownColumn {
    /// The role of the column in the table.
    pub kind: ColumnKind,
    /// The type of the column.
    pub column_type: CqlType,
}

/// The user-defined types of one keyspace: the fields of each, in order.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct UserTypes(HashMap<String, Vec<(String, CqlType)>>);

/// Several tables, by keyspace and name.
///
/// ```
/// use std::sync::Arc;
///
/// use keyspaces_cql::{Context, Judgement, KnownTable, KnownTables, Statement, judge, judge_in, parse};
///
/// let Statement::CreateTable(create) = parse("CREATE TABLE ks.t (id int PRIMARY KEY, tags list<text>)")? else { panic!() };
/// let mut tables = KnownTables::default();
/// tables.insert(Some("ks"), "t", Arc::new(KnownTable::from(&create.definition()?)));
///
/// let statement = parse("SELECT ttl(tags) FROM ks.t WHERE id = ?")?;
/// assert_eq!(judge(&statement), Judgement::Allowed);
/// let Judgement::Refused(refusal) = judge_in(&statement, &Context::new().with_tables(&tables)) else { panic!() };
/// assert_eq!(refusal.rule.id, "cell-metadata");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct KnownTables(HashMap<(Option<String>, String), Arc<KnownTable>>);

impl KnownTable {
    /// A table with these columns, whose rows do not expire by default.
    pub fn new(columns: impl IntoIterator<Item = (String, ColumnKind, CqlType)>) -> Self {
        let columns = columns.into_iter();
        let columns = columns.map(|(name, kind, column_type)| (name, KnownColumn { kind, column_type })).collect();
        Self { columns, ..Self::default() }
    }

    /// Adds a column, or replaces the column of this name.
    pub fn insert(&mut self, name: String, kind: ColumnKind, column_type: CqlType) {
        self.columns.insert(name, KnownColumn { kind, column_type });
    }

    /// Sets the order of the table's clustering columns.
    #[must_use]
    pub fn with_clustering(self, columns: impl IntoIterator<Item = String>) -> Self {
        Self { clustering: columns.into_iter().collect(), ..self }
    }

    /// Sets the user-defined types of the table's keyspace.
    #[must_use]
    pub fn with_user_types(self, user_types: UserTypes) -> Self {
        Self { user_types, ..self }
    }

    /// Sets whether the table has a default time to live other than 0.
    #[must_use]
    pub fn expiring(self, expires: bool) -> Self {
        Self { expires, ..self }
    }

    /// Applies the default time to live, if `options` sets one.
    pub(crate) fn apply(&mut self, options: &TableOptions) {
        if let Some(seconds) = options.default_time_to_live {
            self.expires = seconds > 0;
        }
    }

    /// The column of this name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&KnownColumn> {
        self.columns.get(name)
    }

    /// The columns of the primary key, by name.
    pub(crate) fn key(&self) -> BTreeMap<&str, &KnownColumn> {
        let columns = self.columns.iter().filter(|(_, column)| column.kind.is_key());
        columns.map(|(name, column)| (name.as_str(), column)).collect()
    }

    /// The clustering columns, in the order of the primary key.
    #[must_use]
    pub fn clustering(&self) -> &[String] {
        &self.clustering
    }

    /// The user-defined types of the table's keyspace.
    #[must_use]
    pub fn user_types(&self) -> &UserTypes {
        &self.user_types
    }

    /// Whether the table has a default time to live other than 0.
    #[must_use]
    pub fn expires(&self) -> bool {
        self.expires
    }
}

impl From<&TableDefinition> for KnownTable {
    fn from(table: &TableDefinition) -> Self {
        let columns = table.columns.iter();
        let columns = columns.map(|column| (column.name.text.clone(), column.kind, column.column_type.clone()));
        let clustering = table.clustering_columns.iter().map(|by| by.column.text.clone());
        let mut known = Self::new(columns).with_clustering(clustering);
        known.apply(&table.options);
        known
    }
}

impl KnownColumn {
    /// Whether the column is a collection, a tuple or a user-defined type, frozen or not.
    #[must_use]
    pub fn has_parts(&self) -> bool {
        let unfrozen = if let CqlTypeKind::Frozen(inner) = &self.column_type.kind { inner } else { &self.column_type };
        self.is_multi_cell() || !matches!(unfrozen.kind, CqlTypeKind::Native(_) | CqlTypeKind::Custom(_))
    }

    /// Whether each element or field is stored separately, as in a collection or user-defined type that is not frozen.
    #[must_use]
    pub fn is_multi_cell(&self) -> bool {
        use CqlTypeKind::{List, Map, Set, UserDefined};
        matches!(self.column_type.kind, List(_) | Set(_) | Map(..) | UserDefined(_))
    }
}

impl UserTypes {
    /// Adds a type, or replaces the type of this name.
    pub fn insert(&mut self, name: impl Into<String>, fields: Vec<(String, CqlType)>) {
        self.0.insert(name.into(), fields);
    }

    /// The fields of a type, in order.
    #[must_use]
    pub fn fields(&self, name: &QualifiedName) -> Option<&[(String, CqlType)]> {
        self.0.get(&name.name.text).map(Vec::as_slice)
    }
}

impl KnownTables {
    /// Adds a table, or replaces the table of this name.
    pub fn insert(&mut self, keyspace: Option<&str>, name: &str, table: Arc<KnownTable>) {
        self.0.insert((keyspace.map(str::to_owned), name.to_owned()), table);
    }

    /// The table of this name. `keyspace` is the keyspace for names without one.
    #[must_use]
    pub fn find(&self, name: &QualifiedName, keyspace: Option<&str>) -> Option<&KnownTable> {
        let keyspace = name.keyspace.as_ref().map(|keyspace| keyspace.text.as_str()).or(keyspace);
        self.0.get(&(keyspace.map(str::to_owned), name.name.text.clone())).map(Arc::as_ref)
    }

    /// Removes a table.
    pub(crate) fn remove(&mut self, keyspace: Option<&str>, name: &str) {
        self.0.remove(&(keyspace.map(str::to_owned), name.to_owned()));
    }

    /// Changes a table, if it is known.
    pub(crate) fn change(&mut self, keyspace: Option<&str>, name: &str, change: impl FnOnce(&mut KnownTable)) {
        if let Some(table) = self.0.get_mut(&(keyspace.map(str::to_owned), name.to_owned())) {
            change(Arc::make_mut(table));
        }
    }
}
