//! Time-based ids, and the bounds of a time range.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use keyspaces::value::{CqlTimeuuid, timeuuid};
use keyspaces::{Select, Write};
use uuid::Uuid;

use crate::server::{session, table};

#[tokio::test]
async fn the_bounds_of_a_millisecond_are_those_of_the_server() {
    let session = session().await;
    let table = table(&session, "id int PRIMARY KEY").await;
    session.execute(&format!("INSERT INTO {table} (id) VALUES (1)"), ()).await.unwrap();
    for at in ["1970-01-01T00:00:00Z", "2026-11-26T13:30:54.123Z", "2099-12-31T23:59:59.999Z"] {
        let time: DateTime<Utc> = at.parse().unwrap();
        let text = time.format("%Y-%m-%d %H:%M:%S%.3f+0000");
        let read = format!("SELECT minTimeuuid('{text}'), maxTimeuuid('{text}') FROM {table}");
        let bounds: Option<(CqlTimeuuid, CqlTimeuuid)> = session.query(&read, ()).one().await.unwrap();
        let (min, max) = bounds.unwrap();
        // Compared as bytes, because the order of ids ignores their version.
        assert_eq!(min.as_bytes(), timeuuid::min(time).as_bytes(), "{at}");
        assert_eq!(max.as_bytes(), timeuuid::max(time).as_bytes(), "{at}");
    }
}

#[tokio::test]
async fn a_range_of_time_selects_its_ids_in_order() {
    let session = session().await;
    let table = table(&session, "shop int, id timeuuid, PRIMARY KEY (shop, id)").await;
    let store: Write<(i32, CqlTimeuuid)> =
        session.prepare(&format!("INSERT INTO {table} (shop, id) VALUES (?, ?)")).await.unwrap();
    let between: Select<(i32, CqlTimeuuid, CqlTimeuuid), (CqlTimeuuid,)> =
        session.prepare(&format!("SELECT id FROM {table} WHERE shop = ? AND id >= ? AND id <= ?")).await.unwrap();
    let start: DateTime<Utc> = "2026-11-26T13:30:54.123Z".parse().unwrap();
    let mut ids: Vec<_> =
        (0..5).flat_map(|milli| [0, 0].map(|_| timeuuid::at(start + TimeDelta::milliseconds(milli)))).collect();
    for id in &ids {
        store.execute((1, *id)).await.unwrap();
    }
    ids.sort();
    let (from, to) = (start + TimeDelta::milliseconds(1), start + TimeDelta::milliseconds(3));
    let rows = between.rows((1, timeuuid::min(from), timeuuid::max(to)));
    let found: Vec<(CqlTimeuuid,)> = rows.try_collect().await.unwrap();
    assert_eq!(found.iter().map(|(id,)| *id).collect::<Vec<_>>(), ids[2..8]);
}

#[keyspaces::row(write)]
struct Wrong {
    id: i32,
    ids: Vec<Uuid>,
}

#[tokio::test]
async fn a_uuid_in_a_collection_is_refused_with_the_type_that_fits_when_the_statement_is_prepared() {
    let session = session().await;
    let table = table(&session, "id int PRIMARY KEY, ids list<timeuuid>, seen map<text, timeuuid>").await;
    let bind = "Bind a value::CqlTimeuuid: CqlTimeuuid::from() makes one of a Uuid of version 1";
    let read = "Read it as value::CqlTimeuuid: Uuid::from() makes a Uuid of it";
    let update = |column: &str| format!("UPDATE {table} SET {column} = ? WHERE id = ?");
    let error = session.prepare::<Write<(Vec<Uuid>, i32)>>(&update("ids")).await.unwrap_err();
    let problem = "an element of the bind marker for ids is timeuuid, Uuid cannot be bound to it";
    assert_eq!(error.to_string(), format!("preparing UPDATE {table} failed: {problem}. {bind}"));
    let error = session.prepare::<Write<(HashMap<&str, Uuid>, i32)>>(&update("seen")).await.unwrap_err();
    let problem = "a value of the bind marker for seen is timeuuid, Uuid cannot be bound to it";
    assert_eq!(error.to_string(), format!("preparing UPDATE {table} failed: {problem}. {bind}"));
    let select = format!("SELECT ids FROM {table}");
    let error = session.prepare::<Select<(), (Option<Vec<Uuid>>,)>>(&select).await.unwrap_err();
    let problem = "an element of the column ids is timeuuid, it cannot be read as Uuid";
    assert_eq!(error.to_string(), format!("preparing SELECT FROM {table} failed: {problem}. {read}"));

    // The fields of a row type are known only with a row.
    let store: Write<Wrong> = session.prepare(&update("ids")).await.unwrap();
    let error = store.execute(Wrong { id: 1, ids: vec![Uuid::nil()] }).await.unwrap_err();
    let problem = "an element of the bind marker for ids is timeuuid, Uuid cannot be bound to it";
    assert_eq!(error.to_string(), format!("UPDATE {table} failed: {problem}. {bind}"));
}
