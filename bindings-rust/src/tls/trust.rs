//! Whom we trust, and who we are: what all TLS connections of a client share.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use okuru_core::sasl::Secret;
use okuru_core::{Error, ErrorCode};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::layer::TlsLayer;
use super::verifier::Verifier;

/// What a user says about TLS, not yet looked at.
#[derive(Clone, Debug, Default)]
pub(crate) struct TlsOptions {
    /// PEM. In place of the system's authorities.
    pub(crate) ca_file: Option<PathBuf>,
    /// PEM or DER. Beside the others.
    pub(crate) roots: Vec<Vec<u8>>,
    pub(crate) identity: Option<Identity>,
}

/// A client certificate with its key.
#[derive(Clone, Debug)]
pub(crate) enum Identity {
    /// PEM files.
    Files { certificate: PathBuf, key: PathBuf },
    /// PEM.
    Pem { certificate: Vec<u8>, key: Secret },
}

/// Whom we trust, and who we are.
#[derive(Clone)]
pub(crate) struct Trust {
    config: ClientConfig,
    provider: Arc<CryptoProvider>,
    /// None where nobody is trusted: no certificate verifies then.
    authorities: Option<Arc<WebPkiServerVerifier>>,
}

impl Trust {
    /// Reads the files that `options` name, and the system's authorities where they are needed. This blocks.
    pub(crate) fn load(options: &TlsOptions) -> Result<Self, Error> {
        let provider = Arc::new(ring::default_provider());
        let authorities = match roots(options)? {
            roots if roots.is_empty() => None,
            roots => Some(
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                    .build()
                    .map_err(|error| unusable(format!("the trusted authorities can't be used: {error}")))?,
            ),
        };
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(format!("TLS can't be set up: {error}")))?
            .dangerous()
            // In its place comes one of its own for each connection.
            .with_custom_certificate_verifier(Verifier::new(None, Arc::clone(&provider), true));
        let mut config = match &options.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let (chain, key) = identity.load()?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| unusable(format!("the client certificate can't be used: {error}")))?
            }
        };
        // A resumed session would not show its certificate again; connections live long enough as it is.
        config.resumption = Resumption::disabled();
        Ok(Self { config, provider, authorities })
    }

    /// A TLS connection to `server_name`, a host name or an address. Where the certificate need not verify, it is looked at
    /// all the same.
    pub(crate) fn begin(&self, server_name: &str, verify: bool) -> Result<TlsLayer, Error> {
        if verify && self.authorities.is_none() {
            return Err(unusable("this system trusts no authority, and none was given"));
        }
        let name = ServerName::try_from(server_name.strip_suffix('.').unwrap_or(server_name).to_owned())
            .map_err(|_| unusable(format!("{server_name} can't be the name of a TLS server")))?;
        let verifier = Verifier::new(self.authorities.clone(), Arc::clone(&self.provider), verify);
        let mut config = self.config.clone();
        config.dangerous().set_certificate_verifier(verifier.clone());
        let connection = ClientConnection::new(Arc::new(config), name)
            .map_err(|error| unusable(format!("TLS can't be begun: {error}")))?;
        Ok(TlsLayer::new(connection, verifier))
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust").finish_non_exhaustive()
    }
}

fn roots(options: &TlsOptions) -> Result<RootCertStore, Error> {
    let mut store = RootCertStore::empty();
    match &options.ca_file {
        Some(path) => {
            for root in certificates(path)? {
                store.add(root).map_err(|error| unusable(format!("{}: {error}", path.display())))?;
            }
        }
        None => {
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    for root in &options.roots {
        let parsed: Result<Vec<_>, _> = match root.starts_with(b"\x30") {
            true => Ok(vec![CertificateDer::from(root.as_slice())]),
            false => CertificateDer::pem_slice_iter(root).collect(),
        };
        let parsed = parsed.ok().filter(|all| !all.is_empty());
        for root in parsed.ok_or_else(|| unusable("an additional root is no certificate"))? {
            store.add(root.into_owned()).map_err(|error| unusable(format!("an additional root: {error}")))?;
        }
    }
    Ok(store)
}

impl Identity {
    /// The certificate with its chain, and the key.
    pub(crate) fn load(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Error> {
        match self {
            Self::Files { certificate, key } => {
                let chain = certificates(certificate)?;
                let key = PrivateKeyDer::from_pem_file(key).map_err(|error| in_file(key, "private key", &error))?;
                Ok((chain, key))
            }
            Self::Pem { certificate, key } => {
                let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate).collect();
                let chain = chain.ok().filter(|chain| !chain.is_empty());
                let chain = chain.ok_or_else(|| unusable("the certificate is not PEM"))?;
                // What the parser says may show parts of the key.
                let key = PrivateKeyDer::from_pem_slice(key.expose().as_bytes())
                    .map_err(|_| unusable("the key of the certificate is not PEM"))?;
                Ok((chain, key))
            }
        }
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    match all {
        Ok(all) if all.is_empty() => Err(in_file(path, "certificate", &pem::Error::NoItemsFound)),
        Ok(all) => Ok(all),
        Err(error) => Err(in_file(path, "certificate", &error)),
    }
}

/// Of what was found in the file nothing is shown: it may be a key.
fn in_file(path: &Path, what: &str, error: &pem::Error) -> Error {
    let path = path.display();
    unusable(match error {
        pem::Error::Io(error) => format!("{path} can't be read: {}", crate::connect::without_number(error)),
        pem::Error::NoItemsFound => format!("{path} holds no {what} in PEM"),
        _ => format!("{path} is damaged: a {what} in PEM was expected"),
    })
}

fn unusable(what: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorCode::TlsConfiguration, what)
}
