use std::io::Write;
use std::num::{NonZeroU8, NonZeroU32, NonZeroUsize};

use keyspaces::bulk::{Compression, Csv, Input, JsonLines, Nulls, Rate};
use keyspaces_local::journal::Received;

use super::{Folder, read, rows, split_name};
use crate::server;

#[tokio::test]
async fn files_load_compressed_or_not_as_either_csv_dialect_or_json() {
    let session = server::session().await;
    let folder = Folder::new();
    let expected = [
        r#"{"id": Some(Int(1)), "name": Some(Text("Ada, \"x\"")), "note": Some(Text("")), "tags": Some(Set([Text("a"), Text("b")]))}"#,
        r#"{"id": Some(Int(2)), "name": None, "note": None, "tags": None}"#,
    ];
    let csv = "id,name,note,tags\r\n1,\"Ada, \"\"x\"\"\",\"\",\"[\"\"b\"\", \"\"a\"\"]\"\r\n\n2,,,\r\n";
    let cqlsh = "1,\"Ada, \\\"x\\\"\",\"\",\"{'b', 'a'}\"\n2,,,\n";
    let json = "{\"id\": 1, \"name\": \"Ada, \\\"x\\\"\", \"note\": \"\", \"tags\": [\"b\", \"a\"]}\n{\"id\": \"2\", \"name\": null}\n";
    let columns = ["id", "name", "note", "tags"];
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(csv.as_bytes()).unwrap();
    let gz = folder.write("rows.csv.gz", gzip.finish().unwrap());
    let zst = folder.write("rows.jsonl.zst", zstd::encode_all(json.as_bytes(), 1).unwrap());
    for (input, format) in [
        (Input::file(folder.write("rows.csv", csv)), Csv::new().into()),
        (Input::file(folder.write("rows.cqlsh", cqlsh)), Csv::cqlsh().columns(columns).into()),
        (Input::file(gz), keyspaces::bulk::Format::from(Csv::new())),
        (Input::file(zst), JsonLines::new().into()),
        (Input::reader("a reader", std::io::Cursor::new(csv)).compression(Compression::None), Csv::new().into()),
    ] {
        let description = format!("{input:?}");
        let table = server::table(&session, "id int PRIMARY KEY, name text, note text, tags set<text>").await;
        let (keyspace, name) = split_name(&table);
        let summary = session.bulk().load(keyspace, name, input, format).await.unwrap();
        assert_eq!((summary.rows, summary.rejected, summary.is_complete), (2, 0, true), "{description}");
        assert_eq!(rows(&session, &table).await, expected, "{description}");
    }
}

#[tokio::test]
async fn loaded_null_leaves_the_column_unset_unless_nulls_are_written() {
    let session = server::session().await;
    let table = server::table(&session, "id int PRIMARY KEY, a text, b text").await;
    let (keyspace, name) = split_name(&table);
    let load =
        |text: &'static str| session.bulk().load(keyspace, name, Input::reader("text", text.as_bytes()), Csv::new());
    load("id,a,b\n1,x,y\n").await.unwrap();
    load("id,a,b\n1,,z\n").await.unwrap();
    assert_eq!(rows(&session, &table).await, [r#"{"id": Some(Int(1)), "a": Some(Text("x")), "b": Some(Text("z"))}"#]);
    load("b,id,a\n\"\",1,\n").nulls(Nulls::Null).await.unwrap();
    assert_eq!(rows(&session, &table).await, [r#"{"id": Some(Int(1)), "a": None, "b": Some(Text(""))}"#]);
}

#[tokio::test]
async fn load_takes_ttl_and_timestamp_from_columns() {
    let session = server::session().await;
    let options =
        "WITH CUSTOM_PROPERTIES = {'ttl': {'status': 'enabled'}, 'client_side_timestamps': {'status': 'enabled'}}";
    let options = if server::is_keyspaces() { options } else { "" };
    let table = server::table_with(&session, "id int PRIMARY KEY, a text", options).await;
    let (keyspace, name) = split_name(&table);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_micros();
    let text = format!("lives,id,written,a\n1000,1,{now},x\n,2,{now},y\n");
    let load = session.bulk().load(keyspace, name, Input::reader("text", std::io::Cursor::new(text)), Csv::new());
    load.ttl_column("lives").write_time_column("written").await.unwrap();
    let select = format!("SELECT id, ttl(a), writetime(a) FROM {table}");
    let found = session.rows::<(i32, Option<i32>, i64)>(&select, ());
    let mut found: Vec<_> = found.try_collect().await.unwrap();
    found.sort_unstable();
    assert!((900..=1_000).contains(&found[0].1.unwrap()) && found[1].1.is_none(), "{found:?}");
    assert!(found.iter().all(|(.., at)| u128::try_from(*at).unwrap() == now), "{found:?}");
}

#[tokio::test]
async fn corrected_rejected_rows_can_be_loaded() {
    let session = server::session().await;
    let folder = Folder::new();
    let table = server::table(&session, "id int PRIMARY KEY, price decimal").await;
    let (keyspace, name) = split_name(&table);
    let input = folder.write("sales.csv", "id,price\n1,1.50\n2,abc\n3\nx,\n5,5\n");
    let rejected = folder.path("rejected.csv");
    let load = session.bulk().load(keyspace, name, Input::file(&input), Csv::new()).rejected_file(&rejected);
    let summary = load.await.unwrap();
    assert_eq!((summary.rows, summary.rejected), (2, 3));
    let input = input.display();
    let first = format!("{input}, line 3: the column price (decimal): \"abc\" is not a valid decimal");
    assert_eq!(summary.first_rejection, Some(first));
    assert_eq!(
        read(&rejected),
        format!(
            "id,price\n\
             #!keyspaces {{\"file\":\"{input}\",\"line\":3,\"column\":\"price\",\"type\":\"decimal\",\"reason\":\"\\\"abc\\\" is \
             not a valid decimal\"}}\n2,abc\n\
             #!keyspaces {{\"file\":\"{input}\",\"line\":4,\"reason\":\"has 1 field, 2 columns are expected\"}}\n3\n\
             #!keyspaces {{\"file\":\"{input}\",\"line\":5,\"column\":\"id\",\"type\":\"int\",\"reason\":\"\\\"x\\\" is not \
             a valid int\"}}\nx,\n"
        )
    );
    let corrected = folder
        .write("mended.csv", read(&rejected).replace("abc", "2.5").replace("\n3\n", "\n3,\n").replace("\nx,", "\n4,"));
    let summary = session.bulk().load(keyspace, name, Input::file(corrected), Csv::new()).await.unwrap();
    assert_eq!((summary.rows, summary.rejected), (3, 0));
    assert_eq!(rows(&session, &table).await.len(), 5);
    let again = session.bulk().load(keyspace, name, Input::file(folder.path("sales.csv")), Csv::new());
    let message = again.rejected_file(&rejected).await.unwrap_err().to_string();
    let expected = format!(
        "writing rejected rows to {} failed: the file exists and has rows of another operation. Load its rows, or move it away",
        rejected.display()
    );
    assert_eq!(message, expected);
}

#[tokio::test]
async fn dry_run_measures_the_load_and_sends_nothing() {
    let session = server::session().await;
    let table = server::table(&session, "id int PRIMARY KEY, data blob").await;
    let (keyspace, name) = split_name(&table);
    let two_kilobytes = "ca".repeat(2_000);
    let text = format!("{{\"id\": 1, \"data\": \"0x{two_kilobytes}\"}}\n{{\"id\": 2}}\n{{\"id\": null}}\n");
    let bytes = text.len() as u64;
    let input = Input::reader("text", std::io::Cursor::new(text));
    let load = session.bulk().load(keyspace, name, input, JsonLines::new()).dry_run();
    let progress = load.progress();
    let summary = load.await.unwrap();
    assert_eq!((summary.rows, summary.rejected, summary.units), (2, 1, 3.0));
    let rejected = "{\"id\": null}".len() as u64;
    assert_eq!(summary.bytes, bytes - rejected - 3);
    assert_eq!(
        summary.first_rejection.as_deref(),
        Some("text, line 3: the column id (int): is null, but belongs to the primary key")
    );
    assert_eq!(progress.borrow().rows, 2);
    assert!(rows(&session, &table).await.is_empty());
}

#[tokio::test]
async fn load_rows_loads_a_stream() {
    let session = server::session().await;
    let table = server::table(&session, "id int PRIMARY KEY, square bigint").await;
    let (keyspace, name) = split_name(&table);
    let rows = || futures::stream::iter((0..1_000_i32).map(|id| (i64::from(id) * i64::from(id), id)));
    let load = session.bulk().load_rows(keyspace, name, rows()).columns(["square", "id"]);
    assert_eq!(load.await.unwrap().rows, 1_000);
    assert_eq!(rows_of(&session, &table, "id = 30").await, [r#"{"id": Some(Int(30)), "square": Some(BigInt(900))}"#]);
    let load = session.bulk().load_rows(keyspace, name, rows()).columns(["id", "square"]);
    let error = load.await.unwrap_err();
    assert_eq!(error.kind(), keyspaces::ErrorKind::Type, "{error}");
    let error = session.bulk().load_rows(keyspace, name, rows()).checkpoint("state").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "loading {table} failed: a stream of rows cannot be resumed from a checkpoint. Leave out the checkpoint, or load files"
        )
    );
}

async fn rows_of(session: &keyspaces::Session, table: &str, filter: &str) -> Vec<String> {
    let select = format!("SELECT * FROM {table} WHERE {filter}");
    let rows: Vec<keyspaces::Row> = session.rows::<keyspaces::Row>(&select, ()).try_collect().await.unwrap();
    rows.iter().map(|row| format!("{row:?}")).collect()
}

#[tokio::test]
async fn load_stays_within_its_rate() {
    if server::local().await.is_none() {
        return;
    }
    let session = server::session().await;
    let options = "WITH CUSTOM_PROPERTIES = {'capacity_mode': {'throughput_mode': 'PROVISIONED', 'read_capacity_units': 1000, \
                   'write_capacity_units': 1000}}";
    let table = server::table_with(&session, "id int PRIMARY KEY", options).await;
    let (keyspace, name) = split_name(&table);
    let text: String = std::iter::once("id\n".to_owned()).chain((0..300).map(|id| format!("{id}\n"))).collect();
    let input = |text: &str| Input::reader("text", std::io::Cursor::new(text.to_owned()));
    let ten = Rate::PercentOfProvisioned(NonZeroU8::new(10).unwrap());
    let load = session.bulk().load(keyspace, name, input(&text), Csv::new()).rate(ten).shuffle(NonZeroUsize::MIN);
    let progress = load.progress();
    let summary = load.await.unwrap();
    assert_eq!((summary.rows, summary.units, progress.borrow().limit), (300, 300.0, Some(100)));
    // The units of the first second are used at once, then 100 each second.
    assert!(summary.elapsed.as_secs_f64() > 1.9, "{:?}", summary.elapsed);
    let on_demand = server::table(&session, "id int PRIMARY KEY").await;
    let (keyspace, name) = split_name(&on_demand);
    let error = session.bulk().load(keyspace, name, input(&text), Csv::new()).rate(ten).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "loading {on_demand} failed: the rate is 10 % of the provisioned capacity, and {on_demand} is on demand. Set the rate \
             in units a second"
        )
    );
    let units = Rate::Units(NonZeroU32::new(5_000).unwrap());
    let summary = session.bulk().load(keyspace, name, input(&text), Csv::new()).rate(units).await.unwrap();
    assert_eq!(summary.rows, 300);
}

/// A small file has been read long before its rows are acknowledged.
#[tokio::test]
async fn load_progress_counts_acknowledged_rather_than_read_rows() {
    let session = server::session().await;
    let folder = Folder::new();
    let table = server::table(&session, "id int PRIMARY KEY").await;
    let (keyspace, name) = split_name(&table);
    let ids: String = (0..200).map(|id| format!("{id}\n")).collect();
    let input = Input::file(folder.write("ids.csv", ids));
    let load = session.bulk().load(keyspace, name, input, Csv::new().columns(["id"]));
    let load = load.rate(Rate::Units(NonZeroU32::new(50).unwrap()));
    let mut progress = load.progress();
    let loading = tokio::spawn(load.into_future());
    let halfway = *progress.wait_for(|progress| (1..200).contains(&progress.rows)).await.unwrap();
    assert_eq!(halfway.fraction, Some(f64::from(u32::try_from(halfway.rows).unwrap()) / 200.0), "{halfway:?}");
    assert_eq!(loading.await.unwrap().unwrap().rows, 200);
    assert_eq!(progress.borrow().fraction, Some(1.0));
}

#[tokio::test]
async fn load_batches_the_rows_of_a_partition_on_request() {
    let session = server::session().await;
    let table = server::table(&session, "sensor int, n int, v text, s text static, PRIMARY KEY (sensor, n)").await;
    let (keyspace, name) = split_name(&table);
    let text: String = (0..300).map(|n| format!("v {n},{n},{}\n", n / 100)).collect();
    let load = |text: String| {
        let input = Input::reader("text", std::io::Cursor::new(format!("v,n,sensor\n{text}")));
        session.bulk().load(keyspace, name, input, Csv::new()).batches_by_partition()
    };
    let summary = load(text).await.unwrap();
    assert_eq!((summary.rows, summary.units, summary.is_complete), (300, 300.0, true));
    assert_eq!(session.bulk().count(keyspace, name).await.unwrap().rows, 300);
    if let Some(local) = server::local().await {
        // There are three partitions of a hundred rows. A batch also ends where a chunk of rows ends.
        let of_table = |request: &Received| request.batched.iter().any(|text| text.contains(name));
        let sizes: Vec<_> = local.journal().filter(of_table).iter().map(|request| request.batched.len()).collect();
        assert!(sizes.iter().all(|size| (2..=30).contains(size)) && sizes.contains(&30), "{sizes:?}");
    }
    let counters = server::table(&session, "id int PRIMARY KEY, n counter").await;
    let (keyspace, name) = split_name(&counters);
    let input = Input::reader("text", &b"id,n\n1,1\n"[..]);
    let load = session.bulk().load(keyspace, name, input, Csv::new()).allow_counters().batches_by_partition();
    assert_eq!(
        load.await.unwrap_err().to_string(),
        format!(
            "loading {counters} failed: {counters} has counters, which are not written in batches. Load it without batches"
        )
    );
}
