//! Inputs with one invalid value, at any position.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::refusals::snapshot;
use super::{Api, create_table, table, with};
use crate::control_plane::keyspaces::OPERATIONS;
use crate::control_plane::protocol::Protocol;
use crate::tests::another;

/// An input of an operation with all its members. None of them can change anything: the objects that they name exist
/// already, or do not exist.
fn complete_input(operation: &str) -> Value {
    let arn = json!({"resourceArn": "arn:aws:cassandra:us-east-1:111122223333:/keyspace/nosuch/"});
    let tags = json!([{"key": "a", "value": "b"}]);
    let enabled = json!({"status": "ENABLED"});
    let capacity = json!({"throughputMode": "PROVISIONED", "readCapacityUnits": 5, "writeCapacityUnits": 5});
    let encryption =
        json!({"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyIdentifier": "arn:aws:kms:us-east-1:111122223333:key/k"});
    let scaling = json!({
        "autoScalingDisabled": false, "minimumUnits": 5, "maximumUnits": 9,
        "scalingPolicy": {"targetTrackingScalingPolicyConfiguration": {
            "disableScaleIn": false, "scaleInCooldown": 1, "scaleOutCooldown": 2, "targetValue": 50.5,
        }},
    });
    let both = json!({"readCapacityAutoScaling": scaling, "writeCapacityAutoScaling": scaling});
    let replicas = json!([{"region": "eu-west-1", "readCapacityUnits": 5, "readCapacityAutoScaling": scaling}]);
    let replication = json!({"replicationStrategy": "MULTI_REGION", "regionList": ["us-east-1", "eu-west-1"]});
    let settings = json!({
        "capacitySpecification": capacity, "encryptionSpecification": encryption, "pointInTimeRecovery": enabled,
        "ttl": enabled, "defaultTimeToLive": 60, "clientSideTimestamps": enabled, "autoScalingSpecification": both,
        "replicaSpecifications": replicas,
        "cdcSpecification": {"status": "ENABLED", "viewType": "NEW_IMAGE", "tags": tags, "propagateTags": "NONE"},
        "warmThroughputSpecification": {"readUnitsPerSecond": 13_000, "writeUnitsPerSecond": 5_000},
    });
    let page = json!({"keyspaceName": "ks", "maxResults": 7, "nextToken": "7b7d"});
    match operation {
        "CreateKeyspace" => json!({"keyspaceName": "ks", "tags": tags, "replicationSpecification": replication}),
        "UpdateKeyspace" => json!({
            "keyspaceName": "nosuch", "replicationSpecification": replication, "clientSideTimestamps": enabled,
        }),
        "GetKeyspace" | "DeleteKeyspace" => json!({"keyspaceName": "nosuch"}),
        "ListKeyspaces" => json!({"maxResults": 7, "nextToken": "7b7d"}),
        "ListTables" | "ListTypes" => page,
        "CreateTable" => {
            let schema = json!({
                "allColumns": [
                    {"name": "id", "type": "text"}, {"name": "at", "type": "int"}, {"name": "note", "type": "list<int>"},
                ],
                "partitionKeys": [{"name": "id"}], "clusteringKeys": [{"name": "at", "orderBy": "DESC"}],
                "staticColumns": [{"name": "note"}],
            });
            let more = json!({"schemaDefinition": schema, "comment": {"message": "m"}, "tags": tags});
            with(with(create_table("nosuch", "t"), settings), more)
        }
        "UpdateTable" => {
            with(with(table("nosuch", "t"), settings), json!({"addColumns": [{"name": "more", "type": "int"}]}))
        }
        "GetTable" | "GetTableAutoScalingSettings" | "DeleteTable" => table("nosuch", "t"),
        "RestoreTable" => json!({
            "sourceKeyspaceName": "ks", "sourceTableName": "nosuch", "targetKeyspaceName": "ks", "targetTableName": "u",
            "restoreTimestamp": 1_770_737_400.5, "capacitySpecificationOverride": capacity,
            "encryptionSpecificationOverride": encryption, "pointInTimeRecoveryOverride": enabled, "tagsOverride": tags,
            "autoScalingSpecification": both, "replicaSpecifications": replicas,
        }),
        "CreateType" => json!({
            "keyspaceName": "nosuch", "typeName": "y", "fieldDefinitions": [{"name": "a", "type": "frozen<set<text>>"}],
        }),
        "GetType" | "DeleteType" => json!({"keyspaceName": "nosuch", "typeName": "y"}),
        "TagResource" | "UntagResource" => with(arn, json!({"tags": tags})),
        "ListTagsForResource" => with(arn, json!({"maxResults": 7, "nextToken": "7b7d"})),
        other => panic!("{other}"),
    }
}

/// A change to one value of an input.
#[derive(Clone, Debug)]
enum Mutation {
    Replace(Value),
    /// The value is repeated this many times in a list.
    Repeat(usize),
    Remove,
    AddMember,
}

fn mutations() -> impl Strategy<Value = Mutation> {
    let values = vec![
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(1e300),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(""),
        json!("two words"),
        json!("\u{0}é😀"),
        json!("x".repeat(2000)),
        json!([]),
        json!({}),
        json!([[[{}]]]),
        json!({"unknown": [1, "two", null]}),
    ];
    prop_oneof![
        8 => select(values).prop_map(Mutation::Replace),
        1 => select(vec![2_usize, 61, 5000]).prop_map(Mutation::Repeat),
        1 => Just(Mutation::Remove),
        1 => Just(Mutation::AddMember),
    ]
}

/// The number of values in an input: its members, the elements of its lists, and the values nested in these.
fn value_count(input: &Value) -> usize {
    match input {
        Value::Object(members) => members.values().map(|value| 1 + value_count(value)).sum(),
        Value::Array(values) => values.iter().map(|value| 1 + value_count(value)).sum(),
        _ => 0,
    }
}

/// Replaces the value with this number, counted as in `value_count`.
fn mutated(input: Value, number: &mut usize, mutation: &Mutation) -> Value {
    match input {
        Value::Object(members) => {
            let mut changed = serde_json::Map::new();
            for (name, value) in members {
                if let Some(value) = mutated_value(value, number, mutation) {
                    changed.insert(name, value);
                }
            }
            Value::Object(changed)
        }
        Value::Array(values) => values.into_iter().filter_map(|value| mutated_value(value, number, mutation)).collect(),
        value => value,
    }
}

fn mutated_value(value: Value, number: &mut usize, mutation: &Mutation) -> Option<Value> {
    if *number > 0 {
        *number -= 1;
        return Some(mutated(value, number, mutation));
    }
    *number = usize::MAX;
    match mutation {
        Mutation::Replace(with) => Some(with.clone()),
        Mutation::Repeat(times) => match value {
            Value::Array(values) => Some(values.iter().cycle().take(values.len() * times).cloned().collect()),
            value => Some(Value::Array(vec![value; *times])),
        },
        Mutation::Remove => None,
        Mutation::AddMember => match value {
            Value::Object(members) => Some(with(Value::Object(members), json!({"unknown": 1}))),
            value => Some(json!({"unknown": value})),
        },
    }
}

#[tokio::test]
async fn invalid_input_gets_the_same_error_in_both_protocols_and_changes_nothing() {
    let local = another().await.ddl_delay(Duration::ZERO).start().await.unwrap();
    let api = Api::new(&local);
    let in_cbor = Api::with_protocol(Protocol::Cbor, &local);
    api.keyspace("ks").await;
    api.call("CreateTable", create_table("ks", "t")).await;
    let before = snapshot(&api).await;
    let mut runner = TestRunner::deterministic();
    let strategy = (any::<Index>(), mutations());
    for (operation, _) in OPERATIONS {
        let input = complete_input(operation);
        for _ in 0..40 {
            let (at, mutation) = strategy.new_tree(&mut runner).unwrap().current();
            let input = mutated(input.clone(), &mut at.index(value_count(&input)), &mutation);
            let answered = api.try_call(operation, input.clone()).await;
            let excerpt = || format!("{operation} {}", input.to_string().chars().take(2000).collect::<String>());
            assert_eq!(in_cbor.try_call(operation, input.clone()).await, answered, "{}", excerpt());
            match answered {
                Ok(_) => assert!(operation.starts_with("List") || operation.starts_with("Get"), "{}", excerpt()),
                Err(error) => {
                    let names = [
                        "ConflictException",
                        "ResourceNotFoundException",
                        "SerializationException",
                        "ServiceQuotaExceededException",
                        "ValidationException",
                    ];
                    assert!(names.contains(&error.name), "{}: {error}", excerpt());
                    assert!(!error.message.is_empty() && error.message.len() < 20_000, "{}: {error}", excerpt());
                }
            }
        }
    }
    assert_eq!(snapshot(&api).await, before);
    local.close().await.unwrap();
}
