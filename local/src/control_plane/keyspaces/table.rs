//! CreateTable, UpdateTable, ListTables and DeleteTable.

use keyspaces_cql::statement::{AlterTable, AlterTableChange, ClusteringOrder, CqlType, DropTable, SortOrder};
use keyspaces_cql::{
    Column, ColumnKind, Name, NewColumn, NewColumns, QualifiedName, Span, Statement, TableChange, TableDefinition,
    TableOptions, TableProperty,
};
use serde::{Deserialize, Serialize};

use super::super::constraint::Constraints;
use super::super::error::ApiError;
use super::super::protocol::EmptyOutput;
use super::assumptions::{COLUMNS_AND_SETTING_MESSAGE, NO_SETTING_MESSAGE};
use super::constraints;
use super::operation_context::{ChangedResource, OperationContext};
use super::page::ListInKeyspace;
use super::settings::{
    AutoScalingSpecification, CapacitySpecification, CdcSpecification, EncryptionSpecification, ReplicaSpecification,
    SettingStatus, TableSettings, WarmThroughputSpecification,
};
use super::tag::{self, Tag};
use crate::names::{ObjectKind, SchemaObject};

/// The input of CreateTable and UpdateTable. Members that only the other operation has are ignored.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TableRequest {
    keyspace_name: Option<String>,
    table_name: Option<String>,
    schema_definition: Option<SchemaDefinition>,
    add_columns: Option<Vec<NamedType>>,
    comment: Option<Comment>,
    capacity_specification: Option<CapacitySpecification>,
    encryption_specification: Option<EncryptionSpecification>,
    point_in_time_recovery: Option<SettingStatus>,
    ttl: Option<SettingStatus>,
    default_time_to_live: Option<i64>,
    tags: Option<Vec<Tag>>,
    client_side_timestamps: Option<SettingStatus>,
    auto_scaling_specification: Option<AutoScalingSpecification>,
    replica_specifications: Option<Vec<ReplicaSpecification>>,
    cdc_specification: Option<CdcSpecification>,
    warm_throughput_specification: Option<WarmThroughputSpecification>,
}

/// A column or a field.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct NamedType {
    pub(super) name: Option<String>,
    #[serde(rename = "type")]
    pub(super) column_type: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SchemaDefinition {
    all_columns: Option<Vec<NamedType>>,
    partition_keys: Option<Vec<ColumnName>>,
    clustering_keys: Option<Vec<ClusteringKey>>,
    static_columns: Option<Vec<ColumnName>>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct ColumnName {
    name: Option<String>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct ClusteringKey {
    name: Option<String>,
    order_by: Option<String>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Comment {
    pub(super) message: Option<String>,
}

/// The table that a request names.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TableNameRequest {
    keyspace_name: Option<String>,
    table_name: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TableList {
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
    tables: Vec<TableSummary>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct TableSummary {
    keyspace_name: String,
    table_name: String,
    resource_arn: String,
}

pub(super) async fn create_table(
    context: &OperationContext,
    request: TableRequest,
) -> Result<ChangedResource, ApiError> {
    let mut constraints = request.constraints();
    constraints.member("schemaDefinition", request.schema_definition.as_ref()).required();
    if let Some(schema) = &request.schema_definition {
        schema.constrain(&mut constraints);
    }
    if let Some(comment) = &request.comment {
        constraints.member("comment.message", comment.message.as_ref()).required();
    }
    tag::constrain(&mut constraints, "tags", request.tags.as_deref(), false);
    constraints.check()?;
    let mut options = request.settings().options()?;
    if let Some(comment) = request.comment.and_then(|comment| comment.message) {
        options = options.and(TableProperty::Comment(comment));
    }
    if let Some(tags) = request.tags {
        options = options.and(TableProperty::Tags(tag::tags(tags)));
    }
    let table = qualified(request.keyspace_name, request.table_name);
    let definition = request.schema_definition.unwrap_or_default().definition(table, options)?;
    context.define(&Statement::CreateTable(definition.create())).await
}

pub(super) async fn update_table(
    context: &OperationContext,
    request: TableRequest,
) -> Result<ChangedResource, ApiError> {
    let mut constraints = request.constraints();
    let added = request.add_columns.as_deref();
    constraints.member("addColumns", added).count(1..=usize::MAX);
    constrain_columns(&mut constraints, "addColumns", added);
    constraints.check()?;
    let options = request.settings().options()?;
    let columns = added.unwrap_or_default().iter().map(|column| {
        let (name, is_static) = (Name::new(column.name.clone().unwrap_or_default()), false);
        Ok(NewColumn { name, column_type: cql_type(column)?, is_static })
    });
    let columns = NewColumns::new(columns.collect::<Result<Vec<_>, ApiError>>()?);
    let table = qualified(request.keyspace_name, request.table_name);
    let alter = match (columns, options == TableOptions::default()) {
        (None, true) => return Err(ApiError::validation(NO_SETTING_MESSAGE)),
        (Some(_), false) => return Err(ApiError::validation(COLUMNS_AND_SETTING_MESSAGE)),
        (Some(columns), true) => TableChange::AddColumns(columns).alter(&table),
        (None, false) => {
            let change = AlterTableChange::With(options.with_options());
            AlterTable { span: Span::default(), if_exists: None, table, change }
        }
    };
    context.define(&Statement::AlterTable(alter)).await
}

pub(super) async fn delete_table(
    context: &OperationContext,
    request: TableNameRequest,
) -> Result<EmptyOutput, ApiError> {
    let object = request.named()?;
    let table = QualifiedName::new(&object.keyspace, &object.name);
    let drop = DropTable { span: Span::default(), if_exists: None, table };
    context.define(&Statement::DropTable(drop)).await.map(|_| EmptyOutput {})
}

pub(super) fn list_tables(context: &OperationContext, request: ListInKeyspace) -> Result<TableList, ApiError> {
    let (page, next_token) = request.page(context, "ListTables", ObjectKind::Table)?;
    let summary = |table: SchemaObject| TableSummary {
        resource_arn: context.arn(&table),
        keyspace_name: table.keyspace,
        table_name: table.name,
    };
    Ok(TableList { next_token, tables: page.into_iter().map(summary).collect() })
}

impl TableRequest {
    /// The constraints that both operations have.
    fn constraints(&self) -> Constraints {
        let mut constraints = Constraints::default();
        constraints::name(&mut constraints, "keyspaceName", self.keyspace_name.as_ref());
        constraints::name(&mut constraints, "tableName", self.table_name.as_ref());
        self.settings().constrain(&mut constraints, "");
        constraints
    }

    fn settings(&self) -> TableSettings<'_> {
        TableSettings {
            capacity: self.capacity_specification.as_ref(),
            encryption: self.encryption_specification.as_ref(),
            recovery: self.point_in_time_recovery.as_ref(),
            ttl: self.ttl.as_ref(),
            default_ttl: self.default_time_to_live.as_ref(),
            timestamps: self.client_side_timestamps.as_ref(),
            auto_scaling: self.auto_scaling_specification.as_ref(),
            replicas: self.replica_specifications.as_deref(),
            cdc: self.cdc_specification.as_ref(),
            warm_throughput: self.warm_throughput_specification.as_ref(),
        }
    }
}

impl TableNameRequest {
    pub(super) fn named(self) -> Result<SchemaObject, ApiError> {
        let mut constraints = Constraints::default();
        constraints::name(&mut constraints, "keyspaceName", self.keyspace_name.as_ref());
        constraints::name(&mut constraints, "tableName", self.table_name.as_ref());
        constraints.check()?;
        Ok(SchemaObject::table(self.keyspace_name.unwrap_or_default(), self.table_name.unwrap_or_default()))
    }
}

impl NamedType {
    pub(super) fn new(name: String, column_type: String) -> Self {
        Self { name: Some(name), column_type: Some(column_type) }
    }
}

impl SchemaDefinition {
    fn constrain(&self, constraints: &mut Constraints) {
        let path = |name: &str| format!("schemaDefinition.{name}");
        let columns = self.all_columns.as_deref();
        constraints.member(&path("allColumns"), columns).required().count(1..=usize::MAX);
        constrain_columns(constraints, &path("allColumns"), columns);
        let key = self.partition_keys.as_deref();
        constraints.member(&path("partitionKeys"), key).required().count(1..=usize::MAX);
        for (list, names) in [("partitionKeys", key), ("staticColumns", self.static_columns.as_deref())] {
            for (index, column) in names.unwrap_or_default().iter().enumerate() {
                let path = path(&format!("{list}.{}.member.name", index + 1));
                constraints.member(&path, column.name.as_ref()).required();
            }
        }
        for (index, column) in self.clustering_keys.iter().flatten().enumerate() {
            let member = |name: &str| path(&format!("clusteringKeys.{}.member.{name}", index + 1));
            constraints.member(&member("name"), column.name.as_ref()).required();
            constraints::one_of(constraints, &member("orderBy"), column.order_by.as_ref(), &["ASC", "DESC"]);
        }
    }

    /// The table definition of the model. The rules check it as they check a CREATE TABLE.
    fn definition(self, table: QualifiedName, options: TableOptions) -> Result<TableDefinition, ApiError> {
        let name = |name: Option<String>| Name::new(name.unwrap_or_default());
        let statics: Vec<Name> = self.static_columns.into_iter().flatten().map(|column| name(column.name)).collect();
        let mut columns = Vec::new();
        for column in self.all_columns.into_iter().flatten() {
            let column_type = cql_type(&column)?;
            let name = name(column.name);
            // The key itself names its columns.
            let kind = if statics.contains(&name) { ColumnKind::Static } else { ColumnKind::Regular };
            columns.push(Column { name, column_type, kind });
        }
        if let Some(missing) = statics.iter().find(|name| columns.iter().all(|column| column.name != **name)) {
            let text = format!("keyspaces-local: staticColumns names {missing}, which is not a column of the table");
            return Err(ApiError::validation(text));
        }
        let clustering = self.clustering_keys.into_iter().flatten().map(|key| ClusteringOrder {
            column: name(key.name),
            order: if key.order_by.as_deref() == Some("DESC") { SortOrder::Descending } else { SortOrder::Ascending },
            span: Span::default(),
        });
        Ok(TableDefinition {
            table,
            columns,
            partition_key: self.partition_keys.into_iter().flatten().map(|column| name(column.name)).collect(),
            clustering_columns: clustering.collect(),
            options,
        })
    }

    /// A table's columns as the service shows them, in its own order, without the columns in `hidden`.
    pub(super) fn from_definition(table: &TableDefinition, hidden: &[String]) -> Self {
        let columns = || table.columns.iter().filter(|column| !hidden.contains(&column.name.text));
        let named = |name: &Name| ColumnName { name: Some(name.text.clone()) };
        let statics = columns().filter(|column| column.kind == ColumnKind::Static);
        let clustering = table.clustering_columns.iter().map(|by| ClusteringKey {
            name: Some(by.column.text.clone()),
            order_by: Some(if by.order == SortOrder::Descending { "DESC" } else { "ASC" }.to_owned()),
        });
        let column = |column: &Column| NamedType::new(column.name.text.clone(), column.column_type.to_string());
        Self {
            all_columns: Some(columns().map(column).collect()),
            partition_keys: Some(table.partition_key.iter().map(named).collect()),
            clustering_keys: Some(clustering.collect()),
            static_columns: Some(statics.map(|column| named(&column.name)).collect()),
        }
    }
}

/// The type of a column or a field, as CQL writes it.
pub(super) fn cql_type(column: &NamedType) -> Result<CqlType, ApiError> {
    let text = column.column_type.as_deref().unwrap_or_default();
    text.parse().map_err(|error| {
        let name = column.name.as_deref().unwrap_or_default();
        ApiError::validation(format!("keyspaces-local: the type {text} of {name} cannot be read: {error}"))
    })
}

fn constrain_columns(constraints: &mut Constraints, path: &str, columns: Option<&[NamedType]>) {
    for (index, column) in columns.unwrap_or_default().iter().enumerate() {
        let member = |name: &str| format!("{path}.{}.member.{name}", index + 1);
        constraints.member(&member("name"), column.name.as_ref()).required();
        constraints.member(&member("type"), column.column_type.as_ref()).required();
    }
}

fn qualified(keyspace: Option<String>, table: Option<String>) -> QualifiedName {
    QualifiedName::new(keyspace.unwrap_or_default(), table.unwrap_or_default())
}
