mod bad_input;
mod exporting;
mod interrupted;
mod killed;
mod loading;

use std::fs;
use std::path::{Path, PathBuf};

use keyspaces::{Row, Session};

/// A temporary folder for one test, removed when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("keyspaces-bulk-{}", uuid::Uuid::new_v4()));
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// The rows of a table as text, sorted.
async fn rows(session: &Session, table: &str) -> Vec<String> {
    let rows: Vec<Row> = session.rows::<Row>(&format!("SELECT * FROM {table}"), ()).try_collect().await.unwrap();
    let mut rows: Vec<_> = rows.iter().map(|row| format!("{row:?}")).collect();
    rows.sort();
    rows
}

/// Splits a name into keyspace and table.
fn split_name(table: &str) -> (&str, &str) {
    table.split_once('.').unwrap()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}
