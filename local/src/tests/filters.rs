use super::client::{Client, ClientAnswer, RequestOptions, ResultSet};
use super::local;

/// 100 rows in one partition; `v` is 1 in every tenth of them.
async fn with_rows(keyspace: &str) -> Client {
    let mut client = Client::connect(local().await).await;
    client.keyspace(keyspace).await;
    client.table(keyspace, "t", "(a int, b int, c text, v int, PRIMARY KEY (a, b))").await;
    let insert = client.prepared(&format!("INSERT INTO {keyspace}.t (a, b, c, v) VALUES (1, ?, 'x', ?)")).await;
    for row in 0..100_i32 {
        let values = [row.to_be_bytes(), i32::from(row % 10 == 9).to_be_bytes()];
        let values = [&values[0][..], &values[1]];
        assert_eq!(
            client.execute(&insert, RequestOptions { values: &values, ..RequestOptions::default() }).await,
            ClientAnswer::Void
        );
    }
    client
}

fn counts(pages: &[ResultSet]) -> Vec<usize> {
    pages.iter().map(|page| page.values.len()).collect()
}

fn all(pages: &[ResultSet]) -> Vec<i32> {
    pages.iter().flat_map(|page| page.ints("b")).collect()
}

const EVERY_TENTH: [i32; 10] = [9, 19, 29, 39, 49, 59, 69, 79, 89, 99];

#[tokio::test]
async fn page_size_counts_rows_read_not_rows_matched() {
    let mut client = with_rows("filters").await;
    let page_size = Some(5);
    for select in [
        "SELECT b FROM filters.t WHERE a = 1 AND v = 1 ALLOW FILTERING",
        "SELECT b FROM filters.t WHERE v = 1 ALLOW FILTERING",
    ] {
        let pages = client.pages(Ok(select), RequestOptions { page_size, ..RequestOptions::default() }).await;
        assert_eq!(all(&pages), EVERY_TENTH, "{select}");
        assert_eq!(counts(&pages)[..6], [0, 1, 0, 1, 0, 1], "{select}");
        let columns = (vec!["b".to_owned()], ("filters".to_owned(), "t".to_owned()));
        assert!(pages.iter().all(|page| (&page.columns, &page.table) == (&columns.0, &columns.1)));
    }
    let wide = client.pages(Ok("SELECT b FROM filters.t WHERE v = 1 ALLOW FILTERING"), RequestOptions::default()).await;
    assert_eq!((all(&wide), wide.len()), (EVERY_TENTH.to_vec(), 1));
}

#[tokio::test]
async fn pages_without_matching_rows_are_empty() {
    let mut client = with_rows("filters_empty").await;
    let select = "SELECT JSON b FROM filters_empty.t WHERE a = 1 AND v = 7 ALLOW FILTERING";
    let pages = client.pages(Ok(select), RequestOptions { page_size: Some(30), ..RequestOptions::default() }).await;
    assert_eq!(counts(&pages), [0, 0, 0, 0]);
    assert!(pages.iter().all(|page| page.columns == ["[json]"]));
    let id = client.prepared("SELECT * FROM filters_empty.t WHERE v = ? ALLOW FILTERING").await;
    let values: [&[u8]; 1] = [&7_i32.to_be_bytes()];
    let with =
        RequestOptions { page_size: Some(60), values: &values, skip_metadata: true, ..RequestOptions::default() };
    let pages = client.pages(Err(&id), with).await;
    assert_eq!(counts(&pages), [0, 0]);
    assert!(pages.iter().all(|page| page.columns.is_empty()));
}

#[tokio::test]
async fn a_limit_counts_the_matching_rows_across_pages() {
    let mut client = with_rows("filters_limit").await;
    let select = "SELECT b FROM filters_limit.t WHERE a = 1 AND v = 1 LIMIT 3 ALLOW FILTERING";
    let pages = client.pages(Ok(select), RequestOptions { page_size: Some(25), ..RequestOptions::default() }).await;
    assert_eq!((counts(&pages), all(&pages)), (vec![2, 1], vec![9, 19, 29]));
    let select = "SELECT b FROM filters_limit.t WHERE v = :v AND a = :a LIMIT :most ALLOW FILTERING";
    let values: [&[u8]; 3] = [&1_i32.to_be_bytes(), &1_i32.to_be_bytes(), &4_i32.to_be_bytes()];
    let with = RequestOptions {
        values: &values,
        names: &["a", "v", "most"],
        page_size: Some(15),
        ..RequestOptions::default()
    };
    let pages = client.pages(Ok(select), with).await;
    assert_eq!((counts(&pages), all(&pages)), (vec![1, 2, 1], vec![9, 19, 29, 39]));
}

#[tokio::test]
async fn relations_that_select_the_rows_are_not_filters() {
    let mut client = with_rows("filters_range").await;
    let id = client
        .prepared(
            "SELECT b FROM filters_range.t WHERE v = ? AND a = ? AND b >= ? AND b < ? ORDER BY b DESC ALLOW FILTERING",
        )
        .await;
    let values = [1_i32, 1, 30, 70].map(i32::to_be_bytes);
    let values: Vec<&[u8]> = values.iter().map(|value| &value[..]).collect();
    let pages = client
        .pages(Err(&id), RequestOptions { values: &values, page_size: Some(10), ..RequestOptions::default() })
        .await;
    assert_eq!((counts(&pages), all(&pages)), (vec![1, 1, 1, 1, 0], vec![69, 59, 49, 39]));
    let all_of_them = "SELECT b FROM filters_range.t WHERE a = 1 AND b < 20 ALLOW FILTERING";
    let pages =
        client.pages(Ok(all_of_them), RequestOptions { page_size: Some(15), ..RequestOptions::default() }).await;
    assert_eq!(counts(&pages), [15, 5]);
    let by_clustering = "SELECT b FROM filters_range.t WHERE b = 42 ALLOW FILTERING";
    let pages =
        client.pages(Ok(by_clustering), RequestOptions { page_size: Some(40), ..RequestOptions::default() }).await;
    assert_eq!(counts(&pages), [0, 1, 0]);
}

#[tokio::test]
async fn refusals_of_cassandra_keep_its_text() {
    let mut client = with_rows("filters_refused").await;
    let (code, text) = client.query("SELECT * FROM filters_refused.t WHERE nosuch = 1 ALLOW FILTERING").await.refused();
    assert_eq!((code, text.as_str()), (0x2200, "Undefined column name nosuch in table filters_refused.t"));
}

/// If no row matches, only a refusal shows that the value is invalid.
#[tokio::test]
async fn values_that_cassandra_refuses_are_refused_even_if_no_row_matches() {
    let mut client = with_rows("filters_values").await;
    let select = client.prepared("SELECT * FROM filters_values.t WHERE a = 1 AND v = ? LIMIT ? ALLOW FILTERING").await;
    let none: [u8; 4] = 7_i32.to_be_bytes();
    for (values, refusal) in [
        (&[&none[..], &0_i32.to_be_bytes()][..], "LIMIT must be strictly positive"),
        (&[&none, &[1, 2]], "Expected 4 or 0 byte int (2)"),
        (&[&none], "there were 2 markers(?) in CQL but 1 bound variables"),
        (&[&none, &none, &none], "there were 2 markers(?) in CQL but 3 bound variables"),
    ] {
        let (code, text) =
            client.execute(&select, RequestOptions { values, ..RequestOptions::default() }).await.refused();
        assert_eq!((code, text.as_str()), (0x2200, refusal));
    }
}

#[tokio::test]
async fn functions_that_cassandra_renames_can_be_selected_with_a_filter() {
    let mut client = Client::connect(local().await).await;
    client.keyspace("filters_names").await;
    client.table("filters_names", "t", "(a int, b timeuuid, v int, PRIMARY KEY (a, b))").await;
    assert_eq!(client.query("INSERT INTO filters_names.t (a, b, v) VALUES (1, now(), 1)").await, ClientAnswer::Void);
    for (v, count) in [(1, 1), (2, 0)] {
        let select = format!("SELECT dateOf(b) FROM filters_names.t WHERE v = {v} ALLOW FILTERING");
        let rows = client.rows(&select).await;
        assert_eq!((rows.columns, rows.values.len()), (vec!["system.dateof(b)".to_owned()], count));
    }
}
