//! Values in all forms that a client can send.

use bytes::{BufMut, BytesMut};

use crate::protocol::Writer;

/// A value in the forms that a client can send.
#[derive(Clone)]
pub(super) struct GivenValue {
    pub(super) literal: String,
    pub(super) bytes: Vec<u8>,
    pub(super) json: String,
}

pub(super) fn int(value: i32) -> GivenValue {
    GivenValue { literal: value.to_string(), bytes: value.to_be_bytes().to_vec(), json: value.to_string() }
}

pub(super) fn long(value: i64) -> GivenValue {
    GivenValue { literal: value.to_string(), bytes: value.to_be_bytes().to_vec(), json: value.to_string() }
}

pub(super) fn text(length: usize) -> GivenValue {
    let text = "x".repeat(length);
    GivenValue { literal: format!("'{text}'"), json: format!("\"{text}\""), bytes: text.into_bytes() }
}

pub(super) fn blob(length: usize) -> GivenValue {
    let literal = format!("0x{}", "ab".repeat(length));
    GivenValue { json: format!("\"{literal}\""), literal, bytes: vec![0xab; length] }
}

/// A number with this many digits, all 1.
pub(super) fn number(digits: u32) -> GivenValue {
    let value: i128 = "1".repeat(digits as usize).parse().unwrap();
    GivenValue { literal: value.to_string(), bytes: value.to_be_bytes().to_vec(), json: value.to_string() }
}

/// The same, with the last two digits after the decimal point if there are more than two.
pub(super) fn decimal(digits: u32) -> GivenValue {
    let GivenValue { mut literal, bytes, .. } = number(digits);
    let scale = if digits > 2 { 2 } else { 0 };
    if scale > 0 {
        literal.insert(literal.len() - scale, '.');
    }
    let bytes = [&i32::try_from(scale).unwrap().to_be_bytes()[..], &bytes].concat();
    GivenValue { json: literal.clone(), literal, bytes }
}

pub(super) fn list(elements: &[GivenValue]) -> GivenValue {
    let join = |part: fn(&GivenValue) -> &str| elements.iter().map(part).collect::<Vec<_>>().join(", ");
    let mut bytes = BytesMut::new();
    bytes.put_i32(elements.len() as i32);
    elements.iter().for_each(|element| bytes.bytes(Some(&element.bytes)));
    let (literal, json) = (join(|of| &of.literal), join(|of| &of.json));
    GivenValue { literal: format!("[{literal}]"), json: format!("[{json}]"), bytes: bytes.to_vec() }
}

pub(super) fn set(elements: &[GivenValue]) -> GivenValue {
    let GivenValue { literal, bytes, json } = list(elements);
    GivenValue { literal: format!("{{{}}}", literal.trim_matches(['[', ']'])), bytes, json }
}

pub(super) fn map(key: &GivenValue, value: &GivenValue) -> GivenValue {
    let mut bytes = BytesMut::new();
    bytes.put_i32(1);
    bytes.bytes(Some(&key.bytes));
    bytes.bytes(Some(&value.bytes));
    let key_of_json = format!("\"{}\"", key.json.trim_matches('"'));
    GivenValue {
        literal: format!("{{{}: {}}}", key.literal, value.literal),
        json: format!("{{{key_of_json}: {}}}", value.json),
        bytes: bytes.to_vec(),
    }
}

pub(super) fn tuple(parts: &[GivenValue]) -> GivenValue {
    let GivenValue { literal, bytes, json } = list(parts);
    GivenValue { literal: format!("({})", literal.trim_matches(['[', ']'])), bytes: bytes[4..].to_vec(), json }
}

pub(super) fn price(digits: u32) -> GivenValue {
    let (currency, amount) = (text(3), decimal(digits));
    let bytes = tuple(&[currency.clone(), amount.clone()]).bytes;
    GivenValue {
        literal: format!("{{currency: {}, amount: {}}}", currency.literal, amount.literal),
        json: format!("{{\"currency\": {}, \"amount\": {}}}", currency.json, amount.json),
        bytes,
    }
}
