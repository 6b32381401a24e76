//! The fault port of the program: accepts commands that inject faults or return consumption, one line of JSON each, and
//! answers each with one line of JSON.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use keyspaces_cql::CapacityMode;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::controls::Controls;
use crate::credentials::Credentials;
use crate::error::Error;
use crate::fault::Fault;

/// A command. The names are those of the methods of [`Local`](crate::Local), [`Faults`](crate::Faults),
/// [`Throttling`](crate::Throttling) and [`Metering`](crate::Metering).
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Command {
    Inject(Fault),
    Remove(u64),
    Clear,
    StrikeCount(u64),
    CloseConnections,
    /// The milliseconds until the restart.
    Restart(u64),
    StopPeer(SocketAddr),
    StartPeer(SocketAddr),
    ShowPeers(Vec<Ipv4Addr>),
    ExpireCredentials,
    AcceptCredentials(Credentials),
    RenewCertificate,
    ReplaceAuthority,
    Throttling(bool),
    SetCapacity {
        keyspace: String,
        table: String,
        mode: Option<Capacity>,
    },
    Metering,
    ClearMetering,
    /// The seconds by which CloudWatch's time moves ahead.
    AdvanceCloudwatch(u64),
}

/// A table's capacity mode in JSON.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Capacity {
    OnDemand,
    Provisioned { read: u32, write: u32 },
}

impl Capacity {
    fn mode(self) -> CapacityMode {
        match self {
            Self::OnDemand => CapacityMode::OnDemand,
            Self::Provisioned { read, write } => CapacityMode::Provisioned { read, write },
        }
    }
}

/// The maximum length of a command. Credentials with a session token fit.
const MAX_COMMAND_BYTES: u64 = 64 << 10;

/// The fault port. Dropping it closes the port.
#[derive(Debug)]
pub(crate) struct FaultPort {
    pub(crate) port: u16,
    _listening: JoinSet<()>,
}

impl FaultPort {
    /// Listens on 127.0.0.1; 0 takes any free port.
    pub(crate) async fn start(port: u16, controls: Controls) -> io::Result<Self> {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let port = socket.local_addr()?.port();
        let mut listening = JoinSet::new();
        listening.spawn(listen(socket, Arc::new(controls)));
        Ok(Self { port, _listening: listening })
    }
}

async fn listen(socket: TcpListener, controls: Arc<Controls>) {
    /// The pause after an error that lasts, for instance if no file descriptors are left.
    const PAUSE: Duration = Duration::from_millis(50);
    let mut connections = JoinSet::new();
    loop {
        match socket.accept().await {
            Ok((stream, _)) => {
                let controls = Arc::clone(&controls);
                connections.spawn(async move { serve(stream, &controls).await });
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

/// Answers one command after the other until the client disconnects. An invalid command is answered with an error; a
/// line that is not UTF-8 ends the connection.
async fn serve(stream: TcpStream, controls: &Controls) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let mut line = String::new();
    loop {
        line.clear();
        if (&mut reader).take(MAX_COMMAND_BYTES).read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let answer = match serde_json::from_str(&line) {
            Ok(command) => execute(command, controls).await.map_err(|error| error_text(&error)),
            Err(error) => Err(format!("the command is not valid: {error}")),
        };
        let answer = match answer {
            Ok(value) => json!({ "ok": value }),
            Err(error) => json!({ "error": error }),
        };
        writer.write_all(format!("{answer}\n").as_bytes()).await?;
    }
}

async fn execute(command: Command, controls: &Controls) -> Result<Value, Error> {
    match command {
        Command::Inject(fault) => return Ok(controls.faults.inject(fault).into()),
        Command::StrikeCount(fault) => return Ok(controls.faults.strike_count(fault).into()),
        Command::Remove(fault) => controls.faults.remove(fault),
        Command::Clear => controls.faults.clear(),
        Command::CloseConnections => controls.close_connections().await?,
        Command::Restart(millis) => controls.restart(Duration::from_millis(millis)).await?,
        Command::StopPeer(peer) => controls.stop_peer(peer).await?,
        Command::StartPeer(peer) => controls.start_peer(peer).await?,
        Command::ShowPeers(peers) => controls.show_peers(&peers).await?,
        Command::ExpireCredentials => controls.authority.expire(),
        Command::AcceptCredentials(credentials) => controls.accept_credentials(credentials)?,
        Command::RenewCertificate => controls.ca.renew()?,
        Command::ReplaceAuthority => return Ok(controls.ca.replace_authority()?.into()),
        Command::Throttling(on) => controls.throttling.set_enabled(on),
        Command::SetCapacity { keyspace, table, mode } => {
            controls.throttling.set_capacity(&keyspace, &table, mode.map(Capacity::mode));
        }
        Command::Metering => return Ok(json!(controls.metering.snapshot())),
        Command::ClearMetering => controls.metering.clear(),
        Command::AdvanceCloudwatch(seconds) => controls.metering.advance(Duration::from_secs(seconds)),
    }
    Ok(Value::Null)
}

fn error_text(error: &Error) -> String {
    use std::error::Error as _;
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_command_of_the_readme_is_parsed() {
        for line in [
            r#"{"inject": {"effect": {"drop": "after"}, "containing": "INSERT", "nth": 3}}"#,
            r#"{"strike_count": 0}"#,
            r#"{"remove": 0}"#,
            r#""clear""#,
            r#""close_connections""#,
            r#"{"restart": 1000}"#,
            r#"{"stop_peer": "127.0.0.2:9142"}"#,
            r#"{"start_peer": "127.0.0.2:9142"}"#,
            r#"{"show_peers": ["127.0.0.1", "127.0.0.2"]}"#,
            r#""expire_credentials""#,
            r#"{"accept_credentials": {"access_key": "a", "secret_key": "b", "session_token": null, "user": "c", "password": "d"}}"#,
            r#""renew_certificate""#,
            r#""replace_authority""#,
            r#"{"throttling": false}"#,
            r#"{"set_capacity": {"keyspace": "ks", "table": "t", "mode": {"provisioned": {"read": 5, "write": 5}}}}"#,
            r#"{"set_capacity": {"keyspace": "ks", "table": "t", "mode": "on_demand"}}"#,
            r#"{"set_capacity": {"keyspace": "ks", "table": "t", "mode": null}}"#,
            r#""metering""#,
            r#""clear_metering""#,
            r#"{"advance_cloudwatch": 180}"#,
        ] {
            if let Err(error) = serde_json::from_str::<Command>(line) {
                panic!("{line}: {error}");
            }
            let readme = include_str!("../README.md");
            let name = line.trim_start_matches(['{', '"']).split('"').next().unwrap();
            assert!(readme.contains(&format!("\"{name}\"")), "{name} is not in the README");
        }
    }
}
