//! Progress on a terminal, which `script` of util-linux provides.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::interrupted::rows_to_load;
use crate::service::{Folder, PROGRAM, ready};

/// The program with a terminal as its standard input, output and error.
struct OnTerminal {
    process: Child,
    keyboard: ChildStdin,
    screen: ChildStdout,
    seen: String,
}

impl OnTerminal {
    async fn start(folder: &Folder, arguments: &str) -> Self {
        let mut command = Command::new("script");
        command.args(["--quiet", "--return", "--command", &format!("{PROGRAM} {arguments}"), "/dev/null"]);
        command.current_dir(folder.path("")).env("KEYSPACES_LOCAL_READY", ready().await).env("TERM", "xterm");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().expect("script, of the package util-linux or bsdutils, is installed");
        let (keyboard, screen) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        Self { process, keyboard, screen, seen: String::new() }
    }

    /// Reads the screen until it shows `text`.
    async fn shows(&mut self, text: &str) {
        while !self.seen.contains(text) {
            let mut bytes = [0; 4_096];
            let read = timeout(Duration::from_secs(60), self.screen.read(&mut bytes)).await;
            let read = read.unwrap_or_else(|_| panic!("{text:?} is not shown: {:?}", self.seen)).unwrap();
            assert!(read > 0, "{text:?} was not shown: {:?}", self.seen);
            self.seen.push_str(&String::from_utf8_lossy(&bytes[..read]));
        }
    }

    async fn press(&mut self, key: &str) {
        self.keyboard.write_all(key.as_bytes()).await.unwrap();
        self.keyboard.flush().await.unwrap();
    }

    async fn end(mut self) -> (Option<i32>, String) {
        let mut rest = Vec::new();
        timeout(Duration::from_secs(60), self.screen.read_to_end(&mut rest)).await.expect("it ends").unwrap();
        self.seen.push_str(&String::from_utf8_lossy(&rest));
        (self.process.wait().await.unwrap().code(), self.seen)
    }
}

/// The text that is left on the screen, without cleared lines.
fn final_screen(seen: &str) -> String {
    let lines = seen.lines().map(|line| line.rsplit("\u{1b}[2K").next().unwrap_or_default().trim_end());
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn progress_line_is_cleared_at_the_end() {
    let folder = rows_to_load();
    let mut load = OnTerminal::start(&folder, "load program.watched rows.csv --rate 400").await;
    load.shows(" units/s of 400").await;
    let (status, seen) = load.end().await;
    assert_eq!(status, Some(0), "{seen:?}");
    let left = final_screen(&seen);
    assert!(left.starts_with("complete: 600 rows, 0 rejected, ") && left.lines().count() == 1, "{left:?} of {seen:?}");
}

#[tokio::test]
async fn progress_is_cleared_before_an_error_is_shown() {
    let folder = rows_to_load();
    let load = OnTerminal::start(&folder, "load program.nowhere rows.csv").await;
    let (status, seen) = load.end().await;
    assert_eq!(status, Some(5), "{seen:?}");
    let left = final_screen(&seen);
    assert!(left.contains("error") && left.contains(": loading program.nowhere failed: "), "{left:?} of {seen:?}");
    assert!(left.lines().count() == 1 && !left.contains("rows/s"), "{left:?} of {seen:?}");
}

#[tokio::test]
async fn ctrl_c_on_a_terminal_leaves_a_checkpoint_and_says_how_to_resume() {
    let folder = rows_to_load();
    let command = "load program.typed rows.csv --checkpoint t.load";
    let mut load = OnTerminal::start(&folder, &format!("{command} --rate 60")).await;
    load.shows(" units/s of 60").await;
    load.press("\u{3}").await;
    let (status, seen) = load.end().await;
    assert_eq!(status, Some(130), "{seen:?}");
    let left = final_screen(&seen);
    let lines: Vec<_> = left.lines().collect();
    let [stopping, stopped, advice] = lines[..] else { panic!("{left:?} of {seen:?}") };
    assert!(
        stopping.ends_with("stopping: waiting for the rows that were sent. Press Ctrl-C again to stop at once"),
        "{left}"
    );
    assert!(stopped.starts_with("stopped: "), "{left}");
    assert_eq!(advice, "to resume: run the same operation again with the checkpoint t.load", "{left}");
    let (status, seen) = OnTerminal::start(&folder, command).await.end().await;
    assert_eq!(status, Some(0), "{seen:?}");
    assert!(seen.contains("complete: 600 rows, 0 rejected, "), "{seen:?}");
}
