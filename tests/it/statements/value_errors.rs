//! Errors for values that do not fit. They name the column, the part of the value, and the types.

use keyspaces::value::CqlTimeuuid;
use keyspaces::{DeserializeRow, DeserializeValue, Row, Select, SerializeValue, Write};
use uuid::Uuid;

use crate::server::{session, table};

#[derive(Debug, DeserializeValue, SerializeValue)]
#[scylla(crate = keyspaces)]
struct Address {
    street: String,
    floor: i32,
}

#[derive(Debug, DeserializeValue, SerializeValue)]
#[scylla(crate = keyspaces)]
struct Mistyped {
    strete: String,
    floor: i32,
}

#[derive(Debug, DeserializeValue, SerializeValue)]
#[scylla(crate = keyspaces)]
struct WrongFloor {
    street: String,
    floor: String,
}

#[derive(Debug, DeserializeRow)]
#[scylla(crate = keyspaces)]
#[expect(dead_code, reason = "it is never read")]
struct Home {
    home: Address,
}

#[tokio::test]
async fn every_udt_mismatch_error_names_the_field() {
    let session = session().await;
    let table = table(&session, "id int PRIMARY KEY").await;
    let (keyspace, name) = table.split_once('.').unwrap();
    let address = format!("{keyspace}.address_{name}");
    let bare = format!("address_{name}");
    session.define(&format!("CREATE TYPE {address} (street text, floor int)")).await.unwrap();
    session.define(&format!("ALTER TABLE {table} ADD home frozen<{bare}>")).await.unwrap();
    session.define(&format!("ALTER TABLE {table} ADD homes list<frozen<{bare}>>")).await.unwrap();

    let insert = format!("INSERT INTO {table} (id, home) VALUES (?, ?)");
    let store: Write<(i32, Mistyped)> = session.prepare(&insert).await.unwrap();
    let error = store.execute((1, Mistyped { strete: "a".into(), floor: 1 })).await.unwrap_err();
    let bound = |problem: String| format!("INSERT INTO {table} failed: {problem}");
    assert_eq!(
        error.to_string(),
        bound(format!(
            "the bind marker for home is {bare}, and the field strete is not in both this type and Mistyped"
        ))
    );
    let store: Write<(i32, WrongFloor)> = session.prepare(&insert).await.unwrap();
    let error = store.execute((1, WrongFloor { street: "a".into(), floor: "b".into() })).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        bound("the field floor of the bind marker for home is int, String cannot be bound to it".to_owned())
    );

    let read = format!("SELECT home FROM {table} WHERE id = ?");
    let prepared = |problem: String| format!("preparing SELECT FROM {table} failed: {problem}");
    let error = session.prepare::<Select<(i32,), (Mistyped,)>>(&read).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        prepared(format!("the column home is {bare}, which has no field strete, and Mistyped has"))
    );
    let error = session.prepare::<Select<(i32,), (WrongFloor,)>>(&read).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        prepared("the field floor of the column home is int, it cannot be read as String".to_owned())
    );
    let homes = format!("SELECT homes FROM {table} WHERE id = ?");
    let error = session.prepare::<Select<(i32,), (Vec<WrongFloor>,)>>(&homes).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        prepared("the field floor of an element of the column homes is int, it cannot be read as String".to_owned())
    );

    session.execute(&format!("INSERT INTO {table} (id, home) VALUES (1, {{street: 'a'}})"), ()).await.unwrap();
    let home: Select<(i32,), Home> = session.prepare(&read).await.unwrap();
    assert_eq!(
        home.one((1,)).await.unwrap_err().to_string(),
        format!(
            "SELECT FROM {table} failed: the field floor of the column home (int) is null in a row, and i32 cannot hold null: \
             read it as Option<i32>"
        )
    );
}

#[tokio::test]
async fn uuid_bound_to_timeuuid_is_refused_with_the_matching_type() {
    let session = session().await;
    let table = table(&session, "id timeuuid PRIMARY KEY").await;
    let insert = format!("INSERT INTO {table} (id) VALUES (?)");
    let error = session.prepare::<Write<(Uuid,)>>(&insert).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "preparing INSERT INTO {table} failed: the bind marker for id is timeuuid, Uuid cannot be bound to it. Bind a \
             value::CqlTimeuuid: CqlTimeuuid::from() makes one of a Uuid of version 1"
        )
    );
    let read = format!("SELECT id FROM {table}");
    let error = session.prepare::<Select<(), (Uuid,)>>(&read).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "preparing SELECT FROM {table} failed: the column id is timeuuid, it cannot be read as Uuid. Read it as \
             value::CqlTimeuuid: Uuid::from() makes a Uuid of it"
        )
    );
    let _: Select<(), (CqlTimeuuid,)> = session.prepare(&read).await.unwrap();
    let _: Select<(), Row> = session.prepare(&read).await.unwrap();
}
