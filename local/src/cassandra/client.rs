//! One plain connection to the Cassandra behind, for the service's own statements: one request at a time, protocol v4,
//! no TLS, no password, no compression.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A connection that runs CQL text. A request that was dropped half way or failed in transport closes it, so that an
/// answer can never be taken for another request's.
#[derive(Debug)]
pub(crate) struct Client {
    stream: Option<TcpStream>,
    address: SocketAddr,
    deadline: Duration,
}

impl Client {
    /// Opens a connection and sees it through STARTUP. `deadline` bounds this, and then every request, each by itself.
    pub(crate) async fn connect(address: SocketAddr, deadline: Duration) -> Result<Self, ClientError> {
        let stream = within(deadline, async {
            let mut stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let answer = request(&mut stream, OPCODE_STARTUP, startup_body()).await?;
            match answer.opcode {
                OPCODE_READY => Ok(stream),
                OPCODE_AUTHENTICATE => Err(ClientError::WantsPassword { authenticator: string(&mut { answer.body })? }),
                other => Err(ClientError::Malformed(format!("opcode 0x{other:02X} answers STARTUP"))),
            }
        })
        .await?;
        Ok(Self { stream: Some(stream), address, deadline })
    }

    /// Where this connection goes.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Runs a statement, unpaged, at consistency ONE. What has no rows (DDL, writes) gives none.
    pub(crate) async fn query(&mut self, text: &str) -> Result<Rows, ClientError> {
        self.query_with(text, &[]).await
    }

    /// As [`query`](Self::query), with serialised values for the bind markers.
    pub(crate) async fn query_with(&mut self, text: &str, values: &[Option<&[u8]>]) -> Result<Rows, ClientError> {
        let mut stream = self.stream.take().ok_or(ClientError::Closed)?;
        let body = query_body(text, values)?;
        match within(self.deadline, request(&mut stream, OPCODE_QUERY, &body)).await {
            Ok(answer) => {
                let rows = result(answer)?;
                self.stream = Some(stream);
                Ok(rows)
            }
            Err(refused @ ClientError::Refused { .. }) => {
                self.stream = Some(stream);
                Err(refused)
            }
            Err(broken) => Err(broken),
        }
    }
}

/// The rows of an answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    columns: Vec<String>,
    values: Vec<Vec<Option<Bytes>>>,
}

impl Rows {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The names of the columns, in order.
    pub(crate) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// A value as it was serialised. None where there is no such row or column, or where the value is null.
    pub(crate) fn value(&self, row: usize, column: &str) -> Option<&Bytes> {
        let column = self.columns.iter().position(|name| name == column)?;
        self.values.get(row)?.get(column)?.as_ref()
    }

    /// A text value. None also where the value is not UTF-8.
    pub(crate) fn text(&self, row: usize, column: &str) -> Option<&str> {
        std::str::from_utf8(self.value(row, column)?).ok()
    }
}

/// Why a request of the service's own was not answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ClientError {
    /// Cassandra's own refusal: its code and its text.
    #[error("Cassandra answered 0x{code:04X}: {text}")]
    Refused { code: i32, text: String },
    /// It asks for a password; the service's own requests have none.
    #[error("it asks for a password ({authenticator}); a Cassandra without authentication is needed")]
    WantsPassword { authenticator: String },
    /// The connection failed.
    #[error("the connection failed: {0}")]
    Transport(#[from] std::io::Error),
    /// What came is not CQL v4.
    #[error("what it answers is not CQL protocol v4: {0}")]
    Malformed(String),
    /// No answer in time.
    #[error("no answer within {0:?}")]
    Late(Duration),
    /// An earlier request failed in transport or was dropped half way.
    #[error("the connection was closed by an earlier request's end")]
    Closed,
    /// More than the protocol can say.
    #[error("a statement or value of {0} bytes does not fit into a frame")]
    TooLong(usize),
}

const OPCODE_ERROR: u8 = 0x00;
const OPCODE_STARTUP: u8 = 0x01;
const OPCODE_READY: u8 = 0x02;
const OPCODE_AUTHENTICATE: u8 = 0x03;
const OPCODE_QUERY: u8 = 0x07;
const OPCODE_RESULT: u8 = 0x08;

/// What the service asks of its own tables is small; an answer that announces more is not believed.
const LARGEST_ANSWER: usize = 64 << 20;
const DEEPEST_TYPE: usize = 16;

struct Answer {
    opcode: u8,
    body: Bytes,
}

async fn within<T>(deadline: Duration, work: impl Future<Output = Result<T, ClientError>>) -> Result<T, ClientError> {
    timeout(deadline, work).await.unwrap_or(Err(ClientError::Late(deadline)))
}

async fn request(stream: &mut TcpStream, opcode: u8, body: &[u8]) -> Result<Answer, ClientError> {
    let length = u32::try_from(body.len()).map_err(|_| ClientError::TooLong(body.len()))?;
    let mut frame = Vec::with_capacity(9 + body.len());
    frame.extend_from_slice(&[0x04, 0, 0, 0, opcode]);
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(body);
    stream.write_all(&frame).await?;

    let mut header = [0; 9];
    stream.read_exact(&mut header).await?;
    let [version, flags, _, _, opcode, length @ ..] = header;
    if version != 0x84 {
        return Err(ClientError::Malformed(format!("its first byte is 0x{version:02X}, not 0x84")));
    }
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > LARGEST_ANSWER {
        return Err(ClientError::Malformed(format!("a frame of {length} bytes")));
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    let mut body = Bytes::from(body);
    skip_extras(flags, &mut body)?;
    if opcode == OPCODE_ERROR {
        return Err(ClientError::Refused { code: int(&mut body)?, text: string(&mut body)? });
    }
    Ok(Answer { opcode, body })
}

/// A tracing id, warnings and a custom payload may stand before the answer itself.
fn skip_extras(flags: u8, body: &mut Bytes) -> Result<(), ClientError> {
    const COMPRESSED: u8 = 0x01;
    const TRACING: u8 = 0x02;
    const CUSTOM_PAYLOAD: u8 = 0x04;
    const WARNING: u8 = 0x08;
    if flags & COMPRESSED != 0 {
        return Err(ClientError::Malformed("a compressed frame, which was not asked for".to_owned()));
    }
    if flags & TRACING != 0 {
        take(body, 16)?;
    }
    if flags & WARNING != 0 {
        for _ in 0..short(body)? {
            string(body)?;
        }
    }
    if flags & CUSTOM_PAYLOAD != 0 {
        for _ in 0..short(body)? {
            string(body)?;
            value(body)?;
        }
    }
    Ok(())
}

fn startup_body() -> &'static [u8] {
    b"\0\x01\0\x0BCQL_VERSION\0\x053.0.0"
}

fn query_body(text: &str, values: &[Option<&[u8]>]) -> Result<Vec<u8>, ClientError> {
    const CONSISTENCY_ONE: [u8; 2] = [0, 1];
    const WITH_VALUES: u8 = 0x01;
    let mut body = Vec::with_capacity(text.len() + 64);
    put(&mut body, text.as_bytes())?;
    body.extend_from_slice(&CONSISTENCY_ONE);
    if values.is_empty() {
        body.push(0);
        return Ok(body);
    }
    body.push(WITH_VALUES);
    let count = u16::try_from(values.len()).map_err(|_| ClientError::TooLong(values.len()))?;
    body.extend_from_slice(&count.to_be_bytes());
    for value in values {
        match value {
            Some(bytes) => put(&mut body, bytes)?,
            None => body.extend_from_slice(&(-1_i32).to_be_bytes()),
        }
    }
    Ok(body)
}

fn put(body: &mut Vec<u8>, bytes: &[u8]) -> Result<(), ClientError> {
    let length = i32::try_from(bytes.len()).map_err(|_| ClientError::TooLong(bytes.len()))?;
    body.extend_from_slice(&length.to_be_bytes());
    body.extend_from_slice(bytes);
    Ok(())
}

fn result(answer: Answer) -> Result<Rows, ClientError> {
    const KIND_ROWS: i32 = 2;
    if answer.opcode != OPCODE_RESULT {
        return Err(ClientError::Malformed(format!("opcode 0x{:02X} answers QUERY", answer.opcode)));
    }
    let mut body = answer.body;
    if int(&mut body)? != KIND_ROWS {
        return Ok(Rows::default());
    }
    let columns = columns(&mut body)?;
    let count = int(&mut body)?;
    if columns.is_empty() && count > 0 {
        return Err(ClientError::Malformed("rows without columns".to_owned()));
    }
    let mut values = Vec::new();
    for _ in 0..count {
        values.push(columns.iter().map(|_| value(&mut body)).collect::<Result<_, _>>()?);
    }
    Ok(Rows { columns, values })
}

fn columns(body: &mut Bytes) -> Result<Vec<String>, ClientError> {
    const ONE_TABLE: i32 = 0x01;
    const MORE_PAGES: i32 = 0x02;
    const NO_METADATA: i32 = 0x04;
    let flags = int(body)?;
    let count = int(body)?;
    if flags & MORE_PAGES != 0 {
        value(body)?;
    }
    if flags & NO_METADATA != 0 {
        return Err(ClientError::Malformed("rows without metadata".to_owned()));
    }
    if flags & ONE_TABLE != 0 {
        string(body)?;
        string(body)?;
    }
    let mut names = Vec::new();
    for _ in 0..count {
        if flags & ONE_TABLE == 0 {
            string(body)?;
            string(body)?;
        }
        names.push(string(body)?);
        skip_type(body, DEEPEST_TYPE)?;
    }
    Ok(names)
}

fn skip_type(body: &mut Bytes, depth: usize) -> Result<(), ClientError> {
    let deeper = depth.checked_sub(1).ok_or_else(|| ClientError::Malformed("a type nested too deeply".to_owned()))?;
    match short(body)? {
        0x0000 => drop(string(body)?),
        0x0020 | 0x0022 => skip_type(body, deeper)?,
        0x0021 => {
            skip_type(body, deeper)?;
            skip_type(body, deeper)?;
        }
        0x0030 => {
            string(body)?;
            string(body)?;
            for _ in 0..short(body)? {
                string(body)?;
                skip_type(body, deeper)?;
            }
        }
        0x0031 => {
            for _ in 0..short(body)? {
                skip_type(body, deeper)?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn take(body: &mut Bytes, length: usize) -> Result<Bytes, ClientError> {
    if body.len() < length {
        return Err(ClientError::Malformed("it ends too early".to_owned()));
    }
    Ok(body.split_to(length))
}

fn short(body: &mut Bytes) -> Result<u16, ClientError> {
    Ok(take(body, 2)?.get_u16())
}

fn int(body: &mut Bytes) -> Result<i32, ClientError> {
    Ok(take(body, 4)?.get_i32())
}

fn string(body: &mut Bytes) -> Result<String, ClientError> {
    let length = short(body)?;
    let bytes = take(body, usize::from(length))?;
    String::from_utf8(bytes.into()).map_err(|_| ClientError::Malformed("a string that is not UTF-8".to_owned()))
}

fn value(body: &mut Bytes) -> Result<Option<Bytes>, ClientError> {
    match usize::try_from(int(body)?) {
        Ok(length) => take(body, length).map(Some),
        Err(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// Accepts one connection, answers each frame of a request with the next of `answers`, and then hangs up.
    async fn server(answers: Vec<Vec<u8>>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            for answer in answers {
                let mut header = [0; 9];
                stream.read_exact(&mut header).await.unwrap();
                let length = u32::from_be_bytes(header[5..].try_into().unwrap());
                let mut body = vec![0; length as usize];
                stream.read_exact(&mut body).await.unwrap();
                stream.write_all(&answer).await.unwrap();
            }
        });
        address
    }

    fn frame(flags: u8, opcode: u8, body: &[u8]) -> Vec<u8> {
        let mut frame = vec![0x84, flags, 0, 0, opcode];
        frame.extend_from_slice(&(body.len() as u32).to_be_bytes());
        frame.extend_from_slice(body);
        frame
    }

    fn ready() -> Vec<u8> {
        frame(0, OPCODE_READY, &[])
    }

    const ONE_TEXT_ROW: &[u8] =
        b"\0\0\0\x02\0\0\0\x01\0\0\0\x02\0\x06system\0\x05local\0\x01p\0\x0d\0\x01n\0\x20\0\x09\
                                  \0\0\0\x01\0\0\0\x03abc\xFF\xFF\xFF\xFF";

    #[tokio::test]
    async fn rows_are_read_by_column_name_and_warnings_are_passed_over() {
        let mut warned = b"\0\x01\0\x02hm".to_vec();
        warned.extend_from_slice(ONE_TEXT_ROW);
        let address =
            server(vec![ready(), frame(0, OPCODE_RESULT, ONE_TEXT_ROW), frame(8, OPCODE_RESULT, &warned)]).await;
        let mut client = Client::connect(address, Duration::from_secs(5)).await.unwrap();
        for _ in 0..2 {
            let rows = client.query("SELECT p, n FROM system.local").await.unwrap();
            assert_eq!(rows.len(), 1);
            assert!(!rows.is_empty());
            assert_eq!(rows.columns(), ["p", "n"]);
            assert_eq!(rows.text(0, "p"), Some("abc"));
            assert_eq!(rows.value(0, "n"), None);
            assert_eq!(rows.text(1, "p"), None);
        }
        assert_eq!(client.address(), address);
    }

    #[tokio::test]
    async fn a_refusal_keeps_the_connection_and_its_text() {
        let refusal = frame(0, OPCODE_ERROR, b"\0\0\x22\0\0\x02no");
        let address = server(vec![ready(), refusal, frame(0, OPCODE_RESULT, ONE_TEXT_ROW)]).await;
        let mut client = Client::connect(address, Duration::from_secs(5)).await.unwrap();
        let error = client.query("SELECT").await.unwrap_err();
        assert_eq!(error.to_string(), "Cassandra answered 0x2200: no");
        assert_eq!(client.query_with("SELECT ?", &[Some(b"x"), None]).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_connection_that_failed_is_not_used_again() {
        let address = server(vec![ready()]).await;
        let mut client = Client::connect(address, Duration::from_secs(5)).await.unwrap();
        assert!(matches!(client.query("SELECT").await, Err(ClientError::Transport(_))));
        assert!(matches!(client.query("SELECT").await, Err(ClientError::Closed)));
    }

    #[tokio::test]
    async fn what_is_not_cql_is_refused_before_it_is_believed() {
        for (answer, said) in [
            (
                b"HTTP/1.1 400 Bad Request".to_vec(),
                "what it answers is not CQL protocol v4: its first byte is 0x48, not 0x84",
            ),
            (
                vec![0x84, 0, 0, 0, 8, 0xFF, 0xFF, 0xFF, 0xFF],
                "what it answers is not CQL protocol v4: a frame of 4294967295 bytes",
            ),
            (frame(0, OPCODE_RESULT, &[]), "what it answers is not CQL protocol v4: opcode 0x08 answers STARTUP"),
            (
                frame(0, OPCODE_AUTHENTICATE, b"\0\x02pw"),
                "it asks for a password (pw); a Cassandra without authentication is needed",
            ),
        ] {
            let address = server(vec![answer]).await;
            let error = Client::connect(address, Duration::from_secs(5)).await.unwrap_err();
            assert_eq!(error.to_string(), said);
        }
    }

    #[tokio::test]
    async fn silence_is_an_error_after_the_deadline() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let deadline = Duration::from_millis(50);
        let error = Client::connect(listener.local_addr().unwrap(), deadline).await.unwrap_err();
        assert_eq!(error.to_string(), "no answer within 50ms");
    }

    proptest::proptest! {
        #[test]
        fn any_answer_is_read_or_refused_without_panic(body in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = result(Answer { opcode: OPCODE_RESULT, body: Bytes::from(body) });
        }
    }
}
