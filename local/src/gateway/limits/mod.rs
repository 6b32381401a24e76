//! Limits that only the bound values and the table tell (DG:quotas, DG:functional-differences, DG:batchStatements).

mod logged_batch;
mod range_delete;
mod row;
mod timestamp;

use std::sync::Arc;

use keyspaces_cql::statement::{BatchKind, Comparand, Delete, Insert, Modification, Operator, Select, Update, Using};
use keyspaces_cql::{Statement as Tree, rules};

use super::account::{Plan, Valued};
use super::analyse::Checks;
use super::bound::Bound;
use super::cells::Cells;
use super::prepared::Facts;
use super::statement::Statement;
use super::text::Text;
use crate::names::SchemaObject;
use crate::protocol::{Reader, Refusal, Values, refused_by};
use crate::upstream::Layout;

/// A statement with its values, by itself or as one of a batch.
pub(super) struct Piece<'a> {
    pub(super) facts: &'a Facts,
    pub(super) values: &'a Values<'a>,
    /// What it reads and writes, with these values.
    pub(super) steps: Vec<Valued<'a>>,
    logged_batch: bool,
}

/// One INSERT, UPDATE or DELETE, and what it is about.
struct Write<'a> {
    what: What<'a>,
    table: &'a SchemaObject,
    layout: Arc<Layout>,
    bound: &'a Bound<'a>,
    cells: &'a Cells<'a>,
    /// Where it stands.
    text: &'a Text,
}

#[derive(Clone, Copy)]
pub(super) enum What<'a> {
    Insert(&'a Insert),
    Update(&'a Update),
    Delete(&'a Delete),
}

impl Statement<'_> {
    /// Refuses what goes beyond one of the limits. `logged` is whether the pieces make a logged batch.
    pub(super) async fn hold_to_limits(&self, stream: i16, pieces: &[Piece<'_>], logged: bool) -> Result<(), Refusal> {
        let mut bytes = 0;
        for write in pieces.iter().flat_map(|piece| &piece.steps).filter(|step| step.is_write()) {
            bytes += row::check(write)?;
        }
        if !logged && !pieces.iter().any(Piece::is_worth_a_look) {
            return Ok(());
        }
        let trees: Vec<&Tree> = pieces.iter().map(|piece| &*piece.facts.tree).collect();
        let bounds: Vec<_> = trees.iter().zip(pieces).map(|(tree, piece)| Bound::new(tree, piece.values)).collect();
        let (mut writes, now) = (Vec::new(), (self.shared.clock)());
        for ((tree, piece), bound) in trees.iter().zip(pieces).zip(&bounds) {
            if let Tree::Select(select) = tree {
                return subqueries(select, bound);
            }
            for using in tree.usings() {
                time_to_live(using, bound)?;
                timestamp::check(using, bound, now)?;
            }
            for ((what, table), step) in modifications(tree).into_iter().zip(&piece.facts.tables).zip(&piece.steps) {
                let layout = self.layout(stream, table).await?;
                writes.push(Write { what, table, layout, bound, cells: &step.cells, text: &piece.facts.text });
            }
        }
        if logged || trees.iter().any(|tree| is_logged_batch(tree)) {
            logged_batch::check(&writes, bytes)?;
        }
        for write in &writes {
            self.check_range(stream, write).await?;
        }
        Ok(())
    }
}

impl<'a> Piece<'a> {
    pub(super) fn new(facts: &'a Facts, values: &'a Values<'a>, plan: &'a Plan) -> Self {
        Self { facts, values, steps: plan.with(values), logged_batch: plan.is_logged_batch() }
    }

    /// Whether more than the sizes of its rows is to be looked at.
    fn is_worth_a_look(&self) -> bool {
        match self.facts.checks {
            Checks::Read { lists, .. } => lists,
            Checks::Write { deletes, ttl, timestamps, .. } => deletes || ttl || timestamps || self.logged_batch,
        }
    }
}

impl<'a> What<'a> {
    pub(in crate::gateway) fn using(self) -> Option<&'a Using> {
        match self {
            Self::Insert(insert) => insert.using.as_ref(),
            Self::Update(update) => update.using.as_ref(),
            Self::Delete(delete) => delete.using.as_ref(),
        }
    }
}

pub(super) fn modifications(tree: &Tree) -> Vec<What<'_>> {
    match tree {
        Tree::Insert(insert) => vec![What::Insert(insert)],
        Tree::Update(update) => vec![What::Update(update)],
        Tree::Delete(delete) => vec![What::Delete(delete)],
        Tree::Batch(batch) => batch
            .statements
            .iter()
            .map(|statement| match statement {
                Modification::Insert(insert) => What::Insert(insert),
                Modification::Update(update) => What::Update(update),
                Modification::Delete(delete) => What::Delete(delete),
            })
            .collect(),
        _ => Vec::new(),
    }
}

pub(super) fn is_logged_batch(tree: &Tree) -> bool {
    matches!(tree, Tree::Batch(batch) if batch.kind == BatchKind::Logged)
}

fn time_to_live(using: &Using, bound: &Bound<'_>) -> Result<(), Refusal> {
    let seconds = using.ttl().and_then(|ttl| bound.int(ttl, "[ttl]"));
    match seconds.and_then(|seconds| u64::try_from(seconds).ok()) {
        Some(seconds) if seconds > rules::MAX_TTL_SECONDS => Err(refused_by(&rules::TTL_TOO_LONG)),
        _ => Ok(()),
    }
}

/// The lists after IN, those that were bound as a whole among them, multiplied.
fn subqueries(select: &Select, bound: &Bound<'_>) -> Result<(), Refusal> {
    let lists = select.relations.iter().filter(|relation| relation.operator == Operator::In);
    let widths = lists.map(|list| match &list.comparand {
        Comparand::Values(values) => values.len(),
        Comparand::Term(term) => {
            let name = list.columns().next().map(|column| format!("in({})", column.text)).unwrap_or_default();
            bound.bytes(term, &name).and_then(|list| Reader::new(list).count().ok()).unwrap_or(1)
        }
        _ => 1,
    });
    if widths.fold(1, usize::saturating_mul) > rules::IN_SUBQUERIES {
        return Err(refused_by(&rules::IN_SUBQUERY_LIMIT));
    }
    Ok(())
}
