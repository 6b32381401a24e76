//! The same with tools of others, which `tests/monitoring/run` installs in the folder `MONITORING_TOOLS`.

use std::path::PathBuf;
use std::process::Stdio;

use keyspaces::monitoring::{self, put_metric_alarm_input, throttled_requests};
use keyspaces_local::Local;
use serde_json::Value;
use tokio::process::Command;

use super::{MINUTE, around_now, burst, client, counted_workload, hot_table, local, state, throttle_until_alarm};

/// Runs one of the tools against a local Keyspaces, and returns its output.
async fn run(local: &Local, program: &str, arguments: &[&str]) -> String {
    let tools = PathBuf::from(std::env::var_os("MONITORING_TOOLS").expect("tests/monitoring/run runs this"));
    let credentials = local.credentials();
    let output = Command::new(tools.join(program))
        .args(arguments)
        .env("AWS_ACCESS_KEY_ID", &credentials.access_key)
        .env("AWS_SECRET_ACCESS_KEY", &credentials.secret_key)
        .env("AWS_SESSION_TOKEN", credentials.session_token.as_deref().unwrap_or_default())
        .env("AWS_DEFAULT_REGION", local.region())
        .env("AWS_ENDPOINT_URL", local.control_plane())
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .stdin(Stdio::null())
        .output()
        .await
        .expect("the program starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {errors}");
    String::from_utf8(output.stdout).expect("text")
}

#[tokio::test]
#[ignore = "tests/monitoring/run has the AWS CLI for it"]
async fn exported_alarm_sent_by_the_aws_cli_fires_unlike_the_guides_alarm() {
    let local = local().await;
    let (table, client) = (hot_table(&local).await, client(&local));
    let alarm = throttled_requests(&table);
    let directory = std::env::temp_dir().join(format!("keyspaces-alarm-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let file = directory.join("alarm.json");
    std::fs::write(&file, put_metric_alarm_input(&alarm)).unwrap();
    let input = format!("file://{}", file.display());
    run(&local, "aws", &["cloudwatch", "put-metric-alarm", "--cli-input-json", &input]).await;
    std::fs::remove_dir_all(&directory).unwrap();
    // The alarm of the guide, with other names of the keyspace and the table.
    let of_the_guide = "cloudwatch put-metric-alarm --alarm-name HighThrottledRequests \
                        --alarm-description Throttled --metric-name ThrottledRequests --namespace AWS/Cassandra \
                        --statistic Sum --period 60 --threshold 10 --comparison-operator GreaterThanThreshold \
                        --evaluation-periods 3 --dimensions Name=Keyspace,Value=shop Name=TableName,Value=orders \
                        --alarm-actions arn:aws:sns:us-east-1:111122223333:keyspaces-alerts";
    run(&local, "aws", &of_the_guide.split_whitespace().collect::<Vec<_>>()).await;

    // The CLI sent the same alarm as the library would send.
    let plan = monitoring::plan_alarms(&client, [alarm.clone()]).await.unwrap();
    assert!(plan.is_empty(), "{plan}");
    assert_eq!(throttle_until_alarm(&local, &client, alarm.name()).await, "ALARM");
    for _ in 0..12 {
        burst(&local).await;
        local.metering().advance(5 * MINUTE);
        assert_eq!(state(&client, "HighThrottledRequests").await, "INSUFFICIENT_DATA");
    }
    let described = ["cloudwatch", "describe-alarms", "--state-value", "ALARM", "--output", "json"];
    let described: Value = serde_json::from_str(&run(&local, "aws", &described).await).unwrap();
    let names = described["MetricAlarms"].as_array().unwrap().iter().map(|alarm| alarm["AlarmName"].as_str().unwrap());
    assert!(!names.into_iter().any(|name| name == "HighThrottledRequests"));
}

#[tokio::test]
#[ignore = "tests/monitoring/run has boto3 for it"]
async fn boto3_and_the_library_read_the_same_metrics() {
    let local = local().await;
    let table = counted_workload(&local).await;
    let time = around_now();
    let ours = monitoring::read_metrics(&client(&local), &table, time.clone()).await.unwrap();
    let seconds = |at: std::time::SystemTime| at.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs().to_string();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/monitoring/read.py");
    let read = run(&local, "python", &[script, "shop", "orders", &seconds(time.start), &seconds(time.end)]).await;
    let read: Value = serde_json::from_str(&read).unwrap();
    let number = |metric: &str| read[metric].as_f64().unwrap();
    assert_eq!(number("SuccessfulRequestCount"), ours.successful_requests());
    assert_eq!(number("ThrottleEvents"), ours.throttled());
    assert_eq!(number("SystemErrors"), ours.system_errors());
    assert_eq!(number("ConsumedReadCapacityUnits"), ours.consumed_read_units);
    assert_eq!(number("ConsumedWriteCapacityUnits"), ours.consumed_write_units);
    assert_eq!(number("ConditionalCheckFailedRequests"), ours.failed_conditions);
    assert!(number("ThrottleEvents") > 0.0 && number("SuccessfulRequestCount") >= 75.0, "{read}");
}
