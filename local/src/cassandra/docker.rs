//! Runs Cassandra in a container.
//!
//! This code was written on a machine without a Docker engine. Tests cover that a missing engine is noticed quickly,
//! the arguments of `docker`, and the removal of the container; no test has run the image itself.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::VERSION;
use super::owned::ProcessSpec;
use super::yaml::Yaml;
use crate::random;
use crate::topology::Partitioner;

/// Checks whether a Docker engine answers. An error is a sentence for the list of attempts.
pub(crate) async fn probe(docker: &Path) -> Result<(), String> {
    let mut command = Command::new(docker);
    command.arg("info").stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
    match timeout(TIMEOUT, command.output()).await {
        Ok(Ok(output)) if output.status.success() => Ok(()),
        Ok(Ok(output)) => {
            let output = String::from_utf8_lossy(&output.stderr);
            let line = output.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it gives no reason");
            Err(format!("`{} info`: {}", docker.display(), line.trim()))
        }
        Ok(Err(error)) => Err(format!("{} could not be started: {error}", docker.display())),
        Err(_) => Err(format!("`{} info` did not answer within {TIMEOUT:?}", docker.display())),
    }
}

/// Writes Cassandra's configuration into the directory. Returns the process that runs the official image with this
/// configuration, and publishes its port as `port` of this machine.
pub(crate) fn process_spec(
    docker: PathBuf,
    directory: &Path,
    partitioner: Partitioner,
    port: u16,
) -> io::Result<ProcessSpec> {
    let yaml = Yaml {
        partitioner,
        directory: Path::new("/var/lib/cassandra"),
        rpc_address: "0.0.0.0",
        native_transport_port: 9042,
        storage_port: 7000,
    };
    fs::write(directory.join("cassandra.yaml"), yaml.text())?;
    let name = format!("keyspaces-local-{}", random::hex_32());
    let options = "-Dcassandra.config=file:///keyspaces-local/cassandra.yaml -Dcassandra.unsafesystem=true \
                   -Dcassandra.skip_wait_for_gossip_to_settle=0 -Dcassandra.ring_delay_ms=0";
    let command = vec![
        docker.clone().into_os_string(),
        "run".into(),
        "--rm".into(),
        format!("--name={name}").into(),
        format!("--publish=127.0.0.1:{port}:9042").into(),
        format!("--volume={}:/keyspaces-local:ro", directory.display()).into(),
        "--env=MAX_HEAP_SIZE=256M".into(),
        "--env=HEAP_NEWSIZE=64M".into(),
        format!("--env=JVM_EXTRA_OPTS={options}").into(),
        format!("cassandra:{VERSION}").into(),
    ];
    Ok(ProcessSpec { command, container: Some((docker, name)) })
}

const TIMEOUT: Duration = Duration::from_secs(5);
