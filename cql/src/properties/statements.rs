//! Statements of every kind, as `parse` could return them.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::terms::{
    NO_SPAN, at, constant, cql_type, flag, marker, name, number, qualified_name, selector, string, type_name, value,
};
use crate::statement::*;
use crate::{Name, QualifiedName, Statement};

pub(super) fn any_statement() -> BoxedStrategy<Statement> {
    prop_oneof![
        4 => a_select().prop_map(|it| Statement::Select(Box::new(it))),
        3 => an_insert().prop_map(Statement::Insert),
        3 => an_update().prop_map(Statement::Update),
        2 => a_delete().prop_map(Statement::Delete),
        1 => a_batch().prop_map(Statement::Batch),
        3 => a_definition(),
        1 => an_unsupported(),
    ]
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
            operator_span: NO_SPAN,
            comparand,
            span: NO_SPAN,
        })
        .boxed()
}

fn integer() -> BoxedStrategy<Term> {
    prop_oneof![any::<i32>().prop_map(|number| constant(ConstantKind::Integer, number.to_string())), marker()].boxed()
}

fn limit() -> impl Strategy<Value = Option<Limit>> {
    option::weighted(0.2, integer().prop_map(|rows| Limit { rows, span: NO_SPAN }))
}

fn order() -> impl Strategy<Value = SortOrder> {
    select(&[SortOrder::Ascending, SortOrder::Descending][..])
}

fn a_select() -> impl Strategy<Value = Select> {
    let selector = (selector(), option::of(name())).prop_map(|(term, alias)| Selector { term, alias });
    let selection = prop_oneof![Just(Selection::All(NO_SPAN)), vec(selector, 1..4).prop_map(Selection::Selectors)];
    let ordering = (target(), order()).prop_map(|(target, order)| Ordering { target, order, span: NO_SPAN });
    let clauses = (vec(relation(), 0..4), vec(name(), 0..2), vec(ordering, 0..3), limit(), limit(), flag());
    let parts = ((flag(), flag()), selection, qualified_name(), clauses);
    parts.prop_filter_map("JSON or DISTINCT would be a column", |((json, distinct), selection, table, clauses)| {
        let (relations, group_by, order_by, per_partition_limit, limit, allow_filtering) = clauses;
        if (json.is_some() || distinct.is_some()) && !begins_plainly(&selection) {
            return None;
        }
        let group_by = group_by.into_iter().map(|name| at(TermKind::Name(name))).collect();
        Some(Select {
            span: NO_SPAN,
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

/// Whether JSON or DISTINCT before the selection is a keyword: a sign after it would make it a column.
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
        .prop_map(|(kind, value)| UsingParameter { kind, value, span: NO_SPAN });
    option::of(vec(parameter, 1..3).prop_map(|parameters| Using { parameters, span: NO_SPAN }))
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
        .prop_map(|(table, content, if_not_exists, using)| Insert {
            span: NO_SPAN,
            table,
            content,
            if_not_exists,
            using,
        })
        .boxed()
}

fn assignment() -> BoxedStrategy<Assignment> {
    use AssignmentOperation::*;
    let set = (target(), value()).prop_map(|(target, value)| (target, Set, value, false));
    let whole = (name().prop_map(Target::Column), select(&[Add, Subtract][..]), value(), any::<bool>());
    let prepend = (name().prop_map(Target::Column), vec(value(), 0..3))
        .prop_map(|(target, values)| (target, Prepend, at(TermKind::List(values)), false));
    prop_oneof![2 => set, 1 => whole, 1 => prepend]
        .prop_map(|(target, operation, value, shorthand)| Assignment {
            target,
            operation,
            value,
            shorthand,
            span: NO_SPAN,
        })
        .boxed()
}

fn condition() -> impl Strategy<Value = Option<Condition>> {
    option::of(prop_oneof![Just(Condition::Exists(NO_SPAN)), vec(relation(), 1..3).prop_map(Condition::Holds)])
}

fn an_update() -> BoxedStrategy<Update> {
    (qualified_name(), using(), vec(assignment(), 1..4), vec(relation(), 1..4), condition())
        .prop_map(|(table, using, assignments, relations, condition)| Update {
            span: NO_SPAN,
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
            span: NO_SPAN,
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
        span: NO_SPAN,
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
    (names.prop_map(Name::new), map_of_maps())
        .prop_map(|(name, value)| WithOption { name, value, span: NO_SPAN })
        .boxed()
}

fn column() -> BoxedStrategy<ColumnDefinition> {
    (name(), cql_type(), flag(), option::weighted(0.1, Just(NO_SPAN)))
        .prop_map(|(name, column_type, is_static, primary_key)| ColumnDefinition {
            name,
            column_type,
            is_static,
            primary_key,
            span: NO_SPAN,
        })
        .boxed()
}

fn a_definition() -> BoxedStrategy<Statement> {
    let key = (vec(name(), 1..3), vec(name(), 0..3)).prop_map(|(partition_key, clustering_columns)| PrimaryKey {
        partition_key,
        clustering_columns,
        span: NO_SPAN,
    });
    let ordered = (name(), order()).prop_map(|(column, order)| ClusteringOrder { column, order, span: NO_SPAN });
    let table = (
        (flag(), qualified_name()),
        vec(column(), 1..5),
        vec(key, 0..2),
        vec(ordered, 0..3),
        flag(),
        vec(with_option(), 0..3),
    )
        .prop_map(|((if_not_exists, table), columns, primary_keys, clustering_order, compact_storage, options)| {
            let span = NO_SPAN;
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
        vec(column(), 2..3).prop_map(AlterTableChange::AddWithoutParentheses),
        vec(name(), 1..3).prop_map(AlterTableChange::Drop),
        vec((name(), name()), 1..3).prop_map(AlterTableChange::Rename),
        (name(), cql_type()).prop_map(|(column, to)| AlterTableChange::ColumnType(column, to)),
        Just(AlterTableChange::DropCompactStorage(NO_SPAN)),
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
            Statement::AlterTable(AlterTable { span: NO_SPAN, if_exists, table, change })
        }),
        1 => (flag(), name(), vec(with_option(), 0..3)).prop_map(|(if_not_exists, keyspace, options)| {
            Statement::CreateKeyspace(CreateKeyspace { span: NO_SPAN, if_not_exists, keyspace, options })
        }),
        1 => (flag(), name(), keyspace_change).prop_map(|(if_exists, keyspace, change)| {
            Statement::AlterKeyspace(AlterKeyspace { span: NO_SPAN, if_exists, keyspace, change })
        }),
        1 => (flag(), name()).prop_map(|(if_exists, keyspace)| {
            Statement::DropKeyspace(DropKeyspace { span: NO_SPAN, if_exists, keyspace })
        }),
        1 => (flag(), qualified_name()).prop_map(|(if_exists, table)| {
            Statement::DropTable(DropTable { span: NO_SPAN, if_exists, table })
        }),
        1 => (qualified_name(), qualified_name(), vec(with_option(), 0..3)).prop_map(|(table, source, options)| {
            Statement::RestoreTable(RestoreTable { span: NO_SPAN, table, source, options })
        }),
        1 => (flag(), type_name(), vec(field, 1..4)).prop_map(|(if_not_exists, name, fields)| {
            Statement::CreateType(CreateType { span: NO_SPAN, if_not_exists, name, fields })
        }),
        1 => (flag(), type_name()).prop_map(|(if_exists, name)| {
            Statement::DropType(DropType { span: NO_SPAN, if_exists, name })
        }),
        1 => name().prop_map(|keyspace| Statement::Use(Use { span: NO_SPAN, keyspace })),
    ]
    .boxed()
}

fn tags() -> BoxedStrategy<Term> {
    vec((string(), string()), 1..3).prop_map(|tags| at(TermKind::Map(tags))).boxed()
}

fn an_unsupported() -> impl Strategy<Value = Statement> {
    (select(UnsupportedKind::ALL), vec(select(&["a", "(", "'x'", "1", "=", "\"Q\"", "$$;$$", ":"][..]), 0..6)).prop_map(
        |(kind, rest)| {
            let text = [kind.name()].into_iter().chain(rest).collect::<Vec<_>>().join(" ");
            Statement::Unsupported(UnsupportedStatement { span: NO_SPAN, kind, tables: tables_of(kind, &text), text })
        },
    )
}

/// The tables that the parser recognises in these texts: only those of TRUNCATE.
fn tables_of(kind: UnsupportedKind, text: &str) -> Vec<QualifiedName> {
    let first = text.split(' ').nth(1);
    match (kind, first) {
        (UnsupportedKind::Truncate, Some("a")) => vec![QualifiedName { keyspace: None, name: Name::new("a") }],
        (UnsupportedKind::Truncate, Some("\"Q\"")) => vec![QualifiedName { keyspace: None, name: Name::new("Q") }],
        _ => Vec::new(),
    }
}
