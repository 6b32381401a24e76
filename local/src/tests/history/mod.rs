//! What is written to a table with point-in-time recovery, and brought back as it was.

mod counters;
mod doubt;
mod expiry;
mod lifecycle;
mod property;
mod statements;
mod together;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::client::{Client, ClientAnswer, ResultSet, With};
use super::{RECOVERY, another};
use crate::history::History;
use crate::local::Local;
use crate::names::{SchemaObject, TableId};
use crate::upstream::InternalConnection;

/// A table with recovery, and another like it into which it is brought back.
struct RecoverableTable {
    local: Local,
    client: Client,
    own: InternalConnection,
}

impl RecoverableTable {
    /// `ks.t` with these columns and key, and these options.
    async fn new(columns: &str, options: &str) -> Self {
        let local = another().await.ddl_delay(Duration::ZERO).start().await.unwrap();
        Self::of(local, columns, options).await
    }

    async fn of(local: Local, columns: &str, options: &str) -> Self {
        let mut client = Client::connect(&local).await;
        client.keyspace("ks").await;
        client.query("CREATE TYPE ks.y (a int, b text)").await;
        client.table("ks", "t", &format!("({columns}) WITH {RECOVERY}{options}")).await;
        client.table("ks", "back", &format!("({columns})")).await;
        let own = InternalConnection::new(local.cassandra_address());
        Self { local, client, own }
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

    /// The rows at this moment.
    async fn noted(&mut self) -> (u64, ResultSet) {
        let rows = self.rows("t").await;
        let moment = now();
        while now() <= moment {
            tokio::task::yield_now().await;
        }
        (moment, rows)
    }

    /// The rows, once it is later than this.
    async fn noted_when(&mut self, later: u64) -> (u64, ResultSet) {
        tokio::time::sleep(Duration::from_millis(later.saturating_sub(now()))).await;
        self.noted().await
    }

    async fn rows(&mut self, table: &str) -> ResultSet {
        let mut all = ResultSet::default();
        for page in self.client.pages(Ok(&format!("SELECT * FROM ks.{table}")), With::default()).await {
            all.columns = page.columns;
            all.values.extend(page.values);
        }
        all
    }

    async fn brought_back(&mut self, moment: u64) -> ResultSet {
        let shared = self.local.listeners().shared();
        let back = format!("{}.back", shared.schema().names().quoted_keyspace("ks"));
        self.own.run(&format!("TRUNCATE {back}"), &[]).await.unwrap();
        self.history().bring_back(&self.table_id(), moment, &SchemaObject::table("ks", "back")).await.unwrap();
        self.rows("back").await
    }

    /// The same for what is done otherwise than by a text.
    async fn tells_of(&mut self, noted: &[(u64, ResultSet)]) {
        for (nth, (moment, rows)) in noted.iter().enumerate() {
            assert_eq!(self.brought_back(*moment).await, *rows, "after step {nth}");
        }
    }

    /// Runs statements one after the other; then the table can be brought back as it was after each.
    async fn tells_of_each(&mut self, statements: &[&str]) {
        let mut noted = Vec::new();
        for statement in statements {
            self.run(statement).await;
            noted.push(self.noted().await);
        }
        assert!(noted.windows(2).any(|two| two[0].1 != two[1].1), "{noted:?}");
        self.tells_of(&noted).await;
    }
}

fn now() -> u64 {
    millis(SystemTime::now())
}

fn millis(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as u64
}
