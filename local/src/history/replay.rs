//! Restoring the rows that a table had at a moment into another table.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::History;
use super::read_back::values;
use super::replay_statements::{ReplayStatement, TargetTable, replay_statements};
use super::shared_connection::InternalRequest;
use super::store::StoredEntry;
use super::table_history::{EntryBucket, TableHistory};
use crate::names::{SchemaObject, TableId, quoted};
use crate::protocol::{Binding, Reader};
use crate::upstream::{Column, InternalRequestError, Layout};

/// Writes the rows that a table had at a moment to another table.
pub(super) struct Replay {
    pub(super) history: Arc<History>,
    /// In milliseconds since 1970.
    pub(super) moment: u64,
}

impl Replay {
    pub(super) async fn run(
        self: Arc<Self>,
        table_id: &TableId,
        target: &SchemaObject,
    ) -> Result<(), InternalRequestError> {
        let Self { history, moment } = &*self;
        let moment = *moment;
        let unreachable = || InternalRequestError::NoHistory { table: table_id.table.to_string(), moment };
        let table_history = history.table_history(table_id).ok_or_else(unreachable)?;
        // The baseline that a gateway takes when it starts contains the writes whose entries a killed gateway did not
        // store.
        let _ = table_history.baseline.subscribe().wait_for(|is_taken| !*is_taken).await;
        let pinned = table_history.buckets_for(moment).ok_or_else(unreachable)?;
        let layout = history.layout(target).await?;
        let fields = self.fields(target, &layout).await?;
        let name = history.names.qualified(target);
        if !layout.all().any(is_counter) {
            return self.write_buckets(&table_history, &pinned.buckets, TargetTable { name, layout, fields }).await;
        }
        // A counter cannot be set to a value. So the value is restored in a table with `bigint` columns, and then added
        // to the counter.
        let staging = format!("{}.restoring_{}", history.names.inner(), crate::random::hex_32());
        let bigint_layout = layout.with_bigint_counters();
        history
            .store()
            .run(&format!("CREATE TABLE {staging} ({})", bigint_layout.definition()), Binding::default())
            .await?;
        let staging_table = TargetTable { name: staging.clone(), layout: bigint_layout, fields };
        let written = match self.write_buckets(&table_history, &pinned.buckets, staging_table).await {
            Ok(()) => self.restore_counters(&staging, &name, &layout).await,
            failed => failed,
        };
        history.store().run(&format!("DROP TABLE {staging}"), Binding::default()).await.and(written)
    }

    /// Writes the entries of these buckets up to the moment to a table.
    async fn write_buckets(
        self: &Arc<Self>,
        table_history: &TableHistory,
        buckets: &[EntryBucket],
        table: TargetTable,
    ) -> Result<(), InternalRequestError> {
        let table = Arc::new(table);
        for bucket in buckets {
            let mut state = None;
            loop {
                let (entries, next) = self.history.store().entries(&table_history.table_id, bucket, state).await?;
                let mut writes = JoinSet::new();
                for stored in entries.into_iter().filter(|stored| stored.at <= self.moment) {
                    let (replay, table) = (Arc::clone(self), Arc::clone(&table));
                    writes.spawn(async move { replay.write_entry(&table, &stored).await });
                }
                while let Some(written) = writes.join_next().await {
                    written.unwrap_or_else(|_| Err(crate::upstream::ConnectionLost::Ended.into()))?;
                }
                state = next;
                if state.is_none() {
                    break;
                }
            }
        }
        Ok(())
    }

    async fn write_entry(&self, table: &TargetTable, stored: &StoredEntry) -> Result<(), InternalRequestError> {
        let unreadable = || InternalRequestError::MalformedAnswer(format!("the entry at {}", stored.sequence_number));
        for ReplayStatement { text, values, timestamp } in
            replay_statements(table, stored, self.moment).map_err(|_| unreadable())?
        {
            self.history
                .connection
                .run(&InternalRequest { text: &text, values, timestamp: Some(timestamp), page: None })
                .await?;
        }
        Ok(())
    }

    /// Adds the values of a table with `bigint` columns to the counters of another table.
    async fn restore_counters(&self, from: &str, to: &str, layout: &Layout) -> Result<(), InternalRequestError> {
        for (counters, keys, distinct) in [
            (&layout.statics, layout.partition_key.iter().collect::<Vec<_>>(), "DISTINCT "),
            (&layout.regular, layout.key().collect(), ""),
        ] {
            let counters: Vec<_> = counters.iter().filter(|column| is_counter(column)).collect();
            if counters.is_empty() {
                continue;
            }
            let names =
                |columns: &[&Column]| columns.iter().map(|column| quoted(&column.name)).collect::<Vec<_>>().join(", ");
            let text = format!("SELECT {distinct}{}, {} FROM {from}", names(&keys), names(&counters));
            let mut state = None;
            loop {
                let page = self
                    .history
                    .connection
                    .page(&InternalRequest { text: &text, page: Some((100, state)), ..InternalRequest::default() })
                    .await?;
                for row in page.iter() {
                    let all: Vec<_> = values(row).collect();
                    let (key, counts) = all.split_at(keys.len().min(all.len()));
                    let present: Vec<_> = counters.iter().zip(counts).filter(|(_, count)| count.is_some()).collect();
                    if present.is_empty() || key.iter().any(Option::is_none) {
                        continue;
                    }
                    let set = present.iter().map(|(counter, _)| {
                        let name = quoted(&counter.name);
                        format!("{name} = {name} + ?")
                    });
                    let conditions = keys.iter().map(|column| format!("{} = ?", quoted(&column.name)));
                    let update = format!(
                        "UPDATE {to} SET {} WHERE {}",
                        set.collect::<Vec<_>>().join(", "),
                        conditions.collect::<Vec<_>>().join(" AND ")
                    );
                    let values =
                        Binding::positional(present.iter().map(|(_, count)| **count).chain(key.iter().copied()));
                    self.history.store().run(&update, values).await?;
                }
                state = page.state.clone();
                if state.is_none() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// The fields of the user-defined types whose values are stored field by field, by the types' names.
    async fn fields(
        &self,
        target: &SchemaObject,
        layout: &Layout,
    ) -> Result<Vec<(String, Vec<String>)>, InternalRequestError> {
        let text = "SELECT field_names FROM system_schema.types WHERE keyspace_name = ? AND type_name = ?";
        let keyspace = self.history.names.keyspace(&target.keyspace);
        let mut fields = Vec::new();
        for name in layout.all().filter_map(Column::user_type) {
            let values = Binding::positional([Some(keyspace.as_bytes()), Some(name.as_bytes())]);
            let rows =
                self.history.connection.page(&InternalRequest { text, values, ..InternalRequest::default() }).await?;
            let Some(Some(list)) = rows.iter().next().and_then(|row| super::read_back::values(row).next()) else {
                continue;
            };
            let mut reader = Reader::new(list);
            let count = reader.count().unwrap_or_default();
            let names = (0..count).map_while(|_| reader.bytes().ok().flatten());
            fields.push((name.to_owned(), names.map(|name| String::from_utf8_lossy(name).into_owned()).collect()));
        }
        Ok(fields)
    }
}

fn is_counter(column: &Column) -> bool {
    column.cql_type == "counter"
}
