//! Looks at each certificate, and remembers what came of it.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

/// Verifies the certificate of one connection. Where it need not verify, the connection goes on, and the result can be asked
/// for. That the server has the key of the certificate is always checked.
pub(super) struct Verifier {
    authorities: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
    required: bool,
    result: OnceLock<Result<(), Error>>,
    shown: OnceLock<Vec<Vec<u8>>>,
}

impl Verifier {
    pub(super) fn new(
        authorities: Option<Arc<WebPkiServerVerifier>>,
        provider: Arc<CryptoProvider>,
        required: bool,
    ) -> Arc<Self> {
        Arc::new(Self { authorities, provider, required, result: OnceLock::new(), shown: OnceLock::new() })
    }

    /// The certificates that the server has shown, in DER, its own first.
    pub(super) fn shown(&self) -> &[Vec<u8>] {
        self.shown.get().map(Vec::as_slice).unwrap_or_default()
    }

    /// What came of it, once a certificate was seen.
    pub(super) fn result(&self) -> Option<&Result<(), Error>> {
        self.result.get()
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.shown.get_or_init(|| std::iter::once(end_entity).chain(intermediates).map(|it| it.to_vec()).collect());
        let result = match &self.authorities {
            Some(authorities) => authorities
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
                .map(|ServerCertVerified { .. }| ()),
            None => Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)),
        };
        let result = self.result.get_or_init(|| result);
        match result {
            Err(error) if self.required => Err(error.clone()),
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("required", &self.required)
            .field("result", &self.result)
            .finish_non_exhaustive()
    }
}
