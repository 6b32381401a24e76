//! Random tables.

use proptest::prelude::*;

use super::text::{CqlText, TABLE};
use super::value::{CqlValue, Type};

#[derive(Clone, Debug)]
pub(super) struct ShapeColumn {
    /// The type in CQL.
    pub(super) name: String,
    pub(super) of: Type,
    /// Whether some of its values have up to 300 kB.
    is_large: bool,
    /// Whether it belongs to the partition key, which has fewer distinct values.
    is_partition: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) partition: Vec<ShapeColumn>,
    pub(super) clustering: Vec<ShapeColumn>,
    pub(super) descending: Vec<bool>,
    pub(super) statics: Vec<ShapeColumn>,
    pub(super) regular: Vec<ShapeColumn>,
    pub(super) ttl: bool,
    /// Whether the gateway records its writes for point-in-time recovery.
    recovery: bool,
}

pub(super) fn shape() -> impl Strategy<Value = Shape> {
    let keys = |range| prop::collection::vec(Type::key(), range);
    let columns = |range| prop::collection::vec(Type::any(), range);
    (
        keys(1..4),
        keys(0..4),
        prop::collection::vec(any::<bool>(), 4),
        columns(0..3),
        columns(0..5),
        any::<bool>(),
        prop::bool::weighted(0.1),
    )
        .prop_map(|(partition, clustering, descending, statics, regular, ttl, recovery)| {
            // Static columns require clustering columns.
            let statics = if clustering.is_empty() { Vec::new() } else { statics };
            let named = |prefix: &str, types: Vec<Type>, is_partition| {
                let mut columns = Vec::new();
                for (index, of) in types.into_iter().enumerate() {
                    let name = if prefix == "r" && index == 1 { "\"R 1\"".into() } else { format!("{prefix}{index}") };
                    columns.push(ShapeColumn { name, of, is_large: false, is_partition });
                }
                columns
            };
            let mut shape = Shape {
                descending: descending[..clustering.len()].to_vec(),
                partition: named("p", partition, true),
                clustering: named("c", clustering, false),
                statics: named("s", statics, false),
                regular: named("r", regular, false),
                ttl,
                recovery,
            };
            let mut large = shape.regular.iter_mut().chain(&mut shape.statics);
            if let Some(column) = large.find(|column| matches!(column.of, Type::Text | Type::Blob)) {
                column.is_large = true;
            }
            shape
        })
}

impl Shape {
    /// The part of CREATE TABLE after the name.
    pub(super) fn definition(&self) -> String {
        let names = |columns: &[ShapeColumn]| columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
        let mut columns = Vec::new();
        for column in self.partition.iter().chain(&self.clustering).chain(&self.regular) {
            columns.push(format!("{} {}", column.name, column.of.cql()));
        }
        columns.extend(self.statics.iter().map(|column| format!("{} {} STATIC", column.name, column.of.cql())));
        let mut key = vec![format!("({})", names(&self.partition).join(", "))];
        key.extend(names(&self.clustering));
        let orders = self.clustering.iter().zip(&self.descending);
        let orders: Vec<_> =
            orders.map(|(of, desc)| format!("{} {}", of.name, if *desc { "DESC" } else { "ASC" })).collect();
        let mut options = Vec::new();
        if !orders.is_empty() {
            options.push(format!("CLUSTERING ORDER BY ({})", orders.join(", ")));
        }
        let enabled = [("ttl", self.ttl), ("point_in_time_recovery", self.recovery)];
        let enabled: Vec<_> = enabled.iter().filter(|(_, is)| *is).collect();
        if !enabled.is_empty() {
            let enabled: Vec<_> =
                enabled.iter().map(|(name, _)| format!("'{name}': {{'status': 'enabled'}}")).collect();
            options.push(format!("CUSTOM_PROPERTIES = {{{}}}", enabled.join(", ")));
        }
        let options = if options.is_empty() { String::new() } else { format!(" WITH {}", options.join(" AND ")) };
        format!("({}, PRIMARY KEY ({})){options}", columns.join(", "), key.join(", "))
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &ShapeColumn> {
        self.partition.iter().chain(&self.clustering).chain(&self.statics).chain(&self.regular)
    }

    /// The columns outside the primary key.
    pub(super) fn cells(&self) -> Vec<ShapeColumn> {
        self.statics.iter().chain(&self.regular).cloned().collect()
    }
}

impl ShapeColumn {
    pub(super) fn value(&self) -> BoxedStrategy<CqlValue> {
        let value = self.of.value(!self.is_partition);
        if !self.is_large {
            return value;
        }
        let size = prop_oneof![12 => 0..20_usize, 4 => 20..3_000_usize, 1 => 3_000..300_000_usize];
        let is_text = self.of == Type::Text;
        size.prop_map(move |size| match is_text {
            true => CqlValue::Text("x".repeat(size)),
            false => CqlValue::Blob(vec![0xab; size / 2]),
        })
        .boxed()
    }

    pub(super) fn equal(&self, value: CqlValue) -> CqlText {
        self.compared("=", value)
    }

    pub(super) fn compared(&self, operator: &str, value: CqlValue) -> CqlText {
        CqlText::new(format!("{} {operator} ", self.name)).value(value)
    }
}

/// One value for each column.
pub(super) fn values(columns: &[ShapeColumn]) -> BoxedStrategy<Vec<CqlValue>> {
    columns.iter().map(ShapeColumn::value).collect::<Vec<_>>().boxed()
}

/// `a = 1`, `b = 2`
pub(super) fn equal(columns: &[ShapeColumn], values: &[CqlValue]) -> Vec<CqlText> {
    columns.iter().zip(values).map(|(column, value)| column.equal(value.clone())).collect()
}

pub(super) fn from_table(verb: &str) -> CqlText {
    CqlText::new(format!("{verb} {TABLE}"))
}
