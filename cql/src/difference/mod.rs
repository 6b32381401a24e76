//! Compares the current definitions with the desired ones. The result is the statements to send, in order, with their costs
//! and risks, and the changes that Keyspaces cannot make.

mod definitions;
mod keyspace;
pub(crate) mod table;
mod user_type;
pub(crate) mod warning;

use std::fmt;

pub use definitions::{Definitions, DefinitionsError, DefinitionsProblem};
use keyspace::find_keyspace;
pub(crate) use table::Comparison;
pub use table::TableDifference;
pub use warning::{Warning, WarningKind};

use crate::statement::WithOption;
use crate::table::{TableProperty, Tags};
use crate::{Name, QualifiedName, Replication, Statement};

/// The difference between two sets of definitions; from [`Definitions::difference`]. Its text is for the person who approves
/// it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Difference {
    /// The statements to send, in this order.
    pub steps: Vec<Step>,
    /// The changes that Keyspaces cannot make.
    pub impossible: Vec<ImpossibleChange>,
    /// The existing objects and options that the desired definitions do not name and that stay.
    pub unchanged: Vec<Unchanged>,
}

/// One statement of a [`Difference`].
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The statement to send.
    pub statement: Statement,
    /// The costs and risks of the statement.
    pub warnings: Vec<&'static Warning>,
}

/// A change that Keyspaces cannot make.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ImpossibleChange {
    /// The object to change: `the table shop.names`.
    pub subject: String,
    /// The change that cannot be made: `dropping its column note`.
    pub change: String,
    /// The alternative, in whole sentences.
    pub advice: &'static str,
    /// The source for the limitation.
    pub source: &'static str,
}

/// An existing object or option that the desired definitions do not name. It stays as it is.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Unchanged {
    /// A table that the desired definitions do not name, in a keyspace that they name.
    Table(QualifiedName),
    /// A user-defined type.
    Type(QualifiedName),
    /// An option of a table that its desired definition does not set.
    Option {
        /// The table.
        table: QualifiedName,
        /// The option and its value.
        property: TableProperty,
    },
    /// The KMS key of a table whose desired definition names an alias. It is not known whether the alias refers to this key.
    Key {
        /// The table.
        table: QualifiedName,
        /// The ARN of the key that the table has.
        key: String,
        /// The desired alias.
        alias: String,
    },
    /// The tags of a keyspace whose desired definition has none.
    Tags {
        /// The keyspace.
        keyspace: Name,
        /// Its tags.
        tags: Tags,
    },
}

pub(crate) fn difference(from: &Definitions, to: &Definitions, home_region: &str) -> Difference {
    let mut found = Difference::default();
    keyspace::add_keyspaces(from, to, &mut found);
    user_type::add_types(from, to, &mut found);
    let mut creates = Vec::new();
    for table in &to.tables {
        check_keyspace(from, to, &table.table, "table", &mut found);
        user_type::check_types(from, to, table, &mut found);
        let Some(current) = from.tables.iter().find(|current| is_same_name(&current.table, &table.table)) else {
            creates.push(Step { statement: Statement::CreateTable(table.create()), warnings: table.warnings() });
            continue;
        };
        let mut difference = current.difference(table);
        if is_in_several_regions(from, &table.table) {
            difference = difference.in_several_regions(&table.table);
        }
        let TableDifference { changes, impossible, unchanged } = difference;
        found.steps.extend(changes.iter().map(|change| Step {
            statement: Statement::AlterTable(change.alter(&table.table)),
            warnings: change.warnings(current),
        }));
        found.impossible.extend(impossible);
        found.unchanged.extend(unchanged);
    }
    keyspace::add_regions(from, to, home_region, &mut found);
    found.steps.extend(creates);
    let others =
        from.tables.iter().filter(|current| to.tables.iter().all(|it| !is_same_name(&it.table, &current.table)));
    found.unchanged.extend(others.map(|current| Unchanged::Table(current.table.clone())));
    found
}

fn is_in_several_regions(from: &Definitions, table: &QualifiedName) -> bool {
    let keyspace = table.keyspace.as_ref().and_then(|keyspace| find_keyspace(from, &keyspace.text));
    keyspace.is_some_and(|keyspace| matches!(keyspace.replication, Replication::MultiRegion(_)))
}

/// Reports an object whose keyspace neither exists nor is defined, and which therefore cannot be created.
fn check_keyspace(from: &Definitions, to: &Definitions, name: &QualifiedName, kind: &str, found: &mut Difference) {
    let keyspace = name.keyspace.as_ref().map(|keyspace| keyspace.text.as_str()).unwrap_or_default();
    if find_keyspace(from, keyspace).is_none() && find_keyspace(to, keyspace).is_none() {
        found.impossible.push(ImpossibleChange {
            subject: format!("the {kind} {name}"),
            change: format!("creating it in the keyspace {keyspace}, which neither exists nor is defined"),
            advice: "Add the CREATE KEYSPACE.",
            source: "DG:cql.ddl.table",
        });
    }
}

fn is_same_name(one: &QualifiedName, other: &QualifiedName) -> bool {
    let [keyspace, other_keyspace] = [one, other].map(|name| name.keyspace.as_ref().map(|keyspace| &keyspace.text));
    one.name.text == other.name.text && keyspace == other_keyspace
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.steps.len() {
            0 if self.impossible.is_empty() => f.write_str("nothing to do")?,
            0 => f.write_str("no statements")?,
            1 => f.write_str("1 statement:")?,
            several => write!(f, "{several} statements:")?,
        }
        for (place, step) in self.steps.iter().enumerate() {
            write!(f, "\n{:3}. {}", place + 1, step.statement)?;
            for warning in &step.warnings {
                write!(f, "\n       {warning}")?;
            }
        }
        if !self.impossible.is_empty() {
            f.write_str("\nKeyspaces cannot do this:")?;
        }
        for impossible in &self.impossible {
            write!(f, "\n   - {impossible}")?;
        }
        if !self.unchanged.is_empty() {
            f.write_str("\nleft as it is:")?;
        }
        for unchanged in &self.unchanged {
            write!(f, "\n   - {unchanged}")?;
        }
        Ok(())
    }
}

impl fmt::Display for ImpossibleChange {
    /// `the table shop.names: dropping its column note. Leave the column, and write nothing to it. (DG:cql.ddl.table)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}. {} ({})", self.subject, self.change, self.advice, self.source)
    }
}

impl fmt::Display for Unchanged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(name) => write!(f, "the table {name}, which is not among the definitions"),
            Self::Type(name) => write!(f, "the type {name}, which is not among the definitions"),
            Self::Option { table, property } => {
                let options: Vec<_> = property.with_options().iter().map(WithOption::to_string).collect();
                write!(f, "the table {table} WITH {}, which its definition does not set", options.join(" AND "))
            }
            Self::Key { table, key, alias } => {
                write!(f, "the key {key} of the table {table}: it is not known whether {alias} is its alias")
            }
            Self::Tags { keyspace, tags } => {
                let tags: Vec<_> = tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
                write!(f, "the tags {} of the keyspace {keyspace}, which its definition does not set", tags.join(", "))
            }
        }
    }
}
