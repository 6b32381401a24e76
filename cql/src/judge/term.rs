//! Values, functions, types and relations.

use super::Judge;
use crate::allowed;
use crate::rules;
use crate::statement::{
    Access, Call, Comparand, ConstantKind, CqlType, CqlTypeKind, NativeType, Operator, Relation, Subject, Target, Term,
    TermKind,
};
use crate::tree::{Tree, TreePart};
use crate::{KnownColumn, Name};

/// Judges every value, function and type in a part of the tree.
pub(super) fn check_parts(judge: &mut Judge<'_>, tree: &impl Tree) {
    tree.walk(&mut |part| match part {
        TreePart::Term(term) => check_term(judge, term),
        TreePart::Type(cql_type) => check_type(judge, cql_type),
        TreePart::Relation(relation) => check_inequality(judge, relation),
    });
}

fn check_term(judge: &mut Judge<'_>, term: &Term) {
    match &term.kind {
        TermKind::Call(call) => check_call(judge, call, term),
        TermKind::Arithmetic(_) | TermKind::Negative(_) => judge.unknown(term.span, "arithmetic"),
        TermKind::Access(access) if matches!(**access, Access::Element { .. }) => {
            judge.unknown(term.span, "an element of a column in a SELECT");
        }
        TermKind::Cast(_) if !judge.in_selection => judge.unknown(term.span, "CAST outside what a SELECT reads"),
        TermKind::Constant(constant) if constant.kind == ConstantKind::Duration => {
            judge.unknown(term.span, "durations");
        }
        _ => {}
    }
}

fn check_call(judge: &mut Judge<'_>, call: &Call, term: &Term) {
    let name = call.function.name.text.as_str();
    if let Some(keyspace) = &call.function.keyspace {
        if keyspace.text == "system" {
            judge.unknown(term.span, format!("the function {}", call.function));
        } else {
            judge.refuse(&rules::USER_DEFINED_FUNCTION, term.span);
        }
    } else if name == "count" && is_row_count(&call.arguments) {
        judge.refuse(&rules::COUNT_ROWS, term.span);
    } else if AGGREGATES.contains(&name) {
        judge.refuse(&rules::AGGREGATE, term.span);
    } else if allowed::function(&call.function).is_none() {
        judge.unknown(term.span, format!("the function {name}"));
    } else if TIME_FUNCTIONS.contains(&name) && call.arguments.iter().any(|argument| is_bigint_term(judge, argument)) {
        judge.unknown(term.span, format!("the function {name} of a bigint"));
    }
}

/// Whether a value is known to be a `bigint`.
fn is_bigint_term(judge: &Judge<'_>, term: &Term) -> bool {
    match &term.kind {
        TermKind::Name(column) => known_column(judge, column).is_some_and(|known| is_bigint(&known.column_type)),
        TermKind::Call(call) => BIGINT_FUNCTIONS.contains(&call.function.name.text.as_str()),
        TermKind::Cast(cast) => is_bigint(&cast.to),
        TermKind::TypeHint(hint) => is_bigint(&hint.hint),
        _ => false,
    }
}

fn check_type(judge: &mut Judge<'_>, cql_type: &CqlType) {
    match &cql_type.kind {
        CqlTypeKind::Native(native) if !allowed::native_type(*native) => {
            judge.unknown(cql_type.span, format!("the type {}", native.name()));
        }
        CqlTypeKind::Vector(..) => judge.unknown(cql_type.span, "the type vector"),
        CqlTypeKind::Custom(_) => judge.unknown(cql_type.span, "types named by a Java class"),
        _ => {}
    }
}

/// Keyspaces has no inequality on a whole collection, user-defined type or tuple (`DG:functional-differences`). This is
/// judged by the type of the column if it is known, otherwise by the value if it is a literal.
fn check_inequality(judge: &mut Judge<'_>, relation: &Relation) {
    let Subject::Single(Target::Column(column)) = &relation.subject else { return };
    let inequality = relation.operator.is_range() || relation.operator == Operator::NotEqual;
    let has_parts = match (known_column(judge, column), &relation.comparand) {
        (Some(known), _) => known.has_parts(),
        (None, Comparand::Term(Term { kind, .. })) => {
            use TermKind::{List, Map, Set, Tuple, UserType};
            matches!(kind, List(_) | Set(_) | Map(_) | UserType(_) | Tuple(_))
        }
        (None, _) => false,
    };
    if inequality && has_parts {
        judge.refuse(&rules::COLLECTION_INEQUALITY, relation.span);
    }
}

/// The column of the statement's table, if the table is known.
pub(super) fn known_column<'c>(judge: &Judge<'c>, column: &Name) -> Option<&'c KnownColumn> {
    judge.table?.column(&column.text)
}

/// Judges the relations of a WHERE by the rules that are the same for all statements.
pub(super) fn check_where(judge: &mut Judge<'_>, relations: &[Relation]) {
    for relation in relations {
        match &relation.subject {
            Subject::Single(Target::Column(_)) => {}
            Subject::Single(_) => judge.unknown(relation.span, "a field or an element of a column in a WHERE"),
            Subject::Tuple(_) => judge.unknown(relation.span, "a relation of several columns"),
            Subject::Token(_) => {}
        }
        if !allowed::operator(relation.operator) {
            judge.unknown(relation.operator_span, format!("the operator {}", relation.operator));
        }
    }
}

/// `count(1)` is another way to write `count(*)`.
fn is_row_count(arguments: &[Term]) -> bool {
    match arguments {
        [Term { kind: TermKind::Star, .. }] => true,
        [Term { kind: TermKind::Constant(constant), .. }] => constant.kind == ConstantKind::Integer,
        _ => false,
    }
}

/// Functions of dates and times. Cassandra 4.1 added functions of the same names for a `bigint` (CASSANDRA-17029).
const TIME_FUNCTIONS: &[&str] = &["maxtimeuuid", "mintimeuuid", "todate", "totimestamp"];

const BIGINT_FUNCTIONS: &[&str] = &["blobasbigint", "tounixtimestamp", "unixtimestampof", "writetime"];

fn is_bigint(cql_type: &CqlType) -> bool {
    cql_type.kind == CqlTypeKind::Native(NativeType::Bigint)
}

const AGGREGATES: &[&str] = &["avg", "count", "max", "min", "sum"];
