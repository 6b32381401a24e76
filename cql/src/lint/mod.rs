//! Reports all problems of a text of CQL or a table, each with its reason and an alternative.
//!
//! The findings are statements that Keyspaces refuses, invalid definitions of tables, and designs that work at first but
//! against which AWS advises ([`advice`]). The linter also helps to move a schema from Cassandra: it reports the parts that
//! Keyspaces ignores or lacks.
//!
//! ```
//! use keyspaces_cql::lint::{Severity, lint};
//!
//! let findings = lint("CREATE TABLE shop.sales (day date, at timestamp, price, PRIMARY KEY (day, at));");
//! let summary: Vec<_> = findings.iter().map(|it| (it.position.column, it.severity, it.id)).collect();
//! assert_eq!(summary, [(55, Severity::Error, "syntax"), (57, Severity::Warning, "hot-partition")]);
//! ```

pub mod advice;
mod features;
pub(crate) mod schema;
mod select;

use std::collections::{HashMap, HashSet};
use std::fmt;

use advice::Advice;
use features::Features;

use crate::allowed::is_ignored_keyspace_option;
use crate::judge::judge_all;
use crate::parser::{ScriptStatement, read_script};
use crate::table::TableProblem;
use crate::{Context, KnownTables, Position, Refusal, Span, Statement, SyntaxError, TableDefinition, Unknown};

/// One problem and its place in the text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// The stable name of the broken rule or advice: that of a [`Rule`](crate::Rule) or an [`Advice`], `syntax`, `unknown`,
    /// or the error of a CREATE TABLE, such as `no-primary-key`.
    pub id: &'static str,
    /// Whether the statement is refused.
    pub severity: Severity,
    /// The part of the text that the finding is about.
    pub span: Span,
    /// Line and column of the start of `span`.
    pub position: Position,
    /// The problem, in one sentence without a full stop.
    pub reason: String,
    /// The alternative, in whole sentences; `None` if the reason implies it.
    pub alternative: Option<&'static str>,
    /// The source: a page of the Developer Guide as `DG:page`, or another source; `None` for CQL itself.
    pub source: Option<&'static str>,
}

/// The severity of a [`Finding`].
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Severity {
    /// The statement is refused.
    Error,
    /// The statement is accepted but has an unwanted effect, or it is not known whether it is accepted.
    Warning,
}

impl fmt::Display for Severity {
    /// `error` or `warning`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

impl fmt::Display for Finding {
    /// `error[index]: Amazon Keyspaces refuses secondary indexes. Write … (DG:cassandra-apis)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]: {}", self.severity, self.id, self.reason)?;
        if let Some(alternative) = self.alternative {
            write!(f, ". {alternative}")?;
        }
        self.source.map_or(Ok(()), |source| write!(f, " ({source})"))
    }
}

/// All problems of the statements of a text, in the order of the text. An empty text has none.
///
/// A syntax error hides no other problem: parsing continues at the next column or option of a definition, otherwise at the
/// next statement. Takes time linear in the length of the text, except for sorting the findings.
#[must_use]
pub fn lint(text: &str) -> Vec<Finding> {
    let mut linter = Linter::default();
    let statements = read_script(text);
    statements.iter().for_each(|statement| linter.check(statement));
    linter.findings(text)
}

/// All problems of a table. The spans refer to the statement that creates it, `table.to_string()`.
#[must_use]
pub fn lint_table(table: &TableDefinition) -> Vec<Finding> {
    lint(&table.to_string())
}

#[derive(Default)]
struct Linter {
    found: Vec<Finding>,
    /// The keyspace that the last USE set.
    keyspace: Option<String>,
    /// The features of the tables created so far, by keyspace and name.
    tables: HashMap<(Option<String>, String), Features>,
    known: KnownTables,
    in_several_regions: HashSet<String>,
}

impl Linter {
    fn check(&mut self, parsed: &ScriptStatement) {
        parsed.recovered.iter().chain(parsed.statement.as_ref().err()).for_each(|error| self.syntax(error));
        let Ok(statement) = &parsed.statement else { return };
        self.judge(statement);
        features::track_features(self, statement);
        match statement {
            Statement::CreateKeyspace(create) => {
                schema::replication(self, &create.options);
                schema::ignored_options(self, &create.options, is_ignored_keyspace_option);
            }
            Statement::CreateTable(create) => schema::create_table(self, create, parsed.recovered.is_empty()),
            Statement::AlterTable(alter) => schema::alter_table(self, alter),
            Statement::Select(select) => select::select(self, select),
            Statement::Use(it) => self.keyspace = Some(it.keyspace.text.clone()),
            _ => {}
        }
    }

    fn judge(&mut self, statement: &Statement) {
        let keyspace = self.keyspace.clone();
        let context = keyspace.as_deref().map_or_else(Context::new, |keyspace| Context::new().in_keyspace(keyspace));
        let (refusals, unknown) = judge_all(statement, &context.with_tables(&self.known));
        refusals.iter().for_each(|refusal| self.refusal(refusal));
        unknown.into_iter().for_each(|unknown| self.unknown(unknown));
    }

    fn syntax(&mut self, error: &SyntaxError) {
        self.report("syntax", Severity::Error, error.span, error.problem.to_string(), None, None);
    }

    fn refusal(&mut self, Refusal { rule, span }: &Refusal) {
        let reason = format!("Amazon Keyspaces refuses {}", rule.refuses);
        self.report(rule.id, Severity::Error, *span, reason, Some(rule.advice), Some(rule.source));
    }

    fn unknown(&mut self, unknown: Unknown) {
        let alternative = "Remove it, or try it in a test keyspace first.";
        self.report("unknown", Severity::Warning, unknown.span, unknown.to_string(), Some(alternative), None);
    }

    /// Adds a finding for the advice. `subject` replaces `{}` in the reason.
    fn advise(&mut self, advice: &Advice, span: Span, subject: &str) {
        let reason = advice.reason.replace("{}", subject);
        self.report(advice.id, Severity::Warning, span, reason, Some(advice.alternative), Some(advice.source));
    }

    fn table_problem(&mut self, span: Span, problem: &TableProblem) {
        if let Some((id, alternative)) = schema::problem(problem) {
            self.report(id, Severity::Error, span, problem.to_string(), alternative, None);
        }
    }

    fn report(
        &mut self,
        id: &'static str,
        severity: Severity,
        span: Span,
        reason: String,
        alternative: Option<&'static str>,
        source: Option<&'static str>,
    ) {
        let position = Position::default();
        self.found.push(Finding { id, severity, span, position, reason, alternative, source });
    }

    /// The findings in the order of the text, each once, with its position.
    fn findings(self, text: &str) -> Vec<Finding> {
        let mut findings = self.found;
        findings.sort_by(|one, other| (one.span, one.severity, one.id).cmp(&(other.span, other.severity, other.id)));
        findings.dedup_by(|one, other| (one.id, one.span) == (other.id, other.span) && one.reason == other.reason);
        // An "unknown" finding is dropped if there is advice for the same place, which says more.
        let advised: HashSet<_> =
            findings.iter().filter(|finding| finding.id != "unknown").map(|finding| finding.span).collect();
        findings.retain(|finding| finding.id != "unknown" || !advised.contains(&finding.span));
        let (mut at, mut position) = (0, Position::default());
        for finding in &mut findings {
            position = position.after(text.get(at..finding.span.start).unwrap_or_default());
            at = finding.span.start;
            finding.position = position;
        }
        findings
    }
}

#[cfg(test)]
mod tests;
