//! Whether a message is as a domain has signed it, and signing (RFC 6376, RFC 8301, RFC 8463).
//!
//! - a [`Signer`] makes `DKIM-Signature` fields: a [`Signing`] takes a message piece by piece, and gives the field to go before it
//! - a [`Verifier`] takes a message piece by piece, asks the DNS for the keys, and tells of each signature whether it holds
//!
//! Neither keeps more of a message than its header. A CR or LF alone counts as CR LF in both, since that is what a message has when it
//! is sent.
//!
//! [`DkimResult`] is there without the feature `dkim` as well.

#[cfg(feature = "dkim")]
mod hashes;
#[cfg(feature = "dkim")]
mod key;
#[cfg(feature = "dkim")]
mod message;
mod result;
#[cfg(feature = "dkim")]
mod signer;
#[cfg(all(test, feature = "dkim"))]
mod tests;
#[cfg(feature = "dkim")]
mod verifier;

#[cfg(feature = "dkim")]
pub use key::SigningKey;
pub use result::DkimResult;
#[cfg(feature = "dkim")]
pub use signer::{Signer, Signing, SigningOptions};
#[cfg(feature = "dkim")]
pub use verifier::{Output, SignatureVerdict, Verdict, Verifier, VerifierConfig};
