//! The effect of a statement, and the names in it.

use crate::statement::{
    AlterKeyspace, AssignmentOperation, Batch, BatchKind, CreateKeyspace, DropKeyspace, Modification, Term, TermKind,
    Update, Use,
};
use crate::{Name, QualifiedName, Statement};

/// The effect of a statement.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Effect {
    /// Reads rows.
    Read,
    /// Writes unconditionally.
    Write,
    /// Writes if a condition holds, and returns whether it did.
    ConditionalWrite,
    /// Adds to a counter, or may do so: see [`Statement::effect`].
    Increment,
    /// Creates, changes, drops or restores a keyspace, a table or a type.
    Definition,
    /// Sets the keyspace for names without one.
    Use,
    /// A statement that Keyspaces lacks.
    Unsupported,
}

pub(crate) fn effect(statement: &Statement) -> Effect {
    match statement {
        Statement::Select(_) => Effect::Read,
        Statement::Insert(insert) if insert.if_not_exists.is_some() => Effect::ConditionalWrite,
        Statement::Insert(_) => Effect::Write,
        Statement::Update(update) => update_effect(update),
        Statement::Delete(delete) if delete.condition.is_some() => Effect::ConditionalWrite,
        Statement::Delete(_) => Effect::Write,
        Statement::Batch(batch) => batch_effect(batch),
        Statement::CreateKeyspace(_)
        | Statement::AlterKeyspace(_)
        | Statement::DropKeyspace(_)
        | Statement::CreateTable(_)
        | Statement::AlterTable(_)
        | Statement::DropTable(_)
        | Statement::RestoreTable(_)
        | Statement::CreateType(_)
        | Statement::DropType(_) => Effect::Definition,
        Statement::Use(_) => Effect::Use,
        Statement::Unsupported(_) => Effect::Unsupported,
    }
}

pub(crate) fn is_conditional(statement: &Statement) -> bool {
    match statement {
        Statement::Insert(insert) => insert.if_not_exists.is_some(),
        Statement::Update(update) => update.condition.is_some(),
        Statement::Delete(delete) => delete.condition.is_some(),
        Statement::Batch(batch) => batch.statements.iter().any(Modification::is_conditional),
        _ => false,
    }
}

pub(crate) fn tables(statement: &Statement) -> Vec<&QualifiedName> {
    match statement {
        Statement::Select(select) => vec![&select.table],
        Statement::Insert(insert) => vec![&insert.table],
        Statement::Update(update) => vec![&update.table],
        Statement::Delete(delete) => vec![&delete.table],
        Statement::Batch(batch) => batch.statements.iter().map(Modification::table).collect(),
        Statement::CreateTable(create) => vec![&create.table],
        Statement::AlterTable(alter) => vec![&alter.table],
        Statement::DropTable(drop) => vec![&drop.table],
        Statement::RestoreTable(restore) => vec![&restore.table, &restore.source],
        Statement::Unsupported(unsupported) => unsupported.tables.iter().collect(),
        Statement::CreateKeyspace(_)
        | Statement::AlterKeyspace(_)
        | Statement::DropKeyspace(_)
        | Statement::CreateType(_)
        | Statement::DropType(_)
        | Statement::Use(_) => Vec::new(),
    }
}

pub(crate) fn named_keyspace(statement: &Statement) -> Option<&Name> {
    match statement {
        Statement::CreateKeyspace(CreateKeyspace { keyspace, .. })
        | Statement::AlterKeyspace(AlterKeyspace { keyspace, .. })
        | Statement::DropKeyspace(DropKeyspace { keyspace, .. })
        | Statement::Use(Use { keyspace, .. }) => Some(keyspace),
        _ => None,
    }
}

/// The column that an UPDATE adds to or subtracts from: `SET c = c + value`.
#[derive(Clone, Copy, Debug)]
pub struct Addition<'t> {
    /// The column.
    pub column: &'t Name,
    /// The value that is added or subtracted.
    pub value: &'t Term,
    /// The kind of the column.
    pub target: AdditionTarget,
    /// Whether the value is added; otherwise it is subtracted.
    pub adds: bool,
}

/// The kind of the column of an [`Addition`], as far as the text shows it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum AdditionTarget {
    /// A counter: the value is a number.
    Counter,
    /// A list: the value is `[…]`.
    List,
    /// A set or a map: the value is `{…}`.
    SetOrMap,
    /// A counter or a collection: the value is a bind marker or something else whose type the text does not show.
    Unclear,
}

pub(crate) fn additions(update: &Update) -> impl Iterator<Item = Addition<'_>> {
    let adds = |operation| matches!(operation, AssignmentOperation::Add | AssignmentOperation::Subtract);
    update.assignments.iter().filter(move |assignment| adds(assignment.operation)).map(|assignment| Addition {
        column: assignment.target.column(),
        value: &assignment.value,
        target: addition_target(&assignment.value),
        adds: assignment.operation == AssignmentOperation::Add,
    })
}

fn addition_target(value: &Term) -> AdditionTarget {
    match &value.kind {
        TermKind::List(_) => AdditionTarget::List,
        TermKind::Set(_) | TermKind::Map(_) => AdditionTarget::SetOrMap,
        TermKind::Constant(_) | TermKind::Negative(_) | TermKind::Arithmetic(_) => AdditionTarget::Counter,
        _ => AdditionTarget::Unclear,
    }
}

fn update_effect(update: &Update) -> Effect {
    if update.condition.is_some() {
        Effect::ConditionalWrite
    } else if update
        .additions()
        .any(|addition| matches!(addition.target, AdditionTarget::Counter | AdditionTarget::Unclear))
    {
        Effect::Increment
    } else {
        Effect::Write
    }
}

fn batch_effect(batch: &Batch) -> Effect {
    let increments = |modification: &Modification| match modification {
        Modification::Update(update) => update_effect(update) == Effect::Increment,
        Modification::Insert(_) | Modification::Delete(_) => false,
    };
    if batch.statements.iter().any(Modification::is_conditional) {
        Effect::ConditionalWrite
    } else if batch.kind == BatchKind::Counter || batch.statements.iter().any(increments) {
        Effect::Increment
    } else {
        Effect::Write
    }
}
