//! Tests outages of hours, in virtual time.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::*;
use crate::ErrorKind;
use crate::bulk::checkpoint::Operation;
use crate::bulk::chunk::RowPosition;
use crate::bulk::format::Position;
use crate::bulk::row::RowValues;
use crate::bulk::row_files::RowUnit;

const MINUTE: Duration = Duration::from_secs(60);

/// A service that accepts a number of rows, then none for ten minutes, and then the others.
#[derive(Clone)]
struct Service(Arc<Mutex<State>>);

struct State {
    takes_before: usize,
    outage: ErrorKind,
    outage_until: Option<Instant>,
    refused: u64,
    taken: Vec<RowValues>,
    /// A row that the service refuses.
    poison: Option<RowValues>,
    batches: u64,
}

impl Service {
    fn new(takes_before: usize, outage: ErrorKind) -> Self {
        let state =
            State { takes_before, outage, outage_until: None, refused: 0, taken: Vec::new(), poison: None, batches: 0 };
        Self(Arc::new(Mutex::new(state)))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The accepted rows, in order.
    fn taken(&self) -> Vec<RowValues> {
        let mut taken = self.state().taken.clone();
        taken.sort_by(|RowValues(one), RowValues(other)| one.cmp(other));
        taken
    }
}

impl SendRow for Service {
    async fn execute(&self, values: &RowValues) -> Result<(), Error> {
        sleep(Duration::from_millis(5)).await;
        let (now, mut state) = (Instant::now(), self.state());
        if state.outage_until.is_none() && state.taken.len() == state.takes_before {
            state.outage_until = Some(now + 10 * MINUTE);
        }
        if state.outage_until.is_some_and(|until| now < until) {
            state.refused += 1;
            return Err(Error::new(state.outage, "writing a row", "not now"));
        }
        if state.poison.as_ref() == Some(values) {
            return Err(Error::new(ErrorKind::Refused, "writing a row", "poison"));
        }
        state.taken.push(values.clone());
        Ok(())
    }

    async fn execute_batch(&self, rows: &RowGroup) -> Result<(), Error> {
        let is_poisoned = rows.rows().any(|row| self.state().poison.as_ref() == Some(&row.values));
        if is_poisoned {
            return Err(Error::new(ErrorKind::Refused, "writing a batch", "poison"));
        }
        self.execute(&rows.first.values).await?;
        let mut state = self.state();
        state.taken.extend(rows.others.iter().map(|row| row.values.clone()));
        state.batches += 1;
        Ok(())
    }
}

fn row(id: u64) -> RowValues {
    RowValues([&8_i32.to_be_bytes()[..], &id.to_be_bytes()].concat())
}

/// Sends rows from the position of the checkpoint.
async fn send(
    service: &Service,
    rows: u64,
    checkpoint: Option<&Path>,
    limit: Option<NonZeroU32>,
    stall_timeout: Duration,
    batches: Option<Batches>,
) -> Result<Summary, Error> {
    let operation = Operation { attempted: "loading".to_owned(), options: BTreeMap::new(), files: Vec::new() };
    let checkpoint = checkpoint.map(|path| Checkpoint::open(path, operation).unwrap());
    let resume = checkpoint.as_ref().and_then(|checkpoint| checkpoint.state().resume.clone());
    let counted = service.clone();
    let sending = Sending {
        attempted: "loading".to_owned(),
        throttles: Box::new(move || counted.state().refused),
        statement: service.clone(),
        total_bytes: None,
        bytes_read: Arc::default(),
        limit,
        in_flight: 64,
        shuffle: 1_000,
        stall_timeout,
        rejected: RejectedRows {
            attempted: "loading".to_owned(),
            file_names: vec!["rows".to_owned()],
            position_unit: RowUnit::Line,
            columns: [].into(),
            max: 0,
            file: None,
            first: None,
        },
        checkpoint,
        progress: watch::Sender::new(Progress::default()),
        stop_signal: None,
        dry_run: false,
        batches,
        is_copy: false,
    };
    let (sender, receiver) = mpsc::channel(4);
    let reading = tokio::spawn(async move {
        let first = resume.as_ref().map_or(0, |resume| resume.ordinal);
        let mut chunk = Chunk::default();
        for ordinal in first..rows {
            let is_done = resume.as_ref().is_some_and(|it| ordinal < it.read_to && !it.unsent.contains(&ordinal));
            let read =
                if is_done { ReadRow::AlreadyAcknowledged } else { ReadRow::Row { values: row(ordinal), units: 1 } };
            let at = Position { offset: ordinal, line: ordinal + 1, crc: 0 };
            let at = RowPosition { file: 0, at, bytes: 12 };
            chunk.rows.push(InputRow { ordinal, at, row: read });
            if chunk.rows.len() == 100 && sender.send(Ok(std::mem::take(&mut chunk))).await.is_err() {
                return;
            }
        }
        // A failed send means that the receiver has ended.
        let _ = sender.send(Ok(chunk)).await;
    });
    sending.run(receiver, reading).await
}

fn state_file() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("keyspaces-{}", uuid::Uuid::new_v4()));
    fs::create_dir(&folder).unwrap();
    folder.join("state")
}

#[tokio::test(start_paused = true)]
async fn load_throttled_for_ten_minutes_writes_each_row_once() {
    let path = state_file();
    let service = Service::new(500, ErrorKind::Throttled);
    let summary = send(&service, 3_000, Some(&path), None, 15 * MINUTE, None).await.unwrap();
    assert_eq!((summary.rows, summary.is_complete, summary.units), (3_000, true, 3_000.0));
    assert!(summary.throttles > 64 && summary.elapsed >= 10 * MINUTE, "{summary:?}");
    assert_eq!(service.taken(), (0..3_000).map(row).collect::<Vec<_>>());
    // A second run of a complete operation has nothing to do.
    let operation = Operation { attempted: "loading".to_owned(), options: BTreeMap::new(), files: Vec::new() };
    let checkpoint = Checkpoint::open(&path, operation).unwrap();
    assert_eq!((checkpoint.state().is_complete, checkpoint.state().counts.rows), (true, 3_000));
    drop(checkpoint);
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
}

#[tokio::test(start_paused = true)]
async fn load_stopped_by_its_stall_timeout_resumes_after_the_outage() {
    let path = state_file();
    let service = Service::new(500, ErrorKind::Throttled);
    let error = send(&service, 3_000, Some(&path), None, 5 * MINUTE, None).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "writing a row failed: not now. 500 rows are done. Run the same operation again to resume from the checkpoint {}",
            path.display()
        )
    );
    assert!(error.is_throttled());
    let summary = send(&service, 3_000, Some(&path), None, 15 * MINUTE, None).await.unwrap();
    assert_eq!((summary.rows, summary.is_complete), (3_000, true));
    assert_eq!(service.taken(), (0..3_000).map(row).collect::<Vec<_>>());
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
}

#[tokio::test(start_paused = true)]
async fn load_loses_no_row_when_credentials_expire_and_are_renewed_later() {
    // The limit of one unit a second sends one row a second.
    let service = Service::new(3 * 3_600, ErrorKind::Credentials);
    let summary = send(&service, 11_000, None, NonZeroU32::new(1), 15 * MINUTE, None).await.unwrap();
    assert_eq!((summary.rows, summary.is_complete), (11_000, true));
    assert!(service.state().refused > 0);
    assert_eq!(service.taken(), (0..11_000).map(row).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn rows_of_a_refused_batch_are_sent_individually() {
    let path = state_file();
    // There is no outage, because there are fewer rows than this number.
    let service = Service::new(usize::MAX, ErrorKind::Throttled);
    service.state().poison = Some(row(7));
    let batches = || Some(Batches::new([].into()));
    // The first rejected row ends the load.
    let error = send(&service, 3_000, Some(&path), None, 15 * MINUTE, batches()).await.unwrap_err();
    let expected = "loading failed: a row was rejected: rows, line 8: the row was refused: poison. ";
    assert!(error.to_string().starts_with(expected), "{error}");
    service.state().poison = None;
    let summary = send(&service, 3_000, Some(&path), None, 15 * MINUTE, batches()).await.unwrap();
    assert_eq!((summary.rows, summary.is_complete), (3_000, true));
    assert_eq!(service.taken(), (0..3_000).map(row).collect::<Vec<_>>());
    assert!(service.state().batches > 0);
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
}
