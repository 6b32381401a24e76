//! What a statement does, and what it names.

use crate::statement::{
    AlterKeyspace, AssignmentOperation, Batch, BatchKind, CreateKeyspace, DropKeyspace, Modification, Term, TermKind,
    Update, Use,
};
use crate::{Name, QualifiedName, Statement};

/// What a statement does.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Effect {
    /// Reads rows.
    Read,
    /// Writes, whatever was there before.
    Write,
    /// Writes if a condition holds, and answers whether it did.
    ConditionalWrite,
    /// Adds to a counter, or may do so: see [`Statement::effect`].
    Increment,
    /// Creates, changes, drops or restores a keyspace, a table or a type.
    Definition,
    /// Sets the keyspace for names without one.
    Use,
    /// Something that Keyspaces lacks.
    Other,
}

impl Statement {
    /// What it does.
    ///
    /// `SET n = n + ?` adds to a counter, a list, a set or a map: the text does not say which, the type of `n` does. It is
    /// an [`Effect::Increment`] here; who knows the type can ask [`Update::additions`] which columns it is about. With a
    /// number after the sign it is a counter, with `[…]` or `{…}` a collection, which makes it an [`Effect::Write`].
    #[must_use]
    pub fn effect(&self) -> Effect {
        match self {
            Self::Select(_) => Effect::Read,
            Self::Insert(insert) if insert.if_not_exists.is_some() => Effect::ConditionalWrite,
            Self::Insert(_) => Effect::Write,
            Self::Update(update) => update_effect(update),
            Self::Delete(delete) if delete.condition.is_some() => Effect::ConditionalWrite,
            Self::Delete(_) => Effect::Write,
            Self::Batch(batch) => batch_effect(batch),
            Self::CreateKeyspace(_)
            | Self::AlterKeyspace(_)
            | Self::DropKeyspace(_)
            | Self::CreateTable(_)
            | Self::AlterTable(_)
            | Self::DropTable(_)
            | Self::RestoreTable(_)
            | Self::CreateType(_)
            | Self::DropType(_) => Effect::Definition,
            Self::Use(_) => Effect::Use,
            Self::Other(_) => Effect::Other,
        }
    }

    /// Whether it writes only if a condition holds; a batch, if any of its statements does.
    #[must_use]
    pub fn is_conditional(&self) -> bool {
        match self {
            Self::Insert(insert) => insert.if_not_exists.is_some(),
            Self::Update(update) => update.condition.is_some(),
            Self::Delete(delete) => delete.condition.is_some(),
            Self::Batch(batch) => batch.statements.iter().any(Modification::is_conditional),
            _ => false,
        }
    }

    /// Every table that it names, in the order of the text, those in a batch included; one that is named twice comes twice.
    #[must_use]
    pub fn tables(&self) -> Vec<&QualifiedName> {
        match self {
            Self::Select(select) => vec![&select.table],
            Self::Insert(insert) => vec![&insert.table],
            Self::Update(update) => vec![&update.table],
            Self::Delete(delete) => vec![&delete.table],
            Self::Batch(batch) => batch.statements.iter().map(Modification::table).collect(),
            Self::CreateTable(create) => vec![&create.table],
            Self::AlterTable(alter) => vec![&alter.table],
            Self::DropTable(drop) => vec![&drop.table],
            Self::RestoreTable(restore) => vec![&restore.table, &restore.source],
            Self::Other(other) => other.tables.iter().collect(),
            Self::CreateKeyspace(_)
            | Self::AlterKeyspace(_)
            | Self::DropKeyspace(_)
            | Self::CreateType(_)
            | Self::DropType(_)
            | Self::Use(_) => Vec::new(),
        }
    }

    /// The keyspace that a CREATE, ALTER or DROP KEYSPACE or a USE is about.
    #[must_use]
    pub fn keyspace_named(&self) -> Option<&Name> {
        match self {
            Self::CreateKeyspace(CreateKeyspace { keyspace, .. })
            | Self::AlterKeyspace(AlterKeyspace { keyspace, .. })
            | Self::DropKeyspace(DropKeyspace { keyspace, .. })
            | Self::Use(Use { keyspace, .. }) => Some(keyspace),
            _ => None,
        }
    }
}

/// A column to which an UPDATE adds, or from which it takes away: `SET c = c + value`.
#[derive(Clone, Copy, Debug)]
pub struct Addition<'t> {
    /// The column.
    pub column: &'t Name,
    /// What is added or taken away.
    pub value: &'t Term,
    /// To what.
    pub to: AdditionTo,
    /// Whether it adds; otherwise it takes away.
    pub adds: bool,
}

/// To what an [`Addition`] adds, as far as the text tells.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum AdditionTo {
    /// A counter: the value is a number.
    Counter,
    /// A list: the value is `[…]`.
    List,
    /// A set or a map: the value is `{…}`.
    SetOrMap,
    /// A counter or a collection: the value is a bind marker or something else whose type the text does not say.
    Unclear,
}

impl Update {
    /// Its assignments that add or take away, [`AssignmentOperation::Prepend`] not among them: only lists have that.
    pub fn additions(&self) -> impl Iterator<Item = Addition<'_>> {
        let adds = |operation| matches!(operation, AssignmentOperation::Add | AssignmentOperation::Subtract);
        self.assignments.iter().filter(move |assignment| adds(assignment.operation)).map(|assignment| Addition {
            column: assignment.target.column(),
            value: &assignment.value,
            to: addition_to(&assignment.value),
            adds: assignment.operation == AssignmentOperation::Add,
        })
    }
}

fn addition_to(value: &Term) -> AdditionTo {
    match &value.kind {
        TermKind::List(_) => AdditionTo::List,
        TermKind::Set(_) | TermKind::Map(_) => AdditionTo::SetOrMap,
        TermKind::Constant(_) | TermKind::Negative(_) | TermKind::Arithmetic(_) => AdditionTo::Counter,
        _ => AdditionTo::Unclear,
    }
}

fn update_effect(update: &Update) -> Effect {
    if update.condition.is_some() {
        Effect::ConditionalWrite
    } else if update.additions().any(|addition| matches!(addition.to, AdditionTo::Counter | AdditionTo::Unclear)) {
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
