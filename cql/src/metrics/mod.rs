//! The CloudWatch metrics of Amazon Keyspaces as data and as types. Code that names a metric, dimension or statistic that
//! does not exist does not compile.
//!
//! ```
//! use keyspaces_cql::metrics::{self, Operation};
//!
//! let throttled = metrics::READ_THROTTLE_EVENTS.sum().series("shop", "orders", Operation::Select);
//! assert_eq!(throttled.to_string(), "Sum of ReadThrottleEvents {Keyspace=shop, TableName=orders, Operation=SELECT}");
//! ```
//!
//! `ReadThrottleEvents` has no average, and no series for a table as a whole:
//!
//! ```compile_fail,E0599
//! keyspaces_cql::metrics::READ_THROTTLE_EVENTS.average();
//! ```
//!
//! ```compile_fail,E0061
//! keyspaces_cql::metrics::READ_THROTTLE_EVENTS.sum().series("shop", "orders");
//! ```
//!
//! `SuccessfulRequestCount` has only a SampleCount, and `ThrottledRequests` does not exist:
//!
//! ```compile_fail,E0599
//! keyspaces_cql::metrics::SUCCESSFUL_REQUEST_COUNT.sum();
//! ```
//!
//! ```compile_fail,E0425
//! keyspaces_cql::metrics::THROTTLED_REQUESTS;
//! ```
//!
//! The source of everything here is `DG:metrics-dimensions`, the page "Amazon Keyspaces metrics and dimensions" of the
//! Developer Guide, unless a metric names another source.

mod catalogue;
mod kinds;
mod series;

pub use catalogue::*;
pub use kinds::{
    AnyStatistic, DimensionSet, HasAverage, HasMaximum, HasMinimum, HasSampleCount, HasSum, Latencies, Levels,
    OnlyMaximum, OnlySampleCount, OnlySum, PerAccount, PerOperation, PerReplica, PerStream, PerTable, StatisticSet,
    SumAndSampleCount,
};
pub use series::{Measure, Series};

use std::fmt;
use std::marker::PhantomData;

/// The CloudWatch namespace of every metric here.
pub const NAMESPACE: &str = "AWS/Cassandra";

/// A metric: `D` are its dimensions, `S` the statistics that are valid for it.
///
/// The metrics are the constants of this module. [`all`] lists them as data.
#[derive(Debug)]
pub struct Metric<D, S> {
    name: &'static str,
    unit: Unit,
    emitted: &'static str,
    source: &'static str,
    kind: PhantomData<(D, S)>,
}

/// The facts about a metric.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Description {
    /// The name in CloudWatch.
    pub name: &'static str,
    /// The unit of its values.
    pub unit: Unit,
    /// The names of the dimensions. CloudWatch finds data only under exactly this set.
    pub dimensions: &'static [Dimension],
    /// The statistics that are valid for it.
    pub statistics: &'static [Statistic],
    /// The events that the metric counts, and when data points appear.
    pub emitted: &'static str,
    /// The source of these facts.
    pub source: &'static str,
}

/// The unit of a metric's values.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[allow(missing_docs, reason = "CloudWatch's own names")]
pub enum Unit {
    Bytes,
    Count,
    Milliseconds,
    Percent,
}

/// A dimension of `AWS/Cassandra`. The dimension for the keyspace is `Keyspace`, not `KeyspaceName`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[allow(missing_docs, reason = "CloudWatch's own names")]
pub enum Dimension {
    Keyspace,
    TableName,
    Operation,
    ReceivingRegion,
    StreamLabel,
}

/// A CloudWatch statistic.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[allow(missing_docs, reason = "CloudWatch's own names")]
pub enum Statistic {
    Average,
    Maximum,
    Minimum,
    SampleCount,
    Sum,
}

/// A value of the dimension `Operation` for a table: a kind of statement.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[allow(missing_docs, reason = "CQL's own names")]
pub enum Operation {
    Select,
    Insert,
    Update,
    Delete,
    Batch,
}

/// A value of the dimension `Operation` for a change data capture stream: a call of the streams API.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[allow(missing_docs, reason = "the streams API's own names")]
pub enum StreamOperation {
    GetRecords,
    GetShardIterator,
    GetStream,
    ListStreams,
}

impl<D: DimensionSet, S: StatisticSet> Metric<D, S> {
    const fn new(name: &'static str, unit: Unit, emitted: &'static str) -> Self {
        Self { name, unit, emitted, source: "DG:metrics-dimensions", kind: PhantomData }
    }

    const fn with_source(mut self, source: &'static str) -> Self {
        self.source = source;
        self
    }

    /// The name in CloudWatch.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// The metric as data.
    #[must_use]
    pub const fn description(self) -> Description {
        Description {
            name: self.name,
            unit: self.unit,
            dimensions: D::DIMENSIONS,
            statistics: S::STATISTICS,
            emitted: self.emitted,
            source: self.source,
        }
    }

    const fn measure(self, statistic: Statistic) -> Measure<D> {
        Measure::new(self.name, self.unit, statistic)
    }
}

macro_rules! statistics {
    ($($(#[$doc:meta])* $method:ident $bound:ident $statistic:ident;)*) => {$(
        impl<D: DimensionSet, S: $bound> Metric<D, S> {
            $(#[$doc])*
            #[must_use]
            pub const fn $method(self) -> Measure<D> {
                self.measure(Statistic::$statistic)
            }
        }
    )*};
}

statistics! {
    /// The average of the values in a period.
    average HasAverage Average;
    /// The highest value in a period.
    maximum HasMaximum Maximum;
    /// The lowest value in a period.
    minimum HasMinimum Minimum;
    /// The number of values that were reported in a period.
    sample_count HasSampleCount SampleCount;
    /// The sum of the values in a period.
    sum HasSum Sum;
}

impl<D, S> Clone for Metric<D, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D, S> Copy for Metric<D, S> {}

impl Description {
    /// Whether a statistic is valid for the metric.
    #[must_use]
    pub fn has(&self, statistic: Statistic) -> bool {
        self.statistics.contains(&statistic)
    }
}

impl Operation {
    /// Every operation on a table.
    pub const ALL: [Self; 5] = [Self::Select, Self::Insert, Self::Update, Self::Delete, Self::Batch];

    /// The operations that write.
    pub const WRITES: [Self; 4] = [Self::Insert, Self::Update, Self::Delete, Self::Batch];

    /// The value of the dimension.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Select => "SELECT",
            Self::Insert => "INSERT",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Batch => "BATCH",
        }
    }
}

impl StreamOperation {
    /// Every operation on a stream.
    pub const ALL: [Self; 4] = [Self::GetRecords, Self::GetShardIterator, Self::GetStream, Self::ListStreams];

    /// The value of the dimension.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::GetRecords => "GetRecords",
            Self::GetShardIterator => "GetShardIterator",
            Self::GetStream => "GetStream",
            Self::ListStreams => "ListStreams",
        }
    }
}

impl Statistic {
    /// Every statistic except percentiles.
    pub const ALL: [Self; 5] = [Self::Average, Self::Maximum, Self::Minimum, Self::SampleCount, Self::Sum];

    /// The name in CloudWatch.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Average => "Average",
            Self::Maximum => "Maximum",
            Self::Minimum => "Minimum",
            Self::SampleCount => "SampleCount",
            Self::Sum => "Sum",
        }
    }

    /// The statistic of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|statistic| statistic.name() == name)
    }
}

impl Dimension {
    /// The name in CloudWatch.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Keyspace => "Keyspace",
            Self::TableName => "TableName",
            Self::Operation => "Operation",
            Self::ReceivingRegion => "ReceivingRegion",
            Self::StreamLabel => "StreamLabel",
        }
    }
}

impl Unit {
    /// The name in CloudWatch.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bytes => "Bytes",
            Self::Count => "Count",
            Self::Milliseconds => "Milliseconds",
            Self::Percent => "Percent",
        }
    }
}

macro_rules! display_name {
    ($($name:ty),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    )*};
}

display_name!(Dimension, Operation, Statistic, StreamOperation, Unit);
