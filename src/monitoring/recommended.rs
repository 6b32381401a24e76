use keyspaces_cql::metrics::{
    ACCOUNT_MAX_TABLE_LEVEL_READS, ACCOUNT_MAX_TABLE_LEVEL_WRITES, CONDITIONAL_CHECK_FAILED_REQUESTS,
    CONSUMED_READ_CAPACITY_UNITS, CONSUMED_WRITE_CAPACITY_UNITS, Metric, Operation,
    PER_CONNECTION_REQUEST_RATE_EXCEEDED, PROVISIONED_READ_CAPACITY_UNITS, PROVISIONED_WRITE_CAPACITY_UNITS,
    PerOperation, READ_THROTTLE_EVENTS, REPLICATION_LATENCY, STORAGE_PARTITION_THROUGHPUT_CAPACITY_EXCEEDED,
    STREAM_SYSTEM_ERRORS, SYSTEM_ERRORS, Series, StreamOperation, SumAndSampleCount, WRITE_THROTTLE_EVENTS,
};

use super::alarm::Comparison::{Above, AtLeast};
use super::{Alarm, Expression, Period, Table};

/// The alarms that practice recommends for a table, each with its threshold and the reason for it in its description.
///
/// | alarm | sets off when | source of the threshold |
/// |---|---|---|
/// | throttled requests | more than 10 a minute for 3 minutes | the guide that this project began with |
/// | hot partition | 1 or more in each of 5 minutes | AWS Incident Detection and Response |
/// | connection rate | 1 or more in each of 5 minutes | AWS Incident Detection and Response |
/// | system errors | 1 or more in 3 of 5 minutes | inferred: single ones are repeated by the client |
/// | provisioned reads, writes | above 80 % for 3 times 5 minutes | inferred from `DG:troubleshooting`, which says to watch it |
/// | account quota for reads, writes | above 80 % for 3 times 5 minutes | inferred |
/// | failed conditions | more than 100 a minute for 5 minutes | inferred; depends on the application |
/// | replication latency | above 1,000 ms on average for 5 minutes | AWS Incident Detection and Response |
/// | stream errors | 1 or more in 3 of 5 minutes | inferred, as system errors |
///
/// Those of provisioned capacity, of replication and of streams are there if the [`Table`] has these. Each can be changed: by
/// [`Alarm::when`], [`Alarm::datapoints`], [`Alarm::every`]; or left out.
#[must_use]
pub fn recommended(table: &Table) -> Vec<Alarm> {
    let mut alarms = vec![
        throttled_requests(table),
        each_minute(
            table,
            "hot partition",
            "A storage partition was asked for more than 3,000 RCU or 1,000 WCU a second, so its requests are throttled \
             however much capacity the table has. Capacity does not help: spread the load over more partition keys. In each \
             of five minutes, because a burst passes by itself (threshold of AWS Incident Detection and Response).",
            all(table, STORAGE_PARTITION_THROUGHPUT_CAPACITY_EXCEEDED, &Operation::ALL),
            5,
            5,
        ),
        each_minute(
            table,
            "connection rate",
            "Requests went over the 3,000 a second that one connection takes. Open more connections, or connect to more \
             peers. In each of five minutes (threshold of AWS Incident Detection and Response).",
            all(table, PER_CONNECTION_REQUEST_RATE_EXCEEDED, &Operation::ALL),
            5,
            5,
        ),
        each_minute(
            table,
            "system errors",
            "The service failed requests with ServerError. The client repeats what it may, so a single one is no reason to \
             wake somebody; one or more in three of five minutes is.",
            all(table, SYSTEM_ERRORS, &Operation::ALL),
            3,
            5,
        ),
    ];
    alarms.extend(shares(table));
    alarms.push(
        alarm(table,
                "failed conditions",
                "More than 100 conditional writes a minute found their condition false for five minutes: writers contend \
                 for the same rows, and each failed write is billed as one that was applied. What is usual depends on the \
                 application: set the threshold by its own normal day.",
                CONDITIONAL_CHECK_FAILED_REQUESTS.sum().series(&table.keyspace, &table.name),
                Above(100.0),
            )
            .over(Period::MINUTE, 5, 5),
    );
    alarms.extend(replication(table));
    alarms.extend(streams(table));
    alarms
}

/// The guide's alarm: more than ten throttled requests a minute for three minutes. The guide watches `ThrottledRequests` of a
/// table, which does not exist; throttled reads and writes are counted by operation, and are added here.
#[must_use]
pub fn throttled_requests(table: &Table) -> Alarm {
    let throttled = [
        each(table, READ_THROTTLE_EVENTS, &[Operation::Select]),
        each(table, WRITE_THROTTLE_EVENTS, &Operation::WRITES),
    ];
    alarm(table,
            "throttled requests",
            "More than ten reads and writes a minute were throttled for three minutes: the load is above the capacity of the \
             table, of the account, of a connection or of a partition. Raise the capacity, or use auto scaling or on-demand \
             mode; the alarms on hot partitions and on the connection rate tell whether that helps.",
            Expression::sum(throttled.into_iter().flatten()),
            Above(10.0),
        )
        .over(Period::MINUTE, 3, 3)
}

fn alarm(
    table: &Table,
    name: &str,
    reason: &str,
    watched: impl Into<Expression>,
    comparison: super::Comparison,
) -> Alarm {
    Alarm::unchecked(format!("{table} {name}"), reason.to_owned(), watched.into(), comparison)
}

/// One or more in so many of the last minutes.
fn each_minute(table: &Table, name: &str, reason: &str, watched: Expression, breaching: u32, of: u32) -> Alarm {
    alarm(table, name, reason, watched, AtLeast(1.0)).over(Period::MINUTE, breaching, of)
}

/// A metric of each operation, 0 where there is nothing to report.
fn each(table: &Table, metric: Metric<PerOperation, SumAndSampleCount>, operations: &[Operation]) -> Vec<Expression> {
    let of = |operation: &Operation| metric.sum().series(&table.keyspace, &table.name, *operation);
    operations.iter().map(|operation| Expression::from(of(operation)).or_zero()).collect()
}

pub(super) fn all(
    table: &Table,
    metric: Metric<PerOperation, SumAndSampleCount>,
    operations: &[Operation],
) -> Expression {
    Expression::sum(each(table, metric, operations))
}

pub(super) fn consumed(table: &Table) -> [Series; 2] {
    [CONSUMED_READ_CAPACITY_UNITS, CONSUMED_WRITE_CAPACITY_UNITS]
        .map(|metric| metric.sum().series(&table.keyspace, &table.name))
}

pub(super) fn provisioned_capacity(table: &Table) -> [Series; 2] {
    [PROVISIONED_READ_CAPACITY_UNITS, PROVISIONED_WRITE_CAPACITY_UNITS]
        .map(|metric| metric.average().series(&table.keyspace, &table.name))
}

/// What part of its provisioned capacity and of the account's quota it uses.
fn shares(table: &Table) -> Vec<Alarm> {
    let quotas = [ACCOUNT_MAX_TABLE_LEVEL_READS, ACCOUNT_MAX_TABLE_LEVEL_WRITES];
    let directions = ["reads", "writes"].into_iter().zip(consumed(table));
    let sides = directions.zip(provisioned_capacity(table)).zip(quotas);
    let mut alarms = Vec::new();
    for (((direction, consumed), provisioned), quota) in sides {
        let share = |of: Series| Expression::per_second(consumed.clone()) / Expression::from(of).or_last() * 100;
        if table.is_provisioned {
            let reason = format!(
                "The table uses more than 80 % of its provisioned capacity for {direction}, on average over each of \
                 three times five minutes. Above 100 % it is throttled as soon as its burst capacity is used up. Five \
                 minutes is the interval at which the provisioned capacity is reported."
            );
            let name = format!("provisioned {direction}");
            alarms.push(alarm(table, &name, &reason, share(provisioned), Above(80.0)).over(Period::FIVE_MINUTES, 3, 3));
        }
        let reason = format!(
            "The table uses more than 80 % of what the account's quota lets one table use for {direction}. More than \
             the quota is throttled in either capacity mode; an increase of it has to be asked for ahead."
        );
        let name = format!("account quota for {direction}");
        let share = share(quota.maximum().series());
        alarms.push(alarm(table, &name, &reason, share, Above(80.0)).over(Period::FIVE_MINUTES, 3, 3));
    }
    alarms
}

fn replication(table: &Table) -> impl Iterator<Item = Alarm> {
    table.receiving_regions.iter().map(|region| {
        let latency = REPLICATION_LATENCY.average();
        // The sources disagree about the dimensions; CloudWatch has data under one of the two.
        let latency = [
            latency.series(&table.keyspace, &table.name, region),
            latency.series_without_keyspace(&table.name, region),
        ];
        let reason = format!(
            "Writes took more than a second on average to reach {region}, for five minutes: reads there are older than \
             that (threshold of AWS Incident Detection and Response)."
        );
        let name = format!("replication to {region}");
        let latency = latency.map(|series| Expression::from(series).or_zero());
        alarm(table, &name, &reason, Expression::highest(latency), Above(1000.0)).over(Period::MINUTE, 5, 5)
    })
}

fn streams(table: &Table) -> impl Iterator<Item = Alarm> {
    table.stream_labels.iter().map(|label| {
        let of = |operation| STREAM_SYSTEM_ERRORS.sum().series(&table.keyspace, &table.name, label, operation);
        let errors = StreamOperation::ALL.map(|operation| Expression::from(of(operation)).or_zero());
        let name = format!("errors of stream {label}");
        let reason = "Calls on the change data capture stream failed with HTTP 500. Records are kept for 24 hours; a \
                      consumer that cannot read falls behind, and the service has no metric for how far.";
        each_minute(table, &name, reason, Expression::sum(errors), 3, 5)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recommended_alarm_is_one_that_cloudwatch_takes() {
        let long = "x".repeat(48);
        let table =
            Table::new(&long, &long).unwrap().provisioned().replicated_to("eu-west-1").with_stream("2026-11-26");
        let alarms = recommended(&table);
        for alarm in &alarms {
            alarm.check().unwrap();
        }
        let names: Vec<_> =
            alarms.iter().map(|alarm| alarm.name().trim_start_matches(&table.to_string()).trim()).collect();
        assert_eq!(
            names,
            [
                "throttled requests",
                "hot partition",
                "connection rate",
                "system errors",
                "provisioned reads",
                "account quota for reads",
                "provisioned writes",
                "account quota for writes",
                "failed conditions",
                "replication to eu-west-1",
                "errors of stream 2026-11-26",
            ]
        );
        assert_eq!(recommended(&Table::new("ks", "t").unwrap()).len(), 7);
    }

    #[test]
    fn a_share_is_the_consumed_rate_by_what_there_is() {
        let table = Table::new("ks", "t").unwrap().provisioned();
        let alarms = recommended(&table);
        let share = alarms.iter().find(|alarm| alarm.name() == "ks.t provisioned writes").unwrap();
        assert_eq!(share.watched().text(), "((m1/PERIOD(m1))/FILL(m2,REPEAT))*100");
        let metrics: Vec<_> = share.watched().metrics().iter().map(ToString::to_string).collect();
        assert_eq!(
            metrics,
            [
                "Sum of ConsumedWriteCapacityUnits {Keyspace=ks, TableName=t}",
                "Average of ProvisionedWriteCapacityUnits {Keyspace=ks, TableName=t}",
            ]
        );
    }
}
