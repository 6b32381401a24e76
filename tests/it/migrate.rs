mod applying;
mod bad_input;
mod interrupted;
mod lock;
mod processes;

use std::time::Duration;

use keyspaces::migrate::{Migrate, Migrations};
use keyspaces::{Row, Session};

fn migrations(files: &[(&str, &str)]) -> Migrations {
    Migrations::new(files.iter().copied()).unwrap()
}

/// A migration with a lease that is short enough for a test to wait for.
fn with_short_lease<'a>(session: &'a Session, migrations: &'a Migrations) -> Migrate<'a> {
    session.migrate("shop", migrations).lease(Duration::from_secs(5)).clock_skew(Duration::ZERO)
}

/// The names of the recorded files, by their numbers.
async fn recorded(session: &Session) -> Vec<String> {
    let mut rows = session.rows::<(i64, Option<String>)>("SELECT version, file FROM shop.schema_migrations", ());
    let mut files = Vec::new();
    while let Some((version, file)) = rows.try_next().await.unwrap() {
        files.extend(file.map(|file| (version, file)));
    }
    files.sort();
    files.into_iter().map(|(_, file)| file).collect()
}

/// The rows of a table.
async fn rows(session: &Session, table: &str) -> Vec<Row> {
    session.rows::<Row>(&format!("SELECT * FROM {table}"), ()).try_collect().await.unwrap()
}
