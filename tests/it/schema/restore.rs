use std::future::IntoFuture;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::TryStreamExt;
use futures::future::join_all;
use keyspaces::schema::{
    AutoScaling, CapacityMode, CapacityScaling, Cdc, CdcView, KeyspaceDefinition, NativeType, PointInTimeRecovery,
    TableBuilder, TableChange, TableDefinition, TableStatus, Tags, TargetTracking,
};
use keyspaces::{Endpoint, ErrorKind, Session};
use keyspaces_local::{Ddl, Local};

use crate::local::{shared, signed};

fn table(keyspace: &str, table: &str) -> TableBuilder {
    TableDefinition::builder(keyspace, table).partition_key("id", NativeType::Int).column("v", NativeType::Text)
}

async fn rows(session: &Session, table: &str) -> Vec<(i32, Option<String>)> {
    let mut rows: Vec<_> = session.rows(&format!("SELECT id, v FROM {table}"), ()).try_collect().await.unwrap();
    rows.sort_unstable();
    rows
}

/// A point in time with no writes shortly before and after it.
async fn moment() -> DateTime<Utc> {
    const QUIET: Duration = Duration::from_millis(20);
    tokio::time::sleep(QUIET).await;
    let moment = Utc::now();
    tokio::time::sleep(QUIET).await;
    moment
}

fn text(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

#[tokio::test]
async fn schema_restore_recovers_deleted_rows_in_a_new_table() {
    let local = Local::builder().ddl_delay(Duration::ZERO).ddl_delay_of(Ddl::RestoreTable, Duration::from_millis(500));
    let local = local.start().await.unwrap();
    let session = signed(&local).connect().await.unwrap();
    let schema = session.schema();
    schema.create_keyspace(&KeyspaceDefinition::new("ks")).await.unwrap();
    schema.create_table(&table("ks", "users").build().unwrap()).await.unwrap();
    let recovery = [TableChange::Set(PointInTimeRecovery::Enabled.into())];
    schema.alter_table("ks", "users", &recovery).await.unwrap();
    for id in 0..20 {
        session.execute("INSERT INTO ks.users (id, v) VALUES (?, ?)", (id, format!("user {id}"))).await.unwrap();
    }
    let before = rows(&session, "ks.users").await;
    let moment = moment().await;
    session.execute("UPDATE ks.users SET v = 'nobody' WHERE id = 0", ()).await.unwrap();
    for id in 1..20 {
        session.execute("DELETE FROM ks.users WHERE id = ?", (id,)).await.unwrap();
    }
    let after = rows(&session, "ks.users").await;

    let restore = schema.restore_table("ks", "users").at(moment).into("ks", "users_restored");
    let reported: Vec<_> = restore.progress().try_collect().await.unwrap();
    assert!(reported.iter().any(|progress| progress.status == Some(TableStatus::Restoring)), "{reported:?}");
    let last = reported.last().unwrap();
    assert_eq!((last.definition.as_str(), last.done, last.total), ("RESTORE TABLE ks.users_restored", 1, 1));
    assert_eq!(rows(&session, "ks.users_restored").await, before);
    assert_eq!(rows(&session, "ks.users").await, after);

    // A dropped table is restored to its state at that time.
    schema.drop_table("ks", "users").await.unwrap();
    schema.restore_table("ks", "users").into("ks", "users_at_last").await.unwrap();
    assert_eq!(rows(&session, "ks.users_at_last").await, after);
    local.close().await.unwrap();
}

#[tokio::test]
async fn restored_table_keeps_source_settings_except_given_ones() {
    let local = Local::builder().ddl_delay(Duration::ZERO).start().await.unwrap();
    let session = signed(&local).connect().await.unwrap();
    let schema = session.schema();
    schema.create_keyspace(&KeyspaceDefinition::new("ks")).await.unwrap();
    schema.create_keyspace(&KeyspaceDefinition::new("other")).await.unwrap();
    let scaling = |most| CapacityScaling::Target(TargetTracking::between(1, most));
    let provisioned = CapacityMode::Provisioned { read: 5, write: 6 };
    let source = table("ks", "t").with(provisioned).with(PointInTimeRecovery::Enabled).with(Cdc::On(CdcView::NewImage));
    let source = source.with(AutoScaling { write: Some(scaling(9)), ..Default::default() }).tag("stage", "test");
    schema.create_table(&source.build().unwrap()).await.unwrap();
    let changes = [TableChange::add_column("later", NativeType::Int)];
    let moment = moment().await;
    schema.alter_table("ks", "t", &changes).await.unwrap();

    schema.restore_table("ks", "t").at(moment).into("ks", "same").await.unwrap();
    let same = schema.describe_table("ks", "same").await.unwrap().unwrap();
    let options = &same.definition.options;
    assert_eq!(same.definition.columns.len(), 2, "{}", same.definition);
    assert_eq!(options.capacity_mode, Some(provisioned));
    assert_eq!(options.point_in_time_recovery, Some(PointInTimeRecovery::Enabled));
    assert_eq!(options.auto_scaling.as_ref().and_then(|scaling| scaling.write), Some(scaling(9)));
    assert_eq!((options.cdc.unwrap_or_default(), &options.tags), (Cdc::Off, &None));
    assert!(same.earliest_restorable.is_some_and(|earliest| earliest > moment));

    let restore = schema.restore_table("ks", "t").with(CapacityMode::OnDemand).with(PointInTimeRecovery::Disabled);
    restore.tag("of", "t").into("other", "t").await.unwrap();
    let other = schema.describe_table("other", "t").await.unwrap().unwrap();
    let options = &other.definition.options;
    assert_eq!(other.definition.columns.len(), 3, "{}", other.definition);
    assert_eq!(options.capacity_mode, Some(CapacityMode::OnDemand));
    assert_eq!(options.point_in_time_recovery, Some(PointInTimeRecovery::Disabled));
    assert_eq!(options.auto_scaling, None);
    assert_eq!(options.tags, Some(Tags::from([("of".into(), "t".into())])));
    assert_eq!(other.earliest_restorable, None);
    local.close().await.unwrap();
}

#[tokio::test]
async fn restore_errors_known_only_to_the_service_quote_it() {
    let local = Local::builder().ddl_delay(Duration::ZERO).ddl_delay_of(Ddl::RestoreTable, Duration::from_secs(3));
    let local = local.start().await.unwrap();
    let session = signed(&local).connect().await.unwrap();
    let schema = session.schema();
    schema.create_keyspace(&KeyspaceDefinition::new("ks")).await.unwrap();
    let missing = schema.restore_table("ks", "nosuch").into("ks", "new").await.unwrap_err();
    assert_eq!((missing.kind(), missing.server_message()), (ErrorKind::NotReady, Some("unconfigured table ks.nosuch")));
    assert_eq!(
        missing.advice(),
        Some(
            "The table ks.nosuch does not exist. A dropped table can be restored for 35 days if its recovery was on, to the time \
             at which it was dropped, so call restore_table() without at() (DG:restoredeleted)"
        )
    );
    schema.create_table(&table("ks", "t").with(PointInTimeRecovery::Enabled).build().unwrap()).await.unwrap();
    let name = |number: usize| format!("new{number}");
    let restores = (0..5).map(|number| schema.restore_table("ks", "t").into("ks", &name(number)).into_future());
    let refused: Vec<_> = join_all(restores).await.into_iter().filter_map(Result::err).collect();
    let said: Vec<_> = refused.iter().map(|error| (error.kind(), error.server_message())).collect();
    assert_eq!(said, [(ErrorKind::Refused, Some("keyspaces-local: 4 tables are being restored (DG:quotas)"))]);

    let soon = schema.restore_table("ks", "t").into("ks", "late").with_deadline(Duration::from_secs(1));
    assert_eq!(
        soon.await.unwrap_err().to_string(),
        "RESTORE TABLE ks.late failed: it was not carried out within 1s. The service continues with it: read its status in \
         system_schema_mcs, or call wait_for_tables() to wait longer"
    );
    schema.wait_for_tables([("ks", "late")]).await.unwrap();
    assert_eq!(rows(&session, "ks.late").await, []);
    local.close().await.unwrap();
}

#[tokio::test]
async fn impossible_restore_is_refused_before_sending() {
    let local = Local::builder().ddl_delay(Duration::ZERO).start().await.unwrap();
    let session = signed(&local).connect().await.unwrap();
    let schema = session.schema();
    schema.create_keyspace(&KeyspaceDefinition::new("ks")).await.unwrap();
    let recoverable = table("ks", "kept").with(PointInTimeRecovery::Enabled).build().unwrap();
    let plain = table("ks", "plain").build().unwrap();
    schema.create_tables_if_not_exist([&recoverable, &plain]).await.unwrap();
    let kept = schema.describe_table("ks", "kept").await.unwrap().unwrap();
    let earliest = kept.earliest_restorable.unwrap();
    let before = earliest - TimeDelta::milliseconds(1);
    local.journal().clear();
    let tomorrow = Utc::now() + TimeDelta::days(1);
    for (restore, expected) in [
        (
            schema.restore_table("ks", "kept").at(tomorrow).into("ks", "new"),
            format!(
                "RESTORE TABLE ks.new failed: {} is in the future by this machine's clock. Choose a time in the past, in UTC",
                text(tomorrow)
            ),
        ),
        (
            schema.restore_table("ks", "kept").at(before).into("ks", "new"),
            format!(
                "RESTORE TABLE ks.new failed: ks.kept can be restored to {} at the earliest, not to {}. Choose a later time: the \
                 history begins when recovery was turned on, or 35 days ago",
                text(earliest),
                text(before)
            ),
        ),
        (
            schema.restore_table("ks", "plain").into("ks", "new"),
            "RESTORE TABLE ks.new failed: point-in-time recovery of ks.plain is off, so the service has kept nothing to \
             restore. Turn it on for the future: TableChange::Set(PointInTimeRecovery::Enabled.into())"
                .to_owned(),
        ),
        (
            schema.restore_table("ks", "kept").into("ks", "kept"),
            "RESTORE TABLE ks.kept failed: the table ks.kept exists already. Restore under another name, or drop that table \
             first"
                .to_owned(),
        ),
        (
            schema.restore_table("ks", "kept").into("nosuch", "new"),
            "RESTORE TABLE nosuch.new failed: the keyspace nosuch does not exist. Create it first".to_owned(),
        ),
        (
            schema.restore_table("ks", "kept").into("ks", "no name"),
            "RESTORE TABLE ks.\"no name\" failed: Amazon Keyspaces refuses names of tables that are not 1 to 48 \
             letters, digits and underscores, or that begin with an underscore. Choose another name. (API:CreateTable)"
                .to_owned(),
        ),
        (
            session.define("RESTORE TABLE ks.new FROM TABLE ks.kept WITH restore_timestamp = '2026-06-30T04:05:00'"),
            "RESTORE TABLE ks.new failed: Amazon Keyspaces refuses a restore_timestamp without a zone. Add the zone: \
             Z for UTC, or an offset such as +0000. (DG:cql.ddl.table; DG:restoretabletopointintime, where all times \
             have a zone)"
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
async fn restore_on_plain_cassandra_is_refused() {
    let endpoint = Endpoint::cassandra(shared().await.cassandra_address().to_string()).unwrap();
    let session = Session::builder().endpoint(endpoint).connect().await.unwrap();
    let restore = session.schema().restore_table("ks", "t").into("ks", "u");
    let error = restore.without_keyspaces_options_on_cassandra().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "RESTORE TABLE ks.u failed: a plain Cassandra has no point-in-time recovery to restore from"
    );
}
