//! User-defined types.

use keyspaces_cql::statement::{CqlType, DropType};
use keyspaces_cql::{QualifiedName, Span, Statement, TypeDefinition};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::constraint::Constraints;
use super::super::error::ApiError;
use super::super::protocol::Timestamp;
use super::constraints;
use super::operation_context::{OperationContext, failed};
use super::page::ListInKeyspace;
use super::table::{NamedType, cql_type};
use crate::names::{ObjectKind, SchemaObject};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TypeRequest {
    keyspace_name: Option<String>,
    type_name: Option<String>,
    field_definitions: Option<Vec<NamedType>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TypeList {
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
    types: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChangedType {
    keyspace_arn: String,
    type_name: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserType {
    keyspace_name: String,
    type_name: String,
    field_definitions: Vec<NamedType>,
    last_modified_timestamp: Timestamp,
    status: &'static str,
    direct_referring_tables: Vec<String>,
    direct_parent_types: Vec<String>,
    max_nesting_depth: i64,
    keyspace_arn: String,
}

impl TypeRequest {
    fn check(&self, is_created: bool) -> Result<SchemaObject, ApiError> {
        let mut constraints = Constraints::default();
        constraints::name(&mut constraints, "keyspaceName", self.keyspace_name.as_ref());
        constraints::type_name(&mut constraints, self.type_name.as_ref());
        if is_created {
            let path = "fieldDefinitions";
            constraints.member(path, self.field_definitions.as_deref()).required().count(1..=usize::MAX);
            for (index, field) in self.field_definitions.iter().flatten().enumerate() {
                let member = |name: &str| format!("{path}.{}.member.{name}", index + 1);
                constraints.member(&member("name"), field.name.as_deref()).required().length(1..=128);
                constraints.member(&member("type"), field.column_type.as_deref()).required();
            }
        }
        constraints.check()?;
        let text = |member: &Option<String>| member.clone().unwrap_or_default();
        Ok(SchemaObject::user_type(text(&self.keyspace_name), text(&self.type_name)))
    }
}

pub(super) async fn create_type(context: &OperationContext, request: TypeRequest) -> Result<ChangedType, ApiError> {
    let object = request.check(true)?;
    let mut definition = TypeDefinition::new(&object.keyspace, &object.name);
    for field in request.field_definitions.into_iter().flatten() {
        let field_type: CqlType = cql_type(&field)?;
        definition = definition.field(field.name.unwrap_or_default(), field_type);
    }
    context.define(&Statement::CreateType(definition.create())).await?;
    Ok(changed_type(context, object))
}

pub(super) async fn delete_type(context: &OperationContext, request: TypeRequest) -> Result<ChangedType, ApiError> {
    let object = request.check(false)?;
    let name = QualifiedName::new(&object.keyspace, &object.name);
    let drop = DropType { span: Span::default(), if_exists: None, name };
    context.define(&Statement::DropType(drop)).await?;
    Ok(changed_type(context, object))
}

pub(super) async fn get_type(context: &OperationContext, request: TypeRequest) -> Result<UserType, ApiError> {
    let object = request.check(false)?;
    let entry = context.find_visible(&object)?;
    let row = context.schema().describe_type(&object).await.map_err(failed)?;
    let row = row.ok_or_else(|| context.not_found(&object))?;
    let texts = |column: &str| -> Vec<String> {
        let texts = row[column].as_array().into_iter().flatten();
        texts.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let fields = texts("field_names").into_iter().zip(texts("field_types"));
    Ok(UserType {
        field_definitions: fields.map(|(name, field_type)| NamedType::new(name, field_type)).collect(),
        last_modified_timestamp: Timestamp::from_millis(entry.created),
        status: entry.status.as_str(),
        direct_referring_tables: texts("direct_referring_tables"),
        direct_parent_types: texts("direct_parent_types"),
        max_nesting_depth: row["max_nesting_depth"].as_i64().unwrap_or(1),
        keyspace_arn: context.arn(&object),
        keyspace_name: object.keyspace,
        type_name: object.name,
    })
}

pub(super) fn list_types(context: &OperationContext, request: ListInKeyspace) -> Result<TypeList, ApiError> {
    let (page, next_token) = request.page(context, "ListTypes", ObjectKind::Type)?;
    Ok(TypeList { next_token, types: page.into_iter().map(|user_type| user_type.name).collect() })
}

fn changed_type(context: &OperationContext, object: SchemaObject) -> ChangedType {
    ChangedType { keyspace_arn: context.arn(&object), type_name: object.name }
}
