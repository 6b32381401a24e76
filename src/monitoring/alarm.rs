use keyspaces_cql::metrics::Operation;

use super::period::refused;
use super::{Expression, Period, Topic};
use crate::Error;

/// An alarm on a metric or an expression.
///
/// The example is the guide's alarm on throttled requests. The guide's own version watches `ThrottledRequests`, a
/// metric that does not exist, so it never fires:
///
/// ```
/// use keyspaces::monitoring::{Table, Topic, throttled_requests};
///
/// # fn main() -> Result<(), keyspaces::Error> {
/// let topic = Topic::new("arn:aws:sns:us-east-1:111122223333:keyspaces-alerts")?;
/// let alarm = throttled_requests(&Table::new("my_application", "events")?).with_alarm_action(&topic)?;
/// assert_eq!(alarm.expression().text(), "SUM([FILL(m1,0),FILL(m2,0),FILL(m3,0),FILL(m4,0),FILL(m5,0)])");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Alarm {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) expression: Expression,
    pub(super) comparison: Comparison,
    pub(super) period: Period,
    pub(super) datapoints_to_alarm: u32,
    pub(super) evaluation_periods: u32,
    pub(super) missing_data: MissingData,
    pub(super) alarm_actions: Vec<Topic>,
    pub(super) ok_actions: Vec<Topic>,
}

/// Which values breach an alarm's threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Comparison {
    /// The value is greater than the threshold.
    Above(f64),
    /// The value is greater than the threshold or equal to it.
    AtLeast(f64),
    /// The value is less than the threshold or equal to it.
    AtMost(f64),
    /// The value is less than the threshold.
    Below(f64),
}

/// How an alarm treats a period without a data point.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum MissingData {
    /// The period counts as breaching.
    Breaching,
    /// The alarm keeps its state.
    Ignore,
    /// If all data points are missing, the alarm goes into `INSUFFICIENT_DATA`. This is CloudWatch's default.
    Missing,
    /// The period counts as not breaching.
    #[default]
    NotBreaching,
}

impl Alarm {
    /// Creates an alarm without actions. A data point is a minute long; one breaching data point sets the alarm off,
    /// missing data does not.
    ///
    /// # Errors
    ///
    /// `Configuration`: the name is empty or longer than 255 characters, the description is longer than 1,024, the threshold is
    /// not a number, or the expression has more than 2,048 characters, more than ten metrics, or none (`API:PutMetricAlarm`).
    pub fn new(
        name: impl Into<String>,
        description: impl Into<String>,
        expression: impl Into<Expression>,
        comparison: Comparison,
    ) -> Result<Self, Error> {
        let alarm = Self::unchecked(name.into(), description.into(), expression.into(), comparison);
        alarm.check()?;
        Ok(alarm)
    }

    /// Creates an alarm without checks, for [`recommended`](super::recommended), whose alarms a test checks.
    pub(super) fn unchecked(name: String, description: String, expression: Expression, comparison: Comparison) -> Self {
        Self {
            name,
            description,
            expression,
            comparison,
            period: Period::MINUTE,
            datapoints_to_alarm: 1,
            evaluation_periods: 1,
            missing_data: MissingData::NotBreaching,
            alarm_actions: Vec::new(),
            ok_actions: Vec::new(),
        }
    }

    /// Sets the length of one data point. Default: a minute.
    ///
    /// # Errors
    ///
    /// The errors of [`with_datapoints`](Self::with_datapoints).
    pub fn with_period(mut self, period: Period) -> Result<Self, Error> {
        self.period = period;
        self.check()?;
        Ok(self)
    }

    /// Sets the alarm off when `breaching` of the last `evaluated` data points breach the threshold. Default: 1 of 1.
    ///
    /// # Errors
    ///
    /// `Configuration`: `breaching` is 0 or more than `evaluated`; or all periods together are longer than a day, or than a
    /// week for periods of an hour or more (`API:PutMetricAlarm`).
    pub fn with_datapoints(mut self, breaching: u32, evaluated: u32) -> Result<Self, Error> {
        (self.datapoints_to_alarm, self.evaluation_periods) = (breaching, evaluated);
        self.check()?;
        Ok(self)
    }

    /// Sets the comparison and its threshold.
    ///
    /// # Errors
    ///
    /// `Configuration`: the threshold is not a number.
    pub fn with_comparison(mut self, comparison: Comparison) -> Result<Self, Error> {
        self.comparison = comparison;
        self.check()?;
        Ok(self)
    }

    /// Sets how periods without data count. Default: [`MissingData::NotBreaching`].
    #[must_use]
    pub fn with_missing_data(mut self, missing_data: MissingData) -> Self {
        self.missing_data = missing_data;
        self
    }

    /// Adds a topic to notify when the alarm goes into `ALARM`.
    ///
    /// # Errors
    ///
    /// `Configuration`: the alarm has five such topics already, the maximum (`API:PutMetricAlarm`).
    pub fn with_alarm_action(mut self, topic: &Topic) -> Result<Self, Error> {
        self.alarm_actions.push(topic.clone());
        self.check()?;
        Ok(self)
    }

    /// Adds a topic to notify when the alarm goes back into `OK`.
    ///
    /// # Errors
    ///
    /// The errors of [`with_alarm_action`](Self::with_alarm_action).
    pub fn with_ok_action(mut self, topic: &Topic) -> Result<Self, Error> {
        self.ok_actions.push(topic.clone());
        self.check()?;
        Ok(self)
    }

    /// The name, which is unique in an account and Region: sending an alarm replaces the one of the same name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The description: what the alarm means, and why it has this threshold.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The expression that is compared with the threshold.
    #[must_use]
    pub fn expression(&self) -> &Expression {
        &self.expression
    }

    /// The comparison, which decides which values breach.
    #[must_use]
    pub fn comparison(&self) -> Comparison {
        self.comparison
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        let text = self.expression.text();
        let metrics = self.expression.metrics().len();
        let seconds = u64::from(self.period.seconds()) * u64::from(self.evaluation_periods);
        let max_length = if self.period.seconds() < 3600 { (86_400, "a day") } else { (7 * 86_400, "a week") };
        let problem = if self.name.is_empty() || self.name.chars().count() > 255 {
            "its name must have 1 to 255 characters".to_owned()
        } else if self.description.chars().count() > 1024 {
            "its description may have at most 1,024 characters".to_owned()
        } else if !self.comparison.threshold().is_finite() {
            format!("its threshold is {}", self.comparison.threshold())
        } else if metrics == 0 {
            "its expression has no metric".to_owned()
        } else if metrics > MAX_METRICS {
            format!("its expression has {metrics} metrics, and may have at most {MAX_METRICS}")
        } else if text.len() > 2048 {
            format!("its expression has {} characters, and may have at most 2,048", text.len())
        } else if self.datapoints_to_alarm == 0 || self.datapoints_to_alarm > self.evaluation_periods {
            format!("{} of {} data points cannot breach", self.datapoints_to_alarm, self.evaluation_periods)
        } else if seconds > max_length.0 {
            let periods = self.evaluation_periods;
            format!(
                "{periods} periods of {} are longer than {}, the maximum for such periods",
                self.period, max_length.1
            )
        } else if self.alarm_actions.len() > 5 || self.ok_actions.len() > 5 {
            "it may notify at most five topics of each state".to_owned()
        } else {
            return Ok(());
        };
        Err(refused("an alarm", &self.name, problem, "CloudWatch would refuse the alarm (API:PutMetricAlarm)"))
    }

    /// Sets period and data points without checks, for [`recommended`](super::recommended), whose alarms a test checks.
    pub(super) fn with_evaluation(mut self, period: Period, breaching: u32, evaluated: u32) -> Self {
        (self.period, self.datapoints_to_alarm, self.evaluation_periods) = (period, breaching, evaluated);
        self
    }
}

/// The maximum number of metrics in the expression of an alarm (CloudWatch User Guide, "CloudWatch service quotas").
const MAX_METRICS: usize = 10;

// The alarm on all throttled requests of a table must fit.
const _: () = assert!(Operation::ALL.len() <= MAX_METRICS);

impl Comparison {
    /// The threshold.
    #[must_use]
    pub fn threshold(self) -> f64 {
        match self {
            Self::Above(value) | Self::AtLeast(value) | Self::AtMost(value) | Self::Below(value) => value,
        }
    }

    pub(super) fn operator(self) -> &'static str {
        match self {
            Self::Above(_) => "GreaterThanThreshold",
            Self::AtLeast(_) => "GreaterThanOrEqualToThreshold",
            Self::AtMost(_) => "LessThanOrEqualToThreshold",
            Self::Below(_) => "LessThanThreshold",
        }
    }
}

impl MissingData {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Breaching => "breaching",
            Self::Ignore => "ignore",
            Self::Missing => "missing",
            Self::NotBreaching => "notBreaching",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use keyspaces_cql::metrics::SYSTEM_ERRORS;

    use super::*;

    #[test]
    fn invalid_alarm_is_refused_before_it_is_sent() {
        let errors = || Expression::from(SYSTEM_ERRORS.sum().series("ks", "t", Operation::Select));
        let alarm = || Alarm::new("a", "why", errors(), Comparison::AtLeast(1.0)).unwrap();
        let topic = Topic::new("arn:aws:sns:us-east-1:111122223333:alerts").unwrap();
        let six_topics = || (0..6).try_fold(alarm(), |alarm, _| alarm.with_alarm_action(&topic));
        let many = |number: usize| {
            let tables = (0..number).map(|number| format!("t{number}"));
            let series = tables.map(|table| SYSTEM_ERRORS.sum().series("ks", &table, Operation::Select).into());
            Alarm::new("a", "", Expression::sum(series), Comparison::AtLeast(1.0))
        };
        let hour = Period::new(Duration::from_secs(3600)).unwrap();
        let cases = [
            (Alarm::new("", "", errors(), Comparison::AtLeast(1.0)), "its name must have 1 to 255 characters"),
            (
                Alarm::new("a", "x".repeat(1025), errors(), Comparison::AtLeast(1.0)),
                "its description may have at most 1,024 characters",
            ),
            (Alarm::new("a", "", errors(), Comparison::Above(f64::NAN)), "its threshold is NaN"),
            (Alarm::new("a", "", 7, Comparison::Above(1.0)), "its expression has no metric"),
            (many(11), "its expression has 11 metrics, and may have at most 10"),
            (
                Alarm::new("a", "", (0..1000).fold(errors(), |sum, _| sum + 1), Comparison::Above(1.0)),
                "its expression has 4000 characters, and may have at most 2,048",
            ),
            (alarm().with_datapoints(0, 5), "0 of 5 data points cannot breach"),
            (alarm().with_datapoints(4, 3), "4 of 3 data points cannot breach"),
            (
                alarm().with_datapoints(1, 1441),
                "1441 periods of 60 s are longer than a day, the maximum for such periods",
            ),
            (
                alarm().with_period(hour).unwrap().with_datapoints(1, 169),
                "169 periods of 3600 s are longer than a week, the maximum for such periods",
            ),
            (six_topics(), "it may notify at most five topics of each state"),
        ];
        for (refused, problem) in cases {
            let text = refused.unwrap_err().to_string();
            let name = if problem.starts_with("its name") { "" } else { "a" };
            assert_eq!(
                text,
                format!(
                    "using {name:?} as an alarm failed: {problem}. CloudWatch would refuse the alarm (API:PutMetricAlarm)"
                )
            );
        }
        assert!(many(10).is_ok());
        assert!(alarm().with_datapoints(1440, 1440).is_ok());
    }
}
