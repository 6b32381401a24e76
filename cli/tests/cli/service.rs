//! The local Keyspaces that all tests share, and the program run against it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use keyspaces_local::Local;
use tempfile::TempDir;
use tokio::process::Command as Process;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_keyspaces");

/// The local Keyspaces with the tables of `schema.cql`. It has few peers, because most commands connect to all of them.
pub(crate) async fn service() -> &'static Local {
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/schema.cql");
    let builder = Local::builder().ddl_delay(Duration::ZERO).peers(2).schema(schema);
    Local::shared_with(builder).await.expect("a local Keyspaces starts")
}

/// A temporary folder, in which a test runs the program.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Runs the program to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Finished {
        let output = self.command(arguments).await.output().await.unwrap();
        output.into()
    }

    /// A command that runs the program against the shared service, with an empty standard input.
    pub(crate) async fn command(&self, arguments: &[&str]) -> Process {
        let mut command = Process::new(PROGRAM);
        command.args(arguments).current_dir(self.0.path()).env("KEYSPACES_LOCAL_READY", ready().await);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }
}

/// The output and the exit status of a program.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Finished {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { status: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// The ready file of the shared service.
pub(crate) async fn ready() -> &'static Path {
    static FILE: LazyLock<PathBuf> =
        LazyLock::new(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("ready-{}.json", std::process::id())));
    let service = service().await;
    keyspaces_local::program::write_file(&FILE, &service.ready().json()).unwrap();
    &FILE
}

/// Sends the program SIGINT, as Ctrl-C does.
pub(crate) fn interrupt(process: &tokio::process::Child) {
    let id = process.id().expect("it runs").to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
}
