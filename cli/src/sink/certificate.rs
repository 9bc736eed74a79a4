//! The certificate of a sink that was given none, and the authority that trusts it.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use okuru::Secret;
use okuru::server::TlsConfig;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};

use super::cannot;
use crate::exit::Failure;

/// An authority made on the spot. Nobody else has its key, and it is forgotten with this process.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn make() -> Result<Self, Failure> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "okuru sink, an authority for tests");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().map_err(cannot("no key can be made"))?;
        let issuer = CertifiedIssuer::self_signed(params, key).map_err(cannot("no certificate can be made"))?;
        Ok(Self { issuer })
    }

    /// A certificate for these names and addresses.
    pub(crate) fn certify(&self, names: &[&str]) -> Result<TlsConfig, Failure> {
        let names = names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let key = KeyPair::generate().map_err(cannot("no key can be made"))?;
        let mut params = CertificateParams::new(names).map_err(cannot("no certificate can be made"))?;
        params.distinguished_name.push(DnType::CommonName, "okuru sink");
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer).map_err(cannot("no certificate can be made"))?;
        Ok(TlsConfig::from_pem(certificate.pem().as_bytes(), Secret::new(key.serialize_pem()))?)
    }

    /// Its certificate in PEM.
    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }
}

/// A file that clients can read.
#[derive(Debug)]
pub(super) struct CaFile {
    path: PathBuf,
    /// The folder that goes with it, if we have made one.
    folder: Option<PathBuf>,
}

impl CaFile {
    /// Writes the file, at `path` or in a folder of its own.
    pub(super) fn write(path: Option<&Path>, pem: &str) -> io::Result<Self> {
        let made = match path {
            Some(path) => Self { path: path.to_owned(), folder: None },
            None => {
                let folder = fresh_folder()?;
                Self { path: folder.join("ca.pem"), folder: Some(folder) }
            }
        };
        fs::File::create(&made.path)?.write_all(pem.as_bytes())?;
        Ok(made)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for CaFile {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder {
            // Should it be left behind, it is nothing secret.
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// A name that nobody can have taken in order to lead us elsewhere.
fn fresh_folder() -> io::Result<PathBuf> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let folder = std::env::temp_dir().join(format!("okuru-sink-{:016x}", u64::from_ne_bytes(random)));
    fs::create_dir(&folder)?;
    Ok(folder)
}
