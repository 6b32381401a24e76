use proptest::prelude::*;

use super::client::{Client, ClientAnswer, RequestOptions, ResultSet};
use super::{PROTOCOL_ERROR, another, local};

/// The service's 1 MB, and a part of it.
const PAGE: usize = 1 << 20;
const PART: usize = 256 << 10;

/// Writes rows of these sizes into the partition, from 0 on.
async fn fill(client: &mut Client, keyspace: &str, partition: i32, sizes: impl IntoIterator<Item = usize>) {
    let insert = client.prepared(&format!("INSERT INTO {keyspace}.t (a, b, c) VALUES (?, ?, ?)")).await;
    for (row, size) in sizes.into_iter().enumerate() {
        let values = [&partition.to_be_bytes()[..], &(row as i32).to_be_bytes(), &vec![b'x'; size]];
        assert_eq!(
            client.execute(&insert, RequestOptions { values: &values, ..RequestOptions::default() }).await,
            ClientAnswer::Void
        );
    }
}

async fn with_table(keyspace: &str) -> Client {
    let mut client = Client::connect(local().await).await;
    client.keyspace(keyspace).await;
    client.table(keyspace, "t", "(a int, b int, c text, PRIMARY KEY (a, b))").await;
    client
}

fn all(pages: &[ResultSet], column: &str) -> Vec<i32> {
    pages.iter().flat_map(|page| page.ints(column)).collect()
}

#[tokio::test]
async fn a_page_ends_at_1_mb_whatever_the_page_size() {
    let mut client = with_table("paging_size").await;
    fill(&mut client, "paging_size", 1, [10_000; 300]).await;
    let select = "SELECT * FROM paging_size.t WHERE a = 1";
    for page_size in [None, Some(5000), Some(0), Some(-1)] {
        let pages = client.pages(Ok(select), RequestOptions { page_size, ..RequestOptions::default() }).await;
        assert_eq!(all(&pages, "b"), (0..300).collect::<Vec<_>>(), "{page_size:?}");
        for page in &pages[..pages.len() - 1] {
            assert!((PAGE..=PAGE + PART).contains(&page.bytes()), "{}", page.bytes());
        }
        assert_eq!(pages.len(), 3);
    }
    let id = client.prepared(select).await;
    let pages = client.pages(Err(&id), RequestOptions { page_size: Some(50), ..RequestOptions::default() }).await;
    assert!(pages.iter().all(|page| page.values.len() <= 50));
    assert_eq!(all(&pages, "b"), (0..300).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_limit_counts_across_pages() {
    let mut client = with_table("paging_limit").await;
    fill(&mut client, "paging_limit", 1, [10; 100]).await;
    let pages = |rows: &[ResultSet]| rows.iter().map(|page| page.values.len()).collect::<Vec<_>>();
    let literal = "SELECT b FROM paging_limit.t WHERE a = 1 LIMIT 70";
    let read = client.pages(Ok(literal), RequestOptions { page_size: Some(30), ..RequestOptions::default() }).await;
    assert_eq!((pages(&read), all(&read, "b")), (vec![30, 30, 10], (0..70).collect()));
    let id = client.prepared("SELECT b FROM paging_limit.t WHERE a = ? LIMIT ?").await;
    let values: [&[u8]; 2] = [&1_i32.to_be_bytes(), &60_i32.to_be_bytes()];
    let read = client
        .pages(Err(&id), RequestOptions { page_size: Some(30), values: &values, ..RequestOptions::default() })
        .await;
    assert_eq!(pages(&read), [30, 30]);
}

/// With LIMIT 10 and a page size of 5,000 Cassandra gets the first rows in two pages, and ignores the paging state of a
/// SELECT whose LIMIT fits into one.
#[tokio::test]
async fn limit_returns_each_row_once_at_any_page_size() {
    let mut client = with_table("paging_limits").await;
    fill(&mut client, "paging_limits", 1, [10; 15]).await;
    fill(&mut client, "paging_limits", 2, [100_000; 15]).await;
    let select = client.prepared("SELECT b FROM paging_limits.t WHERE a = ? LIMIT ?").await;
    for (partition, limit) in (1..3).flat_map(|partition| (1..=20).map(move |limit| (partition, limit))) {
        for page_size in [None, Some(1), Some(3), Some(9), Some(10), Some(11), Some(5000)] {
            let values: [&[u8]; 2] = [&i32::to_be_bytes(partition), &i32::to_be_bytes(limit)];
            let with = RequestOptions { page_size, values: &values, ..RequestOptions::default() };
            let pages = client.pages(Err(&select), with).await;
            assert_eq!(
                all(&pages, "b"),
                (0..limit.min(15)).collect::<Vec<_>>(),
                "LIMIT {limit}, pages of {page_size:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_paging_state_works_on_any_connection_and_after_a_restart() {
    let mut client = with_table("paging_state").await;
    fill(&mut client, "paging_state", 1, [50_000; 60]).await;
    let select = "SELECT b FROM paging_state.t WHERE a = 1";
    let first = client.query_with(select, RequestOptions { page_size: Some(20), ..RequestOptions::default() }).await;
    let ClientAnswer::Rows(first) = first else { panic!("{first:?}") };
    let with = RequestOptions {
        page_size: Some(100),
        paging_state: first.paging_state.as_deref(),
        ..RequestOptions::default()
    };
    let mut other = Client::connect(local().await).await;
    let ClientAnswer::Rows(second) = other.query_with(select, with).await else { panic!() };
    assert_eq!(second.ints("b"), (20..60).collect::<Vec<_>>());

    // A shared Cassandra keeps the tables of a named instance, also those of an earlier run.
    let instance = format!("paging {:?}", std::time::SystemTime::now());
    let service = another().await.instance(&instance).start().await.unwrap();
    let mut client = Client::connect(&service).await;
    client.keyspace("paging_kept").await;
    client.table("paging_kept", "t", "(a int, b int, c text, PRIMARY KEY (a, b))").await;
    fill(&mut client, "paging_kept", 1, [10; 30]).await;
    let select = "SELECT b FROM paging_kept.t";
    let first = client.query_with(select, RequestOptions { page_size: Some(7), ..RequestOptions::default() }).await;
    let ClientAnswer::Rows(first) = first else { panic!("{first:?}") };
    service.close().await.unwrap();
    let service = another().await.instance(&instance).start().await.unwrap();
    let mut client = Client::connect(&service).await;
    let with = RequestOptions {
        page_size: Some(100),
        paging_state: first.paging_state.as_deref(),
        ..RequestOptions::default()
    };
    let ClientAnswer::Rows(rest) = client.query_with(select, with).await else { panic!() };
    assert_eq!(rest.ints("b"), (7..30).collect::<Vec<_>>());
    assert!(matches!(client.query("DROP KEYSPACE paging_kept").await, ClientAnswer::Changed(_)));
}

#[tokio::test]
async fn an_invalid_paging_state_is_refused_with_cassandras_text() {
    let mut client = with_table("paging_refused").await;
    for state in [&b"x"[..], b"", b"KLP1\0\0\0\0\0\0\0\0", b"KLP1\0\0\0\0\0\0\0\0\xff\xff\xff\xff"] {
        let with = RequestOptions { paging_state: Some(state), page_size: Some(10), ..RequestOptions::default() };
        let (code, text) = client.query_with("SELECT * FROM paging_refused.t", with).await.refused();
        assert_eq!((code, text.as_str()), (PROTOCOL_ERROR, "Invalid value for the paging state"), "{state:?}");
    }
}

#[tokio::test]
async fn skip_metadata_applies_to_every_page() {
    let mut client = with_table("paging_metadata").await;
    fill(&mut client, "paging_metadata", 1, [10; 50]).await;
    let id = client.prepared("SELECT b FROM paging_metadata.t WHERE a = 1").await;
    let with = RequestOptions { skip_metadata: true, page_size: Some(40), ..RequestOptions::default() };
    let without_metadata = client.pages(Err(&id), with).await;
    assert_eq!(without_metadata.iter().map(|page| page.values.len()).collect::<Vec<_>>(), [40, 10]);
    assert!(without_metadata.iter().all(|page| page.columns.is_empty()));
    let full = client.pages(Err(&id), RequestOptions { skip_metadata: false, ..with }).await;
    assert!(full.iter().all(|page| page.columns == ["b"] && page.table.0 == "paging_metadata"));
}

#[tokio::test]
async fn values_may_be_given_by_name() {
    let mut client = with_table("paging_names").await;
    fill(&mut client, "paging_names", 7, [10; 20]).await;
    let values: [&[u8]; 2] = [&15_i32.to_be_bytes(), &7_i32.to_be_bytes()];
    let with =
        RequestOptions { values: &values, names: &["below", "a"], page_size: Some(6), ..RequestOptions::default() };
    let pages = client.pages(Ok("SELECT b FROM paging_names.t WHERE a = :a AND b < :below"), with).await;
    assert_eq!(all(&pages, "b"), (0..15).collect::<Vec<_>>());
    assert_eq!(pages.len(), 3);
}

#[tokio::test]
async fn full_table_scan_pages_across_partitions() {
    let mut client = with_table("paging_table").await;
    for partition in 0..20 {
        fill(&mut client, "paging_table", partition, [20_000; 8]).await;
    }
    let pages = client.pages(Ok("SELECT * FROM paging_table.t"), RequestOptions::default()).await;
    let mut rows: Vec<_> = all(&pages, "a").into_iter().zip(all(&pages, "b")).collect();
    assert_eq!((rows.len(), pages.len()), (160, 4));
    rows.sort_unstable();
    rows.dedup();
    assert_eq!(rows.len(), 160);
}

#[tokio::test]
async fn order_by_with_several_partitions_is_not_emulated() {
    let mut client = with_table("paging_order").await;
    let (code, text) = client.query("SELECT * FROM paging_order.t WHERE a IN (1, 2) ORDER BY b DESC").await.refused();
    assert_eq!(code, super::INVALID);
    assert_eq!(text, "keyspaces-local: not emulated: ORDER BY with IN on the partition key");
}

/// 300 rows of 900 kB are as much as the whole heap of the backing Cassandra.
#[tokio::test]
async fn cassandra_survives_large_rows() {
    let mut client = with_table("paging_large").await;
    let behind_small_ones = std::iter::repeat_n(10, 100).chain(std::iter::repeat_n(900_000, 300));
    fill(&mut client, "paging_large", 1, behind_small_ones).await;
    fill(&mut client, "paging_large", 2, [900_000; 8]).await;
    let reader = async |partition: i32, rows: i32| {
        let select = format!("SELECT * FROM paging_large.t WHERE a = {partition}");
        let mut client = Client::connect(local().await).await;
        let (mut read, mut state) = (Vec::new(), None::<bytes::Bytes>);
        loop {
            let with =
                RequestOptions { page_size: Some(5000), paging_state: state.as_deref(), ..RequestOptions::default() };
            let answer = client.query_with(&select, with).await;
            let ClientAnswer::Rows(page) = answer else { panic!("{answer:?}") };
            assert!(page.bytes() <= PAGE + 900_100);
            read.extend(page.ints("b"));
            state = page.paging_state;
            if state.is_none() {
                break;
            }
        }
        assert_eq!(read, (0..rows).collect::<Vec<_>>());
    };
    let (one, two) = (|| reader(1, 400), || reader(2, 8));
    tokio::join!(one(), one(), two(), two(), two(), two(), two(), two(), two(), two(), two(), two(), two(), two());
}

#[tokio::test]
async fn clients_that_do_not_read_their_answers_do_not_block_others() {
    const REQUESTS: i16 = 24;
    let mut client = with_table("paging_slow").await;
    fill(&mut client, "paging_slow", 1, [900_000; 20]).await;
    let select = "SELECT * FROM paging_slow.t WHERE a = 1";
    let mut slow = Vec::new();
    for _ in 0..4 {
        let mut client = Client::connect(local().await).await;
        client.send_queries(select, REQUESTS).await;
        slow.push(client);
    }
    let pages = client.pages(Ok(select), RequestOptions::default()).await;
    assert_eq!(all(&pages, "b"), (0..20).collect::<Vec<_>>());
    // Once the clients read, they get all answers.
    for mut client in slow {
        for _ in 0..REQUESTS {
            let ClientAnswer::Rows(page) = ClientAnswer::read(&client.receive().await.expect("an answer")) else {
                panic!()
            };
            assert_eq!(page.ints("b"), pages[0].ints("b"));
        }
    }
}

#[tokio::test]
async fn if_the_data_ends_with_a_full_page_an_empty_one_follows() {
    let mut client = with_table("paging_end").await;
    fill(&mut client, "paging_end", 1, [10; 100]).await;
    for (page_size, expected) in [(50, &[50, 50, 0][..]), (99, &[99, 1]), (100, &[100, 0]), (101, &[100])] {
        let with = RequestOptions { page_size: Some(page_size), ..RequestOptions::default() };
        let pages = client.pages(Ok("SELECT b FROM paging_end.t WHERE a = 1"), with).await;
        assert_eq!(pages.iter().map(|page| page.values.len()).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn any_page_size_returns_every_row_once_in_order() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut client = runtime.block_on(with_table("paging_any"));
    let select = runtime.block_on(client.prepared("SELECT * FROM paging_any.t WHERE a = ?"));
    let size = prop_oneof![6 => 0..200_usize, 3 => 1_000..60_000_usize, 1 => 200_000..900_000_usize];
    let rows = (proptest::collection::vec(size, 1..60), proptest::option::of(1..70_i32));
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig { cases: 16, ..ProptestConfig::default() });
    let (client, partition) = (std::cell::RefCell::new(client), std::cell::Cell::new(0));
    let holds = runner.run(&rows, |(sizes, page_size)| {
        partition.set(partition.get() + 1);
        let mut client = client.borrow_mut();
        let pages = runtime.block_on(async {
            fill(&mut client, "paging_any", partition.get(), sizes.iter().copied()).await;
            let values: [&[u8]; 1] = [&partition.get().to_be_bytes()];
            client.pages(Err(&select), RequestOptions { page_size, values: &values, ..RequestOptions::default() }).await
        });
        let largest = sizes.iter().max().unwrap() + 100;
        prop_assert_eq!(all(&pages, "b"), (0..sizes.len() as i32).collect::<Vec<_>>());
        let read = pages.iter().flat_map(|page| (0..page.values.len()).map(|row| page.text(row, "c").len()));
        prop_assert_eq!(read.collect::<Vec<_>>(), sizes);
        for page in &pages {
            prop_assert!(page.bytes() <= PAGE + PART.max(largest));
            prop_assert!(page_size.is_none_or(|size| page.values.len() <= size as usize));
            let full = page.bytes() >= PAGE || page_size.is_some_and(|size| page.values.len() == size as usize);
            prop_assert!(full || page.paging_state.is_none());
        }
        Ok(())
    });
    holds.unwrap();
}
