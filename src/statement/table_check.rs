//! Whether the tables of prepared statements are still those that they were prepared for.
//!
//! Version 4 of the protocol does not say so: a statement of a table that was dropped and created again is prepared anew by the
//! driver, and is then sent with values for the columns of the old table.

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
use super::prepared::Prepared;
use crate::execute;
use crate::lock::locked;
use crate::session::{InFlight, driver};

/// How long reading the ids of a keyspace's tables or preparing a text may take.
const CHECK_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the ids that are read beside the first PREPARE may take to be those that the PREPARE saw: a table is not dropped
/// and created again within that time.
const SAME_TABLES_FOR: Duration = Duration::from_millis(500);

type Ids = HashMap<String, Uuid>;
/// `None` if they could not be read.
type KnownIds = Shared<BoxFuture<'static, Option<Arc<Ids>>>>;

/// The ids of tables, as far as they were read, by keyspace.
#[derive(Default)]
pub(super) struct TableIds {
    known: Mutex<HashMap<String, KnownIds>>,
}

impl TableIds {
    /// The id of the table that a statement is prepared for; called before it is. The ids of a keyspace are read beside the
    /// first PREPARE, so that the first check of the tables need not prepare each statement once more.
    pub(super) fn of(
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

    fn note(&self, keyspace: String, ids: Ids) {
        self.lock().insert(keyspace, ready(Some(Arc::new(ids))).boxed().shared());
    }

    /// Forgets all of them, because a definition has changed which tables there are.
    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, KnownIds>> {
        locked(&self.known)
    }
}

fn first_read(in_flight: &InFlight, keyspace: &str) -> KnownIds {
    let (driver, keyspace) = (in_flight.shared_driver(), keyspace.to_owned());
    // A task of its own, because it must be sent before the PREPARE and nobody polls it until that is answered.
    let read = tokio::spawn(timeout(SAME_TABLES_FOR, async move { read_ids(&driver, &keyspace).await }));
    async { Some(Arc::new(read.await.ok()?.ok()??)) }.boxed().shared()
}

/// Reads the ids of the tables of all prepared statements that are in use. A text of which the table has another id is
/// prepared anew; where its columns differ, statements that were made of it fail from now on.
///
/// It holds no session, so that one that is dropped meanwhile is closed at once.
pub(crate) async fn check_tables(cache: &Cache, driver: &DriverSession) {
    let mut by_keyspace: BTreeMap<String, Vec<Arc<Prepared>>> = BTreeMap::new();
    for prepared in cache.in_use() {
        if let Some((keyspace, _)) = prepared.table().filter(|(keyspace, _)| !is_system_keyspace(keyspace)) {
            by_keyspace.entry(keyspace.clone()).or_default().push(prepared);
        }
    }
    for (keyspace, statements) in by_keyspace {
        let Ok(Some(ids)) = timeout(CHECK_TIMEOUT, read_ids(driver, &keyspace)).await else { continue };
        for prepared in statements {
            // The server itself refuses a statement of a table that is not there.
            let id = prepared.table().and_then(|(_, table)| ids.get(table)).copied();
            if let Some(id) = id.filter(|id| prepared.table_id() != Some(*id)) {
                check_table(cache, driver, &prepared, id).await;
            }
        }
        cache.table_ids().note(keyspace, ids);
    }
}

async fn check_table(cache: &Cache, driver: &DriverSession, prepared: &Arc<Prepared>, id: Uuid) {
    let Ok(Ok(anew)) = timeout(CHECK_TIMEOUT, driver::prepare(driver, prepared.text())).await else { return };
    if prepared.has_the_columns_of(&anew) {
        return prepared.belongs_to_table(id);
    }
    info!(statement = prepared.text(), "a table has other columns than when a statement of it was prepared");
    prepared.becomes_outdated();
    cache.forget(prepared);
}

/// The ids of a keyspace's tables by their names; `None` if they cannot be read.
async fn read_ids(driver: &DriverSession, keyspace: &str) -> Option<Ids> {
    // A text without values, because one with values is prepared first.
    let keyspace = keyspace.replace('\'', "''");
    let text = format!("SELECT table_name, id FROM system_schema.tables WHERE keyspace_name = '{keyspace}'");
    let mut ids = Ids::new();
    let mut state = PagingState::start();
    loop {
        let (page, next) = execute::page_for_the_session(driver, &text, state)
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
