use std::fs;
use std::future::IntoFuture;
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use keyspaces::bulk::{Csv, Input, JsonLines, Load, Output, Rate};
use keyspaces::{ErrorKind, Session};
use keyspaces_local::fault::Effect;
use keyspaces_local::journal::Kind;
use keyspaces_local::{Fault, Local};

use super::{Folder, rows, split_name};
use crate::server;

fn load(session: &Session, table: &str, text: &str) -> Load {
    let (keyspace, name) = split_name(table);
    session.bulk().load(keyspace, name, Input::reader("text", std::io::Cursor::new(text.to_owned())), Csv::new())
}

#[tokio::test]
async fn input_errors_are_reported_before_anything_is_sent() {
    let session = server::session().await;
    let folder = Folder::new();
    let table = server::table(&session, "id int PRIMARY KEY, price decimal").await;
    let (keyspace, name) = split_name(&table);
    for (text, problem) in [
        ("id,pric\n1,2\n", format!("{table} has no column \"pric\". Its columns are id, price")),
        ("price\n2\n", "the input has no column \"id\", which is in the primary key. Its columns are price".to_owned()),
        ("id,id\n1,2\n", "the column \"id\" is named twice".to_owned()),
        (
            "id\n1,2\n",
            "a row was rejected: text, line 2: the row has 2 fields, 1 column is expected. Correct the row, or name a \
                       file for rejected rows"
                .to_owned(),
        ),
        (
            "id,price\n1\n",
            "a row was rejected: text, line 2: the row has 1 field, 2 columns are expected. Correct the row, or name a \
                           file for rejected rows"
                .to_owned(),
        ),
        (
            "id,price\n1,2\n3",
            "a row was rejected: text, line 3: the row has 1 field, 2 columns are expected; the file ends \
                              there without a line end. Correct the row, or name a file for rejected rows"
                .to_owned(),
        ),
        (
            "id,price\n1,\"2",
            "a row was rejected: text, line 2: the row ends inside of quotes; it may have been cut; the file \
                             ends there without a line end. Correct the row, or name a file for rejected rows"
                .to_owned(),
        ),
        (
            "id,price\n1,two\n",
            "a row was rejected: text, line 2: the column price (decimal): \"two\" is not a valid decimal. Correct the row, \
                               or name a file for rejected rows"
                .to_owned(),
        ),
    ] {
        let error = load(&session, &table, text).await.unwrap_err();
        assert_eq!(error.to_string(), format!("loading {table} failed: {problem}"), "{text}");
        assert_eq!(error.kind(), ErrorKind::Value);
    }
    let missing = folder.path("missing.csv");
    let error = session.bulk().load(keyspace, name, Input::file(&missing), Csv::new()).await.unwrap_err();
    let expected = format!("reading {} failed: No such file or directory (os error 2)", missing.display());
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::File, expected));
    let bytes = folder.write("latin.csv", b"id,price\n1,\xe4\n");
    let error = session.bulk().load(keyspace, name, Input::file(&bytes), Csv::new()).await.unwrap_err();
    assert!(error.to_string().contains("line 2: the column price (decimal): is not valid UTF-8"), "{error}");
    let cut = folder.write("cut.jsonl", "{\"id\": 1, \"pri");
    let error = session.bulk().load(keyspace, name, Input::file(&cut), JsonLines::new()).await.unwrap_err();
    assert!(error.to_string().contains("is not JSON: EOF while parsing a string"), "{error}");
    let gz = folder.write("cut.csv.gz", [0x1f, 0x8b, 8, 0]);
    let error = session.bulk().load(keyspace, name, Input::file(&gz), Csv::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::File, "{error}");
    assert!(rows(&session, &table).await.is_empty());
}

#[tokio::test]
async fn oversized_rows_are_rejected_before_they_are_sent() {
    let session = server::session().await;
    let table = server::table(&session, "id text PRIMARY KEY, data text").await;
    let error = load(&session, &table, &format!("id,data\n1,{}\n", "x".repeat(1 << 20))).await.unwrap_err();
    assert!(error.to_string().contains("line 2: the row has 1048"), "{error}");
    let error = load(&session, &table, &format!("id,data\n{},x\n", "k".repeat(2_049))).await.unwrap_err();
    let expected = "the column id (text): makes a partition key of 2049 bytes, and Keyspaces takes at most 2048";
    assert!(error.to_string().contains(expected), "{error}");
}

#[tokio::test]
async fn loading_counters_is_refused_unless_allowed() {
    let session = server::session().await;
    let table = server::table(&session, "page text PRIMARY KEY, hits counter").await;
    let error = load(&session, &table, "page,hits\n/,5\n").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "loading {table} failed: {table} has counters: a row that is sent twice is counted twice. Call allow_counters() if \
             counts may be too high after an interruption"
        )
    );
    assert_eq!(load(&session, &table, "page,hits\n/,5\n/,-2\n").allow_counters().await.unwrap().rows, 2);
    assert_eq!(rows(&session, &table).await, [r#"{"page": Some(Text("/")), "hits": Some(Counter(Counter(3)))}"#]);
}

#[tokio::test]
async fn resume_with_a_changed_input_file_or_format_is_refused() {
    let session = server::session().await;
    let folder = Folder::new();
    let table = server::table(&session, "id int PRIMARY KEY").await;
    let (keyspace, name) = split_name(&table);
    // The row that is rejected is read after the rows before it have been sent.
    let ids = many(1_000..1_400).replace("1399", "x399");
    let path = folder.write("ids.csv", &ids);
    let load = || {
        let load = session.bulk().load(keyspace, name, Input::file(&path), Csv::new().columns(["id"]));
        load.checkpoint(folder.path("state")).shuffle(NonZeroUsize::MIN).in_flight(NonZeroUsize::MIN)
    };
    let error = load().await.unwrap_err();
    assert!(
        error.to_string().contains("rows are done. Run the same operation again to resume from the checkpoint"),
        "{error}"
    );
    fs::write(&path, ids.replace("1000", "9000")).unwrap();
    let error = load().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cursor, "{error}");
    assert!(error.to_string().contains("the part that an earlier run has loaded is no longer the same"), "{error}");
    fs::write(&path, ids.replace("x399", "13999")).unwrap();
    let error = load().await.unwrap_err();
    assert!(error.to_string().contains("had 2000 bytes when the checkpoint was written, and has 2001 now"), "{error}");
    fs::write(&path, ids.replace("x399", "1399")).unwrap();
    assert_eq!(load().await.unwrap().rows, 400);
    assert_eq!(rows(&session, &table).await.len(), 400);
    // The load is complete, so nothing is sent.
    assert_eq!(load().await.unwrap().rows, 400);
    let other = session.bulk().load(keyspace, name, Input::file(&path), Csv::new().columns(["id"]).null("-"));
    let error = other.checkpoint(folder.path("state")).await.unwrap_err();
    assert!(error.to_string().contains("failed: the setting \"format\" was Csv"), "{error}");
}

#[tokio::test]
async fn a_file_that_grows_while_it_is_loaded_is_an_error() {
    let session = server::session().await;
    let folder = Folder::new();
    let table = server::table(&session, "id int PRIMARY KEY").await;
    let (keyspace, name) = split_name(&table);
    let path = folder.write("ids.csv", many(0..5_000));
    let load = session.bulk().load(keyspace, name, Input::file(&path), Csv::new());
    // Some 1,500 rows are read ahead. The others are read only when these have been sent.
    let mut progress = load.progress();
    let loading = tokio::spawn(load.shuffle(NonZeroUsize::MIN).in_flight(NonZeroUsize::MIN).into_future());
    progress.wait_for(|progress| progress.rows > 0).await.unwrap();
    let mut file = fs::File::options().append(true).open(&path).unwrap();
    std::io::Write::write_all(&mut file, b"5000\n").unwrap();
    let error = loading.await.unwrap().unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "reading {} failed: the file was changed while it was read. Some loaded rows may be of the old file and some of \
             the new one: load it again without the checkpoint",
            path.display()
        )
    );
}

#[tokio::test]
async fn expired_credentials_are_retried_until_the_stall_timeout() {
    if server::local().await.is_none() {
        return;
    }
    let local = Local::builder().start().await.unwrap();
    let session = crate::local::signed(&local).connect().await.unwrap();
    server::keyspace(&session, "expiring").await;
    session.define("CREATE TABLE expiring.ids (id int PRIMARY KEY)").await.unwrap();
    session.define("CREATE TABLE expiring.copies (id int PRIMARY KEY)").await.unwrap();
    load(&session, "expiring.ids", &many(0..400)).await.unwrap();
    let folder = Folder::new();
    let fifty = Rate::Units(NonZeroU32::new(50).unwrap());
    let loading = load(&session, "expiring.copies", &many(0..400)).rate(fifty);
    let exporting =
        session.bulk().export("expiring", "ids", Output::file(folder.path("ids.csv")), Csv::new()).rate(fifty);
    let (mut loaded, mut exported) = (loading.progress(), exporting.progress());
    let (loading, exporting) = (tokio::spawn(loading.into_future()), tokio::spawn(exporting.into_future()));
    loaded.wait_for(|progress| progress.rows > 0).await.unwrap();
    exported.wait_for(|progress| progress.rows > 0).await.unwrap();
    local.expire_credentials();
    local.close_connections().await.unwrap();
    // With a stall timeout of zero, the first error ends the load.
    let impatient = load(&session, "expiring.copies", "id\n1\n").stall_timeout(Duration::ZERO).await.unwrap_err();
    assert!(impatient.kind().is_retryable() || impatient.kind() == ErrorKind::Authentication, "{impatient}");
    // Five times the limit that the session states, as in the tests of recovery.
    let noticed = async {
        while session.health().reconnect_problem().is_none() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(80), noticed).await.unwrap();
    local.accept_credentials(local.credentials().clone()).unwrap();
    assert_eq!(loading.await.unwrap().unwrap().rows, 400);
    assert_eq!(exporting.await.unwrap().unwrap().rows, 400);
    assert_eq!(rows(&session, "expiring.copies").await, rows(&session, "expiring.ids").await);
    local.close().await.unwrap();
}

#[tokio::test]
async fn missing_or_dropped_table_ends_the_load() {
    let session = server::session().await;
    let error = load(&session, "it.nothing", "id\n1\n").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "loading it.nothing failed: the table does not exist. Check the names of the keyspace and the table, and the Region"
    );
    let table = server::table(&session, "id int PRIMARY KEY").await;
    let (keyspace, name) = split_name(&table);
    let (reader, mut writer) = std::io::pipe().unwrap();
    let load = session.bulk().load(keyspace, name, Input::reader("a pipe", reader), Csv::new());
    // At this rate, the load does not delay the definition.
    let load = load.rate(Rate::Units(NonZeroU32::new(500).unwrap()));
    let mut progress = load.progress();
    let loading = tokio::spawn(load.into_future());
    std::io::Write::write_all(&mut writer, many(0..1_000).as_bytes()).unwrap();
    progress.wait_for(|progress| progress.rows > 0).await.unwrap();
    session.schema().drop_table(keyspace, name).await.unwrap();
    // Writes until the load notices the missing table and stops reading.
    let writing = std::thread::spawn(move || {
        let mut write = |from| std::io::Write::write_all(&mut writer, many(from..from + 1_000).as_bytes()).is_ok();
        (1..).all(|thousand| write(1_000 * thousand))
    });
    let error = loading.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotReady, "{error}");
    writing.join().unwrap();
}

fn many(ids: std::ops::Range<i32>) -> String {
    let header = if ids.start == 0 { "id\n" } else { "" };
    std::iter::once(header.to_owned()).chain(ids.map(|id| format!("{id}\n"))).collect()
}

fn throttled(table: &str) -> Fault {
    Fault::new(Effect::throttled_write()).kind(Kind::Execute).containing(table)
}

#[tokio::test]
async fn throttled_rows_are_resent_until_accepted() {
    let Some(local) = server::local().await else { return };
    let session = server::session().await;
    let table = server::table(&session, "id int PRIMARY KEY").await;
    let fault = local.faults().inject(throttled(&table).times(12));
    let summary = load(&session, &table, &many(0..20)).stall_timeout(Duration::from_secs(60)).await.unwrap();
    assert_eq!((summary.rows, rows(&session, &table).await.len()), (20, 20));
    assert_eq!((local.faults().strike_count(fault), summary.throttles), (12, 12));
    // If no row is accepted until the stall timeout, the load ends with the error of the last row.
    let fault = local.faults().inject(throttled(&table));
    let impatient = load(&session, &table, "id\n1\n").stall_timeout(Duration::ZERO).await;
    local.faults().remove(fault);
    assert!(impatient.unwrap_err().is_throttled());
}

#[cfg(feature = "parquet")]
#[tokio::test]
async fn unsuitable_parquet_file_is_refused_before_sending() {
    use keyspaces::bulk::Parquet;

    let session = server::session().await;
    let folder = Folder::new();
    let table = server::table(&session, "id int PRIMARY KEY, price decimal, flag int").await;
    let (keyspace, name) = split_name(&table);
    let sales = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bulk/sales.parquet");
    let load = |input: Input| session.bulk().load(keyspace, name, input, Parquet::new());
    let error = load(Input::file(sales)).await.unwrap_err();
    let expected = format!("loading {table} failed: {table} has no column \"name\". Its columns are id, flag, price");
    assert_eq!(error.to_string(), expected);
    let error = load(Input::file(sales)).columns(["id", "flag"]).await.unwrap_err();
    let expected = format!("reading {sales} failed: the column \"flag\" is BOOLEAN, and that of {table} is int");
    assert_eq!((error.to_string(), error.kind()), (expected, ErrorKind::Value));
    let cut = folder.write("cut.parquet", &fs::read(sales).unwrap()[..5_000]);
    let error = load(Input::file(&cut)).await.unwrap_err();
    let expected = format!(
        "reading {} failed: the file is not a complete Parquet file: Invalid Parquet file. Corrupt footer. Write it or copy it again",
        cut.display()
    );
    assert_eq!((error.to_string(), error.kind()), (expected, ErrorKind::File));
    let error = load(Input::stdin()).await.unwrap_err();
    let expected = "reading standard input failed: a Parquet file is read from its end, so it cannot be read from a \
                stream. Write it to a file on a disk first";
    assert_eq!((error.to_string().as_str(), error.kind()), (expected, ErrorKind::Configuration));
    let output = Output::file(folder.path("sales.parquet.gz"));
    let error = session.bulk().export(keyspace, name, output, Parquet::new()).await.unwrap_err();
    let expected = format!(
        "writing {} failed: a Parquet file compresses its pages itself. Use a name that ends in .parquet, and set the \
         compression of its pages with Output::compression()",
        folder.path("sales.parquet.gz").display()
    );
    assert_eq!(error.to_string(), expected);
    assert!(rows(&session, &table).await.is_empty());
    // Columns that fit are loaded, each as it is.
    let summary = load(Input::file(sales)).columns(["id", "price"]).await.unwrap();
    assert_eq!((summary.rows, rows(&session, &table).await.len()), (3, 3));
}
