use chrono::{DateTime, TimeDelta, Utc};
use keyspaces::schema::{KeyspaceDefinition, NativeType, PointInTimeRecovery, TableBuilder, TableDefinition};
use keyspaces::{Endpoint, ErrorKind, Session};
use keyspaces_local::Local;

use crate::local::{shared, signed};

fn table(keyspace: &str, table: &str) -> TableBuilder {
    TableDefinition::builder(keyspace, table).partition_key("id", NativeType::Int).column("v", NativeType::Text)
}

fn text(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

#[tokio::test]
async fn a_restore_that_cannot_be_is_refused_before_it_is_sent() {
    let local = Local::builder().ddl_delay(std::time::Duration::ZERO).start().await.unwrap();
    let session = signed(&local).connect().await.unwrap();
    let schema = session.schema();
    schema.create_keyspace(&KeyspaceDefinition::new("ks")).await.unwrap();
    let recoverable = table("ks", "kept").with(PointInTimeRecovery::Enabled).build().unwrap();
    let plain = table("ks", "plain").build().unwrap();
    schema.create_tables_if_not_exist([&recoverable, &plain]).await.unwrap();
    local.journal().clear();
    let tomorrow = Utc::now() + TimeDelta::days(1);
    for (restore, expected) in [
        (
            schema.restore_table("ks", "kept").at(tomorrow).into("ks", "new"),
            format!(
                "RESTORE TABLE ks.new failed: {} is in the future, by this machine's clock. Give a moment that has been, in \
                 UTC",
                text(tomorrow)
            ),
        ),
        (
            schema.restore_table("ks", "plain").into("ks", "new"),
            "RESTORE TABLE ks.new failed: point-in-time recovery of ks.plain is off, so nothing of it was kept. Turn it on, \
             for the next time: TableChange::Set(PointInTimeRecovery::Enabled.into())"
                .to_owned(),
        ),
        (
            schema.restore_table("ks", "kept").into("ks", "kept"),
            "RESTORE TABLE ks.kept failed: the table ks.kept is there already. Restore it by another name, or drop that \
             table first"
                .to_owned(),
        ),
        (
            schema.restore_table("ks", "kept").into("nosuch", "new"),
            "RESTORE TABLE nosuch.new failed: there is no keyspace nosuch. Create it first".to_owned(),
        ),
        (
            schema.restore_table("ks", "kept").into("ks", "no name"),
            "RESTORE TABLE ks.\"no name\" failed: Keyspaces refuses names of tables other than 1 to 48 letters, digits and \
             underscores, the first no underscore. Choose another name."
                .to_owned(),
        ),
        (
            session.define("RESTORE TABLE ks.new FROM TABLE ks.kept WITH restore_timestamp = '2026-06-30T04:05:00'"),
            "RESTORE TABLE ks.new failed: Keyspaces refuses a restore_timestamp without a zone. Say which time of the day it \
             is where: add Z for UTC, or an offset such as +0000."
                .to_owned(),
        ),
    ] {
        let error = restore.await.unwrap_err();
        assert_eq!((error.kind(), error.to_string()), (ErrorKind::Refused, expected));
    }
    assert!(local.journal().containing("RESTORE").is_empty());
    local.close().await.unwrap();
}

#[tokio::test]
async fn a_plain_cassandra_has_nothing_to_restore_from() {
    let endpoint = Endpoint::cassandra(shared().await.cassandra_address().to_string()).unwrap();
    let session = Session::builder().endpoint(endpoint).connect().await.unwrap();
    let restore = session.schema().restore_table("ks", "t").into("ks", "u");
    let error = restore.without_keyspaces_options_on_cassandra().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "RESTORE TABLE ks.u failed: a plain Cassandra has no point-in-time recovery to restore from"
    );
}
