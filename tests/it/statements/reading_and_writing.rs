use std::collections::HashMap;
use std::time::Duration;

use keyspaces::value::{Counter, CqlValue};
use keyspaces::{
    DeserializeRow, DeserializeValue, ErrorKind, Increment, ReadConsistency, Row, Select, SerializeRow, SerializeValue,
    Write,
};

use crate::server::{is_keyspaces, local, session, table, table_with};

#[derive(Clone, Debug, DeserializeRow, PartialEq, SerializeRow)]
#[scylla(crate = keyspaces)]
struct Name {
    id: i32,
    name: Option<String>,
}

#[tokio::test]
async fn written_rows_are_read_back_unchanged() {
    let session = session().await;
    let table = table(&session, "id int PRIMARY KEY, name text").await;
    let store: Write<Name> = session.prepare(&format!("INSERT INTO {table} (name, id) VALUES (?, ?)")).await.unwrap();
    let by_id: Select<(i32,), Name> =
        session.prepare(&format!("SELECT id, name FROM {table} WHERE id = ?")).await.unwrap();
    let ada = Name { id: 7, name: Some("Ada".into()) };
    let nobody = Name { id: 8, name: None };
    store.execute(&ada).await.unwrap();
    store.execute(&nobody).await.unwrap();
    assert_eq!(by_id.one((7,)).await.unwrap(), Some(ada));
    assert_eq!(by_id.first((8,)).await.unwrap(), Some(nobody));
    assert_eq!(by_id.one((9,)).await.unwrap(), None);
}

#[tokio::test]
async fn one_fails_if_there_are_several_rows() {
    let session = session().await;
    let table = table(&session, "k int, c int, PRIMARY KEY (k, c)").await;
    for c in 0..3 {
        session.execute(&format!("INSERT INTO {table} (k, c) VALUES (?, ?)"), (1, c)).await.unwrap();
    }
    let rows: Select<(i32,), (i32,)> = session.prepare(&format!("SELECT c FROM {table} WHERE k = ?")).await.unwrap();
    let error = rows.one((1,)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "SELECT FROM {table} failed: expected one row, but there are more. Name the whole primary key in WHERE, or use \
             first()"
        )
    );
    assert_eq!(error.kind(), ErrorKind::Type);
    assert_eq!(rows.first((1,)).await.unwrap(), Some((0,)));
}

#[tokio::test]
async fn unprepared_statement_returns_untyped_rows() {
    let session = session().await;
    let table = table(&session, "id int PRIMARY KEY, name text").await;
    session.execute(&format!("INSERT INTO {table} (id, name) VALUES (1, 'Ada')"), ()).await.unwrap();
    session.execute(&format!("INSERT INTO {table} (id) VALUES (?)"), (2,)).await.unwrap();
    let mut rows: Vec<Row> = session.rows::<Row>(&format!("SELECT * FROM {table}"), ()).try_collect().await.unwrap();
    rows.sort_by_key(|row| row.get("id").and_then(CqlValue::as_int));
    assert_eq!(
        format!("{rows:?}"),
        r#"[{"id": Some(Int(1)), "name": Some(Text("Ada"))}, {"id": Some(Int(2)), "name": None}]"#
    );
    assert_eq!(rows[0].get("name").and_then(CqlValue::as_text).map(String::as_str), Some("Ada"));
    assert_eq!(rows[1].get("name"), None);
    let some: Vec<(i32,)> =
        session.rows::<(i32,)>(&format!("SELECT id FROM {table} WHERE id = ?"), (2,)).try_collect().await.unwrap();
    assert_eq!(some, [(2,)]);
    if let Some(local) = local().await {
        let prepared = local.journal().filter(|it| {
            it.kind == keyspaces_local::journal::Kind::Prepare
                && it.statement.as_ref().is_some_and(|text| text.contains(&table) && !text.contains('?'))
        });
        assert_eq!(prepared.len(), 0, "{prepared:?}");
    }
}

#[tokio::test]
async fn execute_refuses_conditional_writes() {
    let session = session().await;
    let error = session.execute("INSERT INTO ks.t (id) VALUES (1) IF NOT EXISTS", ()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "INSERT INTO ks.t failed: expected a write, but the statement is a conditional write. Prepare it as a Conditional"
    );
}

#[tokio::test]
async fn counters_are_incremented_and_list_append_is_not_an_increment() {
    let session = session().await;
    let hits = table(&session, "page text PRIMARY KEY, n counter").await;
    let hit: Increment<(Counter, &str)> =
        session.prepare(&format!("UPDATE {hits} SET n = n + ? WHERE page = ?")).await.unwrap();
    hit.execute((Counter(2), "/")).await.unwrap();
    hit.execute((Counter(3), "/")).await.unwrap();
    let n: Select<(&str,), (Counter,)> =
        session.prepare(&format!("SELECT n FROM {hits} WHERE page = ?")).await.unwrap();
    assert_eq!(n.one(("/",)).await.unwrap(), Some((Counter(5),)));

    let lists = table(&session, "id int PRIMARY KEY, l list<text>").await;
    let text = format!("UPDATE {lists} SET l = l + ? WHERE id = ?");
    let append: Write<(Vec<&str>, i32)> = session.prepare(&text).await.unwrap();
    append.execute((vec!["a"], 1)).await.unwrap();
    append.execute((vec!["b"], 1)).await.unwrap();
    let read: Vec<(Vec<String>,)> =
        session.rows::<(Vec<String>,)>(&format!("SELECT l FROM {lists}"), ()).try_collect().await.unwrap();
    assert_eq!(read, [(vec!["a".to_owned(), "b".to_owned()],)]);
    let error = session.prepare::<Increment<(Vec<&str>, i32)>>(&text).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "UPDATE {lists} failed: expected an increment of a counter, but the statement is a write. Prepare it as a Write"
        )
    );
}

#[tokio::test]
async fn read_consistency_is_configurable_and_writes_use_local_quorum() {
    let session = session().await;
    let table = table(&session, "id int PRIMARY KEY, name text").await;
    let read: Select<(i32,), (Option<String>,)> =
        session.prepare(&format!("SELECT name FROM {table} WHERE id = ?")).await.unwrap();
    read.one((1,)).await.unwrap();
    read.with_consistency(ReadConsistency::One).one((1,)).await.unwrap();
    session.execute(&format!("INSERT INTO {table} (id) VALUES (?)"), (1,)).await.unwrap();
    let Some(local) = local().await else { return };
    let executed: Vec<_> = local
        .journal()
        .filter(|it| {
            it.kind == keyspaces_local::journal::Kind::Execute
                && it.statement.as_ref().is_some_and(|text| text.contains(&table))
        })
        .into_iter()
        .map(|it| format!("{:?}", it.consistency.unwrap()))
        .collect();
    assert_eq!(executed, ["LocalQuorum", "One", "LocalQuorum"]);
}

#[tokio::test]
async fn row_written_with_a_ttl_expires_after_it() {
    let session = session().await;
    let table = table_with(&session, "id int PRIMARY KEY, name text", "WITH default_time_to_live = 86400").await;
    let store: Write<(i32, &str)> =
        session.prepare(&format!("INSERT INTO {table} (id, name) VALUES (?, ?) USING TTL ?")).await.unwrap();
    store.with_ttl(Duration::from_secs(3_600)).execute((1, "Ada")).await.unwrap();
    let left: Select<(i32,), (i32,)> =
        session.prepare(&format!("SELECT TTL(name) FROM {table} WHERE id = ?")).await.unwrap();
    let (ttl,) = left.one((1,)).await.unwrap().unwrap();
    assert!((3_500..=3_600).contains(&ttl), "{ttl}");
    let error = store.with_ttl(Duration::from_secs(630_720_001)).execute((1, "Ada")).await.unwrap_err();
    if !is_keyspaces() {
        assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
        return;
    }
    assert_eq!(
        error.to_string(),
        format!(
            "INSERT INTO {table} failed: Amazon Keyspaces refuses a TTL of more than 630720000 seconds (20 years), and \
             630720001 seconds were given. Use a shorter TTL, or none. (DG:cql.dml.insert)"
        )
    );
}

#[tokio::test]
async fn write_keeps_its_timestamp_if_the_table_accepts_timestamps() {
    let session = session().await;
    let table = table(&session, "id int PRIMARY KEY, name text").await;
    let text = format!("INSERT INTO {table} (id, name) VALUES (?, ?) USING TIMESTAMP ?");
    if is_keyspaces() {
        // The table has no client-side timestamps.
        let error = session.prepare::<Write<(i32, &str)>>(&text).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
        return;
    }
    let store: Write<(i32, &str)> = session.prepare(&text).await.unwrap();
    let now = chrono::Utc::now();
    store.with_timestamp(now).execute((1, "Ada")).await.unwrap();
    let written: Select<(i32,), (i64,)> =
        session.prepare(&format!("SELECT WRITETIME(name) FROM {table} WHERE id = ?")).await.unwrap();
    assert_eq!(written.one((1,)).await.unwrap(), Some((now.timestamp_micros(),)));
    // The window of accepted timestamps is a rule of Keyspaces.
    store.with_timestamp(now - chrono::Duration::days(3)).execute((2, "Bo")).await.unwrap();
}

#[tokio::test]
async fn row_types_behave_as_documented() {
    let session = session().await;
    let table = table_with(
        &session,
        "id int, at int, kind text static, name text, tags set<text>, PRIMARY KEY (id, at)",
        if is_keyspaces() {
            "WITH CUSTOM_PROPERTIES = {'ttl': {'status': 'enabled'}, 'client_side_timestamps': {'status': 'enabled'}}"
        } else {
            ""
        },
    )
    .await;
    let put = async |text: &str| session.execute(&text.replace("INTO t", &format!("INTO {table}")), ()).await.unwrap();
    put("INSERT INTO t (id, kind) VALUES (1, 'empty')").await;
    put("INSERT INTO t (id, at, name) VALUES (2, 1, 'Ada') USING TTL 600").await;
    put("INSERT INTO t (id, at, name, tags) VALUES (3, 1, 'Bob', {})").await;

    type Cells = (i32, Option<i32>, Option<String>, Option<String>, Vec<String>);
    let row: Select<(i32,), Cells> =
        session.prepare(&format!("SELECT id, at, kind, name, tags FROM {table} WHERE id = ?")).await.unwrap();
    assert_eq!(row.one((1,)).await.unwrap(), Some((1, None, Some("empty".to_owned()), None, vec![])));
    assert_eq!(row.one((3,)).await.unwrap(), Some((3, Some(1), None, Some("Bob".to_owned()), vec![])));

    #[derive(Debug, DeserializeRow)]
    #[scylla(crate = keyspaces)]
    struct Age {
        #[scylla(rename = "ttl(name)")]
        ttl: Option<i32>,
        #[scylla(rename = "writetime(name)")]
        written_at: Option<i64>,
    }
    let age: Select<(i32,), Age> =
        session.prepare(&format!("SELECT TTL(name), WRITETIME(name) FROM {table} WHERE id = ?")).await.unwrap();
    let ada = age.first((2,)).await.unwrap().unwrap();
    assert!(ada.ttl.is_some_and(|seconds| (1..=600).contains(&seconds)) && ada.written_at.is_some(), "{ada:?}");
    let bob = age.first((3,)).await.unwrap().unwrap();
    assert!(bob.ttl.is_none() && bob.written_at.is_some(), "{bob:?}");
}

#[tokio::test]
async fn struct_missing_udt_fields_writes_nulls_unless_forbidden() {
    #[derive(Debug, DeserializeValue, PartialEq, SerializeValue)]
    #[scylla(crate = keyspaces)]
    struct Street {
        street: String,
    }

    #[derive(Debug, DeserializeValue, SerializeValue)]
    #[scylla(crate = keyspaces, forbid_excess_udt_fields)]
    struct OnlyStreet {
        street: String,
    }

    let session = session().await;
    // Creating a table also creates the keyspace.
    let table = table(&session, "id int PRIMARY KEY").await;
    let place = format!("{}_place", table);
    session.define(&format!("CREATE TYPE {place} (street text, city text)")).await.unwrap();
    session.define(&format!("ALTER TABLE {table} ADD place frozen<{place}>")).await.unwrap();
    let put = format!("INSERT INTO {table} (id, place) VALUES (?, ?)");
    let get = format!("SELECT place FROM {table} WHERE id = ?");
    session
        .execute(&format!("INSERT INTO {table} (id, place) VALUES (1, {{street: 'Main', city: 'Ulm'}})"), ())
        .await
        .unwrap();

    let read: Select<(i32,), (Street,)> = session.prepare(&get).await.unwrap();
    let (street,) = read.one((1,)).await.unwrap().unwrap();
    assert_eq!(street, Street { street: "Main".to_owned() });
    session.prepare::<Write<(i32, Street)>>(&put).await.unwrap().execute((1, street)).await.unwrap();
    let city = session.rows::<(Option<String>,)>(&format!("SELECT place.city FROM {table} WHERE id = 1"), ());
    assert_eq!(city.try_collect::<Vec<_>>().await.unwrap(), [(None,)]);

    let only = || OnlyStreet { street: "Main".to_owned() };
    let write: Write<(i32, OnlyStreet)> = session.prepare(&put).await.unwrap();
    let error = write.execute((1, only())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Type);
    assert!(error.to_string().contains("which has a field city, and OnlyStreet has none"), "{error}");
    let error = session.prepare::<Select<(i32,), (OnlyStreet,)>>(&get).await.unwrap_err();
    assert!(error.to_string().contains("which has a field city, and OnlyStreet has none"), "{error}");
}

#[tokio::test]
async fn bind_marker_in_a_collection_literal_advises_binding_it_whole() {
    let session = session().await;
    let table = table(&session, "id int PRIMARY KEY, m map<text, text>").await;
    for text in [
        format!("UPDATE {table} SET m = m + {{? : ?}} WHERE id = ?"),
        format!("INSERT INTO {table} (m, id) VALUES ({{? : ?}}, ?)"),
    ] {
        let error = session.prepare::<Write<(&str, &str, i32)>>(&text).await.unwrap_err();
        assert_eq!(
            error.advice(),
            Some("Bind the whole collection to one marker, as in SET m = m + ? with a map of what is added"),
            "{error}"
        );
    }
    let whole = format!("UPDATE {table} SET m = m + ? WHERE id = ?");
    let add: Write<(HashMap<&str, &str>, i32)> = session.prepare(&whole).await.unwrap();
    add.execute((HashMap::from([("a", "b")]), 1)).await.unwrap();
}
