use bytes::{BufMut, BytesMut};
use keyspaces_cql::statement::CqlType;
use keyspaces_cql::{KnownTable, UserTypes, parse, units};
use proptest::collection::vec;
use proptest::prelude::*;

use super::super::modifications;
use super::*;
use crate::protocol::Writer;
use crate::upstream::Column;

/// A value of a type as a client may give it.
#[derive(Clone, Debug)]
struct TypedValue {
    of: String,
    literal: String,
    bytes: Vec<u8>,
    json: String,
}

fn given(of: &str, literal: impl Into<String>, bytes: impl Into<Vec<u8>>, json: impl Into<String>) -> TypedValue {
    TypedValue { of: of.into(), literal: literal.into(), bytes: bytes.into(), json: json.into() }
}

fn number(of: &str, number: impl ToString, bytes: impl Into<Vec<u8>>) -> TypedValue {
    given(of, number.to_string(), bytes, number.to_string())
}

fn quoted(of: &str, text: &str, bytes: impl Into<Vec<u8>>) -> TypedValue {
    given(of, format!("'{text}'"), bytes, format!("\"{text}\""))
}

/// Big-endian two's complement in the fewest possible bytes.
fn shortest(number: i128) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let needless = |pair: &[u8]| matches!(pair, [0, 0..=0x7f] | [0xff, 0x80..=0xff]);
    bytes[bytes.windows(2).take_while(|pair| needless(pair)).count()..].to_vec()
}

fn scalar() -> impl Strategy<Value = TypedValue> {
    prop_oneof![
        any::<i32>().prop_map(|it| number("int", it, it.to_be_bytes())),
        any::<i64>().prop_map(|it| number("bigint", it, it.to_be_bytes())),
        any::<i128>().prop_map(|it| number("varint", it / 10, shortest(it / 10))),
        (any::<i64>(), 0..100_u8).prop_map(|(whole, part)| {
            let unscaled = i128::from(whole) * 100 + i128::from(part) * if whole < 0 { -1 } else { 1 };
            number("decimal", format!("{whole}.{part:02}"), [&[0, 0, 0, 2][..], &shortest(unscaled)].concat())
        }),
        any::<i16>().prop_map(|it| number("double", it, f64::from(it).to_be_bytes())),
        any::<bool>().prop_map(|it| number("boolean", it, [u8::from(it)])),
        "[a-zä ]{0,40}".prop_map(|it| quoted("text", &it, it.as_bytes())),
        vec(any::<u8>(), 0..40).prop_map(|it| {
            let literal = format!("0x{}", hex::encode(&it));
            given("blob", &literal, it, format!("\"{literal}\""))
        }),
        any::<[u8; 16]>().prop_map(|it| {
            let text = uuid_text(&it);
            given("uuid", &text, it, format!("\"{text}\""))
        }),
        any::<[u8; 4]>().prop_map(|it| quoted("inet", &std::net::Ipv4Addr::from(it).to_string(), it)),
        (1..29_u32)
            .prop_map(|day| { quoted("date", &format!("1970-01-{day:02}"), ((1_u32 << 31) + day - 1).to_be_bytes()) }),
        (0..60_i64).prop_map(|second| {
            quoted("timestamp", &format!("1970-01-01 00:00:{second:02}+0000"), (second * 1000).to_be_bytes())
        }),
    ]
}

fn uuid_text(bytes: &[u8; 16]) -> String {
    let hex = hex::encode(bytes);
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

fn value() -> impl Strategy<Value = TypedValue> {
    scalar().prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 1..3).prop_map(|parts| tuple(&parts)),
            (inner.clone(), 0..3_usize).prop_map(|(element, count)| list("list", &element, count)),
            inner.clone().prop_map(|element| list("set", &element, 1)),
            ("[a-z]{1,9}", inner.clone()).prop_map(|(key, value)| map(&key, &value)),
            ("[a-z]{0,9}", any::<i32>()).prop_map(|(street, number)| address(&street, number)),
        ]
    })
}

/// All types inside a frozen type are frozen.
fn frozen(of: &str) -> String {
    if of.contains('<') || of == "address" { format!("frozen<{of}>") } else { of.to_owned() }
}

fn list(of: &str, element: &TypedValue, count: usize) -> TypedValue {
    let mut bytes = BytesMut::new();
    bytes.put_i32(count as i32);
    (0..count).for_each(|_| bytes.bytes(Some(&element.bytes)));
    let (literal, json) = (vec![&*element.literal; count].join(", "), vec![&*element.json; count].join(", "));
    let literal = if of == "list" { format!("[{literal}]") } else { format!("{{{literal}}}") };
    given(&format!("{of}<{}>", frozen(&element.of)), literal, bytes, format!("[{json}]"))
}

fn map(key: &str, value: &TypedValue) -> TypedValue {
    let mut bytes = BytesMut::new();
    bytes.put_i32(1);
    bytes.bytes(Some(key.as_bytes()));
    bytes.bytes(Some(&value.bytes));
    let (literal, json) = (format!("{{'{key}': {}}}", value.literal), format!("{{\"{key}\": {}}}", value.json));
    given(&format!("map<text, {}>", frozen(&value.of)), literal, bytes, json)
}

fn tuple(parts: &[TypedValue]) -> TypedValue {
    let join = |part: fn(&TypedValue) -> String| parts.iter().map(part).collect::<Vec<_>>().join(", ");
    let mut bytes = BytesMut::new();
    parts.iter().for_each(|part| bytes.bytes(Some(&part.bytes)));
    let (of, literal, json) =
        (join(|part| frozen(&part.of)), join(|part| part.literal.clone()), join(|part| part.json.clone()));
    given(&format!("tuple<{of}>"), format!("({literal})"), bytes, format!("[{json}]"))
}

fn address(street: &str, number: i32) -> TypedValue {
    let mut bytes = BytesMut::new();
    bytes.bytes(Some(street.as_bytes()));
    bytes.bytes(Some(&number.to_be_bytes()));
    let json = format!("{{\"number\": {number}, \"street\": \"{street}\"}}");
    given("address", format!("{{number: {number}, street: '{street}'}}"), bytes, json)
}

/// A table with a key `k` and a column `c` of this type.
fn layout(of: &str) -> Arc<Layout> {
    let column = |name: &str, of: &str| Column::new(name.into(), of.into());
    let (partition_key, regular) = (vec![column("k", "int")], vec![column("c", of)]);
    let known = [("k", ColumnKind::PartitionKey, &partition_key), ("c", ColumnKind::Regular, &regular)]
        .map(|(name, kind, columns)| (name.to_owned(), kind, CqlType::from(columns[0].kind.clone())));
    let mut user_types = UserTypes::default();
    let fields = [("street", NativeType::Text), ("number", NativeType::Int)];
    user_types.insert("address", fields.map(|(name, of)| (name.to_owned(), of.into())).to_vec());
    let known = Arc::new(KnownTable::new(known).with_user_types(user_types));
    Arc::new(Layout { partition_key, regular, known, ..Layout::default() })
}

/// What a statement with these values writes to `c`: its bytes, whether they are exact, and its size.
fn written(text: &str, of: &str, values: &[(&str, &[u8])], named: bool) -> (Option<Vec<u8>>, bool, units::ValueSize) {
    let tree = parse(text).unwrap();
    let what = modifications(&tree)[0];
    let planned = PlannedValues::for_write(what, &layout(of), &markers(&tree));
    let mut body = BytesMut::new();
    body.put_u16(values.len() as u16);
    for (name, value) in values {
        if named {
            body.string(name);
        }
        body.bytes(Some(value));
    }
    let values = Values::read(&body, named);
    let cells = planned.bind(&values);
    let cell = cells.all.iter().find(|cell| cell.column == "c").unwrap();
    let bytes = cell.bytes.as_deref();
    (bytes.map(<[u8]>::to_vec), cell.exact, units::value_size(cell.cql_type, bytes))
}

proptest! {
    #[test]
    fn a_value_is_the_same_from_every_source(value in value()) {
        let TypedValue { of, literal, bytes, json } = &value;
        let bound = written("INSERT INTO t (k, c) VALUES (1, ?)", of, &[("c", bytes)], false);
        prop_assert_eq!(bound.0.as_ref(), Some(bytes));
        let row = format!("{{\"K\": 1, \"c\": {json}}}");
        for (text, values, named) in [
            (format!("INSERT INTO t (k, c) VALUES (1, {literal})"), vec![], false),
            (format!("UPDATE t SET c = {literal} WHERE k = 1"), vec![], false),
            ("UPDATE t SET c = :given WHERE k = 1".to_owned(), vec![("given", &bytes[..])], true),
            ("INSERT INTO t (c, k) VALUES (?, 1)".to_owned(), vec![("c", bytes)], true),
            (format!("INSERT INTO t JSON '{row}'"), vec![], false),
            ("INSERT INTO t JSON ?".to_owned(), vec![("", row.as_bytes())], false),
            ("INSERT INTO t JSON :row".to_owned(), vec![("row", row.as_bytes())], true),
        ] {
            let given = written(&text, of, &values, named);
            prop_assert_eq!(&given, &bound, "{} {}", of, text);
        }
        let listed = written("INSERT INTO t (k, c) VALUES (1, [?])", &format!("list<{}>", frozen(of)), &[("", bytes)], false);
        prop_assert_eq!(listed.0, Some(list("list", &value, 1).bytes));
    }
}

#[test]
fn unset_values_are_absent_and_invalid_json_is_left_to_cassandra() {
    let cells = |text: &str, value: &[u8]| {
        let tree = parse(text).unwrap();
        let planned = PlannedValues::for_write(modifications(&tree)[0], &layout("int"), &markers(&tree));
        let body = [&[0, 1][..], value].concat();
        planned.bind(&Values::read(&body, false)).all.iter().map(|cell| cell.bytes.is_some()).collect::<Vec<_>>()
    };
    let (unset, null) = ((-2_i32).to_be_bytes(), (-1_i32).to_be_bytes());
    assert_eq!(cells("INSERT INTO t (k, c) VALUES (1, ?)", &unset), [true]);
    assert_eq!(cells("INSERT INTO t (k, c) VALUES (1, ?)", &null), [true, false]);
    assert_eq!(cells("INSERT INTO t JSON ?", &[0, 0, 0, 1, b'{']), [false; 0]);
    assert_eq!(cells("INSERT INTO t JSON ?", &null), [false; 0]);
}

#[test]
fn elements_and_fields_have_their_own_types() {
    let written = |set: &str, of: &str| {
        let tree = parse(&format!("UPDATE t SET {set} WHERE k = 1")).unwrap();
        let planned = PlannedValues::for_write(modifications(&tree)[0], &layout(of), &markers(&tree));
        let (none, mut all) = (Values::default(), Vec::new());
        for cell in planned.bind(&none).all.iter().filter(|cell| cell.column == "c") {
            all.push(cell.bytes.as_deref().unwrap().to_vec());
        }
        all
    };
    let int = |value: i32| value.to_be_bytes().to_vec();
    assert_eq!(written("c['x'] = 7", "map<text, int>"), [b"x".to_vec(), int(7)]);
    assert_eq!(written("c[2] = 7", "list<int>"), [int(2), int(7)]);
    assert_eq!(written("c.number = 7", "address"), [int(7)]);
    assert_eq!(written("c = c + 7", "counter"), [7_i64.to_be_bytes().to_vec()]);
    assert_eq!(written("c = c + [7]", "list<int>"), [[&[0, 0, 0, 1, 0, 0, 0, 4][..], &int(7)].concat()]);
    assert_eq!(written("c = c - {'x'}", "map<text, int>"), [vec![0, 0, 0, 1, 0, 0, 0, 1, b'x']]);
}
