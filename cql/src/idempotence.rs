//! Whether a statement may be sent twice.

use std::fmt;

use crate::effect::AdditionTo;
use crate::statement::{
    AssignmentOperation, BatchKind, Condition, ConstantKind, Delete, Insert, InsertContent, Modification, Target, Term,
    TermKind, Update,
};
use crate::tree::{Tree, TreePart};
use crate::{Span, Statement, allowed};

/// Whether a statement may be sent again when it is not known whether it was carried out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Idempotence {
    /// Carried out twice, it leaves what it leaves once.
    Idempotent,
    /// It does not, or it cannot be told from the text: why, and what in the text makes it so.
    NotIdempotent(NotIdempotent, Span),
}

/// Why a statement is not idempotent.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum NotIdempotent {
    /// It has a condition: the second time it finds what the first has done, and answers that it was not applied.
    Condition,
    /// It adds to a counter.
    Counter,
    /// It adds a bind marker, to which a counter's or a list's value may be bound.
    CounterOrList,
    /// It appends to a list or prepends to it.
    ListAppend,
    /// It sets or deletes an element by what may be its index in a list, which can have changed in between.
    ListIndex,
    /// It calls a function whose value is another each time.
    NonDeterministicFunction,
    /// It calls a function that is not on the list of those whose value is the same each time.
    UnknownFunction,
    /// It has the string `'now'`, which Cassandra takes for the current time where a time or a timeuuid is meant.
    Now,
    /// It binds JSON, in which `"now"` may stand, the current time to Cassandra.
    BoundJson,
    /// It creates, changes, drops or restores something: the second time fails, or changes it again.
    Definition,
    /// Only its first words are known.
    UnknownStatement,
}

impl fmt::Display for NotIdempotent {
    /// Fits after "not idempotent: ".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Condition => "it has a condition",
            Self::Counter => "it adds to a counter",
            Self::CounterOrList => "it adds a bind marker, to a counter or a list perhaps",
            Self::ListAppend => "it appends to a list or prepends to it",
            Self::ListIndex => "it names an element by what may be its index in a list",
            Self::NonDeterministicFunction => "it calls a function whose value is another each time",
            Self::UnknownFunction => "it calls a function that is not known to give the same value each time",
            Self::Now => "it has the string 'now', which may mean the current time",
            Self::BoundJson => "it binds JSON, in which \"now\" may mean the current time",
            Self::Definition => "it defines something",
            Self::UnknownStatement => "only its first words are known",
        })
    }
}

impl Idempotence {
    /// Whether it may be sent again.
    #[must_use]
    pub fn is_idempotent(self) -> bool {
        self == Self::Idempotent
    }
}

pub(crate) fn idempotence(statement: &Statement) -> Idempotence {
    let why_not = match statement {
        Statement::Select(_) | Statement::Use(_) => None,
        Statement::Insert(insert) => insert_reason(insert),
        Statement::Update(update) => update_reason(update),
        Statement::Delete(delete) => delete_reason(delete),
        Statement::Batch(batch) if batch.kind == BatchKind::Counter => Some((NotIdempotent::Counter, batch.span)),
        Statement::Batch(batch) => batch.statements.iter().find_map(|member| match member {
            Modification::Insert(insert) => insert_reason(insert),
            Modification::Update(update) => update_reason(update),
            Modification::Delete(delete) => delete_reason(delete),
        }),
        Statement::Other(other) => Some((NotIdempotent::UnknownStatement, other.span)),
        Statement::CreateKeyspace(_)
        | Statement::AlterKeyspace(_)
        | Statement::DropKeyspace(_)
        | Statement::CreateTable(_)
        | Statement::AlterTable(_)
        | Statement::DropTable(_)
        | Statement::RestoreTable(_)
        | Statement::CreateType(_)
        | Statement::DropType(_) => Some((NotIdempotent::Definition, statement.span())),
    };
    why_not.map_or(Idempotence::Idempotent, |(reason, span)| Idempotence::NotIdempotent(reason, span))
}

type Reason = Option<(NotIdempotent, Span)>;

fn insert_reason(insert: &Insert) -> Reason {
    let bound_json = || match &insert.content {
        InsertContent::Json { json, .. } => is_marker(json).then_some((NotIdempotent::BoundJson, json.span)),
        InsertContent::Values { .. } => None,
    };
    let condition = insert.if_not_exists.map(|span| (NotIdempotent::Condition, span));
    condition.or_else(bound_json).or_else(|| value_reason(insert))
}

fn update_reason(update: &Update) -> Reason {
    condition_reason(update.condition.as_ref())
        .or_else(|| {
            let prepends = |operation| operation == AssignmentOperation::Prepend;
            let prepend = update.assignments.iter().find(|assignment| prepends(assignment.operation));
            prepend.map(|assignment| (NotIdempotent::ListAppend, assignment.span))
        })
        .or_else(|| update.additions().find_map(|addition| addition_reason(addition.to, addition.value, addition.adds)))
        .or_else(|| update.assignments.iter().find_map(|assignment| element_reason(&assignment.target)))
        .or_else(|| value_reason(update))
}

fn delete_reason(delete: &Delete) -> Reason {
    condition_reason(delete.condition.as_ref())
        .or_else(|| delete.targets.iter().find_map(element_reason))
        .or_else(|| value_reason(delete))
}

fn condition_reason(condition: Option<&Condition>) -> Reason {
    condition.map(|condition| match condition {
        Condition::Exists(span) => (NotIdempotent::Condition, *span),
        Condition::Holds(relations) => {
            let spans = relations.iter().map(|relation| relation.span);
            (NotIdempotent::Condition, spans.reduce(Span::to).unwrap_or_default())
        }
    })
}

/// To take values away from a list takes away all that are equal, which leaves nothing to take away the second time.
fn addition_reason(to: AdditionTo, value: &Term, adds: bool) -> Reason {
    match to {
        AdditionTo::Counter => Some((NotIdempotent::Counter, value.span)),
        AdditionTo::Unclear => Some((NotIdempotent::CounterOrList, value.span)),
        AdditionTo::List if adds => Some((NotIdempotent::ListAppend, value.span)),
        AdditionTo::List | AdditionTo::SetOrMap => None,
    }
}

/// An index is an integer, so a key that is another constant is the key of a map.
fn element_reason(target: &Target) -> Reason {
    let Target::Element { key, .. } = target else { return None };
    let map_key = match &key.kind {
        TermKind::Constant(constant) => constant.kind != ConstantKind::Integer,
        TermKind::Tuple(_) | TermKind::List(_) | TermKind::Set(_) | TermKind::Map(_) | TermKind::UserType(_) => true,
        _ => false,
    };
    (!map_key).then_some((NotIdempotent::ListIndex, key.span))
}

/// The first value in it that may be another the next time.
fn value_reason(tree: &impl Tree) -> Reason {
    let mut found = None;
    tree.walk(&mut |part| {
        if let TreePart::Term(term) = part
            && found.is_none()
        {
            found = term_reason(term).map(|reason| (reason, term.span));
        }
    });
    found
}

fn term_reason(term: &Term) -> Option<NotIdempotent> {
    match &term.kind {
        TermKind::Call(call) => match allowed::function(&call.function) {
            Some(_) if call.function.name.text == "fromjson" && call.arguments.iter().any(is_marker) => {
                Some(NotIdempotent::BoundJson)
            }
            Some(function) if function.deterministic => None,
            Some(_) => Some(NotIdempotent::NonDeterministicFunction),
            None => Some(NotIdempotent::UnknownFunction),
        },
        TermKind::Constant(constant) => {
            (constant.kind == ConstantKind::String && may_mean_now(&constant.text)).then_some(NotIdempotent::Now)
        }
        _ => None,
    }
}

fn is_marker(term: &Term) -> bool {
    matches!(term.kind, TermKind::Marker(_))
}

/// Cassandra reads `'now'`, in JSON too, as the current time; whether Keyspaces does is unverified. JSON may write any
/// character as `\u…`, and a collection as a string with JSON in it, whose quotes then have backslashes.
fn may_mean_now(text: &str) -> bool {
    text.eq_ignore_ascii_case("now") || {
        let unescaped = text.replace('\\', "").to_ascii_lowercase();
        unescaped.contains("\"now\"") || text.contains("\\u")
    }
}
