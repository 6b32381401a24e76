//! Whether a statement may be executed twice.

use std::fmt;

use crate::effect::AdditionTarget;
use crate::statement::{
    AssignmentOperation, BatchKind, Condition, ConstantKind, Delete, Insert, InsertContent, Modification, Target, Term,
    TermKind, Update,
};
use crate::tree::{Tree, TreePart};
use crate::{Span, Statement, allowed};

/// Whether a statement may be sent again if it is not known whether it was executed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Idempotence {
    /// A second execution changes nothing.
    Idempotent,
    /// A second execution may change something: the reason, and its place in the text.
    NotIdempotent(NotIdempotent, Span),
}

/// Why a statement is not idempotent.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum NotIdempotent {
    /// The statement has a condition: a second execution sees the result of the first, and answers that it was not applied.
    Condition,
    /// The statement adds to a counter.
    Counter,
    /// The statement adds the value of a bind marker to a column that may be a counter or a list.
    CounterOrList,
    /// The statement appends to a list or prepends to it.
    ListAppend,
    /// The statement sets or deletes an element by an integer. If this is a list index, another element may have it at the
    /// second execution.
    ListIndex,
    /// The statement calls a function whose value differs from call to call.
    NonDeterministicFunction,
    /// The statement calls a function that is not on the list of deterministic functions.
    UnknownFunction,
    /// The statement has the string `'now'`, which Cassandra reads as the current time for a time or a timeuuid.
    Now,
    /// The statement binds JSON, which may contain `"now"`, the current time to Cassandra.
    BoundJson,
    /// The statement creates, changes, drops or restores something: a second execution fails, or changes it again.
    Definition,
    /// Only the first words of the statement are known.
    UnknownStatement,
}

impl fmt::Display for NotIdempotent {
    /// Writes the reason in words that fit after "not idempotent: ".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Condition => "it has a condition",
            Self::Counter => "it adds to a counter",
            Self::CounterOrList => "it adds a bind marker, perhaps to a counter or a list",
            Self::ListAppend => "it appends to a list or prepends to it",
            Self::ListIndex => "it names an element by an integer, which may be a list index",
            Self::NonDeterministicFunction => "it calls a function that is not deterministic",
            Self::UnknownFunction => "it calls a function that is not known to be deterministic",
            Self::Now => "it has the string 'now', which may mean the current time",
            Self::BoundJson => "it binds JSON, in which \"now\" may mean the current time",
            Self::Definition => "it is a definition",
            Self::UnknownStatement => "only its first words are recognised",
        })
    }
}

impl Idempotence {
    /// Whether the statement may be sent again.
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
        Statement::Unsupported(unsupported) => Some((NotIdempotent::UnknownStatement, unsupported.span)),
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
        .or_else(|| {
            update.additions().find_map(|addition| addition_reason(addition.target, addition.value, addition.adds))
        })
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

/// The reason why `c = c ± value` is not idempotent. A removal from a list removes all equal values, so a second one has no
/// effect.
fn addition_reason(target: AdditionTarget, value: &Term, adds: bool) -> Reason {
    match target {
        AdditionTarget::Counter => Some((NotIdempotent::Counter, value.span)),
        AdditionTarget::Unclear => Some((NotIdempotent::CounterOrList, value.span)),
        AdditionTarget::List if adds => Some((NotIdempotent::ListAppend, value.span)),
        AdditionTarget::List | AdditionTarget::SetOrMap => None,
    }
}

/// A list index is an integer, so a key that is another constant is the key of a map.
fn element_reason(target: &Target) -> Reason {
    let Target::Element { key, .. } = target else { return None };
    let map_key = match &key.kind {
        TermKind::Constant(constant) => constant.kind != ConstantKind::Integer,
        TermKind::Tuple(_) | TermKind::List(_) | TermKind::Set(_) | TermKind::Map(_) | TermKind::UserType(_) => true,
        _ => false,
    };
    (!map_key).then_some((NotIdempotent::ListIndex, key.span))
}

/// The first value in the tree that may differ at a second execution.
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

/// Whether a text may mean the current time. Cassandra reads `'now'` that way, also in JSON; whether Keyspaces does is
/// unverified. In JSON, any character may be written as `\u…`, and a collection may be a string that contains JSON, whose
/// quotes have backslashes.
fn may_mean_now(text: &str) -> bool {
    text.eq_ignore_ascii_case("now") || {
        let unescaped = text.replace('\\', "").to_ascii_lowercase();
        unescaped.contains("\"now\"") || text.contains("\\u")
    }
}
