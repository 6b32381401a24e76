//! Describes a table or a keyspace as the system tables show it now.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use keyspaces_cql::statement::CqlType;
use keyspaces_cql::{
    AutoScaling, CapacityScaling, Cdc, ColumnRow, KeyspaceDefinition, PointInTimeRecovery, QualifiedName, Replication,
    TableDefinition, TableOptions, TableProperty, Tags, TypeDefinition,
};
use scylla::value::CqlValue;

use super::{Schema, TableStatus};
use crate::{Error, ErrorKind, Row};

/// The current state of a table, from [`Schema::describe_table`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TableDescription {
    /// Its columns, key and options. `Display` writes the CREATE TABLE statement of such a table.
    pub definition: TableDefinition,
    /// Its status; `None` on a plain Cassandra.
    pub status: Option<TableStatus>,
    /// When it was created, if the service reports it.
    pub created: Option<DateTime<Utc>>,
    /// The ARN of its latest CDC stream, if there is one.
    pub stream_arn: Option<String>,
    /// The earliest time to which it can be restored, if the service reports one (`DG:restoretabletopointintime`).
    pub earliest_restorable: Option<DateTime<Utc>>,
    /// Its status in each Region; empty if its keyspace is in one Region.
    pub replicas: Vec<Replica>,
}

/// The replica of a table in one Region.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Replica {
    /// The Region.
    pub region: String,
    /// The status of the table in this Region.
    pub status: TableStatus,
}

pub(crate) async fn describe_table(
    schema: &Schema<'_>,
    keyspace: &str,
    table: &str,
) -> Result<Option<TableDescription>, Error> {
    let mut described = describe_untagged(schema, keyspace, table).await?;
    if let Some(described) = described.as_mut().filter(|_| !schema.session.is_plain_cassandra()) {
        described.definition.options.tags = table_tags(schema, keyspace, table).await?;
    }
    Ok(described)
}

/// Like [`describe_table`], but without tags, which saves a query.
pub(crate) async fn describe_untagged(
    schema: &Schema<'_>,
    keyspace: &str,
    table: &str,
) -> Result<Option<TableDescription>, Error> {
    let columns = "SELECT column_name, clustering_order, kind, position, type FROM system_schema.columns \
                   WHERE keyspace_name = ? AND table_name = ?";
    let columns = read_rows(schema, columns, keyspace, table).await?;
    if columns.is_empty() {
        return Ok(None);
    }
    let mut definition = definition(keyspace, table, &columns)?;
    let plain = schema.session.is_plain_cassandra();
    let tables = if plain { "system_schema.tables" } else { "system_schema_mcs.tables" };
    let row = format!("SELECT * FROM {tables} WHERE keyspace_name = ? AND table_name = ?");
    let row = read_rows(schema, &row, keyspace, table).await?.into_iter().next();
    let row = |column: &str| row.as_ref().and_then(|row| row.get(column));
    let comment = row("comment").and_then(CqlValue::as_text).filter(|comment| !comment.is_empty()).cloned();
    let seconds = row("default_time_to_live").and_then(CqlValue::as_int).and_then(|ttl| u32::try_from(ttl).ok());
    if plain {
        definition.options.default_time_to_live = seconds.filter(|seconds| *seconds > 0);
        definition.options.comment = comment;
        return Ok(Some(TableDescription {
            definition,
            status: None,
            created: None,
            stream_arn: None,
            earliest_restorable: None,
            replicas: Vec::new(),
        }));
    }
    let custom_properties = row("custom_properties").map(nested_entries).unwrap_or_default();
    let earliest = PointInTimeRecovery::earliest_restorable(&custom_properties);
    let mut options = TableOptions::from_custom_properties(&custom_properties);
    if let Some(seconds) = seconds.filter(|seconds| *seconds > 0) {
        options = options.and(TableProperty::DefaultTimeToLive(seconds));
    }
    if options.cdc.is_none() && row("cdc").and_then(CqlValue::as_boolean) == Some(true) {
        options = options.and(Cdc::On(Default::default()));
    }
    options.comment = comment;
    options.auto_scaling = auto_scaling(schema, keyspace, table).await?;
    definition.options = options;
    let replicas =
        "SELECT region, status FROM system_multiregion_info.tables WHERE keyspace_name = ? AND table_name = ?";
    let replicas = read_rows(schema, replicas, keyspace, table).await?;
    let replicas = replicas.iter().filter_map(|row| {
        Some(Replica { region: text(row, "region")?, status: TableStatus::parse(&text(row, "status")?) })
    });
    Ok(Some(TableDescription {
        status: row("status").and_then(CqlValue::as_text).map(|word| TableStatus::parse(word)),
        created: row("creation_time").and_then(CqlValue::as_cql_timestamp).and_then(|at| at.try_into().ok()),
        stream_arn: row("latest_stream_arn").and_then(CqlValue::as_text).cloned(),
        earliest_restorable: earliest.and_then(|at| DateTime::from_timestamp_millis(at.unix_millis())),
        replicas: replicas.collect(),
        definition,
    }))
}

pub(crate) async fn describe_keyspace(
    schema: &Schema<'_>,
    keyspace: &str,
) -> Result<Option<KeyspaceDefinition>, Error> {
    let mut described = describe_untagged_keyspace(schema, keyspace).await?;
    if let Some(described) = described.as_mut().filter(|_| !schema.session.is_plain_cassandra()) {
        described.tags = keyspace_tags(schema, keyspace).await?.unwrap_or_default();
    }
    Ok(described)
}

/// Like [`describe_keyspace`], but without tags.
pub(crate) async fn describe_untagged_keyspace(
    schema: &Schema<'_>,
    keyspace: &str,
) -> Result<Option<KeyspaceDefinition>, Error> {
    let system = if schema.session.is_plain_cassandra() { "system_schema" } else { "system_schema_mcs" };
    let select = format!("SELECT replication FROM {system}.keyspaces WHERE keyspace_name = ?");
    let rows: Vec<Row> = schema.session.rows(&select, (keyspace.to_owned(),)).try_collect().await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let mut replication = row.get("replication").map(entries).unwrap_or_default();
    let class = replication.remove("class").unwrap_or_default();
    let mut definition = KeyspaceDefinition::new(keyspace);
    if class.ends_with("NetworkTopologyStrategy") && !schema.session.is_plain_cassandra() {
        definition.replication = Replication::MultiRegion(replication.into_keys().collect());
    }
    Ok(Some(definition))
}

async fn auto_scaling(schema: &Schema<'_>, keyspace: &str, table: &str) -> Result<Option<AutoScaling>, Error> {
    let select = "SELECT * FROM system_schema_mcs.autoscaling WHERE keyspace_name = ? AND table_name = ?";
    let rows = read_rows(schema, select, keyspace, table).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let scaling = |row: &Row, column| {
        let shown = row.get(column).map(entries).filter(|entries| !entries.is_empty())?;
        CapacityScaling::from_system_table(&shown).ok()
    };
    let read = scaling(row, READ_SCALING);
    let mut replicas = BTreeMap::new();
    let select = "SELECT * FROM system_multiregion_info.autoscaling WHERE keyspace_name = ? AND table_name = ?";
    for row in read_rows(schema, select, keyspace, table).await? {
        if let (Some(region), Some(own)) = (text(&row, "region"), scaling(&row, READ_SCALING))
            && Some(own) != read
        {
            replicas.insert(region, own);
        }
    }
    let scaling = AutoScaling { read, write: scaling(row, WRITE_SCALING), replicas };
    Ok(Some(scaling).filter(|scaling| *scaling != AutoScaling::default()))
}

/// Reads the types of a keyspace, ordered by name.
pub(crate) async fn types(schema: &Schema<'_>, keyspace: &str) -> Result<Vec<TypeDefinition>, Error> {
    const TYPES: &str = "SELECT type_name, field_names, field_types FROM system_schema.types WHERE keyspace_name = ?";
    let mut rows = schema.session.rows::<(String, Vec<String>, Vec<String>)>(TYPES, (keyspace.to_owned(),));
    let mut types = Vec::new();
    while let Some((name, names, field_types)) = rows.try_next().await? {
        let mut definition = TypeDefinition::new(keyspace, name.as_str());
        for (field, text) in names.into_iter().zip(field_types) {
            let field_type: CqlType = text.parse().map_err(|error| {
                let problem = format!("the type {text} of the field {field} cannot be read");
                let attempted = format!("describing the type {keyspace}.{name}");
                Error::new(ErrorKind::Server, attempted, problem).with_source(error)
            })?;
            definition = definition.field(field, field_type);
        }
        types.push(definition);
    }
    Ok(types)
}

async fn table_tags(schema: &Schema<'_>, keyspace: &str, table: &str) -> Result<Option<Tags>, Error> {
    const TAGS: &str =
        "SELECT resource_type, tags FROM system_schema_mcs.tags WHERE keyspace_name = ? AND resource_name = ?";
    tags(schema, TAGS, (keyspace.to_owned(), table.to_owned()), "table").await
}

async fn keyspace_tags(schema: &Schema<'_>, keyspace: &str) -> Result<Option<Tags>, Error> {
    const TAGS: &str =
        "SELECT resource_type, tags FROM system_schema_mcs.tags WHERE keyspace_name = ? AND resource_type = ?";
    tags(schema, TAGS, (keyspace.to_owned(), "keyspace".to_owned()), "keyspace").await
}

/// Reads the tags of a resource. A table may have the name of its keyspace, so the resource type is compared too.
async fn tags(
    schema: &Schema<'_>,
    select: &str,
    values: (String, String),
    resource: &str,
) -> Result<Option<Tags>, Error> {
    let rows: Vec<Row> = schema.session.rows(select, values).try_collect().await?;
    let row = rows.iter().find(|row| text(row, "resource_type").is_some_and(|it| it.eq_ignore_ascii_case(resource)));
    Ok(row.and_then(|row| row.get("tags")).map(entries).filter(|tags| !tags.is_empty()))
}

async fn read_rows(schema: &Schema<'_>, select: &str, keyspace: &str, table: &str) -> Result<Vec<Row>, Error> {
    schema.session.rows(select, (keyspace.to_owned(), table.to_owned())).try_collect().await
}

const READ_SCALING: &str = "provisioned_read_capacity_autoscaling_update";
const WRITE_SCALING: &str = "provisioned_write_capacity_autoscaling_update";

fn definition(keyspace: &str, table: &str, rows: &[Row]) -> Result<TableDefinition, Error> {
    let columns = rows.iter().filter_map(|row| {
        Some(ColumnRow {
            name: text(row, "column_name")?,
            column_type: text(row, "type")?,
            kind: text(row, "kind").unwrap_or_default(),
            position: row.get("position").and_then(CqlValue::as_int).unwrap_or(-1),
            clustering_order: text(row, "clustering_order").unwrap_or_default(),
        })
    });
    TableDefinition::from_columns(QualifiedName::new(keyspace, table), columns).map_err(|error| {
        let attempted = format!("describing the table {keyspace}.{table}");
        let problem = "the columns in the system tables do not form a table";
        Error::new(ErrorKind::Server, attempted, problem).with_source(error)
    })
}

fn text(row: &Row, column: &str) -> Option<String> {
    row.get(column)?.as_text().cloned()
}

/// Reads a map. Values that are not text are converted to text, because the type of these columns in the service is not
/// known.
fn entries(value: &CqlValue) -> BTreeMap<String, String> {
    let text_of = |value: &CqlValue| value.as_text().cloned().unwrap_or_else(|| value.to_string());
    value.as_map().into_iter().flatten().map(|(key, value)| (text_of(key), text_of(value))).collect()
}

fn nested_entries(value: &CqlValue) -> BTreeMap<String, BTreeMap<String, String>> {
    let text_of = |key: &CqlValue| key.as_text().cloned().unwrap_or_else(|| key.to_string());
    value.as_map().into_iter().flatten().map(|(key, value)| (text_of(key), entries(value))).collect()
}
