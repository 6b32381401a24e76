//! The table of metrics, compared with a copy that was made by hand from the page of the Developer Guide.

use std::fmt::Write;

use keyspaces_cql::metrics::{self, Operation, Statistic, StreamOperation};

#[test]
fn metrics_match_the_guide() {
    let mut actual = String::new();
    for metric in metrics::all() {
        let dimensions: Vec<_> = metric.dimensions.iter().map(ToString::to_string).collect();
        let statistics: Vec<_> = metric.statistics.iter().map(ToString::to_string).collect();
        let (dimensions, statistics) = (dimensions.join(","), statistics.join(","));
        writeln!(actual, "{} | {} | {dimensions} | {statistics}", metric.name, metric.unit).unwrap();
    }
    assert_eq!(actual, include_str!("metrics.txt"), "{actual}");
}

#[test]
fn metric_series_prints_its_statistic_name_and_dimensions() {
    let account = metrics::ACCOUNT_MAX_TABLE_LEVEL_READS.maximum().series();
    assert_eq!(account.to_string(), "Maximum of AccountMaxTableLevelReads");
    let stream = metrics::STREAM_SYSTEM_ERRORS.sum().series("shop", "t", "2026-01-01", StreamOperation::GetRecords);
    assert_eq!(
        stream.to_string(),
        "Sum of SystemErrors {Keyspace=shop, TableName=t, StreamLabel=2026-01-01, Operation=GetRecords}"
    );
    let replica = metrics::REPLICATION_LATENCY.average().series_without_keyspace("t", "eu-west-1");
    assert_eq!(replica.to_string(), "Average of ReplicationLatency {TableName=t, ReceivingRegion=eu-west-1}");
    let counted = metrics::SUCCESSFUL_REQUEST_COUNT.sample_count().series("shop", "t", Operation::Batch);
    assert_eq!(counted.statistic(), Statistic::SampleCount);
    assert_eq!(counted.unit().name(), "Count");
}

#[test]
fn metrics_the_service_does_not_publish_are_not_listed() {
    // These names are in the article that this project began with, in two pages of the Developer Guide, and in AWS's
    // dashboard template.
    for name in ["ThrottledRequests", "ConditionalCheckFailed", "Latency", "ReadThottleException"] {
        assert_eq!(metrics::with_name(name).count(), 0, "{name}");
    }
    assert_eq!(metrics::with_name("SystemErrors").count(), 2, "of tables and of streams");
    let requests = metrics::with_name("SuccessfulRequestCount").next().unwrap();
    assert!(requests.has(Statistic::SampleCount) && !requests.has(Statistic::Sum));
}
