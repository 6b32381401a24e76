//! Converts a Cassandra or ScyllaDB schema to Keyspaces.
//!
//! ```
//! use keyspaces_cql::convert::convert;
//!
//! let schema = "CREATE KEYSPACE shop WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1};
//!               CREATE TABLE shop.sales (id uuid PRIMARY KEY, price decimal) WITH gc_grace_seconds = 3600;
//!               CREATE INDEX ON shop.sales (price);";
//! let conversion = convert(schema);
//! assert_eq!(
//!     conversion.to_string(),
//!     "CREATE KEYSPACE shop WITH replication = {'class': 'SingleRegionStrategy'};\n\
//!      CREATE TABLE shop.sales (id uuid PRIMARY KEY, price decimal);\n"
//! );
//! let actions: Vec<_> = conversion.findings.iter().map(|finding| (finding.position.line, finding.action)).collect();
//! # use keyspaces_cql::convert::Action::{Decide, LeftOut, Replaced};
//! assert_eq!(actions, [(1, Replaced), (2, LeftOut), (3, Decide)]);
//! ```

mod keyspace;
mod second_table;
mod table;
mod types;
mod unsupported;

use std::collections::HashMap;
use std::fmt;

use crate::judge::judge_all;
use crate::parser::{ScriptStatement, read_cassandra_script, read_script};
use crate::reserved::is_reserved_only_in_keyspaces;
use crate::rules::Rule;
use crate::table::TableProblem;
use crate::{Context, Definitions, Effect, Position, QualifiedName, Span, Statement, SyntaxProblem, lint};

/// A converted schema, and the changes that were made to it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conversion {
    /// The statements for Keyspaces, in the order of the text.
    pub statements: Vec<Statement>,
    /// The changes, in the order of the text.
    pub findings: Vec<ConversionFinding>,
}

/// A change that a conversion makes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConversionFinding {
    /// The kind of the change.
    pub action: Action,
    /// The changed part of the text.
    pub span: Span,
    /// Line and column of the start of `span`.
    pub position: Position,
    /// The change, in one sentence without a full stop.
    pub summary: String,
    /// The reason and the remedy, in whole sentences.
    pub reason: String,
    /// A definition that replaces the part that was left out.
    pub replacement: Option<String>,
    /// The source: a page of the Developer Guide as `DG:page`, or another source; `None` for CQL itself.
    pub source: Option<&'static str>,
}

/// The kind of a change that a conversion makes.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Action {
    /// Removed, because Keyspaces lacks or ignores it and nothing depends on it.
    LeftOut,
    /// Replaced by something that Keyspaces has.
    Replaced,
    /// Added, because Keyspaces requires it.
    Added,
    /// Removed, and the application needs another solution.
    Decide,
}

impl fmt::Display for Action {
    /// `left out`, `replaced`, `added` or `to decide`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LeftOut => "left out",
            Self::Replaced => "replaced",
            Self::Added => "added",
            Self::Decide => "to decide",
        })
    }
}

impl fmt::Display for ConversionFinding {
    /// `left out: the index on shop.sales (price). … (DG:cassandra-apis)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}. {}", self.action, self.summary, self.reason)?;
        if let Some(replacement) = &self.replacement {
            write!(f, " {replacement};")?;
        }
        self.source.map_or(Ok(()), |source| write!(f, " ({source})"))
    }
}

impl fmt::Display for Conversion {
    /// Writes one statement on each line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.statements.iter().try_for_each(|statement| writeln!(f, "{statement};"))
    }
}

impl Conversion {
    /// The keyspaces, types and tables among the statements.
    #[must_use]
    pub fn definitions(&self) -> Definitions {
        let mut definitions = Definitions::new();
        for statement in &self.statements {
            match statement {
                Statement::CreateKeyspace(create) => definitions.keyspaces.extend(create.definition().ok()),
                Statement::CreateType(create) => definitions.types.push(create.definition()),
                Statement::CreateTable(create) => definitions.tables.extend(create.definition().ok()),
                _ => {}
            }
        }
        definitions
    }
}

/// Converts a Cassandra or ScyllaDB schema to Keyspaces.
///
/// ALTER statements are merged into the CREATE of the same text that they change. Names without a keyspace get the keyspace of
/// the last `USE`. Statements that read or write rows are kept if Keyspaces accepts them.
#[must_use]
pub fn convert(text: &str) -> Conversion {
    let mut converter = Converter::default();
    converter.reserved_words(text);
    read_cassandra_script(text).into_iter().for_each(|parsed| converter.script_statement(parsed));
    converter.finish(text)
}

/// The keyspace, if it is known, and the name of an object.
type Key = (Option<String>, String);

#[derive(Default)]
struct Converter {
    statements: Vec<Statement>,
    findings: Vec<ConversionFinding>,
    /// The keyspace of the last USE.
    keyspace: Option<String>,
    /// The index in `statements` of the CREATE of each table and type.
    tables: HashMap<Key, usize>,
    types: HashMap<Key, usize>,
    used: HashMap<Key, table::Used>,
}

impl Converter {
    /// Reports the names that only Keyspaces reserves. They are printed in quotes.
    fn reserved_words(&mut self, text: &str) {
        for error in
            read_script(text).iter().flat_map(|parsed| parsed.recovered.iter().chain(parsed.statement.as_ref().err()))
        {
            if let SyntaxProblem::Reserved { word, .. } = &error.problem
                && is_reserved_only_in_keyspaces(word)
            {
                let summary = format!("{word} is written in double quotes");
                self.report(Action::Replaced, error.span, summary, "The word is reserved in Keyspaces.", None);
            }
        }
    }

    fn script_statement(&mut self, parsed: ScriptStatement) {
        for error in parsed.recovered.iter().chain(parsed.statement.as_ref().err()) {
            let summary = format!("syntax error: {}", error.problem);
            self.report(Action::Decide, error.span, summary, "Correct it, and convert the schema again.", None);
        }
        // Without the part that cannot be parsed, it would be a different definition.
        if let (Ok(statement), true) = (parsed.statement, parsed.recovered.is_empty()) {
            self.statement(statement);
        }
    }

    fn statement(&mut self, statement: Statement) {
        match statement {
            Statement::CreateKeyspace(create) => keyspace::create_keyspace(self, create),
            Statement::CreateTable(create) => table::create_table(self, create),
            Statement::CreateType(create) => types::create_type(self, create),
            Statement::AlterTable(alter) => table::alter_table(self, alter),
            Statement::AlterKeyspace(alter) => self.report(
                Action::LeftOut,
                alter.span,
                format!("the change of the keyspace {}", alter.keyspace),
                "The service manages the copies. Add a Region with a separate ALTER KEYSPACE.",
                Some("DG:cql.ddl.keyspace"),
            ),
            Statement::DropKeyspace(_) | Statement::DropTable(_) | Statement::DropType(_) => {
                let words = statement.to_string();
                let reason = "A drop takes a while, and the name cannot be reused before it is complete.";
                self.report(Action::LeftOut, statement.span(), words, reason, Some("DG:functional-differences"));
            }
            Statement::Unsupported(statement) => unsupported::convert_unsupported(self, &statement),
            Statement::Use(it) => {
                self.keyspace = Some(it.keyspace.text.clone());
                self.statements.push(Statement::Use(it));
            }
            other => {
                table::record_use(self, &other);
                self.statements.push(other);
            }
        }
    }

    /// Removes the statements that Keyspaces refuses, and sorts the findings in the order of the text.
    fn finish(mut self, text: &str) -> Conversion {
        table::enable_used_features(&mut self);
        for statement in std::mem::take(&mut self.statements) {
            if self.is_accepted(&statement) {
                self.statements.push(statement);
            }
        }
        self.findings.sort_by_key(|finding| (finding.span.start, finding.action));
        let (mut at, mut position) = (0, Position::default());
        for finding in &mut self.findings {
            position = position.after(text.get(at..finding.span.start).unwrap_or_default());
            at = finding.span.start;
            finding.position = position;
        }
        Conversion { statements: self.statements, findings: self.findings }
    }

    /// Whether Keyspaces is known to accept a statement. If not, reports the problems.
    fn is_accepted(&mut self, statement: &Statement) -> bool {
        let mut problems = Vec::new();
        let at = |span: Span| if span == Span::default() { statement.span() } else { span };
        let (refusals, unknown) = judge_all(statement, &Context::new());
        for refusal in refusals {
            problems.push((
                at(refusal.span),
                refusal.rule.refuses.to_owned(),
                refusal.rule.advice,
                Some(refusal.rule.source),
            ));
        }
        for unknown in unknown {
            problems.push((
                at(unknown.span),
                unknown.to_string(),
                "Remove it, or try it in a test keyspace first.",
                None,
            ));
        }
        if let Statement::CreateTable(create) = statement {
            crate::table::create::examine(create, &mut |error| {
                if let Some((_, advice)) = lint::schema::problem(&error.problem) {
                    let advice = advice.unwrap_or("Correct it, and convert the schema again.");
                    problems.push((at(error.span), error.problem.to_string(), advice, None));
                } else if let TableProblem::Refused(rule) = error.problem {
                    problems.push((at(error.span), rule.refuses.to_owned(), rule.advice, Some(rule.source)));
                }
            });
        }
        problems.dedup();
        let is_accepted = problems.is_empty();
        let describe =
            if statement.effect() == Effect::Definition { describe(statement) } else { "this statement".to_owned() };
        for (span, problem, advice, source) in problems {
            self.report(Action::Decide, span, format!("{describe} is left out: {problem}"), advice, source);
        }
        is_accepted
    }

    fn report(
        &mut self,
        action: Action,
        span: Span,
        summary: impl Into<String>,
        reason: impl Into<String>,
        source: Option<&'static str>,
    ) {
        let (summary, reason, position) = (summary.into(), reason.into(), Position::default());
        self.findings.push(ConversionFinding { action, span, position, summary, reason, replacement: None, source });
    }

    fn report_rule(&mut self, action: Action, span: Span, summary: impl Into<String>, rule: &'static Rule) {
        self.report(action, span, summary, rule.advice, Some(rule.source));
    }

    fn key(&self, name: &QualifiedName) -> Key {
        let keyspace = name.keyspace.as_ref().map(|keyspace| keyspace.text.clone());
        (keyspace.or_else(|| self.keyspace.clone()), name.name.text.clone())
    }

    /// The name with its keyspace.
    fn qualified(&self, name: &QualifiedName) -> QualifiedName {
        let keyspace = name.keyspace.clone().or_else(|| self.keyspace.as_deref().map(crate::Name::new));
        QualifiedName { keyspace, name: name.name.clone() }
    }
}

/// `the table shop.sales`
fn describe(statement: &Statement) -> String {
    match statement {
        Statement::CreateKeyspace(create) => format!("the keyspace {}", create.keyspace),
        Statement::CreateTable(create) => format!("the table {}", create.table),
        Statement::CreateType(create) => format!("the type {}", create.name),
        Statement::AlterTable(alter) => format!("the change of the table {}", alter.table),
        _ => "this definition".to_owned(),
    }
}
