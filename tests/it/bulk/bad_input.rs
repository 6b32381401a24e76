use std::fs;
use std::future::IntoFuture;
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use keyspaces::bulk::{Csv, Input, JsonLines, Load, Output, Rate};
use keyspaces::{ErrorKind, Session};
use keyspaces_local::fault::Effect;
use keyspaces_local::journal::Kind;
use keyspaces_local::{Fault, Local};

use super::{Folder, apart, rows};
use crate::server;

fn load(session: &Session, table: &str, text: &str) -> Load {
    let (keyspace, name) = apart(table);
    session.bulk().load(keyspace, name, Input::reader("text", std::io::Cursor::new(text.to_owned())), Csv::new())
}

#[tokio::test]
async fn what_is_wrong_with_an_input_is_told_before_anything_is_sent() {
    let session = server::session().await;
    let folder = Folder::new();
    let table = server::table(&session, "id int PRIMARY KEY, price decimal").await;
    let (keyspace, name) = apart(&table);
    for (text, problem) in [
        ("id,pric\n1,2\n", format!("{table} has no column \"pric\". Its columns are id, price")),
        ("price\n2\n", "the input has no column \"id\", which is in the primary key. Its columns are price".to_owned()),
        ("id,id\n1,2\n", "the column \"id\" is named twice".to_owned()),
        (
            "id\n1,2\n",
            "a row was rejected: text, line 2: the row has 2 fields, 1 column is expected. Mend it, or name a \
                       file for rejected rows"
                .to_owned(),
        ),
        (
            "id,price\n1\n",
            "a row was rejected: text, line 2: the row has 1 field, 2 columns are expected. Mend it, or name a \
                           file for rejected rows"
                .to_owned(),
        ),
        (
            "id,price\n1,2\n3",
            "a row was rejected: text, line 3: the row has 1 field, 2 columns are expected; the file ends \
                              there without the end of a line. Mend it, or name a file for rejected rows"
                .to_owned(),
        ),
        (
            "id,price\n1,\"2",
            "a row was rejected: text, line 2: the row ends inside of quotes; it may have been cut; the file \
                             ends there without the end of a line. Mend it, or name a file for rejected rows"
                .to_owned(),
        ),
        (
            "id,price\n1,two\n",
            "a row was rejected: text, line 2: the column price (decimal): \"two\" is no decimal. Mend it, \
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
    let told = format!("reading {} failed: No such file or directory (os error 2)", missing.display());
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::File, told));
    let bytes = folder.write("latin.csv", b"id,price\n1,\xe4\n");
    let error = session.bulk().load(keyspace, name, Input::file(&bytes), Csv::new()).await.unwrap_err();
    assert!(error.to_string().contains("line 2: the column price (decimal): is no UTF-8"), "{error}");
    let cut = folder.write("cut.jsonl", "{\"id\": 1, \"pri");
    let error = session.bulk().load(keyspace, name, Input::file(&cut), JsonLines::new()).await.unwrap_err();
    assert!(error.to_string().contains("is no JSON: EOF while parsing a string"), "{error}");
    let gz = folder.write("cut.csv.gz", [0x1f, 0x8b, 8, 0]);
    let error = session.bulk().load(keyspace, name, Input::file(&gz), Csv::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::File, "{error}");
    assert!(rows(&session, &table).await.is_empty());
}

#[tokio::test]
async fn rows_that_are_too_large_for_the_service_are_rejected_before_they_are_sent() {
    let session = server::session().await;
    let table = server::table(&session, "id text PRIMARY KEY, data text").await;
    let error = load(&session, &table, &format!("id,data\n1,{}\n", "x".repeat(1 << 20))).await.unwrap_err();
    assert!(error.to_string().contains("line 2: the row the row is 1048"), "{error}");
    let error = load(&session, &table, &format!("id,data\n{},x\n", "k".repeat(2_049))).await.unwrap_err();
    let told = "the column id (text): the partition key is 2049 bytes, Keyspaces takes at most 2048";
    assert!(error.to_string().contains(told), "{error}");
}

#[tokio::test]
async fn counters_are_refused_unless_they_are_asked_for() {
    let session = server::session().await;
    let table = server::table(&session, "page text PRIMARY KEY, hits counter").await;
    let error = load(&session, &table, "page,hits\n/,5\n").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "loading {table} failed: {table} has counters: a row that is sent twice is counted twice. Allow counters if a count \
             that is too high after an interruption can be borne"
        )
    );
    assert_eq!(load(&session, &table, "page,hits\n/,5\n/,-2\n").allow_counters().await.unwrap().rows, 2);
    assert_eq!(rows(&session, &table).await, [r#"{"page": Some(Text("/")), "hits": Some(Counter(Counter(3)))}"#]);
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_loaded_or_before_it_is_gone_on_with_is_told() {
    let session = server::session().await;
    let folder = Folder::new();
    let table = server::table(&session, "id int PRIMARY KEY").await;
    let (keyspace, name) = apart(&table);
    // The row that is rejected is read when those before it are sent.
    let ids = many(1_000..1_400).replace("1399", "x399");
    let path = folder.write("ids.csv", &ids);
    let load = || {
        let load = session.bulk().load(keyspace, name, Input::file(&path), Csv::new().columns(["id"]));
        load.checkpoint(folder.path("state")).shuffle(NonZeroUsize::MIN).in_flight(NonZeroUsize::MIN)
    };
    let error = load().await.unwrap_err();
    assert!(error.to_string().contains("rows are done: the same again goes on from the checkpoint"), "{error}");
    fs::write(&path, ids.replace("1000", "9000")).unwrap();
    let error = load().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cursor, "{error}");
    assert!(error.to_string().contains("what was loaded of it before is not the same any more"), "{error}");
    fs::write(&path, ids.replace("x399", "13999")).unwrap();
    let error = load().await.unwrap_err();
    assert!(error.to_string().contains("had 2000 bytes, and has 2001"), "{error}");
    fs::write(&path, ids.replace("x399", "1399")).unwrap();
    assert_eq!(load().await.unwrap().rows, 400);
    assert_eq!(rows(&session, &table).await.len(), 400);
    // It is complete: nothing is sent.
    assert_eq!(load().await.unwrap().rows, 400);
    let other = session.bulk().load(keyspace, name, Input::file(&path), Csv::new().columns(["id"]).null("-"));
    let error = other.checkpoint(folder.path("state")).await.unwrap_err();
    assert!(error.to_string().contains("failed: format was Csv"), "{error}");
}

#[tokio::test]
async fn a_file_that_grows_while_it_is_loaded_is_told() {
    let session = server::session().await;
    let folder = Folder::new();
    let table = server::table(&session, "id int PRIMARY KEY").await;
    let (keyspace, name) = apart(&table);
    let path = folder.write("ids.csv", many(0..5_000));
    let load = session.bulk().load(keyspace, name, Input::file(&path), Csv::new());
    // Some 1,500 rows are read ahead, the others not before these are sent.
    let mut progress = load.progress();
    let loading = tokio::spawn(load.shuffle(NonZeroUsize::MIN).in_flight(NonZeroUsize::MIN).into_future());
    progress.wait_for(|progress| progress.rows > 0).await.unwrap();
    let mut file = fs::File::options().append(true).open(&path).unwrap();
    std::io::Write::write_all(&mut file, b"5000\n").unwrap();
    let error = loading.await.unwrap().unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "reading {} failed: the file was changed while it was read. Some of its rows may be old, some new: load it again \
             without the checkpoint",
            path.display()
        )
    );
}

#[tokio::test]
async fn credentials_that_expire_are_waited_for_while_there_is_patience() {
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
    // Without patience, the first thing that fails ends it.
    let hasty = load(&session, "expiring.copies", "id\n1\n").patience(Duration::ZERO).await.unwrap_err();
    assert!(hasty.kind().is_retryable() || hasty.kind() == ErrorKind::Authentication, "{hasty}");
    // Five times what the session states, as in the tests of recovery.
    let noticed = async {
        while session.health().reconnecting().is_none() {
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
async fn a_table_that_is_not_there_or_dropped_meanwhile_ends_the_load() {
    let session = server::session().await;
    let error = load(&session, "it.nothing", "id\n1\n").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "loading it.nothing failed: there is no such table. Check the names of the keyspace and the table, and the Region"
    );
    let table = server::table(&session, "id int PRIMARY KEY").await;
    let (keyspace, name) = apart(&table);
    let (reader, mut writer) = std::io::pipe().unwrap();
    let load = session.bulk().load(keyspace, name, Input::reader("a pipe", reader), Csv::new());
    // So that it does not hold up the definition.
    let load = load.rate(Rate::Units(NonZeroU32::new(500).unwrap()));
    let mut progress = load.progress();
    let loading = tokio::spawn(load.into_future());
    std::io::Write::write_all(&mut writer, many(0..1_000).as_bytes()).unwrap();
    progress.wait_for(|progress| progress.rows > 0).await.unwrap();
    session.schema().drop_table(keyspace, name).await.unwrap();
    // Until the load has noticed it, which ends its reading.
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
async fn rows_that_the_service_does_not_take_are_sent_until_it_does() {
    let Some(local) = server::local().await else { return };
    let session = server::session().await;
    let table = server::table(&session, "id int PRIMARY KEY").await;
    let fault = local.faults().inject(throttled(&table).times(12));
    let summary = load(&session, &table, &many(0..20)).patience(Duration::from_secs(60)).await.unwrap();
    assert_eq!((summary.rows, rows(&session, &table).await.len()), (20, 20));
    assert_eq!((local.faults().struck(fault), summary.throttles), (12, 12));
    // Taken by none for longer than the load has patience, it ends and says why.
    let fault = local.faults().inject(throttled(&table));
    let hasty = load(&session, &table, "id\n1\n").patience(Duration::ZERO).await;
    local.faults().withdraw(fault);
    assert!(hasty.unwrap_err().is_throttled());
}

#[cfg(feature = "parquet")]
#[tokio::test]
async fn what_is_wrong_with_a_parquet_file_is_told_before_anything_is_sent() {
    use keyspaces::bulk::Parquet;

    let session = server::session().await;
    let folder = Folder::new();
    let table = server::table(&session, "id int PRIMARY KEY, price decimal, flag int").await;
    let (keyspace, name) = apart(&table);
    let sales = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bulk/sales.parquet");
    let load = |input: Input| session.bulk().load(keyspace, name, input, Parquet::new());
    let error = load(Input::file(sales)).await.unwrap_err();
    let told = format!("loading {table} failed: {table} has no column \"name\". Its columns are id, flag, price");
    assert_eq!(error.to_string(), told);
    let error = load(Input::file(sales)).columns(["id", "flag"]).await.unwrap_err();
    let told = format!("reading {sales} failed: its column \"flag\" is BOOLEAN, that of {table} is int");
    assert_eq!((error.to_string(), error.kind()), (told, ErrorKind::Value));
    let cut = folder.write("cut.parquet", &fs::read(sales).unwrap()[..5_000]);
    let error = load(Input::file(&cut)).await.unwrap_err();
    let told = format!(
        "reading {} failed: it is no whole Parquet file: Invalid Parquet file. Corrupt footer. Write it or copy it again",
        cut.display()
    );
    assert_eq!((error.to_string(), error.kind()), (told, ErrorKind::File));
    let error = load(Input::stdin()).await.unwrap_err();
    let told = "reading standard input failed: Parquet is read from its end, which a stream has only when it is over. Write \
                it to a file on a disk first";
    assert_eq!((error.to_string().as_str(), error.kind()), (told, ErrorKind::Configuration));
    let output = Output::file(folder.path("sales.parquet.gz"));
    let error = session.bulk().export(keyspace, name, output, Parquet::new()).await.unwrap_err();
    let told = format!(
        "writing {} failed: a Parquet file is compressed inside. Let its name end with .parquet, and say with the output's \
         compression what its pages are in",
        folder.path("sales.parquet.gz").display()
    );
    assert_eq!(error.to_string(), told);
    assert!(rows(&session, &table).await.is_empty());
    // Those that fit are loaded, each as it is.
    let summary = load(Input::file(sales)).columns(["id", "price"]).await.unwrap();
    assert_eq!((summary.rows, rows(&session, &table).await.len()), (3, 3));
}
