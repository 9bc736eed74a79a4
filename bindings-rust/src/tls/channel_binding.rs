//! What ties SCRAM to the TLS connection (RFC 9266, RFC 5929 §4).

use okuru_core::sasl::{ChannelBinding, ChannelBindingKind};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConnection, ConnectionCommon, ProtocolVersion};
use sha2::{Digest, Sha256, Sha384, Sha512};

/// The binding of a connection whose handshake has ended: `tls-exporter` with TLS 1.3, `tls-server-end-point` before.
pub(super) fn of(connection: &ClientConnection) -> Option<ChannelBinding> {
    match connection.protocol_version()? {
        ProtocolVersion::TLSv1_3 => exporter_binding(connection),
        _ => end_point_binding(connection.peer_certificates()?.first()?),
    }
}

/// `tls-exporter`, with TLS 1.3.
pub(crate) fn exporter_binding<Data>(connection: &ConnectionCommon<Data>) -> Option<ChannelBinding> {
    if connection.protocol_version()? != ProtocolVersion::TLSv1_3 {
        return None;
    }
    // RFC 9266 §2: 32 octets, an empty context.
    let exported = connection.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(&[])).ok()?;
    Some(ChannelBinding::new(ChannelBindingKind::TlsExporter, exported))
}

/// `tls-server-end-point`, of the server's certificate.
pub(crate) fn end_point_binding(certificate: &CertificateDer<'_>) -> Option<ChannelBinding> {
    Some(ChannelBinding::new(ChannelBindingKind::TlsServerEndPoint, end_point(certificate)?))
}

/// The hash of the certificate, by the hash function of its signature; SHA-256 in place of MD5 and SHA-1. Not defined where
/// the signature has no hash function of its own.
fn end_point(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    Some(match signature_hash(certificate)? {
        Hash::Sha256 => Sha256::digest(certificate).to_vec(),
        Hash::Sha384 => Sha384::digest(certificate).to_vec(),
        Hash::Sha512 => Sha512::digest(certificate).to_vec(),
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

/// ```text
/// Certificate ::= SEQUENCE {
///     tbsCertificate      TBSCertificate,
///     signatureAlgorithm  AlgorithmIdentifier,
///     signatureValue      BIT STRING }
/// AlgorithmIdentifier ::= SEQUENCE {
///     algorithm   OBJECT IDENTIFIER,
///     parameters  ANY DEFINED BY algorithm OPTIONAL }
/// ```
/// RFC 5280 §4.1.
fn signature_hash(certificate: &[u8]) -> Option<Hash> {
    let (certificate, _) = value(SEQUENCE, certificate)?;
    let (_, rest) = value(SEQUENCE, certificate)?;
    let (algorithm, _) = value(SEQUENCE, rest)?;
    let (name, parameters) = value(OBJECT_IDENTIFIER, algorithm)?;
    match name {
        RSASSA_PSS => pss_hash(parameters),
        _ => SIGNATURES.iter().find(|(signature, _)| *signature == name).map(|&(_, hash)| hash),
    }
}

/// `RSASSA-PSS-params ::= SEQUENCE { hashAlgorithm [0] HashAlgorithm DEFAULT sha1Identifier, ... }` (RFC 4055 §3.1).
fn pss_hash(parameters: &[u8]) -> Option<Hash> {
    let (parameters, _) = value(SEQUENCE, parameters)?;
    let Some((hash, _)) = value(CONTEXT_0, parameters) else {
        return Some(Hash::Sha256);
    };
    let (algorithm, _) = value(SEQUENCE, hash)?;
    let (name, _) = value(OBJECT_IDENTIFIER, algorithm)?;
    HASHES.iter().find(|(hash, _)| *hash == name).map(|&(_, hash)| hash)
}

const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;
const CONTEXT_0: u8 = 0xA0;

/// 1.2.840.113549.1.1.10
const RSASSA_PSS: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a";

/// Signatures with one hash function: RFC 4055 §5, RFC 3279 §2.2, RFC 5758 §3.2.
const SIGNATURES: &[(&[u8], Hash)] = &[
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04", Hash::Sha256), // md5WithRSAEncryption
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05", Hash::Sha256), // sha1WithRSAEncryption
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b", Hash::Sha256), // sha256WithRSAEncryption
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c", Hash::Sha384), // sha384WithRSAEncryption
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d", Hash::Sha512), // sha512WithRSAEncryption
    (b"\x2a\x86\x48\xce\x3d\x04\x01", Hash::Sha256),         // ecdsa-with-SHA1
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x02", Hash::Sha256),     // ecdsa-with-SHA256
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x03", Hash::Sha384),     // ecdsa-with-SHA384
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x04", Hash::Sha512),     // ecdsa-with-SHA512
];

/// Hash functions as RSASSA-PSS names them: RFC 4055 §2.1.
const HASHES: &[(&[u8], Hash)] = &[
    (b"\x2b\x0e\x03\x02\x1a", Hash::Sha256),                 // id-sha1
    (b"\x60\x86\x48\x01\x65\x03\x04\x02\x01", Hash::Sha256), // id-sha256
    (b"\x60\x86\x48\x01\x65\x03\x04\x02\x02", Hash::Sha384), // id-sha384
    (b"\x60\x86\x48\x01\x65\x03\x04\x02\x03", Hash::Sha512), // id-sha512
];

/// The value at the front of `der`, if it has this tag, and what follows it.
fn value(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (octets.iter().fold(0, |length, &octet| length << 8 | usize::from(octet)), rest)
        }
        _ => return None,
    };
    (found == tag).then(|| rest.split_at_checked(length)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};

    fn certificate(algorithm: &'static rcgen::SignatureAlgorithm) -> CertificateDer<'static> {
        let key = KeyPair::generate_for(algorithm).unwrap();
        CertificateParams::new(vec!["mx.example".to_owned()]).unwrap().self_signed(&key).unwrap().into()
    }

    #[test]
    fn the_hash_is_the_one_of_the_signature() {
        let p256 = certificate(&PKCS_ECDSA_P256_SHA256);
        assert_eq!(end_point(&p256), Some(Sha256::digest(&p256).to_vec()));
        let p384 = certificate(&PKCS_ECDSA_P384_SHA384);
        assert_eq!(end_point(&p384), Some(Sha384::digest(&p384).to_vec()));
        assert_eq!(end_point(&certificate(&PKCS_ED25519)), None);
    }

    fn certificate_signed_with(algorithm: &[u8]) -> Vec<u8> {
        let mut inner = vec![SEQUENCE, 0, SEQUENCE, algorithm.len() as u8];
        inner.extend_from_slice(algorithm);
        let mut out = vec![SEQUENCE, inner.len() as u8];
        out.extend(inner);
        out
    }

    #[test]
    fn pss_says_its_hash_in_the_parameters() {
        let named = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a";
        let sha512 = b"\x30\x0f\xa0\x0d\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03";
        assert_eq!(signature_hash(&certificate_signed_with(&[&named[..], sha512].concat())), Some(Hash::Sha512));
        let default = b"\x30\x00";
        assert_eq!(signature_hash(&certificate_signed_with(&[&named[..], default].concat())), Some(Hash::Sha256));
        assert_eq!(signature_hash(&certificate_signed_with(named)), None);
    }

    #[test]
    fn what_is_no_certificate_has_no_hash() {
        let whole = certificate_signed_with(b"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02");
        assert_eq!(signature_hash(&whole), Some(Hash::Sha256));
        for end in 0..whole.len() {
            assert_eq!(signature_hash(&whole[..end]), None, "{end}");
        }
        assert_eq!(signature_hash(b"\x30\x85\xff\xff\xff\xff\xff"), None);
        assert_eq!(signature_hash(b"\x30\x84\xff\xff\xff\xff"), None);
    }
}
