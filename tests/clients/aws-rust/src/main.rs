//! The checks of the AWS SDKs in ../README.md, with the AWS SDK for Rust. It uses Smithy RPC v2 CBOR.

mod service;

use std::env;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use aws_sdk_keyspaces::config::retry::RetryConfig;
use aws_sdk_keyspaces::error::{DisplayErrorContext, SdkError};
use aws_sdk_keyspaces::operation::create_table::builders::CreateTableFluentBuilder;
use aws_sdk_keyspaces::operation::get_table::{GetTableError, GetTableOutput};
use aws_sdk_keyspaces::operation::restore_table::builders::RestoreTableFluentBuilder;
use aws_sdk_keyspaces::primitives::DateTime;
use aws_sdk_keyspaces::types::{
    AutoScalingPolicy, AutoScalingSettings, AutoScalingSpecification, CapacitySpecification, ClientSideTimestamps,
    ClientSideTimestampsStatus, ClusteringKey, ColumnDefinition, Comment, EncryptionType, FieldDefinition,
    PartitionKey, PointInTimeRecovery, PointInTimeRecoveryStatus, ReplicationSpecification, Rs, SchemaDefinition,
    SortOrder, StaticColumn, TableStatus, Tag, TargetTrackingScalingPolicyConfiguration, ThroughputMode,
    TimeToLiveStatus, TypeStatus,
};
use aws_sdk_keyspaces::{Client, Error};

use service::{Result, Service, awaited, equal, refused};

/// The state that the checks share.
struct Checks {
    keyspaces: Client,
    region: String,
    keyspace: String,
    arn: String,
    failed: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode> {
    let service = Service::of("KS_READY")?;
    let keyspace = env::var("KS_KEYSPACE")?;
    let arn = format!("arn:aws:cassandra:{}:111122223333:/keyspace/{keyspace}/", service.region);
    let keyspaces = service.connect(RetryConfig::standard())?;
    let mut checks = Checks { keyspaces, region: service.region, keyspace, arn, failed: false };
    checks.report("unknown CA", unknown_ca().await);
    checks.report("wrong secret", wrong_secret().await);
    checks.report("unknown key", unknown_key().await);
    checks.report("wrong Region", wrong_region().await);
    checks.report("keyspace", checks.keyspace().await);
    checks.report("Regions", checks.regions().await);
    checks.report("user-defined type", checks.user_type().await);
    checks.report("create and await", checks.create().await);
    checks.report("describe", checks.describe().await);
    checks.report("tags", checks.tags().await);
    checks.report("alter", checks.alter().await);
    checks.report("restore", checks.restore().await);
    checks.report("pages", checks.pages().await);
    checks.report("ValidationException", checks.validation().await);
    checks.report("ConflictException", checks.conflict().await);
    checks.report("ResourceNotFoundException", checks.not_found().await);
    checks.report("ServiceQuotaExceededException", checks.quota().await);
    checks.report("AccessDeniedException", access_denied().await);
    checks.report("InternalServerException", checks.internal().await);
    checks.report("delete", checks.delete().await);
    Ok(if checks.failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn unknown_ca() -> Result {
    let service = Service { ca: env::var("KS_OTHER_CA")?, ..Service::of("KS_READY")? };
    match service.connect(RetryConfig::disabled())?.list_keyspaces().send().await {
        Err(error) if format!("{error:?}").contains("UnknownIssuer") => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

async fn wrong_secret() -> Result {
    let service = Service { secret_key: "x".repeat(40), ..Service::of("KS_READY")? };
    let listed = service.connect(RetryConfig::standard())?.list_keyspaces().send().await;
    refused("InvalidSignatureException", "does not match", listed).map(drop)
}

async fn unknown_key() -> Result {
    let service = Service { access_key: "AKIAIOSFODNN7EXAMPLE".to_owned(), ..Service::of("KS_READY")? };
    let listed = service.connect(RetryConfig::standard())?.list_keyspaces().send().await;
    refused("UnrecognizedClientException", "security token", listed).map(drop)
}

async fn wrong_region() -> Result {
    let service = Service { region: "eu-west-1".to_owned(), ..Service::of("KS_READY")? };
    let listed = service.connect(RetryConfig::standard())?.list_keyspaces().send().await;
    refused("InvalidSignatureException", "'eu-west-1'", listed).map(drop)
}

async fn access_denied() -> Result {
    let nobody = Service::of("KS_READY")?.without_permissions().connect(RetryConfig::standard())?;
    let text = "not authorized to perform: cassandra:Select";
    let error = refused("AccessDeniedException", text, nobody.list_keyspaces().send().await)?;
    equal(matches!(error, Error::AccessDeniedException(_)), true)
}

impl Checks {
    fn report(&mut self, name: &str, result: Result) {
        match result {
            Ok(()) => println!("ok {name}"),
            Err(error) => {
                self.failed = true;
                println!("failed {name}: {}", DisplayErrorContext(&*error).to_string().replace('\n', " "));
            }
        }
    }

    /// GetKeyspace shows no status. A keyspace that is found can be used.
    async fn found(&self, name: &str) -> Result<bool> {
        match self.keyspaces.get_keyspace().keyspace_name(name).send().await {
            Ok(shown) => Ok(shown.keyspace_name() == name),
            Err(error) if error.as_service_error().is_some_and(|it| it.is_resource_not_found_exception()) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn keyspace(&self) -> Result {
        let made =
            self.keyspaces.create_keyspace().keyspace_name(&self.keyspace).tags(tag("team", "shop")?).send().await?;
        equal(made.resource_arn(), &self.arn)?;
        awaited(async || self.found(&self.keyspace).await, true).await?;
        let shown = self.keyspaces.get_keyspace().keyspace_name(&self.keyspace).send().await?;
        equal(shown.resource_arn(), &self.arn)?;
        equal(shown.replication_strategy(), &Rs::SingleRegion)
    }

    async fn regions(&self) -> Result {
        let name = format!("{}_regions", self.keyspace);
        self.keyspaces.create_keyspace().keyspace_name(&name).send().await?;
        awaited(async || self.found(&name).await, true).await?;
        let replication = ReplicationSpecification::builder()
            .replication_strategy(Rs::MultiRegion)
            .region_list(&self.region)
            .region_list("eu-west-1")
            .build()?;
        let update = self.keyspaces.update_keyspace().keyspace_name(&name).replication_specification(replication);
        update.client_side_timestamps(client_side_timestamps()?).send().await?;
        let statuses = async || {
            let shown = self.keyspaces.get_keyspace().keyspace_name(&name).send().await?;
            let groups = shown.replication_group_statuses().iter();
            let mut statuses: Vec<_> =
                groups.map(|group| format!("{} {}", group.region(), group.keyspace_status())).collect();
            statuses.sort();
            Ok(statuses)
        };
        let mut wanted = vec![format!("{} ACTIVE", self.region), "eu-west-1 ACTIVE".to_owned()];
        wanted.sort();
        awaited(statuses, wanted).await?;
        self.keyspaces.delete_keyspace().keyspace_name(&name).send().await?;
        awaited(async || self.found(&name).await, false).await
    }

    async fn user_type(&self) -> Result {
        let field = |name: &str, of: &str| FieldDefinition::builder().name(name).r#type(of).build();
        let fields = vec![field("street", "text")?, field("number", "int")?];
        let create = self.keyspaces.create_type().keyspace_name(&self.keyspace).type_name("address");
        create.set_field_definitions(Some(fields.clone())).send().await?;
        let get = self.keyspaces.get_type().keyspace_name(&self.keyspace).type_name("address");
        awaited(async || Ok(get.clone().send().await?.status().cloned()), Some(TypeStatus::Active)).await?;
        equal(get.send().await?.field_definitions(), fields)?;
        equal(self.keyspaces.list_types().keyspace_name(&self.keyspace).send().await?.types(), ["address"])
    }

    async fn table(&self, name: &str) -> std::result::Result<GetTableOutput, SdkError<GetTableError>> {
        self.keyspaces.get_table().keyspace_name(&self.keyspace).table_name(name).send().await
    }

    /// Returns `None` for a table that does not exist.
    async fn status(&self, table: &str) -> Result<Option<TableStatus>> {
        match self.table(table).await {
            Ok(shown) => Ok(shown.status().cloned()),
            Err(error) if error.as_service_error().is_some_and(|it| it.is_resource_not_found_exception()) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn active(&self, table: &str) -> Result {
        awaited(async || self.status(table).await, Some(TableStatus::Active)).await
    }

    async fn create(&self) -> Result {
        let schema = SchemaDefinition::builder()
            .set_all_columns(Some(columns()?))
            .partition_keys(PartitionKey::builder().name("device_id").build()?)
            .clustering_keys(ClusteringKey::builder().name("at").order_by(SortOrder::Desc).build()?)
            .static_columns(StaticColumn::builder().name("label").build()?)
            .build()?;
        let target = TargetTrackingScalingPolicyConfiguration::builder().target_value(60.0).scale_out_cooldown(30);
        let policy = AutoScalingPolicy::builder().target_tracking_scaling_policy_configuration(target.build()).build();
        let scaling = AutoScalingSettings::builder().minimum_units(5).maximum_units(10).scaling_policy(policy).build();
        let capacity = CapacitySpecification::builder()
            .throughput_mode(ThroughputMode::Provisioned)
            .read_capacity_units(5)
            .write_capacity_units(6)
            .build()?;
        let create = self.keyspaces.create_table().keyspace_name(&self.keyspace).table_name("events");
        let made = create
            .schema_definition(schema)
            .comment(Comment::builder().message("what devices send").build()?)
            .capacity_specification(capacity)
            .auto_scaling_specification(AutoScalingSpecification::builder().read_capacity_auto_scaling(scaling).build())
            .point_in_time_recovery(recovery(PointInTimeRecoveryStatus::Enabled)?)
            .client_side_timestamps(client_side_timestamps()?)
            .default_time_to_live(86_400)
            .tags(tag("team", "shop")?)
            .send()
            .await?;
        equal(made.resource_arn(), format!("{}table/events", self.arn))?;
        self.active("events").await
    }

    async fn describe(&self) -> Result {
        let shown = self.table("events").await?;
        let schema = shown.schema_definition().ok_or("no schema")?;
        equal(sorted(schema.all_columns()), sorted(&columns()?))?;
        equal(schema.partition_keys(), [PartitionKey::builder().name("device_id").build()?])?;
        let at = ClusteringKey::builder().name("at").order_by(SortOrder::Desc).build()?;
        equal(schema.clustering_keys(), [at])?;
        equal(schema.static_columns(), [StaticColumn::builder().name("label").build()?])?;
        equal(shown.comment().map(Comment::message), Some("what devices send"))?;
        let capacity = shown.capacity_specification().ok_or("no capacity")?;
        equal(capacity.throughput_mode(), &ThroughputMode::Provisioned)?;
        equal((capacity.read_capacity_units(), capacity.write_capacity_units()), (Some(5), Some(6)))?;
        let status = shown.point_in_time_recovery().map(|recovery| recovery.status());
        equal(status, Some(&PointInTimeRecoveryStatus::Enabled))?;
        equal(shown.ttl().map(|ttl| ttl.status()), Some(&TimeToLiveStatus::Enabled))?;
        equal(shown.default_time_to_live(), Some(86_400))?;
        equal(shown.client_side_timestamps(), Some(&client_side_timestamps()?))?;
        let encryption = shown.encryption_specification().map(|encryption| encryption.r#type());
        equal(encryption, Some(&EncryptionType::AwsOwnedKmsKey))?;
        let created = SystemTime::try_from(*shown.creation_timestamp().ok_or("no creation timestamp")?)?;
        equal(SystemTime::now().duration_since(created)? < Duration::from_secs(600), true)?;
        let get = self.keyspaces.get_table_auto_scaling_settings().keyspace_name(&self.keyspace).table_name("events");
        let shown = get.send().await?;
        let scaling = shown.auto_scaling_specification().and_then(|scaling| scaling.read_capacity_auto_scaling());
        let scaling = scaling.ok_or("no auto scaling")?;
        equal((scaling.minimum_units(), scaling.maximum_units()), (Some(5), Some(10)))?;
        let policy = scaling.scaling_policy().and_then(|it| it.target_tracking_scaling_policy_configuration());
        equal(policy.map(|policy| policy.target_value()), Some(60.0))?;
        let get = self.keyspaces.get_type().keyspace_name(&self.keyspace).type_name("address");
        equal(get.send().await?.direct_referring_tables(), ["events"])
    }

    async fn tags(&self) -> Result {
        let arn = format!("{}table/events", self.arn);
        let pages = async || {
            let list = self.keyspaces.list_tags_for_resource().resource_arn(&arn).into_paginator().page_size(1).send();
            let pages = list.try_collect().await?;
            Ok(pages.into_iter().map(|page| page.tags.unwrap_or_default()).collect::<Vec<_>>())
        };
        self.keyspaces.tag_resource().resource_arn(&arn).tags(tag("stage", "test")?).send().await?;
        awaited(pages, vec![vec![tag("stage", "test")?], vec![tag("team", "shop")?]]).await?;
        self.active("events").await?;
        self.keyspaces.untag_resource().resource_arn(&arn).tags(tag("team", "shop")?).send().await?;
        awaited(pages, vec![vec![tag("stage", "test")?]]).await?;
        self.active("events").await?;
        let of_keyspace = self.keyspaces.list_tags_for_resource().resource_arn(&self.arn).send().await?;
        equal(of_keyspace.tags(), [tag("team", "shop")?])
    }

    async fn alter(&self) -> Result {
        let update = || self.keyspaces.update_table().keyspace_name(&self.keyspace).table_name("events");
        let severity = column("severity", "int")?;
        update().add_columns(severity.clone()).send().await?;
        // At first, the table is still ACTIVE and lacks the column.
        let has_column = async || {
            let shown = self.table("events").await?;
            Ok(shown.schema_definition().is_some_and(|schema| schema.all_columns().contains(&severity)))
        };
        awaited(has_column, true).await?;
        self.active("events").await?;
        update().capacity_specification(on_demand()?).send().await?;
        self.active("events").await?;
        let shown = self.table("events").await?;
        let mode = shown.capacity_specification().map(|capacity| capacity.throughput_mode());
        equal(mode, Some(&ThroughputMode::PayPerRequest))
    }

    fn restored(&self, target: &str, moment: DateTime) -> RestoreTableFluentBuilder {
        let restore = self.keyspaces.restore_table().source_keyspace_name(&self.keyspace).source_table_name("events");
        restore.target_keyspace_name(&self.keyspace).target_table_name(target).restore_timestamp(moment)
    }

    async fn restore(&self) -> Result {
        let shown = self.table("events").await?;
        let recovery_of_it = shown.point_in_time_recovery().ok_or("no recovery")?;
        let earliest = recovery_of_it.earliest_restorable_timestamp().ok_or("no earliest timestamp")?;
        let moment = DateTime::from_secs(earliest.secs() + 1);
        awaited(async || Ok(DateTime::from(SystemTime::now()) > moment), true).await?;
        let made = self
            .restored("restored", moment)
            .capacity_specification_override(on_demand()?)
            .point_in_time_recovery_override(recovery(PointInTimeRecoveryStatus::Disabled)?)
            .tags_override(tag("of", "events")?)
            .send()
            .await?;
        equal(made.restored_table_arn(), format!("{}table/restored", self.arn))?;
        self.active("restored").await?;
        let shown = self.table("restored").await?;
        let mode = shown.capacity_specification().map(|capacity| capacity.throughput_mode());
        equal(mode, Some(&ThroughputMode::PayPerRequest))?;
        let status = shown.point_in_time_recovery().map(|recovery| recovery.status());
        equal(status, Some(&PointInTimeRecoveryStatus::Disabled))?;
        // 2026-02-10T15:30:00Z
        let too_early = self.restored("too_early", DateTime::from_secs(1_770_737_400)).send().await;
        let error = refused("ValidationException", "cannot be restored", too_early)?;
        equal(matches!(error, Error::ValidationException(_)), true)
    }

    fn small_table(&self, name: &str) -> Result<CreateTableFluentBuilder> {
        let schema = SchemaDefinition::builder()
            .all_columns(column("id", "text")?)
            .partition_keys(PartitionKey::builder().name("id").build()?)
            .build()?;
        let create = self.keyspaces.create_table().keyspace_name(&self.keyspace);
        Ok(create.table_name(name).schema_definition(schema))
    }

    async fn pages(&self) -> Result {
        for name in ["t1", "t2", "t3"] {
            self.small_table(name)?.send().await?;
        }
        for name in ["t1", "t2", "t3"] {
            self.active(name).await?;
        }
        let list = self.keyspaces.list_tables().keyspace_name(&self.keyspace).into_paginator().page_size(2);
        let pages = list.send().try_collect().await?;
        let names = |tables: &[aws_sdk_keyspaces::types::TableSummary]| -> Vec<_> {
            tables.iter().map(|table| table.table_name().to_owned()).collect()
        };
        let pages: Vec<Vec<String>> = pages.iter().map(|page| names(page.tables())).collect();
        equal(pages, [vec!["events", "restored"], vec!["t1", "t2"], vec!["t3"]])?;
        let keyspaces = self.keyspaces.list_keyspaces().into_paginator().page_size(1).items().send();
        let keyspaces = keyspaces.try_collect().await?;
        equal(keyspaces.iter().filter(|keyspace| keyspace.keyspace_name() == self.keyspace).count(), 1)
    }

    async fn validation(&self) -> Result {
        let made = self.small_table("two words")?.send().await;
        let error = refused("ValidationException", "failed to satisfy constraint", made)?;
        equal(matches!(error, Error::ValidationException(_)), true)
    }

    async fn conflict(&self) -> Result {
        let made = self.keyspaces.create_keyspace().keyspace_name(&self.keyspace).send().await;
        let error = refused("ConflictException", "existing keyspace", made)?;
        equal(matches!(error, Error::ConflictException(_)), true)
    }

    async fn not_found(&self) -> Result {
        let text = format!("{}.nosuch", self.keyspace);
        match refused("ResourceNotFoundException", &text, self.table("nosuch").await)? {
            Error::ResourceNotFoundException(error) => {
                equal(error.resource_arn(), Some(&*format!("{}table/nosuch", self.arn)))
            }
            other => Err(other.into()),
        }
    }

    async fn quota(&self) -> Result {
        let units = CapacitySpecification::builder()
            .throughput_mode(ThroughputMode::Provisioned)
            .read_capacity_units(40_001)
            .write_capacity_units(1);
        let made = self.small_table("big")?.capacity_specification(units.build()?).send().await;
        let error = refused("ServiceQuotaExceededException", "40000 units", made)?;
        equal(matches!(error, Error::ServiceQuotaExceededException(_)), true)
    }

    async fn internal(&self) -> Result {
        let broken = Service::of("KS_BROKEN")?.connect(RetryConfig::standard())?;
        let made = broken.create_keyspace().keyspace_name(&self.keyspace).send().await;
        let status = made.as_ref().err().and_then(|error| error.raw_response()).map(|raw| raw.status().as_u16());
        let error = refused("InternalServerException", "", made)?;
        equal(matches!(error, Error::InternalServerException(_)), true)?;
        equal(status, Some(500))
    }

    async fn delete(&self) -> Result {
        let tables = ["events", "restored", "t1", "t2", "t3"];
        for table in tables {
            self.keyspaces.delete_table().keyspace_name(&self.keyspace).table_name(table).send().await?;
        }
        for table in tables {
            awaited(async || self.status(table).await, None).await?;
        }
        self.keyspaces.delete_type().keyspace_name(&self.keyspace).type_name("address").send().await?;
        let list = self.keyspaces.list_types().keyspace_name(&self.keyspace);
        awaited(async || Ok(list.clone().send().await?.types().len()), 0).await?;
        self.keyspaces.delete_keyspace().keyspace_name(&self.keyspace).send().await?;
        awaited(async || self.found(&self.keyspace).await, false).await
    }
}

fn column(name: &str, of: &str) -> Result<ColumnDefinition> {
    Ok(ColumnDefinition::builder().name(name).r#type(of).build()?)
}

fn columns() -> Result<Vec<ColumnDefinition>> {
    let columns = [
        ("device_id", "text"),
        ("at", "timestamp"),
        ("payload", "map<text, text>"),
        ("label", "text"),
        ("home", "frozen<address>"),
    ];
    columns.into_iter().map(|(name, of)| column(name, of)).collect()
}

fn sorted(columns: &[ColumnDefinition]) -> Vec<(&str, &str)> {
    let mut columns: Vec<_> = columns.iter().map(|column| (column.name(), column.r#type())).collect();
    columns.sort_unstable();
    columns
}

fn tag(key: &str, value: &str) -> Result<Tag> {
    Ok(Tag::builder().key(key).value(value).build()?)
}

fn client_side_timestamps() -> Result<ClientSideTimestamps> {
    Ok(ClientSideTimestamps::builder().status(ClientSideTimestampsStatus::Enabled).build()?)
}

fn recovery(status: PointInTimeRecoveryStatus) -> Result<PointInTimeRecovery> {
    Ok(PointInTimeRecovery::builder().status(status).build()?)
}

fn on_demand() -> Result<CapacitySpecification> {
    Ok(CapacitySpecification::builder().throughput_mode(ThroughputMode::PayPerRequest).build()?)
}
