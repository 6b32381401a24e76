//! The configuration of a Cassandra that is started here.

use std::path::Path;

use crate::topology::Partitioner;

/// The settings that differ between instances.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Yaml<'a> {
    pub(crate) partitioner: Partitioner,
    /// The data directory, as Cassandra sees it.
    pub(crate) directory: &'a Path,
    /// The address for clients, as Cassandra sees it.
    pub(crate) rpc_address: &'a str,
    pub(crate) native_transport_port: u16,
    pub(crate) storage_port: u16,
}

impl Yaml<'_> {
    /// The text of `cassandra.yaml`. Batches of 4 MB are accepted, as in the service; time-outs leave room for a
    /// machine that is busy compiling.
    pub(crate) fn text(&self) -> String {
        let Self { partitioner, directory, rpc_address, native_transport_port, storage_port } = self;
        let partitioner = partitioner.class_in_cassandra();
        // A JSON string is also a YAML string.
        let path = |name: &str| serde_json::Value::from(directory.join(name).to_string_lossy().into_owned());
        let (data, commitlog, hints) = (path("data"), path("commitlog"), path("hints"));
        let (saved_caches, cdc_raw) = (path("saved_caches"), path("cdc_raw"));
        format!(
            "\
cluster_name: keyspaces-local
num_tokens: 1
partitioner: {partitioner}
endpoint_snitch: SimpleSnitch
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters:
      - seeds: '127.0.0.1:{storage_port}'
listen_address: 127.0.0.1
storage_port: {storage_port}
rpc_address: {rpc_address}
broadcast_rpc_address: 127.0.0.1
native_transport_port: {native_transport_port}
data_file_directories: [{data}]
commitlog_directory: {commitlog}
hints_directory: {hints}
saved_caches_directory: {saved_caches}
cdc_raw_directory: {cdc_raw}
commitlog_sync: periodic
commitlog_sync_period: 10000ms
auto_snapshot: false
disk_failure_policy: die
commit_failure_policy: die
hinted_handoff_enabled: false
storage_compatibility_mode: NONE
memtable_heap_space: 64MiB
batch_size_warn_threshold: 16MiB
batch_size_fail_threshold: 16MiB
read_request_timeout: 10s
range_request_timeout: 10s
write_request_timeout: 10s
counter_write_request_timeout: 10s
cas_contention_timeout: 10s
request_timeout: 10s
"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cassandra_yaml_quotes_paths_and_names_the_partitioner_class() {
        let text = Yaml {
            partitioner: Partitioner::Default,
            directory: Path::new("/tmp/a: \"b\""),
            rpc_address: "127.0.0.1",
            native_transport_port: 1,
            storage_port: 2,
        }
        .text();
        for line in [
            "partitioner: org.apache.cassandra.dht.RandomPartitioner",
            r#"data_file_directories: ["/tmp/a: \"b\"/data"]"#,
            "      - seeds: '127.0.0.1:2'",
            "native_transport_port: 1",
        ] {
            assert!(text.lines().any(|other| other == line), "{line} is not in {text}");
        }
    }
}
