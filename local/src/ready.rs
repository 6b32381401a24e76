//! What a client needs to know.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::credentials::Credentials;

/// What a client needs to know: the program prints it as one line of JSON when it can be connected to.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Ready {
    /// Where to connect.
    pub host: String,
    /// At which port, with TLS.
    pub port: u16,
    /// The names in the server's certificate: one of them has to be asked for.
    pub names: Vec<String>,
    /// The file with the certificate of the authority to trust, as PEM.
    pub ca: PathBuf,
    /// The region that signatures are for. It is the data center's and the rack's name too.
    pub region: String,
    /// How many peers `system.peers` shows.
    pub peers: usize,
    /// The port of 127.0.0.1 at which faults can be injected, if one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control_port: Option<u16>,
    /// With what to log in.
    pub credentials: Credentials,
    /// With what to log in as somebody who may do nothing, to see the refusal of that.
    pub without_permissions: Credentials,
}

impl Ready {
    /// One line of JSON. It holds the secrets, or it would be of no use.
    pub fn json(&self) -> String {
        // Only a path that is not UTF-8 could fail, and the directory of this one was checked for that.
        serde_json::to_string(self).unwrap_or_default()
    }
}
