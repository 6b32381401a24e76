use std::str::FromStr;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use clap::Args;
use keyspaces::monitoring::{self, OperationMetrics, Table, TableMetrics};
use serde_json::{Value, json};

use super::bulk::TableName;
use crate::cloudwatch;
use crate::failure::{Failure, Status};
use crate::output::{self, SummaryFormat};
use crate::settings::Settings;

const EXAMPLE: &str = "\
Example:
  keyspaces metrics shop.users --region us-east-1                 # the last hour
  keyspaces metrics shop.users --last 7d --format json

CloudWatch has the metrics one or two minutes after the requests. They are 0 for a table that was
not used or does not exist. The credentials come from the AWS default chain, and need the permission
cloudwatch:GetMetricData.";

/// Print the requests, throttles, errors and units of a table from CloudWatch
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Metrics {
    /// Table
    #[arg(value_name = "KEYSPACE.TABLE")]
    table: TableName,
    /// Lookback of the period, in minutes, hours or days
    #[arg(long, value_name = "DURATION", default_value = "1h")]
    last: Lookback,
    /// End of the period, in RFC 3339 [default: now]
    #[arg(long, value_name = "TIME")]
    until: Option<DateTime<Utc>>,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: SummaryFormat,
    #[command(flatten)]
    pub(super) connection: Settings,
}

/// `90m`, `1h` or `7d`
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Lookback(Duration);

impl FromStr for Lookback {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let units = [('m', 60), ('h', 3_600), ('d', 86_400)];
        let length = units.into_iter().find_map(|(unit, seconds)| {
            let number: u32 = text.strip_suffix(unit)?.parse().ok()?;
            Some(Duration::from_secs(u64::from(number) * seconds))
        });
        // CloudWatch keeps data points for 15 months.
        let is_kept = |length: &Duration| !length.is_zero() && length.as_secs() <= 455 * 86_400;
        length.filter(is_kept).map(Self).ok_or("expected minutes, hours or days, up to 455 days, such as 90m, 1h or 7d")
    }
}

impl Metrics {
    pub(crate) async fn run(self) -> Result<Status, Failure> {
        let table = Table::new(&self.table.keyspace, &self.table.table)?;
        let client = cloudwatch::client(self.connection).await?;
        let until = self.until.map_or_else(SystemTime::now, SystemTime::from);
        let metrics = monitoring::read_metrics(&client, &table, until - self.last.0..until).await?;
        match self.format {
            SummaryFormat::Human => output::print(format_args!("{metrics}\n"))?,
            SummaryFormat::Json => output::print(format_args!("{}\n", as_json(&metrics)))?,
        }
        Ok(Status::Success)
    }
}

fn as_json(metrics: &TableMetrics) -> Value {
    let operations: Vec<Value> = metrics.operations.iter().map(operation).collect();
    json!({
        "consumed_read_units": metrics.consumed_read_units,
        "consumed_write_units": metrics.consumed_write_units,
        "failed_conditions": metrics.failed_conditions,
        "operations": operations,
    })
}

fn operation(metrics: &OperationMetrics) -> Value {
    json!({
        "operation": metrics.operation.name(),
        "successful_requests": metrics.successful_requests,
        "throttled": metrics.throttled,
        "over_partition_capacity": metrics.over_partition_capacity,
        "over_connection_rate": metrics.over_connection_rate,
        "system_errors": metrics.system_errors,
        "user_errors": metrics.user_errors,
        "average_latency": metrics.latency.map(|latency| latency.average.as_secs_f64()),
        "maximum_latency": metrics.latency.map(|latency| latency.maximum.as_secs_f64()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lookback_requires_a_unit_and_is_at_most_455_days() {
        for (text, minutes) in [("90m", 90), ("1h", 60), ("7d", 7 * 24 * 60), ("455d", 455 * 24 * 60)] {
            assert_eq!(text.parse(), Ok(Lookback(Duration::from_secs(minutes * 60))), "{text}");
        }
        for text in ["", "1", "h", "0h", "-1h", "1w", "456d", "1.5h", "99999999999d"] {
            assert!(text.parse::<Lookback>().is_err(), "{text}");
        }
    }
}
