use keyspaces::schema::{
    AutoScaling, CapacityMode, CapacityScaling, Cdc, ColumnKind, Definitions, KeyspaceDefinition, TableDefinition, Tags,
};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use testkit::tables::definition;

use crate::local::without_ddl_delay;
use crate::schema::property::as_described;

/// A definition to which Keyspaces can change the table `there`: the same key, the same columns and more, and the options of
/// `other`, each of them set. Options that cannot be turned off stay on.
fn reachable(there: &TableDefinition, other: &TableDefinition) -> TableDefinition {
    let mut wanted = there.clone();
    for (number, column) in other.columns.iter().enumerate() {
        if column.kind == ColumnKind::Regular {
            let mut column = column.clone();
            column.name.text = format!("x{number}");
            column.name.quoted = false;
            wanted.columns.push(column);
        }
    }
    wanted.options = as_described(other.clone()).options;
    let (options, is) = (&mut wanted.options, &there.options);
    options.ttl = options.ttl.or(is.ttl);
    options.client_side_timestamps = options.client_side_timestamps.or(is.client_side_timestamps);
    options.cdc.get_or_insert(Cdc::Off);
    options.tags.get_or_insert_with(Tags::new);
    options.default_time_to_live.get_or_insert(0);
    options.comment.get_or_insert_default();
    let scaling = options.auto_scaling.get_or_insert_default();
    scaling.read.get_or_insert(CapacityScaling::Disabled);
    scaling.write.get_or_insert(CapacityScaling::Disabled);
    wanted
}

/// The definition without options that have no effect.
fn in_effect(table: TableDefinition) -> TableDefinition {
    let mut table = as_described(table);
    let options = &mut table.options;
    options.cdc = options.cdc.filter(|cdc| *cdc != Cdc::Off);
    options.default_time_to_live = options.default_time_to_live.filter(|seconds| *seconds > 0);
    let on = |part: &CapacityScaling| *part != CapacityScaling::Disabled;
    let scaling = options.auto_scaling.take().unwrap_or_default();
    let scaling = AutoScaling { read: scaling.read.filter(on), write: scaling.write.filter(on), ..scaling };
    options.auto_scaling = Some(scaling).filter(|scaling| *scaling != AutoScaling::default());
    table
}

/// Takes the provisioned units from `now` where auto scaling is on before and after: they may be any within its bounds.
fn with_units_of(mut wanted: TableDefinition, before: &TableDefinition, now: &TableDefinition) -> TableDefinition {
    let of = |table: &TableDefinition| match table.options.capacity_mode {
        Some(CapacityMode::Provisioned { read, write }) => Some((read, write)),
        _ => None,
    };
    let scaling = |table: &TableDefinition| table.options.auto_scaling.clone().unwrap_or_default();
    let within = |before: Option<CapacityScaling>, after: Option<CapacityScaling>, units: u32| match (before, after) {
        (Some(CapacityScaling::Target(_)), Some(CapacityScaling::Target(bounds))) => {
            (bounds.minimum..=bounds.maximum).contains(&units)
        }
        _ => false,
    };
    let (was, is) = (scaling(before), scaling(&wanted));
    if let (Some(CapacityMode::Provisioned { read, write }), Some((reads, writes))) =
        (&mut wanted.options.capacity_mode, of(now))
    {
        *read = if within(was.read, is.read, reads) { reads } else { *read };
        *write = if within(was.write, is.write, writes) { writes } else { *write };
    }
    wanted
}

#[tokio::test]
async fn applied_plan_for_any_reachable_definition_leaves_no_difference() {
    const CASES: usize = 16;
    let (_local, session) = without_ddl_delay().await;
    let schema = session.schema();
    let mut runner = TestRunner::default();
    let mut statements = 0;
    for case in 0..CASES {
        let mut sample = || definition(format!("t{case}")).new_tree(&mut runner).unwrap().current();
        let (before, other) = (sample(), sample());
        let wanted = reachable(&before, &other);
        let keyspace = KeyspaceDefinition::new("ks").tag("case", case.to_string());
        for (number, table) in [&before, &wanted].into_iter().enumerate() {
            let definitions = Definitions::new().keyspace(keyspace.clone()).table(table.clone());
            let plan = schema.plan(definitions.clone()).await.unwrap();
            assert_eq!(plan.impossible(), [], "{plan}\n{before}\n{wanted}");
            plan.apply().await.unwrap_or_else(|error| panic!("{error}\n{plan}\n{before}\n{wanted}"));
            statements += plan.steps().len();
            let now = schema.describe_table("ks", &format!("t{case}")).await.unwrap().unwrap().definition;
            let expected = if number == 0 { table.clone() } else { with_units_of(table.clone(), &before, &now) };
            assert_eq!(in_effect(now), in_effect(expected), "{plan}\n{before}\n{wanted}");
            let again = schema.plan(definitions).await.unwrap();
            assert!(again.is_empty(), "{again}\n{before}\n{wanted}");
        }
        assert_eq!(schema.describe_keyspace("ks").await.unwrap(), Some(keyspace));
    }
    assert!(statements > 2 * CASES, "only {statements} statements were planned");
}
