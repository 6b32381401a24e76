//! Metric math: arithmetic, SUM, AVG, MIN, MAX, FILL, PERIOD and METRICS over time series.

mod parser;

use std::collections::BTreeMap;
use std::fmt;

/// A parsed expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expression {
    Number(f64),
    /// The time series of another query.
    Id(String),
    List(Vec<Self>),
    Call(Function, Vec<Self>),
    /// `REPEAT`, an argument that only FILL accepts.
    Repeat,
    Negative(Box<Self>),
    Infix(Box<Self>, char, Box<Self>),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Function {
    Average,
    Fill,
    Maximum,
    Metrics,
    Minimum,
    Period,
    Sum,
}

/// The values of a time series by the beginning of their period, in seconds since 1970.
pub(super) type SeriesPoints = BTreeMap<u64, f64>;

/// The value of an expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ExpressionValue {
    Scalar(f64),
    Series(SeriesPoints),
    List(Vec<SeriesPoints>),
}

/// The time series that an expression may name, and the periods of their values.
#[derive(Debug)]
pub(super) struct SeriesScope<'a> {
    pub(super) series: &'a BTreeMap<String, SeriesPoints>,
    /// The ids of the series that METRICS() stands for.
    pub(super) metrics: &'a [String],
    pub(super) period: u64,
    pub(super) periods: &'a [u64],
}

impl Expression {
    /// # Errors
    ///
    /// The text is not an expression, or it uses a function that is not emulated.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        parser::parse(text)
    }

    /// Collects the ids that the expression names.
    pub(super) fn ids<'a>(&'a self, into: &mut Vec<&'a str>) {
        match self {
            Self::Id(id) => into.push(id),
            Self::List(elements) | Self::Call(_, elements) => elements.iter().for_each(|element| element.ids(into)),
            Self::Negative(operand) => operand.ids(into),
            Self::Infix(left, _, right) => {
                left.ids(into);
                right.ids(into);
            }
            Self::Number(_) | Self::Repeat => {}
        }
    }

    /// # Errors
    ///
    /// A function or an operator has an argument that it does not accept.
    pub(super) fn evaluate(&self, scope: &SeriesScope<'_>) -> Result<ExpressionValue, String> {
        self.compute(scope).map(ExpressionValue::without_infinite_points)
    }

    fn compute(&self, scope: &SeriesScope<'_>) -> Result<ExpressionValue, String> {
        Ok(match self {
            Self::Number(number) => ExpressionValue::Scalar(*number),
            Self::Id(id) => ExpressionValue::Series(scope.series.get(id).cloned().unwrap_or_default()),
            Self::List(elements) => {
                let mut list = Vec::new();
                for element in elements {
                    match element.evaluate(scope)? {
                        ExpressionValue::Series(points) => list.push(points),
                        ExpressionValue::List(several) => list.extend(several),
                        ExpressionValue::Scalar(_) => return Err("a list is made of time series".to_owned()),
                    }
                }
                ExpressionValue::List(list)
            }
            Self::Call(function, arguments) => function.call(arguments, scope)?,
            Self::Repeat => return Err("REPEAT stands only in FILL".to_owned()),
            Self::Negative(operand) => infix(ExpressionValue::Scalar(0.0), '-', operand.evaluate(scope)?)?,
            Self::Infix(left, sign, right) => infix(left.evaluate(scope)?, *sign, right.evaluate(scope)?)?,
        })
    }
}

impl ExpressionValue {
    /// Leaves out the points that are infinite or not a number, as after a division by zero: CloudWatch has no data
    /// points with such values (API:MetricDatum).
    fn without_infinite_points(mut self) -> Self {
        match &mut self {
            Self::Scalar(_) => {}
            Self::Series(points) => points.retain(|_, value| value.is_finite()),
            Self::List(list) => list.iter_mut().for_each(|points| points.retain(|_, value| value.is_finite())),
        }
        self
    }
}

impl Function {
    fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "AVG" => Self::Average,
            "FILL" => Self::Fill,
            "MAX" => Self::Maximum,
            "METRICS" => Self::Metrics,
            "MIN" => Self::Minimum,
            "PERIOD" => Self::Period,
            "SUM" => Self::Sum,
            _ => return None,
        })
    }

    fn call(self, arguments: &[Expression], scope: &SeriesScope<'_>) -> Result<ExpressionValue, String> {
        match (self, arguments) {
            (Self::Metrics, []) => {
                let series = scope.metrics.iter().map(|id| scope.series.get(id).cloned().unwrap_or_default());
                Ok(ExpressionValue::List(series.collect()))
            }
            (Self::Period, [Expression::Id(_)]) => Ok(ExpressionValue::Scalar(float(scope.period))),
            (Self::Fill, [series, filler]) => {
                let filler = match filler {
                    Expression::Repeat => None,
                    number => match number.evaluate(scope)? {
                        ExpressionValue::Scalar(number) => Some(number),
                        _ => return Err("FILL fills with a number or REPEAT".to_owned()),
                    },
                };
                Ok(match series.evaluate(scope)? {
                    ExpressionValue::Series(points) => ExpressionValue::Series(fill(&points, filler, scope.periods)),
                    ExpressionValue::List(list) => {
                        ExpressionValue::List(list.iter().map(|points| fill(points, filler, scope.periods)).collect())
                    }
                    ExpressionValue::Scalar(_) => return Err("FILL fills a time series".to_owned()),
                })
            }
            (Self::Average | Self::Maximum | Self::Minimum | Self::Sum, [argument]) => {
                Ok(match argument.evaluate(scope)? {
                    ExpressionValue::List(list) => ExpressionValue::Series(self.combine(&list)),
                    ExpressionValue::Series(points) if points.is_empty() => ExpressionValue::Series(points),
                    ExpressionValue::Series(points) => ExpressionValue::Scalar(self.fold(points.into_values())),
                    ExpressionValue::Scalar(_) => return Err(format!("{self} takes a time series or a list of some")),
                })
            }
            _ => Err(format!("{self} does not take these arguments")),
        }
    }

    /// Applies the function to the values that the series have in each period.
    fn combine(self, list: &[SeriesPoints]) -> SeriesPoints {
        let mut by_period = BTreeMap::<u64, Vec<f64>>::new();
        for (period, value) in list.iter().flatten() {
            by_period.entry(*period).or_default().push(*value);
        }
        by_period.into_iter().map(|(period, values)| (period, self.fold(values))).collect()
    }

    fn fold(self, values: impl IntoIterator<Item = f64>) -> f64 {
        let (mut count, mut sum, mut lowest, mut highest) = (0_u64, 0.0, f64::INFINITY, f64::NEG_INFINITY);
        for value in values {
            (count, sum, lowest, highest) = (count + 1, sum + value, lowest.min(value), highest.max(value));
        }
        match self {
            Self::Average => sum / float(count),
            Self::Maximum => highest,
            Self::Minimum => lowest,
            _ => sum,
        }
    }
}

/// Fills each period without a value: with `number` if it is given, otherwise with the last value before the period.
fn fill(points: &SeriesPoints, number: Option<f64>, periods: &[u64]) -> SeriesPoints {
    let (mut filled, mut last) = (SeriesPoints::new(), None);
    for period in periods {
        let value = points.get(period).copied();
        last = value.or(last);
        if let Some(value) = value.or(number).or(last) {
            filled.insert(*period, value);
        }
    }
    filled
}

/// Applies an operator. The result of two series has a value where both have one.
fn infix(left: ExpressionValue, sign: char, right: ExpressionValue) -> Result<ExpressionValue, String> {
    let apply = |left: f64, right: f64| match sign {
        '+' => left + right,
        '-' => left - right,
        '*' => left * right,
        '/' => left / right,
        _ => left.powf(right),
    };
    Ok(match (left, right) {
        (ExpressionValue::Scalar(left), ExpressionValue::Scalar(right)) => ExpressionValue::Scalar(apply(left, right)),
        (ExpressionValue::Series(left), ExpressionValue::Scalar(right)) => {
            ExpressionValue::Series(left.into_iter().map(|(period, left)| (period, apply(left, right))).collect())
        }
        (ExpressionValue::Scalar(left), ExpressionValue::Series(right)) => {
            ExpressionValue::Series(right.into_iter().map(|(period, right)| (period, apply(left, right))).collect())
        }
        (ExpressionValue::Series(left), ExpressionValue::Series(right)) => {
            let both = left.into_iter().filter_map(|(period, left)| Some((period, apply(left, *right.get(&period)?))));
            ExpressionValue::Series(both.collect())
        }
        (ExpressionValue::List(_), _) | (_, ExpressionValue::List(_)) => {
            return Err(format!("{sign:?} does not take lists here"));
        }
    })
}

#[expect(clippy::cast_precision_loss, reason = "seconds of a period and numbers of series are small")]
fn float(number: u64) -> f64 {
    number as f64
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Average => "AVG",
            Self::Fill => "FILL",
            Self::Maximum => "MAX",
            Self::Metrics => "METRICS",
            Self::Minimum => "MIN",
            Self::Period => "PERIOD",
            Self::Sum => "SUM",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn evaluated(text: &str) -> Result<ExpressionValue, String> {
        let series = BTreeMap::from([
            ("m1".to_owned(), SeriesPoints::from([(0, 120.0), (60, 60.0)])),
            ("m2".to_owned(), SeriesPoints::from([(60, 4.0), (120, 0.0)])),
            ("m3".to_owned(), SeriesPoints::new()),
        ]);
        let metrics = ["m1".to_owned(), "m2".to_owned()];
        let scope = SeriesScope { series: &series, metrics: &metrics, period: 60, periods: &[0, 60, 120] };
        Expression::parse(text)?.evaluate(&scope)
    }

    #[test]
    fn expressions_are_evaluated_as_in_cloudwatch() {
        let series = |points: &[(u64, f64)]| Ok(ExpressionValue::Series(points.iter().copied().collect()));
        for (text, value) in [
            ("m1", series(&[(0, 120.0), (60, 60.0)])),
            ("m1/PERIOD(m1)", series(&[(0, 2.0), (60, 1.0)])),
            ("m1 + m2", series(&[(60, 64.0)])),
            ("SUM([m1,m2,m3])", series(&[(0, 120.0), (60, 64.0), (120, 0.0)])),
            ("SUM(METRICS())", series(&[(0, 120.0), (60, 64.0), (120, 0.0)])),
            ("SUM([FILL(m3,0), FILL(m2, 0)])", series(&[(0, 0.0), (60, 4.0), (120, 0.0)])),
            ("FILL(m1,REPEAT)", series(&[(0, 120.0), (60, 60.0), (120, 60.0)])),
            ("FILL(m2,REPEAT)", series(&[(60, 4.0), (120, 0.0)])),
            ("MAX([m1,m2])", series(&[(0, 120.0), (60, 60.0), (120, 0.0)])),
            ("AVG([m1,m2])", series(&[(0, 120.0), (60, 32.0), (120, 0.0)])),
            ("((m1/PERIOD(m1))/m2)*100", series(&[(60, 25.0)])),
            ("m1/m2", series(&[(60, 15.0)])),
            ("m1/0", series(&[])),
            ("1 - m2 * 2", series(&[(60, -7.0), (120, 1.0)])),
            ("-m2 + 2^3^0", series(&[(60, -2.0), (120, 2.0)])),
            ("SUM(m1)", Ok(ExpressionValue::Scalar(180.0))),
            ("10 - 4 - 3", Ok(ExpressionValue::Scalar(3.0))),
            ("m1 * SUM(m3)", series(&[])),
            ("FILL(m2, 1/0)", series(&[(60, 4.0), (120, 0.0)])),
            ("FILL(m2, 0/0)", series(&[(60, 4.0), (120, 0.0)])),
            ("FILL(m1/m2, 1/0) + 1", series(&[(60, 16.0)])),
            ("SUM([FILL(m1, 9^999), m2])", series(&[(0, 120.0), (60, 64.0), (120, 0.0)])),
        ] {
            assert_eq!(evaluated(text), value, "{text}");
        }
    }

    #[test]
    fn metric_expression_of_maximum_length_is_evaluated() {
        let text = format!("m1{}", "+1".repeat(1023));
        assert_eq!(text.len(), 2048);
        assert_eq!(evaluated(&text), Ok(ExpressionValue::Series([(0, 1143.0), (60, 1083.0)].into())));
    }

    /// Expressions whose values overflow or are divided by zero now and then.
    fn expressions() -> impl Strategy<Value = String> {
        let leaf = prop::sample::select(vec!["m1", "m2", "m3", "0", "2", "9^999", "METRICS()"]).prop_map(str::to_owned);
        leaf.prop_recursive(4, 24, 2, |inner| {
            prop_oneof![
                (inner.clone(), prop::sample::select(vec!["+", "-", "*", "/", "^"]), inner.clone())
                    .prop_map(|(left, sign, right)| format!("({left} {sign} {right})")),
                (inner.clone(), inner.clone()).prop_map(|(series, value)| format!("FILL({series}, {value})")),
                (prop::sample::select(vec!["SUM", "AVG", "MIN", "MAX"]), inner.clone())
                    .prop_map(|(function, series)| format!("{function}({series})")),
                (inner.clone(), inner).prop_map(|(one, other)| format!("[{one}, {other}]")),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_point_of_a_series_is_finite(text in expressions()) {
            let series = match evaluated(&text) {
                Ok(ExpressionValue::Series(points)) => vec![points],
                Ok(ExpressionValue::List(list)) => list,
                Ok(ExpressionValue::Scalar(_)) | Err(_) => Vec::new(),
            };
            prop_assert!(series.iter().flat_map(SeriesPoints::values).all(|value| value.is_finite()), "{series:?}");
        }

        #[test]
        fn expression_parser_never_panics_on_arbitrary_text(text in "[mSUFILPERIODAVG0-9.,()\\[\\]+*/^ -]{0,200}|.{0,60}") {
            let _ = evaluated(&text);
        }
    }

    #[test]
    fn invalid_expressions_are_refused_with_the_reason() {
        let deep = format!("{}m1", "(".repeat(40));
        for (text, problem) in [
            ("", "it ends where a metric or a number is expected"),
            ("m1 +", "it ends where a metric or a number is expected"),
            ("m1 m2", "'m' is not expected"),
            ("SUM([m1,m2)", "a ']' is missing"),
            ("(m1", "a ')' is missing"),
            ("SUM m1", "SUM is followed by its arguments in brackets"),
            ("m1 # 3", "'#' is not expected"),
            ("1.2.3", "1.2.3 is not a number"),
            ("[m1] + 1", "'+' does not take lists here"),
            ("FILL(m1)", "FILL does not take these arguments"),
            ("FILL(m1, m2)", "FILL fills with a number or REPEAT"),
            ("PERIOD(1)", "PERIOD does not take these arguments"),
            ("REPEAT", "REPEAT stands only in FILL"),
            (
                "SEARCH('{AWS/Cassandra}', 'Sum')",
                "SEARCH is not an emulated function: AVG, FILL, MAX, METRICS, MIN, PERIOD and SUM are",
            ),
            (deep.as_str(), "it is nested deeper than 32 levels"),
        ] {
            assert_eq!(evaluated(text), Err(problem.to_owned()), "{text}");
        }
    }
}
