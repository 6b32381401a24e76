//! JSON: values in a column, rows and cursors.

use keyspaces::value::Json;
use keyspaces::{PagingState, Row, Select, Write};
use serde::{Deserialize, Serialize};

use crate::server::{session, table};

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Settings {
    theme: String,
    columns: Vec<u32>,
}

#[tokio::test]
async fn a_json_value_is_stored_as_text() {
    let session = session().await;
    let table = table(&session, "id int PRIMARY KEY, settings text").await;
    let store: Write<(i32, Option<Json<Settings>>)> =
        session.prepare(&format!("INSERT INTO {table} (id, settings) VALUES (?, ?)")).await.unwrap();
    let read = format!("SELECT settings FROM {table} WHERE id = ?");
    let settings: Select<(i32,), (Option<Json<Settings>>,)> = session.prepare(&read).await.unwrap();
    let given = Some(Json(Settings { theme: "dark".to_owned(), columns: vec![1, 2] }));
    for (id, given) in [(1, given), (2, None)] {
        store.execute((id, given.clone())).await.unwrap();
        assert_eq!(settings.one((id,)).await.unwrap(), Some((given,)));
    }
    let text: Option<(String,)> = session.query(&read, (1,)).one().await.unwrap();
    assert_eq!(text.unwrap().0, r#"{"theme":"dark","columns":[1,2]}"#);

    session.execute(&format!("INSERT INTO {table} (id, settings) VALUES (3, '{{}}')"), ()).await.unwrap();
    assert_eq!(
        settings.one((3,)).await.unwrap_err().to_string(),
        format!(
            "SELECT FROM {table} failed: the column settings of a row cannot be read: not valid JSON for Settings: \
             missing field `theme` at line 1 column 2"
        )
    );
    assert_eq!(
        session
            .prepare::<Select<(), (Json<Settings>,)>>(&format!("SELECT id FROM {table}"))
            .await
            .unwrap_err()
            .to_string(),
        format!("preparing SELECT FROM {table} failed: the column id is int, it cannot be read as Json<Settings>")
    );
}

#[tokio::test]
async fn a_row_is_an_object_that_keeps_every_digit() {
    let session = session().await;
    let columns = "id int PRIMARY KEY, a ascii, b bigint, c boolean, d date, e decimal, f double, g float, h inet, \
                   i list<int>, j map<int, text>, k set<varint>, l time, m timestamp, n timeuuid, o blob, q smallint, \
                   r tinyint, s frozen<tuple<int, text>>, t uuid, u varint, v text, w map<text, frozen<list<double>>>";
    let table = table(&session, columns).await;
    let names = "id, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, q, r, s, t, u, w";
    let values = "1, 'a\"', -9223372036854775808, true, '0001-02-03', 1.50E-30, 1.7976931348623157E308, NaN, '::1', \
                  [3, 1], {2: 'b', 1: 'a'}, {34028236692093846346337460743176821145}, '23:59:59.999999999', \
                  '2026-11-26 13:30:54.123+0000', c232ab00-9414-11ec-b3c8-9f6bdeced846, 0x00ff, -1, 127, \
                  (1, null), 00000000-0000-0000-0000-000000000007, -34028236692093846346337460743176821145, \
                  {'x': [0.1, -Infinity]}";
    session.execute(&format!("INSERT INTO {table} ({names}) VALUES ({values})"), ()).await.unwrap();
    let row: Option<Row> = session.query(&format!("SELECT {names}, v FROM {table}"), ()).one().await.unwrap();
    assert_eq!(
        serde_json::to_string(&row.unwrap()).unwrap(),
        r#"{"id":1,"a":"a\"","b":-9223372036854775808,"c":true,"d":"0001-02-03","e":"1.50E-30","#.to_owned()
            + r#""f":1.7976931348623157e+308,"g":"NaN","h":"::1","i":[3,1],"j":{"1":"a","2":"b"},"#
            + r#""k":["34028236692093846346337460743176821145"],"l":"23:59:59.999999999","m":"2026-11-26T13:30:54.123Z","#
            + r#""n":"c232ab00-9414-11ec-b3c8-9f6bdeced846","o":"0x00ff","q":-1,"r":127,"s":[1,null],"#
            + r#""t":"00000000-0000-0000-0000-000000000007","u":"-34028236692093846346337460743176821145","#
            + r#""w":{"x":[0.1,"-Infinity"]},"v":null}"#
    );
}

#[tokio::test]
async fn a_cursor_survives_json() {
    let session = session().await;
    let table = table(&session, "id int, n int, PRIMARY KEY (id, n)").await;
    let store: Write<(i32, i32)> =
        session.prepare(&format!("INSERT INTO {table} (id, n) VALUES (?, ?)")).await.unwrap();
    for n in 0..3 {
        store.execute((1, n)).await.unwrap();
    }
    let select: Select<(i32,), (i32,)> = session.prepare(&format!("SELECT n FROM {table} WHERE id = ?")).await.unwrap();
    let two = select.with_page_size(2.try_into().unwrap());
    let page = two.page((1,), None).await.unwrap();
    let json = serde_json::to_string(&page.next).unwrap();
    assert_eq!(json, format!("\"{}\"", page.cursor().unwrap()));
    let next: Option<PagingState> = serde_json::from_str(&json).unwrap();
    let rest = two.pages_from((1,), &next.unwrap()).try_next().await.unwrap();
    assert_eq!(rest.unwrap().rows, [(2,)]);
    assert_eq!(
        serde_json::from_str::<PagingState>("\"ff\"").unwrap_err().to_string(),
        "reading a paging state failed: its format version is not supported. Start over"
    );
}
