mod bad_input;
mod changes;
mod corpus;
mod describing;
pub(crate) mod property;
mod restore;

use keyspaces::Session;
use uuid::Uuid;

/// The keyspace for the tables of these modules.
async fn keyspace(session: &Session) -> &'static str {
    crate::server::keyspace(session, "it_schema").await;
    "it_schema"
}

/// A table name that no other test uses.
fn name() -> String {
    format!("t{}", Uuid::new_v4().simple())
}
