//! The errors that clients get when the backing Cassandra ends by itself.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::client::{Client, ClientAnswer, opcode, query_body};
use super::local;
use crate::cassandra::environment::Environment;
use crate::local::Local;
use crate::upstream::InternalConnection;

/// A script in place of `java`: it copies its configuration to a file, waits for the test, and ends with the commands
/// that are appended.
const JAVA: &str = r#"#!/bin/sh
[ "$1" = -version ] && { echo 'openjdk version "17.0.1"' >&2; exit; }
for one; do
    case $one in -Dcassandra.config=file://*) cp "${one#-Dcassandra.config=file://}" "$0.new"; mv "$0.new" "$0.yaml";; esac
done
while [ ! -e "$0.full" ]; do sleep 0.05; done
echo 'INFO  all is well'
"#;

/// Forwards another port to the shared Cassandra, until it is paused or ended.
#[derive(Clone)]
struct PausableProxy {
    state: watch::Sender<ProxyState>,
    /// The inner keyspace of the gateway over it.
    inner: Arc<Mutex<String>>,
}

#[derive(Clone, Copy, PartialEq)]
enum ProxyState {
    Serving,
    /// Nothing more is forwarded to Cassandra.
    Paused,
    /// Paused, and a request has arrived since.
    PausedWithRequest,
    Ended,
}

async fn wait_for(expected: ProxyState, state: &mut watch::Receiver<ProxyState>) {
    let _ = state.wait_for(|state| *state == expected).await;
}

impl PausableProxy {
    fn serve(&self, port: u16, to: SocketAddr) {
        let this = self.clone();
        tokio::spawn(async move {
            let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
            let mut state = this.state.subscribe();
            loop {
                tokio::select! {
                    accepted = listener.accept() => drop(tokio::spawn(this.clone().connection(accepted.unwrap().0, to))),
                    () = wait_for(ProxyState::Ended, &mut state) => return,
                }
            }
        });
    }

    async fn connection(self, client: TcpStream, to: SocketAddr) -> Option<()> {
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_cassandra, mut to_cassandra) = TcpStream::connect(to).await.ok()?.into_split();
        let (mut request, mut answer) = (vec![0; 1 << 16], vec![0; 1 << 16]);
        let mut state = self.state.subscribe();
        loop {
            tokio::select! {
                read = from_client.read(&mut request) => {
                    let request = &request[..read.ok().filter(|read| *read > 0)?];
                    let text = String::from_utf8_lossy(request);
                    if let Some((_, created)) = text.split_once("CREATE KEYSPACE IF NOT EXISTS ") {
                        *self.inner.lock().unwrap() = created.split(' ').next().unwrap_or_default().to_owned();
                    }
                    let serving = *self.state.borrow() == ProxyState::Serving;
                    match serving {
                        true => to_cassandra.write_all(request).await.ok()?,
                        false => drop(self.state.send_replace(ProxyState::PausedWithRequest)),
                    }
                }
                read = from_cassandra.read(&mut answer) => {
                    to_client.write_all(&answer[..read.ok().filter(|read| *read > 0)?]).await.ok()?;
                }
                () = wait_for(ProxyState::Ended, &mut state) => return None,
            }
        }
    }
}

/// An environment with this script as the only program, and with Cassandra's jars.
fn machine(root: &Path, end: &str) -> Environment {
    let java = root.join("java");
    fs::write(&java, format!("{JAVA}{end}\n")).unwrap();
    fs::set_permissions(&java, fs::Permissions::from_mode(0o755)).unwrap();
    let jars = root.join("cassandra-all-5.0.6");
    fs::create_dir(&jars).unwrap();
    fs::write(jars.join("jamm-0.4.0.jar"), "").unwrap();
    Environment { cassandra: None, path: root.into(), java_home: None, cache: Some(root.to_owned()) }
}

async fn port_of(yaml: &Path) -> u16 {
    loop {
        if let Ok(yaml) = fs::read_to_string(yaml) {
            return yaml.lines().find_map(|line| line.strip_prefix("native_transport_port: ")?.parse().ok()).unwrap();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn an_out_of_memory_exit_of_cassandra_is_named_in_pending_and_new_requests() {
    assert_exit_is_reported(
        "echo 'Terminating due to java.lang.OutOfMemoryError: Java heap space'; exit 3",
        "the backing Cassandra ended by itself, with exit code 3: Terminating due to java.lang.OutOfMemoryError: Java heap \
         space (KEYSPACES_LOCAL_CASSANDRA=host:port uses a Cassandra that has more memory)",
        "Terminating due to java.lang.OutOfMemoryError: Java heap space",
    )
    .await;
}

/// `/dev/full` takes the place of the file with which the free space is tested.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_that_ended_cassandra_is_named_in_pending_and_new_requests() {
    assert_exit_is_reported(
        "ln -s /dev/full room; kill -BUS $$",
        "the backing Cassandra ended by itself, by signal 7: the disk of the temporary folder is full (free some of it, or \
         name another folder in TMPDIR)",
        "INFO  all is well",
    )
    .await;
}

/// Cassandra ends with these commands: clients get the reason, and the service also gets the last line of the log.
async fn assert_exit_is_reported(commands: &str, expected: &str, last_line: &str) {
    let shared = local().await.cassandra_address();
    let root = tempfile::tempdir().unwrap();
    let mut builder = Local::builder().peers(1);
    builder.environment = machine(root.path(), commands);
    let proxy = PausableProxy { state: watch::Sender::new(ProxyState::Serving), inner: Arc::default() };
    let (yaml, proxy_copy) = (root.path().join("java.yaml"), proxy.clone());
    let (started, ()) = tokio::join!(builder.start(), async { proxy_copy.serve(port_of(&yaml).await, shared) });
    let gateway = started.unwrap();

    let (mut pending, mut new_client) = (Client::connect(&gateway).await, Client::unauthenticated(&gateway).await);
    assert!(matches!(pending.query("SELECT * FROM system.local").await, ClientAnswer::Rows(_)));
    proxy.state.send_replace(ProxyState::Paused);
    pending.send(7, opcode::QUERY, &query_body("SELECT * FROM system.peers", Default::default())).await;
    wait_for(ProxyState::PausedWithRequest, &mut proxy.state.subscribe()).await;
    fs::write(root.path().join("java.full"), "").unwrap();
    proxy.state.send_replace(ProxyState::Ended);

    let answer = pending.receive().await.unwrap();
    assert_eq!(
        (answer.stream, ClientAnswer::read(&answer).refused()),
        (7, (0, format!("keyspaces-local: {expected}")))
    );
    assert_eq!(pending.receive().await, None, "the connection ends");
    assert_eq!(new_client.start_up(&[("CQL_VERSION", "3.0.0")]).await.opcode, opcode::AUTHENTICATE);
    let credentials = gateway.credentials();
    let login = format!("\0{}\0{}", credentials.user, credentials.password);
    let refused = ClientAnswer::read(&new_client.auth_response(login.as_bytes()).await).refused();
    assert_eq!(refused, (0, format!("keyspaces-local: {expected}")));
    assert_eq!(gateway.ended().await.to_string(), format!("{expected}\n      {last_line}"));
    gateway.close().await.unwrap();
    let inner = proxy.inner.lock().unwrap().clone();
    InternalConnection::new(shared).run(&format!("DROP KEYSPACE {inner}"), &[]).await.unwrap();
}
