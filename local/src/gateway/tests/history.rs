//! What is written to a table with point-in-time recovery, and brought back as it was.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::another;
use super::client::{Answer, Client, Rows, With};
use crate::gateway::Own;
use crate::history::{History, Life};
use crate::local::Local;
use crate::schema::Thing;

const RECOVERY: &str = "CUSTOM_PROPERTIES = {'point_in_time_recovery': {'status': 'enabled'}}";

/// A table with recovery, and another like it into which it is brought back.
struct Table {
    local: Local,
    client: Client,
    own: Own,
}

impl Table {
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
        let own = Own::new(local.cassandra_address());
        Self { local, client, own }
    }

    fn history(&self) -> Arc<History> {
        Arc::clone(self.local.doors().shared().schema.history())
    }

    fn life(&self) -> Life {
        self.local.doors().shared().schema.life(&Thing::table("ks", "t")).unwrap()
    }

    async fn run(&mut self, text: &str) {
        let answer = self.client.query(text).await;
        assert!(matches!(answer, Answer::Void | Answer::Rows(_)), "{text}: {answer:?}");
    }

    /// The rows at this moment.
    async fn noted(&mut self) -> (u64, Rows) {
        let rows = self.rows("t").await;
        let moment = now();
        while now() <= moment {
            tokio::task::yield_now().await;
        }
        (moment, rows)
    }

    async fn rows(&mut self, table: &str) -> Rows {
        let mut all = Rows::default();
        for page in self.client.pages(Ok(&format!("SELECT * FROM ks.{table}")), With::default()).await {
            all.columns = page.columns;
            all.values.extend(page.values);
        }
        all
    }

    async fn brought_back(&mut self, moment: u64) -> Rows {
        let shared = self.local.doors().shared();
        let back = format!("{}.back", shared.schema.names().quoted_keyspace("ks"));
        self.own.run(&format!("TRUNCATE {back}"), &[]).await.unwrap();
        self.history().bring_back(&self.life(), moment, &Thing::table("ks", "back")).await.unwrap();
        self.rows("back").await
    }

    /// Runs statements one after the other; then the table can be brought back as it was after each.
    async fn tells_of_each(&mut self, statements: &[&str]) {
        let mut noted = Vec::new();
        for statement in statements {
            self.run(statement).await;
            noted.push(self.noted().await);
        }
        for (statement, (moment, rows)) in statements.iter().zip(noted) {
            assert_eq!(self.brought_back(moment).await, rows, "after {statement}");
        }
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as u64
}

#[tokio::test]
async fn a_table_is_told_of_after_each_kind_of_statement() {
    let columns = "p int, c int, s text STATIC, r text, q int, PRIMARY KEY (p, c)";
    let mut table = Table::new(columns, "").await;
    table
        .tells_of_each(&[
            "INSERT INTO ks.t (p, c, r) VALUES (1, 1, 'one')",
            "INSERT INTO ks.t (p, c, r, q, s) VALUES (1, 2, 'two', 2, 'static')",
            "INSERT INTO ks.t (p, c) VALUES (1, 3)",
            "UPDATE ks.t SET r = 'changed' WHERE p = 1 AND c = 1",
            "UPDATE ks.t SET q = 5, s = 'and static' WHERE c = 4 AND p = 1",
            "UPDATE ks.t SET q = null WHERE p = 1 AND c = 4",
            "UPDATE ks.t SET s = 'alone' WHERE p = 2",
            "INSERT INTO ks.t (p, s) VALUES (3, 'inserted alone')",
            "INSERT INTO ks.t JSON '{\"p\": 3, \"C\": 7, \"r\": \"it''s JSON\"}'",
            "DELETE r FROM ks.t WHERE p = 1 AND c = 1",
            "DELETE s FROM ks.t WHERE p = 2",
            "DELETE FROM ks.t WHERE p = 1 AND c = 2",
            "INSERT INTO ks.t (p, c, r) VALUES (1, 8, 'eight') IF NOT EXISTS",
            "INSERT INTO ks.t (p, c, r) VALUES (1, 8, 'not applied') IF NOT EXISTS",
            "UPDATE ks.t SET r = 'applied' WHERE p = 1 AND c = 8 IF r = 'eight'",
            "DELETE FROM ks.t WHERE p = 1 AND c = 8 IF EXISTS",
            "BEGIN UNLOGGED BATCH INSERT INTO ks.t (p, c, r) VALUES (4, 1, 'a'); UPDATE ks.t SET s = 'b' WHERE p = 4; \
             DELETE FROM ks.t WHERE p = 1 AND c = 1; APPLY BATCH",
            "BEGIN BATCH INSERT INTO ks.t (p, c, r) VALUES (4, 2, 'a'); INSERT INTO ks.t (p, c) VALUES (4, 3); APPLY BATCH",
            "DELETE FROM ks.t WHERE p = 4 AND c > 1",
            "INSERT INTO ks.t (p, c, r) VALUES (4, 2, 'again')",
            "DELETE FROM ks.t WHERE p = 4",
            "INSERT INTO ks.t (p, c, r) VALUES (4, 1, 'after all')",
        ])
        .await;
}
