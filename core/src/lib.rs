//! SMTP as pure state machines.
//!
//! This crate knows the protocol and nothing else: it parses what the other side says and decides what to say next.
//! It opens no socket, reads no clock and draws no random number; a *host* supplies those. Each machine is a plain
//! value that is a pure function of its inputs, so that the same calls give the same outputs on every host.
//!
//! The floors, each using only the ones below it:
//!
//! - [`options`]: all that can be chosen, by name and as plain values, for hosts in other languages
//! - [`delivery`]: which message goes over which connection, where to and when
//! - [`policy`]: decisions about mail, with the look-ups asked of the host
//! - [`client`], [`server`], [`pop3`]: one connection, as a state machine
//! - `sasl`: each authentication mechanism
//! - [`dns`]: what is asked of the DNS, and what it says
//! - [`syntax`]: text to values and back
//! - [`error`]: the one catalogue of errors, with stable codes
#![no_std]

extern crate alloc;

pub mod client;
pub mod delivery;
pub mod dns;
pub mod error;
pub mod options;
pub mod policy;
pub mod pop3;
pub mod sasl;
pub mod server;
pub mod syntax;

pub use error::{Error, ErrorCode, Step};
