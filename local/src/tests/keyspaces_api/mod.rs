//! The operations, called as the server calls them, over a real Cassandra; what they do is looked at in CQL.

mod bad_input;
mod both_ways;
mod cbor;
mod lists;
mod operations;
mod property;
mod refused;
mod restores;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::control_plane::Plane;
use crate::control_plane::error::ApiError;
use crate::control_plane::keyspaces::answer;
use crate::control_plane::protocol::{Input, JsonVersion, Protocol};
use crate::local::Local;

/// Who calls operations.
struct Api {
    plane: Plane,
    protocol: Protocol,
}

const JSON: Protocol = Protocol::Json(JsonVersion::V1_0);

impl Api {
    fn of(local: &Local) -> Self {
        Self::speaking(JSON, local)
    }

    fn speaking(protocol: Protocol, local: &Local) -> Self {
        let controls = local.controls();
        let region = local.region().to_owned();
        let plane = Plane::new(Arc::clone(&controls.listeners), Arc::clone(&controls.authority), region);
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

    /// Waits until a table is ACTIVE, and gives what is shown of it.
    async fn active(&self, keyspace: &str, name: &str) -> Value {
        loop {
            let shown = self.call("GetTable", table(keyspace, name)).await;
            match shown["status"].as_str() {
                Some("ACTIVE") => return shown,
                Some("CREATING" | "RESTORING" | "UPDATING") => tokio::task::yield_now().await,
                other => panic!("{name} is {other:?}"),
            }
        }
    }

    /// The name and the message of the error.
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
