use keyspaces_cql::metrics::{NAMESPACE, Series};
use serde_json::{Map, Value, json};

use super::cloudformation::insert;
use super::command_line::{number, pretty};
use super::{Alarm, Dashboard, Topic};

/// Returns a Terraform configuration in JSON (a file `….tf.json`), with the alarms as `aws_cloudwatch_metric_alarm` and the
/// dashboards as `aws_cloudwatch_dashboard`.
#[must_use]
pub fn terraform<'a>(
    alarms: impl IntoIterator<Item = &'a Alarm>,
    dashboards: impl IntoIterator<Item = &'a Dashboard>,
) -> String {
    let (mut alarm_resources, mut dashboard_resources) = (Map::new(), Map::new());
    for alarm in alarms {
        insert(&mut alarm_resources, &label(alarm.name()), resource(alarm));
    }
    for dashboard in dashboards {
        let arguments = json!({
            "dashboard_name": literal(dashboard.name()),
            "dashboard_body": literal(&dashboard.body()),
        });
        insert(&mut dashboard_resources, &label(dashboard.name()), arguments);
    }
    let mut resources = Map::new();
    let kinds = [("aws_cloudwatch_metric_alarm", alarm_resources), ("aws_cloudwatch_dashboard", dashboard_resources)];
    for (kind, resources_of_kind) in kinds {
        if !resources_of_kind.is_empty() {
            resources.insert(kind.to_owned(), resources_of_kind.into());
        }
    }
    pretty(&json!({ "resource": resources }))
}

fn resource(alarm: &Alarm) -> Value {
    let arns = |topics: &[Topic]| topics.iter().map(|topic| Value::from(topic.arn())).collect::<Vec<_>>();
    let mut arguments = json!({
        "alarm_name": literal(&alarm.name),
        "alarm_description": literal(&alarm.description),
        "alarm_actions": arns(&alarm.alarm_actions),
        "ok_actions": arns(&alarm.ok_actions),
        "comparison_operator": alarm.comparison.operator(),
        "threshold": number(alarm.comparison.threshold()),
        "evaluation_periods": alarm.evaluation_periods,
        "datapoints_to_alarm": alarm.datapoints_to_alarm,
        "treat_missing_data": alarm.missing_data.name(),
    });
    let queries = alarm.expression.queries();
    match (&queries.text, queries.metrics.as_slice()) {
        (None, [(_, series)]) => {
            arguments["namespace"] = NAMESPACE.into();
            arguments["metric_name"] = series.name().into();
            arguments["dimensions"] = dimensions(series);
            arguments["statistic"] = series.statistic().name().into();
            arguments["period"] = alarm.period.seconds().into();
        }
        (text, metrics) => {
            let result = json!({
                "id": "watched", "expression": text, "label": literal(&alarm.name), "return_data": true,
            });
            let inputs = metrics.iter().map(|(id, series)| {
                json!({
                    "id": id,
                    "metric": {
                        "namespace": NAMESPACE,
                        "metric_name": series.name(),
                        "dimensions": dimensions(series),
                        "period": alarm.period.seconds(),
                        "stat": series.statistic().name(),
                    },
                    "return_data": false,
                })
            });
            arguments["metric_query"] = std::iter::once(result).chain(inputs).collect();
        }
    }
    arguments
}

fn dimensions(series: &Series) -> Value {
    let dimensions = series.dimensions().iter();
    dimensions.map(|(name, value)| (name.name().to_owned(), literal(value))).collect::<Map<_, _>>().into()
}

/// Escapes `${` and `%{`, with which Terraform begins a template.
fn literal(text: &str) -> Value {
    text.replace("${", "$${").replace("%{", "%%{").into()
}

/// The name of a resource: letters, digits and underscores.
fn label(name: &str) -> String {
    let label: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if label.starts_with(|c: char| c.is_ascii_alphabetic()) { label } else { format!("_{label}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terraform_literal_escapes_template_syntax() {
        assert_eq!(literal("${a} %{b} $5 50 %"), "$${a} %%{b} $5 50 %");
        assert_eq!(label("1.a b"), "_1_a_b");
    }
}
