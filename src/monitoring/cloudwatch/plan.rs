use std::collections::HashMap;
use std::fmt;

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::types::{ComparisonOperator, Dimension, MetricAlarm, MetricDataQuery, Statistic};
use keyspaces_cql::metrics::NAMESPACE;

use super::failure::failed;
use super::{dimensions, query, seconds};
use crate::Error;
use crate::monitoring::{Alarm, Topic};
use crate::saturated::saturated;

/// What sending alarms would change. Displayed, it is a line for each alarm.
#[derive(Clone, Debug)]
#[must_use = "a plan changes nothing until it is applied"]
pub struct AlarmPlan {
    changes: Vec<(Alarm, AlarmChange)>,
}

/// What becomes of one alarm.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum AlarmChange {
    /// There is none of this name.
    Create,
    /// There is one of this name, which differs in these members.
    Replace(Vec<&'static str>),
    /// It is there as it is wanted.
    Unchanged,
}

/// Compares alarms with those of the same names that are there. Changes nothing; other alarms are not looked at.
///
/// ```no_run
/// # async fn run() -> Result<(), keyspaces::Error> {
/// use keyspaces::monitoring::{self, Table, aws_sdk_cloudwatch, recommended};
/// # let config = aws_sdk_cloudwatch::Config::builder().build();
///
/// let client = aws_sdk_cloudwatch::Client::from_conf(config);
/// let plan = monitoring::plan(&client, recommended(&Table::new("shop", "orders")?)).await?;
/// println!("{plan}");
/// plan.apply(&client).await?;
/// # Ok(()) }
/// ```
///
/// It may be dropped at any time.
///
/// # Errors
///
/// `Unauthorized` (the principal needs `cloudwatch:DescribeAlarms`), `Throttled`, `Refused`, `Timeout`, `Server` and
/// `ConnectionLost`, as CloudWatch or the SDK say.
pub async fn plan(client: &Client, alarms: impl IntoIterator<Item = Alarm>) -> Result<AlarmPlan, Error> {
    /// DescribeAlarms takes so many names, and gives so many alarms at once.
    const AT_ONCE: usize = 100;
    let alarms: Vec<Alarm> = alarms.into_iter().collect();
    let mut there = HashMap::new();
    for some in alarms.chunks(AT_ONCE) {
        let names: Vec<String> = some.iter().map(|alarm| alarm.name.clone()).collect();
        let most = saturated::<i32>(AT_ONCE);
        let described = client.describe_alarms().set_alarm_names(Some(names)).max_records(most).send().await;
        let described = described.map_err(|error| failed("describing the alarms that are there".to_owned(), error))?;
        let described = described.metric_alarms.unwrap_or_default().into_iter();
        there.extend(described.map(|alarm| (alarm.alarm_name.clone().unwrap_or_default(), alarm)));
    }
    let change = |alarm: Alarm| {
        let change = match there.get(&alarm.name) {
            None => AlarmChange::Create,
            Some(there) => match differences(&alarm, there) {
                differences if differences.is_empty() => AlarmChange::Unchanged,
                differences => AlarmChange::Replace(differences),
            },
        };
        (alarm, change)
    };
    Ok(AlarmPlan { changes: alarms.into_iter().map(change).collect() })
}

impl AlarmPlan {
    /// Each alarm with what becomes of it.
    pub fn changes(&self) -> impl Iterator<Item = (&Alarm, &AlarmChange)> {
        self.changes.iter().map(|(alarm, change)| (alarm, change))
    }

    /// Whether everything is there as it is wanted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.iter().all(|(_, change)| *change == AlarmChange::Unchanged)
    }

    /// Sends what changes, one alarm after the other; an alarm is replaced as a whole. A plan that was applied in part is
    /// made again, and gives the rest.
    ///
    /// It may be dropped: a request that was sent may be carried out all the same.
    ///
    /// # Errors
    ///
    /// As [`plan`]; the principal needs `cloudwatch:PutMetricAlarm`. The error names the alarm; those before it were sent.
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
    let wanted = AlarmMetrics::of(alarm);
    client
        .put_metric_alarm()
        .alarm_name(&alarm.name)
        .alarm_description(&alarm.reason)
        .actions_enabled(true)
        .set_alarm_actions(Some(arns(&alarm.alarm_actions)))
        .set_ok_actions(Some(arns(&alarm.ok_actions)))
        .comparison_operator(alarm.comparison.operator().into())
        .threshold(alarm.comparison.threshold())
        .evaluation_periods(count(alarm.evaluation_periods))
        .datapoints_to_alarm(count(alarm.datapoints_to_alarm))
        .treat_missing_data(alarm.missing_data.name())
        .set_namespace(wanted.namespace)
        .set_metric_name(wanted.metric_name)
        .set_dimensions(wanted.dimensions)
        .set_statistic(wanted.statistic)
        .set_period(wanted.period)
        .set_metrics(wanted.metrics)
        .send()
        .await
        .map_err(|error| failed(format!("sending the alarm {:?}", alarm.name), error))?;
    Ok(())
}

/// What an alarm watches: a metric alone, or queries.
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
        let queries = alarm.watched.queries();
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

    /// Lists without an order of their own are sorted, and empty ones are as good as none.
    fn of_there(there: &MetricAlarm) -> Self {
        Self {
            namespace: there.namespace.clone(),
            metric_name: there.metric_name.clone(),
            dimensions: there.dimensions.clone(),
            statistic: there.statistic.clone(),
            period: there.period,
            metrics: there.metrics.clone(),
        }
    }

    fn in_order(mut self) -> Self {
        let in_order = |dimensions: Option<Vec<Dimension>>| {
            let mut dimensions = dimensions.filter(|dimensions| !dimensions.is_empty())?;
            dimensions.sort_by(|one, other| one.name.cmp(&other.name));
            Some(dimensions)
        };
        self.dimensions = in_order(self.dimensions);
        self.metrics = self.metrics.filter(|metrics| !metrics.is_empty());
        for query in self.metrics.iter_mut().flatten() {
            if let Some(metric) = query.metric_stat.as_mut().and_then(|stat| stat.metric.as_mut()) {
                metric.dimensions = in_order(metric.dimensions.take());
            }
        }
        if let Some(metrics) = &mut self.metrics {
            metrics.sort_by(|one, other| one.id.cmp(&other.id));
        }
        self
    }
}

/// The members of PutMetricAlarm that are otherwise there than they are wanted.
fn differences(alarm: &Alarm, there: &MetricAlarm) -> Vec<&'static str> {
    let list = |arns: &Option<Vec<String>>| arns.clone().unwrap_or_default();
    let operator = ComparisonOperator::from(alarm.comparison.operator());
    let datapoints = there.datapoints_to_alarm.or(there.evaluation_periods);
    let is_same = [
        ("AlarmDescription", there.alarm_description.as_deref() == Some(&alarm.reason)),
        ("ActionsEnabled", there.actions_enabled != Some(false)),
        ("AlarmActions", list(&there.alarm_actions) == arns(&alarm.alarm_actions)),
        ("OKActions", list(&there.ok_actions) == arns(&alarm.ok_actions)),
        ("InsufficientDataActions", list(&there.insufficient_data_actions).is_empty()),
        ("ComparisonOperator", there.comparison_operator.as_ref() == Some(&operator)),
        ("Threshold", there.threshold == Some(alarm.comparison.threshold())),
        ("EvaluationPeriods", there.evaluation_periods == Some(count(alarm.evaluation_periods))),
        ("DatapointsToAlarm", datapoints == Some(count(alarm.datapoints_to_alarm))),
        ("TreatMissingData", there.treat_missing_data.as_deref().unwrap_or("missing") == alarm.missing_data.name()),
        ("Metrics", AlarmMetrics::of(alarm).in_order() == AlarmMetrics::of_there(there).in_order()),
    ];
    is_same.into_iter().filter(|(_, is_same)| !is_same).map(|(member, _)| member).collect()
}

fn arns(topics: &[Topic]) -> Vec<String> {
    topics.iter().map(|topic| topic.arn().to_owned()).collect()
}

fn count(number: u32) -> i32 {
    saturated::<i32>(number)
}
