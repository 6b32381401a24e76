//! The same file, loaded by this crate, by DSBulk and by cqlsh-expansion's COPY into a local Keyspaces that does not throttle.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use keyspaces::Session;
use keyspaces_local::Local;
use keyspaces_testing::LocalBuilder;

use crate::client::LOCAL;
use crate::usage::Usage;
use crate::{Result, rows, usage};

/// The minimum of rows a CPU second, as a multiple of DSBulk's.
const TIMES_DSBULK: f64 = 5.0;

pub(crate) fn compare(rows: u64) -> Result<Vec<String>> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("bulk-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let measured = measure(rows, &folder);
    std::fs::remove_dir_all(&folder)?;
    measured
}

fn measure(rows: u64, folder: &Path) -> Result<Vec<String>> {
    let file = folder.join("sales.csv");
    rows::write(rows, &mut File::create(&file)?)?;
    let runtime = tokio::runtime::Runtime::new()?;
    let truststore = folder.join("trust.p12");
    let local = runtime.block_on(Local::builder().throttling(false).truststore(&truststore).start())?;
    let session = runtime.block_on(async { Session::builder().local(&local)?.connect().await })?;
    let keyspace = "CREATE KEYSPACE bench WITH REPLICATION = {'class': 'SingleRegionStrategy'}";
    runtime.block_on(session.define(keyspace).into_future())?;
    let clients = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/clients");
    let run = Run { local: &local, folder, file: &file, clients: &clients };
    let ours = run.measure(&runtime, &session, "ours", rows, run.ours()?)?;
    let dsbulk = match run.dsbulk(&truststore)? {
        Some(command) => Some(run.measure(&runtime, &session, "dsbulk", rows, command)?),
        None => None,
    };
    if let Some(command) = run.copy()? {
        run.measure(&runtime, &session, "copy", rows, command)?;
    }
    runtime.block_on(local.close())?;
    let times = dsbulk.map(|dsbulk| ours.rows_per_cpu_second(rows) / dsbulk.rows_per_cpu_second(rows));
    let over = times.filter(|times| *times < TIMES_DSBULK);
    Ok(over.map(|times| format!("{times:.1} times as many rows a CPU second as DSBulk, not 5")).into_iter().collect())
}

struct Run<'r> {
    local: &'r Local,
    folder: &'r Path,
    file: &'r Path,
    clients: &'r Path,
}

impl Run<'_> {
    fn measure(
        &self,
        runtime: &tokio::runtime::Runtime,
        session: &Session,
        tool: &str,
        rows: u64,
        command: Command,
    ) -> Result<Usage> {
        runtime.block_on(session.define(&rows::definition(&format!("bench.{tool}"))).into_future())?;
        let used = usage::measure(command)?;
        let loaded = runtime.block_on(session.bulk().count("bench", tool).into_future())?.rows;
        println!("{tool}: {}", used.of_rows(rows));
        if loaded == rows { Ok(used) } else { Err(format!("{loaded} of {rows} rows are loaded").into()) }
    }

    fn ours(&self) -> Result<Command> {
        let credentials = self.local.credentials();
        let port = self.local.port().to_string();
        let known = [
            self.local.host(),
            &port,
            self.local.server_name(),
            &credentials.access_key,
            &credentials.secret_key,
            self.local.ca_pem(),
        ];
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("load").env(LOCAL, known.join("\n")).stdin(File::open(self.file)?);
        Ok(command)
    }

    /// The command in `local/README.md`, without its limit of rows a second.
    fn dsbulk(&self, truststore: &Path) -> Result<Option<Command>> {
        let Some(library) = self.installed("dsbulk/lib") else { return Ok(None) };
        let (local, credentials) = (self.local, self.local.credentials());
        let settings = self.folder.join("dsbulk.conf");
        let text = format!(
            "dsbulk {{\n\
             log {{ directory = \"{folder}/logs\", verbosity = 0 }}\n\
             batch.mode = DISABLED\n\
             schema {{ keyspace = bench, table = dsbulk }}\n\
             connector.csv {{ url = \"{file}\", escape = \"\\\"\" }}\n\
             }}\n\
             datastax-java-driver {{\n\
             basic {{\n\
             contact-points = [\"{host}:{port}\"]\n\
             load-balancing-policy.local-datacenter = {region}\n\
             request {{ consistency = LOCAL_QUORUM, default-idempotence = true, timeout = 1 minute }}\n\
             }}\n\
             advanced {{\n\
             auth-provider {{ class = PlainTextAuthProvider, username = \"{user}\", password = \"{password}\" }}\n\
             ssl-engine-factory {{\n\
             class = DefaultSslEngineFactory\n\
             truststore-path = \"{truststore}\"\n\
             truststore-password = changeit\n\
             hostname-validation = false\n\
             }} }} }}\n",
            folder = self.folder.display(),
            file = self.file.display(),
            host = local.host(),
            port = local.port(),
            region = local.region(),
            user = credentials.user,
            password = credentials.password,
            truststore = truststore.display(),
        );
        std::fs::write(&settings, text)?;
        let mut command = Command::new("java");
        command.arg("-cp").arg(library.join("*")).arg("com.datastax.oss.dsbulk.runner.DataStaxBulkLoader");
        command.args(["load", "-f"]).arg(settings).stdin(Stdio::null());
        Ok(Some(command))
    }

    fn copy(&self) -> Result<Option<Command>> {
        let Some(python) = self.installed("cqlsh/bin/python") else { return Ok(None) };
        let (local, credentials) = (self.local, self.local.credentials());
        let settings = self.folder.join("cqlshrc");
        let text = format!(
            "[connection]\nport = {}\nssl = true\nrequest_timeout = 60\n\
             [auth_provider]\nmodule = cassandra_sigv4.auth\nclassname = SigV4AuthProvider\nregion_name = {}\n\
             [ssl]\ncertfile = {}\nvalidate = true\n",
            local.port(),
            local.region(),
            local.ca_path().display(),
        );
        std::fs::write(&settings, text)?;
        let statements = self.folder.join("copy.cql");
        let copy = format!(
            "CONSISTENCY LOCAL_QUORUM;\nCOPY bench.copy ({}) FROM '{}' WITH HEADER = TRUE AND NUMPROCESSES = 1 AND \
             MAXBATCHSIZE = 10 AND MINBATCHSIZE = 1 AND ESCAPE = '\"';\n",
            rows::COLUMNS,
            self.file.display(),
        );
        std::fs::write(&statements, copy)?;
        let mut command = Command::new(&python);
        command.arg(python.with_file_name("cqlsh-expansion")).arg("--cqlshrc").arg(settings).arg("--no-color");
        command.args([local.host(), &local.port().to_string(), "--ssl", "-f"]).arg(statements);
        command.env("AWS_ACCESS_KEY_ID", &credentials.access_key).env("AWS_SECRET_ACCESS_KEY", &credentials.secret_key);
        command.env("AWS_DEFAULT_REGION", local.region()).env("HOME", self.folder);
        command.current_dir(self.folder).stdin(Stdio::null()).stdout(Stdio::null());
        Ok(Some(command))
    }

    /// A tool that `tests/clients/run` has installed.
    fn installed(&self, path: &str) -> Option<PathBuf> {
        let found = Some(self.clients.join(path)).filter(|path| path.exists());
        if found.is_none() {
            println!("{path} is not below {}: not measured", self.clients.display());
        }
        found
    }
}
