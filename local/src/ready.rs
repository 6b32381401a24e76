//! The connection parameters for clients.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::credentials::Credentials;

/// The connection parameters for clients, which the program prints as one line of JSON when clients can connect.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Ready {
    /// The host to connect to.
    pub host: String,
    /// The port to connect to, with TLS.
    pub port: u16,
    /// The names in the server's certificate. A client has to verify one of them.
    pub names: Vec<String>,
    /// The file with the certificate of the authority to trust, as PEM.
    pub ca: PathBuf,
    /// The Region that signatures are for. It is also the name of the data center and the rack.
    pub region: String,
    /// The number of peers in `system.peers`.
    pub peers: usize,
    /// The URL of the control plane, for the AWS CLI's `--endpoint-url` and for SDKs.
    pub control_plane: String,
    /// The fault port on 127.0.0.1, if one was configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault_port: Option<u16>,
    /// The address of the backing Cassandra, without TLS and password, to check what is stored. Keyspaces have other
    /// names there.
    pub cassandra: SocketAddr,
    /// The Java keystore with the same certificate, if one was configured; its password is `changeit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truststore: Option<PathBuf>,
    /// The credentials of clients.
    pub credentials: Credentials,
    /// The credentials of a principal without permissions, to test that refusal.
    pub without_permissions: Credentials,
}

impl Ready {
    /// The environment file for a shell to `source`, with the variables that the AWS SDKs read and those of this
    /// program. It contains the secrets.
    pub fn environment(&self) -> String {
        let key = &self.credentials;
        let mut variables = vec![
            ("AWS_REGION", self.region.clone()),
            ("AWS_DEFAULT_REGION", self.region.clone()),
            ("AWS_ACCESS_KEY_ID", key.access_key.clone()),
            ("AWS_SECRET_ACCESS_KEY", key.secret_key.clone()),
            // The AWS CLI and SDKs read their endpoints from these.
            ("AWS_ENDPOINT_URL_KEYSPACES", self.control_plane.clone()),
            ("AWS_ENDPOINT_URL_IAM", self.control_plane.clone()),
            ("AWS_ENDPOINT_URL_APPLICATION_AUTO_SCALING", self.control_plane.clone()),
            ("AWS_ENDPOINT_URL_CLOUDWATCH", self.control_plane.clone()),
            ("AWS_CA_BUNDLE", self.ca.display().to_string()),
            ("KEYSPACES_CONTROL_PLANE", self.control_plane.clone()),
            ("KEYSPACES_HOST", self.host.clone()),
            ("KEYSPACES_PORT", self.port.to_string()),
            ("KEYSPACES_SERVER_NAME", self.names.get(1).unwrap_or(&self.host).clone()),
            ("KEYSPACES_CA", self.ca.display().to_string()),
            ("KEYSPACES_USER", key.user.clone()),
            ("KEYSPACES_PASSWORD", key.password.clone()),
            ("KEYSPACES_CASSANDRA", self.cassandra.to_string()),
            // cqlsh reads the path of the authority's certificate from this.
            ("SSL_CERTFILE", self.ca.display().to_string()),
        ];
        variables.extend(key.session_token.clone().map(|token| ("AWS_SESSION_TOKEN", token)));
        variables.extend(self.truststore.as_ref().map(|file| ("KEYSPACES_TRUSTSTORE", file.display().to_string())));
        let export = |(name, value): (&str, String)| format!("export {name}='{}'\n", value.replace('\'', r"'\''"));
        // A token of an earlier start or of AWS would be used with the new key.
        let without_token = if key.session_token.is_none() { "unset AWS_SESSION_TOKEN\n" } else { "" };
        variables.into_iter().map(export).chain([without_token.to_owned()]).collect()
    }

    /// One line of JSON, which contains the secrets.
    pub fn json(&self) -> String {
        // Only a path that is not UTF-8 fails, and the path was checked for that.
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_shell_reads_any_values_back_from_the_environment_file() {
        let credentials = Credentials { password: "it's $HOME \\ \"x\"".to_owned(), ..Credentials::random() };
        let ready = Ready {
            host: "localhost".to_owned(),
            port: 9142,
            names: vec!["localhost".to_owned(), "cassandra.us-east-1.amazonaws.com".to_owned()],
            ca: "/tmp/ca.pem".into(),
            region: "us-east-1".to_owned(),
            peers: 9,
            control_plane: "https://localhost:8443".to_owned(),
            fault_port: None,
            cassandra: ([127, 0, 0, 1], 9042).into(),
            truststore: None,
            without_permissions: credentials.clone(),
            credentials: credentials.clone(),
        };
        let print = "printf '%s\n' \"$KEYSPACES_PASSWORD\" \"$KEYSPACES_SERVER_NAME\" \"${AWS_SESSION_TOKEN-none}\"";
        let script = format!("{}{print}", ready.environment());
        let output = Command::new("/bin/sh").arg("-c").arg(script).env("AWS_SESSION_TOKEN", "old").output().unwrap();
        let expected = format!("{}\ncassandra.us-east-1.amazonaws.com\nnone\n", credentials.password);
        assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
    }
}
