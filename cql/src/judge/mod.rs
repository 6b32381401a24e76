//! Whether Keyspaces takes a statement.

mod batch;
mod definition;
mod select;
mod system;
mod term;
mod write;

use std::fmt;

use crate::effect::Effect;
use crate::rules::{self, Rule};
use crate::statement::{Modification, OtherKind};
use crate::{KnownTable, KnownTables, QualifiedName, Span, Statement};

/// What is known of whether Keyspaces takes a statement.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Judgement {
    /// All of it is on the lists of what Keyspaces has.
    Allowed,
    /// A rule says that Keyspaces refuses it.
    Refused(Refusal),
    /// No rule refuses it, and some of it is on no list.
    Unknown(Unknown),
}

/// Which rule refuses a statement.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// The rule.
    pub rule: &'static Rule,
    /// What in the text it refuses.
    pub span: Span,
}

/// What in a statement is on no list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unknown {
    /// Where it stands.
    pub span: Span,
    /// What it is, in words that fit after "it is not known whether Amazon Keyspaces has".
    pub what: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rule.fmt(f)
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it is not known whether Amazon Keyspaces has {}", self.what)
    }
}

/// What is known beside the text. Everything is optional: the more is known, the more can be told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Context<'c> {
    keyspace: Option<&'c str>,
    prepared: bool,
    tables: Option<&'c KnownTables>,
}

impl<'c> Context<'c> {
    /// Nothing is known beside the text.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The keyspace for names without one, as USE sets it.
    #[must_use]
    pub fn in_keyspace(self, keyspace: &'c str) -> Self {
        Self { keyspace: Some(keyspace), ..self }
    }

    /// The statement is to be prepared.
    #[must_use]
    pub fn prepared(self) -> Self {
        Self { prepared: true, ..self }
    }

    /// Tables that the statement may name. What is told of these is told by their columns, not by the text alone.
    #[must_use]
    pub fn with_tables(self, tables: &'c KnownTables) -> Self {
        Self { tables: Some(tables), ..self }
    }
}

/// What is known of whether Keyspaces takes the statement, from its text alone.
///
/// Where several rules refuse it, the one for what comes first is told.
#[must_use]
pub fn judge(statement: &Statement) -> Judgement {
    judge_in(statement, &Context::new())
}

/// What is known of whether Keyspaces lets the statement be prepared.
#[must_use]
pub fn judge_prepare(statement: &Statement) -> Judgement {
    judge_in(statement, &Context::new().prepared())
}

/// What is known of whether Keyspaces takes the statement, from its text and what is known beside it.
#[must_use]
pub fn judge_in(statement: &Statement, context: &Context<'_>) -> Judgement {
    let (refusals, unknown) = judge_all(statement, context);
    match (refusals.into_iter().next(), unknown.into_iter().next()) {
        (Some(refusal), _) => Judgement::Refused(refusal),
        (None, Some(unknown)) => Judgement::Unknown(unknown),
        (None, None) => Judgement::Allowed,
    }
}

/// All that rules refuse in the statement, and all in it that is on no list; what is found twice is there twice.
pub(crate) fn judge_all(statement: &Statement, context: &Context<'_>) -> (Vec<Refusal>, Vec<Unknown>) {
    let mut judge =
        Judge { context: *context, table: None, in_selection: false, refusals: Vec::new(), unknown: Vec::new() };
    judge.statement(statement);
    (judge.refusals, judge.unknown)
}

/// The system keyspaces, Cassandra's own that Keyspaces does not show among them.
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

/// Keeps what it finds, in the order in which it looks.
struct Judge<'c> {
    context: Context<'c>,
    /// The table that the statement reads or writes, if it is known.
    table: Option<&'c KnownTable>,
    /// Whether what a SELECT reads is judged, where more is allowed than in a value.
    in_selection: bool,
    refusals: Vec<Refusal>,
    unknown: Vec<Unknown>,
}

impl Judge<'_> {
    fn refuse(&mut self, rule: &'static Rule, span: Span) {
        self.refusals.push(Refusal { rule, span });
    }

    fn unknown(&mut self, span: Span, what: impl Into<String>) {
        self.unknown.push(Unknown { span, what: what.into() });
    }

    fn statement(&mut self, statement: &Statement) {
        let definition = statement.effect() == Effect::Definition;
        if definition && self.context.prepared {
            self.refuse(&rules::DEFINITION_PREPARED, statement.span());
        }
        match statement {
            Statement::Select(select) => select::select(self, select),
            Statement::Insert(insert) => write::insert(self, insert),
            Statement::Update(update) => write::update(self, update),
            Statement::Delete(delete) => write::delete(self, delete),
            Statement::Batch(batch) => batch::batch(self, batch),
            Statement::CreateKeyspace(create) => definition::create_keyspace(self, create),
            Statement::AlterKeyspace(alter) => definition::alter_keyspace(self, alter),
            Statement::DropKeyspace(drop) => definition::changed_keyspace(self, &drop.keyspace),
            Statement::CreateTable(create) => definition::create_table(self, create),
            Statement::AlterTable(alter) => definition::alter_table(self, alter),
            Statement::DropTable(drop) => self.changed(&drop.table),
            Statement::RestoreTable(restore) => definition::restore_table(self, restore),
            Statement::CreateType(create) => definition::create_type(self, create),
            Statement::DropType(drop) => self.changed(&drop.name),
            Statement::Use(it) if self.context.prepared => self.unknown(it.span, "USE as a prepared statement"),
            Statement::Use(_) => {}
            Statement::Other(other) => match rule_for(other.kind) {
                Some(rule) => self.refuse(rule, other.span),
                None => self.unknown(other.span, format!("the statement {}", other.kind.name())),
            },
        }
    }

    fn modification(&mut self, modification: &Modification) {
        match modification {
            Modification::Insert(insert) => write::insert(self, insert),
            Modification::Update(update) => write::update(self, update),
            Modification::Delete(delete) => write::delete(self, delete),
        }
    }

    /// Looks up the table that the statement is about.
    fn about(&mut self, table: &QualifiedName) {
        self.table = self.context.tables.and_then(|tables| tables.find(table, self.context.keyspace));
    }

    /// A table or type that the statement changes.
    fn changed(&mut self, name: &QualifiedName) {
        let keyspace = name.keyspace.as_ref().map(|keyspace| keyspace.text.as_str()).or(self.context.keyspace);
        if keyspace.is_some_and(is_system_keyspace) {
            self.refuse(&rules::SYSTEM_KEYSPACE, name.span());
        }
    }
}

/// `DESCRIBE` is no statement of Cassandra 3.11: no page says what Keyspaces makes of it.
pub(crate) fn rule_for(kind: OtherKind) -> Option<&'static Rule> {
    match kind {
        OtherKind::Truncate => Some(&rules::TRUNCATE),
        OtherKind::CreateIndex | OtherKind::CreateCustomIndex | OtherKind::DropIndex => Some(&rules::INDEX),
        OtherKind::AlterType => Some(&rules::ALTER_TYPE),
        OtherKind::CreateTrigger | OtherKind::DropTrigger => Some(&rules::TRIGGER),
        OtherKind::CreateFunction | OtherKind::CreateOrReplaceFunction | OtherKind::DropFunction => {
            Some(&rules::USER_DEFINED_FUNCTION)
        }
        OtherKind::CreateAggregate | OtherKind::CreateOrReplaceAggregate | OtherKind::DropAggregate => {
            Some(&rules::USER_DEFINED_AGGREGATE)
        }
        OtherKind::CreateMaterializedView | OtherKind::AlterMaterializedView | OtherKind::DropMaterializedView => {
            Some(&rules::MATERIALIZED_VIEW)
        }
        OtherKind::CreateRole
        | OtherKind::AlterRole
        | OtherKind::DropRole
        | OtherKind::CreateUser
        | OtherKind::AlterUser
        | OtherKind::DropUser
        | OtherKind::Grant
        | OtherKind::Revoke
        | OtherKind::List => Some(&rules::ACCESS_CONTROL),
        OtherKind::AddIdentity | OtherKind::DropIdentity | OtherKind::Describe | OtherKind::Desc => None,
    }
}
