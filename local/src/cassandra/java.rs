//! Runs Cassandra on this machine's own Java.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::owned::ProcessSpec;
use super::yaml::Yaml;

/// An installed Java.
#[derive(Clone, Debug)]
pub(crate) struct Java {
    pub(crate) program: PathBuf,
    /// The major version, for instance 17.
    pub(crate) version: u32,
}

impl Java {
    /// Runs the program to read its version. An error is a sentence for the list of attempts.
    pub(crate) async fn probe(program: PathBuf) -> Result<Self, String> {
        let name = program.display();
        let mut command = Command::new(&program);
        command.arg("-version").stdin(Stdio::null()).kill_on_drop(true);
        let output = match timeout(Duration::from_secs(20), command.output()).await {
            Ok(Ok(output)) => output,
            Ok(Err(error)) => return Err(format!("{name} could not be started: {error}")),
            Err(_) => return Err(format!("`{name} -version` did not answer")),
        };
        let output = String::from_utf8_lossy(&output.stderr);
        let version = major_version(&output).ok_or_else(|| format!("`{name} -version` named no version: {output}"))?;
        if version < MIN_VERSION {
            return Err(format!("{name} is Java {version}; Apache Cassandra 5.0 needs {MIN_VERSION} or 17"));
        }
        Ok(Self { program, version })
    }

    /// A hint about this version for the error when Cassandra did not start on it.
    pub(crate) fn version_hint(&self) -> String {
        match self.version {
            11 | 17 => String::new(),
            other => format!(" (Apache Cassandra 5.0 is made for Java 11 and 17, and this is {other})"),
        }
    }

    /// Writes Cassandra's configuration into the directory. Returns the process that runs Cassandra from these jars.
    pub(crate) fn process_spec(&self, jars: &Path, jamm: &Path, yaml: &Yaml<'_>) -> io::Result<ProcessSpec> {
        let directory = yaml.directory;
        let temporary = directory.join("tmp");
        fs::create_dir(&temporary)?;
        fs::write(directory.join("cassandra.yaml"), yaml.text())?;
        fs::write(directory.join("logback.xml"), LOGBACK)?;

        let mut command = vec![self.program.clone().into_os_string()];
        command.extend(FLAGS.iter().map(OsString::from));
        if self.version > 17 {
            command.push("-Djava.security.manager=allow".into());
        }
        for package in EXPORTED {
            command.extend(["--add-exports".into(), format!("{package}=ALL-UNNAMED").into()]);
        }
        for package in OPENED {
            command.extend(["--add-opens".into(), format!("java.base/{package}=ALL-UNNAMED").into()]);
        }
        command.extend([
            joined("-javaagent:", jamm),
            joined("-Dcassandra.config=file://", &directory.join("cassandra.yaml")),
            joined("-Dlogback.configurationFile=file://", &directory.join("logback.xml")),
            joined("-Dcassandra.storagedir=", directory),
            // Cassandra is killed, so files that it unpacks would be left in /tmp.
            joined("-Djava.io.tmpdir=", &temporary),
            "-cp".into(),
            jars.join("*").into_os_string(),
            "org.apache.cassandra.service.CassandraDaemon".into(),
        ]);
        Ok(ProcessSpec { command, container: None })
    }
}

const MIN_VERSION: u32 = 11;

/// Flags that save memory and time for a throw-away instance: no optimising compiler, no fsync of system tables, no
/// wait for gossip, and no file in the shared temporary directory.
const FLAGS: [&str; 10] = [
    "-Xms128m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-XX:+ExitOnOutOfMemoryError",
    "-Dcassandra.unsafesystem=true",
    "-Dcassandra.skip_wait_for_gossip_to_settle=0",
    "-Dcassandra.ring_delay_ms=0",
    "-Djava.awt.headless=true",
];

const EXPORTED: [&str; 5] = [
    "java.base/jdk.internal.misc",
    "java.base/jdk.internal.ref",
    "java.management.rmi/com.sun.jmx.remote.internal.rmi",
    "java.rmi/sun.rmi.registry",
    "java.rmi/sun.rmi.server",
];

const OPENED: [&str; 7] =
    ["sun.nio.ch", "java.io", "java.nio", "java.lang", "java.util", "jdk.internal.ref", "java.lang.reflect"];

const LOGBACK: &str = r#"<configuration>
  <appender name="OUT" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%-5level %logger{0}: %msg%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="OUT"/></root>
</configuration>
"#;

fn joined(option: &str, path: &Path) -> OsString {
    let mut joined = OsString::from(option);
    joined.push(path);
    joined
}

/// The major version in a line like `openjdk version "17.0.15" 2025-04-15`; for `1.8.0` it is 8.
fn major_version(output: &str) -> Option<u32> {
    let quoted = output.split('"').nth(1)?;
    let mut numbers = quoted.split(|character: char| !character.is_ascii_digit()).map(str::parse::<u32>);
    match numbers.next()?.ok()? {
        1 => numbers.next()?.ok(),
        major => Some(major),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_parsed_from_the_output_of_java() {
        for (output, version) in [
            ("openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime…", Some(17)),
            ("openjdk version \"1.8.0_392\"", Some(8)),
            ("java version \"21\" 2023-09-19 LTS", Some(21)),
            ("Picked up JAVA_TOOL_OPTIONS: -Dx\nopenjdk version \"11.0.2-ea\"", Some(11)),
            ("no such thing", None),
        ] {
            assert_eq!(major_version(output), version, "{output}");
        }
    }
}
