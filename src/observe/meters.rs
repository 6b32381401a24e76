use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::{Counter, Gauge, Histogram, Label, counter, gauge, histogram};

use crate::ErrorKind;
use crate::statement::About;

/// The metrics of one statement, to the recorder that there was when it was made.
#[derive(Clone)]
pub(crate) struct Meters(Arc<Inner>);

struct Inner {
    labels: Vec<Label>,
    calls: Counter,
    attempts: Counter,
    throttled: Counter,
    in_flight: Gauge,
    duration: Histogram,
    waited: Histogram,
}

/// A call that is under way, until it is dropped.
pub(crate) struct Running {
    meters: Meters,
    began: Instant,
}

impl Meters {
    pub(crate) fn of(about: &About) -> Self {
        let mut labels =
            vec![Label::new("db.system.name", "cassandra"), Label::new("db.query.summary", about.attempted.clone())];
        labels.push(Label::new("db.operation.name", about.operation().to_owned()));
        if let Some((keyspace, table)) = about.table() {
            labels.push(Label::new("db.namespace", keyspace.to_owned()));
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

    pub(crate) fn begin(&self) -> Running {
        self.0.calls.increment(1);
        self.0.in_flight.increment(1);
        Running { meters: self.clone(), began: Instant::now() }
    }

    pub(crate) fn attempt(&self) {
        self.0.attempts.increment(1);
    }

    pub(crate) fn failed_attempt(&self, kind: ErrorKind) {
        if kind == ErrorKind::Throttled {
            self.0.throttled.increment(1);
        }
        self.failed("keyspaces.failed_attempts", kind);
    }

    pub(crate) fn failed_call(&self, kind: ErrorKind) {
        self.failed("keyspaces.failed_calls", kind);
    }

    pub(crate) fn waited(&self, duration: Duration) {
        self.0.waited.record(duration);
    }

    fn failed(&self, name: &'static str, kind: ErrorKind) {
        let mut labels = self.0.labels.clone();
        labels.push(Label::new("error.type", kind.as_str()));
        counter!(name, labels.iter()).increment(1);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.meters.0.in_flight.decrement(1);
        self.meters.0.duration.record(self.began.elapsed());
    }
}

impl std::fmt::Debug for Meters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Meters").field(&self.0.labels).finish()
    }
}
