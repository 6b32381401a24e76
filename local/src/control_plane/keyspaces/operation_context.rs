//! The state on which the operations work: the same schema as that of CQL.

use std::sync::Arc;

use keyspaces_cql::{Context, Judgement, Statement, Unknown, judge_in};
use serde::Serialize;

use super::super::error::ApiError;
use super::super::state::ControlPlaneState;
use crate::gateway::Shared;
use crate::names::SchemaObject;
use crate::protocol::{Refusal, error_code, error_of, not_emulated, refused_by};
use crate::schema::{
    CatalogueEntry, Definition, DefinitionRefusal, RefusalCause, Schema, arn_of, in_progress_text, unconfigured,
};
use crate::upstream::InternalRequestError;

/// The schema at the time of a request.
pub(super) struct OperationContext {
    gateway: Arc<Shared>,
    pub(super) region: String,
}

/// The output of operations that create or change a resource: its ARN.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChangedResource {
    pub(super) resource_arn: String,
}

impl OperationContext {
    /// The current state, after the schema changes that are due were applied.
    pub(super) async fn new(state: &ControlPlaneState) -> Result<Self, ApiError> {
        let gateway = state.gateway();
        gateway.apply_due_changes().await.map_err(failed)?;
        Ok(Self { gateway, region: state.region().to_owned() })
    }

    pub(super) fn schema(&self) -> &Schema {
        self.gateway.schema()
    }

    pub(super) fn arn(&self, object: &SchemaObject) -> String {
        arn_of(object, &self.region)
    }

    /// The entry of an object, or ResourceNotFoundException if the object is not shown.
    pub(super) fn find_visible(&self, object: &SchemaObject) -> Result<CatalogueEntry, ApiError> {
        let keyspace = SchemaObject::keyspace(&object.keyspace);
        if self.schema().visible_entry(&keyspace).is_none() {
            return Err(self.not_found(&keyspace));
        }
        self.schema().visible_entry(object).ok_or_else(|| self.not_found(object))
    }

    pub(super) fn not_found(&self, object: &SchemaObject) -> ApiError {
        ApiError::not_found(unconfigured(object).text, self.arn(object))
    }

    /// Executes a definition as if it had come in CQL.
    pub(super) async fn define(&self, statement: &Statement) -> Result<ChangedResource, ApiError> {
        check_rules(statement).map_err(|refusal| ApiError::validation(refusal.text))?;
        let schema = self.schema();
        let definition = Definition::new(statement, None, schema.names(), schema.data_center());
        let definition = definition.map_err(|refusal| ApiError::validation(refusal.text))?;
        let object = definition.object.clone();
        let source = definition.source.clone();
        let answer = self.gateway.define(definition).await;
        let answer = answer.map_err(|refused| self.api_error(refused, &object, source.as_ref()))?;
        match error_of(&answer) {
            None => Ok(ChangedResource { resource_arn: self.arn(&object) }),
            Some((code, text)) => {
                let refused = match code {
                    error_code::INVALID | error_code::SYNTAX_ERROR | error_code::ALREADY_EXISTS => {
                        DefinitionRefusal::from(Refusal { code, text: text.to_owned() })
                    }
                    _ => DefinitionRefusal::from(Refusal { code: error_code::SERVER_ERROR, text: text.to_owned() }),
                };
                Err(self.api_error(refused, &object, source.as_ref()))
            }
        }
    }

    fn api_error(&self, refused: DefinitionRefusal, object: &SchemaObject, source: Option<&SchemaObject>) -> ApiError {
        let text = refused.refusal.text;
        match refused.cause {
            RefusalCause::NotFound => {
                let keyspace = SchemaObject::keyspace(&object.keyspace);
                let missing = match self.schema().visible_entry(&keyspace) {
                    None => &keyspace,
                    Some(_) => source.unwrap_or(object),
                };
                ApiError::not_found(text, self.arn(missing))
            }
            RefusalCause::Creating => {
                ApiError::conflict(format!("keyspaces-local: {}", in_progress_text(object, "created")))
            }
            RefusalCause::Busy | RefusalCause::Exists => ApiError::conflict(text),
            RefusalCause::Quota => ApiError::service_quota_exceeded(text),
            RefusalCause::NotAllowed => ApiError::access_denied(text),
            RefusalCause::Invalid => ApiError::validation(text),
            RefusalCause::CassandraFailed => ApiError::internal(text),
        }
    }
}

/// Whether the service's rules allow a statement that was made from an input.
fn check_rules(statement: &Statement) -> Result<(), Refusal> {
    match judge_in(statement, &Context::new()) {
        Judgement::Allowed => Ok(()),
        Judgement::Refused(refusal) => Err(refused_by(refusal.rule)),
        Judgement::Unknown(Unknown { feature, .. }) => Err(not_emulated(feature)),
    }
}

pub(super) fn failed(failed: InternalRequestError) -> ApiError {
    ApiError::internal(format!("keyspaces-local: {failed}"))
}
