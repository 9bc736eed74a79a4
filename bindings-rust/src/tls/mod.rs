//! TLS by rustls, as far as it needs no waiting.

mod channel_binding;
mod layer;
mod trust;
mod verifier;

pub(crate) use layer::TlsLayer;
pub(crate) use trust::{Identity, TlsOptions, Trust};
