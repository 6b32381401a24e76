use std::time::Duration;

use super::client::{Client, ClientAnswer};
use super::{INVALID, Time, another, local};

const SINGLE_REGION: &str = "WITH replication = {'class': 'SingleRegionStrategy'}";

fn refused(text: &str) -> (i32, String) {
    (INVALID, format!("keyspaces-local: {text}"))
}

fn provisioned(read: u32, write: u32) -> String {
    format!(
        "CUSTOM_PROPERTIES = {{'capacity_mode': {{'throughput_mode': 'PROVISIONED', 'read_capacity_units': {read}, \
         'write_capacity_units': {write}}}}}"
    )
}

async fn shown(client: &mut Client, column: &str, keyspace: &str) -> Vec<String> {
    let select = format!(
        "SELECT JSON {column} FROM system_schema_mcs.tables WHERE keyspace_name = '{keyspace}' AND table_name = 't'"
    );
    client.rows(&select).await.texts("[json]").iter().map(|text| (*text).to_owned()).collect()
}

#[tokio::test]
async fn the_options_of_a_table_are_shown_as_by_the_service() {
    let mut client = Client::connect(local().await).await;
    client.keyspace("given").await;
    let create = "CREATE TABLE given.t (a int, b int, c int, PRIMARY KEY (a, b)) WITH CLUSTERING ORDER BY (b DESC) AND CDC = \
                  TRUE AND CUSTOM_PROPERTIES = {'capacity_mode': {'throughput_mode': 'PROVISIONED', \
                  'read_capacity_units': 10, 'write_capacity_units': 20}, 'point_in_time_recovery': {'status': \
                  'enabled'}, 'ttl': {'status': 'enabled'}, 'cdc_specification': {'view_type': 'NEW_IMAGE'}} AND comment \
                  = 'c' AND TAGS = {'stage': 'test'} AND AUTOSCALING_SETTINGS = \
                  {'provisioned_write_capacity_autoscaling_update': {'minimum_units': 5, 'maximum_units': 40, \
                  'scaling_policy': {'target_tracking_scaling_policy_configuration': {'target_value': 50}}}}";
    assert!(matches!(client.query(create).await, ClientAnswer::Changed(_)));
    client.active("given", "t").await;
    let stream =
        "SELECT latest_stream_arn FROM system_schema_mcs.tables WHERE keyspace_name = 'given' AND table_name = 't'";
    let stream = client.rows(stream).await.text(0, "latest_stream_arn").to_owned();
    let properties = shown(&mut client, "custom_properties", "given").await;
    let (_, earliest) = properties[0].split_once("\"earliest_restorable_timestamp\": \"").unwrap();
    let (earliest, _) = earliest.split_once('"').unwrap();
    assert!(earliest.parse::<keyspaces_cql::RestorePoint>().is_ok(), "{earliest}");
    assert_eq!(
        properties,
        ["{\"custom_properties\": {\"capacity_mode\": {\"read_capacity_units\": \"10\", \"throughput_mode\": \
          \"PROVISIONED\", \"write_capacity_units\": \"20\"}, \"cdc_specification\": {\"latest_stream_arn\": \"STREAM\", \
          \"status\": \"ENABLED\", \"view_type\": \"NEW_IMAGE\"}, \"encryption_specification\": \
          {\"encryption_type\": \"AWS_OWNED_KMS_KEY\"}, \"point_in_time_recovery\": {\"earliest_restorable_timestamp\": \
          \"EARLIEST\", \"status\": \"enabled\"}, \"ttl\": {\"status\": \"enabled\"}}}"
            .replace("STREAM", &stream)
            .replace("EARLIEST", earliest)]
    );
    assert_eq!(shown(&mut client, "cdc", "given").await, ["{\"cdc\": true}"]);
    let tags = "SELECT JSON tags FROM system_schema_mcs.tags WHERE resource_id = \
                'arn:aws:cassandra:us-east-1:111122223333:/keyspace/given/table/t'";
    assert_eq!(client.rows(tags).await.texts("[json]"), ["{\"tags\": {\"stage\": \"test\"}}"]);
    let scaling = "SELECT JSON provisioned_write_capacity_autoscaling_update AS w FROM system_schema_mcs.autoscaling WHERE \
                   keyspace_name = 'given' AND table_name = 't'";
    assert_eq!(
        client.rows(scaling).await.texts("[json]"),
        ["{\"w\": {\"autoscaling_disabled\": \"false\", \"maximum_units\": \"40\", \"minimum_units\": \"5\", \
          \"scaling_policy\": \"{'target_tracking_scaling_policy_configuration': {'target_value': 50, \
          'disable_scale_in': false}}\"}}"]
    );
    let history =
        "SELECT event FROM system_schema_mcs.tables_history WHERE keyspace_name = 'given' AND table_name = 't'";
    assert_eq!(client.rows(history).await.texts("event"), ["CREATE"]);
    // A setting that was enabled has its effect.
    assert_eq!(client.query("INSERT INTO given.t (a, b, c) VALUES (1, 1, 1) USING TTL 60").await, ClientAnswer::Void);

    for (alter, column, expected) in [
        ("ADD TAGS {'owner': 'me'}", "table_name", "{\"table_name\": \"t\"}"),
        ("WITH CDC = FALSE", "cdc", "{\"cdc\": false}"),
        ("WITH default_time_to_live = 60", "default_time_to_live", "{\"default_time_to_live\": 60}"),
        ("ADD d text", "comment", "{\"comment\": \"c\"}"),
    ] {
        let answer = client.query(&format!("ALTER TABLE given.t {alter}")).await;
        assert_eq!(
            answer,
            ClientAnswer::Changed(["UPDATED", "TABLE", "given", "t"].map(str::to_owned).to_vec()),
            "{alter}"
        );
        client.active("given", "t").await;
        assert_eq!(shown(&mut client, column, "given").await, [expected], "{alter}");
    }
    assert_eq!(client.rows(tags).await.texts("[json]"), ["{\"tags\": {\"owner\": \"me\", \"stage\": \"test\"}}"]);
    client.query("DROP TABLE given.t").await;
    client
        .query_until("SELECT * FROM system_schema_mcs.tables WHERE keyspace_name = 'given'", |rows| {
            rows.values.is_empty()
        })
        .await;
    assert_eq!(client.rows(tags).await.values.len(), 0);
    assert_eq!(client.rows(scaling).await.values.len(), 0);
}

#[tokio::test]
async fn a_refused_change_changes_nothing() {
    let time = Time::new();
    let local = another().await.ddl_delay(Duration::ZERO).clock(time.clock()).start().await.unwrap();
    let mut client = Client::connect(&local).await;
    client.query(&format!("CREATE KEYSPACE ks {SINGLE_REGION}")).await;
    client.query(&format!("CREATE TABLE ks.t (a int PRIMARY KEY) WITH {}", provisioned(100, 100))).await;
    let switch = "CUSTOM_PROPERTIES = {'capacity_mode': {'throughput_mode': 'PAY_PER_REQUEST'}}".to_owned();
    let alter = |what: &str| format!("ALTER TABLE ks.t WITH {what}");

    for less in [90, 80, 70, 60] {
        assert!(matches!(client.query(&alter(&provisioned(less, 100))).await, ClientAnswer::Changed(_)), "{less}");
    }
    let before = shown(&mut client, "custom_properties", "ks").await;
    for (change, expected) in [
        (provisioned(50, 100), "capacity was decreased four times today, and once in this hour (DG:quotas)"),
        (
            "AUTOSCALING_SETTINGS = {'provisioned_write_capacity_autoscaling_update': {'minimum_units': 5, \
             'maximum_units': 40001, 'scaling_policy': {'target_tracking_scaling_policy_configuration': {'target_value': \
             50}}}}"
                .to_owned(),
            "a table may have 40000 units of reads and of writes (DG:quotas)",
        ),
        (provisioned(40_001, 1), "a table may have 40000 units of reads and of writes (DG:quotas)"),
    ] {
        assert_eq!(client.query(&alter(&change)).await.refused(), refused(expected));
    }
    for (change, rule) in [
        ("CUSTOM_PROPERTIES = {'ttl': {'status': 'disabled'}}", &keyspaces_cql::rules::TTL_DISABLED),
        (
            "CUSTOM_PROPERTIES = {'client_side_timestamps': {'status': 'disabled'}}",
            &keyspaces_cql::rules::TIMESTAMPS_DISABLED,
        ),
        (
            "CUSTOM_PROPERTIES = {'ttl': {'status': 'enabled'}, 'point_in_time_recovery': {'status': 'enabled'}}",
            &keyspaces_cql::rules::SEVERAL_CUSTOM_PROPERTIES,
        ),
    ] {
        assert_eq!(client.query(&alter(change)).await.refused(), refused(&rule.to_string()));
    }
    assert_eq!(shown(&mut client, "custom_properties", "ks").await, before);
    time.pass(3_600);
    assert!(matches!(client.query(&alter(&provisioned(50, 100))).await, ClientAnswer::Changed(_)));

    assert!(matches!(client.query(&alter(&switch)).await, ClientAnswer::Changed(_)));
    assert!(matches!(client.query(&alter(&provisioned(5, 5))).await, ClientAnswer::Changed(_)));
    let too_early = "the table was switched to on-demand capacity less than 24 hours ago \
                (DG:ReadWriteCapacityMode.SwitchReadWriteCapacityMode)";
    assert_eq!(client.query(&alter(&switch)).await.refused(), refused(too_early));
    time.pass(24 * 3_600);
    assert!(matches!(client.query(&alter(&switch)).await, ClientAnswer::Changed(_)));
    local.close().await.unwrap();
}

#[tokio::test]
async fn provisioned_capacity_and_definitions_in_progress_have_a_limit() {
    let time = Time::new();
    let local = another().await.ddl_delay(Duration::ZERO).clock(time.clock());
    let local = local.ddl_delay_of(crate::Ddl::CreateType, Duration::from_secs(60)).start().await.unwrap();
    let mut client = Client::connect(&local).await;
    client.query(&format!("CREATE KEYSPACE ks {SINGLE_REGION}")).await;
    for table in ["a", "b"] {
        let create = format!("CREATE TABLE ks.{table} (a int PRIMARY KEY) WITH {}", provisioned(1, 40_000));
        assert!(matches!(client.query(&create).await, ClientAnswer::Changed(_)));
    }
    let third = client.query(&format!("CREATE TABLE ks.c (a int PRIMARY KEY) WITH {}", provisioned(1, 1))).await;
    let account = "all tables together may have 80000 units of reads and of writes (DG:quotas)";
    assert_eq!(third.refused(), refused(account));
    for number in 0..50 {
        let create = format!("CREATE TYPE ks.y{number} (a int)");
        assert!(matches!(client.query(&create).await, ClientAnswer::Changed(_)), "{number}");
    }
    let one_more = client.query("CREATE TYPE ks.y50 (a int)").await;
    assert_eq!(one_more.refused(), refused("50 definitions are in progress (DG:quotas)"));
    time.pass(60);
    assert!(matches!(client.query("CREATE TYPE ks.y50 (a int)").await, ClientAnswer::Changed(_)));
    local.close().await.unwrap();
}

#[tokio::test]
async fn a_table_without_access_to_its_key_is_inaccessible_until_it_has_another() {
    let key = "arn:aws:kms:us-east-1:111122223333:key/1";
    let local = another().await.ddl_delay(Duration::ZERO).inaccessible_key(key).start().await.unwrap();
    let mut client = Client::connect(&local).await;
    client.query(&format!("CREATE KEYSPACE ks {SINGLE_REGION}")).await;
    let with = format!(
        "CUSTOM_PROPERTIES = {{'encryption_specification': {{'encryption_type': 'CUSTOMER_MANAGED_KMS_KEY', \
         'kms_key_identifier': '{key}'}}}}"
    );
    client.query(&format!("CREATE TABLE ks.t (a int PRIMARY KEY) WITH {with}")).await;
    let status = "SELECT status FROM system_schema_mcs.tables WHERE keyspace_name = 'ks' AND table_name = 't'";
    assert_eq!(client.rows(status).await.texts("status"), ["INACCESSIBLE_ENCRYPTION_CREDENTIALS"]);
    let unconfigured = (INVALID, "unconfigured table ks.t".to_owned());
    assert_eq!(client.query("SELECT * FROM ks.t").await.refused(), unconfigured);
    let inaccessible = refused("table ks.t is inaccessible: only another key and DROP are accepted (API:GetTable)");
    for alter in ["ADD b int", "WITH default_time_to_live = 60", "ADD TAGS {'a': 'b'}", &format!("WITH {with}")] {
        assert_eq!(client.query(&format!("ALTER TABLE ks.t {alter}")).await.refused(), inaccessible, "{alter}");
    }
    client
        .query("ALTER TABLE ks.t WITH CUSTOM_PROPERTIES = {'encryption_specification': {'encryption_type': 'AWS_OWNED_KMS_KEY'}}")
        .await;
    assert_eq!(client.rows(status).await.texts("status"), ["ACTIVE"]);
    local.close().await.unwrap();
}

#[tokio::test]
async fn a_region_is_added_only_when_the_tables_are_ready() {
    let local = another().await.ddl_delay(Duration::ZERO).start().await.unwrap();
    let mut client = Client::connect(&local).await;
    client.query(&format!("CREATE KEYSPACE ks {SINGLE_REGION}")).await;
    client.query("CREATE TABLE ks.t (a int PRIMARY KEY)").await;
    let add = "ALTER KEYSPACE ks WITH replication = {'class': 'NetworkTopologyStrategy', 'us-east-1': '3', 'eu-west-1': \
               '3'} AND client_side_timestamps = {'status': 'ENABLED'}";
    let not_ready = "table ks.t has no client-side timestamps (DG:keyspaces-multi-region-add-replica)";
    assert_eq!(client.query(add).await.refused(), refused(not_ready));
    client.query("ALTER TABLE ks.t WITH CUSTOM_PROPERTIES = {'client_side_timestamps': {'status': 'enabled'}}").await;
    let answer = client.query(add).await;
    assert_eq!(answer, ClientAnswer::Changed(["UPDATED", "KEYSPACE", "ks"].map(str::to_owned).to_vec()));
    let regions = "SELECT region, status FROM system_multiregion_info.keyspaces WHERE keyspace_name = 'ks'";
    assert_eq!(client.rows(regions).await.texts("region"), ["eu-west-1", "us-east-1"]);
    client.query("CREATE TABLE ks.u (a int PRIMARY KEY)").await;
    let tables =
        "SELECT region, status FROM system_multiregion_info.tables WHERE keyspace_name = 'ks' AND table_name = 'u'";
    assert_eq!(client.rows(tables).await.texts("region"), ["eu-west-1", "us-east-1"]);
    assert_eq!(client.rows(tables).await.texts("status"), ["ACTIVE", "ACTIVE"]);
    local.close().await.unwrap();
}

#[tokio::test]
async fn ttl_of_a_multi_region_table_cannot_be_changed() {
    let local = another().await.ddl_delay(Duration::ZERO).start().await.unwrap();
    let mut client = Client::connect(&local).await;
    let regions = "{'class': 'NetworkTopologyStrategy', 'us-east-1': '3', 'eu-west-1': '3'}";
    client.query(&format!("CREATE KEYSPACE ks WITH replication = {regions}")).await;
    client.query("CREATE TABLE ks.t (a int PRIMARY KEY)").await;
    client.query("CREATE TABLE ks.u (a int PRIMARY KEY) WITH default_time_to_live = 60").await;
    let reason = "since its keyspace is in several Regions (DG:multiRegion-replication_usage-notes)";
    for (table, option) in [
        ("t", "default_time_to_live = 60"),
        ("t", "CUSTOM_PROPERTIES = {'ttl': {'status': 'enabled'}}"),
        ("u", "default_time_to_live = 0"),
    ] {
        let answer = client.query(&format!("ALTER TABLE ks.{table} WITH {option}")).await;
        assert_eq!(
            answer.refused(),
            refused(&format!("TTL of table ks.{table} stays as it was created, {reason}")),
            "{option}"
        );
    }
    let other = "ALTER TABLE ks.u WITH CUSTOM_PROPERTIES = {'point_in_time_recovery': {'status': 'enabled'}}";
    let key = "CUSTOM_PROPERTIES = {'encryption_specification': {'encryption_type': 'CUSTOMER_MANAGED_KMS_KEY', \
               'kms_key_identifier': 'arn:aws:kms:us-east-1:111122223333:key/1'}}";
    for (table, definition) in [
        ("v", format!("CREATE TABLE ks.v (a int PRIMARY KEY) WITH {key}")),
        ("t", format!("ALTER TABLE ks.t WITH {key}")),
    ] {
        let text = format!("table ks.{table} accepts no customer managed key, {reason}");
        assert_eq!(client.query(&definition).await.refused(), refused(&text));
    }
    let answers = [client.query("ALTER TABLE ks.u ADD b int").await, client.query(other).await];
    assert!(answers.iter().all(|answer| matches!(answer, ClientAnswer::Changed(_))), "{answers:?}");
    local.close().await.unwrap();
}

#[tokio::test]
async fn while_a_region_is_added_no_other_definition_in_the_keyspace_is_accepted() {
    let time = Time::new();
    let local = another().await.ddl_delay(Duration::ZERO).clock(time.clock());
    let local = local.ddl_delay_of(crate::Ddl::AlterKeyspace, Duration::from_secs(60)).start().await.unwrap();
    let mut client = Client::connect(&local).await;
    client.query(&format!("CREATE KEYSPACE ks {SINGLE_REGION}")).await;
    let add = |one: &str, other: &str| {
        format!(
            "ALTER KEYSPACE ks WITH replication = {{'class': 'NetworkTopologyStrategy', '{one}': '3', '{other}': '3'}} \
             AND client_side_timestamps = {{'status': 'ENABLED'}}"
        )
    };
    let home = "a keyspace in several Regions has to include the Region of the endpoint, us-east-1 (DG:keyspaces-mrr-create, \
                DG:keyspaces-multi-region-add-replica)";
    assert_eq!(client.query(&add("eu-west-1", "eu-central-1")).await.refused(), refused(home));
    assert!(matches!(client.query(&add("us-east-1", "eu-west-1")).await, ClientAnswer::Changed(_)));
    let busy = refused("keyspace ks is being updated: wait until system_schema_mcs says that this is over");
    let create = "CREATE TABLE ks.t (a int PRIMARY KEY)";
    for early in [create, "CREATE TYPE ks.y (a int)", "DROP KEYSPACE ks"] {
        assert_eq!(client.query(early).await.refused(), busy, "{early}");
    }
    time.pass(60);
    assert!(matches!(client.query(create).await, ClientAnswer::Changed(_)));
    local.close().await.unwrap();
}

#[tokio::test]
async fn a_type_that_is_in_use_cannot_be_dropped() {
    let mut client = Client::connect(local().await).await;
    client.keyspace("in_use").await;
    client.query("CREATE TYPE in_use.y (a int)").await;
    client
        .query_until("SELECT status FROM system_schema_mcs.types WHERE keyspace_name = 'in_use'", |rows| {
            rows.texts("status") == ["ACTIVE"]
        })
        .await;
    client.table("in_use", "t", "(a int PRIMARY KEY, b frozen<y>)").await;
    let ClientAnswer::Refused(code, text, _) = client.query("DROP TYPE in_use.y").await else { panic!() };
    assert_eq!((code, text.as_str()), (INVALID, "Cannot drop user type 'in_use.y' as it is still used by tables t"));
}

#[tokio::test]
async fn table_options_survive_a_gateway_restart() {
    let create = async |name: &str, statement: &str| {
        let local = another().await.instance(name).ddl_delay(Duration::ZERO).start().await.unwrap();
        let mut client = Client::connect(&local).await;
        let answer = client.query(statement).await;
        drop(client);
        local.close().await.unwrap();
        answer
    };
    let name = "options outlive";
    create(name, "DROP KEYSPACE IF EXISTS ks").await;
    create(name, &format!("CREATE KEYSPACE ks {SINGLE_REGION}")).await;
    create(name, &format!("CREATE TABLE ks.t (a int PRIMARY KEY) WITH {}", provisioned(7, 8))).await;
    create(name, "ALTER TABLE ks.t WITH CUSTOM_PROPERTIES = {'ttl': {'status': 'enabled'}}").await;
    assert_eq!(create(name, "INSERT INTO ks.t (a) VALUES (1) USING TTL 60").await, ClientAnswer::Void);
    let local = another().await.instance(name).start().await.unwrap();
    let mut client = Client::connect(&local).await;
    let properties = shown(&mut client, "custom_properties", "ks").await;
    assert!(properties[0].contains("\"read_capacity_units\": \"7\""), "{properties:?}");
    drop(client);
    local.close().await.unwrap();
    create(name, "DROP KEYSPACE ks").await;
}

#[tokio::test]
async fn limits_are_50_tags_per_resource_and_40000_warm_units_per_table() {
    let local = another().await.ddl_delay(Duration::ZERO).start().await.unwrap();
    let mut client = Client::connect(&local).await;
    client.query(&format!("CREATE KEYSPACE ks {SINGLE_REGION}")).await;
    let tags = |from: usize, to: usize| {
        let tags: Vec<_> = (from..to).map(|number| format!("'key{number}': 'value'")).collect();
        format!("ALTER KEYSPACE ks ADD TAGS {{{}}}", tags.join(", "))
    };
    assert!(matches!(client.query(&tags(0, 30)).await, ClientAnswer::Changed(_)));
    assert!(matches!(client.query(&tags(10, 50)).await, ClientAnswer::Changed(_)), "with 20 that are there");
    let many = refused(
        "Amazon Keyspaces refuses more than 50 tags of one keyspace, table or stream. Use fewer tags. \
         (DG:TaggingRestrictions)",
    );
    assert_eq!(client.query(&tags(50, 51)).await.refused(), many);
    assert!(matches!(client.query("ALTER KEYSPACE ks DROP TAGS {'key0': ''}").await, ClientAnswer::Changed(_)));
    assert!(matches!(client.query(&tags(50, 51)).await, ClientAnswer::Changed(_)));

    let warm = |read: u32| {
        format!(
            "CREATE TABLE ks.t{read} (a int PRIMARY KEY) WITH CUSTOM_PROPERTIES = {{'warm_throughput': \
             {{'read_units_per_second': {read}, 'write_units_per_second': 20000}}}}"
        )
    };
    let too_much = refused("a table may have 40000 units of reads and of writes (DG:quotas)");
    assert_eq!(client.query(&warm(40_001)).await.refused(), too_much);
    assert!(matches!(client.query(&warm(40_000)).await, ClientAnswer::Changed(_)));
    local.close().await.unwrap();
}
