//! Lists in pages, and the quota of tables.
//!
//! Neither looks at the tables that Cassandra has: all but the last one here are known to the schema alone.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Api, create_table, with};
use crate::names::SchemaObject;
use crate::tests::another;

#[tokio::test]
async fn as_many_tables_as_there_may_be_are_listed_in_pages_of_seven_and_one_more_is_refused() {
    let local = another().await.ddl_delay(Duration::ZERO).start().await.unwrap();
    let api = Api::of(&local);
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
    let most = "ServiceQuotaExceededException: keyspaces-local: 256 of the kind table are there (DG:quotas)";
    assert_eq!(api.refused("CreateTable", create_table("ks", "more")).await, most);
    assert_eq!(
        api.refused("GetTable", super::table("ks", "more")).await,
        "ResourceNotFoundException: unconfigured table ks.more"
    );
    let other = with(json!({"nextToken": token}), json!({"keyspaceName": "ks"}));
    assert_eq!(
        api.refused("ListTypes", other).await,
        "ValidationException: keyspaces-local: nextToken is none that this list gave (what the service says here is not \
         known)"
    );
    local.close().await.unwrap();
}
