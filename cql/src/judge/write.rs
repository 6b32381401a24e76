//! INSERT, UPDATE and DELETE.

use super::term::{check_parts, check_where, known_column};
use std::collections::HashSet;

use super::Judge;
use crate::effect::{Addition, AdditionTarget};
use crate::rules;
use crate::statement::{
    AssignmentOperation, Condition, ConstantKind, CqlTypeKind, Delete, Insert, InsertContent, NativeType, Operator,
    Relation, Subject, Target, Term, TermKind, Update, Using,
};
use crate::value::{Value, max_digits, serialize};
use crate::{KnownTable, Name, Span, allowed};

pub(super) fn check_insert(judge: &mut Judge<'_>, insert: &Insert) {
    judge.set_table(&insert.table);
    judge.check_changed(&insert.table);
    check_parts(judge, insert);
    check_using(judge, insert.using.as_ref());
    if let InsertContent::Values { columns, values } = &insert.content {
        columns.iter().zip(values).for_each(|(column, value)| check_digits(judge, column, value));
        let span = joined_span(columns);
        let ttl = has_ttl(judge, insert.using.as_ref());
        match judge.table {
            Some(_) => {
                let in_key = |column: &&Name| known_column(judge, column).is_some_and(|known| known.kind.is_key());
                let regular = columns.iter().filter(|column| !in_key(column)).count();
                check_columns(judge, regular, ttl, span);
            }
            None if columns.len() > max_columns(ttl) + 1 => {
                let max = max_columns(ttl);
                let feature = format!(
                    "room for these columns: at most {max} may be outside the primary key, which the text does not show"
                );
                judge.unknown(span, feature);
            }
            None => {}
        }
    }
}

pub(super) fn check_update(judge: &mut Judge<'_>, update: &Update) {
    judge.set_table(&update.table);
    if !sets_partitioner(update) {
        judge.check_changed(&update.table);
    }
    check_parts(judge, update);
    check_using(judge, update.using.as_ref());
    for assignment in &update.assignments {
        if let Target::Column(column) = &assignment.target {
            check_digits(judge, column, &assignment.value);
        }
        let literal = matches!(assignment.value.kind, TermKind::List(_) | TermKind::Marker(_));
        if assignment.shorthand {
            judge.unknown(assignment.span, "the operators += and -=");
        } else if assignment.operation == AssignmentOperation::Prepend && !literal {
            judge.unknown(assignment.span, "a value before the + that is not a list");
        }
    }
    let counter = update.additions().find(|addition| adds_to_counter(judge, addition));
    let ttl = update.using.as_ref().and_then(Using::ttl);
    if let (Some(_), Some(ttl)) = (counter, ttl) {
        judge.refuse(&rules::TTL_ON_COUNTER, ttl.span);
    }
    let columns: HashSet<&str> =
        update.assignments.iter().map(|assignment| assignment.target.column().text.as_str()).collect();
    let spans = update.assignments.iter().map(|assignment| assignment.span);
    let expires = has_ttl(judge, update.using.as_ref());
    check_columns(judge, columns.len(), expires, spans.reduce(Span::to).unwrap_or_default());
    check_write_where(judge, &update.relations);
    check_condition(judge, update.condition.as_ref());
}

pub(super) fn check_delete(judge: &mut Judge<'_>, delete: &Delete) {
    judge.set_table(&delete.table);
    judge.check_changed(&delete.table);
    check_parts(judge, delete);
    check_using(judge, delete.using.as_ref());
    if let Some(ttl) = delete.using.as_ref().and_then(Using::ttl) {
        judge.refuse(&rules::TTL_ON_DELETE, ttl.span);
    }
    check_write_where(judge, &delete.relations);
    check_condition(judge, delete.condition.as_ref());
}

pub(super) fn check_using(judge: &mut Judge<'_>, using: Option<&Using>) {
    if let Some(ttl) = using.and_then(Using::ttl) {
        check_ttl(judge, ttl);
    }
}

/// Judges a TTL in seconds, if the text gives it as a literal.
pub(super) fn check_ttl(judge: &mut Judge<'_>, seconds: &Term) {
    if let TermKind::Constant(constant) = &seconds.kind
        && constant.kind == ConstantKind::Integer
        && !constant.text.starts_with('-')
        && constant.text.parse().unwrap_or(u64::MAX) > rules::MAX_TTL_SECONDS
    {
        judge.refuse(&rules::TTL_TOO_LONG, seconds.span);
    }
}

/// Judges the number of digits of the numbers in a value, as far as they are literals.
fn check_digits(judge: &mut Judge<'_>, column: &Name, term: &Term) {
    let Some((table, known)) = judge.table.and_then(|table| Some((table, table.column(&column.text)?))) else {
        return;
    };
    let (cql_type, user_types) = (&known.column_type.kind, table.user_types());
    let value = serialize(term, cql_type, user_types, &|_, _| Value::null(), "");
    if value.bytes.is_some_and(|bytes| max_digits(cql_type, &bytes, user_types) > rules::MAX_DIGITS) {
        judge.refuse(&rules::TOO_MANY_DIGITS, term.span);
    }
}

/// Whether the addition changes a counter, by the type of the column if it is known.
pub(super) fn adds_to_counter(judge: &Judge<'_>, addition: &Addition<'_>) -> bool {
    let counter = CqlTypeKind::Native(NativeType::Counter);
    match known_column(judge, addition.column) {
        Some(known) => known.column_type.kind == counter,
        None => addition.target == AdditionTarget::Counter,
    }
}

/// Whether the written values expire: by the statement's own TTL or by the table's default.
fn has_ttl(judge: &Judge<'_>, using: Option<&Using>) -> bool {
    using.and_then(Using::ttl).is_some() || judge.table.is_some_and(KnownTable::expires)
}

fn check_columns(judge: &mut Judge<'_>, regular: usize, ttl: bool, span: Span) {
    if regular > rules::MAX_COLUMNS {
        judge.refuse(&rules::TOO_MANY_COLUMNS, span);
    } else if regular > max_columns(ttl) {
        judge.refuse(&rules::TOO_MANY_COLUMNS_WITH_TTL, span);
    }
}

fn check_write_where(judge: &mut Judge<'_>, relations: &[Relation]) {
    check_where(judge, relations);
    for relation in relations {
        if relation.operator == Operator::In {
            judge.refuse(&rules::IN_WRITE, relation.span);
        }
        if matches!(relation.subject, Subject::Token(_)) {
            judge.unknown(relation.span, "TOKEN in the WHERE of an UPDATE or a DELETE");
        }
    }
}

/// `condition ::= simple_selection operator term` (`DG:cql.dml.update`). IN is one of the operators there, but
/// elsewhere the guide excludes it from UPDATE and DELETE, so it is unknown.
fn check_condition(judge: &mut Judge<'_>, condition: Option<&Condition>) {
    let Some(Condition::Holds(relations)) = condition else { return };
    for relation in relations {
        if !matches!(relation.subject, Subject::Single(_)) {
            judge.unknown(relation.span, "a condition on several columns");
        }
        if !allowed::condition_operator(relation.operator) {
            judge.unknown(relation.operator_span, format!("the operator {} in a condition", relation.operator));
        }
    }
}

fn max_columns(ttl: bool) -> usize {
    if ttl { rules::MAX_COLUMNS_WITH_TTL } else { rules::MAX_COLUMNS }
}

fn joined_span(names: &[Name]) -> Span {
    names.iter().map(|name| name.span).reduce(Span::to).unwrap_or_default()
}

/// Whether the statement is `UPDATE system.local SET partitioner = '…' WHERE key = 'local'`, the only change that a system
/// table accepts.
fn sets_partitioner(update: &Update) -> bool {
    let table = &update.table;
    let local = table.keyspace.as_ref().is_none_or(|keyspace| keyspace.text == "system") && table.name.text == "local";
    let set = match update.assignments.as_slice() {
        [assignment] => {
            let column = matches!(&assignment.target, Target::Column(column) if column.text == "partitioner");
            let value = string(&assignment.value).is_some_and(|class| allowed::PARTITIONERS.contains(&class));
            column && value && assignment.operation == AssignmentOperation::Set
        }
        _ => false,
    };
    let key = match update.relations.as_slice() {
        [relation] => {
            relation.equality().is_some_and(|(column, value)| column.text == "key" && string(value) == Some("local"))
        }
        _ => false,
    };
    local && set && key && update.using.is_none() && update.condition.is_none()
}

pub(super) fn string(term: &Term) -> Option<&str> {
    match &term.kind {
        TermKind::Constant(constant) if constant.kind == ConstantKind::String => Some(&constant.text),
        _ => None,
    }
}
