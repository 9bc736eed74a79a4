//! Authentication mechanisms (SASL, RFC 4422).
//!
//! A protocol that uses SASL (SMTP by RFC 4954, POP3 by RFC 5034) carries *challenges* from the server and *responses*
//! from the client, and ends with the server's verdict. This floor knows what is in them, and nothing of the lines they
//! travel in: all bytes here are decoded ones, and the base64 of the lines is the caller's.
//!
//! A client:
//!
//! 1. [`choose`] takes the strongest mechanism that the server offers, the user allows and the [`Credentials`] fit.
//! 2. [`ClientExchange::new`] starts it. A token that is not there yet ([`Credentials::needs_token`]) must be had
//!    first.
//! 3. [`ClientExchange::initial_response`] goes with the command that names the mechanism, where there is one and it
//!    fits; else the command goes alone, and the same response answers the empty challenge.
//! 4. [`ClientExchange::challenge`] answers each challenge. An error means: cancel the exchange (`*`) and report it.
//! 5. When the server says yes, [`ClientExchange::succeeded`] tells whether to believe it. When it says no,
//!    [`ClientExchange::failure_detail`] may know more than the server's reply.
//!
//! A server:
//!
//! 1. [`ServerExchange::start`] takes the mechanism that the client names, and its initial response, if there is one.
//! 2. Each [`ServerStep`] says what to do next: send a challenge, ask the host what only it knows, or end.
//! 3. [`ServerExchange::receive`] takes each response of the client's, [`ServerExchange::answer`] each answer of the
//!    host's. A `*` cancels: drop the exchange, and say 501 (RFC 4954 §4).
//!
//! The host keeps [`StoredKeys`] in place of passwords; they do for SCRAM, PLAIN and LOGIN. Only CRAM-MD5 needs the
//! password itself.
//!
//! POP3 has two ways of its own, without an exchange: [`apop()`] and [`user_pass()`].
//!
//! Secrets are zeroized when they are dropped, together with everything that is derived from them, and no `Debug`,
//! `Display` or error shows one.

mod apop;
mod bearer;
mod channel_binding;
mod client;
mod cram_md5;
mod credentials;
mod decoy;
mod external;
mod failure;
mod gs2;
mod hash;
mod limits;
mod login;
mod mechanism;
mod oauthbearer;
#[cfg(test)]
mod pair;
mod plain;
mod saslprep;
#[cfg(feature = "saslprep")]
mod saslprep_tables;
mod scram;
mod secret;
mod server;
mod server_words;
mod user_pass;
mod xoauth2;

pub use apop::apop;
pub use channel_binding::{ChannelBinding, ChannelBindingKind};
pub use client::{ClientExchange, Params};
pub use credentials::Credentials;
pub use hash::Hash;
pub use limits::MAX_MESSAGE;
pub use mechanism::{Mechanism, choose};
pub use scram::{MAX_ITERATIONS, MIN_ITERATIONS, MIN_NONCE, StoredKeys};
pub use secret::{Response, Secret};
pub use server::{Answer, MIN_SEED, Question, ServerExchange, ServerParams, ServerStep};
pub use user_pass::user_pass;
