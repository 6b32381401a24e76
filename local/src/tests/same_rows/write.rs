//! Random writes.

use proptest::prelude::*;

use super::shape::{Shape, ShapeColumn, equal, from_table, values};
use super::text::{BindingStyle, CqlText, SendOptions, TABLE, send_options};
use super::value::{CqlValue, Type};

/// A write.
#[derive(Clone, Debug)]
pub(super) struct TableWrite {
    /// The statement, or the statements of an unlogged batch.
    pub(super) texts: Vec<CqlText>,
    pub(super) send_options: SendOptions,
    /// Whether a batch is sent as a BATCH frame, not as text.
    pub(super) as_batch: bool,
}

pub(super) fn write(shape: &Shape) -> BoxedStrategy<TableWrite> {
    let single = prop_oneof![
        12 => modification(shape).prop_map(|one| vec![one]),
        1 => conditional(shape).prop_map(|one| vec![one]),
        2 => prop::collection::vec(modification(shape), 2..5),
    ];
    (single, send_options(), any::<bool>())
        .prop_map(|(texts, mut send_options, as_batch)| {
            let as_batch = texts.len() > 1 && as_batch;
            // The protocol has no named values in a BATCH.
            if as_batch && matches!(send_options.binding_style, BindingStyle::Named { .. }) {
                send_options.binding_style = BindingStyle::Positional(u32::MAX);
            }
            TableWrite { texts, send_options, as_batch }
        })
        .boxed()
}

impl TableWrite {
    /// The text of the statement or of the batch.
    pub(super) fn text(&self) -> CqlText {
        match self.texts.as_slice() {
            [one] => one.clone(),
            all => CqlText::new("BEGIN UNLOGGED BATCH ")
                .then(CqlText::joined(all.iter().cloned(), "; "))
                .cql("; APPLY BATCH"),
        }
    }
}

fn modification(shape: &Shape) -> BoxedStrategy<CqlText> {
    prop_oneof![
        8 => insert(shape, ""),
        1 => insert_statics(shape),
        1 => json(shape),
        6 => update(shape, false, ""),
        1 => update(shape, true, ""),
        2 => delete(shape),
    ]
    .boxed()
}

fn conditional(shape: &Shape) -> BoxedStrategy<CqlText> {
    let simple = shape.regular.iter().filter(|column| column.of.is_simple()).cloned().collect::<Vec<_>>();
    let exists = prop_oneof![insert(shape, " IF NOT EXISTS"), update(shape, false, " IF EXISTS")];
    if simple.is_empty() || shape.regular.is_empty() {
        return exists.boxed();
    }
    let compared =
        prop::sample::select(simple).prop_flat_map(|column| column.value().prop_map(move |value| column.equal(value)));
    let equal = (update(shape, false, ""), compared).prop_map(|(text, condition)| text.cql(" IF ").then(condition));
    prop_oneof![exists, equal].boxed()
}

fn ttl(shape: &Shape) -> BoxedStrategy<Option<CqlText>> {
    let ttl = (50_000..90_000).prop_map(|ttl| CqlText::new(" USING TTL ").value(CqlValue::Int(ttl)));
    if shape.ttl { prop::option::weighted(0.3, ttl).boxed() } else { Just(None).boxed() }
}

fn cell(column: &ShapeColumn) -> BoxedStrategy<CqlValue> {
    prop_oneof![12 => column.value(), 1 => Just(CqlValue::Null), 1 => Just(CqlValue::Unset)].boxed()
}

fn insert(shape: &Shape, end: &'static str) -> BoxedStrategy<CqlText> {
    let key: Vec<_> = shape.partition.iter().chain(&shape.clustering).cloned().collect();
    inserted(shape, key, shape.cells(), end)
}

/// Inserts only the static columns of a partition.
fn insert_statics(shape: &Shape) -> BoxedStrategy<CqlText> {
    match shape.statics.is_empty() {
        true => insert(shape, ""),
        false => inserted(shape, shape.partition.clone(), shape.statics.clone(), ""),
    }
}

fn inserted(
    shape: &Shape,
    key: Vec<ShapeColumn>,
    cells: Vec<ShapeColumn>,
    end: &'static str,
) -> BoxedStrategy<CqlText> {
    // An INSERT without clustering columns needs a static column.
    let is_needed = |index| index == 0 && key.len() == shape.partition.len() && !shape.clustering.is_empty();
    let assigned_values = cells.iter().enumerate().map(|(index, column)| match is_needed(index) {
        true => column.value().prop_map(Some).boxed(),
        false => prop::option::weighted(0.7, cell(column)).boxed(),
    });
    let assigned_values = assigned_values.collect::<Vec<_>>();
    (values(&key), assigned_values, ttl(shape))
        .prop_map(move |(values, assigned_values, ttl)| {
            let mut columns: Vec<_> = key.iter().cloned().zip(values).collect();
            columns.extend(
                cells.iter().cloned().zip(assigned_values).filter_map(|(column, value)| Some((column, value?))),
            );
            let names = columns.iter().map(|(column, _)| column.name.as_str()).collect::<Vec<_>>().join(", ");
            let values = columns.into_iter().map(|(_, value)| CqlText::default().value(value));
            let text = CqlText::new(format!("INSERT INTO {TABLE} ({names}) VALUES ("));
            text.then(CqlText::joined(values, ", ")).cql(format!("){end}")).then(ttl.unwrap_or_default())
        })
        .boxed()
}

fn json(shape: &Shape) -> BoxedStrategy<CqlText> {
    let columns: Vec<_> = shape.all().cloned().collect();
    let keys = shape.partition.len() + shape.clustering.len();
    let unset = prop::sample::select(vec!["", " DEFAULT UNSET", " DEFAULT NULL"]);
    (values(&columns), any::<u16>(), unset)
        .prop_map(move |(values, is_assigned, unset)| {
            let row = columns.iter().zip(values).enumerate();
            let row = row.filter(|(index, _)| *index < keys || is_assigned >> index & 1 == 1);
            let row = row.map(|(_, (column, value))| (column.name.clone(), value.json())).collect();
            let json = CqlValue::Text(serde_json::Value::Object(row).to_string());
            CqlText::new(format!("INSERT INTO {TABLE} JSON ")).value(json).cql(unset)
        })
        .boxed()
}

/// An UPDATE of a row, or of the static columns of a partition.
fn update(shape: &Shape, of_statics: bool, end: &'static str) -> BoxedStrategy<CqlText> {
    let columns = if of_statics { shape.statics.clone() } else { shape.cells() };
    if columns.is_empty() {
        return insert(shape, "");
    }
    let mut key = shape.partition.clone();
    if !of_statics {
        key.extend(shape.clustering.clone());
    }
    let max = columns.len().min(3);
    // An UPDATE of only static columns does not name clustering columns.
    let regular = shape.regular.clone();
    if !of_statics && regular.is_empty() {
        return insert(shape, "");
    }
    let others = prop::sample::subsequence(columns.clone(), 1..=max).prop_map(move |mut chosen| {
        if !of_statics && !chosen.iter().any(|column| regular.iter().any(|of| of.name == column.name)) {
            chosen.push(regular[0].clone());
        }
        chosen
    });
    let assignments = others.prop_flat_map(|chosen| chosen.iter().map(assignment).collect::<Vec<_>>());
    (values(&key), assignments, ttl(shape))
        .prop_map(move |(values, assignments, ttl)| {
            let text = from_table("UPDATE").then(ttl.unwrap_or_default()).cql(" SET ");
            let text = text.then(CqlText::joined(assignments, ", ")).cql(" WHERE ");
            text.then(CqlText::joined(equal(&key, &values), " AND ")).cql(end)
        })
        .boxed()
}

fn assignment(column: &ShapeColumn) -> BoxedStrategy<CqlText> {
    let name = column.name.clone();
    let whole = prop_oneof![6 => column.value(), 1 => Just(CqlValue::Null)].prop_map({
        let column = column.clone();
        move |value| column.equal(value)
    });
    match &column.of {
        Type::List(_) => (column.value(), 0..3_u8)
            .prop_map(move |(value, kind)| match kind {
                0 => CqlText::new(format!("{name} = {name} + ")).value(value),
                1 => CqlText::new(format!("{name} = ")).value(value).cql(format!(" + {name}")),
                _ => CqlText::new(format!("{name} = {name} - ")).value(value),
            })
            .boxed(),
        Type::Set(_) => (column.value(), prop::sample::select(vec!["+", "-"]))
            .prop_map(move |(value, sign)| CqlText::new(format!("{name} = {name} {sign} ")).value(value))
            .boxed(),
        Type::Map(key, value) => {
            let put = (key.value(true), value.value(true)).prop_map({
                let name = name.clone();
                move |(key, value)| CqlText::new(format!("{name}[")).value(key).cql("] = ").value(value)
            });
            let taken = Type::Set(key.clone()).value(true).prop_map({
                let name = name.clone();
                move |keys| CqlText::new(format!("{name} = {name} - ")).value(keys)
            });
            prop_oneof![whole, put, taken].boxed()
        }
        Type::UserDefined => {
            let field = (0..9).prop_map(move |a| CqlText::new(format!("{name}.a = ")).value(CqlValue::Int(a)));
            prop_oneof![whole, field].boxed()
        }
        _ => whole.boxed(),
    }
}

fn delete(shape: &Shape) -> BoxedStrategy<CqlText> {
    let key: Vec<_> = shape.partition.iter().chain(&shape.clustering).cloned().collect();
    let (partition, regular) = (shape.partition.len(), shape.regular.clone());
    let columns = key.len();
    let targets = prop::sample::subsequence(regular.clone(), 0..=regular.len().min(2));
    (values(&key), prop_oneof![4 => Just(columns), 1 => partition..=columns], targets, 0..4_u8)
        .prop_map(move |(values, width, targets, kind)| {
            let mut relations = equal(&key[..width], &values);
            let names = targets.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ");
            // Single columns can be deleted only from single rows.
            let names = if width == columns && kind < 2 { names } else { String::new() };
            if width > partition && kind == 3 {
                let last = &key[width - 1];
                relations[width - 1] = last.compared(">=", values[width - 1].clone());
            }
            let text = from_table(&format!("DELETE {names} FROM")).cql(" WHERE ");
            text.then(CqlText::joined(relations, " AND "))
        })
        .boxed()
}
