//! CloudWatch's operations, called as the server calls them, over the requests of clients to a real Cassandra. Tests
//! set the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::Time;
use super::client::{Client, ClientAnswer};
use crate::control_plane::ControlPlaneState;
use crate::control_plane::error::ApiError;
use crate::control_plane::monitoring::answer;
use crate::control_plane::protocol::{Input, JsonVersion, Protocol};
use crate::{CapacityMode, Local, Operation};

/// A service with a table of five write units a second.
struct MonitoredService {
    local: Local,
    client: Client,
    time: Time,
    plane: ControlPlaneState,
    keyspace: &'static str,
}

const NOT_KNOWN: &str = "(the service's message is not known)";

impl MonitoredService {
    async fn start(keyspace: &'static str) -> Self {
        let time = Time::new();
        // Moves to the beginning of a minute, so that all requests of one moment are in the same minute.
        time.pass(60 - time.millis() / 1000 % 60);
        let builder = super::another().await.throttling(true).clock(time.clock()).ddl_delay(Duration::ZERO);
        let local = builder.start().await.unwrap();
        let mut client = Client::connect(&local).await;
        client.keyspace(keyspace).await;
        client.table(keyspace, "t", "(p int PRIMARY KEY, v text)").await;
        local.throttling().set_capacity(keyspace, "t", Some(CapacityMode::Provisioned { read: 5, write: 5 }));
        let controls = local.controls();
        let region = local.region().to_owned();
        let plane = ControlPlaneState::new(Arc::clone(&controls.listeners), Arc::clone(&controls.authority), region);
        Self { local, client, time, plane, keyspace }
    }

    /// Sends this many INSERTs at once; five are executed.
    async fn insert(&mut self, number: u32) {
        for row in 0..number {
            let insert = format!("INSERT INTO {}.t (p) VALUES ({row})", self.keyspace);
            let answer = self.client.query(&insert).await;
            assert!(matches!(answer, ClientAnswer::Void | ClientAnswer::Refused(0x1100, ..)), "{answer:?}");
        }
    }

    async fn try_call(&self, operation: &str, input: Value) -> Result<Value, ApiError> {
        let body = input.to_string();
        let input = Input::new(Protocol::Json(JsonVersion::V1_0), body.as_bytes());
        let gateway = self.plane.gateway();
        let output =
            answer(&gateway, self.plane.alarms(), self.plane.region(), "111122223333", operation, input).await?;
        Ok(serde_json::from_slice(&output.json()?).unwrap())
    }

    async fn call(&self, operation: &str, input: Value) -> Value {
        self.try_call(operation, input.clone()).await.unwrap_or_else(|error| panic!("{operation} {input}: {error}"))
    }

    async fn refused(&self, operation: &str, input: Value) -> String {
        match self.try_call(operation, input.clone()).await {
            Ok(answer) => panic!("{operation} {input}: {answer}"),
            Err(error) => error.to_string(),
        }
    }

    async fn state(&self, alarm: &str) -> String {
        let alarms = self.call("DescribeAlarms", json!({"AlarmNames": [alarm]})).await;
        alarms["MetricAlarms"][0]["StateValue"].as_str().unwrap().to_owned()
    }

    /// Moves only CloudWatch's time: the table gets no new capacity.
    fn minutes_pass(&self, minutes: u64) {
        self.local.metering().advance(Duration::from_secs(60 * minutes));
    }

    /// CloudWatch's time, in seconds since 1970.
    fn now(&self) -> u64 {
        self.local.metering().now() / 1000
    }

    /// The values of a metric in the current minute and this many minutes before, the oldest first.
    async fn values(&self, name: &str, dimensions: Value, statistic: &str, minutes: u64) -> Value {
        let metric = json!({"Namespace": "AWS/Cassandra", "MetricName": name, "Dimensions": dimensions});
        let data = self.call(
            "GetMetricData",
            json!({
                "MetricDataQueries": [{"Id": "m1", "MetricStat": {"Metric": metric, "Period": 60, "Stat": statistic}}],
                "StartTime": self.now() - minutes * 60, "EndTime": self.now() + 1, "ScanBy": "TimestampAscending",
            }),
        );
        data.await["MetricDataResults"][0]["Values"].clone()
    }

    fn table_dimensions(&self) -> Value {
        json!([{"Name": "Keyspace", "Value": self.keyspace}, {"Name": "TableName", "Value": "t"}])
    }

    fn operation_dimensions(&self, operation: &str) -> Value {
        let mut dimensions = self.table_dimensions();
        dimensions.as_array_mut().unwrap().push(json!({"Name": "Operation", "Value": operation}));
        dimensions
    }

    /// An alarm on metric math: more than ten throttled writes per minute for three minutes.
    fn throttled(&self) -> Value {
        let metric = |operation: &str| {
            json!({
                "Namespace": "AWS/Cassandra", "MetricName": "WriteThrottleEvents",
                "Dimensions": self.operation_dimensions(operation),
            })
        };
        let query = |id: &str, operation: &str| {
            json!({
                "Id": id, "MetricStat": {"Metric": metric(operation), "Period": 60, "Stat": "Sum"}, "ReturnData": false,
            })
        };
        json!({
            "AlarmName": "throttled", "AlarmActions": ["arn:aws:sns:us-east-1:111122223333:alerts"],
            "ComparisonOperator": "GreaterThanThreshold", "Threshold": 10, "EvaluationPeriods": 3,
            "TreatMissingData": "notBreaching",
            "Metrics": [
                {"Id": "watched", "Expression": "SUM([FILL(m1,0),FILL(m2,0)])", "ReturnData": true},
                query("m1", "INSERT"), query("m2", "BATCH"),
            ],
        })
    }

    /// The alarm of the AWS article, word for word.
    fn guide_alarm(&self) -> Value {
        json!({
            "AlarmName": "guide", "Namespace": "AWS/Cassandra", "MetricName": "ThrottledRequests",
            "Dimensions": self.table_dimensions(), "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 3, "Threshold": 10,
            "ComparisonOperator": "GreaterThanThreshold", "AlarmActions": ["arn:aws:sns:us-east-1:111122223333:alerts"],
        })
    }
}

#[tokio::test]
async fn a_table_throttled_for_three_minutes_sets_off_an_alarm_but_never_the_guides() {
    let mut service = MonitoredService::start("cw_alarm").await;
    service.call("PutMetricAlarm", service.throttled()).await;
    service.call("PutMetricAlarm", service.guide_alarm()).await;
    assert_eq!(service.state("throttled").await, "INSUFFICIENT_DATA");
    let mut states = Vec::new();
    for _ in 0..4 {
        service.insert(16).await;
        service.minutes_pass(1);
        states.push(service.state("throttled").await);
    }
    assert_eq!(states, ["OK", "OK", "ALARM", "ALARM"]);
    let alarms = service.call("DescribeAlarms", json!({"AlarmNames": ["throttled"]})).await;
    assert_eq!(
        alarms["MetricAlarms"][0]["StateReason"],
        "Threshold Crossed: 3 out of the last 3 datapoints [16.0, 16.0, 11.0] were greater than the threshold (10.0)"
    );
    service.minutes_pass(5);
    assert_eq!(service.state("throttled").await, "OK");

    let history =
        service.call("DescribeAlarmHistory", json!({"AlarmName": "throttled", "ScanBy": "TimestampAscending"}));
    let history = history.await;
    let items: Vec<&str> = history["AlarmHistoryItems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["HistorySummary"].as_str().unwrap())
        .collect();
    assert_eq!(
        items,
        [
            "Alarm \"throttled\" created",
            "Alarm updated from INSUFFICIENT_DATA to OK",
            "Alarm updated from OK to ALARM",
            "keyspaces-local: not carried out: action arn:aws:sns:us-east-1:111122223333:alerts",
            "Alarm updated from ALARM to OK",
        ]
    );

    for _ in 0..60 {
        service.insert(16).await;
        service.minutes_pass(1);
        assert_eq!(service.state("guide").await, "INSUFFICIENT_DATA");
    }
    assert!(service.local.metering().get("cw_alarm", "t", Operation::Insert).write_throttle_events >= 60 * 16);
}

#[tokio::test]
async fn the_metrics_of_a_minute_are_the_counts_of_that_minute() {
    let mut service = MonitoredService::start("cw_metrics").await;
    service.insert(8).await;
    service.time.pass(60);
    service.insert(5).await;
    let select = "SELECT * FROM cw_metrics.t WHERE p = 1";
    assert!(matches!(service.client.query(select).await, ClientAnswer::Rows(_)));
    let conditional = "INSERT INTO cw_metrics.t (p) VALUES (1) IF NOT EXISTS";
    service.time.pass(1);
    assert!(matches!(service.client.query(conditional).await, ClientAnswer::Rows(_)));

    let (table, inserts) = (service.table_dimensions(), service.operation_dimensions("INSERT"));
    assert_eq!(service.values("ConsumedWriteCapacityUnits", table.clone(), "Sum", 1).await, json!([5.0, 6.0]));
    assert_eq!(service.values("ConsumedWriteCapacityUnits", table.clone(), "SampleCount", 1).await, json!([5.0, 6.0]));
    assert_eq!(service.values("SuccessfulRequestCount", inserts.clone(), "SampleCount", 1).await, json!([5.0, 6.0]));
    assert_eq!(service.values("WriteThrottleEvents", inserts.clone(), "Sum", 1).await, json!([3.0]));
    assert_eq!(service.values("ConditionalCheckFailedRequests", table.clone(), "Sum", 1).await, json!([1.0]));
    assert_eq!(service.values("ConsumedReadCapacityUnits", table.clone(), "Sum", 1).await, json!([1.0]));
    let latency = service.values("SuccessfulRequestLatency", inserts.clone(), "Average", 1).await;
    assert!(latency[0].as_f64().unwrap() > 0.0, "{latency}");
    // Like CloudWatch, it requires exactly the dimensions of the metric.
    assert_eq!(service.values("WriteThrottleEvents", table.clone(), "Sum", 1).await, json!([]));
    assert_eq!(service.values("ThrottledRequests", table.clone(), "Sum", 1).await, json!([]));

    let statistics = json!({
        "Namespace": "AWS/Cassandra", "MetricName": "ConsumedWriteCapacityUnits", "Dimensions": table, "Period": 120,
        "StartTime": service.now() / 120 * 120 - 120, "EndTime": service.now() + 1,
        "Statistics": ["Sum", "SampleCount", "Average", "Minimum", "Maximum"],
    });
    let statistics = service.call("GetMetricStatistics", statistics).await;
    let sums = statistics["Datapoints"].as_array().unwrap().iter().map(|point| point["Sum"].as_f64().unwrap());
    assert_eq!(sums.sum::<f64>(), 11.0);
    assert_eq!(statistics["Datapoints"][0]["Unit"], "Count");

    let listed =
        service.call("ListMetrics", json!({"MetricName": "WriteThrottleEvents", "Dimensions": [{"Name": "Keyspace"}]}));
    let metric = json!({"Namespace": "AWS/Cassandra", "MetricName": "WriteThrottleEvents", "Dimensions": inserts});
    assert_eq!(listed.await, json!({"Metrics": [metric]}));

    // The data points of a table outlive the table.
    assert!(matches!(service.client.query("DROP TABLE cw_metrics.t").await, ClientAnswer::Changed(_)));
    assert_eq!(service.values("WriteThrottleEvents", inserts, "Sum", 1).await, json!([3.0]));
}

#[tokio::test]
async fn provisioned_capacity_is_reported_every_five_minutes() {
    let mut service = MonitoredService::start("cw_levels").await;
    let provisioned = "WITH CUSTOM_PROPERTIES = {'capacity_mode': {'throughput_mode': 'PROVISIONED', \
                       'read_capacity_units': 7, 'write_capacity_units': 9}}";
    service.client.table("cw_levels", "provisioned", &format!("(p int PRIMARY KEY) {provisioned}")).await;
    let table = json!([{"Name": "Keyspace", "Value": "cw_levels"}, {"Name": "TableName", "Value": "provisioned"}]);
    assert_eq!(service.values("ProvisionedWriteCapacityUnits", table.clone(), "Average", 9).await, json!([9.0, 9.0]));
    assert_eq!(service.values("AccountMaxTableLevelReads", json!([]), "Maximum", 4).await, json!([40000.0]));
    assert_eq!(
        service.values("ProvisionedReadCapacityUnits", service.table_dimensions(), "Average", 9).await,
        json!([])
    );
    let share = json!({
        "MetricDataQueries": [
            {"Id": "share", "Expression": "((m1/PERIOD(m1))/FILL(m2,REPEAT))*100"},
            {"Id": "m1", "ReturnData": false, "MetricStat": {"Period": 300, "Stat": "Sum", "Metric":
                {"Namespace": "AWS/Cassandra", "MetricName": "ConsumedWriteCapacityUnits", "Dimensions": table}}},
            {"Id": "m2", "ReturnData": false, "MetricStat": {"Period": 300, "Stat": "Average", "Metric":
                {"Namespace": "AWS/Cassandra", "MetricName": "ProvisionedWriteCapacityUnits", "Dimensions": table}}},
        ],
        "StartTime": service.now() - 1, "EndTime": service.now() + 1,
    });
    for row in 0..9 {
        assert_eq!(
            service.client.query(&format!("INSERT INTO cw_levels.provisioned (p) VALUES ({row})")).await,
            ClientAnswer::Void
        );
    }
    let share = service.call("GetMetricData", share).await;
    assert_eq!(share["MetricDataResults"].as_array().unwrap().len(), 1);
    let value = share["MetricDataResults"][0]["Values"][0].as_f64().unwrap();
    assert!((value - 9.0 / 300.0 / 9.0 * 100.0).abs() < 1e-9, "{value}");
}

#[tokio::test]
async fn backward_clock_step_changes_no_alarm_state() {
    let shift = Arc::new(AtomicI64::new(0));
    let (start, ours) = (SystemTime::now(), Arc::clone(&shift));
    let clock = move || {
        let shift = ours.load(Ordering::SeqCst);
        let duration = Duration::from_secs(shift.unsigned_abs());
        if shift < 0 { start - duration } else { start + duration }
    };
    let builder = super::another().await.clock(clock).ddl_delay(Duration::ZERO);
    let local = builder.start().await.unwrap();
    let controls = local.controls();
    let plane = ControlPlaneState::new(
        Arc::clone(&controls.listeners),
        Arc::clone(&controls.authority),
        "us-east-1".to_owned(),
    );
    let client = Client::connect(&local).await;
    let service = MonitoredService { local, client, time: Time::new(), plane, keyspace: "nothing" };
    service.call("PutMetricAlarm", service.throttled()).await;
    shift.store(120, Ordering::SeqCst);
    assert_eq!(service.state("throttled").await, "OK");
    let alarm = json!({"AlarmName": "throttled", "StateValue": "ALARM", "StateReason": "a test"});
    service.call("SetAlarmState", alarm).await;
    shift.store(-600, Ordering::SeqCst);
    assert_eq!(service.state("throttled").await, "ALARM", "no minute has begun that was not evaluated");
    shift.store(119, Ordering::SeqCst);
    assert_eq!(service.state("throttled").await, "ALARM");
    shift.store(180, Ordering::SeqCst);
    assert_eq!(service.state("throttled").await, "OK");
    service.local.metering().advance(Duration::from_secs(u64::MAX));
    assert_eq!(service.state("throttled").await, "OK", "a thousand years later");
}

#[tokio::test]
async fn requests_that_cloudwatch_refuses_are_refused() {
    let service = MonitoredService::start("cw_refused").await;
    let with = |mut alarm: Value, more: Value| {
        let Value::Object(more) = more else { panic!("{more}") };
        alarm.as_object_mut().unwrap().extend(more);
        alarm
    };
    let put = |more: Value| service.refused("PutMetricAlarm", with(service.guide_alarm(), more));
    let local_error = |problem: &str| format!("ValidationException: keyspaces-local: {problem} {NOT_KNOWN}");
    assert_eq!(
        put(json!({"Period": 45})).await,
        local_error("the period 45 is not 10, 20, 30 or a multiple of 60 seconds")
    );
    let dimensions: Vec<Value> = (0..31).map(|number| json!({"Name": format!("d{number}"), "Value": "v"})).collect();
    assert_eq!(
        put(json!({"Dimensions": dimensions})).await,
        "ValidationException: 1 validation error detected: Value '[31 elements]' at 'dimensions' failed to satisfy \
         constraint: Member must have length less than or equal to 30"
    );
    assert_eq!(
        put(json!({"AlarmActions": ["arn:aws:s3:::bucket"]})).await,
        local_error(
            "an alarm has no action arn:aws:s3:::bucket; the services with actions are aiops, autoscaling, automate, \
             lambda, sns, ssm, ssm-incidents, swf"
        )
    );
    assert_eq!(
        put(json!({"DatapointsToAlarm": 4})).await,
        local_error("DatapointsToAlarm is more than EvaluationPeriods")
    );
    assert_eq!(put(json!({"Metrics": []})).await, local_error("an alarm has MetricName with its members, or Metrics"));
    assert_eq!(
        put(json!({"Statistic": "p99"})).await,
        "ValidationException: keyspaces-local: not emulated: the statistic p99; Average, Maximum, Minimum, SampleCount, Sum are"
    );
    assert_eq!(
        put(json!({"EvaluationPeriods": 2000})).await,
        local_error("2000 periods of 60 seconds are longer than 86400 seconds")
    );
    assert_eq!(
        put(json!({"ComparisonOperator": "Equal", "Threshold": null})).await,
        "ValidationException: 1 validation error detected: Value 'Equal' at 'comparisonOperator' failed to satisfy \
         constraint: Member must satisfy enum value set: [GreaterThanOrEqualToThreshold, GreaterThanThreshold, \
         LessThanThreshold, LessThanOrEqualToThreshold]"
    );
    let expression = |text: &str| {
        let mut alarm = service.throttled();
        alarm["Metrics"][0]["Expression"] = text.into();
        alarm
    };
    for (text, problem) in [
        ("SUM([m1,m2", "the expression of watched is not valid: a ']' is missing"),
        ("m1+m7", "the expression of watched names m7, which is not another query"),
        ("watched+1", "the expression of watched names watched, which is not another query"),
    ] {
        assert_eq!(service.refused("PutMetricAlarm", expression(text)).await, local_error(problem), "{text}");
    }
    let mut many = service.throttled();
    let queries = many["Metrics"].as_array_mut().unwrap();
    for number in 3..12 {
        let mut query = queries[1].clone();
        query["Id"] = format!("m{number}").into();
        queries.push(query);
    }
    assert_eq!(
        service.refused("PutMetricAlarm", many).await,
        local_error("an alarm has at most 10 metrics, and this one has 11")
    );
    let long = with(service.guide_alarm(), json!({"AlarmDescription": "x".repeat(70_000)}));
    let problem = format!("an alarm has at most 65536 bytes here, and this one has {}", long.to_string().len());
    assert_eq!(service.refused("PutMetricAlarm", long).await, local_error(&problem));
    let mut two = service.throttled();
    two["Metrics"][1]["ReturnData"] = true.into();
    assert_eq!(
        service.refused("PutMetricAlarm", two).await,
        local_error("one of Metrics has ReturnData true, and the others have it false")
    );

    let statistics = |name: &str, statistic: &str| {
        json!({
            "Namespace": "AWS/Cassandra", "MetricName": name, "Dimensions": service.operation_dimensions("INSERT"), "Period": 60,
            "StartTime": service.now() - 60, "EndTime": service.now(), "Statistics": [statistic],
        })
    };
    assert_eq!(
        service.refused("GetMetricStatistics", statistics("SuccessfulRequestCount", "Sum")).await,
        "ValidationException: keyspaces-local: Sum is not a valid statistic of SuccessfulRequestCount; SampleCount is \
         (DG:metrics-dimensions)"
    );
    assert_eq!(
        service.refused("GetMetricStatistics", statistics("SystemErrors", "Average")).await,
        "ValidationException: keyspaces-local: Average is not a valid statistic of SystemErrors; Sum, SampleCount are \
         (DG:metrics-dimensions)"
    );
    let mut backwards = statistics("SystemErrors", "Sum");
    backwards["StartTime"] = (service.now() + 60).into();
    assert_eq!(service.refused("GetMetricStatistics", backwards).await, local_error("StartTime is not before EndTime"));
    assert_eq!(
        service.refused("DeleteAlarms", json!({"AlarmNames": ["nothing"]})).await,
        format!("ResourceNotFound: keyspaces-local: there is no alarm \"nothing\" {NOT_KNOWN}")
    );
    assert_eq!(
        service.refused("PutMetricData", json!({})).await,
        "ValidationException: keyspaces-local: not emulated: PutMetricData of CloudWatch"
    );
    // Like CloudWatch, it accepts metrics, dimensions and statistics that do not exist.
    for (name, more) in [
        ("no dimension", json!({"Dimensions": [{"Name": "KeyspaceName", "Value": "cw_refused"}]})),
        (
            "no statistic",
            json!({"MetricName": "SuccessfulRequestCount", "Dimensions": service.operation_dimensions("INSERT")}),
        ),
        ("no namespace", json!({"Namespace": "AWS/Keyspaces"})),
    ] {
        let alarm = with(with(service.guide_alarm(), json!({"AlarmName": name})), more);
        service.call("PutMetricAlarm", alarm).await;
        service.minutes_pass(5);
        assert_eq!(service.state(name).await, "INSUFFICIENT_DATA", "{name}");
    }
}
