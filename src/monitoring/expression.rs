use std::collections::BTreeSet;
use std::fmt::Write;
use std::ops::{Add, Div, Mul, Sub};

use keyspaces_cql::metrics::Series;

/// A metric, or CloudWatch metric math over several metrics that exist.
///
/// ```
/// use keyspaces::monitoring::Expression;
/// use keyspaces::monitoring::metrics::{CONSUMED_READ_CAPACITY_UNITS, PROVISIONED_READ_CAPACITY_UNITS};
///
/// let consumed = CONSUMED_READ_CAPACITY_UNITS.sum().series("shop", "orders");
/// let provisioned = PROVISIONED_READ_CAPACITY_UNITS.average().series("shop", "orders");
/// let used = Expression::per_second(consumed) / Expression::from(provisioned) * 100;
/// assert_eq!(used.text(), "((m1/PERIOD(m1))/m2)*100");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Expression(ExpressionNode);

#[derive(Clone, Debug, PartialEq)]
enum ExpressionNode {
    Series(Series),
    Number(u32),
    /// `FILL(…, 0)`
    FillZero(Box<Self>),
    /// `FILL(…, REPEAT)`
    FillRepeat(Box<Self>),
    /// `m/PERIOD(m)`
    PerSecond(Series),
    Function(&'static str, Vec<Self>),
    Infix(Box<Self>, char, Box<Self>),
}

/// An expression in the form of CloudWatch: its metrics, each with an id, and the text that refers to the ids.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Queries<'a> {
    pub(super) metrics: Vec<(String, &'a Series)>,
    /// `None` for a single metric.
    pub(super) text: Option<String>,
}

impl Expression {
    /// The rate per second of a metric with the statistic Sum: `m/PERIOD(m)`.
    #[must_use]
    pub fn per_second(series: Series) -> Self {
        Self(ExpressionNode::PerSecond(series))
    }

    /// The sum of several expressions: `SUM([…])`. Expressions without a data point are ignored.
    #[must_use]
    pub fn sum(expressions: impl IntoIterator<Item = Self>) -> Self {
        Self(ExpressionNode::Function("SUM", expressions.into_iter().map(|one| one.0).collect()))
    }

    /// The maximum of several expressions: `MAX([…])`.
    #[must_use]
    pub fn max(expressions: impl IntoIterator<Item = Self>) -> Self {
        Self(ExpressionNode::Function("MAX", expressions.into_iter().map(|one| one.0).collect()))
    }

    /// Replaces missing data points by 0: `FILL(…, 0)`. Use it for metrics that count errors: while there are no
    /// errors, they have no data points.
    #[must_use]
    pub fn fill_zero(self) -> Self {
        Self(ExpressionNode::FillZero(Box::new(self.0)))
    }

    /// Replaces missing data points by the last value: `FILL(…, REPEAT)`. Use it for metrics that are reported less
    /// often than once in a period.
    #[must_use]
    pub fn fill_repeat(self) -> Self {
        Self(ExpressionNode::FillRepeat(Box::new(self.0)))
    }

    /// The text of the expression, with its metrics named `m1`, `m2`, … in the order of their first appearance.
    #[must_use]
    pub fn text(&self) -> String {
        let metrics = self.metrics();
        let mut text = String::new();
        self.0.write(&metrics, &mut text);
        text
    }

    /// The metrics of the expression, each once, in the order of their first appearance.
    #[must_use]
    pub fn metrics(&self) -> Vec<&Series> {
        let (mut seen, mut metrics) = (BTreeSet::new(), Vec::new());
        self.0.visit(&mut |series| {
            if seen.insert(series.to_string()) {
                metrics.push(series);
            }
        });
        metrics
    }

    pub(super) fn queries(&self) -> Queries<'_> {
        let text = (!matches!(self.0, ExpressionNode::Series(_))).then(|| self.text());
        let metrics = self.metrics();
        Queries { metrics: (1..).map(|number| format!("m{number}")).zip(metrics).collect(), text }
    }
}

impl ExpressionNode {
    fn visit<'a>(&'a self, with: &mut impl FnMut(&'a Series)) {
        match self {
            Self::Series(series) | Self::PerSecond(series) => with(series),
            Self::Number(_) => {}
            Self::FillZero(inner) | Self::FillRepeat(inner) => inner.visit(with),
            Self::Function(_, arguments) => arguments.iter().for_each(|one| one.visit(with)),
            Self::Infix(left, _, right) => {
                left.visit(with);
                right.visit(with);
            }
        }
    }

    fn write(&self, metrics: &[&Series], text: &mut String) {
        let id = |series| 1 + metrics.iter().position(|metric| *metric == series).unwrap_or_default();
        let wrap = |before: &str, inner: &Self, after: &str, text: &mut String| {
            *text += before;
            inner.write(metrics, text);
            *text += after;
        };
        match self {
            Self::Series(series) => _ = write!(text, "m{}", id(series)),
            Self::Number(number) => _ = write!(text, "{number}"),
            Self::PerSecond(series) => _ = write!(text, "m{0}/PERIOD(m{0})", id(series)),
            Self::FillZero(inner) => wrap("FILL(", inner, ",0)", text),
            Self::FillRepeat(inner) => wrap("FILL(", inner, ",REPEAT)", text),
            Self::Function(name, arguments) => {
                _ = write!(text, "{name}([");
                for (index, argument) in arguments.iter().enumerate() {
                    wrap(if index == 0 { "" } else { "," }, argument, "", text);
                }
                *text += "])";
            }
            Self::Infix(left, sign, right) => {
                for (index, side) in [left, right].into_iter().enumerate() {
                    if index == 1 {
                        text.push(*sign);
                    }
                    match **side {
                        Self::Infix(..) | Self::PerSecond(_) => wrap("(", side, ")", text),
                        _ => side.write(metrics, text),
                    }
                }
            }
        }
    }
}

impl From<Series> for Expression {
    fn from(series: Series) -> Self {
        Self(ExpressionNode::Series(series))
    }
}

impl From<u32> for Expression {
    fn from(number: u32) -> Self {
        Self(ExpressionNode::Number(number))
    }
}

macro_rules! infix {
    ($($operation:ident $method:ident $sign:literal),*) => {$(
        impl<T: Into<Self>> $operation<T> for Expression {
            type Output = Self;

            fn $method(self, right: T) -> Self {
                Self(ExpressionNode::Infix(Box::new(self.0), $sign, Box::new(right.into().0)))
            }
        }
    )*};
}

infix!(Add add '+', Sub sub '-', Mul mul '*', Div div '/');

#[cfg(test)]
mod tests {
    use keyspaces_cql::metrics::{Operation, READ_THROTTLE_EVENTS, WRITE_THROTTLE_EVENTS};

    use super::*;

    #[test]
    fn repeated_metric_shares_one_id() {
        let reads = || Expression::from(READ_THROTTLE_EVENTS.sum().series("ks", "t", Operation::Select));
        let inserts = Expression::from(WRITE_THROTTLE_EVENTS.sum().series("ks", "t", Operation::Insert));
        let both = Expression::sum([reads().fill_zero(), inserts.fill_zero(), reads()]) - reads().fill_repeat();
        assert_eq!(both.text(), "SUM([FILL(m1,0),FILL(m2,0),m1])-FILL(m1,REPEAT)");
        assert_eq!(both.queries().metrics.len(), 2);
        assert_eq!(reads().queries().text, None);
    }
}
