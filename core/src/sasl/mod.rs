//! Authentication mechanisms (SASL, RFC 4422).
//!
//! A protocol that uses SASL (SMTP by RFC 4954, POP3 by RFC 5034) carries *challenges* from the server and *responses*
//! from the client, and ends with the server's verdict. This floor knows what is in them, and nothing of the lines they
//! travel in: all bytes here are decoded ones, and the base64 of the lines is the caller's.
//!
//! 1. [`choose`] takes the strongest mechanism that the server offers, the user allows and the [`Credentials`] fit.
//!
//! Secrets are zeroized when they are dropped, together with everything that is derived from them, and no `Debug`,
//! `Display` or error shows one.

mod channel_binding;
mod credentials;
mod mechanism;
mod secret;
mod server_words;

pub use channel_binding::{ChannelBinding, ChannelBindingKind};
pub use credentials::Credentials;
pub use mechanism::{Mechanism, choose};
pub use secret::{Response, Secret};
