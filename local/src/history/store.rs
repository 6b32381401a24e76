//! Stores entries in two tables of the instance's inner keyspace.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::entry::HistoryEntry;
use super::shared_connection::{InternalRequest, MAX_IN_FLIGHT, SharedConnection};
use super::table_history::{EntryBucket, ReservedNumbers, TableHistory};
use crate::names::TableId;
use crate::protocol::{Binding, Malformed, Reader};
use crate::saturated::saturated;
use crate::upstream::{InternalRequestError, Upstream};

/// The entries of all histories.
#[derive(Clone, Copy, Debug)]
pub(super) struct EntryStore<'a> {
    pub(super) connection: &'a SharedConnection,
    pub(super) inner: &'a str,
}

/// An entry with its sequence number and its time.
#[derive(Clone, Debug)]
pub(super) struct StoredEntry {
    pub(super) sequence_number: u64,
    pub(super) at: u64,
    pub(super) entry: HistoryEntry,
}

impl EntryStore<'_> {
    pub(super) async fn prepare(&self) -> Result<(), InternalRequestError> {
        let inner = self.inner;
        for text in [
            format!(
                "CREATE TABLE IF NOT EXISTS {inner}.history_entries (table_id text, bucket bigint, place bigint, at bigint, \
                 entry blob, PRIMARY KEY ((table_id, bucket), place))"
            ),
            format!(
                "CREATE TABLE IF NOT EXISTS {inner}.history_buckets (table_id text, bucket bigint, bytes bigint, \
                 complete bigint, ended bigint STATIC, PRIMARY KEY (table_id, bucket))"
            ),
        ] {
            self.run(&text, Binding::default()).await?;
        }
        Ok(())
    }

    /// Loads the histories that the last gateway of this instance left.
    pub(super) async fn load(&self) -> Result<Vec<TableHistory>, InternalRequestError> {
        let text = format!("SELECT table_id, bucket, bytes, complete, ended FROM {}.history_buckets", self.inner);
        let mut histories: BTreeMap<String, (VecDeque<EntryBucket>, Option<u64>)> = BTreeMap::new();
        let mut state = None;
        loop {
            let page = self
                .connection
                .page(&InternalRequest { text: &text, page: Some((1000, state)), ..InternalRequest::default() })
                .await?;
            for row in page.iter() {
                let read = || -> Result<_, Malformed> {
                    let mut reader = Reader::new(row);
                    let table_id = String::from_utf8_lossy(reader.bytes()?.ok_or(Malformed)?).into_owned();
                    Ok((
                        table_id,
                        read_bigint(&mut reader)?,
                        read_bigint(&mut reader)?,
                        read_bigint(&mut reader)?,
                        read_bigint(&mut reader)?,
                    ))
                };
                let (table_id, bucket, bytes, complete, ended) =
                    read().map_err(|_| InternalRequestError::MalformedAnswer(text.clone()))?;
                let (buckets, history_ended) = histories.entry(table_id).or_default();
                *history_ended = ended;
                buckets
                    .extend(bucket.map(|bucket| EntryBucket::new(bucket, bytes.unwrap_or_default(), complete, true)));
            }
            state = page.state;
            if state.is_none() {
                break;
            }
        }
        let read = |(table_id, (buckets, ended)): (String, _)| {
            let table_id = TableId::read(&table_id)
                .ok_or_else(|| InternalRequestError::MalformedAnswer(format!("{text}: {table_id}")))?;
            Ok(TableHistory::new(table_id, buckets, ended))
        };
        histories.into_iter().map(read).collect()
    }

    /// Stores entries with the sequence numbers that were reserved for them, unless the history is forgotten. Uses
    /// `upstream` and its `stream`.
    pub(super) async fn append(
        &self,
        upstream: &Upstream,
        stream: i16,
        table_history: &TableHistory,
        numbers: &ReservedNumbers,
        entries: &[HistoryEntry],
    ) -> Result<(), InternalRequestError> {
        if table_history.is_forgotten() {
            return Ok(());
        }
        let bucket = &numbers.bucket;
        let table_id = table_history.table_id.to_string();
        bucket
            .registered
            .get_or_try_init(|| self.register_bucket(upstream, stream, &table_id, table_history, bucket))
            .await?;
        let text = format!(
            "INSERT INTO {}.history_entries (table_id, bucket, place, at, entry) VALUES (?, ?, ?, ?, ?)",
            self.inner
        );
        let mut is_due = false;
        for (nth, entry) in entries.iter().enumerate() {
            let entry = entry.write();
            let values = Binding::positional([
                Some(table_id.as_bytes()),
                Some(&bigint(bucket.number)),
                Some(&bigint(numbers.nth(nth))),
                Some(&bigint(numbers.at)),
                Some(&entry),
            ]);
            self.connection
                .prepared
                .run(upstream, stream, &InternalRequest { text: &text, values, ..InternalRequest::default() })
                .await?;
            let bytes = entry.len() as u64 + ROW_BYTES;
            let before = bucket.bytes.fetch_add(bytes, Ordering::Relaxed);
            is_due |= before / COUNT_INTERVAL_BYTES != (before + bytes) / COUNT_INTERVAL_BYTES;
        }
        if is_due { self.save_size(upstream, stream, &table_id, bucket).await } else { Ok(()) }
    }

    /// Stores a bucket in Cassandra, and the bytes of the bucket before it. Uses the caller's stream, because the tasks
    /// that wait for this may hold all other streams.
    async fn register_bucket(
        &self,
        upstream: &Upstream,
        stream: i16,
        table_id: &str,
        table_history: &TableHistory,
        bucket: &EntryBucket,
    ) -> Result<(), InternalRequestError> {
        let before = table_history.buckets().into_iter().rev().find(|before| before.number < bucket.number);
        for counted in before.iter().chain([bucket]) {
            self.save_size(upstream, stream, table_id, counted).await?;
        }
        Ok(())
    }

    /// Stores how many bytes a bucket has.
    async fn save_size(
        &self,
        upstream: &Upstream,
        stream: i16,
        table_id: &str,
        bucket: &EntryBucket,
    ) -> Result<(), InternalRequestError> {
        let text = format!("INSERT INTO {}.history_buckets (table_id, bucket, bytes) VALUES (?, ?, ?)", self.inner);
        let bytes = bucket.bytes.load(Ordering::Relaxed);
        let values =
            Binding::positional([Some(table_id.as_bytes()), Some(&bigint(bucket.number)), Some(&bigint(bytes))]);
        self.connection
            .prepared
            .run(upstream, stream, &InternalRequest { text: &text, values, ..InternalRequest::default() })
            .await
            .map(drop)
    }

    /// Stores when a bucket's baseline was complete.
    pub(super) async fn complete(
        &self,
        table_history: &TableHistory,
        bucket: &EntryBucket,
        since: u64,
    ) -> Result<(), InternalRequestError> {
        if table_history.is_forgotten() {
            return Ok(());
        }
        let (upstream, stream) = self.connection.acquire().await?;
        let table_id = table_history.table_id.to_string();
        bucket
            .registered
            .get_or_try_init(|| self.register_bucket(&upstream, stream.number, &table_id, table_history, bucket))
            .await?;
        self.save_size(&upstream, stream.number, &table_id, bucket).await?;
        drop(stream);
        let text = format!("INSERT INTO {}.history_buckets (table_id, bucket, complete) VALUES (?, ?, ?)", self.inner);
        let values =
            Binding::positional([Some(table_id.as_bytes()), Some(&bigint(bucket.number)), Some(&bigint(since))]);
        self.run(&text, values).await
    }

    /// Stores that a table was dropped.
    pub(super) async fn end(&self, table_history: &TableHistory, now: u64) -> Result<(), InternalRequestError> {
        let table_id = table_history.table_id.to_string();
        let text = format!("INSERT INTO {}.history_buckets (table_id, ended) VALUES (?, ?)", self.inner);
        self.run(&text, Binding::positional([Some(table_id.as_bytes()), Some(&bigint(now))])).await
    }

    /// A page of the entries of a bucket, in their order; `state` is the paging state.
    pub(super) async fn entries(
        &self,
        table_id: &TableId,
        bucket: &EntryBucket,
        state: Option<Bytes>,
    ) -> Result<(Vec<StoredEntry>, Option<Bytes>), InternalRequestError> {
        let text =
            format!("SELECT place, at, entry FROM {}.history_entries WHERE table_id = ? AND bucket = ?", self.inner);
        let table_id = table_id.to_string();
        let values = Binding::positional([Some(table_id.as_bytes()), Some(&bigint(bucket.number))]);
        let page = InternalRequest {
            text: &text,
            values,
            page: Some((2 * MAX_IN_FLIGHT, state)),
            ..InternalRequest::default()
        };
        let page = self.connection.page(&page).await?;
        let read = |row: &[u8]| -> Result<StoredEntry, Malformed> {
            let mut reader = Reader::new(row);
            let (sequence_number, at) =
                (read_bigint(&mut reader)?.ok_or(Malformed)?, read_bigint(&mut reader)?.ok_or(Malformed)?);
            let entry = page.content.slice_ref(reader.bytes()?.ok_or(Malformed)?);
            Ok(StoredEntry { sequence_number, at, entry: HistoryEntry::read(&entry)? })
        };
        let entries = page.iter().map(read).collect::<Result<_, _>>();
        Ok((entries.map_err(|_| InternalRequestError::MalformedAnswer(text.clone()))?, page.state.clone()))
    }

    /// Forgets a whole history.
    pub(super) async fn forget(&self, table_id: &TableId) -> Result<(), InternalRequestError> {
        let id = table_id.to_string();
        let text = format!("SELECT bucket FROM {}.history_buckets WHERE table_id = ?", self.inner);
        let values = Binding::positional([Some(id.as_bytes())]);
        let buckets = self
            .connection
            .page(&InternalRequest { text: &text, values: values.clone(), ..InternalRequest::default() })
            .await?;
        for row in buckets.iter() {
            if let Some(bucket) =
                read_bigint(&mut Reader::new(row)).map_err(|_| InternalRequestError::MalformedAnswer(text.clone()))?
            {
                self.forget_entries(table_id, bucket).await?;
            }
        }
        self.run(&format!("DELETE FROM {}.history_buckets WHERE table_id = ?", self.inner), values).await
    }

    /// Forgets one bucket.
    pub(super) async fn forget_bucket(
        &self,
        table_id: &TableId,
        bucket: &EntryBucket,
    ) -> Result<(), InternalRequestError> {
        self.forget_entries(table_id, bucket.number).await?;
        let text = format!("DELETE FROM {}.history_buckets WHERE table_id = ? AND bucket = ?", self.inner);
        let table_id = table_id.to_string();
        self.run(&text, Binding::positional([Some(table_id.as_bytes()), Some(&bigint(bucket.number))])).await
    }

    async fn forget_entries(&self, table_id: &TableId, bucket: u64) -> Result<(), InternalRequestError> {
        let text = format!("DELETE FROM {}.history_entries WHERE table_id = ? AND bucket = ?", self.inner);
        let table_id = table_id.to_string();
        self.run(&text, Binding::positional([Some(table_id.as_bytes()), Some(&bigint(bucket))])).await
    }

    pub(super) async fn run(&self, text: &str, values: Binding) -> Result<(), InternalRequestError> {
        self.connection.run(&InternalRequest { text, values, ..InternalRequest::default() }).await.map(drop)
    }
}

/// The size of a bucket is stored whenever it has grown by this many bytes; the next gateway may miss that many.
const COUNT_INTERVAL_BYTES: u64 = 64 << 10;

/// The approximate overhead of an entry in bytes.
const ROW_BYTES: u64 = 32;

fn bigint(number: u64) -> [u8; 8] {
    saturated::<i64>(number).to_be_bytes()
}

fn read_bigint(reader: &mut Reader<'_>) -> Result<Option<u64>, Malformed> {
    let Some(bytes) = reader.bytes()? else { return Ok(None) };
    let number = i64::from_be_bytes(bytes.try_into().map_err(|_| Malformed)?);
    u64::try_from(number).map(Some).map_err(|_| Malformed)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::shared_connection::tests::evicting_cassandra;
    use super::*;
    use crate::names::SchemaObject;

    #[tokio::test]
    async fn a_bucket_starts_on_the_stream_of_the_holder_of_the_last_one() {
        let (address, _serving) = evicting_cassandra().await;
        let connection = SharedConnection::new(address);
        let store = EntryStore { connection: &connection, inner: "inner" };
        let mut acquired = Vec::new();
        for _ in 0..MAX_IN_FLIGHT {
            acquired.push(connection.acquire().await.unwrap());
        }
        let all = async {
            for (nth, (upstream, stream)) in (0..).zip(&acquired) {
                let table_history =
                    TableHistory::new(TableId::new(SchemaObject::table("ks", "t"), nth), VecDeque::new(), None);
                let numbers = table_history.reserve(1, 0);
                let entries = [HistoryEntry::Statics { key: Vec::new(), cells: Vec::new() }];
                store.append(upstream, stream.number, &table_history, &numbers, &entries).await.unwrap();
                assert!(numbers.bucket.registered.initialized());
            }
        };
        tokio::time::timeout(Duration::from_secs(60), all).await.unwrap();
    }

    #[tokio::test]
    async fn a_removed_history_leaves_nothing_behind() {
        let (address, serving) = evicting_cassandra().await;
        let connection = SharedConnection::new(address);
        let store = EntryStore { connection: &connection, inner: "inner" };
        let table_history = TableHistory::new(TableId::new(SchemaObject::table("ks", "t"), 0), VecDeque::new(), None);
        let bucket = table_history.begin_baseline();
        let numbers = table_history.reserve(1, 0);
        table_history.forget();
        let entries = [HistoryEntry::Statics { key: Vec::new(), cells: Vec::new() }];
        let (upstream, stream) = connection.acquire().await.unwrap();
        store.append(&upstream, stream.number, &table_history, &numbers, &entries).await.unwrap();
        store.complete(&table_history, &bucket, 1).await.unwrap();
        drop((upstream, stream));
        drop(connection);
        // STARTUP, and nothing else.
        assert_eq!(serving.await.unwrap(), [0x01]);
    }
}
