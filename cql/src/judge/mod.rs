//! Judges whether Keyspaces accepts a statement.

mod batch;
mod definition;
mod select;
mod system;
mod term;
mod write;

use std::fmt;

use crate::effect::Effect;
use crate::rules::{self, Rule};
use crate::statement::{Modification, UnsupportedKind};
use crate::{KnownTable, KnownTables, QualifiedName, Span, Statement};

/// Whether Keyspaces accepts a statement, as far as is known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Judgement {
    /// Every part of the statement is on the lists of features that Keyspaces has.
    Allowed,
    /// A rule says that Keyspaces refuses the statement.
    Refused(Refusal),
    /// No rule refuses the statement, but a part of it is on no list.
    Unknown(Unknown),
}

/// The rule that refuses a statement, and the refused part.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// The rule.
    pub rule: &'static Rule,
    /// The part of the text that the rule refuses.
    pub span: Span,
}

/// A part of a statement that is on no list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unknown {
    /// The place of the part in the text.
    pub span: Span,
    /// The name of the part, in words that fit after "it is not known whether Amazon Keyspaces has".
    pub feature: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rule.fmt(f)
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it is not known whether Amazon Keyspaces has {}", self.feature)
    }
}

/// Facts from outside the text. All are optional; each lets more of a statement be judged.
#[derive(Clone, Copy, Debug, Default)]
pub struct Context<'c> {
    keyspace: Option<&'c str>,
    prepared: bool,
    tables: Option<&'c KnownTables>,
}

impl<'c> Context<'c> {
    /// A context without any facts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the keyspace for names without one, as USE does.
    #[must_use]
    pub fn in_keyspace(self, keyspace: &'c str) -> Self {
        Self { keyspace: Some(keyspace), ..self }
    }

    /// Judges a PREPARE of the statement instead of its execution.
    #[must_use]
    pub fn prepared(self) -> Self {
        Self { prepared: true, ..self }
    }

    /// Sets the tables that the statement may name. The statement is then judged by the columns of its table too, not by
    /// the text alone.
    #[must_use]
    pub fn with_tables(self, tables: &'c KnownTables) -> Self {
        Self { tables: Some(tables), ..self }
    }
}

/// Judges whether Keyspaces accepts the statement, from its text alone.
///
/// If several rules refuse the statement, returns the refusal that comes first in the text.
#[must_use]
pub fn judge(statement: &Statement) -> Judgement {
    judge_in(statement, &Context::new())
}

/// Judges whether Keyspaces accepts a PREPARE of the statement.
#[must_use]
pub fn judge_prepare(statement: &Statement) -> Judgement {
    judge_in(statement, &Context::new().prepared())
}

/// Judges whether Keyspaces accepts the statement, from its text and the facts in `context`.
#[must_use]
pub fn judge_in(statement: &Statement, context: &Context<'_>) -> Judgement {
    let (refusals, unknown) = judge_all(statement, context);
    match (refusals.into_iter().next(), unknown.into_iter().next()) {
        (Some(refusal), _) => Judgement::Refused(refusal),
        (None, Some(unknown)) => Judgement::Unknown(unknown),
        (None, None) => Judgement::Allowed,
    }
}

/// All refusals of the statement, and all parts of it that are on no list. A part that is found twice is listed twice.
pub(crate) fn judge_all(statement: &Statement, context: &Context<'_>) -> (Vec<Refusal>, Vec<Unknown>) {
    let mut judge =
        Judge { context: *context, table: None, in_selection: false, refusals: Vec::new(), unknown: Vec::new() };
    judge.check_statement(statement);
    (judge.refusals, judge.unknown)
}

/// Whether the keyspace is a system keyspace, including those of Cassandra that Keyspaces does not show.
#[must_use]
pub fn is_system_keyspace(keyspace: &str) -> bool {
    SYSTEM_KEYSPACES.contains(&keyspace)
}

const SYSTEM_KEYSPACES: &[&str] = &[
    "system",
    "system_auth",
    "system_distributed",
    "system_multiregion_info",
    "system_schema",
    "system_schema_mcs",
    "system_traces",
    "system_views",
    "system_virtual_schema",
];

/// Collects refusals and unknown parts, in the order in which they are found.
struct Judge<'c> {
    context: Context<'c>,
    /// The table that the statement reads or writes, if its columns are known.
    table: Option<&'c KnownTable>,
    /// Whether the judged term is a selector of a SELECT, where more is allowed than in a value.
    in_selection: bool,
    refusals: Vec<Refusal>,
    unknown: Vec<Unknown>,
}

impl Judge<'_> {
    fn refuse(&mut self, rule: &'static Rule, span: Span) {
        self.refusals.push(Refusal { rule, span });
    }

    fn unknown(&mut self, span: Span, feature: impl Into<String>) {
        self.unknown.push(Unknown { span, feature: feature.into() });
    }

    fn check_statement(&mut self, statement: &Statement) {
        let definition = statement.effect() == Effect::Definition;
        if definition && self.context.prepared {
            self.refuse(&rules::DEFINITION_PREPARED, statement.span());
        }
        match statement {
            Statement::Select(select) => select::check_select(self, select),
            Statement::Insert(insert) => write::check_insert(self, insert),
            Statement::Update(update) => write::check_update(self, update),
            Statement::Delete(delete) => write::check_delete(self, delete),
            Statement::Batch(batch) => batch::check_batch(self, batch),
            Statement::CreateKeyspace(create) => definition::check_create_keyspace(self, create),
            Statement::AlterKeyspace(alter) => definition::check_alter_keyspace(self, alter),
            Statement::DropKeyspace(drop) => definition::check_changed_keyspace(self, &drop.keyspace),
            Statement::CreateTable(create) => definition::check_create_table(self, create),
            Statement::AlterTable(alter) => definition::check_alter_table(self, alter),
            Statement::DropTable(drop) => self.check_changed(&drop.table),
            Statement::RestoreTable(restore) => definition::check_restore_table(self, restore),
            Statement::CreateType(create) => definition::check_create_type(self, create),
            Statement::DropType(drop) => self.check_changed(&drop.name),
            Statement::Use(it) if self.context.prepared => self.unknown(it.span, "USE as a prepared statement"),
            Statement::Use(_) => {}
            Statement::Unsupported(unsupported) => match rule_for(unsupported.kind) {
                Some(rule) => self.refuse(rule, unsupported.span),
                None => self.unknown(unsupported.span, format!("the statement {}", unsupported.kind.name())),
            },
        }
    }

    fn check_modification(&mut self, modification: &Modification) {
        match modification {
            Modification::Insert(insert) => write::check_insert(self, insert),
            Modification::Update(update) => write::check_update(self, update),
            Modification::Delete(delete) => write::check_delete(self, delete),
        }
    }

    /// Looks up the table that the statement reads or writes.
    fn set_table(&mut self, table: &QualifiedName) {
        self.table = self.context.tables.and_then(|tables| tables.find(table, self.context.keyspace));
    }

    /// Refuses a change of a table or type in a system keyspace.
    fn check_changed(&mut self, name: &QualifiedName) {
        let keyspace = name.keyspace.as_ref().map(|keyspace| keyspace.text.as_str()).or(self.context.keyspace);
        if keyspace.is_some_and(is_system_keyspace) {
            self.refuse(&rules::SYSTEM_KEYSPACE, name.span());
        }
    }
}

/// The rule that refuses statements of this kind. `DESCRIBE` has no rule: it is not a statement of Cassandra 3.11, and no
/// page says whether Keyspaces accepts it.
pub(crate) fn rule_for(kind: UnsupportedKind) -> Option<&'static Rule> {
    match kind {
        UnsupportedKind::Truncate => Some(&rules::TRUNCATE),
        UnsupportedKind::CreateIndex | UnsupportedKind::CreateCustomIndex | UnsupportedKind::DropIndex => {
            Some(&rules::INDEX)
        }
        UnsupportedKind::AlterType => Some(&rules::ALTER_TYPE),
        UnsupportedKind::CreateTrigger | UnsupportedKind::DropTrigger => Some(&rules::TRIGGER),
        UnsupportedKind::CreateFunction | UnsupportedKind::CreateOrReplaceFunction | UnsupportedKind::DropFunction => {
            Some(&rules::USER_DEFINED_FUNCTION)
        }
        UnsupportedKind::CreateAggregate
        | UnsupportedKind::CreateOrReplaceAggregate
        | UnsupportedKind::DropAggregate => Some(&rules::USER_DEFINED_AGGREGATE),
        UnsupportedKind::CreateMaterializedView
        | UnsupportedKind::AlterMaterializedView
        | UnsupportedKind::DropMaterializedView => Some(&rules::MATERIALIZED_VIEW),
        UnsupportedKind::CreateRole
        | UnsupportedKind::AlterRole
        | UnsupportedKind::DropRole
        | UnsupportedKind::CreateUser
        | UnsupportedKind::AlterUser
        | UnsupportedKind::DropUser
        | UnsupportedKind::Grant
        | UnsupportedKind::Revoke
        | UnsupportedKind::List => Some(&rules::ACCESS_CONTROL),
        UnsupportedKind::AddIdentity
        | UnsupportedKind::DropIdentity
        | UnsupportedKind::Describe
        | UnsupportedKind::Desc => None,
    }
}
