//! Statements of every kind, as `parse` could give them.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::statement::*;
use crate::{Name, QualifiedName, Span, Statement};

pub(super) fn any_statement() -> BoxedStrategy<Statement> {
    prop_oneof![
        4 => a_select().prop_map(|it| Statement::Select(Box::new(it))),
        3 => an_insert().prop_map(Statement::Insert),
        3 => an_update().prop_map(Statement::Update),
        2 => a_delete().prop_map(Statement::Delete),
        1 => a_batch().prop_map(Statement::Batch),
        3 => a_definition(),
        1 => an_other(),
    ]
    .boxed()
}

const NO: Span = Span { start: 0, end: 0 };

fn flag() -> impl Strategy<Value = Option<Span>> {
    option::of(Just(NO))
}

fn name() -> BoxedStrategy<Name> {
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

fn qualified_name() -> impl Strategy<Value = QualifiedName> {
    (option::of(name()), name()).prop_map(|(keyspace, name)| QualifiedName { keyspace, name })
}

/// The name of a user-defined type, as a reader gives it.
fn type_name() -> impl Strategy<Value = QualifiedName> {
    qualified_name().prop_map(|mut of| {
        of.name.quoted |= crate::reserved::is_reserved_for_types(&of.name.text);
        of
    })
}

fn at(kind: TermKind) -> Term {
    Term { kind, span: NO }
}

fn constant(kind: ConstantKind, text: String) -> Term {
    at(TermKind::Constant(Constant { kind, text }))
}

fn number() -> BoxedStrategy<Term> {
    prop_oneof![
        any::<i64>().prop_map(|number| constant(ConstantKind::Integer, number.to_string())),
        "-?[0-9]{1,3}\\.[0-9]{0,3}(e-?[0-9]{1,2})?".prop_map(|text| constant(ConstantKind::Float, text)),
        select(&["NaN", "-NaN", "Infinity", "-Infinity"][..])
            .prop_map(|text| constant(ConstantKind::Float, text.to_owned())),
        "-?[1-9]{1,2}(mo|d|h)[1-9](ms|us|ns|s)".prop_map(|text| constant(ConstantKind::Duration, text)),
    ]
    .boxed()
}

fn string() -> BoxedStrategy<Term> {
    prop_oneof!["[a-z]{0,5}", any::<String>(), Just("now".to_owned()), Just("it's; -- /*".to_owned())]
        .prop_map(|text| constant(ConstantKind::String, text))
        .boxed()
}

fn marker() -> BoxedStrategy<Term> {
    option::of(name()).prop_map(|name| at(TermKind::Marker(BindMarker { name, span: NO }))).boxed()
}

fn leaf() -> BoxedStrategy<Term> {
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

/// A name that can be called: `cast` is not one.
fn function() -> impl Strategy<Value = QualifiedName> {
    let plain = select(&["now", "uuid", "todate", "count", "min", "blobasint", "ttl", "writetime", "f"][..])
        .prop_map(Name::new);
    (option::weighted(0.2, name()), plain).prop_map(|(keyspace, name)| QualifiedName { keyspace, name })
}

fn value() -> BoxedStrategy<Term> {
    leaf().prop_recursive(3, 24, 4, made_of).boxed()
}

/// What may stand in a SELECT: values in which columns may be.
fn selector() -> BoxedStrategy<Term> {
    let leaf = prop_oneof![3 => name().prop_map(|name| at(TermKind::Name(name))), 1 => leaf()];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let of = prop_oneof![
            name().prop_map(|name| at(TermKind::Name(name))),
            (function(), vec(inner.clone(), 0..3)).prop_map(|(function, arguments)| {
                at(TermKind::Call(Box::new(Call { function, arguments })))
            }),
        ];
        prop_oneof![
            6 => made_of(inner),
            1 => (of.clone(), name()).prop_map(|(of, field)| at(TermKind::Access(Box::new(Access::Field { of, field })))),
            1 => (of, value()).prop_map(|(of, key)| at(TermKind::Access(Box::new(Access::Element { of, key })))),
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
            let hint = CqlType { kind: CqlTypeKind::Native(native), span: NO };
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

fn chain(first: Term, rest: Vec<(ArithmeticOperator, Term)>) -> Term {
    at(TermKind::Arithmetic(Box::new(Arithmetic { first, rest })))
}

fn cql_type() -> BoxedStrategy<CqlType> {
    let typed = |kind| CqlType { kind, span: NO };
    let leaf = prop_oneof![
        4 => select(NativeType::ALL).prop_map(CqlTypeKind::Native),
        1 => type_name()
            .prop_filter("a native type", |name| {
                name.keyspace.is_some() || name.name.quoted || NativeType::named(&name.name.text).is_none()
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

fn target() -> BoxedStrategy<Target> {
    prop_oneof![
        4 => name().prop_map(Target::Column),
        1 => (name(), value()).prop_map(|(column, key)| Target::Element { column, key }),
        1 => (name(), name()).prop_map(|(column, field)| Target::Field { column, field }),
    ]
    .boxed()
}

fn relation() -> BoxedStrategy<Relation> {
    use Operator::*;
    let subject = prop_oneof![
        6 => target().prop_map(Subject::Single),
        1 => vec(name(), 1..3).prop_map(Subject::Tuple),
        1 => vec(name(), 1..3).prop_map(Subject::Token),
    ];
    let signs = [Equal, NotEqual, Less, LessOrEqual, Greater, GreaterOrEqual, Contains, ContainsKey, NotContains];
    let compared = prop_oneof![
        8 => (select(signs.to_vec()), value()).prop_map(|(operator, term)| (operator, Comparand::Term(term))),
        2 => (select(vec![In, NotIn]), vec(value(), 0..4)).prop_map(|(operator, values)| (operator, Comparand::Values(values))),
        1 => marker().prop_map(|marker| (In, Comparand::Term(marker))),
        1 => (value(), value()).prop_map(|range| (Between, Comparand::Range(Box::new(range)))),
        1 => Just((IsNotNull, Comparand::Nothing)),
        1 => string().prop_map(|pattern| (Like, Comparand::Term(pattern))),
    ];
    (subject, compared)
        .prop_map(|(subject, (operator, comparand))| Relation {
            subject,
            operator,
            operator_span: NO,
            comparand,
            span: NO,
        })
        .boxed()
}

fn integer() -> BoxedStrategy<Term> {
    prop_oneof![any::<i32>().prop_map(|number| constant(ConstantKind::Integer, number.to_string())), marker()].boxed()
}

fn limit() -> impl Strategy<Value = Option<Limit>> {
    option::weighted(0.2, integer().prop_map(|rows| Limit { rows, span: NO }))
}

fn order() -> impl Strategy<Value = Order> {
    select(&[Order::Ascending, Order::Descending][..])
}

fn a_select() -> impl Strategy<Value = Select> {
    let selector = (selector(), option::of(name())).prop_map(|(term, alias)| Selector { term, alias });
    let selection = prop_oneof![Just(Selection::All(NO)), vec(selector, 1..4).prop_map(Selection::Selectors)];
    let ordering = (target(), order()).prop_map(|(target, order)| Ordering { target, order, span: NO });
    let clauses = (vec(relation(), 0..4), vec(name(), 0..2), vec(ordering, 0..3), limit(), limit(), flag());
    let parts = ((flag(), flag()), selection, qualified_name(), clauses);
    parts.prop_filter_map("JSON or DISTINCT would be a column", |((json, distinct), selection, table, clauses)| {
        let (relations, group_by, order_by, per_partition_limit, limit, allow_filtering) = clauses;
        if (json.is_some() || distinct.is_some()) && !begins_plainly(&selection) {
            return None;
        }
        let group_by = group_by.into_iter().map(|name| at(TermKind::Name(name))).collect();
        Some(Select {
            span: NO,
            json,
            distinct,
            selection,
            table,
            relations,
            group_by,
            order_by,
            per_partition_limit,
            limit,
            allow_filtering,
        })
    })
}

/// After JSON and DISTINCT a sign would make a column of the word.
fn begins_plainly(selection: &Selection) -> bool {
    match selection {
        Selection::All(_) => true,
        Selection::Selectors(selectors) => match &selectors[0].term.kind {
            TermKind::Name(name) => !["as", "json", "distinct"].contains(&name.text.as_str()),
            _ => false,
        },
    }
}

fn using() -> impl Strategy<Value = Option<Using>> {
    let parameter = (select(&[UsingKind::Ttl, UsingKind::Timestamp][..]), integer())
        .prop_map(|(kind, value)| UsingParameter { kind, value, span: NO });
    option::of(vec(parameter, 1..3).prop_map(|parameters| Using { parameters, span: NO }))
}

fn an_insert() -> BoxedStrategy<Insert> {
    let values = vec((name(), value()), 1..5).prop_map(|pairs| {
        let (columns, values) = pairs.into_iter().unzip();
        InsertContent::Values { columns, values }
    });
    let default = option::of(select(&[JsonDefault::Null, JsonDefault::Unset][..]));
    let json =
        (prop_oneof![string(), marker()], default).prop_map(|(json, default)| InsertContent::Json { json, default });
    (qualified_name(), prop_oneof![4 => values, 1 => json], flag(), using())
        .prop_map(|(table, content, if_not_exists, using)| Insert { span: NO, table, content, if_not_exists, using })
        .boxed()
}

fn assignment() -> BoxedStrategy<Assignment> {
    use AssignmentOperation::*;
    let set = (target(), value()).prop_map(|(target, value)| (target, Set, value, false));
    let whole = (name().prop_map(Target::Column), select(&[Add, Subtract][..]), value(), any::<bool>());
    let prepend = (name().prop_map(Target::Column), vec(value(), 0..3))
        .prop_map(|(target, values)| (target, Prepend, at(TermKind::List(values)), false));
    prop_oneof![2 => set, 1 => whole, 1 => prepend]
        .prop_map(|(target, operation, value, shorthand)| Assignment { target, operation, value, shorthand, span: NO })
        .boxed()
}

fn condition() -> impl Strategy<Value = Option<Condition>> {
    option::of(prop_oneof![Just(Condition::Exists(NO)), vec(relation(), 1..3).prop_map(Condition::Holds)])
}

fn an_update() -> BoxedStrategy<Update> {
    (qualified_name(), using(), vec(assignment(), 1..4), vec(relation(), 1..4), condition())
        .prop_map(|(table, using, assignments, relations, condition)| Update {
            span: NO,
            table,
            using,
            assignments,
            relations,
            condition,
        })
        .boxed()
}

fn a_delete() -> BoxedStrategy<Delete> {
    (vec(target(), 0..3), qualified_name(), using(), vec(relation(), 1..4), condition())
        .prop_map(|(targets, table, using, relations, condition)| Delete {
            span: NO,
            targets,
            table,
            using,
            relations,
            condition,
        })
        .boxed()
}

fn a_batch() -> impl Strategy<Value = Batch> {
    let kind = select(&[BatchKind::Logged, BatchKind::Unlogged, BatchKind::Counter][..]);
    let modification = prop_oneof![
        an_insert().prop_map(Modification::Insert),
        an_update().prop_map(Modification::Update),
        a_delete().prop_map(Modification::Delete),
    ];
    (kind, using(), vec(modification, 0..4)).prop_map(|(kind, using, statements)| Batch {
        span: NO,
        kind,
        using,
        statements,
    })
}

fn map_of_maps() -> BoxedStrategy<Term> {
    let leaf =
        prop_oneof![string(), number(), any::<bool>().prop_map(|b| constant(ConstantKind::Boolean, b.to_string()))];
    leaf.prop_recursive(3, 12, 3, |inner| vec((string(), inner), 1..4).prop_map(|entries| at(TermKind::Map(entries))))
        .boxed()
}

fn with_option() -> BoxedStrategy<WithOption> {
    let names =
        select(&["replication", "durable_writes", "tags", "custom_properties", "default_time_to_live", "x"][..]);
    (names.prop_map(Name::new), map_of_maps()).prop_map(|(name, value)| WithOption { name, value, span: NO }).boxed()
}

fn column() -> BoxedStrategy<ColumnDefinition> {
    (name(), cql_type(), flag(), option::weighted(0.1, Just(NO)))
        .prop_map(|(name, column_type, is_static, primary_key)| ColumnDefinition {
            name,
            column_type,
            is_static,
            primary_key,
            span: NO,
        })
        .boxed()
}

fn a_definition() -> BoxedStrategy<Statement> {
    let key = (vec(name(), 1..3), vec(name(), 0..3)).prop_map(|(partition_key, clustering_columns)| PrimaryKey {
        partition_key,
        clustering_columns,
        span: NO,
    });
    let ordered = (name(), order()).prop_map(|(column, order)| ClusteringOrder { column, order, span: NO });
    let table = (
        (flag(), qualified_name()),
        vec(column(), 1..5),
        vec(key, 0..2),
        vec(ordered, 0..3),
        flag(),
        vec(with_option(), 0..3),
    )
        .prop_map(|((if_not_exists, table), columns, primary_keys, clustering_order, compact_storage, options)| {
            let span = NO;
            Statement::CreateTable(CreateTable {
                span,
                if_not_exists,
                table,
                columns,
                primary_keys,
                clustering_order,
                compact_storage,
                options,
            })
        });
    let table_change = prop_oneof![
        vec(column(), 1..3).prop_map(AlterTableChange::Add),
        vec(column(), 2..3).prop_map(AlterTableChange::AddBare),
        vec(name(), 1..3).prop_map(AlterTableChange::Drop),
        vec((name(), name()), 1..3).prop_map(AlterTableChange::Rename),
        (name(), cql_type()).prop_map(|(column, to)| AlterTableChange::ColumnType(column, to)),
        Just(AlterTableChange::DropCompactStorage(NO)),
        tags().prop_map(AlterTableChange::AddTags),
        tags().prop_map(AlterTableChange::DropTags),
        tags().prop_map(AlterTableChange::AddStreamTags),
        tags().prop_map(AlterTableChange::DropStreamTags),
        vec(with_option(), 1..3).prop_map(AlterTableChange::With),
    ];
    let keyspace_change = prop_oneof![
        vec(with_option(), 1..3).prop_map(AlterKeyspaceChange::With),
        tags().prop_map(AlterKeyspaceChange::AddTags),
        tags().prop_map(AlterKeyspaceChange::DropTags),
    ];
    let field = (name(), cql_type()).prop_map(|(name, field_type)| FieldDefinition { name, field_type });
    prop_oneof![
        4 => table,
        2 => (flag(), qualified_name(), table_change).prop_map(|(if_exists, table, change)| {
            Statement::AlterTable(AlterTable { span: NO, if_exists, table, change })
        }),
        1 => (flag(), name(), vec(with_option(), 0..3)).prop_map(|(if_not_exists, keyspace, options)| {
            Statement::CreateKeyspace(CreateKeyspace { span: NO, if_not_exists, keyspace, options })
        }),
        1 => (flag(), name(), keyspace_change).prop_map(|(if_exists, keyspace, change)| {
            Statement::AlterKeyspace(AlterKeyspace { span: NO, if_exists, keyspace, change })
        }),
        1 => (flag(), name()).prop_map(|(if_exists, keyspace)| {
            Statement::DropKeyspace(DropKeyspace { span: NO, if_exists, keyspace })
        }),
        1 => (flag(), qualified_name()).prop_map(|(if_exists, table)| {
            Statement::DropTable(DropTable { span: NO, if_exists, table })
        }),
        1 => (qualified_name(), qualified_name(), vec(with_option(), 0..3)).prop_map(|(table, source, options)| {
            Statement::RestoreTable(RestoreTable { span: NO, table, source, options })
        }),
        1 => (flag(), type_name(), vec(field, 1..4)).prop_map(|(if_not_exists, name, fields)| {
            Statement::CreateType(CreateType { span: NO, if_not_exists, name, fields })
        }),
        1 => (flag(), type_name()).prop_map(|(if_exists, name)| {
            Statement::DropType(DropType { span: NO, if_exists, name })
        }),
        1 => name().prop_map(|keyspace| Statement::Use(Use { span: NO, keyspace })),
    ]
    .boxed()
}

fn tags() -> BoxedStrategy<Term> {
    vec((string(), string()), 1..3).prop_map(|tags| at(TermKind::Map(tags))).boxed()
}

fn an_other() -> impl Strategy<Value = Statement> {
    (select(OtherKind::ALL), vec(select(&["a", "(", "'x'", "1", "=", "\"Q\"", "$$;$$", ":"][..]), 0..6)).prop_map(
        |(kind, rest)| {
            let text = [kind.name()].into_iter().chain(rest).collect::<Vec<_>>().join(" ");
            Statement::Other(Other { span: NO, kind, tables: tables_of(kind, &text), text })
        },
    )
}

/// Only TRUNCATE finds a table in these.
fn tables_of(kind: OtherKind, text: &str) -> Vec<QualifiedName> {
    let first = text.split(' ').nth(1);
    match (kind, first) {
        (OtherKind::Truncate, Some("a")) => vec![QualifiedName { keyspace: None, name: Name::new("a") }],
        (OtherKind::Truncate, Some("\"Q\"")) => vec![QualifiedName { keyspace: None, name: Name::new("Q") }],
        _ => Vec::new(),
    }
}
