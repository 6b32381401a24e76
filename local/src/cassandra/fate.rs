//! The end of a started Cassandra that stopped by itself.

use std::time::Duration;

use super::owned::{NO_STATUS, ProcessOutput};

/// The fate of Cassandra, for code that lost its connection. The fate of a given Cassandra, one that was not started here,
/// is unknown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fate(Option<ProcessOutput>);

impl Fate {
    pub(super) fn of(process: Option<&ProcessOutput>) -> Self {
        Self(process.cloned())
    }

    /// How Cassandra ended, if it did, in one line. Its connections end before its process does, so this waits a short
    /// time.
    pub(crate) async fn told(&self) -> Option<String> {
        const PATIENCE: Duration = Duration::from_secs(1);
        let process = self.0.as_ref()?;
        let status = tokio::time::timeout(PATIENCE, process.exited()).await.ok()?;
        Some(ended(status, &process.last_lines(), process.is_disk_full().await))
    }

    /// Waits until Cassandra has ended by itself, and returns how it ended and what it printed. Waits for ever for a given
    /// Cassandra.
    pub(crate) async fn story(&self) -> String {
        let Some(process) = &self.0 else { return std::future::pending().await };
        let status = process.exited().await;
        let lines = process.last_lines();
        format!("{}{}", ended(status, &lines, process.is_disk_full().await), why(&lines))
    }
}

fn ended(status: i32, lines: &[String], is_disk_full: bool) -> String {
    let how = match status {
        NO_STATUS => String::new(),
        129..=192 => format!(", by signal {}", status - 128),
        _ => format!(", with exit code {status}"),
    };
    format!("the Cassandra behind ended by itself{how}{}", cause(lines, is_disk_full))
}

/// The cause of the end, if it is known, as a suffix to how it ended.
pub(super) fn cause(lines: &[String], is_disk_full: bool) -> String {
    if let Some(line) = lines.iter().rfind(|line| line.contains("java.lang.OutOfMemoryError")) {
        format!(": {line} (KEYSPACES_LOCAL_CASSANDRA=host:port has the service run over one that has more memory)")
    } else if is_disk_full {
        // Cassandra writes through mapped memory, so a full disk ends it by a signal, without a message.
        ": the disk of the temporary folder is full (free some of it, or name another folder in TMPDIR)".to_owned()
    } else {
        String::new()
    }
}

/// The part of the log with the reason, indented to stand below the error.
pub(super) fn why(lines: &[String]) -> String {
    const LINES: usize = 12;
    let telling = |line: &String| ["ERROR", "FATAL", "Exception", "Error: "].iter().any(|word| line.contains(word));
    let from = lines.iter().position(telling).unwrap_or_else(|| lines.len().saturating_sub(LINES));
    lines.iter().skip(from).take(LINES).map(|line| format!("\n      {line}")).collect()
}

#[cfg(test)]
mod tests {
    use super::super::owned::{CassandraProcess, OwnedProcess};
    use super::*;

    async fn story(script: &str) -> (String, String) {
        let directory = tempfile::tempdir().unwrap().keep();
        let command = ["sh", "-c", script].map(Into::into).to_vec();
        let owned = OwnedProcess::start(&directory, &CassandraProcess { command, container: None }, |_| {}).unwrap();
        let fate = Fate::of(Some(owned.seen()));
        (fate.story().await, fate.told().await.unwrap())
    }

    #[tokio::test]
    async fn the_end_of_the_process_is_told_word_for_word() {
        let ended = "the Cassandra behind ended by itself";
        let (story_of, told) =
            story("echo INFO; echo 'Terminating due to java.lang.OutOfMemoryError: Java heap space'; exit 3").await;
        let memory = format!(
            "{ended}, with exit code 3: Terminating due to java.lang.OutOfMemoryError: Java heap space \
             (KEYSPACES_LOCAL_CASSANDRA=host:port has the service run over one that has more memory)"
        );
        assert_eq!(told, memory);
        assert_eq!(story_of, format!("{memory}\n      Terminating due to java.lang.OutOfMemoryError: Java heap space"));
        let (story_of, told) = story("echo 'ERROR odd'; kill -9 $$").await;
        assert_eq!(told, format!("{ended}, by signal 9"));
        assert_eq!(story_of, format!("{ended}, by signal 9\n      ERROR odd"));
    }

    #[test]
    fn a_full_disk_is_named_unless_memory_was_the_cause() {
        let full = "the Cassandra behind ended by itself, by signal 6: the disk of the temporary folder is full (free some \
                    of it, or name another folder in TMPDIR)";
        assert_eq!(ended(134, &["INFO".to_owned()], true), full);
        assert!(ended(3, &["java.lang.OutOfMemoryError".to_owned()], true).contains("OutOfMemoryError"));
    }

    /// `/dev/full` behaves like a full disk.
    #[tokio::test]
    async fn a_disk_is_full_if_nothing_can_be_written_to_it() {
        let start = || {
            let directory = tempfile::tempdir().unwrap().keep();
            let command = ["sleep", "600"].map(Into::into).to_vec();
            let owned =
                OwnedProcess::start(&directory, &CassandraProcess { command, container: None }, |_| {}).unwrap();
            (directory, owned)
        };
        let (_directory, owned) = start();
        assert!(!owned.seen().is_disk_full().await);
        #[cfg(target_os = "linux")]
        {
            let (directory, owned) = start();
            std::os::unix::fs::symlink("/dev/full", directory.join("room")).unwrap();
            let (one, other) = tokio::join!(owned.seen().is_disk_full(), owned.seen().is_disk_full());
            assert!(one && other && owned.seen().is_disk_full().await);
        }
    }

    #[tokio::test]
    async fn of_one_that_is_there_or_was_given_no_end_is_told() {
        let directory = tempfile::tempdir().unwrap().keep();
        let command = ["sleep", "600"].map(Into::into).to_vec();
        let owned = OwnedProcess::start(&directory, &CassandraProcess { command, container: None }, |_| {}).unwrap();
        assert_eq!(Fate::of(Some(owned.seen())).told().await, None);
        assert_eq!(Fate::default().told().await, None);
    }
}
