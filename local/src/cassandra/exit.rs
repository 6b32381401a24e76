//! The exit of a started Cassandra that stopped by itself.

use std::time::Duration;

use super::owned::{NO_STATUS, ProcessOutput};

/// The exit of Cassandra, for code that lost its connection. It is unknown for an external Cassandra.
#[derive(Clone, Debug, Default)]
pub(crate) struct CassandraExit(Option<ProcessOutput>);

impl CassandraExit {
    pub(super) fn new(process: Option<&ProcessOutput>) -> Self {
        Self(process.cloned())
    }

    /// How Cassandra ended, if it did, in one line. Its connections end before its process does, so this waits a short
    /// time.
    pub(crate) async fn summary(&self) -> Option<String> {
        const EXIT_TIMEOUT: Duration = Duration::from_secs(1);
        let process = self.0.as_ref()?;
        let status = tokio::time::timeout(EXIT_TIMEOUT, process.exited()).await.ok()?;
        Some(describe_exit(status, &process.last_lines(), process.is_disk_full().await))
    }

    /// Waits until Cassandra has ended by itself, and returns how it ended and what it printed. Waits forever for an
    /// external Cassandra.
    pub(crate) async fn report(&self) -> String {
        let Some(process) = &self.0 else { return std::future::pending().await };
        let status = process.exited().await;
        let lines = process.last_lines();
        format!("{}{}", describe_exit(status, &lines, process.is_disk_full().await), log_excerpt(&lines))
    }
}

fn describe_exit(status: i32, lines: &[String], is_disk_full: bool) -> String {
    let how = match status {
        NO_STATUS => String::new(),
        129..=192 => format!(", by signal {}", status - 128),
        _ => format!(", with exit code {status}"),
    };
    format!("the backing Cassandra ended by itself{how}{}", exit_cause(lines, is_disk_full))
}

/// The cause of the end, if it is known, as a suffix to how it ended.
pub(super) fn exit_cause(lines: &[String], is_disk_full: bool) -> String {
    if let Some(line) = lines.iter().rfind(|line| line.contains("java.lang.OutOfMemoryError")) {
        format!(": {line} (KEYSPACES_LOCAL_CASSANDRA=host:port uses a Cassandra that has more memory)")
    } else if is_disk_full {
        // Cassandra writes through mapped memory, so a full disk ends it by a signal, without a message.
        ": the disk of the temporary folder is full (free some of it, or name another folder in TMPDIR)".to_owned()
    } else {
        String::new()
    }
}

/// The part of the log with the reason, indented to stand below the error.
pub(super) fn log_excerpt(lines: &[String]) -> String {
    const MAX_LINES: usize = 12;
    let is_error = |line: &String| ["ERROR", "FATAL", "Exception", "Error: "].iter().any(|word| line.contains(word));
    let from = lines.iter().position(is_error).unwrap_or_else(|| lines.len().saturating_sub(MAX_LINES));
    lines.iter().skip(from).take(MAX_LINES).map(|line| format!("\n      {line}")).collect()
}

#[cfg(test)]
mod tests {
    use super::super::owned::{OwnedProcess, ProcessSpec};
    use super::*;

    async fn report(script: &str) -> (String, String) {
        let directory = tempfile::tempdir().unwrap().keep();
        let command = ["sh", "-c", script].map(Into::into).to_vec();
        let owned = OwnedProcess::start(&directory, &ProcessSpec { command, container: None }, |_| {}).unwrap();
        let exit = CassandraExit::new(Some(owned.output()));
        (exit.report().await, exit.summary().await.unwrap())
    }

    #[tokio::test]
    async fn the_exit_of_the_process_is_reported_in_these_words() {
        let ended = "the backing Cassandra ended by itself";
        let (report_of, summary) =
            report("echo INFO; echo 'Terminating due to java.lang.OutOfMemoryError: Java heap space'; exit 3").await;
        let memory = format!(
            "{ended}, with exit code 3: Terminating due to java.lang.OutOfMemoryError: Java heap space \
             (KEYSPACES_LOCAL_CASSANDRA=host:port uses a Cassandra that has more memory)"
        );
        assert_eq!(summary, memory);
        assert_eq!(
            report_of,
            format!("{memory}\n      Terminating due to java.lang.OutOfMemoryError: Java heap space")
        );
        let (report_of, summary) = report("echo 'ERROR odd'; kill -9 $$").await;
        assert_eq!(summary, format!("{ended}, by signal 9"));
        assert_eq!(report_of, format!("{ended}, by signal 9\n      ERROR odd"));
    }

    #[test]
    fn full_disk_is_reported_unless_cassandra_ran_out_of_memory() {
        let full = "the backing Cassandra ended by itself, by signal 6: the disk of the temporary folder is full (free some \
                    of it, or name another folder in TMPDIR)";
        assert_eq!(describe_exit(134, &["INFO".to_owned()], true), full);
        assert!(describe_exit(3, &["java.lang.OutOfMemoryError".to_owned()], true).contains("OutOfMemoryError"));
    }

    /// `/dev/full` behaves like a full disk.
    #[tokio::test]
    async fn unwritable_disk_counts_as_full() {
        let start = || {
            let directory = tempfile::tempdir().unwrap().keep();
            let command = ["sleep", "600"].map(Into::into).to_vec();
            let owned = OwnedProcess::start(&directory, &ProcessSpec { command, container: None }, |_| {}).unwrap();
            (directory, owned)
        };
        let (_directory, owned) = start();
        assert!(!owned.output().is_disk_full().await);
        #[cfg(target_os = "linux")]
        {
            let (directory, owned) = start();
            std::os::unix::fs::symlink("/dev/full", directory.join("room")).unwrap();
            let (one, other) = tokio::join!(owned.output().is_disk_full(), owned.output().is_disk_full());
            assert!(one && other && owned.output().is_disk_full().await);
        }
    }

    #[tokio::test]
    async fn a_running_or_an_external_cassandra_has_no_exit() {
        let directory = tempfile::tempdir().unwrap().keep();
        let command = ["sleep", "600"].map(Into::into).to_vec();
        let owned = OwnedProcess::start(&directory, &ProcessSpec { command, container: None }, |_| {}).unwrap();
        assert_eq!(CassandraExit::new(Some(owned.output())).summary().await, None);
        assert_eq!(CassandraExit::default().summary().await, None);
    }
}
