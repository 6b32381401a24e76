//! Throttling and counting, as a client sees them.

use bytes::Bytes;

use super::Time;
use super::client::{Client, ClientAnswer, LOCAL_QUORUM, RequestOptions, batch_body, opcode};
use crate::journal::Outcome;
use crate::{CapacityMode, Exceeded, Local, Operation};

const ONE: u16 = 1;

/// A service whose clock is stopped, with a table of one partition key, one clustering column and a text.
async fn with_stopped_clock(keyspace: &str) -> (Local, Client, Time) {
    let time = Time::new();
    let builder = super::another().await.throttling(true).clock(time.clock()).ddl_delay(std::time::Duration::ZERO);
    let local = builder.start().await.unwrap();
    let mut client = Client::connect(&local).await;
    client.keyspace(keyspace).await;
    client.table(keyspace, "t", "(p text, c int, v text, s text STATIC, PRIMARY KEY (p, c))").await;
    (local, client, time)
}

fn timeout(code: i32, fields: &'static [u8]) -> ClientAnswer {
    ClientAnswer::Refused(code, "Operation timed out - received only 0 responses.".into(), Bytes::from_static(fields))
}

/// The fields of the error at LOCAL_QUORUM: 0 of 2 responses received.
fn write_timeout() -> ClientAnswer {
    timeout(0x1100, b"\x00\x06\x00\x00\x00\x00\x00\x00\x00\x02\x00\x06SIMPLE")
}

fn read_timeout() -> ClientAnswer {
    timeout(0x1200, b"\x00\x06\x00\x00\x00\x00\x00\x00\x00\x02\x00")
}

#[tokio::test]
async fn a_table_of_five_units_accepts_five_and_executes_no_further_write() {
    let (local, mut client, time) = with_stopped_clock("throttle_table").await;
    local.throttling().set_capacity("throttle_table", "t", Some(CapacityMode::Provisioned { read: 5, write: 5 }));
    let insert = client.prepared("INSERT INTO throttle_table.t (p, c, v) VALUES (?, ?, 'x')").await;
    for row in 0..6_i32 {
        let values: &[&[u8]] = &[b"p", &row.to_be_bytes()];
        let answer = client.execute(&insert, RequestOptions { values, ..RequestOptions::default() }).await;
        assert_eq!(answer, if row < 5 { ClientAnswer::Void } else { write_timeout() });
    }
    let last = local.journal().containing("INSERT INTO throttle_table").pop().unwrap();
    assert_eq!(last.outcome, Some(Outcome::Throttled { code: 0x1100, exceeded: Exceeded::Table }));
    assert_eq!(client.rows("SELECT c FROM throttle_table.t").await.ints("c"), [0, 1, 2, 3, 4]);
    let inserts = local.metering().get("throttle_table", "t", Operation::Insert);
    assert_eq!((inserts.consumed_write_capacity_units, inserts.successful_request_count), (5.0, 5));
    assert_eq!((inserts.write_throttle_events, inserts.storage_partition_throughput_capacity_exceeded), (1, 0));

    time.pass(1);
    let batch: Vec<String> =
        (0..3).map(|row| format!("INSERT INTO throttle_table.t (p, c) VALUES ('b', {row})")).collect();
    let batch: Vec<_> = batch.iter().map(|text| Ok(text.as_str())).collect();
    let logged = client.call(opcode::BATCH, &batch_body(0, &batch, LOCAL_QUORUM)).await;
    assert_eq!(ClientAnswer::read(&logged), write_timeout(), "three rows of a logged batch take six units");
    assert_eq!(client.batch(&batch, LOCAL_QUORUM).await, ClientAnswer::Void, "and three of another");
    let batches = local.metering().get("throttle_table", "t", Operation::Batch);
    assert_eq!((batches.consumed_write_capacity_units, batches.successful_request_count), (3.0, 1));
}

#[tokio::test]
async fn the_capacity_follows_the_tables_definition() {
    let (local, mut client, time) = with_stopped_clock("throttle_modes").await;
    let provisioned = |units: u32| {
        format!(
            "CUSTOM_PROPERTIES = {{'capacity_mode': {{'throughput_mode': 'PROVISIONED', 'read_capacity_units': {units}, \
             'write_capacity_units': {units}}}}}"
        )
    };
    client.table("throttle_modes", "five", &format!("(a int PRIMARY KEY) WITH {}", provisioned(5))).await;
    let taken = async |client: &mut Client| {
        let mut taken = 0;
        while client.query(&format!("INSERT INTO throttle_modes.five (a) VALUES ({taken})")).await == ClientAnswer::Void
        {
            taken += 1;
        }
        taken
    };
    assert_eq!(taken(&mut client).await, 5);
    let altered = client.query(&format!("ALTER TABLE throttle_modes.five WITH {}", provisioned(9))).await;
    assert!(matches!(altered, ClientAnswer::Changed(_)), "{altered:?}");
    client.active("throttle_modes", "five").await;
    time.pass(1);
    assert_eq!(taken(&mut client).await, 9);
    drop(local);
}

#[tokio::test]
async fn a_read_takes_units_by_the_returned_bytes_and_half_of_them_at_one() {
    let (local, mut client, time) = with_stopped_clock("throttle_reads").await;
    let long = "x".repeat(5_000);
    client.query(&format!("INSERT INTO throttle_reads.t (p, c, v) VALUES ('p', 1, '{long}')")).await;
    let inserted = local.metering().get("throttle_reads", "t", Operation::Insert);
    assert_eq!(inserted.consumed_write_capacity_units, 5.0);

    local.throttling().set_capacity("throttle_reads", "t", Some(CapacityMode::Provisioned { read: 2, write: 1 }));
    let select = "SELECT v FROM throttle_reads.t WHERE p = 'p'";
    assert!(matches!(client.query(select).await, ClientAnswer::Rows(_)));
    assert_eq!(client.query(select).await, read_timeout());
    time.pass(1);
    for _ in 0..2 {
        assert!(matches!(client.query_with(select, RequestOptions::consistency(ONE)).await, ClientAnswer::Rows(_)));
    }
    assert_eq!(client.query_with(select, RequestOptions::consistency(ONE)).await, read_timeout());
    let selects = local.metering().get("throttle_reads", "t", Operation::Select);
    assert_eq!((selects.consumed_read_capacity_units, selects.successful_request_count), (4.0, 3));
    assert_eq!(selects.read_throttle_events, 2);
}

#[tokio::test]
async fn a_partition_takes_a_thousand_write_units_a_second_independently_of_others() {
    let (local, mut client, time) = with_stopped_clock("throttle_partition").await;
    let insert = client.prepared("INSERT INTO throttle_partition.t (p, c, v) VALUES (?, 1, ?)").await;
    // Including its key and the identifiers of its columns, exactly 250 units.
    let large = vec![b'x'; 250 * 1024 - 100];
    let mut write = async |partition: &[u8]| {
        client.execute(&insert, RequestOptions { values: &[partition, &large], ..RequestOptions::default() }).await
    };
    for _ in 0..4 {
        assert_eq!(write(b"hot").await, ClientAnswer::Void);
    }
    assert_eq!(write(b"hot").await, write_timeout());
    assert_eq!(write(b"other").await, ClientAnswer::Void);
    time.pass(1);
    assert_eq!(write(b"hot").await, ClientAnswer::Void);
    let inserts = local.metering().get("throttle_partition", "t", Operation::Insert);
    assert_eq!(inserts.consumed_write_capacity_units, 6.0 * 250.0);
    assert_eq!((inserts.write_throttle_events, inserts.storage_partition_throughput_capacity_exceeded), (1, 1));
}

#[tokio::test]
async fn requests_over_3000_per_second_on_a_connection_are_throttled() {
    let (local, mut client, _time) = with_stopped_clock("throttle_connection").await;
    local.throttling().set_capacity("throttle_connection", "t", Some(CapacityMode::Provisioned { read: 1, write: 1 }));
    let select = "SELECT v FROM throttle_connection.t WHERE p = 'p'";
    for _ in 0..3_001 {
        client.query(select).await;
    }
    let last = local.journal().containing("throttle_connection.t WHERE").pop().unwrap();
    assert_eq!(last.outcome, Some(Outcome::Throttled { code: 0x1200, exceeded: Exceeded::Connection }));
    let selects = local.metering().get("throttle_connection", "t", Operation::Select);
    assert_eq!((selects.read_throttle_events, selects.per_connection_request_rate_exceeded), (3_000, 1));
    assert_eq!(client.rows("SELECT key FROM system.local").await.values.len(), 1, "system tables are not counted");
    let other = Client::connect(&local).await.query(select).await;
    assert_eq!(other, read_timeout());
    assert_eq!(local.metering().get("throttle_connection", "t", Operation::Select).read_throttle_events, 3_001);
}

#[tokio::test]
async fn the_same_row_takes_the_same_units_however_it_is_written() {
    let (local, mut client, _time) = with_stopped_clock("metering").await;
    let long = "x".repeat(1_500);
    let consumed = |operation| local.metering().get("metering", "t", operation).consumed_write_capacity_units;
    let text = format!("INSERT INTO metering.t (p, c, v) VALUES ('p', 1, '{long}')");
    assert_eq!(client.query(&text).await, ClientAnswer::Void);
    assert_eq!(consumed(Operation::Insert), 2.0);

    let text = "INSERT INTO metering.t (p, c, v) VALUES (?, ?, ?)";
    let values: &[&[u8]] = &[b"p", &[0, 0, 0, 1], long.as_bytes()];
    let id = client.prepared(text).await;
    assert_eq!(client.execute(&id, RequestOptions { values, ..RequestOptions::default() }).await, ClientAnswer::Void);
    assert_eq!(
        client.query_with(text, RequestOptions { values, ..RequestOptions::default() }).await,
        ClientAnswer::Void
    );
    let by_name: &[&[u8]] = &[long.as_bytes(), &[0, 0, 0, 1], b"p"];
    let named = RequestOptions { values: by_name, names: &["v", "c", "p"], ..RequestOptions::default() };
    assert_eq!(client.query_with(text, named).await, ClientAnswer::Void);
    assert_eq!(consumed(Operation::Insert), 8.0);

    let update = format!("UPDATE metering.t SET v = '{long}' WHERE p = 'p' AND c = 1 IF v = '{long}'");
    assert!(matches!(client.query(&update).await, ClientAnswer::Rows(_)));
    assert_eq!(consumed(Operation::Update), 2.0);
    assert_eq!(client.query("DELETE FROM metering.t WHERE p = 'p' AND c = 1").await, ClientAnswer::Void);
    assert_eq!(consumed(Operation::Delete), 1.0);
    // A static column and another column: twice the units of each.
    let both = format!("INSERT INTO metering.t (p, c, v, s) VALUES ('p', 1, '{long}', 's')");
    assert_eq!(client.query(&both).await, ClientAnswer::Void);
    assert_eq!(consumed(Operation::Insert), 8.0 + 2.0 * 2.0 + 2.0);
    // A refused statement takes no units.
    assert!(matches!(
        client.query("INSERT INTO metering.t (p, c, v) VALUES ('p', 'no', '')").await,
        ClientAnswer::Refused(..)
    ));
    assert_eq!(local.metering().get("metering", "t", Operation::Insert).successful_request_count, 5);
}

/// The reads that the service counts differently (`DIFFERENCES.md`): each SELECT with its units here and on the
/// service.
#[tokio::test]
async fn reads_count_the_returned_rows() {
    let (local, mut client, _) = with_stopped_clock("units_of_reads").await;
    for row in 0..3 {
        let insert = format!("INSERT INTO units_of_reads.t (p, c, v) VALUES ('p', {row}, '{}')", "x".repeat(5_000));
        assert_eq!(client.query(&insert).await, ClientAnswer::Void);
    }
    let mut consumed = 0.0;
    for (select, local_units, service_units) in [
        // DG:range_queries: the row at which the range ends is read, too.
        ("SELECT * FROM units_of_reads.t WHERE p = 'p' AND c > 0 AND c < 2", 2.0, 4.0),
        // DG:limit_queries: up to 1 MB is read without a page size.
        ("SELECT * FROM units_of_reads.t LIMIT 1", 2.0, 256.0),
        // DG:table_scans: the three empty storage partitions of a new table count one unit each.
        ("SELECT * FROM units_of_reads.t", 4.0, 7.0),
    ] {
        client.rows(select).await;
        let selects = local.metering().get("units_of_reads", "t", Operation::Select);
        let units = selects.consumed_read_capacity_units - consumed;
        consumed = selects.consumed_read_capacity_units;
        assert_eq!(units, local_units, "{select}, which the service counts as {service_units}");
    }
}

/// The writes that the service counts by the existing rows (`DIFFERENCES.md`).
#[tokio::test]
async fn writes_count_the_values_that_the_statement_names() {
    let (local, mut client, _) = with_stopped_clock("units_of_writes").await;
    let insert = format!("INSERT INTO units_of_writes.t (p, c, v) VALUES ('p', 1, '{}')", "x".repeat(2_000));
    assert_eq!(client.query(&insert).await, ClientAnswer::Void);
    for (write, operation, local_units, service_units) in [
        // DG:lightweight_transactions: a failed condition takes the units of the existing row.
        ("INSERT INTO units_of_writes.t (p, c, v) VALUES ('p', 1, 'y') IF NOT EXISTS", Operation::Insert, 1.0, 2.0),
        ("DELETE FROM units_of_writes.t WHERE p = 'p' AND c = 1", Operation::Delete, 1.0, 2.0),
    ] {
        let before = local.metering().get("units_of_writes", "t", operation).consumed_write_capacity_units;
        client.query(write).await;
        let after = local.metering().get("units_of_writes", "t", operation).consumed_write_capacity_units;
        assert_eq!(after - before, local_units, "{write}, which the service counts as {service_units}");
    }
}
