//! Refusals of RestoreTable.

use std::time::Duration;

use serde_json::json;

use super::{Api, create_table, table, with};
use crate::tests::client::Client;
use crate::tests::{Time, another};

#[tokio::test]
async fn a_table_is_restored_only_to_a_restorable_moment() {
    let time = Time::new();
    let local = another().await.ddl_delay(Duration::ZERO).clock(time.clock()).start().await.unwrap();
    let (api, mut client) = (Api::new(&local), Client::connect(&local).await);
    api.keyspace("ks").await;
    let recovery = json!({"pointInTimeRecovery": {"status": "ENABLED"}});
    api.call("CreateTable", with(create_table("ks", "t"), recovery)).await;
    api.call("CreateTable", create_table("ks", "plain")).await;
    api.call("GetTable", table("ks", "t")).await;
    client.query("INSERT INTO ks.t (id) VALUES ('kept')").await;
    time.pass(10);
    let moment = time.millis() as f64 / 1000.0;
    time.pass(10);
    client.query("DELETE FROM ks.t WHERE id = 'kept'").await;
    let restore = |source: &str, target: &str, at: serde_json::Value| {
        json!({
            "sourceKeyspaceName": "ks", "sourceTableName": source, "targetKeyspaceName": "ks", "targetTableName": target,
            "restoreTimestamp": at,
        })
    };
    for (input, refused) in [
        (restore("nosuch", "r", json!(moment)), "ResourceNotFoundException: unconfigured table ks.nosuch"),
        (
            restore("plain", "r", json!(moment)),
            "ValidationException: keyspaces-local: table ks.plain cannot be restored: ",
        ),
        (
            restore("t", "r", json!(moment + 1e6)),
            "ValidationException: keyspaces-local: table ks.t cannot be restored: ",
        ),
        (
            restore("t", "r", json!(1_770_737_400)),
            "ValidationException: keyspaces-local: table ks.t cannot be restored: ",
        ),
        (restore("t", "t", json!(moment)), "ConflictException: keyspaces-local: table ks.t exists: "),
        (restore("t", "two words", json!(moment)), "ValidationException: 1 validation error detected: "),
        (
            with(restore("t", "r", json!(moment)), json!({"targetKeyspaceName": "nosuch"})),
            "ResourceNotFoundException: unconfigured keyspace nosuch",
        ),
    ] {
        let refusal = api.refused("RestoreTable", input).await;
        assert!(refusal.starts_with(refused), "{refusal}");
        assert_eq!(
            api.refused("GetTable", table("ks", "r")).await,
            "ResourceNotFoundException: unconfigured table ks.r"
        );
    }
    let overrides = json!({
        "capacitySpecificationOverride": {"throughputMode": "PROVISIONED", "readCapacityUnits": 3, "writeCapacityUnits": 4},
        "pointInTimeRecoveryOverride": {"status": "DISABLED"},
    });
    api.call("RestoreTable", with(restore("t", "r", json!(moment)), overrides)).await;
    let restored = api.active("ks", "r").await;
    assert_eq!(restored["pointInTimeRecovery"], json!({"status": "DISABLED"}));
    assert_eq!(restored["capacitySpecification"]["readCapacityUnits"], 3);
    assert_eq!(client.rows("SELECT id FROM ks.r").await.texts("id"), ["kept"]);
    local.close().await.unwrap();
}
