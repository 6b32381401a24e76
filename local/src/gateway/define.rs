//! Definitions, whether they came in CQL or by the API.

use std::sync::Arc;

use super::Shared;
use crate::metering::Metering;
use crate::protocol::Frame;
use crate::schema::{Definition, Refused, Schema};
use crate::upstream::{Failed, lost};

impl Shared {
    /// What was counted.
    pub(crate) fn metering(&self) -> &Metering {
        &self.metering
    }

    /// The schema, which is to be [settled](Self::settle) before it is looked at.
    pub(crate) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// What was written to the tables with point-in-time recovery.
    #[cfg(test)]
    pub(crate) fn history(&self) -> &Arc<crate::history::History> {
        &self.history
    }

    /// Brings the schema up to date with the time.
    pub(crate) async fn settle(&self) -> Result<(), Failed> {
        let settled = self.schema.settle().await;
        if !matches!(settled, Ok(false)) {
            self.layouts.forget();
        }
        settled.map(drop)
    }

    /// Carries out a definition, and gives Cassandra's answer. It has a task of its own: a client that goes away must not
    /// leave half of it done.
    pub(crate) async fn define(self: &Arc<Self>, definition: Definition) -> Result<Frame, Refused> {
        self.layouts.forget();
        let shared = Arc::clone(self);
        let defining = tokio::spawn(async move {
            let answer = shared.schema.define(&definition).await;
            shared.layouts.forget();
            shared.layouts.changed(&definition.thing);
            answer
        });
        defining.await.map_err(|_| lost())?
    }
}
