//! Refusals with their exceptions and texts; refused requests change nothing.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Api, create_table, table, with};
use crate::tests::another;

/// Everything that the API shows.
pub(super) async fn snapshot(api: &Api) -> Value {
    let arn = "arn:aws:cassandra:us-east-1:111122223333:/keyspace/ks/";
    json!([
        api.call("ListKeyspaces", json!({})).await,
        api.call("GetKeyspace", json!({"keyspaceName": "ks"})).await,
        api.call("ListTables", json!({"keyspaceName": "ks"})).await,
        api.call("ListTypes", json!({"keyspaceName": "ks"})).await,
        api.call("GetTable", table("ks", "t")).await,
        api.call("GetTableAutoScalingSettings", table("ks", "t")).await,
        api.call("ListTagsForResource", json!({"resourceArn": arn})).await,
        api.call("ListTagsForResource", json!({"resourceArn": format!("{arn}table/t")})).await,
    ])
}

fn constraint(value: &str, path: &str, constraint: &str) -> String {
    format!(
        "ValidationException: 1 validation error detected: Value {value} at '{path}' failed to satisfy constraint: Member must {constraint}"
    )
}

#[tokio::test]
async fn refusals_have_their_exception_and_change_nothing() {
    let local = another().await.ddl_delay(Duration::ZERO).start().await.unwrap();
    let api = Api::new(&local);
    api.keyspace("ks").await;
    api.call("CreateTable", create_table("ks", "t")).await;
    let before = snapshot(&api).await;
    let invalid = |text: &str| format!("ValidationException: {text}");
    let create = |more: Value| with(create_table("ks", "new"), more);
    let schema =
        |columns: Value, key: Value| create(json!({"schemaDefinition": {"allColumns": columns, "partitionKeys": key}}));
    let update = |more: Value| with(table("ks", "t"), more);
    let long = "a".repeat(49);
    let pattern = "satisfy regular expression pattern: [a-zA-Z0-9][a-zA-Z0-9_]{0,47}";
    let key = json!([{"name": "id"}]);
    let rows = [
        ("CreateKeyspace", json!({}), constraint("null", "keyspaceName", "not be null")),
        ("CreateKeyspace", json!({"keyspaceName": "two words"}), constraint("'two words'", "keyspaceName", pattern)),
        ("CreateKeyspace", json!({"keyspaceName": "_a"}), constraint("'_a'", "keyspaceName", pattern)),
        (
            "CreateKeyspace",
            json!({"keyspaceName": long}),
            format!(
                "ValidationException: 2 validation errors detected: Value '{long}' at 'keyspaceName' failed to satisfy \
                 constraint: Member must have length less than or equal to 48; Value '{long}' at 'keyspaceName' failed to \
                 satisfy constraint: Member must {pattern}"
            ),
        ),
        (
            "CreateKeyspace",
            json!({"keyspaceName": "a", "tags": []}),
            constraint("'[]'", "tags", "have length greater than or equal to 1"),
        ),
        (
            "CreateKeyspace",
            json!({"keyspaceName": "a", "tags": vec![json!({"key": "a", "value": "b"}); 61]}),
            constraint("'[61 elements]'", "tags", "have length less than or equal to 60"),
        ),
        (
            "CreateKeyspace",
            json!({"keyspaceName": "a", "replicationSpecification": {"replicationStrategy": "TWO"}}),
            constraint(
                "'TWO'",
                "replicationSpecification.replicationStrategy",
                "satisfy enum value set: [SINGLE_REGION, MULTI_REGION]",
            ),
        ),
        (
            "CreateKeyspace",
            json!({"keyspaceName": "ks"}),
            "ConflictException: Cannot add existing keyspace \"ks\"".into(),
        ),
        (
            "CreateTable",
            create_table("ks", "t"),
            "ConflictException: Cannot add already existing table \"t\" to keyspace \"ks\"".into(),
        ),
        ("CreateTable", create_table("nosuch", "t"), "ResourceNotFoundException: unconfigured keyspace nosuch".into()),
        ("CreateTable", table("ks", "new"), constraint("null", "schemaDefinition", "not be null")),
        (
            "CreateTable",
            schema(json!([{"name": "id", "type": "text"}]), json!([{"name": "other"}])),
            invalid("keyspaces-local: PRIMARY KEY names other, which is not a column of the table"),
        ),
        (
            "CreateTable",
            schema(json!([{"name": "id", "type": "text"}, {"name": "id", "type": "int"}]), key.clone()),
            invalid("keyspaces-local: two columns have the name id"),
        ),
        (
            "CreateTable",
            create(json!({"capacitySpecification": {"throughputMode": "PROVISIONED", "readCapacityUnits": 5}})),
            invalid(
                "'PROVISIONED' throughput mode requires 'read_capacity_units' and 'write_capacity_units' to be set using \
                 'capacity_mode' option",
            ),
        ),
        (
            "CreateTable",
            create(json!({"capacitySpecification": {
                "throughputMode": "PROVISIONED", "readCapacityUnits": 40_001, "writeCapacityUnits": 1,
            }})),
            "ServiceQuotaExceededException: keyspaces-local: a table may have 40000 units of reads and of writes \
             (DG:quotas)"
                .into(),
        ),
        (
            "CreateTable",
            create(json!({"defaultTimeToLive": 630_720_001})),
            constraint("'630720001'", "defaultTimeToLive", "have value less than or equal to 630720000"),
        ),
        (
            "CreateTable",
            create(json!({"ttl": {"status": "DISABLED"}})),
            constraint("'DISABLED'", "ttl.status", "satisfy enum value set: [ENABLED]"),
        ),
        (
            "CreateTable",
            create(json!({"autoScalingSpecification": {"readCapacityAutoScaling": {"minimumUnits": 1}}})),
            invalid("keyspaces-local: not emulated: autoscaling_settings without scaling_policy"),
        ),
        (
            "UpdateTable",
            update(json!({})),
            invalid("keyspaces-local: UpdateTable names no setting to change (the service's message is not known)"),
        ),
        (
            "UpdateTable",
            update(json!({"addColumns": [{"name": "a", "type": "int"}], "ttl": {"status": "ENABLED"}})),
            invalid(
                "keyspaces-local: UpdateTable changes one setting per call: addColumns goes without others (API:UpdateTable; \
                 the service's message is not known)",
            ),
        ),
        (
            "UpdateTable",
            with(table("ks", "nosuch"), json!({"ttl": {"status": "ENABLED"}})),
            "ResourceNotFoundException: unconfigured table ks.nosuch".into(),
        ),
        ("DeleteTable", table("ks", "nosuch"), "ResourceNotFoundException: unconfigured table ks.nosuch".into()),
        ("DeleteTable", table("system", "local"), invalid("")),
        (
            "DeleteType",
            json!({"keyspaceName": "ks", "typeName": "y"}),
            "ResourceNotFoundException: Type 'ks.y' doesn't exist".into(),
        ),
        (
            "DeleteKeyspace",
            json!({"keyspaceName": "nosuch"}),
            "ResourceNotFoundException: unconfigured keyspace nosuch".into(),
        ),
        (
            "ListTables",
            json!({"keyspaceName": "ks", "maxResults": 0}),
            constraint("'0'", "maxResults", "have value greater than or equal to 1"),
        ),
        (
            "ListTables",
            json!({"keyspaceName": "ks", "maxResults": 1001}),
            constraint("'1001'", "maxResults", "have value less than or equal to 1000"),
        ),
        (
            "ListTagsForResource",
            json!({"resourceArn": "arn:aws:dynamodb:us-east-1:1:table/t"}),
            constraint(
                "'arn:aws:dynamodb:us-east-1:1:table/t'",
                "resourceArn",
                "satisfy regular expression pattern: arn:(aws[a-zA-Z0-9-]*):cassandra:.+.*",
            ),
        ),
        (
            "TagResource",
            json!({"resourceArn": "arn:aws:cassandra:us-east-1:111122223333:/keyspace/ks/", "tags": [{"key": "aws:a", "value": "b"}]}),
            invalid(""),
        ),
        (
            "UpdateKeyspace",
            json!({"keyspaceName": "ks"}),
            constraint("null", "replicationSpecification", "not be null"),
        ),
        (
            "UpdateKeyspace",
            json!({"keyspaceName": "ks", "replicationSpecification": {"replicationStrategy": "SINGLE_REGION"}}),
            invalid("keyspaces-local: not emulated: changing to a single Region"),
        ),
        (
            "CreateType",
            json!({"keyspaceName": "ks", "typeName": "y", "fieldDefinitions": [{"name": "a", "type": "list<"}]}),
            invalid("keyspaces-local: the type list< of a cannot be read: "),
        ),
    ];
    for (operation, input, expected) in rows {
        let refusal = api.refused(operation, input.clone()).await;
        let is_complete = !(expected.ends_with(": ") || expected.is_empty());
        assert!(
            if is_complete { refusal == expected } else { refusal.starts_with(&expected) },
            "{operation} {input}:\n{refusal}\n{expected}"
        );
        assert_eq!(snapshot(&api).await, before, "{operation} {input}");
    }
    local.close().await.unwrap();
}
