//! Restores of tables with point-in-time recovery: the rows are those of the moment.

mod concurrent_writes;
mod counters;
mod expiry;
mod lifecycle;
mod property;
mod statements;
mod unknown_outcome;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::client::{Client, ClientAnswer, RequestOptions, ResultSet};
use super::{RECOVERY, another};
use crate::history::History;
use crate::local::Local;
use crate::names::{SchemaObject, TableId};
use crate::upstream::InternalConnection;

/// A table with recovery, and another one with the same columns into which it is restored.
struct RecoverableTable {
    local: Local,
    client: Client,
    connection: InternalConnection,
}

impl RecoverableTable {
    /// `ks.t` with these columns and key, and these options.
    async fn new(columns: &str, options: &str) -> Self {
        let local = another().await.ddl_delay(Duration::ZERO).start().await.unwrap();
        Self::with_local(local, columns, options).await
    }

    async fn with_local(local: Local, columns: &str, options: &str) -> Self {
        let mut client = Client::connect(&local).await;
        client.keyspace("ks").await;
        client.query("CREATE TYPE ks.y (a int, b text)").await;
        client.table("ks", "t", &format!("({columns}) WITH {RECOVERY}{options}")).await;
        client.table("ks", "back", &format!("({columns})")).await;
        let connection = InternalConnection::new(local.cassandra_address());
        Self { local, client, connection }
    }

    fn history(&self) -> Arc<History> {
        Arc::clone(self.local.listeners().shared().history())
    }

    fn table_id(&self) -> TableId {
        self.local.listeners().shared().schema().table_id(&SchemaObject::table("ks", "t")).unwrap()
    }

    async fn run(&mut self, text: &str) {
        let answer = self.client.query(text).await;
        assert!(matches!(answer, ClientAnswer::Void | ClientAnswer::Rows(_)), "{text}: {answer:?}");
    }

    /// The current rows and a moment at which the table had them.
    async fn snapshot(&mut self) -> (u64, ResultSet) {
        let rows = self.rows("t").await;
        let moment = now();
        while now() <= moment {
            tokio::task::yield_now().await;
        }
        (moment, rows)
    }

    /// The same, after this time.
    async fn snapshot_after(&mut self, later: u64) -> (u64, ResultSet) {
        tokio::time::sleep(Duration::from_millis(later.saturating_sub(now()))).await;
        self.snapshot().await
    }

    async fn rows(&mut self, table: &str) -> ResultSet {
        let mut all = ResultSet::default();
        for page in self.client.pages(Ok(&format!("SELECT * FROM ks.{table}")), RequestOptions::default()).await {
            all.columns = page.columns;
            all.values.extend(page.values);
        }
        all
    }

    async fn restored_rows(&mut self, moment: u64) -> ResultSet {
        let shared = self.local.listeners().shared();
        let back = format!("{}.back", shared.schema().names().quoted_keyspace("ks"));
        self.connection.run(&format!("TRUNCATE {back}"), &[]).await.unwrap();
        self.history().restore(&self.table_id(), moment, &SchemaObject::table("ks", "back")).await.unwrap();
        self.rows("back").await
    }

    /// Asserts that the table is restored to each snapshot.
    async fn assert_restores(&mut self, snapshots: &[(u64, ResultSet)]) {
        for (nth, (moment, rows)) in snapshots.iter().enumerate() {
            assert_eq!(self.restored_rows(*moment).await, *rows, "after step {nth}");
        }
    }

    /// Executes statements one after the other, and asserts that the table is restored to its rows after each.
    async fn assert_restores_after_each(&mut self, statements: &[&str]) {
        let mut snapshots = Vec::new();
        for statement in statements {
            self.run(statement).await;
            snapshots.push(self.snapshot().await);
        }
        assert!(snapshots.windows(2).any(|two| two[0].1 != two[1].1), "{snapshots:?}");
        self.assert_restores(&snapshots).await;
    }
}

fn now() -> u64 {
    millis(SystemTime::now())
}

fn millis(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as u64
}
