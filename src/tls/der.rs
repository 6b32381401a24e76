//! Certificates (X.509, RFC 5280) in DER, read as far as they are shown. Nothing is verified here.

use std::borrow::Cow;
use std::fmt;

use chrono::NaiveDateTime;

const OID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;

/// Elements one after the other. They end at the first thing that is none.
#[derive(Clone, Copy, Debug)]
struct Elements<'d>(&'d [u8]);

#[derive(Clone, Copy, Debug)]
struct Element<'d> {
    tag: u8,
    content: &'d [u8],
    /// With its tag and its length.
    whole: &'d [u8],
}

impl<'d> Iterator for Elements<'d> {
    type Item = Element<'d>;

    fn next(&mut self) -> Option<Element<'d>> {
        let (&[tag, first], rest) = self.0.split_first_chunk()?;
        let (length, header) = match first {
            0..=0x7f => (usize::from(first), 2),
            0x81..=0x83 => {
                let count = usize::from(first & 0x0f);
                let length = rest.get(..count)?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
                (length, 2 + count)
            }
            _ => return None,
        };
        let (whole, after) = self.0.split_at_checked(header + length)?;
        self.0 = after;
        Some(Element { tag, content: whole.get(header..)?, whole })
    }
}

impl<'d> Element<'d> {
    fn elements(self) -> Elements<'d> {
        Elements(self.content)
    }

    fn is(self, tag: u8) -> Option<Self> {
        (self.tag == tag).then_some(self)
    }
}

/// What a certificate says of itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Certificate<'d> {
    pub(super) issuer: Name<'d>,
    pub(super) subject: Name<'d>,
    /// End of validity, seconds since 1970.
    pub(super) not_after: i64,
    extensions: Elements<'d>,
}

/// A name in the subject's alternative names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum AlternativeName<'d> {
    Dns(&'d str),
    /// 4 or 16 bytes.
    Address(&'d [u8]),
}

impl<'d> Certificate<'d> {
    /// `None` if it is no certificate.
    pub(super) fn read(der: &'d [u8]) -> Option<Self> {
        let certificate = Elements(der).next()?.is(SEQUENCE)?;
        let signed = certificate.elements().next()?.is(SEQUENCE)?;
        // The serial number and the algorithm come first, the public key after the subject.
        let mut fields = signed.elements().skip_while(|field| field.tag == VERSION).skip(2);
        let issuer = Name(fields.next()?.is(SEQUENCE)?);
        let validity = fields.next()?.is(SEQUENCE)?;
        let subject = Name(fields.next()?.is(SEQUENCE)?);
        let extensions = fields.find(|field| field.tag == EXTENSIONS).and_then(|field| field.elements().next());
        Some(Self {
            issuer,
            subject,
            not_after: time(validity.elements().nth(1)?)?,
            extensions: extensions.map_or(Elements(&[]), Element::elements),
        })
    }

    pub(super) fn alternative_names(&self) -> Vec<AlternativeName<'d>> {
        let Some(names) = self.extension(&[0x55, 0x1d, 0x11]) else { return Vec::new() };
        let name = |name: Element<'d>| match name.tag {
            0x82 => std::str::from_utf8(name.content).ok().map(AlternativeName::Dns),
            0x87 => Some(AlternativeName::Address(name.content)),
            _ => None,
        };
        names.elements().filter_map(name).collect()
    }

    /// The last numbers of the purposes that it is restricted to (RFC 5280, 4.2.1.12), 0 for others than those of PKIX; `None`
    /// if it is not restricted.
    pub(super) fn purposes(&self) -> Option<Vec<u8>> {
        const PKIX: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3];
        let purposes = self.extension(&[0x55, 0x1d, 0x25])?.elements();
        let number = |purpose: Element<'_>| match purpose.content.strip_prefix(PKIX) {
            Some([number]) => *number,
            _ => 0,
        };
        Some(purposes.map(number).collect())
    }

    fn extension(&self, oid: &[u8]) -> Option<Element<'d>> {
        let mut extensions = self.extensions;
        let found = extensions
            .find(|extension| extension.elements().next().is_some_and(|id| id.tag == OID && id.content == oid));
        // Whether it is critical may stand between.
        found?.elements().last()?.elements().next()
    }
}

/// UTCTime or GeneralizedTime, which has the century too.
fn time(element: Element<'_>) -> Option<i64> {
    let text = std::str::from_utf8(element.content).ok()?;
    let century = match (element.tag, text.as_bytes()) {
        (0x17, [b'0'..=b'4', ..]) => "20",
        (0x17, _) => "19",
        (0x18, _) => "",
        _ => return None,
    };
    let time = NaiveDateTime::parse_from_str(&format!("{century}{text}"), "%Y%m%d%H%M%SZ");
    time.ok().map(|time| time.and_utc().timestamp())
}

/// The name of an issuer or a subject.
#[derive(Clone, Copy, Debug)]
pub(super) struct Name<'d>(Element<'d>);

/// Names are the same if their bytes are.
impl PartialEq for Name<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.whole == other.0.whole
    }
}

impl fmt::Display for Name<'_> {
    /// `C=US, O=Amazon, CN=Amazon Root CA 1`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.0.elements().enumerate() {
            f.write_str(if index == 0 { "" } else { ", " })?;
            for (index, attribute) in part.elements().enumerate() {
                f.write_str(if index == 0 { "" } else { " + " })?;
                let mut attribute = attribute.elements();
                if let (Some(oid), Some(value)) = (attribute.next(), attribute.next()) {
                    write!(f, "{}={}", attribute_name(oid.content), text(value))?;
                }
            }
        }
        Ok(())
    }
}

fn attribute_name(oid: &[u8]) -> Cow<'static, str> {
    Cow::Borrowed(match oid {
        [0x55, 4, 3] => "CN",
        [0x55, 4, 5] => "serialNumber",
        [0x55, 4, 6] => "C",
        [0x55, 4, 7] => "L",
        [0x55, 4, 8] => "ST",
        [0x55, 4, 10] => "O",
        [0x55, 4, 11] => "OU",
        oid => return Cow::Owned(format!("#{}", hex::encode(oid))),
    })
}

fn text(value: Element<'_>) -> Cow<'_, str> {
    const BMP_STRING: u8 = 0x1e;
    if value.tag == BMP_STRING {
        let (pairs, _) = value.content.as_chunks();
        let units: Vec<u16> = pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
        return String::from_utf16_lossy(&units).into();
    }
    String::from_utf8_lossy(value.content)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, SanType};
    use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

    use super::*;

    /// What another reader says of the same bytes.
    fn is_as_another_reads_it(der: &[u8]) {
        let (_, other) = X509Certificate::from_der(der).unwrap();
        let own = Certificate::read(der).unwrap();
        assert_eq!(own.issuer.to_string(), other.issuer().to_string());
        assert_eq!(own.subject.to_string(), other.subject().to_string());
        assert_eq!((own.issuer.0.whole, own.subject.0.whole), (other.issuer().as_raw(), other.subject().as_raw()));
        assert_eq!(own.not_after, other.validity().not_after.timestamp());
        let names = other.subject_alternative_name().unwrap().map(|names| names.value.general_names.clone());
        let names = names.unwrap_or_default().into_iter().filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(AlternativeName::Dns(name)),
            GeneralName::IPAddress(bytes) => Some(AlternativeName::Address(bytes)),
            _ => None,
        });
        assert_eq!(own.alternative_names(), names.collect::<Vec<_>>());
        let usage = other.extended_key_usage().unwrap().map(|usage| usage.value);
        let purposes = own.purposes();
        assert_eq!(purposes.is_some(), usage.is_some());
        if let (Some(purposes), Some(usage)) = (purposes, usage) {
            let flags =
                [(1, usage.server_auth), (2, usage.client_auth), (3, usage.code_signing), (9, usage.ocsp_signing)];
            for (number, is_set) in flags {
                assert_eq!(purposes.contains(&number), is_set, "{number}");
            }
        }
    }

    #[test]
    fn the_roots_read_as_another_reads_them() {
        for (_, pem) in super::super::ROOTS {
            for root in super::super::certificates_in(pem.as_bytes()).unwrap() {
                is_as_another_reads_it(&root);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_certificate_reads_as_another_reads_it_and_a_broken_one_does_no_harm(
            names in prop::collection::vec("[a-z]{1,20}\\.example", 0..12),
            address in prop::option::of(any::<[u8; 4]>()),
            common_name in "\\PC{0,40}",
            organization in prop::option::of("[A-Za-z ]{1,200}"),
            year in 1951_i32..2200,
            (is_server, is_client) in any::<(bool, bool)>(),
            place in any::<prop::sample::Index>(),
            byte in any::<u8>(),
        ) {
            let mut params = CertificateParams::new(names).unwrap();
            params.subject_alt_names.extend(address.map(|bytes| SanType::IpAddress(bytes.into())));
            params.distinguished_name = DistinguishedName::new();
            params.distinguished_name.push(DnType::CommonName, common_name);
            if let Some(organization) = organization {
                params.distinguished_name.push(DnType::OrganizationName, organization);
            }
            params.not_before = rcgen::date_time_ymd(1950, 1, 1);
            params.not_after = rcgen::date_time_ymd(year, 12, 31);
            params.extended_key_usages.extend(is_server.then_some(ExtendedKeyUsagePurpose::ServerAuth));
            params.extended_key_usages.extend(is_client.then_some(ExtendedKeyUsagePurpose::ClientAuth));
            let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
            is_as_another_reads_it(certificate.der());

            let mut broken = certificate.der().to_vec();
            let place = place.index(broken.len());
            broken[place] = byte;
            for der in [&broken[..], &broken[..place]] {
                if let Some(read) = Certificate::read(der) {
                    let _ = (read.issuer.to_string(), read.alternative_names(), read.purposes());
                }
            }
        }
    }
}
