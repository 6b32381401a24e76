//! Facts about a statement: its functions, user-defined types, bind markers, USING clauses and conditions.

use crate::statement::{
    BindMarker, Comparand, Condition, CqlType, CqlTypeKind, Modification, Operator, Relation, Subject, Target, Term,
    TermKind, Using,
};
use crate::tree::{Tree, TreePart};
use crate::{Name, QualifiedName, Span, Statement};

/// A function that a statement calls.
#[derive(Clone, Copy, Debug)]
pub struct Function<'t> {
    /// The keyspace before the function's name; only user-defined functions need one.
    pub keyspace: Option<&'t Name>,
    /// The name of the function, in lower case unless it was quoted. `token` of a relation and `cast` are functions too.
    pub name: &'t str,
    /// The span from the function's name to the closing parenthesis.
    pub span: Span,
}

/// An IN relation of a WHERE or an IF.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InWidth {
    /// The number of values in the IN; `None` for `IN ?`, where the bound value decides.
    pub width: Option<usize>,
    /// The relation.
    pub span: Span,
}

pub(crate) fn functions(statement: &Statement) -> Vec<Function<'_>> {
    let mut functions = Vec::new();
    statement.walk(&mut |part| match part {
        TreePart::Term(Term { kind: TermKind::Call(call), span }) => functions.push(Function {
            keyspace: call.function.keyspace.as_ref(),
            name: &call.function.name.text,
            span: *span,
        }),
        TreePart::Term(Term { kind: TermKind::Cast(_), span }) => {
            functions.push(Function { keyspace: None, name: "cast", span: *span });
        }
        TreePart::Relation(Relation { subject: Subject::Token(_), span, .. }) => {
            functions.push(Function { keyspace: None, name: "token", span: *span });
        }
        _ => {}
    });
    functions
}

pub(crate) fn user_types(statement: &Statement) -> Vec<&QualifiedName> {
    let mut types = Vec::new();
    statement.walk(&mut |part| {
        if let TreePart::Type(CqlType { kind: CqlTypeKind::UserDefined(name), .. }) = part {
            types.push(name);
        }
    });
    types
}

pub(crate) fn bind_markers(statement: &Statement) -> Vec<&BindMarker> {
    let mut markers = Vec::new();
    statement.walk(&mut |part| {
        if let TreePart::Term(Term { kind: TermKind::Marker(marker), .. }) = part {
            markers.push(marker);
        }
    });
    markers
}

pub(crate) fn using(statement: &Statement) -> Option<&Using> {
    match statement {
        Statement::Insert(insert) => insert.using.as_ref(),
        Statement::Update(update) => update.using.as_ref(),
        Statement::Delete(delete) => delete.using.as_ref(),
        Statement::Batch(batch) => batch.using.as_ref(),
        _ => None,
    }
}

pub(crate) fn usings(statement: &Statement) -> Vec<&Using> {
    using(statement).into_iter().chain(modifications(statement).iter().filter_map(Modification::using)).collect()
}

pub(crate) fn conditions(statement: &Statement) -> Vec<&Relation> {
    let direct = match statement {
        Statement::Update(update) => update.condition.as_ref(),
        Statement::Delete(delete) => delete.condition.as_ref(),
        _ => None,
    };
    let in_batch = modifications(statement).iter().filter_map(|modification| match modification {
        Modification::Insert(_) => None,
        Modification::Update(update) => update.condition.as_ref(),
        Modification::Delete(delete) => delete.condition.as_ref(),
    });
    let all = direct.into_iter().chain(in_batch).map(|condition| match condition {
        Condition::Exists(_) => &[][..],
        Condition::Holds(relations) => relations,
    });
    all.flatten().collect()
}

/// The statements of a batch.
fn modifications(statement: &Statement) -> &[Modification] {
    if let Statement::Batch(batch) = statement { &batch.statements } else { &[] }
}

pub(crate) fn in_widths(statement: &Statement) -> Vec<InWidth> {
    let mut widths = Vec::new();
    statement.walk(&mut |part| {
        if let TreePart::Relation(Relation { operator: Operator::In, comparand, span, .. }) = part {
            let width = if let Comparand::Values(values) = comparand { Some(values.len()) } else { None };
            widths.push(InWidth { width, span: *span });
        }
    });
    widths
}

pub(crate) fn limit(statement: &Statement) -> Option<&Term> {
    match statement {
        Statement::Select(select) => select.limit.as_ref().map(|limit| &limit.rows),
        _ => None,
    }
}

pub(crate) fn columns(relation: &Relation) -> impl Iterator<Item = &Name> {
    let (one, several): (_, &[Name]) = match &relation.subject {
        Subject::Single(target) => (Some(target.column()), &[]),
        Subject::Tuple(columns) | Subject::Token(columns) => (None, columns),
    };
    one.into_iter().chain(several)
}

pub(crate) fn equality(relation: &Relation) -> Option<(&Name, &Term)> {
    match (&relation.subject, relation.operator, &relation.comparand) {
        (Subject::Single(Target::Column(column)), Operator::Equal, Comparand::Term(term)) => Some((column, term)),
        _ => None,
    }
}
