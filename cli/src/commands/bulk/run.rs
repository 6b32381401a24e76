//! Runs an operation on a whole table: its progress, Ctrl-C, and its summary.

use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use futures::future::BoxFuture;
use indicatif::{DecimalBytes, HumanDuration};
use keyspaces::Error;
use keyspaces::bulk::{Progress, Summary};
use keyspaces_local::program::shutdown_signal;
use serde_json::json;
use tokio::sync::watch;

use crate::failure::{Failure, Status};
use crate::output::{self, SummaryFormat};
use crate::progress;

/// Runs an operation and shows its progress. The first Ctrl-C or SIGTERM completes the future that is passed to `operation`,
/// which then stops in a state that it can be resumed from. The second stops it at once, as a kill would.
pub(super) async fn run<F: Future<Output = Result<Summary, Error>>>(
    mut changes: watch::Receiver<Progress>,
    operation: impl FnOnce(BoxFuture<'static, ()>) -> F,
) -> Result<Summary, Failure> {
    let line = progress::spinner();
    let spinner = line.clone();
    let signal = async move {
        shutdown_signal().await;
        let stopping = "stopping: waiting for the rows that were sent. Press Ctrl-C again to stop at once";
        spinner.suspend(|| output::note(stopping));
    };
    let mut operation = pin!(operation(Box::pin(signal)));
    let mut killed = pin!(async {
        shutdown_signal().await;
        shutdown_signal().await;
    });
    let result = loop {
        tokio::select! {
            result = &mut operation => break result,
            () = &mut killed => {
                return Err(Failure::new(Status::Interrupted, "stopped at once: the outcome of the last rows is unknown"));
            }
            Ok(()) = changes.changed() => line.set_message(text(&changes.borrow_and_update())),
        }
    };
    Ok(result?)
}

/// Prints the summary, to standard output if `is_result`, and returns the exit status.
pub(super) fn finish(summary: &Summary, format: SummaryFormat, is_result: bool) -> Result<Status, Failure> {
    match (format, is_result) {
        (SummaryFormat::Json, true) => output::print(format_args!("{}\n", as_json(summary)))?,
        (SummaryFormat::Json, false) => output::note(as_json(summary)),
        (SummaryFormat::Human, true) => output::print(format_args!("{summary}\n"))?,
        (SummaryFormat::Human, false) => output::note(summary),
    }
    if !summary.is_complete && summary.checkpoint.is_none() {
        output::note("cannot be resumed: that needs --checkpoint FILE");
    }
    Ok(match summary {
        Summary { is_complete: false, .. } => Status::Interrupted,
        Summary { rejected: 1.., .. } => Status::Negative,
        _ => Status::Success,
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
