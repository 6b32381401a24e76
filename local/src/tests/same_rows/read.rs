//! Random SELECTs.

use proptest::prelude::*;

use super::shape::{Shape, ShapeColumn, equal, from_table, values};
use super::text::{CqlText, SendOptions, send_options};
use super::value::{CqlValue, Type};

/// A SELECT, how it is sent, and the page sizes of its successive pages.
#[derive(Clone, Debug)]
pub(super) struct TableRead {
    pub(super) text: CqlText,
    pub(super) send_options: SendOptions,
    pub(super) page_sizes: Vec<Option<i32>>,
    /// Whether it sorts rows of several partitions, which Cassandra can do only when it reads all of them at once.
    pub(super) orders_partitions: bool,
    /// Whether Cassandra may miss some of its rows when it reads page by page. In Cassandra 5.0 an
    /// element of a set, or a key of a map, that was deleted satisfies CONTAINS: such rows count for a page or a LIMIT,
    /// and are removed from the result afterwards. Frozen collections have no deleted elements.
    pub(super) is_incomplete: bool,
}

/// A WHERE clause, and the rows that it selects.
#[derive(Clone, Debug, Default)]
struct Where {
    relations: Vec<CqlText>,
    /// Whether the whole partition key is given.
    is_partition: bool,
    /// Whether it is given as lists.
    is_list: bool,
    filters: bool,
}

impl Where {
    fn finds_deleted_elements(&self, shape: &Shape) -> bool {
        let columns = shape.cells().into_iter().filter(|column| matches!(column.of, Type::Set(_) | Type::Map(..)));
        let filters: Vec<_> = columns.map(|column| format!("{} CONTAINS ", column.name)).collect();
        self.relations.iter().any(|relation| filters.iter().any(|filter| relation.literal("").starts_with(filter)))
    }
}

pub(super) fn read(shape: &Shape) -> BoxedStrategy<TableRead> {
    let reversed = shape.clone();
    let page_size = prop_oneof![
        2 => Just(None),
        6 => (1..5).prop_map(Some),
        2 => (5..12).prop_map(Some),
        2 => Just(Some(5000)),
        1 => prop::sample::select(vec![Some(0), Some(-1)]),
    ];
    let parts = (
        selection(shape),
        condition(shape),
        (prop::option::of(any::<bool>()), prop::bool::weighted(0.05)),
        prop::option::of(prop_oneof![4 => 1..15, 1 => 15..60]),
        prop::collection::vec(page_size, 1..4),
        send_options(),
    );
    parts
        .prop_map(move |(selection, condition, (order, is_wrong), limit, page_sizes, send_options)| {
            let is_incomplete = condition.finds_deleted_elements(&reversed);
            let has_order = !reversed.clustering.is_empty()
                && order.is_some()
                && (condition.is_partition && !condition.is_list || is_wrong);
            let mut text = from_table(&format!("SELECT {selection} FROM"));
            if !condition.relations.is_empty() {
                text = text.cql(" WHERE ").then(CqlText::joined(condition.relations, " AND "));
            }
            if has_order {
                let reverse = order == Some(true);
                let columns = reversed.clustering.iter().zip(&reversed.descending).map(|(column, descending)| {
                    format!("{} {}", column.name, if *descending == reverse { "ASC" } else { "DESC" })
                });
                text = text.cql(format!(" ORDER BY {}", columns.collect::<Vec<_>>().join(", ")));
            }
            if let Some(limit) = limit.filter(|_| !is_incomplete) {
                text = text.cql(" LIMIT ").value(CqlValue::Int(limit));
            }
            if condition.filters && !is_wrong {
                text = text.cql(" ALLOW FILTERING");
            }
            TableRead {
                text,
                send_options,
                page_sizes,
                orders_partitions: has_order && condition.is_list,
                is_incomplete,
            }
        })
        .boxed()
}

fn selection(shape: &Shape) -> BoxedStrategy<String> {
    let names =
        |columns: &mut dyn Iterator<Item = &ShapeColumn>| columns.map(|column| column.name.clone()).collect::<Vec<_>>();
    let all = names(&mut shape.all());
    let count = all.len();
    let some = prop::sample::subsequence(all, 1..=count).prop_map(|names| names.join(", "));
    let partition = names(&mut shape.partition.iter());
    let statics = names(&mut shape.partition.iter().chain(&shape.statics));
    let only_statics = names(&mut shape.statics.iter());
    let mut fixed = vec!["*".to_owned(), "JSON *".to_owned(), partition.join(", "), statics.join(", ")];
    if !only_statics.is_empty() {
        fixed.push(only_statics.join(", "));
    }
    prop_oneof![
        4 => Just("*".to_owned()),
        3 => some.clone(),
        1 => some.prop_map(|names| format!("JSON {names}")),
        2 => prop::sample::select(fixed),
    ]
    .boxed()
}

fn condition(shape: &Shape) -> BoxedStrategy<Where> {
    let (partition, clustering) = (shape.partition.clone(), shape.clustering.clone());
    let one = |kinds| {
        let partition = partition.clone();
        (values(&partition), in_partition(&clustering, kinds)).prop_map(move |(values, relations)| {
            let relations = equal(&partition, &values).into_iter().chain(relations).collect();
            Where { relations, is_partition: true, ..Where::default() }
        })
    };
    let rows = prop::collection::vec(values(&partition), 1..5);
    let several = (rows, any::<u8>(), in_partition(&clustering, LISTS)).prop_map({
        let partition = partition.clone();
        move |(rows, lists, relations)| {
            let columns = partition.iter().enumerate().map(|(index, column)| {
                let of_column = rows.iter().map(|row| row[index].clone()).collect();
                // At most three lists, because the service accepts 100 combinations.
                let is_list = index + 1 == partition.len() || index == 0 && lists & 1 == 1;
                if is_list {
                    list(&column.name, of_column, lists & 0x80 != 0)
                } else {
                    column.equal(rows[0][index].clone())
                }
            });
            Where { relations: columns.chain(relations).collect(), is_partition: true, is_list: true, filters: false }
        }
    });
    let token = (values(&partition), values(&partition), 0..4_u8).prop_map({
        let partition = partition.clone();
        move |(low, high, kind)| {
            let names = partition.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ");
            let bound = |operator: &str, values: Vec<CqlValue>| {
                let values = values.into_iter().map(|value| CqlText::default().value(value));
                CqlText::new(format!("token({names}) {operator} token(")).then(CqlText::joined(values, ", ")).cql(")")
            };
            let relations = match kind {
                0 => vec![bound(">", low)],
                1 => vec![bound("<=", high)],
                2 => vec![bound(">=", low), bound("<", high)],
                _ => vec![bound("=", low)],
            };
            Where { relations, ..Where::default() }
        }
    });
    let filtered = |(reached, filters): (Where, Vec<CqlText>)| {
        let relations = reached.relations.into_iter().chain(filters).collect();
        Where { relations, filters: true, ..reached }
    };
    let part = (prop::sample::select(partition.iter().chain(&clustering).cloned().collect::<Vec<_>>()))
        .prop_flat_map(|column| column.value().prop_map(move |value| vec![column.equal(value)]));
    let part = part.prop_map(|relations| Where { relations, filters: true, ..Where::default() });
    // The service refuses IN together with a range.
    let reached = prop_oneof![2 => Just(Where::default()), 3 => one(RANGES), 2 => token.clone(), 1 => part.clone()];
    let filtering = prop_oneof![
        4 => (reached, filters(shape, true)).prop_map(filtered),
        1 => (several.clone(), filters(shape, false)).prop_map(filtered),
        1 => part,
    ];
    prop_oneof![
        2 => Just(Where::default()),
        6 => one(ANY),
        3 => several,
        2 => token,
        5 => filtering,
    ]
    .boxed()
}

/// `IN (1, 2)`, or `IN ?` with all values as one list.
fn list(name: &str, values: Vec<CqlValue>, as_a_whole: bool) -> CqlText {
    let text = CqlText::new(format!("{name} IN "));
    if as_a_whole {
        return text.value(CqlValue::In(values));
    }
    let values = values.into_iter().map(|value| CqlText::default().value(value));
    text.cql("(").then(CqlText::joined(values, ", ")).cql(")")
}

/// The relation on the last restricted clustering column.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Equal,
    List,
    Range,
    Between,
}

const ANY: &[Kind] = &[Kind::Equal, Kind::List, Kind::Range, Kind::Range, Kind::Between];
const LISTS: &[Kind] = &[Kind::Equal, Kind::List];
const RANGES: &[Kind] = &[Kind::Equal, Kind::Range, Kind::Between];

/// Relations on the first clustering columns.
fn in_partition(clustering: &[ShapeColumn], kinds: &'static [Kind]) -> BoxedStrategy<Vec<CqlText>> {
    if clustering.is_empty() {
        return Just(Vec::new()).boxed();
    }
    let columns = clustering.to_vec();
    let rows = prop::collection::vec(values(&columns), 2..5);
    let operator = prop::sample::select(vec![">", ">=", "<", "<="]);
    (0..=columns.len(), prop::sample::select(kinds), rows, operator, any::<bool>())
        .prop_map(move |(width, kind, rows, operator, whole)| {
            let Some(last) = width.checked_sub(1) else { return Vec::new() };
            let (before, column) = (equal(&columns[..last], &rows[0]), &columns[last]);
            let of_column = || rows.iter().map(|row| row[last].clone()).collect::<Vec<_>>();
            let with = |relations: Vec<CqlText>| before.clone().into_iter().chain(relations).collect();
            match kind {
                Kind::Equal => with(vec![column.equal(rows[0][last].clone())]),
                Kind::List => with(vec![list(&column.name, of_column(), whole)]),
                Kind::Range => with(vec![column.compared(operator, rows[0][last].clone())]),
                Kind::Between => {
                    let (low, high) = (rows[0][last].clone(), rows[1][last].clone());
                    with(vec![column.compared(">=", low), column.compared("<", high)])
                }
            }
        })
        .boxed()
}

/// Relations that require ALLOW FILTERING.
fn filters(shape: &Shape, ranges: bool) -> BoxedStrategy<Vec<CqlText>> {
    let columns = shape.cells();
    if columns.is_empty() {
        return Just(Vec::new()).boxed();
    }
    let one = prop::sample::select(columns).prop_flat_map(move |column| {
        let column_type = column.of.clone();
        match column_type {
            Type::List(element) | Type::Set(element) => element
                .value(true)
                .prop_map(move |value| CqlText::new(format!("{} CONTAINS ", column.name)).value(value))
                .boxed(),
            Type::Map(key, _) => key
                .value(true)
                .prop_map(move |value| CqlText::new(format!("{} CONTAINS KEY ", column.name)).value(value))
                .boxed(),
            Type::UserDefined => Just(CqlText::default()).boxed(),
            _ => {
                let operators = if ranges && column_type.is_simple() && column_type != Type::Boolean {
                    vec!["=", ">", "<="]
                } else {
                    vec!["="]
                };
                (prop::sample::select(operators), column.value())
                    .prop_map(move |(operator, value)| column.compared(operator, value))
                    .boxed()
            }
        }
    });
    prop::collection::vec(one, 1..3)
        .prop_map(|relations| relations.into_iter().filter(|text| !text.is_empty()).collect())
        .boxed()
}
