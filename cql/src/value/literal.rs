//! Literals.

use super::{Value, scalar};
use crate::UserTypes;
use crate::statement::{CqlType, CqlTypeKind, Term, TermKind};
use crate::tree::{Tree, TreePart};

/// The value of a term in a column of this type.
///
/// `marker` returns the value that is bound to a marker inside the term. Its arguments are the marker and the name that
/// Cassandra gives to a marker without one. `name` is the name that Cassandra gives to the term itself.
#[must_use]
pub fn serialize(
    term: &Term,
    cql_type: &CqlTypeKind,
    user_types: &UserTypes,
    marker: &dyn Fn(&Term, &str) -> Value,
    name: &str,
) -> Value {
    Literals { user_types, marker }.value(term, cql_type, name)
}

struct Literals<'a> {
    user_types: &'a UserTypes,
    marker: &'a dyn Fn(&Term, &str) -> Value,
}

impl Literals<'_> {
    fn value(&self, term: &Term, cql_type: &CqlTypeKind, name: &str) -> Value {
        use CqlTypeKind::{Frozen, List, Map, Native, Set, Tuple, UserDefined};
        match (&term.kind, cql_type) {
            (TermKind::Marker(_), _) => (self.marker)(term, name),
            (TermKind::Null, _) => Value::null(),
            (_, Frozen(inner)) => self.value(term, &inner.kind, name),
            (TermKind::TypeHint(hint), _) => self.value(&hint.term, cql_type, name),
            (TermKind::Constant(constant), Native(native)) => scalar(*native, &constant.text),
            (TermKind::List(terms), List(element)) => Value::list(self.elements(terms, element, name)),
            (TermKind::Set(terms), Set(element)) => Value::set(self.elements(terms, element, name)),
            (TermKind::Set(terms), Map(..)) if terms.is_empty() => Value::map(Vec::new()),
            (TermKind::Map(pairs), Map(key, value)) => {
                let (key_name, value_name) = (format!("key({name})"), format!("value({name})"));
                let pair = |(k, v): &(Term, Term)| {
                    (self.value(k, &key.kind, &key_name), self.value(v, &value.kind, &value_name))
                };
                Value::map(pairs.iter().map(pair).collect())
            }
            (TermKind::Tuple(terms), Tuple(parts)) => {
                let parts: Vec<_> = terms
                    .iter()
                    .zip(parts)
                    .enumerate()
                    .map(|(index, (term, part))| self.value(term, &part.kind, &format!("{name}[{index}]")))
                    .collect();
                Value::tuple(&parts)
            }
            (TermKind::UserType(values), UserDefined(user_type)) => {
                let Some(fields) = self.user_types.fields(user_type) else { return Value::of_type(cql_type) };
                let field = |(field, field_type): &(String, CqlType)| {
                    let value = values.iter().find(|(name, _)| name.text == *field);
                    value.map_or_else(Value::null, |(_, term)| {
                        self.value(term, &field_type.kind, &format!("{name}.{field}"))
                    })
                };
                Value::tuple(&fields.iter().map(field).collect::<Vec<_>>())
            }
            _ => Value::of_type(cql_type),
        }
    }

    fn elements(&self, terms: &[Term], element: &CqlType, name: &str) -> Vec<Value> {
        let name = format!("value({name})");
        terms.iter().map(|term| self.value(term, &element.kind, &name)).collect()
    }
}

pub(crate) fn has_markers(term: &Term) -> bool {
    let mut found = false;
    term.walk(&mut |part| found |= matches!(part, TreePart::Term(Term { kind: TermKind::Marker(_), .. })));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::{InsertContent, NativeType};
    use crate::{Statement, parse};

    fn literal(text: &str, type_name: &str) -> Value {
        let Ok(Statement::Insert(insert)) = parse(&format!("INSERT INTO t (c) VALUES ({text})")) else {
            panic!("{text}")
        };
        let InsertContent::Values { values, .. } = &insert.content else { panic!() };
        let mut user_types = UserTypes::default();
        let fields = [("street", NativeType::Text), ("number", NativeType::Int)];
        user_types.insert("address", fields.map(|(name, native)| (name.to_owned(), native.into())).to_vec());
        let bound = |_: &Term, name: &str| Value::from_bytes(name.as_bytes());
        serialize(&values[0], &type_name.parse::<CqlType>().unwrap().kind, &user_types, &bound, "c")
    }

    #[test]
    fn collection_tuple_and_user_type_literals_encode_as_in_the_protocol() {
        let int = |n: u8| [0, 0, 0, 4, 0, 0, 0, n];
        for (text, type_name, bytes) in [
            ("[1, 2]", "list<int>", [&[0, 0, 0, 2][..], &int(1), &int(2)].concat()),
            ("{7}", "frozen<set<int>>", [&[0, 0, 0, 1][..], &int(7)].concat()),
            ("{}", "map<int, text>", vec![0, 0, 0, 0]),
            ("{1: 'a'}", "map<int, text>", [&[0, 0, 0, 1][..], &int(1), &[0, 0, 0, 1, b'a']].concat()),
            ("(1, null)", "tuple<int, text>", [&int(1)[..], &[0xff; 4]].concat()),
            ("{number: 5}", "address", [&[0xff; 4][..], &int(5)].concat()),
            ("{street: ?, number: 5}", "address", [&[0, 0, 0, 8][..], b"c.street", &int(5)].concat()),
            ("(?, null)", "tuple<text, text>", [&[0, 0, 0, 4][..], b"c[0]", &[0xff; 4]].concat()),
            ("[?]", "list<text>", [&[0, 0, 0, 1, 0, 0, 0, 8][..], b"value(c)"].concat()),
            ("{'k': ?}", "map<text, text>", [&[0, 0, 0, 1, 0, 0, 0, 1, b'k', 0, 0, 0, 8][..], b"value(c)"].concat()),
        ] {
            assert_eq!(literal(text, type_name), Value::from_bytes(bytes), "{text}");
        }
        assert!(!literal("{1, 2}", "set<int>").is_exact);
    }

    #[test]
    fn function_result_size_comes_from_its_type() {
        assert_eq!(literal("now()", "timeuuid"), Value { bytes: Some(vec![0; 16]), is_exact: false });
        assert_eq!(literal("[toDate(now())]", "list<date>").bytes.unwrap().len(), 4 + 4 + 4);
        assert_eq!(literal("textAsBlob('x')", "blob"), Value { bytes: Some(Vec::new()), is_exact: false });
    }
}
