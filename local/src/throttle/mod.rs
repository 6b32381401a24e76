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
/// A table has the units per second of its capacity mode. Unused units of a provisioned table are kept for up to
/// 300 seconds (`DG:throughput-bursting`), from its first use or from when its capacity is [set](Self::set_capacity);
/// at the start a table has the units of one second. A partition has 3,000 read and 1,000 write units a second, a
/// connection 3,000 requests a second (`DG:quotas`), without bursts.
///
/// A request beyond the capacity is answered as on the service, with a WriteTimeout or ReadTimeout and 0 responses of 2
/// (`DG:troubleshooting.serverless`), and counted in [`Metering`](crate::Metering). A write takes the units of its row
/// before it is executed. A read takes one unit before it is executed, and the others after it, when its size is known.
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
    overrides: HashMap<SchemaObject, CapacityMode>,
    /// The times at which the capacities of tables were set, for tables that were not used since.
    set_at: HashMap<SchemaObject, Duration>,
    tables: HashMap<SchemaObject, [TableBuckets; 2]>,
}

/// The buckets of a table for reading or for writing.
struct TableBuckets {
    table: TokenBucket,
    partitions: HashMap<u64, TokenBucket>,
}

/// The direction of a table's capacity that a request uses.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Direction {
    Read,
    Write,
}

/// The units that one statement takes from one table.
#[derive(Clone, Debug)]
pub(crate) struct Demand<'a> {
    pub(crate) table: &'a SchemaObject,
    pub(crate) mode: CapacityMode,
    pub(crate) direction: Direction,
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

/// The limit of the requests that one connection makes in a second.
#[derive(Debug)]
pub(crate) struct ConnectionRateLimit(Mutex<TokenBucket>);

/// For how many seconds a provisioned table keeps unused capacity (DG:throughput-bursting).
const BURST_SECONDS: f64 = 300.0;

/// Per second and connection (DG:quotas).
const REQUEST_RATE: Rate = Rate { per_second: 3_000.0, capacity: 3_000.0 };

/// Beyond this number, partitions with full buckets are removed.
const MAX_PARTITIONS: usize = 10_000;

impl Throttling {
    pub(crate) fn new(clock: Clock, off: bool, starts_full: bool) -> Self {
        Self(Arc::new(ThrottlingInner {
            clock,
            state: Mutex::new(ThrottlingState { off, starts_full, ..ThrottlingState::default() }),
        }))
    }

    /// Turns throttling on or off. Units are counted in both cases.
    pub fn set_enabled(&self, enabled: bool) {
        self.state().off = !enabled;
    }

    /// Overrides the capacity that a table's definition gives it; `None` removes the override. The table's buckets
    /// start again, and collect unused capacity from now on.
    pub fn set_capacity(&self, keyspace: &str, table: &str, mode: Option<CapacityMode>) {
        let table = SchemaObject::table(keyspace, table);
        let mut state = self.state();
        state.tables.remove(&table);
        state.set_at.insert(table.clone(), self.now());
        match mode {
            Some(mode) => drop(state.overrides.insert(table, mode)),
            None => drop(state.overrides.remove(&table)),
        }
    }

    /// The rate limit of a new connection.
    pub(crate) fn connection_rate_limit(&self) -> ConnectionRateLimit {
        ConnectionRateLimit(Mutex::new(TokenBucket::new(REQUEST_RATE.capacity, self.now())))
    }

    /// Takes the units that a request needs, or none of them. Otherwise returns the limit that it exceeds, and the
    /// index of the demand that does.
    pub(crate) fn admit(
        &self,
        connection: &ConnectionRateLimit,
        demands: &[Demand<'_>],
    ) -> Result<(), (Exceeded, usize)> {
        let mut state = self.state();
        // Read under the lock, so that times do not go back from one request to the next.
        let now = self.now();
        if state.off {
            return Ok(());
        }
        let mut requests = connection.0.lock();
        if !requests.has(1.0, REQUEST_RATE, now) {
            return Err((Exceeded::Connection, 0));
        }
        requests.take(1.0);
        drop(requests);
        for (index, demand) in demands.iter().enumerate() {
            if let Err(exceeded) = state.take(demand, now) {
                // A request takes all that it needs or nothing.
                demands[..index].iter().for_each(|taken| state.charge(taken, -taken.units));
                return Err((exceeded, index));
            }
        }
        Ok(())
    }

    /// Charges what a read cost beyond the one unit it was admitted with.
    pub(crate) fn charge(&self, demand: &Demand<'_>, units: f64) {
        let mut state = self.state();
        if !state.off {
            state.charge(demand, units - demand.units);
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
            let since = self.set_at.remove(demand.table).unwrap_or(now);
            let new_buckets = |direction: Direction| {
                let rate = self.rate(&Demand { direction, ..demand.clone() });
                let level = if starts_full { rate.capacity } else { rate.per_second };
                TableBuckets { table: TokenBucket::new(level, since), partitions: HashMap::new() }
            };
            let buckets = [new_buckets(Direction::Read), new_buckets(Direction::Write)];
            self.tables.insert(demand.table.clone(), buckets);
        }
        let Some(buckets) = self.tables.get_mut(demand.table) else { return Ok(()) };
        let bucket = &mut buckets[demand.direction as usize];
        if !bucket.table.has(demand.units, rate, now) {
            return Err(Exceeded::Table);
        }
        if let Some(key) = demand.partition {
            let rate = partition_rate(demand.direction);
            if bucket.partitions.len() > MAX_PARTITIONS {
                bucket.partitions.retain(|_, partition| !partition.is_full(rate, now));
            }
            let partition = bucket.partitions.entry(key).or_insert_with(|| TokenBucket::new(rate.capacity, now));
            if !partition.has(demand.units, rate, now) {
                return Err(Exceeded::Partition);
            }
            partition.take(demand.units);
        }
        bucket.table.take(demand.units);
        Ok(())
    }

    /// Takes units without a check, or gives them back.
    fn charge(&mut self, demand: &Demand<'_>, units: f64) {
        let Some(buckets) = self.tables.get_mut(demand.table) else { return };
        let bucket = &mut buckets[demand.direction as usize];
        bucket.table.take(units);
        if let Some(partition) = demand.partition.and_then(|key| bucket.partitions.get_mut(&key)) {
            partition.take(units);
        }
    }

    fn rate(&self, demand: &Demand<'_>) -> Rate {
        let mode = self.overrides.get(demand.table).copied().unwrap_or(demand.mode);
        let (read, write) = units_per_second(mode);
        let per_second = match demand.direction {
            Direction::Read => read,
            Direction::Write => write,
        };
        let seconds = if mode == CapacityMode::OnDemand { 1.0 } else { BURST_SECONDS };
        Rate { per_second, capacity: per_second * seconds }
    }
}

fn partition_rate(direction: Direction) -> Rate {
    let units = match direction {
        Direction::Read => 3_000.0,
        Direction::Write => 1_000.0,
    };
    Rate { per_second: units, capacity: units }
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
        connection: ConnectionRateLimit,
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
            Self {
                connection: throttling.connection_rate_limit(),
                throttling,
                millis,
                table: SchemaObject::table("ks", "t"),
            }
        }

        fn pass(&self, millis: u64) {
            self.millis.fetch_add(millis, Ordering::SeqCst);
        }

        fn demand(&self, mode: CapacityMode, direction: Direction, units: f64, partition: Option<u64>) -> Demand<'_> {
            Demand { table: &self.table, mode, direction, units, partition }
        }

        /// The number of 100,000 writes of one unit that are admitted at once.
        fn writes(&self, mode: CapacityMode, partition: Option<u64>) -> (usize, Option<Exceeded>) {
            for done in 0..100_000 {
                // Each write has a new connection, because only the limits of tables and partitions are tested.
                let connection = self.throttling.connection_rate_limit();
                if let Err((exceeded, _)) =
                    self.throttling.admit(&connection, &[self.demand(mode, Direction::Write, 1.0, partition)])
                {
                    return (done, Some(exceeded));
                }
            }
            (100_000, None)
        }
    }

    const FIVE: CapacityMode = CapacityMode::Provisioned { read: 5, write: 5 };

    #[test]
    fn a_table_of_five_units_throttles_at_five_and_accumulates_300_seconds() {
        let fixture = Fixture::new();
        assert_eq!(fixture.writes(FIVE, None), (5, Some(Exceeded::Table)));
        fixture.pass(1_000);
        assert_eq!(fixture.writes(FIVE, None), (5, Some(Exceeded::Table)));
        fixture.pass(3_600_000);
        assert_eq!(fixture.writes(FIVE, None), (1_500, Some(Exceeded::Table)));
    }

    #[test]
    fn a_table_whose_capacity_was_set_accumulates_units_before_its_first_use() {
        let fixture = Fixture::new();
        fixture.throttling.set_capacity("ks", "t", Some(FIVE));
        fixture.pass(10_000);
        assert_eq!(fixture.writes(CapacityMode::OnDemand, None).0, 55);
        fixture.pass(10_000);
        assert_eq!(fixture.writes(CapacityMode::OnDemand, None).0, 50);
        fixture.throttling.set_capacity("ks", "t", Some(FIVE));
        assert_eq!(fixture.writes(CapacityMode::OnDemand, None).0, 5);
    }

    #[test]
    fn changing_the_mode_changes_the_capacity() {
        let fixture = Fixture::new();
        assert_eq!(fixture.writes(FIVE, None).0, 5);
        fixture.pass(1_000);
        assert_eq!(fixture.writes(CapacityMode::Provisioned { read: 5, write: 50 }, None).0, 50);
        fixture.pass(1_000);
        assert_eq!(fixture.writes(CapacityMode::OnDemand, None), (4_000, Some(Exceeded::Table)));
        fixture.throttling.set_capacity("ks", "t", Some(FIVE));
        assert_eq!(fixture.writes(CapacityMode::OnDemand, None).0, 5);
        fixture.throttling.set_capacity("ks", "t", None);
        assert_eq!(fixture.writes(CapacityMode::OnDemand, None).0, 4_000);
        fixture.throttling.set_enabled(false);
        assert_eq!(fixture.writes(CapacityMode::OnDemand, None).0, 100_000);
    }

    #[test]
    fn partition_capacity_is_1000_write_units_per_second() {
        let fixture = Fixture::new();
        assert_eq!(fixture.writes(CapacityMode::OnDemand, Some(1)), (1_000, Some(Exceeded::Partition)));
        assert_eq!(fixture.writes(CapacityMode::OnDemand, Some(2)), (1_000, Some(Exceeded::Partition)));
        fixture.pass(500);
        assert_eq!(fixture.writes(CapacityMode::OnDemand, Some(1)), (500, Some(Exceeded::Partition)));
    }

    #[test]
    fn connection_capacity_is_3000_requests_per_second() {
        let fixture = Fixture::new();
        let read = || fixture.demand(CapacityMode::OnDemand, Direction::Read, 0.5, None);
        let done = (0..4_000).take_while(|_| fixture.throttling.admit(&fixture.connection, &[read()]).is_ok()).count();
        assert_eq!(done, 3_000);
        assert_eq!(fixture.throttling.admit(&fixture.connection, &[read()]), Err((Exceeded::Connection, 0)));
        fixture.pass(1);
        assert_eq!(fixture.throttling.admit(&fixture.connection, &[read()]), Ok(()));
    }

    #[test]
    fn a_read_needs_one_unit_before_and_takes_the_others_after_it() {
        let fixture = Fixture::new();
        let read = [fixture.demand(FIVE, Direction::Read, 1.0, None)];
        assert_eq!(fixture.throttling.admit(&fixture.connection, &read), Ok(()));
        fixture.throttling.charge(&read[0], 14.0);
        fixture.pass(1_000);
        assert_eq!(fixture.throttling.admit(&fixture.connection, &read), Err((Exceeded::Table, 0)));
        fixture.pass(1_000);
        assert_eq!(fixture.throttling.admit(&fixture.connection, &read), Ok(()));
    }

    #[test]
    fn a_batch_takes_all_of_its_units_or_none() {
        let fixture = Fixture::new();
        let other = SchemaObject::table("ks", "other");
        let both = [
            fixture.demand(FIVE, Direction::Write, 3.0, Some(1)),
            Demand { table: &other, ..fixture.demand(FIVE, Direction::Write, 9.0, None) },
        ];
        assert_eq!(fixture.throttling.admit(&fixture.connection, &both), Err((Exceeded::Table, 1)));
        assert_eq!(fixture.writes(FIVE, Some(1)).0, 5);
    }

    #[test]
    fn token_buckets_can_start_full() {
        let fixture = Fixture { throttling: Throttling::new(Arc::new(SystemTime::now), false, true), ..Fixture::new() };
        assert!(fixture.writes(FIVE, None).0 >= 1_500);
    }
}
