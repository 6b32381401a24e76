use std::collections::BTreeSet;
use std::fs;

use keyspaces::convert::convert;
use keyspaces::schema::{Definitions, KeyspaceDefinition};

use super::property::as_described;
use crate::local::without_ddl_delay;

/// Adds the keyspaces that the schema uses and does not define.
fn with_keyspaces(mut definitions: Definitions) -> Definitions {
    let of_tables = definitions.tables.iter().map(|table| &table.table);
    let names = of_tables.chain(definitions.types.iter().map(|user_type| &user_type.name));
    let used: BTreeSet<_> = names.filter_map(|name| Some(name.keyspace.as_ref()?.text.clone())).collect();
    for keyspace in used {
        if definitions.keyspaces.iter().all(|there| there.name.text != keyspace) {
            definitions.keyspaces.push(KeyspaceDefinition::new(keyspace));
        }
    }
    definitions
}

/// Converts the schemas of `cql/tests/corpus` and creates all at once, each in its own keyspace.
#[tokio::test]
async fn every_converted_corpus_schema_is_created_and_described_back_unchanged() {
    let (_local, session) = without_ddl_delay().await;
    let schema = session.schema();
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/cql/tests/corpus");
    let files = fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "cql"));
    let schemas: Vec<_> = files.map(|path| convert(&fs::read_to_string(path).unwrap()).definitions()).collect();
    assert!(schemas.len() >= 30, "only {} schemas", schemas.len());
    let mut all = Definitions::new();
    for of in schemas {
        all.keyspaces.extend(of.keyspaces);
        all.types.extend(of.types);
        all.tables.extend(of.tables);
    }
    let all = with_keyspaces(all);
    schema.plan(all.clone()).await.unwrap().apply().await.unwrap();
    for table in all.tables {
        let (keyspace, name) = (table.table.keyspace.clone().unwrap().text, table.table.name.text.clone());
        let described = schema.describe_table(&keyspace, &name).await.unwrap().unwrap().definition;
        assert_eq!(described, as_described(table), "{keyspace}.{name}");
    }
    for keyspace in all.keyspaces {
        schema.drop_keyspace(&keyspace.name.text).await.unwrap();
    }
}
