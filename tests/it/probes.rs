//! The calls with which a program starts and answers the probes of its orchestrator.

use std::time::Duration;

use keyspaces::{ErrorKind, ReadyWhen};
use keyspaces_local::Local;

use crate::local::{shared, signed};

#[tokio::test]
async fn warm_up_waits_until_all_peers_are_connected() {
    let session = signed(shared().await).ready_when(ReadyWhen::OnePeer).connect().await.unwrap();
    assert!(session.health().is_ready() && session.health().is_live(), "{}", session.health());
    session.warm_up(Duration::from_secs(50)).await.unwrap();
    assert!(session.peers().len() > 1 && session.peers().iter().all(keyspaces::Peer::is_connected));
    session.close(Duration::from_secs(5)).await.unwrap();
    assert!(!session.health().is_ready() && !session.health().is_live());
    assert_eq!(session.warm_up(Duration::from_secs(50)).await.unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn the_shared_local_keyspaces_is_the_same_whatever_settings_are_given_later() {
    let first = shared().await;
    let other = Local::shared_with(Local::builder().peers(1)).await.unwrap();
    assert!(std::ptr::eq(first, other));
    assert_eq!(other.peers().len(), first.peers().len());
}
