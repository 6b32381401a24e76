#![doc = include_str!("monitoring.md")]

mod alarm;
mod cloudformation;
#[cfg(feature = "cloudwatch")]
mod cloudwatch;
mod command_line;
mod dashboard;
mod expression;
mod period;
mod recommended;
mod table;
mod terraform;
#[cfg(test)]
mod tests;
mod topic;

pub use alarm::{Alarm, Comparison, MissingData};
pub use cloudformation::cloudformation;
#[cfg(feature = "cloudwatch")]
pub use cloudwatch::{AlarmChange, AlarmPlan, Latency, OperationMetrics, TableMetrics, plan_alarms, read_metrics};
pub use command_line::put_metric_alarm_input;
pub use dashboard::{Dashboard, Line, Widget};
pub use expression::Expression;
pub use period::Period;
pub use recommended::{recommended, throttled_requests};
pub use table::Table;
pub use terraform::terraform;
pub use topic::Topic;

#[doc(inline)]
pub use keyspaces_cql::metrics;

/// The SDK whose client [`plan_alarms`] and [`read_metrics`] take.
#[cfg(feature = "cloudwatch")]
pub use aws_sdk_cloudwatch;
