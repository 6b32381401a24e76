use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::{
    Counter, Gauge, Histogram, Label, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge,
    histogram,
};

use crate::ErrorKind;
use crate::statement::StatementInfo;

/// The metrics of one statement. They go to the recorder that was installed when they were created.
#[derive(Clone)]
pub(crate) struct StatementMetrics(Arc<Inner>);

struct Inner {
    labels: Vec<Label>,
    calls: Counter,
    attempts: Counter,
    throttled: Counter,
    in_flight: Gauge,
    duration: Histogram,
    waited: Histogram,
}

/// A call in progress; dropping it records the end of the call.
pub(crate) struct RunningCall {
    metrics: StatementMetrics,
    began: Instant,
}

impl StatementMetrics {
    /// Describes each metric to the installed recorder.
    pub(crate) fn describe() {
        describe_counter!("keyspaces.calls", Unit::Count, "Calls; for a stream, pages");
        describe_counter!("keyspaces.attempts", Unit::Count, "Attempts of calls");
        describe_counter!("keyspaces.throttled", Unit::Count, "Attempts that the service throttled");
        describe_counter!("keyspaces.failed_attempts", Unit::Count, "Attempts that failed, by error.type");
        describe_counter!("keyspaces.failed_calls", Unit::Count, "Calls that failed, by error.type");
        describe_gauge!("keyspaces.in_flight", Unit::Count, "Calls in progress");
        describe_histogram!(
            "keyspaces.waited",
            Unit::Seconds,
            "Waits for a turn at a throttled table, for capacity of a connection, or before a retry"
        );
        describe_histogram!(
            "db.client.operation.duration",
            Unit::Seconds,
            "Duration of calls, whether they succeed or fail"
        );
    }

    /// Creates the metrics of a statement. No label contains a value, a size or a text, so the number of series is
    /// bounded by the number of statements and tags in the program.
    pub(crate) fn for_statement(info: &StatementInfo, tag: Option<&str>) -> Self {
        let mut labels =
            vec![Label::new("db.system.name", "cassandra"), Label::new("db.query.summary", info.summary().to_owned())];
        labels.push(Label::new("db.operation.name", info.operation()));
        if let Some(tag) = tag {
            labels.push(Label::new("tag", tag.to_owned()));
        }
        if let Some(keyspace) = info.keyspace() {
            labels.push(Label::new("db.namespace", keyspace.to_owned()));
        }
        if let Some((_, table)) = info.table() {
            labels.push(Label::new("db.collection.name", table.to_owned()));
        }
        Self(Arc::new(Inner {
            calls: counter!("keyspaces.calls", labels.iter()),
            attempts: counter!("keyspaces.attempts", labels.iter()),
            throttled: counter!("keyspaces.throttled", labels.iter()),
            in_flight: gauge!("keyspaces.in_flight", labels.iter()),
            duration: histogram!("db.client.operation.duration", labels.iter()),
            waited: histogram!("keyspaces.waited", labels.iter()),
            labels,
        }))
    }

    pub(crate) fn begin_call(&self) -> RunningCall {
        self.0.calls.increment(1);
        self.0.in_flight.increment(1);
        RunningCall { metrics: self.clone(), began: Instant::now() }
    }

    pub(crate) fn count_attempt(&self) {
        self.0.attempts.increment(1);
    }

    pub(crate) fn count_failed_attempt(&self, kind: ErrorKind) {
        if kind == ErrorKind::Throttled {
            self.0.throttled.increment(1);
        }
        self.count_failure("keyspaces.failed_attempts", kind);
    }

    pub(crate) fn count_failed_call(&self, kind: ErrorKind) {
        self.count_failure("keyspaces.failed_calls", kind);
    }

    pub(crate) fn record_wait(&self, duration: Duration) {
        self.0.waited.record(duration);
    }

    fn count_failure(&self, name: &'static str, kind: ErrorKind) {
        let mut labels = self.0.labels.clone();
        labels.push(Label::new("error.type", kind.as_str()));
        counter!(name, labels.iter()).increment(1);
    }
}

impl Drop for RunningCall {
    fn drop(&mut self) {
        self.metrics.0.in_flight.decrement(1);
        self.metrics.0.duration.record(self.began.elapsed());
    }
}

impl std::fmt::Debug for StatementMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("StatementMetrics").field(&self.0.labels).finish()
    }
}
