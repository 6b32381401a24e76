//! A table created by the API equals one created by CQL from the same definition, and both show the same.

use std::time::Duration;

use keyspaces_cql::statement::SortOrder;
use keyspaces_cql::{CapacityMode, CapacityScaling, Cdc, ColumnKind, TableDefinition};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};
use testkit::tables::definition;

use super::{Api, table};
use crate::tests::another;
use crate::tests::client::{Client, ClientAnswer};

/// The CreateTable request of a definition.
fn request(table: &TableDefinition) -> Value {
    let named = |kind: ColumnKind| -> Vec<Value> {
        let of_kind = table.columns.iter().filter(|column| column.kind == kind);
        of_kind.map(|column| json!({"name": column.name.text})).collect()
    };
    let all = table
        .columns
        .iter()
        .rev()
        .map(|column| json!({"name": column.name.text, "type": column.column_type.to_string()}));
    let clustering = table.clustering_columns.iter().map(
        |by| json!({"name": by.column.text, "orderBy": if by.order == SortOrder::Descending { "DESC" } else { "ASC" }}),
    );
    let mut request = Map::new();
    let mut say = |name: &str, value: Value| drop(request.insert(name.to_owned(), value));
    say("keyspaceName", "ks".into());
    say("tableName", table.table.name.text.as_str().into());
    say(
        "schemaDefinition",
        json!({
            "allColumns": all.collect::<Vec<_>>(), "partitionKeys": named(ColumnKind::PartitionKey),
            "clusteringKeys": clustering.collect::<Vec<_>>(), "staticColumns": named(ColumnKind::Static),
        }),
    );
    let options = &table.options;
    let enabled = json!({"status": "ENABLED"});
    if let Some(CapacityMode::Provisioned { read, write }) = options.capacity_mode {
        say(
            "capacitySpecification",
            json!({
                "throughputMode": "PROVISIONED", "readCapacityUnits": read, "writeCapacityUnits": write,
            }),
        );
    }
    if options.point_in_time_recovery.is_some() {
        say("pointInTimeRecovery", enabled.clone());
    }
    if options.client_side_timestamps.is_some() {
        say("clientSideTimestamps", enabled.clone());
    }
    // A default time to live also turns on the time to live.
    if options.ttl.is_some() && !matches!(options.default_time_to_live, Some(1..)) {
        say("ttl", enabled);
    }
    if let Some(seconds) = options.default_time_to_live {
        say("defaultTimeToLive", seconds.into());
    }
    if let Some(Cdc::On(view)) = options.cdc {
        say("cdcSpecification", json!({"status": "ENABLED", "viewType": view.name()}));
    }
    if let Some(comment) = &options.comment {
        say("comment", json!({"message": comment}));
    }
    if let Some(tags) = &options.tags {
        let tags = tags.iter().map(|(key, value)| json!({"key": key, "value": value}));
        say("tags", tags.collect());
    }
    if let Some(scaling) = &options.auto_scaling {
        let settings = |scaling: &CapacityScaling| match scaling {
            CapacityScaling::Disabled => json!({"autoScalingDisabled": true}),
            CapacityScaling::Target(tracking) => json!({
                "minimumUnits": tracking.minimum, "maximumUnits": tracking.maximum,
                "scalingPolicy": {"targetTrackingScalingPolicyConfiguration": {
                    "targetValue": tracking.target, "scaleInCooldown": tracking.scale_in_cooldown,
                    "disableScaleIn": tracking.disable_scale_in,
                }},
            }),
        };
        say(
            "autoScalingSpecification",
            json!({
                "readCapacityAutoScaling": scaling.read.as_ref().map(settings),
                "writeCapacityAutoScaling": scaling.write.as_ref().map(settings),
            }),
        );
    }
    Value::Object(request)
}

/// The description of a table by the API and in the system tables, without its name, ids and times.
async fn shown(api: &Api, client: &mut Client, name: &str) -> String {
    let mut of_api = api.call("GetTable", table("ks", name)).await;
    let scaling = api.call("GetTableAutoScalingSettings", table("ks", name)).await;
    let arn = of_api["resourceArn"].clone();
    let tags = api.call("ListTagsForResource", json!({"resourceArn": arn})).await;
    let stream = of_api["latestStreamArn"].as_str().map(str::to_owned);
    let created = format!("{:.0}", of_api["creationTimestamp"].as_f64().unwrap() * 1000.0);
    let capacity = &mut of_api["capacitySpecification"];
    capacity.as_object_mut().unwrap().remove("lastUpdateToPayPerRequestTimestamp");
    of_api["creationTimestamp"] = Value::Null;
    if let Some(recovery) = of_api["pointInTimeRecovery"].as_object_mut() {
        recovery.remove("earliestRestorableTimestamp");
    }
    let mut text = format!("{of_api}\n{scaling}\n{tags}\n");
    for (columns, from) in [
        (
            "comment, default_time_to_live, cdc, cdc_specification, custom_properties, status, latest_stream_arn",
            "tables",
        ),
        ("column_name, clustering_order, kind, position, type", "columns"),
        ("provisioned_read_capacity_autoscaling_update, provisioned_write_capacity_autoscaling_update", "autoscaling"),
    ] {
        let select = format!(
            "SELECT JSON {columns} FROM system_schema_mcs.{from} WHERE keyspace_name = 'ks' AND table_name = '{name}'"
        );
        for row in client.rows(&select).await.texts("[json]") {
            let mut row: Value = serde_json::from_str(row).unwrap();
            if let Some(recovery) = row["custom_properties"]["point_in_time_recovery"].as_object_mut() {
                recovery.remove("earliest_restorable_timestamp");
            }
            text.push_str(&format!("{row}\n"));
        }
    }
    if let Some(stream) = stream {
        text = text.replace(&stream, "(stream)");
    }
    text.replace(&created, "(created)")
        .replace(&format!("\"{name}\""), "(name)")
        .replace(&format!("/table/{name}"), "(arn)")
}

#[tokio::test]
async fn a_table_created_by_the_api_equals_one_created_by_cql() {
    let local = another().await.ddl_delay(Duration::ZERO).start().await.unwrap();
    let (api, mut client) = (Api::new(&local), Client::connect(&local).await);
    api.keyspace("ks").await;
    let mut runner = TestRunner::deterministic();
    for number in 0..24 {
        let mut definition = definition(format!("api{number}")).new_tree(&mut runner).unwrap().current();
        api.call("CreateTable", request(&definition)).await;
        api.active("ks", &format!("api{number}")).await;
        definition.table = keyspaces_cql::QualifiedName::new("ks", format!("cql{number}"));
        let text = definition.to_string();
        let answer = client.query(&text).await;
        assert!(matches!(answer, ClientAnswer::Changed(_)), "{text}: {answer:?}");
        api.active("ks", &format!("cql{number}")).await;
        let (by_api, by_cql) = (
            shown(&api, &mut client, &format!("api{number}")).await,
            shown(&api, &mut client, &format!("cql{number}")).await,
        );
        assert_eq!(by_api, by_cql, "{text}");
        // The table also equals the definition.
        let again = api.call("GetTable", table("ks", &format!("api{number}"))).await;
        let columns = again["schemaDefinition"]["allColumns"].as_array().unwrap().len();
        assert_eq!(columns, definition.columns.len(), "{text}");
    }
    local.close().await.unwrap();
}
