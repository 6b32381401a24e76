use std::future::IntoFuture;
use std::time::Duration;

use futures::TryStreamExt;
use keyspaces::schema::{
    CapacityMode, ChangeProgress, KeyspaceChange, KeyspaceDefinition, NativeType, PointInTimeRecovery, TableBuilder,
    TableChange, TableDefinition, TableProperty, TableStatus, Tags, TypeDefinition,
};
use keyspaces::{ErrorKind, Session};
use keyspaces_local::{Ddl, Local};

use super::{keyspace, name};
use crate::local::{session, signed};

fn table(keyspace: &str, table: &str) -> TableBuilder {
    TableDefinition::builder(keyspace, table).partition_key("id", NativeType::Int)
}

#[tokio::test]
async fn create_table_reports_progress_and_ends_when_the_table_is_usable() {
    let session = session().await;
    let (keyspace, name) = (keyspace(&session).await, name());
    let definition = table(keyspace, &name).column("v", NativeType::Text).build().unwrap();
    let reported: Vec<ChangeProgress> =
        session.schema().create_table(&definition).progress().try_collect().await.unwrap();
    let (first, last) = (&reported[0], &reported[reported.len() - 1]);
    assert_eq!((first.done, first.total), (0, 1));
    assert_eq!((last.done, last.total), (1, 1));
    assert_eq!(last.definition, format!("CREATE TABLE {keyspace}.{name}"));
    session.execute(&format!("INSERT INTO {keyspace}.{name} (id, v) VALUES (1, 'a')"), ()).await.unwrap();
    session.schema().drop_table(keyspace, &name).await.unwrap();
    assert_eq!(session.schema().describe_table(keyspace, &name).await.unwrap(), None);
}

#[tokio::test]
async fn schema_change_accepts_an_unlimited_deadline() {
    let session = session().await;
    session.schema().create_keyspace(&KeyspaceDefinition::new(name())).with_deadline(Duration::MAX).await.unwrap();
}

#[tokio::test]
async fn table_changes_are_applied_in_sequence() {
    let session = session().await;
    let (keyspace, name) = (keyspace(&session).await, name());
    let schema = session.schema();
    schema.create_table(&table(keyspace, &name).build().unwrap()).await.unwrap();
    let changes = [
        TableChange::add_column("v", NativeType::Text),
        TableChange::Set(CapacityMode::Provisioned { read: 7, write: 8 }.into()),
        TableChange::Set(PointInTimeRecovery::Enabled.into()),
        TableChange::Set(TableProperty::DefaultTimeToLive(60)),
        TableChange::AddTags(Tags::from([("stage".into(), "test".into())])),
    ];
    let reported: Vec<_> = schema.alter_table(keyspace, &name, &changes).progress().try_collect().await.unwrap();
    let done: Vec<_> = reported.iter().map(|progress| progress.done).collect();
    assert!(done.is_sorted() && done.last() == Some(&5), "{done:?}");
    let now = schema.describe_table(keyspace, &name).await.unwrap().unwrap();
    assert_eq!(now.status, Some(TableStatus::Active));
    let options = &now.definition.options;
    assert_eq!(options.capacity_mode, Some(CapacityMode::Provisioned { read: 7, write: 8 }));
    assert_eq!(options.point_in_time_recovery, Some(PointInTimeRecovery::Enabled));
    assert_eq!(options.default_time_to_live, Some(60));
    assert_eq!(options.tags, Some(Tags::from([("stage".into(), "test".into())])));
    assert!(now.definition.columns.iter().any(|column| column.name.text == "v"));
}

#[tokio::test]
async fn failed_table_change_is_named_and_earlier_ones_remain() {
    let session = session().await;
    let (keyspace, name) = (keyspace(&session).await, name());
    let schema = session.schema();
    schema.create_table(&table(keyspace, &name).build().unwrap()).await.unwrap();
    let changes = [
        TableChange::Set(PointInTimeRecovery::Enabled.into()),
        TableChange::Set(CapacityMode::Provisioned { read: 40_001, write: 1 }.into()),
        TableChange::add_column("never", NativeType::Int),
    ];
    let error = schema.alter_table(keyspace, &name, &changes).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert_eq!(
        error.server_message(),
        Some("keyspaces-local: a table may have 40000 units of reads and of writes (DG:quotas)")
    );
    let text = error.to_string();
    assert!(text.ends_with("1 of 3 definitions were carried out; 2 are left"), "{text}");
    let now = schema.describe_table(keyspace, &name).await.unwrap().unwrap().definition;
    assert_eq!(now.options.point_in_time_recovery, Some(PointInTimeRecovery::Enabled));
    assert_eq!(now.columns.len(), 1);
}

#[tokio::test]
async fn any_session_can_wait_for_a_table_being_created() {
    let local =
        Local::builder().ddl_delay(Duration::from_millis(100)).ddl_delay_of(Ddl::CreateTable, Duration::from_secs(2));
    let local = local.start().await.unwrap();
    let first: Session = signed(&local).connect().await.unwrap();
    first.schema().create_keyspace(&KeyspaceDefinition::new("ks")).await.unwrap();
    let definition = table("ks", "t").build().unwrap();
    let schema = first.schema();
    let mut given_up = schema.create_table(&definition).progress();
    given_up.try_next().await.unwrap().unwrap();
    drop(given_up);
    // The session of another program, or of the same program after a restart.
    let second: Session = signed(&local).connect().await.unwrap();
    let again = second.schema();
    let created = again.create_table_if_not_exists(&definition).progress().try_collect::<Vec<_>>();
    let (reported, ()) = tokio::try_join!(created, again.wait_for_tables([("ks", "t")]).into_future()).unwrap();
    assert!(reported.iter().any(|progress| progress.status == Some(TableStatus::Creating)), "{reported:?}");
    second.execute("INSERT INTO ks.t (id) VALUES (1)", ()).await.unwrap();
    let late =
        first.schema().create_table(&table("ks", "u").build().unwrap()).with_deadline(Duration::from_millis(50)).await;
    let late = late.unwrap_err();
    assert_eq!(
        late.to_string(),
        "CREATE TABLE ks.u failed: it was not carried out within 50ms. The service continues with it: read its status in \
         system_schema_mcs, or call wait_for_tables() to wait longer"
    );
    assert!(late.is_timeout());
    local.close().await.unwrap();
}

#[tokio::test]
async fn one_query_per_poll_awaits_many_tables() {
    let local = Local::builder().ddl_delay(Duration::from_millis(500)).start().await.unwrap();
    let session = signed(&local).connect().await.unwrap();
    session.schema().create_keyspace(&KeyspaceDefinition::new("ks")).await.unwrap();
    let tables: Vec<_> = (0..12).map(|number| table("ks", &format!("t{number}")).build().unwrap()).collect();
    local.journal().clear();
    let reported: Vec<_> = session.schema().create_tables_if_not_exist(&tables).progress().try_collect().await.unwrap();
    let polls = reported.len() - 1;
    let received = local.journal().containing("FROM system_schema_mcs.tables");
    let executed = received.iter().filter(|request| request.kind == keyspaces_local::journal::Kind::Execute);
    assert_eq!(executed.count(), polls);
    local.close().await.unwrap();
}

#[tokio::test]
async fn error_of_a_refused_table_says_how_many_others_continue() {
    let local = Local::builder().ddl_delay(Duration::from_millis(500)).start().await.unwrap();
    let session = signed(&local).connect().await.unwrap();
    session.schema().create_keyspace(&KeyspaceDefinition::new("ks")).await.unwrap();
    let too_many = CapacityMode::Provisioned { read: 40_001, write: 1 };
    let tables: Vec<_> = (0..5).map(|number| table("ks", &format!("t{number}"))).collect();
    let tables = tables.into_iter().enumerate().map(|(number, table)| match number {
        3 => table.with(too_many).build().unwrap(),
        _ => table.build().unwrap(),
    });
    let error = session.schema().create_tables_if_not_exist(&tables.collect::<Vec<_>>()).await.unwrap_err();
    let reported = "0 of 5 definitions were carried out; 3 more were sent and continue in the service; 2 are left";
    assert!(error.to_string().ends_with(reported), "{error}");
    session.schema().wait_for_tables([("ks", "t0"), ("ks", "t1"), ("ks", "t2")]).await.unwrap();
    local.close().await.unwrap();
}

#[tokio::test]
async fn drop_and_recreate_empties_a_table_and_keeps_its_definition() {
    let session = session().await;
    let (keyspace, name) = (keyspace(&session).await, name());
    let schema = session.schema();
    let definition = table(keyspace, &name).with(CapacityMode::Provisioned { read: 3, write: 3 }).build().unwrap();
    schema.create_table(&definition).await.unwrap();
    session.execute(&format!("INSERT INTO {keyspace}.{name} (id) VALUES (1)"), ()).await.unwrap();
    schema.drop_and_recreate_table(keyspace, &name).await.unwrap().await.unwrap();
    let mut rows = session.rows::<(i32,)>(&format!("SELECT id FROM {keyspace}.{name}"), ());
    assert_eq!(rows.try_next().await.unwrap(), None);
    let now = schema.describe_table(keyspace, &name).await.unwrap().unwrap().definition;
    assert_eq!(now.options.capacity_mode, definition.options.capacity_mode);
}

#[tokio::test]
async fn types_are_created_and_dropped_and_a_keyspace_gains_a_region() {
    let local = Local::builder().ddl_delay(Duration::ZERO).start().await.unwrap();
    let session = signed(&local).connect().await.unwrap();
    let schema = session.schema();
    schema.create_keyspace(&KeyspaceDefinition::new("ks").tag("a", "b")).await.unwrap();
    let address = TypeDefinition::new("ks", "address").field("street", NativeType::Text);
    schema.create_type(&address).await.unwrap();
    assert!(schema.create_type(&address).await.unwrap_err().is_refused());
    schema.create_type_if_not_exists(&address).await.unwrap();
    schema.drop_type("ks", "address").await.unwrap();
    assert!(schema.drop_type("ks", "address").await.is_err());
    schema.drop_type_if_exists("ks", "address").await.unwrap();
    let add = KeyspaceChange::AddRegion("eu-west-1".into());
    schema.alter_keyspace("ks", &add).await.unwrap().await.unwrap();
    let now = schema.describe_keyspace("ks").await.unwrap().unwrap();
    assert_eq!(now, KeyspaceDefinition::new("ks").in_regions(["eu-west-1", "us-east-1"]).tag("a", "b"));
    schema.create_table(&table("ks", "t").build().unwrap()).await.unwrap();
    let there = schema.describe_table("ks", "t").await.unwrap().unwrap();
    let regions: Vec<_> = there.replicas.iter().map(|replica| replica.region.as_str()).collect();
    assert_eq!(regions, ["eu-west-1", "us-east-1"]);
    schema.drop_table_if_exists("ks", "t").await.unwrap();
    assert!(schema.drop_table("ks", "t").await.is_err());
    schema.drop_table_if_exists("ks", "t").await.unwrap();
    schema.drop_keyspace("ks").await.unwrap();
    assert_eq!(schema.describe_keyspace("ks").await.unwrap(), None);
    schema.drop_keyspace_if_exists("ks").await.unwrap();
    local.close().await.unwrap();
}
