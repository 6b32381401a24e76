//! Every option of a table and of a keyspace as text. `options.txt` has each statement with the source of its form.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;

use keyspaces_cql::statement::{CqlType, NativeType};
use keyspaces_cql::{
    AutoScaling, CapacityMode, CapacityScaling, Cdc, CdcView, ClientSideTimestamps, Encryption, Judgement,
    KeyspaceChange, KeyspaceDefinition, NewColumns, PointInTimeRecovery, QualifiedName, RestoreOverride, RestorePoint,
    Statement, TableChange, TableDefinition, TableOptions, TableProblem, TableProperty, TableRestore, Tags,
    TargetTracking, Ttl, WarmThroughput, judge, parse,
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
        ("DG:create-table-warm-throughput", WarmThroughput::new(40_000, 20_000).into()),
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
    Tags::from([("cost centre".to_owned(), "it is 7".to_owned()), ("stage".to_owned(), "test".to_owned())])
}

fn table() -> TableDefinition {
    TableDefinition::builder("ks", "t").partition_key("id", NativeType::Uuid).build().unwrap()
}

fn restores() -> Vec<(&'static str, TableRestore)> {
    let restore = || TableRestore::new(QualifiedName::new("ks", "t"), QualifiedName::new("ks", "t_restored"));
    let mut restores = vec![
        ("DG:cql.ddl.table", restore()),
        ("DG:restoretabletopointintime", restore().at("2020-06-30T19:19:21.175Z".parse().unwrap())),
        (
            "DG:cql.ddl.table",
            restore()
                .at(RestorePoint::from_unix_millis(1_593_489_900_000))
                .with(PointInTimeRecovery::Disabled)
                .with(CapacityMode::Provisioned { read: 10, write: 20 })
                .tag("key1", "val1")
                .tag("key2", "val2"),
        ),
    ];
    let overrides = properties().into_iter().filter_map(|(source, property)| Some((source, property.try_into().ok()?)));
    restores.extend(overrides.map(|(source, setting): (_, RestoreOverride)| (source, restore().with(setting))));
    restores
}

fn statements() -> Vec<(&'static str, Statement)> {
    let mut statements = Vec::new();
    for (source, property) in properties() {
        let with = TableDefinition::builder("ks", "t").partition_key("id", NativeType::Uuid).with(property.clone());
        statements.push((source, Statement::CreateTable(with.build().unwrap().create())));
        if !matches!(property, TableProperty::Tags(_)) {
            statements.push((source, Statement::AlterTable(TableChange::Set(property).alter(&table().table))));
        }
    }
    for change in
        [TableChange::add_column("name", NativeType::Text), TableChange::AddTags(tags()), TableChange::DropTags(tags())]
    {
        statements.push(("DG:cql.ddl.table", Statement::AlterTable(change.alter(&table().table))));
    }
    for (source, restore) in restores() {
        statements.push((source, Statement::RestoreTable(restore.statement())));
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
fn every_option_prints_in_the_developer_guides_form() {
    let actual: String = statements().iter().map(|(source, statement)| format!("{source}\n  {statement}\n")).collect();
    assert_eq!(actual, include_str!("options.txt"), "\n{actual}");
}

#[test]
fn every_option_round_trips_and_is_allowed() {
    for (_, statement) in statements() {
        let text = statement.to_string();
        let again = parse(&text).unwrap();
        assert!(again.eq_ignoring_spans(&statement), "{text}");
        assert_eq!(judge(&again), Judgement::Allowed, "{text}");
    }
    for (_, property) in properties() {
        let options = TableOptions::default().and(property);
        assert_eq!(TableOptions::read(&options.with_options()).unwrap(), options);
    }
}

#[test]
fn restore_definition_round_trips_through_its_statement() {
    for (_, restore) in restores() {
        let Ok(Statement::RestoreTable(statement)) = parse(&restore.to_string()) else { panic!("{restore}") };
        assert_eq!(statement.definition(), Ok(restore));
    }
    // The example of the guide (DG:cql.ddl.table).
    let text = "RESTORE TABLE mykeyspace.mytable_restored from table mykeyspace.my_table \
                WITH restore_timestamp = '2020-06-30T04:05:00+0000' \
                AND custom_properties = {'point_in_time_recovery':{'status':'disabled'}, 'capacity_mode':\
                {'throughput_mode': 'PROVISIONED', 'read_capacity_units': 10, 'write_capacity_units': 20}} \
                AND TAGS={'key1':'val1', 'key2':'val2'};";
    let Ok(Statement::RestoreTable(statement)) = parse(text) else { panic!() };
    let restore = statement.definition().unwrap();
    assert_eq!(restore.source.to_string(), "mykeyspace.my_table");
    assert_eq!(restore.target.to_string(), "mykeyspace.mytable_restored");
    assert_eq!(restore.point, Some("2020-06-30T04:05:00Z".parse().unwrap()));
    let expected = TableOptions::default()
        .and(PointInTimeRecovery::Disabled)
        .and(CapacityMode::Provisioned { read: 10, write: 20 })
        .and(TableProperty::Tags(["1", "2"].map(|n| (format!("key{n}"), format!("val{n}"))).into()));
    assert_eq!(*restore.overrides(), expected);
}

/// DG:PointInTimeRecovery_HowItWorks, "PITR restore settings".
#[test]
fn restored_definition_keeps_source_settings_except_tags_and_cdc() {
    let scaling = AutoScaling { read: Some(CapacityScaling::Disabled), ..AutoScaling::default() };
    let source = TableDefinition::builder("ks", "t")
        .partition_key("id", NativeType::Uuid)
        .column("name", NativeType::Text)
        .default_time_to_live(60)
        .with(CapacityMode::Provisioned { read: 50, write: 50 })
        .with(PointInTimeRecovery::Enabled)
        .with(ClientSideTimestamps::Enabled)
        .with(Cdc::On(CdcView::KeysOnly))
        .with(scaling.clone())
        .tag("stage", "test")
        .build()
        .unwrap();
    let restore = TableRestore::new(source.table.clone(), QualifiedName::new("ks", "t_restored"));
    let restored = restore.restored(&source).unwrap();
    assert_eq!(restored.table.to_string(), "ks.t_restored");
    assert_eq!((&restored.columns, &restored.partition_key), (&source.columns, &source.partition_key));
    assert_eq!(restored.options, TableOptions { tags: None, cdc: None, ..source.options.clone() });

    let restored = restore
        .clone()
        .with(PointInTimeRecovery::Disabled)
        .with(CapacityMode::OnDemand)
        .tag("of", "t")
        .restored(&source)
        .unwrap();
    let expected = TableOptions::default()
        .and(TableProperty::DefaultTimeToLive(60))
        .and(Ttl::Enabled)
        .and(ClientSideTimestamps::Enabled)
        .and(PointInTimeRecovery::Disabled)
        .and(CapacityMode::OnDemand)
        .and(TableProperty::Tags(Tags::from([("of".to_owned(), "t".to_owned())])));
    assert_eq!(restored.options, expected);
    let no_units = restore.with(CapacityMode::Provisioned { read: 0, write: 1 });
    assert!(no_units.restored(&source).unwrap_err().to_string().starts_with("Amazon Keyspaces refuses fewer than 1"));
}

#[test]
fn invalid_restore_is_refused_with_the_reason() {
    let option = "Amazon Keyspaces refuses TTL, client-side timestamps, CDC and warm throughput as options of RESTORE TABLE. \
                  Leave them out: TTL and client-side timestamps come with the table, and the others can be set by \
                  ALTER TABLE once it is ACTIVE. (not in the grammar of DG:cql.ddl.table)";
    let no_time = "Amazon Keyspaces refuses a restore_timestamp that is not a time in ISO 8601. Write it to the second or the \
                   millisecond, with its zone: '2020-06-30T04:05:00+0000' or '2020-06-30T19:19:21.175Z'. \
                   (DG:cql.ddl.table; DG:restoretabletopointintime)";
    let no_zone = "Amazon Keyspaces refuses a restore_timestamp without a zone. Add the zone: Z for UTC, or an offset \
                   such as +0000. (DG:cql.ddl.table; DG:restoretabletopointintime, where all times have a zone)";
    let name = "Amazon Keyspaces refuses names of tables that are not 1 to 48 letters, digits and underscores, or \
                that begin with an underscore. Choose another name. (API:CreateTable)";
    let unknown = |feature: &str| format!("it is not known whether Amazon Keyspaces has {feature}");
    let properties = |name: &str| format!("custom_properties = {{'{name}': {{'status': 'enabled'}}}}");
    for (target, options, expected, at) in [
        ("t_restored", "restore_timestamp = 'yesterday'", no_time.to_owned(), "'yesterday'"),
        ("t_restored", "restore_timestamp = 1593489900000", no_time.to_owned(), "1593489900000"),
        ("t_restored", "restore_timestamp = '2020-06-30T04:05:00'", no_zone.to_owned(), "'2020-06-30T04:05:00'"),
        (
            "t_restored",
            "restore_timestamp = '2020-06-30T04:05:00Z' AND restore_timestamp = '2020-06-30T04:06:00Z'",
            unknown("the option restore_timestamp twice"),
            "restore_timestamp = '2020-06-30T04:06:00Z'",
        ),
        ("t_restored", "default_time_to_live = 60", option.to_owned(), "default_time_to_live = 60"),
        ("t_restored", "CDC = TRUE", option.to_owned(), "CDC = TRUE"),
        ("t_restored", &properties("ttl"), option.to_owned(), &properties("ttl")),
        ("t_restored", &properties("client_side_timestamps"), option.to_owned(), &properties("client_side_timestamps")),
        ("t_restored", "comment = 'a'", unknown("the option comment of a RESTORE TABLE"), "comment = 'a'"),
        ("\"two words\"", "tags = {'a': 'b'}", name.to_owned(), "\"two words\""),
    ] {
        let text = format!("RESTORE TABLE ks.{target} FROM TABLE ks.t WITH {options}");
        let statement = parse(&text).unwrap();
        let judgement = match judge(&statement) {
            Judgement::Refused(refusal) => (refusal.to_string(), &text[refusal.span.range()]),
            Judgement::Unknown(unknown) => (unknown.to_string(), &text[unknown.span.range()]),
            Judgement::Allowed => panic!("{text}"),
        };
        assert_eq!(judgement, (expected.clone(), at), "{text}");
        let Statement::RestoreTable(restore) = statement else { panic!() };
        assert_eq!(restore.definition().unwrap_err().to_string(), expected, "{text}");
    }
}

#[test]
fn earliest_restorable_time_round_trips() {
    let mut shown = TableOptions::default().and(PointInTimeRecovery::Enabled).custom_properties();
    assert_eq!(PointInTimeRecovery::earliest_restorable(&shown), None);
    let earliest = "2020-06-30T19:19:21.175Z".parse().unwrap();
    PointInTimeRecovery::show_earliest_restorable(&mut shown, earliest);
    // The form of DG:restoretabletopointintime.
    let recovery = &shown["point_in_time_recovery"];
    assert_eq!(recovery["earliest_restorable_timestamp"], "2020-06-30T19:19:21.175Z");
    assert_eq!(recovery["status"], "enabled");
    assert_eq!(PointInTimeRecovery::earliest_restorable(&shown), Some(earliest));
    let read = TableOptions::from_custom_properties(&shown);
    assert_eq!(read.point_in_time_recovery, Some(PointInTimeRecovery::Enabled));
}

#[test]
fn adding_no_columns_is_refused() {
    assert_eq!(NewColumns::new([]), None);
    let Ok(Statement::AlterTable(mut alter)) = parse("ALTER TABLE t ADD (a int, b text)") else { panic!() };
    let changes = TableChange::read(&alter).unwrap();
    let [TableChange::AddColumns(columns)] = changes.as_slice() else { panic!() };
    assert_eq!(columns.as_slice().len(), 2);
    alter.change = keyspaces_cql::statement::AlterTableChange::Add(Vec::new());
    let error = TableChange::read(&alter).unwrap_err().to_string();
    assert_eq!(error, "it is not known whether Amazon Keyspaces has an ALTER TABLE … ADD without columns");
}

#[test]
fn table_options_round_trip_through_custom_properties() {
    for (_, property) in properties() {
        let custom = match property {
            TableProperty::Cdc(Cdc::Off)
            | TableProperty::DefaultTimeToLive(_)
            | TableProperty::AutoScaling(_)
            | TableProperty::Tags(_)
            // The system table does not show maps nested this deeply.
            | TableProperty::ReplicaCapacity(_) => continue,
            property => TableOptions::default().and(property),
        };
        assert_eq!(TableOptions::from_custom_properties(&custom.custom_properties()), custom);
    }
}

#[test]
fn shown_properties_that_cannot_be_set_are_skipped() {
    let map = |entries: &[(&str, &str)]| -> BTreeMap<String, String> {
        entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    // The form of DG:keyspaces-enable-cdc-new-table, with names that are on no page.
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
    let mut shown = scaling.to_system_table();
    shown.insert("last_scaled".to_owned(), "1741383893782".to_owned());
    shown.insert("alarms".to_owned(), "{'high': 'arn:…'}".to_owned());
    let policy = shown.get_mut("scaling_policy").unwrap();
    *policy = policy.replace("'target_value'", "'predictive': true, 'target_value'");
    assert_eq!(CapacityScaling::from_system_table(&shown).unwrap(), scaling);
}

#[test]
fn capacity_scaling_round_trips_through_the_system_table() {
    let tracking = TargetTracking { target: 62.5, disable_scale_in: true, ..TargetTracking::between(1, 40_000) };
    for scaling in [CapacityScaling::Disabled, CapacityScaling::Target(tracking)] {
        assert_eq!(CapacityScaling::from_system_table(&scaling.to_system_table()).unwrap(), scaling);
    }
}

#[test]
fn impossible_table_change_is_refused_with_the_reason() {
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
fn table_builder_enforces_the_same_rules_as_cql_text() {
    let id = |name: &str| TableDefinition::builder("ks", name).partition_key("id", NativeType::Uuid);
    let deep = (0..9).fold(NativeType::Int.into(), |inner, _| CqlType::list(inner));
    for (table, rule) in [
        (id("t").column("hits", NativeType::Counter).column("name", NativeType::Text), "counter-and-others"),
        (id("t").column("deep", CqlType::frozen(deep)), "frozen-too-deep"),
        (id(&"t".repeat(49)), "table-name"),
        (id("two words"), "table-name"),
        (TableDefinition::builder("ks", "t").partition_key("id", NativeType::Counter), "counter-in-key"),
        (id("t").column("hits", CqlType::list(NativeType::Counter)), "counter-in-collection"),
        (id("t").column("hits", CqlType::map(NativeType::Text, NativeType::Counter)), "counter-in-collection"),
        (
            id("t").column("hits", CqlType::frozen(CqlType::set(CqlType::tuple([NativeType::Counter.into()])))),
            "counter-in-tuple",
        ),
        (id("t").with(CapacityMode::Provisioned { read: 1, write: 0 }), "capacity-units"),
    ] {
        let problem = table.build().unwrap_err().problem;
        assert!(matches!(&problem, TableProblem::Refused(refused) if refused.id == rule), "{rule}: {problem}");
    }
}

#[test]
fn duplicate_option_is_judged_unknown() {
    for (options, expected) in [
        ("default_time_to_live = 1 AND default_time_to_live = 2", "the option default_time_to_live twice"),
        (
            "CUSTOM_PROPERTIES = {'ttl': {'status': 'enabled'}, 'TTL': {'status': 'enabled'}}",
            "the custom property ttl twice",
        ),
    ] {
        let statement = parse(&format!("CREATE TABLE ks.t (id uuid PRIMARY KEY) WITH {options}")).unwrap();
        let Judgement::Unknown(unknown) = judge(&statement) else { panic!("{statement}") };
        assert_eq!(unknown.feature, expected);
        let Statement::CreateTable(create) = statement else { panic!() };
        assert_eq!(create.definition().unwrap_err().problem, TableProblem::Unknown(expected.to_owned()));
    }
}

#[test]
fn partial_option_preserves_its_other_parts() {
    let tracking = |most| CapacityScaling::Target(TargetTracking::between(1, most));
    let replica = |region: &str, most| BTreeMap::from([(region.to_owned(), tracking(most))]);
    let options = TableOptions::default()
        .and(AutoScaling { read: Some(tracking(1)), replicas: replica("us-east-1", 2), ..AutoScaling::default() })
        .and(AutoScaling { write: Some(tracking(3)), replicas: replica("eu-west-1", 4), ..AutoScaling::default() })
        .and(TableProperty::ReplicaCapacity(BTreeMap::from([("us-east-1".to_owned(), 5)])))
        .and(TableProperty::ReplicaCapacity(BTreeMap::from([("eu-west-1".to_owned(), 6)])))
        .and(WarmThroughput { read: Some(20_000), write: None })
        .and(WarmThroughput { read: None, write: Some(30_000) });
    let replicas = [("us-east-1".to_owned(), tracking(2)), ("eu-west-1".to_owned(), tracking(4))].into();
    let all = AutoScaling { read: Some(tracking(1)), write: Some(tracking(3)), replicas };
    assert_eq!(options.auto_scaling, Some(all));
    assert_eq!(options.replica_capacity, Some([("us-east-1".to_owned(), 5), ("eu-west-1".to_owned(), 6)].into()));
    assert_eq!(options.warm_throughput, Some(WarmThroughput::new(20_000, 30_000)));

    let again = options.and(AutoScaling { read: Some(CapacityScaling::Disabled), ..AutoScaling::default() });
    let scaling = again.auto_scaling.unwrap();
    assert_eq!((scaling.read, scaling.write), (Some(CapacityScaling::Disabled), Some(tracking(3))));
}
