//! Lists in pages, and the quota of tables.
//!
//! Neither reads Cassandra's tables: all tables here except the last one exist only in the schema.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Api, create_table, with};
use crate::names::SchemaObject;
use crate::tests::another;

#[tokio::test]
async fn the_maximum_number_of_tables_is_listed_in_pages_of_seven_and_one_more_is_refused() {
    let local = another().await.ddl_delay(Duration::ZERO).start().await.unwrap();
    let api = Api::new(&local);
    api.keyspace("ks").await;
    let names: Vec<String> = (0..256).map(|number| format!("t{number:03}")).collect();
    let [known @ .., last] = &names[..] else { panic!() };
    let gateway = api.plane.gateway();
    gateway.schema().assume_exists(known.iter().map(|name| SchemaObject::table("ks", name)));
    api.call("CreateTable", create_table("ks", last)).await;
    let (mut seen, mut pages, mut token) = (Vec::new(), 0, Value::Null);
    loop {
        let page = api.call("ListTables", json!({"keyspaceName": "ks", "maxResults": 7, "nextToken": token})).await;
        let tables = page["tables"].as_array().unwrap();
        assert!(tables.len() <= 7);
        seen.extend(tables.iter().map(|table| table["tableName"].as_str().unwrap().to_owned()));
        pages += 1;
        match page.get("nextToken") {
            Some(next) => token = next.clone(),
            None => break,
        }
    }
    assert_eq!((seen, pages), (names, 37));
    let refusal = "ServiceQuotaExceededException: keyspaces-local: 256 objects of the kind table exist (DG:quotas)";
    assert_eq!(api.refused("CreateTable", create_table("ks", "more")).await, refusal);
    assert_eq!(
        api.refused("GetTable", super::table("ks", "more")).await,
        "ResourceNotFoundException: unconfigured table ks.more"
    );
    let other = with(json!({"nextToken": token}), json!({"keyspaceName": "ks"}));
    assert_eq!(
        api.refused("ListTypes", other).await,
        "ValidationException: keyspaces-local: nextToken was not returned for this list (the service's \
         message is not known)"
    );
    local.close().await.unwrap();
}
