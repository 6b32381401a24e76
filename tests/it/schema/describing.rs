use keyspaces::schema::{CapacityMode, KeyspaceDefinition, NativeType, SortOrder, TableDefinition};
use keyspaces::{Endpoint, Session};

use super::{keyspace, name};
use crate::local::{session, shared};

#[tokio::test]
async fn described_table_prints_its_create_statement() {
    let session = session().await;
    let (keyspace, name) = (keyspace(&session).await, name());
    session
        .define(&format!(
            "CREATE TABLE {keyspace}.{name} (a text, b int, c timestamp, d set<text> STATIC, \"E e\" frozen<list<int>>, \
             PRIMARY KEY ((a, b), c)) WITH CLUSTERING ORDER BY (c DESC) AND default_time_to_live = 60"
        ))
        .await
        .unwrap();
    let described = session.schema().describe_table(keyspace, &name).await.unwrap().unwrap();
    assert!(described.created.is_some());
    assert_eq!(
        described.definition.to_string(),
        format!(
            "CREATE TABLE {keyspace}.{name} (a text, b int, c timestamp, d set<text> STATIC, \"E e\" frozen<list<int>>, \
             PRIMARY KEY ((a, b), c)) WITH CLUSTERING ORDER BY (c DESC) AND custom_properties = {{'capacity_mode': \
             {{'throughput_mode': 'PAY_PER_REQUEST'}}, 'point_in_time_recovery': {{'status': 'disabled'}}, \
             'encryption_specification': {{'encryption_type': 'AWS_OWNED_KMS_KEY'}}, 'ttl': {{'status': 'enabled'}}}} AND \
             default_time_to_live = 60"
        )
    );
}

/// A program that also runs against a Cassandra in a container. Options that only Keyspaces has are refused unless the program
/// asks to leave them out.
#[tokio::test]
async fn plain_cassandra_table_is_created_without_keyspaces_options() {
    let endpoint = Endpoint::cassandra(shared().await.cassandra_address().to_string()).unwrap();
    let session = Session::builder().endpoint(endpoint).connect().await.unwrap();
    let schema = session.schema();
    let keyspace = format!("plain_{}", &name()[..12]);
    let definition = KeyspaceDefinition::new(keyspace.as_str());
    schema.create_keyspace_if_not_exists(&definition).await.unwrap();
    let table = TableDefinition::builder(keyspace.as_str(), "t")
        .partition_key("a", NativeType::Int)
        .clustering_column("b", NativeType::Text, SortOrder::Descending)
        .with(CapacityMode::Provisioned { read: 1, write: 1 })
        .tag("a", "b")
        .build()
        .unwrap();
    assert_eq!(
        schema.create_table(&table).await.unwrap_err().to_string(),
        format!(
            "CREATE TABLE {keyspace}.t failed: only Keyspaces has the options custom_properties, autoscaling_settings, cdc and \
             tags, and changes of Regions, and this is a plain Cassandra. Leave them out, or call \
             without_keyspaces_options_on_cassandra()"
        )
    );
    schema.create_table(&table).without_keyspaces_options_on_cassandra().await.unwrap();
    let there = schema.describe_table(&keyspace, "t").await.unwrap().unwrap();
    assert_eq!(there.status, None);
    assert_eq!(
        there.definition.to_string(),
        format!("CREATE TABLE {keyspace}.t (a int, b text, PRIMARY KEY ((a), b)) WITH CLUSTERING ORDER BY (b DESC)")
    );
    schema.drop_keyspace(&keyspace).await.unwrap();
}
