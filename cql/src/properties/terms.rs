//! Names, types and values of every kind, as `parse` could return them.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::statement::*;
use crate::{Name, QualifiedName, Span};

pub(super) const NO_SPAN: Span = Span { start: 0, end: 0 };

pub(super) fn flag() -> impl Strategy<Value = Option<Span>> {
    option::of(Just(NO_SPAN))
}

pub(super) fn name() -> BoxedStrategy<Name> {
    prop_oneof![
        5 => "[a-z][a-z0-9_]{0,6}",
        1 => select(&["key", "json", "distinct", "ttl", "exists", "tags", "as", "cast", "list", "int", "frozen", "static"][..])
            .prop_map(str::to_owned),
        1 => "[A-Za-z \"'é名😀$;-]{1,5}",
        1 => select(&["select", "token", "Null", "true"][..]).prop_map(str::to_owned),
    ]
    .prop_map(Name::new)
    .boxed()
}

pub(super) fn qualified_name() -> impl Strategy<Value = QualifiedName> {
    (option::of(name()), name()).prop_map(|(keyspace, name)| QualifiedName { keyspace, name })
}

/// The name of a user-defined type, as the parser returns it.
pub(super) fn type_name() -> impl Strategy<Value = QualifiedName> {
    qualified_name().prop_map(|mut name| {
        name.name.quoted |= crate::reserved::is_reserved_for_types(&name.name.text);
        name
    })
}

pub(super) fn at(kind: TermKind) -> Term {
    Term { kind, span: NO_SPAN }
}

pub(super) fn constant(kind: ConstantKind, text: String) -> Term {
    at(TermKind::Constant(Constant { kind, text }))
}

pub(super) fn number() -> BoxedStrategy<Term> {
    prop_oneof![
        any::<i64>().prop_map(|number| constant(ConstantKind::Integer, number.to_string())),
        "-?[0-9]{1,3}\\.[0-9]{0,3}(e-?[0-9]{1,2})?".prop_map(|text| constant(ConstantKind::Float, text)),
        select(&["NaN", "-NaN", "Infinity", "-Infinity"][..])
            .prop_map(|text| constant(ConstantKind::Float, text.to_owned())),
        "-?[1-9]{1,2}(mo|d|h)[1-9](ms|us|ns|s)".prop_map(|text| constant(ConstantKind::Duration, text)),
    ]
    .boxed()
}

pub(super) fn string() -> BoxedStrategy<Term> {
    prop_oneof!["[a-z]{0,5}", any::<String>(), Just("now".to_owned()), Just("it's; -- /*".to_owned())]
        .prop_map(|text| constant(ConstantKind::String, text))
        .boxed()
}

pub(super) fn marker() -> BoxedStrategy<Term> {
    option::of(name()).prop_map(|name| at(TermKind::Marker(BindMarker { name, span: NO_SPAN }))).boxed()
}

pub(super) fn leaf() -> BoxedStrategy<Term> {
    prop_oneof![
        number(),
        string(),
        marker(),
        Just(at(TermKind::Null)),
        any::<bool>().prop_map(|value| constant(ConstantKind::Boolean, value.to_string())),
        "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
            .prop_map(|text| constant(ConstantKind::Uuid, text)),
        "0x[0-9a-fA-F]{0,6}".prop_map(|text| constant(ConstantKind::Blob, text)),
    ]
    .boxed()
}

/// The name of a function. `cast` is not one.
fn function() -> impl Strategy<Value = QualifiedName> {
    let plain = select(&["now", "uuid", "todate", "count", "min", "blobasint", "ttl", "writetime", "f"][..])
        .prop_map(Name::new);
    (option::weighted(0.2, name()), plain).prop_map(|(keyspace, name)| QualifiedName { keyspace, name })
}

pub(super) fn value() -> BoxedStrategy<Term> {
    leaf().prop_recursive(3, 24, 4, made_of).boxed()
}

/// Selectors of a SELECT: values that may contain columns.
pub(super) fn selector() -> BoxedStrategy<Term> {
    let leaf = prop_oneof![3 => name().prop_map(|name| at(TermKind::Name(name))), 1 => leaf()];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let base = prop_oneof![
            name().prop_map(|name| at(TermKind::Name(name))),
            (function(), vec(inner.clone(), 0..3)).prop_map(|(function, arguments)| {
                at(TermKind::Call(Box::new(Call { function, arguments })))
            }),
        ];
        prop_oneof![
            6 => made_of(inner),
            1 => (base.clone(), name()).prop_map(|(base, field)| at(TermKind::Access(Box::new(Access::Field { base, field })))),
            1 => (base, value()).prop_map(|(base, key)| at(TermKind::Access(Box::new(Access::Element { base, key })))),
            1 => function().prop_map(|function| {
                at(TermKind::Call(Box::new(Call { function, arguments: vec![at(TermKind::Star)] })))
            }),
        ]
    })
    .boxed()
}

fn made_of(inner: BoxedStrategy<Term>) -> BoxedStrategy<Term> {
    let pair = (inner.clone(), inner.clone());
    prop_oneof![
        vec(inner.clone(), 2..4).prop_map(|parts| at(TermKind::Tuple(parts))),
        vec(inner.clone(), 0..4).prop_map(|parts| at(TermKind::List(parts))),
        vec(inner.clone(), 0..4)
            .prop_filter("a name before a ':' is a field", |parts| !begins_with_name(parts))
            .prop_map(|parts| at(TermKind::Set(parts))),
        vec(pair.clone(), 1..4).prop_map(|entries| {
            let named = entries.iter().any(|(key, _)| matches!(key.kind, TermKind::Name(_)));
            if named { at(TermKind::List(Vec::new())) } else { at(TermKind::Map(entries)) }
        }),
        vec((name(), inner.clone()), 1..4).prop_map(|fields| at(TermKind::UserType(fields))),
        (function(), vec(inner.clone(), 0..3))
            .prop_map(|(function, arguments)| { at(TermKind::Call(Box::new(Call { function, arguments }))) }),
        (inner.clone(), cql_type()).prop_map(|(term, to)| at(TermKind::Cast(Box::new(Cast { term, to })))),
        (select(NativeType::ALL), leaf()).prop_map(|(native, term)| {
            let hint = CqlType { kind: CqlTypeKind::Native(native), span: NO_SPAN };
            at(TermKind::TypeHint(Box::new(TypeHint { hint, term })))
        }),
        (marker(), vec((select(SUM), number()), 1..4)).prop_map(|(first, rest)| chain(first, rest)),
        (number(), vec((select(PRODUCT), marker()), 1..4)).prop_map(|(first, rest)| chain(first, rest)),
        string().prop_map(|term| at(TermKind::Negative(Box::new(term)))),
    ]
    .boxed()
}

const SUM: &[ArithmeticOperator] = &[ArithmeticOperator::Plus, ArithmeticOperator::Minus];
const PRODUCT: &[ArithmeticOperator] =
    &[ArithmeticOperator::Times, ArithmeticOperator::Divided, ArithmeticOperator::Modulo];

fn begins_with_name(parts: &[Term]) -> bool {
    parts.iter().any(|part| matches!(part.kind, TermKind::Name(_)))
}

pub(super) fn chain(first: Term, rest: Vec<(ArithmeticOperator, Term)>) -> Term {
    at(TermKind::Arithmetic(Box::new(Arithmetic { first, rest })))
}

pub(super) fn cql_type() -> BoxedStrategy<CqlType> {
    let typed = |kind| CqlType { kind, span: NO_SPAN };
    let leaf = prop_oneof![
        4 => select(NativeType::ALL).prop_map(CqlTypeKind::Native),
        1 => type_name()
            .prop_filter("a native type", |name| {
                name.keyspace.is_some() || name.name.quoted || NativeType::from_name(&name.name.text).is_none()
            })
            .prop_map(CqlTypeKind::UserDefined),
        1 => "[a-z.']{1,8}".prop_map(CqlTypeKind::Custom),
    ]
    .prop_map(typed);
    leaf.prop_recursive(3, 12, 3, move |inner| {
        let boxed = inner.clone().prop_map(Box::new);
        prop_oneof![
            boxed.clone().prop_map(CqlTypeKind::List),
            boxed.clone().prop_map(CqlTypeKind::Set),
            boxed.clone().prop_map(CqlTypeKind::Frozen),
            (boxed.clone(), boxed.clone()).prop_map(|(key, value)| CqlTypeKind::Map(key, value)),
            vec(inner, 1..4).prop_map(CqlTypeKind::Tuple),
            (boxed, any::<u64>()).prop_map(|(element, dimension)| CqlTypeKind::Vector(element, dimension)),
        ]
        .prop_map(typed)
    })
    .boxed()
}
