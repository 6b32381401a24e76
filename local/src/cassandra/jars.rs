//! Cassandra's jars, which Maven downloads from Maven Central and a cache keeps between runs.
//!
//! They are downloaded into a directory beside the final one, which is then renamed in one step: a directory with the
//! final name is complete. A lock keeps a second start from downloading the same jars at the same time.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::environment::Environment;
use super::owned::{OwnedProcess, ProcessSpec};
use super::{Progress, VERSION};
use crate::random;

/// The directory with the jars, which are downloaded if they are missing. An error is a sentence for the list of
/// attempts.
pub(crate) async fn jars(environment: &Environment, progress: &Progress) -> Result<PathBuf, String> {
    let cache = environment.cache.as_ref().ok_or("there is no cache directory: set KEYSPACES_LOCAL_CACHE")?;
    let cache = std::path::absolute(cache).map_err(|error| cannot_write(cache, &error))?;
    let jars = cache.join(format!("cassandra-all-{VERSION}"));
    if jars.is_dir() {
        return Ok(jars);
    }
    let mvn = environment.program("mvn").ok_or("there is no `mvn` on the PATH to download Cassandra's jars with")?;
    fs::create_dir_all(&cache).map_err(|error| cannot_write(&cache, &error))?;
    let _lock = lock(&cache, progress).await.map_err(|error| cannot_write(&cache, &error))?;
    if jars.is_dir() {
        return Ok(jars);
    }
    remove_leftovers(&cache);
    download(&mvn, &cache, &jars, progress).await?;
    Ok(jars)
}

/// The Java agent with which Cassandra measures the size of objects.
pub(crate) fn jamm(jars: &Path) -> Result<PathBuf, String> {
    let is_jamm = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("jamm-") && name.ends_with(".jar")
    };
    let files = fs::read_dir(jars).map_err(|error| format!("{} cannot be read: {error}", jars.display()))?;
    files.flatten().map(|file| file.path()).find(is_jamm).ok_or_else(|| {
        format!("there is no jamm-*.jar in {}: remove that directory, so that it is downloaded again", jars.display())
    })
}

const DOWNLOADING: &str = "downloading-";

/// Locks the cache until the returned file is dropped or its process ends.
async fn lock(cache: &Path, progress: &Progress) -> io::Result<File> {
    let file = File::options().create(true).write(true).truncate(false).open(cache.join("lock"))?;
    let mut is_announced = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) => {}
        }
        if !is_announced {
            progress("waiting for another start that is downloading Cassandra");
            is_announced = true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Removes the leftovers of killed starts. Only the holder of the lock may call this.
fn remove_leftovers(cache: &Path) {
    for entry in fs::read_dir(cache).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(DOWNLOADING) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

async fn download(mvn: &Path, cache: &Path, jars: &Path, progress: &Progress) -> Result<(), String> {
    let directory = cache.join(format!("{DOWNLOADING}{}", random::hex_32()));
    fs::create_dir(&directory).map_err(|error| cannot_write(cache, &error))?;
    fs::write(directory.join("pom.xml"), pom()).map_err(|error| cannot_write(&directory, &error))?;
    progress(&format!(
        "downloading Apache Cassandra {VERSION} with Maven (about 66 MB, only this once; kept in {})",
        jars.display()
    ));
    let command = [
        mvn.as_os_str(),
        "--batch-mode".as_ref(),
        "-Dstyle.color=never".as_ref(),
        // A jar with a wrong checksum fails the download; without this it only causes a warning.
        "--strict-checksums".as_ref(),
        "dependency:copy-dependencies".as_ref(),
        "-DincludeScope=runtime".as_ref(),
        "-DoutputDirectory=jars".as_ref(),
    ];
    let spec = ProcessSpec { command: command.map(Into::into).into(), container: None };
    let (report, count) = (Arc::clone(progress), AtomicUsize::new(0));
    let maven = OwnedProcess::start(&directory, &spec, move |line| {
        tracing::debug!(target: "keyspaces_local::maven", "{line}");
        if line.contains("Downloaded from") {
            let files = count.fetch_add(1, Ordering::Relaxed) + 1;
            if files.is_multiple_of(25) {
                report(&format!("downloading Apache Cassandra: {files} files so far"));
            }
        }
    })
    .map_err(|error| format!("{} could not be started: {error}", mvn.display()))?;
    let status = maven.output().exited().await;
    if status != 0 {
        let errors = maven.output().last_lines().into_iter().filter(|line| line.contains("ERROR")).take(6);
        let errors = errors.collect::<Vec<_>>().join("\n    ");
        return Err(format!("{} ended with {status}:\n    {errors}", mvn.display()));
    }
    let copied = directory.join("jars");
    jamm(&copied)?;
    fs::rename(&copied, jars).map_err(|error| cannot_write(jars, &error))
}

fn pom() -> String {
    format!(
        r#"<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>keyspaces-local</groupId>
  <artifactId>cassandra</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.cassandra</groupId>
      <artifactId>cassandra-all</artifactId>
      <version>{VERSION}</version>
    </dependency>
  </dependencies>
</project>
"#
    )
}

fn cannot_write(path: &Path, error: &io::Error) -> String {
    format!("{} cannot be written: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Mutex;
    use std::time::Instant;

    use tempfile::{TempDir, tempdir};

    use super::*;

    /// A machine whose `mvn` is this script, which runs in the download directory.
    fn machine(script: &str) -> (TempDir, Environment) {
        let root = tempdir().unwrap();
        let bin = root.path().join("bin");
        fs::create_dir(&bin).unwrap();
        fs::write(bin.join("mvn"), format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(bin.join("mvn"), fs::Permissions::from_mode(0o755)).unwrap();
        let cache = Some(root.path().join("cache"));
        (root, Environment { path: bin.into(), cache, ..Environment::default() })
    }

    fn progress() -> (Progress, Arc<Mutex<Vec<String>>>) {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let lines_copy = Arc::clone(&lines);
        (Arc::new(move |line: &str| lines_copy.lock().unwrap().push(line.to_owned())), lines)
    }

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    const GOOD: &str = "grep -q 'cassandra-all' pom.xml && mkdir jars && touch jars/jamm-0.4.0.jar";

    #[tokio::test]
    async fn download_runs_once_and_leaves_no_temporary_files() {
        let (root, environment) = machine(&format!("echo run >> \"$0.runs\"; {GOOD}"));
        let (progress, lines) = progress();
        let first = jars(&environment, &progress).await.unwrap();
        assert_eq!(jars(&environment, &progress).await.unwrap(), first);
        assert_eq!(first, root.path().join("cache/cassandra-all-5.0.6"));
        assert_eq!(jamm(&first).unwrap(), first.join("jamm-0.4.0.jar"));
        assert_eq!(names(&root.path().join("cache")), ["cassandra-all-5.0.6", "lock"]);
        assert_eq!(fs::read_to_string(root.path().join("bin/mvn.runs")).unwrap(), "run\n");
        assert_eq!(
            *lines.lock().unwrap(),
            [format!(
                "downloading Apache Cassandra 5.0.6 with Maven (about 66 MB, only this once; kept in {})",
                first.display()
            )]
        );
    }

    #[tokio::test]
    async fn concurrent_starts_download_cassandra_once() {
        let (root, environment) = machine(&format!("echo run >> \"$0.runs\"; sleep 0.3; {GOOD}"));
        let (progress, lines) = progress();
        let (one, two) = tokio::join!(jars(&environment, &progress), jars(&environment, &progress));
        assert_eq!(one.unwrap(), two.unwrap());
        assert_eq!(fs::read_to_string(root.path().join("bin/mvn.runs")).unwrap(), "run\n");
        let waited = "waiting for another start that is downloading Cassandra".to_owned();
        assert!(lines.lock().unwrap().contains(&waited));
    }

    #[tokio::test]
    async fn an_interrupted_download_leaves_no_partial_files_and_the_next_one_succeeds() {
        let (root, environment) = machine("mkdir jars; touch jars/half.jar; touch \"$0.begun\"; sleep 600");
        let (progress, _) = progress();
        let begun = root.path().join("bin/mvn.begun");
        let interrupted = async {
            while !begun.exists() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let cache = root.path().join("cache");
        tokio::select! {
            ended = jars(&environment, &progress) => panic!("{ended:?}"),
            () = interrupted => {}
        }
        assert_eq!(names(&cache), ["lock"]);

        // The state after a machine lost power during a download.
        fs::create_dir_all(cache.join("downloading-0/jars")).unwrap();
        fs::write(root.path().join("bin/mvn"), format!("#!/bin/sh\n{GOOD}\n")).unwrap();
        jars(&environment, &progress).await.unwrap();
        assert_eq!(names(&cache), ["cassandra-all-5.0.6", "lock"]);
    }

    #[tokio::test]
    async fn a_failed_download_reports_mavens_errors_and_leaves_no_files() {
        let script = "mkdir jars; echo '[INFO] a'; echo '[ERROR] Could not transfer artifact'; exit 1";
        let (root, environment) = machine(script);
        let (progress, _) = progress();
        let error = jars(&environment, &progress).await.unwrap_err();
        let mvn = root.path().join("bin/mvn");
        assert_eq!(error, format!("{} ended with 1:\n    [ERROR] Could not transfer artifact", mvn.display()));
        assert_eq!(names(&root.path().join("cache")), ["lock"]);
    }

    #[tokio::test]
    async fn files_are_counted_during_the_download() {
        let script = format!("for i in $(seq 1 60); do echo \"[INFO] Downloaded from central: $i\"; done; {GOOD}");
        let (_root, environment) = machine(&script);
        let (progress, lines) = progress();
        jars(&environment, &progress).await.unwrap();
        assert_eq!(
            lines.lock().unwrap()[1..],
            ["downloading Apache Cassandra: 25 files so far", "downloading Apache Cassandra: 50 files so far"]
        );
    }

    #[tokio::test]
    async fn a_cache_that_cannot_be_written_is_named_in_the_error() {
        let (root, mut environment) = machine(GOOD);
        let file = root.path().join("file");
        fs::write(&file, "").unwrap();
        environment.cache = Some(file.join("cache"));
        let (progress, _) = progress();
        let begun = Instant::now();
        let error = jars(&environment, &progress).await.unwrap_err();
        assert!(error.starts_with(&format!("{} cannot be written: ", file.join("cache").display())), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
}
