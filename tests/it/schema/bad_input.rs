use std::future::IntoFuture;

use futures::TryStreamExt;
use keyspaces::ErrorKind;
use keyspaces::schema::{
    CapacityMode, Cdc, CdcView, CqlType, Encryption, KeyspaceDefinition, Name, NativeType, NewColumn, NewColumns,
    PointInTimeRecovery, TableChange, TableDefinition,
};
use keyspaces_local::Local;

use super::{keyspace, name};
use crate::local::{session, signed};

#[tokio::test]
async fn schema_errors_known_to_the_library_are_refused_unsent() {
    let session = session().await;
    let schema = session.schema();
    let units = TableDefinition::builder("ks", "t").partition_key("a", NativeType::Int);
    let zero = units.with(CapacityMode::Provisioned { read: 0, write: 1 }).build().unwrap_err();
    assert_eq!(
        keyspaces::Error::from(zero).to_string(),
        "defining a table failed: Amazon Keyspaces refuses fewer than 1 capacity unit. Provision at least 1 unit of \
         reads and 1 of writes, or use PAY_PER_REQUEST. (API:CapacitySpecification)"
    );
    let tag = KeyspaceDefinition::new("ks").tag("k".repeat(129), "v");
    assert_eq!(
        schema.create_keyspace(&tag).await.unwrap_err().to_string(),
        "CREATE KEYSPACE ks failed: Amazon Keyspaces refuses more than 60 tags in one statement, tag keys of more \
         than 128 characters, and tag values of more than 256. Use fewer or shorter tags. (API:TagResource)"
    );
    let one_region = KeyspaceDefinition::new("ks").in_regions(["us-east-1"]);
    assert_eq!(
        schema.create_keyspace(&one_region).await.unwrap_err().to_string(),
        "CREATE KEYSPACE ks failed: Amazon Keyspaces refuses NetworkTopologyStrategy with fewer than two Regions. Use {'class': \
         'SingleRegionStrategy'} for one Region. (DG:cql.ddl.keyspace)"
    );
    let two = session.define(
        "ALTER TABLE ks.t WITH custom_properties = {'ttl': {'status': 'enabled'}, 'point_in_time_recovery': {'status': \
         'enabled'}}",
    );
    assert_eq!(
        two.await.unwrap_err().to_string(),
        "ALTER TABLE ks.t failed: Amazon Keyspaces refuses ALTER TABLE with more than one custom property. Change one, wait until \
         the table is ACTIVE again, and change the next. (DG:cql.ddl.table)"
    );
    let key = Encryption::CustomerManagedKey("1234".into());
    let key = TableDefinition::builder("ks", "t").partition_key("a", NativeType::Int).with(key).build();
    assert_eq!(
        key.unwrap_err().to_string(),
        "Amazon Keyspaces refuses a customer managed key that is not named by its ARN. Give 'kms_key_identifier' the ARN of \
         a key in AWS KMS. (DG:cql.ddl.table)"
    );
    let none = schema.alter_keyspace("nosuch", &keyspaces::schema::KeyspaceChange::AddRegion("eu-west-1".into())).await;
    assert_eq!(none.unwrap_err().to_string(), "changing the keyspace nosuch failed: it does not exist");
}

#[tokio::test]
async fn change_invalid_for_the_current_table_is_refused_before_sending() {
    let local = Local::builder().ddl_delay(std::time::Duration::ZERO).start().await.unwrap();
    let session = signed(&local).connect().await.unwrap();
    let schema = session.schema();
    schema.create_keyspace(&KeyspaceDefinition::new("ks")).await.unwrap();
    let table = TableDefinition::builder("ks", "t").partition_key("a", NativeType::Int);
    let table = table.column("b", NativeType::Int).with(Cdc::On(CdcView::NewImage)).build().unwrap();
    schema.create_table(&table).await.unwrap();
    local.journal().clear();
    let recovery = TableChange::Set(PointInTimeRecovery::Enabled.into());
    for (change, expected) in [
        (
            TableChange::add_column("b", NativeType::Text),
            "ALTER TABLE ks.t ADD (b text) failed: Amazon Keyspaces refuses adding a column that the table has. Leave it out, or \
             choose another name. (DG:cql.ddl.table). 0 of 2 definitions were carried out; 2 are left",
        ),
        (
            TableChange::Set(Cdc::On(CdcView::KeysOnly).into()),
            "ALTER TABLE ks.t WITH cdc = true AND custom_properties = {'cdc_specification': {'view_type': 'KEYS_ONLY'}} \
             failed: Amazon Keyspaces refuses another view type for a CDC stream that is on. Turn the stream off, wait, and turn \
             it on with the other view type. (DG:cdc_how-it-works). 0 of 2 definitions were carried out; 2 are left",
        ),
        (
            TableChange::add_column("c", CqlType::list(CqlType::list(NativeType::Int))),
            "ALTER TABLE ks.t ADD (c list<list<int>>) failed: in the type of c a collection is inside another: write \
             frozen<…> around the inner one. 0 of 2 definitions were carried out; 2 are left",
        ),
    ] {
        let error = schema.alter_table("ks", "t", &[recovery.clone(), change]).await.unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Refused, expected));
    }
    let twice = ["c", "C2", "c"].map(|name| TableChange::add_column(name, NativeType::Int));
    assert_eq!(
        schema.alter_table("ks", "t", &twice).await.unwrap_err().to_string(),
        "ALTER TABLE ks.t ADD (c int) failed: Amazon Keyspaces refuses adding a column that the table has. Leave it out, or choose \
         another name. (DG:cql.ddl.table). 0 of 3 definitions were carried out; 3 are left"
    );
    let long = |number: usize| NewColumn {
        name: Name::new(format!("c{number}_{}", "x".repeat(2_000))),
        column_type: NativeType::Int.into(),
        is_static: false,
    };
    let many = TableChange::AddColumns(NewColumns::new((0..180).map(long)).unwrap());
    assert_eq!(
        schema.alter_table("ks", "t", &[many]).await.unwrap_err().to_string(),
        "ALTER TABLE ks.t failed: Amazon Keyspaces refuses a table whose schema has more than 350 KB. Use fewer columns, or shorter \
         names. (DG:quotas)"
    );
    let text = session.define("ALTER TABLE ks.t ADD b int").await.unwrap_err();
    assert_eq!(
        text.to_string(),
        "ALTER TABLE ks.t ADD (b int) failed: Amazon Keyspaces refuses adding a column that the table has. Leave it out, or choose \
         another name. (DG:cql.ddl.table)"
    );
    assert!(local.journal().containing("ALTER").is_empty());
    local.close().await.unwrap();
}

#[tokio::test]
async fn error_reports_a_concurrent_change_of_the_table() {
    let session = session().await;
    let (keyspace, name) = (keyspace(&session).await, name());
    let schema = session.schema();
    let definition = TableDefinition::builder(keyspace, &name).partition_key("a", NativeType::Int).build().unwrap();
    schema.create_table(&definition).await.unwrap();
    let changes = ["b", "c"].map(|column| TableChange::add_column(column, NativeType::Int));
    let mut mine = schema.alter_table(keyspace, &name, &changes).progress();
    while mine.try_next().await.unwrap().unwrap().done == 0 {}
    schema.alter_table(keyspace, &name, &[TableChange::add_column("c", NativeType::Text)]).await.unwrap();
    let refused = mine.try_next().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Refused);
    assert_eq!(
        refused.advice(),
        Some(
            "Another program has changed the table meanwhile: Amazon Keyspaces refuses adding a column that the table has. Describe \
             it again. 1 of 2 definitions were carried out; 1 is left"
        )
    );
}

#[tokio::test]
async fn one_of_two_concurrent_alters_is_refused_without_partial_effect() {
    let session = session().await;
    let (keyspace, name) = (keyspace(&session).await, name());
    let schema = session.schema();
    let definition = TableDefinition::builder(keyspace, &name).partition_key("a", NativeType::Int).build().unwrap();
    schema.create_table(&definition).await.unwrap();
    let (recovery, column) =
        ([TableChange::Set(PointInTimeRecovery::Enabled.into())], [TableChange::add_column("b", NativeType::Int)]);
    let (one, other) = tokio::join!(
        schema.alter_table(keyspace, &name, &recovery).into_future(),
        schema.alter_table(keyspace, &name, &column).into_future()
    );
    let refused = [one, other].into_iter().filter_map(Result::err).collect::<Vec<_>>();
    assert_eq!(refused.len(), 1, "{refused:?}");
    let busy = format!(
        "keyspaces-local: table {keyspace}.{name} is being updated: wait until system_schema_mcs says that this is over"
    );
    assert_eq!((refused[0].kind(), refused[0].server_message()), (ErrorKind::Refused, Some(busy.as_str())));
    assert_eq!(
        refused[0].advice(),
        Some(
            "Another program is changing the table, which is UPDATING: wait until it is ACTIVE, and describe it again"
        )
    );
    let now = schema.describe_table(keyspace, &name).await.unwrap().unwrap().definition;
    let recovered = now.options.point_in_time_recovery == Some(PointInTimeRecovery::Enabled);
    assert_ne!(recovered, now.columns.len() == 2);
}

#[tokio::test]
async fn inaccessible_encryption_key_is_an_error_with_advice() {
    let key = "arn:aws:kms:us-east-1:111122223333:key/1";
    let local = Local::builder().ddl_delay(std::time::Duration::ZERO).inaccessible_key(key).start().await.unwrap();
    let session = signed(&local).connect().await.unwrap();
    session.schema().create_keyspace(&KeyspaceDefinition::new("ks")).await.unwrap();
    let table = TableDefinition::builder("ks", "t").partition_key("a", NativeType::Int);
    let table = table.with(Encryption::CustomerManagedKey(key.into())).build().unwrap();
    assert_eq!(
        session.schema().create_table(&table).await.unwrap_err().to_string(),
        "CREATE TABLE ks.t failed: the service has no access to its encryption key; the server's message: \
         \"INACCESSIBLE_ENCRYPTION_CREDENTIALS\". Give the service access to the KMS key, or choose another key \
         (DG:EncryptionAtRest)"
    );
    local.close().await.unwrap();
}
