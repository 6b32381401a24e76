use keyspaces_cql::metrics::Operation;

use super::period::refused;
use super::{Expression, Period, Topic};
use crate::Error;

/// An alarm on a metric or an expression.
///
/// The guide's own alarm, which is `ThrottledRequests` there and cannot fire:
///
/// ```
/// use keyspaces::monitoring::{Table, Topic, throttled_requests};
///
/// # fn main() -> Result<(), keyspaces::Error> {
/// let topic = Topic::new("arn:aws:sns:us-east-1:111122223333:keyspaces-alerts")?;
/// let alarm = throttled_requests(&Table::new("my_application", "events")?).notifying(&topic)?;
/// assert_eq!(alarm.watched().text(), "SUM([FILL(m1,0),FILL(m2,0),FILL(m3,0),FILL(m4,0),FILL(m5,0)])");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Alarm {
    pub(super) name: String,
    pub(super) reason: String,
    pub(super) watched: Expression,
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
    /// More than so much.
    Above(f64),
    /// So much or more.
    AtLeast(f64),
    /// So much or less.
    AtMost(f64),
    /// Less than so much.
    Below(f64),
}

/// What a period without a data point counts as.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum MissingData {
    /// The threshold is breached.
    Breaching,
    /// The alarm stays in its state.
    Ignore,
    /// Without any data point the alarm is in `INSUFFICIENT_DATA`. CloudWatch's own default.
    Missing,
    /// The threshold is not breached.
    #[default]
    NotBreaching,
}

impl Alarm {
    /// An alarm without actions, evaluated each minute: one data point that breaches sets it off, and missing data does not.
    /// `reason` becomes its description.
    ///
    /// # Errors
    ///
    /// `Configuration`: the name is empty or longer than 255 characters, the reason longer than 1,024, the threshold is not a
    /// number, or the expression has more than 2,048 characters or ten metrics or none (`API:PutMetricAlarm`).
    pub fn new(
        name: impl Into<String>,
        reason: impl Into<String>,
        watched: impl Into<Expression>,
        comparison: Comparison,
    ) -> Result<Self, Error> {
        let alarm = Self::unchecked(name.into(), reason.into(), watched.into(), comparison);
        alarm.check()?;
        Ok(alarm)
    }

    /// For [`recommended`](super::recommended), whose alarms a test checks.
    pub(super) fn unchecked(name: String, reason: String, watched: Expression, comparison: Comparison) -> Self {
        Self {
            name,
            reason,
            watched,
            comparison,
            period: Period::MINUTE,
            datapoints_to_alarm: 1,
            evaluation_periods: 1,
            missing_data: MissingData::NotBreaching,
            alarm_actions: Vec::new(),
            ok_actions: Vec::new(),
        }
    }

    /// The length of one data point. CloudWatch evaluates an alarm once a minute at least.
    ///
    /// # Errors
    ///
    /// As [`datapoints`](Self::datapoints).
    pub fn every(mut self, period: Period) -> Result<Self, Error> {
        self.period = period;
        self.check()?;
        Ok(self)
    }

    /// Sets it off when `breaching` of the last `of` data points breach the threshold.
    ///
    /// # Errors
    ///
    /// `Configuration`: `breaching` is 0 or more than `of`; or all periods together are longer than a day, or than a week
    /// for periods of an hour or more (`API:PutMetricAlarm`).
    pub fn datapoints(mut self, breaching: u32, of: u32) -> Result<Self, Error> {
        (self.datapoints_to_alarm, self.evaluation_periods) = (breaching, of);
        self.check()?;
        Ok(self)
    }

    /// Another threshold.
    ///
    /// # Errors
    ///
    /// `Configuration`: it is not a number.
    pub fn when(mut self, comparison: Comparison) -> Result<Self, Error> {
        self.comparison = comparison;
        self.check()?;
        Ok(self)
    }

    /// What periods without data count as; see [`MissingData`].
    #[must_use]
    pub fn treating_missing_data_as(mut self, missing_data: MissingData) -> Self {
        self.missing_data = missing_data;
        self
    }

    /// Notifies this topic too when it goes into `ALARM`.
    ///
    /// # Errors
    ///
    /// `Configuration`: it notifies five already, which is the most (`API:PutMetricAlarm`).
    pub fn notifying(mut self, topic: &Topic) -> Result<Self, Error> {
        self.alarm_actions.push(topic.clone());
        self.check()?;
        Ok(self)
    }

    /// Notifies this topic too when it goes back into `OK`.
    ///
    /// # Errors
    ///
    /// As [`notifying`](Self::notifying).
    pub fn notifying_of_recovery(mut self, topic: &Topic) -> Result<Self, Error> {
        self.ok_actions.push(topic.clone());
        self.check()?;
        Ok(self)
    }

    /// Its name, which is unique in an account and Region: an alarm that is sent replaces the one of the same name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Why it is watched and why with this threshold.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// What is compared with the threshold.
    #[must_use]
    pub fn watched(&self) -> &Expression {
        &self.watched
    }

    /// Which values breach.
    #[must_use]
    pub fn comparison(&self) -> Comparison {
        self.comparison
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        let text = self.watched.text();
        let metrics = self.watched.metrics().len();
        let seconds = u64::from(self.period.seconds()) * u64::from(self.evaluation_periods);
        let longest = if self.period.seconds() < 3600 { (86_400, "a day") } else { (7 * 86_400, "a week") };
        let problem = if self.name.is_empty() || self.name.chars().count() > 255 {
            "its name has to have 1 to 255 characters".to_owned()
        } else if self.reason.chars().count() > 1024 {
            "its description may have 1,024 characters".to_owned()
        } else if !self.comparison.threshold().is_finite() {
            format!("its threshold is {}", self.comparison.threshold())
        } else if metrics == 0 {
            "its expression has no metric".to_owned()
        } else if metrics > MOST_METRICS {
            format!("its expression has {metrics} metrics, and may have {MOST_METRICS}")
        } else if text.len() > 2048 {
            format!("its expression has {} characters, and may have 2,048", text.len())
        } else if self.datapoints_to_alarm == 0 || self.datapoints_to_alarm > self.evaluation_periods {
            format!("{} of {} data points cannot breach", self.datapoints_to_alarm, self.evaluation_periods)
        } else if seconds > longest.0 {
            let periods = self.evaluation_periods;
            format!("{periods} periods of {} are longer than {}, the most for such periods", self.period, longest.1)
        } else if self.alarm_actions.len() > 5 || self.ok_actions.len() > 5 {
            "it may notify five topics of each state".to_owned()
        } else {
            return Ok(());
        };
        Err(refused("an alarm", &self.name, problem, "CloudWatch would refuse it (API:PutMetricAlarm)"))
    }

    /// As [`every`](Self::every) and [`datapoints`](Self::datapoints), for what a test checks.
    pub(super) fn over(mut self, period: Period, breaching: u32, of: u32) -> Self {
        (self.period, self.datapoints_to_alarm, self.evaluation_periods) = (period, breaching, of);
        self
    }
}

/// The quota for an alarm on an expression (CloudWatch User Guide, "CloudWatch service quotas").
const MOST_METRICS: usize = 10;

// The alarm on all throttled requests of a table has to fit.
const _: () = assert!(Operation::ALL.len() <= MOST_METRICS);

impl Comparison {
    /// The value that is compared with.
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
    fn what_cloudwatch_would_refuse_is_refused_before_it_is_sent() {
        let errors = || Expression::from(SYSTEM_ERRORS.sum().series("ks", "t", Operation::Select));
        let alarm = || Alarm::new("a", "why", errors(), Comparison::AtLeast(1.0)).unwrap();
        let topic = Topic::new("arn:aws:sns:us-east-1:111122223333:alerts").unwrap();
        let six_topics = || (0..6).try_fold(alarm(), |alarm, _| alarm.notifying(&topic));
        let many = |number: usize| {
            let tables = (0..number).map(|number| format!("t{number}"));
            let series = tables.map(|table| SYSTEM_ERRORS.sum().series("ks", &table, Operation::Select).into());
            Alarm::new("a", "", Expression::sum(series), Comparison::AtLeast(1.0))
        };
        let hour = Period::new(Duration::from_secs(3600)).unwrap();
        let cases = [
            (Alarm::new("", "", errors(), Comparison::AtLeast(1.0)), "its name has to have 1 to 255 characters"),
            (
                Alarm::new("a", "x".repeat(1025), errors(), Comparison::AtLeast(1.0)),
                "its description may have 1,024 characters",
            ),
            (Alarm::new("a", "", errors(), Comparison::Above(f64::NAN)), "its threshold is NaN"),
            (Alarm::new("a", "", 7, Comparison::Above(1.0)), "its expression has no metric"),
            (many(11), "its expression has 11 metrics, and may have 10"),
            (
                Alarm::new("a", "", (0..1000).fold(errors(), |sum, _| sum + 1), Comparison::Above(1.0)),
                "its expression has 4000 characters, and may have 2,048",
            ),
            (alarm().datapoints(0, 5), "0 of 5 data points cannot breach"),
            (alarm().datapoints(4, 3), "4 of 3 data points cannot breach"),
            (alarm().datapoints(1, 1441), "1441 periods of 60 s are longer than a day, the most for such periods"),
            (
                alarm().every(hour).unwrap().datapoints(1, 169),
                "169 periods of 3600 s are longer than a week, the most for such periods",
            ),
            (six_topics(), "it may notify five topics of each state"),
        ];
        for (refused, problem) in cases {
            let text = refused.unwrap_err().to_string();
            let name = if problem.starts_with("its name") { "" } else { "a" };
            assert_eq!(
                text,
                format!(
                    "taking {name:?} as an alarm failed: {problem}. CloudWatch would refuse it (API:PutMetricAlarm)"
                )
            );
        }
        assert!(many(10).is_ok());
        assert!(alarm().datapoints(1440, 1440).is_ok());
    }
}
