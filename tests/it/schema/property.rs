use std::collections::BTreeMap;
use std::time::Duration;

use keyspaces::schema::{
    AutoScaling, CapacityMode, CapacityScaling, Cdc, CdcView, ClientSideTimestamps, CqlType, KeyspaceDefinition,
    NativeType, Order, PointInTimeRecovery, TableDefinition, Tags, TargetTracking, Ttl,
};
use keyspaces_local::Local;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::local::signed;

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
    let tracking = (1..50_u32, 50..40_000_u32, 20..=90_u32, proptest::option::of(0..600_u32), any::<bool>());
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

/// Any table, but for the names of its columns, which are `c0`, `c1` and so on, some of them in need of quotes.
pub(crate) fn definition(table: String) -> impl Strategy<Value = TableDefinition> {
    let key = vec(key_type(), 1..4);
    let clustering = vec((key_type(), any::<bool>()), 0..4);
    let columns = vec((column_type(), any::<bool>()), 0..6);
    let options = (
        proptest::option::of((1..500_u32, 1..500_u32)),
        any::<[bool; 4]>(),
        proptest::option::of(0..1_000_000_u32),
        proptest::option::of(select(vec![CdcView::NewImage, CdcView::KeysOnly, CdcView::NewAndOldImages])),
        proptest::option::of((proptest::option::of(scaling()), proptest::option::of(scaling()))),
        btree_map("[a-zA-Z0-9 +.=_:/-]{1,20}", "[a-zA-Z0-9 +.=_:/-]{1,20}", 0..3),
    );
    (key, clustering, columns, options).prop_map(move |(key, clustering, columns, options)| {
        let mut table = TableDefinition::builder("ks", table.as_str());
        let mut number = 0;
        let mut name = || {
            number += 1;
            if number % 3 == 0 { format!("C {number}") } else { format!("c{number}") }
        };
        for column_type in key {
            table = table.partition_key(name(), column_type);
        }
        let may_be_static = !clustering.is_empty();
        for (column_type, descending) in clustering {
            let order = if descending { Order::Descending } else { Order::Ascending };
            table = table.clustering_column(name(), column_type, order);
        }
        for (column_type, is_static) in columns {
            table = if is_static && may_be_static {
                table.static_column(name(), column_type)
            } else {
                table.column(name(), column_type)
            };
        }
        let (units, [recovery, timestamps, ttl, tagged], seconds, view, scaling, tags) = options;
        if let Some((read, write)) = units {
            table = table.with(CapacityMode::Provisioned { read, write });
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
        if let Some(seconds) = seconds.filter(|seconds| *seconds > 0) {
            table = table.default_time_to_live(seconds);
        }
        if let Some(view) = view {
            table = table.with(Cdc::On(view));
        }
        if let Some((read, write)) = scaling.filter(|(read, write)| read.is_some() || write.is_some()) {
            table = table.with(AutoScaling { read, write, replicas: BTreeMap::new() });
        }
        if tagged {
            table = tags.into_iter().fold(table, |table, (key, value)| table.tag(key, value));
        }
        table.build().unwrap()
    })
}

/// What holds where nothing is said (DG:cql.ddl.table), and columns in the order of a description.
pub(crate) fn as_described(mut table: TableDefinition) -> TableDefinition {
    let options = &mut table.options;
    options.capacity_mode.get_or_insert_default();
    options.point_in_time_recovery.get_or_insert_default();
    options.encryption.get_or_insert_default();
    options.tags = options.tags.take().filter(|tags: &Tags| !tags.is_empty());
    let place = |name: &str| {
        let key = table.partition_key.iter().chain(table.clustering_columns.iter().map(|by| &by.column));
        key.into_iter().position(|key| key.text == name)
    };
    let places: BTreeMap<_, _> = table.columns.iter().map(|of| (of.name.text.clone(), place(&of.name.text))).collect();
    table.columns.sort_by_key(|column| {
        let name = column.name.text.clone();
        (column.kind as u8, places[&name], name)
    });
    table
}

#[tokio::test]
async fn any_definition_prints_parses_back_is_accepted_and_described_back_equal() {
    const CASES: usize = 24;
    let local = Local::builder().ddl_delay(Duration::ZERO).start().await.unwrap();
    let session = signed(&local).connect().await.unwrap();
    let schema = session.schema();
    schema.create_keyspace(&KeyspaceDefinition::new("ks")).await.unwrap();
    let mut runner = TestRunner::default();
    for case in 0..CASES {
        let name = format!("t{case}");
        let table = definition(name.clone()).new_tree(&mut runner).unwrap().current();
        let text = table.to_string();
        let Ok(keyspaces_cql::Statement::CreateTable(create)) = keyspaces_cql::parse(&text) else { panic!("{text}") };
        assert_eq!(create.definition().unwrap(), table, "{text}");
        schema.create_table(&table).await.unwrap_or_else(|error| panic!("{error}\n{text}"));
        let described = schema.describe_table("ks", &name).await.unwrap().unwrap().definition;
        assert_eq!(described, as_described(table), "{text}");
    }
    local.close().await.unwrap();
}
