//! INSERT, UPDATE and DELETE.

use std::collections::HashSet;

use super::Judge;
use crate::effect::{Addition, AdditionTo};
use crate::rules;
use crate::statement::{
    AssignmentOperation, Condition, ConstantKind, CqlTypeKind, Delete, Insert, InsertContent, NativeType, Operator,
    Relation, Subject, Target, Term, TermKind, Update, Using,
};
use crate::value::{Value, most_digits, serialize};
use crate::{KnownTable, Name, Span, allowed};

impl Judge<'_> {
    pub(super) fn insert(&mut self, insert: &Insert) {
        self.about(&insert.table);
        self.changed(&insert.table);
        self.parts(insert);
        self.using(insert.using.as_ref());
        if let InsertContent::Values { columns, values } = &insert.content {
            columns.iter().zip(values).for_each(|(column, value)| self.digits(column, value));
            let span = span_of(columns);
            let ttl = self.expires(insert.using.as_ref());
            match self.table {
                Some(_) => {
                    let in_key = |column: &&Name| self.known(column).is_some_and(|known| known.kind.is_key());
                    let regular = columns.iter().filter(|column| !in_key(column)).count();
                    self.columns(regular, ttl, span);
                }
                None if columns.len() > most_columns(ttl) + 1 => {
                    let most = most_columns(ttl);
                    let what =
                        format!("room for so many columns: for {most} that are in no key, and some of these are");
                    self.unknown(span, what);
                }
                None => {}
            }
        }
    }

    pub(super) fn update(&mut self, update: &Update) {
        self.about(&update.table);
        if !sets_the_partitioner(update) {
            self.changed(&update.table);
        }
        self.parts(update);
        self.using(update.using.as_ref());
        for assignment in &update.assignments {
            if let Target::Column(column) = &assignment.target {
                self.digits(column, &assignment.value);
            }
            let literal = matches!(assignment.value.kind, TermKind::List(_) | TermKind::Marker(_));
            if assignment.shorthand {
                self.unknown(assignment.span, "the operators += and -=");
            } else if assignment.operation == AssignmentOperation::Prepend && !literal {
                self.unknown(assignment.span, "a value before the + that is no list");
            }
        }
        let counter = update.additions().find(|addition| self.counts(addition));
        let ttl = update.using.as_ref().and_then(Using::ttl);
        if let (Some(_), Some(ttl)) = (counter, ttl) {
            self.refuse(&rules::TTL_ON_COUNTER, ttl.span);
        }
        let columns: HashSet<&str> =
            update.assignments.iter().map(|assignment| assignment.target.column().text.as_str()).collect();
        let spans = update.assignments.iter().map(|assignment| assignment.span);
        let expires = self.expires(update.using.as_ref());
        self.columns(columns.len(), expires, spans.reduce(Span::to).unwrap_or_default());
        self.write_where(&update.relations);
        self.condition(update.condition.as_ref());
    }

    pub(super) fn delete(&mut self, delete: &Delete) {
        self.about(&delete.table);
        self.changed(&delete.table);
        self.parts(delete);
        self.using(delete.using.as_ref());
        if let Some(ttl) = delete.using.as_ref().and_then(Using::ttl) {
            self.refuse(&rules::TTL_ON_DELETE, ttl.span);
        }
        self.write_where(&delete.relations);
        self.condition(delete.condition.as_ref());
    }

    pub(super) fn using(&mut self, using: Option<&Using>) {
        if let Some(ttl) = using.and_then(Using::ttl) {
            self.ttl(ttl);
        }
    }

    /// A TTL in seconds, as far as the text has it.
    pub(super) fn ttl(&mut self, seconds: &Term) {
        if let TermKind::Constant(constant) = &seconds.kind
            && constant.kind == ConstantKind::Integer
            && !constant.text.starts_with('-')
            && constant.text.parse().unwrap_or(u64::MAX) > rules::MAX_TTL_SECONDS
        {
            self.refuse(&rules::TTL_TOO_LONG, seconds.span);
        }
    }

    /// The digits of the numbers in a value, as far as it stands in the text.
    fn digits(&mut self, column: &Name, term: &Term) {
        let Some((table, known)) = self.table.and_then(|table| Some((table, table.column(&column.text)?))) else {
            return;
        };
        let (of, user_types) = (&known.column_type.kind, table.user_types());
        let value = serialize(term, of, user_types, &|_, _| Value::null(), "");
        if value.bytes.is_some_and(|bytes| most_digits(of, &bytes, user_types) > rules::MAX_DIGITS) {
            self.refuse(&rules::TOO_MANY_DIGITS, term.span);
        }
    }

    /// Whether it adds to a counter, by the type of the column where that is known.
    pub(super) fn counts(&self, addition: &Addition<'_>) -> bool {
        let counter = CqlTypeKind::Native(NativeType::Counter);
        match self.known(addition.column) {
            Some(known) => known.column_type.kind == counter,
            None => addition.to == AdditionTo::Counter,
        }
    }

    /// Whether what is written has a time to live: of the statement's own, or by default.
    fn expires(&self, using: Option<&Using>) -> bool {
        using.and_then(Using::ttl).is_some() || self.table.is_some_and(KnownTable::expires)
    }

    fn columns(&mut self, regular: usize, ttl: bool, span: Span) {
        if regular > rules::MAX_COLUMNS {
            self.refuse(&rules::TOO_MANY_COLUMNS, span);
        } else if regular > most_columns(ttl) {
            self.refuse(&rules::TOO_MANY_COLUMNS_WITH_TTL, span);
        }
    }

    fn write_where(&mut self, relations: &[Relation]) {
        self.where_clause(relations);
        for relation in relations {
            if relation.operator == Operator::In {
                self.refuse(&rules::IN_WRITE, relation.span);
            }
            if matches!(relation.subject, Subject::Token(_)) {
                self.unknown(relation.span, "TOKEN in the WHERE of an UPDATE or a DELETE");
            }
        }
    }

    /// `condition ::= simple_selection operator term` (`DG:cql.dml.update`). That IN is one of the operators there and not
    /// supported in UPDATE and DELETE elsewhere leaves it unknown.
    fn condition(&mut self, condition: Option<&Condition>) {
        let Some(Condition::Holds(relations)) = condition else { return };
        for relation in relations {
            if !matches!(relation.subject, Subject::Single(_)) {
                self.unknown(relation.span, "a condition on several columns");
            }
            if !allowed::condition_operator(relation.operator) {
                self.unknown(relation.operator_span, format!("the operator {} in a condition", relation.operator));
            }
        }
    }
}

fn most_columns(ttl: bool) -> usize {
    if ttl { rules::MAX_COLUMNS_WITH_TTL } else { rules::MAX_COLUMNS }
}

fn span_of(names: &[Name]) -> Span {
    names.iter().map(|name| name.span).reduce(Span::to).unwrap_or_default()
}

/// `UPDATE system.local SET partitioner = '…' WHERE key = 'local'`, the one change that a system table takes.
fn sets_the_partitioner(update: &Update) -> bool {
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
