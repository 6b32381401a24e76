//! What a client needs to know.

use std::net::SocketAddr;
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
    /// The URL of the control plane, for the AWS CLI's `--endpoint-url` and for SDKs.
    pub control_plane: String,
    /// The port of 127.0.0.1 at which faults can be injected, if one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault_port: Option<u16>,
    /// Where the Cassandra behind listens, without TLS and without password: to see what is really stored. Keyspaces have
    /// other names there.
    pub cassandra: SocketAddr,
    /// The Java keystore with the same certificate, if one was asked for; its password is `changeit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truststore: Option<PathBuf>,
    /// With what to log in.
    pub credentials: Credentials,
    /// With what to log in as somebody who may do nothing, to see the refusal of that.
    pub without_permissions: Credentials,
}

impl Ready {
    /// A file for a shell to `source`, with the names that the AWS SDKs read and names of its own. It holds the secrets.
    pub fn environment(&self) -> String {
        let key = &self.credentials;
        let mut variables = vec![
            ("AWS_REGION", self.region.clone()),
            ("AWS_DEFAULT_REGION", self.region.clone()),
            ("AWS_ACCESS_KEY_ID", key.access_key.clone()),
            ("AWS_SECRET_ACCESS_KEY", key.secret_key.clone()),
            // The AWS CLI and SDKs read where services are from these.
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
            // cqlsh reads where the authority's certificate is from here.
            ("SSL_CERTFILE", self.ca.display().to_string()),
        ];
        variables.extend(key.session_token.clone().map(|token| ("AWS_SESSION_TOKEN", token)));
        variables.extend(self.truststore.as_ref().map(|file| ("KEYSPACES_TRUSTSTORE", file.display().to_string())));
        let export = |(name, value): (&str, String)| format!("export {name}='{}'\n", value.replace('\'', r"'\''"));
        // One of an earlier start or of AWS would go with the new key.
        let without_token = if key.session_token.is_none() { "unset AWS_SESSION_TOKEN\n" } else { "" };
        variables.into_iter().map(export).chain([without_token.to_owned()]).collect()
    }

    /// One line of JSON. It holds the secrets, or it would be of no use.
    pub fn json(&self) -> String {
        // Only a path that is not UTF-8 could fail, and the directory of this one was checked for that.
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_shell_reads_the_environment_file_back_whatever_the_values_hold() {
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
