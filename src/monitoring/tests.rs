//! Tests that all documents and texts name only metrics that exist.

use std::collections::BTreeSet;

use keyspaces_cql::metrics::{self, NAMESPACE, Statistic};
use serde_json::Value;

use super::{Dashboard, Table, cloudformation, put_metric_alarm_input, recommended, terraform};

/// A metric with its dimensions and its statistic in a document.
#[derive(Debug, Eq, Ord, PartialEq, PartialOrd)]
struct MetricReference {
    name: String,
    dimensions: BTreeSet<String>,
    statistic: String,
}

impl MetricReference {
    fn exists(&self) -> bool {
        let Some(statistic) = Statistic::from_name(&self.statistic) else { return false };
        metrics::with_name(&self.name).filter(|metric| metric.has(statistic)).any(|metric| {
            let dimensions: BTreeSet<String> = metric.dimensions.iter().map(ToString::to_string).collect();
            // DG:metrics-dimensions has this metric without the keyspace, and AWS's template has it with it.
            let is_documented_differently =
                self.name == "ReplicationLatency" && dimensions.is_superset(&self.dimensions);
            dimensions == self.dimensions || is_documented_differently
        })
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Collects all metrics of a document for PutMetricAlarm, CloudFormation, Terraform or a dashboard.
fn collect_references(document: &Value, into: &mut Vec<MetricReference>) {
    match document {
        Value::Object(members) => {
            let stat = |value: &Value, names: [&str; 2]| names.iter().find_map(|name| value.get(*name)).map(text);
            if let Some(metric) = members.get("Metric") {
                let dimensions =
                    metric["Dimensions"].as_array().unwrap().iter().map(|one| text(&one["Name"])).collect();
                let statistic = stat(document, ["Stat", "Statistic"]).unwrap();
                into.push(MetricReference { name: text(&metric["MetricName"]), dimensions, statistic });
            } else if let (Some(name), Some(dimensions)) = (members.get("MetricName"), members.get("Dimensions"))
                && let Some(statistic) = stat(document, ["Statistic", "Stat"])
            {
                let dimensions = dimensions.as_array().unwrap().iter().map(|one| text(&one["Name"])).collect();
                into.push(MetricReference { name: text(name), dimensions, statistic });
            } else if let (Some(name), Some(dimensions)) = (members.get("metric_name"), members.get("dimensions")) {
                let dimensions = dimensions.as_object().unwrap().keys().cloned().collect();
                let statistic = stat(document, ["stat", "statistic"]).unwrap();
                into.push(MetricReference { name: text(name), dimensions, statistic });
            }
            for member in ["DashboardBody", "dashboard_body"].iter().filter_map(|name| members.get(*name)) {
                collect_references(&serde_json::from_str(&text(member)).unwrap(), into);
            }
            members.values().for_each(|member| collect_references(member, into));
        }
        Value::Array(values) if values.first().is_some_and(|first| first == NAMESPACE) => {
            let (properties, names) = values.split_last().unwrap();
            let dimensions = names[2..].iter().step_by(2).map(text).collect();
            into.push(MetricReference { name: text(&names[1]), dimensions, statistic: text(&properties["stat"]) });
        }
        Value::Array(values) => values.iter().for_each(|value| collect_references(value, into)),
        _ => {}
    }
}

#[test]
fn every_alarm_and_dashboard_refers_to_existing_metrics() {
    let table = Table::new("ks", "t").unwrap().provisioned().replicated_to("eu-west-1").with_stream("label");
    let (alarms, dashboard) = (recommended(&table), Dashboard::for_table(&table, "us-east-1").unwrap());
    let mut documents: Vec<String> = alarms.iter().map(put_metric_alarm_input).collect();
    let alarm_documents = documents.len();
    documents.push(cloudformation(&alarms, [&dashboard]));
    documents.push(terraform(&alarms, [&dashboard]));
    documents.push(dashboard.body());
    let mut counts = Vec::new();
    for document in &documents {
        let mut all = Vec::new();
        collect_references(&serde_json::from_str(document).unwrap(), &mut all);
        for collect_references in &all {
            assert!(collect_references.exists(), "{collect_references:?}");
        }
        counts.push(all.len());
    }
    let [template, configuration, body] = counts[alarm_documents..] else { panic!("{counts:?}") };
    let in_alarms: usize = counts[..alarm_documents].iter().sum();
    assert!(in_alarms > 30 && body > 20, "{counts:?}");
    assert_eq!([template, configuration], [in_alarms + body; 2]);

    let wrong = [("ThrottledRequests", "Sum"), ("SuccessfulRequestCount", "Sum"), ("ReadThrottleEvents", "p99")];
    for (name, statistic) in wrong {
        let dimensions = ["Keyspace", "TableName", "Operation"].map(str::to_owned).into();
        let collect_references = MetricReference { name: name.to_owned(), dimensions, statistic: statistic.to_owned() };
        assert!(!collect_references.exists(), "{collect_references:?}");
    }
}

/// The endings of metric names. A word with such an ending in a text must be a metric.
const ENDINGS: [&str; 12] = [
    "CapacityUnits",
    "CapacityUtilization",
    "CheckFailedRequests",
    "Deletes",
    "LevelReads",
    "LevelWrites",
    "RateExceeded",
    "CapacityExceeded",
    "RequestCount",
    "RequestLatency",
    "SizeInBytes",
    "ThrottleEvents",
];

#[test]
fn documentation_names_only_existing_metrics() {
    let texts = [
        include_str!("monitoring.md"),
        include_str!("../../README.md"),
        include_str!("../../CHANGELOG.md"),
        include_str!("../../local/README.md"),
        include_str!("../../local/DIFFERENCES.md"),
        include_str!("../../examples/alarms.rs"),
    ];
    let mut found = 0;
    for word in texts.iter().flat_map(|text| text.split(|c: char| !c.is_ascii_alphanumeric())) {
        let is_capitalised = word.starts_with(|first: char| first.is_ascii_uppercase());
        if is_capitalised && ENDINGS.iter().any(|ending| word.ends_with(ending) && word != *ending) {
            assert_ne!(metrics::with_name(word).count(), 0, "{word}");
            found += 1;
        }
    }
    assert!(found >= 10, "{found}");
}
