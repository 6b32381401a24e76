//! Values as CQL literals, which cqlsh's COPY writes in the fields of collections, tuples and user-defined types.

use keyspaces_cql::statement::{NativeType, Term, TermKind};

use super::{Problem, ScalarForm, ValueType, append_cell, append_count, append_nullable, excerpt};
use crate::counted::Counted;

/// Appends the value of a literal.
pub(super) fn append_from_literal(
    value_type: &ValueType,
    text: &str,
    form: &ScalarForm,
    out: &mut Vec<u8>,
) -> Result<(), Problem> {
    let term: Term = text.parse().map_err(|error: keyspaces_cql::SyntaxError| {
        // The parser's message mentions a statement, but the text is a value.
        let message = error.to_string().replace("the end of the statement", "the end of the text");
        format!("{} is not a CQL literal: {message}", excerpt(text))
    })?;
    append_term(value_type, &term, text, form, out)
}

fn append_term(
    value_type: &ValueType,
    term: &Term,
    text: &str,
    form: &ScalarForm,
    out: &mut Vec<u8>,
) -> Result<(), Problem> {
    let mismatch = |kind: &str| Err(format!("{} is not a literal of a {kind}", excerpt(text)));
    match (value_type, &term.kind) {
        (ValueType::Native(native), TermKind::Constant(constant)) => form.append(*native, &constant.text, out),
        (ValueType::Native(_), _) => Err(format!("{} is not a CQL literal", excerpt(text))),
        (ValueType::List(element), TermKind::List(terms)) | (ValueType::Set(element), TermKind::Set(terms)) => {
            append_count(terms.len(), out)?;
            terms.iter().try_for_each(|term| append_element_term(element, term, text, form, out))
        }
        (ValueType::Map(..), TermKind::Set(terms)) if terms.is_empty() => append_count(0, out),
        (ValueType::Map(key, value), TermKind::Map(pairs)) => {
            append_count(pairs.len(), out)?;
            pairs.iter().try_for_each(|(key_term, value_term)| {
                append_element_term(key, key_term, text, form, out)?;
                append_element_term(value, value_term, text, form, out)
            })
        }
        (ValueType::Tuple(types), TermKind::Tuple(terms)) => {
            if terms.len() != types.len() {
                return Err(format!("has {}, its type has {}", Counted(terms.len(), "part"), types.len()));
            }
            types
                .iter()
                .zip(terms)
                .try_for_each(|(value_type, term)| append_part_term(value_type, Some(term), text, form, out))
        }
        (ValueType::UserDefined(fields), TermKind::UserType(given)) => {
            let is_field = |name: &str| fields.iter().any(|(field, _)| field == name);
            if let Some((name, _)) = given.iter().find(|(name, _)| !is_field(&name.text)) {
                return Err(format!("the type has no field {}", excerpt(&name.text)));
            }
            fields.iter().try_for_each(|(field, value_type)| {
                let term = given.iter().find(|(name, _)| name.text == *field).map(|(_, term)| term);
                append_part_term(value_type, term, text, form, out)
            })
        }
        (ValueType::List(_), _) => mismatch("list"),
        (ValueType::Set(_), _) => mismatch("set"),
        (ValueType::Map(..), _) => mismatch("map"),
        (ValueType::Tuple(_), _) => mismatch("tuple"),
        (ValueType::UserDefined(_), _) => mismatch("user-defined type"),
    }
}

fn append_element_term(
    value_type: &ValueType,
    term: &Term,
    text: &str,
    form: &ScalarForm,
    out: &mut Vec<u8>,
) -> Result<(), Problem> {
    if term.kind == TermKind::Null {
        return Err("a null is inside a collection".to_owned());
    }
    append_cell(out, |out| append_term(value_type, term, text, form, out))
}

/// Appends a nested value, which may be null.
fn append_part_term(
    value_type: &ValueType,
    term: Option<&Term>,
    text: &str,
    form: &ScalarForm,
    out: &mut Vec<u8>,
) -> Result<(), Problem> {
    let term = term.filter(|term| term.kind != TermKind::Null);
    append_nullable(term, out, |term, out| append_term(value_type, term, text, form, out))
}

/// Appends the literal of a value.
pub(super) fn write_literal(
    value_type: &ValueType,
    bytes: &[u8],
    form: &ScalarForm,
    out: &mut String,
) -> Result<(), Problem> {
    let (open, close) = match value_type {
        ValueType::Native(native) => return write_scalar(*native, bytes, form, out),
        ValueType::List(_) => ('[', ']'),
        ValueType::Tuple(_) => ('(', ')'),
        ValueType::Set(_) | ValueType::Map(..) | ValueType::UserDefined(_) => ('{', '}'),
    };
    out.push(open);
    for (index, part) in value_type.parts(bytes)?.iter().enumerate() {
        let is_value = matches!(value_type, ValueType::Map(..)) && index % 2 == 1;
        if index > 0 {
            out.push_str(if is_value { ": " } else { ", " });
        }
        if let Some(name) = part.name {
            out.push_str(&keyspaces_cql::Name::new(name).to_string());
            out.push_str(": ");
        }
        match part.value {
            Some(value) => write_literal(part.value_type, value, form, out)?,
            None => out.push_str("null"),
        }
    }
    out.push(close);
    Ok(())
}

fn write_scalar(native: NativeType, bytes: &[u8], form: &ScalarForm, out: &mut String) -> Result<(), Problem> {
    let from = out.len();
    form.write(native, bytes, out)?;
    let is_blob = native == NativeType::Blob && form.blobs == super::BlobForm::Hexadecimal;
    let is_unquoted = is_blob || is_written_unquoted(native);
    if is_unquoted && out.len() > from {
        return Ok(());
    }
    let text = out.split_off(from);
    out.push('\'');
    out.push_str(&text.replace('\'', "''"));
    out.push('\'');
    Ok(())
}

/// Whether CQL writes values of this type without quotes.
fn is_written_unquoted(native: NativeType) -> bool {
    use NativeType::{
        Bigint, Boolean, Counter, Decimal, Double, Duration, Float, Int, Smallint, Timeuuid, Tinyint, Uuid, Varint,
    };
    matches!(
        native,
        Bigint
            | Boolean
            | Counter
            | Decimal
            | Double
            | Duration
            | Float
            | Int
            | Smallint
            | Timeuuid
            | Tinyint
            | Uuid
            | Varint
    )
}
