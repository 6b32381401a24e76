//! Converts types that Keyspaces lacks, and user-defined types.

use super::second_table::strip_words;
use super::{Action, Converter};
use crate::statement::{CqlType, CqlTypeKind, CreateType, NativeType, UnsupportedStatement};
use crate::{QualifiedName, Span, Statement, parse};

pub(super) fn create_type(converter: &mut Converter, mut create: CreateType) {
    let key = converter.key(&create.name);
    create.name = converter.qualified(&create.name);
    for field in &mut create.fields {
        convert_field(converter, &mut field.field_type, &create.name, &field.name.to_string());
    }
    converter.types.insert(key, converter.statements.len());
    converter.statements.push(Statement::CreateType(create));
}

fn convert_field(converter: &mut Converter, field_type: &mut CqlType, type_name: &QualifiedName, field: &str) {
    convert_type(converter, field_type, &format!("the field {field} of the type {type_name}"));
    if let CqlTypeKind::UserDefined(inner) = &field_type.kind {
        let summary = format!("the field {field} of the type {type_name} becomes frozen<{inner}>");
        let reason = "A user-defined type inside another one must be frozen.";
        converter.report(Action::Replaced, field_type.span, summary, reason, Some("DG:cql.ddl.type"));
        *field_type = CqlType { kind: CqlTypeKind::Frozen(Box::new(field_type.clone())), span: field_type.span };
    }
}

/// Merges `ALTER TYPE … ADD` into the CREATE TYPE of the same text. Returns whether there is one.
pub(super) fn convert_alter_type(converter: &mut Converter, statement: &UnsupportedStatement) -> bool {
    let Some((name, added)) = split_alter_type(&statement.text) else { return false };
    let Ok(Statement::CreateType(mut added)) = parse(&format!("CREATE TYPE {name} ({added})")) else {
        return false;
    };
    let Some(at) = converter.types.get(&converter.key(&added.name)).copied() else { return false };
    for field in &mut added.fields {
        // The spans of the parsed field are not those of the text.
        crate::tree::Tree::spans(&mut field.field_type, &mut |span| *span = statement.span);
        convert_field(converter, &mut field.field_type, &added.name, &field.name.to_string());
    }
    let names: Vec<_> = added.fields.iter().map(|field| field.name.to_string()).collect();
    if let Some(Statement::CreateType(create)) = converter.statements.get_mut(at) {
        create.fields.extend(added.fields);
    }
    let summary = format!("{} of the type {} becomes part of its CREATE TYPE", names.join(", "), added.name);
    converter.report(
        Action::Replaced,
        statement.span,
        summary,
        "Keyspaces has no ALTER TYPE.",
        Some("DG:cassandra-apis"),
    );
    true
}

/// Replaces types that Keyspaces lacks, in all parts of `cql_type`.
pub(super) fn convert_type(converter: &mut Converter, cql_type: &mut CqlType, owner: &str) {
    let before = cql_type.to_string();
    let (replaced, reason) = match &mut cql_type.kind {
        CqlTypeKind::Native(NativeType::Duration) => {
            (CqlType::from(NativeType::Text), "Keyspaces has no durations: write them as text, such as 12h30m.")
        }
        CqlTypeKind::Vector(element, _) => (
            CqlType::frozen(CqlType::list((**element).clone())),
            "Keyspaces has no vectors: the list keeps the numbers, but cannot be searched by distance.",
        ),
        CqlTypeKind::Custom(class) => (
            native_type_of_class(class),
            "Keyspaces has no types named by a Java class. The application has to interpret the bytes.",
        ),
        CqlTypeKind::List(part) | CqlTypeKind::Set(part) | CqlTypeKind::Frozen(part) => {
            return convert_type(converter, part, owner);
        }
        CqlTypeKind::Map(key, value) => {
            convert_type(converter, key, owner);
            return convert_type(converter, value, owner);
        }
        CqlTypeKind::Tuple(parts) => return parts.iter_mut().for_each(|part| convert_type(converter, part, owner)),
        CqlTypeKind::Native(_) | CqlTypeKind::UserDefined(_) => return,
    };
    let span = cql_type.span;
    let summary = format!("the type {before} of {owner} becomes {replaced}");
    converter.report(Action::Replaced, span, summary, reason, Some("DG:cassandra-apis"));
    *cql_type = with_span(replaced, span);
}

fn with_span(mut cql_type: CqlType, at: Span) -> CqlType {
    crate::tree::Tree::spans(&mut cql_type, &mut |span| *span = at);
    cql_type
}

/// The name after `ALTER TYPE` and the field after `ADD`.
fn split_alter_type(text: &str) -> Option<(String, &str)> {
    let rest = text.get("ALTER TYPE ".len()..)?;
    let at = rest.to_ascii_uppercase().find(" ADD ")?;
    let name = strip_words("IF EXISTS ", &rest[..at]).replace(' ', "");
    Some((name, rest[at + " ADD ".len()..].trim()))
}

/// The native type of a Cassandra class, or blob.
fn native_type_of_class(class: &str) -> CqlType {
    let name = class.rsplit('.').next().unwrap_or(class);
    let native = match name {
        "AsciiType" => NativeType::Ascii,
        "BooleanType" => NativeType::Boolean,
        "DateType" | "TimestampType" => NativeType::Timestamp,
        "DecimalType" => NativeType::Decimal,
        "DoubleType" => NativeType::Double,
        "FloatType" => NativeType::Float,
        "InetAddressType" => NativeType::Inet,
        "Int32Type" => NativeType::Int,
        "IntegerType" => NativeType::Varint,
        "LongType" => NativeType::Bigint,
        "TimeUUIDType" => NativeType::Timeuuid,
        "UTF8Type" => NativeType::Text,
        "UUIDType" => NativeType::Uuid,
        _ => NativeType::Blob,
    };
    native.into()
}
