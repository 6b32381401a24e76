mod address;
#[cfg(test)]
mod tests;

use std::env;
use std::fmt;

use self::address::{parse_dns_name, parse_host, parse_port, parse_server_name, split_address};
use crate::region::{Quoted, Region};
use crate::{Error, ErrorKind};

/// Where to connect, and by which name the certificate must go: host, port, name to verify, region of the signature.
///
/// The names are those of `DG:programmatic.endpoints`. A region that the guide does not list is accepted if it reads
/// like one; a kind of endpoint that a region does not have is an error.
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

/// CQL over TLS (`DG:programmatic.endpoints`).
const PORT: u16 = 9142;

/// Where a Cassandra listens unless told otherwise.
const CASSANDRA_PORT: u16 = 9042;

/// The commercial regions with FIPS endpoints beside the standard ones (`DG:programmatic.endpoints`).
const FIPS_REGIONS: [&str; 2] = ["us-east-1", "us-west-2"];

impl Endpoint {
    /// The standard endpoint of a region: `cassandra.us-east-1.amazonaws.com`, in China
    /// `cassandra.cn-north-1.amazonaws.com.cn`.
    ///
    /// In GovCloud it is a FIPS endpoint. In a VPC with an interface endpoint and private DNS, this name leads to
    /// that endpoint.
    ///
    /// # Errors
    ///
    /// If the text does not read like a region.
    pub fn region(region: impl AsRef<str>) -> Result<Self, Error> {
        Ok(Self::standard(Region::parse(region.as_ref())?))
    }

    /// The standard endpoint of the region in `AWS_REGION` or, where that is not set or empty, in
    /// `AWS_DEFAULT_REGION`.
    ///
    /// # Errors
    ///
    /// If neither is set, or what is set does not read like a region.
    pub fn from_environment() -> Result<Self, Error> {
        Self::from_variables(|name| env::var(name).ok())
    }

    /// The FIPS endpoint of a region: `cassandra-fips.us-east-1.amazonaws.com`. Only us-east-1 and us-west-2 have
    /// one; in GovCloud it is the standard endpoint, which this gives.
    ///
    /// # Errors
    ///
    /// If the region has none, or does not read like a region.
    pub fn fips(region: impl AsRef<str>) -> Result<Self, Error> {
        let region = Region::parse(region.as_ref())?;
        let partition = region.partition();
        if partition.fips_by_default {
            return Ok(Self::standard(region));
        }
        if !FIPS_REGIONS.contains(&region.as_str()) {
            return Err(no_such_kind(
                "FIPS",
                &region,
                "only us-east-1 and us-west-2 have one, and in us-gov-east-1 and us-gov-west-1 the standard endpoint \
                 is one",
            ));
        }
        Ok(Self::named(format!("cassandra-fips.{region}.{}", partition.suffix), region))
    }

    /// The endpoint of a region that has IPv6 addresses beside the IPv4 ones: `cassandra.us-east-1.api.aws`.
    ///
    /// # Errors
    ///
    /// If the region has none (China), or does not read like a region.
    pub fn dual_stack(region: impl AsRef<str>) -> Result<Self, Error> {
        let region = Region::parse(region.as_ref())?;
        match region.partition().dual_stack_suffix {
            Some(suffix) => Ok(Self::named(format!("cassandra.{region}.{suffix}"), region)),
            None => Err(no_such_kind("dual-stack", &region, "only the commercial and the GovCloud regions have one")),
        }
    }

    /// The endpoint of a region that is both: `cassandra-fips.us-east-1.api.aws`. Only us-east-1 and us-west-2 have
    /// one. In GovCloud the guide calls the standard endpoints FIPS endpoints and does not say it of the dual-stack
    /// ones, so none is given there.
    ///
    /// # Errors
    ///
    /// If the region has none, or does not read like a region.
    pub fn fips_dual_stack(region: impl AsRef<str>) -> Result<Self, Error> {
        let region = Region::parse(region.as_ref())?;
        match region.partition().dual_stack_suffix {
            Some(suffix) if FIPS_REGIONS.contains(&region.as_str()) => {
                Ok(Self::named(format!("cassandra-fips.{region}.{suffix}"), region))
            }
            _ => Err(no_such_kind("FIPS dual-stack", &region, "only us-east-1 and us-west-2 have one")),
        }
    }

    /// The DNS name of an interface VPC endpoint: `vpce-<id>.cassandra.us-east-1.vpce.amazonaws.com`, with or without
    /// an availability zone after the id. Where private DNS is on, [`Endpoint::region`] is enough.
    ///
    /// The certificate is held to the region's standard name. That it carries this name and not the VPC endpoint's is
    /// unverified; [`with_server_name`](Self::with_server_name) sets another.
    ///
    /// # Errors
    ///
    /// If the name does not have that form.
    pub fn vpc(dns_name: impl AsRef<str>) -> Result<Self, Error> {
        let text = dns_name.as_ref();
        let Some((host, server_name, region)) = vpc_parts(text) else {
            return Err(Error::new(
                ErrorKind::Configuration,
                format!("taking {} as a VPC endpoint's name", Quoted(text)),
                "it does not read like vpce-0123456789abcdef0-01234567.cassandra.us-east-1.vpce.amazonaws.com",
            )
            .with_advice(
                "`aws ec2 describe-vpc-endpoints` lists the names; with private DNS on, use Endpoint::region instead",
            ));
        };
        Ok(Self { server_name: Some(server_name), ..Self::named(host, region) })
    }

    /// A host and port of one's own, and the DNS name that its certificate must carry: a proxy, a tunnel, an address
    /// where DNS does not reach, a local Keyspaces.
    ///
    /// The host is a DNS name or an IP address, with or without brackets. If the name to verify is one of the
    /// service's, its region is the signature's; otherwise [`with_signing_region`](Self::with_signing_region) says it.
    ///
    /// # Errors
    ///
    /// If the host is neither, the port is 0, or the name to verify is not a DNS name: an IP address is not,
    /// because the service's certificates carry DNS names only.
    pub fn explicit(host: impl AsRef<str>, port: u16, server_name: impl AsRef<str>) -> Result<Self, Error> {
        let server_name = parse_server_name(server_name.as_ref())?;
        Ok(Self {
            host: parse_host(host.as_ref())?,
            port: parse_port(port)?,
            signing_region: region_of(&server_name),
            server_name: Some(server_name),
        })
    }

    /// A plain Cassandra at `host:port`: no TLS, no signature, a password if one is set. For the container in an
    /// application's tests. Without a port it is 9042; an IPv6 address stands in brackets.
    ///
    /// # Errors
    ///
    /// If the text is not an address.
    pub fn cassandra(address: impl AsRef<str>) -> Result<Self, Error> {
        let (host, port) = split_address(address.as_ref())?;
        Ok(Self { host: parse_host(host)?, port, server_name: None, signing_region: None })
    }

    /// The same endpoint, its certificate held to another name.
    ///
    /// # Errors
    ///
    /// If it is not a DNS name, if it is a name of another region than the endpoint's, or on a plain Cassandra, which
    /// has no certificate.
    pub fn with_server_name(mut self, server_name: impl AsRef<str>) -> Result<Self, Error> {
        let name = parse_server_name(server_name.as_ref())?;
        if self.is_cassandra() {
            return Err(Error::new(
                ErrorKind::Configuration,
                format!("verifying {self} as {name}"),
                "a plain Cassandra is spoken to without TLS and has no certificate",
            )
            .with_advice("Use Endpoint::explicit"));
        }
        match (&self.signing_region, region_of(&name)) {
            (Some(ours), Some(theirs)) if *ours != theirs => return Err(two_regions(&name, &theirs, ours)),
            (None, Some(theirs)) => self.signing_region = Some(theirs),
            _ => {}
        }
        self.server_name = Some(name);
        Ok(self)
    }

    /// The same endpoint, signed for this region. Only an [`explicit`](Self::explicit) endpoint whose name to verify
    /// is not one of the service's needs it.
    ///
    /// # Errors
    ///
    /// If the text does not read like a region, if the name to verify is of another region (the service would refuse
    /// every signature), or on a plain Cassandra, which takes no signatures.
    pub fn with_signing_region(mut self, region: impl AsRef<str>) -> Result<Self, Error> {
        let region = Region::parse(region.as_ref())?;
        let Some(name) = &self.server_name else {
            return Err(Error::new(
                ErrorKind::Configuration,
                format!("signing for {region} at {self}"),
                "a plain Cassandra takes no signatures",
            )
            .with_advice("Use a password, or Endpoint::explicit"));
        };
        match region_of(name) {
            Some(theirs) if theirs != region => Err(two_regions(name, &theirs, &region)),
            _ => {
                self.signing_region = Some(region);
                Ok(self)
            }
        }
    }

    /// The DNS name or IP address to connect to, an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The DNS name that every certificate must carry; `None` for a plain Cassandra, where there is no TLS.
    pub fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// The region that signatures are made for; `None` for a plain Cassandra, and where nothing tells it.
    pub fn signing_region(&self) -> Option<&str> {
        self.signing_region.as_ref().map(Region::as_str)
    }

    /// Whether this is a plain Cassandra: no TLS and no signature.
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
                "taking the region from the environment",
                "neither AWS_REGION nor AWS_DEFAULT_REGION is set",
            )
            .with_advice("Set one of them, or name the region in the program")),
        }
    }
}

/// `host:port`, an IPv6 host in brackets.
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

/// Host, name to verify and region of a VPC endpoint's name.
///
/// The one place that decides by which name the certificate behind a VPC endpoint goes (unverified).
fn vpc_parts(text: &str) -> Option<(String, String, Region)> {
    let host = parse_dns_name(text)?;
    let (id, rest) = host.split_once('.')?;
    let (service, rest) = rest.split_once('.')?;
    let (region, suffix) = rest.split_once('.')?;
    let region = Region::parse(region).ok()?;
    let well_formed = id.strip_prefix("vpce-").is_some_and(|id| !id.is_empty())
        && (service == "cassandra" || service == "cassandra-fips")
        && suffix.strip_prefix("vpce.") == Some(region.partition().suffix);
    let server_name = standard_name(service, &region);
    well_formed.then(|| (host.clone(), server_name, region))
}

/// The region of a name that the service's endpoints have.
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

fn no_such_kind(kind: &str, region: &Region, where_it_exists: &'static str) -> Error {
    Error::new(ErrorKind::Configuration, format!("finding the {kind} endpoint of {region}"), where_it_exists)
        .with_advice(format!(
            "Use Endpoint::region(\"{region}\"), or Endpoint::explicit if AWS has added an endpoint since"
        ))
}

fn two_regions(name: &str, theirs: &Region, ours: &Region) -> Error {
    Error::new(
        ErrorKind::Configuration,
        format!("signing for {ours} at {name}"),
        format!("that is an endpoint of {theirs}, which refuses every signature made for another region"),
    )
    .with_advice("Name the same region in both")
}
