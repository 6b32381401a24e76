use serde::Deserialize;

use super::*;

#[derive(Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
struct SampleTable {
    #[serde(skip_serializing_if = "Option::is_none")]
    table_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    units: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    columns: Option<Vec<SampleColumn>>,
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct SampleColumn {
    name: String,
}

fn table() -> SampleTable {
    SampleTable {
        table_name: Some("t".to_owned()),
        units: Some(5),
        target: Some(Number(70.5)),
        created: Some(Timestamp::from_millis(1_770_737_400_123)),
        columns: Some(vec![SampleColumn { name: "id".to_owned() }]),
    }
}

fn decode(protocol: Protocol, body: &[u8]) -> Result<SampleTable, ApiError> {
    Input::new(protocol, body).decode()
}

fn json(body: &str) -> Result<SampleTable, ApiError> {
    decode(Protocol::Json(JsonVersion::V1_0), body.as_bytes())
}

/// Writes CBOR as hexadecimal digits.
fn cbor(hexadecimal: &str) -> Result<SampleTable, ApiError> {
    decode(Protocol::Cbor, &hex::decode(hexadecimal.replace(' ', "")).unwrap())
}

#[test]
fn json_uses_member_names_and_timestamps_in_seconds() {
    let text = r#"{"tableName":"t","units":5,"target":70.5,"created":1770737400.123,"columns":[{"name":"id"}]}"#;
    assert_eq!(String::from_utf8(Output::new(table()).json().unwrap()).unwrap(), text);
    assert_eq!(json(text), Ok(table()));
}

#[test]
fn cbor_round_trips_and_encodes_timestamps_with_tag_1() {
    let bytes = Output::new(table()).cbor().unwrap();
    assert_eq!(decode(Protocol::Cbor, &bytes), Ok(table()));
    let created = SampleTable { created: Some(Timestamp::from_millis(1_770_737_400_000)), ..SampleTable::default() };
    // A map of one: "created", tag 1, a double.
    assert_eq!(hex::encode(Output::new(created).cbor().unwrap()), "a16763726561746564c1fb41da62d3be000000");
}

#[test]
fn cbor_from_the_rust_sdk_is_decoded() {
    // An indefinite map; the timestamp as a double, the double as an integer.
    let seen = cbor("bf 66746172676574 1846 6763726561746564 c1fb41da62d3be000000 ff").unwrap();
    let expected = SampleTable {
        target: Some(Number(70.0)),
        created: Some(Timestamp::from_millis(1_770_737_400_000)),
        ..SampleTable::default()
    };
    assert_eq!(seen, expected);
    // The timestamp as an integer, and as a half-precision float.
    assert_eq!(cbor("a1 6763726561746564 c1 1a698af838").unwrap().created.unwrap().millis(), 1_770_715_192_000);
    assert_eq!(cbor("a1 6763726561746564 c1 f93c00").unwrap().created.unwrap().millis(), 1000);
}

#[test]
fn an_empty_body_null_and_unknown_members_count_as_absent() {
    for protocol in [Protocol::Json(JsonVersion::V1_1), Protocol::Cbor, Protocol::Query] {
        assert_eq!(decode(protocol, b""), Ok(SampleTable::default()));
    }
    assert_eq!(json(r#"{"tableName": null, "other": {"deep": [1, null]}}"#), Ok(SampleTable::default()));
    // tableName undefined, as null; "x" a timestamp.
    assert_eq!(cbor("a2 697461626c654e616d65 f7 6178 c101"), Ok(SampleTable::default()));
    let form = decode(Protocol::Query, b"Action=X&tableName=a+b%2Fc");
    assert_eq!(form, Ok(SampleTable { table_name: Some("a b/c".to_owned()), ..SampleTable::default() }));
}

#[test]
fn a_wrong_type_and_an_incomplete_body_are_refused_with_the_position() {
    for (body, problem) in [
        (r#"{"tableName": 5}"#, "a member of the body has a wrong type: invalid type: integer `5`, expected str"),
        (r#"{"units": "5"}"#, "a member of the body has a wrong type: invalid type: string \"5\", expected (big)int"),
        (
            r#"{"units": 1.5}"#,
            "a member of the body has a wrong type: invalid type: floating point `1.5`, expected (big)int",
        ),
        (
            r#"{"created": "2026-02-10"}"#,
            "a member of the body has a wrong type: invalid type: string \"2026-02-10\", expected a number",
        ),
        (r#"{"created": 1e300}"#, "a member of the body has a wrong type: 1e300 is not a time in seconds since 1970"),
        (r#"{"columns": [["id"]]}"#, "a member of the body has a wrong type: invalid type: sequence, expected map"),
        (r#"{"units": 1, "units": 2}"#, "a member of the body has a wrong type: duplicate field `units`"),
        (r#"["t"]"#, "the body is not a structure"),
        (r#"{"tableName": "t"#, "the body cannot be read as JSON: EOF while parsing a string at line 1 column 16"),
        ("{} {}", "the body cannot be read as JSON: trailing characters at line 1 column 4"),
    ] {
        let expected = ApiError::serialization(problem);
        assert_eq!(json(body).unwrap_err(), expected, "{body}");
        assert_eq!((expected.name, expected.status()), ("SerializationException", 400));
    }
    for (body, problem) in [
        (
            "a1 6775",
            "the body cannot be read as CBOR: Io(Error { kind: UnexpectedEof, message: \"failed to fill whole buffer\" })",
        ),
        ("a0 00", "the body cannot be read as CBOR: 1 bytes follow the structure"),
        ("80", "the body is not a structure"),
        ("ff", "the body cannot be read as CBOR: Semantic(None, \"invalid type: break, expected non-break\")"),
    ] {
        assert_eq!(cbor(body).unwrap_err(), ApiError::serialization(problem), "{body}");
    }
}

#[test]
fn input_that_is_nested_too_deeply_is_refused() {
    let deep = format!("{{\"x\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(json(&deep).unwrap_err().message.contains("recursion limit exceeded"));
    let mut deep = b"\xa1\x61x".to_vec();
    deep.extend([0x81; 100_000]);
    assert!(decode(Protocol::Cbor, &deep).unwrap_err().message.contains("RecursionLimitExceeded"));
}

proptest::proptest! {
    /// The length of the body bounds the memory of a decoder, whatever lengths the body announces.
    #[test]
    fn decoders_never_panic_on_arbitrary_bodies(body in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        for protocol in [Protocol::Json(JsonVersion::V1_0), Protocol::Cbor, Protocol::Query] {
            let _ = decode(protocol, &body);
        }
    }

    #[test]
    fn json_and_cbor_output_can_be_read_back(
        table_name: Option<String>,
        units: Option<i64>,
        target: Option<i32>,
        millis in proptest::option::of(0_u64..4_000_000_000_000),
        names: Option<Vec<String>>,
        cut: proptest::sample::Index,
    ) {
        let columns = names.map(|names| names.into_iter().map(|name| SampleColumn { name }).collect());
        let created = millis.map(Timestamp::from_millis);
        let written = || SampleTable { table_name: table_name.clone(), units, target: target.map(|target| Number(f64::from(target) / 4.0)), created, columns: None };
        let table = SampleTable { columns, ..written() };
        let json = serde_json::to_vec(&table).unwrap();
        let mut cbor = Vec::new();
        ciborium::into_writer(&table, &mut cbor).unwrap();
        proptest::prop_assert_eq!(&decode(Protocol::Json(JsonVersion::V1_0), &json).unwrap(), &table);
        proptest::prop_assert_eq!(&decode(Protocol::Cbor, &cbor).unwrap(), &table);
        // An empty body is an empty input; a truncated body is an error.
        for (protocol, body) in [(Protocol::Json(JsonVersion::V1_0), json), (Protocol::Cbor, cbor)] {
            let torn = &body[..cut.index(body.len())];
            proptest::prop_assert!(torn.is_empty() || decode(protocol, torn).is_err());
        }
    }
}

#[test]
fn an_announced_length_allocates_no_memory() {
    // A text, a byte string, a list and a map of 2^60 elements.
    for announced in ["7b1000000000000000", "5b1000000000000000", "9b1000000000000000", "bb1000000000000000"] {
        let error = cbor(&format!("a1 6178 {announced}")).unwrap_err();
        assert_eq!(error.name, "SerializationException");
    }
}
