//! SELECT.

use super::Judge;
use super::system::check_system_select;
use super::term::{check_parts, check_where, known_column};
use crate::rules;
use crate::statement::{
    Call, Comparand, Operator, Ordering, Relation, Select, Selection, Subject, Target, Term, TermKind,
};
use crate::tree::{Tree, TreePart};
use crate::{KnownColumn, KnownTable, Name, Span};

pub(super) fn check_select(judge: &mut Judge<'_>, select: &Select) {
    judge.set_table(&select.table);
    check_system_select(judge, select);
    if let Some(distinct) = select.distinct {
        judge.refuse(&rules::DISTINCT, distinct);
    }
    if let Selection::Selectors(selectors) = &select.selection {
        judge.in_selection = true;
        for selector in selectors {
            check_parts(judge, &selector.term);
            check_selector(judge, &selector.term);
        }
        judge.in_selection = false;
    }
    check_parts(judge, &select.relations);
    check_where(judge, &select.relations);
    check_in_relations(judge, &select.relations);
    if let (Some(first), Some(last)) = (select.group_by.first(), select.group_by.last()) {
        judge.refuse(&rules::GROUP_BY, first.span.to(last.span));
    }
    for ordering in &select.order_by {
        if !matches!(ordering.target, Target::Column(_)) {
            judge.unknown(ordering.span, "ORDER BY a field or an element of a column");
        }
    }
    check_order(judge, &select.order_by);
    if let Some(limit) = &select.per_partition_limit {
        judge.refuse(&rules::PER_PARTITION_LIMIT, limit.span);
    }
}

/// Rows are ordered by all clustering columns up to the last named one, so none before it may be left out. A column
/// that is not a clustering column is another error.
fn check_order(judge: &mut Judge<'_>, order: &[Ordering]) {
    let clustering = judge.table.map(KnownTable::clustering).unwrap_or_default();
    let named = || order.iter().map(|ordering| &ordering.target.column().text);
    if named().all(|name| clustering.contains(name))
        && let Some((skips, _)) =
            order.iter().zip(clustering).find(|(ordering, next)| ordering.target.column().text != **next)
    {
        judge.refuse(&rules::ORDER_BY_SKIPS, skips.span);
    }
}

/// The grammar (`DG:cql.dml.select`) allows columns, values, and casts and functions of these, but no other terms that
/// contain columns.
fn check_selector(judge: &mut Judge<'_>, term: &Term) {
    match &term.kind {
        TermKind::Call(call) => {
            check_cell_metadata(judge, call, term.span);
            call.arguments.iter().for_each(|argument| check_selector(judge, argument));
        }
        TermKind::Cast(cast) => check_selector(judge, &cast.term),
        TermKind::Name(_) | TermKind::Access(_) => {}
        _ if names_a_column(term) => judge.unknown(term.span, "a value made of columns"),
        _ => {}
    }
}

/// TTL and WRITETIME take only columns that are stored as one value (`DG:cql.dml.select`).
fn check_cell_metadata(judge: &mut Judge<'_>, call: &Call, span: Span) {
    if !matches!(call.function.name.text.as_str(), "ttl" | "writetime") {
        return;
    }
    let multi_cell = call.arguments.iter().any(|argument| match &argument.kind {
        TermKind::Access(_) => true,
        TermKind::Name(column) => known_column(judge, column).is_some_and(KnownColumn::is_multi_cell),
        _ => false,
    });
    if multi_cell {
        judge.refuse(&rules::CELL_METADATA, span);
    }
}

fn check_in_relations(judge: &mut Judge<'_>, relations: &[Relation]) {
    let lists: Vec<_> = relations.iter().filter(|relation| relation.operator == Operator::In).collect();
    let (Some(first), Some(last)) = (lists.first(), lists.last()) else { return };
    for list in &lists {
        let outside_key = |column: &Name| known_column(judge, column).is_some_and(|known| !known.kind.is_key());
        if list.columns().any(outside_key) {
            judge.refuse(&rules::IN_OUTSIDE_KEY, list.span);
        }
    }
    let span = first.span.to(last.span);
    let is_token = |relation: &&Relation| matches!(relation.subject, Subject::Token(_));
    if let Some(token) = relations.iter().find(is_token) {
        judge.refuse(&rules::IN_WITH_TOKEN, span.to(token.span));
    }
    let widths = lists.iter().map(|relation| width(relation));
    if widths.fold(1, usize::saturating_mul) > rules::MAX_IN_SUBQUERIES {
        judge.refuse(&rules::IN_SUBQUERY_LIMIT, span);
    }
    if let Some(range) = relations.iter().find(|relation| relation.operator.is_range()) {
        let feature = "IN and a range in one SELECT (DG:functional-differences says no, DG:cql.dml.select shows it)";
        judge.unknown(range.span, feature);
    }
}

/// The minimum number of values in the IN: a bind marker stands for at least one.
fn width(relation: &Relation) -> usize {
    if let Comparand::Values(values) = &relation.comparand { values.len() } else { 1 }
}

fn names_a_column(term: &Term) -> bool {
    let mut found = false;
    term.walk(&mut |part| found |= matches!(part, TreePart::Term(Term { kind: TermKind::Name(_), .. })));
    found
}
