//! The dimensions and the statistics that a metric may have, as types.

use super::Dimension::{Keyspace, Operation, ReceivingRegion, StreamLabel, TableName};
use super::Statistic::{Average, Maximum, Minimum, SampleCount, Sum};
use super::{Dimension, Statistic};

mod sealed {
    pub trait Sealed {}
}

/// The dimensions of a metric.
pub trait DimensionSet: sealed::Sealed {
    /// The names of the dimensions.
    const DIMENSIONS: &'static [Dimension];
}

/// The statistics that are valid for a metric.
pub trait StatisticSet: sealed::Sealed {
    /// The names of the statistics.
    const STATISTICS: &'static [Statistic];
}

macro_rules! dimension_sets {
    ($($(#[$doc:meta])* $name:ident: $dimensions:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name;

        impl sealed::Sealed for $name {}

        impl DimensionSet for $name {
            const DIMENSIONS: &'static [Dimension] = &$dimensions;
        }
    )*};
}

dimension_sets! {
    /// No dimension: one value for the account in its Region.
    PerAccount: [];
    /// One value for a table.
    PerTable: [Keyspace, TableName];
    /// One value for each kind of statement on a table.
    PerOperation: [Keyspace, TableName, Operation];
    /// One value for each Region that a table is replicated to.
    PerReplica: [Keyspace, TableName, ReceivingRegion];
    /// One value for each call of the streams API on a table's change data capture stream.
    PerStream: [Keyspace, TableName, StreamLabel, Operation];
}

macro_rules! statistic_traits {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        pub trait $name: StatisticSet {}
    )*};
}

statistic_traits! {
    /// `Average` is valid.
    HasAverage;
    /// `Maximum` is valid.
    HasMaximum;
    /// `Minimum` is valid.
    HasMinimum;
    /// `SampleCount` is valid.
    HasSampleCount;
    /// `Sum` is valid.
    HasSum;
}

macro_rules! statistic_sets {
    ($($(#[$doc:meta])* $name:ident: $($statistic:ident $bound:ident),*;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name;

        impl sealed::Sealed for $name {}

        impl StatisticSet for $name {
            const STATISTICS: &'static [Statistic] = &[$($statistic),*];
        }

        $(impl $bound for $name {})*
    )*};
}

statistic_sets! {
    /// All five statistics.
    AnyStatistic: Average HasAverage, Maximum HasMaximum, Minimum HasMinimum, SampleCount HasSampleCount, Sum HasSum;
    /// The statistics of a level that is reported, such as a capacity or a size.
    Levels: Average HasAverage, Maximum HasMaximum, Minimum HasMinimum;
    /// The statistics of request durations. The page's text also mentions Sum, but its list does not.
    Latencies: Average HasAverage, Maximum HasMaximum, Minimum HasMinimum, SampleCount HasSampleCount;
    /// The statistics of events.
    SumAndSampleCount: Sum HasSum, SampleCount HasSampleCount;
    /// The statistic of counted requests.
    OnlySampleCount: SampleCount HasSampleCount;
    /// The statistic of deleted rows.
    OnlySum: Sum HasSum;
    /// The statistic of a quota.
    OnlyMaximum: Maximum HasMaximum;
}
