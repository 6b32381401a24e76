use std::collections::BTreeMap;
use std::time::Duration;

use keyspaces::schema::{KeyspaceDefinition, TableDefinition, Tags};
use keyspaces_local::Local;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use testkit::tables::definition;

use crate::local::signed;

/// The definition as the service describes it: with the defaults of options (DG:cql.ddl.table), and columns in its order.
pub(crate) fn as_described(mut table: TableDefinition) -> TableDefinition {
    let options = &mut table.options;
    options.capacity_mode.get_or_insert_default();
    options.point_in_time_recovery.get_or_insert_default();
    options.encryption.get_or_insert_default();
    options.tags = options.tags.take().filter(|tags: &Tags| !tags.is_empty());
    options.comment = options.comment.take().filter(|comment| !comment.is_empty());
    let place = |name: &str| {
        let key = table.partition_key.iter().chain(table.clustering_columns.iter().map(|by| &by.column));
        key.into_iter().position(|key| key.text == name)
    };
    let places: BTreeMap<_, _> = table.columns.iter().map(|of| (of.name.text.clone(), place(&of.name.text))).collect();
    table.columns.sort_by_key(|column| {
        let name = column.name.text.clone();
        (column.kind as u8, places[&name], name)
    });
    table
}

#[tokio::test]
async fn table_definition_round_trips_through_cql_and_the_server() {
    const CASES: usize = 24;
    let local = Local::builder().ddl_delay(Duration::ZERO).start().await.unwrap();
    let session = signed(&local).connect().await.unwrap();
    let schema = session.schema();
    schema.create_keyspace(&KeyspaceDefinition::new("ks")).await.unwrap();
    let mut runner = TestRunner::default();
    for case in 0..CASES {
        let name = format!("t{case}");
        let table = definition(name.clone()).new_tree(&mut runner).unwrap().current();
        let text = table.to_string();
        let Ok(keyspaces_cql::Statement::CreateTable(create)) = keyspaces_cql::parse(&text) else { panic!("{text}") };
        assert_eq!(create.definition().unwrap(), table, "{text}");
        schema.create_table(&table).await.unwrap_or_else(|error| panic!("{error}\n{text}"));
        let described = schema.describe_table("ks", &name).await.unwrap().unwrap().definition;
        assert_eq!(described, as_described(table), "{text}");
    }
    local.close().await.unwrap();
}
