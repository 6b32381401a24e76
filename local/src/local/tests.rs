use std::io;
use std::sync::Arc;
use std::thread;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::*;
use crate::cassandra;
use crate::cassandra::environment::Environment;
use crate::topology::Partitioner;
use crate::upstream::{InternalConnection, Lease};

/// Connects as a client that trusts the local authority, and returns the opcode that answers OPTIONS.
async fn answer_to_options(local: &Local) -> u8 {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(local.ca_path()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_root_certificates(roots).with_no_client_auth());
    let stream = TcpStream::connect((local.host(), local.port())).await.unwrap();
    let name = ServerName::try_from(local.server_name().to_owned()).unwrap();
    let mut stream = TlsConnector::from(config).connect(name, stream).await.unwrap();
    stream.write_all(&[0x04, 0, 0, 0, 0x05, 0, 0, 0, 0]).await.unwrap();
    let mut header = [0; 9];
    stream.read_exact(&mut header).await.unwrap();
    header[4]
}

/// A command to the fault port, and its answer.
async fn command(port: u16, line: &str) -> serde_json::Value {
    use tokio::io::{AsyncBufReadExt, BufReader};
    let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
    stream.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_line(&mut answer).await.unwrap();
    serde_json::from_str(&answer).unwrap()
}

#[tokio::test]
async fn fault_port_has_the_effects_of_the_library_api() {
    let cassandra = Local::shared().await.unwrap().cassandra.address().to_string();
    let local = Local::builder().cassandra(cassandra).fault_port(0).peers(1).start().await.unwrap();
    let port = local.ready().fault_port.unwrap();
    let inject =
        r#"{"inject": {"effect": {"error": {"moment": "before", "code": 4097, "text": "x"}}, "kind": "OPTIONS"}}"#;
    assert_eq!(command(port, inject).await, json!({"ok": 0}));
    assert_eq!(answer_to_options(&local).await, 0);
    assert_eq!(command(port, r#"{"strike_count": 0}"#).await, json!({"ok": 1}));
    assert_eq!(command(port, r#""clear""#).await, json!({"ok": null}));
    assert_eq!(answer_to_options(&local).await, SUPPORTED);

    let peer = local.peers()[0];
    assert_eq!(command(port, &format!(r#"{{"stop_peer": "{peer}"}}"#)).await, json!({"ok": null}));
    assert!(TcpStream::connect(peer).await.is_err());
    assert_eq!(command(port, &format!(r#"{{"start_peer": "{peer}"}}"#)).await, json!({"ok": null}));
    assert_eq!(command(port, r#"{"restart": 0}"#).await, json!({"ok": null}));
    assert_eq!(answer_to_options(&local).await, SUPPORTED);
    assert_eq!(command(port, r#""metering""#).await, json!({"ok": []}));

    let wrong = command(port, r#"{"stop_peer": "127.0.0.200:1"}"#).await;
    assert_eq!(wrong["error"], "127.0.0.200:1 is not an address of this local Keyspaces");
    let wrong = command(port, r#""explode""#).await["error"].as_str().unwrap().to_owned();
    assert!(
        wrong.starts_with("the command is not valid: unknown variant `explode`, expected one of `inject`"),
        "{wrong}"
    );
}

const SUPPORTED: u8 = 0x06;

/// The keyspaces of instances in a Cassandra.
async fn keyspaces(cassandra: &Cassandra) -> Vec<String> {
    let all = "SELECT JSON keyspace_name FROM system_schema.keyspaces";
    let rows = InternalConnection::new(cassandra.address()).select(all, &[]).await.unwrap();
    let names = rows.into_iter().map(|row| row["keyspace_name"].as_str().unwrap().to_owned());
    names.filter(|name| name.starts_with("kl")).collect()
}

#[tokio::test]
async fn several_instances_share_an_external_cassandra_and_drop_their_own_keyspaces() {
    let lines = Arc::new(std::sync::Mutex::new(Vec::new()));
    let kept = Arc::clone(&lines);
    let cassandra = Cassandra::start(&cassandra::CassandraSettings {
        address: None,
        runtime: None,
        partitioner: Partitioner::Random,
        environment: Environment { cassandra: None, ..Environment::from_environment() },
        progress: Arc::new(move |line| kept.lock().unwrap().push(line.to_owned())),
    })
    .await
    .unwrap();
    let address = cassandra.address();
    let last = lines.lock().unwrap().last().cloned().unwrap();
    assert!(last.starts_with("Apache Cassandra 5.0.6 answers after "), "{last}");
    let version =
        InternalConnection::new(address).select("SELECT JSON release_version FROM system.local", &[]).await.unwrap();
    assert_eq!(version, [json!({ "release_version": cassandra::VERSION })]);

    let over_it = || Local::builder().cassandra(address.to_string()).partitioner(Partitioner::Default);
    let error = over_it().partitioner(Partitioner::Murmur3).start().await.unwrap_err();
    assert!(error.to_string().contains("its partitioner is org.apache.cassandra.dht.RandomPartitioner"), "{error}");

    let (closed, dropped) = tokio::join!(over_it().start(), over_it().start());
    let (closed, dropped) = (closed.unwrap(), dropped.unwrap());
    let named = over_it().instance("named").start().await.unwrap();
    for local in [&closed, &dropped, &named] {
        assert_eq!(answer_to_options(local).await, SUPPORTED);
    }
    assert_eq!(keyspaces(&cassandra).await.len(), 3);

    let (port, ca) = (dropped.port(), dropped.ca_path().to_owned());
    drop(dropped);
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
    assert!(!ca.exists());
    assert_eq!(keyspaces(&cassandra).await.len(), 2);
    closed.close().await.unwrap();
    let left = keyspaces(&cassandra).await;
    assert_eq!(left.len(), 1);
    drop(named);
    assert_eq!(keyspaces(&cassandra).await, left, "what has a name is kept");

    Lease::leave_expired(&InternalConnection::new(address), "kl0").await;
    assert_eq!(keyspaces(&cassandra).await.len(), 3);
    over_it().start().await.unwrap().close().await.unwrap();
    assert_eq!(keyspaces(&cassandra).await, left, "what one that was killed left is dropped");

    drop(cassandra);
    let error = TcpStream::connect(address).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}

#[test]
fn the_shared_instance_outlives_the_runtime_that_started_it() {
    let answer = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let local = Local::shared().await.unwrap();
            (answer_to_options(local).await, local.port())
        })
    };
    let first = thread::spawn(answer).join().unwrap();
    assert_eq!(first.0, SUPPORTED);
    assert_eq!(thread::spawn(answer).join().unwrap(), first);
}

#[tokio::test]
async fn a_cancelled_start_ends_and_removes_everything() {
    let directory = tempfile::tempdir().unwrap();
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let start = Local::builder().cassandra(address).ca_directory(directory.path()).start();
    tokio::select! {
        started = start => panic!("{started:?}"),
        connected = silent.accept() => drop(connected.unwrap()),
    }
}

#[tokio::test]
async fn a_canceled_task_is_not_reported_as_a_panic() {
    let canceled = tokio::spawn(std::future::pending::<()>());
    canceled.abort();
    let panicked = tokio::spawn(async { panic!("on purpose") });
    for (task, text) in [(canceled, "a task of the service was canceled"), (panicked, "a task of the service panicked")]
    {
        let error = task_failed(task.await.unwrap_err());
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Gateway, text));
    }
}

#[test]
fn a_port_in_use_is_named_before_anything_starts() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = runtime.block_on(Local::builder().port(port).start()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Listen);
    let expected = format!("port {port} of 127.0.0.1 and its neighbours cannot be listened at: Address already in use");
    assert!(error.to_string().starts_with(&expected), "{error}");
    assert!(error.to_string().ends_with(". Choose another, or 0 for any that is free"), "{error}");
    let error = runtime.block_on(Local::builder().http_port(port).start()).unwrap_err();
    let expected = format!(
        "port {port} of 127.0.0.1, the port of the control plane, cannot be listened at: Address already in use"
    );
    assert_eq!((error.kind(), error.to_string().starts_with(&expected)), (ErrorKind::Listen, true), "{error}");
}
