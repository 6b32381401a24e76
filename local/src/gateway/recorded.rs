//! Writes to tables with point-in-time recovery.

use super::bound::Bound;
use super::limits::Piece;
use super::statement::{Answer, Statement, came_of};
use super::written::{RecordedTable, written};
use crate::history::Written;
use crate::protocol::{Frame, Refusal};
use crate::upstream::lost;

impl Statement<'_> {
    /// Sends a write to Cassandra. If one of its tables has recovery, its rows are in the history before the answer is
    /// returned.
    pub(super) async fn write(&self, request: Frame, pieces: &[Piece<'_>]) -> Result<Answer, Refusal> {
        if !pieces.iter().any(|piece| piece.facts.conditional) {
            return self.write_and_record(request, pieces).await;
        }
        // The answer may have the row for which the condition does not hold.
        let share = self.answers.take(1).await;
        let (answer, outcome) = self.write_and_record(request, pieces).await?;
        Ok((answer.holding(share), outcome))
    }

    async fn write_and_record(&self, request: Frame, pieces: &[Piece<'_>]) -> Result<Answer, Refusal> {
        let history = &self.shared.history;
        let is_recorded = |piece: &Piece<'_>| piece.facts.tables.iter().any(|table| history.is_recorded(table));
        if !pieces.iter().any(is_recorded) {
            return self.forward(request).await;
        }
        let written = self.written(request.stream, pieces).await?;
        let answer = history.write(self.upstream, request, written).await.map_err(|_| lost())?;
        Ok(came_of(self.restored(answer)?))
    }

    async fn written(&self, stream: i16, pieces: &[Piece<'_>]) -> Result<Vec<Written>, Refusal> {
        let schema = &self.shared.schema;
        let mut all = Vec::new();
        for Piece { facts, values, .. } in pieces {
            let mut places = Vec::with_capacity(facts.tables.len());
            for table in &facts.tables {
                places.push(if self.shared.history.is_recorded(table) {
                    Some(RecordedTable {
                        table: table.clone(),
                        layout: self.layout(stream, table).await?,
                        features: schema.features(table),
                        default_ttl: schema.options(table).and_then(|options| options.default_time_to_live),
                    })
                } else {
                    None
                });
            }
            all.extend(written(&facts.tree, &facts.text, &Bound::new(&facts.tree, values), &places));
        }
        Ok(all)
    }
}
