use std::time::Duration;

use futures::TryStreamExt;
use keyspaces::migrate::{MigrationProgress, Migrations};
use keyspaces::{Endpoint, Session};
use keyspaces_local::Fault;
use keyspaces_local::fault::{Effect, Moment};
use keyspaces_local::journal::Kind;

use super::{migrations, recorded, rows, with_short_lease};
use crate::local::{shared, without_ddl_delay};

const NAMES: &str = "CREATE TABLE shop.names (id int PRIMARY KEY, name text);";
const PRICES: &str = "-- What it costs.
CREATE TABLE shop.prices (id int PRIMARY KEY, price decimal);
INSERT INTO shop.prices (id, price) VALUES (1, 9.99);
ALTER TABLE shop.names ADD note text;";

#[tokio::test]
async fn migrations_are_applied_once_in_order_and_dry_run_changes_nothing() {
    let (local, session) = without_ddl_delay().await;
    let files = migrations(&[("0010_prices.cql", PRICES), ("0002_names.cql", NAMES)]);
    let dry = session.migrate("shop", &files).dry_run().await.unwrap();
    assert_eq!(
        dry.to_string(),
        "0002_names.cql
  1. CREATE TABLE shop.names (id int PRIMARY KEY, name text)
0010_prices.cql
  1. CREATE TABLE shop.prices (id int PRIMARY KEY, price decimal)
  2. INSERT INTO shop.prices (id, price) VALUES (1, 9.99)
  3. ALTER TABLE shop.names ADD note text"
    );
    assert_eq!(session.schema().describe_keyspace("shop").await.unwrap(), None);

    let reported: Vec<MigrationProgress> = session.migrate("shop", &files).progress().try_collect().await.unwrap();
    let applied: Vec<_> = reported
        .iter()
        .filter_map(|progress| match progress {
            MigrationProgress::Applied { file, .. } => Some(file.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(applied, ["0002_names.cql", "0010_prices.cql"]);
    let statements = reported.iter().filter(|progress| matches!(progress, MigrationProgress::Statement { .. }));
    assert_eq!(statements.count(), 4);
    assert_eq!(recorded(&session).await, ["0002_names.cql", "0010_prices.cql"]);
    assert_eq!(rows(&session, "shop.prices").await.len(), 1);

    local.journal().clear();
    assert_eq!(session.migrate("shop", &files).dry_run().await.unwrap().to_string(), "nothing to do");
    let writes = local.journal().filter(|received| {
        received.statement.as_ref().is_some_and(|text| !text.starts_with("SELECT")) && received.kind != Kind::Startup
    });
    assert!(writes.is_empty(), "a dry run wrote: {writes:?}");
    assert!(session.migrate("shop", &files).await.unwrap().is_empty());
    let more = migrations(&[
        ("0002_names.cql", NAMES),
        ("0010_prices.cql", PRICES),
        ("0011_more.cql", "DROP TABLE shop.names;"),
    ]);
    assert_eq!(session.migrate("shop", &more).await.unwrap(), ["0011_more.cql"]);
}

#[tokio::test]
async fn migration_file_may_contain_every_kind_of_write() {
    let (_local, session) = without_ddl_delay().await;
    let text = "
        CREATE TYPE shop.address (street text);
        CREATE TABLE shop.people (id int PRIMARY KEY, home frozen<address>, tags set<text>);
        CREATE TABLE shop.hits (page text PRIMARY KEY, n counter);
        UPDATE shop.hits SET n = n + 3 WHERE page = '/';
        INSERT INTO shop.people (id, home) VALUES (1, {street: 'a; b'}) IF NOT EXISTS;
        INSERT INTO shop.people (id) VALUES (1) IF NOT EXISTS;
        UPDATE shop.people SET tags = tags + {'x'} WHERE id = 1;
        BEGIN UNLOGGED BATCH
            INSERT INTO shop.people (id) VALUES (2);
            INSERT INTO shop.people (id) VALUES (3);
        APPLY BATCH;
        DELETE FROM shop.people WHERE id = 3;";
    let files = migrations(&[("1_all.cql", text)]);
    let reported: Vec<MigrationProgress> = session.migrate("shop", &files).progress().try_collect().await.unwrap();
    let not_applied = MigrationProgress::NotApplied { file: "1_all.cql".to_owned(), statement: 6 };
    assert!(reported.contains(&not_applied), "{reported:?}");
    assert_eq!(rows(&session, "shop.people").await.len(), 2);
    let hits = session.rows::<(keyspaces::value::Counter,)>("SELECT n FROM shop.hits WHERE page = '/'", ());
    let hits: Vec<_> = hits.try_collect().await.unwrap();
    assert_eq!(hits[0].0.0, 3);
}

#[tokio::test]
async fn migrations_from_folder_skip_files_that_are_not_cql() {
    let folder = std::env::temp_dir().join(format!("migrations-{}", uuid::Uuid::new_v4().simple()));
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("0002_prices.cql"), PRICES).unwrap();
    std::fs::write(folder.join("0001_names.cql"), NAMES).unwrap();
    std::fs::write(folder.join("README.md"), "What it is.").unwrap();
    let files = Migrations::from_folder(&folder).unwrap();
    let names: Vec<_> = files.iter().map(|file| file.file().to_owned()).collect();
    assert_eq!(names, ["0001_names.cql", "0002_prices.cql"]);
    std::fs::write(folder.join("0003_long.cql"), vec![b' '; 4 * 1024 * 1024 + 1]).unwrap();
    let long = Migrations::from_folder(&folder).unwrap_err();
    assert_eq!(long.to_string(), "reading migrations failed: 0003_long.cql, the file is longer than 4194304 bytes");
    std::fs::write(folder.join("0003_long.cql"), [0xff]).unwrap();
    let binary = Migrations::from_folder(&folder).unwrap_err().to_string();
    assert!(binary.contains("0003_long.cql cannot be read: invalid utf-8"), "{binary}");
    std::fs::remove_dir_all(&folder).unwrap();
    let gone = Migrations::from_folder(&folder).unwrap_err().to_string();
    assert!(gone.starts_with(&format!("reading migrations failed: {} cannot be read: ", folder.display())), "{gone}");
}

#[tokio::test]
async fn migration_survives_lost_responses_to_its_conditional_writes() {
    let (local, session) = without_ddl_delay().await;
    let files = migrations(&[("1_names.cql", NAMES), ("2_prices.cql", PRICES)]);
    session.migrate("shop", &migrations(&[])).await.unwrap();
    let lost = || Effect::Error { moment: Moment::After, code: 0x1100, text: "no answer".to_owned() };
    // Loses the first response to each kind of conditional write that migrations make.
    for part in ["holder = ? AND expires_at", "under_way = ?", "applied_by", "held_by = ''"] {
        local.faults().inject(Fault::new(lost()).kind(Kind::Execute).containing(part).times(1));
    }
    let begun = std::time::Instant::now();
    assert_eq!(session.migrate("shop", &files).await.unwrap(), ["1_names.cql", "2_prices.cql"]);
    assert_eq!(recorded(&session).await, ["1_names.cql", "2_prices.cql"]);
    assert_eq!(local.journal().filter(|received| received.fault.is_some()).len(), 4);
    assert!(begun.elapsed() < Duration::from_secs(60), "it did not have to wait for its own lease");
}

#[tokio::test]
async fn plain_cassandra_can_be_migrated() {
    let endpoint = Endpoint::cassandra(shared().await.cassandra_address().to_string()).unwrap();
    let session = Session::builder().endpoint(endpoint).connect().await.unwrap();
    let keyspace = format!("migrated_{}", &uuid::Uuid::new_v4().simple().to_string()[..12]);
    let in_keyspace = |text: &str| text.replace("shop.", &format!("{keyspace}."));
    let names = NAMES.replace(';', " WITH custom_properties = {'ttl': {'status': 'enabled'}};");
    let files = Migrations::new([("1_names.cql", in_keyspace(&names)), ("2_prices.cql", in_keyspace(PRICES))]).unwrap();
    let refused = session.migrate(&keyspace, &files).await.unwrap_err().to_string();
    let reported = format!(
        "migrating: 1_names.cql, statement 1: CREATE TABLE {keyspace}.names failed: only Keyspaces has the options"
    );
    assert!(refused.starts_with(&reported), "{refused}");
    let migrate = session.migrate(&keyspace, &files).without_keyspaces_options_on_cassandra();
    assert_eq!(migrate.await.unwrap(), ["1_names.cql", "2_prices.cql"]);
    assert!(session.migrate(&keyspace, &files).await.unwrap().is_empty());
    session.schema().drop_keyspace(&keyspace).await.unwrap();
}

#[tokio::test]
async fn concurrent_migrations_apply_each_file_once() {
    let (local, one) = without_ddl_delay().await;
    let other = crate::local::signed(&local).connect().await.unwrap();
    let files = migrations(&[("1_names.cql", NAMES), ("2_prices.cql", PRICES)]);
    let (first, second) = tokio::try_join!(async { with_short_lease(&one, &files).await }, async {
        with_short_lease(&other, &files).await
    })
    .unwrap();
    let mut applied = [first, second].concat();
    applied.sort();
    assert_eq!(applied, ["1_names.cql", "2_prices.cql"]);
    assert_eq!(local.journal().containing("CREATE TABLE shop.names").len(), 1);
}
