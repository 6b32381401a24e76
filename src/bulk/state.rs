//! The files of an operation that writes: a checkpoint, and rejected rows.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::checkpoint::{Checkpoint, CheckpointState, Operation};
use super::format::TextFormat;
use super::rejected::RejectedFile;
use super::table::Column;
use super::task_failed;
use crate::Error;

/// Opens the checkpoint and the file of rejected rows, if the caller named them.
pub(super) async fn open_state(
    attempted: &str,
    checkpoint: Option<PathBuf>,
    operation: Operation,
    rejected_file: Option<PathBuf>,
    format: TextFormat,
    columns: Arc<[Column]>,
) -> Result<(Option<Checkpoint>, Option<RejectedFile>), Error> {
    let opened = spawn_blocking(move || {
        let mut checkpoint = checkpoint.map(|path| Checkpoint::open(&path, operation)).transpose()?;
        let state = checkpoint.as_ref().map(|checkpoint| checkpoint.state().clone()).unwrap_or_default();
        let Some(path) = rejected_file.filter(|_| !state.is_complete) else { return Ok((checkpoint, None)) };
        if state.rejected_bytes.is_none() {
            RejectedFile::check_unused(&path, &format, &columns)?;
            // The checkpoint is saved before the file is created: a file that the checkpoint does not know counts as
            // another operation's.
            if let Some(checkpoint) = &mut checkpoint {
                checkpoint.save(CheckpointState { rejected_bytes: Some(0), ..state.clone() })?;
            }
        }
        let known = state.rejected_bytes.unwrap_or_default();
        let lock = checkpoint.as_ref().map(Checkpoint::lock);
        let file = RejectedFile::open(&path, &format, &columns, known, lock)?;
        Ok::<_, Error>((checkpoint, Some(file)))
    });
    opened.await.map_err(|error| task_failed(attempted, error))?
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use keyspaces_cql::statement::NativeType;

    use super::super::table::tests::column;
    use super::super::value::ValueType;
    use super::super::{Csv, JsonLines};
    use super::*;

    #[tokio::test]
    async fn rejected_rows_file_of_a_killed_run_is_reused() {
        let columns: Arc<[Column]> = [column("id", ValueType::Native(NativeType::Text))].into();
        for format in [TextFormat::from(Csv::new()), JsonLines::new().into()] {
            let header = if format.has_header() { "id\n" } else { "" };
            let folder = std::env::temp_dir().join(format!("keyspaces-{}", uuid::Uuid::new_v4()));
            fs::create_dir(&folder).unwrap();
            let (path, checkpoint) = (folder.join("rejected"), folder.join("checkpoint"));
            let open = async |checkpoint: Option<PathBuf>| {
                let operation =
                    Operation { attempted: "loading".to_owned(), options: BTreeMap::new(), files: Vec::new() };
                open_state("loading", checkpoint, operation, Some(path.clone()), format.clone(), Arc::clone(&columns))
                    .await
            };
            open(Some(checkpoint.clone())).await.unwrap();
            // The earlier run was killed before it created the file, in the middle of the first line, or after some rows.
            for left in [None, Some(""), Some("i"), Some("id\n#!keyspaces {}\nrow\n")] {
                drop(fs::remove_file(&path));
                if let Some(left) = left {
                    fs::write(&path, left).unwrap();
                }
                open(Some(checkpoint.clone())).await.unwrap();
                assert_eq!(fs::read_to_string(&path).unwrap(), header, "{left:?}");
            }
            // Without a checkpoint, a file without rows may be reused.
            open(None).await.unwrap();
            fs::write(&path, format!("{header}row\n")).unwrap();
            let expected = format!(
                "writing rejected rows to {} failed: the file exists and has rows of another operation. Load its rows, or \
                 move it away",
                path.display()
            );
            for checkpoint in [None, Some(folder.join("new"))] {
                assert_eq!(open(checkpoint).await.unwrap_err().to_string(), expected);
            }
            fs::remove_dir_all(folder).unwrap();
        }
    }
}
