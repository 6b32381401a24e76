use std::time::Duration;

use futures::TryStreamExt;
use keyspaces::schema::{
    CapacityMode, ChangeProgress, Definitions, KeyspaceDefinition, NativeType, PointInTimeRecovery, TableBuilder,
    TableChange, TableDefinition, WarningKind,
};
use keyspaces::{Endpoint, Error, ErrorKind, Session};
use keyspaces_local::{Ddl, Local};

use crate::local::without_ddl_delay;
use crate::local::{shared, signed};

fn shop() -> Definitions {
    Definitions::new().keyspace(KeyspaceDefinition::new("shop"))
}

fn names() -> TableBuilder {
    TableDefinition::builder("shop", "names").partition_key("id", NativeType::Int)
}

const SCHEMA: &str = "
    CREATE TABLE shop.people (id int PRIMARY KEY, home frozen<address>);
    CREATE TYPE shop.address (street text, place frozen<place>);
    CREATE TYPE shop.place (name text);
    CREATE KEYSPACE shop WITH replication = {'class': 'SingleRegionStrategy'};
    CREATE TABLE shop.names (id int PRIMARY KEY, name text)
        WITH custom_properties = {'point_in_time_recovery': {'status': 'enabled'}};";

#[tokio::test]
async fn applied_plan_reports_progress_and_the_next_plan_is_empty() {
    let (_local, session) = without_ddl_delay().await;
    let schema = session.schema();
    let wanted = Definitions::parse(SCHEMA).unwrap();
    let plan = schema.plan(wanted.clone()).await.unwrap();
    assert_eq!(
        plan.to_string(),
        "5 statements:
  1. CREATE KEYSPACE IF NOT EXISTS shop WITH replication = {'class': 'SingleRegionStrategy'}
  2. CREATE TYPE shop.place (name text)
  3. CREATE TYPE shop.address (street text, place frozen<place>)
  4. CREATE TABLE shop.people (id int, home frozen<address>, PRIMARY KEY ((id)))
  5. CREATE TABLE shop.names (id int, name text, PRIMARY KEY ((id))) WITH custom_properties = {'point_in_time_recovery': \
         {'status': 'enabled'}}
       costs money: the data for restores is stored in addition to the table (DG:PointInTimeRecovery)"
    );
    assert_eq!(plan.steps()[4].warnings[0].kind, WarningKind::CostsMoney);
    assert_eq!(schema.describe_keyspace("shop").await.unwrap(), None, "a plan changes nothing");
    let reported: Vec<ChangeProgress> = plan.apply().progress().try_collect().await.unwrap();
    assert_eq!(reported.last().map(|progress| (progress.done, progress.total)), Some((5, 5)));
    assert_eq!(schema.plan(wanted).await.unwrap().to_string(), "nothing to do");
    schema.create_table(&names_of("other")).await.unwrap();
    let others = schema.plan(shop()).await.unwrap();
    assert!(others.is_empty());
    let left = "left as it is:\n   - the type shop.address, which is not among the definitions";
    assert!(others.to_string().starts_with(&format!("nothing to do\n{left}")), "{others}");
    assert!(others.to_string().ends_with("the table shop.people, which is not among the definitions"), "{others}");
}

fn names_of(table: &str) -> TableDefinition {
    TableDefinition::builder("shop", table).partition_key("id", NativeType::Int).build().unwrap()
}

#[tokio::test]
async fn syntax_error_is_found_before_anything_is_planned() {
    let text = "CREATE KEYSPACE shop WITH replication = {'class': 'SingleRegionStrategy'};\n\
                CREATE TABLE shop.names (id int PRIMARY KEY);\nCREATE TABLE shop.prices (id int PRIMARY KEY, price);";
    let error = Error::from(Definitions::parse(text).unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert_eq!(error.to_string(), "reading definitions failed: line 3, column 52: expected a type, found ')'");
}

#[tokio::test]
async fn plan_with_an_unsupported_change_names_it_and_applies_nothing() {
    let (local, session) = without_ddl_delay().await;
    let schema = session.schema();
    let there = shop().table(names().column("name", NativeType::Text).build().unwrap());
    schema.plan(there).await.unwrap().apply().await.unwrap();
    let wanted = TableDefinition::builder("shop", "names")
        .partition_key("id", NativeType::Bigint)
        .with(PointInTimeRecovery::Enabled)
        .build()
        .unwrap();
    let plan = schema.plan(shop().table(wanted)).await.unwrap();
    assert_eq!((plan.steps().len(), plan.impossible().len()), (1, 2));
    local.journal().clear();
    assert_eq!(
        plan.apply().await.unwrap_err().to_string(),
        "applying a plan failed: Keyspaces cannot make these changes: the table shop.names: changing the type of its \
         column id from int to bigint. Add a column of the new type. (not in the grammar of DG:cql.ddl.table); the table \
         shop.names: dropping its column name. Leave the column, and write nothing to it. (not in the grammar of \
         DG:cql.ddl.table). Change the definitions, and plan again"
    );
    assert_eq!(local.journal().containing("ALTER").len(), 0);
}

#[tokio::test]
async fn outdated_plan_is_refused() {
    let (_local, session) = without_ddl_delay().await;
    let schema = session.schema();
    schema.plan(shop().table(names().build().unwrap())).await.unwrap().apply().await.unwrap();
    let wanted = shop().table(names().with(PointInTimeRecovery::Enabled).build().unwrap()).table(names_of("prices"));
    let plan = schema.plan(wanted.clone()).await.unwrap();
    let somebody = [TableChange::Set(CapacityMode::Provisioned { read: 1, write: 1 }.into())];
    schema.alter_table("shop", "names", &somebody).await.unwrap();
    let refused = |object: &str| {
        format!(
            "applying a plan failed: {object} has changed since the plan was made. Plan again. 0 of 2 definitions were \
             carried out; 2 are left"
        )
    };
    assert_eq!(plan.apply().await.unwrap_err().to_string(), refused("the table shop.names"));
    let now = schema.describe_table("shop", "names").await.unwrap().unwrap().definition;
    assert_eq!(now.options.point_in_time_recovery, Some(PointInTimeRecovery::Disabled));

    let plan = schema.plan(wanted.clone()).await.unwrap();
    schema.create_table(&names_of("unplanned")).await.unwrap();
    schema.create_table(&names_of("prices")).await.unwrap();
    assert_eq!(plan.apply().await.unwrap_err().to_string(), refused("the table shop.prices"));
    // Changes that the plan does not depend on are allowed.
    let plan = schema.plan(wanted).await.unwrap();
    schema.create_table(&names_of("unplanned_too")).await.unwrap();
    plan.apply().await.unwrap();
}

#[tokio::test]
async fn apply_stops_at_the_first_failure_and_a_new_plan_resumes() {
    let (_local, session) = without_ddl_delay().await;
    let schema = session.schema();
    schema.plan(shop().table(names().build().unwrap())).await.unwrap().apply().await.unwrap();
    let wanted = |write| {
        let names = names().tag("a", "b").with(PointInTimeRecovery::Enabled).build().unwrap();
        let capacity = CapacityMode::Provisioned { read: 1, write };
        let prices = TableDefinition::builder("shop", "prices").partition_key("id", NativeType::Int).with(capacity);
        shop().table(names).table(prices.build().unwrap())
    };
    let error = schema.plan(wanted(40_001)).await.unwrap().apply().await.unwrap_err();
    assert_eq!(
        error.server_message(),
        Some("keyspaces-local: a table may have 40000 units of reads and of writes (DG:quotas)")
    );
    assert!(error.to_string().ends_with("2 of 3 definitions were carried out; 1 is left"), "{error}");
    let rest = schema.plan(wanted(40_000)).await.unwrap();
    assert_eq!(rest.steps().len(), 1, "{rest}");
    rest.apply().await.unwrap();
}

#[tokio::test]
async fn plan_after_an_interruption_waits_for_pending_definitions() {
    let local =
        Local::builder().ddl_delay(Duration::from_millis(50)).ddl_delay_of(Ddl::CreateTable, Duration::from_secs(1));
    let local = local.start().await.unwrap();
    let session = signed(&local).connect().await.unwrap();
    let schema = session.schema();
    let wanted = shop().table(names().build().unwrap());
    let plan = schema.plan(wanted.clone()).await.unwrap();
    let mut interrupted = plan.apply().progress();
    while interrupted.try_next().await.unwrap().unwrap().definition != "CREATE TABLE shop.names" {}
    drop(interrupted);
    let again = schema.plan(wanted).await.unwrap();
    assert!(again.is_empty(), "{again}");
    session.execute("INSERT INTO shop.names (id) VALUES (1)", ()).await.unwrap();
    local.close().await.unwrap();
}

#[tokio::test]
async fn plan_with_a_duplicate_definition_is_refused() {
    let (_local, session) = without_ddl_delay().await;
    let twice = session.schema().plan(shop().keyspace(KeyspaceDefinition::new("shop"))).await.unwrap_err();
    assert_eq!(twice.kind(), ErrorKind::Refused);
    assert_eq!(twice.to_string(), "planning a change of the schema failed: the keyspace shop is defined twice");
}

#[tokio::test]
async fn plan_for_a_plain_cassandra_contains_only_what_it_supports() {
    let endpoint = Endpoint::cassandra(shared().await.cassandra_address().to_string()).unwrap();
    let session = Session::builder().endpoint(endpoint).connect().await.unwrap();
    let schema = session.schema();
    let keyspace = format!("planned_{}", &uuid::Uuid::new_v4().simple().to_string()[..12]);
    let wanted = |text: &str| {
        let text = text.replace("shop", &keyspace);
        Definitions::parse(&text).unwrap()
    };
    let planned = wanted(SCHEMA);
    assert_eq!(
        schema.plan(planned.clone()).await.unwrap_err().to_string(),
        "planning a change of the schema failed: only Keyspaces has the options custom_properties, autoscaling_settings, cdc \
         and tags, and changes of Regions, and this is a plain Cassandra. Leave them out, or call \
         without_keyspaces_options_on_cassandra()"
    );
    let plan = schema.plan(planned.clone()).without_keyspaces_options_on_cassandra().await.unwrap();
    assert_eq!(plan.steps().len(), 5, "{plan}");
    plan.apply().await.unwrap();
    let more = wanted(&SCHEMA.replace("name text)\n", "name text, note text)\n"));
    let plan = schema.plan(more.clone()).without_keyspaces_options_on_cassandra().await.unwrap();
    assert_eq!(plan.steps()[0].statement.to_string(), format!("ALTER TABLE {keyspace}.names ADD (note text)"));
    plan.apply().await.unwrap();
    let nothing = schema.plan(more).without_keyspaces_options_on_cassandra().await.unwrap();
    assert_eq!(nothing.to_string(), "nothing to do");
    schema.drop_keyspace(&keyspace).await.unwrap();
}
