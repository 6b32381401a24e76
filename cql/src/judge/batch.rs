//! BATCH.

use super::term::check_parts;
use super::write::{adds_to_counter, check_using};
use std::collections::{BTreeMap, HashSet};

use super::Judge;
use crate::rules;
use crate::statement::{Batch, BatchKind, InsertContent, Modification, Operator, Relation, Term, TermKind};
use crate::tree::{Tree, TreePart};
use crate::value::{Value, serialize};
use crate::{KnownColumn, KnownTable};

pub(super) fn check_batch(judge: &mut Judge<'_>, batch: &Batch) {
    match batch.kind {
        BatchKind::Logged => {
            check_size(judge, batch, rules::MAX_LOGGED_STATEMENTS, &rules::LOGGED_BATCH_TOO_LONG);
        }
        BatchKind::Unlogged => {
            check_size(judge, batch, rules::MAX_UNLOGGED_STATEMENTS, &rules::UNLOGGED_BATCH_TOO_LONG);
        }
        BatchKind::Counter => judge.refuse(&rules::COUNTER_BATCH, batch.span),
    }
    if batch.statements.is_empty() {
        judge.unknown(batch.span, "a batch without statements");
    }
    check_parts(judge, &batch.using);
    check_using(judge, batch.using.as_ref());
    for modification in &batch.statements {
        judge.check_modification(modification);
        if batch.kind == BatchKind::Logged {
            check_logged_statement(judge, modification);
        } else if modification.is_conditional() {
            judge.unknown(modification.span(), "a condition in an unlogged batch");
        }
    }
    if batch.kind == BatchKind::Logged && batch.statements.len() <= rules::MAX_LOGGED_STATEMENTS {
        check_distinct_rows(judge, &batch.statements);
    }
}

fn check_size(judge: &mut Judge<'_>, batch: &Batch, max: usize, rule: &'static rules::Rule) {
    if let Some(first_too_many) = batch.statements.get(max) {
        judge.refuse(rule, first_too_many.span());
    }
}

fn check_logged_statement(judge: &mut Judge<'_>, modification: &Modification) {
    let relations = match modification {
        Modification::Insert(_) => return,
        Modification::Update(update) => {
            if let Some(counter) = update.additions().find(|addition| adds_to_counter(judge, addition)) {
                judge.refuse(&rules::COUNTER_IN_LOGGED_BATCH, counter.column.span.to(counter.value.span));
            }
            &update.relations
        }
        Modification::Delete(delete) => &delete.relations,
    };
    for relation in relations.iter().filter(|relation| relation.operator != Operator::Equal) {
        judge.refuse(&rules::OPERATOR_IN_LOGGED_BATCH, relation.span);
    }
}

/// Finds two statements on the same row, as far as literals show it: by primary key if the table is known, by text
/// otherwise.
fn check_distinct_rows(judge: &mut Judge<'_>, statements: &[Modification]) {
    let (mut seen, mut others) = (HashSet::new(), Vec::new());
    for statement in statements {
        let known = judge.context.tables.and_then(|tables| tables.find(statement.table(), judge.context.keyspace));
        let Some(key) = known.and_then(|known| key(statement, known)) else {
            others.push(statement);
            continue;
        };
        let (keyspace, name) = table(statement);
        if !seen.insert((keyspace.or(judge.context.keyspace), name, key)) {
            judge.refuse(&rules::SAME_ROW_IN_LOGGED_BATCH, statement.span());
        }
    }
    check_distinct_rows_by_text(judge, &others);
}

/// Compares statements by their text. Two UPDATEs or DELETEs with the same WHERE write the same row, since WHERE names the
/// row. An INSERT names more than its key, so two INSERTs write the same row if they write the same values. An INSERT and
/// an UPDATE or DELETE may write the same row if the inserted values fulfil the WHERE. They do not if the latter changes
/// static columns or a whole partition, so the result is unknown.
fn check_distinct_rows_by_text(judge: &mut Judge<'_>, statements: &[&Modification]) {
    let mut seen = HashSet::new();
    let rows: Vec<_> = statements.iter().map(|statement| (*statement, row(statement))).collect();
    for (statement, row) in &rows {
        let Some(row) = row else { continue };
        let inserts = matches!(statement, Modification::Insert(_));
        if !seen.insert((table(statement), inserts, row)) {
            judge.refuse(&rules::SAME_ROW_IN_LOGGED_BATCH, statement.span());
        }
    }
    let is_insert = |statement: &Modification| matches!(statement, Modification::Insert(_));
    for (insert, written) in rows.iter().filter(|(statement, _)| is_insert(statement)) {
        for (other, named) in rows.iter().filter(|(statement, _)| !is_insert(statement)) {
            let (Some(written), Some(named)) = (written, named) else { continue };
            let meets = named.iter().all(|(column, value)| written.get(column) == Some(value));
            if meets && table(insert) == table(other) {
                judge
                    .unknown(insert.span().to(other.span()), "two statements that may be on one row of a logged batch");
            }
        }
    }
}

fn table(statement: &Modification) -> (Option<&str>, &str) {
    let table = statement.table();
    (table.keyspace.as_ref().map(|keyspace| keyspace.text.as_str()), &table.name.text)
}

/// The values of the whole primary key, as they would be bound; `None` if one of them is not a literal in the statement.
fn key(statement: &Modification, table: &KnownTable) -> Option<Vec<Vec<u8>>> {
    let term_of = |name: &str| match statement {
        Modification::Insert(insert) => match &insert.content {
            InsertContent::Values { columns, values } => {
                columns.iter().zip(values).find(|(column, _)| column.text == name).map(|(_, value)| value)
            }
            InsertContent::Json { .. } => None,
        },
        Modification::Update(update) => equality_value(&update.relations, name),
        Modification::Delete(delete) => equality_value(&delete.relations, name),
    };
    let value = |(name, column): (&str, &KnownColumn)| {
        let term = term_of(name).filter(|term| is_literal(term))?;
        let value = serialize(term, &column.column_type.kind, table.user_types(), &|_, _| Value::null(), name);
        value.bytes.filter(|_| value.is_exact)
    };
    table.key().into_iter().map(value).collect()
}

fn equality_value<'t>(relations: &'t [Relation], name: &str) -> Option<&'t Term> {
    relations.iter().filter_map(Relation::equality).find(|(column, _)| column.text == name).map(|(_, value)| value)
}

/// The columns and literals that identify the row: the WHERE of an UPDATE or DELETE, all columns of an INSERT. `None`
/// unless every value is a literal.
fn row(statement: &Modification) -> Option<BTreeMap<&str, String>> {
    let literal = |term: &Term| is_literal(term).then(|| term.to_string());
    match statement {
        Modification::Insert(insert) => {
            let InsertContent::Values { columns, values } = &insert.content else { return None };
            columns.iter().zip(values).map(|(column, value)| Some((column.text.as_str(), literal(value)?))).collect()
        }
        Modification::Update(update) => equality_values(&update.relations),
        Modification::Delete(delete) => equality_values(&delete.relations),
    }
}

fn equality_values(relations: &[Relation]) -> Option<BTreeMap<&str, String>> {
    let named = |relation| {
        let (column, value) = Relation::equality(relation)?;
        is_literal(value).then(|| (column.text.as_str(), value.to_string()))
    };
    relations.iter().map(named).collect()
}

fn is_literal(term: &Term) -> bool {
    let mut literal = true;
    term.walk(&mut |part| {
        literal &= !matches!(part, TreePart::Term(Term { kind: TermKind::Marker(_) | TermKind::Call(_), .. }));
    });
    literal
}
