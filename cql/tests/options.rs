//! Every option of a table and of a keyspace as text: `options.txt`, whose first column says where the form comes from.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;

use keyspaces_cql::statement::NativeType;
use keyspaces_cql::{
    AutoScaling, CapacityMode, CapacityScaling, Cdc, CdcView, ClientSideTimestamps, Encryption, Judgement,
    KeyspaceChange, KeyspaceDefinition, PointInTimeRecovery, Statement, TableChange, TableDefinition, TableOptions,
    TableProperty, Tags, TargetTracking, Ttl, WarmThroughput, judge, parse,
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
    // As DG:keyspaces-enable-cdc-new-table shows it, and one that no page has.
    let shown = BTreeMap::from([
        (
            "capacity_mode".to_owned(),
            map(&[
                ("last_update_to_pay_per_request_timestamp", "1741383893782"),
                ("throughput_mode", "PAY_PER_REQUEST"),
            ]),
        ),
        (
            "cdc_specification".to_owned(),
            map(&[("latest_stream_arn", "arn:…"), ("status", "ENABLED"), ("view_type", "NEW_IMAGE")]),
        ),
        ("point_in_time_recovery".to_owned(), map(&[("status", "disabled")])),
        ("tomorrow".to_owned(), map(&[("status", "enabled")])),
    ]);
    let options = TableOptions::from_custom_properties(&shown);
    let expected = TableOptions::default()
        .and(CapacityMode::OnDemand)
        .and(Cdc::On(CdcView::NewImage))
        .and(PointInTimeRecovery::Disabled);
    assert_eq!(options, expected);
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
    ] {
        assert_eq!(table.changed(&change).unwrap_err().to_string(), expected);
    }
    let with_ttl = table.changed(&TableChange::Set(TableProperty::DefaultTimeToLive(60))).unwrap();
    assert_eq!(with_ttl.options.ttl, Some(Ttl::Enabled));
}
