//! SELECT.

use super::Judge;
use crate::rules;
use crate::statement::{
    Call, Comparand, Operator, Ordering, Relation, Select, Selection, Subject, Target, Term, TermKind,
};
use crate::tree::{Part, Tree};
use crate::{KnownColumn, KnownTable, Name, Span};

impl Judge<'_> {
    pub(super) fn select(&mut self, select: &Select) {
        self.about(&select.table);
        self.system_select(select);
        if let Some(distinct) = select.distinct {
            self.refuse(&rules::DISTINCT, distinct);
        }
        if let Selection::Selectors(selectors) = &select.selection {
            self.in_selection = true;
            for selector in selectors {
                self.parts(&selector.term);
                self.selector(&selector.term);
            }
            self.in_selection = false;
        }
        self.parts(&select.relations);
        self.where_clause(&select.relations);
        self.in_relations(&select.relations);
        if let (Some(first), Some(last)) = (select.group_by.first(), select.group_by.last()) {
            self.refuse(&rules::GROUP_BY, first.span.to(last.span));
        }
        for ordering in &select.order_by {
            if !matches!(ordering.target, Target::Column(_)) {
                self.unknown(ordering.span, "ORDER BY a field or an element of a column");
            }
        }
        self.order_from_the_first(&select.order_by);
        if let Some(limit) = &select.per_partition_limit {
            self.refuse(&rules::PER_PARTITION_LIMIT, limit.span);
        }
    }

    /// Rows are ordered by all clustering columns up to the last that is named. What is no clustering column is another error.
    fn order_from_the_first(&mut self, order: &[Ordering]) {
        let clustering = self.table.map(KnownTable::clustering).unwrap_or_default();
        let named = || order.iter().map(|ordering| &ordering.target.column().text);
        if named().all(|name| clustering.contains(name))
            && let Some((skips, _)) = order.iter().zip(clustering).find(|(of, next)| of.target.column().text != **next)
        {
            self.refuse(&rules::ORDER_BY_SKIPS, skips.span);
        }
    }

    /// The grammar (`DG:cql.dml.select`) has columns, values, casts and functions of these, and no values made of columns.
    fn selector(&mut self, term: &Term) {
        match &term.kind {
            TermKind::Call(call) => {
                self.cell_metadata(call, term.span);
                call.arguments.iter().for_each(|argument| self.selector(argument));
            }
            TermKind::Cast(cast) => self.selector(&cast.term),
            TermKind::Name(_) | TermKind::Access(_) => {}
            _ if names_a_column(term) => self.unknown(term.span, "a value made of columns"),
            _ => {}
        }
    }

    /// `DG:cql.dml.select`: TTL and WRITETIME are of columns that are stored as one value.
    fn cell_metadata(&mut self, call: &Call, span: Span) {
        if !matches!(call.function.name.text.as_str(), "ttl" | "writetime") {
            return;
        }
        let multi_cell = call.arguments.iter().any(|argument| match &argument.kind {
            TermKind::Access(_) => true,
            TermKind::Name(column) => self.known(column).is_some_and(KnownColumn::is_multi_cell),
            _ => false,
        });
        if multi_cell {
            self.refuse(&rules::CELL_METADATA, span);
        }
    }

    fn in_relations(&mut self, relations: &[Relation]) {
        let lists: Vec<_> = relations.iter().filter(|relation| relation.operator == Operator::In).collect();
        let (Some(first), Some(last)) = (lists.first(), lists.last()) else { return };
        for list in &lists {
            let outside_key = |column: &Name| self.known(column).is_some_and(|known| !known.kind.is_key());
            if list.columns().any(outside_key) {
                self.refuse(&rules::IN_OUTSIDE_KEY, list.span);
            }
        }
        let span = first.span.to(last.span);
        let is_token = |relation: &&Relation| matches!(relation.subject, Subject::Token(_));
        if let Some(token) = relations.iter().find(is_token) {
            self.refuse(&rules::IN_WITH_TOKEN, span.to(token.span));
        }
        let widths = lists.iter().map(|relation| width(relation));
        if widths.fold(1, usize::saturating_mul) > rules::IN_SUBQUERIES {
            self.refuse(&rules::IN_SUBQUERY_LIMIT, span);
        }
        if let Some(range) = relations.iter().find(|relation| relation.operator.is_range()) {
            let what = "IN and a range in one SELECT (DG:functional-differences says no, DG:cql.dml.select shows it)";
            self.unknown(range.span, what);
        }
    }
}

/// How many values the IN has at least: a marker stands for one or more.
fn width(relation: &Relation) -> usize {
    if let Comparand::Values(values) = &relation.comparand { values.len() } else { 1 }
}

fn names_a_column(term: &Term) -> bool {
    let mut found = false;
    term.walk(&mut |part| found |= matches!(part, Part::Term(Term { kind: TermKind::Name(_), .. })));
    found
}
