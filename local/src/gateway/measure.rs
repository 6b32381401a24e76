//! What a statement takes of its tables: by the sizes of its values and, of a read, by what came back.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use keyspaces_cql::statement::{Constant, CqlTypeKind, InsertContent, Relation, Target, Term, TermKind};
use keyspaces_cql::units::{self, LOGGED_BATCH_FACTOR, ReadCost, Row, ValueSize};
use keyspaces_cql::{CapacityMode, Statement as Tree};

use super::bound::{Bound, encoded};
use super::consistency::Consistency;
use super::layout::{Column, Layout};
use super::limits::{Piece, What, is_logged_batch, modifications};
use super::prepared::Facts;
use super::statement::{Answer, Statement, throttled};
use super::values::Values;
use crate::auth::Refusal;
use crate::journal::Outcome;
use crate::metering::Operation;
use crate::schema::{Features, Thing, system_tables};
use crate::throttle::{Demand, Use};

/// What is to be measured of a statement, found once for a prepared one.
#[derive(Debug, Default)]
pub(super) struct Plan {
    steps: Vec<Step>,
    logged: bool,
}

/// One INSERT, UPDATE, DELETE or SELECT.
#[derive(Debug)]
pub(super) struct Step {
    table: Thing,
    operation: Operation,
    side: Use,
    sizes: units::Table,
    cells: Vec<Cell>,
    /// Where in `cells` the columns of the partition key are, in their order; none if one of them is not named.
    partition_key: Option<Vec<usize>>,
}

#[derive(Debug)]
struct Cell {
    role: Role,
    of: CqlTypeKind,
    source: Source,
}

/// What a column is in its table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Role {
    PartitionKey,
    Clustering,
    Static,
    Regular,
}

/// Where a value is.
#[derive(Debug)]
enum Source {
    Marker {
        index: usize,
        name: String,
    },
    /// In the text; its bytes where they can be told.
    Text {
        bytes: Option<Vec<u8>>,
        size: ValueSize,
    },
}

/// What a request costs beside the sizes of its values.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// Of a logged batch.
    pub(super) logged: bool,
    pub(super) batch: bool,
    pub(super) consistency: Consistency,
}

/// A plan that was made after so many definitions.
#[derive(Debug, Default)]
pub(super) struct Remembered(Mutex<Option<(u64, Arc<Plan>)>>);

/// What is remembered beside a statement does not make it another.
impl PartialEq for Remembered {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Remembered {}

impl Statement<'_> {
    /// What is to be measured of a statement.
    pub(super) async fn plan(&self, stream: i16, facts: &Facts) -> Result<Arc<Plan>, Refusal> {
        if facts.tables.iter().any(|table| system_tables::is_system(&table.keyspace)) {
            return Ok(Arc::default());
        }
        let definitions = self.shared.layouts.definitions();
        if let Some((after, plan)) = &*facts.plan.0.lock().unwrap_or_else(PoisonError::into_inner)
            && *after == definitions
        {
            return Ok(Arc::clone(plan));
        }
        let Ok(tree) = keyspaces_cql::parse(&facts.text) else { return Ok(Arc::default()) };
        let mut tables = Vec::with_capacity(facts.tables.len());
        for table in &facts.tables {
            tables.push((table, self.layout(stream, table).await?, self.shared.schema.features(table)));
        }
        let plan = Arc::new(Plan::of(&tree, &tables));
        *facts.plan.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((definitions, Arc::clone(&plan)));
        Ok(plan)
    }

    /// Does some work, if what it takes of the tables is there, and counts it. The work says how many bytes it read.
    pub(super) async fn metered(
        &self,
        stream: i16,
        pieces: &[Piece<'_>],
        terms: Terms,
        work: impl Future<Output = Result<(Answer, usize), Refusal>>,
    ) -> Result<Answer, Refusal> {
        let shared = self.shared;
        let (mut demands, mut operations) = (Vec::with_capacity(pieces.len()), Vec::with_capacity(pieces.len()));
        for Piece { plan, values, .. } in pieces {
            for step in &plan.steps {
                demands.push(step.demand(values, terms, shared.schema.capacity_mode(&step.table)));
                operations.push(if terms.batch { Operation::Batch } else { step.operation });
            }
        }
        if demands.is_empty() {
            return Ok(work.await?.0);
        }
        if let Err((exceeded, place)) = shared.throttling.admit(self.requests, &demands) {
            let Demand { table, side, .. } = demands[place];
            shared.metering.throttled(table, operations[place], side, exceeded);
            return Ok(throttled(stream, side, exceeded));
        }
        let (answer, bytes) = work.await?;
        if answer.1 != Outcome::Forwarded {
            return Ok(answer);
        }
        for (place, (demand, operation)) in demands.iter().zip(&operations).enumerate() {
            let mut units = demand.units;
            if demand.side == Use::Read {
                units = terms.read_cost().units(bytes);
                shared.throttling.charge(demand, units);
            }
            let first = demands[..place].iter().all(|other| other.table != demand.table);
            shared.metering.consumed(demand.table, *operation, demand.side, units, first);
        }
        Ok(answer)
    }
}

impl Terms {
    fn read_cost(self) -> ReadCost {
        match self.consistency {
            Consistency::One | Consistency::LocalOne => ReadCost::One,
            _ => ReadCost::Quorum,
        }
    }
}

impl Plan {
    /// `tables` has one for each modification, in their order.
    fn of(tree: &Tree, tables: &[(&Thing, Arc<Layout>, Features)]) -> Self {
        let no_values = Values::default();
        let bound = Bound::new(tree, &no_values);
        let batch = matches!(tree, Tree::Batch(_));
        let read = match tree {
            Tree::Select(select) => Some(Part::Select(&select.relations)),
            _ => None,
        };
        let parts = read.into_iter().chain(modifications(tree).into_iter().map(Part::Modification));
        let steps = parts.zip(tables).map(|(part, (table, layout, features))| {
            let mut cells = part.cells(layout, &bound);
            let place = |column: &Column| cells.iter().position(|(name, _)| *name == column.name);
            let partition_key = layout.partition_key.iter().map(place).collect();
            let sizes = units::Table::of_columns(layout.all().count())
                .with_ttl(features.ttl)
                .with_client_side_timestamps(features.timestamps);
            Step {
                table: (*table).clone(),
                operation: if batch { Operation::Batch } else { part.operation() },
                side: if matches!(part, Part::Select(_)) { Use::Read } else { Use::Write },
                sizes,
                partition_key,
                cells: cells.drain(..).map(|(_, cell)| cell).collect(),
            }
        });
        Self { steps: steps.collect(), logged: is_logged_batch(tree) }
    }

    /// All of its writes.
    pub(super) fn writes(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| step.side == Use::Write)
    }

    pub(super) fn is_logged_batch(&self) -> bool {
        self.logged
    }
}

impl Step {
    fn demand(&self, values: &Values<'_>, terms: Terms, mode: CapacityMode) -> Demand<'_> {
        let units = match self.side {
            Use::Read => terms.read_cost().units(0),
            Use::Write => {
                let units = self.row(values).write_units() * if terms.logged { LOGGED_BATCH_FACTOR } else { 1 };
                f64::from(u32::try_from(units).unwrap_or(u32::MAX))
            }
        };
        Demand { table: &self.table, mode, side: self.side, units, partition: self.partition(values) }
    }

    /// As far as the statement tells it.
    pub(super) fn row(&self, values: &Values<'_>) -> Row {
        let mut row = Row::default();
        for cell in &self.cells {
            let size = cell.size(values);
            match cell.role {
                Role::PartitionKey => row.partition_key(&self.sizes, size.bytes),
                Role::Clustering => row.clustering(&self.sizes, size.bytes),
                Role::Static => row.static_column(&self.sizes, &cell.of, size),
                Role::Regular => row.regular(&self.sizes, &cell.of, size),
            }
        }
        row
    }

    /// How many bytes the values of such columns have as they are sent.
    pub(super) fn value_bytes(&self, role: Role, values: &Values<'_>) -> usize {
        let cells = self.cells.iter().filter(|cell| cell.role == role);
        cells.map(|cell| cell.bytes(values).map_or_else(|| cell.size(values).bytes, <[u8]>::len)).sum()
    }

    fn partition(&self, values: &Values<'_>) -> Option<u64> {
        let mut hasher = DefaultHasher::new();
        for place in self.partition_key.as_ref()? {
            self.cells[*place].bytes(values)?.hash(&mut hasher);
        }
        Some(hasher.finish())
    }
}

impl Cell {
    fn size(&self, values: &Values<'_>) -> ValueSize {
        match &self.source {
            Source::Marker { index, name } => units::value(&self.of, values.of(*index, name)),
            Source::Text { size, .. } => *size,
        }
    }

    fn bytes<'a>(&'a self, values: &Values<'a>) -> Option<&'a [u8]> {
        match &self.source {
            Source::Marker { index, name } => values.of(*index, name),
            Source::Text { bytes, .. } => bytes.as_deref(),
        }
    }
}

/// A part of a statement that takes something of one table.
#[derive(Clone, Copy)]
enum Part<'a> {
    Select(&'a [Relation]),
    Modification(What<'a>),
}

impl<'a> Part<'a> {
    fn operation(self) -> Operation {
        match self {
            Self::Select(_) => Operation::Select,
            Self::Modification(What::Insert(_)) => Operation::Insert,
            Self::Modification(What::Update(_)) => Operation::Update,
            Self::Modification(What::Delete(_)) => Operation::Delete,
        }
    }

    /// The columns for which it names values.
    fn cells(self, layout: &Layout, bound: &Bound<'_>) -> Vec<(String, Cell)> {
        let mut cells = Vec::new();
        let mut add = |column: &str, value: &Term, called: &str| {
            cells.extend(cell(layout, bound, column, value, called).map(|cell| (column.to_owned(), cell)));
        };
        let mut equal = |relations: &'a [Relation]| {
            for (column, value) in relations.iter().filter_map(Relation::equality) {
                add(&column.text, value, &column.text);
            }
        };
        match self {
            Self::Select(relations) => equal(relations),
            Self::Modification(What::Delete(delete)) => equal(&delete.relations),
            Self::Modification(What::Update(update)) => {
                equal(&update.relations);
                for assignment in &update.assignments {
                    let column = assignment.target.column();
                    match &assignment.target {
                        Target::Element { key, .. } => {
                            add(&column.text, key, &format!("key({})", column.text));
                            add(&column.text, &assignment.value, &format!("value({})", column.text));
                        }
                        _ => add(&column.text, &assignment.value, &column.text),
                    }
                }
            }
            Self::Modification(What::Insert(insert)) => {
                if let InsertContent::Values { columns, values } = &insert.content {
                    columns.iter().zip(values).for_each(|(column, value)| add(&column.text, value, &column.text));
                }
            }
        }
        cells
    }
}

/// `called` is what Cassandra calls a marker without a name.
fn cell(layout: &Layout, bound: &Bound<'_>, column: &str, value: &Term, called: &str) -> Option<Cell> {
    let among = |columns: &'_ [Column]| columns.iter().find(|known| known.name == column).cloned();
    let (role, column) = None
        .or_else(|| Some((Role::PartitionKey, among(&layout.partition_key)?)))
        .or_else(|| Some((Role::Clustering, among(&layout.clustering)?)))
        .or_else(|| Some((Role::Static, among(&layout.statics)?)))
        .or_else(|| Some((Role::Regular, among(&layout.regular)?)))?;
    // An element of a collection is taken as it is.
    let of = if called == column.name { column.kind } else { CqlTypeKind::Tuple(Vec::new()) };
    let source = match &value.kind {
        TermKind::Marker(_) => {
            let (index, name) = bound.marker(value, called)?;
            Source::Marker { index, name: name.to_owned() }
        }
        TermKind::Null => Source::Text { bytes: None, size: units::value(&of, None) },
        kind => {
            let constant = |constant: &Constant| encoded(constant, &column.cql_type);
            let bytes = if let TermKind::Constant(known) = kind { constant(known) } else { None };
            let size = match &bytes {
                Some(bytes) => units::value(&of, Some(bytes)),
                None => ValueSize { bytes: bound.size(value, called), elements: 0 },
            };
            Source::Text { bytes, size }
        }
    };
    Some(Cell { role, of, source })
}
