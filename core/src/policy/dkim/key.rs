//! Private keys that sign, and public keys that verify.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use base64ct::{Base64, Encoding as _};
use ed25519_dalek::Signer as _;
use ed25519_dalek::pkcs8::DecodePrivateKey as _;
use rsa::pkcs1::{DecodeRsaPrivateKey as _, DecodeRsaPublicKey as _};
use rsa::pkcs8::{DecodePublicKey as _, EncodePublicKey as _};
use rsa::traits::PublicKeyParts as _;
use rsa::{Pkcs1v15Sign, RsaPrivateKey, RsaPublicKey};
use sha2::Sha256;

use crate::syntax::dkim::{Algorithm, KeyRecord, KeyType};
use crate::{Error, ErrorCode};

/// A private key that signs. It is wiped when it is dropped, and shown by nothing.
#[derive(Clone)]
pub struct SigningKey(Kind);

#[derive(Clone)]
enum Kind {
    Rsa(Box<RsaPrivateKey>),
    Ed25519(Box<ed25519_dalek::SigningKey>),
}

impl SigningKey {
    /// Reads a key in PEM: PKCS#8 (`PRIVATE KEY`), or PKCS#1 (`RSA PRIVATE KEY`). RSA has 1024 to 8192 bits; RFC 8301 wants 2048 at least.
    ///
    /// # Errors
    ///
    /// `usage` if it is no such key.
    pub fn from_pem(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        Self::of(
            || RsaPrivateKey::from_pkcs8_pem(text).ok().or_else(|| RsaPrivateKey::from_pkcs1_pem(text).ok()),
            || ed25519_dalek::SigningKey::from_pkcs8_pem(text).ok(),
        )
    }

    /// Reads a key in DER: PKCS#8, or PKCS#1.
    ///
    /// # Errors
    ///
    /// `usage` if it is no such key.
    pub fn from_der(bytes: &[u8]) -> Result<Self, Error> {
        Self::of(
            || RsaPrivateKey::from_pkcs8_der(bytes).ok().or_else(|| RsaPrivateKey::from_pkcs1_der(bytes).ok()),
            || ed25519_dalek::SigningKey::from_pkcs8_der(bytes).ok(),
        )
    }

    /// An Ed25519 key from its seed.
    pub fn from_ed25519_seed(seed: &[u8; 32]) -> Self {
        Self(Kind::Ed25519(ed25519_dalek::SigningKey::from_bytes(seed).into()))
    }

    /// What it signs with.
    pub fn algorithm(&self) -> Algorithm {
        match self.0 {
            Kind::Rsa(_) => Algorithm::RsaSha256,
            Kind::Ed25519(_) => Algorithm::Ed25519Sha256,
        }
    }

    /// The text of the TXT record for `SELECTOR._domainkey.DOMAIN`.
    pub fn record(&self) -> String {
        let (kind, key) = match &self.0 {
            Kind::Rsa(key) => {
                let der = key.to_public_key().to_public_key_der();
                ("rsa", der.map(|der| Base64::encode_string(der.as_bytes())).unwrap_or_default())
            }
            Kind::Ed25519(key) => ("ed25519", Base64::encode_string(key.verifying_key().as_bytes())),
        };
        format!("v=DKIM1; k={kind}; p={key}")
    }

    /// Signs a hash.
    pub(super) fn sign(&self, hash: &[u8; 32]) -> Result<Vec<u8>, Error> {
        match &self.0 {
            Kind::Rsa(key) => key
                .sign(Pkcs1v15Sign::new::<Sha256>(), hash)
                .map_err(|_| Error::new(ErrorCode::Usage, "the RSA key is too small to sign with, or broken")),
            // RFC 8463 §3: the hash is what is signed.
            Kind::Ed25519(key) => Ok(key.sign(hash).to_bytes().into()),
        }
    }

    fn of(
        rsa: impl FnOnce() -> Option<RsaPrivateKey>,
        ed25519: impl FnOnce() -> Option<ed25519_dalek::SigningKey>,
    ) -> Result<Self, Error> {
        let ed25519 = ed25519().map(|key| Kind::Ed25519(key.into()));
        let kind = ed25519.or_else(|| rsa().map(|key| Kind::Rsa(key.into())));
        kind.map(Self)
            .ok_or_else(|| Error::new(ErrorCode::Usage, "that is no private key of RSA or Ed25519 that can be read"))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("algorithm", &self.algorithm()).finish_non_exhaustive()
    }
}

/// Whether `signature` is one of `hash` by the key in `record`.
///
/// # Errors
///
/// What is wrong with the key, as a clause without a full stop.
pub(super) fn verify(record: &KeyRecord, hash: &[u8; 32], signature: &[u8]) -> Result<bool, KeyFault> {
    match record.key_type {
        KeyType::Rsa => {
            // Some publish the key without saying that it is one of RSA.
            let key = RsaPublicKey::from_public_key_der(&record.key).ok();
            let key = key.or_else(|| RsaPublicKey::from_pkcs1_der(&record.key).ok()).ok_or(KeyFault::Malformed)?;
            // RFC 8301 §3.2.
            if key.n().bits() < 1024 {
                return Err(KeyFault::Weak);
            }
            Ok(key.verify(Pkcs1v15Sign::new::<Sha256>(), hash, signature).is_ok())
        }
        KeyType::Ed25519 => {
            let key: &[u8; 32] = record.key.as_slice().try_into().map_err(|_| KeyFault::Malformed)?;
            let key = ed25519_dalek::VerifyingKey::from_bytes(key).map_err(|_| KeyFault::Malformed)?;
            let signature = ed25519_dalek::Signature::from_slice(signature);
            Ok(signature.is_ok_and(|signature| key.verify_strict(hash, &signature).is_ok()))
        }
    }
}

/// What is wrong with a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyFault {
    Malformed,
    Weak,
}
