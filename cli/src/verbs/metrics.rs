use std::str::FromStr;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};
use keyspaces::monitoring::{self, OperationMetrics, Table, TableMetrics};
use serde_json::{Value, json};

use super::bulk::TableName;
use crate::failure::{Failure, Status};
use crate::output;
use crate::settings::Settings;

const EXAMPLE: &str = "\
Example:
  keyspaces metrics shop.users --region us-east-1                 # of the last hour
  keyspaces metrics shop.users --last 7d --format json

CloudWatch has the figures a minute or two after the requests. All of them are 0 for a table that
was not used or does not exist. Credentials come from the AWS default chain; they need
cloudwatch:GetMetricData.";

/// Print what CloudWatch counted for a table: requests, throttles, errors, units
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Metrics {
    /// The table
    #[arg(value_name = "KEYSPACE.TABLE")]
    table: TableName,
    /// For how long, in minutes, hours or days
    #[arg(long, value_name = "TIME", default_value = "1h")]
    last: Length,
    /// Until when, in RFC 3339 [default: now]
    #[arg(long, value_name = "MOMENT")]
    until: Option<DateTime<Utc>>,
    /// How to write the figures
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Format,
    #[command(flatten)]
    place: Settings,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// A line for each kind of statement
    Human,
    /// One JSON object, times in seconds
    Json,
}

/// `90m`, `1h` or `7d`
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Length(Duration);

impl FromStr for Length {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let units = [('m', 60), ('h', 3_600), ('d', 86_400)];
        let length = units.into_iter().find_map(|(unit, seconds)| {
            let number: u32 = text.strip_suffix(unit)?.parse().ok()?;
            Some(Duration::from_secs(u64::from(number) * seconds))
        });
        // CloudWatch keeps data points for 15 months.
        let kept = |length: &Duration| !length.is_zero() && length.as_secs() <= 455 * 86_400;
        length.filter(kept).map(Self).ok_or("write minutes, hours or days, up to 455 days, as 90m, 1h or 7d")
    }
}

impl Metrics {
    pub(crate) async fn run(self) -> Result<Status, Failure> {
        let table = Table::new(&self.table.keyspace, &self.table.table)?;
        let client = self.place.cloudwatch().await?;
        let until = self.until.map_or_else(SystemTime::now, SystemTime::from);
        let metrics = monitoring::read(&client, &table, until - self.last.0..until).await?;
        match self.format {
            Format::Human => output::answer(format_args!("{metrics}\n"))?,
            Format::Json => output::answer(format_args!("{}\n", as_json(&metrics)))?,
        }
        Ok(Status::Done)
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
    fn a_length_has_a_unit_and_is_what_cloudwatch_keeps() {
        for (text, minutes) in [("90m", 90), ("1h", 60), ("7d", 7 * 24 * 60), ("455d", 455 * 24 * 60)] {
            assert_eq!(text.parse(), Ok(Length(Duration::from_secs(minutes * 60))), "{text}");
        }
        for text in ["", "1", "h", "0h", "-1h", "1w", "456d", "1.5h", "99999999999d"] {
            assert!(text.parse::<Length>().is_err(), "{text}");
        }
    }
}
