//! A metric with a statistic, and with values for its dimensions.

use std::fmt;
use std::marker::PhantomData;

use super::{
    Dimension, Operation, PerAccount, PerOperation, PerReplica, PerStream, PerTable, Statistic, StreamOperation, Unit,
};

/// A metric with one of its statistics. `series` adds the values of its dimensions.
#[derive(Debug)]
pub struct Measure<D> {
    name: &'static str,
    unit: Unit,
    statistic: Statistic,
    dimensions: PhantomData<D>,
}

/// One time series: a metric, a statistic that is valid for it, and a value for each of its dimensions.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Series {
    name: &'static str,
    unit: Unit,
    statistic: Statistic,
    dimensions: Vec<(Dimension, String)>,
}

impl<D> Measure<D> {
    pub(super) const fn new(name: &'static str, unit: Unit, statistic: Statistic) -> Self {
        Self { name, unit, statistic, dimensions: PhantomData }
    }

    fn with_dimensions(self, dimensions: Vec<(Dimension, String)>) -> Series {
        Series { name: self.name, unit: self.unit, statistic: self.statistic, dimensions }
    }
}

impl<D> Clone for Measure<D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D> Copy for Measure<D> {}

impl Measure<PerAccount> {
    /// The time series of the account.
    #[must_use]
    pub fn series(self) -> Series {
        self.with_dimensions(Vec::new())
    }
}

impl Measure<PerTable> {
    /// The time series of a table.
    #[must_use]
    pub fn series(self, keyspace: &str, table: &str) -> Series {
        self.with_dimensions(table_dimensions(keyspace, table))
    }
}

impl Measure<PerOperation> {
    /// The time series of one kind of statement on a table.
    #[must_use]
    pub fn series(self, keyspace: &str, table: &str, operation: Operation) -> Series {
        let mut dimensions = table_dimensions(keyspace, table);
        dimensions.push((Dimension::Operation, operation.name().to_owned()));
        self.with_dimensions(dimensions)
    }
}

impl Measure<PerReplica> {
    /// The time series of a table's replication to one Region, with the dimensions of AWS's own dashboard template
    /// (`aws-samples/amazon-keyspaces-cloudwatch-cloudformation-templates`).
    #[must_use]
    pub fn series(self, keyspace: &str, table: &str, receiving_region: &str) -> Series {
        let mut dimensions = table_dimensions(keyspace, table);
        dimensions.push((Dimension::ReceivingRegion, receiving_region.to_owned()));
        self.with_dimensions(dimensions)
    }

    /// The same time series with the dimensions that `DG:metrics-dimensions` names, which omit the keyspace. It is
    /// unverified which of the two is right, so an alarm has to watch both.
    #[must_use]
    pub fn series_without_keyspace(self, table: &str, receiving_region: &str) -> Series {
        self.with_dimensions(vec![
            (Dimension::TableName, table.to_owned()),
            (Dimension::ReceivingRegion, receiving_region.to_owned()),
        ])
    }
}

impl Measure<PerStream> {
    /// The time series of one call of the streams API on a stream of a table.
    #[must_use]
    pub fn series(self, keyspace: &str, table: &str, stream_label: &str, operation: StreamOperation) -> Series {
        let mut dimensions = table_dimensions(keyspace, table);
        dimensions.push((Dimension::StreamLabel, stream_label.to_owned()));
        dimensions.push((Dimension::Operation, operation.name().to_owned()));
        self.with_dimensions(dimensions)
    }
}

fn table_dimensions(keyspace: &str, table: &str) -> Vec<(Dimension, String)> {
    vec![(Dimension::Keyspace, keyspace.to_owned()), (Dimension::TableName, table.to_owned())]
}

impl Series {
    /// The name of the metric.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The unit of the metric.
    #[must_use]
    pub fn unit(&self) -> Unit {
        self.unit
    }

    /// The statistic.
    #[must_use]
    pub fn statistic(&self) -> Statistic {
        self.statistic
    }

    /// The dimensions with their values.
    #[must_use]
    pub fn dimensions(&self) -> &[(Dimension, String)] {
        &self.dimensions
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.statistic, self.name)?;
        for (index, (dimension, value)) in self.dimensions.iter().enumerate() {
            write!(f, "{}{dimension}={value}", if index == 0 { " {" } else { ", " })?;
        }
        if self.dimensions.is_empty() { Ok(()) } else { f.write_str("}") }
    }
}
