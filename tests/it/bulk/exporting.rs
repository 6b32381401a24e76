use std::future::IntoFuture;
use std::num::{NonZeroU8, NonZeroU32, NonZeroU64, NonZeroUsize};

use keyspaces::bulk::{Csv, Format, Input, JsonLines, Output, Rate};
use keyspaces::{ErrorKind, ReadConsistency};

use super::{Folder, read, rows, split_name};
use crate::server;

const COLUMNS: &str = "id int, \"Day\" date, s text static, a ascii, bi bigint, bl blob, bo boolean, de decimal, dou double, \
                       f float, i inet, si smallint, ti time, ts timestamp, tu timeuuid, ty tinyint, u uuid, \
                       v varint, l list<text>, se set<blob>, m map<timestamp, frozen<list<double>>>, \
                       t tuple<int, text, frozen<map<text, boolean>>>, ad frozen<address>, un address, \
                       PRIMARY KEY (id, \"Day\")";

/// Rows with all types that the local service has: the minimum and maximum of each, empty values and nulls.
const ROWS: [&str; 4] = [
    "(id, \"Day\", s, a, bi, bl, bo, de, dou, f, i, si, ti, ts, tu, ty, u, v, l, se, m, t, ad, un) VALUES (1, \
     '2026-01-31', 'static', '', -9223372036854775808, 0x, true, -1.50E-30, 0.1, 3.4028235E38, '::1', -32768, \
     '23:59:59.999999999', '9999-12-31T23:59:59.999Z', 50554d6e-29bb-11e5-b345-feff819cdc9f, -128, \
     5132b130-ae79-41e4-ab27-0800200c9a66, 99999999999999999999999999999999999999, ['a''b', '', '\"\\, \n\r{}[]'], \
     {0x, 0xcafe}, {'2026-01-01T00:00:00.001Z': [1e300, -0.0, 5e-324], '1969-12-31T23:59:59.999Z': []}, (1, null, {'k': true}), \
     {street: 'x, \"y\"', number: 7}, {street: null, number: 8})",
    "(id, \"Day\", a, dou, f, t, l) VALUES (1, '0001-01-01', 'plain', NaN, -Infinity, (null, '', {}), ['null', 'NULL'])",
    "(id, \"Day\", bi, bl, de, v, un) VALUES (2, '1970-01-01', 9223372036854775807, 0x00ff, 1E+40, -1, \
     {street: 'ä€𝄞', number: null})",
    "(id, \"Day\") VALUES (3, '2026-02-28')",
];

#[tokio::test]
async fn table_of_all_types_survives_export_and_load() {
    let session = server::session().await;
    let folder = Folder::new();
    let probe = server::table(&session, "id int PRIMARY KEY").await;
    let (keyspace, _) = split_name(&probe);
    session.define(&format!("CREATE TYPE IF NOT EXISTS {keyspace}.address (street text, number int)")).await.unwrap();
    let table = server::table(&session, COLUMNS).await;
    for row in ROWS {
        session.execute(&format!("INSERT INTO {table} {row}"), ()).await.unwrap();
    }
    // A partition with static columns only.
    session.execute(&format!("INSERT INTO {table} (id, s) VALUES (4, 'alone')"), ()).await.unwrap();
    let expected = rows(&session, &table).await;
    let (keyspace, name) = split_name(&table);
    let formats: Vec<(&str, Format)> = vec![
        ("rows.csv", Csv::new().into()),
        ("rows.csv.gz", Csv::new().delimiter(b';').null("null").into()),
        ("rows.cqlsh.zst", Csv::cqlsh().columns(columns()).into()),
        ("rows.jsonl", JsonLines::new().into()),
        ("rows.json.gz", JsonLines::new().into()),
        #[cfg(feature = "parquet")]
        ("rows.parquet", keyspaces::bulk::Parquet::new().into()),
    ];
    for (file, format) in formats {
        let path = folder.path(file);
        let export = session.bulk().export(keyspace, name, Output::file(&path), format.clone());
        let export = if file.contains("cqlsh") { export.columns(columns()) } else { export };
        let summary = export.await.unwrap();
        assert_eq!((summary.rows, summary.is_complete), (5, true), "{file}");
        let again = server::table(&session, COLUMNS).await;
        let (keyspace, again_name) = split_name(&again);
        let summary = session.bulk().load(keyspace, again_name, Input::file(&path), format).await.unwrap();
        assert_eq!(summary.rows, 5, "{file}");
        assert_eq!(rows(&session, &again).await, expected, "{file}");
    }
    let copied = server::table(&session, COLUMNS).await;
    let copy = session.bulk().copy((keyspace, name), &session, split_name(&copied)).checkpoint(folder.path("copy"));
    assert_eq!(copy.await.unwrap().rows, 5);
    assert_eq!(rows(&session, &copied).await, expected);
}

fn columns() -> Vec<String> {
    let names = COLUMNS.split(" PRIMARY").next().unwrap();
    // The name of a column is the text before the first space of its part.
    let mut depth = 0;
    let mut parts = vec![String::new()];
    for letter in names.chars() {
        match letter {
            '<' => depth += 1,
            '>' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().unwrap().push(letter);
    }
    let name = |part: &String| part.split_whitespace().next().map(|name| name.trim_matches('"').to_owned());
    parts.iter().filter_map(name).collect()
}

#[tokio::test]
async fn export_selects_columns_and_rows_and_limits_rows_per_file() {
    let session = server::session().await;
    let folder = Folder::new();
    let table = server::table(&session, "id int, n int, note text, PRIMARY KEY (id, n)").await;
    let (keyspace, name) = split_name(&table);
    let text: String = (0..25).map(|n| format!("{},{n},note {n}\n", n % 5)).collect();
    let csv = || Csv::new().columns(["id", "n", "note"]);
    let load = session.bulk().load(keyspace, name, Input::reader("text", std::io::Cursor::new(text)), csv());
    assert_eq!(load.await.unwrap().rows, 25);
    let bulk = session.bulk();
    assert_eq!(bulk.count(keyspace, name).consistency(ReadConsistency::LocalOne).await.unwrap().rows, 25);
    assert_eq!(bulk.count(keyspace, name).filter("id = 3 AND n > 10").await.unwrap().rows, 3);
    let lower = bulk.count(keyspace, name).filter("token(id) <= 0").await.unwrap().rows;
    let upper = bulk.count(keyspace, name).filter("token(id) > 0").await.unwrap().rows;
    assert_eq!((lower + upper, lower % 5), (25, 0));
    let output = Output::file(folder.path("some.csv"));
    let export = bulk.export(keyspace, name, output, Csv::new()).columns(["note", "n"]).filter("id = 3 AND n < 10");
    let progress = export.progress();
    assert_eq!(export.await.unwrap().rows, 2);
    assert_eq!(read(&folder.path("some.csv")), "note,n\nnote 3,3\nnote 8,8\n");
    assert_eq!((progress.borrow().rows, progress.borrow().fraction), (2, Some(1.0)));
    let output = Output::file(folder.path("all.csv.gz")).rows_per_file(NonZeroU64::new(10).unwrap());
    bulk.export(keyspace, name, output, Csv::new()).checkpoint(folder.path("export")).await.unwrap();
    let pattern = folder.path("all-*.csv.gz");
    let other = server::table(&session, "id int, n int, note text, PRIMARY KEY (id, n)").await;
    let input = Input::glob(pattern.to_str().unwrap()).unwrap();
    let (other_keyspace, other_name) = split_name(&other);
    assert_eq!(bulk.load(other_keyspace, other_name, input, Csv::new()).await.unwrap().rows, 25);
    assert_eq!(rows(&session, &other).await, rows(&session, &table).await);
    // An export writes the keys of the rows to delete.
    let keys = folder.path("keys.csv");
    let export = bulk.export(keyspace, name, Output::file(&keys), Csv::new()).columns(["id", "n"]).filter("id = 3");
    export.await.unwrap();
    assert_eq!(bulk.delete(keyspace, name, Input::file(&keys), Csv::new()).await.unwrap().rows, 5);
    assert_eq!(bulk.count(keyspace, name).await.unwrap().rows, 20);
    let error = bulk.delete(keyspace, name, Input::file(folder.path("some.csv")), Csv::new()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "deleting from {table} failed: the input has no column \"id\", which is in the primary key. Its columns are note, n"
        )
    );
}

#[tokio::test]
async fn stopped_export_resumes_and_contains_each_row_once() {
    let session = server::session().await;
    let folder = Folder::new();
    let table = server::table(&session, "id int PRIMARY KEY").await;
    let (keyspace, name) = split_name(&table);
    let text: String = (0..2_000).map(|id| format!("{id}\n")).collect();
    let load = session.bulk().load(
        keyspace,
        name,
        Input::reader("text", std::io::Cursor::new(text)),
        Csv::new().columns(["id"]),
    );
    load.await.unwrap();
    let path = folder.path("ids.csv.zst");
    let export =
        || session.bulk().export(keyspace, name, Output::file(&path), Csv::new()).checkpoint(folder.path("state"));
    let begun = export();
    let mut progress = begun.progress();
    let stopped = begun.stop_when(async move {
        let _ = progress.wait_for(|progress| progress.rows > 0).await;
    });
    let before = stopped.await.unwrap();
    assert!(!path.exists() || before.is_complete);
    let summary = export().await.unwrap();
    assert_eq!((summary.rows, summary.is_complete), (2_000, true));
    let again = server::table(&session, "id int PRIMARY KEY").await;
    let (keyspace, again) = split_name(&again);
    assert_eq!(session.bulk().load(keyspace, again, Input::file(&path), Csv::new()).await.unwrap().rows, 2_000);
    assert_eq!(session.bulk().count(keyspace, again).await.unwrap().rows, 2_000);
}

#[tokio::test]
async fn export_stopped_by_a_full_disk_resumes_when_space_is_free() {
    let session = server::session().await;
    let folder = Folder::new();
    let table = server::table(&session, "id int PRIMARY KEY").await;
    let (keyspace, name) = split_name(&table);
    let load = session.bulk().load(keyspace, name, Input::reader("text", &b"id\n1\n"[..]), Csv::new());
    load.await.unwrap();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let error = session.bulk().export(keyspace, name, Output::writer("/dev/full", full), Csv::new()).await.unwrap_err();
    assert_eq!(error.to_string(), "writing /dev/full failed: No space left on device (os error 28)");
    assert_eq!(error.kind(), ErrorKind::File);
    let (path, state) = (folder.path("rows.csv"), folder.path("state"));
    std::os::unix::fs::symlink("/dev/full", folder.path("rows.csv.partial")).unwrap();
    let export = || session.bulk().export(keyspace, name, Output::file(&path), Csv::new()).checkpoint(&state);
    let expected = format!(
        "writing {} failed: No space left on device (os error 28). 0 rows are done. Run the same operation again to resume from the \
         checkpoint {}",
        path.display(),
        state.display()
    );
    assert_eq!(export().await.unwrap_err().to_string(), expected);
    std::fs::remove_file(folder.path("rows.csv.partial")).unwrap();
    assert_eq!(export().await.unwrap().rows, 1);
    assert_eq!(read(&path), "id\n1\n");
}

#[tokio::test]
async fn completed_export_reads_nothing_when_rerun() {
    let Some(local) = server::local().await else { return };
    let session = server::session().await;
    let folder = Folder::new();
    let table = server::table(&session, "id int PRIMARY KEY").await;
    let (keyspace, name) = split_name(&table);
    let output = || Output::file(folder.path("rows.csv"));
    let export = |session: &keyspaces::Session| {
        session.bulk().export(keyspace, name, output(), Csv::new()).checkpoint(folder.path("state")).into_future()
    };
    export(&session).await.unwrap();
    let read = || local.journal().containing(&format!("FROM {table} WHERE token")).len();
    let before = read();
    // Another session, which has not prepared anything.
    let summary = export(&server::session().await).await.unwrap();
    assert_eq!((summary.rows, summary.is_complete, read()), (0, true, before));
    assert!(before > 0);
}

#[tokio::test]
async fn dropped_table_ends_the_export() {
    let session = server::session().await;
    let table = server::table(&session, "id int PRIMARY KEY").await;
    let (keyspace, name) = split_name(&table);
    let ids = futures::stream::iter((0..100).map(|id| (id,)));
    session.bulk().load_rows(keyspace, name, ids).columns(["id"]).await.unwrap();
    // The table is read in 256 ranges, each of which costs at least one unit.
    let count = session.bulk().count(keyspace, name).rate(Rate::Units(NonZeroU32::new(20).unwrap()));
    let mut progress = count.progress();
    let counting = tokio::spawn(count.into_future());
    progress.wait_for(|progress| progress.rows > 0).await.unwrap();
    session.schema().drop_table(keyspace, name).await.unwrap();
    let error = counting.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotReady, "{error}");
}

#[tokio::test]
async fn copy_between_different_tables_is_refused() {
    let session = server::session().await;
    let one = server::table(&session, "id int PRIMARY KEY, n int").await;
    let other = server::table(&session, "id int PRIMARY KEY, n bigint").await;
    let error = session.bulk().copy(split_name(&one), &session, split_name(&other)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("copying {one} to {other} failed: the column n is int in {one}, and bigint in {other}")
    );
}

#[tokio::test]
async fn copy_rate_errors_are_reported_before_anything_is_opened() {
    let session = server::session().await;
    let folder = Folder::new();
    let one = server::table(&session, "id int PRIMARY KEY").await;
    let other = server::table(&session, "id int PRIMARY KEY").await;
    let ten = Rate::PercentOfProvisioned(NonZeroU8::new(10).unwrap());
    let copy = || session.bulk().copy(split_name(&one), &session, split_name(&other)).checkpoint(folder.path("state"));
    for (copy, on_demand) in [(copy().rate(ten), &other), (copy().read_rate(ten), &one)] {
        assert_eq!(
            copy.await.unwrap_err().to_string(),
            format!(
                "copying {one} to {other} failed: the rate is 10 % of the provisioned capacity, and {on_demand} is on demand. \
                 Set the rate in units a second"
            )
        );
    }
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 0);
}

#[tokio::test]
async fn count_by_partition_finds_the_largest_partitions() {
    let session = server::session().await;
    let folder = Folder::new();
    let table = server::table(&session, "shop int, day text, id int, PRIMARY KEY ((shop, day), id)").await;
    let (keyspace, name) = split_name(&table);
    // One has more rows than a page.
    let partitions = [(1, "a", 3), (1, "b", 1), (2, "a", 2_500), (3, "", 40)];
    let rows: Vec<_> =
        partitions.into_iter().flat_map(|(shop, day, rows)| (0..rows).map(move |id| (shop, day, id))).collect();
    session.bulk().load_rows(keyspace, name, futures::stream::iter(rows)).columns(["shop", "day", "id"]).await.unwrap();
    let bulk = session.bulk();
    let count = |file: &str| bulk.count_by_partition(keyspace, name, Output::file(folder.path(file)), Csv::new());
    assert_eq!(count("all.csv").await.unwrap().rows, 2_544);
    let text = read(&folder.path("all.csv"));
    let mut lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.remove(0), "shop,day,count");
    lines.sort_unstable();
    assert_eq!(lines, ["1,a,3", "1,b,1", "2,a,2500", "3,\"\",40"]);
    count("largest.csv").largest(NonZeroUsize::new(2).unwrap()).await.unwrap();
    assert_eq!(read(&folder.path("largest.csv")), "shop,day,count\n2,a,2500\n3,\"\",40\n");
    count("one.csv").filter("shop = 2 AND day = 'a' AND id < 7").await.unwrap();
    assert_eq!(read(&folder.path("one.csv")), "shop,day,count\n2,a,7\n");
    let failed = |problem: &str| format!("counting {table} failed: {problem}");
    let error = count("no.csv").checkpoint(folder.path("state")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        failed("a count by partition has no checkpoint. Leave out the checkpoint; a count starts again each time")
    );
    let error = count("no.csv").columns(["shop"]).await.unwrap_err();
    let problem = "a count by partition has the columns of the partition key. Leave out the columns";
    assert_eq!((error.to_string(), error.kind()), (failed(problem), ErrorKind::Configuration));
    let error = bulk.count(keyspace, name).largest(NonZeroUsize::new(2).unwrap()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        failed("only a count by partition can be limited to the largest partitions. Use count_by_partition()")
    );
    assert!(!folder.path("no.csv.partial").exists());
}
