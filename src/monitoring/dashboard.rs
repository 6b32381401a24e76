use keyspaces_cql::metrics::{
    BILLABLE_TABLE_SIZE_IN_BYTES, CONDITIONAL_CHECK_FAILED_REQUESTS, NAMESPACE, Operation,
    PER_CONNECTION_REQUEST_RATE_EXCEEDED, READ_THROTTLE_EVENTS, STORAGE_PARTITION_THROUGHPUT_CAPACITY_EXCEEDED,
    SUCCESSFUL_REQUEST_COUNT, SUCCESSFUL_REQUEST_LATENCY, SYSTEM_ERRORS, Series, USER_ERRORS, WRITE_THROTTLE_EVENTS,
};
use serde_json::{Value, json};

use super::recommended;
use super::{Expression, Period, Table};
use crate::Error;
use crate::region::Region;

/// A CloudWatch dashboard: graphs of metrics that exist.
#[derive(Clone, Debug, PartialEq)]
pub struct Dashboard {
    name: String,
    region: String,
    widgets: Vec<Widget>,
}

/// One graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Widget {
    title: String,
    period: Period,
    lines: Vec<Line>,
}

/// A line of a graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    label: String,
    expression: Expression,
}

impl Dashboard {
    /// Creates the recommended dashboard of a table: requests and latency by operation, throttles and their causes, consumed and
    /// provisioned capacity, errors, and size. `region` is the Region whose metrics it shows.
    ///
    /// ```
    /// use keyspaces::monitoring::{Dashboard, Table};
    ///
    /// let dashboard = Dashboard::for_table(&Table::new("shop", "orders").unwrap(), "us-east-1").unwrap();
    /// assert_eq!(dashboard.name(), "shop-orders");
    /// assert!(dashboard.body().contains("ReadThrottleEvents"));
    /// ```
    ///
    /// # Errors
    ///
    /// `Configuration`: `region` is not the name of a Region.
    pub fn for_table(table: &Table, region: &str) -> Result<Self, Error> {
        let region = Region::parse(region)?.as_str().to_owned();
        let widgets = widgets(table);
        Ok(Self { name: format!("{}-{}", table.keyspace, table.name), region, widgets })
    }

    /// Adds a graph at the end.
    #[must_use]
    pub fn with_widget(mut self, widget: Widget) -> Self {
        self.widgets.push(widget);
        self
    }

    /// The name, which is unique in an account.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The body for PutDashboard, with two graphs in a row.
    #[must_use]
    pub fn body(&self) -> String {
        const WIDTH: usize = 12;
        const HEIGHT: usize = 6;
        let widget = |(index, widget): (usize, &Widget)| {
            json!({
                "type": "metric",
                "x": index % 2 * WIDTH, "y": index / 2 * HEIGHT, "width": WIDTH, "height": HEIGHT,
                "properties": widget.properties(&self.region),
            })
        };
        json!({ "widgets": self.widgets.iter().enumerate().map(widget).collect::<Vec<_>>() }).to_string()
    }
}

impl Widget {
    /// Creates a graph of these lines.
    #[must_use]
    pub fn new(title: impl Into<String>, period: Period, lines: impl IntoIterator<Item = Line>) -> Self {
        Self { title: title.into(), period, lines: lines.into_iter().collect() }
    }

    fn properties(&self, region: &str) -> Value {
        let mut metrics = Vec::new();
        for (index, line) in self.lines.iter().enumerate() {
            metrics.extend(line.metrics(index));
        }
        json!({
            "title": self.title, "region": region, "view": "timeSeries", "stacked": false,
            "period": self.period.seconds(), "metrics": metrics,
        })
    }
}

impl Line {
    /// Creates a line for a metric or an expression, with its label.
    #[must_use]
    pub fn new(label: impl Into<String>, expression: impl Into<Expression>) -> Self {
        Self { label: label.into(), expression: expression.into() }
    }

    /// The metrics of the line. Ids must be unique in a graph, so those of a line contain its index.
    fn metrics(&self, index: usize) -> Vec<Value> {
        let prefix = format!("l{index}m");
        let queries = self.expression.queries();
        let metric = |id: &str, series: &Series, rest: Value| {
            let mut metric = vec![NAMESPACE.into(), series.name().into()];
            metric.extend(
                series.dimensions().iter().flat_map(|(name, value)| [name.name().into(), value.as_str().into()]),
            );
            let mut properties = json!({ "id": id.replace('m', &prefix), "stat": series.statistic().name() });
            if let (Value::Object(properties), Value::Object(rest)) = (&mut properties, rest) {
                properties.extend(rest);
            }
            metric.push(properties);
            Value::Array(metric)
        };
        let Some(text) = queries.text else {
            let label = json!({ "label": self.label });
            return queries.metrics.iter().map(|(id, series)| metric(id, series, label.clone())).collect();
        };
        // Function names are in capitals, so each `m` begins an id.
        let math = json!({
            "expression": text.replace('m', &prefix), "label": self.label, "id": format!("l{index}"),
        });
        let hidden = queries.metrics.iter().map(|(id, series)| metric(id, series, json!({ "visible": false })));
        std::iter::once(json!([math])).chain(hidden).collect()
    }
}

fn widgets(table: &Table) -> Vec<Widget> {
    let (keyspace, name) = (table.keyspace.as_str(), table.name.as_str());
    let by_operation = |series: &dyn Fn(Operation) -> Series| {
        Operation::ALL.map(|operation| Line::new(operation.name(), series(operation))).into_iter().collect::<Vec<_>>()
    };
    let minute = |title: &str, lines: Vec<Line>| Widget::new(title, Period::MINUTE, lines);
    let throttles = vec![
        Line::new("reads", recommended::sum_of_operations(table, READ_THROTTLE_EVENTS, &[Operation::Select])),
        Line::new("writes", recommended::sum_of_operations(table, WRITE_THROTTLE_EVENTS, &Operation::WRITES)),
        Line::new(
            "over a partition's capacity",
            recommended::sum_of_operations(table, STORAGE_PARTITION_THROUGHPUT_CAPACITY_EXCEEDED, &Operation::ALL),
        ),
        Line::new(
            "over a connection's rate",
            recommended::sum_of_operations(table, PER_CONNECTION_REQUEST_RATE_EXCEEDED, &Operation::ALL),
        ),
    ];
    let errors = vec![
        Line::new("system errors", recommended::sum_of_operations(table, SYSTEM_ERRORS, &Operation::ALL)),
        Line::new("user errors", recommended::sum_of_operations(table, USER_ERRORS, &Operation::ALL)),
        Line::new(
            "failed conditions",
            Expression::from(CONDITIONAL_CHECK_FAILED_REQUESTS.sum().series(keyspace, name)).fill_zero(),
        ),
    ];
    let mut capacity: Vec<Line> = ["consumed reads a second", "consumed writes a second"]
        .into_iter()
        .zip(recommended::consumed(table))
        .map(|(label, series)| Line::new(label, Expression::per_second(series)))
        .collect();
    if table.is_provisioned {
        let labels = ["provisioned reads", "provisioned writes"].into_iter();
        capacity.extend(
            labels.zip(recommended::provisioned_capacity(table)).map(|(label, series)| Line::new(label, series)),
        );
    }
    let size = Line::new("bytes", BILLABLE_TABLE_SIZE_IN_BYTES.maximum().series(keyspace, name));
    vec![
        minute(
            "Successful requests a minute",
            by_operation(&|operation| SUCCESSFUL_REQUEST_COUNT.sample_count().series(keyspace, name, operation)),
        ),
        minute(
            "Average latency inside the service, ms",
            by_operation(&|operation| SUCCESSFUL_REQUEST_LATENCY.average().series(keyspace, name, operation)),
        ),
        minute("Throttled requests a minute, and why", throttles),
        Widget::new("Capacity units", Period::FIVE_MINUTES, capacity),
        minute("Errors a minute", errors),
        Widget::new("Billable size", Period::FIVE_MINUTES, [size]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_of_a_widget_have_distinct_ids() {
        let table = Table::new("ks", "t").unwrap().provisioned();
        let dashboard = Dashboard::for_table(&table, "us-east-1").unwrap();
        let body: Value = serde_json::from_str(&dashboard.body()).unwrap();
        for widget in body["widgets"].as_array().unwrap() {
            let metrics = widget["properties"]["metrics"].as_array().unwrap();
            let ids: Vec<_> =
                metrics.iter().map(|metric| metric.as_array().unwrap().last().unwrap()["id"].clone()).collect();
            let distinct: std::collections::BTreeSet<_> = ids.iter().map(Value::to_string).collect();
            assert_eq!(ids.len(), distinct.len(), "{ids:?}");
        }
        let throttled = &body["widgets"][2]["properties"]["metrics"];
        assert_eq!(throttled[0][0]["expression"], "SUM([FILL(l0m1,0)])");
        assert_eq!(
            throttled[1],
            json!(["AWS/Cassandra", "ReadThrottleEvents", "Keyspace", "ks", "TableName", "t", "Operation", "SELECT",
                {"id": "l0m1", "stat": "Sum", "visible": false}])
        );
    }
}
