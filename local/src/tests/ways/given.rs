//! Values in all forms that a client can give them in.

use bytes::{BufMut, BytesMut};

use crate::protocol::Writer;

/// A value as a client may give it.
#[derive(Clone)]
pub(super) struct Given {
    pub(super) literal: String,
    pub(super) bytes: Vec<u8>,
    pub(super) json: String,
}

pub(super) fn int(value: i32) -> Given {
    Given { literal: value.to_string(), bytes: value.to_be_bytes().to_vec(), json: value.to_string() }
}

pub(super) fn long(value: i64) -> Given {
    Given { literal: value.to_string(), bytes: value.to_be_bytes().to_vec(), json: value.to_string() }
}

pub(super) fn text(length: usize) -> Given {
    let text = "x".repeat(length);
    Given { literal: format!("'{text}'"), json: format!("\"{text}\""), bytes: text.into_bytes() }
}

pub(super) fn blob(length: usize) -> Given {
    let literal = format!("0x{}", "ab".repeat(length));
    Given { json: format!("\"{literal}\""), literal, bytes: vec![0xab; length] }
}

/// As many ones.
pub(super) fn number(digits: u32) -> Given {
    let value: i128 = "1".repeat(digits as usize).parse().unwrap();
    Given { literal: value.to_string(), bytes: value.to_be_bytes().to_vec(), json: value.to_string() }
}

/// As many ones, two of them after the point where there are more than two.
pub(super) fn decimal(digits: u32) -> Given {
    let Given { mut literal, bytes, .. } = number(digits);
    let scale = if digits > 2 { 2 } else { 0 };
    if scale > 0 {
        literal.insert(literal.len() - scale, '.');
    }
    let bytes = [&i32::try_from(scale).unwrap().to_be_bytes()[..], &bytes].concat();
    Given { json: literal.clone(), literal, bytes }
}

pub(super) fn list(elements: &[Given]) -> Given {
    let join = |part: fn(&Given) -> &str| elements.iter().map(part).collect::<Vec<_>>().join(", ");
    let mut bytes = BytesMut::new();
    bytes.put_i32(elements.len() as i32);
    elements.iter().for_each(|element| bytes.bytes(Some(&element.bytes)));
    let (literal, json) = (join(|of| &of.literal), join(|of| &of.json));
    Given { literal: format!("[{literal}]"), json: format!("[{json}]"), bytes: bytes.to_vec() }
}

pub(super) fn set(elements: &[Given]) -> Given {
    let Given { literal, bytes, json } = list(elements);
    Given { literal: format!("{{{}}}", literal.trim_matches(['[', ']'])), bytes, json }
}

pub(super) fn map(key: &Given, value: &Given) -> Given {
    let mut bytes = BytesMut::new();
    bytes.put_i32(1);
    bytes.bytes(Some(&key.bytes));
    bytes.bytes(Some(&value.bytes));
    let key_of_json = format!("\"{}\"", key.json.trim_matches('"'));
    Given {
        literal: format!("{{{}: {}}}", key.literal, value.literal),
        json: format!("{{{key_of_json}: {}}}", value.json),
        bytes: bytes.to_vec(),
    }
}

pub(super) fn tuple(parts: &[Given]) -> Given {
    let Given { literal, bytes, json } = list(parts);
    Given { literal: format!("({})", literal.trim_matches(['[', ']'])), bytes: bytes[4..].to_vec(), json }
}

pub(super) fn price(digits: u32) -> Given {
    let (currency, amount) = (text(3), decimal(digits));
    let bytes = tuple(&[currency.clone(), amount.clone()]).bytes;
    Given {
        literal: format!("{{currency: {}, amount: {}}}", currency.literal, amount.literal),
        json: format!("{{\"currency\": {}, \"amount\": {}}}", currency.json, amount.json),
        bytes,
    }
}
