//! Progress, on a terminal only.

use std::fmt::Display;
use std::time::Duration;

use futures::{Stream, StreamExt, TryStreamExt};
use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

use crate::failure::Failure;

/// Awaits a change and shows how far it is.
pub(crate) async fn follow<P: Display, E: Into<Failure>>(
    changes: impl Stream<Item = Result<P, E>> + Unpin,
) -> Result<(), Failure> {
    let line = line();
    let mut changes = changes.map(|progress| progress.map_err(Into::into));
    while let Some(progress) = changes.try_next().await? {
        line.set_message(progress.to_string());
    }
    Ok(())
}

/// One line that changes, and is cleared when the last clone of it is dropped. indicatif draws nothing where standard error is no terminal.
pub(crate) fn line() -> ProgressBar {
    let style =
        ProgressStyle::with_template("{spinner} {wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
    let line = ProgressBar::new_spinner().with_style(style).with_finish(ProgressFinish::AndClear);
    line.enable_steady_tick(Duration::from_millis(100));
    line
}
