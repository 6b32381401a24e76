//! Frames of CQL v4, from the server's side.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

pub mod opcode {
    pub const STARTUP: u8 = 0x01;
    pub const OPTIONS: u8 = 0x05;
    pub const QUERY: u8 = 0x07;
    pub const PREPARE: u8 = 0x09;
    pub const EXECUTE: u8 = 0x0A;
    pub const REGISTER: u8 = 0x0B;
    pub const BATCH: u8 = 0x0D;
    pub const AUTH_RESPONSE: u8 = 0x0F;
}

pub struct Request {
    pub stream: [u8; 2],
    pub opcode: u8,
    pub body: Vec<u8>,
}

/// The parameters of a statement, as far as the stubs use them.
#[derive(Default)]
pub struct Parameters<'a> {
    pub first_value: Option<&'a [u8]>,
    pub without_metadata: bool,
    pub page_size: Option<usize>,
    pub paging_state: Option<&'a [u8]>,
}

impl Request {
    /// `None` if the client has closed the connection.
    pub async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Self>> {
        let mut header = [0; 9];
        if let Err(error) = from.read_exact(&mut header).await {
            return if error.kind() == io::ErrorKind::UnexpectedEof { Ok(None) } else { Err(error) };
        }
        let [version, _, s0, s1, opcode, l0, l1, l2, l3] = header;
        assert_eq!(version, 4, "a request of CQL v4");
        let mut body = vec![0; u32::from_be_bytes([l0, l1, l2, l3]) as usize];
        from.read_exact(&mut body).await?;
        Ok(Some(Self { stream: [s0, s1], opcode, body }))
    }

    /// The statement of a QUERY or PREPARE.
    pub fn text(&self) -> &str {
        std::str::from_utf8(Reader(&self.body).long_bytes().unwrap_or_default()).unwrap_or_default()
    }

    pub fn prepared_id(&self) -> &[u8] {
        Reader(&self.body).short_bytes()
    }

    pub fn query_parameters(&self) -> Parameters<'_> {
        let mut reader = Reader(&self.body);
        reader.long_bytes();
        reader.parameters()
    }

    pub fn execute_parameters(&self) -> Parameters<'_> {
        let mut reader = Reader(&self.body);
        reader.short_bytes();
        reader.parameters()
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn number(&mut self, length: usize) -> u32 {
        self.take(length).iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
    }

    fn short_bytes(&mut self) -> &'a [u8] {
        let length = self.number(2);
        self.take(length as usize)
    }

    /// `None` for null and unset, whose length is negative.
    fn long_bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.number(4);
        i32::try_from(length).ok().map(|_| self.take(length as usize))
    }

    fn parameters(&mut self) -> Parameters<'a> {
        let _consistency = self.number(2);
        let flags = self.number(1);
        let mut parameters = Parameters { without_metadata: flags & 0x02 != 0, ..Parameters::default() };
        if flags & 0x01 != 0 {
            for index in 0..self.number(2) {
                let value = self.long_bytes();
                if index == 0 {
                    parameters.first_value = value;
                }
            }
        }
        if flags & 0x04 != 0 {
            parameters.page_size = usize::try_from(self.number(4)).ok();
        }
        if flags & 0x08 != 0 {
            parameters.paging_state = self.long_bytes();
        }
        parameters
    }
}

pub struct Answer {
    opcode: u8,
    body: Vec<u8>,
}

impl Answer {
    pub fn on_stream(self, stream: [u8; 2]) -> Vec<u8> {
        let mut frame = vec![0x84, 0, stream[0], stream[1], self.opcode];
        frame.extend((self.body.len() as u32).to_be_bytes());
        frame.extend(self.body);
        frame
    }

    pub fn ready() -> Self {
        Self { opcode: 0x02, body: Vec::new() }
    }

    pub fn authenticate(authenticator: &str) -> Self {
        let mut body = Vec::new();
        put_string(&mut body, authenticator);
        Self { opcode: 0x03, body }
    }

    pub fn supported() -> Self {
        let mut body = Vec::new();
        put_short(&mut body, 2);
        put_string(&mut body, "CQL_VERSION");
        put_short(&mut body, 1);
        put_string(&mut body, "3.4.4");
        put_string(&mut body, "COMPRESSION");
        put_short(&mut body, 0);
        Self { opcode: 0x06, body }
    }

    pub fn result(body: Vec<u8>) -> Self {
        Self { opcode: 0x08, body }
    }

    pub fn void() -> Self {
        Self::result(1_i32.to_be_bytes().to_vec())
    }

    pub fn challenge(bytes: &[u8]) -> Self {
        let mut body = Vec::new();
        put_bytes(&mut body, bytes);
        Self { opcode: 0x0E, body }
    }

    pub fn success() -> Self {
        let mut body = Vec::new();
        put_null(&mut body);
        Self { opcode: 0x10, body }
    }

    pub fn error(code: i32, text: &str) -> Self {
        let mut body = code.to_be_bytes().to_vec();
        put_string(&mut body, text);
        Self { opcode: 0x00, body }
    }

    pub fn invalid(text: &str) -> Self {
        Self::error(0x2200, text)
    }

    pub fn unprepared(id: &[u8]) -> Self {
        let mut answer = Self::error(0x2500, "not prepared here");
        put_short(&mut answer.body, id.len());
        answer.body.extend(id);
        answer
    }

    /// A write timeout at LOCAL_QUORUM with 0 of 2 (DG:troubleshooting.serverless).
    pub fn throttled() -> Self {
        let mut answer = Self::error(0x1100, "Operation timed out - received only 0 responses.");
        put_short(&mut answer.body, 6);
        put_int(&mut answer.body, 0);
        put_int(&mut answer.body, 2);
        put_string(&mut answer.body, "SIMPLE");
        answer
    }
}

pub fn put_int(body: &mut Vec<u8>, number: usize) {
    body.extend((number as u32).to_be_bytes());
}

pub fn put_short(body: &mut Vec<u8>, number: usize) {
    body.extend((number as u16).to_be_bytes());
}

pub fn put_string(body: &mut Vec<u8>, text: &str) {
    put_short(body, text.len());
    body.extend(text.as_bytes());
}

pub fn put_bytes(body: &mut Vec<u8>, bytes: &[u8]) {
    put_int(body, bytes.len());
    body.extend(bytes);
}

pub fn put_null(body: &mut Vec<u8>) {
    body.extend((-1_i32).to_be_bytes());
}
