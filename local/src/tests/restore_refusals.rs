//! Refusals of RESTORE TABLE.

use std::time::Duration;

use super::client::Client;
use super::restore::{changed, gateway, now, shown};
use super::{INVALID, RECOVERY, Time, another};

const EARLIEST: &str = "earliest_restorable_timestamp";

fn not_restorable(table: &str, reason: &str) -> (i32, String) {
    let source = "DG:PointInTimeRecovery_HowItWorks; the service's message is not known";
    (INVALID, format!("keyspaces-local: table ks.{table} cannot be restored: {reason} ({source})"))
}

#[tokio::test]
async fn a_moment_before_the_history_is_refused() {
    let time = Time::new();
    let (local, mut client) = gateway(&time, Duration::ZERO).await;
    let before = now(&time);
    time.pass(100);
    let created = now(&time);
    client.table("ks", "t", "(id int PRIMARY KEY)").await;
    time.pass(100);
    let disabled = now(&time);
    let text = "keyspaces-local: table ks.t cannot be restored: its point-in-time recovery is not enabled (DG:cql.ddl.table; \
                the service's message is not known)";
    assert_eq!(client.query("RESTORE TABLE ks.r FROM TABLE ks.t").await.refused(), (INVALID, text.to_owned()));
    time.pass(100);
    client.query(&format!("ALTER TABLE ks.t WITH {RECOVERY}")).await;
    client.active("ks", "t").await;
    let enabled = now(&time);
    assert_eq!(shown(&mut client, "custom_properties", "t").await["point_in_time_recovery"][EARLIEST], enabled);
    time.pass(100);
    let today = now(&time);
    let restore_at = |moment: &str| format!("RESTORE TABLE ks.r FROM TABLE ks.t WITH restore_timestamp = '{moment}'");
    for (moment, reason) in [
        (before.as_str(), format!("{before} is before it was created, at {created}")),
        (&disabled, format!("{disabled} is before its earliest restorable timestamp, {enabled}")),
        ("2222-02-22T22:22:22+0000", format!("2222-02-22T22:22:22.000Z is in the future: it is {today}")),
        ("1969-12-31T23:59:59Z", format!("1969-12-31T23:59:59.000Z is before it was created, at {created}")),
    ] {
        assert_eq!(client.query(&restore_at(moment)).await.refused(), not_restorable("t", &reason));
    }
    // 35 days later, the earliest restorable moment has moved by as much.
    time.pass(35 * 24 * 3600);
    let earliest = &today;
    assert_eq!(shown(&mut client, "custom_properties", "t").await["point_in_time_recovery"][EARLIEST], *earliest);
    let reason = format!("{enabled} is before its earliest restorable timestamp, {earliest}");
    assert_eq!(client.query(&restore_at(&enabled)).await.refused(), not_restorable("t", &reason));
    assert_eq!(client.query(&restore_at(earliest)).await, changed("CREATED", "r"));
    client.active("ks", "r").await;
    // Disabling recovery removes the history, and enabling it starts a new one.
    for status in ["disabled", "enabled"] {
        let set = format!("CUSTOM_PROPERTIES = {{'point_in_time_recovery': {{'status': '{status}'}}}}");
        client.query(&format!("ALTER TABLE ks.t WITH {set}")).await;
        client.active("ks", "t").await;
        time.pass(1);
    }
    let refused = client.query(&restore_at(earliest).replace("ks.r ", "ks.r2 ")).await.refused();
    assert!(refused.1.contains("is before its earliest restorable timestamp"), "{}", refused.1);
    local.close().await.unwrap();
}

#[tokio::test]
async fn an_invalid_time_or_one_without_a_time_zone_is_refused() {
    let (local, mut client) = gateway(&Time::new(), Duration::ZERO).await;
    client.table("ks", "t", &format!("(id int PRIMARY KEY) WITH {RECOVERY}")).await;
    for (timestamp, text) in [
        (
            "'2026-11-24T12:00:00'",
            "keyspaces-local: Amazon Keyspaces refuses a restore_timestamp without a zone. Add the zone: Z for UTC, \
             or an offset such as +0000. (DG:cql.ddl.table; DG:restoretabletopointintime, where all times have a zone)",
        ),
        (
            "'yesterday'",
            "keyspaces-local: Amazon Keyspaces refuses a restore_timestamp that is not a time in ISO 8601. Write it to the second \
             or the millisecond, with its zone: '2020-06-30T04:05:00+0000' or '2020-06-30T19:19:21.175Z'. (DG:cql.ddl.table; \
             DG:restoretabletopointintime)",
        ),
    ] {
        let restore = format!("RESTORE TABLE ks.r FROM TABLE ks.t WITH restore_timestamp = {timestamp}");
        assert_eq!(client.query(&restore).await.refused(), (INVALID, text.to_owned()));
    }
    let ttl = "RESTORE TABLE ks.r FROM TABLE ks.t WITH default_time_to_live = 5";
    let text = "keyspaces-local: Amazon Keyspaces refuses TTL, client-side timestamps, CDC and warm throughput as options of \
                RESTORE TABLE. Leave them out: TTL and client-side timestamps come with the table, and the others can \
                be set by ALTER TABLE once it is ACTIVE. (not in the grammar of DG:cql.ddl.table)";
    assert_eq!(client.query(ttl).await.refused(), (INVALID, text.to_owned()));
    local.close().await.unwrap();
}

#[tokio::test]
async fn missing_and_existing_objects_are_refused() {
    let (local, mut client) = gateway(&Time::new(), Duration::ZERO).await;
    client.table("ks", "t", &format!("(id int PRIMARY KEY) WITH {RECOVERY}")).await;
    let exists = "keyspaces-local: table ks.t exists: a restore creates a new table (DG:PointInTimeRecovery_HowItWorks; the service's \
                 message is not known)";
    client.query("CREATE KEYSPACE other WITH replication = {'class': 'SingleRegionStrategy'}").await;
    client.query("CREATE TYPE ks.place (city text)").await;
    client.table("ks", "at", &format!("(id int PRIMARY KEY, place frozen<place>) WITH {RECOVERY}")).await;
    for (restore, text) in [
        ("ks.r FROM TABLE ks.nosuch", "unconfigured table ks.nosuch"),
        ("ks.r FROM TABLE nosuch.t", "unconfigured table nosuch.t"),
        ("ks.r FROM TABLE system.local", "unconfigured table system.local"),
        ("nosuch.r FROM TABLE ks.t", "unconfigured keyspace nosuch"),
        ("ks.t FROM TABLE ks.t", exists),
        // With Cassandra's text.
        ("other.at FROM TABLE ks.at", "Unknown type other.place"),
    ] {
        assert_eq!(client.query(&format!("RESTORE TABLE {restore}")).await.refused(), (INVALID, text.to_owned()));
    }
    local.close().await.unwrap();
}

/// DG:quotas.
#[tokio::test]
async fn four_tables_can_be_restored_at_once_and_no_fifth() {
    let time = Time::new();
    let (local, mut client) = gateway(&time, Duration::from_secs(60)).await;
    client.table("ks", "t", &format!("(id int PRIMARY KEY) WITH {RECOVERY}")).await;
    let restore = |number: usize| format!("RESTORE TABLE ks.r{number} FROM TABLE ks.t");
    for number in 0..4 {
        assert_eq!(client.query(&restore(number)).await, changed("CREATED", &format!("r{number}")));
    }
    let text = "keyspaces-local: 4 tables are being restored (DG:quotas)".to_owned();
    assert_eq!(client.query(&restore(4)).await.refused(), (INVALID, text));
    time.pass(60);
    for number in 0..4 {
        client.active("ks", &format!("r{number}")).await;
    }
    assert_eq!(client.query(&restore(4)).await, changed("CREATED", "r4"));
    local.close().await.unwrap();
}

#[tokio::test]
async fn restores_without_access_to_the_key_or_into_other_regions_are_refused() {
    let key = "arn:aws:kms:us-east-1:111122223333:key/lost";
    let local = another().await.ddl_delay(Duration::ZERO).inaccessible_key(key).start().await.unwrap();
    let mut client = Client::connect(&local).await;
    client.query("CREATE KEYSPACE ks WITH replication = {'class': 'SingleRegionStrategy'}").await;
    let regions = "{'class': 'NetworkTopologyStrategy', 'us-east-1': '3', 'eu-west-1': '3'}";
    client.query(&format!("CREATE KEYSPACE wide WITH replication = {regions}")).await;
    client.table("ks", "t", &format!("(id int PRIMARY KEY) WITH {RECOVERY}")).await;
    let encryption = format!("'encryption_type': 'CUSTOMER_MANAGED_KMS_KEY', 'kms_key_identifier': '{key}'");
    let with_key = format!(
        "RESTORE TABLE ks.r FROM TABLE ks.t WITH custom_properties = {{'encryption_specification': {{{encryption}}}}}"
    );
    for (restore, reason) in [
        (with_key.as_str(), format!("the service has no access to the key {key}")),
        (
            "RESTORE TABLE wide.r FROM TABLE ks.t",
            "the keyspace wide is not in the same Regions as its own keyspace".to_owned(),
        ),
    ] {
        assert_eq!(client.query(restore).await.refused(), not_restorable("t", &reason));
    }
    local.close().await.unwrap();
}
