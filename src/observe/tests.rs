use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::ErrorKind;

/// The fields of each span, each with the value recorded last.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<Vec<RecordedSpan>>>);

type RecordedSpan = (&'static str, BTreeMap<String, String>);

struct SpanFields<'f>(&'f mut BTreeMap<String, String>);

impl Visit for SpanFields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
}

impl Subscriber for Spans {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("keyspaces")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = BTreeMap::new();
        span.record(&mut SpanFields(&mut fields));
        let mut spans = self.0.lock().unwrap();
        spans.push((span.metadata().name(), fields));
        Id::from_u64(spans.len() as u64)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let index = usize::try_from(span.into_u64()).unwrap() - 1;
        values.record(&mut SpanFields(&mut self.0.lock().unwrap()[index].1));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn call_and_each_attempt_have_spans_without_values() {
    use crate::{Endpoint, Session};
    use testkit::stub::{Reaction, Stub};

    let stub = Stub::with_addresses(1).start().await;
    let session =
        Session::builder().endpoint(Endpoint::cassandra(stub.address().to_string()).unwrap()).connect().await.unwrap();
    let spans = Spans::default();
    let _here = tracing::subscriber::set_default(spans.clone());
    stub.script([Reaction::Throttle]);
    session.execute("INSERT INTO shop.t (a) VALUES ('a secret')", ()).await.unwrap();
    stub.script([Reaction::Error(0x2200, "no")]);
    session.execute("DELETE FROM shop.t WHERE a = 'a secret'", ()).await.unwrap_err();

    let spans = spans.0.lock().unwrap();
    let lines: Vec<String> = spans
        .iter()
        .filter(|(name, _)| ["request", "attempt"].contains(name))
        .map(|(name, fields)| {
            let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("{name} {}", fields.join(" ").replace(&stub.port().to_string(), "<port>"))
        })
        .collect();
    let attempt = "server.address=127.0.0.1 server.port=<port>";
    let table_fields = r#"db.collection.name="t" db.namespace="shop""#;
    assert_eq!(
        lines,
        [
            format!(
                r#"request attempts=2 {table_fields} db.operation.name="INSERT" db.query.summary="INSERT INTO shop.t" db.system.name="cassandra""#
            ),
            format!(r#"attempt error.type="throttled" number=1 {attempt}"#),
            format!("attempt number=2 {attempt}"),
            format!(
                r#"request attempts=1 {table_fields} db.operation.name="DELETE" db.query.summary="DELETE FROM shop.t" db.system.name="cassandra" error.type="refused""#
            ),
            format!(r#"attempt error.type="refused" number=1 {attempt}"#),
        ]
    );
}

#[tokio::test]
async fn span_and_metric_of_a_failed_call_have_the_kind_of_its_error() {
    use crate::{Endpoint, Session};
    use testkit::stub::{Reaction, Stub};

    const APPEND: &str = "UPDATE shop.t SET l = l + ['a'] WHERE a = 1";

    let stub = Stub::with_addresses(1).start().await;
    let session =
        Session::builder().endpoint(Endpoint::cassandra(stub.address().to_string()).unwrap()).connect().await.unwrap();
    for (text, reaction, kind, attempt_kind) in [
        ("DELETE FROM shop.t WHERE a = 1", Reaction::Error(0x2200, "no"), ErrorKind::Refused, ErrorKind::Refused),
        (APPEND, Reaction::Throttle, ErrorKind::Unknown, ErrorKind::Throttled),
        (APPEND, Reaction::LoseAnswer, ErrorKind::Unknown, ErrorKind::ConnectionLost),
    ] {
        let spans = Spans::default();
        let _here = tracing::subscriber::set_default(spans.clone());
        #[cfg(feature = "metrics")]
        let recorder = metrics::MetricsRecorder::default();
        #[cfg(feature = "metrics")]
        let _recorded = ::metrics::set_default_local_recorder(&recorder);
        stub.script([reaction]);
        let error = session.execute(text, ()).await.unwrap_err();
        assert_eq!((error.kind(), error.reason()), (kind, attempt_kind));
        let spans = spans.0.lock().unwrap();
        for (span, kind) in [("request", kind), ("attempt", attempt_kind)] {
            let types: Vec<_> = spans
                .iter()
                .filter(|(name, _)| *name == span)
                .map(|(_, fields)| fields["error.type"].clone())
                .collect();
            assert_eq!(types, [format!("\"{kind}\"")], "{span}");
        }
        #[cfg(feature = "metrics")]
        for (counter, kind) in [("keyspaces.failed_calls", kind), ("keyspaces.failed_attempts", attempt_kind)] {
            assert_eq!(recorder.values_of(counter), [(format!("{counter} {kind}"), 1.0)]);
        }
    }
}

#[test]
fn documented_table_lists_every_error_kind() {
    let table = include_str!("../observe.md");
    for kind in ErrorKind::ALL {
        assert!(table.contains(&format!("`{kind}`")), "{kind:?}");
    }
}

#[cfg(feature = "metrics")]
mod metrics {
    use std::collections::{BTreeSet, HashMap};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use metrics::{
        Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString,
        Unit,
    };

    use crate::ErrorKind;
    use crate::observe::StatementMetrics;
    use crate::statement::StatementInfo;

    #[derive(Default)]
    pub(super) struct MetricsRecorder {
        values: Arc<Mutex<HashMap<String, f64>>>,
        described: Mutex<Vec<String>>,
        labels: Mutex<Vec<String>>,
    }

    struct One(String, Arc<Mutex<HashMap<String, f64>>>);

    impl One {
        fn add(&self, value: f64) {
            *self.1.lock().unwrap().entry(self.0.clone()).or_default() += value;
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a test counts to three")]
    impl CounterFn for One {
        fn increment(&self, value: u64) {
            self.add(value as f64);
        }
        fn absolute(&self, _: u64) {}
    }

    impl GaugeFn for One {
        fn increment(&self, value: f64) {
            self.add(value);
        }
        fn decrement(&self, value: f64) {
            self.add(-value);
        }
        fn set(&self, _: f64) {}
    }

    impl HistogramFn for One {
        fn record(&self, value: f64) {
            self.add(value);
        }
    }

    impl MetricsRecorder {
        fn one(&self, key: &Key) -> Arc<One> {
            let labels: Vec<String> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
            self.labels.lock().unwrap().push(labels.join(" "));
            let kind = key.labels().find(|label| label.key() == "error.type");
            let name = kind.map_or_else(|| key.name().to_owned(), |kind| format!("{} {}", key.name(), kind.value()));
            Arc::new(One(name, Arc::clone(&self.values)))
        }

        /// The values of a counter, by its name and `error.type`.
        pub(super) fn values_of(&self, counter: &str) -> Vec<(String, f64)> {
            let values = self.values.lock().unwrap();
            let of_counter = values.iter().filter(|(name, _)| name.split(' ').next() == Some(counter));
            of_counter.map(|(name, value)| (name.clone(), *value)).collect()
        }

        pub(super) fn all_labels(&self) -> BTreeSet<String> {
            self.labels.lock().unwrap().iter().cloned().collect()
        }
    }

    impl Recorder for MetricsRecorder {
        fn describe_counter(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
            self.described.lock().unwrap().push(name.as_str().to_owned());
        }
        fn describe_gauge(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
            self.described.lock().unwrap().push(name.as_str().to_owned());
        }
        fn describe_histogram(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
            self.described.lock().unwrap().push(name.as_str().to_owned());
        }

        fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
            Counter::from_arc(self.one(key))
        }
        fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
            Gauge::from_arc(self.one(key))
        }
        fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
            Histogram::from_arc(self.one(key))
        }
    }

    #[test]
    fn calls_attempts_and_failures_are_counted_and_in_flight_returns_to_zero() {
        let recorder = MetricsRecorder::default();
        metrics::with_local_recorder(&recorder, || {
            StatementMetrics::describe();
            let metrics =
                StatementMetrics::for_statement(&StatementInfo::of_text("INSERT INTO ks.t (a) VALUES (?)"), None);
            let running = metrics.begin_call();
            assert_eq!(recorder.values.lock().unwrap()["keyspaces.in_flight"], 1.0);
            metrics.count_attempt();
            metrics.count_failed_attempt(ErrorKind::Throttled);
            metrics.record_wait(Duration::from_secs(2));
            metrics.count_attempt();
            metrics.count_failed_attempt(ErrorKind::ConnectionLost);
            metrics.count_failed_call(ErrorKind::ConnectionLost);
            drop(running);
        });
        let values = recorder.values.lock().unwrap();
        for (name, value) in [
            ("keyspaces.calls", 1.0),
            ("keyspaces.attempts", 2.0),
            ("keyspaces.throttled", 1.0),
            ("keyspaces.failed_attempts throttled", 1.0),
            ("keyspaces.failed_attempts connection_lost", 1.0),
            ("keyspaces.failed_calls connection_lost", 1.0),
            ("keyspaces.in_flight", 0.0),
            ("keyspaces.waited", 2.0),
        ] {
            assert_eq!(values.get(name), Some(&value), "{name}");
        }
        assert!(values.contains_key("db.client.operation.duration"));
        for name in values.keys().filter_map(|name| name.split(' ').next()) {
            assert!(include_str!("../observe.md").contains(&format!("`{name}`")), "{name}");
            assert!(
                recorder.described.lock().unwrap().iter().any(|described| described == name),
                "{name} has no description"
            );
        }
    }

    #[test]
    fn metric_label_cardinality_is_bounded() {
        let recorder = MetricsRecorder::default();
        let batch = |size: usize| StatementInfo::of_batch(format!("an unlogged batch of {size} statements"));
        metrics::with_local_recorder(&recorder, || {
            for size in 1..=30 {
                StatementMetrics::for_statement(&batch(size), None);
            }
            for word in ["FROB the knobs", "TWIST the knobs"] {
                StatementMetrics::for_statement(&StatementInfo::unparsed(word), None);
            }
            StatementMetrics::for_statement(
                &StatementInfo::of_definition("CREATE TABLE ks.t (k int PRIMARY KEY)"),
                Some("set up"),
            );
        });
        let labels = recorder.all_labels();
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        assert_eq!(
            labels,
            [
                "db.system.name=cassandra db.query.summary=CREATE TABLE ks.t db.operation.name=CREATE TABLE tag=set up \
                 db.namespace=ks db.collection.name=t",
                "db.system.name=cassandra db.query.summary=OTHER db.operation.name=OTHER",
                "db.system.name=cassandra db.query.summary=UNLOGGED BATCH db.operation.name=BATCH",
            ]
        );
    }
}

#[cfg(feature = "metrics")]
#[tokio::test]
async fn tagged_call_emits_no_untagged_metric_series() {
    use testkit::stub::Stub;

    use crate::{Endpoint, Session, UnloggedBatch, Write};

    let stub = Stub::with_addresses(1).start().await;
    let endpoint = Endpoint::cassandra(stub.address().to_string()).unwrap();
    let session = Session::builder().endpoint(endpoint).connect().await.unwrap();
    let write: Write<()> = session.prepare("INSERT INTO shop.t (a) VALUES ('a')").await.unwrap();
    let recorder = metrics::MetricsRecorder::default();
    let _here = ::metrics::set_default_local_recorder(&recorder);
    session.query("DELETE FROM shop.t WHERE a = 'a'", ()).with_tag("sign off").execute().await.unwrap();
    let mut batch = UnloggedBatch::new(&session).with_tag("sign off");
    batch.push(&write, ()).unwrap().execute().await.unwrap();
    let labels = recorder.all_labels();
    assert!(!labels.is_empty());
    assert!(labels.iter().all(|labels| labels.contains("tag=sign off")), "{labels:?}");
}

#[tokio::test]
async fn span_has_the_query_text_when_enabled() {
    use crate::{Endpoint, Session};
    use testkit::stub::Stub;

    let stub = Stub::with_addresses(1).start().await;
    let endpoint = Endpoint::cassandra(stub.address().to_string()).unwrap();
    let session = Session::builder().endpoint(endpoint).trace_query_text(true).connect().await.unwrap();
    let spans = Spans::default();
    let _here = tracing::subscriber::set_default(spans.clone());
    session.execute("insert into shop.t (a) values ('said')", ()).await.unwrap();
    let spans = spans.0.lock().unwrap();
    let texts: Vec<_> = spans.iter().filter_map(|(_, fields)| fields.get("db.query.text")).collect();
    assert_eq!(texts, ["INSERT INTO shop.t (a) VALUES ('said')"]);
}

#[tokio::test]
async fn observer_is_called_for_every_attempt() {
    use super::{Attempt, Observer};
    use crate::{Endpoint, Session};
    use testkit::stub::{Reaction, Stub};

    #[derive(Clone, Default)]
    struct RecordedMetrics(Arc<Mutex<Vec<String>>>);

    impl Observer for RecordedMetrics {
        fn attempt(&self, attempt: &Attempt<'_>) {
            let Attempt { summary, tag, number, peer, error, .. } = attempt;
            self.0.lock().unwrap().push(format!("{summary} {tag:?} {number} {} {error:?}", peer.ip()));
        }
    }

    let stub = Stub::with_addresses(1).start().await;
    let kept = RecordedMetrics::default();
    let endpoint = Endpoint::cassandra(stub.address().to_string()).unwrap();
    let session = Session::builder().endpoint(endpoint).observer(kept.clone()).connect().await.unwrap();
    stub.script([Reaction::Throttle]);
    session.query("INSERT INTO shop.t (a) VALUES ('a')", ()).with_tag("sign up").execute().await.unwrap();
    stub.script([Reaction::Error(0x2200, "no")]);
    session.execute("DELETE FROM shop.t WHERE a = 'a'", ()).await.unwrap_err();
    assert_eq!(
        *kept.0.lock().unwrap(),
        [
            r#"INSERT INTO shop.t Some("sign up") 1 127.0.0.1 Some(Throttled)"#,
            r#"INSERT INTO shop.t Some("sign up") 2 127.0.0.1 None"#,
            "DELETE FROM shop.t None 1 127.0.0.1 Some(Refused)",
        ]
    );
}
