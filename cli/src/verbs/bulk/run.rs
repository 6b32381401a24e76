//! An operation on a whole table: its progress, its end by Ctrl-C, and its summary.

use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use clap::ValueEnum;
use futures::future::BoxFuture;
use indicatif::{DecimalBytes, HumanDuration};
use keyspaces::Error;
use keyspaces::bulk::{Progress, Summary};
use keyspaces_local::program::asked_to_end;
use serde_json::json;
use tokio::sync::watch;

use crate::failure::{Failure, Status};
use crate::{output, progress};

/// How the summary is written.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum SummaryFormat {
    /// For people
    Human,
    /// One JSON object in a line
    Json,
}

/// Runs an operation beside a line of its progress. `operation` gets the signal to stop so that it can go on later: the first
/// Ctrl-C, or SIGTERM. The second ends it as a kill would.
pub(super) async fn run<F: Future<Output = Result<Summary, Error>>>(
    mut changes: watch::Receiver<Progress>,
    operation: impl FnOnce(BoxFuture<'static, ()>) -> F,
) -> Result<Summary, Failure> {
    let line = progress::line();
    let beside = line.clone();
    let signal = async move {
        asked_to_end().await;
        let stopping = "stopping: waiting for the rows that were sent. Ctrl-C again ends it at once";
        beside.suspend(|| output::note(stopping));
    };
    let mut operation = pin!(operation(Box::pin(signal)));
    let mut killed = pin!(async {
        asked_to_end().await;
        asked_to_end().await;
    });
    let ended = loop {
        tokio::select! {
            ended = &mut operation => break ended,
            () = &mut killed => {
                return Err(Failure::new(Status::Interrupted, "ended before it was known what became of the last rows"));
            }
            Ok(()) = changes.changed() => line.set_message(text(&changes.borrow_and_update())),
        }
    };
    Ok(ended?)
}

/// Writes the summary, and gives the status of the operation.
pub(super) fn end(summary: &Summary, format: SummaryFormat, is_answer: bool) -> Result<Status, Failure> {
    match (format, is_answer) {
        (SummaryFormat::Json, true) => output::answer(format_args!("{}\n", as_json(summary)))?,
        (SummaryFormat::Json, false) => output::note(as_json(summary)),
        (SummaryFormat::Human, true) => output::answer(format_args!("{summary}\n"))?,
        (SummaryFormat::Human, false) => output::note(summary),
    }
    if !summary.is_complete && summary.checkpoint.is_none() {
        output::note("it cannot go on later: that takes --checkpoint FILE");
    }
    Ok(match summary {
        Summary { is_complete: false, .. } => Status::Interrupted,
        Summary { rejected: 1.., .. } => Status::No,
        _ => Status::Done,
    })
}

fn text(progress: &Progress) -> String {
    let mut text = String::new();
    if let Some(fraction) = progress.fraction {
        text += &format!("{:.0} %, ", fraction * 100.0);
    }
    match (progress.bytes, progress.total_bytes) {
        (bytes, Some(total)) => text += &format!("{} of {}, ", DecimalBytes(bytes), DecimalBytes(total)),
        (0, None) => {}
        (bytes, None) => text += &format!("{}, ", DecimalBytes(bytes)),
    }
    text += &format!(
        "{}, {:.0} rows/s, {:.0} units/s",
        output::counted(progress.rows, "row"),
        progress.rows_per_second,
        progress.units_per_second
    );
    if let Some(limit) = progress.limit {
        text += &format!(" of {limit}");
    }
    if progress.throttles > 0 {
        text += &format!(", {} throttled", progress.throttles);
    }
    if progress.rejected > 0 {
        text += &format!(", {} rejected", progress.rejected);
    }
    if let Some(left) = progress.time_left {
        text += &format!(", {} left", HumanDuration(Duration::from_secs(left.as_secs())));
    }
    text
}

fn as_json(summary: &Summary) -> serde_json::Value {
    let path = |path: &Option<std::path::PathBuf>| path.as_deref().map(Path::display).map(|path| path.to_string());
    json!({
        "complete": summary.is_complete,
        "rows": summary.rows,
        "rejected": summary.rejected,
        "bytes": summary.bytes,
        "units": summary.units,
        "throttles": summary.throttles,
        "seconds": summary.elapsed.as_secs_f64(),
        "first_rejection": summary.first_rejection,
        "rejected_file": path(&summary.rejected_file),
        "checkpoint": path(&summary.checkpoint),
    })
}
