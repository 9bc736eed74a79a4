//! [`okuru_core`] for JavaScript hosts.
//!
//! To make a JavaScript object costs more than to send a message, so that an engine makes none: it takes records of octets,
//! and gives records of octets, which one driver reads and writes, whether it sits behind a native addon or in WebAssembly.
//! `packing.rs` has the values that records are made of, `input.rs` those that a host hands in, and `output.rs` those that it
//! gets; each begins with an octet that says which it is.
//!
//! [`Engine::step`] takes whatever has come and gives all that is to be done: one crossing for each time that the host waits.
#![forbid(unsafe_code)]

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

use okuru_core::ErrorCode;
pub use okuru_core::Error;

use crate::machine::Machine;
use crate::packing::{Reader, Writer, moment};

/// A machine of the core, driven by packed records.
#[derive(Debug)]
pub struct Engine(Box<dyn Machine>);

impl Engine {
    /// A mailer, as the packed `options` say: a table. `seed` is random.
    ///
    /// # Errors
    ///
    /// As [`options::mailer`].
    pub fn mailer(options: &[u8], seed: f64) -> Result<Self, Error> {
        let config = options::mailer(&mut Reader::new(options))?;
        Ok(Self(Box::new(mailer::Mailer::new(config, seed.to_bits()))))
    }

    /// One connection, over whatever the host has opened. It is connection 0 in all records. `nonce` are 24 random octets, used
    /// once.
    ///
    /// # Errors
    ///
    /// As [`mailer`](Self::mailer).
    pub fn connection(options: &[u8], nonce: &[u8]) -> Result<Self, Error> {
        let config = options::connection(&mut Reader::new(options), nonce)?;
        Ok(Self(Box::new(connection::Connection::new(config))))
    }

    /// Takes the records of `input`, and gives those of all that is to be done, at `now` milliseconds on the clock of the host.
    ///
    /// # Errors
    ///
    /// `usage` if something of it is no record: a defect of the host. What stood before it has been taken.
    pub fn step(&mut self, now: f64, input: &[u8]) -> Result<Vec<u8>, Error> {
        let now = moment(now);
        let mut out = Writer::default();
        input::take(self.0.as_mut(), now, &mut Reader::new(input), &mut out)?;
        self.0.step(now, &mut out);
        Ok(out.finish())
    }

    /// Hands in content of a message, from the offset on that was asked for, without a copy of it being made. Says how many
    /// octets were taken. [`step`](Self::step) comes next.
    pub fn content(&mut self, now: f64, connection: f64, message: f64, bytes: &[u8]) -> f64 {
        self.0.content(moment(now), connection as u64, message as u64, bytes) as f64
    }
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
