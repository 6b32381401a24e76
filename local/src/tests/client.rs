//! A client that sends any bytes, including invalid ones.

mod answer;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub(crate) use self::answer::{ClientAnswer, ReceivedFrame, ResultSet};
use crate::local::Local;
use crate::protocol::Writer;

pub(crate) const LOCAL_QUORUM: u16 = 6;

/// The time limit of every wait in the tests.
const TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) mod opcode {
    pub(in crate::tests) const ERROR: u8 = 0x00;
    pub(in crate::tests) const STARTUP: u8 = 0x01;
    pub(in crate::tests) const READY: u8 = 0x02;
    pub(in crate::tests) const AUTHENTICATE: u8 = 0x03;
    pub(in crate::tests) const OPTIONS: u8 = 0x05;
    pub(in crate::tests) const SUPPORTED: u8 = 0x06;
    pub(in crate::tests) const QUERY: u8 = 0x07;
    pub(in crate::tests) const RESULT: u8 = 0x08;
    pub(in crate::tests) const PREPARE: u8 = 0x09;
    pub(in crate::tests) const EXECUTE: u8 = 0x0A;
    pub(in crate::tests) const REGISTER: u8 = 0x0B;
    pub(in crate::tests) const BATCH: u8 = 0x0D;
    pub(in crate::tests) const AUTH_CHALLENGE: u8 = 0x0E;
    pub(in crate::tests) const AUTH_RESPONSE: u8 = 0x0F;
    pub(in crate::tests) const AUTH_SUCCESS: u8 = 0x10;
}

pub(crate) struct Client {
    stream: TlsStream<TcpStream>,
}

/// The parameters of a QUERY or an EXECUTE.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RequestOptions<'a> {
    pub(crate) consistency: Option<u16>,
    pub(crate) values: &'a [&'a [u8]],
    /// One name for each value, if values are given by name.
    pub(crate) names: &'a [&'a str],
    pub(crate) page_size: Option<i32>,
    pub(crate) paging_state: Option<&'a [u8]>,
    pub(crate) serial: Option<u16>,
    pub(crate) timestamp: Option<i64>,
    pub(crate) skip_metadata: bool,
}

impl RequestOptions<'_> {
    pub(crate) fn consistency(level: u16) -> Self {
        Self { consistency: Some(level), ..Self::default() }
    }

    fn write(&self, out: &mut BytesMut) {
        let bit = |set: bool, flag: u8| if set { flag } else { 0 };
        out.put_u16(self.consistency.unwrap_or(LOCAL_QUORUM));
        out.put_u8(
            bit(!self.values.is_empty(), 0x01)
                | bit(self.skip_metadata, 0x02)
                | bit(self.page_size.is_some(), 0x04)
                | bit(self.paging_state.is_some(), 0x08)
                | bit(self.serial.is_some(), 0x10)
                | bit(self.timestamp.is_some(), 0x20)
                | bit(!self.names.is_empty(), 0x40),
        );
        if !self.values.is_empty() {
            out.put_u16(self.values.len() as u16);
            for (index, value) in self.values.iter().enumerate() {
                self.names.get(index).into_iter().for_each(|name| out.string(name));
                out.bytes(Some(value));
            }
        }
        if let Some(size) = self.page_size {
            out.put_i32(size);
        }
        if let Some(state) = self.paging_state {
            out.bytes(Some(state));
        }
        if let Some(serial) = self.serial {
            out.put_u16(serial);
        }
        if let Some(timestamp) = self.timestamp {
            out.put_i64(timestamp);
        }
    }
}

impl Client {
    /// Connects with TLS, and does not log in.
    pub(crate) async fn unauthenticated(local: &Local) -> Self {
        Self::unauthenticated_at(local, ([127, 0, 0, 1], local.port()).into()).await
    }

    pub(crate) async fn unauthenticated_at(local: &Local, address: SocketAddr) -> Self {
        Self { stream: Self::handshake(local.ca_pem(), address).await.unwrap() }
    }

    /// The server's certificate, if this authority signed it.
    pub(crate) async fn certificate(ca_pem: &str, port: u16) -> std::io::Result<Vec<u8>> {
        let stream = Self::handshake(ca_pem, ([127, 0, 0, 1], port).into()).await?;
        Ok(stream.get_ref().1.peer_certificates().unwrap()[0].to_vec())
    }

    pub(crate) async fn handshake(ca_pem: &str, address: SocketAddr) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let socket = TcpStream::connect(address).await.unwrap();
        socket.set_nodelay(true).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, socket).await
    }

    /// Connects and logs in with the password.
    pub(crate) async fn connect(local: &Local) -> Self {
        Self::connect_at(local, ([127, 0, 0, 1], local.port()).into()).await
    }

    pub(crate) async fn connect_at(local: &Local, address: SocketAddr) -> Self {
        let mut client = Self::unauthenticated_at(local, address).await;
        assert_eq!(client.start_up(&[("CQL_VERSION", "3.0.0")]).await.opcode, opcode::AUTHENTICATE);
        let credentials = local.credentials();
        let login = format!("\0{}\0{}", credentials.user, credentials.password);
        assert_eq!(client.auth_response(login.as_bytes()).await.opcode, opcode::AUTH_SUCCESS);
        client
    }

    pub(crate) async fn start_up(&mut self, options: &[(&str, &str)]) -> ReceivedFrame {
        let mut body = BytesMut::new();
        body.put_u16(options.len() as u16);
        for (key, value) in options {
            body.string(key);
            body.string(value);
        }
        self.call(opcode::STARTUP, &body).await
    }

    pub(crate) async fn auth_response(&mut self, token: &[u8]) -> ReceivedFrame {
        let mut body = BytesMut::new();
        body.bytes(Some(token));
        self.call(opcode::AUTH_RESPONSE, &body).await
    }

    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Sends bytes on a connection that may be closed.
    pub(crate) async fn try_send_bytes(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
        let _ = self.stream.flush().await;
    }

    pub(crate) async fn send(&mut self, stream: i16, opcode: u8, body: &[u8]) {
        self.send_bytes(&frame(4, 0, stream, opcode, body)).await;
    }

    /// The next frame; `None` if the connection was closed.
    pub(crate) async fn receive(&mut self) -> Option<ReceivedFrame> {
        let received = async {
            let mut header = [0; 9];
            self.stream.read_exact(&mut header).await.ok()?;
            let [version, flags, s0, s1, opcode, length @ ..] = header;
            let mut body = vec![0; u32::from_be_bytes(length) as usize];
            self.stream.read_exact(&mut body).await.ok()?;
            Some(ReceivedFrame { version, flags, stream: i16::from_be_bytes([s0, s1]), opcode, body: body.into() })
        };
        tokio::time::timeout(TIMEOUT, received).await.expect("an answer or an end within the ceiling")
    }

    pub(crate) async fn call(&mut self, opcode: u8, body: &[u8]) -> ReceivedFrame {
        self.send(0, opcode, body).await;
        let received = self.receive().await.expect("an answer");
        assert_eq!((received.version, received.flags, received.stream), (0x84, 0, 0));
        received
    }

    pub(crate) async fn query(&mut self, text: &str) -> ClientAnswer {
        self.query_with(text, RequestOptions::default()).await
    }

    pub(crate) async fn query_with(&mut self, text: &str, with: RequestOptions<'_>) -> ClientAnswer {
        ClientAnswer::read(&self.call(opcode::QUERY, &query_body(text, with)).await)
    }

    /// Sends the query this many times, without waiting for the answers.
    pub(crate) async fn send_queries(&mut self, text: &str, times: i16) {
        for stream in 0..times {
            self.send(stream, opcode::QUERY, &query_body(text, RequestOptions::default())).await;
        }
    }

    pub(crate) async fn rows(&mut self, text: &str) -> ResultSet {
        match self.query(text).await {
            ClientAnswer::Rows(rows) => rows,
            other => panic!("{text}: {other:?}"),
        }
    }

    pub(crate) async fn prepare(&mut self, text: &str) -> ClientAnswer {
        let mut body = BytesMut::new();
        body.long_string(text);
        ClientAnswer::read(&self.call(opcode::PREPARE, &body).await)
    }

    pub(crate) async fn prepared(&mut self, text: &str) -> Bytes {
        match self.prepare(text).await {
            ClientAnswer::Prepared(id) => id,
            other => panic!("{text}: {other:?}"),
        }
    }

    pub(crate) async fn execute(&mut self, id: &[u8], with: RequestOptions<'_>) -> ClientAnswer {
        let mut body = BytesMut::new();
        body.short_bytes(id);
        with.write(&mut body);
        ClientAnswer::read(&self.call(opcode::EXECUTE, &body).await)
    }

    /// All pages of a SELECT, given by its text or its id.
    pub(crate) async fn pages(&mut self, select: Result<&str, &[u8]>, with: RequestOptions<'_>) -> Vec<ResultSet> {
        let (mut pages, mut state): (Vec<ResultSet>, Option<Bytes>) = (Vec::new(), None);
        loop {
            let with = RequestOptions { paging_state: state.as_deref(), ..with };
            let answer = match select {
                Ok(text) => self.query_with(text, with).await,
                Err(id) => self.execute(id, with).await,
            };
            let ClientAnswer::Rows(rows) = answer else { panic!("{answer:?}") };
            state = rows.paging_state.clone();
            pages.push(rows);
            if state.is_none() {
                return pages;
            }
        }
    }

    /// Sends an unlogged batch of texts and ids without values.
    pub(crate) async fn batch(&mut self, statements: &[Result<&str, &[u8]>], consistency: u16) -> ClientAnswer {
        ClientAnswer::read(&self.call(opcode::BATCH, &batch_body(1, statements, consistency)).await)
    }

    /// Sends a batch with this body.
    pub(crate) async fn batch_of(&mut self, body: &[u8]) -> ClientAnswer {
        ClientAnswer::read(&self.call(opcode::BATCH, body).await)
    }

    /// Repeats the query until the condition holds for its rows.
    pub(crate) async fn query_until(&mut self, text: &str, is_met: impl Fn(&ResultSet) -> bool) -> ResultSet {
        let polling = async {
            loop {
                let rows = self.rows(text).await;
                if is_met(&rows) {
                    return rows;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(TIMEOUT, polling).await.expect("what is waited for")
    }

    /// Creates a keyspace, and waits until it is ACTIVE.
    pub(crate) async fn keyspace(&mut self, name: &str) {
        let create = format!("CREATE KEYSPACE {name} WITH replication = {{'class': 'SingleRegionStrategy'}}");
        assert!(matches!(self.query(&create).await, ClientAnswer::Changed(_)));
        let select = format!("SELECT * FROM system_schema_mcs.keyspaces WHERE keyspace_name = '{name}'");
        self.query_until(&select, |rows| !rows.values.is_empty()).await;
    }

    /// Creates a table, and waits until it is ACTIVE.
    pub(crate) async fn table(&mut self, keyspace: &str, name: &str, rest: &str) {
        let created = self.query(&format!("CREATE TABLE {keyspace}.{name} {rest}")).await;
        assert!(matches!(created, ClientAnswer::Changed(_)), "{created:?}");
        self.active(keyspace, name).await;
    }

    pub(crate) async fn active(&mut self, keyspace: &str, name: &str) {
        let select = format!(
            "SELECT status FROM system_schema_mcs.tables WHERE keyspace_name = '{keyspace}' AND table_name = '{name}'"
        );
        self.query_until(&select, |rows| rows.texts("status") == ["ACTIVE"]).await;
    }
}

pub(crate) fn frame(version: u8, flags: u8, stream: i16, opcode: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = BytesMut::new();
    frame.put_u8(version);
    frame.put_u8(flags);
    frame.put_i16(stream);
    frame.put_u8(opcode);
    frame.put_u32(body.len() as u32);
    frame.put_slice(body);
    frame.to_vec()
}

pub(crate) fn query_body(text: &str, with: RequestOptions<'_>) -> BytesMut {
    let mut body = BytesMut::new();
    body.long_string(text);
    with.write(&mut body);
    body
}

pub(crate) fn batch_body(kind: u8, statements: &[Result<&str, &[u8]>], consistency: u16) -> BytesMut {
    let statements: Vec<_> = statements.iter().map(|statement| (*statement, &[][..])).collect();
    batch_with(kind, &statements, consistency)
}

/// A text or the id of a prepared statement, and the values of its markers.
pub(crate) type BatchMember<'a> = (Result<&'a str, &'a [u8]>, &'a [&'a [u8]]);

/// A batch whose statements have values.
pub(crate) fn batch_with(kind: u8, statements: &[BatchMember<'_>], consistency: u16) -> BytesMut {
    let mut body = BytesMut::new();
    body.put_u8(kind);
    body.put_u16(statements.len() as u16);
    for (statement, values) in statements {
        match statement {
            Ok(text) => {
                body.put_u8(0);
                body.long_string(text);
            }
            Err(id) => {
                body.put_u8(1);
                body.short_bytes(id);
            }
        }
        body.put_u16(values.len() as u16);
        values.iter().for_each(|value| body.bytes(Some(value)));
    }
    body.put_u16(consistency);
    body.put_u8(0);
    body
}

/// An unlogged batch with one timestamp for all statements.
pub(crate) fn batch_at(statements: &[Result<&str, &[u8]>], timestamp: i64) -> BytesMut {
    let mut body = batch_body(1, statements, LOCAL_QUORUM);
    body.truncate(body.len() - 1);
    body.put_u8(0x20);
    body.put_i64(timestamp);
    body
}
