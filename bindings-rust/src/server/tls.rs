//! TLS, as a server sees it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use okuru_core::sasl::{ChannelBinding, Secret};
use okuru_core::server::TlsInfo;
use okuru_core::{Error, ErrorCode};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::server::WebPkiClientVerifier;
use rustls::{ProtocolVersion, RootCertStore, ServerConfig, ServerConnection};

use super::visit::TlsDetails;
use crate::tls::{Identity, end_point_binding, exporter_binding};

/// What a server needs for TLS: its certificate with the key, and perhaps whose certificates it takes from clients.
#[derive(Clone)]
pub struct TlsConfig {
    pub(super) config: Arc<ServerConfig>,
    /// For TLS 1.2, if the certificate is known and has one.
    end_point: Option<ChannelBinding>,
}

impl TlsConfig {
    /// From a certificate with its chain, and its key, in PEM.
    ///
    /// # Errors
    ///
    /// `tls.configuration`. Nothing of the key is shown in it.
    pub fn from_pem(certificate: &[u8], key: Secret) -> Result<Self, Error> {
        Self::build(&Identity::Pem { certificate: certificate.into(), key }, None)
    }

    /// The same from files. This blocks.
    ///
    /// # Errors
    ///
    /// As [`from_pem`](Self::from_pem).
    pub fn from_files(certificate: impl AsRef<Path>, key: impl AsRef<Path>) -> Result<Self, Error> {
        let (certificate, key) = (certificate.as_ref().into(), key.as_ref().into());
        Self::build(&Identity::Files { certificate, key }, None)
    }

    /// As [`from_pem`](Self::from_pem); clients may show a certificate by one of these authorities (PEM), so that EXTERNAL makes
    /// sense for them. One that does not verify ends the connection.
    ///
    /// # Errors
    ///
    /// As [`from_pem`](Self::from_pem).
    pub fn from_pem_with_client_authorities(
        certificate: &[u8],
        key: Secret,
        authorities: &[u8],
    ) -> Result<Self, Error> {
        Self::build(&Identity::Pem { certificate: certificate.into(), key }, Some(authorities))
    }

    fn build(identity: &Identity, authorities: Option<&[u8]>) -> Result<Self, Error> {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(unusable)?;
        let builder = match authorities {
            None => builder.with_no_client_auth(),
            Some(authorities) => {
                let mut roots = RootCertStore::empty();
                for authority in CertificateDer::pem_slice_iter(authorities) {
                    roots.add(authority.map_err(unusable)?).map_err(unusable)?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.allow_unauthenticated().build().map_err(unusable)?)
            }
        };
        let (chain, key) = identity.load()?;
        let end_point = chain.first().and_then(end_point_binding);
        let config = builder.with_single_cert(chain, key).map_err(unusable)?;
        Ok(Self { config: Arc::new(config), end_point })
    }

    /// What the session is told of a connection whose handshake has ended.
    pub(super) fn info(&self, connection: &ServerConnection) -> TlsInfo {
        let bindings = [exporter_binding(connection), self.end_point.clone()];
        TlsInfo {
            channel_bindings: bindings.into_iter().flatten().collect(),
            client_verified: connection.peer_certificates().is_some_and(|shown| !shown.is_empty()),
        }
    }
}

/// Any configuration of rustls. Its own certificate is not known then, so there is no channel binding with TLS 1.2. Whatever
/// its verifier lets through counts as verified.
impl From<Arc<ServerConfig>> for TlsConfig {
    fn from(config: Arc<ServerConfig>) -> Self {
        Self { config, end_point: None }
    }
}

impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConfig").finish_non_exhaustive()
    }
}

/// What is told of a connection whose handshake has ended.
pub(super) fn details(connection: &ServerConnection) -> TlsDetails {
    let certificates = connection.peer_certificates().unwrap_or_default();
    TlsDetails {
        version: match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
            _ => "TLSv1.2",
        },
        cipher_suite: connection.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()).unwrap_or_default(),
        server_name: connection.server_name().map(Into::into),
        client_certificates: certificates.iter().map(|certificate| certificate.to_vec()).collect(),
    }
}

fn unusable(error: impl fmt::Display) -> Error {
    Error::new(ErrorCode::TlsConfiguration, format!("TLS can't be set up: {error}"))
}
