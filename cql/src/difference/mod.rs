//! From what is there to what is wanted: statements in their order, what to know before saying yes to them, and what
//! Keyspaces cannot do at all.

mod definitions;
mod keyspace;
pub(crate) mod mark;
pub(crate) mod table;
mod user_type;

use std::fmt;

pub use definitions::{Definitions, DefinitionsError, DefinitionsProblem};
use keyspace::keyspace_of;
pub use mark::{Mark, MarkKind};
pub(crate) use table::Comparison;
pub use table::TableDifference;

use crate::statement::WithOption;
use crate::table::{TableProperty, Tags};
use crate::{Name, QualifiedName, Replication, Statement};

/// From some definitions to others; from [`Definitions::difference`]. As text it is what a person reads before saying yes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Difference {
    /// The statements, in the order in which they are to be sent.
    pub steps: Vec<Step>,
    /// What Keyspaces cannot do.
    pub impossible: Vec<Impossible>,
    /// What is there and not wanted, and stays.
    pub left: Vec<Left>,
}

/// One statement of a [`Difference`].
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What is to be sent.
    pub statement: Statement,
    /// What to know before.
    pub marks: Vec<&'static Mark>,
}

/// Something that Keyspaces cannot do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Impossible {
    /// What it is about: `the table shop.names`.
    pub subject: String,
    /// What cannot be done to it: `dropping its column note`.
    pub what: String,
    /// What to do instead, in whole sentences.
    pub advice: &'static str,
    /// Who says so.
    pub source: &'static str,
}

/// Something that is there and not wanted: it is left as it is.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Left {
    /// A table of a keyspace of which something is wanted.
    Table(QualifiedName),
    /// A type.
    Type(QualifiedName),
    /// An option of a table, of which its definition says nothing.
    Option {
        /// The table.
        table: QualifiedName,
        /// What is there.
        property: TableProperty,
    },
    /// A KMS key, of which it cannot be seen whether it is the one that is wanted by an alias.
    Key {
        /// The table.
        table: QualifiedName,
        /// The key that is there.
        key: String,
        /// What is wanted.
        alias: String,
    },
    /// Tags of a keyspace, of which its definition says nothing.
    Tags {
        /// The keyspace.
        keyspace: Name,
        /// What is there.
        tags: Tags,
    },
}

pub(crate) fn difference(from: &Definitions, to: &Definitions, home: &str) -> Difference {
    let mut found = Difference::default();
    keyspace::add_keyspaces(from, to, &mut found);
    user_type::add_types(from, to, &mut found);
    let mut creates = Vec::new();
    for table in &to.tables {
        is_at_home(from, to, &table.table, "table", &mut found);
        user_type::has_its_types(from, to, table, &mut found);
        let Some(there) = from.tables.iter().find(|there| is_same(&there.table, &table.table)) else {
            creates.push(Step { statement: Statement::CreateTable(table.create()), marks: table.marks() });
            continue;
        };
        let mut difference = there.difference(table);
        if is_in_several_regions(from, &table.table) {
            difference = difference.in_several_regions(&table.table);
        }
        let TableDifference { changes, impossible, left } = difference;
        found.steps.extend(changes.iter().map(|change| Step {
            statement: Statement::AlterTable(change.of(&table.table)),
            marks: change.marks(there),
        }));
        found.impossible.extend(impossible);
        found.left.extend(left);
    }
    keyspace::add_regions(from, to, home, &mut found);
    found.steps.extend(creates);
    let others = from.tables.iter().filter(|there| to.tables.iter().all(|it| !is_same(&it.table, &there.table)));
    found.left.extend(others.map(|there| Left::Table(there.table.clone())));
    found
}

fn is_in_several_regions(from: &Definitions, table: &QualifiedName) -> bool {
    let keyspace = table.keyspace.as_ref().and_then(|keyspace| keyspace_of(from, &keyspace.text));
    keyspace.is_some_and(|keyspace| matches!(keyspace.replication, Replication::MultiRegion(_)))
}

/// What is in a keyspace that is neither there nor wanted is impossible.
fn is_at_home(from: &Definitions, to: &Definitions, name: &QualifiedName, kind: &str, found: &mut Difference) {
    let keyspace = name.keyspace.as_ref().map(|keyspace| keyspace.text.as_str()).unwrap_or_default();
    if keyspace_of(from, keyspace).is_none() && keyspace_of(to, keyspace).is_none() {
        found.impossible.push(Impossible {
            subject: format!("the {kind} {name}"),
            what: format!("creating it in the keyspace {keyspace}, which is not there and not among the definitions"),
            advice: "Add the CREATE KEYSPACE.",
            source: "DG:cql.ddl.table",
        });
    }
}

fn is_same(one: &QualifiedName, other: &QualifiedName) -> bool {
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
            for mark in &step.marks {
                write!(f, "\n       {mark}")?;
            }
        }
        if !self.impossible.is_empty() {
            f.write_str("\nKeyspaces cannot do this:")?;
        }
        for impossible in &self.impossible {
            write!(f, "\n   - {impossible}")?;
        }
        if !self.left.is_empty() {
            f.write_str("\nleft as it is:")?;
        }
        for left in &self.left {
            write!(f, "\n   - {left}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Impossible {
    /// `the table shop.names: dropping its column note. Leave the column, and write nothing to it. (DG:cql.ddl.table)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}. {} ({})", self.subject, self.what, self.advice, self.source)
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(name) => write!(f, "the table {name}, which is not among the definitions"),
            Self::Type(name) => write!(f, "the type {name}, which is not among the definitions"),
            Self::Option { table, property } => {
                let options: Vec<_> = property.with_options().iter().map(WithOption::to_string).collect();
                write!(f, "the table {table} WITH {}, of which its definition says nothing", options.join(" AND "))
            }
            Self::Key { table, key, alias } => {
                write!(f, "the key {key} of the table {table}: that {alias} stands for it cannot be seen")
            }
            Self::Tags { keyspace, tags } => {
                let tags: Vec<_> = tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
                write!(
                    f,
                    "the tags {} of the keyspace {keyspace}, of which its definition says nothing",
                    tags.join(", ")
                )
            }
        }
    }
}
