//! What a statement takes of its tables: by the sizes of its values and, of a read, by what came back.

use std::sync::{Arc, Mutex, PoisonError};

use keyspaces_cql::statement::Using;
use keyspaces_cql::units::{self, LOGGED_BATCH_FACTOR, ReadCost, Row};
use keyspaces_cql::{CapacityMode, ColumnKind, Statement as Tree};
use tokio::time::Instant;

use super::cells::{self, Cells, PlannedCells};
use super::limits::{Piece, What, is_logged_batch, modifications};
use super::prepared::Facts;
use super::statement::{Answer, Statement, throttled};
use crate::journal::Outcome;
use crate::metering::Operation;
use crate::names::{SchemaObject, system_tables};
use crate::protocol::metadata::is_applied;
use crate::protocol::{Consistency, Refusal, Values};
use crate::schema::Features;
use crate::throttle::{Demand, Use};
use crate::upstream::Layout;

/// What is to be measured of a statement, found once for a prepared one.
#[derive(Debug, Default)]
pub(super) struct Plan {
    steps: Vec<Step>,
    logged: bool,
}

/// One INSERT, UPDATE, DELETE or SELECT.
#[derive(Debug)]
pub(super) struct Step {
    table: SchemaObject,
    operation: Operation,
    side: Use,
    sizes: units::Table,
    cells: PlannedCells,
    /// Whether what it writes has a time to live.
    expires: bool,
}

/// A step with the values of a request.
#[derive(Debug)]
pub(super) struct Valued<'a> {
    step: &'a Step,
    pub(super) cells: Cells<'a>,
    row: Row,
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

impl Clone for Remembered {
    fn clone(&self) -> Self {
        Self(Mutex::new(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()))
    }
}

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
        let mut tables = Vec::with_capacity(facts.tables.len());
        for table in &facts.tables {
            tables.push((table, self.layout(stream, table).await?, self.shared.schema.features(table)));
        }
        let plan = Arc::new(Plan::of(&facts.tree, &tables));
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
        for valued in pieces.iter().flat_map(|piece| &piece.steps) {
            demands.push(valued.demand(terms, shared.schema.capacity_mode(&valued.step.table)));
            operations.push(if terms.batch { Operation::Batch } else { valued.step.operation });
        }
        if demands.is_empty() {
            return Ok(work.await?.0);
        }
        if let Err((exceeded, place)) = shared.throttling.admit(self.requests, &demands) {
            let Demand { table, side, .. } = demands[place];
            shared.metering.throttled(table, operations[place], side, exceeded);
            return Ok(throttled(stream, side, exceeded));
        }
        let began = Instant::now();
        let worked = work.await;
        let latency = began.elapsed();
        // Each table once, however many rows of it a batch writes.
        let first = |place: usize| demands[..place].iter().all(|other| other.table != demands[place].table);
        let tables = demands.iter().zip(&operations).enumerate().filter(|(place, _)| first(*place));
        let tables = tables.map(|(_, (demand, operation))| (demand, *operation));
        let error = match &worked {
            Err(refusal) => Some(refusal.code),
            Ok(((_, Outcome::Failed { code, .. } | Outcome::Refused { code, .. }), _)) => Some(*code),
            Ok(_) => None,
        };
        if let Some(code) = error {
            tables.for_each(|(demand, operation)| shared.metering.failed(demand.table, operation, code));
            return Ok(worked?.0);
        }
        let (answer, bytes) = worked?;
        if answer.1 != Outcome::Forwarded {
            return Ok(answer);
        }
        for (demand, operation) in tables {
            let units = if demand.side == Use::Read {
                let units = terms.read_cost().units(bytes);
                shared.throttling.charge(demand, units);
                units
            } else {
                demands.iter().filter(|other| other.table == demand.table).map(|other| other.units).sum()
            };
            shared.metering.consumed(demand.table, operation, demand.side, units, latency);
            if demand.side == Use::Write && !is_applied(&answer.0) {
                shared.metering.condition_failed(demand.table, operation);
            }
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
    fn of(tree: &Tree, tables: &[(&SchemaObject, Arc<Layout>, Features)]) -> Self {
        let markers = cells::markers(tree);
        let batch = matches!(tree, Tree::Batch(_));
        let expires = |using: Option<&Using>| using.and_then(Using::ttl).is_some();
        let step = |(table, layout, features): &(&SchemaObject, Arc<Layout>, Features),
                    operation,
                    cells,
                    expires: bool| Step {
            table: (*table).clone(),
            operation: if batch { Operation::Batch } else { operation },
            side: if operation == Operation::Select { Use::Read } else { Use::Write },
            sizes: units::Table::of_columns(layout.all().count())
                .with_ttl(features.ttl)
                .with_client_side_timestamps(features.timestamps),
            cells,
            expires: expires || layout.known.expires(),
        };
        let steps = match (tree, tables) {
            (Tree::Select(select), [table, ..]) => {
                let cells = PlannedCells::of_select(&select.relations, &table.1, &markers);
                vec![step(table, Operation::Select, cells, false)]
            }
            _ => {
                let writes = modifications(tree).into_iter().zip(tables);
                let write = |(what, table): (What<'_>, &(&SchemaObject, Arc<Layout>, Features))| {
                    let cells = PlannedCells::of_write(what, &table.1, &markers);
                    step(table, operation(what), cells, expires(what.using()) || expires(tree.using()))
                };
                writes.map(write).collect()
            }
        };
        Self { steps, logged: is_logged_batch(tree) }
    }

    /// Its steps with the values of a request.
    pub(super) fn with<'a>(&'a self, values: &Values<'a>) -> Vec<Valued<'a>> {
        let valued = |step: &'a Step| {
            let cells = step.cells.with(values);
            Valued { row: row(&cells, &step.sizes), step, cells }
        };
        self.steps.iter().map(valued).collect()
    }

    pub(super) fn is_logged_batch(&self) -> bool {
        self.logged
    }
}

impl Valued<'_> {
    fn demand(&self, terms: Terms, mode: CapacityMode) -> Demand<'_> {
        let Step { table, side, .. } = self.step;
        let units = match side {
            Use::Read => terms.read_cost().units(0),
            Use::Write => {
                let units = self.row.write_units() * if terms.logged { LOGGED_BATCH_FACTOR } else { 1 };
                f64::from(u32::try_from(units).unwrap_or(u32::MAX))
            }
        };
        Demand { table, mode, side: *side, units, partition: self.cells.partition() }
    }

    pub(super) fn is_write(&self) -> bool {
        self.step.side == Use::Write
    }

    /// Whether what it writes has a time to live.
    pub(super) fn expires(&self) -> bool {
        self.step.expires
    }

    /// As far as the statement tells it.
    pub(super) fn row(&self) -> &Row {
        &self.row
    }
}

fn row(cells: &Cells<'_>, sizes: &units::Table) -> Row {
    let mut row = Row::default();
    for cell in &cells.all {
        let size = units::value(cell.of, cell.bytes.as_deref());
        match cell.kind {
            ColumnKind::PartitionKey => row.partition_key(sizes, size.bytes),
            ColumnKind::Clustering => row.clustering(sizes, size.bytes),
            ColumnKind::Static => row.static_column(sizes, cell.of, size),
            ColumnKind::Regular => row.regular(sizes, cell.of, size),
        }
    }
    row
}

fn operation(what: What<'_>) -> Operation {
    match what {
        What::Insert(_) => Operation::Insert,
        What::Update(_) => Operation::Update,
        What::Delete(_) => Operation::Delete,
    }
}
