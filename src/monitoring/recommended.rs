use keyspaces_cql::metrics::{
    ACCOUNT_MAX_TABLE_LEVEL_READS, ACCOUNT_MAX_TABLE_LEVEL_WRITES, CONDITIONAL_CHECK_FAILED_REQUESTS,
    CONSUMED_READ_CAPACITY_UNITS, CONSUMED_WRITE_CAPACITY_UNITS, Metric, Operation,
    PER_CONNECTION_REQUEST_RATE_EXCEEDED, PROVISIONED_READ_CAPACITY_UNITS, PROVISIONED_WRITE_CAPACITY_UNITS,
    PerOperation, READ_THROTTLE_EVENTS, REPLICATION_LATENCY, STORAGE_PARTITION_THROUGHPUT_CAPACITY_EXCEEDED,
    STREAM_SYSTEM_ERRORS, SYSTEM_ERRORS, Series, StreamOperation, SumAndSampleCount, WRITE_THROTTLE_EVENTS,
};

use super::alarm::Comparison::{Above, AtLeast};
use super::{Alarm, Expression, Period, Table};

/// Returns the recommended alarms for a table. The description of each says why it has its threshold.
///
/// | alarm | goes off when | source of the threshold |
/// |---|---|---|
/// | throttled requests | more than 10 a minute for 3 minutes | the guide "How to Set Up Amazon Keyspaces" |
/// | hot partition | 1 or more in each of 5 minutes | AWS Incident Detection and Response |
/// | connection rate | 1 or more in each of 5 minutes | AWS Incident Detection and Response |
/// | system errors | 1 or more in 3 of 5 minutes | inferred: the client retries single ones |
/// | provisioned reads, writes | above 80 % for 3 times 5 minutes | inferred from `DG:troubleshooting`, which advises to watch them |
/// | account quota for reads, writes | above 80 % for 3 times 5 minutes | inferred |
/// | failed conditions | more than 100 a minute for 5 minutes | inferred; depends on the application |
/// | replication latency | above 1,000 ms on average for 5 minutes | AWS Incident Detection and Response |
/// | stream errors | 1 or more in 3 of 5 minutes | inferred, as system errors |
///
/// The alarms on provisioned capacity, replication and streams are included if the [`Table`] has these. Each alarm can be
/// changed with [`Alarm::with_comparison`], [`Alarm::with_datapoints`] and [`Alarm::with_period`], or left out.
#[must_use]
pub fn recommended(table: &Table) -> Vec<Alarm> {
    let mut alarms = vec![
        throttled_requests(table),
        minute_alarm(
            table,
            "hot partition",
            "A storage partition received requests for more than 3,000 RCU or 1,000 WCU a second, so they are throttled, \
             whatever the capacity of the table. More capacity does not help: spread the load over more partition keys. The \
             alarm waits for five such minutes in a row, because a burst passes by itself (threshold of AWS Incident \
             Detection and Response).",
            sum_of_operations(table, STORAGE_PARTITION_THROUGHPUT_CAPACITY_EXCEEDED, &Operation::ALL),
            5,
            5,
        ),
        minute_alarm(
            table,
            "connection rate",
            "Requests exceeded the 3,000 a second that one connection takes. Open more connections, or connect to more peers. \
             The alarm waits for five such minutes in a row (threshold of AWS Incident Detection and Response).",
            sum_of_operations(table, PER_CONNECTION_REQUEST_RATE_EXCEEDED, &Operation::ALL),
            5,
            5,
        ),
        minute_alarm(
            table,
            "system errors",
            "The service failed requests with ServerError. The client retries what it may, so a single error needs no \
             action; one or more in three of five minutes do.",
            sum_of_operations(table, SYSTEM_ERRORS, &Operation::ALL),
            3,
            5,
        ),
    ];
    alarms.extend(utilisation_alarms(table));
    alarms.push(
        alarm(table,
                "failed conditions",
                "More than 100 conditional writes a minute found their condition false for five minutes: writers contend \
                 for the same rows, and each failed write is billed as one that was applied. The usual number depends on \
                 the application: set the threshold by a normal day.",
                CONDITIONAL_CHECK_FAILED_REQUESTS.sum().series(&table.keyspace, &table.name),
                Above(100.0),
            )
            .with_evaluation(Period::MINUTE, 5, 5),
    );
    alarms.extend(replication_alarms(table));
    alarms.extend(stream_alarms(table));
    alarms
}

/// Returns the guide's alarm: more than ten throttled requests a minute for three minutes. The guide watches the metric
/// `ThrottledRequests` of a table, which does not exist. Throttled reads and writes are counted by operation, and are added
/// here.
#[must_use]
pub fn throttled_requests(table: &Table) -> Alarm {
    let throttled = [
        by_operation(table, READ_THROTTLE_EVENTS, &[Operation::Select]),
        by_operation(table, WRITE_THROTTLE_EVENTS, &Operation::WRITES),
    ];
    alarm(table,
            "throttled requests",
            "More than ten reads and writes a minute were throttled for three minutes: the load is above the capacity of the \
             table, of the account, of a connection or of a partition. Raise the capacity, or use auto scaling or on-demand \
             mode; the alarms on hot partitions and on the connection rate show whether that helps.",
            Expression::sum(throttled.into_iter().flatten()),
            Above(10.0),
        )
        .with_evaluation(Period::MINUTE, 3, 3)
}

fn alarm(
    table: &Table,
    name: &str,
    description: &str,
    expression: impl Into<Expression>,
    comparison: super::Comparison,
) -> Alarm {
    Alarm::unchecked(format!("{table} {name}"), description.to_owned(), expression.into(), comparison)
}

/// An alarm that goes off if the expression is 1 or more in `breaching` of the last `evaluated` minutes.
fn minute_alarm(
    table: &Table,
    name: &str,
    description: &str,
    expression: Expression,
    breaching: u32,
    evaluated: u32,
) -> Alarm {
    alarm(table, name, description, expression, AtLeast(1.0)).with_evaluation(Period::MINUTE, breaching, evaluated)
}

/// A metric for each operation, with 0 in place of missing data points.
fn by_operation(
    table: &Table,
    metric: Metric<PerOperation, SumAndSampleCount>,
    operations: &[Operation],
) -> Vec<Expression> {
    let series = |operation: &Operation| metric.sum().series(&table.keyspace, &table.name, *operation);
    operations.iter().map(|operation| Expression::from(series(operation)).fill_zero()).collect()
}

pub(super) fn sum_of_operations(
    table: &Table,
    metric: Metric<PerOperation, SumAndSampleCount>,
    operations: &[Operation],
) -> Expression {
    Expression::sum(by_operation(table, metric, operations))
}

pub(super) fn consumed(table: &Table) -> [Series; 2] {
    [CONSUMED_READ_CAPACITY_UNITS, CONSUMED_WRITE_CAPACITY_UNITS]
        .map(|metric| metric.sum().series(&table.keyspace, &table.name))
}

pub(super) fn provisioned_capacity(table: &Table) -> [Series; 2] {
    [PROVISIONED_READ_CAPACITY_UNITS, PROVISIONED_WRITE_CAPACITY_UNITS]
        .map(|metric| metric.average().series(&table.keyspace, &table.name))
}

/// The alarms on the shares of the provisioned capacity and of the account's quota that the table uses.
fn utilisation_alarms(table: &Table) -> Vec<Alarm> {
    let quotas = [ACCOUNT_MAX_TABLE_LEVEL_READS, ACCOUNT_MAX_TABLE_LEVEL_WRITES];
    let directions = ["reads", "writes"].into_iter().zip(consumed(table));
    let sides = directions.zip(provisioned_capacity(table)).zip(quotas);
    let mut alarms = Vec::new();
    for (((direction, consumed), provisioned), quota) in sides {
        let share =
            |limit: Series| Expression::per_second(consumed.clone()) / Expression::from(limit).fill_repeat() * 100;
        if table.is_provisioned {
            let description = format!(
                "The table uses more than 80 % of its provisioned capacity for {direction}, on average over each of \
                 three times five minutes. Above 100 % it is throttled as soon as its burst capacity is used up. Five \
                 minutes is the interval at which the provisioned capacity is reported."
            );
            let name = format!("provisioned {direction}");
            alarms.push(alarm(table, &name, &description, share(provisioned), Above(80.0)).with_evaluation(
                Period::FIVE_MINUTES,
                3,
                3,
            ));
        }
        let description = format!(
            "The table uses more than 80 % of the account's quota for the {direction} of one table. Requests over the quota \
             are throttled in either capacity mode; request an increase in advance."
        );
        let name = format!("account quota for {direction}");
        let share = share(quota.maximum().series());
        alarms.push(alarm(table, &name, &description, share, Above(80.0)).with_evaluation(Period::FIVE_MINUTES, 3, 3));
    }
    alarms
}

fn replication_alarms(table: &Table) -> impl Iterator<Item = Alarm> {
    table.receiving_regions.iter().map(|region| {
        let latency = REPLICATION_LATENCY.average();
        // The sources disagree about the dimensions, so both are queried; CloudWatch has data under one of them.
        let latency = [
            latency.series(&table.keyspace, &table.name, region),
            latency.series_without_keyspace(&table.name, region),
        ];
        let description = format!(
            "Writes took more than a second on average to reach {region}, for five minutes: reads there are older than \
             that (threshold of AWS Incident Detection and Response)."
        );
        let name = format!("replication to {region}");
        let latency = latency.map(|series| Expression::from(series).fill_zero());
        alarm(table, &name, &description, Expression::max(latency), Above(1000.0)).with_evaluation(Period::MINUTE, 5, 5)
    })
}

fn stream_alarms(table: &Table) -> impl Iterator<Item = Alarm> {
    table.stream_labels.iter().map(|label| {
        let series = |operation| STREAM_SYSTEM_ERRORS.sum().series(&table.keyspace, &table.name, label, operation);
        let errors = StreamOperation::ALL.map(|operation| Expression::from(series(operation)).fill_zero());
        let name = format!("errors of stream {label}");
        let description = "Calls on the change data capture stream failed with HTTP 500. Records are kept for 24 hours; a \
                      consumer that cannot read falls behind, and the service has no metric for how far.";
        minute_alarm(table, &name, description, Expression::sum(errors), 3, 5)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cloudwatch_accepts_every_recommended_alarm() {
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
    fn alarm_percentage_is_the_consumed_rate_divided_by_the_limit() {
        let table = Table::new("ks", "t").unwrap().provisioned();
        let alarms = recommended(&table);
        let share = alarms.iter().find(|alarm| alarm.name() == "ks.t provisioned writes").unwrap();
        assert_eq!(share.expression().text(), "((m1/PERIOD(m1))/FILL(m2,REPEAT))*100");
        let metrics: Vec<_> = share.expression().metrics().iter().map(ToString::to_string).collect();
        assert_eq!(
            metrics,
            [
                "Sum of ConsumedWriteCapacityUnits {Keyspace=ks, TableName=t}",
                "Average of ProvisionedWriteCapacityUnits {Keyspace=ks, TableName=t}",
            ]
        );
    }
}
