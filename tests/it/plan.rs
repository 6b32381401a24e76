mod applying;
mod property;

use std::time::Duration;

use keyspaces::Session;
use keyspaces_local::Local;

/// A local Keyspaces of the test's own, whose definitions take effect at once.
async fn prompt() -> (Local, Session) {
    let local = Local::builder().ddl_delay(Duration::ZERO).start().await.unwrap();
    let session = crate::local::signed(&local).connect().await.unwrap();
    (local, session)
}
