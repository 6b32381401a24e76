//! Every option of a table and of a keyspace as text: `options.txt`, whose first column says where the form comes from.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;

use keyspaces_cql::statement::{CqlType, NativeType};
use keyspaces_cql::{
    AutoScaling, CapacityMode, CapacityScaling, Cdc, CdcView, ClientSideTimestamps, Encryption, Judgement,
    KeyspaceChange, KeyspaceDefinition, PointInTimeRecovery, Statement, TableChange, TableDefinition, TableOptions,
    TableProblem, TableProperty, Tags, TargetTracking, Ttl, WarmThroughput, judge, parse,
};

fn properties() -> Vec<(&'static str, TableProperty)> {
    let units = CapacityMode::Provisioned { read: 10, write: 20 };
    let tracking = TargetTracking {
        target: 50.0,
        scale_in_cooldown: Some(60),
        scale_out_cooldown: Some(60),
        ..TargetTracking::between(5, 10)
    };
    let key = "arn:aws:kms:eu-west-1:111122223333:key/11111111-2222-3333-4444-555555555555";
    let replicas = BTreeMap::from([("us-east-1".to_owned(), CapacityScaling::Target(TargetTracking::between(5, 10)))]);
    vec![
        ("DG:cql.ddl.table", CapacityMode::OnDemand.into()),
        ("DG:cql.ddl.table", units.into()),
        ("DG:create-table-warm-throughput", WarmThroughput { read: 40_000, write: 20_000 }.into()),
        ("DG:cql.ddl.table", PointInTimeRecovery::Enabled.into()),
        ("DG:cql.ddl.table", PointInTimeRecovery::Disabled.into()),
        ("DG:cql.ddl.table", Encryption::AwsOwnedKey.into()),
        ("DG:cql.ddl.table", Encryption::CustomerManagedKey(key.to_owned()).into()),
        ("DG:client-side-timestamps", ClientSideTimestamps::Enabled.into()),
        ("DG:TTL-how-to-create-table", Ttl::Enabled.into()),
        (
            "inferred from DG:tables-mrr-create-provisioned",
            TableProperty::ReplicaCapacity(BTreeMap::from([("us-east-1".to_owned(), 20)])),
        ),
        ("DG:keyspaces-enable-cdc-new-table", Cdc::On(CdcView::NewImage).into()),
        ("DG:cql.ddl.table", Cdc::Off.into()),
        (
            "DG:autoscaling.createTable",
            AutoScaling {
                read: Some(CapacityScaling::Disabled),
                write: Some(CapacityScaling::Target(tracking)),
                replicas: BTreeMap::new(),
            }
            .into(),
        ),
        ("DG:tables-mrr-create-provisioned", AutoScaling { replicas, ..AutoScaling::default() }.into()),
        ("DG:TTL-how-to-create-table", TableProperty::DefaultTimeToLive(3_024_000)),
        ("DG:cql.ddl.table", TableProperty::Tags(tags())),
    ]
}

fn tags() -> Tags {
    Tags::from([("cost centre".to_owned(), "it's 7".to_owned()), ("stage".to_owned(), "test".to_owned())])
}

fn table() -> TableDefinition {
    TableDefinition::builder("ks", "t").partition_key("id", NativeType::Uuid).build().unwrap()
}

fn statements() -> Vec<(&'static str, Statement)> {
    let mut statements = Vec::new();
    for (source, property) in properties() {
        let with = TableDefinition::builder("ks", "t").partition_key("id", NativeType::Uuid).with(property.clone());
        statements.push((source, Statement::CreateTable(with.build().unwrap().create())));
        if !matches!(property, TableProperty::Tags(_)) {
            statements.push((source, Statement::AlterTable(TableChange::Set(property).of(&table().table))));
        }
    }
    for change in
        [TableChange::add_column("name", NativeType::Text), TableChange::AddTags(tags()), TableChange::DropTags(tags())]
    {
        statements.push(("DG:cql.ddl.table", Statement::AlterTable(change.of(&table().table))));
    }
    let keyspace = KeyspaceDefinition::new("ks").tag("stage", "test");
    let regions = KeyspaceDefinition::new("ks").in_regions(["us-east-1", "eu-west-1"]);
    statements.push(("DG:cql.ddl.keyspace", Statement::CreateKeyspace(keyspace.create())));
    statements.push(("DG:cql.ddl.keyspace", Statement::CreateKeyspace(regions.create())));
    for change in [
        KeyspaceChange::AddRegion("ap-south-1".to_owned()),
        KeyspaceChange::AddTags(tags()),
        KeyspaceChange::DropTags(tags()),
    ] {
        statements.push(("DG:cql.ddl.keyspace", Statement::AlterKeyspace(keyspace.alter(&change, "us-east-1"))));
    }
    statements
}

#[test]
fn every_option_is_printed_as_the_guide_writes_it() {
    let told: String = statements().iter().map(|(source, statement)| format!("{source}\n  {statement}\n")).collect();
    assert_eq!(told, include_str!("options.txt"), "\n{told}");
}

#[test]
fn every_option_is_read_back_and_is_allowed() {
    for (_, statement) in statements() {
        let text = statement.to_string();
        let again = parse(&text).unwrap();
        assert!(again.means_the_same_as(&statement), "{text}");
        assert_eq!(judge(&again), Judgement::Allowed, "{text}");
    }
    for (_, property) in properties() {
        let said = TableOptions::default().and(property);
        assert_eq!(TableOptions::read(&said.with_options()).unwrap(), said);
    }
}

#[test]
fn what_custom_properties_show_is_read_as_it_was_said() {
    for (_, property) in properties() {
        let custom = match property {
            TableProperty::Cdc(Cdc::Off)
            | TableProperty::DefaultTimeToLive(_)
            | TableProperty::AutoScaling(_)
            | TableProperty::Tags(_)
            // Maps of maps of maps are not shown there.
            | TableProperty::ReplicaCapacity(_) => continue,
            property => TableOptions::default().and(property),
        };
        assert_eq!(TableOptions::from_custom_properties(&custom.custom_properties()), custom);
    }
}

#[test]
fn what_the_service_shows_beyond_what_it_takes_is_passed_over() {
    let map = |entries: &[(&str, &str)]| -> BTreeMap<String, String> {
        entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    // As DG:keyspaces-enable-cdc-new-table shows it, and names that no page has.
    let shown = BTreeMap::from([
        (
            "capacity_mode".to_owned(),
            map(&[
                ("last_update_to_pay_per_request_timestamp", "1741383893782"),
                ("throughput_mode", "PROVISIONED"),
                ("read_capacity_units", "5"),
                ("write_capacity_units", "6"),
                ("burst_capacity_units", "7"),
            ]),
        ),
        (
            "cdc_specification".to_owned(),
            map(&[("latest_stream_arn", "arn:…"), ("status", "ENABLED"), ("view_type", "NEW_IMAGE")]),
        ),
        ("point_in_time_recovery".to_owned(), map(&[("status", "disabled"), ("days", "35")])),
        ("ttl".to_owned(), map(&[("status", "enabled"), ("since", "1741383893782")])),
        ("tomorrow".to_owned(), map(&[("status", "enabled")])),
    ]);
    let options = TableOptions::from_custom_properties(&shown);
    let expected = TableOptions::default()
        .and(CapacityMode::Provisioned { read: 5, write: 6 })
        .and(Cdc::On(CdcView::NewImage))
        .and(PointInTimeRecovery::Disabled)
        .and(Ttl::Enabled);
    assert_eq!(options, expected);
    let scaling = CapacityScaling::Target(TargetTracking::between(5, 10));
    let mut shown = scaling.shown();
    shown.insert("last_scaled".to_owned(), "1741383893782".to_owned());
    shown.insert("alarms".to_owned(), "{'high': 'arn:…'}".to_owned());
    let policy = shown.get_mut("scaling_policy").unwrap();
    *policy = policy.replace("'target_value'", "'predictive': true, 'target_value'");
    assert_eq!(CapacityScaling::from_shown(&shown).unwrap(), scaling);
}

#[test]
fn what_scaling_shows_is_read_as_it_was_said() {
    let tracking = TargetTracking { target: 62.5, disable_scale_in: true, ..TargetTracking::between(1, 40_000) };
    for scaling in [CapacityScaling::Disabled, CapacityScaling::Target(tracking)] {
        assert_eq!(CapacityScaling::from_shown(&scaling.shown()).unwrap(), scaling);
    }
}

#[test]
fn a_change_that_cannot_be_is_refused_with_the_reason() {
    let text = "CREATE TABLE ks.t (id uuid PRIMARY KEY, name text) WITH CDC = TRUE AND CUSTOM_PROPERTIES = \
                {'cdc_specification': {'view_type': 'KEYS_ONLY'}}";
    let Ok(Statement::CreateTable(create)) = parse(text) else { panic!() };
    let table = create.definition().unwrap();
    for (change, expected) in [
        (
            TableChange::add_column("name", NativeType::Int),
            "Amazon Keyspaces refuses adding a column that the table has. Leave it out, or choose another name. \
             (DG:cql.ddl.table)",
        ),
        (
            TableChange::Set(Cdc::On(CdcView::NewImage).into()),
            "Amazon Keyspaces refuses another view type for a CDC stream that is on. Turn the stream off, wait, and turn \
             it on with the other view type. (DG:cdc_how-it-works)",
        ),
        (
            TableChange::add_column("more", CqlType::list(CqlType::list(NativeType::Int))),
            "in the type of more a collection is inside another: write frozen<…> around the inner one",
        ),
        (
            TableChange::add_column("hits", NativeType::Counter),
            "Amazon Keyspaces refuses a table with counters that has other columns outside its primary key. Put the \
             counters into a table of their own. (DG:cql.elements)",
        ),
        (
            TableChange::Set(CapacityMode::Provisioned { read: 0, write: 1 }.into()),
            "Amazon Keyspaces refuses fewer than 1 capacity unit. Provision at least 1 unit of reads and 1 of writes, or use \
             PAY_PER_REQUEST. (API:CapacitySpecification)",
        ),
    ] {
        assert_eq!(table.changed(&change).unwrap_err().to_string(), expected);
    }
    let with_ttl = table.changed(&TableChange::Set(TableProperty::DefaultTimeToLive(60))).unwrap();
    assert_eq!(with_ttl.options.ttl, Some(Ttl::Enabled));
}

#[test]
fn a_table_that_is_put_together_is_held_to_the_rules_as_a_text_is() {
    let id = |name: &str| TableDefinition::builder("ks", name).partition_key("id", NativeType::Uuid);
    let deep = (0..9).fold(NativeType::Int.into(), |inner, _| CqlType::list(inner));
    for (table, rule) in [
        (id("t").column("hits", NativeType::Counter).column("name", NativeType::Text), "counter-and-others"),
        (id("t").column("deep", CqlType::frozen(deep)), "frozen-too-deep"),
        (id(&"t".repeat(49)), "table-name"),
        (id("two words"), "table-name"),
        (TableDefinition::builder("ks", "t").partition_key("id", NativeType::Counter), "counter-in-key"),
        (id("t").with(CapacityMode::Provisioned { read: 1, write: 0 }), "capacity-units"),
    ] {
        let problem = table.build().unwrap_err().problem;
        assert!(matches!(&problem, TableProblem::Refused(refused) if refused.id == rule), "{rule}: {problem}");
    }
}

#[test]
fn an_option_that_is_said_twice_is_not_known() {
    for (options, expected) in [
        ("default_time_to_live = 1 AND default_time_to_live = 2", "the option default_time_to_live twice"),
        (
            "CUSTOM_PROPERTIES = {'ttl': {'status': 'enabled'}, 'TTL': {'status': 'enabled'}}",
            "the custom property ttl twice",
        ),
    ] {
        let statement = parse(&format!("CREATE TABLE ks.t (id uuid PRIMARY KEY) WITH {options}")).unwrap();
        let Judgement::Unknown(unknown) = judge(&statement) else { panic!("{statement}") };
        assert_eq!(unknown.what, expected);
        let Statement::CreateTable(create) = statement else { panic!() };
        assert_eq!(create.definition().unwrap_err().problem, TableProblem::Unknown(expected.to_owned()));
    }
}
