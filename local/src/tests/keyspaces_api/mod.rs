//! The operations, called as the server calls them, over a real Cassandra. Their effects are checked with CQL.

mod api_and_cql;
mod cbor;
mod lists;
mod malformed_input;
mod operations;
mod property;
mod refusals;
mod restores;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::control_plane::ControlPlaneState;
use crate::control_plane::error::ApiError;
use crate::control_plane::keyspaces::answer;
use crate::control_plane::protocol::{Input, JsonVersion, Protocol};
use crate::local::Local;

/// Calls operations in one protocol.
struct Api {
    plane: ControlPlaneState,
    protocol: Protocol,
}

const JSON: Protocol = Protocol::Json(JsonVersion::V1_0);

impl Api {
    fn new(local: &Local) -> Self {
        Self::with_protocol(JSON, local)
    }

    fn with_protocol(protocol: Protocol, local: &Local) -> Self {
        let controls = local.controls();
        let region = local.region().to_owned();
        let plane = ControlPlaneState::new(Arc::clone(&controls.listeners), Arc::clone(&controls.authority), region);
        Self { plane, protocol }
    }

    async fn try_call(&self, operation: &str, input: Value) -> Result<Value, ApiError> {
        let is_cbor = self.protocol == Protocol::Cbor;
        let body = if is_cbor { cbor::written(&input) } else { input.to_string().into_bytes() };
        let output = answer(&self.plane, operation, Input::new(self.protocol, &body)).await?;
        Ok(if is_cbor { cbor::read(&output.cbor()?) } else { serde_json::from_slice(&output.json()?).unwrap() })
    }

    async fn call(&self, operation: &str, input: Value) -> Value {
        let answered = self.try_call(operation, input.clone()).await;
        answered.unwrap_or_else(|error| panic!("{operation} {input}: {error}"))
    }

    /// Waits until a table is ACTIVE, and returns its description.
    async fn active(&self, keyspace: &str, name: &str) -> Value {
        loop {
            let description = self.call("GetTable", table(keyspace, name)).await;
            match description["status"].as_str() {
                Some("ACTIVE") => return description,
                Some("CREATING" | "RESTORING" | "UPDATING") => tokio::task::yield_now().await,
                other => panic!("{name} is {other:?}"),
            }
        }
    }

    /// Calls an operation that must fail, and returns the name and the message of the error.
    async fn refused(&self, operation: &str, input: Value) -> String {
        match self.try_call(operation, input.clone()).await {
            Ok(answer) => panic!("{operation} {input}: {answer}"),
            Err(error) => error.to_string(),
        }
    }

    async fn keyspace(&self, name: &str) {
        self.call("CreateKeyspace", json!({"keyspaceName": name})).await;
    }
}

/// The smallest CreateTable.
fn create_table(keyspace: &str, table: &str) -> Value {
    json!({
        "keyspaceName": keyspace, "tableName": table,
        "schemaDefinition": {"allColumns": [{"name": "id", "type": "text"}], "partitionKeys": [{"name": "id"}]},
    })
}

/// The same with more members.
fn with(mut input: Value, more: Value) -> Value {
    let Value::Object(more) = more else { panic!("{more}") };
    input.as_object_mut().unwrap().extend(more);
    input
}

fn table(keyspace: &str, table: &str) -> Value {
    json!({"keyspaceName": keyspace, "tableName": table})
}
