//! Pages that are not decoded and lend their rows.

use keyspaces::{Row, Select, Write};

use crate::server::{session, table};

#[tokio::test]
async fn raw_page_rows_borrow_texts_and_blobs_from_the_page() {
    let session = session().await;
    let table = table(&session, "id int, n int, name text, photo blob, PRIMARY KEY (id, n)").await;
    let store: Write<(i32, i32, String, Vec<u8>)> =
        session.prepare(&format!("INSERT INTO {table} (id, n, name, photo) VALUES (?, ?, ?, ?)")).await.unwrap();
    for n in 0..5_u8 {
        store.execute((1, n.into(), format!("name {n}"), vec![n; 3])).await.unwrap();
    }
    let select: Select<(i32,)> =
        session.prepare(&format!("SELECT n, name, photo FROM {table} WHERE id = ?")).await.unwrap();
    let select = select.with_page_size(2.try_into().unwrap());
    let (mut pages, mut cursors, mut read) = (select.raw_pages((1,), None), Vec::new(), 0);
    while let Some(page) = pages.try_next().await.unwrap() {
        let rows: Vec<_> = page.rows::<(i32, &str, &[u8])>().unwrap().collect::<Result<_, keyspaces::Error>>().unwrap();
        assert_eq!(rows.len(), page.row_count());
        for (n, name, photo) in rows {
            assert_eq!((name, photo), (format!("name {n}").as_str(), [n.try_into().unwrap(); 3].as_slice()));
            read += 1;
        }
        cursors.push(page.next.clone());
    }
    assert_eq!(read, 5);
    let rest = select.raw_pages((1,), cursors[1].as_ref()).try_next().await.unwrap().unwrap();
    let last: Vec<_> = rest.rows::<(i32, &str, &[u8])>().unwrap().map(|row| row.unwrap().0).collect();
    assert_eq!(last, [4]);

    let error = rest.rows::<(i32, &str, &str)>().map(|_| ()).unwrap_err();
    let problem = "the column photo is blob, it cannot be read as &str";
    assert_eq!(error.to_string(), format!("SELECT FROM {table} failed: {problem}"));
    session.execute(&format!("INSERT INTO {table} (id, n) VALUES (2, 0)"), ()).await.unwrap();
    let page = select.raw_pages((2,), None).try_next().await.unwrap().unwrap();
    let error = page.rows::<(i32, &str, &[u8])>().unwrap().next().unwrap().unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "SELECT FROM {table} failed: the column name (text) is null in a row, and &str cannot hold null: read it as \
             Option<&str>. A partition of which only static columns are written gives one row, in which every other column \
             but the partition key is null"
        )
    );
    let other: Select<(i32,), Row> = session.prepare(&format!("SELECT name FROM {table} WHERE id = ?")).await.unwrap();
    let error = other.raw_pages((1,), cursors[0].as_ref()).try_next().await.unwrap_err();
    assert_eq!(error.kind(), keyspaces::ErrorKind::Cursor);
    assert!(select.raw_pages((3,), None).try_next().await.unwrap().is_none());
}
