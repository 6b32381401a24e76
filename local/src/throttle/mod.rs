//! Throttling of tables by their capacity mode, of partitions, and of connections.

mod bucket;
mod capacity;

use std::collections::HashMap;
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, SystemTime};

use keyspaces_cql::CapacityMode;

use crate::clock::Clock;
use crate::lock::Mutex;
use crate::names::SchemaObject;
use bucket::{Rate, TokenBucket};
use capacity::units_per_second;

/// The throttling of a local Keyspaces, which tests can change. Clones are cheap and share their state.
///
/// A table has as many units a second as its capacity mode says. What a provisioned table does not use is kept for up to
/// 300 seconds (`DG:throughput-bursting`), from when it is first used or its capacity is [set](Self::set_capacity); at the
/// start there is what comes in one second. A partition takes 3,000 read and
/// 1,000 write units a second, a connection 3,000 requests (`DG:quotas`), each of them at once.
///
/// What goes over is answered as the service answers it, with a WriteTimeout or a ReadTimeout of 0 responses of 2
/// (`DG:troubleshooting.serverless`), and counted in [`Metering`](crate::Metering). A write takes the units of its row
/// before it is carried out. A read needs one unit for that, and takes the others when it is known what it has read.
#[derive(Clone)]
pub struct Throttling(Arc<ThrottlingInner>);

struct ThrottlingInner {
    clock: Clock,
    state: Mutex<ThrottlingState>,
}

#[derive(Default)]
struct ThrottlingState {
    off: bool,
    starts_full: bool,
    chosen: HashMap<SchemaObject, CapacityMode>,
    /// When the capacity of a table was set that has not been used since.
    set_at: HashMap<SchemaObject, Duration>,
    tables: HashMap<SchemaObject, [TableBuckets; 2]>,
}

/// The buckets of a table for reading or for writing.
struct TableBuckets {
    table: TokenBucket,
    partitions: HashMap<u64, TokenBucket>,
}

/// The side of a table's capacity that a request uses.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Use {
    Read,
    Write,
}

/// The units that one statement takes from one table.
#[derive(Clone, Debug)]
pub(crate) struct Demand<'a> {
    pub(crate) table: &'a SchemaObject,
    pub(crate) mode: CapacityMode,
    pub(crate) side: Use,
    pub(crate) units: f64,
    /// A hash of the partition key, if it is known.
    pub(crate) partition: Option<u64>,
}

/// The limit that a request exceeded.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Exceeded {
    /// The capacity of the table.
    Table,
    /// The 3,000 read or 1,000 write units a second of a partition.
    Partition,
    /// The 3,000 requests a second of a connection.
    Connection,
}

/// The requests that one connection may make.
#[derive(Debug)]
pub(crate) struct Requests(Mutex<TokenBucket>);

/// For how many seconds a provisioned table keeps unused capacity (DG:throughput-bursting).
const BURST_SECONDS: f64 = 300.0;

/// Per second and connection (DG:quotas).
const REQUESTS: Rate = Rate { per_second: 3_000.0, kept: 3_000.0 };

/// With more partitions than this, those whose buckets are full are forgotten.
const PARTITIONS: usize = 10_000;

impl Throttling {
    pub(crate) fn new(clock: Clock, off: bool, starts_full: bool) -> Self {
        Self(Arc::new(ThrottlingInner {
            clock,
            state: Mutex::new(ThrottlingState { off, starts_full, ..ThrottlingState::default() }),
        }))
    }

    /// Turns throttling on or off. Units are counted in both cases.
    pub fn turn_on(&self, on: bool) {
        self.state().off = !on;
    }

    /// Overrides the capacity that a table's definition gives it; `None` removes the override. The table's buckets start
    /// again, and collect unused capacity from now on.
    pub fn set_capacity(&self, keyspace: &str, table: &str, mode: Option<CapacityMode>) {
        let table = SchemaObject::table(keyspace, table);
        let mut state = self.state();
        state.tables.remove(&table);
        state.set_at.insert(table.clone(), self.now());
        match mode {
            Some(mode) => drop(state.chosen.insert(table, mode)),
            None => drop(state.chosen.remove(&table)),
        }
    }

    /// The allowance of a new connection.
    pub(crate) fn connection(&self) -> Requests {
        Requests(Mutex::new(TokenBucket::new(REQUESTS.kept, self.now())))
    }

    /// Takes the units that a request needs, or none of them. Otherwise gives the limit that it exceeds, and the index of the
    /// demand that does.
    pub(crate) fn admit(&self, connection: &Requests, demands: &[Demand<'_>]) -> Result<(), (Exceeded, usize)> {
        let mut state = self.state();
        // Read under the lock, so that times do not go back from one request to the next.
        let now = self.now();
        if state.off {
            return Ok(());
        }
        let mut requests = connection.0.lock();
        if !requests.has(1.0, REQUESTS, now) {
            return Err((Exceeded::Connection, 0));
        }
        requests.take(1.0);
        drop(requests);
        for (place, demand) in demands.iter().enumerate() {
            if let Err(exceeded) = state.take(demand, now) {
                // A request takes all that it needs or nothing.
                demands[..place].iter().for_each(|taken| state.give(taken, -taken.units));
                return Err((exceeded, place));
            }
        }
        Ok(())
    }

    /// Charges what a read cost beyond the one unit it was admitted with.
    pub(crate) fn charge(&self, demand: &Demand<'_>, units: f64) {
        let mut state = self.state();
        if !state.off {
            state.give(demand, units - demand.units);
        }
    }

    fn now(&self) -> Duration {
        (self.0.clock)().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }

    fn state(&self) -> MutexGuard<'_, ThrottlingState> {
        self.0.state.lock()
    }
}

impl ThrottlingState {
    fn take(&mut self, demand: &Demand<'_>, now: Duration) -> Result<(), Exceeded> {
        let rate = self.rate(demand);
        let starts_full = self.starts_full;
        if !self.tables.contains_key(demand.table) {
            let began = self.set_at.remove(demand.table).unwrap_or(now);
            let begin = |side: Use| {
                let rate = self.rate(&Demand { side, ..demand.clone() });
                let level = if starts_full { rate.kept } else { rate.per_second };
                TableBuckets { table: TokenBucket::new(level, began), partitions: HashMap::new() }
            };
            let sides = [begin(Use::Read), begin(Use::Write)];
            self.tables.insert(demand.table.clone(), sides);
        }
        let Some(sides) = self.tables.get_mut(demand.table) else { return Ok(()) };
        let side = &mut sides[demand.side as usize];
        if !side.table.has(demand.units, rate, now) {
            return Err(Exceeded::Table);
        }
        if let Some(key) = demand.partition {
            let rate = partition_rate(demand.side);
            if side.partitions.len() > PARTITIONS {
                side.partitions.retain(|_, partition| !partition.is_full(rate, now));
            }
            let partition = side.partitions.entry(key).or_insert_with(|| TokenBucket::new(rate.kept, now));
            if !partition.has(demand.units, rate, now) {
                return Err(Exceeded::Partition);
            }
            partition.take(demand.units);
        }
        side.table.take(demand.units);
        Ok(())
    }

    /// Takes units without a check, or gives them back.
    fn give(&mut self, demand: &Demand<'_>, units: f64) {
        let Some(sides) = self.tables.get_mut(demand.table) else { return };
        let side = &mut sides[demand.side as usize];
        side.table.take(units);
        if let Some(partition) = demand.partition.and_then(|key| side.partitions.get_mut(&key)) {
            partition.take(units);
        }
    }

    fn rate(&self, demand: &Demand<'_>) -> Rate {
        let mode = self.chosen.get(demand.table).copied().unwrap_or(demand.mode);
        let (read, write) = units_per_second(mode);
        let per_second = match demand.side {
            Use::Read => read,
            Use::Write => write,
        };
        let seconds = if mode == CapacityMode::OnDemand { 1.0 } else { BURST_SECONDS };
        Rate { per_second, kept: per_second * seconds }
    }
}

fn partition_rate(side: Use) -> Rate {
    let units = match side {
        Use::Read => 3_000.0,
        Use::Write => 1_000.0,
    };
    Rate { per_second: units, kept: units }
}

impl std::fmt::Debug for Throttling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Throttling").field("on", &!self.state().off).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    struct Fixture {
        throttling: Throttling,
        connection: Requests,
        millis: Arc<AtomicU64>,
        table: SchemaObject,
    }

    impl Fixture {
        fn new() -> Self {
            let millis = Arc::new(AtomicU64::new(1_000_000));
            let clock = Arc::clone(&millis);
            let clock: Clock =
                Arc::new(move || SystemTime::UNIX_EPOCH + Duration::from_millis(clock.load(Ordering::SeqCst)));
            let throttling = Throttling::new(clock, false, false);
            Self { connection: throttling.connection(), throttling, millis, table: SchemaObject::table("ks", "t") }
        }

        fn pass(&self, millis: u64) {
            self.millis.fetch_add(millis, Ordering::SeqCst);
        }

        fn demand(&self, mode: CapacityMode, side: Use, units: f64, partition: Option<u64>) -> Demand<'_> {
            Demand { table: &self.table, mode, side, units, partition }
        }

        /// How many of 100,000 writes of one unit go through at once.
        fn writes(&self, mode: CapacityMode, partition: Option<u64>) -> (usize, Option<Exceeded>) {
            for done in 0..100_000 {
                // Of another connection each time: this is about tables and partitions.
                let connection = self.throttling.connection();
                if let Err((exceeded, _)) =
                    self.throttling.admit(&connection, &[self.demand(mode, Use::Write, 1.0, partition)])
                {
                    return (done, Some(exceeded));
                }
            }
            (100_000, None)
        }
    }

    const FIVE: CapacityMode = CapacityMode::Provisioned { read: 5, write: 5 };

    #[test]
    fn a_table_of_five_units_throttles_at_five_and_saves_up_300_seconds() {
        let it = Fixture::new();
        assert_eq!(it.writes(FIVE, None), (5, Some(Exceeded::Table)));
        it.pass(1_000);
        assert_eq!(it.writes(FIVE, None), (5, Some(Exceeded::Table)));
        it.pass(3_600_000);
        assert_eq!(it.writes(FIVE, None), (1_500, Some(Exceeded::Table)));
    }

    #[test]
    fn a_table_whose_capacity_was_set_saves_up_before_it_is_used() {
        let it = Fixture::new();
        it.throttling.set_capacity("ks", "t", Some(FIVE));
        it.pass(10_000);
        assert_eq!(it.writes(CapacityMode::OnDemand, None).0, 55);
        it.pass(10_000);
        assert_eq!(it.writes(CapacityMode::OnDemand, None).0, 50);
        it.throttling.set_capacity("ks", "t", Some(FIVE));
        assert_eq!(it.writes(CapacityMode::OnDemand, None).0, 5);
    }

    #[test]
    fn changing_the_mode_changes_it() {
        let it = Fixture::new();
        assert_eq!(it.writes(FIVE, None).0, 5);
        it.pass(1_000);
        assert_eq!(it.writes(CapacityMode::Provisioned { read: 5, write: 50 }, None).0, 50);
        it.pass(1_000);
        assert_eq!(it.writes(CapacityMode::OnDemand, None), (4_000, Some(Exceeded::Table)));
        it.throttling.set_capacity("ks", "t", Some(FIVE));
        assert_eq!(it.writes(CapacityMode::OnDemand, None).0, 5);
        it.throttling.set_capacity("ks", "t", None);
        assert_eq!(it.writes(CapacityMode::OnDemand, None).0, 4_000);
        it.throttling.turn_on(false);
        assert_eq!(it.writes(CapacityMode::OnDemand, None).0, 100_000);
    }

    #[test]
    fn a_partition_takes_a_thousand_write_units_a_second() {
        let it = Fixture::new();
        assert_eq!(it.writes(CapacityMode::OnDemand, Some(1)), (1_000, Some(Exceeded::Partition)));
        assert_eq!(it.writes(CapacityMode::OnDemand, Some(2)), (1_000, Some(Exceeded::Partition)));
        it.pass(500);
        assert_eq!(it.writes(CapacityMode::OnDemand, Some(1)), (500, Some(Exceeded::Partition)));
    }

    #[test]
    fn a_connection_takes_3000_requests_a_second() {
        let it = Fixture::new();
        let read = || it.demand(CapacityMode::OnDemand, Use::Read, 0.5, None);
        let done = (0..4_000).take_while(|_| it.throttling.admit(&it.connection, &[read()]).is_ok()).count();
        assert_eq!(done, 3_000);
        assert_eq!(it.throttling.admit(&it.connection, &[read()]), Err((Exceeded::Connection, 0)));
        it.pass(1);
        assert_eq!(it.throttling.admit(&it.connection, &[read()]), Ok(()));
    }

    #[test]
    fn a_read_is_let_in_by_one_unit_and_owes_the_rest() {
        let it = Fixture::new();
        let read = [it.demand(FIVE, Use::Read, 1.0, None)];
        assert_eq!(it.throttling.admit(&it.connection, &read), Ok(()));
        it.throttling.charge(&read[0], 14.0);
        it.pass(1_000);
        assert_eq!(it.throttling.admit(&it.connection, &read), Err((Exceeded::Table, 0)));
        it.pass(1_000);
        assert_eq!(it.throttling.admit(&it.connection, &read), Ok(()));
    }

    #[test]
    fn a_batch_takes_all_that_it_needs_or_nothing() {
        let it = Fixture::new();
        let other = SchemaObject::table("ks", "other");
        let both = [
            it.demand(FIVE, Use::Write, 3.0, Some(1)),
            Demand { table: &other, ..it.demand(FIVE, Use::Write, 9.0, None) },
        ];
        assert_eq!(it.throttling.admit(&it.connection, &both), Err((Exceeded::Table, 1)));
        assert_eq!(it.writes(FIVE, Some(1)).0, 5);
    }

    #[test]
    fn buckets_can_start_full() {
        let it = Fixture { throttling: Throttling::new(Arc::new(SystemTime::now), false, true), ..Fixture::new() };
        assert!(it.writes(FIVE, None).0 >= 1_500);
    }
}
