//! The command line of the program.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use keyspaces_local::{Builder, CassandraRuntime, Credentials, Ddl, Fault, Local, Partitioner};

const EXAMPLE: &str = "\
Example:
  keyspaces-local --ready-file ready.json &
  until [ -e ready.json ]; do sleep 0.1; done
  jq . ready.json      # host, port, names in the certificate, path of the CA, region, credentials

Point any Cassandra client at it: TLS with the CA of the ready file, a host name that the certificate carries, and
SigV4 with the access key, or the user and password. Ctrl-C ends it and everything that it started.

The backing Cassandra is found or started in this order: --cassandra, KEYSPACES_LOCAL_CASSANDRA=host:port, Docker, a JDK
with Maven (the first start then downloads about 66 MB into KEYSPACES_LOCAL_CACHE, or ~/.cache/keyspaces-local).
The log on standard error has a line for each refused request, failed login and connection that is closed;
KEYSPACES_LOCAL_LOG=keyspaces_local=debug logs more, KEYSPACES_LOCAL_LOG=warn less.";

/// A strict local Amazon Keyspaces over a real Apache Cassandra, to develop and test against.
///
/// Prints one line of JSON with the connection parameters to standard output when clients can connect. Progress goes to
/// standard error.
#[derive(Debug, Parser)]
#[command(name = "keyspaces-local", version, after_help = EXAMPLE, max_term_width = 110)]
pub(crate) struct Arguments {
    /// Port to listen on with TLS; 0 takes any free port
    #[arg(long, default_value_t = 9142)]
    port: u16,

    /// Port of the control plane for the AWS CLI and SDKs, HTTPS with the same certificate; 0 takes any free port
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    http_port: u16,

    /// Serve the control plane without TLS
    #[arg(long)]
    plain_http: bool,

    /// File to write the line of JSON to when clients can connect; removed at the end
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,

    /// File for a shell to `source`, with AWS_ACCESS_KEY_ID, AWS_REGION, KEYSPACES_HOST, KEYSPACES_CA and others;
    /// written when ready, removed at the end
    #[arg(long, value_name = "FILE")]
    pub(crate) env_file: Option<PathBuf>,

    /// File with CREATE statements to execute before clients are accepted; everything in it is ACTIVE then
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,

    /// The only IPv4 address to listen on, such as 0.0.0.0 in a container, with at most one peer [default: 127.0.0.1 and
    /// those of the peers]
    #[arg(long, value_name = "ADDRESS")]
    bind: Option<Ipv4Addr>,

    /// Additional DNS name in the certificate, which has localhost and the name of the service; repeatable
    #[arg(long, value_name = "NAME")]
    name: Vec<String>,

    /// Java keystore to write the CA's certificate to with keytool; its password is changeit
    #[arg(long, value_name = "FILE")]
    truststore: Option<PathBuf>,

    /// Maximum number of connected clients; further connections are closed with a line in the log [default: 450]
    #[arg(long, value_name = "NUMBER")]
    max_connections: Option<usize>,

    /// Region to emulate
    #[arg(long, default_value = "us-east-1")]
    region: String,

    /// Number of peers in system.peers, 0 to 9, each with its own address from 127.0.0.1 on
    #[arg(long, default_value_t = 9, value_name = "NUMBER")]
    peers: u8,

    /// Access key id to accept [default: random]
    #[arg(
        long,
        env = "KEYSPACES_LOCAL_ACCESS_KEY",
        hide_env_values = true,
        requires = "secret_key",
        value_name = "ID"
    )]
    access_key: Option<String>,

    /// Secret access key [default: random]; set the variable instead, which other users cannot see
    #[arg(
        long,
        env = "KEYSPACES_LOCAL_SECRET_KEY",
        hide_env_values = true,
        requires = "access_key",
        value_name = "KEY"
    )]
    secret_key: Option<String>,

    /// Session token that every signature must include [default: none]
    #[arg(
        long,
        env = "KEYSPACES_LOCAL_SESSION_TOKEN",
        hide_env_values = true,
        requires = "access_key",
        value_name = "TOKEN"
    )]
    session_token: Option<String>,

    /// User to accept with a password [default: random]
    #[arg(long, env = "KEYSPACES_LOCAL_USER", hide_env_values = true, requires = "password", value_name = "NAME")]
    user: Option<String>,

    /// The user's password [default: random]; set the variable instead
    #[arg(long, env = "KEYSPACES_LOCAL_PASSWORD", hide_env_values = true, requires = "user", value_name = "TEXT")]
    password: Option<String>,

    /// Time until a keyspace or table is ACTIVE, for example 500ms, 2s, or 0s for tools that do not wait
    #[arg(long, default_value = "500ms", value_parser = duration, value_name = "TIME")]
    ddl_delay: Duration,

    /// The same for one kind of definition, for example create-table=2s; repeatable
    #[arg(long, value_parser = delay_of, value_name = "KIND=TIME")]
    ddl_delay_of: Vec<(Ddl, Duration)>,

    /// ARN of a KMS key that the service has no access to; repeatable
    #[arg(long, value_name = "ARN")]
    inaccessible_key: Vec<String>,

    /// Directory for the CA's certificate, ca.pem [default: a temporary one, removed at the end]
    #[arg(long, value_name = "DIRECTORY")]
    ca_directory: Option<PathBuf>,

    /// Running Cassandra to use instead of starting one; without password and TLS
    #[arg(long, value_name = "HOST:PORT")]
    cassandra: Option<String>,

    /// Runtime of a started Cassandra: docker or jdk [default: docker if an engine answers, otherwise jdk]
    #[arg(long, value_name = "NAME", conflicts_with = "cassandra")]
    cassandra_runtime: Option<CassandraRuntime>,

    /// Murmur3Partitioner, RandomPartitioner or DefaultPartitioner
    #[arg(long, default_value_t = Partitioner::Murmur3, value_name = "NAME")]
    partitioner: Partitioner,

    /// Name under which the data in a --cassandra is kept [default: none, the data is dropped at the end]
    #[arg(long, value_name = "NAME")]
    instance: Option<String>,

    /// Fault to inject from the start, as JSON (see the README); repeatable
    #[arg(long, value_parser = fault, value_name = "JSON")]
    fault: Vec<Fault>,

    /// Port of 127.0.0.1 for commands, one line of JSON each, that inject faults or show consumption; 0 takes any free
    /// port; needs no credentials [default: none]
    #[arg(long, value_name = "PORT")]
    fault_port: Option<u16>,

    /// Disable throttling
    #[arg(long)]
    no_throttling: bool,

    /// Maximum bytes of the history of a table with point-in-time recovery, in addition to one or two copies of its
    /// rows; beyond that, the oldest entries are removed and the earliest restorable moment moves forward
    #[arg(long, default_value_t = 256 << 20, value_name = "BYTES")]
    history_bytes: u64,

    /// Start tables with 300 seconds of unused capacity
    #[arg(long)]
    full_buckets: bool,
}

impl Arguments {
    pub(crate) fn builder(self) -> Builder {
        let random = Credentials::random();
        let credentials = Credentials {
            access_key: self.access_key.unwrap_or(random.access_key),
            secret_key: self.secret_key.unwrap_or(random.secret_key),
            session_token: self.session_token,
            user: self.user.unwrap_or(random.user),
            password: self.password.unwrap_or(random.password),
        };
        let mut builder = Local::builder()
            .port(self.port)
            .http_port(self.http_port)
            .plain_http(self.plain_http)
            .region(self.region)
            .peers(self.peers)
            .credentials(credentials)
            .ddl_delay(self.ddl_delay)
            .partitioner(self.partitioner)
            .throttling(!self.no_throttling)
            .full_buckets(self.full_buckets)
            .history_bytes(self.history_bytes);
        builder = self.fault.into_iter().fold(builder, Builder::fault);
        if let Some(port) = self.fault_port {
            builder = builder.fault_port(port);
        }
        for (ddl, delay) in self.ddl_delay_of {
            builder = builder.ddl_delay_of(ddl, delay);
        }
        for key in self.inaccessible_key {
            builder = builder.inaccessible_key(key);
        }
        builder = self.name.into_iter().fold(builder, Builder::certificate_name);
        if let Some(file) = self.schema {
            builder = builder.schema(file);
        }
        if let Some(address) = self.bind {
            builder = builder.bind(address);
        }
        if let Some(file) = self.truststore {
            builder = builder.truststore(file);
        }
        if let Some(number) = self.max_connections {
            builder = builder.max_connections(number);
        }
        if let Some(runtime) = self.cassandra_runtime {
            builder = builder.cassandra_runtime(runtime);
        }
        if let Some(directory) = self.ca_directory {
            builder = builder.ca_directory(directory);
        }
        if let Some(cassandra) = self.cassandra {
            builder = builder.cassandra(cassandra);
        }
        if let Some(instance) = self.instance {
            builder = builder.instance(instance);
        }
        builder
    }
}

fn fault(json: &str) -> Result<Fault, String> {
    serde_json::from_str(json).map_err(|error| error.to_string())
}

/// Parses a delay such as `create-table=2s`.
fn delay_of(text: &str) -> Result<(Ddl, Duration), String> {
    let (kind, time) = text.split_once('=').ok_or("use a kind, =, and a time, for example create-table=2s")?;
    let ddl = Ddl::from_name(kind)
        .ok_or_else(|| format!("{kind} is not one of {}", Ddl::names().collect::<Vec<_>>().join(", ")))?;
    Ok((ddl, duration(time)?))
}

/// Parses a number with its unit, `ms` or `s`.
fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(number), _) => (number, 1),
        (None, Some(number)) => (number, 1000),
        (None, None) => return Err("use a number with its unit, for example 500ms or 2s".to_owned()),
    };
    let number: u64 = number.parse().map_err(|error| format!("{number:?} is not a whole number: {error}"))?;
    Ok(Duration::from_millis(number.saturating_mul(unit)))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn command_line_definition_is_valid() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn delay_argument_requires_a_unit() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2s"), Ok(Duration::from_secs(2)));
        assert_eq!(duration("2").unwrap_err(), "use a number with its unit, for example 500ms or 2s");
        assert_eq!(duration("1.5s").unwrap_err(), "\"1.5\" is not a whole number: invalid digit found in string");
    }

    #[test]
    fn delay_of_an_unknown_kind_is_refused_with_the_kinds_that_exist() {
        for kind in Ddl::names() {
            assert_eq!(delay_of(&format!("{kind}=2s")), Ok((Ddl::from_name(kind).unwrap(), Duration::from_secs(2))));
        }
        assert_eq!(
            delay_of("alter-type=2s").unwrap_err(),
            "alter-type is not one of create-keyspace, alter-keyspace, drop-keyspace, create-table, alter-table, drop-table, \
             restore-table, create-type, drop-type"
        );
    }

    #[test]
    fn fault_argument_is_json_and_invalid_json_is_refused_with_the_reason() {
        let parsed = |json| Arguments::try_parse_from(["keyspaces-local", "--fault", json]);
        let arguments = parsed(r#"{"effect": {"close": "after"}, "nth": 3}"#).unwrap();
        let effect = keyspaces_local::fault::Effect::Close(keyspaces_local::fault::Moment::After);
        assert_eq!(arguments.fault, [Fault::new(effect).nth(3)]);
        let error = parsed(r#"{"effect": {"explode": "after"}}"#).unwrap_err().to_string();
        assert!(error.contains("unknown variant `explode`, expected one of `delay`, `drop`"), "{error}");
    }

    #[test]
    fn access_key_without_its_secret_key_is_refused() {
        let error = Arguments::try_parse_from(["keyspaces-local", "--access-key", "A"]).unwrap_err();
        assert!(error.to_string().contains("--secret-key <KEY>"), "{error}");
    }
}
