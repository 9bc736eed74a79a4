//! What a certificate says, for people.

use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use x509_parser::prelude::{ASN1Time, FromDer as _, GeneralName, X509Certificate};

/// What a certificate says.
#[derive(Debug, Serialize)]
pub(crate) struct Certificate {
    pub(crate) subject: String,
    pub(crate) names: Vec<String>,
    pub(crate) issuer: String,
    /// In UTC (RFC 3339), as the next.
    pub(crate) not_before: String,
    pub(crate) not_after: String,
    /// Whole days from now; negative if it has expired.
    pub(crate) days_left: i64,
}

impl Certificate {
    /// Reads a certificate in DER, if it is one.
    pub(crate) fn from_der(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let extension = certificate.subject_alternative_name().ok().flatten();
        let names = extension.iter().flat_map(|extension| &extension.value.general_names).filter_map(name);
        let validity = certificate.validity();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|now| i64::try_from(now.as_secs()).ok());
        Some(Self {
            subject: printable(&certificate.subject().to_string()),
            names: names.collect(),
            issuer: printable(&certificate.issuer().to_string()),
            not_before: rfc3339(validity.not_before),
            not_after: rfc3339(validity.not_after),
            days_left: validity.not_after.timestamp().saturating_sub(now.unwrap_or_default()).div_euclid(24 * 60 * 60),
        })
    }
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(printable(name)),
        GeneralName::IPAddress(octets) => match octets.len() {
            4 => <[u8; 4]>::try_from(*octets).ok().map(|octets| IpAddr::from(octets).to_string()),
            _ => <[u8; 16]>::try_from(*octets).ok().map(|octets| IpAddr::from(octets).to_string()),
        },
        _ => None,
    }
}

fn rfc3339(time: ASN1Time) -> String {
    let time = time.to_datetime();
    let (hour, minute, second) = time.to_hms();
    format!("{:04}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", time.year(), u8::from(time.month()), time.day())
}

/// Nothing in a certificate is to steer a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair};

    #[test]
    fn what_it_says() {
        let names = ["mx.example", "*.example", "192.0.2.1", "2001:db8::1"].map(String::from);
        let mut params = CertificateParams::new(names.clone()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "a\x1b[2Jb");
        params.not_before = rcgen::date_time_ymd(2020, 1, 2);
        params.not_after = rcgen::date_time_ymd(2021, 11, 30);
        let der = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let certificate = Certificate::from_der(der.der()).unwrap();
        assert_eq!(certificate.names, names);
        assert!(certificate.subject.contains("a\u{fffd}[2Jb"), "{certificate:?}");
        assert_eq!(certificate.not_before, "2020-01-02T00:00:00Z");
        assert_eq!(certificate.not_after, "2021-11-30T00:00:00Z");
        assert!(certificate.days_left < 0);
        for end in 0..der.der().len() {
            assert!(Certificate::from_der(&der.der()[..end]).is_none());
        }
    }
}
