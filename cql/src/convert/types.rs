//! Types of columns that Keyspaces has not, and user-defined types.

use super::second_table::without_words;
use super::{Action, Converter};
use crate::statement::{CqlType, CqlTypeKind, CreateType, NativeType, Other};
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

fn convert_field(converter: &mut Converter, field_type: &mut CqlType, of: &QualifiedName, field: &str) {
    column_type(converter, field_type, &format!("the field {field} of the type {of}"));
    if let CqlTypeKind::UserDefined(inner) = &field_type.kind {
        let what = format!("the field {field} of the type {of} becomes frozen<{inner}>");
        let reason = "A type inside another one is frozen.";
        converter.tell(Action::Replaced, field_type.span, what, reason, Some("DG:cql.ddl.type"));
        *field_type = CqlType { kind: CqlTypeKind::Frozen(Box::new(field_type.clone())), span: field_type.span };
    }
}

/// `ALTER TYPE … ADD`, made part of the type where that is in the same text.
pub(super) fn alter_type(converter: &mut Converter, other: &Other) -> bool {
    let Some((name, added)) = split(&other.text) else { return false };
    let Ok(Statement::CreateType(mut added)) = parse(&format!("CREATE TYPE {name} ({added})")) else {
        return false;
    };
    let Some(at) = converter.types.get(&converter.key(&added.name)).copied() else { return false };
    for field in &mut added.fields {
        // Its spans are not those of the text.
        crate::tree::Tree::spans(&mut field.field_type, &mut |span| *span = other.span);
        convert_field(converter, &mut field.field_type, &added.name, &field.name.to_string());
    }
    let names: Vec<_> = added.fields.iter().map(|field| field.name.to_string()).collect();
    if let Some(Statement::CreateType(create)) = converter.statements.get_mut(at) {
        create.fields.extend(added.fields);
    }
    let what = format!("{} of the type {} becomes part of its CREATE TYPE", names.join(", "), added.name);
    converter.tell(Action::Replaced, other.span, what, "Keyspaces has no ALTER TYPE.", Some("DG:cassandra-apis"));
    true
}

/// Puts types of Keyspaces in the place of those that it has not, in all parts of `cql_type`.
pub(super) fn column_type(converter: &mut Converter, cql_type: &mut CqlType, of: &str) {
    let before = cql_type.to_string();
    let (replaced, reason) = match &mut cql_type.kind {
        CqlTypeKind::Native(NativeType::Duration) => {
            (CqlType::from(NativeType::Text), "Keyspaces has no durations: write them as text, such as 12h30m.")
        }
        CqlTypeKind::Vector(element, _) => (
            CqlType::frozen(CqlType::list((**element).clone())),
            "Keyspaces has no vectors: the list keeps the numbers, and nothing searches them by distance.",
        ),
        CqlTypeKind::Custom(class) => (
            of_class(class),
            "Keyspaces has no types named by a Java class; what the bytes mean is the application's business.",
        ),
        CqlTypeKind::List(part) | CqlTypeKind::Set(part) | CqlTypeKind::Frozen(part) => {
            return column_type(converter, part, of);
        }
        CqlTypeKind::Map(key, value) => {
            column_type(converter, key, of);
            return column_type(converter, value, of);
        }
        CqlTypeKind::Tuple(parts) => return parts.iter_mut().for_each(|part| column_type(converter, part, of)),
        CqlTypeKind::Native(_) | CqlTypeKind::UserDefined(_) => return,
    };
    let span = cql_type.span;
    let what = format!("the type {before} of {of} becomes {replaced}");
    converter.tell(Action::Replaced, span, what, reason, Some("DG:cassandra-apis"));
    *cql_type = spanned(replaced, span);
}

fn spanned(mut cql_type: CqlType, at: Span) -> CqlType {
    crate::tree::Tree::spans(&mut cql_type, &mut |span| *span = at);
    cql_type
}

/// The name of the type and the field that are after `ALTER TYPE` and `ADD`.
fn split(text: &str) -> Option<(String, &str)> {
    let rest = text.get("ALTER TYPE ".len()..)?;
    let at = rest.to_ascii_uppercase().find(" ADD ")?;
    let name = without_words("IF EXISTS ", &rest[..at]).replace(' ', "");
    Some((name, rest[at + " ADD ".len()..].trim()))
}

/// The native type that Cassandra's class is, or blob.
fn of_class(class: &str) -> CqlType {
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
