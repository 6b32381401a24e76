//! Random table definitions.

use keyspaces_cql::statement::{CqlType, NativeType, SortOrder};
use keyspaces_cql::{
    AutoScaling, CapacityMode, CapacityScaling, Cdc, CdcView, ClientSideTimestamps, PointInTimeRecovery,
    TableDefinition, TableProperty, TargetTracking, Ttl,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

fn native() -> impl Strategy<Value = NativeType> {
    use NativeType::{
        Ascii, Bigint, Blob, Boolean, Date, Decimal, Double, Float, Inet, Int, Smallint, Text, Time, Timestamp,
        Timeuuid, Tinyint, Uuid, Varint,
    };
    select(vec![
        Ascii, Bigint, Blob, Boolean, Date, Decimal, Double, Float, Inet, Int, Smallint, Text, Time, Timestamp,
        Timeuuid, Tinyint, Uuid, Varint,
    ])
}

fn key_type() -> impl Strategy<Value = CqlType> {
    prop_oneof![
        4 => native().prop_map(CqlType::from),
        1 => native().prop_map(|element| CqlType::frozen(CqlType::list(element))),
        1 => (native(), native()).prop_map(|(one, other)| CqlType::tuple([one.into(), other.into()])),
    ]
}

fn column_type() -> impl Strategy<Value = CqlType> {
    prop_oneof![
        4 => key_type(),
        1 => native().prop_map(CqlType::set),
        1 => (native(), native()).prop_map(|(key, value)| CqlType::map(key, CqlType::frozen(CqlType::list(value)))),
    ]
}

fn scaling() -> impl Strategy<Value = CapacityScaling> {
    let tracking = (1..50_u32, 50..40_000_u32, 20..=90_u32, option::of(0..600_u32), any::<bool>());
    prop_oneof![
        1 => Just(CapacityScaling::Disabled),
        3 => tracking.prop_map(|(minimum, maximum, target, scale_in_cooldown, disable_scale_in)| {
            CapacityScaling::Target(TargetTracking {
                target: target.into(),
                scale_in_cooldown,
                disable_scale_in,
                ..TargetTracking::between(minimum, maximum)
            })
        }),
    ]
}

/// Any valid definition of the table with this name in the keyspace `ks`. A third of its columns have names that need quotes.
pub fn definition(table: impl Into<String>) -> impl Strategy<Value = TableDefinition> {
    let name = table.into();
    let key = vec(key_type(), 1..4);
    let clustering = vec((key_type(), any::<bool>()), 0..4);
    let columns = vec((column_type(), any::<bool>()), 0..6);
    let options = (
        option::of((1..500_u32, 1..500_u32)),
        any::<[bool; 3]>(),
        option::of(0..1_000_000_u32),
        option::of(select(vec![CdcView::NewImage, CdcView::KeysOnly, CdcView::NewAndOldImages])),
        option::of((option::of(scaling()), option::of(scaling()))),
        btree_map("[a-zA-Z0-9 +.=_:/-]{1,20}", "[a-zA-Z0-9 +.=_:/-]{1,20}", 0..3),
        option::of("[ -~]{0,20}"),
    );
    (key, clustering, columns, options).prop_map(move |(key, clustering, columns, options)| {
        let mut table = TableDefinition::builder("ks", name.as_str());
        let mut number = 0;
        let mut name = || {
            number += 1;
            if number % 3 == 0 { format!("C \"{number}") } else { format!("c{number}") }
        };
        for column_type in key {
            table = table.partition_key(name(), column_type);
        }
        let may_be_static = !clustering.is_empty();
        for (column_type, descending) in clustering {
            let order = if descending { SortOrder::Descending } else { SortOrder::Ascending };
            table = table.clustering_column(name(), column_type, order);
        }
        for (column_type, is_static) in columns {
            table = if is_static && may_be_static {
                table.static_column(name(), column_type)
            } else {
                table.column(name(), column_type)
            };
        }
        let (units, [recovery, timestamps, ttl], seconds, view, scaling, tags, comment) = options;
        if let Some((read, write)) = units {
            table = table.with(CapacityMode::Provisioned { read, write });
            if let Some((read, write)) = scaling.filter(|(read, write)| read.is_some() || write.is_some()) {
                table = table.with(AutoScaling { read, write, ..AutoScaling::default() });
            }
        }
        if recovery {
            table = table.with(PointInTimeRecovery::Enabled);
        }
        if timestamps {
            table = table.with(ClientSideTimestamps::Enabled);
        }
        if ttl {
            table = table.with(Ttl::Enabled);
        }
        if let Some(seconds) = seconds {
            table = table.default_time_to_live(seconds);
        }
        if let Some(view) = view {
            table = table.with(Cdc::On(view));
        }
        if let Some(comment) = comment {
            table = table.with(TableProperty::Comment(comment));
        }
        for (key, value) in tags.into_iter().filter(|(key, _)| !key.to_lowercase().starts_with("aws:")) {
            table = table.tag(key, value);
        }
        table.build().unwrap()
    })
}
