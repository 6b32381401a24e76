//! Progress, on a terminal only.

use std::fmt::Display;
use std::time::Duration;

use futures::{Stream, StreamExt, TryStreamExt};
use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

use crate::failure::Failure;

/// Awaits changes and shows their progress.
pub(crate) async fn show<P: Display, E: Into<Failure>>(
    changes: impl Stream<Item = Result<P, E>> + Unpin,
) -> Result<(), Failure> {
    let line = spinner();
    let mut changes = changes.map(|progress| progress.map_err(Into::into));
    while let Some(progress) = changes.try_next().await? {
        line.set_message(progress.to_string());
    }
    Ok(())
}

/// A line of progress. It is cleared when its last clone is dropped, and not drawn unless standard error is a terminal.
pub(crate) fn spinner() -> ProgressBar {
    let style =
        ProgressStyle::with_template("{spinner} {wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
    let line = ProgressBar::new_spinner().with_style(style).with_finish(ProgressFinish::AndClear);
    line.enable_steady_tick(Duration::from_millis(100));
    line
}
