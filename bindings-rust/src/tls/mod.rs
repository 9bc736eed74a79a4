//! TLS by rustls, as far as it needs no waiting.

mod channel_binding;
mod layer;
mod trust;
mod verifier;

#[cfg(feature = "server")]
pub(crate) use channel_binding::{end_point_binding, exporter_binding};
pub(crate) use layer::TlsLayer;
pub(crate) use trust::{Identity, TlsOptions, Trust};
