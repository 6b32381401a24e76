mod bad_input;
mod changes;
mod corpus;
mod describing;
pub(crate) mod property;
mod restore;

use keyspaces::Session;
use uuid::Uuid;

/// A keyspace for a module's tables.
async fn keyspace(session: &Session) -> &'static str {
    crate::server::keyspace(session, "it_schema").await;
    "it_schema"
}

/// The name of a table that nobody has.
fn name() -> String {
    format!("t{}", Uuid::new_v4().simple())
}
