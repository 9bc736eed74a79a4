//! What a probe has found, as `--json` has it.

use std::collections::BTreeMap;

use okuru::{Error, ServerInfo, TlsSession};
use okuru_core::syntax::Capabilities;
use serde::Serialize;

use super::certificate::Certificate;
use crate::json::{ErrorEntry, ReplyEntry};

/// What a probe has found.
#[derive(Serialize)]
pub(crate) struct Findings {
    pub(crate) server: String,
    pub(crate) address: Option<String>,
    pub(crate) greeting: Option<ReplyEntry>,
    /// Without TLS, or before STARTTLS.
    pub(crate) before_tls: Option<Offer>,
    pub(crate) tls: Option<TlsFindings>,
    pub(crate) after_tls: Option<Offer>,
    /// How one can log in, as the connection is in the end.
    pub(crate) mechanisms: Vec<String>,
    /// Why the server can't be used as the URL says.
    pub(crate) error: Option<ErrorEntry>,
}

/// What a server offers.
#[derive(Serialize)]
pub(crate) struct Offer {
    pub(crate) name: String,
    /// Each keyword with the words behind it.
    pub(crate) capabilities: BTreeMap<String, Vec<String>>,
}

/// A TLS connection.
#[derive(Serialize)]
pub(crate) struct TlsFindings {
    pub(crate) version: &'static str,
    pub(crate) cipher: &'static str,
    pub(crate) verified: bool,
    /// Why it does not verify.
    pub(crate) distrust: Option<ErrorEntry>,
    pub(crate) certificate: Option<Certificate>,
    /// How many certificates came with it.
    pub(crate) chain: usize,
}

impl Findings {
    pub(crate) fn new(server: String, info: &ServerInfo, error: Option<&Error>) -> Self {
        let (before_tls, after_tls) = match info.tls {
            None => (info.capabilities.as_ref(), None),
            Some(_) => (info.capabilities_before_tls.as_ref(), info.capabilities.as_ref()),
        };
        Self {
            server,
            address: Some(info.address.clone()).filter(|address| !address.is_empty()),
            greeting: info.greeting.as_ref().map(Into::into),
            before_tls: before_tls.map(Offer::new),
            tls: info.tls.as_ref().map(TlsFindings::new),
            after_tls: after_tls.map(Offer::new),
            mechanisms: info.capabilities.as_ref().map(|offer| offer.auth().to_vec()).unwrap_or_default(),
            error: error.map(Into::into),
        }
    }

    /// One line of JSON.
    pub(crate) fn json(&self) -> String {
        let mut line = serde_json::to_string(self).unwrap_or_default();
        line.push('\n');
        line
    }
}

impl Offer {
    fn new(capabilities: &Capabilities) -> Self {
        let keywords = capabilities.keywords();
        Self {
            name: capabilities.server_name().to_owned(),
            capabilities: keywords
                .map(|keyword| (keyword.name().to_owned(), keyword.parameters().map(str::to_owned).collect()))
                .collect(),
        }
    }
}

impl TlsFindings {
    fn new(session: &TlsSession) -> Self {
        Self {
            version: session.version,
            cipher: session.cipher_suite,
            verified: session.distrust.is_none(),
            distrust: session.distrust.as_ref().map(Into::into),
            certificate: session.certificates.first().and_then(|der| Certificate::from_der(der)),
            chain: session.certificates.len().saturating_sub(1),
        }
    }
}
