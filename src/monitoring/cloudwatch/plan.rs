use std::collections::HashMap;
use std::fmt;

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::types::{ComparisonOperator, Dimension, MetricAlarm, MetricDataQuery, Statistic};
use keyspaces_cql::metrics::NAMESPACE;

use super::failure::request_error;
use super::{dimensions, query, seconds};
use crate::Error;
use crate::monitoring::{Alarm, Topic};
use crate::saturated::saturated;

/// The changes that sending alarms would make. Its `Display` has a line for each alarm.
#[derive(Clone, Debug)]
#[must_use = "a plan changes nothing until it is applied"]
pub struct AlarmPlan {
    changes: Vec<(Alarm, AlarmChange)>,
}

/// The change of one alarm.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum AlarmChange {
    /// No alarm of this name exists.
    Create,
    /// The alarm of this name differs in these members.
    Replace(Vec<&'static str>),
    /// The alarm of this name is the same.
    Unchanged,
}

/// Compares alarms with the existing alarms of the same names. Changes nothing, and ignores other alarms.
///
/// ```no_run
/// # async fn run() -> Result<(), keyspaces::Error> {
/// use keyspaces::monitoring::{self, Table, aws_sdk_cloudwatch, recommended};
/// # let config = aws_sdk_cloudwatch::Config::builder().build();
///
/// let client = aws_sdk_cloudwatch::Client::from_conf(config);
/// let plan = monitoring::plan_alarms(&client, recommended(&Table::new("shop", "orders")?)).await?;
/// println!("{plan}");
/// plan.apply(&client).await?;
/// # Ok(()) }
/// ```
///
/// The future may be dropped at any time.
///
/// # Errors
///
/// `Unauthorized` (the principal needs `cloudwatch:DescribeAlarms`), `Throttled`, `Refused`, `Timeout`, `Server` and
/// `ConnectionLost`, as reported by CloudWatch or the SDK.
pub async fn plan_alarms(client: &Client, alarms: impl IntoIterator<Item = Alarm>) -> Result<AlarmPlan, Error> {
    /// The maximum number of names and alarms in one DescribeAlarms.
    const MAX_NAMES: usize = 100;
    let alarms: Vec<Alarm> = alarms.into_iter().collect();
    let mut existing = HashMap::new();
    for chunk in alarms.chunks(MAX_NAMES) {
        let names: Vec<String> = chunk.iter().map(|alarm| alarm.name.clone()).collect();
        let max_records = saturated::<i32>(MAX_NAMES);
        let described = client.describe_alarms().set_alarm_names(Some(names)).max_records(max_records).send().await;
        let described = described.map_err(|error| request_error("describing the existing alarms".to_owned(), error))?;
        let described = described.metric_alarms.unwrap_or_default().into_iter();
        existing.extend(described.map(|alarm| (alarm.alarm_name.clone().unwrap_or_default(), alarm)));
    }
    let change = |alarm: Alarm| {
        let change = match existing.get(&alarm.name) {
            None => AlarmChange::Create,
            Some(existing) => match differences(&alarm, existing) {
                differences if differences.is_empty() => AlarmChange::Unchanged,
                differences => AlarmChange::Replace(differences),
            },
        };
        (alarm, change)
    };
    Ok(AlarmPlan { changes: alarms.into_iter().map(change).collect() })
}

impl AlarmPlan {
    /// Each alarm with its change.
    pub fn changes(&self) -> impl Iterator<Item = (&Alarm, &AlarmChange)> {
        self.changes.iter().map(|(alarm, change)| (alarm, change))
    }

    /// Whether nothing has to change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.iter().all(|(_, change)| *change == AlarmChange::Unchanged)
    }

    /// Sends the alarms that change, one after the other. An alarm is replaced as a whole. After an error, plan again: the new
    /// plan has the remaining alarms.
    ///
    /// If the future is dropped, a request that was sent may still be carried out.
    ///
    /// # Errors
    ///
    /// The errors of [`plan_alarms`]; the principal needs `cloudwatch:PutMetricAlarm`. The error names the alarm; those before it
    /// were sent.
    pub async fn apply(&self, client: &Client) -> Result<(), Error> {
        for (alarm, change) in &self.changes {
            if *change != AlarmChange::Unchanged {
                send(client, alarm).await?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for AlarmPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (alarm, change) in &self.changes {
            match change {
                AlarmChange::Create => writeln!(f, "create    {}", alarm.name)?,
                AlarmChange::Replace(members) => writeln!(f, "replace   {} ({})", alarm.name, members.join(", "))?,
                AlarmChange::Unchanged => writeln!(f, "unchanged {}", alarm.name)?,
            }
        }
        Ok(())
    }
}

async fn send(client: &Client, alarm: &Alarm) -> Result<(), Error> {
    let metrics = AlarmMetrics::of(alarm);
    client
        .put_metric_alarm()
        .alarm_name(&alarm.name)
        .alarm_description(&alarm.description)
        .actions_enabled(true)
        .set_alarm_actions(Some(arns(&alarm.alarm_actions)))
        .set_ok_actions(Some(arns(&alarm.ok_actions)))
        .comparison_operator(alarm.comparison.operator().into())
        .threshold(alarm.comparison.threshold())
        .evaluation_periods(count(alarm.evaluation_periods))
        .datapoints_to_alarm(count(alarm.datapoints_to_alarm))
        .treat_missing_data(alarm.missing_data.name())
        .set_namespace(metrics.namespace)
        .set_metric_name(metrics.metric_name)
        .set_dimensions(metrics.dimensions)
        .set_statistic(metrics.statistic)
        .set_period(metrics.period)
        .set_metrics(metrics.metrics)
        .send()
        .await
        .map_err(|error| request_error(format!("sending the alarm {:?}", alarm.name), error))?;
    Ok(())
}

/// The metrics that an alarm watches: a single metric, or queries.
#[derive(Debug, PartialEq)]
struct AlarmMetrics {
    namespace: Option<String>,
    metric_name: Option<String>,
    dimensions: Option<Vec<Dimension>>,
    statistic: Option<Statistic>,
    period: Option<i32>,
    metrics: Option<Vec<MetricDataQuery>>,
}

impl AlarmMetrics {
    fn of(alarm: &Alarm) -> Self {
        let nothing =
            Self { namespace: None, metric_name: None, dimensions: None, statistic: None, period: None, metrics: None };
        let queries = alarm.expression.queries();
        match (queries.text, queries.metrics.as_slice()) {
            (None, [(_, series)]) => Self {
                namespace: Some(NAMESPACE.to_owned()),
                metric_name: Some(series.name().to_owned()),
                dimensions: Some(dimensions(series)),
                statistic: Some(series.statistic().name().into()),
                period: Some(seconds(alarm.period)),
                ..nothing
            },
            (text, metrics) => {
                let watched = MetricDataQuery::builder().id("watched").set_expression(text).label(&alarm.name);
                let mut all = vec![watched.return_data(true).build()];
                all.extend(metrics.iter().map(|(id, series)| query(id, series, alarm.period, false)));
                Self { metrics: Some(all), ..nothing }
            }
        }
    }

    fn of_existing(existing: &MetricAlarm) -> Self {
        Self {
            namespace: existing.namespace.clone(),
            metric_name: existing.metric_name.clone(),
            dimensions: existing.dimensions.clone(),
            statistic: existing.statistic.clone(),
            period: existing.period,
            metrics: existing.metrics.clone(),
        }
    }

    /// Sorts the lists whose order has no meaning, and replaces empty lists by `None`.
    fn normalised(mut self) -> Self {
        let sorted = |dimensions: Option<Vec<Dimension>>| {
            let mut dimensions = dimensions.filter(|dimensions| !dimensions.is_empty())?;
            dimensions.sort_by(|one, other| one.name.cmp(&other.name));
            Some(dimensions)
        };
        self.dimensions = sorted(self.dimensions);
        self.metrics = self.metrics.filter(|metrics| !metrics.is_empty());
        for query in self.metrics.iter_mut().flatten() {
            if let Some(metric) = query.metric_stat.as_mut().and_then(|stat| stat.metric.as_mut()) {
                metric.dimensions = sorted(metric.dimensions.take());
            }
        }
        if let Some(metrics) = &mut self.metrics {
            metrics.sort_by(|one, other| one.id.cmp(&other.id));
        }
        self
    }
}

/// The members of PutMetricAlarm in which the alarms differ.
fn differences(alarm: &Alarm, existing: &MetricAlarm) -> Vec<&'static str> {
    let list = |arns: &Option<Vec<String>>| arns.clone().unwrap_or_default();
    let operator = ComparisonOperator::from(alarm.comparison.operator());
    let datapoints = existing.datapoints_to_alarm.or(existing.evaluation_periods);
    let is_same = [
        ("AlarmDescription", existing.alarm_description.as_deref() == Some(&alarm.description)),
        ("ActionsEnabled", existing.actions_enabled != Some(false)),
        ("AlarmActions", list(&existing.alarm_actions) == arns(&alarm.alarm_actions)),
        ("OKActions", list(&existing.ok_actions) == arns(&alarm.ok_actions)),
        ("InsufficientDataActions", list(&existing.insufficient_data_actions).is_empty()),
        ("ComparisonOperator", existing.comparison_operator.as_ref() == Some(&operator)),
        ("Threshold", existing.threshold == Some(alarm.comparison.threshold())),
        ("EvaluationPeriods", existing.evaluation_periods == Some(count(alarm.evaluation_periods))),
        ("DatapointsToAlarm", datapoints == Some(count(alarm.datapoints_to_alarm))),
        ("TreatMissingData", existing.treat_missing_data.as_deref().unwrap_or("missing") == alarm.missing_data.name()),
        ("Metrics", AlarmMetrics::of(alarm).normalised() == AlarmMetrics::of_existing(existing).normalised()),
    ];
    is_same.into_iter().filter(|(_, is_same)| !is_same).map(|(member, _)| member).collect()
}

fn arns(topics: &[Topic]) -> Vec<String> {
    topics.iter().map(|topic| topic.arn().to_owned()).collect()
}

fn count(number: u32) -> i32 {
    saturated::<i32>(number)
}
