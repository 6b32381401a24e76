//! Checks whether the tables of prepared statements are still those that they were prepared for.
//!
//! Version 4 of the protocol does not report a change: if a table was dropped and created again, the driver prepares its
//! statements again and sends them with values for the columns of the old table.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared, ready};
use keyspaces_cql::is_system_keyspace;
use scylla::client::session::Session as DriverSession;
use scylla::response::{PagingState, PagingStateResponse};
use tokio::time::timeout;
use tracing::{debug, info};
use uuid::Uuid;

use super::Cache;
use super::prepared_text::PreparedText;
use crate::execute;
use crate::lock::locked;
use crate::session::{InFlight, driver};

/// The time limit for reading the ids of a keyspace's tables, and for preparing a text.
const CHECK_TIMEOUT: Duration = Duration::from_secs(10);
/// The time limit for reading ids in parallel with the first PREPARE. Within it, the ids are those that the PREPARE saw,
/// because a table is not dropped and created again that fast.
const FIRST_READ_TIMEOUT: Duration = Duration::from_millis(500);

type Ids = HashMap<String, Uuid>;
/// The ids of a keyspace's tables; `None` if they could not be read.
type KnownIds = Shared<BoxFuture<'static, Option<Arc<Ids>>>>;

/// The table ids read so far, by keyspace.
#[derive(Default)]
pub(super) struct TableIds {
    known: Mutex<HashMap<String, KnownIds>>,
}

impl TableIds {
    /// Returns the id of the table of a statement that is about to be prepared. The ids of a keyspace are read in
    /// parallel with its first PREPARE, so that the first check of the tables does not have to prepare each statement
    /// again.
    pub(super) fn id_of(
        &self,
        in_flight: &InFlight,
        table: Option<&(String, String)>,
    ) -> impl Future<Output = Option<Uuid>> + use<> {
        let read = table.filter(|(keyspace, _)| !is_system_keyspace(keyspace)).map(|(keyspace, table)| {
            let mut known = self.lock();
            let ids = known.entry(keyspace.clone()).or_insert_with(|| first_read(in_flight, keyspace));
            (ids.clone(), table.clone())
        });
        async {
            let (ids, table) = read?;
            ids.await?.get(&table).copied()
        }
    }

    fn insert(&self, keyspace: String, ids: Ids) {
        self.lock().insert(keyspace, ready(Some(Arc::new(ids))).boxed().shared());
    }

    /// Removes all ids, because a definition has changed the tables.
    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, KnownIds>> {
        locked(&self.known)
    }
}

fn first_read(in_flight: &InFlight, keyspace: &str) -> KnownIds {
    let (driver, keyspace) = (in_flight.shared_driver(), keyspace.to_owned());
    // The read runs in its own task, because it must be sent before the PREPARE, and nothing polls it until the PREPARE is
    // answered.
    let read = tokio::spawn(timeout(FIRST_READ_TIMEOUT, async move { read_ids(&driver, &keyspace).await }));
    async { Some(Arc::new(read.await.ok()?.ok()??)) }.boxed().shared()
}

/// Reads the table ids of all prepared statements in use. If the id of a text's table has changed, the text is prepared
/// again; if its columns differ, statements made from it fail from now on.
///
/// This function does not hold the session, so a session that is dropped meanwhile is closed at once.
pub(crate) async fn check_tables(cache: &Cache, driver: &DriverSession) {
    let mut by_keyspace: BTreeMap<String, Vec<Arc<PreparedText>>> = BTreeMap::new();
    for prepared in cache.in_use() {
        if let Some((keyspace, _)) = prepared.table().filter(|(keyspace, _)| !is_system_keyspace(keyspace)) {
            by_keyspace.entry(keyspace.clone()).or_default().push(prepared);
        }
    }
    for (keyspace, statements) in by_keyspace {
        let Ok(Some(ids)) = timeout(CHECK_TIMEOUT, read_ids(driver, &keyspace)).await else { continue };
        for prepared in statements {
            // A missing table needs no check, because the server refuses its statements.
            let id = prepared.table().and_then(|(_, table)| ids.get(table)).copied();
            if let Some(id) = id.filter(|id| prepared.table_id() != Some(*id)) {
                check_table(cache, driver, &prepared, id).await;
            }
        }
        cache.table_ids().insert(keyspace, ids);
    }
}

async fn check_table(cache: &Cache, driver: &DriverSession, prepared: &Arc<PreparedText>, id: Uuid) {
    let Ok(Ok(current)) = timeout(CHECK_TIMEOUT, driver::prepare(driver, prepared.text())).await else { return };
    if prepared.has_same_columns(&current) {
        return prepared.set_table_id(id);
    }
    info!(statement = prepared.text(), "a table has other columns than when a statement of it was prepared");
    prepared.mark_outdated();
    cache.forget(prepared);
}

/// Reads the ids of a keyspace's tables by name; `None` if they cannot be read.
async fn read_ids(driver: &DriverSession, keyspace: &str) -> Option<Ids> {
    // The text has no bind markers, because a text with values would be prepared first.
    let keyspace = keyspace.replace('\'', "''");
    let text = format!("SELECT table_name, id FROM system_schema.tables WHERE keyspace_name = '{keyspace}'");
    let mut ids = Ids::new();
    let mut state = PagingState::start();
    loop {
        let (page, next) = execute::read_session_page(driver, &text, state)
            .await
            .inspect_err(|error| debug!(%error, keyspace, "the ids of tables cannot be read, and will be read again"))
            .ok()?;
        let page = page.into_rows_result().ok()?;
        for row in page.rows::<(String, Option<Uuid>)>().ok()? {
            let (table, id) = row.ok()?;
            ids.extend(id.map(|id| (table, id)));
        }
        state = match next {
            PagingStateResponse::HasMorePages { state } => state,
            PagingStateResponse::NoMorePages => return Some(ids),
        };
    }
}
