//! A CloudWatch statistic set: the number of values, their sum, the lowest and the highest.

use keyspaces_cql::metrics::Statistic;

/// The statistic set of one metric's values.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct StatisticSet {
    sample_count: u64,
    sum: f64,
    minimum: f64,
    maximum: f64,
}

impl StatisticSet {
    pub(crate) fn from_value(value: f64) -> Self {
        Self { sample_count: 1, sum: value, minimum: value, maximum: value }
    }

    /// Merges two sets of values.
    pub(crate) fn merge(self, other: Self) -> Self {
        if self.sample_count == 0 {
            return other;
        }
        if other.sample_count == 0 {
            return self;
        }
        Self {
            sample_count: self.sample_count + other.sample_count,
            sum: self.sum + other.sum,
            minimum: self.minimum.min(other.minimum),
            maximum: self.maximum.max(other.maximum),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "nobody sends 2^53 requests in a minute")]
    pub(crate) fn get(&self, statistic: Statistic) -> f64 {
        match statistic {
            Statistic::Average => self.sum / self.sample_count as f64,
            Statistic::Maximum => self.maximum,
            Statistic::Minimum => self.minimum,
            Statistic::SampleCount => self.sample_count as f64,
            Statistic::Sum => self.sum,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_statistics_equal_those_of_the_whole() {
        let values = [3.0, -1.0, 10.0, 0.5, 0.5];
        let all = |values: &[f64]| {
            values.iter().fold(StatisticSet::default(), |set, value| set.merge(StatisticSet::from_value(*value)))
        };
        let whole = all(&values);
        for at in 0..=values.len() {
            assert_eq!(all(&values[..at]).merge(all(&values[at..])), whole);
        }
        let statistics = Statistic::ALL.map(|statistic| whole.get(statistic));
        assert_eq!(statistics, [2.6, 10.0, -1.0, 5.0, 13.0]);
    }
}
