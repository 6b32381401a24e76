//! Definitions of keyspaces, types and tables, as values or from a CQL text.

use std::collections::HashSet;
use std::error::Error;
use std::fmt;

use super::Difference;
use crate::judge::judge_all;
use crate::table::TableProblem;
use crate::{
    Context, Effect, KeyspaceDefinition, Position, Rule, Span, Statement, SyntaxProblem, TableDefinition,
    TypeDefinition, parse_script,
};

/// Definitions of keyspaces, types and tables: a current or a desired schema.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Definitions {
    /// The keyspaces.
    pub keyspaces: Vec<KeyspaceDefinition>,
    /// The user-defined types.
    pub types: Vec<TypeDefinition>,
    /// The tables.
    pub tables: Vec<TableDefinition>,
}

/// The first problem of a text that could not be read as [`Definitions`]. [`lint`](crate::lint::lint) reports all problems.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DefinitionsError {
    /// The faulty part of the text.
    pub span: Span,
    /// Line and column of the start of `span`.
    pub position: Position,
    /// The problem.
    pub problem: DefinitionsProblem,
}

/// The problem of a [`DefinitionsError`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum DefinitionsProblem {
    /// A syntax error.
    Syntax(SyntaxProblem),
    /// The statement that begins with these words does not create a keyspace, a type or a table.
    NotADefinition(String),
    /// The name of this table or type has no keyspace.
    MissingKeyspace(String),
    /// This object is defined twice.
    Duplicate(String),
    /// This rule refuses the statement.
    Refused(&'static Rule),
    /// The statement does not define a valid table, or it is not known whether Keyspaces accepts a part of it.
    Table(TableProblem),
}

impl Definitions {
    /// No definitions.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a keyspace.
    #[must_use]
    pub fn keyspace(mut self, keyspace: KeyspaceDefinition) -> Self {
        self.keyspaces.push(keyspace);
        self
    }

    /// Adds a user-defined type.
    #[must_use]
    pub fn user_type(mut self, user_type: TypeDefinition) -> Self {
        self.types.push(user_type);
        self
    }

    /// Adds a table.
    #[must_use]
    pub fn table(mut self, table: TableDefinition) -> Self {
        self.tables.push(table);
        self
    }

    /// Reads CREATE KEYSPACE, CREATE TYPE and CREATE TABLE statements, in any order. `IF NOT EXISTS` has no effect.
    ///
    /// ```
    /// use keyspaces_cql::Definitions;
    ///
    /// let error = Definitions::parse("CREATE KEYSPACE shop WITH replication = {'class': 'SingleRegionStrategy'};\n\
    ///                                 CREATE TABLE shop.names (id int PRIMARY KEY);\n\
    ///                                 CREATE TABLE shop.prices (id int PRIMARY KEY, price);");
    /// assert_eq!(error.unwrap_err().to_string(), "line 3, column 52: expected a type, found ')'");
    /// ```
    ///
    /// # Errors
    ///
    /// A statement is not valid CQL, is not one of these, is refused by Keyspaces, is not known to be accepted, or defines an
    /// object for the second time. The first such statement is reported.
    pub fn parse(text: &str) -> Result<Self, DefinitionsError> {
        let mut read = Self::default();
        let mut names = HashSet::new();
        for statement in parse_script(text) {
            let statement = statement.map_err(|error| DefinitionsError {
                span: error.span,
                position: error.position,
                problem: DefinitionsProblem::Syntax(error.problem),
            })?;
            let at = |span: Span, problem| {
                let span = if span == Span::default() { statement.span() } else { span };
                DefinitionsError { span, position: span.position(text), problem }
            };
            let (refusals, unknown) = judge_all(&statement, &Context::new());
            if let Statement::Unsupported(_) = &statement
                && let Some(refusal) = refusals.first()
            {
                return Err(at(refusal.span, DefinitionsProblem::Refused(refusal.rule)));
            }
            let (name, span) = match &statement {
                Statement::CreateKeyspace(it) => (format!("the keyspace {}", it.keyspace.text), it.keyspace.span),
                Statement::CreateType(it) => (format!("the type {}", it.name.canonical()), it.name.span()),
                Statement::CreateTable(it) => (format!("the table {}", it.table.canonical()), it.table.span()),
                other => {
                    let words = if other.effect() == Effect::Definition { 2 } else { 1 };
                    let text = &text[other.span().range()];
                    let words: Vec<_> = text.split_whitespace().take(words).map(str::to_ascii_uppercase).collect();
                    return Err(at(other.span(), DefinitionsProblem::NotADefinition(words.join(" "))));
                }
            };
            if let Some(refusal) = refusals.first() {
                return Err(at(refusal.span, DefinitionsProblem::Refused(refusal.rule)));
            }
            if let Some(unknown) = unknown.into_iter().next() {
                return Err(at(unknown.span, DefinitionsProblem::Table(TableProblem::Unknown(unknown.feature))));
            }
            match &statement {
                Statement::CreateType(it) if it.name.keyspace.is_none() => {
                    return Err(at(span, DefinitionsProblem::MissingKeyspace(it.name.to_string())));
                }
                Statement::CreateTable(it) if it.table.keyspace.is_none() => {
                    return Err(at(span, DefinitionsProblem::MissingKeyspace(it.table.to_string())));
                }
                Statement::CreateKeyspace(it) => {
                    let definition = it.definition().map_err(|error| {
                        let error = crate::TableError::from(error);
                        at(error.span, DefinitionsProblem::Table(error.problem))
                    })?;
                    read.keyspaces.push(definition);
                }
                Statement::CreateType(it) => read.types.push(it.definition()),
                Statement::CreateTable(it) => {
                    let definition = it.definition();
                    read.tables
                        .push(definition.map_err(|error| at(error.span, DefinitionsProblem::Table(error.problem)))?);
                }
                _ => {}
            }
            if !names.insert(name.clone()) {
                return Err(at(span, DefinitionsProblem::Duplicate(name)));
            }
        }
        Ok(read)
    }

    /// The first object that is defined twice: `the table shop.names`.
    #[must_use]
    pub fn duplicate(&self) -> Option<String> {
        let mut names = HashSet::new();
        let keyspaces = self.keyspaces.iter().map(|it| format!("the keyspace {}", it.name));
        let types = self.types.iter().map(|it| format!("the type {}", it.name));
        let tables = self.tables.iter().map(|it| format!("the table {}", it.table));
        keyspaces.chain(types).chain(tables).find(|name| !names.insert(name.clone()))
    }

    /// The part that a plain Cassandra can execute; see [`Statement::portable`]. Replication is not changed.
    #[must_use]
    pub fn portable(&self) -> Self {
        let mut part = self.clone();
        part.keyspaces.iter_mut().for_each(|keyspace| keyspace.tags.clear());
        for table in &mut part.tables {
            let options = std::mem::take(&mut table.options);
            table.options.default_time_to_live = options.default_time_to_live;
            table.options.comment = options.comment;
            table.options.ignored = options.ignored;
        }
        part
    }

    /// The difference between these current definitions and the desired definitions `to`.
    ///
    /// The steps create keyspaces before types, types before the types and tables that use them, and change tables before they
    /// create tables. For each table, reversible changes come first. Objects that are not in `to` are listed as unchanged and
    /// never dropped. `home_region` is the Region of single-Region keyspaces. The TTL of a table in several Regions cannot be
    /// changed (`DG:multiRegion-replication_usage-notes`). See [`TableDefinition::difference`] for options that `to` does not
    /// set.
    ///
    /// [`TableDefinition::difference`]: crate::TableDefinition::difference
    #[must_use]
    pub fn difference(&self, to: &Self, home_region: &str) -> Difference {
        super::difference(self, to, home_region)
    }
}

impl fmt::Display for DefinitionsError {
    /// `line 3, column 52: expected a type, found ')'`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.position, self.problem)
    }
}

impl fmt::Display for DefinitionsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(problem) => problem.fmt(f),
            Self::NotADefinition(words) => {
                write!(f, "expected CREATE KEYSPACE, CREATE TYPE or CREATE TABLE, found {words}")
            }
            Self::MissingKeyspace(name) => write!(f, "{name} has no keyspace: write keyspace.{name}"),
            Self::Duplicate(object) => write!(f, "{object} is defined twice"),
            Self::Refused(rule) => rule.fmt(f),
            Self::Table(problem) => problem.fmt(f),
        }
    }
}

impl Error for DefinitionsError {}
