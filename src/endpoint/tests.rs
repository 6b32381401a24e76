use super::*;

fn assert_parts(endpoint: &Endpoint, host: &str, port: u16, server_name: Option<&str>, region: Option<&str>) {
    assert_eq!(endpoint.host(), host);
    assert_eq!(endpoint.port(), port);
    assert_eq!(endpoint.server_name(), server_name);
    assert_eq!(endpoint.signing_region(), region);
    assert_eq!(endpoint.is_cassandra(), server_name.is_none());
}

fn assert_named(endpoint: Result<Endpoint, Error>, name: &str, region: &str) {
    let endpoint = endpoint.unwrap();
    assert_parts(&endpoint, name, 9142, Some(name), Some(region));
    assert_eq!(endpoint.to_string(), format!("{name}:9142"));
}

fn assert_refused(endpoint: Result<Endpoint, Error>, text: &str) {
    let error = endpoint.unwrap_err();
    assert_eq!(error.to_string(), text);
    assert_eq!(error.kind(), ErrorKind::Configuration);
}

#[test]
fn a_region_determines_host_port_and_name_to_verify() {
    for region in [
        "us-east-1",
        "us-east-2",
        "us-west-1",
        "us-west-2",
        "af-south-1",
        "ap-east-1",
        "ap-southeast-1",
        "ap-southeast-2",
        "ap-southeast-5",
        "ap-southeast-7",
        "ap-south-1",
        "ap-northeast-1",
        "ap-northeast-2",
        "ca-central-1",
        "ca-west-1",
        "eu-central-1",
        "eu-west-1",
        "eu-west-2",
        "eu-west-3",
        "eu-north-1",
        "me-south-1",
        "me-central-1",
        "sa-east-1",
        "us-gov-east-1",
        "us-gov-west-1",
    ] {
        assert_named(Endpoint::region(region), &format!("cassandra.{region}.amazonaws.com"), region);
        assert_named(Endpoint::dual_stack(region), &format!("cassandra.{region}.api.aws"), region);
    }
    for region in ["cn-north-1", "cn-northwest-1"] {
        assert_named(Endpoint::region(region), &format!("cassandra.{region}.amazonaws.com.cn"), region);
    }
    for region in FIPS_REGIONS {
        assert_named(Endpoint::fips(region), &format!("cassandra-fips.{region}.amazonaws.com"), region);
        assert_named(Endpoint::fips_dual_stack(region), &format!("cassandra-fips.{region}.api.aws"), region);
    }
}

#[test]
fn an_unknown_region_is_accepted_and_converted_to_lower_case() {
    assert_named(Endpoint::region("EU-Nowhere-9"), "cassandra.eu-nowhere-9.amazonaws.com", "eu-nowhere-9");
    assert_named(Endpoint::region("us-iso-east-1"), "cassandra.us-iso-east-1.c2s.ic.gov", "us-iso-east-1");
    assert_named(Endpoint::dual_stack("eu-nowhere-9"), "cassandra.eu-nowhere-9.api.aws", "eu-nowhere-9");
}

#[test]
fn a_text_that_is_not_a_region_is_refused_for_every_kind() {
    for endpoint in [Endpoint::region, Endpoint::fips, Endpoint::dual_stack, Endpoint::fips_dual_stack] {
        assert_refused(
            endpoint("us-east"),
            "parsing \"us-east\" as a region failed: it does not end in a hyphen and a number. A region name looks \
             like us-east-1, us-gov-west-1 or cn-north-1",
        );
    }
}

#[test]
fn govcloud_fips_endpoint_is_the_standard_endpoint() {
    assert_eq!(Endpoint::fips("us-gov-west-1").unwrap(), Endpoint::region("us-gov-west-1").unwrap());
}

#[test]
fn a_kind_of_endpoint_that_a_region_does_not_have_is_refused_with_the_regions_that_have_it() {
    assert_refused(
        Endpoint::fips("eu-west-1"),
        "finding the FIPS endpoint of eu-west-1 failed: only us-east-1 and us-west-2 have one, and in \
         us-gov-east-1 and us-gov-west-1 the standard endpoint is one. Use Endpoint::region(\"eu-west-1\"), or \
         Endpoint::explicit if AWS has added an endpoint since",
    );
    assert_refused(
        Endpoint::dual_stack("cn-north-1"),
        "finding the dual-stack endpoint of cn-north-1 failed: only the commercial and the GovCloud regions have \
         one. Use Endpoint::region(\"cn-north-1\"), or Endpoint::explicit if AWS has added an endpoint since",
    );
    for region in ["us-gov-west-1", "eu-west-1", "cn-north-1"] {
        assert_refused(
            Endpoint::fips_dual_stack(region),
            &format!(
                "finding the FIPS dual-stack endpoint of {region} failed: only us-east-1 and us-west-2 have one. \
                 Use Endpoint::region(\"{region}\"), or Endpoint::explicit if AWS has added an endpoint since"
            ),
        );
    }
}

#[test]
fn the_region_is_read_from_the_environment_aws_region_first() {
    let from = |set: &[(&str, &str)]| {
        let set: Vec<_> = set.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Endpoint::from_variables(move |name| set.iter().find(|(set, _)| set == name).map(|(_, value)| value.clone()))
    };
    let (first, second) = ("AWS_REGION", "AWS_DEFAULT_REGION");
    assert_eq!(from(&[(first, "eu-west-1"), (second, "us-east-1")]).unwrap().signing_region(), Some("eu-west-1"));
    assert_eq!(from(&[(second, "us-east-1")]).unwrap().signing_region(), Some("us-east-1"));
    assert_eq!(from(&[(first, ""), (second, "us-east-1")]).unwrap().signing_region(), Some("us-east-1"));
    assert_refused(
        from(&[(first, "")]),
        "reading the region from the environment failed: neither AWS_REGION nor AWS_DEFAULT_REGION is set. Set one of \
         them, or set the region in the program",
    );
    assert_eq!(from(&[(first, "here")]).unwrap_err().kind(), ErrorKind::Configuration);
}

#[test]
fn a_vpc_endpoint_is_connected_to_by_its_name_and_verified_by_the_name_of_its_region() {
    for (host, server_name, region) in [
        (
            "vpce-0a1b2c3d4e5f60718-abcdefgh.cassandra.us-east-1.vpce.amazonaws.com",
            "cassandra.us-east-1.amazonaws.com",
            "us-east-1",
        ),
        (
            "vpce-0a1b2c3d4e5f60718-abcdefgh-us-east-1a.cassandra.us-east-1.vpce.amazonaws.com",
            "cassandra.us-east-1.amazonaws.com",
            "us-east-1",
        ),
        (
            "vpce-0a1b2c3d-x.cassandra.cn-north-1.vpce.amazonaws.com.cn",
            "cassandra.cn-north-1.amazonaws.com.cn",
            "cn-north-1",
        ),
        (
            "vpce-0a1b2c3d-x.cassandra-fips.us-west-2.vpce.amazonaws.com",
            "cassandra-fips.us-west-2.amazonaws.com",
            "us-west-2",
        ),
    ] {
        assert_parts(&Endpoint::vpc(host).unwrap(), host, 9142, Some(server_name), Some(region));
    }
}

#[test]
fn the_name_to_verify_of_a_vpc_endpoint_can_be_set() {
    let host = "vpce-0a1b2c3d-x.cassandra.us-east-1.vpce.amazonaws.com";
    let endpoint = Endpoint::vpc(host).unwrap().with_server_name(host).unwrap();
    assert_parts(&endpoint, host, 9142, Some(host), Some("us-east-1"));
    assert_refused(
        endpoint.with_server_name("cassandra.eu-west-1.amazonaws.com"),
        "signing for us-east-1 at cassandra.eu-west-1.amazonaws.com failed: that is an endpoint of eu-west-1, which \
         refuses signatures for other regions. Use the same region for both",
    );
}

#[test]
fn a_name_that_is_not_of_a_vpc_endpoint_is_refused() {
    for name in [
        "cassandra.us-east-1.amazonaws.com",
        "vpce-1.cassandra.us-east-1.vpce.amazonaws.com.cn",
        "vpce-1.dynamodb.us-east-1.vpce.amazonaws.com",
        "vpce-.cassandra.us-east-1.vpce.amazonaws.com",
        "vpce-1.cassandra.useast1.vpce.amazonaws.com",
        "vpce-1.cassandra.us-east-1.vpce.amazonaws.com:9142",
        "",
    ] {
        assert_refused(
            Endpoint::vpc(name),
            &format!(
                "parsing {name:?} as the name of a VPC endpoint failed: it does not have the form \
                 vpce-0123456789abcdef0-01234567.cassandra.us-east-1.vpce.amazonaws.com. `aws ec2 \
                 describe-vpc-endpoints` lists the names; with private DNS enabled, use Endpoint::region instead"
            ),
        );
    }
}

#[test]
fn explicit_endpoint_signs_for_the_region_in_its_host_name() {
    for (name, region) in [
        ("cassandra.us-east-1.amazonaws.com", Some("us-east-1")),
        ("Cassandra.US-East-1.amazonaws.com.", Some("us-east-1")),
        ("cassandra-fips.us-west-2.api.aws", Some("us-west-2")),
        ("cassandra.cn-north-1.amazonaws.com.cn", Some("cn-north-1")),
        ("vpce-1.cassandra.us-east-1.vpce.amazonaws.com", Some("us-east-1")),
        ("cassandra.us-east-1.amazonaws.com.cn", None),
        ("cassandra.us-east-1.example.com", None),
        ("localhost", None),
    ] {
        let endpoint = Endpoint::explicit("127.0.0.1", 19142, name).unwrap();
        let lowered = name.trim_end_matches('.').to_lowercase();
        assert_parts(&endpoint, "127.0.0.1", 19142, Some(&lowered), region);
    }
}

#[test]
fn explicit_host_may_be_a_name_or_an_ipv4_or_ipv6_address() {
    for (host, parsed, shown) in [
        ("LocalHost", "localhost", "localhost:9142"),
        ("my_tunnel.internal.", "my_tunnel.internal", "my_tunnel.internal:9142"),
        ("10.0.0.7", "10.0.0.7", "10.0.0.7:9142"),
        ("::1", "::1", "[::1]:9142"),
        ("[2001:DB8::1]", "2001:db8::1", "[2001:db8::1]:9142"),
    ] {
        let endpoint = Endpoint::explicit(host, 9142, "localhost").unwrap();
        assert_eq!((endpoint.host(), endpoint.to_string().as_str()), (parsed, shown));
    }
}

#[test]
fn an_invalid_host_port_or_name_is_refused() {
    let long = "a".repeat(64);
    for host in ["", "a b", "localhost:9142", "https://localhost", "[10.0.0.1]", "[::1", "127.0.0.256", "-a", &long] {
        assert_refused(
            Endpoint::explicit(host, 9142, "localhost"),
            &format!(
                "parsing {host:?} as a host failed: it is neither a DNS name nor an IP address. Pass only the name or address of the \
                 host, without scheme, port or path"
            ),
        );
    }
    assert_refused(
        Endpoint::explicit("localhost", 0, "localhost"),
        "parsing 0 as a port failed: it is not the number of a port. Amazon Keyspaces listens on 9142",
    );
    assert_refused(
        Endpoint::explicit("localhost", 9142, "127.0.0.1"),
        "parsing \"127.0.0.1\" as the name to verify failed: it is an IP address, and the service's certificates \
         contain only DNS names. Give the DNS name in the certificate, such as cassandra.us-east-1.amazonaws.com",
    );
    assert_refused(
        Endpoint::explicit("localhost", 9142, "*.amazonaws.com"),
        "parsing \"*.amazonaws.com\" as the name to verify failed: it is not a DNS name. Give the DNS name in the \
         certificate, such as cassandra.us-east-1.amazonaws.com",
    );
}

#[test]
fn the_signing_region_can_be_set_if_the_name_does_not_determine_it() {
    let endpoint = Endpoint::explicit("localhost", 9142, "proxy.internal").unwrap();
    let signed = endpoint.with_signing_region("EU-WEST-1").unwrap();
    assert_eq!(signed.signing_region(), Some("eu-west-1"));
    assert_refused(
        Endpoint::region("us-east-1").unwrap().with_signing_region("eu-west-1"),
        "signing for eu-west-1 at cassandra.us-east-1.amazonaws.com failed: that is an endpoint of us-east-1, which \
         refuses signatures for other regions. Use the same region for both",
    );
    assert_refused(
        Endpoint::cassandra("localhost").unwrap().with_signing_region("eu-west-1"),
        "signing for eu-west-1 at localhost:9042 failed: a plain Cassandra does not accept signatures. Use a password, \
         or Endpoint::explicit",
    );
    assert_refused(
        Endpoint::cassandra("localhost").unwrap().with_server_name("localhost"),
        "verifying localhost:9042 as localhost failed: a plain Cassandra is connected to without TLS and has no \
         certificate. Use Endpoint::explicit",
    );
}

#[test]
fn cassandra_endpoint_parses_host_and_port() {
    for (address, host, port) in [
        ("127.0.0.1:9042", "127.0.0.1", 9042),
        ("cassandra:19042", "cassandra", 19042),
        ("localhost", "localhost", 9042),
        ("[::1]:9043", "::1", 9043),
        ("[::1]", "::1", 9042),
    ] {
        assert_parts(&Endpoint::cassandra(address).unwrap(), host, port, None, None);
    }
}

#[test]
fn an_invalid_address_is_refused() {
    for address in ["::1", "::1:9042", "2001:db8::1:9042"] {
        assert_refused(
            Endpoint::cassandra(address),
            &format!(
                "parsing {address:?} as the address of a Cassandra failed: an IPv6 address needs brackets. Write it \
                 like [::1]:9042"
            ),
        );
    }
    for address in ["localhost:", "localhost:0", "localhost:65536", "localhost:+9042", "cql://localhost:9042"] {
        assert_refused(
            Endpoint::cassandra(address),
            &format!(
                "parsing {address:?} as the address of a Cassandra failed: the text after the colon is not a port from \
                 1 to 65535. Write it like 127.0.0.1:9042"
            ),
        );
    }
    assert_refused(
        Endpoint::cassandra(":9042"),
        "parsing \"\" as a host failed: it is neither a DNS name nor an IP address. Pass only the name or address of the host, without \
         scheme, port or path",
    );
}
