//! Parses hosts, ports and names.

use std::net::{IpAddr, Ipv6Addr};

use super::{CASSANDRA_PORT, PORT};
use crate::region::Quoted;
use crate::{Error, ErrorKind};

pub(super) fn parse_port(port: u16) -> Result<u16, Error> {
    match port {
        0 => Err(Error::new(ErrorKind::Configuration, "parsing 0 as a port", "it is not the number of a port")
            .with_advice(format!("Amazon Keyspaces listens on {PORT}"))),
        port => Ok(port),
    }
}

/// Splits the address of a Cassandra into host and port.
pub(super) fn split_address(text: &str) -> Result<(&str, u16), Error> {
    let refused = |problem, advice| {
        Error::new(ErrorKind::Configuration, format!("parsing {} as the address of a Cassandra", Quoted(text)), problem)
            .with_advice(advice)
    };
    let after_brackets = text.rfind(']').map_or(0, |end| end + 1);
    let Some(colon) = text[after_brackets..].find(':').map(|at| at + after_brackets) else {
        return Ok((text, CASSANDRA_PORT));
    };
    let (host, port) = (&text[..colon], &text[colon + 1..]);
    if text.parse::<Ipv6Addr>().is_ok() || port.contains(':') && !port.contains('/') {
        return Err(refused("an IPv6 address needs brackets", "Write it like [::1]:9042"));
    }
    let digits = port.bytes().all(|b| b.is_ascii_digit());
    match port.parse() {
        Ok(port) if digits && port != 0 => Ok((host, port)),
        _ => Err(refused("the text after the colon is not a port from 1 to 65535", "Write it like 127.0.0.1:9042")),
    }
}

/// Parses a host: an IP address, returned without brackets, or a DNS name, returned in lower case.
pub(super) fn parse_host(text: &str) -> Result<String, Error> {
    let address = match text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        Some(inner) => inner.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => text.parse::<IpAddr>().ok(),
    };
    address.map(|address| address.to_string()).or_else(|| parse_dns_name(text)).ok_or_else(|| {
        Error::new(
            ErrorKind::Configuration,
            format!("parsing {} as a host", Quoted(text)),
            "it is neither a DNS name nor an IP address",
        )
        .with_advice("Pass only the name or address of the host, without scheme, port or path")
    })
}

pub(super) fn parse_server_name(text: &str) -> Result<String, Error> {
    let refused = |problem| {
        Error::new(ErrorKind::Configuration, format!("parsing {} as the name to verify", Quoted(text)), problem)
            .with_advice("Give the DNS name in the certificate, such as cassandra.us-east-1.amazonaws.com")
    };
    if text.parse::<IpAddr>().is_ok() {
        return Err(refused("it is an IP address, and the service's certificates contain only DNS names"));
    }
    parse_dns_name(text).ok_or_else(|| refused("it is not a DNS name"))
}

/// Parses a DNS name. It is returned in lower case and without the dot of the root, because certificates are compared
/// in this form.
pub(super) fn parse_dns_name(text: &str) -> Option<String> {
    let name = text.strip_suffix('.').unwrap_or(text);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // A name whose last label is a number is a mistyped address, such as 127.0.0.256.
    let last = name.rsplit('.').next()?;
    let is_well_formed =
        name.len() <= 253 && name.split('.').all(is_label) && !last.bytes().all(|b| b.is_ascii_digit());
    is_well_formed.then(|| name.to_ascii_lowercase())
}
