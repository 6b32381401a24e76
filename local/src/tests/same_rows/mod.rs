//! Random writes and reads give the same rows through the gateway as directly from the backing Cassandra.
//!
//! Every write goes through the gateway to one table and directly to a twin. Every read goes through the gateway, page
//! by page, and directly to Cassandra, which returns all rows at once. The two exceptions, [`is_order_refused`] and
//! [`TableRead::is_incomplete`], are in `DIFFERENCES.md`.

mod cassandra;
mod gateway;
mod read;
mod shape;
mod text;
mod value;
mod write;

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};

use super::client::{Client, ClientAnswer, ResultSet};
use super::{INVALID, another};
use crate::local::Local;
use crate::names::SchemaObject;
use cassandra::CassandraSide;
use gateway::GatewaySide;
use read::{TableRead, read};
use shape::{Shape, shape};
use text::SendOptions;
use write::{TableWrite, write};

/// The number of cases per table, because each table costs Cassandra memory.
const CASES_OF_A_TABLE: u32 = 20;

const USER_TYPE: &str = "CREATE TYPE ks.y (a int, b text)";

/// Writes to an empty table, and reads after them.
#[derive(Clone, Debug)]
struct Case {
    writes: Vec<TableWrite>,
    reads: Vec<TableRead>,
}

/// A gateway and its backing Cassandra.
struct Sides {
    local: Local,
    gateway: GatewaySide,
    cassandra: CassandraSide,
    /// Cassandra's names of the table that is written through the gateway, and of its twin.
    table: String,
    twin: String,
}

/// The environment variable `SAME_ROWS_CASES` sets the number of cases, 200 by default.
#[test]
fn any_writes_and_reads_give_the_rows_that_cassandra_gives() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let cases = std::env::var("SAME_ROWS_CASES").ok().map_or(200, |cases| cases.parse().unwrap());
    let sides = runtime.block_on(Sides::new());
    let sides = tokio::sync::Mutex::new(sides);
    let mut runner = TestRunner::default();
    let mut left: u32 = cases;
    while left > 0 {
        let cases = left.min(CASES_OF_A_TABLE);
        left -= cases;
        let shape = shape().new_tree(&mut runner).unwrap().current();
        runtime.block_on(async { sides.lock().await.begin(&shape).await });
        let config = Config { cases, max_shrink_iters: 400, failure_persistence: None, ..Config::default() };
        let result = TestRunner::new(config)
            .run(&case(&shape), |case| runtime.block_on(async { sides.lock().await.check(&shape, &case).await }));
        if let Err(TestError::Fail(reason, case)) = result {
            panic!("{}\n{reason}\n", script(&shape, &case));
        }
        result.unwrap();
        runtime.block_on(async { sides.lock().await.end().await });
    }
    let GatewaySide { with_rows, with_pages, .. } = sides.into_inner().gateway;
    assert!(cases < 20 || with_pages > cases / 8, "{with_rows} reads with rows, {with_pages} on several pages");
}

fn case(shape: &Shape) -> impl Strategy<Value = Case> + use<> {
    let writes = prop::collection::vec(write(shape), 0..30);
    let reads = prop::collection::vec(read(shape), 0..10);
    (writes, reads).prop_map(|(writes, reads)| Case { writes, reads })
}

/// The statements of a case, to paste into cqlsh. A `?` is an unset value.
fn script(shape: &Shape, case: &Case) -> String {
    let mut script = format!("\n{USER_TYPE};\nCREATE TABLE ks.t {};\n", shape.definition());
    for write in &case.writes {
        let text = write.text().literal("ks.t");
        let _ = writeln!(script, "{text}; -- {}", describe(&write.send_options, write.as_batch));
    }
    for read in &case.reads {
        let text = read.text.literal("ks.t");
        let _ = writeln!(script, "{text}; -- pages of {:?}; {}", read.page_sizes, describe(&read.send_options, false));
    }
    script
}

fn describe(send_options: &SendOptions, as_batch: bool) -> String {
    format!("{}{send_options:?}", if as_batch { "as BATCH; " } else { "" })
}

impl Sides {
    async fn new() -> Self {
        let local = another().await.ddl_delay(Duration::ZERO).start().await.unwrap();
        let mut client = Client::connect(&local).await;
        client.keyspace("ks").await;
        assert!(matches!(client.query(USER_TYPE).await, ClientAnswer::Changed(_)));
        let cassandra = CassandraSide::connect(local.cassandra_address()).await;
        let shared = local.listeners().shared();
        let [table, twin] =
            ["t", "twin"].map(|name| shared.schema().names().qualified(&SchemaObject::table("ks", name)));
        let gateway = GatewaySide { client, with_rows: 0, with_pages: 0 };
        Self { local, gateway, cassandra, table, twin }
    }

    async fn begin(&mut self, shape: &Shape) {
        for name in ["t", "twin"] {
            self.gateway.client.table("ks", name, &shape.definition()).await;
        }
    }

    async fn end(&mut self) {
        for name in ["t", "twin"] {
            assert!(matches!(
                self.gateway.client.query(&format!("DROP TABLE ks.{name}")).await,
                ClientAnswer::Changed(_)
            ));
        }
    }

    async fn check(&mut self, shape: &Shape, case: &Case) -> Result<(), TestCaseError> {
        let key: Vec<_> = shape.partition.iter().map(|column| column.name.as_str()).collect();
        self.cassandra.empty(&self.table, &key).await;
        self.cassandra.empty(&self.twin, &key).await;
        for write in &case.writes {
            let text = write.text();
            let direct = self.cassandra.write(&text, &self.twin);
            let (through, direct) = tokio::join!(self.gateway.write(write), direct);
            let direct = self.restored(direct);
            let text = || text.literal("ks.t");
            prop_assert!(are_equal_answers(&through, &direct), "{}\n{through:?}\n{direct:?}", text());
        }
        let [through, direct] = [&self.table, &self.twin].map(|table| format!("SELECT * FROM {table}"));
        let (through, direct) = (self.cassandra.rows(&through).await, self.cassandra.rows(&direct).await);
        same(&through, &direct).map_err(|reason| TestCaseError::fail(format!("the tables differ: {reason}")))?;
        for read in &case.reads {
            let direct = read.text.literal(&self.table);
            let (through, direct) = tokio::join!(self.gateway.read(read), self.cassandra.query(&direct));
            let direct = self.restored(direct);
            let outcome = match (&through, &direct) {
                (through, ClientAnswer::Rows(_)) if read.orders_partitions && is_order_refused(through) => Ok(()),
                (ClientAnswer::Rows(through), ClientAnswer::Rows(direct)) if read.is_incomplete => {
                    check_subset(through, direct)
                }
                (ClientAnswer::Rows(through), ClientAnswer::Rows(direct)) => same(through, direct),
                (through, direct) if through == direct => Ok(()),
                (through, direct) => Err(format!("{through:?}\n{direct:?}")),
            };
            outcome.map_err(|reason| TestCaseError::fail(format!("{}: {reason}", read.text.literal("ks.t"))))?;
        }
        Ok(())
    }

    /// Replaces Cassandra's names by the client's, and the twin's name by the table's.
    fn restored(&self, answer: ClientAnswer) -> ClientAnswer {
        match answer {
            ClientAnswer::Refused(code, text, rest) => {
                let shared = self.local.listeners().shared();
                let text = shared.schema().names().client_text(&text).replace("ks.twin", "ks.t");
                ClientAnswer::Refused(code, text, rest)
            }
            other => other,
        }
    }
}

/// Whether the gateway refuses ORDER BY with IN on the partition key (`DIFFERENCES.md`). `IN (1)` counts as `= 1`.
fn is_order_refused(through: &ClientAnswer) -> bool {
    let text = "keyspaces-local: not emulated: ORDER BY with IN on the partition key";
    *through == ClientAnswer::Refused(INVALID, text.into(), Bytes::new())
}

fn are_equal_answers(through: &ClientAnswer, direct: &ClientAnswer) -> bool {
    match (through, direct) {
        (ClientAnswer::Rows(through), ClientAnswer::Rows(direct)) => same(through, direct).is_ok(),
        (through, direct) => through == direct,
    }
}

/// Compares the columns, if the answer has them, and the rows in their order.
fn same(through: &ResultSet, direct: &ResultSet) -> Result<(), String> {
    if !through.columns.is_empty() && through.columns != direct.columns {
        return Err(format!("columns {:?} and {:?}", through.columns, direct.columns));
    }
    if through.values == direct.values {
        return Ok(());
    }
    let pairs = through.values.iter().zip(&direct.values);
    let first = pairs.take_while(|(through, direct)| through == direct).count();
    Err(format!(
        "{} rows through the gateway and {} from Cassandra; row {first}: {} and {}",
        through.values.len(),
        direct.values.len(),
        shown(through.values.get(first)),
        shown(direct.values.get(first)),
    ))
}

/// Each row through the gateway is one of Cassandra's rows, once and in the same order.
fn check_subset(through: &ResultSet, direct: &ResultSet) -> Result<(), String> {
    let mut direct = direct.values.iter();
    match through.values.iter().find(|row| !direct.any(|other| other == *row)) {
        Some(row) => Err(format!("a row that Cassandra does not give, or gives earlier: {}", shown(Some(row)))),
        None => Ok(()),
    }
}

fn shown(row: Option<&Vec<Option<Bytes>>>) -> String {
    let value = |value: &Option<Bytes>| match value {
        Some(bytes) => {
            format!("0x{}{}", hex::encode(&bytes[..bytes.len().min(40)]), if bytes.len() > 40 { "…" } else { "" })
        }
        None => "null".into(),
    };
    row.map_or_else(|| "none".into(), |row| row.iter().map(value).collect::<Vec<_>>().join(", "))
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as i64
}
