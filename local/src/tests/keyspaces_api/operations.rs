//! Calls every operation of the model.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use super::{Api, JSON, create_table, table, with};
use crate::control_plane::keyspaces::{OPERATIONS, action};
use crate::control_plane::protocol::Protocol;
use crate::tests::another;

const ARN: &str = "arn:aws:cassandra:us-east-1:111122223333:/keyspace/ks/";

#[tokio::test]
async fn every_api_operation_works_in_json() {
    every_operation_works(JSON).await;
}

#[tokio::test]
async fn every_api_operation_works_in_cbor() {
    every_operation_works(Protocol::Cbor).await;
}

async fn every_operation_works(protocol: Protocol) {
    let local = another().await.ddl_delay(Duration::ZERO).start().await.unwrap();
    let api = Api::with_protocol(protocol, &local);
    let field = json!([{"name": "street", "type": "text"}]);
    let arn_of_t = format!("{ARN}table/t");
    let settings = json!({
        "capacitySpecification": {"throughputMode": "PROVISIONED", "readCapacityUnits": 5, "writeCapacityUnits": 6},
        "autoScalingSpecification": {"readCapacityAutoScaling": {
            "minimumUnits": 5, "maximumUnits": 9,
            "scalingPolicy": {"targetTrackingScalingPolicyConfiguration": {"targetValue": 50.0}},
        }},
        "pointInTimeRecovery": {"status": "ENABLED"},
    });
    let rows = [
        (
            "CreateKeyspace",
            json!({"keyspaceName": "ks", "tags": [{"key": "a", "value": "1"}]}),
            json!({"resourceArn": ARN}),
        ),
        (
            "GetKeyspace",
            json!({"keyspaceName": "ks"}),
            json!({"keyspaceName": "ks", "resourceArn": ARN, "replicationStrategy": "SINGLE_REGION"}),
        ),
        (
            "ListKeyspaces",
            json!({}),
            json!({"keyspaces": [{"keyspaceName": "ks", "resourceArn": ARN, "replicationStrategy": "SINGLE_REGION"}]}),
        ),
        (
            "CreateType",
            json!({"keyspaceName": "ks", "typeName": "address", "fieldDefinitions": field}),
            json!({"keyspaceArn": ARN, "typeName": "address"}),
        ),
        ("ListTypes", json!({"keyspaceName": "ks"}), json!({"types": ["address"]})),
        ("CreateTable", with(create_table("ks", "t"), settings), json!({"resourceArn": arn_of_t})),
        (
            "ListTables",
            json!({"keyspaceName": "ks"}),
            json!({"tables": [{"keyspaceName": "ks", "tableName": "t", "resourceArn": arn_of_t}]}),
        ),
        (
            "GetTableAutoScalingSettings",
            table("ks", "t"),
            json!({
                "keyspaceName": "ks", "tableName": "t", "resourceArn": arn_of_t, "replicaSpecifications": [],
                "autoScalingSpecification": {"readCapacityAutoScaling": {
                    "autoScalingDisabled": false, "minimumUnits": 5, "maximumUnits": 9,
                    "scalingPolicy": {"targetTrackingScalingPolicyConfiguration": {
                        "disableScaleIn": false, "scaleInCooldown": 0, "scaleOutCooldown": 0, "targetValue": 50.0,
                    }},
                }},
            }),
        ),
        ("TagResource", json!({"resourceArn": arn_of_t, "tags": [{"key": "b", "value": "2"}]}), json!({})),
        ("ListTagsForResource", json!({"resourceArn": arn_of_t}), json!({"tags": [{"key": "b", "value": "2"}]})),
        // The value differs from the tag's.
        ("UntagResource", json!({"resourceArn": arn_of_t, "tags": [{"key": "b", "value": ""}]}), json!({})),
        ("ListTagsForResource", json!({"resourceArn": arn_of_t}), json!({"tags": []})),
        ("UntagResource", json!({"resourceArn": ARN, "tags": [{"key": "a", "value": "1"}]}), json!({})),
        ("ListTagsForResource", json!({"resourceArn": ARN}), json!({"tags": []})),
        (
            "UpdateTable",
            with(table("ks", "t"), json!({"addColumns": [{"name": "home", "type": "frozen<address>"}]})),
            json!({"resourceArn": arn_of_t}),
        ),
        (
            "RestoreTable",
            json!({
                "sourceKeyspaceName": "ks", "sourceTableName": "t", "targetKeyspaceName": "ks", "targetTableName": "u",
                "tagsOverride": [{"key": "c", "value": "3"}],
            }),
            json!({"restoredTableARN": format!("{ARN}table/u")}),
        ),
        (
            "ListTagsForResource",
            json!({"resourceArn": format!("{ARN}table/u")}),
            json!({"tags": [{"key": "c", "value": "3"}]}),
        ),
    ];
    let mut seen =
        BTreeSet::from(["GetTable", "GetType", "UpdateKeyspace", "DeleteTable", "DeleteType", "DeleteKeyspace"]);
    for (operation, input, expected) in rows {
        assert_eq!(api.call(operation, input).await, expected, "{operation}");
        if operation == "CreateTable" {
            api.active("ks", "t").await;
        }
        seen.insert(operation);
    }
    let description = api.call("GetType", json!({"keyspaceName": "ks", "typeName": "address"})).await;
    let expected = json!({
        "keyspaceName": "ks", "typeName": "address", "fieldDefinitions": field, "status": "ACTIVE",
        "lastModifiedTimestamp": description["lastModifiedTimestamp"], "directReferringTables": ["t", "u"],
        "directParentTypes": [], "maxNestingDepth": 1, "keyspaceArn": ARN,
    });
    assert_eq!(description, expected);
    let used = api.refused("DeleteType", json!({"keyspaceName": "ks", "typeName": "address"})).await;
    assert!(used.starts_with("ValidationException: Cannot drop user type"), "{used}");
    api.active("ks", "u").await;
    for name in ["t", "u"] {
        assert_eq!(api.call("DeleteTable", table("ks", name)).await, json!({}));
    }
    let deleted = api.call("DeleteType", json!({"keyspaceName": "ks", "typeName": "address"})).await;
    assert_eq!(deleted, json!({"keyspaceArn": ARN, "typeName": "address"}));
    let regions = json!({"replicationStrategy": "MULTI_REGION", "regionList": ["us-east-1", "eu-west-1"]});
    let update = json!({
        "keyspaceName": "ks", "replicationSpecification": regions, "clientSideTimestamps": {"status": "ENABLED"},
    });
    assert_eq!(api.call("UpdateKeyspace", update).await, json!({"resourceArn": ARN}));
    let status = |region: &str| json!({"region": region, "keyspaceStatus": "ACTIVE"});
    assert_eq!(
        api.call("GetKeyspace", json!({"keyspaceName": "ks"})).await,
        json!({
            "keyspaceName": "ks", "resourceArn": ARN, "replicationStrategy": "MULTI_REGION",
            "replicationRegions": ["eu-west-1", "us-east-1"],
            "replicationGroupStatuses": [status("eu-west-1"), status("us-east-1")],
        })
    );
    assert_eq!(api.call("DeleteKeyspace", json!({"keyspaceName": "ks"})).await, json!({}));
    assert_eq!(
        api.refused("GetKeyspace", json!({"keyspaceName": "ks"})).await,
        "ResourceNotFoundException: unconfigured keyspace ks"
    );
    assert_eq!(seen, OPERATIONS.iter().map(|(name, _)| *name).collect());
    assert_eq!(action("TruncateTable"), None);
    local.close().await.unwrap();
}

#[tokio::test]
async fn get_table_shows_a_default_table_as_documented() {
    let local = another().await.ddl_delay(Duration::ZERO).start().await.unwrap();
    let api = Api::new(&local);
    api.keyspace("ks").await;
    let columns = json!([
        {"name": "name", "type": "text"}, {"name": "date", "type": "timestamp"}, {"name": "id", "type": "uuid"},
    ]);
    let schema = json!({"allColumns": columns, "partitionKeys": [{"name": "id"}]});
    let create = json!({"keyspaceName": "ks", "tableName": "t", "schemaDefinition": schema});
    api.call("CreateTable", create.clone()).await;
    let description = api.call("GetTable", table("ks", "t")).await;
    let expected = json!({
        "keyspaceName": "ks", "tableName": "t", "resourceArn": format!("{ARN}table/t"),
        "creationTimestamp": description["creationTimestamp"], "status": "ACTIVE",
        "schemaDefinition": {
            "allColumns": [
                {"name": "id", "type": "uuid"}, {"name": "date", "type": "timestamp"}, {"name": "name", "type": "text"},
            ],
            "partitionKeys": [{"name": "id"}], "clusteringKeys": [], "staticColumns": [],
        },
        "capacitySpecification": {
            "throughputMode": "PAY_PER_REQUEST", "lastUpdateToPayPerRequestTimestamp": description["creationTimestamp"],
        },
        "encryptionSpecification": {"type": "AWS_OWNED_KMS_KEY"}, "pointInTimeRecovery": {"status": "DISABLED"},
        "comment": {"message": ""}, "replicaSpecifications": [],
    });
    assert_eq!(description, expected);
    let ttl = with(with(create, table("ks", "expiring")), json!({"defaultTimeToLive": 31_536_000}));
    api.call("CreateTable", ttl).await;
    let description = api.call("GetTable", table("ks", "expiring")).await;
    assert_eq!(
        (&description["ttl"], &description["defaultTimeToLive"]),
        (&json!({"status": "ENABLED"}), &json!(31_536_000))
    );
    local.close().await.unwrap();
}
