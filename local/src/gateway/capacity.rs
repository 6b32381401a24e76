//! The capacity that a request requires: planned from the text of a statement, and computed from its values.

use std::sync::Arc;

use keyspaces_cql::statement::Using;
use keyspaces_cql::units::{self, LOGGED_BATCH_FACTOR, ReadCost, Row};
use keyspaces_cql::{CapacityMode, ColumnKind, Statement as Tree};

use crate::metering::Operation;
use crate::names::SchemaObject;
use crate::protocol::{Consistency, Values};
use crate::saturated::saturated;
use crate::schema::Features;
use crate::statement::{ModificationRef, PlannedValues, SerializedValues, is_logged_batch, markers, modifications};
use crate::throttle::{Demand, Direction};
use crate::upstream::Layout;

/// The table accesses of a statement according to its text: one for each SELECT, INSERT, UPDATE or DELETE.
#[derive(Debug, Default)]
pub(super) struct CapacityPlan {
    accesses: Vec<TableAccess>,
    logged: bool,
}

/// One SELECT, INSERT, UPDATE or DELETE of a table.
#[derive(Debug)]
struct TableAccess {
    table: SchemaObject,
    operation: Operation,
    direction: Direction,
    sizes: units::Table,
    values: PlannedValues,
    /// Whether the values that it writes have a time to live.
    expires: bool,
}

/// A table access with the values of a request.
#[derive(Debug)]
pub(super) struct BoundAccess<'a> {
    access: &'a TableAccess,
    pub(super) values: SerializedValues<'a>,
    row: Row,
}

/// The properties of a request that determine its cost in addition to the sizes of its values.
#[derive(Clone, Copy, Debug)]
pub(super) struct CostTerms {
    /// Whether it is a logged batch, in a BATCH frame or in the text.
    pub(super) logged: bool,
    /// Whether it came in a BATCH frame.
    pub(super) batch: bool,
    pub(super) consistency: Consistency,
}

/// The capacity that a request needs from its tables: one demand for each of its accesses.
#[derive(Debug)]
pub(super) struct RequiredCapacity<'a> {
    pub(super) demands: Vec<Demand<'a>>,
    /// The operation of each demand, for the metrics.
    pub(super) operations: Vec<Operation>,
    terms: CostTerms,
}

impl<'a> RequiredCapacity<'a> {
    /// `capacity_mode` gives the capacity mode of a table.
    pub(super) fn new(
        accesses: impl Iterator<Item = &'a BoundAccess<'a>> + Clone,
        terms: CostTerms,
        capacity_mode: impl Fn(&SchemaObject) -> CapacityMode,
    ) -> Self {
        let operation = |bound: &BoundAccess<'_>| if terms.batch { Operation::Batch } else { bound.access.operation };
        Self {
            demands: accesses.clone().map(|bound| bound.demand(terms, capacity_mode(&bound.access.table))).collect(),
            operations: accesses.map(operation).collect(),
            terms,
        }
    }

    /// The units of a read that returned this many bytes of rows.
    pub(super) fn read_units(&self, bytes: usize) -> f64 {
        self.terms.read_cost().units(bytes)
    }
}

impl CostTerms {
    fn read_cost(self) -> ReadCost {
        match self.consistency {
            Consistency::One | Consistency::LocalOne => ReadCost::One,
            _ => ReadCost::Quorum,
        }
    }
}

impl CapacityPlan {
    /// `tables` has the table of each access, in the same order.
    pub(super) fn new(tree: &Tree, tables: &[(&SchemaObject, Arc<Layout>, Features)]) -> Self {
        let markers = markers(tree);
        let batch = matches!(tree, Tree::Batch(_));
        let expires = |using: Option<&Using>| using.and_then(Using::ttl).is_some();
        let access = |(table, layout, features): &(&SchemaObject, Arc<Layout>, Features),
                      operation,
                      values,
                      expires: bool| TableAccess {
            table: (*table).clone(),
            operation: if batch { Operation::Batch } else { operation },
            direction: if operation == Operation::Select { Direction::Read } else { Direction::Write },
            sizes: units::Table::with_columns(layout.all().count())
                .with_ttl(features.ttl)
                .with_client_side_timestamps(features.timestamps),
            values,
            expires: expires || layout.known.expires(),
        };
        let accesses = match (tree, tables) {
            (Tree::Select(select), [table, ..]) => {
                let values = PlannedValues::for_select(&select.relations, &table.1, &markers);
                vec![access(table, Operation::Select, values, false)]
            }
            _ => {
                let writes = modifications(tree).into_iter().zip(tables);
                let write = |(modification, table): (ModificationRef<'_>, &(&SchemaObject, Arc<Layout>, Features))| {
                    let values = PlannedValues::for_write(modification, &table.1, &markers);
                    let expires = expires(modification.using()) || expires(tree.using());
                    access(table, operation(modification), values, expires)
                };
                writes.map(write).collect()
            }
        };
        Self { accesses, logged: is_logged_batch(tree) }
    }

    /// Its accesses with the values of a request.
    pub(super) fn bind<'a>(&'a self, values: &Values<'a>) -> Vec<BoundAccess<'a>> {
        let bind = |access: &'a TableAccess| {
            let values = access.values.bind(values);
            BoundAccess { row: row(&values, &access.sizes), access, values }
        };
        self.accesses.iter().map(bind).collect()
    }

    pub(super) fn is_logged_batch(&self) -> bool {
        self.logged
    }
}

impl BoundAccess<'_> {
    fn demand(&self, terms: CostTerms, mode: CapacityMode) -> Demand<'_> {
        let TableAccess { table, direction, .. } = self.access;
        let units = match direction {
            Direction::Read => terms.read_cost().units(0),
            Direction::Write => {
                let units = self.row.write_units() * if terms.logged { LOGGED_BATCH_FACTOR } else { 1 };
                f64::from(saturated::<u32>(units))
            }
        };
        Demand { table, mode, direction: *direction, units, partition: self.values.partition() }
    }

    pub(super) fn is_write(&self) -> bool {
        self.access.direction == Direction::Write
    }

    /// Whether the values that it writes have a time to live.
    pub(super) fn expires(&self) -> bool {
        self.access.expires
    }

    /// The row with the values that the statement names.
    pub(super) fn row(&self) -> &Row {
        &self.row
    }
}

fn row(values: &SerializedValues<'_>, sizes: &units::Table) -> Row {
    let mut row = Row::default();
    for value in &values.all {
        let size = units::value_size(value.cql_type, value.bytes.as_deref());
        match value.kind {
            ColumnKind::PartitionKey => row.add_partition_key(sizes, size.bytes),
            ColumnKind::Clustering => row.add_clustering(sizes, size.bytes),
            ColumnKind::Static => row.add_static(sizes, value.cql_type, size),
            ColumnKind::Regular => row.add_regular(sizes, value.cql_type, size),
        }
    }
    row
}

fn operation(modification: ModificationRef<'_>) -> Operation {
    match modification {
        ModificationRef::Insert(_) => Operation::Insert,
        ModificationRef::Update(_) => Operation::Update,
        ModificationRef::Delete(_) => Operation::Delete,
    }
}
