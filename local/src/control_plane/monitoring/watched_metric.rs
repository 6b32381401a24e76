//! A metric as a request names it, and the service's metric of that name.

use keyspaces_cql::metrics::{self, Description, NAMESPACE, Statistic};
use serde::{Deserialize, Serialize};

use crate::metering::Operation;
use crate::names::SchemaObject;

/// A metric with its dimensions and statistic. CloudWatch accepts it even if it does not exist.
#[derive(Clone, Debug)]
pub(super) struct WatchedMetric {
    pub(super) namespace: String,
    pub(super) metric_name: String,
    pub(super) dimensions: Dimensions,
    pub(super) statistic: Statistic,
}

pub(super) type Dimensions = Vec<Dimension>;

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Dimension {
    pub(super) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<String>,
}

/// The subject of a metric: a table, or the account, which has no dimensions.
pub(super) enum Subject {
    Account,
    Table(SchemaObject),
    Operation(SchemaObject, Operation),
}

impl WatchedMetric {
    /// The service's metric of this name, if there is one.
    pub(super) fn description(&self) -> Option<Description> {
        if self.namespace != NAMESPACE {
            return None;
        }
        // Metrics of streams share names with others, and have no data here.
        metrics::with_name(&self.metric_name)
            .find(|metric| !metric.dimensions.contains(&metrics::Dimension::StreamLabel))
    }

    /// The subject, if the dimensions are exactly those of the metric, in any order.
    pub(super) fn subject(&self) -> Option<Subject> {
        let metric = self.description()?;
        if metric.dimensions.len() != self.dimensions.len() {
            return None;
        }
        let value = |requested: metrics::Dimension| {
            let is_requested = |dimension: &&Dimension| dimension.name.as_deref() == Some(requested.name());
            self.dimensions.iter().find(is_requested)?.value.as_deref()
        };
        let table =
            || Some(SchemaObject::table(value(metrics::Dimension::Keyspace)?, value(metrics::Dimension::TableName)?));
        match metric.dimensions {
            [] => Some(Subject::Account),
            [_, _] => Some(Subject::Table(table()?)),
            [_, _, metrics::Dimension::Operation] => {
                let name = value(metrics::Dimension::Operation)?;
                let operation = Operation::ALL.into_iter().find(|operation| operation.name() == name)?;
                Some(Subject::Operation(table()?, operation))
            }
            _ => None,
        }
    }

    /// The service's metric, if this statistic is not valid for it.
    pub(super) fn lacks_statistic(&self, statistic: Statistic) -> Option<Description> {
        self.description().filter(|metric| !metric.has(statistic))
    }
}
