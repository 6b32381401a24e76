//! Where a session connects.

mod address;
#[cfg(test)]
mod tests;

use std::env;
use std::fmt;

use self::address::{parse_dns_name, parse_host, parse_port, parse_server_name, split_address};
use crate::region::{Quoted, Region};
use crate::{Error, ErrorKind};

/// Where to connect: the host and port, the name that certificates must contain, and the region to sign for.
///
/// The names of the service's endpoints are those of `DG:programmatic.endpoints`. A region that the guide does not list
/// is accepted if its name has the form of a region name. A request for a kind of endpoint that the region does not
/// have is an error. All errors here are of kind [`Configuration`](crate::ErrorKind::Configuration).
///
/// ```
/// use keyspaces::Endpoint;
///
/// let endpoint = Endpoint::region("us-east-1")?;
/// assert_eq!(endpoint.to_string(), "cassandra.us-east-1.amazonaws.com:9142");
/// # Ok::<(), keyspaces::Error>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Endpoint {
    host: String,
    port: u16,
    server_name: Option<String>,
    signing_region: Option<Region>,
}

/// The port of CQL over TLS (`DG:programmatic.endpoints`).
const PORT: u16 = 9142;

/// The default port of a Cassandra.
const CASSANDRA_PORT: u16 = 9042;

/// The commercial regions that have FIPS endpoints besides the standard ones (`DG:programmatic.endpoints`).
const FIPS_REGIONS: [&str; 2] = ["us-east-1", "us-west-2"];

impl Endpoint {
    /// Returns the standard endpoint of a region, port 9142: `cassandra.us-east-1.amazonaws.com`, in China
    /// `cassandra.cn-north-1.amazonaws.com.cn`. The region may be in upper case.
    ///
    /// In GovCloud, the standard endpoint is a FIPS endpoint. In a VPC with an interface endpoint and private DNS, this
    /// name resolves to that interface endpoint.
    ///
    /// # Errors
    ///
    /// If `region` does not have the form of a region name.
    pub fn region(region: impl AsRef<str>) -> Result<Self, Error> {
        Ok(Self::standard(Region::parse(region.as_ref())?))
    }

    /// Returns the standard endpoint of the region in the environment variable `AWS_REGION`, or in `AWS_DEFAULT_REGION`
    /// if `AWS_REGION` is not set or empty.
    ///
    /// # Errors
    ///
    /// If neither is set, or the value does not have the form of a region name.
    pub fn from_environment() -> Result<Self, Error> {
        Self::from_variables(|name| env::var(name).ok())
    }

    /// Returns the FIPS endpoint of a region, port 9142: `cassandra-fips.us-east-1.amazonaws.com`. Only us-east-1 and
    /// us-west-2 have one. In GovCloud, the standard endpoint is a FIPS endpoint, so this returns the standard
    /// endpoint.
    ///
    /// # Errors
    ///
    /// If the region has no FIPS endpoint, or `region` does not have the form of a region name.
    pub fn fips(region: impl AsRef<str>) -> Result<Self, Error> {
        let region = Region::parse(region.as_ref())?;
        let partition = region.partition();
        if partition.fips_by_default {
            return Ok(Self::standard(region));
        }
        if !FIPS_REGIONS.contains(&region.as_str()) {
            return Err(kind_missing(
                "FIPS",
                &region,
                "only us-east-1 and us-west-2 have one, and in us-gov-east-1 and us-gov-west-1 the standard endpoint \
                 is one",
            ));
        }
        Ok(Self::named(format!("cassandra-fips.{region}.{}", partition.suffix), region))
    }

    /// Returns the dual-stack endpoint of a region, which has IPv6 and IPv4 addresses, port 9142:
    /// `cassandra.us-east-1.api.aws`.
    ///
    /// # Errors
    ///
    /// If the region has no dual-stack endpoint, as in China, or `region` does not have the form of a region name.
    pub fn dual_stack(region: impl AsRef<str>) -> Result<Self, Error> {
        let region = Region::parse(region.as_ref())?;
        match region.partition().dual_stack_suffix {
            Some(suffix) => Ok(Self::named(format!("cassandra.{region}.{suffix}"), region)),
            None => Err(kind_missing("dual-stack", &region, "only the commercial and the GovCloud regions have one")),
        }
    }

    /// Returns the endpoint of a region that is both a FIPS and a dual-stack endpoint, port 9142:
    /// `cassandra-fips.us-east-1.api.aws`. Only us-east-1 and us-west-2 have one. For GovCloud this is an error: the
    /// guide calls its standard endpoints FIPS endpoints, but not its dual-stack endpoints.
    ///
    /// # Errors
    ///
    /// If the region has no such endpoint, or `region` does not have the form of a region name.
    pub fn fips_dual_stack(region: impl AsRef<str>) -> Result<Self, Error> {
        let region = Region::parse(region.as_ref())?;
        match region.partition().dual_stack_suffix {
            Some(suffix) if FIPS_REGIONS.contains(&region.as_str()) => {
                Ok(Self::named(format!("cassandra-fips.{region}.{suffix}"), region))
            }
            _ => Err(kind_missing("FIPS dual-stack", &region, "only us-east-1 and us-west-2 have one")),
        }
    }

    /// Returns the endpoint with the DNS name of an interface VPC endpoint, port 9142:
    /// `vpce-<id>.cassandra.us-east-1.vpce.amazonaws.com`, with or without an availability zone after the id. If
    /// private DNS is enabled, use [`Endpoint::region`] instead.
    ///
    /// Certificates must contain the standard name of the region. Whether they contain this name or that of the VPC
    /// endpoint is unverified; [`with_server_name`](Self::with_server_name) sets another name.
    ///
    /// # Errors
    ///
    /// If the name does not have that form.
    pub fn vpc(dns_name: impl AsRef<str>) -> Result<Self, Error> {
        let text = dns_name.as_ref();
        let Some((host, server_name, region)) = vpc_parts(text) else {
            return Err(Error::new(
                ErrorKind::Configuration,
                format!("parsing {} as the name of a VPC endpoint", Quoted(text)),
                "it does not have the form vpce-0123456789abcdef0-01234567.cassandra.us-east-1.vpce.amazonaws.com",
            )
            .with_advice(
                "`aws ec2 describe-vpc-endpoints` lists the names; with private DNS enabled, use Endpoint::region \
                 instead",
            ));
        };
        Ok(Self { server_name: Some(server_name), ..Self::named(host, region) })
    }

    /// Returns an endpoint with any host and port, and the DNS name that its certificate must contain. It is meant for
    /// a proxy, a tunnel, an address without a DNS name, or a local Keyspaces.
    ///
    /// `host` is a DNS name or an IP address; an IPv6 address may be in brackets. If `server_name` is a name of the
    /// service's endpoints, the session signs for its region; otherwise set the region with
    /// [`with_signing_region`](Self::with_signing_region) or [`SessionBuilder::region`](crate::SessionBuilder::region).
    ///
    /// ```
    /// use keyspaces::Endpoint;
    ///
    /// // A tunnel to the endpoint of us-east-1, whose certificate is still verified.
    /// let endpoint = Endpoint::explicit("127.0.0.1", 19142, "cassandra.us-east-1.amazonaws.com")?;
    /// assert_eq!(endpoint.signing_region(), Some("us-east-1"));
    /// # Ok::<(), keyspaces::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If `host` is neither a DNS name nor an IP address, `port` is 0, or `server_name` is not a DNS name. An IP
    /// address is refused as `server_name`, because the service's certificates contain only DNS names.
    pub fn explicit(host: impl AsRef<str>, port: u16, server_name: impl AsRef<str>) -> Result<Self, Error> {
        let server_name = parse_server_name(server_name.as_ref())?;
        Ok(Self {
            host: parse_host(host.as_ref())?,
            port: parse_port(port)?,
            signing_region: region_of(&server_name),
            server_name: Some(server_name),
        })
    }

    /// Returns the endpoint of a plain Cassandra at `host:port`, without TLS and signatures, for instance in a
    /// container for an application's tests. The session authenticates with a password if one is set. The default port
    /// is 9042. An IPv6 address needs brackets.
    ///
    /// # Errors
    ///
    /// If `address` does not have that form.
    pub fn cassandra(address: impl AsRef<str>) -> Result<Self, Error> {
        let (host, port) = split_address(address.as_ref())?;
        Ok(Self { host: parse_host(host)?, port, server_name: None, signing_region: None })
    }

    /// Replaces the name that the endpoint's certificate must contain.
    ///
    /// # Errors
    ///
    /// If `server_name` is not a DNS name or belongs to another region than the endpoint, or for a plain Cassandra,
    /// which has no certificate.
    pub fn with_server_name(mut self, server_name: impl AsRef<str>) -> Result<Self, Error> {
        let name = parse_server_name(server_name.as_ref())?;
        if self.is_cassandra() {
            return Err(Error::new(
                ErrorKind::Configuration,
                format!("verifying {self} as {name}"),
                "a plain Cassandra is connected to without TLS and has no certificate",
            )
            .with_advice("Use Endpoint::explicit"));
        }
        match (&self.signing_region, region_of(&name)) {
            (Some(ours), Some(theirs)) if *ours != theirs => return Err(contradicting_regions(&name, &theirs, ours)),
            (None, Some(theirs)) => self.signing_region = Some(theirs),
            _ => {}
        }
        self.server_name = Some(name);
        Ok(self)
    }

    /// Replaces the region to sign for. This is necessary only for an [`explicit`](Self::explicit) endpoint whose
    /// server name is not a name of the service's endpoints.
    ///
    /// # Errors
    ///
    /// If `region` does not have the form of a region name, if the server name belongs to another region, because its
    /// endpoint would refuse every signature, or for a plain Cassandra, which does not accept signatures.
    pub fn with_signing_region(mut self, region: impl AsRef<str>) -> Result<Self, Error> {
        let region = Region::parse(region.as_ref())?;
        let Some(name) = &self.server_name else {
            return Err(Error::new(
                ErrorKind::Configuration,
                format!("signing for {region} at {self}"),
                "a plain Cassandra does not accept signatures",
            )
            .with_advice("Use a password, or Endpoint::explicit"));
        };
        match region_of(name) {
            Some(theirs) if theirs != region => Err(contradicting_regions(name, &theirs, &region)),
            _ => {
                self.signing_region = Some(region);
                Ok(self)
            }
        }
    }

    /// The DNS name or IP address to connect to. An IPv6 address has no brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The DNS name that every certificate must contain; `None` for a plain Cassandra, which has no TLS.
    pub fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// The region to sign for; `None` for a plain Cassandra, and if neither the server name nor
    /// [`with_signing_region`](Self::with_signing_region) determines it.
    pub fn signing_region(&self) -> Option<&str> {
        self.signing_region.as_ref().map(Region::as_str)
    }

    /// Whether this is a plain Cassandra, without TLS and signatures.
    pub fn is_cassandra(&self) -> bool {
        self.server_name.is_none()
    }

    fn standard(region: Region) -> Self {
        Self::named(standard_name("cassandra", &region), region)
    }

    fn named(host: String, region: Region) -> Self {
        Self { server_name: Some(host.clone()), host, port: PORT, signing_region: Some(region) }
    }

    fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let set = |name| variable(name).filter(|value| !value.is_empty());
        match set("AWS_REGION").or_else(|| set("AWS_DEFAULT_REGION")) {
            Some(region) => Self::region(region),
            None => Err(Error::new(
                ErrorKind::Configuration,
                "reading the region from the environment",
                "neither AWS_REGION nor AWS_DEFAULT_REGION is set",
            )
            .with_advice("Set one of them, or set the region in the program")),
        }
    }
}

/// Prints `host:port`, with an IPv6 address in brackets.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

fn standard_name(service: &str, region: &Region) -> String {
    format!("{service}.{region}.{}", region.partition().suffix)
}

/// Returns the host, the name to verify and the region for the DNS name of a VPC endpoint; `None` if it is not one.
///
/// Which name the certificate behind a VPC endpoint contains is unverified; only this function depends on it.
fn vpc_parts(text: &str) -> Option<(String, String, Region)> {
    let host = parse_dns_name(text)?;
    let (id, rest) = host.split_once('.')?;
    let (service, rest) = rest.split_once('.')?;
    let (region, suffix) = rest.split_once('.')?;
    let region = Region::parse(region).ok()?;
    let is_well_formed = id.strip_prefix("vpce-").is_some_and(|id| !id.is_empty())
        && (service == "cassandra" || service == "cassandra-fips")
        && suffix.strip_prefix("vpce.") == Some(region.partition().suffix);
    let server_name = standard_name(service, &region);
    is_well_formed.then(|| (host.clone(), server_name, region))
}

/// The region of a name of the service's endpoints; `None` for any other name.
fn region_of(name: &str) -> Option<Region> {
    if let Some((.., region)) = vpc_parts(name) {
        return Some(region);
    }
    let rest = name.strip_prefix("cassandra.").or_else(|| name.strip_prefix("cassandra-fips."))?;
    let (region, suffix) = rest.split_once('.')?;
    let region = Region::parse(region).ok()?;
    let partition = region.partition();
    (suffix == partition.suffix || Some(suffix) == partition.dual_stack_suffix).then_some(region)
}

fn kind_missing(kind: &str, region: &Region, regions_with_it: &'static str) -> Error {
    Error::new(ErrorKind::Configuration, format!("finding the {kind} endpoint of {region}"), regions_with_it)
        .with_advice(format!(
            "Use Endpoint::region(\"{region}\"), or Endpoint::explicit if AWS has added an endpoint since"
        ))
}

fn contradicting_regions(name: &str, theirs: &Region, ours: &Region) -> Error {
    Error::new(
        ErrorKind::Configuration,
        format!("signing for {ours} at {name}"),
        format!("that is an endpoint of {theirs}, which refuses signatures for other regions"),
    )
    .with_advice("Use the same region for both")
}
