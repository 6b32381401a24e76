//! What the tests run against, from the environment.

use std::path::PathBuf;

use keyspaces::{Endpoint, Session, SessionBuilder};
use keyspaces_local::Local;

use crate::{Error, LocalBuilder};

/// The `host:port` of a plain Cassandra.
const CASSANDRA: &str = "KEYSPACES_TEST_CASSANDRA";
/// The Region of Amazon Keyspaces.
const REGION: &str = "KEYSPACES_TEST_REGION";
/// The `host:port` of another endpoint of that Region.
const ENDPOINT: &str = "KEYSPACES_TEST_ENDPOINT";
/// The PEM file of further trusted roots, for that endpoint.
const CA: &str = "KEYSPACES_TEST_CA";

#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Target {
    /// The local Keyspaces that the tests of a binary share.
    Local,
    Cassandra(String),
    Amazon {
        region: String,
        endpoint: Option<String>,
        ca: Option<PathBuf>,
    },
}

impl Target {
    pub(crate) fn from_environment() -> Result<Self, Error> {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let value = |name| variable(name).filter(|value| !value.is_empty());
        let (endpoint, ca) = (value(ENDPOINT), value(CA).map(PathBuf::from));
        match (value(CASSANDRA), value(REGION)) {
            (Some(_), Some(_)) => Err(format!("{CASSANDRA} and {REGION} are both set. Unset one of them").into()),
            (None, Some(region)) => Ok(Self::Amazon { region, endpoint, ca }),
            _ if endpoint.is_some() || ca.is_some() => {
                Err(format!("{ENDPOINT} and {CA} need {REGION}, the Region to sign for. Set it, or unset them").into())
            }
            (Some(address), None) => Ok(Self::Cassandra(address)),
            (None, None) => Ok(Self::Local),
        }
    }

    pub(crate) async fn builder(self) -> Result<SessionBuilder, Error> {
        let builder = Session::builder();
        match self {
            Self::Local => Ok(builder.local(Local::shared().await?)?),
            Self::Cassandra(address) => Ok(builder.endpoint(Endpoint::cassandra(address)?)),
            Self::Amazon { region, endpoint, ca } => {
                let mut builder = builder.endpoint(amazon_endpoint(&region, endpoint.as_deref())?);
                if let Some(ca) = ca {
                    let pem = tokio::fs::read(&ca)
                        .await
                        .map_err(|error| format!("reading {} failed: {error}", ca.display()))?;
                    builder = builder.trust_pem(pem)?;
                }
                Ok(builder)
            }
        }
    }
}

/// The Region's standard endpoint, or `address`, whose certificate has the name of that endpoint.
fn amazon_endpoint(region: &str, address: Option<&str>) -> Result<Endpoint, Error> {
    let standard = Endpoint::region(region)?;
    let Some(address) = address else { return Ok(standard) };
    let (host, port) = address.rsplit_once(':').ok_or_else(|| format!("{ENDPOINT} is {address:?}, not host:port"))?;
    let port = port.parse().map_err(|_| format!("{ENDPOINT} is {address:?}, whose port is not a number"))?;
    Ok(Endpoint::explicit(host, port, standard.server_name().unwrap_or(host))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(variables: &[(&str, &str)]) -> Result<Target, String> {
        let variable =
            |name: &str| variables.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned());
        Target::from_variables(variable).map_err(|error| error.to_string())
    }

    #[test]
    fn environment_names_the_target() {
        assert_eq!(target(&[]), Ok(Target::Local));
        assert_eq!(target(&[(CASSANDRA, ""), (REGION, "")]), Ok(Target::Local));
        assert_eq!(target(&[(CASSANDRA, "127.0.0.1:9042")]), Ok(Target::Cassandra("127.0.0.1:9042".to_owned())));
        let region = "eu-west-1".to_owned();
        assert_eq!(target(&[(REGION, "eu-west-1")]), Ok(Target::Amazon { region, endpoint: None, ca: None }));
    }

    #[test]
    fn contradicting_variables_are_refused() {
        assert_eq!(
            target(&[(CASSANDRA, "127.0.0.1:9042"), (REGION, "eu-west-1")]).unwrap_err(),
            "KEYSPACES_TEST_CASSANDRA and KEYSPACES_TEST_REGION are both set. Unset one of them"
        );
        for alone in [ENDPOINT, CA] {
            assert_eq!(
                target(&[(alone, "127.0.0.1:9142"), (CASSANDRA, "127.0.0.1:9042")]).unwrap_err(),
                "KEYSPACES_TEST_ENDPOINT and KEYSPACES_TEST_CA need KEYSPACES_TEST_REGION, the Region to sign for. Set it, or \
                 unset them"
            );
        }
    }

    #[test]
    fn endpoint_is_that_of_the_region_or_another_with_its_name() {
        let standard = amazon_endpoint("eu-west-1", None).unwrap();
        assert_eq!((standard.host(), standard.port()), ("cassandra.eu-west-1.amazonaws.com", 9142));
        let other = amazon_endpoint("eu-west-1", Some("127.0.0.1:19142")).unwrap();
        assert_eq!((other.host(), other.port()), ("127.0.0.1", 19142));
        assert_eq!(other.server_name(), standard.server_name());
        assert_eq!(other.signing_region(), Some("eu-west-1"));
        let refused = |address| amazon_endpoint("eu-west-1", Some(address)).unwrap_err().to_string();
        assert_eq!(refused("localhost"), "KEYSPACES_TEST_ENDPOINT is \"localhost\", not host:port");
        assert_eq!(refused("localhost:x"), "KEYSPACES_TEST_ENDPOINT is \"localhost:x\", whose port is not a number");
    }

    #[tokio::test]
    async fn ca_file_that_cannot_be_read_is_named() {
        let ca = Some(PathBuf::from("missing.pem"));
        let target = Target::Amazon { region: "eu-west-1".to_owned(), endpoint: None, ca };
        let error = target.builder().await.unwrap_err().to_string();
        assert_eq!(error, "reading missing.pem failed: No such file or directory (os error 2)");
    }
}
