//! Computes the state of an alarm from its data points.
//!
//! CloudWatch evaluates more periods than the alarm has, so that late data does not count as missing, and uses the most
//! recent data points among them. If it finds fewer, a table in its user guide ("Configuring how CloudWatch alarms
//! treat missing data") defines the result. The tests below contain that table.

use crate::saturated::saturated;
use serde::{Deserialize, Serialize};

/// The state of an alarm.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) enum AlarmState {
    #[serde(rename = "ALARM")]
    Alarm,
    #[serde(rename = "INSUFFICIENT_DATA")]
    InsufficientData,
    #[serde(rename = "OK")]
    Ok,
}

/// How an alarm treats a period without a data point.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum MissingData {
    Breaching,
    Ignore,
    Missing,
    NotBreaching,
}

/// How many data points out of how many must breach the threshold to set the alarm off.
#[derive(Clone, Copy, Debug)]
pub(super) struct Datapoints {
    pub(super) to_alarm: u64,
    pub(super) periods: u64,
}

/// The number of additional periods that are evaluated. The examples of the user guide have two; it does not state a
/// number.
pub(super) const ADDITIONAL_PERIODS: u64 = 2;

impl Datapoints {
    /// The state after `points`, one for each period, the oldest first. `breaches` decides whether a value breaches the
    /// threshold.
    pub(super) fn state(
        self,
        points: &[Option<f64>],
        breaches: impl Fn(f64) -> bool,
        missing: MissingData,
        state: AlarmState,
    ) -> AlarmState {
        let limit = saturated::<usize>(self.periods);
        // Pairs each data point with its age in periods; the last period has the age 1.
        let recent: Vec<(u64, bool)> = (1..)
            .zip(points.iter().rev())
            .filter_map(|(ago, value)| value.map(|value| (ago, breaches(value))))
            .take(limit)
            .collect();
        let found = saturated::<u64>(recent.len());
        let breaching = saturated::<u64>(recent.iter().filter(|(_, breaches)| *breaches).count());
        let missing_periods = self.periods - found;
        let compared = |breaching: u64| if breaching >= self.to_alarm { AlarmState::Alarm } else { AlarmState::Ok };
        match missing {
            _ if missing_periods == 0 => compared(breaching),
            MissingData::Breaching => compared(breaching + missing_periods),
            MissingData::NotBreaching => compared(breaching),
            _ if breaching >= self.to_alarm => AlarmState::Alarm,
            _ if breaching < found => AlarmState::Ok,
            MissingData::Ignore => state,
            MissingData::Missing if found == 0 => AlarmState::InsufficientData,
            // All data points breach: the alarm goes off once the oldest one is as many periods old as the alarm
            // requires data points.
            MissingData::Missing => {
                let is_old = recent.last().is_some_and(|(ago, _)| *ago >= self.to_alarm);
                if is_old { AlarmState::Alarm } else { state }
            }
        }
    }
}

impl AlarmState {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Alarm => "ALARM",
            Self::InsufficientData => "INSUFFICIENT_DATA",
            Self::Ok => "OK",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::Alarm, Self::InsufficientData, Self::Ok].into_iter().find(|state| state.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `None` stands for "Retain current state" in the table.
    fn row(text: &str, to_alarm: u64) -> [Option<AlarmState>; 4] {
        let points: Vec<Option<f64>> = text
            .split(' ')
            .map(|point| match point {
                "0" => Some(0.0),
                "X" => Some(1.0),
                _ => None,
            })
            .collect();
        [MissingData::Missing, MissingData::Ignore, MissingData::Breaching, MissingData::NotBreaching].map(|missing| {
            let from = |state| Datapoints { to_alarm, periods: 3 }.state(&points, |value| value > 0.5, missing, state);
            let ends = [AlarmState::Ok, AlarmState::Alarm, AlarmState::InsufficientData].map(from);
            if ends == [AlarmState::Ok, AlarmState::Alarm, AlarmState::InsufficientData] { None } else { Some(ends[0]) }
        })
    }

    #[test]
    fn alarms_treat_missing_data_as_in_the_user_guide() {
        const OK: Option<AlarmState> = Some(AlarmState::Ok);
        const ALARM: Option<AlarmState> = Some(AlarmState::Alarm);
        const INSUFFICIENT: Option<AlarmState> = Some(AlarmState::InsufficientData);
        const RETAIN: Option<AlarmState> = None;
        // The table's columns: missing, ignore, breaching, notBreaching.
        for (points, to_alarm, expected) in [
            ("0 - X - X", 3, [OK, OK, OK, OK]),
            ("- - - - 0", 3, [OK, OK, OK, OK]),
            ("- - - - -", 3, [INSUFFICIENT, RETAIN, ALARM, OK]),
            ("0 X X - X", 3, [ALARM, ALARM, ALARM, ALARM]),
            ("- - X - -", 3, [ALARM, RETAIN, ALARM, OK]),
            ("0 - X - X", 2, [ALARM, ALARM, ALARM, ALARM]),
            ("0 0 X 0 X", 2, [ALARM, ALARM, ALARM, ALARM]),
            ("0 - X - -", 2, [OK, OK, ALARM, OK]),
            ("- - - - 0", 2, [OK, OK, ALARM, OK]),
            ("- - - X -", 2, [ALARM, RETAIN, ALARM, OK]),
        ] {
            assert_eq!(row(points, to_alarm), expected, "{points}, {to_alarm} of 3");
        }
    }

    #[test]
    fn a_single_breaching_point_in_the_newest_period_changes_no_state() {
        assert_eq!(row("- - - - X", 3)[0], None);
    }
}
