//! [`okuru_core`] for JavaScript hosts.
//!
//! To make a JavaScript object costs more than to send a message, so that an engine makes none: it takes records of octets,
//! and gives records of octets, which one driver reads and writes, whether it sits behind a native addon or in WebAssembly.
//! `packing.rs` has the values that records are made of, `input.rs` those that a host hands in, and `output.rs` those that it
//! gets; each begins with an octet that says which it is.
//!
//! [`Engine::step`] takes whatever has come and gives all that is to be done: one crossing for each time that the host waits.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod connection;
mod event;
mod input;
mod machine;
mod mailer;
mod message;
mod options;
mod outcome;
mod output;
mod packing;

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::string::ToString as _;
use alloc::vec::Vec;
pub use okuru_core::Error;
use okuru_core::ErrorCode;
use okuru_core::options::MessageOptions;

use crate::machine::Machine;
use crate::options::ForHost;
use crate::packing::{Reader, Writer, moment};

/// A machine of the core, driven by packed records.
// Not `Debug`: what would write all of it down is a tenth of the whole module.
pub struct Engine {
    machine: Box<dyn Machine + Send + Sync>,
    /// What all messages have in common.
    usual: MessageOptions,
    /// What the host is still to be told.
    for_host: Option<ForHost>,
}

impl Engine {
    /// A mailer, as the packed options say. `seed` is random.
    ///
    /// # Errors
    ///
    /// As [`MailerOptions`](okuru_core::options::MailerOptions) has them.
    pub fn mailer(options: &[u8], seed: f64) -> Result<Self, Error> {
        let settings = options::mailer(&mut Reader::new(options))?;
        let for_host = ForHost { connect_timeout: settings.connect_timeout, source_address: settings.source_address };
        let machine = Box::new(mailer::Mailer::new(settings.mailer, seed.to_bits()));
        Ok(Self { machine, usual: settings.message, for_host: Some(for_host) })
    }

    /// One connection, to a single server. It is connection 0 in all records.
    ///
    /// # Errors
    ///
    /// As [`mailer`](Self::mailer).
    pub fn connection(options: &[u8]) -> Result<Self, Error> {
        let (settings, config, endpoint) = options::connection(&mut Reader::new(options))?;
        let for_host = ForHost { connect_timeout: settings.connect_timeout, source_address: settings.source_address };
        let machine = Box::new(connection::Connection::new(config, endpoint));
        Ok(Self { machine, usual: settings.message, for_host: Some(for_host) })
    }

    /// Takes the records of `input`, and gives those of all that is to be done, at `now` milliseconds on the clock of the host.
    ///
    /// # Errors
    ///
    /// `usage` if something of it is no record: a defect of the host. What stood before it has been taken.
    pub fn step(&mut self, now: f64, input: &[u8]) -> Result<Vec<u8>, Error> {
        let now = moment(now);
        let mut out = Writer::default();
        if let Some(for_host) = self.for_host.take() {
            output::settings(&for_host, &mut out);
        }
        input::take(self.machine.as_mut(), now, &self.usual, &mut Reader::new(input), &mut out)?;
        self.machine.step(now, &mut out);
        Ok(out.finish())
    }

    /// Hands in content of a message, from the offset on that was asked for, without a copy of it being made. Says how many
    /// octets were taken. [`step`](Self::step) comes next.
    pub fn content(&mut self, now: f64, connection: f64, message: f64, bytes: &[u8]) -> f64 {
        self.machine.content(moment(now), connection as u64, message as u64, bytes) as f64
    }
}

/// What the header of a content says: the sender, the recipients, and which ranges are not to go out.
///
/// # Errors
///
/// As [`Header::sender`](okuru_core::syntax::Header::sender).
pub fn header(head: &[u8], wants_sender: bool, wants_recipients: bool) -> Result<Vec<u8>, Error> {
    let mut out = Writer::default();
    message::header(head, wants_sender, wants_recipients, &mut out)?;
    Ok(out.finish())
}

/// Every code of the catalogue of errors with what a user can do, a line each, with a tab between them.
pub fn catalogue() -> String {
    ErrorCode::ALL.iter().map(|code| format!("{code}\t{}\n", code.advice())).collect()
}

/// An error in one line, for a host that can throw texts only: its code, its step, what happened, and the whole sentence, with
/// tabs between them.
pub fn thrown(error: &Error) -> String {
    let step = error.step().map(|step| step.to_string()).unwrap_or_default();
    let what = error.what().replace('\t', " ");
    format!("{}\t{step}\t{what}\t{}", error.code(), error.to_string().replace('\t', " "))
}
