//! The memory of the program for clients that request much and do not read: it is bounded, and freed afterwards.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fs, thread};

use keyspaces_local::Ready;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

const MB: usize = 1 << 20;
const CLIENTS: usize = 20;
const REQUESTS: i16 = 200;
const SELECT: &str = "SELECT * FROM memory.t WHERE a = 1";

/// The limits in the README: for all clients together, and for each client.
const SHARED_BYTES: usize = 128 * MB;
const BYTES_PER_CLIENT: usize = 4 * MB;

const STARTUP: u8 = 0x01;
const QUERY: u8 = 0x07;
const RESULT: u8 = 0x08;
const AUTH_RESPONSE: u8 = 0x0F;
const AUTH_SUCCESS: u8 = 0x10;

#[test]
fn memory_for_clients_that_do_not_read_is_bounded_and_freed() {
    let program = Program::start();
    let mut reader = Client::connect(&program.ready);
    let create = "CREATE KEYSPACE memory WITH replication = {'class': 'SingleRegionStrategy'}";
    assert_eq!(reader.call(create).0, RESULT);
    reader.execute_until_active("CREATE TABLE memory.t (a int, b int, c blob, PRIMARY KEY (a, b))");
    for row in 0..12 {
        let insert = format!("INSERT INTO memory.t (a, b, c) VALUES (1, {row}, 0x{})", "5a".repeat(100_000));
        reader.execute_until_active(&insert);
    }
    let (opcode, page) = reader.call(SELECT);
    assert!(opcode == RESULT && page.len() > MB, "{opcode} {}", page.len());
    let before = program.lowest_resident();

    let mut clients: Vec<_> = (0..CLIENTS).map(|_| Client::connect(&program.ready)).collect();
    for stream in 0..REQUESTS {
        clients.iter_mut().for_each(|client| client.send(stream, QUERY, &query(SELECT)));
    }
    // A client that reads is served meanwhile. After this many requests, the others have used their whole limit.
    for _ in 0..100 {
        assert_eq!(reader.call(SELECT).0, RESULT);
    }
    let resident = program.resident();
    assert!(resident > before + CLIENTS * MB, "each client holds a page: {resident} bytes, {before} before");
    assert!(resident < before + SHARED_BYTES + CLIENTS * BYTES_PER_CLIENT, "{resident} bytes, {before} before");
    drop(clients);
    // The memory is freed after ten seconds.
    program.wait_until("the memory comes back", |resident| resident < before + before / 2 + 16 * MB);
}

struct Program {
    child: Child,
    ready: Ready,
}

impl Program {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_keyspaces-local"))
            .args(["--port=0", "--peers=1", "--no-throttling", "--ddl-delay=0s"])
            .env_remove("KEYSPACES_LOCAL_CASSANDRA")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { ready: serde_json::from_str(&line).unwrap(), child }
    }

    /// The resident memory in bytes.
    fn resident(&self) -> usize {
        const PAGE: usize = 4096;
        let statm = fs::read_to_string(format!("/proc/{}/statm", self.child.id())).unwrap();
        statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * PAGE
    }

    /// The resident memory once it no longer shrinks.
    fn lowest_resident(&self) -> usize {
        let mut lowest = self.resident();
        let mut since = Instant::now();
        while since.elapsed() < Duration::from_secs(15) {
            thread::sleep(Duration::from_millis(100));
            let now = self.resident();
            if now < lowest {
                (lowest, since) = (now, Instant::now());
            }
        }
        lowest
    }

    fn wait_until(&self, what: &str, is_met: impl Fn(usize) -> bool) {
        let begun = Instant::now();
        while !is_met(self.resident()) {
            assert!(begun.elapsed() < Duration::from_secs(60), "{what}: {} bytes after 60 s", self.resident());
            thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Client(StreamOwned<ClientConnection, TcpStream>);

impl Client {
    fn connect(ready: &Ready) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&ready.ca).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        let socket = TcpStream::connect(("127.0.0.1", ready.port)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut client = Self(StreamOwned::new(connection, socket));
        client.send(0, STARTUP, b"\0\x01\0\x0bCQL_VERSION\0\x053.0.0");
        client.receive();
        let login = format!("\0{}\0{}", ready.credentials.user, ready.credentials.password);
        client.send(0, AUTH_RESPONSE, &long(login.as_bytes()));
        assert_eq!(client.receive().0, AUTH_SUCCESS);
        client
    }

    fn send(&mut self, stream: i16, opcode: u8, body: &[u8]) {
        let mut frame = vec![4, 0];
        frame.extend(stream.to_be_bytes());
        frame.push(opcode);
        frame.extend(long(body));
        self.0.write_all(&frame).unwrap();
    }

    /// The opcode and the body of the next frame.
    fn receive(&mut self) -> (u8, Vec<u8>) {
        let mut header = [0; 9];
        self.0.read_exact(&mut header).unwrap();
        let [_, _, _, _, opcode, length @ ..] = header;
        let mut body = vec![0; u32::from_be_bytes(length) as usize];
        self.0.read_exact(&mut body).unwrap();
        (opcode, body)
    }

    fn call(&mut self, text: &str) -> (u8, Vec<u8>) {
        self.send(0, QUERY, &query(text));
        self.receive()
    }

    /// Repeats the statement until the objects that it needs are ACTIVE.
    fn execute_until_active(&mut self, text: &str) {
        let begun = Instant::now();
        while self.call(text).0 != RESULT {
            assert!(begun.elapsed() < Duration::from_secs(60), "{}", &text[..40]);
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A QUERY at LOCAL_QUORUM without values.
fn query(text: &str) -> Vec<u8> {
    let mut body = long(text.as_bytes());
    body.extend([0, 6, 0]);
    body
}

fn long(bytes: &[u8]) -> Vec<u8> {
    let mut all = (bytes.len() as u32).to_be_bytes().to_vec();
    all.extend(bytes);
    all
}
