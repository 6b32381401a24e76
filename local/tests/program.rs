//! Tests of the program from outside: its output, and the removal of its processes and files.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use keyspaces_local::Ready;
use tempfile::tempdir;

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyspaces-local"));
    command
        .args(arguments)
        .env_remove("KEYSPACES_LOCAL_CASSANDRA")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A program that is killed when its test fails.
struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout }
    }

    fn ready(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "it stopped before it was ready: {}", self.stderr());
        line
    }

    fn stderr(&mut self) -> String {
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        stderr
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// All processes that it started, with their ids and command lines, including shells and grandchildren.
    fn descendants(&self) -> Vec<(u32, String)> {
        let all = processes();
        let mut found = vec![(self.child.id(), String::new())];
        let mut next = 0;
        while next < found.len() {
            let parent = found[next].0;
            found.extend(all.iter().filter(|(_, of, _)| *of == parent).map(|(pid, _, args)| (*pid, args.clone())));
            next += 1;
        }
        found.split_off(1)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The id, parent and command line of every process that is not a zombie.
fn processes() -> Vec<(u32, u32, String)> {
    let ps = Command::new("ps").args(["-eo", "pid=,ppid=,stat=,args="]).output().unwrap();
    let parse = |line: &str| {
        let mut words = line.split_whitespace();
        let (pid, ppid) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let alive = !words.next()?.starts_with('Z');
        alive.then(|| (pid, ppid, words.collect::<Vec<_>>().join(" ")))
    };
    String::from_utf8_lossy(&ps.stdout).lines().filter_map(parse).collect()
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}: not so after 60 s");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn have_ended(processes_of_it: &[(u32, String)]) -> bool {
    let alive = processes();
    processes_of_it
        .iter()
        .all(|(pid, args)| !alive.iter().any(|(alive_pid, _, alive_args)| alive_pid == pid && alive_args == args))
}

/// The directories that it owns, from the arguments of the shells that remove them.
fn directories(descendants: &[(u32, String)]) -> Vec<PathBuf> {
    let temporary = std::env::temp_dir().canonicalize().unwrap();
    let ours = |word: &&str| word.starts_with(&format!("{}/keyspaces-local-", temporary.display()));
    let mut all: Vec<_> =
        descendants.iter().flat_map(|(_, args)| args.split(' ').filter(ours)).map(PathBuf::from).collect();
    all.sort();
    all.dedup();
    all
}

#[test]
fn two_programs_run_side_by_side_and_leave_nothing_behind_when_killed_or_stopped() {
    let files = tempdir().unwrap();
    let file = |name: &str| files.path().join(name).to_str().unwrap().to_owned();
    let mut killed = Running::start(&mut program(&["--port=0", "--peers=3"]));
    let mut stopped = Running::start(&mut program(&[
        "--port=0",
        "--region=eu-west-1",
        "--peers=0",
        "--partitioner=DefaultPartitioner",
        &format!("--ready-file={}", file("ready.json")),
        &format!("--env-file={}", file("env")),
        &format!("--truststore={}", file("trust.p12")),
        "--cassandra-runtime=jdk",
        "--name=keyspaces.test",
        &format!("--ca-directory={}", file("ca")),
        "--access-key=AKIAEXAMPLE",
        "--secret-key=secret",
        "--session-token=token",
        "--user=alice",
        "--password=pass",
    ]));

    let line = stopped.ready();
    assert_eq!(fs::read_to_string(file("ready.json")).unwrap(), line);
    assert_eq!(fs::metadata(file("ready.json")).unwrap().permissions().mode() & 0o777, 0o600);
    let of_stopped: Ready = serde_json::from_str(&line).unwrap();
    assert_eq!(of_stopped.host, "localhost");
    assert_eq!(of_stopped.names, ["localhost", "cassandra.eu-west-1.amazonaws.com", "keyspaces.test"]);
    TcpStream::connect(of_stopped.cassandra).unwrap();
    assert_eq!(of_stopped.truststore.as_deref(), Some(Path::new(&file("trust.p12"))));
    assert!(Path::new(&file("trust.p12")).exists());
    let environment = fs::read_to_string(file("env")).unwrap();
    assert!(environment.contains("export AWS_ACCESS_KEY_ID='AKIAEXAMPLE'\n"), "{environment}");
    assert_eq!(fs::metadata(file("env")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!((of_stopped.region.as_str(), of_stopped.peers), ("eu-west-1", 0));
    assert_eq!(of_stopped.credentials.access_key, "AKIAEXAMPLE");
    assert_eq!(of_stopped.credentials.session_token.as_deref(), Some("token"));
    assert_eq!(of_stopped.credentials.password, "pass");
    assert_eq!(of_stopped.ca, Path::new(&file("ca")).canonicalize().unwrap().join("ca.pem"));
    assert!(fs::read_to_string(&of_stopped.ca).unwrap().starts_with("-----BEGIN CERTIFICATE-----"));

    let of_killed: Ready = serde_json::from_str(&killed.ready()).unwrap();
    assert_eq!(of_killed.peers, 3);
    for peer in 1..=3 {
        TcpStream::connect((format!("127.0.0.{peer}"), of_killed.port)).unwrap();
    }
    let (started_by_killed, started_by_stopped) = (killed.descendants(), stopped.descendants());
    let (of_killed_one, of_stopped_one) = (directories(&started_by_killed), directories(&started_by_stopped));
    assert_eq!((of_killed_one.len(), of_stopped_one.len()), (2, 1), "of Cassandra, and of the CA where none was given");
    assert!(of_killed_one.iter().chain(&of_stopped_one).all(|directory| directory.exists()));

    killed.signal("-KILL");
    wait_until("the killed one's processes are gone", || have_ended(&started_by_killed));
    wait_until("its directories are gone", || of_killed_one.iter().all(|directory| !directory.exists()));
    TcpStream::connect(("127.0.0.1", of_stopped.port)).unwrap();

    stopped.signal("-TERM");
    assert!(stopped.child.wait().unwrap().success());
    assert!(have_ended(&started_by_stopped), "{:?}", processes());
    assert!(!of_stopped_one[0].exists());
    assert!(!Path::new(&file("ready.json")).exists() && !Path::new(&file("env")).exists());
    let stderr = stopped.stderr();
    let lines: Vec<&str> = stderr.lines().collect();
    assert!(lines.iter().any(|line| line.starts_with("starting Apache Cassandra 5.0.6 ")), "{stderr}");
    assert!(lines.iter().any(|line| line.starts_with("Apache Cassandra 5.0.6 answers after ")), "{stderr}");
    let port = of_stopped.port;
    let ready = format!("ready: localhost:{port} acts as Amazon Keyspaces in eu-west-1. Ctrl-C ends it.");
    assert_eq!(lines.last(), Some(&ready.as_str()));
}

#[test]
fn the_program_ends_with_its_cassandra_and_reports_the_exit_once() {
    let mut running = Running::start(&mut program(&["--port=0", "--peers=1"]));
    running.ready();
    let is_cassandra = |args: &str| !args.contains("/bin/sh ") && args.contains("cassandra");
    let started = running.descendants();
    let (cassandra, _) = started.iter().find(|(_, args)| is_cassandra(args)).unwrap();
    assert!(Command::new("kill").args(["-KILL", &cassandra.to_string()]).status().unwrap().success());
    assert_eq!(running.child.wait().unwrap().code(), Some(1));
    let stderr = running.stderr();
    let end = "keyspaces-local: the backing Cassandra ended by itself, by signal 9\n";
    assert_eq!((stderr.matches(end).count(), stderr.matches("ended by itself").count()), (1, 1), "{stderr}");
}

#[test]
fn killed_during_a_download_it_leaves_no_process_and_no_partial_files() {
    let root = tempdir().unwrap();
    for (name, script) in [
        ("java", "echo 'openjdk version \"17.0.1\"' >&2"),
        ("mvn", "mkdir jars && touch jars/half.jar && touch \"$0.begun\" && exec sleep 600"),
    ] {
        let path = root.path().join(name);
        fs::write(&path, format!("#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let cache = root.path().join("cache");
    for (signal, status) in [("-KILL", None), ("-TERM", Some(1))] {
        let _ = fs::remove_file(root.path().join("mvn.begun"));
        let mut command = program(&["--port=0"]);
        let mut running = Running::start(
            command.env("PATH", root.path()).env_remove("JAVA_HOME").env("KEYSPACES_LOCAL_CACHE", &cache),
        );
        wait_until("the download has begun", || root.path().join("mvn.begun").exists());
        let started = running.descendants();
        assert!(started.iter().any(|(_, args)| args == "sleep 600"), "{started:?}");
        running.signal(signal);
        assert_eq!(running.child.wait().unwrap().code(), status);
        wait_until("what it started is gone", || have_ended(&started));
        let left = || fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
        wait_until("only the lock file is left", || left() == ["lock"]);
        if status.is_some() {
            let stderr = running.stderr();
            assert!(
                stderr
                    .starts_with("downloading Apache Cassandra 5.0.6 with Maven (about 66 MB, only this once; kept in")
            );
            assert!(stderr.ends_with("keyspaces-local: stopped before it was ready\n"), "{stderr}");
        }
    }
}

#[test]
fn without_any_cassandra_the_program_says_what_to_install() {
    let mut command = program(&["--port=0"]);
    let output = command.env("PATH", "").env_remove("JAVA_HOME").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.starts_with("keyspaces-local: no Cassandra could be found or started. Tried:\n"), "{stderr}");
    assert!(stderr.contains("Install a JDK (17 or 11) and Maven"), "{stderr}");
}

#[test]
fn a_port_in_use_is_refused_at_once() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let output = program(&[&format!("--port={port}")]).env("PATH", "").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.starts_with(&format!("keyspaces-local: port {port} of 127.0.0.1 and its neighbours cannot")),
        "{stderr}"
    );
}

#[test]
fn the_help_has_an_example_and_shows_no_secrets() {
    let output = program(&["--help"]).env("KEYSPACES_LOCAL_SECRET_KEY", "hidden").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    for part in ["Example:\n  keyspaces-local --ready-file ready.json", "--secret-key", "KEYSPACES_LOCAL_PASSWORD"] {
        assert!(help.contains(part), "{help}");
    }
    assert!(!help.contains("hidden"));
}
