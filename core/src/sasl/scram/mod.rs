//! SCRAM (RFC 5802; with SHA-256, RFC 7677): both sides prove that they know the password, and neither shows it.
//!
//! ```text
//! C: gs2-header n=user,r=cnonce                       client-first
//! S: r=cnonce snonce,s=salt,i=iterations              server-first
//! C: c=gs2-header and binding,r=cnonce snonce,p=proof client-final
//! S: v=signature                                      server-final
//! ```
//!
//! SMTP has no room for server-final beside its 235, so it comes as one more challenge, which is answered with nothing
//! (RFC 4954 §4). A 235 before it proves nothing, whatever its text says, and is not believed.

mod client;
mod grammar;
mod keys;
mod limits;
mod server;
mod stored_keys;

pub(super) use client::{Binding, Client, Names};
pub use limits::{MAX_ITERATIONS, MIN_ITERATIONS, MIN_NONCE};
pub(super) use server::{Asked, Channel, Final, First, Refusal};
pub use stored_keys::StoredKeys;
