//! The capacity that a statement consumes: of a write by the sizes of its values, of a read by the rows that came back.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keyspaces_cql::statement::Using;
use keyspaces_cql::units::{self, LOGGED_BATCH_FACTOR, ReadCost, Row};
use keyspaces_cql::{CapacityMode, ColumnKind, Statement as Tree};

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

/// What is measured of a statement. It is found once for a prepared one.
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
    /// Whether the values that it writes have a time to live.
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
    /// Whether it is a logged batch.
    pub(super) logged: bool,
    pub(super) batch: bool,
    pub(super) consistency: Consistency,
}

/// What a request needs of its tables, one demand for each of its steps.
#[derive(Debug)]
pub(super) struct Usage<'a> {
    demands: Vec<Demand<'a>>,
    operations: Vec<Operation>,
    terms: Terms,
}

/// A plan, with the number of definitions after which it was made.
#[derive(Debug, Default)]
pub(super) struct Remembered(Mutex<Option<(u64, Arc<Plan>)>>);

impl Clone for Remembered {
    fn clone(&self) -> Self {
        Self(Mutex::new(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()))
    }
}

/// The plan is derived, so that it does not count for equality.
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

    /// The capacity that a request needs of each of its tables, with its values.
    pub(super) fn usage<'p>(&self, pieces: &'p [Piece<'p>], terms: Terms) -> Usage<'p> {
        let capacity_mode = |table| self.shared.schema.capacity_mode(table);
        let valued = || pieces.iter().flat_map(|piece| &piece.steps);
        Usage {
            demands: valued().map(|valued| valued.demand(terms, capacity_mode(&valued.step.table))).collect(),
            operations: valued()
                .map(|valued| if terms.batch { Operation::Batch } else { valued.step.operation })
                .collect(),
            terms,
        }
    }

    /// Takes the capacity that is needed before a request is run. Without it, gives the answer to a throttled request.
    pub(super) fn admit(&self, stream: i16, usage: &Usage<'_>) -> Result<(), Answer> {
        let shared = self.shared;
        // System tables take no capacity.
        if usage.demands.is_empty() {
            return Ok(());
        }
        shared.throttling.admit(self.requests, &usage.demands).map_err(|(exceeded, index)| {
            let Demand { table, side, .. } = usage.demands[index];
            shared.metering.throttled(table, usage.operations[index], side, exceeded);
            throttled(stream, side, exceeded)
        })
    }

    /// Counts what a request has consumed or how it failed, and charges the units of what it read, which are known only now. A
    /// batch is counted once for each table, however many rows of it are written.
    pub(super) fn account(&self, usage: &Usage<'_>, result: &Result<(Answer, usize), Refusal>, latency: Duration) {
        let (shared, demands) = (self.shared, &usage.demands);
        let is_first_of_table = |index: usize| demands[..index].iter().all(|other| other.table != demands[index].table);
        let tables = demands.iter().zip(&usage.operations).enumerate().filter(|(index, _)| is_first_of_table(*index));
        for (_, (demand, operation)) in tables {
            let (answer, bytes_read) = match result {
                Err(Refusal { code, .. })
                | Ok(((_, Outcome::Failed { code, .. } | Outcome::Refused { code, .. }), _)) => {
                    shared.metering.failed(demand.table, *operation, *code);
                    continue;
                }
                Ok(((answer, Outcome::Forwarded), bytes_read)) => (answer, *bytes_read),
                Ok(_) => continue,
            };
            let units = match demand.side {
                Use::Read => {
                    let units = usage.terms.read_cost().units(bytes_read);
                    shared.throttling.charge(demand, units);
                    units
                }
                Use::Write => demands.iter().filter(|other| other.table == demand.table).map(|other| other.units).sum(),
            };
            shared.metering.consumed(demand.table, *operation, demand.side, units, latency);
            if demand.side == Use::Write && !is_applied(answer) {
                shared.metering.condition_failed(demand.table, *operation);
            }
        }
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
    /// `tables` has the table of each modification, in the same order.
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

    /// Whether the values that it writes have a time to live.
    pub(super) fn expires(&self) -> bool {
        self.step.expires
    }

    /// The row, as far as the statement names its values.
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
