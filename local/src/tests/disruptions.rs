//! Disruptions of the whole service: restarts, stopped peers, replaced certificates and credentials.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;

use super::client::{Client, ClientAnswer, RequestOptions, opcode, query_body};
use crate::credentials::Credentials;
use crate::fault::{Effect, Fault};
use crate::{ErrorKind, Local};

async fn log_in(local: &Local, credentials: &Credentials) -> ClientAnswer {
    let mut client = Client::unauthenticated(local).await;
    client.start_up(&[("CQL_VERSION", "3.0.0")]).await;
    let login = format!("\0{}\0{}", credentials.user, credentials.password);
    let received = client.auth_response(login.as_bytes()).await;
    if received.opcode == opcode::AUTH_SUCCESS { ClientAnswer::Void } else { ClientAnswer::read(&received) }
}

#[tokio::test]
async fn a_restart_loses_only_connections_and_prepared_statements() {
    let local = super::another().await.peers(2).start().await.unwrap();
    let mut client = Client::connect(&local).await;
    client.keyspace("disruptions_restart").await;
    client.table("disruptions_restart", "t", "(a int PRIMARY KEY)").await;
    client.query("INSERT INTO disruptions_restart.t (a) VALUES (1)").await;
    let id = client.prepared("SELECT a FROM disruptions_restart.t").await;

    local.restart(Duration::ZERO).await.unwrap();
    assert_eq!(client.receive().await, None);
    let mut client = Client::connect_at(&local, local.peers()[1]).await;
    let answer = client.execute(&id, RequestOptions::default()).await;
    assert!(matches!(answer, ClientAnswer::Refused(0x2500, ..)), "{answer:?}");
    assert_eq!(client.rows("SELECT a FROM disruptions_restart.t").await.ints("a"), [1]);

    local.faults().inject(Fault::new(Effect::Restart(Duration::from_millis(50))).containing("SELECT a").times(1));
    client.send(0, opcode::QUERY, &query_body("SELECT a FROM disruptions_restart.t", RequestOptions::default())).await;
    assert_eq!(client.receive().await, None);
    // Disruptions run one after the other: this one waits for the restart.
    local.start_peer(local.peers()[1]).await.unwrap();
    let mut client = Client::connect_at(&local, local.peers()[1]).await;
    assert_eq!(client.rows("SELECT a FROM disruptions_restart.t").await.ints("a"), [1]);
    assert_eq!(local.journal().containing("SELECT a FROM disruptions_restart.t").len(), 4);
}

#[tokio::test]
async fn a_peer_stops_and_starts_again() {
    let local = super::another().await.peers(2).start().await.unwrap();
    let [first, second] = local.peers()[..] else { panic!() };
    let [mut at_first, mut at_second] = [Client::connect(&local).await, Client::connect_at(&local, second).await];
    local.stop_peer(second).await.unwrap();
    assert_eq!(at_second.receive().await, None);
    assert!(TcpStream::connect(second).await.is_err());
    assert_eq!(at_first.rows("SELECT peer FROM system.peers").await.values.len(), 2);
    assert_eq!(local.journal().open_connections().into_iter().collect::<Vec<_>>(), [(first, 1)]);
    // A restart does not start a stopped peer.
    local.restart(Duration::ZERO).await.unwrap();
    assert!(TcpStream::connect(second).await.is_err());
    local.start_peer(second).await.unwrap();
    local.start_peer(second).await.unwrap();
    Client::connect_at(&local, second).await;

    let nowhere = SocketAddr::from(([127, 0, 0, 200], 1));
    let error = local.stop_peer(nowhere).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Setting);
    assert_eq!(error.to_string(), "127.0.0.200:1 is not an address of this local Keyspaces");
}

#[tokio::test]
async fn all_connections_are_closed_at_once() {
    let local = super::another().await.peers(2).start().await.unwrap();
    let mut clients = [Client::connect(&local).await, Client::connect_at(&local, local.peers()[1]).await];
    local.close_connections().await.unwrap();
    for client in &mut clients {
        assert_eq!(client.receive().await, None);
    }
    let mut clients = [Client::connect(&local).await, Client::connect_at(&local, local.peers()[1]).await];
    local.faults().inject(Fault::new(Effect::CloseAll).containing("SELECT key"));
    clients[0].send(0, opcode::QUERY, &query_body("SELECT key FROM system.local", RequestOptions::default())).await;
    for client in &mut clients {
        assert_eq!(client.receive().await, None);
    }
}

#[tokio::test]
async fn expired_credentials_are_refused_and_replacements_accepted() {
    let local = super::another().await.start().await.unwrap();
    let mut connected = Client::connect(&local).await;
    local.expire_credentials();
    let expired = "keyspaces-local: the credentials have expired (the service's message is not known)";
    assert!(
        matches!(log_in(&local, local.credentials()).await, ClientAnswer::Refused(0x0100, text, _) if text == expired)
    );
    assert_eq!(connected.rows("SELECT key FROM system.local").await.values.len(), 1);

    let new = Credentials::random();
    local.accept_credentials(new.clone()).unwrap();
    assert_eq!(log_in(&local, &new).await, ClientAnswer::Void);
    assert!(matches!(log_in(&local, local.credentials()).await, ClientAnswer::Refused(0x0100, ..)));
    local.accept_credentials(local.credentials().clone()).unwrap();
    assert_eq!(log_in(&local, local.credentials()).await, ClientAnswer::Void);
    let flawed = Credentials { user: String::new(), ..new };
    assert_eq!(local.accept_credentials(flawed).unwrap_err().kind(), ErrorKind::Setting);
}

#[tokio::test]
async fn the_certificate_can_be_renewed_by_the_same_or_a_new_authority() {
    let local = super::another().await.start().await.unwrap();
    let first = Client::certificate(local.ca_pem(), local.port()).await.unwrap();
    local.renew_certificate().unwrap();
    let second = Client::certificate(local.ca_pem(), local.port()).await.unwrap();
    assert_ne!(first, second);
    let authority = local.replace_authority().unwrap();
    let refused = Client::certificate(local.ca_pem(), local.port()).await.unwrap_err();
    assert!(refused.to_string().contains("invalid peer certificate"), "{refused}");
    local.restart(Duration::ZERO).await.unwrap();
    assert_ne!(Client::certificate(&authority, local.port()).await.unwrap(), second);
}

#[tokio::test]
async fn show_peers_replaces_the_rows_of_system_peers() {
    let local = super::another().await.peers(3).start().await.unwrap();
    let mut client = Client::connect(&local).await;
    let visible_peers = async |client: &mut Client| {
        let rows = client.rows("SELECT peer FROM system.peers").await;
        let mut visible_peers: Vec<_> = rows.values.iter().map(|row| row[0].as_ref().unwrap().to_vec()).collect();
        visible_peers.sort();
        visible_peers
    };
    local.show_peers([[127, 0, 0, 2].into(), [127, 0, 0, 77].into()]).await.unwrap();
    assert_eq!(visible_peers(&mut client).await, [[127, 0, 0, 2], [127, 0, 0, 77]]);
    local.restart(Duration::ZERO).await.unwrap();
    let mut client = Client::connect(&local).await;
    assert_eq!(visible_peers(&mut client).await, [[127, 0, 0, 2], [127, 0, 0, 77]]);
    local.show_peers([]).await.unwrap();
    assert!(visible_peers(&mut client).await.is_empty());
}
