//! The service's `system.local` has an address on which no server listens, with the host id of a peer. No session may lose
//! that peer. The test measures this as it was measured for other drivers: a dozen sessions, each with requests to count.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use keyspaces::{ReadConsistency, Select};
use keyspaces_local::Local;
use keyspaces_local::journal::{Consistency, Kind};

use crate::local::{session, shared, signed};

#[tokio::test]
async fn requests_of_each_session_are_spread_over_all_peers() {
    const REQUESTS: usize = 360;
    let local = Local::builder().start().await.expect("a local Keyspaces");
    for _ in 0..12 {
        let session = signed(&local).connect().await.expect("a session");
        let statement: Select<(), (String,)> =
            session.prepare("SELECT cluster_name FROM system.local").await.expect("a statement");
        local.journal().clear();
        for _ in 0..REQUESTS {
            assert_eq!(statement.one(()).await.expect("a row"), Some(("Amazon Keyspaces".to_owned(),)));
        }
        let mut shares: BTreeMap<SocketAddr, usize> = BTreeMap::new();
        for received in local.journal().filter(|received| {
            received.kind == Kind::Execute
                && received.statement.as_deref() == Some("SELECT cluster_name FROM system.local")
        }) {
            *shares.entry(received.peer).or_default() += 1;
        }
        assert_eq!(shares.values().sum::<usize>(), REQUESTS);
        assert_eq!(shares.len(), 9, "{shares:?}");
        // With random choice, each of nine peers gets 40 of 360 requests with a standard deviation of 6: 8 or less is out of reach.
        assert!(shares.values().all(|share| *share > 8), "{shares:?}");
        session.close(std::time::Duration::from_secs(10)).await.expect("nothing is in flight");
    }
}

#[tokio::test]
async fn endpoint_serves_alone_if_system_peers_is_empty() {
    let local = Local::builder().peers(0).start().await.expect("a local Keyspaces");
    let session = signed(&local).connect().await.expect("a session");
    assert_eq!(session.peers().len(), 1);
    let statement: Select<(), (String,)> =
        session.prepare("SELECT release_version FROM system.local").await.expect("a statement");
    assert_eq!(statement.one(()).await.expect("a row"), Some(("3.11.2".to_owned(),)));
}

#[tokio::test]
async fn select_is_sent_at_the_requested_consistency() {
    let local = shared().await;
    let session = session().await;
    let text = "SELECT cluster_name FROM system.local WHERE key = 'local'";
    let statement: Select<(), (String,)> = session.prepare(text).await.expect("a statement");
    for (level, sent) in [
        (ReadConsistency::One, Consistency::One),
        (ReadConsistency::LocalOne, Consistency::LocalOne),
        (ReadConsistency::LocalQuorum, Consistency::LocalQuorum),
    ] {
        statement.with_consistency(level).rows(()).try_next().await.expect("a row");
        let last = local
            .journal()
            .filter(|received| received.kind == Kind::Execute && received.statement.as_deref() == Some(text));
        let last = last.last().expect("it was received");
        assert_eq!(last.consistency, Some(sent));
        assert_eq!(last.serial_consistency, None);
        assert_eq!(last.timestamp, None);
        assert_eq!(last.page_size, Some(1000));
    }
}
