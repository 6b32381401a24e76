//! A process and a directory that end with their owner, however the owner ends.
//!
//! A destructor does not run in a process that is killed, nor for a static of a test binary. So a small shell runs
//! between the owner and the process: it reads from a pipe that only the owner holds open. The operating system closes
//! the pipe at the owner's end, and the shell then kills the process and removes the directory. The shell has a process
//! group of its own, so that a Ctrl-C for the owner does not end it first.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::lock::Mutex;
use tokio::sync::{OnceCell, watch};

/// A process to run.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProcessSpec {
    /// The program and its arguments. If it is empty, only the directory is owned.
    pub(crate) command: Vec<OsString>,
    /// `docker` and the name of the container that the program starts: killing the program does not end the container.
    pub(crate) container: Option<(PathBuf, String)>,
}

/// A running [`ProcessSpec`] and its directory. Dropping it ends the process and removes the directory, and waits
/// for both.
pub(crate) struct OwnedProcess {
    directory: PathBuf,
    shell: Child,
    pipe: Option<ChildStdin>,
    output: ProcessOutput,
}

/// The state of a process: its end, and its output.
#[derive(Clone, Debug)]
pub(crate) struct ProcessOutput {
    directory: PathBuf,
    log: Arc<Mutex<VecDeque<String>>>,
    exit: watch::Receiver<Option<i32>>,
    is_disk_full: Arc<OnceCell<bool>>,
}

impl OwnedProcess {
    /// Starts the process in `directory`, which must exist and is removed at the end. `on_line` is called with every
    /// line that the process prints.
    pub(crate) fn start(
        directory: &Path,
        spec: &ProcessSpec,
        on_line: impl Fn(&str) + Send + 'static,
    ) -> io::Result<Self> {
        let (docker, container) = spec.container.clone().unwrap_or_default();
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(SCRIPT).arg("keyspaces-local").arg(docker).arg(container).arg(directory);
        command.args(&spec.command).current_dir(directory);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut shell = command.spawn()?;

        let (exited, exit) = watch::channel(None);
        let log = Arc::new(Mutex::new(VecDeque::new()));
        let log_copy = Arc::clone(&log);
        let output = shell.stdout.take();
        thread::Builder::new().name("keyspaces-local log".to_owned()).spawn(move || {
            let status = output.map_or(NO_STATUS, |output| read_output(output, &log_copy, on_line));
            exited.send_replace(Some(status));
        })?;
        let pipe = shell.stdin.take();
        Ok(Self {
            directory: directory.to_owned(),
            shell,
            pipe,
            output: ProcessOutput { directory: directory.to_owned(), log, exit, is_disk_full: Arc::default() },
        })
    }

    pub(crate) fn output(&self) -> &ProcessOutput {
        &self.output
    }
}

impl ProcessOutput {
    /// Waits until the process has ended by itself, and returns its exit status as a shell does (137 if it was killed).
    pub(crate) async fn exited(&self) -> i32 {
        let mut exit = self.exit.clone();
        let status = exit.wait_for(Option::is_some).await.ok().and_then(|status| *status);
        status.unwrap_or(NO_STATUS)
    }

    /// Whether the disk of the directory has no free space for a segment of Cassandra's commit log. This is tried only
    /// once, so that all callers get the same answer.
    pub(crate) async fn is_disk_full(&self) -> bool {
        *self.is_disk_full.get_or_init(|| self.probe_disk()).await
    }

    async fn probe_disk(&self) -> bool {
        const SEGMENT: usize = 32 * 1024 * 1024;
        let file = self.directory.join("room");
        let written = tokio::fs::write(&file, vec![0; SEGMENT]).await;
        let _ = tokio::fs::remove_file(&file).await;
        written.is_err_and(|error| matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
    }

    /// The last lines that the process printed.
    pub(crate) fn last_lines(&self) -> Vec<String> {
        self.log.lock().iter().cloned().collect()
    }
}

impl Drop for OwnedProcess {
    fn drop(&mut self) {
        drop(self.pipe.take());
        let begun = Instant::now();
        while begun.elapsed() < SHUTDOWN_TIMEOUT {
            if !matches!(self.shell.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(2));
        }
        tracing::warn!(directory = %self.directory.display(), "the process and its directory are still being removed");
    }
}

impl fmt::Debug for OwnedProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedProcess")
            .field("directory", &self.directory)
            .field("shell", &self.shell.id())
            .finish_non_exhaustive()
    }
}

/// Standard input is the owner's pipe. The process is killed without a chance to shut down, because its data is removed
/// anyway. Once it has ended by itself, only the shell itself waits for the owner's end, so that a process id that
/// another process has reused is never killed. The shell must not end when its output is no longer read. The owner's
/// `PATH` may hold only the programs that the process needs, so the shell adds its own.
const SCRIPT: &str = r#"
docker=$1 container=$2 directory=$3
shift 3
exec 3<&0 </dev/null
"$@" 2>&1 3<&- &
process=$!
trap '' PIPE
PATH=$PATH:/usr/bin:/bin
{
    exec >/dev/null
    while read -r line <&3; do :; done
    kill -9 "$process"
} &
watcher=$!
wait "$process"
status=$?
kill -9 "$watcher"
wait "$watcher"
printf '\nkeyspaces-local: ended with %s\n' "$status"
exec >/dev/null
while read -r line <&3; do :; done
[ -z "$container" ] || "$docker" rm --force "$container"
cd /
rm -rf -- "$directory"
"#;

const EXIT_LINE: &str = "keyspaces-local: ended with ";
/// The status of a process that ended without reporting one.
pub(crate) const NO_STATUS: i32 = -1;
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_LOG_LINES: usize = 200;
const MAX_LINE_BYTES: u64 = 4096;

fn read_output(output: impl Read, log: &Mutex<VecDeque<String>>, on_line: impl Fn(&str)) -> i32 {
    let mut output = BufReader::new(output);
    let mut bytes = Vec::new();
    let mut status = NO_STATUS;
    loop {
        bytes.clear();
        match (&mut output).take(MAX_LINE_BYTES).read_until(b'\n', &mut bytes) {
            Ok(0) | Err(_) => return status,
            Ok(_) => {}
        }
        let line = String::from_utf8_lossy(&bytes);
        let line = line.trim_end();
        if let Some(ended) = line.strip_prefix(EXIT_LINE) {
            status = ended.parse().unwrap_or(NO_STATUS);
            continue;
        }
        if line.is_empty() {
            continue;
        }
        on_line(line);
        let mut log = log.lock();
        if log.len() == MAX_LOG_LINES {
            log.pop_front();
        }
        log.push_back(line.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use tempfile::tempdir;

    use super::*;

    fn process_spec(command: &[&str]) -> ProcessSpec {
        ProcessSpec { command: command.iter().map(OsString::from).collect(), container: None }
    }

    /// Whether the process runs, and is not a zombie.
    fn is_running(pid: &str) -> bool {
        let ps = Command::new("ps").args(["-o", "stat=", "-p", pid]).output().unwrap();
        let stat = String::from_utf8(ps.stdout).unwrap();
        !stat.trim().is_empty() && !stat.starts_with('Z')
    }

    async fn first_line(owned: &OwnedProcess) -> String {
        loop {
            if let Some(line) = owned.output().last_lines().first() {
                return line.clone();
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    #[tokio::test]
    async fn dropping_it_ends_the_process_and_removes_the_directory() {
        let directory = tempdir().unwrap().keep();
        std::fs::write(directory.join("data"), "x").unwrap();
        let owned =
            OwnedProcess::start(&directory, &process_spec(&["sh", "-c", "echo $$; exec sleep 600"]), |_| {}).unwrap();
        let pid = first_line(&owned).await;
        assert!(is_running(&pid));
        drop(owned);
        assert!(!is_running(&pid));
        assert!(!directory.exists());
    }

    #[tokio::test]
    async fn the_exit_status_and_the_last_lines_are_available() {
        let directory = tempdir().unwrap().keep();
        let script = "for i in $(seq 1 300); do echo line $i; done; echo bad >&2; printf worse; exit 3";
        let owned = OwnedProcess::start(&directory, &process_spec(&["sh", "-c", script]), |_| {}).unwrap();
        assert_eq!(owned.output().exited().await, 3);
        let lines = owned.output().last_lines();
        assert_eq!(lines.len(), MAX_LOG_LINES);
        assert_eq!(lines[MAX_LOG_LINES - 3..], ["line 300", "bad", "worse"]);
        assert!(directory.exists(), "the owner may still look");
        drop(owned);
        assert!(!directory.exists());
    }

    #[tokio::test]
    async fn a_container_is_removed_by_name() {
        let directory = tempdir().unwrap().keep();
        let elsewhere = tempdir().unwrap();
        let seen = elsewhere.path().join("seen");
        let docker = elsewhere.path().join("docker");
        std::fs::write(&docker, format!("#!/bin/sh\necho \"$@\" > {}\n", seen.display())).unwrap();
        Command::new("chmod").arg("+x").arg(&docker).status().unwrap();
        let container = Some((docker, "keyspaces-local-x".to_owned()));
        drop(
            OwnedProcess::start(&directory, &ProcessSpec { container, ..process_spec(&["sleep", "600"]) }, |_| {})
                .unwrap(),
        );
        assert_eq!(std::fs::read_to_string(seen).unwrap(), "rm --force keyspaces-local-x\n");
    }

    #[tokio::test]
    async fn without_a_command_it_owns_only_the_directory() {
        let directory = tempdir().unwrap().keep();
        let owned = OwnedProcess::start(&directory, &ProcessSpec::default(), |_| {}).unwrap();
        assert_eq!(owned.output().exited().await, 0);
        assert!(directory.exists());
        drop(owned);
        assert!(!directory.exists());
    }

    #[test]
    fn endless_log_line_is_split() {
        let log = Mutex::new(VecDeque::new());
        let endless = io::repeat(b'x').take(3 * MAX_LINE_BYTES);
        assert_eq!(read_output(endless, &log, |_| {}), NO_STATUS);
        assert_eq!(log.lock().len(), 3);
    }
}
