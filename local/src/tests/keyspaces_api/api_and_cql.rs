//! Objects created with the API exist in CQL and the other way round, after the same delay.

use std::time::Duration;

use serde_json::json;

use super::{Api, create_table, table, with};
use crate::tests::client::{Client, ClientAnswer};
use crate::tests::{Time, another};

#[tokio::test]
async fn another_change_during_a_change_is_a_conflict() {
    let time = Time::new();
    let local = another().await.ddl_delay(Duration::from_secs(60)).clock(time.clock()).start().await.unwrap();
    let (api, mut client) = (Api::new(&local), Client::connect(&local).await);
    let status = "SELECT status FROM system_schema_mcs.tables WHERE keyspace_name = 'ks' AND table_name = 't'";
    let keyspace = json!({"keyspaceName": "ks"});
    let in_progress = |thing: &str, done: &str| {
        format!(
            "ConflictException: keyspaces-local: {thing} is being {done}: wait until system_schema_mcs says that this is \
             over"
        )
    };

    api.keyspace("ks").await;
    let missing = "ResourceNotFoundException: unconfigured keyspace ks";
    assert_eq!(api.refused("GetKeyspace", keyspace.clone()).await, missing);
    assert_eq!(api.refused("CreateTable", create_table("ks", "t")).await, missing);
    assert_eq!(api.call("ListKeyspaces", json!({})).await, json!({"keyspaces": []}));
    let exists = "ConflictException: Cannot add existing keyspace \"ks\"";
    assert_eq!(api.refused("CreateKeyspace", keyspace.clone()).await, exists);
    time.pass(60);
    api.call("GetKeyspace", keyspace.clone()).await;

    let columns =
        json!([{"name": "id", "type": "int"}, {"name": "at", "type": "int"}, {"name": "note", "type": "text"}]);
    let schema = json!({
        "allColumns": columns, "partitionKeys": [{"name": "id"}], "staticColumns": [{"name": "note"}],
        "clusteringKeys": [{"name": "at", "orderBy": "DESC"}],
    });
    let create = with(table("ks", "t"), json!({"schemaDefinition": schema}));
    api.call("CreateTable", create.clone()).await;
    let twice = api.refused("CreateTable", create.clone()).await;
    assert_eq!(twice, "ConflictException: Cannot add already existing table \"t\" to keyspace \"ks\"");
    assert_eq!(api.refused("DeleteTable", table("ks", "t")).await, in_progress("table ks.t", "created"));
    let recovery = with(table("ks", "t"), json!({"pointInTimeRecovery": {"status": "ENABLED"}}));
    assert_eq!(api.refused("UpdateTable", recovery.clone()).await, in_progress("table ks.t", "created"));
    assert_eq!(api.refused("DeleteKeyspace", keyspace.clone()).await, in_progress("table ks.t", "created"));
    assert_eq!(api.call("GetTable", table("ks", "t")).await["status"], "CREATING");
    assert_eq!(client.rows(status).await.texts("status"), ["CREATING"]);
    time.pass(60);
    assert_eq!(api.call("GetTable", table("ks", "t")).await["status"], "ACTIVE");
    assert_eq!(client.query("INSERT INTO ks.t (id, at, note) VALUES (1, 2, 'x')").await, ClientAnswer::Void);

    api.call("UpdateTable", recovery.clone()).await;
    assert_eq!(api.call("GetTable", table("ks", "t")).await["status"], "UPDATING");
    assert_eq!(client.rows(status).await.texts("status"), ["UPDATING"]);
    assert_eq!(api.refused("UpdateTable", recovery).await, in_progress("table ks.t", "updated"));
    assert_eq!(api.refused("DeleteTable", table("ks", "t")).await, in_progress("table ks.t", "updated"));
    time.pass(60);
    // The history of its rows has to exist as well.
    api.active("ks", "t").await;

    // The table is ACTIVE, and does not show the column yet.
    let add = with(table("ks", "t"), json!({"addColumns": [{"name": "more", "type": "list<int>"}]}));
    api.call("UpdateTable", add.clone()).await;
    let seen = |description: serde_json::Value| {
        let columns = description["schemaDefinition"]["allColumns"].as_array().unwrap().len();
        (description["status"].as_str().unwrap().to_owned(), columns)
    };
    assert_eq!(seen(api.call("GetTable", table("ks", "t")).await), ("ACTIVE".into(), 3));
    assert_eq!(api.refused("UpdateTable", add.clone()).await, in_progress("table ks.t", "updated"));
    time.pass(30);
    assert_eq!(seen(api.call("GetTable", table("ks", "t")).await), ("UPDATING".into(), 3));
    time.pass(30);
    assert_eq!(seen(api.call("GetTable", table("ks", "t")).await), ("ACTIVE".into(), 4));
    assert_eq!(client.rows("SELECT * FROM ks.t").await.columns, ["id", "at", "note", "more"]);
    let again = api.refused("UpdateTable", add).await;
    assert!(again.starts_with("ValidationException: "), "{again}");

    api.call("DeleteTable", table("ks", "t")).await;
    let description = api.call("GetTable", table("ks", "t")).await;
    assert_eq!(seen(description), ("DELETING".into(), 4));
    assert_eq!(api.refused("DeleteTable", table("ks", "t")).await, in_progress("table ks.t", "deleted"));
    assert_eq!(api.refused("DeleteKeyspace", keyspace.clone()).await, in_progress("table ks.t", "deleted"));
    time.pass(60);
    let missing_table = "ResourceNotFoundException: unconfigured table ks.t";
    assert_eq!(api.refused("GetTable", table("ks", "t")).await, missing_table);
    assert_eq!(api.refused("DeleteTable", table("ks", "t")).await, missing_table);
    api.call("DeleteKeyspace", keyspace.clone()).await;
    api.call("GetKeyspace", keyspace.clone()).await;
    time.pass(60);
    assert_eq!(api.refused("DeleteKeyspace", keyspace).await, missing);
    local.close().await.unwrap();
}

#[tokio::test]
async fn one_of_two_concurrent_creations_succeeds() {
    let local = another().await.ddl_delay(Duration::ZERO).start().await.unwrap();
    let api = Api::new(&local);
    api.keyspace("ks").await;
    let create = || api.try_call("CreateTable", create_table("ks", "t"));
    let results = tokio::join!(create(), create(), create());
    let results = [results.0, results.1, results.2];
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    for refused in results.into_iter().filter_map(Result::err) {
        let exists = "ConflictException: Cannot add already existing table \"t\" to keyspace \"ks\"";
        assert_eq!(refused.to_string(), exists);
    }
    local.close().await.unwrap();
}

#[tokio::test]
async fn the_api_shows_and_changes_objects_created_by_cql() {
    let local = another().await.ddl_delay(Duration::ZERO).start().await.unwrap();
    let (api, mut client) = (Api::new(&local), Client::connect(&local).await);
    client.keyspace("ks").await;
    let create = "CREATE TABLE ks.t (a int, \"B c\" frozen<map<text, int>>, d int STATIC, PRIMARY KEY (a, \"B c\")) WITH \
                  CLUSTERING ORDER BY (\"B c\" DESC) AND comment = 'it''s' AND TAGS = {'k': 'v'} AND CDC = TRUE AND \
                  CUSTOM_PROPERTIES = {'client_side_timestamps': {'status': 'enabled'}, 'warm_throughput': \
                  {'read_units_per_second': 13000}}";
    client.query(create).await;
    let description = api.call("GetTable", table("ks", "t")).await;
    assert_eq!(
        description["schemaDefinition"],
        json!({
            "allColumns": [
                {"name": "a", "type": "int"}, {"name": "B c", "type": "frozen<map<text, int>>"}, {"name": "d", "type": "int"},
            ],
            "partitionKeys": [{"name": "a"}], "clusteringKeys": [{"name": "B c", "orderBy": "DESC"}],
            "staticColumns": [{"name": "d"}],
        })
    );
    assert_eq!(description["comment"], json!({"message": "it's"}));
    assert_eq!(description["clientSideTimestamps"], json!({"status": "ENABLED"}));
    assert_eq!(description["cdcSpecification"], json!({"status": "ENABLED", "viewType": "NEW_AND_OLD_IMAGES"}));
    assert_eq!(
        description["warmThroughputSpecification"],
        json!({"readUnitsPerSecond": 13000, "writeUnitsPerSecond": 4000, "status": "AVAILABLE"})
    );
    let arn = description["latestStreamArn"].as_str().unwrap();
    api.call("TagResource", json!({"resourceArn": arn, "tags": [{"key": "of", "value": "stream"}]})).await;
    let tags = client.rows(&format!("SELECT JSON tags FROM system_schema_mcs.tags WHERE resource_id = '{arn}'")).await;
    assert_eq!(tags.texts("[json]"), ["{\"tags\": {\"of\": \"stream\"}}"]);
    let listed = api.call("ListTagsForResource", json!({"resourceArn": arn})).await;
    assert_eq!(listed, json!({"tags": [{"key": "of", "value": "stream"}]}));
    assert_eq!(
        api.refused("ListTagsForResource", json!({"resourceArn": format!("{arn}0")})).await,
        format!("ResourceNotFoundException: keyspaces-local: there is no resource {arn}0")
    );
    let provisioned = json!({"throughputMode": "PROVISIONED", "readCapacityUnits": 7, "writeCapacityUnits": 8});
    api.call("UpdateTable", with(table("ks", "t"), json!({"capacitySpecification": provisioned}))).await;
    let mode =
        "SELECT JSON custom_properties FROM system_schema_mcs.tables WHERE keyspace_name = 'ks' AND table_name = 't'";
    let mode = client.rows(mode).await.texts("[json]").concat();
    assert!(
        mode.contains("\"read_capacity_units\": \"7\"") && mode.contains("\"write_capacity_units\": \"8\""),
        "{mode}"
    );
    local.close().await.unwrap();
}

#[tokio::test]
async fn provisioned_capacity_without_units_is_refused_with_the_services_text_by_cql_and_the_api() {
    let local = another().await.ddl_delay(Duration::ZERO).start().await.unwrap();
    let (api, mut client) = (Api::new(&local), Client::connect(&local).await);
    api.keyspace("ks").await;
    let sentence = "'PROVISIONED' throughput mode requires 'read_capacity_units' and 'write_capacity_units' to be set using \
                    'capacity_mode' option";
    for (units, members) in [
        ("", json!({})),
        (", 'read_capacity_units': 5", json!({"readCapacityUnits": 5})),
        (", 'write_capacity_units': 5", json!({"writeCapacityUnits": 5})),
    ] {
        let specification = with(json!({"throughputMode": "PROVISIONED"}), members);
        let create = with(create_table("ks", "t"), json!({"capacitySpecification": specification}));
        assert_eq!(api.refused("CreateTable", create).await, format!("ValidationException: {sentence}"));
        let create = format!(
            "CREATE TABLE ks.t (id text PRIMARY KEY) WITH CUSTOM_PROPERTIES = \
             {{'capacity_mode': {{'throughput_mode': 'PROVISIONED'{units}}}}}"
        );
        match client.query(&create).await {
            ClientAnswer::Refused(code, text, ..) => assert_eq!((code, text.as_str()), (0x2200, sentence)),
            other => panic!("{create}: {other:?}"),
        }
    }
    local.close().await.unwrap();
}

#[tokio::test]
async fn auto_scaling_of_reads_or_writes_leaves_the_other_unchanged() {
    let local = another().await.ddl_delay(Duration::ZERO).start().await.unwrap();
    let (api, mut client) = (Api::new(&local), Client::connect(&local).await);
    api.keyspace("ks").await;
    let scaling = |most: u32| {
        json!({
            "autoScalingDisabled": false, "minimumUnits": 1, "maximumUnits": most,
            "scalingPolicy": {"targetTrackingScalingPolicyConfiguration": {
                "targetValue": 70.0, "disableScaleIn": false, "scaleInCooldown": 0, "scaleOutCooldown": 0,
            }},
        })
    };
    let capacity = json!({"throughputMode": "PROVISIONED", "readCapacityUnits": 5, "writeCapacityUnits": 5});
    let both = json!({"readCapacityAutoScaling": scaling(10), "writeCapacityAutoScaling": scaling(20)});
    let create = json!({"capacitySpecification": capacity, "autoScalingSpecification": both});
    api.call("CreateTable", with(create_table("ks", "t"), create)).await;
    let reads = json!({"autoScalingSpecification": {"readCapacityAutoScaling": scaling(11)}});
    api.call("UpdateTable", with(table("ks", "t"), reads)).await;
    let alter = "ALTER TABLE ks.t WITH AUTOSCALING_SETTINGS = {'provisioned_write_capacity_autoscaling_update': \
                 {'autoscaling_disabled': false, 'minimum_units': 1, 'maximum_units': 21, 'scaling_policy': \
                 {'target_tracking_scaling_policy_configuration': {'target_value': 70}}}}";
    assert!(matches!(client.query(alter).await, ClientAnswer::Changed(_)));
    let settings = api.call("GetTableAutoScalingSettings", table("ks", "t")).await;
    let expected = json!({"readCapacityAutoScaling": scaling(11), "writeCapacityAutoScaling": scaling(21)});
    assert_eq!(settings["autoScalingSpecification"], expected);
    local.close().await.unwrap();
}
